"""Step through a plan with the translated phases, in the order in which Brian2 runs them."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bioneuro.model import Neuron
from bioneuro.plan import Plan, recording
from bioneuro.recording import Recording
from bioneuro.statements import Program, located, phase_name
from bioneuro.twin.operations import Operations, tensor

CLOSE = 1e-9
"""Relative distances from threshold below this are noted, so that a divergence of engines can be recognised as a tie."""

States = dict[str, dict[str, Tensor]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Compiled:
    """A program, its torch source, one function per phase, and the states it writes beyond the declared ones."""

    program: Program
    source: str
    functions: list[Callable[..., Any]]
    extra: Mapping[str, list[str]]


class _View(Mapping[str, Tensor]):
    """Names as one phase sees them: own states and parameters first, then those of the neurons at a synapse's ends."""

    def __init__(self, own: dict[str, Tensor], fixed: Mapping[str, Tensor], ends: Mapping[str, tuple[str, Tensor]], now: "_Now") -> None:
        self.own, self.fixed, self.ends, self.now = own, fixed, ends, now

    def __getitem__(self, name: str) -> Tensor:
        if name in self.own:
            return self.own[name]
        if name in self.fixed:
            return self.fixed[name]
        local, _, end = name.rpartition("_")
        owner, index = self.ends[end]
        value = self.now.states[owner].get(local)
        value = self.now.fixed[owner][local] if value is None else value
        return value if value.ndim == 0 else value[index]

    def __iter__(self) -> Iterator[str]:
        return iter({**self.own, **self.fixed})

    def __len__(self) -> int:
        return len({**self.own, **self.fixed})


class _Now:
    """The present step: what the translated phases ask about."""

    def __init__(self, plan: Plan, like: Tensor, op: Operations) -> None:
        self.plan, self.like, self.op = plan, like, op
        self.seed = plan.seed
        self.k = 0
        # Tensors, not Python numbers: torch divides a number by a tensor as number times reciprocal, which rounds twice.
        self.dt = torch.tensor(plan.dt if plan.dt is not None else 1.0, dtype=like.dtype, device=like.device)
        self.t = torch.zeros_like(self.dt)
        self.states: States = {}
        self.fixed: dict[str, dict[str, Tensor]] = {}
        self.arrived: Tensor = like
        self.spiked: Tensor = like
        self.added: dict[tuple[str, str], Tensor] = {}
        self.ends: Mapping[str, tuple[str, Tensor]] = {}
        self.close: dict[str, list[tuple[int, Tensor, Tensor]]] = {}
        names = {f"drive_{n}": table for n, (_, table) in plan.currents.items()}
        if plan.lengths is not None:
            names["step_length"] = plan.lengths
        phases = plan.timing.phase if plan.phases else np.zeros((0, 1), np.int64)
        self.phases = torch.as_tensor(phases, device=like.device)
        names |= {phase_name(*path.split(".")): table for path, (_, table) in plan.phases.items()}
        self.tables = {n: torch.as_tensor(np.array(v), dtype=like.dtype, device=like.device) for n, v in names.items()}

    def advance(self, k: int) -> None:
        self.k = k
        if self.plan.dt is not None:
            self.t = torch.tensor(k * self.plan.dt, dtype=self.like.dtype, device=self.like.device)

    def table(self, name: str, column: Tensor) -> Tensor:
        return self.tables[name][self.k][column]

    def phase(self, name: str, stimulus: Tensor, column: Tensor) -> Tensor:
        return self.tables[name][self.phases[self.k][stimulus % self.phases.shape[1]], column]

    def total(self, target: str, parts: Tensor) -> None:
        """A variable of a neuron becomes the sum of what its synapses contribute."""
        local, _, end = target.rpartition("_")
        owner, index = self.ends[end]
        blank = torch.zeros(self.plan.flat[owner].trial.size, dtype=self.like.dtype, device=self.like.device)
        self.states[owner][local] = blank.index_add(0, index, parts.expand(index.shape))

    def add(self, end: str, name: str, value: Any) -> None:
        """Add a synapse's contribution to a variable of the neuron at its end, for the synapses at which a spike arrived."""
        owner, index = self.ends[end]
        old = self.states[owner][name]
        contribution = self.op.select(self.arrived, value, torch.zeros((), dtype=self.like.dtype, device=self.like.device))
        # One synapse after the other in the order of their sources, as Brian2 adds them: the same rounding.
        new = old.index_add(0, index, contribution.expand(index.shape))
        guard = self.guards.get(owner, {}).get(name)
        self.states[owner][name] = self.op.guard(self.states[owner][guard], new, old) if guard else new

    guards: Mapping[str, Mapping[str, str]] = {}


def run(twin: Any, plan: Plan, code: Compiled, *, moments: bool) -> Recording:
    """Run `plan`; see `Twin.forward`."""
    like = torch.zeros((), dtype=twin.dtype, device=twin.device)
    op = Operations(twin.surrogate, soft=twin.soft, detach_reset=twin.detach_reset, like=like)
    now = _Now(plan, like, op)
    now.guards = code.program.guarded
    _prepare(twin, plan, code, now)
    wires = _wires(plan, now)
    ports = _ports(plan, like)
    fired: dict[str, list[Tensor]] = {p.name: [] for p in plan.circuit.populations if p.neuron is not None and p.fires}
    record = _recorded(plan, code)
    kept: dict[str, list[Tensor]] = {path: [] for path in record}
    wanted = set(plan.timing.snapshots.tolist())
    for k in range(plan.n_steps):
        _keep(now, kept, k in wanted)
        now.advance(k)
        for phase, function in zip(code.program.phases, code.functions, strict=True):
            _do(phase, function, now, op, wires, ports, fired)
    _keep(now, kept, plan.n_steps in wanted)
    raster = {name: torch.stack(spikes) for name, spikes in fired.items() if spikes}
    trains = {name: _train(spikes) for name, spikes in raster.items()}
    return recording(
        dataclasses.replace(plan, circuit=twin.circuit),  # with the present values, for the provenance
        {path: torch.stack(values) for path, values in kept.items()},
        trains,
        engine="twin",
        strict=twin.dtype == torch.float64 and not twin.soft,
        versions={"torch": torch.__version__},
        raster={n: s.reshape(s.shape[0], plan.n_trials, -1).transpose(0, 1) for n, s in raster.items()},
        close={name: _close(calls) for name, calls in now.close.items()},
        notes=("mean and variance carried",) if moments else (),
    )


def _close(calls: list[tuple[int, Tensor, Tensor]]) -> tuple[Any, Any, Any]:
    steps = np.concatenate([np.full(index.numel(), k) for k, index, _ in calls])
    return steps, torch.cat([i for _, i, _ in calls]).cpu().numpy(), torch.cat([d for _, _, d in calls]).cpu().numpy()


def _train(raster: Tensor) -> tuple[Any, Any]:
    step, index = (x.cpu().numpy() for x in torch.nonzero(raster.detach() > 0.5, as_tuple=True))
    return step, index


def _recorded(plan: Plan, code: Compiled) -> list[str]:
    variances = [f"{o}.{n}" for o, names in code.extra.items() for n in dict.fromkeys(names) if n.endswith("_variance")]
    return [*plan.record, *(v for v in variances if v[: -len("_variance")] in plan.record)]


def _keep(now: _Now, kept: dict[str, list[Tensor]], wanted: bool) -> None:
    if wanted:
        for path, values in kept.items():
            owner, _, name = path.partition(".")
            values.append(now.states[owner][name])


def _prepare(twin: Any, plan: Plan, code: Compiled, now: _Now) -> None:
    """Initial states and fixed values of every object, one element per trial and unit."""
    for owner, model in plan.circuit.models.items():
        flat = plan.flat[owner]
        n = flat.trial.size
        blank = torch.zeros(n, dtype=now.like.dtype, device=now.like.device)
        states = {name: _tensor(plan.values[f"{owner}.{name}"], now.like).expand(n).clone() for name in model.states}
        fixed = {}
        for name in model.parameters:
            path = f"{owner}.{name}"
            if path in twin.free:
                value = twin.value(path)
                fixed[name] = value if value.ndim == 0 else value.repeat(plan.n_trials)
            else:
                fixed[name] = _tensor(plan.values[path], now.like)
        for name in dict.fromkeys(code.extra.get(owner, ())):
            states[name] = torch.full_like(blank, {"lastspike": -1e4, "not_refractory": 1.0}.get(name, 0.0))
        if isinstance(model, Neuron) and model.refractory:
            states.setdefault("lastspike", torch.full_like(blank, -1e4))
            states.setdefault("not_refractory", torch.ones_like(blank))
        integers = dict(zip(located(plan, owner), (flat.trial, flat.unit, flat.stimulus), strict=True))
        fixed |= {name: torch.as_tensor(v, device=now.like.device) for name, v in integers.items()}
        fixed |= {f"{path.partition('.')[2]}_column": torch.as_tensor(column, device=now.like.device)
                  for path, (column, _) in plan.phases.items() if path.partition(".")[0] == owner}  # fmt: skip
        if owner in plan.currents:
            fixed["waveform_index"] = torch.as_tensor(plan.currents[owner][0], device=now.like.device)
            states.pop(model.input)  # type: ignore[union-attr]
        now.states[owner], now.fixed[owner] = states, fixed


def _tensor(value: Any, like: Tensor) -> Tensor:
    return torch.as_tensor(np.array(value), dtype=like.dtype, device=like.device)


@dataclass(frozen=True, eq=False)
class _Wire:
    """Pre- and postsynaptic elements of a projection, and the population and delay each pathway listens to."""

    ends: Mapping[str, tuple[str, Tensor]]
    sources: tuple[tuple[str, Tensor, int], ...]


def _wires(plan: Plan, now: _Now) -> dict[str, _Wire]:
    wires = {}
    for p in plan.circuit.projections:
        w = plan.wiring[p.name]
        ends = {"pre": (p.pre, torch.as_tensor(w.pre, device=now.like.device)), "post": (p.post, torch.as_tensor(w.post, device=now.like.device))}
        sources = tuple((*ends[path.event], delay) for path, delay in zip(p.synapse.pathways, plan.delays[p.name], strict=True))
        wires[p.name] = _Wire(ends=ends, sources=sources)
    return wires


def _ports(plan: Plan, like: Tensor) -> dict[str, tuple[Any, Tensor, int]]:
    """Port -> (first spike of each step, flat indices in order of step, number of elements)."""
    ports = {}
    for population in plan.circuit.populations:
        if population.neuron is None:
            spikes = plan.spikes[population.name]
            first = np.searchsorted(spikes.step, np.arange(plan.n_steps + 1))
            index = torch.as_tensor(np.array(spikes.index), device=like.device)
            ports[population.name] = (first, index, plan.n_stimuli * population.size)
    return ports


def _do(
    phase: Any, function: Callable[..., Any], now: _Now, op: Operations, wires: Mapping[str, _Wire], ports: Any, fired: dict[str, list[Tensor]]
) -> None:
    owner = phase.owner
    states = now.states[owner]
    now.ends = wires[owner].ends if owner in wires else {}
    view = _View(states, now.fixed[owner], now.ends, now)
    if phase.kind == "pathway":
        arrived = _arrivals(wires[owner].sources[phase.pathway], now, ports, fired)
        if arrived is None:
            return
        now.arrived = arrived
    elif phase.kind == "reset":
        now.spiked = fired[owner][-1].detach() if op.detach_reset else fired[owner][-1]
        if not op.soft and not bool(now.spiked.detach().any()) and not now.spiked.requires_grad:
            return
    result = function(view, now, op)
    if phase.kind == "sum":
        return
    if phase.kind != "threshold":
        # A statement may have become a plain number: dx/dt = -x/dt is x = 0.
        states.update({name: tensor(value, now.like).expand(states[name].shape) for name, value in result.items()})
        return
    fired[owner].append(result)
    distance = op.close_calls()
    if distance is not None and bool((distance < CLOSE).any()):
        index = torch.nonzero(distance < CLOSE).ravel()
        now.close.setdefault(owner, []).append((now.k, index, distance[index]))
    if "lastspike" in states:
        on = result.detach() > 0.5
        states["lastspike"] = torch.where(on, now.t, states["lastspike"])
        states["not_refractory"] = torch.where(on, 0.0, states["not_refractory"])


def _arrivals(source: tuple[str, Tensor, int], now: _Now, ports: Any, fired: Mapping[str, list[Tensor]]) -> Tensor | None:
    """1 at every synapse where a spike arrives now, or None if there is none (and no gradient could tell)."""
    population, index, delay = source
    then = now.k - delay
    if then < 0:
        return None
    if population in ports:
        first, elements, size = ports[population]
        here = elements[first[then] : first[then + 1]]
        if here.numel() == 0:
            return None
        on = torch.zeros(size, dtype=now.like.dtype, device=now.like.device)
        on[here] = 1.0
        return on[index]
    spikes = fired[population][then]
    if not spikes.requires_grad and not bool(spikes.any()):
        return None
    return spikes[index]
