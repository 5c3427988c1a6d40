"""Sorting and order statistics: gathers by positions that have no derivative.

Which element stands where is piecewise constant, so the derivative is that of the
permutation. Where there are values, NumPy finds it once; under `jit` and `vmap` the
program does. Only the order of `partition` is NumPy's own: it needs values.
"""

import math

import numpy as np

from pygradc import errors
from pygradc._expr import Expr, expr, graph_of, known, lift, promote
from pygradc._lib import I64, error, lib
from pygradc._numpy.elementwise import floating
from pygradc._numpy.elementwise import where as select
from pygradc._numpy.indexing import elements_along
from pygradc._numpy.protocol import implements, is_deferred, traced
from pygradc._numpy.shaping import (
    axis_index,
    ravel,
    reshape_to,
    transpose,
)


def order_of(x, axis):
    """Stable argsort of `x` along `axis`: an array, or an Expr if x is deferred."""
    if is_deferred(x):
        return expr(x.graph, lib.gradc_argsort(x.graph.h, x.id, axis), I64)
    return np.argsort(known(x), axis, kind="stable")


def _checked(a, axis, order, name):
    if order is not None:
        raise error(errors.UnsupportedError, f"{name}: order= is for named fields")
    if axis is None:
        return ravel(a), 0
    return a, axis_index(axis, a.ndim, name)


@implements(np.sort)
def sort(a, axis=-1, kind=None, order=None, *, stable=None):
    a, axis = _checked(a, axis, order, "sort")
    return elements_along(a, order_of(a, axis), axis)


@implements(np.argsort)
def argsort(a, axis=-1, kind=None, order=None, *, stable=None):
    a, axis = _checked(a, axis, order, "argsort")
    return order_of(a, axis)


@implements(np.partition)
def partition(a, kth, axis=-1, kind="introselect", order=None):
    """NumPy's partition; equal elements in their order."""
    a, axis = _checked(a, axis, order, "partition")
    value = a.graph.value(a.id, "np.partition")
    index = np.argsort(value, axis, kind="stable")
    wanted = np.partition(value, known(kth), axis, kind)
    # The element that is i-th in order stands where the i-th of `wanted` does.
    rank = np.argsort(np.argsort(wanted, axis, kind="stable"), axis, kind="stable")
    return elements_along(a, np.take_along_axis(index, rank, axis), axis)


@implements(np.argpartition)
def argpartition(a, kth, axis=-1, kind="introselect", order=None):
    value = a.graph.value(a.id, "np.argpartition")
    return np.argpartition(value, known(kth), axis, kind, order)


@implements(np.searchsorted)
def searchsorted(a, v, side="left", sorter=None):
    """Positions as a plain array; traced where there are no values yet."""
    if side not in ("left", "right"):
        raise error(errors.ArgumentError, f"searchsorted: no side {side!r}")
    if is_deferred(a, v):
        return _search_deferred(a, v, side, sorter)
    sorter = None if sorter is None else known(sorter)
    return np.searchsorted(known(a), known(v), side, sorter)


def _search_deferred(a, v, side, sorter):
    arrays = [x if isinstance(x, Expr) else np.asarray(x) for x in (a, v)]
    (a, v), _ = promote(graph_of(a, v), arrays)
    if a.ndim != 1:
        raise error(errors.ShapeError, f"searchsorted: sorted array of {a.shape}")
    a = a if sorter is None else a[sorter]
    node = lib.gradc_searchsorted(a.graph.h, a.id, v.id, side == "right")
    return expr(a.graph, node, I64)


# ---- quantiles ----

# (alpha, beta) of the methods that interpolate (Hyndman & Fan 1996); the position of
# quantile q among n sorted elements is q (n + 1 - alpha - beta) + alpha - 1.
_CONTINUOUS = {
    "interpolated_inverted_cdf": (0, 1),
    "hazen": (0.5, 0.5),
    "weibull": (0, 0),
    "linear": (1, 1),
    "median_unbiased": (1 / 3, 1 / 3),
    "normal_unbiased": (3 / 8, 3 / 8),
}
# Those whose results are elements.
_ELEMENTS = {"lower", "higher", "nearest", "inverted_cdf", "closest_observation"}


@implements(np.quantile)
def quantile(
    a,
    q,
    axis=None,
    out=None,
    overwrite_input=False,
    method="linear",
    keepdims=False,
    *,
    weights=None,
):
    return _quantile(traced(a, q), q, axis, method, keepdims, weights, "quantile")


@implements(np.percentile)
def percentile(
    a,
    q,
    axis=None,
    out=None,
    overwrite_input=False,
    method="linear",
    keepdims=False,
    *,
    weights=None,
):
    a = traced(a, q)
    if isinstance(q, (int, float)) and not isinstance(q, np.generic):
        q = q / 100  # weak
    else:
        q = np.true_divide(q, 100)
    return _quantile(a, q, axis, method, keepdims, weights, "percentile")


@implements(np.median)
def median(a, axis=None, out=None, overwrite_input=False, keepdims=False):
    a = floating(a)
    lanes, shape = _lanes(a, axis, keepdims, "median")
    n = lanes.shape[1]
    if n == 0:
        return np.full_like(a, np.nan, shape=shape)
    index = _order(lanes)
    high = elements_along(lanes, index[:, n // 2 : n // 2 + 1], 1)
    if n % 2:
        return reshape_to(high, shape)
    low = elements_along(lanes, index[:, n // 2 - 1 : n // 2], 1)
    return reshape_to((low + high) / 2, shape)


def _lanes(a, axis, keepdims, name):
    """`a` as a matrix whose rows are reduced, and the shape of the result."""
    if axis is None:
        axes = list(range(a.ndim))
    else:
        axes = axis if isinstance(axis, (tuple, list)) else (axis,)
        axes = [axis_index(i, a.ndim, name) for i in axes]
    rest = [i for i in range(a.ndim) if i not in axes]
    if rest + axes != list(range(a.ndim)):
        a_moved = transpose(a, rest + axes)
    else:
        a_moved = a
    n = math.prod(a.shape[i] for i in axes)
    rows = math.prod(a.shape[i] for i in rest)
    if keepdims:
        shape = [1 if i in axes else d for i, d in enumerate(a.shape)]
    else:
        shape = [a.shape[i] for i in rest]
    return reshape_to(a_moved, (rows, n)), shape


def _order(lanes):
    """Argsort of rows. One with a NaN, which is sorted last, has it everywhere."""
    index = order_of(lanes, 1)
    last = index[:, -1:]
    values = lanes if is_deferred(lanes) else known(lanes)
    return np.where(np.isnan(np.take_along_axis(values, last, 1)), last, index)


def _quantile(a, q, axis, method, keepdims, weights, name):
    if method not in _ELEMENTS:
        a = floating(a)
    lanes, shape = _lanes(a, axis, keepdims, name)
    bare = np.asarray(known(q))
    if not isinstance(q, Expr) and np.ndim(q) == 0 and not isinstance(q, np.generic):
        bare = bare.astype(floating(a).dtype)
    if bare.size and not (0 <= bare.min() and bare.max() <= 1):
        raise error(errors.ArgumentError, f"{name}: q is out of range")
    index = _order(lanes)
    at = _places(a, bare, method, weights, index, axis)
    low = np.floor(at)
    part = at - low
    low = low.astype(np.int64)

    def element(i):
        return elements_along(lanes, np.take_along_axis(index, i, 1), 1)

    if isinstance(q, Expr) and method in _CONTINUOUS:
        part = part + _slope(q, bare, method, index.shape[1], at)
    if not isinstance(part, Expr) and not part.any():
        r = element(low)
    else:
        high = np.minimum(low + 1, index.shape[1] - 1)
        r = _between(element, low, high, part)
    if method not in _ELEMENTS:
        r = r.astype(np.result_type(a.dtype, bare.dtype))
    return reshape_to(transpose(r), [*bare.shape, *shape])


def _between(element, low, high, part):
    """Linear between neighbours, from the nearer one as NumPy has it."""
    lower, upper = element(low), element(high)
    if isinstance(part, Expr):
        return lower + (upper - lower) * part
    near = element(np.where(part < 0.5, low, high))
    r = near + (upper - lower) * np.where(part < 0.5, part, part - 1)
    # Where the part is 0 only one element counts; the other may be infinite.
    return r if part.all() else select(part == 0, lower, r)


def _places(a, q, method, weights, index, axis):
    """For every row and quantile a fractional place in the sorted row; but for the
    continuous methods, what NumPy makes of the places themselves."""
    n = index.shape[1]
    if weights is None:
        q = q.ravel().astype(float)
        if method in _CONTINUOUS:
            alpha, beta = _CONTINUOUS[method]
            at = np.clip(q * (n + 1 - alpha - beta) + (alpha - 1), 0, n - 1)
        else:
            at = np.quantile(np.arange(n, dtype=float), q, method=method)
        return np.broadcast_to(at, (len(index), at.size))
    w = np.asarray(known(weights))
    if w.shape != a.shape:
        w = np.broadcast_to(
            w.reshape([n if i == axis % a.ndim else 1 for i in range(a.ndim)]), a.shape
        )
    graph = a.graph
    w = known(_lanes(lift(graph, w), axis, False, "quantile")[0])
    rank = np.argsort(known(index), 1).astype(float)
    at = [
        np.quantile(r, q.ravel(), method=method, weights=v)
        for r, v in zip(rank, w, strict=True)
    ]
    return np.asarray(at).reshape(len(index), q.size)


def _slope(q, bare, method, n, at):
    """A zero that has the derivative of the place by q."""
    alpha, beta = _CONTINUOUS[method]
    moving = (at > 0) & (at < n - 1)
    zero = ravel(q - bare)
    return select(moving, zero * (n + 1 - alpha - beta), 0.0)
