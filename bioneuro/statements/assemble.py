"""Circuit + plan -> live Brian2 objects on whatever device is active. The reader and the engine use the same ones."""

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import brian2 as b2
import numpy as np
from brian2.core.functions import Function
from brian2.stateupdaters.base import StateUpdateMethod
from brian2.units.fundamentalunits import Quantity

from bioneuro import noise, units
from bioneuro.flow import flow, symbolic
from bioneuro.model import ModelError, Neuron, Population, Projection, Synapse
from bioneuro.plan import Plan

NORMAL, LENGTH = "counter_normal", "step_length"
"""Names, inside equations, of the counter-based normal draw and of the seconds in this event step."""

TICK = 1e-3
"""Seconds Brian2's clock believes an event step to last; nothing reads it."""

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


class Step(StateUpdateMethod):
    """Brian2's own integrator, or `flow` for event runs, with every random draw made from a counter.

    Attributes:
        moments: let `flow` carry mean and variance instead of drawing.
    """

    def __init__(self, place: str, method: str, *, events: bool, moments: bool = False) -> None:
        self.place, self.method, self.events, self.moments = place, method, events, moments

    def draw(self, symbol: str) -> str:
        """The text of one standard normal draw for the noise called `symbol`."""
        return f"{NORMAL}({noise.stream(f'{self.place}.{symbol}')}, trial_index, unit_index, t_in_timesteps)"

    def __call__(self, equations: Any, variables: Any = None, method_options: Any = None) -> str:
        if self.events:
            return self._flow(equations, variables)
        code = str(StateUpdateMethod.stateupdaters[self.method](equations, variables, method_options))
        code = "\n".join(_without_vanishing(line) for line in code.splitlines())
        return re.sub(r"^(xi\w*)( = .*)randn\(\)", lambda m: f"{m[1]}{m[2]}{self.draw(m[1])}", code, flags=re.MULTILINE)

    def _flow(self, equations: Any, variables: Any) -> str:
        substituted = dict(equations.get_substituted_expressions(variables))
        differential = {name: str(substituted[name].code) for name in equations.diff_eq_names}
        draws = {str(symbol): self.draw(str(symbol)) for symbol in equations.stochastic_variables}
        return flow(
            self.place,
            differential,
            draws,
            length=f"{LENGTH}(t_in_timesteps, stimulus_index)",
            moments=self.moments,
            varying=lambda names: any(not variables[name].scalar for name in names),
        )


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
    for order, population in enumerate(plan.circuit.populations):
        if population.neuron is None:
            objects[population.name] = _port(plan, population, clock, order, generators)
            continue
        step = Step(population.name, population.neuron.method, events=False)
        group = _neurons(plan, population, clock, order, step, functions)
        objects[population.name], steps[population.name] = group, step
        monitors[population.name] = b2.SpikeMonitor(group, name=f"{population.name}_spikes")
    for order, projection in enumerate(plan.circuit.projections):
        step = Step(projection.name, projection.synapse.method, events=events, moments=moments)
        group = _synapses(plan, projection, objects, clock, order + len(plan.circuit.populations), step, functions)
        objects[projection.name], steps[projection.name] = group, step
    _distinct_streams(plan)
    network = b2.Network(*objects.values(), *monitors.values(), name="bioneuro_network")
    return Assembly(objects=objects, monitors=monitors, steps=steps, network=network, clock=clock)


def _without_vanishing(statement: str) -> str:
    """A statement that divides by the refractory flag, with the flag set to 1.

    Brian2 does not write the result while the flag is 0, but Cython stops at the division and torch makes its slope NaN.
    """
    for node in ast.walk(ast.parse(statement)):
        below = None
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            below = node.right
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow) and isinstance(node.right, ast.UnaryOp):
            below = node.left
        if below is not None and "not_refractory" in ast.unparse(below):
            at_zero = ast.parse(ast.unparse(below).replace("int(not_refractory)", "0"), mode="eval")
            if symbolic(at_zero).expand() == 0:
                return statement.replace("int(not_refractory)", "1")
    return statement


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
        flag = "shared, constant" if plan.values[f"{owner}.{name}"].ndim == 0 else "constant"
        lines.append(f"{name} : {_brian_unit(parameter.unit)} ({flag})")
    return "\n".join(lines)


def _brian_unit(name: str) -> str:
    """A unit of the same dimensions in base units, as Brian2 wants it in equations."""
    powers = zip(("metre", "kilogram", "second", "amp", "kelvin", "mole", "candela"), units.unit(name).dimensions, strict=True)
    return " * ".join(f"{base}**{power:g}" for base, power in powers if power) or "1"


def _bookkeeping(plan: Plan, code: str) -> str:
    """Constants that say where an element lies, declared only where the text reads them."""
    lines = []
    if re.search(r"\bxi\w*\b", code):
        lines.append("trial_index : integer (constant)\nunit_index : integer (constant)")
    if plan.dt is None:
        lines.append("stimulus_index : integer (constant)")
    return "\n".join(lines)


def _neurons(
    plan: Plan, population: Population, clock: Any, order: int, step: Step, functions: Mapping[str, Function]
) -> Any:
    neuron: Neuron = population.neuron  # type: ignore[assignment]
    equations = neuron.equations
    if population.name in plan.currents:
        driven = rf"^\s*{neuron.input}\s*:\s*([^(#\n]*).*$"
        call = rf"{neuron.input} = drive_{population.name}(t_in_timesteps, waveform_index) : \1\nwaveform_index : integer (constant)"
        equations = re.sub(driven, call, equations, flags=re.MULTILINE)
    whole = "\n".join((equations, _declared(plan, population.name, neuron), _bookkeeping(plan, equations)))
    group = b2.NeuronGroup(
        plan.flat[population.name].trial.size,
        whole,
        threshold=neuron.threshold,
        reset=neuron.reset,
        refractory=neuron.refractory or False,
        method=step,
        namespace=dict(functions),
        clock=clock,
        order=order,
        name=population.name,
    )
    _fill(plan, population.name, group, neuron)
    if population.name in plan.currents:
        group.waveform_index = plan.currents[population.name][0]
    return group


def _synapses(
    plan: Plan, projection: Projection, objects: Mapping[str, Any], clock: Any, order: int, step: Step, functions: Mapping[str, Function]
) -> Any:
    synapse = projection.synapse
    equations = with_driving(synapse.equations, events=plan.dt is None)
    whole = "\n".join((equations, _declared(plan, projection.name, synapse), _bookkeeping(plan, equations)))
    keys = pathway_names(synapse)
    delays = {k: Quantity(d * float(clock.dt), dim=b2.second.dim) for k, d in zip(keys, plan.delays[projection.name], strict=True)}
    code = {event: {k: p.code for k, p in zip(keys, synapse.pathways, strict=True) if p.event == event} for event in ("pre", "post")}
    group = b2.Synapses(
        objects[projection.pre],
        objects[projection.post],
        whole,
        on_pre=code["pre"] or None,
        on_post=code["post"] or None,
        delay=delays,
        method=step,
        namespace=dict(functions),
        clock=clock,
        order=order,
        name=projection.name,
    )
    for k, (key, pathway) in enumerate(zip(keys, synapse.pathways, strict=True)):
        # All presynaptic pathways before all postsynaptic ones; among them in the order written.
        getattr(group, key).order = (0 if pathway.event == "pre" else 1000) + 10 * order + k
    wiring = plan.wiring[projection.name]
    group.connect(i=wiring.pre, j=wiring.post)
    _fill(plan, projection.name, group, synapse)
    return group


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
    for name, values in (("trial_index", flat.trial), ("unit_index", flat.unit), ("stimulus_index", flat.stimulus)):
        if name in group.variables:
            setattr(group, name, values.astype(np.int32))

