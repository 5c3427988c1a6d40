"""np.einsum: contraction of two operands at a time, each a matrix product.

Labels are integers; an ellipsis stands for labels from -1 downwards, aligned at the
right. The order of the pairs is that of np.einsum_path; which of a pair is the left
factor is chosen so that the result need not be transposed along its last axis.
"""

import functools

import numpy as np

from pygradc import errors
from pygradc._expr import convert, graph_of, lift, promote
from pygradc._lib import BOOL, I64, error
from pygradc._numpy.linear import matmul
from pygradc._numpy.moving import diagonal
from pygradc._numpy.protocol import implements, usual_casting
from pygradc._numpy.reducing import reduce
from pygradc._numpy.shaping import reshape_to, transpose


@implements(np.einsum)
def einsum(*operands, optimize=False, dtype=None, order="K", casting="safe"):
    usual_casting(casting, "safe")
    if isinstance(operands[0], str):
        subscripts, arrays = operands[0], operands[1:]
    else:
        subscripts, arrays = _from_lists(operands)
    graph = graph_of(*arrays)
    arrays, code = promote(graph, [lift(graph, a) for a in arrays])
    if code == BOOL:  # any of all
        r = einsum(subscripts, *[convert(a, I64) for a in arrays], optimize=optimize)
        return convert(r, BOOL)
    if dtype is not None:
        arrays = [a.astype(dtype) for a in arrays]
    terms, result = _parse(subscripts, tuple(a.ndim for a in arrays))
    arrays = [_merged(a, t) for a, t in zip(arrays, terms, strict=True)]
    arrays = _unstretched(arrays)
    shapes = tuple(x.shape for x, _ in arrays)
    if len(arrays) > 2:
        plan = tuple(optimize) if isinstance(optimize, (list, tuple)) else optimize
        path = _path(tuple(tuple(t) for _, t in arrays), result, shapes, plan)
    else:
        path = [tuple(range(len(arrays)))]
    for step in path:
        # Of a step of more than two, the first two each time.
        chosen = [arrays[i] for i in step]
        arrays = [a for i, a in enumerate(arrays) if i not in step]
        while len(chosen) > 1:
            (x, a), (y, b), *chosen = chosen
            kept = set(result).union(*[t for _, t in [*arrays, *chosen]])
            own = kept.intersection(b).difference(a)
            if own and result and result[-1] in a and result[-1] not in b:
                # what is last in the result shall run along the product's rows
                x, a, y, b = y, b, x, a
            chosen.insert(0, _contract(x, a, y, b, kept))
        arrays.append(chosen[0])
    (x, labels), *_ = arrays
    x, labels = _summed(x, labels, set(result))
    where = [labels.index(i) for i in result]
    return x if where == list(range(len(where))) else transpose(x, where)


def _from_lists(operands):
    """Subscripts as a string for the form einsum(x, [0, 1], y, [1, 2], [0, 2])."""
    letter = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

    def text(labels):
        return "".join("..." if i is Ellipsis else letter[i] for i in labels)

    operands = list(operands)
    result = f"->{text(operands.pop())}" if len(operands) % 2 else ""
    terms = ",".join(text(t) for t in operands[1::2])
    return terms + result, operands[::2]


@functools.lru_cache(1024)
def _parse(subscripts, ndims):
    """Labels of each operand and of the result, as tuples of integers."""
    left, arrow, right = subscripts.replace(" ", "").partition("->")
    parts = left.split(",")
    if len(parts) != len(ndims):
        raise error(
            errors.ArgumentError,
            f"einsum: {subscripts!r} for {len(ndims)} operands",
        )
    terms = [_labels(p, subscripts, n) for p, n in zip(parts, ndims, strict=True)]
    rest = min((i for t in terms for i in t), default=0)
    spread = tuple(range(min(rest, 0), 0))
    if arrow:
        if "..." not in right and spread:
            raise error(
                errors.ArgumentError, f"einsum: no '...' in the result: {subscripts!r}"
            )
        head, dots, tail = right.partition("...")
        result = (*map(ord, head), *(spread if dots else ()), *map(ord, tail))
    else:
        every = [i for t in terms for i in t if i >= 0]
        result = (*spread, *sorted(i for i in set(every) if every.count(i) == 1))
    if len(set(result)) < len(result) or not set(result) <= _all(terms):
        raise error(errors.ArgumentError, f"einsum: the result of {subscripts!r}")
    return terms, result


def _all(terms):
    return {i for t in terms for i in t}


def _labels(part, subscripts, ndim):
    head, dots, tail = part.partition("...")
    fixed = len(head) + len(tail)
    good = (head + tail).isalpha() or not head + tail
    if not good or fixed > ndim or (not dots and fixed != ndim):
        raise error(
            errors.ArgumentError,
            f"einsum: term {part!r} of {subscripts!r} for {ndim} dimensions",
        )
    spread = range(-(ndim - fixed), 0) if dots else ()
    return (*map(ord, head), *spread, *map(ord, tail))


@functools.lru_cache(1024)
def _path(terms, result, shapes, optimize):
    """Which operands each step joins: np.einsum_path's steps, on stand-ins."""
    names = {i: n for n, i in enumerate(sorted(_all(terms)))}
    stand_ins = []
    for t, shape in zip(terms, shapes, strict=True):
        empty = np.lib.stride_tricks.as_strided(np.empty(1), shape, (0,) * len(shape))
        stand_ins += [empty, [names[i] for i in t]]
    result = [names[i] for i in result]
    # without NumPy's limit on intermediates, which may leave more than two to one step
    optimize = ("greedy", 1 << 62) if optimize in (True, False, "greedy") else optimize
    optimize = list(optimize) if "einsum_path" in optimize else optimize
    path, _ = np.einsum_path(*stand_ins, result, optimize=optimize)
    return path[1:]


def _merged(x, labels):
    """`x` with the diagonal taken where a label occurs twice."""
    labels = list(labels)
    for i in [i for i in dict.fromkeys(labels) if labels.count(i) > 1]:
        while labels.count(i) > 1:
            a = labels.index(i)
            b = labels.index(i, a + 1)
            if x.shape[a] != x.shape[b]:
                raise error(
                    errors.ShapeError, f"einsum: a repeated label in shape {x.shape}"
                )
            x = diagonal(x, 0, a, b)
            del labels[b], labels[a]
            labels.append(i)
    return x, labels


def _unstretched(arrays):
    """Operands without the axes of length 1 that are stretched by another operand."""
    sizes = {}
    for x, labels in arrays:
        for i, n in zip(labels, x.shape, strict=True):
            if sizes.setdefault(i, n) == 1:
                sizes[i] = n
            elif n not in (1, sizes[i]):
                raise error(
                    errors.ShapeError,
                    f"einsum: sizes {sizes[i]} and {n} under one label: operands with "
                    + ", ".join(str(y.shape) for y, _ in arrays),
                )
    result = []
    for x, labels in arrays:
        keep = [i for i, n in zip(labels, x.shape, strict=True) if n == sizes[i]]
        if len(keep) < len(labels):
            x = reshape_to(x, [sizes[i] for i in keep])
        result.append((x, keep))
    return result


def _summed(x, labels, kept):
    """`x` summed over the labels not in `kept`."""
    axes = [a for a, i in enumerate(labels) if i not in kept]
    if not axes:
        return x, labels
    return reduce("sum", x, axes), [i for i in labels if i in kept]


def _contract(x, a, y, b, kept):
    """Product of two operands, summed over labels that are not in `kept`."""
    x, a = _summed(x, a, kept | set(b))
    y, b = _summed(y, b, kept | set(a))
    batch = [i for i in a if i in b and i in kept]
    inner = [i for i in a if i in b and i not in kept]
    left = [i for i in a if i not in b]
    right = [i for i in b if i not in a]
    size = dict(zip(a, x.shape, strict=True)) | dict(zip(b, y.shape, strict=True))

    def laid_out(v, labels, *groups):
        order = [labels.index(i) for group in groups for i in group]
        v = v if order == list(range(len(order))) else transpose(v, order)
        return v

    def length(labels):
        return int(np.prod([size[i] for i in labels], dtype=np.int64))

    whole = [size[i] for i in batch + left + right]
    if inner and (left or right):
        x = laid_out(x, a, batch, left, inner)
        y = laid_out(y, b, batch, inner, right)
        lead = [size[i] for i in batch]
        x = reshape_to(x, [*lead, length(left), length(inner)])
        y = reshape_to(y, [*lead, length(inner), length(right)])
        return reshape_to(matmul(x, y), whole), batch + left + right
    x = laid_out(x, a, batch, left, inner)
    y = laid_out(y, b, batch, right, inner)
    ones = [1] * len(right)
    x = reshape_to(x, [size[i] for i in batch + left] + ones + [size[i] for i in inner])
    ones = [1] * len(left)
    y = reshape_to(
        y, [size[i] for i in batch] + ones + [size[i] for i in right + inner]
    )
    r = x * y
    if inner:
        n = len(whole)
        r = reduce("sum", r, list(range(n, n + len(inner))))
    return r, batch + left + right
