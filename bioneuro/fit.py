"""fit: a twin learns its free parameters from recordings, on a copy; replay: the fitted circuit runs in Brian2 and must agree."""

import enum
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from bioneuro import brian, measure, units
from bioneuro.evidence.points import Points
from bioneuro.model import Circuit
from bioneuro.protocol import Events, Protocol, once
from bioneuro.recording import Recording
from bioneuro.twin import Twin
from bioneuro.verify import Verdict, verify

Loss = Callable[[Recording], Tensor]


class FitError(ValueError):
    """A fit cannot be started as asked."""


class Stopped(enum.Enum):
    """How a fit ended, and what to do about it."""

    CONVERGED = "the loss no longer falls; if it is far above what the target's errors allow, start elsewhere: this is a local minimum"
    STEPS = "all steps were used while the loss still fell: give the optimiser more steps"
    NOT_FINITE = "the loss or a gradient became infinite or NaN: narrow the bounds, start elsewhere, or lower the learning rate"
    INTERRUPTED = "interrupted by the user; the best values so far are kept"


@dataclass(frozen=True, kw_only=True, eq=False)
class Fit:
    """What a fit found.

    Attributes:
        circuit: the circuit with the best values; give it to `bioneuro.brian.simulate`.
        twin: its twin.
        losses: loss before every step, and at the end of every stage.
        values: placed name -> value of every step, in SI, shape (steps, ...).
        stopped: how it ended.
    """

    circuit: Circuit
    twin: Twin
    losses: np.ndarray[Any, Any]
    values: Mapping[str, np.ndarray[Any, Any]]
    stopped: Stopped

    def __str__(self) -> str:
        lines = [f"loss {self.losses[0]:.4g} -> {self.losses.min():.4g} in {len(self.losses)} steps; {self.stopped.value}"]
        for path in self.twin.free:
            before, after = self.twin.start.values[path], self.circuit.values[path]
            scale = units.unit(after.unit).scale
            was = np.asarray(self.values[path][0] / scale)
            unit = "" if after.unit == "1" else f" {after.unit}"
            lines.append(f"  {path}: {was.mean():.6g}{unit} -> {after}" if was.ndim == 0 else f"  {path}: {before.value.size} values")
        return "\n".join(lines)


@dataclass(frozen=True)
class Optimiser:
    """A way down: `make` gives a torch optimiser for parameters; `steps` at most; converged when `patience` steps gain less than `gain`."""

    make: Callable[[Sequence[Tensor]], torch.optim.Optimizer]
    steps: int
    patience: int
    gain: float


def adam(rate: float = 0.05, *, steps: int = 400, patience: int = 40, gain: float = 1e-4) -> Optimiser:
    """Adam (Kingma & Ba 2015): robust against noisy gradients. `rate` is in units of the bounded parameters' free line."""
    return Optimiser(make=lambda p: torch.optim.Adam(p, lr=rate), steps=steps, patience=patience, gain=gain)


def lbfgs(*, steps: int = 60, patience: int = 4, gain: float = 1e-6) -> Optimiser:
    """Limited-memory BFGS with a strong Wolfe line search: fast where loss and gradient are exact, as in event runs."""

    def make(p: Sequence[Tensor]) -> torch.optim.Optimizer:
        return torch.optim.LBFGS(p, max_iter=5, history_size=20, line_search_fn="strong_wolfe")

    return Optimiser(make=make, steps=steps, patience=patience, gain=gain)


def curve_error(target: Recording | measure.Curve | Points, of: measure.Measure = measure.weight_ratio, *, within: Any = None) -> Loss:
    """Mean squared distance of a curve from the target's.

    From a recording or a curve it is in units of the target's mean standard error (1 if it has none). From measured points every
    point is in units of its own standard error; those without one count like the mean of the others (1 if there is none at all).

    Arguments:
        of: the measure that gives the curve; for points it must give what they are the means of.
        within: for points only, how far the nearest trial may be from a point, as in `bioneuro.measure.nearest`; by default it must be there.

    Raises:
        FitError: `within` is given for something other than points. The loss itself raises it, or for points `MeasureError`, where the
            curve has other conditions than its target.
    """
    if isinstance(target, Points):
        return _points_error(target, of, within)
    if within is not None:
        raise FitError(f"curve_error: within={within!r} is for measured points; a {type(target).__name__} needs the same trials as the fit")
    wanted = of(target) if isinstance(target, Recording) else target
    y = np.asarray(wanted.y, dtype=np.float64)
    error = float(np.sqrt(np.mean(np.square(np.asarray(wanted.error))))) or 1.0

    def loss(seen: Recording) -> Tensor:
        curve = of(seen)
        if not np.allclose(curve.x, wanted.x):
            raise FitError(f"curve_error: the curve has {curve.x.size} points along its coordinate, the target {wanted.x.size} others")
        return torch.mean(((curve.y - torch.as_tensor(y, dtype=curve.y.dtype, device=curve.y.device)) / error) ** 2)

    return loss


def _points_error(points: Points, of: measure.Measure, within: Any) -> Loss:
    known = points.sem[np.isfinite(points.sem)]
    usual = float(np.sqrt(np.mean(known**2))) if known.size else 1.0
    sem = np.where(np.isfinite(points.sem), points.sem, usual)

    def loss(seen: Recording) -> Tensor:
        y = measure.nearest(of(seen), points, within=within).y
        mean, error = (torch.tensor(values, dtype=y.dtype, device=y.device) for values in (points.mean, sem))
        return torch.mean(((y - mean) / error) ** 2)

    return loss


def fit(
    twin: Twin,
    protocol: Protocol | Sequence[Protocol],
    *,
    loss: Loss | Sequence[Loss],
    optimiser: Optimiser | Sequence[Optimiser] | None = None,
    moments: bool = True,
    seed: int = 0,
    progress: bool | None = None,
) -> Fit:
    """Learn the free parameters of `twin` so that `loss` of what it records falls. The twin itself is left as it is.

    Noisy rules are fitted through their mean and variance in event runs (`Twin.moments`); repetitions are then needed only once. Rules for
    which mean and variance do not suffice, such as those with thresholds on a noisy variable, are fitted through draws: ``moments=False``.

    Arguments:
        protocol, loss: one or several, pairwise; several losses are added.
        optimiser: `adam(...)`, `lbfgs(...)`, or several in turn; by default Adam for runs on the clock, and for event runs, whose
            loss and gradient are exact, a few steps of Adam out of flat regions and then L-BFGS.
        moments: carry mean and variance of noisy rules in event runs; False: draw the noise, the same draws at every step.
        seed: of stimuli, and of noise where it is drawn.

    Errors:
        FitError: nothing is free, or protocols and losses do not pair up.
    """
    tasks = _tasks(twin, protocol, loss, moments)
    student = twin.clone()
    state = _Best(student)
    smooth = all(isinstance(p.stepping, Events) for p, _, _ in tasks)
    stages = optimiser or ((adam(0.1, steps=30), lbfgs()) if smooth else adam())
    stopped = Stopped.STEPS
    shown = tqdm(total=sum(s.steps for s in _list(stages)), desc="fit", unit=" steps", leave=False, file=sys.stderr,
                 disable=not (sys.stderr.isatty() if progress is None else progress))  # fmt: skip
    try:
        for stage in _list(stages):
            state.go_back()
            stopped = _descend(student, tasks, stage, state, seed, shown)
            if stopped is Stopped.NOT_FINITE:
                break
            with torch.no_grad():  # the point after the last step has not been looked at yet
                state.note(float(_total(student, tasks, seed)))
    except KeyboardInterrupt:
        stopped = Stopped.INTERRUPTED
    finally:
        shown.close()
    if not state.losses:
        raise FitError("fit: the loss at the start is not finite, or no step was made; check the starting values and bounds")
    state.go_back()
    return Fit(
        circuit=student.circuit,
        twin=student,
        losses=np.array(state.losses),
        values={path: np.stack([v[path] for v in state.values]) for path in student.free},
        stopped=stopped,
    )


def _list(x: Any) -> list[Any]:
    return list(x) if isinstance(x, Sequence) else [x]


def _tasks(twin: Twin, protocol: Any, loss: Any, moments: bool) -> list[tuple[Protocol, Loss, bool]]:
    protocols, losses = _list(protocol), _list(loss)
    if not twin.free:
        raise FitError(f"fit: the twin has no free parameter; make it with free=[...]: {', '.join(sorted(twin.start.values))}")
    if len(protocols) != len(losses):
        raise FitError(f"fit: {len(protocols)} protocols and {len(losses)} losses; give one loss per protocol")
    noisy = moments and any("xi" in model.equations for model in twin.start.models.values())
    tasks = []
    for p, error in zip(protocols, losses, strict=True):
        carried = noisy and isinstance(p.stepping, Events)
        tasks.append((once(p) if carried else p, error, carried))
    return tasks


def _total(student: Twin, tasks: list[tuple[Protocol, Loss, bool]], seed: int) -> Tensor:
    total = torch.zeros((), dtype=student.dtype, device=student.device)
    for protocol, loss, moments in tasks:
        total = total + loss(student.moments(protocol) if moments else student(protocol, seed=seed))
    return total


class _Best:
    """Losses and values along the way, and the best point."""

    def __init__(self, student: Twin) -> None:
        self.student = student
        self.losses: list[float] = []
        self.values: list[dict[str, Any]] = []
        self.low, self.point = np.inf, {k: v.detach().clone() for k, v in student.raw.items()}

    def note(self, loss: float) -> None:
        self.losses.append(loss)
        self.values.append({path: value.detach().cpu().numpy() for path, value in self.student.values.items()})
        if loss < self.low:
            self.low, self.point = loss, {k: v.detach().clone() for k, v in self.student.raw.items()}

    def go_back(self) -> None:
        with torch.no_grad():
            for key, value in self.point.items():
                self.student.raw[key].copy_(value)


def _descend(
    student: Twin, tasks: list[tuple[Protocol, Loss, bool]], stage: Optimiser, state: _Best, seed: int, shown: Any
) -> Stopped:
    optimiser = stage.make(list(student.raw.values()))
    bests: list[float] = []

    def closure() -> Any:
        optimiser.zero_grad()
        loss = _total(student, tasks, seed)
        loss.backward()
        state_loss.append(float(loss.detach()))
        return loss

    for _ in range(stage.steps):
        state_loss: list[float] = []
        before = {k: v.detach().clone() for k, v in student.raw.items()}
        optimiser.step(closure)
        if not np.isfinite(state_loss[0]) or any(not torch.isfinite(v).all() for v in student.raw.values()):
            state.go_back()
            return Stopped.NOT_FINITE
        after = {k: v.detach().clone() for k, v in student.raw.items()}
        _put(student, before)
        state.note(state_loss[0])  # the loss belongs to the point before the step
        _put(student, after)
        bests.append(state.low)
        shown.update()
        shown.set_postfix(loss=f"{state.low:.4g}")
        if len(bests) > stage.patience and bests[-1 - stage.patience] - bests[-1] < stage.gain * max(abs(bests[-1]), 1e-12):
            return Stopped.CONVERGED
    return Stopped.STEPS


def _put(student: Twin, point: Mapping[str, Tensor]) -> None:
    with torch.no_grad():
        for key, value in point.items():
            student.raw[key].copy_(value)


def replay(
    fitted: Fit, protocol: Protocol, *, seed: int, targets: Sequence[str] = ("cpp", "cython", "numpy"), tolerance: float = 1e-9
) -> Mapping[str, Verdict]:
    """Run the fitted circuit in Brian2 and compare with the fitted twin, draw for draw: one verdict per target."""
    with torch.no_grad():
        twin = fitted.twin(protocol, seed=seed).detached()
    return {t: verify(brian.simulate(fitted.circuit, protocol, seed=seed, target=t), twin, tolerance) for t in targets}
