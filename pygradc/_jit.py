"""`jit`: record a function once per signature, then replay the program."""

import functools

import numpy as np
from numpy import float64, ndarray

from pygradc import _tree, errors
from pygradc._expr import Expr, lift
from pygradc._graph import Graph, as_supported, plain, state, traced_call, tracing
from pygradc._lib import CODES, DEFERRED, VARIABLE, error
from pygradc._program import Program

# Signatures kept for one function; the oldest goes first.
MOST_SIGNATURES = 256


def jit(function):
    """`function`, recorded once per signature and replayed as one compiled program.

    Parameters
    ----------
    function : callable
        Of arrays, floats, and tuples, lists, dicts of them. Other arguments -- ints,
        bools, strings, None, any hashable object -- are static: part of the signature,
        and the function is recorded anew for each value.

    Returns
    -------
    callable
        Takes and returns what `function` does, as ndarrays and NumPy scalars.

    Raises
    ------
    ConcretizationError
        While recording: the function asks a traced value for a number, as in
        ``if x > 0``. Use `np.where`, or leave that part out of `jit`.

    Notes
    -----
    A signature is the structure of the arguments, the shape and dtype of every array
    and the static values. Arrays that the function captures are copied when it is
    recorded: what they hold later does not matter. Called inside another transform,
    the function is traced as part of that.

    Examples
    --------
    >>> import numpy as np, pygradc as pg
    >>> slope = pg.jit(pg.grad(lambda x: np.sin(x + x**2)))
    >>> float(slope(0.0))
    1.0
    """
    recorded = {}

    @functools.wraps(function)
    def replay(*args, **kwargs):
        if state.graph is not None:
            return function(*args, **kwargs)
        signature = []
        for a in args:
            kind = type(a)
            if kind is float:
                signature.append(float)
            elif kind is ndarray:
                signature.append(a.dtype)
                signature.append(a.shape)
            else:
                return _replay_tree(function, recorded, args, kwargs)
        if kwargs:
            return _replay_tree(function, recorded, args, kwargs)
        signature = tuple(signature)
        recording = recorded.get(signature)
        if recording is None:
            return _run(function, recorded, signature, args, kwargs, args)
        return recording(args)

    return replay


def _replay_tree(function, recorded, args, kwargs):
    """A call with other arguments than floats and arrays, one by one."""
    leaves, arrays = [], []
    signature = [_tree.flatten((args, kwargs), leaves)]
    for a in leaves:
        if type(a) is float:
            signature.append(float)
            arrays.append(a)
        elif isinstance(a, (np.ndarray, np.floating)):
            a = np.asarray(plain(a))
            signature += (a.dtype, a.shape)
            arrays.append(a)
        else:
            signature += (type(a), a)
    return _run(function, recorded, tuple(signature), args, kwargs, arrays)


class _Recording:
    """What is kept of a recorded function."""

    __slots__ = ("program", "captured", "build", "static", "plain")

    def __call__(self, arrays):
        if self.captured:
            arrays = [*arrays, *self.captured]
        try:
            results = self.program(arrays)
        except (BufferError, ValueError) as why:
            if isinstance(why, errors.GradcError):
                raise
            results = self.program([_contiguous(a) for a in arrays])
        if self.plain:
            r = results[0]
            return r if r.ndim else r[()]
        results = [r if type(r) is float64 or r.ndim else r[()] for r in results]
        if self.static is not None:
            values = iter(results)
            results = [next(values) if s is _TRACED else s for s in self.static]
        return self.build(results)


_TRACED = object()


def _contiguous(a):
    return a if type(a) is float else np.array(a, order="C", ndmin=a.ndim)


def _run(function, recorded, signature, args, kwargs, arrays):
    try:
        recording = recorded.get(signature)
    except TypeError:
        raise error(
            errors.DTypeError, "jit: a static argument is not hashable"
        ) from None
    if recording is None:
        for a in arrays:
            if type(a) is not float and a.dtype not in CODES:
                return _convert_and_replay(function, recorded, args, kwargs)
        recording = _record(function, args, kwargs)
        if len(recorded) >= MOST_SIGNATURES:
            recorded.pop(next(iter(recorded)), None)
        recorded[signature] = recording
    return recording(arrays)


def _convert_and_replay(function, recorded, args, kwargs):
    """Arrays of other integer types and byte orders, in one of ours."""

    def each(a):
        return as_supported(a) if isinstance(a, np.ndarray) else a

    args, kwargs = _tree.map_leaves(each, (args, kwargs))
    return _replay_tree(function, recorded, args, kwargs)


def _record(function, args, kwargs):
    graph = Graph(recording=True)
    inputs = []

    def each(a):
        if type(a) is float or isinstance(a, np.floating):
            a = np.asarray(a, np.float64 if type(a) is float else a.dtype)
        if not isinstance(a, np.ndarray):
            return a
        code = CODES[a.dtype]
        x = graph.input(code, a.shape, VARIABLE | DEFERRED)
        inputs.append(x)
        return Expr(graph, x, code)

    traced_args, traced_kwargs = _tree.map_leaves(each, (args, kwargs))
    with tracing(graph):
        out = traced_call(function, traced_args, traced_kwargs)
    leaves = []
    recording = _Recording()
    structure = _tree.flatten(out, leaves)
    recording.build, _ = _tree.builder(structure)
    nodes, static = [], []
    for y in leaves:
        if isinstance(y, (Expr, np.ndarray, np.generic, float, int, bool)):
            nodes.append(lift(graph, y).id)
            y = _TRACED
        static.append(y)
    recording.static = None if len(nodes) == len(leaves) else static
    recording.plain = structure is Ellipsis and len(nodes) == 1
    recording.program = Program(graph, inputs + graph.leaves, nodes)
    recording.captured = [graph.values[x] for x in graph.leaves]
    return recording
