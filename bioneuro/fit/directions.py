"""What a matrix of curvatures says: errors, correlations, and in words which combinations of parameters the data leave open.

Coordinates: the logarithm of a parameter that cannot be negative, else the parameter in units of half its bounded interval.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LOOSE = 1.0
"""How far along a unit direction the data may leave parameters before it counts as open: about a factor e, or half the bounded interval."""

SMALL = 0.1
"""Parts of a direction smaller than this share of its largest are left out of the words."""


@dataclass(frozen=True, kw_only=True)
class Coordinate:
    """One number that was fitted: its name, value, bounds, unit, and scale: 0 where its logarithm is the coordinate."""

    name: str
    value: float
    low: float
    high: float
    unit: str
    size: float
    scale: float

    @property
    def logarithmic(self) -> bool:
        return self.scale == 0

    def at(self, distance: float) -> float:
        """The value so far away along the coordinate, no farther than the bounds."""
        value = self.value * np.exp(distance) if self.logarithmic else self.value + self.scale * distance
        return float(np.clip(value, self.low, self.high))

    def room(self, sign: int) -> float:
        """How far it is to the bound on one side, at most a factor of 1000 or as many scales."""
        bound = self.high if sign > 0 else self.low
        if self.logarithmic:
            far = np.inf if bound in (0, np.inf) else abs(np.log(bound / self.value))
        else:
            far = abs(bound - self.value) / self.scale
        return float(min(far, np.log(1e3) if self.logarithmic else 1e3))

    @property
    def slope(self) -> float:
        """Change of the value per unit of the coordinate."""
        return self.value if self.logarithmic else self.scale


@dataclass(frozen=True, kw_only=True, eq=False)
class Shape:
    """A minimum of a loss.

    Attributes:
        widths: half width of the interval of every coordinate, all others refitted; infinite where nothing holds it.
        correlation: of the errors.
        lengths, directions: how far the data leave the parameters along each direction (a column), tightest first; infinite if flat.
        open: directions that count as open, as coordinate number -> share, reduced to as few coordinates as possible.
    """

    widths: Floats
    correlation: Floats
    lengths: Floats
    directions: Floats
    open: tuple[Mapping[int, float], ...]


def shape(curvature: Floats, rise: float, noise: float) -> Shape:
    """The minimum with second derivatives `curvature`, up to where the loss is higher by `rise`.

    Arguments:
        noise: eigenvalues below this share of the largest are taken for zero, since no difference of gradients is that exact.
    """
    values, vectors = np.linalg.eigh(curvature)
    order = np.argsort(values)[::-1]
    values, vectors = values[order], vectors[:, order]
    flat = values <= noise * max(values[0], 0.0)
    lengths = np.where(flat, np.inf, np.sqrt(2 * rise / np.where(flat, 1.0, values)))
    finite = np.where(flat, 0.0, lengths)
    widths = np.sqrt(((vectors * finite) ** 2).sum(axis=1))
    widths[(np.abs(vectors[:, flat]) > 1e-3).any(axis=1)] = np.inf
    largest = np.where(flat, 1e3 * max(1.0, finite.max()), lengths)  # what is flat shows as a correlation of one
    covariance = (vectors * largest**2) @ vectors.T
    spread = np.sqrt(np.diag(covariance))
    return Shape(
        widths=widths,
        correlation=covariance / np.outer(spread, spread),
        lengths=lengths,
        directions=vectors,
        open=_reduced(vectors[:, lengths > LOOSE].T),
    )


def _reduced(rows: Floats) -> tuple[Mapping[int, float], ...]:
    """A basis of the same space with as many zeros as possible: Gauss and Jordan, largest pivot first."""
    rows = rows.copy()
    used: list[int] = []
    for k in range(rows.shape[0]):
        rest = np.abs(rows[k:]).copy()
        rest[:, used] = 0
        i, pivot = divmod(int(rest.argmax()), rest.shape[1])
        rows[[k, k + i]] = rows[[k + i, k]]
        rows[k] /= rows[k, pivot]
        for other in range(rows.shape[0]):
            if other != k:
                rows[other] -= rows[other, pivot] * rows[k]
        used.append(pivot)
    return tuple({j: float(x) for j, x in enumerate(row) if abs(x) > SMALL * np.abs(row).max()} for row in rows)


def say(direction: Mapping[int, float], coordinates: Sequence[Coordinate]) -> str:
    """One open direction in words: what changes together, and what of it is identified."""
    names = [coordinates[k].name for k in direction]
    if len(names) == 1:
        return f"{names[0]} is not identified: the loss hardly hangs on it"
    joined = f"{', '.join(names[:-1])} and {names[-1]}"
    if all(coordinates[k].logarithmic for k in direction):
        return f"{joined}: only {_invariants(direction, coordinates)} is identified, not each of them"
    changes = [_change(coordinates[k], share) for k, share in direction.items()]
    return f"{joined}: only a combination is identified; what changes together without telling: {', '.join(changes)}"


def _invariants(direction: Mapping[int, float], coordinates: Sequence[Coordinate]) -> str:
    """Products of powers that stay as they are along a direction of logarithms."""
    first, *others = sorted(direction, key=lambda k: (round(abs(direction[k]), 2), k))  # the smallest, so that powers are 1 or more
    found = []
    for k in others:
        power = direction[k] / direction[first]
        nice = round(2 * power) / 2
        power = nice if nice and abs(power - nice) < 0.05 * abs(nice) else power
        exponent = "" if abs(power) == 1 else f"**{abs(power):.3g}"
        found.append(f"{coordinates[k].name}{'/' if power > 0 else '*'}{coordinates[first].name}{exponent}")
    return " and ".join(found)


def _change(coordinate: Coordinate, share: float) -> str:
    """One hundredth of the way along a direction, of one coordinate."""
    step = 0.01 * share
    if coordinate.logarithmic:
        return f"{coordinate.name} by {100 * step:+.2g} %"
    return f"{coordinate.name} by {coordinate.scale * step / coordinate.size:+.2g} {coordinate.unit}"


def plain(value: Any, unit: str) -> str:
    """A number with its unit, as short as can be read."""
    return f"{value:.5g}" if unit in ("1", "integer") else f"{value:.5g} {unit}"
