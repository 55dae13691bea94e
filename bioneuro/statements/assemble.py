"""Circuit + plan -> live Brian2 objects on whatever device is active. The reader and the engine use the same ones."""

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import brian2 as b2
import numpy as np
from brian2.core.functions import Function
from brian2.units.fundamentalunits import Quantity

from bioneuro import noise, units
from bioneuro.flow import FlowError
from bioneuro.model import Circuit, ModelError, Neuron, Pathway, Population, Projection, Synapse
from bioneuro.plan import Plan
from bioneuro.statements.ends import Ends, ends
from bioneuro.statements.periodic import draws, periodic
from bioneuro.statements.step import IN_NEURON, IN_SYNAPSE, Step, phase_name, then

TICK = 1e-3
"""Seconds Brian2's clock believes an event step to last; nothing reads it."""

FIRST, AHEAD, FORGET, SUMS, SLOW, NEURONS, BEHIND = -2000, -1900, 500, 1000, 2000, 3000, 4000
"""Order within a step. First parameters that change; in an event run, after the fast steps of synapses: sums over them, their slow
steps, the steps of neurons, and behind all that periodic code: it sees what holds when the step ends, before its spikes. On a clock periodic
code goes ahead of the step that begins at its time; then Brian2's own order holds: sums, neurons, synapses; then momentary inputs are forgotten."""

STANDALONE_EMPTY = np.empty(0, dtype=np.int64)


@dataclass(frozen=True, kw_only=True, eq=False)
class Assembly:
    """Live objects of one run.

    Attributes:
        objects: placed name -> Brian2 group.
        monitors: population -> SpikeMonitor.
        steps: placed name -> the state updater, with the text it wrote in `text`.
    """

    objects: Mapping[str, Any]
    monitors: Mapping[str, Any]
    steps: Mapping[str, "Step"]
    network: Any
    clock: Any


def assemble(plan: Plan, functions: Mapping[str, Function], *, generators: bool, moments: bool = False) -> Assembly:
    """Build the objects of `plan` on the active device.

    Arguments:
        functions: implementations of the names in equations that Brian2 does not know (draws, step lengths, currents).
        generators: give imposed spikes to Brian2's spike generators (otherwise they stay empty and the device supplies them).
    """
    events = plan.dt is None
    clock = b2.Clock(dt=Quantity(TICK if plan.dt is None else plan.dt, dim=b2.second.dim), name="bioneuro_clock")
    objects: dict[str, Any] = {}
    monitors, steps = {}, {}
    needs = ends(plan.circuit) if events else {}
    refuse_unlike(plan, needs)
    for order, population in enumerate(plan.circuit.populations):
        if population.neuron is None:
            objects[population.name] = _port(plan, population, clock, order, generators)
            continue
        step = Step(population.name, population.neuron.method, at=IN_NEURON, ends=needs.get(population.name), moments=moments)
        group = _neurons(plan, population, clock, order + NEURONS * events, step, functions)
        objects[population.name], steps[population.name] = group, step
        if population.fires:
            monitors[population.name] = b2.SpikeMonitor(group, name=f"{population.name}_spikes")
    for order, projection in enumerate(plan.circuit.projections):
        varies = functools.partial(_varies, plan, projection)
        step = Step(projection.name, projection.synapse.method, at=IN_SYNAPSE, ends=needs.get(projection.name), varies=varies, moments=moments)
        group = _synapses(plan, projection, objects, clock, order + len(plan.circuit.populations), step, functions)
        objects[projection.name], steps[projection.name] = group, step
    _distinct_streams(plan)
    network = b2.Network(*objects.values(), *monitors.values(), name="bioneuro_network")
    return Assembly(objects=objects, monitors=monitors, steps=steps, network=network, clock=clock)


def _varies(plan: Plan, projection: Projection, name: str) -> bool:
    """Whether a variable or parameter of the neuron at an end differs between elements."""
    local, _, end = name.rpartition("_")
    owner = getattr(projection, end)
    path = f"{owner}.{local}"
    return local not in plan.circuit.models[owner].parameters or path in plan.phases or plan.values[path].ndim > 0


def _distinct_streams(plan: Plan) -> None:
    """Two noises whose names have one number would draw the same: refused, however unlikely."""
    names = [f"{o}.{xi}" for o, m in plan.circuit.models.items() for xi in sorted(set(re.findall(r"\bxi\w*", m.equations)))]
    if len({noise.stream(name) for name in names}) < len(names):
        raise ModelError(f"circuit {plan.circuit.name!r}: two of the noises {names} have the same stream; rename one of them")


def _port(plan: Plan, population: Population, clock: Any, order: int, generators: bool) -> Any:
    n = plan.n_stimuli * population.size
    if not generators:
        return b2.SpikeGeneratorGroup(
            n, STANDALONE_EMPTY, STANDALONE_EMPTY * b2.second, clock=clock, order=order, name=population.name
        )
    spikes = plan.spikes[population.name]
    times = Quantity(spikes.step * float(clock.dt), dim=b2.second.dim)
    return b2.SpikeGeneratorGroup(n, spikes.index, times, clock=clock, order=order, name=population.name, sorted=True)


def _declared(plan: Plan, owner: str, model: Neuron | Synapse) -> str:
    """Declarations of the parameters: one value for all, or one per element where they differ."""
    lines = []
    for name, parameter in model.parameters.items():
        path = f"{owner}.{name}"
        flags = "" if path in plan.phases else " (constant)" if plan.values[path].ndim else " (shared, constant)"
        unit = "integer" if parameter.unit == "integer" else units.base(units.unit(parameter.unit).dimensions)
        lines.append(f"{name} : {unit}{flags}")
    return "\n".join(lines)


def driven_by_protocol(plan: Plan, population: Population) -> bool:
    """Whether the protocol's current is what the momentary input of a population is."""
    neuron = population.neuron
    return neuron is not None and population.name in plan.currents and neuron.input == neuron.momentary


def phased(plan: Plan, owner: str) -> list[str]:
    """Parameters of an object that change during the run."""
    return [path.partition(".")[2] for path in plan.phases if path.partition(".")[0] == owner]


def _bookkeeping(plan: Plan, owner: str, code: str, *, draws: bool = False) -> str:
    """Constants that say where an element lies, declared only where the text reads them."""
    trial, unit, stimulus = located(plan, owner)
    lines = []
    if draws or re.search(r"\bxi\w*\b", code):
        lines.append(f"{trial} : integer (constant)\n{unit} : integer (constant)")
    if plan.dt is None or phased(plan, owner):
        lines.append(f"{stimulus} : integer (constant)")
    lines += [f"{name}_column : integer (constant)" for name in phased(plan, owner)]
    return "\n".join(lines)


def located(plan: Plan, owner: str) -> tuple[str, str, str]:
    """The names that say, in an object, where an element lies: trial, unit, stimulus."""
    return IN_NEURON if isinstance(plan.circuit.models[owner], Neuron) else IN_SYNAPSE


def _follow_phases(plan: Plan, owner: str, group: Any) -> None:
    """Before anything else in a step, parameters that change take the value of the moment."""
    names = phased(plan, owner)
    for name in names:
        setattr(group, f"{name}_column", plan.phases[f"{owner}.{name}"][0].astype(np.int32))
    code = "".join(f"{name} = {phase_name(owner, name)}(t_in_timesteps, {located(plan, owner)[2]}, {name}_column)\n" for name in names)
    if code:
        then(group, f"{owner}_phases", FIRST, lambda _: code)


def _neurons(
    plan: Plan, population: Population, clock: Any, order: int, step: Step, functions: Mapping[str, Function]
) -> Any:
    neuron: Neuron = population.neuron  # type: ignore[assignment]
    equations = neuron.equations
    if step.ends:
        equations = "\n".join([equations, *(f"{name} : {unit}" for name, unit in step.ends.plain.items())])
    if population.name in plan.currents:
        driven = rf"^\s*{neuron.input}\s*:\s*([^(#\n]*).*$"
        call = rf"{neuron.input} = drive_{population.name}(t_in_timesteps, waveform_index) : \1\nwaveform_index : integer (constant)"
        equations = re.sub(driven, call, equations, flags=re.MULTILINE)
    whole = "\n".join((equations, _declared(plan, population.name, neuron), _bookkeeping(plan, population.name, equations)))
    group = b2.NeuronGroup(
        plan.flat[population.name].trial.size,
        whole,
        threshold=neuron.threshold or None,
        reset=neuron.reset or None,
        refractory=neuron.refractory or False,
        method=step,
        namespace=dict(functions),
        clock=clock,
        order=order,
        name=population.name,
    )
    _fill(plan, population.name, group, neuron)
    _follow_phases(plan, population.name, group)
    if neuron.momentary and not driven_by_protocol(plan, population):
        then(group, f"{population.name}_forget", FORGET + order, lambda _: f"{neuron.momentary} = 0")
    if population.name in plan.currents:
        group.waveform_index = plan.currents[population.name][0]
    return group


def _synapses(
    plan: Plan, projection: Projection, objects: Mapping[str, Any], clock: Any, order: int, step: Step, functions: Mapping[str, Function]
) -> Any:
    synapse = projection.synapse
    equations = with_driving(synapse.equations, events=plan.dt is None)
    updates = periodic(projection.name, synapse, events=plan.dt is None)
    if updates:
        equations = "\n".join([equations, *(f"{name} : 1" for name in updates.kept)])
    if step.ends:
        equations = "\n".join([equations, *added_lines(step.ends)])
    whole = "\n".join((equations, _declared(plan, projection.name, synapse), _bookkeeping(plan, projection.name, equations, draws=draws(synapse))))
    heard = pathways_of(plan.circuit, projection)
    times = plan.delays[projection.name]
    delays = {key: Quantity(times[k] * float(clock.dt), dim=b2.second.dim) for k, (key, _) in heard.items() if not times[k].ndim}
    on = {event: {key: p.code for key, p in heard.values() if p.event == event} for event in ("pre", "post")}
    group = b2.Synapses(
        objects[projection.pre],
        objects[projection.post],
        whole,
        on_pre=on["pre"] or None,
        on_post=on["post"] or None,
        delay=delays,
        method=step,
        namespace=dict(functions),
        clock=clock,
        order=order,
        name=projection.name,
    )
    for k, (key, pathway) in heard.items():
        # All presynaptic pathways before all postsynaptic ones; among them in the order written.
        getattr(group, key).order = (0 if pathway.event == "pre" else 1000) + 10 * order + k
    wiring = plan.wiring[projection.name]
    group.connect(i=wiring.pre, j=wiring.post)
    for k, (key, _) in heard.items():
        if times[k].ndim:
            getattr(group, key).delay = Quantity(np.resize(times[k], wiring.pre.size) * float(clock.dt), dim=b2.second.dim)
    _fill(plan, projection.name, group, synapse)
    _follow_phases(plan, projection.name, group)
    for k, updater in enumerate(group.summed_updaters.values()):
        updater.order = (SUMS if step.ends else -SUMS) + 10 * order + k
    if step.ends and step.ends.beside:

        def slow(namespace: Any) -> str:
            group.state_updater.update_abstract_code(namespace)
            return step.slow

        then(group, f"{projection.name}_slow", SLOW + order, slow)
    if updates:
        place = (BEHIND if plan.dt is None else AHEAD) + 2 * order
        if updates.first:
            then(group, f"{projection.name}_draws", place, lambda _: updates.first)
        then(group, f"{projection.name}_updates", place + 1, lambda _: updates.then)
    return group


def added_lines(needs: Ends) -> list[str]:
    """Equations that an event run adds to a synapse that sums."""
    summed = [f"{name} = {text} : {unit} (summed)" for name, (text, unit) in needs.beside.items()]
    return [*(f"{name} : {unit}" for name, unit in needs.away.items()), *summed]


def refuse_unlike(plan: Plan, needs: Mapping[str, Ends]) -> None:
    """The sum over the synapses of a neuron fades at one rate if all of its parts do."""
    for projection, end in [(p, end) for p in plan.circuit.projections if p.name in needs for end in needs[p.name].alike]:
        onto = getattr(plan.wiring[projection.name], end)
        order = np.argsort(onto, kind="stable")
        same = np.diff(onto[order]) == 0
        for name in sorted(needs[projection.name].alike[end]):
            each = np.broadcast_to(plan.values[f"{projection.name}.{name}"], onto.shape)[order]
            if np.any((np.diff(each) != 0) & same):
                raise FlowError(
                    f"{projection.name}: synapses of one neuron differ in {name!r}, so that their sum does not fade at one rate; give all of them "
                    "one value, or use stepping=clock(...)"
                )


def with_driving(equations: str, *, events: bool) -> str:
    """Say "(clock-driven)" where nothing is said, so that Brian2 does not warn about its default.

    Between events everything is stepped at once: there "event-driven" (step at spikes only) has nothing left to say.
    """
    out = []
    for line in equations.splitlines():
        body = line.partition("#")[0].rstrip()
        if events:
            body = re.sub(r"\bevent-driven\b", "clock-driven", body)
        if re.match(r"\s*d\w+\s*/\s*dt\s*=", body) and not re.search(r"\((?:event|clock)-driven\)", body):
            body += " (clock-driven)"
        out.append(body)
    return "\n".join(out)


def pathways_of(circuit: Circuit, projection: Projection) -> dict[int, tuple[str, Pathway]]:
    """Number of a pathway -> (its Brian2 name, itself), for those that can be taken: neurons without threshold never fire."""
    silent = {p.name for p in circuit.populations if not p.fires}
    numbered = enumerate(zip(pathway_names(projection.synapse), projection.synapse.pathways, strict=True))
    return {k: (key, p) for k, (key, p) in numbered if getattr(projection, p.event) not in silent}


def pathway_names(synapse: Synapse) -> tuple[str, ...]:
    """Brian2 names of the pathways: pre, post, then pre_1, pre_2, ..."""
    seen: dict[str, int] = {}
    names = []
    for pathway in synapse.pathways:
        k = seen.get(pathway.event, 0)
        seen[pathway.event] = k + 1
        names.append(pathway.event if k == 0 else f"{pathway.event}_{k}")
    return tuple(names)


def _fill(plan: Plan, owner: str, group: Any, model: Neuron | Synapse) -> None:
    """Initial values and parameters, always as full arrays so that the generated source does not depend on them."""
    flat = plan.flat[owner]
    driven = getattr(model, "input", "") if owner in plan.currents else ""
    for name in sorted({*model.parameters, *model.states} - {driven}):
        value = plan.values[f"{owner}.{name}"]
        variable = group.variables[name]
        if not variable.scalar:
            value = np.broadcast_to(value, flat.trial.shape)
        dtype = {"b": bool, "i": np.int32}.get(np.dtype(variable.dtype).kind, np.float64)
        plain = np.array(value).astype(dtype)
        setattr(group, name, plain if variable.dim.is_dimensionless else Quantity(plain, dim=variable.dim))
    for name, values in zip(located(plan, owner), (flat.trial, flat.unit, flat.stimulus), strict=True):
        if name in group.variables:
            setattr(group, name, values.astype(np.int32))

