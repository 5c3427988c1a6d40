"""Checks and times pygradc beside other libraries.

Without CASE, all cases run. Results go to bench/results/: all figures as JSON, tables
as Markdown, and a plot for each case. The exit code is 1 if any answer was wrong.
"""

import argparse
import os
import sys
from pathlib import Path

# Set, these halve NumPy's BLAS; a user's machine has neither.
SLOWING = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")


def options_of(arguments):
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE", help="all if none is given")
    parser.add_argument("--against", metavar="PEER", help="one peer alone, as jax")
    parser.add_argument("--quick", action="store_true", help="few rounds")
    parser.add_argument("--threads", type=int, default=2, metavar="N")
    parser.add_argument("--list", action="store_true", help="name the cases and stop")
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).parent / "results", metavar="FOLDER"
    )
    return parser, parser.parse_args(arguments)


def environment_for(threads):
    """The environment that libraries read when they are loaded: `threads` for each."""
    wanted = {k: v for k, v in os.environ.items() if k not in SLOWING}
    for name in ("OMP", "OPENBLAS", "MKL", "NUMBA", "PYGRADC"):
        wanted[f"{name}_NUM_THREADS"] = str(threads)
    wanted["NPROC"] = str(threads)  # the size of XLA's thread pool
    many = "true" if threads > 1 else "false"
    wanted["XLA_FLAGS"] = f"--xla_cpu_multi_thread_eigen={many}"
    wanted["JAX_PLATFORMS"] = "cpu"
    # Compiled code that was left on disk would hide the time of compiling it.
    wanted["TORCHINDUCTOR_FORCE_DISABLE_CACHES"] = "1"
    wanted["PYTENSOR_FLAGS"] = "numba__cache=False"
    return wanted


def chosen(parser, options):
    """The cases and contenders asked for; prints what is not installed."""
    import bench.cases  # noqa: F401
    from bench.contenders import CONTENDERS, installed
    from bench.harness import CASES

    unknown = [name for name in options.cases if name not in CASES]
    if unknown:
        parser.error(f"no case {unknown[0]!r}; there are: {', '.join(CASES)}")
    modules = list(dict.fromkeys(c.module for c in CONTENDERS))
    peer = options.against
    if peer:
        if peer not in modules:
            parser.error(f"no peer {peer!r}; there are: {', '.join(modules)}")
        modules = ["pygradc", peer]
    versions, missing = installed(modules)
    if missing:
        print("not installed:", ", ".join(missing))
    contenders = [c for c in CONTENDERS if c.module in versions]
    return [CASES[name] for name in options.cases or CASES], contenders, versions


def main():
    parser, options = options_of(sys.argv[1:])
    wanted = environment_for(options.threads)
    if wanted != dict(os.environ):
        # It is read when the libraries are loaded: start again.
        again = [sys.executable, "-m", "bench", *sys.argv[1:]]
        os.execve(sys.executable, again, wanted)

    from bench import results
    from bench.harness import run

    cases, contenders, versions = chosen(parser, options)
    if options.list:
        for case in cases:
            print(f"{case.name:20} {' '.join(case.claim.split())}")
        return 0
    environment = results.environment(options.threads, versions)
    print(results.environment_line(environment), results.HEADING, sep="\n")
    effort = {"rounds": 3, "budget": 0.005, "limit": 0.5} if options.quick else {}
    progress = results.Progress(sum(len(case.sizes) for case in cases))
    records = []
    for case in cases:
        for size in case.sizes:
            progress.begin(f"{case.name} {results.shown(size)}")
            new = run(case, size, contenders, tell=progress.at, **effort)
            for record in new:
                progress.print(results.line(record))
            progress.done()
            records += new
            results.write(options.out, environment, records)
    progress.close()
    results.draw(options.out, records)
    print(f"results in {options.out}")
    bad = [r for r in records if r["status"] != "ok"]
    for record in bad:
        print(results.line(record))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
