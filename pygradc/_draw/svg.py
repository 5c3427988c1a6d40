"""Pictures as SVG: a file of its own, or a part of a page.

Groups carry what they stand for, so that a page can mark them and rewrite numbers:
``data-name`` (a node), ``data-of`` with ``data-by`` (an edge), and on texts
``data-value-of``, ``data-adjoint-of`` and ``data-partial``.
"""

from html import escape

from pygradc._draw.place import LINE, PADDING, ROOM, place

_STYLE = """
.pg-draw { --pg-ink: #1b1b1f; --pg-soft: #55555f; --pg-back: #fff;
  --pg-line: #8a8a99; --pg-fill: #f3f5fb; --pg-input: #e3edff; --pg-output: #ffeccf;
  --pg-box: #c9cbe0; font: 14px system-ui, sans-serif; color: var(--pg-ink); }
@media (prefers-color-scheme: dark) { .pg-draw { --pg-ink: #e8e8ee;
  --pg-soft: #b4b4c2; --pg-back: #17171b; --pg-line: #85859a; --pg-fill: #24252e;
  --pg-input: #1d3156; --pg-output: #4d3510; --pg-box: #4a4c63; } }
.pg-draw text { fill: var(--pg-ink); text-anchor: middle; }
.pg-draw .pg-small { fill: var(--pg-soft); }
.pg-draw .pg-node rect { fill: var(--pg-fill); stroke: var(--pg-line); }
.pg-draw .pg-input rect { fill: var(--pg-input); }
.pg-draw .pg-constant rect, .pg-draw .pg-fold rect { fill: var(--pg-back);
  stroke-dasharray: 4 3; }
.pg-draw .pg-output rect { fill: var(--pg-output); stroke-width: 2.5; }
.pg-draw .pg-edge path { fill: none; stroke: var(--pg-line); stroke-width: 1.4; }
.pg-draw .pg-edge .pg-head { fill: var(--pg-line); stroke: none; }
.pg-draw .pg-still path:first-of-type { stroke-dasharray: 4 3; }
.pg-draw .pg-edge rect { fill: var(--pg-back); }
.pg-draw .pg-box rect { fill: none; stroke: var(--pg-box); stroke-width: 1.5; }
.pg-draw .pg-box text { fill: var(--pg-soft); font-size: 12px; text-anchor: start; }
"""
HEAD = 7  # length of an arrow's head


def svg(picture):
    """The Picture as an svg element."""
    layout = place(picture)
    boxes = [_box(label, names, layout) for label, names in picture.boxes]
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="pg-draw" role="img" '
        f'aria-label="{escape("Data flow of " + picture.title)}" '
        f'width="{layout.width:.0f}" height="{layout.height:.0f}" '
        f'viewBox="0 0 {layout.width:.0f} {layout.height:.0f}">',
        f"<desc>{escape(_told(picture))}</desc>",
        f"<style>{_STYLE}</style>",
        *[b for b in boxes if b],
    ]
    for g, (label, points) in zip(picture.edges, layout.edges, strict=True):
        out.append(_edge(g, label, points))
    out += [_node(n, layout.nodes[n.name]) for n in picture.nodes]
    return "\n".join([*out, "</svg>"]) + "\n"


def _told(picture):
    """The picture in words."""
    uses = {}
    for g in picture.edges:
        uses.setdefault(g.of, []).append(g.by or "folded steps")
    told = []
    for n in picture.nodes:
        by = f", from {', '.join(uses[n.name])}" if n.name in uses else ""
        told.append(n.full + by)
    return ". ".join(told) + "."


def _text(line, x, y, small=False, **data):
    own = "".join(f' data-{k.replace("_", "-")}="{escape(v)}"' for k, v in data.items())
    look = ' class="pg-small"' if small else ""
    return f'<text x="{x:.1f}" y="{y:.1f}"{look}{own}>{escape(line)}</text>'


def _rect(p, rounding):
    return (
        f'<rect x="{p.x - p.width / 2:.1f}" y="{p.y - p.height / 2:.1f}" '
        f'width="{p.width:.1f}" height="{p.height:.1f}" rx="{rounding:.1f}"/>'
    )


def _node(n, p):
    round_ends = n.kind in ("input", "constant")
    inner = [f"<title>{escape(n.full)}</title>"]
    inner.append(_rect(p, min(p.height / 2, 16) if round_ends else 4))
    lines = [(n.label, {}), (n.value, {"value_of": n.name})]
    lines.append((n.adjoint, {"adjoint_of": n.name}))
    lines = [(line, data) for line, data in lines if line]
    y = p.y - LINE * (len(lines) - 1) / 2 + 5
    for i, (line, data) in enumerate(lines):
        inner.append(_text(line, p.x, y + LINE * i, small=i > 0, **data))
    own = f' data-name="{escape(n.name)}"' if n.name else ""
    return f'<g class="pg-node pg-{n.kind}"{own}>{"".join(inner)}</g>'


def _edge(g, label, points):
    inner = [f"<title>{escape(g.full)}</title>"] if g.full else []
    (x, y) = points[-1]
    inner.append(f'<path d="{_path([*points[:-1], (x - HEAD + 1, y)])}"/>')
    inner.append(
        f'<path class="pg-head" d="M{x:.1f} {y:.1f}l{-HEAD} {-HEAD / 2}v{HEAD}z"/>'
    )
    if label is not None:
        inner.append(_rect(label, 3))
        lines = [line for line in (g.label, g.value) if line]
        y = label.y - LINE * (len(lines) - 1) / 2 + 5
        inner.append(_text(lines[0], label.x, y))
        if len(lines) > 1:
            pair = f"{g.of} {g.by}"
            inner.append(_text(lines[1], label.x, y + LINE, True, partial=pair))
    own = f' data-of="{escape(g.of)}" data-by="{escape(g.by)}"'
    look = "pg-edge" if g.moving else "pg-edge pg-still"
    return f'<g class="{look}"{own}>{"".join(inner)}</g>'


def _path(points):
    """A smooth line through `points`, level at each of them."""
    (x, y), *rest = points
    out = [f"M{x:.1f} {y:.1f}"]
    for u, v in rest:
        if abs(v - y) < 0.05:
            out.append(f"H{u:.1f}")
        else:
            m = (x + u) / 2
            out.append(f"C{m:.1f} {y:.1f} {m:.1f} {v:.1f} {u:.1f} {v:.1f}")
        x, y = u, v
    return "".join(out)


def _box(label, names, layout):
    """A frame around nodes, unless others would be within it."""
    inside = [layout.nodes[n] for n in names]
    left = min(p.x - p.width / 2 for p in inside) - ROOM
    right = max(p.x + p.width / 2 for p in inside) + ROOM
    top = min(p.y - p.height / 2 for p in inside) - ROOM - LINE
    bottom = max(p.y + p.height / 2 for p in inside) + ROOM
    for other, p in layout.nodes.items():
        apart = (
            p.x - p.width / 2 > right
            or p.x + p.width / 2 < left
            or p.y - p.height / 2 > bottom
            or p.y + p.height / 2 < top
        )
        if other not in names and not apart:
            return ""
    frame = (
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" '
        f'height="{bottom - top:.1f}" rx="8"/>'
    )
    shown = _text(label, left + PADDING, top + LINE - 3)
    return f'<g class="pg-box">{frame}{shown}</g>'
