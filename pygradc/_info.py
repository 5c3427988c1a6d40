"""``python -m pygradc info``: what this build is and what it uses on this machine."""

import platform

import numpy as np

import pygradc
from pygradc import _lib


def facts():
    """Names and values, in the order they are printed.

    Returns
    -------
    dict of str to str

    Raises
    ------
    ArgumentError
        PYGRADC_ISA names no path that can be used here.
    """
    return {
        "pygradc": pygradc.__version__,
        "ISA paths compiled": " ".join(_lib.isa_compiled()),
        "ISA paths usable": " ".join(_lib.isa_usable()),
        "ISA path in use": _lib.isa(),
        "machine code": "yes" if _lib.native() else "no",
        "threads": str(pygradc.num_threads()),
        "compiler": _lib.compiler(),
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "NumPy": np.__version__,
        "machine": f"{platform.system()} {platform.machine()}",
    }


def info(options):
    """Runs the command; returns its exit code."""
    for name, value in facts().items():
        print(f"{name + ':':<20}{value}")
    return 0
