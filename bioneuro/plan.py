"""Circuit x protocol x seed -> the integers and SI arrays that every engine starts from.

Trials lie flat: index = trial*size + unit. Ports (populations without a neuron) have one unit per *distinct stimulus*, so that a
thousand repetitions of a lag share its spikes. Nothing here knows an engine.
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bioneuro.model import Circuit, Population, Projection, Synapse
from bioneuro.protocol import Clock, Current, Events, Poisson, Protocol, ProtocolError, Spikes
from bioneuro.recording import Provenance, Recording, train

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SIMULTANEOUS = 1e-12
"""Events closer than this (s) arrive together: a lag equal to a delay differs from it by a rounding only."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Flat:
    """Where the elements of a placed object lie: trial, unit and stimulus of each of its trials*size elements."""

    size: int
    trial: Ints
    unit: Ints
    stimulus: Ints


@dataclass(frozen=True, kw_only=True, eq=False)
class Wiring:
    """A projection with its trials laid flat: element k goes from `pre[k]` to `post[k]` (flat indices)."""

    pre: Ints
    post: Ints


@dataclass(frozen=True, kw_only=True, eq=False)
class Imposed:
    """Spikes of a port in the order (step, index); index = stimulus*size + unit."""

    step: Ints
    index: Ints


@dataclass(frozen=True, kw_only=True, eq=False)
class Plan:
    """What every engine starts from.

    Attributes:
        dt: seconds per step on the clock; for event runs None, and `lengths` has the seconds of each step, shape (step, stimulus).
        n_steps: number of steps, up to the last reading.
        reads: number of completed steps at each reading, shape (trial, reads); `times` has the seconds.
        stimulus: distinct stimulus of each trial.
        flat: placed name -> `Flat`. wiring: projection -> `Wiring`. spikes: port -> `Imposed`.
        delays: projection -> steps per pathway.
        values: placed name -> SI value, a scalar or one per element.
        currents: population -> (waveform of each element, table (step, waveform)).
        shifts: what was moved to the grid -> largest shift in seconds.
    """

    circuit: Circuit
    protocol: Protocol
    seed: int
    dt: float | None
    lengths: Floats | None
    n_steps: int
    reads: Ints
    times: Floats
    stimulus: Ints
    flat: Mapping[str, Flat]
    wiring: Mapping[str, Wiring]
    spikes: Mapping[str, Imposed]
    delays: Mapping[str, tuple[int, ...]]
    values: Mapping[str, Floats]
    currents: Mapping[str, tuple[Ints, Floats]]
    record: tuple[str, ...]
    shifts: Mapping[str, float]

    @property
    def n_trials(self) -> int:
        return self.protocol.n_trials

    @property
    def n_stimuli(self) -> int:
        return int(self.stimulus.max()) + 1


def plan(circuit: Circuit, protocol: Protocol, *, seed: int) -> Plan:
    """The plan of a run.

    Errors:
        ProtocolError: a port, setting or record is not in the circuit; spikes or delays are further off the grid than the clock
            tolerates; two spikes of one unit fall on one instant or into one bin.
    """
    if not isinstance(seed, int | np.integer) or not 0 <= seed < 2**63:
        raise ProtocolError(f"seed: {seed!r} is not an integer from 0 to 2**63 - 1")
    _check_fit(circuit, protocol)
    values = _values(circuit, protocol)
    drawn = {p: _drawn(s, p, _size(circuit, p), seed) for p, s in protocol.spikes.items()}
    stimulus = protocol.stimulus
    shifts: dict[str, float] = {}
    if isinstance(protocol.stepping, Clock):
        timing = _on_clock(circuit, protocol, protocol.stepping, drawn, shifts)
    else:
        timing = _by_events(circuit, protocol, drawn)
    flat = {name: _flat(circuit, name, stimulus) for name in circuit.models}
    return Plan(
        circuit=circuit,
        protocol=protocol,
        seed=int(seed),
        stimulus=stimulus,
        flat=flat,
        wiring={p.name: _wire(circuit, p, stimulus) for p in circuit.projections},
        values=values,
        currents=_currents(protocol, flat, timing),
        record=_record(circuit, protocol),
        shifts=shifts,
        **timing,
    )


def _size(circuit: Circuit, name: str) -> int:
    return next(p.size for p in circuit.populations if p.name == name)


def _check_fit(circuit: Circuit, protocol: Protocol) -> None:
    ports = {p.name for p in circuit.populations if p.neuron is None}
    neurons = {p.name: p.neuron for p in circuit.populations if p.neuron is not None}
    for port in protocol.spikes:
        if port not in ports:
            raise ProtocolError(f"protocol {protocol.name!r} imposes spikes on {port!r}; ports of circuit {circuit.name!r}: {sorted(ports)}")
    for port in sorted(ports - set(protocol.spikes)):
        raise ProtocolError(f"protocol {protocol.name!r} gives no spikes for port {port!r} of circuit {circuit.name!r}; add them to `spikes`")
    for name in protocol.currents:
        if name not in neurons or not neurons[name].input:
            able = sorted(n for n, neuron in neurons.items() if neuron.input)
            raise ProtocolError(f"protocol {protocol.name!r} injects current into {name!r}; populations with an input: {able}")
    for path in (*protocol.settings, *protocol.record):
        circuit.resolve(path)
    if neurons and isinstance(protocol.stepping, Events):
        raise ProtocolError(
            f"circuit {circuit.name!r} has neurons ({', '.join(sorted(neurons))}) that decide when to spike: "
            "event stepping cannot foresee that; use stepping=clock('0.1 ms')"
        )


def _values(circuit: Circuit, protocol: Protocol) -> dict[str, Floats]:
    """Parameters and initial values per placed name, with the protocol's settings (one per trial) laid flat."""
    n, values = protocol.n_trials, {}
    for owner, model in circuit.models.items():
        size = _elements(circuit, owner)
        starts = {name: model.initial[name].value if name in model.initial else np.zeros(()) for name in model.states}
        for name, value in {**{k: p.value for k, p in model.parameters.items()}, **starts}.items():
            path = f"{owner}.{name}"
            if path in protocol.settings:
                value = np.repeat(protocol.settings[path], size)
                if name in model.parameters:
                    _check_bounds(model.parameters[name], value, path)
            elif value.ndim:
                value = np.tile(value, n)
            values[path] = np.asarray(value)
    return values


def _check_bounds(parameter: Any, value: Floats, path: str) -> None:
    parameter.with_value(type(parameter)(value=value, unit=parameter.unit), f"setting {path}")


def _elements(circuit: Circuit, name: str) -> int:
    for projection in circuit.projections:
        if projection.name == name:
            return int(projection.pairs[0].size)  # type: ignore[index]
    return _size(circuit, name)


def _drawn(source: Spikes | Poisson, port: str, size: int, seed: int) -> Spikes:
    """Explicit spikes, sorted by stimulus, time and unit; Poisson trains are drawn here from the seed."""
    if isinstance(source, Spikes):
        if source.unit.size and not 0 <= source.unit.min() <= source.unit.max() < size:
            raise ProtocolError(f"spikes of {port!r} name a unit outside 0..{size - 1}")
        order = np.lexsort((source.unit, source.time, source.stimulus))
        return Spikes(stimulus=source.stimulus[order], unit=source.unit[order], time=source.time[order])
    rng = np.random.Generator(np.random.Philox(key=[seed, zlib.crc32(port.encode())]))
    first, last = round(source.start / source.grid), round(source.stop / source.grid)
    counts = rng.binomial(last - first, np.repeat(source.rate * source.grid, size))
    element = np.repeat(np.arange(counts.size), counts)
    bins = rng.integers(first, last, element.size)
    bins = _distinct(bins, element, rng, first, last)
    order = np.lexsort((element % size, bins, element // size))
    element, bins = element[order], bins[order]
    return Spikes(stimulus=element // size, unit=element % size, time=bins * source.grid)


def _distinct(bins: Ints, element: Ints, rng: np.random.Generator, first: int, last: int) -> Ints:
    """Redraw bins until no train has two spikes in one: a uniform choice of distinct bins, given the count."""
    while True:
        order = np.lexsort((bins, element))
        same = (np.diff(bins[order]) == 0) & (np.diff(element[order]) == 0)
        again = order[1:][same]
        if not again.size:
            return bins
        bins[again] = rng.integers(first, last, again.size)


def _to_grid(times: Floats, clock: Clock, what: str, shifts: dict[str, float]) -> Ints:
    steps = np.rint(times / clock.dt).astype(np.int64)
    if times.size:
        moved = np.abs(times - steps * clock.dt).ravel()
        worst = int(moved.argmax())
        where = times.ravel()[worst]
        # A microsecond in 10^7 steps is rounding of the time itself, not a shift.
        if moved[worst] > max(clock.tolerance, 1e-12 * abs(where)):
            raise ProtocolError(
                f"{what}: {where:.9g} s is {moved[worst] * 1e6:.3g} us off the grid of {clock.dt * 1e3:g} ms, more than the "
                f"tolerance of {clock.tolerance * 1e6:.3g} us; choose a finer dt, times on the grid, event stepping, or a larger tolerance"
            )
        if moved[worst] > 1e-9 * clock.dt + 1e-12 * abs(where):
            shifts[what] = max(float(moved[worst]), shifts.get(what, 0.0))
    return steps


def _delay(synapse: Synapse, name: str, place: str) -> float:
    if not name:
        return 0.0
    value = synapse.parameters[name].value
    if value.ndim:
        raise ProtocolError(f"{place}.{name}: a delay is one number per projection; split the projection for several delays")
    if value < 0:
        raise ProtocolError(f"{place}.{name}: a delay of {float(value)} s is negative")
    return float(value)


def _on_clock(
    circuit: Circuit, protocol: Protocol, clock: Clock, drawn: Mapping[str, Spikes], shifts: dict[str, float]
) -> dict[str, Any]:
    reads = _to_grid(protocol.reads, clock, "reading times", shifts)[protocol.stimulus]
    spikes = {}
    for port, s in drawn.items():
        step = _to_grid(s.time, clock, f"spikes of {port}", shifts)
        index = s.stimulus * _size(circuit, port) + s.unit
        order = np.lexsort((index, step))
        step, index = step[order], index[order]
        _refuse_double(step, index, port, f"bin of {clock.dt * 1e3:g} ms", step * clock.dt)
        spikes[port] = Imposed(step=step, index=index)
    delays = {}
    for p in circuit.projections:
        _refuse_delay_setting(p, protocol)
        times = np.array([_delay(p.synapse, w.delay, p.name) for w in p.synapse.pathways])
        delays[p.name] = tuple(_to_grid(times, clock, f"delays of {p.name}", shifts).tolist())
    return dict(
        dt=clock.dt, lengths=None, n_steps=int(reads.max()), reads=reads, times=reads * clock.dt, spikes=spikes, delays=delays
    )


def _refuse_double(step: Ints, index: Ints, port: str, where: str, times: Floats) -> None:
    same = (np.diff(step) == 0) & (np.diff(index) == 0)
    if same.any():
        k = int(np.flatnonzero(same)[0])
        raise ProtocolError(
            f"spikes of {port!r}: two spikes of one unit in one {where} at {times[k]:.9g} s (stimulus unit {index[k]}); a unit fires once "
            "per step: choose a finer dt or remove the duplicate"
        )


def _refuse_delay_setting(p: Projection, protocol: Protocol) -> None:
    for pathway in p.synapse.pathways:
        if pathway.delay and f"{p.name}.{pathway.delay}" in protocol.settings:
            raise ProtocolError(f"settings: {p.name}.{pathway.delay} is a delay, which is common to all trials; run one protocol per delay")


def _port_delay(circuit: Circuit, population: Population, protocol: Protocol) -> float:
    """The one delay with which the spikes of a port arrive everywhere."""
    found = {0.0} if not circuit.projections else set()
    for p in circuit.projections:
        _refuse_delay_setting(p, protocol)
        for w in p.synapse.pathways:
            if (p.pre if w.event == "pre" else p.post) == population.name:
                found.add(_delay(p.synapse, w.delay, p.name))
    if len(found) > 1:
        raise ProtocolError(
            f"event stepping: spikes of port {population.name!r} arrive with several delays {sorted(found)} s; use one delay per port "
            "(a port of its own for each pathway), or stepping=clock(...)"
        )
    return found.pop() if found else 0.0


def _by_events(circuit: Circuit, protocol: Protocol, drawn: Mapping[str, Spikes]) -> dict[str, Any]:
    """Ticks from arrival to arrival. Stretches between readings are padded, so that readings fall on one tick in all trials."""
    ports = [p for p in circuit.populations if p.name in drawn]
    for p in ports:
        s = drawn[p.name]
        _refuse_same_instant(s, p.name)
    which = _joined([drawn[p.name].stimulus for p in ports], np.int64)
    time = _joined([drawn[p.name].time + _port_delay(circuit, p, protocol) for p in ports], np.float64)
    tick, lengths, read_ticks = _ticks(which, time, protocol.reads, _grid(protocol, protocol.reads))
    bounds = np.cumsum([0, *(drawn[p.name].time.size for p in ports)])
    spikes = {}
    for k, p in enumerate(ports):
        mine, s = tick[bounds[k] : bounds[k + 1]], drawn[p.name]
        used = mine >= 0  # spikes after the last reading change nothing that is read
        index, mine = (s.stimulus * p.size + s.unit)[used], mine[used]
        order = np.lexsort((index, mine))
        spikes[p.name] = Imposed(step=mine[order], index=index[order])
    return dict(
        dt=None,
        lengths=lengths,
        n_steps=lengths.shape[0],
        reads=np.tile(read_ticks, (protocol.n_trials, 1)),
        times=protocol.reads[protocol.stimulus],
        spikes=spikes,
        delays={p.name: (0,) * len(p.synapse.pathways) for p in circuit.projections},
    )


def _joined(parts: list[Any], dtype: Any) -> NDArray[Any]:
    return np.concatenate([np.empty(0, dtype), *parts])


def _refuse_same_instant(s: Spikes, port: str) -> None:
    order = np.lexsort((s.time, s.unit, s.stimulus))
    same = (np.diff(s.time[order]) == 0) & (np.diff(s.unit[order]) == 0) & (np.diff(s.stimulus[order]) == 0)
    if same.any():
        k = order[int(np.flatnonzero(same)[0])]
        raise ProtocolError(
            f"spikes of {port!r}: unit {s.unit[k]} fires twice at {s.time[k]:.9g} s in stimulus {s.stimulus[k]}; remove the duplicate"
        )


def _grid(protocol: Protocol, reads: Floats) -> Floats:
    step = protocol.stepping.grid if isinstance(protocol.stepping, Events) else 0.0
    return np.arange(1, int(reads.max() / step) + 1) * step if step > 0 else np.empty(0)


def _ticks(which: Ints, time: Floats, reads: Floats, grid: Floats) -> tuple[Ints, Floats, Ints]:
    """Tick of each event (-1: after the last reading), seconds of each (tick, stimulus), and completed ticks at each reading."""
    n, n_reads = reads.shape
    every = np.repeat(np.arange(n), grid.size)
    all_which = np.concatenate([which, every])
    all_time = np.concatenate([time, np.tile(grid, n)])
    # The stretch an event lies in: after how many readings of its stimulus. One at a reading time comes after it.
    stretch = np.zeros(all_which.size, np.int64)
    for r in range(n_reads):
        stretch += all_time >= reads[all_which, r] - SIMULTANEOUS
    order = np.lexsort((all_time, all_which))
    w, t, s = all_which[order], all_time[order], stretch[order]
    first = np.ones(w.size, bool)
    first[1:] = (np.diff(w) != 0) | (np.diff(s) != 0) | (np.diff(t) > SIMULTANEOUS)
    run = np.cumsum(first) - 1  # one number per distinct instant of a stimulus
    instant = np.flatnonzero(first)
    cell = w[instant] * (n_reads + 1) + s[instant]
    begin = np.searchsorted(cell, cell)
    within = np.arange(cell.size) - begin
    counts = np.bincount(cell, minlength=n * (n_reads + 1)).reshape(n, n_reads + 1)
    width = counts[:, :n_reads].max(axis=0) if n else np.zeros(n_reads, np.int64)
    start = np.concatenate([[0], np.cumsum(width + 1)])  # one more tick than events: the reading itself
    used = s[instant] < n_reads
    tick_of_instant = np.where(used, start[np.minimum(s[instant], n_reads - 1)] + within, -1)
    clock_time = np.full((int(start[-1]), n), np.nan)
    clock_time[tick_of_instant[used], w[instant][used]] = t[instant][used]
    read_rows = start[1:] - 1
    clock_time[read_rows] = reads.T
    lengths = _lengths(clock_time)
    tick = np.empty(all_which.size, np.int64)
    tick[order] = tick_of_instant[run]
    return tick[: which.size], lengths, start[1:].astype(np.int64)


def _lengths(clock_time: Floats) -> Floats:
    """Differences along ticks, where a missing time repeats the one before."""
    filled = np.maximum.accumulate(np.where(np.isnan(clock_time), -np.inf, clock_time), axis=0)
    filled[np.isinf(filled)] = 0.0
    return np.maximum(np.diff(filled, axis=0, prepend=0.0), 0.0)


def _flat(circuit: Circuit, name: str, stimulus: Ints) -> Flat:
    size = _elements(circuit, name)
    n = stimulus.size
    return Flat(
        size=size, trial=np.repeat(np.arange(n), size), unit=np.tile(np.arange(size), n), stimulus=np.repeat(stimulus, size)
    )


def _wire(circuit: Circuit, projection: Projection, stimulus: Ints) -> Wiring:
    ends = []
    for name, local in zip((projection.pre, projection.post), projection.pairs or (), strict=True):
        population = next(p for p in circuit.populations if p.name == name)
        block = stimulus if population.neuron is None else np.arange(stimulus.size)
        ends.append((block[:, None] * population.size + local[None, :]).ravel())
    return Wiring(pre=ends[0], post=ends[1])


def _currents(protocol: Protocol, flat: Mapping[str, Flat], timing: Mapping[str, Any]) -> dict[str, tuple[Ints, Floats]]:
    tables = {}
    for name, current in protocol.currents.items():
        waveforms, which = np.unique(current.value, axis=1, return_inverse=True)
        tables[name] = (which.ravel()[flat[name].trial], _sampled(current, waveforms, timing["dt"], timing["n_steps"]))
    return tables


def _sampled(current: Current, waveforms: Floats, dt: float, n_steps: int) -> Floats:
    starts = np.rint(current.start / dt).astype(np.int64)
    return waveforms[np.searchsorted(starts, np.arange(n_steps), side="right") - 1]


def _record(circuit: Circuit, protocol: Protocol) -> tuple[str, ...]:
    if protocol.record:
        states = {f"{owner}.{name}" for owner, model in circuit.models.items() for name in model.states}
        for path in protocol.record:
            if path not in states:
                raise ProtocolError(f"record: {path!r} is a parameter; states: {sorted(states)}")
        return protocol.record
    return tuple(f"{owner}.{name}" for owner, model in circuit.models.items() for name in model.states)


def recording(
    plan: Plan,
    snapshots: Ints,
    traces: Mapping[str, Any],
    spikes: Mapping[str, tuple[Any, Any]],
    *,
    engine: str,
    strict: bool,
    versions: Mapping[str, str],
    raster: Mapping[str, Any] | None = None,
    close: Mapping[str, Any] | None = None,
    notes: tuple[str, ...] = (),
) -> Recording:
    """What an engine saw, as a recording: snapshots (snapshot, element) become traces (trial, time, unit).

    Arguments:
        snapshots: completed steps at which the engine read, increasing.
        traces: placed name -> array (snapshot, element) of NumPy or torch.
        spikes: population -> (step, flat index).
    """
    rows = np.searchsorted(snapshots, plan.reads)
    columns = np.arange(plan.n_trials)[:, None]
    shaped = {}
    for path, values in traces.items():
        size = plan.flat[path.partition(".")[0]].size
        shaped[path] = values.reshape(len(snapshots), plan.n_trials, size)[rows, columns]
    dt = plan.dt or 0.0
    trains = {
        p: train(step, index, n_trials=plan.n_trials, size=_size(plan.circuit, p), dt=dt) for p, (step, index) in spikes.items()
    }
    states = {f"{o}.{n}": u for o, m in plan.circuit.models.items() for n, u in m.states.items()}
    return Recording(
        traces=shaped,
        times=plan.times,
        units={path: states.get(path, "1") for path in shaped},
        spikes=trains,
        conditions=plan.protocol.trials,
        provenance=Provenance(
            circuit=plan.circuit.digest,
            protocol=plan.protocol.digest,
            seed=plan.seed,
            engine=engine,
            strict=strict,
            versions=dict(versions),
            shifts=dict(plan.shifts),
            notes=notes,
        ),
        raster=raster or {},
        close=close or {},
    )
