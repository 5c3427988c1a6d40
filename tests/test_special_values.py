"""Zeros, infinities, NaN and the ends of the range; kinks; zero annihilates.

Values follow NumPy where it has the function and C99 elsewhere. Derivatives at kinks
and of branches not taken are the lines of the documented table, in both modes.
"""

import itertools
from operator import attrgetter

import numpy as np
import pytest
from oracles import ORACLES, evaluate, mp, ulp_error
from test_ops import (
    FLOAT64,
    MODES,
    POINTWISE,
    SLOPED,
    bound,
    each_sloped,
    generator,
    same,
    smooth,
)

import pygradc as pg
from pygradc._numpy.elementwise import elementwise

LANES = 67
ORDINARY = (1.5, -2.0, 3.0, 0.5, 1.0, -1.0)
relu, sigmoid, softplus = map(elementwise, ("relu", "sigmoid", "softplus"))


def special(dtype):
    """The special values of a floating type."""
    info = np.finfo(dtype)
    least, most = info.smallest_subnormal, info.max
    some = [0.0, -0.0, np.inf, -np.inf, np.nan, least, -least, most, -most]
    return np.array(some, dtype)


def combinations(row, dtype):
    """Operands of which at least one is special, one tuple each."""
    marked = list(special(dtype))
    plain = list(np.array(ORDINARY, dtype))
    if row.kind == "ternary":
        return [(np.bool_(m), s, plain[0]) for m in (0, 1) for s in marked] + [
            (np.bool_(m), plain[0], s) for m in (0, 1) for s in marked
        ]
    if row.arity == 1:
        return [(s,) for s in marked]
    beside = [(s, p) for s in marked for p in plain]
    swapped = [(p, s) for s, p in beside]
    return beside + swapped + list(itertools.product(marked, marked))


def compiled(row, args, derive=None):
    """The row, or what `derive` makes of it and its variables, as a function of arrays
    like `args`."""
    xs = [pg.var(f"x{k}", a.shape, a.dtype) for k, a in enumerate(args)]
    y = elementwise(row.name)(*xs)
    return pg.function(xs, derive(y, xs) if derive else y)


def float_types(row):
    return [d for d in row.dtypes if d.kind == "f"]


# ---- values ----


def expected_value(row, args):
    """What the row makes of scalars, and how many ulp from it are allowed.

    Finite operands other than zeros: mpmath. The rest is convention, and NumPy's; it
    rounds in its own way."""
    oracle, dtype = ORACLES[row.name], args[-1].dtype
    with np.errstate(all="ignore"):
        convention = oracle.array(*[np.atleast_1d(a) for a in args])[0]
    if row.kind == "test":
        return convention, 0
    if all(np.isfinite(args)) and all(args):
        true = evaluate(oracle.real, args)
        if true is not None and (true or oracle.zero_sign):
            return true, oracle.ulp
    return dtype.type(convention), oracle.ulp + 1


def is_right(row, value, expected, ulp):
    if isinstance(expected, np.generic) and not np.isfinite(expected):
        return np.array_equal(value, expected, equal_nan=True)
    if row.kind == "test":
        return same(value, expected)
    if isinstance(expected, np.generic):
        if value == 0 and ORACLES[row.name].zero_sign:
            if np.signbit(value) != np.signbit(expected):
                return False
        expected = mp.mpf(float(expected))
    elif value == 0 and expected and np.signbit(value) != (expected < 0):
        return False
    return ulp_error(value, expected) <= ulp


@pytest.mark.parametrize(
    "row", [r for r in POINTWISE if float_types(r)], ids=attrgetter("name")
)
def test_special_values_follow_numpy_in_every_lane_and_leave_the_others(row, dtype):
    rng = generator(row)
    args = smooth(row, dtype, [(LANES,)] * row.arity, rng)
    f = compiled(row, args)
    ordinary = f(*args)
    for operands in combinations(row, dtype):
        first = None
        for lane in range(LANES):
            own = [a.copy() for a in args]
            for a, special_value in zip(own, operands, strict=True):
                a[lane] = special_value
            found = f(*own)
            value = found[lane]
            found[lane] = ordinary[lane]
            assert found.tobytes() == ordinary.tobytes(), (operands, lane)
            if first is None:
                first = value
                expected = expected_value(row, operands)
                assert is_right(row, value, *expected), (operands, value, *expected)
            assert same(value, first) or value != value and first != first


@each_sloped
def test_special_values_leave_the_slopes_of_other_lanes(row, dtype):
    args = smooth(row, dtype, [(LANES,)] * row.arity, generator(row))
    floats = [k for k, a in enumerate(args) if a.dtype == dtype]

    def slopes(y, xs):
        ones = np.ones(LANES, dtype)
        return [pg.grad_of(y, xs[k], ones) for k in floats]

    f = compiled(row, args, slopes)
    ordinary = f(*args)
    for value in special(dtype):
        for lane, k in itertools.product(range(LANES), floats):
            own = [a.copy() if i == k else a for i, a in enumerate(args)]
            own[k][lane] = value
            for found, before in zip(f(*own), ordinary, strict=True):
                found[lane] = before[lane]
                assert found.tobytes() == before.tobytes(), (value, lane, k)


# ---- zero annihilates ----


def all_combinations(row, dtype):
    """Every combination of special and ordinary operands as one array an operand."""
    columns = zip(*combinations(row, dtype), strict=True)
    return [np.array(c, c[0].dtype) for c in columns]


@each_sloped
def test_zero_cotangents_and_tangents_give_zero_at_special_values(row, dtype):
    f, xs = bound(elementwise(row.name), all_combinations(row, dtype))
    zeros = np.zeros_like(xs[0])
    for dx in pg.vjp(f, *xs)[1](zeros):
        assert np.array_equal(dx, zeros)
    assert np.array_equal(pg.jvp(f, xs, [zeros] * len(xs))[1], zeros)


@each_sloped
def test_branches_not_taken_give_zero_at_both_orders(row, dtype):
    f, xs = bound(elementwise(row.name), all_combinations(row, dtype))
    never = np.zeros(xs[0].shape, bool)
    zeros = np.zeros_like(xs[0])

    def masked(*xs):
        return np.where(never, f(*xs), np.zeros_like(xs[0]))

    for inner, i in itertools.product(MODES, range(len(xs))):
        slope = inner(masked, i)
        assert np.array_equal(slope(*xs), zeros)
        for outer, j in itertools.product(MODES, range(len(xs))):
            assert np.array_equal(outer(slope, j)(*xs), zeros), (inner, outer, i, j)


# Functions that are fine where the condition holds and not elsewhere.
POSITIVE = {
    "sqrt(x)": np.sqrt,
    "log(x) x": lambda x: np.log(x) * x,
    "1/x": lambda x: 1 / x,
    "x / x**3": lambda x: x / x**3,
    "x**0.5": lambda x: x**0.5,
    "x**-1.5": lambda x: x**-1.5,
    "x**x": lambda x: x**x,
    "cbrt(x)": np.cbrt,
    "log2(sqrt(x))": lambda x: np.log2(np.sqrt(x)),
    "log10(x) sqrt(x)": lambda x: np.log10(x) * np.sqrt(x),
    "exp(-1/x)": lambda x: np.exp(-1 / x),
    "arctan2(x, x)": lambda x: np.arctan2(x, x * x),
    "hypot(x, x)": lambda x: np.hypot(x, x),
    "log1p(x - 1)": lambda x: np.log1p(x - 1),
    "arccosh(x + 1)": lambda x: np.arccosh(x + 1),
    "arcsin(1 - x)": lambda x: np.arcsin(1 - x),
    "arccos(1 - x)": lambda x: np.arccos(1 - x),
    "arctanh(1 - x)": lambda x: np.arctanh(1 - x),
    "sqrt(sum of squares)": lambda x: np.sqrt(x * x + x**4),
    "log(max)": lambda x: np.log(np.maximum(x, 0.0)),
}


@pytest.mark.parametrize("f", POSITIVE.values(), ids=list(POSITIVE))
def test_where_keeps_nan_out_at_both_orders(f, dtype):
    taken = np.array([0.5, 1.25, 0.875], dtype)
    bad = np.array([0.0, -0.0, -1.0, -0.5, -np.inf, np.nan], dtype)
    x = np.resize(np.concatenate([bad, taken]), LANES)
    inside = x > 0

    def masked(x):
        return np.where(x > 0, f(x), 0)

    for inner in MODES:
        assert_only_inside(inner(masked, 0)(x), inner(f, 0)(x[inside]), inside)
        for outer in MODES:
            twice = outer(inner(masked, 0), 0)(x)
            assert_only_inside(twice, outer(inner(f, 0), 0)(x[inside]), inside)


def assert_only_inside(slope, expected, inside):
    assert np.all(np.isfinite(expected))
    np.testing.assert_allclose(slope[inside], expected, 16 * np.finfo(slope.dtype).eps)
    assert np.array_equal(slope[~inside], np.zeros(np.sum(~inside)))


# ---- kinks of elementwise functions ----

INF, NAN = np.inf, np.nan
ONE, TWO = np.full(LANES, 1.0), np.full(LANES, 2.0)
ZERO_AT_KINK = {
    "relu": (relu, (0.0, -0.0)),
    "abs": (np.abs, (0.0, -0.0)),
    "sign": (np.sign, (0.0, -0.0)),
    "floor": (np.floor, (0.0, 1.0, -3.0)),
    "ceil": (np.ceil, (0.0, 1.0, -3.0)),
    "round": (np.rint, (0.5, -1.5, 2.5)),
    "trunc": (np.trunc, (0.0, 1.0, -3.0)),
    "maximum(x, 1)": (lambda x: np.maximum(x, 1.0), (1.0,)),
    "maximum(1, x)": (lambda x: np.maximum(1.0, x), (1.0,)),
    "minimum(x, 2.5)": (lambda x: np.minimum(x, 2.5), (2.5,)),
    "minimum(2.5, x)": (lambda x: np.minimum(2.5, x), (2.5,)),
    "fmax(1, x)": (lambda x: np.fmax(1.0, x), (1.0,)),
    "fmin(x, 1)": (lambda x: np.fmin(x, 1.0), (1.0,)),
    "maximum(x, array)": (lambda x: np.maximum(x, ONE[: len(x)]), (1.0,)),
    "minimum(array, x)": (lambda x: np.minimum(TWO[: len(x)], x), (2.0,)),
    "clip(x, 1, 2)": (lambda x: np.clip(x, 1, 2), (1.0, 2.0)),
    "clip(x, None, 0)": (lambda x: np.clip(x, None, 0), (0.0, -0.0)),
    "x**0": (lambda x: x**0, (0.0, -0.0, 2.0, INF, NAN)),
    "x**0.0": (lambda x: x**0.0, (0.0, -0.0, 2.0, INF, NAN)),
    "0**x": (lambda x: 0.0**x, (0.5, 1.0, 2.0)),
    "floor_divide(x, 2)": (lambda x: x // 2, (0.0, 4.0)),
}


@pytest.mark.parametrize("f, points", ZERO_AT_KINK.values(), ids=list(ZERO_AT_KINK))
def test_derivative_at_kink_is_zero(f, points, dtype):
    for point, n in itertools.product(points, (1, 2, 7, 16, LANES)):
        x = np.full(n, point, dtype)
        for mode in MODES:
            assert np.array_equal(mode(f, 0)(x), np.zeros(n)), (point, n)


# function, operands, slope by each
KINKS = {
    "maximum": (np.maximum, (1.0, 1.0), (0.5, 0.5)),
    "maximum of zeros": (np.maximum, (0.0, -0.0), (0.5, 0.5)),
    "minimum": (np.minimum, (-2.0, -2.0), (0.5, 0.5)),
    "minimum of zeros": (np.minimum, (0.0, -0.0), (0.5, 0.5)),
    "fmax": (np.fmax, (1.0, 1.0), (0.5, 0.5)),
    "fmin": (np.fmin, (1.0, 1.0), (0.5, 0.5)),
    "maximum of infinities": (np.maximum, (INF, INF), (0.5, 0.5)),
    "maximum(x, x)": (lambda x: np.maximum(x, x), (1.0,), (1.0,)),
    "clip between variables": (np.clip, (1.0, 1.0, 3.0), (0.5, 0.5, 0.0)),
    "hypot": (np.hypot, (0.0, 0.0), (0.0, 0.0)),
    "hypot of zeros": (np.hypot, (-0.0, 0.0), (0.0, 0.0)),
    "hypot(x, 0)": (lambda x: np.hypot(x, 0.0), (0.0,), (0.0,)),
    "sqrt": (np.sqrt, (0.0,), (INF,)),
    "x**y, y = 0": (np.power, (2.0, 0.0), (0.0, np.log(2.0))),
    "x**y, x = y = 0": (np.power, (0.0, 0.0), (0.0, None)),
    "0**y, y = 1": (np.power, (0.0, 1.0), (1.0, 0.0)),
    "0**y, y = 2": (np.power, (0.0, 2.0), (0.0, 0.0)),
    "0**y, y = 1/2": (np.power, (0.0, 0.5), (INF, 0.0)),
    "x**2 at 0": (lambda x: x**2, (0.0,), (0.0,)),
    "x**1 at 0": (lambda x: x**1, (0.0,), (1.0,)),
    "mod": (np.mod, (7.0, 2.0), (1.0, -3.0)),
    "mod of opposite signs": (np.mod, (-7.0, 2.0), (1.0, 4.0)),
    "mod at a multiple": (np.mod, (6.0, 2.0), (1.0, -3.0)),
    "fmod": (np.fmod, (7.0, 2.0), (1.0, -3.0)),
    "fmod of opposite signs": (np.fmod, (-7.0, 2.0), (1.0, 3.0)),
    "fmod at a multiple": (np.fmod, (-6.0, 2.0), (1.0, 3.0)),
    "floor_divide": (np.floor_divide, (6.0, 2.0), (0.0, 0.0)),
    "logaddexp": (np.logaddexp, (3.0, 3.0), (0.5, 0.5)),
    "logaddexp, both -inf": (np.logaddexp, (-INF, -INF), (0.5, 0.5)),
    "logaddexp, both inf": (np.logaddexp, (INF, INF), (0.5, 0.5)),
    "logaddexp, one -inf": (np.logaddexp, (1.0, -INF), (1.0, 0.0)),
    "logaddexp, one inf": (np.logaddexp, (1.0, INF), (0.0, 1.0)),
    "logaddexp, far apart": (np.logaddexp, (1e30, -1e30), (1.0, 0.0)),
    "softplus": (softplus, (0.0,), (0.5,)),
    "softplus, far left": (softplus, (-1e30,), (0.0,)),
    "softplus, far right": (softplus, (1e30,), (1.0,)),
    "sigmoid, far right": (sigmoid, (1e30,), (0.0,)),
    "tanh, far left": (np.tanh, (-1e30,), (0.0,)),
    "expm1": (np.expm1, (0.0,), (1.0,)),
    "log1p": (np.log1p, (0.0,), (1.0,)),
    "sinc": (np.sinc, (0.0,), (0.0,)),
    # An infinite slope beside one of zero, which of them comes first being the mode's.
    "x sqrt(x)": (lambda x: x * np.sqrt(x), (0.0,), (0.0,)),
    "x log(x)": (lambda x: x * np.log(x), (0.0,), (-INF,)),
    "1/(1 + exp(-x)), far left": (lambda x: 1 / (1 + np.exp(-x)), (-800.0,), (0.0,)),
    "exp(-exp(x)), far right": (lambda x: np.exp(-np.exp(x)), (800.0,), (0.0,)),
    "tanh(exp(x)), far right": (lambda x: np.tanh(np.exp(x)), (800.0,), (0.0,)),
}


@pytest.mark.parametrize("f, at, slopes", KINKS.values(), ids=list(KINKS))
def test_derivative_at_kink(f, at, slopes, dtype):
    """The same in both modes, and whichever operands are differentiated."""
    for n in (1, 2, 7, 16, LANES):
        xs = [np.full(n, a, dtype) for a in at]
        for k, expected in enumerate(slopes):
            if expected is None:
                continue
            expected = np.full(n, expected, dtype)
            found = [mode(f, k)(*xs) for mode in MODES]
            found.append(pg.grad(lambda *xs: np.sum(f(*xs)), k)(*xs))
            for slope in found:
                assert slope.dtype == dtype
                np.testing.assert_allclose(slope, expected, 4 * np.finfo(dtype).eps)


@pytest.mark.parametrize("f", [np.maximum, np.minimum, np.logaddexp, np.hypot])
def test_derivative_at_kink_does_not_depend_on_argument_order(f, dtype):
    x = np.array([1.0, -0.0, 2.0, 0.0, -INF, 3.0, INF], dtype)
    y = np.array([1.0, 0.0, 1.0, 0.0, -INF, 4.0, INF], dtype)
    for mode in MODES:
        by_first, by_second = mode(f, 0)(x, y), mode(f, 1)(x, y)
        assert same(by_first, mode(f, 1)(y, x))
        assert same(by_second, mode(f, 0)(y, x))


def test_second_derivative_of_sinc_at_its_removable_point(dtype):
    x = np.array([0.0, -0.0, 1e-20, 1e-5], dtype)
    for outer, inner in itertools.product(MODES, MODES):
        twice = outer(inner(np.sinc, 0), 0)(x)
        np.testing.assert_allclose(twice, -(np.pi**2) / 3, 1e-5)


def test_second_derivative_of_tanh_is_zero_far_out(dtype):
    x = np.array([-1e30, -700.0, 400.0, 1e30], dtype)
    for outer, inner in itertools.product(MODES, MODES):
        assert np.array_equal(outer(inner(np.tanh, 0), 0)(x), np.zeros(4))


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_mixed_derivative_of_power_where_the_exponent_is_zero(order, dtype):
    x, y = np.array([0.5, 1.25, 7.0], dtype), np.zeros(3, dtype)
    for outer, inner in itertools.product(MODES, MODES):
        mixed = outer(inner(np.power, order[0]), order[1])(x, y)
        np.testing.assert_allclose(mixed, 1 / x, 4 * np.finfo(dtype).eps)


@pytest.mark.parametrize("f", [np.sqrt, np.log, np.reciprocal, np.cbrt])
def test_infinite_slope_of_zero_weight_is_zero(f, dtype):
    x = np.array([0.0, 1.0], dtype)
    slope = pg.grad(lambda x: np.sum(0.0 * f(x)))(x)
    assert np.array_equal(slope, [0, 0])


def test_logaddexp_is_accurate_where_it_vanishes(dtype):
    """Within 1 ulp of the value, or of 2^-46 (2^-25) of the larger operand."""
    u = generator(next(r for r in SLOPED if r.name == "logaddexp")).uniform(0, 1, 200)
    x, y = np.log(u).astype(dtype), np.log1p(-u).astype(dtype)
    values = elementwise("logaddexp")(x, y)
    least = np.ldexp(np.maximum(abs(x), abs(y)), -46 if dtype == FLOAT64 else -25)
    for a, b, value, floor in zip(x, y, values, least, strict=True):
        true = evaluate(ORACLES["logaddexp"].real, [a, b])
        unit = max(abs(value), floor) * np.finfo(dtype).eps
        assert abs(mp.mpf(float(value)) - true) <= float(unit), (a, b)


# ---- kinks of reductions and products ----


def both_modes(f, x):
    """Gradient of a scalar function, by vjp and by jvp along each element."""
    yield pg.grad(f)(x)
    basis = np.eye(x.size, dtype=x.dtype).reshape(x.size, *x.shape)
    slopes = [pg.jvp(f, (x,), (e,))[1] for e in basis]
    yield np.array(slopes, x.dtype).reshape(x.shape)


@pytest.mark.parametrize("f", [np.max, np.min, np.amax, np.amin])
def test_extrema_share_the_slope_equally(f, dtype):
    sign = 1 if f in (np.max, np.amax) else -1
    for n in (1, 2, 7, 16, LANES):
        x = np.full(n, -1.0, dtype)
        x[::3] = 2.0
        expected = (x == 2) / np.sum(x == 2)
        for slope in both_modes(f, sign * x):
            np.testing.assert_allclose(slope, expected, np.finfo(dtype).eps)


def test_extrema_share_along_an_axis(dtype):
    x = np.array([[1, 3, 3], [0, -0.0, -1], [2, 2, 2]], dtype)
    expected = [[0, 0.5, 0.5], [0.5, 0.5, 0], [1 / 3, 1 / 3, 1 / 3]]
    for slope in both_modes(lambda x: np.sum(np.max(x, axis=1)), x):
        np.testing.assert_allclose(slope, expected, np.finfo(dtype).eps)


def test_extrema_count_ties_in_a_wide_integer(dtype):
    n = 2**24 + 1 if dtype == np.float32 else 70000
    x = np.ones(n, dtype)
    slope = pg.grad(np.max)(x)
    np.testing.assert_allclose(slope, 1 / n, np.finfo(dtype).eps)
    tangent = np.zeros(n, dtype)
    tangent[-1] = n
    np.testing.assert_allclose(
        pg.jvp(np.max, (x,), (tangent,))[1], 1, np.finfo(dtype).eps
    )


@pytest.mark.parametrize("f", [np.std, lambda x: np.sum(np.std(x, axis=0))])
def test_std_of_equal_elements_has_slope_zero(f, dtype):
    x = np.full((5, 3), 1.25, dtype)
    for slope in both_modes(f, x):
        assert np.array_equal(slope, np.zeros_like(x))


ZEROS_AMONG_FACTORS = [
    [2.0, 0.0, 3.0, -4.0],
    [0.0, 5.0, 0.0, -4.0],
    [0.0, -0.0, 0.0, 2.0, 3.0],
    [0.0],
    [2.0, 3.0, 0.0],
]


def product_derivative(x, *without):
    """Of the product of `x` by the elements at `without`, all different."""
    left = np.delete(x, without)
    return np.prod(left) if len(set(without)) == len(without) else 0.0


@pytest.mark.parametrize("x", ZEROS_AMONG_FACTORS)
def test_prod_with_zeros_is_exact_at_both_orders(x, dtype):
    x = np.array(x, dtype)
    n = range(len(x))
    first = [product_derivative(x, i) for i in n]
    second = [[product_derivative(x, i, j) for j in n] for i in n]
    for slope in both_modes(np.prod, x):
        assert np.array_equal(slope, first)
    assert_hessians(np.prod, x, second)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("shape", [(3,), (3, 1), (3, 5), (5, 3), (2, 3, 7)])
def test_scans_keep_the_sign_of_zero(shape, dtype):
    x = np.resize(np.array([-0.0, -1, 0.0, 2, -0.0, 0.0, -3], dtype), shape)
    for axis in range(x.ndim):
        for f in (np.cumsum, np.cumprod):
            got, right = pg.jit(lambda x, f=f, axis=axis: f(x, axis))(x), f(x, axis)
            np.testing.assert_array_equal(np.signbit(got), np.signbit(right))
            np.testing.assert_array_equal(got, right)


@pytest.mark.parametrize("x", ZEROS_AMONG_FACTORS)
def test_cumprod_with_zeros_is_exact_at_both_orders(x, dtype):
    x = np.array(x, dtype)
    n = range(len(x))
    u = np.arange(1.0, len(x) + 1).astype(dtype)

    def weighted(x):
        return np.sum(np.cumprod(x) * u)

    def derivative(*by):
        top = max(by)
        return sum(u[k] * product_derivative(x[: k + 1], *by) for k in n[top:])

    for slope in both_modes(weighted, x):
        assert np.array_equal(slope, [derivative(i) for i in n])
    assert_hessians(weighted, x, [[derivative(i, j) for j in n] for i in n])


def assert_hessians(f, x, expected):
    """All four compositions, row by row along the unit vectors."""
    for e, row in zip(np.eye(len(x), dtype=x.dtype), expected, strict=True):

        def along(x, e=e):
            return pg.jvp(f, (x,), (e,))[1]

        assert np.array_equal(pg.vjp(pg.grad(f), x)[1](e)[0], row)
        assert np.array_equal(pg.jvp(pg.grad(f), (x,), (e,))[1], row)
        assert np.array_equal(pg.grad(along)(x), row)
        twice = [pg.jvp(along, (x,), (d,))[1] for d in np.eye(len(x), dtype=x.dtype)]
        assert np.array_equal(twice, row)
