"""Arithmetic on syntax trees that have passed the whitelist: what vanishes is left out, signs go to the front, nothing is rounded."""

import ast
import operator
from collections.abc import Callable, Set
from typing import Any

_PLAIN: dict[type[ast.operator], Callable[[Any, Any], Any]] = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul}
_EXACT = 2**53  # integers below it are exact in float64


def compact(node: ast.AST) -> str:
    """The text of a tree, with blanks around + and - only."""
    return ast.unparse(node).replace(" ** ", "**").replace(" * ", "*").replace(" / ", "/")


def number(node: ast.expr) -> int | float | None:
    """The value of an expression without names or calls, else None."""
    match node:
        case ast.Constant(value=int() | float() as value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            size = number(inner)
            return None if size is None else -size
        case ast.BinOp(left=left, op=op, right=right):
            a, b = number(left), number(right)
            if a is not None and b is not None and type(op) in _PLAIN:
                return float(_PLAIN[type(op)](float(a), float(b)))
            if a is not None and b and isinstance(op, ast.Div):
                return float(a) / float(b)
    return None


def sign(node: ast.expr, positive: Set[str]) -> int:
    """1 or -1 for what is above or below 0 whenever the names in `positive` are above it; 0 where that is open."""
    match node:
        case ast.Constant() if (value := number(node)) is not None:
            return (value > 0) - (value < 0)
        case ast.Name(id=name):
            return int(name in positive or name in ("pi", "e"))
        case ast.UnaryOp(op=op, operand=inner):
            return -sign(inner, positive) if isinstance(op, ast.USub) else sign(inner, positive)
        case ast.BinOp(left=a, op=ast.Mult() | ast.Div(), right=b):
            return sign(a, positive) * sign(b, positive)
        case ast.BinOp(left=a, op=ast.Add() | ast.Sub() as op, right=b):
            one, two = sign(a, positive), sign(b, positive)
            return one if one == (two if isinstance(op, ast.Add) else -two) else 0
        case ast.BinOp(left=a, op=ast.Pow()):
            return int(sign(a, positive) > 0)
        case ast.Call(func=ast.Name(id="sqrt" | "abs" as name), args=[inner]):
            inside = sign(inner, positive)
            return abs(inside) if name == "abs" else int(inside > 0)
        case ast.Call(func=ast.Name(id="exp")):
            return 1
    return 0


def _integers(a: ast.expr, b: ast.expr, op: ast.operator) -> ast.expr | None:
    """The result for two integers, as long as it is exact."""
    x, y = number(a), number(b)
    if not isinstance(x, int) or not isinstance(y, int) or abs(value := _PLAIN[type(op)](x, y)) >= _EXACT:
        return None
    return ast.Constant(value) if value >= 0 else ast.UnaryOp(ast.USub(), ast.Constant(-value))


def _negative(node: ast.expr) -> bool:
    """Whether a minus stands in front of a product."""
    while isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div):
        node = node.left
    return isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub)


def minus(node: ast.expr) -> ast.expr:
    """-node, the minus in front or resolved."""
    if number(node) == 0:
        return node
    match node:
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return inner
        case ast.BinOp(left=a, op=ast.Mult() | ast.Div() as op, right=b):
            return ast.BinOp(minus(a), op, b)
        case ast.BinOp(left=a, op=ast.Add(), right=b):
            return subtracted(minus(a), b)
        case ast.BinOp(left=a, op=ast.Sub(), right=b):
            return added(minus(a), b) if _negative(a) else subtracted(b, a)
    return ast.UnaryOp(ast.USub(), node)


def added(a: ast.expr, b: ast.expr) -> ast.expr:
    """a + b."""
    if number(a) == 0 or number(b) == 0:
        return a if number(b) == 0 else b
    whole = _integers(a, b, ast.Add())
    return whole or (ast.BinOp(a, ast.Sub(), minus(b)) if _negative(b) else ast.BinOp(a, ast.Add(), b))


def subtracted(a: ast.expr, b: ast.expr) -> ast.expr:
    """a - b."""
    if number(a) == 0 or number(b) == 0:
        return a if number(b) == 0 else minus(b)
    whole = _integers(a, b, ast.Sub())
    return whole or (ast.BinOp(a, ast.Add(), minus(b)) if _negative(b) else ast.BinOp(a, ast.Sub(), b))


def multiplied(a: ast.expr, b: ast.expr) -> ast.expr:
    """a*b."""
    if number(a) == 0 or number(b) == 0:
        return ast.Constant(0)
    if number(a) == 1 or number(b) == 1:
        return a if number(b) == 1 else b
    if number(a) == -1 or _negative(b):
        return minus(multiplied(minus(a), b) if number(a) == -1 else multiplied(a, minus(b)))
    if isinstance(b, ast.BinOp) and isinstance(b.op, ast.Mult | ast.Div):
        first = multiplied(a, b.left)
        return multiplied(first, b.right) if isinstance(b.op, ast.Mult) else divided(first, b.right)
    return _integers(a, b, ast.Mult()) or ast.BinOp(a, ast.Mult(), b)


def divided(a: ast.expr, b: ast.expr) -> ast.expr:
    """a/b.

    Raises:
        ZeroDivisionError: b is 0.
    """
    if number(b) == 0:
        raise ZeroDivisionError(compact(b))
    if number(a) == 0 or number(b) == 1:
        return a
    if number(b) == -1 or _negative(b):
        return minus(divided(a, minus(b)))
    return ast.BinOp(a, ast.Div(), b)


def power(a: ast.expr, b: ast.expr) -> ast.expr:
    """a**b."""
    exponent = number(b)
    still = exponent == 1 or (exponent is not None and exponent > 0 and number(a) in (0, 1))
    return a if still else ast.BinOp(a, ast.Pow(), b)


_BINARY = {ast.Add: added, ast.Sub: subtracted, ast.Mult: multiplied, ast.Div: divided, ast.Pow: power}


def folded(node: ast.expr, known: Callable[[ast.Call], ast.expr | None] = lambda call: None) -> ast.expr:
    """An expression with what vanishes left out, after `known` has replaced the calls for which it gives something."""
    match node:
        case ast.BinOp(left=a, op=op, right=b) if type(op) in _BINARY:
            return _BINARY[type(op)](folded(a, known), folded(b, known))
        case ast.UnaryOp(op=ast.USub() | ast.UAdd() as op, operand=inner):
            return minus(folded(inner, known)) if isinstance(op, ast.USub) else folded(inner, known)
        case ast.Call(func=func, args=args):
            if (put := known(node)) is not None:
                return put
            inside = [folded(a, known) for a in args]
            root = isinstance(func, ast.Name) and func.id == "sqrt" and number(inside[0]) in (0, 1)
            return inside[0] if root else ast.Call(func, inside, [])
    return node
