"""NumPy functions that give the same elements another shape, and what they stand on."""

import numpy as np

from pygradc import errors
from pygradc._expr import Expr, expr, graph_of, lift
from pygradc._lib import DTYPES, error, lib
from pygradc._numpy.protocol import implements


def reshape_to(x, shape):
    """`x` in `shape`, one entry of which may be -1, in C order."""
    shape = [int(d) for d in shape]
    return expr(x.graph, lib.gradc_reshape(x.graph.h, x.id, len(shape), shape), x.code)


def moved(move, x, *args, **kwargs):
    """What `move`, a NumPy function that only moves elements, makes of `x`.

    It is applied to the positions of the elements, which `x` is then indexed by: right
    for every option that NumPy has, at the price of an index array.
    """
    positions = move(np.arange(x.size).reshape(x.shape), *args, **kwargs)
    return take_flat(x, positions)


def take_flat(x, positions):
    """x.ravel()[positions]."""
    graph = x.graph
    if not isinstance(positions, Expr):
        positions = np.asarray(positions, np.int64, order="C")
    index = lift(graph, positions)
    flat = reshape_to(x, (-1,) if x.size else (0,))
    return expr(graph, lib.gradc_gather(graph.h, flat.id, index.id), x.code)


def slice_along(x, axis, begin, size, step=1):
    """`size` elements of `x` along `axis` from `begin` on, by `step`."""
    shape = list(x.shape)
    begins, steps = [0] * len(shape), [1] * len(shape)
    begins[axis], steps[axis], shape[axis] = begin if size else 0, step, size
    return expr(x.graph, lib.gradc_slice(x.graph.h, x.id, begins, steps, shape), x.code)


def axis_index(axis, ndim, name):
    """`axis` counted from the front."""
    axis = int(axis)
    if not -ndim <= axis < ndim:
        raise error(errors.IndexRangeError, f"{name}: axis {axis} of {ndim} dimensions")
    return axis % ndim


def constant(graph, value, shape, dtype):
    """A new Expr of `shape` filled with `value`; None if no Expr has that dtype."""
    dtype = np.dtype(dtype)
    if dtype not in DTYPES:
        return None
    shape = (shape,) if np.ndim(shape) == 0 else shape
    shape = [int(n) for n in shape]
    code = DTYPES.index(dtype)
    x = Expr(graph, graph.scalar(dtype.type(value).item(), code), code)
    return broadcast_to(x, shape)


@implements(np.reshape)
def reshape(a, /, shape=None, order="C", *, copy=None):
    shape = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
    if order in ("C", "A"):
        return reshape_to(a, shape)
    if order != "F":
        raise error(errors.ArgumentError, f"reshape: no order {order!r}")
    return transpose(reshape_to(transpose(a), reversed(shape)))


@implements(np.ravel)
def ravel(a, order="C"):
    return reshape(a, (a.size,), order="F" if order == "F" else "C")


@implements(np.transpose, np.permute_dims)
def transpose(a, axes=None):
    if axes is None:
        axes = range(a.ndim)[::-1]
    elif isinstance(axes, (int, np.integer)):
        axes = (axes,)
    axes = [int(i) for i in axes]
    if len(axes) != a.ndim:
        raise error(errors.ArgumentError, f"transpose: axes {axes} for shape {a.shape}")
    return expr(a.graph, lib.gradc_transpose(a.graph.h, a.id, axes), a.code)


def _reordered(function):
    """A function that permutes axes: NumPy's own tells the permutation."""

    def permute(a, *args, **kwargs):
        names = np.empty((0,) * a.ndim)
        marked = np.lib.stride_tricks.as_strided(
            names, tuple(range(1, a.ndim + 1)), (0,) * a.ndim
        )
        return transpose(a, [d - 1 for d in function(marked, *args, **kwargs).shape])

    return implements(function)(permute)


swapaxes = _reordered(np.swapaxes)
moveaxis = _reordered(np.moveaxis)
rollaxis = _reordered(np.rollaxis)
matrix_transpose = _reordered(np.matrix_transpose)


def _reshaped(function):
    """A function that only adds or drops axes of length 1."""

    def change(a, *args, **kwargs):
        empty = np.lib.stride_tricks.as_strided(np.empty(1), a.shape, (0,) * a.ndim)
        return reshape_to(a, function(empty, *args, **kwargs).shape)

    return implements(function)(change)


expand_dims = _reshaped(np.expand_dims)
squeeze = _reshaped(np.squeeze)


def _at_least(function):
    def change(*arrays):
        results = []
        for a in arrays:
            a = lift(graph_of(*arrays), a)
            empty = np.lib.stride_tricks.as_strided(np.empty(1), a.shape, (0,) * a.ndim)
            results.append(reshape_to(a, function(empty).shape))
        return results[0] if len(results) == 1 else tuple(results)

    return implements(function)(change)


atleast_1d = _at_least(np.atleast_1d)
atleast_2d = _at_least(np.atleast_2d)
atleast_3d = _at_least(np.atleast_3d)


@implements(np.broadcast_to)
def broadcast_to(array, shape, subok=False):
    shape = (shape,) if isinstance(shape, (int, np.integer)) else tuple(shape)
    node = lib.gradc_broadcast(array.graph.h, array.id, len(shape), shape)
    return expr(array.graph, node, array.code)


@implements(np.broadcast_arrays)
def broadcast_arrays(*args, subok=False):
    graph = graph_of(*args)
    arrays = [lift(graph, a) for a in args]
    shape = np.broadcast_shapes(*[a.shape for a in arrays])
    return tuple(broadcast_to(a, shape) for a in arrays)


@implements(np.lib.stride_tricks.sliding_window_view)
def sliding_window_view(x, window_shape, axis=None, *, subok=False, writeable=False):
    return moved(np.lib.stride_tricks.sliding_window_view, x, window_shape, axis)


def full_of(a, value, dtype, shape):
    """An Expr like Expr `a`, or a plain array if no Expr has that `dtype`."""
    shape = a.shape if shape is None else shape
    dtype = a.dtype if dtype is None else np.dtype(dtype)
    r = constant(a.graph, value, shape, dtype)
    return np.full(shape, value, dtype) if r is None else r


def _filled(value):
    def like(a, dtype=None, order="K", subok=True, shape=None, *, device=None):
        return full_of(a, value, dtype, shape)

    return like


zeros_like = implements(np.zeros_like)(_filled(0))
ones_like = implements(np.ones_like)(_filled(1))
empty_like = implements(np.empty_like)(_filled(0))


@implements(np.full_like)
def full_like(
    a, fill_value, dtype=None, order="K", subok=True, shape=None, *, device=None
):
    if not isinstance(fill_value, Expr) and np.ndim(fill_value) == 0:
        return full_of(a, fill_value, dtype, shape)
    shape = a.shape if shape is None else shape
    fill = lift(graph_of(a, fill_value), fill_value)
    return broadcast_to(fill, shape).astype(a.dtype if dtype is None else dtype)


@implements(np.meshgrid)
def meshgrid(*xi, copy=True, sparse=False, indexing="xy"):
    graph = graph_of(*xi)
    if indexing not in ("xy", "ij"):
        raise error(errors.ArgumentError, f"meshgrid: no indexing {indexing!r}")
    n = len(xi)
    axes = list(range(n))
    if indexing == "xy" and n > 1:
        axes[:2] = [1, 0]
    arrays = [ravel(lift(graph, x)) for x in xi]
    shape = [1] * n
    for x, axis in zip(arrays, axes, strict=True):
        shape[axis] = x.size
    grids = []
    for x, axis in zip(arrays, axes, strict=True):
        own = [1] * n
        own[axis] = x.size
        x = reshape_to(x, own)
        grids.append(x if sparse else broadcast_to(x, shape))
    return tuple(grids)
