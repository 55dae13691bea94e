"""Every circuit of the catalogue, laid side by side: what the laws of `test_laws.py` and `test_laws_gradients.py` are asked of.

A circuit joins by standing in the ``CIRCUITS`` of its module. What a module may add, each a dictionary with names of its circuits:

    CLOCK   the one step that a model in discrete time is written for, such as "1 ms" (the others run on 0.1 ms, and on finer clocks)
    DRIVE   the injected current that makes its neurons spike, such as "0.2 nA" (default: by the unit of the input, `zoo_protocol.DRIVES`)
"""

import ast
import dataclasses
import functools
import pkgutil
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray
from zoo_protocol import imposed, neurons, ports, refused

from bioneuro import catalogue, units
from bioneuro.equations import equations_of
from bioneuro.model import Circuit, Neuron, Parameter, Population, Projection, Synapse, digest
from bioneuro.protocol import Protocol
from bioneuro.recording import Recording

STEP = "0.1 ms"

EXCITED = {"luboeinski2021 neurons": {"neuron.V_th": "-64.5 mV"}}
"""Circuits with a neuron that does not fire under the rates used here -> values with which it does, so that the laws see its spikes."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Entry:
    """A circuit of the catalogue.

    Attributes:
        name, module: its name in ``CIRCUITS``, and the module's.
        step: of its clock (s). fixed: whether the module says so: with another step it would be another model.
        drive: the current that the module asks for (SI), or None.
    """

    name: str
    module: str
    circuit: Circuit
    step: float
    fixed: bool
    drive: float | None

    @functools.cached_property
    def key(self) -> str:
        """Entries of one key differ in numbers only."""
        return digest([text_of(self.circuit), self.step, self.fixed, self.drive])

    @functools.cached_property
    def excited(self) -> Circuit:
        """The circuit with every neuron within reach of its input."""
        return self.circuit.with_values(EXCITED.get(self.name, {}))

    @property
    def reference(self) -> str:
        """What its models cite, each once; those that only feed the others (no state, no equation) are left out."""
        telling = [m.reference for m in self.circuit.models.values() if isinstance(m, Neuron) or m.states]
        return "; ".join(dict.fromkeys(telling))


def entries() -> list[Entry]:
    """Every circuit of every module."""
    found = []
    for info in pkgutil.iter_modules(catalogue.__path__, "bioneuro.catalogue."):
        module = import_module(info.name)
        steps, drives = (getattr(module, name, {}) for name in ("CLOCK", "DRIVE"))
        for name, make in getattr(module, "CIRCUITS", {}).items():
            step = float(units.in_unit(steps.get(name, STEP), "second", f"{info.name}.CLOCK[{name!r}]"))
            drive = float(units.si(drives[name], f"{info.name}.DRIVE[{name!r}]")[0]) if name in drives else None
            found.append(Entry(name=name, module=info.name.rpartition(".")[2], circuit=make(), step=step, fixed=name in steps, drive=drive))
    return found


def text_of(circuit: Circuit) -> str:
    """A digest of everything in a circuit but its numbers: circuits of one text run through the same statements."""

    def model(m: Neuron | Synapse | None) -> list[Any]:
        if m is None:
            return []
        rest = [m.threshold, m.reset, m.refractory, m.input] if isinstance(m, Neuron) else [[p.event, p.code, p.delay] for p in m.pathways]
        numbers = [{k: p.unit for k, p in values.items()} for values in (m.parameters, m.initial)]
        return [type(m).__name__, m.equations, m.method, rest, numbers]

    populations = [[p.name, p.size, model(p.neuron)] for p in circuit.populations]
    projections = [[p.name, p.pre, p.post, p.pairs, model(p.synapse)] for p in circuit.projections]
    return digest([populations, projections])


def by_text(found: Sequence[Entry]) -> list[list[Entry]]:
    """Entries of one text, one step and one drive together."""
    groups: dict[str, list[Entry]] = defaultdict(list)
    for entry in found:
        groups[entry.key].append(entry)
    return list(groups.values())


def stacked(circuits: Sequence[Circuit]) -> Circuit:
    """Circuits of one text as one: member k has its own units in every population, its own pairs, and its own numbers.

    Delays stay one number per projection, that of the first: with imposed spikes another delay is another spike train.
    """
    first = circuits[0]
    sizes = {p.name: p.size for p in first.populations}
    populations = [
        dataclasses.replace(p, neuron=_joined([c.models[p.name] for c in circuits], p.size) if p.neuron else None, size=p.size * len(circuits))
        for p in first.populations
    ]
    projections = []
    for p in first.projections:
        pre, post = (
            np.concatenate([end + k * sizes[name] for k in range(len(circuits))])
            for end, name in zip(p.pairs or (), (p.pre, p.post), strict=True)
        )
        synapse = _joined([c.models[p.name] for c in circuits], pre.size // len(circuits))
        projections.append(dataclasses.replace(p, synapse=synapse, pairs=(pre, post)))
    return Circuit(name=first.name, populations=tuple(populations), projections=tuple(projections))


def _joined(models: Sequence[Any], size: int) -> Any:
    """One model with the numbers of all; equal numbers stay one."""
    delays = {p.delay for p in getattr(models[0], "pathways", ())}

    def join(name: str, values: Sequence[Parameter]) -> Parameter:
        arrays = [p.value for p in values]
        if name in delays or all(np.array_equal(a, arrays[0]) and a.ndim == 0 for a in arrays):
            return values[0]
        bounds = {"low": min(p.low for p in values), "high": max(p.high for p in values)}
        return dataclasses.replace(values[0], value=np.concatenate([np.broadcast_to(a, size) for a in arrays]), **bounds)

    numbers = {
        what: {name: join(name, [getattr(m, what)[name] for m in models]) for name in getattr(models[0], what)}
        for what in ("parameters", "initial")
    }
    return dataclasses.replace(models[0], **numbers)


def side_by_side(circuits: Mapping[str, Circuit]) -> Circuit:
    """Circuits as one, every placed name with the prefix of its circuit in front."""
    populations: list[Population] = []
    projections: list[Projection] = []
    for prefix, circuit in circuits.items():
        populations += [dataclasses.replace(p, name=f"{prefix}_{p.name}") for p in circuit.populations]
        projections += [
            dataclasses.replace(p, name=f"{prefix}_{p.name}", pre=f"{prefix}_{p.pre}", post=f"{prefix}_{p.post}") for p in circuit.projections
        ]
    return Circuit(name="zoo", populations=tuple(populations), projections=tuple(projections))


@dataclass(frozen=True, kw_only=True, eq=False)
class Row:
    """Groups of entries side by side: group k is stacked under the prefix `places[k]`."""

    circuit: Circuit
    places: Mapping[str, Sequence[Entry]]

    @property
    def entries(self) -> list[Entry]:
        return [entry for group in self.places.values() for entry in group]

    def protocol(self, **how: Any) -> Protocol:
        """`imposed` on all of them; ports count from 0 in each."""
        order, drives = {}, {}
        for prefix, group in self.places.items():
            order |= {f"{prefix}_{name}": k for k, name in enumerate(ports(group[0].circuit))}
            drives |= {f"{prefix}_{name}": group[0].drive for name in neurons(group[0].circuit) if group[0].drive is not None}
        return imposed(self.circuit, order=order, drives=drives, **how)

    def traces(self, recording: Recording) -> Iterator[tuple[Entry, str, NDArray[np.float64]]]:
        """Every trace of every entry: its local name, and its values (trial, time, unit)."""
        for prefix, group in self.places.items():
            for path, values in recording.traces.items():
                if path.startswith(f"{prefix}_"):
                    for entry, part in zip(group, np.split(values, len(group), axis=2), strict=True):
                        yield entry, path.removeprefix(f"{prefix}_"), part

    def counts(self, recording: Recording) -> Iterator[tuple[Entry, str, NDArray[np.int64]]]:
        """Spike counts of every population of every entry, (trial, unit)."""
        for prefix, group in self.places.items():
            for name, train in recording.spikes.items():
                if name.startswith(f"{prefix}_"):
                    for entry, part in zip(group, np.split(train.counts, len(group), axis=1), strict=True):
                        yield entry, name.removeprefix(f"{prefix}_"), part


def row(groups: Sequence[Sequence[Entry]], change: Callable[[Circuit], Circuit] = lambda c: c) -> Row:
    """Groups side by side, each circuit `excited` and changed by `change`; the prefixes of a group are the same in every row that it stands in."""
    places = {f"{group[0].module}_{group[0].key[:6]}": group for group in groups}
    circuits = {prefix: stacked([change(e.excited) for e in group]) for prefix, group in places.items()}
    return Row(circuit=side_by_side(circuits), places=places)


def noisy(circuit: Circuit) -> bool:
    """Whether a draw enters any equation."""
    return any(name.startswith("xi") for m in circuit.models.values() for e in equations_of(m.equations) if e.right for name in _names(e.right))


def _names(text: str) -> set[str]:
    return {n.id for n in ast.walk(ast.parse(text.strip(), mode="eval")) if isinstance(n, ast.Name)}


def _factors(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div):
        yield from _factors(node.left)
        if isinstance(node.op, ast.Mult):
            yield from _factors(node.right)
    else:
        yield node


def amplitudes(model: Neuron | Synapse) -> list[str]:
    """Parameters that multiply the noise of a model, by which it can be silenced.

    Raises:
        ValueError: the noise has no parameter as a factor that may be 0.
    """
    found = []
    for e in equations_of(model.equations):
        for node in ast.walk(ast.parse(e.right.strip() or "0", mode="eval")):
            parts = [n.id for n in _factors(node) if isinstance(n, ast.Name)] if isinstance(node, ast.BinOp) else []
            if any(name.startswith("xi") for name in parts):
                able = [n for n in parts if n in model.parameters and model.parameters[n].low <= 0 <= model.parameters[n].high]
                if not able:
                    raise ValueError(f"{model.name}.{e.name}: no parameter that may be 0 multiplies the noise; write it as amplitude*...*xi")
                found.append(able[0])
                break
    return found


def silenced(circuit: Circuit) -> Circuit:
    """The circuit with the amplitudes of its noises set to 0."""
    zero = {f"{o}.{name}": m.parameters[name] for o, m in circuit.models.items() for name in amplitudes(m)}
    return circuit.with_values({path: dataclasses.replace(p, value=0 * p.value) for path, p in zero.items()})


def nudged(circuit: Circuit, rng: np.random.Generator, share: float = 0.02) -> Circuit:
    """Every parameter with room in its bounds moved by up to `share` of itself, off kinks that published values may sit on, such as a jump
    that ends exactly on a threshold; a value on its bound is moved inside."""
    moved = {}
    for path, p in circuit.values.items():
        room = p.high - p.low
        if np.isfinite(room) and room > 0:
            inside = min(1e-3 * room, 1e-3)
            value = p.value * (1 + share * rng.uniform(-1, 1, p.value.shape))
            moved[path] = dataclasses.replace(p, value=np.clip(value, p.low + inside, p.high - inside))
    return circuit.with_values(moved)


def on_grid(circuit: Circuit, step: float) -> Circuit:
    """Delays and refractory periods moved to multiples of `step` (s), so that a finer clock does not shift them."""
    times = {}
    for owner, model in circuit.models.items():
        names = [p.delay for p in model.pathways] if isinstance(model, Synapse) else [model.refractory]
        for name in filter(None, names):
            p = model.parameters[name]
            times[f"{owner}.{name}"] = dataclasses.replace(p, value=np.rint(p.value / step) * step)
    return circuit.with_values(times)


def event_driven(circuit: Circuit) -> set[str]:
    """States that the clock brings up to date at spikes only, so that a reading in between shows them as they were."""
    synapses = {p.name: p.synapse for p in circuit.projections}
    return {f"{owner}.{e.name}" for owner, s in synapses.items() for e in equations_of(s.equations) if "event-driven" in e.flags}


GROUPS = by_text(entries())
"""The catalogue."""


@functools.cache
def why_no_events(key: str) -> str:
    """Why the circuits of a group cannot be stepped from event to event, or nothing."""
    circuit = next(g for g in GROUPS if g[0].key == key)[0].circuit
    return "it has neurons that fire" if any(n.threshold for n in neurons(circuit).values()) else refused(circuit)
