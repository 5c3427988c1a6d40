"""NumPy's two protocols: which of its functions work on traced values, and how.

`implements`, `implements_ufunc` and `implements_method` fill three tables; the families
of functions stand in modules of their own and are imported at first use.
"""

import functools

import numpy as np

from pygradc import errors
from pygradc._expr import Expr, graph_of, lift
from pygradc._lib import DEFERRED, DTYPES, OPS, error

_functions = {}
_ufuncs = {}
_methods = {}  # (ufunc, method name) -> function
_out_at = {}  # NumPy function -> place of out= among its positional arguments


def implements(*functions):
    """Registers the decorated function for these NumPy functions; a name is passed over
    if this NumPy is too old to have it."""

    def register(own):
        for f in functions:
            f = getattr(np, f, None) if isinstance(f, str) else f
            if f is not None:
                _functions[f] = own
                names = own.__code__.co_varnames[: own.__code__.co_argcount]
                _out_at[f] = names.index("out") if "out" in names else len(names)
        return own

    return register


def implements_ufunc(*ufuncs):
    """Registers the decorated function for calls of these NumPy ufuncs; names as for
    `implements`."""

    def register(own):
        for u in ufuncs:
            u = getattr(np, u, None) if isinstance(u, str) else u
            if u is not None:
                _ufuncs[u] = own
        return own

    return register


def implements_method(ufunc, method):
    """Registers the decorated function for e.g. np.add.reduce."""

    def register(own):
        _methods[ufunc, method] = own
        return own

    return register


@functools.cache
def load():
    """Imports the families, at the first call."""
    from pygradc._numpy import (  # noqa: F401
        calculus,
        constant,
        creating,
        einsum,
        elementwise,
        indexing,
        joining,
        linear,
        moving,
        padding,
        reducing,
        shaping,
        sorting,
        statistics,
    )


def absent(value):
    """Whether an optional argument was not given."""
    return value is None or value is np._NoValue


def traced(x, *others):
    """`x` as an Expr; if it is none, of the graph of `others`."""
    return x if type(x) is Expr else lift(graph_of(*others), x)


def is_deferred(*arrays):
    """Whether a value of `arrays` will be known only when a program runs."""
    return any(isinstance(x, Expr) and x.graph.role(x.id) & DEFERRED for x in arrays)


def not_given(**options):
    """Raises if an option that is not supported on traced values is given."""
    for name, value in options.items():
        if value is not None and value is not np._NoValue:
            raise error(
                errors.UnsupportedError,
                f"{name}= is not supported on traced values",
            )


def usual_casting(casting, usual):
    """Raises if another casting= is given than the one NumPy takes if none is."""
    if casting not in (None, usual):
        raise error(
            errors.UnsupportedError,
            f"casting={casting!r} is not supported on traced values, only {usual!r}",
        )


# ---- functions ----


# What NumPy, too, gives back as it was. Others return arrays of their own, so that what
# is assigned to the result does not show in the argument.
_GIVE_BACK = {
    np.real,
    np.real_if_close,
    np.atleast_1d,
    np.atleast_2d,
    np.atleast_3d,
    np.nan_to_num,  # with copy=False
}


def apply_function(self, func, types, args, kwargs):
    """What NumPy calls for one of its functions that are no ufuncs."""
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
    out = kwargs.pop("out", None) if kwargs else None
    at = _out_at[func]
    if len(args) > at and at < own.__code__.co_argcount:
        out, args = args[at], (*args[:at], None, *args[at + 1 :])
    try:
        result = own(*args, **kwargs) if kwargs else own(*args)
    except errors.GradcError:
        raise
    except (IndexError, TypeError, ValueError) as why:
        # From NumPy, which was asked where the elements go.
        raise _renamed(func.__name__, why) from why
    if out is not None:
        return _written(func.__name__, result, out)
    if args and result is args[0] and func not in _GIVE_BACK:
        return result.copy()
    return result


def _renamed(name, why):
    text = " ".join(str(why).split())
    if isinstance(why, IndexError):
        return error(errors.IndexRangeError, f"{name}: {text}")
    kind = errors.DTypeError if isinstance(why, TypeError) else errors.ArgumentError
    return error(kind, f"{name}: {text}")


def _written(name, result, out):
    """out= an Expr: that handle becomes the result. A plain array cannot hold one."""
    if not isinstance(out, Expr):
        raise error(
            errors.UnsupportedError,
            f"np.{name}: a traced value cannot be written into a plain "
            "array: use pygradc.numpy.zeros, or build the array with np.stack",
        )
    if out.shape != result.shape:
        raise error(
            errors.ShapeError,
            f"np.{name}: out= of shape {out.shape} for a result of {result.shape}",
        )
    out[...] = result
    return out


# ---- ufuncs ----


def apply_ufunc(self, ufunc, method, *inputs, **kwargs):
    """What NumPy calls for a ufunc or one of its methods."""
    if not kwargs and method == "__call__":
        own = _ufuncs.get(ufunc)
        if own is not None:
            return own(*inputs)
    load()
    for option in ("casting", "order", "subok", "signature"):
        kwargs.pop(option, None)
    out = kwargs.pop("out", None)
    if out is not None and len(out) == 1:
        out = out[0]
    if method == "__call__":
        result = _call(ufunc, inputs, out, kwargs)
    elif method == "outer":
        result = _outer(ufunc, *inputs, **kwargs)
    elif (ufunc, method) in _methods:
        result = _methods[ufunc, method](*inputs, **kwargs)
    else:
        raise _unsupported(ufunc, f".{method}")
    if out is None:
        return result
    if isinstance(out, tuple):
        pairs = zip(result, out, strict=True)
        return tuple(
            r if o is None else _written(ufunc.__name__, r, o) for r, o in pairs
        )
    return _written(ufunc.__name__, result, out)


def _unsupported(ufunc, part=""):
    name = ufunc.__name__.split()[0]  # frompyfunc adds to it
    if getattr(np, name, None) is ufunc:
        what, way = f"np.{name}{part}", ""
    else:
        what = f"{name}{part}, a ufunc that is not NumPy's"
        way = f": use pygradc.{name}" if name in OPS else ""
    return error(
        errors.UnsupportedError, f"{what}: not supported on traced values{way}"
    )


def _call(ufunc, inputs, out, options):
    own = _ufuncs.get(ufunc)
    if own is None:
        raise _unsupported(ufunc)
    mask, dtype = options.pop("where", True), options.pop("dtype", None)
    if dtype is None:
        result = own(*inputs, **options)
    else:
        if np.dtype(dtype) in DTYPES[:2]:  # the dtype in which it is computed
            graph = graph_of(*inputs, out)
            inputs = [lift(graph, x).astype(dtype) for x in inputs]
        result = own(*inputs, **options)
        result = result.astype(dtype) if result.dtype != np.dtype(dtype) else result
    if mask is True:
        return result
    # Elements left out keep what out= holds; NumPy leaves them undefined without it.
    return np.where(mask, result, 0 if out is None else out)


def _outer(ufunc, x, y, **options):
    graph = graph_of(x, y)
    x, y = lift(graph, x), lift(graph, y)
    return ufunc(x.reshape(x.shape + (1,) * y.ndim), y, **options)


Expr.__array_function__ = apply_function
Expr.__array_ufunc__ = apply_ufunc
