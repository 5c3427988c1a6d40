"""What users see of the transforms: trees, nesting, control flow, purity, errors."""

import math
import multiprocessing
import os
import threading
from collections import namedtuple
from dataclasses import dataclass, field

import numpy as np
import pytest

import pygradc as pg

Pair = namedtuple("Pair", "a b")


@dataclass
class Params:
    w: np.ndarray
    b: float


# ---- arguments and results ----


def test_gradient_has_the_structure_of_its_argument():
    tree = {"w": np.ones(3), "rest": [2.0, (np.ones((2, 2)), None)]}

    def f(p):
        return np.sum(p["w"] ** 2) * p["rest"][0] + np.sum(p["rest"][1][0])

    g = pg.grad(f)(tree)
    np.testing.assert_array_equal(g["w"], 4 * np.ones(3))
    assert g["rest"][0] == 3.0
    np.testing.assert_array_equal(g["rest"][1][0], np.ones((2, 2)))
    assert g["rest"][1][1] is None


def test_named_tuples_and_dataclasses_are_trees():
    g = pg.grad(lambda p: p.a * p.b)(Pair(2.0, 3.0))
    assert g == Pair(3.0, 2.0)
    g = pg.grad(lambda p: np.sum(p.w) * p.b)(Params(np.ones(2), 3.0))
    assert isinstance(g, Params)
    np.testing.assert_array_equal(g.w, [3.0, 3.0])
    assert g.b == 2.0


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@dataclass
class Doubled:
    w: np.ndarray
    n: int = field(init=False)

    def __post_init__(self):
        self.w = 2 * self.w
        self.n = 3.0


def test_dataclasses_are_rebuilt_as_they_were():
    def f(p):
        return np.sum(p.w) * p.n, p

    for transform in (pg.grad(f, has_aux=True), pg.jit(pg.grad(f, has_aux=True))):
        slope, same = transform(Doubled(np.ones(2)))
        np.testing.assert_array_equal(slope.w, [3, 3])
        assert slope.n == 4
        np.testing.assert_array_equal(same.w, [2, 2])
        assert same.n == 3


def test_directions_and_cotangents_are_matched_by_key():
    def f(d):
        return {"x": d["a"] * 2 + d["b"][0] * 10, "y": d["a"]}

    value, slope = pg.jvp(f, ({"a": 1.0, "b": [2.0]},), ({"b": (0.0,), "a": 1.0},))
    assert value == {"x": 22, "y": 1}
    assert slope == {"x": 2, "y": 1}
    pull = pg.vjp(f, {"a": 1.0, "b": [2.0]})[1]
    assert pull({"y": 0.0, "x": 1.0}) == ({"a": 2, "b": [10]},)


@pytest.mark.parametrize(
    ("tangent", "words"),
    [
        ({"a": 1.0}, r"jvp: tangents\[0\] has the parts \['a'\], and must have"),
        ({"a": 1.0, "b": [1.0, 2.0]}, r"\[0\]\['b'\] has the parts \[0, 1\], and"),
        ({"a": [1.0], "b": [1.0]}, r"\['a'\] is a list where an array or a number"),
        ({"a": 1.0, "b": 1.0}, r"\['b'\] is a float, and must be a list"),
        ([1.0, 1.0], r"tangents\[0\] is a list, and must be a dict"),
        ({"a": None, "b": [1.0]}, r"\['a'\] is a NoneType where"),
    ],
)
def test_a_direction_of_another_structure_is_refused(tangent, words):
    with pytest.raises(pg.errors.ShapeError, match=words):
        pg.jvp(lambda d: d["a"] * d["b"][0], ({"a": 1.0, "b": [2.0]},), (tangent,))


def test_a_jacobian_has_the_dtype_of_its_argument():
    for narrow, wide in ((np.float32, np.float64), (np.float64, np.float32)):
        x = np.ones(2, narrow)
        for w in (np.ones((3, 2), wide), np.ones((1, 2), wide)):
            j = pg.jacobian(lambda x, w: (w @ x).astype(w.dtype))
            got = [j(x, w), pg.jit(j)(x, w)]
            assert {j.dtype for j in got} == {x.dtype}
            np.testing.assert_array_equal(got[0], w)
        assert pg.jacobian(lambda x, w: w[0] * x)(x, w).dtype == x.dtype


@pytest.mark.parametrize("shape", [(), (3,), (2, 0), (2, 3)])
def test_gradient_has_the_dtype_and_shape_of_its_input(dtype, shape):
    x = np.full(shape, 0.5, dtype)
    value, g = pg.value_and_grad(lambda x: np.sum(np.sin(x) * 2))(x)
    assert isinstance(g, np.ndarray)
    assert g.shape == shape and g.dtype == dtype
    assert value.dtype == dtype


def test_argnums_choose_arguments():
    f = lambda x, y, z: x * y**2 * z**3  # noqa: E731
    assert pg.grad(f, 1)(2.0, 3.0, 1.0) == 12.0
    assert pg.grad(f, (2, 0))(2.0, 3.0, 1.0) == (54.0, 9.0)
    assert pg.grad(f, -1)(2.0, 3.0, 1.0) == 54.0
    with pytest.raises(pg.ArgumentError, match="argnums 3 for 3 positional"):
        pg.grad(f, 3)(1.0, 1.0, 1.0)


def test_integers_are_lifted_and_integer_arrays_refused():
    assert pg.grad(lambda x: x**2)(3) == 6.0
    with pytest.raises(TypeError, match=r"argument 0 is int64.*\.astype\(float\)"):
        pg.grad(np.sum)(np.arange(3))
    with pytest.raises(TypeError, match="argument 0 is bool"):
        pg.grad(np.sum)(np.array([True]))


def test_aux_is_passed_on_as_arrays():
    g, aux = pg.grad(lambda x: (x**2, {"twice": 2 * x, "n": "x"}), has_aux=True)(3.0)
    assert g == 6.0 and aux == {"twice": 6.0, "n": "x"}


def test_non_contiguous_and_byte_swapped_arguments():
    x = np.arange(6.0).reshape(2, 3)
    f = lambda x: np.sum(x**3)  # noqa: E731
    expected = 3 * x**2
    np.testing.assert_array_equal(pg.grad(f)(x.T), expected.T)
    np.testing.assert_array_equal(pg.grad(f)(x[:, ::-1]), expected[:, ::-1])
    np.testing.assert_array_equal(pg.grad(f)(x.astype(">f8")), expected)
    np.testing.assert_array_equal(pg.jit(f)(x.T), f(x))
    np.testing.assert_array_equal(pg.jit(f)(x.astype(">f8")), f(x))


def test_function_that_ignores_its_argument_has_gradient_zero():
    np.testing.assert_array_equal(pg.grad(lambda x: 3.0)(np.ones(2)), np.zeros(2))
    assert pg.grad(lambda x, y: y)(1.0, 2.0) == 0.0


# ---- nesting ----


def test_perturbations_are_not_confused():
    """d/dx (x d/dy (x y)) at y = x: the inner derivative is x, the outer 2x."""
    assert pg.grad(lambda x: x * pg.grad(lambda y: x * y)(x))(3.0) == 6.0
    assert pg.grad(lambda x: x * pg.grad(lambda y: x + y)(1.0))(3.0) == 1.0
    inner = lambda x: pg.jvp(lambda y: x * y, (x,), (1.0,))[1]  # noqa: E731
    assert pg.grad(lambda x: x * inner(x))(3.0) == 6.0


def test_inner_derivative_at_a_number_sees_outer_variables():
    f = lambda a: pg.grad(lambda x: a * x**3)(2.0)  # noqa: E731
    assert pg.grad(f)(5.0) == 12.0
    assert pg.jit(f)(5.0) == 60.0


def test_inner_derivative_without_outer_variables_is_a_number():
    seen = []

    def f(a):
        g = pg.grad(pg.grad(np.sin))(1.0)
        seen.append(type(g))
        return a * float(g)

    assert pg.grad(f)(2.0) == pytest.approx(-math.sin(1.0), rel=1e-14)
    assert seen == [np.float64]


@pytest.mark.parametrize("order", [3, 4, 5, 6])
def test_high_order(order):
    f = np.sin
    for _ in range(order):
        f = pg.grad(f)
    expected = [math.sin, math.cos, lambda x: -math.sin(x), lambda x: -math.cos(x)]
    assert f(0.7) == pytest.approx(expected[order % 4](0.7), rel=1e-12)


def test_jit_inside_and_outside():
    f = lambda x: np.sum(np.sin(x) ** 2)  # noqa: E731
    x = np.linspace(0, 1, 5)
    expected = pg.grad(f)(x)
    np.testing.assert_allclose(pg.jit(pg.grad(f))(x), expected, rtol=1e-15)
    np.testing.assert_allclose(pg.grad(pg.jit(f))(x), expected, rtol=1e-15)


def test_vjp_and_jvp_are_adjoint():
    rng = np.random.default_rng(0)
    A = rng.normal(size=(4, 3))
    f = lambda x: {"y": np.tanh(A @ x), "s": np.sum(x**2)}  # noqa: E731
    x, t = rng.normal(size=3), rng.normal(size=3)
    u = {"y": rng.normal(size=4), "s": 0.3}
    value, pull = pg.vjp(f, x)
    (back,) = pull(u)
    _, push = pg.jvp(f, (x,), (t,))
    left = u["y"] @ push["y"] + u["s"] * push["s"]
    assert left == pytest.approx(back @ t, rel=1e-13)
    np.testing.assert_allclose(value["y"], np.tanh(A @ x), rtol=1e-15)
    (twice,) = pull({"y": 2 * u["y"], "s": 0.6})
    np.testing.assert_allclose(twice, 2 * back, rtol=1e-14)


def test_jacobian_of_trees_and_several_arguments():
    jx, jy = pg.jacobian(lambda x, y: np.stack([x * y, x]), (0, 1))(2.0, 3.0)
    np.testing.assert_array_equal(jx, [3.0, 1.0])
    np.testing.assert_array_equal(jy, [2.0, 0.0])
    x = np.array([1.0, 2.0, 3.0])
    wide = pg.jacobian(lambda x: np.cumsum(x**2))(x)
    np.testing.assert_array_equal(wide, np.tril(np.ones((3, 3))) * 2 * x)


# ---- control flow and purity ----


def test_python_control_flow_on_values():
    def newton(a):
        x = a
        while abs(x * x - a) > 1e-14:
            x = (x + a / x) / 2
        return x if x > 1 else -x

    assert pg.grad(newton)(2.0) == pytest.approx(0.5 / math.sqrt(2), rel=1e-12)
    assert pg.grad(newton)(0.5) == pytest.approx(-0.5 / math.sqrt(0.5), rel=1e-12)


def test_closures_are_read_afresh():
    scale, shift = 2.0, np.array([1.0, 2.0])
    f = pg.grad(lambda x: np.sum(scale * x * shift))
    np.testing.assert_array_equal(f(np.ones(2)), [2.0, 4.0])
    scale = 3.7
    shift[0] = 5.0
    np.testing.assert_array_equal(f(np.ones(2)), [18.5, 7.4])


def test_an_array_changed_while_tracing_keeps_its_old_value():
    buffer = np.zeros(2)

    def f(x):
        y = 0.0
        for i in range(3):
            buffer[:] = i
            y = y + np.sum(buffer * x)
        return y

    np.testing.assert_array_equal(pg.grad(f)(np.ones(2)), [3.0, 3.0])


def test_jit_asked_for_a_number_names_the_way_out():
    @pg.jit
    def f(x):
        return x if x > 0 else -x

    with pytest.raises(
        pg.ConcretizationError, match=r"truth value.*np\.where.*\[.*py:"
    ):
        f(1.0)


@pytest.mark.parametrize(
    ("attempt", "way"),
    [
        (lambda x: math.sin(x), "np.sin"),
        (lambda x: np.sum(np.array([x, x])), "pygradc.numpy.array"),
        (lambda x: float(x), "NumPy's function"),
        (lambda x: np.sum(np.asarray(x)), "np.stack"),
    ],
)
def test_no_gradient_is_lost_in_silence(attempt, way):
    with pytest.raises(TypeError, match=way):
        pg.grad(attempt)(1.0)


def test_assignment_into_a_plain_array_is_refused():
    def f(x):
        out = np.zeros(3)
        out[0] = x
        return np.sum(out)

    with pytest.raises(TypeError, match=r"pygradc\.numpy\.zeros"):
        pg.grad(f)(1.0)


def test_value_of_gives_the_bare_number():
    assert pg.grad(lambda x: x * math.floor(pg.value_of(x)))(2.5) == 2.0


def test_trunc_of_math_is_a_number_as_int_is():
    assert pg.grad(lambda x: x * math.trunc(x))(-2.5) == -2.0
    with pytest.raises(pg.errors.ConcretizationError, match=r"int\(\)"):
        pg.jit(math.trunc)(2.5)


# ---- errors ----


def test_error_names_op_shapes_and_the_users_line():
    def model(x):
        return np.sum(x + np.ones(4))

    with pytest.raises(
        pg.ShapeError,
        match=r"add: cannot broadcast \(3,\) with \(4,\) \[test_transform\.py:\d+: "
        r"return np\.sum",
    ):
        pg.grad(model)(np.ones(3))
    with pytest.raises(ValueError, match=r"cannot multiply \(2, 3\) by \(2, 3\)"):
        pg.grad(lambda a: np.sum(a @ a))(np.ones((2, 3)))


def test_non_scalar_result_is_refused():
    with pytest.raises(pg.ShapeError, match=r"scalar, not shape \(3,\)"):
        pg.grad(lambda x: x)(np.ones(3))


def test_a_caught_error_leaves_the_trace_usable():
    def f(x):
        try:
            np.sum(x + np.ones(4))
        except ValueError:
            return np.sum(x**2)

    np.testing.assert_array_equal(pg.grad(f)(np.ones(3)), 2 * np.ones(3))


def test_index_out_of_range():
    with pytest.raises(IndexError, match="index 5 is out of range"):
        pg.grad(lambda x: x[5])(np.ones(3))
    pick = pg.jit(lambda x, i: x[i])
    np.testing.assert_array_equal(pick(np.arange(4.0), np.array([1, -1])), [1.0, 3.0])
    with pytest.raises(IndexError, match="gather: index 9 is out of range"):
        pick(np.arange(4.0), np.array([1, 9]))


@pytest.mark.filterwarnings("ignore:the matrix subclass")
@pytest.mark.parametrize("kind", [np.ma.array, np.matrix])
def test_arrays_that_mean_something_else_are_refused(kind):
    odd = kind([[1.0, 2.0]])
    for f in (
        lambda: pg.grad(np.sum)(odd),
        lambda: pg.grad(lambda x, a: np.sum(x * a), 0)(1.0, odd),
        lambda: pg.jit(np.sum)(odd),
    ):
        with pytest.raises(TypeError, match="cannot take part in a trace"):
            f()


def test_expression_of_an_ended_trace_is_refused():
    kept = []
    pg.grad(lambda x: kept.append(x) or x)(1.0)
    with pytest.raises(pg.GraphError, match="trace that has ended"):
        pg.grad(lambda x: x * kept[0])(1.0)


def test_explicit_graph_checks_its_arguments():
    x = pg.var("x", (3,))
    f = pg.function([x], np.sum(x))
    with pytest.raises(pg.ShapeError, match=r"x has shape \(4,\), expected \(3,\)"):
        f(np.ones(4))
    with pytest.raises(pg.ArgumentError, match="takes 1 arrays, not 2"):
        f(np.ones(3), 1.0)
    with pytest.raises(pg.GraphError, match="no argument"):
        pg.function([], np.sum(x))


# ---- threads and processes ----


def test_threads_trace_and_run_at_once():
    f = pg.jit(pg.grad(lambda x: np.sum(np.sin(x))))
    x = np.linspace(0, 3, 5000)
    expected, wrong = f(x), []

    def work(k):
        for _ in range(30):
            if not np.array_equal(f(x), expected):
                wrong.append(k)
            if pg.grad(lambda t: t * (t + k))(2.0) != 4.0 + k:
                wrong.append(k)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert wrong == []


def test_results_are_the_same_bytes_for_any_number_of_threads():
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=400_003), rng.normal(size=(700, 801))

    def f(x, y):
        z = np.sin(x) * x
        return np.sum(z), np.max(x), z, np.sum(y, axis=1), np.sum(y, axis=0), np.sum(y)

    def run(n):
        pg.set_num_threads(n)
        return [np.asarray(r).tobytes() for r in pg.jit(f)(x, y)]

    before = pg.num_threads()
    try:
        first = run(1)
        for n in (2, 3, 8):
            assert run(n) == first
    finally:
        pg.set_num_threads(before)


@pytest.mark.parametrize("shape", [(700, 301), (3, 40_000), (40_003, 2), (2, 700, 99)])
def test_long_lines_are_scanned_the_same_on_any_number_of_threads(shape):
    x = 1 + 0.1 * np.random.default_rng(5).normal(size=shape)
    x[0, 1], x[-1, -1] = -0.5, np.nan

    def f(x):
        axes = range(x.ndim)
        sums = [np.cumsum(x, a) for a in axes] + [np.cumprod(x, a) for a in axes]
        return sums, [h(x, a) for h in (np.argmax, np.argmin) for a in axes]

    (sums, places), before = f(x), pg.num_threads()
    try:
        for n in (1, 2, 8):
            pg.set_num_threads(n)
            got_sums, got_places = pg.jit(f)(x)
            for got, right in zip(got_sums, sums, strict=True):
                np.testing.assert_allclose(got, right, rtol=1e-11, atol=1e-300)
            for got, right in zip(got_places, places, strict=True):
                np.testing.assert_array_equal(got, right)
    finally:
        pg.set_num_threads(before)


@pytest.mark.parametrize("shape", [(0, 5, 200), (5, 0, 200), (5, 200, 0), (0,)])
def test_scans_of_nothing(shape):
    x, axis = np.zeros(shape), len(shape) // 2
    for f in (np.cumsum, np.cumprod):
        assert pg.jit(lambda x, f=f: f(x, axis))(x).shape == shape
        assert pg.jit(pg.grad(lambda x, f=f: np.sum(f(x, axis))))(x).shape == shape
    if shape[axis] > 0:
        for f in (np.argmax, np.argmin):
            places = pg.jit(lambda x, f=f: f(x, axis))(x)
            assert places.shape == f(x, axis).shape


def test_a_sum_is_the_same_bytes_whatever_it_is_compiled_with():
    x = np.random.default_rng(4).normal(size=(41, 170))
    alone = pg.jit(np.sum)(x)
    _, among = pg.jit(lambda x: (np.sum(x, axis=1), np.sum(x)))(x)
    _, many = pg.jit(lambda x: ([np.sin(k * x) for k in range(30)], np.sum(x)))(x)
    assert alone == among == many


@pytest.mark.parametrize("shape", [(17_000,), (70_001,), (400_003,), (211, 900)])
def test_a_long_sum_is_the_same_bytes_beside_slow_operations(shape):
    """A loop of many slow operations is cut into more tasks than a sum alone."""
    x = np.random.default_rng(6).normal(size=shape)

    def f(x):
        slow = np.exp(np.sin(x)) / np.cosh(x) + np.arctan(x) * np.log1p(x * x)
        return np.sum(x), np.sum(slow), np.sum(x, axis=-1), slow

    alone = pg.jit(np.sum)(x)
    first = None
    before = pg.num_threads()
    try:
        for n in (1, 2, 8):
            pg.set_num_threads(n)
            total, sum_of_slow, rows, slow = pg.jit(f)(x)
            assert total == alone and sum_of_slow == pg.jit(np.sum)(slow)
            found = slow.tobytes() + np.asarray(rows).tobytes()
            first = first or found
            assert found == first
    finally:
        pg.set_num_threads(before)


@pytest.mark.parametrize(
    "f",
    [
        lambda u, k: np.sum(0.1 * k * u + 0.1 * k * np.sin(u)),
        lambda u, k: np.sum(-3.0 * u * np.exp(-3.0 * u)) * k,
        lambda u, k: np.dot(0.3 * u, 0.3 * u) * np.dot(0.3 * u, u) + k,
    ],
)
def test_traced_and_recorded_calls_give_the_same_bytes(f):
    """Numbers are parameters of the former and constants of the latter."""
    u, k = np.random.default_rng(5).normal(size=37), 0.7
    for each in (u, u.astype(np.float32)):
        traced = pg.value_and_grad(f, (0, 1))(each, k)
        recorded = pg.jit(pg.value_and_grad(f, (0, 1)))(each, k)
        assert [np.asarray(a).tobytes() for a in (traced[0], *traced[1])] == [
            np.asarray(a).tobytes() for a in (recorded[0], *recorded[1])
        ]


@pytest.mark.parametrize("f", [lambda x: 1j * x, lambda x: x + 2j, lambda x: x**1j])
def test_complex_numbers_are_refused_by_name(f):
    with pytest.raises(pg.DTypeError, match="complex128 cannot take part in a trace"):
        pg.grad(f)(1.0)


def _child(connection):
    connection.send(float(pg.grad(np.sin)(0.0)))
    connection.close()


def test_fork_after_use_is_safe():
    assert pg.grad(np.sin)(0.0) == 1.0
    pid = os.fork()
    if pid == 0:
        os._exit(0 if pg.grad(np.sin)(0.0) == 1.0 else 1)
    assert os.waitpid(pid, 0)[1] == 0
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe()
    process = context.Process(target=_child, args=(there,))
    process.start()
    assert here.recv() == 1.0
    process.join()


SUMS_OF_ROWS = {
    "tall": ((50_000, 7), 0),
    "a row left over": ((64 * 16 * 9 + 1, 40), 0),
    "wide": ((300, 1111), 0),
    "two axes": ((400, 9, 41), (0, 1)),
    "groups": ((6, 500, 60), 1),
    "large groups": ((2, 9000, 11), 1),
    "few rows": ((3, 70_000), 0),
}


@pytest.mark.parametrize("shape, axis", SUMS_OF_ROWS.values(), ids=SUMS_OF_ROWS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64])
def test_sums_of_rows_are_shared_by_threads_to_the_same_bytes(shape, axis, dtype):
    x = (100 * np.random.default_rng(0).normal(size=shape)).astype(dtype)
    reductions = [
        lambda x: np.sum(x * x, axis),
        lambda x: np.max(x, axis),
        lambda x: np.min(x * 2, axis),
        lambda x: np.prod(np.where(x > 0, x, 1) / x.dtype.type(16), axis),
    ][: 3 if dtype is np.int64 else 4]
    alone = [f(x) for f in map(pg.jit, reductions)]
    for got, f in zip(alone, reductions, strict=True):
        tolerance = 0 if dtype is np.int64 else 1e-5 if dtype is np.float32 else 1e-12
        with np.errstate(over="ignore"):
            np.testing.assert_allclose(got, f(x), rtol=tolerance)
    before = pg.num_threads()
    for n in (1, 2, 5):
        pg.set_num_threads(n)
        together = pg.jit(lambda x: [f(x) for f in reductions] + [x + 1])(x)
        for got, one in zip(together, alone, strict=False):
            assert got.tobytes() == one.tobytes()
    pg.set_num_threads(before)


def test_an_error_in_a_shared_sum_of_rows_does_not_grow():
    """float32 rows are added in float64, and tasks joined in it."""
    x = np.full((200_000, 3), 0.1, np.float32)
    np.testing.assert_array_equal(
        pg.jit(lambda x: np.sum(x, 0))(x), np.sum(x, 0, np.float64).astype(np.float32)
    )
