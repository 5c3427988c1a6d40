"""HTML: an element for notebooks and pages, light or dark as the system is."""

from html import escape

from pygradc._explain.mathml import equation, math, spell

STYLE = """
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


def fragment(doc):
    """The explanation as one element with its style."""
    head = f'<style>{STYLE}</style><div class="pg-explain">'
    return "\n".join([head, _equation(doc.title), sections(doc), "</div>"])


def sections(doc):
    """The steps of a Document, each a section."""
    out = []
    for i, section in enumerate(doc.sections, 1):
        out.append(f"<section><h2>{i}. {escape(section.title)}</h2>")
        for block in section.blocks:
            if block.left is None:
                out.append(f"<p>{_prose(block)}</p>")
            else:
                out.append(_equation(block))
        out.append("</section>")
    return "\n".join(out)


def _prose(block):
    return "".join(
        escape(p) if isinstance(p, str) else math(spell(p), display=False)
        for p in block.words
    )


def _equation(block):
    return f'<div class="eq">{equation(block)}</div>'
