"""The transforms of functions: grad, value_and_grad, vjp, jvp."""

import functools

import numpy as np

from pygradc import _tree, errors
from pygradc._expr import Expr, graph_of, lift
from pygradc._graph import as_supported, plain
from pygradc._lib import error
from pygradc._program import Program, cached_program, jvp_nodes, vjp_nodes
from pygradc._trace import Trace, differentiable_array, like, positions


def _rebuilt(trace, where, argnums, values):
    """`values`, one for each differentiated leaf, as trees like the arguments at the
    positions `where`; a tuple of trees if `argnums` is a sequence."""
    leaves = list(map(like, values, trace.sources))
    if trace.plain:  # each argument is one leaf
        if isinstance(argnums, int):
            return leaves[0]
        if where == trace.argnums:
            return tuple(leaves)
    at = iter(leaves)
    trees = [_tree.unflatten(s, at) for s in trace.structures]
    trees = dict(zip(trace.argnums, trees, strict=True))
    if isinstance(argnums, int):
        return trees[where[0]]
    return tuple([trees[i] for i in where])


def value_and_grad(function, argnums=0, has_aux=False):
    """Function that returns the value of `function` and its gradient.

    Parameters
    ----------
    function : callable
        Returns a scalar; with `has_aux`, a pair of that and anything else.
    argnums : int or sequence of int
        Positional arguments to differentiate: floats, float arrays, or tuples, lists,
        dicts of them.
    has_aux : bool
        The second part of the function's result is passed on.

    Returns
    -------
    callable
        Takes what `function` takes; returns ``(value, gradient)``, or
        ``((value, aux), gradient)``. A gradient has the structure of its argument and
        in each leaf its shape and dtype; a tuple of them if `argnums` is a sequence.

    Raises
    ------
    ShapeError
        The function's result is no scalar.
    DTypeError
        A differentiated argument is an integer or bool array.

    Notes
    -----
    Traces at every call, so it always means what the code means now; the compiled
    program is found again by the structure of the trace. Reverse accumulation: at most
    about 4 evaluations of the function (Griewank & Walther 2008, section 3.3).

    Examples
    --------
    >>> import numpy as np, pygradc as pg
    >>> value, slope = pg.value_and_grad(lambda x: np.sin(x**2))(1.0)
    >>> float(slope)  # 2 x cos(x^2)
    1.0806046117362795
    """
    return _differentiated(function, argnums, has_aux, with_value=True)


def grad(function, argnums=0, has_aux=False):
    """Function that returns the gradient of `function`.

    Parameters
    ----------
    function, argnums, has_aux
        As for `value_and_grad`.

    Returns
    -------
    callable
        Returns the gradient, or ``(gradient, aux)``.

    Raises
    ------
    ShapeError, DTypeError
        As `value_and_grad`.

    Notes
    -----
    Reverse accumulation; see `value_and_grad`.

    Examples
    --------
    >>> import numpy as np, pygradc as pg
    >>> pg.grad(lambda w, x: np.dot(w, x))(np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    array([3., 4.])
    """
    return _differentiated(function, argnums, has_aux, with_value=False)


def _differentiated(function, argnums, has_aux, with_value):
    """`value_and_grad`, or `grad` without the value."""

    @functools.wraps(function)
    def transformed(*args, **kwargs):
        where = positions(argnums, len(args), "grad")
        trace = Trace(function, args, kwargs, where)
        out, aux = trace.out, None
        if has_aux:
            if not isinstance(out, tuple) or len(out) != 2:
                raise error(
                    errors.ArgumentError, "has_aux: the function must return a pair"
                )
            out, aux = out
        y = trace.output(out, "grad")
        value, *slopes = trace.finish(("grad",), [y.id], trace.adjoints, y, "grad")
        gradient = _rebuilt(trace, where, argnums, slopes)
        if not has_aux:
            return (value, gradient) if with_value else gradient
        aux = _concrete(trace, aux)
        return ((value, aux), gradient) if with_value else (gradient, aux)

    return transformed


def _concrete(trace, tree):
    """`tree` with the traced values of an ended trace as arrays."""
    if not trace.outermost:
        return tree

    def each(x):
        _tree.check_leaf(x, "has_aux: the function returned")
        if not isinstance(x, Expr):
            return x
        return np.array(trace.graph.value(x.id))[()]  # it may be an argument's memory

    return _tree.map_leaves(each, tree)


def _output_leaves(trace):
    """Leaves of the function's result as Exprs, and their structure."""
    leaves = []
    structure = _tree.flatten(trace.out, leaves)
    return [lift(trace.graph, y) for y in leaves], structure


def jvp(function, primals, tangents):
    """Value of `function` and its derivative along `tangents`: forward mode.

    Parameters
    ----------
    function : callable
    primals : sequence
        Its positional arguments; floats, float arrays, or trees of them.
    tangents : sequence
        A direction: trees like `primals`, with leaves of the same shapes.

    Returns
    -------
    value : tree
        What the function returns.
    tangent : tree
        J(primals) · tangents, of the structure of `value`.

    Raises
    ------
    ShapeError, DTypeError
        Tangents do not fit the primals.

    Notes
    -----
    Griewank & Walther 2008, section 3.1; costs about one more evaluation.

    Examples
    --------
    >>> import numpy as np, pygradc as pg
    >>> value, slope = pg.jvp(np.sin, (0.0,), (2.0,))
    >>> float(slope)
    2.0
    """
    for what, given in (("primals", primals), ("tangents", tangents)):
        if not isinstance(given, (tuple, list)):
            raise error(
                errors.ArgumentError,
                f"jvp: {what} is a {type(given).__name__}, and must be a tuple or list "
                "with one entry for each argument",
            )
    primals = tuple(primals)
    trace = Trace(function, primals, {}, tuple(range(len(primals))))
    structure = tuple, None, tuple(trace.structures)
    directions = _tree.leaves_like(structure, tangents, "jvp: tangents")
    graph = trace.graph
    txs = []
    for i, (x, t) in enumerate(zip(trace.xs, directions, strict=True)):
        if not isinstance(t, Expr):
            t = np.asarray(differentiable_array(t, f"tangent {i}"))
            t = np.asarray(t, x.dtype, order="C")
            t = Expr(graph, graph.leaf(t, 0), x.code)
        txs.append(t)
    ys, structure = _output_leaves(trace)
    moving = [y.id for y in ys if y.code < 2]
    results = trace.finish(
        ("jvp", len(ys), *[t.id for t in txs]),
        [y.id for y in ys],
        lambda: jvp_nodes(graph, [x.id for x in trace.xs], [t.id for t in txs], moving),
    )
    values, slopes = results[: len(ys)], iter(results[len(ys) :])
    slopes = [next(slopes) if y.code < 2 else None for y in ys]
    return (
        _tree.unflatten(structure, iter(values)),
        _tree.unflatten(structure, iter(slopes)),
    )


def vjp(function, *primals):
    """Value of `function` and the function that pulls cotangents back.

    Parameters
    ----------
    function : callable
    *primals
        Its positional arguments; floats, float arrays, or trees of them.

    Returns
    -------
    value : tree
        What the function returns.
    pullback : callable
        Takes a cotangent, a tree like `value`; returns a tuple with one tree like each
        primal: Jᵀ · cotangent.

    Raises
    ------
    ShapeError
        The cotangent does not fit the value.

    Notes
    -----
    The function is traced once; each pullback runs one program, or is traced in its
    turn where it is transformed. Griewank & Walther 2008, section 3.2.

    Examples
    --------
    >>> import numpy as np, pygradc as pg
    >>> value, pullback = pg.vjp(np.sin, np.array([0.0, 1.0]))
    >>> pullback(np.array([1.0, 0.0]))
    (array([1., 0.]),)
    """
    trace = Trace(function, primals, {}, tuple(range(len(primals))))
    ys, structure = _output_leaves(trace)
    graph = trace.graph
    values = trace.finish(("value", len(ys)), [y.id for y in ys], lambda: [])
    every = tuple(range(len(primals)))
    pull, kept = _pulling_program(trace, ys) if trace.outermost else (None, None)

    def pullback(cotangent):
        given = _tree.leaves_like(structure, cotangent, "vjp: the cotangent")
        given = [_cotangent(y, d) for y, d in zip(ys, given, strict=True)]
        other = graph_of(*given)
        if pull is not None and other is not None:
            # of a later trace, which the function is traced in once more
            again = [lift(other, kept[x.id]) for x in trace.xs]
            again = _rebuilt(trace, every, every, again)
            return vjp(function, *again)[1](cotangent)
        if pull is not None:
            results = pull(given)
        else:
            given = [lift(graph, d) for d in given]
            nodes = _pulled_back(graph, trace.xs, ys, given)
            results = [Expr(graph, n, graph.code(n)) for n in nodes]
        return _rebuilt(trace, every, every, results)

    return _tree.unflatten(structure, iter(values)), pullback


def _pulled_back(graph, xs, ys, ds):
    """Ids of the adjoints of `xs` for the cotangents `ds` of `ys`."""
    total = lift(graph, 0.0)
    for y, d in zip(ys, ds, strict=True):
        if y.code < 2:
            total = total + np.sum(y * d)
    return vjp_nodes(graph, total.id, 0, [x.id for x in xs])


def _pulling_program(trace, ys):
    """Function from cotangents of `ys` to the adjoints of the trace's variables, by one
    program that is compiled when it is first called; and the values of all leaves now,
    by id."""
    graph = trace.graph
    key = ("vjp", graph.key(), *[y.id for y in ys], *[x.id for x in trace.xs])
    leaves = list(graph.leaves)
    values = {i: np.array(graph.values[i]) for i in leaves}

    def make():
        seeds = [Expr(graph, graph.input(y.code, y.shape, 0), y.code) for y in ys]
        nodes = _pulled_back(graph, trace.xs, ys, seeds)
        return Program(graph, [*leaves, *[d.id for d in seeds]], nodes)

    def pull(cotangents):
        return cached_program(key, make)([*values.values(), *cotangents])

    return pull, values


def _cotangent(y, d):
    """Cotangent `d` of `y`, checked; a contiguous array unless it is traced."""
    if type(d) is not Expr:
        d = as_supported(np.asarray(plain(d)))
    if d.shape != y.shape:
        raise error(
            errors.ShapeError,
            f"vjp: cotangent of shape {d.shape} for an output of shape {y.shape}",
        )
    return d if type(d) is Expr else np.asarray(d, y.dtype, order="C")
