"""Reductions and cumulative NumPy functions."""

import numpy as np

from pygradc import errors
from pygradc._expr import Expr, convert, expr
from pygradc._lib import BOOL, I64, OPS, check, error, ffi, lib
from pygradc._numpy.elementwise import floating
from pygradc._numpy.elementwise import where as select
from pygradc._numpy.protocol import (
    absent,
    implements,
    implements_method,
    not_given,
    traced,
)

_reduce = lib.gradc_reduce  # looked up once


def reduce(name, x, axis=None, keepdims=False):
    """Row `name` ("sum", "prod", "max", "min") over `axis`: None, int or ints."""
    n, axes = -1, ffi.NULL
    if axis is not None:
        axes = [int(a) for a in (axis if isinstance(axis, (tuple, list)) else (axis,))]
        n = len(axes)
    graph, keepdims = x.graph, kept(keepdims)
    node = _reduce(graph.h, OPS[name], x.id, n, axes, keepdims)
    try:
        node = node or check(graph.h)
    except errors.IndexRangeError:
        if x.shape == () and axis in (0, -1):  # which NumPy takes, too
            return reduce(name, x, None, keepdims)
        raise
    return Expr(graph, node, x.code, () if n < 0 and not keepdims else None)


def kept(keepdims):
    """The option keepdims= as a bool."""
    return keepdims is not np._NoValue and bool(keepdims)


def count(x, axis):
    """How many elements of `x` a reduction over `axis` joins."""
    if axis is None:
        return x.size
    n = 1
    for a in axis if isinstance(axis, (tuple, list)) else (axis,):
        if not -x.ndim <= a < x.ndim:
            raise error(
                errors.IndexRangeError,
                f"axis {a} is out of range for shape {x.shape}",
            )
        n *= x.shape[a]
    return n


def everywhere(where):
    """Whether the option where= leaves nothing out."""
    return where is True or absent(where)


def count_where(x, where, axis, keepdims):
    """As `count` of the elements that where= keeps: an array in the dtype of `x`."""
    if type(where) is not Expr:
        mask = np.broadcast_to(np.asarray(where, bool), x.shape)
        return np.sum(mask, axis=axis, keepdims=kept(keepdims), dtype=x.dtype)
    return sum_(np.broadcast_to(where, x.shape), axis, x.dtype, keepdims=keepdims)


def _masked(x, where, fill):
    """`x` with `fill` where the option where= leaves elements out."""
    return x if everywhere(where) else select(where, x, fill)


def _with_initial(combine, r, initial):
    """`r` joined with the option initial=, which takes its dtype."""
    if absent(initial):
        return r
    return combine(r, convert(traced(initial, r), r.code))


def _number(x, dtype, *others):
    """`x` in the dtype that sum and prod work in."""
    x = x if type(x) is Expr else traced(x, *others)
    if not absent(dtype):
        return x.astype(dtype)
    return convert(x, I64) if x.code == BOOL else x


def _float(x, dtype, *others):
    """`x` in the dtype that mean and var work in."""
    x = traced(x, *others)
    return floating(x) if absent(dtype) else x.astype(dtype)


@implements(np.sum)
def sum_(a, axis=None, dtype=None, out=None, keepdims=False, initial=None, where=True):
    not_given(out=out)
    a = _number(a, dtype, where, initial)
    if where is not True:
        a = _masked(a, where, 0)
    r = reduce("sum", a, axis, keepdims)
    return r if initial is None else _with_initial(np.add, r, initial)


@implements(np.prod)
def prod(a, axis=None, dtype=None, out=None, keepdims=False, initial=None, where=True):
    not_given(out=out)
    a = _masked(_number(a, dtype, where, initial), where, 1)
    return _with_initial(np.multiply, reduce("prod", a, axis, keepdims), initial)


def _of_nothing(a, axis, keepdims, value):
    """`value` in the shape that a reduction of `a`, which is empty, has."""
    shape = reduce("sum", floating(a), axis, keepdims).shape
    return np.broadcast_to(convert(traced(value, a), a.code), shape)


def _extreme(name, combine, sign):
    def extreme(a, axis=None, out=None, keepdims=False, initial=None, where=True):
        not_given(out=out)
        a = traced(a, initial, where)
        if not everywhere(where):
            if absent(initial):
                raise error(
                    errors.ArgumentError, f"np.{name}: where= needs an initial value"
                )
            fill = sign * np.inf
            if a.code >= I64:
                fill = convert(traced(initial, a), a.code)
            a = _masked(a, where, fill)
        if a.size == 0 and not absent(initial):
            return _of_nothing(a, axis, keepdims, initial)
        return _with_initial(combine, reduce(name, a, axis, keepdims), initial)

    return extreme


max_ = implements(np.max, np.amax)(_extreme("max", np.maximum, -1))
min_ = implements(np.min, np.amin)(_extreme("min", np.minimum, 1))


@implements(np.mean)
def mean(a, axis=None, dtype=None, out=None, keepdims=False, *, where=True):
    not_given(out=out)
    a = _float(a, dtype, where)
    if everywhere(where):
        return reduce("sum", a, axis, keepdims) / count(a, axis)
    total = sum_(a, axis=axis, keepdims=keepdims, where=where)
    return total / count_where(a, where, axis, keepdims)


@implements(np.var)
def var(
    a,
    axis=None,
    dtype=None,
    out=None,
    ddof=0,
    keepdims=False,
    *,
    where=True,
    mean=None,
    correction=None,
):
    not_given(out=out)
    a = _float(a, dtype, where, mean)
    ddof = ddof if absent(correction) else correction
    center = np.mean(a, axis=axis, keepdims=True, where=where) if absent(mean) else mean
    square = np.square(a - center)
    if everywhere(where):
        n = max(count(a, axis) - ddof, 0)
    else:
        n = np.maximum(count_where(a, where, axis, keepdims) - ddof, 0)
    return sum_(square, axis=axis, keepdims=keepdims, where=where) / n


def root(v):
    """sqrt of a variance, whose derivative where it is 0 is 0."""
    positive = v > 0
    return select(positive, np.sqrt(select(positive, v, 1.0)), v)


@implements(np.std)
def std(a, axis=None, dtype=None, out=None, ddof=0, keepdims=False, **options):
    """Its derivative where all elements agree is 0."""
    return root(var(a, axis, dtype, out, ddof, keepdims, **options))


@implements(np.ptp)
def ptp(a, axis=None, out=None, keepdims=False):
    not_given(out=out)
    return max_(a, axis, keepdims=keepdims) - min_(a, axis, keepdims=keepdims)


@implements(np.all)
def all_(a, axis=None, out=None, keepdims=False, *, where=True):
    not_given(out=out)
    a = convert(traced(a, where), BOOL)
    if a.size == 0:
        return _of_nothing(a, axis, keepdims, np.True_)
    return reduce("min", _masked(a, where, True), axis, keepdims)


@implements(np.any)
def any_(a, axis=None, out=None, keepdims=False, *, where=True):
    not_given(out=out)
    a = convert(traced(a, where), BOOL)
    if a.size == 0:
        return _of_nothing(a, axis, keepdims, np.False_)
    return reduce("max", _masked(a, where, False), axis, keepdims)


@implements(np.count_nonzero)
def count_nonzero(a, axis=None, *, keepdims=False):
    return reduce("sum", convert(convert(a, BOOL), I64), axis, keepdims)


def _arg(name):
    def arg(a, axis=None, out=None, *, keepdims=False):
        not_given(out=out)
        shape, flat = a.shape, a
        if axis is None:
            flat, axis_used = a.ravel(), 0
        else:
            axis_used = int(axis)
        node = lib.gradc_arg(a.graph.h, OPS[name], flat.id, axis_used)
        r = expr(a.graph, node, I64)
        if not kept(keepdims):
            return r
        if axis is None:
            return r.reshape((1,) * len(shape))
        return np.expand_dims(r, axis)

    return arg


argmax = implements(np.argmax)(_arg("argmax"))
argmin = implements(np.argmin)(_arg("argmin"))


def _cumulative(builder):
    def cumulative(a, axis=None, dtype=None, out=None):
        not_given(out=out)
        a = _number(a, dtype)
        if axis is None:
            a, axis = a.ravel(), 0
        return expr(a.graph, builder(a.graph.h, a.id, int(axis)), a.code)

    return cumulative


cumsum = implements(np.cumsum)(_cumulative(lib.gradc_cumsum))
cumprod = implements(np.cumprod)(_cumulative(lib.gradc_cumprod))


# ---- methods of ufuncs ----


def _along_first(function):
    """A reduction whose axis is 0 if none is given."""
    return lambda a, axis=0, **options: function(a, axis, **options)


for _ufunc, _own in (
    (np.add, sum_),
    (np.multiply, prod),
    (np.maximum, max_),
    (np.minimum, min_),
    (np.logical_and, all_),
    (np.logical_or, any_),
):
    implements_method(_ufunc, "reduce")(_along_first(_own))

implements_method(np.add, "accumulate")(_along_first(cumsum))
implements_method(np.multiply, "accumulate")(_along_first(cumprod))
