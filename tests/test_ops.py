"""Every row of ops.def against its oracle: values, slopes, second order, layouts.

The rows come from the table alone; a row without an oracle fails. One process tests one
ISA path (conftest.py). Special values and kinks are in test_special_values.py.
"""

import itertools
import re
import zlib
from operator import attrgetter

import numpy as np
import pytest
from oracles import (
    ORACLES,
    POSITIONS,
    Elementwise,
    along,
    evaluate,
    exactly,
    far_slope,
    mp,
    pulled_back,
    true_slope,
    ulp_error,
)

import pygradc as pg
from pygradc._expr import lift
from pygradc._graph import Graph
from pygradc._lib import lib, printed
from pygradc._numpy.elementwise import elementwise

ROWS = pg.ops()
POINTWISE = [r for r in ROWS if r.kind in ("unary", "binary", "ternary", "test")]
SLOPED = [r for r in POINTWISE if r.kind != "test"]
CASES = [
    pytest.param(row, case, id=f"{row.name}-{i}")
    for row in ROWS
    if row.kind in ("linear", "general")
    for i, case in enumerate(ORACLES[row.name])
]
MOVING_CASES = [p for p in CASES if p.values[0].name not in POSITIONS]
BOOL, INT64, FLOAT64, FLOAT32 = map(np.dtype, (bool, np.int64, float, np.float32))

each_pointwise = pytest.mark.parametrize("row", POINTWISE, ids=attrgetter("name"))
each_sloped = pytest.mark.parametrize("row", SLOPED, ids=attrgetter("name"))
each_case = pytest.mark.parametrize("row, case", CASES)
each_moving_case = pytest.mark.parametrize("row, case", MOVING_CASES)


def test_every_op_has_an_oracle():
    assert {row.name for row in ROWS} == set(ORACLES)
    kinds = {"leaf": type(None), "linear": list, "general": list}
    for row in ROWS:
        assert isinstance(ORACLES[row.name], kinds.get(row.kind, Elementwise))


# ---- samples ----


def generator(row):
    return np.random.default_rng(zlib.crc32(row.name.encode()))


def smooth(row, dtype, shapes, rng):
    """Operands inside the smooth interval, one for each of `shapes`."""
    low, high = row.smooth if row.smooth[0] < row.smooth[1] else (-9, 9)
    xs = [rng.uniform(low, high, s).astype(dtype) for s in shapes]
    return with_condition(row, xs, rng)


def with_condition(row, xs, rng):
    if row.kind == "ternary":
        xs[0] = rng.random(xs[0].shape) < 0.5
    return xs


def anywhere(row, dtype, n, rng):
    """Operands over the whole range of `dtype`: n inside the smooth interval, n each of
    moderate and of any size, n subnormal, n where exponentials end, n near multiples of
    1/2, pi/2 and 1. Half of the pairs of two operands are neighbours or opposite."""
    info = np.finfo(dtype)
    low, high = row.smooth if row.smooth[0] < row.smooth[1] else (-9, 9)
    bottom = int(info.minexp) - int(info.nmant)

    def one():
        sign = rng.choice([-1.0, 1.0], n)
        near = rng.integers(-12, 13, n) * rng.choice([0.5, np.pi / 2, 1], n)
        near = near.astype(dtype) * (1 + rng.integers(-3, 4, n) * info.eps)
        x = [
            rng.uniform(low, high, n),
            sign * 10 ** rng.uniform(-6, 3, n),
            np.ldexp(sign, rng.integers(info.minexp, info.maxexp, n))
            * rng.uniform(1, 2, n),
            np.ldexp(sign, rng.integers(bottom, info.minexp, n)),
            rng.uniform(0.71 * bottom, 0.71 * info.maxexp, n),
            near,
        ]
        return np.concatenate(x).astype(dtype) + dtype.type(0)  # without -0

    xs = [rng.permutation(one()) if row.arity > 1 else one() for _ in range(row.arity)]
    if row.arity == 2:
        half = len(xs[0]) // 2
        factor = 1 + rng.integers(-3, 4, half) * info.eps
        factor *= rng.choice([-1, 1], half)
        xs[1][:half] = (xs[0][:half] * factor).astype(dtype) + dtype.type(0)
    return with_condition(row, xs, rng)


def whole(row, dtype, shapes, rng):
    """Operands of any of the four types, with the ends and small numbers of int64."""
    if dtype.kind == "f":
        return smooth(row, dtype, shapes, rng)
    if dtype == BOOL:
        return with_condition(row, [rng.random(s) < 0.5 for s in shapes], rng)
    ends = np.iinfo(np.int64)
    pool = np.array([0, 1, -1, 2, -3, 7, 12, -40, 2**53 + 1, ends.min, ends.max])
    return with_condition(row, [rng.choice(pool, s) for s in shapes], rng)


# ---- running ----


def computed(function, *arrays):
    """Value of `function`, traced on arrays of any type."""
    graph = Graph()
    return graph.value(function(*[lift(graph, a) for a in arrays]).id)


def bound(function, args):
    """`function` with the operands that cannot be differentiated filled in, and the
    others."""
    floats = [k for k, a in enumerate(args) if a.dtype.kind == "f"]

    def of_floats(*xs):
        every = list(args)
        for k, x in zip(floats, xs, strict=True):
            every[k] = x
        return function(*every)

    return of_floats, [args[k] for k in floats]


def reverse(function, k):
    """Derivative by operand k of a function whose Jacobian is diagonal, by vjp."""

    def slope(*xs):
        y, pullback = pg.vjp(function, *xs)
        return pullback(np.ones(y.shape, y.dtype))[k]

    return slope


def forward(function, k):
    """The same by jvp."""

    def slope(*xs):
        along = [np.full(x.shape, i == k, x.dtype) for i, x in enumerate(xs)]
        return pg.jvp(function, xs, along)[1]

    return slope


MODES = (reverse, forward)


def same(a, b):
    """Equal in type, shape and every bit."""
    a, b = np.asarray(a), np.asarray(b)
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def at(args, i):
    return [a[i] for a in args]


# ---- elementwise rows: values ----


@each_sloped
def test_value_is_within_its_ulp(row, dtype):
    oracle = ORACLES[row.name]
    args = anywhere(row, dtype, 60, generator(row))
    values = elementwise(row.name)(*args)
    assert values.dtype == dtype
    for i, value in enumerate(values):
        true = evaluate(oracle.real, at(args, i))
        error = ulp_error(value, true) if true is not None else 0
        assert error <= oracle.ulp, (at(args, i), value, mp.nstr(true, 20))
        assert true is not None or not np.isfinite(value), (at(args, i), value)


@each_pointwise
def test_value_agrees_with_numpy_where_exact(row):
    """Integers, bools and the rows whose result is bool: equal in every element."""
    rng = generator(row)
    exact = row.dtypes if row.kind == "test" else set(row.dtypes) & {BOOL, INT64}
    for dtype in exact:
        args = whole(row, dtype, [(300,)] * row.arity, rng)
        with np.errstate(all="ignore"):
            expected = ORACLES[row.name].array(*args)
        value = elementwise(row.name)(*args)
        assert same(value, expected.astype(BOOL if row.kind == "test" else dtype))


# ---- elementwise rows: slopes ----


@each_sloped
def test_slopes_are_within_their_ulp_in_both_modes(row, dtype):
    oracle = ORACLES[row.name]
    args = smooth(row, dtype, [(40,)] * row.arity, generator(row))
    f, xs = bound(elementwise(row.name), args)
    for k in range(len(xs)):
        slopes = [mode(f, k)(*xs) for mode in MODES]
        assert np.array_equal(*slopes, equal_nan=True)
        for i, slope in enumerate(slopes[0]):
            orders = tuple(int(j == k) for j in range(len(xs)))
            true = true_slope(oracle.real, at(args, i), orders)
            true = true if abs(true) > 1e-30 else mp.zero
            assert ulp_error(slope, true) <= oracle.slope, (k, at(xs, i), slope, true)


@each_sloped
def test_slopes_far_out_are_right(row, dtype):
    """Unary rows over the whole range of the type, where the slope is a normal number
    and central differences of two widths agree on it."""
    if row.kind != "unary":
        return
    info, rng = np.finfo(dtype), generator(row)
    top = int(info.maxexp) - 1 if ORACLES[row.name].slope else 20
    x = rng.choice([-1, 1], 36) * 2.0 ** rng.uniform(-top, top, 36)
    x = x.astype(dtype)
    slopes = [mode(elementwise(row.name), 0)(x) for mode in MODES]
    assert np.array_equal(*slopes, equal_nan=True)
    for a, slope in zip(x, slopes[0], strict=True):
        true = far_slope(ORACLES[row.name].real, a)
        if true is not None and info.tiny < abs(true) < info.max:
            assert abs(float(slope / true) - 1) < 4e3 * info.eps, (a, slope, true)


def orders_of_two(n):
    """Pairs of operands to differentiate by, and the order in each that makes."""
    for i, j in itertools.product(range(n), repeat=2):
        yield i, j, tuple((k == i) + (k == j) for k in range(n))


@each_sloped
def test_second_order_in_all_four_compositions(row, dtype):
    args = smooth(row, dtype, [(7,)] * row.arity, generator(row))
    f, xs = bound(elementwise(row.name), args)
    real = ORACLES[row.name].real
    rtol = 1e-10 if dtype == FLOAT64 else 3e-4
    for i, j, orders in orders_of_two(len(xs)):
        true = [float(true_slope(real, at(args, p), orders)) for p in range(7)]
        for outer, inner in itertools.product(MODES, MODES):
            found = outer(inner(f, i), j)(*xs)
            assert found.dtype == dtype
            np.testing.assert_allclose(found, true, rtol, atol=rtol / 100)


@each_sloped
def test_modes_are_adjoint_also_on_broadcast_operands(row, dtype):
    """<u, J v> = <J^T u, v>."""
    rng = generator(row)
    for shapes in BROADCASTS:
        args = smooth(row, dtype, shapes[: row.arity], rng)
        assert_adjoint(*bound(elementwise(row.name), args), rng)


def assert_adjoint(f, xs, rng):
    y, pullback = pg.vjp(f, *xs)
    u = rng.standard_normal(np.shape(y)).astype(y.dtype)
    vs = [rng.standard_normal(x.shape).astype(x.dtype) for x in xs]
    tangent = pg.jvp(f, xs, vs)[1]
    pulled = pullback(u)
    for x, dx in zip(xs, pulled, strict=True):
        assert (dx.dtype, dx.shape) == (x.dtype, x.shape)
    terms = [np.ravel(u * tangent)]
    terms += [-np.ravel(dx * v) for dx, v in zip(pulled, vs, strict=True)]
    terms = np.concatenate(terms).astype(float)
    eps = max(np.finfo(a.dtype).eps for a in (*xs, y))
    assert abs(terms.sum()) <= 60 * eps * (abs(terms).sum() + 1)


# ---- elementwise rows: layouts ----

# Shapes of up to three operands.
BROADCASTS = [
    ((5, 1), (1, 7), ()),
    ((), (67,), (3, 1)),
    ((3, 1, 4), (2, 1), (4,)),
    ((33,), (1,), (2, 1)),
]
EMPTY = [((0,),) * 3, ((3, 0, 2),) * 3, ((0, 1), (0, 5), (5,)), ((0,), (1,), ())]

# How an array is stored, and the view of that, on arrays or in the graph, that is it.
VIEWS = {
    "strided": (lambda x: np.repeat(x, 2, 0), lambda b: b[::2]),
    "negative stride": (lambda x: x[::-1].copy(), lambda b: b[::-1]),
    "negative strided": (lambda x: np.repeat(x[::-1], 3, 0), lambda b: b[::-3]),
    "unaligned": (lambda x: np.concatenate([x[:1], x]), lambda b: b[1:]),
    "column": (lambda x: np.stack([x, x, x], 1), lambda b: b[:, 1]),
    "transposed": (lambda x: np.stack([x, x], -1), lambda b: b.T[1].T),
}
each_view = pytest.mark.parametrize("store, view", VIEWS.values(), ids=list(VIEWS))


@each_pointwise
def test_every_length_gives_the_same_bits(row):
    f, rng = elementwise(row.name), generator(row)
    for dtype in row.dtypes:
        args = whole(row, dtype, [(1100,)] * row.arity, rng)
        long = computed(f, *args)
        for n in range(1, 68):
            assert same(computed(f, *[a[:n] for a in args]), long[:n])
            assert same(computed(f, *[a[n:] for a in args])[:67], long[n:][:67])


@each_pointwise
def test_scalars_give_the_same_bits(row):
    f, rng = elementwise(row.name), generator(row)
    for dtype in row.dtypes:
        args = whole(row, dtype, [(9,)] * row.arity, rng)
        values = computed(f, *args)
        for i, value in enumerate(values):
            assert same(computed(f, *[a[i].reshape(()) for a in args]), value)
            assert same(f(*[a[i] for a in args]), value)


@each_view
@each_pointwise
def test_views_give_the_same_bits(row, store, view):
    f, rng = elementwise(row.name), generator(row)
    for dtype in row.dtypes:
        args = whole(row, dtype, [(67,)] * row.arity, rng)
        bases = [store(a) for a in args]
        expected = computed(f, *args)
        assert same(f(*map(view, bases)), expected)
        assert same(computed(lambda *bs: f(*map(view, bs)), *bases), expected)
        mixed = computed(lambda b, *rest: f(view(b), *rest), bases[0], *args[1:])
        assert same(mixed, expected)


@each_pointwise
def test_broadcast_operands_give_the_same_bits(row):
    f, rng = elementwise(row.name), generator(row)
    for dtype, shapes in itertools.product(row.dtypes, BROADCASTS):
        for order in itertools.permutations(shapes[: row.arity]):
            args = whole(row, dtype, order, rng)
            full = [a.copy() for a in np.broadcast_arrays(*args)]
            assert same(computed(f, *args), computed(f, *full))
        wide = (3, *full[0].shape)
        spread = [np.broadcast_to(a, wide) for a in args]
        assert same(f(*spread), np.broadcast_to(computed(f, *full), wide).copy())


@each_pointwise
def test_empty_operands_give_empty_values_and_slopes(row):
    f, rng = elementwise(row.name), generator(row)
    for dtype, shapes in itertools.product(row.dtypes, EMPTY):
        args = whole(row, dtype, shapes[: row.arity], rng)
        shape = np.broadcast_shapes(*[a.shape for a in args])
        value = f(*args)
        assert value.shape == shape
        assert value.dtype == (BOOL if row.kind == "test" else dtype)
        if row.kind == "test" or dtype.kind != "f":
            continue
        g, xs = bound(f, args)
        assert same(pg.jvp(g, xs, xs)[1], value)
        for dx, x in zip(pg.vjp(g, *xs)[1](value), xs, strict=True):
            assert same(dx, np.zeros_like(x))


@each_sloped
def test_slopes_of_every_odd_length_have_the_same_bits(row, dtype):
    args = smooth(row, dtype, [(67,)] * row.arity, generator(row))
    for k in range(sum(a.dtype != BOOL for a in args)):
        for mode in MODES:
            f, xs = bound(elementwise(row.name), args)
            long = mode(f, k)(*xs)
            for n in range(1, 68, 2):
                f, xs = bound(elementwise(row.name), [a[:n] for a in args])
                assert same(mode(f, k)(*xs), long[:n])


@each_view
@each_sloped
def test_slopes_through_views_have_the_same_bits(row, dtype, store, view):
    args = smooth(row, dtype, [(67,)] * row.arity, generator(row))
    f, xs = bound(elementwise(row.name), args)
    bases = [store(x) for x in xs]

    def viewed(*bs):
        return f(*map(view, bs))

    ones = np.ones(67, dtype)
    slopes = pg.vjp(f, *xs)[1](ones)
    for base, dx in zip(pg.vjp(viewed, *bases)[1](ones), slopes, strict=True):
        assert same(view(base), dx)
        assert np.count_nonzero(base) == np.count_nonzero(dx)
    along = pg.jvp(viewed, bases, bases)[1]
    assert same(along, pg.jvp(f, xs, xs)[1])


@pytest.mark.parametrize(
    "row", [r for r in POINTWISE if r.kind == "test"], ids=attrgetter("name")
)
def test_tests_are_constants_of_every_derivative(row, dtype):
    if dtype not in row.dtypes:
        dtype = np.dtype(bool)
    fixed = whole(row, dtype, [(67,)] * row.arity, generator(row))
    mask = elementwise(row.name)(*fixed)

    def masked(x):
        own = [x > 0, *fixed[1:]] if dtype == BOOL else [x, *fixed[1:]]
        return elementwise(row.name)(*own).astype(x.dtype) * x

    x = fixed[0].astype(float) if dtype == BOOL else fixed[0]
    for mode in MODES:
        assert np.array_equal(mode(masked, 0)(x), mask.astype(x.dtype))
        assert np.array_equal(mode(mode(masked, 0), 0)(x), np.zeros(67))


# ---- rows that move, join and reduce ----


def operands(case, dtype, n, rng):
    """Arrays for a case, "n" of its shapes being n."""
    args = []
    for shape in case.shapes:
        shape = [n if d == "n" else d for d in shape]
        if dtype.kind == "f":
            x = rng.choice([-1, 1], shape) * 2 ** rng.uniform(-0.3, 0.3, shape)
        else:
            x = (
                rng.integers(-3, 4, shape)
                if dtype == INT64
                else rng.random(shape) < 0.5
            )
        args.append(x.astype(dtype))
    return args


def lengths(case):
    """The n a case is tested for: even, empty if it can be, long, and the odd ones."""
    n = {d for shape in case.shapes for d in shape}
    if "n" not in n:
        return [5]
    return [k for k in (0, 2, 64, 515, *range(1, 68, 2)) if k >= case.least]


def case_types(row, case):
    return [np.dtype(t) for t in case.dtypes or row.dtypes]


@each_case
def test_case_uses_its_row(row, case):
    graph = Graph()
    args = operands(case, case_types(row, case)[0], 5, generator(row))
    case.call(*[lift(graph, a) for a in args])
    text = printed(lib.gradc_graph_print, graph.h)
    assert re.search(rf"\b{row.name}\b", text)


@each_case
def test_case_has_the_right_value_at_every_length(row, case):
    rng = generator(row)
    for dtype, n in itertools.product(case_types(row, case), lengths(case)):
        args = operands(case, dtype, n, rng)
        value = computed(case.call, *args)
        if dtype.kind != "f":
            assert same(value, case.exact(*args))
            continue
        true = np.asarray(case.exact(*map(exactly, args)))
        assert value.shape == true.shape
        if case.ulp:
            size = case.exact(*[exactly(abs(a)) for a in args])
            eps = max(np.finfo(dtype).eps, np.finfo(value.dtype).eps)
            bound = case.ulp * (n + 1) * float(eps) * size
            assert np.all(abs(exactly(value) - true) <= bound)
        else:
            assert np.array_equal(value, true)


@each_view
@each_case
def test_case_gives_the_same_bits_on_views(row, case, store, view):
    rng = generator(row)

    def see(base, x):
        return view(base) if x.ndim else base

    for dtype in case_types(row, case):
        args = operands(case, dtype, 9, rng)
        bases = [store(a) if a.ndim else a for a in args]

        def viewed(*bs, args=args):
            return case.call(*map(see, bs, args))

        expected = computed(case.call, *args)
        assert same(computed(viewed, *bases), expected)
        assert same(computed(case.call, *map(see, bases, args)), expected)
        if dtype.kind != "f" or expected.dtype.kind != "f":
            continue
        u = np.ones_like(expected)
        slopes = pg.vjp(case.call, *args)[1](u)
        for base, dx in zip(pg.vjp(viewed, *bases)[1](u), slopes, strict=True):
            assert_close([np.asarray(see(base, dx))], [np.asarray(dx)], dtype)
            assert case.ulp or same(see(base, dx), dx)
        assert same(pg.jvp(viewed, bases, bases)[1], pg.jvp(case.call, args, args)[1])


def assert_close(found, true, dtype):
    """Equal up to rounding, which is relative to the largest element."""
    tolerance = 60 * np.finfo(dtype).eps
    for d, t in zip(found, true, strict=True):
        assert (d.dtype, d.shape) == (dtype, t.shape)
        t = t.astype(float)
        np.testing.assert_allclose(d, t, 0, tolerance * (1 + abs(t).max(initial=0)))


def directions(row, case, dtype, n):
    """Operands, a cotangent and two tangents."""
    rng = generator(row)
    xs = operands(case, dtype, n, rng)
    vs, ws = ([rng.standard_normal(x.shape).astype(dtype) for x in xs] for _ in "vw")
    y = computed(case.call, *xs)
    return xs, rng.standard_normal(y.shape).astype(y.dtype), vs, ws


@each_moving_case
def test_case_has_the_right_slopes(row, case, dtype):
    for n in {max(case.least, k) for k in (0, 1, 2, 5)}:
        xs, u, vs, _ = directions(row, case, dtype, n)
        with mp.workprec(400):
            exact = [[exactly(x) for x in part] for part in (xs, vs)]
            tangent = along(case.exact, exact[1])(*exact[0])
            gradient = pulled_back(case.exact, exact[0], exactly(u))
        y, pullback = pg.vjp(case.call, *xs)
        assert_close(map(np.asarray, pullback(u)), gradient, dtype)
        found = np.asarray(pg.jvp(case.call, xs, vs)[1])
        assert_close([found], [np.asarray(tangent)], y.dtype)
        assert_adjoint(case.call, xs, generator(row))


@each_moving_case
def test_case_has_the_right_second_order_in_all_four_compositions(row, case, dtype):
    xs, u, vs, ws = directions(row, case, dtype, max(case.least, 3))
    f = case.call
    with mp.workprec(500):
        exact = [[exactly(x) for x in part] for part in (xs, vs)]
        slope = along(case.exact, exact[1])
        true = pulled_back(slope, exact[0], exactly(u))

    def gradient(*xs):
        return pg.vjp(f, *xs)[1](u)

    def tangent(*xs):
        return pg.jvp(f, xs, vs)[1]

    assert_close(pg.vjp(gradient, *xs)[1](tuple(vs)), true, dtype)
    assert_close(pg.jvp(gradient, xs, vs)[1], true, dtype)
    assert_close(pg.vjp(tangent, *xs)[1](u), true, dtype)
    twice = np.sum(u * pg.jvp(tangent, xs, ws)[1])
    whole = sum(np.sum(w * t) for w, t in zip(ws, true, strict=True))
    assert_close([np.asarray(twice)], [np.asarray(whole)], u.dtype)


def test_convert_joins_every_pair_of_types_as_numpy_does():
    x = np.array([0, -0.0, 1, -1.5, 2.5, 1e9 + 0.5, -(2.0**62), 3e-39])
    for source, target in itertools.product((FLOAT64, FLOAT32, INT64, BOOL), repeat=2):
        for n in range(len(x) + 1):
            own = x[:n].astype(source)
            value = computed(lambda v, to=target: v.astype(to), own)
            assert same(value, own.astype(target))
