"""The lines in figures/tetanus.py are the exact laws of what protocols/tetanus.py runs."""


import numpy as np
import pytest
import torch
from scripts import loaded

from bioneuro import protocol
from bioneuro.brian import simulate
from bioneuro.twin import Twin

figure = loaded("figures", "tetanus")

RATES = np.array([1.0, 7.0, 14.0, 50.0])
POST = {"silent": protocol.Silent(), "following": protocol.Following("5 ms"), "fifth": protocol.Following("5 ms", every=5)}
MODEL = {"hippocampal": "Graupner & Brunel 2012", "cortical": "Graupner & Brunel 2012", "triplet": "triplet STDP, pfister2006"}
PULSES = 40


@pytest.mark.parametrize("firing", POST)
@pytest.mark.parametrize("rule", figure.RULES)
def test_lines_are_exact(rule, firing, ledger):
    """Mean and variance of the calcium rule from the twin, the triplet rule from NumPy."""
    circuit = figure.RULES[rule][0]
    initial = None if rule == "triplet" else {"calcium.rho": [0, 1]}
    todo = protocol.tetanus([f"{rate!r} Hz" for rate in RATES.tolist()], PULSES, post=POST[firing], initial=initial)
    if rule == "triplet":
        seen = simulate(circuit, todo, seed=0, target="numpy")
    else:
        with torch.no_grad():
            seen = Twin(circuit).moments(todo).detached()
    p = figure.numbers(circuit)
    curve = figure.seen_curve(p, seen)
    error = float(np.abs(np.asarray(curve.y) - figure.law_of(p)(p, firing, RATES, PULSES)).max())
    ledger(MODEL[rule], "exact law of the train", f"{rule}: {PULSES} pulses, post {firing}, weight ratio", error, 1e-9)


def test_triplet_rule_under_random_firing(ledger):
    """The mean over Poisson trains of 5 Hz that begin with the pulses."""
    circuit = figure.RULES["triplet"][0]
    p, rates = figure.numbers(circuit), np.array([2.0, 20.0])
    todo = protocol.tetanus("2 Hz, 20 Hz".split(", "), 60, post=protocol.Firing("5 Hz"), repetitions=600)
    curve = figure.seen_curve(p, simulate(circuit, todo, seed=5, target="numpy"))
    z = np.abs(curve.y - figure.triplets(p, "poisson", rates, 60)) / curve.error
    check = "60 pulses at 2 and 20 Hz, post Poisson 5 Hz: mean weight, in standard errors"
    ledger(MODEL["triplet"], "closed form of the mean", check, float(z.max()), 4.0)
