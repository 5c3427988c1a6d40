"""The neuron, its data and its training: numbers against closed forms and NumPy."""

import numpy as np
import pytest

from pygradc import _neuron
from pygradc._table import TableError, read_csv, read_diabetes

RNG = np.random.default_rng(3)


def closed_gradient(w, b, X, y):
    """(2/N) Σ e_i x̂_i over the active rows: the article's sum, spelled out."""
    dw, db = np.zeros(len(w)), 0.0
    for x_i, y_i in zip(X, y, strict=True):
        z = w @ x_i + b
        if z > 0:
            dw += 2 / len(y) * (z - y_i) * x_i
            db += 2 / len(y) * (z - y_i)
    return dw, db


@pytest.mark.parametrize("shape", [(1, 1), (7, 3), (50, 17), (2, 0)])
def test_gradient_is_the_articles_sum(shape):
    X, y = RNG.normal(size=shape), RNG.normal(size=shape[0])
    w, b = RNG.normal(size=shape[1]), 0.3
    value, (dw, db) = _neuron.gradient(w, b, X, y)
    expected_dw, expected_db = closed_gradient(w, b, X, y)
    np.testing.assert_allclose(value, _neuron.loss(w, b, X, y), rtol=1e-14)
    np.testing.assert_allclose(dw, expected_dw, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(db, expected_db, rtol=1e-12, atol=1e-14)


def test_gradient_of_a_dead_neuron_is_zero():
    X = RNG.normal(size=(5, 2))
    _, (dw, db) = _neuron.gradient(np.zeros(2), 0.0, X, np.ones(5))
    np.testing.assert_array_equal(dw, [0, 0])
    assert db == 0


# ---- the check against finite differences ----


@pytest.mark.parametrize("offset", [0, 10, 1e8])
def test_check_accepts_the_gradient(offset):
    X, y = RNG.normal(size=(300, 4)), RNG.normal(size=300) + offset
    worst, checked = _neuron.largest_difference(X, y, np.random.default_rng(0))
    assert worst < 1e-9
    assert checked == 5


def test_check_looks_at_a_bounded_part_of_large_data():
    X, y = RNG.normal(size=(1000, 150)), RNG.normal(size=1000)
    worst, checked = _neuron.largest_difference(X, y, np.random.default_rng(0))
    assert worst < 1e-9
    assert checked == 100


@pytest.mark.parametrize("factor", [0.0, 0.999, 1.00001, -1.0, np.nan])
def test_check_rejects_a_wrong_gradient(monkeypatch, factor):
    right = _neuron.gradient

    def wrong(*args):
        value, (dw, db) = right(*args)
        return value, (factor * dw, db)

    monkeypatch.setattr(_neuron, "gradient", wrong)
    X, y = RNG.normal(size=(300, 4)), RNG.normal(size=300)
    worst, _ = _neuron.largest_difference(X, y, np.random.default_rng(0))
    assert not worst <= 1e-7


# ---- scaling and descent ----


@pytest.mark.parametrize("size", [1.0, 1e-300, 1e300])
def test_scaling_gives_mean_0_and_deviation_1(size):
    X = size * (RNG.normal(size=(40, 3)) + [0, 5, -2])
    y = size * RNG.uniform(1, 2, size=40)
    scaling = _neuron.Scaling.of(X, y)
    scaled = scaling.inputs(X)
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-14)
    np.testing.assert_allclose(scaled.std(axis=0), 1, rtol=1e-13)
    np.testing.assert_allclose(np.std(y / scaling.unit), 1, rtol=1e-13)


def test_constant_columns_are_scaled_to_zero():
    X = np.column_stack([np.full(6, 0.1), np.arange(6.0), np.zeros(6)])
    scaling = _neuron.Scaling.of(X, np.full(6, 3.0))
    np.testing.assert_array_equal(scaling.constant, [True, False, True])
    scaled = scaling.inputs(X)
    np.testing.assert_array_equal(scaled[:, [0, 2]], 0)
    assert scaling.unit == 3
    # also where the held-out rows differ
    np.testing.assert_array_equal(scaling.inputs(X + 1)[:, [0, 2]], 0)
    np.testing.assert_array_equal(scaling.per_unit(np.ones(3))[[0, 2]], 0)


def test_weights_per_unit_give_the_same_neuron():
    X, y = RNG.normal(size=(30, 3)) * [1, 10, 0.1] + 4, RNG.uniform(5, 9, size=30)
    scaling = _neuron.Scaling.of(X, y)
    w, b = RNG.normal(size=3), 0.2
    scaled = scaling.unit * np.maximum(0, scaling.inputs(X) @ w + b)
    own = scaling.per_unit(w)
    own_b = scaling.unit * b - own @ X.mean(axis=0)
    np.testing.assert_allclose(np.maximum(0, X @ own + own_b), scaled, rtol=1e-12)


def test_descent_reaches_least_squares_where_all_rows_are_active():
    X = RNG.normal(size=(200, 3))
    y = 20 + X @ [1.0, -2.0, 0.5] + 0.1 * RNG.normal(size=200)
    X = _neuron.Scaling.of(X, y).inputs(X)
    *_, (_, w, b, _) = _neuron.descend(X, y, _neuron.default_rate(X), 500)
    hat = np.column_stack([X, np.ones(200)])
    expected = np.linalg.lstsq(hat, y, rcond=None)[0]
    np.testing.assert_allclose(np.append(w, b), expected, rtol=1e-9)


def test_descent_finds_a_neuron_that_is_often_0():
    X = RNG.normal(size=(500, 2))
    y = np.maximum(0, X @ [1.0, 2.0] - 0.5)
    steps = list(_neuron.descend(X, y, _neuron.default_rate(X), 3000))
    _, w, b, _ = steps[-1]
    np.testing.assert_allclose(np.append(w, b), [1, 2, -0.5], rtol=1e-6)


def test_loss_never_rises_at_the_default_rate():
    names, X, y = read_diabetes().split("progression")
    scaling = _neuron.Scaling.of(X, y)
    X, y = scaling.inputs(X), y / scaling.unit
    losses = [v for v, *_ in _neuron.descend(X, y, _neuron.default_rate(X), 200)]
    assert np.all(np.diff(losses) <= 1e-12)


def test_default_rate_is_safe_for_many_columns():
    X = RNG.normal(size=(20, 600))
    exact = 0.5 / np.linalg.eigvalsh(X @ X.T / 20)[-1]
    assert 0 < _neuron.default_rate(X) <= exact


def test_both_forms_train_the_same_neuron():
    """w, b and x against ŵ = [wᵀ, b]ᵀ and x̂ = [xᵀ, 1]ᵀ."""
    X = RNG.normal(size=(60, 4))
    y = np.maximum(0, X @ RNG.normal(size=4) + 0.3)
    hat = np.column_stack([X, np.ones(60)])
    *_, (_, w, b, _) = _neuron.descend(X, y, 0.1, 100)
    both = np.append(np.zeros(4), max(y.mean(), 0.1))
    for _ in range(100):
        _, (slope, _) = _neuron.gradient(both, 0.0, hat, y)
        both = both - 0.1 * slope
    np.testing.assert_allclose(both, np.append(w, b), rtol=1e-10)


def test_descent_with_too_high_a_rate_says_so():
    X, y = RNG.normal(size=(20, 2)), RNG.uniform(5, 6, size=20)
    with np.errstate(all="ignore"), pytest.raises(_neuron.Diverged):
        list(_neuron.descend(X, y, 1e300, 50))


# ---- tables ----


def read(tmp_path, content):
    path = tmp_path / "file.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_csv(path)


GOOD = {
    "comma": "a,b\n1,2\n3,4\n",
    "semicolon": "a;b\n1;2\n3;4\n",
    "tab": "a\tb\n1\t2\n3\t4\n",
    "bar": "a|b\n1|2\n3|4\n",
    "byte order mark": b"\xef\xbb\xbfa,b\n1,2\n3,4\n",
    "quoted": '"a","b"\n"1","2"\n"3","4"\n',
    "spaces": " a , b\n 1 ,  2\n3,4 \n",
    "space before quote": 'a, "b"\n1, "2"\n3,4\n',
    "CR LF": "a,b\r\n1,2\r\n3,4\r\n",
    "CR": "a,b\r1,2\r3,4\r",
    "no final line end": "a,b\n1,2\n3,4",
    "blank lines": "\n\na,b\n1,2\n\n3,4\n\n   \n\n",
    "empty fields at the end": "a,b\n1,2\n3,4\n,\n , \n",
    "exponents": "a,b\n1e0,.2e1\n+3,4.\n",
}


@pytest.mark.parametrize("content", GOOD.values(), ids=GOOD)
def test_csv_is_read(tmp_path, content):
    table = read(tmp_path, content)
    assert table.columns == ("a", "b")
    np.testing.assert_array_equal(table.values, [[1, 2], [3, 4]])


def test_csv_names_may_hold_delimiters_and_line_ends(tmp_path):
    table = read(tmp_path, '"a, in\n cm";b\n1;2\n3;4\n')
    assert table.columns == ("a, in cm", "b")


BAD = {
    "text": ("age,b\n1,2\nabc,4\n", "row 3, column 'age': 'abc' is no number"),
    "all text": ("a,b\nx,y\nz,w\n", "row 2, column 'a': 'x' is no number"),
    "underscore": ("a,b\n1_0,2\n3,4\n", "row 2, column 'a': '1_0' is no number"),
    "NUL": ("a,b\n1,2\n3,\0\n", "row 3, column 'b': '\\x00' is no number"),
    "decimal comma": ("a;b\n1;2\n3;4,5\n", "row 3, column 'b': '4,5' is no number"),
    "long text": (
        "a,b\n1,2\n" + "x" * 99 + ",4\n",
        "row 3, column 'a': '" + "x" * 37 + "...' is no number",
    ),
    "NaN": ("a,b\n1,2\n3,NaN\n", "row 3, column 'b': 'NaN' is not finite"),
    "inf": ("a,b\n1,2\n-inf,4\n", "row 3, column 'a': '-inf' is not finite"),
    "too large": ("a,b\n1,2\n1e999,4\n", "row 3, column 'a': '1e999' is not finite"),
    "empty field": ("a,b\n1,2\n,4\n", "row 3, column 'a': the field is empty"),
    "rows count blanks": ("a,b\n\n1,2\n\n?,4\n", "row 5, column 'a': '?' is no number"),
    "short row": ("a,b\n1,2\n3\n", "row 3: 1 field, but the header has 2"),
    "long row": ("a,b\n1,2\n3,4,5\n", "row 3: 3 fields, but the header has 2"),
    "empty": ("", "the file is empty"),
    "only blanks": ("\n  \n", "the file is empty"),
    "header only": ("a,b\n", "no rows below the header; two are needed"),
    "one row": ("a,b\n1,2\n,\n", "one row below the header; two are needed"),
    "same name": ("a,b,a\n1,2,3\n", "row 1: columns 1 and 3 are both called 'a'"),
    "no name": ("a,,b\n1,2,3\n", "row 1: column 2 has no name"),
    "not UTF-8": (b"a,b\n1,2\n\xe9,4\n", "row 3: not UTF-8 text (byte 0xe9)"),
    "UTF-16": ("a,b\n1,2\n".encode("utf-16-le"), "row 2: 1 field, but"),
    "open quote": ('a,b\n1,2\n"3,4\n5,6\n', "row 3: unexpected end of data"),
    "huge field": ("a,b\n1," + "9" * 200_000, "row 2: field larger than field limit"),
}


@pytest.mark.parametrize(("content", "what"), BAD.values(), ids=BAD)
def test_bad_csv_is_one_line_with_file_row_and_column(tmp_path, content, what):
    if content == BAD["UTF-16"][0]:
        what = ""  # NULs between the letters; any one line will do
    with pytest.raises(TableError) as e:
        read(tmp_path, content)
    text = str(e.value)
    assert text.startswith(f"{tmp_path / 'file.csv'}: {what}")
    assert "\n" not in text


def test_unreadable_files_are_named(tmp_path):
    with pytest.raises(TableError, match=r"gone\.csv: No such file or directory"):
        read_csv(tmp_path / "gone.csv")
    with pytest.raises(TableError, match="Is a directory"):
        read_csv(tmp_path)


def test_target_must_be_a_column_beside_others(tmp_path):
    table = read(tmp_path, "a,b\n1,2\n3,4\n")
    names, X, y = table.split(" b ")
    assert names == ("a",)
    np.testing.assert_array_equal(X, [[1], [3]])
    np.testing.assert_array_equal(y, [2, 4])
    with pytest.raises(TableError, match=r"file\.csv: no column 'c'; columns: a, b"):
        table.split("c")
    with pytest.raises(TableError, match="no column beside the target 'a'"):
        read(tmp_path, "a\n1\n2\n").split("a")


def test_many_columns_are_listed_in_part(tmp_path):
    header = ",".join(f"c{i}" for i in range(30))
    table = read(tmp_path, header + "\n" + 2 * (",".join(["1"] * 30) + "\n"))
    assert table.listed().endswith("c18, c19 and 10 more")


def test_diabetes_is_the_published_table():
    table = read_diabetes()
    assert table.columns == (
        *("age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"),
        "progression",
    )
    assert table.values.shape == (442, 11)
    # mean of the target and of the age, as the literature gives them
    np.testing.assert_allclose(table.values[:, -1].mean(), 152.13348416)
    np.testing.assert_allclose(table.values[:, 0].mean(), 48.5180995)
    np.testing.assert_array_equal(np.unique(table.values[:, 1]), [1, 2])
