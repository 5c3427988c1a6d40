"""Compiled programs: allocation of results and workspaces, and the call into C."""

from numpy import empty, float64

from pygradc._lib import DTYPES, F64, check, ffi, lib, printed, raise_status

# looked up once: the call is on the way of every gradient
run, from_buffer, NULL = lib.gradc_run, ffi.from_buffer, ffi.NULL

# Programs of traces that were met lately; the oldest goes first.
MOST_PROGRAMS = 2048
_programs = {}


def cached_program(key, make):
    """The program kept under `key`, or a new one from `make`."""
    program = _programs.get(key)
    if program is None:
        program = make()
        if len(_programs) >= MOST_PROGRAMS:
            _programs.pop(next(iter(_programs)), None)
        _programs[key] = program
    return program


class _Frame:
    """What one call needs at a time: pointers, scalars and workspace.

    0-d float64 arguments and results pass through `scalars` and `numbers`, to which
    the pointers are set for good.
    """

    __slots__ = ("args", "results", "scalars", "numbers", "workspace")

    def __init__(self, n_args, n_results, workspace):
        self.scalars = ffi.new("double[]", n_args)
        self.numbers = ffi.new("double[]", n_results)
        self.args = ffi.new("void *[]", [self.scalars + i for i in range(n_args)])
        self.results = ffi.new("void *[]", [self.numbers + i for i in range(n_results)])
        self.workspace = ffi.new("char[]", workspace)


class Program:
    """An immutable compiled program.

    Parameters
    ----------
    graph : Graph
        Compiled from; not needed afterwards.
    args, results : sequence of int
        Node ids. An argument may be any node.

    Notes
    -----
    May be called from several threads at once; the GIL is released while it runs.
    """

    __slots__ = (
        "_h",
        "_spare",
        "_sizes",
        "_scalar_args",
        "_array_args",
        "_number_results",
        "_array_results",
    )

    def __init__(self, graph, args, results):
        out, message = ffi.new("gradc_program **"), ffi.new("gradc_message *")
        status = lib.gradc_compile(
            graph.h, len(args), args, len(results), results, out, message
        )
        if status != lib.GRADC_OK:
            raise_status(status, message)
        self._h = ffi.gc(out[0], lib.gradc_program_free)
        self._sizes = len(args), len(results), lib.gradc_program_workspace(self._h)
        self._spare = []
        # places of 0-d float64 values, and of arrays
        scalar = [_is_scalar(graph, x) for x in args]
        self._scalar_args = [i for i, s in enumerate(scalar) if s]
        self._array_args = [i for i, s in enumerate(scalar) if not s]
        scalar = [_is_scalar(graph, x) for x in results]
        self._number_results = [i for i, s in enumerate(scalar) if s]
        self._array_results = [
            (i, graph.shape(r), DTYPES[graph.code(r)])
            for i, r in enumerate(results)
            if not scalar[i]
        ]

    def __call__(self, args):
        """Results for `args`: contiguous ndarrays of the types compiled for, or
        numbers where the argument is a 0-d float64. A result is an ndarray, or a
        np.float64 where it is a 0-d float64.

        Raises
        ------
        IndexRangeError
            An index computed or given was out of range.
        BufferError or ValueError
            An array is not contiguous.
        """
        try:
            frame = self._spare.pop()
        except IndexError:
            frame = _Frame(*self._sizes)
        scalars = frame.scalars
        for i in self._scalar_args:
            scalars[i] = args[i]
        pointers = frame.args
        for i in self._array_args:
            pointers[i] = from_buffer(args[i])
        results = [None] * self._sizes[1]
        pointers = frame.results
        for i, shape, dtype in self._array_results:
            array = results[i] = empty(shape, dtype)
            pointers[i] = from_buffer(array)
        if run(self._h, frame.args, pointers, frame.workspace, NULL):
            self._fail(frame)
        numbers = frame.numbers
        for i in self._number_results:
            results[i] = float64(numbers[i])
        self._spare.append(frame)
        return results

    def _fail(self, frame):
        message = ffi.new("gradc_message *")
        status = run(self._h, frame.args, frame.results, frame.workspace, message)
        raise_status(status, message)

    def __repr__(self):
        return printed(lib.gradc_program_print, self._h)


def _is_scalar(graph, x):
    info = graph.describe(x)
    return info.rank == 0 and info.dtype == F64


def vjp_nodes(graph, y, dr, xs):
    """Ids of the adjoints of `xs` for the cotangent `dr` of `y`."""
    dx = ffi.new("gradc_id[]", len(xs))
    if lib.gradc_vjp(graph.h, y, dr, len(xs), xs, dx) != lib.GRADC_OK:
        check(graph.h)
    return list(dx)


def jvp_nodes(graph, xs, txs, ys):
    """Ids of the tangents of `ys` for the tangents `txs` of `xs`."""
    ty = ffi.new("gradc_id[]", len(ys))
    if lib.gradc_jvp(graph.h, len(xs), xs, txs, len(ys), ys, ty) != lib.GRADC_OK:
        check(graph.h)
    return list(ty)


def batch_nodes(graph, size, xs, bxs, ys):
    """Ids of the `ys` for a batch of `size`, in which `xs` are `bxs`; 0 for those that
    are the same for all."""
    by = ffi.new("gradc_id[]", len(ys))
    if lib.gradc_batch(graph.h, size, len(xs), xs, bxs, len(ys), ys, by) != 0:
        check(graph.h)
    return list(by)


def pattern(graph, y, x):
    """Where the Jacobian of Expr `y` by `x` may differ from 0: uint8 array."""
    out = empty((y.size, x.size), "uint8")
    if lib.gradc_pattern(graph.h, y.id, x.id, from_buffer("uint8_t[]", out)) != 0:
        check(graph.h)
    return out
