"""The exact step from one event to the next, derived from a synapse's own equations.

Between events nothing arrives, so a decaying variable (calcium) is a known exponential, the thresholds it crosses split the step into
pieces of known length, and within a piece every other variable is affine with constant coefficients. `flow` finds that structure in the
equations and writes it as statements in Brian2's abstract code, which both engines read. What it cannot solve exactly it refuses by name.

The lengths of the pieces are expressions of the parameters, not precomputed numbers: the gradient of the crossing times is right.
"""

import ast
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import sympy as sp
from sympy.printing.str import StrPrinter

from bioneuro import text

TINY = "1e-300"


class FlowError(ValueError):
    """The equations have a term that event stepping cannot solve exactly."""


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """A step function of a decaying variable: ``int(variable >= level)``, as the symbol `flag` in the equations."""

    variable: str
    level: sp.Expr
    flag: sp.Symbol


@dataclass(frozen=True, kw_only=True)
class Rate:
    """dx/dt = forcing + growth*x + sum(forced[y]*y) + sqrt(power)*noise, with y decaying variables."""

    growth: sp.Expr
    forcing: sp.Expr
    forced: Mapping[str, sp.Expr]
    power: sp.Expr
    noises: tuple[str, ...]


def flow(
    place: str,
    differential: Mapping[str, str],
    noise: Mapping[str, str],
    *,
    length: str,
    moments: bool = False,
    varying: Callable[[set[str]], bool] = bool,
) -> str:
    """Statements that advance every variable by ``_h`` seconds.

    Arguments:
        place: name of the object, for messages.
        differential: variable -> right-hand side with subexpressions substituted, in SI.
        noise: noise symbol ("xi", "xi_1") -> the text of its standard normal draw.
        length: the text of the seconds in this step.
        varying: whether an expression of these parameters differs between elements.
        moments: carry mean and variance instead of drawing: variable x gains a partner ``x_variance``.

    Raises:
        FlowError: naming the variable and the term that has no exact solution.
    """
    thresholds, rates = list[Threshold](), dict[str, Rate]()
    for name, right in sorted(differential.items()):  # Brian2 gives them in another order in every process
        try:
            rates[name] = _rate(place, name, right, set(differential), set(noise), thresholds)
        except FlowError as error:
            raise FlowError(f"{place}: d{name}/dt cannot be stepped from event to event: {error}; use stepping=clock(...)") from None
    decaying = {n: -r.growth for n, r in rates.items() if not r.forced and r.forcing == 0 and not _flags(r) and r.power == 0}
    for name, r in rates.items():
        for source in r.forced:
            if source not in decaying:
                raise FlowError(f"{place}: d{name}/dt depends on {source!r}, which does not decay exponentially; use stepping=clock(...)")
    for t in thresholds:
        if t.variable not in decaying:
            raise FlowError(f"{place}: the threshold on {t.variable!r} needs d{t.variable}/dt = -{t.variable}/tau; use stepping=clock(...)")
        if not _positive(decaying[t.variable]) or not _positive(t.level):
            raise FlowError(
                f"{place}: the threshold {t.level} on {t.variable!r}, which decays at the rate {decaying[t.variable]}: both must be positive "
                "for positive parameters; rewrite them so, or use stepping=clock(...)"
            )
    for a, b in itertools.combinations(rates, 2):
        if shared := set(rates[a].noises) & set(rates[b].noises):
            raise FlowError(f"{place}: {a!r} and {b!r} share the noise {sorted(shared)}; give each its own, such as xi_{a} and xi_{b}")
    out = _Text(decaying=decaying, thresholds=thresholds, moments=moments, noisy={n for n, r in rates.items() if r.power != 0})
    out.lines.append(f"_h = {length}")
    _write(out, rates, noise)
    return out.whole(varying)


def _positive(expression: sp.Expr) -> bool:
    """Whether an expression is positive wherever its symbols are."""
    return bool(expression.subs({s: sp.Symbol(str(s), positive=True) for s in expression.free_symbols}).is_positive)


def _flags(rate: Rate) -> set[sp.Symbol]:
    found = set().union(*(e.free_symbols for e in (rate.growth, rate.forcing, rate.power, *rate.forced.values())))
    return {s for s in found if str(s).startswith("_above_")}


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
        if not (isinstance(left, ast.Name) and left.id in self.states and isinstance(op, ast.GtE | ast.Gt)):
            raise FlowError(f"{ast.unparse(node)!r} does not have the form int(variable >= level)")
        level = symbolic(right)
        if {str(s) for s in level.free_symbols} & self.states:
            raise FlowError(f"the level in {ast.unparse(node)!r} changes during the step")
        for known in self.thresholds:
            if known.variable == left.id and known.level == level:
                return ast.Name(id=str(known.flag), ctx=ast.Load())
        flag = sp.Symbol(f"_above_{len(self.thresholds) + 1}", real=True)
        self.thresholds.append(Threshold(variable=left.id, level=level, flag=flag))
        return ast.Name(id=str(flag), ctx=ast.Load())


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


def _rate(place: str, name: str, right: str, states: set[str], noise: set[str], thresholds: list[Threshold]) -> Rate:
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
    growth, rest = whole.coeff(x, 1), whole.coeff(x, 0)
    unexplained = sp.expand(whole - growth * x - rest)
    if unexplained != 0 or {str(s) for s in growth.free_symbols} & states:
        bad = unexplained if unexplained != 0 else growth * x
        raise FlowError(f"the term {bad} is neither constant nor proportional to {name} between events")
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
    return Rate(growth=sp.factor(growth), forcing=sp.factor(rest), forced=forced, power=sp.factor(power), noises=noises)


@dataclass
class _Text:
    """The text in the making: constants of the step first (Brian2 computes those of shared parameters once), then the lines."""

    decaying: Mapping[str, sp.Expr]
    thresholds: list[Threshold]
    moments: bool
    noisy: set[str]
    constants: dict[str, sp.Expr] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)

    def value(self, name: str, expression: sp.Expr) -> str:
        """Text for an expression: itself if it changes within the step or is a single symbol, else a constant of that name."""
        if expression.is_Symbol or expression.is_Number:
            return _str(expression)
        if any(str(s).startswith("_above_") for s in expression.free_symbols):
            return f"({_str(expression)})"
        self.constants[name] = expression
        return name

    def whole(self, varying: Callable[[set[str]], bool]) -> str:
        """All lines, the constants common to all elements before those that differ."""
        order = sorted(self.constants, key=lambda n: varying({str(s) for s in self.constants[n].free_symbols}))
        return "\n".join([f"{n} = {_str(self.constants[n])}" for n in order] + self.lines) + "\n"


def _write(out: _Text, rates: Mapping[str, Rate], noise: Mapping[str, str]) -> None:
    split = {n: r for n, r in rates.items() if _flags(r)}
    whole = {n: r for n, r in rates.items() if n not in split and n not in out.decaying}
    last = 0
    if split:
        _cuts(out)
        sources = sorted({y for r in split.values() for y in r.forced})
        out.lines += [f"_at_{y}_1 = {y}" for y in sources]
        for piece in range(1, len(out.thresholds) + 2):
            last = _piece(out, piece, last, split, sources)
    for name, rate in whole.items():
        _advance(out, name, rate, 1, 0, "_h", {y: y for y in rate.forced})
        _finish(out, name, rate, 1, noise)
    for name, rate in split.items():
        _finish(out, name, rate, last, noise)
    for n, rate in out.decaying.items():
        out.lines.append(f"{n} = {n}*exp({out.value(f'_growth_{n}', -rate)}*_h)")


def _cuts(out: _Text) -> None:
    """Crossing times, and the ends of the pieces: the crossing times in increasing order."""
    for k, t in enumerate(out.thresholds, 1):
        lifetime = out.value(f"_lifetime_{t.variable}", 1 / out.decaying[t.variable])
        level = out.value(f"_level_{k}", t.level)
        out.lines.append(f"_cut_{k} = clip(log(clip({t.variable}, {TINY}, inf)/{level})*{lifetime}, 0, _h)")
    ends = [f"_cut_{k}" for k in range(1, len(out.thresholds) + 1)]
    # A sorting network of minima and maxima keeps each end differentiable in the crossing that makes it.
    for i, j in itertools.combinations(range(len(ends)), 2):
        low, high = f"_low_{i + 1}_{j + 1}", f"_high_{i + 1}_{j + 1}"
        out.lines += [f"{low} = clip({ends[i]}, 0, {ends[j]})", f"{high} = clip({ends[i]}, {ends[j]}, inf)"]
        ends[i], ends[j] = low, high
    out.lines += [f"_end_{k} = {e}" for k, e in enumerate(ends, 1)]


def _piece(out: _Text, piece: int, before: int, rates: Mapping[str, Rate], sources: list[str]) -> int:
    """Advance the split variables through one piece; in the first all thresholds are exceeded, in the last none is.

    Returns the number of the last piece in which something changed.
    """
    count = len(out.thresholds)
    if piece == 1:
        known = {t.flag: sp.Integer(1) for t in out.thresholds}
    elif piece == count + 1:
        known = {t.flag: sp.Integer(0) for t in out.thresholds}
    else:
        known = {t.flag: sp.Symbol(f"_above_{k}_{piece}", real=True) for k, t in enumerate(out.thresholds, 1)}
    here = {n: _substituted(r, known) for n, r in rates.items()}
    if piece == count + 1 and all(r.growth == 0 and r.forcing == 0 and not r.forced and r.power == 0 for r in here.values()):
        return before
    begin, end, length = f"_end_{piece - 1}", f"_end_{piece}" if piece <= count else "_h", f"_length_{piece}"
    out.lines.append(f"{length} = {end} - {begin}" if piece > 1 else f"{length} = {end}")
    if 1 < piece <= count:
        out.lines += [f"_above_{k}_{piece} = int(_cut_{k} >= _end_{piece})" for k in range(1, count + 1)]
    for name, rate in here.items():
        _advance(out, name, rate, piece, before, length, {y: f"_at_{y}_{piece}" for y in sources})
    for y in sources:
        rate_y = out.value(f"_growth_{y}", -out.decaying[y])
        out.lines.append(f"_at_{y}_{piece + 1} = _at_{y}_{piece}*exp({rate_y}*{length})")
    return piece


def _substituted(rate: Rate, known: Mapping[sp.Symbol, sp.Expr]) -> Rate:
    return Rate(
        growth=rate.growth.subs(known),
        forcing=rate.forcing.subs(known),
        forced={y: e.subs(known) for y, e in rate.forced.items() if e.subs(known) != 0},
        power=rate.power.subs(known),
        noises=rate.noises,
    )


def _advance(out: _Text, name: str, rate: Rate, piece: int, before: int, length: str, at: Mapping[str, str]) -> None:
    """x <- x*gain + forcing*h*exprel(growth*h) + the response to each decaying source; the variance gained likewise."""
    tag = f"{name}_{piece}"
    mean, gain, variance = f"_mean_{tag}", f"_gain_{tag}", f"_variance_{tag}"
    still = rate.growth == 0
    if not still:
        # One exponential per piece: gain = exp(g*h) and the integral of its square follow from exprel(g*h).
        out.lines += [
            f"_exponent_{tag} = {out.value(f'_growth_{tag}', rate.growth)}*{length}",
            f"_relative_{tag} = exprel(_exponent_{tag})",
            f"{gain} = 1 + _exponent_{tag}*_relative_{tag}",
        ]
    start = f"_mean_{name}_{before}" if before else name
    terms = [start if still else f"{start}*{gain}"]
    if rate.forcing != 0:
        terms.append(f"{out.value(f'_forcing_{tag}', rate.forcing)}*{length}" + ("" if still else f"*_relative_{tag}"))
    for y, strength in rate.forced.items():
        # Both exponents are at most zero where the variable decays, so that long gaps neither overflow nor divide by zero.
        fast = f"abs({out.value(f'_sum_{tag}_{y}', rate.growth + out.decaying[y])})"
        slow = f"0.5*({out.value(f'_difference_{tag}_{y}', out.decaying[y] - rate.growth)} - {fast})"
        strong = out.value(f"_strength_{tag}_{y}", strength)
        terms.append(f"{strong}*{at[y]}*exp(-{slow}*{length})*{length}*exprel(-{fast}*{length})")
    out.lines.append(f"{mean} = " + " + ".join(terms))
    if name in out.noisy:
        kept = f"_variance_{name}_{before}" + ("" if still else f"*{gain}**2") if before else ""
        gained = ""
        if rate.power != 0:
            gained = f"{out.value(f'_power_{tag}', rate.power)}*{length}" + ("" if still else f"*_relative_{tag}*0.5*(1 + {gain})")
        out.lines.append(f"{variance} = " + (" + ".join(part for part in (kept, gained) if part) or "0*_h"))
    if out.moments:
        total = f"_total_{name}_{before}" if before else "1"
        out.lines.append(f"_total_{tag} = {total}" + ("" if still else f"*{gain}"))


def _finish(out: _Text, name: str, rate: Rate, piece: int, noise: Mapping[str, str]) -> None:
    mean, variance = f"_mean_{name}_{piece}", f"_variance_{name}_{piece}"
    if rate.power == 0:
        out.lines.append(f"{name} = {mean}")
    elif out.moments:
        partner = f"{name}_variance"
        out.lines += [f"{partner} = {partner}*_total_{name}_{piece}**2 + {variance}", f"{name} = {mean}"]
    else:
        # Independent white noises of one variable add up to one of their summed power.
        out.lines.append(f"{name} = {mean} + sqrt({variance})*{noise[rate.noises[0]]}")


class _Printer(StrPrinter):
    """Brian2's abstract code: every digit of a number, and no name that only sympy knows."""

    def _print_Float(self, expr: sp.Float) -> str:
        return repr(float(expr))

    def _print_Exp1(self, expr: sp.Expr) -> str:
        return "exp(1)"

    def _print_Abs(self, expr: sp.Expr) -> str:
        return f"abs({self._print(expr.args[0])})"


def _str(expression: sp.Expr) -> str:
    return str(_Printer().doprint(expression))
