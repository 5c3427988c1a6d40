"""Expressions as text: read by `ast`, checked against a list, never executed as Python.

What the list allows becomes a program of a small stack machine: values, and functions
with the number of operands they take. A name is a variable or a constant, and a call is
one of FUNCTIONS; there is no other way to reach anything.
"""

import ast
import difflib
import operator
import re
import unicodedata
import warnings
from functools import partial, reduce

import numpy as np

import pygradc as pg
from pygradc import errors
from pygradc._lib import OPS

MOST_CHARACTERS = 10_000
MOST_LEVELS = 200
WIDTH = 72  # columns of the text shown above a caret

CONSTANTS = {"pi": np.pi, "e": np.e, "inf": np.inf, "nan": np.nan}


# ---- what may be called ----


def _norm(x):
    return np.sqrt(np.sum(np.square(x)))


def _logsumexp(x):
    top = np.max(x)
    return top + np.log(np.sum(np.exp(x - top)))


def _softmax(x):
    exp = np.exp(x - np.max(x))
    return exp / np.sum(exp)


def _extreme(of_one, of_two, *args):
    return of_one(*args) if len(args) == 1 else reduce(of_two, args)


MANY = 64  # operands of max and min
_OTHERS = {
    # name: (fewest operands, most operands, function)
    "cumsum": (1, 1, np.cumsum),
    "dot": (2, 2, np.dot),
    "ln": (1, 1, np.log),
    "logsumexp": (1, 1, _logsumexp),
    "max": (1, MANY, partial(_extreme, np.max, np.maximum)),
    "mean": (1, 1, np.mean),
    "min": (1, MANY, partial(_extreme, np.min, np.minimum)),
    "norm": (1, 1, _norm),
    "outer": (2, 2, np.outer),
    "prod": (1, 1, np.prod),
    "softmax": (1, 1, _softmax),
    "std": (1, 1, np.std),
    "sum": (1, 1, np.sum),
    "t": (1, 1, np.transpose),
    "var": (1, 1, np.var),
    "where": (3, 3, np.where),
}
_INTERNAL = ("annihilate", "annihilate_both", "ident", "addn")


def _functions():
    """Everything that may be called: the elementwise rows of the op table and more."""
    table = pg.ops()
    found = {}
    for name, i in OPS.items():
        row = table[i]
        if row.c is not None and row.arity and name not in _INTERNAL:
            found[name] = (row.arity, row.arity, getattr(pg, name))
    return {**found, **_OTHERS}


FUNCTIONS = _functions()


# ---- operators ----


def _matmul(a, b):
    if np.ndim(a) == 0 or np.ndim(b) == 0:
        raise errors.ShapeError(
            "@ takes vectors and matrices; give them values as in w=[1, 2, 3]"
        )
    try:
        return a @ b
    except ValueError:  # NumPy's own words are about gufuncs
        shapes = f"{np.shape(a)} by {np.shape(b)}"
        raise errors.ShapeError(f"@ cannot multiply {shapes}") from None


def _chain(compare, *values):
    """a < b <= c: each pair holds."""
    pairs = [f(values[i], values[i + 1]) for i, f in enumerate(compare)]
    return reduce(np.logical_and, pairs)


def _if(then, condition, otherwise):
    return np.where(condition, then, otherwise)


def _all_of(function, *values):
    return reduce(function, values)


def _vector(*items):
    if len({np.shape(x) for x in items}) > 1:
        raise errors.ShapeError("the elements of a vector must have the same shape")
    if any(isinstance(x, pg.Expr) for x in items):
        return np.stack(items)
    return np.array(items, float)


def _item(key, x):
    return x[key]


_BINARY = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.MatMult: _matmul,
}
_UNARY = {
    ast.UAdd: operator.pos,
    ast.USub: operator.neg,
    ast.Not: np.logical_not,
}
_COMPARE = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_REFUSED = {
    ast.Attribute: "there are no attributes here",
    ast.Lambda: "there are no functions of your own here",
    ast.NamedExpr: "there is no assignment here",
    ast.Tuple: "a vector is written [a, b]",
    ast.Starred: "there is no unpacking here",
    ast.Subscript: "an index is a whole number or a slice of them",
}


class Expression:
    """A function of the variables in a text.

    Attributes
    ----------
    text : str
    names : tuple of str
        The variables in order of appearance.
    """

    def __init__(self, text, names, program):
        self.text, self.names, self._program = text, names, program

    def __call__(self, *values):
        """The value for values of the variables, in the order of `names`.

        Raises
        ------
        ExpressionError
            An operation does not take its operands; the message shows which.
        """
        given = dict(zip(self.names, values, strict=True))
        stack = []
        with np.errstate(all="ignore"):
            for place, count, do in self._program:
                if count == 0:
                    stack.append(given[do] if isinstance(do, str) else do)
                    continue
                operands = stack[-count:]
                del stack[-count:]
                try:
                    stack.append(_applied(do, operands))
                except errors.UnsupportedError:
                    raise
                except (ValueError, TypeError, IndexError) as e:
                    reason = str(e).splitlines()[0]
                    raise _error(self.text, reason, *place) from None
        return stack[0]

    def __repr__(self):
        return f"Expression({self.text!r})"


def _applied(do, operands):
    """`do` of the operands; plain numbers follow IEEE 754, as arrays do."""
    operands = [np.float64(x) if isinstance(x, float) else x for x in operands]
    traced = any(isinstance(x, pg.Expr) for x in operands)
    if traced:  # a NumPy scalar would be an array that the function captured
        operands = [float(x) if isinstance(x, np.floating) else x for x in operands]
    result = do(*operands)
    if isinstance(result, np.floating):
        return float(result)
    return result


def parse(text):
    """The function that a text describes.

    Parameters
    ----------
    text : str
        Python's arithmetic on names, numbers, vectors ``[1, 2]``, indices ``x[0]``,
        comparisons, ``a if c else b`` and calls of FUNCTIONS; the names pi, e, inf and
        nan are constants. At most 10 000 characters and 200 levels.

    Returns
    -------
    Expression

    Raises
    ------
    ExpressionError
        It is something else; the message shows where.
    """
    text = text.strip()
    if len(text) > MOST_CHARACTERS:
        raise errors.ExpressionError(
            f"the text has {len(text)} characters; at most {MOST_CHARACTERS} are read"
        )
    if not text:
        raise errors.ExpressionError("there is no expression: the text is empty")
    builder = _Builder(text)
    builder.visit(_tree(text).body)
    return Expression(text, builder.names(), builder.program)


def _tree(text):
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python's advice on code as "2(x)"
            return ast.parse(text, mode="eval")
    except SyntaxError as e:
        if "nested" in e.msg:
            raise _too_deep(text, 1, 0) from None
        end = len(text.split("\n")[-1]) + 1  # no offset: where the text ends
        line, column = e.lineno or 1, max((e.offset or end) - 1, 0)
        if "never closed" in e.msg:
            raise _error(text, "this bracket is never closed", line, column) from None
        raise _error(text, *_explained(text, line, column)) from None
    except (MemoryError, RecursionError):
        raise _too_deep(text, 1, 0) from None
    except ValueError as e:  # a NUL, or a number of thousands of digits
        raise errors.ExpressionError(f"the text cannot be read: {e}") from None


def _explained(text, line, column):
    """(reason, line, column) of a syntax error in words of this small language."""
    lines = text.split("\n")
    for i, content in enumerate(lines, 1):
        found = re.search(r"(?<![=<>!:])=(?!=)", content)
        if found:
            return "'=' assigns nothing here; write == to compare", i, found.start()
        found = re.search(r"(?<![\w.])[\d.]+(?=[^\W\d_])(?![eE][\d+-])", content)
        if found and found.end() >= column:
            return "write a product with *, as in 2*x", i, found.end()
    rest = "" if line > len(lines) else lines[line - 1][column:]
    if line >= len(lines) and not rest.strip(" +-*/@%<>=,(["):
        return "the expression ends too early", len(lines), len(lines[-1])
    return "this is no expression", line, column


def _too_deep(text, line, column):
    return _error(text, f"more than {MOST_LEVELS} levels are nested", line, column)


class _Builder:
    """Turns an `ast` into a program of (place, number of operands, function).

    Place is (line, column in characters). A value has no operands: a number, or a str
    that names a variable.
    """

    def __init__(self, text):
        self.text, self.lines = text, text.split("\n")
        self.program = []
        self.level = 0

    def names(self):
        """The variables in order of appearance."""
        found = sorted(
            (place, do) for place, n, do in self.program if not n and type(do) is str
        )
        return tuple(dict.fromkeys(name for _, name in found))

    def visit(self, node):
        """Appends the program of `node`."""
        self.level += 1
        if self.level > MOST_LEVELS:
            raise _too_deep(self.text, *self.place(node))
        rule = getattr(self, "_" + type(node).__name__, None)
        if rule is None:
            raise self.refused(node)
        rule(node)
        self.level -= 1

    def place(self, node):
        """(line, column in characters) where `node` begins."""
        line = self.lines[node.lineno - 1]
        before = line.encode()[: node.col_offset]
        return node.lineno, len(before.decode(errors="ignore"))

    def refused(self, node, reason=None):
        """The error that `node` is not on the list."""
        reason = reason or _REFUSED.get(type(node), "this is not allowed here")
        return _error(self.text, reason, *self.place(node))

    def emit(self, place, count, do):
        self.program.append((place, count, do))

    # ---- one function for each node that is allowed ----

    def _Constant(self, node):
        value = node.value
        if type(value) not in (int, float):
            raise self.refused(node, "only numbers are values here")
        try:
            self.emit(self.place(node), 0, float(value))
        except OverflowError:
            raise self.refused(node, "this number is too large") from None

    def _Name(self, node):
        place = self.place(node)
        if node.id in FUNCTIONS and node.id not in CONSTANTS and node.id != "t":
            raise self.refused(node, f"{node.id} is a function: write {node.id}(...)")
        self.emit(place, 0, CONSTANTS.get(node.id, node.id))

    def _BinOp(self, node):
        spine = []  # a long sum leans to the left and is no deeper for that
        while isinstance(node, ast.BinOp):
            spine.append(node)
            node = node.left
        self.visit(node)
        for b in reversed(spine):
            do = _BINARY.get(type(b.op))
            place = self.between(b.left, b.right)
            if do is None:
                power = isinstance(b.op, ast.BitXor)
                reason = "write ** for a power" if power else "there are no bits here"
                raise _error(self.text, reason, *place)
            self.visit(b.right)
            self.emit(place, 2, do)

    def between(self, left, right):
        """Place of the operator between two operands."""
        line = self.lines[left.end_lineno - 1].encode()
        end = right.col_offset if right.lineno == left.end_lineno else len(line)
        gap = line[left.end_col_offset : end].decode()
        start = len(line[: left.end_col_offset].decode())
        found = re.search(r"[^\s()]", gap)
        return left.end_lineno, start + (found.start() if found else 0)

    def _UnaryOp(self, node):
        do = _UNARY.get(type(node.op))
        if do is None:
            raise self.refused(node)
        self.visit(node.operand)
        self.emit(self.place(node), 1, do)

    def _Compare(self, node):
        compare = [_COMPARE.get(type(op)) for op in node.ops]
        if None in compare:
            raise self.refused(node, "compare with < <= > >= == !=")
        for operand in (node.left, *node.comparators):
            self.visit(operand)
        place = self.between(node.left, node.comparators[0])
        self.emit(place, len(compare) + 1, partial(_chain, compare))

    def _BoolOp(self, node):
        both = isinstance(node.op, ast.And)
        for operand in node.values:
            self.visit(operand)
        do = partial(_all_of, np.logical_and if both else np.logical_or)
        self.emit(self.place(node), len(node.values), do)

    def _IfExp(self, node):
        for operand in (node.body, node.test, node.orelse):
            self.visit(operand)
        self.emit(self.place(node), 3, _if)

    def _List(self, node):
        if not node.elts:
            raise self.refused(node, "a vector has at least one element")
        for item in node.elts:
            self.visit(item)
        self.emit(self.place(node), len(node.elts), _vector)

    def _Call(self, node):
        if isinstance(node.func, ast.Constant):
            raise self.refused(node, "write a product with *, as in 2*(x + 1)")
        if not isinstance(node.func, ast.Name):
            raise self.refused(node, "only functions can be called")
        name = node.func.id
        if name not in FUNCTIONS:
            near = difflib.get_close_matches(name, FUNCTIONS, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise self.refused(node, f"there is no function {name}{hint}")
        least, most, do = FUNCTIONS[name]
        if node.keywords:
            raise self.refused(node, f"{name} takes operands by position only")
        if not least <= len(node.args) <= most:
            takes = least if least == most else f"{least} or more"
            s = "" if takes == 1 else "s"
            raise self.refused(
                node, f"{name} takes {takes} operand{s}, not {len(node.args)}"
            )
        for operand in node.args:
            self.visit(operand)
        self.emit(self.place(node), len(node.args), do)

    def _Subscript(self, node):
        key = node.slice
        parts = key.elts if isinstance(key, ast.Tuple) else [key]
        index = tuple([self.index(node, p) for p in parts])
        self.visit(node.value)
        self.emit(self.place(node), 1, partial(_item, index))

    def index(self, node, part):
        """The index that `part` writes: an int or a slice of ints."""
        if isinstance(part, ast.Slice):
            ends = (part.lower, part.upper, part.step)
            return slice(*[None if p is None else self.index(node, p) for p in ends])
        negative = isinstance(part, ast.UnaryOp) and isinstance(part.op, ast.USub)
        number = part.operand if negative else part
        if not isinstance(number, ast.Constant) or type(number.value) is not int:
            raise self.refused(node, _REFUSED[ast.Subscript])
        return -number.value if negative else number.value


# ---- errors ----


def _error(text, reason, line, column):
    """An ExpressionError that shows the line of the text and a caret beneath."""
    shown = text.split("\n")[line - 1]
    shown = "".join(c if c.isprintable() else " " for c in shown)
    begin = max(0, min(column - WIDTH // 2, len(shown) - WIDTH))
    end = begin + WIDTH
    left = "..." if begin else ""
    right = "..." if end < len(shown) else ""
    before = sum(_columns(c) for c in shown[begin:column]) + len(left)
    return errors.ExpressionError(
        f"{reason}\n  {left}{shown[begin:end]}{right}\n  {' ' * before}^"
    )


def _columns(c):
    if unicodedata.combining(c):
        return 0
    return 2 if unicodedata.east_asian_width(c) in "WF" else 1


# ---- values ----


def read_values(given):
    """Values of variables, written as on a command line.

    Parameters
    ----------
    given : sequence of str
        Each ``name=value``: a number, a vector ``[1, 2]``, a matrix, arithmetic of
        these, or ``@file`` with a .csv file of numbers without header, or a .npy file.

    Returns
    -------
    dict of str to float or ndarray

    Raises
    ------
    ExpressionError
        It is something else.
    """
    found = {}
    for text in given:
        name, equals, value = text.partition("=")
        name = unicodedata.normalize("NFKC", name.strip())
        if not equals or not name.isidentifier():
            raise errors.ExpressionError(f"{text!r} is not of the form name=value")
        if name in found:
            raise errors.ExpressionError(f"{name} is given twice")
        if name in CONSTANTS:
            raise errors.ExpressionError(f"{name} is a constant, no variable")
        value = value.strip()
        found[name] = _from_file(value[1:]) if value[:1] == "@" else _constant(value)
    return found


def _constant(text):
    expression = parse(text)
    if expression.names:
        raise errors.ExpressionError(
            f"{text!r} is no value: {expression.names[0]} is not known"
        )
    value = expression()
    return np.asarray(value, float) if np.ndim(value) else float(value)


def _from_file(path):
    try:
        if path.endswith(".npy"):
            with open(path, "rb") as file:
                return np.asarray(np.load(file, allow_pickle=False), float)
        with open(path, encoding="utf-8-sig") as file:
            return np.loadtxt(file, delimiter=",")
    except OSError as e:
        raise errors.ExpressionError(f"{path}: {e.strerror or e}") from None
    except (ValueError, TypeError) as e:
        reason = str(e).splitlines()[0]
        raise errors.ExpressionError(f"{path} holds no numbers: {reason}") from None
