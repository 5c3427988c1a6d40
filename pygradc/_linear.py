"""Products of vectors and matrices."""

import numpy as np

from pygradc import errors
from pygradc._expr import convert, expr, graph_of, promote
from pygradc._lib import F64, OPS, error, lib
from pygradc._protocol import implements, implements_ufunc
from pygradc._shaping import expand_dims, reshape_to, transpose

_MATMUL = OPS["matmul"]


@implements_ufunc(np.matmul)
def matmul(x, y):
    graph = graph_of(x, y)
    (x, y), code = promote(graph, (x, y))
    if code > 1:
        return convert(matmul(convert(x, F64), convert(y, F64)), code)
    return expr(graph, lib.gradc_matmul(graph.h, x.id, y.id), code)


@implements(np.dot)
def dot(a, b, out=None):
    graph = graph_of(a, b)
    (a, b), _ = promote(graph, (a, b))
    if a.ndim == 0 or b.ndim == 0:
        return a * b
    if a.ndim <= 2 and b.ndim <= 2:
        return matmul(a, b)
    return tensordot(a, b, (-1, -2 if b.ndim > 1 else -1))


@implements(np.inner)
def inner(a, b, /):
    graph = graph_of(a, b)
    (a, b), _ = promote(graph, (a, b))
    if a.ndim == 0 or b.ndim == 0:
        return a * b
    return tensordot(a, b, (-1, -1))


@implements(np.vdot)
def vdot(a, b, /):
    graph = graph_of(a, b)
    (a, b), _ = promote(graph, (a, b))
    return matmul(a.ravel(), b.ravel())


@implements(np.outer)
def outer(a, b, out=None):
    graph = graph_of(a, b)
    (a, b), _ = promote(graph, (a, b))
    return expand_dims(a.ravel(), 1) * expand_dims(b.ravel(), 0)


@implements(np.tensordot)
def tensordot(a, b, axes=2):
    graph = graph_of(a, b)
    (a, b), _ = promote(graph, (a, b))
    if isinstance(axes, (int, np.integer)):
        axes_a = list(range(a.ndim - axes, a.ndim))
        axes_b = list(range(axes))
    else:
        axes_a, axes_b = (
            [i] if isinstance(i, (int, np.integer)) else list(i) for i in axes
        )
    axes_a = [i % a.ndim for i in axes_a]
    axes_b = [i % b.ndim for i in axes_b]
    if [a.shape[i] for i in axes_a] != [b.shape[i] for i in axes_b]:
        raise error(
            errors.ShapeError,
            f"tensordot: axes {axes_a} of {a.shape} do not fit {axes_b} of {b.shape}",
        )
    free_a = [i for i in range(a.ndim) if i not in axes_a]
    free_b = [i for i in range(b.ndim) if i not in axes_b]
    shape_a = [a.shape[i] for i in free_a]
    shape_b = [b.shape[i] for i in free_b]
    n = int(np.prod([a.shape[i] for i in axes_a], dtype=np.int64))
    rows = int(np.prod(shape_a, dtype=np.int64))
    columns = int(np.prod(shape_b, dtype=np.int64))
    left = reshape_to(transpose(a, free_a + axes_a), (rows, n))
    right = reshape_to(transpose(b, axes_b + free_b), (n, columns))
    return reshape_to(matmul(left, right), shape_a + shape_b)
