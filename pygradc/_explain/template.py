"""Function forms: boxes of a row of the op table, from the LaTeX that the row states.

A row says "\\sin{$0}", "e^{$0}", "\\left|$0\\right|"; this reads such a pattern, once
for each op, into boxes with places for the operands, so that text, LaTeX and MathML all
follow the row.
"""

import functools
import re
from collections import namedtuple

from pygradc._lib import OPS, ops

RELATION, SUM, PRODUCT, POWER, ATOM = range(5)

Box = namedtuple("Box", "kind parts binds")
Box.__doc__ = "A piece of a formula as it is set; `binds` says how tightly."

_TOKEN = re.compile(r"\\[a-zA-Z]+|\$\d|\$\*|\\\\|\s+|.")
_FENCES = {"\\lceil": "⌈", "\\rceil": "⌉", "\\lfloor": "⌊", "\\rfloor": "⌋"}
_SIGNS = {
    "\\ge": "≥",
    "\\le": "≤",
    "\\ne": "≠",
    ">": ">",
    "<": "<",
    "=": "=",
    "\\land": "∧",
    "\\lor": "∨",
    "\\oplus": "⊕",
    "\\bmod": "mod",
}
_CLOSING = ("}", ")", "]", "⌉", "⌋", "\\right")


def paren(inner):
    return Box("fence", ("(", inner, ")"), ATOM)


def function(name, args):
    """name(args)."""
    return Box("func", (Box("fn", (name,), ATOM), tuple(args)), ATOM)


class _Parser:
    def __init__(self, pattern):
        self.tokens = [t for t in _TOKEN.findall(pattern) if not t.isspace()]

    def peek(self):
        return self.tokens[0] if self.tokens else None

    def take(self):
        return self.tokens.pop(0)

    def row(self, end=_CLOSING):
        parts = []
        while self.tokens and self.peek() not in end:
            token = _FENCES.get(self.peek())
            if token in end:
                break
            parts.append(self.scripted())
        if len(parts) == 1:
            return parts[0]
        return Box("row", tuple(parts), _binds(parts))

    def scripted(self):
        base = self.atom()
        while self.peek() in ("^", "_"):
            kind = "sup" if self.take() == "^" else "sub"
            base = Box(kind, (base, self.atom()), POWER)
        if base.kind == "fn" or (base.kind == "sub" and base.parts[0].kind == "fn"):
            if self.peek() == "{":
                return Box("func", (base, (self.atom(),)), ATOM)
            if self.peek() == "(":
                self.take()
                args = [self.row((")", ","))]
                while self.take() == ",":
                    args.append(self.row((")", ",")))
                return Box("func", (base, tuple(args)), ATOM)
        return base

    def atom(self):
        token = self.take()
        if token.startswith("$"):
            return Box("arg", (token[1:],), ATOM)
        if token == "{":
            inner = self.row()
            self.take()
            return inner
        if token in ("(", "["):
            inner = self.row()
            self.take()
            return Box("fence", (token, inner, ")" if token == "(" else "]"), ATOM)
        if token == "|":
            inner = self.row(("|",))
            self.take()
            return Box("fence", ("|", inner, "|"), ATOM)
        if token in _FENCES:
            inner = self.row()
            return Box("fence", (_FENCES[token], inner, _FENCES[self.take()]), ATOM)
        if token == "\\left":
            opening = self.take()
            inner = self.row()
            self.take()
            return Box("fence", (opening, inner, self.take()), ATOM)
        return self.command(token)

    def command(self, token):
        if token in _SIGNS:
            return Box("op", (_SIGNS[token], True), RELATION)
        if token in ("+", "-"):
            return Box("op", ("−" if token == "-" else "+", True), SUM)
        if token == "/":
            return Box("op", ("/", False), PRODUCT)
        if token == "\\lnot":
            return Box("op", ("¬", False), PRODUCT)
        if token == "\\infty":
            return Box("name", ("∞", False), ATOM)
        if token == "\\sqrt":
            if self.peek() == "[":
                self.take()
                degree = self.row()
                self.take()
                return Box("root", (self.atom(), degree), ATOM)
            return Box("sqrt", (self.atom(),), ATOM)
        if token == "\\frac":
            return Box("frac", (self.atom(), self.atom()), PRODUCT)
        if token == "\\operatorname":
            self.take()
            name = ""
            while self.peek() != "}":
                name += self.take()
            self.take()
            return Box("fn", (name,), ATOM)
        if token.startswith("\\"):
            return Box("fn", (token[1:],), ATOM)
        kind = "number" if token.isdigit() else "constant"
        number = token
        while token.isdigit() and self.peek() and self.peek().isdigit():
            number += self.take()
        return Box(kind, (number,), ATOM)


def _binds(parts):
    return min([p.binds for p in parts if p.kind == "op"], default=PRODUCT)


@functools.cache
def _pattern(name):
    return _Parser(ops()[OPS[name]].latex).row()


def fill(name, args):
    """The box of op `name` with the boxes `args` in the places of its operands."""
    return _filled(_pattern(name), args, RELATION)


def _filled(shape, args, least):
    """`shape` with its places filled; an operand that binds less than `least` is put
    in brackets."""
    if shape.kind == "arg":
        inner = args[int(shape.parts[0])]
        return inner if inner.binds >= least else paren(inner)
    parts = []
    inside = RELATION
    if shape.kind == "row":
        inside = shape.binds + 1 if shape.binds > RELATION else SUM
    for i, part in enumerate(shape.parts):
        if isinstance(part, Box):
            tight = ATOM if shape.kind in ("sup", "sub") and i == 0 else inside
            parts.append(_filled(part, args, tight))
        elif isinstance(part, tuple):
            parts.append(tuple(_filled(p, args, RELATION) for p in part))
        else:
            parts.append(part)
    return Box(shape.kind, tuple(parts), shape.binds)
