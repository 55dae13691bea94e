"""A NIR graph as a circuit: nodes that pass each other potentials become one neuron, weights become projections."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bioneuro import units
from bioneuro.dynamics import METHODS
from bioneuro.equations import check_variable
from bioneuro.exchange.nir_file import Floats, Graph, refuse
from bioneuro.exchange.nir_signals import FIRING, NEURONS, Net, Signal, arrivals, biases, check_fed, currents_of, flattened
from bioneuro.model import Circuit, ModelError, Neuron, Parameter, Pathway, Population, Projection, Synapse
from bioneuro.text import TextError, check_name

_MOST_PARTS = 20
_CURRENT, _PULSE = "", "*"  # what a part is driven by besides other parts; no names of states
_SHOWN = {"second": "ms", "volt": "mV", "amp": "nA"}


@dataclass(kw_only=True, eq=False)
class _Part:
    """One state variable: (leak - x + r*drive)/tau, or r*drive without tau. `feeds` is the part it drives."""

    node: str
    name: str
    unit: str
    tau: Floats | None
    r: Floats
    leak: Floats
    start: Floats
    drive: list[tuple[str, Floats]] = field(default_factory=list)

    @property
    def charge(self) -> Floats:
        """What a spike must carry to add 1."""
        with np.errstate(divide="ignore"):
            return np.asarray((1.0 if self.tau is None else self.tau) / self.r)


@dataclass(kw_only=True, eq=False)
class _Group:
    """The parts of one neuron: (node, role) -> part, the first being the one that fires or is fed by the others.

    Attributes:
        current: the Input node of its injected current, or "". pulsed: the part that gets spikes as pulses of one step, or None.
        names: of the variables for the two, by the keys of `_Part.drive`.
    """

    node: str
    size: int
    parts: dict[tuple[str, str], _Part]
    current: str = ""
    current_unit: str = "1"
    pulsed: _Part | None = None
    names: dict[str, str] = field(default_factory=dict)


def circuit_of(graph: Graph, *, name: str, method: str, steps: bool, currents: tuple[str, ...]) -> Circuit:
    """The circuit of a graph; see `bioneuro.exchange.nir.read`."""
    try:
        return _circuit(flattened(graph), graph.notes.get("circuit", name), method, steps, currents)
    except (ModelError, TextError, units.UnitError) as error:
        refuse("field", "the graph", "its names, units or numbers", f"make no circuit ({error!s:.200})", "correct the metadata, or remove it")


def _circuit(net: Net, title: Any, method: str, steps: bool, currents: tuple[str, ...]) -> Circuit:
    analog = currents_of(net, currents)
    check_fed(net)
    came = sorted(arrivals(net, analog), key=lambda s: s.edge)
    groups, owner = _groups(net, came, analog)
    _add_biases(net, groups, owner)
    for signal in came if steps else ():
        if _spikes(net, signal, analog):
            _pulse(owner[_entry(net, signal.node)], _entry(net, signal.node))
    names: dict[str, str] = {}
    ports = [n for n, node in net.nodes.items() if node.kind == "Input" and n not in analog]
    for n in (*ports, *(g.node for g in groups)):
        names[n] = _fresh(_clean(n), set(names.values()))
    populations = [Population(name=names[n], size=net.size[n][1]) for n in ports]
    neurons = {id(g): _neuron(net, g, names[g.node], method or ("euler" if steps else "")) for g in groups}
    populations += [Population(name=names[g.node], size=g.size, neuron=neurons[id(g)]) for g in groups]
    projections: list[Projection] = []
    taken = set(names.values())
    for signal in came:
        if _spikes(net, signal, analog):
            group = owner[_entry(net, signal.node)]
            made = _projection(signal, group, group.parts[_entry(net, signal.node)], neurons[id(group)], names, taken)
            projections += made
            taken |= {p.name for p in made}
    name = _clean(title) if isinstance(title, str) else "graph"
    return Circuit(name=name, populations=tuple(populations), projections=tuple(projections))


def _spikes(net: Net, signal: Signal, analog: set[str]) -> bool:
    kind = net.nodes[signal.source].kind
    return kind in FIRING or (kind == "Input" and signal.source not in analog)


def _entry(net: Net, node: str) -> tuple[str, str]:
    """The part of a node that its input goes to."""
    return (node, "syn" if net.nodes[node].kind in ("CubaLI", "CubaLIF") else "mem")


def _clean(name: str) -> str:
    """A name of ours from any name: letters, digits and single underscores, a letter first."""
    plain = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_")[:40].rstrip("_") or "node"
    return plain if plain[0].isalpha() else f"n{plain}"


def _fresh(name: str, taken: set[str]) -> str:
    """`name`, or with a number at the end if it is taken or means something else."""
    for k in range(1, len(taken) + 3):
        tried = name if k == 1 else f"{name}_{k}"
        if tried not in taken:
            try:
                check_name(tried, "name")
                check_variable(tried, "name")
            except (ModelError, TextError):
                continue
            return tried
    return _fresh(f"{name.replace('_p', 'p')}_x", taken)


def _unit(notes: Mapping[str, Any], key: str) -> str:
    said = notes.get(key, "1")
    return said if isinstance(said, str) else "1"


def _start(notes: Mapping[str, Any], key: str, default: Floats, size: int, place: str) -> Floats:
    said = notes.get(key, default)
    if isinstance(said, str) or np.shape(said) not in ((), (1,), (size,)) or not np.all(np.isfinite(said)):
        why = f"it is not finite, or neither one number nor one for each of {size} units"
        refuse("value", place, f"the initial value {said!r:.60}", why, "correct it")
    return np.asarray(said)


def _parts(net: Net, name: str) -> dict[tuple[str, str], _Part]:
    node, size = net.nodes[name], net.size[name][1]
    v = {key: value.ravel() for key, value in node.values.items()}
    zero, place = np.zeros(1), f"node {name!r} ({node.kind})"

    def part(role: str, tau: Floats | None, r: Floats, leak: Floats, suffix: str) -> _Part:
        said = node.notes.get(f"state{suffix}", "")
        start = _start(node.notes, f"start{suffix}", leak, size, place)
        unit = _unit(node.notes, f"unit{suffix}")
        return _Part(node=name, name=said if isinstance(said, str) else "", unit=unit, tau=tau, r=r, leak=leak, start=start)

    if node.kind in ("CubaLI", "CubaLIF"):
        mem, syn = part("mem", v["tau_mem"], v["r"], v["v_leak"], ""), part("syn", v["tau_syn"], v["w_in"], zero, "_syn")
        return {(name, "mem"): mem, (name, "syn"): syn}
    return {(name, "mem"): part("mem", v.get("tau"), v["r"], v.get("v_leak", zero), "")}


def _groups(net: Net, came: list[Signal], analog: set[str]) -> tuple[list[_Group], dict[tuple[str, str], _Group]]:
    """Neurons, joined where one passes its potential to another; part -> its neuron."""
    parts = {n: _parts(net, n) for n, node in net.nodes.items() if node.kind in NEURONS}
    fed_by = [s for s in came if not _spikes(net, s, analog) and s.source not in analog]
    chief: dict[str, set[str]] = {n: {n} for n in parts}
    for s in fed_by:
        joined = chief[s.source] | chief[s.node]
        if len(joined) > _MOST_PARTS:
            refuse("size", f"node {s.node!r}", f"{len(joined)} nodes pass potentials", f"a neuron has at most {_MOST_PARTS} variables", "join some")
        for n in joined:
            chief[n] = joined
    place = {n: k for k, n in enumerate(parts)}
    groups: list[_Group] = []
    owner: dict[tuple[str, str], _Group] = {}
    for members in {min(m): m for m in chief.values()}.values():
        inside = sorted(members, key=place.__getitem__)
        firing = [n for n in inside if net.nodes[n].kind in FIRING]
        last = firing or [n for n in inside if not any(s.source == n for s in fed_by)]
        if len(last) != 1:
            what = f"{' and '.join(map(repr, last[:3])) or 'a loop'} among {', '.join(map(repr, inside[:5]))}"
            refuse("signal", f"node {inside[0]!r}", what, "nodes that pass potentials become one neuron with one output", "give each its own copy")
        ordered = [*last, *(n for n in inside if n not in last)]
        group = _Group(node=last[0], size=net.size[last[0]][1], parts={k: p for n in ordered for k, p in parts[n].items()})
        groups.append(group)
        owner |= dict.fromkeys(group.parts, group)
        _name_states(group)
    for n in parts:
        if (n, "syn") in parts[n]:
            parts[n][n, "mem"].drive.append((parts[n][n, "syn"].name, np.ones(1)))
    for s in came:
        if s in fed_by:
            parts[s.node][_entry(net, s.node)].drive.append((parts[s.source][s.source, "mem"].name, s.gain))
        elif s.source in analog:
            _inject(net, owner[_entry(net, s.node)], parts[s.node][_entry(net, s.node)], s)
    return groups, owner


def _name_states(group: _Group) -> None:
    taken: set[str] = set()
    for (node, role), part in group.parts.items():
        default = ("v" if node == group.node else _clean(node)) if role == "mem" else "I_syn"
        part.name = _fresh(_clean(part.name) if part.name else default, taken)
        taken.add(part.name)


def _inject(net: Net, group: _Group, part: _Part, signal: Signal) -> None:
    if group.current not in ("", signal.source):
        what = f"the currents {group.current!r} and {signal.source!r} both reach it"
        refuse("signal", f"node {group.node!r}", what, "a neuron has one injected current", "add them in the protocol")
    group.current, group.current_unit = signal.source, _unit(net.nodes[signal.source].notes, "unit")
    part.drive.append((_CURRENT, signal.gain))


def _pulse(group: _Group, entry: tuple[str, str]) -> None:
    part = group.parts[entry]
    if group.pulsed is None:
        group.pulsed = part
        part.drive.append((_PULSE, np.ones(1)))
    elif group.pulsed is not part:
        what = f"spikes reach {group.pulsed.node!r} and {part.node!r}"
        refuse("signal", f"node {group.node!r}", what, "a neuron has one input of pulses that last a step", "read the graph with steps=False")


def _add_biases(net: Net, groups: list[_Group], owner: Mapping[tuple[str, str], _Group]) -> None:
    for name, constant in biases(net).items():
        part = owner[_entry(net, name)].parts[_entry(net, name)]
        part.leak = part.leak + part.r * constant


def _neuron(net: Net, group: _Group, name: str, method: str) -> Neuron:
    """Equations and numbers of one neuron."""
    root = next(iter(group.parts.values()))
    node = net.nodes[group.node]
    states = {part.name for part in group.parts.values()}
    if group.current:
        said = net.nodes[group.current].notes.get("state", "I")
        group.names[_CURRENT] = _fresh(_clean(said if isinstance(said, str) else "I"), states)
    if group.pulsed:
        group.names[_PULSE] = _fresh("pulse", {*states, *group.names.values()})
    numbers: dict[str, Parameter] = {}
    taken = {*states, *group.names.values()}

    def number(symbol: str, value: Floats, unit: str, says: str, **bounds: float) -> str:
        if symbol in numbers and np.array_equal(numbers[symbol].value, _lean(value)):
            return symbol
        symbol = _fresh(symbol, taken | set(numbers))
        numbers[symbol] = Parameter(value=_lean(value), unit=_SHOWN.get(unit, unit), says=says, source=f"NIR node {group.node}"[:99], **bounds)
        return symbol

    lines = [_equation(part, part is root, group, number) for part in group.parts.values()]
    lines += [f"{symbol} : {group.current_unit if key == _CURRENT else '1'}" for key, symbol in group.names.items()]
    fires = node.kind in FIRING
    v = root.name
    threshold = f"{v} > {number(f'{v}_threshold', node.values['v_threshold'].ravel(), root.unit, 'threshold')}" if fires else ""
    reset = f"{v} = {number(f'{v}_reset', node.values['v_reset'].ravel(), root.unit, 'value after a spike')}" if fires else ""
    initial = {p.name: Parameter(value=_lean(p.start), unit=_SHOWN.get(p.unit, p.unit), says="initial value") for p in group.parts.values()}
    return Neuron(
        name=name,
        equations="\n".join(lines),
        threshold=threshold,
        reset=reset,
        method=_method(method or str(node.notes.get("method", "")), group),
        input=group.names.get(_CURRENT, ""),
        momentary=group.names.get(_PULSE),
        parameters=numbers,
        initial=initial,
        reference=f"NIR node {group.node} ({node.kind})"[:99],
    )


def _lean(value: Floats) -> Floats:
    """One number where all are equal."""
    value = np.asarray(value, np.float64)
    return value.ravel()[0] if value.size and np.all(value == value.ravel()[0]) else value


def _equation(part: _Part, is_root: bool, group: _Group, number: Any) -> str:
    """The line of one state, its numbers noted by `number`."""
    x = part.name
    units_of = {**{p.name: p.unit for p in group.parts.values()}, _CURRENT: group.current_unit, _PULSE: "1"}
    gains: dict[str, Floats] = {}
    for source, gain in part.drive:
        gains[source] = gains[source] + gain if source in gains else gain
    weights = {source: _lean(part.r * gain) for source, gain in gains.items()}
    if part.tau is None and np.any(part.leak):
        refuse("bias", f"node {part.node!r}", "a bias of an integrator without leak", "it would drift for ever", "use a leak, or no bias")
    per = "" if part.tau is not None else "/second"
    kinds = {source: _ratio(part.unit, units_of[source]) + per for source in weights}
    one_for_all = len({(w.tobytes(), kinds[s]) for s, w in weights.items()}) == 1
    plain = {s: np.all(w == 1) and kinds[s] == "1" for s, w in weights.items()}
    terms = []
    for source, weight in weights.items():
        shown = group.names.get(source, source)
        if one_for_all or plain[source]:
            terms.append(shown)
        else:
            terms.append(f"{number(f'r_{shown}', weight, kinds[source], f'weight of {shown} in {x}')}*{shown}")
    drive = " + ".join(terms)
    if drive and one_for_all and not all(plain.values()):
        source, weight = next(iter(weights.items()))
        r = number("r" if is_root else f"r_{x}", weight, kinds[source], "resistance")
        drive = f"{r}*({drive})" if len(terms) > 1 else f"{r}*{drive}"
    if part.tau is None:
        return f"d{x}/dt = {drive} : {part.unit}" if drive else f"{x} : {part.unit}"
    same = next((p for p in group.parts.values() if p is not part and p.tau is not None and np.array_equal(_lean(p.tau), _lean(part.tau))), None)
    low, high = float(np.min(part.tau)) / 1000, float(np.max(part.tau)) * 1000
    tau = number("tau" if is_root or same is not None else f"tau_{x}", part.tau, "second", "time constant", low=low, high=high)
    rest = f"{number(f'{x}_leak', part.leak, part.unit, 'where it rests')} - {x}" if is_root or np.any(part.leak) else f"-{x}"
    inside = f"{rest} + {drive}" if drive else rest
    return f"d{x}/dt = ({inside})/{tau} : {part.unit}" if inside != f"-{x}" else f"d{x}/dt = -{x}/{tau} : {part.unit}"


def _ratio(one: str, other: str) -> str:
    if one == other:
        return "1"
    return one if other == "1" else f"{one}/({other})" if "*" in other or "/" in other else f"{one}/{other}"


def _method(said: str, group: _Group) -> str:
    """The integrator: the one asked for, exact where there is a closed form, else one of fourth order."""
    taus = [part.tau for part in group.parts.values()]
    leaky = [np.broadcast_to(t, (group.size,)) for t in taus if t is not None]
    near = any(np.any(a == b) and not np.array_equal(a, b) for k, a in enumerate(leaky) for b in leaky[:k])
    if said in METHODS and not (said == "exact" and near):
        return said
    if len(taus) == 1 and taus[0] is None:
        return "euler"  # exact, since a current is constant within a step
    return "exact" if len(leaky) == len(taus) <= 4 and not near else "rk4"


def _projection(
    signal: Signal, group: _Group, part: _Part, neuron: Neuron, names: Mapping[str, str], taken: set[str]
) -> list[Projection]:
    """The synapses of one way; none where all weights are 0."""
    variable, unit, factor = part.name, part.unit, signal.gain / np.broadcast_to(part.charge, signal.gain.shape)
    if group.pulsed:
        variable, unit, factor = group.names[_PULSE], "1", signal.gain
    weight = signal.weight * factor[signal.post]
    keep = weight != 0
    if not keep.any():
        return []
    own = {*neuron.states, *neuron.parameters}
    w, d = _fresh("weight", own), _fresh("d", own)
    title = _fresh(_clean(signal.matrix or f"{names[signal.source]}_to_{names[group.node]}"), taken)
    about = f"NIR node {signal.matrix or signal.source}"[:99]
    order = np.lexsort((signal.post[keep], signal.pre[keep]))
    numbers = {w: Parameter(value=_lean(weight[keep][order]), unit=_SHOWN.get(unit, unit), says="what a spike adds", source=about)}
    delay = signal.delay[keep][order]
    if np.any(delay):
        numbers[d] = Parameter(value=_lean(delay), unit="ms", low=0, says="delay", source=about)
    pathway = Pathway(event="pre", code=f"{variable}_post += {w}", delay=d if d in numbers else "")
    pairs = (signal.pre[keep][order], signal.post[keep][order])
    synapse = Synapse(name=title, equations="", pathways=(pathway,), parameters=numbers)
    return [Projection(name=title, synapse=synapse, pre=names[signal.source], post=names[group.node], pairs=pairs)]
