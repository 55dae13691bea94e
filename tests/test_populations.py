"""Random feed-forward populations: what is drawn, when spikes arrive, and the weight at which they fire at a given rate."""

import dataclasses
import math

import numpy as np
import pytest

from bioneuro import Circuit, Recording, Twin, brian, learn
from bioneuro.catalogue import bellec2018, vogels2005
from bioneuro.learn.populations import feedforward, operating_point
from bioneuro.model import ModelError, delayed
from bioneuro.units import UnitError

DRAW = {"channels": 40, "size": 50, "weight": "5 mV", "seed": 3}


def population(**changed: object) -> Circuit:
    return feedforward(vogels2005.neuron("euler"), vogels2005.synapse(), **{**DRAW, **changed})  # type: ignore[arg-type]


def small(weight: str = "40 mV", **more: object) -> Circuit:
    made = population(channels=4, size=16, weight=weight, **more)
    return made.with_values({"population.E_L": "-60 mV"})


SAMPLES = learn.drawn(learn.poisson("40 Hz"), 5, channels=4, duration="200 ms", seed=1)
DONE = learn.presented(SAMPLES)


def test_same_seed_same_circuit():
    assert population().digest == population().digest
    assert population(seed=4).digest != population().digest


def test_weights_are_exponential_and_delays_even():
    weight, late = (population().values[f"forward.{name}"].value for name in ("weight", "d_axonal"))
    assert weight.mean() == pytest.approx(5e-3, abs=4 * 5e-3 / math.sqrt(weight.size))
    assert np.mean(weight > 5e-3) == pytest.approx(math.exp(-1), abs=4 * 0.5 / math.sqrt(weight.size))
    steps = np.rint(1e3 * late).astype(int)
    assert np.allclose(late, 1e-3 * steps, rtol=0, atol=1e-15)
    found = np.bincount(steps, minlength=21)
    assert found[0] == 0
    assert np.abs(found[1:] - steps.size / 20).max() < 4 * math.sqrt(steps.size / 20)


def test_what_is_joined_changes_no_weight():
    whole, some = (population(chance=chance).projections[0] for chance in (1.0, 0.3))
    assert some.pairs[0].size == pytest.approx(600, abs=4 * math.sqrt(2000 * 0.3 * 0.7))
    place = some.pairs[0] * DRAW["size"] + some.pairs[1]
    for name in ("weight", "d_axonal"):
        assert np.array_equal(some.synapse.parameters[name].value, whole.synapse.parameters[name].value[place])


def test_every_channel_reaches_a_neuron():
    rare = population(chance=1e-6).projections[0]
    assert rare.pairs[0].tolist() == list(range(40))


def plainly(circuit: Circuit) -> np.ndarray:
    """Spikes (trial, step, neuron), a step of Euler after the other, in Brian2's order: state, threshold, arrivals, reset."""
    v = {path: p.value for path, p in circuit.values.items()}
    pre, post = circuit.projections[0].pairs
    late, train = np.rint(1e3 * v["forward.d_axonal"]).astype(int), SAMPLES.spikes["source"]
    n, size = 200, circuit.populations[1].size
    fired = np.zeros((SAMPLES.n_trials, n, size), bool)
    for trial in range(SAMPLES.n_trials):
        jumps = np.zeros((n + 21, size))
        for p, q, lag, w in zip(pre, post, late, v["forward.weight"], strict=True):
            at = np.rint(1e3 * train.times(trial, p)).astype(int)
            np.add.at(jumps[:, q], at + lag, w)
        u, g, free = np.full(size, -60e-3), np.zeros(size), np.zeros(size, int)
        for step in range(n):
            go = step >= free
            u = np.where(go, u + 1e-3 * (v["population.E_L"] - u + g) / v["population.tau_m"], u)
            g = g - 1e-3 * g / v["population.tau_e"]
            fired[trial, step] = (u > v["population.V_th"]) & go
            g = g + jumps[step]
            u = np.where(fired[trial, step], v["population.V_r"], u)
            free = np.where(fired[trial, step], step + 5, free)
    return fired


def differing(one: Recording, other: Recording) -> int:
    """Spikes that only one of the two has."""
    trains = (x.spikes["population"] for x in (one, other))
    a, b = ({*zip(np.repeat(np.arange(80), np.diff(t.offsets)).tolist(), t.steps.tolist(), strict=True)} for t in trains)
    return len(a ^ b)


def test_spikes_arrive_when_their_delay_is_over(ledger):
    """Against a loop over steps, pairs and trials; and the twin."""
    circuit = small()
    seen, wanted = brian.simulate(circuit, DONE, seed=0, target="numpy"), plainly(circuit)
    trial, unit = np.divmod(np.repeat(np.arange(80), np.diff(seen.spikes["population"].offsets)), 16)
    found = np.zeros_like(wanted)
    found[trial, seen.spikes["population"].steps, unit] = True
    assert found.sum() > 300
    model = "feed-forward population"
    ledger(model, "loop over steps", f"delays per pair, 16 neurons, 5 trials, {found.sum()} spikes: that differ", int((found != wanted).sum()), 0)
    ledger(model, "Brian2, NumPy", "the same run by the twin: spikes that differ", differing(seen, Twin(circuit)(DONE, seed=0).detached()), 0)


def test_inhibition_joins_all_others_and_slows_them():
    strong = delayed(vogels2005.synapse("g_i", -9), axonal="1 ms")
    pre, post = small(inhibition=strong).projections[1].pairs
    assert (pre.size, np.any(pre == post)) == (16 * 15, False)
    alone, together = (brian.simulate(small(inhibition=x), DONE, seed=0, target="numpy").spikes["population"].counts.sum() for x in (None, strong))
    assert together < 0.8 * alone


def test_other_neurons_of_the_catalogue():
    made = feedforward(bellec2018.neuron(), bellec2018.synapse(), channels=4, size=8, weight="8 mV", seed=0)
    assert brian.simulate(made, DONE, seed=0, target="numpy").spikes["population"].counts.sum() > 0


def test_operating_point():
    assert operating_point(lambda w: w**2, 9.0, low=0.5, high=50.0, steps=30) == pytest.approx(3.0)
    with pytest.raises(ModelError, match="do not enclose 9"):
        operating_point(lambda w: w**2, 9.0, low=4.0, high=50.0)
    with pytest.raises(ModelError, match="0 < low < high"):
        operating_point(lambda w: w**2, 9.0, low=0.0, high=50.0)


def test_no_weight_to_draw():
    named = dataclasses.replace(vogels2005.synapse(), pathways=(), parameters={})
    with pytest.raises(ModelError, match="no parameter 'weight'"):
        feedforward(vogels2005.neuron(), named, **DRAW)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"channels": 0}, "channels 0"), ({"size": True}, "size True"), ({"chance": 0.0}, "chance of 0.0"), ({"chance": 1.5}, "chance of 1.5"),
        ({"delays": ("1.5 ms", "20 ms")}, "multiples"), ({"delays": ("5 ms", "1 ms")}, "shortest <= longest"), ({"grid": "0 ms"}, "grid of 0 s"),
        ({"delays": ("0 s", "2 s")}, "outside|bounds|allowed"), ({"weight": "900 mV"}, "weight"),
        ({"seed": -1}, "seed"), ({"seed": 1.5}, "seed"),
    ],
)  # fmt: skip
def test_refused(changed, says):
    with pytest.raises(ModelError, match=says):
        population(**changed)


def test_wrong_unit():
    with pytest.raises(UnitError):
        population(weight="5 nS")
