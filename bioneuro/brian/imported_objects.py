"""What is looked at in live Brian2 objects: which of them make a circuit, their order in a step, their wiring and their values."""

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from brian2.core.network import Network
from brian2.groups.neurongroup import NeuronGroup
from brian2.groups.subgroup import Subgroup
from brian2.input.poissongroup import PoissonGroup
from brian2.input.spikegeneratorgroup import SpikeGeneratorGroup
from brian2.monitors import EventMonitor, PopulationRateMonitor, SpikeMonitor, StateMonitor
from brian2.stateupdaters.exact import linear
from brian2.synapses.synapses import Synapses
from brian2.units.fundamentalunits import Quantity
from numpy.typing import NDArray

from bioneuro.brian.imported_text import Words, assignments, fitting, looked_up, number, refuse
from bioneuro.model import Parameter

_ASIDE = (SpikeMonitor, StateMonitor, PopulationRateMonitor, EventMonitor, Subgroup)
_SLOTS = {"stateupdate": "groups", "summed_variable": "groups", "threshold": "thresholds", "reset": "resets", "synapses": "synapses"}
_SCHEDULE = ["start", "groups", "thresholds", "synapses", "resets", "end"]
_FUNCTIONS = {"exp": np.exp, "sqrt": np.sqrt, "log": np.log, "sin": np.sin, "cos": np.cos}


@dataclass(frozen=True, kw_only=True)
class Given:
    """The objects that make a circuit.

    Attributes:
        synapses: in the order in which their pathways run.
        names: name of an object in Brian2 -> its name in the circuit.
        dt: seconds per step of their clock.
    """

    neurons: tuple[Any, ...]
    ports: tuple[Any, ...]
    synapses: tuple[Any, ...]
    names: Mapping[str, str]
    dt: float


def collected(objects: Iterable[Any]) -> Given:
    """Sort objects by kind; refuse those that a circuit has no room for."""
    flat = list({id(o): o for o in _flattened(objects)}.values())
    kinds: dict[str, list[Any]] = {"neurons": [], "ports": [], "synapses": []}
    for o in flat:
        kind = {NeuronGroup: "neurons", SpikeGeneratorGroup: "ports", PoissonGroup: "ports", Synapses: "synapses"}.get(type(o))
        if kind is None and not isinstance(o, _ASIDE):
            refuse(
                "object",
                getattr(o, "name", repr(o)[:60]),
                f"a {type(o).__name__} has no counterpart; allowed: NeuronGroup, Synapses, SpikeGeneratorGroup, PoissonGroup, a Network of them",
            )
        if kind:
            kinds[kind].append(o)
    if not kinds["neurons"] and not kinds["ports"]:
        refuse("object", "objects", "there is no NeuronGroup, SpikeGeneratorGroup or PoissonGroup among them; give at least one")
    made = [o for some in kinds.values() for o in some]
    for o in made:
        _check_object(o)
    _check_ends(kinds)
    names: dict[str, str] = {}
    for o in made:
        names[o.name] = fitting(o.name, set(names.values()), placed=True)
    steps = {float(o.clock.dt_): o.name for o in made}
    if len(steps) > 1:
        shown = ", ".join(f"{name} {dt * 1e3:g} ms" for dt, name in steps.items())
        refuse("clock", "objects", f"they are stepped by several clocks ({shown}); give all of them one dt")
    ordered = sorted(kinds["synapses"], key=lambda s: min((_key(p) for p in s._pathways), default=(0, s.name)))
    return Given(neurons=tuple(kinds["neurons"]), ports=tuple(kinds["ports"]), synapses=tuple(ordered), names=names, dt=next(iter(steps)))


def _flattened(objects: Iterable[Any]) -> Iterable[Any]:
    for o in objects:
        if isinstance(o, Network):
            if list(o.schedule) != _SCHEDULE:
                refuse("schedule", o.name, f"a step goes through {list(o.schedule)} instead of {_SCHEDULE}; leave the schedule as it is")
            yield from _flattened(o.objects)
        elif isinstance(o, set | frozenset):
            yield from sorted(o, key=lambda one: str(getattr(one, "name", "")))  # what Brian2's collect() returns
        elif isinstance(o, list | tuple):
            yield from _flattened(o)
        else:
            yield o


def _check_object(o: Any) -> None:
    """Refuse what an object of a known kind may have besides."""
    if not o.active:
        refuse("active", o.name, "it is switched off; set active = True, or leave it out")
    if getattr(o, "_linked_variables", None):
        refuse("linked", o.name, f"{sorted(o._linked_variables)} are linked variables; give each group a variable of its own")
    if isinstance(o, NeuronGroup) and (custom := sorted(set(o.events) - {"spike"})):
        refuse("event", o.name, f"its events {custom} are no spikes; a circuit has spikes only")
    if isinstance(o, Synapses):
        if o.multisynaptic_index is not None:
            refuse("multisynaptic", o.name, f"it numbers the synapses of a pair as {o.multisynaptic_index!r}; use a variable of the synapse instead")
        if o.subexpression_updater is not None:
            refuse("constant over dt", o.name, "a subexpression of synapses is (constant over dt); leave the flag out")
        if custom := sorted(p.objname for p in o._pathways if p.event != "spike"):
            refuse("event", o.name, f"its pathways {custom} wait for an event that is no spike; a circuit has spikes only")
        if not len(o):
            refuse("empty", o.name, "it has no synapse; call connect first, or leave it out")
    _check_parts(o)
    for name, variable in o.variables.items():
        kind = getattr(variable, "dtype", None)
        if kind is not None and np.dtype(kind).kind == "f" and np.dtype(kind) != np.float64:
            refuse("dtype", o.name, f"{name!r} is of {np.dtype(kind)}; all engines count in float64: leave dtype out")


def _check_parts(o: Any) -> None:
    """Refuse code that an object runs besides its own, and a place in the step other than the usual one."""
    if isinstance(o, NeuronGroup):
        known = [o.state_updater, o.subexpression_updater, *o.thresholder.values(), *o.resetter.values()]
    elif isinstance(o, Synapses):
        known = [o.state_updater, *o._pathways, *o.summed_updaters.values()]
    else:
        known = list(o.thresholder.values()) if isinstance(o, PoissonGroup) else []
    if isinstance(o, SpikeGeneratorGroup) and o.when != "thresholds":
        refuse("schedule", o.name, f"it fires in the slot {o.when!r}; leave `when` at 'thresholds'")
    for part in o.contained_objects:
        if not any(part is one for one in known):
            refuse("run_regularly", getattr(part, "name", o.name), f"{o.name} runs code besides its equations; write it as an equation or a reset")
        wanted = _SLOTS.get(getattr(part, "template", ""), part.when)
        if part.when != ("before_start" if part is getattr(o, "subexpression_updater", None) else wanted):
            refuse("schedule", part.name, f"it runs in the slot {part.when!r} instead of {wanted!r}; leave `when` as it is")
        if not part.active:
            refuse("active", part.name, "it is switched off; set active = True")


def _check_ends(kinds: Mapping[str, list[Any]]) -> None:
    known = {id(o.variables): o for o in (*kinds["neurons"], *kinds["ports"])}
    for s in kinds["synapses"]:
        for what, end in (("source", s.source), ("target", s.target)):
            if isinstance(end, Synapses):
                refuse("synapses on synapses", s.name, f"its {what} is {end.name}, which are synapses; wire neurons only")
            if id(whole(end).variables) not in known:
                refuse("object", s.name, f"its {what} {whole(end).name!r} is not among the objects; give it too")


def whole(end: Any) -> Any:
    """The group of which an end of synapses is a part, or the end itself."""
    return end.source if isinstance(end, Subgroup) else end


def _key(o: Any) -> tuple[int, str]:
    """What Brian2 sorts by within a slot."""
    return o.order, o.name


def heard(synapses: Any) -> list[Any]:
    """The pathways of synapses in the order in which Brian2 runs them."""
    return sorted(synapses._pathways, key=_key)


def check_order(given: Given) -> None:
    """Refuse an order within a step other than that of a circuit: sums, neurons, synapses; then presynaptic pathways, postsynaptic ones."""
    ours = [p for event in ("pre", "post") for s in given.synapses for p in heard(s) if p.prepost == event]
    theirs = sorted(ours, key=_key)
    for mine, other in zip(ours, theirs, strict=True):
        if mine is not other:
            refuse("order", other.name, f"it runs before {mine.name}; pathways run synapses by synapses, presynaptic first: leave `order`, rename")
    updates = [g.state_updater for g in given.neurons]
    for s in given.synapses:
        steps = [s.state_updater] if s.state_updater else []
        for u in s.summed_updaters.values():
            late = [o for o in (*updates, *steps) if _key(o) < _key(u)]
            if late:
                refuse("order", u.name, f"it sums after {late[0].name}; sums come before all updates: leave `order` as it is")
        ends = [whole(e).state_updater for e in (s.source, s.target) if isinstance(whole(e), NeuronGroup)]
        reads = {n for n in s.equations.identifiers if n not in s.equations.names and n in s.variables and n not in ("t", "dt")}
        for u in steps if reads else []:
            if late := [o for o in ends if _key(o) > _key(u)]:
                remedy = f"give {s.name!r} order={late[0].order + 1}, or a name that comes later in the alphabet"
                refuse("order", u.name, f"it steps before {late[0].name} and reads {sorted(reads)}; synapses are stepped after neurons: {remedy}")


def written_variables(given: Given, around: Mapping[str, Any]) -> dict[str, set[str]]:
    """For each group the variables that resets, pathways or sums write."""
    found: dict[str, set[str]] = {g.name: set() for g in (*given.neurons, *given.ports)}
    for g in given.neurons:
        words = Words(place=given.names[g.name], own={}, spaces=(g.namespace or {}, around), drives=True)
        found[g.name] |= {target for target, _, _ in assignments(words, g.event_codes.get("spike") or "", "reset")}
    for s in given.synapses:
        words = Words(place=given.names[s.name], own={}, spaces=(s.namespace or {}, around))
        targets = [t for p in s._pathways for t, _, _ in assignments(words, p.code, p.objname)]
        for target in [*targets, *s.summed_updaters]:
            local, _, end = target.rpartition("_")
            if end in ("pre", "post") and local and target in s.variables:
                found[whole(s.source if end == "pre" else s.target).name].add(local)
            else:
                found[whole(s.target).name].add(target)
    return found


def pairs_of(synapses: Any) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Source and target of each synapse, as indices of whole groups."""
    pre, post = (_raw(synapses, name) for name in ("_synaptic_pre", "_synaptic_post"))
    return pre.astype(np.int64), post.astype(np.int64)


def _raw(group: Any, name: str) -> NDArray[Any]:
    try:
        return np.array(group.variables[name].get_value())
    except NotImplementedError:
        refuse("device", group.name, f"the values of {name!r} are not known before a standalone program has run; call it under set_device('runtime')")


def read_values(group: Any, name: str, ours: str) -> Parameter:
    """The present values of a variable."""
    return _as_parameter(group, name, _raw(group, name), ours)


def _as_parameter(group: Any, name: str, values: NDArray[Any], ours: str) -> Parameter:
    variable = group.variables[name]
    if values.dtype.kind == "f" and not np.all(np.isfinite(values)):
        refuse("value", group.name, f"{name!r} holds a value that is not finite; set it first")
    whole_number = values.dtype.kind in "iu" and np.all(np.abs(values) < 2**31)
    return number(values, variable.dim, f"{name}, a variable of {group.name}", whole=bool(whole_number) and values.dtype.kind != "b")


def current_values(synapses: Any, name: str, words: Words) -> Parameter:
    """The present values of a variable of synapses; an event-driven one is brought from its last spike to the present."""
    values = _raw(synapses, name)
    if synapses.event_driven is not None and name in synapses.event_driven.diff_eq_names:
        elapsed = _raw(synapses, "t") - _raw(synapses, "lastupdate")
        if np.any(elapsed != 0):
            values = _decayed(synapses, name, elapsed, words)
    return _as_parameter(synapses, name, values, name)


def _decayed(synapses: Any, name: str, elapsed: NDArray[np.float64], words: Words) -> NDArray[np.float64]:
    known: dict[str, Any] = {"dt": elapsed}
    for line in linear(synapses.event_driven, synapses.variables).splitlines():
        target, _, right = line.partition("=")
        for node in ast.walk(ast.parse(right.strip(), mode="eval")):
            if isinstance(node, ast.Name) and node.id not in known and node.id not in _FUNCTIONS:
                known[node.id] = _held(synapses, node.id, words)
        known[target.strip()] = _evaluated(ast.parse(right.strip(), mode="eval").body, known, synapses.name)
    return np.broadcast_to(known[name], elapsed.shape) * 1.0


def _held(synapses: Any, name: str, words: Words) -> NDArray[np.float64]:
    """The SI value of a name in the solution of an event-driven equation."""
    value = _raw(synapses, name) if name in synapses.equations.names | synapses.event_driven.names else looked_up(words, name)
    if value is None:
        refuse("event-driven", synapses.name, f"{name!r} is needed to bring event-driven variables to the present; import before the run")
    return np.asarray(Quantity(value), np.float64)


def _evaluated(node: ast.expr, known: Mapping[str, Any], place: str) -> Any:
    match node:
        case ast.Constant(value=number_):
            return float(number_)  # type: ignore[arg-type]
        case ast.Name(id=name):
            return known[name]
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return -_evaluated(inner, known, place)
        case ast.BinOp(left=a, op=op, right=b) if type(op) in _ARITHMETIC:
            return _ARITHMETIC[type(op)](_evaluated(a, known, place), _evaluated(b, known, place))
        case ast.Call(func=ast.Name(id=name), args=[inner]) if name in _FUNCTIONS:
            return _FUNCTIONS[name](_evaluated(inner, known, place))
    refuse("event-driven", place, f"{ast.unparse(node)!r} stands in the solution of an event-driven equation; import before the run")


_ARITHMETIC: Mapping[type, Any] = {ast.Add: np.add, ast.Sub: np.subtract, ast.Mult: np.multiply, ast.Div: np.divide, ast.Pow: np.power}
