"""When things happen: imposed spikes, delays and readings as integer steps, on a clock or from event to event."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bioneuro.model import Circuit, Population, Projection, Synapse
from bioneuro.protocol import Clock, Events, Protocol, ProtocolError
from bioneuro.ticks import QUANTUM, by_tick, ticks
from bioneuro.trains import Drawn

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MOST_STEPS = 2**31 - 2
"""Steps of a run: the engines count them in 32 bits."""


LONGEST = 9e8
"""Seconds of an event run: the order of events is found in 64-bit counts of quanta."""


POINT, BREAK = -1, -2
"""Events that are no spikes: a grid point, and a time at which a parameter changes."""

POINTS, BREAKS, UPDATES = "", "bioneuro_breaks", "bioneuro_updates"
"""Ports of what is no spike. What is at the time of a breakpoint comes after it, so breakpoints come first."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Imposed:
    """Spikes of a port in the order (step, index); index = stimulus*size + unit."""

    step: Ints
    index: Ints


@dataclass(frozen=True, kw_only=True, eq=False)
class Arrivals:
    """Spikes of a port as they arrive, in order of stimulus and time; index = stimulus*size + unit, or `POINT`, or `BREAK`."""

    stimulus: Ints
    index: Ints
    time: Floats


@dataclass(frozen=True, kw_only=True, eq=False)
class ClockTiming:
    """Steps of one length: `reads` (trial, reads), `breaks` (of phases), `period` (of updates, or 0), `delays` (of all pairs, or of each)."""

    dt: float
    reads: Ints
    spikes: Mapping[str, Imposed]
    delays: Mapping[str, tuple[Ints, ...]]
    breaks: Ints
    period: int = 0

    @property
    def updates(self) -> Ints:
        """The number of the update that begins each step, or 0, shape (step, 1)."""
        step = np.arange(self.n_steps)
        return np.where(step % max(self.period, 1) == 0, step // max(self.period, 1), 0)[:, None]

    @property
    def n_steps(self) -> int:
        return int(self.reads.max())

    @property
    def times(self) -> Floats:
        return np.asarray(self.reads * self.dt, np.float64)

    @property
    def lengths(self) -> None:
        return None

    @property
    def phase(self) -> Ints:
        """How many breakpoints of phases lie before each step, shape (step, 1)."""
        return np.searchsorted(self.breaks, np.arange(self.n_steps), side="right")[:, None]

    @property
    def snapshots(self) -> Ints:
        """Every number of completed steps at which some trial is read."""
        return np.unique(self.reads)

    @property
    def rows(self) -> Ints:
        """The snapshot of each reading, shape (trial, reads)."""
        return np.searchsorted(self.snapshots, self.reads)

    @property
    def n_snapshots(self) -> int:
        return int(self.snapshots.size)

    def empty(self) -> "ClockTiming":
        """The same without spikes."""
        return replace(self, spikes=dict.fromkeys(self.spikes, _NO_SPIKES))


@dataclass(frozen=True, kw_only=True, eq=False)
class EventTiming:
    """Steps from event to event. The ticks are worked out when asked for: the compiled program merges the arrivals itself.

    Attributes:
        arrivals: port -> its spikes; the keys `BREAKS`, which comes first, and `POINTS` hold breakpoints of phases and grid points, if any.
        readings: seconds, shape (stimulus, reads).
        stimulus: of each trial.
        period: seconds between updates by a processor, or 0 for none. Millions of them are counted, never listed.
    """

    arrivals: Mapping[str, Arrivals]
    readings: Floats
    stimulus: Ints
    delays: Mapping[str, tuple[Ints, ...]]
    period: float = 0.0
    dt: None = None

    @functools.cached_property
    def _ticks(self) -> tuple[Mapping[str, Imposed], Floats, Ints, Mapping[str, Ints]]:
        listed = {**self.arrivals, UPDATES: self._updates} if self.period else self.arrivals
        sources = [(a.stimulus, a.time) for a in listed.values()]
        found, lengths, reads = ticks(sources, self.readings, alone=BREAKS in listed)
        placed = dict(zip(listed, found, strict=True))
        return {p: _imposed(placed[p], a.index) for p, a in self.arrivals.items() if p not in (POINTS, BREAKS)}, lengths.T, reads, placed

    @property
    def _updates(self) -> Arrivals:
        return _everywhere(multiples(self.period, float(self.readings.max())), POINT, self.readings.shape[0])

    @property
    def updates(self) -> Ints:
        """The number of the update in each step, or 0, shape (step, stimulus)."""
        n = np.zeros((self.n_steps, self.readings.shape[0]), np.int64)
        if self.period:
            tick, listed = self._ticks[3][UPDATES], self._updates
            number = np.tile(np.arange(1, tick.size // self.readings.shape[0] + 1), self.readings.shape[0])
            n[tick[tick >= 0], listed.stimulus[tick >= 0]] = number[tick >= 0]
        return n

    @property
    def phase(self) -> Ints:
        """How many breakpoints of phases lie before each step, shape (step, stimulus)."""
        passed = np.zeros((self.n_steps + 1, self.readings.shape[0]), np.int64)
        if BREAKS in self.arrivals:
            tick = self._ticks[3][BREAKS]
            np.add.at(passed, (tick[tick >= 0] + 1, self.arrivals[BREAKS].stimulus[tick >= 0]), 1)
        return np.cumsum(passed[:-1], axis=0)

    @property
    def spikes(self) -> Mapping[str, Imposed]:
        return self._ticks[0]

    @property
    def lengths(self) -> Floats:
        """Seconds of each step, shape (step, stimulus)."""
        return self._ticks[1]

    @property
    def n_steps(self) -> int:
        return int(self.lengths.shape[0])

    @property
    def reads(self) -> Ints:
        return np.tile(self.snapshots, (self.stimulus.size, 1))

    @property
    def times(self) -> Floats:
        return np.asarray(self.readings[self.stimulus])

    @property
    def snapshots(self) -> Ints:
        return self._ticks[2]

    @property
    def rows(self) -> Ints:
        return np.tile(np.arange(self.n_snapshots), (self.stimulus.size, 1))

    @property
    def n_snapshots(self) -> int:
        return int(self.readings.shape[1])

    def empty(self) -> "EventTiming":
        none = Arrivals(stimulus=np.empty(0, np.int64), index=np.empty(0, np.int64), time=np.empty(0))
        return replace(self, arrivals=dict.fromkeys(self.arrivals, none))


_NO_SPIKES = Imposed(step=np.empty(0, np.int64), index=np.empty(0, np.int64))
Timing = ClockTiming | EventTiming


def population_size(circuit: Circuit, name: str) -> int:
    return next(p.size for p in circuit.populations if p.name == name)


def _imposed(tick: Ints, index: Ints) -> Imposed:
    step, index = by_tick(tick, index)
    return Imposed(step=step, index=index)


def to_grid(times: Floats, clock: Clock, what: str, shifts: dict[str, float]) -> Ints:
    """Times as integer steps; the largest shift is noted in `shifts`, or refused if the clock does not tolerate it."""
    if np.any(times > MOST_STEPS * clock.dt):
        raise ProtocolError(
            f"{what}: {times.max():.9g} s is over {MOST_STEPS} steps of {clock.dt * 1e3:g} ms; choose a longer dt, shorter protocols, or "
            "event stepping"
        )
    steps = np.rint(times / clock.dt).astype(np.int64)
    if times.size:
        moved = np.abs(times - steps * clock.dt).ravel()
        worst = int(moved.argmax())
        where = times.ravel()[worst]
        # A microsecond in 10^7 steps is rounding of the time itself, not a shift.
        if moved[worst] > max(clock.tolerance, 1e-12 * abs(where)):
            raise ProtocolError(
                f"{what}: {where:.9g} s is {moved[worst] * 1e6:.3g} us off the grid of {clock.dt * 1e3:g} ms, more than the "
                f"tolerance of {clock.tolerance * 1e6:.3g} us; choose a finer dt, times on the grid, event stepping, or a larger tolerance"
            )
        if moved[worst] > 1e-9 * clock.dt + 1e-12 * abs(where):
            shifts[what] = max(float(moved[worst]), shifts.get(what, 0.0))
    return steps


def _delay(synapse: Synapse, name: str, place: str) -> Floats:
    """Seconds: one delay for all pairs, or one for each."""
    if not name:
        return np.zeros(())
    value = synapse.parameters[name].value
    if np.any(value < 0):
        raise ProtocolError(f"{place}.{name}: a delay of {value.min()} s is negative; give 0 or more")
    return value


def on_clock(
    circuit: Circuit, protocol: Protocol, clock: Clock, drawn: Mapping[str, Drawn], shifts: dict[str, float]
) -> ClockTiming:
    """Everything moved to the grid, the largest shifts noted in `shifts`."""
    reads = to_grid(protocol.reads, clock, "reading times", shifts)[protocol.stimulus]
    spikes = {}
    for port, s in drawn.items():
        step = to_grid(s.time, clock, f"spikes of {port}", shifts)
        index = s.stimulus * population_size(circuit, port) + s.unit
        order = np.lexsort((index, step))
        step, index = step[order], index[order]
        _refuse_double(step, index, port, f"bin of {clock.dt * 1e3:g} ms", step * clock.dt)
        spikes[port] = Imposed(step=step, index=index)
    delays = {}
    for p in circuit.projections:
        _refuse_setting(p, protocol)
        times = [_delay(p.synapse, w.delay, p.name) for w in p.synapse.pathways]
        delays[p.name] = tuple(to_grid(t, clock, f"delays of {p.name}", shifts) for t in times)
    breaks = to_grid(breakpoints(protocol), clock, "phases", shifts)
    every = to_grid(np.array([circuit.period]), clock, "period of updates", shifts)
    return ClockTiming(dt=clock.dt, reads=reads, spikes=spikes, delays=delays, breaks=breaks, period=int(every[0]))


def breakpoints(protocol: Protocol) -> Floats:
    """Seconds at which some parameter changes, without the beginning."""
    return np.unique(np.concatenate([np.empty(0), *(p.start[1:] for p in protocol.phases.values())]))


def _refuse_double(step: Ints, index: Ints, port: str, where: str, times: Floats) -> None:
    same = (np.diff(step) == 0) & (np.diff(index) == 0)
    if same.any():
        k = int(np.flatnonzero(same)[0])
        raise ProtocolError(
            f"spikes of {port!r}: two spikes of one unit in one {where} at {times[k]:.9g} s (stimulus unit {index[k]}); a unit fires once "
            "per step: choose a finer dt or remove the duplicate"
        )


def _refuse_setting(p: Projection, protocol: Protocol) -> None:
    for pathway in p.synapse.pathways:
        if pathway.delay and f"{p.name}.{pathway.delay}" in protocol.settings:
            raise ProtocolError(f"settings: {p.name}.{pathway.delay} is a delay, which is common to all trials; run one protocol per delay")
    if p.synapse.every is not None and f"{p.name}.{p.synapse.every.period}" in protocol.settings:
        raise ProtocolError(f"settings: {p.name}.{p.synapse.every.period} is the period of updates of all trials; run one protocol per period")


def _port_delay(circuit: Circuit, population: Population, protocol: Protocol) -> float:
    """The one delay with which the spikes of a port arrive everywhere."""
    found = {0.0} if not circuit.projections else set()
    for p in circuit.projections:
        _refuse_setting(p, protocol)
        for w in p.synapse.pathways:
            if (p.pre if w.event == "pre" else p.post) == population.name:
                found |= set(np.atleast_1d(_delay(p.synapse, w.delay, p.name)).tolist())
    if len(found) > 1:
        raise ProtocolError(
            f"event stepping: spikes of port {population.name!r} arrive with several delays {sorted(found)} s; use one delay per port "
            "(a port of its own for each pathway), or stepping=clock(...)"
        )
    return found.pop() if found else 0.0


def by_events(circuit: Circuit, protocol: Protocol, drawn: Mapping[str, Drawn]) -> EventTiming:
    """Arrivals of every port, its delay included, and the grid points that the protocol asks for."""
    last = max([protocol.reads.max(), *(s.time.max(initial=0.0) for s in drawn.values())])
    if last > LONGEST:
        raise ProtocolError(f"event stepping: a spike or reading at {last:.9g} s lies after {LONGEST:.9g} s; choose a shorter protocol")
    breaks = breakpoints(protocol)
    arrivals = {BREAKS: _everywhere(breaks, BREAK, protocol.n_stimuli)} if breaks.size else {}
    for population in circuit.populations:
        if population.name in drawn:
            s = drawn[population.name]
            _refuse_same_instant(s, population.name)
            delay = _port_delay(circuit, population, protocol)
            index = s.stimulus if population.size == 1 else s.stimulus * population.size + s.unit
            arrivals[population.name] = Arrivals(stimulus=s.stimulus, index=index, time=s.time + delay if delay else s.time)
    if (points := _grid(protocol, protocol.reads)).size:
        arrivals[POINTS] = _everywhere(points, POINT, protocol.n_stimuli)
    return EventTiming(
        arrivals=arrivals,
        readings=protocol.reads,
        stimulus=protocol.stimulus,
        delays={p.name: (np.zeros((), np.int64),) * len(p.synapse.pathways) for p in circuit.projections},
        period=circuit.period,
    )


def _everywhere(times: Floats, what: int, n_stimuli: int) -> Arrivals:
    """Events at the same times in every stimulus."""
    stimulus = np.repeat(np.arange(n_stimuli), times.size)
    return Arrivals(stimulus=stimulus, index=np.full(stimulus.size, what), time=np.tile(times, n_stimuli))


def _refuse_same_instant(s: Drawn, port: str) -> None:
    if s.distinct:
        return
    order = np.lexsort((s.time, s.unit, s.stimulus))
    same = (np.diff(s.time[order]) <= QUANTUM) & (np.diff(s.unit[order]) == 0) & (np.diff(s.stimulus[order]) == 0)
    if same.any():
        k = order[int(np.flatnonzero(same)[0])]
        raise ProtocolError(
            f"spikes of {port!r}: unit {s.unit[k]} fires twice at {s.time[k]:.9g} s in stimulus {s.stimulus[k]}; remove the duplicate"
        )


def _grid(protocol: Protocol, reads: Floats) -> Floats:
    step = protocol.stepping.grid if isinstance(protocol.stepping, Events) else 0.0
    return multiples(step, float(reads.max())) if step > 0 else np.empty(0)


def multiples(step: float, last: float) -> Floats:
    """step, 2*step, ... up to `last`."""
    return np.asarray(np.arange(1, int(last / step) + 1) * step, np.float64)
