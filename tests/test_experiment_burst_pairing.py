"""Bursts: the protocol has the spikes that the data's lags are defined by, and the lines of the figure are exact."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scripts import loaded

from bioneuro.brian import simulate
from bioneuro.evidence import markram1997, nevian2006
from bioneuro.twin import Twin

ROOT = Path(__file__).resolve().parent.parent




figure, experiment = loaded("figures", "burst_pairing"), loaded("protocols", "burst_pairing")
SERIES = [series for several in figure.PANELS.values() for series in several]


def spikes(todo, case):
    """Trains of the trial that stands for a case."""
    trials = todo.trials
    mine = (trials["kind"].values == case.kind) & np.isclose(trials["lag"].values, case.lag)
    if case.kind < 2:
        mine &= np.isclose(trials["rate"].values, case.rate)
    (stimulus,) = todo.stimulus[mine]
    return [np.sort(todo.spikes[port].time[todo.spikes[port].stimulus == stimulus]) for port in ("pre", "post")]


def test_spikes_are_those_of_the_laws():
    """Of every simulated case, from its first spike on: what is simulated is what the lines are of."""
    todo = experiment.bursts()
    cases = [series.case(x) for series in SERIES for x in {*series.points.x.tolist(), *series.more}]
    assert len({(c.kind, round(c.lag, 9), c.rate) for c in cases}) == todo.n_stimuli
    for case in cases:
        found, meant = spikes(todo, case), case.trains
        start = [min(t.min() for t in trains) for trains in (found, meant)]
        for one, other in zip(found, meant, strict=True):
            np.testing.assert_allclose(one - start[0], other - start[1], atol=1e-9)


def test_lags_are_those_of_the_papers():
    todo = experiment.bursts()
    for x in nevian2006.TIMING.x.tolist():  # the first of three spikes at 50 Hz
        pre, post = spikes(todo, figure.timing(x))
        assert (pre.size, post.size) == (60, 180)
        np.testing.assert_allclose(np.sort(post)[:3] - pre[0], x + np.array([0, 0.02, 0.04]), atol=1e-12)
    for sign, points in ((1, nevian2006.SPIKES_PRE_POST), (-1, nevian2006.SPIKES_POST_PRE)):  # the spike closest to the EPSP
        for n in points.x.tolist():
            pre, post = spikes(todo, figure.numbers(sign)(n))
            assert post.size == 60 * n
            assert (post[:, None] - pre[None, :]).ravel()[np.abs(post[:, None] - pre[None, :]).argmin()] == pytest.approx(points.held["lag"])
    for sign, points in ((1, nevian2006.RATES_PRE_POST), (-1, nevian2006.RATES_POST_PRE)):
        for rate in points.x.tolist():
            pre, post = spikes(todo, figure.within(sign)(rate))
            assert np.abs(post[:, None] - pre[None, :]).min() == pytest.approx(0.01)
            np.testing.assert_allclose(np.diff(post[:3]), 1 / rate, atol=1e-12)
    for rate in markram1997.RATES.x.tolist():
        pre, post = spikes(todo, figure.rates(rate))
        np.testing.assert_allclose(post - pre, markram1997.RATES.held["lag"], atol=1e-12)
        assert pre.size == 50


@pytest.mark.parametrize("rule", figure.RULES[:2], ids=lambda rule: rule.name)
def test_lines_are_exact(rule, ledger):
    """The triplet rule from NumPy, mean and variance of the calcium rule from the twin."""
    path = {"triplet": "triplet.w", "calcium": "calcium.rho"}[rule.name]
    todo = experiment.bursts(record=(path,), initial={path: [0, 1]} if rule.name == "calcium" else None)
    if rule.name == "triplet":
        seen = simulate(rule.circuit, todo, seed=0, target="numpy")
    else:
        with torch.no_grad():
            seen = Twin(rule.circuit).moments(todo).detached()
    law = rule.law({name.partition(".")[2]: float(p.value) for name, p in rule.circuit.values.items()})
    cases = [series.case(x) for series in SERIES for x in {*series.points.x.tolist(), *series.more}]
    error = max(abs(figure.found(seen, case, rule.circuit)[0] - float(law([case.trains])[0])) for case in cases)
    model = {"triplet": "triplet STDP, pfister2006", "calcium": "Graupner & Brunel 2012"}[rule.name]
    ledger(model, "exact law of the train", "Markram 1997 and Nevian & Sakmann 2006, all conditions: ratio", error, 1e-9)
