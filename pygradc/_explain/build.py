"""`explain`: from what is given to an `Explanation`, formula by formula checked."""

from dataclasses import replace

import numpy as np

from pygradc._explain import chain
from pygradc._explain.check import STRICT, Disagreement, Numbers, agrees
from pygradc._explain.formula import Mismatch, TooLarge
from pygradc._explain.model import Derivative, Explanation, Input, Live, Partial, Step
from pygradc._explain.order import MOST_STEPS, SHOWN
from pygradc._explain.source import source_of
from pygradc._explain.steps import Plan, Pulled, jacobian_shape, partial_kind
from pygradc._explain.tidy import tidy
from pygradc._lib import DATA, VARIABLE
from pygradc._program import vjp_nodes

MOST_SIZE = 120  # symbols of a formula in terms of the inputs alone
MOST_TITLE = 40  # symbols of the function itself
MOST_NODES = 200_000  # of a graph whose derivatives are computed


def explain(f, *args, wrt=None, at=None):
    """The derivative of `f`, step by step: the chain rule made visible.

    Parameters
    ----------
    f : callable, Expr or str
        A function of arrays; an expression of `pygradc.var`; or text as
        ``"sin(x + x**2)"``.
    *args
        Values of the arguments, by position: every step then carries its numbers. Left
        out, the names stand for scalars.
    wrt : str, int or sequence of them, optional
        Arguments to differentiate with respect to; all of them by default.
    at : dict, optional
        Values by name, instead of by position.

    Returns
    -------
    Explanation
        Prints as text; has the methods text, markdown, latex, mathml, html and save.

    Raises
    ------
    DTypeError
        `f` is none of the three, or its result is no float array.
    ArgumentError
        Values or names do not fit the function.

    Notes
    -----
    In the notation of T. Parr and J. Howard, The Matrix Calculus You Need For Deep
    Learning (arXiv:1802.01528): intermediate variables, their derivatives, the product
    or the sum of products, and the result in terms of the inputs. With values, every
    formula is evaluated and compared with the engine before it is shown.

    Examples
    --------
    >>> import pygradc as pg
    >>> e = pg.explain(lambda x: np.sin(x**2), 2.0)
    >>> e.derivatives[0].result
    2x·cos(x²)
    """
    source = source_of(f, args, at)
    source.restrict(wrt)
    return _Builder(source).explanation()


def flow(f, args, wrt, at, most):
    """The Explanation of `f`, as `explain` has it, up to the chain rule: its inputs and
    steps, of which at most `most` are not folded, without derivatives of the whole."""
    source = source_of(f, args, at)
    source.restrict(wrt)
    return _Builder(source, most).explanation(whole=False)


def _is_total(parts):
    """Whether the derivative is a sum of which the partial derivative is one term."""
    direct = len(parts) == 1 and any(len(p) == 1 for p in parts[0].paths)
    return direct and parts[0].n_paths > 1


class _Builder:
    """Puts one explanation together: nodes first, then numbers, then records."""

    def __init__(self, source, most=MOST_STEPS):
        self.source, self.plan = source, Plan(source, most)
        self.graph = source.graph
        self.numbers = Numbers(source)
        self.seeds = {}
        self.random = np.random.default_rng(1)
        self.wrt = [source.variables[n].id for n in source.wrt]

    def seed(self, y):
        """A node that stands for any cotangent of node `y`."""
        if y not in self.seeds:
            shape, code = self.plan.shape(y), self.graph.code(y)
            if self.source.known:
                value = self.random.uniform(0.5, 1.5, shape)
                value = np.asarray(value, "float32" if code else "float64")
                self.seeds[y] = self.graph.leaf(value, DATA)
            else:
                self.seeds[y] = self.graph.input(code, shape, DATA)
        return self.seeds[y]

    def explanation(self, whole=True):
        plan, want = self.plan, self.numbers.want
        read = [self._read_step(x) for x in plan.nodes]
        wrt = self.wrt if whole else []
        wholes = [self._read_whole(x) for x in wrt]
        adjoints = self._adjoints()
        formula = self._formula()
        if self.source.known:
            for x in plan.names:
                want(x)
            self.numbers.run()
        values = self._symbol_values()
        steps = [self._step(r, values, adjoints) for r in read]
        edges = {s.name: {p.by: p for p in s.partials} for s in steps}
        derivatives = tuple(
            [
                self._derivative(x, w, edges, values)
                for x, w in zip(wrt, wholes, strict=True)
            ]
        )
        if plan.order.fold is not None:
            steps.insert(SHOWN, self._fold(steps))
        return Explanation(
            plan.name,
            formula,
            self._inputs(adjoints),
            tuple(steps),
            derivatives,
            self.numbers.of(plan.nodes[-1]),
            len(plan.order.nodes),
            plan.counts,
            self._live(read, wholes, adjoints, steps, derivatives),
        )

    def _live(self, read, wholes, adjoints, steps, derivatives):
        """The nodes that a page evaluates."""
        plan, y = self.plan, self.plan.nodes[-1]
        shown_steps = [s for s in steps if isinstance(s, Step)]
        shown = {i.name for i in self._inputs(adjoints)}
        values = {n: x for x, n in plan.names.items() if x in plan.nodes or n in shown}
        partials = [
            (p.of, p.by, node, self.seeds.get(x, 0), p.shape, p.kind)
            for (x, _, _, edges), s in zip(read, shown_steps, strict=True)
            for p, (_, (_, node)) in zip(s.partials, edges, strict=True)
        ]
        whole = [
            (d.of, d.by, node, self.seeds.get(y, 0), d.shape, d.kind)
            for d, (_, _, node) in zip(derivatives, wholes, strict=True)
            if node is not None
        ]
        return Live(
            self.graph,
            self.source.values,
            y,
            {n: x.id for n, x in self.source.variables.items()},
            values,
            {plan.names[x]: node for x, node in adjoints.items()},
            tuple(partials),
            tuple(whole),
        )

    def _fold(self, steps):
        """The Fold, which uses what is needed and no shown step uses."""
        plan, used = self.plan, {o for s in steps for o in s.operands}
        needed = [plan.names[x] for x in sorted(plan.order.reached)]
        needed += [s.name for s in steps[:SHOWN]]
        unused = tuple([n for n in needed if n not in used])
        return replace(plan.order.fold, operands=unused)

    # ---- reading: adds nodes to the graph ----

    def _read_step(self, x):
        """(id, formula, operands, [(formulas, node) for each operand])."""
        plan = self.plan
        formula, operands = plan.read(x)
        moving = [i for i in operands if self._moves(i)]
        partials = plan.jacobians(x, moving, plan.reader, self.seed)
        plan.close(x)
        for _, node in partials:
            self.numbers.want(node)
        return x, formula, operands, list(zip(moving, partials, strict=True))

    def _moves(self, x):
        """Whether node `x` depends on a variable to differentiate with respect to."""
        if self.plan.order.large:
            return bool(self.graph.role(x) & VARIABLE) and self.graph.code(x) <= 1
        if not hasattr(self, "_moving"):
            self._moving = set(self.wrt)
            for y in sorted(self.plan.facts):
                if not self._moving.isdisjoint(self.plan.facts[y].ins):
                    self._moving.add(y)
        return x in self._moving and self.plan.facts[x].code <= 1

    def _read_whole(self, x):
        """Derivative of the output by input `x` in terms of the inputs alone."""
        plan, y = self.plan, self.plan.nodes[-1]
        if plan.order.size > MOST_NODES:
            return (), (), None
        if plan.order.large:
            ((_, node),) = plan.jacobians(y, [x], None, self.seed)
            self.numbers.want(node)
            return (), (), node
        reader = plan.new_reader()
        reader.folded = lambda x: None
        ((formulas, node),) = plan.jacobians(y, [x], reader, self.seed)
        self.numbers.want(node)
        formulas = type(formulas)([f for f in formulas if f.size <= MOST_SIZE])
        named = plan.new_reader(plan.nodes[:-1])
        ((in_steps, _),) = plan.jacobians(y, [x], named, self.seed)
        return formulas, in_steps, node

    def _adjoints(self):
        """Node of the derivative of a scalar output by each input and step."""
        y, found = self.plan.nodes[-1], {}
        if self.plan.shape(y) != () or self.plan.order.large:
            return {}
        for x in (*self.wrt, *self.plan.nodes[:-1]):
            if self._moves(x):
                (found[x],) = vjp_nodes(self.graph, y, 0, [x])
                self.numbers.want(found[x])
        return found

    def _formula(self):
        try:
            if self.plan.order.large:
                return None
            reader = self.plan.new_reader()
            reader.folded = lambda x: None
            f = reader.formula(self.plan.nodes[-1])
            return f if f.size <= MOST_TITLE else None
        except (TooLarge, Mismatch):
            return None

    # ---- records ----

    def _symbol_values(self):
        plan = self.plan
        values = {plan.names[x]: self.numbers.of(x) for x in plan.names}
        values.update({n: np.float64(count) for n, count in plan.counts})
        for seed in self.seeds.values():
            values[f"v@{seed}"] = self.graph.values.get(seed)
        return values

    def _checked(self, formulas, node, values, y):
        """(formula, value) of the first formula that agrees with the engine's number;
        (None, None) if there is none."""
        if isinstance(formulas, Pulled):
            return None, None
        if not self.source.known:
            return (formulas[0] if formulas else None), None
        for formula in formulas:
            value, good = self._agreed(formula, node, values, y)
            if good:
                return formula, value
        return None, None

    def _pulled(self, formulas, node, values):
        """The first formula of a product with the seed that agrees, or None."""
        if not isinstance(formulas, Pulled):
            return None
        for formula in formulas:
            if not self.source.known:
                return formula
            if agrees(formula, self.numbers.of(node), values)[1]:
                return formula
        return None

    def _agreed(self, formula, node, values, y):
        """The value of `formula`, and whether it agrees with the engine."""
        seed = self.seeds.get(y)
        seed = None if seed is None else self.graph.values[seed]
        expected = self.numbers.of(node)
        if seed is None and len(formula.shape) == 2 and formula.shape[0] == 1:
            expected = np.reshape(expected, (1, -1))
        value, good = agrees(formula, expected, values, seed)
        if (
            STRICT
            and not good
            and (value is None or np.isfinite([*expected.flat, *value.flat]).all())
        ):
            raise Disagreement(f"{formula!r} is {value}, not {expected}")
        return value, good

    def _step(self, read, values, adjoints):
        x, formula, operands, partials = read
        plan, made = self.plan, []
        scalars = all(plan.shape(i) == () for i in (x, *operands))
        one = len(self.source.variables) == 1 and scalars and len(operands) == 1
        for i, (own, node) in partials:
            pulled = self._pulled(own, node, values)
            own, value = self._checked(own, node, values, x)
            shape = jacobian_shape(plan.shape(x), plan.shape(i))
            kind = partial_kind(own, plan.shape(i))
            names = plan.names[x], plan.names[i]
            made.append(Partial(*names, own, shape, kind, value, one, pulled))
        return Step(
            plan.names[x],
            plan.facts[x].op,
            plan.order.index(x) + 1,
            formula,
            tuple([plan.names[i] for i in operands]),
            plan.shape(x),
            tuple(made),
            self.numbers.of(x),
            self.numbers.of(adjoints.get(x)),
        )

    def _derivative(self, x, whole, edges, values):
        plan = self.plan
        y = plan.nodes[-1]
        formula, in_steps, node = whole
        order = [plan.names[i] for i in plan.nodes]
        if plan.order.fold is None:
            parts = chain.segments(edges, order, plan.names[x], plan.name)
        else:
            parts = chain.folded(edges, order) if plan.order.chain else ()
        together = chain.combined(parts)
        candidates = in_steps
        if together is not None:
            pulled = isinstance(in_steps, Pulled)
            candidates = (together, *(() if pulled else in_steps))
        together, _ = self._checked(candidates, node, values, y)
        result, value = self._checked(formula, node, values, y)
        shape = jacobian_shape(plan.shape(y), plan.shape(x))
        gradient = None
        if result is not None and result.head == "t" and shape[0] == 1:
            gradient = tidy(result.args[0])
        if self.source.known and plan.shape(y) == () and node is not None:
            value = self.numbers.of(node)
        return Derivative(
            plan.name,
            plan.names[x],
            parts,
            together,
            result,
            gradient,
            shape,
            partial_kind(result, plan.shape(x)),
            value,
            any(s.n_paths > 1 for s in parts),
            (len(self.source.variables) == 1 and shape == (1, 1)) or _is_total(parts),
            self._pulled(formula, node, values),
        )

    def _inputs(self, adjoints):
        plan, found = self.plan, []
        own = set(self.source.variables)
        for x, name in plan.inputs.items():
            if x in plan.facts or name in own:
                if x not in plan.facts:
                    plan.reader.node(x)
                value, adjoint = self.numbers.of(x), self.numbers.of(adjoints.get(x))
                differentiated = name in self.source.wrt
                found.append(
                    Input(
                        name,
                        plan.shape(x),
                        value,
                        adjoint,
                        differentiated,
                        name not in own,
                    )
                )
        return tuple(found)
