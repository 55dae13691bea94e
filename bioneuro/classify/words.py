"""Spikes as words: a symbol per unit and bin, counted in whole time steps."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bioneuro import units
from bioneuro.measure.spikes import end_of, train_of
from bioneuro.recording import Recording

Words = NDArray[np.uint8]

LARGEST = 1_000_000_000
"""Symbols of the largest array of words that is made."""


class ClassifyError(ValueError):
    """Samples cannot be read or classified as asked."""


def words_of(recording: Recording, population: str, *, bin: Any, start: Any = "0 s", stop: Any = None, clip: bool = True) -> Words:
    """What the units of a population did in every bin, shape (trial, unit, bin): 1 if there was a spike, else 0.

    All of it is counted in steps of the recording. Bin k holds the steps from start + k*bin (included) to start + (k+1)*bin (excluded), as
    long as a whole bin fits between `start` and `stop`: what is left over is not read, and neither are spikes before `start`. A spike at
    the very end of the observation, at which no bin begins, is one of the last bin if that ends there too.

    Arguments:
        bin: width of a bin, a whole number of steps. start: a time on a step. stop: a time; by default the end of the observation.
        clip: whether two spikes in a bin count as one; if not, symbols are numbers of spikes.

    Raises:
        ClassifyError: a bin of no whole number of steps, a `start` between two steps, no bin between `start` and `stop`, a `stop` after the
            end, more than 255 spikes in a bin, or more than `LARGEST` symbols. MeasureError: no spikes of `population` were recorded.
            UnitError: a wrong unit.
    """
    train, end = train_of(recording, population), end_of(recording)
    width = _steps(bin, train.dt, "words_of: bin")
    first = _steps(start, train.dt, "words_of: start")
    off = end if stop is None else one_time(stop, "words_of: stop")
    if width < 1 or first < 0 or off > end * (1 + 1e-9):
        raise ClassifyError(
            f"words_of: bins of {width * train.dt:g} s from {first * train.dt:g} s to {off:g} s in an observation of {end:g} s; give a bin of at "
            "least a step, a start from 0 s and a stop up to the end"
        )
    last = int(np.floor(off / train.dt + 1e-6))
    n = (last - first) // width
    if n < 1:
        between = f"{first * train.dt:g} s and {off:g} s"
        raise ClassifyError(f"words_of: no bin of {width * train.dt:g} s fits between {between}; give narrower bins, or a longer stretch")
    rows = train.offsets.size - 1
    if rows * n > LARGEST:
        raise ClassifyError(f"words_of: {rows} trains of {n} bins are more than {LARGEST} symbols; give wider bins or a shorter stretch")
    inside = train.steps >= first
    place = (train.steps - first) // width
    if (last - first) % width == 0 and off >= end * (1 - 1e-9):
        place[train.steps == last] = n - 1
    inside &= place < n
    flat = (np.repeat(np.arange(rows) * n, np.diff(train.offsets)) + place)[inside]
    made = np.zeros(rows * n, np.uint8)
    if clip:
        made[flat] = 1
    else:
        found, counts = np.unique(flat, return_counts=True)
        if counts.max(initial=0) > 255:
            raise ClassifyError(f"words_of: {counts.max()} spikes in a bin; allowed: 255; give narrower bins, or clip=True")
        made[found] = counts
    return made.reshape(-1, train.size, n)


def labels_of(recording: Recording, label: str = "label") -> NDArray[np.int64]:
    """The class of every trial: the condition `label` as whole numbers.

    Raises:
        ClassifyError: there is no such condition, or its values are not whole numbers.
    """
    if label not in recording.conditions:
        raise ClassifyError(f"labels_of: no condition {label!r}; there are: {', '.join(sorted(recording.conditions)) or 'none'}")
    values = recording.conditions[label].values
    whole = (values == np.rint(values)) & (np.abs(values) <= 2**53)
    if not whole.all():
        odd = values[~whole][0]
        raise ClassifyError(f"labels_of: condition {label!r} holds {odd:g}; classes are whole numbers, such as 0 and 1, up to 2**53")
    return np.asarray(values, np.int64)


def width_of(bin: Any, dt: float) -> float:
    """The width of a bin in seconds, a whole number of steps of `dt`. Raises as `words_of`."""
    return _steps(bin, dt, "bin") * dt


def one_time(value: Any, place: str) -> float:
    """One time in s. Raises ClassifyError for several, UnitError for a wrong unit."""
    time = np.asarray(units.in_unit(value, "second", place))
    if time.size != 1:
        raise ClassifyError(f"{place}: {time.size} times; give one, such as '1 ms'")
    return float(time.item())


def _steps(value: Any, dt: float, place: str) -> int:
    """A time as a number of steps; it must be one to a millionth of a step."""
    time = one_time(value, place)
    steps = round(time / dt)
    if abs(time / dt - steps) > 1e-6 * max(1, steps):
        raise ClassifyError(f"{place}: {time:g} s is {time / dt:g} steps of {dt:g} s; give a whole number of steps")
    return steps
