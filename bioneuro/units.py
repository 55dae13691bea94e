"""Units by name, without importing Brian2 (which takes seconds): a name means a scale to SI and seven exponents.

Names and dimensions are Brian2's, so that `.quantity` of a parameter is an ordinary Brian2 quantity and a Brian2 quantity is
accepted wherever a number with a unit is asked for.
"""

import ast
import difflib
import functools
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Dimensions = tuple[float, float, float, float, float, float, float]
"""Exponents of length, mass, time, current, temperature, amount of substance, luminosity (Brian2's order)."""

DIMENSIONLESS: Dimensions = (0.0,) * 7

_BASE: dict[str, tuple[float, Dimensions]] = {
    "metre": (1.0, (1, 0, 0, 0, 0, 0, 0)),
    "meter": (1.0, (1, 0, 0, 0, 0, 0, 0)),
    "gram": (1e-3, (0, 1, 0, 0, 0, 0, 0)),
    "second": (1.0, (0, 0, 1, 0, 0, 0, 0)),
    "amp": (1.0, (0, 0, 0, 1, 0, 0, 0)),
    "ampere": (1.0, (0, 0, 0, 1, 0, 0, 0)),
    "kelvin": (1.0, (0, 0, 0, 0, 1, 0, 0)),
    "mole": (1.0, (0, 0, 0, 0, 0, 1, 0)),
    "molar": (1e3, (-3, 0, 0, 0, 0, 1, 0)),
    "hertz": (1.0, (0, 0, -1, 0, 0, 0, 0)),
    "newton": (1.0, (1, 1, -2, 0, 0, 0, 0)),
    "joule": (1.0, (2, 1, -2, 0, 0, 0, 0)),
    "watt": (1.0, (2, 1, -3, 0, 0, 0, 0)),
    "coulomb": (1.0, (0, 0, 1, 1, 0, 0, 0)),
    "volt": (1.0, (2, 1, -3, -1, 0, 0, 0)),
    "ohm": (1.0, (2, 1, -3, -2, 0, 0, 0)),
    "siemens": (1.0, (-2, -1, 3, 2, 0, 0, 0)),
    "farad": (1.0, (-2, -1, 4, 2, 0, 0, 0)),
    "pascal": (1.0, (-1, 1, -2, 0, 0, 0, 0)),
    "weber": (1.0, (2, 1, -2, -1, 0, 0, 0)),
    "tesla": (1.0, (0, 1, -2, -1, 0, 0, 0)),
    "henry": (1.0, (2, 1, -2, -2, 0, 0, 0)),
    "radian": (1.0, (0, 0, 0, 0, 0, 0, 0)),
    "steradian": (1.0, (0, 0, 0, 0, 0, 0, 0)),
    "candle": (1.0, (0, 0, 0, 0, 0, 0, 1)),
    "candela": (1.0, (0, 0, 0, 0, 0, 0, 1)),
    "lumen": (1.0, (0, 0, 0, 0, 0, 0, 1)),
    "lux": (1.0, (-2, 0, 0, 0, 0, 0, 1)),
    "becquerel": (1.0, (0, 0, -1, 0, 0, 0, 0)),
    "gray": (1.0, (2, 0, -2, 0, 0, 0, 0)),
    "sievert": (1.0, (2, 0, -2, 0, 0, 0, 0)),
    "katal": (1.0, (0, 0, -1, 0, 0, 1, 0)),
    "mol": (1.0, (0, 0, 0, 0, 0, 1, 0)),
}
_SHORT = {"V": "volt", "A": "amp", "F": "farad", "S": "siemens", "s": "second", "Hz": "hertz", "m": "metre", "M": "molar"}
_PREFIX = {"": 1.0, "f": 1e-15, "p": 1e-12, "n": 1e-9, "u": 1e-6, "m": 1e-3, "c": 1e-2, "k": 1e3, "M": 1e6, "G": 1e9}


def _table() -> dict[str, tuple[float, Dimensions]]:
    table: dict[str, tuple[float, Dimensions]] = {"1": (1.0, DIMENSIONLESS), "integer": (1.0, DIMENSIONLESS)}
    for prefix, factor in _PREFIX.items():
        for name, (scale, dims) in _BASE.items():
            table[prefix + name] = (factor * scale, dims)
        for short, name in _SHORT.items():
            scale, dims = _BASE[name]
            table[prefix + short] = (factor * scale, dims)
    table["kilogram"] = (1.0, (0, 1, 0, 0, 0, 0, 0))
    # Brian2 has none of these, and experiments that last hours are written in them.
    table |= {name: (seconds, _BASE["second"][1]) for seconds, names in ((60.0, "min minute"), (3600.0, "h hour")) for name in names.split()}
    return table


NAMES = _table()
"""Every unit name understood, with its factor to SI and its seven exponents."""


class UnitError(ValueError):
    """A unit is unknown, missing or has the wrong dimensions."""


@dataclass(frozen=True)
class Unit:
    """A unit such as ``mV`` or ``nS/ms``: the name as written, the factor to SI and the dimensions."""

    name: str
    scale: float
    dimensions: Dimensions

    def __str__(self) -> str:
        return self.name


def product(left: Dimensions, right: Dimensions, sign: float = 1.0) -> Dimensions:
    """Dimensions of a product, or with `sign` -1 of a quotient."""
    return tuple(x + sign * y for x, y in zip(left, right, strict=True))  # type: ignore[return-value]


def power(dimensions: Dimensions, exponent: float) -> Dimensions:
    """Dimensions of a power."""
    return tuple(d * exponent for d in dimensions)  # type: ignore[return-value]


def _exponent(node: ast.expr, name: str) -> float:
    sign = 1.0
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        sign, node = -1.0, node.operand
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and abs(node.value) <= 8:
        return sign * float(node.value)
    raise UnitError(f"unit {name!r}: an exponent is a number between -8 and 8")


def _evaluate(node: ast.expr, name: str) -> tuple[float, Dimensions]:
    if isinstance(node, ast.Constant) and node.value == 1:
        return 1.0, DIMENSIONLESS
    if isinstance(node, ast.Name):
        if node.id in NAMES:
            return NAMES[node.id]
        close = difflib.get_close_matches(node.id, NAMES, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise UnitError(f"unit {name!r}: {node.id!r} is not a unit name such as 'mV', 'ms', 'nS', 'volt' or '1'.{hint}")
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div):
        (a, left), (b, right) = _evaluate(node.left, name), _evaluate(node.right, name)
        times = isinstance(node.op, ast.Mult)
        return a * b if times else a / b, product(left, right, 1.0 if times else -1.0)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        scale, dims = _evaluate(node.left, name)
        exponent = _exponent(node.right, name)
        return scale**exponent, power(dims, exponent)
    raise UnitError(f"unit {name!r}: write unit names joined by '*', '/' and '**', for example 'nS', 'mV/ms' or '1'")


@functools.lru_cache(maxsize=512)
def unit(name: str) -> Unit:
    """The unit called `name`: unit names joined by ``*``, ``/`` and ``**``; ``1`` is dimensionless.

    Raises `UnitError` for anything else, naming the closest known unit.

    >>> unit("mV").scale, unit("nS/pF").dimensions[2]
    (0.001, -1.0)
    """
    if not isinstance(name, str) or len(name) > 100:
        raise UnitError(f"a unit is a text such as 'mV', not {name!r:.60}")
    try:
        tree = ast.parse(name.strip() or " ", mode="eval")
    except (SyntaxError, ValueError, RecursionError):
        raise UnitError(f"unit {name!r}: write unit names joined by '*', '/' and '**', for example 'mV/ms'") from None
    scale, dims = _evaluate(tree.body, name)
    return Unit(name=name.strip(), scale=scale, dimensions=dims)


def describe(dimensions: Dimensions) -> str:
    """A short text for dimensions: the name of a unit that has them, else the exponents."""
    for name in ("1", "second", "hertz", "volt", "amp", "siemens", "farad", "ohm", "metre", "coulomb", "mole"):
        if unit(name).dimensions == dimensions:
            return "no unit" if name == "1" else name
        if name not in ("1", "hertz") and unit(f"{name}/second").dimensions == dimensions:
            return f"{name}/second"
    symbols = ("metre", "kilogram", "second", "amp", "kelvin", "mole", "candela")
    return " ".join(f"{s}^{d:g}" for s, d in zip(symbols, dimensions, strict=True) if d) or "no unit"


_LITERAL = re.compile(r"^\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*\*?\s*(.*?)\s*$")


def base(dimensions: Dimensions) -> str:
    """A unit of these dimensions made of base units, such as ``metre**-2 * second``; "1" for a number."""
    powers = zip(("metre", "kilogram", "second", "amp", "kelvin", "mole", "candela"), dimensions, strict=True)
    return " * ".join(f"{name}**{exponent:g}" for name, exponent in powers if exponent) or "1"


def si(value: Any, place: str) -> tuple[NDArray[np.float64], Dimensions]:
    """A number, text such as ``"25 ms"`` or Brian2 quantity as SI values and dimensions.

    Raises `UnitError` (naming `place`) if `value` is no number.
    """
    if isinstance(value, str):
        match = _LITERAL.match(value) if len(value) <= 200 else None
        if not match:
            raise UnitError(f"{place}: {value!r:.60} is not a number with a unit, such as '25 ms'")
        u = unit(match[2] or "1")
        return np.asarray(float(match[1]) * u.scale), u.dimensions
    if isinstance(value, list | tuple) and any(hasattr(item, "dim") or isinstance(item, str) for item in value):
        # NumPy would drop the units of a list of quantities without a word.
        parts = [si(item, place) for item in value]
        if len({d for _, d in parts}) > 1:
            raise UnitError(f"{place}: the values have different units; give one array with one unit")
        return np.array([v for v, _ in parts]), parts[0][1]
    dims = getattr(value, "dim", None)
    dims = None if callable(dims) else dims  # a tensor's method of this name
    exponents = DIMENSIONLESS if dims is None else tuple(float(d) for d in dims._dims)
    try:
        array = np.array([] if value is None else value, dtype=np.float64)
        if value is None or isinstance(value, bool):
            raise TypeError
    except (TypeError, ValueError, OverflowError):
        raise UnitError(f"{place}: {value!r:.60} is not a number; give a number with a unit, such as 25*ms") from None
    return array, exponents  # type: ignore[return-value]


def in_unit(value: Any, expected: str, place: str) -> NDArray[np.float64]:
    """SI values of `value`, which must have the dimensions of the unit `expected`.

    Raises `UnitError` naming the place, what came, what is expected and the remedy.
    """
    array, dims = si(value, place)
    wanted = unit(expected).dimensions
    if dims != wanted:
        raise UnitError(
            f"{place}: expected a value in {expected!r} ({describe(wanted)}) but got {_shown(value)} ({describe(dims)}); "
            f"{'write a plain number' if wanted == DIMENSIONLESS else f'write for example 1*{expected}'}"
        )
    if not np.all(np.isfinite(array)):
        raise UnitError(f"{place}: the value {_shown(value)} is not finite; give finite numbers")
    return array


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
