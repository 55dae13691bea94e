"""What a neuron's equations say, read as leaky and plain integrators: tau dx/dt = leak - x + sum of r*y, or dx/dt = sum of r*y.

Coefficients are derived from the equations, whatever the names: dv/dt = (g_L*(E_L - v) + I)/C has tau = C/g_L, leak E_L and r = 1/g_L.
They stay symbols until the numbers are put in, so that a number that stands in the equations comes out as it is.
"""

import ast
from collections.abc import Mapping, Set
from dataclasses import dataclass

import numpy as np
import sympy as sp

from bioneuro import text
from bioneuro.equations import Equation, equations_of
from bioneuro.exchange.nir_file import Floats, refuse
from bioneuro.flow import FlowError, symbolic
from bioneuro.model import Neuron

_FUNCTIONS = {sp.exp: np.exp, sp.log: np.log, sp.sin: np.sin, sp.cos: np.cos, sp.tanh: np.tanh, sp.Abs: np.abs}
_TIMES = {"t", "dt", "t_in_timesteps", "lastspike", "not_refractory"}
CONSTANTS: Mapping[str, Floats] = {"pi": np.asarray(np.pi), "e": np.asarray(np.e)}


@dataclass(frozen=True, kw_only=True, eq=False)
class Integrator:
    """One state variable.

    Attributes:
        unit: as in the equations.
        tau: seconds, or None for no leak. leak: where it rests. start: its initial value.
        inputs: name of another state or of the injected current -> r. All are one number or one per unit.
    """

    unit: str
    tau: Floats | None
    leak: Floats
    start: Floats
    inputs: Mapping[str, Floats]


@dataclass(frozen=True, kw_only=True, eq=False)
class Cell:
    """A neuron as integrators, of which `root` has the threshold, or is what the others feed.

    Attributes:
        driven: the name of the injected current, or "".
        threshold, reset: values of the root, or None for a neuron that never fires.
    """

    root: str
    parts: Mapping[str, Integrator]
    driven: str
    threshold: Floats | None
    reset: Floats | None


def cell(place: str, neuron: Neuron, written: Set[str], *, currents: bool) -> Cell:
    """The neuron of the population called `place` as integrators.

    Arguments:
        written: states that arriving spikes add to. currents: keep the injected current; otherwise it stays at its initial value.

    Errors:
        NirError: the neuron has something that NIR cannot say, named.
    """
    values: dict[str, Floats] = {**CONSTANTS, **{name: p.value for name, p in neuron.parameters.items()}}
    start = {name: neuron.initial[name].value if name in neuron.initial else np.zeros(()) for name in neuron.states}
    rates = right_sides(equations_of(neuron.equations), place, "differential")
    condition = _condition(neuron, place)
    seen = {str(s) for s in condition.free_symbols} | set(written)
    driven = neuron.input if neuron.input and currents else ""
    if driven in written:
        why = "in NIR these are two signals"
        refuse("current", f"{place}.{driven}", "it is injected and spikes add to it", why, "give spikes a variable of their own")
    for name in neuron.plain:
        if name in seen and name != driven:
            rates[name] = sp.Integer(0)
        elif name != driven:
            values[name] = start[name]
    if driven and np.any(start[driven] != 0):
        why = "an injected current comes from an Input node, which has no initial value"
        refuse("current", f"{place}.{driven}", f"its initial value {start[driven]}", why, "set it to 0, or write with currents=False")
    still = _zeros(rates, start, written, {str(s) for s in condition.free_symbols})
    rates = {name: rate.subs(dict.fromkeys(map(_symbol, still), 0)) for name, rate in rates.items() if name not in still}
    root = _root(rates, condition, place, fires=bool(neuron.threshold))
    parts = {
        name: _integrator(name, rate, set(rates), driven, values, neuron.states[name], start[name], place) for name, rate in rates.items()
    }
    _check_flow(root, parts, place, fires=bool(neuron.threshold))
    threshold = _threshold(neuron, condition, root, set(rates), values, place) if neuron.threshold else None
    reset = _reset(neuron, root, values, place) if neuron.threshold else None
    _refuse_extras(neuron, place)
    used = driven if any(driven in part.inputs for part in parts.values()) else ""
    return Cell(root=root, parts=parts, driven=used, threshold=threshold, reset=reset)


def _symbol(name: str) -> sp.Symbol:
    return sp.Symbol(name, real=True)


def _refuse_extras(neuron: Neuron, place: str) -> None:
    if neuron.refractory:
        length = neuron.parameters[neuron.refractory].value if neuron.refractory in neuron.parameters else None
        if length is None or np.any(length != 0):
            shown = f"'{neuron.refractory}'" + (f" = {neuron.parameters[neuron.refractory]}" if length is not None else "")
            remedy = f"set {place}.{neuron.refractory} to 0 with with_values" if length is not None else "leave it out"
            refuse("refractory", f"{place}.refractory", shown, "NIR has no refractory period", remedy)
    momentary = getattr(neuron, "momentary", None)
    if momentary:
        why = "a pulse of one step has no meaning in continuous time"
        refuse("momentary", f"{place}.momentary", repr(momentary), why, "let spikes add to the potential, or to a current that decays")


def right_sides(lines: list[Equation], place: str, kind: str) -> dict[str, sp.Expr]:
    """Variable -> right-hand side of its equations of one kind, subexpressions put in."""
    made: dict[str, dict[str, sp.Expr]] = {"computed": {}, "differential": {}, "plain": {}}
    for e in lines:
        if e.right:
            where = f"{place}.equations, {f'd{e.name}/dt' if e.kind == 'differential' else e.name}"
            if "constant over dt" in e.flags:
                refuse("flag", where, "(constant over dt)", "NIR is in continuous time and knows no step", "leave the flag out")
            made[e.kind][e.name] = read(e.right, where)
    inside = {_symbol(name): expression for name, expression in made["computed"].items()}
    for name, expression in made[kind].items():
        for _ in range(len(inside)):
            if not expression.free_symbols & set(inside):
                break
            expression = expression.subs(inside)
        made[kind][name] = expression
    return made[kind]


def read(expression: str, where: str) -> sp.Expr:
    """A whitelisted expression as sympy; what only a step-by-step simulation or no linear equation can have is refused by name."""
    found = text.names(expression, where)
    if noise := sorted(n for n in found.read if n == "xi" or n.startswith("xi_")):
        refuse("noise", where, repr(noise[0]), "NIR has no noise", "set it to 0 by leaving the term out")
    if times := sorted(_TIMES & found.read):
        refuse("time", where, repr(times[0]), "NIR has no name for time, steps or refractoriness", "write an equation without it")
    try:
        return symbolic(ast.parse(expression.strip(), mode="eval"))
    except FlowError:
        refuse("nonlinear", where, f"'{expression}'", "NIR has linear integrators only", "use a neuron whose equations are linear")


def evaluated(expression: sp.Expr, values: Mapping[str, Floats], where: str) -> Floats:
    """The number, or one per unit, that an expression of parameters has. A quotient is one division, so that it rounds once."""
    if expression.is_Symbol:
        if str(expression) not in values:
            refuse("variable", where, f"{expression}", f"it is no constant; constants: {', '.join(sorted(values))}", "give it a number of its own")
        return values[str(expression)]
    if expression.is_Number or expression.is_NumberSymbol:
        return np.asarray(float(expression))
    if expression.is_Add:
        return np.asarray(sum(evaluated(a, values, where) for a in expression.args))
    if expression.is_Mul:
        above, below = sp.fraction(expression, exact=True)
        if below != 1:
            return np.asarray(evaluated(above, values, where) / evaluated(below, values, where))
        return np.asarray(np.prod(np.broadcast_arrays(*(evaluated(a, values, where) for a in expression.args)), axis=0))
    if expression.is_Pow:
        base, exponent = (evaluated(a, values, where) for a in expression.args)
        return np.asarray(1 / base if exponent == -1 else base**exponent)
    if expression.func in _FUNCTIONS:
        return np.asarray(_FUNCTIONS[expression.func](evaluated(expression.args[0], values, where)))
    refuse("nonlinear", where, f"{expression}", "a function that is not known here", "put its value into a parameter")


def _zeros(rates: Mapping[str, sp.Expr], start: Mapping[str, Floats], written: Set[str], kept: Set[str]) -> set[str]:
    """States that begin at 0 and that nothing moves, such as a synaptic current without synapses."""
    still = {name for name in rates if name not in written and name not in kept and not np.any(start[name])}
    while moved := {name for name in still if rates[name].subs(dict.fromkeys(map(_symbol, still), 0)) != 0}:
        still -= moved
    return still


def _condition(neuron: Neuron, place: str) -> sp.Expr:
    """What is positive, or zero for "or equal", when the neuron fires; 0 for one that never does."""
    if not neuron.threshold:
        return sp.Integer(0)
    where = f"{place}.threshold"
    tree = ast.parse(neuron.threshold.strip(), mode="eval").body
    if not isinstance(tree, ast.Compare) or not isinstance(tree.ops[0], ast.Gt | ast.GtE | ast.Lt | ast.LtE):
        refuse("threshold", where, f"'{neuron.threshold}'", "a NIR neuron fires when its potential is above a number", "write one such as 'v > V_th'")
    left, right = (read(ast.unparse(side), where) for side in (tree.left, tree.comparators[0]))
    computed = {_symbol(n): x for n, x in right_sides(equations_of(neuron.equations), place, "computed").items()}
    excess = left - right if isinstance(tree.ops[0], ast.Gt | ast.GtE) else right - left
    for _ in computed:
        excess = excess.subs(computed)
    return excess


def _root(rates: Mapping[str, sp.Expr], condition: sp.Expr, place: str, *, fires: bool) -> str:
    mine = sorted({str(s) for s in condition.free_symbols} & set(rates))
    if fires and len(mine) != 1:
        what = f"it compares {', '.join(mine) or 'no variable'}"
        refuse("threshold", f"{place}.threshold", what, "the threshold of a NIR neuron is a number", "compare one variable with a parameter")
    if fires:
        return mine[0]
    read_by_others = {str(s) for name, rate in rates.items() for s in rate.free_symbols if str(s) != name}
    last = sorted(set(rates) - read_by_others)
    if len(last) != 1:
        what = f"the variables {', '.join(sorted(rates)) or 'none'}"
        refuse("variable", f"{place}.equations", what, "a NIR node has one output", "keep one variable that the others feed")
    return last[0]


def _integrator(
    name: str, rate: sp.Expr, states: set[str], driven: str, values: Mapping[str, Floats], unit: str, start: Floats, place: str
) -> Integrator:
    where = f"{place}.equations, d{name}/dt"
    signals = {_symbol(n) for n in states | ({driven} if driven else set())}
    slopes = {str(s): sp.diff(rate, s) for s in sorted(signals & rate.free_symbols, key=str)}
    if any(slope.free_symbols & signals for slope in slopes.values()):
        terms = sp.Add.make_args(sp.expand(rate) if sp.count_ops(rate) < 200 else rate)
        worst = [term for term in terms if any(sp.diff(term, s).free_symbols & signals for s in signals)]
        shown = f"the term {worst[0]}" if worst else f"{rate}"
        remedy = "use a neuron whose synapses are currents and whose equations are linear"
        refuse("nonlinear", where, shown, "NIR has linear integrators only, no conductances and no spike initiation", remedy)
    rest = rate.subs(dict.fromkeys(signals, 0))
    own = slopes.pop(name, sp.Integer(0))
    if own == 0:
        if rest != 0 and np.any(evaluated(rest, values, where)):
            refuse("drift", where, f"the constant {rest}", "an integrator without leak has no constant drive in NIR", "impose it as a current")
        inputs = {n: evaluated(slope, values, where) for n, slope in slopes.items()}
        return Integrator(unit=unit, tau=None, leak=np.zeros(()), start=start, inputs=inputs)
    tau = evaluated(-1 / own, values, where)
    if not np.all(np.isfinite(tau)) or np.any(tau <= 0):
        refuse("value", where, f"a time constant of {np.min(tau):g} s", "it must be positive", "correct the parameters")
    leak = evaluated(-rest / own, values, where) if rest != 0 else np.zeros(())
    return Integrator(unit=unit, tau=tau, leak=leak, start=start, inputs={n: evaluated(-s / own, values, where) for n, s in slopes.items()})


def _check_flow(root: str, parts: Mapping[str, Integrator], place: str, *, fires: bool) -> None:
    for name, part in parts.items():
        if root in part.inputs and name != root:
            why = "a NIR neuron sends spikes, and nothing can follow its potential" if fires else "a loop of integrators has no output"
            refuse("adaptation" if fires else "loop", f"{place}.equations, d{name}/dt", f"it follows {root}", why, f"leave {name} out")
    reached, open_ = set[str](), [root]
    while open_:
        name = open_.pop()
        if name in parts and name not in reached:
            reached.add(name)
            open_ += parts[name].inputs
    if apart := sorted(set(parts) - reached):
        what = f"{apart[0]} does not reach {root}"
        refuse("variable", f"{place}.equations", what, "NIR nodes are on the way to an output", f"leave {apart[0]} out")


def _threshold(neuron: Neuron, excess: sp.Expr, root: str, states: set[str], values: Mapping[str, Floats], place: str) -> Floats:
    where, v = f"{place}.threshold", _symbol(root)
    slope = sp.diff(excess, v)
    rest = excess.subs({v: 0})
    if slope.free_symbols & {_symbol(n) for n in states} or np.any(evaluated(slope, values, where) <= 0):
        refuse("threshold", where, f"'{neuron.threshold}'", f"a NIR neuron fires when {root} is above a number", f"write it as '{root} > V_th'")
    level = evaluated(-rest / slope, values, where)
    equal = isinstance(ast.parse(neuron.threshold.strip(), mode="eval").body.ops[0], ast.GtE | ast.LtE)  # type: ignore[attr-defined]
    return np.asarray(np.nextafter(level, -np.inf)) if equal else level  # x >= level is x > the number before it


def _reset(neuron: Neuron, root: str, values: Mapping[str, Floats], place: str) -> Floats:
    where = f"{place}.reset"
    pieces = [piece.strip() for line in neuron.reset.splitlines() for piece in line.split(";") if piece.strip()]
    for piece in pieces:
        node = ast.parse(piece).body[0]
        target = ast.unparse(node.target if isinstance(node, ast.AugAssign) else node.targets[0])  # type: ignore[attr-defined]
        if target != root:
            refuse("adaptation", where, f"'{piece}'", f"a spike of a NIR neuron resets {root} and nothing else", "leave it out")
        if isinstance(node, ast.AugAssign):
            refuse("reset", where, f"'{piece}'", "a NIR neuron is set to v_reset and forgets its overshoot", f"write '{root} = V_r'")
    if len(pieces) != 1:
        refuse("reset", where, f"'{neuron.reset}'", f"a spike of a NIR neuron sets {root} to a number, once", f"write '{root} = V_r'")
    return evaluated(read(pieces[0].partition("=")[2], where), values, where)
