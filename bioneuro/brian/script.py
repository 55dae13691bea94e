"""The plain Brian2 script of a run: what `simulate` does, for a reader who has Brian2 and NumPy and nothing of ours."""

import keyword
import re
import textwrap
from collections.abc import Iterable, Mapping
from typing import Any

import brian2
import numpy as np

from bioneuro.brian.literals import array, base_unit, quantity, remark, string
from bioneuro.model import Circuit, ModelError, Neuron, Population, Projection, Synapse
from bioneuro.plan import Plan, plan
from bioneuro.protocol import Protocol
from bioneuro.statements import Phase, read
from bioneuro.statements.assemble import FORGET, TICK, added_lines, driven_by_protocol, located, pathways_of, phased, with_driving
from bioneuro.statements.ends import Ends, ends
from bioneuro.statements.step import LENGTH, NORMAL, phase_name

_OURS = ("np", "ticks", "n_trials", "network", "seen", "reads", "snapshots", "read", "trace", "Exact", LENGTH)

_EXACT = '''
class Exact(StateUpdateMethod):
    """These statements as the step from one event to the next, in place of an integrator."""

    def __init__(self, code):
        self.code = code

    def __call__(self, equations, variables=None, method_options=None):
        return self.code
'''

_TRACE = '''
def trace(path):
    """What was read of a variable, in SI units: axes trial, reading, unit."""
    values = np.array(seen[path]).reshape(len(snapshots), n_trials, -1)
    return values[np.searchsorted(snapshots, reads), np.arange(n_trials)[:, None]]
'''


def script(circuit: Circuit, protocol: Protocol, *, seed: int = 0) -> str:
    """The Brian2 script that does what ``simulate(circuit, protocol, seed=seed)`` does, with only brian2 and numpy imported.

    Its last lines print the last reading of every recorded variable and the spikes of every population. Where the equations hold
    noise, the script draws it by ``randn()`` instead of our counter: the same law, other numbers.

    Errors:
        ProtocolError: the protocol does not fit the circuit. FlowError: an event run needs a term that has no exact solution.
        ModelError: a synapse has periodic code, whose integer functions are ours and not Brian2's.
    """
    for p in circuit.projections:
        if p.synapse.every is not None:
            raise ModelError(f"script: synapse {p.name!r} has periodic code (every), which plain Brian2 lacks the functions for; use brian.simulate")
    todo = plan(circuit, protocol, seed=seed)
    names = _python_names(circuit)
    noisy = any(re.search(r"\bxi\w*\b|\brandn?\(", _text_of(model)) for model in circuit.models.values())
    steps = {(p.owner, p.part or p.target or p.kind): p for p in read(todo).phases}
    needs = ends(circuit) if todo.dt is None else {}
    parts = [_head(todo, noisy), _timing(todo)]
    for order, population in enumerate(circuit.populations):
        name = names[population.name]
        parts.append(_port(todo, population, name, order) if population.neuron is None else _neurons(todo, population, name, order, steps, needs))
    for order, projection in enumerate(circuit.projections, len(circuit.populations)):
        parts.append(_synapses(todo, projection, names, order, steps, needs))
    parts += [_run(todo, names), _last_lines(todo, names)]
    return "\n".join(part.strip("\n") + "\n" for part in parts)


def _text_of(model: Neuron | Synapse) -> str:
    codes = [p.code for p in model.pathways] if isinstance(model, Synapse) else [model.reset]
    return "\n".join([model.equations, *codes])


def _python_names(circuit: Circuit) -> dict[str, str]:
    """Placed name -> Python variable: the same, unless that would hide a name of Brian2 or of the script."""
    taken = {*dir(brian2), *keyword.kwlist, *_OURS, *(f"drive_{p.name}" for p in circuit.populations)}
    found = {}
    for placed in [*(p.name for p in circuit.populations), *(p.name for p in circuit.projections)]:
        name = placed
        while name in taken or f"{name}_spikes" in taken:
            name += "_"
        taken |= {name, f"{name}_spikes"}
        found[placed] = name
    return found


def _head(todo: Plan, noisy: bool) -> str:
    circuit, protocol = todo.circuit, todo.protocol
    references = dict.fromkeys(remark(m.reference) for m in circuit.models.values() if m.reference)
    varied = {remark(name): np.unique(c.values).size for name, c in protocol.trials.items()}
    over = ", ".join(f"{n} x {name}" for name, n in varied.items() if n > 1) or "nothing varies"
    text = f"""
# {circuit.name} under the protocol {protocol.name} ({protocol.stepping}), for Brian2 {brian2.__version__}; written by bioneuro.
{"".join(f"# {line}{chr(10)}" for line in references)}#
# Trials ({protocol.n_trials}: {over}) lie side by side: element = trial*size + unit.

import numpy as np
from brian2 import *
{f"from brian2.groups.group import CodeRunner{chr(10)}from brian2.stateupdaters.base import StateUpdateMethod{chr(10)}" if todo.dt is None else ""}
prefs.codegen.target = "numpy"  # without this line Brian2 compiles, which pays off in long runs
prefs.codegen.loop_invariant_optimisations = False  # arithmetic in the order written
"""
    if noisy:
        text += f"seed({todo.seed % 2**32})  # bioneuro draws noise by a counter, so that every engine sees the same; here it is randn()\n"
    return text


def _timing(todo: Plan) -> str:
    lines = [f"n_trials = {todo.n_trials}"]
    if todo.dt is None:
        lines += [
            "# One tick per event. How many seconds it lasts says the table: a row per tick, a column per stimulus.",
            f"ticks = Clock(dt={quantity(np.asarray(TICK), 'ms')})",
            f"{LENGTH} = TimedArray({array(todo.lengths)}*second, dt=ticks.dt, name={string(LENGTH)})",  # type: ignore[arg-type]
            _EXACT,
        ]
    else:
        lines.append(f"ticks = Clock(dt={quantity(np.asarray(todo.dt), 'ms')})")
    for name, (_, table) in todo.currents.items():
        unit = base_unit(todo.protocol.currents[name].unit)
        amount = array(table) if unit == "1" else f"{array(table)}*{unit}"
        lines.append(f"drive_{name} = TimedArray({amount}, dt=ticks.dt, name={string(f'drive_{name}')})  # a row per tick")
    for path, (_, table) in _courses(todo).items():
        unit = base_unit(todo.protocol.phases[path].unit)
        new = np.append(True, np.any(np.diff(table, axis=0) != 0, axis=1))  # a row per tick, written once for as long as it holds
        times = np.diff(np.append(np.flatnonzero(new), table.shape[0]))
        rows = f"np.repeat({array(table[new])}, {array(times)}, axis=0)"
        amount = rows if unit == "1" else f"{rows}*{unit}"
        lines.append(f"{_course(path)} = TimedArray({amount}, dt=ticks.dt, name={string(_course(path))})")
    return "\n".join(lines)


def _course(path: str) -> str:
    return phase_name(*path.split("."))


def _courses(todo: Plan) -> dict[str, tuple[Any, Any]]:
    """Parameters that change: placed name -> (column of each element, table with a row per tick)."""
    found = {}
    for path, (column, table) in todo.phases.items():
        stimulus = todo.flat[path.partition(".")[0]].stimulus if todo.dt is None else np.zeros_like(column)
        pairs, which = np.unique([stimulus, column], axis=1, return_inverse=True)
        found[path] = which.ravel(), table[todo.timing.phase[:, pairs[0]], pairs[1]]
    return found


def _port(todo: Plan, population: Population, name: str, order: int) -> str:
    spikes = todo.spikes[population.name]
    return f"""
# Imposed spikes of port {population.name}: {spikes.step.size} in {todo.n_stimuli} distinct stimuli.
{name} = SpikeGeneratorGroup(
    {todo.n_stimuli * population.size},
    {_inside(array(spikes.index))},
    {_inside(array(spikes.step))}*ticks.dt,
    clock=ticks,
    order={order},
    name={string(population.name)},
    sorted=True,
)
"""


def _inside(text: str) -> str:
    return text.replace("\n", "\n    ")


def _equations(todo: Plan, owner: str, model: Neuron | Synapse, equations: str) -> str:
    """The model's own equations, then a declaration for each of its parameters."""
    lines = textwrap.dedent(equations).strip("\n").splitlines()
    for name, parameter in model.parameters.items():
        path, unit = f"{owner}.{name}", base_unit(parameter.unit)
        if path in todo.phases:
            lines += [f"{name} = {_course(path)}(t, {name}_column) : {unit} (constant over dt)", f"{name}_column : integer (constant)"]
        else:
            lines.append(f"{name} : {unit} ({'shared, constant' if todo.values[path].ndim == 0 else 'constant'})")
    if todo.dt is None:
        lines.append(f"{located(todo, owner)[2]} : integer (constant)")
    return textwrap.indent("\n".join(line.strip() for line in lines if line.strip()), "    ")


def _code(statements: str) -> str:
    return string("; ".join(line.strip().rstrip(";") for line in statements.splitlines() if line.strip()))


Steps = Mapping[tuple[str, str], Phase]
"""(Placed name, which part of its step) -> the statements."""


def _neurons(todo: Plan, population: Population, name: str, order: int, steps: Steps, needs: Mapping[str, Ends]) -> str:
    neuron: Neuron = population.neuron  # type: ignore[assignment]
    equations, owner = neuron.equations, population.name
    step, method, known = "", string(neuron.method), []
    if owner in needs:
        equations = "\n".join([equations, *(f"{pace} : {unit}" for pace, unit in needs[owner].plain.items())])
        step, method, order = f'{name}_step = """\n{_plain(steps[owner, "update"].code)}"""\n', f"Exact({name}_step)", steps[owner, "update"].order
        known = [LENGTH]
    driven = owner in todo.currents
    if driven:
        call = rf"{neuron.input} = drive_{owner}(t, waveform_index) : \1\nwaveform_index : integer (constant)"
        equations = re.sub(rf"^\s*{neuron.input}\s*:\s*([^(#\n]*).*$", call, equations, flags=re.MULTILINE)
    known += [*([f"drive_{owner}"] if driven else []), *(_course(f"{owner}.{p}") for p in phased(todo, owner))]
    text = f'''
{step}{name} = NeuronGroup(
    {todo.flat[owner].trial.size},
    """
{_equations(todo, owner, neuron, equations)}
    """,
    threshold={string(neuron.threshold) if neuron.threshold else None},
    reset={_code(neuron.reset) if neuron.threshold else None},
    refractory={string(neuron.refractory) if neuron.refractory else False},
    method={method},
    namespace={_namespace(known)},
    clock=ticks,
    order={order},
    name={string(owner)},
)
'''
    if neuron.momentary and not driven_by_protocol(todo, population):
        when = f'when="groups", order={FORGET + order}'
        text += f'{name}.run_regularly("{neuron.momentary} = 0*{base_unit(neuron.plain[neuron.momentary])}", clock=ticks, {when})\n'
    if population.fires:
        text += f"{name}_spikes = SpikeMonitor({name}, name={string(f'{owner}_spikes')})\n"
    return text + _values(todo, owner, name, neuron)


def _namespace(names: Iterable[str]) -> str:
    return "{" + ", ".join(f'"{n}": {n}' for n in names) + "}"


def _synapses(todo: Plan, projection: Projection, names: Mapping[str, str], order: int, steps: Steps, needs: Mapping[str, Ends]) -> str:
    synapse, owner, name = projection.synapse, projection.name, names[projection.name]
    paths = [(key, pathway, todo.delays[owner][k]) for k, (key, pathway) in pathways_of(todo.circuit, projection).items()]
    equations = with_driving(synapse.equations, events=todo.dt is None)
    if owner in needs:
        equations = "\n".join([equations, *added_lines(needs[owner])])
    wiring = todo.wiring[owner]
    update = steps[owner, "update"].code if owner in needs and (owner, "update") in steps else None
    step = "" if update is None else f'{name}_step = """\n{_plain(update)}"""\n'
    known = [*([LENGTH] if todo.dt is None else []), *(_course(f"{owner}.{p}") for p in phased(todo, owner))]
    text = f'''
{step}{name} = Synapses(
    {names[projection.pre]},
    {names[projection.post]},
    """
{_equations(todo, owner, synapse, equations)}
    """,
    on_pre={_table((k, _code(p.code)) for k, p, _ in paths if p.event == "pre")},
    on_post={_table((k, _code(p.code)) for k, p, _ in paths if p.event == "post")},
    delay={_table((k, f"{delay}*ticks.dt") for k, _, delay in paths if not delay.ndim)},
    method={string(synapse.method) if update is None else f"Exact({name}_step)"},
    namespace={_namespace(known)},
    clock=ticks,
    order={order},
    name={string(owner)},
)
# Spikes of the same tick act in this order: presynaptic ones first.
{"".join(_order(f"{name}.{k}", p.event, order, n) for n, (k, p, _) in enumerate(paths))}
{name}.connect(i={array(wiring.pre)}, j={array(wiring.post)})
{"".join(f"{name}.{k}.delay = {array(np.resize(d, wiring.pre.size))}*ticks.dt{chr(10)}" for k, _, d in paths if d.ndim)}'''
    for target in [t for o, t in steps if o == owner and steps[o, t].kind == "sum"]:
        text += f"{name}.summed_updaters[{string(target)}].order = {steps[owner, target].order}\n"
    if (owner, "slow") in steps:
        slow = steps[owner, "slow"]
        text += (
            f'# What hangs on sums over synapses comes after them.\n{name}_slow = """\n{_plain(slow.code)}"""\n'
            f'{name}.contained_objects.append(CodeRunner({name}, "stateupdate", code={name}_slow, clock=ticks, when="groups", '
            f"order={slow.order}, check_units=False))\n"
        )
    return text + _values(todo, owner, name, synapse)


def _order(pathway: str, event: str, order: int, n: int) -> str:
    return f"{pathway}.order = {(0 if event == 'pre' else 1000) + 10 * order + n}\n"


def _table(entries: Iterable[tuple[str, str]]) -> str:
    found = ", ".join(f'"{key}": {value}' for key, value in entries)
    return f"{{{found}}}" if found else "None"


def _plain(update: str) -> str:
    """The statements of an event step with functions that every Brian2 has."""
    update = re.sub(rf"\b{NORMAL}\([^()]*\)", "randn()", update)
    return update.replace(f"{LENGTH}(t_in_timesteps, ", f"{LENGTH}(t, ").strip() + "\n"


def _values(todo: Plan, owner: str, name: str, model: Neuron | Synapse) -> str:
    """Parameters, then initial values, each with its meaning."""
    driven = getattr(model, "input", "") if owner in todo.currents else ""
    lines = []
    for key, parameter in {**model.parameters, **model.initial}.items():
        if key != driven and f"{owner}.{key}" not in todo.phases:
            value = _typed(todo.values[f"{owner}.{key}"], model.states.get(key, ""))
            says = remark(parameter.says) + (" at first" if parameter.says and key in model.initial else "")
            lines.append(f"{name}.{key} = {quantity(value, parameter.unit)}" + (f"  # {says}" if says else ""))
    for key in model.states:
        if f"{owner}.{key}" in todo.protocol.settings and key not in model.initial:
            unit = model.states[key] if model.states[key] not in ("boolean", "integer") else "1"
            lines.append(f"{name}.{key} = {quantity(_typed(todo.values[f'{owner}.{key}'], model.states[key]), unit)}")
    if todo.dt is None:
        lines.append(f"{name}.{located(todo, owner)[2]} = {array(todo.flat[owner].stimulus)}")
    lines += [f"{name}.{p}_column = {array(_courses(todo)[f'{owner}.{p}'][0])}" for p in phased(todo, owner)]
    if driven:
        lines.append(f"{name}.waveform_index = {array(todo.currents[owner][0])}")
    return "\n".join(lines)


def _typed(value: Any, unit: str) -> Any:
    return value.astype({"boolean": bool, "integer": np.int64}.get(unit, np.float64))


def _run(todo: Plan, names: Mapping[str, str]) -> str:
    circuit = todo.circuit
    members = [*names.values(), *(f"{names[p.name]}_spikes" for p in circuit.populations if p.neuron is not None and p.fires)]
    when = todo.timing.snapshots
    reading = []
    for path in todo.record:
        owner, _, state = path.partition(".")
        reading.append(f"    seen[{string(path)}].append(np.array({names[owner]}.{state}_))")
    last_only = when.size == 1 and int(when[0]) == todo.n_steps
    operation = "" if last_only else '@network_operation(clock=ticks, when="start", order=-1)\n'
    guard = "" if last_only else "    if int(np.rint(ticks.t/ticks.dt)) not in snapshots:\n        return\n"
    return f"""
reads = {array(todo.reads)}  # completed ticks at each reading of each trial
snapshots = {"np.array([" + str(when[0]) + "])" if last_only else "np.unique(reads)"}
seen = {{path: [] for path in [{", ".join(string(path) for path in todo.record)}]}}

{operation}def read():
{guard}{chr(10).join(reading) or "    pass"}

network = Network({", ".join([*members, *([] if last_only else ["read"])])})
network.run({todo.n_steps}*ticks.dt, namespace={{}})
{"read()" if last_only else "read.function()"}
"""


def _last_lines(todo: Plan, names: Mapping[str, str]) -> str:
    lines = [_TRACE, "for path in seen:", "    print(path, trace(path)[:, -1].tolist())  # the last reading: a list of units per trial"]
    for population in todo.circuit.populations:
        if population.neuron is not None and population.fires:
            monitor = f"{names[population.name]}_spikes"
            steps = f"np.rint({monitor}.t/ticks.dt).astype(int).tolist()"
            lines.append(f"print({string(population.name)}, {steps}, {monitor}.i[:].tolist())  # spikes: ticks, elements")
    return "\n".join(lines)
