"""Pictures: all that is explained is drawn once, readable, with the same numbers."""

import itertools
import sys
from xml.etree import ElementTree

import explain_cases
import numpy as np
import pytest

import pygradc as pg
from pygradc.__main__ import main
from pygradc._draw.place import place
from pygradc._explain.document import number

SVG = "{http://www.w3.org/2000/svg}"


def two_layers(W1, b1, W2, b2, X):
    return np.mean(np.tanh(np.maximum(0, X @ W1 + b1) @ W2 + b2) ** 2)


def tangled(n):
    """A function of two numbers with `n` operators, each of two of the last eight."""
    random = np.random.default_rng(4)
    places = random.integers(1, 8, (n, 2))

    def f(x, y):
        made = [x, y] * 4
        for i, j in places:
            made.append(np.sin(made[-i]) * made[-j])
        return made[-1] + made[-2]

    return f


def repeated(n):
    def f(x):
        for _ in range(n):
            x = np.sin(x) * 1.5
        return x

    return f


def pictures():
    for name in explain_cases.CASES:
        function, values, wrt = explain_cases.CASES[name]
        yield name, pg.draw(function, *values, wrt=wrt)
    r = np.random.default_rng(0)
    shapes = (3, 4), (4,), (4, 2), (2,), (5, 3)
    yield "two_layers", pg.draw(two_layers, *[r.normal(size=s) for s in shapes])
    yield "tangled_200", pg.draw(tangled(200), 0.1, 0.2)
    yield "tangled_20", pg.draw(tangled(20), 0.1, 0.2)
    yield "folded", pg.draw(repeated(500), 0.5)


PICTURES = dict(pictures())


@pytest.mark.parametrize("name", PICTURES)
def test_svg_has_every_node_and_edge_once(name):
    picture = PICTURES[name]
    root = ElementTree.fromstring(picture.svg())
    groups = list(root.iter(SVG + "g"))
    nodes = [g.get("data-name") for g in groups if g.get("data-name")]
    assert nodes == [n.name for n in picture.nodes if n.name]
    assert len(set(nodes)) == len(nodes)
    edges = [
        (g.get("data-of"), g.get("data-by")) for g in groups if "data-of" in g.keys()
    ]
    assert edges == [(g.of, g.by) for g in picture.edges]
    assert root.get("role") == "img" and picture.title in root.get("aria-label")


@pytest.mark.parametrize("name", PICTURES)
def test_nothing_covers_anything(name):
    picture = PICTURES[name]
    layout = place(picture)
    labels = [label for label, _ in layout.edges if label is not None]
    spots = [*layout.nodes.values(), *labels]
    for p, q in itertools.combinations(spots, 2):
        apart = (
            abs(p.x - q.x) >= (p.width + q.width) / 2
            or abs(p.y - q.y) >= (p.height + q.height) / 2
        )
        assert apart, (p, q)
    for p in spots:
        assert p.width / 2 <= p.x <= layout.width - p.width / 2
        assert p.height / 2 <= p.y <= layout.height - p.height / 2
    for g, (_, points) in zip(picture.edges, layout.edges, strict=True):
        xs = [x for x, _ in points]
        assert xs == sorted(xs), g  # an edge never turns back


@pytest.mark.parametrize("name", ["nested", "sine_of_sum", "neuron", "loss"])
def test_shows_the_numbers_of_explain(name):
    e = explain_cases.explained(name)
    root = ElementTree.fromstring(pg.draw(e).svg())
    texts = {}
    for text in root.iter(SVG + "text"):
        for key in ("data-value-of", "data-adjoint-of", "data-partial"):
            if text.get(key):
                texts[key, text.get(key)] = text.text
    small = [v for v in (*e.inputs, *e.shown) if v.value.size <= 3]
    assert small
    for v in small:
        assert texts["data-value-of", v.name] == f"= {number(v.value)}"
        if v.adjoint is not None:
            shown = f"∂{e.name}/∂{v.name} = {number(v.adjoint)}"
            assert texts["data-adjoint-of", v.name] == shown
    for s in e.shown:
        for p in s.partials:
            if p.shape == (1, 1) and p.formula.head != "num":
                assert texts["data-partial", f"{p.of} {p.by}"] == f"= {number(p.value)}"


def test_a_chain_is_a_straight_line():
    layout = place(PICTURES["nested"])
    assert len({round(p.y, 6) for p in layout.nodes.values()}) == 1


def test_a_shared_step_is_one_node():
    def f(x):
        u = np.exp(x)
        return u * np.sin(u)

    picture = pg.draw(f, 1.0)
    assert [n.label for n in picture.nodes].count("u1 = eˣ") == 1
    assert [(g.of, g.by) for g in picture.edges if g.by == "u1"] == [
        ("u2", "u1"),
        ("y", "u1"),
    ]


def test_a_product_is_boxed_with_what_follows_it():
    assert PICTURES["two_layers"].boxes == (
        ("product X · W1: 5×3 · 3×4", ("u1", "u2", "u3")),
        ("product u3 · W2: 5×4 · 4×2", ("u4", "u5", "u6", "u7")),
    )
    assert PICTURES["two_layers"].svg().count('class="pg-box"') == 2


def test_rounds_of_a_loop_are_boxed():
    boxes = pg.draw(repeated(4), 0.5).boxes
    assert boxes[0] == ("round 1 of 4", ("u1", "u2"))
    assert boxes[3] == ("round 4 of 4", ("u7", "y"))
    assert pg.draw("x + y*x").boxes == ()


def test_three_hundred_operators_are_drawn_one_by_one():
    picture = PICTURES["tangled_200"]
    assert not any(n.kind == "fold" for n in picture.nodes)
    assert len(picture.nodes) > 250
    assert not any(g.label for g in picture.edges)  # but seen by pointing at them
    assert "cos(" in "".join(g.full for g in picture.edges)


def test_of_more_the_middle_is_one_node():
    picture = PICTURES["folded"]
    (fold,) = [n for n in picture.nodes if n.kind == "fold"]
    assert fold.label == "sin, mul  × 494"
    assert [g.by for g in picture.edges if g.of == ""] == ["u6"]
    assert [g.of for g in picture.edges if g.by == ""] == ["u995"]


def test_a_constant_is_dashed_and_has_no_derivative():
    picture = pg.draw("a*x", at={"a": 2.0, "x": 3.0}, wrt="x")
    kinds = {n.name: n.kind for n in picture.nodes}
    assert kinds == {"a": "constant", "x": "input", "y": "output"}
    still = {g.by: g for g in picture.edges}
    assert not still["a"].moving and still["a"].label == ""
    assert still["x"].label == "a" and still["x"].value == "= 2"


def test_dot_of_a_sum_of_two_paths():
    assert pg.draw("sin(x + x**2)", at={"x": 0.0}).dot() == (
        'digraph "y = sin(x + x²)" {\n'
        "  rankdir=LR;\n"
        '  node [fontname="sans-serif", fontsize=12];\n'
        '  edge [fontname="sans-serif", fontsize=11];\n'
        '  "x" [label="x\\n= 0\\n∂y/∂x = 1", shape=box, style=rounded, '
        'tooltip="x; value 0; derivative of the output by it 1"];\n'
        '  "u1" [label="u1 = x²\\n= 0\\n∂y/∂u1 = 1", shape=box, '
        'tooltip="u1 = x²; value 0; derivative of the output by it 1"];\n'
        '  "u2" [label="u2 = x + u1\\n= 0\\n∂y/∂u2 = 1", shape=box, '
        'tooltip="u2 = x + u1; value 0; derivative of the output by it 1"];\n'
        '  "y" [label="y = sin(u2)\\n= 0", shape=box, peripheries=2, '
        'tooltip="y = sin(u2); value 0"];\n'
        '  "x" -> "u1" [label="2x\\n= 0", tooltip="du1/dx = 2x; 0"];\n'
        '  "x" -> "u2" [label="1", tooltip="∂u2/∂x = 1"];\n'
        '  "u1" -> "u2" [label="1", tooltip="∂u2/∂u1 = 1"];\n'
        '  "u2" -> "y" [label="cos(u2)\\n= 1", tooltip="dy/du2 = cos(u2); 1"];\n'
        "}\n"
    )


def test_names_that_dot_and_svg_would_misread_are_quoted():
    x = pg.var('a"b\\<&>')
    picture = pg.draw(np.sin(x), 1.0)
    assert '"a\\"b\\\\<&>" -> "y"' in picture.dot()
    root = ElementTree.fromstring(picture.svg())
    assert 'a"b\\<&>' in [g.get("data-name") for g in root.iter(SVG + "g")]


def test_boxes_are_clusters_in_dot():
    text = PICTURES["two_layers"].dot()
    assert text.count("subgraph cluster_") == 2
    assert 'label="product X · W1: 5×3 · 3×4"' in text
    assert text.count("{") == text.count("}") == 3


def test_save_goes_by_the_ending(tmp_path):
    picture = pg.draw("x**2")
    picture.save(tmp_path / "p.svg")
    picture.save(str(tmp_path / "p.dot"))
    assert (tmp_path / "p.svg").read_text(encoding="utf-8") == picture.svg()
    assert (tmp_path / "p.dot").read_text(encoding="utf-8") == picture.dot()
    with pytest.raises(pg.ArgumentError, match="does not end with .svg, .dot or .gv"):
        picture.save(tmp_path / "p.png")


def test_without_igraph_svg_says_what_to_install(monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(sys.modules, "igraph", None)
    picture = pg.draw("x**2")
    with pytest.raises(pg.UnsupportedError, match=r"pip install 'pygradc\[draw\]'"):
        picture.save(tmp_path / "p.svg")
    assert not (tmp_path / "p.svg").exists()
    assert picture.dot().startswith("digraph")
    assert main(["explain", "x**2", "--format", "svg"]) != 0
    assert capsys.readouterr().err.count("\n") == 1


def test_an_explanation_has_its_values():
    with pytest.raises(pg.ArgumentError, match="has its values already"):
        pg.draw(pg.explain("x**2"), 1.0)


def test_the_command_line_draws(tmp_path, capsys):
    path = tmp_path / "p.svg"
    assert main(["explain", "sin(x)", "--at", "x=2", "--output", str(path)]) == 0
    assert path.read_text(encoding="utf-8").startswith("<svg ")
    capsys.readouterr()
    assert main(["explain", "sin(x)", "--format", "dot"]) == 0
    assert capsys.readouterr().out.startswith('digraph "y = sin(x)"')
