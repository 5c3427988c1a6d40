"""Single numbers: the cost of a call, and of one operation in a long program."""

import math
import random

import numpy as np

from bench.harness import Problem, case


def _sin_by_hand(x):
    return math.sin(x + x**2), math.cos(x + x**2) * (1 + 2 * x)


def _log_by_hand(x):
    s = math.sin(x**3)
    return math.log(s * s), 6 * x**2 * math.cos(x**3) / s


@case("scalar-sin", [1])
def scalar_sin(size, rng):
    """sin(x + x^2) at a Python float: the cost of a call."""
    return Problem(
        lambda np, x: np.sin(x + x**2),
        (0.7,),
        _sin_by_hand,
        loops=_sin_by_hand,
        scalars=True,
    )


@case("scalar-log", [1])
def scalar_log(size, rng):
    """ln(sin(x^3)^2) at a Python float: the cost of a call."""
    return Problem(
        lambda np, x: np.log(np.sin(x**3) ** 2),
        (0.7,),
        _log_by_hand,
        loops=_log_by_hand,
        scalars=True,
    )


# ---- straight-line programs ----

# op: its value of a and b, and the cotangents of a and b from the result's, d
FORMS = {
    "add": ("{a} + {b}", "{d}", "{d}"),
    "sub": ("{a} - {b}", "{d}", "-{d}"),
    "mul": ("{a} * {b}", "{d} * {b}", "{d} * {a}"),
    "div": ("{a} / {b}", "{d} / {b}", "-{d} * {r} / {b}"),
    "sin": ("np.sin({a})", "{d} * np.cos({a})"),
    "cos": ("np.cos({a})", "-{d} * np.sin({a})"),
    "exp": ("np.exp({a})", "{d} * {r}"),
    "log1p": ("np.log1p({a} * {a})", "{d} * 2.0 * {a} / (1.0 + {a} * {a})"),
    "sqrt": ("np.sqrt(1.0 + {a} * {a})", "{d} * {a} / {r}"),
    "tanh": ("np.tanh({a})", "{d} * (1.0 - {r} * {r})"),
}
INPUTS = 10


def random_program(n):
    """n operations as (op, operand, operand), and the inputs; operand i < 10 is an
    input, else the result of operation i - 10. Values stay within ±3 at the inputs."""
    draw = random.Random(n)
    values = [draw.uniform(0.3, 1.2) for _ in range(INPUTS)]
    program = []
    ops = list(FORMS)
    while len(program) < n:
        op = draw.choice(ops)
        low = max(0, len(values) - 200)  # operands are near, as in code people write
        i, j = (draw.randrange(low, len(values)) for _ in "ij")
        a, b = values[i], values[j]
        if op == "div" and abs(b) < 1 or op == "exp" and a > 0.5:
            continue  # its slope would be large, and those multiply
        names = {"a": repr(a), "b": repr(b)}
        r = eval(FORMS[op][0].format(**names), {"np": math})
        if abs(r) <= 3:
            program.append((op, i, j))
            values.append(r)
    return program, np.array(values[:INPUTS])


def _sinks(program):
    """Results that no operation takes; the program returns their sum."""
    used = {k for op, i, j in program for k in (i, j)[: len(FORMS[op]) - 1]}
    return [k for k in range(INPUTS, INPUTS + len(program)) if k not in used]


def _forward(program):
    lines = [f"    v{i} = x[{i}]" for i in range(INPUTS)]
    for k, (op, i, j) in enumerate(program, INPUTS):
        lines.append(f"    v{k} = " + FORMS[op][0].format(a=f"v{i}", b=f"v{j}"))
    total = " + ".join(f"v{k}" for k in _sinks(program))
    return [*lines, f"    y = {total}"]


def _backward(program):
    """Reverse sweep as Python source; d5 is the cotangent of v5."""
    started = set(_sinks(program))
    lines = [f"    d{k} = 1.0" for k in sorted(started)]
    for k, (op, *operands) in reversed(list(enumerate(program, INPUTS))):
        i, j = operands
        spelled = {"a": f"v{i}", "b": f"v{j}", "r": f"v{k}", "d": f"d{k}"}
        for at, form in zip(operands, FORMS[op][1:], strict=False):
            sign = "+" if at in started else ""
            lines.append(f"    d{at} {sign}= " + form.format(**spelled))
            started.add(at)
    ds = ", ".join(f"d{i}" if i in started else "0.0" for i in range(INPUTS))
    return [*lines, f"    return y, array([{ds}])"]


def _compiled(head, lines, **names):
    exec("\n".join([head, *lines]), names)
    return names["f"]


@case("scalar-program", [100, 1000, 10_000])
def scalar_program(n, rng):
    """A random straight-line program of n scalar operations, gradient in 10 inputs:
    the cost of one operation, and of compiling it ("first")."""
    program, x = random_program(n)
    f = _compiled("def f(np, x):", [*_forward(program), "    return y"])
    hand = ["def f(x):", [*_forward(program), *_backward(program)]]
    by_hand = _compiled(*hand, np=math, array=np.array)
    without = {}
    if n > 100:
        minutes = "takes minutes to compile this many operations"
        without |= {"PyTorch compile": minutes, "pytensor": minutes}
    if n > 1000:
        without |= {"jax": minutes, "numba": minutes}
    return Problem(f, (x,), by_hand, loops=by_hand, scalars=True, without=without)
