"""From the executed graph to intermediate variables, one operator each: their names,
formulas and derivatives, all read from the graph.
"""

from pygradc._explain.formula import ONE, Mismatch, TooLarge, sym, symbols
from pygradc._explain.matrix import t
from pygradc._explain.operator import kind_of, matrix_of
from pygradc._explain.order import MOST_STEPS, Order
from pygradc._explain.read import Reader, formula_shape
from pygradc._explain.tidy import substitute, tidy
from pygradc._program import vjp_nodes


class Pulled(tuple):
    """Formulas of a product with the seed, where there is no matrix to write."""


OUTPUTS = ("y", "C", "f", "z", "result", "output_of_all")


class Plan:
    """Which nodes are steps, what they are called, and how they are read.

    Attributes
    ----------
    nodes : list of int
        Ids of the steps that are shown, rising; the last is the output.
    order : Order
        All steps.
    names : dict
        Name of each step and input, by id.
    counts : tuple of (str, int)
        Letters that stand for the number of elements of a mean.
    reader : Reader
        In terms of inputs and steps.
    """

    def __init__(self, source, most=MOST_STEPS):
        self.source, self.graph = source, source.graph
        self.inputs = {x.id: n for n, x in source.variables.items()}
        self.inputs.update(source.captured())
        self.facts = {}
        self.reader = Reader(self.graph, {}, self.facts)
        y, node = source.y.id, self.reader.node
        self.order = Order(self.graph, y, self.inputs, node, most)
        self.nodes = self.order.shown
        self.names = dict(self.inputs)
        self._letters, self.counts = {}, ()
        if len(self.order.counts) == 1 and "N" not in self.inputs.values():
            ((count, n),) = self.order.counts.items()
            self._letters, self.counts = {count: sym("N")}, (("N", n),)
        self._choose_names()
        self.reader = self.new_reader()

    def _choose_names(self):
        """The name of the output, and the letter of the steps: none that is taken."""
        taken = set(self.inputs.values())
        self.name = next(n for n in OUTPUTS if n not in taken)
        self._letter = next(
            c
            for c in "uvsqtabcdefghijklmnopr"
            if not any(n.startswith(c) and n[1:].isdigit() for n in taken)
        )
        for x in self.nodes:
            self.name_of(x)

    def name_of(self, x):
        """Name of node `x`, which is a step or an input; None if it is neither."""
        if x not in self.names:
            at = self.order.index(x)
            if at is None:
                return None
            last = at == len(self.order.nodes) - 1
            self.names[x] = self.name if last else f"{self._letter}{at + 1}"
        return self.names[x]

    def shape(self, x):
        """NumPy shape of node `x`."""
        return self.reader.node(x).shape

    def symbol(self, x):
        return sym(self.names[x], formula_shape(self.shape(x)))

    def new_reader(self, named=()):
        """A reader in terms of the inputs and the nodes `named`."""
        names = {x: self.symbol(x) for x in (*self.inputs, *named)}
        names.update(self._letters)
        return Reader(self.graph, names, self.facts, self._folded)

    def _folded(self, x):
        """The symbol of node `x`, if it is a step that is not shown."""
        if self.order.fold is None or x in self.nodes or self.name_of(x) is None:
            return None
        return self.symbol(x)

    # ---- steps, read in order ----

    def read(self, x):
        """Formula of step `x`, and ids of its operands, in order; from then on the
        step is known by its name."""
        formula = self.reader.formula(x)
        own = {name: i for i, name in self.names.items()}
        operands = [own[n] for n in symbols(formula) if n in own]
        return formula, operands

    def close(self, x):
        self.reader.known[x] = self.symbol(x)

    def jacobians(self, y, xs, reader, seeds):
        """Formulas of the derivatives of node `y` by the nodes `xs`, and the nodes of
        their products with the seed: a list of (formulas, node), where the formulas are
        the one to show and the one to fall back to, if there are any."""
        shape = formula_shape(self.shape(y))
        seed, known = 0, None
        if self.shape(y) != ():
            seed = seeds(y)
            known = sym(f"v@{seed}", shape)
        nodes = vjp_nodes(self.graph, y, seed, xs)
        if reader is None:
            return [((), node) for node in nodes]
        reader.known[seed] = known
        return [(_jacobian(reader, node, known, shape), node) for node in nodes]


def _jacobian(reader, node, seed, shape):
    """The Jacobian, in numerator layout, whose product with the seed `node` is: as a
    person would write it, and as it was read; of the product if there is no matrix;
    () if it is too long."""
    try:
        pulled = reader.formula(node)
        if seed is None or shape == ():
            if seed is not None:  # a scalar: put to 1
                pulled = substitute(pulled, {seed.data: ONE})
            column = len(pulled.shape) == 2 and pulled.shape[1] == 1
            both = tidy(pulled), pulled
            return tuple([t(f) for f in both]) if column else both
        matrix = matrix_of(pulled, seed)
        if matrix is None:
            return Pulled((tidy(pulled), pulled))
        return tidy(t(tidy(matrix))), t(matrix)
    except (TooLarge, Mismatch, RecursionError):
        return ()


def jacobian_shape(of, by):
    """(m, n) for arrays of NumPy shapes `of` and `by`."""
    m = n = 1
    for d in of:
        m *= d
    for d in by:
        n *= d
    return m, n


def partial_kind(formula, by):
    if formula is None:
        return "tensor"
    if len(formula.shape) == 2 and len(by) == 2 and min(by) > 1:
        return "matrix"
    return "dense" if len(formula.shape) > 2 else kind_of(formula)
