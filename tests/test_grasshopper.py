"""Recordings of an auditory receptor, the likelihood of told spikes, and searches with and without a gradient."""

import importlib.util
import math
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scripts import loaded

from bioneuro import load
from bioneuro.brian import simulate
from bioneuro.catalogue import rokem2006 as model
from bioneuro.evidence import rokem2006 as data
from bioneuro.fit import lbfgs, search
from bioneuro.measure import FitError, MeasureError
from bioneuro.measure.likelihood import surprise
from bioneuro.recording import Recording
from bioneuro.script import Options
from bioneuro.twin import Twin

try:
    HEARD = {cutoff: data.load(cutoff) for cutoff in data.CUTOFFS}
except data.MissingData:
    HEARD = {}
needs_data = pytest.mark.skipif(not HEARD, reason="the package nitime, which has the recordings, is not installed")
MODEL = "rokem2006 receptor"
HOW = {"warm": 0.02, "dt": 5e-4, "latency": 6.5e-3}
MARGIN = {"above": "receptor.v", "below": model.THRESHOLD, "noted": "told.margin"}


@needs_data
def test_the_recordings_are_what_their_headers_say():
    """Modulation of 6 dB up to the cut-off; one train of ten seconds each, in steps of 0.1 ms."""
    assert [HEARD[c].spikes.size for c in data.CUTOFFS] == [929, 868]
    for cutoff, heard in HEARD.items():
        assert heard.level.shape == (200_000,)
        assert heard.level.max() == 0
        assert heard.level.std() == pytest.approx(data.SPREAD, rel=0.01)
        power = np.abs(np.fft.rfft(heard.level - heard.level.mean())) ** 2
        within = np.fft.rfftfreq(heard.level.size, data.SAMPLE) <= cutoff
        assert power[within].sum() > 0.98 * power.sum()
        assert np.all(np.diff(heard.spikes) > 3e-3)
        assert np.allclose(heard.spikes * 1e4, np.rint(heard.spikes * 1e4))
        assert 0 < heard.spikes[0] < heard.spikes[-1] < 10


@needs_data
def test_the_level_is_averaged_and_late():
    heard = HEARD[200]
    steps, late = heard.steps(5e-4), heard.steps(5e-4, 2e-3)
    assert steps.shape == (20_000,)
    np.testing.assert_allclose(late[4:], steps[:-4], rtol=0, atol=1e-12)
    assert np.all(late[:4] == -3)
    assert steps[7] == pytest.approx((heard.level[70:80].mean() - heard.level.mean()) / 6)
    with pytest.raises(ValueError, match="multiples of 5e-05 s"):
        heard.steps(1.3e-4)


@needs_data
def test_stretches_hold_every_spike_once():
    told, fired = data.stretches(HEARD[200], 1.0, 8, 0.25, told="recorded", **HOW)
    inside = fired[:, 40:]
    assert inside.sum() == np.count_nonzero((HEARD[200].spikes >= 1) & (HEARD[200].spikes < 3))
    assert told.spikes["recorded"].time.size == fired.sum()
    train = data.trains(inside, 5e-4)
    assert np.array_equal(train.counts[:, 0], inside.sum(axis=1))
    with pytest.raises(ValueError, match="stay within"):
        data.stretches(HEARD[200], 8.0, 9, 0.25, **HOW)


def test_missing_or_other_files_are_named(monkeypatch, tmp_path):
    found = importlib.util.find_spec("nitime")
    monkeypatch.delenv(data.FOLDER, raising=False)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(data.MissingData, match="pip install nitime"):
        data.load(200)
    with pytest.raises(data.MissingData, match="does not exist"):
        data.load(200, tmp_path)
    (tmp_path / "grasshopper_spike_times1.txt").write_text("6700\n")
    monkeypatch.setenv(data.FOLDER, str(tmp_path))
    with pytest.raises(data.MissingData, match="expected 840014ad"):
        data.load(200)
    with pytest.raises(KeyError, match="200, 800"):
        data.load(400)
    if found is not None and found.submodule_search_locations:
        for path in (Path(found.submodule_search_locations[0]) / "data").glob("grasshopper*1.txt"):
            shutil.copy(path, tmp_path)
        assert data.load(200).spikes.size == 929


@pytest.fixture(scope="module")
def runs():
    """A neuron that fires by itself, and the same neuron told what that one fired."""
    if not HEARD:
        pytest.skip("the package nitime, which has the recordings, is not installed")
    own, _ = data.stretches(HEARD[200], 2.0, 3, 0.1, **HOW)
    told, _ = data.stretches(HEARD[200], 2.0, 3, 0.1, told="recorded", **HOW)
    alone = simulate(model.free(), replace(own, reads=told.reads), seed=0, target="numpy")
    train = alone.spikes["receptor"]
    fired = np.zeros((3, 240), bool)
    for trial in range(3):
        fired[trial, np.rint(train.times(trial, 0) / 5e-4).astype(int)] = True
    trial, step = np.nonzero(fired)
    spikes = replace(told.spikes["recorded"], stimulus=trial, unit=0 * trial, time=step * 5e-4)
    return alone, simulate(model.told(), replace(told, spikes={"recorded": spikes}), seed=0, target="numpy"), fired, told


def test_told_its_own_spikes_a_neuron_goes_the_same_way(runs, ledger):
    """Every state, after every step; and its margin was reached just where it fired."""
    alone, told, fired, _ = runs
    assert fired.sum() > 10
    worst = max(float(np.abs(alone[f"receptor.{name}"] - told[f"receptor.{name}"]).max()) for name in ("v", "theta_1", "theta_2", "y_2"))
    ledger(MODEL, "the neuron that fires by itself", "states of the neuron that is told its spikes", worst, 1e-12)
    margin = told["receptor.v"] - told["receptor.theta_1"] - told["receptor.theta_2"]
    margin = np.where(fired, told["told.margin"][:, :, 0], margin[:, :, 0])
    assert np.array_equal(margin >= 0, fired)


def test_surprise_in_closed_form(runs):
    """By hand from the margins, on NumPy and torch alike; a warm-up does not count; what does not fit is named."""
    _, told, fired, protocol = runs
    margin = np.where(fired, told["told.margin"][:, :, 0], (told["receptor.v"] - told["receptor.theta_1"] - told["receptor.theta_2"])[:, :, 0])
    rate = np.log1p(np.exp(margin)) * 0.5
    expected = np.where(fired, -np.log(1 - np.exp(-rate)), rate)
    np.testing.assert_allclose(surprise(told, fired, **MARGIN), expected.sum(axis=1), rtol=1e-10)
    np.testing.assert_allclose(surprise(told, fired, warm=0.02, **MARGIN), expected[:, 40:].sum(axis=1), rtol=1e-10)
    traces = {path: torch.tensor(np.array(values)) for path, values in told.traces.items()}
    again = replace(told, traces=traces)
    np.testing.assert_allclose(surprise(again, fired, **MARGIN).numpy(), expected.sum(axis=1), rtol=1e-10)
    with pytest.raises(MeasureError, match="after every step"):
        surprise(told, fired[:, 1:], **MARGIN)
    impossible = replace(told, traces={**told.traces, "told.margin": told["told.margin"] - 1e5})
    assert np.all(np.isfinite(surprise(impossible, fired, **MARGIN)))
    assert math.isclose(protocol.reads[0, 0], 5e-4)


@needs_data
def test_the_gradient_of_the_likelihood_is_exact(ledger):
    """No step function is on the way: in all parameters it equals central differences."""
    told, fired = data.stretches(HEARD[800], 3.0, 2, 0.05, told="recorded", **HOW)
    filtering = model.told().with_values({"receptor.k_1": 0.5, "receptor.k_2": -0.2})
    twin = Twin(filtering, free=model.BETWEEN, raster=False)

    def loss(values: Twin) -> torch.Tensor:
        return surprise(values(told), fired, **MARGIN).sum() / fired.sum()

    loss(twin).backward()
    found = np.array([float(raw.grad) for raw in twin.raw.values()])
    here, n = search.point(twin), len(model.BETWEEN)
    near = search.at(twin, here + 1e-5 * np.concatenate([np.eye(n), -np.eye(n)]))
    ends = search.errors(near, told, lambda seen: surprise(seen, fired, **MARGIN).sum() / fired.sum())
    slopes = (ends[:n] - ends[n:]) / 2e-5
    assert np.all(slopes != 0)
    worst = float(np.abs(found - slopes).max() / np.abs(slopes).max())
    ledger(MODEL, "central differences", "gradient of the likelihood of told spikes, of the largest", worst, 1e-7)


def test_a_settled_recording_counts_from_its_beginning(runs):
    alone, _, fired, _ = runs
    later = data.settled(alone, 0.02)
    assert np.array_equal(later.spikes["receptor"].counts[:, 0], fired[:, 40:].sum(axis=1))
    assert later.spikes["receptor"].times(1, 0)[0] == pytest.approx(np.flatnonzero(fired[1, 40:])[0] * 5e-4)
    assert later.times.max() == pytest.approx(0.1)


class Halving:
    """A searcher that knows nothing but what it is told: it steps around the best point with a stride that halves."""

    def __init__(self, start, seed):
        self.best, self.low, self.stride, self.random = start, np.inf, 0.5, np.random.default_rng(seed)

    def ask(self):
        return [self.best + self.stride * self.random.normal(size=self.best.size) for _ in range(6)]

    def tell(self, solutions, function_values):
        k = int(np.argmin(function_values))
        if function_values[k] < self.low:
            self.best, self.low = solutions[k], function_values[k]
        else:
            self.stride /= 2


@needs_data
def test_searches_keep_the_best_and_count_runs():
    told, fired = data.stretches(HEARD[200], 2.0, 1, 0.04, told="recorded", **HOW)
    twin = Twin(model.told(), free=model.BETWEEN, raster=False)

    def loss(seen: Recording):
        return surprise(seen, fired, **MARGIN).sum() / fired.sum()

    starts = search.between(twin, model.BETWEEN, 2, seed=1)
    drawn = search.at(twin, starts).values
    for path, both in model.BETWEEN.items():
        low, high = (model.told().with_values({path: end}).values[path].value for end in both)
        assert np.all((drawn[path].detach().numpy() > low) & (drawn[path].detach().numpy() < high))
    down = search.descend(twin, told, loss, starts, lbfgs(steps=1))
    runs = down.errors.shape[1]
    assert runs % search.BACKWARD == 0
    assert np.all(np.diff(down.errors, axis=1) <= 0)
    blind = search.search(twin, told, loss, [Halving(x, k) for k, x in enumerate(starts)], (6, 15))
    assert blind.errors.shape == (2, 15)
    kept = np.concatenate([down.points[runs], blind.points[6], blind.points[15]])
    lowest = np.concatenate([down.errors[:, -1], blind.errors[:, 5], blind.errors[:, 14]])
    np.testing.assert_allclose(search.errors(search.at(twin, kept), told, loss), lowest, rtol=1e-9)
    shifted = search.scan(twin, told, loss, starts, "receptor.omega", [0.0, -0.5])
    omega = [search.at(twin, x).value("receptor.omega").detach().numpy() for x in (starts, shifted)]
    assert np.all(np.isclose(omega[1], omega[0]) | np.isclose(omega[1], omega[0] - 0.5))
    tried = search.as_trials(told, twin, [starts, shifted], "way", "start")
    assert tried.trials["way"].values.tolist() == [0, 0, 1, 1]
    np.testing.assert_allclose(tried.settings["receptor.omega"], np.concatenate(omega))
    rows = search.courses({"down": down, "blind": blind}, 0.5)
    assert rows["traces"]["down"].shape == rows["traces"]["blind"].shape == (2, max(runs, 15), 1)
    with pytest.raises(FitError, match="give one trial"):
        search.as_trials(told, twin, starts)


@needs_data
@pytest.mark.slow
def test_the_gradient_needs_fewer_simulated_seconds(tmp_path, ledger):
    """The script in full: a lower error for as many simulated seconds, the same for far fewer, and more spikes of the held-out stretch."""
    script, figure = loaded("protocols", "fit_grasshopper"), loaded("figures", "fit_grasshopper")
    folder = script.main(Options(out=tmp_path / "fit_grasshopper.nc", progress=False))
    for cutoff in data.CUTOFFS:
        course, seen = load(folder / f"{cutoff}.nc"), load(folder / f"heldout_{cutoff}.nc")
        gradient, blind, n = course["gradient"][:, -1, 0], course["likelihood"][:, :, 0], figure.cost(course)
        who, starts = f"fit, {MODEL}", f"{cutoff} Hz, {gradient.size} starts"
        spread = f"lowest to highest of all starts: gradient {figure.interval(gradient)}, CMA-ES {figure.interval(blind[:, n - 1])} at equal cost, "
        spread += f"{figure.interval(blind[:, -1])} at ten times the cost"
        equal = float(np.median(gradient) - np.median(blind[:, n - 1]))
        ledger(who, "CMA-ES, equal simulated seconds", f"{starts}: median error, gradient minus CMA-ES, nats per spike", equal, 0.0, spread)
        times = figure.ratios(course)
        spread = f"to within 1 % of what the gradient ends at; lowest to highest ratio {times.min():.1f} to {times.max():.1f}"
        ledger(who, "CMA-ES, same error", f"{starts}: cost of the gradient over that of CMA-ES, median", float(1 / np.median(times)), 0.25, spread)
        factors = figure.factors(seen, figure.target(cutoff), "2 ms")
        spread = "lowest to highest: " + ", ".join(f"{way} {figure.interval(x)}" for way, x in zip(figure.WAYS, factors, strict=True))
        ledger(who, "Rokem et al. 2006, held out", f"{starts}: 1 - median coincidence factor", float(1 - np.median(factors[1])), 0.5, spread)
        for way in (2, 4):
            less = float(np.median(factors[way]) - np.median(factors[1]))
            ledger(who, "CMA-ES, equal simulated seconds", f"{starts}: its factor minus the gradient's, {figure.WAYS[way]}", less, 0.0, spread)
