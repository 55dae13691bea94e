"""Data of an experiment in place of a recording, and traces compared with it."""

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from brian2.units import Hz, ms, mV, second

from bioneuro import measure
from bioneuro.files import load, save
from bioneuro.measure import DataError, MeasureError
from bioneuro.recording import Recording
from bioneuro.units import UnitError


def seen_at(*times: Any, stop: str = "1 s", dt: str = "0.1 ms") -> Recording:
    return measure.observed(spikes={"n": list(times)}, stop=stop, dt=dt)


# Traces --------------------------------------------------------------------------------------------------------------


def test_trace_error_by_hand() -> None:
    """A straight trace of 0, 1, 2 mV at 0, 1, 2 ms, compared where the target was measured."""
    seen = measure.observed(traces={"n.v": measure.series([0, 1, 2] * ms, [0, 1, 2], "mV")})
    tensors = dataclasses.replace(seen, traces={"n.v": torch.tensor(seen["n.v"])})
    data = measure.series([0.5, 1.0, 1.75] * ms, [0.5, 2.0, 1.75] * mV, "mV")
    for run in (seen, tensors):
        assert float(measure.trace_error(data, "n.v", scale=1 * mV)(run)) == pytest.approx(1 / 3)
        assert float(measure.trace_error(data, "n.v", scale=2 * mV, weights=[1, 3, 0])(run)) == pytest.approx(3 / 4 / 4)
        assert float(measure.trace_error(data, "n.v", within=[("0 ms", "0.6 ms"), ("1.5 ms", "2 ms")])(run)) == pytest.approx(0, abs=1e-20)
    spread = np.std([0.5, 2.0, 1.75])
    assert measure.trace_error(data, "n.v")(seen) == pytest.approx(1 / 3 / spread**2)


def test_off_spikes_leaves_out_what_is_near_a_spike() -> None:
    line = measure.series(np.arange(1, 21), np.arange(20), "mV", time_unit="ms")
    data = measure.observed(spikes={"n": [[5, 12] * ms, []]}, traces={"n.v": line})
    weights = measure.off_spikes(data, "n", before="1 ms", after="2 ms")
    assert (np.flatnonzero(weights[0, :, 0] == 0) + 1).tolist() == [4, 5, 6, 7, 11, 12, 13, 14]
    assert weights[1].all()
    assert measure.trace_error(data, "n.v", weights=weights)(data) == 0


# Data ----------------------------------------------------------------------------------------------------------------


def test_observed_is_a_recording(tmp_path: Any) -> None:
    line = measure.series(np.arange(0, 100), np.ones((2, 100)), "mV", time_unit="ms")
    data = measure.observed(spikes={"n": [[[1.04, 50] * ms, ["3 ms"]], [[], [99.0] * ms]]}, traces={"n.v": line})
    assert data.spikes["n"].counts.tolist() == [[2, 1], [0, 1]]
    assert data["n.v"].shape == (2, 100, 2)
    assert data.provenance.engine == "data"
    assert data.provenance.shifts["spikes of n"] == pytest.approx(4e-5)
    save(data, tmp_path / "x.nc")
    assert measure.van_rossum(load(tmp_path / "x.nc"), "n")(data) == 0


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (lambda: seen_at([0.1, 0.2]), UnitError, "trial 0, unit 0: times: expected a value in 'second'"),
        (lambda: seen_at([2, 1] * ms), DataError, r"trial 0, unit 0: times\[1\] is 0.001 s, after 0.002 s; give finite times"),
        (lambda: seen_at([1] * ms, [-1] * ms), DataError, r"trial 1, unit 0: times\[0\] is -0.001 s, not a finite time from 0 s"),
        (lambda: seen_at([np.nan] * ms), DataError, r"times\[0\] is nan s"),
        (lambda: seen_at([1.0, 1.04] * ms), DataError, "0.001 s and 0.00104 s fall into one step of 0.0001 s; give a smaller dt"),
        (lambda: seen_at([1.5] * second), DataError, "a spike at 1.5 s comes after the end at 1 s"),
        (lambda: measure.observed(spikes={"n": [[1] * ms]}), DataError, "stop=None; without traces give the end"),
        (lambda: measure.observed(), DataError, "neither spikes nor traces"),
        (lambda: measure.observed(spikes={"n": [[[], []], [[]]]}, stop="1 s"), DataError, r"trials have \[1, 2\] units"),
        (lambda: measure.observed(spikes={"n": [[], []], "m": [[]]}, stop="1 s"), DataError, "numbers of trials differ: {'n': 2, 'm': 1}"),
        (lambda: measure.series([1, 2] * ms, [1, 2], "mV", time_unit="mV"), UnitError, "'mV' is not a unit of second"),
        (lambda: measure.series([1, 2] * ms, [1, 2] * Hz, "mV"), UnitError, "expected a value in 'mV'"),
        (lambda: measure.series([1, 2] * ms, [1, 2, 3], "mV"), DataError, r"values of shape \(3,\) for 2 times"),
        (lambda: measure.series([], [], "mV"), DataError, "at least one time"),
        (lambda: measure.series([1, 2] * ms, [1, np.inf], "mV"), DataError, "value 1 .* is inf"),
        (lambda: measure.van_rossum(seen_at([]), "n", "0 ms"), MeasureError, "tau '0 ms' is not positive"),
        (lambda: measure.van_rossum(seen_at([]), "n")(seen_at([], [])), MeasureError, r"\(trials, units\) \(2, 1\), the target \(1, 1\)"),
        (lambda: measure.van_rossum(seen_at([]), "n")(seen_at([], stop="2 s")), MeasureError, "lasts 2 s, the target 1 s"),
        (lambda: measure.van_rossum(seen_at([]), "m")(seen_at([])), MeasureError, r"no spikes of 'm' were recorded; there are those of \['n'\]"),
        (lambda: measure.isi_error(seen_at([1] * ms), "n"), MeasureError, "the scale has nothing to take it from; give a time"),
        (lambda: measure.first_spike(seen_at([]), "n", onset="1 s"), MeasureError, "onset 1 s is not within the run of 1 s"),
        (lambda: measure.rate(seen_at([]), "n", stop="3 s"), MeasureError, "from 0 s to 3 s in a run of 1 s"),
        (lambda: measure.weighted(), MeasureError, "not a pair of a weight and a loss"),
        (lambda: measure.weighted((-1, abs)), MeasureError, "the weight -1 is negative"),
        (lambda: measure.trace_error(measure.series([1] * ms, [1], "mV"), "n.v"), MeasureError, r"does not vary.* give scale=1\*mV"),
        (lambda: measure.trace_error(measure.series([1, 2] * ms, [1, 2], "mV"), "n.v", within=("3 ms", "4 ms")), MeasureError, "no time of the"),
    ],
)  # fmt: skip
def test_what_is_refused(make: Any, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        make()


def test_traces_that_cannot_be_compared_are_refused() -> None:
    seen = measure.observed(traces={"n.v": measure.series([1, 2] * ms, [0, 1], "mV")})
    with pytest.raises(MeasureError, match=r"value at 0 s, the readings of trial 0 go from 0.001 s to 0.002 s; read there"):
        measure.trace_error(measure.series([0, 1] * ms, [0, 1], "mV"), "n.v")(seen)
    with pytest.raises(MeasureError, match=r"'n.v' is in 'mV', its target in 'nA'"):
        measure.trace_error(measure.series([1, 2] * ms, [0, 1], "nA"), "n.v")(seen)
    with pytest.raises(MeasureError, match=r"weights of shape \(3,\) for a target of shape"):
        measure.trace_error(seen, "n.v", weights=[1, 1, 1])
