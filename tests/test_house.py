"""The house rules, as far as a program can check them."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

import pygradc

ROOT = Path(__file__).parent.parent
CSRC = ROOT / "csrc"
C_FILES = sorted(p for p in CSRC.glob("**/*") if p.suffix in (".c", ".h", ".def"))
PY_FILES = sorted(
    p
    for folder in ("pygradc", "tests", "bench", "docs")
    for p in (ROOT / folder).glob("**/*.py")
)
C_TESTS = sorted(
    p
    for folder in ("tests/c", "bench/c", "docs/howto")
    for p in (ROOT / folder).glob("*.[ch]")
)

# What each layer may include besides itself and the public header.
MAY_INCLUDE = {
    "base": set(),
    "ir": {"base"},
    "ad": {"ir", "base"},
    "opt": {"ir", "base"},
    "kern": {"base", "ir/op.h"},
    "run": {"ir", "base", "kern/kern.h"},
    "api": {"ad", "opt", "run", "ir", "base", "kern/kern.h"},
}


def name(path):
    return str(path.relative_to(ROOT))


def layer_of(path):
    inner = path.relative_to(CSRC).parts
    return inner[0] if len(inner) > 1 else "api"


@pytest.mark.parametrize("path", C_FILES, ids=name)
def test_includes_point_down(path):
    layer = layer_of(path)
    for included in re.findall(r'#include "([^"]+)"', path.read_text()):
        if "/" not in included:
            assert included in ("gradc.h", "ops.def")
            continue
        folder = included.split("/")[0]
        assert folder == layer or {folder, included} & MAY_INCLUDE[layer], included


@pytest.mark.parametrize("path", C_FILES + C_TESTS + PY_FILES, ids=name)
def test_files_are_short_and_narrow(path):
    lines = path.read_text().splitlines()
    is_header = path.suffix == ".h" and path.name not in ("gradc.h", "simd.h")
    assert len(lines) <= (150 if is_header else 600)
    if path.suffix != ".def":
        wide = [i for i, line in enumerate(lines, 1) if len(line) > 88]
        assert wide == []


@pytest.mark.parametrize(
    "path", [p for p in C_FILES + C_TESTS if p.suffix == ".c"], ids=name
)
def test_c_functions_are_short(path):
    lines = path.read_text().splitlines()
    start = None
    for i, line in enumerate(lines):
        if line == "{":
            start = i
        elif line == "}" and start is not None:
            assert i - start <= 50, f"function that ends at line {i + 1}"
            start = None


@pytest.mark.parametrize("path", PY_FILES, ids=name)
def test_python_functions_are_short(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            body = node.body
            first = body[1] if ast.get_docstring(node) and len(body) > 1 else body[0]
            assert node.end_lineno - first.lineno < 50, node.name


@pytest.mark.parametrize("path", C_FILES + C_TESTS + PY_FILES, ids=name)
def test_files_say_what_they_are_for(path):
    start = path.read_text().lstrip()
    assert start == "" or start.startswith(("/*", '"""'))


@pytest.mark.parametrize("path", [p for p in C_FILES if p.suffix == ".c"], ids=name)
def test_no_switch_on_ops_outside_ir(path):
    if layer_of(path) != "ir":
        assert not re.search(r"\bswitch \(", path.read_text())


def test_no_drawer_for_odds_and_ends():
    for path in C_FILES + PY_FILES:
        assert path.stem.strip("_") not in ("utils", "helpers", "misc", "common")


def test_only_lib_touches_cffi():
    for path in (ROOT / "pygradc").glob("**/*.py"):
        text = path.read_text()
        if path.name not in ("_lib.py", "_cffi_build.py"):
            assert "_core" not in text and "import cffi" not in text, path.name


def test_only_the_api_is_exported():
    """Symbols of the C library that the extension module shows to others."""
    core = next(Path(pygradc.__file__).parent.glob("_core*.so"))
    listed = subprocess.run(
        ["nm", "-D", "--defined-only", core], capture_output=True, text=True, check=True
    ).stdout
    public = set(
        re.findall(r"GRADC_API[^;]*?\b(gradc_\w+)\(", (CSRC / "gradc.h").read_text())
    )
    exported = set(re.findall(r"\b(gradc_\w+)", listed))
    assert exported <= public
    assert len(public) > 40


def test_every_kernel_row_stands_once():
    """One line of kernel for each elementwise row and kind of element type."""
    text = (CSRC / "kern" / "elementwise.c").read_text()
    for row in pygradc.ops():
        if row.c is None:
            continue
        lines = re.findall(rf"^\w+_(?:KERNEL|LIGHT|TEST)\({row.name}, ", text, re.M)
        assert 1 <= len(lines) <= 2, row.name
