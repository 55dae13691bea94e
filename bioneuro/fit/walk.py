"""One way down, for one start or for a batch of starts: what changes while a fit runs, and a stage of steps that changes it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bioneuro.fit.optimisers import Optimiser, strides
from bioneuro.fit.record import Stopped
from bioneuro.measure import FitError, Loss
from bioneuro.protocol import Protocol
from bioneuro.recording import pieces
from bioneuro.twin import Twin

Point = dict[str, Tensor]


@dataclass(frozen=True)
class Task:
    """A protocol and the loss of what it gives; with `moments`, of mean and variance instead of a draw."""

    protocol: Protocol
    loss: Loss
    moments: bool


@dataclass(frozen=True, kw_only=True)
class Question:
    """What a fit lowers, and when that is enough.

    Attributes:
        held_out: what decides when to stop, if it is not the loss itself.
    """

    tasks: Sequence[Task]
    held_out: Sequence[Task] = ()
    good_enough: float = -np.inf
    seed: int = 0


@dataclass
class Trail:
    """The course of one start, and its best point.

    Attributes:
        lows: the lowest loss so far behind every step of this stage.
        stopped: how this start ended in this stage, if it has.
        closed: it takes no more steps in this stage, and its last point has been looked at.
    """

    point: Point
    losses: list[float] = field(default_factory=list)
    held_out: list[float] = field(default_factory=list)
    gradients: list[float] = field(default_factory=list)
    values: list[dict[str, Any]] = field(default_factory=list)
    lows: list[float] = field(default_factory=list)
    low: float = np.inf
    stopped: Stopped | None = None
    closed: bool = False


@dataclass
class Walk:
    """Everything that changes in a stage; `leaves` is what the optimiser moves: the raw values in units of `strides`, where there are any.

    Attributes:
        fixed: keys of raw values that stay as they are.
    """

    student: Twin
    trails: list[Trail]
    strides: dict[str, Tensor] = field(default_factory=dict)
    leaves: Point = field(default_factory=dict)
    optimiser: torch.optim.Optimizer | None = None
    done: int = 0
    fixed: frozenset[str] = frozenset()


def losses(student: Twin, tasks: Sequence[Task], seed: int) -> Tensor:
    """The sum of the losses of every copy, shape (copies,), or (1,) of a twin without copies; NaN where a value itself is not finite.

    Errors:
        FitError: a loss gives something other than one number of torch.
    """
    total = torch.zeros(max(student.copies, 1), dtype=student.dtype, device=student.device)
    if not student.copies and not all(bool(torch.isfinite(value).all()) for value in student.values.values()):
        return total + torch.nan
    for task in tasks:
        seen = student.moments(task.protocol) if task.moments else student(task.protocol, seed=seed)
        found = [task.loss(part) for part in (pieces(seen, student.copies) if student.copies else [seen])]
        for value in found:
            if not isinstance(value, Tensor) or value.numel() != 1:
                what = f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
                raise FitError(f"fit: a loss gives {what}, not one number of torch; compute it from the recording's tensors and take its mean")
        total = total + torch.stack([value.reshape(()) for value in found])
    return total


def begin(walk: Walk, stage: Optimiser) -> None:
    """Go back to the best points and make the optimiser of a stage."""
    for k, trail in enumerate(walk.trails):
        _restore(walk.student, k, trail.point)
        trail.lows, trail.closed = [], trail.stopped is Stopped.NOT_FINITE
        trail.stopped = trail.stopped if trail.closed else None
    by_path = strides(walk.student, stage)
    walk.strides = {path.replace(".", "__"): stride for path, stride in by_path.items()}
    moving = {key: raw for key, raw in walk.student.raw.items() if key not in walk.fixed}
    walk.leaves = {key: (raw.detach() / walk.strides[key]).requires_grad_() if key in walk.strides else raw for key, raw in moving.items()}
    walk.optimiser, walk.done = stage.make(list(walk.leaves.values())), 0


def descend(walk: Walk, stage: Optimiser, question: Question, tell: Callable[[float], None]) -> None:
    """Take the steps of a stage that are left; `tell` is told the loss behind each. Every trail then says how it ended."""
    while walk.done < stage.steps and not all(trail.stopped for trail in walk.trails):
        _step(walk, stage, question)
        walk.done += 1
        tell(min((trail.losses[-1] for trail in walk.trails if trail.losses), default=np.inf))
    if any(not trail.closed for trail in walk.trails):  # the points after the last steps have not been looked at yet
        with torch.no_grad():
            found = losses(walk.student, question.tasks, question.seed).tolist()
        held, values = _held_out(walk.student, question), _values(walk.student)
        for k, trail in enumerate(walk.trails):
            if not trail.closed and np.isfinite(found[k]):
                _note(trail, walk.student, k, values, found[k], held[k], np.nan)
                if found[k] <= question.good_enough:
                    trail.stopped = Stopped.GOOD_ENOUGH
            elif not trail.closed:
                trail.stopped = Stopped.NOT_FINITE
    for k, trail in enumerate(walk.trails):
        trail.stopped, trail.closed = trail.stopped or Stopped.STEPS, True
        _restore(walk.student, k, trail.point)


def _step(walk: Walk, stage: Optimiser, question: Question) -> None:
    """One step of the optimiser from the present points, of which losses and gradients are noted."""
    student, before = walk.student, {key: raw.detach().clone() for key, raw in walk.student.raw.items()}
    held, first, norms = _held_out(student, question), list[float](), list[float]()
    moving = [k for k, trail in enumerate(walk.trails) if not trail.closed]

    def closure() -> Any:
        walk.optimiser.zero_grad()  # type: ignore[union-attr]
        student.zero_grad()
        _spread(walk)
        found = losses(student, question.tasks, question.seed)
        total = found[moving].sum()
        if stage.joint and not bool(torch.isfinite(total)):
            return _wall(walk, first)
        total.backward()
        _gather(walk)
        if not first:
            first.extend(found.tolist())
            norms.extend(_norms(student))
        return total

    walk.optimiser.step(closure)  # type: ignore[union-attr]
    _spread(walk)
    after = {key: raw.detach().clone() for key, raw in student.raw.items()}
    put(student, before)
    values = _values(student)
    for k in moving:
        trail, behind = walk.trails[k], _row(student, after, k)
        if trail.stopped:  # this was the look at the point after its last step
            _note(trail, student, k, values, first[k], held[k], np.nan)
            trail.closed = True
            continue
        if np.isfinite(first[k]):
            _note(trail, student, k, values, first[k], held[k], norms[k])
        trail.stopped = _ended(trail, stage, question, first[k], all(bool(torch.isfinite(v).all()) for v in behind.values()))
        trail.closed = trail.stopped is not None and trail.stopped is not Stopped.CONVERGED
    put(student, after)
    for k, trail in enumerate(walk.trails):
        if trail.closed:
            _restore(student, k, trail.point)
            _settle(walk, k)
    if any(trail.stopped is Stopped.GOOD_ENOUGH for trail in walk.trails):
        for trail in walk.trails:
            trail.stopped, trail.closed = trail.stopped or Stopped.ANOTHER, True


def _wall(walk: Walk, first: list[float]) -> Tensor:
    """What a line search is told where it has gone too far: a high loss without slope, from which it turns back; at its first look NaN."""
    for leaf in walk.leaves.values():
        leaf.grad = torch.zeros_like(leaf)
    if not first:
        first.append(np.nan)
        return torch.full((), torch.nan, dtype=walk.student.dtype)
    return torch.full((), first[0] + 1e3 * (abs(first[0]) + 1e-9), dtype=walk.student.dtype)


def _ended(trail: Trail, stage: Optimiser, question: Question, loss: float, finite: bool) -> Stopped | None:
    trail.lows.append(trail.low)
    if not np.isfinite(loss) or not finite:
        return Stopped.NOT_FINITE
    if loss <= question.good_enough:
        return Stopped.GOOD_ENOUGH
    lows, far = trail.lows, len(trail.lows) > stage.patience
    if question.held_out:
        return Stopped.HELD_OUT if far and not lows[-1] < lows[-1 - stage.patience] else None
    return Stopped.CONVERGED if far and lows[-1 - stage.patience] - lows[-1] < stage.gain * max(abs(lows[-1]), 1e-12) else None


def _held_out(student: Twin, question: Question) -> list[float]:
    if not question.held_out:
        return [np.nan] * max(student.copies, 1)
    with torch.no_grad():
        found = losses(student, question.held_out, question.seed).tolist()
    return [x if np.isfinite(x) else np.inf for x in found]


def _values(student: Twin) -> dict[str, Any]:
    return {path: value.detach().cpu().numpy() for path, value in student.values.items()}


def _note(trail: Trail, student: Twin, k: int, values: dict[str, Any], loss: float, held: float, norm: float) -> None:
    trail.losses.append(loss)
    trail.held_out.append(held)
    trail.gradients.append(norm)
    trail.values.append({path: value[k] if student.copies else value for path, value in values.items()})
    judged = loss if np.isnan(held) else held
    if judged < trail.low:
        trail.low, trail.point = judged, _row(student, student.raw, k)


def _row(student: Twin, point: Any, k: int) -> Point:
    """The part of a point that belongs to copy `k`."""
    return {key: (value.detach()[k] if student.copies else value.detach()).clone() for key, value in point.items()}


def _restore(student: Twin, k: int, point: Point) -> None:
    with torch.no_grad():
        for key, value in point.items():
            (student.raw[key][k] if student.copies else student.raw[key]).copy_(value)


def put(student: Twin, point: Point) -> None:
    """Move a twin to a point of its free lines."""
    with torch.no_grad():
        for key, value in point.items():
            student.raw[key].copy_(value)


def _spread(walk: Walk) -> None:
    """Raw values from leaves."""
    with torch.no_grad():
        for key, stride in walk.strides.items():
            walk.student.raw[key].copy_(walk.leaves[key] * stride)


def _settle(walk: Walk, k: int) -> None:
    """Leaves of copy `k` from its raw values."""
    with torch.no_grad():
        for key, stride in walk.strides.items():
            row = k if walk.student.copies else ...
            walk.leaves[key][row] = walk.student.raw[key][row] / stride[row]


def _gather(walk: Walk) -> None:
    """Gradients of the leaves; those of copies that take no more steps vanish."""
    for key, raw in walk.student.raw.items():
        if raw.grad is None:
            continue
        if walk.student.copies:
            for k, trail in enumerate(walk.trails):
                if trail.closed:
                    raw.grad[k] = 0
        if key in walk.strides:
            walk.leaves[key].grad = raw.grad * walk.strides[key]


def _norms(student: Twin) -> list[float]:
    rows = max(student.copies, 1)
    squares = torch.zeros(rows, dtype=student.dtype, device=student.device)
    for raw in student.raw.values():
        if raw.grad is not None:
            squares = squares + raw.grad.reshape(rows, -1).square().sum(dim=1)
    return [float(x) for x in squares.sqrt()]
