"""Families of tasks: what is the same in the classes and what is not; balanced labels; samples as imposed spikes of a port."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bioneuro import learn
from bioneuro.brian import simulate
from bioneuro.learn.drawing import Field, fired
from bioneuro.learn.sources import SourceError
from bioneuro.model import Circuit, Neuron, Pathway, Population, Projection, Synapse, parameter
from bioneuro.protocol import ProtocolError
from bioneuro.recording import Recording


def labels(seen: Recording) -> NDArray[np.int64]:
    return seen.conditions["label"].values.astype(np.int64)


def raster(seen: Recording) -> NDArray[np.int64]:
    """Spikes as 0 or 1, shape (sample, channel, step)."""
    train = seen.spikes["source"]
    full = np.zeros((seen.n_trials * train.size, round(float(seen.times[0, -1]) / train.dt)), np.int64)
    full[np.repeat(np.arange(full.shape[0]), np.diff(train.offsets)), train.steps] = 1
    return full.reshape(seen.n_trials, train.size, -1)


def classes(task: learn.Task, n: int = 600, seed: int = 3) -> list[NDArray[np.int64]]:
    """Rasters of the samples of each class."""
    seen = task.samples(n, seed)
    return [raster(seen)[labels(seen) == k] for k in range(len(task.classes))]


def differ(one: NDArray[Any], other: NDArray[Any]) -> float:
    """Difference of two means in its standard errors."""
    return abs(float((one.mean() - other.mean()) / np.sqrt(one.var() / one.size + other.var() / other.size + 1e-300)))


# ---- every family ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", learn.FAMILIES)
def test_every_family_has_defaults_and_balanced_labels(name: str) -> None:
    task = learn.FAMILIES[name]()
    assert task.name == name
    assert task.says
    seen = task.samples(41, seed=5)
    k = len(task.classes)
    assert sorted(np.bincount(labels(seen)).tolist()) == [*[41 // k] * (k - 41 % k), *[41 // k + 1] * (41 % k)]
    assert seen.spikes["source"].counts.shape == (41, task.channels)
    assert seen.conditions["label"].unit == "1"
    assert seen.provenance.protocol == task.digest != learn.FAMILIES[name](duration="2 s").digest


@pytest.mark.parametrize("name", learn.FAMILIES)
def test_the_first_samples_are_the_same_however_many_follow(name: str) -> None:
    task = learn.FAMILIES[name]()
    few, many, other = (task.samples(n, seed) for n, seed in ((9, 5), (30, 5), (30, 6)))
    assert np.array_equal(labels(few), labels(many)[:9])
    assert np.array_equal(raster(few), raster(many)[:9])
    assert not np.array_equal(labels(other), labels(many))


def test_samples_of_a_class_are_those_of_its_source_in_turn() -> None:
    task = learn.rates(classes=3)
    for k, found in enumerate(classes(task, 30, seed=8)):
        index, step = fired(task.classes[k], Field(samples=10, channels=8, bins=1000, dt=1e-3, seed=8, group=k))
        expected = np.zeros((80, 1000), np.int64)
        expected[index, step] = 1
        assert np.array_equal(found, expected.reshape(10, 8, 1000))


def test_labels_are_in_random_order() -> None:
    order = labels(learn.rates(channels=1, duration="10 ms").samples(2000, seed=1))
    first = order[::2]
    assert abs(first.mean() - 0.5) < 4 * 0.5 / np.sqrt(first.size)
    assert abs(np.corrcoef(first[1:], first[:-1])[0, 1]) < 4 / np.sqrt(first.size)


# ---- what distinguishes the classes ------------------------------------------------------------------------------------------------------


def test_rates() -> None:
    task = learn.rates("10 Hz", "40 Hz", classes=4)
    assert [s.rate for s in task.classes] == pytest.approx([10, 20, 30, 40])
    means = [x.sum(axis=2).mean() for x in classes(task)]
    assert means == pytest.approx([10, 20, 30, 40], abs=4 * np.sqrt(40 / 1200))


def test_rhythm_has_one_rate_and_other_intervals() -> None:
    task = learn.rhythm("20 Hz", correlation=(0.3, 0.6), refractory="30 ms")
    assert task.says == "20 Hz: Poisson, bursts, regular"
    found = classes(task, 800)
    counts = [x.sum(axis=2).ravel() for x in found]
    assert all(differ(counts[0], other) < 4 for other in counts[1:])
    fano = [c.var() / c.mean() for c in counts]
    assert fano == pytest.approx([0.98, 0.98 * 1.3 / 0.7, 0.98 * 1.6 / 0.4, 0.19], rel=0.12)
    pairs = [float(np.mean(x[:, :, 1:] * x[:, :, :-1])) / 0.02 for x in found]
    assert pairs == pytest.approx([0.02, 0.02 + 0.3 * 0.98, 0.02 + 0.6 * 0.98, 0.0], abs=0.02)


def test_coincidence_has_one_law_per_channel() -> None:
    apart, shared = classes(learn.coincidence("20 Hz", 0.3))
    counts = [x.sum(axis=2).ravel() for x in (apart, shared)]
    assert differ(counts[0], counts[1]) < 4
    assert counts[0].var() == pytest.approx(counts[1].var(), rel=0.15)
    together = [float(np.mean(x[:, 0] * x[:, 1])) for x in (apart, shared)]
    assert together == pytest.approx([0.02**2, 0.02**2 + 0.3 * 0.02 * 0.98], abs=4e-4)


def test_order_is_one_law_with_the_halves_renamed() -> None:
    """Counts, coincidences and the lagged correlation summed over both directions are alike; who leads is not."""
    first, second = classes(learn.order("20 Hz", "5 ms", correlation=0.5), 800)
    swapped = second[:, [4, 5, 6, 7, 0, 1, 2, 3]]

    def follows(x: NDArray[np.int64], a: int, b: int, lag: int) -> NDArray[np.float64]:
        return (x[:, a, : 1000 - lag] * x[:, b, lag:]).mean(axis=1)

    for lag in (0, 5):
        for a, b in ((0, 1), (0, 4), (4, 0), (6, 7)):
            assert differ(follows(first, a, b, lag), follows(swapped, a, b, lag)) < 4
    for j in range(8):
        assert differ(first[:, j].sum(axis=1), second[:, j].sum(axis=1)) < 4
    assert follows(first, 0, 4, 5).mean() > 10 * follows(second, 0, 4, 5).mean()
    assert differ(follows(first, 0, 4, 5) + follows(first, 4, 0, 5), follows(second, 0, 4, 5) + follows(second, 4, 0, 5)) < 4


def test_templates_have_equal_counts() -> None:
    """Without jitter a class is its template; counts per channel differ by coincident spikes at most, also with jitter."""
    still = classes(learn.templates(3, "0 ms", seed=4), 30)
    assert all(np.array_equal(x, x[[0] * len(x)]) for x in still)
    assert not np.array_equal(still[0][0], still[1][0])
    jittered = classes(learn.templates(3, "5 ms", seed=4), 30)
    for x in (*still, *jittered):
        assert np.all((x.sum(axis=2) >= 8) & (x.sum(axis=2) <= 10))
    other = classes(learn.templates(3, "0 ms", seed=5), 30)
    assert not np.array_equal(other[0][0], still[0][0])
    again = classes(learn.templates(3, "0 ms", seed=4), 30, seed=77)
    assert np.array_equal(again[2][0], still[2][0])


def test_a_task_of_ones_own() -> None:
    mine = learn.task("mine", [learn.bernoulli(0.1), learn.markov(0.1, 0.5)], channels=2, duration="50 ms", says="bursts or not")
    assert mine.samples(4, 0).spikes["source"].size == 2
    with pytest.raises(SourceError, match="mine: 1 classes; give at least two"):
        learn.task("mine", [learn.bernoulli(0.1)], channels=2)
    with pytest.raises(SourceError, match="no multiple of the step"):
        learn.task("mine", mine.classes, channels=2, duration="1.0005 s")
    with pytest.raises(SourceError, match="3 channels; give an even number"):
        learn.order(channels=3)


# ---- presented ---------------------------------------------------------------------------------------------------------------------------


def relays(size: int) -> Circuit:
    """A neuron per channel that every spike makes fire, one step later."""
    neuron = Neuron(
        name="relay", equations="dv/dt = 0*v/tau : volt", threshold="v > th", reset="v -= 100*th", method="euler",
        parameters={"tau": parameter(20, "ms"), "th": parameter(10, "mV")},
    )  # fmt: skip
    kick = Synapse(name="kick", equations="", pathways=(Pathway(event="pre", code="v_post += k"),), parameters={"k": parameter(1, "volt")})
    ends = (Population(name="source", size=size), Population(name="relay", neuron=neuron, size=size))
    alone = (np.arange(size), np.arange(size))
    return Circuit(name="relays", populations=ends, projections=(Projection(name="kick", synapse=kick, pre="source", post="relay", pairs=alone),))


@pytest.mark.parametrize("dt", [None, "0.5 ms"])
def test_what_a_port_fires_is_what_was_presented(dt: str | None) -> None:
    samples = learn.coincidence("40 Hz", channels=4, duration="80 ms").samples(7, seed=2)
    made = learn.presented(samples, dt, rest="20 ms", record=("relay.v",))
    assert made.n_trials == 7
    assert np.allclose(made.reads, 0.1)
    seen = simulate(relays(4), made, seed=0, target="numpy")
    assert np.array_equal(labels(seen), labels(samples))
    passed, given = seen.spikes["relay"], samples.spikes["source"]
    assert np.array_equal(passed.offsets, given.offsets)
    assert np.array_equal(passed.steps, given.steps * round(given.dt / passed.dt) + 1)
    assert list(seen.traces) == ["relay.v"]


def test_what_cannot_be_presented() -> None:
    samples = learn.rates(channels=4, duration="20 ms").samples(2, seed=2)
    with pytest.raises(SourceError, match="no spikes of 'cells'; the samples have source"):
        learn.presented(samples, population="cells")
    with pytest.raises(ProtocolError, match=r"name a unit outside 0\.\.1"):
        simulate(relays(2), learn.presented(samples), seed=0, target="numpy")


def test_what_is_no_task_is_refused() -> None:
    for ask, says in (
        (lambda: learn.rates(["1 Hz", "2 Hz"], "3 Hz"), "rates: low: 2 values; give one rate"),
        (lambda: learn.task("mine", ["a", "b"], channels=1), "mine: 'a' is no source"),  # type: ignore[list-item]
        (lambda: learn.coincidence(channels=1), "give at least two"),
        (lambda: learn.template("10 Hz", channels=1, seed=1, number=-1), "number -1; give an integer from 0"),
        (lambda: learn.drawn(learn.poisson("20 Hz"), 10**12, seed=1), "spikes of a channel in 1e[+]15 steps are too many"),
        (lambda: learn.bernoulli([0.1, 0.2]), "bernoulli: p: 2 values"),  # type: ignore[arg-type]
    ):
        with pytest.raises(SourceError, match=says):
            ask()
