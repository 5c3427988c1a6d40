"""Documents as plain text of at most 80 columns."""

import textwrap
import unicodedata

from pygradc._explain.document import INTRO, REMARK
from pygradc._explain.text import spell

WIDTH = 80
MARGIN = "   "


def plain(doc):
    """The text of a Document."""
    out = _equation(doc.title, "", 0)
    for i, section in enumerate(doc.sections, 1):
        out += ["", f"{i}  {section.title}", ""]
        blocks = section.blocks
        width = _left_width(blocks)
        for at, block in enumerate(blocks):
            before = blocks[at - 1] if at else block
            if block.left is None:
                if at and block.note == INTRO:
                    out.append("")
                out += _wrapped("".join(map(_piece, block.words)))
                continue
            if (
                before.left is None
                and before.note == REMARK
                and "⋮" not in before.words
            ):
                out.append("")
            out += _equation(block, MARGIN, width)
    return "\n".join(line.rstrip() for line in out) + "\n"


def _left_width(blocks):
    widths = [width_of(spell(b.left)) for b in blocks if b.left is not None]
    return max(widths, default=0)


def _piece(piece):
    return piece if isinstance(piece, str) else spell(piece)


def width_of(text):
    """Columns that `text` takes: accents take none."""
    return sum(1 for c in text if not unicodedata.combining(c))


def _padded(text, width):
    return text + " " * (width - width_of(text))


def _wrapped(text):
    return textwrap.wrap(
        text, WIDTH, initial_indent=MARGIN, subsequent_indent=MARGIN + "  "
    )


def _equation(equation, margin, width):
    left = _padded(spell(equation.left), width)
    blank = " " * width_of(left)
    lines = []
    for i, right in enumerate(equation.rights):
        head = margin + (left if i == 0 else blank) + " = "
        lines += _right(head, right)
    tail = ""
    if equation.value:
        tail = f" = {equation.value}"
    if equation.note:
        tail += f"   ({equation.note})"
    if tail:
        free = WIDTH - max(width_of(lines[-1]), 34)
        if width_of(tail) <= free and "{ " not in lines[-1]:
            lines[-1] += _aligned(lines[-1], tail)
        else:
            lines += _broken(margin + blank, tail)
    return lines


def _aligned(line, tail):
    at = 34
    return " " * max(0, at - width_of(line)) + tail


def _right(head, b):
    if b.kind == "cases":
        shown = [(spell(v), spell(c) if c else None) for v, c in b.parts]
        wide = max(width_of(v) for v, _ in shown)
        if wide > WIDTH // 2:
            return _broken(head, spell(b))
        lines = []
        for i, (value, condition) in enumerate(shown):
            start = head if i == 0 else " " * width_of(head)
            where = "otherwise" if condition is None else f"if {condition}"
            lines += _broken(start, f"{{ {_padded(value, wide)}  {where}")
        return lines
    return _broken(head, spell(b))


def _broken(head, text):
    """`head` + `text`, broken between terms and factors where it is too wide."""
    lines, indent = [], " " * width_of(head)
    line = head + text
    while width_of(line) > WIDTH:
        at = _best_break(line, len(indent) + 2)
        if at is None:
            break
        lines.append(line[:at].rstrip())
        line = indent + "  " + line[at:].lstrip()
    return [*lines, line]


def _best_break(line, least):
    """Where to break `line`: before a sign outside of brackets if there is one."""
    best, depth = {}, 0
    for i, c in enumerate(line[:WIDTH]):
        if c in "([{":
            depth += 1
        elif c in ")]}":
            depth -= 1
        weight = depth if line[i : i + 3] in (" + ", " − ", " ⊗ ", " · ") else None
        if weight is None and c in "·," and i + 1 < WIDTH:
            weight = depth + 1
        if weight is not None and i > least:
            best[weight] = i + 1
    if best:
        return best[min(best)]
    space = line.rfind(" ", least + 1, WIDTH)
    return space + 1 if space > 0 else None
