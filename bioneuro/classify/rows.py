"""Spikes as rows of times, units and trials, from wherever they come, and the samples that they make."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bioneuro.classify.words import ClassifyError, one_time
from bioneuro.measure import observed
from bioneuro.protocol import Coordinate
from bioneuro.recording import Recording, train

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MOST = 20_000_000
"""Trains (trials times units) of the largest data set."""


class ReadError(ClassifyError):
    """Spikes cannot be read; the message names the place, the value, what is allowed and the remedy."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Samples:
    """Labelled spikes as they were read.

    Attributes:
        recording: trials are the samples; ``conditions["label"]`` are class numbers 0..K-1 where there were labels.
        population: of the recording, which holds the spikes.
        neurons: what the source calls each unit. classes: what it calls each class.
    """

    recording: Recording
    population: str
    neurons: tuple[str, ...]
    classes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Rows:
    """Spikes, in any order.

    Attributes:
        place: where they come from, for messages. time: s. trial, unit: numbers from 0. trials: how many.
        neurons: names of the units. conditions: name -> a value per trial, texts or numbers.
        stop: end of the observation in s, if the source says so.
    """

    place: str
    time: Floats
    trial: Ints
    unit: Ints
    trials: int
    neurons: tuple[str, ...]
    conditions: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    stop: float | None = None


def samples_from(rows: Rows, *, dt: Any, stop: Any, label: str, population: str) -> Samples:
    """A recording of `rows` on steps of `dt`.

    Without an end of the observation it ends with its last spike, and the notes say so.

    Raises:
        ReadError: times that are not finite, negative, after the end, or two of one unit within a step; too many trains; no spike and no end; a
            condition without a value (None, NaN) in some trial.
    """
    step = one_time(dt, f"{rows.place}: dt")
    if label != "label" and label not in rows.conditions:
        raise ReadError(f"{rows.place}: nothing called {label!r} says the class of each trial; there are: {', '.join(rows.conditions) or 'none'}")
    if step <= 0:
        raise ReadError(f"{rows.place}: dt {step:g} s is not positive; give a step, such as '0.1 ms'")
    steps, end = _steps(rows, step, stop)
    size = len(rows.neurons)
    index = rows.trial * size + rows.unit
    made = train(steps, index, n_trials=rows.trials, size=size, dt=step)
    close = np.flatnonzero(np.diff(made.steps) == 0)
    twice = close[~np.isin(close + 1, made.offsets)]
    if twice.size:
        k = int(np.searchsorted(made.offsets, twice[0], side="right")) - 1
        name = rows.neurons[k % size]
        raise ReadError(
            f"{rows.place}: trial {k // size}, neuron {name}: two spikes within one step of {step:g} s, at {made.steps[twice[0]] * step:g} s; "
            "give a smaller dt, or remove the copy"
        )
    conditions, classes, notes = _conditions(rows, label)
    if stop is None and rows.stop is None:
        notes.append(f"observation ends with the last spike, at {end:g} s; the source says no end")
    if rows.neurons != tuple(map(str, range(size))):
        notes.append(f"neurons: {', '.join(rows.neurons)}"[:1000])
    seen = observed(spikes={population: made}, stop=f"{end!r} second", conditions=conditions)
    shift = float(np.abs(steps * step - rows.time).max(initial=0.0))
    about = dataclasses.replace(seen.provenance, shifts={f"spikes of {population}": shift}, notes=tuple(notes))
    return Samples(recording=dataclasses.replace(seen, provenance=about), population=population, neurons=rows.neurons, classes=classes)


def _steps(rows: Rows, step: float, stop: Any) -> tuple[Ints, float]:
    """The step of every spike, and the end of the observation in s."""
    wrong = ~np.isfinite(rows.time) | (rows.time < 0)
    if wrong.any():
        k = int(wrong.argmax())
        raise ReadError(f"{rows.place}: trial {rows.trial[k]}: a spike at {rows.time[k]:g} s; give finite times from 0 s, from the trial's start")
    if not 0 < rows.trials * max(len(rows.neurons), 1) <= MOST or not rows.neurons:
        raise ReadError(f"{rows.place}: {rows.trials} trials of {len(rows.neurons)} neurons; give at least one train, and at most {MOST}")
    last = float(rows.time.max(initial=0.0))
    end = rows.stop if stop is None else one_time(stop, f"{rows.place}: stop")
    if max(last, end or 0.0) / step > 2**53:
        raise ReadError(f"{rows.place}: {max(last, end or 0.0):g} s in steps of {step:g} s are too many; check the unit of the times")
    steps = np.rint(rows.time / step).astype(np.int64)
    if end is None:
        end = int(steps.max(initial=0)) * step
    if end <= 0 or last > end * (1 + 1e-9) + 0.5 * step:
        raise ReadError(f"{rows.place}: the last spike is at {last:g} s, the end of the observation at {end:g} s; give a later end with stop=")
    return np.minimum(steps, int(np.floor(end / step + 1e-6))), float(end)


def _conditions(rows: Rows, label: str) -> tuple[dict[str, Coordinate], tuple[str, ...], list[str]]:
    """Coordinates, names of the classes, and what texts became in words."""
    made: dict[str, Coordinate] = {}
    classes: tuple[str, ...] = ()
    notes = []
    for name, values in rows.conditions.items():
        if label != "label" == name:
            notes.append(f"label: left out, since {label} says the class")
            continue
        if missing := [k for k, value in enumerate(values) if value is None or value != value]:
            k = missing[0]
            raise ReadError(f"{rows.place}: {name!r} of trial {k} is {values[k]}; give a value for each trial, or leave the trial out")
        known = sorted(set(values), key=ordered)
        numbers = {value: number(value) for value in known}
        if name != label and None not in numbers.values():
            made[name] = Coordinate(values=np.array([numbers[v] for v in values], np.float64))
            continue
        place = {value: float(k) for k, value in enumerate(known)}
        made["label" if name == label else name] = Coordinate(values=np.array([place[v] for v in values]))
        notes.append(f"{name}: " + ", ".join(f"{k} is {value}" for k, value in enumerate(known))[:1000])
        classes = tuple(map(str, known)) if name == label else classes
    return made, classes, notes


def number(value: Any) -> float | None:
    """A finite number, or None for a text that is none."""
    try:
        found = float(value)
    except (TypeError, ValueError):
        return None
    return found if np.isfinite(found) else None


def ordered(value: Any) -> tuple[bool, float, str]:
    """Sorts numbers by size, before texts by letters."""
    found = number(value)
    return found is None, found or 0.0, str(value)
