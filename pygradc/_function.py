"""The explicit graph: variables, expressions of them, and functions compiled from them.

All variables of a thread that are alive share one graph, which goes when they do.
"""

import threading
import weakref

import numpy as np

from pygradc import _tree, errors
from pygradc._call import CHANGED, described, replay
from pygradc._expr import Expr, lift
from pygradc._graph import Graph, as_supported, plain
from pygradc._lib import CODES, DEFERRED, VARIABLE, lib, printed
from pygradc._program import Program, vjp_nodes

_state = threading.local()


def _shared_graph():
    graph = getattr(_state, "graph", lambda: None)()
    if graph is None:
        graph = Graph(recording=True)
        _state.graph = weakref.ref(graph)
    return graph


def var(name, shape=(), dtype=float):
    """A named variable: where an expression starts.

    Parameters
    ----------
    name : str
    shape : int or tuple of int
    dtype : dtype
        float64, float32, int64 or bool.

    Returns
    -------
    Expr, shape `shape`
        Operators and NumPy functions on it make expressions; `function` compiles them.

    Raises
    ------
    DTypeError
        `dtype` is none of the four.
    ArgumentError
        `shape` is no int and no tuple of ints.

    Notes
    -----
    All variables of a thread that are alive share one graph, so expressions of any of
    them combine; the graph goes when the last expression goes.

    Examples
    --------
    >>> import numpy as np, pygradc as pg
    >>> x = pg.var("x")
    >>> y = np.sin(x**2)
    >>> f = pg.function([x], [y, pg.grad_of(y, x)])
    >>> [float(v) for v in f(0.0)]
    [0.0, 0.0]
    """
    graph = _shared_graph()
    shape = _checked_shape(shape)
    try:
        dtype = np.dtype(dtype)
    except TypeError:
        raise errors.DTypeError(f"var: {dtype!r} is no dtype") from None
    if dtype not in CODES:
        raise errors.DTypeError(f"var: {dtype} is not float64, float32, int64 or bool")
    code = CODES[dtype]
    x = graph.input(code, shape, VARIABLE | DEFERRED)
    graph.names[x] = str(name)
    return Expr(graph, x, code)


def _checked_shape(shape):
    if isinstance(shape, (int, np.integer)):
        shape = (shape,)
    if not isinstance(shape, (tuple, list)):
        raise errors.ArgumentError(f"var: {shape!r} is no shape")
    if not all(isinstance(n, (int, np.integer)) for n in shape):
        raise errors.ArgumentError(f"var: {shape} is no shape: its entries are no ints")
    if any(n >= 1 << 63 for n in shape):
        raise errors.ShapeError(f"var: shape {shape} is too large")
    return tuple(shape)


def grad_of(y, x, seed=None):
    """Gradient of expression `y` with respect to `x`, as an expression.

    Parameters
    ----------
    y : Expr
    x : Expr, shape S
        Any node `y` depends on, or a variable.
    seed : Expr or array_like, shape of `y`, optional
        Cotangent of `y`; may be left out only if `y` is a scalar.

    Returns
    -------
    Expr, shape S
        Zeros where `y` does not depend on `x`.

    Raises
    ------
    ShapeError
        `seed` is missing for a non-scalar, or has another shape than `y`.
    DTypeError
        `y` or `x` is no float.
    GraphError
        `y` and `x` belong to different graphs.

    Notes
    -----
    Reverse accumulation; costs at most about 4 evaluations of `y` (Griewank & Walther
    2008, section 3.3).

    Examples
    --------
    >>> import numpy as np, pygradc as pg
    >>> w, x = pg.var("w", 3), pg.var("x", 3)
    >>> slope = pg.function([w, x], pg.grad_of(np.dot(w, x), w))
    >>> slope(np.ones(3), np.array([1.0, 2.0, 3.0]))
    array([1., 2., 3.])
    """
    for e in (y, x):
        if not isinstance(e, Expr):
            raise errors.DTypeError(f"grad_of: {type(e).__name__} is no Expr")
    if x.graph is not y.graph:
        raise errors.GraphError("grad_of: the expressions belong to different graphs")
    graph = y.graph
    seed = 0 if seed is None else lift(graph, seed, y.code).id
    (node,) = vjp_nodes(graph, y.id, seed, [x.id])
    return Expr(graph, node, x.code)


class Function:
    """A compiled function of variables. See `function`."""

    def __init__(self, inputs, outputs):
        self.single = not isinstance(outputs, (tuple, list))
        results = [outputs] if self.single else list(outputs)
        for e in [*inputs, *results]:
            if not isinstance(e, Expr):
                raise errors.DTypeError(f"function: {type(e).__name__} is no Expr")
        if not results:
            raise errors.ArgumentError("function: there are no outputs")
        graph = results[0].graph
        if any(e.graph is not graph for e in [*inputs, *results]):
            raise errors.GraphError("function: expressions belong to different graphs")
        self._names = [
            graph.names.get(x.id, f"argument {i}") for i, x in enumerate(inputs)
        ]
        self._types = [(x.dtype, x.shape) for x in inputs]
        captured = [graph.values[i] for i in graph.leaves]
        self._program = Program(
            graph, [x.id for x in inputs] + graph.leaves, [y.id for y in results]
        )
        self._call_path = replay(
            self._program,
            described(_tree.flat(tuple, len(inputs))),
            captured,
            described(Ellipsis if self.single else _tree.flat(list, len(results))),
        )

    def __call__(self, *args):
        out = self._call_path(args)
        if out is not CHANGED:
            return out
        if len(args) != len(self._types):
            raise errors.ArgumentError(
                f"function: takes {len(self._types)} arrays, not {len(args)}"
            )
        arrays = [
            _as_argument(a, *type_, name)
            for a, type_, name in zip(args, self._types, self._names, strict=True)
        ]
        return self._call_path(tuple(arrays))

    def memory(self):
        """What a call needs and does, in bytes, before anything runs.

        Returns
        -------
        Memory
            Named tuple: workspace, arguments, results, and moved: what the steps of the
            program read from and write to arrays.
        """
        return self._program.memory()

    def __repr__(self):
        inputs = ", ".join(
            f"{n}: {d} {s}" for n, (d, s) in zip(self._names, self._types, strict=True)
        )
        return f"Function({inputs})"


def _as_argument(a, dtype, shape, name):
    """Array `a` as the program takes it."""
    array = as_supported(np.asarray(plain(a)))
    if array.shape != shape:
        raise errors.ShapeError(
            f"function: {name} has shape {array.shape}, expected {shape}"
        )
    if array.dtype != dtype and not np.can_cast(array.dtype, dtype, "same_kind"):
        raise errors.DTypeError(f"function: {name} is {array.dtype}, expected {dtype}")
    return np.asarray(array, dtype, order="C")


def function(inputs, outputs):
    """A callable compiled from expressions.

    Parameters
    ----------
    inputs : sequence of Expr
        Variables (or any expressions, which are then given instead of computed).
    outputs : Expr or sequence of Expr

    Returns
    -------
    Function
        Takes one array for each input, of its shape, in order; returns an ndarray or
        NumPy scalar for each output, in a list if `outputs` is a sequence.

    Raises
    ------
    GraphError
        An output depends on a variable that is no input, or graphs are mixed.
    DTypeError
        An input or output is no Expr.

    Notes
    -----
    All outputs are computed by one program, which shares what they have in common and
    computes nothing else. It is immutable and may be called from several threads.

    Examples
    --------
    >>> import numpy as np, pygradc as pg
    >>> x, u = pg.var("x"), pg.var("u")
    >>> y = u * np.exp(x)
    >>> f = pg.function([x, u], [y, pg.grad_of(y, u)])
    >>> f
    Function(x: float64 (), u: float64 ())
    >>> [float(v) for v in f(0.0, 3.0)]
    [3.0, 1.0]
    """
    return Function(list(inputs), outputs)


def graph_text(x):
    """The graph that expression `x` belongs to as text, one node a line.

    Parameters
    ----------
    x : Expr

    Returns
    -------
    str
        For each node its number, op, operands, dtype and shape, in the order in which
        the nodes were made.

    Raises
    ------
    DTypeError
        `x` is no Expr.

    Notes
    -----
    Shows all nodes of the graph, also those that `x` does not depend on: of each
    variable that is alive, and of everything made from it.

    Examples
    --------
    >>> import pygradc as pg
    >>> x = pg.var("x")
    >>> "mul(" in pg.graph_text(x * x)
    True
    """
    if not isinstance(x, Expr):
        raise errors.DTypeError(f"graph_text: {type(x).__name__} is no Expr")
    return printed(lib.gradc_graph_print, x.graph.h)
