"""The triplet rule: eight published sets, simulated, against explicit sums over spikes; and the sums against what is known of them."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_gradients import compare

from bioneuro import protocol
from bioneuro.brian import simulate
from bioneuro.catalogue import pfister2006
from bioneuro.theory import pair as pair_theory
from bioneuro.theory import triplet
from bioneuro.twin import Twin
from bioneuro.verify import verify

MINIMAL = "visual cortex all-to-all minimal"
RATES = (0.1, 10.0, 20.0, 40.0, 50.0)


def numbers(name):
    """What the sums need of a parameter set."""
    values = {key: float(p.value) for key, p in pfister2006.rule(name).parameters.items()}
    return {**values, "nearest": "nearest" in name}


def imposed(trains, stepping=None):
    """One trial per (pre, post), s, moved to begin at 50 ms, read 50 ms after the last spike."""
    begin = [0.05 - min([0.0, *pre, *post]) for pre, post in trains]
    ends = np.array([[0.05 + b + max([0.0, *pre, *post])] for b, (pre, post) in zip(begin, trains, strict=True)])
    spikes = {}
    for end, port in enumerate(("pre", "post")):
        which = np.repeat(np.arange(len(trains)), [len(train[end]) for train in trains])
        time = np.concatenate([np.asarray(train[end], float) + b for b, train in zip(begin, trains, strict=True)])
        spikes[port] = protocol.Spikes(stimulus=which, unit=np.zeros_like(which), time=time)
    return protocol.Protocol(
        name="imposed", stepping=stepping or protocol.Events(), trials={}, stimulus=np.arange(len(trains)), reads=ends, spikes=spikes
    )


def experiments():
    """Pairs at every rate, bursts, triplets and quadruplets: name -> (pre, post)."""
    found = {}
    for lag in (-0.05, -0.01, -0.004, 0.0, 0.004, 0.01, 0.05):
        found |= {f"60 pairs, {lag} s, {rate} Hz": pair_theory.pairing(lag, rate, 60) for rate in RATES}
    for lag in (-0.01, 0.0, 0.01):
        found |= {f"15 x 5 bursts, {lag} s, {rate} Hz": triplet.bursts(lag, rate) for rate in RATES[1:]}
    for one, other in ((0.005, -0.005), (0.01, -0.01), (0.015, -0.005), (0.005, -0.015)):
        found[f"pre-post-pre {one}, {other} s"] = triplet.repeated(*triplet.pre_post_pre(one, other), rate=1.0, count=60)
        found[f"post-pre-post {other}, {one} s"] = triplet.repeated(*triplet.post_pre_post(other, one), rate=1.0, count=60)
    for gap in (-0.102, -0.056, -0.028, -0.015, 0.009, 0.015, 0.02, 0.026, 0.036, 0.047, 0.058, 0.069, 0.093):
        found[f"quadruplet {gap} s"] = triplet.repeated(*triplet.quadruplet(gap), rate=1.0, count=60)
    return found


def both_engines(circuit, todo):
    with torch.no_grad():
        return simulate(circuit, todo, seed=0, target="numpy"), Twin(circuit)(todo).detached()


@pytest.mark.parametrize("name", pfister2006.SETS)
def test_simulation_equals_the_sums(name, ledger):
    """Gate: every experiment, from event to event, NumPy and the twin, within rounding of the explicit sums."""
    trains = experiments()
    exact = np.array([triplet.weight_change(pre, post, **numbers(name)) for pre, post in trains.values()])
    assert np.ptp(exact) > 0.1
    for seen in both_engines(pfister2006.pair(name), imposed(list(trains.values()))):
        error = np.abs(seen["triplet.w"][:, -1, 0] - 1 - exact)
        worst = list(trains)[int(error.argmax())]
        ledger("triplet STDP, pfister2006", "explicit sums over spikes", f"{name}: pairs, bursts, triplets, quadruplets, "
               f"{seen.provenance.engine}", float(error.max()), 1e-12, "" if error.max() <= 1e-12 else worst)  # fmt: skip


PRINTED = {  # lag -> 60 pairs at RATES; 50 single pairs at 0.1 Hz, else 15 bursts of 5 pairs
    0.01: ((0.0000, 0.1186, 0.2278, 0.5321, 0.7627), (0.0000, 0.0964, 0.1011, 0.0450, 0.0313)),
    -0.01: ((-0.3166, -0.3322, -0.3417, 0.1737, 0.7492), (-0.2639, -0.4116, -0.4391, -0.2959, -0.1622)),
}


@pytest.mark.parametrize("lag", PRINTED)
def test_frequency_dependence_has_the_values_computed_elsewhere(lag, ledger):
    """The visual cortex set, in the two protocols, which disagree in sign at 40 and 50 Hz."""
    pairs = [pair_theory.pairing(lag, rate, 60) for rate in RATES]
    burst = [pair_theory.pairing(lag, rate, 50) if rate < 1 else triplet.bursts(lag, rate) for rate in RATES]
    seen = simulate(pfister2006.pair(MINIMAL), imposed(pairs + burst), seed=0, target="numpy")
    found = seen["triplet.w"][:, -1, 0].reshape(2, len(RATES)) - 1
    for what, values, printed in zip(("60 pairs", "15 x 5 bursts"), found, PRINTED[lag], strict=True):
        ledger("triplet STDP, pfister2006", "an independent event-based computation, four digits",
               f"{MINIMAL}, {what} at 0.1 to 50 Hz, {1e3 * lag:+.0f} ms", float(np.abs(values - printed).max()), 5e-5)  # fmt: skip


def test_clock_and_compiled_program_agree(ledger):
    """On a grid the clock is exact too: traces are brought up to date at spikes. One run of the compiled program."""
    rng = np.random.default_rng(3)
    trains = [tuple(np.unique(rng.integers(0, 2000, 15)) * 1e-4 for _ in range(2)) for _ in range(20)]
    trains = [(pre, np.unique(np.append(post, pre[::4]))) for pre, post in trains]  # some coincide
    for name in ("visual cortex all-to-all full", "visual cortex nearest full"):
        circuit = pfister2006.pair(name)
        exact = [triplet.weight_change(pre, post, **numbers(name)) for pre, post in trains]
        for seen in both_engines(circuit, imposed(trains, protocol.clock("0.1 ms"))):
            ledger("triplet STDP, pfister2006", "explicit sums over spikes", f"{name}: random trains, clock 0.1 ms, {seen.provenance.engine}",
                   float(np.abs(seen["triplet.w"][:, -1, 0] - 1 - exact).max()), 1e-12)  # fmt: skip
    compiled = simulate(circuit, imposed(trains), seed=0)
    verdict = verify(simulate(circuit, imposed(trains), seed=0, target="numpy"), compiled, tolerance=1e-12)
    assert verdict, str(verdict)


# Whole tenths of a millisecond, so that equal times are drawn often.
spike_times = st.lists(st.integers(0, 400), unique=True, max_size=14).map(lambda ticks: np.array(sorted(ticks)) * 1e-4)


@given(trains=st.lists(st.tuples(spike_times, spike_times), min_size=6, max_size=6), name=st.sampled_from(pfister2006.SETS))
@settings(max_examples=10)
def test_random_trains(trains, name):
    exact = [triplet.weight_change(pre, post, **numbers(name)) for pre, post in trains]
    for seen in both_engines(pfister2006.pair(name), imposed(trains)):
        np.testing.assert_allclose(seen["triplet.w"][:, -1, 0] - 1, exact, rtol=0, atol=1e-12)


def by_traces(pre, post, nearest, tau_plus, tau_minus, tau_x, tau_y, A2_plus, A3_plus, A2_minus, A3_minus):
    """The rule as a recursion, spike after spike, pre before post at equal times."""
    w, now = 0.0, 0.0
    trace, tau = dict.fromkeys(("r1", "r2", "o1", "o2"), 0.0), {"r1": tau_plus, "r2": tau_x, "o1": tau_minus, "o2": tau_y}
    for t, kind in sorted([(t, "r") for t in pre] + [(t, "s") for t in post]):
        trace = {key: value * math.exp((now - t) / tau[key]) for key, value in trace.items()}
        now = t
        if kind == "r":
            w -= trace["o1"] * (A2_minus + A3_minus * trace["r2"])
        else:
            w += trace["r1"] * (A2_plus + A3_plus * trace["o2"])
        for key in ("r1", "r2") if kind == "r" else ("o1", "o2"):
            trace[key] = 1.0 if nearest else trace[key] + 1.0
    return w


FULL = {"tau_plus": 0.0168, "tau_minus": 0.0337, "tau_x": 0.101, "tau_y": 0.125, "A2_plus": 0.006, "A3_plus": 0.05, "A2_minus": 0.007,
        "A3_minus": 0.03}  # fmt: skip


@given(pre=spike_times, post=spike_times, nearest=st.booleans())
def test_sums_are_the_recursion(pre, post, nearest):
    found = triplet.weight_change(pre, post, nearest=nearest, **FULL)
    assert found == pytest.approx(by_traces(pre, post, nearest, **FULL), abs=1e-13)


@given(pre=spike_times, post=spike_times)
def test_without_triplets_it_is_the_pair_rule(pre, post):
    pairs = {"A2_plus": 0.01, "A2_minus": 0.012, "tau_plus": 0.017, "tau_minus": 0.034}
    for nearest, scheme in ((False, pair_theory.all_to_all), (True, pair_theory.nearest_symmetric)):
        found = triplet.weight_change(pre, post, A3_plus=0.0, tau_y=0.1, nearest=nearest, **pairs)
        wanted = pair_theory.weight_change(
            pre, post, A_plus=0.01, A_minus=0.012, tau_plus=0.017, tau_minus=0.034, scheme=scheme
        )
        assert found == pytest.approx(wanted, abs=1e-14)


def test_lag_zero_is_causal_and_a_spike_makes_no_triplet_with_itself():
    change = {**FULL, "A2_plus": 0.25, "A2_minus": 0.5}
    assert triplet.weight_change([0.1], [0.1], **change) == 0.25
    seen = simulate(pfister2006.pair("hippocampus nearest full"), imposed([([0.1], [0.1])]), seed=0, target="numpy")
    assert seen["triplet.w"][0, -1, 0] == 1 + 4.6e-3
    # A rounding apart is not an order: both are lag 0.
    assert 0.1 + 0.2 > 0.3
    for pre, post in ((0.3, 0.1 + 0.2), (0.1 + 0.2, 0.3)):
        assert triplet.weight_change([pre], [post], **change) == pytest.approx(0.25, abs=1e-12)


def test_a_minimal_model_is_the_full_one_without_its_last_term():
    """Whatever tau_x would be: the sets whose table gives none have no r2 in their equations."""
    for name in pfister2006.SETS:
        synapse = pfister2006.rule(name)
        assert ("r2" in synapse.states) == ("full" in name) == ("tau_x" in synapse.parameters) == ("A3_minus" in synapse.parameters)
    pre, post = triplet.bursts(0.01, 40.0)
    values = numbers(MINIMAL)
    wanted = triplet.weight_change(pre, post, **values)
    assert all(triplet.weight_change(pre, post, **{**values, "tau_x": tau, "A3_minus": 0.0}) == wanted for tau in (1e-3, 1.0))


@pytest.mark.parametrize("name", ["visual cortex all-to-all full", "hippocampus nearest minimal"])
def test_drift_under_poisson_trains(name, ledger):
    """Mean of the sums over random trains, the first 2 s left out while traces build up."""
    values, rng, seconds, trials = numbers(name), np.random.default_rng(11), 32.0, 60
    for rho_x, rho_y in ((12.0, 25.0), (20.0, 8.0)):
        changes = []
        for _ in range(trials):
            pre, post = (np.sort(rng.uniform(0, seconds, rng.poisson(rho * seconds))) for rho in (rho_x, rho_y))
            early = triplet.weight_change(pre[pre < 2], post[post < 2], **values)
            changes.append(triplet.weight_change(pre, post, **values) - early)
        error = np.mean(changes) / (seconds - 2) - triplet.drift(rho_x, rho_y, **values)
        sem = np.std(changes, ddof=1) / math.sqrt(trials) / (seconds - 2)
        ledger("triplet STDP, theory", "sums over Poisson trains", f"{name}: drift at {rho_x:g} and {rho_y:g} Hz, in standard errors",
               float(abs(error) / sem), 4.0)  # fmt: skip


def test_bcm_threshold_is_where_the_drift_vanishes():
    """The minimal visual cortex set crosses at 19.2 Hz whatever the presynaptic rate; the full one depends on it."""
    for name in (MINIMAL, "visual cortex all-to-all full"):
        values = {key: v for key, v in numbers(name).items() if key != "nearest"}
        for rho_x in (1.0, 5.0, 30.0):
            theta = float(triplet.bcm_threshold(rho_x, **values))
            below, at, above = triplet.drift(rho_x, theta * np.array([0.9, 1.0, 1.1]), **values)
            assert below < 0 < above
            assert abs(at) < 1e-15
    assert float(triplet.bcm_threshold(**{k: v for k, v in numbers(MINIMAL).items() if k != "nearest"})) == pytest.approx(19.2203, abs=1e-4)


def test_gradients_equal_central_differences(ledger):
    name = "visual cortex all-to-all full"
    free = [f"triplet.{key}" for key in ("A3_plus", "A2_minus", "A3_minus", "tau_plus", "tau_minus", "tau_x", "tau_y")]
    twin, todo = Twin(pfister2006.pair(name), free=free), imposed([triplet.bursts(lag, 30.0, count=1) for lag in (-0.01, 0.01)])

    def loss(twin):
        return (twin(todo)["triplet.w"][:, -1, 0] * torch.tensor([1.0, 2.5])).sum()

    compare(twin, loss, ledger, "triplet STDP", 1e-5, step=1e-5, floor=0)


def test_protocols_of_the_package_are_those_of_the_theory():
    """Bursts, triplets and quadruplets written as protocols give the change of the trains written by hand."""
    name = "hippocampus all-to-all full"
    ms = 1e-3
    lags, rates, gaps = (-10, 10), (10, 40), (-56, -15, 9, 93)
    one, other = ((5, -5), (15, -5), (5, -15)), ((-5, 5), (-15, 5), (-5, 15))
    cases = (
        (
            protocol.bursts([f"{lag} ms" for lag in lags], [f"{rate} Hz" for rate in rates]),
            [triplet.bursts(lag * ms, rate) for lag in lags for rate in rates],
        ),
        (
            protocol.pre_post_pre([[f"{t} ms" for t in timing] for timing in one]),
            [triplet.repeated(*triplet.pre_post_pre(a * ms, b * ms), rate=1.0, count=60) for a, b in one],
        ),
        (
            protocol.post_pre_post([[f"{t} ms" for t in timing] for timing in other]),
            [triplet.repeated(*triplet.post_pre_post(a * ms, b * ms), rate=1.0, count=60) for a, b in other],
        ),
        (
            protocol.quadruplets([f"{gap} ms" for gap in gaps]),
            [triplet.repeated(*triplet.quadruplet(gap * ms), rate=1.0, count=60) for gap in gaps],
        ),
    )
    for todo, trains in cases:
        exact = [triplet.weight_change(pre, post, **numbers(name)) for pre, post in trains]
        seen = simulate(pfister2006.pair(name), todo, seed=0, target="numpy")
        np.testing.assert_allclose(seen["triplet.w"][:, -1, 0] - 1, exact, rtol=0, atol=1e-12, err_msg=todo.name)


def test_protocols_by_hand():
    pre, post = triplet.bursts(0.01, 20.0, pairs=2, count=2, every=10.0)
    np.testing.assert_allclose(pre, [0, 0.05, 10, 10.05])
    np.testing.assert_allclose(post - pre, 0.01)
    pre, post = triplet.quadruplet(0.02)
    np.testing.assert_allclose([pre, post], [[0.0025, 0.0175], [-0.0025, 0.0225]])
    pre, post = triplet.quadruplet(-0.02)
    np.testing.assert_allclose([pre, post], [[-0.0225, 0.0025], [-0.0175, -0.0025]])
    pre, post = triplet.pre_post_pre(0.005, -0.015)
    np.testing.assert_allclose(pre, [-0.005, 0.015])
    pre, post = triplet.post_pre_post(-0.015, 0.005)
    np.testing.assert_allclose(post, [-0.015, 0.005])


def test_refusals():
    with pytest.raises(ValueError, match=r"triplet\.pre: .* strictly increasing"):
        triplet.weight_change([0.2, 0.1], [0.1], **FULL)
    with pytest.raises(ValueError, match=r"tau_x: A3_minus is 0\.03"):
        triplet.weight_change([0.1], [0.1], **{**FULL, "tau_x": None})
    with pytest.raises(ValueError, match=r"triplet\.tau_y: 0\.0 is not positive"):
        triplet.drift(1.0, 1.0, **{**FULL, "tau_y": 0.0})
    with pytest.raises(ValueError, match=r"a rate is negative"):
        triplet.drift(-1.0, 1.0, **FULL)
    with pytest.raises(ValueError, match=r"rate 0 Hz"):
        triplet.repeated([0.0], [0.0], rate=0, count=1)
    with pytest.raises(KeyError, match=r"no parameter set 'DP'; allowed: visual cortex all-to-all full"):
        pfister2006.rule("DP")
