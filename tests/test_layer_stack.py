"""A stack that torch has trained runs in Brian2 and fires alike, spike for spike; the learned numbers come back with their units."""

import copy
import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

from bioneuro.brian import simulate
from bioneuro.fit.layered import replay_stack
from bioneuro.model import Neuron, parameter
from bioneuro.recording import Train
from bioneuro.twin import Twin, superspike
from bioneuro.twin.layer import Layer
from bioneuro.twin.layer_checks import LayerError
from bioneuro.twin.stack import circuit_of, protocol_of, recorded
from bioneuro.twin.stages import Frames
from bioneuro.verify import verify

LIF = Neuron(
    name="lif",
    equations="dv/dt = (R*I - v)/tau : volt (unless refractory)\nI : amp",
    threshold="v > V_th",
    reset="v = V_r",
    refractory="t_ref",
    method="exact",
    input="I",
    parameters={
        "tau": parameter(10, "ms", low=1, high=100, says="membrane time constant"),
        "R": parameter(100, "Mohm", low=1, high=1000, says="membrane resistance"),
        "V_th": parameter(10, "mV", low=1, high=100, says="threshold"),
        "V_r": parameter(0, "mV", low=-100, high=100, says="reset potential"),
        "t_ref": parameter(2, "ms", low=0, high=50, says="refractory period"),
    },
)
PLAIN = Neuron(  # the cheapest neuron there is, for what hangs on the wiring alone
    name="plain",
    equations="dv/dt = (I - v)/tau : 1\nI : 1",
    threshold="v >= 1",
    reset="v = 0",
    method="euler",
    input="I",
    parameters={"tau": parameter(4, "ms", low=1, high=100, says="membrane time constant")},
)
READOUT = dataclasses.replace(PLAIN, name="readout", threshold="", reset="")
DT = {"dt": "1 ms"}


def raster(spikes: Train, lead: int, n: int) -> np.ndarray:
    """Spikes as (time, batch, unit), from step `lead` on."""
    element = np.repeat(np.arange(spikes.offsets.size - 1), np.diff(spikes.offsets))
    found = np.zeros((lead + n + 9, spikes.offsets.size - 1))
    found[spikes.steps, element] = 1
    return found[lead : lead + n].reshape(n, -1, spikes.size)


def fires(stack: nn.Module, x: torch.Tensor, *, spikes: bool = False) -> list[np.ndarray]:
    """What every layer of the stack itself gives on, in float64."""
    found, y = [], x.double()
    with torch.no_grad():
        for module in copy.deepcopy(stack).double():
            y = module(y)
            if isinstance(module, Layer):
                found.append(y.flatten(2).numpy())
    return found


@pytest.fixture(scope="module")
def trained():
    """Two layers learn to tell four courses of eight currents apart, with a time constant for every neuron of the first."""
    torch.manual_seed(0)
    patterns = (torch.rand(4, 4, 8) > 0.6).float().repeat_interleave(5, 1)
    label = torch.arange(4).repeat(6)
    x = (patterns[label] + 0.1 * torch.randn(24, 20, 8)).clamp(min=0).transpose(0, 1)
    learns = {**DT, "scale": "0.4 nA", "detach_reset": True, "surrogate": superspike(1)}
    stack = nn.Sequential(
        nn.Linear(8, 20),
        Layer(LIF, 20, free=["tau"], per_neuron=["tau"], name="hidden", **learns),
        nn.Linear(20, 4),
        Layer(LIF, 4, free=["tau", "V_th"], name="decision", **learns),
    )
    optimiser = torch.optim.Adam(stack.parameters(), lr=0.05)
    right = []
    for _ in range(30):
        counts = stack(x).sum(0)
        right.append(float((counts.argmax(1) == label).float().mean()))
        optimiser.zero_grad()
        nn.functional.cross_entropy(counts, label).backward()
        optimiser.step()
    return stack, x, right


def test_a_trained_network_is_replayed(trained, ledger):
    stack, x, right = trained
    assert right[0] < 0.5
    assert right[-1] > 0.9
    verdict = replay_stack(stack, x, target="numpy")
    print(verdict)
    assert not verdict.ties
    ledger("trained stack of LIF layers", "Brian2, NumPy", "differing spikes, 2 layers", sum(r.difference for r in verdict.rows), 0.0)
    mine = recorded(stack, x)
    apart = sum(np.abs(raster(mine.spikes[n], k, 20) - f).sum() for k, (n, f) in enumerate(zip(("hidden", "decision"), fires(stack, x), strict=True)))
    ledger("trained stack of LIF layers", "its circuit", "differing spikes, layer l later by l-1 steps", float(apart), 0.0)
    assert min(mine.spikes[name].counts.sum() for name in ("hidden", "decision")) > 100


@pytest.mark.slow
def test_a_trained_network_is_replayed_in_a_compiled_program(trained, ledger):
    stack, x, _ = trained
    verdict = replay_stack(stack, x, target="cpp")
    assert not verdict.ties
    ledger("trained stack of LIF layers", "Brian2, C++ standalone", "differing spikes, 2 layers", sum(r.difference for r in verdict.rows), 0.0)


def test_learned_numbers_come_back_with_units(trained):
    """A value for each neuron in ms; weights in the unit of the scale; the twin of the circuit agrees with Brian2."""
    stack, x, _ = trained
    circuit, todo = circuit_of(stack), protocol_of(stack, x[:, :4])
    tau = circuit.values["hidden.tau"]
    assert tau.unit == "ms"
    assert np.ptp(tau.shown) > 0.1
    np.testing.assert_allclose(tau.value, stack[1].values["tau"].detach().numpy(), rtol=1e-5)
    assert circuit.values["decision.V_th"].value != LIF.parameters["V_th"].value
    weights = circuit.values["to_decision.weight"]
    np.testing.assert_allclose(weights.value.reshape(20, 4), stack[2].weight.detach().double().numpy().T * 0.4e-9, rtol=1e-14)
    np.testing.assert_allclose(circuit.values["bias_of_decision.weight"].value, stack[2].bias.detach().double().numpy() * 0.4e-9, rtol=1e-14)
    assert circuit.models["decision"].momentary == "I"
    with torch.no_grad():
        verdict = verify(simulate(circuit, todo, seed=0, target="numpy"), Twin(circuit)(todo).detached())
    assert verdict, str(verdict)


def test_spikes_come_in_by_a_port():
    """Every layer is a step later then, the first one too; zero weights become no synapse; sums that meet the threshold exactly are no ties."""
    torch.manual_seed(6)
    x = (torch.rand(40, 5, 6) < 0.3).float()
    stack = nn.Sequential(nn.Linear(6, 20), Layer(PLAIN, 20, **DT), nn.Linear(20, 3, bias=False), Layer(PLAIN, 3, **DT))
    with torch.no_grad():
        for p in stack.parameters():
            p.mul_(10).mul_(torch.rand(p.shape) < 0.7).mul_(4).round_().div_(4)
    verdict = replay_stack(stack, x, spikes=True, target="numpy")
    assert verdict, str(verdict)
    assert not verdict.ties
    circuit = circuit_of(stack, spikes=True)
    assert circuit.values["to_plain_1.weight"].value.size == int((stack[0].weight != 0).sum())
    mine = recorded(stack, x, spikes=True)
    assert (mine.close["plain_1"][2] == 0).any()
    for k, (name, fired) in enumerate(zip(("plain_1", "plain_2"), fires(stack, x), strict=True), start=1):
        assert fired.sum() > 20
        assert np.array_equal(raster(mine.spikes[name], k, 40), fired)


def test_convolutions_and_a_readout():
    """Maps of images become pairs; the last layer reads out a state, which is compared in every step; the batch may come first."""
    torch.manual_seed(2)
    stack = nn.Sequential(
        Frames(nn.Conv2d(1, 2, 3, padding=1), nn.AvgPool2d(2)),
        Layer(PLAIN, (2, 3, 3), **DT),
        Frames(nn.Conv2d(2, 3, 2), nn.Dropout(0.5), nn.Flatten()),
        Layer(PLAIN, 12, **DT, name="second"),
        nn.Linear(12, 2),
        Layer(READOUT, 2, **DT, outputs="v"),
    )
    with torch.no_grad():
        for p in stack.parameters():
            p.mul_(4)
    stack.eval()
    x = 3 * torch.rand(25, 2, 1, 6, 6)
    verdict = replay_stack(stack, x, target="numpy")
    assert verdict, str(verdict)
    assert {row.quantity for row in verdict.rows} == {"plain spikes", "second spikes", "readout.v"}
    mine = recorded(stack, x)
    assert min(train.counts.sum() for train in mine.spikes.values()) > 10
    np.testing.assert_allclose(mine["readout.v"][:, 2:].transpose(1, 0, 2), fires(stack, x)[-1], rtol=1e-9, atol=1e-12)
    first = copy.deepcopy(stack)
    for layer in (m for m in first if isinstance(m, Layer)):
        layer.batch_first = True
    assert protocol_of(first, x.transpose(0, 1)).digest == protocol_of(stack, x).digest


def test_neurons_that_do_not_rest_and_noise():
    """The steps before the first frame are taken on both sides, and draws belong to the number of the step."""
    torch.manual_seed(3)
    noisy = dataclasses.replace(PLAIN, equations="dv/dt = (I + 0.8 - v)/tau + 0.5*xi*tau**-0.5 : 1\nI : 1", name="first")
    restless = dataclasses.replace(PLAIN, equations="dv/dt = (I + 1.2 - v)/tau : 1\nI : 1", name="second")
    stack = nn.Sequential(Layer(noisy, 6, **DT), nn.Linear(6, 5), Layer(restless, 5, **DT), Layer(noisy, 5, **DT, name="third"))
    x = torch.rand(60, 3, 6)
    verdict = replay_stack(stack, x, target="numpy", seed=4)
    assert verdict, str(verdict)
    assert all(train.counts.sum() > 10 for train in recorded(stack, x, seed=4).spikes.values())


READS_I = dataclasses.replace(PLAIN, threshold="v + I >= 1")
XI = dataclasses.replace(PLAIN, equations="dv/dt = (I - v)/tau + xi*tau**-0.5 : 1\nI : 1")

REFUSED = {
    "no layer": (nn.Sequential(nn.Linear(2, 2)), "holds no Layer"),
    "a clock for each": (nn.Sequential(Layer(PLAIN, 2, dt="1 ms"), Layer(PLAIN, 2, dt="2 ms")), "one clock"),
    "no place": (nn.Sequential(nn.Linear(2, 2), nn.ReLU(), Layer(PLAIN, 2, **DT)), "module 1, ReLU"),
    "dropout": (nn.Sequential(nn.Dropout(0.2), Layer(PLAIN, 2, **DT)), "stack.eval"),
    "behind the last": (nn.Sequential(Layer(PLAIN, 2, **DT), nn.Linear(2, 2)), "stack\\[:-1\\]"),
    "sizes": (nn.Sequential(nn.Linear(2, 3), Layer(PLAIN, 2, **DT)), "\\(3,\\) comes to layer 'plain'"),
    "a state given on": (nn.Sequential(Layer(PLAIN, 2, **DT, outputs="v"), Layer(PLAIN, 2, **DT)), "only the last"),
    "shared noise": (nn.Sequential(Layer(XI, 2, **DT), Layer(XI, 2, **DT)), "name of its own"),
    "input in the threshold": (nn.Sequential(Layer(PLAIN, 2, **DT), Layer(READS_I, 2, **DT)), "read 'I'"),
    "shape": (nn.Sequential(Frames(nn.Conv2d(1, 1, 1), nn.Flatten()), Layer(PLAIN, 4, **DT)), "shape=\\(1, 28, 28\\)"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_has_no_place_in_a_circuit(case):
    stack, said = REFUSED[case]
    with pytest.raises(LayerError, match=said):
        circuit_of(stack)


def test_what_is_no_input():
    stack = nn.Sequential(nn.Linear(2, 2), Layer(PLAIN, 2, **DT))
    with pytest.raises(LayerError, match="0 and 1"):
        protocol_of(stack, torch.full((3, 1, 2), 0.5), spikes=True)
    with pytest.raises(LayerError, match="time, batch"):
        protocol_of(stack, torch.zeros(3, 2))
