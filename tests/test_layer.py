"""Layers take the steps of a twin: the same spikes and gradients, whatever the neuron, its integrator and the shape of the layer."""

import copy
import dataclasses

import numpy as np
import pytest
import torch
from brian2.units import nA
from torch import nn

from bioneuro.catalogue import brette2005, kobayashi2009, vogels2005
from bioneuro.model import Circuit, Neuron, Population, parameter
from bioneuro.protocol import Current, Protocol, clock
from bioneuro.twin import Twin, arctan
from bioneuro.twin.layer import Layer, State
from bioneuro.twin.layer_checks import LayerError
from bioneuro.units import UnitError

T, BATCH, SIZE = 120, 3, 4


def lif(**changes) -> Neuron:
    made = Neuron(
        name="lif",
        equations="dv/dt = (I - v)/tau : 1 (unless refractory)\nI : 1",
        threshold="v > V_th",
        reset="v = 0",
        refractory="t_ref",
        method="exact",
        input="I",
        parameters={
            "tau": parameter(10, "ms", low=1, high=100, says="membrane time constant"),
            "V_th": parameter(1, low=0.1, high=10, says="threshold"),
            "t_ref": parameter(3, "ms", low=0, high=50, says="refractory period"),
        },
    )
    return dataclasses.replace(made, **changes)


NOISY = lif(equations="dv/dt = (I - v)/tau + sigma*xi*tau**-0.5 : 1 (unless refractory)\nI : 1", method="euler",
            parameters={**lif().parameters, "sigma": parameter(0.3, low=0, high=10, says="noise")})  # fmt: skip

KINDS = {  # neuron, scale of x, learned, dt, smallest and largest x
    "LIF, euler": (vogels2005.neuron("euler"), "10 mV", ["tau_m", "V_th"], "0.5 ms", 0, 2),
    "LIF, exponential_euler": (vogels2005.neuron("exponential_euler"), "10 mV", ["tau_m", "E_L"], "0.5 ms", 0, 2),
    "AdEx, euler": (brette2005.neuron(), 1 * nA, ["C", "a", "V_r"], "0.2 ms", 0, 2.5),
    "AdEx, rk2": (brette2005.neuron("rk2"), 1 * nA, ["g_L", "tau_w"], "0.2 ms", 0, 2.5),
    "MAT, exact": (kobayashi2009.neuron("IB"), "1 nA", ["tau_m", "omega", "alpha_1"], "0.5 ms", 0, 1.5),
    "LIF without unit, exact": (lif(), None, ["tau", "V_th"], "1 ms", 0, 4),
    "LIF, exact, slow": (vogels2005.neuron("exact"), "10 mV", ["tau_m", "V_th"], "0.5 ms", 0, 2),
    "LIF, rk4, slow": (vogels2005.neuron("rk4"), "10 mV", ["tau_m", "V_r"], "0.5 ms", 0, 2),
}
SLOW = [pytest.param(kind, marks=[pytest.mark.slow] if "slow" in kind else []) for kind in KINDS]


def inputs(low: float, high: float, *shape: int, seed: int = 0) -> torch.Tensor:
    """Slow courses, one for each trial and unit."""
    rng = np.random.default_rng(seed)
    steps = rng.uniform(low, high, (shape[0] // 20 + 1, *shape[1:]))
    return torch.as_tensor(np.repeat(steps, 20, axis=0)[: shape[0]])


def driving(neuron: Neuron, x: torch.Tensor, scale: float, dt: float, seed_of: str = "cell") -> tuple[Circuit, Protocol]:
    """The circuit and protocol of a layer of `neuron` under x."""
    n, batch, size = x.shape
    course = Current(start=np.arange(n) * dt, value=(x * scale).numpy(), unit=neuron.plain[neuron.input])
    states = tuple(f"{seed_of}.{name}" for name in neuron.states if name != neuron.input)
    todo = Protocol(
        name="course", stepping=clock(f"{dt!r} s"), trials={}, stimulus=np.arange(batch), currents={seed_of: course}, record=states,
        reads=np.tile(np.arange(1, n + 1) * dt, (batch, 1)),
    )  # fmt: skip
    return Circuit(name="layer", populations=(Population(name=seed_of, neuron=neuron, size=size),)), todo


@pytest.mark.parametrize("kind", SLOW)
def test_a_layer_is_a_twin(kind, ledger):
    """The same current through a layer and through the twin of a population: spikes, traces, and the gradient of a sum of both."""
    neuron, scale, free, dt, low, high = KINDS[kind]
    x = inputs(low, high, T, BATCH, SIZE)
    layer = Layer(neuron, SIZE, dt=dt, scale=scale, free=free, name="cell", detach_reset=True, dtype=torch.float64)
    circuit, todo = driving(neuron, x, layer.scale, layer.dt)
    twin = Twin(circuit, free=[f"cell.{name}" for name in free], detach_reset=True)
    first = next(name for name in neuron.states if name != neuron.input)
    spikes, _, traces = layer.run(x, record=[name for name in neuron.states if name != neuron.input])
    seen = twin(todo)
    raster = seen.raster["cell"].transpose(0, 1)
    assert spikes.sum() > 20
    ledger(f"layer of {kind.removesuffix(', slow')}", "twin engine", "differing spikes", float((spikes != raster).sum()), 0.0)
    for name, values in traces.items():
        against = seen[f"cell.{name}"].transpose(0, 1)
        assert (values - against).abs().max() <= 1e-11 * against.abs().max(), name
    weight = torch.linspace(0.5, 2, T, dtype=torch.float64)[:, None, None]
    (weight * spikes + weight * traces[first] / traces[first].detach().abs().max()).sum().backward()
    (weight * raster + weight * seen[f"cell.{first}"].transpose(0, 1) / traces[first].detach().abs().max()).sum().backward()
    ours, theirs = (torch.stack([m.raw[key].grad for key in keys]) for m, keys in ((layer, free), (twin, [f"cell__{n}" for n in free])))
    assert theirs.abs().min() > 0
    ledger(f"layer of {kind.removesuffix(', slow')}", "twin engine", "gradient, relative", float(((ours - theirs) / theirs).abs().max()), 1e-8)


def test_parameters_of_each_neuron():
    """A value for each unit, learned or given: each unit is what a layer of that value alone is, and the twin of the neuron agrees."""
    taus = np.array([5.0, 10.0, 20.0, 40.0])
    neuron = lif(parameters={**lif().parameters, "t_ref": parameter(np.array([0, 1, 2, 3]), "ms", low=0, high=50)})
    layer = Layer(neuron, SIZE, dt="1 ms", free=["tau", "V_th"], per_neuron=["tau"], name="cell", dtype=torch.float64)
    with torch.no_grad():
        layer.raw["tau"].copy_(layer.bounds["tau"].inverse(torch.as_tensor(taus * 1e-3)))
    assert layer.raw["tau"].shape == (SIZE,)
    assert layer.raw["V_th"].shape == ()
    x = inputs(0, 4, T, BATCH, SIZE)
    spikes = layer(x)
    np.testing.assert_allclose(layer.neuron.parameters["tau"].shown, taus, rtol=1e-12)
    circuit, todo = driving(layer.neuron, x, 1.0, layer.dt)
    assert torch.equal(spikes, Twin(circuit)(todo).raster["cell"].transpose(0, 1))
    for k, tau in enumerate(taus):
        numbers = {"tau": parameter(tau, "ms", low=1, high=100), "t_ref": parameter(k, "ms", low=0, high=50)}
        alone = Layer(lif(parameters={**lif().parameters, **numbers}), 1, dt="1 ms", dtype=torch.float64)
        assert torch.equal(alone(x[:, :, k : k + 1])[..., 0], spikes[..., k])
    spikes.sum().backward()
    assert layer.raw["tau"].grad.abs().min() > 0


def test_a_state_goes_on_where_it_was():
    """Two halves equal the whole bit for bit, refractory period, noise and the number of the step included; so does step by step."""
    layer = Layer(NOISY, SIZE, dt="1 ms", seed=3, dtype=torch.float64)
    x = inputs(0, 4, T, BATCH, SIZE)
    whole, last, traces = layer.run(x, record=["v"])
    first, middle, one = layer.run(x[:50], record=["v"])
    second, end, two = layer.run(x[50:], middle, ["v"])
    assert torch.equal(torch.cat([first, second]), whole)
    assert torch.equal(torch.cat([one["v"], two["v"]]), traces["v"])
    assert end.step == last.step == T
    assert all(torch.equal(end.values[name], value) for name, value in last.values.items())
    state, steps = None, []
    for frame in x:
        spikes, state = layer.step(frame, state)
        steps.append(spikes)
    assert torch.equal(torch.stack(steps), whole)
    assert torch.equal(layer(x[50:], middle.detached()), second)
    assert not torch.equal(layer(x[50:]), second)  # nothing leaks from one call into the next


def test_trials_of_a_batch_do_not_touch():
    layer = Layer(lif(), SIZE, dt="1 ms", free=["tau"])
    x = inputs(0, 4, T, BATCH, SIZE).float().requires_grad_()
    spikes = layer(x)
    for k in range(BATCH):
        assert torch.equal(layer(x[:, k : k + 1])[:, 0], spikes[:, k])
    (slope,) = torch.autograd.grad(spikes[:, 1].sum(), x)
    assert slope[:, 1].abs().sum() > 0
    assert slope[:, [0, 2]].abs().sum() == 0


def test_noise_is_that_of_the_twin():
    x = inputs(0, 4, T, BATCH, SIZE)
    layer = Layer(NOISY, SIZE, dt="1 ms", name="cell", seed=5, dtype=torch.float64)
    spikes = layer(x)
    circuit, todo = driving(NOISY, x, 1.0, layer.dt)
    assert torch.equal(spikes, Twin(circuit)(todo, seed=5).raster["cell"].transpose(0, 1))
    layer.seed = 6
    assert not torch.equal(layer(x), spikes)
    assert not torch.equal(Layer(NOISY, SIZE, dt="1 ms", name="other", seed=5, dtype=torch.float64)(x), spikes)


def test_gradients_equal_central_differences():
    """With the smooth step in the forward pass, in the input and in every kind of parameter."""
    layer = Layer(lif(refractory=""), 2, dt="1 ms", free=["tau", "V_th"], per_neuron=["tau"], soft=True, surrogate=arctan(), dtype=torch.float64)
    x = inputs(0, 3, 8, 2, 2).requires_grad_()

    def through(x, tau, threshold):
        return torch.func.functional_call(layer, {"raw.tau": tau, "raw.V_th": threshold}, (x,))

    assert torch.autograd.gradcheck(through, (x, *(p.detach().clone().requires_grad_() for p in layer.raw.values())))


def test_shapes_and_what_is_given_on():
    """(channels, height, width) and the batch first are other arrangements of the same numbers; `outputs` names what comes out."""
    x = inputs(0, 4, T, BATCH, 12).float()
    flat = Layer(lif(), 12, dt="1 ms")(x)
    shaped = Layer(lif(), (3, 2, 2), dt="1 ms")(x.reshape(T, BATCH, 3, 2, 2))
    first = Layer(lif(), 12, dt="1 ms", batch_first=True)
    assert torch.equal(shaped.flatten(2), flat)
    assert torch.equal(first(x.transpose(0, 1)), flat.transpose(0, 1))
    assert first.run(x.transpose(0, 1), record=["v"])[2]["v"].shape == (BATCH, T, 12)
    readout = Layer(lif(threshold="", reset="", refractory="", equations="dv/dt = (I - v)/tau : 1\nI : 1"), 12, dt="1 ms", outputs="v")
    stack = nn.Sequential(nn.Linear(12, 12), readout)
    values = stack(x)
    assert values.shape == x.shape
    assert torch.equal(values[:5], torch.stack([y for y, _ in steps(readout, stack[0](x)[:5])]))
    assert not readout.run(x)[0].any()


def steps(layer: Layer, x: torch.Tensor):
    state: State | None = None
    for frame in x:
        y, state = layer.step(frame, state)
        yield y, state


def test_saved_and_loaded():
    """Free parameters alone, by their names; in another type nothing is lost, since numbers that are not learned come from the neuron."""
    layer = Layer(lif(), SIZE, dt="1 ms", free=["tau", "V_th"], per_neuron=["tau"])
    with torch.no_grad():
        layer.raw["tau"].add_(torch.randn(SIZE, generator=torch.Generator().manual_seed(1)))
    assert sorted(layer.state_dict()) == ["raw.V_th", "raw.tau"]
    other = Layer(lif(), SIZE, dt="1 ms", free=["tau", "V_th"], per_neuron=["tau"])
    other.load_state_dict(layer.state_dict())
    x = inputs(0, 4, T, BATCH, SIZE).float()
    assert torch.equal(other(x), layer(x))
    double = copy.deepcopy(layer).double()
    assert double(x.double()).dtype == torch.float64
    assert double.fixed(1)["t_ref"].item() == lif().parameters["t_ref"].value
    for name in ("tau", "V_th"):
        assert np.array_equal(double.neuron.parameters[name].value, layer.neuron.parameters[name].value)
        np.testing.assert_allclose(layer.values[name].detach().numpy(), layer.neuron.parameters[name].value, rtol=1e-5)
    assert layer.neuron.parameters["tau"].unit == "ms"


def test_single_precision_is_close():
    x = inputs(0, 2.5, T, BATCH, 20)
    seen = [Layer(brette2005.neuron(), 20, dt="0.2 ms", scale="1 nA", dtype=kind).run(x, record=["v"]) for kind in (torch.float32, torch.float64)]
    apart = (seen[0][2]["v"].double() - seen[1][2]["v"]).abs().flatten(1).median(dim=1).values.max()
    assert apart < 1e-6  # volts
    assert abs(float(seen[0][0].sum() - seen[1][0].sum())) <= 0.02 * float(seen[1][0].sum())


@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
def test_refractory_steps_are_counted_late_in_a_long_sequence_too(kind):
    """With refractory periods of 3 steps and enough input, a spike in every third step, after a million steps as at the start."""
    layer = Layer(lif(), 1, dt="1 ms", dtype=kind)
    fresh = layer.initial(1)
    late = State(step=1_000_000, values=fresh.values)
    x = torch.full((30, 1, 1), 50.0)
    spikes = layer(x, late)
    assert torch.equal(spikes, layer(x))
    assert torch.nonzero(spikes[:, 0, 0]).ravel().diff().unique().tolist() == [3]


def test_a_momentary_input_is_the_same_here():
    """What comes in is given anew in each step, so there is nothing to forget."""
    x = inputs(0, 4, T, BATCH, SIZE).float()
    assert torch.equal(Layer(lif(momentary="I"), SIZE, dt="1 ms")(x), Layer(lif(), SIZE, dt="1 ms")(x))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_on_a_cuda_device():
    x = inputs(0, 4, T, BATCH, SIZE)
    here = Layer(NOISY, SIZE, dt="1 ms", free=["tau"], dtype=torch.float64)
    there = copy.deepcopy(here).to("cuda")
    y = there(x.to("cuda"))
    assert torch.equal(y.cpu(), here(x))
    y.sum().backward()
    here(x).sum().backward()
    torch.testing.assert_close(there.raw["tau"].grad.cpu(), here.raw["tau"].grad, rtol=1e-8, atol=0)
    assert there.neuron.parameters["tau"].value == here.neuron.parameters["tau"].value


SILENT = lif(threshold="", reset="", refractory="", equations="dv/dt = (I - v)/tau : 1\nI : 1")

WRONG = {
    "size": (lambda: Layer(lif(), 0, dt="1 ms"), "size 0"),
    "shape": (lambda: Layer(lif(), (2, 0), dt="1 ms"), "such as \\(8, 5, 5\\)"),
    "input": (lambda: Layer(lif(), 2, dt="1 ms", input="v"), "allowed: \\['I'\\]"),
    "scale missing": (lambda: Layer(brette2005.neuron(), 2, dt="1 ms"), "scale='1 amp'"),
    "scale of zero": (lambda: Layer(brette2005.neuron(), 2, dt="1 ms", scale="0 nA"), "positive"),
    "free": (lambda: Layer(lif(), 2, dt="1 ms", free=["tua"]), "Did you mean 'tau'"),
    "refractory": (lambda: Layer(lif(), 2, dt="1 ms", free=["t_ref"]), "refractory period"),
    "per neuron": (lambda: Layer(lif(), 2, dt="1 ms", per_neuron=["tau"]), "not free"),
    "values": (lambda: Layer(lif(initial={"v": parameter([0, 1, 2])}), 2, dt="1 ms"), "3 values for 2 units"),
    "never fires": (lambda: Layer(SILENT, 2, dt="1 ms"), "outputs='v'"),
    "outputs": (lambda: Layer(lif(), 2, dt="1 ms", outputs="u"), "allowed: \\['spikes', 'v'\\]"),
    "x": (lambda: Layer(lif(), 2, dt="1 ms")(torch.zeros(5, 2)), "\\(time, batch, 2\\)"),
    "x, batch first": (lambda: Layer(lif(), (2, 3), dt="1 ms", batch_first=True)(torch.zeros(5, 2, 2, 2)), "\\(batch, time, 2, 3\\)"),
    "record": (lambda: Layer(lif(), 2, dt="1 ms").run(torch.zeros(5, 1, 2), record=["w"]), "states"),
    "state": (lambda: Layer(lif(), 2, dt="1 ms")(torch.zeros(5, 1, 2), Layer(lif(), 2, dt="1 ms").initial(4)), "batch of 1"),
    "NaN": (lambda: Layer(lif(refractory=""), 2, dt="1 ms")(torch.full((5, 1, 2), torch.nan)), "'v' became nan by step 5"),
    "dt": (lambda: Layer(lif(), 2, dt="0 ms"), "not positive"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_errors_say_what_to_do(case):
    make, said = WRONG[case]
    with pytest.raises(LayerError, match=said):
        make()


def test_wrong_units_are_refused():
    with pytest.raises(UnitError, match="scale"):
        Layer(brette2005.neuron(), 2, dt="1 ms", scale="1 mV")
    with pytest.raises(UnitError, match="dt"):
        Layer(lif(), 2, dt="1 mV")
