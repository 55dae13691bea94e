"""Numbers read off the spikes of a population: from a twin's raster with gradient, else from the trains.

A spike of step k is at k*dt. A raster of 0 and 1 gives the numbers of its trains; its gradient is the change that a spike more, or one
less, would make, step by step.
"""

import math
from typing import Any

import numpy as np
from array_api_compat import array_namespace
from numpy.typing import NDArray

from bioneuro import units
from bioneuro.measure.arrays import like
from bioneuro.measure.curves import Curve, MeasureError, mean_along
from bioneuro.recording import Recording, Train


def train_of(recording: Recording, population: str) -> Train:
    """The spikes of a population. Raises `MeasureError` if none were recorded, or in an event run, which has no steps of one length."""
    if population not in recording.spikes:
        raise MeasureError(f"no spikes of {population!r} were recorded; there are those of {sorted(recording.spikes)}")
    train = recording.spikes[population]
    if train.dt <= 0:
        raise MeasureError(f"the spikes of {population!r} have no times: steps of an event run have no length; run on a clock")
    return train


def end_of(recording: Recording) -> float:
    """The end of the run in seconds: the last reading of all trials."""
    return float(recording.times.max())


def n_steps(recording: Recording, population: str) -> int:
    """Steps of the run."""
    if population in recording.raster:
        return int(recording.raster[population].shape[1])
    return round(end_of(recording) / train_of(recording, population).dt)


def alike(recording: Recording, target: Recording, population: str) -> tuple[Train, Train]:
    """The trains of both, which must have the same trials and units and last equally long (to 1 %).

    Raises `MeasureError`, also where the target fires after the end of the recording.
    """
    mine, wanted = train_of(recording, population), train_of(target, population)
    if mine.counts.shape != wanted.counts.shape:
        raise MeasureError(
            f"{population!r}: the recording has (trials, units) {mine.counts.shape}, the target {wanted.counts.shape}; give one train for each"
        )
    end, other = end_of(recording), end_of(target)
    latest = float(wanted.steps.max(initial=0)) * wanted.dt
    if abs(end - other) > 0.01 * max(end, other) or latest > end + mine.dt:
        raise MeasureError(
            f"{population!r}: the recording lasts {end:g} s, the target {other:g} s with a last spike at {latest:g} s; run the protocol as long"
        )
    return mine, wanted


def step_at(time: float, dt: float) -> int:
    """The first step at or after a time in seconds."""
    return math.ceil(time / dt - 1e-6)


def seconds(value: Any, place: str) -> float:
    """One time in s. Raises `UnitError` for what is none, `MeasureError` for a negative one."""
    time = float(units.in_unit(value, "second", place))
    if time < 0:
        raise MeasureError(f"{place}: {time:g} s is negative; give a time from 0 s")
    return time


def spike_count(recording: Recording, population: str) -> Any:
    """Spikes per trial and unit: from a twin's raster with gradient, else from the trains."""
    if population in recording.raster:
        raster = recording.raster[population]
        return array_namespace(raster).sum(raster, axis=1)
    if population not in recording.spikes:
        raise MeasureError(f"no spikes of {population!r} were recorded; there are those of {sorted(recording.spikes)}")
    return recording.spikes[population].counts


def rate(recording: Recording, population: str, *, start: Any = "0 s", stop: Any = None) -> Any:
    """Spikes per second from `start` (included) to `stop` (excluded; default: the end of the run), Hz, shape (trial, unit).

    Raises:
        MeasureError: no spikes were recorded, or not 0 <= start < stop <= end of the run. UnitError: a wrong unit.
    """
    train, end = train_of(recording, population), end_of(recording)
    begin, off = seconds(start, "rate: start"), end if stop is None else seconds(stop, "rate: stop")
    if not begin < off <= end * (1 + 1e-9):
        raise MeasureError(f"rate: from {begin:g} s to {off:g} s in a run of {end:g} s; give 0 <= start < stop <= its end")
    first, last = step_at(begin, train.dt), step_at(off, train.dt)
    if population in recording.raster:
        raster = recording.raster[population]
        return array_namespace(raster).sum(raster[:, first:last, :], axis=1) / (off - begin)
    # A spike at the very end of data that stop there is counted.
    kept = (train.steps >= first) & ((train.steps < last) | (off >= end * (1 - 1e-9)))
    passed = np.concatenate([[0], np.cumsum(kept)])[train.offsets]
    return np.diff(passed).reshape(-1, train.size) / (off - begin)


def fi_curve(recording: Recording, population: str, *, along: str | None = None, start: Any = "0 s", stop: Any = None) -> Curve:
    """Mean `rate` over trials with the same current and over units, Hz, with its standard error, along the current.

    Arguments:
        along: the coordinate; by default ``current``, or the name of the population, as `bioneuro.protocol.step_current` calls it.
        start, stop: of the time in which spikes are counted; leave the onset out for the adapted rate.
    """
    found = along or ("current" if "current" in recording.conditions else population)
    return mean_along(recording, rate(recording, population, start=start, stop=stop), found, f"rate of {population}")


def first_spike(recording: Recording, population: str, *, onset: Any = "0 s", none: Any = None) -> Any:
    """Time from `onset` to the first spike at or after it, s, shape (trial, unit).

    From a raster it is the sum over steps of the share without a spike so far, dt * sum_k prod_{j<=k} (1 - s_j), which has a gradient
    before the spike, at it, and, without any spike, everywhere.

    Arguments:
        none: what a unit without a spike gets, a time; by default the time from `onset` to the end of the run.

    Raises:
        MeasureError: no spikes were recorded, or `onset` is not within the run. UnitError: a wrong unit.
    """
    begin = seconds(onset, "first_spike: onset")
    return first_after(recording, population, begin, None if none is None else seconds(none, "first_spike: none"))


def first_after(recording: Recording, population: str, begin: float, none: float | None) -> Any:
    """`first_spike` of times in seconds."""
    train, n = train_of(recording, population), n_steps(recording, population)
    first, end = step_at(begin, train.dt), n * train.dt
    if first >= n:
        raise MeasureError(f"first_spike: onset {begin:g} s is not within the run of {end:g} s; give an earlier one")
    silent = end - begin if none is None else none
    if population in recording.raster:
        raster = recording.raster[population]
        left = (1 - raster[:, first:, :]).cumprod(1)
        time = (first + array_namespace(raster).sum(left, axis=1)) * train.dt - begin
        return time + left[:, -1, :] * (silent - (end - begin))
    late = np.where(train.steps >= first, train.steps, np.iinfo(np.int64).max)
    rows = np.repeat(np.arange(train.offsets.size - 1), np.diff(train.offsets))
    found = np.full(train.offsets.size - 1, np.iinfo(np.int64).max)
    np.minimum.at(found, rows, late)
    time = np.where(found == np.iinfo(np.int64).max, silent, found * train.dt - begin)
    return time.reshape(-1, train.size)


def _first_steps(train: Train, n: int, missing: int) -> NDArray[np.int64]:
    """Steps of the first n spikes, shape (trial, n, unit); `missing` where there are fewer."""
    counts = np.diff(train.offsets)
    rows = np.repeat(np.arange(counts.size), counts)
    number = np.arange(train.steps.size) - train.offsets[rows]
    found = np.full((counts.size, n), missing, np.int64)
    kept = number < n
    found[rows[kept], number[kept]] = train.steps[kept]
    return found.reshape(-1, train.size, n).transpose(0, 2, 1)


def latencies(recording: Recording, population: str, n: int | None = None) -> Any:
    """Times from the start of the run to the first `n` spikes, s, shape (trial, n, unit); a missing spike counts as at the end of the run.

    From a raster s the gradient is that of first order in spikes added and removed: with N_j spikes up to step j, a spike more at step i
    makes the k-th earlier by dt for every step j >= i with N_j = k-1, and one less makes it later by dt for every j >= i with N_j = k.

    Arguments:
        n: by default the largest number of spikes of any trial and unit, at least 1.
    """
    train, last = train_of(recording, population), n_steps(recording, population)
    wanted = max(1, int(train.counts.max(initial=0))) if n is None else n
    steps = _first_steps(train, wanted + 1, last)
    if population not in recording.raster:
        return steps[:, :-1, :] * train.dt
    raster = recording.raster[population]
    xp = array_namespace(raster)
    on = xp.astype(raster > 0.5, raster.dtype)
    trial, unit = np.arange(steps.shape[0])[:, None, None], np.arange(train.size)[None, None, :]
    before = np.concatenate([np.zeros_like(steps[:, :1]), steps], axis=1)

    def while_between(amount: Any) -> Any:
        """Sum of what came up to each step, over the steps from one spike to the next, shape (trial, n + 1, unit)."""
        total = xp.concat([0 * amount[:, :1, :], amount.cumsum(1).cumsum(1)], axis=1)[trial, before, unit]
        return total[:, 1:, :] - total[:, :-1, :]

    added, removed = while_between(raster * (1 - on)), while_between((1 - raster) * on)
    return (like(steps[:, :-1, :], raster) - added[:, :-1, :] + removed[:, 1:, :]) * train.dt


def intervals(recording: Recording, population: str, n: int | None = None) -> Any:
    """The first `n` intervals between spikes, s, shape (trial, n, unit).

    A missing spike counts as at the end of the run: the interval after the last spike lasts to the end, those after it are 0. Which ones
    lie between two spikes, `spike_count` tells: interval k of them from 0 is one if k + 1 is less than the count.

    Arguments:
        n: by default as many as the most spikes of any trial and unit have between them, at least 1.
    """
    most = int(train_of(recording, population).counts.max(initial=0))
    times = latencies(recording, population, max(2, most) if n is None else n + 1)
    return times[:, 1:, :] - times[:, :-1, :]


def variation(recording: Recording, population: str) -> Any:
    """Coefficient of variation of the intervals between spikes: standard deviation (over n) / mean, shape (trial, unit).

    NaN where there are fewer than two intervals. The slope of the root is 0 where all intervals are equal.
    """
    seen = intervals(recording, population)
    xp = array_namespace(seen)
    counts = train_of(recording, population).counts
    real = np.arange(seen.shape[1])[None, :, None] + 1 < counts[:, None, :]
    n = like(np.maximum(counts - 1, 1), seen)
    kept = like(real, seen)
    mean = xp.sum(kept * seen, axis=1) / n
    variance = xp.sum(kept * (seen - mean[:, None, :]) ** 2, axis=1) / n
    flat = variance <= 1e-24 * mean**2
    spread = xp.where(flat, 0 * variance, xp.where(flat, xp.ones_like(variance), variance) ** 0.5)
    enough = like(counts >= 3, seen) > 0
    return xp.where(enough, spread / xp.where(enough, mean, xp.ones_like(mean)), xp.full_like(mean, math.nan))
