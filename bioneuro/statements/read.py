"""Read the statements of a step off Brian2 objects: plain text per phase, in the order in which Brian2 runs them."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from brian2.core.functions import Function
from brian2.devices.device import runtime_device
from brian2.units.fundamentalunits import Unit, get_or_create_dimension

from bioneuro import units
from bioneuro.plan import Plan, Wiring
from bioneuro.statements.assemble import LENGTH, NORMAL, Assembly, assemble, pathway_names
from bioneuro.statements.context import borrowed

_ORDER = {"update": 0, "threshold": 1, "pathway": 2, "reset": 3}


@dataclass(frozen=True, kw_only=True)
class Phase:
    """Statements of one object at one moment of the step.

    Attributes:
        owner: placed name.
        kind: "update", "threshold", "pathway" or "reset".
        code: Brian2's abstract code; a threshold assigns ``_cond``.
        pathway: index of the pathway, or -1.
    """

    owner: str
    kind: str
    code: str
    pathway: int = -1


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
    for name, current in plan.protocol.currents.items():
        unit = Unit(1.0, dim=_dimension(current.unit))
        found[f"drive_{name}"] = Function(np.add, arg_units=[1, 1], arg_types=["integer"] * 2, return_type="float", return_unit=unit)
    return found


def _dimension(name: str) -> Any:
    return get_or_create_dimension(units.unit(name).dimensions)


_SECOND = _dimension("second")


def read(plan: Plan, *, moments: bool = False) -> Program:
    """The program of `plan`'s circuit and stepping, read from live objects with one element each.

    Arguments:
        moments: event runs carry mean and variance of noisy variables instead of drawing.
    """
    with borrowed(runtime_device, target="numpy", strict=True):
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
    )


def _program(assembly: Assembly, plan: Plan) -> Program:
    phases = []
    computed, guarded, flags = {}, {}, {}
    for owner, model in plan.circuit.models.items():
        group = assembly.objects[owner]
        computed[owner] = {eq.varname: eq.expr.code for eq in group.equations.values() if eq.type == "subexpression"}
        variables = group.variables
        guarded[owner] = {
            name: v.conditional_write.name for name, v in variables.items() if getattr(v, "conditional_write", None) is not None
        }
        flags[owner] = tuple(n for n, v in variables.items() if getattr(v, "dtype", None) is not None and np.dtype(v.dtype).kind == "b")
        runners = [("update", -1, group.state_updater)]
        if hasattr(group, "thresholder"):
            runners += [("threshold", -1, group.thresholder["spike"]), ("reset", -1, group.event_codes and group.resetter["spike"])]
        else:
            names = pathway_names(model)  # type: ignore[arg-type]
            runners += [("pathway", k, getattr(group, name)) for k, name in enumerate(names)]
        for kind, k, runner in runners:
            if runner:
                runner.update_abstract_code(run_namespace={})
                if runner.abstract_code.strip():
                    phases.append((_ORDER[kind], runner.order, Phase(owner=owner, kind=kind, code=runner.abstract_code, pathway=k)))
    phases.sort(key=lambda p: p[:2])
    return Program(phases=tuple(p[2] for p in phases), computed=computed, guarded=guarded, flags=flags)
