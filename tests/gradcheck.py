"""gradcheck: is the derivative of a function that of its values?

`check` asks four things of a function of float64 arrays, each of the whole Jacobian J
by random directions:

1. its traced value is NumPy's, in shape and dtype;
2. J u agrees with central differences;
3. <w, J u> = <J^T w, u>, so that reverse mode agrees with forward mode;
4. the same of the gradient of <w, f>, against differences of that gradient.

Differences of step h err by h^2 f''' / 6 + eps |f| / h: about 1e-9 for h = 1e-5 where
all is of order 1, so tolerances are relative to the largest element.
"""

import numpy as np

import pygradc as pg

STEP = 1e-5


def check(f, *args, reference=None, order=2, rtol=2e-6, seed=0):
    """Raises AssertionError if a value or derivative of `f` at `args` is wrong.

    Parameters
    ----------
    f : callable
        Returns a float array, or a tree of arrays; those that are not float are
        compared by value only.
    *args : ndarray of float64
        All are differentiated.
    reference : callable, optional
        What the values must agree with: `f` itself, on plain arrays, by default.
    order : int
        1 leaves out the second derivative.
    rtol : float
        For differences, relative to the largest element.
    seed : int
        Of the directions.
    """
    rng = np.random.default_rng(seed)
    values, pullback = pg.vjp(f, *args)
    _same_values(values, (reference or f)(*args))
    u = tuple(rng.normal(size=np.shape(a)) for a in args)
    ys = _floats(values)
    if not ys:
        return
    w = [rng.normal(size=y.shape) for y in ys]

    tangent = _floats(pg.jvp(f, args, u)[1])
    change = _difference(lambda *a: _floats((reference or f)(*a)), args, u)
    for t, d in zip(tangent, change, strict=True):
        _close(t, d, rtol, "jvp and differences")

    adjoint = pullback(_weighted(values, iter(w)))
    _close(_dot(w, tangent), _dot(adjoint, u), 1e-9, "jvp and vjp", _scale(w, tangent))
    for x, dx in zip(args, adjoint, strict=True):
        assert dx.shape == np.shape(x) and dx.dtype == np.asarray(x).dtype
    if order < 2:
        return

    def total(*a):
        leaves = _floats(f(*a))
        return sum(np.sum(c * y) for c, y in zip(w, leaves, strict=True))

    slope = pg.grad(total, tuple(range(len(args))))
    bend = pg.jvp(lambda *a: slope(*a), args, u)[1]
    for b, d in zip(bend, _difference(slope, args, u), strict=True):
        _close(b, d, 10 * rtol, "second order and differences")


def leaves_of(tree):
    """Arrays in tuples and lists, in order."""
    if isinstance(tree, (tuple, list)):
        return [leaf for part in tree for leaf in leaves_of(part)]
    return [tree]


def _floats(tree):
    found = []
    for leaf in leaves_of(tree):
        if leaf is not None:
            leaf = leaf if isinstance(leaf, pg.Expr) else np.asarray(leaf)
            if leaf.dtype.kind == "f":
                found.append(leaf)
    return found


def _weighted(tree, weights):
    """`tree` with float leaves replaced by `weights`, others by zeros."""
    if isinstance(tree, (tuple, list)):
        return type(tree)([_weighted(t, weights) for t in tree])
    leaf = np.asarray(tree)
    return next(weights) if leaf.dtype.kind == "f" else np.zeros(leaf.shape)


def _same_values(values, expected):
    values, expected = leaves_of(values), leaves_of(expected)
    assert len(values) == len(expected)
    for v, e in zip(values, expected, strict=True):
        same_array(v, e)


def same_array(value, expected, rtol=1e-12):
    """Asserts equality in shape, dtype and value, up to rounding."""
    value, expected = np.asarray(value), np.asarray(expected)
    assert value.shape == expected.shape, f"shape {value.shape}, not {expected.shape}"
    assert value.dtype == expected.dtype, f"dtype {value.dtype}, not {expected.dtype}"
    if expected.dtype.kind != "f":
        np.testing.assert_array_equal(value, expected)
        return
    if expected.dtype == np.float32:
        rtol = max(rtol, 1e-5)
    finite = expected[np.isfinite(expected)]
    scale = np.abs(finite).max(initial=0.0)
    np.testing.assert_allclose(value, expected, rtol, rtol * scale)


def _difference(f, args, u):
    after = f(*[a + STEP * t for a, t in zip(args, u, strict=True)])
    before = f(*[a - STEP * t for a, t in zip(args, u, strict=True)])
    return [
        (np.asarray(x) - np.asarray(y)) / (2 * STEP)
        for x, y in zip(after, before, strict=True)
    ]


def _dot(a, b):
    return sum(float(np.sum(x * y)) for x, y in zip(a, b, strict=True))


def _scale(a, b):
    return sum(float(np.sum(np.abs(x * y))) for x, y in zip(a, b, strict=True))


def _close(value, expected, rtol, what, scale=None):
    value, expected = np.asarray(value), np.asarray(expected)
    assert value.shape == expected.shape, f"{what}: {value.shape}, {expected.shape}"
    if scale is None:
        scale = np.abs(expected).max(initial=0.0)
    np.testing.assert_allclose(value, expected, rtol, rtol * (1 + scale), err_msg=what)
