"""The tempotron: its neuron, the answer to one spike, the rule, and what it has learned in every engine."""

import dataclasses
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from brian2.units import mV

from bioneuro import measure
from bioneuro.brian import simulate
from bioneuro.catalogue import brette2005, guetig2006, vogels2005
from bioneuro.learn import presented, tempotron
from bioneuro.learn.latency import latencies, shifted
from bioneuro.learn.linear import LearnError, below
from bioneuro.model import Circuit, Projection
from bioneuro.protocol import Coordinate, Protocol
from bioneuro.recording import Recording, train
from bioneuro.theory import tempotron as theory
from bioneuro.twin import Twin

TAU = {"tau": 0.015, "tau_s": 0.00375}
ABOUT = ("tempotron, guetig2006", "Gütig & Sompolinsky 2006, Nat Neurosci 9:420")
SILENT = {"tempotron.V_thr": 1e6}


def start(n: int, seed: int = 0) -> Circuit:
    return guetig2006.neuron_with(n, np.random.default_rng([seed, n]).normal(0, 0.2, n))


def taught(n: int = 40, load: float = 1.0, seed: int = 0) -> tuple[tempotron.Trained, Recording]:
    samples = latencies(round(load * n), afferents=n, seed=seed)
    weights = np.random.default_rng(seed).normal(0, guetig2006.SPREAD, n)
    how = {"rate": theory.rate(n, 0.5, **TAU), "momentum": guetig2006.MOMENTUM}
    return tempotron.train(guetig2006.neuron_with(n, weights), samples, **how, epochs=500, seed=seed), samples


def watched(samples: Recording) -> Protocol:
    """The samples, with the potential behind every step."""
    todo = presented(samples, record=("tempotron.v",))
    steps = round(float(samples.times.max()) / samples.spikes["source"].dt)
    return dataclasses.replace(todo, reads=np.tile(np.arange(1, steps + 1) * samples.spikes["source"].dt, (samples.n_trials, 1)))


@pytest.mark.parametrize("dt", [1e-3, 2e-4])
def test_one_spike_makes_the_closed_form(dt: float, ledger: Any) -> None:
    found = below(start(3), dt=dt, steps=round(0.15 / dt))
    error = float(np.abs(found.kernel - theory.kernel(np.arange(found.kernel.size) * dt, **TAU)).max())
    assert not found.rest.any()
    ledger(*ABOUT, f"potential of one spike and V0 (exp(-t/tau) - exp(-t/tau_s)), clock {dt * 1e3:g} ms", error, 1e-12)


def test_the_peak_of_a_spike_is_its_weight_for_all_time_constants() -> None:
    for tau, tau_s in ((30, 2), (6, 4.5), (200, 1)):
        circuit = start(1).with_values({"tempotron.tau": f"{tau} ms", "tempotron.tau_s": f"{tau_s} ms"})
        assert below(circuit, dt=1e-5, steps=2500).kernel.max() == pytest.approx(1, abs=1e-5)


def test_potentials_are_those_of_the_engines(ledger: Any) -> None:
    """The neuron that cannot fire, in Brian2 and the twin, several spikes per afferent, weights of both signs."""
    circuit = start(12).with_values(SILENT)
    samples = latencies(6, afferents=12, duration="100 ms", seed=1)
    second = latencies(6, afferents=12, duration="100 ms", seed=2).spikes["source"].steps
    steps, row = np.concatenate([samples.spikes["source"].steps, second]), np.tile(np.arange(72), 2)
    steps, row = np.unique(np.stack([steps, row]), axis=1)
    samples = dataclasses.replace(samples, spikes={"source": train(steps, row, n_trials=6, size=12, dt=1e-3)})
    said = tempotron.potential(circuit, samples)
    for name, seen in (("NumPy", simulate(circuit, watched(samples), seed=0, target="numpy")), ("twin", Twin(circuit)(watched(samples)).detached())):
        v = seen["tempotron.v"][:, :, 0]
        assert (v.argmax(axis=1) == said.step).all()
        ledger(*ABOUT, f"highest potential, sum of answers to single spikes and {name}", float(np.abs(v.max(axis=1) - said.highest).max()), 1e-12)


def test_the_rule_is_the_gradient_of_the_highest_potential(ledger: Any) -> None:
    """As torch finds it by going back through the steps of the neuron's own equations."""
    circuit, samples = start(10).with_values(SILENT), latencies(5, afferents=10, duration="100 ms", seed=2)
    twin = Twin(circuit, free=["afferents.w"])
    v = twin(watched(samples))["tempotron.v"][:, :, 0]
    said = tempotron.potential(circuit, samples)
    x = tempotron.responses(circuit, samples, said.step)
    worst, free = 0.0, next(twin.parameters())
    (rate,) = torch.autograd.grad(twin.value("afferents.w").sum(), free)
    for k in range(5):
        (slope,) = torch.autograd.grad(v[k].max(), free, retain_graph=True)
        worst = max(worst, float(np.abs((slope / rate).numpy() - x[k]).max()))
    ledger(*ABOUT, "change of the weights by the rule, and the gradient of the highest potential in torch", worst, 1e-12)


def naive(circuit: Circuit, samples: Recording, rate: float, momentum: float, epochs: int, seed: int) -> tuple[np.ndarray, list[int]]:
    """The rule in NumPy, with the closed form."""
    source, n = samples.spikes["source"], samples.spikes["source"].size
    times = np.arange(500)
    psp = theory.kernel((times[:, None] - source.steps.reshape(-1, 1, n)) * source.dt, **TAU)
    w, change, random, errors = circuit.values["afferents.w"].value.copy(), np.zeros(n), np.random.default_rng(seed), []
    for _ in range(epochs):
        errors.append(0)
        for k in random.permutation(samples.n_trials):
            v = psp[k] @ w
            wanted = samples.conditions["label"].values[k] == 1
            if (v.max() > 1) != wanted:
                change = rate * (1 if wanted else -1) * psp[k, v.argmax()] + momentum * change
                w, errors[-1] = w + change, errors[-1] + 1
        if not errors[-1]:
            break
    return w, errors


def test_learning_is_that_of_a_plain_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Weight by weight; and it does not hang on how often the keyboard is looked at."""
    samples, circuit = latencies(30, afferents=20, seed=4), start(20)
    how = {"rate": 3e-3, "momentum": 0.9, "epochs": 40, "seed": 8}
    found = tempotron.train(circuit, samples, **how)
    w, errors = naive(circuit, samples, **how)
    assert found.errors.tolist() == errors
    assert sum(errors) > 0
    np.testing.assert_allclose(found.circuit.values["afferents.w"].value, w, rtol=0, atol=1e-12)
    monkeypatch.setattr(tempotron, "SLICE", 0.0)
    assert tempotron.train(circuit, samples, **how).circuit.digest == found.circuit.digest
    assert tempotron.train(circuit, samples, **{**how, "seed": 9}).circuit.digest != found.circuit.digest


@pytest.mark.parametrize("engine", ["numpy", "twin", pytest.param("cpp", marks=pytest.mark.slow)])
def test_a_trained_neuron_decides_alike_in_every_engine(engine: str, ledger: Any) -> None:
    """All patterns of both classes: one spike or none."""
    found, samples = taught(60, 2.0) if engine == "cpp" else taught(30, 1.5)
    said, label = tempotron.potential(found.circuit, samples), samples.conditions["label"].values
    assert found.learned
    assert tempotron.accuracy(found.circuit, samples) == 1
    assert 0.3 < label.mean() < 0.7
    todo = presented(samples)
    with torch.no_grad():
        seen = Twin(found.circuit)(todo).detached() if engine == "twin" else simulate(found.circuit, todo, seed=0, target=engine)
    counts = seen.spikes["tempotron"].counts[:, 0]
    assert set(counts.tolist()) == {0, 1}
    close = f"{said.ties.size} ties within {said.tie:g}; nearest {np.abs(said.margin).min():.1e} from the threshold"
    name = {"numpy": "Brian2 on NumPy", "cpp": "Brian2 on C++", "twin": "the twin"}[engine]
    ledger(*ABOUT, f"{label.size} learned patterns that {name} decides otherwise than the learning code", int((counts != said.fires).sum()), 0, close)
    assert (counts == label).all()


def test_an_untrained_neuron_decides_alike_too() -> None:
    """Right or wrong, with potentials on both sides of the threshold."""
    circuit = start(40).with_values({"tempotron.V_thr": 0.5})
    samples = latencies(60, afferents=40, duration="200 ms", seed=3)
    said = tempotron.potential(circuit, samples)
    counts = simulate(circuit, presented(samples), seed=0, target="numpy").spikes["tempotron"].counts[:, 0]
    assert 0 < said.fires.sum() < said.fires.size
    assert not said.ties.size
    assert counts.tolist() == said.fires.astype(int).tolist()


def test_input_behind_the_spike_is_shunted() -> None:
    samples = measure.observed(spikes={"source": train([10, 30], [0, 1], n_trials=1, size=2, dt=1e-3)}, stop="0.1 s")
    seen, alone = (simulate(guetig2006.neuron_with(2, w), watched(samples), seed=0, target="numpy") for w in ([1.5, 5.0], [1.5, 0.0]))
    assert seen.spikes["tempotron"].counts.tolist() == [[1]]
    assert np.array_equal(seen["tempotron.v"], alone["tempotron.v"])
    np.testing.assert_allclose(seen["tempotron.v"][0, :, 0], 1.5 * theory.kernel(np.arange(100) * 1e-3 - 0.01, **TAU), atol=1e-12)


def test_of_two_equal_maxima_the_first_counts_and_a_potential_on_the_threshold_is_a_tie() -> None:
    """Two spikes so far apart that the second peak is the first again; the threshold is that peak, which is not above it."""
    source = train([20, 1500], [0, 1], n_trials=1, size=2, dt=1e-3)
    samples = measure.observed(spikes={"source": source}, stop="2 s", conditions={"label": Coordinate(values=np.ones(1))})
    top = float(below(start(1), dt=1e-3, steps=2000).kernel.max())
    circuit = guetig2006.neuron_with(2, [0.5, 0.5]).with_values({"tempotron.V_thr": 0.5 * top})
    said = tempotron.potential(circuit, samples)
    assert said.step.tolist() == [20 + int(below(start(1), dt=1e-3, steps=2000).kernel.argmax())]
    assert said.ties.tolist() == [0]
    assert not said.fires[0]
    after = tempotron.train(circuit, samples, rate=0.1, epochs=1, seed=0).circuit.values["afferents.w"].value
    assert after == pytest.approx([0.5 + 0.1 * top, 0.5])


def test_another_neuron_learns_too() -> None:
    """A leaky integrate-and-fire neuron with a current of its own unit, all spikes of which count."""
    values = {"lif.E_L": "-60 mV", "excitation.weight": np.random.default_rng(0).normal(0, 0.1, 20) * mV}
    circuit, samples = vogels2005.driven(inputs=20, method="euler").with_values(values), latencies(20, afferents=20, duration="200 ms", seed=5)
    samples = dataclasses.replace(samples, spikes={"input": samples.spikes["source"]})
    found = tempotron.train(circuit, samples, rate=3e-3, epochs=1000, seed=0)
    assert found.learned, found.errors
    seen = simulate(found.circuit, presented(samples, port="input", population="input"), seed=0, target="numpy")
    assert ((seen.spikes["lif"].counts[:, 0] > 0) == samples.conditions["label"].values).all()


def test_ctrl_c_keeps_what_was_learned(monkeypatch: pytest.MonkeyPatch) -> None:
    class Bar(SimpleNamespace):
        def __enter__(self) -> "Bar":
            return self

        def __exit__(self, *error: object) -> None:
            pass

        def update(self, n: int) -> None:
            raise KeyboardInterrupt

    circuit, samples = start(20), latencies(100, afferents=20, seed=0)
    first = tempotron.train(circuit, samples, rate=1e-3, epochs=1, seed=0)
    monkeypatch.setattr(tempotron, "tqdm", lambda **_: Bar(n=0))
    found = tempotron.train(circuit, samples, rate=1e-3, epochs=500, seed=0)
    assert found.ended is tempotron.Ended.INTERRUPTED
    assert found.errors.tolist() == first.errors.tolist()
    assert found.circuit.digest == first.circuit.digest
    assert first.ended is tempotron.Ended.EPOCHS


def test_patterns() -> None:
    few, many = (latencies(n, afferents=50, seed=7) for n in (10, 200))
    source = many.spikes["source"]
    assert np.array_equal(source.steps[:500], few.spikes["source"].steps)
    assert (source.counts == 1).all()
    assert source.steps.min() >= 0
    assert source.steps.max() < 500
    assert abs(source.steps.mean() - 249.5) < 5 * 500 / np.sqrt(12 * 10_000)
    assert abs(many.conditions["label"].values.mean() - 0.5) < 5 / np.sqrt(4 * 200)
    assert np.array_equal(shifted(many, "0 s", seed=0).spikes["source"].steps, source.steps)
    moved = shifted(many, "3 ms", seed=0).spikes["source"].steps - source.steps
    inner = moved[(source.steps > 20) & (source.steps < 480)]
    assert inner.std() == pytest.approx(np.sqrt(9 + 1 / 12), rel=0.05)


def labelled(values: Any, n: int = 4) -> Recording:
    return dataclasses.replace(latencies(n, afferents=5, seed=0), conditions={"label": Coordinate(values=np.asarray(values, float))})


def changed(**cell: Any) -> Circuit:
    circuit = start(5)
    source, neuron = circuit.populations
    return dataclasses.replace(circuit, populations=(source, dataclasses.replace(neuron, **cell)))


def square() -> Circuit:
    return changed(neuron=dataclasses.replace(guetig2006.neuron("euler"), equations="""
        dv/dt = (V_rest - v + (tau/tau_s)*I**2)/tau : 1
        dI/dt = -I/tau_s : 1
        gate : 1"""))  # fmt: skip


REFUSED = [
    (lambda: tempotron.train(start(5), labelled([0, 1, 2, 1]), rate=1e-3, seed=0), r"labels \[0. 1. 2.\]; a tempotron tells two classes"),
    (lambda: tempotron.train(start(5), dataclasses.replace(labelled([0] * 4), conditions={}), rate=1e-3, seed=0), "no label"),
    (lambda: tempotron.train(start(5), labelled([0] * 4), rate=0.0, seed=0), "rate > 0"),
    (lambda: tempotron.train(start(5), labelled([0] * 4), rate=1.0, momentum=1.0, seed=0), "0 <= momentum < 1"),
    (lambda: tempotron.train(start(5), labelled([0] * 4), rate=1.0, epochs=0, seed=0), "epochs: 0; give a whole number"),
    (lambda: tempotron.train(guetig2006.neuron_with(5, 0.0), labelled([0] * 4), rate=1.0, seed=0), "begin with small random ones"),
    (lambda: tempotron.potential(start(6), labelled([0] * 4)), "samples have 5 units of 'source'"),
    (lambda: tempotron.potential(changed(size=2), labelled([0] * 4)), "one port, one neuron and one projection"),
    (lambda: tempotron.potential(changed(neuron=dataclasses.replace(guetig2006.neuron(), threshold="v > 1")), labelled([0] * 4)), "'v > V_thr'"),
    (lambda: tempotron.potential(square(), labelled([0] * 4)), "linear below its threshold"),
    (lambda: tempotron.potential(brette2005.driven(inputs=5), labelled([0] * 4)), "samples have|no spikes of 'input'"),
    (lambda: tempotron.responses(start(5), labelled([0] * 4), np.array([0, 1, 2, 500])), "from 0 to 499"),
    (lambda: latencies(0, afferents=5, seed=0), "at least one of each"),
    (lambda: shifted(labelled([0] * 4), "-1 ms", seed=0), "negative"),
]


@pytest.mark.parametrize(("ask", "says"), REFUSED)
def test_what_cannot_be_learned_is_refused(ask: Any, says: str) -> None:
    with pytest.raises((LearnError, measure.MeasureError), match=says):
        ask()


def test_some_pairs_only() -> None:
    """A projection from three of five afferents, one of them twice."""
    pairs = (np.array([0, 2, 2, 4]), np.zeros(4, int))
    whole = start(5)
    some = Projection(name="afferents", synapse=guetig2006.synapse([0.3, 0.5, 0.4, -0.2]), pre="source", post="tempotron", pairs=pairs)
    sparse = dataclasses.replace(whole, projections=(some,))
    dense = guetig2006.neuron_with(5, [0.3, 0, 0.9, 0, -0.2])
    samples = latencies(20, afferents=5, duration="50 ms", seed=0)
    np.testing.assert_allclose(tempotron.potential(sparse, samples).highest, tempotron.potential(dense, samples).highest, atol=1e-14)
