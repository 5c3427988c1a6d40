"""Where nodes and edges go: layers from left to right, their order found by igraph.

Every label of an edge is a vertex of its own on the way, as in Graphviz, and so is each
layer that a long edge crosses: the layout then keeps labels and edges off the nodes.
The order in a layer and the places across are those of K. Sugiyama, S. Tagawa, M. Toda,
Methods for visual understanding of hierarchical system structures, IEEE Trans. SMC 11
(1981) 109.
"""

import unicodedata
from collections import namedtuple

from pygradc import errors

# centres and sizes in px
Place = namedtuple("Place", "x y width height")
# nodes: Place by name; edges: (label's Place or None, points) for each edge
Layout = namedtuple("Layout", "nodes edges width height")

LINE = 17  # px of a line of text
PADDING = 11  # between text and the frame of a node
GAP = 32  # between layers, and between rows
MARGIN = 14
ROOM = 9  # between a box and what is in it
NARROW, WIDE = frozenset("iljftrI.,;:|()[]{}'′ ·"), frozenset("mwMW∂∑Σ⊗⋯…=+−")


def width_of(text):
    """Width of `text` at 14 px, a little more than most fonts take."""
    plain = [c for c in text if not unicodedata.combining(c)]
    small = sum(4.9 for c in plain if c in NARROW)
    wide = sum(11.5 for c in plain if c in WIDE)
    rest = len([c for c in plain if c not in NARROW and c not in WIDE])
    return small + wide + 8.6 * rest


def node_lines(node):
    """The lines of text of a Node."""
    return [line for line in (node.label, node.value, node.adjoint) if line]


def edge_lines(edge):
    """The lines of text of an Edge."""
    return [line for line in (edge.label, edge.value) if line]


def place(picture):
    """The Layout of a Picture.

    Raises
    ------
    UnsupportedError
        igraph is not installed.
    """
    layers = _layers(picture)
    vertices, ways, parts = _vertices(picture, layers)
    sizes = [_size_of(lines, pad) for lines, pad, _ in vertices]
    at = [layer for _, _, layer in vertices]
    rows = _rows(parts, at)
    for chain in _chains(picture, ways):
        _straighten(rows, at, chain)
    return _layout(picture, vertices, ways, sizes, rows)


def _layers(picture):
    """Layer of each node: after its operands, and inputs just before their first use.
    Labels have the layers in between."""
    stride = 2 if any(map(edge_lines, picture.edges)) else 1
    sources, users = {}, {}
    for g in picture.edges:
        sources.setdefault(g.of, []).append(g.by)
        users.setdefault(g.by, []).append(g.of)
    layers = {}
    for n in picture.nodes:
        layers[n.name] = max(
            [layers[s] + stride for s in sources.get(n.name, ())] or [0]
        )
    for n in picture.nodes:
        if n.name not in sources and n.name in users:
            layers[n.name] = min(layers[u] for u in users[n.name]) - stride
    return layers


def _vertices(picture, layers):
    """What is placed: vertices (lines, padding, layer); of each edge the vertices it
    passes, from its source to its target; and the pairs that are neighbours."""
    vertices, ways, parts, own = [], [], [], {}
    for n in picture.nodes:
        own[n.name] = len(vertices)
        vertices.append((node_lines(n), PADDING, layers[n.name]))
    for g in picture.edges:
        way, last = [own[g.by]], layers[g.of]
        for layer in range(layers[g.by] + 1, last):
            lines = edge_lines(g) if layer == last - 1 else []
            way.append(len(vertices))
            vertices.append((lines, 4, layer))
        way.append(own[g.of])
        ways.append(way)
        parts += zip(way, way[1:], strict=False)
    return vertices, ways, parts


def _size_of(lines, pad):
    if not lines:
        return 0.0, 0.0
    return max(map(width_of, lines)) + 2 * pad, LINE * len(lines) + min(2 * pad, 12)


def _rows(parts, layers):
    """Place of each vertex across the flow, neighbours in a layer at least 1 apart."""
    try:
        import igraph
    except ImportError:
        raise errors.UnsupportedError(
            "an SVG needs the package igraph: pip install 'pygradc[draw]'; "
            "dot() works without it"
        ) from None
    graph = igraph.Graph(n=len(layers), edges=parts, directed=True)
    found = graph.layout_sugiyama(layers=layers, hgap=1, vgap=1, maxiter=200)
    layout = found[0] if isinstance(found, tuple) else found
    rows = [x for x, _ in layout.coords[: len(layers)]]
    for column in _columns(rows, layers):  # igraph may put two closer than hgap
        for before, i in zip(column, column[1:], strict=False):
            rows[i] = max(rows[i], rows[before] + 1)
    return rows


def _columns(rows, layers):
    """Vertices of each layer in the order of their rows."""
    columns = {}
    for i in sorted(range(len(rows)), key=rows.__getitem__):
        columns.setdefault(layers[i], []).append(i)
    return columns.values()


def _chains(picture, ways):
    """For each box the vertices on the way through its nodes."""
    index = {n.name: i for i, n in enumerate(picture.nodes)}
    for _, names in picture.boxes:
        inside = {index[n] for n in names}
        chain = set(inside)
        for way in ways:
            if inside.issuperset((way[0], way[-1])):
                chain.update(way)
        yield chain


def _straighten(rows, layers, chain):
    """Puts the vertices of `chain` on one row; others of their layers make room."""
    if len(chain) != len({layers[i] for i in chain}):
        return  # no chain: two of them are one above the other
    middle = sum(rows[i] for i in chain) / len(chain)
    for column in _columns(rows, layers):
        own = chain.intersection(column)
        if not own:
            continue
        (i,) = own
        at = column.index(i)
        rows[i] = middle
        for before, j in zip(column[at:], column[at + 1 :], strict=False):
            rows[j] = max(rows[j], rows[before] + 1)
        for after, j in zip(column[at::-1], column[:at][::-1], strict=False):
            rows[j] = min(rows[j], rows[after] - 1)


def _layout(picture, vertices, ways, sizes, rows):
    """Puts columns side by side, each as wide as its widest vertex."""
    widest, step = {}, 0.0
    for (_, _, layer), (width, height) in zip(vertices, sizes, strict=True):
        widest[layer] = max(widest.get(layer, 0.0), width)
        step = max(step, height)
    step += GAP / 2 if len(picture.nodes) > 40 else GAP
    middles, x = {}, MARGIN
    for layer in sorted(widest):
        middles[layer] = x + widest[layer] / 2
        x += widest[layer] + GAP
    top = min(rows)
    tallest = max(height for _, height in sizes)
    frame = ROOM + LINE if picture.boxes else 0
    first = MARGIN + frame + tallest / 2
    spots = [
        Place(middles[layer], first + (row - top) * step, *size)
        for (_, _, layer), row, size in zip(vertices, rows, sizes, strict=True)
    ]
    nodes = {n.name: spots[i] for i, n in enumerate(picture.nodes)}
    edges = [
        _way([spots[i] for i in way], [widest[vertices[i][2]] for i in way])
        for way in ways
    ]
    bottom = max(p.y for p in spots) + tallest / 2 + MARGIN + bool(frame) * ROOM
    return Layout(nodes, edges, x - GAP + MARGIN, bottom)


def _way(spots, widths):
    """The label's Place and the points of one edge: it crosses a column level."""
    start, *inner, end = spots
    points = [(start.x + start.width / 2, start.y)]
    if start.width < widths[0]:
        points.append((start.x + widths[0] / 2, start.y))
    label = None
    for spot, width in zip(inner, widths[1:], strict=False):
        points.append((spot.x - width / 2, spot.y))
        points.append((spot.x + width / 2, spot.y))
        if spot.width:
            label = spot
    if end.width < widths[-1]:
        points.append((end.x - widths[-1] / 2, end.y))
    points.append((end.x - end.width / 2, end.y))
    return label, points
