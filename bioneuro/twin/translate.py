"""Statements -> torch source: one small rewriting of the text that Brian2 would execute.

The result is readable Python, kept as `twin.source`. Only text that passed the whitelist (and what `flow` and Brian2 made of it) comes
here; every node that is not listed is refused.
"""

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bioneuro import units
from bioneuro.dynamics import UPDATES
from bioneuro.model import Circuit, Synapse
from bioneuro.statements import Phase, Program
from bioneuro.statements.periodic import UPDATE
from bioneuro.twin.refused import refuse

_DIRECT = {"exp", "log", "log10", "sin", "cos", "tan", "sinh", "cosh", "tanh", "arcsin", "arccos", "arctan", "abs", "floor", "ceil",
           "expm1", "log1p"}  # fmt: skip
_OWN = {"exprel", "sqrt", "clip", "sign", "timestep"}
_INTEGER = {"timestep", "t_in_timesteps", UPDATES}


@dataclass
class _Scope:
    """What names mean in one phase."""

    phase: Phase
    program: Program
    circuit: Circuit
    exact_steps: bool
    written: list[str] = field(default_factory=list)
    local: set[str] = field(default_factory=set)
    flags: set[str] = field(default_factory=set)


def translate(program: Program, circuit: Circuit, *, events: bool) -> str:
    """Python source with one function per phase, ``phase_0`` and so on, taking ``(x__, now__, op__)``, names that no variable can have.

    `x__` maps names to tensors of the phase's object, `now__` has the step, `op__` the operations. The function returns what it wrote.

    Raises:
        TwinError: naming the statement that has no translation and what to do.
    """
    functions = []
    for number, phase in enumerate(program.phases):
        scope = _Scope(
            phase=phase,
            program=program,
            circuit=circuit,
            exact_steps=events,  # flow has already turned thresholds into lengths; its comparisons carry no derivative
            flags={*program.flags[phase.owner]},
        )
        body = _body(scope)
        title = f"{phase.owner}, {phase.kind}" + (f" {phase.pathway}" if phase.pathway >= 0 else "")
        functions.append(f"def phase_{number}(x__, now__, op__):  # {title}\n" + "\n".join(f"    {line}" for line in body) + "\n")
    return "\n\n".join(functions)


def compiled(source: str) -> list[Callable[..., Any]]:
    """The functions of a source made by `translate`."""
    scope: dict[str, Any] = {}
    exec(compile(source, "<twin>", "exec"), scope)  # made above from whitelisted text
    return [scope[f"phase_{k}"] for k in range(sum(1 for name in scope if name.startswith("phase_")))]


def _body(scope: _Scope) -> list[str]:
    lines: list[str] = []
    for statement in ast.parse(scope.phase.code).body:
        lines += _statement(statement, scope)
    if scope.phase.kind == "threshold":
        return [*lines, "return _cond"]
    if scope.phase.kind == "sum":
        return [*lines, f"now__.total({scope.phase.target!r}, _synaptic_var)"]
    returned = ", ".join(f"{name!r}: {name}" for name in dict.fromkeys(scope.written))
    return [*lines, f"return {{{returned}}}"]


def _statement(node: ast.stmt, scope: _Scope) -> list[str]:
    if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
        name, operator, value = node.targets[0].id, None, node.value
    elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
        name, operator, value = node.target.id, node.op, node.value
    else:
        refuse("T07", f"{scope.phase.owner}, {ast.unparse(node)!r}")
    text = _expression(value, scope)
    if scope.phase.kind == "pathway" and name not in _synaptic(scope):
        return _to_neuron(name, operator, text, scope)
    if operator is not None:
        text = f"{_name(name, scope)} {_OPERATORS[type(operator)]} ({text})"
    return _write(name, text, scope, boolean=_is_boolean(value, scope))


def _synaptic(scope: _Scope) -> set[str]:
    model = scope.circuit.models[scope.phase.owner]
    return {*model.states, *model.parameters, "lastupdate", *scope.local, *(n for n in [*_assigned(scope.phase.code)] if n.startswith("_"))}


def _assigned(code: str) -> list[str]:
    return [n.id for n in ast.walk(ast.parse(code)) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]


def _to_neuron(name: str, operator: ast.operator | None, text: str, scope: _Scope) -> list[str]:
    """A synapse that writes to a neuron: contributions of all its spiking synapses add up; of other writes the last one stays."""
    model = scope.circuit.models[scope.phase.owner]
    local, _, end = name.rpartition("_")
    if end not in ("pre", "post"):
        local, end = name, "post" if isinstance(model, Synapse) else ""
    if not isinstance(operator, ast.Add | ast.Sub):
        whole = text if operator is None else f"({_name(name, scope)} {_OPERATORS[type(operator)]} ({text}))"
        return [f"now__.put({end!r}, {local!r}, {whole})"]
    sign = "-" if isinstance(operator, ast.Sub) else ""
    return [f"now__.add({end!r}, {local!r}, {sign}({text}))"]


def _is_local(name: str) -> bool:
    """What statements make for themselves; in periodic code, also the number of the update and the versions of a name."""
    return name.startswith("_") or "__" in name or name == UPDATES


def _write(name: str, text: str, scope: _Scope, *, boolean: bool) -> list[str]:
    kind, guard = scope.phase.kind, scope.program.guarded[scope.phase.owner].get(name)
    if _is_local(name) or kind == "threshold":
        scope.local.add(name)
        if boolean:
            scope.flags.add(name)
        return [f"{name} = {text}"]
    old = _name(name, scope)
    if kind == "pathway":
        text = f"op__.select(now__.arrived, {text}, {old})"
    elif kind == "reset":
        text = f"op__.select(now__.spiked, {text}, {old})"
    elif guard:
        text = f"op__.guard({_name(guard, scope)}, {text}, {old})"
    scope.written.append(name)
    scope.local.add(name)
    return [f"{name} = {text}"]


_OPERATORS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**", ast.Mod: "%", ast.FloorDiv: "//"}
_COMPARE = {ast.Gt: ">", ast.GtE: ">=", ast.Lt: "<", ast.LtE: "<=", ast.Eq: "==", ast.NotEq: "!="}


def _name(name: str, scope: _Scope) -> str:
    if name in scope.local:
        return name
    constants = {"pi": "3.141592653589793", "e": "2.718281828459045", "inf": "float('inf')", "dt": "now__.dt", "t": "now__.t"}
    if name in constants:
        return constants[name]
    if name == "t_in_timesteps":
        return "now__.k"
    computed = scope.program.computed[scope.phase.owner]
    if name in computed:
        return f"({_expression(ast.parse(computed[name], mode='eval').body, scope)})"
    return f"x__[{name!r}]"


def _is_boolean(node: ast.AST, scope: _Scope) -> bool:
    if isinstance(node, ast.Compare | ast.BoolOp) or (isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)):
        return True
    return (isinstance(node, ast.Name) and node.id in scope.flags) or (isinstance(node, ast.Constant) and isinstance(node.value, bool))


def _expression(node: ast.AST, scope: _Scope) -> str:
    if isinstance(node, ast.Constant):
        if isinstance(node.value, bool):
            return "1.0" if node.value else "0.0"
        return repr(node.value)
    if isinstance(node, ast.Name):
        return _name(node.id, scope)
    if isinstance(node, ast.BinOp):
        if isinstance(node.op, ast.Div) and not any(isinstance(n, ast.Name) for n in ast.walk(node.left)):
            # torch computes number/tensor as number times reciprocal, which rounds twice.
            return f"(op__.number({_expression(node.left, scope)}) / {_expression(node.right, scope)})"
        return f"({_expression(node.left, scope)} {_OPERATORS[type(node.op)]} {_expression(node.right, scope)})"
    if isinstance(node, ast.UnaryOp):
        inner = _expression(node.operand, scope)
        return f"(1.0 - {inner})" if isinstance(node.op, ast.Not) else f"({'-' if isinstance(node.op, ast.USub) else '+'}{inner})"
    if isinstance(node, ast.BoolOp):
        parts = [_expression(v, scope) for v in node.values]
        if isinstance(node.op, ast.And):
            return "(" + " * ".join(parts) + ")"
        return "(1.0 - " + " * ".join(f"(1.0 - {p})" for p in parts) + ")"
    if isinstance(node, ast.Compare):
        return _comparison(node, scope)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return _call(node, scope)
    refuse("T07", f"{scope.phase.owner}, {ast.unparse(node)!r}")


def _comparison(node: ast.Compare, scope: _Scope) -> str:
    left, right, operator = node.left, node.comparators[0], type(node.ops[0])
    a, b = _expression(left, scope), _expression(right, scope)
    names = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
    if scope.exact_steps or names & _INTEGER or operator in (ast.Eq, ast.NotEq):
        return f"op__.flag({a} {_COMPARE[operator]} {b})"
    if operator in (ast.Lt, ast.LtE):
        a, b = b, a
    name = "threshold" if scope.phase.kind == "threshold" else "step"
    return f"op__.{name}({a}, {b}, {operator in (ast.GtE, ast.LtE)}, {_scale(names, scope)!r})"


def _scale(names: set[str], scope: _Scope) -> float:
    """The distance from threshold that a surrogate counts as 1: 1 mV for potentials, 1 in the unit of anything else."""
    model = scope.circuit.models[scope.phase.owner]
    for name in names & set(model.states):
        dimensions = units.unit(model.states[name]).dimensions if model.states[name] not in ("boolean", "integer") else None
        if dimensions == units.unit("volt").dimensions:
            return 1e-3
    return 1.0


def _call(node: ast.Call, scope: _Scope) -> str:
    name = node.func.id  # type: ignore[attr-defined]
    if name == "int":
        (inner,) = node.args
        text = _expression(inner, scope)
        return text if _is_boolean(inner, scope) else f"op__.truncate({text})"
    arguments = [_expression(a, scope) for a in node.args]
    if name in _DIRECT:
        return f"op__.call({name!r}, {', '.join(arguments)})"
    if name in _OWN:
        return f"op__.{name}({', '.join(arguments)})"
    if name == "counter_normal":
        return f"op__.normal(now__.seed, {', '.join(arguments)})"
    if name.startswith("ppu_"):
        return f"now__.processor({name!r}, {', '.join(arguments)})"
    if name in ("step_length", UPDATE) or name.startswith("drive_"):
        return f"now__.table({name!r}, {arguments[1]})"
    if name.startswith("phase__"):
        return f"now__.phase({name!r}, {arguments[1]}, {arguments[2]})"
    refuse("T08", f"{scope.phase.owner}, {ast.unparse(node)!r}")


def assigned_states(program: Program, circuit: Circuit) -> Mapping[str, list[str]]:
    """Names that phases write beyond the declared states (lastspike, not_refractory, lastupdate, variances), per object."""
    extra: dict[str, list[str]] = {}
    for phase in program.phases:
        known = {*circuit.models[phase.owner].states}
        for name in _assigned(phase.code):
            if not _is_local(name) and name not in known and not name.endswith(("_pre", "_post")):
                extra.setdefault(phase.owner, []).append(name)
    return extra


def one_by_one(program: Program, circuit: Circuit) -> Mapping[tuple[str, int], tuple[str, ...]]:
    """Pathways (projection, number) in which the order of synapses matters -> the ends at which it does: "pre", "post".

    They read what they write to a neuron, so that each synapse sees what those before it have written in the same step; or they do
    not add to it.
    """
    found = {}
    for phase in program.phases:
        if phase.kind != "pathway":
            continue
        names = [n for n in ast.walk(ast.parse(phase.code)) if isinstance(n, ast.Name)]
        read = {n.id for n in names if isinstance(n.ctx, ast.Load)} | set(_neurons_read(phase, program))
        written = {n.id for n in names if isinstance(n.ctx, ast.Store) and n.id.endswith(("_pre", "_post"))} - {*circuit.models[phase.owner].states}
        put = {name for name, operator in _assignments(phase.code) if not isinstance(operator, ast.Add | ast.Sub)}
        ends = {name.rpartition("_")[2] for name in written & (read | put)}
        if ends:
            found[phase.owner, phase.pathway] = tuple(sorted(ends))
    return found


def _assignments(code: str) -> list[tuple[str, ast.operator | None]]:
    """What statements assign to, and the operator of those that are in place."""
    body = ast.parse(code).body
    plain = [(target.id, None) for s in body if isinstance(s, ast.Assign) for target in s.targets if isinstance(target, ast.Name)]
    return [*plain, *((s.target.id, s.op) for s in body if isinstance(s, ast.AugAssign) and isinstance(s.target, ast.Name))]


def _neurons_read(phase: Phase, program: Program) -> list[str]:
    """Names that the subexpressions of a synapse read."""
    return [n.id for text in program.computed[phase.owner].values() for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Name)]
