"""Numbers of a short script: in their own unit where nothing is lost, else in SI."""

import ast
import sys
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bioneuro import units
from bioneuro.brian.literals import array, number, quantity

FEW = 12
"""Arrays of up to so many numbers are written as lists."""

BRIAN2 = sys.modules["brian2"]  # loaded, behind its guard, by bioneuro.brian


def listed(values: Iterable[Any]) -> str:
    """Few numbers as a Python list, many as an array."""
    plain = np.asarray(values)
    if plain.size > 1 and not plain.any():
        return f"[0]*{plain.size}"
    return "[" + ", ".join(number(v) for v in plain.tolist()) + "]" if plain.size <= FEW else array(plain)


def amount(si: NDArray[Any], unit: str) -> str:
    """Values in their own unit where Brian2's arithmetic gives back the very same numbers, else in SI."""
    scale = None if units.unit(unit).dimensions == units.DIMENSIONLESS else _scale(unit)
    if scale:
        each, back = np.unique(si, return_inverse=True)
        shown = np.array([_shown(x, scale) for x in each.tolist()])[back].reshape(si.shape)
        if not np.isnan(shown).any():
            return f"{array(shown) if shown.ndim else number(shown.item())}*{unit if unit.isidentifier() else f'({unit})'}"
    if units.unit(unit).dimensions == units.DIMENSIONLESS and not si.ndim and unit != "integer":
        return repr(float(si))  # a whole number without a point would be an integer to Brian2
    return quantity(si, unit)


def _shown(si: float, scale: float) -> float:
    """The shortest number that times `scale` is `si`, or NaN."""
    for digits in (6, 15, 17):
        if (found := float(f"{si / scale:.{digits}g}")) * scale == si:
            return found
    return np.nan


def _scale(unit: str) -> float | None:
    """The factor to SI of a unit such as ``mV/ms``, if Brian2 knows all of its parts, as Brian2 works it out."""
    found = ast.parse(unit, mode="eval").body
    try:
        return float(_evaluated(found))
    except (AttributeError, TypeError):
        return None


def _evaluated(node: ast.expr) -> Any:
    if isinstance(node, ast.Name):
        found = getattr(BRIAN2, node.id)
        return found if isinstance(found, BRIAN2.Quantity) else None
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.UnaryOp):
        return -_evaluated(node.operand)
    left, right = (_evaluated(side) for side in (node.left, node.right))  # type: ignore[attr-defined]
    kind = type(node.op)  # type: ignore[attr-defined]
    return left * right if kind is ast.Mult else left / right if kind is ast.Div else left**right
