"""LaTeX and Markdown: boxes spelled in LaTeX, documents around them."""

import re

from pygradc._explain.document import REMARK
from pygradc._explain.layout import name_parts
from pygradc._explain.template import ATOM, paren
from pygradc._explain.text import GREEK

_COMMANDS = frozenset(
    "sin cos tan sinh cosh tanh arcsin arccos arctan ln log exp max min".split()
)
_ACCENTS = {"hat": "hat", "bar": "bar", "tilde": "tilde"}
_SIGNS = {
    "·": r" \cdot ",
    "⊗": r" \otimes ",
    "−": "-",
    "≥": r" \ge ",
    "≤": r" \le ",
    "≠": r" \ne ",
    "∧": r" \land ",
    "∨": r" \lor ",
    "⊕": r" \oplus ",
    "¬": r"\lnot ",
    "mod": r" \bmod ",
}
_CONSTANTS = {
    "π": r"\pi",
    "ln 2": r"\ln\left(2\right)",
    "ln 10": r"\ln\left(10\right)",
    "√2": r"\sqrt{2}",
    "√π": r"\sqrt{\pi}",
    "√(2π)": r"\sqrt{2 \pi}",
    "⋯": r"\cdots",
}
_FENCES = {
    "(": r"\left(",
    ")": r"\right)",
    "[": r"\left[",
    "]": r"\right]",
    "|": "|",
    "⌈": r"\left\lceil ",
    "⌉": r"\right\rceil ",
    "⌊": r"\left\lfloor ",
    "⌋": r"\right\rfloor ",
}
_ESCAPED = str.maketrans(
    {c: "\\" + c for c in "_%&#${}"}
    | {"→": r"$\to$ ", "⋮": r"$\vdots$ ", "×": r"$\times$", "∂": r"$\partial$"}
    | {"·": r"$\cdot$", "\u202f": r"\,", "\u0302": ""}
)


def spell(b):
    """Box `b` as LaTeX."""
    return _SPELL[b.kind](*b.parts)


def name(shown, bold=False):
    """A variable's name; vectors are bold."""
    if shown == "∞":
        return r"\infty"
    if shown.endswith("@i"):
        return f"{_accented(shown[:-2], bold)[0]}_{{i}}"
    base, index = _accented(shown, bold)
    return f"{base}_{{{index}}}" if index else base


def _accented(shown, bold):
    shown = shown.partition("@")[0]
    parts = name_parts(shown)
    letters = parts.letters
    if letters in GREEK:
        base = rf"\{letters}"
    elif len(letters) == 1:
        base = letters
    else:
        base = rf"\mathrm{{{letters.translate(_ESCAPED)}}}"
    if bold:
        base = rf"\mathbf{{{base}}}" if len(letters) == 1 else rf"\boldsymbol{{{base}}}"
    if parts.accent:
        base = rf"\{_ACCENTS[parts.accent]}{{{base}}}"
    return base, parts.index


def _row(*parts):
    return "".join(spell(b) for b in parts)


def _op(sign, spaced):
    if spaced == "thin":
        return r" \, "
    if sign == "":
        return " "
    shown = _SIGNS.get(sign, sign)
    return f" {shown.strip()} " if spaced is True else shown


def _frac(top, bottom):
    return rf"\frac{{{spell(top)}}}{{{spell(bottom)}}}"


def _sup(base, exponent):
    below = base if base.binds == ATOM else paren(base)
    return f"{{{spell(below)}}}^{{{spell(exponent)}}}"


def _sub(base, index):
    if base.kind == "name":  # element 1 of u3 is u_{3,1}
        letters, own = _accented(*base.parts)
        if own:
            return f"{letters}_{{{own},{spell(index)}}}"
    return f"{{{spell(base)}}}_{{{spell(index)}}}"


def _fn(shown):
    if shown in _COMMANDS or shown in GREEK:
        return "\\" + shown
    return rf"\operatorname{{{shown.translate(_ESCAPED)}}}"


def _func(head, args):
    inner = ", ".join(spell(a) for a in args)
    return rf"{spell(head)}\left({inner}\right)"


def _fence(opening, inner, closing):
    if opening == "|":
        return rf"\left|{{{spell(inner)}}}\right|"
    return _FENCES[opening] + spell(inner) + _FENCES[closing]


def _matrix(rows):
    body = r" \\ ".join(" & ".join(spell(e) for e in r) for r in rows)
    return rf"\begin{{bmatrix}} {body} \end{{bmatrix}}"


def _cases(*parts):
    lines = []
    for value, condition in parts:
        when = r"\text{otherwise}"
        if condition is not None:
            when = rf"\text{{if }} {spell(condition)}"
        lines.append(f"{spell(value)} & {when}")
    body = r" \\ ".join(lines)
    return rf"\begin{{cases}} {body} \end{{cases}}"


def _deriv(d, of, by):
    sign = "d" if d == "d" else r"\partial "
    return rf"\frac{{{sign}{spell(of)}}}{{{sign}{spell(by)}}}"


_SPELL = {
    "row": _row,
    "op": _op,
    "number": lambda digits: digits,
    "constant": lambda shown: _CONSTANTS.get(shown, shown),
    "name": name,
    "bold": lambda shown: rf"\mathbf{{{shown}}}",
    "transpose": lambda: r"\mathsf{T}",
    "frac": _frac,
    "sup": _sup,
    "sub": _sub,
    "sqrt": lambda x: rf"\sqrt{{{spell(x)}}}",
    "root": lambda x, degree: rf"\sqrt[{spell(degree)}]{{{spell(x)}}}",
    "fn": _fn,
    "func": _func,
    "fence": _fence,
    "grid": lambda *rows: _matrix(rows),
    "column": lambda *parts: _matrix([[e] for e in parts]),
    "cases": _cases,
    "code": lambda shown: rf"\mathtt{{{shown.translate(_ESCAPED)}}}",
    "group": spell,
    "words": lambda shown: rf"\text{{{shown.translate(_ESCAPED)}}}",
    "deriv": _deriv,
    "bigsum": lambda under, inner: rf"\sum_{{{spell(under)}}} {spell(inner)}",
    "index": lambda base, index: rf"{{{spell(base)}}}[{spell(index)}]",
}


def equation(block, align="&"):
    """The lines of an Equation, aligned at the equals signs."""
    lines = []
    for i, right in enumerate(block.rights):
        left = spell(block.left) if i == 0 else ""
        lines.append(f"{left} {align}= {spell(right)}".strip())
    if block.value:
        lines[-1] += rf" = {_value(block.value)}"
    if block.note:
        lines[-1] += rf" \quad \text{{({block.note.translate(_ESCAPED)})}}"
    return lines


def _value(text):
    """A number as `document` gives it; powers of ten set as such."""

    def power(match):
        return rf"{match[1]} \cdot 10^{{{int(match[2])}}}"

    text = text.replace("nan", r"\mathrm{NaN}").replace("inf", r"\infty")
    text = re.sub(r"(\d)e([+-]\d+)", power, text)
    if ";" in text:
        rows = text.strip("[]").split("; ")
        body = r" \\ ".join(r.replace(", ", " & ") for r in rows)
        return rf"\begin{{bmatrix}} {body} \end{{bmatrix}}"
    return text


def _aligned(lines):
    return "\\begin{aligned}\n" + " \\\\\n".join(lines) + "\n\\end{aligned}"


def _groups(blocks):
    """Words, and runs of equations as lists of lines."""
    lines = []
    for block in blocks:
        if block.left is None:
            if lines:
                yield lines
            lines = []
            yield block
        else:
            lines += equation(block)
    if lines:
        yield lines


def latex(doc):
    """LaTeX of a Document, for the body of one; needs amsmath."""
    out = ["\\[", _aligned(equation(doc.title)), "\\]"]
    for section in doc.sections:
        out += ["", rf"\paragraph{{{section.title}}}", ""]
        for group in _groups(section.blocks):
            if isinstance(group, list):
                out += ["\\[", _aligned(group), "\\]"]
            else:
                out.append(_prose(group, _ESCAPED) + _end(group))
    return "\n".join(out) + "\n"


def _prose(block, escaped):
    return "".join(
        p.translate(escaped) if isinstance(p, str) else f"${spell(p)}$"
        for p in block.words
    )


def _end(block):
    if block.words == ("⋮",):
        return ""
    return "." if block.note == REMARK else ":"


def markdown(doc):
    """Markdown of a Document."""
    out = ["$$", _aligned(equation(doc.title)), "$$"]
    for i, section in enumerate(doc.sections, 1):
        out += ["", f"### {i}. {section.title}"]
        for group in _groups(section.blocks):
            if isinstance(group, list):
                out += ["", "$$", _aligned(group), "$$"]
            else:
                out += ["", _prose(group, {ord("_"): r"\_"}) + _end(group)]
    return "\n".join(out) + "\n"


def display(doc):
    """The results alone, between dollar signs."""
    blocks = doc.sections[-1].blocks if doc.sections else ()
    lines = [line for b in blocks if b.left is not None for line in equation(b)]
    return "$$" + _aligned(lines or equation(doc.title)) + "$$"
