"""One neuron, max(0, w·x + b), fitted by gradient descent on its mean squared error.

Data are scaled first: inputs to mean 0 and standard deviation 1, the target by its
standard deviation alone. max(0, s z) = s max(0, z) for s > 0, so the neuron is the same
one in other units, and one learning rate serves every table. Source: T. Parr and
J. Howard, The Matrix Calculus You Need For Deep Learning (arXiv:1802.01528), section 5.
"""

from dataclasses import dataclass

import numpy as np

import pygradc as pg


def loss(w, b, X, y):
    """C(w, b) = mean((y - max(0, X w + b))²).

    Parameters
    ----------
    w : ndarray, shape (n,)
    b : float
    X : ndarray, shape (N, n)
    y : ndarray, shape (N,)

    Returns
    -------
    float, or an Expr when traced

    Notes
    -----
    With e_i = w·x_i + b - y_i, ∂C/∂w = (2/N) Σ e_i x_iᵀ and ∂C/∂b = (2/N) Σ e_i over
    the rows whose activation is positive.
    """
    u = np.maximum(0, X @ w + b)
    v = y - u
    return np.mean(v**2)


gradient = pg.value_and_grad(loss, argnums=(0, 1))


def _spread(a):
    """By column: the largest magnitude, then mean and deviation relative to it."""
    top = np.max(np.abs(a), axis=0)
    top = np.where(top > 0, top, 1.0)
    a = a / top  # so that no square over- or underflows
    mean = np.mean(a, axis=0)
    deviation = np.sqrt(np.mean((a - mean) ** 2, axis=0))
    constant = np.max(a, axis=0) == np.min(a, axis=0)
    return top, mean, np.where(constant, 0.0, deviation)


@dataclass(frozen=True)
class Scaling:
    """Scales learned from the training rows.

    Attributes
    ----------
    top, mean, deviation : ndarray, shape (n,)
        Of each input: its largest magnitude, and mean and standard deviation relative
        to that. The deviation of a constant column is 0, and it is scaled to 0.
    unit : float
        What the target is divided by.
    """

    top: np.ndarray
    mean: np.ndarray
    deviation: np.ndarray
    unit: float

    @classmethod
    def of(cls, X, y):
        """Scaling of inputs `X`, shape (N, n), and target `y`, shape (N,)."""
        top, _, deviation = _spread(y)
        return cls(*_spread(X), float(top * (deviation if deviation > 0 else 1.0)))

    @property
    def constant(self):
        """Which inputs are constant: ndarray of bool, shape (n,)."""
        return self.deviation == 0

    def inputs(self, X):
        """`X` with mean 0 and standard deviation 1 in each column."""
        safe = np.where(self.constant, 1.0, self.deviation)
        return np.where(self.constant, 0.0, (X / self.top - self.mean) / safe)

    def per_unit(self, w):
        """Weights for inputs and target in their own units."""
        safe = np.where(self.constant, 1.0, self.deviation)
        return np.where(self.constant, 0.0, w * self.unit / safe / self.top)


def differences(X, y, rng, rows=256, parameters=100):
    """The gradient of `loss` beside central differences, at a random point.

    Parameters
    ----------
    X : ndarray, shape (N, n)
    y : ndarray, shape (N,)
    rng : numpy.random.Generator
    rows, parameters : int
        No more than these are looked at.

    Returns
    -------
    at : ndarray of int
        Which of the n weights, or n for b.
    ours, expected : ndarray
        Their partial derivatives, by reverse mode and by differences.

    Notes
    -----
    Between the kinks the loss is a quadratic, of which central differences are exact
    for every step. Of some random points the one is taken whose activations stay
    furthest from the kink.
    """
    X, y = X[:rows], y[:rows]
    n = X.shape[1]
    size = max(1.0, abs(float(np.mean(y))))

    def draw():
        w = rng.normal(size=n) * size / np.sqrt(n)
        b = rng.uniform(0.1, 0.5) * size
        return np.min(np.abs(X @ w + b)), w, b

    _, w, b = max((draw() for _ in range(20)), key=lambda point: point[0])
    p = np.append(w, b)
    _, (dw, db) = gradient(w, b, X, y)
    at = rng.permutation(n + 1)[:parameters]
    h = 1e-5 * size
    expected = np.empty(len(at))
    for k, i in enumerate(at):
        step = np.zeros(n + 1)
        step[i] = h
        up, down = p + step, p - step
        expected[k] = loss(up[:-1], up[-1], X, y) - loss(down[:-1], down[-1], X, y)
    return at, np.append(dw, db)[at], expected / (2 * h)


def largest_difference(X, y, rng):
    """How far `differences` are apart.

    Returns
    -------
    difference : float
        Largest difference of a partial derivative, relative to the largest one.
    checked : int
        Number of partial derivatives compared.
    """
    at, ours, expected = differences(X, y, rng)
    worst = np.max(np.abs(ours - expected)) / max(1e-300, np.max(np.abs(expected)))
    return float(worst), len(at)


def default_rate(X):
    """1 / the largest curvature of `loss`: the largest rate that is always safe.

    Parameters
    ----------
    X : ndarray, shape (N, n)
        Inputs of mean 0.

    Returns
    -------
    float

    Notes
    -----
    The Hessian is (2/N) Σ x̂ x̂ᵀ over some of the rows, so at most that over all.
    Beyond 500 columns its eigenvalue is bounded by the trace.
    """
    covariance = np.sum(X**2) / len(X)
    if X.shape[1] <= 500:
        covariance = np.linalg.eigvalsh(X.T @ X / len(X))[-1]
    return float(0.5 / max(1.0, covariance))


class Diverged(ArithmeticError):
    """The loss is no longer finite: the rate is too high."""


def start(X, y):
    """(w, b) where descent begins: w = 0 and b = mean(y), where every row is active; if
    that mean is not positive, a small b that is."""
    return np.zeros(X.shape[1]), max(float(np.mean(y)), 0.1)


def descend(X, y, rate, epochs):
    """Gradient descent on `loss`, one step at a time.

    Parameters
    ----------
    X : ndarray, shape (N, n)
    y : ndarray, shape (N,)
    rate : float
    epochs : int

    Yields
    ------
    value : float
        The loss before the step.
    w : ndarray, shape (n,)
        After the step.
    b : float
    slope : float
        Length of the gradient before the step.

    Raises
    ------
    Diverged

    Notes
    -----
    w ← w - rate ∂C/∂w, b ← b - rate ∂C/∂b, from `start`.
    """
    w, b = start(X, y)
    for _ in range(epochs):
        value, (dw, db) = gradient(w, b, X, y)
        w, b = w - rate * dw, b - rate * float(db)
        if not (np.isfinite(value) and np.isfinite(b) and np.all(np.isfinite(w))):
            raise Diverged
        yield float(value), w, b, float(np.hypot(np.sqrt(np.sum(dw**2)), db))
