"""NumPy's functions on traced values: the rows of numpy_cases.py, and what no row says.

Each row is checked against plain NumPy, and its derivatives against differences in
forward and reverse mode and to second order. The lists below are what must have rows.
"""

import math
import subprocess
import sys

import mpmath
import numpy as np
import pytest
from gradcheck import check, leaves_of, same_array
from numpy_cases import CASES, CONSTANTS, CREATED, METHODS

import pygradc as pg
import pygradc.numpy as pnp

DIFFERENTIATED = """
abs absolute acos acosh add amax amin angle append arccos arccosh arcsin arcsinh arctan
arctan2 arctanh array array_split asin asinh astype atan atan2 atanh atleast_1d
atleast_2d atleast_3d block broadcast_to c_ choose clip column_stack concatenate conj
conjugate cos cosh cross cumsum deg2rad degrees diag diagonal diff divide dot dsplit
dstack einsum exp exp2 expand_dims expm1 fabs fliplr flipud fmax fmin full gradient
hsplit hstack hypot imag inner kron linspace log log10 log1p log2 logaddexp logaddexp2
matmul max maximum mean min minimum mod moveaxis multiply nan_to_num negative outer pad
partition permute_dims pow power prod r_ rad2deg radians ravel real real_if_close
reciprocal remainder repeat reshape roll rollaxis rot90 row_stack select sin sinc sinh
sort split sqrt square squeeze stack std subtract sum swapaxes tan tanh tensordot tile
trace transpose tril triu true_divide var vsplit vstack where
""".split()
BEYOND = """
take take_along_axis flip cumprod median quantile percentile interp convolve correlate
average trapezoid meshgrid vdot vecdot matvec vecmat matrix_transpose concat unstack
nansum nanmean nanmax nanmin nanstd nanvar ptp cov broadcast_arrays cbrt copysign
positive float_power fmod divmod insert delete polyval diagflat copy
lib.stride_tricks.sliding_window_view
""".split()
CONSTANT = """
all allclose any argmax argmin argpartition argsort argwhere around array_equal
array_equiv ceil count_nonzero empty_like equal fix flatnonzero floor floor_divide
full_like greater greater_equal isclose iscomplex iscomplexobj isfinite isinf isnan
isneginf isposinf isreal isscalar less less_equal logical_and logical_not logical_or
logical_xor ndim nonzero not_equal ones_like result_type rint round searchsorted shape
sign size trunc zeros_like
""".split()

IDS = [f"{i}-{name}" for i, (name, _, _) in enumerate(CASES)]
CONSTANT_IDS = [f"{i}-{name}" for i, (name, _, _) in enumerate(CONSTANTS)]
pytestmark = [
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


def test_every_name_has_a_case():
    assert (len(DIFFERENTIATED), len(CONSTANT), len(BEYOND)) == (133, 51, 41)
    assert set(DIFFERENTIATED + BEYOND) - {name for name, _, _ in CASES} == set()
    assert set(CONSTANT) - {name for name, _, _ in CONSTANTS} == set()
    assert len(METHODS) > 35


@pytest.mark.parametrize("name, f, args", CASES, ids=IDS)
def test_derivatives_agree_with_differences(name, f, args):
    own = pnp if name in CREATED else np
    check(lambda *a: f(own, *a), *args, reference=lambda *a: f(np, *a))


@pytest.mark.parametrize("name, f, args", CASES, ids=IDS)
def test_float32_agrees_with_numpy(name, f, args):
    own = pnp if name in CREATED else np
    args = [np.asarray(a, np.float32) for a in args]
    values, pullback = pg.vjp(lambda *a: f(own, *a), *args)
    adjoint = pullback(values)
    assert all(d.dtype == np.float32 for d in adjoint)
    # Loose, and by the largest element: this is about terms lost, not about rounding.
    wide, pull_wide = pg.vjp(
        lambda *a: f(own, *a), *[a.astype(np.float64) for a in args]
    )
    for d, e in zip(adjoint, pull_wide(_cast_like(values, wide)), strict=True):
        bound = 1e-3 * np.max(np.abs(e), initial=0)
        np.testing.assert_allclose(d, e, rtol=0, atol=bound)
    values, expected = leaves_of(values), leaves_of(f(np, *args))
    for v, e in zip(values, expected, strict=True):
        same_array(v, e, 2e-5)


def _cast_like(tree, wide):
    """`tree` with the dtypes of `wide`."""
    if isinstance(tree, (tuple, list)):
        return type(tree)([_cast_like(*pair) for pair in zip(tree, wide, strict=True)])
    return np.asarray(tree).astype(np.asarray(wide).dtype)


@pytest.mark.parametrize("name, f, args", CONSTANTS, ids=CONSTANT_IDS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_constants_agree_with_numpy(name, f, args, dtype):
    args = [a.astype(dtype) for a in args]

    def total(x, y):
        found.append(_bare(f(np, x, y)))
        return sum([np.sum(v) for v in leaves_of(f(np, x, y)) if _is_float(v)], x.sum())

    found = []
    slope = pg.grad(total)(*args)
    np.testing.assert_array_equal(slope, np.ones_like(args[0]))
    expected = leaves_of(f(np, *args))
    for v, e in zip(found[0], expected, strict=True):
        if isinstance(e, (bool, int, np.dtype)) and not isinstance(e, np.generic):
            assert v == e
        else:
            same_array(v, e)


def _bare(tree):
    return [pg.value_of(x) if isinstance(x, pg.Expr) else x for x in leaves_of(tree)]


def _is_float(x):
    return isinstance(x, pg.Expr) and x.dtype.kind == "f"


# ---- kinks, as SEMANTICS has them ----

X = np.array([1.0, 3.0, 3.0, 2.0])


@pytest.mark.parametrize(
    "f, x, slope",
    [
        (np.max, X, [0, 0.5, 0.5, 0]),
        (lambda x: np.min(-x), X, [0, -0.5, -0.5, 0]),
        (np.nanmax, np.array([3.0, np.nan, 3.0]), [0.5, 0, 0.5]),
        (np.ptp, np.ones(4), [0, 0, 0, 0]),
        (lambda x: np.max(x, initial=3.0), X, [0, 0, 0, 0]),
        (lambda x: np.sum(np.clip(x, 1, 2)), X, [0, 0, 0, 0]),
        (lambda x: np.maximum(x[1], x[2]), X, [0, 0.5, 0.5, 0]),
        (lambda x: np.fmax(x[1], x[2]), X, [0, 0.5, 0.5, 0]),
        (lambda x: np.sum(np.abs(x) + np.fabs(x) + np.sign(x)), np.zeros(2), [0, 0]),
        (np.std, np.full(3, 2.0), [0, 0, 0]),
        (np.nanstd, np.full(3, 2.0), [0, 0, 0]),
        (lambda x: np.std(x, mean=2.0), np.full(3, 2.0), [0, 0, 0]),
        (lambda x: np.hypot(x[0], x[1]), np.zeros(2), [0, 0]),
        (np.prod, np.array([0.0, 2, 3]), [6, 0, 0]),
        (np.prod, np.array([0.0, 2, 0]), [0, 0, 0]),
        (lambda x: np.cumprod(x)[2], np.array([2.0, 0, 3]), [0, 6, 0]),
        (lambda x: np.sum(np.sinc(x)), np.zeros(2), [0, 0]),
        (lambda x: np.sort(x)[2], X, [0, 1, 0, 0]),
        (lambda x: np.partition(x, 2)[2], X, [0, 1, 0, 0]),
        (np.median, np.array([2.0, 1, 2, 3]), [0.5, 0, 0.5, 0]),
        (lambda x: np.sum(np.mod(7, x)), np.array([2.0]), [-3]),
        (lambda x: np.sum(np.fmod(-7, x)), np.array([2.0]), [3]),
        (lambda x: np.sum(x**0), np.zeros(2), [0, 0]),
    ],
)
def test_kink_has_the_promised_subgradient(f, x, slope):
    np.testing.assert_array_equal(pg.grad(f)(x), slope)
    basis = np.eye(x.size)
    forward = [pg.jvp(f, (x,), (e,))[1] for e in basis]
    np.testing.assert_array_equal(forward, slope)


def test_sinc_is_accurate_at_and_near_zero():
    f = pg.grad(lambda x: np.sinc(x))
    with mpmath.workdps(40):
        for x in (0.0, 1e-9, 1e-4, 0.01, 0.0795, 0.0796, 0.3, 1.0):
            value = float(mpmath.sincpi(x)) if x else 1.0
            slope = float(mpmath.diff(mpmath.sincpi, x)) if x else 0.0
            bend = float(mpmath.diff(mpmath.sincpi, x, 2)) if x else -(np.pi**2) / 3
            np.testing.assert_allclose(
                pg.value_and_grad(np.sinc)(x)[0], value, 1e-15, 1e-16
            )
            np.testing.assert_allclose(f(x), slope, 1e-14)
            np.testing.assert_allclose(pg.grad(f)(x), bend, 1e-13)


def test_branch_not_taken_gives_no_nan():
    x = np.array([-1.0, 0.0, 4.0])
    f = lambda x: np.sum(np.where(x > 0, np.sqrt(x), 0))  # noqa: E731
    np.testing.assert_array_equal(pg.grad(f)(x), [0, 0, 0.25])
    np.testing.assert_array_equal(pg.grad(lambda x: pg.grad(f)(x).sum())(x)[:2], 0)
    g = lambda x: np.sum(np.select([x > 0], [np.log(x)], x))  # noqa: E731
    np.testing.assert_array_equal(pg.grad(g)(x), [1, 1, 0.25])
    h = lambda x: np.sum(np.sqrt(x), where=np.array([False, False, True]))  # noqa: E731
    np.testing.assert_array_equal(pg.grad(h)(x), [0, 0, 0.25])
    n = lambda x: np.nansum(np.sqrt(x) * x)  # noqa: E731
    np.testing.assert_array_equal(pg.grad(n)(x[[0, 2]]), [0, 3])


def test_tie_of_where_and_order_is_not_position():
    for f in (np.maximum, lambda a, b: np.maximum(b, a)):
        assert pg.grad(f, (0, 1))(1.0, 1.0) == (0.5, 0.5)


# ---- options of ufuncs, out=, creation ----


def test_out_becomes_the_result():
    def f(x):
        out = pnp.zeros(3)
        np.multiply(x, x, out=out)
        np.add(out, 1.0, out=out, where=np.array([True, False, True]))
        np.cumsum(out, out=out)
        return np.sum(out * [1.0, 2, 3])

    x = np.array([1.0, 2, 3])
    np.testing.assert_array_equal(pg.grad(f)(x), 2 * x * [6, 5, 3])


def test_out_that_is_a_plain_array_raises():
    for call in (
        lambda x: np.add(x, 1, out=np.zeros(3)),
        lambda x: np.sum(x, axis=0, out=np.zeros(())),
        lambda x: np.add.at(np.zeros(3), [0], x[:1]),
    ):
        with pytest.raises(pg.UnsupportedError):
            pg.jvp(call, (np.ones(3),), (np.ones(3),))


def test_add_at_adds_up_repeated_indices():
    def f(x):
        out = pnp.zeros(3)
        np.add.at(out, [0, 2, 2], x)
        return np.sum(out**2)

    x = np.array([1.0, 2, 3])
    np.testing.assert_array_equal(pg.grad(f)(x), [2, 10, 10])


def test_creation_is_plain_outside_a_trace():
    for made in (
        pnp.zeros(3),
        pnp.ones((2, 1), np.float32),
        pnp.full(2, 3),
        pnp.zeros_like(np.ones(2)),
        pnp.array([1, 2.0]),
        pnp.linspace(0, 1, 3),
        pnp.c_[np.ones(2), np.ones(2)],
        pnp.r_[1:4, 0],
    ):
        assert type(made) is np.ndarray
    assert pnp.ones((2, 1), np.float32).dtype == np.float32
    assert pnp.full(2, 3).dtype == np.full(2, 3).dtype


def test_creation_is_traced_inside_a_trace():
    def f(x):
        a, b = pnp.empty((2, 3)), pnp.ones(3, np.float32)
        c, d = pnp.full_like(np.ones(2), 3), pnp.zeros_like(x, dtype=bool)
        assert all(isinstance(v, pg.Expr) for v in (a, b, c, d))
        assert (b.dtype, d.dtype, a.shape) == (np.float32, bool, (2, 3))
        assert type(pnp.zeros(2, complex)) is np.ndarray
        d[1] = True
        a[:, 1] = x
        return np.sum(a[0] * b) + c[0] * np.sum(x, where=d)

    np.testing.assert_array_equal(pg.grad(f)(np.array([1.0, 2])), [1, 3])


def test_every_public_name_of_numpy_is_there():
    assert {n for n in dir(np) if not n.startswith("_")} <= set(dir(pnp))
    assert pnp.sin is np.sin and pnp.pi == np.pi and pnp.linalg is np.linalg
    import pygradc.numpy.linalg as linalg

    assert linalg is np.linalg


def test_asarray_of_a_traced_value_raises():
    for call in (np.asarray, np.array, lambda x: np.array([x, x])):
        with pytest.raises(TypeError, match="stack|array"):
            pg.grad(lambda x: np.sum(call(x)))(1.0)  # noqa: B023


# ---- misuse ----


@pytest.mark.parametrize(
    "kind, call",
    [
        (pg.IndexRangeError, lambda x: np.sort(x, axis=2)),
        (pg.IndexRangeError, lambda x: np.sum(x, axis=2)),
        (pg.IndexRangeError, lambda x: np.mean(x, axis=2)),
        (pg.IndexRangeError, lambda x: np.flip(x, 3)),
        (pg.IndexRangeError, lambda x: np.take(x, 9)),
        (pg.IndexRangeError, lambda x: np.insert(x, 9, 0.0)),
        (pg.IndexRangeError, lambda x: np.choose([2, 0, 0], [x[0], x[1]])),
        (pg.ShapeError, lambda x: np.stack([x, x[0]])),
        (pg.ShapeError, lambda x: np.cross(x[0], [1.0])),
        (pg.ShapeError, lambda x: np.einsum("ij,jk", x, np.ones((2, 2)))),
        (pg.ShapeError, lambda x: np.gradient(x[:, :1], axis=1)),
        (pg.ShapeError, lambda x: np.average(x, weights=[1.0], axis=0)),
        (pg.ShapeError, lambda x: np.convolve(x, x)),
        (pg.ShapeError, lambda x: np.interp(x, [1.0], [2.0, 3.0])),
        (pg.ArgumentError, lambda x: np.einsum("ij,j", x)),
        (pg.ArgumentError, lambda x: np.einsum("ij->k", x)),
        (pg.ArgumentError, lambda x: np.split(x, 2, 1)),
        (pg.ArgumentError, lambda x: np.quantile(x, 2.0)),
        (pg.ArgumentError, lambda x: np.pad(x, 1, "nowhere")),
        (pg.ArgumentError, lambda x: np.pad(x, 1, "edge", constant_values=1)),
        (pg.ArgumentError, lambda x: np.max(x, where=x > 0)),
        (pg.ArgumentError, lambda x: np.rot90(x, axes=(0, 0))),
        (pg.ArgumentError, lambda x: np.max(x[:0])),
        (pg.DTypeError, lambda x: x.astype(complex)),
        (pg.DTypeError, lambda x: np.pad(x, 1.5)),
        (pg.UnsupportedError, lambda x: np.pad(x, 1, lambda *a: None)),
        (pg.UnsupportedError, lambda x: np.bitwise_and(x.astype(int), 1)),
        (pg.UnsupportedError, lambda x: np.spacing(x)),
        (pg.UnsupportedError, lambda x: np.isin(x, [1.0])),
    ],
)
def test_misuse_raises_one_line(kind, call):
    with pytest.raises(kind) as caught:
        pg.jvp(call, (np.ones((2, 3)),), (np.ones((2, 3)),))
    assert "\n" not in str(caught.value) and __file__.split("/")[-1] in str(
        caught.value
    )


def test_ufuncs_of_others_are_told_from_those_of_numpy():
    theirs = np.frompyfunc(math.erf, 1, 1)  # as scipy.special.erf is one
    with pytest.raises(pg.UnsupportedError, match="not NumPy's.*: use pygradc.erf"):
        pg.grad(lambda x: np.sum(theirs(x)))(np.ones(3))


@pytest.mark.parametrize("first", ["pg.relu(x)", "np.multiply.outer(x, x)", "2 * x"])
def test_everything_is_known_whatever_a_process_calls_first(first):
    function = f"lambda x: ({first} @ x).sum()"
    code = f"import numpy as np, pygradc as pg; pg.grad({function})(np.ones(2))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


# ---- under jit ----


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.sum(np.take_along_axis(x, np.argmax(x, 1, keepdims=True), 1)),
        lambda x: np.sum(x[0] * np.interp(x[0], [0.0, 1, 2], [1.0, 3, 2])),
        lambda x: np.sum(np.choose(np.argmax(x, 0), x)),
        lambda x: np.einsum("ij,kj->", x, x) + np.sum(np.roll(x, 1, 0) * np.tril(x)),
        lambda x: np.sum(np.pad(x, 1, "reflect") ** 2) + np.nanmax(x) + np.std(x),
        lambda x: (
            np.sum(np.gradient(x)[0] ** 2) + np.allclose(x, x) * np.median([1, 2])
        ),
        lambda x: np.sum(np.sort(x, 0) * np.arange(4)) + np.prod(np.median(x, 1)),
        lambda x: np.sum(np.quantile(x, [0.1, 0.5, 0.8], 1) ** 2),
        lambda x: np.sum(np.percentile(x, 33, (0, 1), method="nearest") * x),
        lambda x: np.sum(x[0][np.argsort(x[1], kind="stable")] * x[2]),
        lambda x: np.sum(np.interp(x[0], np.sort(x[1]), x[2], period=3.0)),
    ],
)
def test_recorded_agrees_with_traced(f):
    x = np.random.default_rng(3).normal(size=(3, 4))
    fast = pg.jit(pg.grad(f))
    for scale in (1.0, -2.0):
        np.testing.assert_allclose(fast(scale * x), pg.grad(f)(scale * x), 1e-12)


ORDERED = {
    "sort": lambda x: np.sort(x, -1, kind="stable"),
    "sort 0": lambda x: np.sort(x, 0, kind="stable"),
    "argsort": lambda x: np.argsort(x, -1, kind="stable"),
    "median": lambda x: np.median(x, -1),
    "median 0": lambda x: np.median(x, 0),
    "quantile": lambda x: np.quantile(x, [0.2, 0.9], -1),
    "lower": lambda x: np.quantile(x, 0.3, -1, method="lower"),
    "left": lambda x: np.searchsorted(np.sort(x.ravel()), x, "left"),
    "right": lambda x: np.searchsorted(np.sort(x.ravel()), x, "right"),
    "sorter": lambda x: np.searchsorted(
        x[0], x, sorter=np.argsort(x[0], kind="stable")
    ),
}


@pytest.mark.parametrize("name", ORDERED)
def test_recorded_order_of_any_values_is_numpys(name):
    """Ties, both zeros, infinities, NaN, all element types, an empty array."""
    rng, f = np.random.default_rng(9), ORDERED[name]
    for dtype in (float, np.float32, np.int64):
        x = rng.integers(-3, 4, (5, 41)).astype(dtype)
        samples = [x]
        if dtype != np.int64:
            x = x.copy()
            x.flat[::7] = -0.0
            if name != "quantile":  # ours is infinite where NumPy's is inf - inf
                x.flat[1::9], x.flat[2::11] = np.inf, -np.inf
            samples.append(x)
            samples.append(np.where(rng.random(x.shape) < 0.1, np.nan, x).astype(dtype))
        if "q" not in name and "med" not in name and name != "lower":
            samples += [x[:1, :0], x[:, :1], rng.permutation(np.arange(500))[None]]
        for x in samples:
            found, true = pg.jit(f)(x), f(x)
            assert found.dtype == true.dtype
            np.testing.assert_array_equal(found, true)


def test_recorded_search_for_a_number_compares_as_numpy_does():
    """float32 values with a double: the number is not rounded to float32."""
    a = np.array([0.1, 0.2, 0.3], np.float32)
    for side in ("left", "right"):
        found = pg.jit(lambda a, side=side: np.searchsorted(a, 0.1, side))(a)
        assert found == np.searchsorted(a, 0.1, side) == 0


@pytest.mark.parametrize("f", [lambda x: np.partition(x, 1), np.flatnonzero])
def test_what_asks_for_numbers_under_jit_raises(f):
    with pytest.raises(pg.ConcretizationError):
        pg.jit(lambda x: np.sum(x[f(x).astype(int) * 0]))(np.ones(3))
