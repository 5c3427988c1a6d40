"""Indexing of traced values, for reading and for assignment."""

import itertools

import numpy as np

from pygradc import errors
from pygradc._expr import Expr, convert, expr, known, lift
from pygradc._lib import BOOL, I64, check, error, lib
from pygradc._numpy.elementwise import where
from pygradc._numpy.protocol import (
    implements,
    implements_method,
    is_deferred,
    not_given,
    traced,
)
from pygradc._numpy.shaping import (
    axis_index,
    broadcast_to,
    ravel,
    reshape_to,
    take_flat,
    transpose,
)

# Entries that need no look: what most keys consist of.
_USUAL = frozenset((int, slice))


def _entries(x, key):
    """The key as a list with one entry for each axis of `x`; None adds one. bool arrays
    become index arrays; an Ellipsis that stands for no axis stays, since to NumPy it
    keeps index arrays apart."""
    keys = _as_tuple(key)
    rest = len(x.shape) - len(keys)
    if rest >= 0 and _USUAL.issuperset(map(type, keys)):
        return [*keys, *[slice(None)] * rest]
    keys = [_as_index(k) for k in keys]
    used = sum(_axes_taken(k) for k in keys)
    if used > x.ndim:
        raise error(
            errors.IndexRangeError, f"{used} indices for an array of shape {x.shape}"
        )
    at = next((i for i, k in enumerate(keys) if k is Ellipsis), len(keys))
    rest = [slice(None)] * (x.ndim - used) or keys[at : at + 1]
    entries, axis = [], 0
    for k in keys[:at] + rest + keys[at + 1 :]:
        n = _axes_taken(k)
        if isinstance(k, np.ndarray) and k.dtype == bool:
            if x.shape[axis : axis + n] != k.shape:
                raise _no_fit(k, x)
            entries.extend(np.nonzero(k))
        else:
            entries.append(k)
        axis += n
    return entries


def _no_fit(mask, x):
    return error(
        errors.IndexRangeError,
        f"boolean index of shape {mask.shape} does not fit shape {x.shape}",
    )


_ARRAYS = (np.ndarray, np.generic, Expr)


def _as_index(k):
    """An entry of a key, with what NumPy takes for an array as one."""
    if isinstance(k, (list, range)):
        k = np.asarray(k)
        return k.astype(np.int64) if k.size == 0 else k
    if hasattr(k, "__array__") and not isinstance(k, _ARRAYS):
        k = np.asarray(k)
    if isinstance(k, Expr) and k.code == BOOL:
        k = k.graph.value(k.id, "the shape of what a mask picks")
    if isinstance(k, (bool, np.bool_)):
        raise error(errors.UnsupportedError, "indexing a traced value by one bool")
    return k


def _axes_taken(k):
    if k is None or k is Ellipsis:
        return 0
    return k.ndim if isinstance(k, np.ndarray) and k.dtype == bool else 1


def _is_integer(k):
    return isinstance(k, (int, np.integer)) or (
        isinstance(k, (np.ndarray, Expr)) and k.ndim == 0
    )


def _checked(i, n, axis):
    """The integer index `i` counted from the front."""
    i = i.__index__() if not isinstance(i, np.ndarray) else i.item()
    if not -n <= i < n:
        raise error(
            errors.IndexRangeError,
            f"index {i} is out of range for axis {axis} of size {n}",
        )
    return i + n if i < 0 else i


def _slices(x, entries):
    """`x` with the slices among `entries` taken, axes kept."""
    begin, step, size = [], [], []
    axes = [k for k in entries if k is not None and k is not Ellipsis]
    for k, n in zip(axes, x.shape, strict=True):
        if isinstance(k, slice):
            lo, hi, by = k.indices(n)
            begin.append(lo)
            step.append(by)
            size.append(len(range(lo, hi, by)))
        else:
            begin.append(0)
            step.append(1)
            size.append(n)
    begin = [b if s else 0 for b, s in zip(begin, size, strict=True)]
    node = lib.gradc_slice(x.graph.h, x.id, begin, step, size)
    return expr(x.graph, node, x.code)


def _is_basic(entries):
    """Whether there are only slices and known integers."""
    return _USUAL.issuperset(map(type, entries)) or all(
        _is_passed_over(k) or _is_static(k) for k in entries
    )


def _region(x, entries):
    """Along each axis of `x` the first index, the step and the number of the elements
    that basic `entries` choose; and the shape of what is chosen."""
    begin, step, size, shape, axis = [], [], [], [], 0
    for k in entries:
        if k is None:
            shape.append(1)
        if k is None or k is Ellipsis:
            continue
        n = x.shape[axis]
        if isinstance(k, slice):
            lo, hi, by = k.indices(n)
            count = len(range(lo, hi, by))
            shape.append(count)
        else:
            lo, by, count = _checked(k, n, axis), 1, 1
        begin.append(lo if count else 0)
        step.append(by)
        size.append(count)
        axis += 1
    return begin, step, size, shape


def _basic(x, entries):
    begin, step, size, shape = _region(x, entries)
    graph = x.graph
    node = lib.gradc_slice(graph.h, x.id, begin, step, size)
    if shape != size:
        node = lib.gradc_reshape(graph.h, node, len(shape), shape)
    return Expr(graph, node or check(graph.h), x.code, tuple(shape))


def _flat_index(indices, dims):
    """One index into the joined axes of sizes `dims` for several that broadcast."""
    if not any(isinstance(i, Expr) for i in indices):
        try:
            return np.ravel_multi_index(
                [np.where(i < 0, i + n, i) for i, n in zip(indices, dims, strict=True)],
                dims,
            )
        except ValueError:
            raise error(
                errors.IndexRangeError, f"an index is out of range for axes {dims}"
            ) from None
    if len(indices) == 1:
        return indices[0]
    flat = 0
    for i, n in zip(indices, dims, strict=True):
        flat = flat * n + _from_front(i, n)
    return flat


def _from_front(index, n):
    """`index` into an axis of size n, counted from the front. A traced one is looked up
    in 0, ..., n - 1: a gather tells what is out of range."""
    if isinstance(index, Expr):
        return take_flat(lift(index.graph, np.arange(n)), index)
    wrong = (index < -n) | (index >= n)
    if wrong.any():
        first = index[wrong].flat[0]
        raise error(
            errors.IndexRangeError, f"index {first} is out of range for an axis of {n}"
        )
    return np.where(index < 0, index + n, index)


def _advanced(x, entries):
    """Index arrays, among slices and integers, by NumPy's rules."""
    x = _slices(x, entries)
    kept, joined, axis = [], [], 0
    for k in entries:
        if k is None or k is Ellipsis:
            continue
        if isinstance(k, slice):
            kept.append(axis)
        else:
            joined.append((axis, k if isinstance(k, Expr) else np.asarray(k)))
        axis += 1
    for _, k in joined:
        if k.dtype.kind not in "iu":
            raise error(errors.IndexRangeError, f"arrays of {k.dtype} are no indices")
    dims = [x.shape[a] for a, _ in joined]
    index = lift(x.graph, _flat_index([k for _, k in joined], dims))
    front = transpose(x, [a for a, _ in joined] + kept)
    rows = int(np.prod(dims, dtype=np.int64))
    front = reshape_to(front, [rows, *[x.shape[a] for a in kept]])
    node = lib.gradc_gather(x.graph.h, front.id, convert(index, I64).id)
    return _arranged(expr(x.graph, node, x.code), index.ndim, entries)


def _arranged(r, n_lead, entries):
    """`r`, whose first `n_lead` axes were indexed, with these where the index arrays
    stood if those were neighbours, in front otherwise; None adds axes in between."""
    place = [i for i, k in enumerate(entries) if not _is_passed_over(k)]
    together = place[-1] - place[0] + 1 == len(place)
    order, shape, at = [], [], n_lead

    def put(axes):
        order.extend(axes)
        shape.extend(r.shape[a] for a in axes)

    if not together:
        put(range(n_lead))
    for i, k in enumerate(entries):
        if k is None:
            shape.append(1)
        elif isinstance(k, slice):
            put([at])
            at += 1
        elif together and i == place[0]:
            put(range(n_lead))
    return reshape_to(transpose(r, order), shape)


# ---- parts, which assignment goes through ----


def get_part(x, key):
    """x[key]; if that is a view in NumPy, it remembers what it is a part of: the array,
    the key, and the id of the array when it was taken."""
    if x._part is not None and x.graph.assigned:
        renewed(x)
    entries = _entries(x, key)
    if not _is_basic(entries):
        return _advanced(x, entries)
    r = _basic(x, entries)
    if r.shape and x.id not in x.graph.names:
        r._part = x, key, x.id
    return r


def renewed(x):
    """`x`, what it is a part of, what that is a part of, and so on, where parts see
    what was assigned to the whole since."""
    chain = [x]
    while (part := chain[-1]._part) is not None:
        chain.append(part[0])
    for inner, whole in zip(chain[-2::-1], chain[:0:-1], strict=True):
        _, key, seen = inner._part
        if whole.id != seen:
            now = get_part(whole, key)
            inner.id, inner._part = now.id, now._part
    return chain


def set_part(x, key, value):
    """x[key] = value, for `x` and all it is a part of."""
    if type(value) is Expr and _is_now(value, x, key):
        return  # x[key] += y has assigned it by now
    if x.id in x.graph.names:
        raise error(
            errors.GraphError,
            f"{x.graph.names[x.id]} is a variable: assign to a copy() of it",
        )
    chain = renewed(x)
    x.graph.assigned = True
    x.id = set_item(x, key, value).id
    for inner, whole in itertools.pairwise(chain):
        where = inner._part[1]
        whole.id = set_item(whole, where, inner).id
        inner._part = whole, where, whole.id


def _is_now(value, x, key):
    """Whether `value` is x[key] by name and number."""
    whole, where, seen = value._part or (None, None, 0)
    if whole is not x or seen != x.id:
        return False
    return where is key or (type(where) is type(key) is slice and where == key)


def _is_passed_over(k):
    """An entry that chooses no single elements."""
    return k is None or k is Ellipsis or isinstance(k, slice)


def _is_static(k):
    """An integer known now."""
    return _is_integer(k) and not isinstance(k, Expr)


def set_item(x, key, value):
    """`x` with x[key] = value, of the same dtype and shape."""
    if isinstance(key, Expr) and key.code == BOOL and np.ndim(value) == 0:
        return _set_masked(x, key, value)
    entries = _entries(x, key)
    if _is_basic(entries):
        return _set_slices(x, entries, lift(x.graph, value, x.code))
    bare = tuple(known(k) if isinstance(k, Expr) else k for k in _as_tuple(key))
    try:
        positions = np.arange(x.size).reshape(x.shape)[bare]
    except IndexError as why:
        raise error(errors.IndexRangeError, str(why)) from None
    value = lift(x.graph, value, x.code)
    if value.ndim > positions.ndim:
        value = reshape_to(value, value.shape[value.ndim - positions.ndim :])
    value = convert(broadcast_to(value, positions.shape), x.code)
    flat, last = np.unique(positions.ravel()[::-1], return_index=True)
    if flat.size != positions.size:  # of repeated positions the last one counts
        value = take_flat(value, positions.size - 1 - last)
        positions = flat
    if flat.size == x.size:
        order = np.empty(x.size, np.int64)
        order[positions.ravel()] = np.arange(x.size)
        return reshape_to(take_flat(value, order), x.shape)
    mask = np.zeros(x.size, bool)
    mask[flat] = True
    return where(mask.reshape(x.shape), _spread(value, positions, x), x)


def _set_masked(x, mask, value):
    """`x` with a 0-d `value` where the mask, traced or not, is True."""
    if mask.shape != x.shape[: mask.ndim]:
        raise _no_fit(mask, x)
    mask = reshape_to(mask, [*mask.shape, *[1] * (x.ndim - mask.ndim)])
    return where(mask, convert(lift(x.graph, value, x.code), x.code), x)


def _set_slices(x, entries, value):
    """`x` with `value` in the place of a basic index: a pad over what is left of x."""
    begin, step, size, shape = _region(x, entries)
    if value.ndim > len(shape):
        value = reshape_to(value, value.shape[value.ndim - len(shape) :])
    value = convert(broadcast_to(value, shape), x.code)
    if 0 in size:
        return x
    value = reshape_to(value, size)
    if tuple(size) == x.shape and all(b == 1 for b in step):
        return value
    hole = np.zeros(x.shape, bool)
    hole[tuple(k for k in entries if k is not None and k is not Ellipsis)] = True
    node = lib.gradc_pad(x.graph.h, value.id, begin, step, x.shape)
    return where(hole, expr(x.graph, node, x.code), x)


def _as_tuple(key):
    return key if isinstance(key, tuple) else (key,)


def _spread(value, positions, x):
    """Zeros like `x` with `value` at the flat `positions`."""
    work = convert(value, I64) if value.code == BOOL else value
    index = lift(x.graph, np.asarray(positions.ravel(), np.int64, order="C"))
    node = lib.gradc_scatter(x.graph.h, ravel(work).id, index.id, x.size)
    return reshape_to(convert(expr(x.graph, node, work.code), value.code), x.shape)


# ---- functions that index ----


@implements(np.take)
def take(a, indices, axis=None, out=None, mode="raise"):
    not_given(out=out)
    a = traced(a, indices)
    axis = None if axis is None else axis_index(axis, a.ndim, "take")
    indices = indices if isinstance(indices, Expr) else np.asarray(indices)
    n = a.size if axis is None else a.shape[axis]
    if mode == "wrap":
        indices = indices % n
    elif mode == "clip":
        indices = np.clip(indices, 0, n - 1)
    elif mode != "raise":
        raise error(errors.ArgumentError, f"take: no mode {mode!r}")
    if axis is None:
        return ravel(a)[indices]
    return a[(slice(None),) * axis + (indices,)]


@implements(np.take_along_axis)
def take_along_axis(arr, indices, axis=-1):
    arr = traced(arr, indices)
    if axis is None:
        arr, axis = ravel(arr), 0
    axis = axis_index(axis, arr.ndim, "take_along_axis")
    if is_deferred(indices):
        indices = _from_front(indices, arr.shape[axis])
    return elements_along(arr, indices, axis)


@implements(np.unravel_index)
def unravel_index(indices, shape, order="C"):
    """Of known indices plain arrays; others may count from the end, too."""
    if not is_deferred(indices):
        return np.unravel_index(known(indices), shape, order)
    size = int(np.prod(shape, dtype=np.int64))
    places = np.unravel_index(np.arange(size), shape, order)
    return tuple(take_flat(lift(indices.graph, p), indices) for p in places)


def elements_along(x, positions, axis):
    """`x` at `positions` along `axis`; deferred ones count from the front and are not
    checked."""
    places = np.arange(x.size).reshape(x.shape)
    if not is_deferred(positions):
        return take_flat(x, np.take_along_axis(places, known(positions), axis))
    first = places[(slice(None),) * axis + (slice(1),)]
    step = int(np.prod(x.shape[axis + 1 :], dtype=np.int64))
    return take_flat(x, first + positions * step)


@implements_method(np.add, "at")
def add_at(a, indices, b):
    """a[indices] += b, repeated indices adding up."""
    if not isinstance(a, Expr):
        raise error(
            errors.UnsupportedError,
            "np.add.at: a traced value cannot be added into a plain array: use "
            "pygradc.numpy.zeros",
        )
    key = tuple(known(k) if isinstance(k, Expr) else k for k in _as_tuple(indices))
    positions = np.asarray(np.arange(a.size).reshape(a.shape)[key])
    b = convert(broadcast_to(lift(a.graph, b, a.code), positions.shape), a.code)
    a[...] = a + _spread(b, positions, a)
