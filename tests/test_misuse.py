"""What users do that was not meant: it is right, or one clear error, and nothing is
broken after it."""

import copy
import itertools
import signal
import sys
import threading
from collections import OrderedDict

import numpy as np
import pytest

import pygradc as pg
import pygradc.numpy as pnp

Z = np.arange(12.0).reshape(3, 4)


# ---- indices that are known when the program runs ----


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (([0], [5]), "index 5 is out of range for an axis of 4"),
        (([0, 3], [0, 0]), "index 3 is out of range for an axis of 3"),
        (([0], [-5]), "index -5 is out of range for an axis of 4"),
        (([2**63 - 1], [2**63 - 1]), "is out of range for an axis of 3"),
    ],
)
def test_each_axis_has_its_own_range(key, words):
    key = tuple(np.array(k) for k in key)
    for f in (lambda z, i, j: z[i, j], pg.grad(lambda z, i, j: np.sum(z[i, j]))):
        with pytest.raises(pg.errors.IndexRangeError, match=words):
            pg.jit(f)(Z, *key)


def test_axes_are_indexed_from_either_end():
    i, j = np.array([0, -1, 2, -3]), np.array([-4, 3, 1, -1])
    np.testing.assert_array_equal(pg.jit(lambda z, i, j: z[i, j])(Z, i, j), Z[i, j])
    got = pg.jit(lambda z, j: z[[0, -1, 2, -3], j])(Z, j)
    np.testing.assert_array_equal(got, Z[i, j])
    with pytest.raises(pg.errors.IndexRangeError, match="index 7 .* axis of 4"):
        pg.jit(lambda z, i: z[i, [7]])(Z, i)


def test_take_along_axis_has_the_range_of_its_axis():
    take = pg.jit(lambda z, i: np.take_along_axis(z, i, 1))
    i = np.array([[-4], [3], [0]])
    np.testing.assert_array_equal(take(Z, i), np.take_along_axis(Z, i, 1))
    with pytest.raises(pg.errors.IndexRangeError, match="index -5 .* axis of 4"):
        take(Z, i - 1)


def test_a_number_is_assigned_under_a_traced_mask():
    def f(x):
        y = x * 1.0
        y[y < 0] = 0.5 * x[0, 0]
        y[y[:, 0] > 4] = 2
        return np.sum(y * y)

    x = np.array([[-1.0, 2.0], [3.0, -4.0], [5.0, 6.0]])
    assert pg.jit(f)(x) == f(x) == 0.25 + 4 + 9 + 0.25 + 8
    slope = [[0, 4.0], [6, 0], [0, 0]]
    slope[0][0] = 2 * 0.5 * 0.5 * -1.0 * 2  # of both elements that it replaces
    for g in (pg.grad(f), pg.jit(pg.grad(f))):
        np.testing.assert_allclose(g(x), slope)
    with pytest.raises(pg.errors.IndexRangeError, match="does not fit shape"):
        pg.jit(lambda x: x.__setitem__(x[:2] > 0, 1.0))(x)
    with pytest.raises(pg.errors.ConcretizationError, match="shape of what a mask"):
        pg.jit(lambda x: np.sum(x[x > 0]))(x)


# ---- threads ----


def in_threads(n, work):
    threads = [threading.Thread(target=work) for _ in range(n)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()


def test_a_bound_call_in_two_threads_is_an_error_or_right():
    x = np.linspace(-1, 1, 200_003)
    f = pg.jit(pg.value_and_grad(lambda x: np.sum(np.tanh(x) * x)))
    call, value, refused = f.bind(x), f(x)[0], []

    def work():
        for _ in range(40):
            try:
                assert call()[0] == value
            except pg.errors.ArgumentError as why:
                refused.append(str(why))

    in_threads(3, work)
    assert refused and all("another thread is in this bound call" in r for r in refused)
    assert call()[0] == value


def test_threads_that_add_to_one_trace():
    def f(x):
        parts = []

        def part():
            y = x
            for _ in range(600):
                y = np.sin(y) * x
            parts.append(y)

        in_threads(3, part)
        return np.sum(sum(parts))

    def alone(x):
        y = x
        for _ in range(600):
            y = np.sin(y) * x
        return 3 * np.sum(y)

    x = np.array([0.5, 1.0, 1.5])
    for _ in range(5):
        np.testing.assert_allclose(pg.grad(f)(x), pg.grad(alone)(x), rtol=1e-12)


# ---- interrupts ----


def test_an_interrupt_leaves_no_trace_open():
    slope = pg.grad(lambda x: x * x)
    delay = itertools.cycle(np.linspace(2e-5, 4e-4, 97))

    def interrupt(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        for _ in range(1500):
            try:
                signal.setitimer(signal.ITIMER_REAL, next(delay))
                while True:
                    slope(3.0)
            except KeyboardInterrupt:
                assert type(slope(3.0)) is np.float64
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert not pg._graph.tracing


# ---- arrays of unusual kinds ----


def test_any_byte_but_zero_is_true():
    mask = np.array([255, 1, 0, 2] * 5, np.uint8).view(bool)
    x = np.arange(20.0)
    expected = np.where(mask, x, -1.0)
    np.testing.assert_array_equal(
        pg.jit(lambda m, x: np.where(m, x, -1.0))(mask, x), expected
    )
    np.testing.assert_array_equal(
        pg.jit(lambda x: np.where(mask, x, -1.0))(x), expected
    )
    assert pg.jit(np.sum)(mask) == 15
    assert pg.grad(lambda x: np.sum(x * mask))(x).sum() == 15


@pytest.mark.parametrize("dtype", ["int32", "uint8", ">f8"])
def test_bind_refuses_what_it_cannot_read_in_place(dtype):
    f = pg.jit(lambda x: x * 2.0)
    with pytest.raises(pg.errors.DTypeError, match="cannot be used in place"):
        f.bind(np.arange(3).astype(dtype))
    np.testing.assert_array_equal(f(np.arange(3).astype(dtype)), [0, 2, 4])


def test_functions_and_pullbacks_refuse_what_a_trace_does():
    i = pg.var("i", (), int)
    with pytest.raises(pg.errors.DTypeError, match="uint64"):
        pg.function([i], i * 1.0)(np.uint64(2**63))
    _, pullback = pg.vjp(np.sin, np.ones(3))
    for cotangent in (np.ones(3) * 1j, np.array(["1", "2", "3"]), np.ma.ones(3)):
        with pytest.raises(pg.errors.DTypeError):
            pullback(cotangent)


def test_pullbacks_are_functions_that_transformations_take():
    x = np.array([0.5, 1.0, 2.0])
    _, pull = pg.vjp(lambda p: np.sin(p["a"]) * p["b"], {"a": x.copy(), "b": 2.0})
    jacobian = np.diag(2 * np.cos(x))
    for rows in (pg.vmap(pull)(np.eye(3)), pg.jit(pg.vmap(pull))(np.eye(3))):
        np.testing.assert_allclose(rows[0]["a"], jacobian)
        np.testing.assert_allclose(rows[0]["b"], np.sin(x))
    np.testing.assert_allclose(pg.jit(pull)(x)[0]["a"], jacobian @ x)
    gradient = pg.grad(lambda u: np.sum(pull(u)[0]["a"] ** 2))(x)
    np.testing.assert_allclose(gradient, 2 * jacobian @ jacobian @ x)


@pytest.mark.parametrize("shape", [(), (1,), (2,), (1, 3)])
def test_traced_cotangents_have_the_shape_of_the_output(shape):
    x = np.ones(3)
    _, pull = pg.vjp(np.sin, x)
    inside = pg.jit(lambda x, u: pg.vjp(np.sin, x)[1](u))
    for call in (pull, pg.jit(pull), lambda u: inside(x, u)):
        with pytest.raises(pg.errors.ShapeError, match="vjp: cotangent of shape"):
            call(np.ones(shape))


def test_a_pullback_is_of_the_arrays_as_they_were():
    x = np.array([1.0, 2.0, 3.0])
    _, pullback = pg.vjp(lambda x: np.sum(x**3), x)
    x[:] = 0
    np.testing.assert_array_equal(pullback(1.0)[0], [3, 12, 27])
    np.testing.assert_array_equal(pg.jit(pullback)(1.0)[0], [3, 12, 27])


def test_containers_that_are_no_trees_are_refused():
    with pytest.raises(pg.errors.DTypeError, match="returned an instance of Ordered"):
        pg.jit(lambda x: OrderedDict(a=x * 2))(1.0)
    with pytest.raises(pg.errors.DTypeError, match="returned an instance of Ordered"):
        pg.grad(lambda x: (x * 2, OrderedDict(a=x)), has_aux=True)(1.0)
    with pytest.raises(pg.errors.DTypeError, match="an instance of OrderedDict"):
        pg.jit(lambda d: d["a"] * 2)(OrderedDict(a=1.0))


@pytest.mark.parametrize(
    ("attempt", "words"),
    [
        (
            lambda v: pg.set_num_threads(2**40),
            "1099511627776 is not an int from 1",
        ),
        (lambda v: pg.grad(np.sum, argnums=1.0)(v), "argnums 1.0 is no int"),
        (lambda v: pg.jvp(np.sin, 1.0, (1.0,)), "primals is a float"),
        (lambda v: pg.jvp(np.sin, (1.0,), np.ones(1)), "tangents is a ndarray"),
        (lambda v: pg.function([v], []), "there are no outputs"),
        (lambda v: pg.function([v], 3), "int is no Expr"),
        (lambda v: pg.grad_of(3.0, v), "float is no Expr"),
        (lambda v: v & 3, "logical_and: only bools are supported"),
    ],
)
def test_wrong_arguments_are_named(attempt, words):
    with pytest.raises(pg.GradcError, match=words):
        attempt(pg.var("v"))


def test_arguments_may_have_any_name():
    def f(x, graph, function, self):
        return x * graph * function * self

    named = {"graph": 2.0, "function": 3.0, "self": 4.0}
    assert pg.grad(f)(1.0, **named) == pg.jit(f)(1.0, **named) == 24
    columns = {k: np.full(2, v) for k, v in named.items()}
    np.testing.assert_array_equal(pg.vmap(f)(np.ones(2), **columns), [24, 24])


def test_jit_returns_the_integers_and_bools_that_the_function_does():
    f = pg.jit(lambda x: (x.shape[0], x.ndim > 1, x * 2))
    for _ in range(3):
        n, is_matrix, y = f(np.ones(3))
        assert (type(n), n, is_matrix) == (int, 3, False) and y.sum() == 6


# ---- memory ----


def test_a_result_that_does_not_fit_says_how_large_it_is():
    f = pg.jit(lambda x: np.broadcast_to(x, (2**44,)) * 1.0)
    with pytest.raises(pg.errors.OutOfMemoryError, match=f"of {2**47} bytes"):
        f(1.0)


def test_one_line_is_sorted_in_the_memory_of_one_thread():
    x = np.zeros(10_000)
    threads = pg.num_threads()
    needed = []
    try:
        for n in (1, 8):
            pg.set_num_threads(n)
            needed.append(pg.jit(np.sort).memory(x).workspace)
    finally:
        pg.set_num_threads(threads)
    assert needed[0] == needed[1]


# ---- copies ----


def test_copies_of_traced_values_have_a_life_of_their_own():
    def f(params):
        for copied in (copy.copy(params["w"]), copy.deepcopy(params)["w"]):
            copied[0] = 0.0
        return np.sum(params["w"] ** 2)

    np.testing.assert_array_equal(pg.grad(f)({"w": np.ones(3)})["w"], [2, 2, 2])


# ---- many programs from many threads ----


def test_programs_are_dropped_by_threads_at_once():
    before, interval = pg._program.MOST_PROGRAMS, sys.getswitchinterval()
    pg._program.MOST_PROGRAMS = 4
    sys.setswitchinterval(1e-6)
    wrong = []

    def work():
        for n in range(1, 150):
            if pg.grad(np.sum)(np.ones(n)).sum() != n:
                wrong.append(n)

    try:
        in_threads(4, work)
    finally:
        pg._program.MOST_PROGRAMS = before
        sys.setswitchinterval(interval)
    assert not wrong


# ---- what is said ----


@pytest.mark.parametrize(
    ("attempt", "kind", "words"),
    [
        (
            lambda: pg.grad(lambda x: x * 2)(pg.var("a")),
            pg.errors.GraphError,
            "a variable of the explicit graph: use grad_of",
        ),
        (
            lambda: pg.jit(lambda x: x[np.nonzero(x)])(np.ones(3)),
            pg.errors.ConcretizationError,
            "a concrete value was asked of",
        ),
        (
            lambda: pg.grad(lambda x: np.sum(Z.dot(x)))(np.ones(4)),
            pg.errors.ConcretizationError,
            r"M @ x for M\.dot\(x\)",
        ),
        (
            lambda: pg.jit(lambda x: x.astype(int, casting="safe"))(np.ones(3)),
            pg.errors.DTypeError,
            "astype: float64 cannot become int64 by 'safe'",
        ),
    ],
)
def test_errors_name_the_way_out(attempt, kind, words):
    with pytest.raises(kind, match=words):
        attempt()


@pytest.mark.parametrize("power", [np.inf, -np.inf, float("inf"), 1000])
def test_powers_of_exponents_without_end(power):
    x = np.array([0.5, 1.0, 1.25])
    for f in (lambda x: x**power, lambda x: np.power(x, power)):
        np.testing.assert_array_equal(np.isfinite(f(x)), np.isfinite(pg.jit(f)(x)))
        np.testing.assert_allclose(pg.jit(f)(x), f(x), rtol=1e-15)


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda z: np.tensordot(z, z, axes=1), "IndexRangeError", "axis -1 of 0"),
        (
            lambda z: np.average(z, axis=0, weights=np.ones(())[None]),
            "IndexRangeError",
            "average: axis 0 of 0",
        ),
        (
            lambda z: np.average(z, axis=0, weights=2.0),
            "IndexRangeError",
            "average: axis 0 of 0",
        ),
        (lambda z: np.vecmat(z, np.ones((2, 2))), "ShapeError", r"shape \(\), which"),
        (lambda z: pnp.c_[z * np.ones(2), np.ones(3)], "ShapeError", r"c_: parts of"),
        (lambda z: pg.graph_text(3), "DTypeError", "graph_text: int is no Expr"),
        (lambda z: pg.var("a", (1.5,)), "ArgumentError", "its entries are no ints"),
        (lambda z: pg.var("a", 1.5), "ArgumentError", "var: 1.5 is no shape"),
        (lambda z: pg.var("a", (2**70,)), "ShapeError", "is too large"),
        (lambda z: pg.var("a", (), "number"), "DTypeError", "'number' is no dtype"),
        (lambda z: pg.set_num_threads("2"), "ArgumentError", "'2' is not an int"),
    ],
)
def test_misuse_is_told_in_pygradcs_own_errors(call, kind, words):
    with pytest.raises(getattr(pg.errors, kind), match=words):
        pg.grad(lambda z: np.sum(call(z)))(1.0)


X3 = np.array([3.0, 1.0, 2.0])


@pytest.mark.parametrize(
    "call",
    [
        lambda x, o: np.dot(x, x, o),
        lambda x, o: x.dot(x, o),
        lambda x, o: np.median(x, None, o),
        lambda x, o: np.percentile(x, 30, None, o),
        lambda x, o: np.quantile(x, 0.3, None, o),
        lambda x, o: np.sum(x, None, None, o),
        lambda x, o: np.mean(x, None, None, o),
        lambda x, o: np.clip(x[0], 0, 2.5, o),
        lambda x, o: np.round(x[0] * 1.26, 1, o),
        lambda x, o: np.take(x, 1, None, o),
    ],
)
def test_a_positional_out_is_written_to(call):
    def f(x):
        out = np.zeros(()) if not isinstance(x, pg.Expr) else 0 * x[0]
        call(x, out)
        return out * 1

    assert pg.jit(f)(X3) == f(X3)
    with pytest.raises(pg.errors.UnsupportedError, match="cannot be written into"):
        pg.grad(lambda x: call(x, np.zeros(())))(X3)


@pytest.mark.parametrize(
    "call",
    [
        lambda x: np.sum(x, 0, None, None, True),
        lambda x: np.std(x, 0, None, None, 1, True),
        lambda x: np.max(x, 0, None, True, 9.0),
        lambda x: np.median(x, 0, None, False, True),
        lambda x: np.quantile(x, 0.3, 0, None, False, "lower", True),
        lambda x: np.percentile(x, 30, 0, None, False, "higher"),
        lambda x: np.take(x, [0, 5], 1, None, "wrap"),
        lambda x: np.choose([0, 1, 2, 0], [x[0], x[1]], None, "wrap"),
        lambda x: x.mean(0, None, None, True),
        lambda x: x.take([0, 5], 1, None, "wrap"),
    ],
)
def test_what_follows_a_positional_out_keeps_its_place(call):
    np.testing.assert_allclose(pg.jit(call)(Z), call(Z), rtol=1e-15, strict=True)


@pytest.mark.parametrize(
    ("call", "usual"),
    [
        (lambda x, **how: np.concatenate([x, x], **how), "same_kind"),
        (lambda x, **how: np.stack([x, x], **how), "same_kind"),
        (lambda x, **how: np.hstack([x, x], **how), "same_kind"),
        (lambda x, **how: np.vstack([x, x], **how), "same_kind"),
        (lambda x, **how: np.einsum("i,i->i", x, [2.0, 2, 2], **how), "safe"),
    ],
)
def test_casting_is_taken_only_as_it_is_anyway(call, usual):
    slope = pg.grad(lambda x: np.sum(call(x, casting=usual)))
    np.testing.assert_array_equal(slope(X3), [2, 2, 2])
    with pytest.raises(pg.errors.UnsupportedError, match=f"casting='no'.*'{usual}'"):
        pg.grad(lambda x: np.sum(call(x, casting="no")))(X3)


def test_nan_to_num_in_place():
    def f(x):
        y = x / x[1]
        same = np.nan_to_num(y, copy=False, nan=5.0)
        y[0] = 7.0
        return np.stack([np.sum(y), np.sum(same)])

    x = np.array([1.0, np.inf, 2.0])
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(pg.jit(f)(x), f(x))


@pytest.mark.parametrize("f", [np.sum, np.prod, np.max, np.min, np.ptp, np.nansum])
@pytest.mark.parametrize("axis", [0, -1])
def test_a_number_has_the_axes_that_numpy_gives_it(f, axis):
    x = np.array(3.0)
    slope = 0 if f is np.ptp else 1
    value, gradient = pg.value_and_grad(lambda x: f(x, axis=axis))(x)
    assert (value, gradient) == (f(x, axis=axis), slope)
    with pytest.raises(pg.errors.IndexRangeError, match="axis 1"):
        pg.grad(lambda x: f(x, axis=1))(x)
