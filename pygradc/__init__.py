"""pygradc: exact gradients of NumPy code on the CPU, the chain rule compiled.

    >>> import numpy as np, pygradc as pg
    >>> pg.grad(lambda x: np.sum(np.sin(x) * x))(np.array([0.0, 1.0]))
    array([0.        , 1.38177329])
"""

from pygradc._expr import Expr, value_of
from pygradc._lib import ops
from pygradc._transform import grad, jvp, value_and_grad, vjp
from pygradc.errors import GradcError, ShapeError

__version__ = "0.1.0"
__all__ = [
    "Expr", "GradcError", "ShapeError", "grad", "jvp", "ops", "value_and_grad",
    "value_of", "vjp",
]
