"""The third noun: what was seen, whichever engine ran it."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bioneuro import units
from bioneuro.guard import brian2_may_load
from bioneuro.protocol import Coordinate


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """Where a recording comes from: enough to make it again and to see what was changed on the way.

    Attributes:
        circuit, protocol: digests.
        seed: of stimuli and noise.
        engine: "cpp", "numpy", "cython" or "twin".
        strict: whether arithmetic was bound to IEEE order (no fast-math, no contraction).
        versions: package -> version.
        shifts: what was moved to the grid -> largest shift in seconds.
        notes: anything else a reader must know, in words.
    """

    circuit: str
    protocol: str
    seed: int
    engine: str
    strict: bool = True
    versions: Mapping[str, str] = field(default_factory=dict)
    shifts: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Train:
    """Spikes of one population in compressed rows: those of (trial, unit) are ``steps[offsets[k]:offsets[k+1]]``, k = trial*size + unit.

    Attributes:
        steps: integer time steps, int64.
        offsets: shape (trials*size + 1,), int64.
        size: units in the population.
        dt: seconds per step.
    """

    steps: NDArray[np.int64]
    offsets: NDArray[np.int64]
    size: int
    dt: float

    def times(self, trial: int, unit: int) -> NDArray[np.float64]:
        """Spike times in seconds."""
        k = trial * self.size + unit
        return np.asarray(self.steps[self.offsets[k] : self.offsets[k + 1]] * self.dt)

    @property
    def counts(self) -> NDArray[np.int64]:
        """Number of spikes, shape (trial, unit)."""
        return np.diff(self.offsets).reshape(-1, self.size)


def train(steps: Any, index: Any, *, n_trials: int, size: int, dt: float) -> Train:
    """A `Train` from spikes as pairs (step, trial*size + unit) in any order."""
    steps, index = np.asarray(steps, np.int64), np.asarray(index, np.int64)
    order = np.lexsort((steps, index))
    offsets = np.concatenate([[0], np.cumsum(np.bincount(index, minlength=n_trials * size))]).astype(np.int64)
    return Train(steps=steps[order], offsets=offsets, size=size, dt=dt)


def of_trials(whole: Train, trials: NDArray[np.int64]) -> Train:
    """The spikes of some trials, numbered anew in the order given."""
    rows = (trials[:, None] * whole.size + np.arange(whole.size)).ravel()
    parts = [whole.steps[whole.offsets[k] : whole.offsets[k + 1]] for k in rows]
    lengths = whole.offsets[rows + 1] - whole.offsets[rows]
    steps = np.concatenate([*parts, np.empty(0, np.int64)])
    return Train(steps=steps, offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64), size=whole.size, dt=whole.dt)


def pieces(whole: "Recording", n: int) -> "list[Recording]":
    """`n` recordings of equal numbers of trials, one after the other: what the copies of a twin did. Raises ValueError if they are not equal."""
    if n < 1 or whole.n_trials % n:
        raise ValueError(f"pieces: {whole.n_trials} trials in {n} recordings; give a divisor of the number of trials")
    each = whole.n_trials // n
    found = []
    for k in range(n):
        trials = slice(k * each, (k + 1) * each)
        close = {}
        for name, (step, index, margin) in whole.close.items():
            units = each * whole.spikes[name].size
            mine = (index >= k * units) & (index < (k + 1) * units)
            close[name] = (step[mine], index[mine] - k * units, margin[mine])
        found.append(
            dataclasses.replace(
                whole,
                traces={path: values[trials] for path, values in whole.traces.items()},
                times=whole.times[trials],
                spikes={name: of_trials(train, np.arange(k * each, (k + 1) * each)) for name, train in whole.spikes.items()},
                conditions={name: dataclasses.replace(c, values=c.values[trials]) for name, c in whole.conditions.items()},
                raster={name: values[trials] for name, values in whole.raster.items()},
                close=close,
            )
        )
    return found


@dataclass(frozen=True, kw_only=True, eq=False)
class Recording:
    """What was seen in a run.

    Attributes:
        traces: placed name -> array (trial, time, unit), SI, of NumPy or (from the twin) torch.
        times: reading times in seconds, shape (trial, time).
        units: placed name -> unit of the trace.
        spikes: population -> `Train`.
        conditions: the protocol's trial table.
        close: from the twin only: population -> (step, flat index, relative distance from threshold) of every close call.
        raster: from the twin only: population -> spikes as 0/1, shape (trial, step, unit), carrying the gradient.
    """

    traces: Mapping[str, Any]
    times: NDArray[np.float64]
    units: Mapping[str, str]
    spikes: Mapping[str, Train]
    conditions: Mapping[str, Coordinate]
    provenance: Provenance
    raster: Mapping[str, Any] = field(default_factory=dict)
    close: Mapping[str, tuple[Any, Any, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("traces", "units", "spikes", "conditions", "raster", "close"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))

    def __getitem__(self, path: str) -> Any:
        if path not in self.traces:
            raise KeyError(f"nothing called {path!r} was recorded; recorded: {', '.join(sorted(self.traces))}")
        return self.traces[path]

    @property
    def n_trials(self) -> int:
        return int(self.times.shape[0])

    def detached(self) -> "Recording":
        """The same recording in NumPy arrays without gradient."""
        plain = {k: v.detach().cpu().numpy() if hasattr(v, "detach") else v for k, v in self.traces.items()}
        return dataclasses.replace(self, traces=plain, raster={})

    def quantity(self, path: str) -> Any:
        """A trace as a Brian2 quantity."""
        brian2_may_load()
        from brian2.units.fundamentalunits import Quantity, get_or_create_dimension  # Brian2 takes seconds to import

        return Quantity(np.array(self[path]), dim=get_or_create_dimension(units.unit(self.units[path]).dimensions))
