"""Circuit, spikes, complexity, class: the same from Brian2 and from the twin, with the engine as an argument."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from bioneuro import brian, learn
from bioneuro.catalogue import bellec2018, vogels2005
from bioneuro.classify import ClassifyError, LZCClassifier, counts, features, labels_of, per_neuron_lzc, pooled_lzc, through, words_of
from bioneuro.model import Circuit
from bioneuro.protocol import Coordinate, Protocol
from bioneuro.recording import Recording
from bioneuro.twin import Twin

TASK = learn.rates("10 Hz", "80 Hz", channels=4, duration="200 ms", dt="0.5 ms")


def by_numpy(circuit: Circuit, todo: Protocol, seed: int) -> Recording:
    return brian.simulate(circuit, todo, seed=seed, target="numpy", progress=False)


def by_twin(circuit: Circuit, todo: Protocol, seed: int) -> Recording:
    return Twin(circuit)(todo, seed=seed).detached()


LIF = vogels2005.driven(size=2, inputs=4).with_values({"excitation.weight": "8 mV"})


@pytest.mark.parametrize(("circuit", "population"), [(LIF, "lif"), (bellec2018.driven(size=2, inputs=4), "alif")], ids=["LIF", "ALIF"])
def test_engines_give_equal_features_and_classes(circuit: Circuit, population: str, ledger: Any) -> None:
    port = circuit.populations[0].name
    samples = TASK.samples(40, seed=1)

    def presented(given: Recording) -> Protocol:
        return learn.presented(given, port=port)

    runs = [through(circuit, samples, run=run, protocol=presented, seed=2) for run in (by_numpy, by_twin)]
    what = (per_neuron_lzc, pooled_lzc, counts)
    brian2, twin = (features(run, population, bin="1 ms", what=what) for run in runs)
    assert brian2.values[:, -1].sum() > 100  # spikes
    largest = np.abs(brian2.values - twin.values).max()
    ledger(f"{circuit.name} before a classifier", "Brian2, NumPy", "LZC and count of 40 samples by the twin", largest, 0)
    X, y = words_of(runs[0], population, bin="1 ms"), labels_of(runs[0])
    np.testing.assert_array_equal(y, labels_of(samples))
    model = LZCClassifier().fit(X[:20], y[:20])
    np.testing.assert_array_equal(model.predict(X), model.predict(words_of(runs[1], population, bin="1 ms")))
    assert model.score(X[20:], y[20:]) > 0.8


def test_runs_that_do_not_fit_are_refused() -> None:
    samples = TASK.samples(4, seed=1)

    def run(circuit: Circuit, todo: Protocol, seed: int) -> Recording:
        return TASK.samples(3, seed=1)

    with pytest.raises(ClassifyError, match="3 trials for 4 samples"):
        through(vogels2005.driven(), samples, run=run, protocol=learn.presented)
    other = dataclasses.replace(samples, conditions={"label": Coordinate(values=1 - samples.conditions["label"].values)})
    with pytest.raises(ClassifyError, match="condition 'label' of the run differs"):
        through(vogels2005.driven(), samples, run=lambda c, p, s: other, protocol=learn.presented)
