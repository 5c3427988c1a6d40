"""NumPy's two protocols: which of its functions work on traced values, and how.

`implements` and `implements_ufunc` fill two tables; the families of functions
(`_elementwise`, `_reducing`, `_shaping`, `_indexing`, `_linear`) stand in modules of
their own and are imported at first use.
"""

import numpy as np

from pygradc import errors
from pygradc._expr import Expr
from pygradc._lib import error

_functions = {}
_ufuncs = {}
_methods = {}  # (ufunc, method name) -> function


def implements(*functions):
    """Registers the decorated function for these NumPy functions."""

    def register(own):
        for f in functions:
            _functions[f] = own
        return own

    return register


def implements_ufunc(*ufuncs):
    """Registers the decorated function for calls of these NumPy ufuncs."""

    def register(own):
        for u in ufuncs:
            _ufuncs[u] = own
        return own

    return register


def implements_method(ufunc, method):
    """Registers the decorated function for e.g. np.add.reduce."""

    def register(own):
        _methods[ufunc, method] = own
        return own

    return register


def differentiable():
    """All NumPy functions and ufuncs that work on traced values."""
    load()
    return list(_functions) + list(_ufuncs)


def load():
    """Imports the families."""
    from pygradc import (  # noqa: F401
        _elementwise,
        _indexing,
        _linear,
        _reducing,
        _shaping,
    )


def apply_function(func, args, kwargs):
    own = _functions.get(func)
    if own is None:
        load()
        own = _functions.get(func)
    if own is None:
        name = f"{func.__module__}.{func.__name__}"
        raise error(
            errors.UnsupportedError,
            f"{name}: not supported on traced values",
        )
    return own(*args, **kwargs)


def apply_ufunc(ufunc, method, inputs, kwargs):
    if not _ufuncs:
        load()
    out = kwargs.pop("out", None)
    if out is not None:
        return _assign(ufunc, method, inputs, kwargs, out)
    if kwargs.pop("where", True) is not True:
        raise error(errors.UnsupportedError, f"np.{ufunc.__name__}: where= is not "
                    "supported on traced values: use np.where")
    kwargs.pop("casting", None)
    kwargs.pop("order", None)
    kwargs.pop("subok", None)
    dtype = kwargs.pop("dtype", None)
    if method == "__call__":
        own = _ufuncs.get(ufunc)
    else:
        own = _methods.get((ufunc, method))
    if own is None:
        dot = "" if method == "__call__" else f".{method}"
        raise error(
            errors.UnsupportedError,
            f"np.{ufunc.__name__}{dot}: not supported on traced values",
        )
    result = own(*inputs, **kwargs)
    return result if dtype is None else result.astype(dtype)


def _assign(ufunc, method, inputs, kwargs, out):
    """out= an Expr: that handle becomes the result. A plain array cannot hold one."""
    (target,) = out
    if not isinstance(target, Expr):
        raise error(
            errors.UnsupportedError,
            f"np.{ufunc.__name__}: a traced value cannot be written into a plain "
            "array: use pygradc.numpy.zeros, or build the array with np.stack",
        )
    result = apply_ufunc(ufunc, method, inputs, kwargs)
    target[...] = result
    return target


def not_given(**options):
    """Raises if an option that is not supported on traced values is given."""
    for name, value in options.items():
        if value is not None and value is not np._NoValue:
            raise error(
                errors.UnsupportedError,
                f"{name}= is not supported on traced values",
            )
