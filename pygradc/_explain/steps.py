"""From the executed graph to intermediate variables, one operator each.

Nodes that only change how an array is looked at (reshapes of a vector to a row,
broadcasts, conversions, single elements) are no operator to a reader and go into the
formula of the step that uses them; so does the sum inside a mean.
"""

from pygradc._explain.formula import ONE, Mismatch, TooLarge, sym, symbols
from pygradc._explain.matrix import t
from pygradc._explain.operator import kind_of, matrix_of
from pygradc._explain.read import Reader, formula_shape
from pygradc._explain.tidy import substitute, tidy
from pygradc._lib import BOOL
from pygradc._program import vjp_nodes

VIEWS = frozenset("ident reshape broadcast convert constant input".split())


class Plan:
    """Which nodes are steps, what they are called, and how they are read.

    Attributes
    ----------
    nodes : list of int
        Ids of the steps, rising; the last is the output.
    names : dict
        Name of each step and input, by id.
    counts : tuple of (str, int)
        Letters that stand for the number of elements of a mean.
    reader : Reader
        In terms of inputs and steps.
    """

    def __init__(self, source):
        self.source, self.graph = source, source.graph
        self.inputs = {x.id: n for n, x in source.variables.items()}
        self.inputs.update(source.captured())
        self.facts = {}
        self.reader = Reader(self.graph, {}, self.facts)
        order = self._reached(source.y.id)
        self._letters = {}
        self.counts = self._means(order)
        self.nodes = [x for x in order if self._is_step(x)]
        self.output = self._output()
        self.names = dict(self.inputs)
        self._name_steps()
        self.reader = self.new_reader()

    def _reached(self, y):
        """Ids of all that y depends on, rising."""
        found, stack = set(), [y]
        while stack:
            x = stack.pop()
            if x not in found:
                found.add(x)
                stack += self.reader.node(x).ins
        return sorted(found)

    def _means(self, order):
        """Finds constants that only ever divide a sum by the number of its elements."""
        uses, divides, self._inner = {}, {}, set()
        node = self.reader.node
        for x in order:
            for i in node(x).ins:
                uses[i] = uses.get(i, 0) + 1
        for x in order:
            if node(x).op != "div":
                continue
            total, count = node(x).ins
            if node(total).op != "sum" or node(count).op != "constant":
                continue
            n = 1
            for d in node(node(total).ins[0]).shape:
                n *= d
            if node(total).shape == () and node(count).value == n > 1:
                divides[count] = divides.get(count, 0) + 1
                if uses[total] == 1:
                    self._inner.add(total)
        self._hide_products(order, uses)
        taken = set(self.inputs.values())
        counts = []
        for count, times in divides.items():
            if uses[count] == times and "N" not in taken and not counts:
                self._letters[count] = sym("N")
                counts.append(("N", int(node(count).value)))
        return tuple(counts)

    def _hide_products(self, order, uses):
        """A product of vectors is the step only after it has lost its axes of 1."""
        self._seen_through = set()
        for x in order:
            node = self.reader.node(x)
            if node.op == "reshape" and self.reader.node(node.ins[0]).op == "matmul":
                if uses[node.ins[0]] == 1 and len(node.shape) < 2:
                    self._inner.add(node.ins[0])
                    self._seen_through.add(x)

    def _is_step(self, x):
        node = self.reader.node(x)
        if x in self._seen_through:
            return True
        if x in self.inputs or node.op in VIEWS or x in self._inner:
            return False
        single = node.op == "slice" and formula_shape(node.shape) == ()
        swap = node.op == "transpose" and len(node.shape) <= 2
        return not (node.code == BOOL or single or swap)

    def _output(self):
        """The last step, if the result is a mere view of it: then its name is y."""
        x = self.source.y.id
        while x not in self.nodes and x not in self.inputs:
            node = self.reader.node(x)
            inner = [i for i in node.ins if self.reader.node(i).op != "constant"]
            same = len(inner) == 1 and (
                formula_shape(node.shape)
                == formula_shape(self.reader.node(inner[0]).shape)
            )
            if not same or node.code == BOOL:
                return None
            x = inner[0]
        return x if self.nodes and x == self.nodes[-1] else None

    def _name_steps(self):
        taken = set(self.inputs.values())
        output = next(n for n in ("y", "C", "f", "z", "result") if n not in taken)
        letter = next(
            c
            for c in "uvsqtabcdefghijklmnopr"
            if not any(n.startswith(c) and n[1:].isdigit() for n in taken)
        )
        if self.output is None:  # a view: of an input, or one that is seen
            self.nodes.append(self.source.y.id)
        for i, x in enumerate(self.nodes[:-1], 1):
            self.names[x] = f"{letter}{i}"
        self.names[self.nodes[-1]] = output
        self.name = output

    def shape(self, x):
        """NumPy shape of node `x`."""
        return self.reader.node(x).shape

    def symbol(self, x):
        return sym(self.names[x], formula_shape(self.shape(x)))

    def new_reader(self, named=()):
        """A reader in terms of the inputs and the nodes `named`."""
        names = {x: self.symbol(x) for x in (*self.inputs, *named)}
        names.update(self._letters)
        return Reader(self.graph, names, self.facts)

    # ---- steps, read in order ----

    def read(self, x):
        """Formula of step `x`, and ids of its operands, in order; from then on the
        step is known by its name."""
        own = {self.names[i]: i for i in self.names}
        formula = self.reader.formula(x)
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
            reader.known[seed] = known
        nodes = vjp_nodes(self.graph, y, seed, xs)
        return [(_jacobian(reader, node, known, shape), node) for node in nodes]


def _jacobian(reader, node, seed, shape):
    """The Jacobian, in numerator layout, whose product with the seed `node` is: as a
    person would write it, and as it was read; () if it cannot be written."""
    try:
        pulled = reader.formula(node)
        if seed is None or shape == ():
            if seed is not None:  # a scalar: put to 1
                pulled = substitute(pulled, {seed.data: ONE})
            column = len(pulled.shape) == 2 and pulled.shape[1] == 1
            both = tidy(pulled), pulled
            return tuple([t(f) for f in both]) if column else both
        matrix = matrix_of(pulled, seed)
        return () if matrix is None else (tidy(t(tidy(matrix))), t(matrix))
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


def partial_kind(formula, of, by):
    if formula is None:
        return "tensor"
    if len(formula.shape) == 2 and len(by) == 2 and min(by) > 1:
        return "matrix"
    return "dense" if len(formula.shape) > 2 else kind_of(formula)
