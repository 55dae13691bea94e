"""Starts, learning rates in natural units, starts at bounds, and when a fit stops."""

import dataclasses

import numpy as np
import pytest
import torch
from membranes import PARAMETERS, distance, membrane, steps, trace

from bioneuro import Twin, parameter
from bioneuro import fit as fit_function
from bioneuro.fit import Fit, FitError, Stopped, adam, lbfgs, of_torch
from bioneuro.records import ModelError
from bioneuro.units import UnitError

FREE = ("cell.C", "cell.g_L", "cell.E_L")
TODO = steps(50, -50)
PLANTED = membrane()
LOSS = distance(trace(PLANTED, TODO))
FAR = PLANTED.with_values({"cell.C": "400 pF", "cell.g_L": "20 nS", "cell.E_L": "-55 mV"})


BOTH = (adam(0.1, steps=20), lbfgs())


def run(circuit=FAR, *, loss=LOSS, optimiser=BOTH, todo=TODO, free=FREE, **settings) -> Fit:
    return fit_function(Twin(circuit, free=free), todo, loss=loss, optimiser=optimiser, **settings)


def at(circuit, values):
    """The circuit with SI values."""
    return circuit.with_values({path: dataclasses.replace(circuit.values[path], value=value) for path, value in values.items()})


def off(found: Fit, planted=PLANTED, free=FREE) -> float:
    return max(abs(float(found.circuit.values[path].value / planted.values[path].value) - 1) for path in free)


@pytest.fixture(scope="module")
def several():
    return run(starts=4, seed=3, optimiser=adam(0.1, rates={"cell.C": "20 pF"}, steps=14, patience=4, gain=0.3))


def test_a_batch_equals_separate_fits(several, ledger):
    """Losses, values, gradients and ends of every start; some of them stop earlier than others."""
    ends, worst = set(), 0.0
    for start in several.starts:
        first = at(FAR, {path: values[0] for path, values in start.values.items()})
        alone = run(first, optimiser=adam(0.1, rates={"cell.C": "20 pF"}, steps=14, patience=4, gain=0.3))
        assert start.stopped is alone.stopped
        assert len(start.losses) == len(alone.losses)
        pairs = [(start.losses, alone.losses), (start.gradients[:-1], alone.gradients[:-1])]
        pairs += [(values, alone.values[path]) for path, values in start.values.items()]
        worst = max(worst, *(float(np.abs(a / b - 1).max()) for a, b in pairs))
        ends.add((start.stopped, len(start.losses)))
    ledger("fit", "separate fits", "losses, gradients and values of a batch of 4 starts, relative", worst, 1e-9)
    assert len(ends) > 1
    assert several.losses.min() == min(start.low for start in several.starts)


def test_later_stages_go_on_from_the_best():
    found = run(starts=4, seed=3)
    best = min(range(4), key=lambda k: found.starts[k].losses[:21].min())
    assert len(found.starts[best].losses) == len(found.losses) > 21
    assert all(len(found.starts[k].losses) == 21 for k in range(4) if k != best)
    assert found.stopped is Stopped.CONVERGED
    assert off(found) < 1e-4
    assert "4 starts" in str(found)


def test_where_starts_are_drawn():
    """Evenly between the bounds, or their logarithms; the first stays; more starts leave the others where they are."""
    still = adam(1e-9, steps=1)
    found, more = (run(starts=n, optimiser=still) for n in (40, 41))
    for path in FREE:
        low, high, here = PLANTED.values[path].low, PLANTED.values[path].high, float(FAR.values[path].value)
        first = np.array([start.values[path][0] for start in found.starts])
        assert first[0] == pytest.approx(here, rel=1e-12)
        assert np.array_equal(first, [start.values[path][0] for start in more.starts[:40]])
        share = np.log(first[1:] / low) / np.log(high / low) if low > 0 else (first[1:] - low) / (high - low)
        assert 0.01 <= share.min() < 0.15 < 0.85 < share.max() <= 0.99
    drawn = run(starts=5, optimiser=still, spread={"cell.C": ("100 pF", "150 pF")})
    assert all(1e-10 < start.values["cell.C"][0] < 1.5e-10 for start in drawn.starts[1:])
    assert all(start.values["cell.g_L"][0] == pytest.approx(20e-9, rel=1e-12) for start in drawn.starts)
    near = run(starts=5, optimiser=still, spread=1e-3)
    assert all(0 < abs(start.values["cell.C"][0] / 4e-10 - 1) < 5e-3 for start in near.starts[1:])


def test_a_start_that_becomes_infinite_is_dropped_alone():
    """One copy's loss turns NaN at its fourth look; the others end as without it."""
    looks = dict.fromkeys(range(3), 0)

    def loss(seen):
        k = sum(looks.values()) % 3
        looks[k] += 1
        return LOSS(seen) * (float("nan") if k == 1 and looks[k] == 4 else 1.0)

    broken, whole = (run(loss=of, starts=3, optimiser=adam(0.1, steps=8)) for of in (loss, LOSS))
    assert [start.stopped for start in broken.starts] == [Stopped.STEPS, Stopped.NOT_FINITE, Stopped.STEPS]
    assert len(broken.starts[1].losses) == 3
    for k in (0, 2):
        assert broken.starts[k].losses.tobytes() == whole.starts[k].losses.tobytes()


def test_a_gradient_that_is_not_finite_keeps_what_was_seen():
    found = run(loss=lambda seen: LOSS(seen) + 0 * torch.sqrt((seen["cell.v"] - seen["cell.v"].detach()).square().sum()), optimiser=adam(steps=3))
    assert found.stopped is Stopped.NOT_FINITE
    assert found.circuit.digest == Twin(FAR, free=FREE).circuit.digest


@pytest.mark.parametrize("kind", [torch.optim.Adam, torch.optim.AdamW, torch.optim.Adamax])
def test_rates_in_natural_units(kind):
    """The first step changes each parameter by what was asked for, whatever its bounds, its value and the common rate."""
    for rate in (0.05, 0.3):
        rates = {"cell.C": "2 pF", "cell.E_L": "0.05 mV"}
        settings = {"weight_decay": 0.0} if kind is torch.optim.AdamW else {}
        found = run(optimiser=of_torch(kind, rate, rates=rates, steps=1, **settings))
        c, e = (np.diff(found.values[path])[0] for path in ("cell.C", "cell.E_L"))
        assert abs(c) == pytest.approx(2e-12, rel=0.02)
        assert abs(e) == pytest.approx(5e-5, rel=0.02)


def test_rates_are_only_another_length_of_steps():
    """Rates that come to the common one change nothing."""
    twin = Twin(FAR, free=FREE)
    z = twin.raw["cell__C"].detach().requires_grad_()
    (slope,) = torch.autograd.grad(twin.bounds["cell.C"].forward(z), z)
    usual, named = (run(optimiser=adam(0.1, rates=rates, steps=5)) for rates in ({}, {"cell.C": f"{0.1 * float(slope)!r} F"}))
    np.testing.assert_allclose(usual.losses, named.losses, rtol=1e-9)


INFINITE = {
    "C": parameter(200, "pF", low=0, says="of a test", source="chosen here"),
    "g_L": parameter(10, "nS", low=0, says="of a test", source="chosen here"),
    "E_L": parameter(-70, "mV", says="of a test", source="chosen here"),
}
NEGATIVE = {"E_L": parameter(-70, "mV", high=0, says="of a test", source="chosen here")}
BOUNDS = {
    "C low": ({}, "cell.C", "20 pF"),
    "g_L low": ({}, "cell.g_L", "1 nS"),
    "E_L low": ({}, "cell.E_L", "-100 mV"),
    "C high": ({}, "cell.C", "2000 pF"),
    "g_L almost high": ({}, "cell.g_L", "99.9 nS"),
    "E_L high": ({}, "cell.E_L", "-40 mV"),
    "g_L, none above": (INFINITE, "cell.g_L", "0 nS"),
    "E_L, none below": (NEGATIVE, "cell.E_L", "0 mV"),
}


@pytest.mark.parametrize("which", BOUNDS)
def test_a_start_at_a_bound_moves(which):
    changed, path, value = BOUNDS[which]
    circuit = membrane(**changed).with_values({path: value})
    found = run(circuit, free=[path], optimiser=(adam(0.3, steps=15), lbfgs(steps=8)))
    assert off(found, free=[path]) < 1e-4
    ((moved, (given, started)),) = found.moved.items()
    assert moved == path
    assert given.value == circuit.values[path].value != started.value
    assert float(started.value) == pytest.approx(float(found.values[path][0]), rel=1e-12)
    assert f"{path}: {given} is at a bound" in str(found)


def test_the_same_without_a_step_inside_would_not_get_there():
    """What the step inside is for: a thousandth of the bounded interval away from its bound, a value hardly moves."""
    edge = Twin(PLANTED.with_values({"cell.C": "20.01 pF"}), free=["cell.C"])
    z = edge.raw["cell__C"].detach().requires_grad_()
    (slope,) = torch.autograd.grad(edge.bounds["cell.C"].forward(z), z)
    assert 0.3 * float(slope) < 0.01e-12


def test_a_start_inside_stays():
    assert not run(optimiser=adam(steps=1)).moved
    edge = PLANTED.with_values({"cell.E_L": "-99.3 mV"})  # 1.2 % of the interval away
    assert not run(edge, optimiser=adam(steps=1)).moved


def test_a_small_value_over_a_bound_at_zero_stays():
    """A thousandth of its interval away from 0, but it moves by its own size: there is nothing to help."""
    small = membrane(g_L=parameter(0.1, "nS", low=0, high=100, says="of a test", source="chosen here"))
    found = run(small, free=["cell.g_L"], optimiser=(adam(0.3, steps=15), lbfgs(steps=8)))
    assert not found.moved
    assert off(found, free=["cell.g_L"]) < 1e-4
    drawn = run(small, free=["cell.g_L"], optimiser=adam(1e-9, steps=1), starts=4, spread={"cell.g_L": ("0.05 nS", "0.2 nS")})
    assert all(4e-11 < start.values["cell.g_L"][0] < 2.1e-10 for start in drawn.starts)


def test_starts_can_be_given():
    found = run(starts=[{"cell.C": "300 pF"}, {"cell.C": "100 pF", "cell.E_L": "-60 mV"}, {}, {"cell.E_L": "-100 mV"}], optimiser=adam(1e-9, steps=1))
    first = [[float(start.values[path][0]) for path in FREE] for start in found.starts]
    wanted = [(300e-12, 20e-9, -55e-3), (100e-12, 20e-9, -60e-3), (400e-12, 20e-9, -55e-3), (400e-12, 20e-9, -99.4e-3)]
    np.testing.assert_allclose(first, wanted, rtol=1e-9)


OTHER = steps(20, duration="24 ms")


def test_what_is_held_out_decides():
    """The target has noise that the fit learns by a parameter too many; what is held out shows when."""
    noisy = distance(trace(PLANTED, TODO) + np.random.default_rng(1).normal(0, 4, (2, 10, 1)))
    held = (OTHER, distance(trace(PLANTED, OTHER)))
    found = run(loss=noisy, validate=held, optimiser=adam(0.1, steps=200, patience=10))
    assert found.stopped is Stopped.HELD_OUT
    best = int(found.held_out.argmin())
    assert len(found.held_out) == len(found.losses) == best + 11
    assert found.losses[-1] < found.losses[best]
    assert float(found.circuit.values["cell.C"].value) == pytest.approx(float(found.values["cell.C"][best]), rel=1e-12)
    again = run(loss=noisy, validate=([OTHER], [held[1]]), optimiser=adam(0.1, steps=200, patience=10), starts=2, spread=0.5)
    np.testing.assert_allclose(again.starts[0].held_out, found.held_out, rtol=1e-9)
    assert "held out" in str(found)


def test_good_enough():
    found = run(good_enough=3.0)
    assert found.stopped is Stopped.GOOD_ENOUGH
    assert found.losses[-1] <= 3.0 < found.losses[-2]
    several = run(good_enough=3.0, starts=3, seed=3)
    assert sorted(start.stopped.name for start in several.starts).count("GOOD_ENOUGH") >= 1
    assert {start.stopped for start in several.starts} <= {Stopped.GOOD_ENOUGH, Stopped.ANOTHER}
    assert several.losses.min() <= 3.0


def test_every_end_names_a_remedy():
    words = ("start elsewhere", "lower one", "more data", "more steps", "lower the learning rate", "call fit again")
    assert all(any(word in stopped.value for word in words) for stopped in Stopped)


def test_history(several):
    for start in (several, *several.starts):
        n = len(start.losses)
        assert start.gradients.shape == (n,)
        assert np.isnan(start.gradients[-1])
        assert np.all(start.gradients[:-1] > 0)
        assert start.held_out.size == 0
        assert all(values.shape == (n,) for values in start.values.values())


def test_the_bar_shows_loss_and_best(capsys):
    run(optimiser=adam(steps=3), progress=True)
    shown = capsys.readouterr().err
    assert "fit" in shown
    assert "loss=" in shown
    assert "best=" in shown
    run(optimiser=adam(steps=3), progress=False)
    assert capsys.readouterr().err == ""


REFUSED = {
    "a rate of what is not free": ({"optimiser": adam(rates={"cell.c": "1 pF"})}, FitError, r"'cell\.c' is not free.*Did you mean 'cell\.C'"),
    "a rate in another unit": ({"optimiser": adam(rates={"cell.C": "1 ms"})}, UnitError, r"rates: cell\.C: expected a value in 'pF'"),
    "a rate of nothing": ({"optimiser": adam(rates={"cell.C": "0 pF"})}, FitError, "positive change per step"),
    "a line search in a batch": ({"starts": 2, "optimiser": lbfgs()}, FitError, r"put adam\(\.\.\.\) first"),
    "no start": ({"starts": 0}, FitError, "whole number from 1"),
    "a list of nothing": ({"starts": []}, FitError, "a list of placed names"),
    "a start of what is not free": ({"starts": [{"cell.c": "1 pF"}]}, FitError, r"Did you mean 'cell\.C'"),
    "a start beyond the bounds": ({"starts": [{"cell.C": "1 pF"}]}, ModelError, "outside its bounds"),
    "given starts and a spread": ({"starts": [{}], "spread": 1.0}, FitError, "values alone"),
    "a spread of what is not free": ({"starts": 2, "spread": {"cell.El": ("1 mV", "2 mV")}}, FitError, r"Did you mean 'cell\.E_L'"),
    "a spread beyond the bounds": ({"starts": 2, "spread": {"cell.C": ("1 pF", "100 pF")}}, FitError, r"within its bounds \[20, 2000\] pF"),
    "a spread in another unit": ({"starts": 2, "spread": {"cell.C": ("1 mV", "2 mV")}}, UnitError, "spread: cell.C"),
    "a spread of one value": ({"starts": 2, "spread": {"cell.C": "1 pF"}}, FitError, "two values"),
    "a negative spread": ({"starts": 2, "spread": -1.0}, FitError, "positive distance"),
    "nothing to hold out": ({"validate": LOSS}, FitError, r"\(protocol, loss\)"),
    "a loss of many numbers": ({"loss": lambda seen: seen["cell.v"]}, FitError, "not one number of torch"),
    "a loss of NumPy": ({"loss": lambda seen: 1.0}, FitError, "gives float"),
    "what is held out is not finite": ({"validate": (OTHER, lambda seen: seen["cell.v"].sum() * float("nan"))}, FitError, "held out is not finite"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_bad_questions_are_refused(what):
    settings, error, message = REFUSED[what]
    with pytest.raises(error, match=message):
        run(**{"optimiser": adam(steps=2), **settings})


def test_a_twin_with_copies_is_refused():
    with pytest.raises(FitError, match="starts=3"):
        fit_function(Twin(FAR, free=FREE, copies=3), TODO, loss=LOSS)
    with pytest.raises(ModelError, match="outside its bounds"):
        FAR.with_values({"cell.C": "1 pF"})
    assert set(PARAMETERS) == {path.partition(".")[2] for path in FREE}
