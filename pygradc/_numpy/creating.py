"""Arrays made of traced parts: from nested sequences, from fill values and bounds.

What `pygradc.numpy` offers beyond NumPy's protocols, and np.linspace, which NumPy does
hand over.
"""

import numpy as np

from pygradc import errors
from pygradc._expr import Expr, graph_of, lift, promote
from pygradc._graph import state
from pygradc._lib import DTYPES, OPS, error
from pygradc._numpy.joining import join
from pygradc._numpy.protocol import implements
from pygradc._numpy.shaping import broadcast_to, constant, reshape_to, take_flat


@implements(np.linspace)
def linspace(
    start,
    stop,
    num=50,
    endpoint=True,
    retstep=False,
    dtype=None,
    axis=0,
    *,
    device=None,
):
    """Weighted means of the two ends, which are met exactly."""
    (start, stop), _ = promote(graph_of(start, stop), (start, stop), OPS["div"])
    num = int(num)
    if num < 0:
        raise error(errors.ArgumentError, f"linspace: num = {num} is negative")
    steps = num - 1 if endpoint else num
    ndim = max(start.ndim, stop.ndim)
    t = np.arange(num, dtype=start.dtype) / max(steps, 1)
    t = t.reshape([num] + [1] * ndim)
    r = start * (1 - t) + stop * t
    if axis != 0:
        r = np.moveaxis(r, 0, axis)
    if dtype is not None:
        r = np.floor(r) if np.dtype(dtype).kind in "iu" else r
        r = r.astype(dtype)
    if not retstep:
        return r
    return r, (stop - start) / steps if steps > 0 else np.nan


def full(graph, shape, fill_value, dtype=None):
    """An Expr of `shape`, or a plain array if no Expr has that dtype."""
    if graph_of(fill_value) is None:
        value = np.asarray(fill_value)
        dtype = value.dtype if dtype is None else np.dtype(dtype)
        if value.ndim == 0:
            r = constant(graph, value, shape, dtype)
        else:
            r = lift(graph, np.full(shape, value, dtype)) if dtype in DTYPES else None
        return np.full(shape, fill_value, dtype) if r is None else r
    shape = (shape,) if np.ndim(shape) == 0 else shape
    r = broadcast_to(lift(graph, fill_value), [int(n) for n in shape])
    return r if dtype is None else r.astype(dtype)


def array(values, dtype=None, ndmin=0):
    """An Expr of nested sequences that hold traced values somewhere.

    As for np.array, Python numbers count as float64, int64 and bool.
    """
    graph = graph_of(values)
    leaves = []
    shape = _collect(values, leaves)
    exprs = [v if type(v) is Expr else lift(graph, np.asarray(v)) for v in leaves]
    if len({x.shape for x in exprs}) > 1:
        raise error(
            errors.ShapeError,
            "array: parts of shapes "
            + ", ".join(sorted({str(x.shape) for x in exprs}))
            + " in one array",
        )
    exprs, code = promote(graph, exprs)
    if shape:
        part = exprs[0].shape
        exprs = [reshape_to(x, (1, *part)) for x in exprs]
        x = exprs[0] if len(exprs) == 1 else join(graph, exprs, 0, code)
        x = reshape_to(x, (*shape, *part))
    else:
        x = exprs[0].copy()
    if x.ndim < ndmin:
        x = reshape_to(x, (1,) * (ndmin - x.ndim) + x.shape)
    return x if dtype is None else x.astype(dtype)


def _collect(values, leaves):
    """Appends the parts of nested sequences to `leaves`; returns the shape in which
    they stand."""
    if not isinstance(values, (list, tuple)):
        leaves.append(values)
        return ()
    shapes = {_collect(v, leaves) for v in values}
    if len(shapes) > 1:
        return _collect_levelled(values, leaves)
    return (len(values), *(shapes.pop() if shapes else ()))


def _collect_levelled(values, leaves):
    """As `_collect` where arrays stand beside sequences: the sequences become arrays
    of their own."""
    count = sum(1 for _ in _flat(values))
    del leaves[len(leaves) - count :]
    for v in values:
        if isinstance(v, (list, tuple)):
            v = array(v) if graph_of(v) is not None else np.asarray(v)
        leaves.append(v)
    return (len(values),)


def _flat(values):
    if not isinstance(values, (list, tuple)):
        yield values
        return
    for v in values:
        yield from _flat(v)


def trace_of(*values):
    """The graph of the first traced one of `values`, or that being traced, or None."""
    return graph_of(*values) or state.graph


class Concatenator:
    """What np.r_ and np.c_ are, for traced values too.

    NumPy's own arranges the positions of all elements laid out one after the other.
    """

    def __init__(self, own, name):
        self._own, self._name = own, name

    def __getitem__(self, key):
        items = list(key) if isinstance(key, tuple) else [key]
        items = [_filled_in(k) if isinstance(k, slice) else k for k in items]
        graph = graph_of(*items)
        if graph is None:
            return self._own[key]
        if items[0] in ("r", "c") if isinstance(items[0], str) else False:
            raise error(errors.UnsupportedError, f"{self._name}: matrix results")
        parts = [k for k in items if not isinstance(k, str)]
        exprs, code = promote(
            graph, [array(k) if graph_of(k) is not None else _plain(k) for k in parts]
        )
        flat = join(graph, [reshape_to(x, (-1,)) for x in exprs], 0, code)
        positions, start = [], 0
        for x in exprs:
            positions.append(np.arange(start, start + x.size).reshape(x.shape))
            start += x.size
        at = iter(positions)
        key = tuple(k if isinstance(k, str) else next(at) for k in items)
        try:
            return take_flat(flat, self._own[key])
        except ValueError as why:
            shapes = ", ".join(str(x.shape) for x in exprs)
            raise error(
                errors.ShapeError, f"{self._name}: parts of shapes {shapes} do not fit"
            ) from why

    def __len__(self):
        return 0


def _plain(x):
    """Numbers stay weak."""
    return x if isinstance(x, (bool, int, float)) else np.asarray(x)


def _filled_in(s):
    """The elements that a slice stands for."""
    if graph_of(s.start, s.stop, s.step) is None:
        return np.r_[s]
    if isinstance(s.step, complex):
        start = 0 if s.start is None else s.start
        return linspace(start, s.stop, int(abs(s.step)))
    raise error(errors.UnsupportedError, "r_: a slice with traced bounds needs n*1j")
