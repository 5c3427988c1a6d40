"use strict";
/* The graph of an explanation, evaluated in the page. An array is {shape, data} in row
 * order; FORMS, the elementwise functions, are the C forms of the library's op table,
 * whose names of C99 functions are defined here. */

const { abs: fabs, acos, acosh, asin, asinh, atan, atanh, atan2, cbrt, ceil, cos, cosh,
  exp, expm1, floor, hypot, log, log10, log1p, log2, sin, sinh, sqrt, tan, tanh, trunc,
} = Math;
const isfinite = Number.isFinite, isnan = Number.isNaN;
const isinf = (x) => x === Infinity || x === -Infinity;
const exp2 = (x) => 2 ** x;
const fmod = (x, y) => x % y;

/* C99 has 1 for these, JavaScript NaN. */
function pow(x, y) {
  return x === 1 || (x === -1 && isinf(y)) ? 1 : x ** y;
}

/* To even, as C's default rounding. */
function rint(x) {
  const low = floor(x), d = x - low;
  if (!isfinite(x) || d === 0) return x;
  const r = d < 0.5 || (d === 0.5 && low % 2 === 0) ? low : low + 1;
  return r === 0 && x < 0 ? -0 : r;
}

function copysign(x, y) {
  return y < 0 || Object.is(y, -0) ? -fabs(x) : fabs(x);
}

function sign(x) {
  return isnan(x) ? x : (x > 0) - (x < 0);
}

function sigmoid(x) {
  return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x));
}

/* As NumPy: of the sign of y, without the rounding of x / y. */
function mod(x, y) {
  const r = x % y;
  if (r === 0) return copysign(0, y);
  return r < 0 !== y < 0 ? r + y : r;
}

function floordiv(x, y) {
  if (y === 0) return x / y;
  const q = (x - (x % y)) / y - (x % y !== 0 && x % y < 0 !== y < 0 ? 1 : 0);
  return q === 0 ? copysign(0, x / y) : q - floor(q) > 0.5 ? floor(q) + 1 : floor(q);
}

function softplus(x) {
  return Math.max(x, 0) + log1p(exp(-fabs(x)));
}

function logaddexp(x, y) {
  const m = Math.max(x, y);
  return isinf(m) ? m : m + log1p(exp(-fabs(x - y)));
}

/* Series 7.1.6 and continued fraction 7.1.14 of M. Abramowitz, I. A. Stegun, Handbook
 * of Mathematical Functions (1964); either is accurate on its side of SPLIT. */
const SPLIT = 1.75;

function erfSeries(x) {
  let term = x, sum = x;
  for (let n = 1; fabs(term) > 1e-17 * fabs(sum); n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / sqrt(Math.PI)) * exp(-x * x) * sum;
}

function erfcFraction(x) {
  let r = x;
  for (let k = 150; k > 0; k--) r = x + k / 2 / r;
  const high = Math.fround(x); // x * x loses digits that exp would magnify
  return (exp(-high * high) * exp((high - x) * (high + x))) / sqrt(Math.PI) / r;
}

function erfc(x) {
  if (isnan(x)) return NaN;
  if (fabs(x) < SPLIT) return 1 - erfSeries(x);
  return x > 27.3 ? 0 : x > 0 ? erfcFraction(x) : 2 - erfc(-x);
}

function erf(x) {
  return fabs(x) < SPLIT ? erfSeries(x) : x > 0 ? 1 - erfc(x) : isnan(x) ? NaN : erfc(-x) - 1;
}

/* ---- arrays ---- */

const size = (shape) => shape.reduce((a, d) => a * d, 1);
const STORES = [Float64Array, Float32Array, Float64Array, Uint8Array]; // by dtype

function strides(shape) {
  const s = new Array(shape.length);
  for (let a = shape.length - 1, n = 1; a >= 0; n *= shape[a--]) s[a] = n;
  return s;
}

/* Calls f(i, at) for each element i of `shape`, `at` being base plus its places times
 * `steps`. */
function walk(shape, steps, base, f) {
  const n = size(shape), place = new Array(shape.length).fill(0);
  let at = base;
  for (let i = 0; i < n; i++) {
    f(i, at);
    for (let a = shape.length - 1; a >= 0; a--) {
      at += steps[a];
      if (++place[a] < shape[a]) break;
      at -= steps[a] * shape[a];
      place[a] = 0;
    }
  }
}

/* Strides of x as seen from `shape`, which it broadcasts to. */
function spread(x, shape) {
  const own = strides(x.shape), lead = shape.length - x.shape.length;
  return shape.map((_, a) => (a < lead || x.shape[a - lead] === 1 ? 0 : own[a - lead]));
}

function elementwise(form, node, xs, out) {
  const same = (x) => x.data.length === out.length;
  const places = xs.map((x) => {
    if (same(x)) return null;
    const p = new Int32Array(out.length);
    walk(node.shape, spread(x, node.shape), 0, (i, at) => (p[i] = at));
    return p;
  });
  const get = (k, i) =>
    k < xs.length ? xs[k].data[places[k] ? places[k][i] : i] : undefined;
  for (let i = 0; i < out.length; i++) out[i] = form(get(0, i), get(1, i), get(2, i));
}

/* [outer, length, inner] around axis, or around the axes from begin to end. */
function split(shape, begin, end = begin + 1) {
  const part = (a, b) => size(shape.slice(a, b));
  return [part(0, begin), part(begin, end), part(end)];
}

function reduce(node, x, out, join, start) {
  const [outer, n, inner] = split(x.shape, node.attr[0], node.attr[1]);
  for (let o = 0; o < outer; o++)
    for (let i = 0; i < inner; i++) {
      let r = start === undefined ? x.data[o * n * inner + i] : start;
      for (let k = start === undefined ? 1 : 0; k < n; k++)
        r = join(r, x.data[(o * n + k) * inner + i]);
      out[o * inner + i] = r;
    }
}

function arg(node, x, out, better) {
  const [outer, n, inner] = split(x.shape, node.attr[0]);
  for (let o = 0; o < outer; o++)
    for (let i = 0; i < inner; i++) {
      const at = (k) => x.data[(o * n + k) * inner + i];
      let best = 0;
      for (let k = 1; k < n && !isnan(at(best)); k++)
        if (isnan(at(k)) || better(at(k), at(best))) best = k;
      out[o * inner + i] = best;
    }
}

/* Order of numbers with NaN last. */
function order(a, b) {
  return isnan(a) || isnan(b) ? isnan(a) - isnan(b) : (a > b) - (a < b);
}

function argsort(node, x, out) {
  const [outer, n, inner] = split(x.shape, node.attr[0]);
  for (let o = 0; o < outer; o++)
    for (let i = 0; i < inner; i++) {
      const at = (k) => (o * n + k) * inner + i;
      const places = Array.from({ length: n }, (_, k) => k);
      places.sort((j, k) => order(x.data[at(j)], x.data[at(k)]));
      places.forEach((place, k) => (out[at(k)] = place));
    }
}

/* How many of a row of x are less than v, or not more. */
function searchsorted(node, x, v, out) {
  const n = x.shape[x.shape.length - 1];
  const each = size(v.shape.slice(x.shape.length - 1));
  for (let i = 0; i < out.length; i++) {
    const row = floor(i / each) * n, most = node.attr[0] ? 0 : -1;
    let r = 0;
    while (r < n && order(x.data[row + r], v.data[i]) <= most) r++;
    out[i] = r;
  }
}

/* r_k = a_k r_(k-1) + b_k along an axis, or from its end; b_k = 0 adds nothing. */
function recur(node, a, b, out) {
  const [outer, n, inner] = split(node.shape, node.attr[0]);
  const last = node.attr[1];
  for (let o = 0; o < outer; o++)
    for (let i = 0; i < inner; i++) {
      let r = 0;
      for (let k = 0; k < n; k++) {
        const at = (o * n + (last ? n - 1 - k : k)) * inner + i;
        r = k === 0 ? b[at] : a(at) * r + (b[at] || -0);
        out[at] = r;
      }
    }
}

/* r_i = sum of x_(i+k-p) y_k along the last axis, where both are there. */
function correlate(node, x, y, out) {
  const [p, length] = node.attr;
  const n = x.shape[x.shape.length - 1], m = y.shape[y.shape.length - 1];
  for (let i = 0; i < out.length; i++) {
    const row = floor(i / length), begin = (i % length) - p;
    let r = 0;
    for (let k = Math.max(0, -begin); k < Math.min(m, n - begin); k++)
      r += x.data[row * n + begin + k] * y.data[row * m + k];
    out[i] = r;
  }
}

function matmul(node, x, y, out) {
  const rank = node.shape.length, batch = node.shape.slice(0, rank - 2);
  const [m, n] = node.shape.slice(rank - 2), k = x.shape[x.shape.length - 1];
  const starts = [x, y].map((z) => {
    const found = [], own = { shape: z.shape.slice(0, -2) };
    const block = size(z.shape.slice(-2));
    walk(batch, spread(own, batch), 0, (_, at) => found.push(at * block));
    return found;
  });
  for (let b = 0; b < starts[0].length; b++)
    for (let i = 0; i < m; i++)
      for (let j = 0; j < n; j++) {
        let r = 0;
        for (let l = 0; l < k; l++)
          r += x.data[starts[0][b] + i * k + l] * y.data[starts[1][b] + l * n + j];
        out[(b * m + i) * n + j] = r;
      }
}

/* begin, step and size of a region along each axis, in units of `whole`. */
function region(attr, whole) {
  const rank = whole.length, s = strides(whole);
  const base = s.reduce((sum, d, a) => sum + d * attr[a], 0);
  return [s.map((d, a) => d * attr[rank + a]), base];
}

const larger = (a, b) => (a >= b || isnan(a) ? a : b);
const smaller = (a, b) => (a <= b || isnan(a) ? a : b);

const GENERAL = {
  addn: (node, xs, out) => {
    for (let i = 0; i < out.length; i++) out[i] = xs.reduce((r, x) => r + x.data[i], 0);
  },
  broadcast: (node, [x], out) =>
    walk(node.shape, spread(x, node.shape), 0, (i, at) => (out[i] = x.data[at])),
  concat: (node, xs, out) => {
    const row = split(node.shape, node.attr[0]).slice(1).reduce((a, b) => a * b);
    let before = 0;
    for (const x of xs) {
      const own = split(x.shape, node.attr[0]).slice(1).reduce((a, b) => a * b);
      for (let i = 0; i < x.data.length; i++)
        out[floor(i / own) * row + before + (i % own)] = x.data[i];
      before += own;
    }
  },
  convert: (node, [x], out) => {
    const whole = node.dtype === 2, truth = node.dtype === 3;
    for (let i = 0; i < out.length; i++)
      out[i] = truth ? x.data[i] !== 0 : whole ? trunc(x.data[i]) : x.data[i];
  },
  correlate: (node, [x, y], out) => correlate(node, x, y, out),
  cumsum: (node, [x], out) =>
    recur({ ...node, attr: [node.attr[0], node.attr[1] || 0] }, () => 1, x.data, out),
  gather: (node, [x, index], out) => {
    const row = size(x.shape.slice(1)), n = x.shape[0];
    for (let i = 0; i < out.length; i++) {
      const at = index.data[floor(i / row)];
      out[i] = x.data[(at < 0 ? at + n : at) * row + (i % row)];
    }
  },
  ident: (node, [x], out) => out.set(x.data),
  matmul: (node, [x, y], out) => matmul(node, x, y, out),
  pad: (node, [x], out) => {
    const [steps, base] = region(node.attr, node.shape);
    walk(x.shape, steps, base, (i, at) => (out[at] = x.data[i]));
  },
  reshape: (node, [x], out) => out.set(x.data),
  scatter: (node, [x, index], out) => {
    const row = size(node.shape.slice(1)), n = node.shape[0];
    for (let i = 0; i < x.data.length; i++) {
      const at = index.data[floor(i / row)];
      out[(at < 0 ? at + n : at) * row + (i % row)] += x.data[i];
    }
  },
  slice: (node, [x], out) => {
    const [steps, base] = region(node.attr, x.shape);
    walk(node.shape, steps, base, (i, at) => (out[i] = x.data[at]));
  },
  sum: (node, [x], out) => reduce(node, x, out, (a, b) => a + b, 0),
  transpose: (node, [x], out) => {
    const own = strides(x.shape);
    walk(node.shape, node.attr.map((a) => own[a]), 0, (i, at) => (out[i] = x.data[at]));
  },
  argmax: (node, [x], out) => arg(node, x, out, (a, b) => a > b),
  argmin: (node, [x], out) => arg(node, x, out, (a, b) => a < b),
  argsort: (node, [x], out) => argsort(node, x, out),
  max: (node, [x], out) => reduce(node, x, out, larger),
  min: (node, [x], out) => reduce(node, x, out, smaller),
  prod: (node, [x], out) => reduce(node, x, out, (a, b) => a * b, 1),
  recur: (node, [a, b], out) => recur(node, (i) => a.data[i], b.data, out),
  searchsorted: (node, [x, v], out) => searchsorted(node, x, v, out),
};

/* ---- graphs ---- */

class Graph {
  constructor(nodes) {
    this.nodes = nodes;
    this.arrays = nodes.map((node) => {
      const data = new STORES[node.dtype](size(node.shape));
      if (node.value) data.set(node.value.map(Number));
      return { shape: node.shape, data };
    });
    this.fixed = nodes.map((node) => !node.in);
  }

  set(at, values) {
    this.arrays[at].data.set(values);
  }

  data(at) {
    return this.arrays[at].data;
  }

  compute(at) {
    const node = this.nodes[at], out = this.arrays[at].data;
    if (this.fixed[at]) return;
    const xs = node.in.map((i) => this.arrays[i]);
    if (node.op in FORMS) elementwise(FORMS[node.op], node, xs, out);
    else {
      if (node.op === "pad" || node.op === "scatter") out.fill(0);
      GENERAL[node.op](node, xs, out);
    }
  }

  /* All nodes, or those of a list, operands first. */
  run(list) {
    if (list) list.forEach((at) => this.compute(at));
    else this.nodes.forEach((_, at) => this.compute(at));
  }

  /* Nodes between `from` and `to`, rising: all that changes `to` when `from` does. */
  between(from, to) {
    const after = new Set([from]), list = [];
    for (let at = from + 1; at <= to; at++)
      if ((this.nodes[at].in || []).some((i) => after.has(i))) after.add(at);
    const needed = new Set([to]);
    for (let at = to; at > from; at--)
      if (needed.has(at)) (this.nodes[at].in || []).forEach((i) => needed.add(i));
    for (const at of after) if (at !== from && needed.has(at)) list.push(at);
    return list.sort((a, b) => a - b);
  }

  /* Rows of the Jacobian whose transpose times the array `seed` is `at`. */
  rows(at, seed, m, n) {
    if (seed === null) return [Array.from(this.data(at))];
    const list = this.between(seed, at), kept = this.data(seed).slice(), found = [];
    for (let i = 0; i < m; i++) {
      this.data(seed).fill(0)[i] = 1;
      this.run(list);
      found.push(Array.from(this.data(at)));
    }
    this.set(seed, kept);
    this.run(list);
    return found;
  }
}
