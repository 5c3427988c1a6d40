"""NumPy, with functions that create arrays made ready for traced values.

A drop-in for ``autograd.numpy``: every public name of NumPy is here and, but for those
below, is NumPy's own, which pygradc follows through NumPy's protocols.

NumPy hands `np.array`, `np.zeros`, `np.full`, `np.c_` and their like to nobody, so
these need forms of their own. `array` and its relatives stack sequences that hold
traced values. Inside a trace `zeros`, `ones`, `full`, `empty` give traced constants,
into which traced values can be assigned; outside, and on plain data, all are NumPy's.

    >>> import pygradc as pg, pygradc.numpy as np
    >>> def f(x):
    ...     out = np.zeros(2)
    ...     out[0] = x**2
    ...     return np.sum(out * np.array([x, 1.0]))
    >>> float(pg.grad(f)(2.0))  # of x^3
    12.0
"""

import sys as _sys

import numpy as _np

from pygradc import errors as _errors
from pygradc._expr import Expr as _Expr
from pygradc._expr import graph_of as _graph_of
from pygradc._numpy.creating import Concatenator as _Concatenator
from pygradc._numpy.creating import array as _array
from pygradc._numpy.creating import full as _full
from pygradc._numpy.creating import linspace as _linspace
from pygradc._numpy.creating import trace_of as _trace_of


def __getattr__(name):
    return getattr(_np, name)


def __dir__():
    return __all__


# So that `import pygradc.numpy.linalg` works as `import numpy.linalg` does.
for _name in ("linalg", "fft", "random"):
    _sys.modules[f"{__name__}.{_name}"] = getattr(_np, _name)

# ---- from sequences ----


def array(object, dtype=None, *, ndmin=0, **options):
    """As `numpy.array`, of sequences that may hold traced values.

    Parameters
    ----------
    object : array_like
        Sequences in sequences, to any depth, of numbers, arrays and traced values, all
        of which have one shape.
    dtype : dtype, optional
    ndmin : int
        Axes of length 1 are put in front until there are so many.
    **options
        ``copy``, ``order``, ``subok``, ``like``: for plain data only.

    Returns
    -------
    Expr or ndarray
        Traced if any part is.

    Raises
    ------
    ShapeError
        The parts have different shapes.

    Notes
    -----
    As for NumPy, Python numbers in a sequence count as float64, int64 or bool. The
    derivative hands each part its own piece.

    Examples
    --------
    >>> import pygradc as pg, pygradc.numpy as np
    >>> pg.grad(lambda x: np.sum(np.array([[x, 1.0], [2.0, x * x]])))(3.0).item()
    7.0
    """
    if _graph_of(object) is None:
        return _np.array(object, dtype, ndmin=ndmin, **options)
    return _array(object, dtype, ndmin)


def asarray(a, dtype=None, *args, **options):
    """As `numpy.asarray`; see `array`."""
    if _graph_of(a) is None:
        return _np.asarray(a, dtype, *args, **options)
    return _array(a, dtype)


def asanyarray(a, dtype=None, *args, **options):
    """As `numpy.asanyarray`; see `array`."""
    if _graph_of(a) is None:
        return _np.asanyarray(a, dtype, *args, **options)
    return _array(a, dtype)


def ascontiguousarray(a, dtype=None, **options):
    """As `numpy.ascontiguousarray`; see `array`."""
    if _graph_of(a) is None:
        return _np.ascontiguousarray(a, dtype, **options)
    return _array(a, dtype, ndmin=1)


def asfortranarray(a, dtype=None, **options):
    """As `numpy.asfortranarray`; see `array`. Traced values have no memory order."""
    if _graph_of(a) is None:
        return _np.asfortranarray(a, dtype, **options)
    return _array(a, dtype, ndmin=1)


def asarray_chkfinite(a, dtype=None, order=None):
    """As `numpy.asarray_chkfinite`; see `array`. The values at hand are checked."""
    if _graph_of(a) is None:
        return _np.asarray_chkfinite(a, dtype, order)
    x = _array(a, dtype)
    if not _np.all(_np.isfinite(x)):
        raise _errors.ArgumentError("asarray_chkfinite: an element is inf or NaN")
    return x


# ---- filled ----


def full(shape, fill_value, dtype=None, order="C", **options):
    """As `numpy.full`; traced inside a trace, and where `fill_value` is traced.

    Parameters
    ----------
    shape : int or sequence of int
    fill_value : scalar, array_like or Expr
        Broadcast to `shape`.
    dtype : dtype, optional
        That of `fill_value` by default.
    order : str
        For plain arrays only.

    Returns
    -------
    Expr or ndarray

    Raises
    ------
    ShapeError
        `fill_value` does not broadcast to `shape`.

    Notes
    -----
    Assigning to an item of a traced array makes the name stand for a new one, so that
    gradients flow through ``out[i] = value``.

    Examples
    --------
    >>> import pygradc as pg, pygradc.numpy as np
    >>> pg.grad(lambda x: np.sum(np.full((2, 3), x)))(1.0).item()
    6.0
    """
    graph = _trace_of(fill_value)
    if graph is None:
        return _np.full(shape, fill_value, dtype, order, **options)
    return _full(graph, shape, fill_value, dtype)


def zeros(shape, dtype=float, order="C", **options):
    """As `numpy.zeros`; traced inside a trace, as `full`."""
    graph = _trace_of()
    if graph is None:
        return _np.zeros(shape, dtype, order, **options)
    return _full(graph, shape, 0, dtype)


def ones(shape, dtype=None, order="C", **options):
    """As `numpy.ones`; traced inside a trace, as `full`."""
    graph = _trace_of()
    if graph is None:
        return _np.ones(shape, dtype, order, **options)
    return _full(graph, shape, 1, float if dtype is None else dtype)


def empty(shape, dtype=float, order="C", **options):
    """As `numpy.empty`; inside a trace zeros, as `full`."""
    graph = _trace_of()
    if graph is None:
        return _np.empty(shape, dtype, order, **options)
    return _full(graph, shape, 0, dtype)


def full_like(a, fill_value, dtype=None, order="K", subok=True, shape=None, **options):
    """As `numpy.full_like`; traced as `full`."""
    graph = _trace_of(a, fill_value)
    if graph is None:
        return _np.full_like(a, fill_value, dtype, order, subok, shape, **options)
    a = a if isinstance(a, _Expr) else array(a)
    dtype = a.dtype if dtype is None else dtype
    return _full(graph, a.shape if shape is None else shape, fill_value, dtype)


def zeros_like(a, dtype=None, order="K", subok=True, shape=None, **options):
    """As `numpy.zeros_like`; traced as `full`."""
    return full_like(a, 0, dtype, order, subok, shape, **options)


def ones_like(a, dtype=None, order="K", subok=True, shape=None, **options):
    """As `numpy.ones_like`; traced as `full`."""
    return full_like(a, 1, dtype, order, subok, shape, **options)


def empty_like(prototype, dtype=None, order="K", subok=True, shape=None, **options):
    """As `numpy.empty_like`; traced, of zeros, as `full`."""
    return full_like(prototype, 0, dtype, order, subok, shape, **options)


def linspace(start, stop, num=50, *args, **options):
    """As `numpy.linspace`; the bounds may be traced.

    Parameters
    ----------
    start, stop : array_like or Expr
    num : int
    *args, **options
        ``endpoint``, ``retstep``, ``dtype``, ``axis``, ``device``.

    Returns
    -------
    Expr or ndarray, or a pair with the step

    Raises
    ------
    ArgumentError
        `num` is negative.

    Notes
    -----
    (1 - t) start + t stop, so that both ends are met exactly.

    Examples
    --------
    >>> import pygradc as pg, pygradc.numpy as np
    >>> pg.grad(lambda b: np.sum(np.linspace(0.0, b, 5)))(1.0).item()
    2.5
    """
    if _graph_of(start, stop) is None:
        return _np.linspace(start, stop, num, *args, **options)
    return _linspace(start, stop, num, *args, **options)


# ---- joined by indexing ----

c_ = _Concatenator(_np.c_, "c_")
r_ = _Concatenator(_np.r_, "r_")

row_stack = _np.vstack  # which NumPy is about to drop

__all__ = sorted(
    {name for name in dir(_np) if not name.startswith("_")}
    | {name for name in globals() if not name.startswith("_")}
)
