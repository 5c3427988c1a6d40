"""`jit`: record a function once per signature, then replay the program."""

import functools

import numpy as np

from pygradc import _tree, errors
from pygradc._call import MOST_LEAVES, written
from pygradc._expr import Expr, lift
from pygradc._graph import (
    Graph,
    as_supported,
    plain,
    state,
    traced_call,
    tracing,
    tracing_threads,
)
from pygradc._lib import CODES, DEFERRED, VARIABLE, error, ffi, lib
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
        Takes and returns what `function` does, as ndarrays and NumPy scalars. Its
        attributes ``bind``, the raw form for inner loops, and ``memory``: see `Notes`.

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

    ``call = f.bind(*args, out=None)`` binds buffers once. Each ``call()`` enters the
    library once: it reads the arrays of ``call.args`` as they are then, writes those of
    ``call.results`` and returns them. Arrays given are used in place and must be
    C-contiguous; floats become 0-d arrays in ``call.args``. `out` is a tree like the
    results, of arrays to write to; it must not share memory with the arguments. A bound
    call serves one thread at a time.

    ``f.memory(*args)`` tells what a call for such arguments needs and does, in bytes:
    workspace, arguments, results, and moved, what its steps read from and write to
    arrays.

    Examples
    --------
    >>> import numpy as np, pygradc as pg
    >>> slope = pg.jit(pg.grad(lambda x: np.sin(x + x**2)))
    >>> float(slope(0.0))
    1.0
    >>> x = np.zeros(())
    >>> call = slope.bind(x)
    >>> x[...] = 2.0
    >>> bool(call() == slope(2.0))
    True
    """
    recorded = {}
    latest = None  # the call path of the signature met last

    @functools.wraps(function)
    def replay(*args, **kwargs):
        if latest is None or kwargs or tracing_threads:
            return general(args, kwargs)
        return latest(args)

    def general(args, kwargs):
        nonlocal latest
        if state.graph is not None:
            return function(*args, **kwargs)
        recording, arrays, leaves = _find(function, recorded, args, kwargs)
        if recording.calls > 0 and not kwargs:
            latest = recording.call_path(args, leaves, again, copied) or latest
        recording.calls += 1
        return recording(arrays)

    def again(args):
        return general(args, {})

    def copied(args):
        recording, arrays, _ = _find(function, recorded, args, {})
        return recording(arrays)

    def bind(*args, out=None, **kwargs):
        recording, arrays, _ = _find(function, recorded, args, kwargs)
        return recording.bound(arrays, out)

    def memory(*args, **kwargs):
        return _find(function, recorded, args, kwargs)[0].program.memory()

    replay.bind, replay.memory = bind, memory
    return replay


def _find(function, recorded, args, kwargs):
    """The recording for these arguments, made if there is none; its arrays, and the
    leaves as given."""
    leaves, arrays = [], []
    structure = _tree.flatten((args, kwargs), leaves)
    signature = [structure]
    for a in leaves:
        if type(a) is float:
            signature.append(float)
            arrays.append(a)
        elif isinstance(a, (np.ndarray, np.floating)):
            a = np.asarray(plain(a))
            if a.dtype not in CODES:
                return _find(function, recorded, *_supported(args, kwargs))
            signature += (a.dtype, a.shape)
            arrays.append(a)
        else:
            signature += (type(a), a)
    signature = tuple(signature)
    try:
        recording = recorded.get(signature)
    except TypeError:
        raise error(
            errors.DTypeError, "jit: a static argument is not hashable"
        ) from None
    if recording is None:
        recording = Recording(function, args, kwargs)
        if len(recorded) >= MOST_SIGNATURES:
            recorded.pop(next(iter(recorded)), None)
        recorded[signature] = recording
    return recording, arrays, leaves


def _supported(args, kwargs):
    """Arrays of other integer types and byte orders, in one of ours."""

    def each(a):
        is_array = isinstance(a, (np.ndarray, np.floating)) and type(a) is not float
        return as_supported(np.asarray(a)) if is_array else a

    return _tree.map_leaves(each, (args, kwargs))


class Recording:
    """What is kept of a function recorded for one signature.

    Attributes
    ----------
    program : Program
        Of the arguments' arrays, then the captured ones.
    structure : tree structure of the result
    leaves : list of (bool, object)
        For each leaf of the result: whether the program computes it, or else its value.
    calls : int
    """

    __slots__ = (
        "program",
        "captured",
        "structure",
        "leaves",
        "calls",
        "_build",
        "_call_path",
    )

    def __init__(self, function, args, kwargs):
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
        results, nodes = [], []
        self.structure = _tree.flatten(out, results)
        self.leaves = []
        for y in results:
            computed = isinstance(y, (Expr, np.ndarray, np.generic, float, int, bool))
            if computed:
                nodes.append(lift(graph, y).id)
            self.leaves.append((computed, None if computed else y))
        self.program = Program(graph, inputs + graph.leaves, nodes)
        self.captured = [graph.values[x] for x in graph.leaves]
        self._build, _ = _tree.builder(self.structure)
        self.calls, self._call_path = 0, None

    def __call__(self, arrays):
        return self._tree(self.program([*arrays, *self.captured]))

    def _tree(self, results):
        values = iter(results)
        return self._build([next(values) if c else v for c, v in self.leaves])

    def frame(self):
        """A frame of the program, with the captured arrays in place."""
        frame = self.program.frame()
        first = self.program.n_args - len(self.captured)
        for i, a in enumerate(self.captured, first):
            frame[0][i] = ffi.from_buffer(a)
        return frame

    def call_path(self, args, leaves, miss, copied):
        """The function written for this signature; None if it would be too long."""
        if self._call_path is None:
            if len(leaves) + len(self.leaves) > MOST_LEAVES:
                return None
            structure = _tree.flatten(args, [])
            self._call_path = written(self, structure, leaves, miss, copied)
        return self._call_path

    def bound(self, arrays, out):
        """A call with its buffers bound: see `jit`."""
        program = self.program
        arrays = [np.array(a) if type(a) is float else a for a in arrays]
        for i, a in enumerate(arrays):
            if not (a.flags.c_contiguous and a.flags.aligned):
                raise errors.ArgumentError(
                    f"bind: array {i} of the arguments is not C-contiguous"
                )
        results = self._results(arrays, out)
        args = [*arrays, *self.captured]
        pointers = ffi.new("void *[]", [ffi.from_buffer(a) for a in args])
        to = ffi.new("void *[]", [ffi.from_buffer(r) for r in results])
        work, tree = program.workspace(), self._tree(results)
        h, run, NULL = program.h, lib.gradc_run, ffi.NULL

        def call():
            if run(h, pointers, to, work, NULL):
                program.run_checked(pointers, to, work)
            return tree

        call.args, call.results = arrays, tree
        call.buffers = args, results  # what the pointers point to
        return call

    def _results(self, arrays, out):
        """New arrays for the results, or those of the tree `out`, checked."""
        wanted = self.program.results
        if out is None:
            return [np.empty(shape, dtype) for shape, dtype, _ in wanted]
        given = []
        if _tree.flatten(out, given) != self.structure:
            raise errors.ArgumentError("bind: out has not the structure of the results")
        given = [a for a, (c, _) in zip(given, self.leaves, strict=True) if c]
        for i, (a, (shape, dtype, _)) in enumerate(zip(given, wanted, strict=True)):
            if not isinstance(a, np.ndarray) or (a.shape, a.dtype) != (shape, dtype):
                raise errors.ShapeError(
                    f"bind: array {i} of out is no {dtype} array of shape {shape}"
                )
            if not (a.flags.c_contiguous and a.flags.aligned and a.flags.writeable):
                raise errors.ArgumentError(
                    f"bind: array {i} of out is not C-contiguous and writeable"
                )
            others = [*arrays, *given[:i]]
            if any(np.may_share_memory(a, other) for other in others):
                raise errors.ArgumentError(
                    f"bind: array {i} of out shares memory with another array"
                )
        return given
