"""python -m bench [CASE ...]: runs the cases and prints a table."""

import argparse
import os
import sys

from bench.harness import SLOWING


def main():
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE", help="all if none is given")
    parser.add_argument("--quick", action="store_true", help="few rounds")
    options = parser.parse_args()
    if any(name in os.environ for name in SLOWING):
        # They are read when NumPy is loaded: start again without them.
        left = {k: v for k, v in os.environ.items() if k not in SLOWING}
        os.execve(sys.executable, [sys.executable, "-m", "bench", *sys.argv[1:]], left)

    import bench.cases  # noqa: F401
    from bench.harness import CASES, environment, run_case

    unknown = [name for name in options.cases if name not in CASES]
    if unknown:
        parser.error(f"no case {unknown[0]!r}; there are: {', '.join(CASES)}")
    print(", ".join(f"{k} {v}" for k, v in environment().items()))
    print(f"{'case':12} {'size':>14} {'contender':14} {'min us':>10} {'median us':>10}")
    rounds = 3 if options.quick else 15
    for name in options.cases or CASES:
        for size in CASES[name][1]:
            for who, (least, median) in run_case(name, size, rounds=rounds).items():
                print(
                    f"{name:12} {str(size):>14} {who:14} "
                    f"{least * 1e6:10.2f} {median * 1e6:10.2f}"
                )


if __name__ == "__main__":
    main()
