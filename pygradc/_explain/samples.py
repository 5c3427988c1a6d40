"""Matrix products as sums over samples: Xᵀe is Σ eᵢ xᵢ, over the rows xᵢ of X.

This is how Parr and Howard write the gradient of the loss: with eᵢ the error of sample
i, and only over the samples whose activation is positive.
"""

from pygradc._explain.formula import (
    Formula,
    add,
    call,
    is_one,
    mul,
    num,
    power,
    split_scalars,
    sym,
)
from pygradc._explain.layout import _in_front, box, op, row
from pygradc._explain.matrix import OPAQUE, dot, t
from pygradc._explain.template import ATOM, SUM, Box, paren
from pygradc._explain.tidy import tidy


class NoSample(Exception):
    """The formula has no element i that can be written."""


def in_sums(f):
    """Boxes of `f` as a sum over samples: one, or none if it is no such sum."""
    column = f.args[0] if f.head == "t" else f
    scalar, rest = _scalar_first(column)
    if rest.head == "call" and rest.data[0] == "total":
        elements, tail = rest.args[0], None
    elif rest.head == "dot" and len(rest.args) == 2 and _is_rows(rest.args[0]):
        elements, tail = rest.args[1], t(rest.args[0])
    else:
        return []
    if elements.shape[1:] != (1,) or elements.head == "sym":
        return []
    try:
        body, condition = _split_condition(_element(elements))
    except NoSample:
        return []
    if not any(b.head == "dot" for b in _walk(elements)):
        return []
    return [_sum_box(scalar, body, condition, tail)]


def _walk(f):
    yield f
    for a in f.args:
        yield from _walk(a)


def _scalar_first(f):
    if f.shape:
        return split_scalars(f)
    if f.head != "prod":
        return num(1), f
    inner = [b for b in f.args if b.head == "call" and b.data[0] == "total"]
    if len(inner) != 1:
        return num(1), f
    return tidy(mul(f, power(inner[0], -1))), inner[0]


def _is_rows(f):
    """Whether `f` is Xᵀ for a given X, whose rows are the samples."""
    x = f.args[0] if f.head == "t" else f
    return f.head == "t" and x.head == "sym" and x.data[0].isupper() and x.shape[1] > 1


def _element(f):
    """Element i of the column `f`, as a scalar formula."""
    if not f.shape:
        return f
    if f.head == "sym":
        return Formula("sym", data=f"{f.data}@i")
    if f.head == "ones":
        return num(1)
    if f.head == "sum":
        return add(
            *[mul(num(c), _element(a)) for c, a in zip(f.data, f.args, strict=True)]
        )
    if f.head == "prod":
        parts = zip(f.args, f.data[1], strict=True)
        return mul(num(f.data[0]), *[power(_element(a), e) for a, e in parts])
    if f.head == "ind":
        return Formula("ind", (_element(f.args[0]),))
    if f.head == "dot" and len(f.args) == 2 and f.args[0].head == "sym":
        matrix, w = f.args
        if w.shape[1:] == (1,) and matrix.shape[1] > 1 and matrix.data[0].isupper():
            return dot(t(w), sym(f"{_lower(matrix.data)}@i", w.shape))
    if f.head == "call" and f.data[0] not in OPAQUE and not f.data[1]:
        return call(f.data[0], *[_element(a) for a in f.args])
    raise NoSample


def _lower(name):
    return name[0].lower() + name[1:]


def _split_condition(f):
    """(f where it is not 0, the condition for that or None)."""
    if f.head != "prod":
        return f, None
    inds = [b for b in f.args if b.head == "ind"]
    if len(inds) != 1:
        return f, None
    condition = inds[0].args[0]
    rest = tidy(
        mul(
            *[
                power(b, e)
                for b, e in zip(f.args, f.data[1], strict=True)
                if b is not inds[0]
            ],
            num(f.data[0]),
        )
    )
    rest = tidy(_where(rest, condition))
    if rest.head == "sum":  # w·x + b − y, as the article has it
        pairs = sorted(zip(rest.args, rest.data, strict=True), key=lambda p: p[1] < 0)
        args, coefficients = zip(*pairs, strict=True)
        rest = Formula("sum", args, coefficients, rest.shape)
    return rest, condition


def _where(f, condition):
    """`f` where `condition`, z > 0, holds: there max(0, z) is z."""
    from pygradc._explain.tidy import rebuilt

    if f.head == "call" and condition.head == "call" and condition.data[0] == "gt":
        z, bound = condition.args
        if f.data[0] in ("relu", "maximum") and z in f.args:
            others = [a for a in f.args if a != z]
            if f.data[0] == "relu" or others == [bound]:
                return z
    return rebuilt(f, [_where(a, condition) for a in f.args]) if f.args else f


def _sum_box(scalar, body, condition, tail):
    """(2/N)·Σ eᵢ xᵢᵀ."""
    parts = []
    if not is_one(scalar):
        front = box(scalar)
        parts += [_in_front(front), op("·")]
    under = Box("name", ("i", False), ATOM)
    if condition is not None:
        under = row(under, op(": "), box(condition))
    inner = box(body)
    if inner.binds <= SUM:
        inner = paren(inner)
    inside = [inner]
    if tail is not None:
        x = sym(f"{_lower(tail.data)}@i", (tail.shape[1], 1))
        inside += [op("·"), box(t(x))]
    parts.append(Box("bigsum", (under, row(*inside)), SUM))
    return row(*parts)
