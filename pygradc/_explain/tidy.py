"""What a person would write: common factors, signs, sums of matrix products.

The constructors already keep formulas in normal form; the steps here are matters of
taste, or leave out what only matters where a formula has no value (x/r · [r ≠ 0]), so
callers compare the result with the engine's numbers before they show it.
"""

from pygradc._explain.formula import (
    Formula,
    _product,
    add,
    call,
    cases,
    guarded,
    ind,
    is_one,
    item,
    mul,
    num,
    ones,
    power,
    split_scalars,
    total,
)
from pygradc._explain.matrix import OPAQUE, diag, dot, grid, t, written_out


def rebuilt(f, args):
    """`f` with other arguments, in normal form."""
    if all(a is b for a, b in zip(f.args, args, strict=True)):
        return f
    return _REBUILD[f.head](f, args)


def _rebuilt_call(f, args):
    name, details = f.data
    if name == "item":
        return item(args[0], details)
    if name == "total":
        return total(args[0])
    if name == "pow" and args[1].head == "num":
        return power(args[0], args[1].data)
    if name in OPAQUE or name in ("mean", "diagonal"):
        return Formula("call", tuple(args), f.data, f.shape)
    return call(name, *args, details=details)


_REBUILD = {
    "sum": lambda f, args: add(
        *[mul(num(c), a) for c, a in zip(f.data, args, strict=True)]
    ),
    "prod": lambda f, args: mul(
        num(f.data[0]),
        *[power(a, e) for a, e in zip(args, f.data[1], strict=True)],
    ),
    "call": _rebuilt_call,
    "dot": lambda f, args: dot(*args),
    "t": lambda f, args: t(args[0]),
    "diag": lambda f, args: diag(args[0]),
    "grid": lambda f, args: grid(
        [args[i * f.data[1] : (i + 1) * f.data[1]] for i in range(f.data[0])]
    ),
    "cases": lambda f, args: cases(args[1], args[0], args[2]),
    "ind": lambda f, args: ind(args[0]),
}


def substitute(f, meanings):
    """`f` with symbols replaced: `meanings` maps names to formulas."""
    known = {}

    def walk(g):
        if g.head == "sym":
            return meanings.get(g.data, g)
        if g not in known:
            known[g] = rebuilt(g, [walk(a) for a in g.args]) if g.args else g
        return known[g]

    return walk(f)


def tidy(f):
    """`f` as a person would write it."""
    known = {}

    def walk(g):
        if not g.args:
            return g
        if g not in known:
            h = rebuilt(g, [walk(a) for a in g.args])
            known[g] = _TIDY.get(h.head, lambda h: h)(h)
        return known[g]

    return walk(f)


def _tidy_sum(f):
    f = _common_ends(_common_factors(_diagonals(written_out(f))))
    if f.head != "sum" or not any(a.head == "t" for a in f.args):
        return f
    pairs = sorted(zip(f.args, f.data, strict=True), key=lambda p: p[0].head == "t")
    args, coefficients = zip(*pairs, strict=True)
    return Formula("sum", args, coefficients, f.shape)


def _diagonals(f):
    """A sum of diagonal matrices is one."""
    if f.head != "sum" or len(f.shape) != 2:
        return f
    if any(a.head not in ("diag", "eye") for a in f.args):
        return f
    column = (f.shape[0], 1)
    parts = [a.args[0] if a.args else ones(column) for a in f.args]
    return diag(add(*[mul(num(c), p) for c, p in zip(f.data, parts, strict=True)]))


def _common_factors(f):
    """cos(u) + 2x·cos(u) is cos(u)·(1 + 2x); powers of x are not taken out."""
    if f.head != "sum":
        return f
    terms = [dict(zip(*_bases(a), strict=True)) for a in f.args]
    common = {}
    for base in terms[0]:
        if base.head == "sym" or (base.head == "call" and base.data[0] == "item"):
            continue
        least = min((t_.get(base, 0) for t_ in terms), default=0)
        most = max((t_.get(base, 0) for t_ in terms), default=0)
        take = least if least > 0 else most if most < 0 else 0
        if take and base.shape in ((), f.shape):
            common[base] = take
    if not common:
        return f
    rest = []
    for coefficient, own in zip(f.data, terms, strict=True):
        left = {b: e - common.get(b, 0) for b, e in own.items()}
        rest.append(_product(coefficient, left, f.shape if _has_shape(left) else ()))
    inner = add(*rest)
    return mul(_product(1, common, f.shape if _has_shape(common) else ()), inner)


def _has_shape(bases):
    return any(b.shape for b, e in bases.items() if e)


def _bases(f):
    if f.head == "prod":
        return f.args, f.data[1]
    return ((), ()) if is_one(f) else ((f,), (1,))


def _common_ends(f):
    """Ax + Aᵀx is (A + Aᵀ)x, xᵀA + xᵀB is xᵀ(A + B)."""
    if f.head != "sum" or len(f.args) > 8:
        return f
    for end in (-1, 0):
        groups = {}
        for coefficient, a in zip(f.data, f.args, strict=True):
            scalar, rest = _scalar_and_dot(a)
            key = rest.args[end] if rest.head == "dot" else None
            groups.setdefault(key, []).append((coefficient, scalar, rest))
        if all(k is None or len(g) == 1 for k, g in groups.items()):
            continue
        terms = []
        for key, group in groups.items():
            parts = [
                mul(num(c), s, dot(*_without(r, end)) if key is not None else r)
                for c, s, r in group
            ]
            if key is None or len(group) == 1:
                terms += [mul(num(c), s, r) for c, s, r in group]
            else:
                whole = _tidy_sum(add(*parts))
                terms.append(dot(whole, key) if end else dot(key, whole))
        return add(*terms)
    return f


def _without(f, end):
    return f.args[:-1] if end else f.args[1:]


def _scalar_and_dot(f):
    if f.head != "prod":
        return num(1), f
    return split_scalars(f) if f.shape else (num(1), f)


def _tidy_product(f):
    f = written_out(f)
    f = _without_guards(f) if f.head == "prod" else f
    if f.head != "prod":
        return f
    return _in_diagonal(_flipped(f))


def _in_diagonal(f):
    """2 · diag(x) is diag(2x)."""
    arrays = [b for b in f.args if b.shape] if f.head == "prod" else []
    if len(arrays) != 1 or arrays[0].head != "diag":
        return f
    scalar, _ = split_scalars(f)
    return Formula("diag", (mul(scalar, arrays[0].args[0]),), None, f.shape)


def _without_guards(f):
    """x/r · [r ≠ 0] is x/r wherever that has a value."""
    bases = dict(zip(f.args, f.data[1], strict=True))
    for base in list(bases):
        r = guarded(base)
        if r is None:
            continue
        own = dict(zip(*_bases(r), strict=True))
        if any(bases.get(b, 0) < 0 for b in own):
            del bases[base]
    return f if len(bases) == len(f.args) else _product(f.data[0], bases, f.shape)


def _flipped(f):
    """−(a − b) is b − a, also inside the matrices of the product."""
    if f.data[0] >= 0:
        return f
    args = list(f.args)
    for i, (a, e) in enumerate(zip(args, f.data[1], strict=True)):
        turned = _turned(a) if e == 1 else None
        if turned is not None:
            args[i] = turned
            bases = list(zip(args, f.data[1], strict=True))
            return mul(num(-f.data[0]), *[power(b, k) for b, k in bases])
    return f


def _turned(f):
    """−f, if that is a difference with its sides exchanged, else None."""
    if f.head == "sum":
        if any(c < 0 for c in f.data) and any(c > 0 for c in f.data):
            return _negative(f)
        return None
    if f.head in ("dot", "t", "diag", "prod") or _is_total(f):
        for i, a in enumerate(f.args):
            if f.head == "prod" and f.data[1][i] != 1:
                continue
            turned = _turned(a)
            if turned is not None:
                return rebuilt(f, [*f.args[:i], turned, *f.args[i + 1 :]])
    return None


def _negative(f):
    return Formula("sum", f.args, tuple(-c for c in f.data), f.shape)


def _is_total(f):
    return f.head == "call" and f.data[0] == "total"


_TIDY = {"sum": _tidy_sum, "prod": _tidy_product}
