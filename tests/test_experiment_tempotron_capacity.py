"""The claim of figures/tempotron_capacity.py on small neurons, and how it reads numbers off the results."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from scripts import loaded

from bioneuro import load
from bioneuro.learn import tempotron
from bioneuro.script import Options

study, figure = loaded("protocols", "tempotron_capacity"), loaded("figures", "tempotron_capacity")
QUICK = Options(quick=True, out=Path("unused.nc"))
ABOUT = ("tempotron, guetig2006", "Gütig & Sompolinsky 2006, Nat Neurosci 9:420")


def test_learning_converges_below_the_capacity_and_fails_above(ledger):
    """50 afferents, ten neurons at each load, the paper's step and momentum."""
    for size, value, allowed, wanted in ((50, 1.0, 500, True), (50, 5.0, 100, False)):
        ends = [study.learn(QUICK, size, value, seed, allowed)[0].learned for seed in range(10)]
        what = f"of 10 neurons that {'do not learn' if wanted else 'learn'} {value:g} patterns per synapse in {allowed} epochs (capacity about 3)"
        ledger(*ABOUT, f"number {what}, {size} afferents", sum(end != wanted for end in ends), 0)


def test_loads_of_a_seed_are_nested_and_seeds_differ():
    few, many, other = (study.task(QUICK, 20, value, seed)[1].spikes["source"].steps for value, seed in ((1.0, 0), (2.0, 0), (1.0, 1)))
    assert np.array_equal(many[: few.size], few)
    assert not np.array_equal(few, other)


def test_the_step_is_that_of_the_paper():
    """3e-3 T/(tau N V0), with V0 = 4^(4/3)/3 where tau_s is tau/4."""
    assert study.rate(100, 0.5, tau=0.015, tau_s=0.00375) == pytest.approx(3e-3 * 0.5 / (0.015 * 100 * 4 ** (4 / 3) / 3), rel=1e-12)


def test_half_of_the_neurons():
    x = np.array([1.0, 2.0, 3.0, 4.0])
    assert figure.crossing(x, np.array([1.0, 1.0, 0.0, 0.0])) == 2.5
    assert figure.crossing(x, np.array([1.0, 0.8, 0.4, 0.0])) == pytest.approx(2.75)
    assert np.isnan(figure.crossing(x, np.ones(4)))
    right = np.array([[1.0, 1.0, 0.0, 0.0]] * 5 + [[1.0, 0.0, 0.0, 0.0]] * 5)
    low, high = figure.between(x, right)
    assert 1.5 <= low < figure.crossing(x, right.mean(axis=0)) < high <= 2.5
    assert figure.spread(np.array([[0.0], [1.0]])) == pytest.approx([1.96 * 0.5])


@pytest.mark.slow
def test_results_say_how_they_came_about(tmp_path):
    """Shapes, settings, and Brian2's spikes beside what the learning code decided."""
    folder = study.main(dataclasses.replace(QUICK, out=tmp_path / "x.nc", engine="numpy", progress=False))
    found, trained = load(folder / "capacity.nc"), load(folder / "trained.nc")
    allowed, sizes, loads = figure.settings(found)
    assert (allowed, sizes, loads) == (200, [20, 30], [0.5, 1.0, 2.0])
    assert found["capacity.wrong"].shape == (3, 3, 2)
    assert ((found["capacity.wrong"] == 0) == (found["capacity.learned"] == 1)).all()
    assert ((trained.spikes["tempotron"].counts[:, 0] > 0) == (trained.conditions["decided"].values == 1)).all()
    assert np.abs(trained.conditions["margin"].values).min() > tempotron.TIE
