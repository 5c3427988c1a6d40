"""What is explained: a function, an expression or a string, traced into a graph."""

import inspect

import numpy as np

from pygradc import _tree, errors
from pygradc._expr import Expr, lift
from pygradc._graph import Graph, call_in
from pygradc._lib import CODES, DEFERRED, DIFFERENTIATED, VARIABLE, lib
from pygradc._trace import LEVELS, differentiable_array


class Source:
    """A traced function.

    Attributes
    ----------
    graph : Graph
    variables : dict
        Expr of each argument's leaf, by name.
    y : Expr
        What is returned.
    known : bool
        Whether the variables have values.
    wrt : tuple of str
        Names of those to differentiate with respect to.
    """

    def __init__(self, graph, variables, y, known, function=None):
        self.graph, self.variables, self.y, self.known = graph, variables, y, known
        if any(x.id == y.id for x in variables.values()):  # y = x is a step, too
            self.y = Expr(graph, lib.gradc_ident(graph.h, y.id, 0), y.code)
        self.function = function
        self.values = {}  # of explicit variables, by id
        if y.code > 1:
            raise errors.DTypeError(f"explain: a result of {y.dtype} has no derivative")
        self.wrt = tuple([n for n, x in variables.items() if x.code <= 1])

    def restrict(self, wrt):
        """Keeps the variables that `wrt` names, by name or position."""
        if wrt is None:
            return
        names = list(self.variables)
        chosen = []
        for w in [wrt] if isinstance(wrt, (str, int)) else wrt:
            if isinstance(w, int) and -len(names) <= w < len(names):
                w = names[w]
            if w not in self.wrt:
                listed = ", ".join(self.wrt) or "none"
                raise errors.ArgumentError(
                    f"explain: wrt {w!r} is no variable that can be differentiated; "
                    f"there is {listed}"
                )
            chosen.append(w)
        self.wrt = tuple(chosen)

    def captured(self):
        """Names of the arrays the function brought along, by id of their node."""
        named = _surroundings(self.function)
        found, taken = {}, set(self.variables)
        for array, _, node, _ in self.graph.captured.values():
            name = named.get(id(array))
            if name is None or name in taken:
                name = next(f"c{i}" for i in range(1, 9999) if f"c{i}" not in taken)
            taken.add(name)
            found[node] = name
        return found


def _surroundings(function, depth=2):
    """Names of arrays that `function` sees outside of itself, by id()."""
    try:
        outside = inspect.getclosurevars(inspect.unwrap(function))
    except (TypeError, ValueError):
        return {}
    found = {}
    for name, value in {**outside.globals, **outside.nonlocals}.items():
        if isinstance(value, np.ndarray):
            found[id(value)] = name
        elif depth and inspect.isfunction(value):
            found = {**_surroundings(value, depth - 1), **found}
    return found


def source_of(f, args, at):
    """The Source of what `pygradc.explain` was given."""
    if isinstance(f, Expr):
        return _of_expression(f, args, at)
    if isinstance(f, str):
        from pygradc._parse import parse

        f = parse(f)
        given = _in_order(f.names, args, at)
        if given is not None:  # a text has arrays, no other structures
            given = [
                np.asarray(v) if isinstance(v, (list, tuple)) else v for v in given
            ]
        return _of_function(f, given, f.names)
    if not callable(f):
        raise errors.DTypeError(
            f"explain: {type(f).__name__} is no function, expression or string"
        )
    names = _argument_names(f, len(args) if args else None)
    return _of_function(f, _in_order(names, args, at), names)


def _in_order(names, args, at):
    """The arguments by position; None for one that has no value."""
    if at:
        unknown = [n for n in at if n not in names]
        if unknown or args:
            what = f"no variable {unknown[0]!r}" if unknown else "values given twice"
            raise errors.ArgumentError(f"explain: {what}")
        missing = [n for n in names if n not in at]
        if missing:
            raise errors.ArgumentError(f"explain: no value for {missing[0]}")
        return [at[n] for n in names]
    if args and len(args) != len(names):
        raise errors.ArgumentError(
            f"explain: {len(args)} values for {len(names)} variables: "
            + ", ".join(names)
        )
    return list(args) or None


def _argument_names(f, count):
    """Names of the positional arguments of `f`; as many as `count`, if it is known."""
    try:
        parameters = list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    places = (
        inspect.Parameter.POSITIONAL_ONLY,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
    )
    listed = [p for p in parameters if p.kind in places]
    needed = [p.name for p in listed if p.default is p.empty]
    if count is None:
        return tuple(needed) or ("x",)
    names = [p.name for p in listed[:count]]
    if len(names) < count:
        open_end = any(p.kind is inspect.Parameter.VAR_POSITIONAL for p in parameters)
        if parameters and not open_end:
            raise _wrong_count(count, len(needed), len(listed))
        more = range(len(names) + 1, count + 1)
        names += ["x"] if count == 1 else [f"x{i}" for i in more]
    if count < len(needed):
        raise _wrong_count(count, len(needed), len(listed))
    return tuple(names)


def _wrong_count(count, least, most):
    takes = f"{least}" if least == most else f"{least} to {most}"
    return errors.ArgumentError(
        f"explain: the function takes {takes} value{'s' * (most != 1)}, not {count}"
    )


def _of_function(f, args, names):
    graph = Graph(recording=True)
    variables = {}
    if args is None:
        given = []
        for name in names:
            x = Expr(graph, graph.input(0, (), VARIABLE | DEFERRED), 0)
            variables[name] = x
            given.append(x)
    else:
        pairs = zip(args, names, strict=True)
        given = [_argument(graph, a, n, variables) for a, n in pairs]
    y = _result(graph, call_in(graph, f, *given))
    return Source(graph, variables, y, args is not None, f)


def _result(graph, out):
    kinds = (Expr, int, float, np.ndarray, np.generic, list, tuple)
    if not isinstance(out, kinds):
        raise errors.DTypeError(
            f"explain: the function must return an array, not {type(out).__name__}"
        )
    return lift(graph, out)


def _argument(graph, arg, name, variables):
    """`arg` with its float leaves as named variables; other leaves stay as they are."""
    leaves = []
    structure = _tree.flatten(arg, leaves)
    made = []
    for i, leaf in enumerate(leaves):
        own = name if structure is Ellipsis else f"{name}{i + 1}"
        if isinstance(leaf, (bool, np.bool_)) or (
            isinstance(leaf, (np.ndarray, np.generic)) and leaf.dtype.kind in "iub"
        ):
            made.append(leaf)
            continue
        array = np.asarray(differentiable_array(leaf, f"argument {own}"), order="C")
        if array.dtype not in CODES:
            array = array.astype(float)
        node = graph.leaf(array, VARIABLE | DIFFERENTIATED | LEVELS[0])
        variables[own] = Expr(graph, node, CODES[array.dtype], array.shape)
        made.append(variables[own])
    return _tree.unflatten(structure, iter(made))


def _of_expression(y, args, at):
    """The Source of an explicit expression; its variables in order of creation."""
    graph = y.graph
    reached = set(cone(graph, y.id))
    variables = {
        name: Expr(graph, node, graph.code(node))
        for node, name in sorted(graph.names.items())
        if node in reached
    }
    source = Source(graph, variables, y, bool(args or at))
    if source.known:
        values = _in_order(tuple(variables), args, at)
        for (name, x), v in zip(variables.items(), values, strict=True):
            v = np.asarray(v, x.dtype)
            if v.shape != x.shape:
                raise errors.ShapeError(
                    f"explain: {name} has shape {v.shape}, expected {x.shape}"
                )
            source.values[x.id] = v
    return source


def cone(graph, y):
    """Leaves that node `y` depends on."""
    return graph._cone(y)[0]
