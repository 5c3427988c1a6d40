"""Elementwise NumPy functions: the rows of the op table, and short compositions."""

import numpy as np

from pygradc._expr import (
    Expr,
    binary,
    convert,
    expr,
    graph_of,
    lift,
    promote,
    unary,
)
from pygradc._graph import Graph
from pygradc._lib import BOOL, DTYPES, F64, OPS, lib, ops
from pygradc._protocol import implements, implements_ufunc

# ufuncs whose name differs from that of their row
_RENAMED = {
    "absolute": "abs",
    "fabs": "abs",
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
    for ufunc in (getattr(np, n) for n in dir(np)):
        if not isinstance(ufunc, np.ufunc):
            continue
        name = _RENAMED.get(ufunc.__name__, ufunc.__name__)
        if name not in own:
            continue
        if ufunc.nin == 1:
            implements_ufunc(ufunc)(lambda x, op=OPS[name]: unary(op, x))
        else:
            implements_ufunc(ufunc)(lambda x, y, op=OPS[name]: binary(op, x, y))


_register_rows()

_and, _or, _xor, _not = (
    OPS[f"logical_{name}"] for name in ("and", "or", "xor", "not")
)


def truth(x):
    """`x` as a bool Expr: x != 0."""
    return convert(x, BOOL)


def _logical(op):
    def apply(x, y):
        graph = graph_of(x, y)
        return binary(op, truth(lift(graph, x)), truth(lift(graph, y)))

    return apply


implements_ufunc(np.logical_and, np.bitwise_and)(_logical(_and))
implements_ufunc(np.logical_or, np.bitwise_or)(_logical(_or))
implements_ufunc(np.logical_xor, np.bitwise_xor)(_logical(_xor))
implements_ufunc(np.logical_not, np.invert)(lambda x: unary(_not, truth(x)))
implements_ufunc(np.positive, np.conjugate)(lambda x: x)


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


@implements_ufunc(np.logaddexp2)
def logaddexp2(x, y):
    (x, y), _ = promote(graph_of(x, y), (x, y), OPS["logaddexp"])
    return np.logaddexp(x * np.log(2.0).item(), y * np.log(2.0).item()) / float(
        np.log(2.0)
    )


@implements_ufunc(np.deg2rad, np.radians)
def radians(x):
    return x * (np.pi / 180)


@implements_ufunc(np.rad2deg, np.degrees)
def degrees(x):
    return x * (180 / np.pi)


@implements_ufunc(np.divmod)
def divmod_(x, y):
    return x // y, x % y


@implements_ufunc(np.heaviside)
def heaviside(x, at_zero):
    (x, h), _ = promote(graph_of(x, at_zero), (x, at_zero), OPS["sign"])
    step = where(x > 0, 1.0, 0.0 * x)
    return where(x == 0, h, step)


@implements(np.where)
def where(condition, x=None, y=None):
    """np.where; the branch that is not taken gives no gradient and no NaN."""
    if x is None or y is None:
        raise TypeError("np.where of a traced condition alone: use pygradc.value_of")
    graph = graph_of(condition, x, y)
    (x, y), code = promote(graph, (x, y))
    m = truth(lift(graph, condition))
    return expr(graph, lib.gradc_where(graph.h, m.id, x.id, y.id), code)


@implements(np.clip)
def clip(a, a_min=None, a_max=None, *, min=None, max=None):
    low = a_min if min is None else min
    high = a_max if max is None else max
    if not isinstance(a, Expr):
        a = lift(graph_of(low, high), a)
    if low is not None:
        a = np.maximum(a, low)
    return a if high is None else np.minimum(a, high)


@implements(np.round, np.around)
def round_(a, decimals=0):
    if decimals == 0:
        return np.rint(a)
    scale = 10.0**decimals
    return np.rint(a * scale) / scale


@implements(np.fix)
def fix(x):
    return np.trunc(x)


@implements(np.sinc)
def sinc(x):
    """sin(pi x)/(pi x), by its series where x^2 is negligible beside 1."""
    t = np.pi * x
    small = np.abs(x) < 1e-3
    q = t * t
    series = 1 + q * (-1 / 6 + q * (1 / 120 - q / 5040))
    safe = where(small, 1.0, t)
    return where(small, series, np.sin(safe) / safe)


@implements(np.nan_to_num)
def nan_to_num(x, copy=True, nan=0.0, posinf=None, neginf=None):
    limits = np.finfo(x.dtype)
    posinf = limits.max if posinf is None else posinf
    neginf = limits.min if neginf is None else neginf
    x = where(np.isnan(x), float(nan), x)
    infinite = np.isinf(x)
    return where(infinite & (x > 0), float(posinf), where(infinite, float(neginf), x))


@implements(np.real, np.conj, np.real_if_close, np.copy)
def identity(x, *args, **kwargs):
    return x


@implements(np.imag, np.angle)
def zero(x, *args, **kwargs):
    return x * 0.0


@implements(np.isclose)
def isclose(a, b, rtol=1e-5, atol=1e-8, equal_nan=False):
    graph = graph_of(a, b)
    (a, b), _ = promote(graph, (a, b), OPS["sub"])
    near = (a == b) | (np.isfinite(b) & (np.abs(a - b) <= atol + rtol * np.abs(b)))
    return near | (np.isnan(a) & np.isnan(b)) if equal_nan else near


@implements(np.astype)
def astype(x, dtype, /, copy=True, **options):
    dtype = np.dtype(dtype)
    if dtype.kind in "iu":
        dtype = DTYPES[2]
    if dtype not in DTYPES:
        raise TypeError(f"astype: {dtype} cannot take part in a trace")
    return convert(x, DTYPES.index(dtype))
