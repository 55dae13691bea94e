"""The second noun: what is done to a circuit. A protocol knows no engine.

Trials are an axis: a whole STDP window, both initial states and all repetitions are one protocol and one run. Times are in seconds in
the record and take units (``5*ms`` or ``"5 ms"``) where they are written.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bioneuro import text, units
from bioneuro.imposed import Clock, Coordinate, Current, Events, Floats, Poisson, ProtocolError, Spikes, clock, integers
from bioneuro.records import digest, frozen

__all__ = [
    "Clock", "Coordinate", "Current", "Events", "Poisson", "Protocol", "ProtocolError", "Spikes", "clock", "once", "pairing", "poisson",
    "step_current",
]  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False)
class Protocol:
    """What is done: spikes and currents imposed, values set per trial, and when what is read.

    Attributes:
        stepping: `Clock` or `Events`.
        trials: coordinate name -> `Coordinate`, one value per trial.
        stimulus: the number of the stimulus of each trial, from 0. Trials that share one differ in settings and noise only.
        reads: reading times in seconds, shape (stimulus, reads), increasing.
        settings: placed name ("calcium.rho", "calcium.gamma_p") -> SI value per trial, for parameters and initial values.
        spikes: population -> `Spikes` or `Poisson`.
        currents: population -> `Current`.
        record: placed state names to read; empty means every state variable.
        dimensions: placed name -> dimensions of its settings, where they were given with units; a plan refuses others.
    """

    name: str
    stepping: Clock | Events
    trials: Mapping[str, Coordinate]
    stimulus: NDArray[np.int64]
    reads: Floats
    settings: Mapping[str, Floats] = field(default_factory=dict)
    spikes: Mapping[str, Spikes | Poisson] = field(default_factory=dict)
    currents: Mapping[str, Current] = field(default_factory=dict)
    record: tuple[str, ...] = ()
    dimensions: Mapping[str, units.Dimensions] = field(default_factory=dict)

    def __post_init__(self) -> None:
        text.check_name(self.name, "protocol.name")
        record: Any = self.record
        if isinstance(record, str):
            raise ProtocolError(f"protocol {self.name!r}: record is the text {record!r}; give a tuple of placed names, ({record!r},)")
        if not isinstance(self.stepping, Clock | Events):
            raise ProtocolError(f"protocol {self.name!r}: stepping {self.stepping!r:.60} is unknown; allowed: clock('0.1 ms'), Events()")
        object.__setattr__(self, "reads", frozen(self.reads))
        object.__setattr__(self, "stimulus", integers(self.stimulus, f"protocol {self.name!r}: stimulus"))
        object.__setattr__(self, "record", tuple(dict.fromkeys(self.record)))
        settings = {path: units.si(value, f"protocol {self.name!r}: setting {path}") for path, value in self.settings.items()}
        known = {path: dims for path, (_, dims) in settings.items() if dims != units.DIMENSIONLESS}
        object.__setattr__(self, "dimensions", MappingProxyType({**known, **self.dimensions}))
        object.__setattr__(self, "settings", MappingProxyType({path: frozen(value) for path, (value, _) in settings.items()}))
        for name in ("trials", "spikes", "currents"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))
        if self.reads.ndim != 2 or self.reads.size == 0 or self.stimulus.size == 0:
            raise ProtocolError(f"protocol {self.name!r} is empty: it has no trial or no reading time; give at least one of each")
        if not np.all(np.isfinite(self.reads)) or self.reads.min() < 0 or np.any(np.diff(self.reads, axis=1) < 0):
            raise ProtocolError(f"protocol {self.name!r}: reading times are finite, not negative and in increasing order")
        if self.stimulus.ndim != 1 or not np.array_equal(np.unique(self.stimulus), np.arange(self.n_stimuli)):
            raise ProtocolError(f"protocol {self.name!r}: stimulus numbers each trial's stimulus from 0 to {self.n_stimuli - 1}, all used")
        for what, values in [*((k, c.values) for k, c in self.trials.items()), *self.settings.items()]:
            if values.shape != (self.n_trials,):
                raise ProtocolError(f"protocol {self.name!r}: {what!r} has shape {values.shape}, expected ({self.n_trials},): one per trial")
            if not np.all(np.isfinite(values)):
                raise ProtocolError(f"protocol {self.name!r}: {what!r} holds a value that is not finite")
        for name, current in self.currents.items():
            if current.value.shape[1] != self.n_trials:
                raise ProtocolError(
                    f"protocol {self.name!r}: the current into {name!r} has {current.value.shape[1]} columns, expected {self.n_trials}: one per trial"
                )
        for port, spikes in self.spikes.items():
            if isinstance(spikes, Spikes) and spikes.time.size and not 0 <= spikes.stimulus.min() <= spikes.stimulus.max() < self.n_stimuli:
                raise ProtocolError(f"protocol {self.name!r}: spikes of {port!r} name a stimulus outside 0..{self.n_stimuli - 1}")
            if isinstance(spikes, Poisson) and spikes.rate.shape != (self.n_stimuli,):
                raise ProtocolError(f"protocol {self.name!r}: poisson {port!r} needs one rate per stimulus ({self.n_stimuli})")

    @property
    def n_trials(self) -> int:
        return int(self.stimulus.size)

    @property
    def n_stimuli(self) -> int:
        return int(self.reads.shape[0])

    @property
    def digest(self) -> str:
        return digest(self)


def _times(value: Any, place: str) -> Floats:
    return np.atleast_1d(units.in_unit(value, "second", place))


def _product(axes: Mapping[str, tuple[Floats, str]], initial: Mapping[str, Any], repetitions: int) -> tuple[Any, Any, Any]:
    """The trial table: every combination of axes, initial states and repetitions, the last varying fastest.

    Returns coordinates, settings, and for each trial the number of its combination of axes.
    """
    given = {path: units.si(v, f"initial {path}") for path, v in initial.items()}
    starts = {path: np.atleast_1d(values) for path, (values, _) in given.items()}
    lengths = {len(v) for v in starts.values()}
    if len(lengths) > 1:
        raise ProtocolError(f"initial: the lists have lengths {sorted(lengths)}; give one value per initial state to all of them")
    _check_count(repetitions, "repetitions")
    n_starts = lengths.pop() if lengths else 1
    sizes = [len(values) for values, _ in axes.values()] + [n_starts, repetitions]
    index = np.indices(sizes).reshape(len(sizes), -1)
    trials = {name: Coordinate(values=frozen(v[k]), unit=u) for (name, (v, u)), k in zip(axes.items(), index, strict=False)}
    # The initial value itself where it is one number, so that a measure need not know in which order they were given.
    one = next(iter(starts.values())) if len(starts) == 1 and given[next(iter(starts))][1] == units.DIMENSIONLESS else np.arange(n_starts)
    trials["start"] = Coordinate(values=frozen(one[index[-2]]))
    trials["repetition"] = Coordinate(values=frozen(index[-1].astype(float)))
    combination = np.arange(index.shape[1]) // (n_starts * repetitions)
    settings = {"settings": {path: v[index[-2]] for path, v in starts.items()}, "dimensions": {path: d for path, (_, d) in given.items()}}
    return trials, settings, combination


def _check_count(value: Any, place: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise ProtocolError(f"{place}: {value!r} is not a positive integer; give a number of times")


def pairing(
    lag: Any,
    rate: Any = "1 Hz",
    pairs: int = 60,
    *,
    repetitions: int = 1,
    initial: Mapping[str, Any] | None = None,
    onset: Any = "0.2 s",
    rest: Any = "1 s",
    stepping: Clock | Events | None = None,
    ports: tuple[str, str] = ("pre", "post"),
    record: tuple[str, ...] = (),
) -> Protocol:
    """Pairs of one presynaptic and one postsynaptic spike, `lag` apart (positive: pre first), at `rate`.

    Arguments:
        lag: times, one or many.
        rate: rates, one or many; every combination with the lags is a trial.
        pairs: number of pairs.
        repetitions: independent repetitions of every trial (they differ in noise).
        initial: placed state name -> value or list of initial values, each a trial of its own.
        onset, rest: time before the first and after the last spike.

    Returns:
        a protocol with coordinates ``lag``, ``rate``, ``repetition`` and ``start``: the initial value if it is one number without unit, else
        the index of the initial state.

    Errors:
        UnitError: a unit is wrong; ProtocolError: no lag, no pair, or a rate that is not positive.
    """
    if np.size(lag) == 0 or np.size(rate) == 0:
        raise ProtocolError(f"pairing is empty: {np.size(lag)} lags, {np.size(rate)} rates; give at least one of each")
    lags, rates = _times(lag, "pairing: lag"), np.atleast_1d(units.in_unit(rate, "hertz", "pairing: rate"))
    _check_count(pairs, "pairing: pairs")
    if np.any(rates <= 0):
        raise ProtocolError(f"pairing: rate {rates.min():g} Hz is not positive; give pairs per second")
    trials, settings, stimulus = _product({"lag": (lags, "ms"), "rate": (rates, "Hz")}, initial or {}, repetitions)
    before, after = (float(units.in_unit(x, "second", f"pairing: {name}")) for name, x in (("onset", onset), ("rest", rest)))
    if before < 0 or after < 0:
        raise ProtocolError(f"pairing: onset {before} s and rest {after} s cannot be negative; give the time before and after the spikes")
    first = before + max(0.0, -lags.min())
    each_lag, each_rate = (grid.ravel() for grid in np.meshgrid(lags, rates, indexing="ij"))
    pre = first + np.arange(pairs)[None, :] / each_rate[:, None]
    post = pre + each_lag[:, None]
    reads = np.maximum(pre, post).max(axis=1)[:, None] + after
    return Protocol(
        name="pairing",
        stepping=stepping or Events(),
        trials=trials,
        stimulus=stimulus,
        reads=reads,
        **settings,
        spikes={port: _one_unit(times) for port, times in zip(ports, (pre, post), strict=True)},
        record=record,
    )


def _one_unit(times: Floats) -> Spikes:
    stimulus = np.repeat(np.arange(times.shape[0]), times.shape[1])
    return Spikes(stimulus=stimulus, unit=np.zeros_like(stimulus), time=times.ravel())


def poisson(
    rate: Mapping[str, Any],
    duration: Any,
    *,
    repetitions: int = 1,
    initial: Mapping[str, Any] | None = None,
    grid: Any = "0.1 ms",
    reads: Any = None,
    stepping: Clock | Events | None = None,
    record: tuple[str, ...] = (),
) -> Protocol:
    """Poisson spikes of a rate per population, for `duration`.

    Arguments:
        rate: population -> rate or rates; every combination is a trial.
        grid: bin width of the trains.
        reads: reading times common to all trials; by default the end.

    Errors:
        UnitError, ProtocolError as for `pairing`.
    """
    stop = float(units.in_unit(duration, "second", "poisson: duration"))
    axes = {f"rate_{p}": (np.atleast_1d(units.in_unit(r, "hertz", f"poisson: rate of {p}")), "Hz") for p, r in rate.items()}
    trials, settings, _ = _product(axes, initial or {}, repetitions)
    width = float(units.in_unit(grid, "second", "poisson: grid"))
    if stop <= 0 or width <= 0:
        raise ProtocolError(f"poisson: duration {stop} s and grid {width} s must be positive")
    n = len(trials["repetition"].values)
    times = np.array([stop]) if reads is None else _times(reads, "poisson: reads")
    return Protocol(
        name="poisson",
        stepping=stepping or Events(),
        trials=trials,
        stimulus=np.arange(n),  # every trial draws its own spikes
        reads=np.tile(times, (n, 1)),
        **settings,
        spikes={p: Poisson(rate=trials[f"rate_{p}"].values, start=0.0, stop=stop, grid=width) for p in rate},
        record=record,
    )


def step_current(
    value: Mapping[str, Any],
    duration: Any,
    *,
    start: Any = "0 s",
    stop: Any = None,
    every: Any = None,
    stepping: Clock | None = None,
    record: tuple[str, ...] = (),
) -> Protocol:
    """A constant current into a population from `start` to `stop`, one trial per value, read every `every` (default: each step).

    Arguments:
        value: population -> current or currents, in the unit of the neuron's input; several populations share the trial axis.
    """
    step = stepping or clock()
    end, begin = (float(units.in_unit(x, "second", "step_current")) for x in (duration, start))
    off = end if stop is None else float(units.in_unit(stop, "second", "step_current: stop"))
    if not isinstance(step, Clock):
        raise ProtocolError(f"step_current: stepping {step} is no clock; a current needs one, such as clock('0.1 ms')")
    levels = {p: units.si(v, f"step_current: {p}") for p, v in value.items()}
    sizes = {np.atleast_1d(v).size for v, _ in levels.values()}
    if len(sizes) != 1 or end <= 0 or not 0 <= begin < off <= end:
        raise ProtocolError("step_current: give one value per trial for each population, and 0 <= start < stop <= duration")
    n = sizes.pop()
    breaks = np.array(sorted({0.0, begin, off} - ({end} if off == end else set())))
    on = (breaks >= begin) & (breaks < off)
    names = {p: _unit_name(dims) for p, (_, dims) in levels.items()}
    spacing = step.dt if every is None else float(units.in_unit(every, "second", "step_current: every"))
    if not 0 < spacing <= end:
        raise ProtocolError(f"step_current: every {spacing} s must be positive and at most the duration of {end} s")
    return Protocol(
        name="step_current",
        stepping=step,
        trials={p: Coordinate(values=frozen(np.atleast_1d(v)), unit=names[p]) for p, (v, _) in levels.items()},
        stimulus=np.zeros(n, np.int64),
        reads=frozen(spacing * np.arange(1, round(end / spacing) + 1)[None, :]),
        currents={p: Current(start=breaks, value=frozen(np.outer(on, np.atleast_1d(v))), unit=names[p]) for p, (v, _) in levels.items()},
        record=record,
    )


def _unit_name(dimensions: units.Dimensions) -> str:
    for name in ("1", "volt", "amp", "siemens", "hertz", "second"):
        if units.unit(name).dimensions == dimensions:
            return name
    raise units.UnitError(f"a current in {units.describe(dimensions)} drives nothing known; allowed: amp, volt, siemens, hertz, no unit")


def once(protocol: Protocol) -> Protocol:
    """The trials of `protocol` whose ``repetition`` is 0: what differs in noise only is done once."""
    if "repetition" not in protocol.trials:
        return protocol
    keep = np.flatnonzero(protocol.trials["repetition"].values == 0)
    kept, stimulus = np.unique(protocol.stimulus[keep], return_inverse=True)
    spikes: dict[str, Spikes | Poisson] = {}
    for port, s in protocol.spikes.items():
        if isinstance(s, Poisson):
            spikes[port] = dataclasses.replace(s, rate=s.rate[kept])
        else:
            mine = np.isin(s.stimulus, kept)
            spikes[port] = Spikes(stimulus=np.searchsorted(kept, s.stimulus[mine]), unit=s.unit[mine], time=s.time[mine])
    return dataclasses.replace(
        protocol,
        trials={k: dataclasses.replace(c, values=frozen(c.values[keep])) for k, c in protocol.trials.items()},
        stimulus=stimulus,
        reads=protocol.reads[kept],
        settings={k: v[keep] for k, v in protocol.settings.items()},
        spikes=spikes,
        currents={k: dataclasses.replace(c, value=c.value[:, keep]) for k, c in protocol.currents.items()},
    )
