"""What a protocol is made of: how time is stepped, coordinates of trials, imposed spikes and currents."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bioneuro import units
from bioneuro.records import frozen

Floats = NDArray[np.float64]


class ProtocolError(ValueError):
    """A protocol is not well formed, or does not fit its circuit."""


@dataclass(frozen=True)
class Clock:
    """Step at a fixed `dt` (s). Spikes and delays off the grid are moved to it, and refused if moved by more than `tolerance` (s).

    The largest shift is reported in the recording's provenance.
    """

    dt: float
    tolerance: float

    def __str__(self) -> str:
        return f"clock, dt {self.dt * 1e3:g} ms"


def clock(dt: Any = "0.1 ms", *, tolerance: Any = None) -> Clock:
    """A fixed step `dt`; by default a tenth of it is the largest grid shift that passes.

    Raises `UnitError` if `dt` is no time, `ProtocolError` if it is not positive.
    """
    step = float(units.in_unit(dt, "second", "clock: dt"))
    allowed = 0.1 * step if tolerance is None else float(units.in_unit(tolerance, "second", "clock: tolerance"))
    if step <= 0 or allowed < 0:
        raise ProtocolError(f"clock: dt {step} s and tolerance {allowed} s must be positive; choose for example dt='0.1 ms'")
    return Clock(dt=step, tolerance=allowed)


@dataclass(frozen=True)
class Events:
    """Step from one event (spike arrival or reading time) to the next, exactly. `grid` (s) adds regular points; 0 adds none."""

    grid: float = 0.0

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


@dataclass(frozen=True, kw_only=True, eq=False)
class Spikes:
    """Imposed spikes: spike k is fired in stimulus `stimulus[k]` by unit `unit[k]` at `time[k]` seconds."""

    stimulus: NDArray[np.int64]
    unit: NDArray[np.int64]
    time: Floats

    def __post_init__(self) -> None:
        for name, dtype in (("stimulus", np.int64), ("unit", np.int64), ("time", np.float64)):
            object.__setattr__(self, name, frozen(getattr(self, name), dtype))
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
        start, stop: seconds.
    """

    rate: Floats
    start: float
    stop: float
    grid: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "rate", frozen(self.rate))
        if np.any(self.rate < 0) or np.any(self.rate * self.grid > 0.5):
            raise ProtocolError(
                f"poisson: rates must lie between 0 and {0.5 / self.grid:g} Hz (half a spike per bin of {self.grid} s); "
                "lower the rate or make the grid finer"
            )


@dataclass(frozen=True, kw_only=True, eq=False)
class Current:
    """Injected current: `value[k, trial]` (SI) flows from `start[k]` seconds until the next breakpoint."""

    start: Floats
    value: Floats
    unit: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "start", frozen(self.start))
        object.__setattr__(self, "value", frozen(self.value))
        if self.start.ndim != 1 or self.value.ndim != 2 or self.value.shape[0] != self.start.size or self.start[0] != 0:
            raise ProtocolError("current: breakpoints start at 0 s, with one row of values (one per trial) each")
        if np.any(np.diff(self.start) <= 0):
            raise ProtocolError("current: breakpoints must increase in time")
