"""Formulas: numbers, symbols, sums, products, powers and functions, in normal form.

A formula is immutable and knows its shape: () for a scalar, (n, 1) for a vector, which
is a column, (m, n) for a matrix, and the shape itself from three axes on. The functions
here put formulas together and keep them simple as they do: like terms are collected,
powers of one base are merged, zeros and ones vanish. Numbers are exact (Fraction) where
they can be. Products here are element by element; those of matrices are in `matrix`.
"""

from fractions import Fraction

MOST_SYMBOLS = 4000  # a formula that would become larger raises TooLarge


class TooLarge(Exception):
    """A formula grew beyond what anybody reads; callers keep intermediate names."""


class Mismatch(Exception):
    """Shapes that this algebra does not combine; callers fall back to plain calls."""


class Formula:
    """A node of a formula.

    Attributes
    ----------
    head : str
        "num", "sym", "sum", "prod", "call", "dot", "t", "diag", "ones", "zeros", "eye",
        "grid", "cases" or "ind".
    args : tuple of Formula
    data
        What else makes the formula: the number, the name, the coefficients of a sum,
        (coefficient, exponents) of a product, (name, details) of a call.
    shape : tuple of int
    size : int
        Symbols in the formula when written out.
    """

    __slots__ = ("head", "args", "data", "shape", "size", "_key", "_hash")

    def __init__(self, head, args=(), data=None, shape=()):
        self.head, self.args, self.data, self.shape = head, args, data, shape
        self.size = 1 + sum([a.size for a in args])
        if self.size > MOST_SYMBOLS:
            raise TooLarge
        if head == "sum":
            self._key = frozenset(zip(args, data, strict=True))
        elif head == "prod":
            self._key = data[0], frozenset(zip(args, data[1], strict=True))
        else:
            self._key = args, data
        self._hash = hash((head, shape, self._key))

    def __hash__(self):
        return self._hash

    def __eq__(self, other):
        if self is other:
            return True
        return (
            isinstance(other, Formula)
            and self._hash == other._hash
            and self.head == other.head
            and self.shape == other.shape
            and self._key == other._key
        )

    def __repr__(self):
        from pygradc._explain.text import inline

        return inline(self)


# ---- atoms ----


def num(value):
    """A number; a float becomes exact if it is a short binary fraction."""
    if isinstance(value, float):
        if value == value and abs(value) < 2**40 and value * 64 == int(value * 64):
            value = Fraction(value)
    elif not isinstance(value, Fraction):
        value = Fraction(value)
    return Formula("num", data=value)


ZERO, ONE = num(0), num(1)


def sym(name, shape=()):
    """A named quantity."""
    return Formula("sym", data=name, shape=shape)


def ones(shape):
    """All ones; the number 1 if `shape` is ()."""
    return Formula("ones", shape=shape) if shape else ONE


def zeros(shape):
    """All zeros; the number 0 if `shape` is ()."""
    return Formula("zeros", shape=shape) if shape else ZERO


def is_zero(f):
    return f.head == "zeros" or (f.head == "num" and f.data == 0)


def is_one(f):
    return f.head == "num" and f.data == 1


def joint(formulas):
    """The shape that all of `formulas` have, scalars aside.

    Raises
    ------
    Mismatch
        They have different ones.
    """
    shape = ()
    for f in formulas:
        if f.shape and f.shape != shape:
            if shape:
                raise Mismatch
            shape = f.shape
    return shape


def is_row(shape):
    """Whether `shape` is that of a row; rows are kept as transposed columns."""
    return len(shape) == 2 and shape[0] == 1 and shape[1] > 1


def _as_columns(build, formulas):
    """The row that is `build` of rows, as the transpose of `build` of columns."""
    from pygradc._explain.matrix import t

    return t(build([t(f) if f.shape else f for f in formulas]))


# ---- sums ----


def _terms(f):
    """Pairs (coefficient, rest) that add up to `f`."""
    if f.head == "sum":
        return list(zip(f.data, f.args, strict=True))
    if f.head == "num":
        return [(f.data, ONE)]
    if f.head != "prod" or f.data[0] == 1:
        return [(1, f)]
    coefficient, rest = f.data[0], _product(1, dict(_factors(f)), f.shape)
    if coefficient == -1 and rest.head == "sum":
        return [(-c, u) for c, u in _terms(rest)]
    return [(coefficient, rest)]


def add(*formulas):
    """The sum; like terms are collected, in the order in which they first come."""
    shape = joint(formulas)
    if is_row(shape):
        return _as_columns(lambda fs: add(*fs), formulas)
    total = {}
    for f in formulas:
        if is_zero(f):
            continue
        for coefficient, unit in _terms(f):
            if shape and not unit.shape:
                unit = mul(unit, ones(shape))
            total[unit] = total.get(unit, 0) + coefficient
    total = {u: c for u, c in total.items() if c != 0}
    if not total:
        return zeros(shape)
    if len(total) == 1:
        ((unit, coefficient),) = total.items()
        return scale(coefficient, unit)
    return Formula("sum", tuple(total), tuple(total.values()), shape)


def sub(a, b):
    return add(a, scale(-1, b))


def scale(number, f):
    """`f` times a number."""
    return f if number == 1 else mul(num(number), f)


# ---- products and powers ----


def _factors(f):
    """Pairs (base, exponent), without the number, of a product."""
    return zip(f.args, f.data[1], strict=True)


def mul(*formulas):
    """The product element by element; powers of one base are merged."""
    shape = joint(formulas)
    if is_row(shape):
        return _as_columns(lambda fs: mul(*fs), formulas)
    coefficient, bases = Fraction(1), {}
    for f in formulas:
        if is_zero(f):
            return zeros(shape)
        if f.head == "num":
            coefficient *= f.data
        elif f.head == "prod":
            coefficient *= f.data[0]
            for base, exponent in _factors(f):
                bases[base] = bases.get(base, 0) + exponent
        elif f.head != "ones":
            bases[f] = 1 if f.head == "ind" else bases.get(f, 0) + 1
    return _product(coefficient, bases, shape)


def _product(coefficient, bases, shape):
    """The product of a number and powers, a dict from base to exponent."""
    kept = {}
    for base, exponent in bases.items():
        if exponent == 0 or _is_guard(base, bases):
            continue
        if base.head == "ind":
            exponent = 1
        if base.head == "num" and exponent == int(exponent):
            coefficient *= base.data ** int(exponent)
        else:
            kept[base] = exponent
    if isinstance(coefficient, float):
        coefficient = num(coefficient).data
    if coefficient == 0:
        return zeros(shape)
    if shape and not any(b.shape for b in kept):
        kept[ones(shape)] = 1
    if not kept:
        return num(coefficient)
    if coefficient == 1 and len(kept) == 1:
        ((base, exponent),) = kept.items()
        if exponent == 1:
            return base
    return Formula("prod", tuple(kept), (coefficient, tuple(kept.values())), shape)


def guarded(base):
    """r if `base` is [r ≠ 0], else None."""
    if base.head == "ind" and base.args[0].head == "call":
        asked = base.args[0]
        if asked.data[0] == "ne" and is_zero(asked.args[1]):
            return asked.args[0]
    return None


def _is_guard(base, bases):
    """Whether `base` is [r ≠ 0] beside r itself, which is 0 there anyway."""
    r = guarded(base)
    if r is None:
        return False
    own = dict(zip(r.args, r.data[1], strict=True)) if r.head == "prod" else {r: 1}
    return any(e > 0 and bases.get(b, 0) > 0 for b, e in own.items())


def power(base, exponent):
    """`base` to a number, element by element."""
    exponent = num(exponent).data
    if exponent == 1:
        return base
    if exponent == 0:
        return ones(base.shape)
    if is_row(base.shape):
        return _as_columns(lambda fs: power(fs[0], exponent), [base])
    whole = exponent == int(exponent)
    if base.head in ("ind", "ones") and exponent > 0:
        return base
    if base.head == "prod" and whole:
        coefficient = base.data[0]
        if coefficient == 0 and exponent < 0:
            raise Mismatch
        bases = {b: e * exponent for b, e in _factors(base)}
        return _product(coefficient ** int(exponent), bases, base.shape)
    if base.head == "num" and (base.data == 1 or (whole and base.data != 0)):
        return num(base.data ** int(exponent))
    return _product(Fraction(1), {base: exponent}, base.shape)


def divide(a, b):
    return mul(a, power(b, -1))


def split_scalars(f):
    """(scalar formula, rest) whose product is `f`; rest has the shape of `f`."""
    if not f.shape:
        return f, ONE
    if f.head != "prod":
        return ONE, f
    scalar, rest = {}, {}
    for base, exponent in _factors(f):
        (rest if base.shape else scalar)[base] = exponent
    return _product(f.data[0], scalar, ()), _product(1, rest, f.shape)


# ---- functions, conditions, cases ----

# what is asked when a test is turned round
OPPOSITE = {"gt": "le", "le": "gt", "lt": "ge", "ge": "lt", "eq": "ne", "ne": "eq"}
# where a function passes its operand on, a test of it against the bound asks that
_BOUNDED = {"relu": ("gt", 0), "maximum": ("gt", 1), "minimum": ("lt", 1)}


def call(name, *args, details=(), shape=None):
    """A function by the name of its op; element by element if `shape` is left out."""
    if shape is not None:
        return Formula("call", args, (name, details), shape)
    shape = joint(args)
    if is_row(shape):
        return _as_columns(lambda fs: call(name, *fs, details=details), args)
    if name in ("gt", "lt") and args[0].head == "call":
        inner = args[0].data[0]
        if inner == "relu" and name == "gt" and is_zero(args[1]):
            return call("gt", args[0].args[0], args[1])
        if inner in ("maximum", "minimum"):
            others = list(args[0].args)
            for bound in others:  # max(x, a) < b asks x < b if a < b
                if _within(inner, name, bound, args[1]):
                    others.remove(bound)
                    return call(name, others[0], args[1])
        if inner in ("maximum", "minimum") and _BOUNDED[inner][0] == name:
            others = list(args[0].args)
            if args[1] in others:
                others.remove(args[1])
                return call(name, others[0], args[1])
    return Formula("call", args, (name, details), shape)


def _within(inner, name, bound, other):
    if bound.head != "num" or other.head != "num":
        return False
    if inner == "maximum":
        return name == "lt" and bound.data < other.data
    return name == "gt" and bound.data > other.data


def negated(condition):
    """The condition that holds where `condition` does not."""
    if condition.head == "call":
        name = condition.data[0]
        if name in OPPOSITE:
            return call(OPPOSITE[name], *condition.args)
        if name == "logical_not":
            return condition.args[0]
    return call("logical_not", condition)


def ind(condition):
    """1 where `condition` holds, else 0."""
    return Formula("ind", (condition,), None, condition.shape)


def cases(condition, yes, no):
    """`yes` where `condition` holds, else `no`; a product with an indicator if one of
    them is 0."""
    if yes == no:
        return yes
    if is_zero(no):
        return mul(ind(condition), yes)
    if is_zero(yes):
        return mul(ind(negated(condition)), no)
    shape = joint((condition, yes, no))
    if is_row(shape):
        return _as_columns(lambda fs: cases(*fs), (condition, yes, no))
    return Formula("cases", (yes, condition, no), None, shape)


def item(x, index):
    """The element of `x` at `index`, a tuple of ints counted from 0."""
    if x.head == "grid":
        columns = x.data[1]
        flat = index[0] if len(index) == 1 else index[0] * columns + index[1]
        return x.args[flat]
    return Formula("call", (x,), ("item", index), ())


def total(x):
    """The sum of all elements."""
    if not x.shape:
        return x
    if x.head == "t":
        return total(x.args[0])
    if x.head == "zeros":
        return ZERO
    if x.head == "ones":
        n = 1
        for d in x.shape:
            n *= d
        return num(n)
    scalar, rest = split_scalars(x)
    if is_one(scalar):
        return Formula("call", (x,), ("total", ()), ())
    return mul(scalar, total(rest))


# ---- walking ----


def symbols(f, found=None):
    """Names in `f`, in the order in which they come."""
    found = {} if found is None else found
    if f.head == "sym":
        found.setdefault(f.data, f)
    for a in f.args:
        symbols(a, found)
    return found


def contains(f, name):
    return f.data == name if f.head == "sym" else any(contains(a, name) for a in f.args)
