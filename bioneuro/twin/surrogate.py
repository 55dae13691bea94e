"""Surrogates: what the derivative of a step is taken to be. The forward step stays exact."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Surrogate:
    """A smooth step and its derivative, in the scaled distance from threshold (1 mV for a potential, else 1).

    Attributes:
        soft: the smooth step, from 0 to 1. Used in the forward pass only by a twin made with ``soft=True``.
        slope: its derivative, which stands in for that of the exact step in the backward pass.
    """

    name: str
    soft: Callable[[Tensor], Tensor]
    slope: Callable[[Tensor], Tensor]


def superspike(slope: float = 10.0) -> Surrogate:
    """The fast sigmoid: derivative slope/2 / (1 + slope |u|)^2. Zenke & Ganguli 2018, Neural Comput 30:1514."""
    return Surrogate(
        name=f"superspike(slope={slope:g})",
        soft=lambda u: 0.5 + 0.5 * slope * u / (1 + slope * u.abs()),
        slope=lambda u: 0.5 * slope / (1 + slope * u.abs()) ** 2,
    )


def arctan(width: float = 2.0) -> Surrogate:
    """Derivative width/2 / (1 + (pi/2 width u)^2). Fang et al. 2021, ICCV, arXiv 2007.05785."""
    return Surrogate(
        name=f"arctan(width={width:g})",
        soft=lambda u: torch.atan(0.5 * math.pi * width * u) / math.pi + 0.5,
        slope=lambda u: 0.5 * width / (1 + (0.5 * math.pi * width * u) ** 2),
    )


def sigmoid(slope: float = 5.0) -> Surrogate:
    """The logistic function of slope u and its derivative."""
    return Surrogate(
        name=f"sigmoid(slope={slope:g})",
        soft=lambda u: torch.sigmoid(slope * u),
        slope=lambda u: slope * torch.sigmoid(slope * u) * (1 - torch.sigmoid(slope * u)),
    )


def detached() -> Surrogate:
    """No gradient through spikes: what is left is the exact gradient at fixed spike times."""
    return Surrogate(name="detached()", soft=lambda u: (u > 0).to(u.dtype), slope=torch.zeros_like)
