"""The cases. The first contender of each is the answer the others are checked by.

A contender that is not installed is left out by name.
"""

from functools import partial

import numpy as np

import pygradc as pg
from bench.harness import case

try:
    import autograd
    import autograd.numpy as anp
except ImportError:
    autograd = None


def _f(x):
    return np.sin(x + x**2)


@case("sin(x+x^2)", sizes=[1])
def scalar(n, rng):
    """Value and gradient at a Python float: the cost of a call."""
    x = 0.7
    yield "by hand", lambda: (np.sin(x + x**2), np.cos(x + x**2) * (1 + 2 * x))
    yield "pygradc jit", partial(pg.jit(pg.value_and_grad(_f)), x)
    yield "pygradc", partial(pg.value_and_grad(_f), x)
    if autograd:
        f = lambda x: anp.sin(x + x**2)  # noqa: E731
        yield "autograd", partial(autograd.value_and_grad(f), x)


def _neuron(w, b, x):
    return np.maximum(0, np.dot(w, x) + b)


@case("neuron", sizes=[8, 128, 4096, 1_000_000])
def neuron(n, rng):
    """max(0, w.x + b), value and gradient in w and b; memory-bound when large."""
    w, x, b = rng.normal(size=n), rng.normal(size=n), 0.3
    b += abs(float(w @ x))

    def by_hand():
        z = w @ x + b
        return max(z, 0.0), (x.copy() if z > 0 else np.zeros(n)), float(z > 0)

    def flat(f):
        def call():
            value, (dw, db) = f(w, b, x)
            return value, dw, db

        return call

    yield "by hand", by_hand
    yield "pygradc jit", flat(pg.jit(pg.value_and_grad(_neuron, (0, 1))))
    yield "pygradc", flat(pg.value_and_grad(_neuron, (0, 1)))
    if autograd:
        f = lambda w, b, x: anp.maximum(0, anp.dot(w, x) + b)  # noqa: E731
        yield "autograd", flat(autograd.value_and_grad(f, (0, 1)))


def _loss(w, b, X, y):
    return np.mean((y - np.maximum(0, X @ w + b)) ** 2)


@case("loss", sizes=[(64, 8), (1000, 100), (100_000, 100)])
def loss(size, rng):
    """The neuron's mean squared error over a table, value and gradient."""
    X, y = rng.normal(size=size), rng.normal(size=size[0])
    w, b = rng.normal(size=size[1]), 0.1

    def by_hand():
        z = X @ w + b
        v = np.maximum(0, z) - y
        e = np.where(z > 0, v, 0) * (2 / len(y))
        return v @ v / len(y), e @ X, e.sum()

    def flat(f):
        def call():
            value, (dw, db) = f(w, b, X, y)
            return value, dw, db

        return call

    yield "by hand", by_hand
    yield "pygradc jit", flat(pg.jit(pg.value_and_grad(_loss, (0, 1))))
    if autograd:
        f = lambda w, b, X, y: anp.mean(  # noqa: E731
            (y - anp.maximum(0, anp.dot(X, w) + b)) ** 2
        )
        yield "autograd", flat(autograd.value_and_grad(f, (0, 1)))


@case("matmul", sizes=[8, 32, 64, 128, 512, 1024])
def matmul(n, rng):
    """Product of square float64 matrices, against NumPy's BLAS."""
    a, b = rng.normal(size=(n, n)), rng.normal(size=(n, n))
    yield "numpy", partial(np.matmul, a, b)
    yield "pygradc jit", partial(pg.jit(np.matmul), a, b)


def _unary(name):
    @case(name, sizes=[4096, 4_000_000])
    def unary(n, rng):
        """One elementwise function: the vector math and the loop around it."""
        x = rng.uniform(0.1, 4, size=n)
        yield "numpy", partial(getattr(np, name), x)
        yield "pygradc jit", partial(pg.jit(getattr(np, name)), x)


for _name in ("exp", "log", "sin", "tanh"):
    _unary(_name)
