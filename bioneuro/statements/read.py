"""Read the statements of a step off Brian2 objects: plain text per phase, in the order in which Brian2 runs them."""

import dataclasses
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from brian2.core.functions import Function
from brian2.devices.device import runtime_device
from brian2.units.fundamentalunits import Unit, get_or_create_dimension

from bioneuro import units
from bioneuro.model import Circuit
from bioneuro.plan import Plan, Wiring
from bioneuro.statements.assemble import Assembly, assemble, pathways_of, refuse_unlike
from bioneuro.statements.context import borrowed
from bioneuro.statements.ends import ends
from bioneuro.statements.periodic import ADDRESSED, DRAWS, PERIODIC, UPDATE
from bioneuro.statements.step import LENGTH, NORMAL, Later, phase_name
from bioneuro.text import HARDWARE, check_statements

BEFORE = "before_start"
"""The slot of Brian2's schedule in which subexpressions that are (constant over dt) are worked out, ahead of all else."""

_ORDER = {"update": 0, "sum": 0, "threshold": 1, "pathway": 2, "reset": 3}


@dataclass(frozen=True, kw_only=True)
class Phase:
    """Statements of one object at one moment of the step.

    Attributes:
        owner: placed name.
        kind: "update", "sum", "threshold", "pathway" or "reset".
        code: Brian2's abstract code; a threshold assigns ``_cond``, a sum ``_synaptic_var``, what one synapse adds.
        pathway: index of the pathway, or -1.
        target: of a sum, the variable of a neuron that holds it ("total_post").
        part: of an update, "" for the step itself; `BEFORE`, or "phases", "slow", "forget" and the like for what comes before and after it.
        order: within the slot of Brian2's schedule.
    """

    owner: str
    kind: str
    code: str
    pathway: int = -1
    target: str = ""
    part: str = ""
    order: int = 0

    @property
    def periodic(self) -> bool:
        """Whether it is what a processor does at its updates, and otherwise changes nothing."""
        return self.kind == "update" and self.part in PERIODIC


@dataclass(frozen=True, kw_only=True)
class Program:
    """Every phase of a step, and what the names in them mean.

    Attributes:
        phases: in the order in which they run.
        computed: placed object -> {subexpression: its text}.
        guarded: placed object -> {variable: the flag without which it cannot be written}.
        flags: placed object -> its flags (boolean variables).
    """

    phases: tuple[Phase, ...]
    computed: Mapping[str, Mapping[str, str]]
    guarded: Mapping[str, Mapping[str, str]]
    flags: Mapping[str, tuple[str, ...]]


def signatures(plan: Plan) -> dict[str, Function]:
    """The functions that equations may call, with their units but without content."""
    found = {
        NORMAL: Function(np.add, arg_units=[1] * 4, arg_types=["integer"] * 4, return_type="float", return_unit=1, stateless=False),
        LENGTH: Function(np.add, arg_units=[1, 1], arg_types=["integer"] * 2, return_type="float", return_unit=Unit(1.0, dim=_SECOND)),
    }
    if plan.circuit.period:
        found[UPDATE] = Function(np.add, arg_units=[1, 1], arg_types=["integer"] * 2, return_type="integer", return_unit=1)
    for name in processor_functions(plan.circuit):
        types, result = HARDWARE.get(name) or DRAWS[name][:-1], "integer" if name in HARDWARE else DRAWS[name][-1]
        found[name] = Function(np.add, arg_units=[1] * len(types), arg_types=list(types), return_type=result, return_unit=1)
    for name, current in plan.protocol.currents.items():
        unit = Unit(1.0, dim=_dimension(current.unit))
        found[f"drive_{name}"] = Function(np.add, arg_units=[1, 1], arg_types=["integer"] * 2, return_type="float", return_unit=unit)
    for path, course in plan.protocol.phases.items():
        unit = Unit(1.0, dim=_dimension(course.unit))
        found[phase_name(*path.split("."))] = Function(np.add, arg_units=[1] * 3, arg_types=["integer"] * 3, return_type="float", return_unit=unit)
    return found


def processor_functions(circuit: Circuit) -> list[str]:
    """The functions of a processor, by the names that engines know, which the periodic code of a circuit calls."""
    codes = [p.synapse.every.code for p in circuit.projections if p.synapse.every]
    called = frozenset().union(*(check_statements(code, "every").called for code in codes))
    found = {ADDRESSED.get(name, name) for name in called & set(HARDWARE)} - {NORMAL}
    return sorted(found | ({"ppu_seed_at"} if "ppu_lfsr_at" in found else set()))


def _dimension(name: str) -> Any:
    return get_or_create_dimension(units.unit(name).dimensions)


_SECOND = _dimension("second")


def read(plan: Plan, *, moments: bool = False) -> Program:
    """The program of `plan`'s circuit and stepping, read from live objects with one element each.

    Arguments:
        moments: event runs carry mean and variance of noisy variables instead of drawing.
    """
    with borrowed(runtime_device, target="numpy", strict=True):
        refuse_unlike(plan, ends(plan.circuit) if plan.dt is None else {})
        assembly = assemble(_one_of_each(plan), signatures(plan), generators=False, moments=moments)
        for group in assembly.objects.values():
            group._network = "read"  # these objects are never run: Brian2 would warn that they were forgotten
        return _program(assembly, plan)


def _one_of_each(plan: Plan) -> Plan:
    """The same plan with one element per object: the text does not depend on how many there are."""
    one = np.zeros(1, np.int64)
    return dataclasses.replace(
        plan,
        stimulus=one,
        flat={k: dataclasses.replace(f, trial=one, unit=one, stimulus=one) for k, f in plan.flat.items()},
        wiring={k: Wiring(pre=one, post=one) for k in plan.wiring},
        timing=plan.timing.empty(),
        values={k: v if v.ndim == 0 else v[:1] for k, v in plan.values.items()},
        currents={k: (one, table) for k, (_, table) in plan.currents.items()},
        phases={k: (one, table) for k, (_, table) in plan.phases.items()},
    )


def _program(assembly: Assembly, plan: Plan) -> Program:
    phases = []
    computed, guarded, flags = {}, {}, {}
    for owner in plan.circuit.models:
        group = assembly.objects[owner]
        computed[owner] = {eq.varname: eq.expr.code for eq in group.equations.values() if eq.type == "subexpression"}
        variables = group.variables
        guarded[owner] = {
            name: v.conditional_write.name for name, v in variables.items() if getattr(v, "conditional_write", None) is not None
        }
        flags[owner] = tuple(n for n, v in variables.items() if getattr(v, "dtype", None) is not None and np.dtype(v.dtype).kind == "b")
        runners = [("update", -1, "", r) for r in (group.state_updater, *group.contained_objects) if getattr(r, "template", "") == "stateupdate"]
        if hasattr(group, "thresholder"):
            runners += [("threshold", -1, "", r) for r in group.thresholder.values()]
            runners += [("reset", -1, "", r) for r in group.resetter.values()]
        else:
            heard = pathways_of(plan.circuit, next(p for p in plan.circuit.projections if p.name == owner))
            runners += [("pathway", k, "", getattr(group, key)) for k, (key, _) in heard.items()]
            runners += [("sum", -1, target, r) for target, r in group.summed_updaters.items()]
        for kind, k, target, runner in dict.fromkeys(runners):
            runner.update_abstract_code(run_namespace={})
            if runner.abstract_code.strip():
                part = runner.name.removeprefix(f"{owner}_") if isinstance(runner, Later) else BEFORE if runner.when == BEFORE else ""
                code = textwrap.dedent(runner.abstract_code)
                phases.append(Phase(owner=owner, kind=kind, code=code, pathway=k, target=target, part=part, order=runner.order))
    phases.sort(key=lambda p: (_ORDER[p.kind] - (p.part == BEFORE), p.order))
    return Program(phases=tuple(phases), computed=computed, guarded=guarded, flags=flags)
