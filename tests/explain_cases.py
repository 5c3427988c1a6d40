"""The worked examples of the mathematics that `explain` must derive, by name.

Source: T. Parr and J. Howard, The Matrix Calculus You Need For Deep Learning
(arXiv:1802.01528). Each is (function or string, values, names to differentiate by).
"""

from pathlib import Path

import numpy as np

import pygradc as pg

X2 = np.array([0.7, -0.4])
X3 = np.array([0.5, -1.0, 2.0])
W = np.array([1.0, 2.0, -0.5])
A = np.array([[1.0, 2.0], [0.5, -1.0]])
DATA = np.array([[1.0, 0.5], [-0.5, 1.0], [2.0, -1.5], [0.25, 0.75]])
TARGETS = np.array([1.0, 0.0, 2.5, 0.5])


def sine_of_square(x):
    return np.sin(x**2)


def nested(x):
    return np.log(np.sin(x**3) ** 2)


def plus_square(x):
    return x + x**2


def sine_of_sum(x):
    return np.sin(x + x**2)


def times_square(x):
    return x * x**2


def vector_of_scalar(x):
    g = np.stack([x**2, 3 * x])
    return np.stack([np.log(g[0]), np.sin(g[1])])


def vector_of_vector(x):
    g = np.stack([x[0] ** 2, 3 * x[1]])
    return np.stack([np.log(g[0]), np.sin(g[1])])


def elementwise(x):
    return np.sin(x**2)


def dot(w, x):
    return np.dot(w, x)


def sum_of_products(w, x):
    return np.sum(w * x)


def affine(w, x, b):
    return np.dot(w, x) + b


def relu(z):
    return np.maximum(0, z)


def neuron(w, x, b):
    return np.maximum(0, np.dot(w, x) + b)


def loss(w, b, X, y):
    return np.mean((y - np.maximum(0, X @ w + b)) ** 2)


def augmented(w_hat, x_hat):
    return np.maximum(0, np.dot(w_hat, x_hat))


def augmented_loss(w_hat, X_hat, y):
    return np.mean((y - np.maximum(0, X_hat @ w_hat)) ** 2)


INNER = {
    ("scalar", "scalar"): lambda x: x**2,
    ("scalar", "vector"): lambda x: np.sum(x**2),
    ("vector", "scalar"): lambda x: np.stack([x**2, 3 * x]),
    ("vector", "vector"): lambda x: A @ x,
}
OUTER = {
    ("scalar", "scalar"): lambda g: np.exp(g),
    ("scalar", "vector"): lambda g: np.sum(g**3),
    ("vector", "scalar"): lambda g: np.stack([g**2, np.cos(g)]),
    ("vector", "vector"): lambda g: np.stack([g[0] * g[1], np.sin(g[1])]),
}


def _composed(f, g):
    return lambda x: f(g(x))


X_HAT = np.hstack([DATA, np.ones((4, 1))])
CASES = {
    "sine_of_square": (sine_of_square, (2.0,), None),
    "nested": (nested, (2.0,), None),
    "plus_square": (plus_square, (2.0,), None),
    "sine_of_sum": (sine_of_sum, (2.0,), None),
    "times_square": (times_square, (2.0,), None),
    "symbolic": (sine_of_sum, (), None),
    "vector_of_scalar": (vector_of_scalar, (2.0,), None),
    "vector_of_vector": (vector_of_vector, (np.array([2.0, 0.5]),), None),
    "elementwise": (elementwise, (X3,), None),
    "dot": (dot, (W, X3), None),
    "sum_of_products": (sum_of_products, (W, X3), None),
    "affine": (affine, (W, X3, 0.25), None),
    "relu_of_scalar": (relu, (0.5,), None),
    "relu_of_vector": (relu, (X3,), None),
    "neuron": (neuron, (W, X3, 3.0), None),
    "neuron_inactive": (neuron, (W, X3, 0.25), None),
    "loss": (loss, (X2, 0.1, DATA, TARGETS), ("w", "b")),
    "augmented": (augmented, (np.append(W, 3.0), np.append(X3, 1.0)), "w_hat"),
    "augmented_loss": (augmented_loss, (np.append(X2, 0.1), X_HAT, TARGETS), "w_hat"),
}
for _f in ("scalar", "vector"):
    for _g in ("scalar", "vector"):
        for _x in ("scalar", "vector"):
            _y = _composed(OUTER[_f, _g], INNER[_g, _x])
            _at = 0.75 if _x == "scalar" else X2
            CASES[f"f_{_f}_g_{_g}_x_{_x}"] = (_y, (_at,), None)

GOLDEN = Path(__file__).parent / "golden" / "explain"


def explained(name):
    """The explanation of case `name`."""
    function, values, wrt = CASES[name]
    return pg.explain(function, *values, wrt=wrt)


if __name__ == "__main__":  # writes what the tests compare with; read it before use
    GOLDEN.mkdir(parents=True, exist_ok=True)
    for _name in CASES:
        explained(_name).save(GOLDEN / f"{_name}.txt")
        explained(_name).save(GOLDEN / f"{_name}.tex")
