"""Vectors and tables: the neuron, its loss, and Rosenbrock's function."""

import numpy as np

from bench.harness import Problem, case


def _neuron_by_hand(w, b, x):
    z = w @ x + b
    return max(z, 0.0), (x.copy() if z > 0 else np.zeros(len(x))), float(z > 0)


def _neuron_loops(w, b, x):
    z = b
    for i in range(len(x)):
        z += w[i] * x[i]
    dw = np.zeros(len(x))
    if z > 0:
        dw[:] = x
    return max(z, 0.0), dw, 1.0 if z > 0 else 0.0


@case("neuron", [8, 128, 4096, 1_000_000])
def neuron(n, rng):
    """max(0, w.x + b), gradient in w and b: bound by memory when large."""
    w, x = rng.normal(size=n), rng.normal(size=n)
    return Problem(
        lambda np, w, b, x: np.maximum(0, np.dot(w, x) + b),
        (w, 0.3 + abs(float(w @ x)), x),
        _neuron_by_hand,
        argnums=(0, 1),
        loops=_neuron_loops,
    )


def _loss_by_hand(w, b, X, y):
    z = X @ w + b
    v = np.maximum(0, z) - y
    e = np.where(z > 0, v, 0) * (2 / len(y))
    return v @ v / len(y), e @ X, e.sum()


def _loss_loops(w, b, X, y):
    n, m = X.shape
    value, db, dw = 0.0, 0.0, np.zeros(m)
    for i in range(n):
        z = b
        for j in range(m):
            z += X[i, j] * w[j]
        v = max(z, 0.0) - y[i]
        value += v * v
        if z > 0:
            db += v
            for j in range(m):
                dw[j] += v * X[i, j]
    return value / n, dw * (2 / n), db * (2 / n)


@case("loss-f32", [(64, 8), (1000, 100), (100_000, 100)], dtype=np.float32)
@case("loss", [(64, 8), (1000, 100), (100_000, 100)], dtype=np.float64)
def loss(size, rng, dtype):
    """The neuron's mean squared error over a table: two matrix-vector products."""
    X, y = rng.normal(size=size), rng.normal(size=size[0])
    w, b = rng.normal(size=size[1]), 0.1 if dtype == np.float64 else dtype(0.1)
    single = {"casadi": "has float64 alone"} if dtype == np.float32 else {}
    return Problem(
        lambda np, w, b, X, y: np.mean((y - np.maximum(0, X @ w + b)) ** 2),
        (w.astype(dtype), b, X.astype(dtype), y.astype(dtype)),
        _loss_by_hand,
        argnums=(0, 1),
        loops=_loss_loops,
        without=single,
    )


# ---- Rosenbrock ----


def _rosenbrock(np, x):
    head, tail = x[:-1], x[1:]
    return np.sum(100 * (tail - head**2) ** 2 + (1 - head) ** 2)


def _rosenbrock_by_hand(x):
    head, tail = x[:-1], x[1:]
    d, e = tail - head**2, 1 - head
    slope = np.zeros_like(x)
    slope[:-1] = -400 * head * d - 2 * e
    slope[1:] += 200 * d
    return 100 * (d @ d) + e @ e, slope


def _rosenbrock_loops(x):
    value, slope = 0.0, np.zeros(len(x))
    for i in range(len(x) - 1):
        d, e = x[i + 1] - x[i] * x[i], 1 - x[i]
        value += 100 * d * d + e * e
        slope[i] -= 400 * x[i] * d + 2 * e
        slope[i + 1] = 200 * d
    return value, slope


def _bands(x):
    """Diagonal and off-diagonal of the Hessian."""
    diagonal = np.zeros_like(x)
    diagonal[:-1] = 1200 * x[:-1] ** 2 - 400 * x[1:] + 2
    diagonal[1:] += 200
    return diagonal, -400 * x[:-1]


def _hessian_by_hand(x):
    diagonal, off = _bands(x)
    return np.diag(diagonal) + np.diag(off, 1) + np.diag(off, -1)


def _product_by_hand(x, v):
    diagonal, off = _bands(x)
    product = diagonal * v
    product[:-1] += off * v[1:]
    product[1:] += off * v[:-1]
    return product


def _product_loops(x, v):
    product = np.zeros(len(x))
    for i in range(len(x) - 1):
        off = -400 * x[i]
        product[i] += (1200 * x[i] * x[i] - 400 * x[i + 1] + 2) * v[i] + off * v[i + 1]
        product[i + 1] = 200 * v[i + 1] + off * v[i]
    return product


@case("rosenbrock", [10, 1000, 1_000_000])
def rosenbrock(n, rng):
    """Rosenbrock's function and gradient: shifted slices meet in one adjoint."""
    return Problem(
        _rosenbrock,
        (rng.uniform(0.5, 1.5, n),),
        _rosenbrock_by_hand,
        loops=_rosenbrock_loops,
    )


@case("rosenbrock-hessian", [100])
def rosenbrock_hessian(n, rng):
    """The dense Hessian, which is tridiagonal (CasADi sees that)."""
    return Problem(
        _rosenbrock, (rng.uniform(0.5, 1.5, n),), _hessian_by_hand, kind="hessian"
    )


@case("rosenbrock-hvp", [10_000])
def rosenbrock_hvp(n, rng):
    """Hessian times vector, without the Hessian: forward over reverse."""
    return Problem(
        _rosenbrock,
        (rng.uniform(0.5, 1.5, n), rng.normal(size=n)),
        _product_by_hand,
        kind="hvp",
        loops=_product_loops,
    )
