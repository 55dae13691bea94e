"""A circuit as a NIR graph: what NIR can say, node by node, and the rest refused by name."""

import ast
import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bioneuro import text
from bioneuro.equations import equations_of
from bioneuro.exchange.nir_file import MOST_BYTES, Floats, Graph, Node, refuse
from bioneuro.exchange.nir_linear import CONSTANTS, Cell, Integrator, cell, evaluated, read, right_sides
from bioneuro.model import Circuit, Neuron, Population, Projection, Synapse

Ints = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Transmission:
    """What every spike of a source adds to one variable of its targets, pair by pair, after a delay in seconds."""

    name: str
    source: str
    onto: str
    variable: str
    pre: Ints
    post: Ints
    weight: Floats
    delay: Floats


class _Drawing:
    """Nodes and edges so far, and names that are not free."""

    def __init__(self, taken: set[str]) -> None:
        self.nodes: dict[str, Node | Graph] = {}
        self.edges: list[tuple[str, str]] = []
        self.taken = taken

    def fresh(self, name: str) -> str:
        free = next(n for n in (f"{name}_{k}" for k in itertools.count(2)) if n not in self.taken)
        self.taken.add(free)
        return free

    def add(self, name: str, kind: str, notes: Mapping[str, Any] | None = None, **values: Any) -> str:
        self.nodes[name] = Node(kind=kind, values={n: np.array(v) for n, v in values.items()}, notes=notes or {})
        return name

    def chain(self, *names: str) -> None:
        self.edges += itertools.pairwise(names)


def drawn(circuit: Circuit, *, currents: bool) -> Graph:
    """The graph of a circuit; see `bioneuro.exchange.nir.write`."""
    sizes = {p.name: p.size for p in circuit.populations}
    sent = [t for p in circuit.projections for t in _transmissions(circuit, p)]
    made = _Drawing({*sizes, *(p.name for p in circuit.projections)})
    entries: dict[tuple[str, str], tuple[str, Floats]] = {}
    for population in circuit.populations:
        if population.neuron is None:
            made.add(population.name, "Input", {"signal": "spikes"}, shape=[population.size])
            continue
        written = {t.variable for t in sent if t.onto == population.name}
        found = cell(population.name, population.neuron, written, currents=currents)
        entries |= _neuron(made, population, population.neuron, found, written)
    for t in sent:
        _transmission(made, t, sizes[t.source], sizes[t.onto], *entries[t.onto, t.variable])
    _outputs(made, circuit, sent)
    return Graph(nodes=made.nodes, edges=tuple(made.edges), notes={"circuit": circuit.name})


def _outputs(made: _Drawing, circuit: Circuit, sent: list[Transmission]) -> None:
    neurons = [p for p in circuit.populations if p.neuron is not None]
    inner = {t.source for t in sent if t.source != t.onto}
    last = [p for p in neurons if p.name not in inner] or neurons
    for p in last:
        made.chain(p.name, made.add(f"{p.name}__output", "Output", shape=[p.size]))


def _neuron(made: _Drawing, population: Population, neuron: Neuron, found: Cell, written: set[str]) -> dict[tuple[str, str], tuple[str, Floats]]:
    """Draw a neuron. Returns, for each of its variables, the node that spikes go to and what a spike of weight 1 must carry to add 1 there."""
    name, size, root = population.name, population.size, found.parts[found.root]
    notes: dict[str, Any] = {"state": found.root, "unit": root.unit, "start": root.start, "method": neuron.method}
    fires = {} if found.threshold is None or found.reset is None else {"v_threshold": found.threshold, "v_reset": found.reset}
    entries: dict[tuple[str, str], tuple[str, Floats]] = {}
    others = {n: part for n, part in found.parts.items() if n != found.root}
    syn = next(iter(others), "")
    if _is_cuba(found, others, written):
        part = others[syn]
        notes |= {"state_syn": syn, "unit_syn": part.unit, "start_syn": part.start}
        numbers = {"tau_mem": root.tau, "tau_syn": part.tau, "r": root.inputs[syn], "v_leak": root.leak, "w_in": part.tau, **fires}
        made.add(name, "CubaLIF" if fires else "CubaLI", notes, **_full(numbers, size))
        return {(name, syn): (name, np.ones(()))}
    for n, part in found.parts.items():
        node = name if n == found.root else f"{name}__{n}"
        about = notes if n == found.root else {"state": n, "unit": part.unit, "start": part.start}
        kind = ("I" if part.tau is None else "LI") + ("F" if fires and n == found.root else "")
        r, charge = _resistance(part, found.driven)
        leaky = {"tau": part.tau, "v_leak": part.leak} if part.tau is not None else {}
        made.add(node, kind, about, **_full({**leaky, "r": r, **(fires if n == found.root else {})}, size))
        entries[name, n] = (node, charge)
    if found.driven:
        about = {"signal": "current", "state": found.driven, "unit": neuron.states[found.driven]}
        made.add(f"{name}__{found.driven}", "Input", about, shape=[size])
    for n, part in found.parts.items():
        _feeds(made, name, n, part, found, entries[name, n][0], size)
    return entries


def _feeds(made: _Drawing, name: str, state: str, part: Integrator, found: Cell, node: str, size: int) -> None:
    """Edges into a node from what it integrates, scaled where one resistance does not fit all."""
    r, _ = _resistance(part, found.driven)
    for source, weight in part.inputs.items():
        begin = name if source == found.root else f"{name}__{source}"
        if np.all(weight == r):
            made.chain(begin, node)
        elif np.any(weight != 0):
            scale = made.add(f"{name}__{source}_to_{state}", "Scale", scale=np.broadcast_to(weight / r, (size,)))
            made.chain(begin, scale, node)


def _is_cuba(found: Cell, others: Mapping[str, Integrator], written: set[str]) -> bool:
    """Whether NIR's neuron with one synaptic current says all: one decaying current that spikes go to, and nothing else."""
    if len(others) != 1 or found.driven or found.parts[found.root].tau is None:
        return False
    ((name, part),) = others.items()
    return part.tau is not None and not np.any(part.leak) and not part.inputs and written <= {name}


def _resistance(part: Integrator, driven: str) -> tuple[Floats, Floats]:
    """The field r of a node, and what a spike must carry to add 1: tau/r, which is 1 where r is free to be tau itself."""
    given = [part.inputs[driven]] if driven in part.inputs else list(part.inputs.values())
    r = next((x for x in given if np.all(x != 0)), None)
    if r is None:
        return (np.ones(()) if part.tau is None else part.tau), np.ones(())
    return r, np.asarray((1.0 if part.tau is None else part.tau) / r)


def _full(numbers: Mapping[str, Floats | None], size: int) -> dict[str, Floats]:
    return {name: np.broadcast_to(np.asarray(value, np.float64), (size,)) for name, value in numbers.items()}


def _transmission(made: _Drawing, t: Transmission, n_pre: int, n_post: int, node: str, charge: Floats) -> None:
    """Draw the way from a source to a node: delay, weights, scale."""
    if n_pre * n_post * 8 > MOST_BYTES:
        refuse("size", t.name, f"a matrix of {n_post} x {n_pre} weights", f"more than {MOST_BYTES} bytes", "split the projection")
    for k, mine in enumerate(_layers(t)):
        name = t.name if k == 0 and t.name not in made.nodes else made.fresh(t.name)
        pre, post, delay = t.pre[mine], t.post[mine], t.delay[mine]
        weight = np.zeros((n_post, n_pre))
        weight[post, pre] = t.weight[mine]
        way = [t.source, made.add(name, "Linear", weight=weight)]
        early, late = np.zeros(n_pre), np.zeros(n_post)
        early[pre], late[post] = delay, delay
        if np.array_equal(early[pre], delay):
            if np.any(delay):
                uniform = np.all(delay == delay[0])
                way.insert(1, made.add(f"{name}__delay", "Delay", delay=np.full(n_pre, delay[0]) if uniform else early))
        elif np.array_equal(late[post], delay):
            way.append(made.add(f"{name}__delay", "Delay", delay=late))
        else:
            why = "a Delay node has one delay per source or per target, not per pair"
            what, remedy = f"{np.unique(delay).size} delays of {delay.size} pairs", "split the projection, one for each delay"
            refuse("delay", f"{t.name}, delay", what, why, remedy)
        if np.any(charge != 1):
            way.append(made.add(f"{name}__scale", "Scale", scale=np.broadcast_to(charge, (n_post,))))
        made.chain(*way, node)


def _layers(t: Transmission) -> list[NDArray[np.bool_]]:
    """The pairs, those that come several times apart: a matrix has one place for each."""
    _, which, counts = np.unique(np.stack([t.pre, t.post]), axis=1, return_inverse=True, return_counts=True)
    if counts.max() == 1:
        return [np.ones(t.pre.size, np.bool_)]
    seen: dict[int, int] = {}
    rank = np.array([seen[p] for p in which.ravel().tolist() if seen.update({p: seen.get(p, -1) + 1}) is None])
    return [rank == k for k in range(int(counts.max()))]


def _transmissions(circuit: Circuit, projection: Projection) -> list[Transmission]:
    """What the spikes of a projection add, if that is all that happens in it."""
    synapse, place = projection.synapse, projection.name
    _refuse_plastic(synapse, place)
    ends = {p.name: p for p in circuit.populations}
    if not ends[projection.pre].fires:
        refuse("silent", place, f"{projection.pre} has no threshold", "nothing is sent", "leave the projection out")
    pre, post = projection.pairs or (np.zeros(0, np.int64), np.zeros(0, np.int64))
    found = []
    for pathway in synapse.pathways:
        delay = synapse.parameters[pathway.delay].value if pathway.delay else np.zeros(())
        for variable, weight in _statements(synapse, pathway.event, pathway.code, place):
            found.append((variable, np.broadcast_to(weight, pre.shape), np.broadcast_to(delay, pre.shape)))
    if ends[projection.post].neuron is None:
        refuse("port", place, f"it ends at {projection.post}, whose spikes are imposed", "nothing would change there", "leave the projection out")
    ways: dict[str, Any] = {"name": place, "source": projection.pre, "onto": projection.post, "pre": pre, "post": post}
    return [Transmission(**ways, variable=variable, weight=weight, delay=delay) for variable, weight, delay in found]


def _refuse_plastic(synapse: Synapse, place: str) -> None:
    if synapse.every is not None:
        refuse("periodic", f"{place}.every", f"'{synapse.every.code.splitlines()[0]}'", "NIR has no periodic updates", "leave them out")
    lines = equations_of(synapse.equations)
    for e in lines:
        if "summed" in e.flags:
            why = "NIR sums spikes, not variables of synapses"
            refuse("summed", f"{place}.equations", f"'{e.name}'", why, "let spikes add to a current of the neuron")
        if e.kind == "differential":
            refuse("plasticity", f"{place}.equations", f"d{e.name}/dt", "NIR has no state in a synapse", "leave the rule out and keep its weights")
    for n, pathway in enumerate(synapse.pathways):
        for piece in _pieces(pathway.code):
            target = sorted(text.check_statements(piece, place).assigned)[0]
            if pathway.event == "post" or target in synapse.states:
                where = f"{place}.pathways[{n}]"
                refuse("plasticity", where, f"'{piece}'", "NIR has no plasticity: weights are fixed", "leave the rule out and keep its weights")


def _pieces(code: str) -> list[str]:
    return [piece.strip() for line in code.splitlines() for piece in line.split(";") if piece.strip()]


def _statements(synapse: Synapse, event: str, code: str, place: str) -> list[tuple[str, Floats]]:
    """Variable of the target -> what a spike adds to it."""
    values = {**CONSTANTS, **{name: p.value for name, p in synapse.parameters.items()}}
    values |= {name: synapse.initial[name].value if name in synapse.initial else np.zeros(()) for name in synapse.states}
    lines = right_sides(equations_of(synapse.equations), place, "computed")
    values |= {name: evaluated(right, values, f"{place}.equations, {name}") for name, right in lines.items()}
    found = []
    for piece in _pieces(code):
        node, where = ast.parse(piece).body[0], f"{place}, spike of {event!r}"
        name = next(iter(text.check_statements(piece, where).assigned))
        if not isinstance(node, ast.AugAssign) or not isinstance(node.op, ast.Add | ast.Sub) or not name.endswith("_post"):
            remedy = "write it as 'variable_post += weight'"
            refuse("statement", where, f"'{piece}'", "a spike adds a weight to a variable of the target, and nothing else", remedy)
        weight = evaluated(read(ast.unparse(node.value), where), values, where)
        found.append((name.removesuffix("_post"), -weight if isinstance(node.op, ast.Sub) else weight))
    return found


def most_numbers(graph: Graph) -> int:
    """Bytes of all arrays of a graph."""
    return sum(8 * math.prod(v.shape) for node in graph.nodes.values() if isinstance(node, Node) for v in node.values.values())
