"""Measured points with their errors: the one form of published data and of the user's own."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from bioneuro import units
from bioneuro.records import frozen

Row = Sequence[float]
"""Condition, mean, standard error of the mean, number of experiments; the last two may be left out, or NaN where not published."""

RATIO = "weight after / before"


class PointsError(ValueError):
    """Measured points are not well formed."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Points:
    """Measured means along a condition.

    Attributes:
        name: what to call them in a legend.
        x: condition of each point, SI, shape (points,), in any order. A condition may come twice: these are two measurements.
        unit: what to show x in.
        mean: what was found, shape (points,); `measures` says what it is a number of.
        sem: standard error of each mean, NaN where none is known.
        n: number of experiments behind each mean, NaN where not known.
        along: the coordinate of a protocol that x is, such as ``lag`` or ``rate``; "" if none is.
        held: coordinates that are the same for all points -> SI value.
        protocol, source: in words.
        caveats: what a reader must know before leaning on a point.
    """

    name: str
    x: NDArray[np.float64]
    unit: str
    mean: NDArray[np.float64]
    sem: NDArray[np.float64]
    n: NDArray[np.float64]
    measures: str = RATIO
    along: str = ""
    held: Mapping[str, float] = field(default_factory=dict)
    protocol: str = ""
    source: str
    caveats: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for column in ("x", "mean", "sem", "n"):
            object.__setattr__(self, column, frozen(getattr(self, column)))
        object.__setattr__(self, "held", MappingProxyType(dict(self.held)))
        object.__setattr__(self, "caveats", tuple(self.caveats))
        units.unit(self.unit)
        if not self.name or not self.source:
            raise PointsError(f"points {self.name!r}, source {self.source!r}: both are needed; say what is shown and where it comes from")
        shapes = {column: getattr(self, column).shape for column in ("x", "mean", "sem", "n")}
        if len(set(shapes.values())) > 1 or self.x.ndim != 1 or not self.x.size:
            raise PointsError(f"points {self.name!r}: shapes {shapes}; give at least one point, and one value of each kind per point")
        for column in ("x", "mean"):
            _all(self, column, np.isfinite(getattr(self, column)), "a finite number")
        _all(self, "sem", np.isnan(self.sem) | (np.isfinite(self.sem) & (self.sem > 0)), "a positive number, or NaN where it is not known")
        _all(self, "n", np.isnan(self.n) | ((self.n >= 1) & (self.n == np.rint(self.n))), "a whole number from 1, or NaN where it is not known")


def _all(points: Points, column: str, good: NDArray[np.bool_], allowed: str) -> None:
    if not good.all():
        k = int(np.argmin(good))
        raise PointsError(f"points {points.name!r}: {column}[{k}] is {getattr(points, column)[k]}; allowed: {allowed}")


def tabled(
    name: str,
    rows: Sequence[Row],
    *,
    unit: str,
    source: str,
    measures: str = RATIO,
    along: str = "",
    held: Mapping[str, float] | None = None,
    protocol: str = "",
    caveats: tuple[str, ...] = (),
) -> Points:
    """`Points` from rows (condition in `unit`, mean, sem, n), of which sem and n may be left out."""
    full = np.array([[*row, *[np.nan] * (4 - len(row))] for row in rows], dtype=np.float64).reshape(-1, 4)
    x, mean, sem, n = full.T
    return Points(
        name=name, x=x * units.unit(unit).scale, unit=unit, mean=mean, sem=sem, n=n, measures=measures, along=along, held=held or {},
        protocol=protocol, source=source, caveats=caveats,
    )  # fmt: skip


def of_percent(rows: Sequence[Row]) -> list[Row]:
    """Rows of percent of the initial weight as rows of the ratio after / before."""
    return [(row[0], row[1] / 100, *[sem / 100 for sem in row[2:3]], *row[3:]) for row in rows]


def of_change(rows: Sequence[Row]) -> list[Row]:
    """Rows of percent change as rows of the ratio after / before."""
    return of_percent([(row[0], 100 + row[1], *row[2:]) for row in rows])


def as_change(points: Points) -> Points:
    """A ratio after / before as the change relative to before: what `bioneuro.measure.change` gives for a weight that starts at 1.

    Raises:
        PointsError: the points are not of a ratio.
    """
    if points.measures != RATIO:
        raise PointsError(f"points {points.name!r} measure {points.measures!r}; a change is taken of {RATIO!r} only")
    return dataclasses.replace(points, mean=points.mean - 1, measures="change of weight / weight before")
