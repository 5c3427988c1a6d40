"""np.convolve and np.correlate: values, gradients, edges, batches and threads."""

import numpy as np
import pytest

import pygradc as pg

MODES = ("full", "same", "valid")
SIZES = [(1, 1), (7, 3), (3, 7), (64, 64), (1000, 11), (3000, 700), (5000, 5000)]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("n", "m"), SIZES)
def test_value_and_gradients_are_sums_of_products(n, m, mode, dtype):
    rng = np.random.default_rng(n + m)
    x, y = (rng.normal(size=k).astype(dtype) for k in (n, m))
    w = rng.normal(size=np.convolve(x, y, mode).size).astype(dtype)
    f = pg.jit(
        pg.value_and_grad(lambda x, y: np.sum(np.convolve(x, y, mode) * w), (0, 1))
    )
    value, (dx, dy) = f(x, y)
    exact = [a.astype(float) for a in (x, y, w)]
    x, y, w = exact
    full = np.zeros(n + m - 1)
    begin = {"full": 0, "same": (min(n, m) - 1) // 2, "valid": min(n, m) - 1}[mode]
    full[begin : begin + w.size] = w
    tolerance = 1e-11 if dtype == np.float64 else 1e-3
    np.testing.assert_allclose(value, full @ np.convolve(x, y), rtol=tolerance)
    for got, other in ((dx, y), (dy, x)):
        expected = np.correlate(full, other, "valid")
        assert got.dtype == dtype
        scale = np.max(np.abs(expected))
        np.testing.assert_allclose(got, expected, atol=tolerance * scale)


@pytest.mark.parametrize("mode", MODES)
def test_what_is_not_finite_stays_where_numpy_leaves_it(mode):
    for at, value in ((0, np.inf), (2, np.nan), (5, -np.inf)):
        x = np.arange(1.0, 7.0)
        x[at] = value
        y = np.array([1.0, 2.0, 0.5])
        for a, b in ((x, y), (y, x)):
            got = pg.jit(lambda a, b: np.convolve(a, b, mode))(a, b)
            np.testing.assert_array_equal(got, np.convolve(a, b, mode))


def test_rows_of_a_batch_have_their_own_partners():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(5, 40)), rng.normal(size=(5, 9))
    rows = pg.jit(pg.vmap(lambda x, y: np.correlate(x, y, "same")))(x, y)
    shared = pg.jit(pg.vmap(lambda x: np.correlate(x, y[0], "same")))(x)
    for i in range(5):
        np.testing.assert_allclose(
            rows[i], np.correlate(x[i], y[i], "same"), rtol=1e-12
        )
        np.testing.assert_allclose(
            shared[i], np.correlate(x[i], y[0], "same"), rtol=1e-12
        )


def test_any_number_of_threads_gives_the_same_bytes():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=20_000), rng.normal(size=300)
    f = pg.jit(
        pg.value_and_grad(lambda x, y: np.sum(np.convolve(x, y) ** 2), argnums=(0, 1))
    )
    before = pg.num_threads()
    try:
        results = []
        for threads in (1, 2, 3, 8):
            pg.set_num_threads(threads)
            value, (dx, dy) = f(x, y)
            results.append((np.float64(value).tobytes(), dx.tobytes(), dy.tobytes()))
    finally:
        pg.set_num_threads(before)
    assert len(set(results)) == 1
