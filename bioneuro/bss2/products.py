"""Right-hand sides as sums of products; brackets stay as they are written: ``gamma_p*(h_max - h)`` is one product, not two."""

import ast
import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bioneuro import dimensions, text
from bioneuro.bss2.algebra import added, compact, divided, folded, minus, multiplied, number, sign, subtracted

_CLOCKED = frozenset(dimensions.PROVIDED) - {"pi", "e", "inf"}
_FUNCTIONS = ("clip", "abs", "int", "sqrt", "exp")
_OPERATORS = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow, ast.USub, ast.UAdd)
_MOST_TERMS = 64
_ONE, _ZERO = ast.Constant(1), ast.Constant(0)


class ConstrainError(ValueError):
    """A rule that does not fit the processor: names synapse, variable and term, says what is allowed and what to do."""


@dataclass(frozen=True, kw_only=True)
class Level:
    """``sign*(variable - level)``: (h_max - h) is "h", -1, "h_max", and p alone is "p", 1, "0". `level` names parameters only."""

    variable: str
    sign: int
    level: str


@dataclass(frozen=True, kw_only=True)
class Gate:
    """1 where variable >= high or variable <= low, else 0; with `strict` > and <. Texts in parameters, "" for no such side."""

    variable: str
    high: str
    low: str
    strict: bool


@dataclass(frozen=True, kw_only=True)
class Scope:
    """Where an expression stands: `place` for messages, names of variables, parameters that cannot be 0, whether brackets stay."""

    place: str
    states: frozenset[str]
    nonzero: frozenset[str]
    brackets: bool = True


@dataclass(frozen=True)
class Product:
    """A coefficient times levels times gates; beside a `noise`, the coefficient is its amplitude and holds the gates itself."""

    coefficient: ast.expr = _ONE
    levels: tuple[Level, ...] = ()
    gates: tuple[Gate, ...] = ()
    noise: str = ""


def refused(scope: Scope, got: ast.AST | str, allowed: str, remedy: str) -> ConstrainError:
    """The error for a term, or for what `got` says in words."""
    shown = got if isinstance(got, str) else f"the term {compact(got)!r}"
    return ConstrainError(f"{scope.place}: {shown}; allowed: {allowed}; {remedy}")


def written(node: ast.expr, scope: Scope) -> str:
    """An expression as text that passes the whitelist."""
    line = compact(node)
    text.check_expression(line, scope.place)
    return line


def names(node: ast.AST) -> set[str]:
    """Names in an expression, those of functions included."""
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}


def inside(node: ast.AST, scope: Scope) -> bool:
    """Whether an expression holds anything but parameters."""
    return bool(names(node) & scope.states) or _noise(node)


def _noise(node: ast.AST) -> bool:
    return any(name == "xi" or name.startswith("xi_") for name in names(node))


def _calls(node: ast.AST, function: str) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == function


class _Put(ast.NodeTransformer):
    """Put computed lines in."""

    def __init__(self, computed: Mapping[str, str]) -> None:
        self.computed = computed

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id not in self.computed:
            return node
        found: ast.expr = self.visit(ast.parse(self.computed[node.id], mode="eval").body)
        return found


def vetted(expression: str, computed: Mapping[str, str], scope: Scope) -> ast.expr:
    """The tree of a checked text with computed lines put in, refused by name where it holds something that no term can be."""
    tree: ast.expr = _Put(computed).visit(ast.parse(expression.strip(), mode="eval").body)
    tested = [n.args[0] for n in ast.walk(tree) if isinstance(n, ast.Call) and _calls(n, "int")]
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in _CLOCKED:
            raise refused(scope, f"it uses {node.id!r}", "variables and parameters", "write it without the time")
        if isinstance(node, ast.Call) and not any(_calls(node, function) for function in _FUNCTIONS):
            raise refused(scope, node, f"{', '.join(_FUNCTIONS)} of parameters", "compute the value beforehand and name it as a parameter")
        wrong = isinstance(node, ast.BoolOp) or (isinstance(node, ast.BinOp | ast.UnaryOp) and not isinstance(node.op, _OPERATORS))
        if wrong or (isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Eq | ast.NotEq)):
            raise refused(scope, node, "+ - * / ** and, within int(), one of >= > <= <", "write 'and' as a product of two int(), 'not' as 1 - int()")
        if isinstance(node, ast.Compare) and not any(node is test for test in tested):
            raise refused(scope, node, "conditions within int()", "put int() around it")
    try:
        folded(tree)
    except ZeroDivisionError:
        raise refused(scope, tree, "division by what is not 0", "correct the divisor") from None
    return tree


def right_side(expression: str, computed: Mapping[str, str], scope: Scope) -> list[Product]:
    """The right-hand side of an equation as a sum of products.

    Raises:
        ConstrainError: naming the term that is none.
    """
    return products(vetted(expression, computed, scope), scope, factor=False)


def products(node: ast.expr, scope: Scope, *, factor: bool = True) -> list[Product]:
    """An expression as a sum of products; `factor` says that it stands in a product, so a bracket may be a level."""
    if not inside(node, scope):
        whole = folded(node)
        return [] if number(whole) == 0 else [Product(whole)]
    match node:
        case ast.Name(id=name) if name in scope.states:
            return [Product(levels=(Level(variable=name, sign=1, level="0"),))]
        case ast.Name(id=name):
            return [Product(noise=name)]
        case ast.UnaryOp(op=op, operand=inner):
            found = products(inner, scope, factor=factor)
            return [_scaled(p, minus) for p in found] if isinstance(op, ast.USub) else found
        case ast.BinOp(left=a, op=ast.Add() | ast.Sub() as op, right=b):
            if factor and scope.brackets and (level := _level(node, scope)):
                return [level]
            right = products(b, scope, factor=False)
            return products(a, scope, factor=False) + [_scaled(p, minus) if isinstance(op, ast.Sub) else p for p in right]
        case ast.BinOp(left=a, op=ast.Mult(), right=b):
            return _with_noise(a, b, scope) if _noise(node) else _crossed(products(a, scope), products(b, scope), node, scope)
        case ast.BinOp(left=a, op=ast.Div(), right=b):
            above = products(a, scope)
            if _noise(b) or (inside(b, scope) and not all(p.noise for p in above)):
                raise refused(scope, node, "division by expressions of parameters", "make the divisor a parameter")
            return [_scaled(p, lambda c: divided(c, folded(b))) for p in above]
        case ast.BinOp(left=a, op=ast.Pow(), right=b):
            return _raised(a, b, node, scope)
        case ast.Call(func=ast.Name(id="int")):
            return [Product(gates=(gate_of(node, scope),))]
    raise refused(scope, node, "sums and products of variables, parameters, and int() of comparisons", "approximate it by such a sum")


def _scaled(p: Product, by: Callable[[ast.expr], ast.expr]) -> Product:
    return dataclasses.replace(p, coefficient=by(p.coefficient))


def _crossed(left: list[Product], right: list[Product], node: ast.expr, scope: Scope) -> list[Product]:
    """The product of two sums, multiplied out; a gate times itself is that gate."""
    if len(left) * len(right) > _MOST_TERMS:
        raise refused(scope, node, f"{_MOST_TERMS} terms when multiplied out", "shorten it")
    return [
        Product(multiplied(a.coefficient, b.coefficient), a.levels + b.levels, tuple(dict.fromkeys(a.gates + b.gates)), a.noise or b.noise)
        for a in left
        for b in right
    ]


def _raised(a: ast.expr, b: ast.expr, node: ast.expr, scope: Scope) -> list[Product]:
    """A power of variables, as a product."""
    if (exponent := number(b)) not in (1, 2, 3) or _noise(a):
        raise refused(scope, node, "the powers 1, 2 and 3 of variables", "write it as a product, or leave it out")
    found = base = products(a, scope)
    for _ in range(int(exponent or 1) - 1):
        found = _crossed(found, base, node, scope)
    return found


def _with_noise(a: ast.expr, b: ast.expr, scope: Scope) -> list[Product]:
    """A product with noise in it: the other factor belongs to the amplitude as it stands."""
    node = ast.BinOp(a, ast.Mult(), b)
    if _noise(a) and _noise(b):
        raise refused(scope, node, "one noise in a product", "leave its powers out")
    other, noisy = (a, b) if _noise(b) else (b, a)
    found: list[Product] = []
    for p in products(noisy, scope):
        found += [_scaled(p, lambda c: multiplied(other, c))] if p.noise else _crossed(products(other, scope), [p], node, scope)
    return found


def _affine(node: ast.expr, scope: Scope, *, deep: bool = False) -> tuple[str, ast.expr, ast.expr] | None:
    """Variable, slope and intercept of a sum in which one summand is a multiple of a variable and the others are parameters.

    With `deep` a bracket may be multiplied: 2*(h - h0) + theta.
    """
    if not inside(node, scope):
        return "", _ZERO, folded(node)
    match node:
        case ast.Name(id=name) if name in scope.states:
            return name, _ONE, _ZERO
        case ast.UnaryOp(op=op, operand=inner) if found := _affine(inner, scope, deep=deep):
            return (found[0], minus(found[1]), minus(found[2])) if isinstance(op, ast.USub) else found
        case ast.BinOp(left=a, op=ast.Add() | ast.Sub() as op, right=b):
            joined = added if isinstance(op, ast.Add) else subtracted
            one, two = _affine(a, scope, deep=deep), _affine(b, scope, deep=deep)
            if one and two and not (one[0] and two[0]):
                return one[0] or two[0], joined(one[1], two[1]), joined(one[2], two[2])
        case ast.BinOp(left=a, op=ast.Mult() | ast.Div() as op, right=b):
            k, inner = (a, b) if inside(b, scope) and isinstance(op, ast.Mult) else (b, a)
            if not inside(k, scope) and (found := _affine(inner, scope, deep=deep)) and (deep or number(found[2]) == 0):
                scaled, by = (multiplied, folded(k)) if isinstance(op, ast.Mult) else (divided, folded(k))
                slope, rest = ((scaled(by, e) if k is a else scaled(e, by)) for e in found[1:])
                return found[0], slope, rest
    return None


def _level(node: ast.expr, scope: Scope) -> Product | None:
    """A bracket as slope * level, or None if it is no such thing or its slope may be 0."""
    found = _affine(node, scope)
    if found is None or not (direction := sign(found[1], scope.nonzero)):
        return None
    name, slope, rest = found
    steep, level = (slope, minus(rest)) if direction > 0 else (minus(slope), rest)
    return Product(steep, (Level(variable=name, sign=direction, level=written(divided(level, steep), scope)),))


def gate_of(node: ast.Call, scope: Scope) -> Gate:
    """``int(a >= b)`` as bounds of the variable itself.

    Raises:
        ConstrainError: another condition, or a variable times anything but a number.
    """
    test = node.args[0]
    allowed = "int(a >= b) with >=, >, <= or <, where a - b is one variable, times a number, and parameters; or int(abs(x - a) >= b)"
    if not isinstance(test, ast.Compare):
        raise refused(scope, node, allowed, "compare a variable with a level")
    a, op, b = test.left, test.ops[0], test.comparators[0]
    if isinstance(op, ast.LtE | ast.Lt):
        a, b = b, a
    apart = a.args[0] if isinstance(a, ast.Call) and _calls(a, "abs") and not inside(b, scope) else None
    found = _affine(apart or ast.BinOp(a, ast.Sub(), b), scope, deep=True)
    slope = number(found[1]) if found else None
    if found is None or not slope:
        near = "write 1 - int(abs(x - a) > b) for what is within" if _calls(b, "abs") else "compare the variable with an expression of parameters"
        raise refused(scope, node, allowed, near)
    name, _, rest = found
    size = ast.Constant(abs(slope))
    at, strict = divided(minus(rest) if slope > 0 else rest, size), isinstance(op, ast.Gt | ast.Lt)
    if apart:
        width = divided(folded(b), size)
        return Gate(variable=name, high=written(added(at, width), scope), low=written(subtracted(at, width), scope), strict=strict)
    level = written(at, scope)
    return Gate(variable=name, high=level if slope > 0 else "", low="" if slope > 0 else level, strict=strict)
