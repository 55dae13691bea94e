"""Verdicts: what agrees, what does not and where, and what a tie is."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioneuro.recording import Provenance, Recording, train
from bioneuro.verify import TIE, VerifyError, verify

TRIALS, UNITS, DT = 3, 2, 1e-4
SPIKES = [(10, 0), (20, 0), (15, 1), (15, 3), (40, 5)]  # (step, trial*units + unit)


def recording(fired: list[tuple[int, int]] = SPIKES, **changed: Any) -> Recording:
    times = np.tile([0.001, 0.002, 0.005], (TRIALS, 1))
    values = np.linspace(-0.07, -0.05, TRIALS * 3 * UNITS).reshape(TRIALS, 3, UNITS)
    steps, index = np.array(fired, int).reshape(-1, 2).T
    made = Recording(
        traces={"lif.v": values},
        times=times,
        units={"lif.v": "volt"},
        spikes={"lif": train(steps, index, n_trials=TRIALS, size=UNITS, dt=DT)},
        conditions={},
        provenance=Provenance(circuit="a", protocol="b", seed=1, engine="numpy"),
    )
    return dataclasses.replace(made, **changed)


def note(*calls: tuple[int, int, float]) -> dict[str, Any]:
    """Close calls of the twin: (step, element, margin)."""
    steps, elements, margins = zip(*calls, strict=True)
    return {"close": {"lif": (np.array(steps), np.array(elements), np.array(margins))}}


def test_equal_recordings_agree() -> None:
    verdict = verify(recording(), against=recording())
    assert verdict
    assert verdict.ok
    assert [(row.quantity, row.difference) for row in verdict.rows] == [("lif spikes", 0), ("lif.v", 0)]
    assert "agree" in str(verdict)
    assert "of 5" in str(verdict)


@given(st.integers(0, TRIALS - 1), st.integers(0, 2), st.integers(0, UNITS - 1), st.floats(1e-15, 1))
def test_the_largest_difference_and_its_place(trial: int, time: int, unit: int, size: float) -> None:
    values = np.array(recording()["lif.v"])
    values[trial, time, unit] += size * 0.07
    verdict = verify(recording(traces={"lif.v": values}), against=recording(), tolerance=1e-6)
    row = next(r for r in verdict.rows if r.quantity == "lif.v")
    assert row.difference == pytest.approx(size, rel=1e-6, abs=1e-15)
    assert row.ok == verdict.ok == (row.difference <= 1e-6)
    assert row.where == f"(trial {trial}, reading {time}, unit {unit})"
    assert ("DISAGREE" in str(verdict)) == (not verdict.ok)


@given(st.sets(st.tuples(st.integers(0, 60), st.integers(0, TRIALS * UNITS - 1)), max_size=12))
def test_spikes_are_counted_and_the_first_is_named(spikes: set[tuple[int, int]]) -> None:
    verdict = verify(recording(sorted(spikes)), against=recording())
    only = spikes ^ set(SPIKES)
    assert verdict.rows[0].difference == len(only)
    assert verdict.ok == (not only)
    if only:
        assert verdict.first is not None
        step = min(step for step, _ in only)
        assert verdict.first.step == step
        assert (step, verdict.first.trial * UNITS + verdict.first.unit) in only
        assert np.isnan(verdict.first.margin)
        assert "run the twin to learn it" in str(verdict)


def test_a_tie_is_named_and_what_follows_is_not_compared() -> None:
    """One engine misses a spike at threshold; from there on the trial goes its own way, and the others are still compared."""
    values = np.array(recording()["lif.v"])
    values[0, 1:] += 1.0
    twin = recording([s for s in SPIKES if s != (20, 0)], traces={"lif.v": values}, **note((20, 0, 1e-14)))
    verdict = verify(twin, against=recording())
    assert verdict.ok
    (tie,) = verdict.ties
    assert (tie.population, tie.trial, tie.unit, tie.step, tie.tie) == ("lif", 0, 0, 20, True)
    assert "tie: lif trial 0 unit 0 step 20, threshold margin 1.0e-14 of its scale" in str(verdict)
    before = np.array(recording()["lif.v"])
    before[0, 0] += 1.0  # before the tie
    assert not verify(dataclasses.replace(twin, traces={"lif.v": before}), against=recording())
    elsewhere = np.array(values)
    elsewhere[1, 2] += 1.0  # another trial
    assert not verify(dataclasses.replace(twin, traces={"lif.v": elsewhere}), against=recording())


@pytest.mark.parametrize(("calls", "text"), [([(20, 0, 1e-9)], "1.0e-09 of its scale"), ([(19, 0, 1e-14)], "over 1e-09 of its scale")])
def test_what_is_no_tie(calls: list[tuple[int, int, float]], text: str) -> None:
    twin = recording([s for s in SPIKES if s != (20, 0)], **note(*calls))
    verdict = verify(twin, against=recording())
    assert not verdict
    assert verdict.ties == ()
    assert verdict.first is not None
    assert verdict.first.margin > TIE
    assert text in str(verdict)


def test_a_tie_does_not_excuse_its_neighbour() -> None:
    """A second spike that differs in the very step of a tie does not follow from it."""
    twin = recording([s for s in SPIKES if s not in ((15, 1), (15, 3))] + [(15, 0)], **note((15, 1, 1e-14), (15, 3, 1e-14)))
    verdict = verify(twin, against=recording())
    assert not verdict
    assert verdict.first is not None
    assert (verdict.first.trial, verdict.first.unit) == (0, 0)
    assert [(t.trial, t.unit) for t in verdict.ties] == [(1, 1)]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_never_agrees(bad: float) -> None:
    values = np.array(recording()["lif.v"])
    values[1, 1, 1] = bad
    broken = recording(traces={"lif.v": values})
    assert not verify(broken, against=recording())
    assert not verify(recording(), against=broken)
    assert not verify(broken, against=broken)


class Gradient(np.ndarray):
    def detach(self) -> Any:
        return np.asarray(self)


REFUSED = [
    ({"traces": {"lif.v": np.zeros((TRIALS, 3, UNITS)).view(Gradient)}}, r"call .detached\(\)"),
    ({"times": np.zeros((TRIALS, 4))}, "compare recordings of one protocol"),
    ({"times": np.tile([0.001, 0.002, 0.006], (TRIALS, 1))}, "reading times differ by up to 0.001 s"),
    ({"traces": {"lif.v": np.zeros((TRIALS, 3, 5))}}, r"lif.v has shapes .* compare recordings of one circuit"),
    ({"traces": {}, "spikes": {}}, "nothing in common"),
    ({"spikes": {"lif": train([], [], n_trials=TRIALS, size=5, dt=DT)}}, "'lif' has 5 units"),
    ({"spikes": {"lif": train([], [], n_trials=TRIALS, size=UNITS, dt=1e-3)}}, "one clock"),
]


@pytest.mark.parametrize(("changed", "message"), REFUSED, ids=[message for _, message in REFUSED])
def test_what_cannot_be_compared(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(VerifyError, match=message):
        verify(recording(**changed), against=recording())


def test_what_only_one_has_is_left_out() -> None:
    more = recording(traces={**recording().traces, "lif.w": np.zeros((TRIALS, 3, UNITS))})
    assert [row.quantity for row in verify(more, against=recording()).rows] == ["lif spikes", "lif.v"]
