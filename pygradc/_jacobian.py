"""Jacobians and Hessians, in numerator layout: rows are outputs, columns inputs."""

import functools
import math

import numpy as np

from pygradc import _tree, errors
from pygradc._compress import Plan
from pygradc._expr import Expr, convert, expr, lift
from pygradc._lib import DATA, DEFERRED, error, lib
from pygradc._program import (
    Program,
    batch_nodes,
    cached_program,
    jvp_nodes,
    vjp_nodes,
)
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
    ``@`` with a vector or matrix scales rows (or columns); NumPy functions, and the
    methods of ndarrays, see the dense array. Source: Parr & Howard, arXiv:1802.01528,
    section 4.2.

    Examples
    --------
    >>> import numpy as np, pygradc as pg
    >>> J = pg.jacobian(np.sin)(np.zeros(3))
    >>> J @ np.array([1.0, 2.0, 3.0])
    array([1., 2., 3.])
    >>> J.shape
    (3, 3)
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
        other = _array(other)
        if other.ndim == 0 or other.shape[-2:][0] != self.diagonal.size:
            raise errors.ShapeError(
                f"matmul: cannot multiply {self.shape} by {other.shape}"
            )
        scale = self.diagonal if other.ndim == 1 else self.diagonal[:, None]
        return scale * other

    def __rmatmul__(self, other):
        other = _array(other)
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

    def __getattr__(self, name):
        """What ndarrays have besides: whether a Jacobian is diagonal is told from the
        graph, so that a program cannot know which of the two it is given."""
        if name.startswith("_") or name == "diagonal":  # not yet there: being copied
            raise AttributeError(name)
        dense = self.todense()
        dense.flags.writeable = False  # what is written there would be lost
        return getattr(dense, name)

    def __len__(self):
        return self.shape[0]

    def __repr__(self):
        return f"Diagonal({self.diagonal!r})"


def _array(x):
    return x if isinstance(x, Expr) else np.asarray(x)


def _dense(x):
    return x.todense() if isinstance(x, Diagonal) else x


def _operator(name):
    function = getattr(np.ndarray, name)

    def method(self, *others):
        return function(self.todense(), *[_dense(x) for x in others])

    return method


for _name in (
    "add sub mul truediv floordiv mod pow radd rsub rmul rtruediv rfloordiv rmod rpow "
    "neg abs eq ne lt le gt ge bool"
).split():
    setattr(Diagonal, f"__{_name}__", _operator(f"__{_name}__"))
Diagonal.__hash__ = object.__hash__


# ---- derivatives in batches: one for each row or column, or sum of them ----

# Elements that a batch of derivatives has at most in one array: what stays in cache.
MOST_ELEMENTS = 1 << 19


def _line(graph, y, x, by_rows):
    """A seed, and the row or column of the Jacobian that it gives."""
    side = y if by_rows else x
    seed = graph.input(side.code, side.shape, DEFERRED)
    if by_rows:
        (line,) = vjp_nodes(graph, y.id, seed, [x.id])
    else:
        (line,) = jvp_nodes(graph, [x.id], [seed], [y.id])
    return seed, line


def _block(graph, seed, n):
    """How many of n seeds to take at a time, in even parts."""
    largest, reached = 1, {seed}
    for node in range(seed + 1, lib.gradc_graph_size(graph.h) + 1):
        info = graph.describe(node)
        if not reached.isdisjoint(getattr(info, "in")[0 : info.n_in]):
            reached.add(node)
            largest = max(largest, math.prod(info.dim[0 : info.rank]))
    blocks = -(-n // max(1, MOST_ELEMENTS // largest))
    return -(-n // blocks)


def _batched_line(graph, seed, line, bseeds):
    """The lines for a batch of seeds, as rows of a matrix."""
    size = bseeds.shape[0]
    (node,) = batch_nodes(graph, size, [seed], [bseeds.id], [line])
    code = graph.code(line)
    if not node:
        same = Expr(graph, line, code).reshape(-1)
        return np.broadcast_to(same, (size, same.size))
    return Expr(graph, node, code).reshape(size, -1)


def _nested_jacobian(trace, y, x):
    """The Jacobian as an Expr: inside another trace."""
    graph = trace.graph
    if y.size == 0 or x.size == 0:
        return lift(graph, np.zeros(y.shape + x.shape, x.dtype))
    plan = Plan(graph, y, x)
    side = y if plan.by_rows else x
    seed, line = _line(graph, y, x, plan.by_rows)
    block = _block(graph, seed, plan.count)
    parts = []
    for i in range(0, plan.count, block):
        seeds = plan.seeds(i, min(block, plan.count - i), side.dtype)
        seeds = lift(graph, seeds.reshape(-1, *side.shape))
        parts.append(_batched_line(graph, seed, line, seeds))
    lines = np.concatenate(parts)
    if plan.source is not None:
        lines = _scattered(lines, plan, y.size * x.size)
    elif not plan.by_rows:
        lines = lines.T
    return convert(lines.reshape(y.shape + x.shape), x.code)


def _scattered(lines, plan, size):
    """The elements of a Jacobian of `size`, from sums of its rows or columns."""
    graph, found = lines.graph, lines.reshape(-1)[plan.source]
    target = lift(graph, plan.target)
    node = lib.gradc_scatter(graph.h, found.id, target.id, size)
    return expr(graph, node, found.code)


def _seeded_program(trace, y, x):
    """Plan of the Jacobian, the program from the leaves and a batch of seeds to as many
    rows or columns, and the length of the batch."""
    graph = trace.graph
    leaves = list(graph.leaves)

    def make():
        plan = Plan(graph, y, x)
        side = y if plan.by_rows else x
        seed, line = _line(graph, y, x, plan.by_rows)
        block = _block(graph, seed, plan.count)
        bseeds = graph.input(side.code, (block, *side.shape), DATA)
        lines = _batched_line(graph, seed, line, Expr(graph, bseeds, side.code))
        return plan, Program(graph, [*leaves, bseeds], [lines.id]), block

    plan, program, block = cached_program(("jacobian", trace.key, x.id, y.id), make)
    return plan, program, block, [graph.values[i] for i in leaves]


def _dense_jacobian(trace, y, x):
    if y.size == 0 or x.size == 0:
        return np.zeros(y.shape + x.shape, x.dtype)
    plan, program, block, values = _seeded_program(trace, y, x)
    side, other = (y, x) if plan.by_rows else (x, y)
    n = plan.count
    lines = None if block == n else np.empty((n, other.size), other.dtype)
    for i in range(0, n, block):
        seeds = plan.seeds(i, block, side.dtype).reshape(block, *side.shape)
        (found,) = program([*values, seeds])
        if lines is None:
            lines = found
        else:
            lines[i : i + block] = found[: n - i]
    if plan.source is not None:
        result = np.zeros(y.size * x.size, lines.dtype)
        result[plan.target] = lines.reshape(-1)[plan.source]
    else:
        result = lines if plan.by_rows else np.asarray(lines.T, order="C")
    return result.reshape(y.shape + x.shape).astype(x.dtype, copy=False)


def _diagonal_jacobian(trace, y, x):
    graph = trace.graph
    leaves = list(graph.leaves)

    def make():
        seed, line = _line(graph, y, x, by_rows=False)
        return Program(graph, [*leaves, seed], [line])

    program = cached_program(("diagonal", trace.key, x.id, y.id), make)
    ones = np.ones(x.shape, x.dtype)
    (line,) = program([*[graph.values[i] for i in leaves], ones])
    return Diagonal(line.reshape(y.shape).astype(x.dtype, copy=False))


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
        outputs = _tree.map_leaves(lambda out: _float_output(trace, out), trace.out)
        trace.key = trace.graph.key()  # of all outputs, constant ones too
        trace.graph.check_captured()

        def of_output(y):
            found = iter([_jacobian(trace, y, x, dense) for x in trace.xs])
            trees = {
                i: _tree.map_leaves(lambda _: next(found), args[i])
                for i in sorted(set(wanted))
            }
            if isinstance(argnums, int):
                return trees[wanted[0]]
            return tuple(trees[i] for i in wanted)

        return _tree.map_leaves(of_output, outputs)

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
        Returns an ndarray of shape ``output.shape + input.shape`` and, as a gradient,
        of the input's dtype for each output and each differentiated leaf; a `Diagonal`,
        which keeps n numbers instead of n², if each output element depends on the input
        element in its own place alone. Inside another transform the result is always a
        dense traced array.

    Raises
    ------
    DTypeError
        An argument or the result is no float array.

    Notes
    -----
    One derivative for each row (reverse mode) or column (forward mode), whichever are
    fewer, as batches of them that run like `vmap`; one for a diagonal Jacobian. Which
    elements are 0 whatever the numbers is told from the graph, and rows that share no
    column, or columns that share no row, take one derivative together: a banded
    Jacobian costs as many as its band is wide (Curtis, Powell & Reid 1974).

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
        Returns an ndarray of shape ``input.shape + input.shape``; of a tree, a tree of
        trees of them.

    Raises
    ------
    ShapeError
        The function's result is no scalar.

    Notes
    -----
    The Jacobian of the reverse-mode gradient; see `jacobian`.

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
