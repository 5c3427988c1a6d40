"""Jacobians and Hessians, in numerator layout: rows are outputs, columns inputs."""

import functools

import numpy as np

from pygradc import _tree, errors
from pygradc._expr import Expr, lift
from pygradc._lib import error, lib
from pygradc._program import Program, cached_program, jvp_nodes, vjp_nodes
from pygradc._trace import Trace, positions
from pygradc._transform import grad


class Diagonal:
    """A diagonal Jacobian: n numbers that stand for an n × n matrix.

    Parameters
    ----------
    diagonal : ndarray, shape S
        Derivative of each output element with respect to the input element in its own
        place.

    Attributes
    ----------
    shape : tuple
        S + S.
    dtype : numpy.dtype
    T : Diagonal

    Notes
    -----
    ``@`` with a vector or matrix scales rows (or columns); NumPy functions see the
    dense array. Source: Parr & Howard, arXiv:1802.01528, section 4.2.
    """

    def __init__(self, diagonal):
        self.diagonal = diagonal
        self.shape = diagonal.shape * 2
        self.ndim = len(self.shape)
        self.dtype = diagonal.dtype
        self.nbytes = diagonal.nbytes

    @property
    def T(self):
        return self

    def todense(self):
        """ndarray, shape S + S."""
        n = self.diagonal.size
        dense = np.zeros((n, n), self.dtype)
        np.fill_diagonal(dense, self.diagonal.ravel())
        return dense.reshape(self.shape)

    def __matmul__(self, other):
        if self.diagonal.ndim != 1:
            return self.todense() @ _dense(other)
        if isinstance(other, Diagonal):
            return Diagonal(self.diagonal * other.diagonal)
        other = np.asarray(other)
        if other.ndim == 0 or other.shape[-2:][0] != self.diagonal.size:
            raise errors.ShapeError(
                f"matmul: cannot multiply {self.shape} by {other.shape}"
            )
        scale = self.diagonal if other.ndim == 1 else self.diagonal[:, None]
        return scale * other

    def __rmatmul__(self, other):
        other = np.asarray(other)
        if self.diagonal.ndim != 1:
            return other @ self.todense()
        if other.ndim == 0 or other.shape[-1] != self.diagonal.size:
            raise errors.ShapeError(
                f"matmul: cannot multiply {other.shape} by {self.shape}"
            )
        return other * self.diagonal

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.todense(), dtype)

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        if ufunc is np.matmul and method == "__call__" and not kwargs:
            x, y = inputs
            return x.__matmul__(y) if x is self else self.__rmatmul__(x)
        return getattr(ufunc, method)(*[_dense(x) for x in inputs], **kwargs)

    def __getitem__(self, key):
        return self.todense()[key]

    def __len__(self):
        return self.shape[0]

    def __repr__(self):
        return f"Diagonal({self.diagonal!r})"


def _dense(x):
    return x.todense() if isinstance(x, Diagonal) else x


def _operator(name):
    function = getattr(np.ndarray, name)

    def method(self, *others):
        return function(self.todense(), *[_dense(x) for x in others])

    return method


for _name in "add sub mul truediv pow radd rsub rmul rtruediv neg abs eq ne".split():
    setattr(Diagonal, f"__{_name}__", _operator(f"__{_name}__"))
Diagonal.__hash__ = object.__hash__


# ---- in the graph: inside another trace ----


def _nested_jacobian(trace, y, x):
    """The Jacobian as an Expr, one pass for each row or column, the fewer of them."""
    graph = trace.graph
    by_rows = y.size <= x.size
    side = y if by_rows else x
    if y.size == 0 or x.size == 0:
        return lift(graph, np.zeros(y.shape + x.shape, y.dtype))
    lines = []
    for i in range(side.size):
        seed = np.zeros(side.size, side.dtype)
        seed[i] = 1
        seed = lift(graph, seed.reshape(side.shape)).id
        if by_rows:
            (line,) = vjp_nodes(graph, y.id, seed, [x.id])
            lines.append(Expr(graph, line, x.code))
        else:
            (line,) = jvp_nodes(graph, [x.id], [seed], [y.id])
            lines.append(Expr(graph, line, y.code))
    axis = 0 if by_rows else -1
    return np.stack(lines, axis).reshape(y.shape + x.shape)


# ---- outermost: run a program for each row or column ----


def _seeded_program(trace, y, x, by_rows):
    """Program from the leaves and a seed to one row, or one column."""
    graph = trace.graph
    leaves = list(graph.leaves)
    side = y if by_rows else x

    def make():
        seed = graph.input(side.code, side.shape, 0)
        if by_rows:
            line = vjp_nodes(graph, y.id, seed, [x.id])
        else:
            line = jvp_nodes(graph, [x.id], [seed], [y.id])
        return Program(graph, [*leaves, seed], line)

    key = ("jacobian", by_rows, trace.key, x.id, y.id)
    return cached_program(key, make), [graph.values[i] for i in leaves]


def _dense_jacobian(trace, y, x):
    by_rows = y.size <= x.size
    side = y if by_rows else x
    program, values = _seeded_program(trace, y, x, by_rows)
    shaped = np.zeros(side.shape, side.dtype)
    seed = shaped.reshape(-1)
    dtype = x.dtype if by_rows else y.dtype
    result = np.empty((y.size, x.size), dtype)
    lines = result if by_rows else result.T
    for i in range(side.size):
        seed[i] = 1
        (line,) = program([*values, shaped])
        lines[i] = line.ravel()
        seed[i] = 0
    return result.reshape(y.shape + x.shape)


def _diagonal_jacobian(trace, y, x):
    program, values = _seeded_program(trace, y, x, False)
    (line,) = program([*values, np.ones(x.shape, x.dtype)])
    return Diagonal(line.reshape(y.shape))


def _jacobian(trace, y, x, dense):
    if not trace.outermost:
        return _nested_jacobian(trace, y, x)
    if (
        not dense
        and x.shape == y.shape != ()
        and lib.gradc_is_diagonal(trace.graph.h, y.id, x.id)
    ):
        return _diagonal_jacobian(trace, y, x)
    return _dense_jacobian(trace, y, x)


def _float_output(trace, out):
    y = lift(trace.graph, out)
    if y.code > 1:
        raise error(
            errors.DTypeError,
            f"jacobian: the result is {y.dtype}, which has no derivative",
        )
    return y


def _jacobians(function, argnums, dense):
    @functools.wraps(function)
    def transformed(*args, **kwargs):
        wanted = positions(argnums, len(args), "jacobian")
        trace = Trace(function, args, kwargs, wanted)
        trace.key = trace.graph.key()

        def of_output(out):
            y = _float_output(trace, out)
            found = iter([_jacobian(trace, y, x, dense) for x in trace.xs])
            trees = {
                i: _tree.map_leaves(lambda _: next(found), args[i])
                for i in sorted(set(wanted))
            }
            if isinstance(argnums, int):
                return trees[wanted[0]]
            return tuple(trees[i] for i in wanted)

        return _tree.map_leaves(of_output, trace.out)

    return transformed


def jacobian(function, argnums=0):
    """Function that returns the Jacobian of `function`.

    Parameters
    ----------
    function : callable
        Returns an array, or a tree of arrays.
    argnums : int or sequence of int
        Positional arguments to differentiate.

    Returns
    -------
    callable
        Returns an ndarray of shape ``output.shape + input.shape`` for each output and
        each differentiated leaf; a `Diagonal`, which keeps n numbers instead of n², if
        each output element depends on the input element in its own place alone. Inside
        another transform the result is always a dense traced array.

    Raises
    ------
    DTypeError
        An argument or the result is no float array.

    Notes
    -----
    One pass of the function for each row (reverse mode) or column (forward mode),
    whichever are fewer; one pass for a diagonal Jacobian.

    Examples
    --------
    >>> import numpy as np, pygradc as pg
    >>> pg.jacobian(lambda x: np.stack([x[0] * x[1], x[1]]))(np.array([2.0, 3.0]))
    array([[3., 2.],
           [0., 1.]])
    >>> pg.jacobian(np.square)(np.array([2.0, 3.0]))
    Diagonal(array([4., 6.]))
    """
    return _jacobians(function, argnums, dense=False)


def hessian(function, argnums=0):
    """Function that returns the Hessian of `function`.

    Parameters
    ----------
    function : callable
        Returns a scalar.
    argnums : int
        Positional argument to differentiate twice.

    Returns
    -------
    callable
        Returns an ndarray of shape ``input.shape + input.shape``.

    Raises
    ------
    ShapeError
        The function's result is no scalar.

    Notes
    -----
    Forward or reverse mode over the reverse-mode gradient, one pass for each element
    of the input.

    Examples
    --------
    >>> import numpy as np, pygradc as pg
    >>> pg.hessian(lambda x: x[0] ** 2 * x[1])(np.array([1.0, 3.0]))
    array([[6., 2.],
           [2., 0.]])
    """
    if not isinstance(argnums, int):
        raise errors.ArgumentError("hessian: argnums must be one int")
    return _jacobians(grad(function, argnums), argnums, dense=True)
