"""The directive ``op-table``: the elementwise rows of csrc/ops.def as a table.

Derivatives are read from the rows themselves, where they are written in builder words,
and shown as formulas; what a row is otherwise comes from `pygradc.ops`.
"""

import ast
import re
from pathlib import Path

from docutils import nodes
from sphinx.util.docutils import SphinxDirective
from tables import table

import pygradc

OPS_DEF = Path(__file__).parents[2] / "csrc" / "ops.def"
KINDS = ("UNARY", "BINARY", "TERNARY")

# how tightly a formula holds together
SUM, PRODUCT, ATOM = range(3)

CONSTANTS = {
    "NONE": "0",
    "ZERO": "0",
    "HALF": r"\frac{1}{2}",
    "ONE": "1",
    "TWO": "2",
    "M_2_SQRTPI": r"\frac{2}{\sqrt{\pi}}",
    "M_LN2": r"\ln(2)",
    "M_LOG10E": r"\frac{1}{\ln(10)}",
    "M_LOG2E": r"\frac{1}{\ln(2)}",
}
# words that are no single op: formula over their operands
WORDS = {
    "POW_DX": "{1} {0}^{{{1}-1}}",
    "POW_DY": r"{1} \ln {0}",
    "RATIO": r"\frac{{{0}}}{{{1}}}",
    "SHARE_EXP": r"\frac{{e^{{{0}}}}}{{e^{{{0}}}+e^{{{1}}}}}",
    "SHARE_GT": "[{0}>{1}]",
    "SHARE_LT": "[{0}<{1}]",
    "GT": "[{0}>{1}]",
    "NOT": r"[\lnot {0}]",
    "POW": "{0}^{{{1}}}",
}
PATTERNS = {row.name: row.latex for row in pygradc.ops()}
NAMES = {"RECIPROCAL", "NEG", "ADD", "SUB", "MUL", "DIV", "SQUARE"}


def rows_of(text):
    """Derivatives of each row of the given text of ops.def, by name: lists of words."""
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    found = {}
    for start in re.finditer(rf"^({'|'.join(KINDS)})\(", text, re.M):
        columns = _columns(text, start.end())
        operands = 1 + KINDS.index(start[1])
        found[columns[0]] = columns[-operands:]
    return found


def _columns(text, start):
    """The arguments of a macro that begin at `start`."""
    columns, depth, quoted, begin = [], 0, False, start
    for i in range(start, len(text)):
        c = text[i]
        if c == '"' and text[i - 1] != "\\":
            quoted = not quoted
        elif quoted:
            continue
        elif c == "(":
            depth += 1
        elif c in ",)" and depth == 0:
            columns.append(" ".join(text[begin:i].split()))
            begin = i + 1
            if c == ")":
                return columns
        elif c == ")":
            depth -= 1
    raise ValueError("a row of ops.def does not end")


def formula(words):
    """LaTeX of a derivative in builder words."""
    return _tex(ast.parse(words, mode="eval").body)[0]


def _held(node, least):
    """LaTeX of `node`, in parentheses if it is held together less than `least`."""
    tex, holds = _tex(node)
    return tex if holds >= least else f"({tex})"


def _tex(node):
    """LaTeX of a tree of words, and how tightly it holds together."""
    if isinstance(node, ast.Name):
        return CONSTANTS.get(node.id, node.id), ATOM
    if isinstance(node, ast.Constant):
        return f"{node.value:g}", ATOM
    if isinstance(node, ast.UnaryOp):
        return "-" + _held(node.operand, PRODUCT), SUM
    word, args = node.func.id, node.args
    if word == "CONST":
        return _tex(args[0])
    if word in WORDS:
        return WORDS[word].format(*[_held(a, ATOM) for a in args]), ATOM
    if word in NAMES:
        return _arithmetic(word, args)
    pattern = PATTERNS[word.lower()]
    # a pattern such as \sin{$0} leaves it to us to show where its operand ends
    bare = re.fullmatch(r"\\(?!sqrt)(\w+|operatorname\{\w+\})\{\$0\}", pattern)
    least = ATOM if bare else SUM
    for i, a in enumerate(args):
        pattern = pattern.replace(f"${i}", _held(a, least))
    return pattern, PRODUCT if least == ATOM else ATOM


def _arithmetic(word, args):
    if word == "NEG":
        return "-" + _held(args[0], PRODUCT), SUM
    if word == "ADD":
        return f"{_held(args[0], SUM)}+{_held(args[1], SUM)}", SUM
    if word == "SUB":
        return f"{_held(args[0], SUM)}-{_held(args[1], PRODUCT)}", SUM
    if word == "MUL":
        return r"\,".join(_held(a, PRODUCT) for a in args), PRODUCT
    if word == "SQUARE":
        return _held(args[0], ATOM) + "^2", ATOM
    if word == "RECIPROCAL":
        return rf"\frac{{1}}{{{_tex(args[0])[0]}}}", PRODUCT
    over, under = _tex(args[0])[0], _held(args[1], PRODUCT)
    inner = re.fullmatch(r"\\frac\{([^{}]+)\}\{(.+)\}", over)
    if inner:  # a fraction of a fraction
        over, under = inner[1], rf"{inner[2]}\,{under}"
    return rf"\frac{{{over}}}{{{under}}}", PRODUCT


class OpTable(SphinxDirective):
    """The rows of the kind that its argument names."""

    required_arguments = 1

    def run(self):
        self.env.note_dependency(str(OPS_DEF))
        kind = self.arguments[0]
        derivatives = rows_of(OPS_DEF.read_text())
        count = 1 + KINDS.index(kind.upper())
        operands = "xyz"[:count]
        heading = ["pg.", "r", *[f"dr/d{v}" for v in operands], "smooth on", "types"]
        if kind == "ternary":
            heading.remove("smooth on")
        rows = []
        for op in pygradc.ops(kind):
            if op.name not in derivatives:
                continue
            value = op.latex
            for i, v in enumerate(operands):
                value = value.replace(f"${i}", v)
            cells = [nodes.literal("", op.name), nodes.math("", value)]
            cells += [nodes.math("", formula(d)) for d in derivatives[op.name]]
            if kind != "ternary":
                lo, hi = op.smooth
                cells.append(nodes.Text(f"{lo:g} … {hi:g}".replace("-", "−")))
            cells.append(nodes.Text(_types(op.dtypes)))
            rows.append(cells)
        widths = [14, 22, *[28] * count, 12, 14][: len(heading)]
        return [table(heading, rows, widths)]


def _types(dtypes):
    kinds = {d.kind for d in dtypes}
    if kinds == {"f"}:
        return "float"
    return {3: "float, int", 4: "any", 1: "bool"}[len(dtypes)]


def setup(app):
    """Sphinx calls this."""
    app.add_directive("op-table", OpTable)
    return {"parallel_read_safe": True}
