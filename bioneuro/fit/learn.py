"""fit: a twin learns its free parameters, on a copy, from one start or from several at once, and goes on where it was stopped."""

import math
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from tqdm import tqdm

from bioneuro.fit import checkpoint as disk
from bioneuro.fit.optimisers import Optimiser, adam, lbfgs, strides
from bioneuro.fit.record import Fit, Start, Stopped
from bioneuro.fit.starts import Spread, Starts, draw, move_inside
from bioneuro.fit.walk import Question, Task, Trail, Walk, begin, descend, put
from bioneuro.measure import FitError, Loss
from bioneuro.model import Parameter
from bioneuro.protocol import Events, Protocol, once
from bioneuro.twin import Twin


def fit(
    twin: Twin,
    protocol: Protocol | Sequence[Protocol],
    *,
    loss: Loss | Sequence[Loss],
    optimiser: Optimiser | Sequence[Optimiser] | None = None,
    starts: Starts = 1,
    spread: Spread = None,
    validate: tuple[Any, Any] | None = None,
    good_enough: float | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    every: Any = "30 s",
    moments: bool = True,
    seed: int = 0,
    progress: bool | None = None,
) -> Fit:
    """Learn the free parameters of `twin` so that `loss` of what it records falls. The twin itself is left as it is.

    A free value nearer to a bound than 1 % of itself, or of the bounded interval if that is less, is moved away by that much first, as it
    could hardly move there; the fit's `moved` says so. Ctrl-C ends a fit and keeps the best values.

    Noisy rules are fitted through their mean and variance in event runs (`Twin.moments`); repetitions are then needed only once. Rules for
    which mean and variance do not suffice, such as those with thresholds on a noisy variable, are fitted through draws: ``moments=False``.

    Arguments:
        protocol, loss: one or several, pairwise; several losses are added.
        optimiser: `adam(...)`, `lbfgs(...)`, or several in turn; by default Adam for runs on the clock, and for event runs, whose
            loss and gradient are exact, a few steps of Adam out of flat regions and then L-BFGS.
        starts: from how many points the first optimiser goes down, all in one batch; later ones go on from the best of them alone. The first
            is the twin's own. One whose loss becomes infinite or NaN is dropped. Or a list of starts, each placed name -> value with its
            unit, in which the names left out are the twin's own.
        spread: where the others are drawn, by `seed`: None, evenly between the bounds (in the logarithm where they span decades, and within
            1 on the free line where one is infinite); a number, as far from the twin's own on the free line; or placed name -> (low, high)
            with units, in which the names left out stay as they are.
        validate: (protocol, loss) or (protocols, losses) that are held out: the best point is the best by them, and the fit stops when they
            have not fallen for the optimiser's `patience`.
        good_enough: stop when the loss is as low as that.
        checkpoint: a file to keep the fit in while it runs: called again after a kill or Ctrl-C, the fit goes on and ends bit for bit as if
            it had not been stopped (on the same machine with the same number of threads). A finished one is not done again.
        every: how often the file is written: a time with its unit, or a number of steps.
        moments: carry mean and variance of noisy rules in event runs; False: draw the noise, the same draws at every step.
        seed: of stimuli, of noise where it is drawn, and of the starts.

    Errors:
        FitError: nothing is free; protocols and losses do not pair up; several starts for an optimiser that cannot take them; a rate or spread
            of what is not free; or `checkpoint` is that of another fit: the message says what has changed.
    """
    question = Question(
        tasks=tasks(twin, protocol, loss, moments),
        held_out=tasks(twin, *_pair(validate), moments) if validate is not None else (),
        good_enough=-math.inf if good_enough is None else float(good_enough),
        seed=seed,
    )
    count = starts if isinstance(starts, int) else len(starts)
    stages = _stages(optimiser, question, count)
    student = twin.clone(twin.start)
    put(student, dict(twin.raw.items()))
    moved = move_inside(student)
    for stage in stages:
        strides(student, stage)  # refuses wrong names and units ahead of any work
    points = draw(student, starts, spread, seed)
    first = student.clone(student.start, copies=count) if count > 1 else student
    put(first, points if count > 1 else {key: value[0] for key, value in points.items()})
    trails = [Trail(point={key: value[k].clone() for key, value in points.items()}) for k in range(count)]
    run = _Run(walk=Walk(student=first, trails=trails), trails=trails)
    file = disk.file(checkpoint, every, disk.recipe(twin, question, stages, starts, spread)) if checkpoint is not None else None
    saved = disk.read(file) if file else None
    if saved is not None:
        _resume(run, stages, saved)
    shown = tqdm(total=sum(s.steps for s in stages), initial=run.steps, desc="fit", unit=" steps", leave=False, file=sys.stderr,
                 disable=not (sys.stderr.isatty() if progress is None else progress))  # fmt: skip
    _go(run, stages, question, shown, file)
    return _found(run, moved, bool(question.held_out))


@dataclass
class _Run:
    """A fit under way: the walk of the present stage, every start's trail, the start that goes on alone (-1: all go together)."""

    walk: Walk
    trails: list[Trail]
    number: int = 0
    begun: bool = False
    chosen: int = -1
    steps: int = 0
    kept: Any = field(default=None, repr=False)


def _go(run: _Run, stages: list[Optimiser], question: Question, shown: Any, file: Any) -> None:
    """All stages that are left."""

    def keep() -> None:
        if file:
            run.kept = disk.capture(run)
            disk.write_if_due(file, run.kept)

    def tell(loss: float) -> None:
        run.steps += 1
        shown.update()
        shown.set_postfix(loss=f"{loss:.4g}", best=f"{min(t.low for t in run.trails):.4g}")
        keep()

    try:
        while run.number < len(stages) and not (run.number and not run.begun and _over(run)):
            if not run.begun:
                if run.number:
                    _choose(run)
                begin(run.walk, stages[run.number])
                run.begun = True
            descend(run.walk, stages[run.number], question, tell)
            run.number, run.begun = run.number + 1, False
            keep()
    except KeyboardInterrupt:
        for trail in run.walk.trails:
            if not trail.closed:
                trail.stopped = Stopped.INTERRUPTED
    finally:
        shown.close()
    if file and run.kept is not None:
        disk.write(file, run.kept)


def _best(run: _Run) -> int:
    """The start that reached the lowest loss; one that was dropped only if all were."""
    dropped = [trail.stopped is Stopped.NOT_FINITE for trail in run.trails]
    return min(range(len(run.trails)), key=lambda k: (dropped[k], run.trails[k].low))


def _over(run: _Run) -> bool:
    """Whether later stages have nothing to do."""
    return run.trails[_best(run)].stopped in (Stopped.NOT_FINITE, Stopped.GOOD_ENOUGH, Stopped.HELD_OUT)


def _choose(run: _Run) -> None:
    """From a batch, go on with the best start alone."""
    if run.walk.student.copies:
        run.chosen = _best(run)
        _alone(run)


def _alone(run: _Run) -> None:
    student = run.walk.student
    single = student.clone(student.start)
    put(single, run.trails[run.chosen].point)
    run.walk = Walk(student=single, trails=[run.trails[run.chosen]])


def _resume(run: _Run, stages: list[Optimiser], saved: Any) -> None:
    """Put a run to where it was when it was written."""
    if disk.chosen(saved) >= 0:
        run.chosen = disk.chosen(saved)
        _alone(run)
    disk.put_back(run, stages, saved)


def _found(run: _Run, moved: Any, held_out: bool) -> Fit:
    k = run.chosen if run.chosen >= 0 else _best(run)
    trail = run.trails[k]
    if not np.isfinite(trail.low):
        if trail.stopped is Stopped.INTERRUPTED and not trail.losses:
            raise FitError("fit: interrupted before the first step was made; there is nothing to keep")
        what = "loss held out" if held_out and trail.losses else "loss at the start"
        raise FitError(f"fit: the {what} is not finite, or no step was made; check the starting values and bounds")
    if run.walk.student.copies:
        run.chosen = k
        _alone(run)
    student = run.walk.student
    put(student, trail.point)
    found = tuple(_start(t, student, held_out) for t in run.trails)
    mine = found[k]
    return Fit(
        circuit=student.circuit, twin=student, losses=mine.losses, values=mine.values, stopped=mine.stopped, starts=found,
        held_out=mine.held_out, gradients=mine.gradients, moved=moved,
    )  # fmt: skip


def _start(trail: Trail, student: Twin, held_out: bool) -> Start:
    points = {path: trail.point[path.replace(".", "__")] for path in student.free}
    best = {path: student.bounds[path].forward(point).cpu().numpy().astype(np.float64) for path, point in points.items()}
    return Start(
        values={path: np.array([v[path] for v in trail.values]) for path in student.free},
        best={path: Parameter(value=value, unit=student.start.values[path].unit) for path, value in best.items()},
        losses=np.array(trail.losses),
        held_out=np.array(trail.held_out if held_out else []),
        gradients=np.array(trail.gradients),
        stopped=trail.stopped or Stopped.STEPS,
    )


def _list(x: Any) -> list[Any]:
    return list(x) if isinstance(x, Sequence) else [x]


def _pair(validate: Any) -> tuple[Any, Any]:
    if not isinstance(validate, tuple | list) or len(validate) != 2:
        raise FitError(f"fit: validate={validate!r:.60}; give (protocol, loss), or (protocols, losses)")
    return validate[0], validate[1]


def _stages(optimiser: Any, question: Question, starts: int) -> list[Optimiser]:
    smooth = all(isinstance(task.protocol.stepping, Events) for task in question.tasks)
    stages = _list(optimiser or ((adam(0.1, steps=30), lbfgs()) if smooth else adam()))
    if starts > 1 and stages[0].joint:
        raise FitError("fit: several starts go down in one batch, which a line search cannot; put adam(...) first: optimiser=(adam(), lbfgs())")
    return stages


def tasks(twin: Twin, protocol: Any, loss: Any, moments: bool) -> tuple[Task, ...]:
    protocols, errors = _list(protocol), _list(loss)
    if not twin.free:
        raise FitError(f"fit: the twin has no free parameter; make it with free=[...]: {', '.join(sorted(twin.start.values))}")
    if twin.copies:
        raise FitError(f"fit: the twin has {twin.copies} copies; give one without, such as twin.copy(0), and say starts={twin.copies}")
    if len(protocols) != len(errors):
        raise FitError(f"fit: {len(protocols)} protocols and {len(errors)} losses; give one loss per protocol")
    noisy = moments and any("xi" in model.equations for model in twin.start.models.values())
    carried = [noisy and isinstance(p.stepping, Events) for p in protocols]
    return tuple(
        Task(protocol=once(p) if mean else p, loss=error, moments=mean) for p, error, mean in zip(protocols, errors, carried, strict=True)
    )


