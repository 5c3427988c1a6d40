"""vmap against a loop over single calls: every row of ops.def, axes, trees, nesting."""

import itertools
from collections import namedtuple
from dataclasses import dataclass
from operator import attrgetter

import numpy as np
import pytest
from gradcheck import leaves_of
from numpy_cases import CASES as NUMPY_CASES
from numpy_cases import CREATED
from oracles import ORACLES, POSITIONS

import pygradc as pg
import pygradc.numpy as pnp
from pygradc._expr import graph_of, lift
from pygradc._numpy.elementwise import elementwise

ROWS = [row for row in pg.ops() if row.kind != "leaf"]
POINTWISE = [row for row in ROWS if row.c is not None]
ROW_CASES = [
    pytest.param(row, case, id=f"{row.name}-{i}")
    for row in ROWS
    if row.c is None
    for i, case in enumerate(ORACLES[row.name])
]
B = 3


def loop(f, args, mapped):
    """`f` of each element, stacked."""
    calls = [
        f(*[a[b] if m else a for a, m in zip(args, mapped, strict=True)])
        for b in range(B)
    ]
    if isinstance(calls[0], (tuple, list)):
        return [np.stack(parts) for parts in zip(*calls, strict=True)]
    return np.stack(calls)


def traced(call):
    """`call`, which works on traced arrays alone, of arrays among them too."""
    return lambda *args: call(*[lift(graph_of(*args), a) for a in args])


def choices(n):
    """Which of n operands are mapped, at least one."""
    return [m for m in itertools.product((False, True), repeat=n) if any(m)]


def sample(rng, shape, dtype):
    x = rng.uniform(-1.4, 1.4, shape) + 0.05
    if dtype.kind == "f":
        return x.astype(dtype)
    return rng.integers(-3, 4, shape) if dtype.kind == "i" else x > 0


def assert_same(found, expected, exact=True):
    found = found if isinstance(found, (tuple, list)) else [found]
    expected = expected if isinstance(expected, (tuple, list)) else [expected]
    assert len(found) == len(expected)
    for f, e in zip(found, expected, strict=True):
        assert (f.shape, f.dtype) == (e.shape, e.dtype)
        if exact or e.dtype.kind != "f":
            np.testing.assert_array_equal(f, e)
        else:
            eps = np.finfo(e.dtype).eps
            np.testing.assert_allclose(f, e, 100 * eps, 100 * eps * _size(e))


def _size(x):
    return np.max(np.abs(x), initial=1.0, where=np.isfinite(x))


# ---- every row ----


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("row", POINTWISE, ids=attrgetter("name"))
def test_elementwise_row_is_the_loop_for_all_choices_of_mapped_operands(row):
    rng = np.random.default_rng(7)
    f = elementwise(row.name)
    for dtype, shapes in itertools.product(
        row.dtypes, [((4,), (2, 1), ()), ((), (2, 3), (3,)), ((2, 4),) * 3]
    ):
        for mapped in choices(row.arity):
            args = [
                sample(rng, (B, *s) if m else s, np.dtype(dtype))
                for s, m in zip(shapes, mapped, strict=False)
            ]
            if row.kind == "ternary":
                args[0] = args[0] > 0
            axes = tuple(0 if m else None for m in mapped)
            assert_same(pg.vmap(f, axes)(*args), loop(pg.jit(f), args, mapped))


@pytest.mark.parametrize("row, case", ROW_CASES)
def test_row_is_the_loop_for_all_choices_of_mapped_operands(row, case):
    rng = np.random.default_rng(7)
    for dtype, n in itertools.product(case.dtypes or row.dtypes, (0, 1, 5)):
        if n < case.least:
            continue
        for mapped in choices(len(case.shapes)):
            args = []
            for shape, m in zip(case.shapes, mapped, strict=True):
                shape = tuple(n if d == "n" else d for d in shape)
                args.append(sample(rng, (B, *shape) if m else shape, np.dtype(dtype)))
            axes = tuple(0 if m else None for m in mapped)
            found = pg.vmap(traced(case.call), axes)(*args)
            expected = loop(pg.jit(case.call), args, mapped)
            assert_same(found, expected, exact=not case.ulp)


@pytest.mark.parametrize("row, case", ROW_CASES)
def test_slopes_of_a_row_are_those_of_the_loop(row, case):
    """Both modes, inside of vmap and outside; unmapped operands collect all slopes."""
    if row.name in POSITIONS:
        return
    rng = np.random.default_rng(8)
    n = max(case.least, 3)
    shapes = [[n if d == "n" else d for d in s] for s in case.shapes]
    mapped = (True,) * (len(shapes) - 1) + (len(shapes) == 1,)
    xs = [
        rng.normal(size=[B, *s] if m else s)
        for s, m in zip(shapes, mapped, strict=True)
    ]
    axes = tuple(0 if m else None for m in mapped)
    every = tuple(range(len(xs)))

    def total(*xs):
        return np.sum(np.sin(case.call(*xs)))

    slope = pg.grad(total, every)
    each = loop(slope, xs, mapped)
    assert_same(pg.vmap(slope, axes)(*xs), each, exact=False)
    summed = pg.grad(lambda *xs: np.sum(pg.vmap(total, axes)(*xs)), every)(*xs)
    expected = [e if m else e.sum(0) for e, m in zip(each, mapped, strict=True)]
    assert_same(summed, expected, exact=False)

    def pushed(*xs):
        return pg.jvp(total, xs, xs)[1]

    along = loop(pushed, xs, mapped)
    assert_same(pg.vmap(pushed, axes)(*xs), along, exact=False)
    assert_same(pg.jvp(pg.vmap(total, axes), xs, xs)[1], along, exact=False)
    bend = pg.vmap(pg.jvp, (None, 0, 0)) if all(mapped) else None
    if bend:
        twice = bend(slope, tuple(xs), tuple(xs))[1]
        once = loop(lambda *xs: pg.jvp(slope, xs, xs)[1], xs, mapped)
        assert_same(twice, once, exact=False)


def test_products_of_all_ranks_are_the_loop():
    """Products of every pair of ranks, each operand mapped or not."""
    rng = np.random.default_rng(9)
    shapes = [(4,), (4, 4), (2, 4, 4), (3, 1, 4, 4), (1, 4), (4, 1), (2, 4, 1)]
    for s, t in itertools.product(shapes, repeat=2):
        if s[-1] != (t[-2] if len(t) > 1 else t[0]):
            continue
        for mapped in choices(2):
            x, y = [
                rng.normal(size=(B, *d) if m else d)
                for d, m in zip((s, t), mapped, strict=True)
            ]
            try:
                expected = loop(np.matmul, (x, y), mapped)
            except ValueError:
                continue
            axes = tuple(0 if m else None for m in mapped)
            assert_same(pg.vmap(np.matmul, axes)(x, y), expected, exact=False)


ASKING = {"partition", "quantile", "percentile", "pad"}
ASKING |= {"take_along_axis", "operator x[x > y]"}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_numpy_functions_are_the_loop_unless_they_ask_for_numbers():
    """The rows of numpy_cases.py, all arrays mapped."""
    rng, done = np.random.default_rng(10), 0
    for name, f, args in NUMPY_CASES:
        own = pnp if name in CREATED else np
        batch = [a + 1e-2 * rng.uniform(size=(B, *np.shape(a))) for a in args]
        expected = loop(lambda *a, f=f: f(np, *a), batch, [True] * len(args))
        try:
            found = pg.vmap(lambda *a, f=f, own=own: f(own, *a))(*batch)
        except pg.ConcretizationError:
            assert name in ASKING
            continue
        done += 1
        for v, e in zip(leaves_of(found), leaves_of(expected), strict=True):
            np.testing.assert_allclose(v, e, 1e-11, 1e-11, err_msg=name)
    assert done > 790


# ---- axes and trees ----

X = np.random.default_rng(1).normal(size=(B, 4))
Y = np.random.default_rng(2).normal(size=(B, 4))
Pair = namedtuple("Pair", "a b")


@dataclass
class Params:
    w: np.ndarray
    b: float


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2, -3])
def test_any_axis_can_be_mapped_and_come_out(axis):
    x = np.random.default_rng(3).normal(size=(2, 3, 4))
    for out in (0, 1, 2, -1, -2, -3):
        found = pg.vmap(lambda x: np.cumsum(x, 0), axis, out)(x)
        parts = [np.cumsum(p, 0) for p in np.moveaxis(x, axis, 0)]
        np.testing.assert_array_equal(found, np.stack(parts, out))
        nested = pg.jit(pg.vmap(lambda x: np.cumsum(x, 0), axis, out))(x)
        np.testing.assert_array_equal(nested, found)


def test_axes_are_trees_that_may_end_early():
    tree = {"w": X, "rest": [Y.T, Pair(X, 2.0)], "none": None}

    def f(t, s):
        y, pair = t["rest"]
        return np.sum(t["w"] * y) * pair.b * s + pair.a[0]

    axes = ({"w": 0, "rest": [1, Pair(0, None)], "none": None}, None)
    expected = np.sum(X * Y, 1) * 6 + X[:, 0]
    np.testing.assert_allclose(pg.vmap(f, axes)(tree, 3.0), expected, rtol=1e-14)
    turned = {"none": None, "rest": [1, Pair(0, None)], "w": 0}
    np.testing.assert_allclose(pg.vmap(f, [turned, None])(tree, 3.0), expected)
    g = lambda p: p.a + p.b  # noqa: E731
    np.testing.assert_array_equal(pg.vmap(g)(Pair(X, Y)), X + Y)
    h = lambda p: p.w @ p.w * p.b  # noqa: E731
    found = pg.vmap(h, (Params(0, None),))(Params(X, 2.0))
    np.testing.assert_allclose(found, 2 * np.sum(X * X, 1), rtol=1e-14)
    named = pg.vmap(lambda x, *, y: x - y)(X, y=Y)
    np.testing.assert_array_equal(named, X - Y)


def test_results_are_trees_with_axes_of_their_own():
    f = lambda x: {"p": Pair(2 * x, 1.5), "s": (np.sum(x), None, x > 0)}  # noqa: E731
    r = pg.vmap(f)(X)
    np.testing.assert_array_equal(r["p"].a, 2 * X)
    np.testing.assert_array_equal(r["p"].b, np.full(B, 1.5))
    np.testing.assert_allclose(r["s"][0], X.sum(1), rtol=1e-15)
    assert r["s"][1] is None and r["s"][2].dtype == bool
    r = pg.vmap(f, out_axes={"p": Pair(1, None), "s": 0})(X)
    np.testing.assert_array_equal(r["p"].a, 2 * X.T)
    assert r["p"].b == 1.5 and type(r["p"].b) is np.float64


def test_what_no_mapped_argument_reaches_is_the_same_for_all():
    w = np.arange(3.0)
    same, each = pg.vmap(lambda x, w: (np.exp(w), x[0]), (0, None))(X, w)
    np.testing.assert_array_equal(same, np.stack([np.exp(w)] * B))
    once = pg.vmap(lambda x, w: (np.exp(w), x[0]), (0, None), (None, 0))(X, w)[0]
    np.testing.assert_array_equal(once, np.exp(w))
    np.testing.assert_array_equal(each, X[:, 0])


def test_integers_bools_and_float32_can_be_mapped():
    n = np.array([[3, 1], [0, 2], [-1, 5]], np.int32)
    m = n > 1
    x = n.astype(np.float32)
    found = pg.vmap(lambda n, m, x: (n * 2, ~m, np.where(m, x, 0)))(n, m, x)
    assert_same(found, [n.astype(int) * 2, ~m, np.where(m, x, 0).astype(x.dtype)])


@pytest.mark.parametrize("size", [0, 1, 2])
def test_batches_of_any_size(size):
    x = np.arange(4.0 * size).reshape(size, 4)

    def f(x):
        return np.max(x), x[np.array([0, -1])], x @ np.ones((4, 2)), x[1:] * 2

    found = pg.vmap(f)(x)
    expected = x[:, -1], x[:, [0, 3]], x @ np.ones((4, 2)), x[:, 1:] * 2
    assert_same(found, expected)
    slope = pg.vmap(pg.grad(lambda x: np.sum(x[np.array([0, 0, 1])] ** 2)))(x)
    assert_same(slope, x * [4, 2, 0, 0])


def test_layouts_and_byte_orders_of_arguments():
    for x in (np.asfortranarray(X), X[::-1], X.astype(">f8"), np.tile(X, 2)[:, ::2]):
        np.testing.assert_allclose(pg.vmap(np.sum)(x), x.sum(1), rtol=1e-15)


def test_captured_arrays_and_numbers_are_read_afresh():
    scale, shift = 3.7, np.ones(4)
    f = pg.vmap(lambda x: scale * x + shift)
    np.testing.assert_array_equal(f(X), 3.7 * X + 1)
    scale, shift[0] = 1.3, 2.0
    np.testing.assert_array_equal(f(X), 1.3 * X + shift)


# ---- indices ----


def test_batched_indices_stay_within_their_own_rows():
    x = np.arange(12.0).reshape(3, 4)
    i = np.array([[3, -4], [0, -1], [-3, 2]])
    pick = lambda x, i: x[i]  # noqa: E731
    expected = np.take_along_axis(x, i, 1)
    np.testing.assert_array_equal(pg.vmap(pick)(x, i), expected)
    np.testing.assert_array_equal(pg.vmap(pick, (None, 0))(x[1], i), x[1][i])
    np.testing.assert_array_equal(pg.vmap(pick, (0, None))(x, i), x[:, i])
    for wrong in (4, -5):
        for axes, a in (((0, 0), x), ((None, 0), x[0])):
            j = np.array([[0, 1], [wrong, 1], [0, 1]])
            with pytest.raises(IndexError, match=f"index {wrong} .*axis of 4"):
                pg.vmap(pick, axes)(a, j)
        with pytest.raises(IndexError, match=f"index {wrong} .*axis of 4"):
            pg.vmap(pick, (0, None))(x, np.array([0, wrong]))


def test_slopes_of_batched_indices_add_up_in_their_own_rows():
    x = np.arange(12.0).reshape(3, 4) + 1
    i = np.array([[3, -1], [0, 0], [-3, 1]])
    f = lambda x, i: np.sum(x[i] ** 2)  # noqa: E731
    for axes, a in (((0, 0), (x, i)), ((None, 0), (x[0], i)), ((0, None), (x, i[0]))):
        mapped = [axis == 0 for axis in axes]
        each = loop(pg.grad(f), a, mapped)
        assert_same(pg.vmap(pg.grad(f), axes)(*a), each)
        v = pg.vmap(f, axes)
        whole = pg.grad(lambda x, i, v=v: np.sum(v(x, i)))(*a)
        np.testing.assert_allclose(whole, each if mapped[0] else each.sum(0))


# ---- with other transforms ----


def energy(x, w):
    return np.sum(np.tanh(w @ x) ** 2) + x[0] * x[-1]


W = np.random.default_rng(4).normal(size=(2, 4))


def test_every_nesting_of_two_transforms_is_the_loop():
    mapped = (True, False)
    v = lambda f: pg.vmap(f, (0, None))  # noqa: E731
    for f in (
        pg.grad(energy),
        pg.grad(energy, 1),
        pg.value_and_grad(energy),
        pg.jacobian(energy),
        pg.hessian(energy),
        pg.jit(energy),
        pg.jit(pg.grad(energy)),
        lambda x, w: pg.jvp(energy, (x, w), (w[0], w))[1],
        lambda x, w: pg.vjp(energy, x, w)[1](2.0)[0],
        lambda x, w: pg.vmap(energy, (None, 0))(x, np.stack([w, 2 * w])),
    ):
        assert_same(v(f)(X, W), loop(f, (X, W), mapped), exact=False)
        assert_same(pg.jit(v(f))(X, W), loop(f, (X, W), mapped), exact=False)
    total = lambda x, w: np.sum(v(energy)(x, w) ** 2)  # noqa: E731
    single = lambda x, w: sum([energy(x[b], w) ** 2 for b in range(B)])  # noqa: E731
    for transform in (pg.grad, pg.hessian, pg.jacobian, lambda f: pg.jit(pg.grad(f))):
        assert_same(transform(total)(X, W), transform(single)(X, W), exact=False)
    slopes = pg.jacobian(v(energy))(X, W)
    np.testing.assert_allclose(slopes[0, 0], pg.grad(energy)(X[0], W), rtol=1e-13)
    assert not np.any(slopes[0, 1:])


def test_vmap_twice_and_three_times():
    f = lambda a, b, c: a * b + np.sin(c)  # noqa: E731
    a, b, c = np.arange(2.0), np.arange(3.0), np.arange(4.0)
    f2 = pg.vmap(pg.vmap(f, (None, 0, None)), (0, None, None))
    f3 = pg.vmap(f2, (None, None, 0), 1)
    expected = a[:, None, None] * b + np.sin(c)[:, None]
    np.testing.assert_array_equal(f3(a, b, c), expected)

    def inner(a):
        return pg.vmap(lambda b: pg.vmap(lambda c: f(a, b, c))(c))(b)

    np.testing.assert_array_equal(pg.vmap(inner)(a), np.moveaxis(expected, 1, 2))


def test_perturbations_are_not_confused():
    """d/dx (x d/dy (x y)) = 2x, whichever of the three is mapped."""
    x = np.array([1.0, 2.0, 3.0])
    inner = lambda x: pg.grad(lambda y: x * y)(x)  # noqa: E731
    nested = pg.grad(lambda x: x * inner(x))
    np.testing.assert_array_equal(pg.vmap(nested)(x), 2 * x)
    outer = pg.grad(lambda x: np.sum(x * pg.vmap(inner)(x)))
    np.testing.assert_array_equal(outer(x), 2 * x)

    def mixed(a):
        return np.sum(pg.vmap(lambda y: pg.grad(lambda z: a * y * z)(y))(x))

    np.testing.assert_array_equal(pg.vmap(pg.grad(lambda a: a * mixed(a)))(x), 12 * x)
    push = lambda x: pg.jvp(lambda y: x * y, (x,), (1.0,))[1]  # noqa: E731
    both = pg.vmap(lambda x: pg.jvp(lambda x: x * push(x), (x,), (1.0,))[1])
    np.testing.assert_array_equal(both(x), 2 * x)


def test_closures_see_the_variables_of_outer_transforms():
    def f(w):
        return np.sum(pg.vmap(lambda x: np.sin(w @ x))(X))

    expected = sum(np.cos(W[0] @ x) * x for x in X)
    np.testing.assert_allclose(pg.grad(f)(W[0]), expected, rtol=1e-13)
    np.testing.assert_allclose(pg.jit(pg.grad(f))(W[0]), expected, rtol=1e-13)


def test_inside_of_a_transform_what_no_variable_reaches_is_a_number():
    seen = []

    def f(a):
        y = pg.vmap(pg.grad(np.sin))(X[0])
        seen.append(type(y))
        return a * np.sum(y)

    assert pg.grad(f)(2.0) == pytest.approx(np.sum(np.cos(X[0])), rel=1e-14)
    assert seen == [np.ndarray]


@pytest.mark.parametrize(
    "f",
    [
        np.maximum,
        np.minimum,
        np.hypot,
        lambda x, y: np.max(np.stack([x, y])),
        lambda x, y: abs(x) * y + np.sqrt(x * x) * pg.relu(y),
        lambda x, y: np.clip(x, -1, y) + x**0,
        lambda x, y: np.where(x > 0, np.sqrt(x), 0 * y),
        lambda x, y: np.maximum(x, 0.0) * np.maximum(y, 1.0),
    ],
)
def test_slopes_at_kinks_are_those_of_the_loop(f):
    x, y = np.array([0.0, 1, -1, 0, 1]), np.array([0.0, 1, -1, 1, 0])
    slope = pg.grad(f, (0, 1))
    slopes = [slope(a, b) for a, b in zip(x, y, strict=True)]
    each = [np.stack(parts) for parts in zip(*slopes, strict=True)]
    assert_same(pg.vmap(slope)(x, y), each)
    both = pg.grad(lambda x, y: np.sum(pg.vmap(f)(x, y)), (0, 1))
    assert_same(both(x, y), each)
    for k in (0, 1):
        alone = pg.grad(f, k)
        assert_same(pg.vmap(alone)(x, y), each[k])
    against = lambda x, y: pg.grad(lambda t: f(t, y))(x)  # noqa: E731
    single = np.stack([against(a, b) for a, b in zip(x, y, strict=True)])
    assert_same(pg.vmap(against)(x, y), single)


@pytest.mark.parametrize("elements", [1, 30, 70, 1 << 19])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_jacobians_in_blocks_of_rows_or_columns(monkeypatch, elements, dtype):
    monkeypatch.setattr("pygradc._jacobian.MOST_ELEMENTS", elements)
    rng = np.random.default_rng(elements)
    A, x = (rng.normal(size=s).astype(dtype) for s in ((7, 3), (3,)))
    rows = (1 - np.tanh(A @ x) ** 2)[:, None] * A
    wide = np.diag(np.sum((1 - np.tanh(A.T) ** 2) * A.T, 0))
    outer = np.einsum("ik,j->ijk", np.eye(3), x) + np.einsum("jk,i->ijk", np.eye(3), x)
    for f, at, true in (
        (lambda x: np.tanh(A @ x), x, rows),
        (lambda x: np.sum(np.tanh(A.T * x), 0), np.ones(7, dtype), wide),
        (lambda x: np.stack([A @ x, np.ones(7, dtype)]), x, np.stack([A, 0 * A])),
        (lambda x: np.outer(x, x), x, outer),
        (lambda x: x[:2] @ A.T[:2], x, A * [1, 1, 0]),
    ):
        for jacobian in (pg.jacobian(f), pg.jit(pg.jacobian(f))):
            found = np.asarray(jacobian(at))
            assert found.flags.c_contiguous
            assert (found.dtype, found.shape) == (dtype, f(at).shape + at.shape)
            eps = np.finfo(dtype).eps
            np.testing.assert_allclose(found, true, 50 * eps, 50 * eps)


# ---- errors ----


@pytest.mark.parametrize(
    "call, kind, text",
    [
        (
            lambda: pg.vmap(np.add)(np.ones((3, 2)), np.ones(5)),
            ValueError,
            r"argument 0 has 3 \(axis 0 of \(3, 2\)\), argument 1 has 5 \(axis 0",
        ),
        (lambda: pg.vmap(np.sin)(1.0), TypeError, "argument 0 is a float"),
        (lambda: pg.vmap(np.sin)(np.float64(1)), IndexError, "axis 0 of 0 dimensions"),
        (lambda: pg.vmap(np.sin, 2)(X), IndexError, "axis 2 of 2 dimensions"),
        (lambda: pg.vmap(np.sin, 0, 2)(X), IndexError, "out_axes: axis 2 of 2"),
        (lambda: pg.vmap(np.sin, None)(X), ValueError, "no argument is mapped"),
        (lambda: pg.vmap(np.sin, (0, 0))(X), ValueError, "for 1 positional"),
        (lambda: pg.vmap(sum, ([0],))((X, Y)), ValueError, "argument 0 do not fit"),
        (lambda: pg.vmap(sum, ((0,),))((X, Y)), ValueError, "do not fit the tree"),
        (lambda: pg.vmap(np.sin, 0, (0,))(X), ValueError, "out_axes do not fit"),
        (lambda: pg.vmap(np.sin, 0, None)(X), ValueError, "depends on a mapped"),
        (lambda: pg.vmap(lambda x: "x")(X), TypeError, "cannot take part"),
        (lambda: pg.vmap(bool)(X[0]), TypeError, "under jit and vmap use np.where"),
        (lambda: pg.vmap(np.sin)(np.array([1j])), TypeError, "complex128"),
        (lambda: pg.vmap(lambda x: x + np.ones(3))(X), ValueError, r"\(4,\) with"),
    ],
)
def test_misuse_is_refused(call, kind, text):
    with pytest.raises(kind, match=text) as caught:
        call()
    assert isinstance(caught.value, pg.GradcError)
    np.testing.assert_array_equal(pg.vmap(np.square)(X), X * X)
