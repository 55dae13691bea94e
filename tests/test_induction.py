"""Poisson trains in stretches and with a dead time: their law and their bits; the protocols that induce tagging and capture."""

import dataclasses
import hashlib
from typing import Any

import numpy as np
import pytest
from brian2.units import kHz, ms
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import binom

from bioneuro import protocol
from bioneuro.brian import simulate
from bioneuro.catalogue import song2000
from bioneuro.model import Circuit, Neuron, Pathway, Population, Projection, Synapse, parameter
from bioneuro.plan import plan
from bioneuro.protocol import SLFS, STET, WLFS, WTET, Afferents, Events, Poisson, Protocol, ProtocolError, Spikes, Train
from bioneuro.timing import ClockTiming, EventTiming
from bioneuro.trains import drawn_spikes
from bioneuro.units import UnitError

GRID = 2e-4


def source(rate: Any, start: Any, stop: Any, **options: Any) -> Poisson:
    return Poisson(**{"rate": np.atleast_1d(rate).astype(float), "start": start, "stop": stop, "grid": GRID, **options})


def bins(train: Poisson, *, port: str = "pre", size: int = 1, seed: int = 1) -> dict[tuple[int, int], NDArray[np.int64]]:
    """Bins of the spikes of every (stimulus, unit)."""
    drawn = drawn_spikes(train, port, size, seed)
    element = drawn.stimulus * size + drawn.unit
    at = np.rint(drawn.time / train.grid).astype(np.int64)[np.argsort(element, kind="stable")]
    ends = np.cumsum(np.bincount(element, minlength=train.rate.size * size))
    return {divmod(k, size): part for k, part in enumerate(np.split(at, ends[:-1]))}


# ---- the form there was before: bits ---------------------------------------------------------------------------------------------------

PAIRS = protocol.poisson_pairs("10 Hz", ["20 Hz", "10 Hz"], "40 s", correlation=[0, 0.5], lag="5 ms", repetitions=3)
SHARED = {"common": np.array([10.0, 10.0]), "source": "x", "shift": 0.02}
# (train, port, size, seed), number of spikes, the first three, and the digest of stimulus, unit and time: recorded before there were stretches.
BEFORE: list[tuple[Any, int, list[float], str]] = [
    ((source([5, 0, 80], 0.25, 2.0, grid=1e-4), "pre", 1, 7), 159, [0.5884, 0.6919, 1.1286], "ff629357b44603b3"),
    ((source([20, 60], 0.0, 1.0, grid=1e-4), "input", 3, 11), 242, [0.004, 0.0349, 0.0376], "2b07f42a06a25162"),
    ((source(np.linspace(0, 50, 2000), 1.0, 3.0), "post", 1, 3), 100292, [2.8052, 2.9554, 1.3174], "b668e7901aae039a"),
    ((PAIRS.spikes["pre"], "pre", 1, 5), 4776, [0.3203, 0.7205, 0.8372], "64ae845eed0d5b7c"),
    ((PAIRS.spikes["post"], "post", 1, 5), 7218, [0.044, 0.0928, 0.1078], "5c346611ee86da59"),
    ((source([30, 10], 0.5, 2.5, grid=1e-4, **SHARED), "a", 2, 9), 147, [0.5331, 0.5437, 0.5442], "039693f4a140924e"),
]


@pytest.mark.parametrize(("drawn", "count", "first", "digest"), BEFORE, ids=["one", "units", "blocks", "pairs", "later pairs", "shared"])
def test_one_stretch_without_dead_time_is_bit_for_bit_what_it_was(drawn: Any, count: int, first: list[float], digest: str) -> None:
    found = drawn_spikes(*drawn)
    assert found.time.size == count
    assert found.time[:3] == pytest.approx(first, rel=1e-15)
    assert hashlib.sha256(b"".join(np.ascontiguousarray(a).tobytes() for a in (found.stimulus, found.unit, found.time))).hexdigest()[:16] == digest


def test_stretches_lie_end_to_end_in_the_draw() -> None:
    """The same bins as one stretch of the whole length, cut and moved; and where all are cut alike, the number of stretches costs no draw."""
    whole, cut = source([50, 400], 0.0, 3.0), source([50, 400], [1.0, 3.0, 10.0], [2.0, 4.0, 11.0])
    moved = {key: at + 5000 * np.array([1, 2, 8])[at // 5000] for key, at in bins(whole).items()}
    assert all(np.array_equal(at, moved[key]) for key, at in bins(cut).items())


# ---- laws ------------------------------------------------------------------------------------------------------------------------------

stretch = st.tuples(st.integers(0, 60), st.integers(1, 120))
trains = st.lists(st.lists(stretch, min_size=0, max_size=4), min_size=1, max_size=4).filter(any)


def laid(cut: list[list[tuple[int, int]]]) -> tuple[Any, Any]:
    """(gap, length) in bins -> beginnings and ends in bins, shape (stimulus, stretch), padded."""
    start, stop = (np.zeros((len(cut), max(map(len, cut))), np.int64) for _ in range(2))
    for n, row in enumerate(cut):
        edges = np.cumsum(np.array(row, np.int64).ravel()).reshape(-1, 2)
        start[n, : len(row)], stop[n, : len(row)] = edges[:, 0], edges[:, 1]
    return start, stop


def thinned(at: NDArray[np.int64], dead: int) -> list[int]:
    """One spike after the other."""
    kept: list[int] = []
    for k in at.tolist():
        if not kept or k - kept[-1] >= dead:
            kept.append(k)
    return kept


@given(trains, st.integers(0, 40), st.integers(1, 3), st.booleans(), st.integers(0, 2**40))
def test_spikes_lie_inside_their_stretches_and_no_closer_than_the_dead_time(cut: Any, dead: int, size: int, shared: bool, seed: int) -> None:
    start, stop = laid(cut)
    rate = 1000.0 * np.arange(1, len(cut) + 1) / len(cut)
    more = {"common": 0.5 * rate, "source": "x", "shift": 7 * GRID} if shared else {}
    free = source(rate, start * GRID, stop * GRID, **more)
    all_, kept = bins(free, size=size, seed=seed), bins(dataclasses.replace(free, dead=dead * GRID), size=size, seed=seed)
    for (k, u), at in all_.items():
        inside = ((at[:, None] >= start[k]) & (at[:, None] < stop[k])).any(axis=1)
        assert inside.all()
        assert np.all(np.diff(at) > 0)
        assert kept[k, u].tolist() == thinned(at, dead)


@pytest.mark.parametrize("dead", [2, 10, 300])
@pytest.mark.parametrize("size", [1, 3000])
def test_dead_time_in_long_crowds(dead: int, size: int) -> None:
    """Few long crowds go by leaps and many short ones by steps: both as one spike after the other."""
    free = source(1500.0, 0.0, 600.0 / size)
    kept = bins(dataclasses.replace(free, dead=dead * GRID), size=size)
    for key, at in list(bins(free, size=size).items())[:50]:
        assert kept[key].tolist() == thinned(at, dead)


def law(rate: float, number: int, dead: int) -> tuple[float, float, float]:
    """Mean, variance and fourth central moment of the number of spikes in a stretch of `number` bins.

    Between two spikes lie max(dead, 1) - 1 bins that hold none for certain. Without those, n spikes fit if n successes come within
    number - (n - 1)(dead - 1) trials.
    """
    n = np.arange(1, number + 1)
    left = number - (n - 1) * (max(dead, 1) - 1)
    at_least = np.where(left > 0, binom.sf(n - 1, np.maximum(left, 0), rate * GRID), 0.0)
    probability = -np.diff(np.concatenate([[1.0], at_least, [0.0]]))
    mean = float(np.sum(probability * np.arange(number + 1)))
    second, fourth = (float(np.sum(probability * (np.arange(number + 1) - mean) ** k)) for k in (2, 4))
    return mean, second, fourth


@pytest.mark.parametrize("rate", [20.0, 100.0, 1000.0])
@pytest.mark.parametrize("dead", [0, 1, 10, 25])
def test_law_of_the_counts(rate: float, dead: int) -> None:
    """Mean and variance over 4000 trains in a stretch of 0.3 s; alike in a second stretch, further off than the dead time."""
    n, start = 4000, np.array([1.0, 2.0])
    train = source(np.full(n, rate), start, start + 0.3, dead=dead * GRID)
    drawn = drawn_spikes(train, "pre", 1, 20)
    mean, variance, fourth = law(rate, 1500, dead)
    for begin in start:
        count = np.bincount(drawn.stimulus[(drawn.time >= begin - 1e-9) & (drawn.time < begin + 0.5)], minlength=n)
        assert abs(count.mean() - mean) < 4 * np.sqrt(variance / n)
        assert abs(count.var() - variance) < 4 * np.sqrt((fourth - variance**2) / n)
    if dead <= 1:
        assert (mean, variance) == pytest.approx((rate * 0.3, rate * 0.3 * (1 - rate * GRID)))


@pytest.mark.parametrize("rate", [20.0, 100.0, 1000.0])
def test_rate_behind_a_dead_time(rate: float) -> None:
    """In the long run 1/(dead - grid + 1/rate): a free spike comes 1/rate after the bin in which it first can, and a spike fills its own."""
    dead = 10
    expected = 1 / (dead * GRID - GRID + 1 / rate)
    mean, _, _ = law(rate, 20_000, dead)
    assert mean == pytest.approx(expected * 20_000 * GRID, abs=1)
    drawn = drawn_spikes(source(np.full(50, rate), 0.0, 100.0, dead=dead * GRID), "pre", 1, 21)
    gap = np.diff(drawn.time)[np.diff(drawn.stimulus) == 0]
    spread = np.sqrt(1 - rate * GRID) / rate
    assert abs(gap.mean() - 1 / expected) < 4 * spread / np.sqrt(gap.size)
    assert gap.std() == pytest.approx(spread, rel=0.05)
    assert round(gap.min() / GRID) == dead


def relay(flag: str) -> Circuit:
    """A neuron that every incoming spike makes fire, one step later, if it can."""
    neuron = Neuron(
        name="relay", equations=f"dv/dt = -v/tau : volt {flag}", threshold="v > th", reset="v = 0*th", refractory="silence", method="exact",
        parameters={"tau": parameter(0.1, "ms"), "th": parameter(10, "mV"), "silence": parameter(2, "ms")},
    )  # fmt: skip
    kick = Synapse(name="kick", equations="", pathways=(Pathway(event="pre", code="v_post += k"),), parameters={"k": parameter(0.3, "volt")})
    ends = (Population(name="pre"), Population(name="relay", neuron=neuron))
    return Circuit(name="relayed", populations=ends, projections=(Projection(name="kick", synapse=kick, pre="pre", post="relay"),))


@pytest.mark.parametrize(("flag", "dead"), [("", 10), ("(unless refractory)", 11)])
def test_a_neuron_with_that_refractory_period_passes_the_same_spikes(flag: str, dead: int) -> None:
    free = source([300, 300], 0.0, 1.0)
    stepping, reads = protocol.clock("0.2 ms"), np.full((2, 1), 1.01)
    todo = Protocol(name="relayed", stepping=stepping, trials={}, stimulus=np.arange(2), reads=reads, spikes={"pre": free})
    passed = simulate(relay(flag), todo, seed=4, target="numpy").spikes["relay"]
    for (k, _), at in bins(dataclasses.replace(free, dead=dead * GRID), seed=4).items():
        assert np.array_equal(np.rint(passed.times(k, 0) / GRID) - 1, at)


def test_shared_spikes_stay_shared_in_stretches() -> None:
    """All spikes shared: the later port has those of the earlier one, `shift` later, as far as they lie in a stretch."""
    start, stop = np.array([[0.5, 2.0], [1.0, 1.0]]), np.array([[1.0, 2.5], [2.0, 1.0]])
    one, late = (source([200, 200], start, stop, common=np.array([200.0, 200.0]), source="x", shift=s) for s in (0.0, 0.1))
    early, after = bins(one, port="a"), bins(late, port="b")
    for (k, u), at in early.items():
        moved = at + 500
        inside = ((moved[:, None] * GRID >= start[k] - 1e-9) & (moved[:, None] * GRID < stop[k] - 1e-9)).any(axis=1)
        assert inside.any()
        assert not inside.all()
        assert np.array_equal(after[k, u], moved[inside])


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


def test_each_unit_draws_for_itself() -> None:
    one = source([50.0], 0.0, 1.0)
    drawn = drawn_spikes(Afferents((one, one)), "pre", 2, 3)
    alone = [drawn_spikes(one, f"pre.{k}", 1, 3).time for k in (0, 1)]
    assert [drawn.time[drawn.unit == k].tolist() for k in (0, 1)] == [a.tolist() for a in alone]
    assert alone[0].tolist() != alone[1].tolist()
    with pytest.raises(ProtocolError, match="2 sources for 3 units; give one for each"):
        drawn_spikes(Afferents((one, one)), "pre", 3, 3)
    with pytest.raises(ProtocolError, match="give one Spikes or Poisson for each unit"):
        Afferents(())


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
    (lambda: source(1, 2, 1), "stretch 0 of stimulus 0, from 2.0 s to 1.0 s; give 0 <= start < stop"),
    (lambda: source(1, -1, 1), "give 0 <= start < stop"),
    (lambda: source(1, 1, 1), "from 1.0 s to 1.0 s in every stretch; give 0 <= start < stop"),
    (lambda: source(1, 0, NAN), "from 0.0 s to nan s is not finite; give times in seconds"),
    (lambda: source([1, 1], [[0, 2], [0, 2]], [[1, 3], [2.5, 3]]), "stretch 1 of stimulus 1, from 2.0 s to 3.0 s begins before .* sort"),
    (lambda: source(1, 0, [1, 2]), "begins before the one before it ends"),
    (lambda: source(1, [0, 1, 2], [1, 1, 3]), "stretch 2 .* comes after an empty one; put the empty ones last"),
    (lambda: source(1, [0, 1], [1, 1.00001]), "stretch 1 .*: no bin of 0.0002 s lies between; make the grid finer"),
    (lambda: source([1, 1], np.zeros((3, 2)), 1), r"start of shape \(3, 2\) and stop of shape \(\) for rates of shape \(2,\)"),
    (lambda: source(1, np.zeros((2, 1)), 1), r"broadcast to \(stimulus, stretch\)"),
    (lambda: source(1, [], []), r"broadcast to \(stimulus, stretch\)"),
    (lambda: source(np.ones((2, 2)), 0, 1), "one rate per stimulus"),
    (lambda: source(1, 0, 1, grid=0.0), "a grid of 0.0 s; give a positive"),
    (lambda: source(1, 0, 1, dead=-1e-3), "dead time of -0.001 s .* give 0 or a multiple of the grid"),
    (lambda: source(1, 0, 1, dead=NAN), "dead time of nan s"),
    (lambda: source(1, 0, 1, dead=3e-4), "dead time of 0.0003 s on a grid of 0.0002 s; give 0 or a multiple of the grid, or make"),
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
