"""Declares pygradc._core: the C library and its bindings in one module."""

import re
from pathlib import Path

from cffi import FFI

CSRC = Path("csrc")
# Everything but the kernels, which setup.py compiles once per ISA and element type, and
# the call path, which is an extension of its own.
SOURCES = [
    str(p)
    for p in sorted(CSRC.glob("**/*.c"))
    if p.parent.name not in ("kern", "python") or p.name == "dispatch.c"
]

header = (CSRC / "gradc.h").read_text()
public = re.search(r"/\* cffi: begin \*/(.*)/\* cffi: end \*/", header, re.S).group(1)

ffi = FFI()
ffi.cdef(public.replace("GRADC_API ", ""))
ffi.set_source(
    "pygradc._core",
    '#include "gradc.h"',
    sources=SOURCES,
    include_dirs=[str(CSRC)],
    libraries=["m", "pthread"],
)
