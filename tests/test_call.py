"""The call path: what `jit` does from its second call on, and bound calls."""

import dataclasses
import gc
import sys
import weakref
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import pygradc as pg

Pair = namedtuple("Pair", "first second")


@dataclasses.dataclass
class Params:
    w: np.ndarray
    b: float


def thrice(f, *args):
    """Results of three calls: recorded, replayed, and by the path written for it."""
    return [f(*args) for _ in range(3)]


TREES = {
    "floats": (1.0, 2.0),
    "tuple": ((1.0, np.arange(3.0)), 2.0),
    "list": ([np.arange(3.0), np.arange(3.0) + 1], np.float64(2.0)),
    "dict": ({"b": 1.0, "a": np.arange(3.0)}, 0.5),
    "namedtuple": (Pair(np.arange(3.0), 2.0), 1.0),
    "dataclass": (Params(np.arange(3.0), 2.0), [1.0, [2.0, ()]]),
    "float32": (np.arange(3, dtype=np.float32), np.float32(2)),
    "zero-dimensional": (np.array(1.5), np.array(2.5)),
    "empty": (np.zeros((0, 3)), 1.0),
}


@pytest.mark.parametrize("args", TREES.values(), ids=TREES)
def test_any_tree_goes_in_and_comes_out(args):
    leaves = lambda t: pg._tree.flatten(t, out := []) and out  # noqa: E731
    doubled = pg.jit(
        lambda *a: (pg._tree.map_leaves(lambda x: x * 2, a), None, "static")
    )
    for tree, nothing, static in thrice(doubled, *args):
        assert nothing is None and static == "static"
        assert pg._tree.flatten(tree, []) == pg._tree.flatten(args, [])
        for got, x in zip(leaves(tree), leaves(args), strict=True):
            np.testing.assert_array_equal(got, x * 2)
            assert np.result_type(got) == np.result_type(x * 2)


def test_another_signature_is_not_taken_for_the_latest():
    f = pg.jit(lambda a, k=2: np.sum(a) * k)
    calls = [
        ((np.ones(3),), 6.0),
        ((np.ones(4),), 8.0),
        ((np.ones(3, np.float32),), 6.0),
        ((1.0,), 2.0),
        ((1.0, 3), 3.0),
        ((1.0, 4), 4.0),
        ((1.0, np.int64(5)), 5.0),
        ((1.0, np.int64(6)), 6.0),
        ((1.0, np.bool_(True)), 1.0),
        ((1.0, np.bool_(False)), 0.0),
        ((np.ones((2, 3)),), 12.0),
    ]
    for _ in range(3):
        for args, expected in calls:
            for got in thrice(f, *args):
                assert got == expected
    g = pg.jit(lambda d: d["a"] - d["b"])
    for _ in range(3):
        assert g({"a": 1.0, "b": 2.0}) == -1.0
        assert g({"b": 2.0, "a": 1.0}) == -1.0
        with pytest.raises(KeyError):
            g({"a": 1.0, "c": 2.0})


def test_arrays_of_any_layout_after_contiguous_ones():
    f = pg.jit(lambda x: x * 2.0)
    x = np.arange(12.0).reshape(3, 4)
    thrice(f, x)
    raw = np.zeros(12 * 8 + 1, np.uint8)
    unaligned = raw[1:].view(np.float64).reshape(3, 4)
    unaligned[...] = x
    read_only = x.copy()
    read_only.flags.writeable = False
    others = [np.asfortranarray(x), np.repeat(x, 2, axis=1)[:, ::2], x.astype(">f8")]
    for other in [*others, unaligned, read_only]:
        np.testing.assert_array_equal(f(other), x * 2)
    np.testing.assert_array_equal(pg.grad(lambda x: np.sum(x**2))(unaligned), 2 * x)


@pytest.mark.parametrize("n", [2, 60_000])
def test_captured_arrays_outlive_a_call_that_had_to_copy(n):
    K = np.arange(2.0 * n).reshape(2, n)
    f = pg.jit(lambda x: x * K)
    x, expected = np.ones((2, n)), K.copy()
    thrice(f, x)
    for _ in range(3):
        f(np.asfortranarray(x))
        occupied = [np.full((2, n), 777.0) for _ in range(20)]
        np.testing.assert_array_equal(f(x), expected)
        assert len(occupied) == 20


def test_integers_of_other_sizes_are_taken_as_int64():
    f = pg.jit(lambda x, i: x[i] * 2.0)
    x, i = np.arange(5.0), np.array([3, 0])
    thrice(f, x, i)
    for dtype in (np.int8, np.uint8, np.int32, np.uint32, ">i4", np.longlong):
        np.testing.assert_array_equal(f(x, i.astype(dtype)), [6.0, 0.0])
    with pytest.raises(pg.DTypeError):
        f(x, i.astype(np.uint64))
    with pytest.raises((pg.IndexRangeError, IndexError)):
        f(x, np.array([3, 7]))


def test_arguments_by_name_are_replayed_too():
    f = pg.jit(lambda x, *, scale, shift=0.0: x * scale + shift)
    for _ in range(3):
        assert f(2.0, scale=3.0) == 6.0
        assert f(2.0, shift=1.0, scale=3.0) == 7.0
        assert f(2.0, scale=3.0, shift=2.0) == 8.0
    with pytest.raises(TypeError):
        f(2.0)


def test_a_call_keeps_nothing_of_its_arguments():
    f = pg.jit(lambda t: {"double": t["x"] * 2, "all": [t["x"], t["k"]]})
    x, k = np.arange(3.0), np.ones(2)
    tree = {"x": x, "k": k}
    before = [sys.getrefcount(v) for v in (x, k, tree)]
    results = thrice(f, tree)
    assert [sys.getrefcount(v) for v in (x, k, tree)] == before
    gone = [weakref.ref(r["double"]) for r in results] + [weakref.ref(x)]
    del x, k, tree, results
    assert [r() for r in gone] == [None] * 4


def test_a_jit_function_can_be_freed_though_it_is_static_in_itself():
    class Owner:
        def __init__(self):
            self.f = pg.jit(lambda x, owner: x * 2)

    owner = Owner()
    assert thrice(owner.f, 2.0, owner) == [4.0] * 3
    gone = weakref.ref(owner)
    del owner
    gc.collect()
    assert gone() is None


class Clears:
    """A static value that empties a container when it is compared."""

    def __init__(self, container):
        self.container = container

    def __hash__(self):
        return 0

    def __eq__(self, other):
        for part in (self.container, other.container):
            part.clear()
        return True


@pytest.mark.parametrize("kind", [list, dict])
def test_arguments_that_change_while_they_are_read(kind):
    def tree():
        parts = kind() if kind is list else {}
        values = [np.arange(1000.0), Clears(parts), np.arange(1000.0)]
        parts.extend(values) if kind is list else parts.update(enumerate(values))
        return parts

    f = pg.jit(lambda t: sum(v.sum() for v in (t[0], t[2])) if len(t) else 0.0)
    assert f(tree()) == 999000.0
    for _ in range(3):
        assert f(tree()) in (0.0, 999000.0)


def test_a_dict_whose_keys_are_replaced_while_they_are_compared():
    class Key:
        """Equal to all of its kind; puts another entry behind itself when asked."""

        def __init__(self):
            self.owner = {}

        def __hash__(self):
            return 0

        def __eq__(self, other):
            for owner in (self.owner, getattr(other, "owner", {})):
                for value in list(owner.values()):
                    owner.clear()
                    owner["more"] = value
            return isinstance(other, Key)

    def tree():
        key = Key()
        key.owner[key] = np.arange(1000.0)
        return key.owner

    f = pg.jit(lambda t: sum(v.sum() for v in t.values()))
    for _ in range(4):
        assert f(tree()) == 499500.0


def test_a_static_value_that_cannot_be_compared_says_so():
    class Odd:
        def __hash__(self):
            return 0

        def __eq__(self, other):
            raise ZeroDivisionError("no")

    f = pg.jit(lambda x, odd: x)
    assert f(1.0, Odd()) == 1.0
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            f(1.0, Odd())


def test_a_function_of_variables_takes_what_it_is_given():
    x, y = pg.var("x", 3), pg.var("y")
    f = pg.function([x, y], [x * y, np.sum(x)])
    expected = [[2.0, 4.0, 6.0], 6.0]
    for args in (
        (np.array([1.0, 2.0, 3.0]), 2.0),
        ([1, 2, 3], 2),
        (np.array([1, 2, 3]), np.array(2)),
        (np.arange(1.0, 7.0)[::2] / 2 + 0.5, np.float32(2)),
    ):
        product, total = f(*args)
        np.testing.assert_array_equal(product, expected[0])
        assert total == expected[1]


def test_inside_a_trace_the_function_is_traced():
    f = pg.jit(lambda x: x**3)
    thrice(f, 2.0)
    assert pg.grad(f)(2.0) == 12.0
    assert pg.grad(lambda x: f(2.0) * x)(3.0) == 8.0


def test_results_of_two_calls_share_nothing():
    f = pg.jit(lambda x: (x + 1, x.reshape(-1), 3.0))
    x = np.zeros((2, 3))
    results = [a for out in thrice(f, x) for a in out[:2]] + [x]
    for i, a in enumerate(results):
        assert not any(np.shares_memory(a, b) for b in results[:i])


def test_large_results_live_as_long_as_a_view_of_them():
    n = 1 << 17
    f = pg.jit(lambda x: x + 1)
    held = [f(np.full(n, float(i)))[5:6] for i in range(4)]
    gc.collect()
    for _ in range(4):
        f(np.full(n, 100.0))
    assert [float(v[0]) for v in held] == [1.0, 2.0, 3.0, 4.0]


def test_memory_of_large_results_is_used_again():
    n = 1 << 17
    f = pg.jit(lambda x: x + 1)
    x = np.zeros(n)
    places = {f(x).ctypes.data for _ in range(20)}
    assert len(places) <= 2


def test_threads_share_a_jit_function():
    f = pg.jit(pg.value_and_grad(lambda x, k: np.sum(np.sin(x) * k)))

    def work(i):
        x = np.full(7, float(i))
        return all(np.array_equal(f(x, float(i))[1], np.cos(x) * i) for _ in range(300))

    f(np.zeros(7), 1.0)
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(16)))


def test_bound_call_reads_and_writes_in_place():
    f = pg.jit(pg.value_and_grad(lambda w, b: np.sum(np.sin(w)) * b, (0, 1)))
    w = np.arange(3.0)
    call = f.bind(w, 2.0)
    for value in (0.5, 1.5):
        w[:] = value
        call.args[1][...] = value
        v, (dw, db) = call()
        expected = f(w, value)
        assert v == expected[0] and db == expected[1][1]
        np.testing.assert_array_equal(dw, expected[1][0])
        assert call.results[1][0] is dw


def test_bound_call_writes_to_the_arrays_given():
    f = pg.jit(lambda x, y: {"sum": x + y, "none": None})
    x, y, out = np.arange(3.0), np.ones(3), {"sum": np.empty(3), "none": None}
    assert f.bind(x, y, out=out)()["sum"] is out["sum"]
    np.testing.assert_array_equal(out["sum"], x + y)


@pytest.mark.parametrize(
    "out, error, words",
    [
        (
            np.empty(4),
            pg.ShapeError,
            r"array 0 of out is no float64 array of shape \(3,\)",
        ),
        (np.empty(3, np.float32), pg.ShapeError, "no float64 array"),
        (np.empty(6)[::2], pg.ArgumentError, "not C-contiguous and writeable"),
        ((np.empty(3),), pg.ArgumentError, "not the structure of the results"),
    ],
)
def test_bind_names_what_is_wrong_with_out(out, error, words):
    with pytest.raises(error, match=words):
        pg.jit(lambda x: x * 2).bind(np.ones(3), out=out)


def test_bind_refuses_shared_and_strided_memory():
    f, x = pg.jit(lambda x: x * 2), np.ones(3)
    with pytest.raises(pg.ArgumentError, match="shares memory"):
        f.bind(x, out=x)
    with pytest.raises(pg.ArgumentError, match="array 0 of the arguments is not C-con"):
        f.bind(np.ones(6)[::2])


def test_bound_index_out_of_range_is_an_error():
    call = pg.jit(lambda x, i: x[i]).bind(np.arange(3.0), i := np.array([0, 2]))
    np.testing.assert_array_equal(call(), [0.0, 2.0])
    i[1] = 7
    with pytest.raises(pg.IndexRangeError):
        call()


def test_bound_call_outlives_its_function_and_the_arrays_it_captured():
    def times_table():
        table = np.arange(300.0)
        return pg.jit(lambda x: x * table)

    call = times_table().bind(np.ones(300))
    gc.collect()
    occupied = [np.full(300, np.nan) for _ in range(100)]
    np.testing.assert_array_equal(call(), np.arange(300.0))
    assert np.isnan(occupied).all()
