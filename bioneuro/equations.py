"""Lines of equations, and the names that equations may not give to anything of their own."""

import re
from dataclasses import dataclass

from bioneuro import dimensions, text, units
from bioneuro.records import ModelError

SPECIAL = frozenset({*dimensions.PROVIDED, "xi"})
"""Names that every engine provides; no parameter or state may take one."""

FLAT = frozenset({"i", "j", "N", "N_incoming", "N_outgoing", "N_pre", "N_post", "i_pre", "i_post", "j_pre", "j_post"})
"""Brian2's indices and counts. Trials lie side by side in one run, so they would mean something else in each trial."""

# What Brian2's objects or C++ use themselves: a variable of that name would be set aside without a word, or not compile.
_RESERVED = frozenset(
    """trial_index unit_index stimulus_index neuron_trial neuron_unit neuron_stimulus waveform_index counter_normal step_length updates update_number
    N_incoming_post N_outgoing_pre active add_to_magic_network before_run check_variable_write clock codeobj_class connect default_event
    delay delay_ equations event_codes event_driven events indices method_choice multisynaptic_index name namespace order post pre
    neuron_index period spike_number spike_time
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


def check_variable(name: str, place: str) -> None:
    """Refuse, by `ModelError`, a name that means something else already."""
    if name.endswith(("_pre", "_post")):
        raise ModelError(
            f"{place}: {name!r} ends in '_pre' or '_post', which in a synapse means a variable of the neuron at that end; "
            f"rename it, for example to {name.replace('_p', 'p')!r}"
        )
    if name in _UNITS:
        raise ModelError(f"{place}: {name!r} is the name of a unit; rename the variable, for example to {name + '_0'!r}")
    if name in SPECIAL | FLAT | _RESERVED or name.startswith("xi_"):
        raise ModelError(f"{place}: {name!r} is a name that the engines use themselves; rename it, for example to {name + '_0'!r}")


def unshared(line: str) -> str:
    """An equation with what Brian2 keeps once for all units kept once for each of them: the same values, which no trial can change for another.

    A subexpression loses the flag (shared), since it is computed from shared things anyway; a plain variable becomes (constant).
    """
    (equation,) = equations_of(line)
    if "shared" not in equation.flags:
        return line
    if equation.kind == "differential":
        raise ModelError(
            f"equations: {equation.name!r} is (shared), which would join the trials, since they lie side by side in one run; give each unit its own"
        )
    kept = [flag for flag in equation.flags if flag != "shared"]
    kept += ["constant"] if equation.kind == "plain" and "constant" not in kept else []
    body = line.rpartition("(")[0].rstrip()
    return f"{body} ({', '.join(kept)})" if kept else body
