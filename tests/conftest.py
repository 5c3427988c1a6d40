"""Fixtures of the whole suite: the element types, and the ISA path of this process.

The path is chosen by PYGRADC_ISA when the library is loaded, so one process tests one
path; .ci/run starts the suite once for each that the machine has.
"""

import numpy as np
import pytest

from pygradc import _lib


def pytest_report_header(config):
    return f"pygradc: ISA path {_lib.isa()}, compiled by {_lib.compiler()}"


def pytest_terminal_summary(terminalreporter, config):
    """The same line at the end of a quiet run, which has no header."""
    if config.option.verbose < 0:
        terminalreporter.write_line(pytest_report_header(config))


@pytest.fixture(scope="session")
def isa():
    """Name of the ISA path this process tests."""
    return _lib.isa()


@pytest.fixture(params=[np.float64, np.float32], ids=["float64", "float32"])
def dtype(request):
    """A type that can be differentiated."""
    return np.dtype(request.param)
