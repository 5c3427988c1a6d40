"""What the pages have beyond MyST: tested examples, and output made at build time.

A block of Python that begins with ``>>>`` is an example, which the doctest builder
runs. ``shown`` runs a piece of Python when the page is built and shows what it prints;
``drawn`` is given an expression of Python whose value is a picture.
In docstrings a public name in single backticks becomes a link.
"""

import contextlib
import inspect
import io
import re

from docutils import nodes
from sphinx.transforms import SphinxTransform
from sphinx.util.docutils import SphinxDirective

import pygradc


class Examples(SphinxTransform):
    """Makes blocks of ``>>>`` lines the nodes that the doctest builder looks for."""

    default_priority = 500

    def apply(self, **kwargs):
        for block in list(self.document.findall(nodes.literal_block)):
            if block.get("language") == "python" and block.astext().startswith(">>>"):
                example = nodes.doctest_block(block.rawsource, block.astext())
                example.source, example.line = block.source, block.line
                block.replace_self(example)


def _scope():
    scope = {}
    exec("import numpy as np\nimport pygradc as pg", scope)
    return scope


class Shown(SphinxDirective):
    """The output of its content, which is Python; `np` and `pg` are there already."""

    has_content = True

    def run(self):
        printed, scope = io.StringIO(), _scope()
        progress = contextlib.redirect_stderr(io.StringIO())
        with contextlib.redirect_stdout(printed), progress:
            exec("\n".join(self.content), scope)
        text = printed.getvalue().rstrip("\n")
        return [nodes.literal_block(text, text, language="text")]


class Drawn(SphinxDirective):
    """The picture that its content makes, a `Picture`."""

    has_content = True

    def run(self):
        picture = eval("\n".join(self.content), _scope())
        svg = f'<div class="picture">{picture.svg()}</div>'
        return [nodes.raw(picture.dot(), svg, format="html")]


def _linked(app, what, name, obj, options, lines):
    """Single backticks around a public name become a reference to it."""

    def link(found):
        word = found[1]
        return f":py:obj:`~pygradc.{word}`" if word in public else found[0]

    public = set(pygradc.__all__) - {name.removeprefix("pygradc.")}
    if what == "function":
        public -= set(inspect.signature(obj).parameters)
    for i, line in enumerate(lines):
        lines[i] = re.sub(r"(?<![`:])`(\w+)`(?!`)", link, line)


def setup(app):
    """Sphinx calls this."""
    app.add_transform(Examples)
    app.add_directive("shown", Shown)
    app.add_directive("drawn", Drawn)
    app.connect("autodoc-process-docstring", _linked)
    return {"parallel_read_safe": True}
