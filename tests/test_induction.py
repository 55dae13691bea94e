"""The protocols that induce tagging and capture."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from brian2.units import kHz, ms
from numpy.typing import NDArray
from test_trains import GRID, bins

from bioneuro import protocol
from bioneuro.catalogue import song2000
from bioneuro.plan import plan
from bioneuro.protocol import SLFS, STET, WLFS, WTET, Afferents, Events, Poisson, Protocol, ProtocolError, Spikes, Train
from bioneuro.timing import ClockTiming, EventTiming
from bioneuro.trains import drawn_spikes
from bioneuro.units import UnitError

# ---- protocols -------------------------------------------------------------------------------------------------------------------------


def stretches(made: Protocol, port: str, stimulus: int) -> NDArray[np.float64]:
    """Beginning and end of every stretch that is not empty, shape (stretch, 2)."""
    train = made.spikes[port]
    assert isinstance(train, Poisson)
    both = np.stack([np.asarray(train.start)[stimulus], np.asarray(train.stop)[stimulus]], axis=1)
    return both[both[:, 0] < both[:, 1]]


def test_the_four_trains() -> None:
    """Their times as in the published program, and about as many spikes as rate times length."""
    made = protocol.induction([STET, WTET, SLFS, WLFS], repetitions=3)
    assert made.trials["train"].shown.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert made.trials["repetition"].values.tolist() == [0, 1, 2] * 4
    assert made.n_stimuli == made.n_trials == 12
    assert made.stepping == Events()
    k = np.arange(900)[:, None]
    expected = [[[3600, 3601], [4200, 4201], [4800, 4801]], [[3600, 3600.2]], 3600 + k * 23 / 20 + [0, 3 / 20], [[3600, 4500]]]
    for trial, times in enumerate(np.repeat(np.arange(4), 3)):
        np.testing.assert_allclose(stretches(made, "pre", trial), expected[times], rtol=1e-12)
    number = [at.size for at in bins(made.spikes["pre"]).values()]  # type: ignore[arg-type]
    mean = np.repeat([300, 20, 2700, 900], 3)
    assert np.all(np.abs(number - mean) < 4 * np.sqrt(mean))
    silent = made.spikes["post"]
    assert isinstance(silent, Spikes)
    assert silent.time.size == 0


def test_readings_count_from_the_first_stimulus() -> None:
    assert protocol.induction(WTET).reads.tolist() == [list(range(3600, 28801, 600))]
    assert protocol.induction(WTET, start="100 s", duration="1000 s").reads.tolist() == [[100, 700, 1000]]
    made = protocol.induction([WTET, STET], start="10 s", duration="2000 s", reads=["-5 s", "0 s", "1990 s"])
    assert made.reads.tolist() == [[5, 10, 2000]] * 2
    assert protocol.two_pathways(STET, WTET, ["-600 s", "600 s"]).reads.tolist() == [list(range(3600, 43201, 600))] * 2


def sources(made: Protocol, port: str = "pre") -> tuple[Any, ...]:
    given = made.spikes[port]
    assert isinstance(given, Afferents)
    return given.sources


def test_two_pathways() -> None:
    made = protocol.two_pathways(STET, WTET, ["-1800 s", "0 s", "3600 s"], repetitions=2, initial={"one.h": "4 mV"})
    assert list(made.spikes) == ["pre"]
    assert made.trials["delay"].shown.tolist() == [-1800, -1800, 0, 0, 3600, 3600]
    assert set(made.trials) == {"delay", "repetition", "start"}
    first, second = sources(made)
    for trial, delay in enumerate(made.trials["delay"].values):
        assert first.start[trial].tolist() == [3600, 4200, 4800]
        np.testing.assert_allclose([second.start[trial, 0], second.stop[trial, 0]], [3600 + delay, 3600.2 + delay])
    drawn = drawn_spikes(made.spikes["pre"], "pre", 2, 1)
    s1, s2 = (drawn.time[(drawn.unit == unit) & (drawn.stimulus == 2)] for unit in (0, 1))
    assert not np.isin(s2, s1).all()
    assert np.all(np.lexsort((drawn.unit, drawn.time, drawn.stimulus)) == np.arange(drawn.unit.size))
    assert s1.tolist() != drawn.time[(drawn.unit == 0) & (drawn.stimulus == 3)].tolist()
    for trains, quiet in (((None, WTET), 0), ((STET, None), 1)):
        alone = sources(protocol.two_pathways(*trains, "60 s", dead="2 ms"))
        assert isinstance(alone[quiet], Spikes)
        assert alone[1 - quiet].start.shape[1] == (1 if quiet == 0 else 3)


def test_once_keeps_the_stretches() -> None:
    made = protocol.induction([STET, WTET], repetitions=3, dead="2 ms")
    assert protocol.once(made).digest == protocol.induction([STET, WTET], dead="2 ms").digest
    assert protocol.once(made).digest != protocol.induction([STET, WTET]).digest


def test_a_train_takes_units_and_keeps_si() -> None:
    made = Train(0.1 * kHz, 150 * ms, 2, "1.15 s")
    assert made == Train("100 Hz", "0.15 s", 2, 1.15)
    assert dataclasses.replace(made, count=3) == Train(100, 0.15, 3, 1.15)


@pytest.mark.parametrize("dead", ["0 ms", "2 ms"])
def test_the_clock_and_events_see_the_same_spikes(dead: str) -> None:
    """The same units fire, in the same bins; on events the lengths of the ticks add up to their times."""
    both = []
    for stepping in (protocol.clock("0.2 ms"), None):
        made = protocol.induction([STET, SLFS], start="1 s", duration="1300 s", repetitions=2, dead=dead, stepping=stepping)
        both.append(plan(song2000.pair(), made, seed=5).timing)
    clock, events = both
    assert isinstance(clock, ClockTiming)
    assert isinstance(events, EventTiming)
    assert clock.spikes["post"].step.size == events.spikes["post"].step.size == 0
    on_clock, by_event = clock.spikes["pre"], events.spikes["pre"]
    at = np.cumsum(events.lengths, axis=0)[by_event.step, by_event.index]
    order = np.lexsort((by_event.index, np.rint(at / GRID)))
    assert np.array_equal(by_event.index[order], on_clock.index)
    np.testing.assert_allclose(at[order], on_clock.step * GRID, rtol=1e-12, atol=1e-9)


# ---- what is refused -------------------------------------------------------------------------------------------------------------------

NAN = np.nan
SENSELESS: list[tuple[Any, str]] = [
    (lambda: Train("0 Hz", "1 s"), "rate 0 Hz is not positive"),
    (lambda: Train(NAN, "1 s"), "nan Hz for 1.0 s; give a positive rate"),
    (lambda: Train("1 Hz", "0 s"), "1.0 Hz for 0.0 s; give a positive rate, and a positive time"),
    (lambda: Train("1 Hz", None), "train: lasts: None is not a number"),
    (lambda: Train("1 Hz", "1 s", 0), "count: 0 is not a positive integer"),
    (lambda: Train("1 Hz", "1 s", 2), "2 times 1 s, starting None s apart; give `every`"),
    (lambda: Train("1 Hz", "1 s", 2, "1 s"), "starting 1.0 s apart; give `every`, longer than one lasts"),
    (lambda: Train("1 mV", "1 s"), "train: rate: expected a value in 'hertz'"),
    (lambda: Train("1 Hz", "1 mV"), "train: lasts: expected a value in 'second'"),
    (lambda: Train("1 Hz", "1 s", 2, "1 Hz"), "train: every: expected a value in 'second'"),
    (lambda: protocol.induction("STET"), "induction: 'STET' is no train; give STET"),  # type: ignore[arg-type]
    (lambda: protocol.induction([]), "0 values|is empty or uneven"),
    (lambda: protocol.induction(STET, start="-1 s"), "give 0 <= start < duration"),
    (lambda: protocol.induction(STET, start=1), "induction: start: expected a value in 'second'"),
    (lambda: protocol.induction(STET, duration="4800 s"), r"trains from 3600 s to 4801 s; give a start .* \(now 4800 s\)"),
    (lambda: protocol.induction(STET, reads=["0 s", "25201 s"]), "give times within the run of 28800 s"),
    (lambda: protocol.induction(STET, reads="-3601 s"), "give times within the run"),
    (lambda: protocol.induction(STET, reads=["2 s", "1 s"]), "increasing order"),
    (lambda: protocol.induction(STET, silent="post"), r"silent is the text 'post'; give a tuple of populations, \('post',\)"),
    (lambda: protocol.induction(STET, port="post"), "name each once"),
    (lambda: protocol.induction(STET, dead="0.3 ms"), "a multiple of the grid"),
    (lambda: protocol.induction(STET, grid="10 ms"), "half a spike per bin"),
    (lambda: protocol.induction(STET, repetitions=0), "repetitions: 0 is not a positive integer"),
    (lambda: protocol.two_pathways(STET, WTET, "-3601 s"), "trains from -1 s to -0.8 s; give a start"),
    (lambda: protocol.two_pathways(STET, WTET, "39600 s"), "give a start from which they lie within the run, and a duration"),
    (lambda: protocol.two_pathways(None, None, "0 s"), "neither pathway has a train; give at least one"),
    (lambda: protocol.two_pathways(STET, "WTET", "0 s"), "two_pathways: 'WTET' is no train"),  # type: ignore[arg-type]
    (lambda: protocol.two_pathways([STET, WTET], WTET, "0 s"), "two_pathways: .* is no train"),  # type: ignore[arg-type]
    (lambda: protocol.two_pathways(STET, WTET, 0), "two_pathways: delay: expected a value in 'second'"),
]


@pytest.mark.parametrize(("make", "message"), SENSELESS, ids=[f"{n}-{message[:20]}" for n, (_, message) in enumerate(SENSELESS)])
def test_what_is_refused(make: Any, message: str) -> None:
    with pytest.raises((ProtocolError, UnitError), match=message):
        make()
