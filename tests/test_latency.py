"""Times of single calls: what is called how often, percentiles of known times, and the garbage collector as it was."""

import gc

import numpy as np
import pytest

from bioneuro.measure import MeasureError, latency


def test_every_sample_is_called_as_often_in_an_order_of_the_seed() -> None:
    seen: list[int] = []
    found = latency(seen.append, range(30), warm=7, repeats=4, seed=1)
    assert found.n == 120
    assert len(seen) == 127
    assert sorted(seen[7:]) == sorted(4 * list(range(30)))
    again: list[int] = []
    latency(again.append, range(30), warm=7, repeats=4, seed=1)
    other: list[int] = []
    latency(other.append, range(30), warm=7, repeats=4, seed=2)
    assert seen == again != other


def test_percentiles_are_of_the_calls() -> None:
    """By a clock whose calls take 1, 2, ... 200 us, in any order."""
    durations = [0] * 200 + np.random.default_rng(1).permutation(np.arange(1, 201)).tolist()
    ticks = [tick for duration in durations for tick in (0, 1000 * duration)]
    found = latency(lambda sample: None, range(200), warm=0, repeats=1, clock=iter(ticks).__next__)
    assert [1e6 * t for t in (found.p50, found.p90, found.p99, found.largest)] == pytest.approx([100, 180, 198, 200])
    assert (found.n, found.empty) == (200, 0)


def test_the_garbage_collector_rests_meanwhile_and_is_as_it_was() -> None:
    states: list[bool] = []
    latency(lambda sample: states.append(gc.isenabled()), range(100), repeats=1)
    assert not any(states)
    assert gc.isenabled()
    with pytest.raises(ZeroDivisionError):
        latency(lambda sample: 1 // 0, range(100))
    assert gc.isenabled()
    gc.disable()
    try:
        latency(len, ["a"] * 100)
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_it_says_on_what_it_was_measured() -> None:
    found = latency(len, ["a"], repeats=100)
    assert 0 <= found.p50 <= found.p90 <= found.p99 <= found.largest
    assert "cores" in found.machine
    assert "OMP_NUM_THREADS" in str(found)
    assert "100 calls" in str(found)


@pytest.mark.parametrize(("samples", "repeats", "message"), [([], 10, "0 samples"), ([1], 99, "repeats=100"), ([1] * 50, 1, "repeats=2")])
def test_too_few_calls_are_refused(samples: list[int], repeats: int, message: str) -> None:
    with pytest.raises(MeasureError, match=message):
        latency(len, samples, repeats=repeats)


@pytest.mark.parametrize(("name", "value"), [("repeats", 100.5), ("warm", 1.5), ("seed", -1)])
def test_what_is_no_number_of_calls_is_refused(name: str, value: float) -> None:
    with pytest.raises(MeasureError, match=f"latency: {name}: {value}; give a whole number"):
        latency(len, ["a"] * 100, **{name: value})
