"""A learning rule as sums of terms that integers can compute: `read`. Text in, text out; no engine.

On BrainScaleS-2 what spikes feed and what decays is analog. The plasticity processor samples it and advances every other variable in
integers. So a right-hand side is taken apart into products of a coefficient, of differences of one variable and a level, and of thresholds
that are open or shut (`bioneuro/bss2/products.py`).
"""

import ast
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from bioneuro.bss2.algebra import added, compact, folded, sign
from bioneuro.bss2.products import ConstrainError, Gate, Level, Product, Scope, gate_of, inside, names, products, refused, right_side, vetted, written
from bioneuro.dynamics import Synapse, read_from_ends
from bioneuro.equations import equations_of

__all__ = ["Change", "ConstrainError", "Gate", "Level", "Noise", "Reading", "Sensed", "Slow", "Term", "read"]

_STATEMENT = re.compile(r"(\w+)\s*(\*\*|//|[-+*/%])?=(.*)", re.ASCII)
_MOST_GATES, _MOST_TRACES = 3, 1  # of a noise; in one product of what a spike changes


@dataclass(frozen=True, kw_only=True)
class Term:
    """coefficient * product of levels * product of gates; `coefficient` is an expression in parameters, its sign included."""

    coefficient: str
    levels: tuple[Level, ...]
    gates: tuple[Gate, ...]


@dataclass(frozen=True, kw_only=True)
class Noise:
    """amplitude*symbol; `amplitudes` has 2**len(gates) expressions, entry k for the gates given by the bits of k, gate 0 the lowest."""

    symbol: str
    gates: tuple[Gate, ...]
    amplitudes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Slow:
    """One digital variable: dx/dt = sum of terms + noises, x in `unit`."""

    name: str
    unit: str
    terms: tuple[Term, ...]
    noises: tuple[Noise, ...]


@dataclass(frozen=True, kw_only=True)
class Change:
    """What a spike of pathway number `pathway` adds: coefficient*what, `what` an analog variable as it is before the spike, or "1"."""

    pathway: int
    coefficient: str
    what: str


@dataclass(frozen=True, kw_only=True)
class Sensed:
    """A digital variable that spikes change: x = clip(x + sum of the changes of one pathway, low, high); "" and "" for no bounds."""

    name: str
    unit: str
    low: str
    high: str
    changes: tuple[Change, ...]


@dataclass(frozen=True, kw_only=True)
class Reading:
    """A synapse split in two: `analog` variables keep their equations and statements, the others are computed."""

    analog: tuple[str, ...]
    slow: tuple[Slow, ...]
    sensed: tuple[Sensed, ...]


@dataclass(frozen=True)
class _Statement:
    pathway: int
    name: str
    operator: str
    right: ast.expr
    before: frozenset[str]  # what the same spike has changed already


def read(synapse: Synapse) -> Reading:
    """Split a learning rule into analog variables and digital ones, the latter as sums of terms.

    Analog is what spikes change and what decays by ``dx/dt = -x/tau`` alone, its rate an expression of parameters. Other variables with an
    equation are `Slow`, those without one that spikes change are `Sensed`. A bracket that differs from one variable by parameters is a
    `Level`, if its slope cannot vanish within the bounds of the parameters; any other one is multiplied out.

    Raises:
        ConstrainError: variables of neurons, sums over synapses, the time, functions of variables, conditions other than comparisons with
            a level, noise times a variable, changes by spikes that depend on digital variables or on a product of traces.
    """
    _check_alone(synapse)
    lines = equations_of(synapse.equations)
    computed = {e.name: e.right for e in lines if e.kind == "computed"}
    states = frozenset(e.name for e in lines if e.kind != "computed")
    nonzero = frozenset(name for name, p in synapse.parameters.items() if p.low > 0)
    scopes = {name: Scope(place=f"{synapse.name}.{name}", states=states, nonzero=nonzero) for name in states}
    statements = list(_statements(synapse, computed, scopes))
    changed = {s.name for s in statements}
    analog, slow = [], []
    for e in (e for e in lines if e.kind == "differential"):
        found = right_side(e.right, computed, scopes[e.name])
        if e.name not in changed:
            slow.append(_slow(e.name, e.unit, found, scopes[e.name], synapse.parameters))
        elif _decays(e.name, found, synapse.parameters):
            analog.append(e.name)
        else:
            got = f"spikes change it, while its equation is d{e.name}/dt = {e.right}"
            raise refused(scopes[e.name], got, f"d{e.name}/dt = -{e.name}/tau where spikes change {e.name}", "keep spikes out, or let it decay to 0")
    _check_fed(statements, scopes, analog)
    plain = [(e.name, e.unit) for e in lines if e.kind == "plain"]
    return Reading(analog=tuple(analog), slow=tuple(slow), sensed=tuple(_sensed(n, u, statements, scopes[n], analog) for n, u in plain))


def _check_alone(synapse: Synapse) -> None:
    """Refuse what joins a synapse to neurons or other synapses, and a rule that already is a program."""
    whole = Scope(place=synapse.name, states=frozenset(), nonzero=frozenset())
    own = "variables and parameters of the synapse itself"
    if synapse.every is not None:
        raise refused(whole, "it has periodic code", "equations and pathways only", "give the rule as it was before it got a processor")
    if synapse.sums:
        raise refused(whole, f"it sums over synapses ({', '.join(synapse.sums)})", own, "use a form of the rule with one synapse per neuron")
    if ends := sorted(read_from_ends(synapse)):
        raise refused(whole, f"it uses {', '.join(ends)} of the neurons at its ends", own, "keep transmission and voltages out of the rule")


def _statements(synapse: Synapse, computed: Mapping[str, str], scopes: Mapping[str, Scope]) -> Iterator[_Statement]:
    """What spikes do, pathway by pathway; the code has passed the whitelist."""
    for k, pathway in enumerate(synapse.pathways):
        before: set[str] = set()
        for piece in re.split(r"[;\n]", pathway.code):
            if match := _STATEMENT.fullmatch(piece.strip()):
                name, operator, right = match.groups()
                yield _Statement(k, name, operator or "", vetted(right, computed, scopes[name]), frozenset(before))
                before.add(name)


def _decays(name: str, found: Sequence[Product], parameters: Collection[str]) -> bool:
    """Whether a right-hand side is -rate*name and nothing else; for its direction every parameter counts as positive."""
    alone = (Level(variable=name, sign=1, level="0"),)
    return bool(found) and all(
        p.levels == alone and not p.gates and not p.noise and sign(p.coefficient, frozenset(parameters)) < 0 for p in found
    )


def _slow(name: str, unit: str, found: Sequence[Product], scope: Scope, parameters: Collection[str]) -> Slow:
    """A digital variable with an equation."""
    terms = tuple(Term(coefficient=written(p.coefficient, scope), levels=p.levels, gates=p.gates) for p in found if not p.noise)
    symbols = dict.fromkeys(p.noise for p in found if p.noise)
    noises = tuple(_noise(symbol, [p for p in found if p.noise == symbol], scope, parameters) for symbol in symbols)
    return Slow(name=name, unit=unit, terms=terms, noises=noises)


def _noise(symbol: str, found: Sequence[Product], scope: Scope, parameters: Collection[str]) -> Noise:
    """The amplitude of a noise, worked out for every state of its gates."""
    amplitude: ast.expr = ast.Constant(0)
    for p in found:
        amplitude = added(amplitude, p.coefficient)
    calls = [n for n in _in_order(amplitude) if isinstance(n, ast.Call) and ast.unparse(n.func) == "int" and inside(n, scope)]
    gates = tuple(dict.fromkeys(gate_of(call, scope) for call in calls))
    if len(gates) > _MOST_GATES:
        raise refused(scope, f"the noise {symbol} has {len(gates)} thresholds", f"up to {_MOST_GATES}", "leave some out")

    def known(call: ast.Call, state: int) -> ast.expr | None:
        return ast.Constant(state >> gates.index(gate_of(call, scope)) & 1) if call in calls else None

    amplitudes = []
    for state in range(2 ** len(gates)):
        try:
            value = folded(amplitude, lambda call, state=state: known(call, state))  # type: ignore[misc]
        except ZeroDivisionError:
            value = ast.Name("inf")
        if inside(value, scope):
            raise refused(scope, f"the noise {symbol} is multiplied by {compact(amplitude)}", *_ADDITIVE)
        roots = [n.args[0] for n in ast.walk(value) if isinstance(n, ast.Call) and ast.unparse(n.func) == "sqrt"]
        if "inf" in names(value) or any(sign(root, frozenset(parameters)) < 0 for root in roots):
            got = f"the amplitude {compact(amplitude)} of {symbol} has no value for the thresholds {state:0{len(gates)}b}"
            raise refused(scope, got, "finite real numbers whichever thresholds are exceeded", "keep divisors and roots positive")
        amplitudes.append(written(value, scope))
    return Noise(symbol=symbol, gates=gates, amplitudes=tuple(amplitudes))


_ADDITIVE = ("parameters, and int() of comparisons, times noise", "make the amplitude independent of variables")


def _in_order(node: ast.AST) -> Iterator[ast.AST]:
    """A tree from left to right."""
    yield node
    for child in ast.iter_child_nodes(node):
        yield from _in_order(child)


def _check_fed(statements: Sequence[_Statement], scopes: Mapping[str, Scope], analog: Collection[str]) -> None:
    """Refuse analog variables that spikes change by an amount that digital ones decide."""
    for s in statements:
        digital = sorted(names(s.right) & (set(scopes) - set(analog)))
        if s.name in analog and digital:
            got = f"what a spike adds, {compact(s.right)!r}, depends on the digital {', '.join(digital)}"
            raise refused(scopes[s.name], got, "parameters and analog variables", "use a parameter in its place")


def _sensed(name: str, unit: str, statements: Sequence[_Statement], scope: Scope, analog: Collection[str]) -> Sensed:
    """A digital variable that spikes change."""
    own = [s for s in statements if s.name == name]
    if not own:
        raise refused(scope, "it has no equation and no spike changes it", "an equation, or changes by spikes", "make it a parameter")
    bounds, changes = {}, []
    for s in own:
        low, high, amount = _amount(s, scope)
        bounds[low, high] = s
        changes += _changes(s, amount, scope, analog)
    if len(bounds) > 1:
        shown = " and ".join(f"({low!r}, {high!r})" for low, high in bounds)
        raise refused(scope, f"its bounds differ: {shown}", "the same bounds in all statements", "write one pair of bounds")
    ((low, high),) = bounds
    if (low or high) and len({s.pathway for s in own}) < len(own):
        raise refused(scope, "a spike changes it twice", "one change per pathway where there are bounds", "add the changes up within one clip()")
    return Sensed(name=name, unit=unit, low=low, high=high, changes=tuple(changes))


def _amount(s: _Statement, scope: Scope) -> tuple[str, str, ast.expr]:
    """Bounds, and what a statement adds."""
    allowed = f"{s.name} = clip({s.name} + change, low, high), {s.name} += change, and both with -"
    shown = f"{s.name} {s.operator}= {compact(s.right)}"
    low, high, body = "", "", s.right
    if isinstance(body, ast.Call) and ast.unparse(body.func) == "clip" and not s.operator:
        body, *bounds = body.args
        if any(inside(bound, scope) for bound in bounds):
            raise refused(scope, f"the bounds in {shown!r} depend on variables", allowed, "use parameters as bounds")
        low, high = (written(folded(bound), scope) for bound in bounds)
    if s.operator in ("+", "-"):
        return low, high, ast.UnaryOp(ast.USub(), body) if s.operator == "-" else body
    rest = _without(body, s.name)
    if s.operator or rest is None:
        raise refused(scope, f"{shown!r}", allowed, "write it so")
    return low, high, rest


def _without(node: ast.expr, name: str) -> ast.expr | None:
    """x + rest as rest, or None."""
    match node:
        case ast.Name(id=found) if found == name:
            return ast.Constant(0)
        case ast.BinOp(left=a, op=ast.Add() | ast.Sub() as op, right=b) if (rest := _without(a, name)) is not None:
            return ast.BinOp(rest, op, b)
        case ast.BinOp(left=a, op=ast.Add() as op, right=b) if (rest := _without(b, name)) is not None:
            return ast.BinOp(a, op, rest)
    return None


def _changes(s: _Statement, amount: ast.expr, scope: Scope, analog: Collection[str]) -> list[Change]:
    """The products that a statement adds."""
    allowed = "sums of products of parameters and at most one analog variable"
    digital = sorted(names(amount) & (scope.states - set(analog)))
    if digital:
        got = f"what a spike adds, {compact(folded(amount))!r}, depends on the digital {', '.join(digital)}"
        raise refused(scope, got, allowed, "use a rule with additive changes")
    if early := sorted(names(amount) & s.before):
        got = f"it reads {', '.join(early)}, which the same spike has changed before"
        raise refused(scope, got, "analog variables as they were before the spike", "move the change behind it")
    changes = []
    for p in products(amount, replace(scope, brackets=False), factor=False):
        if p.gates or p.noise or len(p.levels) > _MOST_TRACES:
            what = [lv.variable for lv in p.levels] + ["int(...)" for _ in p.gates]
            got = f"what a spike adds, {compact(folded(amount))!r}, holds a product of {' and '.join(what)}"
            raise refused(scope, got, allowed, "leave that product out")
        changes.append(Change(pathway=s.pathway, coefficient=written(p.coefficient, scope), what=p.levels[0].variable if p.levels else "1"))
    return changes
