"""Measures: groups of trials, curves along a coordinate, and the same numbers from NumPy and torch."""

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from bioneuro import measure
from bioneuro.measure import MeasureError
from bioneuro.protocol import Coordinate
from bioneuro.recording import Provenance, Recording, train
from bioneuro.theory import graupner2012 as theory

LAGS, STARTS, REPETITIONS = 3, 2, 50


def recording(values: Any, order: Any = None, **more: Any) -> Recording:
    """Final values (lag, start, repetition), laid flat in any order of trials."""
    index = np.indices((LAGS, STARTS, REPETITIONS)).reshape(3, -1)
    order = np.arange(index.shape[1]) if order is None else order
    lag, start, repetition = index[:, order]
    names = {"lag": (lag - 1) * 0.01, "start": start * 1.0, "repetition": repetition * 1.0}

    def flat(array: Any) -> Any:
        return array.reshape(-1, 1, 1)[order]

    traces = {"calcium.rho": flat(values), **{path: flat(array) for path, array in more.items()}}
    return Recording(
        traces=traces,
        times=np.ones((index.shape[1], 1)),
        units=dict.fromkeys(traces, "1"),
        spikes={},
        conditions={name: Coordinate(values=v, unit="ms" if name == "lag" else "1") for name, v in names.items()},
        provenance=Provenance(circuit="a", protocol="b", seed=1, engine="numpy"),
    )


def uniform(seed: int = 1) -> Any:
    return np.random.default_rng(seed).random((LAGS, STARTS, REPETITIONS))


@given(st.integers(0, 1000))
def test_weight_ratio_is_the_papers(seed: int) -> None:
    """Any order of trials gives the closed form of the paper at the observed shares."""
    values = uniform(seed)
    order = np.random.default_rng(seed).permutation(values.size)
    curve = measure.weight_ratio(recording(values, order), beta=0.3, b=4.0)
    U, D = (values[:, 0] > 0.5).mean(axis=1), (values[:, 1] <= 0.5).mean(axis=1)
    np.testing.assert_allclose(curve.y, theory.weight_ratio(U, D, 0.3, 4.0), rtol=1e-13)
    np.testing.assert_allclose(curve.error, theory.weight_ratio_error(U, D, REPETITIONS, 0.3, 4.0), rtol=1e-13)
    np.testing.assert_allclose(curve.x, [-0.01, 0, 0.01])
    assert (curve.unit, curve.name) == ("ms", "weight ratio")


def test_nothing_changed_is_a_ratio_of_one() -> None:
    still = np.broadcast_to(np.array([0.0, 1.0])[None, :, None], (LAGS, STARTS, REPETITIONS))
    curve = measure.weight_ratio(recording(np.array(still)))
    assert curve.y.tolist() == [1.0] * LAGS
    assert curve.error.tolist() == [0.0] * LAGS


def test_torch_gives_the_same_numbers_and_a_gradient() -> None:
    values, variance = uniform(), 0.01 + uniform(2)
    tensor = torch.tensor(values, requires_grad=True)
    plain = measure.weight_ratio(recording(values, **{"calcium.rho_variance": variance}))
    curve = measure.weight_ratio(recording(tensor, **{"calcium.rho_variance": torch.tensor(variance)}))
    np.testing.assert_allclose(curve.y.detach().numpy(), plain.y, rtol=1e-13)
    assert (curve.error == 0).all()  # moments carry no sampling error
    curve.y.sum().backward()
    assert tensor.grad is not None
    assert (tensor.grad != 0).all()
    assert (tensor.grad[:, 0] > 0).all()  # more potentiation, more weight


@given(st.floats(-3, 3), st.floats(0, 2), st.floats(-1, 1))
def test_probability_above_a_level(mean: float, variance: float, level: float) -> None:
    shape = (LAGS, STARTS, REPETITIONS)
    made = recording(np.full(shape, mean), **{"calcium.rho_variance": np.full(shape, variance)})
    found = measure.above(made, "calcium.rho", level)
    expected = norm.sf(level, mean, np.sqrt(variance)) if variance > 0 else float(mean > level)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
    bare = measure.above(recording(np.full(shape, mean)), "calcium.rho", level)
    assert bare.shape == (made.n_trials, 1)
    assert (bare == float(mean > level)).all()


def test_certainty_has_no_nan_gradient() -> None:
    mean = torch.full((LAGS, STARTS, REPETITIONS), 0.7, dtype=torch.float64, requires_grad=True)
    made = recording(mean, **{"calcium.rho_variance": torch.zeros(LAGS, STARTS, REPETITIONS, dtype=torch.float64)})
    measure.above(made, "calcium.rho", 0.5).sum().backward()
    assert mean.grad is not None
    assert torch.isfinite(mean.grad).all()


def test_grouped_keeps_whole_trials_together() -> None:
    values = uniform()
    order = np.random.default_rng(3).permutation(values.size)
    made = recording(values, order)
    groups, (lag, start) = measure.grouped(made, measure.final(made, "calcium.rho"), "lag", "start")
    assert groups.shape == (LAGS * STARTS, REPETITIONS, 1)
    assert list(zip(np.round(lag, 3), start, strict=True)) == [(-0.01, 0), (-0.01, 1), (0, 0), (0, 1), (0.01, 0), (0.01, 1)]
    np.testing.assert_array_equal(np.sort(groups[..., 0], axis=1), np.sort(values.reshape(-1, REPETITIONS), axis=1))


def test_change_is_final_minus_initial() -> None:
    values = uniform()
    curve = measure.change(recording(values), path="calcium.rho", before=0.25)
    np.testing.assert_allclose(curve.y, values.mean(axis=(1, 2)) - 0.25)
    assert curve.name == "change of calcium.rho"


def test_spike_count() -> None:
    made = recording(uniform())
    rows = train([1, 2, 2], [0, 0, 3], n_trials=made.n_trials, size=2, dt=1e-4)
    counted = dataclasses.replace(made, spikes={"lif": rows})
    counts = measure.spike_count(counted, "lif")
    assert counts.shape == (made.n_trials, 2)
    assert counts[:2].tolist() == [[2, 0], [0, 1]]
    raster = torch.zeros(2, 5, 3, requires_grad=True)
    measure.spike_count(dataclasses.replace(counted, raster={"lif": raster}), "lif").sum().backward()
    assert raster.grad is not None
    assert (raster.grad == 1).all()


def test_what_a_measure_needs() -> None:
    made = recording(uniform())
    with pytest.raises(MeasureError, match=r"no coordinate 'lagg'; the trials have \['lag', 'repetition', 'start'\]"):
        measure.weight_ratio(made, along="lagg")
    with pytest.raises(KeyError, match=r"nothing called 'calcium.rhoo' was recorded; recorded: calcium.rho"):
        measure.final(made, "calcium.rhoo")
    one_start = dataclasses.replace(made, conditions={**made.conditions, "start": Coordinate(values=np.zeros(made.n_trials))})
    with pytest.raises(MeasureError, match=r"needs both initial states; give the protocol initial=\{'calcium.rho': \[0, 1\]\}"):
        measure.weight_ratio(one_start)
    lags = Coordinate(values=np.arange(made.n_trials) // 7 * 1.0)
    uneven = dataclasses.replace(made, conditions={**made.conditions, "lag": lags})
    with pytest.raises(MeasureError, match=r"the groups by .* have 6 to 7 trials"):
        measure.grouped(uneven, measure.final(uneven, "calcium.rho"), "lag")


def test_at_selects_trials() -> None:
    whole = recording(uniform())
    part = measure.at(whole, lag="10 ms", start=1)
    assert part.n_trials == REPETITIONS
    assert set(part.conditions["lag"].shown) == {10.0}
    np.testing.assert_array_equal(part["calcium.rho"].ravel(), uniform()[2, 1])
    with pytest.raises(MeasureError, match=r"no trial has lag = 3 ms .*\[-10\.   0\.  10\.\] ms"):
        measure.at(whole, lag="3 ms")
    with pytest.raises(MeasureError, match="no coordinate 'rate'"):
        measure.at(whole, rate="3 Hz")


def test_at_keeps_the_spikes_of_its_trials() -> None:
    rng = np.random.default_rng(3)
    steps, index = rng.integers(0, 100, 500), rng.integers(0, 300 * 2, 500)
    whole = dataclasses.replace(recording(uniform()), spikes={"cell": train(steps, index, n_trials=300, size=2, dt=1e-3)})
    part = measure.at(whole, start=0)
    kept = np.flatnonzero(whole.conditions["start"].values == 0)
    for here, there in enumerate(kept):
        for unit in range(2):
            np.testing.assert_array_equal(part.spikes["cell"].times(here, unit), whole.spikes["cell"].times(there, unit))


def test_means_have_standard_errors() -> None:
    values = uniform()
    seen = measure.at(recording(values), start=0)
    curve = measure.change(seen, path="calcium.rho", before=0.25)
    np.testing.assert_allclose(curve.y, values[:, 0].mean(axis=1) - 0.25, rtol=1e-12)
    np.testing.assert_allclose(curve.error, values[:, 0].std(axis=1, ddof=1) / np.sqrt(REPETITIONS), rtol=1e-12)
    half = measure.ratio(seen, path="calcium.rho", before=0.5)
    np.testing.assert_allclose(half.y, 2 * values[:, 0].mean(axis=1), rtol=1e-12)
    tensors = dataclasses.replace(seen, traces={"calcium.rho": torch.tensor(seen["calcium.rho"])})
    np.testing.assert_allclose(measure.ratio(tensors, path="calcium.rho", before=0.5).error, half.error, rtol=1e-12)


def test_course_and_paired_pulse_ratio_read_several_times() -> None:
    one = recording(uniform())
    readings = np.concatenate([one["calcium.rho"], 3 * one["calcium.rho"]], axis=1)
    two = dataclasses.replace(one, traces={"x": readings}, times=np.tile([1.0, 2.0], (300, 1)))
    np.testing.assert_allclose(measure.paired_pulse_ratio(two, along="lag", path="x").y, 3.0)
    course = measure.course(two, path="x")
    np.testing.assert_allclose(course.y, [uniform().mean(), 3 * uniform().mean()])
    assert course.x.tolist() == [1.0, 2.0]
    with pytest.raises(MeasureError, match="needs two readings"):
        measure.paired_pulse_ratio(one, along="lag", path="calcium.rho")
