"use strict";
/* The playground: what is typed is explained a moment later, in the frame below. */

const EXAMPLES = [
  ["one path: sin(x²)", "sin(x**2)", "x = 2"],
  ["a longer chain: ln(sin(x³)²)", "ln(sin(x**3)**2)", "x = 2"],
  ["two paths: x + x²", "x + x**2", "x = 2"],
  ["two paths, then one: sin(x + x²)", "sin(x + x**2)", "x = 2"],
  ["the product rule: x·x²", "x * x**2", "x = 2"],
  ["a vector of a number", "[ln(x**2), sin(3*x)]", "x = 2"],
  ["elementwise: sin(x²)", "sin(x**2)", "x = [0.5, -1, 2]"],
  ["a dot product", "w @ x", "w = [1, 2, -0.5], x = [0.5, -1, 2]"],
  ["a neuron", "max(0, w @ x + b)", "w = [1, 2, -0.5], x = [0.5, -1, 2], b = 3"],
  ["its loss", "mean((y - max(0, X @ w + b))**2)",
    "w = [0.7, -0.4], b = 0.1, X = [[1, 0.5], [-0.5, 1], [2, -1.5]], y = [1, 0, 2.5]"],
];
const WAIT = 350; // ms after the last key
const $ = (id) => document.getElementById(id);
let waiting = 0, asked = 0;

async function explain() {
  const own = ++asked;
  const given = { expression: $("expression").value, at: $("at").value };
  const address = `explain?${new URLSearchParams(given)}`;
  let error = "";
  try {
    const answer = await fetch(address);
    if (!answer.ok) error = await answer.text();
  } catch {
    error = "The server does not answer any more.";
  }
  if (own !== asked) return; // something newer was typed meanwhile
  $("error").hidden = !error;
  $("error").textContent = error;
  if (!error) $("page").src = address;
}

function soon() {
  clearTimeout(waiting);
  waiting = setTimeout(explain, WAIT);
}

EXAMPLES.forEach(([name], i) => $("examples").append(new Option(name, i)));
$("examples").value = 3;
$("examples").addEventListener("change", () => {
  [, $("expression").value, $("at").value] = EXAMPLES[$("examples").value];
  explain();
});
for (const id of ["expression", "at"]) $(id).addEventListener("input", soon);
explain();
