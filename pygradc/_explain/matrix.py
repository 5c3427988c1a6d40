"""Formulas of matrices: products, transposes, diagonals, matrices given by entries.

A row is always kept as the transpose of a column, so that equal things look equal; the
printers turn (Xᵀe)ᵀ into eᵀX again.
"""

from pygradc._explain.formula import (
    ONE,
    Formula,
    Mismatch,
    _factors,
    _product,
    add,
    call,
    cases,
    is_one,
    is_row,
    is_zero,
    mul,
    num,
    ones,
    power,
    split_scalars,
    total,
    zeros,
)

MOST_ENTRIES = 36  # of a matrix that is written out


def matrix_shape(rows, columns):
    """Shape of a matrix; () if it has one entry."""
    return () if rows == columns == 1 else (rows, columns)


def sides(f):
    """(rows, columns) of `f`.

    Raises
    ------
    Mismatch
        It has more axes than a matrix.
    """
    if not f.shape:
        return 1, 1
    if len(f.shape) != 2:
        raise Mismatch
    return f.shape


def is_column(f):
    return not f.shape or (len(f.shape) == 2 and f.shape[1] == 1)


def eye(n):
    return Formula("eye", shape=(n, n)) if n > 1 else ONE


def diag(d):
    """The diagonal matrix of column `d`."""
    if not d.shape:
        return d
    n = sides(d)[0]
    if d.head == "ones":
        return eye(n)
    if d.head == "zeros":
        return zeros((n, n))
    scalar, rest = split_scalars(d)
    if not is_one(scalar):
        return mul(scalar, diag(rest))
    return Formula("diag", (d,), None, (n, n))


def grid(rows):
    """The matrix with these rows of scalar formulas."""
    m, n = len(rows), len(rows[0])
    if m == n == 1:
        return rows[0][0]
    if all(is_zero(e) for row in rows for e in row):
        return zeros((m, n))
    if m == 1:
        return t(grid([[e] for e in rows[0]]))
    return Formula("grid", tuple(e for row in rows for e in row), (m, n), (m, n))


def entries(f):
    """Rows of entries of a matrix that is written out, or None."""
    m, n = sides(f)
    if m * n > MOST_ENTRIES:
        return None
    if not f.shape:
        return [[f]]
    if f.head == "grid":
        return [list(f.args[i * n : (i + 1) * n]) for i in range(m)]
    if f.head in ("zeros", "eye"):
        one = f.head == "eye"
        return [[num(int(one and i == j)) for j in range(n)] for i in range(m)]
    if f.head == "t":
        inner = entries(f.args[0])
        return inner and [list(row) for row in zip(*inner, strict=True)]
    if f.head == "diag":
        d = entries(f.args[0])
        zero = num(0)
        return d and [[d[i][0] if i == j else zero for j in range(n)] for i in range(m)]
    if f.head in ("sum", "prod"):
        return _combined_entries(f, m, n)
    return None


def _combined_entries(f, m, n):
    parts = []
    exponents = f.data[1] if f.head == "prod" else [1] * len(f.args)
    for a, e in zip(f.args, exponents, strict=True):
        rows = entries(a) if a.shape else [[a] * n for _ in range(m)]
        if rows is None or (a.shape and e < 0 and a.head != "ones"):
            return None
        parts.append([[power(x, e) for x in row] for row in rows])
    if f.head == "sum":
        return [
            [
                add(*[mul(num(c), p[i][j]) for c, p in zip(f.data, parts, strict=True)])
                for j in range(n)
            ]
            for i in range(m)
        ]
    return [
        [mul(num(f.data[0]), *[p[i][j] for p in parts]) for j in range(n)]
        for i in range(m)
    ]


def written_out(f):
    """`f` as a matrix of entries, if it has a part that is one and all are known."""
    if f.head not in ("sum", "prod", "t") or len(f.shape) != 2 or not _has_grid(f):
        return f
    rows = entries(f)
    return f if rows is None else grid(rows)


def _has_grid(f):
    return f.head == "grid" or (
        f.head in ("sum", "prod", "t") and any(_has_grid(a) for a in f.args)
    )


# ---- transposes ----


def t(f):
    """The transpose."""
    if not f.shape or f.head in ("diag", "eye"):
        return f
    m, n = sides(f)
    if f.head == "t":
        return f.args[0]
    if f.head in ("zeros",):
        return zeros((n, m))
    if n == 1:  # a column: its transpose is kept as it is
        return Formula("t", (f,), None, (1, m))
    if f.head == "ones":
        return ones((n, m))
    if f.head == "sum":
        turned = [mul(num(c), t(a)) for c, a in zip(f.data, f.args, strict=True)]
        return add(*sorted(turned, key=lambda a: a.head == "t"))
    if f.head == "prod":
        bases = {t(b) if b.shape else b: e for b, e in _factors(f)}
        return _product(f.data[0], bases, (n, m))
    if f.head == "dot":
        return dot(*[t(a) for a in reversed(f.args)])
    if f.head == "grid":
        return grid([list(row) for row in zip(*entries(f), strict=True)])
    if f.head == "ind":
        return Formula("ind", (t(f.args[0]),), None, (n, m))
    if f.head == "cases":
        return cases(*[t(a) for a in (f.args[1], f.args[0], f.args[2])])
    if f.head == "call" and f.data[0] not in OPAQUE:
        return call(f.data[0], *[t(a) for a in f.args], details=f.data[1])
    return Formula("t", (f,), None, (n, m))


# calls that are not element by element
OPAQUE = frozenset(
    "item total mean unit argmax argmin argsort searchsorted max min prod_of cumsum "
    "recur correlate concat gather scatter slice pad reshape transpose broadcast sum "
    "matmul".split()
)


# ---- products ----


def _flat(f):
    """The factors of a matrix product."""
    if f.head == "dot":
        return list(f.args)
    if f.head == "t" and f.args[0].head == "dot":
        return [t(a) for a in reversed(f.args[0].args)]
    return [f]


def dot(*factors):
    """The product of matrices; scalars among the factors and in them come out."""
    scalars, chain = [], []
    for f in factors:
        if is_zero(f):
            m, n = sides(factors[0])[0], sides(factors[-1])[1]
            return zeros(matrix_shape(m, n))
        row = f.head == "t" and f.args[0].head == "prod"
        scalar, rest = split_scalars(f.args[0] if row else f)
        scalars.append(scalar)
        if f.shape and rest.head != "eye":
            chain += _flat(t(rest) if row else rest)
    if not chain:
        n = next((f.shape[0] for f in factors if f.shape), 1)
        return mul(*scalars, eye(n))
    chain = _merged(chain)
    for i, f in enumerate(chain):  # putting neighbours together may bring out more
        scalar, rest = split_scalars(t(f) if is_row(f.shape) else f)
        scalars.append(scalar)
        chain[i] = t(rest) if is_row(f.shape) else rest
    scalars += _inner_scalars(chain)
    return mul(*scalars, _chain(chain))


def _merged(chain):
    """`chain` with neighbours put together that have a simpler product."""
    i = 0
    while i + 1 < len(chain):
        pair = _pair(chain[i], chain[i + 1])
        if pair is None:
            i += 1
        else:
            chain[i : i + 2] = [pair]
            i = max(i - 1, 0)
    return chain


def _pair(a, b):
    """The product of `a` and `b` if it is simpler than the two, else None."""
    if not a.shape or not b.shape:
        return mul(a, b)
    if a.head == "diag":
        if b.shape[1] == 1:
            return mul(a.args[0], b)
        if b.head == "diag":
            return diag(mul(a.args[0], b.args[0]))
    if b.head == "diag" and a.shape[0] == 1:
        return t(mul(b.args[0], t(a)))
    if a.shape[0] == 1 and b.shape[1] == 1:
        if t(a).head == "ones":
            return total(b)
        if b.head == "ones":
            return total(t(a))
    if _is_written(a) or _is_written(b):
        rows, columns = entries(a), entries(b)
        if rows is not None and columns is not None:
            return grid(
                [
                    [
                        add(*map(mul, row, column))
                        for column in zip(*columns, strict=True)
                    ]
                    for row in rows
                ]
            )
    return None


def _is_written(f):
    return f.head == "grid" or (f.head == "t" and f.args[0].head == "grid")


def _inner_scalars(chain):
    """Takes products that are scalars out of a longer `chain`; returns them."""
    found = []
    i = 0
    while i < len(chain):
        if sides(chain[i])[0] == 1 and len(chain) > 1:
            for j in range(i, len(chain)):
                whole = i == 0 and j == len(chain) - 1
                if sides(chain[j])[1] == 1 and not whole:
                    found.append(_chain(chain[i : j + 1]))
                    del chain[i : j + 1]
                    i = -1
                    break
        i += 1
    return found


def _chain(chain):
    if not chain:
        return ONE
    if len(chain) == 1:
        return chain[0]
    shape = matrix_shape(sides(chain[0])[0], sides(chain[-1])[1])
    if is_row(shape):
        return Formula("t", (_chain([t(a) for a in reversed(chain)]),), None, shape)
    return Formula("dot", tuple(chain), None, shape)


def outer(a, b):
    """The matrix of all products of elements of the columns `a` and `b`."""
    return dot(a, t(b))
