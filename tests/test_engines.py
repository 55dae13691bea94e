"""Engines agree: NumPy, Cython, C++ standalone and the twin give the same spikes and traces, in strict float64."""

import dataclasses

import numpy as np
import pytest
import torch
from brian2.units import ms

from bioneuro import protocol
from bioneuro.brian import simulate
from bioneuro.catalogue import brette2005, graupner2012, song2000, vogels2005
from bioneuro.model import Circuit, Neuron, Population, Projection, parameter
from bioneuro.plan import plan
from bioneuro.statements import read
from bioneuro.theory import pair as pair_theory
from bioneuro.ticks import QUANTUM
from bioneuro.twin import Twin
from bioneuro.verify import verify

INPUTS, SIZE = 50, 200
LIF = ("euler", "exponential_euler", "exact", "rk4")
ADEX = ("euler", "rk4")


def without_refractoriness(neuron: Neuron) -> Neuron:
    return dataclasses.replace(neuron, refractory="", equations=neuron.equations.replace(" (unless refractory)", ""))


def population(name: str, neuron: Neuron, rng: np.random.Generator, size: int) -> Population:
    """`size` neurons with parameters spread by a fifth around the published ones."""
    spread = ("tau_m", "tau_e") if "tau_m" in neuron.parameters else ("C", "tau_w", "tau_syn")
    varied = {
        key: dataclasses.replace(p, value=p.value * rng.uniform(0.8, 1.2, size)) if key in spread else p
        for key, p in neuron.parameters.items()
    }
    return Population(name=name, neuron=dataclasses.replace(neuron, parameters=varied), size=size)


def zoo(kinds: list[tuple[str, str, bool]], size: int = SIZE) -> Circuit:
    """Populations of (model, method, refractory?) under one set of Poisson inputs, wired at random."""
    rng = np.random.default_rng(2)
    populations, projections = [Population(name="input", size=INPUTS)], []
    for model, method, refractory in kinds:
        name = f"{model}_{method}_{'on' if refractory else 'off'}"
        neuron = vogels2005.neuron(method) if model == "lif" else brette2005.neuron(method)
        neuron = neuron if refractory else without_refractoriness(neuron)
        populations.append(population(name, neuron, rng, size))
        synapse = vogels2005.synapse() if model == "lif" else brette2005.current_synapse(400)
        pairs = np.nonzero(rng.random((INPUTS, size)) < 0.3)
        weight = synapse.parameters["weight"]
        spread = dataclasses.replace(weight, value=weight.value * rng.uniform(0, 1, pairs[0].size))
        synapse = dataclasses.replace(synapse, parameters={"weight": spread})
        projections.append(Projection(name=f"to_{name}", synapse=synapse, pre="input", post=name, pairs=pairs))
    return Circuit(name="zoo", populations=tuple(populations), projections=tuple(projections))


def drive(duration: str) -> protocol.Protocol:
    reads = np.linspace(0, 1, 11)[1:] * float(duration.split()[0]) * ms
    return protocol.poisson({"input": "20 Hz"}, duration, reads=reads, stepping=protocol.clock("0.1 ms"))


def agree(recording, against, ledger, model: str, check: str) -> None:
    """Zero differing spikes, traces within 1e-9; ties are printed and counted, and there must be few."""
    verdict = verify(recording, against)
    print(verdict)
    assert verdict, str(verdict)
    assert len(verdict.ties) <= 1
    differing = sum(row.difference for row in verdict.rows if row.quantity.endswith("spikes"))
    traces = max((row.difference for row in verdict.rows if not row.quantity.endswith("spikes")), default=0.0)
    ledger(model, f"{against.provenance.engine} engine", f"{check}: differing spikes", differing, 0.0)
    ledger(model, f"{against.provenance.engine} engine", f"{check}: traces, relative", traces, 1e-9)


def test_neurons_spike_identically(ledger):
    """LIF and AdEx, refractoriness on and off, every integrator that applies: 200 heterogeneous neurons each, 2 s of Poisson input."""
    kinds = [("lif", method, on) for method in LIF for on in (True, False)] + [("adex", method, on) for method in ADEX for on in (True, False)]
    circuit, todo = zoo(kinds), drive("2000 ms")
    compiled = simulate(circuit, todo, seed=1)
    assert all(train.steps.size > 300 for train in compiled.spikes.values())
    agree(simulate(circuit, todo, seed=1, target="numpy"), compiled, ledger, "LIF, AdEx (12 variants)", "NumPy, 200 neurons, 2 s")
    with torch.no_grad():
        twin = Twin(circuit)(todo, seed=1).detached()
    agree(twin, compiled, ledger, "LIF, AdEx (12 variants)", "twin, 200 neurons, 2 s")


@pytest.mark.parametrize("method", LIF)
def test_no_statement_divides_by_the_refractory_flag(method):
    """Brian2's text does so for exponential_euler; Cython then stops with a ZeroDivisionError at the first spike."""
    circuit = zoo([("lif", method, True)], size=2)
    update = next(phase.code for phase in read(plan(circuit, drive("10 ms"), seed=0)).phases if phase.kind == "update")
    assert "not_refractory" in update
    assert "/int(not_refractory)" not in update.replace(" ", "")


def test_cython_agrees(ledger):
    """A token neuron and synapse: Cython compiles every object by itself."""
    circuit, todo = zoo([("adex", "euler", True)]), drive("2000 ms")
    compiled = simulate(circuit, todo, seed=3)
    agree(simulate(circuit, todo, seed=3, target="cython"), compiled, ledger, "AdEx", "Cython, 200 neurons, 2 s")


@pytest.mark.slow
def test_cython_agrees_on_every_variant(ledger):
    """All twelve variants in Cython, which compiles for minutes."""
    kinds = [("lif", method, on) for method in LIF for on in (True, False)] + [("adex", method, on) for method in ADEX for on in (True, False)]
    circuit, todo = zoo(kinds), drive("2000 ms")
    seen = simulate(circuit, todo, seed=1, target="cython")
    agree(seen, simulate(circuit, todo, seed=1), ledger, "LIF, AdEx (12 variants)", "Cython, 200 neurons, 2 s")


def test_noise_is_equal_draw_for_draw(ledger):
    """The noisy calcium rule from event to event: the same draws, so the same efficacy, on all four engines."""
    circuit = graupner2012.pair("DP")
    todo = protocol.pairing(lag=np.linspace(-50, 50, 5) * ms, pairs=20, repetitions=10, initial={"calcium.rho": [0, 1]})
    compiled = simulate(circuit, todo, seed=7)
    assert np.ptp(compiled["calcium.rho"]) > 0.1
    for target in ("numpy", "cython"):
        agree(simulate(circuit, todo, seed=7, target=target), compiled, ledger, "Graupner-Brunel 2012", f"{target}, noisy, by events")
    with torch.no_grad():
        agree(Twin(circuit)(todo, seed=7).detached(), compiled, ledger, "Graupner-Brunel 2012", "twin, noisy, by events")


def test_noise_on_the_clock_is_equal_too(ledger):
    circuit = graupner2012.pair("P")
    todo = protocol.pairing(lag="10 ms", pairs=3, rate="20 Hz", repetitions=20, rest="50 ms", stepping=protocol.clock("0.1 ms"))
    compiled = simulate(circuit, todo, seed=7)
    agree(simulate(circuit, todo, seed=7, target="numpy"), compiled, ledger, "Graupner-Brunel 2012", "NumPy, noisy, clock 0.1 ms")
    with torch.no_grad():
        agree(Twin(circuit)(todo, seed=7).detached(), compiled, ledger, "Graupner-Brunel 2012", "twin, noisy, clock 0.1 ms")


@pytest.mark.parametrize("scheme", song2000.SCHEMES)
def test_pair_rule_equals_its_definition(scheme, ledger):
    """Traces against explicit pairs of spikes, on random trains, from event to event and on the clock, in NumPy and the twin."""
    rng = np.random.default_rng(5)
    explicit = {
        "all to all": pair_theory.all_to_all,
        "nearest symmetric": pair_theory.nearest_symmetric,
        "nearest presynaptic-centred": pair_theory.nearest_pre_centred,
        "nearest reduced": pair_theory.nearest_reduced,
    }[scheme]
    circuit = song2000.pair(scheme).with_values({"stdp.w_min": -1000, "stdp.w_max": 1000})
    trains = [np.unique(rng.integers(1, 5000, 40)) * 1e-4 for _ in range(2)]
    trains[1] = np.unique(np.append(trains[1], trains[0][::7]))  # some coincide
    values = {k: float(p.value) for k, p in circuit.projections[0].synapse.parameters.items() if k[0] in "At"}
    exact = 0.5 + pair_theory.weight_change(*trains, scheme=explicit, **values)
    for stepping in (protocol.Events(), protocol.clock("0.1 ms")):
        todo = protocol.Protocol(
            name="random",
            stepping=stepping,
            trials={},
            stimulus=np.zeros(1, np.int64),
            reads=np.array([[0.6]]),
            spikes={port: one_train(times) for port, times in zip(("pre", "post"), trains, strict=True)},
        )
        seen = simulate(circuit, todo, seed=0, target="numpy")
        with torch.no_grad():
            twin = Twin(circuit)(todo).detached()
        for recording in (seen, twin):
            ledger("pair STDP, song2000", "explicit pairs (Morrison et al. 2008)", f"{scheme}, {stepping}, {recording.provenance.engine}",
                   abs(float(recording["stdp.w"][0, -1, 0]) - exact), 1e-12)  # fmt: skip


def one_train(times):
    return protocol.Spikes(stimulus=np.zeros(times.size, np.int64), unit=np.zeros(times.size, np.int64), time=times)


def test_events_a_quantum_apart_are_told_apart_alike():
    """The compiled program merges arrivals itself: crowds of events around readings, within quanta of time, fall on the ticks NumPy gives them."""
    rng = np.random.default_rng(8)
    n, reads = 48, np.array([0.1, 0.2])
    spikes = {}
    for port in ("pre", "post"):
        near = reads[rng.integers(0, 2, (n, 4))] + rng.integers(-6, 7, (n, 4)) * 0.5 * QUANTUM
        far = rng.integers(1, 250, (n, 4)) * 1e-3
        times = np.concatenate([near, far], axis=1)
        keep = [np.sort(row)[np.append(True, np.diff(np.sort(row)) > 3 * QUANTUM)] for row in times]  # a unit fires once at a time
        which = np.repeat(np.arange(n), [len(row) for row in keep])
        spikes[port] = protocol.Spikes(stimulus=which, unit=np.zeros_like(which), time=np.concatenate(keep))
    todo = protocol.Protocol(name="crowd", stepping=protocol.Events(), trials={}, stimulus=np.arange(n), reads=np.tile(reads, (n, 1)), spikes=spikes)
    circuit = song2000.pair().with_values({"stdp.w_min": -1000, "stdp.w_max": 1000})
    verdict = verify(simulate(circuit, todo, seed=0), simulate(circuit, todo, seed=0, target="numpy"), tolerance=1e-12)
    assert verdict, str(verdict)


def test_a_statement_that_became_a_number():
    """Brian2 writes dx/dt = -x/dt with Euler as x = 0: the twin took a number where it had a tensor."""
    neuron = Neuron(
        name="n",
        equations="dx/dt = -x/dt : 1\ndy/dt = (x - y)/dt : 1",
        threshold="y > 0.5",
        reset="x = 1",
        parameters={},
        initial={"x": parameter(1.0)},
    )
    circuit = Circuit(name="copy", populations=(Population(name="n", neuron=neuron),))
    todo = protocol.Protocol(
        name="steps", stepping=protocol.clock("1 ms"), trials={}, stimulus=np.zeros(1, np.int64), reads=np.arange(1, 6)[None, :] * 1e-3
    )
    with torch.no_grad():
        twin = Twin(circuit)(todo).detached()
    verdict = verify(twin, simulate(circuit, todo, seed=0, target="numpy"))
    assert verdict, str(verdict)
    assert twin.spikes["n"].counts.sum() > 1
