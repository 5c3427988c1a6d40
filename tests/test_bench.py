"""Every benchmark case still runs and pygradc answers it right; results are written."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import bench.cases  # noqa: F401
from bench import results
from bench.contenders import CONTENDERS, Contender
from bench.harness import CASES, Problem, expected, fault, measure, ready, run

OURS = [c for c in CONTENDERS if c.module in ("pygradc", "numpy")]


@pytest.mark.parametrize("name", CASES)
def test_case_is_right_at_its_smallest_size(name):
    case = CASES[name]
    problem = case.problem(case.sizes[0])
    right, done = expected(problem), []
    for contender in OURS:
        entry = ready(contender, problem)
        if entry is not None:
            wanted = right[:1] if contender.name == "pygradc value" else right
            assert fault(entry.answer, wanted, problem.is_float32) is None, contender
            done.append(contender.name)
    assert {"pygradc jit", "NumPy"} <= set(done)
    assert case.claim


def test_a_wrong_contender_is_named_and_not_timed():
    def failing(problem):
        raise RuntimeError("no such thing")

    wrong = Contender("doubling", "numpy", lambda p: (lambda: 2 * p.args[0], list))
    fails = Contender("failing", "numpy", failing)
    case = CASES["exp"]
    records = run(case, 4096, [wrong, fails, *OURS], budget=1e-4, rounds=1)
    by_name = {r["contender"]: r for r in records}
    assert by_name["doubling"]["status"] == "WRONG"
    assert by_name["failing"]["status"] == "FAILED"
    assert "min" not in by_name["doubling"] and "min" not in by_name["failing"]
    assert by_name["NumPy"]["status"] == "ok" and by_name["NumPy"]["min"] > 0


def test_fault_sees_shapes_counts_values_and_nan():
    right = [np.array(1.0), np.array([1.0, 2.0])]
    column = np.array([[1.0], [2.0]])  # what a vector is elsewhere
    near = np.array([1.0, 2.0 + 1e-6])
    assert fault((1.0, right[1]), right) is None
    assert fault((1.0, column), right) is None
    assert fault((1.0,), right) and fault((1.0, column[:1]), right)
    assert fault((1.0, np.array([1.0, np.nan])), right)
    assert fault((1.0, near), right)
    assert fault((1.0, near), right, is_float32=True) is None


def test_left_out_contenders_do_not_take_the_problem():
    problem = Problem(None, (), None, peers=("numpy", "jax"), without={"JAX": "slow"})
    takes = {c.name for c in CONTENDERS if c.takes(problem)}
    assert "JAX device" in takes and "NumPy" in takes and "pygradc jit" in takes
    assert not takes & {"JAX", "PyTorch", "CasADi"}


def test_every_contender_has_its_turns():
    turns = {"a": 0, "b": 0}

    def count(name):
        turns[name] += 1

    times = measure({n: lambda n=n: count(n) for n in turns}, budget=1e-5, rounds=4)
    assert set(times) == {"a", "b"}
    assert all(least <= median for least, median in times.values())
    assert min(turns.values()) >= 4


def test_results_are_written(tmp_path):
    ok = {"case": "matmul", "size": 8, "status": "ok", "first": 0.1, "gflops": 2.0}
    records = [
        {**ok, "contender": "pygradc jit", "min": 2e-6, "median": 3e-6},
        {**ok, "contender": "pygradc value", "min": 1e-6, "median": 1e-6},
        {**ok, "contender": "NumPy", "min": 1e-5, "median": 2e-5},
        {
            **{"case": "loss", "size": (64, 8), "contender": "JAX"},
            **{"status": "WRONG", "why": "array 0 is off by 1.0e+00"},
        },
    ]
    environment = results.environment(1, {"pygradc": "0.1.0"})
    results.write(tmp_path / "out", environment, records)
    read = json.loads((tmp_path / "out" / "results.json").read_text())
    assert [r["contender"] for r in read["records"]] == [
        r["contender"] for r in records
    ]
    assert read["environment"]["isa"] and read["environment"]["threads"] == 1
    text = (tmp_path / "out" / "results.md").read_text()
    assert "| matmul | 8 | 2 us | 2.00 | 5 |" in text
    assert "| loss | 64x8 |" in text and "WRONG" in text


def test_c_benchmarks_are_right_at_their_small_sizes(tmp_path, isa):
    root = Path(__file__).parent.parent
    command = [sys.executable, root / "bench" / "c" / "run.py", "--isa", isa]
    told = tmp_path / "c.json"
    done = subprocess.run([*command, "--quick", "--json", told], capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    listed = subprocess.run([*command, "--list"], capture_output=True, text=True)
    (result,) = json.loads(told.read_text())
    assert result["isa"] == isa
    assert {r["case"] for r in result["records"]} == {
        line.split()[0] for line in listed.stdout.splitlines()
    }
    assert all(0 < r["min"] <= r["median"] for r in result["records"])
    assert all(0 < rate for rate in result["limits"].values())


def test_c_benchmarks_name_what_they_do_not_know(isa):
    root = Path(__file__).parent.parent
    command = [sys.executable, root / "bench" / "c" / "run.py", "--isa", isa, "dott"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1 and "no case dott" in done.stderr
