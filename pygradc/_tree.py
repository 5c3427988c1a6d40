"""Pytrees: tuples, lists, dicts, named tuples and dataclasses of leaves."""

from operator import itemgetter

from numpy import ndarray

from pygradc import errors
from pygradc._lib import error

# What most leaves are; told first.
_LEAVES = frozenset((ndarray, float))


def is_tree(x):
    """Whether `x` is a container that is taken apart, and no leaf."""
    return isinstance(x, (tuple, list, dict)) or hasattr(
        type(x), "__dataclass_fields__"
    )


def flatten(tree, leaves):
    """Appends the leaves of `tree` to `leaves`; returns its structure, which is
    hashable and makes `unflatten` possible. None is a tree without leaves."""
    kind = type(tree)
    if kind in _LEAVES:
        leaves.append(tree)
        return Ellipsis
    if kind is tuple or kind is list:
        return kind, None, tuple([flatten(t, leaves) for t in tree])
    if kind is dict:
        keys = tuple(tree)
        return dict, keys, tuple([flatten(tree[k], leaves) for k in keys])
    if tree is None:
        return None
    if isinstance(tree, tuple) and hasattr(kind, "_fields"):
        return kind, "fields", tuple([flatten(t, leaves) for t in tree])
    if hasattr(kind, "__dataclass_fields__"):
        names = _field_names(kind)
        return kind, names, tuple([flatten(getattr(tree, n), leaves) for n in names])
    leaves.append(tree)
    return Ellipsis


def leaves_like(structure, tree, what):
    """Leaves of `tree` in the order of `structure`, whose containers and keys it must
    have. Lists and tuples may stand for each other.

    Raises
    ------
    ShapeError
        `tree`, which the error calls `what`, has another structure.
    """
    if structure is Ellipsis and not is_tree(tree) and tree is not None:
        return [tree]
    if structure is None and tree is None:
        return []
    if structure in (None, Ellipsis):
        wanted = "None" if structure is None else "an array or a number"
        raise _unlike(what, f"is a {type(tree).__name__} where {wanted} belongs")
    kind, keys, parts = structure
    in_order = keys is None or keys == "fields"
    if not isinstance(tree, (tuple, list) if in_order else kind):
        name = type(tree).__name__
        raise _unlike(what, f"is a {name}, and must be a {kind.__name__}")
    own = children(tree)
    keys = range(len(parts)) if in_order else keys
    if set(own) != set(keys):
        raise _unlike(what, f"has the parts {list(own)}, and must have {list(keys)}")
    return [
        leaf
        for key, part in zip(keys, parts, strict=True)
        for leaf in leaves_like(part, own[key], f"{what}[{key!r}]")
    ]


def _unlike(what, why):
    return error(errors.ShapeError, f"{what} {why}")


def _field_names(kind):
    """Names of the fields of a dataclass."""
    from dataclasses import fields  # by now imported; few programs need it

    return tuple(f.name for f in fields(kind))


def check_leaf(x, what):
    """Raises DTypeError if leaf `x` is a container, whose parts nobody would see."""
    if isinstance(x, (tuple, list, dict, set, frozenset)):
        raise error(
            errors.DTypeError,
            f"{what} an instance of {type(x).__name__}: only tuples, lists, dicts, "
            "named tuples and dataclasses are taken apart",
        )


def flat(kind, n):
    """The structure of a tuple or list of `n` leaves."""
    return kind, None, (Ellipsis,) * n


def children(tree):
    """The parts of the container `tree`, by name or number."""
    if isinstance(tree, dict):
        return tree
    if isinstance(tree, (tuple, list)):
        return dict(enumerate(tree))
    return {n: getattr(tree, n) for n in _field_names(type(tree))}


def builder(structure, start=0):
    """Function from a list of leaves to the tree of `structure`, and how many leaves
    it takes from place `start` on. Made once, called often: tuples of leaves, and pairs
    of trees, are built without a loop."""
    if structure is Ellipsis:
        return itemgetter(start), 1
    if structure is None:
        return lambda leaves: None, 0
    kind, keys, parts = structure
    count, parts_of = 0, []
    for part in parts:
        build, n = builder(part, start + count)
        parts_of.append(build)
        count += n
    if kind is tuple and len(parts) > 1 and all(p is Ellipsis for p in parts):
        return itemgetter(*range(start, start + count)), count
    if kind is tuple and len(parts) == 2:
        first, second = parts_of
        return lambda leaves: (first(leaves), second(leaves)), count
    if kind is list or kind is tuple:
        return lambda leaves: kind([build(leaves) for build in parts_of]), count
    if keys == "fields":
        return lambda leaves: kind(*[build(leaves) for build in parts_of]), count

    def by_key(leaves):
        return keyed(
            kind, {k: build(leaves) for k, build in zip(keys, parts_of, strict=True)}
        )

    return by_key, count


def keyed(kind, parts):
    """A dict, or a dataclass with these fields. What the latter's constructor makes of
    the fields it takes is overwritten: they are what it made of them before."""
    if kind is dict:
        return parts
    from dataclasses import fields  # as in `_field_names`

    made = kind(**{f.name: parts[f.name] for f in fields(kind) if f.init})
    for name, part in parts.items():
        object.__setattr__(made, name, part)
    return made


def unflatten(structure, leaves):
    """The tree of `structure` with the given `leaves`, as many as it takes. What a
    `builder` does that is made for one call."""
    return _next_tree(structure, iter(leaves))


def _next_tree(structure, leaves):
    if structure is Ellipsis:
        return next(leaves)
    if structure is None:
        return None
    kind, keys, parts = structure
    parts = [_next_tree(part, leaves) for part in parts]
    if keys is None:
        return kind(parts)
    if keys == "fields":
        return kind(*parts)
    return keyed(kind, dict(zip(keys, parts, strict=True)))


def map_leaves(function, tree):
    """`tree` with `function` applied to each leaf."""
    leaves = []
    structure = flatten(tree, leaves)
    return unflatten(structure, iter([function(x) for x in leaves]))
