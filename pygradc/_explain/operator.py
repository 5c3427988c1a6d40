"""The matrix of a formula that is linear in one symbol.

Reverse mode gives x̄ = Jᵀ v as a formula linear in the seed v. What multiplies v is Jᵀ:
found by walking to v and collecting the matrices met on the way. So Jacobians are read
off the engine's own rules, and none is stated a second time.
"""

import numpy as np

from pygradc._explain.evaluate import evaluate
from pygradc._explain.formula import (
    ONE,
    Formula,
    Mismatch,
    add,
    cases,
    contains,
    mul,
    num,
    ones,
    sym,
    zeros,
)
from pygradc._explain.matrix import (
    MOST_ENTRIES,
    diag,
    dot,
    entries,
    eye,
    grid,
    is_column,
    matrix_shape,
    sides,
    t,
    written_out,
)


def matrix_of(f, seed):
    """The matrix M of f = M · seed, or None if it is none that can be written.

    Parameters
    ----------
    f : Formula
        A scalar or column, linear in `seed`.
    seed : Formula
        A symbol, scalar or column.
    """
    try:
        return written_out(_matrix(f, seed)) if is_column(f) else None
    except (Mismatch, NotImplementedError):
        return None


def _matrix(f, v):
    rows, columns = sides(f)[0], sides(v)[0]
    if f == v:
        return eye(rows)
    if not contains(f, v.data):
        return zeros(matrix_shape(rows, columns))
    rule = _RULES.get(f.head)
    if rule is None:
        raise NotImplementedError
    return rule(f, v)


def _of_sum(f, v):
    parts = [mul(num(c), _matrix(a, v)) for c, a in zip(f.data, f.args, strict=True)]
    try:
        return add(*parts)
    except Mismatch:
        raise NotImplementedError from None


def _of_product(f, v):
    inside = [b for b in f.args if contains(b, v.data)]
    if len(inside) != 1 or f.data[1][f.args.index(inside[0])] != 1:
        raise NotImplementedError
    (own,) = inside
    others = [
        Formula("prod", (b,), (1, (e,)), b.shape) if e != 1 else b
        for b, e in zip(f.args, f.data[1], strict=True)
        if b is not own
    ]
    rest = mul(num(f.data[0]), *others)
    if not is_column(rest):
        raise NotImplementedError
    inner = _matrix(own, v)
    if not rest.shape:
        return mul(rest, inner)
    return dot(rest if not own.shape else diag(rest), inner)


def _of_dot(f, v):
    at = [i for i, a in enumerate(f.args) if contains(a, v.data)]
    if len(at) != 1:
        raise NotImplementedError
    (i,) = at
    left, right = f.args[:i], f.args[i + 1 :]
    if not right and is_column(f.args[i]):
        return dot(*left, _matrix(f.args[i], v))
    if not left and is_column(t(f.args[i])):
        turned = [t(a) for a in reversed(right)]
        return dot(*turned, _matrix(t(f.args[i]), v))
    raise NotImplementedError


def _of_transpose(f, v):
    raise NotImplementedError


def _of_grid(f, v):
    width = sides(v)[0]
    if f.shape[0] * width > MOST_ENTRIES:
        raise NotImplementedError
    rows = []
    for e in f.args:
        row = entries(_matrix(e, v))
        if row is None:
            raise NotImplementedError
        rows.append(row[0])
    return grid(rows)


def _of_call(f, v):
    name, details = f.data
    if name == "total":
        (x,) = f.args
        return dot(t(ones((sides(x)[0], 1))), _matrix(x, v))
    if name == "item" and sides(f.args[0])[1] == 1:
        inner = entries(_matrix(f.args[0], v))
        if inner is None:
            raise NotImplementedError
        return t(grid([[e] for e in inner[details[0]]]))
    if name in MOVES:
        return dot(_constant_matrix(f), _matrix(f.args[0], v))
    raise NotImplementedError


# calls that move or add up elements, whatever these are
MOVES = frozenset("slice pad cumsum reshape transpose broadcast sum".split())


def _constant_matrix(f):
    """The matrix of a call that moves or adds up the elements of a column."""
    (x,) = f.args
    rows, columns = sides(f)[0], sides(x)[0]
    if rows * columns > MOST_ENTRIES or not is_column(x):
        raise NotImplementedError
    moved = Formula("call", (sym("e", x.shape),), f.data, f.shape)
    basis = [evaluate(moved, {"e": e}) for e in np.eye(columns)]
    return grid([[num(float(b.ravel()[i])) for b in basis] for i in range(rows)])


def _of_cases(f, v):
    yes, condition, no = f.args
    if condition.shape:
        raise NotImplementedError
    return cases(condition, _matrix(yes, v), _matrix(no, v))


_RULES = {
    "sum": _of_sum,
    "prod": _of_product,
    "dot": _of_dot,
    "t": _of_transpose,
    "grid": _of_grid,
    "call": _of_call,
    "cases": _of_cases,
}


def kind_of(f):
    """What a Jacobian looks like: "scalar", "identity", "zero", "diagonal", "row",
    "column", "one-hot", "permutation" or "dense"."""
    if not f.shape:
        return "scalar"
    if f.head in ("eye", "zeros", "diag"):
        return {"eye": "identity", "zeros": "zero", "diag": "diagonal"}[f.head]
    inner = f.args[0] if f.head == "t" else f
    if inner.head == "call" and inner.data[0] == "unit":
        return "one-hot"
    if f.head == "prod" and len(f.shape) == 2:
        matrices = [b for b in f.args if b.shape]
        if len(matrices) == 1 and matrices[0].head in ("eye", "diag"):
            return "diagonal"
    rows = entries(f) if len(f.shape) == 2 else None
    if rows is not None:
        special = _kind_of_entries(rows)
        if special:
            return special
    return {True: "row"}.get(f.shape[0] == 1, "column" if f.shape[1] == 1 else "dense")


def _kind_of_entries(rows):
    m, n = len(rows), len(rows[0])
    zero, one = num(0), ONE
    if min(m, n) > 1 and m == n:
        off = [rows[i][j] for i in range(m) for j in range(n) if i != j]
        if all(e == zero for e in off):
            return "diagonal"
    if all(sorted(e == one for e in row)[:-1] == [False] * (n - 1) for row in rows):
        only = all(e in (zero, one) for row in rows for e in row)
        hot = [sum(e == one for e in row) for row in rows]
        if only and all(h == 1 for h in hot) and n > 1:
            used = {row.index(one) for row in rows}
            return "permutation" if m == n == len(used) else "one-hot"
    return None
