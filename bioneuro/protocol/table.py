"""The table of trials: every combination of what is varied, of initial states and of repetitions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bioneuro import units
from bioneuro.imposed import Coordinate, Floats, ProtocolError
from bioneuro.records import frozen

Axis = Mapping[str, tuple[Floats, str]]
"""Coordinates that vary together: name -> (SI values, unit to show them in), all of one length."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Table:
    """Trials in the order of the axes, then initial states, then repetitions, the last varying fastest.

    Attributes:
        trials: coordinate name -> `Coordinate`, one value per trial.
        given: the fields ``settings`` and ``dimensions`` of a protocol.
        combination: for each trial the number of its combination of axes.
        each: coordinate name -> value of each combination.
    """

    trials: Mapping[str, Coordinate]
    given: Mapping[str, Any]
    combination: NDArray[np.int64]
    each: Mapping[str, Floats]


def table(axes: Sequence[Axis], initial: Mapping[str, Any] | None = None, repetitions: int = 1) -> Table:
    """Every combination of `axes`, initial states and repetitions.

    The coordinate ``start`` is the initial value itself if it is one number without a unit, else the index of the initial state.
    """
    settled = {path: units.si(v, f"initial {path}") for path, v in (initial or {}).items()}
    starts = {path: np.atleast_1d(values) for path, (values, _) in settled.items()}
    lengths = {len(v) for v in starts.values()}
    if len(lengths) > 1:
        raise ProtocolError(f"initial: the lists have lengths {sorted(lengths)}; give one value per initial state to all of them")
    check_count(repetitions, "repetitions")
    n_starts = lengths.pop() if lengths else 1
    sizes = [_length(axis) for axis in axes] + [n_starts, repetitions]
    index = np.indices(sizes).reshape(len(sizes), -1)
    trials = {
        name: Coordinate(values=frozen(v[k]), unit=u) for axis, k in zip(axes, index, strict=False) for name, (v, u) in axis.items()
    }
    # The initial value itself where it is one number, so that a measure need not know in which order they were given.
    plain = [v for path, v in starts.items() if settled[path][1] == units.DIMENSIONLESS]
    one = plain[0] if len(starts) == len(plain) == 1 else np.arange(n_starts)
    each = {name: np.asarray(c.values[:: n_starts * repetitions]) for name, c in trials.items()}
    trials["start"] = Coordinate(values=frozen(one[index[-2]]))
    trials["repetition"] = Coordinate(values=frozen(index[-1].astype(float)))
    return Table(
        trials=trials,
        given={"settings": {p: v[index[-2]] for p, v in starts.items()}, "dimensions": {p: d for p, (_, d) in settled.items()}},
        combination=np.arange(index.shape[1]) // (n_starts * repetitions),
        each=each,
    )


def _length(axis: Axis) -> int:
    lengths = {name: len(values) for name, (values, _) in axis.items()}
    if len(set(lengths.values())) != 1 or not min(lengths.values()):
        raise ProtocolError(f"the protocol is empty or uneven: it has {lengths} values; give at least one, and as many of each")
    return next(iter(lengths.values()))


def seconds(value: Any, place: str) -> Floats:
    """One or many times as an array in s."""
    return np.atleast_1d(units.in_unit(value, "second", place))


def second(value: Any, place: str) -> float:
    """One time in s."""
    found = units.in_unit(value, "second", place)
    if found.size != 1:
        raise ProtocolError(f"{place}: {found.size} times; give one")
    return float(found.reshape(()))


def hertz(value: Any, place: str, *, silence: bool = False) -> Floats:
    """One or many rates as an array in Hz, all positive (with `silence` also 0)."""
    rates = np.atleast_1d(units.in_unit(value, "hertz", place))
    if np.any(rates < 0 if silence else rates <= 0):
        raise ProtocolError(f"{place} {rates.min():g} Hz is {'negative' if silence else 'not positive'}; give a number per second")
    return rates


def check_count(value: Any, place: str) -> None:
    """Refuse what is no number of times."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise ProtocolError(f"{place}: {value!r} is not a positive integer; give a number from 1 on")
