"""Numbers of formulas, by NumPy and the functions of the op table.

This is the second opinion that a formula needs before it is shown: it follows the
formula as printed and knows nothing of the graph that the formula was read from.
"""

import numpy as np

from pygradc._lib import OPS
from pygradc._numpy.elementwise import elementwise


def evaluate(f, values):
    """The number, column or matrix that formula `f` is.

    Parameters
    ----------
    f : Formula
    values : dict
        ndarray or number for each symbol, by name, of any shape with the right number
        of elements.

    Returns
    -------
    ndarray, shape of `f`
    """
    with np.errstate(all="ignore"):
        result = _value(f, values, {})
    return np.broadcast_to(result, f.shape)


def _value(f, values, known):
    found = known.get(f)
    if found is None and f.head == "dot":
        found = known[f] = _dot(f, values, known)
    elif found is None:
        args = [_value(a, values, known) for a in f.args]
        found = known[f] = _HEADS[f.head](f, args, values)
    return found


def _sym(f, args, values):
    return np.asarray(values[f.data]).reshape(f.shape)


def _sum(f, args, values):
    return sum(_number(c) * a for c, a in zip(f.data, args, strict=True))


def _prod(f, args, values):
    coefficient, exponents = f.data
    result = np.float64(1)
    for a, e in zip(args, exponents, strict=True):
        if e == 1:
            result = result * a
        elif e < 0:
            result = result / _power(a, -e)
        else:
            result = result * _power(a, e)
    for b, a in zip(f.args, args, strict=True):
        if b.head == "ind":  # [false] annihilates what has no value
            result = np.where(np.asarray(a) == 0, 0.0, result)
    if coefficient != int(coefficient) and not isinstance(coefficient, float):
        return result * coefficient.numerator / coefficient.denominator
    return _number(coefficient) * result


def _power(a, e):
    if e == int(e):
        return np.power(np.asarray(a, float), float(e))
    return np.sqrt(a) if 2 * e == 1 else np.power(a, float(e))


def _number(c):
    return np.float64(c)


def _dot(f, values, known):
    """From the right, where vectors are; diagonal matrices stay their diagonals."""
    *front, last = f.args
    result = _value(last, values, known)
    for a in reversed(front):
        if a.head == "diag":
            result = _value(a.args[0], values, known) * result
        else:
            result = _value(a, values, known) @ result
    return result.reshape(f.shape)


def _cases(f, args, values):
    return np.where(args[1], args[0], args[2])


def _call(f, args, values):
    name, details = f.data
    if name in _OPAQUE and len(details) >= 3:
        shapes, to, attrs = details[:3]
        arrays = [np.reshape(a, s) for a, s in zip(args, shapes, strict=True)]
        return np.reshape(_OPAQUE[name](arrays, attrs, to), f.shape)
    if name in _WHOLE:
        return _WHOLE[name](args[0], details)
    if name == "broadcast":
        return np.broadcast_to(np.reshape(args[0], details[0]), details[1])
    if name == "unit":
        return np.eye(1, *details).T
    if name not in OPS:
        raise KeyError(name)
    whole = np.broadcast_arrays(*args) if len(args) > 1 else args
    return elementwise(name)(*[np.array(a) for a in whole])


_WHOLE = {
    "total": lambda x, _: np.sum(x),
    "mean": lambda x, _: np.mean(x),
    "max": lambda x, _: np.max(x),
    "min": lambda x, _: np.min(x),
    "prod_of": lambda x, _: np.prod(x),
    "diagonal": lambda x, _: np.diagonal(x)[:, None],
    "item": lambda x, index: (
        np.reshape(x, -1)[index[0]] if len(index) == 1 else x[index]
    ),
}


def _sliced(arrays, attrs, to):
    (x,), n = arrays, arrays[0].ndim
    key = []
    spans = zip(attrs[:n], attrs[n : 2 * n], attrs[2 * n :], strict=True)
    for begin, step, size in spans:
        key.append(begin + step * np.arange(size))
    return x[np.ix_(*key)]


def _padded(arrays, attrs, to):
    (x,), n = arrays, arrays[0].ndim
    out = np.zeros(to)
    spans = zip(attrs[:n], attrs[n : 2 * n], x.shape, strict=True)
    key = [b + s * np.arange(d) for b, s, d in spans]
    out[np.ix_(*key)] = x
    return out


def _scattered(arrays, attrs, to):
    out = np.zeros(to)
    np.add.at(out, arrays[1].astype(int), arrays[0])
    return out


def _cumulated(arrays, attrs, to):
    (x,), (axis, reverse) = arrays, attrs
    if reverse:
        return np.flip(np.cumsum(np.flip(x, axis), axis), axis)
    return np.cumsum(x, axis)


def _recurred(arrays, attrs, to):
    axis, reverse = attrs
    x, y = (np.moveaxis(a, axis, 0) for a in arrays)
    if reverse:
        x, y = x[::-1], y[::-1]
    r = np.array(y, float)
    for i in range(1, len(r)):
        r[i] = x[i] * r[i - 1] + np.where(y[i] == 0, -0.0, y[i])
    return np.moveaxis(r[::-1] if reverse else r, 0, axis)


def _reduced(function):
    return lambda arrays, attrs, to: function(arrays[0], axis=tuple(range(*attrs)))


def _searched(arrays, attrs, to):
    x, v = arrays
    side = "right" if attrs[0] else "left"
    r = np.empty(to)
    for at in np.ndindex(x.shape[:-1]):
        r[at] = np.searchsorted(x[at], v[at], side)
    return r


def _correlated(arrays, attrs, to):
    x, y = arrays
    p, length = attrs
    r = np.zeros(to)
    for at in np.ndindex(x.shape[:-1]):
        full = np.correlate(x[at], y[at], "full") if x.size and y.size else r[at][:0]
        for i in range(length):
            place = i + y.shape[-1] - 1 - p
            r[at][i] = full[place] if 0 <= place < full.size else 0
    return r


_OPAQUE = {
    "correlate": _correlated,
    "slice": _sliced,
    "pad": _padded,
    "concat": lambda arrays, attrs, to: np.concatenate(arrays, attrs[0]),
    "gather": lambda arrays, attrs, to: arrays[0][arrays[1].astype(int)],
    "scatter": _scattered,
    "cumsum": _cumulated,
    "recur": _recurred,
    "reshape": lambda arrays, attrs, to: np.reshape(arrays[0], to),
    "transpose": lambda arrays, attrs, to: np.transpose(arrays[0], attrs),
    "matmul": lambda arrays, attrs, to: np.matmul(*arrays),
    "sum": _reduced(np.sum),
    "max": _reduced(np.max),
    "min": _reduced(np.min),
    "prod_of": _reduced(np.prod),
    "argmax": lambda arrays, attrs, to: np.argmax(arrays[0], attrs[0]),
    "argmin": lambda arrays, attrs, to: np.argmin(arrays[0], attrs[0]),
    "argsort": lambda arrays, attrs, to: np.argsort(arrays[0], attrs[0], "stable"),
    "searchsorted": _searched,
}

_HEADS = {
    "num": lambda f, args, values: _number(f.data),
    "sym": _sym,
    "sum": _sum,
    "prod": _prod,
    "call": _call,
    "t": lambda f, args, values: args[0].T,
    "diag": lambda f, args, values: np.diag(args[0].ravel()),
    "ones": lambda f, args, values: np.ones(f.shape),
    "zeros": lambda f, args, values: np.zeros(f.shape),
    "eye": lambda f, args, values: np.eye(f.shape[0]),
    "grid": lambda f, args, values: np.reshape(
        np.stack([np.reshape(a, ()) for a in args]), f.shape
    ),
    "cases": _cases,
    "ind": lambda f, args, values: np.asarray(args[0], float),
}
