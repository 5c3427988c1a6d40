"""NumPy functions whose results are piecewise constant, or facts about an array.

Tests of every element and of whole arrays stay traced, so that they can be recorded;
positions, whose number depends on the values, are plain arrays.
"""

import numpy as np

from pygradc._expr import Expr, graph_of, known, lift, promote
from pygradc._lib import I64, OPS
from pygradc._numpy.protocol import implements
from pygradc._numpy.shaping import constant


def _filled_bool(x, value):
    return constant(x.graph, value, x.shape, bool)


@implements(np.iscomplex)
def iscomplex(x):
    return _filled_bool(x, False)


@implements(np.isreal)
def isreal(x):
    return _filled_bool(x, True)


@implements(np.iscomplexobj)
def iscomplexobj(x):
    return False


@implements(np.isrealobj)
def isrealobj(x):
    return True


@implements(np.isposinf)
def isposinf(x):
    return x == np.inf


@implements(np.isneginf)
def isneginf(x):
    return x == -np.inf


@implements(np.isclose)
def isclose(a, b, rtol=1e-5, atol=1e-8, equal_nan=False):
    (a, b), _ = promote(graph_of(a, b), (a, b), OPS["isnan"])
    near = (a == b) | (np.isfinite(b) & (np.abs(a - b) <= atol + rtol * np.abs(b)))
    return near | (np.isnan(a) & np.isnan(b)) if equal_nan else near


@implements(np.allclose)
def allclose(a, b, rtol=1e-5, atol=1e-8, equal_nan=False):
    return np.all(isclose(a, b, rtol, atol, equal_nan))


def _both(a1, a2):
    graph = graph_of(a1, a2)
    return [x if isinstance(x, Expr) else lift(graph, np.asarray(x)) for x in (a1, a2)]


@implements(np.array_equal)
def array_equal(a1, a2, equal_nan=False):
    x, y = _both(a1, a2)
    if x.shape != y.shape:
        return constant(x.graph, False, (), bool)
    same = x == y
    if equal_nan and x.code < I64 and y.code < I64:
        same = same | (np.isnan(x) & np.isnan(y))
    return np.all(same)


@implements(np.array_equiv)
def array_equiv(a1, a2):
    x, y = _both(a1, a2)
    try:
        np.broadcast_shapes(x.shape, y.shape)
    except ValueError:
        return constant(x.graph, False, (), bool)
    return np.all(x == y)


@implements(np.nonzero)
def nonzero(a):
    if a.ndim == 0:
        raise TypeError("a 0-d array has no positions: use np.atleast_1d")
    return np.nonzero(known(a))


@implements(np.argwhere)
def argwhere(a):
    return np.argwhere(known(a))


@implements(np.flatnonzero)
def flatnonzero(a):
    return np.flatnonzero(known(a))


@implements(np.result_type)
def result_type(*arrays_and_dtypes):
    return np.result_type(
        *[x.dtype if isinstance(x, Expr) else x for x in arrays_and_dtypes]
    )


@implements(np.can_cast)
def can_cast(from_, to, casting="safe"):
    kind = from_.dtype if isinstance(from_, Expr) else from_
    return np.can_cast(kind, to, casting)


@implements(np.shape)
def shape(a):
    return a.shape


@implements(np.ndim)
def ndim(a):
    return a.ndim


@implements(np.size)
def size(a, axis=None):
    if axis is None:
        return a.size
    if isinstance(axis, tuple):
        return int(np.prod([a.shape[i] for i in axis], dtype=np.int64))
    return a.shape[axis]
