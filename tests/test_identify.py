"""Intervals against closed forms and counts, and planted combinations that the data leave open are found and named."""

import dataclasses
import re

import numpy as np
import pytest
import torch
from brian2.units import farad
from membranes import distance, membrane, steps, trace

from bioneuro import Circuit, Twin, parameter
from bioneuro import fit as fit_function
from bioneuro.fit import Fit, FitError, Identified, Stopped, adam, identify, lbfgs
from bioneuro.fit.directions import Coordinate, say, shape
from bioneuro.protocol import Protocol

TODO = steps(50, -50)
PLANTED = membrane()
FREE = ("cell.C", "cell.g_L", "cell.E_L")
_TEXT = {"says": "of a test", "source": "chosen here"}


def standing(circuit: Circuit, free) -> Fit:
    """A fit that has found the values of `circuit`."""
    twin = Twin(circuit, free=free)
    return Fit(circuit=circuit, twin=twin, losses=np.zeros(1), values={}, stopped=Stopped.CONVERGED)


def jacobian(circuit: Circuit, free, todo: Protocol = TODO) -> np.ndarray:
    """Slopes of the potential (mV) by the SI value of every parameter, by central differences in Brian2, shape (reading, parameter)."""
    columns = []
    for path in free:
        p = circuit.values[path]
        step = 1e-4 * float(p.value)
        ends = [trace(circuit.with_values({path: dataclasses.replace(p, value=p.value + s)}), todo).ravel() for s in (step, -step)]
        columns.append((ends[0] - ends[1]) / (2 * step))
    return np.array(columns).T


def test_errors_of_a_linear_problem_are_those_of_the_closed_form(ledger):
    """The potential is linear in E_L and in a resistance: errors are the diagonal of sigma^2 (X'X)^-1, and intervals hold them."""
    R = parameter(100, "Mohm", low=1, high=1000, **_TEXT)
    circuit = membrane("dv/dt = (E_L - v + R*I)*g_L/C : volt", R=R)
    free, error = ("cell.E_L", "cell.R"), 0.01
    loss = distance(trace(circuit, TODO), error)
    found = identify(standing(circuit, free), TODO, loss)
    X = jacobian(circuit, free)
    covariance = error**2 * np.linalg.inv(X.T @ X)
    for k, path in enumerate(free):
        ledger("identify", "linear least squares", f"standard error of {path}, relative", abs(found.errors[path] / covariance[k, k] ** 0.5 - 1), 1e-4)
        low, high = (float(end.value) for end in found.intervals[path])
        assert high - low == pytest.approx(2 * covariance[k, k] ** 0.5, rel=1e-3)
    wanted = covariance[0, 1] / (covariance[0, 0] * covariance[1, 1]) ** 0.5
    ledger("identify", "linear least squares", "correlation of the errors", abs(found.correlation[0, 1] - wanted), 1e-4)
    assert found.warnings == ()
    assert found.rise == pytest.approx(1 / 20)


def test_a_profile_of_a_linear_problem_is_the_same(ledger):
    R = parameter(100, "Mohm", low=1, high=1000, **_TEXT)
    circuit = membrane("dv/dt = (E_L - v + R*I)*g_L/C : volt", R=R)
    free = ("cell.E_L", "cell.R")
    loss = distance(trace(circuit, TODO), 0.1)
    by_curvature, by_profile = (identify(standing(circuit, free), TODO, loss, method=method) for method in ("hessian", "profile"))
    for path in free:
        ends = np.array([[float(end.value) for end in found.intervals[path]] for found in (by_curvature, by_profile)])
        off = np.abs(ends[1] - ends[0]).max() / by_curvature.errors[path]
        ledger("identify", "curvature", f"ends of the profile of {path}, in standard errors", float(off), 0.03)
    assert by_profile.warnings == ()


def test_a_well_identified_membrane_gives_no_warning():
    """All of C, g_L and E_L are told by a step of current; the errors are those of the linearised problem."""
    loss = distance(trace(PLANTED, TODO), 0.1)
    found = identify(standing(PLANTED, FREE), TODO, loss)
    X = jacobian(PLANTED, FREE) / 0.1
    wanted = np.sqrt(np.diag(np.linalg.inv(X.T @ X)))
    assert [found.errors[path] for path in FREE] == pytest.approx(wanted, rel=1e-3)
    assert found.combinations == found.warnings == ()
    assert np.all(np.diff(found.lengths) >= 0)
    np.testing.assert_allclose(found.directions.T @ found.directions, np.eye(3), atol=1e-12)
    assert "cell.C" in str(found)


QUIET = steps(0)


@pytest.mark.parametrize("method", ["hessian", pytest.param("profile", marks=pytest.mark.slow)])
def test_only_the_ratio_is_identified_without_a_current(method):
    """dv/dt = g_L (E_L - v)/C hangs on g_L/C alone: planted, found and named."""
    loss = distance(trace(PLANTED, QUIET), 0.1)
    free = FREE if method == "hessian" else FREE[:2]
    found = identify(standing(PLANTED, free), QUIET, loss, method=method)
    assert found.combinations == ("cell.C and cell.g_L: only cell.g_L/cell.C is identified, not each of them",)
    assert found.combinations[0] in found.warnings
    assert found.correlation[0, 1] == pytest.approx(1, abs=1e-3)
    assert np.isinf(found.errors["cell.C"])
    assert np.isfinite(list(found.errors.values())).sum() == len(free) - 2
    assert np.isinf(found.lengths[-1])
    low, high = (end.shown for end in found.intervals["cell.C"])
    # C can go as far as g_L's bounds let it, 1 to 100 nS, and its own, 20 to 2000 pF, which are the same
    assert (low, high) == (pytest.approx(20, rel=0.02), pytest.approx(2000, rel=0.02))
    if method == "profile":
        assert sum("is not bounded" in text for text in found.warnings) == 4


OPEN = {
    "a product": ("a*b*I", ("Mohm", "1"), r"cell\.a and cell\.b: only cell\.b\*cell\.a is identified"),
    "a ratio of powers": ("a/b**2*R*I", ("1", "1"), r"cell\.a and cell\.b: only cell\.a/cell\.b\*\*2 is identified"),
    "nothing of one": ("(a + 0*b)*I", ("Mohm", "Mohm"), r"cell\.b is not identified: the loss hardly hangs on it"),
    "a sum": ("a + R*I", ("mV",), r"cell\.a and cell\.E_L: only a combination is identified.*cell\.a by .* %, cell\.E_L by .* mV"),
}


@pytest.mark.parametrize("which", ["a ratio of powers", "a sum", *(pytest.param(k, marks=pytest.mark.slow) for k in ("a product", "nothing of one"))])
def test_open_combinations_are_named(which):
    drive, kinds, words = OPEN[which]
    made = {name: parameter(3.0, unit, low=0.1, high=100, **_TEXT) for name, unit in zip("ab", kinds, strict=False)}
    R = parameter(100, "Mohm", low=1, high=1000, **_TEXT)
    circuit = membrane(f"dv/dt = (E_L - v + {drive})*g_L/C : volt", **made, R=R)
    free = [*(f"cell.{name}" for name in made), "cell.E_L"]
    found = identify(standing(circuit, free), TODO, distance(trace(circuit, TODO), 0.01))
    assert len(found.combinations) == 1
    assert re.search(words, found.combinations[0])


def test_two_open_directions_are_parted():
    """a*b and, apart from it, c/d: each pair is named by itself, whatever the eigenvectors mix."""
    curvature = np.zeros((4, 4))
    for vector in ((1, 1, 0, 0), (0, 0, 1, -1)):
        curvature += np.outer(vector, vector)
    found = shape(curvature, 0.01, 1e-9)
    names = [Coordinate(name=n, value=1, low=0, high=np.inf, unit="1", size=1, scale=0) for n in "abcd"]
    said = sorted(say(direction, names) for direction in found.open)
    assert said == ["a and b: only b*a is identified, not each of them", "c and d: only d/c is identified, not each of them"]


def covered(seeds: range, ledger, allowed: float) -> None:
    """How often intervals of two standard errors hold the planted values, over noise of 0.3 mV on every reading."""
    target, inside = trace(PLANTED, TODO), []
    for seed in seeds:
        noise = np.random.default_rng(seed).normal(0, 0.3, target.shape)
        loss = distance(target + noise, 0.3)
        found = fit_function(Twin(PLANTED, free=FREE), TODO, loss=loss, optimiser=lbfgs(steps=6, gain=1e-4))
        told = identify(found, TODO, loss, rise=4 / target.size)
        assert told.combinations == ()
        for path, (low, high) in told.intervals.items():
            inside.append(bool(low.value <= PLANTED.values[path].value <= high.value))
    off = abs(float(np.mean(inside)) - 0.954)
    ledger("identify", "planted values", f"share within two standard errors, minus 0.954, {len(inside)} intervals", off, allowed)


def test_intervals_hold_the_planted_values(ledger):
    covered(range(4), ledger, 3 * (0.954 * 0.046 / 12) ** 0.5)


@pytest.mark.slow
def test_intervals_hold_the_planted_values_of_many(ledger):
    covered(range(100), ledger, 3 * (0.954 * 0.046 / 100) ** 0.5)  # the three of a seed hang together: as if there were 100


def test_a_fit_that_has_not_arrived_is_told():
    loss = distance(trace(PLANTED, TODO), 0.1)
    early = fit_function(Twin(PLANTED.with_values({"cell.C": "230 pF"}), free=FREE[:1]), TODO, loss=loss, optimiser=adam(0.01, steps=2))
    assert any("can still fall" in text for text in identify(early, TODO, loss).warnings)
    by_profile = identify(early, TODO, loss, method="profile")
    assert any("lower than at the fit" in text for text in by_profile.warnings)


def test_a_parameter_at_its_bound_is_told():
    low = PLANTED.with_values({"cell.C": "20 pF"})
    found = identify(standing(low, FREE), TODO, distance(trace(low, TODO), 0.1))
    assert any(text.startswith("cell.C has ended at its bound, 20 pF") for text in found.warnings)


def test_values_per_unit_are_told_one_by_one():
    """Two cells that differ: every one has its own error, as alone."""
    twice = membrane()
    cell = dataclasses.replace(twice.populations[0], size=2)
    both = dataclasses.replace(twice, populations=(cell,)).with_values({"cell.C": np.array([200e-12, 400e-12]) * farad})
    target = trace(both, TODO)
    found = identify(standing(both, ["cell.C"]), TODO, distance(target, 0.1), rise=1 / target.size)
    assert found.names == ("cell.C[0]", "cell.C[1]")
    for k, size in enumerate((200, 400)):
        alone = membrane().with_values({"cell.C": f"{size} pF"})
        wanted = trace(alone, TODO)
        single = identify(standing(alone, ["cell.C"]), TODO, distance(wanted, 0.1))
        assert found.errors[f"cell.C[{k}]"] == pytest.approx(single.errors["cell.C"], rel=1e-3)
    with pytest.raises(FitError, match="one per unit"):
        identify(standing(both, ["cell.C"]), TODO, distance(target, 0.1), method="profile")


def test_bad_questions_are_refused():
    found, loss = standing(PLANTED, FREE), distance(trace(PLANTED, TODO))
    with pytest.raises(FitError, match="rise=, such as 1/n"):
        identify(found, TODO, lambda seen: loss(seen))
    with pytest.raises(FitError, match="rise=, such as 1/n"):
        identify(found, [TODO, QUIET], [loss, distance(trace(PLANTED, QUIET))])
    with pytest.raises(FitError, match="positive number"):
        identify(found, TODO, loss, rise=0.0)
    with pytest.raises(FitError, match="allowed: 'hessian', 'profile'"):
        identify(found, TODO, loss, method="guess")
    with pytest.raises(FitError, match="not finite near the fit"):
        identify(found, TODO, lambda seen: loss(seen) * torch.nan, rise=1.0)
    assert isinstance(identify(found, TODO, loss), Identified)
