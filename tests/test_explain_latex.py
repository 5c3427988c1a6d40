"""LaTeX of scalar derivatives, read back by SymPy and compared with the engine."""

import random

import numpy as np
import pytest
from sympy.parsing.latex import parse_latex

import pygradc as pg

UNARY = (
    "sin({})",
    "cos({})",
    "exp({})",
    "log(1.5 + ({})**2)",
    "sqrt(2 + ({})**2)",
    "tanh({})",
    "({})**2",
    "({})**3",
    "-({})",
    "arctan({})",
    "sinh({} / 3)",
    "1 / (2 + ({})**2)",
)
BINARY = ("({}) + ({})", "({}) - ({})", "({}) * ({})", "({}) / (3 + ({})**2)")


def expression(rng, depth):
    """A random expression of x and y that is smooth everywhere."""
    if depth == 0:
        return rng.choice(["x", "y", "x", "y", "2", "0.5", "3"])
    if rng.random() < 0.5:
        return rng.choice(UNARY).format(expression(rng, depth - 1))
    left, right = (
        expression(rng, depth - rng.choice([1, 2]) if depth > 1 else 0)
        for _ in range(2)
    )
    return rng.choice(BINARY).format(left, right)


def expressions(count):
    rng = random.Random(5)
    found = []
    while len(found) < count:
        text = expression(rng, rng.choice([2, 3, 4]))
        if "x" in text.replace("exp", "") and "y" in text:
            found.append(text)
    return found


def function_of(text):
    names = {n: getattr(np, n) for n in "sin cos exp log sqrt tanh arctan sinh".split()}
    return eval(f"lambda x, y: {text}", names)


@pytest.mark.parametrize("text", expressions(100))
def test_latex_of_a_derivative_means_the_engines_number(text, monkeypatch):
    monkeypatch.setattr("pygradc._explain.build.STRICT", True)
    from pygradc._explain.layout import box
    from pygradc._explain.markup import spell

    f, at = function_of(text), (0.7, -0.4)
    e = pg.explain(f, *at)
    expected = pg.grad(f, (0, 1))(*at)
    for d, number in zip(e.derivatives, expected, strict=True):
        formula = d.result if d.result is not None else d.combined
        assert formula is not None
        read = parse_latex(spell(box(formula)))
        values = {"e": np.e, "x": at[0], "y": at[1]}
        values.update({f"u_{{{s.index}}}": float(s.value) for s in e.shown[:-1]})
        got = read.subs({s: values[s.name] for s in read.free_symbols}).evalf()
        assert float(got) == pytest.approx(float(number), rel=1e-9, abs=1e-12)
