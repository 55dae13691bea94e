"""Surrogates: each slope is the derivative of its own smooth step, with the area and the values of its source, finite however far away."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from torch import Tensor

from bioneuro.twin.operations import Operations
from bioneuro.twin.surrogate import (
    Surrogate,
    arctan,
    damped,
    detached,
    gaussian,
    multi_gaussian,
    rectangle,
    sigmoid,
    superspike,
    triangle,
)

SMOOTH = [
    superspike(), superspike(1.0), arctan(), arctan(0.5), sigmoid(), sigmoid(25.0), gaussian(), gaussian(2.0), multi_gaussian(),
    multi_gaussian(0.3, 0.3, 3.0), triangle(), triangle(2.0), rectangle(), rectangle(2.0), damped(triangle(), 0.3),
]  # fmt: skip
AREAS = {"multi_gaussian(width=0.5, height=0.15, scale=6)": 0.85, "multi_gaussian(width=0.3, height=0.3, scale=3)": 0.7}
AREAS["damped(triangle(width=1), 0.3)"] = 0.3
AWAY = torch.tensor([-3.1, -1.3, -0.71, -0.23, -0.04, 0.03, 0.31, 0.83, 1.7, 2.9], dtype=torch.float64)
"""Points off the kinks of all of them."""


def named(surrogate: Surrogate) -> str:
    return surrogate.name


def slopes(surrogate: Surrogate, *points: float) -> list[float]:
    return surrogate.slope(torch.tensor(points, dtype=torch.float64)).tolist()


class Own(torch.autograd.Function):
    """The smooth step with the slope as its derivative."""

    surrogate: Surrogate

    @staticmethod
    def forward(ctx, u: Tensor) -> Tensor:
        ctx.save_for_backward(u)
        return Own.surrogate.soft(u)

    @staticmethod
    def backward(ctx, grad: Tensor) -> Tensor:
        (u,) = ctx.saved_tensors
        return grad * Own.surrogate.slope(u)


@pytest.mark.parametrize("surrogate", SMOOTH, ids=named)
def test_slope_is_the_derivative_of_the_primitive(surrogate, monkeypatch, ledger):
    """By gradcheck, in float64: numerically, and by autograd through the primitive itself."""
    u = AWAY.clone().requires_grad_()
    monkeypatch.setattr(Own, "surrogate", surrogate, raising=False)
    assert torch.autograd.gradcheck(Own.apply, u)
    assert torch.autograd.gradcheck(surrogate.soft, u)
    (through,) = torch.autograd.grad(surrogate.soft(u).sum(), u)
    error = float((through - surrogate.slope(AWAY)).abs().max())
    ledger("twin", "autograd through the smooth step", "slopes of all surrogates", error, 1e-12)


@pytest.mark.parametrize("surrogate", SMOOTH, ids=named)
def test_area_is_that_of_the_step(surrogate, ledger):
    """1, or what is said; the smooth step goes from one end to the other through 1/2."""
    wanted = AREAS.get(surrogate.name, 1.0)
    edges = [0.0, 0.5, 1.0, 2.0, 10.0, 100.0]
    half = sum(quad(lambda x: slopes(surrogate, x)[0], a, b, limit=200)[0] for a, b in itertools.pairwise(edges))
    low, middle, high = surrogate.soft(torch.tensor([-100.0, 0.0, 100.0], dtype=torch.float64)).tolist()
    assert middle == pytest.approx(0.5, abs=1e-15)
    ledger("twin", "quadrature", "areas of all surrogates within 100", abs(2 * half - (high - low)), 1e-8)
    tails = 0.01 if surrogate.name.startswith(("superspike", "arctan")) else 1e-12  # those two fall as 1/u^2
    assert high - low == pytest.approx(wanted, abs=tails)


@pytest.mark.parametrize("surrogate", [*SMOOTH, detached()], ids=named)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_far_from_threshold_all_is_finite(surrogate, dtype):
    far = torch.tensor([0.0, *(sign * 10.0**k for k in (1, 6, 30, 38) for sign in (1, -1))], dtype=dtype)
    step, slope = surrogate.soft(far), surrogate.slope(far)
    assert torch.isfinite(step).all()
    assert torch.isfinite(slope).all()
    assert step.dtype == slope.dtype == dtype
    assert slope[3:].abs().max() < 1e-8
    even = slope[1::2] - slope[2::2]
    assert even.abs().max() <= 1e-6 * slope.abs().max()


PUBLISHED = {
    # what the programs that made them common compute at u, as they write it
    "snnTorch fast_sigmoid(25), times 25/2": (superspike(25.0), lambda u: 12.5 / (25 * abs(u) + 1) ** 2),
    "Norse SuperSpike(100), times 50": (superspike(100.0), lambda u: 50 / (100 * abs(u) + 1) ** 2),
    "snnTorch atan(2), SpikingJelly ATan(2)": (arctan(), lambda u: 2 / 2 / (1 + (math.pi / 2 * 2 * u) ** 2)),
    "snnTorch sigmoid(25)": (sigmoid(25.0), lambda u: 25 * math.exp(-25 * u) / (math.exp(-25 * u) + 1) ** 2),
    "SpikingJelly PiecewiseQuadratic(2)": (triangle(0.5), lambda u: max(0.0, -4 * abs(u) + 2)),
    "Bellec 2018, 0.3 max(0, 1 - |u|)": (damped(triangle(), 0.3), lambda u: 0.3 * max(0.0, 1 - abs(u))),
    "Yin 2021, gaussian, lens 0.5": (gaussian(), lambda u: math.exp(-(u**2) / 0.5) / math.sqrt(2 * math.pi) / 0.5),
    "Wu 2018, |u| < a/2, over a": (rectangle(), lambda u: float(abs(u) < 0.5)),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_slope_is_the_published_one(name, ledger):
    surrogate, formula = PUBLISHED[name]
    found = slopes(surrogate, *AWAY.tolist())
    wanted = [formula(u) for u in AWAY.tolist()]
    ledger("twin", name, f"slope of surrogate {surrogate.name}", float(np.abs(np.subtract(found, wanted)).max()), 1e-12)


def test_multi_gaussian_is_the_program_s_before_its_factor(ledger):
    """Yin et al. 2021: lens 0.5, scale 6, height 0.15."""

    def normal(x: float, mu: float, sigma: float) -> float:
        return math.exp(-((x - mu) ** 2) / (2 * sigma**2)) / math.sqrt(2 * math.pi) / sigma

    wanted = [1.15 * normal(u, 0, 0.5) - 0.15 * (normal(u, 0.5, 3.0) + normal(u, -0.5, 3.0)) for u in AWAY.tolist()]
    found = slopes(multi_gaussian(), *AWAY.tolist())
    assert found[0] < 0 < found[4]
    ledger("twin", "Yin 2021, multi-Gaussian", "slope of surrogate multi_gaussian", float(np.abs(np.subtract(found, wanted)).max()), 1e-12)


@pytest.mark.parametrize("surrogate", SMOOTH, ids=named)
def test_a_comparison_takes_it_backward_and_stays_exact_forward(surrogate):
    """op.step: 0 or 1; the slope in the scaled distance, with the opposite sign for the threshold; soft: the smooth step itself."""
    v = (1e-3 * AWAY).requires_grad_()
    level = torch.zeros((), dtype=torch.float64, requires_grad=True)
    hard, soft = (Operations(surrogate, soft=s, detach_reset=False, like=torch.zeros((), dtype=torch.float64)) for s in (False, True))
    for op in (hard, soft):
        step = op.step(v, level, False, 1e-3)
        to_v, to_level = torch.autograd.grad(step.sum(), (v, level))
        assert torch.allclose(to_v, 1e3 * surrogate.slope(AWAY), rtol=1e-9, atol=1e-9)
        assert float(to_level) == pytest.approx(-float(to_v.sum()), rel=1e-9, abs=1e-9)
    assert hard.step(v, level, False, 1e-3).tolist() == (AWAY > 0).double().tolist()


def test_detached_has_no_slope():
    assert slopes(detached(), *AWAY.tolist()) == [0.0] * AWAY.numel()
