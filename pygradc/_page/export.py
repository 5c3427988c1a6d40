"""The graph of an explanation for the page: its nodes, and which of them are shown.

The page evaluates the very nodes that the engine does, adjoints included, with the
elementwise functions that the op table gives in C, which JavaScript reads as well.
"""

import numpy as np

from pygradc._explain.read import node_of
from pygradc._lib import ops

MOST_NODES = 5_000
MOST_ELEMENTS = 20_000  # of all nodes together
MOST_ROWS = 64  # of a Jacobian whose numbers are shown

# Rows whose C forms overflow or round in between, or lose a NaN, where the library does
# not: engine.js has a function of this name.
_OWN = ("softplus", "logaddexp", "sigmoid", "sign", "mod", "floordiv")


def functions():
    """The elementwise rows of the op table as JavaScript: an object by op's name."""
    lines = []
    for row in ops():
        if row.c is not None:
            form = row.c
            for at, letter in enumerate("xyz"):
                form = form.replace(f"${at}", letter)
            form = row.name if row.name in _OWN else f"(x, y, z) => {form}"
            lines.append(f"  {row.name}: {form},")
    return "const FORMS = {\n" + "\n".join(lines) + "\n};\n"


def exported(live):
    """The graph of a `Live` record as JSON can hold it, or None if it is too large.

    Returns
    -------
    dict
        nodes: op, operands (places in this list), shape, dtype, attributes and value of
        each; inputs, values, adjoints: place by name; partials, derivatives: (of, by,
        place, place of the cotangent or null, m, n); output: its place.
    """
    wanted = [live.output, *live.inputs.values(), *live.values.values()]
    wanted += live.adjoints.values()
    for _, _, node, seed, *_ in (*live.partials, *live.derivatives):
        wanted += [node, seed] if seed else [node]
    found = _cone(live.graph, wanted)
    if found is None:
        return None
    place = {x: i for i, x in enumerate(found)}
    values = {**live.graph.values, **live.given}
    return {
        "nodes": [_node(found[x], values.get(x), place) for x in found],
        "inputs": {n: place[x] for n, x in live.inputs.items()},
        "values": {n: place[x] for n, x in live.values.items()},
        "adjoints": {n: place[x] for n, x in live.adjoints.items()},
        "partials": [_matrix(place, p) for p in live.partials],
        "derivatives": [_matrix(place, d) for d in live.derivatives],
        "output": place[live.output],
    }


def _cone(graph, wanted):
    """Facts of all nodes that those wanted depend on, by id, rising; or None."""
    found, stack, elements = {}, list(wanted), 0
    while stack:
        x = stack.pop()
        if x in found:
            continue
        found[x] = node = node_of(graph, x)
        elements += int(np.prod(node.shape))
        if len(found) > MOST_NODES or elements > MOST_ELEMENTS:
            return None
        stack += node.ins
    return dict(sorted(found.items()))


def _node(node, value, place):
    made = {"op": node.op, "shape": node.shape, "dtype": node.code}
    if node.ins:
        made["in"] = [place[i] for i in node.ins]
    if node.attrs:
        made["attr"] = node.attrs
    if node.op == "constant":
        made["value"] = numbers(node.value)
    elif value is not None and not node.ins:
        made["value"] = numbers(value)
    return made


def _matrix(place, given):
    of, by, node, seed, shape, _ = given
    return [of, by, place[node], place.get(seed), *shape]


def numbers(value):
    """Numbers in one list, those that JSON lacks as strings."""
    flat = np.ravel(value).tolist()
    return [_plain(v) for v in flat]


def _plain(v):
    if isinstance(v, float) and not np.isfinite(v):
        return "NaN" if v != v else "Infinity" if v > 0 else "-Infinity"
    return int(v) if isinstance(v, bool) else v
