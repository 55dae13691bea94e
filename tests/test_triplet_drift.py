"""The drift of the triplet rule under Poisson trains that share spikes."""

import numpy as np
import pytest

from bioneuro import protocol
from bioneuro.brian import simulate
from bioneuro.catalogue import pfister2006
from bioneuro.theory import triplet

PRE, LAG = 10.0, 0.005  # Hz, s
SETS = ("visual cortex all-to-all minimal", "visual cortex all-to-all full")
RATES = np.array([3.0, 10.0, 30.0])


def shared(rates, share, values):
    return 100 * triplet.drift_shared(PRE, rates, share * np.sqrt(PRE * rates), LAG, **values)


def numbers(name):
    return {key: float(p.value) for key, p in pfister2006.rule(name).parameters.items()}


@pytest.mark.parametrize("name", SETS)
def test_without_shared_spikes_it_is_the_drift_of_independent_trains(name):
    values = numbers(name)
    np.testing.assert_allclose(shared(RATES, 0.0, values), 100 * triplet.drift(PRE, RATES, **values), rtol=1e-12)
    border = triplet.bcm_threshold(PRE, **values)
    assert float(shared(border, 0.0, values)) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("name", ["visual cortex all-to-all full", "hippocampus all-to-all full"])
def test_shared_spikes_add_what_is_derived(name, ledger):
    """Also with the slow r2 of the hippocampal set (tau_x 946 ms), where the term of depression counts."""
    for share in (0.2, 0.5):
        todo = protocol.poisson_pairs(
            f"{PRE} Hz", [f"{rate} Hz" for rate in (5, 20)], "16 s", correlation=share, lag=f"{LAG} s", reads=["6 s", "16 s"],
            repetitions=600, record=("triplet.w",),
        )  # fmt: skip
        w = simulate(pfister2006.pair(name), todo, seed=5, target="numpy")["triplet.w"][:, :, 0]
        moved = (100 * (w[:, 1] - w[:, 0]) / 10).reshape(2, 600)
        exact = shared(np.array([5.0, 20.0]), share, numbers(name))
        away = np.abs(moved.mean(axis=1) - exact) / (moved.std(axis=1, ddof=1) / np.sqrt(600))
        ledger("triplet STDP, theory", "simulated Poisson pairs", f"{name}: drift at a correlation of {share:g}, 5 and 20 Hz, in standard errors",
               float(away.max()), 4.0)  # fmt: skip
