"""Differences, integrals, interpolation and convolution along an axis."""

import numpy as np

from pygradc import errors
from pygradc._expr import Expr, convert, expr, graph_of, lift, promote
from pygradc._lib import BOOL, F64, I64, error, lib
from pygradc._numpy.elementwise import floating
from pygradc._numpy.joining import join
from pygradc._numpy.protocol import absent, implements, traced
from pygradc._numpy.reducing import reduce
from pygradc._numpy.shaping import (
    axis_index,
    broadcast_to,
    reshape_to,
    slice_along,
    take_flat,
)
from pygradc._numpy.sorting import argsort, searchsorted


def _pairs(x, axis):
    """x without its first and without its last element along `axis`."""
    n = max(x.shape[axis] - 1, 0)
    return slice_along(x, axis, 1, n), slice_along(x, axis, 0, n)


@implements(np.diff)
def diff(a, n=1, axis=-1, prepend=np._NoValue, append=np._NoValue):
    if n == 0:
        return a
    if n < 0:
        raise error(errors.ArgumentError, f"diff: n = {n} is negative")
    a = traced(a, prepend, append)
    axis = axis_index(axis, a.ndim, "diff")
    parts = [a]
    for at_front, more in ((True, prepend), (False, append)):
        if not absent(more):
            more = lift(a.graph, more if isinstance(more, Expr) else np.asarray(more))
            if more.ndim == 0:
                shape = list(a.shape)
                shape[axis] = 1
                more = broadcast_to(more, shape)
            parts = [more, *parts] if at_front else [*parts, more]
    if len(parts) > 1:
        parts, code = promote(a.graph, parts)
        a = join(a.graph, parts, axis, code)
    for _ in range(n):
        after, before = _pairs(a, axis)
        a = after != before if a.code == BOOL else after - before
    return a


@implements("trapezoid")
def trapezoid(y, x=None, dx=1.0, axis=-1):
    y = traced(y, x, dx)
    axis = axis_index(axis, y.ndim, "trapezoid")
    if x is None:
        d = dx
    else:
        x = lift(y.graph, x)
        d = diff(x, axis=0 if x.ndim == 1 else axis)
        if x.ndim == 1:
            d = reshape_to(d, [-1 if i == axis else 1 for i in range(y.ndim)])
    after, before = _pairs(y, axis)
    return np.sum(d * (after + before) / 2.0, axis=axis)


# ---- gradient ----


@implements(np.gradient)
def gradient(f, *varargs, axis=None, edge_order=1):
    f = floating(traced(f, *varargs))
    axes = range(f.ndim) if axis is None else axis
    axes = axes if isinstance(axes, (tuple, list, range)) else (axes,)
    axes = [axis_index(a, f.ndim, "gradient") for a in axes]
    if edge_order not in (1, 2):
        raise error(errors.ArgumentError, f"gradient: edge_order {edge_order}")
    if len(varargs) == 1 and np.ndim(varargs[0]) == 0:
        varargs *= len(axes)
    if len(varargs) not in (0, len(axes)):
        raise error(
            errors.DTypeError, f"gradient: {len(varargs)} spacings, {len(axes)} axes"
        )
    spacings = [_spacing(f, a, h) for a, h in zip(axes, varargs, strict=False)]
    spacings = spacings or [1.0] * len(axes)
    results = tuple(
        _gradient(f, a, h, edge_order) for a, h in zip(axes, spacings, strict=True)
    )
    return results[0] if len(results) == 1 else results


def _spacing(f, axis, h):
    """The spacing itself, or the distances between the coordinates `h`."""
    if np.ndim(h) == 0:
        return h
    if np.shape(h) != (f.shape[axis],):
        raise error(
            errors.ShapeError,
            f"gradient: coordinates of {np.shape(h)} for axis {axis} of {f.shape}",
        )
    d = floating(diff(lift(f.graph, h)))
    return reshape_to(d, [-1 if i == axis else 1 for i in range(f.ndim)])


def _gradient(f, axis, h, edge_order):
    n = f.shape[axis]
    if n < edge_order + 1:
        raise error(
            errors.ShapeError,
            f"gradient: axis {axis} of {f.shape} needs {edge_order + 1} elements",
        )

    def part(begin, size):
        return slice_along(f, axis, begin, size)

    uneven = isinstance(h, Expr) and h.ndim > 0
    rise = [h if not uneven else slice_along(h, axis, i, 1) for i in (0, n - 2)]
    parts = []
    if n > 2:
        outer = part(0, n - 2), part(1, n - 2), part(2, n - 2)
        if uneven:
            h1 = slice_along(h, axis, 0, n - 2)
            h2 = slice_along(h, axis, 1, n - 2)
            # The weights of a parabola through three points, on slopes.
            left = (outer[1] - outer[0]) / h1
            right = (outer[2] - outer[1]) / h2
            parts.append((left * h2 + right * h1) / (h1 + h2))
        else:
            parts.append((outer[2] - outer[0]) / (2.0 * h))
    first = (part(1, 1) - part(0, 1)) / rise[0]
    last = (part(n - 1, 1) - part(n - 2, 1)) / rise[1]
    if edge_order == 2:
        first = _at_end(f, axis, h, first, 1, 0)
        last = _at_end(f, axis, h, last, n - 3, n - 2)
    parts = [first, *parts, last]
    (*parts, _), code = promote(f.graph, [*parts, first])
    r = join(f.graph, parts, axis, code)
    return convert(r, f.code)


def _at_end(f, axis, h, slope, inner, outer):
    """Slope of the parabola at an end, from the slopes of its two intervals: that
    numbered `outer`, whose slope is `slope`, and its neighbour."""
    rise = slice_along(f, axis, inner + 1, 1) - slice_along(f, axis, inner, 1)
    if np.ndim(h) == 0:
        return slope + (slope - rise / h) / 2.0
    inner, outer = (slice_along(h, axis, i, 1) for i in (inner, outer))
    return slope + (slope - rise / inner) * outer / (outer + inner)


# ---- interpolation ----


@implements(np.interp)
def interp(x, xp, fp, left=None, right=None, period=None):
    """Linear between the points; at a point the slope is that of the interval after."""
    graph = graph_of(x, xp, fp, left, right, period)
    x, xp, fp = (_float64(v) for v in (x, xp, fp))
    if xp.ndim != 1 or xp.shape != fp.shape or not xp.size:
        raise error(errors.ShapeError, f"interp: points of {xp.shape} and {fp.shape}")
    if period is not None:
        x, xp, fp = _one_period(x, xp, fp, period)
        left = right = None
    n = xp.size
    if n == 1:
        r = np.broadcast_to(fp[0], x.shape)
    else:
        at = np.clip(searchsorted(xp, x, "right") - 1, 0, n - 2)
        run = np.diff(xp)
        slope = np.diff(fp) / np.where(run == 0, 1.0, run)
        x0, f0, slope = (_at(v, at) for v in (xp, fp, slope))
        r = f0 + slope * (x - x0)
    r = np.where(x < xp[0], fp[0] if left is None else left, r)
    r = np.where(x > xp[n - 1], fp[n - 1] if right is None else right, r)
    return lift(graph, np.where(np.isnan(x), x, r))


def _float64(x):
    return convert(x, F64) if isinstance(x, Expr) else np.asarray(x, np.float64)


def _at(x, index):
    """x[index], of one axis; the index is traced where there are no values yet."""
    if isinstance(index, Expr):
        x = lift(index.graph, x)
        node = lib.gradc_gather(x.graph.h, x.id, index.id)
        return expr(x.graph, node, x.code)
    return take_flat(x, index) if isinstance(x, Expr) else x[index]


def _one_period(x, xp, fp, period):
    if not isinstance(period, Expr):
        if period == 0:
            raise error(errors.ArgumentError, "interp: period is 0")
        period = abs(period)
    x, xp = x % period, xp % period
    order = argsort(xp) if isinstance(xp, Expr) else np.argsort(xp, kind="stable")
    xp, fp = _at(xp, order), _at(fp, order)
    n = xp.size
    xp = np.concatenate([xp[n - 1 :] - period, xp, xp[:1] + period])
    return x, xp, np.concatenate([fp[n - 1 :], fp, fp[:1]])


# ---- convolution, polynomials ----


def _convolved(a, v, begin, length):
    """Elements [begin, begin + length) of the full convolution."""
    if a.code < I64:
        graph, turned = a.graph.h, np.flip(v)
        shift = v.size - 1 - begin
        node = lib.gradc_correlate(graph, a.id, turned.id, shift, length)
        return expr(a.graph, node, a.code)
    # the rows of the outer product, each one place further, added up: shifting is a
    # matter of row lengths
    n, m = a.size, v.size
    product = reshape_to(v, (m, 1)) * a
    node = lib.gradc_pad(a.graph.h, product.id, [0, 0], [1, 1], [m, n + m])
    flat = reshape_to(expr(a.graph, node, a.code), (m * (n + m),))
    flat = slice_along(flat, 0, 0, m * (n + m - 1))
    full = reduce("sum", reshape_to(flat, (m, n + m - 1)), 0)
    return slice_along(full, 0, begin, length)


def _convolve(a, v, mode, name, swapped=False):
    if a.ndim != 1 or v.ndim != 1 or not a.size or not v.size:
        raise error(errors.ShapeError, f"{name}: shapes {a.shape} and {v.shape}")
    if v.size > a.size:
        a, v = v, a
    n, m = a.size, v.size
    # correlate counts the middle from the other end if it exchanged the arrays
    middle = m // 2 if swapped else (m - 1) // 2
    parts = {"full": (0, n + m - 1), "same": (middle, n), "valid": (m - 1, n - m + 1)}
    if mode not in parts:
        raise error(errors.ArgumentError, f"{name}: no mode {mode!r}")
    return _convolved(a, v, *parts[mode])


@implements(np.convolve)
def convolve(a, v, mode="full"):
    (a, v), _ = promote(graph_of(a, v), [np.atleast_1d(x) for x in _arrays(a, v)])
    return _convolve(a, v, mode, "convolve")


@implements(np.correlate)
def correlate(a, v, mode="valid"):
    (a, v), _ = promote(graph_of(a, v), [np.atleast_1d(x) for x in _arrays(a, v)])
    return _convolve(a, np.flip(v), mode, "correlate", v.size > a.size)


def _arrays(*values):
    graph = graph_of(*values)
    return [v if isinstance(v, Expr) else lift(graph, np.asarray(v)) for v in values]


@implements(np.polyval)
def polyval(p, x):
    """Horner's rule."""
    graph = graph_of(p, x)
    p = p if isinstance(p, Expr) else lift(graph, p)
    x = x if isinstance(x, Expr) else lift(graph, np.asarray(x))
    r = x * 0
    for i in range(p.size):
        r = r * x + p[i]
    return r
