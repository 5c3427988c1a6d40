"""`vmap`: a function of one element becomes a function of a batch of them."""

import functools

import numpy as np

from pygradc import _tree, errors
from pygradc._expr import Expr, lift
from pygradc._graph import Graph, as_supported, call_in, plain, state
from pygradc._lib import CODES, DATA, DEFERRED, error
from pygradc._program import Program, batch_nodes, cached_program
from pygradc._trace import level_of, settled


def vmap(function, in_axes=0, out_axes=0):
    """Function that applies `function` to each element of a batch, all at once.

    Parameters
    ----------
    function : callable
        Of arrays and trees of them, for one element; returns an array or a tree.
    in_axes : int, None, or sequence of int, None and trees
        The axis of each array along which the batch lies, for all arguments or for
        each; None for what is the same for all elements. A tree begins as its argument
        does and may end earlier: then its number counts for all below. Keyword
        arguments are mapped along axis 0.
    out_axes : int, None or tree
        Where the batch stands in each result; None for one that is the same for all.

    Returns
    -------
    callable
        Takes what `function` takes, each mapped array of shape S with a further axis
        of length B; returns what `function` returns, with a further axis of length B.

    Raises
    ------
    ShapeError
        The mapped axes have different lengths.
    IndexRangeError
        An array has no such axis.
    ArgumentError
        No argument is mapped, a tree of axes does not fit, or `out_axes` is None for a
        result that differs between elements.
    ConcretizationError
        The function asks a mapped value for a number, as in ``if x > 0``, or sorts it.

    Notes
    -----
    vmap(f)(x)[b] = f(x[b]). The function is traced once, and its nodes are rebuilt with
    one more axis in front; what depends on no mapped argument is computed once for all.
    Costs the arithmetic of B calls in one program: W @ x for a batch of x is one matrix
    product, X @ W.T. It combines with every other transform, in any order; derivatives
    at kinks are those of the single calls. Traced at each call, like `grad`.

    Examples
    --------
    >>> import numpy as np, pygradc as pg
    >>> slope = pg.vmap(pg.grad(lambda w, x: np.tanh(w @ x)), in_axes=(None, 0))
    >>> slope(np.zeros(2), np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]))
    array([[1., 2.],
           [3., 4.],
           [5., 6.]])
    """

    @functools.wraps(function)
    def mapped(*args, **kwargs):
        return _Batch(function, in_axes, args, kwargs).results(out_axes)

    return mapped


class _Batch:
    """One call of a mapped function.

    Attributes
    ----------
    size : int
        Length of the batch.
    xs : list of Expr
        What the function was traced with: one element of each of `sources`, arrays and
        Exprs whose batch lies along the `axes`.
    out
        What the function returned.
    """

    def __init__(self, function, in_axes, args, kwargs):
        self.outermost = state.graph is None
        self.graph = state.graph or Graph()
        self.level = level_of(self.graph)
        self.sources, self.axes, self.xs = [], [], []
        self.size = None
        axes = _for_arguments(in_axes, args)
        self.out = call_in(self.graph, self._call, function, axes, args, kwargs)

    def _call(self, function, axes, args, kwargs):
        """What `function` returns for one element of the mapped arguments."""
        own = [
            self._elements(a, axis, f"argument {i}")
            for i, (a, axis) in enumerate(zip(args, axes, strict=True))
        ]
        named = {k: self._elements(a, 0, f"argument {k}") for k, a in kwargs.items()}
        if self.size is None:
            raise error(errors.ArgumentError, "vmap: no argument is mapped")
        return function(*own, **named)

    def _elements(self, arg, axes, where):
        """`arg` with a stand-in for one element in the place of each mapped leaf."""
        leaves = []
        structure = _tree.flatten(arg, leaves)
        axes = _spread(axes, structure, f"in_axes of {where}")
        pairs = zip(leaves, axes, strict=True)
        leaves = [
            self._same(x) if a is None else self._element(x, a, where) for x, a in pairs
        ]
        return _tree.unflatten(structure, leaves)

    def _same(self, x):
        """`x`, which is not mapped; an array is traced, so that it can be indexed by
        what is mapped."""
        if isinstance(x, np.ndarray) and x.dtype in CODES:
            return lift(self.graph, x)
        return x

    def _element(self, x, axis, where):
        graph = self.graph
        if type(x) is Expr:
            x = lift(graph, x)
            code, role = x.code, graph.role(x.id)
        elif isinstance(x, (np.ndarray, np.generic)):
            x = as_supported(np.asarray(plain(x)))
            code, role = CODES[x.dtype], DATA
        else:
            raise error(
                errors.DTypeError,
                f"vmap: {where} is a {type(x).__name__}, which has no axis to map: "
                "give it in_axes None",
            )
        axis = _axis_index(axis, x.ndim, f"vmap: {where}")
        n = x.shape[axis]
        if self.size is None:
            self.size, self.sized = n, f"{where} has {n} (axis {axis} of {x.shape})"
        elif n != self.size:
            raise error(
                errors.ShapeError,
                f"vmap: mapped axes differ in length: {self.sized}, "
                f"{where} has {n} (axis {axis} of {x.shape})",
            )
        shape = x.shape[:axis] + x.shape[axis + 1 :]
        self.sources.append(x)
        self.axes.append(axis)
        self.xs.append(Expr(graph, graph.input(code, shape, role | DEFERRED), code))
        return self.xs[-1].copy()

    def results(self, out_axes):
        """What the mapped function returns."""
        graph, leaves = self.graph, []
        structure = _tree.flatten(self.out, leaves)
        axes = _spread(out_axes, structure, "out_axes")
        ys = [lift(graph, y) for y in leaves]
        if not self.outermost:
            nodes = self._batched([lift(graph, x) for x in self.sources], ys, axes)
            results = [settled(graph, n, self.level) for n in nodes]
        else:
            results = self._run(ys, axes)
        return _tree.unflatten(structure, results)

    def _run(self, ys, axes):
        """Values of the batched `ys`, by the program of this trace."""
        graph, leaves = self.graph, list(self.graph.leaves)
        graph.check_captured()
        ids = [x.id for x in self.xs] + [y.id for y in ys]
        key = ("vmap", graph.key(), self.size, *self.axes, *axes, *ids)

        def make():
            inputs = [
                Expr(graph, graph.input(x.code, b.shape, DATA), x.code)
                for x, b in zip(self.xs, self.sources, strict=True)
            ]
            nodes = self._batched(inputs, ys, axes)
            return Program(graph, leaves + [x.id for x in inputs], nodes)

        values = [graph.values[i] for i in leaves]
        arrays = [np.asarray(x, order="C") for x in self.sources]
        return cached_program(key, make)(values + arrays)

    def _batched(self, sources, ys, axes):
        """Ids of `ys` for the batch `sources`, which then lies along `axes`."""
        graph = self.graph
        bxs = [np.moveaxis(b, a, 0) for b, a in zip(sources, self.axes, strict=True)]
        nodes = batch_nodes(
            graph,
            self.size,
            [x.id for x in self.xs],
            [b.id for b in bxs],
            [y.id for y in ys],
        )
        triples = zip(ys, nodes, axes, strict=True)
        return [self._placed(y, node, axis).id for y, node, axis in triples]

    def _placed(self, y, node, axis):
        """`node`, the batched y or 0, with the batch along `axis`."""
        if axis is None:
            if node:
                raise error(
                    errors.ArgumentError,
                    "vmap: out_axes is None for a result that depends on a mapped "
                    "argument",
                )
            return y
        axis = _axis_index(axis, y.ndim + 1, "vmap: out_axes")
        if node:
            by = Expr(self.graph, node, y.code)
        else:
            by = np.broadcast_to(y, (self.size, *y.shape))
        return np.moveaxis(by, 0, axis)


# ---- axes, and trees of them ----


def _axis_index(axis, ndim, what):
    """`axis` counted from the front."""
    if not -ndim <= axis < ndim:
        raise error(errors.IndexRangeError, f"{what}: axis {axis} of {ndim} dimensions")
    return axis % ndim


def _for_arguments(in_axes, args):
    """The axes for each argument."""
    if not isinstance(in_axes, (tuple, list)):
        return [in_axes] * len(args)
    if len(in_axes) != len(args):
        raise error(
            errors.ArgumentError,
            f"vmap: in_axes {in_axes} for {len(args)} positional arguments",
        )
    return in_axes


def _spread(axes, structure, what):
    """The axis for each leaf of a tree of `structure`, from a tree of axes that begins
    as that does."""
    if axes is None or isinstance(axes, (int, np.integer)):
        return [axes] * _tree.builder(structure)[1]
    fits = structure not in (None, Ellipsis) and type(axes) is structure[0]
    if fits:
        own, names = _tree.children(axes), structure[1]
        names = names if isinstance(names, tuple) else range(len(structure[2]))
        fits = set(own) == set(names)
    if not fits:
        raise error(errors.ArgumentError, f"vmap: {what} do not fit the tree: {axes}")
    found = []
    for name, part in zip(names, structure[2], strict=True):
        found += _spread(own[name], part, what)
    return found
