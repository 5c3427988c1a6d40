"""An explanation as sections of equations, before it is text, LaTeX, MathML or HTML.

An equation is a box on the left, boxes on the right one below another, a note and a
number. All words and the choice of what is shown are here; the printers only spell.
"""

from collections import namedtuple

import numpy as np

from pygradc._explain import chain
from pygradc._explain.formula import (
    ONE,
    Mismatch,
    TooLarge,
    is_one,
    mul,
    negated,
    num,
    power,
    sym,
    symbols,
    zeros,
)
from pygradc._explain.layout import box, op, row
from pygradc._explain.matrix import t
from pygradc._explain.model import Fold
from pygradc._explain.read import formula_shape
from pygradc._explain.samples import in_sums
from pygradc._explain.template import ATOM, PRODUCT, SUM, Box, paren
from pygradc._explain.tidy import substitute, tidy

Document = namedtuple("Document", "title sections")
Section = namedtuple("Section", "title blocks")
# rights: boxes, each a further way to write the left side; a `words` block has no left
# key: what the number is: ("value-of", "u1"), ("partial", "u2 u1"), ("derivative", "x")
_FIELDS = "left rights note value words key"
Equation = namedtuple("Equation", _FIELDS, defaults=("", "", "", None))
INTRO, REMARK = "intro", "remark"  # words before the equations they belong to, or after

MOST_SHOWN = 90  # symbols on the right of an equation
DOTS = Box("constant", ("⋯",), ATOM)
MOST_TOTALS = 3  # sums over paths that are written out
MOST_FACTORS = 7  # of a chain before it is abbreviated


REACHES, ADDED = " reaches ", ", whose contributions add up along all paths"
TOO_LONG = " in terms of the inputs alone is too long to show"


def words(*pieces, place=INTRO):
    """A line of prose; its pieces are text and boxes."""
    return Equation(None, (), place, words=pieces)


def document(e):
    """The Document of Explanation `e`."""
    return Document(_head(e), tuple([s for s in _sections(e) if s.blocks]))


def _head(e):
    right = (box(e.formula),) if e.formula is not None else ()
    if not right:
        arguments = ", ".join(i.name for i in e.inputs if not i.given)
        f = "f" if e.name != "f" else "g"
        right = (Box("code", (f"{f}({arguments})",), ATOM),)
    note = ", ".join(f"{letter} = {n}" for letter, n in e.counts)
    left, key = _name(e.name, e.steps[-1].shape), ("value-of", e.name)
    return Equation(left, right, note, number(e.value), key=key)


def _sections(e):
    folded = any(isinstance(s, Fold) for s in e.steps)
    yield Section("Introduce intermediate variables", _variables(e))
    yield Section("Differentiate each with respect to its operands", _partials(e))
    blocks = [b for d in e.derivatives for b in _combination(e, d, folded)]
    yield Section("Combine by the chain rule", tuple(blocks))
    blocks = [b for d in e.derivatives for b in _result(e, d)]
    yield Section("Substitute back and simplify", tuple(blocks))


def number(value):
    """The number as text; "" for none, or an array too large to show on a line."""
    if value is None:
        return ""
    value = np.asarray(value) + 0.0  # a reader wants no -0
    if value.size == 1:
        return f"{value.reshape(())[()]:.6g}"
    if value.ndim == 2 and 1 in value.shape and value.size:
        value = value.ravel()
    if value.size > 6:
        return ""
    entries = [f"{v:.4g}" for v in value.ravel()]
    if value.ndim == 1:
        return "[" + ", ".join(entries) + "]"
    if value.ndim != 2 or value.size == 0:
        return ""
    n = value.shape[1]
    rows = [", ".join(entries[i : i + n]) for i in range(0, len(entries), n)]
    return "[" + "; ".join(rows) + "]"


def _name(name, shape=()):
    return box(sym(name, formula_shape(shape)))


def _named(e, name_):
    """The box of the name of an input or step."""
    for s in (*e.inputs, *e.shown):
        if s.name == name_:
            return _name(name_, s.shape)
    return _name(name_)


def derivative_box(e, of, by, sharp):
    """dy/dx, or ∂y/∂x."""
    parts = "d" if sharp else "∂", _named(e, of), _named(e, by)
    return Box("deriv", parts, PRODUCT)


# ---- 1 and 2: steps and their partials ----


def _variables(e):
    blocks = []
    for s in e.steps:
        if isinstance(s, Fold):
            blocks.append(words(_folded(s), place=REMARK))
        else:
            note = "" if s.shape == () else size_of(s.shape)
            right = (box(s.formula),)
            left = _name(s.name, s.shape)
            key = "value-of", s.name
            blocks.append(Equation(left, right, note, number(s.value), key=key))
    return tuple(blocks)


def size_of(shape):
    """ "4-vector", "3×3 matrix" or "2×3×4 array"."""
    if len(shape) == 1:
        return f"{shape[0]}-vector"
    kind = "matrix" if len(shape) == 2 else "array"
    return "×".join(str(d) for d in shape) + " " + kind


def _folded(fold):
    count = fold.last - fold.first + 1
    if fold.period:
        ops = ", ".join(fold.period)
        what = f"{ops} repeated {grouped(fold.repeats)} times"
    else:
        most = [f"{grouped(n)} {name}" for name, n in fold.ops[:4]]
        more = len(fold.ops) - 4
        what = ", ".join(most) + (f" and {more} other operators" if more > 0 else "")
    return f"⋮  {grouped(count)} more steps: {what}"


def grouped(n):
    return f"{n:,}".replace(",", "\u202f")


def _partials(e):
    blocks = []
    for s in e.steps:
        if isinstance(s, Fold):
            blocks.append(words("⋮", place=REMARK))
            continue
        for p in s.partials:
            left = derivative_box(e, p.of, p.by, p.plain)
            if p.formula is None and p.pulled is not None:
                rights, note = (box(p.pulled),), kind_note(p)
                left = _pulled(left, p.pulled)
            elif p.formula is None:
                rights = (Box("words", ("not a matrix",), ATOM),)
                note = kind_note(p)
            else:
                rights, note = (piecewise(p.formula),), kind_note(p)
            key = _key("partial", f"{p.of} {p.by}", p)
            number_ = _news(p.formula, p.value)
            blocks.append(Equation(left, rights, note, number_, key=key))
    return tuple(blocks)


def _key(what, names, p):
    """What the number of a small derivative is, unless its formula is one."""
    formula = p.formula if what == "partial" else p.result
    if formula is None or formula.head == "num":
        return None
    small = p.shape == (1, 1) or p.value is not None and number(p.value)
    return (what, names) if small else None


def _news(formula, value):
    """The number, unless the formula is one already."""
    return "" if formula is not None and formula.head == "num" else number(value)


def kind_note(p):
    """ "3×4 diagonal", or "" for a number by a number."""
    if p.shape == (1, 1):
        return ""
    m, n = p.shape
    if p.kind == "tensor":
        return f"{m}×{n} derivatives"
    shown = {"matrix": "as its matrix", "dense": ""}.get(p.kind, p.kind)
    return f"{m}×{n} {shown}".strip()


def piecewise(f):
    """The box of `f`, as cases if one scalar condition decides about it."""
    inner = f.args[0] if f.head == "t" else f
    factors = inner.args if inner.head == "prod" else (inner,)
    scalar = [b for b in factors if b.head == "ind" and not b.shape]
    if len(scalar) != 1:
        return _signs(f)
    (own,) = scalar
    condition = own.args[0]
    rest = tidy(substitute_ind(f, own))
    inactive = box(zeros(f.shape))
    return Box(
        "cases",
        ((inactive, box(negated(condition))), (box(rest), box(condition))),
        SUM,
    )


def substitute_ind(f, own):
    """`f` where the indicator `own` is 1."""
    if f == own:
        return ONE
    if f.head == "t":
        return t(substitute_ind(f.args[0], own))
    kept = [power(b, e) for b, e in zip(f.args, f.data[1], strict=True) if b != own]
    return mul(*kept, num(f.data[0]))


def _signs(f):
    """sign(x) is −1, 0 or 1."""
    if f.head == "call" and f.data[0] == "sign" and not f.shape:
        x = f.args[0]
        minus = row(op("−"), box(ONE), binds=SUM)
        branches = []
        for value, sign in ((minus, "<"), (Box("number", ("0",), ATOM), "=")):
            zero = Box("number", ("0",), ATOM)
            branches.append((value, row(box(x), op(sign, True), zero)))
        zero = Box("number", ("0",), ATOM)
        branches.append((box(ONE), row(box(x), op(">", True), zero)))
        return Box("cases", tuple(branches), SUM)
    return box(f)


# ---- 3: paths and products ----


def _combination(e, d, folded):
    left = derivative_box(e, d.of, d.by, d.sharp)
    if not d.segments:
        if folded:
            steps = f" through {grouped(e.n_steps)} steps"
            yield words(_named(e, d.by), REACHES, _named(e, d.of), steps, ADDED)
            return
        if d.combined is not None:
            yield Equation(left, (box(d.combined),))
        return
    sharp = d.sharp
    several = [s for s in reversed(d.segments) if s.n_paths > 1]
    if len(d.segments) > 1:
        for s in several[:MOST_TOTALS]:
            yield from _total(e, s, sharp)
        if len(several) > MOST_TOTALS:
            more = len(several) - MOST_TOTALS
            yield words(f"⋮  {more} more such sums", place=REMARK)
    if len(d.segments) == 1 and d.segments[0].n_paths > 1:
        yield from _total(e, d.segments[0], sharp, d)
        return
    yield from _product(e, d, left)


def _total(e, s, sharp, whole=None):
    """The total derivative over the ways of one segment."""
    left = derivative_box(e, s.of, s.by, _is_sharp(s, sharp))
    if s.paths:
        ways = [_way(e, [p[-1].by, *[q.of for q in reversed(p)]]) for p in s.paths]
        ways = [piece for way in ways for piece in (" and ", *way)][1:]
        yield words(*_reaches(e, s), " paths: ", *ways)
        symbols = _plus(
            [
                _times([derivative_box(e, p.of, p.by, p.plain) for p in w])
                for w in s.paths
            ]
        )
        rights = [symbols]
        if all(p.formula is not None for w in s.paths for p in w):
            rights.append(_plus([_times([box(p.formula) for p in w]) for w in s.paths]))
    else:
        yield words(*_reaches(e, s), " paths, whose products add up")
        rights = []
    final = s.formula if s.formula is not None else whole and whole.combined
    if final is not None and final.size <= MOST_SHOWN:
        rights.append(box(final))
    if rights:
        yield Equation(left, _distinct(rights))


def _is_sharp(s, sharp):
    """Whether the derivative of segment `s` is written with d: that of a scalar by the
    one variable, or a total derivative one of whose terms is the partial."""
    if s.n_paths > 1 and any(len(p) == 1 for p in s.paths):
        return True
    return sharp and s.formula is not None and not s.formula.shape


def _way(e, names):
    """x → u1 → y, as pieces of prose."""
    if len(names) > 9:
        names = [*names[:4], "⋯", *names[-4:]]
    boxes = ["⋯" if n == "⋯" else _named(e, n) for n in names]
    return [piece for b in boxes for piece in (" → ", b)][1:]


def _reaches(e, s):
    return (
        _named(e, s.by),
        " reaches ",
        _named(e, s.of),
        f" along {grouped(s.n_paths)}",
    )


def _product(e, d, left):
    """The product along the chain of segments."""
    names = [d.segments[-1].by, *[s.of for s in reversed(d.segments)]]
    if len(d.segments) > 1:
        yield words("multiply along the chain ", *_way(e, names))
    symbols, factors, sharp = [], [], d.sharp
    for s in d.segments:
        one = s.paths[0][0] if len(s.paths) == 1 and len(s.paths[0]) == 1 else None
        plain = one.plain if one else _is_sharp(s, sharp)
        if s.n_paths == 0:  # what is folded
            symbols.append(DOTS)
            factors.append(DOTS)
            continue
        symbols.append(derivative_box(e, s.of, s.by, plain))
        factors.append(None if s.formula is None else box(s.formula))
    rights = [_times(_elided(symbols))] if len(symbols) > 1 else []
    if None not in factors:
        rights.append(_times(_elided(factors)))
    if d.combined is not None and d.combined.size <= MOST_SHOWN:
        simplified = box(d.combined)
        if any(s.formula is None or s.formula.shape for s in d.segments):
            rights.append(simplified)
    if rights:
        yield Equation(left, _distinct(rights))
    shape = _shapes(d, len(d.segments))
    if shape:
        yield words(shape, place=REMARK)
    if shape and _all_diagonal(d):
        yield words(
            "every factor is diagonal, and so is the product: "
            "diag(∂f_i/∂g_i · ∂g_i/∂x_i)",
            place=REMARK,
        )


def _shapes(d, n):
    """The shape table, as |f| = 1, |g| = 4, |x| = 3: (1×4)·(4×3) = 1×3; or ""."""
    if d.shape == (1, 1) and all(_size(s) == (1, 1) for s in d.segments):
        return ""
    sizes = [_size(s) for s in d.segments]
    if None in sizes or n < 2 or n > MOST_FACTORS:
        return ""
    product = " · ".join(f"({a}×{b})" for a, b in sizes)
    table = f"shapes: {product} = {d.shape[0]}×{d.shape[1]}"
    if n == 2:
        (m, k), (_, n) = sizes
        table += f", as |f| = {m}, |g| = {k}, |x| = {n}"
    return table


def _size(s):
    f = s.formula
    if f is None or len(f.shape) not in (0, 2):
        return None
    return f.shape or (1, 1)


def _all_diagonal(d):
    kinds = ("diag", "eye")
    return len(d.segments) > 1 and all(
        s.formula is not None and s.formula.head in kinds for s in d.segments
    )


def _elided(factors):
    if len(factors) <= MOST_FACTORS:
        return factors
    return [*factors[:3], DOTS, *factors[-3:]]


def _times(factors):
    if len(factors) == 1:
        return factors[0]
    parts = []
    for i, f in enumerate(factors):
        if i:
            parts.append(op("·", True))
        tight = f.binds >= PRODUCT and f.kind != "cases"
        signed = i > 0 and f.kind == "row" and f.parts[0] == op("−")
        parts.append(paren(f) if signed or not tight else f)
    return row(*parts)


def _plus(terms):
    parts = []
    for i, term in enumerate(terms):
        if i:
            parts.append(op("+", True))
        parts.append(term if term.binds >= PRODUCT else paren(term))
    return row(*parts, binds=SUM) if len(terms) > 1 else terms[0]


def _distinct(boxes):
    found = []
    for b in boxes:
        if b not in found:
            found.append(b)
    return tuple(found)


# ---- 4: the result ----


def _pulled(left, pulled):
    """(∂y/∂A)ᵀ·v: what reverse mode computes where the derivative is no matrix."""
    seeds = [f for n, f in symbols(pulled).items() if n.startswith("v@")]
    v = box(seeds[0]) if seeds else box(sym("v"))
    return row(
        Box("sup", (paren(left), Box("transpose", (), ATOM)), PRODUCT), op("·"), v
    )


def _result(e, d):
    left = derivative_box(e, d.of, d.by, d.sharp)
    note = "" if d.shape == (1, 1) else f"{d.shape[0]}×{d.shape[1]}"
    if d.result is None and d.pulled is not None:
        yield Equation(_pulled(left, d.pulled), (box(d.pulled),), note)
        return
    if d.result is None:
        if not d.segments and d.value is not None and not np.any(d.value):
            yield Equation(left, (box(zeros(())),), note)
        elif d.value is not None:
            note = "the formula in terms of the inputs alone is too long to show"
            many = f"{np.size(d.value)} numbers"
            shown = Box("words", (number(d.value) or many,), ATOM)
            yield Equation(left, (shown,), note)
        elif d.combined is None:
            yield words(derivative_box(e, d.of, d.by, d.sharp), TOO_LONG)
        return
    rights = [*_substituted(e, d), piecewise(d.result)]
    rights += in_sums(d.result)
    key = _key("derivative", d.by, d)
    yield Equation(left, _distinct(rights), note, _news(d.result, d.value), key=key)
    if d.gradient is not None and _has_product(d.gradient):
        turned = Box("sup", (paren(left), Box("transpose", (), ATOM)), PRODUCT)
        yield Equation(turned, (piecewise(d.gradient),))


def _has_product(f):
    return f.head == "dot" or (f.head == "prod" and f.args[-1].head == "dot")


def _substituted(e, d):
    """The factors of the chain with the intermediate variables put back."""
    if len(d.segments) < 2 or len(d.segments) > MOST_FACTORS or d.shape != (1, 1):
        return
    if any(s.formula is None or s.formula.shape for s in d.segments):
        return
    meanings = {}
    try:
        for s in e.shown:
            meanings[s.name] = substitute(s.formula, meanings)
        factors = [substitute(s.formula, meanings) for s in d.segments]
    except (TooLarge, Mismatch):
        return
    if d.result.head == "prod" and d.result.args == tuple(factors):
        return  # the result says the same
    if sum(f.size for f in factors) <= MOST_SHOWN and not all(map(is_one, factors)):
        if chain.combined(d.segments) is not None:
            yield _times([box(f) for f in factors])
