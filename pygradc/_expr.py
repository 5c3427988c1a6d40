"""`Expr`: a node of a graph that feels like an ndarray.

A light handle: the graph, the id of the node and the number of its dtype. Operators and
NumPy functions add nodes; nothing is computed before a value is asked for.
"""

import numpy as np

from pygradc import errors
from pygradc._graph import as_supported, plain
from pygradc._lib import (
    BOOL,
    CODES,
    DIFFERENTIATED,
    DTYPES,
    F64,
    I64,
    OPS,
    check,
    error,
    lib,
    ops,
)

# Dtype numbers each elementwise op takes.
TAKES = [frozenset(DTYPES.index(d) for d in row.dtypes) for row in ops()]
IS_TEST = [row.kind == "test" for row in ops()]
_POW = OPS["pow"]
# what NumPy means by sums and products of bools
_OF_BOOLS = {OPS["add"]: OPS["logical_or"], OPS["mul"]: OPS["logical_and"]}

# looked up once: they are on the way of every traced operation
_unary, _binary = lib.gradc_unary, lib.gradc_binary

# Python numbers that take a float operand's dtype without a further look
NUMBERS = (float, int)

_SHAPE_MANY = 64  # elements shown by repr at most


class Expr:
    """A traced or symbolic array.

    Attributes
    ----------
    shape : tuple of int
    dtype : numpy.dtype
        float64, float32, int64 or bool.
    """

    __slots__ = ("graph", "id", "code", "_shape", "_part")
    __array_priority__ = 1000

    def __init__(self, graph, node, code, shape=None):
        self.graph = graph
        self.id = node
        self.code = code
        self._shape = shape
        self._part = None  # what this is a view of: see _numpy/indexing.py

    # ---- what it is ----

    @property
    def shape(self):
        if self._shape is None:
            self._shape = self.graph.shape(self.id)
        return self._shape

    @property
    def dtype(self):
        return DTYPES[self.code]

    @property
    def ndim(self):
        return len(self.shape)

    @property
    def size(self):
        n = 1
        for d in self.shape:
            n *= d
        return n

    @property
    def itemsize(self):
        return self.dtype.itemsize

    @property
    def nbytes(self):
        return self.size * self.itemsize

    @property
    def T(self):
        return self.transpose()

    @property
    def mT(self):
        return np.matrix_transpose(self)

    @property
    def real(self):
        return self

    @property
    def imag(self):
        return np.zeros_like(self)

    @property
    def flat(self):
        return self.ravel()

    def __len__(self):
        if not self.shape:
            raise error(errors.DTypeError, "len() of a 0-d array")
        return self.shape[0]

    def __iter__(self):
        if not self.shape:
            raise error(errors.DTypeError, "iteration over a 0-d array")
        return (self[i] for i in range(self.shape[0]))

    def __repr__(self):
        known = self.graph.values.get(self.id)
        value = "" if known is None or known.size > _SHAPE_MANY else f" = {known}"
        return f"Expr({self.dtype} {self.shape}{value})"

    __hash__ = object.__hash__

    def __deepcopy__(self, memo):
        return self.copy()

    # ---- asking for numbers ----

    def _number(self, what, way):
        if self.code < I64 and self.graph.role(self.id) & DIFFERENTIATED:
            raise error(
                errors.ConcretizationError,
                f"{what} of a value that is being differentiated would lose its "
                f"gradient: use {way}, or pygradc.value_of for the bare number",
            )
        return self.graph.value(self.id, what)

    def __array__(self, dtype=None, copy=None):
        value = self._number(
            "a plain array",
            "np.stack or pygradc.numpy.array to build one, "
            "pygradc.numpy.zeros to assign into one, M @ x for M.dot(x)",
        )
        return np.array(value, dtype=dtype, copy=copy)

    def __float__(self):
        way = (
            "NumPy's function, as np.sin, for math's, pygradc.numpy.zeros for an "
            "array to assign into"
        )
        return float(self._number("float()", way))

    def item(self, *args):
        """The bare number, if that loses no gradient."""
        return self._number("item()", "the array itself").item(*args)

    def tolist(self):
        """Nested lists of bare numbers, if that loses no gradient."""
        return self._number("tolist()", "the array itself").tolist()

    def __bool__(self):
        return bool(self.graph.value(self.id, "a truth value"))

    def __int__(self):
        return int(self.graph.value(self.id, "int()"))

    def __index__(self):
        if self.code != I64:
            raise error(errors.DTypeError, f"{self.dtype} cannot be used as an index")
        return int(self.graph.value(self.id, "an index"))

    def __complex__(self):
        return complex(float(self))

    def __format__(self, spec):
        return format(known(self), spec) if spec else repr(self)

    # ---- NumPy's protocols ----

    # The families of functions are imported at first use, and take these places.

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        import pygradc._numpy.protocol  # noqa: F401

        return self.__array_ufunc__(ufunc, method, *inputs, **kwargs)

    def __array_function__(self, func, types, args, kwargs):
        import pygradc._numpy.protocol  # noqa: F401

        return self.__array_function__(func, types, args, kwargs)

    def __getitem__(self, key):
        from pygradc._numpy.indexing import get_part

        return get_part(self, key)

    def __setitem__(self, key, value):
        """Makes this handle stand for the array with the items replaced, and those it
        is a part of, by slices or integers, with it. Other handles keep their value."""
        from pygradc._numpy.indexing import set_part

        set_part(self, key, value)


def expr(graph, node, code):
    """Expr of a builder's result; raises the graph's error if that is 0."""
    if node == 0:
        check(graph.h)
    return Expr(graph, node, code)


def value_of(x):
    """The bare number or array behind `x`, which carries no gradient.

    Parameters
    ----------
    x : Expr or array_like

    Returns
    -------
    ndarray or NumPy scalar
        A copy.

    Raises
    ------
    ConcretizationError
        `x` has no value yet, because `jit` is recording.

    Notes
    -----
    The way to look at a traced value, to print it or to stop a loop. What is computed
    from the bare number is a constant to the derivative.

    Examples
    --------
    >>> import pygradc as pg
    >>> pg.grad(lambda x: x * float(pg.value_of(x)))(3.0).item()
    3.0
    """
    return np.array(known(x, "value_of"))[()]


def known(x, what="a concrete value"):
    """As `value_of`, but perhaps memory that others read: to look at, not to change. An
    error says that `what` was asked for."""
    if not isinstance(x, Expr):
        return np.asarray(x)[()]
    return x.graph.value(x.id, what)[()]


# ---- lifting and promotion ----


def _weak_code(value, code):
    """Dtype number that Python number `value` takes beside dtype number `code`."""
    if isinstance(value, bool):
        return code
    if isinstance(value, int):
        return I64 if code == BOOL else code
    return F64 if code > 1 else code


def lift(graph, value, code=F64):
    """`value` as an Expr of `graph`; a Python number takes a dtype that fits `code`."""
    if type(value) is Expr:
        if value.graph is not graph:
            raise error(
                errors.GraphError,
                "expressions of two different graphs cannot be combined: one belongs "
                "to a trace that has ended, or to another",
            )
        return value
    if _is_weak(value):
        code = _weak_code(value, code)
        try:
            return Expr(graph, graph.scalar(value, code), code)
        except OverflowError as why:
            raise error(errors.ArgumentError, str(why)) from None
    if isinstance(value, (list, tuple)) and _contains_expr(value):
        return np.stack([lift(graph, v, code) for v in value])
    try:
        array = as_supported(np.asarray(plain(value)))
    except ValueError as why:
        raise error(errors.ArgumentError, f"not an array: {why}") from None
    return Expr(graph, graph.capture(array), CODES[array.dtype], array.shape)


def _contains_expr(items):
    return any(
        type(v) is Expr or (isinstance(v, (list, tuple)) and _contains_expr(v))
        for v in items
    )


def graph_of(*values):
    """The graph of the first Expr among `values` and their items, or None."""
    for v in values:
        if type(v) is Expr:
            return v.graph
        if isinstance(v, (list, tuple)):
            inner = graph_of(*v)
            if inner is not None:
                return inner
    return None


def convert(x, code):
    """`x` in dtype number `code`."""
    if x.code == code:
        return x
    return expr(x.graph, lib.gradc_convert(x.graph.h, x.id, code), code)


def _fitting(op, code):
    """The dtype number in which `op` is done on operands of dtype number `code`."""
    if code in TAKES[op]:
        return code
    if TAKES[op] == {BOOL}:
        raise error(
            errors.UnsupportedError,
            f"{ops()[op].name}: only bools are supported on traced values",
        )
    return I64 if code == BOOL and I64 in TAKES[op] else F64


def promote(graph, values, op=None):
    """`values` as Exprs of one dtype, as NumPy promotes them (NEP 50)."""
    code = values[0].code if type(values[0]) is Expr else None
    for v in values:
        if type(v) is not Expr or v.code != code or v.graph is not graph:
            return _promoted(graph, values, op)
    if op is not None and _fitting(op, code) != code:
        return _promoted(graph, values, op)
    return values, code


def _promoted(graph, values, op):
    """As `promote`, of values that are not yet Exprs of the dtype they will have."""
    strong = [v for v in values if not _is_weak(v)]
    exprs = [lift(graph, v) for v in strong]
    code = exprs[0].code if exprs else F64
    for e in exprs[1:]:
        if e.code != code:
            code = DTYPES.index(np.promote_types(DTYPES[code], e.dtype))
    for v in values:
        if _is_weak(v):
            code = _weak_code(v, code)
    if op is not None:
        code = _fitting(op, code)
    at = iter(exprs)
    return [
        convert(lift(graph, v, code) if _is_weak(v) else next(at), code) for v in values
    ], code


def _is_weak(value):
    """Whether `value` is a Python number, whose dtype yields to that of arrays."""
    kind = type(value)
    if kind is float or kind is int or kind is Expr:
        return kind is not Expr
    return isinstance(value, (bool, int, float)) and not isinstance(value, np.generic)


def unary(op, x):
    """Elementwise op number `op` of Expr `x`."""
    code, graph = x.code, x.graph
    if code not in TAKES[op]:
        code = _fitting(op, code)
        x = convert(x, code)
    node = _unary(graph.h, op, x.id) or check(graph.h)
    return Expr(graph, node, BOOL if IS_TEST[op] else code)


def binary(op, x, y):
    """Elementwise op number `op` of `x` and `y`, one of which is an Expr."""
    takes, node = TAKES[op], 0
    numbers = () if op == _POW else NUMBERS
    if type(x) is Expr:
        graph, code = x.graph, x.code
        if type(y) is Expr:
            if y.code == code and code in takes and y.graph is graph:
                node = _binary(graph.h, op, x.id, y.id)
        elif type(y) in numbers and code < I64 and code in takes:
            node = _binary(graph.h, op, x.id, graph.scalar(y, code))
    elif type(x) in numbers:
        graph, code = y.graph, y.code
        if code < I64 and code in takes:
            node = _binary(graph.h, op, graph.scalar(x, code), y.id)
    if node:
        return Expr(graph, node, BOOL if IS_TEST[op] else code)
    return general_binary(op, x, y)


def general_binary(op, x, y):
    """As `binary`, of operands that may have to be lifted or converted."""
    graph = x.graph if type(x) is Expr else graph_of(x, y)
    if op == _POW and type(y) is int and y >= 0 and _is_integer(x):
        return _integer_power(x, y)
    if op == _POW and _is_weak(y) and abs(y) <= 64 and y == int(y):
        y = _structural(graph, x, int(y))
    (x, y), code = promote(graph, (x, y), None)
    if code == BOOL and op in _OF_BOOLS:
        op = _OF_BOOLS[op]
    fitting = _fitting(op, code)
    if fitting != code:
        x, y, code = convert(x, fitting), convert(y, fitting), fitting
    result = BOOL if IS_TEST[op] else code
    return expr(graph, _binary(graph.h, op, x.id, y.id), result)


def _structural(graph, x, number):
    """`number` as a constant beside x: rules look at integer exponents."""
    code = x.code if x.code <= 1 else F64
    return Expr(graph, lib.gradc_const(graph.h, code, number), code)


def _integer_power(x, n):
    """x**n of an integer Expr, by squaring."""
    power, result = x, None
    while n:
        if n & 1:
            result = power if result is None else binary(OPS["mul"], result, power)
        power, n = unary(OPS["square"], power), n >> 1
    return lift(x.graph, np.ones(x.shape, np.int64)) if result is None else result


def _is_integer(x):
    return type(x) is Expr and x.code == I64
