"""What a picture shows: nodes, edges and boxes with their words, before any layout."""

import os
from dataclasses import dataclass

import numpy as np

from pygradc import errors
from pygradc._draw.group import groups
from pygradc._explain.build import flow
from pygradc._explain.document import grouped, kind_note, number
from pygradc._explain.model import Explanation, Fold
from pygradc._explain.text import inline, name

MOST_STEPS = 320  # drawn one by one
MOST_LABELS = 120  # edges, beyond which labels are only seen by pointing at them
MOST_NUMBERS = 40  # nodes, beyond which numbers are only seen by pointing at them
LONGEST_NODE, LONGEST_EDGE = 34, 26  # characters of a formula
MOST_ENTRIES = 3  # of an array whose numbers are shown


@dataclass(frozen=True)
class Node:
    """A variable.

    Attributes
    ----------
    name : str
        As in the explanation; "" for steps that are folded.
    kind : str
        "input", "constant", "step", "output" or "fold".
    label : str
        Name and formula.
    full : str
        The same, however long.
    value, adjoint : str
        Lines below the label, or "".
    """

    name: str
    kind: str
    label: str
    full: str
    value: str = ""
    adjoint: str = ""


@dataclass(frozen=True)
class Edge:
    """A local derivative, or the mere use of an operand.

    Attributes
    ----------
    of, by : str
        Names of the nodes it goes to and comes from.
    label, value : str
        Its formula and number, or "".
    full : str
        Both with what they are, however long.
    moving : bool
        Whether derivatives flow along it.
    """

    of: str
    by: str
    label: str
    value: str
    full: str
    moving: bool


@dataclass(frozen=True)
class Picture:
    """The data flow of a function; see `pygradc.draw`.

    Attributes
    ----------
    title : str
    nodes : tuple of Node
        Operands before their users.
    edges : tuple of Edge
    boxes : tuple of (str, tuple of str)
        Label and names of nodes that belong together.
    """

    title: str
    nodes: tuple
    edges: tuple
    boxes: tuple

    def svg(self):
        """A picture for browsers, light or dark as the reader's system is.

        Raises
        ------
        UnsupportedError
            The package igraph, which finds the places, is not installed.
        """
        from pygradc._draw.svg import svg

        return svg(self)

    def dot(self):
        """Text in the language of Graphviz."""
        from pygradc._draw.dot import dot

        return dot(self)

    def save(self, path):
        """Writes the picture to a file.

        Parameters
        ----------
        path : str or path
            Ends with .svg, .dot or .gv, which decides the form.

        Raises
        ------
        ArgumentError
            It ends with something else.
        UnsupportedError
            As `svg`.
        """
        path = os.fspath(path)
        forms = {".svg": self.svg, ".dot": self.dot, ".gv": self.dot}
        ending = os.path.splitext(path)[1].lower()
        if ending not in forms:
            raise errors.ArgumentError(
                f"save: {path!r} does not end with .svg, .dot or .gv"
            )
        text = forms[ending]()
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)

    def __repr__(self):
        nodes, edges = len(self.nodes), len(self.edges)
        return f"<Picture of {self.title}: {nodes} nodes, {edges} edges>"

    def _repr_svg_(self):
        return self.svg()


def draw(f, *args, wrt=None, at=None):
    """The data flow of `f`: inputs to output, edges with their local derivatives.

    Parameters
    ----------
    f : callable, Expr, str or Explanation
        As `pygradc.explain` takes it. Of an `Explanation`, what it shows.
    *args
        Values of the arguments, by position: nodes then carry their values and the
        derivatives of the output by them, edges their numbers.
    wrt : str, int or sequence of them, optional
        Arguments to differentiate with respect to; all of them by default.
    at : dict, optional
        Values by name, instead of by position.

    Returns
    -------
    Picture
        Has the methods svg, dot and save; Jupyter shows it.

    Raises
    ------
    DTypeError, ArgumentError
        As `pygradc.explain`.

    Notes
    -----
    320 operators are drawn one by one; of more, the middle is one node.

    Examples
    --------
    >>> import pygradc as pg
    >>> pg.draw("sin(x**2)", at={"x": 2.0})
    <Picture of y = sin(x²): 3 nodes, 2 edges>
    """
    e = f
    if not isinstance(f, Explanation):
        e = flow(f, args, wrt, at, MOST_STEPS)
    elif args or wrt is not None or at is not None:
        raise errors.ArgumentError("draw: an Explanation has its values already")
    return _picture(e)


def _picture(e):
    nodes = [_input(i, e.name) for i in e.inputs]
    nodes = (*nodes, *[_node(s, e.name) for s in e.steps])
    known = {n.name for n in nodes}
    edges = []
    for s in e.steps:
        if isinstance(s, Fold):
            edges += [Edge("", o, "", "", "", True) for o in s.operands]
            continue
        partials = {p.by: p for p in s.partials}
        edges += [_edge(s, o, partials.get(o), known) for o in s.operands]
    edges = tuple(dict.fromkeys(edges))
    if len(nodes) > MOST_NUMBERS:
        nodes = tuple([_short(n) for n in nodes])
    if len(edges) > MOST_LABELS:
        edges = tuple([Edge(g.of, g.by, "", "", g.full, g.moving) for g in edges])
    title = name(e.name) if e.formula is None else f"{e.name} = {inline(e.formula)}"
    return Picture(title, nodes, edges, groups(e))


def _short(n):
    return Node(n.name, n.kind, n.label, n.full)


def _cut(text, most):
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def _number(value):
    """A few numbers as text, or ""."""
    if value is None or np.size(value) > MOST_ENTRIES:
        return ""
    return number(value)


def _size(shape):
    return "×".join(map(str, shape))


def _lines(v, output):
    """The lines below a label: value or shape, and the adjoint."""
    value, adjoint = _number(v.value), _number(v.adjoint)
    return (
        f"= {value}" if value else _size(v.shape),
        f"∂{name(output)}/∂{name(v.name)} = {adjoint}" if adjoint else "",
    )


def _input(i, output):
    kind = "input" if i.differentiated and not i.given else "constant"
    shown = name(i.name)
    return Node(i.name, kind, shown, _told(shown, i), *_lines(i, output))


def _node(s, output):
    if isinstance(s, Fold):
        count = grouped(s.last - s.first + 1)
        if s.period:
            steps = _cut(", ".join(s.period), LONGEST_NODE)
            return Node("", "fold", f"{steps}  × {grouped(s.repeats)}", count)
        return Node("", "fold", f"⋯ {count} steps ⋯", count + " steps")
    formula, shown = inline(s.formula), name(s.name)
    label = f"{shown} = {_cut(formula, LONGEST_NODE)}"
    full = _told(f"{shown} = {formula}", s)
    kind = "output" if s.name == output else "step"
    return Node(s.name, kind, label, full, *_lines(s, output))


def _told(label, v):
    """All that is known of a variable, in words."""
    parts = [label]
    if v.shape:
        parts.append(_size(v.shape))
    if number(v.value):
        parts.append(f"value {number(v.value)}")
    if number(v.adjoint):
        parts.append(f"derivative of the output by it {number(v.adjoint)}")
    return "; ".join(parts)


def _edge(s, operand, p, known):
    by = operand if operand in known else ""
    if p is None:
        return Edge(s.name, by, "", "", f"{name(operand)} is constant", False)
    formula = p.formula if p.formula is not None else p.pulled
    note = kind_note(p)
    d = "d" if p.plain else "∂"
    head = f"{d}{name(s.name)}/{d}{name(operand)}"
    full = note if formula is None else inline(formula)
    if p.formula is None and formula is not None:  # what reverse mode multiplies by
        head, full = f"({head})ᵀ·v", full.replace("v@", "v")
    label = _cut(full, LONGEST_EDGE)
    value = "" if p.formula is None or p.formula.head == "num" else _number(p.value)
    value = f"= {value}" if value else note if label != note else ""
    told = f"{head} = {full}" + (f"; {note}" if note and note != full else "")
    if number(p.value) not in ("", full):
        told += f"; {number(p.value)}"
    return Edge(s.name, by, label, value, told, True)
