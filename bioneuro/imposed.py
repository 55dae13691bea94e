"""What a protocol is made of: how time is stepped, coordinates of trials, imposed spikes and currents."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bioneuro import units
from bioneuro.records import frozen

Floats = NDArray[np.float64]


class ProtocolError(ValueError):
    """A protocol is not well formed, or does not fit its circuit."""


def _seconds(value: Any, place: str) -> float:
    """A time in seconds: a plain finite number is one already."""
    if isinstance(value, int | float | np.number) and not isinstance(value, bool) and not hasattr(value, "dim"):
        if not np.isfinite(value):
            raise ProtocolError(f"{place}: {value} is not finite; give a time in seconds, or one with its unit such as '0.1 ms'")
        return float(value)
    return float(units.in_unit(value, "second", place))


@dataclass(frozen=True)
class Clock:
    """Step at a fixed `dt` (s). Spikes and delays off the grid are moved to it, and refused if moved by more than `tolerance` (s).

    The largest shift is reported in the recording's provenance.
    """

    dt: float
    tolerance: float

    def __post_init__(self) -> None:
        for name in ("dt", "tolerance"):
            object.__setattr__(self, name, _seconds(getattr(self, name), f"clock: {name}"))
        if self.dt <= 0 or self.tolerance < 0:
            raise ProtocolError(
                f"clock: dt {self.dt} s and tolerance {self.tolerance} s must be positive; choose for example dt='0.1 ms'"
            )

    def __str__(self) -> str:
        return f"clock, dt {self.dt * 1e3:g} ms"


def clock(dt: Any = "0.1 ms", *, tolerance: Any = None) -> Clock:
    """A fixed step `dt`; by default a tenth of it is the largest grid shift that passes.

    Raises `UnitError` if `dt` is no time, `ProtocolError` if it is not positive.
    """
    step = float(units.in_unit(dt, "second", "clock: dt"))
    allowed = 0.1 * abs(step) if tolerance is None else float(units.in_unit(tolerance, "second", "clock: tolerance"))
    return Clock(dt=step, tolerance=allowed)


@dataclass(frozen=True)
class Events:
    """Step from one event (spike arrival or reading time) to the next, exactly. `grid` (s) adds regular points; 0 adds none."""

    grid: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "grid", _seconds(self.grid, "events: grid"))
        if self.grid < 0:
            raise ProtocolError(f"events: grid {self.grid} s is negative; give a distance in time, or 0 for no grid")

    def __str__(self) -> str:
        return "events" if not self.grid else f"events, grid {self.grid:g} s"


@dataclass(frozen=True, kw_only=True, eq=False)
class Coordinate:
    """One value per trial of something varied: a lag, a rate, a repetition. SI values and the unit to show them in."""

    values: Floats
    unit: str = "1"

    @property
    def shown(self) -> Floats:
        """The values in `unit`."""
        return np.asarray(self.values / units.unit(self.unit).scale)


def integers(values: Any, place: str) -> NDArray[np.int64]:
    """A read-only array of whole numbers; others would be cut without a word."""
    array = np.asarray(values)
    whole = frozen(np.where(np.isfinite(array), array, 0), np.int64) if array.dtype.kind in "iuf" else frozen([], np.int64)
    if whole.shape != array.shape or np.any(whole != array):
        raise ProtocolError(f"{place}: {values!r:.60} are not whole numbers; give indices from 0")
    return whole


@dataclass(frozen=True, kw_only=True, eq=False)
class Spikes:
    """Imposed spikes: spike k is fired in stimulus `stimulus[k]` by unit `unit[k]` at `time[k]` seconds."""

    stimulus: NDArray[np.int64]
    unit: NDArray[np.int64]
    time: Floats

    def __post_init__(self) -> None:
        for name in ("stimulus", "unit"):
            object.__setattr__(self, name, integers(getattr(self, name), f"spikes: {name}"))
        object.__setattr__(self, "time", frozen(self.time))
        if not (self.stimulus.shape == self.unit.shape == self.time.shape) or self.time.ndim != 1:
            raise ProtocolError("spikes: stimulus, unit and time are three arrays of one length")
        if self.time.size and (not np.all(np.isfinite(self.time)) or self.time.min() < 0):
            bad = self.time[~(np.isfinite(self.time) & (self.time >= 0))][0]
            raise ProtocolError(f"spikes: time {bad} s; spike times are finite and not negative")


@dataclass(frozen=True, kw_only=True, eq=False)
class Poisson:
    """Poisson spikes, drawn when the protocol meets a seed; independent for every stimulus and unit.

    On a grid of `grid` seconds a bin holds a spike with probability rate*grid, so the same train runs on the clock and by events.

    Attributes:
        rate: Hz, one per stimulus.
        start, stop: seconds: the stretches of time in which it fires, kept with shape (stimulus, stretch). One number, one per stretch, or
            any shape that broadcasts to that may be given. A stimulus has its stretches in order and without overlap; those with
            stop = start are empty and come last.
        common: the part of `rate` that is shared, spike by spike, with every port of the same `source`; Hz, one per stimulus (default: 0).
            Unit k of one port shares with unit k of the other.
        source: the name of the shared train.
        shift: how many seconds after the shared train this port fires it.
        dead: absolute refractory period, seconds, a multiple of `grid`: of all these spikes, shared ones included, one that comes less than
            `dead` after the last that was kept is lost, since the train reaches the synapse through a neuron that cannot fire again so
            soon. One exactly `dead` later is kept, as by a Brian2 neuron with that refractory period on that grid, which every spike makes
            fire; if its voltage is ``(unless refractory)``, it misses the spike of that bin too: its `dead` is one bin longer.
    """

    rate: Floats
    start: Floats | float
    stop: Floats | float
    grid: float
    common: Floats = field(default_factory=lambda: np.zeros(0))
    source: str = ""
    shift: float = 0.0
    dead: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "rate", frozen(self.rate))
        if not np.isfinite(self.grid) or self.grid <= 0:
            raise ProtocolError(f"poisson: a grid of {self.grid} s; give a positive width of the bins")
        start, stop = _stretches(frozen(self.start), frozen(self.stop), self.grid, self.rate.shape)
        object.__setattr__(self, "start", start)
        object.__setattr__(self, "stop", stop)
        if not np.isfinite(self.dead) or self.dead < 0 or abs(self.dead / self.grid - np.rint(self.dead / self.grid)) > 1e-6:
            raise ProtocolError(
                f"poisson: a dead time of {self.dead} s on a grid of {self.grid} s; give 0 or a multiple of the grid, or make the grid finer"
            )
        if not np.all(np.isfinite(self.rate)) or np.any(self.rate < 0) or np.any(self.rate * self.grid > 0.5):
            raise ProtocolError(
                f"poisson: rates must lie between 0 and {0.5 / self.grid:g} Hz (half a spike per bin of {self.grid} s); "
                "lower the rate or make the grid finer"
            )
        object.__setattr__(self, "common", frozen(self.common if self.common.size else np.zeros_like(self.rate)))
        if self.common.shape != self.rate.shape or not np.all((self.common >= 0) & (self.common <= self.rate)):
            raise ProtocolError(
                f"poisson: shared rates {self.common} Hz of {self.rate} Hz; they lie between 0 and the whole rate: lower the correlation"
            )
        if not np.isfinite(self.shift) or self.shift < 0 or (np.any(self.common) and not self.source):
            raise ProtocolError(f"poisson: shift {self.shift} s, source {self.source!r}; give a time from 0 on and a name for what is shared")


def _stretches(start: Floats, stop: Floats, grid: float, stimuli: tuple[int, ...]) -> tuple[Floats, Floats]:
    """Beginning and end of every stretch, shape (stimulus, stretch)."""
    try:
        shape = np.broadcast_shapes(start.shape, stop.shape, (*stimuli, 1))
    except ValueError:
        shape = ()
    if len(stimuli) != 1 or len(shape) != 2 or shape[0] != stimuli[0] or 0 in shape:
        raise ProtocolError(
            f"poisson: start of shape {start.shape} and stop of shape {stop.shape} for rates of shape {stimuli}; give one rate per stimulus, "
            "and times that broadcast to (stimulus, stretch)"
        )
    start, stop = (frozen(np.broadcast_to(x, shape)) for x in (start, stop))

    def refuse(bad: NDArray[np.bool_], why: str) -> None:
        if bad.any():
            n, k = (int(i) for i in np.argwhere(bad)[0])
            raise ProtocolError(f"poisson: stretch {k} of stimulus {n}, from {start[n, k]} s to {stop[n, k]} s{why}")

    refuse(~(np.isfinite(start) & np.isfinite(stop)), " is not finite; give times in seconds")
    refuse((start < 0) | (stop < start), "; give 0 <= start < stop, or stop = start where there is none")
    fires = stop > start
    refuse(fires & (np.rint(stop / grid) <= np.rint(start / grid)), f": no bin of {grid} s lies between; make the grid finer")
    refuse(_later(fires[:, 1:] & ~fires[:, :-1]), " comes after an empty one; put the empty ones last")
    refuse(_later(fires[:, 1:] & (start[:, 1:] < stop[:, :-1])), " begins before the one before it ends; sort the stretches, or join them")
    if not fires.any():
        raise ProtocolError(f"poisson: from {start[0, 0]} s to {stop[0, 0]} s in every stretch; give 0 <= start < stop for at least one")
    return start, stop


def _later(between: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """What is true of neighbouring stretches, said of the later one."""
    return np.pad(between, ((0, 0), (1, 0)))


@dataclass(frozen=True, eq=False)
class Afferents:
    """A source for each unit of a port, where units fire differently: unit k fires what ``sources[k]`` says of its only unit."""

    sources: "tuple[Spikes | Poisson, ...]"

    def __post_init__(self) -> None:
        object.__setattr__(self, "sources", tuple(self.sources))
        if not self.sources or not all(isinstance(s, Spikes | Poisson) for s in self.sources):
            raise ProtocolError("afferents: give one Spikes or Poisson for each unit of the port")


@dataclass(frozen=True, kw_only=True, eq=False)
class Current:
    """Injected current: `value[k, trial]` (SI), or `value[k, trial, unit]`, flows from `start[k]` seconds until the next breakpoint."""

    start: Floats
    value: Floats
    unit: str

    def __post_init__(self) -> None:
        _check_course(self, "current", (2, 3))
        if not np.all(np.isfinite(self.value)):
            raise ProtocolError("current: a value is not finite; give finite numbers")


@dataclass(frozen=True, kw_only=True, eq=False)
class Phases:
    """A parameter that changes during a run: it is `value[k, trial]` (SI) from `start[k]` seconds until the next breakpoint.

    NaN stands for the circuit's own value. `bioneuro.protocol.during` makes one: a drug from t1 to t2, a neuromodulator, a clamp.
    """

    start: Floats
    value: Floats
    unit: str

    def __post_init__(self) -> None:
        _check_course(self, "phases", (2,))
        if np.any(np.isinf(self.value)):
            raise ProtocolError("phases: a value is infinite; give finite numbers, or NaN for the circuit's own value")


def _check_course(course: Current | Phases, what: str, axes: tuple[int, ...]) -> None:
    object.__setattr__(course, "start", frozen(course.start))
    object.__setattr__(course, "value", frozen(course.value))
    units.unit(course.unit)
    fits = course.start.ndim == 1 and course.start.size and course.value.ndim in axes and course.value.shape[0] == course.start.size
    if not fits or course.start[0] != 0:
        raise ProtocolError(f"{what}: breakpoints start at 0 s, with one row of values (one per trial) each")
    if not np.all(np.isfinite(course.start)) or np.any(np.diff(course.start) <= 0):
        raise ProtocolError(f"{what}: breakpoints {course.start} s are not finite and increasing in time; sort them")
