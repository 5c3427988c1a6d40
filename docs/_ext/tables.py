"""Tables of docutils nodes, made by the directives of these pages."""

from docutils import nodes


def table(heading, rows, widths):
    """A table node.

    Parameters
    ----------
    heading : sequence of str
    rows : iterable of sequences of nodes
        One inline node for each column.
    widths : sequence of int
        In any unit.

    Returns
    -------
    docutils.nodes.table
    """
    group = nodes.tgroup(cols=len(widths))
    group += [nodes.colspec(colwidth=w) for w in widths]
    group += nodes.thead("", _row([nodes.Text(text) for text in heading]))
    group += nodes.tbody("", *[_row(cells) for cells in rows])
    return nodes.table("", group)


def _row(cells):
    return nodes.row("", *[nodes.entry("", nodes.paragraph("", "", c)) for c in cells])
