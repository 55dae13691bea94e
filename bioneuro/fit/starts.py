"""Where fits begin: inside the bounds, and from several points at once."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bioneuro import units
from bioneuro.measure import FitError
from bioneuro.model import Parameter
from bioneuro.records import did_you_mean
from bioneuro.twin import Twin

INSIDE = 0.01
"""How near a bound a fit may start, as a share of the value, and of the bounded interval: nearer to it a value hardly moves."""

Floats = NDArray[np.float64]
Spread = float | Mapping[str, tuple[Any, Any]] | None
Starts = int | Sequence[Mapping[str, Any]]


def move_inside(twin: Twin) -> dict[str, tuple[Parameter, Parameter]]:
    """Move the free values of a twin away from their bounds; returns those that were moved, before and after."""
    moved = {}
    for path in twin.free:
        raw, given = twin.raw[path.replace(".", "__")], _given(twin, path)
        value, near = _inside(given)
        if not near.any():
            continue
        with torch.no_grad():
            raw.copy_(torch.where(torch.as_tensor(near), _on_line(twin, path, value), raw))
        moved[path] = (given, Parameter(value=twin.value(path).detach().cpu().numpy().astype(np.float64), unit=given.unit))
    return moved


def _inside(given: Parameter) -> tuple[Floats, Any]:
    """Values at least `INSIDE` from both bounds, and which of them were nearer.

    The map is an exponential near a bound: what doubles with every so many steps is the distance from the bound, not the value. So the
    distance is measured against the value itself (a value of 0 has its unit), or against the interval (of logarithms where the bounds span
    decades), where that is less.
    """
    value, low, high = given.value, given.low, given.high
    size = INSIDE * np.where(value == 0, units.unit(given.unit).scale, np.abs(value))
    if low > 0 and 10 * low < high < math.inf:
        below, above = low * math.expm1(INSIDE * math.log(high / low)), -high * math.expm1(-INSIDE * math.log(high / low))
    else:
        below = above = INSIDE * (high - low)
    least, most = low + np.minimum(size, below), high - np.minimum(size, above)
    return np.clip(value, least, most), (value < least) | (value > most)


def _on_line(twin: Twin, path: str, value: Any) -> Tensor:
    """Points of the free line for SI values that are not on a bound, however near."""
    bounds, raw = twin.bounds[path], twin.raw[path.replace(".", "__")]
    x = torch.tensor(np.array(value), dtype=raw.dtype, device=raw.device)
    ends = math.isfinite(bounds.low), math.isfinite(bounds.high)
    if sum(ends) == 1:
        return torch.log((x - bounds.low if ends[0] else bounds.high - x) / bounds.scale)
    return bounds.inverse(x)


def _given(twin: Twin, path: str) -> Parameter:
    """The present value; that of the circuit where the twin still stands at it, since the raw value of a bound is not quite the bound."""
    start, raw = twin.start.values[path], twin.raw[path.replace(".", "__")].detach()
    value = torch.tensor(np.array(start.value), dtype=twin.dtype, device=twin.device)
    return start if torch.equal(twin.bounds[path].inverse(value), raw) else twin.circuit.values[path]


def draw(twin: Twin, starts: Starts, spread: Spread, seed: int) -> dict[str, Tensor]:
    """Points of the free line for every start, by key of `Twin.raw`, shape (start, ...); of a number of starts the first is where the twin is.

    Errors:
        FitError: no start; a start or `spread` names what is not free; `spread` lies outside the bounds, or is no positive number.
        ModelError: a start lies outside the bounds. UnitError: a wrong unit.
    """
    if not isinstance(starts, int):
        return _given_points(twin, starts, spread)
    if isinstance(starts, bool) or starts < 1:
        raise FitError(f"fit: starts={starts!r}; give a whole number from 1 on, or a list of placed names with values")
    limits = _limits(twin, spread)
    random = np.random.default_rng(seed)
    drawn: dict[str, list[Tensor]] = {path: [twin.raw[path.replace(".", "__")].detach().clone()] for path in twin.free}
    for _ in range(starts - 1):
        for path, points in drawn.items():
            here = points[0]
            share = torch.as_tensor(random.random(tuple(here.shape)), dtype=here.dtype, device=here.device)
            points.append(limits[path](share, here))
    return {path.replace(".", "__"): torch.stack(points) for path, points in drawn.items()}


def _given_points(twin: Twin, starts: Sequence[Mapping[str, Any]], spread: Spread) -> dict[str, Tensor]:
    if not isinstance(starts, Sequence) or not starts or not all(isinstance(values, Mapping) for values in starts) or spread is not None:
        raise FitError(f"fit: starts={starts!r:.60} with spread={spread!r:.30}; give a number of starts, or a list of placed names with values alone")
    rows: dict[str, list[Tensor]] = {path: [] for path in twin.free}
    for values in starts:
        for path in values:
            if path not in twin.free:
                raise FitError(f"starts: {path!r} is not free; free: {', '.join(twin.free)}.{did_you_mean(path, twin.free)}")
        circuit = twin.start.with_values(values)
        for path, points in rows.items():
            raw = twin.raw[path.replace(".", "__")].detach()
            points.append(_on_line(twin, path, _inside(circuit.values[path])[0]) if path in values else raw.clone())
    return {path.replace(".", "__"): torch.stack(points) for path, points in rows.items()}


def _limits(twin: Twin, spread: Spread) -> dict[str, Any]:
    """Placed name -> function from shares between 0 and 1, and the present point, to a point of the line."""
    if isinstance(spread, Mapping):
        for path in spread:
            if path not in twin.free:
                raise FitError(f"spread: {path!r} is not free; free: {', '.join(twin.free)}.{did_you_mean(path, twin.free)}")
        return {path: _between(twin, path, spread[path]) if path in spread else (lambda share, here: here) for path in twin.free}
    if spread is not None and not (isinstance(spread, int | float) and math.isfinite(spread) and spread > 0):
        raise FitError(f"spread={spread!r:.60}; give None, a positive distance on the free line, or placed names with two values each")
    if spread is not None:
        return dict.fromkeys(twin.free, lambda share, here: here + spread * (2 * share - 1))
    return {path: _everywhere(twin, path) for path in twin.free}


def _everywhere(twin: Twin, path: str) -> Any:
    """Even over the interval, or over its logarithm where the bounds span decades; within 1 on the line where a bound is infinite."""
    bounds = twin.bounds[path]
    if math.isfinite(bounds.low) and math.isfinite(bounds.high):
        return lambda share, here: torch.logit(INSIDE + (1 - 2 * INSIDE) * share)
    return lambda share, here: here + (2 * share - 1)


def _between(twin: Twin, path: str, ends: Any) -> Any:
    given, bounds, unit = twin.start.values[path], twin.bounds[path], twin.start.values[path].unit
    if not isinstance(ends, tuple | list) or len(ends) != 2:
        raise FitError(f"spread: {path}: {ends!r:.60}; give two values, such as ('5 {unit}', '20 {unit}')")
    low, high = (float(units.in_unit(end, unit, f"spread: {path}")) for end in ends)
    if not bounds.low <= low < high <= bounds.high:
        scale = units.unit(unit).scale
        raise FitError(
            f"spread: {path}: from {low / scale:g} to {high / scale:g} {unit}; give rising values within its bounds "
            f"[{bounds.low / scale:g}, {bounds.high / scale:g}] {unit}"
        )
    wide = low > 0 and high / low > 10

    def point(share: Tensor, here: Tensor) -> Tensor:
        value = low * (high / low) ** share if wide else low + (high - low) * share
        return _on_line(twin, path, _inside(dataclasses.replace(given, value=value.cpu().numpy()))[0])

    return point
