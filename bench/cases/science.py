"""Science: option prices, bundle adjustment, and a differential equation."""

import math

import numpy as np

from bench.cases.kernels import erf
from bench.harness import Problem, case


def _price(np, S, K, T, r, sigma):
    root = sigma * np.sqrt(T)
    d1 = (np.log(S / K) + (r + 0.5 * sigma**2) * T) / root
    d2 = d1 - root
    cdf1 = 0.5 * (1 + np.erf(d1 * 0.5**0.5))
    cdf2 = 0.5 * (1 + np.erf(d2 * 0.5**0.5))
    return np.sum(S * cdf1 - K * np.exp(-r * T) * cdf2)


def _price_by_hand(S, K, T, r, sigma):
    root_T = np.sqrt(T)
    root = sigma * root_T
    d1 = (np.log(S / K) + (r + 0.5 * sigma**2) * T) / root
    cdf1 = 0.5 * (1 + erf(d1 * 0.5**0.5))
    cdf2 = 0.5 * (1 + erf((d1 - root) * 0.5**0.5))
    density = S * np.exp(-0.5 * d1**2) * (2 * np.pi) ** -0.5
    discount = np.exp(-r * T)
    paid = K * discount * cdf2
    dT = density * sigma / (2 * root_T) + r * paid
    return (
        np.sum(S * cdf1 - paid),
        cdf1,
        -discount * cdf2,
        dT,
        T * paid,
        density * root_T,
    )


def _price_loops(S, K, T, r, sigma):
    n = len(S)
    dS, dK, dT, dr, ds = np.empty(n), np.empty(n), np.empty(n), np.empty(n), np.empty(n)
    value = 0.0
    for i in range(n):
        root_T = math.sqrt(T[i])
        root = sigma[i] * root_T
        d1 = (math.log(S[i] / K[i]) + (r[i] + 0.5 * sigma[i] ** 2) * T[i]) / root
        cdf1 = 0.5 * (1 + math.erf(d1 * 0.5**0.5))
        cdf2 = 0.5 * (1 + math.erf((d1 - root) * 0.5**0.5))
        density = S[i] * math.exp(-0.5 * d1 * d1) * (2 * math.pi) ** -0.5
        discount = math.exp(-r[i] * T[i])
        paid = K[i] * discount * cdf2
        value += S[i] * cdf1 - paid
        dS[i], dK[i] = cdf1, -discount * cdf2
        dT[i] = density * sigma[i] / (2 * root_T) + r[i] * paid
        dr[i], ds[i] = T[i] * paid, density * root_T
    return value, dS, dK, dT, dr, ds


@case("black-scholes", [1000, 1_000_000])
def black_scholes(n, rng):
    """Price of n call options and five slopes of each: one pass of transcendentals."""
    bounds = (80, 120), (80, 120), (0.2, 2), (0.01, 0.05), (0.1, 0.5)
    return Problem(
        _price,
        tuple(rng.uniform(low, high, n) for low, high in bounds),
        _price_by_hand,
        argnums=(0, 1, 2, 3, 4),
        loops=_price_loops,
    )


# ---- Bundle adjustment ----


def _misfit(np, turns, points, shifts, seen):
    """Points turned and shifted into their cameras, projected, beside what was seen."""
    inside = np.matmul(turns, points)[:, :, 0] + shifts
    return np.sum((inside[:, :2] / inside[:, 2:] - seen) ** 2)


def _misfit_by_hand(turns, points, shifts, seen):
    inside = (turns @ points)[:, :, 0] + shifts
    scale = 1 / inside[:, 2:]
    miss = inside[:, :2] * scale - seen
    slope = np.empty_like(inside)
    slope[:, :2] = 2 * miss * scale
    slope[:, 2] = -np.sum(slope[:, :2] * inside[:, :2], 1) * scale[:, 0]
    column = slope[:, :, None]
    dp = np.swapaxes(turns, 1, 2) @ column
    return np.sum(miss**2), column @ np.swapaxes(points, 1, 2), dp, slope


def _misfit_loops(turns, points, shifts, seen):
    n = len(turns)
    value, dt, dp, ds = 0.0, np.empty((n, 3, 3)), np.zeros((n, 3, 1)), np.empty((n, 3))
    inside = np.empty(3)
    for i in range(n):
        for k in range(3):
            inside[k] = shifts[i, k]
            for m in range(3):
                inside[k] += turns[i, k, m] * points[i, m, 0]
        scale, last = 1 / inside[2], 0.0
        for k in range(2):
            miss = inside[k] * scale - seen[i, k]
            value += miss * miss
            ds[i, k] = 2 * miss * scale
            last -= ds[i, k] * inside[k] * scale
        ds[i, 2] = last
        for k in range(3):
            for m in range(3):
                dt[i, k, m] = ds[i, k] * points[i, m, 0]
                dp[i, m, 0] += ds[i, k] * turns[i, k, m]
    return value, dt, dp, ds


@case("bundle", [100, 10_000])
def bundle(n, rng):
    """Reprojection error of n observations: a product of a 3x3 matrix in each."""
    turns = np.linalg.qr(rng.normal(size=(n, 3, 3)))[0]
    shifts = rng.normal(size=(n, 3)) + np.array([0, 0, 8.0])
    return Problem(
        _misfit,
        (turns, rng.normal(size=(n, 3, 1)), shifts, rng.normal(size=(n, 2))),
        _misfit_by_hand,
        argnums=(0, 1, 2),
        loops=_misfit_loops,
        without={
            "casadi": "has no arrays of three axes",
            "pytensor": "refuses the gradient of the product with a column",
        },
    )


# ---- Lotka and Volterra by Runge and Kutta ----

STEPS, H = 100, 0.02


def _rates(u, v, a, b, c, d):
    return a * u - b * u * v, c * u * v - d * v


def _step(u, v, p):
    k1, l1 = _rates(u, v, *p)
    k2, l2 = _rates(u + H / 2 * k1, v + H / 2 * l1, *p)
    k3, l3 = _rates(u + H / 2 * k2, v + H / 2 * l2, *p)
    k4, l4 = _rates(u + H * k3, v + H * l3, *p)
    return (
        u + H / 6 * (k1 + 2 * k2 + 2 * k3 + k4),
        v + H / 6 * (l1 + 2 * l2 + 2 * l3 + l4),
    )


def _final(np, x):
    u, v, *p = (x[i] for i in range(6))
    for _ in range(STEPS):
        u, v = _step(u, v, p)
    return u * v


def _final_scan(np, x):
    """The loop as JAX has it: unrolled, it compiles for a long time."""
    import jax

    def body(state, _):
        return _step(*state, x[2:]), None

    (u, v), _ = jax.lax.scan(body, (x[0], x[1]), None, length=STEPS)
    return u * v


def _final_by_hand(x):
    """Forward with the states kept, then each step's stages in reverse."""
    u, v, a, b, c, d = x[0], x[1], x[2], x[3], x[4], x[5]
    states = []
    for _ in range(STEPS):
        stages, k, m = [], 0.0, 0.0
        new_u, new_v = u, v
        for part, weight in ((0.0, 1.0), (0.5, 2.0), (0.5, 2.0), (1.0, 1.0)):
            su, sv = u + H * part * k, v + H * part * m
            k, m = a * su - b * su * sv, c * su * sv - d * sv
            stages.append((su, sv))
            new_u += H / 6 * weight * k
            new_v += H / 6 * weight * m
        states.append(stages)
        u, v = new_u, new_v
    du, dv, da, db, dc, dd = v, u, 0.0, 0.0, 0.0, 0.0
    for stages in states[::-1]:
        tu, tv, gu, gv = du, dv, 0.0, 0.0
        for stage, after in ((3, 0.0), (2, 1.0), (1, 0.5), (0, 0.5)):
            su, sv = stages[stage]
            weight = 1.0 if stage in (0, 3) else 2.0
            gk = H / 6 * weight * du + H * after * gu
            gl = H / 6 * weight * dv + H * after * gv
            da, db = da + gk * su, db - gk * su * sv
            dc, dd = dc + gl * su * sv, dd - gl * sv
            gu = gk * (a - b * sv) + gl * c * sv
            gv = -gk * b * su + gl * (c * su - d)
            tu, tv = tu + gu, tv + gv
        du, dv = tu, tv
    return u * v, np.array([du, dv, da, db, dc, dd])


@case("ode", [STEPS])
def ode(size, rng):
    """Lotka-Volterra, 100 steps of RK4 unrolled, gradient in state and parameters: some
    4000 dependent scalar operations."""
    minutes = "takes minutes to compile the unrolled loop"
    return Problem(
        _final,
        (np.array([1.0, 0.8, 1.1, 0.7, 0.6, 0.9]),),
        _final_by_hand,
        loops=_final_by_hand,
        scalars=True,
        without={"PyTorch compile": minutes, "pytensor": minutes},
        instead={"jax": _final_scan},
    )
