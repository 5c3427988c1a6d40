"""Compiled programs: allocation of results and workspaces, and the call into C."""

from functools import partial

import numpy as np

from pygradc._lib import DTYPES, check, ffi, lib, raise_status

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
    """What one call needs at a time: pointers and workspace."""

    __slots__ = ("args", "results", "workspace", "scalars")

    def __init__(self, n_args, n_results, workspace):
        self.args = ffi.new("void *[]", n_args)
        self.results = ffi.new("void *[]", n_results)
        self.workspace = ffi.new("char[]", workspace)
        self.scalars = ffi.new("double[]", n_args)


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

    __slots__ = ("_h", "types", "_spare", "_sizes", "_makers")

    def __init__(self, graph, args, results):
        out, message = ffi.new("gradc_program **"), ffi.new("gradc_message *")
        status = lib.gradc_compile(
            graph.h, len(args), args, len(results), results, out, message
        )
        if status != lib.GRADC_OK:
            raise_status(status, message)
        self._h = ffi.gc(out[0], lib.gradc_program_free)
        self.types = [(graph.shape(r), DTYPES[graph.code(r)]) for r in results]
        self._makers = [partial(np.empty, shape, dtype) for shape, dtype in self.types]
        self._sizes = len(args), len(results), lib.gradc_program_workspace(self._h)
        self._spare = []

    def __call__(self, args):
        """ndarrays of the results for contiguous ndarrays `args` (or floats, where the
        argument is a 0-d float64), whose types must be those compiled for.

        Raises
        ------
        IndexRangeError
            An index computed or given was out of range.
        """
        try:
            frame = self._spare.pop()
        except IndexError:
            frame = _Frame(*self._sizes)
        pointers, from_buffer = frame.args, ffi.from_buffer
        for i, a in enumerate(args):
            if type(a) is float:
                frame.scalars[i] = a
                pointers[i] = frame.scalars + i
            else:
                pointers[i] = from_buffer(a)
        results = [make() for make in self._makers]
        pointers = frame.results
        for i, r in enumerate(results):
            pointers[i] = from_buffer(r)
        status = lib.gradc_run(
            self._h, frame.args, frame.results, frame.workspace, ffi.NULL
        )
        if status != lib.GRADC_OK:
            self._fail(frame)
        self._spare.append(frame)
        return results

    def _fail(self, frame):
        message = ffi.new("gradc_message *")
        status = lib.gradc_run(
            self._h, frame.args, frame.results, frame.workspace, message
        )
        raise_status(status, message)

    def __repr__(self):
        size = lib.gradc_program_print(self._h, ffi.NULL, 0)
        out = ffi.new("char[]", size)
        lib.gradc_program_print(self._h, out, size)
        return ffi.string(out).decode()


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
