"""Random programs of array operations: compiled together they give what NumPy gives,
and their derivatives are adjoint and agree with differences."""

import numpy as np
import pytest

import pygradc as pg

UNARY = [np.sin, np.tanh, np.square, lambda x: x * 0.5, lambda x: -x, np.arctan]
BINARY = [np.add, np.multiply, np.subtract, lambda x, y: x / (2 + np.square(y))]


def reductions(rng, x):
    axis = int(rng.integers(x.ndim))
    keep = bool(rng.integers(2))
    which = [np.sum, np.mean, np.max, np.min][rng.integers(4)]
    return which(x, axis=axis if rng.integers(3) else None, keepdims=keep)


def views(rng, x):
    choice = rng.integers(6)
    if choice == 0:
        return np.transpose(x, rng.permutation(x.ndim))
    if choice == 1:
        return x[::-1]
    if choice == 2:
        return x[..., 1:] if x.shape[-1] > 2 else x
    if choice == 3:
        return x.reshape(-1)
    if choice == 4:
        return x[None]
    return np.concatenate([x, x], axis=-1) if x.size < 200 else x


def program(seed):
    """A function of two arrays, the same one at each call: it draws its operations
    anew from `seed`."""

    def run(a, b):
        rng = np.random.default_rng(seed)
        pool = [a, b]
        for _ in range(rng.integers(4, 12)):
            x = pool[rng.integers(len(pool))]
            kind = rng.integers(6)
            if kind == 0:
                pool.append(UNARY[rng.integers(len(UNARY))](x))
            elif kind <= 2:
                y = pool[rng.integers(len(pool))]
                try:
                    np.broadcast_shapes(x.shape, y.shape)
                except ValueError:
                    continue
                pool.append(BINARY[rng.integers(len(BINARY))](x, y))
            elif x.ndim == 0:
                continue
            elif kind == 3:
                pool.append(reductions(rng, x))
            elif kind == 4 and x.ndim < 4:
                pool.append(views(rng, x))
            elif x.ndim == 2:
                pool.append(x @ x.T)
        return tuple(pool[2:]) or (a,)

    return run


def inputs(seed):
    rng = np.random.default_rng(1000 + seed)
    shape = [(3, 4), (5, 1), (7,), (2, 3, 4), (1, 6), (33, 20), (2, 700)][seed % 7]
    return rng.normal(size=shape), rng.normal(size=shape[-1:])


@pytest.mark.parametrize("seed", range(150))
def test_compiled_program_agrees_with_numpy(seed):
    f, args = program(seed), inputs(seed)
    expected = f(*args)
    got = pg.jit(f)(*args)
    assert len(got) == len(expected)
    for g, e in zip(got, expected, strict=True):
        assert np.shape(g) == np.shape(e)
        np.testing.assert_allclose(g, e, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("seed", range(100))
def test_derivatives_are_adjoint_and_agree_with_differences(seed):
    f, args = program(seed), inputs(seed)
    rng = np.random.default_rng(seed)
    tangents = tuple(rng.normal(size=a.shape) for a in args)
    value, push = pg.jvp(f, args, tangents)
    cotangents = tuple(rng.normal(size=np.shape(v)) for v in value)
    _, pull = pg.vjp(f, *args)
    back = pull(cotangents)
    left = sum(np.sum(u * t) for u, t in zip(cotangents, push, strict=True))
    right = sum(np.sum(b * t) for b, t in zip(back, tangents, strict=True))
    scale = sum(
        np.sum(np.abs(u * t)) for u, t in zip(cotangents, push, strict=True)
    ) + sum(np.sum(np.abs(b * t)) for b, t in zip(back, tangents, strict=True))
    assert abs(left - right) <= 1e-12 * max(scale, 1)

    h = 1e-6
    up = f(*[a + h * t for a, t in zip(args, tangents, strict=True)])
    down = f(*[a - h * t for a, t in zip(args, tangents, strict=True)])
    for p, u, d, v in zip(push, up, down, value, strict=True):
        size = 1 + np.max(np.abs(v), initial=0) + np.max(np.abs(p), initial=0)
        assert np.max(np.abs(p - (u - d) / (2 * h)), initial=0) <= 1e-5 * size


def layered_program(seed):
    """Elementwise operations over one large space, broadcasts and sums between them:
    what a later pass may compute again."""

    def run(a, b):
        rng = np.random.default_rng(seed)
        pool = [a, a - b]
        for _ in range(rng.integers(8, 20)):
            x, y = (pool[rng.integers(len(pool))] for _ in range(2))
            kind = rng.integers(8)
            if kind < 2:
                pool.append(UNARY[rng.integers(len(UNARY))](x))
            elif kind < 5:
                pool.append(BINARY[rng.integers(len(BINARY))](x, y))
            elif kind == 5:
                pool.append(np.where(x > y, x, b))
            else:
                axis = int(rng.integers(2))
                total = [np.mean, np.max][rng.integers(2)](x, axis, keepdims=True)
                pool.append(y - total if kind == 6 else total * b)
        return pool[2:]

    return run


@pytest.mark.parametrize("seed", range(60))
def test_what_is_computed_again_has_the_same_bytes(seed):
    f, rng = layered_program(seed), np.random.default_rng(seed)
    dtype = [np.float64, np.float32][seed % 2]
    args = [rng.normal(size=s).astype(dtype) for s in ((301, 120), (120,))]
    stored = pg.jit(f)(*args)
    for got, expected in zip(stored, f(*args), strict=True):
        tolerance = 1e-9 if dtype is np.float64 else 2e-3
        np.testing.assert_allclose(got, expected, tolerance, tolerance)
    chosen = sorted({0, len(stored) // 2, len(stored) - 1})
    some = pg.jit(lambda *args: [np.sum(f(*args)[i], 1) for i in chosen])(*args)
    for i, got in zip(chosen, some, strict=True):
        assert got.tobytes() == pg.jit(lambda x: np.sum(x, 1))(stored[i]).tobytes()


def scalar_program(seed, n_ops):
    """A function of three numbers, or of arrays element by element."""

    def run(a, b, c):
        rng = np.random.default_rng(seed)
        pool = [a, b, c]
        for _ in range(n_ops):
            x, y, z = (pool[rng.integers(len(pool))] for _ in range(3))
            kind = rng.integers(7)
            if kind < 2:
                pool.append(UNARY[rng.integers(len(UNARY))](x))
            elif kind < 4:
                pool.append(np.tanh(BINARY[rng.integers(len(BINARY))](x, y)))
            elif kind == 4:
                pool.append(np.where(x > y, y, z))
            elif kind == 5:
                pool.append(np.maximum(x, y) - np.log1p(np.abs(z)))
            else:
                pool.append((x < y).astype(np.int64) * 2 + z)
        return sum(pool)

    return run


@pytest.mark.parametrize("n_ops", [3, 30, 300, 3000])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_scalars_in_cells_give_the_bytes_of_arrays_in_loops(n_ops, dtype):
    f = scalar_program(n_ops, n_ops)
    points = np.random.default_rng(n_ops).normal(size=(3, 5)).astype(dtype)
    ones = np.ones(5, dtype)
    of_arrays = pg.jit(lambda *args: (f(*args), pg.vjp(f, *args)[1](ones)))
    of_scalars = pg.jit(pg.value_and_grad(f, (0, 1, 2)))
    values, slopes = of_arrays(*points)
    np.testing.assert_allclose(values, f(*points), rtol=1e-3, atol=1e-3)
    for i, point in enumerate(points.T):
        value, slope = of_scalars(*point)
        assert value.tobytes() == values[i].tobytes()
        assert [s.tobytes() for s in slope] == [s[i].tobytes() for s in slopes]
