"""Ways down: optimisers of torch with their numbers, and learning rates in the units of the parameters."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bioneuro import units
from bioneuro.measure import FitError
from bioneuro.records import did_you_mean
from bioneuro.twin import Twin


@dataclass(frozen=True)
class Optimiser:
    """A way down: `make` gives a torch optimiser for parameters; `steps` at most; converged when `patience` steps gain less than `gain`.

    Attributes:
        rate: the learning rate of `make`, along the free line of every bounded parameter.
        rates: placed name -> about how much the first steps change that parameter, with its unit.
        joint: whether a step of one parameter hangs on the others, as in a line search; such an optimiser cannot take several starts at once.
    """

    make: Callable[[Sequence[Tensor]], torch.optim.Optimizer]
    steps: int
    patience: int
    gain: float
    rate: float = 1.0
    rates: Mapping[str, Any] = field(default_factory=dict)
    joint: bool = False

    def __post_init__(self) -> None:
        for name, least in (("steps", 1), ("patience", 1)):
            if getattr(self, name) < least:
                raise FitError(f"optimiser: {name}: {getattr(self, name)}; give at least {least}")
        if not 0 < self.rate < math.inf or not 0 <= self.gain < math.inf:
            raise FitError(f"optimiser: rate {self.rate} and gain {self.gain}; give a positive rate and a gain that is not negative, both finite")


def adam(
    rate: float = 0.05, *, rates: Mapping[str, Any] | None = None, steps: int = 400, patience: int = 40, gain: float = 1e-4
) -> Optimiser:
    """Adam (Kingma & Ba 2015): robust against noisy gradients. `rate` is in units of the bounded parameters' free line.

    Arguments:
        rates: placed name -> change per step with its unit, as in ``{"neuron.tau_m": "0.5 ms"}``; see `of_torch`.
    """
    return of_torch(torch.optim.Adam, rate, rates=rates, steps=steps, patience=patience, gain=gain)


def of_torch(
    kind: Callable[..., torch.optim.Optimizer],
    rate: float,
    *,
    rates: Mapping[str, Any] | None = None,
    steps: int = 400,
    patience: int = 40,
    gain: float = 1e-4,
    **settings: Any,
) -> Optimiser:
    """Any optimiser of torch that treats every number by itself and has a learning rate: ``of_torch(torch.optim.RMSprop, 0.01, alpha=0.9)``.

    Arguments:
        kind: called as ``kind(parameters, lr=rate, **settings)``.
        rate: the learning rate along the free line, on which the bounds are infinitely far away.
        rates: placed name -> change per step in the parameter's own unit. It is turned into a rate along the line by the slope of the
            bounded map where the stage begins, so it holds for the first steps and shrinks near a bound. It is what a step of size `rate`
            comes to: with Adam, whose first steps have that size, the change itself; with plain gradient descent, the change at slope 1.
    """
    rates = dict(rates or {})
    return Optimiser(
        make=lambda p: kind(p, lr=rate, **settings), steps=steps, patience=patience, gain=gain, rate=rate, rates=rates
    )


def lbfgs(*, steps: int = 60, patience: int = 4, gain: float = 1e-6) -> Optimiser:
    """Limited-memory BFGS with a strong Wolfe line search: fast where loss and gradient are exact, as in event runs."""

    def make(p: Sequence[Tensor]) -> torch.optim.Optimizer:
        return torch.optim.LBFGS(p, max_iter=5, history_size=20, line_search_fn="strong_wolfe")

    return Optimiser(make=make, steps=steps, patience=patience, gain=gain, joint=True)


def strides(twin: Twin, stage: Optimiser) -> dict[str, Tensor]:
    """Placed name -> how far along the line the optimiser's unit reaches, for parameters that have a rate of their own. Shape of the raw value.

    Errors:
        FitError: a rate of a parameter that is not free, or one that is not positive. UnitError: a wrong unit.
    """
    made = {}
    for path, given in stage.rates.items():
        if path not in twin.free:
            raise FitError(f"rates: {path!r} is not free; free: {', '.join(twin.free)}.{did_you_mean(path, twin.free)}")
        change = units.in_unit(given, twin.start.values[path].unit, f"rates: {path}")
        if change.ndim or not change > 0:
            raise FitError(f"rates: {path}: {given!r:.60}; give one positive change per step, such as '0.5 {twin.start.values[path].unit}'")
        z = twin.raw[path.replace(".", "__")].detach().clone().requires_grad_()
        (slope,) = torch.autograd.grad(twin.bounds[path].forward(z).sum(), z)
        made[path] = float(np.asarray(change)) / (stage.rate * slope.abs())
    return made
