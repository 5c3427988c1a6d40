"""np.pad in all its modes, the axes one after the other as NumPy does."""

import numpy as np

from pygradc import errors
from pygradc._expr import Expr, convert, expr, graph_of, lift
from pygradc._lib import I64, error, lib
from pygradc._numpy.elementwise import where
from pygradc._numpy.joining import join
from pygradc._numpy.protocol import implements, traced
from pygradc._numpy.shaping import broadcast_to, moved, slice_along

_OPTIONS = {
    "constant": "constant_values",
    "linear_ramp": "end_values",
    "maximum": "stat_length",
    "mean": "stat_length",
    "median": "stat_length",
    "minimum": "stat_length",
    "reflect": "reflect_type",
    "symmetric": "reflect_type",
    "edge": None,
    "wrap": None,
    "empty": None,
}


@implements(np.pad)
def pad(array, pad_width, mode="constant", **options):
    array = traced(array, *options.values())
    widths = _widths(pad_width, array.ndim)
    if callable(mode):
        raise error(errors.UnsupportedError, "pad: a function as mode")
    unknown = set(options) - {_OPTIONS.get(mode)}
    if mode not in _OPTIONS or unknown:
        what = f"options {sorted(unknown)} of " if unknown else "no "
        raise error(errors.ArgumentError, f"pad: {what}mode {mode!r}")
    option = options.get(_OPTIONS[mode])
    if mode == "empty" or (mode == "constant" and _is_zero(option)):
        return _zeros_around(array, widths)
    odd = option == "odd" if mode in ("reflect", "symmetric") else False
    if mode in ("edge", "wrap", "reflect", "symmetric") and not odd:
        return moved(np.pad, array, widths, mode, **options)
    if array.size == 0 and mode != "constant":
        np.pad(np.empty(array.shape), widths, mode)  # raises if an empty axis grows
        return _zeros_around(array, widths)
    if mode == "constant" and graph_of(option) is None:
        return _constant_around(array, widths, option)
    for axis, (left, right) in enumerate(widths):
        if left or right:
            array = _pad_axis(array, axis, left, right, mode, option)
    return array


def _widths(pad_width, ndim):
    """((before, after), ...), one pair for each axis."""
    if isinstance(pad_width, dict):
        pairs = [(0, 0)] * ndim
        for axis, width in pad_width.items():
            pairs[axis] = width if isinstance(width, tuple) else (width, width)
        pad_width = pairs
    widths = np.asarray(pad_width)
    if widths.dtype.kind not in "iu":
        raise error(errors.DTypeError, "pad: widths must be integers")
    if widths.size and widths.min() < 0:
        raise error(errors.ArgumentError, "pad: a width is negative")
    return np.broadcast_to(widths, (ndim, 2)).tolist()


def _is_zero(values):
    return values is None or (
        isinstance(values, (int, float)) and values == 0 and not np.signbit(values)
    )


def _zeros_around(x, widths):
    begin = [left for left, _ in widths]
    shape = [n + sum(w) for n, w in zip(x.shape, widths, strict=True)]
    node = lib.gradc_pad(x.graph.h, x.id, begin, [1] * x.ndim, shape)
    return expr(x.graph, node, x.code)


def _constant_around(x, widths, values):
    """Constants known now: NumPy pads zeros by them, and x fills the hole."""
    inside = np.pad(np.ones(x.shape, bool), widths)
    around = np.pad(np.zeros(x.shape, x.dtype), widths, constant_values=values)
    return where(inside, _zeros_around(x, widths), around)


def _pair(values, axis, ndim):
    """What the option holds for the two ends of `axis`."""
    if isinstance(values, Expr) or graph_of(values) is not None:
        values = lift(graph_of(values), values)
        both = broadcast_to(values, (ndim, 2))
        return both[axis, 0], both[axis, 1]
    return tuple(np.broadcast_to(np.asarray(values), (ndim, 2))[axis].tolist())


def _pad_axis(x, axis, left, right, mode, option):
    if mode in ("reflect", "symmetric"):
        return _reflect_oddly(x, axis, left, right, mode == "symmetric")
    if mode in ("constant", "linear_ramp"):
        ends = _pair(0 if option is None else option, axis, x.ndim)
    else:
        ends = (None, None) if option is None else _pair(option, axis, x.ndim)
    n = x.shape[axis]
    parts = []
    for width, end, at_left in ((left, ends[0], True), (right, ends[1], False)):
        if mode == "constant":
            part = traced(end, x)
        elif mode == "linear_ramp":
            edge = slice_along(x, axis, 0 if at_left else n - 1, 1)
            part = _ramp(edge, end, width, axis, at_left)
        else:
            part = _statistic(x, axis, end, at_left, mode)
        shape = list(x.shape)
        shape[axis] = width
        if x.code == I64 > part.code:  # as NumPy rounds for integers
            part = np.floor(part) if mode == "linear_ramp" else np.rint(part)
        parts.append(convert(broadcast_to(part, shape), x.code))
    return join(x.graph, [parts[0], x, parts[1]], axis, x.code)


def _ramp(edge, end, width, axis, at_left):
    """From `end` at the border towards `edge`, which is not part of it."""
    shape = [1] * edge.ndim
    shape[axis] = width
    t = np.arange(width, dtype=edge.dtype) / max(width, 1)
    t = (t if at_left else t[::-1]).reshape(shape)
    return end + t * (edge - end)


def _statistic(x, axis, length, at_left, mode):
    n = x.shape[axis]
    length = n if length is None else min(int(length), n)
    if length < 1:
        raise error(errors.ArgumentError, "pad: stat_length must be positive")
    x = slice_along(x, axis, 0 if at_left else n - length, length)
    function = {"maximum": np.max, "minimum": np.min}.get(mode) or getattr(np, mode)
    return function(x, axis=axis, keepdims=True)


def _reflect_oddly(x, axis, left, right, symmetric):
    """Mirrored at the edges in both axes, as often as the widths need."""
    period = x.shape[axis]
    if period == 1:
        shape = list(x.shape)
        shape[axis] = left + 1 + right
        return broadcast_to(x, shape)
    offset = 0 if symmetric else 1
    while left or right:
        n = x.shape[axis]
        if symmetric:
            longest = n // period * period
        else:
            longest = (n - 1) // (period - 1) * (period - 1)
        parts = [x]
        if left:
            size = min(longest, left)
            left -= size
            parts.insert(0, _mirrored(x, axis, size, 0, offset + size - 1))
        if right:
            size = min(longest, right)
            right -= size
            # The left part, filled first, lengthens what the right one mirrors.
            whole = join(x.graph, parts, axis, x.code)
            end = whole.shape[axis] - 1
            parts = [whole, _mirrored(whole, axis, size, end, end - offset)]
        x = join(x.graph, parts, axis, x.code)
    return x


def _mirrored(x, axis, size, edge, begin):
    chunk = slice_along(x, axis, begin, size, -1)
    return 2 * slice_along(x, axis, edge, 1) - chunk
