"""Single kernels, no derivative: the matrix product and elementwise functions."""

import math

import numpy as np

from bench.harness import Problem, case

SIDES = [8, 16, 32, 64, 128, 256, 512, 1024, 2048]


@case("matmul", SIDES, dtype=np.float64)
@case("matmul-f32", SIDES, dtype=np.float32)
def matmul(n, rng, dtype):
    """Product of square matrices, in GFLOP/s: against the best BLAS."""
    a, b = (rng.normal(size=(n, n)).astype(dtype) for _ in "ab")
    return Problem(
        lambda np, a, b: np.matmul(a, b),
        (a, b),
        np.matmul,
        kind="value",
        peers=("numpy", "jax", "torch"),
        flops=2.0 * n**3,
    )


def _loops(name):
    function = getattr(math, name)

    def loops(x):
        r = np.empty_like(x)
        for i in range(len(x)):
            r[i] = function(x[i])
        return r

    return loops


try:
    from scipy.special import erf
except ImportError:
    erf = np.vectorize(math.erf, otypes=[float])


def unary(n, rng, name, dtype):
    """One elementwise function: the vector math and the loop around it."""
    return Problem(
        lambda np, x: getattr(np, name)(x),
        (rng.uniform(0.1, 4, size=n).astype(dtype),),
        erf if name == "erf" else getattr(np, name),
        kind="value",
        loops=_loops(name),
        peers=("numpy", "jax", "torch", "numba"),
    )


for _name in ("exp", "log", "sin", "tanh", "erf"):
    for _suffix, _dtype in (("", np.float64), ("-f32", np.float32)):
        case(_name + _suffix, [4096, 4_000_000], name=_name, dtype=_dtype)(unary)
