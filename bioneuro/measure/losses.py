"""Losses: one number for how far a recording is from what is wanted, of NumPy or, with gradient, of torch."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from array_api_compat import array_namespace

from bioneuro.evidence.points import Points
from bioneuro.measure.arrays import like, plain
from bioneuro.measure.curves import Curve, Measure, MeasureError, nearest, weight_ratio
from bioneuro.measure.spikes import alike, end_of, fi_curve, first_after, latencies, n_steps, seconds, train_of
from bioneuro.recording import Recording

Loss = Callable[[Recording], Any]
"""Recording -> one number without shape, of NumPy or of torch."""


class FitError(ValueError):
    """A fit cannot be started as asked, or a loss cannot compare what it is given."""


def curve_error(target: Recording | Curve | Points, of: Measure = weight_ratio, *, within: Any = None) -> Loss:
    """Mean squared distance of a curve from the target's.

    From a recording or a curve it is in units of the target's mean standard error (1 if it has none). From measured points every
    point is in units of its own standard error; those without one count like the mean of the others (1 if there is none at all).

    Arguments:
        of: the measure that gives the curve; for points it must give what they are the means of.
        within: for points only, how far the nearest trial may be from a point, as in `bioneuro.measure.nearest`; by default it must be there.

    Raises:
        FitError: `within` is given for something other than points. The loss itself raises it, or for points `MeasureError`, where the
            curve has other conditions than its target.
    """
    if isinstance(target, Points):
        return _points_error(target, of, within)
    if within is not None:
        raise FitError(f"curve_error: within={within!r} is for measured points; a {type(target).__name__} needs the same trials as the fit")
    wanted = of(target) if isinstance(target, Recording) else target
    y = plain(wanted.y)
    error = float(np.sqrt(np.mean(np.square(plain(wanted.error))))) or 1.0

    def loss(seen: Recording) -> Any:
        curve = of(seen)
        if curve.x.shape != wanted.x.shape or not np.allclose(curve.x, wanted.x):
            raise FitError(f"curve_error: the curve has {curve.x.size} points along its coordinate, the target {wanted.x.size} others")
        return array_namespace(curve.y).mean(((curve.y - like(y, curve.y)) / error) ** 2)

    return loss


def _points_error(points: Points, of: Measure, within: Any) -> Loss:
    known = points.sem[np.isfinite(points.sem)]
    usual = float(np.sqrt(np.mean(known**2))) if known.size else 1.0
    sem = np.where(np.isfinite(points.sem), points.sem, usual)

    def loss(seen: Recording) -> Any:
        y = nearest(of(seen), points, within=within).y
        return array_namespace(y).mean(((y - like(points.mean, y)) / like(sem, y)) ** 2)

    return loss


def weighted(*parts: tuple[float, Loss]) -> Loss:
    """The sum of losses, each times its weight: ``weighted((1, trace_error(...)), (0.5, van_rossum(...)))``.

    Raises:
        MeasureError: no part, something that is no pair of a number and a function, or a weight that is negative or not finite.
    """
    for part in parts or (None,):
        if not (isinstance(part, tuple) and len(part) == 2 and isinstance(part[0], int | float) and callable(part[1])):
            raise MeasureError(f"weighted: {part!r:.60} is not a pair of a weight and a loss; give for example (0.5, loss)")
        if not 0 <= part[0] < float("inf"):
            raise MeasureError(f"weighted: the weight {part[0]} is negative or not finite; give a number from 0")

    def loss(seen: Recording) -> Any:
        total: Any = 0.0
        for weight, part in parts:
            total = total + weight * part(seen)
        return total

    return loss


def fi_error(
    target: Recording | Curve | Points, population: str, *, along: str | None = None, start: Any = "0 s", stop: Any = None, within: Any = None
) -> Loss:
    """Distance of the curve of rate against current from the target's: `curve_error` of `fi_curve`, in Hz^2 where the target has no error."""
    return curve_error(target, functools.partial(fi_curve, population=population, along=along, start=start, stop=stop), within=within)


def first_spike_error(target: Recording, population: str, *, onset: Any = "0 s", scale: Any = None) -> Loss:
    """Mean over trials and units of the squared difference of `first_spike` from the target's, in units of `scale`.

    A unit without a spike counts as if it fired at the end of the run, in the recording and in the target.

    Arguments:
        onset: what the time is counted from.
        scale: a time; by default the mean of the target over those that fire.

    Raises:
        MeasureError: the target never fires after `onset` and there is no scale; the loss itself, where the recording has other trials,
            units or another length than the target. UnitError: a wrong unit.
    """
    wanted, begin = target.detached(), seconds(onset, "first_spike_error: onset")
    silent = end_of(wanted) - begin
    times = first_after(wanted, population, begin, None)
    unit = _time_scale(scale, times[times < silent - 0.5 * train_of(wanted, population).dt], "first_spike_error")

    def loss(seen: Recording) -> Any:
        alike(seen, wanted, population)
        found = first_after(seen, population, begin, None)
        end = n_steps(seen, population) * train_of(seen, population).dt
        return array_namespace(found).mean(((found - like(first_after(wanted, population, begin, end - begin), found)) / unit) ** 2)

    return loss


def isi_error(target: Recording, population: str, *, scale: Any = None) -> Loss:
    """Mean squared difference of the intervals between spikes from the target's, the first from the first and so on, in units of `scale`.

    Counted are, in each trial and unit, the intervals that the recording or the target has; where one of them has fewer spikes, its
    missing spikes count as at the end of the run. So it is 0 for trains that differ by a shift only, and knows nothing of trains of at
    most one spike: add `first_spike_error` for these.

    Arguments:
        scale: a time; by default the mean interval of the target.

    Raises:
        MeasureError: the target has no interval and there is no scale; the loss itself, where the recording has other trials, units or
            another length than the target. UnitError: a wrong unit.
    """
    wanted = target.detached()
    counts = train_of(wanted, population).counts
    most = max(2, int(counts.max(initial=0)))
    known = np.diff(latencies(wanted, population, most), axis=1)
    unit = _time_scale(scale, known[np.arange(1, most)[None, :, None] < counts[:, None, :]], "isi_error")

    def loss(seen: Recording) -> Any:
        train, other = alike(seen, wanted, population)
        n = max(2, int(train.counts.max(initial=0)), most)
        number = np.arange(n)[None, :, None]
        end = n_steps(seen, population) * train.dt
        there = np.where(number < other.counts[:, None, :], latencies(wanted, population, n), end)
        found = latencies(seen, population, n)
        counted = number[:, 1:] < np.maximum(train.counts, other.counts)[:, None, :]
        error = (found[:, 1:, :] - found[:, :-1, :] - like(np.diff(there, axis=1), found)) / unit
        return array_namespace(found).sum(like(counted, found) * error**2) / max(1, int(counted.sum()))

    return loss


def _time_scale(scale: Any, times: Any, place: str) -> float:
    unit = seconds(scale, f"{place}: scale") if scale is not None else float(np.mean(times)) if np.size(times) else 0.0
    if unit <= 0:
        remedy = "has nothing to take it from" if scale is None else f"{scale!r} is not positive"
        raise MeasureError(f"{place}: the scale {remedy}; give a time, such as scale='10 ms'")
    return unit
