"""Reading: a right-hand side as thresholds, an affine part, additive noise, a remainder without closed form, and what drives it."""

import ast
from collections.abc import Mapping
from dataclasses import dataclass

import sympy as sp

from bioneuro import text


class FlowError(ValueError):
    """The equations have a term that event stepping cannot solve, or a step that it cannot take."""


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """A step function of one variable: ``int(excess >= 0)``, as the symbol `flag` in the equations.

    `level` is what the variable itself is compared with, NaN where an expression of it is: ``int(abs(h - h0) >= level)``.
    """

    variable: str
    excess: sp.Expr
    level: sp.Expr
    flag: sp.Symbol


@dataclass(frozen=True, kw_only=True)
class Rate:
    """dx/dt = forcing + growth*x + sum(forced[y]*y) + sqrt(power)*noise + remainder, with y decaying variables.

    With a `driver` y it is dx/dt = y*(forcing + growth*x) and nothing else: x goes by the dose of y, its integral over time.

    The remainder is a function of x and of parameters. Where there is one it holds everything that x does by itself, constant and
    proportional terms included: what is left to the affine part begins and ends with thresholds, forcing variables and noise.
    """

    growth: sp.Expr
    forcing: sp.Expr
    forced: Mapping[str, sp.Expr]
    power: sp.Expr
    noises: tuple[str, ...]
    remainder: sp.Expr
    driver: str = ""

    @property
    def decays(self) -> bool:
        """Whether x does nothing but change in proportion to itself."""
        alone = not self.forced and self.forcing == 0 and self.power == 0 and self.remainder == 0
        return alone and not self.flags and not self.driver

    @property
    def still(self) -> bool:
        """Whether nothing but the remainder acts."""
        return not self.forced and self.forcing == 0 and self.power == 0 and self.growth == 0

    @property
    def flags(self) -> set[sp.Symbol]:
        """Thresholds that something hangs on."""
        return {s for e in (self.growth, self.forcing, self.power, *self.forced.values()) for s in e.free_symbols if is_flag(s)}


def is_flag(symbol: sp.Symbol) -> bool:
    """Whether a symbol stands for ``int(x >= level)``."""
    return str(symbol).startswith("_above_")


class _Steps(ast.NodeTransformer):
    """Replace ``int(x >= level)`` by a symbol and remember it."""

    def __init__(self, states: set[str], thresholds: list[Threshold]) -> None:
        self.states, self.thresholds = states, thresholds

    def visit_Call(self, node: ast.Call) -> ast.expr:
        if not (isinstance(node.func, ast.Name) and node.func.id == "int"):
            return self.generic_visit(node)  # type: ignore[return-value]
        (test,) = node.args
        if not isinstance(test, ast.Compare):
            raise FlowError(f"{ast.unparse(node)!r} is not a comparison of a variable with a level")
        left, right, op = test.left, test.comparators[0], test.ops[0]
        if isinstance(op, ast.LtE | ast.Lt):
            left, right, op = right, left, ast.GtE()
        if not isinstance(op, ast.GtE | ast.Gt):
            raise self._misshaped(node)
        level, excess = symbolic(right), symbolic(left) - symbolic(right)
        inside = {str(s) for s in excess.free_symbols} & self.states
        plain = isinstance(left, ast.Name) and left.id in self.states
        if len(inside) > 1 or (plain and {str(s) for s in level.free_symbols} & self.states):
            raise FlowError(f"the level in {ast.unparse(node)!r} changes during the step")
        if not inside:
            raise self._misshaped(node)
        for known in self.thresholds:
            if known.excess == excess:
                return ast.Name(id=str(known.flag), ctx=ast.Load())
        flag = sp.Symbol(f"_above_{len(self.thresholds) + 1}", real=True)
        self.thresholds.append(Threshold(variable=inside.pop(), excess=excess, level=level if plain else sp.nan, flag=flag))
        return ast.Name(id=str(flag), ctx=ast.Load())

    def _misshaped(self, node: ast.Call) -> FlowError:
        return FlowError(f"{ast.unparse(node)!r} does not have the form int(variable >= level)")


_FUNCTIONS = {"exp": sp.exp, "log": sp.log, "sqrt": sp.sqrt, "sin": sp.sin, "cos": sp.cos, "tanh": sp.tanh, "abs": sp.Abs}


def symbolic(node: ast.AST) -> sp.Expr:
    """A whitelisted expression tree as sympy: built node by node, nothing is evaluated as text."""
    if isinstance(node, ast.Expression):
        return symbolic(node.body)
    if isinstance(node, ast.Constant):
        return sp.Float(node.value) if isinstance(node.value, float) else sp.Integer(node.value)
    if isinstance(node, ast.Name):
        if node.id in ("t", "dt", "t_in_timesteps", "lastspike", "not_refractory", "i", "j"):
            raise FlowError(f"{node.id!r} has no meaning between events")
        return sp.Symbol(node.id, real=True)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -symbolic(node.operand)
    if isinstance(node, ast.BinOp):
        a, b = symbolic(node.left), symbolic(node.right)
        operators = {ast.Add: lambda: a + b, ast.Sub: lambda: a - b, ast.Mult: lambda: a * b, ast.Div: lambda: a / b, ast.Pow: lambda: a**b}
        if type(node.op) in operators:
            return operators[type(node.op)]()
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _FUNCTIONS:
        return _FUNCTIONS[node.func.id](*(symbolic(a) for a in node.args))
    raise FlowError(f"{ast.unparse(node)!r} is not an expression that can be solved exactly")


def parsed(expression: str) -> sp.Expr:
    """A checked text without thresholds as sympy."""
    text.check_expression(expression, "sum")
    return symbolic(ast.parse(expression.strip(), mode="eval"))


def rate_of(place: str, name: str, right: str, states: set[str], noise: set[str], thresholds: list[Threshold]) -> Rate:
    """The right-hand side of one variable; thresholds that are new are appended to `thresholds`.

    Raises:
        FlowError: naming the term that fits no part of a `Rate`.
    """
    text.check_expression(right, f"{place}: d{name}/dt")
    tree = _Steps(states, thresholds).visit(ast.parse(right.strip(), mode="eval"))
    whole = sp.expand(symbolic(tree))
    x = sp.Symbol(name, real=True)
    power: sp.Expr = sp.Integer(0)
    noises = tuple(n for n in sorted(noise) if sp.Symbol(n, real=True) in whole.free_symbols)
    for xi in (sp.Symbol(n, real=True) for n in noise):
        strength = whole.coeff(xi, 1)
        if xi in strength.free_symbols or whole.coeff(xi, 2) != 0:
            raise FlowError(f"the noise {xi} enters non-linearly")
        if {str(s) for s in strength.free_symbols} & states:
            raise FlowError(f"the noise {xi} is multiplied by a state variable: {strength}")
        power += sp.expand(strength**2)
        whole = sp.expand(whole - strength * xi)
    if power == 0 and (driver := _driver(whole, x, states)):
        by_dose = sp.expand(whole / sp.Symbol(driver, real=True))
        growth, forcing = by_dose.coeff(x, 1), by_dose.coeff(x, 0)
        return Rate(growth=sp.factor(growth), forcing=sp.factor(forcing), forced={}, power=power, noises=(), remainder=power, driver=driver)
    whole, remainder = _without_remainder(whole, x, states, alone=power == 0)
    growth, rest = whole.coeff(x, 1), whole.coeff(x, 0)
    if {str(s) for s in growth.free_symbols} & states:
        raise _not_affine(growth * x, name)
    forced = {}
    for other in sorted(states - {name}):
        y = sp.Symbol(other, real=True)
        strength = rest.coeff(y, 1)
        if strength != 0:
            forced[other] = strength
            rest = sp.expand(rest - strength * y)
    left = {str(s) for s in rest.free_symbols.union(*(e.free_symbols for e in forced.values()))} & states
    if left:
        raise FlowError(f"it depends on {', '.join(sorted(left))} non-linearly")
    return Rate(
        growth=sp.factor(growth), forcing=sp.factor(rest), forced=forced, power=sp.factor(power), noises=noises, remainder=sp.factor(remainder)
    )


def _driver(whole: sp.Expr, x: sp.Symbol, states: set[str]) -> str:
    """The variable to which all of a right-hand side is proportional, what is left being affine in x; "" if there is none."""
    if whole.coeff(x, 1) == 0:
        return ""
    for name in sorted(states - {str(x)}):
        rest = sp.expand(whole / sp.Symbol(name, real=True))
        affine = sp.expand(rest - rest.coeff(x, 1) * x - rest.coeff(x, 0)) == 0
        if affine and not {str(s) for s in rest.free_symbols - {x}} & states:
            return name
    return ""


def _without_remainder(whole: sp.Expr, x: sp.Symbol, states: set[str], *, alone: bool) -> tuple[sp.Expr, sp.Expr]:
    """An expanded right-hand side as (what is affine in x, remainder); the remainder is 0 if all of it is affine.

    Refused: terms beyond affine with a threshold or another variable in them, and, if `alone`, a remainder beside which there is nothing
    else. That would be an equation without anything to solve exactly, for which a clock is the method.
    """
    beyond = sp.expand(whole - whole.coeff(x, 1) * x - whole.coeff(x, 0))
    if beyond == 0:
        return whole, beyond
    own = [term for term in sp.Add.make_args(whole) if not any(is_flag(s) or (str(s) in states and s != x) for s in term.free_symbols)]
    affine = sp.expand(whole - sp.Add(*own))
    bad = sp.expand(affine - affine.coeff(x, 1) * x - affine.coeff(x, 0))
    if bad != 0 or (alone and affine == 0):
        raise _not_affine(bad if bad != 0 else beyond, str(x))
    return affine, sp.Add(*own)


def _not_affine(term: sp.Expr, name: str) -> FlowError:
    return FlowError(f"the term {term} is neither constant nor proportional to {name} between events")
