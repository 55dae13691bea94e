"""Circuit x protocol x seed -> the integers and SI arrays that every engine starts from.

Trials lie flat: index = trial*size + unit. Ports (populations without a neuron) have one unit per *distinct stimulus*, so that a
thousand repetitions of a lag share its spikes. Nothing here knows an engine.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bioneuro import units
from bioneuro.flow import longest_gap, refuse_long_steps
from bioneuro.model import Circuit, Projection, did_you_mean
from bioneuro.protocol import Clock, Events, Protocol, ProtocolError
from bioneuro.recording import Provenance, Recording, train
from bioneuro.timing import Imposed, Timing, breakpoints, by_events, on_clock, population_size, to_grid
from bioneuro.trains import drawn_spikes

__all__ = ["Flat", "Imposed", "Plan", "Wiring", "plan", "recording"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


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
class Plan:
    """What every engine starts from.

    Attributes:
        timing: when what happens; `dt`, `lengths`, `n_steps`, `reads`, `spikes` and `delays` are its.
        dt: seconds per step on the clock; for event runs None, and `lengths` has the seconds of each step, shape (step, stimulus).
        n_steps: number of steps, up to the last reading.
        reads: number of completed steps at each reading, shape (trial, reads).
        spikes: port -> `Imposed`. delays: projection -> steps per pathway, one number or one per pair.
        stimulus: distinct stimulus of each trial.
        flat: placed name -> `Flat`. wiring: projection -> `Wiring`.
        values: placed name -> SI value, a scalar or one per element.
        currents: population -> (waveform of each element, table (step, waveform)).
        phases: placed name of a parameter -> (column of each element, table (phase, column)); `timing.phase` says which row holds when.
        shifts: what was moved to the grid -> largest shift in seconds.
    """

    circuit: Circuit
    protocol: Protocol
    seed: int
    timing: Timing
    stimulus: Ints
    flat: Mapping[str, Flat]
    wiring: Mapping[str, Wiring]
    values: Mapping[str, Floats]
    currents: Mapping[str, tuple[Ints, Floats]]
    phases: Mapping[str, tuple[Ints, Floats]]
    record: tuple[str, ...]
    shifts: Mapping[str, float]

    @property
    def n_trials(self) -> int:
        return self.protocol.n_trials

    @property
    def dt(self) -> float | None:
        return self.timing.dt

    @property
    def delays(self) -> Mapping[str, tuple[Ints, ...]]:
        return self.timing.delays

    @property
    def spikes(self) -> Mapping[str, Imposed]:
        return self.timing.spikes

    @property
    def lengths(self) -> Floats | None:
        return self.timing.lengths

    @property
    def n_steps(self) -> int:
        return self.timing.n_steps

    @property
    def reads(self) -> Ints:
        return self.timing.reads

    @property
    def n_stimuli(self) -> int:
        return int(self.stimulus.max()) + 1


def plan(circuit: Circuit, protocol: Protocol, *, seed: int) -> Plan:
    """The plan of a run.

    Errors:
        ProtocolError: a port, setting or record is not in the circuit; spikes or delays are further off the grid than the clock
            tolerates; two spikes of one unit fall on one instant or into one bin.
        FlowError: an event step is longer than a remainder in the equations allows; the message says which grid to ask for.
    """
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not 0 <= seed < 2**63:
        raise ProtocolError(f"seed: {seed!r:.60} is not an integer from 0 to 2**63 - 1; give one, such as seed=1")
    _check_fit(circuit, protocol)
    values = _values(circuit, protocol)
    drawn = {p: drawn_spikes(s, p, population_size(circuit, p), seed) for p, s in protocol.spikes.items()}
    stimulus = protocol.stimulus
    shifts: dict[str, float] = {}
    if isinstance(protocol.stepping, Clock):
        timing: Timing = on_clock(circuit, protocol, protocol.stepping, drawn, shifts)
    else:
        timing = events = by_events(circuit, protocol, drawn)
        gap = functools.partial(longest_gap, [(a.stimulus, a.time) for a in events.arrivals.values()], events.readings)
        for owner, model in circuit.models.items():
            own = {name: values[f"{owner}.{name}"] for name in (*model.parameters, *model.states)}
            refuse_long_steps(owner, model.equations, own, gap)
    flat = {name: _flat(circuit, name, stimulus) for name in circuit.models}
    return Plan(
        circuit=circuit,
        protocol=protocol,
        seed=int(seed),
        stimulus=stimulus,
        flat=flat,
        wiring={p.name: _wire(circuit, p, stimulus) for p in circuit.projections},
        values=values,
        currents=_currents(protocol, flat, timing, shifts),
        phases=_phases(circuit, protocol, flat, values),
        record=_record(circuit, protocol),
        shifts=shifts,
        timing=timing,
    )


def _check_fit(circuit: Circuit, protocol: Protocol) -> None:
    ports = {p.name for p in circuit.populations if p.neuron is None}
    neurons = {p.name: p.neuron for p in circuit.populations if p.neuron is not None}
    for port in protocol.spikes:
        if port not in ports:
            hint = did_you_mean(port, ports)
            raise ProtocolError(f"protocol {protocol.name!r} imposes spikes on {port!r}; ports of {circuit.name!r}: {sorted(ports)}.{hint}")
    for port in sorted(ports - set(protocol.spikes)):
        raise ProtocolError(f"protocol {protocol.name!r} gives no spikes for port {port!r} of circuit {circuit.name!r}; add them to `spikes`")
    for name, current in protocol.currents.items():
        if name not in neurons or not neurons[name].input:
            able = sorted(n for n, neuron in neurons.items() if neuron.input)
            raise ProtocolError(f"protocol {protocol.name!r} injects current into {name!r}; populations with an input: {able}")
        expected = neurons[name].states[neurons[name].input]
        if units.unit(current.unit).dimensions != units.unit(expected).dimensions:
            raise units.UnitError(f"current into {name!r}: it is in {current.unit!r}, but its input is in {expected!r}; give one in that unit")
    for path in (*protocol.settings, *protocol.record, *protocol.phases):
        circuit.resolve(path)
    for path, course in protocol.phases.items():
        _check_phases(circuit, path, course.unit)
    for path, given in protocol.dimensions.items():
        expected, wanted = _unit_of(circuit, circuit.resolve(path))
        if given != wanted:
            raise units.UnitError(
                f"setting {path}: expected values in {expected!r} ({units.describe(wanted)}) but got {units.describe(given)}; "
                f"write for example 1*{expected}"
            )
    if protocol.currents and isinstance(protocol.stepping, Events):
        raise ProtocolError(
            f"protocol {protocol.name!r} injects current into {', '.join(sorted(protocol.currents))} and steps from event to event; a current "
            "needs a clock: use stepping=clock('0.1 ms')"
        )
    for name, neuron in neurons.items():
        if neuron.momentary and isinstance(protocol.stepping, Events):
            raise ProtocolError(f"population {name!r}: its input {neuron.momentary!r} lasts a step of a clock; use stepping=clock('0.1 ms')")
    deciding = sorted(n for n, neuron in neurons.items() if neuron.threshold)
    if deciding and isinstance(protocol.stepping, Events):
        raise ProtocolError(
            f"circuit {circuit.name!r} has neurons ({', '.join(deciding)}) that decide when to spike: "
            "event stepping cannot foresee that; use stepping=clock('0.1 ms')"
        )


def _check_phases(circuit: Circuit, path: str, unit: str) -> None:
    owner, _, name = path.partition(".")
    model = circuit.models[owner]
    if name not in model.parameters:
        raise ProtocolError(f"phases: {path!r} is a state, which the equations change; parameters: {', '.join(sorted(circuit.values))}")
    fixed = [getattr(model, "refractory", ""), *(p.delay for p in getattr(model, "pathways", ()))]
    fixed += [model.every.period] if getattr(model, "every", None) else []  # type: ignore[union-attr]
    if name in fixed:
        raise ProtocolError(f"phases: {path!r} is a delay, a refractory period or the period of updates, which cannot change during a run")
    expected = model.parameters[name].unit
    if units.unit(expected).dimensions != units.unit(unit).dimensions:
        given = units.describe(units.unit(unit).dimensions)
        raise units.UnitError(f"phases: {path!r} is in {expected!r}, but its values are in {given}; give them in that unit")


def _phases(circuit: Circuit, protocol: Protocol, flat: Mapping[str, Flat], values: Mapping[str, Floats]) -> dict[str, tuple[Ints, Floats]]:
    """Courses of parameters on common breakpoints, the circuit's own values put in."""
    times = np.append(0.0, breakpoints(protocol))
    tables = {}
    for path, course in protocol.phases.items():
        owner, _, name = path.partition(".")
        rows = course.value[np.searchsorted(course.start, times, side="right") - 1]
        given = rows[:, flat[owner].trial]
        full = np.where(np.isnan(given), values[path], given)
        circuit.models[owner].parameters[name].check_bounds(full.ravel(), f"phases {path}")
        columns, which = np.unique(full, axis=1, return_inverse=True)
        tables[path] = (which.ravel(), columns)
    return tables


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
                parameter = model.parameters.get(name, model.initial.get(name))
                if parameter is not None:
                    parameter.check_bounds(value, f"setting {path}")
            elif value.ndim:
                value = np.tile(value, n)
            values[path] = np.asarray(value)
    return values


def _unit_of(circuit: Circuit, path: str) -> tuple[str, units.Dimensions]:
    owner, _, name = path.partition(".")
    model = circuit.models[owner]
    if name in model.parameters:
        return model.parameters[name].unit, units.unit(model.parameters[name].unit).dimensions
    written = model.states[name]
    return written, units.DIMENSIONLESS if written in ("boolean", "integer") else units.unit(written).dimensions


def _elements(circuit: Circuit, name: str) -> int:
    for projection in circuit.projections:
        if projection.name == name:
            return int(projection.pairs[0].size)  # type: ignore[index]
    return population_size(circuit, name)


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


def _currents(
    protocol: Protocol, flat: Mapping[str, Flat], timing: Timing, shifts: dict[str, float]
) -> dict[str, tuple[Ints, Floats]]:
    tables = {}
    for name, current in protocol.currents.items():
        size = flat[name].size
        if current.value.ndim == 3 and current.value.shape[2] != size:
            raise ProtocolError(f"current into {name!r}: {current.value.shape[2]} courses per trial for {size} units; give one, or one per unit")
        waveforms, which = np.unique(current.value.reshape(current.start.size, -1), axis=1, return_inverse=True)
        starts = to_grid(current.start, protocol.stepping, f"current into {name}", shifts)  # type: ignore[arg-type]
        table = waveforms[np.searchsorted(starts, np.arange(timing.n_steps), side="right") - 1]
        tables[name] = (np.repeat(which.ravel(), size) if current.value.ndim == 2 else which.ravel(), table)
    return tables


def _record(circuit: Circuit, protocol: Protocol) -> tuple[str, ...]:
    if protocol.record:
        states = {f"{owner}.{name}" for owner, model in circuit.models.items() for name in model.states}
        for path in protocol.record:
            if path not in states:
                raise ProtocolError(f"record: {path!r} is a parameter, which stays as it is during a run; states: {sorted(states)}")
        return protocol.record
    driven = {f"{p.name}.{p.neuron.input}" for p in circuit.populations if p.neuron and p.name in protocol.currents}
    every = (f"{owner}.{name}" for owner, model in circuit.models.items() for name in model.states)
    return tuple(path for path in every if path not in driven)  # the protocol knows its own currents


def recording(
    plan: Plan,
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
        traces: placed name -> array (snapshot, element) of NumPy or torch.
        spikes: population -> (step, flat index).
    """
    rows = plan.timing.rows
    columns = np.arange(plan.n_trials)[:, None]
    shaped = {}
    for path, values in traces.items():
        size = plan.flat[path.partition(".")[0]].size
        shaped[path] = values.reshape(plan.timing.n_snapshots, plan.n_trials, size)[rows, columns]
    dt = plan.dt or 0.0
    trains = {
        p: train(step, index, n_trials=plan.n_trials, size=population_size(plan.circuit, p), dt=dt) for p, (step, index) in spikes.items()
    }
    states = {f"{o}.{n}": u for o, m in plan.circuit.models.items() for n, u in m.states.items() if u not in ("boolean", "integer")}
    return Recording(
        traces=shaped,
        times=plan.timing.times,
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
