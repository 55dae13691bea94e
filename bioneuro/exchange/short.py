"""A circuit as a short Brian2 script: one copy of it, numbers in their own units, for whoever goes on with a fitted model in plain Brian2.

`bioneuro.brian.script` writes all trials of a run and whatever it reads; here are the circuit, what one trial does to it, and its spikes.
"""

import builtins
import keyword
import re
import textwrap
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bioneuro.brian.literals import array, base_unit, number, remark, string
from bioneuro.dynamics import read_from_ends
from bioneuro.equations import equations_of
from bioneuro.exchange.amounts import BRIAN2, amount, listed
from bioneuro.imposed import clock
from bioneuro.model import Circuit, ModelError, Neuron, Population, Projection, Synapse
from bioneuro.plan import Plan, plan
from bioneuro.protocol import Clock, Protocol, ProtocolError, Spikes
from bioneuro.protocol.table import second
from bioneuro.statements.assemble import driven_by_protocol, pathways_of, with_driving

_OURS = frozenset({"np", *dir(BRIAN2), *dir(builtins), *keyword.kwlist})
"""Names that mean something else in the script."""


def short(circuit: Circuit, protocol: Protocol | None = None, *, seed: int = 0, duration: Any = None, dt: Any = "0.1 ms") -> str:
    """The Brian2 script of one copy of a circuit, which spikes as ``simulate(circuit, protocol, seed=seed)`` does.

    Its last lines print the spikes of every population, in ms, and the last values of what synapses hold, in SI units. Where the equations
    hold noise, the script draws it by Brian2: the same law, other numbers.

    Arguments:
        protocol: of one trial on a clock; the script has its spikes, currents and settings, and runs to its last reading. By default
            nothing is done to the circuit, and what a user would fill in is there and empty.
        seed: of Poisson spikes and of Brian2's own random numbers.
        duration, dt: of a run without a protocol; by default 1 s.

    Errors:
        ProtocolError: the protocol has several trials or steps from event to event, does not fit the circuit, or a duration is given besides.
        ModelError: a synapse has periodic code, or a parameter that changes has several values at a time; the message says what can run it.

    >>> from bioneuro.catalogue import vogels2005
    >>> text = short(vogels2005.driven().with_values({"lif.tau_m": "12.3 ms"}))
    >>> [line for line in text.splitlines() if "tau_m =" in line]
    ['tau_m = 12.3*ms  # membrane time constant']
    """
    todo = plan(circuit, _one_trial(circuit, protocol, duration, dt), seed=seed)
    _refuse(todo)
    names = _python_names(circuit)
    constants = _constants(todo, names)
    parts = [_head(todo), _constant_lines(todo, constants), _tables(todo)]
    for population in circuit.populations:
        made = _port if population.neuron is None else _neurons
        parts.append(made(todo, population, names[population.name], constants))
    parts += [_synapses(todo, projection, names, constants) for projection in circuit.projections]
    parts += [_orders(todo, names), _run(todo, names)]
    return "\n".join(part.strip("\n") + "\n" for part in parts if part.strip())


def _one_trial(circuit: Circuit, protocol: Protocol | None, duration: Any, dt: Any) -> Protocol:
    if protocol is None:
        nothing = {p.name: Spikes(stimulus=[], unit=[], time=[]) for p in circuit.populations if p.neuron is None}  # type: ignore[arg-type]
        end = second("1 s" if duration is None else duration, "short: duration")
        return Protocol(name="alone", stepping=clock(dt, tolerance=dt), trials={}, stimulus=[0], reads=[[end]], spikes=nothing)  # type: ignore[arg-type]
    where = f"short: protocol {protocol.name!r}"
    if duration is not None:
        raise ProtocolError(f"{where} and a duration of {duration!r:.60}; leave the duration out: the protocol ends with its last reading")
    if not isinstance(protocol.stepping, Clock):
        remedy = "give stepping=clock(...), or use bioneuro.brian.script"
        raise ProtocolError(f"{where} steps by {protocol.stepping}, which Brian2 has no word for; {remedy}")
    if protocol.n_trials != 1:
        raise ProtocolError(f"{where} has {protocol.n_trials} trials, allowed: 1; give a protocol of one trial, or use bioneuro.brian.script")
    return protocol


def _refuse(todo: Plan) -> None:
    for p in todo.circuit.projections:
        if p.synapse.every is not None:
            raise ModelError(f"short: synapse {p.name!r} has periodic code (every), which plain Brian2 lacks the functions for; use brian.simulate")
    for path, (_, table) in todo.phases.items():
        if table.shape[1] > 1:
            raise ModelError(f"short: {path!r} changes and differs between units; give it one value at a time, or use bioneuro.brian.script")


def _python_names(circuit: Circuit) -> dict[str, str]:
    """Placed name -> Python variable: the same, unless that would hide a name of Brian2, of Python or of the equations."""
    taken = {*_OURS, *_equation_names(circuit), *(path.partition(".")[2] for path in circuit.values)}
    found = {}
    for placed in [*(p.name for p in circuit.populations), *(p.name for p in circuit.projections)]:
        name = placed
        while taken & {name, f"{name}_spikes", f"drive_{name}"}:
            name += "_"
        taken |= {name, f"{name}_spikes", f"drive_{name}"}
        found[placed] = name
    return found


def _equation_names(circuit: Circuit) -> set[str]:
    return {e.name for model in circuit.models.values() for e in equations_of(model.equations)}


def _constants(todo: Plan, names: Mapping[str, str]) -> frozenset[str]:
    """Placed names of the parameters that are plain Python variables: one number each, and no other object means anything else by the name.

    The others are declared in the equations of their object.
    """
    local = [path.partition(".")[2] for path in todo.circuit.values]
    taken = {*_OURS, *_equation_names(todo.circuit), *names.values()}
    taken |= {f"{name}_spikes" for name in names.values()} | {f"drive_{name}" for name in names}
    alone = {path for path, name in zip(todo.circuit.values, local, strict=True) if local.count(name) == 1 and name not in taken}
    ends = [(p, *name.rpartition("_")[::2]) for p in todo.circuit.projections for name in read_from_ends(p.synapse)]
    seen_from_synapses = {f"{getattr(p, end)}.{name}" for p, name, end in ends}
    return frozenset(path for path in alone - seen_from_synapses - set(todo.phases) if _value(todo, path).ndim == 0)


def _value(todo: Plan, path: str) -> NDArray[np.float64]:
    """One number where all units have the same."""
    value = todo.values[path]
    return np.asarray(value.ravel()[0]) if value.ndim and np.all(value == value[0]) else value


def _head(todo: Plan) -> str:
    circuit = todo.circuit
    lines = dict.fromkeys(f"# {remark(m.reference)}" for m in circuit.models.values() if m.reference)
    noisy = any(re.search(r"\bxi\w*\b", model.equations) for model in circuit.models.values())
    return f"""
# {circuit.name} for Brian2 {BRIAN2.__version__}; written by bioneuro.
{chr(10).join(lines)}

import numpy as np
from brian2 import *

prefs.codegen.target = "numpy"  # without this line Brian2 compiles, which pays off in long runs
prefs.codegen.loop_invariant_optimisations = False  # arithmetic in the order written
{f"seed({todo.seed % 2**32}){chr(10)}" if noisy else ""}defaultclock.dt = {amount(np.asarray(todo.dt), "ms")}
"""


def _constant_lines(todo: Plan, constants: frozenset[str]) -> str:
    lines = []
    for owner, model in todo.circuit.models.items():
        mine = {key: p for key, p in model.parameters.items() if f"{owner}.{key}" in constants}
        lines += [f"\n# {owner}"] if mine else []
        for key, p in mine.items():
            lines.append(f"{key} = {amount(_value(todo, f'{owner}.{key}'), p.unit)}" + (f"  # {remark(p.says)}" if p.says else ""))
    return "\n".join(lines)


def _tables(todo: Plan) -> str:
    """Currents, and parameters that change, a row per step."""
    lines = []
    for name, (which, table) in todo.currents.items():
        unit = _input_unit(todo, name)
        course = table[:, which[0]] if np.all(which == which[0]) else table[:, which]
        lines.append(f"drive_{name} = TimedArray({amount(course, unit)}, dt=defaultclock.dt)  # a row per step")
    for path, (_, table) in todo.phases.items():
        owner, _, name = path.partition(".")
        course = table[todo.timing.phase[:, 0], 0]
        lines.append(f"drive_{owner}_{name} = TimedArray({amount(course, todo.circuit.values[path].unit)}, dt=defaultclock.dt)  # a row per step")
    return "\n".join(lines)


def _input_unit(todo: Plan, name: str) -> str:
    neuron = todo.circuit.models[name]
    variable = getattr(neuron, "input", "")
    return neuron.initial[variable].unit if variable in neuron.initial else todo.protocol.currents[name].unit


def _port(todo: Plan, population: Population, name: str, constants: frozenset[str]) -> str:
    spikes, dt = todo.spikes[population.name], todo.dt or 0.0
    ms = np.round(spikes.step * dt * 1e3, 6)
    if not np.array_equal(np.floor((ms * 1e-3 + 1e-3 * dt) / dt), spikes.step):  # as Brian2 puts a time into its step
        ms = spikes.step * dt / 1e-3
    what = "" if ms.size else "  # no spikes: units and times"
    return f"{name} = SpikeGeneratorGroup({population.size}, {listed(spikes.index)}, {listed(ms)}*ms){what}"


def _equations(todo: Plan, owner: str, model: Neuron | Synapse, constants: frozenset[str], equations: str) -> str:
    """The model's own equations, then declarations of the parameters that are no plain variables."""
    lines = textwrap.dedent(equations).strip("\n").splitlines()
    for key, p in model.parameters.items():
        path, unit = f"{owner}.{key}", "integer" if p.unit == "integer" else base_unit(p.unit)
        if path in todo.phases:
            lines.append(f"{key} = drive_{owner}_{key}(t) : {unit} (constant over dt)")
        elif path not in constants and not _only_delays(model, key):
            lines.append(f"{key} : {unit} ({'constant' if _value(todo, path).ndim else 'shared, constant'})")
    lines = [line.strip() for line in lines if line.strip()]
    return '"""\n' + textwrap.indent("\n".join(lines), "    ") + '\n    """' if lines else ""


def _only_delays(model: Neuron | Synapse, name: str) -> bool:
    """Whether a parameter is a delay and nothing else, so that the pathway has its value."""
    if not isinstance(model, Synapse) or name not in {p.delay for p in model.pathways}:
        return False
    return re.search(rf"\b{name}\b", "\n".join([model.equations, *(p.code for p in model.pathways)])) is None


def _neurons(todo: Plan, population: Population, name: str, constants: frozenset[str]) -> str:
    neuron: Neuron = population.neuron  # type: ignore[assignment]
    equations, owner = neuron.equations, population.name
    if owner in todo.currents:
        which = todo.currents[owner][0]
        unit = "" if np.all(which == which[0]) else ", i"
        line = rf"{neuron.input} = drive_{owner}(t{unit}) : \1"
        equations = re.sub(rf"^\s*{neuron.input}\s*:\s*([^(#\n]*).*$", line, equations, flags=re.MULTILINE)
    given = {
        "threshold": string(neuron.threshold) if neuron.threshold else "",
        "reset": _code(neuron.reset) if neuron.reset.strip() else "",
        "refractory": string(neuron.refractory) if neuron.refractory else "",
        "method": string(neuron.method),
    }
    arguments = [str(population.size), _equations(todo, owner, neuron, constants, equations), *(f"{k}={v}" for k, v in given.items() if v)]
    text = f"{name} = NeuronGroup(\n    " + ",\n    ".join(arguments) + ",\n)\n"
    if neuron.momentary and not driven_by_protocol(todo, population):
        zero = f"{neuron.momentary} = 0*{base_unit(neuron.plain[neuron.momentary])}"
        text += f'{name}.run_regularly({string(zero)}, when="groups", order=100)  # behind the step that reads it\n'
    return text + _values(todo, owner, name, neuron, constants)


def _synapses(todo: Plan, projection: Projection, names: Mapping[str, str], constants: frozenset[str]) -> str:
    synapse, owner, name = projection.synapse, projection.name, names[projection.name]
    paths = list(pathways_of(todo.circuit, projection).items())
    lines = equations_of(synapse.equations)
    stepped = any(e.kind == "differential" and "event-driven" not in e.flags for e in lines)
    steps = {key: np.asarray(todo.delays[owner][k]) for k, (key, _) in paths}
    late = {key: _delay(todo, projection, p.delay, steps[key], constants) for _, (key, p) in paths if p.delay and not steps[key].ndim}
    given = {
        **{f"on_{event}": _table({key: _code(p.code) for _, (key, p) in paths if p.event == event}, event) for event in ("pre", "post")},
        "delay": _table(late, "pre"),
        "method": string(synapse.method) if any(e.kind == "differential" for e in lines) else "",
        "order": "1" if stepped else "",  # behind the neurons, which it may read
    }
    equations = _equations(todo, owner, synapse, constants, with_driving(synapse.equations, events=False))
    ends = f"{names[projection.pre]}, {names[projection.post]}"
    arguments = [ends, *([equations] if equations else []), *(f"{k}={v}" for k, v in given.items() if v)]
    text = f"{name} = Synapses(\n    " + ",\n    ".join(arguments) + f",\n)\n{name}.connect({_pairs(todo.circuit, projection)})\n"
    for _, (key, p) in paths:
        if steps[key].ndim:
            text += f"{name}.{key}.delay = {_delay(todo, projection, p.delay, steps[key], frozenset())}\n"
    return text + _values(todo, owner, name, synapse, constants)


def _delay(todo: Plan, projection: Projection, parameter: str, steps: Any, constants: frozenset[str]) -> str:
    """The parameter, if Brian2 would make the same number of steps of it."""
    path, dt = f"{projection.name}.{parameter}", todo.dt or 0.0
    p = todo.circuit.values[path]
    if not np.array_equal(np.floor(p.value / dt + 0.5), steps):
        return amount(np.asarray(steps * dt), p.unit)
    return parameter if path in constants else amount(p.value, p.unit)


def _pairs(circuit: Circuit, projection: Projection) -> str:
    pre, post = projection.pairs  # type: ignore[misc]
    size = {p.name: p.size for p in circuit.populations}
    n, m = size[projection.pre], size[projection.post]
    if pre.size == n * m:
        return ""
    if n == m == pre.size and np.array_equal(pre, post) and np.array_equal(pre, np.arange(n)):
        return 'j="i"'
    return f"i={array(pre)}, j={array(post)}"


def _values(todo: Plan, owner: str, name: str, model: Neuron | Synapse, constants: frozenset[str]) -> str:
    """Declared parameters and initial values with their meanings; Brian2's own initial value is 0."""
    driven = getattr(model, "input", "") if owner in todo.currents else ""
    lines = []
    for key, p in model.parameters.items():
        if f"{owner}.{key}" not in {*constants, *todo.phases} and not _only_delays(model, key):
            lines.append(f"{name}.{key} = {amount(_value(todo, f'{owner}.{key}'), p.unit)}" + (f"  # {remark(p.says)}" if p.says else ""))
    for key, unit in model.states.items():
        value = _value(todo, f"{owner}.{key}")
        if key != driven and np.any(value != 0):
            shown = model.initial[key].unit if key in model.initial else "1" if unit in ("boolean", "integer") else unit
            kind = {"boolean": bool, "integer": np.int64}.get(unit)
            typed = value.astype(kind) if kind else value
            text = amount(value, shown) if not kind else array(typed) if typed.ndim else repr(typed.item())
            lines.append(f"{name}.{key} = {text}")
    return "\n".join(lines)


def _orders(todo: Plan, names: Mapping[str, str]) -> str:
    """What acts first where several projections act at once, in the order of the circuit: Brian2 would go by the names of its objects."""
    at: dict[str, list[str]] = {"pre": [], "post": []}
    sums = []
    for projection in todo.circuit.projections:
        for key, pathway in pathways_of(todo.circuit, projection).values():
            at[pathway.event].append(f"{names[projection.name]}.{key}")
        sums += [f"{names[projection.name]}.summed_updaters[{string(target)}]" for target in projection.synapse.sums]
    first = {"pre": -len(at["pre"]), "post": 1}
    lines = [f"{path}.order = {first[event] + k}" for event, found in at.items() if len(found) > 1 for k, path in enumerate(found)]
    lines += [f"{path}.order = {k - len(sums)}" for k, path in enumerate(sums) if len(sums) > 1]
    return "# What acts first in one step.\n" + "\n".join(lines) if lines else ""


def _run(todo: Plan, names: Mapping[str, str]) -> str:
    firing = [p.name for p in todo.circuit.populations if p.neuron is not None and p.fires]
    lines = [f"{names[p]}_spikes = SpikeMonitor({names[p]})" for p in firing]
    lines += [f"run({number(float(f'{todo.n_steps * (todo.dt or 0.0) * 1e3:.12g}'))}*ms)", ""]  # Brian2 rounds it to whole steps
    for p in firing:
        times = f"np.round({names[p]}_spikes.t/ms, 6).tolist()"
        lines.append(f"print({string(p)}, {times}, {names[p]}_spikes.i[:].tolist())  # spikes: times in ms, units")
    for projection in todo.circuit.projections:
        lazy = {e.name for e in equations_of(projection.synapse.equations) if "event-driven" in e.flags}
        for key in projection.synapse.states:
            if key not in lazy:
                lines.append(f"print({string(f'{projection.name}.{key}')}, np.asarray({names[projection.name]}.{key}_).tolist())")
    return "\n".join(lines)


def _code(statements: str) -> str:
    return string("; ".join(line.strip().rstrip(";") for line in statements.splitlines() if line.strip()))


def _table(entries: Mapping[str, str], alone: str) -> str:
    """One entry under the usual name stands for itself."""
    if set(entries) == {alone}:
        return entries[alone]
    return "{" + ", ".join(f"{string(key)}: {value}" for key, value in entries.items()) + "}" if entries else ""
