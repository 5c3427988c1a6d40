"""Which steps belong together: a product with what is done to each of its elements, and
the rounds of a loop."""

from pygradc._explain.model import Fold
from pygradc._explain.text import name
from pygradc._lib import OPS, ops

LEAST_ROUNDS = 3
PRODUCTS = ("matmul", "reshape")  # the latter drops the axes of 1 of a product


def groups(e):
    """Boxes around steps of Explanation `e`: tuples (label, names)."""
    steps = e.steps
    at = next((i for i, s in enumerate(steps) if isinstance(s, Fold)), len(steps))
    found, users = [], _users(e)
    for part in (steps[:at], steps[at + 1 :]):
        products = [_layer(e, s, users) for s in part if _is_product(s)]
        found += products or _rounds(part)
    return tuple(found)


def _is_product(s):
    return s.op in PRODUCTS and s.formula.head == "dot"


def _users(e):
    users = {}
    for s in e.shown:
        for o in s.operands:
            users.setdefault(o, []).append(s)
    return users


def _layer(e, product, users):
    """A product with the elementwise steps on the one way on from it."""
    shapes = {v.name: v.shape for v in (*e.inputs, *e.shown)}
    members, s = [product], product
    while len(users.get(s.name, ())) == 1:
        (s,) = users[s.name]
        if ops()[OPS[s.op]].c is None or s.shape != product.shape:
            break
        members.append(s)
    factors = [o for o in product.operands if o in shapes]
    sizes = " · ".join("×".join(map(str, shapes[o])) or "1" for o in factors)
    names = " · ".join(name(o) for o in factors)
    return f"product {names}: {sizes}", tuple([m.name for m in members])


def _rounds(steps):
    """The rounds of the longest stretch of steps whose ops repeat."""
    numbers = [s.op for s in steps]
    best = (0, 0, 0)  # steps covered, first, period
    for period in range(2, len(numbers) // LEAST_ROUNDS + 1):
        run = 0
        for i in range(len(numbers) - period):
            run = run + 1 if numbers[i] == numbers[i + period] else 0
            covered = (run // period + 1) * period if run >= period else 0
            if covered >= LEAST_ROUNDS * period and covered > best[0]:
                best = covered, i + period - run - period + 1, period
    covered, first, period = best
    n = covered // period if period else 0
    if period and len(set(numbers[first : first + period])) == 1:
        return []  # one op over and over is a chain, no loop of several
    return [
        (
            f"round {k + 1} of {n}",
            tuple([s.name for s in steps[first + k * period :][:period]]),
        )
        for k in range(n)
    ]
