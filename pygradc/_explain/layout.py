"""How a formula is set: order of factors, fractions, brackets, decided once.

`box` turns a formula into boxes (rows, fractions, superscripts, ...) that the text,
LaTeX and MathML printers only spell. Brackets follow from how tightly things bind:
RELATION < SUM < PRODUCT < POWER < ATOM.
"""

import math
import re
from collections import namedtuple
from fractions import Fraction

from pygradc._explain import template
from pygradc._explain.formula import (
    ONE,
    _product,
    is_one,
    split_scalars,
)
from pygradc._explain.matrix import entries, t
from pygradc._explain.template import ATOM, POWER, PRODUCT, RELATION, SUM, Box, paren

__all__ = ["ATOM", "POWER", "PRODUCT", "RELATION", "SUM", "Box", "box", "paren"]

# floats that have a name
_FAMOUS = (
    (math.pi, "π"),
    (math.log(2), "ln 2"),
    (math.log(10), "ln 10"),
    (math.sqrt(2), "√2"),
    (math.e, "e"),
    (math.sqrt(math.pi), "√π"),
    (math.sqrt(2 * math.pi), "√(2π)"),
)


def row(*parts, binds=PRODUCT):
    return Box("row", tuple(parts), binds)


def op(sign, spaced=False):
    return Box("op", (sign, spaced), ATOM)


def number(value):
    """Box of a number that is not negative."""
    if isinstance(value, Fraction):
        if value.denominator == 1:
            return Box("number", (str(value.numerator),), ATOM)
        top, bottom = (number(Fraction(n)) for n in value.as_integer_ratio())
        return Box("frac", (top, bottom), PRODUCT)
    if value != value or value == math.inf:
        return Box("name", ("NaN" if value != value else "∞", False), ATOM)
    for constant, name in _FAMOUS:
        for part, inverse in ((value / constant, False), (1 / value / constant, True)):
            ratio = Fraction(part).limit_denominator(180)
            if 0 < ratio.numerator < 100 and abs(float(ratio) / part - 1) < 4e-16:
                shown = _famous(ratio, name)
                one = Box("number", ("1",), ATOM)
                return Box("frac", (one, shown), PRODUCT) if inverse else shown
    digits, _, exponent = repr(value).partition("e")
    if not exponent:
        return Box("number", (digits,), ATOM)
    power = Box("sup", (_plain("10"), _plain(str(int(exponent)))), POWER)
    return row(_plain(digits), op("·"), power) if digits != "1.0" else power


def _plain(digits):
    if digits.startswith("-"):
        return row(op("−"), _plain(digits[1:]), binds=SUM)
    return Box("number", (digits,), ATOM)


def _famous(ratio, name):
    constant = Box("constant", (name,), ATOM)
    top, bottom = ratio.as_integer_ratio()
    parts = constant if top == 1 else row(_plain(str(top)), constant)
    return parts if bottom == 1 else Box("frac", (parts, _plain(str(bottom))), PRODUCT)


def box(f):
    """The box of formula `f`."""
    return _BOXES[f.head](f)


def bound(f, least):
    """The box of `f`, in brackets if it binds less than `least`."""
    inner = box(f)
    return inner if inner.binds >= least else paren(inner)


# ---- sums ----


def _sum_box(f):
    terms = list(zip(f.data, f.args, strict=True))
    if terms[0][0] < 0:  # something positive first, if there is any
        at = next((i for i, (c, _) in enumerate(terms) if c > 0), 0)
        terms.insert(0, terms.pop(at))
    parts = []
    for i, (coefficient, unit) in enumerate(terms):
        bare = unit.args[0] if _is_spread(unit) else unit
        bare = ONE if unit.head == "ones" else bare
        if coefficient < 0:
            parts.append(op("−", i > 0))
        elif i:
            parts.append(op("+", True))
        size = abs(coefficient)
        term = bare if size == 1 else _product(size, *_bases(bare))
        parts.append(bound(term, PRODUCT))
    return row(*parts, binds=SUM)


def _is_spread(unit):
    """Whether `unit` is a scalar spread over a vector: b · 1, which is written b."""
    return (
        unit.head == "prod"
        and unit.data == (1, (1, 1))
        and unit.args[1].head == "ones"
        and not unit.args[0].shape
    )


def _bases(f):
    if f.head == "prod":
        return dict(zip(f.args, f.data[1], strict=True)), f.shape
    if f.head == "num":
        return ({} if is_one(f) else {f: 1}), ()
    return {f: 1}, f.shape


# ---- products ----

_RANK = {"num": 0, "sym": 1, "call": 3, "cases": 4, "sum": 5, "ind": 6}


def _rank(factor):
    base, _ = factor
    if base.head == "call" and base.data[0] == "item":
        return 1
    if base.head == "call" and base.data[0] in ("total", "mean"):
        return 2
    return _RANK.get(base.head, 3)


def _sign_and_size(coefficient):
    return ([op("−")] if coefficient < 0 else []), abs(coefficient)


def _product_box(f):
    coefficient, exponents = f.data
    factors = sorted(zip(f.args, exponents, strict=True), key=_rank)
    sign, size = _sign_and_size(coefficient)
    scalars = [(b, e) for b, e in factors if not b.shape]
    arrays = [(b, e) for b, e in factors if b.shape]
    arrays = [a for a in arrays if a[0].head != "ones"] or arrays
    if scalars and arrays and not _is_plain(arrays):
        front = _in_front(_fraction(size, scalars))
        parts = [*sign, front, op("·"), _fraction(1, arrays)]
        return row(*parts)
    if arrays and not isinstance(size, float) and size.denominator > 1:
        if not _is_plain(arrays):
            front = _in_front(number(size))
            return row(*sign, front, op("·"), _fraction(1, scalars + arrays))
    long = [a for a in scalars if _is_long(a)]
    short = [a for a in scalars if not _is_long(a)]
    front = _fraction(size, short)
    if long and not arrays and front.kind == "frac":
        return row(*sign, _in_front(front), op("·"), _fraction(1, long))
    body = _fraction(size, scalars + arrays)
    return row(*sign, body) if sign else body


def _is_long(factor):
    """Whether a scalar factor stands behind a fraction rather than on top of it."""
    base, e = factor
    inner = base.head == "call" and base.data[0] in ("total", "mean")
    return e == 1 and (inner or base.head in ("dot", "ind", "cases"))


def _in_front(front):
    """A scalar before an array; on one line a fraction needs brackets there."""
    if front.kind == "frac":
        return Box("group", (front,), ATOM)
    return front if front.binds >= PRODUCT else paren(front)


def _is_plain(arrays):
    """Whether one fraction line may stand under all of these."""
    return len(arrays) == 1 and arrays[0][0].head in ("sym", "call", "sum")


def _fraction(size, factors):
    """A positive number times powers, as a fraction if there are negative ones."""
    top = [(b, e) for b, e in factors if e > 0]
    bottom = [(b, -e) for b, e in factors if e < 0]
    if isinstance(size, float):
        over, under = size, 1
    else:
        over, under = Fraction(size).as_integer_ratio()
        over, under = Fraction(over), Fraction(under)
    if not bottom and under == 1:
        return _times(over, top)
    numerator, denominator = _times(over, top), _times(under, bottom)
    return Box("frac", (numerator, denominator), PRODUCT)


def _times(size, factors):
    """A positive number times powers with positive exponents, on one line."""
    if not factors:
        return number(size)
    boxes = [(_power_box(b, e), b, e) for b, e in factors]
    if size == 1 and len(boxes) == 1:
        return boxes[0][0]
    parts = [] if size == 1 else [_in_front(number(size))]
    before = None if size == 1 else "number"
    n_arrays = sum(1 for b, _ in factors if b.shape)
    for inner, base, _ in boxes:
        if before is not None:
            parts.append(_between(before, base, inner))
        alone = base.head == "dot" and (not base.shape or n_arrays == 1)
        tight = inner.binds > PRODUCT or (inner.kind == "row" and alone)
        parts.append(inner if tight else paren(inner))
        before = base
    return row(*parts)


def _between(before, base, inner):
    """The sign between two factors."""
    if before == "number":
        power = inner.kind == "sup" and not _is_exponential(base)
        close = base.head == "sym" or power or inner.binds < PRODUCT
        close = close or (base.head == "call" and base.data[0] == "item")
        return op("") if close and inner.kind != "number" else op("·")
    if before.shape and base.shape:
        return op("⊗", True)
    return op("·")


def _is_exponential(base):
    return base.head == "call" and base.data[0] in ("exp", "exp2", "pow")


def _power_box(base, exponent):
    if exponent == 1:
        return box(base)
    if exponent == Fraction(1, 2):
        return Box("sqrt", (box(base),), ATOM)
    if base.head == "call" and base.data[0] == "exp":
        return template.fill("exp", [box(_product(exponent, *_bases(base.args[0])))])
    sign, size = _sign_and_size(exponent)
    raised = row(*sign, number(size)) if sign else number(size)
    inner = bound(base, ATOM)
    if inner.kind in ("sup", "column"):
        inner = paren(inner)
    return Box("sup", (inner, raised), POWER)


# ---- matrices ----


def _dot_box(f):
    factors = f.args
    if len(factors) == 2 and not f.shape and factors[0].head == "t":
        left, right = factors[0].args[0], factors[1]
        return row(_in_product(left), op("·"), _in_product(right))
    parts = []
    for i, a in enumerate(factors):
        if i:
            parts.append(op("", "thin"))
        parts.append(_in_product(a))
    return row(*parts)


def _in_product(f):
    inner = box(f)
    return inner if inner.binds > PRODUCT else paren(inner)


def _transpose_box(f):
    (x,) = f.args
    if x.head == "prod":
        scalar, rest = split_scalars(x)
        if not is_one(scalar):
            return _product_box_of(scalar, t(rest))
    if x.head == "dot":
        parts = []
        for i, a in enumerate(reversed(x.args)):
            if i:
                parts.append(op("", "thin"))
            parts.append(_in_product(t(a)))
        return row(*parts)
    if x.head == "grid":
        return Box("grid", tuple(tuple(box(e) for e in r) for r in entries(f)), ATOM)
    inner = bound(x, ATOM)
    if inner.kind == "sup":
        inner = paren(inner)
    return Box("sup", (inner, Box("transpose", (), ATOM)), POWER)


def _product_box_of(scalar, rest):
    """scalar · rest, where rest is a row."""
    number_, scalar = _split(scalar)
    sign, size = _sign_and_size(number_)
    front = _fraction(size, list(zip(*_lists(scalar), strict=True)))
    inner = _in_product(rest) if rest.args[0].head != "dot" else box(rest)
    if front.kind == "number":
        plain = rest.args[0].head in ("sym", "diag") or inner.binds == ATOM
        return row(*sign, front, op("" if plain else "·"), inner)
    return row(*sign, _in_front(front), op("·"), inner)


def _split(scalar):
    if scalar.head == "num":
        return scalar.data, ONE
    if scalar.head == "prod":
        return scalar.data[0], _product(1, *_bases(scalar))
    return Fraction(1), scalar


def _lists(f):
    bases, _ = _bases(f)
    ranked = sorted(bases.items(), key=_rank)
    return [b for b, _ in ranked], [e for _, e in ranked]


def _grid_box(f):
    rows = tuple(tuple(box(e) for e in r) for r in entries(f))
    if f.data[1] == 1:
        return Box("column", tuple(r[0] for r in rows), ATOM)
    return Box("grid", rows, ATOM)


# ---- names and functions ----


def _call_box(f):
    name, details = f.data
    args = [box(a) for a in f.args]
    if name == "item":
        index = ",".join(str(i + 1) for i in details)
        return Box("sub", (bound(f.args[0], ATOM), _plain(index)), ATOM)
    if name == "total" and f.args[0].head == "call":
        if f.args[0].data[0] == "diagonal":
            return template.function("trace", [box(f.args[0].args[0])])
    if name == "slice":
        return _slice_box(f)
    if name in ("total", "mean", "sum", "prod_of", "diagonal", "max", "min"):
        shown = {"total": "sum", "prod_of": "prod", "diagonal": "diagonal"}
        return template.function(shown.get(name, name), args)
    if name == "unit":
        index = Box("number", (str(details[1] + 1),), ATOM)
        return Box("sub", (Box("bold", ("e",), ATOM), index), ATOM)
    if details:
        return template.function(name, args)
    return template.fill(name, args)


def _slice_box(f):
    n = len(f.data[1][0][0])
    attrs = f.data[1][2]
    spans = []
    for begin, step, size in zip(
        attrs[:n], attrs[n : 2 * n], attrs[2 * n :], strict=True
    ):
        end = begin + step * size
        tail = "" if step == 1 else f":{step}"
        spans.append(f"{begin}:{end if end >= 0 else ''}{tail}")
    index = Box("code", (", ".join(spans),), ATOM)
    return Box("index", (bound(f.args[0], ATOM), index), ATOM)


def _cases_box(f):
    branches = []
    while f.head == "cases":
        yes, condition, no = f.args
        branches.append((box(yes), box(condition)))
        f = no
    branches.append((box(f), None))
    return Box("cases", tuple(branches), SUM)


def _number_box(f):
    if f.data < 0:
        return row(op("−"), number(-f.data), binds=SUM)
    return number(f.data)


Name = namedtuple("Name", "letters index accent")
_NAME = re.compile(r"([A-Za-z]+?)_?(\d+)?(?:_(hat|bar|tilde))?")


def name_parts(name):
    """A variable's name as letters, index and accent: "w_hat", "u12", "alpha"."""
    match = _NAME.fullmatch(name)
    return Name(*match.groups()) if match else Name(name, None, None)


def _symbol_box(f):
    return Box("name", (f.data, len(f.shape) == 2 and f.shape[1] == 1), ATOM)


def _zeros_box(f):
    zero = Box("bold", ("0",), ATOM)
    if f.shape[0] == 1:
        return Box("sup", (zero, Box("transpose", (), ATOM)), POWER)
    return zero


_BOXES = {
    "num": _number_box,
    "sym": _symbol_box,
    "sum": _sum_box,
    "prod": _product_box,
    "dot": _dot_box,
    "t": _transpose_box,
    "diag": lambda f: template.function("diag", [box(f.args[0])]),
    "ones": lambda f: Box("bold", ("1",), ATOM),
    "zeros": _zeros_box,
    "eye": lambda f: Box("bold", ("I",), ATOM),
    "grid": _grid_box,
    "cases": _cases_box,
    "call": _call_box,
    "ind": lambda f: Box("fence", ("[", box(f.args[0]), "]"), ATOM),
}
