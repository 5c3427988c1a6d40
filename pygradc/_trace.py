"""Tracing a function: arguments become variables, the result becomes nodes.

The outermost transform makes a graph; transforms inside it add to the same graph, with
a fresh `ident` node as the variable, so that perturbations are never confused.
"""

import numpy as np

from pygradc import _tree, errors
from pygradc._expr import Expr, lift
from pygradc._graph import Graph, as_supported, call_in, plain, state
from pygradc._lib import CODES, DEFERRED, DIFFERENTIATED, I64, VARIABLE, error, lib
from pygradc._program import Program, cached_program, vjp_nodes


def positions(argnums, n_args, name):
    """`argnums` as a tuple of positions from the front."""
    if isinstance(argnums, int):
        wanted = (argnums,)
    elif isinstance(argnums, (tuple, list, range)):
        wanted = tuple(argnums)
    else:
        raise errors.ArgumentError(
            f"{name}: argnums {argnums!r} is no int and no sequence of them"
        )
    for i in wanted:
        if type(i) is not int or not 0 <= i < n_args:
            return _positions(wanted, argnums, n_args, name)
    return wanted


def _positions(wanted, argnums, n_args, name):
    """As `positions`, of `wanted` that may count from the end or be wrong."""
    for i in wanted:
        if not isinstance(i, (int, np.integer)) or not -n_args <= i < n_args:
            raise errors.ArgumentError(
                f"{name}: argnums {argnums} for {n_args} positional arguments"
            )
    return tuple(i % n_args for i in wanted)


def differentiable_array(x, where):
    """Leaf `x` of a differentiated argument as an array, or an Expr as it is.

    Raises
    ------
    DTypeError
        `x` is no float: integers, bools and objects have no derivative.
    """
    kind = type(x)
    if kind is float:
        return np.float64(x)
    if kind is np.ndarray and x.dtype in CODES and x.dtype.kind == "f":
        return x
    if kind is Expr:
        if x.code > 1:
            raise _not_differentiable(x.dtype, where)
        return x
    if isinstance(x, (int, float)) and not isinstance(x, (bool, np.generic)):
        return np.float64(x)
    if not isinstance(x, (np.ndarray, np.generic)):
        raise error(
            errors.DTypeError,
            f"{where} is a {type(x).__name__}: only floats, float arrays and tuples, "
            "lists and dicts of them can be differentiated",
        )
    if plain(x).dtype.kind in "iub":
        raise _not_differentiable(x.dtype, where)
    return as_supported(x) if x.dtype not in CODES else x


def _not_differentiable(dtype, where):
    return error(
        errors.DTypeError,
        f"{where} is {dtype}, which has no derivative: use .astype(float)",
    )


# Role bits that tell the variables of nested transforms apart. Deeper ones have none:
# there, results stay traced even where they could be numbers.
LEVELS = (8, 16, 32, 64)

_DIFFERENTIATED = VARIABLE | DIFFERENTIATED


def level_of(graph):
    """The role bit of a transform that begins now, or None."""
    return LEVELS[graph.depth] if graph.depth < len(LEVELS) else None


# An argument of another graph; whether that has explicit variables.
_FOREIGN = {
    False: "an argument belongs to a trace that has ended",
    True: "an argument is a variable of the explicit graph: use grad_of, or a number",
}


class Trace:
    """One call of a transform: its graph, and the leaves it differentiates.

    Parameters
    ----------
    function, args, kwargs
        What is traced.
    argnums : tuple of int
        Positions of the arguments that are differentiated.

    Attributes
    ----------
    outermost : bool
        This call made the graph, and returns arrays.
    argnums : tuple of int
        The positions, rising, each once.
    plain : bool
        Each differentiated argument is a single leaf.
    xs : list of Expr
        Variables, one for each leaf of the differentiated arguments.
    sources : list
        What these stand for.
    structures : list
        Tree structures of the differentiated arguments.
    out
        What the function returned.
    """

    def __init__(self, function, args, kwargs, argnums):
        outer = state.graph
        self.outermost = outer is None
        self.graph = outer or Graph()
        self.xs, self.sources, self.structures = [], [], []
        self.argnums = argnums if len(argnums) == 1 else tuple(sorted(set(argnums)))
        self.plain = True
        self.level = level_of(self.graph)
        args = list(args)
        for i, a in enumerate(args):
            args[i] = self._differentiated(a, i) if i in argnums else self._variable(a)
        if kwargs:
            kwargs = dict(
                zip(kwargs, map(self._variable, kwargs.values()), strict=True)
            )
        self.out = call_in(self.graph, function, *args, **kwargs)

    def _differentiated(self, arg, i):
        kind = type(arg)
        if kind is float:
            arg = np.float64(arg)
        elif kind is not np.ndarray or CODES.get(arg.dtype, I64) >= I64:
            return self._differentiated_tree(arg, i)
        self.sources.append(arg)
        self.structures.append(Ellipsis)
        x = self._fresh(arg, _DIFFERENTIATED)
        self.xs.append(x)
        # another handle, since the function may assign to what it is given
        return Expr(x.graph, x.id, x.code, x._shape)

    def _differentiated_tree(self, arg, i):
        leaves = []
        structure = _tree.flatten(arg, leaves)
        self.structures.append(structure)
        self.plain = self.plain and structure is Ellipsis
        own = []
        for x in leaves:
            x = differentiable_array(x, f"argument {i}")
            self.sources.append(x)
            own.append(self._fresh(x, _DIFFERENTIATED))
        self.xs += own
        return _tree.unflatten(structure, iter([x.copy() for x in own]))

    def _fresh(self, x, role):
        """A variable that stands for `x` alone."""
        graph = self.graph
        role |= self.level or 0
        if type(x) is Expr:
            if x.graph is not graph:
                raise error(errors.GraphError, _FOREIGN[bool(x.graph.names)])
            return Expr(graph, lib.gradc_ident(graph.h, x.id, role), x.code, x._shape)
        shape = x.shape
        if shape and not x.flags.c_contiguous:
            x = np.asarray(x, order="C")
        code = CODES[x.dtype]
        return Expr(graph, graph.leaf(x, role, code), code, shape)

    def _variable(self, arg):
        """An argument that is not differentiated: float arrays are variables."""
        kind = type(arg)
        if kind is np.ndarray and CODES.get(arg.dtype, I64) < I64:
            return self._fresh(arg, VARIABLE)
        if kind is float:
            return self._fresh(np.float64(arg), VARIABLE)
        if _tree.is_tree(arg):
            return _tree.map_leaves(self._variable, arg)
        if isinstance(arg, (np.ndarray, np.floating)) and arg.dtype in CODES:
            if plain(arg).dtype.kind == "f":
                return self._fresh(arg, VARIABLE)
        if kind is Expr and not arg.graph.role(arg.id) & VARIABLE:
            return self._fresh(arg, VARIABLE)
        return arg

    # ---- results ----

    def output(self, out, name):
        """The function's result `out` as an Expr of this graph."""
        if type(out) is Expr:
            return lift(self.graph, out)
        if not isinstance(out, (int, float, np.ndarray, np.generic)):
            raise error(
                errors.DTypeError,
                f"{name}: the function must return a number, not {type(out).__name__}",
            )
        return lift(self.graph, out)

    def adjoints(self, y, name):
        """Ids of the adjoints of the variables for `y`, which must be a 0-d float.

        Asked for when a program is made: what finds it again has passed."""
        if y.shape != ():
            raise error(
                errors.ShapeError,
                f"{name}: the function must return a scalar, not shape {y.shape}: "
                "use jacobian or vjp",
            )
        if y.code > 1:
            raise _not_differentiable(y.dtype, f"{name}: the result")
        return vjp_nodes(self.graph, y.id, 0, [x.id for x in self.xs])

    def finish(self, key, wanted, extend, *args):
        """Values of the `wanted` nodes, then of those that extend(*args) adds to the
        graph: arrays, and NumPy scalars for 0-d ones.

        Outermost, the trace's program is found by `key` and the structure of the
        trace, which tells the variables by their role; `extend` is called only if there
        is none yet. Inside another trace the nodes are returned, as arrays where no
        outer variable plays a part.
        """
        graph = self.graph
        if not self.outermost:
            nodes = wanted + extend(*args)
            return [settled(graph, n, self.level) for n in nodes]
        if graph.captured:
            graph.check_captured()
        key = graph.key(), *key, *wanted
        program = cached_program(key, self._program, wanted, extend, args)
        return program(list(map(graph.values.__getitem__, graph.leaves)))

    def _program(self, wanted, extend, args):
        leaves = list(self.graph.leaves)
        return Program(self.graph, leaves, wanted + extend(*args))


def settled(graph, node, level):
    """Expr of `node`, or its value if no variable of a transform outside of `level`
    plays a part."""
    info = graph.describe(node)
    outer = DEFERRED | sum(b for b in LEVELS if b < (level or 0))
    if level is None or info.role & outer:
        return Expr(graph, node, info.dtype)
    return bare(graph.value(node))


def bare(value):
    """An array, as NumPy scalar if it is 0-d."""
    return value if value.ndim else value[()]


def like(value, source):
    """NumPy scalar `value` as a 0-d ndarray if its source is one. Arrays and Exprs stay
    what they are."""
    if isinstance(source, np.ndarray) and not source.ndim and type(value) is not Expr:
        return np.asarray(value)
    return value
