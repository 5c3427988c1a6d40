"""Builds the C library and its tests without Python's build tools, and runs them.

    python3 tests/c/run.py [--sanitize] [test_graph ...]
    python3 tests/c/run.py --library build/libgradc.a

Flags, kernels and ISA paths are those of setup.py, and PYGRADC_CFLAGS is added to them.
--sanitize builds with AddressSanitizer and UndefinedBehaviorSanitizer; --library writes
the library itself as an archive, and runs nothing. Needs only the standard library and
a C compiler (CC, or cc); objects are kept in build/c.
"""

import argparse
import hashlib
import os
import runpy
import subprocess
import sys
import types
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CSRC = ROOT / "csrc"
TESTS = ROOT / "tests" / "c"
CC = os.environ.get("CC", "cc")

# -fno-wrapv and -UNDEBUG: flags that come from a Python would disarm the checks.
CHECKED = ["-g", "-fno-wrapv", "-UNDEBUG", f"-I{CSRC}"]
SANITIZED = ["-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


def setup_constants():
    """The globals of setup.py, run with a setuptools that does nothing."""
    tools = types.ModuleType("setuptools")
    tools.setup = tools.Extension = lambda *values, **options: None
    command = types.ModuleType("setuptools.command.build_ext")
    command.build_ext = object
    modules = {"setuptools": tools, "setuptools.command.build_ext": command}
    before = {name: sys.modules.get(name) for name in modules}
    sys.modules.update(modules)
    try:
        return runpy.run_path(str(ROOT / "setup.py"))
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


def run(command):
    """Runs a compiler; its messages are shown."""
    subprocess.run([str(part) for part in command], check=True)


class Build:
    """Objects and tests of one kind, plain or sanitized.

    Parameters
    ----------
    sanitize : bool
    """

    def __init__(self, sanitize):
        constants = setup_constants()
        self.kernels, self.isa_flags = constants["KERNELS"], constants["ISA_FLAGS"]
        self.flags = constants["FLAGS"] + CHECKED + (SANITIZED if sanitize else [])
        kind = hashlib.sha256(repr((CC, self.flags)).encode()).hexdigest()[:8]
        self.out = ROOT / "build" / "c" / kind
        headers = [*CSRC.glob("**/*.h"), *CSRC.glob("*.def"), *TESTS.glob("*.h")]
        self.newest_header = max(h.stat().st_mtime for h in headers)

    def objects(self):
        """For each object: its path, its source and its own flags."""
        for source in sorted(CSRC.glob("**/*.c")):
            name = source.stem
            if source.parent.name == "python":
                continue
            if source.parent.name != "kern" or name not in self.kernels:
                yield self.out / f"{source.parent.name}_{name}.o", source, []
                continue
            for isa, dtype in product(self.isa_flags, self.kernels[name]):
                macros = [f"-DGRADC_ISA={isa}", f"-DGRADC_DTYPE={dtype}"]
                path = self.out / f"{name}_{isa}_{dtype}.o"
                yield path, source, self.isa_flags[isa] + macros

    def compile(self, job):
        """Makes one object if it is older than what it is made of; returns its path."""
        path, source, flags = job
        needed = max(self.newest_header, source.stat().st_mtime)
        if not path.exists() or path.stat().st_mtime < needed:
            path.unlink(missing_ok=True)
            run([CC, *self.flags, *flags, "-c", source, "-o", path])
        return path

    def compile_all(self, jobs):
        """Paths of the objects of `jobs`."""
        self.out.mkdir(parents=True, exist_ok=True)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            return list(pool.map(self.compile, jobs))

    def archive(self, path):
        """Writes the objects as a static library."""
        objects = self.compile_all(self.objects())
        Path(path).unlink(missing_ok=True)
        run(["ar", "rcs", path, *objects])

    def make(self, tests):
        """Paths of the programs of `tests`."""
        jobs = [*self.objects(), *((self.out / f"{t.stem}.o", t, []) for t in tests)]
        made = self.compile_all(jobs)
        library, programs = made[: -len(tests)], []
        for test in made[-len(tests) :]:
            programs.append(test.with_suffix(""))
            libraries = ["-lm", "-lpthread", "-o", programs[-1]]
            run([CC, *self.flags, test, *library, *libraries])
        return programs


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sanitize", action="store_true")
    parser.add_argument(
        "--library", metavar="FILE", help="write the static library; run no test"
    )
    parser.add_argument(
        "test", nargs="*", help="names such as test_graph; default: all"
    )
    options = parser.parse_args()
    tests = [TESTS / f"{name}.c" for name in options.test]
    try:
        build = Build(options.sanitize)
        if options.library:
            build.archive(options.library)
            return 0
        programs = build.make(tests or sorted(TESTS.glob("test_*.c")))
    except subprocess.CalledProcessError as e:
        return e.returncode
    env = {"UBSAN_OPTIONS": "print_stacktrace=1", **os.environ}
    failed = 0
    for program in programs:
        print(f"{program.name}: ", end="", flush=True)
        failed += subprocess.run([program], env=env).returncode != 0
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
