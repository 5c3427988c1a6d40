"""The chain rule: products along ways from x to y, sums over ways that meet again.

A variable that every way from x to y passes cuts the derivative in two factors. Between
two neighbouring cuts there is one edge, or several ways, whose products add up: the
total derivative. So y = sin(u), u = x + x² is cos(u) times a sum of two, and no product
is written twice.
"""

from pygradc._explain.formula import Mismatch, TooLarge, add
from pygradc._explain.matrix import dot
from pygradc._explain.model import Segment
from pygradc._explain.tidy import tidy

MOST_PATHS = 6


def segments(edges, order, x, y):
    """Segments of the derivative of `y` by `x`, from y back to x.

    Parameters
    ----------
    edges : dict
        For each step's name a dict of its partials, by operand.
    order : list of str
        Names of the steps, operands before their users.
    x, y : str

    Returns
    -------
    tuple of Segment
        Empty if y does not depend on x.
    """
    ways = {x: 1}  # from x to each
    for name in order:
        n = sum(ways.get(o, 0) for o in edges.get(name, ()))
        if n:
            ways[name] = n
    if y not in ways:
        return ()
    back = {y: 1}  # from each to y
    for name in reversed(order):
        if name in back and name in ways:
            for o in edges[name]:
                if o in ways:
                    back[o] = back.get(o, 0) + back[name]
    whole = ways[y]
    on_way = [n for n in (x, *order) if n in ways and n in back]
    cuts = [n for n in on_way if ways[n] * back[n] == whole]
    found = [
        _segment(edges, on_way, a, b, ways[b] // ways[a])
        for a, b in zip(cuts, cuts[1:], strict=False)
    ]
    return tuple(reversed(found))


def _segment(edges, on_way, a, b, n_paths):
    inner = on_way[on_way.index(a) : on_way.index(b) + 1]
    paths = ()
    if n_paths <= MOST_PATHS:
        paths = tuple(_paths(edges, set(inner), a, b))
    return Segment(b, a, paths, n_paths, _accumulated(edges, inner))


def _paths(edges, inner, a, b):
    """Ways from `b` back to `a`, as tuples of partials; direct ones first."""
    found, stack = [], [((), b)]
    while stack:
        path, at = stack.pop()
        if at == a:
            found.append(path)
            continue
        for o, partial in reversed(edges[at].items()):
            if o in inner:
                stack.append(((*path, partial), o))
    return sorted(found, key=len)


def _accumulated(edges, inner):
    """The sum over all ways, each partial used once, or None."""
    a = inner[0]
    totals = {a: None}
    try:
        for name in inner[1:]:
            parts = []
            for o, partial in edges[name].items():
                if o in totals:
                    if partial.formula is None or partial.kind == "matrix":
                        return None
                    inward = totals[o]
                    own = partial.formula
                    parts.append(own if inward is None else dot(own, inward))
            if parts:
                totals[name] = tidy(add(*parts))
        return totals[inner[-1]]
    except (Mismatch, TooLarge):
        return None


def folded(edges, order):
    """Segments of a chain of which only the ends are known; one without paths stands
    for what lies between."""
    found = []
    for name in reversed(order):
        ((by, partial),) = edges[name].items() or ((None, None),)
        if found and found[-1].by != name:
            found.append(Segment(found[-1].by, name, (), 0, None))
        found.append(Segment(name, by, ((partial,),), 1, partial.formula))
    return tuple(found)


def combined(parts):
    """The product of the segments' derivatives, or None."""
    try:
        if any(s.formula is None for s in parts):
            return None
        return tidy(dot(*[s.formula for s in parts])) if parts else None
    except (Mismatch, TooLarge):
        return None
