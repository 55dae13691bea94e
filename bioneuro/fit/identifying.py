"""identify: how well the data of a fit tell its parameters, and which combinations they leave open."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch

from bioneuro import units
from bioneuro.fit.directions import Coordinate, Floats, Shape, plain, say, shape
from bioneuro.fit.learn import tasks
from bioneuro.fit.optimisers import Optimiser, lbfgs
from bioneuro.fit.profiling import profile
from bioneuro.fit.record import Fit
from bioneuro.fit.walk import Question, losses, put
from bioneuro.measure import FitError, Loss
from bioneuro.model import Parameter
from bioneuro.protocol import Protocol
from bioneuro.twin import Twin

STEP = 1e-4
"""Of central differences of the gradient, along a coordinate."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Identified:
    """How well the data of a fit tell its parameters.

    Attributes:
        names: the free numbers, by placed name; ``path[k]`` for unit k of several.
        intervals: name -> (low, high): where the loss rises by no more than `rise` if all others are fitted anew; a bound where it never does.
        errors: name -> half the length of the interval by curvature, SI; infinite where nothing holds the parameter.
        correlation: of the errors, shape (names, names).
        lengths, directions: how far the data leave the parameters along each direction (a column), tightest first, in `coordinates`.
        coordinates: name -> "ln", or the SI value of one unit along a coordinate that is the parameter itself.
        combinations: in words, what the data leave open; empty if everything is identified.
        warnings: in words, everything to know before using the numbers; `combinations` among them.
        rise: the rise of the loss that the intervals are for.
    """

    names: tuple[str, ...]
    intervals: Mapping[str, tuple[Parameter, Parameter]]
    errors: Mapping[str, float]
    correlation: Floats
    lengths: Floats
    directions: Floats
    coordinates: Mapping[str, str | float]
    combinations: tuple[str, ...]
    warnings: tuple[str, ...]
    rise: float

    def __str__(self) -> str:
        lines = [f"  {name}: {low} to {high}" for name, (low, high) in self.intervals.items()]
        return "\n".join([f"where the loss rises by up to {self.rise:.3g}:", *lines, *(f"  warning: {text}" for text in self.warnings)])


def identify(
    fitted: Fit,
    protocol: Protocol | Sequence[Protocol],
    loss: Loss | Sequence[Loss],
    *,
    rise: float | None = None,
    method: Literal["hessian", "profile"] = "hessian",
    refit: Optimiser | None = None,
    moments: bool = True,
    seed: int = 0,
) -> Identified:
    """Intervals of fitted parameters and what of them is identified at all, from the shape of the loss around the fit.

    Curvature is by central differences of the gradient in the logarithm of parameters that cannot be negative, and in the others themselves.
    A direction is open if the data let parameters go farther along it than a factor e, or half the bounded interval.

    Arguments:
        protocol, loss, moments, seed: as given to `fit`.
        rise: the rise of the loss that the errors of the data allow. For the mean of n squared differences in units of their standard errors,
            1/n gives one standard error (68 %) and 3.84/n gives 95 %. By default 1/n, of losses that carry `points`, their n.
        method: "hessian", by curvature; "profile": every parameter is moved until the loss has risen so far, and the others are fitted anew
            at each place. Slow; it holds too where the minimum is no parabola, and where a surrogate makes the gradient a guess.
        refit: the optimiser of a profile; by default a few steps of L-BFGS.

    References:
        Profiles, and open directions as flat ones: Raue et al. 2009, Bioinformatics 25:1923, doi 10.1093/bioinformatics/btp358.

    Errors:
        FitError: nothing is known about `rise`; or it is not positive; or the method is unknown; or a profile of values per unit.
    """
    question = Question(tasks=tasks(fitted.twin, protocol, loss, moments), seed=seed)
    allowed = _rise(question, rise)
    if method not in ("hessian", "profile"):
        raise FitError(f"identify: method={method!r}; allowed: 'hessian', 'profile'")
    twin = fitted.twin.clone(fitted.twin.start)
    put(twin, dict(fitted.twin.raw.items()))
    coordinates = tuple(c for path in twin.free for c in _coordinates(twin, path))
    here = np.array([c.value for c in coordinates])
    _, slope = _gradient(twin, question, coordinates, here)
    curvature = _curvature(twin, question, coordinates)
    if not (np.all(np.isfinite(curvature)) and np.all(np.isfinite(slope))):
        raise FitError("identify: the loss or its gradient is not finite near the fit; narrow the bounds, or start the fit elsewhere")
    apart = float(np.abs(curvature - curvature.T).max() / max(np.abs(curvature).max(), 1e-300))
    found = shape(0.5 * (curvature + curvature.T), allowed, max(1e-9, apart))
    ends = {c.name: (c.at(-w), c.at(w)) for c, w in zip(coordinates, found.widths, strict=True)}
    combinations = tuple(say(direction, coordinates) for direction in found.open)
    warnings = [*_doubts(coordinates, found, slope, curvature, apart, allowed), *combinations]
    if method == "profile":
        put(twin, dict(fitted.twin.raw.items()))
        ends, more = profile(twin, question, coordinates, found.widths, allowed, refit or lbfgs(steps=6, patience=1, gain=1e-4))
        warnings += more
    return Identified(
        names=tuple(ends),
        intervals={c.name: _interval(c, *ends[c.name]) for c in coordinates},
        errors={c.name: float(abs(c.slope) * w) for c, w in zip(coordinates, found.widths, strict=True)},
        correlation=found.correlation,
        lengths=found.lengths,
        directions=found.directions,
        coordinates={c.name: "ln" if c.logarithmic else c.scale for c in coordinates},
        combinations=combinations,
        warnings=tuple(warnings),
        rise=allowed,
    )


def _rise(question: Question, rise: float | None) -> float:
    if rise is None:
        counts: set[Any] = {getattr(task.loss, "points", None) for task in question.tasks}
        if len(counts) != 1 or None in counts:
            raise FitError(
                "identify: it is not known how far the errors of the data let the loss rise; give rise=, such as 1/n for the mean of n squared "
                "differences in units of their standard errors"
            )
        rise = 1.0 / float(counts.pop())
    if not (math.isfinite(rise) and rise > 0):
        raise FitError(f"identify: rise={rise!r}; give a positive number")
    return float(rise)


def _coordinates(twin: Twin, path: str) -> list[Coordinate]:
    """One for every number of a free parameter."""
    parameter = twin.start.values[path]
    values = np.atleast_1d(twin.value(path).detach().cpu().numpy().astype(np.float64))
    size = units.unit(parameter.unit).scale
    wide = parameter.high - parameter.low
    made = []
    for k, value in enumerate(values.tolist()):
        scale = 0.0 if parameter.low >= 0 else (0.5 * wide if math.isfinite(wide) else abs(value) or size)
        name = path if parameter.value.ndim == 0 else f"{path}[{k}]"
        made.append(Coordinate(name=name, value=value, low=parameter.low, high=parameter.high, unit=parameter.unit, size=size, scale=scale))
    return made


def place(twin: Twin, values: Floats) -> None:
    """Give the free parameters of a twin SI values, in the order of its coordinates."""
    rest = list(values)
    for path in twin.free:
        raw = twin.raw[path.replace(".", "__")]
        mine = [rest.pop(0) for _ in range(raw.numel())]
        with torch.no_grad():
            raw.copy_(twin.bounds[path].inverse(torch.tensor(mine, dtype=twin.dtype, device=twin.device).reshape(raw.shape)))


def _gradient(twin: Twin, question: Question, coordinates: Sequence[Coordinate], values: Floats) -> tuple[float, Floats]:
    """The loss at SI values, and its slope along every coordinate."""
    place(twin, values)
    twin.zero_grad()
    total = losses(twin, question.tasks, question.seed).sum()
    total.backward()
    parts = []
    for path in twin.free:
        raw = twin.raw[path.replace(".", "__")]
        z = raw.detach().clone().requires_grad_()
        (per,) = torch.autograd.grad(twin.bounds[path].forward(z).sum(), z)
        slope = torch.zeros_like(per) if raw.grad is None else raw.grad / per
        parts.append(slope.detach().cpu().numpy().ravel())
    by_value = np.concatenate(parts)
    ahead = np.array([v if c.logarithmic else c.scale for c, v in zip(coordinates, values, strict=True)])
    return float(total.detach()), by_value * ahead


def _curvature(twin: Twin, question: Question, coordinates: Sequence[Coordinate]) -> Floats:
    """Second derivatives: row j is how the gradient changes along coordinate j. At a bound the difference is taken just inside."""
    here = np.array([c.value for c in coordinates])
    rows = []
    for k, c in enumerate(coordinates):
        up, down = min(STEP, 0.5 * c.room(1)), min(STEP, 0.5 * c.room(-1))
        ends = []
        for distance in (up, -down):
            there = here.copy()
            there[k] = c.at(distance)
            ends.append(_gradient(twin, question, coordinates, there)[1])
        rows.append((ends[0] - ends[1]) / (up + down))
    return np.array(rows)


def _doubts(
    coordinates: Sequence[Coordinate], found: Shape, slope: Floats, curvature: Floats, apart: float, rise: float
) -> list[str]:
    """What speaks against the numbers."""
    said = []
    at_bound = [c for c in coordinates if min(c.room(1), c.room(-1)) < 1e-3]
    for c in at_bound:
        said.append(f"{c.name} has ended at its bound, {plain(c.value / c.size, c.unit)}: widen the bounds, or fix it; its interval is no measure")
    if apart > 0.05:
        said.append(
            f"the curvature is not symmetric (by {100 * apart:.0f} %), so the gradient is not that of one loss, as with the surrogate of a spike: "
            "use method='profile'"
        )
    values = np.linalg.eigvalsh(0.5 * (curvature + curvature.T))
    if values[0] < -max(1e-6, apart) * abs(values[-1]):
        said.append("the loss falls further in some direction: this is no minimum; give the fit more steps")
    inside = np.array([c not in at_bound for c in coordinates])
    steps = (found.directions.T @ (slope * inside))[np.isfinite(found.lengths)] * found.lengths[np.isfinite(found.lengths)]
    left = float((steps**2).sum() / (4 * rise))
    if left > 0.5 * rise:
        said.append(f"the loss can still fall by about {left:.2g}, where its errors are worth {rise:.2g}: give the fit more steps")
    return said


def _interval(c: Coordinate, low: float, high: float) -> tuple[Parameter, Parameter]:
    return Parameter(value=np.array(low), unit=c.unit), Parameter(value=np.array(high), unit=c.unit)


