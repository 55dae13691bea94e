"""Short-term plasticity, simulated, against recursion and closed forms."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_gradients import compare

from bioneuro import protocol
from bioneuro.brian import simulate
from bioneuro.catalogue import tsodyks1998
from bioneuro.theory import tsodyks1998 as theory
from bioneuro.twin import Twin

MODEL = "short-term plasticity, tsodyks1998"


def numbers(name):
    return {key: float(p.value) for key, p in tsodyks1998.synapse(name).parameters.items()}


def imposed(trains, posts=None, stepping=None):
    """One trial per presynaptic train (s), from 0.1 s on; read just after each spike (the last repeated in shorter trains)."""
    longest = max(len(train) for train in trains)
    after = np.array([0.1 + np.pad(np.append(train, []), (0, longest - len(train)), mode="edge") for train in trains])
    spikes = {}
    for port, given_trains in (("pre", trains), ("post", posts or [np.empty(0)] * len(trains))):
        which = np.repeat(np.arange(len(trains)), [len(train) for train in given_trains])
        spikes[port] = protocol.Spikes(stimulus=which, unit=np.zeros_like(which), time=0.1 + np.concatenate([*given_trains, np.empty(0)]))
    return protocol.Protocol(
        name="imposed", stepping=stepping or protocol.Events(), trials={}, stimulus=np.arange(len(trains)), reads=after + 1e-4, spikes=spikes
    )


def both_engines(circuit, todo):
    with torch.no_grad():
        return simulate(circuit, todo, seed=0, target="numpy"), Twin(circuit)(todo).detached()


@pytest.mark.parametrize("name", tsodyks1998.SETS)
def test_steady_state(name, ledger):
    """Gate: the last of many regular spikes has the closed-form amplitude at every rate."""
    rates = np.array([0.5, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0])
    trains = [np.arange(400) / rate for rate in rates]
    exact = theory.steady_state(rates, **numbers(name))
    for seen in both_engines(tsodyks1998.pair(name), imposed(trains)):
        error = np.abs(seen["release.r"][:, -1, 0] - exact).max()
        ledger(MODEL, "closed form", f"{name}: steady state at 0.5 to 100 Hz, {seen.provenance.engine}", float(error), 1e-9)


@pytest.mark.parametrize("name", tsodyks1998.SETS)
def test_paired_pulses(name, ledger):
    """Two spikes: the ratio against the interval, below 1 for the depressing and above 1 for the facilitating synapse."""
    intervals = np.geomspace(1e-3, 5, 30)
    seen = simulate(tsodyks1998.pair(name), imposed([np.array([0.0, h]) for h in intervals]), seed=0, target="numpy")
    first, second = seen["release.r"][:, :, 0].T
    exact = theory.paired_pulse_ratio(intervals, **numbers(name))
    ledger(MODEL, "closed form", f"{name}: paired-pulse ratio, 1 ms to 5 s", float(np.abs(second / first - exact).max()), 1e-12)
    assert (exact < 1).all() if name == "depressing" else (exact[:20] > 1).all()
    assert (first == numbers(name)["U"]).all()


@given(
    trains=st.lists(st.lists(st.integers(0, 4000), min_size=1, max_size=12, unique=True), min_size=4, max_size=4),
    name=st.sampled_from(tsodyks1998.SETS),
)
@settings(max_examples=3)
def test_random_trains(trains, name):
    """Every amplitude, read after its spike, is that of the recursion; postsynaptic spikes at any time change nothing."""
    times = [np.array(sorted(ticks)) * 1e-3 for ticks in trains]
    circuit = tsodyks1998.pair(name)
    for posts in (None, times[::-1]):
        for seen in both_engines(circuit, imposed(times, posts)):
            for trial, train in enumerate(times):
                exact = theory.released(train, **numbers(name))
                np.testing.assert_allclose(seen["release.r"][trial, : train.size, 0], exact, rtol=0, atol=1e-13)


@pytest.mark.parametrize("name", tsodyks1998.SETS)
def test_states_after_a_spike(name):
    """u is raised before it releases, x falls by what was released: u and x just after the first spike and 100 ms later."""
    values = numbers(name)
    reads = [[0.05, 0.1, 0.1 + 1e-9, 0.2]]  # a spike at the instant of a reading comes after it
    spikes = imposed([np.zeros(1)]).spikes
    todo = protocol.Protocol(name="one", stepping=protocol.Events(), trials={}, stimulus=[0], reads=reads, spikes=spikes)
    seen = simulate(tsodyks1998.pair(name), todo, seed=0, target="numpy")
    x, u, r = (seen[f"release.{key}"][0, :, 0] for key in "xur")
    U, later = values["U"], np.exp(-0.1 / values.get("tau_facil", np.inf))
    np.testing.assert_allclose(x, [1, 1, 1 - U, 1 - U * np.exp(-0.1 / values["tau_rec"])], rtol=2e-9)
    np.testing.assert_allclose(u, [0, 0, U, U * later], rtol=2e-9)
    assert r.tolist() == [0, 0, U, U]


@pytest.mark.parametrize("name", tsodyks1998.SETS)
def test_on_a_clock(name, ledger):
    """The amplitudes are exact on a grid too; x and u are those just after the last spike, as the module says."""
    train = np.array([0, 13, 27, 28, 90, 200]) * 1e-3
    exact = theory.released(train, **numbers(name))
    for seen in both_engines(tsodyks1998.pair(name), imposed([train], stepping=protocol.clock("0.1 ms"))):
        ledger(MODEL, "recursion", f"{name}: clock 0.1 ms, {seen.provenance.engine}", float(np.abs(seen["release.r"][0, :, 0] - exact).max()), 1e-12)


def test_poisson_depression(ledger):
    """Mean amplitude per spike of Poisson trains without facilitation."""
    rng, values = np.random.default_rng(2), numbers("depressing")
    for rate in (3.0, 20.0):
        means = []
        for _ in range(100):
            train = np.cumsum(rng.exponential(1 / rate, int(40 * rate)))
            means.append(theory.released(train, **values)[int(10 * rate) :].mean())
        sem = np.std(means, ddof=1) / 10
        error = abs(np.mean(means) - float(theory.poisson_mean(rate, U=values["U"], tau_rec=values["tau_rec"]))) / sem
        ledger(MODEL, "recursion over Poisson trains", f"mean amplitude at {rate:g} Hz, in standard errors", float(error), 4.0)


def test_closed_forms_are_the_recursion():
    for name in tsodyks1998.SETS:
        values = numbers(name)
        for rate in (0.3, 7.0, 60.0):
            amplitudes = theory.released(np.arange(600) / rate, **values)
            assert amplitudes[-1] == pytest.approx(float(theory.steady_state(rate, **values)), abs=1e-12)
            assert amplitudes[1] / amplitudes[0] == pytest.approx(float(theory.paired_pulse_ratio(1 / rate, **values)), abs=1e-12)
    # Fast decay of facilitation is no facilitation.
    slow = theory.released([0.0, 0.05, 0.2], U=0.5, tau_rec=0.8)
    np.testing.assert_allclose(theory.released([0.0, 0.05, 0.2], U=0.5, tau_rec=0.8, tau_facil=1e-4), slow, rtol=1e-14)


@pytest.mark.parametrize("name", tsodyks1998.SETS)
def test_gradients_equal_central_differences(name, ledger):
    twin = Twin(tsodyks1998.pair(name), free=[f"release.{key}" for key in numbers(name)])
    todo = imposed([np.array([0, 13, 27, 90]) * 1e-3])

    def loss(twin):
        return (twin(todo)["release.r"][0, :, 0] * torch.tensor([1.0, 2.0, -3.0, 4.0])).sum()

    compare(twin, loss, ledger, f"tsodyks1998 {name}", 1e-5, step=1e-5, floor=0)


def test_refusals():
    with pytest.raises(ValueError, match=r"tsodyks1998\.U: 0\.0 is not a share"):
        theory.steady_state(1.0, U=0.0, tau_rec=0.8)
    with pytest.raises(ValueError, match=r"tau_facil: 0\.0 is not positive\. .* None for no facilitation"):
        theory.steady_state(1.0, U=0.5, tau_rec=0.8, tau_facil=0.0)
    with pytest.raises(ValueError, match=r"rate: 0\.0 Hz is not positive"):
        theory.steady_state(0.0, U=0.5, tau_rec=0.8)
    with pytest.raises(ValueError, match=r"strictly increasing"):
        theory.released([0.2, 0.1], U=0.5, tau_rec=0.8)
    with pytest.raises(KeyError, match="allowed: depressing, facilitating"):
        tsodyks1998.synapse("static")
