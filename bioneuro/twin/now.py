"""The present step of a twin: what translated statements ask about, and how spikes travel."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bioneuro import noise
from bioneuro.bss2 import functions
from bioneuro.plan import Plan
from bioneuro.statements import phase_name
from bioneuro.statements.periodic import UPDATE
from bioneuro.twin.operations import Operations

States = dict[str, dict[str, Tensor]]

Ports = Mapping[str, "Port"]


class View(Mapping[str, Tensor]):
    """Names as one phase sees them: own states and parameters first, then those of the neurons at a synapse's ends."""

    def __init__(self, own: dict[str, Tensor], fixed: Mapping[str, Tensor], now: "Now") -> None:
        self.own, self.fixed, self.now = own, fixed, now

    def __getitem__(self, name: str) -> Tensor:
        if name in self.own:
            return self.own[name]
        if name in self.fixed:
            return self.fixed[name]
        local, _, end = name.rpartition("_")
        owner, index = self.now.ends[end]
        value = self.now.states[owner].get(local)
        value = self.now.fixed[owner][local] if value is None else value
        return value if value.ndim == 0 else value[index]

    def __iter__(self) -> Iterator[str]:
        return iter({**self.own, **self.fixed})

    def __len__(self) -> int:
        return len({**self.own, **self.fixed})


def time_type(like: Tensor) -> torch.dtype:
    """Of times since the beginning: float32 would lose count of refractory steps after some thousand. Apple's devices have nothing longer."""
    return like.dtype if like.device.type == "mps" else torch.float64


class Now:
    """The present step: what the translated phases ask about.

    Attributes:
        k, t, dt: number of the step, seconds at its beginning, seconds it lasts.
        states, fixed: placed object -> name -> tensor of what a run changes, and of what it does not.
        fired: population -> the spikes of its last steps, newest last, as far back as its longest delay reaches.
        arrived, spiked: 1 at the synapses where a spike arrives, at the neurons that are reset.
    """

    def __init__(self, plan: Plan, like: Tensor, op: Operations, guards: Mapping[str, Mapping[str, str]]) -> None:
        self.plan, self.like, self.op, self.guards = plan, like, op, guards
        self.seed = plan.seed
        self.k = 0
        # Tensors, not Python numbers: torch divides a number by a tensor as number times reciprocal, which rounds twice.
        self.dt = torch.tensor(plan.dt if plan.dt is not None else 1.0, dtype=like.dtype, device=like.device)
        self.t = torch.zeros_like(self.dt)
        self.states: States = {}
        self.fixed: dict[str, dict[str, Tensor]] = {}
        self.fired: dict[str, list[Tensor]] = {}
        self.arrived: Tensor = like
        self.spiked: Tensor = like
        self.ends: Mapping[str, tuple[str, Tensor]] = {}
        names: dict[str, Any] = {f"drive_{n}": table for n, (_, table) in plan.currents.items()}
        if plan.lengths is not None:
            names["step_length"] = plan.lengths
        if plan.circuit.period:
            names[UPDATE] = plan.timing.updates
        phases = plan.timing.phase if plan.phases else np.zeros((0, 1), np.int64)
        self.phases = torch.as_tensor(phases, device=like.device)
        names |= {phase_name(*path.split(".")): table for path, (_, table) in plan.phases.items()}
        self.tables = {n: torch.as_tensor(np.array(v), dtype=like.dtype, device=like.device) for n, v in names.items()}

    def advance(self, k: int) -> None:
        self.k = k
        if self.plan.dt is not None:
            self.t = torch.tensor(k * self.plan.dt, dtype=time_type(self.like), device=self.like.device)

    def table(self, name: str, column: Any) -> Tensor:
        return self.tables[name][self.k][column]

    @property
    def updates(self) -> bool:
        """Whether a processor updates synapses in this step."""
        return bool(self.tables[UPDATE][self.k].any())

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

    def put(self, end: str, name: str, value: Any) -> None:
        """Give a variable of the neuron at the end of a synapse a value, where a spike arrived; no neuron has two of them at once."""
        owner, index = self.ends[end]
        old = self.states[owner][name]
        each = self.op.select(self.arrived, value, old[index]).expand(index.shape)
        on = torch.nonzero(self.arrived.detach() > 0.5).ravel()
        new = old.index_put((index[on],), each[on])
        guard = self.guards.get(owner, {}).get(name)
        self.states[owner][name] = self.op.guard(self.states[owner][guard], new, old) if guard else new

    def processor(self, name: str, *arguments: Any) -> Tensor:
        """A function of the plasticity processor: its integers, with the slope of what it rounds and saturates."""
        given = [a.detach().cpu().numpy() if isinstance(a, Tensor) else a for a in arguments]
        body = functions.PLAIN.get(name)
        exact = body(*given) if body else functions.SEEDED[name](*noise.split_seed(self.seed), *given)
        return self.op.straight(name, torch.as_tensor(np.array(exact), dtype=self.like.dtype, device=self.like.device), arguments)


@dataclass(frozen=True, eq=False)
class Port:
    """Imposed spikes: those of step k are ``index[first[k]:first[k + 1]]`` of `size` units."""

    first: Any
    index: Tensor
    size: int

    def at(self, k: int) -> Tensor:
        return self.index[self.first[k] : self.first[k + 1]]


@dataclass(frozen=True, eq=False)
class Source:
    """Where the spikes of one pathway come from.

    Attributes:
        population: of the neurons or ports. index: the unit of each synapse.
        delay: steps; one for all synapses, or one for each.
        steps: of a port heard with several delays, its spikes as they arrive at the synapses.
    """

    population: str
    index: Tensor
    delay: int | Tensor
    steps: Port | None = None


@dataclass(frozen=True, eq=False)
class Wire:
    """Pre- and postsynaptic elements of a projection, and the source of each pathway."""

    ends: Mapping[str, tuple[str, Tensor]]
    sources: tuple[Source, ...]


def ports(plan: Plan, like: Tensor) -> dict[str, Port]:
    """The imposed spikes of every port."""
    found = {}
    for population in plan.circuit.populations:
        if population.neuron is None:
            spikes = plan.spikes[population.name]
            found[population.name] = _port(spikes.step, spikes.index, plan.n_steps, plan.n_stimuli * population.size, like)
    return found


def _port(step: Any, index: Any, n_steps: int, size: int, like: Tensor) -> Port:
    """Spikes in the order of `step`."""
    return Port(first=np.searchsorted(step, np.arange(n_steps + 1)), index=torch.as_tensor(np.array(index), device=like.device), size=size)


def wires(plan: Plan, like: Tensor) -> dict[str, Wire]:
    """Where the spikes of every projection come from and go to."""
    found = {}
    for p in plan.circuit.projections:
        w = plan.wiring[p.name]
        ends = {"pre": (p.pre, torch.as_tensor(w.pre, device=like.device)), "post": (p.post, torch.as_tensor(w.post, device=like.device))}
        heard = zip(p.synapse.pathways, plan.delays[p.name], strict=True)
        found[p.name] = Wire(ends=ends, sources=tuple(_source(plan, *ends[path.event], delay, like) for path, delay in heard))
    return found


def _source(plan: Plan, population: str, index: Tensor, delay: Any, like: Tensor) -> Source:
    if not delay.ndim:
        return Source(population, index, int(delay))
    each = np.resize(delay, index.numel())
    if population not in plan.spikes:
        return Source(population, index, torch.as_tensor(each, device=like.device))
    spikes = plan.spikes[population]
    # Synapses in the order of their unit; a spike arrives at all of those of its unit, at each after its own delay.
    unit = index.cpu().numpy()
    order = np.argsort(unit, kind="stable")
    first = np.searchsorted(unit[order], spikes.index, side="left")
    count = np.searchsorted(unit[order], spikes.index, side="right") - first
    synapse = order[np.repeat(first - np.append(0, np.cumsum(count)[:-1]), count) + np.arange(count.sum())]
    step = np.repeat(spikes.step, count) + each[synapse]
    by = np.lexsort((synapse, step))
    return Source(population, index, 0, _port(step[by], synapse[by], plan.n_steps, unit.size, like))


def longest(plan: Plan) -> dict[str, int]:
    """For every population that decides when to spike, the longest delay with which its spikes are heard, in steps."""
    found = {p.name: 0 for p in plan.circuit.populations if p.neuron is not None and p.fires}
    for p in plan.circuit.projections:
        for path, delay in zip(p.synapse.pathways, plan.delays[p.name], strict=True):
            source = getattr(p, path.event)
            if source in found:
                found[source] = max(found[source], int(delay.max()))
    return found


def arrivals(source: Source, now: Now, ports: Ports) -> Tensor | None:
    """1 at every synapse where a spike arrives now, or None if there is none (and no gradient could tell)."""
    if source.population in ports:
        port = source.steps or ports[source.population]
        then = now.k - (0 if source.steps else source.delay)
        here = port.at(then) if isinstance(then, int) and then >= 0 else port.index[:0]
        if here.numel() == 0:
            return None
        on = torch.zeros(port.size, dtype=now.like.dtype, device=now.like.device)
        on[here] = 1.0
        return on if source.steps else on[source.index]
    recent = now.fired[source.population]
    if isinstance(source.delay, int):
        if source.delay >= len(recent):
            return None
        spikes = recent[-1 - source.delay]
        return None if _silent(spikes) else spikes[source.index]
    if all(_silent(s) for s in recent):
        return None
    # What was fired before the run began is nothing.
    stacked = torch.stack([torch.zeros_like(recent[0]), *recent])
    back = (len(recent) - source.delay).clamp(min=0)
    return stacked[back, source.index]


def turns(unit: Tensor) -> Tensor:
    """Of elements in order, how many before each have the same unit."""
    order = torch.argsort(unit, stable=True)
    place = torch.arange(unit.numel(), device=unit.device)
    new = torch.ones_like(unit, dtype=torch.bool)
    new[1:] = unit[order][1:] != unit[order][:-1]
    first = torch.cummax(torch.where(new, place, torch.zeros_like(place)), dim=0).values
    return torch.empty_like(place).scatter_(0, order, place - first)


def _silent(spikes: Tensor) -> bool:
    return not spikes.requires_grad and not bool(spikes.any())
