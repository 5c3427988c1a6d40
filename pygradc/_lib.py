"""The only module that touches cffi: the library's functions, types and errors.

Raw functions are called as `lib.gradc_...`; a builder that returns 0 has left its
error in the graph, and `check` raises it.
"""

import os
import sys
from collections import namedtuple

import numpy as np

from pygradc import errors

try:
    from pygradc import _replay
    from pygradc._core import ffi, lib
except ModuleNotFoundError as why:
    raise ImportError(
        "pygradc's C library is not built here: install it with pip (-e, to use the "
        "source folder itself), or import from another folder"
    ) from why

F64, F32, I64, BOOL = range(4)
DTYPES = tuple(np.dtype(t) for t in (np.float64, np.float32, np.int64, np.bool_))
CODES = {dtype: code for code, dtype in enumerate(DTYPES)}

DATA, VARIABLE, DIFFERENTIATED, DEFERRED = 0, 1, 2, 4

_ERRORS = {
    lib.GRADC_ENOMEM: errors.OutOfMemoryError,
    lib.GRADC_ESHAPE: errors.ShapeError,
    lib.GRADC_ETYPE: errors.DTypeError,
    lib.GRADC_EINDEX: errors.IndexRangeError,
    lib.GRADC_EVALUE: errors.ArgumentError,
    lib.GRADC_EGRAPH: errors.GraphError,
}

_PACKAGE = os.path.dirname(__file__) + os.sep
_NUMPY = os.path.dirname(np.__file__) + os.sep

OpInfo = namedtuple("OpInfo", "name kind arity dtypes c latex smooth")


def _describe(number):
    info = ffi.new("gradc_op_info *")
    lib.gradc_op_describe(number, info)
    text = lambda p: ffi.string(p).decode() if p != ffi.NULL else None  # noqa: E731
    dtypes = tuple(d for code, d in enumerate(DTYPES) if info.types >> code & 1)
    return OpInfo(
        text(info.name),
        text(info.kind),
        info.arity,
        dtypes,
        text(info.c),
        text(info.latex),
        (info.lo, info.hi),
    )


def ops(kind=None):
    """Rows of the op table, in order; of one `kind` only if that is given.

    Parameters
    ----------
    kind : str, optional
        "leaf", "unary", "binary", "ternary", "test", "linear" or "general".

    Returns
    -------
    list of OpInfo
        name, kind, arity (-1: many), dtypes taken, C form and LaTeX over ``$0 $1 ...``,
        and the interval on which the op is smooth.

    Notes
    -----
    The C form is None unless the op is elementwise; those ops are functions of the
    package too, as ``pygradc.erf``.

    Examples
    --------
    >>> import pygradc as pg
    >>> [op.name for op in pg.ops("ternary")]
    ['where']
    """
    rows = [_describe(i) for i in range(lib.gradc_op_count())]
    return [row for row in rows if kind in (None, row.kind)]


OPS = {row.name: number for number, row in enumerate(ops())}


def user_line():
    """' [file:line: source]' of the innermost frame outside pygradc and NumPy."""
    import linecache

    frame = sys._getframe(1)
    while frame is not None:
        path = frame.f_code.co_filename
        if not path.startswith((_PACKAGE, _NUMPY)):
            source = linecache.getline(path, frame.f_lineno).strip()
            where = f"{os.path.basename(path)}:{frame.f_lineno}"
            return f" [{where}: {source}]" if source else f" [{where}]"
        frame = frame.f_back
    return ""


def error(kind, text):
    """An exception of class `kind` for misuse met while tracing: one line, with the
    user's own."""
    return kind(text + user_line())


def check(handle):
    """Raises the error of a graph, which is then as before the failed call."""
    message = ffi.new("const char **")
    status = lib.gradc_graph_status(handle, message)
    if status == lib.GRADC_OK:
        text, status = "an operand is no node of this graph", lib.GRADC_EGRAPH
    else:
        text = ffi.string(message[0]).decode()
        lib.gradc_graph_recover(handle)
    raise error(_ERRORS[status], text)


def raise_status(status, message):
    """Raises the error of a call that reports into a gradc_message."""
    _fail(status, ffi.string(message.text).decode())


def printed(function, handle):
    """Text from one of the library's print functions."""
    size = function(handle, ffi.NULL, 0)
    out = ffi.new("char[]", size)
    function(handle, out, size)
    return ffi.string(out).decode()


def address(cdata):
    """The number of a pointer, for the extension of the call path."""
    return int(ffi.cast("uintptr_t", cdata))


def _fail(status, text):
    raise error(_ERRORS[status], text)


_replay.use_library(
    *[
        address(ffi.addressof(lib, name))
        for name in ("gradc_run", "gradc_buffer_take", "gradc_buffer_give")
    ],
    _fail,
)


def isa():
    """Name of the ISA path in use; raises ArgumentError if PYGRADC_ISA names none."""
    name = lib.gradc_isa()
    if name == ffi.NULL:
        raise errors.ArgumentError(
            f"PYGRADC_ISA={os.environ.get('PYGRADC_ISA')} cannot be used here; "
            f"usable: {ffi.string(lib.gradc_isa_usable()).decode()}"
        )
    return ffi.string(name).decode()


def isa_compiled():
    """Names of the ISA paths in this build, best first."""
    return ffi.string(lib.gradc_isa_compiled()).decode().split()


def isa_usable():
    """Names of the ISA paths this machine can run, best first."""
    return ffi.string(lib.gradc_isa_usable()).decode().split()


def native():
    """Whether arithmetic in loops becomes machine code on this machine."""
    return bool(lib.gradc_native())


def compiler():
    """The C compiler that built the library."""
    return ffi.string(lib.gradc_compiler()).decode()


def num_threads():
    """How many threads large programs may use.

    Returns
    -------
    int
        What `set_num_threads` was given last; before that, the variable
        ``PYGRADC_NUM_THREADS`` or the processors this thread may use, at most 16.

    Examples
    --------
    >>> import pygradc as pg
    >>> 1 <= pg.num_threads() <= 16
    True
    """
    return lib.gradc_threads()


def set_num_threads(n):
    """Sets how many threads large programs may use; results do not depend on it.

    Parameters
    ----------
    n : int
        From 1 to 16. Programs compiled before use at most what was set then.

    Raises
    ------
    ArgumentError
        `n` is no integer, or out of range.

    Notes
    -----
    Work is split by its size alone, so the same inputs give the same bytes.

    Examples
    --------
    >>> import pygradc as pg
    >>> pg.set_num_threads(pg.num_threads())
    """
    try:
        status = lib.gradc_set_threads(n)
    except (TypeError, OverflowError):  # no integer, or none that C has
        status = lib.GRADC_EVALUE
    if status != lib.GRADC_OK:
        raise errors.ArgumentError(f"set_num_threads: {n!r} is not an int from 1 to 16")
