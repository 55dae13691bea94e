"""Profiles: one parameter is moved until the loss has risen by so much, while the others are fitted anew at every place."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch

from bioneuro.fit.directions import Coordinate, Floats, plain
from bioneuro.fit.optimisers import Optimiser
from bioneuro.fit.walk import Point, Question, Trail, Walk, begin, descend, losses, put
from bioneuro.measure import FitError
from bioneuro.twin import Twin

TOLERANCE = 0.02
"""How exactly the end of an interval is found, as a share of its half width."""

LOOKS = 12
"""The most places that are looked at on one side."""


def profile(
    twin: Twin, question: Question, coordinates: Sequence[Coordinate], widths: Floats, rise: float, refit: Optimiser
) -> tuple[dict[str, tuple[float, float]], list[str]]:
    """Name -> interval in which the loss rises by no more than `rise`, SI, and what to warn of. `twin` stands at the fit and is moved about.

    Errors:
        FitError: a free parameter has several values.
    """
    if any(raw.ndim for raw in twin.raw.values()):
        raise FitError("identify: a profile moves single values, and a free parameter has one per unit; use method='hessian'")
    start = {key: raw.detach().clone() for key, raw in twin.raw.items()}
    with torch.no_grad():
        base = float(losses(twin, question.tasks, question.seed).sum())
    found, warnings = {}, list[str]()
    for c, width in zip(coordinates, widths, strict=True):
        ends = []
        for sign in (-1, 1):
            far, lowest = _end(c, sign, width, rise, _risen(twin, question, c, sign, start, base, refit))
            if math.isinf(far):
                side = "above" if sign > 0 else "below"
                warnings.append(f"{c.name} is not bounded {side} by the data: up to {plain(c.at(sign * c.room(sign)) / c.size, c.unit)} the loss "
                                "rises less than its errors")  # fmt: skip
            if lowest < -0.1 * rise:
                warnings.append(f"on the profile of {c.name} the loss is lower than at the fit by {-lowest:.2g}: give the fit more steps")
            ends.append(c.at(sign * min(far, c.room(sign))))
        found[c.name] = (ends[0], ends[1])
    put(twin, start)
    return found, list(dict.fromkeys(warnings))


def _risen(
    twin: Twin, question: Question, c: Coordinate, sign: int, start: Point, base: float, refit: Optimiser
) -> Callable[[float], float]:
    """Distance -> how far the loss has risen there, the others fitted from where they were at the place before."""
    key = c.name.replace(".", "__")
    others = dict(start)

    def risen(distance: float) -> float:
        value = torch.tensor(c.at(sign * distance), dtype=twin.dtype, device=twin.device)
        point = {**others, key: twin.bounds[c.name].inverse(value)}
        put(twin, point)
        if len(point) == 1:
            with torch.no_grad():
                return float(losses(twin, question.tasks, question.seed).sum()) - base
        walk = Walk(student=twin, trails=[Trail(point={k: v.clone() for k, v in point.items()})], fixed=frozenset({key}))
        begin(walk, refit)
        descend(walk, refit, question, lambda loss: None)
        others.update(walk.trails[0].point)
        return walk.trails[0].low - base

    return risen


def _end(c: Coordinate, sign: int, width: float, rise: float, risen: Callable[[float], float]) -> tuple[float, float]:
    """Where the loss has risen by `rise`, along one side; infinite if it has not at the bound; and the lowest rise met on the way.

    The root of the rise is nearly a straight line, of which the end is found by false position.
    """
    near, far, room, lowest = 0.0, math.inf, c.room(sign), 0.0
    low, high = -1.0, math.inf  # root of the rise in units of that of `rise`, minus 1
    at = min(width if 0 < width < math.inf else 0.5, room)
    for _ in range(LOOKS):
        step = risen(at)
        lowest = min(lowest, step)
        off = math.sqrt(max(step, 0.0) / rise) - 1
        if abs(off) < TOLERANCE:
            return at, lowest
        if off < 0:
            near, low = at, off
            if at >= room:
                return math.inf, lowest
        else:
            far, high = at, off
        if math.isinf(far):
            at = min(at * float(np.clip(1.05 / (1 + low) if low > -1 else 3.0, 1.2, 3.0)), room)
        else:
            share = -low / (high - low) if math.isfinite(high) else 0.5
            at = near + (far - near) * float(np.clip(share, 0.1, 0.9))
    return at, lowest
