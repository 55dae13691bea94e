"""What travels along the edges of a NIR graph: from every source, through weights, scales and delays, to the neurons."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bioneuro.exchange.nir_file import MOST_BYTES, Edges, Floats, Graph, Node, refuse

Ints = NDArray[np.int64]

FIRING = frozenset({"IF", "LIF", "CubaLIF"})
NEURONS = FIRING | {"I", "LI", "CubaLI"}
WIRE = "Wire"
"""What an Input or Output of a graph within a graph is: a place where edges are joined."""

_MOST, _WAY = MOST_BYTES // 8, 1000
"""Most numbers that are worked out in following all signals, and what each step counts at least."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Net:
    """A graph without graphs in it.

    Attributes:
        size: channels at the entry and at the exit of each node.
        follow: node -> [(number of the edge, next node)].
    """

    nodes: Mapping[str, Node]
    edges: Edges
    size: Mapping[str, tuple[int, int]]
    follow: Mapping[str, list[tuple[int, str]]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Signal:
    """What comes of a source on its way: channel `post` gets gain[post] * weight * channel `pre` of the source, `delay` seconds later.

    Attributes:
        matrix: the last node with weights on the way, or "".
        edge: the number of the edge it came through.
        direct: whether there was nothing on the way but wires.
    """

    source: str
    node: str
    edge: int
    pre: Ints
    post: Ints
    weight: Floats
    delay: Floats
    gain: Floats
    matrix: str = ""
    direct: bool = True


def flattened(graph: Graph) -> Net:
    """The graph with its subgraphs put in, and the number of channels at every node.

    Errors:
        NirError: an edge joins signals of two sizes, or a subgraph has several inputs or outputs.
    """
    nodes: dict[str, Node] = {}
    edges: list[tuple[str, str]] = []
    _put_in(graph, "", nodes, edges)
    follow: dict[str, list[tuple[int, str]]] = {name: [] for name in nodes}
    for k, (a, b) in enumerate(edges):
        if nodes[a].kind == "Output" or nodes[b].kind == "Input":
            refuse("edge", f"the edge {(a, b)}", "it leads into an Input or out of an Output", "they are the ends of a graph", "remove it")
        follow[a].append((k, b))
    return Net(nodes=nodes, edges=tuple(edges), size=_sizes(nodes, edges), follow=follow)


def _put_in(graph: Graph, prefix: str, nodes: dict[str, Node], edges: list[tuple[str, str]]) -> None:
    ends: dict[tuple[str, str], list[str]] = {}
    for name, part in graph.nodes.items():
        if isinstance(part, Node):
            wire = prefix and part.kind in ("Input", "Output")
            nodes[prefix + name] = replace(part, kind=WIRE) if wire else part
            continue
        for kind in ("Input", "Output"):
            ends[name, kind] = [n for n, inner in part.nodes.items() if isinstance(inner, Node) and inner.kind == kind]
        _put_in(part, f"{prefix}{name}.", nodes, edges)

    def end(name: str, kind: str) -> str:
        if (name, kind) not in ends:
            return prefix + name
        if len(ends[name, kind]) != 1:
            what, why = f"{len(ends[name, kind])} nodes {kind}", "an edge to a graph does not say which of them it means"
            refuse("edge", f"node {prefix + name!r}", what, why, "give the graph one Input and one Output")
        return f"{prefix}{name}.{ends[name, kind][0]}"

    edges += [(end(a, "Output"), end(b, "Input")) for a, b in graph.edges]


def _sizes(nodes: Mapping[str, Node], edges: list[tuple[str, str]]) -> dict[str, tuple[int, int]]:
    sides = {(name, side): size for name, node in nodes.items() for side, size in zip("io", _own_size(node), strict=True) if size}
    same: dict[tuple[str, str], list[tuple[str, str]]] = {(name, side): [] for name in nodes for side in "io"}
    for a, b in [*(((a, "o"), (b, "i")) for a, b in edges), *(((n, "i"), (n, "o")) for n, node in nodes.items() if "weight" not in node.values)]:
        same[a].append(b)
        same[b].append(a)
    open_ = list(sides)
    while open_:
        here = open_.pop()
        for there in same[here]:
            if there not in sides:
                sides[there] = sides[here]
                open_.append(there)
    for begin, end in edges:
        leave, enter = sides.get((begin, "o"), 1), sides.get((end, "i"), 1)
        if leave != enter:
            what = f"{leave} channels leave {begin!r} and {enter} enter {end!r}"
            refuse("shape", f"the edge {(begin, end)}", what, "an edge joins channels one to one", "correct the shapes")
    return {name: (sides.get((name, "i"), 1), sides.get((name, "o"), 1)) for name in nodes}


def _own_size(node: Node) -> tuple[int, int]:
    """Channels at entry and exit, 0 where the node itself does not say."""
    if "weight" in node.values:
        rows, columns = node.values["weight"].shape
        return columns, rows
    if "shape" in node.values:
        return (int(np.prod(node.values["shape"])),) * 2
    return (next((v.size for v in node.values.values() if v.ndim), 0),) * 2


def currents_of(net: Net, named: tuple[str, ...]) -> set[str]:
    """Inputs that carry a current: those named, and those that say so themselves."""
    inputs = {name for name, node in net.nodes.items() if node.kind == "Input"}
    for name in named:
        if name not in inputs:
            refuse("signal", f"currents, {name!r}", "it", f"is no Input of the graph; Inputs: {', '.join(sorted(inputs))}", "name one of them")
    return {name for name in inputs if name in named or net.nodes[name].notes.get("signal") == "current"}


def arrivals(net: Net, currents: set[str]) -> Iterator[Signal]:
    """What arrives at every neuron, in no order: spikes, currents, and what neurons without threshold send.

    Errors:
        NirError: a signal meets something that it cannot pass here, or runs in a loop without a neuron.
    """
    spent = 0
    for name, node in net.nodes.items():
        if node.kind not in NEURONS and node.kind != "Input":
            continue
        spikes = node.kind in FIRING or (node.kind == "Input" and name not in currents)
        all_, one = np.arange(net.size[name][1]), np.ones(net.size[name][1])
        start = Signal(source=name, node=name, edge=-1, pre=all_, post=all_, weight=one, delay=np.zeros(all_.size), gain=one)
        open_ = [(start, 0)]
        while open_:
            signal, steps = open_.pop()
            for edge, following in net.follow[signal.node]:
                target = net.nodes[following]
                if target.kind in NEURONS:
                    yield replace(signal, node=following, edge=edge)
                    continue
                if target.kind == "Output":
                    _check_output(signal, following)
                    continue
                spent += _WAY + signal.weight.size + (target.values["weight"].size if "weight" in target.values else 0)
                _check_passage(net, signal, following, target, steps, spent, spikes=spikes)
                open_.append((_passed(replace(signal, node=following, edge=edge), target), steps + 1))


def _check_output(signal: Signal, node: str) -> None:
    if not signal.direct:
        what = f"{signal.matrix or 'weights or delays'!r} between {signal.source!r} and the output {node!r}"
        refuse("readout", f"node {node!r}", what, "there is no neuron that would be read", "end the graph at the neurons, and weigh their recording")


def _check_passage(net: Net, signal: Signal, name: str, node: Node, steps: int, spent: int, *, spikes: bool) -> None:
    if steps > len(net.nodes) or spent > _MOST:
        what, why = f"what {signal.source!r} sends", "it runs in a loop without a neuron, or on too many ways at once"
        refuse("loop", f"node {name!r}", what, why, "put a neuron into the loop")
    if not spikes and node.kind in ("Linear", "Affine", "Delay"):
        kind = net.nodes[signal.source].kind
        what = "a current" if kind == "Input" else f"the potential of {signal.source!r} ({kind})"
        remedy = "weigh the current in the protocol" if kind == "Input" else "use a neuron with a threshold, or a Scale node"
        refuse("signal", f"node {name!r} ({node.kind})", f"{what} passes through it", "neurons are joined by spikes here", remedy)


def _passed(signal: Signal, node: Node) -> Signal:
    """The signal behind a node that is no neuron."""
    if node.kind == "Scale":
        return replace(signal, gain=signal.gain * node.values["scale"].ravel(), direct=False)
    if node.kind == "Delay":
        delay = np.broadcast_to(node.values["delay"].ravel(), signal.gain.shape)
        return replace(signal, delay=signal.delay + delay[signal.post], direct=False)
    if "weight" not in node.values:
        return signal
    matrix = node.values["weight"]
    if signal.matrix:
        if np.unique(signal.delay).size > 1:
            why = "a channel then holds spikes of several delays"
            refuse("delay", f"node {signal.node!r} ({node.kind})", f"delays before it differ, behind {signal.matrix!r}", why, "join the two matrices")
        dense = np.zeros((matrix.shape[1], int(signal.pre.max(initial=-1)) + 1))
        np.add.at(dense, (signal.post, signal.pre), signal.weight * signal.gain[signal.post])
        whole = matrix @ dense
        post, pre = np.nonzero(whole)
        delay = np.full(pre.shape, signal.delay[0] if signal.delay.size else 0.0)
        weight = whole[post, pre]
    else:
        post, pre = np.nonzero(matrix)
        weight, delay = matrix[post, pre] * signal.gain[pre], signal.delay[pre]
    gain = np.ones(matrix.shape[0])
    return replace(signal, pre=pre, post=post, weight=weight, delay=delay, gain=gain, matrix=signal.node, direct=False)


def biases(net: Net) -> dict[str, Floats]:
    """Neuron -> the constant that the biases of Affine nodes add to its input."""
    total: dict[str, Floats] = {}
    spent = 0
    for name, node in net.nodes.items():
        if not np.any(node.values.get("bias", 0.0)):
            continue
        open_ = [(name, node.values["bias"])]
        while open_:
            here, constant = open_.pop()
            for _, following in net.follow[here]:
                target = net.nodes[following]
                spent += _WAY + target.values["weight"].size if "weight" in target.values else _WAY
                if target.kind in NEURONS:
                    total[following] = total.get(following, 0.0) + constant
                    continue
                if target.kind in ("Output", "Delay") or spent > _MOST:
                    why = "a constant can be added to the input of a neuron, without delay and loop"
                    refuse("bias", f"node {name!r} (Affine)", f"its bias reaches {following!r} ({target.kind})", why, "set it to 0, or move it")
                if "weight" in target.values:
                    open_.append((following, target.values["weight"] @ constant))
                else:
                    open_.append((following, constant * target.values["scale"].ravel() if target.kind == "Scale" else constant))
    return total


def check_fed(net: Net) -> None:
    """Refuse weights, scales and delays at which a way ends or begins: what they would send is lost without a word."""
    fed = {b for _, b in net.edges}
    for name, node in net.nodes.items():
        between = node.kind not in NEURONS and node.kind not in ("Input", "Output", WIRE)
        if between and (name not in fed or not net.follow[name]):
            what = "no edge leads to it" if name not in fed else "no edge leaves it"
            refuse("edge", f"node {name!r} ({node.kind})", what, "it has no effect", "add the edge or remove the node")
