"""NumPy functions that take an array apart or move its elements: splits, flips, rolls,
diagonals. All are views, and joins of views."""

import numpy as np

from pygradc import errors
from pygradc._expr import Expr, expr, known
from pygradc._lib import error, lib
from pygradc._numpy.elementwise import where
from pygradc._numpy.joining import join
from pygradc._numpy.protocol import implements, not_given
from pygradc._numpy.reducing import sum_
from pygradc._numpy.shaping import (
    axis_index,
    ravel,
    reshape_to,
    slice_along,
    transpose,
)

# ---- splits ----


@implements(np.array_split)
def array_split(ary, indices_or_sections, axis=0):
    axis = axis_index(axis, ary.ndim, "array_split")
    n = ary.shape[axis]
    if np.ndim(indices_or_sections) == 0:
        sections = int(indices_or_sections)
        if sections <= 0:
            raise error(errors.ArgumentError, "array_split: no sections")
        each, more = divmod(n, sections)
        sizes = more * [each + 1] + (sections - more) * [each]
        ends = np.cumsum(sizes).tolist()
        bounds = zip([0, *ends[:-1]], ends, strict=True)
    else:
        ends = [int(i) for i in indices_or_sections]
        pairs = zip([0, *ends], [*ends, n], strict=True)
        bounds = [slice(a, b).indices(n)[:2] for a, b in pairs]
    return [slice_along(ary, axis, a, max(b - a, 0)) for a, b in bounds]


@implements(np.split)
def split(ary, indices_or_sections, axis=0):
    axis = axis_index(axis, ary.ndim, "split")
    sections = indices_or_sections
    if np.ndim(sections) == 0 and ary.shape[axis] % int(sections):
        raise error(
            errors.ArgumentError,
            f"split: {ary.shape[axis]} elements in {sections} equal parts",
        )
    return array_split(ary, indices_or_sections, axis)


def _split_along(name, axis_of, least):
    def split_along(ary, indices_or_sections):
        if ary.ndim < least:
            raise error(errors.ArgumentError, f"{name}: shape {ary.shape}")
        return split(ary, indices_or_sections, axis_of(ary))

    return split_along


hsplit = implements(np.hsplit)(
    _split_along("hsplit", lambda a: 0 if a.ndim == 1 else 1, 1)
)
vsplit = implements(np.vsplit)(_split_along("vsplit", lambda a: 0, 2))
dsplit = implements(np.dsplit)(_split_along("dsplit", lambda a: 2, 3))


@implements("unstack")
def unstack(x, /, *, axis=0):
    axis = axis_index(axis, x.ndim, "unstack")
    rest = x.shape[:axis] + x.shape[axis + 1 :]
    return tuple(
        reshape_to(slice_along(x, axis, i, 1), rest) for i in range(x.shape[axis])
    )


# ---- flips and rolls ----


@implements(np.flip)
def flip(m, axis=None):
    axes = range(m.ndim) if axis is None else axis
    axes = axes if isinstance(axes, (tuple, list, range)) else (axes,)
    begin, step = [0] * m.ndim, [1] * m.ndim
    for a in axes:
        a = axis_index(a, m.ndim, "flip")
        begin[a], step[a] = max(m.shape[a] - 1, 0), -1
    node = lib.gradc_slice(m.graph.h, m.id, begin, step, m.shape)
    return expr(m.graph, node, m.code)


def _flip_along(name, axis):
    def flip_along(m):
        if m.ndim <= axis:
            raise error(errors.ArgumentError, f"{name}: shape {m.shape}")
        return flip(m, axis)

    return flip_along


flipud = implements(np.flipud)(_flip_along("flipud", 0))
fliplr = implements(np.fliplr)(_flip_along("fliplr", 1))


@implements(np.rot90)
def rot90(m, k=1, axes=(0, 1)):
    axes = tuple(axes)
    if len(axes) != 2:
        raise error(errors.ArgumentError, f"rot90: {len(axes)} axes")
    a, b = (axis_index(i, m.ndim, "rot90") for i in axes)
    if a == b:
        raise error(errors.ArgumentError, f"rot90: axes {axes} are the same")
    k %= 4
    order = list(range(m.ndim))
    order[a], order[b] = b, a
    if k == 0:
        return m
    if k == 1:
        return transpose(flip(m, b), order)
    if k == 2:
        return flip(m, (a, b))
    return flip(transpose(m, order), b)


@implements(np.roll)
def roll(a, shift, axis=None):
    if axis is None:
        shift = int(np.sum(known(shift)))
        return reshape_to(_rolled(ravel(a), shift, 0), a.shape)
    axes = axis if isinstance(axis, (tuple, list)) else (axis,)
    for s, i in np.broadcast(np.asarray(known(shift)), np.asarray(axes)):
        a = _rolled(a, int(s), axis_index(i, a.ndim, "roll"))
    return a


def _rolled(x, shift, axis):
    n = x.shape[axis]
    shift = shift % n if n else 0
    if shift == 0:
        return x
    tail = slice_along(x, axis, n - shift, shift)
    head = slice_along(x, axis, 0, n - shift)
    return join(x.graph, [tail, head], axis, x.code)


# ---- diagonals and triangles ----


@implements(np.diagonal)
def diagonal(a, offset=0, axis1=0, axis2=1):
    """A slice of the matrix laid out flat, by its row length plus one."""
    axis1 = axis_index(axis1, a.ndim, "diagonal")
    axis2 = axis_index(axis2, a.ndim, "diagonal")
    if axis1 == axis2:
        raise error(errors.ArgumentError, "diagonal: axis1 and axis2 are the same")
    rest = [i for i in range(a.ndim) if i not in (axis1, axis2)]
    order = [*rest, axis1, axis2]
    rows, columns = a.shape[axis1], a.shape[axis2]
    if order != list(range(a.ndim)):
        a = transpose(a, order)
    size = max(min(rows + min(offset, 0), columns - max(offset, 0)), 0)
    begin = offset if offset >= 0 else -offset * columns
    flat = reshape_to(a, [*a.shape[:-2], rows * columns])
    return slice_along(flat, a.ndim - 2, begin, size, columns + 1)


@implements(np.diag)
def diag(v, k=0):
    if v.ndim == 1:
        return diagflat(v, k)
    if v.ndim != 2:
        raise error(errors.ArgumentError, f"diag: shape {v.shape}")
    return diagonal(v, k)


@implements(np.diagflat)
def diagflat(v, k=0):
    v = ravel(v)
    n = v.size + abs(k)
    begin = k if k >= 0 else -k * n
    node = lib.gradc_pad(v.graph.h, v.id, [begin if v.size else 0], [n + 1], [n * n])
    return reshape_to(expr(v.graph, node, v.code), (n, n))


@implements(np.trace)
def trace(a, offset=0, axis1=0, axis2=1, dtype=None, out=None):
    not_given(out=out)
    return sum_(diagonal(a, offset, axis1, axis2), -1, dtype)


def _triangle(upper):
    def triangle(m, k=0):
        rows, columns = (m.shape * 2 if m.ndim == 1 else m.shape)[-2:]
        mask = np.tri(rows, columns, k - 1 if upper else k, dtype=bool)
        zero = Expr(m.graph, m.graph.scalar(0, m.code), m.code)
        return where(~mask if upper else mask, m, zero)

    return triangle


tril = implements(np.tril)(_triangle(False))
triu = implements(np.triu)(_triangle(True))
