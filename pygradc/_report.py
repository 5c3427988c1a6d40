"""The page of a training run: its curves, weights, predictions and gradient check.

Pictures need matplotlib; without it the page has the same numbers as tables.
"""

import base64
import io
import warnings
from html import escape

import numpy as np

from pygradc import _neuron

MOST_POINTS = 5000  # in the picture of predictions
MOST_ROWS = 12  # of a table that is a sample
GRID = 61  # points along each side of the loss surface

_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; padding: 0 1rem;
  max-width: 52rem; background: #fff; color: #1b1b1f; }
h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; border-top: 1px solid #d5d5dc;
  padding-top: .5rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: #55555f; }
th, td { padding: .15rem .8rem .15rem 0; text-align: right; }
th:first-child, td:first-child { text-align: left; }
th { border-bottom: 1px solid #d5d5dc; }
img { max-width: 100%; height: auto; display: block; }
@media (prefers-color-scheme: dark) {
  body { background: #17171b; color: #e8e8ee; }
  h2, th { border-color: #44444e; }
  caption { color: #a9a9b6; }
  img { filter: invert(1) hue-rotate(180deg); }
}
@media print { h2 { break-after: avoid; } img, table { break-inside: avoid; } }
"""


def page(run, source, rate, seed):
    """The report as a self-contained HTML page.

    Parameters
    ----------
    run : pygradc._train.Run
        After training.
    source : str
        Where the table is from.
    rate : float
    seed : int
        Of the gradient check.

    Returns
    -------
    str
    """
    title = f"max(0, w·x + b) for {run.target} of {source}"
    parts = [
        _loss(run, rate),
        _slope(run),
        _weights(run),
        _predictions(run),
        _check(run, seed),
    ]
    if len(run.names) == 1:
        parts.insert(2, _surface(run))
    note = "" if _figure() else "<p>The pictures need matplotlib.</p>"
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "img-src data:; style-src 'unsafe-inline'\">\n"
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<main>\n<h1>{escape(title)}</h1>\n{note}{''.join(parts)}</main>\n"
        "</body>\n</html>\n"
    )


# ---- parts ----


def _loss(run, rate):
    kept = np.unique(np.linspace(0, len(run.losses) - 1, MOST_ROWS).astype(int))
    columns = [kept, np.take(run.losses, kept), np.take(run.slopes, kept)]
    heads = ["epoch", "mean squared error", "length of the gradient"]
    errors = [
        (name, *[error(held) for held in ([False, True] if len(run.y_held) else [0])])
        for name, error in (
            ("the neuron", run.error),
            ("predicting the mean", run.error_of_mean),
        )
    ]
    sets = ["train", "held out"][: len(errors[0]) - 1]
    return _section(
        "Loss",
        _picture(lambda axes: losses(axes, run), "Loss against epoch"),
        _table(
            heads, zip(*columns, strict=True), f"Gradient descent at rate {rate:.3g}"
        ),
        _table(["root mean squared error", *sets], errors),
    )


def losses(axes, run):
    """Draws the loss of `run` by epoch on matplotlib axes."""
    axes.plot(range(len(run.losses)), run.losses, label="train")
    if run.held_losses:
        # measured after the step
        axes.plot(range(1, len(run.losses) + 1), run.held_losses, label="held out")
    axes.set(
        xlabel="epoch",
        ylabel="mean squared error",
        yscale="log" if max(run.losses) > 0 else "linear",
    )
    axes.set_title(f"max(0, w·x + b) for {run.target}", parse_math=False)
    axes.legend()


def _slope(run):
    def draw(axes):
        axes.plot(range(len(run.slopes)), run.slopes)
        scale = "log" if max(run.slopes) > 0 else "linear"
        axes.set(xlabel="epoch", ylabel="‖∂C/∂(w, b)‖, scaled data", yscale=scale)

    return _section("Gradient", _picture(draw, "Length of the gradient against epoch"))


def _weights(run):
    scaled = run.w * run.scaling.unit
    rows = zip(run.names, scaled, run.scaling.per_unit(run.w), strict=True)

    def draw(axes):
        places = range(len(run.names))
        axes.barh(places, scaled, height=0.6)
        axes.set_yticks(places, run.names, parse_math=False)
        axes.invert_yaxis()
        axes.axvline(0, color="black", linewidth=0.8)
        axes.set(xlabel=f"w per deviation, in units of {run.target}")

    return _section(
        "Weights",
        _picture(draw, "Weights") if len(run.names) <= 60 else "",
        _table(
            ["column", "w per deviation", "w per unit"],
            [*rows, ("b", run.b * run.scaling.unit, "")],
        ),
    )


def _predictions(run):
    sets = [("train", run.X, run.y)]
    if len(run.y_held):
        sets.append(("held out", run.X_held, run.y_held))
    unit = run.scaling.unit
    found = [(n, y * unit, unit * np.maximum(0, X @ run.w + run.b)) for n, X, y in sets]

    def draw(axes):
        for name, y, predicted in found:
            axes.plot(
                y[:MOST_POINTS], predicted[:MOST_POINTS], ".", alpha=0.6, label=name
            )
        ends = [
            min(np.min(y) for _, y, _ in found),
            max(np.max(y) for _, y, _ in found),
        ]
        axes.plot(ends, ends, color="black", linewidth=0.8)
        axes.set(xlabel="true", ylabel="predicted")
        axes.legend()

    name, y, predicted = found[-1]
    rows = [*zip(y, predicted, predicted - y, strict=True)][:MOST_ROWS]
    caption = f"The first {len(rows)} of {len(y)} rows: {name}"
    return _section(
        "Predicted against true",
        _picture(draw, "Predicted against true values"),
        _table(["true", "predicted", "error"], rows, caption),
    )


def _check(run, seed):
    at, ours, expected = _neuron.differences(run.X, run.y, np.random.default_rng(seed))
    order = np.argsort(at)
    names = [*run.names, "b"]
    rows = [(names[at[k]], ours[k], expected[k], ours[k] - expected[k]) for k in order]
    heads = ["derivative by", "reverse mode", "central differences", "difference"]
    return _section(
        "Gradient check", _table(heads, rows, "At a random point, on scaled data")
    )


def _surface(run):
    (first_w,), first_b = _neuron.start(run.X, run.y)
    w, b = np.array([(first_w, first_b), *run.path]).T
    sides = []
    for side in (w, b):
        margin = 0.6 * max(np.ptp(side), 0.5)
        sides.append(np.linspace(np.min(side) - margin, np.max(side) + margin, GRID))
    X, y = run.X[:MOST_POINTS], run.y[:MOST_POINTS]
    values = [
        [_neuron.loss(np.array([u]), v, X, y) for u in sides[0]] for v in sides[1]
    ]

    def draw(axes):
        contours = axes.contourf(*sides, np.sqrt(values), 24)
        axes.figure.colorbar(contours, label="root of the loss, scaled data")
        axes.plot(w, b, "o-", color="white", markersize=3, linewidth=1.2)
        axes.plot(w[-1:], b[-1:], "X", color="red", markersize=9)
        axes.set(xlabel=f"w of {run.names[0]}, scaled", ylabel="b, scaled")

    kept = np.unique(np.linspace(0, len(w) - 1, MOST_ROWS).astype(int))
    rows = zip(kept, w[kept], b[kept], strict=True)
    return _section(
        "Descent on the loss surface",
        _picture(draw, "Path of the descent on the loss surface"),
        _table(["steps", "w", "b"], rows, "The path, on scaled data"),
    )


# ---- HTML ----


def _section(title, *parts):
    return f"<section><h2>{title}</h2>\n{''.join(parts)}</section>\n"


def _table(heads, rows, caption=""):
    def cell(value):
        number = isinstance(value, (float, np.floating))
        return escape(f"{value:.6g}" if number else str(value))

    head = "".join(f'<th scope="col">{escape(h)}</th>' for h in heads)
    body = "".join(
        "<tr>" + "".join(f"<td>{cell(v)}</td>" for v in row) + "</tr>\n" for row in rows
    )
    caption = f"<caption>{escape(caption)}</caption>" if caption else ""
    return (
        f'<div class="wide"><table>{caption}<thead><tr>{head}</tr></thead>\n'
        f"<tbody>{body}</tbody></table></div>\n"
    )


def _figure():
    """matplotlib's Figure, or None."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return None
    return Figure


def _picture(draw, words):
    """What `draw` draws on axes, as an element; nothing without matplotlib."""
    Figure = _figure()
    if Figure is None:
        return ""
    from matplotlib import rc_context

    axes = Figure(figsize=(7, 4.2), layout="constrained").add_subplot()
    file = io.BytesIO()
    with warnings.catch_warnings(), rc_context({"svg.hashsalt": words}):
        warnings.simplefilter("ignore")  # letters that the font does not have
        draw(axes)
        axes.figure.savefig(
            file, format="svg", transparent=True, metadata={"Date": None}
        )
    data = base64.b64encode(file.getvalue()).decode()
    return f'<img alt="{escape(words)}" src="data:image/svg+xml;base64,{data}">\n'
