"""Which names and arrays share their value: assigning to one must not change others
that NumPy keeps apart, nor lose a derivative."""

import numpy as np
import pytest

import pygradc as pg
import pygradc.numpy as pnp

X = np.array([1.0, 2.0, 3.0])


# ---- arguments ----


def _item(x):
    x[0] = 2 * x[0] ** 2
    return np.sum(x)


def _clipped(x):
    np.clip(x, 1.5, 2.5, out=x)
    return np.sum(x * x)


def _added(x):
    np.add.at(x, [0, 0], 10 * x[1])
    return np.sum(x)


def _erased(x):
    x[:] = 0
    return np.sum(x)


@pytest.mark.parametrize(
    ("f", "value", "slope"),
    [
        (_item, 7.0, [4.0, 1.0, 1.0]),
        (_clipped, 2.25 + 4 + 6.25, [0.0, 4.0, 0.0]),
        (_added, 46.0, [1.0, 21.0, 1.0]),
        (_erased, 0.0, [0.0, 0.0, 0.0]),
    ],
)
def test_a_function_may_assign_to_its_argument(f, value, slope):
    for wrap in (lambda f: f, pg.jit):
        got, gradient = wrap(pg.value_and_grad(f))(X)
        assert got == value
        np.testing.assert_array_equal(gradient, slope)
    _, pull = pg.vjp(f, X)
    np.testing.assert_array_equal(pull(1.0)[0], slope)
    np.testing.assert_array_equal(pg.vmap(pull)(np.ones(2))[0], [slope, slope])
    for i, direction in enumerate(np.eye(3)):
        assert pg.jvp(f, (X,), (direction,))[1] == slope[i]
    np.testing.assert_array_equal(pg.vmap(f)(np.stack([X, X])), [value, value])
    np.testing.assert_array_equal(X, [1, 2, 3])


def test_second_derivatives_of_what_assigns_to_its_argument():
    assert pg.hessian(_item)(X)[0, 0] == 4
    tree = {"w": X}

    def f(p):
        p["w"][1:] = p["w"][1:] ** 3
        return np.sum(p["w"])

    np.testing.assert_array_equal(pg.grad(f)(tree)["w"], [1, 12, 27])


# ---- copies ----


@pytest.mark.parametrize(
    "copied",
    [
        np.copy,
        np.positive,
        np.conjugate,
        pnp.array,
        np.nan_to_num,
        lambda x: +x,
        lambda x: x.copy(),
        lambda x: x.astype(float),
        lambda x: np.astype(x, float),
        lambda x: x.flatten(),
        lambda x: np.roll(x, 0),
        lambda x: np.round(x.astype(int)).astype(float),
    ],
)
def test_what_is_assigned_to_a_copy_does_not_show_in_the_array(copied):
    def f(x):
        y = copied(x)
        y[0] = 100
        return np.sum(x) + 0 * y[0]

    assert f(X.copy()) == 6
    value, slope = pg.value_and_grad(f)(X)
    assert value == 6
    np.testing.assert_array_equal(slope, np.ones(3))


def test_bare_numbers_are_copies():
    y = np.array([5.0, 6.0])

    def f(x):
        pg.value_of(x)[:] = -1
        pg.value_of(x * 2)[:] = -1
        pg.value_of(y)[:] = -1
        return np.sum(x), x

    slope, aux = pg.grad(f, has_aux=True)(X)
    aux[:] = -1
    np.testing.assert_array_equal(slope, np.ones(3))
    np.testing.assert_array_equal(X, [1, 2, 3])
    np.testing.assert_array_equal(y, [5, 6])


# ---- buffers that the function uses again ----


def _reusing(n):
    buffer = np.empty(2 * n)

    def f(w):
        total = 0.0
        for k in range(3):
            buffer[:] = k
            total = total + np.sum(w * buffer[:n])
        return total

    return f


@pytest.mark.parametrize("n", [3, 30_000])
def test_jit_copies_what_it_reads_whatever_is_written_there_later(n):
    for f in (_reusing(n), pg.jit(_reusing(n))):
        assert f(np.ones(n)) == 3 * n


@pytest.mark.parametrize("strided", [False, True])
def test_a_large_buffer_that_is_used_again_is_told(strided):
    n = 30_000
    buffer = np.zeros((n, 2))
    column = buffer[:, 0] if strided else np.zeros(n)

    def again(w):
        total = 0.0
        for k in range(3):
            column[:] = k
            total = total + np.sum(w * column)
        return total

    def once(w):
        column[:] = 2
        total = np.sum(w * column)
        column[:] = 7
        return total

    if strided:  # it cannot be read in place, so it is copied
        assert pg.grad(again)(np.ones(n))[0] == 3
        assert pg.grad(once)(np.ones(n))[0] == 2
        return
    for f in (again, once):
        for transform in (pg.grad, pg.value_and_grad, pg.jacobian):
            with pytest.raises(pg.errors.ArgumentError, match="was changed after"):
                transform(f)(np.ones(n))
        with pytest.raises(pg.errors.ArgumentError, match="was changed after"):
            pg.vmap(f)(np.ones((2, n)))


# ---- parts ----


def _chained(out, v):
    out[0][1] = v
    out[0][1] += v
    out[1:][0][2:] = 3 * v


def _by_rows(out, v):
    for row in out:
        row[:] = v
        v = 2 * v


def _part_in_place(out, v):
    row = out[1]
    row += v
    row[0] *= 5
    row[1:] -= out[0][1:]


def _whole_first(out, v):
    row = out[1]
    out[1] = v  # which the row sees when it is assigned to
    row[0] = 2 * v
    out[0] = row


def _part_of_a_part(out, v):
    part = out[:, 1:]
    out[0] = v
    part[0][1] += part[0][0] + v
    part[1, 0] += 1


def _by_output(out, v):
    np.multiply(out[0], v, out=out[1])
    np.add.at(out[0], [0, 0], v)


def _swapped(out, v):
    out[0] += v
    a = out[0] * 1
    out[0] = out[1]
    out[1] = a


def _product(out, v):
    other = out
    other @= v * np.eye(3)


def _other_name(out, v):
    other = out
    other += v
    other **= 2
    other[:, 0] = 0


@pytest.mark.parametrize(
    "assign",
    [
        _chained,
        _by_rows,
        _part_in_place,
        _whole_first,
        _part_of_a_part,
        _by_output,
        _swapped,
        _product,
        _other_name,
    ],
)
def test_assignment_to_a_part_is_assignment_to_the_whole(assign):
    start = np.arange(1.0, 7.0).reshape(2, 3)

    def f(v):
        out = start * np.ones((2, 3)) if not isinstance(v, pg.Expr) else start + 0 * v
        assign(out, v)
        return np.sum(out * start)

    for transform in (pg.value_and_grad(f), pg.jit(pg.value_and_grad(f))):
        value, slope = transform(1.5)
        assert value == f(1.5)
        np.testing.assert_allclose(slope, (f(1.75) - f(1.25)) / 0.5, rtol=1e-12)


def test_numbers_are_no_arrays():
    def f(x):
        y = x
        y += 1
        s = x[0]
        t = s
        t *= 100
        z = 2.0 * np.sum(x)
        w = z
        w -= 1
        return np.sum(x) + s + z

    assert pg.value_and_grad(f)(X)[0] == f(X.copy())
    assert pg.grad(lambda x: _grown(x) * x)(3.0) == 7


def _grown(x):
    x += 1
    return x


def test_in_place_operators_keep_dtype_and_shape():
    def f(x):
        y = x * 1
        y += np.ones(3)
        return np.sum(y)

    assert pg.jit(f)(X.astype(np.float32)).dtype == np.float32
    with pytest.raises(pg.errors.ShapeError, match="a result of shape \\(2, 3\\)"):
        pg.grad(lambda x: np.sum(x.__iadd__(np.ones((2, 3)))))(X)
    with pytest.raises(pg.errors.DTypeError, match="of float64 cannot be assigned"):
        pg.jit(lambda x, i: i.__itruediv__(2))(X, np.arange(3))


def test_explicit_variables_are_symbols():
    a, b = pg.var("a", 3), pg.var("b", 3)
    total = a
    total += b
    total *= 2
    part = a[:2]
    part[0] = 5.0
    f = pg.function([a, b], [total, part])
    got = f(X, np.ones(3))
    np.testing.assert_array_equal(got[0], 2 * X + 2)
    np.testing.assert_array_equal(got[1], [5, 2])
    with pytest.raises(pg.errors.GraphError, match="a is a variable: assign to a copy"):
        a[0] = 1.0
    own = a.copy()
    own[0] = 1.0
    np.testing.assert_array_equal(pg.function([a], own)(X), [1, 2, 3])
