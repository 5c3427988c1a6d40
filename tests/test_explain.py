"""`explain`: derivations as golden files, formulas against the engine's numbers."""

import numpy as np
import pytest
from explain_cases import CASES, GOLDEN, explained

import pygradc as pg


@pytest.fixture(autouse=True)
def strict(monkeypatch):
    """A formula that disagrees with the engine is an error, not left out."""
    monkeypatch.setattr("pygradc._explain.build.STRICT", True)


# ---- the worked examples ----


@pytest.mark.parametrize("ending", ["txt", "tex"])
@pytest.mark.parametrize("name", CASES)
def test_worked_example_is_derived_as_in_the_golden_file(name, ending):
    e = explained(name)
    got = e.text() if ending == "txt" else e.latex()
    assert got == (GOLDEN / f"{name}.{ending}").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", CASES)
def test_text_fits_eighty_columns(name):
    from pygradc._explain.plain import width_of

    assert max(width_of(line) for line in explained(name).text().splitlines()) <= 80


def result(f, *args, **options):
    """The derivative by the first variable, as text."""
    return repr(pg.explain(f, *args, **options).derivatives[0].result)


@pytest.mark.parametrize(
    ("f", "expected"),
    [
        (lambda x: np.sin(x**2), "2x·cos(x²)"),
        (lambda x: np.log(np.sin(x**3) ** 2), "6x²·cos(x³)/sin(x³)"),
        (lambda x: x + x**2, "1 + 2x"),
        (lambda x: np.sin(x + x**2), "cos(x + x²)·(1 + 2x)"),
        (lambda x: x * x**2, "3x²"),
    ],
)
def test_scalar_derivative_is_what_a_person_would_write(f, expected):
    assert result(f) == expected
