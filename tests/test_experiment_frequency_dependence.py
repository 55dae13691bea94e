"""Frequency dependence: the lines of the figure are exact, and pauses of a second are as long as any for the voltage-based rule."""

from pathlib import Path

import numpy as np
import pytest
import torch
from brian2.units import second
from scripts import loaded

from bioneuro import protocol
from bioneuro.brian import simulate
from bioneuro.catalogue import clopath2010, clopath2010_code
from bioneuro.protocol import Clock
from bioneuro.twin import Twin

ROOT = Path(__file__).resolve().parent.parent




figure, experiment = loaded("figures", "frequency_dependence"), loaded("protocols", "frequency_dependence")
RULES = {rule.name: rule for rule in figure.RULES}


def numbers(circuit):
    return {path.partition(".")[2]: float(p.value) for path, p in circuit.values.items()}


def exact(seen, rule):
    """Largest distance of a recording from the law of its rule, over both kinds, both lags and all rates."""
    law = rule.law(numbers(rule.circuit))
    worst = 0.0
    for kind in (0.0, 1.0):
        for lag in figure.LAGS:
            found = figure.found(seen, kind, lag, numbers(rule.circuit))
            assert found.x.size == 7
            meant = law([figure.trains(kind, lag, rate, rule.pairs) for rate in found.x.tolist()])
            worst = max(worst, float(np.abs(found.y - meant).max()))
    return worst


def test_lines_of_the_triplet_rule(ledger):
    rule = RULES["triplet_full"]
    seen = simulate(rule.circuit, experiment.pairings(60, record=("triplet.w",)), seed=0, target="numpy")
    check = "visual cortex: pairs and 15 x 5 bursts, 0.1 to 50 Hz"
    ledger("triplet STDP, pfister2006", "explicit sums over spikes", check, exact(seen, rule), 1e-12)


def test_lines_of_the_calcium_rule(ledger):
    """Mean and variance by the twin: bursts, 50 single pairs, 75 pairs."""
    rule = RULES["calcium_flat"]
    todo = experiment.pairings(75, initial={"calcium.rho": [0, 1]}, record=("calcium.rho",))
    with torch.no_grad():
        seen = Twin(rule.circuit).moments(todo).detached()
    check = "cortical slices: pairs and 15 x 5 bursts, 0.1 to 50 Hz, weight ratio"
    ledger("Graupner & Brunel 2012", "exact law of the train", check, exact(seen, rule), 1e-9)


CASES = {"published code": (clopath2010_code.published_code(), 1e-3, 10), "continuous": (clopath2010.pair(), 1e-3, 2)}


@pytest.mark.parametrize("case", CASES)
def test_a_second_is_a_long_pause(case, ledger):
    """The second of two bursts, a second and many after the first: the same change, also where it stands for fourteen such."""
    circuit, dt, longer = CASES[case]
    ends = []
    for every in (1, longer):
        todo = protocol.bursts(experiment.LAGS, experiment.RATES[[0, 5]], 5, 2, every=every * second, stepping=Clock(dt=dt, tolerance=1e-9))
        todo = protocol.by_current(todo, "post", "1 uA", width="1 ms")
        for own_spike in (0, 1) if case == "continuous" else ("",):
            changed = circuit.with_values({"clopath.own_spike": own_spike}) if case == "continuous" else circuit
            seen = simulate(changed, todo, seed=0, target="numpy")
            assert seen.spikes["post"].counts.ravel().tolist() == [10] * 4
            ends.append(seen["clopath.w"][:, -1, 0])
    short, long = np.split(np.concatenate(ends), 2)
    error = 14 * float(np.abs(short - long).max()) / 0.5
    ledger(f"Clopath 2010, {case}", f"bursts every {longer} s", "15 bursts of 5 + 5, one per second: ratio", error, 1e-3)
