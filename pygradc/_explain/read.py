"""From nodes of the graph to formulas: what the engine executes, as a person writes it.

NumPy's vectors become columns; views that only change how an array is looked at (a
reshape of a vector to a row, a broadcast, a conversion) disappear into the formula.
Elementwise ops without a rule of their own here become calls of their row's name, so a
new row needs no line in this module.
"""

from collections import namedtuple
from fractions import Fraction

from pygradc._explain.formula import (
    add,
    call,
    cases,
    ind,
    item,
    mul,
    negated,
    num,
    ones,
    power,
    scale,
    sub,
    sym,
    total,
    zeros,
)
from pygradc._explain.matrix import diag, dot, grid, t
from pygradc._lib import BOOL, ffi

Node = namedtuple("Node", "op shape ins attrs value code role")
Node.__doc__ = "A node's facts: op name, NumPy shape, operands, attributes, constant."

MOST_ELEMENTS = 8  # of a vector that is written element by element


def node_of(graph, x):
    """Facts about node `x`."""
    info = graph.describe(x)
    return Node(
        ffi.string(info.op).decode(),
        tuple(info.dim[0 : info.rank]),
        tuple(getattr(info, "in")[0 : info.n_in]),
        tuple(info.attr[0 : info.n_attr]),
        info.value,
        info.dtype,
        info.role,
    )


def formula_shape(shape):
    """Shape of the formula for an array of NumPy `shape`."""
    if all(d == 1 for d in shape):
        return ()
    return (shape[0], 1) if len(shape) == 1 else tuple(shape)


def spread(f, shape, to):
    """`f`, of NumPy `shape`, broadcast to NumPy shape `to`; scalars stay scalars."""
    if not f.shape or f.shape == formula_shape(to):
        return f
    if len(to) != 2 or len(shape) > 2:
        return call("broadcast", f, details=(shape, to), shape=formula_shape(to))
    m, n = to
    if len(shape) == 1 or shape[0] == 1:
        row = t(f) if f.shape[1] == 1 else f
        return row if m == 1 else dot(ones((m, 1)), row)
    return dot(f, t(ones((n, 1))))


def opaque(name, args, node, shapes, *details):
    """A call that is computed as NumPy would on arrays of `shapes`."""
    where = (tuple(shapes), node.shape, node.attrs, *details)
    return call(name, *args, details=where, shape=formula_shape(node.shape))


# ---- one function for each op that is no plain elementwise call ----


def _constant(node, args, shapes):
    return num(int(node.value) if node.value == node.value // 1 else node.value)


def _product(node, args, shapes):
    (a, b), to = args, formula_shape(node.shape)
    if a.shape and b.shape and (a.shape != to or b.shape != to) and len(to) == 2:
        full = [x for x in (a, b) if x.shape == to]
        if not full:  # a column and a row
            first, second = (a, b) if shapes[0][-1:] == (1,) else (b, a)
            return dot(first, second if second.shape[0] == 1 else t(second))
        other, shape = (b, shapes[1]) if a.shape == to else (a, shapes[0])
        if len(shape) == 1 or shape[0] == 1:
            return dot(full[0], diag(other if other.shape[1] == 1 else t(other)))
        return dot(diag(other), full[0])
    return mul(spread(a, shapes[0], node.shape), spread(b, shapes[1], node.shape))


def _pow(node, args, shapes):
    x, y = (spread(a, s, node.shape) for a, s in zip(args, shapes, strict=True))
    return power(x, y.data) if y.head == "num" else call("pow", x, y)


def _div(node, args, shapes):
    a, b = args
    if a.head == "call" and a.data[0] == "total":  # b: their number
        (x,) = a.args
        n = 1
        for d in x.shape:
            n *= d
        if b == num(n) or b == sym("N"):
            return call("mean", x, shape=())
    return _product(node, (a, power(b, -1)), shapes)


def _where(node, args, shapes):
    parts = [spread(a, s, node.shape) for a, s in zip(args, shapes, strict=True)]
    if node.code == BOOL:
        return call("where", *parts)
    return cases(*parts)


def _convert(node, args, shapes):
    (x,) = args
    if node.code == BOOL:
        return x if _is_condition(x) else call("ne", x, num(0))
    if _is_condition(x):
        return ind(x)
    return call("trunc", x) if node.code == 2 else x


def _is_condition(f):
    if f.head == "t":
        return _is_condition(f.args[0])
    return f.head == "call" and f.data[0] in CONDITIONS


CONDITIONS = frozenset(
    "eq ge gt isfinite isinf isnan le lt ne logical_and logical_not logical_or "
    "logical_xor where".split()
)


def _broadcast(node, args, shapes):
    f = spread(args[0], shapes[0], node.shape)
    to = formula_shape(node.shape)
    return mul(f, ones(to)) if to and not f.shape else f


def _sum(node, args, shapes):
    (x,), (begin, _) = args, node.attrs
    if not x.shape:
        return x
    if formula_shape(node.shape) == ():
        return total(x)
    if len(shapes[0]) == 2:
        m, n = shapes[0]
        if begin == 0:
            return t(x) if m == 1 else dot(t(x), ones((m, 1)))
        return x if n == 1 else dot(x, ones((n, 1)))
    return opaque("sum", args, node, shapes)


def _reshape(node, args, shapes):
    (x,), to = args, formula_shape(node.shape)
    if x.shape == to:
        return x
    if len(x.shape) == len(to) == 2 and 1 in x.shape and 1 in to:
        return t(x)
    if x.head == "call" and x.data[0] == "pad" and len(to) == 2 and to[0] == to[1]:
        begin, step = x.data[1][2][:2]
        if begin == 0 and step == to[0] + 1 and x.args[0].shape == (to[0], 1):
            return diag(x.args[0])
    return opaque("reshape", args, node, shapes)


def _transpose(node, args, shapes):
    (x,) = args
    if not x.shape or node.attrs == tuple(range(len(node.attrs))):
        return x
    return t(x) if len(node.shape) == 2 else opaque("transpose", args, node, shapes)


def _slice(node, args, shapes):
    (x,), rank = args, len(shapes[0])
    begin, step = node.attrs[:rank], node.attrs[rank : 2 * rank]
    if not x.shape:
        return x
    if formula_shape(node.shape) == ():
        return item(x, begin)
    whole = x.args[0] if x.head == "call" and x.data[0] == "reshape" else None
    if whole is not None and len(whole.shape) == 2 and rank == 1:
        n = whole.shape[0]
        square = whole.shape == (n, n) and node.shape == (n,)
        if square and begin[0] == 0 and step[0] == n + 1:
            return call("diagonal", whole, shape=(n, 1))
    return opaque("slice", args, node, shapes)


def _unit(n, i, f):
    return grid([[f if j == i else num(0)] for j in range(n)])


def _pad(node, args, shapes):
    (x,) = args
    if len(node.shape) == 1 and not x.shape and node.shape[0] <= MOST_ELEMENTS:
        return _unit(node.shape[0], node.attrs[0], x)
    if len(node.shape) == 1 and not x.shape:
        n, i = node.shape[0], node.attrs[0]
        return mul(x, call("unit", details=(n, i), shape=(n, 1)))
    return opaque("pad", args, node, shapes)


def _concat(node, args, shapes):
    if len(node.shape) == 1 and len(args) <= MOST_ELEMENTS:
        if all(not a.shape for a in args):
            return grid([[a] for a in args])
    return opaque("concat", args, node, shapes)


def _matmul(node, args, shapes):
    if len(node.shape) > 2 or len(shapes[0]) > 2 or len(shapes[1]) > 2:
        return opaque("matmul", args, node, shapes)
    return dot(*args)


def _reduction(name):
    def read(node, args, shapes):
        (x,) = args
        if not x.shape:
            return x
        if formula_shape(node.shape) == ():
            return call(name, x, shape=())
        return opaque(name, args, node, shapes)

    return read


def _opaque(name):
    return lambda node, args, shapes: opaque(name, args, node, shapes)


def _elementwise(function):
    def read(node, args, shapes):
        parts = [spread(a, s, node.shape) for a, s in zip(args, shapes, strict=True)]
        return function(*parts)

    return read


def _hypot(x, y):
    return power(add(power(x, 2), power(y, 2)), Fraction(1, 2))


READ = {
    "constant": _constant,
    "ident": lambda node, args, shapes: args[0],
    "neg": _elementwise(lambda x: scale(-1, x)),
    "square": _elementwise(lambda x: power(x, 2)),
    "sqrt": _elementwise(lambda x: power(x, Fraction(1, 2))),
    "reciprocal": _elementwise(lambda x: power(x, -1)),
    "hypot": _elementwise(_hypot),
    "add": _elementwise(add),
    "addn": _elementwise(add),
    "sub": _elementwise(sub),
    "mul": _product,
    "annihilate": _product,
    "annihilate_both": _product,
    "div": _div,
    "pow": _pow,
    "where": _where,
    "convert": _convert,
    "logical_not": _elementwise(negated),
    "broadcast": _broadcast,
    "sum": _sum,
    "reshape": _reshape,
    "transpose": _transpose,
    "slice": _slice,
    "pad": _pad,
    "concat": _concat,
    "matmul": _matmul,
    "max": _reduction("max"),
    "min": _reduction("min"),
    "prod": _reduction("prod_of"),
    **{
        name: _opaque(name)
        for name in (
            *("argmax", "argmin", "argsort", "searchsorted"),
            *("cumsum", "recur", "gather", "scatter", "correlate"),
        )
    },
}


class Reader:
    """Formulas of the nodes of one graph.

    Parameters
    ----------
    graph : Graph
    names : dict
        Formulas that stand for nodes and are not looked into, by id.
    nodes : dict, optional
        Facts about nodes, by id, shared with other readers.
    folded : callable, optional
        Gives the formula that stands for a node that is not named, or None.
    """

    def __init__(self, graph, names, nodes=None, folded=lambda x: None):
        self.graph = graph
        self.folded = folded
        self.names = names
        self.known = dict(names)
        self.nodes = {} if nodes is None else nodes

    def node(self, x):
        """Facts about node `x`, asked once."""
        found = self.nodes.get(x)
        if found is None:
            found = self.nodes[x] = node_of(self.graph, x)
        return found

    def formula(self, x):
        """The formula of node `x` in terms of the names.

        Raises
        ------
        TooLarge
            Nobody would read it.
        """
        wanted, stack = set(), [x]
        while stack:
            at = stack.pop()
            if at not in self.known and at not in wanted:
                symbol = self.folded(at)
                if symbol is not None:
                    self.known[at] = symbol
                    continue
                wanted.add(at)
                stack += self.node(at).ins
                if len(wanted) > MOST_NODES:
                    from pygradc._explain.formula import TooLarge

                    raise TooLarge
        for at in sorted(wanted):
            self.known[at] = self._read(self.node(at))
        return self.known[x]

    def _read(self, node):
        args = [self.known[i] for i in node.ins]
        shapes = [self.node(i).shape for i in node.ins]
        if 0 in node.shape:
            return zeros(formula_shape(node.shape))
        if node.op == "input":
            return sym("?", formula_shape(node.shape))
        rule = READ.get(node.op)
        if rule is not None:
            return rule(node, args, shapes)
        parts = [spread(a, s, node.shape) for a, s in zip(args, shapes, strict=True)]
        return call(node.op, *parts)


MOST_NODES = 4000  # read for one formula
