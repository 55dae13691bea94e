"""What a fit finds, for every start, and how it ended."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bioneuro import units
from bioneuro.model import Circuit, Parameter
from bioneuro.twin import Twin

Floats = NDArray[np.float64]


class Stopped(enum.Enum):
    """How a fit ended, and what to do about it."""

    CONVERGED = "the loss no longer falls; if it is far above what the target's errors allow, start elsewhere: this is a local minimum"
    GOOD_ENOUGH = "the loss asked for is reached; ask for a lower one to go on"
    HELD_OUT = (
        "the loss on what was held out no longer falls: the best point by it is kept; to learn more, give more data or free fewer parameters"
    )
    STEPS = "all steps were used while the loss still fell: give the optimiser more steps"
    NOT_FINITE = "the loss or a gradient became infinite or NaN: narrow the bounds, start elsewhere, or lower the learning rate"
    ANOTHER = "another start reached the loss asked for first; ask for a lower one to see where this one leads"
    INTERRUPTED = (
        "interrupted by the user; the best values so far are kept: call fit again with the same checkpoint to go on, or start from Fit.circuit"
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Start:
    """What became of one start.

    Attributes:
        values: placed name -> value before every step, SI, shape (steps, ...); the first is where it started.
        best: placed name -> value of the best point of this start; ``starts=[s.best for s in found.starts]`` goes on from all of them.
        losses, held_out, gradients: as in `Fit`.
        stopped: how it ended; for the start that later optimisers went on from, how the whole fit ended.
    """

    values: Mapping[str, Floats]
    best: Mapping[str, Parameter]
    losses: Floats
    held_out: Floats
    gradients: Floats
    stopped: Stopped

    @property
    def low(self) -> float:
        """The lowest loss that this start reached; on what was held out, if anything was."""
        return float(np.nanmin(self.held_out if self.held_out.size else self.losses, initial=np.inf))


@dataclass(frozen=True, kw_only=True, eq=False)
class Fit:
    """What a fit found.

    Attributes:
        circuit: the circuit with the best values; give it to `bioneuro.brian.simulate`.
        twin: its twin.
        losses: loss before every step, and at the end of every stage. With several starts, of the best one.
        values: placed name -> value of every step, in SI, shape (steps, ...).
        stopped: how it ended.
        starts: every start, the circuit's own values first.
        held_out: the loss on what was held out, like `losses`; empty if nothing was.
        gradients: length of the gradient along the free line of all free parameters, like `losses`; NaN at the end of a stage.
        moved: free values that lay so near a bound that they could hardly move: placed name -> (value given, value started from).
    """

    circuit: Circuit
    twin: Twin
    losses: Floats
    values: Mapping[str, Floats]
    stopped: Stopped
    starts: tuple[Start, ...] = ()
    held_out: Floats = field(default_factory=lambda: np.empty(0))
    gradients: Floats = field(default_factory=lambda: np.empty(0))
    moved: Mapping[str, tuple[Parameter, Parameter]] = field(default_factory=dict)

    def __str__(self) -> str:
        lines = [f"loss {self.losses[0]:.4g} -> {self.losses.min():.4g} in {len(self.losses)} steps; {self.stopped.value}"]
        if self.held_out.size:
            lines.append(f"  held out: {self.held_out[0]:.4g} -> {np.nanmin(self.held_out):.4g}")
        if len(self.starts) > 1:
            lows = ", ".join(f"{start.low:.4g}" for start in sorted(self.starts, key=lambda start: start.low))
            lines.append(f"  {len(self.starts)} starts, best losses: {lows}")
        for path, (given, moved) in self.moved.items():
            lines.append(f"  {path}: {given} is at a bound, where it could hardly move; started from {moved}")
        for path in self.twin.free:
            lines.append(f"  {path}: {self._course(path)}")
        return "\n".join(lines)

    def _course(self, path: str) -> str:
        before, after = self.twin.start.values[path], self.circuit.values[path]
        was: Any = np.asarray(self.values[path][0] / units.unit(after.unit).scale)
        if was.ndim:
            return f"{before.value.size} values"
        return f"{was:.6g}{'' if after.unit == '1' else f' {after.unit}'} -> {after}"
