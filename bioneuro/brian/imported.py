"""from_brian: live objects of a Brian2 script -> a circuit.

What the objects hold at the moment of the call becomes the circuit: text, constants, wiring, delays, values of variables. Nothing of theirs is
changed and nothing is run. A circuit begins at 0 s: after a run it takes the values of that moment, but neither the spikes that are on their
way nor refractory periods that are running.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from brian2.core.namespace import get_local_namespace
from brian2.equations.equations import DIFFERENTIAL_EQUATION, PARAMETER, SUBEXPRESSION
from brian2.stateupdaters.base import StateUpdateMethod, UnsupportedEquationsException
from brian2.units.fundamentalunits import Quantity
from numpy.typing import NDArray

from bioneuro.brian.imported_objects import Given, check_order, collected, current_values, heard, pairs_of, read_values, whole, written_variables
from bioneuro.brian.imported_text import SOURCE, FromBrianError, Words, assignments, expression, fitting, number, refuse, statements, timed, unit_of
from bioneuro.dynamics import METHODS
from bioneuro.equations import SPECIAL
from bioneuro.model import Circuit, ModelError, Neuron, Parameter, Pathway, Population, Projection, Synapse
from bioneuro.text import TextError
from bioneuro.units import UnitError

_KEPT = ("unless refractory", "event-driven", "clock-driven", "shared", "constant over dt")


@dataclass(frozen=True, kw_only=True)
class NeuronText:
    """A NeuronGroup in the words of a circuit.

    Attributes:
        fields: of the `Neuron`, but for its method.
        names: variable in Brian2 -> name here.
        input: the array that drives the neuron's input, or None.
    """

    fields: Mapping[str, Any]
    names: Mapping[str, str]
    words: Words
    input: Any


def from_brian(*objects: Any, namespace: Mapping[str, Any] | None = None, name: str = "imported", level: int = 0) -> Circuit:
    """The circuit that live Brian2 objects describe.

    Constants of the text become parameters, and so do variables that nothing among the objects writes, with one value per unit where they
    differ: all of them can be learned (a number with a unit in the text, ``-50*mV``, too, as ``q_m50_mV``). They have no bounds: narrow them
    with `dataclasses.replace` before a fit. Variables that something writes are states; their present values are initial values. A TimedArray in
    an equation becomes the neuron's input, which `stimulus_of` drives. Delays are on the grid of the objects' clock, rounded as Brian2 rounds
    them. A name that a circuit does not allow is changed: ``tau_post`` becomes ``taupost``, and a constant of a synapse named like one of its
    postsynaptic neuron gets the ending ``_syn``.

    Arguments:
        objects: NeuronGroup, Synapses, SpikeGeneratorGroup and PoissonGroup; or a Network, or a list of them. Monitors are left aside.
        namespace: where names of the text are looked up after the group's own namespace; by default the variables around the call, as in
            Brian2. Only names that stand in the text are read.
        name: of the circuit.
        level: how many functions further out the variables around the call are looked for.

    Errors:
        FromBrianError: a construct has no counterpart; `.code` says which, the message names the object and a way out.

    Example:
        >>> from brian2 import Network, NeuronGroup, ms, mV
        >>> tau = 20*ms
        >>> group = NeuronGroup(2, "dv/dt = -v/tau : volt", threshold="v > 10*mV", reset="v = 0*mV", method="exact", name="cells")
        >>> circuit = from_brian(group)
        >>> {path: str(p) for path, p in circuit.values.items()}
        {'cells.tau': '20 ms', 'cells.q_10_mV': '10 mV', 'cells.q_0_mV': '0 V'}
    """
    around = get_local_namespace(level + 1) if namespace is None else namespace
    given = collected(objects)
    check_order(given)
    written = written_variables(given, around)
    texts = {g.name: neuron_text(g, given.names[g.name], around, written) for g in given.neurons}
    neurons = [_population(g, texts[g.name]) for g in given.neurons]
    ports = [Population(name=given.names[g.name], size=len(g)) for g in given.ports]
    projections = [_projection(s, given, texts, around) for s in given.synapses]
    return _made(name, Circuit, name=name, populations=(*ports, *neurons), projections=tuple(projections))


def _made(place: str, record: Any, **fields: Any) -> Any:
    try:
        return record(**fields)
    except FromBrianError:
        raise
    except TextError as error:
        raise FromBrianError("text", place, str(error)) from error
    except UnitError as error:
        raise FromBrianError("unit", place, str(error)) from error
    except ModelError as error:
        raise FromBrianError("model", place, str(error)) from error


def neuron_text(group: Any, name: str, around: Mapping[str, Any], written: Mapping[str, set[str]]) -> NeuronText:
    """Equations, threshold, reset, refractoriness and numbers of a NeuronGroup."""
    equations = group.user_equations
    own: dict[str, str] = {}
    for variable in equations.names:
        own[variable] = fitting(variable, set(own.values()))
    words = Words(place=name, own=own, spaces=(group.namespace or {}, around), drives=True)
    for eq in equations.values():
        if eq.type == SUBEXPRESSION and (array := timed(words, eq.expr.code)) is not None:
            words.driven.setdefault(_called(eq.expr.code), (own[eq.varname], array))
    constants = {v for v in equations.names if _is_constant(group, equations[v], written[group.name])}
    inputs = {variable for variable, _ in words.driven.values()}
    lines = [_line(words, eq) for eq in equations.values() if eq.varname not in constants and own[eq.varname] not in inputs]
    threshold = group.events.get("spike") or ""
    fields: dict[str, Any] = {
        "threshold": expression(words, threshold, "threshold") if threshold else "",
        "reset": statements(words, group.event_codes.get("spike") or "", "reset"),
        "refractory": _refractory(words, group._refractory) if threshold else "",
    }
    driven = next(iter(words.driven.values()), None)
    if driven:
        lines.append(f"{driven[0]} : {unit_of(driven[1].dim, name)}")
    states = [e.varname for e in equations.values() if e.type != SUBEXPRESSION and e.varname not in constants and own[e.varname] not in inputs]
    fields |= {
        "name": name,
        "equations": "\n".join(lines),
        "input": driven[0] if driven else "",
        "parameters": {**words.found, **{own[v]: read_values(group, v, own[v]) for v in sorted(constants)}},
        "initial": {own[v]: read_values(group, v, own[v]) for v in states},
        "reference": f"imported from the Brian2 group {group.name!r}",
    }
    return NeuronText(fields=fields, names=own, words=words, input=driven[1] if driven else None)


def _called(code: str) -> str:
    return code.partition("(")[0].strip()


def _is_constant(group: Any, eq: Any, written: set[str]) -> bool:
    """A variable without equation that nothing writes: a parameter, unless it is boolean."""
    return eq.type == PARAMETER and eq.varname not in written and np.dtype(group.variables[eq.varname].dtype).kind != "b"


def _line(words: Words, eq: Any, kept: tuple[str, ...] = _KEPT) -> str:
    name, where = words.own.get(eq.varname, eq.varname), f"equation of {eq.varname}"
    unit = eq.var_type if eq.var_type in ("boolean", "integer") else unit_of(eq.dim, f"{words.place}, {where}")
    flags = [flag for flag in eq.flags if flag in kept and not (flag == "shared" and eq.type == PARAMETER)]
    tail = f"{unit} ({', '.join(flags)})" if flags else str(unit)
    if eq.type == PARAMETER:
        return f"{name} : {tail}"
    left = f"d{name}/dt" if eq.type == DIFFERENTIAL_EQUATION else name
    return f"{left} = {expression(words, eq.expr.code, where)} : {tail}"


def _refractory(words: Words, given: Any) -> str:
    """A time becomes a parameter; text stays text."""
    if given is False:
        return ""
    if isinstance(given, Quantity):
        ours = fitting("t_ref", {*words.own.values(), *words.found})
        words.found[ours] = number(float(given), given.dim, f"refractory period of {words.place}", low=0.0)
        return ours
    return expression(words, given, "refractory")


def _population(group: Any, described: NeuronText) -> Population:
    place = described.words.place
    method = _method(group, group.method_choice, group.equations, described.words)
    neuron = _made(place, Neuron, **described.fields, method=method)
    return Population(name=place, neuron=neuron, size=len(group))


def _method(group: Any, choice: Any, equations: Any, words: Words) -> str:
    """Brian2's integrator by name; of several choices the first that takes the equations, as Brian2 would."""
    updater = group.state_updater
    if updater is None or not equations.diff_eq_names:
        return "euler"
    if getattr(updater, "method_options", None):
        refuse("method", words.place, f"options of the integrator {updater.method_options} are not known; leave method_options out")
    for method in [choice] if isinstance(choice, str) or callable(choice) else list(choice):
        plain = method.lower() if isinstance(method, str) else repr(method)
        plain = "exact" if plain == "linear" else plain
        if plain not in {*METHODS, "independent"}:
            refuse("method", words.place, f"the integrator {plain!r} is unknown here; allowed: {', '.join(METHODS)}")
        if isinstance(choice, str) or _takes(group, StateUpdateMethod.stateupdaters[plain], equations, words):
            return plain
    refuse("method", words.place, f"none of the integrators {choice} takes the equations; name one that does, such as method='euler'")


def _takes(group: Any, updater: Any, equations: Any, words: Words) -> bool:
    spaces = {k: v for space in reversed(words.spaces) for k, v in space.items()}
    try:
        variables = group.resolve_all(equations.names | equations.identifiers | {"dt"}, spaces, user_identifiers=set())
        updater(equations, variables)
    except UnsupportedEquationsException:
        return False
    return True


def _projection(synapses: Any, given: Given, texts: Mapping[str, NeuronText], around: Mapping[str, Any]) -> Projection:
    place = given.names[synapses.name]
    pre, post = whole(synapses.source), whole(synapses.target)
    own = _own_names(synapses, pre, post, texts)
    ends = texts[post.name].fields if post.name in texts else {}
    avoid = frozenset({*ends["parameters"], ends["input"], *texts[post.name].names.values()} if ends else ())
    words = Words(place=place, own=own, spaces=(synapses.namespace or {}, around), avoid=avoid, suffix="syn")
    lines_of = [*synapses.equations.values(), *(e for e in (synapses.event_driven or {}).values() if e.type == DIFFERENTIAL_EQUATION)]
    pathways = heard(synapses)
    assigned = {t for p in pathways for t, _, _ in assignments(words, p.code, p.objname)}
    constants = {e.varname for e in lines_of if _is_constant(synapses, e, assigned)}
    lines = [_line(words, e) for e in lines_of if e.varname not in constants]
    lines += [_summed(words, synapses, target, updater) for target, updater in synapses.summed_updaters.items()]
    steps: list[Pathway] = []
    added: dict[str, Parameter] = {}
    for p in pathways:
        delay = _delay(words, p, synapses)
        name = fitting(f"{p.objname}_delay", {*own.values(), *words.found, *avoid, *added})
        added |= {name: delay} if delay is not None else {}
        steps.append(Pathway(event=p.prepost, code=_code(words, p, assigned=own), delay=name if delay is not None else ""))
    numbers = {own[v]: read_values(synapses, v, own[v]) for v in sorted(constants)}
    states = [e.varname for e in lines_of if e.type != SUBEXPRESSION and e.varname not in constants]
    synapse = _made(
        place,
        Synapse,
        name=place,
        equations="\n".join(lines),
        pathways=tuple(steps),
        method=_method(synapses, synapses.state_updater and synapses.state_updater.method_choice, synapses.equations, words),
        parameters={**words.found, **added, **numbers},
        initial={own[v]: current_values(synapses, v, words) for v in states},
        reference=f"imported from the Brian2 synapses {synapses.name!r}",
    )
    return _made(place, Projection, name=place, synapse=synapse, pre=given.names[pre.name], post=given.names[post.name], pairs=pairs_of(synapses))


def _own_names(synapses: Any, pre: Any, post: Any, texts: Mapping[str, NeuronText]) -> dict[str, str]:
    """Names in the text of synapses -> ours: a variable of the postsynaptic neuron may stand there without its ending."""
    ends = {end: texts[g.name].names if g.name in texts else {} for end, g in (("pre", pre), ("post", post))}
    mine = [*synapses.equations.names, *(synapses.event_driven.diff_eq_names if synapses.event_driven else ())]
    taken = {*ends["post"].values(), *SPECIAL}
    own = {name: f"{ours}_post" for name, ours in ends["post"].items()}
    own |= {f"{name}_{end}": f"{ours}_{end}" for end, names in ends.items() for name, ours in names.items()}
    for name in mine:
        own[name] = fitting(name, taken, "syn")
        taken.add(own[name])
    return own


def _summed(words: Words, synapses: Any, target: str, updater: Any) -> str:
    variable = synapses.variables[target]
    if np.dtype(variable.dtype).kind != "f":
        refuse("summed", words.place, f"{target!r} is no real number; declare it in a unit or as 1")
    start, stop = getattr(updater.target, "start", 0), getattr(updater.target, "stop", None)
    rest = np.ones(len(whole(updater.target)), bool)
    rest[start:stop] = False
    if np.any(np.asarray(variable.get_value())[rest] != 0):
        refuse("summed", words.place, f"{target!r} is summed in a subgroup, and is not 0 outside of it; set it to 0 there, or sum in the whole group")
    right = expression(words, updater.expression.code, f"sum {target}")
    return f"{words.own[target]} = {right} : {unit_of(variable.dim, words.place)} (summed)"


def _delay(words: Words, pathway: Any, synapses: Any) -> Parameter | None:
    """The delays of a pathway on the grid, or None for no delay."""
    dt = pathway.source.clock.dt_
    delays: NDArray[np.float64] = np.asarray(pathway.variables["delay"].get_value(), np.float64)
    steps = (delays / dt + 0.5).astype(np.int64)  # as Brian2's queue of spikes rounds
    if not steps.any():
        return None
    per_pair = steps if steps.size == pairs_of(synapses)[0].size else steps[:1]
    return number(per_pair * dt, pathway.variables["delay"].dim, f"delay of {pathway.objname}, from {words.place}", low=0.0)


def _code(words: Words, pathway: Any, assigned: Mapping[str, str]) -> str:
    """Statements of a pathway, whose result must not hang on the target that Brian2 generates code for."""
    changed: dict[str, set[str]] = {}
    for target, operator, _ in assignments(words, pathway.code, pathway.objname):
        ours = assigned.get(target, target)
        if ours.endswith(("_pre", "_post")) and operator != "=":
            changed.setdefault(ours, set()).add(operator)
    for ours, operators in changed.items():
        if len(operators) > 1 and not operators <= {"+=", "-="}:
            refuse(
                "assignment",
                f"{words.place}, {pathway.objname}",
                f"{ours!r} of a neuron is changed by {' and '.join(sorted(operators))}, which Brian2's targets order differently where several "
                "spikes arrive at once; write one statement",
            )
    return statements(words, pathway.code, pathway.objname)


__all__ = ["SOURCE", "FromBrianError", "NeuronText", "from_brian", "neuron_text"]
