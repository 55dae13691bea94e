"""How much work a run, a reading by Lempel-Ziv complexity, or a dense network is: counts of operations, from records alone.

A clocked circuit of spiking neurons does a *synaptic operation* whenever a spike arrives at a synapse (pathway by pathway), and a *neuron
update* for every neuron in every step. `bioneuro.measure.energy` puts a price on each.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bioneuro.equations import equations_of
from bioneuro.measure.curves import MeasureError
from bioneuro.model import Circuit, Population, Projection
from bioneuro.protocol import Clock, Protocol
from bioneuro.protocol import Spikes as Given
from bioneuro.recording import Recording, Train, of_trials, train

Ints = NDArray[np.int64]

SYNAPTIC, UPDATE, VARIABLE, SPIKE = "synaptic operation", "neuron update", "state variable update", "spike"
MULTIPLY_ADD, STEP, LOOKUP, WRITE = "multiply-accumulate", "symbol", "transition looked up", "transition written"
"""Kinds of operations: of circuits; of dense networks and linear readers; of a suffix automaton."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Operations:
    """What a run did in each trial, up to its last reading; all counts have one number per trial, int64.

    Attributes:
        steps: steps of the clock.
        spikes: population, ports included -> spikes fired.
        arrivals: projection -> executions of each of its pathways, shape (trial, pathway): one for each spike and each pair that it reaches
            before the last reading.
        updates: population -> neurons times steps; ports have none.
        variables: population or projection -> units (pairs) times steps times variables with a differential equation that the clock steps.
    """

    steps: Ints
    spikes: Mapping[str, Ints]
    arrivals: Mapping[str, Ints]
    updates: Mapping[str, Ints]
    variables: Mapping[str, Ints]

    def __post_init__(self) -> None:
        for name in ("spikes", "arrivals", "updates", "variables"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))

    @property
    def totals(self) -> dict[str, Ints]:
        """Kind of operation -> number in each trial."""
        found = {SYNAPTIC: [a.sum(axis=1) for a in self.arrivals.values()], UPDATE: self.updates.values()}
        found |= {VARIABLE: self.variables.values(), SPIKE: self.spikes.values()}
        return {kind: self._sum(parts) for kind, parts in found.items()}

    def _sum(self, parts: Iterable[Ints]) -> Ints:
        return sum(parts, np.zeros(self.steps.size, np.int64))


def operations(recording: Recording, circuit: Circuit, *, imposed: Protocol | Mapping[str, Train] | None = None) -> Operations:
    """What `circuit` did in a run on a clock, counted from its spikes and pairs.

    A spike of step k reaches a pair in step k + delay, if that step comes before the last reading of its trial. Updates by a processor
    (`Every`) are not counted: `bioneuro.bss2` has a budget of its own for them.

    Arguments:
        imposed: the spikes of the circuit's ports, which engines do not record: the protocol of the run, if it gives every spike, or a
            `Train` for each port.

    Errors:
        MeasureError: the recording is of another circuit, lacks spikes of a population, or is of an event run; spikes of a port are
            missing, or are drawn by the engine.
    """
    made = recording.provenance.circuit
    if made and made != circuit.digest:
        raise MeasureError(f"operations: the recording is of another circuit than {circuit.name!r}; give the circuit that was run")
    dt = _step(recording, imposed)
    ends = np.rint(recording.times.max(axis=1) / dt).astype(np.int64)
    ports = [p for p in circuit.populations if p.neuron is None and p.name not in recording.spikes]
    fired = {**recording.spikes, **_imposed(ports, imposed, dt, recording.n_trials)}
    sources = {p.name: _fired(fired, p, ends, dt) for p in circuit.populations}
    neurons = {p.name: (p.neuron, p.size) for p in circuit.populations if p.neuron is not None}
    synapses = {p.name: (p.synapse, _pairs(p)[0].size) for p in circuit.projections}
    clocked = {name: size * _clocked(neuron.equations) for name, (neuron, size) in neurons.items()}
    clocked |= {name: size * _clocked(synapse.equations) for name, (synapse, size) in synapses.items()}
    return Operations(
        steps=ends,
        spikes={name: np.bincount(trial, minlength=ends.size) for name, (trial, _, _) in sources.items()},
        arrivals={p.name: _arrivals(p, sources, ends, dt) for p in circuit.projections},
        updates={name: size * ends for name, (_, size) in neurons.items()},
        variables={name: n * ends for name, n in clocked.items() if n},
    )


def _clocked(equations: str) -> int:
    return sum(e.kind == "differential" and "event-driven" not in e.flags for e in equations_of(equations))


def _step(recording: Recording, imposed: Protocol | Mapping[str, Train] | None) -> float:
    trains = [*recording.spikes.values(), *(imposed.values() if isinstance(imposed, Mapping) else ())]
    found = {t.dt for t in trains}
    if isinstance(imposed, Protocol):
        found.add(imposed.stepping.dt if isinstance(imposed.stepping, Clock) else 0.0)
    if len(found) != 1 or min(found) <= 0:
        raise MeasureError(
            f"operations: the spikes have steps of {sorted(found)} s; give a run on one clock, with imposed spikes on that clock: imposed=protocol"
        )
    return found.pop()


def _imposed(ports: Sequence[Population], imposed: Protocol | Mapping[str, Train] | None, dt: float, n_trials: int) -> dict[str, Train]:
    """A train for each port."""
    known = {} if imposed is None else imposed.spikes if isinstance(imposed, Protocol) else imposed
    found = {}
    for port in ports:
        if port.name not in known:
            raise MeasureError(
                f"operations: the spikes of port {port.name!r} are not known, engines do not record them; give imposed=protocol, or "
                f"imposed={{{port.name!r}: train}}"
            )
        given: Any = known[port.name]
        if isinstance(imposed, Protocol):
            whole = _given(given, port, dt, imposed.n_stimuli)
            given = of_trials(whole, np.asarray(imposed.stimulus))
        if given.size != port.size or given.counts.shape[0] != n_trials:
            raise MeasureError(
                f"operations: the spikes of port {port.name!r} are of (trials, units) {given.counts.shape}, expected ({n_trials}, {port.size})"
            )
        found[port.name] = given
    return found


def _given(source: Any, port: Population, dt: float, n_stimuli: int) -> Train:
    """Listed spikes, stimulus by stimulus."""
    each = getattr(source, "sources", None)
    parts = [source] if each is None else each
    if not all(isinstance(part, Given) for part in parts):
        raise MeasureError(
            f"operations: the spikes of port {port.name!r} are drawn in the run, so the protocol does not list them; give the train that was "
            f"drawn, imposed={{{port.name!r}: train}}"
        )
    units = [part.unit if each is None else np.full(part.unit.size, k) for k, part in enumerate(parts)]
    index = np.concatenate([part.stimulus * port.size + unit for part, unit in zip(parts, units, strict=True)])
    steps = np.rint(np.concatenate([part.time for part in parts]) / dt)
    return train(steps, index, n_trials=n_stimuli, size=port.size, dt=dt)


def _fired(fired: Mapping[str, Train], population: Population, ends: Ints, dt: float) -> tuple[Ints, Ints, Ints]:
    """Trial, unit and step of the spikes of a population before the last reading of their trial."""
    if population.name not in fired:
        if population.fires:
            raise MeasureError(f"operations: no spikes of {population.name!r} were recorded; there are those of {sorted(fired)}")
        return (np.empty(0, np.int64),) * 3
    given = fired[population.name]
    if given.size != population.size or given.counts.shape[0] != ends.size:
        raise MeasureError(
            f"operations: the spikes of {population.name!r} are of (trials, units) {given.counts.shape}, expected ({ends.size}, {population.size})"
        )
    trial, unit = np.divmod(np.repeat(np.arange(given.offsets.size - 1), np.diff(given.offsets)), given.size)
    kept = given.steps < ends[trial]
    return trial[kept], unit[kept], given.steps[kept]


def _pairs(projection: Projection) -> tuple[Ints, Ints]:
    pairs = projection.pairs
    return pairs if pairs is not None else (np.empty(0, np.int64),) * 2  # a circuit has completed them


def _arrivals(projection: Projection, sources: Mapping[str, tuple[Ints, Ints, Ints]], ends: Ints, dt: float) -> Ints:
    """Spikes times the pairs that they reach in time, shape (trial, pathway)."""
    synapse, columns = projection.synapse, []
    for pathway in synapse.pathways:
        own = _pairs(projection)[pathway.event == "post"]
        trial, unit, step = sources[getattr(projection, pathway.event)]
        late = synapse.parameters[pathway.delay].value if pathway.delay else np.zeros(())
        delay = np.broadcast_to(np.rint(late / dt).astype(np.int64), own.shape)
        left = ends[trial] - step  # a spike arrives in time over the pairs whose delay is shorter
        size = int(max(own.max(initial=0), unit.max(initial=0))) + 1
        reached = np.bincount(own, minlength=size)[unit]
        for d in np.unique(delay):
            missed = np.flatnonzero(left <= d)
            if missed.size:
                reached[missed] -= np.bincount(own[delay == d], minlength=size)[unit[missed]]
        columns.append(np.bincount(trial, weights=reached, minlength=ends.size).astype(np.int64))
    return np.stack(columns, axis=1) if columns else np.zeros((ends.size, 0), np.int64)


def dense_operations(circuit: Circuit, passes: int = 1) -> dict[str, Ints]:
    """Multiply-accumulates of a network of numbers instead of spikes, of the circuit's shape: every unit to every unit of each projection.

    Arguments:
        passes: how often it is evaluated: once per observation, or once per step.

    Raises `MeasureError` for what is no number of passes.
    """
    _check_number(passes, 0, "dense_operations: passes")
    sizes = {p.name: p.size for p in circuit.populations}
    return {MULTIPLY_ADD: np.array([passes * sum(sizes[p.pre] * sizes[p.post] for p in circuit.projections)])}


def linear_operations(features: int, classes: int = 2) -> dict[str, Ints]:
    """Multiply-accumulates of a linear head for one sample; two classes have one score, whose offset is not counted.

    Raises `MeasureError` for what is no number of features, or of two classes or more.
    """
    _check_number(features, 0, "linear_operations: features")
    _check_number(classes, 2, "linear_operations: classes")
    return {MULTIPLY_ADD: np.array([features * (1 if classes == 2 else classes)])}


def _check_number(value: Any, least: int, place: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or not least <= value < 2**31:
        raise MeasureError(f"{place}: {value!r}; give a whole number from {least} to 2**31 - 1")


def parsing_operations(words: Any) -> dict[str, Ints]:
    """What reading words by Lempel-Ziv 1976 takes, counted while each goes through a suffix automaton.

    A word of n symbols makes at most 2n - 1 states and 3n - 4 transitions (n > 2; Blumer et al. 1985, Theor Comput Sci 40:31), so the work grows
    with n. Each symbol also costs a comparison of the open phrase with the longest suffix that has occurred before.

    Arguments:
        words: symbols, shape (bin,), (word, bin), or (sample, word, bin), whose words are added up for each sample.

    Returns:
        symbols, transitions looked up and transitions written, one number per word (or per sample).

    >>> {kind: int(n[0]) for kind, n in parsing_operations([0, 0, 0, 1, 1, 0, 1, 0, 0, 1, 0, 0, 0, 1, 0, 1]).items()}
    {'symbol': 16, 'transition looked up': 57, 'transition written': 44}
    """
    given = np.asarray(words)
    if given.dtype.kind not in "biu" or given.ndim not in (1, 2, 3):
        raise MeasureError(
            f"parsing_operations: words of shape {given.shape} and type {given.dtype}; give integers, (bin,), (word, bin) or (sample, word, bin)"
        )
    samples = given[None, None] if given.ndim == 1 else given[:, None] if given.ndim == 2 else given
    work = [[(a.lookups, a.writes) for a in map(automaton, sample.tolist())] for sample in samples]
    lookups, writes = np.array(work, np.int64).reshape(*samples.shape[:2], 2).sum(axis=1).T
    return {STEP: np.full(lookups.shape, samples.shape[1] * samples.shape[2]), LOOKUP: lookups, WRITE: writes}


@dataclass(frozen=True, kw_only=True, eq=False)
class Automaton:
    """The suffix automaton of a word: transitions, suffix link and length of each state, and how many transitions were looked up and written."""

    edges: Sequence[Mapping[int, int]]
    links: Sequence[int]
    lengths: Sequence[int]
    lookups: int
    writes: int


def automaton(word: Sequence[int]) -> Automaton:
    """Built symbol by symbol (Blumer et al. 1985), with its work counted; `bioneuro.complexity` has the fast one."""
    edges: list[dict[int, int]] = [{}]
    links, lengths, last, lookups, writes = [-1], [0], 0, 0, 0
    for symbol in word:
        new = len(edges)
        edges.append({})
        lengths.append(lengths[last] + 1)
        links.append(0)
        at = last
        while at >= 0:
            lookups += 1
            if symbol in edges[at]:
                break
            edges[at][symbol] = new
            writes += 1
            at = links[at]
        if at >= 0:
            old = edges[at][symbol]
            if lengths[old] != lengths[at] + 1:
                edges.append(dict(edges[old]))
                lengths.append(lengths[at] + 1)
                links.append(links[old])
                writes += len(edges[old])
                split, links[old] = len(edges) - 1, len(edges) - 1
                while at >= 0:
                    lookups += 1
                    if edges[at].get(symbol) != old:
                        break
                    edges[at][symbol] = split
                    writes += 1
                    at = links[at]
                old = split
            links[new] = old
        last = new
    return Automaton(edges=edges, links=links, lengths=lengths, lookups=lookups, writes=writes)
