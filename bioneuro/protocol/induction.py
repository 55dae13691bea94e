"""Experiments that induce early- and late-phase plasticity: trains of Poisson pulses, hours before the last reading, on one pathway or two.

The four trains are those of Luboeinski & Tetzlaff 2021, Commun Biol 4:275, doi 10.1038/s42003-021-01778-y, with the times of the published
program (github.com/jlubo/memory-consolidation-stc, StimulusProtocols.cpp): the first stimulus comes an hour into a run of 8 h.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bioneuro.imposed import Afferents, Clock, Events, Floats, Poisson, ProtocolError, Spikes
from bioneuro.protocol.pairs import one_unit
from bioneuro.protocol.record import Protocol
from bioneuro.protocol.table import Table, check_count, hertz, second, seconds, table

EVERY = 600.0
"""Seconds from one reading to the next, where none are asked for."""
ROUNDING = 1e-12
"""Relative error of a sum of times that counts as none."""


@dataclass(frozen=True)
class Train:
    """Poisson firing at `rate` for `lasts`, `count` times, starting `every` apart.

    Values are written with their units and kept in Hz and seconds; a plain number is in these already.

    Errors:
        UnitError: a unit is wrong. ProtocolError: a rate or length is not positive; the next begins before the last has ended.
    """

    rate: Any
    lasts: Any
    count: int = 1
    every: Any = None

    def __post_init__(self) -> None:
        check_count(self.count, "train: count")
        rate = self.rate if _plain(self.rate) else hertz(self.rate, "train: rate").item()
        object.__setattr__(self, "rate", float(rate))
        for name in ("lasts", "every"):
            given = getattr(self, name)
            if given is not None or name == "lasts":
                object.__setattr__(self, name, float(given) if _plain(given) else second(given, f"train: {name}"))
        if not (0 < self.rate < np.inf and 0 < self.lasts < np.inf):
            raise ProtocolError(f"train: {self.rate} Hz for {self.lasts} s; give a positive rate, and a positive time that it lasts")
        if self.count > 1 and (self.every is None or not self.lasts < self.every < np.inf):
            raise ProtocolError(
                f"train: {self.count} times {self.lasts:g} s, starting {self.every} s apart; give `every`, longer than one lasts"
            )


def _plain(value: Any) -> bool:
    """Whether a value is a number without a unit."""
    return isinstance(value, int | float | np.number) and not isinstance(value, bool) and not hasattr(value, "dim")


STET = Train("100 Hz", "1 s", count=3, every="600 s")
"""Strong tetanus: late-phase potentiation."""
WTET = Train("100 Hz", "0.2 s")
"""Weak tetanus: early-phase potentiation."""
SLFS = Train("20 Hz", "0.15 s", count=900, every="1.15 s")
"""Strong low-frequency stimulation, bursts of three pulses on average: late-phase depression."""
WLFS = Train("1 Hz", "900 s")
"""Weak low-frequency stimulation: early-phase depression."""


def induction(
    train: Train | Sequence[Train],
    *,
    start: Any = "3600 s",
    duration: Any = "28800 s",
    reads: Any = None,
    port: str = "pre",
    silent: Sequence[str] = ("post",),
    repetitions: int = 1,
    dead: Any = "0 ms",
    grid: Any = "0.2 ms",
    initial: Mapping[str, Any] | None = None,
    stepping: Clock | Events | None = None,
    record: tuple[str, ...] = (),
) -> Protocol:
    """A train of Poisson pulses on one pathway, such as `STET`; every trial draws its own.

    Arguments:
        train: one or many, each a trial.
        start: when the train begins. duration: the length of the run, from 0 s on.
        reads: times from `start` on; by default 0 s, every 600 s after it, and the end.
        port: the population that fires. silent: the populations that do not.
        dead: absolute refractory period of the one that fires, a multiple of `grid`, the width of a bin of its trains (`Poisson`).
        Others as for `pairing`.

    Returns:
        a protocol with coordinates ``train``, its number among those given, ``repetition``, and ``start`` of `pairing`. Its reading times
        count from the beginning of the run.

    Errors:
        UnitError: a unit is wrong; ProtocolError: a train or a reading lies outside the run, or a dead time is off the grid.
    """
    trains = [_train("induction", t) for t in (train if isinstance(train, list | tuple) else [train])]
    made = table([{"train": (np.arange(len(trains), dtype=float), "1")}], initial, repetitions)
    which = made.trials["train"].values.astype(np.int64)
    begin, end, times = _run("induction", start, duration, reads)
    firing = _firing("induction", [trains[k] for k in which], np.full(which.size, begin), end, grid, dead)
    return _protocol("induction", made, [(port, firing)], silent, times, stepping, record)


def two_pathways(
    first: Train | None,
    second: Train | None,
    delay: Any,
    *,
    port: str = "pre",
    start: Any = "3600 s",
    duration: Any = "43200 s",
    reads: Any = None,
    silent: Sequence[str] = (),
    repetitions: int = 1,
    dead: Any = "0 ms",
    grid: Any = "0.2 ms",
    initial: Mapping[str, Any] | None = None,
    stepping: Clock | Events | None = None,
    record: tuple[str, ...] = (),
) -> Protocol:
    """A train of Poisson pulses on each of two pathways, one `delay` after the other: does what one makes last what the other tags?

    Strong before weak is ``two_pathways(STET, WTET, delay)``, and weak before strong the same with negative delays.

    Arguments:
        first, second: the trains of the two; None leaves a pathway silent.
        delay: from the beginning of the first train to the beginning of the second, one or many, each a trial; negative: the second comes
            first.
        port: a population of two units, one per pathway. start: when the first train begins, or would; reads: from then on. Others as for
            `induction`.

    Returns:
        a protocol with coordinates ``delay``, ``repetition`` and ``start``, as `induction`.

    Errors:
        as for `induction`; ProtocolError: neither pathway has a train.
    """
    made = table([{"delay": (seconds(delay, "two_pathways: delay"), "second")}], initial, repetitions)
    begin, end, times = _run("two_pathways", start, duration, reads)
    if first is None and second is None:
        raise ProtocolError("two_pathways: neither pathway has a train; give at least one, such as STET")
    behind, firing = made.trials["delay"].values, []
    for train, onset in ((first, begin + 0 * behind), (second, begin + behind)):
        trains = [] if train is None else [_train("two_pathways", train)] * behind.size
        firing.append(_firing("two_pathways", trains, onset, end, grid, dead))
    return _protocol("two_pathways", made, [(port, Afferents(tuple(firing)))], silent, times, stepping, record)


def _train(name: str, given: Any) -> Train:
    if not isinstance(given, Train):
        raise ProtocolError(f"{name}: {given!r:.60} is no train; give STET, WTET, SLFS, WLFS, or one such as Train('100 Hz', '1 s')")
    return given


def _run(name: str, start: Any, duration: Any, reads: Any) -> tuple[float, float, Floats]:
    """Beginning of the stimulus, end of the run, and reading times, all in seconds from the beginning of the run."""
    begin, end = second(start, f"{name}: start"), second(duration, f"{name}: duration")
    if not 0 <= begin < end:
        raise ProtocolError(f"{name}: start {begin:g} s and duration {end:g} s; give 0 <= start < duration")
    regular = np.append(np.arange(0.0, (end - begin) * (1 - ROUNDING), EVERY), end - begin)
    after = regular if reads is None else seconds(reads, f"{name}: reads")
    if after.size == 0 or after.min() < -begin or begin + after.max() > end * (1 + ROUNDING):
        raise ProtocolError(f"{name}: readings {after} s after the start at {begin:g} s; give times within the run of {end:g} s")
    return begin, end, begin + after


def _firing(name: str, trains: Sequence[Train], onset: Floats, end: float, grid: Any, dead: Any) -> Poisson | Spikes:
    """Train k from onset[k] seconds on, in stimulus k; no spikes for no trains."""
    if not trains:
        return one_unit(np.empty((1, 0)))
    rate, lasts, count, every = np.array([[t.rate, t.lasts, t.count, t.every or 0.0] for t in trains]).T[:, :, None]
    k = np.arange(int(count.max()))
    start, stop = (np.where(k < count, onset[:, None] + every * k + width, 0.0) for width in (0.0, lasts))
    if onset.min() < 0 or stop.max() > end * (1 + ROUNDING):
        raise ProtocolError(
            f"{name}: trains from {onset.min():g} s to {stop.max():g} s; give a start from which they lie within the run, and a duration "
            f"(now {end:g} s) that is long enough"
        )
    width, silence = second(grid, f"{name}: grid"), second(dead, f"{name}: dead")
    return Poisson(rate=rate[:, 0], start=start, stop=stop, grid=width, dead=silence)


def _protocol(
    name: str,
    made: Table,
    firing: Sequence[tuple[str, Poisson | Spikes | Afferents]],
    silent: Sequence[str],
    times: Floats,
    stepping: Clock | Events | None,
    record: tuple[str, ...],
) -> Protocol:
    if isinstance(silent, str):
        raise ProtocolError(f"{name}: silent is the text {silent!r}; give a tuple of populations, ({silent!r},)")
    spikes = dict([*firing, *((port, one_unit(np.empty((1, 0)))) for port in silent)])
    if len(spikes) != len(firing) + len(silent):
        raise ProtocolError(f"{name}: populations {[port for port, _ in firing]} fire and {list(silent)} are silent; name each once")
    n = made.combination.size
    return Protocol(
        name=name,
        stepping=stepping or Events(),
        trials=made.trials,
        stimulus=np.arange(n),  # every trial draws its own spikes
        reads=np.tile(times, (n, 1)),
        **made.given,
        spikes=spikes,
        record=record,
    )
