"""What an explanation is made of: plain records, made once and never changed.

They carry all that a page, a picture or a program needs: the steps are the nodes of the
data flow, their partials its edges, with formulas, numbers and adjoints.
"""

from dataclasses import dataclass, field

import numpy as np

from pygradc._explain.formula import Formula


@dataclass(frozen=True)
class Input:
    """A variable that goes in.

    Attributes
    ----------
    name : str
    shape : tuple of int
        As in NumPy.
    value : ndarray or None
        None if the explanation is symbolic.
    adjoint : ndarray or None
        Derivative of a scalar output with respect to it.
    differentiated : bool
    given : bool
        A constant array of the function, no argument of it.
    """

    name: str
    shape: tuple
    value: np.ndarray | None = None
    adjoint: np.ndarray | None = None
    differentiated: bool = True
    given: bool = False


@dataclass(frozen=True)
class Partial:
    """A local derivative: an edge of the data flow.

    Attributes
    ----------
    of, by : str
        Names of a step and of one of its operands.
    formula : Formula or None
        The Jacobian in numerator layout; for a scalar by a matrix, the matrix of
        derivatives; None if no matrix can be written.
    shape : tuple of int
        (m, n) for m outputs and n inputs.
    kind : str
        See `operator.kind_of`; "tensor" where there is no Jacobian matrix.
    value : ndarray or None
        Numbers of `formula`.
    plain : bool
        A scalar by its only operand: written with d instead of ∂.
    pulled : Formula or None
        Where no matrix can be written: its transpose times a cotangent v.
    """

    of: str
    by: str
    formula: Formula | None
    shape: tuple
    kind: str
    value: np.ndarray | None = None
    plain: bool = False
    pulled: Formula | None = None


@dataclass(frozen=True)
class Step:
    """An intermediate variable: one operator, a node of the data flow.

    Attributes
    ----------
    name : str
        "u1", "u2", ...; the last is the output.
    op : str
        Name of its row in the op table.
    index : int
        Its place among all steps, from 1.
    formula : Formula
        In terms of inputs and earlier steps.
    operands : tuple of str
    shape : tuple of int
    partials : tuple of Partial
    value, adjoint : ndarray or None
    """

    name: str
    op: str
    index: int
    formula: Formula
    operands: tuple
    shape: tuple
    partials: tuple = ()
    value: np.ndarray | None = None
    adjoint: np.ndarray | None = None


@dataclass(frozen=True)
class Fold:
    """Steps that are not shown one by one.

    Attributes
    ----------
    first, last : int
        Places of the first and last of them.
    ops : tuple of (str, int)
        How often each op comes, most frequent first.
    period : tuple of str
        The ops that repeat over and over, if they do.
    repeats : int
    operands : tuple of str
        Inputs and shown steps whose only users are among them.
    """

    first: int
    last: int
    ops: tuple
    period: tuple = ()
    repeats: int = 0
    operands: tuple = ()


@dataclass(frozen=True)
class Segment:
    """All ways from one variable to another that every way must pass.

    Attributes
    ----------
    of, by : str
    paths : tuple of tuple of Partial
        Each from `of` back to `by`; () if they are too many to show.
    n_paths : int
    formula : Formula or None
        The derivative in terms of intermediate variables: the sum over all paths.
    """

    of: str
    by: str
    paths: tuple
    n_paths: int
    formula: Formula | None


@dataclass(frozen=True)
class Derivative:
    """The derivative of the output with respect to one input.

    Attributes
    ----------
    of, by : str
    segments : tuple of Segment
        From the output back to the input; their derivatives multiply.
    combined : Formula or None
        Product of all segments, in intermediate variables.
    result : Formula or None
        In terms of the inputs alone, simplified: the Jacobian, or for a scalar by a
        matrix the matrix of derivatives. None if it would be too long to read.
    gradient : Formula or None
        For a scalar output and a vector: the transpose of `result`, a column.
    shape : tuple of int
        (m, n).
    kind : str
    value : ndarray or None
        The engine's number, in the shape of the output followed by that of the input.
    total : bool
        The input reaches the output along several paths.
    sharp : bool
        Written with d: of one variable, or a sum of which the partial is a term.
    pulled : Formula or None
        Where no matrix can be written: its transpose times a cotangent v.
    """

    of: str
    by: str
    segments: tuple
    combined: Formula | None
    result: Formula | None
    gradient: Formula | None
    shape: tuple
    kind: str
    value: np.ndarray | None = None
    total: bool = False
    sharp: bool = False
    pulled: Formula | None = None


@dataclass(frozen=True)
class Live:
    """The nodes behind an explanation, for whoever evaluates them anew.

    Attributes
    ----------
    graph : Graph
    given : dict
        Values of explicit variables, by id.
    output : int
    inputs, values, adjoints : dict
        Ids by name: of the arguments; of all inputs and steps; of the derivatives of a
        scalar output by them.
    partials, derivatives : tuple of tuples
        (of, by, node, seed, shape, kind): `node` is the product of the transposed
        Jacobian with the node `seed`, which is 0 for the number 1.
    """

    graph: object
    given: dict
    output: int
    inputs: dict
    values: dict
    adjoints: dict
    partials: tuple
    derivatives: tuple


@dataclass(frozen=True)
class Explanation:
    """A derivative explained in four steps; see `pygradc.explain`.

    Attributes
    ----------
    name : str
        Of the output.
    formula : Formula or None
        The function in terms of its inputs; None if it would be too long.
    inputs : tuple of Input
    steps : tuple of Step or Fold
        In the order in which they are computed.
    derivatives : tuple of Derivative
    value : ndarray or None
    n_steps : int
        Steps in all, folded ones included.
    counts : tuple of (str, int)
        Letters that stand for a number of elements: ("N", 40).
    live : Live
    """

    name: str
    formula: Formula | None
    inputs: tuple
    steps: tuple
    derivatives: tuple
    value: np.ndarray | None
    n_steps: int
    counts: tuple = ()
    live: Live | None = field(default=None, repr=False, compare=False)

    @property
    def shown(self):
        """The steps that are shown one by one."""
        return tuple([s for s in self.steps if isinstance(s, Step)])

    def text(self):
        """Plain text of at most 80 columns."""
        from pygradc._explain.document import document
        from pygradc._explain.plain import plain

        return plain(document(self))

    def markdown(self):
        """Markdown with formulas between dollar signs."""
        from pygradc._explain.document import document
        from pygradc._explain.markup import markdown

        return markdown(document(self))

    def latex(self):
        """LaTeX for the body of a document; needs amsmath."""
        from pygradc._explain.document import document
        from pygradc._explain.markup import latex

        return latex(document(self))

    def mathml(self):
        """MathML: one math element for each derivative."""
        from pygradc._explain.document import document
        from pygradc._explain.mathml import results

        return results(document(self))

    def html(self):
        """A self-contained HTML page that evaluates the function itself: sliders for
        scalar inputs, the picture (which needs igraph), Jacobians as heat maps."""
        from pygradc._page import page

        return page(self)

    def save(self, path):
        """Writes the explanation to a file.

        Parameters
        ----------
        path : str or path
            Ends with .html, .md, .tex or .txt, which decides the form.

        Raises
        ------
        ArgumentError
            It ends with something else.
        """
        import os

        from pygradc import errors

        forms = {
            ".html": self.html,
            ".md": self.markdown,
            ".tex": self.latex,
            ".txt": self.text,
        }
        ending = os.path.splitext(os.fspath(path))[1].lower()
        if ending not in forms:
            raise errors.ArgumentError(
                f"save: {os.fspath(path)!r} does not end with .html, .md, .tex or .txt"
            )
        text = forms[ending]()
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)

    def __str__(self):
        return self.text()

    def __repr__(self):
        inputs = ", ".join(i.name for i in self.inputs if not i.given)
        return f"<Explanation of {self.name}({inputs}): {self.n_steps} steps>"

    def _repr_html_(self):
        from pygradc._explain.document import document
        from pygradc._explain.fragment import fragment

        return fragment(document(self))

    def _repr_latex_(self):
        from pygradc._explain.document import document
        from pygradc._explain.markup import display

        return display(document(self))
