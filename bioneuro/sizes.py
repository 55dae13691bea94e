"""How large sympy could make an expression that `bioneuro.text` has parsed; what would keep it busy for ever is refused.

Brian2 puts subexpressions into one another and sympy then works out powers of numbers, so a short text can ask for more than any
computer has. The bounds are of the expression as it will be then.
"""

import ast
import graphlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NoReturn

MAX_NAME = 64  # characters of a name, and of a piece of text that a message quotes
MAX_EXPONENT = 64  # of an exponent without names
MAX_DEGREE = 1024  # of any exponent, and of nested ones multiplied, each name counted as 1
MAX_NODES = 5_000  # of an expression with all subexpressions put into it

_STEEP = frozenset({"exp", "expm1", "exprel", "sinh", "cosh"})
_LOGARITHMS = frozenset({"log", "log10", "log1p"})


class TextError(ValueError):
    """Text that is refused; the message names the place, the piece, what is allowed and the remedy."""


@dataclass(frozen=True)
class _Size:
    """What sympy could make of an expression, a name that is no subexpression counting as 1."""

    nodes: float = 1.0
    degree: float = 1.0  # the largest product of nested exponents
    top: float = 1.0  # bounds of the numerator and ...
    bottom: float = 1.0  # ... the denominator of the value
    constant: bool = False  # no name inside
    power: bool = False  # a ** inside
    steep: bool = False  # an exponential inside: sympy would work out all digits of floor(exp(1e9))
    logs: bool = False  # a logarithm inside: sympy turns exp(1e9*log(9)) into 9**1e9


def refuse(place: str, got: str, allowed: str, remedy: str) -> NoReturn:
    raise TextError(f"{place}: got {got}; allowed: {allowed}; {remedy}")


def quote(piece: object) -> str:
    shown = piece if isinstance(piece, str) else repr(piece)
    return ascii(shown) if len(shown) <= MAX_NAME else f"{shown[:MAX_NAME]!a}..."


def operands(node: ast.expr) -> list[ast.expr]:
    inner = node.args if isinstance(node, ast.Call) else ast.iter_child_nodes(node)
    return [part for part in inner if isinstance(part, ast.expr)]


def check_sizes(trees: Mapping[str, tuple[ast.expr, str]], derivatives: set[str], place: str) -> None:
    """Bound every equation with the subexpressions put into it, as Brian2 does."""
    definitions = trees.keys() - derivatives
    graph = {name: {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)} & definitions for name, (tree, _) in trees.items()}
    known: dict[str, _Size] = {}
    try:
        for name in graphlib.TopologicalSorter(graph).static_order():
            found = size_of(trees[name][0], known, trees[name][1])
            known |= {} if name in derivatives else {name: found}
    except graphlib.CycleError as error:
        refuse(place, f"a circle of definitions, {' of '.join(error.args[1])}", "none", "break it")


def size_of(node: ast.expr, known: Mapping[str, _Size], place: str) -> _Size:
    """Bound what sympy could make of an expression; refuse what would keep it busy for ever."""
    if isinstance(node, ast.Constant):
        value = abs(float(node.value))  # type: ignore[arg-type]
        return _Size(top=max(value, 1.0), bottom=max(1.0 / value, 1.0) if value else 1.0, constant=True)
    if isinstance(node, ast.Name):
        return known.get(node.id, _Size())
    parts = [size_of(part, known, place) for part in operands(node)]
    whole = _Size(
        nodes=sum((part.nodes for part in parts), 1.0),
        degree=max((part.degree for part in parts), default=1.0),
        constant=all(part.constant for part in parts),
        power=any(part.power for part in parts),
        steep=any(part.steep for part in parts),
        logs=any(part.logs for part in parts),
    )
    if whole.nodes > MAX_NODES:
        allowed = f"{MAX_NODES} names, numbers and operators with all subexpressions put in"
        refuse(place, quote(ast.unparse(node)), allowed, "make some subexpressions state variables")
    if isinstance(node, ast.BinOp):
        return _binary(node, parts[0], parts[1], whole, place)
    if isinstance(node, ast.Call):
        return _call(node, parts, whole, place)
    return replace(whole, top=parts[0].top, bottom=parts[0].bottom) if isinstance(node, ast.UnaryOp) else whole


def _binary(node: ast.BinOp, left: _Size, right: _Size, whole: _Size, place: str) -> _Size:
    if isinstance(node.op, ast.Pow):
        degree = left.degree * right.top
        if right.power or degree > MAX_DEGREE or (right.constant and right.top > MAX_EXPONENT):
            allowed = f"exponents without '**', up to {MAX_EXPONENT}, or {MAX_DEGREE} with names or multiplied"
            refuse(place, f"the power {quote(ast.unparse(node))}", allowed, "lower it or make it a parameter")
        # Compared as logarithms, because the power itself may overflow.
        base = max(left.top, left.bottom)
        bound = base**right.top if right.top * math.log(base) < 700.0 else math.inf
        return replace(whole, degree=max(degree, right.degree), top=bound, bottom=bound, power=True)
    if isinstance(node.op, ast.FloorDiv | ast.Mod) and whole.steep:
        _refuse_steep(node, place)
    if isinstance(node.op, ast.Mult):
        return replace(whole, top=left.top * right.top, bottom=left.bottom * right.bottom)
    if isinstance(node.op, ast.Div | ast.FloorDiv):
        return replace(whole, top=left.top * right.bottom, bottom=left.bottom * right.top)
    top = left.top * right.bottom + right.top * left.bottom
    return replace(whole, top=top, bottom=left.bottom * right.bottom)


def _call(node: ast.Call, parts: list[_Size], whole: _Size, place: str) -> _Size:
    name = ast.unparse(node.func)
    logarithm, power_of = name in _LOGARITHMS, name == "exp" and whole.logs
    bound = 1.0 if logarithm else 1.0 + sum(part.top * part.bottom for part in parts)
    degree = whole.degree * bound if power_of else whole.degree
    if name in ("floor", "ceil") and whole.steep:
        _refuse_steep(node, place)
    if degree > MAX_DEGREE:
        allowed = f"exp of a logarithm with numbers up to {MAX_DEGREE}"
        refuse(place, quote(ast.unparse(node)), allowed, "write it as a power")
    steep, logs = whole.steep or name in _STEEP, whole.logs or logarithm
    return replace(whole, degree=degree, top=bound, bottom=bound, steep=steep, logs=logs)


def _refuse_steep(node: ast.expr, place: str) -> NoReturn:
    allowed = f"floor, ceil, // and % of terms without {', '.join(sorted(_STEEP))}"
    refuse(place, quote(ast.unparse(node)), allowed, "make the exponential a state variable")
