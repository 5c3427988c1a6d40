"""Random keys -- slices, integers, index arrays, masks, None, Ellipsis -- by NumPy's
rules: the elements read, their gradient, and assignment."""

import numpy as np
import pytest

import pygradc as pg

SHAPE = (4, 5, 6)


def entry(rng, n):
    return [
        slice(None),
        slice(1, None, 2),
        slice(None, None, -1),
        slice(2, 0, -1),
        0,
        -1,
        np.array([0, 2, -1]),
        np.array([[0], [1], [2]]),
        [1, 1, 0],
        Ellipsis,
        None,
        rng.random(n) > 0.5,
    ][rng.integers(12)]


def random_key(rng):
    """A key of one to four entries that NumPy accepts."""
    while True:
        key, axis = [], 0
        for _ in range(rng.integers(1, 5)):
            k = entry(rng, SHAPE[min(axis, 2)])
            if k is Ellipsis and any(q is Ellipsis for q in key):
                continue
            key.append(k)
            axis += k is not None and k is not Ellipsis
        try:
            np.empty(SHAPE)[tuple(key)]
        except IndexError:
            continue
        return tuple(key)


@pytest.mark.parametrize("seed", range(20))
def test_random_keys_read_what_numpy_reads(seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=SHAPE)
    for _ in range(20):
        key = random_key(rng)
        expected = x[key]
        got = pg.jit(lambda a, key=key: a[key])(x)
        assert np.shape(got) == np.shape(expected), key
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("seed", range(20))
def test_gradient_goes_back_to_the_elements_read(seed):
    rng = np.random.default_rng(100 + seed)
    x = rng.normal(size=SHAPE)
    for _ in range(10):
        key = random_key(rng)
        weights = rng.normal(size=x[key].shape)
        expected = np.zeros(SHAPE)
        np.add.at(expected, key, weights)
        got = pg.grad(lambda a, k=key, w=weights: np.sum(a[k] * w))(x)
        np.testing.assert_allclose(got, expected, rtol=1e-15, err_msg=str(key))


def random_slices(rng, shape):
    """A key of slices alone, with steps either way, that reads something."""
    while True:
        key = []
        for n in shape:
            step = int(rng.choice([1, 1, 1, -1, 2, 3, -2]))
            ends = [None, *range(n + 1)]
            key.append(slice(rng.choice(ends), rng.choice(ends), step))
        for axis in range(len(shape)):
            if rng.integers(2) == 0:
                key[axis] = slice(None, None, int(rng.choice([1, -1])))
        if np.empty(shape)[tuple(key)].size > 0:
            return tuple(key)


def phases(rng, shape):
    """Keys that share out all elements by their phase along one axis or two."""
    steps = [int(rng.choice([s for s in (1, 2, 3) if n % s == 0])) for n in shape]
    return [
        tuple(slice(i, None, s) for i, s in zip(at, steps, strict=True))
        for at in np.ndindex(*steps)
    ]


@pytest.mark.parametrize("seed", range(40))
def test_gradients_of_several_slices_add_up(seed):
    rng = np.random.default_rng(300 + seed)
    shape = [(12,), (4, 6), (2, 6, 4)][seed % 3]
    x = rng.normal(size=shape)
    for _ in range(10):
        keys = [random_slices(rng, shape) for _ in range(rng.integers(2, 6))]
        keys += phases(rng, shape) if rng.integers(2) else []
        rng.shuffle(keys)
        if rng.integers(4) == 0:
            del keys[-1]
        weights = [rng.integers(1, 9, size=x[k].shape) + 0.0 for k in keys]
        expected = np.zeros(shape)
        for k, w in zip(keys, weights, strict=True):
            expected[k] += w

        def f(a, keys=keys, weights=weights):
            return sum(np.sum(a[k] * w) for k, w in zip(keys, weights, strict=True))

        for gradient in (pg.grad(f), pg.jit(pg.grad(f))):
            np.testing.assert_array_equal(gradient(x), expected, err_msg=str(keys))


@pytest.mark.parametrize("seed", range(20))
def test_assignment_replaces_what_numpy_replaces(seed):
    rng = np.random.default_rng(200 + seed)
    x, v = rng.normal(size=SHAPE), 1.5
    for _ in range(5):
        key = random_key(rng)
        expected = x.copy()
        expected[key] = v**2

        def f(a, v, key=key):
            a[key] = v**2
            return a

        np.testing.assert_array_equal(pg.jit(f)(x, v), expected)
        slope = pg.grad(lambda v, f=f: np.sum(f(x + 0 * v, v)))(v)
        replaced = np.count_nonzero(expected != x)
        assert slope == pytest.approx(2 * v * replaced, rel=1e-12)


class Wrapped:
    """What NumPy takes for an array, as the columns of a table are."""

    def __init__(self, values):
        self.values = np.asarray(values)

    def __array__(self, dtype=None, copy=None):
        return self.values


def test_whatever_numpy_takes_for_an_array_is_a_key():
    x = np.array([1.0, 2.0, 3.0])
    for key in (Wrapped([True, False, True]), Wrapped([0, 2])):
        np.testing.assert_array_equal(
            pg.grad(lambda x, k=key: np.sum(x[k] ** 2))(x), [2, 0, 6]
        )
        np.testing.assert_array_equal(pg.jit(lambda x, k=key: x[k])(x), [1, 3])


def test_integers_and_truths_of_traced_values_are_keys_of_plain_arrays():
    table, x = np.arange(5.0) * 10, np.array([1.0, 3.5, 2.0])
    gradient = pg.grad(lambda x: np.sum(x * table[np.floor(x).astype(int)]))(x)
    np.testing.assert_array_equal(gradient, [10, 30, 20])
    assert pg.grad(lambda x: np.sum(x[0] * table[:3][x > 1]))(x)[0] == 30


def test_place_of_the_largest_in_several_axes():
    x = np.random.default_rng(0).normal(size=(4, 5))
    f = lambda x: x[np.unravel_index(np.argmax(x), x.shape)] ** 2  # noqa: E731
    for gradient in (pg.grad(f)(x), pg.jit(pg.grad(f))(x)):
        np.testing.assert_allclose(gradient, np.where(x == x.max(), 2 * x, 0))


@pytest.mark.parametrize("key", [5, -7, (0, 9), [0, 8], (slice(None), [0, -6])])
def test_keys_out_of_range_are_refused(key):
    with pytest.raises(IndexError, match="out of range"):
        pg.grad(lambda a: np.sum(a[key]))(np.zeros(SHAPE))


def test_too_many_indices_and_wrong_masks_are_refused():
    with pytest.raises(IndexError, match="4 indices for an array of shape"):
        pg.grad(lambda a: np.sum(a[0, 0, 0, 0]))(np.zeros(SHAPE))
    with pytest.raises(IndexError, match=r"boolean index of shape \(3,\)"):
        pg.grad(lambda a: np.sum(a[np.ones(3, bool)]))(np.zeros(SHAPE))


REORDERED = {
    "reversed": lambda X, w, c: X.T @ ((X @ w)[::-1] * c),
    "reversed, then multiplied": lambda X, w, c: X.T @ ((X @ w) * c)[::-1],
    "both ways": lambda X, w, c: X.T @ ((X @ w)[::-1] * c + X @ w),
    "transposed": lambda X, w, c: (
        X.T @ np.ravel((X @ w).reshape(40, 100).T * c.reshape(100, 40))
    ),
    "rolled": lambda X, w, c: X.T @ (np.roll(X @ w, 7) * c),
    "a half": lambda X, w, c: X[:2000].T @ ((X @ w)[:2000] * c[:2000]),
}


@pytest.mark.parametrize("f", REORDERED.values(), ids=REORDERED)
def test_products_with_the_same_rows_in_another_order(f):
    """Two products may share one pass over X if their rows come in the same order."""
    rng = np.random.default_rng(5)
    args = [rng.normal(size=s) for s in ((4000, 20), (20,), (4000,))]
    np.testing.assert_allclose(pg.jit(f)(*args), f(*args), rtol=1e-11, atol=1e-9)


@pytest.mark.parametrize("threads", [1, 2, 8])
def test_large_pads_and_joins_on_any_number_of_threads(threads):
    x = np.random.default_rng(7).normal(size=(700, 301))
    cuts = np.s_[::-1], np.s_[600:3:-7, 1::2], np.s_[3:4, ::-3], np.s_[10:690, 5:6]
    before = pg.num_threads()
    pg.set_num_threads(threads)
    try:
        for cut in cuts:
            slope = np.zeros_like(x)
            slope[cut] = np.cos(x[cut])
            got = pg.jit(pg.grad(lambda x, cut=cut: np.sum(np.sin(x[cut]))))(x)
            np.testing.assert_allclose(got, slope, rtol=1e-14)
        for join in (
            lambda x: np.pad(x, ((3, 5), (2, 7))),
            lambda x: np.concatenate([x, x[::-1]]),
            lambda x: np.concatenate([x[:, ::-1], x.T.reshape(x.shape)], axis=1),
        ):
            np.testing.assert_array_equal(pg.jit(join)(x), join(x))
    finally:
        pg.set_num_threads(before)
