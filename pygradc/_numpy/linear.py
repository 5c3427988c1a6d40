"""Products of vectors and matrices."""

import numpy as np

from pygradc import errors
from pygradc._expr import Expr, convert, expr, graph_of, lift, promote
from pygradc._lib import F64, check, error, lib
from pygradc._numpy.protocol import implements, implements_ufunc
from pygradc._numpy.shaping import axis_index, expand_dims, reshape_to, transpose

_matmul = lib.gradc_matmul  # looked up once


@implements_ufunc(np.matmul)
def matmul(x, y, **options):
    if options:
        return _on_axes(matmul, (2, 2, 2))(x, y, **options)
    (x, y), code = promote(graph_of(x, y), (x, y))
    return _product(x, y, code)


def _product(x, y, code):
    """Matrix product of Exprs of dtype number `code`."""
    if code > 1:
        return convert(_product(convert(x, F64), convert(y, F64), F64), code)
    graph = x.graph
    return Expr(graph, _matmul(graph.h, x.id, y.id) or check(graph.h), code)


@implements(np.dot)
def dot(a, b, out=None):
    graph = a.graph if type(a) is Expr else graph_of(a, b)
    (a, b), code = promote(graph, (a, b))
    ranks = len(a.shape), len(b.shape)
    if 0 in ranks:
        return a * b
    if max(ranks) <= 2:
        return _product(a, b, code)
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
    axes_a = [axis_index(i, a.ndim, "tensordot") for i in axes_a]
    axes_b = [axis_index(i, b.ndim, "tensordot") for i in axes_b]
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


@implements(np.kron)
def kron(a, b):
    """All products; the axes of `b` vary faster."""
    (a, b), _ = promote(graph_of(a, b), (a, b))
    ndim = max(a.ndim, b.ndim)
    rows = [1] * (ndim - a.ndim) + list(a.shape)
    columns = [1] * (ndim - b.ndim) + list(b.shape)
    a = reshape_to(a, [n for d in rows for n in (d, 1)])
    b = reshape_to(b, [n for d in columns for n in (1, d)])
    return reshape_to(a * b, [m * n for m, n in zip(rows, columns, strict=True)])


@implements(np.cross)
def cross(a, b, axisa=-1, axisb=-1, axisc=-1, axis=None):
    """Along an axis of length 3; one of length 2 stands for a zero third component."""
    if axis is not None:
        axisa = axisb = axisc = axis
    (a, b), code = promote(graph_of(a, b), (a, b))
    a, b = _axis_last(a, axisa), _axis_last(b, axisb)
    n = a.shape[-1], b.shape[-1]
    if not set(n) <= {2, 3}:
        raise error(errors.ShapeError, f"cross: vectors of {n[0]} and {n[1]} elements")
    if n == (2, 2):
        return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
    a, b = _in_space(a), _in_space(b)
    a, b = ([x[..., i] for i in range(3)] for x in (a, b))
    # r_i = a_(i+1) b_(i+2) - a_(i+2) b_(i+1), counted modulo 3
    r = np.stack([a[i - 2] * b[i - 1] - a[i - 1] * b[i - 2] for i in range(3)])
    return np.moveaxis(r, 0, axisc)


def _axis_last(x, axis):
    return x if axis == -1 else np.moveaxis(x, axis, -1)


def _in_space(x):
    if x.shape[-1] == 3:
        return x
    begin, step = [0] * x.ndim, [1] * x.ndim
    shape = [*x.shape[:-1], 3]
    return expr(x.graph, lib.gradc_pad(x.graph.h, x.id, begin, step, shape), x.code)


# ---- generalised ufuncs ----


def _on_axes(core, dims):
    """`core`, which works on the last `dims` axes of (x, y, result), with the options
    axes= and axis=."""

    def apply(x, y, axes=None, axis=None, keepdims=False):
        if axis is not None:
            axes = [(axis,) if d else () for d in dims]
            axes[2] = axes[2] if dims[2] else ()
        if axes is not None:
            graph = graph_of(x, y)
            axes = [a if isinstance(a, tuple) else (a,) for a in axes]
            x, y = (
                np.moveaxis(lift(graph, v), a, tuple(range(-d, 0)))
                for v, a, d in zip((x, y), axes[:2], dims[:2], strict=True)
            )
        for v, d in zip((x, y), dims[:2], strict=True):
            if np.ndim(v) < d:
                raise error(
                    errors.ShapeError,
                    f"{core.__name__[1:]}: an operand of shape {np.shape(v)}, which "
                    f"must have {d} dimensions at least",
                )
        r = core(x, y)
        if axes is not None and dims[2] and len(axes) > 2:
            r = np.moveaxis(r, tuple(range(-dims[2], 0)), axes[2])
        if keepdims:
            r = np.expand_dims(r, -1 if axis is None else axis)
        return r

    return apply


def _vecdot(x, y):
    return np.sum(np.multiply(x, y), axis=-1)


def _matvec(x, y):
    (x, y), _ = promote(graph_of(x, y), (x, y))
    r = matmul(x, expand_dims(y, -1))
    return reshape_to(r, r.shape[:-1])


def _vecmat(x, y):
    (x, y), _ = promote(graph_of(x, y), (x, y))
    r = matmul(expand_dims(x, -2), y)
    return reshape_to(r, [*r.shape[:-2], r.shape[-1]])


vecdot = implements_ufunc("vecdot")(_on_axes(_vecdot, (1, 1, 0)))
matvec = implements_ufunc("matvec")(_on_axes(_matvec, (2, 1, 1)))
vecmat = implements_ufunc("vecmat")(_on_axes(_vecmat, (1, 2, 1)))
