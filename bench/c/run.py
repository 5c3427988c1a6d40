"""Builds the benchmarks of the C library without Python's build tools, and runs them.

    python3 bench/c/run.py [CASE ...] [--isa PATH] [--quick] [--json FILE]

One process for each ISA path measures the limits of the machine (FMA peak; bandwidth of
L1, L2 and memory, for three mixes of reads and writes) with vectors of that path, then
the cases. A row tells the minimum and median of a run, ns for each element, operation
or node, and which share of the limit that is: the least time in which the machine can
move the bytes of the arguments and results or do the least arithmetic, over the
minimum. A share may pass 100 % where stores go around the caches. The peak of many
threads is taken as that of one by their number. A wrong answer ends the run.

Needs only the standard library and a C compiler, as tests/c/run.py, whose objects it
shares.
"""

import argparse
import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
BUILDER = runpy.run_path(str(HERE.parents[1] / "tests" / "c" / "run.py"))
CC, compiler = BUILDER["CC"], BUILDER["run"]

COLUMNS = "{:<9} {:<5} {:>9} {:<6} {:>2} {:>12} {:>12} {:>9} {:<12} {:>7}  {}"
HEADING = COLUMNS.format(
    *("case", "type", "size", "in", "th", "min ns", "median ns", "ns each", ""),
    *("share", "of"),
)


class Build(BUILDER["Build"]):
    """The library's objects, and a program of the benchmarks for each ISA path."""

    def __init__(self):
        super().__init__(sanitize=False)
        self.library = self.compile_all(self.objects())
        headers = [h.stat().st_mtime for h in HERE.glob("*.h")]
        self.newest_header = max(self.newest_header, *headers)

    def program(self, isa):
        """Path of the program whose limits are those of `isa`."""
        # Contracted: a peak is that of FMA, where there is one.
        own = {"limits": (f"_{isa}", [*self.isa_flags[isa], "-ffp-contract=fast"])}
        jobs = []
        for source in sorted(HERE.glob("*.c")):
            suffix, flags = own.get(source.stem, ("", []))
            jobs.append((self.out / f"bench_{source.stem}{suffix}.o", source, flags))
        program = self.out / f"bench_{isa}"
        made = [*self.compile_all(jobs), *self.library]
        compiler([CC, *self.flags, *made, "-lm", "-lpthread", "-o", program])
        return program


def limit_of(record, rates):
    """The least ns that the machine needs for a record, and what limits it."""
    limits = []
    if record["flops"]:
        name = f"fma {record['dtype']}"
        limits.append((record["flops"] / rates[name] / record["threads"], name))
    if record["place"]:
        read, written = record["bytes_read"], record["bytes_written"]
        few, many = written < read / 8, written >= read * 3 / 4
        name = f"{record['place']} {'read' if few else 'scale' if many else 'triad'}"
        limits.append(((read + written) / rates[name], name))
    return max(limits, default=(None, ""))


def line(record):
    """A row of the table."""
    r, each = record, record["min"] / record["count"]
    share = "" if r["share"] is None else f"{r['share']:.0%}"
    return COLUMNS.format(
        *(r["case"], r["dtype"], r["size"], r["place"], r["threads"]),
        *(f"{r['min']:.1f}", f"{r['median']:.1f}", f"{each:.4g}", r["unit"]),
        *(share, r["limit"]),
    ).rstrip()


def measure(program, isa, arguments):
    """Runs the cases on one path and prints them as they come.

    Returns
    -------
    dict
        "isa", "compiler", "threads", "limits" (in operations or bytes each ns) and
        "records"; None if the program failed.
    """
    env = {**os.environ, "PYGRADC_ISA": isa}
    command = [program, *arguments]
    result = {"limits": {}, "records": []}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) as p:
        for told in map(json.loads, p.stdout):
            if "limit" in told:
                result["limits"][told["limit"]] = told["rate"]
                print(f"limit {told['limit']:<13} {told['rate']:8.1f} G/s", flush=True)
            elif "case" in told:
                if not result["records"]:
                    print(HEADING)
                least, told["limit"] = limit_of(told, result["limits"])
                told["share"] = None if least is None else least / told["min"]
                result["records"].append(told)
                print(line(told), flush=True)
            else:
                result |= told
                print(f"\n{isa}, {told['compiler']}, {told['threads']} threads")
    return result if p.returncode == 0 else None


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("case", nargs="*", help="names such as dot; default: all")
    parser.add_argument("--isa", help="one path; default: $PYGRADC_ISA, or all")
    parser.add_argument("--quick", action="store_true", help="small sizes, few batches")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures")
    parser.add_argument("--list", action="store_true", help="name the cases and stop")
    options = parser.parse_args()
    try:
        build = Build()
        base = build.program("base")
        if options.list:
            return subprocess.run([base, "--list"]).returncode
        usable = subprocess.run([base, "--paths"], capture_output=True, text=True)
        wanted = options.isa or os.environ.get("PYGRADC_ISA") or usable.stdout
        arguments = [*(["--quick"] if options.quick else []), *options.case]
        results = []
        for isa in wanted.split():
            if isa not in usable.stdout.split():
                parser.error(f"no path {isa}; usable here: {usable.stdout.strip()}")
            results.append(measure(build.program(isa), isa, arguments))
    except subprocess.CalledProcessError as e:
        return e.returncode
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))
    return int(None in results)


if __name__ == "__main__":
    sys.exit(main())
