"""`explain`: derivations as golden files, formulas against the engine's numbers."""

import numpy as np
import pytest
from explain_cases import CASES, GOLDEN, explained

import pygradc as pg


@pytest.fixture(autouse=True)
def strict(monkeypatch):
    """A formula that disagrees with the engine is an error, not left out."""
    monkeypatch.setattr("pygradc._explain.build.STRICT", True)


# ---- the worked examples ----


@pytest.mark.parametrize("ending", ["txt", "tex"])
@pytest.mark.parametrize("name", CASES)
def test_worked_example_is_derived_as_in_the_golden_file(name, ending):
    e = explained(name)
    got = e.text() if ending == "txt" else e.latex()
    assert got == (GOLDEN / f"{name}.{ending}").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", CASES)
def test_text_fits_eighty_columns(name):
    from pygradc._explain.plain import width_of

    assert max(width_of(line) for line in explained(name).text().splitlines()) <= 80


def result(f, *args, **options):
    """The derivative by the first variable, as text."""
    return repr(pg.explain(f, *args, **options).derivatives[0].result)


@pytest.mark.parametrize(
    ("f", "expected"),
    [
        (lambda x: np.sin(x**2), "2x·cos(x²)"),
        (lambda x: np.log(np.sin(x**3) ** 2), "6x²·cos(x³)/sin(x³)"),
        (lambda x: x + x**2, "1 + 2x"),
        (lambda x: np.sin(x + x**2), "cos(x + x²)·(1 + 2x)"),
        (lambda x: x * x**2, "3x²"),
    ],
)
def test_scalar_derivative_is_what_a_person_would_write(f, expected):
    assert result(f) == expected


# ---- array functions: what a person would write, equal to the engine's numbers ----

RNG = np.random.default_rng(3)
V4, W4 = RNG.normal(size=4), RNG.normal(size=4)
M4, R34, B3 = RNG.normal(size=(4, 4)), RNG.normal(size=(3, 4)), RNG.normal(size=3)

# function, values, the derivative by the first of them
ARRAYS = {
    "quadratic form": (lambda x, A: x @ A @ x, (V4, M4), "xᵀ(A + Aᵀ)"),
    "norm": (lambda x: np.sqrt(np.sum(x**2)), (V4,), "(1/√(sum(x²)))·xᵀ"),
    "logsumexp": (
        lambda x: np.log(np.sum(np.exp(x))),
        (V4,),
        "(1/sum(eˣ))·(eˣ)ᵀ",
    ),
    "least squares": (
        lambda x, A, b: np.sum((A @ x - b) ** 2),
        (V4, R34, B3),
        "2·(Ax − b)ᵀA",
    ),
    "linear layer": (
        lambda W, x, b: np.sum(np.tanh(W @ x + b)),
        (R34, V4, B3),
        "(1/cosh(Wx + b)²)xᵀ",
    ),
    "trace": (lambda A: np.trace(A), (M4,), "I"),
    "trace of a product": (lambda A, B: np.trace(A @ B), (M4, M4.T), "Bᵀ"),
    "Frobenius": (lambda A: np.sum(A**2), (R34,), "2A"),
    "bilinear": (lambda x, y, A: np.sum(np.outer(x, y) * A), (V4, W4, M4), "yᵀAᵀ"),
    "outer product": (lambda x, y: x @ np.outer(y, y) @ x, (V4, W4), None),
    "sum of a product": (lambda A, B: np.sum(A @ B), (R34, M4), None),
    "matrix times function": (lambda x, A: A @ np.sin(x), (V4, R34), "A diag(cos(x))"),
    "softmax": (lambda x: np.exp(x) / np.sum(np.exp(x)), (V4,), None),
    "where": (
        lambda x: np.where(x > 0, x**2, -x),
        (V4,),
        "diag(2x ⊗ [x > 0] − [x ≤ 0])",
    ),
    "clip": (
        lambda x: np.clip(x, -0.5, 0.5),
        (V4,),
        "diag([x > −1/2] ⊗ [x < 1/2])",
    ),
    "cumulative sum": (lambda x: np.cumsum(x), (V4,), None),
    "reversed": (lambda x: x[::-1], (V4,), None),
    "variance": (lambda x: np.var(x), (V4,), None),
    "logistic loss": (
        lambda w, X, y: np.mean(np.log(1 + np.exp(-y * (X @ w)))),
        (V4, R34, np.sign(B3)),
        None,
    ),
}


def dense(jacobian, m, n):
    return np.asarray(jacobian, float).reshape(m, n)


@pytest.mark.parametrize("name", ARRAYS)
def test_array_function_has_its_derivative_as_formula(name):
    f, values, expected = ARRAYS[name]
    d = pg.explain(f, *values).derivatives[0]
    if expected is not None:
        assert repr(d.result) == expected
    got = np.asarray(d.value, float).reshape(d.shape)
    np.testing.assert_allclose(
        got, dense(pg.jacobian(f)(*values), *d.shape), rtol=1e-12, atol=1e-14
    )


@pytest.mark.parametrize(
    ("f", "kind"),
    [
        (lambda x: x**2, "diagonal"),
        (lambda x: x[::-1], "permutation"),
        (lambda x: x[1:3], "one-hot"),
        (lambda x: np.sum(x), "row"),
        (lambda x: np.cumsum(x), "dense"),
        (lambda x: x + 0, "identity"),
    ],
)
def test_kind_of_a_jacobian_is_told(f, kind):
    (d,) = pg.explain(f, V4).derivatives
    assert d.kind == kind
    assert d.shape == (np.size(f(V4)), 4)


def test_a_gradient_is_explained_as_a_function():
    (d,) = pg.explain(pg.grad(lambda x: np.sin(x**2)), 1.3).derivatives
    assert repr(d.result) == "2·cos(x²) − 4x²·sin(x²)"


def test_wrt_chooses_the_variables():
    e = pg.explain(CASES["neuron"][0], *CASES["neuron"][1], wrt=("b", 0))
    assert [d.by for d in e.derivatives] == ["b", "w"]
    assert [i.name for i in e.inputs if i.differentiated] == ["w", "b"]


# ---- what is explained ----


def test_an_expression_is_explained_with_its_shapes():
    X, w = pg.var("X", (5, 2)), pg.var("w", 2)
    e = pg.explain(np.sum((X @ w) ** 2), wrt="w")
    assert repr(e.derivatives[0].gradient) == "2·XᵀXw"
    assert e.value is None


def test_an_expression_takes_values_by_name():
    x = pg.var("x")
    e = pg.explain(np.sin(x**2), at={"x": 2.0})
    assert e.derivatives[0].value == pytest.approx(4 * np.cos(4.0), rel=1e-15)


def test_a_string_is_explained():
    e = pg.explain("sin(x + x**2)", at={"x": 2.0})
    assert repr(e.derivatives[0].result) == "cos(x + x²)·(1 + 2x)"


def test_shared_subexpressions_are_one_step():
    e = pg.explain(lambda x: np.sin(x**2) * np.cos(x**2))
    assert [repr(s.formula) for s in e.steps] == ["x²", "sin(u1)", "cos(u1)", "u2·u3"]


def test_names_of_steps_do_not_clash_with_arguments():
    e = pg.explain(lambda u1, y: np.sin(u1 * y), 1.0, 2.0)
    assert [s.name for s in e.steps] == ["v1", "C"]


def test_arrays_the_function_brings_along_keep_their_names():
    Q = np.eye(3)
    e = pg.explain(lambda x: Q @ x, np.ones(3))
    assert [(i.name, i.given) for i in e.inputs] == [("x", False), ("Q", True)]


def test_constants_are_exact_and_named():
    f = lambda x: np.sin(2 * np.pi * x) / 3  # noqa: E731
    assert result(f, 0.3) == "(2π/3)·cos(2πx)"


# ---- kinks and values without a number ----


@pytest.mark.parametrize(
    ("f", "at"),
    [
        (lambda x: np.abs(x), 0.0),
        (lambda x: np.maximum(0, x), 0.0),
        (lambda x: np.hypot(x, 0.0), 0.0),
        (lambda x: np.sqrt(x) * x, 0.0),
        (lambda x: 1 / x, 0.0),
        (lambda x: np.log(x), 0.0),
        (lambda x: np.sin(x) * x, np.nan),
        (lambda x: np.exp(-x) * x, np.inf),
        (lambda x: np.where(x > 0, np.sqrt(x), 0.0), -1.0),
    ],
)
def test_kinks_and_nan_give_the_engines_answer(f, at):
    (d,) = pg.explain(f, at).derivatives
    np.testing.assert_array_equal(d.value, pg.grad(f)(at))


def test_a_tie_is_shared():
    e = pg.explain(lambda x, y: np.maximum(x, y), 1.0, 1.0)
    assert [float(d.value) for d in e.derivatives] == [0.5, 0.5]


def test_piecewise_results_are_written_as_cases():
    text = explained("neuron").text()
    assert "{ 0ᵀ  if w·x + b ≤ 0" in text
    assert "{ xᵀ  if w·x + b > 0" in text


# ---- every shown formula is checked ----


def test_a_formula_that_disagrees_is_never_shown(monkeypatch):
    from pygradc._explain import build, steps
    from pygradc._explain.formula import num

    monkeypatch.setattr(steps, "tidy", lambda f: num(7))
    with pytest.raises(build.Disagreement):
        pg.explain(lambda x: np.sin(x**2), 2.0)
    monkeypatch.setattr(build, "STRICT", False)
    (d,) = pg.explain(lambda x: np.sin(x**2), 2.0).derivatives
    assert repr(d.result) == "2x·cos(x²)"  # as it was read


def test_steps_carry_numbers_partials_and_adjoints():
    e = pg.explain(lambda x: np.sin(x + x**2), 2.0)
    u1, u2, y = e.steps
    assert [float(s.value) for s in e.steps] == [4.0, 6.0, np.sin(6.0)]
    assert [(p.of, p.by, float(p.value)) for p in u2.partials] == [
        ("u2", "x", 1.0),
        ("u2", "u1", 1.0),
    ]
    assert float(u1.adjoint) == pytest.approx(np.cos(6.0))
    assert float(e.inputs[0].adjoint) == pytest.approx(5 * np.cos(6.0))
    assert y.adjoint is None


# ---- size ----


def iterated(n, step):
    def f(x):
        for _ in range(n):
            x = step(x)
        return x

    return f


@pytest.mark.parametrize("n", [30, 300, 30_000])
def test_a_deep_chain_is_folded(n):
    e = pg.explain(iterated(n, np.sin), 0.5)
    text = e.text()
    assert e.n_steps == n
    assert len(text.splitlines()) < 60
    assert "sin repeated" in text
    expected = pg.grad(iterated(n, np.sin))(0.5)
    assert float(e.derivatives[0].value) == pytest.approx(expected, rel=1e-12)


def test_a_loop_is_told_by_what_repeats():
    e = pg.explain(iterated(40, lambda x: 0.5 * (x + 2 / x)), 1.0)
    (fold,) = [s for s in e.steps if not hasattr(s, "formula")]
    assert len(fold.period) == 3 and set(fold.period) == {"div", "add", "mul"}
    assert fold.repeats == 36
    assert fold.last - fold.first + 1 == 108


def test_a_wide_sum_is_folded():
    f = lambda x: sum(x[i] ** 2 for i in range(200))  # noqa: E731
    e = pg.explain(f, np.arange(200.0))
    assert len(e.text().splitlines()) < 60
    np.testing.assert_array_equal(e.derivatives[0].value, 2 * np.arange(200.0))


def test_many_paths_do_not_blow_up():
    e = pg.explain(iterated(9, lambda x: x + np.sin(x)), 0.5)
    assert np.prod([s.n_paths for s in e.derivatives[0].segments]) == 2**9
    assert e.derivatives[0].combined is not None
    assert len(e.text().splitlines()) < 100


# ---- forms ----


@pytest.mark.parametrize("ending", [".html", ".md", ".tex", ".txt"])
def test_save_writes_the_form_its_ending_names(ending, tmp_path):
    e = explained("loss")
    e.save(tmp_path / f"e{ending}")
    form = {".html": e.html, ".md": e.markdown, ".tex": e.latex, ".txt": e.text}
    assert (tmp_path / f"e{ending}").read_text(encoding="utf-8") == form[ending]()


@pytest.mark.parametrize("name", CASES)
def test_mathml_and_html_are_well_formed(name):
    from xml.etree import ElementTree

    e = explained(name)
    for line in e.mathml().splitlines():
        assert ElementTree.fromstring(line).tag.endswith("math")
    body = e._repr_html_()
    ElementTree.fromstring(f"<div>{body}</div>")
    own = "http://www.w3.org/1998/Math/MathML", "http://www.w3.org/2000/svg"
    assert "://" not in e.html().replace(own[0], "").replace(own[1], "")


@pytest.mark.parametrize("name", CASES)
def test_latex_is_balanced(name):
    text = explained(name).latex()
    for opening, closing in (("{", "}"), ("\\left", "\\right"), ("\\[", "\\]")):
        plain = text.replace("\\{", "").replace("\\}", "")
        assert plain.count(opening) - plain.count(opening + "arrow") == plain.count(
            closing
        ) - plain.count(closing + "arrow")
    assert text.isascii()


def test_jupyter_shows_it():
    e = explained("sine_of_sum")
    assert e._repr_latex_().startswith("$$") and r"\cos" in e._repr_latex_()
    assert str(e) == e.text()
    assert repr(e) == "<Explanation of y(x): 3 steps>"


# ---- misuse ----


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: pg.explain(3), pg.DTypeError, "int is no function"),
        (lambda: pg.explain(np.sin, 1.0, wrt="q"), pg.ArgumentError, "wrt 'q'"),
        (lambda: pg.explain(np.sin, "a"), pg.DTypeError, "argument"),
        (lambda: pg.explain(lambda x: x > 0, 1.0), pg.DTypeError, "bool"),
        (lambda: pg.explain(lambda x: None, 1.0), pg.DTypeError, "NoneType"),
        (lambda: pg.explain(lambda x: x, at={"z": 1}), pg.ArgumentError, "'z'"),
        (lambda: pg.explain(lambda x, y: x, at={"x": 1}), pg.ArgumentError, "for y"),
        (lambda: pg.explain(lambda x: x, 1.0, 2.0), pg.ArgumentError, "takes 1 value"),
        (lambda: explained("dot").save("a.pdf"), pg.ArgumentError, "'a.pdf'"),
    ],
)
def test_misuse_gives_one_clear_line(call, kind, message):
    with pytest.raises(kind, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, pg.GradcError)


# ---- derivatives that are no matrix, and large ones ----


def test_a_derivative_by_a_matrix_is_told_by_its_action_on_a_cotangent():
    e = pg.explain(lambda A, B: A @ B, R34, M4)
    assert [repr(d.pulled) for d in e.derivatives] == ["vBᵀ", "Aᵀv"]
    assert "(∂y/∂A)ᵀ·v = vBᵀ" in e.text()


def test_a_large_jacobian_is_never_formed():
    x = np.linspace(0.1, 2, 100_000)
    (d,) = pg.explain(lambda x: np.sin(x**2), x).derivatives
    assert repr(d.result) == "diag(2x ⊗ cos(x²))"
    assert d.kind == "diagonal" and d.value is None


def test_reach_lists_the_nodes_a_node_depends_on():
    from pygradc._lib import OPS
    from pygradc._program import reach

    x = pg.var("x")
    np.cos(x)  # of no concern to y
    u = np.sin(x)
    y = u * u + x
    ids, ops, fans = reach(y.graph, y.id)
    assert list(ids) == sorted(ids) and ids[-1] == y.id and x.id in ids
    assert OPS["cos"] not in ops
    assert dict(zip(ids, fans, strict=True))[y.id] == 2
    assert sorted(fans) == [0, 1, 1, 2]


def test_lists_are_the_arrays_of_a_text():
    e = pg.explain("w@x", at={"w": [1.0, 2.0], "x": [0.5, -1.0]})
    assert [i.shape for i in e.inputs] == [(2,), (2,)]
    assert e.value == -1.5


def test_a_vector_without_elements_is_explained():
    e = pg.explain("x**2", at={"x": []})
    assert "(0-vector)" in e.text()
    assert e.derivatives[0].shape == (0, 0)
