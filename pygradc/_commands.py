"""``explain``, ``grad``, ``check`` and ``serve``: commands on expressions typed in."""

import json
import sys

import numpy as np

import pygradc as pg
from pygradc import _parse, errors

_FORMS = ("text", "latex", "markdown", "html", "mathml", "svg", "dot")
_ENDINGS = {
    ".txt": "text",
    ".tex": "latex",
    ".md": "markdown",
    ".html": "html",
    ".svg": "svg",
    ".dot": "dot",
}
TOLERANCE = 1e-6  # of `check`, relative to the largest derivative
KINK = 0.01  # of it, by which one-sided derivatives differ where there is a kink


def add_expression(parser, values_needed):
    """Adds what all three commands take to an argparse parser."""
    parser.add_argument("expression", metavar="EXPR", help='as in "sin(x + x**2)"')
    parser.add_argument(
        "--at",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME=VALUE",
        help="values of the variables: x=2, w=[1,2,3], X=@file.csv or X=@file.npy"
        + ("" if values_needed else "; without, the names stand for scalars"),
    )
    parser.add_argument(
        "--wrt",
        nargs="+",
        action="extend",
        metavar="NAME",
        help="variables to differentiate with respect to (default: all)",
    )


def add_explain(parser):
    """Adds the options of ``explain``."""
    add_expression(parser, False)
    parser.add_argument(
        "--format",
        choices=_FORMS,
        help="default: by the ending of --output, or text",
    )
    parser.add_argument("--output", metavar="FILE", help="default: standard output")
    parser.add_argument("--html", metavar="FILE", help="write a page to FILE")


def add_grad(parser):
    """Adds the options of ``grad``."""
    add_expression(parser, True)
    parser.add_argument(
        "--format",
        choices=("text", "json"),
        default="text",
        help="json gives numbers that are not finite as strings (default: text)",
    )


def add_check(parser):
    """Adds the options of ``check``."""
    add_expression(parser, True)
    parser.add_argument(
        "--tolerance",
        type=float,
        default=TOLERANCE,
        metavar="T",
        help="relative to the largest derivative (default: %(default)s)",
    )


# ---- what is given ----


def _names(options, known):
    """The variables to differentiate with respect to."""
    if options.wrt is None:
        return known
    wrt = [n for given in options.wrt for n in given.split(",") if n]
    for n in wrt:
        if n not in known:
            there = ", ".join(known) or "none"
            raise errors.ArgumentError(f"--wrt {n}: no such variable; there is {there}")
    return tuple(dict.fromkeys(wrt))


class _Question:
    """An expression with values and the variables that matter."""

    def __init__(self, options):
        self.f = _parse.parse(options.expression)
        values = _parse.read_values(options.at)
        for name in values:
            if name not in self.f.names:
                raise errors.ArgumentError(f"--at {name}: no such variable")
        missing = [n for n in self.f.names if n not in values]
        if missing:
            raise errors.ArgumentError(
                f"no value for {', '.join(missing)}: give --at {missing[0]}=..."
            )
        self.wrt = _names(options, self.f.names)
        if not self.wrt:
            raise errors.ArgumentError("there is no variable to differentiate by")
        self.values = [values[n] for n in self.f.names]
        self.places = tuple([self.f.names.index(n) for n in self.wrt])

    def value(self):
        """The value of the expression, an ndarray of float64."""
        return np.asarray(self.f(*self.values), float)

    def jacobians(self):
        """Of each variable in `wrt`: an ndarray, shape of the value, then its own."""
        if np.ndim(self.value()) == 0:
            found = pg.grad(self._float, argnums=self.places)(*self.values)
        else:
            found = pg.jacobian(self._float, argnums=self.places)(*self.values)
        return [np.asarray(j) for j in found]

    def _float(self, *values):
        return self.f(*values) + 0.0  # a comparison is a number, too


# ---- explain ----


def explain(options):
    """Runs ``explain``; its exit code."""
    f = _parse.parse(options.expression)
    path = options.html or options.output
    form = "html" if options.html else options.format or _form_of(options.output)
    at = _parse.read_values(options.at)
    wrt = None if options.wrt is None else _names(options, f.names)
    shown = pg.draw if form in ("svg", "dot") else pg.explain
    made = shown(options.expression, at=at or None, wrt=wrt)
    text = getattr(made, form)().rstrip("\n") + "\n"
    if path is None:
        sys.stdout.write(text)
        return 0
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as e:
        print(f"pygradc explain: {path}: {e.strerror or e}", file=sys.stderr)
        return 1
    print(f"written to {path}")
    return 0


def _form_of(path):
    if path is None:
        return "text"
    for ending, form in _ENDINGS.items():
        if path.lower().endswith(ending):
            return form
    raise errors.ArgumentError(
        f"{path} does not end with {', '.join(_ENDINGS)}: say which --format"
    )


# ---- grad ----


def grad(options):
    """Runs ``grad``; its exit code."""
    question = _Question(options)
    value, found = question.value(), question.jacobians()
    if options.format == "json":
        gradient = dict(zip(question.wrt, map(_plain, found), strict=True))
        print(json.dumps({"value": _plain(value), "gradient": gradient}))
        return 0
    _print_number("value", value)
    label = "Jacobian by {}" if value.ndim else "d/d{}"
    for name, j in zip(question.wrt, found, strict=True):
        _print_number(label.format(name), j)
    return 0


def _plain(a):
    """An array as lists of numbers that JSON can hold."""
    if np.ndim(a):
        return [_plain(x) for x in a]
    x = float(a)
    if np.isnan(x):
        return "NaN"
    return x if np.isfinite(x) else "Infinity" if x > 0 else "-Infinity"


def _print_number(label, a):
    a = np.asarray(a)
    shape = f"   {'×'.join(map(str, a.shape))}" if a.ndim > 1 else ""
    text = (
        repr(float(a))
        if a.ndim == 0
        else np.array2string(a, separator=", ", floatmode="unique")
    )
    indent = "\n" + " " * (len(label) + 3)
    print(f"{label} = {text.replace(chr(10), indent)}{shape}")


# ---- check ----


def check(options):
    """Runs ``check``; its exit code: 1 if two derivatives disagree."""
    question = _Question(options)
    if not np.isfinite(question.value()).all():
        raise errors.ArgumentError("the value there is not finite: nothing to compare")
    good = True
    for place, name, reverse in zip(
        question.places, question.wrt, question.jacobians(), strict=True
    ):
        rows = [
            _compared(question, place, i, reverse)
            for i in range(np.size(question.values[place]))
        ]
        good &= _print_verdict(name, rows, options.tolerance)
    return 0 if good else 1


def _compared(question, place, i, reverse):
    """(relative difference, kink) of derivatives by element `i` of an argument.

    The difference is that of reverse mode to the further one of forward mode and
    central differences, extrapolated once (Richardson 1911); kink is (left, reverse,
    right) where the one-sided derivatives differ, else None.
    """
    values = question.values
    x = np.asarray(values[place], float)
    unit = np.zeros(x.size)
    unit[i] = 1.0
    unit = unit.reshape(x.shape)
    tangents = [
        unit if k == place else np.zeros(np.shape(v)) for k, v in enumerate(values)
    ]
    forward = np.asarray(pg.jvp(question._float, tuple(values), tuple(tangents))[1])
    ours = reverse.reshape(*forward.shape, x.size)[..., i]

    left, central, right = _differences(question, place, unit)
    sides = max(_largest(left), _largest(right))
    scale = max(_largest(reverse), _largest(central), sides, 1e-300)
    jump = np.abs(right - left).ravel()
    where = int(np.argmax(jump))
    if jump[where] > KINK * scale:
        return 0.0, [float(a.flat[where]) for a in (left, ours, right)]
    error = max(_largest(forward - ours), _largest(central - ours)) / scale
    return error, None


def _differences(question, place, unit):
    """Derivatives along `unit` from the left, from both sides, from the right."""
    x = np.asarray(question.values[place], float)

    def moved(h):
        at = list(question.values)
        at[place] = x + h * unit
        return np.asarray(question.f(*at), float)

    h = 1e-3 * max(1.0, _largest(x))
    middle, half = moved(0.0), h / 2
    right = 2 * (moved(half) - middle) / half - (moved(h) - middle) / h
    left = 2 * (middle - moved(-half)) / half - (middle - moved(-h)) / h
    wide = (moved(h) - moved(-h)) / (2 * h)
    central = (4 * (moved(half) - moved(-half)) / h - wide) / 3
    return left, central, right


def _largest(a):
    return float(np.max(np.abs(a)))


def _print_verdict(name, rows, tolerance):
    """Prints what is known of one variable; whether all agrees that could."""
    kinks = [kink for _, kink in rows if kink]
    errors = [error for error, kink in rows if not kink]
    wrong = sum(not error <= tolerance for error in errors)
    if errors:
        verdict = "DISAGREE" if wrong else "agree"
        n = wrong or len(errors)
        of = f"{n} of {len(rows)} partial derivative{'s' * (len(rows) != 1)}"
        print(f"{name}: {verdict}: {of}, relative difference {max(errors):.1e}")
    for left, ours, right in kinks:
        print(
            f"{name}: kink: {left:.6g} from the left, {right:.6g} from the right; "
            f"pygradc takes {ours:.6g}"
        )
    return not wrong


# ---- serve ----


def add_serve(parser):
    """Adds the options of ``serve``."""
    parser.add_argument(
        "--port", type=int, default=8000, help="0 for any (default: %(default)s)"
    )
    parser.add_argument(
        "--no-browser", action="store_true", help="only print the address"
    )


def serve(options):
    """Runs ``serve`` until Ctrl-C; its exit code."""
    import threading
    import webbrowser

    from pygradc._page.server import HOST, open_server

    try:
        server = open_server(options.port)
    except (OSError, OverflowError) as e:
        reason = getattr(e, "strerror", None) or e
        print(f"pygradc serve: port {options.port}: {reason}", file=sys.stderr)
        return 2
    address = f"http://{HOST}:{server.server_port}/"
    with server:
        print(f"the playground is at {address}  (Ctrl-C stops it)", flush=True)
        if not options.no_browser:
            threading.Thread(
                target=webbrowser.open, args=(address,), daemon=True
            ).start()
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print("stopped")
    return 0
