"""Sparse Jacobians: the pattern misses nothing, few derivatives give the whole."""

import numpy as np
import pytest
from oracles import ORACLES, POSITIONS
from test_random import inputs, program

import pygradc as pg
from pygradc._compress import Plan
from pygradc._expr import expr, graph_of, lift
from pygradc._graph import Graph
from pygradc._lib import DATA, VARIABLE, lib
from pygradc._program import pattern, vjp_nodes

MOVING = [row for row in pg.ops() if row.kind in ("linear", "general")]


def traced(f, x):
    """`f` of a variable like `x`, and the variable."""
    graph = Graph(recording=True)
    v = expr(graph, graph.input(0, x.shape, VARIABLE), 0)
    return lift(graph, f(v)), v


def columns(f, x):
    """The Jacobian by one derivative for each element of `x`."""
    basis = np.eye(x.size).reshape(-1, *x.shape)
    return np.stack([np.asarray(pg.jvp(f, (x,), (e,))[1]).ravel() for e in basis], 1)


def rosenbrock(x):
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


# ---- the pattern ----


@pytest.mark.parametrize("row", MOVING, ids=lambda row: row.name)
def test_pattern_of_a_row_misses_no_slope(row):
    rng = np.random.default_rng(5)
    if row.name in POSITIONS:
        return
    for case in ORACLES[row.name]:
        n = max(case.least, 3)
        args = [rng.normal(size=[n if d == "n" else d for d in s]) for s in case.shapes]
        for k, x in enumerate(args):
            if x.size == 0:
                continue

            def f(x, k=k, args=args, case=case):
                own = [x if i == k else a for i, a in enumerate(args)]
                return case.call(*[lift(graph_of(x), a) for a in own])

            y, v = traced(f, x)
            there = columns(f, x) != 0
            assert not np.any(there & (pattern(y.graph, y, v) == 0))


@pytest.mark.parametrize("seed", range(60))
def test_jacobians_of_random_programs_are_those_of_single_columns(seed):
    x, b = inputs(seed)
    if x.size > 150:
        x = x[:2, :5]
        b = b[:5]

    def f(x):
        return np.concatenate([np.ravel(y) for y in program(seed)(x, b)])

    expected = columns(f, x)
    y, v = traced(f, x)
    assert not np.any((expected != 0) & (pattern(y.graph, y, v) == 0))
    for jacobian in (pg.jacobian(f), pg.jit(pg.jacobian(f))):
        found = np.asarray(jacobian(x)).reshape(expected.shape)
        scale = np.max(np.abs(expected), initial=1)
        np.testing.assert_allclose(found, expected, 1e-11, 1e-11 * scale)


@pytest.mark.parametrize(
    "f, shape, expected",
    [
        (lambda x: x[1:] * x[:-1], (6,), np.eye(5, 6) + np.eye(5, 6, 1)),
        (lambda x: np.sin(x[::-1]), (4,), np.eye(4)[::-1]),
        (lambda x: np.sum(x, 1), (2, 3), np.repeat(np.eye(2), 3, 1)),
        (lambda x: np.max(x, 0), (2, 3), np.tile(np.eye(3), 2)),
        (lambda x: np.concatenate([x[:1], x]).T, (2,), np.eye(2)[[0, 0, 1]]),
        (lambda x: np.pad(x, 1)[::2], (3,), np.eye(5, 3, -1)[::2]),
        (lambda x: x[:, None] @ np.ones((1, 2)), (2,), np.repeat(np.eye(2), 2, 0)),
        (lambda x: np.ones((1, 2)) @ x, (2, 2), np.tile(np.eye(2), 2)),
        (lambda x: np.cumsum(x, 1), (2, 2), np.kron(np.eye(2), np.ones((2, 2)))),
        (lambda x: x[:, np.array([1, 0])], (2, 2), np.kron(np.eye(2), np.ones((2, 2)))),
        (lambda x: x.T.reshape(4), (2, 2), np.eye(4)[[0, 2, 1, 3]]),
        (lambda x: x * x[0], (3,), np.maximum(np.eye(3), [1, 0, 0])),
        (lambda x: x[np.where(x > 0, 1, 0)] * 0 + 1.0, (2,), np.ones((2, 2))),
        (lambda x: np.sign(x) + np.floor(x), (2,), np.eye(2)),
        (lambda x: np.ones(3) * 2.0, (2,), np.zeros((3, 2))),
        (lambda x: np.add.outer(x, x[:0]), (2,), np.zeros((0, 2))),
    ],
)
def test_pattern_is_as_sparse_as_it_looks(f, shape, expected):
    x = np.arange(1.0, 1 + np.prod(shape)).reshape(shape)
    y, v = traced(f, x)
    np.testing.assert_array_equal(pattern(y.graph, y, v), expected)


def test_pattern_too_large_to_tell_is_full():
    x = np.ones(20_000)
    y, v = traced(lambda x: np.sin(x[:2]) * 2, x)
    assert np.all(pattern(y.graph, y, v) == 1)


# ---- sums of rows and columns ----


def plan_of(f, x):
    y, v = traced(f, x)
    return Plan(y.graph, y, v)


@pytest.mark.parametrize("n", [2, 3, 7, 100])
def test_a_band_takes_as_many_derivatives_as_it_is_wide(n):
    x = np.random.default_rng(n).normal(size=n)
    y, v = traced(rosenbrock, x)
    (slope,) = vjp_nodes(y.graph, y.id, 0, [v.id])
    plan = Plan(y.graph, expr(y.graph, slope, 0), v)
    assert plan.count == (3 if n >= 6 else n)
    expected = columns(pg.grad(rosenbrock), x)
    for hessian in (pg.hessian(rosenbrock), pg.jit(pg.hessian(rosenbrock))):
        np.testing.assert_array_equal(hessian(x), expected)


def test_the_fewer_of_rows_and_columns_are_summed():
    few_columns = plan_of(lambda x: np.repeat(x, 3) * x[0], np.ones(8))
    assert (few_columns.by_rows, few_columns.count) == (False, 2)
    few_rows = plan_of(lambda x: np.append(x[:8] * x[8:], np.sum(x)), np.ones(16))
    assert (few_rows.by_rows, few_rows.count) == (True, 2)
    dense = plan_of(lambda x: np.cumsum(x), np.ones(8))
    assert dense.source is None and dense.count == 8


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.repeat(x, 3) * x[0],
        lambda x: np.append(x[:4] * x[4:], np.sum(x**2)),
        lambda x: np.ones(5) * 2.0,
        lambda x: np.stack([x[::2], x[1::2] * x[::2]]),
        lambda x: np.convolve(x**2, [1.0, -2.0, 1.0]),
        lambda x: np.diff(x**3, 2),
        lambda x: np.sin(x),
    ],
)
@pytest.mark.parametrize("elements", [4, 1 << 19])
def test_sums_give_the_jacobian_at_every_order(monkeypatch, f, elements):
    monkeypatch.setattr("pygradc._jacobian.MOST_ELEMENTS", elements)
    x = np.random.default_rng(0).normal(size=8)
    expected = columns(f, x)
    for jacobian in (pg.jacobian(f), pg.jit(pg.jacobian(f))):
        found = np.asarray(jacobian(x)).reshape(expected.shape)
        np.testing.assert_allclose(found, expected, 1e-13, 1e-13)
    w = np.random.default_rng(1).normal(size=expected.shape)

    def total(x):
        return np.sum(w * pg.jacobian(f)(x).reshape(w.shape))

    def total_of_columns(x):
        basis = np.eye(8)
        parts = [pg.jvp(f, (x,), (e,))[1].reshape(-1) for e in basis]
        return np.sum(w * np.stack(parts, 1))

    slope = pg.grad(total_of_columns)(x) if np.any(expected) else np.zeros(8)
    np.testing.assert_allclose(pg.grad(total)(x), slope, 1e-12, 1e-12)
    batch = np.stack([x, 2 * x, 0 * x])
    found = pg.vmap(pg.jacobian(f))(batch)
    each = [np.asarray(pg.jacobian(f)(b)) for b in batch]
    np.testing.assert_allclose(found, np.stack(each), 1e-13, 1e-13)


def test_infinite_slopes_stay_where_they_are():
    f = lambda x: np.sum(np.sqrt(x[1:]) * x[:-1])  # noqa: E731
    x = np.array([1.0, 0.0, 4.0, 9.0, 16.0, 25.0, 36.0, 49.0])
    found = pg.hessian(f)(x)
    with np.errstate(all="ignore"):
        near = np.abs(np.subtract.outer(range(8), range(8))) <= 1
    assert np.all(found[~near] == 0)
    np.testing.assert_array_equal(found, columns(pg.grad(f), x))


def test_data_is_no_variable():
    y, v = traced(lambda x: x * np.arange(3.0), np.ones(3))
    data = expr(y.graph, y.graph.input(0, (3,), DATA), 0)
    assert not np.any(pattern(y.graph, y, data))
    assert lib.gradc_pattern(y.graph.h, 0, v.id, b"") != 0
    lib.gradc_graph_recover(y.graph.h)


def test_jacobians_of_constants_are_told_apart_by_their_shape():
    x = np.ones(3)
    for n in (5, 2, 7):
        for dtype in (np.float64, np.float32):
            found = pg.jacobian(lambda x, n=n, t=dtype: np.ones(n, t))(x)
            np.testing.assert_array_equal(found, np.zeros((n, 3)))
        both = pg.jacobian(lambda x, n=n: [np.ones(n), x[:2] * 2, np.ones(2)])(x)
        assert [j.shape for j in both] == [(n, 3), (2, 3), (2, 3)]
