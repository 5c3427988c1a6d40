"""Machine code for the arithmetic of loops gives the bytes that kernels give.

A program of one operation runs by its kernel, one of several as machine code where the
machine has it: each is compared with the other, operation by operation."""

import os
import subprocess
import sys

import numpy as np
import pytest

import pygradc as pg
from pygradc import _lib
from pygradc._numpy.elementwise import elementwise

UNARY = ["square", "sqrt", "neg", "abs", "reciprocal", "relu"]
BINARY = ["add", "sub", "mul", "div", "maximum", "minimum", "copysign"]
BINARY += ["annihilate", "annihilate_both"]
TESTS = ["eq", "ne", "lt", "le", "gt", "ge"]
SIZES = [2, 7, 8, 9, 16, 31, 67, 515]
CODE = "machine code"


def operands(dtype, n, count, seed=0):
    """Arrays in which every special value meets every other, at odd addresses."""
    info = np.finfo(dtype)
    special = [0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, 0.5, info.max]
    special += [info.tiny, info.smallest_subnormal, -3.0]
    rng = np.random.default_rng(seed)
    arrays = [np.empty(n + 1, dtype)[1:] for _ in range(count)]
    for x in arrays:
        x[:] = rng.choice(np.array(special, dtype), n)
    return arrays


def same(x, y):
    """Whether the bytes agree, but for those of NaN."""
    x, y = np.asarray(x), np.asarray(y)
    if x.dtype != y.dtype or x.dtype == bool:
        return x.dtype == y.dtype and np.array_equal(x, y)
    signs = np.signbit(x) == np.signbit(y)
    return np.array_equal(x, y, equal_nan=True) and np.all(signs | np.isnan(x))


def run(f, *args):
    """The results of function f of variables like `args`, and how its program looks."""
    xs = [pg.var(f"x{k}", a.shape, a.dtype) for k, a in enumerate(args)]
    program = pg.function(xs, f(*xs))
    return program(*args), str(program._program)


def one_by_one(f, *args):
    """The same by a program for each operation: evaluated where it is called."""

    class Eager:
        def __init__(self, value):
            self.value = value

    def step(name, *eager):
        result, text = run(elementwise(name), *(e.value for e in eager))
        assert CODE not in text
        return Eager(result)

    return [e.value for e in f(step, *(Eager(a) for a in args))]


def check(f, *args, masks_in_memory=False):
    """f takes what applies an operation by name, and operands. Code reads and writes
    masks with AVX-512 only."""
    together, text = run(lambda *xs: f(lambda n, *x: elementwise(n)(*x), *xs), *args)
    expected = _lib.isa() == "avx512" if masks_in_memory else True
    assert (CODE in text) == (_lib.native() and expected)
    for got, expected in zip(together, one_by_one(f, *args), strict=True):
        assert same(got, expected)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("n", SIZES)
class TestEachOperation:
    @pytest.mark.parametrize("name", UNARY)
    def test_unary(self, name, n, dtype):
        def f(step, x):
            r = step(name, x)
            return r, step("add", r, x)

        check(f, *operands(dtype, n, 1))

    @pytest.mark.parametrize("name", BINARY)
    def test_binary(self, name, n, dtype):
        def f(step, x, y):
            r = step(name, x, y)
            return r, step("sub", r, y), step(name, y, x)

        check(f, *operands(dtype, n, 2))

    @pytest.mark.parametrize("name", TESTS)
    def test_tests_and_where(self, name, n, dtype):
        def f(step, x, y, z):
            m = step(name, x, y)
            return (step("where", m, z, step("mul", x, y)),)

        check(f, *operands(dtype, n, 3))

    @pytest.mark.parametrize("name", TESTS)
    def test_masks_as_bytes(self, name, n, dtype):
        def f(step, x, y, z):
            m = step(name, x, y)
            return m, step("where", m, z, y)

        check(f, *operands(dtype, n, 3), masks_in_memory=True)

    @pytest.mark.parametrize("name", ["logical_and", "logical_or", "logical_xor"])
    def test_logic(self, name, n, dtype):
        def f(step, x, y):
            m = step(name, step("lt", x, y), step("isnan", step("add", x, y)))
            return (step("where", step("logical_not", m), x, step("neg", y)),)

        check(f, *operands(dtype, n, 2))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_masks_wait_for_a_function_between(dtype):
    """Masks lie as bytes where a slot of numbers may lie next."""

    def f(step, x, y):
        m = step("eq", x, y)
        e = step("exp", step("mul", x, y))
        a = step("where", m, step("sub", e, x), step("add", e, y))
        return (step("where", m, step("tanh", a), step("mul", a, a)),)

    check(f, *operands(dtype, 67, 2))


def test_more_masks_than_registers():
    def f(step, *xs):
        masks = [step("lt", x, y) for x in xs for y in xs if x is not y]
        total = xs[0]
        for m in masks:
            total = step("where", m, step("add", total, xs[1]), total)
        return (total,)

    check(f, *operands(np.float64, 67, 4), masks_in_memory=True)


@pytest.mark.parametrize("count", [5, 20, 50])
def test_more_values_than_registers(count):
    """All products are made before the first is used, and all are used twice."""

    def f(step, *xs):
        products = [step("mul", x, xs[k - 1]) for k, x in enumerate(xs)]
        total = products[0]
        for p in products[1:] + products[::-1]:
            total = step("sub", total, p)
        return (total, products[-1])

    rng = np.random.default_rng(1)
    check(f, *rng.normal(size=(count, 67)))


def test_long_chains_are_several_functions():
    def f(step, x, y):
        r = x
        for k in range(500):
            r = step(BINARY[k % 3], r, y if k % 2 else x)
        return (r,)

    check(f, *np.random.default_rng(2).uniform(0.9, 1.1, (2, 67)))


def test_constants_are_held():
    x = np.linspace(-2, 2, 67)

    def f(x):
        for k in range(40):
            x = x * (1.0 + k / 64) - k / 8
        return x

    assert same(run(f, x)[0], f(x))


def columns(x, c, r):
    return x * c[:, :1] - r


def strided_columns(x, c, r):
    return (x - c[::-1, 1:2]) * c[:, 2:3] + r


def columns_for_kernels_too(x, c, r):
    return np.floor(c[:, :1]) + x * c[:, :1] + np.where(x > c[:, 1:2], r, x)


def columns_and_sums(x, c, r):
    y = x * c[:, :1] + r
    return y, np.max(y, axis=1), np.max(y, axis=0), np.max(y)


def slices(x, c, r):
    return x[1:, 1:] - x[:-1, :-1] * c[1:, :1]


def many_slices(x, c, r):
    y = x[1:-1, :-2] + x[1:-1, 2:] + x[:-2, 1:-1] + x[2:, 1:-1]
    return y - 4 * x[1:-1, 1:-1] * c[1:-1, :1] + r[1:-1]


def batches(x, c, r):
    y = np.reshape(np.concatenate([x] * 6), (2, 3, *x.shape))
    z = y * c[:, :1] + y[:, :, :, :1]
    return z * y[:1, :, :1, :1] - r, z[:, 1:, 1:, 2:] + y[:, 1:, 1:, 2:]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("shape", [(2, 16), (5, 17), (40, 33), (3, 515), (700, 100)])
class TestLines:
    """Operands that stay or jump with each row are read where they are."""

    @pytest.mark.parametrize(
        "f",
        [
            columns,
            strided_columns,
            columns_for_kernels_too,
            columns_and_sums,
            slices,
            many_slices,
            batches,
        ],
    )
    def test_as_numpy(self, f, shape, dtype):
        rng = np.random.default_rng(3)
        x, c, r = (rng.normal(size=s) for s in (shape, (shape[0], 3), shape[1:]))
        x[0, 3], c[1, 0], r[5] = np.nan, -0.0, np.inf
        args = [a.astype(dtype) for a in (x, c, r)]
        got, expected = pg.jit(f)(*args), f(*args)
        if not isinstance(expected, tuple):
            got, expected = (got,), (expected,)
        for g, e in zip(got, expected, strict=True):
            assert same(g, e)

    def test_one_operation_is_worth_code(self, shape, dtype):
        x, c = np.ones(shape, dtype), np.ones((shape[0], 1), dtype)
        lanes = (64 if _lib.isa() == "avx512" else 32) // x.itemsize
        fits = shape[1] % lanes == 0 or shape[1] >= 4 * lanes
        text = run(lambda x, c: x * c, x, c)[1]
        assert (CODE in text) == (_lib.native() and fits)


def loop(n):
    x = np.linspace(0, 1, n)
    return str(pg.jit(lambda x: x * x + x - 1)(x).tobytes().hex())


def test_turned_off_gives_the_same_bytes():
    script = (
        "from pygradc import _lib; import tests.test_native as t;"
        "print(_lib.native(), t.loop(1003))"
    )
    env = dict(os.environ, PYGRADC_NATIVE="0")
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=env,
        capture_output=True,
        text=True,
        check=True,
        cwd=os.path.dirname(os.path.dirname(__file__)),
    )
    assert done.stdout.split() == ["False", loop(1003)]


def test_no_room_for_pages_is_no_error():
    """A process that may not map more memory runs by kernels."""
    script = """
import mmap, resource, numpy as np, pygradc as pg
x = np.linspace(0, 1, 1003)
f = lambda x: x * x + x - 1
xs = pg.var("x", x.shape)
pg.function([xs], f(xs))
STEP, most = 1 << 16, resource.getrlimit(resource.RLIMIT_AS)[1]
limit = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
while True:  # up to the least limit that leaves some room
    resource.setrlimit(resource.RLIMIT_AS, (limit, most))
    try:
        mmap.mmap(-1, STEP).close()
        break
    except OSError:
        limit += STEP
program = pg.function([xs], f(f(xs)))
print("machine code" in str(program._program), np.array_equal(program(x), f(f(x))))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False", "True"]
