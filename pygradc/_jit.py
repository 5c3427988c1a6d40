"""`jit`: record a function once per signature, then replay the program."""

import functools

import numpy as np

from pygradc import _tree, errors
from pygradc._call import CHANGED, bound, described, replay, static
from pygradc._expr import Expr, lift
from pygradc._graph import (
    Graph,
    as_supported,
    call_in,
    plain,
    state,
    tracing,
)
from pygradc._lib import CODES, DEFERRED, VARIABLE, error
from pygradc._program import Program, drop_oldest

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
    DTypeError
        An argument or result is a container that is no tree, or, of ``bind``, an array
        that could not be read in place.

    Notes
    -----
    A signature is the structure of the arguments, the shape and dtype of every array
    and the static values. Arrays that the function captures are copied when it is
    recorded: what they hold later does not matter. Called inside another transform,
    the function is traced as part of that.

    ``call = f.bind(*args, out=None)`` binds buffers once. Each ``call()`` enters the
    library once: it reads the arrays of ``call.args`` as they are then, writes those of
    ``call.results`` and returns them. Arrays given are used in place and must be
    C-contiguous, of one of the four dtypes; floats become 0-d arrays in ``call.args``.
    `out` is a tree like the results, of arrays to write to; it must not share memory
    with the arguments. A bound call serves one thread at a time, and raises
    ArgumentError in others meanwhile.

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
    def jitted(*args, **kwargs):
        nonlocal latest
        if latest is not None and not tracing:
            out = latest((args, kwargs))
            if out is not CHANGED:
                return out
        if state.graph is not None:
            return function(*args, **kwargs)
        recording, arrays = _find(function, recorded, args, kwargs)
        latest = recording.call_path
        return recording(arrays)

    def bind(*args, out=None, **kwargs):
        _check_kept(args, kwargs)
        recording, arrays = _find(function, recorded, args, kwargs)
        return recording.bound(arrays, out)

    def memory(*args, **kwargs):
        return _find(function, recorded, args, kwargs)[0].program.memory()

    jitted.bind, jitted.memory = bind, memory
    return jitted


def _find(function, recorded, args, kwargs):
    """The recording for these arguments, made if there is none; and their arrays."""
    leaves, arrays = [], []
    structure = _tree.flatten((args, kwargs), leaves)
    signature = [structure]
    for a in leaves:
        if not _is_array(a):
            signature += (type(a), a)
            continue
        if type(a) is not float:
            a = np.asarray(plain(a))
            if a.dtype not in CODES:
                return _find(function, recorded, *_supported(args, kwargs))
        signature += (float,) if type(a) is float else (a.dtype, a.shape)
        arrays.append(a)
    signature = tuple(signature)
    try:
        recording = recorded.get(signature)
    except TypeError:
        raise _not_hashable(leaves) from None
    if recording is None:
        recording = Recording(function, args, kwargs, structure, leaves)
        if len(recorded) >= MOST_SIGNATURES:
            drop_oldest(recorded)
        recorded[signature] = recording
    return recording, arrays


def _not_hashable(leaves):
    """The error of the first leaf that cannot be part of a signature."""
    for a in leaves:
        try:
            hash(None if _is_array(a) else a)
        except TypeError:
            name = type(a).__name__
            return error(
                errors.DTypeError,
                f"jit: an argument is an instance of {name}, which is neither an "
                "array nor a tree of them nor hashable",
            )
    return error(errors.DTypeError, "jit: a static argument is not hashable")


def _is_array(leaf):
    """Whether `leaf` is an argument of the program; all else is static."""
    return type(leaf) is float or isinstance(leaf, (np.ndarray, np.floating))


def _check_kept(args, kwargs):
    """Arrays that are bound are read in place: none may need another dtype first."""
    leaves = []
    _tree.flatten((args, kwargs), leaves)
    for a in leaves:
        if isinstance(a, np.ndarray) and plain(a).dtype not in CODES:
            raise error(
                errors.DTypeError,
                f"bind: an argument is an array of {a.dtype}, which cannot be used in "
                "place: float64, float32, int64 and bool in native byte order can",
            )


def _supported(args, kwargs):
    """Arrays of other integer types and byte orders, in one of ours."""

    def each(a):
        is_array = _is_array(a) and type(a) is not float
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
    call_path : callable
        From the pair of arguments, positional and by name, to the tree of results; or
        to CHANGED, if they are not like those the function was recorded for.
    """

    __slots__ = (
        "program",
        "captured",
        "structure",
        "leaves",
        "_build",
        "call_path",
    )

    def __init__(self, function, args, kwargs, structure, given):
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
        out = call_in(graph, function, *traced_args, **traced_kwargs)
        results, nodes = [], []
        self.structure = _tree.flatten(out, results)
        self.leaves = []
        for y in results:
            _tree.check_leaf(y, "jit: the function returned")
            computed = isinstance(y, (Expr, np.ndarray, np.generic, float))
            if computed:
                nodes.append(lift(graph, y).id)
            self.leaves.append((computed, None if computed else y))
        self.program = Program(graph, inputs + graph.leaves, nodes)
        self.captured = [graph.values[x] for x in graph.leaves]
        self._build, _ = _tree.builder(self.structure)
        take = [None if _is_array(a) else static(a) for a in given]
        give = [None if computed else static(v) for computed, v in self.leaves]
        self.call_path = replay(
            self.program,
            described(structure, iter(take)),
            self.captured,
            described(self.structure, iter(give), to_build=True),
        )

    def __call__(self, arrays):
        return self._tree(self.program([*arrays, *self.captured]))

    def _tree(self, results):
        values = iter(results)
        return self._build([next(values) if c else v for c, v in self.leaves])

    def bound(self, arrays, out):
        """A call with its buffers bound: see `jit`."""
        arrays = [np.array(a) if type(a) is float else a for a in arrays]
        for i, a in enumerate(arrays):
            if not (a.flags.c_contiguous and a.flags.aligned):
                raise errors.ArgumentError(
                    f"bind: array {i} of the arguments is not C-contiguous and aligned"
                )
        results = self._results(arrays, out)
        args = [*arrays, *self.captured]
        return bound(self.program, args, results, arrays, self._tree(results))

    def _results(self, arrays, out):
        """New arrays for the results, or those of the tree `out`, checked."""
        wanted = self.program.results
        if out is None:
            return [np.empty(shape, dtype) for dtype, shape in wanted]
        given = []
        if _tree.flatten(out, given) != self.structure:
            raise errors.ArgumentError("bind: out has not the structure of the results")
        given = [a for a, (c, _) in zip(given, self.leaves, strict=True) if c]
        for i, (a, (dtype, shape)) in enumerate(zip(given, wanted, strict=True)):
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
