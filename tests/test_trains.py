"""Poisson trains in stretches and with a dead time: their law and their bits."""

import dataclasses
import hashlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import binom

from bioneuro import protocol
from bioneuro.brian import simulate
from bioneuro.model import Circuit, Neuron, Pathway, Population, Projection, Synapse, parameter
from bioneuro.protocol import Afferents, Poisson, Protocol, ProtocolError
from bioneuro.trains import drawn_spikes

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
]


@pytest.mark.parametrize(("make", "message"), SENSELESS, ids=[f"{n}-{message[:20]}" for n, (_, message) in enumerate(SENSELESS)])
def test_what_is_refused(make: Any, message: str) -> None:
    with pytest.raises(ProtocolError, match=message):
        make()
