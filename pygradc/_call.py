"""The call path of a recorded function: Python source written for one signature.

A gradient of eight numbers takes less time than a loop over its arguments. So for each
signature a function is written that takes the arguments apart, checks each of them
once and in line, enters C once and puts the results together. Its text depends on the
kinds of arguments and results only; shapes, dtypes and static values are constants
bound to it, so that signatures of one kind share the compiled text.
"""

import functools

from numpy import empty, floating, ndarray

from pygradc._lib import ffi, lib

# More leaves than this are passed by a loop: the text would take longer to compile than
# it could save.
MOST_LEAVES = 100

_HEAD = """\
def bind(constants, program, pop, append, frame, miss, copied):
    {constants} = constants
    h = program.h
    def call(args):
{checks}
        try:
            own = pop()
        except IndexError:
            own = frame()
        pointers, results, scalars, {cells} work = own
        try:
{arguments}
        except (BufferError, ValueError):
            return copied(args)
{results}
        if run(h, pointers, results, work, NULL):
            return copied(args)
        out = {out}
        {keep}
        return out
    return call
"""

_NAMES = {
    "ndarray": ndarray,
    "empty": empty,
    "from_buffer": ffi.from_buffer,
    "run": lib.gradc_run,
    "NULL": ffi.NULL,
}


@functools.lru_cache(maxsize=512)
def _compiled(source):
    scope = dict(_NAMES)
    exec(compile(source, "<pygradc call path>", "exec"), scope)
    return scope["bind"]


class _Writer:
    """Lines that take arguments apart, and the constants they use."""

    def __init__(self, scalars):
        self.checks, self.arguments, self.constants = [], [], []
        self._scalars = scalars  # places passed by value
        self._n_names = self._n_arrays = 0

    def constant(self, value):
        self.constants.append(value)
        return f"c{len(self.constants) - 1}"

    def _names(self, n):
        self._n_names += n
        return [f"x{i}" for i in range(self._n_names - n, self._n_names)]

    def _check(self, wrong):
        self.checks += [f"if {wrong}:", "    return miss(args)"]

    def take(self, structure, name, leaves):
        """Code for the tree `structure` in variable `name`; `leaves`: an iterator over
        the values met, which say what is checked."""
        if structure is Ellipsis:
            self._leaf(name, next(leaves))
            return
        if structure is None:
            self._check(f"{name} is not None")
            return
        kind, keys, parts = structure
        self._check(f"type({name}) is not {self.constant(kind)}")
        if keys is None:
            self._check(f"len({name}) != {len(parts)}")
        if kind is dict:
            self._check(f"tuple({name}) != {self.constant(keys)}")
        names = self._names(len(parts))
        if keys is None or keys == "fields":
            if parts:
                self.checks.append(f"{', '.join(names)}, = {name}")
        else:
            for key, part in zip(keys, names, strict=True):
                item = f"[{self.constant(key)}]" if kind is dict else f".{key}"
                self.checks.append(f"{part} = {name}{item}")
        for part, of in zip(names, parts, strict=True):
            self.take(of, part, leaves)

    def _leaf(self, name, value):
        kind = type(value)
        if kind is ndarray:
            dtype, shape = self.constant(value.dtype), self.constant(value.shape)
            self._check(
                f"type({name}) is not ndarray or {name}.dtype is not {dtype} "
                f"or {name}.shape != {shape}"
            )
            self._argument(name)
        elif kind is float or isinstance(value, floating):
            self._check(f"type({name}) is not {self.constant(kind)}")
            self._argument(name)
        else:
            same = f"type({name}) is {self.constant(kind)}"
            self._check(f"not ({same} and {name} == {self.constant(value)})")

    def _argument(self, name):
        i = self._n_arrays
        self._n_arrays += 1
        scalar = i in self._scalars
        self.arguments.append(
            f"scalars[{i}] = {name}"
            if scalar
            else f"pointers[{i}] = from_buffer({name})"
        )

    def tree(self, structure, leaves):
        """Expression that builds `structure` of `leaves`, an iterator of names."""
        if structure is Ellipsis:
            return next(leaves)
        if structure is None:
            return "None"
        kind, keys, parts = structure
        parts = [self.tree(p, leaves) for p in parts]
        if kind is tuple:
            return "(" + "".join(f"{p}, " for p in parts) + ")"
        if kind is list:
            return "[" + ", ".join(parts) + "]"
        if kind is dict:
            keys = [self.constant(k) for k in keys]
            pairs = zip(keys, parts, strict=True)
            return "{" + ", ".join(f"{k}: {p}" for k, p in pairs) + "}"
        if keys != "fields":
            parts = [f"{k}={p}" for k, p in zip(keys, parts, strict=True)]
        return f"{self.constant(kind)}({', '.join(parts)})"


def written(recording, structure, leaves, miss, copied):
    """Function of a tuple of arguments that replays `recording`.

    Parameters
    ----------
    recording : Recording
    structure : tree structure of the tuple of arguments
    leaves : list
        The arguments' leaves, as they were given.
    miss : callable
        Called with the arguments when they have another signature.
    copied : callable
        Called with the arguments when an array of them is not contiguous or not
        aligned, or the run failed.
    """
    program = recording.program
    w = _Writer(program.scalars)
    w.take(structure, "args", iter(leaves))
    allocations, cells, names = [], [], []
    for i, (shape, dtype, new) in enumerate(program.results):
        cells.append("_" if new else f"k{i}")
        names.append(f"r{i}" if new else f"k{i}[0]")
        if new:
            make = "empty" if new is empty else w.constant(new)
            made = f"{make}({w.constant(shape)}, {w.constant(dtype)})"
            allocations += [f"r{i} = {made}", f"results[{i}] = from_buffer(r{i})"]
    made = iter(names)
    parts = [next(made) if t else w.constant(v) for t, v in recording.leaves]
    out = w.tree(recording.structure, iter(parts))

    def indented(lines, depth):
        return "\n".join(" " * depth + line for line in lines or ["pass"])

    source = _HEAD.format(
        constants="".join(f"c{i}, " for i in range(len(w.constants))) or "()",
        checks=indented(w.checks, 8),
        cells=f"({''.join(c + ', ' for c in cells)})," if cells else "_,",
        arguments=indented(w.arguments, 12),
        results=indented(allocations, 8),
        out=out,
        keep="append(own)" if program.keeps_frames else "pass",
    )
    spare = program.spare
    return _compiled(source)(
        w.constants, program, spare.pop, spare.append, recording.frame, miss, copied
    )
