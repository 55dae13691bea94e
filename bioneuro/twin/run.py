"""Step through a plan with the translated phases, in the order in which Brian2 runs them."""

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from bioneuro.model import Neuron
from bioneuro.plan import Plan, recording
from bioneuro.recording import Recording
from bioneuro.statements import Phase, Program, located
from bioneuro.twin.now import Now, Ports, View, Wire, arrivals, longest, ports, turns, wires
from bioneuro.twin.operations import Operations, tensor

CLOSE = 1e-9
"""Relative distances from threshold below this are noted, so that a divergence of engines can be recognised as a tie."""

LONG_AGO = -1e4
"""Seconds at which a neuron that has not fired yet is taken to have fired, as in Brian2."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Compiled:
    """A program, its torch source, one function per phase, and the states it writes beyond the declared ones.

    `one_by_one` has, of pathways (projection, number) whose synapses see what others write, the ends at which they do.
    """

    program: Program
    source: str
    functions: list[Callable[..., Any]]
    extra: Mapping[str, list[str]]
    one_by_one: Mapping[tuple[str, int], tuple[str, ...]] = field(default_factory=dict)


@dataclass(eq=False)
class _Seen:
    """What has been read so far: readings by placed name; spikes of each population as (steps, indices), and as 0/1 if wanted; close calls."""

    traces: dict[str, list[Tensor]] = field(default_factory=dict)
    raster: dict[str, list[Tensor]] = field(default_factory=dict)
    steps: dict[str, list[Any]] = field(default_factory=dict)
    close: dict[str, list[tuple[int, Tensor, Tensor]]] = field(default_factory=dict)


class Machine:
    """The phases of a circuit and the wires between its objects: it takes steps, one after the other, on the states in `now`."""

    def __init__(self, plan: Plan, code: Compiled, now: Now) -> None:
        self.plan, self.code, self.now = plan, code, now
        self.wires: Mapping[str, Wire] = wires(plan, now.like)
        self.ports: Ports = ports(plan, now.like)
        self.back = longest(plan)
        now.fired = {name: [] for name in self.back}

    def step(self, k: int, note: Callable[[str, Tensor], None] | None) -> None:
        """Take step `k`; `note` is told of every population's spikes, 0/1."""
        self.now.advance(k)
        for phase, function in zip(self.code.program.phases, self.code.functions, strict=True):
            self._do(phase, function, note)
        self.now.op.margins.clear()

    def _do(self, phase: Phase, function: Callable[..., Any], note: Callable[[str, Tensor], None] | None) -> None:
        now, owner, op = self.now, phase.owner, self.now.op
        states = now.states[owner]
        wire = self.wires.get(owner)
        now.ends = wire.ends if wire else {}
        if phase.kind == "pathway" and wire:
            arrived = arrivals(wire.sources[phase.pathway], now, self.ports)
            if arrived is None:
                return
            for now.arrived in self._rounds(phase, arrived, wire):
                self._write(phase, function)
            return
        if phase.kind == "reset":
            spiked = now.fired[owner][-1]
            now.spiked = spiked.detach() if op.detach_reset else spiked
            if not op.soft and not now.spiked.requires_grad and not bool(now.spiked.any()):
                return
        elif phase.periodic and not now.updates:
            return
        if phase.kind == "threshold":
            self._fire(owner, function(View(states, now.fixed[owner], now), now, op), note)
        else:
            self._write(phase, function)

    def _write(self, phase: Phase, function: Callable[..., Any]) -> None:
        now, states = self.now, self.now.states[phase.owner]
        result = function(View(states, now.fixed[phase.owner], now), now, now.op)
        # A statement may have become a plain number: dx/dt = -x/dt is x = 0.
        states.update({name: tensor(value, now.like).expand(states[name].shape) for name, value in (result or {}).items()})

    def _rounds(self, phase: Phase, arrived: Tensor, wire: Wire) -> Iterator[Tensor]:
        """All synapses at once; or, where their order matters, the first of each neuron, then the second of each, and so on."""
        ends = self.code.one_by_one.get((phase.owner, phase.pathway), ())
        on = torch.nonzero(arrived.detach() > 0.5).ravel()
        if not ends or on.numel() < 2:
            yield arrived
            return
        turn = turns(wire.ends[ends[0]][1][on]) if len(ends) == 1 else torch.arange(on.numel(), device=on.device)
        rank = torch.zeros(arrived.shape, dtype=torch.int64, device=arrived.device)
        rank[on] = turn
        for k in range(int(turn.max()) + 1):
            yield torch.where(rank == k, arrived, torch.zeros_like(arrived))

    def _fire(self, owner: str, spikes: Tensor, note: Callable[[str, Tensor], None] | None) -> None:
        now, states, recent = self.now, self.now.states[owner], self.now.fired[owner]
        recent.append(spikes)
        if len(recent) > self.back[owner] + 1:
            del recent[0]
        if note is not None:
            note(owner, spikes)
        if "lastspike" in states:
            on = spikes.detach() > 0.5
            states["lastspike"] = torch.where(on, now.t, states["lastspike"])
            states["not_refractory"] = torch.where(on, 0.0, states["not_refractory"])


def run(twin: Any, plan: Plan, code: Compiled, *, moments: bool) -> Recording:
    """Run `plan`; see `Twin.forward`."""
    like = torch.zeros((), dtype=twin.dtype, device=twin.device)
    op = Operations(twin.surrogate, soft=twin.soft, detach_reset=twin.detach_reset, like=like)
    now = Now(plan, like, op, code.program.guarded)
    _prepare(twin, plan, code, now)
    machine = Machine(plan, code, now)
    seen = _Seen(traces={path: [] for path in _recorded(plan, code)})
    if twin.segments is None or not torch.is_grad_enabled():
        _stretch(machine, seen, 0, plan.n_steps, raster=twin.raster, first=True)
    else:
        _segments(machine, seen, twin)
    raster = {name: torch.stack(spikes) for name, spikes in seen.raster.items()}
    trains = {name: _train(seen.steps.get(name, [])) for name in machine.back}
    return recording(
        dataclasses.replace(plan, circuit=twin.circuit if not twin.copies else plan.circuit),  # with the present values, for the provenance
        {path: torch.stack(values) for path, values in seen.traces.items()},
        trains,
        engine="twin",
        strict=twin.dtype == torch.float64 and not twin.soft,
        versions={"torch": torch.__version__},
        raster={n: s.reshape(s.shape[0], plan.n_trials, -1).transpose(0, 1) for n, s in raster.items()},
        close={name: _close(calls) for name, calls in seen.close.items()},
        notes=("mean and variance carried",) if moments else (),
    )


def _stretch(machine: Machine, seen: _Seen, start: int, stop: int, *, raster: bool, first: bool) -> None:
    """Steps from `start` to before `stop`, read ahead of each; and behind the last of all. Spikes are noted in the first of several runs only."""
    now, plan = machine.now, machine.plan
    wanted = set(plan.timing.snapshots[(plan.timing.snapshots >= start) & (plan.timing.snapshots <= stop)].tolist())

    def note(owner: str, spikes: Tensor) -> None:
        if raster:
            seen.raster.setdefault(owner, []).append(spikes)
        if not first:
            return
        on = torch.nonzero(spikes.detach() > 0.5).ravel().cpu().numpy()
        if on.size:
            seen.steps.setdefault(owner, []).append((np.full(on.size, now.k), on))
        distance = now.op.close_calls()
        if distance is not None and bool((distance < CLOSE).any()):
            index = torch.nonzero(distance < CLOSE).ravel()
            seen.close.setdefault(owner, []).append((now.k, index, distance[index]))

    for k in range(start, stop):
        _keep(now, seen.traces, k in wanted)
        machine.step(k, note)
    _keep(now, seen.traces, stop == plan.n_steps and stop in wanted)


def _segments(machine: Machine, seen: _Seen, twin: Any) -> None:
    """The same in segments: the backward pass runs each of them anew, from the state kept at its beginning, instead of keeping every step.

    Noise is drawn by counter, so the second run equals the first.
    """
    n, now = machine.plan.n_steps, machine.now
    number = math.ceil(math.sqrt(n)) if twin.segments == "auto" else int(twin.segments)
    cuts = np.unique(np.linspace(0, n, min(number, n) + 1).astype(np.int64)).tolist()
    owners = {owner: list(states) for owner, states in now.states.items()}
    for start, stop in itertools.pairwise(cuts):
        kept = [len(now.fired[name]) for name in machine.back]
        shape: dict[str, Any] = {}

        def segment(*flat: Tensor, start: int = start, stop: int = stop, kept: list[int] = kept, shape: dict[str, Any] = shape) -> Any:
            rest = list(flat)
            for owner, names in owners.items():
                now.states[owner] = {name: rest.pop(0) for name in names}
            for name, count in zip(machine.back, kept, strict=True):
                now.fired[name] = [rest.pop(0) for _ in range(count)]
            mine = seen if not shape else _Seen()
            local = _Seen(traces={path: [] for path in seen.traces}, steps=mine.steps, close=mine.close)
            _stretch(machine, local, start, stop, raster=twin.raster, first=not shape)
            parts = {"traces": local.traces, "raster": local.raster, "fired": now.fired}
            shape.update({what: {name: len(values) for name, values in found.items()} for what, found in parts.items()})
            stacked = [torch.stack(v) for found in (local.traces, local.raster) for v in found.values() if v]
            return (*(x for states in now.states.values() for x in states.values()), *(s for v in now.fired.values() for s in v), *stacked)

        given = [x for states in now.states.values() for x in states.values()] + [s for v in now.fired.values() for s in v]
        out = list(checkpoint(segment, *given, use_reentrant=False, preserve_rng_state=False))
        for owner, names in owners.items():
            now.states[owner] = {name: out.pop(0) for name in names}
        now.fired = {name: [out.pop(0) for _ in range(count)] for name, count in shape["fired"].items()}
        for what, into in (("traces", seen.traces), ("raster", seen.raster)):
            for name, count in shape[what].items():
                if count:
                    into.setdefault(name, []).extend(out.pop(0).unbind())


def _close(calls: list[tuple[int, Tensor, Tensor]]) -> tuple[Any, Any, Any]:
    steps = np.concatenate([np.full(index.numel(), k) for k, index, _ in calls])
    return steps, torch.cat([i for _, i, _ in calls]).cpu().numpy(), torch.cat([d for _, _, d in calls]).cpu().numpy()


def _train(found: list[Any]) -> tuple[Any, Any]:
    none = np.empty(0, np.int64)
    return np.concatenate([none, *(k for k, _ in found)]), np.concatenate([none, *(i for _, i in found)])


def _recorded(plan: Plan, code: Compiled) -> list[str]:
    variances = [f"{o}.{n}" for o, names in code.extra.items() for n in dict.fromkeys(names) if n.endswith("_variance")]
    return [*plan.record, *(v for v in variances if v[: -len("_variance")] in plan.record)]


def _keep(now: Now, kept: dict[str, list[Tensor]], wanted: bool) -> None:
    if wanted:
        for path, values in kept.items():
            owner, _, name = path.partition(".")
            values.append(now.states[owner][name])


def _prepare(twin: Any, plan: Plan, code: Compiled, now: Now) -> None:
    """Initial states and fixed values of every object, one element per trial and unit."""
    for owner, model in plan.circuit.models.items():
        flat = plan.flat[owner]
        n = flat.trial.size
        blank = torch.zeros(n, dtype=now.like.dtype, device=now.like.device)
        states = {name: _tensor(plan.values[f"{owner}.{name}"], now.like).expand(n).clone() for name in model.states}
        fixed = {}
        for name in model.parameters:
            path = f"{owner}.{name}"
            fixed[name] = _laid_flat(twin, twin.value(path), plan, flat.size) if path in twin.free else _tensor(plan.values[path], now.like)
        for name in dict.fromkeys(code.extra.get(owner, ())):
            states[name] = torch.full_like(blank, {"lastspike": LONG_AGO, "not_refractory": 1.0}.get(name, 0.0))
        if isinstance(model, Neuron) and model.refractory:
            states.setdefault("lastspike", torch.full_like(blank, LONG_AGO))
            states.setdefault("not_refractory", torch.ones_like(blank))
        integers = dict(zip(located(plan, owner), (flat.trial, flat.unit, flat.stimulus), strict=True))
        fixed |= {name: torch.as_tensor(v, device=now.like.device) for name, v in integers.items()}
        fixed |= {f"{path.partition('.')[2]}_column": torch.as_tensor(column, device=now.like.device)
                  for path, (column, _) in plan.phases.items() if path.partition(".")[0] == owner}  # fmt: skip
        if owner in plan.currents:
            fixed["waveform_index"] = torch.as_tensor(plan.currents[owner][0], device=now.like.device)
            states.pop(model.input)  # type: ignore[union-attr]
        now.states[owner], now.fixed[owner] = states, fixed


def _laid_flat(twin: Any, value: Tensor, plan: Plan, size: int) -> Tensor:
    """A free value, or one per unit, for every element; copies have values of their own."""
    if not twin.copies:
        return value if value.ndim == 0 else value.repeat(plan.n_trials)
    each = plan.n_trials // twin.copies
    return value.reshape(twin.copies, 1, -1).expand(twin.copies, each, size).reshape(-1)


def _tensor(value: Any, like: Tensor) -> Tensor:
    return torch.as_tensor(np.array(value), dtype=like.dtype, device=like.device)
