"""Gradients of the twin: finite everywhere, and equal to central differences wherever the forward pass is smooth."""

import dataclasses

import numpy as np
import pytest
import torch
from brian2.units import ms, mV

from bioneuro import protocol
from bioneuro.catalogue import brette2005, graupner2012, song2000, vogels2005
from bioneuro.model import Circuit, Neuron, Population, Projection
from bioneuro.twin import Surrogate, Twin, arctan, detached, sigmoid, superspike


def central_difference(twin: Twin, loss, step: float = 1e-6) -> dict[str, float]:
    """Slope of the loss in every raw parameter, by central differences."""
    slopes = {}
    for key, raw in twin.raw.items():
        ends = []
        for sign in (1, -1):
            with torch.no_grad():
                raw += sign * step
                ends.append(float(loss(twin)))
                raw -= sign * step
        slopes[key] = (ends[0] - ends[1]) / (2 * step)
    return slopes


def compare(twin: Twin, loss, ledger, check: str, allowed: float, step: float = 1e-6, floor: float = 1e-3) -> None:
    """Relative to each slope, or to `floor` times the largest if that is more; with a floor of 0 no slope may vanish."""
    twin.zero_grad()
    loss(twin).backward()
    expected = central_difference(twin, loss, step)
    largest = max(abs(v) for v in expected.values())
    assert largest > 0
    for key, slope in expected.items():
        found = float(twin.raw[key].grad)
        assert np.isfinite(found)
        scale = max(abs(slope), floor * largest)
        assert scale > 0
        ledger("twin", "central differences", f"{check}: d/d {key.replace('__', '.')}", abs(found - slope) / scale, allowed)


CALCIUM = ("tau_Ca", "Cpre", "Cpost", "theta_d", "theta_p", "gamma_d", "gamma_p", "sigma", "tau")


@pytest.mark.parametrize("name", ["DP", "DPD", "cortical slices"])
def test_event_runs_including_crossing_times(name, ledger):
    """Thresholds and the calcium time constant move the crossing times: their gradient is that of the exact mean and variance."""
    free = [f"calcium.{key}" for key in CALCIUM]
    circuit = graupner2012.pair(name)
    if name == "DP":  # one presynaptic spike reaches exactly the depression threshold there: a kink, where slopes differ by side
        circuit = circuit.with_values({"calcium.Cpre": 1.07})
    twin = Twin(circuit, free=free)
    lags = np.array([-63.0, -21.7, -7.1, 6.3, 17.9, 43.0])
    todo = protocol.pairing(lag=lags * ms, pairs=6, rate="7.3 Hz", initial={"calcium.rho": [0, 1]})

    def loss(t: Twin) -> torch.Tensor:
        seen = t.moments(todo)
        weights = torch.linspace(0.5, 1.5, lags.size * 2, dtype=torch.float64)
        return (weights * (seen["calcium.rho"][:, 0, 0] + 3 * seen["calcium.rho_variance"][:, 0, 0])).sum()

    compare(twin, loss, ledger, f"events, {name}", 1e-6)


def test_drawn_noise_has_a_gradient_too(ledger):
    """The draw is fixed by its counter, so the noisy trajectory itself is differentiable; where no calcium crosses, slopes stay finite."""
    twin = Twin(graupner2012.pair("DP"), free=["calcium.theta_p", "calcium.tau_Ca", "calcium.sigma", "calcium.gamma_p"])
    todo = protocol.pairing(lag=np.array([-33.0, 8.0, 90.0]) * ms, pairs=4, rate="5 Hz", repetitions=3, initial={"calcium.rho": [0, 1]})
    compare(twin, lambda t: t(todo, seed=3)["calcium.rho"].sum(), ledger, "events, noise drawn", 1e-6)


def test_event_driven_traces(ledger):
    twin = Twin(song2000.pair(), free=["stdp.tau_plus", "stdp.tau_minus", "stdp.A_plus", "stdp.A_minus"])
    for stepping in (protocol.Events(), protocol.clock("0.1 ms")):
        todo = protocol.pairing(lag=np.array([-12.0, 7.0]) * ms, pairs=4, rate="20 Hz", rest="20 ms", stepping=stepping)
        compare(twin, lambda t, todo=todo: t(todo)["stdp.w"].square().sum(), ledger, f"pair STDP, {stepping}", 1e-6)


def driven(neuron: Neuron, synapse, name: str) -> Circuit:
    """Three neurons under two ports."""
    return Circuit(
        name="driven",
        populations=(Population(name="input", size=2), Population(name=name, neuron=neuron, size=3)),
        projections=(Projection(name="drive", synapse=synapse, pre="input", post=name),),
    )


def lif(method: str = "euler", refractory: bool = True) -> Circuit:
    neuron = vogels2005.neuron(method)
    if not refractory:
        neuron = dataclasses.replace(neuron, refractory="", equations=neuron.equations.replace(" (unless refractory)", ""))
    return driven(neuron, vogels2005.synapse(weight=6.0), "lif").with_values({"lif.E_L": [-51, -50.2, -49] * mV})


INPUT = protocol.poisson({"input": "100 Hz"}, "40 ms", stepping=protocol.clock("0.1 ms"), reads=np.arange(1, 41) * ms)
LIF_FREE = ["lif.tau_m", "lif.tau_e", "lif.V_r", "lif.V_th", "drive.weight"]


@pytest.mark.parametrize("method", ["euler", "exponential_euler", "exact", "rk4"])
def test_detached_surrogate_is_the_slope_at_fixed_spikes(method, ledger):
    twin = Twin(lif(method), free=[p for p in LIF_FREE if p != "lif.V_th"], surrogate=detached())

    def loss(t: Twin) -> torch.Tensor:
        return ((t(INPUT, seed=4)["lif.v"] + 0.055) * 1e3).square().sum()

    with torch.no_grad():
        assert twin(INPUT, seed=4).spikes["lif"].counts.sum() >= 3
    compare(twin, loss, ledger, f"LIF, {method}, surrogate detached", 1e-5, step=1e-7)


@pytest.mark.parametrize("surrogate", [superspike(2.0), arctan(1.0), sigmoid(2.0)], ids=lambda s: s.name)
def test_soft_spikes_make_the_whole_pass_smooth(surrogate: Surrogate, ledger):
    """With the surrogate's own step in the forward pass, threshold and reset included, autograd equals central differences."""
    twin = Twin(lif(refractory=False), free=LIF_FREE, surrogate=surrogate, soft=True)

    def loss(t: Twin) -> torch.Tensor:
        seen = t(INPUT, seed=4)
        return ((seen["lif.v"] + 0.055) * 1e3).square().sum() + seen.raster["lif"].sum()

    compare(twin, loss, ledger, f"LIF, soft {surrogate.name}", 1e-4)


@pytest.mark.parametrize("surrogate", [superspike(), arctan(), sigmoid()], ids=lambda s: s.name)
def test_slope_is_the_derivative_of_the_soft_step(surrogate: Surrogate):
    u = torch.linspace(-3, 3, 601, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(surrogate.soft(u).sum(), u)
    assert torch.allclose(slope, surrogate.slope(u.detach()), rtol=1e-9, atol=1e-12)
    assert float(surrogate.soft(torch.tensor(0.0))) == 0.5


@pytest.mark.parametrize("method", ["euler", "exponential_euler", "exact", "rk4"])
@pytest.mark.parametrize("detach_reset", [False, True])
def test_spikes_carry_finite_gradients(method, detach_reset):
    """Refractory neurons included: Brian2's text divides by the refractory flag, whose slope must not become NaN."""
    twin = Twin(lif(method), free=LIF_FREE, detach_reset=detach_reset)
    seen = twin(INPUT, seed=4)
    (seen.raster["lif"].sum() + (seen["lif.v"] * 1e3).square().sum()).backward()
    for key, raw in twin.raw.items():
        assert torch.isfinite(raw.grad).all(), key
        assert raw.grad.abs().sum() > 0, key


def test_adex_gradients_are_finite_through_spikes():
    circuit = driven(brette2005.neuron(), brette2005.current_synapse(900), "adex")
    twin = Twin(circuit, free=["adex.tau_w", "adex.b", "adex.Delta_T", "adex.V_r", "adex.V_T", "adex.C"])
    seen = twin(INPUT, seed=4)
    assert seen.spikes["adex"].counts.sum() > 0
    seen.raster["adex"].sum().backward()
    for key, raw in twin.raw.items():
        assert torch.isfinite(raw.grad).all(), key


def test_bounds_are_never_reached_and_invert():
    """A bounded parameter keeps a slope, and value -> free line -> value is the identity."""
    twin = Twin(graupner2012.pair("DP"), free=["calcium.tau_Ca", "calcium.gamma_p", "calcium.theta_p"])
    for path, value in twin.circuit.values.items():
        if path in twin.free:
            assert np.allclose(value.value, twin.start.values[path].value, rtol=1e-12)
    with torch.no_grad():
        for raw in twin.raw.values():
            raw += 30.0
    for path in twin.free:
        assert twin.start.values[path].low < float(twin.value(path).detach()) <= twin.start.values[path].high
        twin.circuit  # noqa: B018 (must not raise)
