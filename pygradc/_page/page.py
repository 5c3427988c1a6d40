"""An explanation as one HTML file: without scripts a document, with them alive.

The scripts are files beside this one, put into the page; nothing is fetched, and the
policy of the page forbids it.
"""

import base64
import hashlib
import json
from html import escape
from importlib.resources import files

from pygradc import errors
from pygradc._draw import draw
from pygradc._explain.document import document, number
from pygradc._explain.fragment import STYLE, sections
from pygradc._explain.layout import box
from pygradc._explain.mathml import equation, math, name, spell
from pygradc._explain.text import inline
from pygradc._explain.text import name as plain_name
from pygradc._page.export import exported, functions

_SCRIPTS = ("engine.js", "plot.js", "page.js")
_TOO_LARGE = "The numbers do not change on this page: the function is too large for it."
_NO_PICTURE = "The picture needs the package igraph: pip install 'pygradc[draw]'."


def page(e):
    """The Explanation `e` as a self-contained HTML page."""
    doc = document(e)
    graph = exported(e.live) if e.live is not None else None
    script = functions() + "".join(_source(n) for n in _SCRIPTS)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    title = e.name if e.formula is None else f"{e.name} = {inline(e.formula)}"
    policy = (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'"
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{escape(title)}</title>
<style>{STYLE}{_source("page.css")}</style>
</head>
<body>
<main class="pg-explain">
<h1 class="eq" aria-label="{escape(title)}">{equation(doc.title)}</h1>
<div id="inputs" class="panel" hidden></div>
{_picture(e)}
<div id="stepper" class="panel" role="group" aria-label="Steps" hidden></div>
<div id="steps">{sections(doc)}</div>
{_table(e)}
<section id="plot" hidden></section>
<section id="jacobians" hidden></section>
{"" if graph else f"<p>{_TOO_LARGE}</p>"}
<p id="announced" class="unseen" role="status" aria-live="polite"></p>
</main>
<script type="application/json" id="graph">{_json(_told(e, graph))}</script>
<script>{script}</script>
</body>
</html>
"""


def _source(file):
    return files("pygradc._page").joinpath(file).read_text(encoding="utf-8")


def _json(data):
    """JSON that no name can end: HTML reads a script up to the first ``</script``."""
    return json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")


def _told(e, graph):
    """What the script needs: the graph, and which inputs have a slider."""
    if graph is None:
        return {"graph": None}
    sliders = [i.name for i in e.inputs if i.shape == () and not i.given]
    shown = {v.name: plain_name(v.name) for v in (*e.inputs, *e.shown)}
    return {
        "graph": graph,
        "sliders": [n for n in sliders if n in graph["inputs"]],
        "shown": shown,
        "known": e.value is not None,
        "name": e.name,
        "scalar": e.steps[-1].shape == (),
        "kinds": [p[5] for p in (*e.live.partials, *e.live.derivatives)],
    }


def _picture(e):
    try:
        return f'<figure class="picture">{draw(e).svg()}</figure>'
    except errors.UnsupportedError:
        return f"<p>{escape(_NO_PICTURE)}</p>"


def _table(e):
    """All variables: name, formula, value, derivative of a scalar output, shape."""
    scalar = e.steps[-1].shape == ()
    slope = [f"derivative of {escape(plain_name(e.name))} by it"] if scalar else []
    heads = ["variable", "is", "value", *slope, "shape"]
    head = "".join(f'<th scope="col">{h}</th>' for h in heads)
    rows = [_row(v, scalar, e.name) for v in (*e.inputs, *e.shown)]
    return (
        '<section><h2>All variables</h2><div class="wide"><table id="variables">'
        f"<thead><tr>{head}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table></div></section>"
    )


def _row(v, scalar, output):
    own = escape(v.name)
    formula = getattr(v, "formula", None)
    if formula is None:
        given = v.given or not v.differentiated
        what = "constant" if given else "input"
    else:
        what = math(spell(box(formula)), display=False)
    adjoint = number(v.adjoint)
    if v.name == output:
        adjoint = "1"
    cells = [what, f'<span data-value-of="{own}">{escape(number(v.value))}</span>']
    if scalar:
        cells.append(f'<span data-adjoint-of="{own}">{escape(adjoint)}</span>')
    cells.append("×".join(map(str, v.shape)) or "number")
    shown = math(name(v.name, bool(v.shape)), display=False)
    return (
        f'<tr data-name="{own}" tabindex="0"><th scope="row">{shown}</th>'
        + "".join(f"<td>{c}</td>" for c in cells)
        + "</tr>"
    )
