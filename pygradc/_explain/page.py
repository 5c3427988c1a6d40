"""HTML: a self-contained page, light or dark as the reader's system is."""

from html import escape

from pygradc._explain.mathml import equation, math, spell

_STYLE = """
.pg-explain { font: 16px/1.5 system-ui, sans-serif; max-width: 50rem; color: #1b1b1f; }
.pg-explain h2 { font-size: 1.05rem; margin: 1.6rem 0 .4rem; padding-top: .4rem;
  border-top: 1px solid #d5d5dc; }
.pg-explain p { margin: .6rem 0 .1rem; color: #55555f; }
.pg-explain .eq { overflow: auto hidden; padding: .1rem 0;
  margin: .3rem 0 .3rem 1.2rem; }
.pg-explain math { text-align: left; }
.pg-explain mtable { math-style: normal; }
.pg-explain math[display="block"] { margin: 0; width: max-content; }
.pg-explain mtd { padding: .18rem .15rem; }
.pg-explain mtext { color: #55555f; }
@media (prefers-color-scheme: dark) {
  .pg-explain { color: #e8e8ee; }
  .pg-explain h2 { border-color: #44444e; }
  .pg-explain p, .pg-explain mtext { color: #a9a9b6; }
}
@media print { .pg-explain { color: #000; } }
"""
_PAGE_STYLE = """
:root { color-scheme: light dark; }
body { margin: 2rem auto; padding: 0 1rem; max-width: 50rem; background: #fff; }
@media (prefers-color-scheme: dark) { body { background: #17171b; } }
"""


def fragment(doc):
    """The explanation as one element with its style, for notebooks and pages."""
    out = [f'<style>{_STYLE}</style><div class="pg-explain">', _equation(doc.title)]
    for i, section in enumerate(doc.sections, 1):
        out.append(f"<section><h2>{i}. {escape(section.title)}</h2>")
        for block in section.blocks:
            if block.left is None:
                out.append(f"<p>{_prose(block)}</p>")
            else:
                out.append(_equation(block))
        out.append("</section>")
    out.append("</div>")
    return "\n".join(out)


def _prose(block):
    return "".join(
        escape(p) if isinstance(p, str) else math(spell(p), display=False)
        for p in block.words
    )


def _equation(block):
    return f'<div class="eq">{equation(block)}</div>'


def page(doc):
    """A whole HTML page that needs nothing from elsewhere."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Derivative, step by step</title>\n<style>{_PAGE_STYLE}</style>\n"
        f"</head>\n<body>\n<main>\n{fragment(doc)}\n</main>\n</body>\n</html>\n"
    )
