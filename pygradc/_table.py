"""Reading tables of numbers: CSV files, checked cell by cell.

Everything that can be wrong with a file is one `TableError` line that names the file,
the row and the column. Rows are counted as a spreadsheet does: the header is row 1.
"""

import csv
import io
import math
import os
from dataclasses import dataclass
from importlib import resources

import numpy as np

DELIMITERS = ",;\t|"


class TableError(ValueError):
    """What is wrong with a table, and where: ``file: row 3, column 'age': ...``."""


@dataclass(frozen=True)
class Table:
    """A table of finite numbers.

    Attributes
    ----------
    source : str
        The file, as errors name it.
    columns : tuple of str
        Different names, none empty.
    values : ndarray, shape (rows, columns)
    """

    source: str
    columns: tuple
    values: np.ndarray

    def listed(self, most=20):
        """Names of the columns, in one line."""
        shown = ", ".join(self.columns[:most])
        rest = len(self.columns) - most
        return shown if rest <= 0 else f"{shown} and {rest} more"

    def split(self, target):
        """The inputs and the target.

        Parameters
        ----------
        target : str
            Name of a column.

        Returns
        -------
        names : tuple of str
            Of the other columns.
        X : ndarray, shape (rows, columns - 1)
        y : ndarray, shape (rows,)

        Raises
        ------
        TableError
            There is no such column, or no other one.
        """
        target = _one_line(target)
        if target not in self.columns:
            raise TableError(
                f"{self.source}: no column {target!r}; columns: " + self.listed()
            )
        if len(self.columns) == 1:
            raise TableError(f"{self.source}: no column beside the target {target!r}")
        at = self.columns.index(target)
        names = self.columns[:at] + self.columns[at + 1 :]
        return names, np.delete(self.values, at, axis=1), self.values[:, at].copy()


def read_csv(path):
    """The table in a CSV file with a header.

    Parameters
    ----------
    path : str or path
        UTF-8, with or without a byte order mark. Fields are separated by whatever of
        comma, semicolon, tab and bar splits the header into most; they may be quoted.

    Returns
    -------
    Table

    Raises
    ------
    TableError
        The file cannot be read; a column has no name or the name of another; a row has
        more or fewer fields than the header; a field is empty, no number, or not
        finite; or there are fewer than two rows.
    """
    source = os.fspath(path)
    try:
        with open(path, "rb") as file:
            raw = file.read()
    except OSError as e:
        raise TableError(f"{source}: {e.strerror or e}") from None
    return _parse(source, raw)


def read_diabetes():
    """The diabetes study that is shipped with the package; see data/diabetes.md.

    Returns
    -------
    Table
        442 rows; the columns age, sex, bmi, bp, s1 to s6, and progression.

    Raises
    ------
    TableError
        The installed file is damaged.
    """
    file = resources.files("pygradc.data").joinpath("diabetes.csv")
    return _parse("diabetes.csv", file.read_bytes())


def _parse(source, raw):
    header, rows = _records(source, _decoded(source, raw))
    columns = _column_names(source, header)
    if len(rows) < 2:
        found = "no rows" if not rows else "one row"
        raise TableError(f"{source}: {found} below the header; two are needed")
    values = np.empty((len(rows), len(columns)))
    for i, (number, row) in enumerate(rows):
        if len(row) != len(columns):
            fields = "1 field" if len(row) == 1 else f"{len(row)} fields"
            raise TableError(
                f"{source}: row {number}: {fields}, but the header has {len(columns)}"
            )
        try:
            values[i] = [_number(field) for field in row]
        except ValueError:
            raise _first_wrong(source, number, columns, row) from None
    return Table(source, columns, values)


def _decoded(source, raw):
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        row = raw.count(b"\n", 0, e.start) + 1
        raise TableError(
            f"{source}: row {row}: not UTF-8 text (byte 0x{raw[e.start]:02x})"
        ) from None


def _reader(lines, delimiter):
    # strict: a quote that is never closed must not swallow the rest of the file
    return csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True)


def _delimiter(lines):
    """What splits the first record into most fields; a comma if nothing does."""

    def fields(delimiter):
        try:
            return len(next(_reader(lines, delimiter)))
        except csv.Error:
            return 0

    return max(DELIMITERS, key=fields)


def _records(source, text):
    """The header and the numbered rows, without blank lines and, at the end, without
    rows of empty fields."""
    lines = list(io.StringIO(text, newline=""))
    blank = next((i for i, line in enumerate(lines) if line.strip()), len(lines))
    if blank == len(lines):
        raise TableError(f"{source}: the file is empty")
    records = []
    reader = _reader(lines[blank:], _delimiter(lines[blank:]))
    try:
        for number, row in enumerate(reader, start=blank + 1):
            records.append((number, row))
    except csv.Error as e:
        row = blank + len(records) + 1
        raise TableError(f"{source}: row {row}: {e}") from None
    while len(records) > 1 and not any(f.strip() for f in records[-1][1]):
        records.pop()
    return records[0][1], [(i, row) for i, row in records[1:] if not _is_blank(row)]


def _is_blank(row):
    return not row or (len(row) == 1 and not row[0].strip())


def _one_line(name):
    return " ".join(name.split())


def _column_names(source, header):
    names = tuple(_one_line(name) for name in header)
    seen = {}
    for i, name in enumerate(names, start=1):
        if not name:
            raise TableError(f"{source}: row 1: column {i} has no name")
        if name in seen:
            raise TableError(
                f"{source}: row 1: columns {seen[name]} and {i} are both called "
                f"{name!r}"
            )
        seen[name] = i
    return names


def _number(field):
    value = float(field)
    # float() takes 1_000, which no table means
    if "_" in field or not math.isfinite(value):
        raise ValueError
    return value


def _first_wrong(source, number, columns, row):
    """The error of the first field of `row` that is no finite number."""
    for name, field in zip(columns, row, strict=True):
        where = f"{source}: row {number}, column {name!r}"
        field = field.strip()
        try:
            _number(field)
        except ValueError:
            pass
        else:
            continue
        if not field:
            return TableError(f"{where}: the field is empty")
        shown = repr(field if len(field) <= 40 else field[:37] + "...")
        try:
            float(field.replace("_", "?"))
        except ValueError:
            return TableError(f"{where}: {shown} is no number")
        return TableError(f"{where}: {shown} is not finite")
    raise AssertionError("every field is a number")
