"""What tests/test_numpy.py calls: every NumPy function that pygradc differentiates,
with its options, as rows (name, function of the namespace and arrays, arrays).

Functions of one array are made from lists; a row's name is the NumPy name it is for.
Arrays are drawn where the function is smooth.
"""

import re

import numpy as onp

_rng = onp.random.default_rng(20240601)


def N(*shape):
    """Normal."""
    return _rng.normal(size=shape)


def P(*shape):
    """In (0.5, 3)."""
    return _rng.uniform(0.5, 3, shape)


def U(*shape):
    """In (-0.9, 0.9)."""
    return _rng.uniform(-0.9, 0.9, shape)


MASK = _rng.random((3, 4)) < 0.7
MASK[0] = True
INDEX = onp.array([[2, 0, 1, 1], [0, 0, 2, 1]])
CASES = []


def add(name, f, *args):
    CASES.append((name, f, args))


def calls(name, options, *args):
    """One case for each text of options: np.<name>(<args>, <options>)."""
    letters = list("xyz"[: len(args)])
    for text in options:
        # An array that the options name is given there alone.
        given = [v for v in letters if not re.search(rf"\b{v}\b", text)]
        inside = ", ".join([*given, text] if text else given)
        source = f"lambda np, {', '.join(letters)}: np.{name}({inside})"
        scope = {"MASK": MASK, "INDEX": INDEX, "onp": onp}
        add(name, eval(source, scope), *args)


# ---- elementwise ----

for _name in (
    "abs absolute arcsinh arctan asinh atan conj conjugate cos cosh deg2rad degrees "
    "exp exp2 expm1 fabs negative positive rad2deg radians real real_if_close sin sinc "
    "sinh square tanh cbrt copy imag angle"
).split():
    calls(_name, [""], N(3, 4))
for _name in "log log10 log2 log1p sqrt reciprocal".split():
    calls(_name, [""], P(3, 4))
for _name in "arccos acos arcsin asin arctanh atanh tan".split():
    calls(_name, [""], U(3, 4))
calls("arccosh", [""], 1 + P(3))
calls("acosh", [""], 1 + P(3))
calls("angle", ["deg=True"], N(4))
calls("real_if_close", ["tol=10"], N(3))
calls("sin", ["dtype=onp.float64"], N(3, 4))

for _name in (
    "add subtract multiply maximum minimum fmax fmin arctan2 atan2 hypot logaddexp "
    "logaddexp2 copysign"
).split():
    calls(_name, [""], N(3, 4), N(4))
    calls(_name, [""], N(3, 1), N(1, 2))
for _name in (
    "divide true_divide power pow mod remainder fmod float_power divmod"
).split():
    calls(_name, [""], P(3, 4), P(4))
    calls(_name, [""], 5 + P(2, 1), P(3))
add("power", lambda np, x: np.power(x, 3), N(4))
add("pow", lambda np, x: x**-2 + 2.0**x, P(4))
add("add", lambda np, x: np.add.outer(x, x), N(3))
add("multiply", lambda np, x: np.multiply.outer(x, x[:2]), N(3))
add("add", lambda np, x: np.add.reduce(x, axis=1, keepdims=True), N(3, 4))
add("add", lambda np, x: np.add.accumulate(x), N(3, 4))
add("multiply", lambda np, x: np.multiply.reduce(x, axis=(0, 1)), N(3, 4))
add("maximum", lambda np, x: np.maximum.reduce(x), N(3, 4))
add("multiply", lambda np, x: x * [1.0, 2.0] + onp.float64(2) - (3, 4), N(3, 2))
calls(
    "clip",
    [
        "-0.5, 0.5",
        "a_min=-0.5, a_max=None",
        "None, 0.3",
        "min=-0.2",
        "max=0.2",
        "onp.linspace(-1, 0, 4), onp.ones((3, 1)) / 3",
    ],
    N(3, 4),
)
add("clip", lambda np, x, a, b: np.clip(x, a, b), N(3, 4), U(4) - 1, U(3, 1) + 1)
add("clip", lambda np, x: x.clip(-0.5, 0.5), N(5))
add("nan_to_num", lambda np, x: np.nan_to_num(x), N(5))
add(
    "nan_to_num",
    lambda np, x: np.nan_to_num(
        x * [1, onp.nan, onp.inf, -onp.inf], nan=2, posinf=3, neginf=4
    ),
    P(4),
)
calls("astype", ["onp.float64", "float, copy=False"], N(3))
add("astype", lambda np, x: x.astype(float) * x.astype(int), N(3) * 5)
add("ptp", lambda np, x: x.ptp(0) if hasattr(x, "ptp") else np.ptp(x, 0), N(3, 4))
add("where", lambda np, x, y: np.where(MASK, x, y), N(3, 4), N(4))
add("where", lambda np, x: np.where(x > 0, np.sqrt(np.abs(x)), 0), N(3, 4))
add("where", lambda np, x: x * np.where(x > 0, 2, 3), N(3))
add(
    "select",
    lambda np, x, y: np.select([x > 0, y > 0], [x * x, y], default=x * y),
    N(3, 4),
    N(4),
)
add("select", lambda np, x: np.select([x > 1, MASK], [x, 2 * x]), N(3, 4))
add("choose", lambda np, x, y: np.choose(MASK * 1, [x, y]), N(3, 4), N(4))
add("choose", lambda np, x: np.choose(INDEX + 2, [x, -x], mode="wrap"), N(2, 4))
add("choose", lambda np, x: np.choose(INDEX - 1, (x, 2.0), mode="clip"), N(2, 4))
add("choose", lambda np, x: np.choose(np.argmax(x, 0), x), N(3, 4))

# ---- reductions ----

_AXES = [
    "",
    "axis=0",
    "axis=-1, keepdims=True",
    "axis=(0, 2)",
    "axis=(0, -1), keepdims=True",
]
_WHERE = "where=MASK[:, :, None]"
for _name in "sum prod mean var std nansum nanmean nanvar nanstd".split():
    calls(_name, [*_AXES, _WHERE, f"axis=1, {_WHERE}", "dtype=onp.float64"], N(3, 4, 2))
for _name in "sum prod nansum".split():
    calls(_name, ["initial=2.5", f"axis=0, initial=3, {_WHERE}"], N(3, 4, 2))
for _name in "max min amax amin nanmax nanmin".split():
    more = ["initial=0.3", f"axis=1, initial=0.1, {_WHERE}", "axis=2, keepdims=True"]
    calls(_name, [*_AXES, *more], N(3, 4, 2))
for _name in "var std nanvar nanstd".split():
    more = ["ddof=1", "axis=0, correction=2", f"axis=1, ddof=1, {_WHERE}"]
    calls(_name, more, N(3, 4, 2))
add("var", lambda np, x: np.var(x, 0, mean=np.mean(x, 0, keepdims=True)), N(3, 2))
add("std", lambda np, x: np.std(x, mean=np.zeros(1)), N(3, 2))
for _name in "nansum nanmean nanmax nanmin nanvar nanstd".split():
    source = "lambda np, x: np.{0}(np.where(MASK, x, onp.nan), axis=1)"
    add(_name, eval(source.format(_name), {"MASK": MASK, "onp": onp}), N(3, 4))
calls("ptp", ["", "axis=0", "axis=1, keepdims=True"], N(3, 4))
for _name in ("cumsum", "cumprod"):
    calls(_name, ["", "axis=0", "axis=-1", "axis=1, dtype=float"], N(3, 4))
add("prod", lambda np, x: np.prod(x * [1.0, 0, 2]), N(3))
add("cumprod", lambda np, x: np.cumprod(x * [1.0, 0, 2, 0]), N(4))
calls(
    "average",
    [
        "",
        "axis=0",
        "axis=1, weights=[1.0, 2, 3, 4]",
        "weights=onp.arange(1, 13.0).reshape(3, 4), returned=True",
        "axis=0, weights=onp.arange(1.0, 4), keepdims=True",
        "axis=(1, 0), weights=onp.arange(1, 13.0).reshape(4, 3)",
        "returned=True",
    ],
    N(3, 4),
)
add("average", lambda np, x, w: np.average(x, weights=w, axis=0), N(3, 4), P(3))
add("average", lambda np, w: np.average([1.0, 2, 4], weights=w), P(3))
calls(
    "cov",
    [
        "",
        "rowvar=False",
        "bias=True",
        "ddof=0",
        "fweights=[1, 2, 1, 3]",
        "aweights=[0.5, 1, 2, 1]",
        "aweights=[0.5, 1, 2, 1], fweights=[1, 2, 1, 3], ddof=1",
        "bias=True, aweights=[0.5, 1, 2, 1]",
    ],
    N(3, 4),
)
calls("cov", ["", "rowvar=False"], N(2, 4), N(2, 4))
add("cov", lambda np, x: np.cov(x), N(5))

# ---- order ----

calls("sort", ["", "axis=0", "axis=None", "kind='stable'", "stable=True"], N(3, 4))
calls("partition", ["2", "1, axis=0", "3, axis=None", "(0, 2)"], N(3, 4))
calls("median", ["", "axis=0", "axis=1, keepdims=True", "axis=(0, 2)"], N(3, 4, 2))
calls("median", [""], N(5))
_METHODS = (
    "linear lower higher midpoint nearest inverted_cdf averaged_inverted_cdf "
    "closest_observation interpolated_inverted_cdf hazen weibull median_unbiased "
    "normal_unbiased"
).split()
for _q, _name in (("0.37", "quantile"), ("37", "percentile")):
    options = [f"{_q}, method={m!r}" for m in _METHODS]
    options += [f"{_q}, axis=0", f"[{_q}, 0], axis=(0, 2)", f"[[{_q}]], axis=1"]
    options += [f"{_q}, axis=-1, keepdims=True", "1", "0"]
    weighted = f"{_q}, axis=1, weights=[1, 2, 0, 1], method='inverted_cdf'"
    calls(_name, [*options, weighted], N(3, 4, 2))
add("quantile", lambda np, x, q: np.quantile(x, q), N(7), onp.array([0.33, 0.71]))
add("percentile", lambda np, x, q: np.percentile(x, q, 0), N(4, 2), onp.array(33.0))

# ---- shapes ----

calls("reshape", ["(2, -1)", "(3, 2, 2)", "(4, 3), order='F'", "12", "-1"], N(3, 4))
calls("ravel", ["", "order='F'"], N(3, 4))
calls("transpose", ["", "(1, 0, 2)", "axes=(-1, 0, 1)"], N(2, 3, 4))
calls("transpose", ["0"], N(3))
calls("permute_dims", ["(1, 0, 2)", ""], N(2, 3, 4))
calls("swapaxes", ["0, 2", "-1, 1"], N(2, 3, 4))
calls(
    "lib.stride_tricks.sliding_window_view",
    ["2, 1", "(2, 3, 1)", "(2, 2), (0, 2)", "(2, 3), (1, 1)"],
    N(2, 4, 4),
)
calls("moveaxis", ["0, -1", "(0, 1), (2, 0)"], N(2, 3, 4))
calls("rollaxis", ["2", "1, 3", "2, start=1"], N(2, 3, 4))
calls("matrix_transpose", [""], N(2, 3, 4))
calls("expand_dims", ["0", "(0, -1)", "axis=1"], N(3, 4))
calls("squeeze", ["", "axis=0", "axis=(0, 2)"], N(1, 3, 1))
for _name in ("atleast_1d", "atleast_2d", "atleast_3d"):
    for shape in ((), (3,), (2, 3)):
        calls(_name, [""], N(*shape))
    calls(_name, [""], N(2), N())
calls("broadcast_to", ["(2, 3, 4)", "(3, 4)"], N(3, 1))
calls("broadcast_arrays", [""], N(3, 1), N(4))
calls("meshgrid", ["", "indexing='ij'", "sparse=True"], N(3), N(2), N(4))
calls("meshgrid", ["", "copy=False"], N(3), N(2))
calls("flip", ["", "0", "axis=(0, -1)"], N(2, 3, 2))
calls("fliplr", [""], N(2, 3, 2))
calls("flipud", [""], N(2, 3))
calls("roll", ["2", "-1, axis=1", "(1, 2), axis=(0, 1)", "5, axis=(0, 1)"], N(3, 4))
calls("roll", ["(1, 2), axis=0"], N(4))
calls("rot90", ["", "2", "3", "-1", "1, axes=(1, 2)", "5, axes=(2, 0)"], N(2, 3, 4))
calls("tile", ["2", "(2, 1)", "(2, 1, 3)", "[2, 3, 1, 1]"], N(3, 2))
calls(
    "repeat",
    ["2", "3, axis=1", "[1, 0, 2], axis=0", "onp.arange(6)", "[2], axis=0"],
    N(3, 2),
)
calls("diag", ["", "1", "k=-2"], N(3))
calls("diag", ["", "1", "k=-2", "5"], N(3, 4))
calls("diagflat", ["", "1", "-2"], N(2, 2))
calls("diagonal", ["", "1", "-1, 0, 2", "offset=1, axis1=2, axis2=1"], N(3, 4, 2))
calls("trace", ["", "1", "-1, 0, 2", "axis1=2, axis2=1, dtype=float"], N(3, 4, 2))
for _name in ("tril", "triu"):
    calls(_name, ["", "1", "k=-2"], N(3, 4))
    calls(_name, [""], N(2, 3, 3))
    calls(_name, [""], N(3))
calls("take", ["[0, 2, 2]", "INDEX, axis=0", "1, axis=-1", "[-1, 1], axis=1"], N(3, 4))
calls("take", ["[5, -7, 3], mode='wrap'", "[5, -7], 0, mode='clip'"], N(3, 4))
calls("take_along_axis", ["INDEX, 0", "INDEX[:1], axis=0"], N(3, 4))
calls("take_along_axis", ["onp.array([3, 1]), None"], N(3, 4))
add(
    "take_along_axis",
    lambda np, x: np.take_along_axis(x, np.argsort(x, 1), 1),
    N(3, 4),
)
calls("insert", ["1, y, axis=0", "[0, 2], y, axis=0"], N(3, 4), N(4))
calls("insert", ["[1, 3], y", "slice(0, 2), y"], N(3, 2), N(2))
calls("insert", ["2, 5.0", "[1, -1], 2, axis=1"], N(3, 2))
calls("delete", ["1, axis=0", "[0, -1], axis=1", "slice(1, 6, 2)"], N(3, 4))
calls("delete", ["onp.array([True, False, True]), axis=0", "2"], N(3, 4))

# ---- joins and splits ----

for _name in ("concatenate", "concat"):
    source = f"lambda np, x, y: np.{_name}((x, y, [[1.0, 2]]), axis=0)"
    add(_name, eval(source), N(3, 2), N(1, 2))
    source = f"lambda np, x, y: np.{_name}([x, y], axis=None)"
    add(_name, eval(source), N(3, 2), N(2))
    source = f"lambda np, x: np.{_name}([x, x * x], -1, dtype=float)"
    add(_name, eval(source), N(3, 2))
for _axis in (0, 1, -1):
    add("stack", lambda np, x, y, a=_axis: np.stack([x, y, onp.ones(3)], a), N(3), N(3))
add("stack", lambda np, x: np.stack([x[0], 1.0, x[1]]), N(2))
for _name in ("hstack", "vstack", "row_stack", "dstack", "column_stack"):
    for shape in ((3,), (3, 2)):
        source = f"lambda np, x, y: np.{_name}([x, y, onp.ones({shape})])"
        add(_name, eval(source, {"onp": onp}), N(*shape), N(*shape))
add("hstack", lambda np, x: np.hstack([x[0], x[1]]), N(2))
add("append", lambda np, x, y: np.append(x, y), N(3, 2), N(2))
add("append", lambda np, x, y: np.append(x, y, axis=0), N(3, 2), N(1, 2))
add("append", lambda np, x: np.append(x, 1.0), N(3))
add(
    "block",
    lambda np, x, y: np.block([[x, onp.ones((2, 1))], [y, y[:, :1] * 0]]),
    N(2, 3),
    N(1, 3),
)
add("block", lambda np, x: np.block([x, 2.0, x[:1]]), N(3))
add("block", lambda np, x: np.block([[x], [x]]), N(3))
add("block", lambda np, x: np.block([x, x]), N(2, 2))
add("block", lambda np, x: np.block(x), N(2, 2))
for _name in ("split", "array_split"):
    calls(_name, ["2, axis=1", "[1, 3], axis=-1", "3", "(2, 5)"], N(3, 4))
calls("array_split", ["5, axis=1", "2"], N(3, 4))
calls("hsplit", ["2", "[1]"], N(3, 4))
calls("hsplit", ["2"], N(4))
calls("vsplit", ["3", "[1]"], N(3, 4))
calls("dsplit", ["2", "[1]"], N(2, 3, 4))
calls("unstack", ["", "axis=-1"], N(2, 3))

_W = "((1, 2), (3, 0))"
calls("pad", ["2", _W, f"{_W}, 'constant', constant_values=3"], N(3, 4))
calls(
    "pad", [f"{_W}, constant_values=((1, 2), (3, 4))", "{0: (1, 2)}, 'edge'"], N(3, 4)
)
for (
    _mode
) in "edge reflect symmetric wrap linear_ramp maximum minimum mean median".split():
    calls("pad", [f"{_W}, mode={_mode!r}", f"5, mode={_mode!r}"], N(3, 4))
for _mode in ("reflect", "symmetric"):
    calls("pad", [f"{w}, {_mode!r}, reflect_type='odd'" for w in (_W, "7")], N(3, 4))
for _mode in ("maximum", "minimum", "mean", "median"):
    calls("pad", [f"{_W}, {_mode!r}, stat_length=((2, 1), (2, 3))"], N(3, 4))
calls("pad", [f"{_W}, 'linear_ramp', end_values=((1, 2), (3, 4))"], N(3, 4))
calls(
    "pad",
    [f"{_W}, constant_values=y", f"{_W}, 'linear_ramp', end_values=y"],
    N(3, 4),
    N(),
)
calls("pad", ["2, 'reflect', reflect_type='odd'", "1, 'symmetric'"], N(1))

# ---- calculus ----

calls("diff", ["", "2", "axis=0", "n=2, axis=0", "0"], N(4, 3))
calls("diff", ["prepend=0.5, append=y", "axis=1, prepend=y"], N(4, 3), N(4, 1))
add(
    "diff", lambda np, x, y: np.diff(x, prepend=y, append=2.0, axis=0), N(4, 3), N(1, 3)
)
calls(
    "gradient",
    ["", "axis=1", "axis=(1, 0)", "0.5", "2.0, 0.3", "edge_order=2"],
    N(4, 5),
)
calls("gradient", ["[0, 1, 3, 4.5]", "onp.array([0, 1, 3, 4.5]), edge_order=2"], N(4))
calls(
    "gradient",
    ["2.0, [0, 1, 2, 4, 7], edge_order=2", "0.3, axis=-1, edge_order=2"],
    N(4, 5),
)
calls("gradient", ["y", "y, edge_order=2"], N(4), onp.array([0, 1, 2.5, 3]))
calls("gradient", ["y", "y, edge_order=2"], N(4), onp.array(0.7))
calls(
    "trapezoid",
    ["", "dx=0.5", "axis=0", "[0, 1, 3.0]", "[[0.0], [1], [2], [4]], axis=0"],
    N(4, 3),
)
calls("trapezoid", ["y", "y * y"], N(4, 3), N(3))
_XP = onp.array([0.0, 1, 1.5, 3])
add("interp", lambda np, x, f: np.interp(x, _XP, f), N(3, 4) * 2, N(4))
add(
    "interp",
    lambda np, x, p, f: np.interp(x, p, f, left=5, right=-1),
    N(6) * 2,
    _XP,
    N(4),
)
add("interp", lambda np, x: np.interp(x, _XP, [1.0, 3, 2, 5]), onp.array(1.2))
add(
    "interp",
    lambda np, x, f: np.interp(x, [0, 90, 300, 200], f, period=360),
    N(6) * 300,
    N(4),
)
add("interp", lambda np, f: np.interp([0.5, 1.0, 3.0, 9], _XP, f), N(4))
for _name, _default in (("convolve", "full"), ("correlate", "valid")):
    for shapes in ((6, 3), (3, 6), (5, 4), (4, 5), (3, 3), (1, 4)):
        options = ["", "'full'", "mode='same'", "'valid'"]
        calls(_name, options, *[N(n) for n in shapes])
add("convolve", lambda np, x: np.convolve(x, [1.0, 2.0]), N(4))
add("polyval", lambda np, p, x: np.polyval(p, x), N(4), N(2, 3))
add("polyval", lambda np, x: np.polyval([3, 2, 1], x), N(3))
add("polyval", lambda np, x: np.polyval([x[0], 2.0, x[1]], x), N(3))

# ---- products ----

_PAIRS = [((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((2, 3), (3, 4))]
_BATCHES = [((4, 2, 3), (3, 2)), ((4, 2, 3), (4, 3, 1)), ((2, 1, 2, 3), (3, 3, 2))]
for a, b in _PAIRS + _BATCHES + [((3,), (2, 3, 2)), ((2, 2, 3), (3,))]:
    add("matmul", lambda np, x, y: np.matmul(x, y), N(*a), N(*b))
    add("matmul", lambda np, x, y: x @ y, N(*a), N(*b))
add(
    "matmul",
    lambda np, x, y: np.matmul(x, y, axes=[(0, 1), (1, 0), (0, 1)]),
    N(2, 3),
    N(4, 3),
)
for a, b in _PAIRS + [((), (3,)), ((2, 3), ()), ((2, 3), (4, 3, 2)), ((2, 4, 3), (3,))]:
    add("dot", lambda np, x, y: np.dot(x, y), N(*a), N(*b))
add("dot", lambda np, x: x.dot([[1.0, 2], [3, 4]]), N(2))
for a, b in [((3,), (3,)), ((2, 3), (4, 3)), ((2, 3), (2, 4, 3)), ((), (2,))]:
    add("inner", lambda np, x, y: np.inner(x, y), N(*a), N(*b))
for a, b in [((3,), (2,)), ((2, 2), (3,)), ((), (2, 2))]:
    add("outer", lambda np, x, y: np.outer(x, y), N(*a), N(*b))
add("vdot", lambda np, x, y: np.vdot(x, y), N(2, 3), N(3, 2))
calls("vecdot", ["", "axis=-1"], N(2, 3), N(3))
calls("vecdot", ["axis=0"], N(3, 2), N(3, 2))
calls("matvec", [""], N(2, 3), N(4, 3))
calls("vecmat", [""], N(4, 3), N(3, 2))
calls("matvec", ["axes=[(1, 0), (0,), (0,)]"], N(3, 2), N(3, 4))
calls("tensordot", ["1", "axes=([1], [0])", "(-1, 0)"], N(2, 3), N(3, 4))
calls("tensordot", ["", "([0, 1], [1, 0])", "0"], N(2, 2, 2), N(2, 2, 2))
for a, b in [
    ((2, 3), (2, 2)),
    ((3,), (2, 2)),
    ((2, 2), (3,)),
    ((2, 1, 2), (3,)),
    ((), (2,)),
]:
    add("kron", lambda np, x, y: np.kron(x, y), N(*a), N(*b))
calls("cross", [""], N(3), N(3))
calls("cross", ["", "axisc=0"], N(2, 3), N(4, 1, 3))
calls("cross", ["axis=0"], N(3, 2), N(3, 2))
calls("cross", ["axisa=0, axisb=1"], N(3, 2), N(2, 3))

_EINSUM = """
i->|3; ii|3,3; ii->i|3,3; iij->j|2,2,3; ij->ji|2,3; ij->|2,3; ij->j|2,3; iii->i|2,2,2;
ba|2,3; ...i->...|2,3; i...->...i|2,3,2; i,i|3|3; i,i->i|3|3; i,j->ij|2|3; i,j->|2|3;
ij,j|2,3|3; ij,jk|2,3|3,2; ij,jk->ki|2,3|3,2; ij,ij->i|2,3|2,3; ij,ij|2,3|2,3;
bij,bjk->bik|2,2,3|2,3,2; ...ij,...jk->...ik|2,2,3|3,2; ...ij,jk|2,2,3|3,2;
ij...,jk...->ik...|2,3,2|3,2,2; ii,i->i|3,3|3; ij,jk,kl->il|2,3|3,2|2,4; i,ij,j|2|2,3|3;
ij,ik,il->jkl|3,2|3,2|3,2; ij,jj->i|2,3|3,3; ab,cd->dbca|2,3|2,2; ij,j->ij|2,1|3;
ij,ij->ij|1,3|2,3; a,b,c->cab|2|3|2; i,,j->ij|2||3; ij , jk -> ik|2,3|3,2;
bchw,oc->bohw|1,2,2,3|2,2; nij,nj->ni|2,3,2|2,2; ni,nj,nk,ijk->n|2,3|2,2|2,2|3,2,2
"""
for _row in _EINSUM.replace("\n", " ").split(";"):
    _text, *_shapes = _row.strip().split("|")
    _arrays = [N(*[int(n) for n in s.split(",") if n]) for s in _shapes]
    add("einsum", lambda np, *a, s=_text: np.einsum(s, *a), *_arrays)
add(
    "einsum", lambda np, x, y: np.einsum(x, [0, 1], y, [1, 2], [2, 0]), N(2, 3), N(3, 2)
)
add("einsum", lambda np, x, y: np.einsum(x, [0, 1], y, [1, 2]), N(2, 3), N(3, 2))
add("einsum", lambda np, x: np.einsum(x, [Ellipsis, 0], [Ellipsis]), N(2, 3))
for _opt in (True, False, "optimal", "greedy", ["einsum_path", (1, 2), (0, 1)]):
    add(
        "einsum",
        lambda np, x, y, z, o=_opt: np.einsum("ij,jk,kl->il", x, y, z, optimize=o),
        *(N(2, 3), N(3, 2), N(2, 3)),
    )
add("einsum", lambda np, x: np.einsum("ij,j->i", x, [1.0, 2, 3], dtype=float), N(2, 3))

# ---- methods and operators ----

_CALLS = """
astype(float); clip(-0.5, 0.5); cumsum(1); cumprod(); diagonal(1); flatten();
flatten('F'); max(0); min(axis=1, keepdims=True); mean((0, 1)); prod(0); ravel();
repeat(2, axis=0); reshape(2, 6); reshape((2, -1)); reshape(12, order='F'); squeeze();
std(0, ddof=1); sum(); sum(axis=1, initial=2.0); swapaxes(0, 1); trace(); transpose();
transpose(1, 0); transpose((1, 0)); var(1); dot([1.0, 2, 3, 4]); take([1, 2]);
take([0], axis=1); copy(); conj(); conjugate(); round(1); T; mT; real; flat[3];
compress([True, False, True], axis=0)
"""
METHODS = [m.strip() for m in _CALLS.replace("\n", " ").split(";")]
for _call in METHODS:
    add(f".{_call}", eval(f"lambda np, x: x.{_call}"), N(3, 4))
_EXPRESSIONS = """
x + y; x - y; x * y; x / y; x % y; x**y; x @ y.T; -x; +x; abs(x); 1 + x; 2 - x; 2 * x;
2 / x; 2**x; 7 % x; x + 1; x - 2.5; x * 3; x / 4; x % 2; x**2; x**0.5; x**-1; x // y;
divmod(x, y); x * (x > y); x[0]; x[-1, 1:]; x[:, ::-2]; x[..., None, 2]; x[[0, 2, 2]];
x[MASK]; x[:, [1, 1, 0]]; x[[0, 1], [2, 3]]; x[[0, 1], None, 1:]; x[x > y]; x[INDEX, 1];
x[1:1]; x[None]; x[np.array([1, 0]), :2]; x[(MASK[:, 0], 1)]; list(x);
x[np.ix_([0, 2], [1, 3])]
"""
for _expression in _EXPRESSIONS.replace("\n", " ").split(";"):
    scope = {"MASK": MASK, "INDEX": INDEX}
    source = f"lambda np, x, y: {_expression.strip()}"
    add(f"operator {_expression.strip()}", eval(source, scope), P(3, 4), P(3, 4))


def _in_place(np, x, y):
    z = x * 1.0
    z += y
    z *= x
    z -= 1.0
    z /= y
    z **= 2
    z[0] = y[1]
    z[:, 1] *= 2.0
    z[MASK] = x[MASK]
    z[[0, 1], [2, 3]] += y[0, :2]
    z[..., ::-2] = 3.0
    return z


add("operator in place", _in_place, P(3, 4), P(3, 4))

# ---- creation: for pygradc.numpy ----

CREATED = {"array", "c_", "r_", "full", "linspace"}
add("array", lambda np, x: np.array([x[0], 1.0, x[1] * x[2]]), N(3))
add("array", lambda np, x: np.array([[x[0], 1], [x[1], x[2]]]), N(3))
add("array", lambda np, x: np.array([[x, x * x], [onp.ones(3), 2 * x]]), N(3))
add("array", lambda np, x: np.array([x, [1.0, x[0], 2.0]]), N(3))
add("array", lambda np, x: np.array((x,), ndmin=3, dtype=float), N(3))
add("array", lambda np, x: np.array(x) * np.asarray([x, x]) * np.asanyarray(x), N(3))
add("array", lambda np, x: np.array(2 * x, ndmin=2), N(3))
add("c_", lambda np, x, y: np.c_[x, y], N(3), N(3))
add("c_", lambda np, x: np.c_[x, onp.ones((3, 1)), x], N(3, 2))
add("c_", lambda np, x: np.c_[x, x[0], 2.0][..., 1:], N(1, 3)[0][:1])
add("r_", lambda np, x, y: np.r_[x, 1.0, y, 0:3, x[0]], N(3), N(2))
add("r_", lambda np, x: np.r_["1,2,0", x, x], N(3))
add("r_", lambda np, x: np.r_["-1", x, x], N(2, 3))
add("r_", lambda np, x: np.r_[x[0] : x[1] : 5j, 2.0], N(2))
add("full", lambda np, x: np.full((2, 3), x), N(3))
add("full", lambda np, x: np.full(3, x, dtype=float), onp.array(1.5))
add("full", lambda np, x: np.full_like(x, x[0]) * np.full((2, 1), 2.0), N(3))
calls("linspace", ["5", "5, endpoint=False", "4, retstep=True", "1", "0"], N(2), N(2))
calls("linspace", ["4, axis=1", "4, axis=-1, dtype=float", "num=2"], N(2, 3), N(3))
add("linspace", lambda np, x: np.linspace(0, x), onp.array(2.0))


def _filled(np, x):
    out = np.zeros((2, 3))
    out[0] = x
    out[1, 1:] = x[0] * x[:2]
    more = np.empty_like(out)
    more[:] = np.ones(3) * x
    more[1, 0] += 2.0
    return out * more


add("array", _filled, N(3))

# ---- piecewise constant: (name, function, arrays); the derivative is 0 ----

CONSTANTS = []
for _text in """
all(x, axis=0); all(x > 0); any(x); any(x, axis=1, keepdims=True); argmax(x);
all(x, where=MASK); any(x > 0, 0, where=MASK); argmax(x, axis=1);
argmin(x, keepdims=True); argmin(x, axis=0, keepdims=True); argmin(x); argsort(x);
argsort(x, axis=0); argsort(x, None); argsort(x, stable=True); argpartition(x, 2);
argpartition(x, 1, axis=0); argwhere(x > 0); allclose(x, y); allclose(x, x + 1e-9);
allclose(x, y, 1.0, 1.0); around(x, 1); array_equal(x, y); array_equal(x, x);
array_equal(x, y, equal_nan=True); array_equal(x, 1); array_equiv(x, x[None]);
array_equiv(x, y); array_equiv(x, y[0, :2]); ceil(x); count_nonzero(x);
count_nonzero(x > 0, axis=0); count_nonzero(x > 0, axis=1, keepdims=True);
zeros_like(x); ones_like(x); full_like(x, 3); empty_like(x).shape;
zeros_like(x, dtype=int); zeros_like(x, shape=(2, 2)); full_like(x, 2.5, dtype=bool);
ones_like(x, shape=3); full_like(x, [1.0, 2, 3, 4]); equal(x, y); not_equal(x, y);
greater(x, y); less(x, 0); greater_equal(x, y); less_equal(x, y); fix(x); floor(x);
floor_divide(x, y); flatnonzero(x > 0); isclose(x, y);
isclose(x, y, rtol=1.0, atol=0.5); isclose(x, y, equal_nan=True); iscomplex(x);
iscomplexobj(x); isreal(x); isfinite(x); isinf(x / 0.0); isnan(x * onp.nan);
isneginf(x / 0.0); isposinf(x / 0.0); isscalar(x); isscalar(x[0, 0] * 0 + x); ndim(x);
logical_and(x > 0, y > 0); logical_or(x > 0, y > 0); logical_xor(x > 0, y);
logical_not(x); nonzero(x > 0); result_type(x); result_type(x, onp.float32);
result_type(x, 1); rint(x); round(x); round(x, 2); round(x * 100, -1);
searchsorted(x[0] * 0 + [1, 2, 3, 4], y); searchsorted([1.0, 2, 3], x, side='right');
shape(x); sign(x); size(x); size(x, 1);
searchsorted(x[0], y[0], sorter=np.argsort(x[0])); trunc(x); ndim(x[0, 0]); shape(x[0]);
""".replace("\n", " ").split(";")[:-1]:
    _text = _text.strip()
    scope = {"MASK": MASK, "onp": onp}
    CONSTANTS.append(
        (
            _text.partition("(")[0],
            eval(f"lambda np, x, y: np.{_text}", scope),
            (N(3, 4), N(3, 4)),
        )
    )
