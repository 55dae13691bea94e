"""The lines in figures/spike_doublets.py are the exact law of what protocols/spike_doublets.py runs: doublets, not pairs alone."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scripts import loaded

from bioneuro import protocol
from bioneuro.brian import simulate
from bioneuro.twin import Twin

figure = loaded("figures", "spike_doublets")

LAGS = [-0.07, -0.02, -0.004, 0.003, 0.008, 0.014, 0.022, 0.031, 0.06]


def experiment(name, initial):
    lags = [f"{lag!r} s" for lag in LAGS]
    repeats = figure.PROTOCOLS[name][0] // 10  # as many as are needed to see every term
    if name == "single":
        return repeats, protocol.pairing(lags, "5 Hz", repeats, initial=initial)
    return repeats, protocol.doublets(lags, "5 Hz", repeats, between="11.5 ms", initial=initial)


@pytest.mark.parametrize("name", figure.PROTOCOLS)
@pytest.mark.parametrize("rule", figure.RULES)
def test_lines_are_exact(rule, name, ledger, monkeypatch):
    """Mean and variance of the calcium rule from the twin, the triplet rule from NumPy."""
    circuit = figure.RULES[rule][0]
    repeats, todo = experiment(name, None if rule == "triplet" else {"calcium.rho": [0, 1]})
    if rule == "triplet":
        seen = simulate(circuit, todo, seed=0, target="numpy")
    else:
        with torch.no_grad():
            seen = Twin(circuit).moments(todo).detached()
    curve = figure.window(circuit, replace(seen))
    monkeypatch.setattr(figure, "FINE", curve.x)
    law = figure.law(circuit, repeats, figure.PROTOCOLS[name][1])
    error = float(np.abs(np.asarray(curve.y) - law).max())
    model = "triplet STDP, pfister2006" if rule == "triplet" else "Graupner & Brunel 2012"
    ledger(model, "exact law of the train", f"{rule}: {name.replace('_', ' ')} at 5 Hz, weight ratio", error, 1e-9)
