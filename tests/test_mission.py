"""The matrix calculus of Parr & Howard (arXiv:1802.01528): every worked example.

Each formula is checked three ways: against its closed form, against central finite
differences of plain NumPy, and, where it is analytic, against the complex step.
"""

import copy

import numpy as np
import pytest

import pygradc as pg


def differences(f, x, step=1e-6):
    """Jacobian of `f` at `x` by central differences, shape f(x).shape + x.shape."""
    x = np.asarray(x, float)
    columns = []
    for i in range(x.size):
        d = np.zeros(x.size)
        d[i] = step
        d = d.reshape(x.shape)
        columns.append((np.asarray(f(x + d)) - np.asarray(f(x - d))) / (2 * step))
    return np.stack(columns, -1).reshape(np.shape(columns[0]) + x.shape)


def complex_step(f, x, step=1e-30):
    """Derivative of analytic `f` at number `x`, exact to rounding (Squire & Trapp)."""
    return np.imag(f(complex(x, step))) / step


# ---- 1. the single-variable chain rule, 2. the total derivative ----

SCALAR = {
    "sin(x^2)": (lambda x: np.sin(x**2), lambda x: 2 * x * np.cos(x**2)),
    "ln(sin(x^3)^2)": (
        lambda x: np.log(np.sin(x**3) ** 2),
        lambda x: 6 * x**2 * np.cos(x**3) / np.sin(x**3),
    ),
    "x + x^2": (lambda x: x + x**2, lambda x: 1 + 2 * x),
    "sin(x + x^2)": (
        lambda x: np.sin(x + x**2),
        lambda x: np.cos(x + x**2) * (1 + 2 * x),
    ),
    "x x^2": (lambda x: x * x**2, lambda x: 3 * x**2),
}


@pytest.mark.parametrize("name", SCALAR)
@pytest.mark.parametrize("at", [0.3, 1.1, -0.7, 1.9])
def test_scalar_formula_has_its_derivative(name, at):
    f, slope = SCALAR[name]
    value, gradient = pg.value_and_grad(f)(at)
    _, tangent = pg.jvp(f, (at,), (1.0,))
    assert value == pytest.approx(f(at), rel=1e-15)
    assert gradient == pytest.approx(slope(at), rel=1e-14)
    assert tangent == pytest.approx(slope(at), rel=1e-14)
    assert pg.jit(pg.grad(f))(at) == gradient
    assert pg.jacobian(f)(at) == pytest.approx(slope(at), rel=1e-14)
    assert gradient == pytest.approx(differences(f, at)[()], rel=1e-7)
    assert gradient == pytest.approx(complex_step(f, at), rel=1e-13)


@pytest.mark.parametrize("name", SCALAR)
def test_scalar_formula_has_its_second_derivative(name):
    f, slope = SCALAR[name]
    expected = complex_step(slope, 0.8)
    assert pg.grad(pg.grad(f))(0.8) == pytest.approx(expected, rel=1e-13)
    assert pg.hessian(f)(0.8) == pytest.approx(expected, rel=1e-13)


def test_paths_add_and_do_not_multiply():
    """y = x + x^2: the product of the intermediate derivatives alone would be 2x."""
    assert pg.grad(lambda x: x + x**2)(3.0) == 7.0


@pytest.mark.parametrize("name", SCALAR)
def test_intermediate_variables_give_the_same_derivative(name):
    """The explicit graph: one node for each operator, derivatives node by node."""
    f, slope = SCALAR[name]
    x = pg.var("x")
    y = f(x)
    both = pg.function([x], [y, pg.grad_of(y, x)])
    value, gradient = both(1.3)
    assert value == pytest.approx(f(1.3), rel=1e-15)
    assert gradient == pytest.approx(slope(1.3), rel=1e-14)


# ---- 3. the vector chain rule ----


def test_vector_chain_rule_example():
    """y = [ln(x^2), sin(3x)] by g = [x^2, 3x], f = [ln g1, sin g2]."""
    f = lambda g: np.stack([np.log(g[0]), np.sin(g[1])])  # noqa: E731
    g = lambda x: np.stack([x**2, 3 * x])  # noqa: E731
    x = 1.7
    whole = pg.jacobian(lambda x: f(g(x)))(x)
    product = pg.jacobian(f)(g(x)) @ pg.jacobian(g)(x)
    assert whole == pytest.approx(np.array([2 / x, 3 * np.cos(3 * x)]), rel=1e-14)
    assert product == pytest.approx(whole, rel=1e-15)


A = np.array([[1.0, -2.0], [0.5, 3.0], [2.0, 0.25]])  # 3 x 2

INNER = {
    ("scalar", "scalar"): lambda x: np.sin(x),
    ("scalar", "vector"): lambda x: np.sum(np.sin(x)),
    ("vector", "scalar"): lambda x: np.stack([x**2, np.sin(x), 3 * x]),
    ("vector", "vector"): lambda x: A @ np.sin(x),
}
OUTER = {
    ("scalar", "scalar"): lambda g: np.exp(g),
    ("scalar", "vector"): lambda g: np.sum(g**3),
    ("vector", "scalar"): lambda g: np.stack([g**2, np.cos(g)]),
    ("vector", "vector"): lambda g: np.stack([g[0] * g[1], g[2], g[1] ** 2, g[0]]),
}
SHAPES = [
    (f, g, x)
    for f in ("scalar", "vector")
    for g in ("scalar", "vector")
    for x in ("scalar", "vector")
]


def as_matrix(jacobian, rows, columns):
    return np.asarray(jacobian).reshape(rows, columns)


@pytest.mark.parametrize(("f_kind", "g_kind", "x_kind"), SHAPES)
def test_shape_table(f_kind, g_kind, x_kind):
    """m x k times k x n for m = |f|, k = |g|, n = |x|."""
    f, g = OUTER[f_kind, g_kind], INNER[g_kind, x_kind]
    x = 0.7 if x_kind == "scalar" else np.array([0.7, -0.4])
    inner = g(x)
    m, k, n = np.size(f(inner)), np.size(inner), np.size(x)
    left = pg.jacobian(f)(inner)
    right = pg.jacobian(g)(x)
    whole = pg.jacobian(lambda x: f(g(x)))(x)
    assert np.shape(left) == np.shape(f(inner)) + np.shape(inner)
    assert np.shape(right) == np.shape(inner) + np.shape(x)
    assert np.shape(whole) == np.shape(f(inner)) + np.shape(x)
    product = as_matrix(left, m, k) @ as_matrix(right, k, n)
    np.testing.assert_allclose(as_matrix(whole, m, n), product, rtol=1e-13)
    np.testing.assert_allclose(
        as_matrix(whole, m, n),
        differences(lambda x: f(g(x)), x).reshape(m, n),
        rtol=1e-6,
        atol=1e-8,
    )


def test_elementwise_jacobian_is_kept_as_its_diagonal():
    x = np.linspace(0.1, 2, 1000)
    jacobian = pg.jacobian(lambda x: np.sin(x**2))(x)
    assert isinstance(jacobian, pg.Diagonal)
    assert jacobian.nbytes == 8 * 1000
    np.testing.assert_allclose(jacobian.diagonal, 2 * x * np.cos(x**2), rtol=1e-13)


def test_diagonal_jacobian_acts_as_the_matrix():
    x = np.array([1.0, 2.0, 3.0])
    jacobian = pg.jacobian(np.square)(x)
    dense = np.diag(2 * x)
    v, m = np.array([1.0, -1.0, 0.5]), np.arange(6.0).reshape(3, 2)
    np.testing.assert_array_equal(jacobian.todense(), dense)
    np.testing.assert_array_equal(jacobian @ v, dense @ v)
    np.testing.assert_array_equal(jacobian @ m, dense @ m)
    np.testing.assert_array_equal(m.T @ jacobian, m.T @ dense)
    np.testing.assert_array_equal(jacobian.T.todense(), dense.T)
    np.testing.assert_array_equal(np.asarray(jacobian), dense)
    assert jacobian.shape == (3, 3)


def test_a_diagonal_has_what_ndarrays_have():
    x = np.array([1.0, 2.0, 3.0])
    jacobian, dense = pg.jacobian(np.square)(x), np.diag(2 * x)
    assert jacobian.sum() == 12 and jacobian.max() == 6 and jacobian.size == 9
    np.testing.assert_array_equal(jacobian.reshape(-1), dense.ravel())
    np.testing.assert_array_equal(jacobian.astype(np.float32), dense)
    np.testing.assert_array_equal(jacobian > 3, dense > 3)
    np.testing.assert_array_equal(copy.deepcopy(jacobian) // 4, dense // 4)
    with pytest.raises(ValueError, match="read-only"):
        jacobian.fill(0)
    with pytest.raises(AttributeError, match="sums"):
        jacobian.sums()


def test_a_diagonal_multiplies_traced_values():
    jacobian = pg.jacobian(np.square)(np.array([1.0, 2.0]))
    for f in (lambda v: jacobian @ v, lambda v: v @ jacobian):
        slope = pg.grad(lambda v, f=f: np.sum(f(v)))
        np.testing.assert_array_equal(slope(np.ones(2)), [2, 4])
    weights = np.arange(6.0).reshape(2, 3)
    slope = pg.grad(lambda m: np.sum(weights * (jacobian @ m)))(np.ones((2, 3)))
    np.testing.assert_array_equal(slope, np.diag([2.0, 4]) @ weights)


def test_diagonal_product_is_the_chain_rule_of_elementwise_functions():
    """diag(df_i/dg_i) diag(dg_i/dx_i) = diag(df_i/dg_i dg_i/dx_i)."""
    x = np.array([0.3, 0.8])
    g = np.square
    whole = pg.jacobian(lambda x: np.sin(g(x)))(x)
    product = pg.jacobian(np.sin)(g(x)) @ pg.jacobian(g)(x)
    assert isinstance(product, pg.Diagonal)
    np.testing.assert_allclose(product.diagonal, whole.diagonal, rtol=1e-15)


def test_a_broadcast_operand_is_no_diagonal():
    jacobian = pg.jacobian(lambda x: x * x[0])(np.array([2.0, 3.0]))
    np.testing.assert_array_equal(jacobian, [[4.0, 0.0], [3.0, 2.0]])


# ---- 4. the gradient of the neuron ----

W, X1, B = np.array([0.5, -1.0, 2.0]), np.array([1.0, 0.5, -0.25]), 0.75


def neuron(w, x, b):
    return np.maximum(0, np.dot(w, x) + b)


def test_dot_product_is_a_sum_of_products():
    direct = pg.grad(np.dot, (0, 1))(W, X1)
    by_sum = pg.grad(lambda w, x: np.sum(w * x), (0, 1))(W, X1)
    for got in (direct, by_sum):
        np.testing.assert_array_equal(got[0], X1)
        np.testing.assert_array_equal(got[1], W)


def test_intermediate_jacobians_of_the_dot_product():
    """u = w (x) x, y = sum(u): du/dw = diag(x), dy/du = 1^T."""
    du = pg.jacobian(lambda w: w * X1)(W)
    dy = pg.jacobian(np.sum)(W * X1)
    np.testing.assert_array_equal(du.todense(), np.diag(X1))
    np.testing.assert_array_equal(dy, np.ones(3))
    np.testing.assert_array_equal(dy @ du, X1)


def test_affine_function_has_derivative_one_in_its_bias():
    assert pg.grad(lambda b: np.dot(W, X1) + b)(B) == 1.0


@pytest.mark.parametrize(("b", "active"), [(2.0, True), (-2.0, False), (0.5, False)])
def test_neuron_gradient_is_piecewise(b, active):
    """0^T where w.x + b <= 0 (w.x = -0.5: a tie for b = 0.5), x^T where positive."""
    value, (dw, db) = pg.value_and_grad(neuron, (0, 2))(W, X1, b)
    assert value == max(0.0, float(W @ X1) + b)
    np.testing.assert_array_equal(dw, X1 if active else np.zeros(3))
    assert db == (1.0 if active else 0.0)


def test_max_with_zero_broadcasts_over_a_vector():
    z = np.array([-1.0, 0.0, 2.0])
    jacobian = pg.jacobian(lambda z: np.maximum(0, z))(z)
    np.testing.assert_array_equal(jacobian.diagonal, [0.0, 0.0, 1.0])


# ---- 5. the gradient of the loss ----


def loss(w, b, X, y):
    return np.mean((y - np.maximum(0, X @ w + b)) ** 2)


def augmented_loss(w_hat, X_hat, y):
    return np.mean((y - np.maximum(0, X_hat @ w_hat)) ** 2)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(7)
    X = rng.normal(size=(40, 3))
    return X, np.maximum(0, X @ [1.0, -0.5, 2.0] + 0.3) + 0.1 * rng.normal(size=40)


def closed_form(w, b, X, y):
    """(2/N) sum e_i x_i^T and (2/N) sum e_i over the samples that are active."""
    z = X @ w + b
    e = np.where(z > 0, z - y, 0.0)
    return 2 / len(y) * e @ X, 2 / len(y) * np.sum(e)


def test_loss_gradient_has_its_closed_form(data):
    X, y = data
    w, b = np.array([0.2, 0.1, -0.3]), 0.05
    value, (dw, db) = pg.value_and_grad(loss, (0, 1))(w, b, X, y)
    expected_dw, expected_db = closed_form(w, b, X, y)
    assert value == pytest.approx(loss(w, b, X, y), rel=1e-14)
    np.testing.assert_allclose(dw, expected_dw, rtol=1e-12)
    assert db == pytest.approx(expected_db, rel=1e-12)
    np.testing.assert_allclose(
        dw, differences(lambda w: loss(w, b, X, y), w), rtol=1e-6
    )
    assert db == pytest.approx(differences(lambda b: loss(w, b, X, y), b)[()], rel=1e-6)


def test_loss_by_intermediate_variables(data):
    """u = max(0, w.x + b), v = y - u, C = mean(v^2), each differentiated alone."""
    X, y = data
    w, b = np.array([0.2, 0.1, -0.3]), 0.05
    u = np.maximum(0, X @ w + b)
    dC_dv = pg.jacobian(lambda v: np.mean(v**2))(y - u)
    dv_du = pg.jacobian(lambda u: y - u)(u)
    du_dw = pg.jacobian(lambda w: np.maximum(0, X @ w + b))(w)
    np.testing.assert_allclose(
        dC_dv @ dv_du @ du_dw, pg.grad(loss)(w, b, X, y), rtol=1e-12
    )


def test_a_sample_without_activation_gives_nothing():
    X, y = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([1.0, 1.0])
    w, b = np.array([-1.0, -1.0]), 0.0
    dw, db = pg.grad(loss, (0, 1))(w, b, X, y)
    np.testing.assert_array_equal(dw, [0.0, 0.0])
    assert db == 0.0


def test_both_forms_of_the_neuron_train_to_the_same_numbers(data):
    X, y = data
    X_hat = np.hstack([X, np.ones((len(X), 1))])
    step = pg.jit(pg.grad(loss, (0, 1)))
    step_hat = pg.jit(pg.grad(augmented_loss))
    w, b, w_hat = np.full(3, 0.1), 0.1, np.full(4, 0.1)
    first = loss(w, b, X, y)
    for _ in range(300):
        dw, db = step(w, b, X, y)
        w, b = w - 0.1 * dw, b - 0.1 * db
        w_hat = w_hat - 0.1 * step_hat(w_hat, X_hat, y)
    np.testing.assert_allclose(np.append(w, b), w_hat, rtol=1e-10)
    assert loss(w, b, X, y) < 0.02 < first
