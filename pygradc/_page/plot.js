/* The curve of the output against one input, with the tangent at the input's value. */

const PLOT = { width: 640, height: 320, left: 60, right: 14, top: 14, bottom: 34 };

function svgElement(tag, attributes, text) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

/* Round numbers that divide [low, high] into about n parts. */
function ticks(low, high, n) {
  const rough = (high - low) / n, unit = 10 ** floor(log10(rough));
  const step = unit * [1, 2, 5, 10].find((k) => k * unit >= rough);
  const found = [];
  for (let k = ceil(low / step); k * step <= high + step * 1e-9; k++)
    found.push(Number((k * step).toPrecision(12)));
  return found;
}

/* The middle of the samples: poles must not flatten the rest. */
function range(samples, value) {
  const finite = samples.filter(isFinite).sort((a, b) => a - b);
  if (!finite.length) return [-1, 1];
  const at = (q) => finite[Math.round(q * (finite.length - 1))];
  const inner = at(0.95) - at(0.05) || 1;
  let low = Math.max(finite[0], at(0.05) - 2 * inner);
  let high = Math.min(finite[finite.length - 1], at(0.95) + 2 * inner);
  if (isFinite(value)) [low, high] = [Math.min(low, value), Math.max(high, value)];
  const far = Math.max(Math.abs(low), Math.abs(high)); // rounding alone is no range
  const pad = high - low > 1e-9 * far ? 0.08 * (high - low) : 0.5 * far || 1;
  return [low - pad, high + pad];
}

/* Lines through finite samples; a jump out of the picture and back ends a line. */
function curvePath(xs, ys, X, Y) {
  let path = "", pen = "M";
  ys.forEach((y, i) => {
    if (!isFinite(y) || Math.abs(Y(y)) > 1e4) pen = "M";
    else {
      path += `${pen}${X(xs[i]).toFixed(1)} ${Y(y).toFixed(1)}`;
      pen = "L";
    }
  });
  return path;
}

/* plot: {xs, ys, x, y, slope, xName, yName}; the svg element. */
function drawPlot(plot) {
  const P = PLOT, [x0, x1] = [plot.xs[0], plot.xs[plot.xs.length - 1]];
  const [y0, y1] = range(plot.ys, plot.y);
  const X = (x) => P.left + ((x - x0) / (x1 - x0)) * (P.width - P.left - P.right);
  const Y = (y) => P.height - P.bottom - ((y - y0) / (y1 - y0)) * (P.height - P.top - P.bottom);
  const told = `${plot.yName} against ${plot.xName}: at ${show(plot.x)} the value is ` +
    `${show(plot.y)} and the slope ${show(plot.slope)}`;
  const svg = svgElement("svg", { class: "plot", role: "img", "aria-label": told,
    viewBox: `0 0 ${P.width} ${P.height}` });
  const add = (...args) => svg.append(svgElement(...args));
  svg.append(svgElement("clipPath", { id: "inside" }));
  svg.lastChild.append(svgElement("rect", { x: P.left, y: P.top,
    width: P.width - P.left - P.right, height: P.height - P.top - P.bottom }));
  for (const t of ticks(x0, x1, 8)) {
    add("path", { class: "grid", d: `M${X(t)} ${P.top}V${P.height - P.bottom}` });
    add("text", { x: X(t), y: P.height - P.bottom + 16, "text-anchor": "middle" }, show(t));
  }
  for (const t of ticks(y0, y1, 6)) {
    add("path", { class: "grid", d: `M${P.left} ${Y(t)}H${P.width - P.right}` });
    add("text", { x: P.left - 6, y: Y(t) + 4, "text-anchor": "end" }, show(t));
  }
  add("path", { class: "axis", d: `M${P.left} ${P.top}V${P.height - P.bottom}H${P.width - P.right}` });
  add("text", { x: P.width - P.right, y: P.height - 4, "text-anchor": "end" }, plot.xName);
  add("text", { x: P.left + 6, y: P.top + 10 }, plot.yName);
  const clip = { "clip-path": "url(#inside)" };
  add("path", { class: "curve", d: curvePath(plot.xs, plot.ys, X, Y), ...clip });
  if (isFinite(plot.y) && isFinite(plot.slope)) {
    const line = (x) => plot.y + plot.slope * (x - plot.x);
    add("path", { class: "tangent", ...clip,
      d: `M${X(x0)} ${Y(line(x0))}L${X(x1)} ${Y(line(x1))}` });
    add("circle", { class: "spot", cx: X(plot.x), cy: Y(plot.y), r: 5 });
  }
  return svg;
}
