"""The calcium rule in the sets of later papers: Graupner et al. 2016, Deperrois & Graupner 2020, and memory in Higgins et al. 2014."""

import dataclasses
import itertools
import math

import numpy as np
import pytest
import torch
from brian2.units import Hz, ms
from hypothesis import given, settings
from hypothesis import strategies as st
from test_graupner_variants import LAGS, RATES, imposed, rho
from test_windows import CALCIUM

from bioneuro import measure, protocol
from bioneuro.brian import simulate
from bioneuro.catalogue import deperrois2020, graupner2016, higgins2014
from bioneuro.catalogue.graupner2012 import DOUBLE_WELL, FLAT
from bioneuro.theory import graupner2012 as theory
from bioneuro.theory import higgins2014 as memory
from bioneuro.twin import Twin


def test_graupner2016_is_the_mean_over_its_start(ledger):
    """75 pairs per lag and rate from rho 0.5: the read-out against the exact mean, and against the averaged theory of the paper."""
    values = {k: float(p.value) for k, p in graupner2016.rule("linear").parameters.items()}
    todo = protocol.pairing(LAGS * ms, RATES * Hz, pairs=75)
    with torch.no_grad():
        seen = Twin(graupner2016.pair("linear"))(todo).detached()
    curve = 1 + measure.change(seen, path="calcium.rho", before=graupner2016.W0, along="lag").y / graupner2016.W0
    ratio = seen["calcium.rho"][:, 0, 0].reshape(LAGS.size, RATES.size) / graupner2016.W0
    np.testing.assert_allclose(curve, ratio.mean(axis=1), rtol=1e-12)
    calcium, strengths = {k: values[k] for k in CALCIUM}, {k: values[k] for k in ("gamma_d", "gamma_p", "tau")}
    truth = [theory.pulsed_moments(LAGS / 1000, float(r), 75, rho_0=0.5, sigma=0.0, **calcium, **strengths)[0] for r in RATES]
    error = float(np.abs(ratio - 2 * np.stack(truth, axis=-1)).max())
    ledger("Graupner et al. 2016, linear", "exact law of the 75-pair train", "mean rho/w0, 0.1-50 Hz, four lags", error, 1e-11)
    alphas = [theory.pair_fractions(LAGS / 1000, float(r), **calcium) for r in RATES]
    down, up = (np.stack([a[k] for a in alphas], axis=-1) * values[g] for k, g in ((0, "gamma_d"), (1, "gamma_p")))
    paper = 2 * (up / (up + down) + (0.5 - up / (up + down)) * np.exp(-75 / RATES * (up + down) / values["tau"]))
    error = float(np.abs(ratio - paper).max())
    ledger("Graupner et al. 2016, linear", "averaged theory, as the paper plots it", "mean rho/w0, 0.1-50 Hz, four lags", error, 0.02)


def test_nonlinear_calcium_peaks_as_in_the_authors_closed_form(ledger):
    """Regular pairs, pre before post, long after the first: calcium right behind the post spike (H in the authors' code)."""
    values = {k: float(p.value) for k, p in graupner2016.rule("nonlinear").parameters.items()}
    Cpre, Cpost, tau, n = (values[k] for k in ("Cpre", "Cpost", "tau_Ca", "n"))
    eta = (n * (Cpost + Cpre) - Cpost) / Cpre - 1
    rates, gaps = (x.ravel() for x in np.meshgrid([1.0, 10.0, 40.0], [0.0, 0.002, 0.012]))  # gap: from the arrival of presynaptic calcium
    pre = np.arange(40) / rates[:, None]
    post = pre + values["D"] + gaps[:, None]
    todo = dataclasses.replace(imposed(list(pre), list(post), post[:, -1] + 1e-9), record=("calcium.c",))
    peak = simulate(graupner2016.pair("nonlinear"), todo, seed=0, target="numpy")["calcium.c"][:, 0, 0]
    period, decay = np.exp(-1 / rates / tau), np.exp(-gaps / tau)
    before = (Cpost + eta / (1 - period) * Cpre * decay) * period / (1 - period) + Cpre * decay / (1 - period)
    H = before + Cpost + eta * Cpre * decay / (1 - period)
    error = float(np.abs(peak - H * np.exp(-1e-9 / tau)).max())  # read a nanosecond later
    ledger("Graupner et al. 2016, nonlinear", "authors' public code, closed form", "calcium behind a post spike, 1-40 Hz", error, 1e-11)


# dt (ms), rate (Hz) -> rho after 10 s, as printed in the authors' result files (regular pairs, with short-term depression)
SOMATOSENSORY = {
    (-100, 1): 4.100745204908484154e-01, (-100, 2): 3.364124864646936275e-01, (-100, 5): 3.130440219991469930e-01,
    (-100, 10): 5.740200537338391307e-01, (-100, 20): 6.723244261470806560e-01, (-100, 40): 7.665170402519588810e-01,
    (-50, 5): 2.693535554782738317e-01, (-40, 1): 4.090019493370191661e-01, (-40, 2): 3.354419482407449693e-01,
    (-38, 5): 2.634681962917623799e-01, (-10, 2): 2.646390309745139113e-01, (0, 10): 5.740200537338348008e-01,
    (10, 1): 5.731062140127001214e-01, (10, 2): 5.879580658494885093e-01, (10, 5): 5.611558240040713796e-01,
    (20, 5): 5.274217445044686592e-01, (20, 20): 6.355720148812962211e-01,
}  # fmt: skip
VISUAL = {
    (-100, 1): 4.914124414082670089e-01, (-50, 1): 4.913230982163602767e-01, (-40, 1): 4.868494087826703565e-01,
    (-20, 1): 4.747958355874543068e-01, (0, 1): 4.596341950514945540e-01, (10, 1): 5.060539398303568470e-01,
}  # fmt: skip


def regular(circuit, points, first: float):
    """10 s of regular pairs; spikes at or before 0 and after 10 s are left out, and time runs from the arrival of presynaptic calcium."""
    D = float(circuit.values["calcium.D"].value)
    pre, post = [], []
    for lag, rate in points:
        times = first + np.arange(10 * rate + 10) / rate
        arrivals = times + lag / 1000 - D
        pre.append(times[(times > 0) & (times < 10)])
        post.append(arrivals[(arrivals > 0) & (arrivals < 10)] + D)
    return rho(circuit, imposed(pre, post, [10 + D] * len(pre)))


def test_deperrois2020_ends_where_the_authors_simulation_does(ledger):
    for name, printed, first, allowed, why in (
        ("somatosensory cortex", SOMATOSENSORY, 0.0, 1e-12, ""),
        ("visual cortex", VISUAL, 0.15, 1e-9, "their file holds a run whose first pair comes at 0.15 s; at higher rates it has other numbers"),
    ):
        error = np.abs(regular(deperrois2020.pair(name), printed, first) - list(printed.values())).max()
        what = f"rho after 10 s of regular pairs, {len(printed)} lags and rates"
        ledger(f"Deperrois & Graupner 2020, {name}", "authors' simulation, result files", what, error, allowed, why)


# ---- memory under Poisson firing ------------------------------------------------------------------------------------------------------

SHOT = ("tau_Ca", "Cpre", "Cpost", "theta_d", "theta_p")
TAU = 0.0226936


def shot_noise(rate: float, name: str, duration: float, seed: int):
    """Fractions of time above both thresholds in a long train, spike by spike."""
    v = {k: float(p.value) for k, p in higgins2014.rule(name).parameters.items()}
    rng = np.random.default_rng(seed)
    counts = rng.poisson(rate * duration, 2)
    times = rng.uniform(0, duration, counts.sum())
    order = np.argsort(times)
    jumps, gaps = np.repeat([v["Cpre"], v["Cpost"]], counts)[order], np.diff(times[order], append=duration)
    left, c, levels = np.exp(-gaps / v["tau_Ca"]), 0.0, np.empty(jumps.size)
    for k, (jump, part) in enumerate(zip(jumps.tolist(), left.tolist(), strict=True)):
        levels[k] = c + jump
        c = levels[k] * part
    return [float(np.minimum(v["tau_Ca"] * np.log(np.maximum(levels / v[t], 1)), gaps).sum() / duration) for t in ("theta_d", "theta_p")]


def fractions(rate: float, name: str):
    rule = higgins2014.rule(name).parameters
    return memory.poisson_fractions(rate, rate, **{k: float(rule[k].value) for k in SHOT})


def remembered(rate: float, name: str) -> memory.Memory:
    rule = higgins2014.rule(name).parameters
    return memory.memory(*fractions(rate, name), **{k: float(rule[k].value) for k in ("gamma_d", "gamma_p", "tau")})


@given(st.floats(0.1, 30), st.floats(0, 30), st.floats(0.3, 2), st.floats(0.3, 2))
@settings(max_examples=15)
def test_time_above_has_the_mean_of_shot_noise(pre, post, a, b):
    """The integral of the time above a level over all levels is the mean, tau (rate_pre Cpre + rate_post Cpost)."""
    sizes, nu = np.array([a, b])[: 2 if post else 1], TAU * np.array([pre, post])[: 2 if post else 1]
    top = 5.0 + 12 * TAU * (pre * a + post * b)
    kinks, below = memory._kinks(top, sizes), memory._below(top, sizes, nu)
    x, w = np.polynomial.legendre.leggauss(40)
    s = 0.5 + 0.5 * x
    mean = kinks[0] - below(kinks[:1])[0] * kinks[0] / (1 + nu.sum())  # below the smallest jump F is a power
    for begin, end in itertools.pairwise(kinks):
        mean += np.sum(w * 3 * s**5 * (end - begin) * (1 - below(begin + (end - begin) * s**6)))
    rest = 1 - below(np.array([top]))[0]
    assert mean == pytest.approx(float(nu @ sizes), abs=1e-9 + 2 * rest)


def test_time_above_for_one_kind_of_spike():
    """Below a single jump the distribution is a power with a known factor."""
    for rate in (0.5, 20.0):
        found = memory.time_above(0.9, np.array([rate, 0.0]), np.array([1.0, 3.0]), tau_Ca=TAU)
        nu = rate * TAU
        below = np.exp(-np.euler_gamma * nu) / math.gamma(1 + nu) * 0.9**nu
        assert found == pytest.approx(1 - below, abs=1e-14)
    assert memory.time_above(1.0, np.zeros(2), np.ones(2), tau_Ca=TAU) == 0.0


def test_time_above_agrees_with_long_trains(ledger):
    for name in higgins2014.SETS:
        for rate in (1.0, 10.0, 30.0):
            runs = np.array([shot_noise(rate, name, 2e4 / rate, seed) for seed in range(12)])
            z = (runs.mean(axis=0) - fractions(rate, name)) / (runs.std(axis=0, ddof=1) / np.sqrt(12))
            what = f"time above thresholds at {rate:g} Hz: largest |z|"
            ledger(f"Higgins et al. 2014, {name}", "spike trains of 24e4 spikes per neuron", what, float(np.abs(z).max()), 4.5)


def test_decay_time_is_a_power_of_the_rate(ledger):
    """Fig. 2C: the exponent is the number of spikes that it takes to cross a threshold, one in vitro and two in vivo."""
    for name, spikes in (("in vitro", 1), ("in vivo", 2)):
        slow, fast = (float(remembered(rate, name).time) for rate in (0.01, 0.02))
        power = np.log(slow / fast) / np.log(2)
        ledger(f"Higgins et al. 2014, {name}", "Fig. 2 caption", "power of the rate in the decay time, distance", abs(power - spikes), 0.03)


def test_decay_times_are_minutes_in_vitro_and_hours_in_vivo(ledger):
    """At 1/s (abstract; BMC Neurosci 14-S1:P42)."""
    for name, unit, called in (("in vitro", 60.0, "minutes"), ("in vivo", 3600.0, "hours")):
        time = float(remembered(1.0, name).time) / unit
        ledger(f"Higgins et al. 2014, {name}", "abstract", f"decay time at 1/s in {called}, factor from 3", max(time / 3, 3 / time), 3.0)


def test_mean_under_poisson_firing_follows_the_theory(ledger):
    """In vitro, 10 Hz: 1500 synapses from rho 1. The theory averages calcium, so it may be some hundredths too fast."""
    times = np.array([0.5, 1, 2, 3, 4, 6, 8, 12, 16, 20])
    reads = times * 1000 * ms
    for potential, model, allowed in ((FLAT, "flat", 0.03), (DOUBLE_WELL, "bistable", 0.03)):
        todo = protocol.poisson({"pre": "10 Hz", "post": "10 Hz"}, "20 s", repetitions=1500, initial={"calcium.rho": 1}, reads=reads)
        seen = simulate(higgins2014.pair("in vitro", potential), todo, seed=1, target="numpy")["calcium.rho"][:, :, 0]
        error = float(np.abs(seen.mean(axis=0) - remembered(10.0, "in vitro").mean(times, 1.0)).max())
        what = f"mean rho in 20 s at 10 Hz, {model} potential"
        ledger("Higgins et al. 2014, in vitro", "theory of the mean (flat potential)", what, error, allowed, "the averaging of the theory")


def test_memory_without_calcium_is_for_ever():
    never = memory.memory(0.0, 0.0, gamma_d=300.0, gamma_p=700.0, tau=300.0)
    assert np.isinf(never.time)
    assert never.mean(1e6, 0.7) == 0.7
    with pytest.raises(ValueError, match=r"theory.jumps: .* so small"):
        memory.time_above(1.0, np.ones(2), np.array([1e-3, 1e-2]), tau_Ca=TAU)
