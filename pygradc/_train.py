"""``python -m pygradc train``: fits one neuron to a table and says how well.

What is learned goes to standard output; progress and complaints to standard error.
"""

import argparse
import os
import signal
import sys
import threading
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from pygradc import _neuron, _report
from pygradc._table import TableError, read_csv, read_diabetes

DEFAULT_TARGET = "progression"
DEFAULT_PLOT = "loss.png"
TOLERANCE = 1e-7  # of the gradient check; rounding makes about 1e-10


def add_options(parser):
    """Adds the options of the command to an argparse parser."""
    add = parser.add_argument
    add(
        "--data",
        metavar="FILE",
        help="a CSV file with a header; default: a study of "
        "442 diabetes patients, shipped with pygradc",
    )
    add(
        "--target",
        metavar="COLUMN",
        help="the column to predict from all others; needed with --data",
    )
    add(
        "--epochs",
        type=_whole(1),
        default=1000,
        metavar="N",
        help="steps of gradient descent (default: %(default)s)",
    )
    add(
        "--rate",
        type=_positive,
        metavar="R",
        help="length of a step (default: 1 / the largest curvature of the loss)",
    )
    add(
        "--held-out",
        type=_fraction,
        default=0.2,
        metavar="F",
        help="fraction of the rows kept to measure the error (default: %(default)s)",
    )
    add(
        "--seed",
        type=_whole(0),
        default=0,
        metavar="N",
        help="of the choice of those rows (default: %(default)s)",
    )
    _add_outputs(add)


def _add_outputs(add):
    add(
        "--plot",
        metavar="FILE",
        help=f"where the loss is drawn, if matplotlib is there (default: "
        f"{DEFAULT_PLOT})",
    )
    add(
        "--html",
        metavar="FILE",
        help="write a page: curves, weights, predictions, the gradient check",
    )
    add("--no-plot", action="store_true", help="draw nothing")


def _number(kind, parse, holds):
    """A parser of option values that complains in plain words."""

    def parsed(text):
        try:
            value = parse(text)
        except ValueError:
            value = None
        if value is None or not holds(value):
            raise argparse.ArgumentTypeError(f"{text!r} is no {kind}")
        return value

    return parsed


def _whole(least):
    return _number(f"whole number from {least}", int, lambda n: n >= least)


_positive = _number("positive number", float, lambda x: 0 < x < float("inf"))
_fraction = _number("fraction from 0 to below 1", float, lambda x: 0 <= x < 1)


@dataclass
class Run:
    """What is known of one training run; errors in units of the target."""

    names: tuple
    target: str
    X: np.ndarray  # scaled, as y; the training rows
    y: np.ndarray
    X_held: np.ndarray
    y_held: np.ndarray
    scaling: _neuron.Scaling
    w: np.ndarray = None
    b: float = None
    losses: list = field(default_factory=list)
    held_losses: list = field(default_factory=list)
    slopes: list = field(default_factory=list)  # lengths of the gradient, scaled data
    path: list = field(
        default_factory=list
    )  # (w, b) of each step, if there is one input

    def error(self, held):
        """Root mean squared error of the neuron on the held-out or training rows."""
        X, y = (self.X_held, self.y_held) if held else (self.X, self.y)
        return self.scaling.unit * np.sqrt(_neuron.loss(self.w, self.b, X, y))

    def error_of_mean(self, held):
        """That of predicting the mean of the training rows."""
        y = self.y_held if held else self.y
        return self.scaling.unit * np.sqrt(np.mean((y - np.mean(self.y)) ** 2))


def complain(text):
    """One line on standard error."""
    print(f"pygradc train: {text}", file=sys.stderr)


# numbers at the edge of float64 may overflow in other units: inf is what they are then
@np.errstate(all="ignore")
def train(options):
    """Runs the command.

    Parameters
    ----------
    options : argparse.Namespace
        With the fields of `add_options`.

    Returns
    -------
    int
        Exit code: 0; 2 for wrong input; 1 if the gradient check failed or the plot
        that was asked for could not be written.
    """
    try:
        source, run = _prepare(options)
    except TableError as e:
        complain(e)
        return 2
    _print_data(source, run)
    if not _check_gradient(run, options.seed):
        return 1
    rate = options.rate or _neuron.default_rate(run.X)
    print(f"gradient descent: rate {rate:.3g}, {options.epochs} epochs", flush=True)
    try:
        stopped = _fit(run, rate, options.epochs)
    except _neuron.Diverged:
        complain(f"the loss is no longer finite: rate {rate:g} is too high")
        return 2
    if stopped:
        print(f"stopped after {len(run.losses)} epochs")
    _print_weights(run)
    _print_errors(run)
    code = 0 if options.no_plot else _plot(run, options.plot)
    if options.html is not None:
        report = _report.page(run, source, rate, options.seed)
        code = max(code, _write(options.html, report))
    return code


def _write(path, report):
    """Writes the report; the command's exit code."""
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(report)
    except (OSError, ValueError) as e:
        complain(f"{path} is not written: {getattr(e, 'strerror', None) or e}")
        return 1
    print(f"report written to {path}")
    return 0


def _prepare(options):
    """The table, split and scaled."""
    if options.data is None:
        table = read_diabetes()
    else:
        table = read_csv(options.data)
    target = options.target
    if target is None and options.data is not None:
        raise TableError(
            f"{table.source}: --target is missing; columns: {table.listed()}"
        )
    target = DEFAULT_TARGET if target is None else target
    names, X, y = table.split(target)
    order = np.random.default_rng(options.seed).permutation(len(y))
    n_held = max(0, min(round(options.held_out * len(y)), len(y) - 2))
    held, kept = order[:n_held], order[n_held:]
    scaling = _neuron.Scaling.of(X[kept], y[kept])
    return table.source, Run(
        names,
        target,
        scaling.inputs(X[kept]),
        y[kept] / scaling.unit,
        scaling.inputs(X[held]),
        y[held] / scaling.unit,
        scaling,
    )


def _print_data(source, run):
    rows, held = len(run.y), len(run.y_held)
    print(f"max(0, w·x + b) for {run.target!r} of {source}")
    print(f"inputs: {len(run.names)}; rows: {rows} to train, {held} held out")
    constant = [n for n, c in zip(run.names, run.scaling.constant, strict=True) if c]
    if constant:
        print(f"constant, so of no weight: {', '.join(constant)}")
    if np.max(run.y) == np.min(run.y):
        print(f"the target {run.target!r} is constant: there is nothing to learn")
    below = int(np.sum(run.y < 0))
    if below:
        print(f"{below} of {rows} targets are below 0, where the neuron cannot reach")


def _check_gradient(run, seed):
    worst, checked = _neuron.largest_difference(
        run.X, run.y, np.random.default_rng(seed)
    )
    of = f"{checked} of {len(run.names) + 1} partial derivatives"
    if not worst <= TOLERANCE:
        complain(f"the gradient differs from finite differences: {worst:.1e} in {of}")
        return False
    print(
        f"gradient agrees with finite differences: {of}, relative difference "
        f"{worst:.1e}"
    )
    return True


# ---- training ----


@contextmanager
def _interrupts():
    """While it lasts, the first Ctrl-C is only noted: yields a function that tells.

    An exception could strike anywhere, also where Python has to swallow it.
    """
    noted = []

    def note(number, frame):
        noted.append(number)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    ours = (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )
    if ours:
        signal.signal(signal.SIGINT, note)
    try:
        yield lambda: bool(noted)
    finally:
        if ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)


def _fit(run, rate, epochs):
    """Trains `run`; True if it was interrupted."""
    square = run.scaling.unit * run.scaling.unit
    with _interrupts() as interrupted:
        bar = _progress(epochs)
        try:
            for value, w, b, slope in _neuron.descend(run.X, run.y, rate, epochs):
                run.w, run.b = w, b
                run.slopes.append(slope)
                if len(w) == 1:
                    run.path.append((float(w[0]), b))
                run.losses.append(value * square)
                if len(run.y_held):
                    held = _neuron.loss(w, b, run.X_held, run.y_held)
                    run.held_losses.append(float(held) * square)
                bar.set_postfix_str(f"loss {run.losses[-1]:.6g}", refresh=False)
                bar.update(1)
                if interrupted():
                    break
        finally:
            bar.close()
        return interrupted()


class _Lines:
    """What is used of tqdm, as ten plain lines."""

    def __init__(self, total):
        self.total, self.n, self.text = total, 0, ""

    def set_postfix_str(self, text, refresh):
        self.text = text

    def update(self, n):
        before, self.n = self.n, self.n + n
        if self.n * 10 // self.total > before * 10 // self.total:
            print(f"epoch {self.n}/{self.total}: {self.text}", file=sys.stderr)

    def close(self):
        pass


def _progress(epochs):
    try:
        from tqdm import tqdm
    except ImportError:
        return _Lines(epochs)
    return tqdm(total=epochs, unit="epoch", file=sys.stderr, dynamic_ncols=True)


# ---- results ----


def _print_weights(run):
    per_deviation = run.w * run.scaling.unit
    per_unit = run.scaling.per_unit(run.w)
    width = max(len("column"), *map(len, run.names))
    print(f"\n{'column':<{width}}  {'w per deviation':>15}  {'w per unit':>12}")
    for name, a, b in zip(run.names, per_deviation, per_unit, strict=True):
        print(f"{name:<{width}}  {a:>15.6g}  {b:>12.6g}")
    print(f"{'b':<{width}}  {run.b * run.scaling.unit:>15.6g}")
    if not np.any(run.X @ run.w + run.b > 0):
        print("the neuron is 0 in every training row")


def _print_errors(run):
    sets = [False, True] if len(run.y_held) else [False]
    print(
        f"\n{'root mean squared error':<23}"
        + "".join(f" {'held out' if held else 'train':>12}" for held in sets)
    )
    for name, error in [
        ("the neuron", run.error),
        ("predicting the mean", run.error_of_mean),
    ]:
        print(f"{name:<23}" + "".join(f" {error(held):>12.6g}" for held in sets))
    sys.stdout.flush()


def _plot(run, path):
    """Draws the losses; the command's exit code."""
    asked = path is not None
    path = path if asked else DEFAULT_PLOT
    try:
        from matplotlib.figure import Figure
    except ImportError:
        complain(f"{path} is not written: matplotlib is not installed")
        return int(asked)
    axes = Figure(figsize=(7, 4.5), layout="constrained").add_subplot()
    _report.losses(axes, run)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # letters that the font does not have
            axes.figure.savefig(path)
    except (OSError, ValueError) as e:
        reason = e.strerror if isinstance(e, OSError) and e.strerror else e
        complain(f"{os.fspath(path)} is not written: {reason}")
        return int(asked)
    print(f"\nloss drawn in {path}")
    return 0
