"""What every row of ops.def should compute: one record a row, walked by the tests.

An elementwise row has its function in mpmath, which tells values and derivatives, and
in NumPy, which tells integers and the conventions at zeros, infinities and NaN. Other
rows have cases: calls that use the row, written once for traced arrays and for NumPy
arrays of mpf, from which values and derivatives of any precision follow.
"""

import math
import operator
from collections.abc import Callable
from typing import NamedTuple

import mpmath
import numpy as np

from pygradc._expr import expr
from pygradc._lib import lib
from pygradc._program import vjp_nodes

mp = mpmath.mp.clone()
mp.prec = 160


class Elementwise(NamedTuple):
    """An elementwise row.

    real : of mpf numbers; complex or an exception where it is not defined.
    array : of NumPy arrays.
    ulp : bound on the error of values; 0.5 is correct rounding.
    slope : bound on the error of first derivatives in ulp, in the smooth interval; 0 if
        they are 0 everywhere.
    zero_sign : whether NumPy and C99 agree on the sign of a zero.
    """

    real: Callable
    array: Callable
    ulp: float = 1
    slope: float = 4
    zero_sign: bool = True


class Case(NamedTuple):
    """A call that uses a row.

    call : of traced arrays, and of NumPy arrays if `reference` is None.
    shapes : of its operands; "n" stands for any length.
    reference : of NumPy arrays, mpf among them.
    ulp : bound on the error of values, in ulp of the same call on absolute values, for
        each of the n elements joined; 0 if elements are only moved.
    least : the least n.
    dtypes : taken by the call, if the row takes more.
    """

    call: Callable
    shapes: tuple
    reference: Callable | None = None
    ulp: float = 0
    least: int = 0
    dtypes: tuple | None = None

    @property
    def exact(self):
        """The call on NumPy arrays."""
        return self.reference or self.call


# ---- references that mpmath and NumPy lack ----


def real_cbrt(x):
    return mp.sign(x) * mp.cbrt(abs(x))


def real_erfc(x):
    return mp.erfc(min(x, 1000))  # beyond, mpmath has no room for it


def real_fmod(x, y):
    return mp.sign(x) * (abs(x) % abs(y))


def real_logaddexp(x, y):
    return max(x, y) + mp.log1p(mp.exp(-abs(x - y)))


def real_copysign(x, y):
    return abs(x) if y >= 0 else -abs(x)


def array_sigmoid(x):
    return 1 / (1 + np.exp(-x))


def array_softplus(x):
    return np.logaddexp(x.dtype.type(0), x)


def array_annihilate(x, y):
    return np.where(x == 0, x.dtype.type(0), x * y)


def array_annihilate_both(x, y):
    return np.where((x == 0) | (y == 0), x.dtype.type(0), x * y)


def each(function):
    """`function` of math on arrays."""
    return np.vectorize(function, otypes=[np.float64])


# ---- ulp ----


def ulp_error(got, true):
    """|got - true| in units in the last place of `true`, an mpf, in the type of `got`.

    Beyond the largest finite number the unit goes on as below it, and infinity counts
    as the power of two that comes next."""
    info = np.finfo(got.dtype)
    if not (mp.isfinite(true) and got == got):
        return 0.0 if got == true else math.inf
    over = mp.ldexp(1, int(info.maxexp))
    true = min(max(true, -over), over)
    got = min(max(mp.mpf(float(got)), -over), over)
    low = int(info.minexp) - int(info.nmant)
    high = int(info.maxexp) - 1 - int(info.nmant)
    own = true.exp + true.bc - 1 - int(info.nmant) if true else low
    return float(abs(got - true) / mp.ldexp(1, min(max(own, low), high)))


def evaluate(real, args, shift=0):
    """`real` of the floats `args`, moved by `shift`, or None where it is not real."""
    try:
        r = mp.convert(real(*[mp.mpf(float(a)) + shift for a in args]))
    except (ValueError, ZeroDivisionError, OverflowError):
        return None
    return r if isinstance(r, mp.mpf) and not mp.isnan(r) else None


# ---- derivatives ----


def true_slope(real, args, orders):
    """A partial derivative of `real` at `args`, of the given order in each operand but
    a bool in front."""
    fixed = [bool(a) for a in args if a.dtype == bool]
    xs = [mp.mpf(float(a)) for a in args[len(fixed) :]]
    if len(xs) == 1:
        return mp.diff(real, xs[0], orders[0])
    return mp.diff(lambda *xs: real(*fixed, *xs), tuple(xs), orders)


def far_slope(real, x):
    """Derivative of `real` by central differences, or None if that cannot be told."""
    found = []
    with mp.workprec(700):
        for bits in (60, 70):
            h = mp.ldexp(abs(mp.mpf(float(x))), -bits)
            ends = [evaluate(real, [x], shift) for shift in (h, -h)]
            if None in ends:
                return None
            found.append((ends[0] - ends[1]) / (2 * h))
    near = abs(found[0] - found[1]) <= abs(found[1]) * mp.mpf(2) ** -60
    return found[1] if near else None


def exactly(x):
    """Array of the same numbers as mpf."""
    r = np.empty(x.shape, object)
    r.ravel()[:] = [mp.mpf(float(v)) for v in x.ravel()]
    return r


def along(function, vs):
    """Derivative of a function of mpf arrays in the direction `vs`."""
    h = mp.ldexp(1, -100)

    def slope(*xs):
        ends = [
            np.asarray(function(*[x + s * h * v for x, v in zip(xs, vs, strict=True)]))
            for s in (1, -1)
        ]
        return (ends[0] - ends[1]) / (2 * h)

    return slope


def pulled_back(function, xs, u):
    """Gradient of <u, function> for mpf arrays, one array for each operand."""
    gradient = [np.zeros(x.shape, object) for x in xs]
    for k, x in enumerate(xs):
        for at in np.ndindex(x.shape):
            vs = [np.zeros(y.shape, object) for y in xs]
            vs[k][at] = mp.one
            gradient[k][at] = np.sum(u * along(function, vs)(*xs))
    return gradient


# ---- calls of rows that no NumPy function names ----


def addn(x, y, z):
    """The adjoint of t in t x + t y + t z."""
    t = ident(x)
    one = expr(x.graph, lib.gradc_const(x.graph.h, x.code, 1), x.code)
    ones = np.broadcast_to(one, x.shape)
    (node,) = vjp_nodes(x.graph, (t * x + t * y + t * z).id, ones.id, [t.id])
    return expr(x.graph, node, x.code)


def convert(x):
    to = {"float64": "float32", "float32": "float64", "int64": "bool", "bool": "int64"}
    return np.astype(x, to[x.dtype.name])


def convert_reference(x):
    return convert(x) if x.dtype != object else x


def ident(x):
    return expr(x.graph, lib.gradc_ident(x.graph.h, x.id, 0), x.code)


def pad(x):
    """Rows of `x` every 2 from row 1, columns backward from column 3."""
    dim = [2 * x.shape[0] + 2, 5]
    node = lib.gradc_pad(x.graph.h, x.id, [1, 3], [2, -1], dim)
    return expr(x.graph, node, x.code)


def pad_reference(x):
    r = np.zeros((2 * x.shape[0] + 2, 5), x.dtype)
    r[1 : 2 * x.shape[0] : 2, 3:0:-1] = x
    return r


def correlate(p, length, *shapes):
    def of(x, y):
        node = lib.gradc_correlate(x.graph.h, x.id, y.id, p, length)
        return expr(x.graph, node, x.code)

    def reference(x, y):
        r = np.zeros((*x.shape[:-1], length), np.result_type(x, y))
        for i in range(length):
            for k in range(y.shape[-1]):
                if 0 <= i + k - p < x.shape[-1]:
                    r[..., i] += x[..., i + k - p] * y[..., k]
        return r

    return Case(of, shapes, reference, ulp=1)


def scatter_index(n):
    return np.arange(n) * 3 % 4 - 2


def scatter(x):
    index = expr(x.graph, x.graph.capture(scatter_index(x.shape[0])), 2)
    return expr(x.graph, lib.gradc_scatter(x.graph.h, x.id, index.id, 4), x.code)


def scatter_reference(x):
    r = np.zeros((4, *x.shape[1:]), x.dtype)
    for at, row in zip(scatter_index(x.shape[0]), x, strict=True):
        r[at] += row
    return r


def argsort(x, axis):
    return expr(x.graph, lib.gradc_argsort(x.graph.h, x.id, axis), 2)


def argsort_reference(x, axis):
    return np.argsort(x, axis, kind="stable")


def searchsorted(x, v, right):
    x = np.sort(x)
    return expr(x.graph, lib.gradc_searchsorted(x.graph.h, x.id, v.id, right), 2)


def searchsorted_reference(x, v, right):
    side = "right" if right else "left"
    r = np.empty(v.shape, np.int64)
    for at in np.ndindex(x.shape[:-1]):
        r[at] = np.searchsorted(np.sort(x[at]), v[at], side)
    return r


# ---- the records ----

# Rows whose results are positions, which have no slopes.
POSITIONS = {"argmax", "argmin", "argsort", "searchsorted"}

# Slopes that take more than 4 ulp have the rounding of x^2 <= 9 (erf, erfc) or of
# |x - y| <= 18 (logaddexp) as absolute error of an exponent.
_FLOATS = ("float64", "float32")

ORACLES = {
    "input": None,  # leaves: what all others are made of
    "constant": None,
    "abs": Elementwise(abs, np.abs, 0.5),
    "arccos": Elementwise(mp.acos, np.arccos),
    "arccosh": Elementwise(mp.acosh, np.arccosh),
    "arcsin": Elementwise(mp.asin, np.arcsin),
    "arcsinh": Elementwise(mp.asinh, np.arcsinh),
    "arctan": Elementwise(mp.atan, np.arctan),
    "arctanh": Elementwise(mp.atanh, np.arctanh),
    "cbrt": Elementwise(real_cbrt, np.cbrt),
    "ceil": Elementwise(mp.ceil, np.ceil, 0.5, 0),
    "cos": Elementwise(mp.cos, np.cos),
    "cosh": Elementwise(mp.cosh, np.cosh),
    "erf": Elementwise(mp.erf, each(math.erf), slope=12),
    "erfc": Elementwise(real_erfc, each(math.erfc), slope=12),
    "exp": Elementwise(mp.exp, np.exp),
    "exp2": Elementwise(lambda x: mp.power(2, x), np.exp2),
    "expm1": Elementwise(mp.expm1, np.expm1),
    "floor": Elementwise(mp.floor, np.floor, 0.5, 0),
    "log": Elementwise(mp.log, np.log),
    "log10": Elementwise(mp.log10, np.log10),
    "log1p": Elementwise(mp.log1p, np.log1p),
    "log2": Elementwise(lambda x: mp.log(x, 2), np.log2),
    "neg": Elementwise(operator.neg, np.negative, 0.5),
    "reciprocal": Elementwise(lambda x: 1 / x, np.reciprocal, 0.5),
    "relu": Elementwise(lambda x: max(x, 0), lambda x: np.where(x <= 0, 0, x), 0.5),
    "round": Elementwise(mp.nint, np.rint, 0.5, 0),
    "sigmoid": Elementwise(lambda x: 1 / (1 + mp.exp(-x)), array_sigmoid),
    "sign": Elementwise(mp.sign, np.sign, 0.5, 0),
    "sin": Elementwise(mp.sin, np.sin),
    "sinh": Elementwise(mp.sinh, np.sinh),
    "softplus": Elementwise(
        lambda x: mp.log1p(mp.exp(x)), lambda x: np.logaddexp(0, x)
    ),
    "sqrt": Elementwise(mp.sqrt, np.sqrt, 0.5),
    "square": Elementwise(lambda x: x * x, np.square, 0.5),
    "tan": Elementwise(mp.tan, np.tan),
    "tanh": Elementwise(mp.tanh, np.tanh),
    "trunc": Elementwise(lambda x: mp.sign(x) * mp.floor(abs(x)), np.trunc, 0.5, 0),
    "add": Elementwise(operator.add, np.add, 0.5),
    "annihilate": Elementwise(operator.mul, array_annihilate, 0.5),
    "annihilate_both": Elementwise(operator.mul, array_annihilate_both, 0.5),
    "arctan2": Elementwise(mp.atan2, np.arctan2),
    "copysign": Elementwise(real_copysign, np.copysign, 0.5),
    "div": Elementwise(operator.truediv, np.divide, 0.5),
    "floordiv": Elementwise(lambda x, y: mp.floor(x / y), np.floor_divide, 1, 0),
    "fmod": Elementwise(real_fmod, np.fmod, 0.5),
    "hypot": Elementwise(mp.hypot, np.hypot),
    "logaddexp": Elementwise(real_logaddexp, np.logaddexp, slope=20),
    "maximum": Elementwise(max, np.maximum, 0.5, zero_sign=False),
    "minimum": Elementwise(min, np.minimum, 0.5, zero_sign=False),
    "mod": Elementwise(operator.mod, np.mod, 0.5),
    "mul": Elementwise(operator.mul, np.multiply, 0.5),
    "pow": Elementwise(mp.power, np.power),
    "sub": Elementwise(operator.sub, np.subtract, 0.5),
    "where": Elementwise(lambda m, x, y: x if m else y, np.where, 0.5),
    "eq": Elementwise(operator.eq, np.equal),
    "ge": Elementwise(operator.ge, np.greater_equal),
    "gt": Elementwise(operator.gt, np.greater),
    "isfinite": Elementwise(mp.isfinite, np.isfinite),
    "isinf": Elementwise(mp.isinf, np.isinf),
    "isnan": Elementwise(mp.isnan, np.isnan),
    "le": Elementwise(operator.le, np.less_equal),
    "logical_and": Elementwise(operator.and_, np.logical_and),
    "logical_not": Elementwise(operator.not_, np.logical_not),
    "logical_or": Elementwise(operator.or_, np.logical_or),
    "logical_xor": Elementwise(operator.xor, np.logical_xor),
    "lt": Elementwise(operator.lt, np.less),
    "ne": Elementwise(operator.ne, np.not_equal),
    "addn": [Case(addn, (("n", 2),) * 3, lambda x, y, z: x + y + z, 1, dtypes=_FLOATS)],
    "broadcast": [
        Case(lambda x: np.broadcast_to(x, (2, *x.shape)), (("n", 3),)),
        Case(lambda x: np.broadcast_to(x, (x.shape[0], 2, 7)), (("n", 1, 7),)),
        Case(lambda x: np.broadcast_to(x, (3, 0, 2)), ((1, 1, 2),)),
        Case(lambda x: np.broadcast_to(x, (5,)), ((),)),
    ],
    "concat": [
        Case(lambda x, y: np.concatenate([x, y, x]), ((3, 2), ("n", 2))),
        Case(lambda x, y: np.concatenate([x, y], 1), ((3, 2), (3, "n"))),
        Case(lambda x: np.concatenate([x, x], -1), ((2, 0),)),
    ],
    "convert": [Case(convert, (("n", 3),), convert_reference, 1)],
    "correlate": [
        correlate(0, 3, ("n",), (2,)),
        correlate(2, 9, ("n",), (3,)),
        correlate(-1, 4, (2, 5), (2, "n")),
        correlate(4, 11, (7,), ("n",)),
        correlate(1, 0, (2, "n"), (2, 3)),
        correlate(30, 3, ("n",), ("n",)),
    ],
    "cumsum": [
        Case(lambda x: np.cumsum(x, 0), (("n",),), ulp=1),
        Case(lambda x: np.cumsum(x, 0), (("n", 3),), ulp=1),
        Case(lambda x: np.cumsum(x, -1), ((3, "n"),), ulp=1),
        Case(lambda x: np.cumsum(x, 1), ((2, "n", 3),), ulp=1),
    ],
    "gather": [
        Case(lambda x: x[np.arange(len(x))[::-2]], (("n",),)),
        Case(lambda x: x[np.array([[0, -1], [2, 0]])], (("n", 2),), least=3),
        Case(lambda x: x[:, np.arange(x.shape[1]) * 5 % 3], ((2, "n"),), least=3),
    ],
    "ident": [Case(ident, (("n", 2),), lambda x: x)],
    "matmul": [
        Case(np.matmul, (("n",), ("n",)), ulp=1),
        Case(np.matmul, ((3, "n"), ("n", 2)), ulp=1),
        Case(np.matmul, (("n", 3), (3, 2)), ulp=1),
        Case(np.matmul, ((2, 3, "n"), ("n",)), ulp=1),
        Case(np.matmul, (("n",), (2, "n", 3)), ulp=1),
        Case(np.matmul, ((2, 1, 3, "n"), (3, "n", 2)), ulp=1),
        Case(np.matmul, ((0, "n"), ("n", 2)), ulp=1),
    ],
    "pad": [Case(pad, (("n", 3),), pad_reference)],
    "reshape": [
        Case(lambda x: np.reshape(x, (3, 2, x.shape[0])), (("n", 6),)),
        Case(np.ravel, ((2, "n", 3),)),
    ],
    "scatter": [
        Case(scatter, (("n",),), scatter_reference, 1),
        Case(scatter, (("n", 3),), scatter_reference, 1),
    ],
    "slice": [
        Case(lambda x: x[::-1], (("n",),), least=2),
        Case(lambda x: x[1::3, 1], (("n", 3),)),
        Case(lambda x: x[::-2, 2:0:-1], (("n", 4),)),
    ],
    "sum": [
        Case(np.sum, (("n",),), ulp=1),
        Case(lambda x: np.sum(x, axis=0), (("n", 3),), ulp=1),
        Case(lambda x: np.sum(x, axis=-1, keepdims=True), ((3, "n"),), ulp=1),
        Case(lambda x: np.sum(x, axis=(0, 2)), ((3, 2, "n"),), ulp=1),
    ],
    "transpose": [
        Case(np.transpose, (("n", 3),)),
        Case(lambda x: np.transpose(x, (2, 0, 1)), ((2, "n", 3),)),
    ],
    "argmax": [
        Case(np.argmax, (("n",),), least=1),
        Case(lambda x: np.argmax(x, axis=1), ((3, "n", 2),), least=1),
    ],
    "argmin": [
        Case(np.argmin, (("n",),), least=1),
        Case(lambda x: np.argmin(x, axis=1), ((3, "n", 2),), least=1),
    ],
    "argsort": [
        Case(lambda x: argsort(x, 0), (("n",),), lambda x: argsort_reference(x, 0)),
        Case(
            lambda x: argsort(x, 1), ((3, "n", 2),), lambda x: argsort_reference(x, 1)
        ),
    ],
    "searchsorted": [
        Case(
            lambda x, v: searchsorted(x, v, 0),
            (("n",), (2, 7)),
            lambda x, v: searchsorted_reference(x, v, 0),
        ),
        Case(
            lambda x, v: searchsorted(x, v, 1),
            ((5,), ("n",)),
            lambda x, v: searchsorted_reference(x, v, 1),
        ),
        Case(
            lambda x, v: searchsorted(x, v, 1),
            ((3, "n"), (3, 2, 4)),
            lambda x, v: searchsorted_reference(x, v, 1),
        ),
    ],
    "max": [
        Case(np.max, (("n",),), least=1),
        Case(lambda x: np.max(x, axis=1), ((3, "n", 2),), least=1),
        Case(lambda x: np.max(x, axis=(0, 2)), ((3, "n", 2),)),
    ],
    "min": [
        Case(np.min, (("n",),), least=1),
        Case(lambda x: np.min(x, axis=1), ((3, "n", 2),), least=1),
        Case(lambda x: np.min(x, axis=(0, 2)), ((3, "n", 2),)),
    ],
    "prod": [
        Case(np.prod, (("n",),), ulp=1),
        Case(lambda x: np.prod(x, axis=0), (("n", 3),), ulp=1),
        Case(lambda x: np.prod(x, axis=(0, 2)), ((3, 2, "n"),), ulp=1),
    ],
    "recur": [
        Case(lambda x: np.cumprod(x, 0), (("n",),), ulp=1, least=1),
        Case(lambda x: np.cumprod(x, 1), ((2, "n", 3),), ulp=1, least=1),
    ],
}
