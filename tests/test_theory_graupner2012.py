"""Closed forms of Graupner & Brunel 2012 against printed values, laws and brute force."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2

from bioneuro.evidence import graupner2012 as published
from bioneuro.theory import graupner2012 as theory

Array = np.ndarray[Any, np.dtype[np.float64]]
Parameters = dict[str, Any]

COMMON: Parameters = {"theta_d": 1.0, "theta_p": 1.3, "rho_star": 0.5}
DP = COMMON | {
    "tau_Ca": 0.020, "Cpre": 1.0, "Cpost": 2.0, "gamma_d": 200.0, "gamma_p": 321.808,
    "sigma": 2.8284, "tau": 150.0, "D": 0.0137, "beta": 0.5, "b": 5.0,
}
D = COMMON | {
    "tau_Ca": 0.020, "Cpre": 0.6, "Cpost": 0.6, "gamma_d": 500.0, "gamma_p": 550.0,
    "sigma": 5.6568, "tau": 150.0, "D": 0.0, "beta": 0.5, "b": 5.0,
}
CORTICAL = COMMON | {
    "tau_Ca": 0.0226936, "Cpre": 0.5617539, "Cpost": 1.23964, "gamma_d": 331.909,
    "gamma_p": 725.085, "sigma": 3.3501, "tau": 346.3615, "D": 0.0046098, "beta": 0.5,
    "b": 5.40988,
}
HIPPOCAMPAL = COMMON | {
    "tau_Ca": 0.0488373, "Cpre": 1.0, "Cpost": 0.275865, "gamma_d": 313.0965,
    "gamma_p": 1645.59, "sigma": 9.1844, "tau": 688.355, "D": 0.0188008, "beta": 0.7,
    "b": 5.28145,
}
CALCIUM = ("tau_Ca", "Cpre", "Cpost", "theta_d", "theta_p", "D")
EFFICACY = ("gamma_d", "gamma_p", "sigma", "tau", "rho_star")
LAGS = published.DP.lags

DP_ANA = np.array([
    0.9917, 0.9893, 0.9863, 0.9825, 0.9776, 0.9714, 0.9635, 0.9534, 0.9408, 0.9249,
    0.9052, 0.8809, 0.8514, 0.8162, 0.7753, 0.7290, 0.7643, 0.8210, 0.8818, 0.9432,
    1.0079, 1.2405, 1.2214, 1.1970, 1.1722, 1.1478, 1.1247, 1.1036, 1.0849, 1.0688,
    1.0552, 1.0440, 1.0349, 1.0276, 1.0217, 1.0170, 1.0133, 1.0104, 1.0082, 1.0064,
    1.0050,
])
D_ANA = np.array([1.0] * 19 + [0.9942, 0.6371, 0.9942] + [1.0] * 19)


def part(parameters: Parameters, names: Iterable[str]) -> Parameters:
    return {name: parameters[name] for name in names}


def calcium(parameters: Parameters) -> Parameters:
    return part(parameters, CALCIUM)


def pulsed(
    lags: Any, rate: float, pairs: int, parameters: Parameters
) -> theory.Transitions:
    stays = theory.pulsed_stays(lags, rate, pairs, **calcium(parameters))
    return theory.pulsed(stays, **part(parameters, EFFICACY))


# ---- printed values -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "lag", "rate", "alpha_d", "alpha_p"),
    [
        (DP, -0.100, 1.0, 0.013998345562877702, 0.008615658321849084),
        (DP, -0.020, 1.0, 0.02017213031583294, 0.0096775597371333),
        (DP, 0.0, 1.0, 0.027644581357717087, 0.01731295439021635),
        (DP, 0.005, 1.0, 0.025310554786473684, 0.019978927818972946),
        (CORTICAL, -0.010, 20.0, 0.3326574467966828, 0.09449785991190456),
        (CORTICAL, 0.010, 20.0, 0.289292384835458, 0.17021259139306888),
        (CORTICAL, 0.0, 50.0, 1.0, 1.0),
    ],
)
def test_fractions_as_printed(
    parameters: Parameters, lag: float, rate: float, alpha_d: float, alpha_p: float
) -> None:
    found = theory.pair_fractions(lag, rate, **calcium(parameters))
    np.testing.assert_allclose(found, (alpha_d, alpha_p), rtol=0, atol=1e-12)


@pytest.mark.parametrize(("parameters", "printed"), [(DP, DP_ANA), (D, D_ANA)])
def test_windows_as_printed(parameters: Parameters, printed: Array) -> None:
    found = theory.window(LAGS, 1.0, 60, **parameters)
    np.testing.assert_allclose(found, printed, rtol=0, atol=0.5001e-4)


def test_no_calcium_above_threshold_is_exactly_one() -> None:
    found = theory.window(LAGS, 1.0, 60, **(D | {"Cpre": 0.3, "Cpost": 0.3}))
    assert np.all(found == 1.0)


@pytest.mark.parametrize(
    ("rate", "plus", "minus"),
    [
        (0.1, 1.0613302015, 0.6907557602),
        (1.0, 1.0613302015, 0.6907557602),
        (5.0, 1.0615915685, 0.6898755450),
        (10.0, 1.0830035006, 0.6213758770),
        (20.0, 1.2530174443, 0.6348511753),
    ],
)
def test_cortical_frequency_dependence_as_printed(
    rate: float, plus: float, minus: float
) -> None:
    found = theory.window(np.array([0.010, -0.010]), rate, 75, **CORTICAL)
    np.testing.assert_allclose(found, (plus, minus), rtol=0, atol=0.5001e-10)


def test_cortical_window_potentiates_everywhere_above_29_11_hz() -> None:
    for rate, everywhere in ((29.10, False), (29.12, True)):
        lags = np.linspace(-0.5, 0.5, 2001) / rate
        ratio = theory.window(lags, rate, 75, **CORTICAL)
        assert bool(np.all(ratio > 1)) is everywhere


HIPPOCAMPAL_LAGS = np.array([-60, -40, -20, -10, 0, 10, 20, 30, 40, 60]) / 1000


def test_hippocampal_single_pairs_as_printed() -> None:
    printed = [0.9304, 0.8830, 0.8232, 0.7910, 0.7591, 0.7286, 0.7027, 0.8634, 0.9976, 0.9955]
    found = theory.window(HIPPOCAMPAL_LAGS, 5.0, 200, **HIPPOCAMPAL)
    np.testing.assert_allclose(found, printed, rtol=0, atol=0.5001e-4)


def test_hippocampal_doublets_potentiate_at_short_positive_lags() -> None:
    # Wittenberg & Wang 2006: single pairs only depress, doublets potentiate inside.
    found = theory.window(
        HIPPOCAMPAL_LAGS, 5.0, 100, post_offsets=(-0.0115, 0.0), **HIPPOCAMPAL
    )
    inside = (HIPPOCAMPAL_LAGS >= 0.010) & (HIPPOCAMPAL_LAGS <= 0.020)
    assert np.all(found[inside] > 1.2)
    assert np.all(found[(HIPPOCAMPAL_LAGS < 0) | (HIPPOCAMPAL_LAGS > 0.025)] < 1)


@pytest.mark.parametrize(("parameters", "data"), [(DP, published.DP), (D, published.D)])
def test_authors_monte_carlo_agrees_with_the_exact_train(
    parameters: Parameters, data: published.Window
) -> None:
    end = pulsed(data.lags, data.rate, data.pairs, parameters)
    ratio = theory.weight_ratio(end.U, end.D, 0.5, 5.0)
    error = theory.weight_ratio_error(end.U, end.D, data.runs, 0.5, 5.0)
    z = (data.ratio - ratio) / np.hypot(error, 0.0005 / math.sqrt(3))  # printed digits
    assert np.max(np.abs(z)) < 4.5
    assert chi2.sf(np.sum(z**2), z.size) > 0.001


def test_averaging_costs_little() -> None:
    end = pulsed(LAGS, 1.0, 60, DP)
    alphas = theory.pair_fractions(LAGS, 1.0, **calcium(DP))
    approximate = theory.averaged(*alphas, 60.0, **part(DP, EFFICACY))
    assert 0.002 < np.max(np.abs(end.U - approximate.U)) < 0.02


# ---- ratio --------------------------------------------------------------------------


def test_ratio_and_its_error() -> None:
    assert theory.weight_ratio(0.0, 0.0, 0.5, 5.0) == 1.0
    assert theory.weight_ratio(1.0, 0.0, 0.5, 5.0) == pytest.approx(5 / 3)
    assert theory.weight_ratio(0.0, 1.0, 0.5, 5.0) == pytest.approx(1 / 3)
    error = theory.weight_ratio_error(0.3, 0.6, 1000, 0.5, 5.0)
    assert error == pytest.approx(2 / 3 * math.sqrt((0.21 + 0.24) / 1000))


def test_error_is_the_spread_of_sampled_ratios() -> None:
    rng = np.random.default_rng(1)
    U, down = rng.binomial(400, 0.3, 20000) / 400, rng.binomial(400, 0.6, 20000) / 400
    spread = np.std(theory.weight_ratio(U, down, 0.7, 5.28))
    expected = theory.weight_ratio_error(0.3, 0.6, 400, 0.7, 5.28)
    assert spread == pytest.approx(expected, rel=0.03)


def test_without_noise_the_end_is_certain() -> None:
    end = pulsed(LAGS, 1.0, 60, DP | {"sigma": 0.0})
    assert set(np.unique(np.concatenate([end.U, end.D]))) <= {0.0, 1.0}
    still = theory.averaged(0.0, 0.0, 60.0, **part(DP, EFFICACY))
    assert [float(x) for x in (still.U, still.D, still.mean_0, still.mean_1)] == [0, 0, 0, 1]


# ---- laws ---------------------------------------------------------------------------

trains = st.fixed_dictionaries({
    "tau_Ca": st.floats(0.005, 0.1),
    "Cpre": st.floats(0.0, 3.0),
    "Cpost": st.floats(0.0, 3.0),
    "theta_d": st.floats(0.3, 4.0),
    "theta_p": st.floats(0.3, 4.0),
    "D": st.floats(0.0, 0.03),
})
lags = st.floats(-0.3, 0.3)
rates = st.floats(0.5, 60.0)


@given(lag=lags, rate=rates, train=trains)
def test_fractions_are_fractions_and_ordered(
    lag: float, rate: float, train: Parameters
) -> None:
    alpha_d, alpha_p = theory.pair_fractions(lag, rate, **train)
    assert 0 <= alpha_d <= 1
    assert 0 <= alpha_p <= 1
    assert alpha_p <= alpha_d if train["theta_p"] >= train["theta_d"] else alpha_d <= alpha_p


@given(lag=lags, rate=rates, periods=st.integers(-5, 5), train=trains)
def test_a_whole_period_of_lag_changes_nothing(
    lag: float, rate: float, periods: int, train: Parameters
) -> None:
    here = theory.pair_fractions(lag, rate, **train)
    there = theory.pair_fractions(lag + periods / rate, rate, **train)
    np.testing.assert_allclose(here, there, rtol=0, atol=1e-9)


@settings(max_examples=30, deadline=None)
@given(lag=lags, rate=rates, train=trains)
def test_fractions_agree_with_a_fine_grid(
    lag: float, rate: float, train: Parameters
) -> None:
    n = 50_000
    t = (np.arange(n) + 0.5) / n / rate
    c = np.zeros(n)
    for amplitude, jump in ((train["Cpre"], train["D"]), (train["Cpost"], lag)):
        for k in range(math.ceil(30 * train["tau_Ca"] * rate) + 1):
            c += amplitude * np.exp(-(np.mod(t - jump, 1 / rate) + k / rate) / train["tau_Ca"])
    found = theory.pair_fractions(lag, rate, **train)
    brute = [np.mean(c > train["theta_d"]), np.mean(c > train["theta_p"])]
    np.testing.assert_allclose(found, brute, rtol=0, atol=5 / n)


def euler(
    times: Array, amplitudes: list[float], p: Parameters, rho_0: float, dt: float
) -> tuple[float, float]:
    """Mean and variance of rho by fixed steps; the calcium jumps sit on the grid."""
    jumps: dict[int, float] = {}
    for time, amplitude in zip(times, amplitudes, strict=True):
        step = round(time / dt)
        jumps[step] = jumps.get(step, 0.0) + amplitude
    c, mean, variance = 0.0, rho_0, 0.0
    decay = math.exp(-dt / p["tau_Ca"])
    for step in range(min(jumps), max(jumps) + round(5 * p["tau_Ca"] / dt)):
        c += jumps.get(step, 0.0)
        d, q = c > p["theta_d"], c > p["theta_p"]
        g_d, g_p = p["gamma_d"] * d / p["tau"], p["gamma_p"] * q / p["tau"]
        noise = p["sigma"] ** 2 * (d + q) / p["tau"]
        variance += dt * (noise - 2 * (g_d + g_p) * variance)
        mean += dt * (g_p * (1 - mean) - g_d * mean)
        c *= decay
    return mean, variance


@settings(max_examples=10, deadline=None)
@given(
    lag=st.integers(-60, 60), rate=st.sampled_from([10, 20, 40]), rho_0=st.floats(0, 1),
    theta_p=st.sampled_from([0.8, 1.3, 2.5]), doublet=st.booleans(),
)
def test_pulsed_moments_agree_with_euler(
    lag: int, rate: float, rho_0: float, theta_p: float, doublet: bool
) -> None:
    p = DP | {"theta_p": theta_p}
    offsets = (-0.0115, 0.0) if doublet else (0.0,)
    pre = np.arange(4) / rate
    times = np.concatenate([pre + p["D"], *(pre + lag / 1000 + o for o in offsets)])
    sizes = [p["Cpre"]] * 4 + [p["Cpost"]] * 4 * len(offsets)
    p_moments = part(p, (*CALCIUM, "gamma_d", "gamma_p", "sigma", "tau"))
    found = theory.pulsed_moments(
        lag / 1000, rate, 4, rho_0=rho_0, post_offsets=offsets, **p_moments
    )
    np.testing.assert_allclose(
        found, euler(times, sizes, p, rho_0, 5e-6), rtol=0, atol=3e-4
    )


def test_stays_of_a_long_train_approach_the_steady_state() -> None:
    stays = theory.pulsed_stays(LAGS, 20.0, 2000, **calcium(CORTICAL))
    alpha_d, alpha_p = theory.pair_fractions(LAGS, 20.0, **calcium(CORTICAL))
    both = np.sum(stays.both, axis=-1) / 100
    either = both + np.sum(stays.only_d, axis=-1) / 100
    assert np.all(stays.only_p == 0)
    np.testing.assert_allclose(both, alpha_p, rtol=0, atol=2e-3)
    np.testing.assert_allclose(either, alpha_d, rtol=0, atol=2e-3)


def test_a_single_transient() -> None:
    stays = theory.train_stays(
        np.array([0.3]), np.array([2.0]), theta_d=1.0, theta_p=1.3, tau_Ca=0.02
    )
    assert stays.both[0] == pytest.approx(0.02 * math.log(2 / 1.3), abs=1e-15)
    assert stays.only_d[0] == pytest.approx(0.02 * math.log(1.3), abs=1e-15)


def test_silence_and_padding() -> None:
    limits = {"theta_d": 1.0, "theta_p": 1.3, "tau_Ca": 0.02}
    silent = theory.train_stays(np.zeros((3, 0)), np.zeros((3, 0)), **limits)
    assert silent.both.shape == (3, 1)
    assert np.all(silent.both + silent.only_d == 0)
    plain = theory.train_stays(np.array([0.3, 0.31]), np.array([2.0, 1.0]), **limits)
    padded = theory.train_stays(np.array([0.3, 0.31, 0.4]), np.array([2.0, 1.0, 0.0]), **limits)
    assert np.sum(plain.both) == pytest.approx(np.sum(padded.both), abs=1e-15)


def test_parameters_broadcast_like_lags() -> None:
    sigma, gamma_p = np.array([[1.0], [2.8284]]), np.array([100.0, 321.808, 600.0])
    whole = theory.window(-0.02, 1.0, 60, **(DP | {"sigma": sigma, "gamma_p": gamma_p}))
    assert whole.shape == (2, 3)
    one = theory.window(-0.02, 1.0, 60, **(DP | {"sigma": 1.0, "gamma_p": 600.0}))
    assert whole[0, 2] == one
    varied = DP | {"sigma": sigma, "tau_Ca": np.array([0.01, 0.02, 0.03])}
    end = pulsed(0.01, 1.0, 60, varied)
    assert end.U.shape == (2, 3)
    np.testing.assert_allclose(end.U[1, 1], pulsed(0.01, 1.0, 60, DP).U, rtol=1e-14)


# ---- refusals -----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["tau_Ca", "theta_d", "theta_p"])
def test_refuses_what_must_be_positive(name: str) -> None:
    with pytest.raises(ValueError, match=r"is not positive"):
        theory.pair_fractions(0.0, 1.0, **(calcium(DP) | {name: 0.0}))


def test_refuses_half_a_pair_and_no_rate() -> None:
    with pytest.raises(ValueError, match=r"pairs: 2\.5"):
        theory.window(0.0, 1.0, 2.5, **DP)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"rate"):
        theory.window(0.0, 0.0, 60, **DP)
