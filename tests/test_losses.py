"""Losses and measures of spikes: known values, NumPy equals torch, gradients equal differences."""

import dataclasses
import functools
import math
from typing import Any

import numpy as np
import pytest
import torch
from brian2.units import ms, mV
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import lfilter

from bioneuro import measure, protocol
from bioneuro.catalogue import vogels2005
from bioneuro.imposed import Coordinate
from bioneuro.measure import MeasureError, trains
from bioneuro.measure.trains import filtered
from bioneuro.model import Circuit, Population, Projection
from bioneuro.recording import Recording, pieces, train
from bioneuro.theory.firing import lif_rate
from bioneuro.twin import Twin, superspike

few = settings(max_examples=15)
seeds = st.integers(0, 10**6)
STEPS, DT = 200, 1e-3


def rasters(seed: int, share: float = 0.04, shape: tuple[int, int, int] = (3, STEPS, 2)) -> Any:
    return (np.random.default_rng(seed).random(shape) < share).astype(float)


def fired(raster: Any, kind: str = "numpy", dt: float = DT) -> Recording:
    """A recording of population "n" with these spikes; of torch it carries the raster."""
    plain = raster.detach().numpy() if isinstance(raster, torch.Tensor) else raster
    trial, step, unit = np.nonzero(plain > 0.5)
    trials, steps, size = plain.shape
    made = train(step, trial * size + unit, n_trials=trials, size=size, dt=dt)
    seen = measure.observed(spikes={"n": made}, stop=f"{steps * dt!r} s")
    if kind == "numpy":
        return seen
    return dataclasses.replace(seen, raster={"n": raster if isinstance(raster, torch.Tensor) else torch.tensor(raster)})


OF_SPIKES = {
    "van Rossum": lambda target: measure.van_rossum(target, "n", "10 ms"),
    "van Rossum, counts": lambda target: measure.van_rossum(target, "n", math.inf),
    "first spike": lambda target: measure.first_spike_error(target, "n", onset="20 ms", scale="5 ms"),
    "intervals": lambda target: measure.isi_error(target, "n", scale="5 ms"),
}


# Laws ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OF_SPIKES)
@few
@given(seeds)
def test_a_loss_is_the_same_in_torch_symmetric_zero_for_itself_and_blind_to_the_order_of_trials(name: str, seed: int) -> None:
    a, b = rasters(seed), rasters(seed + 1)
    loss = OF_SPIKES[name]
    found = loss(fired(a))(fired(b))
    assert found >= 0
    assert float(loss(fired(a, "torch"))(fired(b, "torch"))) == pytest.approx(found, rel=1e-12)
    assert loss(fired(b))(fired(a)) == pytest.approx(found, rel=1e-12)
    assert loss(fired(a))(fired(a)) == 0 == float(loss(fired(a))(fired(a, "torch")))
    order = np.random.default_rng(seed).permutation(3)
    assert loss(fired(a[order]))(fired(b[order])) == pytest.approx(found, rel=1e-12)


@few
@given(seeds)
def test_measures_are_the_same_in_torch(seed: int) -> None:
    plain, tensors = (fired(rasters(seed), kind) for kind in ("numpy", "torch"))
    for of in (
        measure.spike_count,
        measure.latencies,
        measure.intervals,
        measure.variation,
        measure.first_spike,
        functools.partial(measure.first_spike, onset="50.5 ms", none="1 s"),
        functools.partial(measure.rate, start="20 ms", stop="150.2 ms"),
    ):
        np.testing.assert_allclose(of(tensors, "n").numpy(), of(plain, "n"), rtol=1e-12, atol=1e-15)


def test_each_change_of_one_spike_is_the_gradient() -> None:
    """Add a spike where there is none, take one away where there is: the time of every spike changes by the slope."""
    raster = rasters(3, 0.15, (1, 30, 1))
    n = int(raster.sum())
    tensor = torch.tensor(raster, requires_grad=True)
    seen = measure.latencies(fired(tensor, "torch"), "n", n)
    slopes = np.stack([torch.autograd.grad(seen[0, k, 0], tensor, retain_graph=True)[0][0, :, 0].numpy() for k in range(n)])
    before = measure.latencies(fired(raster), "n", n)[0, :, 0]
    for i in range(30):
        other = raster.copy()
        other[0, i, 0] = 1 - raster[0, i, 0]
        change = measure.latencies(fired(other), "n", n)[0, :, 0] - before
        np.testing.assert_allclose(slopes[:, i] * (other - raster)[0, i, 0], change, atol=1e-15)
    (first,) = torch.autograd.grad(measure.first_spike(fired(tensor, "torch"), "n").sum(), tensor)
    np.testing.assert_allclose(first[0, :, 0].numpy(), slopes[0], atol=1e-15)


@pytest.mark.parametrize("seed", [1, 2])
def test_gradients_are_differences_on_any_raster(seed: int) -> None:
    """Also where values lie between 0 and 1, as in a twin of soft spikes."""
    shape = (2, 40, 1)
    soft = torch.tensor(np.abs(rasters(seed, 0.2, shape) - 0.1 * np.random.default_rng(seed).random(shape)), requires_grad=True)
    target = fired(rasters(seed + 2, 0.2, shape))
    of = [functools.partial(measure_of, population="n") for measure_of in (measure.variation, measure.intervals, measure.first_spike)]
    for function in [*of, *(make(target) for make in OF_SPIKES.values())]:
        assert torch.autograd.gradcheck(lambda raster, function=function: function(fired(raster, "torch")), soft, fast_mode=True)


# Known values --------------------------------------------------------------------------------------------------------


def pairwise(a: Any, b: Any, tau: float) -> float:
    """D^2 as the sum over all pairs of spikes: 1/2 sum_ij c_i c_j exp(-|t_i - t_j|/tau), c = 1 for one train and -1 for the other."""
    times, sign = np.concatenate([a, b]), np.concatenate([np.ones(len(a)), -np.ones(len(b))])
    return 0.5 * float(sign @ np.exp(-np.abs(times[:, None] - times[None, :]) / tau) @ sign)


@few
@given(seeds, st.sampled_from([1e-4, 2e-3, 0.05, 10.0]))
def test_van_rossum_is_the_sum_over_pairs(seed: int, tau: float) -> None:
    a, b = rasters(seed), rasters(seed + 1)
    expected = np.mean([pairwise(DT * np.flatnonzero(a[k, :, u]), DT * np.flatnonzero(b[k, :, u]), tau) for k in range(3) for u in range(2)])
    for kind, at_once in (("numpy", 2**23), ("torch", 2**23), ("numpy", 1), ("torch", 1)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(trains, "_AT_ONCE", at_once)  # with 1, trial after trial
            found = float(measure.van_rossum(fired(a), "n", f"{tau!r} s")(fired(b, kind)))
        assert found == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_van_rossum_of_the_paper(ledger: Any) -> None:
    """Neural Comput 13:751: one spike more is 1/2, one moved by d is 1 - exp(-d/tau), long tau compares numbers of spikes."""
    none, one, moved, both = (np.zeros((1, STEPS, 1)) for _ in range(4))
    one[0, 100], moved[0, 107], both[0, [20, 100]] = 1, 1, 1
    for check, a, b, tau, expected in (
        ("one spike more", none, one, 0.01, 0.5),
        ("a spike moved", one, moved, 0.01, 1 - math.exp(-0.7)),
        ("far apart, short tau", moved, both, 1e-4, 1.5),
        ("infinite tau", none, both, math.inf, 2.0),
        ("long tau", none, both, 1e6, 2.0),
    ):
        found = measure.van_rossum(fired(a), "n", tau if tau == math.inf else f"{tau!r} s")(fired(b))
        ledger("van Rossum distance", "van Rossum 2001", check, abs(found / expected - 1), 1e-6)


@pytest.mark.parametrize("n", [1, 5, 64, 65, 4096, 4097, 20_000])
def test_filtering_in_blocks_is_filtering(n: int) -> None:
    pulses = rasters(n, 0.1, (2, n, 1))[:, :, 0]
    np.testing.assert_allclose(filtered(pulses, 0.03), lfilter([1], [1, -math.exp(-0.03)], pulses, axis=1), rtol=1e-10, atol=1e-12)


def seen_at(*times: Any, stop: str = "1 s", dt: str = "0.1 ms") -> Recording:
    return measure.observed(spikes={"n": list(times)}, stop=stop, dt=dt)


def test_coincidence_by_hand() -> None:
    data = [100, 200, 300, 400] * ms
    gamma = functools.partial(measure.coincidence, target=seen_at(data), population="n", window="2 ms")
    assert gamma(seen_at(data))[0, 0] == pytest.approx(1)
    assert gamma(seen_at(data + 2 * ms))[0, 0] == pytest.approx(1)  # just the window
    chance = 2 * 2e-3 * 4  # 2 f window, f = 4 Hz
    assert gamma(seen_at(data + 2.1 * ms))[0, 0] == pytest.approx(-chance / (1 - chance))
    assert gamma(seen_at([99, 101] * ms))[0, 0] == pytest.approx((1 - 8e-3 * 4) / 3 / (1 - 8e-3))  # a spike of the data counts once
    assert gamma(seen_at([]))[0, 0] == 0
    assert math.isnan(measure.coincidence(seen_at([]), seen_at([]), "n")[0, 0])
    # The earliest that is near enough leaves the later one to the next.
    assert measure.coincidence(seen_at([101, 104] * ms), seen_at([100, 103] * ms), "n", "5 ms")[0, 0] == pytest.approx(1)
    with pytest.raises(MeasureError, match=r"fires 4 Hz in trial 0, unit 0, so a window of 0.2 s covers the run"):
        gamma(seen_at(data), window="200 ms")


def test_chance_coincides_as_much_as_poisson_does(ledger: Any) -> None:
    """Against Poisson trains Gamma is 0 on average, to the first order in f window that the factor is made for."""
    shape = (200, 20_000, 1)
    data, model = (fired(rasters(seed, 5e-4, shape), dt=1e-4) for seed in (1, 2))  # 5 Hz for 2 s
    gamma = measure.coincidence(model, data, "n", "2 ms").ravel()
    gamma = gamma[np.isfinite(gamma)]
    ledger("coincidence factor", "chance, 5 Hz", "mean over 200 Poisson trains, standard errors",
           abs(gamma.mean()) / (gamma.std() / math.sqrt(gamma.size)), 3.0)  # fmt: skip


def test_intervals_by_hand() -> None:
    seen = seen_at([100, 200, 400] * ms, [250] * ms, [])
    np.testing.assert_allclose(measure.intervals(seen, "n")[..., 0], [[0.1, 0.2], [0.75, 0], [0, 0]])
    np.testing.assert_allclose(measure.variation(seen, "n")[:, 0], [1 / 3, np.nan, np.nan])
    np.testing.assert_allclose(measure.first_spike(seen, "n", onset="150 ms", none="2 s")[:, 0], [0.05, 0.1, 2])
    np.testing.assert_allclose(measure.rate(seen, "n", start="200 ms", stop="400 ms")[:, 0], [5, 5, 0])
    other = seen_at([150, 250, 450] * ms, [250, 400] * ms, [])  # as the first, moved; one spike more; silent
    assert measure.isi_error(seen, "n", scale="100 ms")(other) == pytest.approx((0 + 0 + (1.5 - 7.5) ** 2) / 3)
    assert measure.first_spike_error(seen, "n", scale="100 ms")(other) == pytest.approx(0.5**2 / 3)


def test_regular_firing_has_no_variation_and_a_slope() -> None:
    raster = torch.zeros(1, 50, 1, dtype=torch.float64)
    raster[0, ::10] = 1
    raster.requires_grad_()
    spread = measure.variation(fired(raster, "torch"), "n")
    spread.sum().backward()
    assert spread.item() == 0
    assert raster.grad is not None
    assert torch.isfinite(raster.grad).all()


# Twins ---------------------------------------------------------------------------------------------------------------


def lif(weight: float = 6.0) -> Circuit:
    neuron = vogels2005.neuron("euler")
    neuron = dataclasses.replace(neuron, refractory="", equations=neuron.equations.replace(" (unless refractory)", ""))
    parts = (Population(name="input", size=2), Population(name="n", neuron=neuron, size=2))
    projection = Projection(name="drive", synapse=vogels2005.synapse(weight=weight), pre="input", post="n")
    return Circuit(name="driven", populations=parts, projections=(projection,)).with_values({"n.E_L": [-51, -50.2] * mV})


DRIVE = protocol.poisson({"input": "200 Hz"}, "50 ms", stepping=protocol.clock("0.1 ms"), reads=np.arange(1, 501) * 0.1 * ms, record=("n.v",))


def trace(target: Recording) -> Any:
    return measure.trace_error(target, "n.v", weights=measure.off_spikes(target, "n"), within=("5 ms", "45 ms"))


LOSSES = {
    **OF_SPIKES,
    "trace": trace,
    "sum": lambda target: measure.weighted((0.5, measure.van_rossum(target, "n")), (2, trace(target))),
}


@pytest.fixture(scope="module")
def wanted() -> Recording:
    with torch.no_grad():
        return Twin(lif(9.0))(DRIVE, seed=4).detached()


def test_gradients_are_differences_where_spikes_are_soft(wanted: Recording, ledger: Any) -> None:
    twin = Twin(lif(), free=["n.tau_m", "drive.weight"], surrogate=superspike(2.0), soft=True)
    errors: dict[str, Any] = {name: make(wanted) for name, make in LOSSES.items()}
    errors["rate"] = lambda seen: measure.rate(seen, "n", start="12 ms", stop="40 ms").sum()
    seen = twin(DRIVE, seed=4)
    slopes = {name: torch.autograd.grad(loss(seen), list(twin.raw.values()), retain_graph=True) for name, loss in errors.items()}
    for j, (key, raw) in enumerate(twin.raw.items()):
        ends = []
        for step in (1e-6, -1e-6):
            with torch.no_grad():
                raw += step
                seen = twin(DRIVE, seed=4)
                ends.append({name: float(loss(seen)) for name, loss in errors.items()})
                raw -= step
        for name in errors:
            expected = (ends[0][name] - ends[1][name]) / 2e-6
            assert expected != 0
            check = f"{name}, soft spikes: d/d {key.replace('__', '.')}"
            ledger("losses", "central differences", check, abs(float(slopes[name][j]) / expected - 1), 1e-4)


@pytest.mark.parametrize("weight", [8.0, 10.0])
def test_gradients_of_hard_spikes_point_to_the_target(weight: float, wanted: Recording) -> None:
    """The target has a weight of 9 mV: below it more makes the recording more like the target, above it less does."""
    twin = Twin(lif(weight), free=["drive.weight"], detach_reset=True)
    seen = twin(DRIVE, seed=4)
    alike = np.array_equal(seen.spikes["n"].counts, wanted.spikes["n"].counts)
    assert alike == (weight > 9)
    for name, make in LOSSES.items():
        (slope,) = torch.autograd.grad(make(wanted)(seen), list(twin.raw.values()), retain_graph=True)
        assert float(slope) * (weight - 9) > 0 or (alike and name == "van Rossum, counts"), name
        assert make(wanted)(wanted) == 0
        assert make(wanted)(seen).item() == pytest.approx(make(wanted)(seen.detached()), rel=1e-12)


def test_rate_against_current(ledger: Any) -> None:
    neuron = dataclasses.replace(vogels2005.neuron("exact"), name="lif")
    circuit = Circuit(name="one", populations=(Population(name="lif", neuron=neuron),))
    steps = protocol.step_current({"lif": [0, 1, 2, 4] * mV}, "600 ms", every="600 ms", stepping=protocol.clock("1 ms"))
    with torch.no_grad():
        seen = Twin(circuit)(steps)
    curve = measure.fi_curve(seen, "lif", start="100 ms")
    exact = lif_rate(curve.x, E_L=-0.049, V_th=-0.05, V_r=-0.06, tau_m=0.02, t_ref=0.005)
    ledger("LIF", "closed form", "rate against current, counts within 0.5 s", float(np.abs(np.asarray(curve.y) - exact).max()), 2.5)
    found = {"n": seen.spikes["lif"]}
    mine = measure.observed(spikes=found, stop="600 ms", conditions={"current": Coordinate(values=curve.x, unit="mV")})
    assert measure.fi_error(curve, "n", start="100 ms")(mine) == 0
    assert measure.fi_error(mine, "n")(mine) == 0
    points = measure.Curve(name="wanted", x=curve.x, unit="volt", y=curve.y + 3, error=0 * curve.y)
    assert float(measure.fi_error(points, "lif", start="100 ms")(seen)) == pytest.approx(9)


def test_pieces_of_a_recording_have_their_own_loss() -> None:
    a, b = rasters(1), rasters(2)
    both = fired(np.concatenate([a, b]), "torch")
    loss = measure.van_rossum(fired(a), "n")
    assert [float(loss(piece)) for piece in pieces(both, 2)] == pytest.approx([0, loss(fired(b))])


def test_what_was_not_recorded_is_named_before_any_run() -> None:
    seen = fired(rasters(0))
    with pytest.raises(KeyError, match=r"nothing called 'n\.v' was recorded"):
        measure.trace_error(seen, "n.v")
    with pytest.raises(measure.MeasureError, match="cells"):
        measure.van_rossum(seen, "cells")
