"""x**y where y is a small integer, which has its own path, and where lanes differ.

The row's tests in test_ops.py and test_special_values.py take x and y from everywhere;
these take the integers, and the ends of the range that powers reach.
"""

import numpy as np
import pytest
from oracles import ORACLES, evaluate, ulp_error
from test_ops import FLOAT64, computed, same

from pygradc._numpy.elementwise import elementwise

POW = elementwise("pow")
WHOLE = {"float64": 32, "float32": 16}


def ulps(x, y):
    """Errors of x**y, where it is a number."""
    values = POW(x, y)
    true = [evaluate(ORACLES["pow"].real, pair) for pair in zip(x, y, strict=True)]
    return np.array([ulp_error(v, t) for v, t in zip(values, true, strict=True)])


def signed(rng, n, low, high):
    """Numbers of both signs with log2 |x| in [low, high)."""
    return rng.choice([-1.0, 1.0], n) * 2 ** rng.uniform(low, high, n)


def test_small_integers_are_rounded_correctly_or_nearly(dtype):
    rng, most = np.random.default_rng(1), WHOLE[dtype.name]
    for n in range(-most, most + 1):
        top = min(20, np.finfo(dtype).maxexp * 0.93 / max(abs(n), 1))
        x = signed(rng, 60, -top, top).astype(dtype)
        assert ulps(x, np.full(60, n, dtype)).max() <= 0.51, n


def test_powers_that_are_numbers_are_exact(dtype):
    digits = np.finfo(dtype).nmant + 1
    pairs = [
        (b, n) for b in range(-12, 13) for n in range(64) if abs(b) ** n < 2**digits
    ]
    x, y = np.array(pairs, dtype).T.copy()
    assert np.array_equal(POW(x, y), [float(b**n) for b, n in pairs])


def test_integers_over_the_whole_range(dtype):
    """Results up to both ends and beyond, whatever x**|y| is."""
    rng, info = np.random.default_rng(2), np.finfo(dtype)
    bottom = int(info.minexp) - int(info.nmant) - 2
    n = rng.integers(1, 40, 2000) * rng.choice([-1, 1], 2000)
    size = rng.uniform(bottom, info.maxexp + 1, 2000) / n
    keep = (size > info.minexp) & (size < info.maxexp)
    x = (rng.choice([-1, 1], 2000) * 2.0 ** np.where(keep, size, 0)).astype(dtype)
    assert ulps(x, n.astype(dtype)).max() <= 1


def test_subnormal_result_where_the_power_itself_overflows(dtype):
    info = np.finfo(dtype)
    e = np.arange(int(info.minexp) - int(info.nmant), int(info.minexp))
    for n in (2, 3, 7, 12, 16):
        x = ((-1.0) ** e * 2.0 ** (-e / n)).astype(dtype)
        y = np.full(len(x), -n, dtype)
        assert np.all(POW(x, y) != 0)
        assert ulps(x, y).max() <= 1, n


def test_integers_at_special_values():
    inf, nan = np.inf, np.nan
    table = [  # x, then x**3, x**4, x**-3, x**-4, x**0
        (0.0, 0.0, 0.0, inf, inf, 1.0),
        (-0.0, -0.0, 0.0, -inf, inf, 1.0),
        (inf, inf, inf, 0.0, 0.0, 1.0),
        (-inf, -inf, inf, -0.0, 0.0, 1.0),
        (nan, nan, nan, nan, nan, 1.0),
        (-1.0, -1.0, 1.0, -1.0, 1.0, 1.0),
    ]
    for dtype in (np.float64, np.float32):
        huge, least = np.finfo(dtype).max, np.finfo(dtype).smallest_subnormal
        ends = [(-huge, -inf, inf, -0.0, 0.0, 1.0), (-least, -0.0, 0.0, -inf, inf, 1.0)]
        rows = np.array(table + ends, dtype)
        for n, expected in zip((3, 4, -3, -4, 0), rows.T[1:], strict=True):
            value = POW(rows[:, 0].copy(), np.full(len(rows), n, dtype))
            assert np.array_equal(value, expected, equal_nan=True)
            assert np.array_equal(np.signbit(value), np.signbit(expected))


@pytest.mark.parametrize("share", [0, 0.02, 0.5, 1])
def test_bits_do_not_depend_on_the_other_lanes(dtype, share):
    """Ordinary lanes among integers, negative and subnormal x, overflow and NaN."""
    rng, info = np.random.default_rng(3), np.finfo(dtype)
    x, y = 2 ** rng.uniform(-20, 20, 700), rng.uniform(-9, 9, 700)
    odd = rng.random(700) < share
    x[odd] *= rng.choice([1, 1, -1, 0, np.inf, np.nan, info.tiny], 700)[odd]
    y[odd] = rng.choice([2, -3, 5, 12, -32, 99, 0.5, -4.5, 1e3, np.inf], 700)[odd]
    x, y = x.astype(dtype), y.astype(dtype)
    whole = POW(x, y)
    for i in range(len(x)):
        assert same(POW(x[i], y[i]), whole[i]), (x[i], y[i])
    for n in (1, 5, 8, 24, 25, 48, 67):
        assert same(computed(POW, x[n:], y[n:]), whole[n:])
        assert same(computed(POW, x[:n], y[:n]), whole[:n])


def test_where_the_logarithm_is_small_and_the_exponent_large(dtype):
    """Where the error of the logarithm counts most."""
    rng, info = np.random.default_rng(4), np.finfo(dtype)
    x = np.concatenate([rng.uniform(0.93, 1.07, 300), rng.uniform(0.7, 1.42, 300)])
    x = np.where(x == 1, 1.25, x).astype(dtype)
    y = rng.uniform(-0.98, 0.98, 600) * info.maxexp / np.log2(x.astype(FLOAT64))
    assert ulps(x, y.astype(dtype)).max() <= 0.9
