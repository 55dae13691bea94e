"""Every published number of the catalogue equals the same number typed a second time, in `published_table.py`."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import published_table
import pytest
import zoo

from bioneuro.model import Circuit, Parameter, parameter

UNCHECKED = 21
"""Numbers of the table that could be checked nowhere. It may fall."""

OURS = "chosen here"
"""How the source of a number begins that no paper gives."""


@dataclass(frozen=True)
class Typed:
    """A number of the table, its unit, where it was looked up, and whether that was nowhere."""

    value: float
    unit: str
    checked: str
    unchecked: bool


def numbers(text: str) -> Iterator[tuple[str, str, Typed]]:
    """(circuit, placed parameter, number) of a table in the form that `published_table` describes."""
    for block in re.split(r"\n\s*\n", text.strip()):
        head, *lines = block.splitlines()
        title, checked = (part.strip() for part in head.split(" | "))
        columns: list[tuple[str, str]] = []
        rows: dict[str, list[tuple[str, str, str]]] = {} if "{}" in title else {title: []}
        common = []
        for line in lines:
            if " | " in line:
                name, values = line.split(" | ")
                cells = values.split()
                if len(cells) != len(columns):
                    raise ValueError(f"published_table, {title}: {line!r} has {len(cells)} values for {len(columns)} columns")
                rows[title.format(name.strip())] = [(*column, cell) for column, cell in zip(columns, cells, strict=True)]
            elif " = " in line:
                name, cell = line.split(" = ")
                common.append((*next(named(name)), cell.strip()))
            else:
                columns = list(named(line))
        for circuit, cells in rows.items():
            for path, unit, cell in [*cells, *common]:
                if cell != "-":
                    yield circuit, path, Typed(float(cell.lstrip("?")), unit, checked, cell.startswith("?"))


def named(line: str) -> Iterator[tuple[str, str]]:
    """``object.parameter[unit] parameter[unit]`` as placed names and units; an object holds until the next is named."""
    owner = ""
    for word in line.split():
        name, unit = re.fullmatch(r"([\w.]+)(?:\[(.+)\])?", word).groups()
        owner, name = name.split(".") if "." in name else (owner, name)
        yield f"{owner}.{name}", unit or "1"


ROWS = list(numbers(published_table.BLOCKS))
TABLE = {(circuit, path): typed for circuit, path, typed in ROWS}
CIRCUITS: dict[str, Circuit] = {e.name: e.circuit for group in zoo.GROUPS for e in group}


def published(circuit: Circuit) -> dict[str, Parameter]:
    return {path: p for path, p in circuit.values.items() if not p.source.startswith(OURS)}


@pytest.mark.parametrize("name", CIRCUITS)
def test_numbers_are_the_published_ones(name: str) -> None:
    wrong = []
    for path, p in published(CIRCUITS[name]).items():
        if (name, path) not in TABLE:
            wrong.append(f"{path}: no second value; look {p.source!r} up and add a row to tests/published_table.py")
            continue
        typed = TABLE[name, path]
        again = parameter(typed.value, typed.unit).value
        if not np.allclose(p.value, again, rtol=1e-14, atol=0):
            wrong.append(f"{path}: {p} in the catalogue ({p.source}), {typed.value:.12g} {typed.unit} in the table ({typed.checked})")
    assert not wrong, f"{name}:\n" + "\n".join(wrong)


def test_table_is_about_the_catalogue() -> None:
    """No number is typed twice in the table itself, and none is left of a model that has gone or was renamed."""
    assert len(ROWS) == len(TABLE), sorted({row[:2] for row in ROWS if [r[:2] for r in ROWS].count(row[:2]) > 1})
    lost = [f"{name}: {path}" for name, path in TABLE if name not in CIRCUITS or path not in CIRCUITS[name].values]
    assert not lost, lost


def test_unchecked_numbers_are_counted(ledger) -> None:
    total = [(name, path) for name, circuit in CIRCUITS.items() for path in published(circuit)]
    open_ones = [f"{name}: {path} = {TABLE[name, path].value:g}" for name, path in total if (name, path) in TABLE and TABLE[name, path].unchecked]
    print(f"{len(open_ones)} of {len(total)} numbers could be checked nowhere (from memory):", *open_ones, sep="\n  ")
    told = f"{len(open_ones)} of {len(total)} numbers from memory"
    ledger("catalogue", "a second table, typed independently", "published numbers that could be checked nowhere", len(open_ones), UNCHECKED, told)


def test_form_of_the_table() -> None:
    text = """
    some {} | a book
        s.tau[ms] gain r.x
    a b | 20 ?2 -
    c   | 1e1 0.5 3
    r.y[1/mV**2] = 7

    other | a letter
    s.tau[second] = 0.02
    """
    found = {(circuit, path): typed for circuit, path, typed in numbers("\n".join(line[4:] for line in text.splitlines()))}
    assert found["some a b", "s.tau"] == Typed(20.0, "ms", "a book", False)
    assert found["some a b", "s.gain"] == Typed(2.0, "1", "a book", True)
    assert ("some a b", "r.x") not in found
    assert found["some c", "r.y"] == Typed(7.0, "1/mV**2", "a book", False)
    assert found["other", "s.tau"].unit == "second"
    with pytest.raises(ValueError, match="has 1 values for 2 columns"):
        list(numbers("some {} | a book\n s.tau s.gain\na | 1"))
