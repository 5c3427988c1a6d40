"""NumPy's functions on traced values: the rows of numpy_cases.py, and what no row says.

Each row is checked against plain NumPy, and its derivatives against differences in
forward and reverse mode and to second order. The lists below are what must have rows.
"""

import numpy as np
import pytest
from gradcheck import check, leaves_of, same_array
from numpy_cases import CASES, CONSTANTS, CREATED, METHODS

import pygradc as pg
import pygradc.numpy as pnp

DIFFERENTIATED = """
abs absolute acos acosh add amax amin angle append arccos arccosh arcsin arcsinh arctan
arctan2 arctanh array array_split asin asinh astype atan atan2 atanh atleast_1d atleast_2d
atleast_3d block broadcast_to c_ choose clip column_stack concatenate conj conjugate cos
cosh cross cumsum deg2rad degrees diag diagonal diff divide dot dsplit dstack einsum exp
exp2 expand_dims expm1 fabs fliplr flipud fmax fmin full gradient hsplit hstack hypot imag
inner kron linspace log log10 log1p log2 logaddexp logaddexp2 matmul max maximum mean min
minimum mod moveaxis multiply nan_to_num negative outer pad partition permute_dims pow
power prod r_ rad2deg radians ravel real real_if_close reciprocal remainder repeat reshape
roll rollaxis rot90 row_stack select sin sinc sinh sort split sqrt square squeeze stack std
subtract sum swapaxes tan tanh tensordot tile trace transpose tril triu true_divide var
vsplit vstack where
""".split()
BEYOND = """
take take_along_axis flip cumprod median quantile percentile interp convolve correlate
average trapezoid meshgrid vdot vecdot matvec vecmat matrix_transpose concat unstack nansum
nanmean nanmax nanmin nanstd nanvar ptp cov broadcast_arrays cbrt copysign positive
float_power fmod divmod insert delete polyval diagflat copy
""".split()
CONSTANT = """
all allclose any argmax argmin argpartition argsort argwhere around array_equal array_equiv
ceil count_nonzero empty_like equal fix flatnonzero floor floor_divide full_like greater
greater_equal isclose iscomplex iscomplexobj isfinite isinf isnan isneginf isposinf isreal
isscalar less less_equal logical_and logical_not logical_or logical_xor ndim nonzero
not_equal ones_like result_type rint round searchsorted shape sign size trunc zeros_like
""".split()

IDS = [f"{i}-{name}" for i, (name, _, _) in enumerate(CASES)]
CONSTANT_IDS = [f"{i}-{name}" for i, (name, _, _) in enumerate(CONSTANTS)]
pytestmark = pytest.mark.filterwarnings("ignore")


def test_every_name_has_a_case():
    assert (len(DIFFERENTIATED), len(CONSTANT), len(BEYOND)) == (133, 51, 40)
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
    values, _ = pg.jvp(lambda *a: f(own, *a), args, args)
    values, expected = leaves_of(values), leaves_of(f(np, *args))
    for v, e in zip(values, expected, strict=True):
        same_array(v, e, 2e-5)


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
