"""NumPy functions that move elements: views, joins, and moves by index."""

import numpy as np

from pygradc import errors
from pygradc._expr import Expr, expr, graph_of, lift, promote
from pygradc._lib import error, lib
from pygradc._protocol import implements, not_given


def reshape_to(x, shape):
    """`x` in `shape`, one entry of which may be -1, in C order."""
    shape = [int(d) for d in shape]
    return expr(
        x.graph, lib.gradc_reshape(x.graph.h, x.id, len(shape), shape), x.code
    )


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
    index = lift(graph, np.asarray(positions, np.int64, order="C"))
    flat = reshape_to(x, (-1,) if x.size else (0,))
    return expr(graph, lib.gradc_gather(graph.h, flat.id, index.id), x.code)


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
    axes = tuple(range(a.ndim))[::-1] if axes is None else [int(i) for i in axes]
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


@implements(np.concatenate)
def concatenate(arrays, /, axis=0, out=None, *, dtype=None, casting=None):
    not_given(out=out)
    arrays = list(arrays)
    graph = graph_of(*arrays)
    arrays, code = promote(graph, arrays)
    if axis is None:
        arrays, axis = [ravel(a) for a in arrays], 0
    node = lib.gradc_concat(graph.h, len(arrays), [a.id for a in arrays], int(axis))
    r = expr(graph, node, code)
    return r if dtype is None else r.astype(dtype)


@implements(np.stack)
def stack(arrays, axis=0, out=None, *, dtype=None, casting=None):
    not_given(out=out)
    graph = graph_of(*arrays)
    arrays, _ = promote(graph, list(arrays))
    if len({a.shape for a in arrays}) > 1:
        raise error(errors.ShapeError, "stack: all arrays must have the same shape")
    return concatenate([expand_dims(a, axis) for a in arrays], axis, dtype=dtype)


@implements(np.hstack)
def hstack(tup, *, dtype=None, casting=None):
    graph = graph_of(*tup)
    arrays = [atleast_1d(lift(graph, a)) for a in tup]
    return concatenate(arrays, 0 if arrays[0].ndim == 1 else 1, dtype=dtype)


@implements(np.vstack)
def vstack(tup, *, dtype=None, casting=None):
    graph = graph_of(*tup)
    return concatenate([atleast_2d(lift(graph, a)) for a in tup], 0, dtype=dtype)


@implements(np.dstack)
def dstack(tup):
    graph = graph_of(*tup)
    return concatenate([atleast_3d(lift(graph, a)) for a in tup], 2)


@implements(np.column_stack)
def column_stack(tup):
    graph = graph_of(*tup)
    columns = [lift(graph, a) for a in tup]
    return concatenate([a if a.ndim > 1 else atleast_2d(a).T for a in columns], 1)


@implements(np.append)
def append(arr, values, axis=None):
    graph = graph_of(arr, values)
    return concatenate([lift(graph, arr), lift(graph, values)], axis)


@implements(np.shape)
def shape(a):
    return a.shape


@implements(np.ndim)
def ndim(a):
    return a.ndim


@implements(np.size)
def size(a, axis=None):
    return a.size if axis is None else a.shape[axis]


def _filled(value):
    def like(a, dtype=None, order="K", subok=True, shape=None, *, device=None):
        own = a.shape if shape is None else shape
        return np.full(own, value, a.dtype if dtype is None else dtype)

    return like


zeros_like = implements(np.zeros_like)(_filled(0))
ones_like = implements(np.ones_like)(_filled(1))
empty_like = implements(np.empty_like)(_filled(0))


@implements(np.full_like)
def full_like(a, fill_value, dtype=None, order="K", subok=True, shape=None, *,
              device=None):
    own = a.shape if shape is None else shape
    dtype = a.dtype if dtype is None else dtype
    if isinstance(fill_value, Expr):
        return broadcast_to(fill_value, own).astype(dtype)
    return np.full(own, fill_value, dtype)
