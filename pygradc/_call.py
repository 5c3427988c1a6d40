"""The call path: functions that check Python values, run a program, and build a tree.

The work is done by `Replay` and `Bound` (csrc/python/), because a gradient of eight
numbers takes less time than Python needs to look at its arguments. Here trees are
described for them: a flat tuple of nodes ``(kind, what, keys, n)``, each before its
parts.
"""

from functools import partial
from itertools import repeat

from pygradc._lib import address
from pygradc._replay import (
    ARRAY,
    ATTRIBUTES,
    CHANGED,
    FIELDS,
    MAPPING,
    SEQUENCE,
    STATIC,
    Bound,
    Replay,
)
from pygradc._tree import keyed

__all__ = ["CHANGED", "bound", "described", "replay", "static"]

_ALL_ARRAYS = repeat(None)


def static(value):
    """The node of a leaf that is what it was."""
    return STATIC, value, None, 0


def described(structure, leaves=_ALL_ARRAYS, to_build=False):
    """Nodes of the tree `structure`.

    Parameters
    ----------
    structure : tree structure
    leaves : iterator, optional
        For each leaf its node, or None if it is the next array of the program.
    to_build : bool
        The tree is one of results: in place of the class of a dataclass stands what
        makes one of a dict.
    """
    nodes, n_arrays = [], 0

    def add(structure):
        nonlocal n_arrays
        if structure is None:
            nodes.append(static(None))
        elif structure is Ellipsis:
            node = next(leaves)
            nodes.append((ARRAY, None, None, n_arrays) if node is None else node)
            n_arrays += node is None
        else:
            kind, keys, parts = structure
            which = _kind_of(kind, keys)
            if which == ATTRIBUTES and to_build:
                kind = partial(keyed, kind)
            nodes.append((which, kind, keys, len(parts)))
            for part in parts:
                add(part)

    add(structure)
    return tuple(nodes)


def _kind_of(kind, keys):
    if kind is dict:
        return MAPPING
    if keys == "fields":
        return FIELDS
    return SEQUENCE if keys is None else ATTRIBUTES


def replay(program, take, captured, give):
    """Function of a tree of arguments: the tree of results, or CHANGED if the arguments
    are not those described.

    Parameters
    ----------
    program : Program
    take, give : tuple
        Trees of the arguments and results, as `described` returns them.
    captured : sequence of ndarray
        The last arguments of the program; contiguous and aligned.
    """
    n = len(program.args) - len(captured)
    return Replay(
        program.h,
        address(program.h),
        program.workspace,
        take,
        tuple(program.args[:n]),
        tuple(captured),
        give,
        tuple(program.results),
    )


def bound(program, args, results, shown, tree):
    """Function without arguments that runs `program` on the arrays `args` and `results`
    and returns `tree`. Its attributes: ``args``, which is `shown`, and ``results``."""
    return Bound(
        program.h,
        address(program.h),
        program.workspace,
        (*args, *results),
        len(args),
        shown,
        tree,
    )
