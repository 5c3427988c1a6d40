"""MathML (presentation): boxes as elements that browsers show and readers speak."""

from html import escape

from pygradc._explain.layout import name_parts
from pygradc._explain.template import ATOM, paren
from pygradc._explain.text import GREEK

# what browsers heed of mathvariant is "normal" alone
_BOLD = {"mathvariant": "normal", "style": "font-weight: bold"}
_ACCENTS = {"hat": "^", "bar": "¯", "tilde": "~"}


def _tag(tag, *inner, **attributes):
    listed = "".join(f' {k}="{v}"' for k, v in attributes.items())
    return f"<{tag}{listed}>{''.join(inner)}</{tag}>"


def math(inner, display=True):
    """A whole math element."""
    mode = ' display="block"' if display else ""
    return (
        f'<math xmlns="http://www.w3.org/1998/Math/MathML"{mode}>'
        f"<mrow>{inner}</mrow></math>"
    )


def spell(b):
    """Box `b` as MathML."""
    return _SPELL[b.kind](*b.parts)


def _mo(sign):
    return _tag("mo", escape(sign))


def name(shown, bold=False):
    """A variable's name, which a page can find; vectors are bold."""
    if shown.endswith("@i"):
        return _tag("msub", name(shown[:-2], bold), "<mi>i</mi>")
    return _marked(_letters(shown, bold), shown)


def _marked(inner, shown):
    return _tag("mrow", inner, **{"data-name": escape(shown)})


def _letters(shown, bold):
    parts = name_parts(shown.partition("@")[0])
    attributes = _BOLD if bold else {}
    base = _tag("mi", escape(GREEK.get(parts.letters, parts.letters)), **attributes)
    if parts.accent:
        base = _tag("mover", base, _mo(_ACCENTS[parts.accent]), accent="true")
    if parts.index:
        base = _tag("msub", base, _tag("mn", parts.index))
    return base


def _row(*parts):
    return _tag("mrow", *[spell(b) for b in parts])


def _sub(base, index):
    own = name_parts(base.parts[0]).index if base.kind == "name" else None
    if own is None:
        return _tag("msub", spell(base), spell(index))
    shown, bold = base.parts  # element 1 of u3 is u with index 3,1
    both = _tag("mrow", _tag("mn", own), _mo(","), spell(index))
    letters = _letters(shown.replace(own, "", 1), bold)
    return _marked(_tag("msub", letters, both), shown)


def _op(sign, spaced):
    return _mo("\u2062" if sign == "" else sign)


def _sup(base, exponent):
    below = base if base.binds == ATOM else paren(base)
    return _tag("msup", spell(below), spell(exponent))


def _func(head, args):
    inner = _mo(",").join(spell(a) for a in args)
    body = _tag("mrow", _mo("("), inner, _mo(")"))
    return _tag("mrow", spell(head), _mo("\u2061"), body)


def _table(rows, aligned=()):
    """A table whose columns are aligned to these sides, or to the middle."""

    def cell(e, i):
        if i >= len(aligned):
            return _tag("mtd", e)
        return _tag("mtd", e, style=f"text-align: {aligned[i]}")

    body = [_tag("mtr", *[cell(e, i) for i, e in enumerate(r)]) for r in rows]
    return _tag("mtable", *body)


def _matrix(rows):
    table = _table([[spell(e) for e in r] for r in rows])
    return _tag("mrow", _mo("["), table, _mo("]"))


def _cases(*parts):
    rows = []
    for value, condition in parts:
        when = _tag("mtext", "otherwise")
        if condition is not None:
            when = _tag("mrow", _tag("mtext", "if\u00a0"), spell(condition))
        rows.append([spell(value), when])
    return _tag("mrow", _mo("{"), _table(rows, ("left", "left")))


def _deriv(d, of, by):
    sign = _tag("mi", d, mathvariant="normal")
    top, bottom = (_tag("mrow", sign, spell(n)) for n in (of, by))
    return _tag("mfrac", top, bottom)


def _bigsum(under, inner):
    sign = _tag("munder", _mo("∑"), spell(under))
    return _tag("mrow", sign, spell(inner))


_SPELL = {
    "row": _row,
    "op": _op,
    "number": lambda digits: _tag("mn", digits),
    "constant": lambda shown: _tag("mi", shown),
    "name": name,
    "bold": lambda shown: _tag("mn", shown, **_BOLD),
    "transpose": lambda: _tag("mi", "T", mathvariant="normal"),
    "frac": lambda top, bottom: _tag("mfrac", spell(top), spell(bottom)),
    "sup": _sup,
    "sub": _sub,
    "sqrt": lambda x: _tag("msqrt", spell(x)),
    "root": lambda x, degree: _tag("mroot", spell(x), spell(degree)),
    "fn": lambda shown: _tag("mi", escape(GREEK.get(shown, shown))),
    "func": _func,
    "fence": lambda opening, inner, closing: _tag(
        "mrow", _mo(opening), spell(inner), _mo(closing)
    ),
    "grid": lambda *rows: _matrix(rows),
    "column": lambda *parts: _matrix([[e] for e in parts]),
    "cases": _cases,
    "code": lambda shown: _tag("mtext", escape(shown), mathvariant="monospace"),
    "group": spell,
    "words": lambda shown: _tag("mtext", escape(shown)),
    "deriv": _deriv,
    "bigsum": _bigsum,
    "index": lambda base, index: _tag(
        "mrow", spell(base), _mo("["), spell(index), _mo("]")
    ),
}


def equation(block):
    """One Equation as a math element whose lines are aligned."""
    rows = []
    for i, right in enumerate(block.rights):
        rows.append([spell(block.left) if i == 0 else "", _mo("="), spell(right)])
    if block.key:
        (key, what), shown = block.key, f"\u2002= {block.value}" if block.value else ""
        rows[-1][2] += _tag("mtext", escape(shown), **{f"data-{key}": escape(what)})
    elif block.value:
        rows[-1][2] += _mo("=") + _tag("mtext", escape(block.value))
    if block.note:
        rows[-1][2] += _tag("mtext", escape(f"\u2003({block.note})"))
    return math(_table(rows, ("right", "center", "left")))


def results(doc):
    """The results of a Document: one math element each, one a line."""
    blocks = doc.sections[-1].blocks if doc.sections else (doc.title,)
    return "\n".join(equation(b) for b in blocks if b.left is not None) + "\n"
