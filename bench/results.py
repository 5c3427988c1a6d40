"""What a run leaves: lines while it runs, and JSON, Markdown and plots after it."""

import json
import os
import platform
import sys
from pathlib import Path

UNIT = "pygradc jit"
HEADING = (
    f"{'case':20} {'size':>14} {'contender':16} {'min us':>12} {'median us':>12} "
    f"{'first s':>8}"
)


def _processor():
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":")[1].strip()
    except OSError:
        pass
    return platform.processor() or "unknown"


def environment(threads, versions):
    """What the figures depend on; sets pygradc's threads, and PyTorch's."""
    import pygradc as pg
    from pygradc import _lib

    pg.set_num_threads(threads)
    if "torch" in versions:
        import torch

        torch.set_num_threads(threads)
    import numpy

    return {
        "machine": platform.machine(),
        "processor": _processor(),
        "cpus": os.cpu_count(),
        "threads": threads,
        "load before": f"{os.getloadavg()[0]:.2f}",
        "isa": _lib.isa(),
        "compiler": _lib.compiler(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": {**versions, "numpy": numpy.__version__},
    }


def environment_line(environment):
    """The environment in one line."""
    flat = {k: v for k, v in environment.items() if k != "versions"}
    return ", ".join(f"{k} {v}" for k, v in {**flat, **environment["versions"]}.items())


class Progress:
    """A line that shows what is being done: tqdm's, or a plain one without it. Only a
    terminal sees it."""

    def __init__(self, total):
        self.count, self.total, self.bar, self.what = 0, total, None, ""
        self.shown = sys.stderr.isatty()
        try:
            from tqdm import tqdm

            self.bar = tqdm(total=total, disable=not self.shown, leave=False)
        except ImportError:
            pass

    def begin(self, what):
        self.what = what

    def at(self, contender):
        what = f"{self.what} {contender}"
        if self.bar is not None:
            self.bar.set_description_str(what)
        elif self.shown:
            text = f"[{self.count}/{self.total}] {what}"
            print(f"\r{text:78}", end="\r", file=sys.stderr, flush=True)

    def done(self):
        self.count += 1
        if self.bar is not None:
            self.bar.update()

    def print(self, text):
        if self.bar is not None:
            self.bar.clear()
        print(text, flush=True)

    def close(self):
        if self.bar is not None:
            self.bar.close()


def shown(size):
    """A size as text."""
    return "x".join(map(str, size)) if isinstance(size, (tuple, list)) else str(size)


def line(record):
    """A record as a line of the running table."""
    start = f"{record['case']:20} {shown(record['size']):>14} {record['contender']:16} "
    if record["status"] != "ok":
        return start + f"{record['status']}: {record['why']}"
    times = f"{record['min'] * 1e6:12.2f} {record['median'] * 1e6:12.2f} "
    rate = f" {record['gflops']:6.1f} GFLOP/s" if "gflops" in record else ""
    return f"{start}{times}{record['first']:8.3f}{rate}"


# ---- tables ----


def _rows(records):
    """Records by row: {(case, size): {contender: record}}."""
    rows = {}
    for record in records:
        key = record["case"], shown(record["size"])
        rows.setdefault(key, {})[record["contender"]] = record
    return rows


def _time(seconds):
    for unit, scale in (("s", 1), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def _table(head, rows):
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _cell(record, unit, figure):
    if record is None:
        return ""
    if record["status"] != "ok":
        return record["status"]
    if figure == "ratio":
        return f"{record['min'] / unit['min']:.3g}" if unit else _time(record["min"])
    return _time(record[figure]) if figure != "gflops" else f"{record['gflops']:.1f}"


def _of(row, who):
    record = row.get(who)
    return record if record and record["status"] == "ok" else None


def _ratios(rows, others):
    """Each contender's time as a multiple of pygradc's."""
    lines = []
    for (case, size), row in rows.items():
        unit, value = _of(row, UNIT), _of(row, "pygradc value")
        lines.append([case, size, _cell(row.get(UNIT), None, "ratio")])
        lines[-1].append(f"{unit['min'] / value['min']:.2f}" if unit and value else "")
        lines[-1] += [_cell(row.get(who), unit, "ratio") for who in others]
    return _table(["case", "size", UNIT, "/ value", *others], lines)


def _figures(rows, who, figure, wanted):
    """One figure of every contender, of the rows that are wanted."""
    chosen = {key: row for key, row in rows.items() if wanted(row)}
    who = [w for w in who if any(w in row for row in chosen.values())]
    lines = [
        [*key, *[_cell(row.get(w), None, figure) for w in who]]
        for key, row in chosen.items()
    ]
    return _table(["case", "size", *who], lines) if lines else "None measured."


def markdown(environment, records):
    """All tables of a run."""
    rows = _rows(records)
    who = list(dict.fromkeys(record["contender"] for record in records))
    others = [w for w in who if w not in (UNIT, "pygradc value")]
    has_rate = lambda row: any("gflops" in r for r in row.values())  # noqa: E731
    parts = [
        "# pygradc's benchmarks",
        environment_line(environment),
        f"## Time of the others as a multiple of {UNIT}",
        "Minimum of a call. Above 1, pygradc is faster. `/ value`: value and gradient "
        "against value alone.",
        _ratios(rows, others),
        "## Rate of matrix products, GFLOP/s",
        _figures(rows, who, "gflops", has_rate),
        "## Until the first answer: tracing, differentiating, compiling, one call",
        _figures(rows, who, "first", lambda row: True),
        "## Every figure",
        "\n".join(["```", HEADING, *map(line, records), "```"]),
    ]
    return "\n\n".join(parts) + "\n"


def write(folder, environment, records):
    """Writes ``results.json`` and ``results.md`` into `folder`.

    Parameters
    ----------
    folder : Path
    environment : dict
        As `environment` returns it.
    records : list of dict
        As `bench.harness.run` returns them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    both = {"environment": environment, "records": records}
    (folder / "results.json").write_text(json.dumps(both, indent=1) + "\n")
    (folder / "results.md").write_text(markdown(environment, records))


# ---- plots ----


def draw(folder, records):
    """A plot for each case: time over size, or bars if there is one size. Without
    matplotlib, says so and draws none."""
    try:
        import matplotlib

        matplotlib.use("agg")
        import matplotlib.pyplot as plt
    except ImportError:
        print("not installed: matplotlib; no plots")
        return
    cases = {}
    for record in records:
        if record["status"] == "ok":
            cases.setdefault(record["case"], []).append(record)
    everyone = list(dict.fromkeys(record["contender"] for record in records))
    colours = matplotlib.colormaps["tab20"].colors
    colour_of = {w: colours[i % 20] for i, w in enumerate(everyone)}
    for case, of_case in cases.items():
        figure, axes = plt.subplots(figsize=(8, 5), layout="constrained")
        sizes = list(dict.fromkeys(shown(r["size"]) for r in of_case))
        (_curves if len(sizes) > 1 else _bars)(axes, of_case, sizes, colour_of)
        axes.set_title(case)
        figure.savefig(folder / f"{case}.png", dpi=110)
        plt.close(figure)


def _style(who):
    """Ours stand out; the value alone is dotted."""
    if not who.startswith("pygradc"):
        return {"linewidth": 1, "marker": "."}
    return {
        "linewidth": 2.5,
        "marker": "o",
        "linestyle": ":" if "value" in who else "-",
    }


def _curves(axes, records, sizes, colour_of):
    for who in dict.fromkeys(r["contender"] for r in records):
        mine = [r for r in records if r["contender"] == who]
        at = [sizes.index(shown(r["size"])) for r in mine]
        rate = "gflops" in mine[0]
        height = [r["gflops"] if rate else r["min"] for r in mine]
        axes.plot(at, height, label=who, color=colour_of[who], **_style(who))
    axes.set_xticks(range(len(sizes)), sizes)
    axes.set_xlabel("size")
    axes.set_ylabel("GFLOP/s" if rate else "seconds a call")
    axes.set_yscale("linear" if rate else "log")
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small", ncols=2)


def _bars(axes, records, sizes, colour_of):
    records = sorted(records, key=lambda r: -r["min"])
    labels = [r["contender"] for r in records]
    colours = [colour_of[who] for who in labels]
    axes.barh(labels, [r["min"] for r in records], color=colours)
    axes.set_xscale("log")
    axes.set_xlabel(f"seconds a call, size {sizes[0]}")
    axes.grid(alpha=0.3, axis="x")
