"""What an `Expr` shares with ndarrays by name: operators, and methods that are NumPy
functions.
"""

import numpy as np

from pygradc import errors
from pygradc._expr import (
    IS_TEST,
    NUMBERS,
    TAKES,
    Expr,
    convert,
    general_binary,
    unary,
)
from pygradc._lib import BOOL, DTYPES, I64, OPS, check, error, lib

_binary = lib.gradc_binary
_POW = OPS["pow"]

# ---- operators ----

_OPERATORS = {
    "add": "add",
    "sub": "sub",
    "mul": "mul",
    "truediv": "div",
    "floordiv": "floordiv",
    "mod": "mod",
    "pow": "pow",
    "lt": "lt",
    "le": "le",
    "eq": "eq",
    "ne": "ne",
    "gt": "gt",
    "ge": "ge",
    "and": "logical_and",
    "or": "logical_or",
    "xor": "logical_xor",
}
_KNOWN = (Expr, bool, int, float, complex, np.ndarray, np.generic, list, tuple)


def _operator(op):
    takes = TAKES[op]
    numbers = () if op == _POW else NUMBERS

    def method(self, other):
        kind, code, graph = type(other), self.code, self.graph
        node = 0
        if kind is Expr:
            if other.code == code and code in takes and other.graph is graph:
                node = _binary(graph.h, op, self.id, other.id)
        elif kind in numbers:
            if code < I64:
                node = _binary(graph.h, op, self.id, graph.scalar(other, code))
        elif not isinstance(other, _KNOWN):
            return NotImplemented
        if node:
            return Expr(graph, node, BOOL if IS_TEST[op] else code)
        return general_binary(op, self, other)

    def reflected(self, other):
        code, graph = self.code, self.graph
        if type(other) in numbers and code < I64:
            node = _binary(graph.h, op, graph.scalar(other, code), self.id)
            if node:
                return Expr(graph, node, BOOL if IS_TEST[op] else code)
        if not isinstance(other, _KNOWN):
            return NotImplemented
        return general_binary(op, other, self)

    return method, reflected


def _in_place(method, name):
    """x += y and its like: all names of an array see it, as in NumPy; a 0-d value is a
    number, and an explicit variable a symbol, which only its name lets go of."""

    def assign(self, other):
        if self._part is not None:
            _renew(self)
        result = method(self, other)
        if result is NotImplemented or not self.shape or self.id in self.graph.names:
            return result
        if result.shape != self.shape:
            raise error(
                errors.ShapeError,
                f"{name}: a result of shape {result.shape} cannot be assigned to an "
                f"array of shape {self.shape}",
            )
        if result.code != self.code:
            result = _as_kind(result, self.code, name)
        if self._part is None:
            self.id, self.graph.assigned = result.id, True
        else:
            self[...] = result
        return self

    return assign


def _renew(x):
    """Lets `x`, a part, see what was assigned to the whole since."""
    from pygradc._numpy.indexing import renewed

    renewed(x)


def _as_kind(x, code, name):
    """`x` in dtype number `code`, if NumPy would do so in place."""
    if not np.can_cast(x.dtype, DTYPES[code], "same_kind"):
        raise error(
            errors.DTypeError,
            f"{name}: a result of {x.dtype} cannot be assigned to an array of "
            f"{DTYPES[code]}",
        )
    return convert(x, code)


for _name, _op in _OPERATORS.items():
    _method, _reflected = _operator(OPS[_op])
    setattr(Expr, f"__{_name}__", _method)
    if _name not in ("lt", "le", "eq", "ne", "gt", "ge"):
        setattr(Expr, f"__r{_name}__", _reflected)
        setattr(Expr, f"__i{_name}__", _in_place(_method, _op))

Expr.__neg__ = lambda self: unary(OPS["neg"], self)
Expr.__pos__ = lambda self: self.copy()
Expr.__abs__ = lambda self: unary(OPS["abs"], self)
Expr.__invert__ = lambda self: unary(OPS["logical_not"], self)
Expr.__matmul__ = lambda self, other: np.matmul(self, other)
Expr.__rmatmul__ = lambda self, other: np.matmul(other, self)
Expr.__imatmul__ = _in_place(Expr.__matmul__, "matmul")
Expr.__divmod__ = lambda self, other: (self // other, self % other)
Expr.__trunc__ = Expr.__int__  # for math.trunc
Expr.__round__ = lambda self, digits=0: np.round(self, digits)


# ---- methods that are NumPy functions of the same name ----

_METHODS = (
    "all any argmax argmin argsort clip cumprod cumsum diagonal dot "
    "max mean min nonzero prod ptp ravel repeat round searchsorted squeeze std "
    "sum swapaxes take trace var argpartition"
).split()


def _method_of(name):
    function = getattr(np, name)

    def method(self, *args, **kwargs):
        return function(self, *args, **kwargs)

    method.__name__ = name
    method.__doc__ = f"As `numpy.{name}`."
    return method


for _name in _METHODS:
    setattr(Expr, _name, _method_of(_name))


def _astype(self, dtype, order="K", casting="unsafe", subok=True, copy=True):
    """As `numpy.ndarray.astype`."""
    if not np.can_cast(self.dtype, dtype, casting):
        raise error(
            errors.DTypeError,
            f"astype: {self.dtype} cannot become {np.dtype(dtype)} by {casting!r}",
        )
    return np.astype(self, dtype)


def _reshape(self, *shape, order="C", copy=None):
    """As `numpy.ndarray.reshape`."""
    shape = shape[0] if len(shape) == 1 else shape
    return np.reshape(self, shape, order=order)


def _transpose(self, *axes):
    """As `numpy.ndarray.transpose`."""
    axes = axes[0] if len(axes) == 1 else axes
    return np.transpose(self, axes or None)


def _copy(self, order="C"):
    """Another handle of the same value; of an explicit variable, a value."""
    graph, node = self.graph, self.id
    if node in graph.names:
        node = lib.gradc_ident(graph.h, node, 0) or check(graph.h)
    return Expr(graph, node, self.code, self._shape)


def _flatten(self, order="C"):
    """As `numpy.ndarray.flatten`."""
    return np.ravel(self, order)


def _conjugate(self):
    """The value itself: it is real."""
    return self


def _compress(self, condition, axis=None, out=None):
    """As `numpy.ndarray.compress`."""
    return np.compress(condition, self, axis, out)


def _fill(self, value):
    """As `numpy.ndarray.fill`."""
    self[...] = value


Expr.astype, Expr.reshape, Expr.transpose = _astype, _reshape, _transpose
Expr.copy, Expr.flatten, Expr.fill = _copy, _flatten, _fill
Expr.compress = _compress
Expr.conj = Expr.conjugate = _conjugate
