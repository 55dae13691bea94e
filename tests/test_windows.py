"""Graupner & Brunel 2012: whole windows against theory, the authors' Monte Carlo, and the clock against events."""

import numpy as np
import pytest
import torch
from brian2.units import ms
from scipy import stats

from bioneuro import measure, protocol
from bioneuro.brian import simulate
from bioneuro.catalogue import graupner2012
from bioneuro.evidence import graupner2012 as authors
from bioneuro.theory import graupner2012 as theory
from bioneuro.twin import Twin

LAGS = np.arange(-100, 101, 5) * 1e-3
RUNS = 1000
CALCIUM = ("tau_Ca", "Cpre", "Cpost", "theta_d", "theta_p", "D")
EFFICACY = ("gamma_d", "gamma_p", "sigma", "tau", "rho_star")


def numbers(name: str, *keys: str) -> dict[str, float]:
    """Values of a parameter set, SI."""
    values = graupner2012.rule(name).parameters
    return {key: float(values[key].value) for key in (keys or values)}


def window(stepping=None, repetitions: int = RUNS) -> protocol.Protocol:
    start = {"calcium.rho": [0, 1]}
    return protocol.pairing(lag=LAGS * 1e3 * ms, pairs=60, repetitions=repetitions, initial=start, stepping=stepping, record=("calcium.rho",))


def exact(name: str) -> theory.Transitions:
    """Transition probabilities of the finite train, exactly."""
    return theory.pulsed(theory.pulsed_stays(LAGS, 1.0, 60, **numbers(name, *CALCIUM)), **numbers(name, *EFFICACY))


def agreement(seen, p, n: int) -> tuple[float, float]:
    """Chi-square p over the curve and the largest |z|, with exact binomial tails where the normal law fails."""
    p = np.clip(p, 0, 1)
    counts = np.rint(seen * n)
    z = np.zeros_like(p)
    normal = n * p * (1 - p) > 9
    z[normal] = (counts - n * p)[normal] / np.sqrt(n * p * (1 - p))[normal]
    tail = 2 * np.minimum(stats.binom.cdf(counts, n, p), stats.binom.sf(counts - 1, n, p)).clip(0, 0.5)
    z[~normal] = stats.norm.isf(tail[~normal] / 2)
    return float(stats.chi2.sf((z[normal] ** 2).sum(), max(normal.sum(), 1))), float(np.abs(z).max())


@pytest.mark.parametrize("name", graupner2012.SETS)
def test_window_agrees_with_theory(name, ledger):
    """41 lags, 60 pairs at 1 Hz, 1000 repetitions from each initial state: the whole curve, as one chi-square and no outlier."""
    recording = simulate(graupner2012.pair(name), window(), seed=2012)
    up, (lag, start) = measure.grouped(recording, measure.above(recording, "calcium.rho", 0.5)[:, 0], "lag", "start")
    share = up.mean(axis=1)
    order = np.argsort(lag[start == 0])
    truth = exact(name)
    for label, seen, p in (("U", share[start == 0][order], truth.U), ("D", 1 - share[start == 1][order], truth.D)):
        chance, z = agreement(seen, p, RUNS)
        model, law, what = f"Graupner-Brunel 2012, {name}", "exact law of the 60-pair train", f"{label}(lag), 41 lags x 1000"
        ledger(model, law, f"{what}: 1 - chi-square p", 1 - chance, 0.999)
        ledger(model, law, f"{what}: largest |z|", z, 4.5)
    quiet = (truth.variance == 0) & (truth.mean_0 == 0)
    curve = measure.weight_ratio(recording, **{k: numbers(name)[k] for k in ("rho_star", "beta", "b")})
    assert np.all(np.asarray(curve.y)[np.argsort(curve.x)][quiet] == 1.0)


@pytest.mark.parametrize("name", ["DP", "D"])
def test_window_agrees_with_the_authors_simulation(name, ledger):
    recording = simulate(graupner2012.pair(name), window(), seed=41)
    curve = measure.weight_ratio(recording, **{k: numbers(name)[k] for k in ("rho_star", "beta", "b")})
    theirs = getattr(authors, name)
    expected = exact(name)
    error = theory.weight_ratio_error(expected.U, expected.D, RUNS, numbers(name)["beta"], numbers(name)["b"])
    uncertain = error > 1e-3
    z = (np.asarray(curve.y) - theirs.ratio)[uncertain] / (np.sqrt(2) * error[uncertain])
    ledger(f"Graupner-Brunel 2012, {name}", "authors' Monte Carlo, 1000 runs", "weight ratio: largest |z|", float(np.abs(z).max()), 4.5)
    chance = float(stats.chi2.sf((z**2).sum(), uncertain.sum()))
    ledger(f"Graupner-Brunel 2012, {name}", "authors' Monte Carlo, 1000 runs", "weight ratio: 1 - chi-square p", 1 - chance, 0.999)
    assert np.allclose(np.asarray(curve.y)[~uncertain], theirs.ratio[~uncertain], atol=2e-3 + 5e-4)


@pytest.mark.parametrize("name", ["DP", "D"])
def test_averaged_theory_equals_the_printed_curve(name, ledger):
    """The closed form of the paper to the digits printed in its companion data."""
    printed = {
        "DP": "0.9917 0.9893 0.9863 0.9825 0.9776 0.9714 0.9635 0.9534 0.9408 0.9249 0.9052 0.8809 0.8514 0.8162 0.7753 0.7290 0.7643 0.8210 "
        "0.8818 0.9432 1.0079 1.2405 1.2214 1.1970 1.1722 1.1478 1.1247 1.1036 1.0849 1.0688 1.0552 1.0440 1.0349 1.0276 1.0217 1.0170 "
        "1.0133 1.0104 1.0082 1.0064 1.0050",
        "D": " ".join(["1.0000"] * 19 + ["0.9942", "0.6371", "0.9942"] + ["1.0000"] * 19),
    }[name]
    found = theory.window(LAGS, 1.0, 60, **numbers(name))
    error = float(np.abs(found - np.array([float(x) for x in printed.split()])).max())
    ledger(f"Graupner-Brunel 2012, {name}", "averaged theory as printed (4 digits)", "weight ratio, 41 lags", error, 5.1e-5)


@pytest.mark.parametrize("name", graupner2012.SETS)
def test_carried_moments_are_exact(name, ledger):
    """Mean and variance carried by the twin against the event-by-event law."""
    with torch.no_grad():
        seen = Twin(graupner2012.pair(name)).moments(window(repetitions=1)).detached()
    truth = exact(name)
    mean, variance = (seen[f"calcium.rho{x}"][:, 0, 0].reshape(41, 2) for x in ("", "_variance"))
    error = max(np.abs(mean[:, 0] - truth.mean_0).max(), np.abs(mean[:, 1] - truth.mean_1).max(), np.abs(variance[:, 0] - truth.variance).max())
    ledger(f"Graupner-Brunel 2012, {name}", "exact law of the 60-pair train", "carried mean and variance", float(error), 1e-12)


def clock_error(dt: str, sigma: float, repetitions: int = 1) -> tuple[float, float, float]:
    """Largest error of the mean efficacy of DP on a clock, of its variance, and the standard error of the mean."""
    lags = np.array([-40, -10, 10, 40])
    circuit = graupner2012.pair("DP").with_values({"calcium.sigma": sigma, "calcium.D": "12.8 ms"})  # on every grid
    options = dict(lag=lags * ms, pairs=5, rate="5 Hz", initial={"calcium.rho": [0, 1]}, rest="0.2 s", record=("calcium.rho",))
    exactly = protocol.pairing(**options)
    stepped = protocol.pairing(**options, repetitions=repetitions, stepping=protocol.clock(dt))
    with torch.no_grad():
        truth = Twin(circuit).moments(exactly).detached()
    rho = simulate(circuit, stepped, seed=5)["calcium.rho"][:, 0, 0].reshape(lags.size * 2, repetitions)
    mean, variance = (truth[f"calcium.rho{x}"][:, 0, 0] for x in ("", "_variance"))
    spread = float(np.abs(rho.var(axis=1) - variance).max() / variance.max()) if sigma else 0.0
    return float(np.abs(rho.mean(axis=1) - mean).max()), spread, float(np.sqrt(variance.max() / repetitions))


def test_clock_approaches_events_linearly(ledger):
    """Without noise the error falls as dt: the threshold inside a step makes it no better."""
    steps = np.array([0.4, 0.2, 0.1, 0.05, 0.025])
    errors = np.array([clock_error(f"{dt} ms", 0.0)[0] for dt in steps])
    print(dict(zip(steps.tolist(), errors.tolist(), strict=True)))
    order = float(np.polyfit(np.log(steps), np.log(errors), 1)[0])
    ledger("Graupner-Brunel 2012, DP", "event stepping", "order of the clock's error in dt, distance from 1", abs(order - 1), 0.35)
    ledger("Graupner-Brunel 2012, DP", "event stepping", "mean efficacy at dt 0.025 ms", errors[-1], 2e-3)


@pytest.mark.slow
def test_noisy_clock_approaches_events_weakly(ledger):
    """With noise mean and variance agree, as far as 4000 repetitions can tell."""
    mean, variance, standard_error = clock_error("0.1 ms", 2.8284, 4000)
    ledger("Graupner-Brunel 2012, DP", "event stepping", "noisy clock 0.1 ms: mean efficacy", mean, 4.5 * standard_error + 2e-3)
    ledger("Graupner-Brunel 2012, DP", "event stepping", "noisy clock 0.1 ms: variance, relative", variance, 4.5 * np.sqrt(2 / 4000) + 0.02)
