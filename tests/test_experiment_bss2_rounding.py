"""Roundings of small changes in the arithmetic of the processor: each is the coin toss that its law says, at 8 and 16 bits."""

from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from scripts import loaded

from bioneuro import brian
from bioneuro.bss2.scales import mantissa
from bioneuro.recording import Recording
from bioneuro.script import Options

SEED, TRIALS, FEW, MANY = 2024, 100, 100, 1000
script, figure = loaded("protocols", "bss2_rounding"), loaded("figures", "bss2_rounding")
TASKS = script.plan(Options(out=Path("unused.nc"), quick=True))
CASES = [f"{mode}_{bits}" for bits in figure.WIDTHS for mode in figure.MODES]
_RUNS: dict[str, Recording] = {}


def seen(name: str) -> Recording:
    """A short run of one mode, made once."""
    if name not in _RUNS:
        _RUNS[name] = brian.simulate(TASKS[name][0], script.updates([0, FEW, MANY], TRIALS), seed=SEED, target="numpy")
    return _RUNS[name]


def test_script_and_figure_agree_about_the_units():
    assert set(script.MODES) == set(figure.MODES)
    assert np.array_equal(script.SLOW, figure.SLOW)
    assert np.array_equal(script.NEAR, figure.NEAR)
    start = TASKS["exact_8"][0].projections[0].synapse.initial["x"].value
    assert start[figure.UNITS["slow"]].tolist() == [100] * script.SLOW.size
    assert start[figure.UNITS["fast"]] == 100


@pytest.mark.parametrize("name", CASES)
def test_every_rounding_is_a_coin_of_its_law(name, ledger):
    """Binomial: how often each increment went up, of 10,000 (large increments) and 100,000 (small ones) roundings; exact where there is no chance."""
    mode, bits = name.split("_")
    worst = 0.0
    for units, pushes, n in (("fractions", figure.FRACTIONS, FEW), ("near", figure.NEAR, FEW if mode == "truncate" else MANY)):
        m, s = mantissa(pushes, int(bits))
        mean = figure.law(mode, m * 2.0**-s)
        ups = figure.moved(seen(name), figure.UNITS[units], n).sum(axis=0) - TRIALS * n * np.floor(mean)
        chance = mean % 1
        sure = chance == 0
        assert np.array_equal(ups[sure], np.zeros(sure.sum()))
        if not sure.all():
            p = [stats.binomtest(round(k), TRIALS * n, c).pvalue for k, c in zip(ups[~sure], chance[~sure], strict=True)]
            worst = max(worst, -np.log10(min(p)))
    ledger("bss2 rounding", "binomial law", f"{name}: 44 increments, -log10 of the smallest p", worst, 5.5)


@pytest.mark.parametrize("name", [c for c in CASES if not c.startswith("truncate")])
def test_slow_decays(name):
    """While x hardly moves, the number of steps down is binomial as well: up to 0.001 steps per update, where that is 1 in 1000 updates."""
    mode, bits = name.split("_")
    start = script.STARTS[int(bits)][0]
    slow = figure.SLOW[4:]
    m, s = mantissa(-slow / start, int(bits))
    down = -figure.law(mode, start * m * 2.0**-s)
    found = -figure.moved(seen(name), figure.UNITS["slow"], FEW)[:, 4:].sum(axis=0)
    assert np.all(found[down == 0] == 0)
    assert all(stats.binomtest(round(k), TRIALS * FEW, p).pvalue > 1e-5 for k, p in zip(found[down > 0], down[down > 0], strict=True))
    if mode == "byte":  # a pull too weak for a byte becomes one of 1/256, as long as it is kept at all
        assert set((256 * down).tolist()) == {0.0, 1.0}


@pytest.mark.parametrize("bits", figure.WIDTHS)
def test_where_nearest_sticks_and_the_others_do_not(bits):
    """Nearest rounding stops where the change is below half a step; truncation takes a step at least, always."""
    start = script.STARTS[bits][1]
    last = {mode: seen(f"{mode}_{bits}")["count.x"][:, -1, figure.UNITS["fast"]] for mode in figure.MODES}
    if bits == 8:  # 30 time constants
        assert set(last["nearest"].tolist()) == {np.floor(start / (2 * figure.FAST))}
        assert not last["truncate"].any()
        assert last["ideal"].mean() < 1
    else:
        law = start * (1 - figure.FAST / start) ** MANY
        assert last["ideal"].mean() == pytest.approx(law, abs=5 * np.sqrt(start / TRIALS))
        assert last["truncate"].max() < law - 100


@pytest.mark.parametrize("bits", figure.WIDTHS)
def test_real_numbers_follow_the_exponential(bits, ledger):
    circuit = TASKS[f"exact_{bits}"][0]
    exact = brian.simulate(circuit, script.updates([0, FEW, MANY], 1, after=0.0), seed=SEED, target="numpy")
    x = exact["count.x"][0]
    rule = circuit.projections[0].synapse.parameters
    tau, speed = rule["tau"].value, rule["speed"].value
    gone = -np.expm1(-exact.times[0][:, None] / tau)
    law = x[0] - (x[0] - speed * tau) * gone
    error = float(np.abs(x - law).max() / script.STARTS[bits][0])
    ledger("bss2 rounding", "closed form", f"pushed and decaying counters, real numbers, {bits} bit units: relative", error, 1e-9)


def test_the_law_is_the_mean_over_all_draws():
    change = np.linspace(-1.3, 1.3, 53)
    for mode, offset in (("byte", 0.0), ("centred", 2.0**-9)):
        kept = np.floor(change * 2.0**16 + 0.5) / 2.0**16
        draws = np.floor(kept[:, None] + np.arange(256) / 256 + offset).mean(axis=1)
        assert np.allclose(figure.law(mode, change), draws, atol=1e-12)
    assert np.abs(figure.law("ideal", change) - change).max() < 2.0**-28
    assert np.array_equal(figure.law("nearest", np.array([-0.51, -0.49, 0.49, 0.5])), [-1, 0, 0, 1])
    assert np.array_equal(figure.law("truncate", np.array([-1e-6, 0.99])), [-1, 0])
