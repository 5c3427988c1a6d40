"""The directive ``numpy-table``: which NumPy functions work on traced values.

The names are those of the tests' cases, which hold every name; how each fares under
`jit` and `vmap` is found by running its cases. The directive ``numpy-missing`` lists
NumPy's functions that do not work.
"""

import functools
import re
import warnings

import numpy as np
from docutils import nodes
from numpy_cases import CASES, CONSTANTS
from sphinx.util.docutils import SphinxDirective
from tables import table

import pygradc as pg
import pygradc.numpy as pnp
from pygradc._numpy import protocol

FAMILIES = {
    "elementwise": "elementwise",
    "reducing": "reductions, cumulative",
    "statistics": "averages, covariance, past NaN",
    "sorting": "order",
    "linear": "products",
    "einsum": "products",
    "shaping": "shape",
    "moving": "parts and places",
    "joining": "joining, repeating",
    "padding": "joining, repeating",
    "indexing": "indexing",
    "calculus": "calculus along an axis",
    "creating": "creating (pygradc.numpy)",
    "constant": "tests and facts",
}


def _family(name):
    tables = {**protocol._functions, **protocol._ufuncs}
    own = tables.get(getattr(np, name, None))
    if own is None:  # NumPy hands it to nobody
        return "constant" if name in {c[0] for c in CONSTANTS} else "creating"
    if isinstance(own, functools.partial):  # a row of the op table
        return "elementwise"
    return own.__module__.rpartition(".")[2]


def _fares(f, arrays):
    """Whether `f` works under `jit` and `vmap`."""

    def called(*args):
        f(pnp, *args)
        return args[0]

    try:
        pg.jit(called)(*arrays)
        pg.vmap(called)(*[np.stack([a, a]) for a in arrays])
    except pg.ConcretizationError:
        return False
    return True


def facts():
    """For each name: family, whether it has a gradient, and how it fares under `jit`
    and `vmap`, from "yes", "no" and "some forms"."""
    found = {}
    protocol.load()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, f, arrays in CASES + CONSTANTS:
            if hasattr(np, name):
                arrays = [np.asarray(a) for a in arrays]
                found.setdefault(name, []).append(_fares(f, arrays))
    sloped = {name for name, _, _ in CASES}
    words = {(True,): "yes", (False,): "no", (False, True): "some forms"}
    return {
        name: (_family(name), name in sloped, words[tuple(sorted(set(fares)))])
        for name, fares in found.items()
    }


class NumpyTable(SphinxDirective):
    """The names, gathered by family and by what holds of them."""

    def run(self):
        groups = {}
        for name, (family, sloped, fares) in facts().items():
            key = (FAMILIES[family], sloped, fares)
            groups.setdefault(key, []).append(name)
        order = list(dict.fromkeys(FAMILIES.values()))
        rows = []
        for key in sorted(groups, key=lambda k: (order.index(k[0]), not k[1], k[2])):
            family, sloped, fares = key
            gradient = "yes" if sloped else "0"
            names = nodes.literal("", " ".join(sorted(groups[key])))
            told = [nodes.Text(t) for t in (gradient, fares)]
            rows.append([nodes.Text(family), names, *told])
        heading = ["family", "names", "gradient", "jit, vmap"]
        return [table(heading, rows, [14, 60, 9, 10])]


# not about arrays of numbers that somebody might differentiate
ASIDE = re.compile(
    "array2string|array_repr|array_str|busday|is_busday|datetime|isnat|save|bit"
    "|.*_shift|.*packbits|gcd|lcm|.*_indices|common_type|min_scalar|.*shares?_memory"
    "|einsum_path|.*ravel_(multi_)?index"
)


class NumpyMissing(SphinxDirective):
    """NumPy's functions of arrays that raise UnsupportedError on traced values."""

    def run(self):
        protocol.load()
        known = {**protocol._functions, **protocol._ufuncs}
        missing = sorted(
            name
            for name, f in vars(np).items()
            if (isinstance(f, np.ufunc) or hasattr(f, "_implementation"))
            and f not in known
            and name not in facts()
            and not ASIDE.match(name)
        )
        return [nodes.paragraph("", "", nodes.literal("", " ".join(missing)))]


def setup(app):
    """Sphinx calls this."""
    app.add_directive("numpy-table", NumpyTable)
    app.add_directive("numpy-missing", NumpyMissing)
    return {"parallel_read_safe": True}
