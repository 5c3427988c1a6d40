/* What the page does: steps one at a time, variables marked everywhere at once, numbers
 * that follow the sliders, the tangent, and Jacobians as heat maps. */

const told = JSON.parse(document.getElementById("graph").textContent);
const MOST_CELLS = 64; // rows and columns of a heat map
const DEEPEST = 55; // % of a colour, on which numbers can still be read
const $ = (id) => document.getElementById(id);

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/* ---- numbers as text, like the page's own ---- */

function show(x, digits = 6) {
  if (!isFinite(x)) return isnan(x) ? "nan" : x > 0 ? "inf" : "-inf";
  if (x === 0) return "0";
  const power = Number(x.toExponential(digits - 1).split("e")[1]);
  if (power >= -5 && power < digits) return String(Number(x.toPrecision(digits)));
  const [head, tail] = x.toExponential(digits - 1).split("e");
  const sign = tail[0] === "-" ? "-" : "+";
  return `${Number(head)}e${sign}${tail.slice(1).padStart(2, "0")}`;
}

function shown(data, shape) {
  if (data.length === 1) return show(data[0]);
  if (data.length > 6 || shape.length > 2) return "";
  const parts = Array.from(data, (x) => show(x, 4));
  if (shape.length < 2 || shape.includes(1)) return `[${parts.join(", ")}]`;
  const rows = [], n = shape[1];
  for (let i = 0; i < parts.length; i += n) rows.push(parts.slice(i, i + n).join(", "));
  return `[${rows.join("; ")}]`;
}

/* Writes a number into every element that shows it, after the "= " it begins with. */
function write(attribute, name, data, shape) {
  for (const e of document.querySelectorAll(`[${attribute}="${CSS.escape(name)}"]`)) {
    const text = shown(data, shape);
    e.dataset.number = JSON.stringify(Array.from(data, (x) => (isFinite(x) ? x : String(x))));
    if (!text) continue;
    const at = e.textContent.indexOf("= ");
    if (e.tagName === "SPAN") e.textContent = text;
    else if (at >= 0) e.textContent = e.textContent.slice(0, at) + "= " + text;
    else if (!(e instanceof SVGElement)) e.textContent = "\u2002= " + text;
  }
}

/* ---- steps ---- */

function stepper() {
  const steps = [...document.querySelectorAll("#steps > section")];
  if (steps.length < 2) return;
  let at = 0, all = false;
  const button = (text) => element("button", { type: "button" }, text);
  const back = button("← Previous"), on = button("Next →"), every = button("All steps");
  const where = element("output");
  function update() {
    steps.forEach((s, i) => (s.hidden = !all && i !== at));
    back.disabled = all || at === 0;
    on.disabled = all || at === steps.length - 1;
    every.setAttribute("aria-pressed", all);
    where.textContent = all ? "All steps" : `Step ${at + 1} of ${steps.length}`;
  }
  function go(by) {
    if (all) return;
    at = Math.min(Math.max(at + by, 0), steps.length - 1);
    update();
  }
  back.addEventListener("click", () => go(-1));
  on.addEventListener("click", () => go(1));
  every.addEventListener("click", () => ((all = !all), update()));
  document.addEventListener("keydown", (event) => {
    if (event.target.matches("input, select, textarea") || event.ctrlKey || event.altKey ||
        event.metaKey) return;
    if (event.key === "ArrowLeft") go(-1);
    if (event.key === "ArrowRight") go(1);
  });
  $("stepper").append(back, where, on, every);
  $("stepper").hidden = false;
  update();
}

/* ---- a variable, marked wherever it stands ---- */

function marking() {
  let marked = null;
  function mark(name) {
    if (name === marked) return;
    marked = name;
    for (const e of document.querySelectorAll(".marked")) e.classList.remove("marked");
    if (name === null) return;
    const own = CSS.escape(name);
    const found = `[data-name="${own}"], .pg-edge[data-of="${own}"], .pg-edge[data-by="${own}"]`;
    for (const e of document.querySelectorAll(found)) e.classList.add("marked");
  }
  const nameOf = (event) => event.target.closest?.("[data-name]")?.dataset.name ?? null;
  const svg = document.querySelector("svg.pg-draw");
  if (svg) {
    svg.setAttribute("role", "group");
    for (const node of svg.querySelectorAll("[data-name]")) {
      node.setAttribute("tabindex", "0");
      node.setAttribute("role", "img");
      node.setAttribute("aria-label", node.querySelector("title").textContent);
    }
  }
  document.addEventListener("pointerover", (event) => mark(nameOf(event)));
  document.addEventListener("focusin", (event) => mark(nameOf(event)));
  document.addEventListener("focusout", () => mark(null));
}

/* ---- sliders ---- */

/* One for each scalar input; calls `changed(name, value)`. */
function sliders(graph, changed) {
  for (const name of told.sliders) {
    const value = graph.data(told.graph.inputs[name])[0];
    const far = Math.abs(value) > 5 ? 2 * Math.abs(value) : 5;
    const label = told.shown[name] || name;
    const id = `slide-${name}`;
    const bar = element("input", { type: "range", id, min: -far, max: far,
      step: far / 500, "data-input": name });
    const box = element("input", { type: "number", step: "any",
      "aria-label": `value of ${label}`, "data-box": name });
    bar.value = box.value = value;
    bar.addEventListener("input", () => {
      box.value = bar.value;
      changed(name, Number(bar.value));
    });
    box.addEventListener("input", () => {
      if (box.value === "" || !isFinite(Number(box.value))) return;
      bar.value = box.value;
      changed(name, Number(box.value));
    });
    const row = element("div", { class: "slider", "data-name": name });
    row.append(element("label", { for: id }, label), bar, box);
    $("inputs").append(row);
  }
  $("inputs").hidden = !told.sliders.length;
}

/* ---- tangent ---- */

function plotter(graph) {
  if (!told.scalar || !told.sliders.length) return () => {};
  const choice = element("select", { "aria-label": "input along the axis" });
  for (const name of told.sliders) choice.append(element("option", { value: name }, told.shown[name]));
  const place = element("div");
  const { output, inputs } = told.graph;
  const heading = element("h2", {}, "The tangent");
  $("plot").append(heading, place);
  if (told.sliders.length > 1) heading.append(" along ", choice);
  $("plot").hidden = false;
  function update() {
    const name = choice.value, at = inputs[name], [x] = graph.data(at);
    const bar = document.querySelector(`[data-input="${CSS.escape(name)}"]`);
    const low = Math.min(Number(bar.min), x), high = Math.max(Number(bar.max), x);
    const list = graph.between(at, output), xs = [], ys = [];
    const n = 300;
    for (let i = 0; i <= n; i++) {
      xs.push(low + ((high - low) * i) / n);
      graph.set(at, [xs[i]]);
      graph.run(list);
      ys.push(graph.data(output)[0]);
    }
    graph.set(at, [x]);
    graph.run(list);
    const slope = name in told.graph.adjoints ? graph.data(told.graph.adjoints[name])[0] : NaN;
    place.replaceChildren(drawPlot({ xs, ys, x, y: graph.data(output)[0], slope,
      xName: told.shown[name], yName: told.shown[told.name] }));
    place.firstChild.dataset.slope = slope;
  }
  choice.addEventListener("change", update);
  return update;
}

/* ---- Jacobians ---- */

function colour(x, most) {
  if (!isFinite(x)) return "var(--mark)";
  const part = most > 0 ? Math.round((DEEPEST * Math.abs(x)) / most) : 0;
  return `color-mix(in srgb, var(${x > 0 ? "--plus" : "--minus"}) ${part}%, var(--back))`;
}

function heatMap(of, by, rows, m, n, kind, most) {
  const small = m <= 8 && n <= 8;
  const figure = element("figure", { class: small ? "map" : "map many",
    "data-map": `${of} ${by}` });
  const name = (x) => told.shown[x] || x;
  const note = kind === "tensor" || !kind ? "" : ` · ${kind}`;
  figure.append(element("figcaption", {}, `∂${name(of)}/∂${name(by)} `,
    element("span", { class: "note" }, `${m}×${n}${note}`)));
  const table = element("table");
  for (const row of rows.slice(0, MOST_CELLS)) {
    const tr = element("tr");
    for (const x of row.slice(0, MOST_CELLS)) {
      const td = element("td", { "data-entry": String(x), title: show(x) });
      if (x === 0) td.className = "zero";
      else td.style.backgroundColor = colour(x, most);
      td.append(small ? show(x, 3) : element("span", { class: "unseen" }, show(x, 3)));
      tr.append(td);
    }
    table.append(tr);
  }
  figure.append(element("div", { class: "wide", tabindex: "0", role: "region",
    "aria-label": `Jacobian of ${name(of)} by ${name(by)}` }, table));
  if (m > MOST_CELLS || n > MOST_CELLS)
    figure.append(element("p", { class: "note" }, `the first ${MOST_CELLS} of each side`));
  return figure;
}

function heatMaps(all) {
  const maps = all.filter(({ m, n }) => m * n > 1);
  if (!maps.length) return;
  const entries = maps.flatMap(({ rows }) => rows.flat()).filter(isFinite);
  const most = entries.reduce((a, x) => Math.max(a, Math.abs(x)), 0);
  const grid = element("div", { class: "maps" });
  for (const { of, by, rows, m, n, kind } of maps)
    grid.append(heatMap(of, by, rows, m, n, kind, most));
  const legend = element("p", { class: "legend" }, element("span", {}, show(-most, 3)),
    element("span", { class: "bar" }), element("span", {}, show(most, 3)),
    element("span", {}, "hatched: exactly 0"));
  const kept = document.activeElement?.closest?.("[data-map]")?.dataset.map;
  $("jacobians").replaceChildren(element("h2", {}, "Jacobians"), legend, grid);
  $("jacobians").hidden = false;
  if (kept) grid.querySelector(`[data-map="${CSS.escape(kept)}"] .wide`)?.focus();
}

/* ---- all together ---- */

function numbers(graph) {
  const { nodes, values, adjoints, partials, derivatives } = told.graph;
  for (const [name, at] of Object.entries(values))
    write("data-value-of", name, graph.data(at), nodes[at].shape);
  for (const [name, at] of Object.entries(adjoints))
    write("data-adjoint-of", name, graph.data(at), nodes[at].shape);
  const found = [...partials, ...derivatives].map(([of, by, at, seed, m, n], i) => {
    const whole = i >= partials.length;
    const attribute = whole ? "data-derivative" : "data-partial";
    const m_ = Math.min(m, MOST_CELLS);
    const rows = graph.rows(at, seed, m_, n);
    if (m === m_) write(attribute, whole ? by : `${of} ${by}`, rows.flat(), [m, n]);
    return { of, by, rows, m, n, kind: told.kinds[i] };
  });
  const seen = new Set();
  return found.filter(({ of, by }) => !seen.has(`${of} ${by}`) && seen.add(`${of} ${by}`));
}

function start() {
  stepper();
  marking();
  if (!told.graph) return;
  const graph = new Graph(told.graph.nodes);
  if (!told.known) for (const name of told.sliders) graph.set(told.graph.inputs[name], [1]);
  const plot = plotter(graph);
  let waiting = false, speaking = 0;
  function update() {
    waiting = false;
    graph.run();
    heatMaps(numbers(graph));
    plot();
    document.body.dataset.ready = String(Number(document.body.dataset.ready || 0) + 1);
  }
  function announce() {
    const parts = told.sliders.map((n) => `${told.shown[n]} = ${show(graph.data(told.graph.inputs[n])[0])}`);
    if (told.scalar) parts.push(`${told.shown[told.name]} = ${show(graph.data(told.graph.output)[0])}`);
    $("announced").textContent = parts.join(", ");
  }
  sliders(graph, (name, value) => {
    graph.set(told.graph.inputs[name], [value]);
    if (!waiting) requestAnimationFrame(update);
    waiting = true;
    clearTimeout(speaking);
    speaking = setTimeout(announce, 400);
  });
  update();
}

start();
