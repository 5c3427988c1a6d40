"""Averages, covariance, and the reductions that pass over NaN."""

import numpy as np

from pygradc import errors
from pygradc._expr import Expr
from pygradc._lib import DTYPES, F64, I64, error
from pygradc._numpy.elementwise import where as select
from pygradc._numpy.protocol import absent, implements, not_given, traced
from pygradc._numpy.reducing import (
    all_,
    count,
    everywhere,
    kept,
    max_,
    mean,
    min_,
    root,
    sum_,
    var,
)
from pygradc._numpy.shaping import axis_index, transpose


def _axes(axis, ndim):
    axes = axis if isinstance(axis, (tuple, list)) else (axis,)
    return tuple(axis_index(a, ndim, "average") for a in axes)


def _spread_weights(a, axis, weights):
    """`weights` in a shape that broadcasts to `a`."""
    axes = None if axis is None else _axes(axis, a.ndim)
    if weights.shape == a.shape:
        return weights
    if axes is None or weights.shape != tuple(a.shape[i] for i in axes):
        raise error(
            errors.ShapeError,
            f"average: weights of shape {weights.shape} do not fit {a.shape}",
        )
    order = np.argsort(axes)
    shape = [n if i in axes else 1 for i, n in enumerate(a.shape)]
    return weights.transpose(order).reshape(shape)


@implements(np.average)
def average(a, axis=None, weights=None, returned=False, *, keepdims=False):
    a = traced(a, weights)
    if weights is None:
        r = mean(a, axis, keepdims=keepdims)
        return (r, np.full(r.shape, count(a, axis), r.dtype)) if returned else r
    weights = weights if isinstance(weights, Expr) else np.asarray(weights)
    kind = np.result_type(a.dtype, weights.dtype)
    kind = kind if kind in DTYPES[:2] else DTYPES[F64]
    weights = _spread_weights(a, axis, weights).astype(kind)
    weights = np.broadcast_to(weights, a.shape)
    total = np.sum(weights, axis=axis, keepdims=kept(keepdims))
    r = sum_(a.astype(kind) * weights, axis, keepdims=keepdims) / total
    return (r, total) if returned else r


@implements(np.cov)
def cov(
    m,
    y=None,
    rowvar=True,
    bias=False,
    ddof=None,
    fweights=None,
    aweights=None,
    *,
    dtype=None,
):
    """Products of the centred rows."""
    m = traced(m, y, fweights, aweights)
    y = None if y is None else traced(y, m)
    if dtype is None:
        dtype = np.result_type(m.dtype, np.float64, *([] if y is None else [y.dtype]))
    x = _rows(m, not rowvar and m.ndim != 1, dtype)
    if y is not None:
        y = _rows(y, False, dtype)
        y = transpose(y) if not rowvar and y.shape[0] != 1 else y
        x = np.concatenate([x, y], axis=0)
    if x.shape[0] == 0:
        return np.matmul(x, transpose(x))
    ddof = (0 if bias else 1) if ddof is None else ddof
    weights = _sample_weights(x.shape[1], fweights, aweights)
    center, total = average(x, axis=1, weights=weights, returned=True, keepdims=True)
    if weights is None:
        factor = max(x.shape[1] - ddof, 0)
    elif ddof == 0 or aweights is None:
        factor = total[0, 0] - ddof
    else:
        aweights = aweights if isinstance(aweights, Expr) else np.asarray(aweights)
        spread = np.sum(weights * aweights) / total[0, 0]
        factor = total[0, 0] - ddof * spread
    x = x - center
    other = x if weights is None else x * weights
    r = np.matmul(x, transpose(other)) / factor
    return r.reshape([n for n in r.shape if n != 1])


def _rows(x, transposed, dtype):
    x = np.atleast_2d(x.astype(dtype))
    return transpose(x) if transposed else x


def _sample_weights(n, fweights, aweights):
    weights = None
    for name, w in (("fweights", fweights), ("aweights", aweights)):
        if w is None:
            continue
        if np.shape(w) != (n,):
            raise error(
                errors.ShapeError,
                f"cov: {name} of shape {np.shape(w)} for {n} samples",
            )
        w = w if isinstance(w, Expr) else np.asarray(w, float)
        weights = w if weights is None else weights * w
    return weights


# ---- passing over NaN ----


def _kept_mask(a, where):
    """Which elements count: those that are numbers and that where= keeps."""
    good = a == a
    return good if everywhere(where) else good & where


@implements(np.nansum)
def nansum(
    a, axis=None, dtype=None, out=None, keepdims=False, initial=None, where=True
):
    a = traced(a, where, initial)
    if a.code < I64:
        a = select(np.isnan(a), 0.0, a)
    return sum_(a, axis, dtype, out, keepdims, initial, where)


@implements(np.nanmean)
def nanmean(a, axis=None, dtype=None, out=None, keepdims=False, *, where=True):
    a = traced(a, where)
    if a.code >= I64:
        return mean(a, axis, dtype, out, keepdims, where=where)
    return mean(a, axis, dtype, out, keepdims, where=_kept_mask(a, where))


@implements(np.nanvar)
def nanvar(
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
    a = traced(a, where, mean)
    if a.code >= I64:
        options = {"where": where, "mean": mean, "correction": correction}
        return var(a, axis, dtype, out, ddof, keepdims, **options)
    good = _kept_mask(a, where)
    # A NaN would go on through the mean; where= of var leaves the rest out.
    clean = select(good, a, 0.0)
    ddof = ddof if absent(correction) else correction
    r = var(clean, axis, dtype, out, ddof, keepdims, where=good, mean=mean)
    n = sum_(good, axis, keepdims=keepdims)
    return select(n > ddof, r, np.nan)


@implements(np.nanstd)
def nanstd(a, axis=None, dtype=None, out=None, ddof=0, keepdims=False, **options):
    """Its derivative where all elements agree is 0."""
    return root(nanvar(a, axis, dtype, out, ddof, keepdims, **options))


def _nan_extreme(extreme, sign):
    def nan_extreme(a, axis=None, out=None, keepdims=False, initial=None, where=True):
        a = traced(a, initial, where)
        if a.code >= I64:
            return extreme(a, axis, out, keepdims, initial, where)
        missing = np.isnan(a)
        clean = select(missing, sign * np.inf, a)
        r = extreme(clean, axis, out, keepdims, initial, where)
        if not absent(initial):
            return r
        return select(all_(missing, axis, keepdims=keepdims), np.nan, r)

    return nan_extreme


nanmax = implements(np.nanmax)(_nan_extreme(max_, -1))
nanmin = implements(np.nanmin)(_nan_extreme(min_, 1))
