"""The user's own measurements from a CSV file.

    # pairs of layer-5 cells, 60 pairings at 1 Hz
    condition (ms),mean,sem,n
    -10,0.81,0.06,9
    10,1.32,0.11,8
    25,1.10,,

The first line that is no comment names the columns: ``condition`` with its unit in parentheses, ``mean`` (weight after / before, or what the
figure or the measure of a fit has), and, if known, ``sem`` (standard error of the mean) and ``n`` (number of experiments). Their cells may
be empty. Lines that begin with ``#`` are kept as caveats. Numbers have a decimal point. Nothing in the file is evaluated.

A condition may come twice with different numbers: these are two measurements, and a fit counts both. A row that repeats another in every
column is refused, since it is nearly always a copy.
"""

import csv
import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np

from bioneuro import units
from bioneuro.evidence.points import Points, Row, tabled
from bioneuro.records import did_you_mean

LARGEST = 1_000_000
"""Bytes of the largest file that is read."""

COLUMNS = ("condition", "mean", "sem", "n")
_NEEDED = COLUMNS[:2]
_NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
_COUNT = re.compile(r"[0-9]{1,15}")
_UNSEEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029]")
_LIKE = "as in 'condition (ms),mean,sem,n'"


class TableError(ValueError):
    """A table of measurements cannot be read."""


@dataclass(frozen=True)
class _Line:
    """A line with something in it: its number in the file, its cells without spaces around them."""

    number: int
    cells: tuple[str, ...]


@dataclass(frozen=True)
class _Read:
    """What a file says, before its units are known: the unit of its conditions ("" if it has none) and its rows."""

    unit: str
    rows: list[Row]
    comments: tuple[str, ...]
    digest: str


def read_csv(path: str | os.PathLike[str], *, unit: str = "", name: str = "") -> Points:
    """Measured points from the CSV file at `path`; the form is that of this module's example.

    Arguments:
        unit: what the conditions are in where the column does not say so itself; where it does, the two must be of one kind.
        name: what to call them in a legend; by default the name of the file without its suffix.

    Raises:
        TableError: the file is missing, too large, no UTF-8, or not of this form; it names the line, column, value and what is allowed.
        UnitError: `unit` is not a unit.
    """
    file = Path(path)
    found = _read(file)
    if not (found.unit or unit):
        _refuse(file, "column 'condition' has no unit; write it in parentheses, such as 'condition (ms)' or 'condition (Hz)', or give unit=")
    if found.unit and unit and units.unit(found.unit).dimensions != units.unit(unit).dimensions:
        _refuse(file, f"the conditions are in {found.unit!r}, which is no {unit!r}; give a table in {unit!r}, or in a unit of its kind")
    return tabled(
        name or file.stem,
        found.rows,
        unit=found.unit or unit,
        measures="",
        source=f"{file.name}, SHA-256 {found.digest}",
        caveats=found.comments,
    )


def unit_in(path: str | os.PathLike[str]) -> str:
    """The unit that the file at `path` gives for its conditions, or "" if it gives none. Raises `TableError` as `read_csv` does."""
    return _read(Path(path)).unit


def _refuse(file: Path, what: str, line: int | None = None) -> NoReturn:
    raise TableError(f"{file}{'' if line is None else f', line {line}'}: {what}")


def _read(file: Path) -> _Read:
    content = _content(file)
    try:
        text = content.decode("utf-8-sig")  # some spreadsheets begin UTF-8 with a mark
    except UnicodeDecodeError as error:
        before, byte = error.object[: error.start], error.object[error.start]
        _refuse(file, f"byte {byte:#04x} is not UTF-8; save the table as 'CSV UTF-8'", before.count(b"\n") + 1)
    lines = re.split(r"\r\n|\r|\n", text)
    for number, line in enumerate(lines, 1):
        if hidden := _UNSEEN.search(line):
            _refuse(file, f"holds the control character {hidden[0]!a}; save the table as plain text", number)
    comments = tuple(line.strip().lstrip("#").strip() for line in lines if line.lstrip().startswith("#"))
    filled = [_cells(file, n, line) for n, line in enumerate(lines, 1) if line.strip() and not line.lstrip().startswith("#")]
    if not filled:
        _refuse(file, f"is empty; begin with the names of the columns, {_LIKE}")
    columns, unit = _columns(file, filled[0])
    rows = [_row(file, line, columns) for line in filled[1:]]
    if not rows:
        _refuse(file, "has no row of numbers below the names of the columns; give at least one")
    _no_copies(file, filled[1:], rows)
    return _Read(unit=unit, rows=rows, comments=tuple(filter(None, comments)), digest=hashlib.sha256(content).hexdigest())


def _content(file: Path) -> bytes:
    if not file.is_file():
        _refuse(file, "is not a file; give the path of a CSV file")
    try:
        with file.open("rb") as stream:
            content = stream.read(LARGEST + 1)
    except OSError as error:
        raise TableError(f"{file}: cannot be read: {error.strerror}; give a CSV file that you may read") from None
    if len(content) > LARGEST:
        _refuse(file, f"is larger than {LARGEST} bytes; a table has a row per condition, so leave out raw traces")
    return content


def _cells(file: Path, number: int, line: str) -> _Line:
    try:  # line by line, so that an open quotation mark does not swallow the rest
        (cells,) = csv.reader([line], strict=True)
    except csv.Error as error:
        _refuse(file, f"{line!r:.60} is no line of CSV: {error}; write numbers separated by commas", number)
    return _Line(number, tuple(cell.strip() for cell in cells))


def _columns(file: Path, line: _Line) -> tuple[dict[str, int], str]:
    columns: dict[str, int] = {}
    unit = ""
    for k, title in enumerate(line.cells):
        shown = re.fullmatch(r"condition\s*\(([^()]*)\)", title, re.IGNORECASE)
        name = "condition" if shown else title.casefold()
        if name not in COLUMNS:
            hint = " Cells are separated by commas." if len(line.cells) == 1 and re.search(r"[;\t]", title) else did_you_mean(name, COLUMNS)
            _refuse(file, f"column {title!r:.60} is unknown; allowed: {', '.join(COLUMNS)}, {_LIKE}.{hint}", line.number)
        if name in columns:
            _refuse(file, f"column {name!r} comes twice; leave one out", line.number)
        columns[name] = k
        unit = _unit(file, line.number, shown[1]) if shown else unit
    if missing := [name for name in _NEEDED if name not in columns]:
        _refuse(file, f"has no column {missing[0]!r}; the first line names the columns, {_LIKE}", line.number)
    return columns, unit


def _unit(file: Path, number: int, name: str) -> str:
    try:
        return units.unit(name).name
    except units.UnitError as error:
        raise TableError(f"{file}, line {number}: column 'condition': {error}") from None


def _row(file: Path, line: _Line, columns: dict[str, int]) -> Row:
    if len(line.cells) != len(columns):
        comma = "; decimals are written with a point" if len(line.cells) > len(columns) else ""
        _refuse(file, f"has {len(line.cells)} cells, but there are {len(columns)} columns: {', '.join(columns)}{comma}", line.number)
    values = {name: _number(file, line.number, name, line.cells[k]) for name, k in columns.items()}
    return tuple(values.get(name, np.nan) for name in COLUMNS)


def _number(file: Path, number: int, column: str, cell: str) -> float:
    if not cell and column not in _NEEDED:
        return np.nan
    place = f"column {column!r}: {cell!r:.40}"
    if column == "n":
        if not _COUNT.fullmatch(cell) or int(cell) < 1:
            _refuse(file, f"{place} is not a whole number from 1; give the number of experiments, or leave the cell empty", number)
        return int(cell)
    if not _NUMBER.fullmatch(cell):
        _refuse(file, f"{place} is not a number; allowed: decimals with a point, such as 12, -0.5 or 1e-3", number)
    value = float(cell)
    if not np.isfinite(value):
        _refuse(file, f"{place} is too large for a number; check the exponent", number)
    if column == "sem" and value <= 0:
        _refuse(file, f"{place} is not positive; leave the cell empty where no standard error is known", number)
    return value


def _no_copies(file: Path, lines: Sequence[_Line], rows: Sequence[Row]) -> None:
    seen: dict[str, int] = {}
    for line, row in zip(lines, rows, strict=True):
        first = seen.setdefault(repr(tuple(map(float, row))), line.number)
        if first != line.number:
            _refuse(
                file,
                f"condition {row[0]:g}: repeats line {first} in every column; remove the copy, or, if these are two measurements, give one row "
                "with their mean, sem and n",
                line.number,
            )
