"""Reductions and cumulative NumPy functions."""

import numpy as np

from pygradc import errors
from pygradc._elementwise import where
from pygradc._expr import convert, expr, lift
from pygradc._lib import BOOL, F64, I64, OPS, error, ffi, lib
from pygradc._protocol import implements, implements_method, not_given

_ABSENT = (None, np._NoValue)


def reduce(name, x, axis=None, keepdims=False):
    """Row `name` ("sum", "prod", "max", "min") over `axis`: None, int or ints."""
    n, axes = -1, ffi.NULL
    if axis is not None:
        axes = [int(a) for a in (axis if isinstance(axis, (tuple, list)) else (axis,))]
        n = len(axes)
    keepdims = keepdims not in _ABSENT and bool(keepdims)
    node = lib.gradc_reduce(x.graph.h, OPS[name], x.id, n, axes, keepdims)
    return expr(x.graph, node, x.code)


def count(x, axis):
    """How many elements of `x` a reduction over `axis` joins."""
    if axis is None:
        return x.size
    n = 1
    for a in axis if isinstance(axis, (tuple, list)) else (axis,):
        if not -x.ndim <= a < x.ndim:
            raise error(
                errors.IndexRangeError,
                f"axis {a} is out of range for shape {x.shape}",
            )
        n *= x.shape[a]
    return n


def _masked(x, mask, fill):
    """`x` with `fill` where the option where= leaves elements out."""
    return x if mask is True or mask in _ABSENT else where(mask, x, fill)


def _with_initial(combine, r, initial):
    return r if initial in _ABSENT else combine(r, initial)


def _number(x, dtype):
    """`x` in the dtype that sum and prod work in."""
    if dtype not in _ABSENT:
        return x.astype(dtype)
    return convert(x, I64) if x.code == BOOL else x


@implements(np.sum)
def sum_(a, axis=None, dtype=None, out=None, keepdims=False, initial=None, where=True):
    not_given(out=out)
    a = _masked(_number(a, dtype), where, 0)
    return _with_initial(np.add, reduce("sum", a, axis, keepdims), initial)


@implements(np.prod)
def prod(a, axis=None, dtype=None, out=None, keepdims=False, initial=None, where=True):
    not_given(out=out)
    a = _masked(_number(a, dtype), where, 1)
    return _with_initial(np.multiply, reduce("prod", a, axis, keepdims), initial)


def _extreme(name, combine, sign):
    def extreme(a, axis=None, out=None, keepdims=False, initial=None, where=True):
        not_given(out=out)
        if where is not True and where not in _ABSENT:
            if initial in _ABSENT:
                raise error(
                    errors.ArgumentError, f"np.{name}: where= needs an initial value"
                )
            a = _masked(a, where, sign * np.inf if a.code < I64 else initial)
        if a.size == 0 and initial not in _ABSENT:
            a = np.concatenate([a.ravel(), np.full(1, initial, a.dtype)])
            axis = None
        return _with_initial(combine, reduce(name, a, axis, keepdims), initial)

    return extreme


max_ = implements(np.max, np.amax)(_extreme("max", np.maximum, -1))
min_ = implements(np.min, np.amin)(_extreme("min", np.minimum, 1))


def _float(x):
    return convert(x, F64) if x.code >= I64 else x


@implements(np.mean)
def mean(a, axis=None, dtype=None, out=None, keepdims=False, *, where=True):
    not_given(out=out)
    a = _float(a) if dtype in _ABSENT else a.astype(dtype)
    if where is True or where in _ABSENT:
        return reduce("sum", a, axis, keepdims) / count(a, axis)
    mask = np.broadcast_to(where, a.shape)
    n = np.sum(mask, axis=axis, keepdims=keepdims not in _ABSENT and bool(keepdims))
    return sum_(a, axis=axis, keepdims=keepdims, where=where) / n


@implements(np.var)
def var(
    a, axis=None, dtype=None, out=None, ddof=0, keepdims=False, *, where=True,
    mean=None, correction=None,
):
    not_given(out=out)
    a = _float(a) if dtype in _ABSENT else a.astype(dtype)
    ddof = ddof if correction in _ABSENT else correction
    center = mean
    if center in _ABSENT:
        center = np.mean(a, axis=axis, keepdims=True, where=where)
    square = np.square(a - center)
    if where is True or where in _ABSENT:
        n = count(a, axis) - ddof
    else:
        mask = np.broadcast_to(where, a.shape)
        keep = keepdims not in _ABSENT and bool(keepdims)
        n = np.sum(mask, axis=axis, keepdims=keep) - ddof
    return sum_(square, axis=axis, keepdims=keepdims, where=where) / n


@implements(np.std)
def std(a, axis=None, dtype=None, out=None, ddof=0, keepdims=False, **options):
    """Its derivative where all elements agree is 0."""
    v = var(a, axis, dtype, out, ddof, keepdims, **options)
    positive = v > 0
    return where(positive, np.sqrt(where(positive, v, 1.0)), v)


@implements(np.ptp)
def ptp(a, axis=None, out=None, keepdims=False):
    not_given(out=out)
    return max_(a, axis, keepdims=keepdims) - min_(a, axis, keepdims=keepdims)


@implements(np.all)
def all_(a, axis=None, out=None, keepdims=False, *, where=True):
    not_given(out=out)
    return reduce("min", _masked(convert(a, BOOL), where, True), axis, keepdims)


@implements(np.any)
def any_(a, axis=None, out=None, keepdims=False, *, where=True):
    not_given(out=out)
    return reduce("max", _masked(convert(a, BOOL), where, False), axis, keepdims)


def _arg(name):
    def arg(a, axis=None, out=None, *, keepdims=False):
        not_given(out=out)
        shape, flat = a.shape, a
        if axis is None:
            flat, axis_used = a.ravel(), 0
        else:
            axis_used = int(axis)
        node = lib.gradc_arg(a.graph.h, OPS[name], flat.id, axis_used)
        r = expr(a.graph, node, I64)
        if keepdims in _ABSENT or not keepdims:
            return r
        if axis is None:
            return r.reshape((1,) * len(shape))
        return np.expand_dims(r, axis)

    return arg


argmax = implements(np.argmax)(_arg("argmax"))
argmin = implements(np.argmin)(_arg("argmin"))


def _cumulative(builder):
    def cumulative(a, axis=None, dtype=None, out=None):
        not_given(out=out)
        a = _number(a, dtype)
        if axis is None:
            a, axis = a.ravel(), 0
        return expr(a.graph, builder(a.graph.h, a.id, int(axis)), a.code)

    return cumulative


cumsum = implements(np.cumsum)(_cumulative(lib.gradc_cumsum))
cumprod = implements(np.cumprod)(_cumulative(lib.gradc_cumprod))


@implements_method(np.add, "reduce")
def add_reduce(a, axis=0, keepdims=False):
    return sum_(a, axis, keepdims=keepdims)


@implements_method(np.multiply, "reduce")
def multiply_reduce(a, axis=0, keepdims=False):
    return prod(a, axis, keepdims=keepdims)


@implements_method(np.maximum, "reduce")
def maximum_reduce(a, axis=0, keepdims=False):
    return max_(a, axis, keepdims=keepdims)


@implements_method(np.minimum, "reduce")
def minimum_reduce(a, axis=0, keepdims=False):
    return min_(a, axis, keepdims=keepdims)


@implements_method(np.add, "accumulate")
def add_accumulate(a, axis=0):
    return cumsum(a, axis)


@implements(np.average)
def average(a, axis=None, weights=None, returned=False, *, keepdims=False):
    keepdims = keepdims not in _ABSENT and bool(keepdims)
    if weights is None:
        r = mean(a, axis, keepdims=keepdims)
        return (r, lift(r.graph, np.full(r.shape, float(count(a, axis))))) if (
            returned
        ) else r
    weights = weights if hasattr(weights, "shape") else np.asarray(weights)
    if weights.shape != a.shape:
        if axis is None or weights.shape != (a.shape[axis],):
            raise error(
                errors.ShapeError,
                f"average: weights of shape {weights.shape} do not fit {a.shape}",
            )
        shape = [1] * a.ndim
        shape[axis] = -1
        weights = np.broadcast_to(weights.reshape(shape), a.shape)
    total = np.sum(weights, axis=axis, keepdims=keepdims)
    r = sum_(a * weights, axis, keepdims=keepdims) / total
    return (r, total) if returned else r
