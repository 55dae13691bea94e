"""Numbers along a coordinate of the trials: curves, and what they are made of."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from array_api_compat import array_namespace, is_torch_array
from numpy.typing import NDArray
from scipy import special

from bioneuro import units
from bioneuro.evidence.points import Points
from bioneuro.recording import Recording, of_trials


class MeasureError(ValueError):
    """A recording lacks what a measure needs."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Curve:
    """A measure along a coordinate.

    Attributes:
        x: values of the coordinate, SI, increasing order of first appearance; `unit` is what to show them in.
        y: one value per x, of NumPy or torch. error: its standard error, 0 where there is no sampling.
    """

    name: str
    x: NDArray[np.float64]
    unit: str
    y: Any
    error: Any


Measure = Callable[[Recording], Curve]


def final(recording: Recording, path: str) -> Any:
    """The last reading of a trace, shape (trial, unit)."""
    return recording[path][:, -1, :]


def grouped(recording: Recording, values: Any, *by: str) -> tuple[Any, list[NDArray[np.float64]]]:
    """`values` (trial, ...) as (group, repetition, ...): trials with equal coordinates `by` stand together.

    Returns the array and the coordinate values of the groups. Raises `MeasureError` for an unknown coordinate or unequal groups.
    """
    for name in by:
        if name not in recording.conditions:
            raise MeasureError(f"no coordinate {name!r}; the trials have {sorted(recording.conditions)}")
    table = np.stack([recording.conditions[name].values for name in by])
    keys, which, counts = np.unique(table, axis=1, return_inverse=True, return_counts=True)
    if np.any(counts != counts[0]):
        raise MeasureError(f"the groups by {by} have {counts.min()} to {counts.max()} trials; a table of all combinations has equal ones")
    order = np.argsort(which.ravel(), kind="stable")
    return values[order].reshape((keys.shape[1], int(counts[0]), *values.shape[1:])), list(keys)


def above(recording: Recording, path: str, level: float) -> Any:
    """Probability that the last reading of `path` lies above `level`, shape (trial, unit).

    From a recording that carries mean and variance (`Twin.moments`) it is the Gaussian probability, else 0 or 1.
    """
    value = final(recording, path)
    xp = array_namespace(value)
    variance = f"{path}_variance"
    if variance not in recording.traces:
        return xp.astype(value > level, xp.float64)
    spread = final(recording, variance)
    sure = spread <= 0
    safe = xp.where(sure, xp.ones_like(spread), spread)
    erf = xp.erf if is_torch_array(value) else special.erf
    smooth = 0.5 * (1 + erf((value - level) / xp.sqrt(2 * safe)))
    return xp.where(sure, xp.astype(value > level, smooth.dtype), smooth)


def weight_ratio(
    recording: Recording, *, along: str = "lag", path: str = "calcium.rho", rho_star: float = 0.5, beta: float = 0.5, b: float = 5.0
) -> Curve:
    """Mean synaptic weight after over before, for synapses of which a share `beta` starts DOWN (0) and the rest UP (1).

    ((1-U) beta + D (1-beta) + b (U beta + (1-D)(1-beta))) / (beta + (1-beta) b); Graupner & Brunel 2012, SI. U is the share of
    synapses that go up from 0, D of those that go down from 1; a synapse is UP above `rho_star`.

    Raises `MeasureError` unless the trials have a coordinate ``start`` with initial states 0 and 1 of `path`.
    """
    up, (x, start) = grouped(recording, above(recording, path, rho_star)[:, 0], along, "start")
    if not np.array_equal(np.unique(start), [0.0, 1.0]):
        raise MeasureError(f"weight_ratio needs both initial states; give the protocol initial={{{path!r}: [0, 1]}}")
    xp = array_namespace(up)
    share = xp.mean(up, axis=1)
    U, D = share[start == 0], 1 - share[start == 1]
    y = ((1 - U) * beta + D * (1 - beta) + b * (U * beta + (1 - D) * (1 - beta))) / (beta + (1 - beta) * b)
    n = up.shape[1]
    sampled = f"{path}_variance" not in recording.traces
    spread = beta**2 * U * (1 - U) + (1 - beta) ** 2 * D * (1 - D)
    error = (b - 1) / (beta + (1 - beta) * b) * (spread / n) ** 0.5 if sampled else 0 * spread
    return Curve(name="weight ratio", x=x[start == 0], unit=recording.conditions[along].unit, y=y, error=error)


def change(recording: Recording, *, along: str = "lag", path: str = "stdp.w", before: float) -> Curve:
    """Final minus initial value of `path` (of which `before` is the initial value), averaged over trials with the same coordinate."""
    made = average(recording, along=along, path=path)
    return dataclasses.replace(made, name=f"change of {path}", y=made.y - before)


def ratio(recording: Recording, *, along: str = "lag", path: str = "stdp.w", before: float) -> Curve:
    """Final over initial value of `path` (of which `before` is the initial value), averaged over trials with the same coordinate."""
    made = average(recording, along=along, path=path)
    return dataclasses.replace(made, name=f"{path} after / before", y=made.y / before, error=made.error / abs(before))


def average(recording: Recording, *, along: str, path: str, reading: int = -1) -> Curve:
    """Mean of one reading of `path` over the trials with the same coordinate and over units, with its standard error over both."""
    return mean_along(recording, recording[path][:, reading, :], along, f"mean of {path}")


def paired_pulse_ratio(recording: Recording, *, along: str = "interval", path: str) -> Curve:
    """The second reading of `path` over the first, averaged: the paired-pulse ratio of `bioneuro.protocol.paired_pulse`."""
    seen = recording[path]
    if seen.shape[1] < 2:
        raise MeasureError(f"paired_pulse_ratio needs two readings of {path!r}, one after each pulse; there is {seen.shape[1]}")
    return mean_along(recording, seen[:, 1, :] / seen[:, 0, :], along, "paired-pulse ratio")


def course(recording: Recording, *, path: str) -> Curve:
    """Mean of `path` over all trials and units at every reading, with its standard error; the readings must be common to all trials."""
    if np.ptp(recording.times, axis=0).max() > 0:
        raise MeasureError("course: the trials are read at different times; select trials that agree with `at`")
    seen = recording[path]
    xp = array_namespace(seen)
    flat = xp.reshape(xp.permute_dims(seen, (1, 0, 2)), (seen.shape[1], -1))
    return Curve(name=f"mean of {path}", x=recording.times[0], unit="second", y=xp.mean(flat, axis=1), error=_standard_error(flat))


def at(recording: Recording, **conditions: Any) -> Recording:
    """The trials in which coordinates have given values, as a recording: ``at(seen, lag="10 ms")`` or ``at(seen, rate=20 * Hz)``.

    Raises `MeasureError` for an unknown coordinate or a value that no trial has; `UnitError` for a wrong unit.
    """
    kept = np.ones(recording.n_trials, bool)
    for name, value in conditions.items():
        if name not in recording.conditions:
            raise MeasureError(f"no coordinate {name!r}; the trials have {sorted(recording.conditions)}")
        known = recording.conditions[name]
        wanted = float(units.in_unit(value, known.unit, f"at: {name}"))
        kept &= np.isclose(known.values, wanted, rtol=1e-9, atol=1e-12 * np.abs(known.values).max(initial=0))
        if not kept.any():
            raise MeasureError(f"no trial has {name} = {value} (with what was asked before); there are {np.unique(known.shown)} {known.unit}")
    trials = np.flatnonzero(kept)
    return dataclasses.replace(
        recording,
        traces={path: values[trials] for path, values in recording.traces.items()},
        times=recording.times[trials],
        spikes={name: of_trials(train, trials) for name, train in recording.spikes.items()},
        conditions={name: dataclasses.replace(c, values=c.values[trials]) for name, c in recording.conditions.items()},
        raster={name: values[trials] for name, values in recording.raster.items()},
        close={},  # they name trials by their number in the whole
    )


def mean_along(recording: Recording, values: Any, along: str, name: str) -> Curve:
    """Mean and standard error of `values` (trial, unit) over trials with the same coordinate, and over units, as a curve called `name`."""
    seen, (x,) = grouped(recording, values, along)
    flat = array_namespace(seen).reshape(seen, (seen.shape[0], -1))
    return Curve(name=name, x=x, unit=recording.conditions[along].unit, y=flat.mean(axis=1), error=_standard_error(flat))


def _standard_error(values: Any) -> Any:
    """Of the mean along the second axis; 0 where there is one value."""
    n = values.shape[1]
    xp = array_namespace(values)
    mean = xp.mean(values, axis=1)
    # Not xp.std: its slope at equal values is not finite.
    return 0 * mean if n == 1 else (xp.sum((values - mean[:, None]) ** 2, axis=1) / (n * (n - 1))) ** 0.5


def nearest(curve: Curve, points: Points, *, within: Any = None) -> Curve:
    """`curve` at the conditions of measured points, in their order: at each of them the nearest point of the curve, nothing between.

    Arguments:
        within: how far that may be away, with its unit; by default nowhere but for rounding. The protocol may rather have the
            measured conditions as its own, such as ``pairing(lag=points.x*second)``.

    Raises:
        MeasureError: the curve runs along another quantity, or a point is too far from all of the curve. UnitError: a wrong unit.
    """
    if units.unit(curve.unit).dimensions != units.unit(points.unit).dimensions:
        raise MeasureError(f"{points.name!r} is along {points.unit!r}, the curve {curve.name!r} along {curve.unit!r}; measure along the same")
    allowed = 0.0 if within is None else float(units.in_unit(within, points.unit, "nearest: within"))
    x = np.asarray(curve.x, dtype=np.float64)
    closest = np.abs(x[None, :] - points.x[:, None]).argmin(axis=1)
    away = np.abs(x[closest] - points.x)
    k = int((away - 1e-9 * np.abs(points.x)).argmax())
    if away[k] > allowed + 1e-9 * np.abs(points.x[k]) + 1e-15:
        scale, shown = units.unit(points.unit).scale, "" if points.unit == "1" else f" {points.unit}"
        wanted, there = (f"{value / scale:.6g}{shown}" for value in (points.x[k], x[closest[k]]))
        raise MeasureError(
            f"{points.name!r} has a point at {wanted}, but the nearest condition of the curve {curve.name!r} is {there}; give the protocol the "
            f"conditions of the points, or allow within='{1.01 * away[k] / scale:.3g}{shown}'"
        )
    where = closest.tolist()  # both NumPy and torch take a list
    return Curve(name=curve.name, x=x[closest], unit=curve.unit, y=curve.y[where], error=curve.error[where])


OUTCOMES = ("none", "early LTP", "tagged early LTP", "late LTP", "early LTD", "tagged early LTD", "late LTD")
"""What `outcomes` tells apart."""


def outcomes(recording: Recording, *, rest: Any, tag: Any, early: str = "stc.h", protein: str = "stc.p") -> NDArray[np.str_]:
    """What became of each synapse, one of `OUTCOMES`, shape (trial, unit): as the program of Luboeinski & Tetzlaff 2021 tells it.

    The sign of the largest change of the early phase tells LTP from LTD; without a change beyond `tag` it is early, without protein ever
    made tagged early, else late. Only readings are looked at: read often while the early phase changes.

    Arguments:
        rest, tag: the early phase at rest, and the change at which a tag is set, each with its unit.
        early, protein: the traces of the two; that of the protein may have one unit for all synapses.
    """
    unit = recording.units[early]
    start, level = (float(units.in_unit(value, unit, f"outcomes: {name}")) for name, value in (("rest", rest), ("tag", tag)))
    seen = recording.detached()
    change = np.asarray(seen[early]) - start
    largest = np.take_along_axis(change, np.abs(change).argmax(axis=1)[:, None], axis=1)[:, 0]
    tagged, made = np.abs(largest) >= level, (np.asarray(seen[protein]) > 0).any(axis=1)
    degree = np.where(tagged, 1 + made, 0)
    return np.array(OUTCOMES)[np.where(largest == 0, 0, 1 + degree + 3 * (largest < 0))]
