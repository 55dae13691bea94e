"""The map of period and width: paired runs, where the hardware is faithful, where it freezes."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from scripts import loaded

from bioneuro import brian
from bioneuro.bss2 import Hardware, constrain
from bioneuro.catalogue import luboeinski2021
from bioneuro.script import Options
from bioneuro.trains import drawn_spikes

SEED, H0, MODEL = 2024, 4.20075e-3, "luboeinski2021 on bss2"
script, figure = loaded("protocols", "bss2_timestep"), loaded("figures", "bss2_timestep")


@pytest.fixture(scope="module")
def tasks():
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # the plan asks for long periods and does not complain about them
        return script.plan(Options(out=Path("unused.nc")))


@pytest.fixture(scope="module")
def cells(tasks):
    """Reduced: updates every 50 ms, 50 trials; by (name, reading)."""
    names = ("events", "stochastic_16_50_ms", "nearest_16_50_ms", "nearest_24_50_ms")
    runs = {name: brian.simulate(*tasks[name], seed=SEED) for name in names}
    return {(name, k): figure.cell(runs[name], runs["events"], k, H0) for name in names for k in figure.READS}


def test_runs_are_paired(tasks):
    """Trial k has the same spikes in every run, however many trials and however long."""
    trains = {}
    for name in ("events", "float_1_ms", "float_10_ms"):
        made = tasks[name][1]
        drawn = drawn_spikes(made.spikes["pre"], "pre", 1, SEED)
        trains[name] = [np.sort(drawn.time[drawn.stimulus == made.stimulus[k]]) for k in range(script.FEW_REPETITIONS)]
    for name in ("float_1_ms", "float_10_ms"):
        assert all(np.array_equal(a, b) for a, b in zip(trains["events"], trains[name], strict=True))


def test_periods_beyond_the_decay_of_calcium_warn():
    """48.8 ms: at 50 ms `constrain` warns, at 20 ms it does not; the script silences that warning alone."""
    circuit = luboeinski2021.single()
    with pytest.warns(UserWarning, match=r"hardware\.period: 50 ms is longer than stc\.Ca takes to decay"):
        constrain(circuit, Hardware(period="50 ms"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        constrain(circuit, Hardware(period="20 ms"))
        script.constrained(circuit, 50, 16, "nearest")


def test_one_program_text_for_all_widths_and_periods(tasks):
    """Width and period are data: a text per rounding, and one for real numbers."""
    for kind in ("float", "stochastic", "nearest"):
        assert len({c.projections[0].synapse.every.code for name, (c, _) in tasks.items() if name.startswith(kind)}) == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", ["stochastic_16_50_ms", "nearest_24_50_ms"])
def test_faithful_in_the_mean(cells, name, ledger):
    said = name.replace("_", " ")
    for k, after in figure.READS.items():
        found = cells[name, k]
        ledger(MODEL, "from event to event, same spikes", f"STET, {said}, {after}: h, % of h0", abs(found.h), figure.H_LIMIT, "50 trials")
        ledger(MODEL, "from event to event, same spikes", f"STET, {said}, {after}: z, points", abs(found.z), figure.Z_LIMIT, "50 trials")
        assert found.h_error < 1
        assert found.z_error < 1


@pytest.mark.slow
def test_nearest_freezes_at_16_bits(cells):
    """The leak of h is below half a step: h stays where the stimulus left it, and without protein there is no late phase."""
    exact, frozen = cells["events", 1], cells["nearest_16_50_ms", 1]
    assert exact.h == exact.z == 0
    assert frozen.kind == "wrong"
    assert frozen.h > 60
    assert frozen.z < -60


@pytest.mark.parametrize(
    ("h", "z", "kind"), [(0.5, 0.5, "within"), (-1.5, 0, "open"), (0, 2.5, "far"), (9, -11, "wrong"), (0, -1.9, "open"), (1, -1, "within")]
)
def test_kinds_of_cells(h, z, kind):
    assert figure.Cell(h=h, h_error=0.4, z=z, z_error=0.4, n=50).kind == kind


def test_numbers_in_cells():
    assert [figure.written(v, 0.44) for v in (-0.04, 0.3, -1.26, 26.4)] == ["0.0±0.4", "+0.3±0.4", "\u22121.3±0.4", "+26"]
