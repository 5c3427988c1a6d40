"""Expressions as text: what is read, what it means, and how the rest is refused."""

import random

import numpy as np
import pytest

import pygradc as pg
from pygradc import ExpressionError
from pygradc._parse import FUNCTIONS, parse, read_values

V = np.array([1.0, -2.0, 3.0])
M = np.arange(6.0).reshape(3, 2)

MEANINGS = {
    "1 + 2 * 3 ** 2": 19,
    "-2 ** 2": -4,
    "7 // 2 + 7 % 4": 6,
    "- - 3": 3,
    "0x10 + 1_000": 1016,
    "1 / 0": np.inf,
    "9**9**9": np.inf,
    "1e999 - 1e999": np.nan,
    "pi + e": np.pi + np.e,
    "V @ V": 14,
    "dot(V, V)": 14,
    "V @ M": V @ M,
    "t(M) @ V": M.T @ V,
    "[1, 2, 3] + V": V + [1, 2, 3],
    "[[1, 2], [3, 4]] @ [1, 1]": [3, 7],
    "V[0] + V[-1]": 4,
    "V[1:]": V[1:],
    "M[1, 0]": 2,
    "M[:, 1]": M[:, 1],
    "max(V)": 3,
    "max(0, V)": np.maximum(0, V),
    "min(1, V, 2)": np.minimum(1, V),
    "sum(V) + mean(V) + prod(V)": 2 + 2 / 3 - 6,
    "norm(V)": np.sqrt(14),
    "where(V > 0, V, 0)": [1, 0, 3],
    "1 if 2 < 1 else 5": 5,
    "0 < V < 2": [True, False, False],
    "V > 0 and not V > 2": [True, False, False],
    "ln(e) + log(1)": 1,
    "relu(V)": [1, 0, 3],
    "sum(softmax(V))": 1,
    "logsumexp([0, 0])": np.log(2),
    "var(V) - std(V)**2": 0,
    "cumsum(V)": [1, -1, 2],
    "outer(V, V)": np.outer(V, V),
    "arctan2(1, 1)": np.pi / 4,
    "(1 +\n 2)": 3,
}


@pytest.mark.parametrize("text", MEANINGS)
def test_value(text):
    f = parse(text)
    got = f(*[{"V": V, "M": M}[n] for n in f.names])
    np.testing.assert_allclose(got, MEANINGS[text], rtol=1e-14, atol=1e-15)


def test_names_are_in_order_of_appearance():
    assert parse("b*a if c else pi*b + a[0]").names == ("b", "a", "c")
    assert parse("3").names == ()


def test_gradient_of_a_text():
    f = parse("sin(x + x**2) + y*[1, 2] @ w")
    args = 2.0, 3.0, np.array([1.0, 2.0])
    dx, dy, dw = pg.grad(f, argnums=(0, 1, 2))(*args)
    np.testing.assert_allclose(dx, 5 * np.cos(6), rtol=1e-14)
    np.testing.assert_allclose(dy, 5, rtol=1e-14)
    np.testing.assert_allclose(dw, [3, 6], rtol=1e-14)


def test_a_long_sum_is_not_deep():
    assert parse("+".join(["x"] * 900))(1.0) == 900


def test_every_elementwise_row_is_a_function():
    rows = {r.name for r in pg.ops() if r.c is not None and r.arity}
    assert rows - set(FUNCTIONS) == {"annihilate", "annihilate_both"} & rows


REFUSED = {
    # text: (words of the reason, place of the caret)
    "x^2": ("write ** for a power", 1),
    "x | y": ("no bits", 2),
    "~x": ("not allowed", 0),
    "2x": ("2*x", 1),
    "3(x + 1)": ("2*(x + 1)", 0),
    "x = 2": ("==", 2),
    "f(x)(y)": ("only functions can be called", 0),
    "sn(x)": ("did you mean sin?", 0),
    "sin": ("write sin(...)", 0),
    "sin(x, y)": ("takes 1 operand, not 2", 0),
    "max()": ("1 or more", 0),
    "sin(x=1)": ("by position", 0),
    "sin(*x)": ("unpacking", 4),
    "__import__('os')": ("no function __import__", 0),
    "x.real": ("attributes", 0),
    "().__class__": ("attributes", 0),
    "lambda: 0": ("functions of your own", 0),
    "[i for i in x]": ("not allowed", 0),
    "(x := 3)": ("no assignment", 1),
    "x, y": ("[a, b]", 0),
    "'a'": ("only numbers", 0),
    "f'{x}'": ("not allowed", 0),
    "1j": ("only numbers", 0),
    "True": ("only numbers", 0),
    "...": ("only numbers", 0),
    "x[y]": ("whole number", 0),
    "x[1.5]": ("whole number", 0),
    "[]": ("at least one", 0),
    "x in y": ("compare with", 0),
    "x..y": ("this is no expression", 2),
    "x! + 1": ("this is no expression", 1),
    "x +": ("ends too early", 3),
    "((x": ("never closed", 1),
    "é + x? + 1": ("this is no expression", 5),
    "é + x.y": ("attributes", 4),
}


@pytest.mark.parametrize("text", REFUSED)
def test_refusal_shows_where(text):
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    reason, shown, caret = str(caught.value).split("\n")
    words, place = REFUSED[text]
    assert words in reason
    assert shown == "  " + text
    assert caret == "  " + " " * place + "^"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("  \n ", "empty"),
        ("x\0y", ""),
        ("x" * 10_001, "10001 characters"),
        ("(" * 201 + "x" + ")" * 201, "levels"),
        ("-" * 201 + "x", "levels"),
        ("sin(" * 150 + "-" * 60 + "x" + ")" * 150, "levels"),
        ("[" * 9000, "levels"),
        ("-" * 9999 + "x", "levels"),
        ("x**" * 300 + "x", "levels"),
        ("1" * 5000, ""),
    ],
)
def test_limits(text, words):
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    assert words in str(caught.value)
    assert all(len(line) <= 80 for line in str(caught.value).splitlines())


def test_an_operation_that_does_not_fit_is_shown():
    f = parse("x + [1, 2] @ x")
    with pytest.raises(ExpressionError) as caught:
        f(np.ones(3))
    assert str(caught.value) == (
        "@ cannot multiply (2,) by (3,)\n  x + [1, 2] @ x\n             ^"
    )
    with pytest.raises(ExpressionError, match="give them values"):
        pg.explain("w @ x")


def test_a_long_text_is_shown_around_the_caret():
    with pytest.raises(ExpressionError) as caught:
        parse("x + " * 100 + "y.z" + " + x" * 100)
    _, shown, caret = str(caught.value).split("\n")
    assert shown[caret.index("^") :].startswith("y.z")
    assert len(shown) <= 80


def test_text_of_random_tokens_is_read_or_refused():
    rng = random.Random(4)
    tokens = (
        "x y 1 2.5 1e3 + - * / ** @ // % ( ) [ ] , : . = == < >= not and or if "
        "else sin( max( dot( lambda ' \" \\ # \n \t ~ ^ | & ; { } := "
        "-> * ! ? $ é 😀 ١ _"
    ).split(" ")
    read = 0
    for _ in range(4000):
        text = "".join(rng.choice(tokens) for _ in range(rng.randrange(1, 12)))
        try:
            parse(text)
            read += 1
        except ExpressionError as e:
            assert str(e)
    assert read > 50


# ---- values ----


def test_values_are_read(tmp_path):
    np.save(tmp_path / "a.npy", M)
    (tmp_path / "b.csv").write_text("1,2\n3,4\n")
    found = read_values(
        ["x=2", "w = [1, -2]", f"A=@{tmp_path}/a.npy", f"B=@{tmp_path}/b.csv", "z=nan"]
    )
    assert found["x"] == 2.0 and type(found["x"]) is float
    np.testing.assert_array_equal(found["w"], [1, -2])
    np.testing.assert_array_equal(found["A"], M)
    np.testing.assert_array_equal(found["B"], [[1, 2], [3, 4]])
    assert np.isnan(found["z"])


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["2"], "name=value"),
        (["2=3"], "name=value"),
        (["x=1", "x=2"], "twice"),
        (["pi=3"], "constant"),
        (["x=y"], "y is not known"),
        (["x=[1, [2]]"], "same shape"),
        (["x="], "empty"),
        (["x=@/nowhere.csv"], "No such file"),
    ],
)
def test_values_that_are_none(given, words):
    with pytest.raises(ExpressionError, match=words):
        read_values(given)


def test_files_without_numbers(tmp_path):
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    (tmp_path / "b.npy").write_bytes(b"no array")
    np.save(tmp_path / "c.npy", np.array([{}], object), allow_pickle=True)
    for name in ("a.csv", "b.npy", "c.npy"):
        with pytest.raises(ExpressionError, match="holds no numbers"):
            read_values([f"x=@{tmp_path / name}"])
