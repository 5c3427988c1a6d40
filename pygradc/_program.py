"""Compiled programs, and the calls of the library that extend graphs."""

from collections import namedtuple

from numpy import asarray, empty

from pygradc._call import CHANGED, described, replay
from pygradc._lib import DTYPES, check, ffi, lib, printed, raise_status
from pygradc._tree import flat
from pygradc.errors import GraphError, OutOfMemoryError

Memory = namedtuple("Memory", "workspace arguments results moved")
Memory.__doc__ = """What a run needs and does, in bytes, known before anything runs.

workspace: memory of intermediate values and scratch. arguments, results: of the arrays
that go in and come out. moved: read from and written to arrays by all steps together;
what stays in registers and cache blocks of a step does not count.
"""

# Programs of traces that were met lately; the oldest goes first.
MOST_PROGRAMS = 2048
_programs = {}


def cached_program(key, make, *args):
    """The program kept under `key`, or a new one: make(*args)."""
    program = _programs.get(key)
    if program is None:
        program = make(*args)
        if len(_programs) >= MOST_PROGRAMS:
            drop_oldest(_programs)
        _programs[key] = program
    return program


def drop_oldest(kept):
    """Drops the first entry of the dict `kept`."""
    try:
        kept.pop(next(iter(kept)), None)
    except (RuntimeError, StopIteration):
        pass  # another thread has just added or dropped one


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
    args, results : list of tuple
        Dtype and shape of each.
    workspace : int
        Bytes that a run needs.

    Notes
    -----
    May be called from several threads at once; the GIL is released while it runs.
    """

    __slots__ = ("h", "args", "results", "workspace", "_run")

    def __init__(self, graph, args, results):
        out, message = ffi.new("gradc_program **"), ffi.new("gradc_message *")
        status = lib.gradc_compile(
            graph.h, len(args), args, len(results), results, out, message
        )
        if status != lib.GRADC_OK:
            raise_status(status, message)
        self.h = ffi.gc(out[0], lib.gradc_program_free)
        self.workspace = lib.gradc_program_workspace(self.h)
        self.args = [_type(graph, x) for x in args]
        self.results = [_type(graph, x) for x in results]
        self._run = None

    def memory(self):
        """Memory of one run."""
        out = ffi.new("gradc_memory *")
        lib.gradc_program_memory(self.h, out)
        return Memory(out.workspace, out.arguments, out.results, out.moved)

    def __call__(self, values):
        """Results for the list `values`: ndarrays of the types compiled for, which are
        copied if they are not contiguous and aligned, or numbers where the argument is
        0-d. A result is an ndarray, or a NumPy scalar where it is 0-d.

        Raises
        ------
        IndexRangeError
            An index computed or given was out of range.
        """
        if self._run is None:
            lists = [flat(list, len(a)) for a in (self.args, self.results)]
            self._run = replay(self, described(lists[0]), (), described(lists[1]))
        results = self._run(values)
        if results is CHANGED:  # numbers of another kind
            types = [dtype for dtype, _ in self.args]
            results = self._run(list(map(asarray, values, types)))
        if results is CHANGED:
            raise GraphError("a program was given arrays of other shapes than its own")
        return results

    def __repr__(self):
        return printed(lib.gradc_program_print, self.h)


def _type(graph, x):
    return DTYPES[graph.code(x)], graph.shape(x)


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
    if lib.gradc_pattern(graph.h, y.id, x.id, ffi.from_buffer("uint8_t[]", out)) != 0:
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
        ffi.from_buffer("gradc_id[]", ids),
        ffi.from_buffer("int32_t[]", ops),
        ffi.from_buffer("int32_t[]", fans),
    )
    if n == 2**64 - 1:
        raise OutOfMemoryError("out of memory")
    return ids[:n], ops[:n], fans[:n]
