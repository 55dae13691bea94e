"""Neurons and synapses: Brian2 equations as text, with the numbers that they name. They compute nothing.

Equation text passes the whitelist of `bioneuro.text` here, before any engine sees it. Every name in it must be known, and both sides of
every equation must have one unit.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from bioneuro import dimensions, text, units
from bioneuro.equations import FLAT, SPECIAL, Equation, check_variable, equations_of, states_of, unshared
from bioneuro.records import LATER, ModelError, Parameter, did_you_mean

UPDATES = "updates"
"""In periodic code, the number of the update."""

METHODS = ("euler", "exponential_euler", "exact", "linear", "independent", "rk2", "rk4", "heun", "milstein")
"""Brian2's integrators for clock-driven runs."""


def _mapping(values: Mapping[str, Parameter], place: str) -> Mapping[str, Parameter]:
    for name, value in values.items():
        text.check_name(name, f"{place}: name")
        if not isinstance(value, Parameter):
            raise ModelError(f"{place}: {name!r} is a {type(value).__name__}; write parameter(number, unit, says=..., source=...)")
    return MappingProxyType(dict(values))


@dataclass(frozen=True, kw_only=True, eq=False)
class Neuron:
    """Brian2 text plus numbers for a neuron; computes nothing.

    Attributes:
        name: short name, used for placed objects if nothing else is said.
        equations: Brian2 equations. Parameters and initial values are named in them and given below.
        threshold, reset: Brian2 condition and statements; "" and "" for one that never fires, such as a dendrite, or a soma of which only
            slow variables matter. It can be stepped from event to event.
        refractory: a time, such as the name of a parameter; or a condition, which after a spike keeps the neuron refractory for as long as it
            holds; "" for none.
        method: Brian2's integrator for clock-driven runs, one of `METHODS`.
        input: the variable that a protocol's injected current drives, or "".
        momentary: a variable without an equation to which arriving spikes add, put back to 0 after every step of the clock: a current of one step,
            as layers of trained networks pass on. None: there is none.
        parameters, initial: name -> `Parameter`.
        reference: the paper.
    """

    name: str
    equations: str
    threshold: str = ""
    reset: str = ""
    refractory: str = ""
    method: str = "euler"
    input: str = ""
    parameters: Mapping[str, Parameter]
    initial: Mapping[str, Parameter] = field(default_factory=dict)
    reference: str = ""
    momentary: str | None = field(default=None, metadata={LATER: True})

    def __post_init__(self) -> None:
        _check_common(self)
        if self.threshold:
            text.check_expression(self.threshold, f"{self.name}.threshold")
        elif self.reset.strip() or self.refractory:
            raise ModelError(f"{self.name}.threshold: a neuron that never fires has neither reset nor refractory period; give a threshold")
        text.check_statements(self.reset, f"{self.name}.reset")
        object.__setattr__(self, "reset", text.without_comments(self.reset, f"{self.name}.reset"))
        if self.refractory:
            _check_refractory(self)
        for what in ("input", "momentary"):
            name = getattr(self, what)
            if name and (name not in self.plain or self.plain[name] in ("boolean", "integer")):
                raise ModelError(f"{self.name}.{what}: {name!r} must be declared in the equations as a plain variable such as 'I : amp'")
        check_dynamics(self, self.name, {})

    @property
    def states(self) -> Mapping[str, str]:
        """State variables (differential and plain) with their units."""
        return {**states_of(self.equations, "differential"), **self.plain}

    @property
    def plain(self) -> Mapping[str, str]:
        """Variables declared without an equation, with their units."""
        return states_of(self.equations, "plain")


@dataclass(frozen=True, kw_only=True, eq=False)
class Pathway:
    """What a spike does to a synapse: statements run when the spike of `event` arrives, `delay` after it was fired.

    Attributes:
        event: "pre" or "post".
        code: Brian2 statements.
        delay: the name of a parameter of the synapse (a time), or "" for none.
    """

    event: str
    code: str
    delay: str = ""

    def __post_init__(self) -> None:
        if self.event not in ("pre", "post"):
            raise ModelError(f"pathway.event: {self.event!r} is not an event; allowed: 'pre', 'post'")
        text.check_statements(self.code, f"pathway on {self.event}")
        object.__setattr__(self, "code", text.without_comments(self.code, f"pathway on {self.event}"))


@dataclass(frozen=True, kw_only=True, eq=False)
class Every:
    """What a processor does to a synapse: statements run at every multiple of a period, the start of the run not counted.

    What it reads is what holds just before any spike of the same moment. ``updates`` is the number of the update (1, 2, ...). A name
    that is assigned first and is no state is local. The integer functions of `bioneuro.text.HARDWARE` have a meaning here.

    Attributes:
        period: the name of a parameter of the synapse (a time).
        code: Brian2 statements.
    """

    period: str
    code: str

    def __post_init__(self) -> None:
        found = text.check_statements(self.code, "every")
        if not found.assigned:
            raise ModelError("every.code: it has no statement; give at least one such as 'w += 1', or leave `every` out")
        object.__setattr__(self, "code", text.without_comments(self.code, "every"))


@dataclass(frozen=True, kw_only=True, eq=False)
class Synapse:
    """A synapse or learning rule: Brian2 equations, what arriving spikes do, and numbers.

    Attributes:
        equations: Brian2 equations of the synapse; ``name_pre`` and ``name_post`` are variables of the neurons it joins.
        pathways: several per synapse are allowed, such as transmission and a later calcium influx.
        every: statements run periodically, or None.
        method: Brian2's integrator for clock-driven runs. Event-driven runs solve the same equations exactly.
    """

    name: str
    equations: str
    pathways: tuple[Pathway, ...]
    method: str = "euler"
    parameters: Mapping[str, Parameter]
    initial: Mapping[str, Parameter] = field(default_factory=dict)
    reference: str = ""
    every: Every | None = field(default=None, metadata={LATER: True})

    def __post_init__(self) -> None:
        object.__setattr__(self, "pathways", tuple(self.pathways))
        _check_common(self)
        for n, pathway in enumerate(self.pathways):
            _check_time(self, pathway.delay, f"{self.name}.pathways[{n}].delay")
        if self.every is not None:
            _check_every(self, self.every)
        check_dynamics(self, self.name, {})

    @property
    def states(self) -> Mapping[str, str]:
        """State variables with their units."""
        return {**states_of(self.equations, "differential"), **self.plain}

    @property
    def plain(self) -> Mapping[str, str]:
        """Variables declared without an equation, with their units."""
        return states_of(self.equations, "plain")

    @property
    def sums(self) -> Mapping[str, Equation]:
        """Variables of a neuron at an end ("total_post") that hold a sum over synapses."""
        return {e.name: e for e in equations_of(self.equations) if "summed" in e.flags}


def read_from_ends(model: Synapse) -> set[str]:
    """Names such as ``v_post`` that a synapse reads or writes in the neurons at its ends."""
    lines = equations_of(model.equations)
    found = [text.names(e.right) for e in lines if e.right]
    found.append(text.Names(assigned=frozenset(e.name for e in lines if "summed" in e.flags)))
    found += [text.check_statements(p.code, f"{model.name}.pathways") for p in model.pathways]
    return {name for names in found for name in names.read | names.assigned if re.search(r"_(pre|post)$", name)}


def _check_time(model: Neuron | Synapse, name: str, place: str) -> None:
    times = sorted(key for key, p in model.parameters.items() if units.unit(p.unit).dimensions == dimensions.SECOND)
    if name and name not in times:
        what = "no time" if name in model.parameters else "not a parameter"
        raise ModelError(f"{place}: {name!r} is {what}; allowed: one of {times} or ''." + did_you_mean(name, times))


def _check_refractory(neuron: Neuron) -> None:
    """A time or a condition."""
    place, known = f"{neuron.name}.refractory", known_dimensions(neuron)
    _check_names(neuron, place, text.check_expression(neuron.refractory, place))
    if dimensions.is_condition(neuron.refractory, _flags(neuron)):
        dimensions.check_condition(neuron.refractory, _flags(neuron), known, place)
    else:
        dimensions.check(neuron.refractory, dimensions.SECOND, known, place)


def _flags(model: Neuron | Synapse) -> set[str]:
    return {"not_refractory", *(e.name for e in equations_of(model.equations) if e.unit == "boolean")}


def _check_every(model: Synapse, every: Every) -> None:
    """Statements in which a name may be local, and which see nothing but the synapse itself."""
    place = f"{model.name}.every"
    if not every.period:
        raise ModelError(f"{place}.period: it is empty; name a parameter that is a time")
    _check_time(model, every.period, f"{place}.period")
    period = model.parameters[every.period].value
    if period.ndim or period <= 0:
        raise ModelError(f"{place}.period: {every.period!r} is {period} s; give one time above 0 for all synapses")
    known = {**known_dimensions(model), UPDATES: units.DIMENSIONLESS}
    given = frozenset(known)
    pieces = (piece.strip() for line in every.code.splitlines() for piece in line.split(";"))
    for line in filter(None, pieces):
        found = text.check_statements(line, place)
        for name in sorted(found.read - set(known) | {n for n in found.read | found.assigned if n.endswith(("_pre", "_post")) or n in FLAT}):
            raise ModelError(f"{place}, {line!r}: {name!r} is not known here. Known: {sorted(set(known) - SPECIAL)}." + did_you_mean(name, known))
        _refuse_random(found, place)
        _refuse_constants(model, place, found, known=given)
        (name,) = found.assigned
        if model.states.get(name) == "boolean":
            raise ModelError(f"{place}, {line!r}: {name!r} is boolean; declare it as integer and use 0 and 1")
        if name not in known:
            check_variable(name, f"{place}, {line!r}")
            known[name] = dimensions.of(line.partition("=")[2], known, place) or units.DIMENSIONLESS
        dimensions.check_statements(line, known, place)


def _check_common(model: Neuron | Synapse) -> None:
    text.check_name(model.name, "name")
    text.check_equations(model.equations, f"{model.name}.equations")
    # Brian2 would carry comments into the sources that it generates.
    lines = map(unshared, text.equation_lines(model.equations, f"{model.name}.equations"))
    object.__setattr__(model, "equations", "\n".join(lines))
    for name in ("parameters", "initial"):
        object.__setattr__(model, name, _mapping(getattr(model, name), f"{model.name}.{name}"))
    if model.method not in METHODS:
        hint = did_you_mean(str(model.method), METHODS)
        raise ModelError(f"{model.name}.method: {model.method!r} is unknown; allowed: {', '.join(METHODS)}.{hint}")
    found = equations_of(model.equations)
    declared = {e.name for e in found}
    for name in (*(e.name for e in found if "summed" not in e.flags), *model.parameters):
        check_variable(name, model.name)
    for name in sorted(declared & set(model.parameters)):
        raise ModelError(f"{model.name}.parameters: {name!r} is already a variable; rename one of the two")
    for e in found:
        if "summed" in e.flags:
            _check_summed(model, e)
        if "linked" in e.flags:
            raise ModelError(
                f"{model.name}.equations: {e.name!r} is (linked), which would join the trials, since they lie side by side in one run; "
                "give each unit its own"
            )
    for name, start in model.initial.items():
        if name not in model.states:
            raise ModelError(
                f"{model.name}.initial: {name!r} is not a state variable; allowed: {sorted(model.states)}."
                + did_you_mean(name, model.states)
            )
        if dimensions.declared(model.states[name]) != units.unit(start.unit).dimensions:
            raise units.UnitError(
                f"{model.name}.initial: {name!r} is in {model.states[name]!r} in the equations, but its value is in {start.unit!r}; "
                "correct one of the two"
            )


def _check_summed(model: Neuron | Synapse, e: Equation) -> None:
    """A sum over synapses is written ``total_post = expression : unit (summed)`` in a synapse."""
    if not isinstance(model, Synapse) or e.kind != "computed" or not e.name.endswith(("_pre", "_post")):
        raise ModelError(
            f"{model.name}.equations: {e.name!r} is (summed); a sum over synapses goes to a plain variable of the neuron at one end and is "
            "written in the synapse, such as total_post = expression : unit (summed)"
        )
    if "constant over dt" in e.flags or "shared" in e.flags:
        raise ModelError(f"{model.name}.equations: {e.name!r} is (summed) and more; leave the other flag out")


def known_dimensions(model: Neuron | Synapse) -> dict[str, units.Dimensions]:
    """Every name of a model, with the dimensions of its values."""
    own = {e.name: dimensions.declared(e.unit) for e in equations_of(model.equations)}
    return {**dimensions.PROVIDED, **own, **{name: units.unit(p.unit).dimensions for name, p in model.parameters.items()}}


def check_dynamics(model: Neuron | Synapse, place: str, ends: Mapping[str, units.Dimensions]) -> None:
    """Refuse names that mean nothing, assignments to constants, and units that do not fit.

    Arguments:
        ends: what a synapse can read in the neurons at its ends; without it, such names are taken on trust.
    """
    known = {**known_dimensions(model), **ends}
    lines = equations_of(model.equations)
    for e in lines:
        if e.right:
            _check_names(model, f"{place}.equations", text.names(e.right), noise=True)
            rate = units.product(dimensions.declared(e.unit), dimensions.SECOND, -1.0)
            title = f"d{e.name}/dt" if e.kind == "differential" else e.name
            wanted = rate if e.kind == "differential" else dimensions.declared(e.unit)
            dimensions.check(e.right, wanted, known, f"{place}.equations, {title}")
    shared = [e.name for e in lines if e.right and "xi" in text.names(e.right).read]
    if len(shared) > 1:
        raise ModelError(f"{place}.equations: {shared} share the noise 'xi'; write {[f'xi_{name}' for name in shared]} for noises of their own")
    if isinstance(model, Synapse):
        codes = [(f"pathways[{n}].code", p.code) for n, p in enumerate(model.pathways)]
    else:
        codes = [("reset", model.reset)]
        if model.threshold:
            _check_names(model, f"{place}.threshold", text.names(model.threshold))
            dimensions.check_condition(model.threshold, _flags(model), known, f"{place}.threshold")
    for where, code in codes:
        _check_names(model, f"{place}.{where}", text.check_statements(code, f"{place}.{where}"))
        dimensions.check_statements(code, known, f"{place}.{where}")


def _check_names(model: Neuron | Synapse, place: str, found: text.Names, *, noise: bool = False) -> None:
    known = set(known_dimensions(model))
    _refuse_random(found, place)
    for name in sorted(found.called & set(text.HARDWARE)):
        raise ModelError(f"{place}: {name}() is a function of a processor; it has a meaning in periodic code only (Synapse.every)")
    for name in sorted(found.read | found.assigned):
        if name in FLAT:
            raise ModelError(f"{place}: {name!r} runs over all trials, which lie side by side; use a parameter with one value per unit")
        if name == "xi" or name.startswith("xi_"):
            if not noise:
                raise ModelError(f"{place}: the noise {name!r} has a meaning in differential equations only; move it there")
        elif name not in known and not (isinstance(model, Synapse) and re.search(r"_(pre|post)$", name)):
            raise ModelError(
                f"{place}: {name!r} is neither a state nor a parameter. Known: {sorted(known - SPECIAL)}." + did_you_mean(name, known)
            )
    _refuse_constants(model, place, found, known=frozenset(known))


def _refuse_random(found: text.Names, place: str) -> None:
    for name in sorted(found.called & {"rand", "randn"}):
        raise ModelError(f"{place}: {name}() draws numbers that no seed reaches; write noise as 'xi' in a differential equation")


def _refuse_constants(model: Neuron | Synapse, place: str, found: text.Names, *, known: frozenset[str]) -> None:
    """Of what a model knows, states alone can be assigned, and of those none that is (constant)."""
    constant = {e.name for e in equations_of(model.equations) if "constant" in e.flags}
    for name in sorted(found.assigned & constant):
        raise ModelError(f"{place}: {name!r} is (constant) or (shared), but a statement assigns to it; leave the flag out")
    for name in sorted(found.assigned & known - set(model.states)):
        what = "a parameter, which stays as it is during a run" if name in model.parameters else "not a state"
        raise ModelError(f"{place}: {name!r} is {what}; states that can be changed: {sorted(model.states)}")
