"""Learning: logistic regression, a multi-layer perceptron, a mixture, an RNN."""

import numpy as np

from bench.harness import Problem, case

NO_3D = {"casadi": "has matrices, no arrays of three dimensions"}


def logsumexp(np, z):
    """log(sum(exp(z))) along axis 1."""
    top = np.max(z, axis=1, keepdims=True)
    return np.log(np.sum(np.exp(z - top), axis=1)) + top[:, 0]


def _logistic_by_hand(w, b, X, y):
    m = np.exp(-y * (X @ w + b))
    dz = -y * m / (1 + m) / len(y)
    return np.mean(np.log1p(m)), dz @ X, dz.sum()


def _logistic_loops(w, b, X, y):
    n, k = X.shape
    value, db, dw = 0.0, 0.0, np.zeros(k)
    for i in range(n):
        z = b
        for j in range(k):
            z += X[i, j] * w[j]
        m = np.exp(-y[i] * z)
        value += np.log1p(m)
        dz = -y[i] * m / (1 + m)
        db += dz
        for j in range(k):
            dw[j] += dz * X[i, j]
    return value / n, dw / n, db / n


@case("logistic", [(500, 20), (100_000, 50)])
def logistic(size, rng):
    """Logistic regression: one table read twice, two transcendentals a row."""
    X, y = rng.normal(size=size), rng.choice([-1.0, 1.0], size[0])
    return Problem(
        lambda np, w, b, X, y: np.mean(np.log1p(np.exp(-y * (X @ w + b)))),
        (0.3 * rng.normal(size=size[1]), 0.1, X, y),
        _logistic_by_hand,
        argnums=(0, 1),
        loops=_logistic_loops,
    )


# ---- a perceptron ----


def _mlp(np, w1, b1, w2, b2, w3, b3, X, labels):
    h = np.maximum(0, X @ w1 + b1)
    h = np.maximum(0, h @ w2 + b2)
    z = h @ w3 + b3
    right = z[np.arange(z.shape[0]), labels]
    return np.mean(logsumexp(np, z) - right)


def _mlp_torch(np, w1, b1, w2, b2, w3, b3, X, labels):
    h = np.relu(X @ w1 + b1)
    h = np.relu(h @ w2 + b2)
    return np.nn.functional.cross_entropy(h @ w3 + b3, labels)


def _mlp_by_hand(w1, b1, w2, b2, w3, b3, X, labels):
    h1 = np.maximum(0, X @ w1 + b1)
    h2 = np.maximum(0, h1 @ w2 + b2)
    z = h2 @ w3 + b3
    z -= z.max(axis=1, keepdims=True)
    p = np.exp(z)
    total = p.sum(axis=1, keepdims=True)
    rows = np.arange(len(z))
    value = np.mean(np.log(total[:, 0]) - z[rows, labels])
    p /= total
    p[rows, labels] -= 1
    dz = p / np.float32(len(z))
    d2 = np.where(h2 > 0, dz @ w3.T, 0)
    d1 = np.where(h1 > 0, d2 @ w2.T, 0)
    gradients = X.T @ d1, d1.sum(0), h1.T @ d2, d2.sum(0), h2.T @ dz, dz.sum(0)
    return value, *gradients


@case("mlp-f32", [1, 32, 256])
def mlp(batch, rng):
    """784-256-128-10 with ReLU and cross-entropy: products of matrices, epilogues."""
    args = []
    for n, m in ((784, 256), (256, 128), (128, 10)):
        args += [rng.normal(size=(n, m)) * np.sqrt(2 / n), 0.1 * rng.normal(size=m)]
    args.append(rng.uniform(size=(batch, 784)))
    return Problem(
        _mlp,
        (*[a.astype(np.float32) for a in args], rng.integers(0, 10, batch)),
        _mlp_by_hand,
        argnums=tuple(range(6)),
        without={"casadi": "has float64 alone"},
        instead={"torch": _mlp_torch},
    )


# ---- a mixture of Gaussians ----


def _mixture(np, a, mu, s, x):
    u = (x[:, None, :] - mu[None, :, :]) * np.exp(-s)[None, :, :]
    each = a - np.sum(s, axis=1) - 0.5 * np.sum(u**2, axis=2)
    return np.sum(logsumexp(np, each)) - x.shape[0] * np.log(np.sum(np.exp(a)))


def _mixture_by_hand(a, mu, s, x):
    inverse = np.exp(-s)
    u = (x[:, None] - mu) * inverse
    each = a - s.sum(1) - 0.5 * np.einsum("nkd,nkd->nk", u, u)
    top = each.max(axis=1, keepdims=True)
    p = np.exp(each - top)
    total = p.sum(axis=1, keepdims=True)
    p /= total
    prior = np.exp(a)
    value = np.sum(np.log(total) + top) - len(x) * np.log(prior.sum())
    da = p.sum(0) - len(x) * prior / prior.sum()
    dmu = np.einsum("nk,nkd->kd", p, u) * inverse
    ds = np.einsum("nk,nkd,nkd->kd", p, u, u) - p.sum(0)[:, None]
    return value, da, dmu, ds


@case("mixture", [(1000, 2, 5), (10_000, 10, 20)])
def mixture(size, rng):
    """Log-likelihood of n points of d dimensions under k diagonal Gaussians (ADBench's
    model): a broadcast of three dimensions, reduced twice."""
    n, d, k = size
    args = rng.normal(size=k), rng.normal(size=(k, d)), 0.3 * rng.normal(size=(k, d))
    return Problem(
        _mixture,
        (*args, rng.normal(size=(n, d))),
        _mixture_by_hand,
        argnums=(0, 1, 2),
        without=NO_3D,
    )


# ---- a recurrent network ----


def _rnn(np, W, U, b, v, x, y):
    h = x[0] @ W + b
    for t in range(1, STEPS):
        h = np.tanh(x[t] @ W + h @ U + b)
    return np.mean((h @ v - y) ** 2)


STEPS = 50


def _rnn_by_hand(W, U, b, v, x, y):
    h = [x[0] @ W + b]
    for t in range(1, STEPS):
        h.append(np.tanh(x[t] @ W + h[-1] @ U + b))
    e = h[-1] @ v - y
    de = 2 * e / len(y)
    dW, dU, db = np.zeros_like(W), np.zeros_like(U), np.zeros_like(b)
    dh = np.outer(de, v)
    for t in range(STEPS - 1, 0, -1):
        dz = dh * (1 - h[t] ** 2)
        dW += x[t].T @ dz
        dU += h[t - 1].T @ dz
        db += dz.sum(0)
        dh = dz @ U.T
    return e @ e / len(y), dW + x[0].T @ dh, dU, db + dh.sum(0), h[-1].T @ de


@case("rnn", [(4, 16), (32, 64)])
def rnn(size, rng):
    """50 steps of a tanh network, unrolled, (batch, hidden): many small products."""
    batch, n = size
    W, U = (rng.normal(size=(n, n)) / np.sqrt(n) for _ in "WU")
    x, y = rng.normal(size=(STEPS, batch, n)), rng.normal(size=batch)
    return Problem(
        _rnn,
        (W, U, 0.1 * rng.normal(size=n), rng.normal(size=n), x, y),
        _rnn_by_hand,
        argnums=(0, 1, 2, 3),
        without={
            **NO_3D,
            "PyTorch compile": "takes minutes to compile the unrolled loop",
            "pytensor": "takes minutes to compile the unrolled loop",
        },
    )
