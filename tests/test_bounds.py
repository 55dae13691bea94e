"""Rules that differ in how a weight meets its bounds, and inhibitory plasticity, against closed forms and explicit sums."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_gradients import compare

from bioneuro import protocol
from bioneuro.brian import simulate
from bioneuro.catalogue import guetig2003, song2000, vanrossum2000, vogels2011
from bioneuro.theory import bounds
from bioneuro.theory import vogels2011 as inhibitory
from bioneuro.twin import Twin

LAGS = np.array([-0.03, -0.01, -0.002, 0.0, 0.002, 0.01, 0.03])


def numbers(synapse):
    return {key: float(p.value) for key, p in synapse.parameters.items()}


def imposed(trains, starts, path, settings=None):
    """Every train (pre, post) from every start of `path`: trials in this order, spikes moved to begin at 1 s, read at the end."""
    begin = [1.0 - min([0.0, *pre, *post]) for pre, post in trains]
    ends = np.array([[1.0 + b + max([0.0, *pre, *post])] for b, (pre, post) in zip(begin, trains, strict=True)])
    spikes = {}
    for end, port in enumerate(("pre", "post")):
        which = np.repeat(np.arange(len(trains)), [len(train[end]) for train in trains])
        time = np.concatenate([np.asarray(train[end], float) + b for b, train in zip(begin, trains, strict=True)])
        spikes[port] = protocol.Spikes(stimulus=which, unit=np.zeros_like(which), time=time)
    return protocol.Protocol(
        name="imposed",
        stepping=protocol.Events(),
        trials={},
        stimulus=np.repeat(np.arange(len(trains)), len(starts)),
        reads=ends,
        settings={path: np.tile(np.asarray(starts, float), len(trains)), **(settings or {})},
        spikes=spikes,
    )


def isolated(pairs):
    """Trains of `pairs` pairs 10 s apart, one for each of LAGS."""
    return [(10.0 * np.arange(pairs), 10.0 * np.arange(pairs) + lag) for lag in LAGS]


def final(circuit, todo, path):
    """Last reading per trial, from NumPy and the twin, which agree."""
    seen = simulate(circuit, todo, seed=0, target="numpy")[path][:, -1, 0]
    with torch.no_grad():
        twin = Twin(circuit)(todo).detached()[path][:, -1, 0]
    np.testing.assert_allclose(twin, seen, rtol=1e-13, atol=1e-15 * np.abs(seen).max())
    return seen


def test_additive_rule_is_a_line_that_stops(ledger):
    circuit = song2000.pair()
    values, starts = numbers(circuit.projections[0].synapse), [0.0, 0.1, 0.5, 0.97, 1.0]
    for pairs in (1, 20):
        found = final(circuit, imposed(isolated(pairs), starts, "stdp.w"), "stdp.w")
        exact = bounds.song2000(np.tile(starts, LAGS.size), np.repeat(LAGS, len(starts)), pairs, **values)
        ledger("pair STDP, song2000", "closed form of isolated pairs", f"{pairs} pairs from five weights", float(np.abs(found - exact).max()), 1e-12)


def test_multiplicative_depression(ledger):
    circuit = vanrossum2000.pair()
    values, starts = numbers(circuit.projections[0].synapse), [0.0, 3e-10, 1e-9, 5e-9]
    for pairs in (1, 50):
        found = final(circuit, imposed(isolated(pairs), starts, "stdp.w"), "stdp.w")
        exact = bounds.vanrossum2000(np.tile(starts, LAGS.size), np.repeat(LAGS, len(starts)), pairs, **values)
        assert found.min() >= 0
        ledger("pair STDP, vanrossum2000", "closed form of isolated pairs", f"{pairs} pairs from four weights, relative to 1 nS",
               float(np.abs(found - exact).max() / 1e-9), 1e-12, "without the noise per pairing")  # fmt: skip


@pytest.mark.parametrize("mu", [0.0, 0.02, 0.3, 1.0])
def test_guetig_family(mu, ledger):
    """Bounds included: from 0, from 1, and from where one step would cross them."""
    circuit = guetig2003.pair().with_values({"stdp.mu": mu, "stdp.lam": 0.05})
    values, starts = numbers(circuit.projections[0].synapse), [0.0, 1e-3, 0.5, 0.999, 1.0]
    for pairs in (1, 30):
        found = final(circuit, imposed(isolated(pairs), starts, "stdp.w"), "stdp.w")
        w, lag = np.tile(starts, LAGS.size), np.repeat(LAGS, len(starts))
        forms = {"pair after pair": bounds.guetig2003(w, lag, pairs, **values)}
        if mu == 0:
            both = {"A_plus": values["lam"], "A_minus": values["lam"] * values["alpha"], "tau_plus": values["tau"], "tau_minus": values["tau"]}
            forms["additive closed form"] = bounds.song2000(w, lag, pairs, **both)
        if mu == 1:
            forms["multiplicative closed form"] = bounds.guetig2003_multiplicative(w, lag, pairs, lam=0.05, alpha=values["alpha"], tau=values["tau"])
        assert found.min() >= 0
        assert found.max() <= 1
        for form, exact in forms.items():
            ledger("pair STDP, guetig2003", form, f"mu = {mu:g}, {pairs} pairs from five weights", float(np.abs(found - exact).max()), 1e-12)


def test_small_steps_follow_their_limit():
    """A tenth of the step, ten times the pairs: a tenth of the distance from the limit."""
    errors = []
    for lam, pairs in ((0.01, 40), (0.001, 400)):
        w, lag = np.array([0.3, 0.6])[:, None], np.array([-0.01, 0.01])
        values = {"lam": lam, "alpha": 1.05, "mu": 0.4, "tau": 0.02}
        errors.append(np.abs(bounds.guetig2003(w, lag, pairs, **values) - bounds.guetig2003_slow(w, lag, pairs, **values)))
    assert errors[0].max() < 2e-3
    np.testing.assert_allclose(errors[0] / errors[1], 10, rtol=0.1)
    # and the bound is reached in a finite number of pairs
    assert bounds.guetig2003_slow(0.1, -0.01, 10000, lam=0.001, alpha=1.05, mu=0.4, tau=0.02) == 0


def test_circuits_differ_in_mu_alone():
    assert [float(guetig2003.rule(name).parameters["mu"].value) for name in guetig2003.SETS] == [0, 0.02, 1]
    assert len({guetig2003.rule(name).equations for name in guetig2003.SETS}) == 1
    with pytest.raises(KeyError, match="allowed: additive, intermediate, multiplicative"):
        guetig2003.rule("hard")


# Whole tenths of a millisecond, so that equal times are drawn often.
spike_times = st.lists(st.integers(0, 300), unique=True, max_size=12).map(lambda ticks: np.array(sorted(ticks)) * 1e-4)


def by_pairs(pre, post, w, up, down, tau_plus, tau_minus):
    """Spike after spike, pre before post: each adds the sum over all earlier spikes of the other kind, weighted by the present w."""
    for t, kind in sorted([(t, 0) for t in pre] + [(t, 1) for t in post]):
        if kind == 0:
            w = down(w, sum(math.exp((s - t) / tau_minus) for s in post if s < t))
        else:
            w = up(w, sum(math.exp((s - t) / tau_plus) for s in pre if s <= t))
    return w


@given(trains=st.lists(st.tuples(spike_times, spike_times), min_size=3, max_size=3), mu=st.sampled_from([0.0, 0.02, 0.5, 1.0]))
@settings(max_examples=8)
def test_random_trains_of_soft_bounds(trains, mu):
    circuit = guetig2003.pair().with_values({"stdp.mu": mu, "stdp.lam": 0.1})
    starts = [0.0, 0.4, 1.0]

    def up(w, trace):
        return min(w + 0.1 * (1 - w) ** mu * trace, 1.0)

    def down(w, trace):
        return max(w - 0.105 * w**mu * trace, 0.0)

    exact = [by_pairs(pre, post, w, up, down, 0.02, 0.02) for (pre, post), w in itertools.product(trains, starts)]
    np.testing.assert_allclose(final(circuit, imposed(trains, starts, "stdp.w"), "stdp.w"), exact, rtol=0, atol=1e-12)


@given(trains=st.lists(st.tuples(spike_times, spike_times), min_size=3, max_size=3))
@settings(max_examples=6)
def test_random_trains_of_multiplicative_depression(trains):
    starts = [0.0, 1e-9]
    exact = [
        by_pairs(pre, post, w, lambda w, trace: w + 7e-12 * trace, lambda w, trace: w * (1 - 0.003 * trace), 0.02, 0.02)
        for (pre, post), w in itertools.product(trains, starts)
    ]
    np.testing.assert_allclose(final(vanrossum2000.pair(), imposed(trains, starts, "stdp.w"), "stdp.w"), exact, rtol=1e-12, atol=1e-24)


def test_weights_come_to_rest_where_theory_says(ledger):
    """Uncorrelated trains: far from rest weights come back, at rest the mean change is nothing."""
    rng = np.random.default_rng(4)
    trains = [tuple(np.sort(rng.choice(200000, 400, replace=False)) * 1e-4 for _ in range(2)) for _ in range(40)]
    fast, soft = {"c_p": 70e-12, "c_d": 0.03, "tau_plus": 0.02, "tau_minus": 0.02}, {"alpha": 1.5, "mu": 0.5}
    for circuit, rest in (
        (vanrossum2000.pair().with_values({"stdp.c_p": "70 pS", "stdp.c_d": 0.03}), bounds.vanrossum2000_rest(**fast)),
        (guetig2003.pair().with_values({f"stdp.{key}": value for key, value in soft.items()}), bounds.guetig2003_rest(**soft)),
    ):
        found = final(circuit, imposed(trains, [0.3 * rest, rest, 1.7 * rest], "stdp.w"), "stdp.w").reshape(-1, 3) / rest
        assert 0.3 < found[:, 0].mean() < found[:, 1].mean() < found[:, 2].mean() < 1.7
        z = (found[:, 1].mean() - 1) / (found[:, 1].std(ddof=1) / math.sqrt(len(trains)))
        check = "mean weight after 20 s of uncorrelated spikes, in standard errors"
        ledger(f"pair STDP, {circuit.name}", "rest without drift", check, float(abs(z)), 4.0)
    assert bounds.guetig2003_rest(alpha=1.05, mu=1.0) == pytest.approx(1 / 2.05)


@pytest.mark.parametrize("mu", [1e-6, 0.02, 0.5, 1 - 1e-9])
def test_gradients_at_the_bounds_are_finite(mu):
    """From exactly 0 and exactly 1, for mu (almost) 0 and for mu between, where w^mu has an infinite slope at 0."""
    circuit = guetig2003.pair().with_values({"stdp.mu": mu, "stdp.lam": 0.3})
    twin = Twin(circuit, free=["stdp.mu", "stdp.lam", "stdp.alpha", "stdp.tau"])
    train = (np.array([0.0, 0.02, 0.03, 0.05, 0.1]), np.array([0.004, 0.01, 0.045, 0.06, 0.11]))
    seen = twin(imposed([train, train[::-1]], [0.0, 0.5, 1.0], "stdp.w"))["stdp.w"]
    seen.sum().backward()
    for key, raw in twin.raw.items():
        assert torch.isfinite(raw.grad).all(), key


@pytest.mark.parametrize("mu", [0.0, 1.0])
def test_the_ends_of_the_family_have_gradients(mu):
    """mu = 0 (0 to the 0 at a bound) and mu = 1 themselves, for the other parameters."""
    twin = Twin(guetig2003.pair().with_values({"stdp.mu": mu}), free=["stdp.lam", "stdp.alpha", "stdp.tau"])
    seen = twin(imposed(isolated(3), [0.0, 0.5, 1.0], "stdp.w"))["stdp.w"]
    seen.sum().backward()
    for key, raw in twin.raw.items():
        assert torch.isfinite(raw.grad).all(), key
        assert raw.grad.abs().sum() > 0, key


def test_gradients_inside_equal_central_differences(ledger):
    train = (np.array([0.0, 0.02, 0.05, 0.1]), np.array([0.004, 0.01, 0.06, 0.11]))
    cases = (
        (guetig2003.pair().with_values({"stdp.mu": 0.3, "stdp.lam": 0.1}), ["lam", "alpha", "tau", "mu"], [0.2, 0.6], "stdp"),
        (vanrossum2000.pair().with_values({"stdp.c_d": 0.1}), ["c_p", "c_d", "tau_plus", "tau_minus"], [1e-9], "stdp"),
        (vogels2011.pair(), ["eta", "rho_0", "tau"], [2.0], "inhibitory"),
    )
    for circuit, free, starts, place in cases:
        twin = Twin(circuit, free=[f"{place}.{key}" for key in free])
        todo, scale = imposed([train, train[::-1]], starts, f"{place}.w"), starts[0]

        def loss(twin, todo=todo, scale=scale, place=place):
            return (twin(todo)[f"{place}.w"][:, -1, 0] / scale).square().sum()

        compare(twin, loss, ledger, circuit.name, 1e-5, step=1e-5, floor=0)


def test_inhibitory_window_and_trains(ledger):
    """Isolated pairs are the window; random trains the sum over all pairs; nothing depends on the order of a pair."""
    circuit = vogels2011.pair()
    values = numbers(circuit.projections[0].synapse)
    lags = np.append(LAGS, [0.05, -0.05])
    single = [(np.zeros(1), np.array([lag])) for lag in lags]
    rng = np.random.default_rng(6)
    trains = [tuple(np.unique(rng.integers(0, 3000, 30)) * 1e-4 for _ in range(2)) for _ in range(20)]
    found = final(circuit, imposed(single + trains, [3.0], "inhibitory.w"), "inhibitory.w") - 3
    window = inhibitory.window(lags, **values)
    ledger("inhibitory STDP, vogels2011", "closed form of the window", "isolated pairs", float(np.abs(found[: lags.size] - window).max()), 1e-12)
    exact = [inhibitory.weight_change(pre, post, **values) for pre, post in trains]
    ledger("inhibitory STDP, vogels2011", "explicit sums over spikes", "random trains", float(np.abs(found[lags.size :] - exact).max()), 1e-12)
    np.testing.assert_allclose(window, inhibitory.window(-lags, **values))
    cross = inhibitory.zero_crossing(tau=values["tau"], rho_0=values["rho_0"])
    assert inhibitory.window(cross, **values) == pytest.approx(0, abs=1e-18)


def test_inhibitory_weight_does_not_fall_below_zero():
    circuit = vogels2011.pair().with_values({"inhibitory.eta": 1.0})
    alone, then = (np.arange(5.0), np.empty(0)), (np.arange(5.0), np.array([4.0]))
    found = final(circuit, imposed([alone, then], [0.2], "inhibitory.w"), "inhibitory.w")
    assert found[0] == 0
    assert found[1] == pytest.approx(1.0, abs=1e-15)  # 1 from the pair at lag 0, on top of the bound


def test_inhibitory_drift_vanishes_at_the_target_rate(ledger):
    """Sums over Poisson trains, their first second left out."""
    values, rng = {"eta": 1.0, "tau": 0.02, "rho_0": 8.0}, np.random.default_rng(9)
    assert inhibitory.drift(np.array([1.0, 20.0]), 8.0, **values).tolist() == [0, 0]
    for rho_y in (3.0, 8.0, 15.0):
        changes = []
        for _ in range(60):
            pre, post = (np.sort(rng.uniform(0, 31, rng.poisson(31 * rho))) for rho in (10.0, rho_y))
            changes.append(inhibitory.weight_change(pre, post, **values) - inhibitory.weight_change(pre[pre < 1], post[post < 1], **values))
        sem = np.std(changes, ddof=1) / math.sqrt(60)
        error = abs(np.mean(changes) - 30 * float(inhibitory.drift(10.0, rho_y, **values))) / sem
        ledger("inhibitory STDP, theory", "sums over Poisson trains", f"drift at 10 and {rho_y:g} Hz, in standard errors", error, 4.0)


def test_refusals():
    with pytest.raises(ValueError, match=r"mu is 1\.0\. Give 0 <= mu < 1"):
        bounds.guetig2003_slow(0.5, 0.01, 1, lam=0.1, alpha=1.0, mu=1.0, tau=0.02)
    with pytest.raises(ValueError, match=r"rests at a bound"):
        bounds.guetig2003_rest(alpha=1.05, mu=0.0)
    with pytest.raises(ValueError, match=r"not a number of pairs"):
        bounds.vanrossum2000(1.0, 0.01, 1.5, c_p=1.0, c_d=0.1, tau_plus=0.02, tau_minus=0.02)
    with pytest.raises(ValueError, match=r"must be positive"):
        bounds.song2000(1.0, 0.01, 1, A_plus=1.0, A_minus=1.0, tau_plus=0.0, tau_minus=0.02)
    with pytest.raises(ValueError, match=r"vogels2011\.tau"):
        inhibitory.window(0.0, eta=1.0, tau=0.0, rho_0=3.0)
