"""Every benchmark case still runs, and every contender's answer is right."""

import pytest

import bench.cases  # noqa: F401
from bench.harness import CASES, run_case


@pytest.mark.parametrize("name", CASES)
def test_case_runs_at_its_smallest_size(name):
    times = run_case(name, CASES[name][1][0], budget=1e-4, rounds=1)
    assert "pygradc jit" in times
    assert all(0 < least <= median for least, median in times.values())
