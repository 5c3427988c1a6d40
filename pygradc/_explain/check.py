"""Numbers by the engine, and the comparison of every formula with them.

One program computes all nodes that are wanted; each formula is evaluated on its own, by
`evaluate`, and must agree before it is shown.
"""

import math
import os

import numpy as np

from pygradc._explain.evaluate import evaluate
from pygradc._explain.formula import sym
from pygradc._explain.matrix import dot, t
from pygradc._program import Program

MOST_ENTRIES = 10_000  # of a Jacobian whose numbers are kept
STRICT = "PYGRADC_EXPLAIN_STRICT" in os.environ  # a formula that disagrees is an error


class Disagreement(AssertionError):
    """A formula and the engine give different numbers: a bug in this package."""


class Numbers:
    """Values of nodes of a source's graph, computed together when first asked for."""

    def __init__(self, source):
        self.source = source
        self.wanted = []
        self.values = {}

    def want(self, x):
        self.wanted.append(x)
        return x

    def run(self):
        """Computes all that is wanted."""
        graph = self.source.graph
        given = {**graph.values, **self.source.values}
        leaves = [*self.source.values, *graph.leaves]
        nodes = [x for x in dict.fromkeys(self.wanted) if x not in given]
        results = Program(graph, leaves, nodes)([given[i] for i in leaves])
        self.values = {x: given[x] for x in self.wanted if x in given}
        self.values.update(zip(nodes, results, strict=True))

    def of(self, x):
        """The value of node `x`, or None."""
        value = self.values.get(x)
        return None if value is None else np.asarray(value)


def agrees(formula, expected, values, seed=None):
    """The number of `formula`, and whether it agrees with the engine's `expected`. The
    number of a large Jacobian is None; it is compared by its product with the seed.

    Parameters
    ----------
    formula : Formula
    expected : ndarray
        The value, or if there is a `seed` the product of transposed and seed.
    values : dict
        Of the symbols.
    """
    try:
        with np.errstate(all="ignore"):
            if seed is not None and math.prod(formula.shape) > MOST_ENTRIES:
                v = sym("v", (np.size(seed), 1))
                return None, close(
                    evaluate(dot(t(formula), v), {**values, "v": seed}), expected
                )
            value = evaluate(formula, values)
            got = value
            if seed is not None:
                seed = np.reshape(seed, -1)
                got = value * seed[0] if value.ndim == 0 else value.T @ seed
    except (KeyError, ValueError, TypeError, ZeroDivisionError, OverflowError):
        return None, False
    return value, close(got, expected)


def close(got, expected):
    """Whether two arrays agree to 1e-12, relative to the largest of them."""
    got, expected = np.ravel(got), np.ravel(expected)
    if got.size != expected.size:
        return False
    finite = np.isfinite(expected)
    if not np.array_equal(got[~finite], expected[~finite], equal_nan=True):
        return False
    if not finite.any():
        return True
    single = expected.dtype == np.float32
    scale = np.max(np.abs(expected[finite]), initial=0.0)
    limit = (1e-4 if single else 1e-12) * scale
    return bool(np.all(np.abs(got[finite] - expected[finite]) <= limit))
