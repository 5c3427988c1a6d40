"""Pytrees: tuples, lists, dicts, named tuples and dataclasses of leaves."""

import dataclasses


def flatten(tree, leaves):
    """Appends the leaves of `tree` to `leaves`; returns its structure, which is
    hashable and makes `unflatten` possible. None is a tree without leaves."""
    kind = type(tree)
    if kind is tuple or kind is list:
        return kind, None, tuple([flatten(t, leaves) for t in tree])
    if kind is dict:
        keys = tuple(tree)
        return dict, keys, tuple([flatten(tree[k], leaves) for k in keys])
    if tree is None:
        return None
    if isinstance(tree, tuple) and hasattr(kind, "_fields"):
        return kind, "fields", tuple([flatten(t, leaves) for t in tree])
    if dataclasses.is_dataclass(kind):
        names = tuple(f.name for f in dataclasses.fields(kind))
        return kind, names, tuple([flatten(getattr(tree, n), leaves) for n in names])
    leaves.append(tree)
    return Ellipsis


def unflatten(structure, leaves):
    """The tree of `structure` with leaves taken from the iterator `leaves`."""
    if structure is Ellipsis:
        return next(leaves)
    if structure is None:
        return None
    kind, keys, parts = structure
    items = [unflatten(p, leaves) for p in parts]
    if kind is list or kind is tuple:
        return kind(items)
    if kind is dict:
        return dict(zip(keys, items, strict=True))
    if keys == "fields":
        return kind(*items)
    return kind(**dict(zip(keys, items, strict=True)))


def map_leaves(function, tree):
    """`tree` with `function` applied to each leaf."""
    leaves = []
    structure = flatten(tree, leaves)
    return unflatten(structure, iter([function(x) for x in leaves]))
