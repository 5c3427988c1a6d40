"""Timing side by side: answers are checked, then contenders take turns.

A case makes, for a size, a `Problem`: a function written over a namespace `np`, its
arguments, and the answer by hand. `bench.contenders` knows what each library makes of
a problem. The answer by hand, computed in float64, judges all others: a contender that
is wrong or fails is reported by name and not timed.

Machines are noisy, so contenders are timed in turn within one process, and minimum
and median are reported: the minimum estimates the cost of the code, its distance to
the median how noisy the machine was.
"""

import statistics
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np

CASES = {}
PAUSE = 0.03  # seconds before each turn


@dataclass
class Problem:
    """What is to be computed.

    Attributes
    ----------
    f : callable
        ``f(np, *args)`` over the functions of a namespace that has NumPy's names, and
        `erf`.
    args : tuple
        Arrays and floats.
    by_hand : callable
        ``by_hand(*args)``: the answer written out in NumPy.
    kind : str
        "gradient" (a scalar and its gradient), "value", "hessian", or "hvp", whose
        last argument is the direction.
    argnums : tuple of int
        What is differentiated.
    loops : callable, optional
        The answer written out for Numba.
    scalars : bool
        The function works on single numbers (CasADi has a graph of its own for those).
    peers : tuple of str, optional
        Modules that are compared; None means all.
    without : dict of str to str
        Modules or contenders that are left out, and why.
    instead : dict of str to callable
        What a module's users would write in place of `f`.
    flops : float, optional
        Floating-point operations of one call.
    """

    f: Any
    args: tuple
    by_hand: Any
    kind: str = "gradient"
    argnums: tuple = (0,)
    loops: Any = None
    scalars: bool = False
    peers: tuple | None = None
    without: dict = field(default_factory=dict)
    instead: dict = field(default_factory=dict)
    flops: float | None = None

    @property
    def is_float32(self):
        return any(getattr(a, "dtype", None) == np.float32 for a in self.args)

    def function(self, module, names):
        """The function of the arguments alone, over `module`'s own names."""
        f = self.instead.get(module, self.f)
        return lambda *args: f(names, *args)


@dataclass
class Case:
    """A named family of problems; `claim` says what its figures tell."""

    name: str
    sizes: list
    make: Any
    claim: str

    def problem(self, size):
        return self.make(size, np.random.default_rng(0))


def case(name, sizes, /, **options):
    """Registers a function ``(size, rng, **options) -> Problem`` as a case."""

    def register(make):
        CASES[name] = Case(
            name, sizes, lambda size, rng: make(size, rng, **options), make.__doc__
        )
        return make

    return register


def leaves(answer):
    """The arrays of an answer, trees flattened."""
    if isinstance(answer, (tuple, list)):
        return [leaf for part in answer for leaf in leaves(part)]
    return [np.asarray(answer)]


def expected(problem):
    """The answer by hand, in float64."""

    def wide(a):
        single = getattr(a, "dtype", None) == np.float32
        return a.astype(np.float64) if single else a

    return leaves(problem.by_hand(*[wide(a) for a in problem.args]))


def fault(answer, right, is_float32=False):
    """What is wrong with `answer`, or None; errors are relative to an array's largest
    element."""
    answer = leaves(answer)
    if len(answer) != len(right):
        return f"{len(answer)} arrays instead of {len(right)}"
    for i, (a, r) in enumerate(zip(answer, right, strict=True)):
        if a.size != r.size:
            return f"array {i} has shape {a.shape} instead of {r.shape}"
        if r.size == 0:
            continue
        off = np.max(np.abs(a.reshape(r.shape) - r)) / max(np.max(np.abs(r)), 1e-300)
        if not off <= (1e-3 if is_float32 else 1e-9):
            return f"array {i} is off by {off:.1e}"
    return None


@dataclass
class Entry:
    """A contender made ready: what is timed, its answer, the seconds until that."""

    call: Any
    convert: Any  # kept, as buffers may be
    answer: Any
    first: float


def ready(contender, problem):
    """Builds and first calls a contender; None if it has no way to do the problem."""
    start = time.perf_counter()
    made = contender.make(problem)
    if made is None:
        return None
    call, convert = made
    result = call()
    first = time.perf_counter() - start
    return Entry(call, convert, convert(result), first)


def calls_for(function, budget):
    """How many calls fill `budget` seconds, and the seconds of one."""
    calls = 1
    while True:
        start = time.perf_counter()
        for _ in range(calls):
            function()
        elapsed = time.perf_counter() - start
        if elapsed > budget / 10:
            return max(1, int(calls * budget / elapsed)), elapsed / calls
        calls *= 4


def measure(calls, budget=0.02, rounds=15, limit=4.0):
    """Seconds per call as {name: (minimum, median)}.

    Parameters
    ----------
    calls : dict of str to callable
    budget : float
        Seconds of one turn.
    rounds : int
        Turns each has; fewer, but at least 3, for one that would take over `limit`
        seconds.

    Notes
    -----
    Before a turn all threads are given time to fall asleep: OpenBLAS's spin for some
    25 ms after a call, on cores that the next library's threads then wait for. A turn
    begins with calls that are not timed: they meet cold caches.
    """
    plan = {}
    for name, function in calls.items():
        time.sleep(PAUSE)
        plan[name] = calls_for(function, budget)
    times = {name: [] for name in calls}
    for turn in range(rounds):
        for name, function in calls.items():
            count, each = plan[name]
            if turn >= max(3, limit / ((count + 1) * each)):
                continue
            time.sleep(PAUSE)
            for _ in range(1 + count // 20):
                function()
            start = time.perf_counter()
            for _ in range(count):
                function()
            times[name].append((time.perf_counter() - start) / count)
    return {name: (min(t), statistics.median(t)) for name, t in times.items()}


def run(case, size, contenders, budget=0.02, rounds=15, limit=4.0, tell=None):
    """Checks and times the contenders at one size.

    Parameters
    ----------
    case : Case
    contenders : sequence of Contender
    budget, rounds, limit
        As for `measure`.
    tell : callable, optional
        Is told the name of each contender when its turn to be built comes.

    Returns
    -------
    list of dict
        A record for each contender that takes the problem: "status" is "ok", "WRONG"
        or "FAILED"; the latter two have a "why" and no times.
    """
    problem = case.problem(size)
    right = expected(problem)
    records, entries = [], {}
    for contender in contenders:
        if not contender.takes(problem):
            continue
        if tell:
            tell(contender.name)
        record = {"case": case.name, "size": size, "contender": contender.name}
        try:
            entry = ready(contender, problem)
            if entry is None:
                continue
            only_value = contender.name.endswith(" value")
            wanted = right[:1] if only_value else right
            why = fault(entry.answer, wanted, problem.is_float32)
            record |= {"status": "WRONG" if why else "ok", "first": entry.first}
        except Exception as error:  # a peer may raise anything
            why = f"{type(error).__name__}: {str(error)[:200]}"
            record["status"] = "FAILED"
        if why:
            record["why"] = why
        else:
            entries[contender.name] = entry
        records.append(record)
    times = measure({n: e.call for n, e in entries.items()}, budget, rounds, limit)
    for record in records:
        if record["contender"] in times:
            record["min"], record["median"] = times[record["contender"]]
            if problem.flops:
                record["gflops"] = problem.flops / record["min"] / 1e9
    return records
