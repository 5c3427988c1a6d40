"""Memory before anything runs: traffic of fused programs, workspaces, results."""

import numpy as np
import pytest

import pygradc as pg

N = 100_000


def loss(w, b, X, y):
    return np.mean((y - np.maximum(0, X @ w + b)) ** 2)


def mlp(params, x, labels):
    for W, b in params[:-1]:
        x = np.maximum(x @ W + b, 0)
    x = x @ params[-1][0] + params[-1][1]
    z = x - np.max(x, axis=1, keepdims=True)
    entropy = np.log(np.sum(np.exp(z), axis=1)) - z[np.arange(len(labels)), labels]
    return np.mean(entropy)


SUMS = {
    "sin": lambda x: np.sum(np.sin(x)),
    "chain": lambda x: np.sum(np.tanh(x * 2 + 1) ** 2),
    "mean": lambda x: np.mean(np.exp(-x) * x),
    "two reductions": lambda x: np.sum(x**2) + np.mean(np.cos(x)),
    "branch": lambda x: np.sum(np.where(x > 0, np.sqrt(x), x)),
}


@pytest.mark.parametrize("f", SUMS.values(), ids=SUMS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_value_and_grad_of_a_sum_reads_and_writes_once(f, dtype):
    x = np.linspace(-1, 1, N, dtype=dtype)
    moved = pg.jit(pg.value_and_grad(f)).memory(x).moved
    assert 2 * x.nbytes <= moved <= 2 * x.nbytes + 100


def test_gradient_of_five_arrays_reads_and_writes_each_once():
    def f(a, b, c, d, e):
        return np.sum(a * np.exp(-b * c) + np.log(d / e))

    args = [np.full(N, 1.5) for _ in range(5)]
    moved = pg.jit(pg.value_and_grad(f, tuple(range(5)))).memory(*args).moved
    assert 10 * args[0].nbytes <= moved <= 10 * args[0].nbytes + 100


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_gradient_of_the_loss_reads_the_table_once(dtype):
    rng = np.random.default_rng(0)
    X, y = (
        rng.normal(size=(5000, 60)).astype(dtype),
        rng.normal(size=5000).astype(dtype),
    )
    w, b = rng.normal(size=60).astype(dtype), dtype(0.1)
    f = pg.jit(pg.value_and_grad(loss, (0, 1)))
    assert X.nbytes <= f.memory(w, b, X, y).moved < 1.15 * X.nbytes
    value, (dw, db) = f(w, b, X, y)
    z = X.astype(float) @ w + b
    e = np.where(z > 0, z - y, 0) * (2 / len(y))
    tolerance = 1e-12 if dtype == np.float64 else 1e-5
    np.testing.assert_allclose(value, loss(w.astype(float), b, X, y), rtol=tolerance)
    np.testing.assert_allclose(dw, e @ X, atol=tolerance)
    np.testing.assert_allclose(db, e.sum(), atol=tolerance)


@pytest.mark.parametrize("rows", [1, 7, 511, 512, 513, 1500, 4099])
@pytest.mark.parametrize("layout", ["rows", "columns", "w first"])
def test_products_inside_a_loop_are_those_of_numpy(rows, layout):
    rng = np.random.default_rng(rows)
    X, w, y = rng.normal(size=(rows, 90)), rng.normal(size=90), rng.normal(size=rows)
    table = np.ascontiguousarray(X.T) if layout == "columns" else X

    def f(w, table):
        z = {
            "rows": lambda: table @ w,
            "columns": lambda: w @ table,
            "w first": lambda: w @ table.T,
        }[layout]()
        return np.sum(np.tanh(z) * y), z

    (value, z), slope = pg.jit(pg.value_and_grad(f, has_aux=True))(w, table)
    np.testing.assert_allclose(z, X @ w, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(value, np.sum(np.tanh(X @ w) * y), rtol=1e-11)
    expected = ((1 - np.tanh(X @ w) ** 2) * y) @ X
    np.testing.assert_allclose(slope, expected, rtol=1e-11, atol=1e-11)


def test_products_inside_a_loop_have_the_bytes_of_one_thread():
    rng = np.random.default_rng(1)
    X, y, w = rng.normal(size=(9000, 70)), rng.normal(size=9000), rng.normal(size=70)
    before = pg.num_threads()
    answers = set()
    try:
        for n in (1, 2, 3, 8):
            pg.set_num_threads(n)
            value, slopes = pg.jit(pg.value_and_grad(loss, (0, 1)))(w, 0.1, X, y)
            answers.add(b"".join(np.asarray(a).tobytes() for a in (value, *slopes)))
    finally:
        pg.set_num_threads(before)
    assert len(answers) == 1


def test_workspace_of_a_network_is_its_live_activations():
    rng = np.random.default_rng(2)
    sizes, batch = [784, 256, 128, 10], 256
    params = [
        (rng.normal(size=(m, n)).astype(np.float32), np.zeros(n, np.float32))
        for m, n in zip(sizes, sizes[1:], strict=False)
    ]
    x = rng.normal(size=(batch, 784)).astype(np.float32)
    labels = rng.integers(0, 10, batch)
    f = pg.jit(pg.value_and_grad(mlp))
    memory = f.memory(params, x, labels)
    assert memory.results == sum(W.nbytes + b.nbytes for W, b in params) + 4
    captured = np.arange(batch).nbytes + np.arange(10).nbytes  # rows; all the labels
    assert memory.arguments == memory.results - 4 + x.nbytes + labels.nbytes + captured


def test_function_tells_its_memory():
    x = pg.var("x", (1000,))
    y = np.sum(np.sin(x))
    memory = pg.function([x], [y, pg.grad_of(y, x)]).memory()
    assert memory.arguments == 8000 and memory.results == 8008
    assert 16000 <= memory.moved <= 16100 and memory.workspace > 0


def test_what_slices_were_moved_away_from_is_not_computed():
    def rosenbrock(x):
        return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)

    def product(x, v):
        return pg.jvp(pg.grad(rosenbrock), (x,), (v,))[1]

    x = np.linspace(0, 1, N)
    moved = pg.jit(product).memory(x, x).moved
    # three shifts of each vector, all read in one pass, and the result
    assert moved <= 7 * x.nbytes + 100


def test_padding_costs_no_pass_of_its_own():
    """x[1:] and x[:-1]: x is read for the value and for the gradient, written once."""

    def rosenbrock(x):
        return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)

    x = np.linspace(-1, 1, N)
    memory = pg.jit(pg.value_and_grad(rosenbrock)).memory(x)
    assert memory.moved < 8 * x.nbytes and memory.workspace < x.nbytes / 10


@pytest.mark.parametrize("steps", [(2, 2), (3, 1), (1, 4), (2, 3)])
def test_gradient_by_phases_is_put_together_once(steps):
    phases = list(np.ndindex(*steps))

    def part(x, at):
        i, j = at
        return x[i :: steps[0], j :: steps[1]]

    def pooled(x):
        return np.sum(sum(part(x, at) for at in phases) ** 2)

    def weighted(x):
        return np.sum(sum(part(x, at) ** (2 + k) for k, at in enumerate(phases)))

    rng = np.random.default_rng(0)
    x = rng.normal(size=(120, 240))
    sums = sum(part(x, at) for at in phases)
    gradient = pg.jit(pg.grad(pooled))
    np.testing.assert_allclose(
        gradient(x), np.kron(2 * sums, np.ones(steps)), rtol=1e-14
    )
    assert gradient.memory(x).moved < 4 * x.nbytes
    expected = np.empty_like(x)
    for k, at in enumerate(phases):
        part(expected, at)[...] = (2 + k) * part(x, at) ** (1 + k)
    gradient = pg.jit(pg.grad(weighted))
    np.testing.assert_allclose(gradient(x), expected, rtol=1e-12)
    assert gradient.memory(x).moved <= 5 * x.nbytes


def test_gradient_by_elements_is_laid_side_by_side():
    x = np.linspace(0.5, 1, 200)
    by_element = lambda x: sum(x[i] ** 2 * x[i - 1] for i in range(200))  # noqa: E731
    g = pg.jit(pg.value_and_grad(by_element))
    assert g.memory(x).moved < 10 * x.nbytes
    np.testing.assert_allclose(
        g(x)[1], 2 * x * np.roll(x, 1) + np.roll(x, -1) ** 2, rtol=1e-14
    )


# ---- values that are computed again ----


def normalised(x, g):
    d = x - np.mean(x, axis=1, keepdims=True)
    return np.sum(np.tanh(g * d / np.sqrt(np.mean(d**2, axis=1, keepdims=True) + 1e-5)))


def mixed(x, g):
    d = x[:, None, :] - g.reshape(10, -1)
    return np.sum(np.log(np.sum(np.exp(-np.sum(d * d, axis=2)), axis=1)))


@pytest.mark.parametrize(
    "f, shape, most",
    [(normalised, (2000, 200), 9.2), (mixed, (4000, 20), 8)],
    ids=["a normalisation", "differences by broadcasting"],
)
def test_differences_are_computed_again_instead_of_stored(f, shape, most, dtype):
    """`most`: what is moved, in sizes of x; a difference stored is two or more."""
    rng = np.random.default_rng(0)
    x, g = (rng.normal(size=s).astype(dtype) for s in (shape, 200))
    slopes = pg.jit(pg.grad(f, (0, 1)))
    assert slopes.memory(x, g).moved <= most * x.nbytes
    wide = [a.astype(np.float64) for a in (x, g)]
    for got, true in zip(slopes(x, g), pg.grad(f, (0, 1))(*wide), strict=True):
        scale = np.max(np.abs(true))
        tolerance = 1e-12 if dtype is np.float64 else 1e-4
        np.testing.assert_allclose(got, true, tolerance, tolerance * scale)


# ---- sums of products ----


def recurrence(W, U, b, xs):
    h = np.zeros(xs.shape[1:-1] + b.shape, xs.dtype)
    for x in xs:
        h = np.tanh(h @ W + x @ U + b)
    return np.sum(h**2)


def recurrence_by_hand(W, U, b, xs):
    hs = [np.zeros(xs.shape[1:-1] + b.shape)]
    for x in xs:
        hs.append(np.tanh(hs[-1] @ W + x @ U + b))
    slopes, dh = [np.zeros_like(a) for a in (W, U, b)], 2 * hs[-1]
    for h, before, x in zip(hs[:0:-1], hs[-2::-1], xs[::-1], strict=True):
        dz = np.atleast_2d(dh * (1 - h**2))
        slopes[0] += np.atleast_2d(before).T @ dz
        slopes[1] += np.atleast_2d(x).T @ dz
        slopes[2] += dz.sum(0)
        dh = (dz @ W.T).reshape(h.shape)
    return slopes


@pytest.mark.parametrize("batch", [2, 5])
def test_weights_of_a_recurrence_get_one_product(batch, dtype):
    steps, n, m = 30, 24, 48
    rng = np.random.default_rng(0)
    args = [
        (0.1 * rng.normal(size=s)).astype(dtype)
        for s in ((m, m), (n, m), (m,), (steps, batch, n))
    ]
    slopes = pg.jit(pg.grad(recurrence, (0, 1, 2)))
    true = recurrence_by_hand(*[a.astype(np.float64) for a in args])
    tolerance = 1e-12 if dtype is np.dtype(np.float64) else 1e-5
    for got, expected in zip(slopes(*args), true, strict=True):
        assert got.dtype == dtype
        np.testing.assert_allclose(
            got, expected, tolerance, tolerance * np.max(np.abs(expected))
        )
    # weights are read twice a step; their gradient is written once, not every step
    weights = args[0].nbytes + args[1].nbytes
    assert slopes.memory(*args).moved < 3 * steps * weights
    again = pg.grad(recurrence, (0, 1, 2))(*args)
    for got, expected in zip(again, slopes(*args), strict=True):
        assert got.tobytes() == expected.tobytes()


def test_outer_products_are_computed_by_the_loop_that_adds_them_up():
    """Each iteration of Sinkhorn's algorithm adds two to the gradient by the kernel."""

    def transport(cost, steps):
        kernel, u = np.exp(-2 * cost), np.ones(100)
        for _ in range(steps):
            v = 1 / (kernel.T @ u)
            u = 1 / (kernel @ v)
        return np.sum(u[:, None] * kernel * v * cost)

    cost = np.abs(np.random.default_rng(0).normal(size=(100, 100)))
    few, many = (pg.jit(pg.grad(lambda c, n=n: transport(c, n))) for n in (5, 10))
    assert many.memory(cost).workspace < few.memory(cost).workspace + cost.nbytes
    at, step = (7, 3), 1e-6 * np.outer(np.arange(100) == 7, np.arange(100) == 3)
    slope = (transport(cost + step, 10) - transport(cost - step, 10)) / 2e-6
    np.testing.assert_allclose(many(cost)[at], slope, 1e-6)


def test_products_that_are_wanted_themselves_are_not_taken_apart():
    rng = np.random.default_rng(1)
    xs, ys = rng.normal(size=(5, 40, 2)), rng.normal(size=(5, 2, 40))

    def f(xs, ys):
        products = [x @ y for x, y in zip(xs, ys, strict=True)]
        return sum(products[1:], products[0]), products[2], np.sum(products[3])

    for got, expected in zip(pg.jit(f)(xs, ys), f(xs, ys), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-13)
    pulled = pg.vjp(f, xs, ys)[1]((np.ones((40, 40)), np.ones((40, 40)), 1.0))
    dr = np.ones((5, 40, 40)) * np.array([1, 1, 2, 2, 1])[:, None, None]
    np.testing.assert_allclose(pulled[0], dr @ np.swapaxes(ys, 1, 2), rtol=1e-12)


# ---- products with an epilogue ----

LAYERS = {
    "bias": lambda z, b: z + b,
    "bias, then relu": lambda z, b: np.maximum(0, z + b),
    "relu": lambda z, b: np.maximum(0, z),
    "mask": lambda z, b: np.where(b > 0, z, 0),
    "twice": lambda z, b: z * np.tanh(z + b),
}


@pytest.mark.parametrize("rows", [20_000, 128 * 60 + 1, 128 * 60 + 17])
@pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)
def test_a_layer_is_the_epilogue_of_its_product(layer, rows, dtype):
    """One pass: the product itself never is in memory; to the bit the same."""
    rng = np.random.default_rng(0)
    X, W, b = (rng.normal(size=s).astype(dtype) for s in ((rows, 24), (24, 40), (40,)))
    f = pg.jit(lambda X, W, b: layer(X @ W, b))
    both = f(X, W, b)
    apart = pg.jit(layer)(pg.jit(np.matmul)(X, W), b)
    assert both.tobytes() == apart.tobytes()
    memory, least = f.memory(X, W, b), X.nbytes + W.nbytes + both.nbytes
    assert least <= memory.moved <= 1.01 * least
    assert memory.workspace < both.nbytes / 2


SUMS = {
    "of columns": lambda z, b: np.sum(np.maximum(0, z + b), axis=0),
    "of rows": lambda z, b: np.sum(z * b, axis=1),
    "both": lambda z, b: (np.max(z, axis=1), np.sum(np.where(z > b, z, 0), axis=0)),
    "and the layer": lambda z, b: (np.maximum(0, z), np.sum(np.maximum(0, z), axis=0)),
}


@pytest.mark.parametrize("rows", [20_000, 128 * 60 + 1, 128 * 60 + 17])
@pytest.mark.parametrize("sums", SUMS.values(), ids=SUMS)
def test_sums_are_in_the_epilogue_of_a_product(sums, rows, dtype):
    rng = np.random.default_rng(0)
    X, W, b = (rng.normal(size=s).astype(dtype) for s in ((rows, 24), (24, 40), (40,)))
    f = pg.jit(lambda X, W, b: sums(X @ W, b))
    both = f(X, W, b)
    apart = pg.jit(sums)(pg.jit(np.matmul)(X, W), b)
    both, apart = (a if isinstance(a, tuple) else (a,) for a in (both, apart))
    for got, expected in zip(both, apart, strict=True):
        assert got.tobytes() == expected.tobytes()
    least = X.nbytes + W.nbytes + sum(a.nbytes for a in both)
    assert least <= f.memory(X, W, b).moved <= 1.01 * least


def test_a_sum_to_one_number_keeps_its_order_apart_from_products():
    rng = np.random.default_rng(1)
    X, W = rng.normal(size=(9000, 24)), rng.normal(size=(24, 37))
    got = pg.jit(lambda X, W: np.sum(np.exp(X @ W)))(X, W)
    assert got == pg.jit(lambda z: np.sum(np.exp(z)))(pg.jit(np.matmul)(X, W))


@pytest.mark.parametrize("n", [500, 513, 1300, 200_000])
def test_sums_to_one_number_keep_their_order_among_many_values(n):
    x = np.random.default_rng(1).normal(size=n)

    def values(x):
        powers = [x]
        for _ in range(12):
            powers.append(np.tanh(powers[-1]) * x)
        return sum(a * b for a, b in zip(powers, powers[::-1], strict=True)), powers[-1]

    def sums(x):
        y, z = values(x)
        return np.sum(y), np.max(y * z), np.sum(z)

    y, z = pg.jit(values)(x)
    total = pg.jit(np.sum)
    assert pg.jit(sums)(x) == (total(y), np.max(y * z), total(z))


def test_a_product_that_others_read_stays_in_memory():
    rng = np.random.default_rng(1)
    X, W = rng.normal(size=(9000, 24)), rng.normal(size=(24, 40))

    def f(X, W):
        z = X @ W
        return np.maximum(0, z - 1), z

    layer, z = pg.jit(f)(X, W)
    apart = pg.jit(np.matmul)(X, W)
    assert z.tobytes() == apart.tobytes()
    assert layer.tobytes() == np.maximum(0, apart - 1).tobytes()


@pytest.mark.parametrize(
    "turned",
    [lambda z: z[::-1] + 1, lambda z: z[:, ::-1] * 2, lambda z: z + z[::-1]],
    ids=["rows", "columns", "both"],
)
def test_a_product_read_in_another_order_is_computed_first(turned):
    rng = np.random.default_rng(2)
    X, W = rng.normal(size=(9000, 24)), rng.normal(size=(24, 40))
    got = pg.jit(lambda X, W: turned(X @ W))(X, W)
    np.testing.assert_array_equal(got, turned(pg.jit(np.matmul)(X, W)))


def test_gradients_of_wide_layers_on_any_number_of_threads():
    rng = np.random.default_rng(3)
    X, b = rng.normal(size=(6000, 20)), rng.normal(size=32)
    W, V = rng.normal(size=(20, 32)), rng.normal(size=(32, 48))

    def f(W, b, V):
        return np.mean(np.tanh(np.maximum(0, X @ W + b) @ V) ** 2)

    def by_hand():
        z = X @ W + b
        h = np.maximum(0, z)
        t = np.tanh(h @ V)
        du = 2 * t * (1 - t**2) / t.size
        dz = (du @ V.T) * (z > 0)
        return X.T @ dz, dz.sum(0), h.T @ du

    g = pg.jit(pg.grad(f, (0, 1, 2)))
    before, found = pg.num_threads(), []
    for n in (1, 2, 5):
        pg.set_num_threads(n)
        found.append(g(W, b, V))
    pg.set_num_threads(before)
    for got, true in zip(found[0], by_hand(), strict=True):
        np.testing.assert_allclose(got, true, rtol=1e-10, atol=1e-14)
    for other in found[1:]:
        assert all(
            a.tobytes() == b.tobytes() for a, b in zip(found[0], other, strict=True)
        )


@pytest.mark.parametrize("shape", [(7, 5), (70, 61), (300, 1000)])
def test_many_broadcast_operands_are_loaded_when_they_are_needed(shape):
    """More of them than a loop holds: some read again and again, squared, or summed."""
    rng = np.random.default_rng(8)
    rows, columns = rng.normal(size=(12, shape[0], 1)), rng.normal(size=(12, shape[1]))

    def f(rows, columns):
        first, last = rows[0], columns[-1]
        outer = [r * c for r, c in zip(rows, columns, strict=True)]
        total = sum(outer[1:], outer[0]) + first + first
        squares = first * first + last - (rows[3] - columns[4]) ** 2 + rows[3]
        return np.sum(total), np.max(squares, axis=0), total * squares + last, outer[5]

    for got, right in zip(pg.jit(f)(rows, columns), f(rows, columns), strict=True):
        np.testing.assert_allclose(got, right, rtol=1e-11, atol=1e-11)
    slopes = pg.grad(lambda rows, columns: np.sum(f(rows, columns)[2]), (0, 1))
    alone = slopes(rows, columns)
    for got, right in zip(pg.jit(slopes)(rows, columns), alone, strict=True):
        np.testing.assert_array_equal(got, right)


@pytest.mark.parametrize("shape", [(130, 5, 98), (900, 7, 60), (300, 3, 50)])
def test_what_repeats_begins_anew_with_each_task(shape):
    """Tasks that share a sum of rows end at a row, where `a` may be half repeated."""
    rng = np.random.default_rng(8)
    x, a = rng.normal(size=shape), rng.normal(size=shape[1:])
    total = pg.jit(lambda x, a: np.sum(np.tanh(x) * a, axis=(0, 1)))
    expected = np.sum(np.tanh(x) * a, axis=(0, 1))
    np.testing.assert_allclose(total(x, a), expected, rtol=1e-11, atol=1e-11)


def test_what_is_computed_late_reads_its_operands_before_they_are_overwritten():
    """r may take the memory of u, and u * z is computed when it is added: after r."""
    rng = np.random.default_rng(9)
    A, B, w, y, z = rng.normal(size=(5, 40, 40))

    def f(w):
        u = A @ w
        p = u * z
        r = u + y
        return B @ r, p + np.sin(r)

    for value, expected in zip(pg.jit(f)(w), f(w), strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-11, atol=1e-11)


def test_terms_of_a_sum_read_their_operands_before_they_are_overwritten():
    """The slope at u may take the memory of that at s, which later terms read too."""
    rng = np.random.default_rng(10)
    A, B, w, y, z = rng.normal(size=(5, 30, 30)) / 5

    def f(w):
        u = B @ w
        s = u / (2 + y * y) + np.cos(u) + u * z + u
        return np.sum((A @ s) ** 3)

    u = B @ w
    slope = 1 / (2 + y * y) - np.sin(u) + z + 1
    s = u / (2 + y * y) + np.cos(u) + u * z + u
    expected = B.T @ (slope * (A.T @ (3 * (A @ s) ** 2)))
    np.testing.assert_allclose(pg.jit(pg.grad(f))(w), expected, rtol=1e-10)
