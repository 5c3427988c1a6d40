"""Stencils, rolls and boundaries: concats and pads that loops put together."""

import itertools
import os
import subprocess
import sys

import numpy as np
import pytest

import pygradc as pg

SIZE = (40, 50)


def heat(u):
    for _ in range(2):
        around = u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2]
        u = u[1:-1, 1:-1] + 0.1 * (around - 4 * u[1:-1, 1:-1])
    return u


def wave(u):
    for axis in range(u.ndim):
        u = u + 0.3 * np.tanh(np.roll(u, 1, axis) - 2 * u + np.roll(u, -3, axis))
    return u


def walls(u):
    middle = np.sin(u[:, 1:-1]) * u[:, 2:] + u[:, :-2]
    return np.concatenate([u[:, :1] ** 2, middle, u[:, -1:]], axis=1) * u


def blur(u):
    v = np.pad(u, 1) * 0.5
    return (
        v[1:, 1:] * v[:-1, :-1] + v[1:, :-1] + v[:-1, 1:] - np.pad(u, [(0, 1), (1, 0)])
    )


def turned(u):
    v = np.concatenate([u.T[:30], u.T[::-1], u.T[:, :1] + 0 * u.T], axis=0)
    return np.cumsum(v, axis=0) * np.concatenate([v[-9:], v[:-9]], axis=0)


def blocks(u):
    rows = np.broadcast_to(u[:1], (3, *u.shape[1:]))
    return np.concatenate([rows, u[2:], u[:2] * 2]) ** 2 + np.concatenate([u, rows])


CASES = {
    "heat": (heat, (70, 90)),
    "heat, tall": (heat, (600, 40)),
    "wave, one axis": (wave, (5000,)),
    "wave, two axes": (wave, (130, 140)),
    "wave, three axes": (wave, (7, 50, 60)),
    "wave, four axes": (wave, (3, 5, 34, 64)),
    "walls": (walls, (90, 200)),
    "blur": (blur, (150, 131)),
    "turned": (turned, (64, 50)),
    "blocks": (blocks, (40, 9, 11)),
}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("f, shape", CASES.values(), ids=CASES)
def test_values_and_both_modes_agree(f, shape, dtype):
    rng = np.random.default_rng(3)
    u, du = (rng.uniform(0.5, 1, shape).astype(dtype) for _ in range(2))
    scale = 1 if dtype == np.float64 else 2.0**29
    value = f(u)
    np.testing.assert_allclose(pg.jit(f)(u), value, rtol=1e-14 * scale)
    dr = rng.normal(size=value.shape).astype(dtype)

    def both(u, du, dr):
        return pg.jvp(f, (u,), (du,))[1], pg.vjp(f, u)[1](dr)[0]

    forward, backward = pg.jit(both)(u, du, dr)
    products = np.sum(forward * dr, dtype=float), np.sum(backward * du, dtype=float)
    assert abs(products[0] - products[1]) <= 1e-15 * scale * np.sum(np.abs(backward))


def test_the_slope_of_a_stencil_is_that_of_its_matrix():
    """Rows of 40 elements are put together, rows of 8 are not: both are exact here."""
    for width in (8, 40):
        u = np.arange(3.0 * width).reshape(3, width)
        slope = pg.jit(pg.jacobian(lambda u: np.roll(u, 1, 1)))(u)
        matrix = np.eye(u.size)[np.roll(np.arange(u.size).reshape(u.shape), 1, 1)]
        np.testing.assert_array_equal(
            slope.reshape(u.size, u.size), matrix.reshape(-1, u.size)
        )


@pytest.mark.parametrize("f, shape", [(heat, (300, 200)), (wave, (200, 256))])
def test_threads_put_together_the_same_bytes(f, shape):
    u = np.random.default_rng(4).normal(size=shape)
    slope = pg.jit(pg.value_and_grad(lambda u: np.sum(f(u) ** 2)))
    before, results = pg.num_threads(), []
    try:
        for n in (1, 2, 5):
            pg.set_num_threads(n)
            value, g = slope(u)
            results.append((float(value), g.tobytes()))
    finally:
        pg.set_num_threads(before)
    assert results[0] == results[1] == results[2]


def test_pads_and_rolls_are_no_arrays_of_their_own():
    u = np.random.default_rng(5).normal(size=(400, 500))
    step = lambda u: np.sum(heat(u) ** 2)  # noqa: E731
    # five views of u and five pads of each cotangent are read, and four arrays written
    assert pg.jit(pg.value_and_grad(step)).memory(u).moved < 30 * u.nbytes
    roll = lambda u: np.roll(u, 1, 0) + np.roll(u, 1, 1) * u  # noqa: E731
    memory = pg.jit(roll).memory(u)
    assert memory.moved < 4.1 * u.nbytes and memory.workspace < u.nbytes / 4


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_sums_of_pads_in_any_order(order):
    """The sum of slopes at u may take the memory of one of them."""
    A, B, w = np.random.default_rng(6).normal(size=(3, 40, 40)) / 6
    parts = [
        lambda u: np.sum((A @ u) ** 3),
        lambda u: np.sum(np.sin(u[1:, 1:])),
        lambda u: np.sum(u * u * u),
        lambda u: np.sum(np.cos(u[:-1, 1:])),
    ]

    def f(w):
        u = B @ w
        return sum(parts[k](u) for k in order)

    u = B @ w
    slope = 3 * A.T @ (A @ u) ** 2 + 3 * u * u
    slope[1:, 1:] += np.cos(u[1:, 1:])
    slope[:-1, 1:] -= np.sin(u[:-1, 1:])
    np.testing.assert_allclose(pg.jit(pg.grad(f))(w), B.T @ slope, rtol=1e-10)


def random_stencils(seed):
    """Slices, rolls, pads and concats of arrays of one size, and products with a matrix
    that keep what they read in memory."""

    def fit(u):
        return np.pad(
            u, [(0, max(0, m - k)) for m, k in zip(SIZE, u.shape, strict=True)]
        )

    def run(u, M):
        rng = np.random.default_rng(seed)
        moves = [
            lambda x: np.roll(x, int(rng.integers(-3, 4)), int(rng.integers(2))),
            lambda x: fit(x[1:, :-2]),
            lambda x: np.concatenate([x[:, 5:], x[:, :5]], axis=1),
            lambda x: np.concatenate([x[-2:] * 2, x[:-2]], axis=0),
            lambda x: M @ x,
            lambda x: M @ x,
            np.tanh,
            lambda x: x * 0.5,
        ]
        pool = [u]
        for _ in range(rng.integers(6, 18)):
            recent = pool[-4:]
            x, y, z = (recent[rng.integers(len(recent))] for _ in range(3))
            moved = moves[rng.integers(len(moves))](x)
            if rng.integers(2):
                moved = [y + moved, y * np.sin(moved), y - moved * z][rng.integers(3)]
            pool.append(moved)
        return pool[-1], sum(np.sum(x[1:, 2:] * x[:-1, :-2]) for x in pool[::3])

    return run


def check_stencil(seed):
    """Values are those of NumPy, and derivatives in both modes adjoint."""
    f, rng = random_stencils(seed), np.random.default_rng(seed)
    args = rng.normal(size=SIZE), rng.normal(size=(40, 40)) / 6
    du = tuple(rng.normal(size=a.shape) for a in args)
    dr = rng.normal(size=SIZE), 1.0
    for value, expected in zip(pg.jit(f)(*args), f(*args), strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-9, atol=1e-9)
    push = pg.jit(lambda a, d: pg.jvp(f, a, d)[1])(args, du)
    pull = pg.jit(lambda a, d: pg.vjp(f, *a)[1](d))(args, dr)
    left = np.concatenate([np.ravel(p * d) for p, d in zip(push, dr, strict=True)])
    right = np.concatenate([np.ravel(p * d) for p, d in zip(pull, du, strict=True)])
    size = np.sum(np.abs(left)) + np.sum(np.abs(right))
    assert abs(np.sum(left) - np.sum(right)) <= 1e-12 * size, seed


@pytest.mark.parametrize("seed", range(150))
def test_random_stencils_have_adjoint_derivatives(seed):
    check_stencil(seed)


def test_random_stencils_without_machine_code():
    script = (
        "from pygradc import _lib; from tests.test_assemble import check_stencil\n"
        "assert not _lib.native()\n"
        "for seed in range(150): check_stencil(seed)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=dict(os.environ, PYGRADC_NATIVE="0"),
        capture_output=True,
        text=True,
        cwd=os.path.dirname(os.path.dirname(__file__)),
    )
    assert done.returncode == 0, done.stderr


def test_what_a_pad_reads_is_not_overwritten():
    """The last loop that reads u may take its memory, but not while pads need it."""

    def steps(u):
        for _ in range(4):
            u = np.sin(u)
            u = u + np.roll(u, 1)
        return u

    u = np.linspace(0, 1, 4096)
    np.testing.assert_array_max_ulp(pg.jit(steps)(u), steps(u), 8)
