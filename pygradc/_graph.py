"""Graphs as Python holds them: a handle, the values known so far, the current trace.

While a transform traces a function its graph is the thread's current one, and
everything traced inside, nested transforms included, adds to it; threads that the
function starts may, too, by the traced values they are given. Leaves that stand for
arrays hold their values; evaluation is lazy and keeps what it computed, so that a loop
that tests convergence computes nothing twice.
"""

import sys
import threading
from threading import get_ident

import numpy as np

from pygradc import errors
from pygradc._lib import (
    CODES,
    DATA,
    DEFERRED,
    DTYPES,
    F64,
    check,
    error,
    ffi,
    lib,
)
from pygradc._program import Program, cached_program

# Scalars that rules look at are structure; any other is a parameter of the trace, so
# that a step size that changes does not make a new program.
STRUCTURAL = frozenset((0.0, 1.0, 2.0, -1.0, 0.5))

# Captured arrays up to this size are copied, so that changing them in place later in
# the function is harmless; larger ones are read when the trace is evaluated.
COPIED_BYTES = 65536

# Elements of those that are looked at to see whether they have been changed.
_SAMPLE = 64


# looked up once: every trace needs them
_new, _free, _input = lib.gradc_graph_new, lib.gradc_graph_free, lib.gradc_input


class _State(threading.local):
    graph = None  # the one being traced by this thread


state = _State()

# Threads that trace; empty nearly always, which is asked faster than `state`.
tracing = set()


def call_in(graph, function, /, *args, **kwargs):
    """``function(*args, **kwargs)`` with `graph` as the thread's current one, one level
    deeper. An error of NumPy's that covers another, that a value would lose its
    gradient, is raised as the latter.

    No context manager: Python may raise KeyboardInterrupt where a function begins, and
    `__exit__` is one. Here what was comes back without a call.
    """
    outer, depth, thread = state.graph, graph.depth, get_ident()
    try:
        graph.depth = depth + 1
        state.graph = graph
        if outer is None:
            tracing.add(thread)
        return function(*args, **kwargs)
    except ValueError as why:
        if isinstance(why.__cause__, errors.ConcretizationError):
            raise why.__cause__ from None
        raise
    finally:
        state.graph = outer
        graph.depth = depth
        if outer is None:
            tracing.discard(thread)


class Graph:
    """A C graph with the values of its leaves.

    Parameters
    ----------
    recording : bool
        Constants become part of the structure: for `jit` and explicit graphs, whose
        programs are compiled once. Otherwise they are parameters of the trace.
    """

    __slots__ = (
        "h",
        "recording",
        "values",
        "captured",
        "scalars",
        "leaves",
        "names",
        "depth",
        "assigned",
        "__weakref__",
    )

    def __init__(self, recording=False):
        handle = _new()
        if not handle:
            raise errors.OutOfMemoryError("out of memory")
        self.h = ffi.gc(handle, _free)
        self.recording = recording
        self.names = {}  # id -> name, of explicit variables
        self.depth = 0  # transforms under way
        self.assigned = False  # to an array: its parts may be behind
        self.values = {}  # id -> ndarray, of leaves and of what was evaluated
        self.captured = {}  # id(array) -> (array, kept, node, sample)
        # Equal numbers are one node, as when they are constants of a recording: sums of
        # what they are factors of must have the same order there and here.
        self.scalars = {}  # (number, dtype number) -> node
        self.leaves = []  # ids of the leaves that have values, in order

    # ---- leaves ----

    def input(self, code, shape, role):
        """Id of a new input without a value."""
        return _input(self.h, code, len(shape), shape, role) or check(self.h)

    def leaf(self, array, role, code=None):
        """Id of a new input that stands for `array`, which must have a known dtype,
        number `code`, and be contiguous."""
        code, shape = CODES[array.dtype] if code is None else code, array.shape
        x = _input(self.h, code, len(shape), shape, role) or check(self.h)
        self.values[x] = array
        self.leaves.append(x)
        return x

    def scalar(self, value, code):
        """Id of the number `value` as a 0-d node of dtype number `code`."""
        if code > 1:
            x = lib.gradc_const_i64(self.h, value) if code == 2 else 0
            return x or lib.gradc_const(self.h, code, value) or check(self.h)
        if self.recording or value in STRUCTURAL:
            return lib.gradc_const(self.h, code, value) or check(self.h)
        x = self.scalars.get((value, code))
        if x is None:
            x = _input(self.h, code, 0, (), DATA) or check(self.h)
            self.values[x] = DTYPES[code].type(value)
            self.leaves.append(x)
            self.scalars[value, code] = x
        return x

    def capture(self, array):
        """Id of a leaf for an array met while tracing, of a known dtype."""
        if array.ndim == 0 and array.dtype == DTYPES[F64]:
            return self.scalar(float(array), F64)
        known = self.captured.get(id(array))
        if known is not None:
            _, kept, x, sample = known
            if sample is not None:
                _check_unchanged(kept, sample)
            if sample is not None or _same_bytes(kept, array):
                return x
        copy = self.recording or array.nbytes <= COPIED_BYTES
        kept = np.array(array, order="C") if copy else np.asarray(array, order="C")
        if copy and kept.dtype == bool:
            kept = np.asarray(kept.view(np.uint8) != 0)  # to NumPy all but 0 is True
        x = self.leaf(kept, DATA)
        shared = not copy and array.flags.c_contiguous
        self.captured[id(array)] = array, kept, x, _sample(kept) if shared else None
        return x

    def check_captured(self):
        """Raises ArgumentError if a captured array that was not copied has changed."""
        for _, kept, _, sample in self.captured.values():
            if sample is not None:
                _check_unchanged(kept, sample)

    # ---- values ----

    def value(self, x, what="a value"):
        """ndarray of node `x`, evaluated now.

        Raises
        ------
        ConcretizationError
            `x` depends on an argument that has no value yet, as under `jit` and `vmap`.
        """
        known = self.values.get(x)
        if known is not None:
            return known
        if self.role(x) & DEFERRED:
            raise error(
                errors.ConcretizationError,
                f"{what} was asked of an expression whose variables have no values: "
                "under jit and vmap use np.where, or leave this part out of them",
            )
        leaves, key = self._cone(x)
        program = cached_program(("cone", *key), Program, self, leaves, [x])
        (result,) = program([self.values[i] for i in leaves])
        self.values[x] = result
        lib.gradc_mark(self.h, x)
        return result

    def _cone(self, x):
        key = ffi.new("uint64_t[2]")
        room = 64
        while True:
            leaves = ffi.new("gradc_id[]", room)
            n = lib.gradc_cone(self.h, x, leaves, room, key)
            if n == 2**64 - 1:
                raise errors.OutOfMemoryError("out of memory")
            if n <= room:
                return list(leaves[0:n]), (key[0], key[1])
            room = n

    def key(self):
        """What identifies the structure of the whole trace."""
        out = ffi.new("uint64_t[2]")
        lib.gradc_graph_hash(self.h, out)
        return out[0], out[1]

    # ---- facts ----

    def describe(self, x):
        """The library's gradc_node_info of node `x`."""
        info = ffi.new("gradc_node_info *")
        lib.gradc_node_describe(self.h, x, info)
        return info

    def shape(self, x):
        info = self.describe(x)
        return tuple(info.dim[0 : info.rank]) if info.rank else ()

    def code(self, x):
        return self.describe(x).dtype

    def role(self, x):
        return self.describe(x).role


def is_masked(x):
    """Whether `x` is a masked array; numpy.ma is slow to import and seldom is."""
    ma = sys.modules.get("numpy.ma")
    return ma is not None and isinstance(x, ma.MaskedArray)


def plain(x):
    """`x`, unless it is an array of a kind that means something else by its operators.

    Raises
    ------
    DTypeError
        A masked array, whose mask would be lost, or a matrix.
    """
    if type(x) is np.ndarray:
        return x
    if isinstance(x, np.matrix) or is_masked(x):
        raise error(
            errors.DTypeError,
            f"a {type(x).__name__} cannot take part in a trace: plain arrays can",
        )
    return x


def as_supported(array):
    """`array` in one of the four dtypes; integers widen to int64.

    Raises
    ------
    DTypeError
        Complex, half, long double, object, string or date arrays.
    """
    kind = array.dtype.kind
    if array.dtype in CODES:
        return array
    if kind in "iu" and array.dtype != np.uint64:
        return array.astype(np.int64)
    if kind == "f" and array.dtype.itemsize in (4, 8):  # other byte orders
        return array.astype(array.dtype.newbyteorder("="))
    raise error(
        errors.DTypeError,
        f"arrays of {array.dtype} cannot take part in a trace: "
        "float64, float32, int64 and bool can",
    )


def _sample(array):
    """Some elements of a large contiguous array, as bytes."""
    return array.reshape(-1)[:: array.size // _SAMPLE].tobytes()


def _check_unchanged(array, sample):
    if _sample(array) != sample:
        raise error(
            errors.ArgumentError,
            f"an array of shape {array.shape} was changed after the function read it: "
            "one of more than 64 kB is read when the trace is evaluated, so change a "
            "copy, or let the function read one",
        )


def _same_bytes(a, b):
    if a.shape != b.shape or a.nbytes <= COPIED_BYTES:
        return a.shape == b.shape and a.tobytes() == b.tobytes()
    bits = f"u{a.itemsize}"  # compared without a copy
    return np.array_equal(a.view(bits), b.view(bits))
