"""The page of an explanation and the playground, in a real browser: the numbers of the
engine, what can be clicked and typed, and what must not happen.

PYGRADC_ARTEFACTS names a directory for screenshots.
"""

import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import zlib
from pathlib import Path

import explain_cases
import numpy as np
import pytest
from oracles import ORACLES

import pygradc as pg
from pygradc._expr import expr, lift
from pygradc._graph import Graph, call_in
from pygradc._lib import lib
from pygradc._page.export import _cone, _node, functions
from pygradc._page.page import _source
from pygradc._page.server import open_server

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))),
    None,
)
ROWS = pg.ops()
POINTWISE = [r for r in ROWS if r.c is not None]
CASES = [
    (row, case)
    for row in ROWS
    if row.kind in ("linear", "general")
    for case in ORACLES[row.name]
]
SPECIAL = [0.0, -0.0, 1, -1, 0.5, 2.5, -3.5, 20, -20, 700, -745, 1e-300, 1e300]
SPECIAL += [np.inf, -np.inf, np.nan]


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium that is there already."""
    if BROWSER is None:
        pytest.skip("there is no Chromium: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        opened = play.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def tab(browser):
    """Opens an explanation or an address; whatever the console says is a failure."""
    contexts, said = [], []

    def show(what, **settings):
        context = browser.new_context(**settings)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda m: said.append(m.text))
        page.on("pageerror", lambda e: said.append(str(e)))
        if isinstance(what, str):
            page.goto(what)
        else:
            page.set_content(what.html())
            page.wait_for_selector("body[data-ready]")
        return page

    show.said = said
    yield show
    for context in contexts:
        context.close()
    assert said == []


def kept(page, name):
    """A screenshot, if they are wanted."""
    folder = os.environ.get("PYGRADC_ARTEFACTS")
    if folder:
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


# ---- the evaluator ----


def evaluated(browser, graphs):
    """Values of the last nodes of `graphs`, lists of nodes, in the page's evaluator."""
    page = browser.new_page()
    page.set_content("<p>")
    page.add_script_tag(content=functions() + _source("engine.js"))
    found = page.evaluate(
        """graphs => graphs.map(nodes => {
            const g = new Graph(nodes);
            g.run();
            return Array.from(g.data(nodes.length - 1), String);
        })""",
        graphs,
    )
    page.close()
    return [
        np.array([float(v.replace("true", "1").replace("false", "0")) for v in values])
        for values in found
    ]


def graph_of(call, arrays):
    """(nodes for the page, engine's value) of a call on traced arrays."""
    graph = Graph()
    y = call_in(graph, call, *[lift(graph, a) for a in arrays])
    found = _cone(graph, [y.id])
    place = {x: i for i, x in enumerate(found)}
    nodes = [_node(found[x], graph.values.get(x), place) for x in found]
    return json.loads(json.dumps(nodes)), np.asarray(graph.value(y.id))


def close(got, true, limit=1e-12):
    true = np.asarray(true, float).ravel()
    both = np.where(np.isfinite(true), true, 0.0), np.where(np.isfinite(got), got, 0.0)
    with np.errstate(invalid="ignore"):
        near = np.abs(both[0] - both[1]) <= limit * np.abs(true) + 1e-300
    near[~np.isfinite(true)] = False
    return near | (got == true) | (np.isnan(got) & np.isnan(true))


def samples(row):
    """Operands of a row in its smooth interval, and all pairs of special ones."""
    rng = np.random.default_rng(zlib.crc32(row.name.encode()))
    low, high = row.smooth if row.smooth[0] < row.smooth[1] else (-9, 9)
    special = np.meshgrid(*[SPECIAL] * row.arity)
    xs = [np.append(rng.uniform(low, high, 60), s) for s in special]
    if row.kind == "ternary" or row.name.startswith("logical"):
        xs[0] = np.nan_to_num(xs[0]) > 0
    return [x > 0 for x in xs] if row.name.startswith("logical") else xs


def called(row):
    def call(*xs):
        ids = [x.id for x in xs]
        number = pg._lib.OPS[row.name]
        make = [lib.gradc_unary, lib.gradc_binary][row.arity - 1 : row.arity]
        if row.kind == "ternary":
            node = lib.gradc_where(xs[0].graph.h, *ids)
        else:
            node = make[0](xs[0].graph.h, number, *ids)
        return expr(xs[0].graph, node, xs[0].graph.code(node))

    return call


def test_every_row_is_known_to_the_page(browser):
    page = browser.new_page()
    page.set_content("<p>")
    page.add_script_tag(content=functions() + _source("engine.js"))
    known = page.evaluate("[...Object.keys(FORMS), ...Object.keys(GENERAL)]")
    page.close()
    assert sorted([*known, "input", "constant"]) == sorted(r.name for r in ROWS)


def test_elementwise_rows_equal_the_engine(browser):
    made = [graph_of(called(row), samples(row)) for row in POINTWISE]
    found = evaluated(browser, [nodes for nodes, _ in made])
    wrong = {}
    for row, (_, true), got in zip(POINTWISE, made, found, strict=True):
        good = close(got, true)
        if not good.all():
            i = int(np.argmin(good))
            at = [float(x[i]) for x in samples(row)]
            wrong[row.name] = at, got[i], true.ravel()[i]
    assert wrong == {}


def test_other_rows_equal_the_engine(browser):
    rng = np.random.default_rng(3)
    made = []
    for _, case in CASES:
        shapes = [tuple(5 if d == "n" else d for d in s) for s in case.shapes]
        made.append(graph_of(case.call, [rng.normal(size=s) for s in shapes]))
    found = evaluated(browser, [nodes for nodes, _ in made])
    for (row, _), (_, true), got in zip(CASES, made, found, strict=True):
        scale = np.max(np.abs(true), initial=1.0)
        assert got.size == true.size, row.name
        assert np.all(np.abs(got - true.ravel()) <= 1e-12 * scale), row.name


def test_float32_is_rounded_as_such(browser):
    x = np.float32([0.1, 0.7, 3.3])
    nodes, true = graph_of(lambda x: np.sum(x * x + x), [x])
    (got,) = evaluated(browser, [nodes])
    assert got[0] == np.float32(got[0])
    assert close(got, true, 1e-6).all()


# ---- the page ----


def held(page, attribute, name):
    """The full numbers that an element of the table shows."""
    found = page.locator(f'#variables [{attribute}="{name}"]')
    return np.array(json.loads(found.get_attribute("data-number")), float)


def slide(page, name, value):
    """Types a value into the box beside a slider, and waits for the page."""
    before = page.evaluate("document.body.dataset.ready")
    page.fill(f'[data-box="{name}"]', repr(value))
    page.wait_for_selector(f'body[data-ready]:not([data-ready="{before}"])')


def test_one_step_at_a_time_by_clicks_and_keys(tab):
    page = tab(explain_cases.explained("sine_of_sum"))
    visible = page.locator("#steps > section:visible h2")
    assert visible.all_inner_texts() == ["1. Introduce intermediate variables"]
    assert page.get_by_role("button", name="Previous").is_disabled()
    page.get_by_role("button", name="Next").click()
    assert visible.all_inner_texts()[0].startswith("2.")
    page.locator("h1").click()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert visible.all_inner_texts() == ["4. Substitute back and simplify"]
    assert page.get_by_role("button", name="Next").is_disabled()
    page.keyboard.press("ArrowLeft")
    assert visible.all_inner_texts()[0].startswith("3.")
    page.get_by_role("button", name="All steps").click()
    assert visible.count() == 4
    page.get_by_role("button", name="All steps").click()
    assert visible.count() == 1
    kept(page, "chain")


@pytest.mark.parametrize("x", [0.3, -1.75, 4.0])
def test_numbers_follow_the_slider(tab, x):
    page = tab(explain_cases.explained("sine_of_sum"))
    slide(page, "x", x)
    value, slope = pg.value_and_grad(explain_cases.sine_of_sum)(x)
    assert close(held(page, "data-value-of", "y"), [value]).all()
    assert close(held(page, "data-adjoint-of", "x"), [slope]).all()
    assert close(held(page, "data-value-of", "u1"), [x * x]).all()
    tangent = page.locator("svg.plot").evaluate("e => Number(e.dataset.slope)")
    assert close(np.array([tangent]), [slope]).all()
    told = page.locator("svg.plot").get_attribute("aria-label")
    assert "the slope" in told
    picture = page.locator('svg.pg-draw [data-adjoint-of="x"]').text_content()
    assert picture.startswith("∂y/∂x = ")
    assert float(picture.rpartition("= ")[2]) == pytest.approx(slope, rel=1e-5)
    formula = page.locator('#steps [data-derivative="x"]').text_content()
    assert float(formula.rpartition("= ")[2]) == pytest.approx(slope, rel=1e-5)
    bar = float(page.locator('[data-input="x"]').input_value())
    assert bar == pytest.approx(x, abs=0.02)


def test_dragging_the_slider_moves_everything(tab):
    page = tab(explain_cases.explained("neuron"))
    page.locator('[data-input="b"]').focus()
    page.keyboard.press("Home")
    page.wait_for_selector('#variables [data-value-of="y"]:text-is("0")')
    assert page.locator('[data-box="b"]').input_value() == "-5"
    assert held(page, "data-adjoint-of", "w").tolist() == [0, 0, 0]
    entries = page.locator('[data-map="y w"] td')
    assert [e.get_attribute("class") for e in entries.all()] == ["zero"] * 3
    page.locator("#announced", has_text="b = -5, y = 0").wait_for(state="attached")
    kept(page, "neuron_off")


def test_what_is_no_number_is_left_alone(tab):
    page = tab(explain_cases.explained("sine_of_sum"))
    page.fill('[data-box="x"]', "")
    assert held(page, "data-value-of", "x").tolist() == [2.0]


@pytest.mark.parametrize(
    "name", ["loss", "vector_of_vector", "elementwise", "f_vector_g_vector_x_vector"]
)
def test_jacobians_are_those_of_the_engine(tab, name):
    e = explain_cases.explained(name)
    page = tab(e)
    function, values, wrt = explain_cases.CASES[name]
    d = e.derivatives[0]
    shown = page.locator(f'[data-map="{d.of} {d.by}"] tr')
    rows = [
        [float(td.get_attribute("data-entry")) for td in tr.locator("td").all()]
        for tr in shown.all()
    ]
    true = np.reshape(pg.jacobian(function)(*values), d.shape)
    assert np.allclose(rows, true, rtol=1e-12, atol=1e-15)
    caption = page.locator(f'[data-map="{d.of} {d.by}"] figcaption').inner_text()
    assert "×".join(map(str, d.shape)) in caption and d.kind in caption
    kept(page, name)


def test_a_variable_is_marked_in_picture_table_and_formula(tab):
    page = tab(explain_cases.explained("sine_of_sum"))
    assert page.locator(".marked").count() == 0
    page.locator('#variables tr[data-name="u2"]').hover()
    for place in ("svg.pg-draw g.pg-node", "#variables tr", "#steps mrow"):
        marked = page.locator(f"{place}.marked")
        assert marked.count() >= 1
        assert {m.get_attribute("data-name") for m in marked.all()} == {"u2"}
    edges = page.locator("svg.pg-draw g.pg-edge.marked")
    assert edges.count() == 3
    page.locator("h1").hover(position={"x": 2, "y": 2})
    page.locator('svg.pg-draw g[data-name="x"]').focus()
    assert page.locator('#variables tr.marked[data-name="x"]').count() == 1
    assert page.locator('#variables tr.marked[data-name="u2"]').count() == 0


def test_without_values_every_number_begins_at_one(tab):
    page = tab(pg.explain("a*sin(b*x)"))
    assert held(page, "data-value-of", "x").tolist() == [1.0]
    slide(page, "b", 2.0)
    assert close(held(page, "data-value-of", "y"), [np.sin(2.0)]).all()
    assert close(held(page, "data-adjoint-of", "x"), [2 * np.cos(2.0)]).all()
    page.select_option("#plot select", "b")
    slope = page.locator("svg.plot").evaluate("e => Number(e.dataset.slope)")
    assert slope == pytest.approx(np.cos(2.0), rel=1e-12)


def test_a_constant_output_is_a_flat_line(tab):
    page = tab(pg.explain("erf(x) + erfc(x)", at={"x": 0.3}))  # 1, but for rounding
    slope = page.locator("svg.plot").evaluate("e => Number(e.dataset.slope)")
    assert abs(slope) < 1e-15
    told = page.locator("svg.plot").get_attribute("aria-label")
    assert "the value is 1" in told


def test_infinities_and_nan_survive(tab):
    page = tab(pg.explain("log(x) + 1/x", at={"x": 0.0}))
    assert page.locator('#variables [data-value-of="y"]').text_content() == "nan"
    slide(page, "x", 1.0)
    assert held(page, "data-value-of", "y").tolist() == [1.0]


def test_fits_a_phone_and_prints_all_steps(tab):
    phone = {"width": 360, "height": 740}
    page = tab(explain_cases.explained("loss"), viewport=phone, color_scheme="dark")
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= phone["width"]
    kept(page, "phone_dark")
    page.emulate_media(media="print")
    assert page.locator("#steps > section:visible").count() == 4
    assert not page.locator("#stepper").is_visible()


def test_without_scripts_all_steps_are_there(tab):
    page = tab("about:blank", java_script_enabled=False)
    page.set_content(explain_cases.explained("sine_of_sum").html())
    assert page.locator("#steps > section:visible").count() == 4
    assert not page.locator("#stepper").is_visible()


def test_no_name_breaks_out_of_the_page(tab):
    evil = "</script><script>document.title='broken'</script><b x=\"'"
    x = pg.var(evil)
    page = tab(pg.explain(np.sin(x), 1.0))
    assert page.title() == f"y = sin({evil})"
    assert held(page, "data-value-of", "y") == pytest.approx(np.sin(1.0), rel=1e-14)


def test_a_large_function_has_a_page_that_says_so(tab):
    e = pg.explain(lambda x: np.sum(np.sin(x) ** 2), np.ones(30_000))
    page = e.html()
    assert "too large" in page and '{"graph":null}' in page


# ---- the playground ----


@pytest.fixture
def playground():
    server = open_server(0)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_port
    server.shutdown()
    server.server_close()
    thread.join()


def answer(port, path, host=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", path, headers={"Host": host} if host else {})
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    return response.status, text


def test_the_playground_explains_what_is_typed(tab, playground):
    page = tab(f"http://127.0.0.1:{playground}/")
    frame = page.frame_locator("#page")
    frame.locator("body[data-ready]").wait_for()
    assert frame.locator('#variables tr[data-name="u2"]').count() == 1
    page.fill("#expression", "exp(x)")
    frame.locator('#variables tr[data-name="u2"]').wait_for(state="detached")
    frame.locator("body[data-ready]").wait_for()
    shown = frame.locator('#variables [data-value-of="y"]').text_content()
    assert shown == "7.38906"
    kept(page, "playground")


def test_every_example_of_the_playground_works(tab, playground):
    page = tab(f"http://127.0.0.1:{playground}/")
    examples = page.evaluate("EXAMPLES")
    assert len(examples) == page.locator("#examples option").count() >= 10
    for _, expression, at in examples:
        page.evaluate(
            "([e, a]) => { $('expression').value = e; $('at').value = a; explain(); }",
            [expression, at],
        )
        own = page.evaluate(
            "e => `${new URLSearchParams({expression: e})}`", expression
        )
        page.locator(f'#page[src*="{own}"]').wait_for()
        assert page.locator("#error").is_hidden()
        page.frame_locator("#page").locator("body[data-ready]").wait_for()


def test_the_playground_shows_where_a_text_is_wrong(tab, playground):
    page = tab(f"http://127.0.0.1:{playground}/")
    page.fill("#expression", "sin(x")
    page.locator("#error:visible").wait_for()
    shown = page.locator("#error").text_content()
    assert "sin(x" in shown and re.search(r"^ *\^", shown, re.M)
    tab.said.clear()  # the browser itself tells of the status 400


def test_the_server_refuses_other_names_and_files(playground):
    own = f"127.0.0.1:{playground}"
    asked = "/explain?expression=x**2&at=x%3D2"
    assert answer(playground, asked, own)[0] == 200
    assert answer(playground, asked, "evil.example:80")[0] == 403
    assert answer(playground, asked, "evil.example")[0] == 403
    status, text = answer(playground, "/explain?expression=x&at=x=@/etc/passwd", own)
    assert status == 400 and "command line" in text
    assert answer(playground, "/../pyproject.toml", own)[0] == 404
    assert answer(playground, "/explain?expression=" + "x" * 50_000, own)[0] == 413
    status, text = answer(playground, "/explain?expression=__import__('os')", own)
    assert status == 400 and "os" in text
    assert answer(playground, "/explain", own)[0] == 400


def run_serve(*arguments):
    command = [sys.executable, "-m", "pygradc", "serve", "--no-browser", *arguments]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def test_serve_prints_its_address_and_ends_with_ctrl_c():
    process = run_serve("--port", "0")
    line = process.stdout.readline()
    port = int(re.search(r"http://127\.0\.0\.1:(\d+)/", line)[1])
    assert answer(port, "/")[0] == 200
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (0, "stopped\n", "")


def test_serve_says_when_the_port_is_taken(playground):
    process = run_serve("--port", str(playground))
    out, err = process.communicate(timeout=30)
    assert process.returncode == 2 and out == ""
    assert err.count("\n") == 1 and f"port {playground}" in err
    process = run_serve("--port", "99999")
    assert process.wait(timeout=30) == 2
    process.communicate()
