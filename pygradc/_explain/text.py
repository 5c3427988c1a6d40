"""Formulas and explanations as plain text, in Unicode."""

from pygradc._explain.layout import name_parts
from pygradc._explain.template import ATOM, POWER, PRODUCT, paren

GREEK = dict(
    zip(
        "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi "
        "rho sigma tau phi chi psi omega".split(),
        "αβγδεζηθικλμνξπρστφχψω",
        strict=True,
    )
)
_ACCENTS = {"hat": "\u0302", "bar": "\u0304", "tilde": "\u0303"}
_SUPERSCRIPT = dict(zip("0123456789−-+()", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁻⁺⁽⁾", strict=True))
_SUBSCRIPT = dict(zip("0123456789,", "₀₁₂₃₄₅₆₇₈₉,", strict=True))
_LETTERS = dict(
    zip("abcdefghijklmnoprstuvwxyz", "ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻ", strict=True)
)


def inline(f):
    """Formula `f` on one line."""
    from pygradc._explain.layout import box

    return spell(box(f))


def name(shown):
    """A variable's name: "w_hat" is ŵ, "alpha" is α."""
    import unicodedata

    if shown.endswith("@i"):
        return name(shown[:-2]) + "ᵢ"
    shown = shown.partition("@")[0]
    letters, index, accent = name_parts(shown)
    if accent is None and index is None and letters == shown:
        return GREEK.get(letters, letters)
    letters = GREEK.get(letters, letters) + _ACCENTS.get(accent, "")
    return unicodedata.normalize("NFC", letters) + (index or "")


def spell(b):
    """Box `b` as text."""
    return _SPELL[b.kind](*b.parts)


def _inside(b, least):
    return spell(b if b.binds >= least else paren(b))


def _row(*parts):
    out = ""
    for b in parts:
        text = spell(b)
        if b.kind == "op" and b.parts[1] == "thin":
            text = "" if out[-1:].isalpha() or out[-1:] in ")ᵀ]" else " "
            out += text
            continue
        if out and thin_after(out, text, parts, b):
            out += " "
        out += text
    return out


def thin_after(out, text, parts, b):
    """Whether factors that stand side by side need a space to be told apart."""
    at = parts.index(b)
    if at == 0 or parts[at - 1].kind != "op" or parts[at - 1].parts[1] != "thin":
        return False
    one = b.kind == "name" and len(text) == 1
    if b.kind == "sup" and b.parts[0].kind == "name":
        one = len(spell(b.parts[0])) == 1
    fenced = b.kind == "fence" or (b.kind == "sup" and b.parts[0].kind == "fence")
    return not (one or fenced) and not out.endswith(" ")


def _op(sign, spaced):
    return f" {sign} " if spaced is True else sign


def _frac(top, bottom):
    over = _inside(top, PRODUCT)
    under = spell(bottom) if bottom.binds >= POWER else f"({spell(bottom)})"
    return f"{over}/{under}"


def _sup(base, exponent):
    below, raised = spell(base), spell(exponent)
    if base.binds < ATOM and base.kind != "fence":
        below = f"({below})"
    if raised == "ᵀ":
        return below + raised
    if all(c in _SUPERSCRIPT for c in raised):
        return below + "".join(_SUPERSCRIPT[c] for c in raised)
    if len(raised) == 1 and raised in _LETTERS:
        return below + _LETTERS[raised]
    if below == "e":
        return f"exp({raised})"
    return f"{below}^{raised}" if exponent.binds == ATOM else f"{below}^({raised})"


def _sub(base, index):
    raised = spell(index)
    if all(c in _SUBSCRIPT for c in raised):
        return spell(base) + "".join(_SUBSCRIPT[c] for c in raised)
    return f"{spell(base)}_{raised}"


def _sqrt(x):
    inner = spell(x)
    return f"√{inner}" if x.kind in ("name", "number") else f"√({inner})"


def _func(head, args):
    return f"{spell(head)}({', '.join(spell(a) for a in args)})"


def _grid(*rows):
    return "[" + "; ".join(", ".join(spell(e) for e in r) for r in rows) + "]"


def _column(*parts):
    return "[" + ", ".join(spell(e) for e in parts) + "]ᵀ"


def branches(b):
    """Pairs (value, condition) of a box of cases, as text."""
    return [
        (spell(value), "otherwise" if condition is None else f"if {spell(condition)}")
        for value, condition in b.parts
    ]


def _cases(*parts):
    shown = []
    for value, condition in parts:
        where = "otherwise" if condition is None else f"if {spell(condition)}"
        shown.append(f"{spell(value)} {where}")
    return "{" + "; ".join(shown) + "}"


def _under(b):
    shown = spell(b)
    return shown if len(shown) == 1 else "{" + shown + "}"


def _root(x, degree):
    return "".join(_SUPERSCRIPT[c] for c in spell(degree)) + _sqrt(x)


_SPELL = {
    "row": _row,
    "op": _op,
    "number": lambda digits: digits,
    "constant": lambda shown: shown,
    "name": lambda shown, vector: name(shown),
    "bold": lambda shown: shown,
    "transpose": lambda: "ᵀ",
    "frac": _frac,
    "sup": _sup,
    "sub": _sub,
    "sqrt": _sqrt,
    "root": _root,
    "fn": lambda shown: GREEK.get(shown, shown),
    "func": _func,
    "fence": lambda opening, inner, closing: opening + spell(inner) + closing,
    "grid": _grid,
    "column": _column,
    "cases": _cases,
    "code": lambda shown: shown,
    "group": lambda inner: f"({spell(inner)})",
    "words": lambda shown: shown,
    "deriv": lambda d, of, by: f"{d}{spell(of)}/{d}{spell(by)}",
    "bigsum": lambda under, inner: f"Σ_{_under(under)} {spell(inner)}",
    "index": lambda base, index: f"{spell(base)}[{spell(index)}]",
}
