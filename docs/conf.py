"""Settings of Sphinx for these pages."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / "_ext"), str(HERE.parent / "tests")]

import pygradc  # noqa: E402

project = "pygradc"
version = release = pygradc.__version__
copyright = "the pygradc authors"

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.doctest",
    "sphinx.ext.napoleon",
    "mathml",
    "pages",
    "rules",
    "names",
]
exclude_patterns = ["_build"]
myst_enable_extensions = ["dollarmath", "deflist"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = f"pygradc {release}"
html_show_sourcelink = False
html_static_path = ["_static"]
html_css_files = ["pages.css"]

nitpick_ignore_regex = [
    ("py:class", r"(numpy\.)?(dtype|ndarray)"),
    # parts of an Explanation, whose docstrings stand in the source
    ("py:class", r"(pygradc\._explain\.\w+\.)?(Formula|Input|Step|Fold|Derivative)"),
    ("py:class", r"(pygradc\._explain\.model\.)?Live"),
    ("py:class", r"(pygradc\._draw\.\w+\.)?(Node|Edge)"),
]
default_role = "code"
napoleon_use_param = False
napoleon_use_rtype = False
napoleon_use_ivar = True
autodoc_member_order = "bysource"

# a page begins without the variables of the one before, which may wait in cycles
doctest_global_setup = "import gc; gc.collect()"
