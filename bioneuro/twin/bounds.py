"""Bounded parameters: a smooth bijection between the open interval of a parameter and the whole line.

A learnable time constant clamped at its bound stops learning without a word; here the bound is never reached.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from bioneuro import units
from bioneuro.records import Parameter


@dataclass(frozen=True)
class Bounds:
    """`forward`: line -> (low, high); `inverse`: back. An infinite end is open: exponential on one side, linear without ends.

    Attributes:
        low, high: bounds in SI.
        scale: size of a typical value, so that one unit on the line is a like change for every parameter.
    """

    low: float
    high: float
    scale: float

    def forward(self, z: Tensor) -> Tensor:
        if math.isfinite(self.low) and math.isfinite(self.high):
            # The logistic of z, in the logarithm of the value if the bounds span decades.
            s = torch.sigmoid(z)
            if self._geometric:
                return torch.exp(math.log(self.low) + (math.log(self.high) - math.log(self.low)) * s)
            return self.low + (self.high - self.low) * s
        if math.isfinite(self.low):
            return self.low + self.scale * torch.exp(z)
        if math.isfinite(self.high):
            return self.high - self.scale * torch.exp(z)
        return self.scale * z

    def inverse(self, value: Tensor) -> Tensor:
        """The point of `value`; a value on a bound is moved inside by 1e-9 of the interval."""
        if math.isfinite(self.low) and math.isfinite(self.high):
            if self._geometric:
                s = (torch.log(value) - math.log(self.low)) / (math.log(self.high) - math.log(self.low))
            else:
                s = (value - self.low) / (self.high - self.low)
            return torch.logit(s.clamp(1e-9, 1 - 1e-9))
        if math.isfinite(self.low):
            return torch.log(((value - self.low) / self.scale).clamp(min=1e-9))
        if math.isfinite(self.high):
            return torch.log(((self.high - value) / self.scale).clamp(min=1e-9))
        return value / self.scale

    @property
    def _geometric(self) -> bool:
        return self.low > 0 and self.high / self.low > 10


def bounds_of(parameter: Parameter) -> Bounds:
    """The bounds of a parameter; its size, or its unit where it is 0, is the scale."""
    size = float(np.abs(parameter.value).max()) or units.unit(parameter.unit).scale
    return Bounds(low=parameter.low, high=parameter.high, scale=size)
