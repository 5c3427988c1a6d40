"""The pages of docs/: examples run, links lead somewhere, no public name is missing.

Examples are run here without Sphinx, but for those that need SciPy; building the pages
is a step of .ci/run, which runs all of them.
"""

import doctest
import importlib
import inspect
import pkgutil
import re
import subprocess
import threading
from pathlib import Path

import pytest

import pygradc as pg
import pygradc.numpy as pnp

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("**/*.md"))
RUNNABLE = [p for p in PAGES if "from scipy" not in p.read_text()]
TOCTREE = re.compile(r"^```\{toctree\}\n(.*?)^```", re.S | re.M)
MODULES = [
    f"pygradc.{m.name}"
    for m in pkgutil.iter_modules(pg.__path__)
    if m.name not in ("__main__", "_core", "_cffi_build")
]


def name(path):
    return str(path.relative_to(DOCS))


def without_code(text):
    """A page without its fenced blocks and the contents of its literals."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.S | re.M)
    return re.sub(r"`[^`]*`", "``", text)


def anchors(path):
    """What links may point to in a page: its headings, as MyST names them."""
    text = re.sub(r"^```.*?^```", "", path.read_text(), flags=re.S | re.M)
    headings = re.findall(r"^#{1,3} (.*)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


def failures(tests):
    """What goes wrong when doctests are run, in a thread that has no variables yet."""
    report = []

    def run():
        for test in tests:
            runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
            runner.run(test, out=report.append)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return "".join(report)


# ---- examples ----


@pytest.mark.parametrize("path", RUNNABLE, ids=name)
def test_examples_of_page_run(path):
    lines = path.read_text().split("\n")
    text = "\n".join("" if line.startswith("```") else line for line in lines)
    test = doctest.DocTestParser().get_doctest(text, {}, name(path), str(path), 0)
    assert failures([test]) == ""


@pytest.mark.parametrize("module", MODULES)
def test_examples_of_docstrings_run(module):
    found = doctest.DocTestFinder().find(importlib.import_module(module))
    assert failures(found) == ""


def test_the_c_program_prints_what_its_page_says():
    page = (DOCS / "howto" / "c.md").read_text()
    commands = re.search(r"^```sh\n(.*?)^```", page, re.S | re.M)[1]
    shown = re.search(r"^```text\n(.*?)^```", page, re.S | re.M)[1]
    done = subprocess.run(
        ["sh", "-ec", commands], cwd=ROOT, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr, done.stdout) == (0, "", shown)


# ---- links ----


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_links_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)]+)\)", without_code(path.read_text())):
        if target.startswith("https://"):
            continue
        file, _, anchor = target.partition("#")
        page = (path.parent / file).resolve() if file else path
        assert page in PAGES, target
        assert not anchor or anchor in anchors(page), target


def test_every_page_is_in_a_table_of_contents():
    listed = {DOCS / "index.md"}
    for path in PAGES:
        for block in TOCTREE.findall(path.read_text()):
            entries = [e for e in block.split("\n") if e and not e.startswith(":")]
            listed |= {path.parent / f"{e}.md" for e in entries}
    assert listed == set(PAGES)


# ---- names ----


def test_public_names_are_in_the_reference():
    text = (DOCS / "api.md").read_text()
    shown = set(re.findall(r"^\.\. auto\w+:: (\w+)$", text, re.M))
    assert set(pg.__all__) - shown - {"errors"} == set()
    own = {n for n, f in vars(pnp).items() if inspect.isfunction(f) and n[0] != "_"}
    assert own - shown == set()


@pytest.mark.parametrize(
    "function", [n for n in pg.__all__ if inspect.isfunction(getattr(pg, n))]
)
def test_public_functions_have_examples(function):
    text = inspect.getdoc(getattr(pg, function))
    assert "\nExamples\n---" in text and ">>> " in text
