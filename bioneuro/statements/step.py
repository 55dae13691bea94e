"""The step of one object: Brian2's own integrator on a clock, ours from event to event, every draw made from a counter."""

import ast
import re
from collections.abc import Callable
from typing import Any

from brian2.groups.group import CodeRunner
from brian2.stateupdaters.base import StateUpdateMethod

from bioneuro import noise
from bioneuro.flow import parts, symbolic
from bioneuro.records import ModelError
from bioneuro.statements.ends import Ends

NORMAL, LENGTH, PHASE = "counter_normal", "step_length", "phase"
"""Names, inside equations, of the counter-based normal draw, of the seconds in this event step, and of the course of a parameter."""

IN_SYNAPSE = ("trial_index", "unit_index", "stimulus_index")
IN_NEURON = ("neuron_trial", "neuron_unit", "neuron_stimulus")
"""Names of what says where an element lies: Brian2 allows no name in a synapse that its postsynaptic neuron has."""


def phase_name(owner: str, name: str) -> str:
    """The function that gives a parameter of a placed object over time. No name holds two underscores in a row, so none are alike."""
    return f"{PHASE}__{owner}__{name}"


class Step(StateUpdateMethod):
    """Brian2's own integrator, or `flow` for event runs, with every random draw made from a counter.

    Attributes:
        ends: in an event run, what the step needs of other objects; None on a clock.
        at: the names that say where an element lies.
        varies: whether a name at one of the ends has values of its own for every element.
        moments: let `flow` carry mean and variance instead of drawing.
        slow: the statements that follow the sums over synapses, once the others have been asked for.
    """

    def __init__(
        self,
        place: str,
        method: str,
        *,
        at: tuple[str, str, str],
        ends: Ends | None = None,
        varies: Callable[[str], bool] = bool,
        moments: bool = False,
    ) -> None:
        self.place, self.method, self.at, self.ends, self.varies, self.moments = place, method, at, ends, varies, moments
        self.slow = ""

    def draw(self, symbol: str) -> str:
        """The text of one standard normal draw for the noise called `symbol`."""
        return f"{NORMAL}({noise.stream(f'{self.place}.{symbol}')}, {self.at[0]}, {self.at[1]}, t_in_timesteps)"

    def __call__(self, equations: Any, variables: Any = None, method_options: Any = None) -> str:
        if self.ends is not None:
            return self._flow(equations, variables, self.ends)
        try:
            code = str(StateUpdateMethod.stateupdaters[self.method](equations, variables, method_options))
        except Exception as error:  # of Brian2, or of sympy, which fails in ways of its own
            said = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            raise ModelError(
                f"{self.place}: the integrator {self.method!r} does not take its equations ({said}); try another, such as 'euler'"
            ) from error
        code = "\n".join(_without_vanishing(line) for line in code.splitlines())
        return re.sub(r"^(xi\w*)( = .*)randn\(\)", lambda m: f"{m[1]}{m[2]}{self.draw(m[1])}", code, flags=re.MULTILINE)

    def _flow(self, equations: Any, variables: Any, needs: Ends) -> str:
        substituted = dict(equations.get_substituted_expressions(variables))
        differential = {name: str(substituted[name].code) for name in equations.diff_eq_names}
        draws = {str(symbol): self.draw(str(symbol)) for symbol in equations.stochastic_variables}
        fast, slow = parts(
            self.place,
            {**differential, **needs.foreign},
            draws,
            length=f"{LENGTH}(t_in_timesteps, {self.at[2]})",
            moments=self.moments,
            varying=lambda names: any(not variables[n].scalar if n in variables else self.varies(n) for n in names),
            foreign=frozenset(needs.foreign),
            sums=needs.sums,
        )
        # Where a synapse adds to a sum, what hangs on the sum waits for it; a neuron comes after the sums anyway.
        self.slow = slow if needs.beside else ""
        return fast if needs.beside else fast + slow


class Later(CodeRunner):
    """Statements run on every element of a group, at a place in the order of its own."""

    def __init__(self, group: Any, name: str, order: int, code: Callable[[Any], str]) -> None:
        super().__init__(group, "stateupdate", clock=group.clock, when="groups", order=order, name=name, check_units=False, generate_empty_code=False)
        self.text = code

    def update_abstract_code(self, run_namespace: Any) -> None:
        self.abstract_code = self.text(run_namespace)


def then(group: Any, name: str, order: int, code: Callable[[Any], str]) -> None:
    """Let statements run on every element of a group, at a place in the order of its slot."""
    group.contained_objects.append(Later(group, name, order, code))


def _without_vanishing(statement: str) -> str:
    """A statement that divides by the refractory flag, with the flag set to 1.

    Brian2 does not write the result while the flag is 0, but Cython stops at the division and torch makes its slope NaN.
    """
    for node in ast.walk(ast.parse(statement)):
        below = None
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            below = node.right
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow) and isinstance(node.right, ast.UnaryOp):
            below = node.left
        if below is not None and "not_refractory" in ast.unparse(below):
            at_zero = ast.parse(ast.unparse(below).replace("int(not_refractory)", "0"), mode="eval")
            if symbolic(at_zero).expand() == 0:
                return statement.replace("int(not_refractory)", "1")
    return statement
