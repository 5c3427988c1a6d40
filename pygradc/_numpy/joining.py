"""NumPy functions that join arrays or repeat their elements."""

import numpy as np

from pygradc import errors
from pygradc._expr import Expr, convert, expr, graph_of, known, lift, promote
from pygradc._lib import error, lib
from pygradc._numpy.protocol import implements, not_given, traced, usual_casting
from pygradc._numpy.shaping import (
    atleast_1d,
    atleast_2d,
    atleast_3d,
    axis_index,
    broadcast_to,
    ravel,
    reshape_to,
    take_flat,
    transpose,
)


def join(graph, arrays, axis, code):
    """`arrays`, Exprs of one dtype, one after the other along `axis`."""
    node = lib.gradc_concat(graph.h, len(arrays), [a.id for a in arrays], int(axis))
    return expr(graph, node, code)


def arrays_of(values):
    """`values` as Exprs, all of the graph of the first traced one."""
    values = list(values)
    graph = graph_of(*values)
    # A Python number in a sequence is an array of its own and not weak.
    return [
        v if type(v) is Expr else lift(graph, v if graph_of(v) else np.asarray(v))
        for v in values
    ]


@implements(np.concatenate, "concat")
def concatenate(arrays, /, axis=0, out=None, *, dtype=None, casting="same_kind"):
    not_given(out=out)
    usual_casting(casting, "same_kind")
    arrays = arrays_of(arrays)
    arrays, code = promote(arrays[0].graph, arrays)
    if axis is None:
        arrays, axis = [ravel(a) for a in arrays], 0
    r = join(arrays[0].graph, arrays, axis, code)
    return r if dtype is None else r.astype(dtype)


@implements(np.stack)
def stack(arrays, axis=0, out=None, *, dtype=None, casting="same_kind"):
    not_given(out=out)
    usual_casting(casting, "same_kind")
    arrays = arrays_of(arrays)
    arrays, code = promote(arrays[0].graph, arrays)
    shape = list(arrays[0].shape)
    if any(a.shape != arrays[0].shape for a in arrays):
        raise error(errors.ShapeError, "stack: all arrays must have the same shape")
    axis = axis_index(axis, len(shape) + 1, "stack")
    shape.insert(axis, 1)
    arrays = [reshape_to(a, shape) for a in arrays]
    r = join(arrays[0].graph, arrays, axis, code)
    return r if dtype is None else r.astype(dtype)


@implements(np.hstack)
def hstack(tup, *, dtype=None, casting="same_kind"):
    usual_casting(casting, "same_kind")
    arrays = [atleast_1d(a) for a in arrays_of(tup)]
    return concatenate(arrays, 0 if arrays[0].ndim == 1 else 1, dtype=dtype)


@implements(np.vstack, "row_stack")
def vstack(tup, *, dtype=None, casting="same_kind"):
    usual_casting(casting, "same_kind")
    return concatenate([atleast_2d(a) for a in arrays_of(tup)], 0, dtype=dtype)


@implements(np.dstack)
def dstack(tup):
    return concatenate([atleast_3d(a) for a in arrays_of(tup)], 2)


@implements(np.column_stack)
def column_stack(tup):
    columns = arrays_of(tup)
    columns = [a if a.ndim > 1 else transpose(atleast_2d(a)) for a in columns]
    return concatenate(columns, 1)


@implements(np.append)
def append(arr, values, axis=None):
    return concatenate(arrays_of((arr, values)), axis)


@implements(np.block)
def block(arrays):
    """Innermost lists joined along the last axis, the next along the one before."""
    graph = graph_of(arrays)
    depth = _depth(arrays)
    ndim = max(depth, max(np.ndim(a) for a in _leaves(arrays)))

    def joined(part, level):
        if isinstance(part, list):
            return concatenate(
                [joined(p, level + 1) for p in part], ndim - depth + level
            )
        x = lift(graph, part if type(part) is Expr else np.asarray(part))
        return reshape_to(x, [1] * (ndim - x.ndim) + list(x.shape))

    return joined(arrays, 0)


def _leaves(arrays):
    if not isinstance(arrays, list):
        return [arrays]
    return [leaf for part in arrays for leaf in _leaves(part)]


def _depth(arrays):
    if not isinstance(arrays, list):
        return 0
    depths = {_depth(a) for a in arrays}
    if len(depths) != 1:
        raise error(errors.ArgumentError, "block: lists of different or no depth")
    return 1 + depths.pop()


# ---- by index ----


@implements(np.insert)
def insert(arr, obj, values, axis=None):
    graph = graph_of(arr, values)
    arr = lift(graph, arr)
    values = convert(lift(graph, values), arr.code)
    obj = known(obj) if isinstance(obj, Expr) else obj
    positions = np.insert(
        np.arange(arr.size).reshape(arr.shape),
        obj,
        arr.size + np.arange(values.size).reshape(values.shape),
        axis,
    )
    both = join(graph, [ravel(arr), ravel(values)], 0, arr.code)
    return take_flat(both, positions)


@implements(np.delete)
def delete(arr, obj, axis=None):
    obj = known(obj) if isinstance(obj, Expr) else obj
    arr = traced(arr)
    if axis is None:
        return take_flat(arr, np.delete(np.arange(arr.size), obj))
    return _rows_at(arr, np.delete(np.arange(arr.shape[axis]), obj), axis)


def _rows_at(x, index, axis):
    return x[(slice(None),) * axis_index(axis, x.ndim, "axis") + (index,)]


@implements(np.compress)
def compress(condition, a, axis=None, out=None):
    not_given(out=out)
    index = np.flatnonzero(known(condition))
    a = ravel(a) if axis is None else a
    return _rows_at(a, index, 0 if axis is None else axis)


@implements(np.repeat)
def repeat(a, repeats, axis=None):
    repeats = np.asarray(known(repeats))
    if axis is None:
        a, axis = ravel(a), 0
    axis = axis_index(axis, a.ndim, "repeat")
    shape = list(a.shape)
    if repeats.size != 1:
        return _rows_at(a, np.repeat(np.arange(shape[axis]), repeats), axis)
    n = repeats.item()
    a = reshape_to(a, shape[: axis + 1] + [1] + shape[axis + 1 :])
    a = broadcast_to(a, shape[: axis + 1] + [n] + shape[axis + 1 :])
    shape[axis] *= n
    return reshape_to(a, shape)


@implements(np.tile)
def tile(A, reps):
    a, reps = A, [int(n) for n in np.atleast_1d(reps)]
    ndim = max(a.ndim, len(reps))
    shape = [1] * (ndim - a.ndim) + list(a.shape)
    reps = [1] * (ndim - len(reps)) + reps
    apart = [n for d in shape for n in (1, d)]
    spread = [n for pair in zip(reps, shape, strict=True) for n in pair]
    a = broadcast_to(reshape_to(a, apart), spread)
    return reshape_to(a, [d * n for d, n in zip(shape, reps, strict=True)])


@implements(np.choose)
def choose(a, choices, out=None, mode="raise"):
    not_given(out=out)
    graph = graph_of(a, choices)
    if isinstance(choices, Expr):
        choices = list(choices)
    choices, code = promote(graph, choices)
    n = len(choices)
    a = a if isinstance(a, Expr) else np.asarray(a)
    shape = np.broadcast_shapes(a.shape, *[c.shape for c in choices])
    table = join(
        graph, [reshape_to(broadcast_to(c, shape), (-1,)) for c in choices], 0, code
    )
    if mode == "wrap":
        a = a % n
    elif mode == "clip":
        a = np.clip(a, 0, n - 1)
    elif not isinstance(a, Expr) and ((a < 0) | (a >= n)).any():
        raise error(errors.IndexRangeError, f"choose: an index is not in 0..{n - 1}")
    else:
        a = np.where(a < 0, n, a)  # out of range when it runs
    size = int(np.prod(shape, dtype=np.int64))
    index = a * size + np.arange(size).reshape(shape)
    if isinstance(index, Expr):
        node = lib.gradc_gather(graph.h, table.id, index.id)
        return expr(graph, node, code)
    return take_flat(table, index)
