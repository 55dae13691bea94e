"""Spikes in a text file: a table with a spike per row, or one train per line.

    # two trials of two neurons; the second trial is silent
    time (ms),neuron,trial,label
    12.5,0,0,left
    13.1,1,0,left
    ,,1,right

The first line of a table that is no comment names its columns, separated by commas or tabs: ``time`` with its unit, and, where there are
several, ``neuron`` and ``trial``, numbers or names. Any other column says something of the trial, such as its label, and is the same in all
of its rows. A row without a time is no spike: it names a trial or a neuron that may be silent.

In a file without names of columns each line is one train, times separated by blanks, tabs or commas; an empty line is a silent neuron.
Nothing in the file is evaluated.
"""

import csv
import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from bioneuro import units
from bioneuro.classify.rows import ReadError, Rows, ordered

_NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
_UNSEEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029]")
_LONGEST = 200
"""Characters of the longest name."""
_LIKE = "as in 'time (ms),neuron,trial,label'"


def read_text(file: Path, content: bytes, unit: str) -> Rows:
    """The spikes in a text file.

    Arguments:
        unit: of times whose column does not name one.

    Raises:
        ReadError: the file is not of this form; it names the line, the column, the value and what is allowed.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        _refuse(file, f"byte {error.object[error.start]:#04x} is not UTF-8; save it as UTF-8 text", error.object[: error.start].count(b"\n") + 1)
    if hidden := _UNSEEN.search(text):
        _refuse(file, f"holds the control character {hidden[0]!a}; save it as plain text", text[: hidden.start()].count("\n") + 1)
    lines = [(n, line) for n, line in enumerate(re.split(r"\r\n|\r|\n", text), 1) if not line.lstrip().startswith("#")]
    if lines and not lines[-1][1].strip():
        lines.pop()  # what follows the last end of line
    first = next((line for _, line in lines if line.strip()), None)
    if first is None:
        _refuse(file, f"is empty; begin with the names of the columns, {_LIKE}")
    if all(_NUMBER.fullmatch(cell) for cell in re.split(r"[\s,;]+", first.strip()) if cell):
        return _trains(file, lines, unit)
    return _table(file, [(n, line) for n, line in lines if line.strip()], unit)


def _refuse(file: Path, what: str, line: int | None = None) -> NoReturn:
    raise ReadError(f"{file}{'' if line is None else f', line {line}'}: {what}")


def _time(file: Path, number: int, cell: str) -> float:
    value = float(cell) if _NUMBER.fullmatch(cell) else np.nan
    if not 0 <= value < np.inf:
        _refuse(file, f"time {cell!r:.40} is not a number from 0; give decimals with a point, counted from the start of the trial", number)
    return value


def _scale(file: Path, unit: str, line: int | None = None) -> float:
    try:
        known = units.unit(unit or "1")
    except units.UnitError as error:
        raise ReadError(f"{file}: {error}") from None
    if known.dimensions != units.unit("second").dimensions:
        _refuse(file, f"times {f'are in {unit!r}' if unit else 'have no unit'}; write it, as in 'time (ms)', or give unit=, such as unit='ms'", line)
    return known.scale


def _trains(file: Path, lines: list[tuple[int, str]], unit: str) -> Rows:
    """One train per line, of one trial."""
    scale = _scale(file, unit, lines[0][0])
    times, owner = array("d"), array("q")
    for k, (n, line) in enumerate(lines):
        for cell in filter(None, re.split(r"[\s,;]+", line.strip())):
            times.append(_time(file, n, cell))
            owner.append(k)
    found, unit_of = np.array(times) * scale, np.array(owner, np.int64)
    names = tuple(map(str, range(len(lines))))
    return Rows(place=str(file), time=found, trial=np.zeros(unit_of.size, np.int64), unit=unit_of, trials=1, neurons=names)


@dataclass(eq=False)
class _Column:
    """The trials or neurons met so far, by name, and which of them each spike is of."""

    numbers: dict[str, int] = field(default_factory=dict)
    of_spikes: "array[int]" = field(default_factory=lambda: array("q"))

    def sorted(self) -> tuple[list[str], NDArray[np.int64]]:
        """Names in order, and which of them each spike is of."""
        names = sorted(self.numbers, key=ordered)
        place = np.empty(len(names), np.int64)
        for k, name in enumerate(names):
            place[self.numbers[name]] = k
        return names, place[np.array(self.of_spikes, np.int64)]


def _table(file: Path, lines: list[tuple[int, str]], unit: str) -> Rows:
    head, *rest = _cells(file, lines)
    columns, own = _columns(file, *head)
    scale = _scale(file, own or unit, head[0])
    others = [name for name in columns if name not in ("time", "neuron", "trial")]
    neuron, trial, times = _Column(), _Column(), array("d")
    said: dict[str, list[str]] = {}
    for n, cells in rest:
        if len(cells) != len(columns):
            _refuse(file, f"has {len(cells)} cells, but there are {len(columns)} columns: {', '.join(columns)}", n)
        time, mine = cells[columns["time"]], cells[columns["trial"]] if "trial" in columns else "0"
        unit_name = cells[columns["neuron"]] if "neuron" in columns else "0"
        if not mine or (time and not unit_name):
            _refuse(file, f"names no {'neuron' if mine else 'trial'}; only a row without a time may leave the neuron out", n)
        if max(map(len, cells)) > _LONGEST:
            _refuse(file, f"holds a cell of more than {_LONGEST} characters; give short names", n)
        trial_number = trial.numbers.setdefault(mine, len(trial.numbers))
        values = [cells[columns[name]] for name in others]
        for name, value, before in zip(others, values, said.setdefault(mine, values), strict=True):
            if value != before:
                _refuse(file, f"{name!r} is {value!r}, but trial {mine!r} had {before!r}; give one value per trial", n)
        unit_number = neuron.numbers.setdefault(unit_name, len(neuron.numbers)) if unit_name else 0
        if time:
            times.append(_time(file, n, time))
            trial.of_spikes.append(trial_number)
            neuron.of_spikes.append(unit_number)
    if not neuron.numbers:
        _refuse(file, "names no neuron; give a row for each, without a time if it is silent")
    names, trial_of = trial.sorted()
    neurons, unit_of = neuron.sorted()
    conditions = {name: [said[trial_name][k] for trial_name in names] for k, name in enumerate(others)}
    if empty := [name for name, values in conditions.items() if "" in values]:
        _refuse(file, f"column {empty[0]!r} is empty in trial {names[conditions[empty[0]].index('')]!r}; give a value for each trial")
    found = np.array(times) * scale
    return Rows(place=str(file), time=found, trial=trial_of, unit=unit_of, trials=len(names), neurons=tuple(neurons), conditions=conditions)


def _cells(file: Path, lines: list[tuple[int, str]]) -> Iterator[tuple[int, list[str]]]:
    """Line by line, so that an open quotation mark does not swallow the rest."""
    separator = "\t" if "\t" in lines[0][1] else ","
    for number, line in lines:
        try:
            (cells,) = csv.reader([line], strict=True, delimiter=separator)
        except csv.Error as error:
            _refuse(file, f"{line!r:.60} is no line of a table: {error}; separate cells by commas or tabs", number)
        yield number, [cell.strip() for cell in cells]


def _columns(file: Path, number: int, cells: list[str]) -> tuple[dict[str, int], str]:
    """Name -> place of each column, and the unit that the times name."""
    columns: dict[str, int] = {}
    unit = ""
    hint = " Cells are separated by commas or tabs." if len(cells) == 1 and re.search(r"[; ]", cells[0]) else ""
    for k, title in enumerate(cells):
        timed = re.fullmatch(r"time\s*\(([^()]{1,40})\)", title, re.IGNORECASE)
        name = "time" if timed else title.casefold() if title.casefold() in ("time", "neuron", "trial") else title
        if not re.fullmatch(r"[^\W_][\w.+-]{0,99}", name) or name in columns:
            _refuse(file, f"column {title!r:.60} is no name, or comes twice; name each column once, {_LIKE}.{hint}", number)
        columns[name] = k
        unit = timed[1].strip() if timed else unit
    if "time" not in columns:
        _refuse(file, f"has no column 'time'; the first line names the columns, {_LIKE}.{hint}", number)
    return columns, unit
