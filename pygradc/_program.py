"""Compiled programs: allocation of results and workspaces, and the call into C."""

import math
from collections import namedtuple

from numpy import array, empty, ndarray, zeros

from pygradc._lib import (
    DTYPES,
    F64,
    LARGE,
    check,
    ffi,
    large_empty,
    lib,
    printed,
    raise_status,
    workspace,
)
from pygradc.errors import OutOfMemoryError

# looked up once: the call is on the way of every gradient
run, from_buffer, NULL = lib.gradc_run, ffi.from_buffer, ffi.NULL

Memory = namedtuple("Memory", "workspace arguments results moved")
Memory.__doc__ = """What a run needs and does, in bytes, known before anything runs.

workspace: memory of intermediate values and scratch. arguments, results: of the arrays
that go in and come out. moved: read from and written to arrays by all steps together;
what stays in registers and cache blocks of a step does not count.
"""

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


class Program:
    """An immutable compiled program.

    Parameters
    ----------
    graph : Graph
        Compiled from; not needed afterwards.
    args, results : sequence of int
        Node ids. An argument may be any node.

    Attributes
    ----------
    results : list of tuple
        Shape, dtype and allocator of each result; the latter is None for 0-d results,
        which a frame has cells for.
    scalars : frozenset of int
        Places of the 0-d float64 arguments.
    spare : list
        Frames that no call is using.

    Notes
    -----
    May be called from several threads at once; the GIL is released while it runs.
    """

    __slots__ = ("h", "results", "scalars", "spare", "n_args", "_workspace")

    def __init__(self, graph, args, results):
        out, message = ffi.new("gradc_program **"), ffi.new("gradc_message *")
        status = lib.gradc_compile(
            graph.h, len(args), args, len(results), results, out, message
        )
        if status != lib.GRADC_OK:
            raise_status(status, message)
        self.h = ffi.gc(out[0], lib.gradc_program_free)
        self.spare = []
        self.n_args = len(args)
        self._workspace = lib.gradc_program_workspace(self.h)
        self.scalars = frozenset(
            [i for i, x in enumerate(args) if graph.is_scalar(x, F64)]
        )
        self.results = [_result(graph, x) for x in results]

    def memory(self):
        """Memory of one run."""
        out = ffi.new("gradc_memory *")
        lib.gradc_program_memory(self.h, out)
        return Memory(out.workspace, out.arguments, out.results, out.moved)

    def frame(self):
        """What one call needs at a time.

        Returns
        -------
        args, results : cdata
            Pointers, as the library takes them; those of scalars and cells are set.
        scalars : cdata
            Where 0-d float64 arguments go, by place.
        cells : tuple of ndarray or None
            One element each, where 0-d results arrive, by place.
        workspace : cdata
            Bytes; from the pool of large blocks if they are many.
        """
        scalars = ffi.new("double[]", self.n_args)
        args = ffi.new("void *[]", [scalars + i for i in range(self.n_args)])
        cells = tuple([None if new else zeros(1, t) for _, t, new in self.results])
        results = ffi.new(
            "void *[]", [NULL if c is None else from_buffer(c) for c in cells]
        )
        return args, results, scalars, cells, self.workspace()

    @property
    def keeps_frames(self):
        """Whether frames are used again. A large workspace goes back to the pool it
        came from."""
        return self._workspace < LARGE

    def __call__(self, values):
        """Results for `values`: ndarrays of the types compiled for, which are copied if
        they are not contiguous and aligned, or numbers where the argument is a 0-d
        float64. A result is an ndarray, or a NumPy scalar where it is 0-d.

        Raises
        ------
        IndexRangeError
            An index computed or given was out of range.
        """
        try:
            frame = self.spare.pop()
        except IndexError:
            frame = self.frame()
        args, results, scalars, cells, workspace = frame
        known = self.scalars
        try:
            for i, value in enumerate(values):
                if i in known:
                    scalars[i] = value
                else:
                    args[i] = from_buffer(value)
        except (BufferError, ValueError):
            return self([_in_order(v) for v in values])
        made = []
        for i, (shape, dtype, new) in enumerate(self.results):
            result = cells[i]
            if new:
                result = new(shape, dtype)
                results[i] = from_buffer(result)
            made.append(result)
        if run(self.h, args, results, workspace, NULL):
            if not all([_is_aligned(v) for v in values]):
                return self([_in_order(v) for v in values])
            self.run_checked(args, results, workspace)
        made = [m if c is None else c[0] for m, c in zip(made, cells, strict=True)]
        if self.keeps_frames:
            self.spare.append(frame)
        return made

    def run_checked(self, args, results, workspace):
        """Runs on pointers of the caller's; raises the error if it fails."""
        message = ffi.new("gradc_message *")
        status = run(self.h, args, results, workspace, message)
        if status:
            raise_status(status, message)

    def workspace(self):
        """New memory for a run."""
        return workspace(self._workspace)

    def __repr__(self):
        return printed(lib.gradc_program_print, self.h)


def _is_aligned(value):
    return not isinstance(value, ndarray) or value.flags.aligned


def _in_order(value):
    """A copy that is contiguous and aligned, of an array."""
    return array(value, order="C") if isinstance(value, ndarray) else value


def _result(graph, x):
    shape, dtype = graph.shape(x), DTYPES[graph.code(x)]
    if shape == ():
        return shape, dtype, None
    large = math.prod(shape) * dtype.itemsize >= LARGE
    return shape, dtype, large_empty if large else empty


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


def reach(graph, y):
    """The nodes that node `y` depends on, itself included, in order of id.

    Returns
    -------
    ids, ops, fans : ndarray of integers
        Of each node its id, the number of its op, and how many different operands
        depend on a variable.
    """
    size = y
    ids, ops, fans = empty(size, "uint32"), empty(size, "int32"), empty(size, "int32")
    n = lib.gradc_reach(
        graph.h,
        y,
        size,
        from_buffer("gradc_id[]", ids),
        from_buffer("int32_t[]", ops),
        from_buffer("int32_t[]", fans),
    )
    if n == 2**64 - 1:
        raise OutOfMemoryError("out of memory")
    return ids[:n], ops[:n], fans[:n]
