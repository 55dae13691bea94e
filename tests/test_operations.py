"""Counts of operations: equal to brute force over random circuits and to what the engines themselves count; energies; a suffix automaton's work."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioneuro import Twin, brian, measure
from bioneuro.catalogue import vogels2005
from bioneuro.measure import MeasureError
from bioneuro.measure.energy import CMOS_45, LOIHI, TECHNOLOGIES, TRUENORTH
from bioneuro.measure.operations import LOOKUP, MULTIPLY_ADD, SPIKE, STEP, SYNAPTIC, UPDATE, VARIABLE, WRITE, automaton
from bioneuro.model import Circuit, Pathway, Population, Projection, Synapse, parameter
from bioneuro.protocol import Afferents, Clock, Poisson, Protocol, Spikes
from bioneuro.recording import Provenance, Recording, Train, of_trials, train

DT, STEPS = 1e-3, 40


def counting(name: str, pairs: Any, delays: Any, events: tuple[str, ...]) -> Synapse:
    """A synapse that counts what arrives on each of its pathways."""
    parameters = {f"d{k}": parameter(delay, "ms", low=0, high=100) for k, delay in enumerate(delays)}
    pathways = tuple(Pathway(event=event, code=f"n{k} += 1", delay=f"d{k}") for k, event in enumerate(events))
    return Synapse(name=name, equations="\n".join(f"n{k} : 1" for k in range(len(events))), pathways=pathways, parameters=parameters)


@st.composite
def circuits(draw: Callable[..., Any]) -> Circuit:
    """A port, two populations, and up to four projections among them with pairs, delays and pathways of any kind."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    sizes = {"port": 3, "a": 4, "b": 2}
    populations = tuple(Population(name=n, neuron=None if n == "port" else vogels2005.neuron(), size=size) for n, size in sizes.items())
    projections = []
    for k in range(draw(st.integers(0, 4))):
        pre, post = draw(st.sampled_from(["port", "a", "b"])), draw(st.sampled_from(["a", "b"]))
        pairs = np.nonzero(rng.random((sizes[pre], sizes[post])) < 0.6)
        pairs = pairs if pairs[0].size else (np.zeros(1, np.int64), np.zeros(1, np.int64))
        events = tuple(draw(st.lists(st.sampled_from(["pre", "post"]), min_size=1, max_size=3)))
        delays = [float(rng.integers(0, 20)) if draw(st.booleans()) else rng.integers(0, 20, pairs[0].size).astype(float) for _ in events]
        projections.append(Projection(name=f"p{k}", synapse=counting(f"p{k}", pairs, delays, events), pre=pre, post=post, pairs=pairs))
    return Circuit(name="random", populations=populations, projections=tuple(projections))


def spikes(rng: np.random.Generator, n_trials: int, size: int) -> Train:
    step, index = np.nonzero(rng.random((STEPS, n_trials * size)) < 0.2)
    return train(step, index, n_trials=n_trials, size=size, dt=DT)


def recorded(circuit: Circuit, seed: int, n_trials: int = 3) -> tuple[Recording, dict[str, Train]]:
    """Random spikes of every population in trials of different lengths, those of ports apart."""
    rng = np.random.default_rng(seed)
    trains = {p.name: spikes(rng, n_trials, p.size) for p in circuit.populations}
    times = np.sort(rng.integers(1, STEPS + 1, (n_trials, 2)), axis=1) * DT
    kept = {p.name: trains[p.name] for p in circuit.populations if p.neuron is not None}
    provenance = Provenance(circuit=circuit.digest, protocol="", seed=0, engine="numpy")
    seen = Recording(traces={}, times=times, units={}, spikes=kept, conditions={}, provenance=provenance)
    return seen, {p.name: trains[p.name] for p in circuit.populations if p.neuron is None}


def brute(seen: Recording, circuit: Circuit, ports: dict[str, Train], name: str, which: int, trial: int) -> int:
    """Every spike and every pair, one by one."""
    projection = next(p for p in circuit.projections if p.name == name)
    pathway = projection.synapse.pathways[which]
    owner = projection.pre if pathway.event == "pre" else projection.post
    fired = {**seen.spikes, **ports}[owner]
    assert projection.pairs is not None
    delays = np.broadcast_to(projection.synapse.parameters[pathway.delay].value, projection.pairs[0].shape)
    found = 0
    for unit, delay in zip(projection.pairs[0] if pathway.event == "pre" else projection.pairs[1], delays, strict=True):
        for time in fired.times(trial, int(unit)):
            found += round((time + delay) / DT) < round(seen.times[trial, -1] / DT)
    return found


@settings(max_examples=25)
@given(circuits(), st.integers(0, 1000))
def test_counts_are_those_of_brute_force(circuit: Circuit, seed: int) -> None:
    seen, ports = recorded(circuit, seed)
    done = measure.operations(seen, circuit, imposed=ports)
    for projection in circuit.projections:
        expected = [[brute(seen, circuit, ports, projection.name, k, n) for k in range(len(projection.synapse.pathways))] for n in range(3)]
        np.testing.assert_array_equal(done.arrivals[projection.name], expected)
    ends = np.rint(seen.times[:, -1] / DT)
    for name, whole in {**seen.spikes, **ports}.items():
        expected = [sum((whole.times(n, k) < seen.times[n, -1] - DT / 2).sum() for k in range(whole.size)) for n in range(3)]
        np.testing.assert_array_equal(done.spikes[name], expected)
    assert set(done.updates) == {"a", "b"}
    np.testing.assert_array_equal(done.totals[UPDATE], 6 * ends)
    np.testing.assert_array_equal(done.totals[VARIABLE], 18 * ends)
    np.testing.assert_array_equal(done.totals[SYNAPTIC], sum((a.sum(axis=1) for a in done.arrivals.values()), np.zeros(3, np.int64)))
    np.testing.assert_array_equal(done.totals[SPIKE], sum(done.spikes.values()))


def network() -> tuple[Circuit, Protocol]:
    """Neurons that fire by themselves, two projections with delays of each pair, four trials of two stimuli that end at two times."""
    pairs = (np.array([0, 0, 1, 2, 2]), np.array([0, 1, 1, 0, 1]))
    mutual = (np.array([0, 1, 1]), np.array([1, 0, 1]))
    into = counting("into", pairs, [[0.0, 1.0, 30.0, 2.0, 5.0], 3.0], ("pre", "post"))
    among = counting("among", mutual, [2.0, [0.0, 7.0, 1.0]], ("pre", "pre"))
    circuit = Circuit(
        name="counted",
        populations=(Population(name="port", size=3), Population(name="lif", neuron=vogels2005.neuron(), size=2)),
        projections=(
            Projection(name="into", synapse=into, pre="port", post="lif", pairs=pairs),
            Projection(name="among", synapse=among, pre="lif", post="lif", pairs=mutual),
        ),
    )
    rng = np.random.default_rng(1)
    stimulus, unit, step = (k.ravel() for k in np.nonzero(rng.random((2, 3, 160)) < 0.1))
    protocol = Protocol(
        name="counted", stepping=Clock(dt=DT, tolerance=0.0), trials={}, stimulus=np.array([0, 1, 1, 0]), reads=np.array([[0.02, 0.1], [0.05, 0.15]]),
        spikes={"port": Spikes(stimulus=stimulus, unit=unit, time=step * DT)},
        settings={"lif.V_r": np.array([-60e-3, -55e-3, -65e-3, -52e-3])},
    )  # fmt: skip
    return circuit, protocol


@pytest.mark.parametrize("engine", ["numpy", "twin"])
def test_counts_are_those_of_the_engine(engine: str) -> None:
    """Every synapse counts what arrives; the counters at the last reading are the counts."""
    circuit, protocol = network()
    seen = brian.simulate(circuit, protocol, seed=1, target="numpy") if engine == "numpy" else Twin(circuit)(protocol, seed=1).detached()
    done = measure.operations(seen, circuit, imposed=protocol)
    for name in ("into", "among"):
        counted = np.stack([seen[f"{name}.n{k}"][:, -1].sum(axis=1) for k in range(2)], axis=1)
        np.testing.assert_array_equal(done.arrivals[name], counted)
        assert counted.min() > 0
    assert done.steps.tolist() == [100, 150, 150, 100]
    np.testing.assert_array_equal(done.spikes["lif"], [(seen.spikes["lif"].steps[a:b] < e).sum() for a, b, e in _rows(seen, done.steps)])


def _rows(seen: Recording, ends: Any) -> list[tuple[int, int, int]]:
    offsets = seen.spikes["lif"].offsets
    return [(offsets[2 * n], offsets[2 * n + 2], ends[n]) for n in range(seen.n_trials)]


def test_port_spikes_of_afferents_and_of_a_train_count_alike() -> None:
    circuit, protocol = network()
    seen = brian.simulate(circuit, protocol, seed=1, target="numpy")
    listed: Any = protocol.spikes["port"]
    one = [listed.unit == k for k in range(3)]
    each = [Spikes(stimulus=listed.stimulus[m], unit=np.zeros(m.sum(), np.int64), time=listed.time[m]) for m in one]
    split = dataclasses.replace(protocol, spikes={"port": Afferents(tuple(each))})
    whole = train(np.rint(listed.time / DT), listed.stimulus * 3 + listed.unit, n_trials=2, size=3, dt=DT)
    wanted = measure.operations(seen, circuit, imposed=protocol)
    for imposed in (split, {"port": of_trials(whole, protocol.stimulus)}):
        found = measure.operations(seen, circuit, imposed=imposed)
        np.testing.assert_array_equal(found.arrivals["into"], wanted.arrivals["into"])
        np.testing.assert_array_equal(found.spikes["port"], wanted.spikes["port"])


def test_what_cannot_be_counted_is_refused() -> None:
    circuit, protocol = network()
    seen, ports = recorded(circuit, 1)
    measure.operations(seen, circuit, imposed=ports)
    drawn = dataclasses.replace(protocol, spikes={"port": Poisson(rate=[5.0, 5.0], start=0.0, stop=0.1, grid=DT)})
    cases: list[tuple[Recording, Any, str]] = [
        (seen, None, "port 'port' are not known.*imposed=protocol"),
        (seen, drawn, "drawn in the run"),
        (seen, {"port": spikes(np.random.default_rng(0), 2, 3)}, r"\(2, 3\), expected \(3, 3\)"),
        (seen, {"port": dataclasses.replace(ports["port"], dt=2e-3)}, r"steps of \[0.001, 0.002\] s"),
        (dataclasses.replace(seen, spikes={}), ports, "no spikes of 'lif'"),
        (dataclasses.replace(seen, spikes={"lif": spikes(np.random.default_rng(0), 3, 1)}), ports, r"\(3, 1\), expected \(3, 2\)"),
        (dataclasses.replace(seen, provenance=dataclasses.replace(seen.provenance, circuit="0")), ports, "another circuit"),
    ]
    for recording, imposed, message in cases:
        with pytest.raises(MeasureError, match=message):
            measure.operations(recording, circuit, imposed=imposed)


def test_energy_is_the_sum_of_priced_operations() -> None:
    circuit, _ = network()
    seen, ports = recorded(circuit, 1)
    done = measure.operations(seen, circuit, imposed=ports)
    totals = done.totals
    np.testing.assert_allclose(measure.energy(done, LOIHI).total, 23.6e-12 * totals[SYNAPTIC] + 81e-12 * totals[UPDATE] + 1.7e-12 * totals[SPIKE])
    np.testing.assert_allclose(measure.energy(done, TRUENORTH).total, 26e-12 * totals[SYNAPTIC])
    plain = measure.energy(done, CMOS_45)
    np.testing.assert_allclose(plain.total, 0.9e-12 * totals[SYNAPTIC] + 4.6e-12 * totals[VARIABLE])
    assert any(line.startswith("spike: ") for line in plain.not_counted)
    assert "memory" in str(plain)
    assert "without a price" in str(plain)
    assert not any(line.startswith("spike") for line in measure.energy(done, TRUENORTH).not_counted)
    for technology in TECHNOLOGIES:
        assert "doi" in technology.source
        assert technology.leaves_out
    assert measure.energy(measure.dense_operations(circuit, 100), CMOS_45).total.tolist() == pytest.approx([100 * (6 + 4) * 4.6e-12])
    head = {**measure.linear_operations(64), **measure.parsing_operations(np.zeros((1, 64, 256), np.int64))}
    assert measure.linear_operations(64, 3)[MULTIPLY_ADD].tolist() == [192]
    assert measure.energy(head, CMOS_45).total > 64 * 4.6e-12
    with pytest.raises(MeasureError, match=r"TrueNorth .* has no price for multiply-accumulate"):
        measure.energy(measure.linear_operations(64), TRUENORTH)


@settings(max_examples=100)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=60))
def test_the_automaton_is_that_of_the_word_and_within_its_bounds(word: list[int]) -> None:
    """It knows every substring, has at most 2n - 1 states and 3n - 4 transitions, and its work grows with them."""
    found, n = automaton(word), len(word)
    substrings = {tuple(word[a:b]) for a in range(n) for b in range(a + 1, n + 1)}
    assert sum(found.lengths[k] - found.lengths[found.links[k]] for k in range(1, len(found.links))) == len(substrings)
    states, transitions = len(found.links), sum(map(len, found.edges))
    assert states <= max(2 * n - 1, n + 1)
    assert transitions <= max(3 * n - 4, 2 * n - 1)
    assert transitions <= found.writes
    assert found.lookups <= 6 * n


def test_parsing_adds_up_the_words_of_a_sample() -> None:
    words = np.random.default_rng(1).integers(0, 2, (3, 4, 50))
    whole, each = measure.parsing_operations(words), measure.parsing_operations(words.reshape(12, 50))
    for kind in (STEP, LOOKUP, WRITE):
        np.testing.assert_array_equal(whole[kind], each[kind].reshape(3, 4).sum(axis=1))
    assert whole[STEP].tolist() == [200] * 3
    assert measure.parsing_operations(words[0, 0])[LOOKUP].tolist() == each[LOOKUP][:1].tolist()
    with pytest.raises(MeasureError, match="float64"):
        measure.parsing_operations(words.astype(float))


def test_what_are_no_counts_is_refused() -> None:
    for ask, says in (
        (lambda: measure.linear_operations(-5), "features: -5; give a whole number from 0"),
        (lambda: measure.linear_operations(5, 0), "classes: 0; give a whole number from 2"),
        (lambda: measure.energy({SYNAPTIC: -5}, LOIHI), "are no counts; give numbers from 0"),
        (lambda: measure.energy({SYNAPTIC: [1, 2], SPIKE: [1, 2, 3]}, LOIHI), "counts of shapes"),
    ):
        with pytest.raises(MeasureError, match=says):
            ask()
