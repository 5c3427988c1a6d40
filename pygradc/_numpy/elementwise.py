"""Elementwise NumPy functions: the rows of the op table, and short compositions."""

from functools import partial

import numpy as np

from pygradc import errors
from pygradc._expr import (
    _is_weak,
    binary,
    convert,
    expr,
    graph_of,
    lift,
    promote,
    unary,
)
from pygradc._graph import Graph
from pygradc._lib import BOOL, DTYPES, F64, I64, OPS, error, lib, ops
from pygradc._numpy.protocol import implements, implements_ufunc, traced

# ufuncs whose name differs from that of their row
_RENAMED = {
    "absolute": "abs",
    "negative": "neg",
    "rint": "round",
    "subtract": "sub",
    "multiply": "mul",
    "divide": "div",
    "power": "pow",
    "remainder": "mod",
    "floor_divide": "floordiv",
    "equal": "eq",
    "not_equal": "ne",
    "less": "lt",
    "less_equal": "le",
    "greater": "gt",
    "greater_equal": "ge",
}


def elementwise(name):
    """The function of the elementwise op called `name`, on traced values and arrays.

    Parameters
    ----------
    name : str
        Of a row of kind "unary", "binary", "ternary" or "test" in `pygradc.ops()`.

    Returns
    -------
    callable
        Takes as many arrays as the op has operands, which broadcast; returns an Expr if
        one of them is traced, else an ndarray or NumPy scalar.
    """
    op = OPS[name]
    row = ops()[op]
    apply = {1: lambda x: unary(op, x), 2: lambda x, y: binary(op, x, y), 3: where}

    def function(*args):
        if len(args) != row.arity:
            raise TypeError(f"{name}() takes {row.arity} arrays, not {len(args)}")
        if graph_of(*args) is not None:
            return apply[row.arity](*args)
        graph = Graph()
        result = apply[row.arity](*[lift(graph, np.asarray(a)) for a in args])
        return graph.value(result.id)[()]

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"Elementwise ``{row.c}``."
    return function


def _register_rows():
    own = {row.name for row in ops() if row.kind in ("unary", "binary", "test")}
    for ufunc in list(vars(np).values()):
        if not isinstance(ufunc, np.ufunc):
            continue
        name = _RENAMED.get(ufunc.__name__, ufunc.__name__)
        if name not in own:
            continue
        if ufunc.nin == 1:
            implements_ufunc(ufunc)(partial(unary, OPS[name]))
        else:
            implements_ufunc(ufunc)(partial(binary, OPS[name]))


_register_rows()

_and, _or, _xor = (OPS[f"logical_{name}"] for name in ("and", "or", "xor"))
_not = OPS["logical_not"]


def truth(x):
    """`x` as a bool Expr: x != 0."""
    return convert(x, BOOL)


def floating(x):
    """`x` in a float dtype: integers and bools as float64."""
    return convert(x, F64) if x.code >= I64 else x


def _logical(op):
    def apply(x, y):
        graph = graph_of(x, y)
        return binary(op, truth(lift(graph, x)), truth(lift(graph, y)))

    return apply


def _bitwise(op, name):
    def apply(x, y=True):
        graph = graph_of(x, y)
        x, y = lift(graph, x), lift(graph, y)
        if x.code != BOOL or y.code != BOOL:
            raise error(
                errors.UnsupportedError,
                f"np.{name}: only bools are supported on traced values",
            )
        return binary(op, x, y)

    return apply


implements_ufunc(np.logical_and)(_logical(_and))
implements_ufunc(np.logical_or)(_logical(_or))
implements_ufunc(np.logical_xor)(_logical(_xor))
implements_ufunc(np.logical_not)(lambda x: unary(_not, truth(x)))
implements_ufunc(np.bitwise_and)(_bitwise(_and, "bitwise_and"))
implements_ufunc(np.bitwise_or)(_bitwise(_or, "bitwise_or"))
implements_ufunc(np.bitwise_xor)(_bitwise(_xor, "bitwise_xor"))
implements_ufunc(np.invert)(_bitwise(_xor, "invert"))
implements_ufunc(np.positive, np.conjugate)(lambda x: x.copy())
implements_ufunc(np.fabs)(lambda x: unary(OPS["abs"], floating(x)))


def _integral(op):
    """Rounding, which leaves integers and bools as they are."""
    return lambda x: x.copy() if x.code >= I64 else unary(op, x)


for _name in ("ceil", "floor", "trunc"):
    implements_ufunc(_name)(_integral(OPS[_name]))


@implements_ufunc(np.float_power)
def float_power(x, y):
    graph = graph_of(x, y)
    return convert(lift(graph, x), F64) ** y


@implements_ufunc(np.fmax)
def fmax(x, y):
    """maximum that prefers numbers to NaN."""
    (x, y), _ = promote(graph_of(x, y), (x, y))
    return where(np.isnan(x), y, where(np.isnan(y), x, np.maximum(x, y)))


@implements_ufunc(np.fmin)
def fmin(x, y):
    """minimum that prefers numbers to NaN."""
    (x, y), _ = promote(graph_of(x, y), (x, y))
    return where(np.isnan(x), y, where(np.isnan(y), x, np.minimum(x, y)))


_LN2 = float(np.log(2.0))


@implements_ufunc(np.logaddexp2)
def logaddexp2(x, y):
    (x, y), _ = promote(graph_of(x, y), (x, y), OPS["logaddexp"])
    return np.logaddexp(x * _LN2, y * _LN2) / _LN2


@implements_ufunc(np.deg2rad, np.radians)
def radians(x):
    return floating(x) * (np.pi / 180)


@implements_ufunc(np.rad2deg, np.degrees)
def degrees(x):
    return floating(x) * (180 / np.pi)


@implements_ufunc(np.divmod)
def divmod_(x, y):
    return np.floor_divide(x, y), np.remainder(x, y)


@implements_ufunc(np.heaviside)
def heaviside(x, at_zero):
    (x, h), _ = promote(graph_of(x, at_zero), (x, at_zero), OPS["copysign"])
    step = where(x > 0, 1.0, where(np.isnan(x), x, 0.0))
    return where(x == 0, h, step)


@implements_ufunc(np.signbit)
def signbit(x):
    return np.copysign(1.0, x) < 0


# ---- selection ----


@implements(np.where)
def where(condition, x=None, y=None):
    """np.where; the branch that is not taken gives no gradient and no NaN."""
    if x is None and y is None:
        return np.nonzero(condition)
    graph = graph_of(condition, x, y)
    if _is_weak(x) and _is_weak(y):
        x, y = np.asarray(x), np.asarray(y)
    (x, y), code = promote(graph, (x, y))
    m = truth(lift(graph, condition))
    return expr(graph, lib.gradc_where(graph.h, m.id, x.id, y.id), code)


@implements(np.select)
def select(condlist, choicelist, default=0):
    """The first choice whose condition holds."""
    conditions, choices = list(condlist), list(choicelist)
    if len(conditions) != len(choices) or not conditions:
        raise error(
            errors.ArgumentError,
            f"select: {len(conditions)} conditions for {len(choices)} choices",
        )
    graph = graph_of(*conditions, *choices, default)
    (*choices, r), _ = promote(graph, [*choices, default])
    for condition, choice in zip(conditions[::-1], choices[::-1], strict=True):
        r = where(condition, choice, r)
    return r


@implements(np.clip)
def clip(
    a,
    a_min=None,
    a_max=None,
    out=None,
    *,
    min=np._NoValue,
    max=np._NoValue,
    **options,
):
    low = a_min if min is np._NoValue else min
    high = a_max if max is np._NoValue else max
    low = None if low is np._NoValue else low
    high = None if high is np._NoValue else high
    a = traced(a, low, high)
    if low is not None:
        a = np.maximum(a, low)
    if high is not None:
        a = np.minimum(a, high)
    dtype = options.get("dtype")
    return a if dtype is None else a.astype(dtype)


# ---- rounding, and values that are rarely wanted ----


@implements(np.round, np.around)
def round_(a, decimals=0, out=None):
    if a.code >= I64 and decimals >= 0:
        return a
    if decimals == 0:
        return np.rint(a)
    scale = 10.0 ** abs(decimals)
    r = np.rint(a * scale) / scale if decimals > 0 else np.rint(a / scale) * scale
    return convert(r, I64) if a.code >= I64 else r


@implements(np.fix)
def fix(x, out=None):
    return np.trunc(x)


# Taylor coefficients of sin(t)/t in t^2, enough for |t| < 0.25 up to the second
# derivative; beyond, the quotient loses no more than a few digits when differentiated.
_SINC = [1.0]
for _k in range(1, 7):
    _SINC.append(-_SINC[-1] / (2 * _k * (2 * _k + 1)))


@implements(np.sinc)
def sinc(x):
    """sin(pi x)/(pi x), by its series near 0."""
    t = np.pi * floating(x)
    small = np.abs(t) < 0.25
    q = np.square(where(small, t, 0.0))
    series = _SINC[-1]
    for c in _SINC[-2::-1]:
        series = c + q * series
    safe = where(small, 1.0, t)
    return where(small, series, np.sin(safe) / safe)


@implements(np.nan_to_num)
def nan_to_num(x, copy=True, nan=0.0, posinf=None, neginf=None):
    """With copy=False, for its effect on `x`."""
    if not copy:
        x[...] = nan_to_num(x, True, nan, posinf, neginf)
        return x
    if x.code >= I64:
        return x.copy()
    limits = np.finfo(x.dtype)
    posinf = limits.max if posinf is None else posinf
    neginf = limits.min if neginf is None else neginf
    infinite = np.isinf(x)
    r = where(infinite & (x > 0), posinf, where(infinite, neginf, x))
    return convert(where(np.isnan(x), nan, r), x.code)


@implements(np.real, np.real_if_close, np.copy)
def identity(x, *args, **kwargs):
    return x


@implements(np.imag)
def imag(x):
    return np.zeros_like(x)


@implements(np.angle)
def angle(z, deg=False):
    """0 or pi."""
    r = np.arctan2(0.0, floating(z))
    return degrees(r) if deg else r


@implements("astype")
def astype(x, dtype, /, copy=True, **options):
    dtype = np.dtype(dtype)
    if dtype.kind in "iu":
        dtype = DTYPES[I64]
    if dtype not in DTYPES:
        raise error(errors.DTypeError, f"astype: {dtype} cannot take part in a trace")
    return convert(x, DTYPES.index(dtype))
