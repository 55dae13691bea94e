"""Traces compared with traces, of a model or of an experiment."""

from typing import Any

import numpy as np
from array_api_compat import array_namespace
from numpy.typing import NDArray

from bioneuro import units
from bioneuro.measure.arrays import like
from bioneuro.measure.curves import MeasureError
from bioneuro.measure.data import Series, placed
from bioneuro.measure.losses import Loss
from bioneuro.measure.spikes import seconds, train_of
from bioneuro.recording import Recording

Floats = NDArray[np.float64]


def trace_error(target: Recording | Series, path: str, *, scale: Any = None, weights: Any = None, within: Any = None) -> Loss:
    """Weighted mean squared difference of a trace from the target's, in units of `scale`: sum w ((x - target)/scale)^2 / sum w.

    The trace is compared at the times of the target; between two readings it is taken to be straight. Read it at the same times, or
    at least as often as it bends.

    Arguments:
        target: a recording with the same trials, or a `Series`; one without trials or units holds for all of them.
        path: placed name of the trace, such as ``"hh.v"``.
        scale: with the unit of the trace; by default the standard deviation of the target over what is compared.
        weights: not negative, shape (time,), (trial, time) or (trial, time, unit) of the target, such as from `off_spikes`.
        within: compare only from a time to a time, ends included: ``("10 ms", "80 ms")``, or a list of such stretches.

    Raises:
        MeasureError: nothing to compare, a bad weight, a scale that is not positive or a target that does not vary; the loss itself, where
            shapes do not fit or a time to compare lies outside the readings. UnitError: a wrong unit. KeyError: no such trace.
    """
    unit, times, values = _wanted(target, path)
    weight = np.ones(values.shape) if weights is None else _weights(weights, values.shape, path)
    weight = weight * _inside(times, within)[:, :, None]
    if not weight.any():
        raise MeasureError(f"trace_error: {path!r}: no time of the target is left to compare; widen `within` or the weights")
    step = _scale(scale, values, weight, unit, path)
    strict = isinstance(target, Recording)

    def loss(seen: Recording) -> Any:
        trace = seen[path]
        if units.unit(seen.units[path]).dimensions != units.unit(unit).dimensions:
            raise MeasureError(f"trace_error: {path!r} is in {seen.units[path]!r}, its target in {unit!r}; compare the same quantity")
        full = (trace.shape[0], values.shape[1], trace.shape[2])
        if any(n != m and (strict or n != 1) for n, m in zip(values.shape, full, strict=True)):
            raise MeasureError(
                f"trace_error: {path!r} has (trials, units) {(full[0], full[2])}, its target {(values.shape[0], values.shape[2])}; give the same"
            )
        counts = np.broadcast_to(weight, full)
        there = _between(seen, trace, np.broadcast_to(times, full[:2]), np.any(counts > 0, axis=2), path)
        xp = array_namespace(there)
        error = (there - like(np.broadcast_to(values, full), there)) / step
        kept = like(counts, there)
        # What does not count is left out, not multiplied by 0: it may be infinite.
        return xp.sum(kept * xp.where(kept > 0, error, 0 * kept) ** 2) / float(counts.sum())

    return loss


def off_spikes(target: Recording, population: str, *, before: Any = "2 ms", after: Any = "5 ms") -> Floats:
    """Weights for `trace_error`, shape (trial, time, unit): 0 from `before` a spike of the target to `after` it, ends included, else 1."""
    train, (early, late) = train_of(target, population), (seconds(x, f"off_spikes: {n}") for n, x in (("before", before), ("after", after)))
    weights = np.ones((*target.times.shape, train.size))
    slack = 1e-6 * train.dt
    for trial, unit in np.ndindex(target.n_trials, train.size):
        spikes = train.times(trial, unit)
        first = np.searchsorted(target.times[trial], spikes - early - slack)
        last = np.searchsorted(target.times[trial], spikes + late + slack)
        for a, b in zip(first.tolist(), last.tolist(), strict=True):
            weights[trial, a:b, unit] = 0
    return weights


def _wanted(target: Recording | Series, path: str) -> tuple[str, Floats, Floats]:
    """Unit, times (trial, time) and values (trial, time, unit); an axis of length 1 of a series holds for all."""
    if isinstance(target, Series):
        return target.unit, target.times[None, :], placed(target.values)
    seen = target.detached()
    trace = np.asarray(seen[path], np.float64)  # first: its error says what was recorded
    return seen.units[path], np.asarray(seen.times, np.float64), trace


def _weights(weights: Any, shape: tuple[int, ...], path: str) -> Floats:
    given = np.asarray(weights, np.float64)
    try:
        made = np.broadcast_to(placed(given), np.broadcast_shapes(placed(given).shape, shape))
    except ValueError:
        made = np.empty(0)
    if made.shape[1:2] != shape[1:2]:
        raise MeasureError(
            f"trace_error: {path!r}: weights of shape {given.shape} for a target of shape {shape}; give (time,), (trial, time) or (trial, time, unit)"
        )
    if not np.all(np.isfinite(made)) or made.min(initial=0) < 0:
        raise MeasureError(f"trace_error: {path!r}: a weight is negative or not finite; give numbers from 0")
    return np.array(made)


def _inside(times: Floats, within: Any) -> NDArray[np.bool_]:
    if within is None:
        return np.ones(times.shape, bool)
    stretches = [within] if len(within) == 2 and not isinstance(within[0], list | tuple) else list(within)
    kept = np.zeros(times.shape, bool)
    for stretch in stretches:
        if not isinstance(stretch, list | tuple) or len(stretch) != 2:
            raise MeasureError(f"trace_error: within={within!r}; give a pair such as ('10 ms', '80 ms'), or a list of pairs")
        begin, end = (seconds(x, "trace_error: within") for x in stretch)
        kept |= (times >= begin * (1 - 1e-9)) & (times <= end * (1 + 1e-9))
    return kept


def _scale(scale: Any, values: Floats, weight: Floats, unit: str, path: str) -> float:
    if scale is not None:
        step = float(units.in_unit(scale, unit, f"trace_error: {path}: scale"))
    else:
        weights = np.broadcast_to(weight, np.broadcast_shapes(weight.shape, values.shape))
        there = np.broadcast_to(values, weights.shape)[weights > 0]
        share = weights[weights > 0] / weights.sum()
        step = float(np.sqrt(share @ (there - share @ there) ** 2))
        if step <= 1e-12 * np.abs(there).max():
            raise MeasureError(f"trace_error: {path!r}: the target does not vary, so its standard deviation is no scale; give scale=1*{unit}")
    if step <= 0:
        raise MeasureError(f"trace_error: {path!r}: scale {scale!r} is not positive; give a size such as 1*{unit}")
    return step


def _between(seen: Recording, trace: Any, times: Floats, needed: NDArray[np.bool_], path: str) -> Any:
    """The trace at `times` (trial, time), straight between readings, shape (trial, time, unit). Raises `MeasureError` for a needed time outside."""
    readings = np.asarray(seen.times, np.float64)
    slack = 1e-9 * max(1e-6, float(readings.max()))
    outside = needed & ((times < readings[:, :1] - slack) | (times > readings[:, -1:] + slack))
    if outside.any():
        trial = int(outside.any(axis=1).argmax())
        raise MeasureError(
            f"trace_error: {path!r}: the target has a value at {times[trial][outside[trial]][0]:g} s, the readings of trial {trial} go from "
            f"{readings[trial, 0]:g} s to {readings[trial, -1]:g} s; read there, or leave it out with `within`"
        )
    n = readings.shape[1]
    upper = np.stack([np.searchsorted(r, t - slack) for r, t in zip(readings, times, strict=True)]).clip(0, n - 1)
    lower = np.maximum(upper - 1, 0)
    rows = np.arange(times.shape[0])[:, None]
    gap = readings[rows, upper] - readings[rows, lower]
    share = np.where(gap > 0, (times - readings[rows, lower]) / np.where(gap > 0, gap, 1), 1.0)
    share = np.where(np.abs(share - 1) * gap <= slack, 1.0, share).clip(0, 1)  # a reading at the very time is taken as it is
    if np.all(share == 1):
        return trace[rows, upper]
    part = like(share[:, :, None], trace)
    return trace[rows, lower] * (1 - part) + trace[rows, upper] * part
