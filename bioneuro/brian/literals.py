"""Numbers, arrays and remarks as Python text that reads back as the very same values."""

import json
import textwrap
from typing import Any

import numpy as np
from brian2 import units as brian2_units
from brian2.units.fundamentalunits import Quantity
from numpy.typing import NDArray

from bioneuro import units

WIDTH = 120
MANY = 2000
"""Arrays written out in more numbers than this get a remark that says so."""

_BASE = ("metre", "kilogram", "second", "amp", "kelvin", "mole", "candela")
_NAMED = ("second", "hertz", "volt", "amp", "siemens", "farad", "ohm", "coulomb", *_BASE)


def remark(text: str) -> str:
    """Free text for behind a ``#``: on one line, printable characters only, so that nothing in it becomes code."""
    return "".join(c for c in " ".join(text.split()) if c.isprintable())


def string(text: str) -> str:
    """A Python string literal in double quotes."""
    return json.dumps(text)


def base_unit(name: str) -> str:
    """The unit of the same dimensions without a scale, as Brian2 wants it in equations: ``volt`` for ``mV``, ``1`` for none."""
    dimensions = units.unit(name).dimensions
    if dimensions == units.DIMENSIONLESS:
        return "1"
    for known in _NAMED:
        if known in units.NAMES and units.unit(known).dimensions == dimensions:
            return known
    powers = [f"{base}**{power:g}" if power != 1 else base for base, power in zip(_BASE, dimensions, strict=True) if power]
    return " * ".join(powers)


def quantity(si: NDArray[Any], unit: str) -> str:
    """A value in `unit` if Brian2 knows that unit by the same name and nothing is lost, else in SI: ``20*ms``, ``0.02*second``."""
    if units.unit(unit).dimensions == units.DIMENSIONLESS:
        return array(si) if si.ndim else number(si.item())
    if si.ndim == 0 and _spoken(unit):
        scale = units.unit(unit).scale
        for digits in (6, 15, 17):
            shown = float(f"{si.item() / scale:.{digits}g}")
            if shown * scale == si.item():
                return f"{number(shown)}*{_factor(unit)}"
    return f"{array(si) if si.ndim else number(si.item())}*{_factor(base_unit(unit))}"


def _factor(unit: str) -> str:
    return unit if unit.isidentifier() else f"({unit})"


def _spoken(unit: str) -> bool:
    """Whether ``from brian2 import *`` gives this unit under the same name with the same scale."""
    found = getattr(brian2_units, unit, None)
    return isinstance(found, Quantity) and float(found) == units.unit(unit).scale


def number(value: Any) -> str:
    """The shortest text of one number; whole floats lose their ``.0`` where they stay short."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e6:
        return str(int(value))
    return repr(value)


def array(values: NDArray[Any]) -> str:
    """A NumPy expression for an array of one or two dimensions: repeats, tiles and progressions are written as such, exactly."""
    if values.ndim == 2:
        return _rows(values)
    n = values.size
    if n > 4:
        for found in (_full, _progression, _tiles, _runs, _shifted):
            if text := found(values):
                return text
    return _listed(values)


def _full(values: NDArray[Any]) -> str:
    return f"np.full({values.size}, {values[0].item()!r})" if (values == values[0]).all() else ""


def _progression(values: NDArray[Any]) -> str:
    if values.dtype.kind != "i" or (np.diff(values) != values[1] - values[0]).any():
        return ""
    first, step = int(values[0]), int(values[1] - values[0])
    stop = first + step * values.size
    if step == 1:
        return f"np.arange({stop})" if first == 0 else f"np.arange({first}, {stop})"
    return f"np.arange({first}, {stop}, {step})"


def _periods(n: int) -> list[int]:
    return [p for p in range(1, n // 2 + 1) if n % p == 0]


def _tiles(values: NDArray[Any]) -> str:
    for p in _periods(values.size):
        if (values[p:] == values[:-p]).all():
            return f"np.tile({array(values[:p])}, {values.size // p})"
    return ""


def _runs(values: NDArray[Any]) -> str:
    starts = np.concatenate([[0], np.flatnonzero(values[1:] != values[:-1]) + 1])
    counts = np.diff(np.append(starts, values.size))
    alike = (counts == counts[0]).all()
    if starts.size == values.size or (not alike and 4 * starts.size > values.size):
        return ""
    each = str(counts[0]) if alike else array(counts)
    return f"np.repeat({array(values[starts])}, {each})"


def _shifted(values: NDArray[Any]) -> str:
    """A block that comes again and again, each time moved by the same whole number."""
    for p in _periods(values.size) if values.dtype.kind == "i" else []:
        shift = values[p:] - values[:-p]
        if p > 1 and (shift == shift[0]).all():
            times = f"{'' if shift[0] == 1 else f'{shift[0]}*'}np.arange({values.size // p})"
            return f"np.add.outer({times}, {array(values[:p])}).ravel()"
    return ""


def _listed(values: NDArray[Any]) -> str:
    text = ", ".join(repr(v) for v in values.tolist())
    if len(text) <= WIDTH - 30:
        return f"np.array([{text}])" if values.size else f"np.array([], dtype={'int' if values.dtype.kind == 'i' else 'float'})"
    note = f"  # {values.size} numbers" if values.size > MANY else ""
    return f"np.array([{note}\n{textwrap.fill(text, WIDTH, initial_indent='    ', subsequent_indent='    ')}\n])"


def _rows(values: NDArray[Any]) -> str:
    n, columns = values.shape
    if n > 1 and (values == values[0]).all():
        return f"np.tile({array(values[0])}, ({n}, 1))"
    starts = np.concatenate([[0], np.flatnonzero((values[1:] != values[:-1]).any(axis=1)) + 1])
    if 4 * starts.size <= n:
        return f"np.repeat({_rows(values[starts])}, {array(np.diff(np.append(starts, n)))}, axis=0)"
    return f"{array(values.ravel())}.reshape(-1, {columns})"
