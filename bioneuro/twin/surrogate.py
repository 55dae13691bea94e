"""Surrogates: what the derivative of a step is taken to be. The forward step stays exact.

Each has the area 1 under its slope, as the step it stands for has, unless it says otherwise. Others scale by the height instead:

    superspike(s)   s/2 times the 1/(1 + s|u|)^2 of Zenke & Ganguli 2018, of snnTorch's fast_sigmoid(s) and of Norse's SuperSpike(s)
    arctan(s)       snnTorch's atan(s), SpikingJelly's ATan(s)
    sigmoid(s)      snnTorch's sigmoid(s), SpikingJelly's Sigmoid(s)
    triangle(w)     1/w times Bellec's max(0, 1 - |u/w|) without its factor 0.3; SpikingJelly's PiecewiseQuadratic(1/w)
    triangle(1)     Norse's Triangle(1); snnTorch's triangular is no triangle but a sign
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Surrogate:
    """A smooth step and its derivative, in the scaled distance from threshold (1 mV for a potential, else 1).

    Attributes:
        soft: the smooth step, from 0 to 1 and 1/2 at 0. Used in the forward pass only by a twin made with ``soft=True``.
        slope: its derivative, which stands in for that of the exact step in the backward pass.
    """

    name: str
    soft: Callable[[Tensor], Tensor]
    slope: Callable[[Tensor], Tensor]


def superspike(slope: float = 10.0) -> Surrogate:
    """The fast sigmoid: derivative slope/2 / (1 + slope |u|)^2. Zenke & Ganguli 2018, Neural Comput 30:1514."""
    return Surrogate(
        name=f"superspike(slope={slope:g})",
        soft=lambda u: 0.5 + 0.5 * u / (1 / slope + u.abs()),
        slope=lambda u: 0.5 * slope / (1 + slope * u.abs()) ** 2,
    )


def arctan(slope: float = 2.0) -> Surrogate:
    """Derivative slope/2 / (1 + (pi/2 slope u)^2). Fang et al. 2021, ICCV, arXiv 2007.05785."""
    return Surrogate(
        name=f"arctan(slope={slope:g})",
        soft=lambda u: torch.atan(0.5 * math.pi * slope * u) / math.pi + 0.5,
        slope=lambda u: 0.5 * slope / (1 + (0.5 * math.pi * slope * u) ** 2),
    )


def sigmoid(slope: float = 5.0) -> Surrogate:
    """The logistic function of slope u and its derivative."""
    return Surrogate(
        name=f"sigmoid(slope={slope:g})",
        soft=lambda u: torch.sigmoid(slope * u),
        slope=lambda u: slope * torch.sigmoid(slope * u) * (1 - torch.sigmoid(slope * u)),
    )


def rectangle(width: float = 1.0) -> Surrogate:
    """Derivative 1/width within width/2 of the threshold, 0 beyond. Wu et al. 2018, Front Neurosci 12:331, Fig. 3B, the first."""
    return Surrogate(
        name=f"rectangle(width={width:g})",
        soft=lambda u: (0.5 + u / width).clamp(0, 1),
        slope=lambda u: (u.abs() < 0.5 * width).to(u.dtype) / width,
    )


def triangle(width: float = 1.0) -> Surrogate:
    """Derivative (1 - |u|/width)/width within `width` of the threshold, 0 beyond. Esser et al. 2016, PNAS 113:11441.

    Bellec et al. 2018, arXiv 1803.09574, take it 0.3 times as high: ``damped(triangle(), 0.3)``.
    """

    def soft(u: Tensor) -> Tensor:
        near = (u / width).clamp(-1, 1)
        return 0.5 + near - 0.5 * near * near.abs()

    return Surrogate(name=f"triangle(width={width:g})", soft=soft, slope=lambda u: (1 - u.abs() / width).clamp(min=0) / width)


def gaussian(width: float = 0.5) -> Surrogate:
    """The normal distribution of standard deviation `width` and its density. Yin, Corradi & Bohte 2021, Nat Mach Intell 3:905."""
    return Surrogate(name=f"gaussian(width={width:g})", soft=lambda u: _normal(u / width), slope=lambda u: _density(u / width) / width)


def multi_gaussian(width: float = 0.5, height: float = 0.15, scale: float = 6.0) -> Surrogate:
    """1 + `height` normal densities at threshold, less `height` of one `width` to either side and `scale` times as wide: negative far away.

    Yin, Corradi & Bohte 2021, Nat Mach Intell 3:905; their program halves it: ``damped(multi_gaussian(), 0.5)``. The area under it is
    1 - `height`, and its smooth step goes from `height`/2 to 1 - `height`/2.
    """

    def soft(u: Tensor) -> Tensor:
        x = u / width
        return 0.5 * height + (1 + height) * _normal(x) - height * (_normal((x - 1) / scale) + _normal((x + 1) / scale))

    def slope(u: Tensor) -> Tensor:
        x = u / width
        return ((1 + height) * _density(x) - height / scale * (_density((x - 1) / scale) + _density((x + 1) / scale))) / width

    return Surrogate(name=f"multi_gaussian(width={width:g}, height={height:g}, scale={scale:g})", soft=soft, slope=slope)


def _normal(x: Tensor) -> Tensor:
    return torch.special.ndtr(x)


def _density(x: Tensor) -> Tensor:
    return torch.exp(-0.5 * x.square()) / math.sqrt(2 * math.pi)


def damped(surrogate: Surrogate, factor: float = 0.3) -> Surrogate:
    """`surrogate` with its slope, and so the rise of its smooth step, times `factor`: gradients through many spikes then stay small."""
    return Surrogate(
        name=f"damped({surrogate.name}, {factor:g})",
        soft=lambda u: 0.5 + factor * (surrogate.soft(u) - 0.5),
        slope=lambda u: factor * surrogate.slope(u),
    )


def detached() -> Surrogate:
    """No gradient through spikes: what is left is the exact gradient at fixed spike times."""
    return Surrogate(name="detached()", soft=lambda u: (u > 0).to(u.dtype), slope=torch.zeros_like)
