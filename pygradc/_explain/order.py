"""Which nodes of a graph are steps, in which order, and which of them are shown.

Nodes that only change how an array is looked at (reshapes of a vector to a row,
broadcasts, conversions, single elements) are no operator to a reader and go into the
formula of the step that uses them; so does the sum inside a mean. Of many steps the
first and the last are shown, the rest is counted. A graph of a million nodes is never
walked here: its nodes come from the library in one piece, and NumPy counts them.
"""

import numpy as np

from pygradc._explain.model import Fold
from pygradc._explain.read import formula_shape
from pygradc._lib import BOOL, OPS, ops
from pygradc._program import reach

VIEWS = frozenset("ident reshape broadcast convert constant input".split())
MOST_STEPS = 20  # shown before the middle is folded
SHOWN = 6  # steps shown at either end of a fold
MOST_WALKED = 2000  # nodes that are looked at one by one
MOST_PERIOD = 64  # ops in a piece that repeats


class Order:
    """The steps of node `y`.

    Parameters
    ----------
    graph : Graph
    y : int
    inputs : dict
        Names of the inputs, by id.
    node : callable
        Facts about a node, by id.
    most : int
        Steps shown before the middle is folded.

    Attributes
    ----------
    nodes : sequence of int
        Ids of all steps, rising; the last is the output.
    shown : list of int
    fold : Fold or None
        What comes after the first SHOWN steps.
    chain : bool
        Every step depends on a single variable or step.
    size : int
        Nodes that y depends on.
    reached : frozenset of int
        Ids of the inputs that y depends on.
    counts : dict
        The number of elements of a mean, by id of the constant that is it.
    """

    def __init__(self, graph, y, inputs, node, most=MOST_STEPS):
        self._inputs, self._node, self._most = inputs, node, most
        ids, numbers, fans = reach(graph, y)
        self.reached = frozenset(inputs).intersection(ids.tolist())
        self.size, self.chain = len(ids), bool(np.all(fans <= 1))
        self._inner, self._seen, self.counts = set(), set(), {}
        self.large = self.size > MOST_WALKED
        if self.large:
            hidden = [OPS[n] for n in (*VIEWS, "slice", "transpose")]
            hidden += [OPS[row.name] for row in ops("test")]
            steps = ~np.isin(numbers, hidden) & ~np.isin(ids, list(inputs))
            self.nodes, numbers = ids[steps], numbers[steps]
        else:
            walked = ids.tolist()
            self._look(walked)
            self.nodes = [x for x in walked if self._is_step(x)]
            numbers = numbers[np.isin(ids, self.nodes)]
        if not self._ends_with(y):  # a view: of an input, or of a part
            self.nodes = [*self.nodes, y]
            numbers = np.append(numbers, OPS[node(y).op])
        self._choose(numbers)

    def _choose(self, numbers):
        n = len(self.nodes)
        self.fold, self.shown = None, [int(x) for x in self.nodes[: self._most + 1]]
        if n > self._most:
            first, last = self.nodes[:SHOWN], self.nodes[n - SHOWN :]
            self.shown = [int(x) for x in (*first, *last)]
            self.fold = _fold(SHOWN + 1, numbers[SHOWN : n - SHOWN])

    def index(self, x):
        """Place of node `x` among the steps, from 0, or None if it is none."""
        at = int(np.searchsorted(self.nodes, x))
        return at if at < len(self.nodes) and self.nodes[at] == x else None

    # ---- looking at the nodes of a graph that is small enough ----

    def _look(self, order):
        """Finds sums that belong to a mean, with what they are divided by, and
        products of vectors that lose their axes of 1."""
        node, uses, divides = self._node, {}, {}
        for x in order:
            for i in node(x).ins:
                uses[i] = uses.get(i, 0) + 1
        for x in order:
            if node(x).op == "reshape" and len(node(x).shape) < 2:
                (inner,) = node(x).ins
                if node(inner).op == "matmul" and uses[inner] == 1:
                    self._inner.add(inner)
                    self._seen.add(x)
            if node(x).op == "div" and self._is_mean(x):
                total, count = node(x).ins
                divides[count] = divides.get(count, 0) + 1
                if uses[total] == 1:
                    self._inner.add(total)
        for count, times in divides.items():
            if uses[count] == times:
                self.counts[count] = int(node(count).value)

    def _is_mean(self, x):
        node = self._node
        total, count = node(x).ins
        if node(total).op != "sum" or node(count).op != "constant":
            return False
        n = int(np.prod(node(node(total).ins[0]).shape))
        return node(total).shape == () and node(count).value == n > 1

    def _is_step(self, x):
        node = self._node(x)
        if x in self._seen:
            return True
        if x in self._inputs or node.op in VIEWS or x in self._inner:
            return False
        single = node.op == "slice" and formula_shape(node.shape) == ()
        swap = node.op == "transpose" and len(node.shape) <= 2
        return not (node.code == BOOL or single or swap)

    def _ends_with(self, y):
        """Whether the result is the last step, or a mere view of it."""
        x = y
        while self.index(x) is None:
            node = self._node(x)
            if x in self._inputs or node.op not in VIEWS or len(node.ins) != 1:
                return False
            shape = formula_shape(self._node(node.ins[0]).shape)
            if formula_shape(node.shape) != shape:
                return False
            (x,) = node.ins
        return self.index(x) == len(self.nodes) - 1


def _fold(first, numbers):
    """The Fold of steps from place `first` on, whose ops have these numbers."""
    rows, n = ops(), len(numbers)
    found, times = np.unique(numbers, return_counts=True)
    most = np.argsort(-times, kind="stable")
    counted = tuple((rows[found[i]].name, int(times[i])) for i in most)
    period, repeats = (), 0
    for p in range(1, min(MOST_PERIOD, n // 3) + 1):
        if np.array_equal(numbers[p:], numbers[: n - p]):
            period = tuple(rows[i].name for i in numbers[:p])
            repeats = n // p
            break
    return Fold(first, first + n - 1, counted, period, repeats)
