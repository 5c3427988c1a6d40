"""The contenders: what each library makes of a `Problem`.

A contender is a row: a name, the module it needs, and a function that turns a problem
into a pair: the call to be timed, and a function that makes NumPy arrays of its result;
None if it has no way to do the problem. Modules are imported when they are asked for.

JAX takes and returns NumPy arrays in "JAX", and its own device arrays in "JAX device".
PyTorch takes and returns tensors. "raw" forms reuse buffers that are bound once.
"""

import importlib
from collections import namedtuple
from importlib.metadata import version
from types import SimpleNamespace

import numpy as np

import pygradc as pg

CONTENDERS = []


class Contender(namedtuple("Contender", "name module make")):
    def takes(self, problem):
        """Whether the problem is meant for this contender."""
        if self.module == "pygradc":
            return True
        if problem.peers is not None and self.module not in problem.peers:
            return False
        return not {self.name, self.module} & set(problem.without)


def contender(name, module):
    def register(make):
        CONTENDERS.append(Contender(name, module, make))
        return make

    return register


def installed(modules):
    """The modules that can be imported, with their versions, and those that cannot."""
    versions, missing = {}, []
    for name in modules:
        try:
            module = importlib.import_module(name)
        except ImportError:
            missing.append(name)
            continue
        if name == "jax":
            module.config.update("jax_enable_x64", True)
        versions[name] = getattr(module, "__version__", None) or version(name)
    return versions, missing


def names(module, **own):
    """NumPy's names as a module spells them."""
    return SimpleNamespace(**{**vars(module), **own})


def same(result):
    return result


def _special(module, name):
    """A peer's form of a function of scipy.special; None if SciPy is not installed."""
    try:
        return getattr(importlib.import_module(f"{module}.scipy.special"), name)
    except ImportError:
        return None


# ---- pygradc ----

PYGRADC = names(np, erf=lambda x: pg.erf(x))


def _pygradc(problem):
    """The transformed function, not yet compiled."""
    f = problem.function("pygradc", PYGRADC)
    if problem.kind == "gradient":
        return pg.value_and_grad(f, problem.argnums)
    if problem.kind == "hessian":
        return pg.hessian(f)
    if problem.kind == "hvp":
        slope = pg.grad(f)
        return lambda x, v: pg.jvp(slope, (x,), (v,))[1]
    return f


@contender("pygradc jit", "pygradc")
def pygradc_jit(problem):
    f, args = pg.jit(_pygradc(problem)), problem.args
    return lambda: f(*args), same


@contender("pygradc raw", "pygradc")
def pygradc_raw(problem):
    f = pg.jit(_pygradc(problem))
    if not hasattr(f, "bind"):
        return None
    call = f.bind(*problem.args)
    return call, lambda _: call.results


@contender("pygradc", "pygradc")
def pygradc_untransformed(problem):
    if problem.kind == "value":
        return None  # that is NumPy
    f, args = _pygradc(problem), problem.args
    return lambda: f(*args), same


@contender("pygradc value", "pygradc")
def pygradc_value(problem):
    """The value alone: what the gradient's cost is compared with."""
    if problem.kind != "gradient":
        return None
    f, args = pg.jit(problem.function("pygradc", PYGRADC)), problem.args
    return lambda: f(*args), same


# ---- by hand ----


@contender("NumPy", "numpy")
def numpy_by_hand(problem):
    f, args = problem.by_hand, problem.args
    return lambda: f(*args), same


@contender("Numba", "numba")
def numba_by_hand(problem):
    if problem.loops is None:
        return None
    f, args = importlib.import_module("numba").njit(problem.loops), problem.args
    return lambda: f(*args), same


# ---- peers that transform functions ----


def _jax(problem):
    import jax

    f = problem.function("jax", names(jax.numpy, erf=jax.scipy.special.erf))
    if problem.kind == "gradient":
        f = jax.value_and_grad(f, problem.argnums)
    elif problem.kind == "hessian":
        f = jax.hessian(f)
    elif problem.kind == "hvp":
        slope = jax.grad(f)
        return jax.jit(lambda x, v: jax.jvp(slope, (x,), (v,))[1])
    return jax.jit(f)


@contender("JAX", "jax")
def jax_numpy(problem):
    import jax

    f, args, tree_map = _jax(problem), problem.args, jax.tree.map
    return lambda: tree_map(np.asarray, f(*args)), same


@contender("JAX device", "jax")
def jax_device(problem):
    import jax

    f, ready = _jax(problem), jax.block_until_ready
    args = [jax.device_put(a) for a in problem.args]
    return lambda: ready(f(*args)), same


@contender("autograd", "autograd")
def hips_autograd(problem):
    import autograd
    import autograd.numpy as anp

    own = names(anp, erf=_special("autograd", "erf"))
    f, args = problem.function("autograd", own), problem.args
    if problem.kind == "gradient":
        f = autograd.value_and_grad(f, problem.argnums)
    elif problem.kind == "hessian":
        f = autograd.hessian(f)
    elif problem.kind == "hvp":
        f = autograd.hessian_vector_product(f)
    return lambda: f(*args), same


def _advect(problem):
    return problem.function("advect", names(np, erf=_special("advect", "erf")))


@contender("advect", "advect")
def advect_dynamic(problem):
    import advect

    f, args = _advect(problem), problem.args
    if problem.kind == "gradient":
        f = advect.value_and_grad(f, problem.argnums)
    elif problem.kind == "hessian":
        f = advect.hessian(f)
    elif problem.kind == "hvp":
        product = advect.hvp(f)
        return lambda: product(args[0], vectors=args[1]), lambda r: r[1]
    return lambda: f(*args), same


@contender("advect staged", "advect")
def advect_staged(problem):
    import advect

    if problem.kind not in ("gradient", "value"):
        return None
    f, args = advect.stage(_advect(problem), *problem.args), problem.args
    if problem.kind == "gradient":
        f = advect.value_and_grad(f, problem.argnums)
    return lambda: f(*args), same


# ---- PyTorch ----


def _torch_names(torch):
    """PyTorch's functions under NumPy's names, where those differ."""
    return names(
        torch,
        maximum=lambda low, z: torch.clamp(z, min=low),
        dot=torch.dot,
        max=lambda z, axis, keepdims=False: torch.amax(z, axis, keepdims),
        square=torch.square,
    )


def _torch(problem, compiled):
    import torch

    f = problem.function("torch", _torch_names(torch))
    args = [torch.tensor(a) for a in map(np.asarray, problem.args)]
    if problem.kind == "hessian":
        f = torch.func.hessian(f)
    elif problem.kind == "hvp":
        slope = torch.func.grad(f)
        f = lambda x, v: torch.func.jvp(slope, (x,), (v,))[1]  # noqa: E731
    if compiled:
        torch._dynamo.reset()
        f = torch.compile(f)
    if problem.kind != "gradient":
        return lambda: f(*args), lambda y: y.numpy()
    wanted = [args[i].requires_grad_() for i in problem.argnums]

    def call():
        value = f(*args)
        return value, *torch.autograd.grad(value, wanted)

    return call, lambda result: [r.detach().numpy() for r in result]


@contender("PyTorch", "torch")
def torch_eager(problem):
    return _torch(problem, compiled=False)


@contender("PyTorch compile", "torch")
def torch_compiled(problem):
    if problem.kind != "gradient":
        return None  # single kernels, and transforms that it does not compile
    return _torch(problem, compiled=True)


# ---- peers with graphs of their own ----


def _casadi_names(ca):
    def total(x):
        return ca.sum1(ca.sum2(x))

    return names(
        ca, maximum=ca.fmax, sum=total, mean=lambda x: total(x) / x.numel(), abs=ca.fabs
    )


def _casadi(problem):
    """A casadi.Function; vectors are its columns."""
    import casadi as ca

    sym = ca.SX.sym if problem.scalars else ca.MX.sym
    xs = [
        sym(f"x{i}", *np.asarray(a).shape[:2]) if np.ndim(a) else sym(f"x{i}")
        for i, a in enumerate(problem.args)
    ]
    f = problem.function("casadi", _casadi_names(ca))
    if problem.kind == "hvp":
        x, v = xs
        return ca.Function("f", xs, [ca.densify(ca.jtimes(ca.gradient(f(x), x), x, v))])
    y = f(*xs)
    if problem.kind == "hessian":
        return ca.Function("f", xs, [ca.densify(ca.hessian(y, xs[0])[0])])
    if problem.kind == "value":
        return ca.Function("f", xs, [y])
    # one reverse sweep for all gradients; inlined, so that it shares the forward one
    reverse = ca.Function("f", xs, [y]).reverse(1)
    slopes = reverse.call([*xs, y, ca.DM(1)], True, False)
    slopes = [ca.densify(slopes[i]) for i in problem.argnums]
    return ca.Function("f", xs, [y, *slopes])


def _dense(dm):
    return np.asarray(dm.full())


@contender("CasADi", "casadi")
def casadi_call(problem):
    f, args = _casadi(problem), problem.args
    many = f.n_out() > 1
    return lambda: f(*args), lambda r: [_dense(d) for d in (r if many else [r])]


@contender("CasADi raw", "casadi")
def casadi_buffer(problem):
    f = _casadi(problem)
    buffer, run = f.buffer()
    args = [np.ravel(np.asarray(a, float), order="F") for a in problem.args]
    results = [np.zeros(f.numel_out(i)) for i in range(f.n_out())]
    for i, a in enumerate(args):
        buffer.set_arg(i, memoryview(a))
    for i, r in enumerate(results):
        buffer.set_res(i, memoryview(r))

    def arrays(_, held=(f, buffer, args)):  # `run` points into them, and holds none
        shapes = [f.size_out(i) for i in range(f.n_out())]
        return [r.reshape(s, order="F") for r, s in zip(results, shapes, strict=True)]

    return run, arrays


@contender("PyTensor", "pytensor")
def pytensor_function(problem):
    import pytensor
    import pytensor.tensor as pt

    arrays = [np.asarray(a) for a in problem.args]
    xs = [pt.TensorType(a.dtype, shape=(None,) * a.ndim)() for a in arrays]
    f = problem.function("pytensor", names(pt))
    if problem.kind == "hessian":
        outputs = [pytensor.gradient.hessian(f(*xs), xs[0])]
    elif problem.kind == "hvp":
        outputs = pytensor.gradient.hessian_vector_product(f(xs[0]), [xs[0]], [xs[1]])
    else:
        y = f(*xs)
        outputs = [y]
        if problem.kind == "gradient":
            outputs += pytensor.grad(y, [xs[i] for i in problem.argnums])
    compiled = pytensor.function(xs, outputs, on_unused_input="ignore")
    return lambda: compiled(*arrays), same
