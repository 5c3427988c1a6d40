"""Builds pygradc._core and pygradc._replay.

The kernels of the former are compiled once per ISA and element type.
"""

import os
import platform
from itertools import product
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

# element types that each kernel file exists for
KERNELS = {
    "elementwise": ("f64", "f32", "i64", "b8"),
    "reduce": ("f64", "f32", "i64", "b8"),
    "move": ("f64", "f32", "i64", "b8"),
    "scan": ("f64", "f32", "i64", "b8"),
    "order": ("f64", "f32", "i64", "b8"),
    "matmul": ("f64", "f32"),
}
# -ffp-contract=off: fused only where the source says so, so that all builds agree.
# errno and traps are never looked at; -fno-semantic-interposition: nobody replaces us.
FLAGS = [
    "-std=gnu11",
    "-O2",
    "-g0",
    "-fvisibility=hidden",
    "-ffp-contract=off",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-Wall",
    "-Wextra",
    "-Wno-psabi",
    *os.environ.get("PYGRADC_CFLAGS", "").split(),
]
ISA_FLAGS = {"base": []}
if platform.machine().lower() in ("x86_64", "amd64"):
    ISA_FLAGS["avx2"] = ["-march=x86-64-v3"]
    ISA_FLAGS["avx512"] = ["-march=x86-64-v4", "-mprefer-vector-width=512"]


class build_kernels(build_ext):
    """Compiles csrc/kern once per ISA and element type, and links all of it."""

    def build_extension(self, ext):
        ext.extra_compile_args = FLAGS
        ext.extra_link_args = ["-Wl,-s"] if platform.system() == "Linux" else []
        if ext.name == "pygradc._core":
            self.add_kernels(ext)
        else:
            import numpy

            ext.include_dirs.append(numpy.get_include())
        super().build_extension(ext)

    def add_kernels(self, ext):
        for isa, (name, dtypes) in product(ISA_FLAGS, KERNELS.items()):
            for dtype in dtypes:
                ext.extra_objects += self.compiler.compile(
                    [f"csrc/kern/{name}.c"],
                    output_dir=str(Path(self.build_temp) / f"{isa}_{dtype}"),
                    include_dirs=["csrc"],
                    macros=[("GRADC_ISA", isa), ("GRADC_DTYPE", dtype)],
                    extra_postargs=FLAGS + ISA_FLAGS[isa],
                    depends=[str(p) for p in Path("csrc").glob("**/*.[hd]*")],
                )
        ext.depends += ext.extra_objects  # linked again when only a kernel changed


CALL_PATH = Extension(
    "pygradc._replay",
    [str(p) for p in sorted(Path("csrc/python").glob("*.c"))],
    include_dirs=["csrc"],
    depends=["csrc/gradc.h", "csrc/python/replay.h"],
)

setup(
    ext_modules=[CALL_PATH],
    cffi_modules=["pygradc/_cffi_build.py:ffi"],
    cmdclass={"build_ext": build_kernels},
)
