"""Pictures in the language of Graphviz; nothing needs to be installed to write it."""

_SHAPES = {
    "input": "shape=box, style=rounded",
    "constant": 'shape=box, style="rounded,dashed"',
    "step": "shape=box",
    "output": "shape=box, peripheries=2",
    "fold": "shape=box, style=dashed",
}


def dot(picture):
    """The Picture as DOT."""
    out = [
        f"digraph {_quoted(picture.title)} {{",
        "  rankdir=LR;",
        '  node [fontname="sans-serif", fontsize=12];',
        '  edge [fontname="sans-serif", fontsize=11];',
    ]
    for n in picture.nodes:
        lines = [line for line in (n.label, n.value, n.adjoint) if line]
        label = _quoted("\n".join(lines))
        told = f"tooltip={_quoted(n.full)}"
        out.append(f"  {_id(n.name)} [label={label}, {_SHAPES[n.kind]}, {told}];")
    for g in picture.edges:
        lines = [line for line in (g.label, g.value) if line]
        style = "" if g.moving else ", style=dashed"
        told = f"tooltip={_quoted(g.full)}"
        out.append(
            f"  {_id(g.by)} -> {_id(g.of)} "
            f"[label={_quoted(chr(10).join(lines))}, {told}{style}];"
        )
    for i, (label, names) in enumerate(picture.boxes):
        out.append(f"  subgraph cluster_{i} {{")
        out.append(f"    label={_quoted(label)}; style=rounded;")
        out.append("    " + " ".join(f"{_id(n)};" for n in names))
        out.append("  }")
    return "\n".join([*out, "}"]) + "\n"


def _id(name):
    return _quoted(name or "folded steps")


def _quoted(text):
    """A quoted string: backslashes and quotes escaped, new lines centred."""
    text = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{text}"'
