"""NIR: what is written comes back with the same numbers and the same spikes, and so do graphs of other programs."""

import dataclasses
from pathlib import Path
from typing import Any

import nir as peer
import numpy as np
import pytest
from brian2.units import ms
from hypothesis import given, settings
from hypothesis import strategies as st
from nir_circuits import cells, kick, lif

from bioneuro import brian, protocol
from bioneuro.catalogue import vogels2005
from bioneuro.exchange.nir import NirError, read, write
from bioneuro.model import Circuit, Pathway, Population, Projection, delayed, parameter
from bioneuro.protocol import Current, Protocol, Spikes
from bioneuro.twin import Twin


def imposed(circuit: Circuit, seconds: float = 0.04) -> Protocol:
    """Some spikes into every port and some current into every neuron that takes it, one trial."""
    rng = np.random.default_rng(3)
    spikes, currents = {}, {}
    for p in circuit.populations:
        if p.neuron is None:
            steps = np.sort(rng.choice(round(seconds / 1e-4) - 10, 12 * p.size, replace=False))
            spikes[p.name] = Spikes(stimulus=np.zeros(steps.size), unit=rng.integers(0, p.size, steps.size), time=steps * 1e-4)
        elif p.neuron.input:
            currents[p.name] = Current(start=[0, 0.01], value=[[0.0], [0.012]], unit=p.neuron.states[p.neuron.input])
    reads = seconds * np.linspace(0.1, 1, 10)[None]
    return Protocol(name="imposed", stepping=protocol.clock("0.1 ms"), trials={}, stimulus=[0], reads=reads, spikes=spikes, currents=currents)


def again(circuit: Circuit, folder: Path, **options: Any) -> Circuit:
    write(circuit, folder / "graph.nir", **options)
    return read(folder / "graph.nir")


def differing(one: Any, other: Any) -> int:
    """Spikes that are in one recording and not in the other."""
    count = 0
    for name, train in one.spikes.items():
        size = train.size
        pairs = [set(zip(t.steps.tolist(), np.repeat(np.arange(t.offsets.size - 1), np.diff(t.offsets)).tolist(), strict=True))
                 for t in (train, other.spikes[name])]  # fmt: skip
        assert size == other.spikes[name].size
        count += len(pairs[0] ^ pairs[1])
    return count


def spread(method: str) -> Circuit:
    """The CUBA neuron without its refractory period: heterogeneous, with feedback inhibition and delays."""
    rng = np.random.default_rng(1)
    neuron = vogels2005.neuron(method)
    tau = dataclasses.replace(neuron.parameters["tau_m"], value=rng.uniform(0.015, 0.025, 10))
    neuron = dataclasses.replace(neuron, parameters={**neuron.parameters, "tau_m": tau})
    into = vogels2005.synapse()
    into = dataclasses.replace(into, parameters={"weight": parameter(rng.uniform(0, 3, 200), "mV", says="jump")})
    back = delayed(vogels2005.synapse("g_i", -9), axonal="1.5 ms")
    circuit = Circuit(
        name="spread",
        populations=(Population(name="input", size=20), Population(name="lif", neuron=neuron, size=10)),
        projections=(
            Projection(name="into", synapse=into, pre="input", post="lif"),
            Projection(name="back", synapse=back, pre="lif", post="lif", pairs=np.nonzero(rng.random((10, 10)) < 0.3)),
        ),
    )
    return circuit.with_values({"lif.t_ref": "0 ms"})


@pytest.mark.parametrize(("method", "currents"), [("euler", False), pytest.param("exact", True, marks=pytest.mark.slow)])
def test_the_spikes_come_back(tmp_path: Path, ledger: Any, method: str, currents: bool) -> None:
    """The circuit, the circuit that was read, and its twin: no spike differs, potentials by rounding."""
    circuit = spread(method)
    found = again(circuit, tmp_path, currents=currents)
    drive = protocol.poisson({"input": "60 Hz"}, "200 ms", reads=np.arange(10, 201, 10) * ms, stepping=protocol.clock("0.1 ms"))
    before, after = (brian.simulate(c, drive, seed=1, target="numpy") for c in (circuit, found))
    assert before.spikes["lif"].steps.size > 40
    ledger("vogels2005 LIF", "the circuit before NIR", f"read back from NIR, {method}: differing spikes", differing(before, after), 0.0)
    apart = max(np.abs(before[n] - after[n]).max() / np.abs(before[n]).max() for n in ("lif.v", "lif.g_e", "lif.g_i"))
    ledger("vogels2005 LIF", "the circuit before NIR", f"read back from NIR, {method}: traces, relative", apart, 1e-12)
    assert differing(after, Twin(found)(drive, seed=1).detached()) == 0
    write(found, tmp_path / "second.nir", currents=currents)
    assert read(tmp_path / "second.nir").digest == found.digest


SAME: dict[str, Circuit] = {
    "delta": cells(lif()),
    "delta and current": cells(lif("dv/dt = (E_L - v + I)/tau_m : volt\nI : volt", input="I")),
    "capacitance": cells(lif("dv/dt = (g_L*(E_L - v) + current)/C : volt\ncurrent : amp", initial={"current": parameter(0.3, "nA")})),
    "subexpressions": cells(lif("dv/dt = k*drift/tau_m : volt\ndrift = rest - v : volt\nrest = E_L + offset : volt\noffset : volt")),
    "at or above": cells(lif(threshold="V_th <= v")),
    "exponential": cells(lif("dv/dt = (E_L - v + g)/tau_m : volt\ndg/dt = -g/(k*tau_m) : volt"), kick(7, "g")),
    "exponential and delta": cells(
        lif("dv/dt = (E_L - v + k*g)/tau_m : volt\ndg/dt = -g/(k*tau_m) : volt"),
        dataclasses.replace(kick(3), pathways=(Pathway(event="pre", code="v_post += weight; g_post -= -2*weight"),)),
    ),
    "second order": cells(
        lif("dv/dt = (E_L - v + g)/tau_m : volt\ndg/dt = (h - g)/(k*tau_m) : volt\ndh/dt = -h/(k*k*tau_m) : volt"), kick(30, "h")
    ),
    "no leak": cells(lif("v : volt", initial={"v": parameter(-60, "mV")})),
    "no leak, driven": cells(lif("dv/dt = k*I : volt\nI : volt/second", input="I", initial={"v": parameter(-60, "mV")})),
    "no threshold": cells(lif("dv/dt = (E_L - v)/tau_m : volt", "", "")),
    "delay": cells(lif(), delayed(kick(6), axonal="0.7 ms")),
    "subtracted": cells(lif(), dataclasses.replace(kick(-4), pathways=(Pathway(event="pre", code="v_post -= weight"),))),
}  # fmt: skip


@pytest.mark.parametrize("name", SAME)
def test_same_mathematics_same_graph(name: str, tmp_path: Path) -> None:
    """Whatever the equations look like: coefficients are found, the peer package reads them, and what was read is written alike again."""
    found = again(SAME[name], tmp_path)
    peer.read(tmp_path / "graph.nir")  # its own checks pass
    assert again(found, tmp_path).digest == found.digest


FAST = ("delta and current", "exponential and delta", "delay")


@pytest.mark.parametrize("name", [name if name in FAST else pytest.param(name, marks=pytest.mark.slow) for name in SAME])
def test_same_mathematics_same_spikes(name: str, tmp_path: Path) -> None:
    circuit = SAME[name]
    drive = imposed(circuit)
    before, after = (brian.simulate(c, drive, seed=1, target="numpy") for c in (circuit, again(circuit, tmp_path)))
    assert differing(before, after) == 0
    assert not before.spikes or before.spikes["cell"].steps.size > 2
    np.testing.assert_allclose(after["cell.v"], before["cell.v"], rtol=1e-12)


def test_numbers_keep_their_bits(tmp_path: Path) -> None:
    weights = parameter(np.random.default_rng(5).normal(size=12), "mV", says="jumps")
    circuit = cells(SAME["delta and current"].populations[1].neuron, dataclasses.replace(kick(), parameters={"weight": weights}))
    found = again(circuit, tmp_path)
    ours, theirs = circuit.values, found.values
    pairs = {"tau_m": "tau", "E_L": "v_leak", "V_th": "v_threshold", "V_r": "v_reset"}
    assert all(ours[f"cell.{a}"].value == theirs[f"cell.{b}"].value for a, b in pairs.items())
    assert np.array_equal(theirs["kick.weight"].value, weights.value)


def test_what_a_spike_is(tmp_path: Path) -> None:
    """A jump of w is a pulse of w tau/r: weights are jumps where r = tau, and a Scale node turns them into charge where r is a resistance."""
    write(SAME["delta"], tmp_path / "x.nir")
    graph = peer.read(tmp_path / "x.nir")
    assert np.array_equal(graph.nodes["kick"].weight, np.full((3, 4), 0.004))
    assert np.array_equal(graph.nodes["cell"].r, graph.nodes["cell"].tau)
    write(SAME["delta and current"], tmp_path / "x.nir")
    graph = peer.read(tmp_path / "x.nir")
    assert np.array_equal(graph.nodes["cell"].r, np.ones(3))
    assert np.array_equal(graph.nodes["kick__scale"].scale, np.full(3, 0.02))
    write(SAME["exponential"], tmp_path / "x.nir")
    node = peer.read(tmp_path / "x.nir").nodes["cell"]
    assert isinstance(node, peer.CubaLIF)
    assert np.array_equal(node.w_in, node.tau_syn)
    level = SAME["at or above"].values["cell.V_th"].value
    write(SAME["at or above"], tmp_path / "x.nir")
    assert np.all(peer.read(tmp_path / "x.nir").nodes["cell"].v_threshold == np.nextafter(level, -1))


def test_delays_of_sources_targets_and_pairs(tmp_path: Path) -> None:
    def with_delays(values: Any) -> Circuit:
        late = delayed(kick(), axonal="1 ms")
        given = dataclasses.replace(late.parameters["d_axonal"], value=np.asarray(values) * 1e-3)
        return cells(lif(), dataclasses.replace(late, parameters={**late.parameters, "d_axonal": given}))

    for values in (np.repeat([1, 2, 3, 4], 3), np.tile([1, 2, 3], 4)):
        found = again(with_delays(values), tmp_path)
        assert np.array_equal(found.values["kick.d"].value, values * 1e-3)
        assert again(found, tmp_path).digest == found.digest
    with pytest.raises(NirError, match=r"kick, delay: 12 delays of 12 pairs.*split the projection.*\[delay\]"):
        write(with_delays(np.arange(12)), tmp_path / "x.nir")


def test_pairs_that_come_twice(tmp_path: Path) -> None:
    circuit = cells(lif(), pairs=(np.array([0, 0, 1]), np.array([0, 0, 2])))
    found = again(circuit, tmp_path)
    assert [p.pairs[0].tolist() for p in found.projections] == [[0, 1], [0]]
    assert found.values["kick.weight"].value == 0.004


Layer = tuple[int, float, float]
layers = st.lists(st.tuples(st.integers(1, 4), st.floats(1e-3, 1e-1), st.floats(-2, 2)), min_size=1, max_size=3)


@settings(max_examples=8)
@given(layers=layers, seed=st.integers(0, 99))
def test_chains_of_layers_come_back(layers: list[Layer], seed: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Graphs of the peer package: its numbers come in bit for bit, and reading, writing and reading is reading."""
    folder, rng = tmp_path_factory.mktemp("nir"), np.random.default_rng(seed)
    parts: list[Any] = []
    size = before = int(rng.integers(1, 4))
    for size, tau, leak in layers:
        weight = rng.normal(size=(size, before))
        parts.append(peer.Affine(weight, rng.normal(size=size)) if rng.random() < 0.3 else peer.Linear(weight))
        taus, leaks = tau * rng.uniform(1, 2, size), np.full(size, leak)
        if rng.random() < 0.5:
            parts.append(peer.LIF(tau=taus, r=rng.uniform(0.5, 2, size), v_leak=leaks, v_threshold=leaks + 1, v_reset=leaks))
        else:
            one = np.ones(size)
            parts.append(peer.CubaLIF(tau_syn=taus / 3, tau_mem=taus, r=one, v_leak=leaks, v_threshold=leaks + 1, w_in=rng.uniform(1, 2, size)))
        before = size
    peer.write(folder / "theirs.nir", peer.NIRGraph.from_list(*parts))
    first = read(folder / "theirs.nir")
    second = again(first, folder)
    nodes = peer.read(folder / "theirs.nir").nodes
    for population in first.populations[1:]:
        node, values = nodes[population.name], population.neuron.parameters  # type: ignore[union-attr]
        assert np.array_equal(np.broadcast_to(values["tau"].value, node.v_leak.shape), getattr(node, "tau", getattr(node, "tau_mem", None)))
        assert np.array_equal(np.broadcast_to(values["v_threshold"].value, node.v_leak.shape), node.v_threshold)
    assert set(first.values) == set(second.values)
    for name, value in first.values.items():
        np.testing.assert_allclose(second.values[name].value, value.value, rtol=3e-16, err_msg=name)
    assert again(second, folder).digest == second.digest


def stepped(weights: list[np.ndarray], beta: list[float], spikes: np.ndarray) -> list[np.ndarray]:
    """Layers as programs that count in steps have them: U = beta U + W S, a spike above 1, then 0. Step by unit."""
    out, arriving = [], spikes
    for w, b in zip(weights, beta, strict=True):
        u, fired = np.zeros(w.shape[0]), np.zeros((len(spikes), w.shape[0]))
        for k, s in enumerate(arriving):
            u = b * u + w @ s
            fired[k] = u > 1
            u[fired[k] > 0] = 0
        out.append(fired)
        arriving = fired
    return out


def test_graphs_of_programs_that_count_in_steps(tmp_path: Path) -> None:
    """As snnTorch exports Leaky layers: tau = dt/(1 - beta), r = tau/dt, dt 0.1 ms. A layer lies one step behind the one before."""
    rng, dt, beta = np.random.default_rng(7), 1e-4, [0.9, 0.8]
    weights = [rng.normal(0.3, 0.5, (6, 5)), rng.normal(0.3, 0.5, (3, 6))]
    parts = []
    for w, b in zip(weights, beta, strict=True):
        n, tau = len(w), dt / (1 - b)
        parts += [peer.Linear(w), peer.LIF(tau=np.full(n, tau), r=np.full(n, tau / dt), v_leak=np.zeros(n), v_threshold=np.ones(n))]
    peer.write(tmp_path / "steps.nir", peer.NIRGraph.from_list(*parts))
    circuit = read(tmp_path / "steps.nir", steps=True)
    spikes = (rng.random((200, 5)) < 0.1).astype(float)
    step, unit = np.nonzero(spikes)
    given = Spikes(stimulus=np.zeros(step.size), unit=unit, time=step * dt)
    drive = Protocol(name="steps", stepping=protocol.clock("0.1 ms"), trials={}, stimulus=[0], reads=[[0.0203]], spikes={"input": given})
    seen = brian.simulate(circuit, drive, seed=1, target="numpy")
    for layer, (name, expected) in enumerate(zip(("lif", "lif_1"), stepped(weights, beta, spikes), strict=True)):
        train = seen.spikes[name]
        for n in range(train.size):
            found = train.steps[train.offsets[n] : train.offsets[n + 1]] - (layer + 1)
            assert found[found < 200].tolist() == np.flatnonzero(expected[:, n]).tolist(), (name, n)
        assert expected.sum() > 10
    assert differing(seen, Twin(circuit)(drive, seed=1).detached()) == 0
    with pytest.raises(NirError, match=r"'pulse'.*\[momentary\]"):
        write(circuit, tmp_path / "again.nir")


def test_graphs_within_graphs_and_shapes(tmp_path: Path) -> None:
    """A recurrent layer as exports write it: a graph with its own input and output. Images are taken in the order of their numbers."""
    one = np.ones(3)
    cell = peer.CubaLIF(tau_syn=one * 0.005, tau_mem=one * 0.02, r=one, v_leak=0 * one, v_threshold=one, w_in=one)
    inner = peer.NIRGraph(
        nodes={"input": peer.Input([3]), "lif": cell, "w_rec": peer.Affine(np.arange(9.0).reshape(3, 3), 0.5 * one), "output": peer.Output([3])},
        edges=[("input", "lif"), ("lif", "w_rec"), ("w_rec", "lif"), ("lif", "output")],
    )
    nodes = {
        "input": peer.Input(np.array([2, 2])), "flat": peer.Flatten({"input": np.array([2, 2])}, start_dim=0), "0": peer.Linear(np.ones((3, 4))),
        "rnn": inner, "li": peer.LI(tau=one * 0.01, r=one * 0.01, v_leak=0 * one), "output": peer.Output([3]),
    }  # fmt: skip
    edges = [("input", "flat"), ("flat", "0"), ("0", "rnn"), ("rnn", "li"), ("li", "output")]
    peer.write(tmp_path / "x.nir", peer.NIRGraph(nodes, edges))
    circuit = read(tmp_path / "x.nir")
    assert [(p.name, p.size, p.fires) for p in circuit.populations] == [("input", 4, True), ("li", 3, False), ("rnn_lif", 3, True)]
    wires = {p.name: (p.pre, p.post, p.synapse.pathways[0].code, len(p.pairs[0])) for p in circuit.projections}
    assert wires["n0"] == ("input", "rnn_lif", "I_syn_post += weight", 12)
    assert wires["rnn_w_rec"] == ("rnn_lif", "rnn_lif", "I_syn_post += weight", 8)
    assert wires["rnn_lif_to_li"] == ("rnn_lif", "li", "v_post += weight", 3)
    assert circuit.values["rnn_lif.I_syn_leak"].value == 0.5  # the bias
    assert circuit.values["n0.weight"].value == 200  # 1/tau_syn
    assert again(circuit, tmp_path).digest == again(again(circuit, tmp_path), tmp_path).digest


def test_one_number_for_a_layer(tmp_path: Path) -> None:
    """A node whose fields are single numbers is as large as what enters it."""
    zero = np.array(0.0)
    node = peer.LIF(tau=np.array(0.02), r=zero + 1, v_leak=zero, v_threshold=zero + 1)
    edges = [("in", "w"), ("w", "lif"), ("lif", "out")]
    graph = peer.NIRGraph({"in": peer.Input([2]), "w": peer.Linear(np.ones((5, 2))), "lif": node, "out": peer.Output([5])}, edges, type_check=False)
    peer.write(tmp_path / "x.nir", graph, compression=None)
    assert read(tmp_path / "x.nir").populations[1].size == 5


def test_equal_time_constants(tmp_path: Path) -> None:
    """The closed form divides by their difference: all equal share one name, some equal are stepped numerically."""
    for tau, method in (([0.01, 0.01], "exact"), ([0.01, 0.02], "rk4"), ([0.03, 0.02], "exact")):
        one = np.ones(2)
        node = peer.CubaLIF(tau_syn=np.array(tau), tau_mem=one * 0.01, r=one, v_leak=0 * one, v_threshold=one, w_in=np.array(tau))
        peer.write(tmp_path / "x.nir", peer.NIRGraph.from_list(peer.Linear(np.ones((2, 1))), node))
        circuit = read(tmp_path / "x.nir")
        assert circuit.populations[1].neuron.method == method  # type: ignore[union-attr]
