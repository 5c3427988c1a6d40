"""pygradc: exact gradients of NumPy code on the CPU, the chain rule compiled.

    >>> import numpy as np, pygradc as pg
    >>> pg.grad(lambda x: np.sum(np.sin(x) * x))(np.array([0.0, 1.0]))
    array([0.        , 1.38177329])

Every elementwise row of the op table is a function here too: ``pg.relu``,
``pg.sigmoid``, ``pg.erf``, ...
"""

import importlib

from pygradc import (
    _operators,  # noqa: F401  (it completes Expr)
    errors,
)
from pygradc._expr import Expr, value_of
from pygradc._function import Function, function, grad_of, graph_text, var
from pygradc._jacobian import Diagonal, hessian, jacobian
from pygradc._jit import jit
from pygradc._lib import OPS, num_threads, ops, set_num_threads
from pygradc._transform import grad, jvp, value_and_grad, vjp
from pygradc._vmap import vmap
from pygradc.errors import (
    ArgumentError,
    ConcretizationError,
    DTypeError,
    ExpressionError,
    GradcError,
    GraphError,
    IndexRangeError,
    OutOfMemoryError,
    ShapeError,
    UnsupportedError,
)

__version__ = "0.1.0"
__all__ = [
    "ArgumentError",
    "ConcretizationError",
    "DTypeError",
    "Diagonal",
    "Explanation",
    "Expr",
    "ExpressionError",
    "Function",
    "GradcError",
    "GraphError",
    "IndexRangeError",
    "OutOfMemoryError",
    "Picture",
    "ShapeError",
    "UnsupportedError",
    "draw",
    "errors",
    "explain",
    "function",
    "grad",
    "grad_of",
    "graph_text",
    "hessian",
    "jacobian",
    "jit",
    "jvp",
    "num_threads",
    "ops",
    "set_num_threads",
    "value_and_grad",
    "value_of",
    "var",
    "vjp",
    "vmap",
]

_LAZY = {
    "Explanation": "_explain",
    "Picture": "_draw",
    "draw": "_draw",
    "explain": "_explain",
}


def __getattr__(name):
    """What few programs need is imported, or made, when first asked for: `explain`,
    `draw`, and functions of the elementwise ops."""
    if name in _LAZY:
        module = importlib.import_module(f"pygradc.{_LAZY[name]}")
        globals()[name] = getattr(module, name)
        return globals()[name]
    if name in OPS:
        from pygradc._numpy.elementwise import elementwise

        if ops()[OPS[name]].c is not None:
            made = globals()[name] = elementwise(name)
            return made
    raise AttributeError(f"module 'pygradc' has no attribute {name!r}")
