"""Timing side by side: answers are checked, then contenders take turns.

These machines are noisy, so contenders are timed in turn within one run, and minimum
and median are reported: the minimum estimates the cost of the code, its distance to
the median how noisy the machine was.
"""

import os
import platform
import statistics
import time

import numpy as np

CASES = {}

# Set, these halve NumPy's BLAS; a user's machine has neither.
SLOWING = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")


def case(name, sizes):
    """Registers a generator: given a size and a random generator it yields pairs
    (contender, callable without arguments), all of which return the same answer."""

    def register(generator):
        CASES[name] = generator, sizes
        return generator

    return register


def flat(answer):
    """The numbers of an answer, trees joined."""
    if isinstance(answer, (tuple, list)):
        return np.concatenate([flat(a) for a in answer])
    return np.ravel(np.asarray(answer, float))


def calls_for(function, budget):
    """How many calls fill `budget` seconds."""
    calls = 1
    while True:
        start = time.perf_counter()
        for _ in range(calls):
            function()
        elapsed = time.perf_counter() - start
        if elapsed > budget / 10:
            return max(1, int(calls * budget / elapsed))
        calls *= 4


def measure(contenders, budget=0.02, rounds=15):
    """Seconds per call of each contender as {name: (minimum, median)}.

    Parameters
    ----------
    contenders : dict of str to callable
    budget : float
        Seconds of one contender's turn.
    rounds : int
        Turns each contender has.
    """
    calls = {name: calls_for(f, budget) for name, f in contenders.items()}
    times = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, function in contenders.items():
            start = time.perf_counter()
            for _ in range(calls[name]):
                function()
            times[name].append((time.perf_counter() - start) / calls[name])
    return {name: (min(t), statistics.median(t)) for name, t in times.items()}


def run_case(name, size, budget=0.02, rounds=15):
    """Checks all answers against the first contender's, then measures.

    Raises
    ------
    AssertionError
        An answer is wrong.
    """
    generator, _ = CASES[name]
    contenders = dict(generator(size, np.random.default_rng(0)))
    answers = {name: flat(f()) for name, f in contenders.items()}
    expected = next(iter(answers.values()))
    for who, answer in answers.items():
        np.testing.assert_allclose(
            answer, expected, rtol=1e-4, atol=1e-6, err_msg=f"{name} {size}: {who}"
        )
    return measure(contenders, budget, rounds)


def environment():
    """What the figures depend on."""
    from pygradc import _lib

    return {
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "isa": _lib.isa(),
        "compiler": _lib.compiler(),
        "python": platform.python_version(),
        "numpy": np.__version__,
    }
