"""Sources of spike trains: their laws within standard errors, and samples that do not hang on one another."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bioneuro import learn
from bioneuro.learn.drawing import Field, fired
from bioneuro.learn.sources import SourceError, transitions
from bioneuro.recording import Recording
from bioneuro.units import UnitError

TEMPLATES = [[0.01, 0.05, 0.0505], [], [0.099]]
SOURCES = {
    "poisson": learn.poisson("60 Hz"),
    "refractory": learn.poisson("60 Hz", refractory="9 ms"),
    "inhomogeneous": learn.inhomogeneous(["0 s", "30.5 ms"], ["200 Hz", "20 Hz"]),
    "sinusoid": learn.sinusoid("50 Hz", depth=0.9, frequency="25 Hz", phase=1.0),
    "bernoulli": learn.bernoulli(0.3, "3 ms"),
    "bursts": learn.markov(0.1, 0.6),
    "apart": learn.markov(0.4, -0.5, "2 ms"),
    "jittered": learn.jittered(TEMPLATES, jitter="8 ms", deletion=0.2, noise="20 Hz"),
    "correlated": learn.correlated("60 Hz", 0.4, lags=["0 s", "4 ms", "7 ms"]),
}


def raster(seen: Recording) -> NDArray[np.int64]:
    """Spikes as 0 or 1, shape (sample, channel, step)."""
    train = seen.spikes["source"]
    full = np.zeros((seen.n_trials * train.size, round(float(seen.times[0, -1]) / train.dt)), np.int64)
    np.add.at(full, (np.repeat(np.arange(full.shape[0]), np.diff(train.offsets)), train.steps), 1)
    return full.reshape(seen.n_trials, train.size, -1)


def drawn(source: Any, samples: int, channels: int = 3, duration: str = "100 ms", **more: Any) -> NDArray[np.int64]:
    return raster(learn.drawn(source, samples, channels=channels, duration=duration, **{"seed": 1, **more}))


def near(found: NDArray[Any], expected: float, n: int | None = None) -> bool:
    """Whether the mean of independent numbers is within four standard errors."""
    return abs(float(found.mean()) - expected) < 4 * float(found.std()) / np.sqrt(n or found.size) + 1e-12


# ---- samples -----------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SOURCES)
def test_a_recording_whose_trials_are_the_samples(name: str) -> None:
    seen = learn.drawn(SOURCES[name], 5, channels=3, duration="100 ms", seed=2)
    assert (seen.n_trials, seen.spikes["source"].size, seen.spikes["source"].dt) == (5, 3, 1e-3)
    assert np.array_equal(seen.times, np.full((5, 1), 0.1))
    assert (seen.provenance.engine, seen.provenance.seed) == ("data", 2)
    assert raster(seen).max() == 1
    for k in range(5):
        for j in range(3):
            assert np.all(np.diff(seen.spikes["source"].times(k, j)) > 0)


@pytest.mark.parametrize("name", SOURCES)
@settings(max_examples=8)
@given(few=st.integers(1, 6), seed=st.integers(0, 2**64 - 1))
def test_samples_do_not_hang_on_how_many_there_are(name: str, few: int, seed: int) -> None:
    many = drawn(SOURCES[name], 40, seed=seed)
    assert np.array_equal(drawn(SOURCES[name], few, seed=seed), many[:few])
    assert not np.array_equal(drawn(SOURCES[name], 40, seed=seed ^ 1), many)


@pytest.mark.parametrize("name", ["poisson", "refractory", "inhomogeneous", "sinusoid", "bernoulli", "bursts", "apart"])
def test_channels_do_not_hang_on_how_many_there_are(name: str) -> None:
    assert np.array_equal(drawn(SOURCES[name], 30, channels=2), drawn(SOURCES[name], 30, channels=7)[:, :2])


def test_groups_and_channels_and_samples_are_independent() -> None:
    """Of 40 trains each, those of two channels, of two groups and of neighbouring samples share as many spikes as chance makes them."""
    source, share = learn.bernoulli(0.3), 0.3**2
    x = drawn(source, 401, channels=2, duration="200 ms")
    index, step = fired(source, Field(samples=401, channels=2, bins=200, dt=1e-3, seed=1, group=1))
    y = np.zeros((802, 200), np.int64)
    y[index, step] = 1
    for other in (x[:, 1], y[::2], np.roll(x[:, 0], 1, axis=0)):
        assert near(x[:, 0] * other, share)


# ---- laws --------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["poisson", "refractory", "bernoulli", "bursts", "apart", "correlated"])
def test_stationary_from_the_first_step_on(name: str) -> None:
    """The chance of a spike is the same in every bin, the first included."""
    x = drawn(SOURCES[name], 4000)
    if name in ("bernoulli", "apart"):
        width = 3 if name == "bernoulli" else 2
        assert not x[:, :, np.arange(100) % width != 0].any()
        x = x[:, :, ::width]
    p = {"bernoulli": 0.3, "bursts": 0.1, "apart": 0.4}.get(name, 0.06)
    each = x.reshape(-1, x.shape[2]).mean(axis=0)
    away = (each - p) / np.sqrt(p * (1 - p) / 12_000)
    assert abs(away).max() < 4.5
    assert abs(away[0]) < 4
    assert near(x.mean(axis=2), p)


@pytest.mark.parametrize("dead", [0, 1, 9, 40])
def test_refractory_trains(dead: int) -> None:
    """Intervals are `dead` steps and a geometric number: least interval, CV and rate."""
    x = drawn(learn.poisson("20 Hz", refractory=f"{dead} ms"), 40, duration="20 s").reshape(-1, 20_000)
    gaps = np.concatenate([np.diff(np.flatnonzero(row)) for row in x])
    least, p = max(1, dead), 0.02
    free = p / (1 - p * (least - 1))
    assert gaps.min() == least
    assert near(x.mean(axis=1), p)
    expected = np.sqrt(1 - free) / free * p
    assert gaps.std() / gaps.mean() == pytest.approx(expected, abs=5 / np.sqrt(gaps.size))
    assert expected == pytest.approx(1 - 0.02 * dead, abs=0.03)


@pytest.mark.parametrize(("p", "c"), [(0.02, 0.5), (0.3, 0.9), (0.3, 0.0), (0.3, -0.3), (0.6, -0.6), (0.5, -1 + 1e-9), (1.0, 0.5), (0.0, 0.3)])
def test_markov_transitions(p: float, c: float) -> None:
    source = learn.markov(p, c)
    x = drawn(source, 3000, channels=1)[:, 0]
    rise, stay = transitions(source)
    assert stay - rise == pytest.approx(c)
    assert near(x[:, 0], p)
    for before, chance in ((0, rise), (1, stay)):
        for at in (slice(0, 1), slice(0, -1)):
            after = x[:, 1:][:, at][x[:, :-1][:, at] == before]
            if after.size:
                assert abs(after.mean() - chance) < 4 * np.sqrt(max(chance * (1 - chance), 1e-9) / after.size) + 1e-12
    if 0 < p < 1:
        lag2 = float(np.mean((x[:, 2:] - p) * (x[:, :-2] - p)) / (p * (1 - p)))
        assert lag2 == pytest.approx(c**2, abs=0.04)


def test_rates_that_change() -> None:
    """Each step has the integral of the rate over it, also where the rate changes within one."""
    steps, n = np.arange(100), 4000
    stretches = drawn(SOURCES["inhomogeneous"], n).mean(axis=(0, 1))
    expected = np.where(steps < 30, 0.2, 0.02)
    expected[30] = 0.11
    wave = drawn(SOURCES["sinusoid"], n).mean(axis=(0, 1))
    t = (np.arange(100)[:, None] + (np.arange(50) + 0.5) / 50) * 1e-3
    rate = 50 * (1 + 0.9 * np.sin(2 * np.pi * 25 * t + 1.0)).mean(axis=1) * 1e-3
    for found, p in ((stretches, expected), (wave, rate)):
        assert np.abs((found - p) / np.sqrt(p * (1 - p) / (3 * n))).max() < 4.5
    still = learn.sinusoid("50 Hz", depth=0.5, frequency="0 Hz", phase=np.pi / 2)
    assert near(drawn(still, 500).mean(axis=2), 0.075)


def test_jittered_templates() -> None:
    """Spikes are where the template has them, as widely spread as said, as often missing as said; those that would leave are mirrored."""
    exact = drawn(learn.jittered(TEMPLATES, jitter="0 s"), 3)
    assert np.array_equal(exact, exact[[0, 0, 0]])
    assert [np.flatnonzero(row).tolist() for row in exact[0]] == [[10, 50], [], [99]]
    middle = drawn(learn.jittered([[0.5]], jitter="20 ms", deletion=0.25), 8000, channels=1, duration="1 s")[:, 0]
    sample, step = np.nonzero(middle)
    assert abs(sample.size / 8000 - 0.75) < 4 * np.sqrt(0.75 * 0.25 / 8000)
    assert near(step, 499.5)
    assert step.std() == pytest.approx(20.0, rel=4 / np.sqrt(2 * sample.size))
    edge = drawn(learn.jittered([[0.0, 0.9999]], jitter="5 ms"), 2000, channels=1, duration="1 s")[:, 0]
    assert np.all(edge.sum(axis=1) == 2)
    assert 0.5 * np.mean(np.nonzero(edge[:, :500])[1] + 0.5) == pytest.approx(2.5 * np.sqrt(2 / np.pi), abs=0.2)
    noisy = drawn(learn.jittered([[], []], jitter="0 s", noise="30 Hz"), 500, channels=2)
    assert near(noisy.mean(axis=2), 0.03)


@pytest.mark.parametrize("c", [0.0, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("rate", [20, 400])
def test_correlation_of_every_pair(c: float, rate: int) -> None:
    """That of single steps is what is said; with lags it is at their difference and nowhere else; each channel keeps its rate."""
    p, n = rate * 1e-3, 4000
    still, late = (drawn(learn.correlated(f"{rate} Hz", c, lags=lags), n) - p for lags in ([], ["0 s", "4 ms", "7 ms"]))
    for j, k, lag in ((0, 1, 4), (0, 2, 7), (1, 2, 3)):
        for x, shift in ((still, 0), (late, lag)):
            product = (x[:, j, : 100 - shift] * x[:, k, shift:]).mean(axis=1) / (p * (1 - p))
            assert abs(product.mean() - c) < 4 * product.std() / np.sqrt(n) + 1e-12
        assert near((late[:, j, :90] * late[:, k, :90]).mean(axis=1), 0.0)
    for x in (still, late):
        assert near(x.mean(axis=2), 0.0, n=3 * n if c == 0 else n)


# ---- entropy -----------------------------------------------------------------------------------------------------------------------------


def by_blocks(x: NDArray[np.int64], block: int) -> float:
    """H(block) - H(block - 1) of rows, bits."""

    def entropy(k: int) -> float:
        windows = np.lib.stride_tricks.sliding_window_view(x, k, axis=1) @ (1 << np.arange(k))
        share = np.bincount(windows.ravel()) / windows.size
        return float(-np.sum(share[share > 0] * np.log2(share[share > 0])))

    return entropy(block) - (entropy(block - 1) if block > 1 else 0.0)


@pytest.mark.parametrize(
    ("source", "block"),
    [(learn.bernoulli(0.2), 1), (learn.markov(0.2, 0.6), 2), (learn.markov(0.3, -0.3), 2), (learn.poisson("150 Hz", refractory="4 ms"), 4)],
)
def test_entropy_rate_is_that_of_long_words(source: Any, block: int) -> None:
    x = drawn(source, 20, channels=1, duration="20 s")[:, 0]
    assert by_blocks(x, block) == pytest.approx(learn.entropy_rate(source), abs=0.004)


def test_entropy_in_closed_form() -> None:
    assert learn.entropy(0.5) == 1
    assert learn.entropy(0.05) == pytest.approx(0.286, abs=5e-4)  # the table of H(p)
    same = (learn.bernoulli(0.1), learn.markov(0.1, 0.0), learn.poisson("100 Hz"))
    for found in (*map(learn.entropy_rate, same), learn.entropy_rate(learn.poisson("10 Hz"), dt="10 ms")):
        assert found == pytest.approx(learn.entropy(0.1))
    assert learn.entropy_rate(learn.markov(0.5, -1 + 1e-9)) == pytest.approx(0, abs=1e-6)
    assert learn.entropy_rate(learn.poisson("100 Hz", refractory="10 ms")) == pytest.approx(0)
    with pytest.raises(SourceError, match="Jittered source has no closed form here; give poisson"):
        learn.entropy_rate(SOURCES["jittered"])


# ---- what is refused ---------------------------------------------------------------------------------------------------------------------

REFUSED: list[tuple[Any, type[Exception], str]] = [
    (lambda: learn.poisson("20 ms"), UnitError, "poisson: rate"),
    (lambda: learn.poisson(["1 Hz", "2 Hz"]), SourceError, "rate: 2 values; give one"),
    (lambda: learn.poisson("20 Hz", refractory="60 ms"), SourceError, "at most 16.6667 Hz fit"),
    (lambda: learn.poisson("20 Hz", refractory="-1 ms"), SourceError, "refractory: -0.001 s is negative"),
    (lambda: learn.markov(0.2, 1.0), SourceError, "correlation 1 with p = 0.2; it lies from -0.25 to below 1"),
    (lambda: learn.markov(0.2, -0.3), SourceError, "from -0.25"),
    (lambda: learn.bernoulli(1.2), SourceError, "p: 1.2 is not between 0 and 1"),
    (lambda: learn.bernoulli(0.2, "0 s"), SourceError, "bin: 0 s; give a positive"),
    (lambda: learn.inhomogeneous(["1 s"], ["1 Hz"]), SourceError, "increasing starts from 0 s"),
    (lambda: learn.inhomogeneous(["0 s"], []), SourceError, "for 0 rates"),
    (lambda: learn.jittered([], jitter="1 ms"), SourceError, "no template"),
    (lambda: learn.jittered([[-0.1]], jitter="1 ms"), SourceError, r"times\[0\]: .* no row of finite times"),
    (lambda: learn.drawn(SOURCES["jittered"], 2, seed=0), SourceError, "3 templates for 1 channels"),
    (lambda: drawn(SOURCES["jittered"], 2, duration="90 ms"), SourceError, "after the end of the samples at 0.09 s"),
    (lambda: drawn(SOURCES["correlated"], 2, channels=2), SourceError, "3 lags for 2 channels"),
    (lambda: drawn(SOURCES["correlated"], 2, dt="0.3 ms"), SourceError, "is no multiple of the step of 0.0003 s"),
    (lambda: drawn(SOURCES["refractory"], 2, dt="2 ms"), SourceError, "refractory period: 0.009 s is no multiple"),
    (lambda: drawn(learn.poisson("2 kHz"), 2), SourceError, "2000 Hz on steps of 0.001 s"),
    (lambda: drawn(learn.sinusoid("600 Hz", depth=1, frequency="1 Hz"), 2, duration="1 s"), SourceError, "at most one is possible"),
    (lambda: drawn(SOURCES["bernoulli"], 2, dt="2 ms"), SourceError, "bin: 0.003 s is no multiple"),
    (lambda: drawn(SOURCES["poisson"], 2, dt="0 s"), SourceError, "give 0 < dt <= duration"),
    (lambda: drawn(SOURCES["poisson"], 0), ValueError, "samples: 0 is not a positive integer"),
    (lambda: drawn(SOURCES["poisson"], 2, seed=-1), SourceError, r"seed -1; give an integer from 0"),
    (lambda: drawn(SOURCES["poisson"], 2, seed=1.5), SourceError, "seed 1.5; give"),
    (lambda: drawn("poisson", 2), SourceError, "'poisson' is no source; make one with"),
]


@pytest.mark.parametrize(("make", "error", "message"), REFUSED, ids=[f"{n}" for n in range(len(REFUSED))])
def test_what_is_refused(make: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()
