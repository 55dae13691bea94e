"""Planted neurons are found again, from a trace and from spikes alone, and the fitted circuits run in Brian2 as in the twin."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from scripts import loaded

from bioneuro import Twin, fit, load, measure, replay
from bioneuro.brian import simulate
from bioneuro.fit import Fit, adam, lbfgs
from bioneuro.script import Options

TRACE, SPIKES = (loaded("protocols", f"fit_{name}") for name in ("lif_to_trace", "adex_to_spikes"))
DRAWN = loaded("figures", "fit_adex_to_spikes")


def agree(found: Fit, todo, ledger, model: str) -> None:
    for engine, verdict in replay(found, todo, seed=1, targets=("numpy",)).items():
        assert verdict, f"{engine}: {verdict}"
        worst = max(row.difference for row in verdict.rows)
        ledger(f"fit, {model}", f"fitted circuit in Brian2, {engine}", "traces, relative (spikes identical)", worst, 1e-9)


def test_a_leaky_neuron_is_found_in_its_trace(ledger):
    """All three free parameters, and the spikes under a current that the fit has not seen."""
    made = TRACE.plan(Options(quick=True, out=Path("unused.nc")))
    (planted, below), (_, above) = made["below"], made["above"]
    loss = measure.trace_error(simulate(planted, below, seed=0, target="numpy"), "lif.v", scale=TRACE.ERROR)
    twin = Twin(planted.with_values({path: high for path, (_, high) in TRACE.SPREAD.items()}), free=TRACE.SPREAD)
    found = fit(twin, below, loss=loss, optimiser=(adam(0.2, steps=12), lbfgs(steps=3)), starts=2, spread=TRACE.SPREAD)
    for path in TRACE.SPREAD:
        off = abs(float(found.circuit.values[path].value / planted.values[path].value) - 1)
        ledger("fit, LIF", "planted value", f"trace below threshold, few steps: {path}, relative", off, 0.01)
    wanted, fitted = (simulate(circuit, above, seed=0, target="numpy").spikes["lif"] for circuit in (planted, found.circuit))
    assert wanted.steps.size > 3
    np.testing.assert_array_equal(wanted.steps, fitted.steps)
    agree(found, above, ledger, "LIF")


def test_a_spike_train_tells_capacitance_and_adaptation(ledger):
    """Two of the five, near by and on a coarse clock: the loss falls by a factor of five, and both come closer."""
    ((planted, todo),) = SPIKES.plan(Options(quick=True, out=Path("unused.nc"))).values()
    target = simulate(planted, todo, seed=0, target="numpy")
    start = {"adex.C": "310 pF", "adex.b": "0.07 nA"}
    rates = {"adex.C": "5.6 pF", "adex.b": "1.6 pA"}
    twin = Twin(planted.with_values(start), free=start, surrogate=SPIKES.SURROGATE)
    found = fit(twin, todo, loss=partial(SPIKES.lateness, target), optimiser=adam(rates=rates, steps=15))
    assert found.losses.min() < 0.2 * found.losses[0]
    for path in start:
        before, after = (abs(float(c.values[path].value / planted.values[path].value) - 1) for c in (twin.circuit, found.circuit))
        assert after < 0.5 * before
        ledger("fit, AdEx", "planted value", f"spikes alone, few steps: {path}, relative", after, 0.05)
    agree(found, todo, ledger, "AdEx")


@pytest.mark.slow
def test_a_leaky_neuron_is_found_from_ten_starts(tmp_path, ledger):
    """Within 1 % from each of them; the interval holds the planted value."""
    folder = TRACE.main(Options(out=tmp_path / "fit_lif_to_trace.nc"))
    steps, told = (load(folder / f"{name}.nc") for name in ("steps", "told"))
    start, loss = steps.conditions["start"].values, steps["fit.loss"][:, 0, 0]
    assert np.unique(start).size == 10
    for path in TRACE.SPREAD:
        low, high, _, planted = told.conditions[path].values
        assert low <= planted <= high
        ends = [steps.conditions[path].values[start == k][loss[start == k].argmin()] for k in np.unique(start)]
        worst = float(np.abs(np.array(ends) / planted - 1).max())
        ledger("fit, LIF", "planted value", f"trace below threshold, worst of 10 starts: {path}, relative", worst, 0.01)
    assert [note.partition("\n")[0] for note in steps.provenance.notes] == ["replay on cpp: agree", "replay on numpy: agree"]


@pytest.mark.slow
def test_an_adaptive_neuron_is_found_in_its_spikes(tmp_path, ledger):
    """What no scale of the potential changes, within 5 % from at least 9 of 10 starts."""
    folder = SPIKES.main(Options(out=tmp_path / "fit_adex_to_spikes.nc"))
    steps = load(folder / "steps.nc")
    off = np.sort(np.abs(DRAWN.ends(steps, DRAWN.circuit())) / 100, axis=0)
    assert off.shape == (10, 4)
    for k, name in enumerate(("membrane time constant", "rheobase", "reset", "adaptation by a spike")):
        ledger("fit, AdEx", "planted value", f"spikes alone, ninth of 10 starts: {name}, relative", float(off[8, k]), 0.05)
    assert ((np.abs(DRAWN.ends(steps, DRAWN.circuit())) < 5).all(axis=1)).sum() >= 9
    assert [note.partition("\n")[0] for note in steps.provenance.notes] == ["replay on cpp: agree", "replay on numpy: agree"]
