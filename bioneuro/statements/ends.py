"""What the steps of an event run share between objects: a synapse sees the neurons at its ends, a neuron sums over its synapses.

Between two events a tick runs: fast steps of the synapses; sums over synapses; slow steps of the synapses, which see the neuron as it was;
steps of the neurons. `flow.parts` derives the steps; here are the equations of the other objects in the names that each of them uses.
"""

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field

import brian2 as b2

from bioneuro.flow import away, beside, parts_of_sums
from bioneuro.model import Circuit, Projection
from bioneuro.text import FUNCTIONS

_CONSTANTS = {"pi", "e", "inf"}


@dataclass(frozen=True, kw_only=True)
class Ends:
    """The equations of other objects, in the names of one.

    Attributes:
        foreign: variable of a neuron at an end (``p_post``) -> its right-hand side.
        sums: variable that holds a sum over synapses -> what is summed; "" seen from the neuron.
        beside: name -> (what is summed, its unit): sums that the steps need beside those.
        away: how far relaxing variables in sums are from rest (``h_away``) -> unit; the synapse holds them.
        alike: end -> parameters that the synapses of one neuron there must have in common, so that their sum fades at one rate.
        plain: names of `beside` that the neuron holds -> unit.
    """

    foreign: Mapping[str, str] = field(default_factory=dict)
    sums: Mapping[str, str] = field(default_factory=dict)
    beside: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    away: Mapping[str, str] = field(default_factory=dict)
    alike: Mapping[str, frozenset[str]] = field(default_factory=dict)
    plain: Mapping[str, str] = field(default_factory=dict)


def substituted(equations: str) -> dict[str, str]:
    """Variable -> right-hand side, subexpressions put in."""
    made = b2.Equations(equations)
    return {name: expression.code for name, expression in made.get_substituted_expressions() if name in made.diff_eq_names}


def ends(circuit: Circuit) -> dict[str, Ends]:
    """Placed name of a projection or population -> what its step needs of others."""
    neurons = {p.name: p.neuron for p in circuit.populations if p.neuron is not None}
    stepped = {name: substituted(neuron.equations) for name, neuron in neurons.items()}
    found = {p.name: _of_synapse(p, stepped) for p in circuit.projections}
    for name in neurons:
        targets = {
            local: (projection, f"{local}_{end}")
            for projection in circuit.projections
            for local, _, end in (total.rpartition("_") for total in projection.synapse.sums)
            if getattr(projection, end) == name
        }
        plain = {
            beside(local, what): found[p.name].beside[beside(total, what)][1]
            for local, (p, total) in targets.items()
            for what in ("begin", "pace")
            if total in found[p.name].sums
        }
        found[name] = Ends(sums=dict.fromkeys(targets, ""), plain=plain)
    return found


def _of_synapse(projection: Projection, stepped: Mapping[str, Mapping[str, str]]) -> Ends:
    own = substituted(projection.synapse.equations)
    foreign: dict[str, str] = {}
    for end in ("pre", "post"):
        theirs = stepped.get(getattr(projection, end), {})
        read = {name for right in own.values() for name in _names(right)}
        foreign |= {f"{name}_{end}": renamed(right, end) for name, right in theirs.items() if f"{name}_{end}" in read}
    read = {name for right in (*own.values(), *foreign.values()) for name in _names(right)}
    read |= {f"{name}_{end}" for end in ("pre", "post") for r in stepped.get(getattr(projection, end), {}).values() for name in _names(r)}
    noise = {n for right in own.values() for n in _names(right) if n == "xi" or n.startswith("xi_")}
    sums = {n: e for n, e in projection.synapse.sums.items() if n in read}
    every = dict(b2.Equations(projection.synapse.equations).get_substituted_expressions(include_subexpressions=True))
    summed = {n: every[n].code for n in sums}
    made = parts_of_sums(projection.name, {**own, **foreign}, noise, summed)
    unit = {**projection.synapse.states, **{n: e.unit for n, e in sums.items()}}
    added = {beside(n, "begin"): (part.begin, unit[n]) for n, part in made.items()}
    added |= {beside(n, "pace"): (part.pace, f"{unit[n]}/second") for n, part in made.items()}
    return Ends(
        foreign=foreign,
        sums=summed,
        beside=added,
        away={away(part.relaxing): unit[part.relaxing] for part in made.values()},
        alike={end: frozenset().union(*(p.alike for n, p in made.items() if n.endswith(f"_{end}"))) for end in ("pre", "post")},
    )


def _names(expression: str) -> set[str]:
    return {node.id for node in ast.walk(ast.parse(expression.strip(), mode="eval")) if isinstance(node, ast.Name)}


class _Renamed(ast.NodeTransformer):
    def __init__(self, end: str) -> None:
        self.end = end

    def visit_Name(self, node: ast.Name) -> ast.Name:
        own = node.id in FUNCTIONS or node.id in _CONSTANTS
        return node if own else ast.Name(id=f"{node.id}_{self.end}", ctx=node.ctx)


def renamed(expression: str, end: str) -> str:
    """An expression of a neuron in the names of a synapse: ``p`` is ``p_post``."""
    return ast.unparse(_Renamed(end).visit(ast.parse(expression.strip(), mode="eval")))
