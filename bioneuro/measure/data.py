"""What was measured in an experiment, as a recording, so that every measure and loss takes it like that of a run."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bioneuro import units
from bioneuro.protocol import Coordinate
from bioneuro.recording import Provenance, Recording, Train, train
from bioneuro.records import frozen

Floats = NDArray[np.float64]


class DataError(ValueError):
    """Measured data are not well formed."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Series:
    """A quantity that was measured at given times, in SI; `series` makes one from numbers in other units.

    Attributes:
        times: seconds, increasing, shape (time,).
        values: shape (time,), (trial, time) or (trial, time, unit); an axis that is not there holds for all trials or units.
        unit: what to show the values in.
    """

    times: Floats
    values: Floats
    unit: str

    def __post_init__(self) -> None:
        units.unit(self.unit)
        for name in ("times", "values"):
            object.__setattr__(self, name, frozen(getattr(self, name)))
        n = self.times.size
        if self.times.ndim != 1 or n == 0:
            raise DataError(f"series: times have shape {self.times.shape}; give one row of at least one time")
        _check_times(self.times, "series: times", "give times from 0 s in increasing order, and the values in the same order")
        shape = self.values.shape
        if len(shape) not in (1, 2, 3) or shape[0 if len(shape) == 1 else 1] != n or not self.values.size:
            raise DataError(f"series: values of shape {shape} for {n} times; give (time,), (trial, time) or (trial, time, unit)")
        if not np.all(np.isfinite(self.values)):
            k = int(np.argmin(np.isfinite(self.values)))
            raise DataError(f"series: value {k} (counted through the array) is {self.values.ravel()[k]}; give finite numbers, or leave out the time")


def series(times: Any, values: Any, unit: str, *, time_unit: str = "second") -> Series:
    """A `Series`: times and values with their units, or as plain numbers in `time_unit` and `unit`.

    >>> series([0, 0.1, 0.2], [-65, -64.5, -64.1], "mV", time_unit="ms").values[1].item()
    -0.0645

    Raises:
        DataError: times that are not finite, negative or not increasing; values that are not finite; other numbers of both.
        UnitError: a wrong unit.
    """
    return Series(times=_scaled(times, time_unit, "series: times", "second"), values=_scaled(values, unit, "series: values", unit), unit=unit)


def _scaled(given: Any, unit: str, place: str, like: str) -> Floats:
    found, dims = units.si(given, place)
    known = units.unit(unit)
    if known.dimensions != units.unit(like).dimensions:
        raise units.UnitError(f"{place}: {unit!r} is not a unit of {units.describe(units.unit(like).dimensions)}; give for example {like!r}")
    if dims == units.DIMENSIONLESS:
        return np.asarray(found * known.scale)
    return units.in_unit(given, unit, place)


def placed(values: Floats) -> Floats:
    """(time,), (trial, time) or (trial, time, unit) as the last of these; a missing axis has length 1."""
    return values[None, :, None] if values.ndim == 1 else values[:, :, None] if values.ndim == 2 else values


def _check_times(times: Floats, place: str, remedy: str) -> None:
    bad = ~np.isfinite(times) | (times < 0)
    bad[1:] |= np.diff(times) <= 0
    if bad.any():
        k = int(bad.argmax())
        what = f"after {times[k - 1]:g} s" if k and np.isfinite(times[k]) and times[k] >= 0 else "not a finite time from 0 s"
        raise DataError(f"{place}[{k}] is {times[k]:g} s, {what}; {remedy}")


def spike_times(times: Any, *, dt: Any = "0.1 ms", stop: Any = None, place: str = "spike_times") -> Train:
    """A `Train` of spike times with their unit, on steps of `dt`: ``[0.1, 0.2]*second``, one such per trial, or per trial and unit.

    Arguments:
        times: one row, a list of rows (trials), or a list of lists of rows (trials, units); ``[]`` is a row without spikes.
        dt: step to which times are rounded; smaller than any interval.
        stop: end of the observation; no spike may come after it.

    Raises:
        DataError: times not finite, negative or not increasing; two spikes within one step; a spike after `stop`; trials of different
            numbers of units. UnitError: a wrong unit.
    """
    return _rows(times, dt, stop, place)[0]


def _rows(times: Any, dt: Any, stop: Any, place: str) -> tuple[Train, float]:
    """The train and the largest shift by rounding, in s."""
    step = float(units.in_unit(dt, "second", f"{place}: dt"))
    end = np.inf if stop is None else float(units.in_unit(stop, "second", f"{place}: stop"))
    if step <= 0 or end <= 0:
        raise DataError(f"{place}: dt {step:g} s and stop {end:g} s; both must be positive")
    depth = _depth(times)
    if depth > 2:
        raise DataError(f"{place}: lists within lists within lists; give a row of times, a list of rows, or a list of lists of rows")
    trials = [[times]] if depth == 0 else [[row] for row in times] if depth == 1 else [list(rows) if _depth(rows) else [rows] for rows in times]
    sizes = sorted({len(rows) for rows in trials})
    if len(sizes) != 1 or not sizes[0]:
        raise DataError(f"{place}: trials have {sizes} units; give a row of times for each unit of each trial, [] for a silent one")
    steps, index, shift = [], [], 0.0
    for k, row in enumerate(row for rows in trials for row in rows):
        where = f"{place}: trial {k // sizes[0]}, unit {k % sizes[0]}: times"
        found = _row(row, where, end)
        counted = np.rint(found / step).astype(np.int64)
        if np.any(np.diff(counted) <= 0):
            j = int(np.argmax(np.diff(counted) <= 0))
            raise DataError(f"{where} {found[j]:g} s and {found[j + 1]:g} s fall into one step of {step:g} s; give a smaller dt")
        shift = max(shift, float(np.abs(counted * step - found).max(initial=0)))
        steps.append(counted)
        index.append(np.full(counted.size, k))
    made = train(np.concatenate(steps), np.concatenate(index), n_trials=len(trials), size=sizes[0], dt=step)
    return made, shift


def _row(row: Any, where: str, end: float) -> Floats:
    empty = not hasattr(row, "dim") and not isinstance(row, str) and np.size(row) == 0
    found = np.empty(0) if empty else np.atleast_1d(units.si(row, where)[0] if _of_time(row, where) else units.in_unit(row, "second", where))
    if found.ndim != 1:
        raise DataError(f"{where} have shape {found.shape}; give one row")
    _check_times(found, where, "give finite times from 0 s in increasing order, each once")
    if found.size and found[-1] > end * (1 + 1e-12):
        raise DataError(f"{where}: a spike at {found[-1]:g} s comes after the end at {end:g} s; give a later stop, or leave it out")
    return found


def _of_time(row: Any, where: str) -> bool:
    """Whether it is a time; if so, `_check_times` tells better than units what is not finite."""
    return units.si(row, where)[1] == units.unit("second").dimensions


def _depth(times: Any) -> int:
    """0 for a row of times, 1 for a list of rows, 2 for a list of lists of rows."""
    if not isinstance(times, list | tuple) or not times or not any(isinstance(x, list | tuple) or np.ndim(x) for x in times):
        return 0
    return 1 + max(_depth(x) for x in times)


def observed(
    *,
    spikes: Mapping[str, Any] | None = None,
    traces: Mapping[str, Series] | None = None,
    dt: Any = "0.1 ms",
    stop: Any = None,
    conditions: Mapping[str, Coordinate] | None = None,
) -> Recording:
    """Measured spikes and traces as a `Recording`, whose provenance says ``engine="data"`` and how far spikes were moved by rounding.

    Arguments:
        spikes: population -> a `Train`, or times as `spike_times` takes them.
        traces: placed name ("hh.v") -> `Series`; all have the same times.
        dt: step to which spike times are rounded.
        stop: end of the observation, needed where there are no traces; with traces it is their last time.
        conditions: coordinate -> one value per trial, such as the current of each.

    Raises:
        DataError: nothing is given, numbers of trials differ, traces have other times, the end is not known, or as `spike_times` raises.
        UnitError: a wrong unit.
    """
    series = dict(traces or {})
    if not series and not spikes:
        raise DataError("observed: neither spikes nor traces; give at least one population or trace")
    times, end = _end(series, stop)
    trains, shifts = {}, {}
    for name, given in (spikes or {}).items():
        if isinstance(given, Train):
            trains[name] = given
            if given.dt <= 0 or given.steps.max(initial=0) * given.dt > end * (1 + 1e-9):
                raise DataError(f"observed: {name}: the train has no step length, or fires after the end at {end:g} s")
        else:
            trains[name], shifts[f"spikes of {name}"] = _rows(given, dt, f"{end!r} second", f"observed: {name}")
    numbers = {name: int(t.counts.shape[0]) for name, t in trains.items()}
    numbers |= {path: placed(s.values).shape[0] for path, s in series.items() if s.values.ndim > 1}
    numbers |= {name: c.values.size for name, c in (conditions or {}).items()}
    if len(set(numbers.values())) > 1:
        raise DataError(f"observed: numbers of trials differ: {numbers}; give all of them for the same trials")
    n = next(iter(numbers.values()), 1)
    return Recording(
        traces={path: _full(s, n, trains.get(path.partition(".")[0])) for path, s in series.items()},
        times=np.tile(times, (n, 1)),
        units={path: s.unit for path, s in series.items()},
        spikes=trains,
        conditions=conditions or {},
        provenance=Provenance(circuit="", protocol="", seed=0, engine="data", shifts=shifts),
    )


def _full(one: Series, n: int, spikes: Train | None) -> Floats:
    """Values (trial, time, unit) for `n` trials, and for as many units as fire."""
    values = np.repeat(placed(one.values), n if one.values.ndim == 1 else 1, axis=0)
    return np.repeat(values, spikes.size if spikes and one.values.ndim < 3 else 1, axis=2)


def _end(traces: Mapping[str, Series], stop: Any) -> tuple[Floats, float]:
    """Reading times, and the end of the observation in s."""
    end = None if stop is None else float(units.in_unit(stop, "second", "observed: stop"))
    if not traces:
        if end is None or end <= 0:
            raise DataError(f"observed: stop={stop!r}; without traces give the end of the observation, a time after 0 s: silence counts too")
        return np.array([end]), end
    (first, one), *others = traces.items()
    for path, s in others:
        if not np.array_equal(s.times, one.times):
            raise DataError(f"observed: {path!r} and {first!r} have different times; give them common ones, or make two recordings")
    last = float(one.times[-1])
    widest = float(np.diff(one.times).max(initial=0))
    if end is not None and not last - 1e-9 * last <= end <= last + widest * (1 + 1e-6):
        raise DataError(f"observed: stop {end:g} s, but the last reading of {first!r} is at {last:g} s; leave stop out, or give readings up to it")
    return one.times, last if end is None else end
