"""search: what optimisers find in as many simulated runs, with a gradient and without.

A point is a row of numbers: the free values of a twin on the free line, in the order of `Twin.free`; every free value is a single number.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from bioneuro.fit.learn import fit
from bioneuro.fit.optimisers import Optimiser
from bioneuro.measure import FitError, Loss
from bioneuro.protocol import Coordinate
from bioneuro.protocol import Protocol as Experiment
from bioneuro.recording import Recording, pieces
from bioneuro.twin import Twin

Floats = NDArray[np.float64]

BACKWARD = 3
"""What a run with its gradient costs, in runs: one forward, and about two for the way back."""


class Searcher(Protocol):
    """What CMA-ES of the package cma is, for one: ``ask()`` gives points, ``tell(points, errors)`` takes what they are worth."""

    def ask(self) -> Sequence[Any]: ...

    def tell(self, solutions: Sequence[Any], function_values: Sequence[float]) -> Any: ...


@dataclass(frozen=True, kw_only=True, eq=False)
class Found:
    """What was found from several points side by side.

    Attributes:
        errors: the lowest error so far after every run, shape (start, run).
        points: number of runs -> the best point until then, shape (start, number).
        took: seconds of wall time.
    """

    errors: Floats
    points: dict[int, Floats]
    took: float


def point(twin: Twin) -> Floats:
    """The free values of a twin as a point."""
    return np.concatenate([raw.detach().cpu().numpy().ravel() for raw in twin.raw.values()])


def at(twin: Twin, points: Any) -> Twin:
    """The twin with a copy for each of `points`, shape (copy, number)."""
    made = twin.clone(copies=len(points))
    _put(made, np.asarray(points))
    return made


def between(twin: Twin, limits: Mapping[str, tuple[Any, Any]], count: int, *, seed: int) -> Floats:
    """`count` points drawn evenly on the free line between two values, with units, of every free name."""
    low, high = (point(twin.clone(twin.start.with_values({path: both[k] for path, both in limits.items()}))) for k in (0, 1))
    return np.asarray(low + (high - low) * np.random.default_rng(seed).random((count, low.size)))


def _put(copies: Twin, points: Floats) -> None:
    with torch.no_grad():
        for raw, column in zip(copies.raw.values(), torch.as_tensor(np.array(points.T), dtype=copies.dtype), strict=True):
            raw.copy_(column)


def as_trials(experiment: Experiment, twin: Twin, points: Any, *axes: str) -> Experiment:
    """`experiment`, which has one trial, with a trial for each of `points`, shape (..., number); the axes before the last are coordinates."""
    points = np.asarray(points)
    if experiment.n_trials != 1 or len(axes) != points.ndim - 1:
        raise FitError(
            f"as_trials: {experiment.n_trials} trials and {len(axes)} names for points of shape {points.shape}; give one trial, a name for each axis"
        )
    rows, where = points.reshape(-1, points.shape[-1]), np.indices(points.shape[:-1])
    return dataclasses.replace(
        experiment,
        trials={name: Coordinate(values=index.ravel().astype(np.float64)) for name, index in zip(axes, where, strict=True)},
        stimulus=np.zeros(len(rows), np.int64),
        settings={path: x.detach().cpu().numpy() for path, x in at(twin, rows).values.items()},
        currents={name: dataclasses.replace(c, value=np.tile(c.value, (1, len(rows)))) for name, c in experiment.currents.items()},
        phases={name: dataclasses.replace(c, value=np.tile(c.value, (1, len(rows)))) for name, c in experiment.phases.items()},
    )


def errors(twin: Twin, experiment: Experiment, loss: Loss, *, seed: int = 0) -> Floats:
    """The loss of every copy of a twin, without gradient; NaN and infinity are 1e9."""
    with torch.no_grad():
        whole = twin(experiment, seed=seed)
    found = np.array([float(loss(one)) for one in pieces(whole, max(1, twin.copies))])
    return np.where(np.isfinite(found), found, 1e9)


def scan(twin: Twin, experiment: Experiment, loss: Loss, points: Any, path: str, shifts: Any, *, seed: int = 0) -> Floats:
    """Of every point, the one with the lowest loss among those with `shifts` (SI) added to the free value `path`; all within its bounds."""
    bounds, column = twin.bounds[path], twin.free.index(path)
    tried = np.tile(np.asarray(points)[None], (len(shifts), 1, 1))
    values = bounds.forward(torch.as_tensor(tried[:, :, column])) + torch.as_tensor(np.asarray(shifts))[:, None]
    tried[:, :, column] = bounds.inverse(values.clamp(bounds.low, bounds.high)).numpy()
    found = errors(at(twin, tried.reshape(-1, tried.shape[2])), experiment, loss, seed=seed).reshape(tried.shape[:2])
    return np.asarray(tried[found.argmin(axis=0), np.arange(tried.shape[1])])


def descend(twin: Twin, experiment: Experiment, loss: Loss, points: Any, optimiser: Optimiser, *, seed: int = 0) -> Found:
    """Fit a twin from each of `points`, one after the other. Every look at the loss counts for `BACKWARD` runs.

    Fits that end sooner than the longest of them keep what they found.
    """
    courses: list[list[float]] = []
    ends, began = [], perf_counter()
    for copy in range(len(points)):
        seen: list[float] = []

        def noted(recording: Recording, seen: list[float] = seen) -> Any:
            value = loss(recording)
            seen.append(float(value.detach()))
            return value

        ends.append(point(fit(at(twin, points).copy(copy), experiment, loss=noted, optimiser=optimiser, seed=seed, progress=False).twin))
        courses.append(seen)
    longest = max(map(len, courses))
    course = np.array([seen + seen[-1:] * (longest - len(seen)) for seen in courses])
    lowest = np.repeat(np.fmin.accumulate(course, axis=1), BACKWARD, axis=1)
    return Found(errors=lowest, points={lowest.shape[1]: np.array(ends)}, took=perf_counter() - began)


def search(
    twin: Twin, experiment: Experiment, loss: Loss, searchers: Sequence[Searcher], runs: Sequence[int], *, seed: int = 0
) -> Found:
    """Let `searchers`, which know errors only, look for the lowest loss, all in one batch of copies of `twin`.

    Arguments:
        searchers: all ask for as many points at a time.
        runs: at which numbers of runs, each, the best points are kept; the largest ends the search.
    """
    stops, kept, began = sorted(runs), {}, perf_counter()
    low, best = np.full(len(searchers), np.inf), np.zeros((len(searchers), len(twin.free)))
    course: list[Floats] = []
    copies: Twin | None = None
    while len(course) < stops[-1]:
        asked = np.array([one.ask() for one in searchers])
        points = asked.reshape(-1, asked.shape[-1])
        copies = copies or at(twin, points)
        _put(copies, points)
        found = errors(copies, experiment, loss, seed=seed).reshape(asked.shape[:2])
        for k, one in enumerate(searchers):
            one.tell(list(asked[k]), found[k].tolist())
        for column, tried in zip(found.T, asked.transpose(1, 0, 2), strict=True):
            better = column < low
            low, best = np.where(better, column, low), np.where(better[:, None], tried, best)
            course.append(low)
            if len(course) in stops:
                kept[len(course)] = best
    return Found(errors=np.stack(course, axis=1)[:, : stops[-1]], points=kept, took=perf_counter() - began)


def courses(found: Mapping[str, Found], cost: float) -> dict[str, Any]:
    """The lowest error so far as traces of a `Recording`: name -> (start, run, 1), at `cost` seconds for every run.

    What ended early is carried on to the end of the longest.
    """
    longest = max(one.errors.shape[1] for one in found.values())
    padded = {name: np.pad(one.errors, ((0, 0), (0, longest - one.errors.shape[1])), mode="edge") for name, one in found.items()}
    starts = {one.shape[0] for one in padded.values()}.pop()
    return {
        "traces": {name: errors[:, :, None] for name, errors in padded.items()},
        "units": dict.fromkeys(padded, "1"),
        "times": np.tile(cost * np.arange(1, longest + 1), (starts, 1)),
    }


def costs(found: Mapping[str, Found]) -> tuple[str, ...]:
    """In words, for the notes of a recording: what each took."""
    return tuple(f"{name}: {one.errors.shape[0]} starts of {one.errors.shape[1]} runs, {one.took:.0f} s" for name, one in found.items())
