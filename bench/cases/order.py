"""Sorting and searching: an L-estimator, and interpolation in a table."""

import numpy as np

from bench.harness import Problem, case


def _estimate_by_hand(x, weights):
    order = np.argsort(x, kind="mergesort")  # the kind that Numba has
    slope = np.empty_like(x)
    slope[order] = weights
    return weights @ x[order], slope


@case("sort", [1000, 1_000_000])
def sort(n, rng):
    """A weighted sum of the sorted values (an L-estimator) and its gradient."""
    no_sort = "has no sort"
    return Problem(
        lambda np, x, weights: np.sum(weights * np.sort(x)),
        (rng.normal(size=n), 6 * (np.arange(n) + 0.5) / n - 3),
        _estimate_by_hand,
        loops=_estimate_by_hand,
        without={"casadi": no_sort},
        instead={"torch": lambda np, x, w: np.sum(w * np.sort(x).values)},
    )


def _interp_by_hand(knots, heights, at, weights):
    right = np.clip(np.searchsorted(knots, at, side="right"), 1, len(knots) - 1)
    width = knots[right] - knots[right - 1]
    part = (at - knots[right - 1]) / width
    value = heights[right - 1] * (1 - part) + heights[right] * part
    slope = np.bincount(right - 1, weights * (1 - part), len(knots))
    slope += np.bincount(right, weights * part, len(knots))
    return weights @ value, slope


def _interp_loops(knots, heights, at, weights):
    value, slope, last = 0.0, np.zeros(len(knots)), len(knots) - 1
    for i in range(len(at)):
        right = np.searchsorted(knots, at[i], side="right")
        right = min(max(right, 1), last)
        part = (at[i] - knots[right - 1]) / (knots[right] - knots[right - 1])
        value += weights[i] * (heights[right - 1] * (1 - part) + heights[right] * part)
        slope[right - 1] += weights[i] * (1 - part)
        slope[right] += weights[i] * part
    return value, slope


@case("interp", [(50, 1000), (2000, 100_000)])
def interp(size, rng):
    """Linear interpolation at many points, gradient in the heights of the knots."""
    n_knots, n = size
    knots = np.linspace(0, 1, n_knots)
    return Problem(
        lambda np, x, y, at, weights: np.sum(weights * np.interp(at, x, y)),
        (knots, rng.normal(size=n_knots), rng.uniform(size=n), rng.normal(size=n)),
        _interp_by_hand,
        argnums=(1,),
        loops=_interp_loops,
        peers=("numpy", "jax", "numba"),
    )
