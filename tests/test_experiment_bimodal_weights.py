"""The law in figures/bimodal_weights.py: where independent trains leave a multiplicative weight."""


import numpy as np
import pytest
from scripts import loaded

from bioneuro import protocol
from bioneuro.brian import simulate
from bioneuro.catalogue import guetig2003

figure = loaded("figures", "bimodal_weights")


def test_multiplicative_weights_between_independent_trains(ledger):
    """Mean and spread do not depend on the rates; bins of 0.01 ms, so that few spikes coincide (these count as causal)."""
    mean, spread = figure.independent(figure.circuit(0))
    assert mean == pytest.approx(1 / 2.05)
    n = 500
    for pre, post in ((20, 20), (10, 40)):
        todo = protocol.poisson({"pre": f"{pre} Hz", "post": f"{post} Hz"}, "40 s", repetitions=n, grid="0.01 ms", record=("stdp.w",))
        w = simulate(guetig2003.pair("multiplicative"), todo, seed=3, target="numpy")["stdp.w"][:, -1, 0]
        check, about = f"weight after 40 s of {pre} and {post} Hz Poisson spikes", "guetig2003, mu = 1: theory of small steps"
        z = abs(w.mean() - mean) / (spread / np.sqrt(n))
        ledger("pair STDP, guetig2003", about, f"mean {check}, in standard errors", float(z), 4.0)
        z = abs(w.std(ddof=1) / spread - 1) * np.sqrt(2 * n)
        ledger("pair STDP, guetig2003", about, f"standard deviation of the {check}, in standard errors", float(z), 4.0)
