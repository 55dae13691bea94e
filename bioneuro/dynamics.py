"""Neurons and synapses: Brian2 equations as text, with the numbers that they name. They compute nothing.

Equation text passes the whitelist of `bioneuro.text` here, before any engine sees it. Every name in it must be known, and both sides of
every equation must have one unit.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from bioneuro import dimensions, text, units
from bioneuro.records import ModelError, Parameter, did_you_mean

SPECIAL = frozenset({*dimensions.PROVIDED, "xi"})
"""Names that every engine provides; no parameter or state may take one."""

FLAT = frozenset({"i", "j", "N", "N_incoming", "N_outgoing", "N_pre", "N_post", "i_pre", "i_post", "j_pre", "j_post"})
"""Brian2's indices and counts. Trials lie side by side in one run, so they would mean something else in each trial."""

METHODS = ("euler", "exponential_euler", "exact", "rk2", "rk4", "heun", "milstein")
"""Brian2's integrators for clock-driven runs."""

# What Brian2's objects or C++ use themselves: a variable of that name would be set aside without a word, or not compile.
_RESERVED = frozenset(
    """trial_index unit_index stimulus_index neuron_trial neuron_unit neuron_stimulus waveform_index counter_normal step_length
    N_incoming_post N_outgoing_pre active add_to_magic_network before_run check_variable_write clock codeobj_class connect default_event
    delay delay_ equations event_codes event_driven events indices method_choice multisynaptic_index name namespace order post pre
    register_variable resetter run_on_event set_event_schedule source spike spikes start state state_updater stop subexpression_updater
    summed_updaters target thresholder unregister_variable user_equations variables verify_dependencies when
    alignas alignof asm auto bitand bitor bool brian case catch char compl const constexpr decltype default delete do double enum explicit
    export extern float friend goto inline long mutable new noexcept nullptr operator private protected public register short signed sizeof
    static std struct switch template this throw true false typedef typeid typename union unsigned using virtual void volatile xor
    fabs fmod pow NAN NULL EOF INFINITY HUGE_VAL RAND_MAX BUFSIZ errno stdin stdout stderr""".split()
)


# Brian2 knows these as units wherever it meets them; single letters such as m and A it does not.
_STANDARD = frozenset("ms us ns mV uV nV pA nA uA mA nS uS mS pS pF nF uF Hz kHz MHz cm mm um nm nM uM mM".split())
_LONG = re.compile(r".?(volt|amp|farad|siemens|second|hertz|metre|ohm|gram|mole|molar)")
_UNITS = text.UNITS | _STANDARD | set(filter(_LONG.fullmatch, units.NAMES))


def _mapping(values: Mapping[str, Parameter], place: str) -> Mapping[str, Parameter]:
    for name, value in values.items():
        text.check_name(name, f"{place}: name")
        if not isinstance(value, Parameter):
            raise ModelError(f"{place}: {name!r} is a {type(value).__name__}; write parameter(number, unit, says=..., source=...)")
    return MappingProxyType(dict(values))


@dataclass(frozen=True)
class Equation:
    """One line of equations: `kind` is "differential", "computed" or "plain"."""

    name: str
    kind: str
    right: str
    unit: str
    flags: tuple[str, ...]


def equations_of(equations: str) -> list[Equation]:
    """The lines of equations that have passed the whitelist."""
    found = []
    for line in equations.splitlines():
        body, _, tail = line.partition(":")
        unit, _, flags = tail.partition("(")
        left, equals, right = (part.strip() for part in body.partition("="))
        derivative = re.fullmatch(r"d(\w+)\s*/\s*dt", left) if equals else None
        kind = "differential" if derivative else "computed" if equals else "plain"
        listed = tuple(flag.strip() for flag in flags.rpartition(")")[0].split(",") if flag.strip())
        found.append(Equation(derivative[1] if derivative else left, kind, right, unit.strip(), listed))
    return found


def states_of(equations: str, *kinds: str) -> dict[str, str]:
    """Names declared by equations of these kinds, with their units."""
    return {e.name: e.unit for e in equations_of(equations) if e.kind in kinds}


@dataclass(frozen=True, kw_only=True, eq=False)
class Neuron:
    """Brian2 text plus numbers for a neuron; computes nothing.

    Attributes:
        name: short name, used for placed objects if nothing else is said.
        equations: Brian2 equations. Parameters and initial values are named in them and given below.
        threshold, reset: Brian2 condition and statements; "" and "" for one that never fires, such as a dendrite, or a soma of which only
            slow variables matter. It can be stepped from event to event.
        refractory: the name of a parameter (a time), or "" for none.
        method: Brian2's integrator for clock-driven runs ("euler", "exponential_euler", "exact", "rk2", "rk4", "heun", ...).
        input: the variable that a protocol's injected current drives, or "".
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

    def __post_init__(self) -> None:
        _check_common(self)
        if self.threshold:
            text.check_expression(self.threshold, f"{self.name}.threshold")
        elif self.reset.strip() or self.refractory:
            raise ModelError(f"{self.name}.threshold: a neuron that never fires has neither reset nor refractory period; give a threshold")
        text.check_statements(self.reset, f"{self.name}.reset")
        object.__setattr__(self, "reset", text.without_comments(self.reset, f"{self.name}.reset"))
        _check_time(self, self.refractory, f"{self.name}.refractory")
        if self.input and self.input not in self.plain:
            raise ModelError(
                f"{self.name}.input: {self.input!r} must be declared in the equations as a plain variable such as 'I : amp'"
            )
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
class Synapse:
    """A synapse or learning rule: Brian2 equations, what arriving spikes do, and numbers.

    Attributes:
        equations: Brian2 equations of the synapse; ``name_pre`` and ``name_post`` are variables of the neurons it joins.
        pathways: several per synapse are allowed, such as transmission and a later calcium influx.
        method: Brian2's integrator for clock-driven runs. Event-driven runs solve the same equations exactly.
    """

    name: str
    equations: str
    pathways: tuple[Pathway, ...]
    method: str = "euler"
    parameters: Mapping[str, Parameter]
    initial: Mapping[str, Parameter] = field(default_factory=dict)
    reference: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "pathways", tuple(self.pathways))
        _check_common(self)
        for n, pathway in enumerate(self.pathways):
            _check_time(self, pathway.delay, f"{self.name}.pathways[{n}].delay")
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


def _check_common(model: Neuron | Synapse) -> None:
    text.check_name(model.name, "name")
    text.check_equations(model.equations, f"{model.name}.equations")
    # Brian2 would carry comments into the sources that it generates.
    object.__setattr__(model, "equations", "\n".join(text.equation_lines(model.equations, f"{model.name}.equations")))
    for name in ("parameters", "initial"):
        object.__setattr__(model, name, _mapping(getattr(model, name), f"{model.name}.{name}"))
    if model.method not in METHODS:
        hint = did_you_mean(str(model.method), METHODS)
        raise ModelError(f"{model.name}.method: {model.method!r} is unknown; allowed: {', '.join(METHODS)}.{hint}")
    lines = equations_of(model.equations)
    declared = {e.name for e in lines}
    for name in (*(e.name for e in lines if "summed" not in e.flags), *model.parameters):
        _check_variable(name, model.name)
    for name in sorted(declared & set(model.parameters)):
        raise ModelError(f"{model.name}.parameters: {name!r} is already a variable; rename one of the two")
    for e in lines:
        if "summed" in e.flags:
            _check_summed(model, e)
        for flag in sorted({"shared", "linked"} & set(e.flags)):
            raise ModelError(
                f"{model.name}.equations: {e.name!r} is ({flag}), which would join the trials, since they lie side by side in one run; "
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


def _check_variable(name: str, place: str) -> None:
    if name.endswith(("_pre", "_post")):
        raise ModelError(
            f"{place}: {name!r} ends in '_pre' or '_post', which in a synapse means a variable of the neuron at that end; "
            f"rename it, for example to {name.replace('_p', 'p')!r}"
        )
    if name in _UNITS:
        raise ModelError(f"{place}: {name!r} is the name of a unit; rename the variable, for example to {name + '_0'!r}")
    if name in SPECIAL | FLAT | _RESERVED or name.startswith("xi_"):
        raise ModelError(f"{place}: {name!r} is a name that the engines use themselves; rename it, for example to {name + '_0'!r}")


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
        flags = {"not_refractory", *(e.name for e in lines if e.unit == "boolean")}
        if model.threshold:
            _check_names(model, f"{place}.threshold", text.names(model.threshold))
            dimensions.check_condition(model.threshold, flags, known, f"{place}.threshold")
    for where, code in codes:
        _check_names(model, f"{place}.{where}", text.check_statements(code, f"{place}.{where}"))
        dimensions.check_statements(code, known, f"{place}.{where}")


def _check_names(model: Neuron | Synapse, place: str, found: text.Names, *, noise: bool = False) -> None:
    known = set(known_dimensions(model))
    for name in sorted(found.called & {"rand", "randn"}):
        raise ModelError(f"{place}: {name}() draws numbers that no seed reaches; write noise as 'xi' in a differential equation")
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
    for name in sorted(found.assigned & known - set(model.states)):
        what = "a parameter, which stays as it is during a run" if name in model.parameters else "not a state"
        raise ModelError(f"{place}: {name!r} is {what}; states that can be changed: {sorted(model.states)}")
