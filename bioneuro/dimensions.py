"""The dimensions of expressions and statements, so that a wrong unit in an equation is refused where it is written.

The rules are Brian2's, which would otherwise refuse the same text later, inside its own objects and without naming ours.
"""

import ast
from collections.abc import Mapping

from bioneuro.units import DIMENSIONLESS, Dimensions, UnitError, describe, power, product, unit

SECOND = unit("second").dimensions
PROVIDED: Mapping[str, Dimensions] = {
    **dict.fromkeys(("t", "dt", "lastspike"), SECOND),
    **dict.fromkeys(("t_in_timesteps", "not_refractory", "pi", "e", "inf"), DIMENSIONLESS),
}
"""Names that every engine provides."""

_SAME = {"abs", "floor", "ceil", "clip"}


def declared(name: str) -> Dimensions:
    """Dimensions of a unit as equations spell it, where booleans and integers have none."""
    return DIMENSIONLESS if name in ("boolean", "integer") else unit(name).dimensions


def check(expression: str, wanted: Dimensions, known: Mapping[str, Dimensions], place: str) -> None:
    """Refuse, by `UnitError`, an expression that does not have the dimensions `wanted`; names not in `known` may have any."""
    found = _of(ast.parse(expression.strip(), mode="eval").body, known, place)
    if found is not None and found != wanted:
        raise UnitError(f"{place}: {expression.strip()!r} is in {describe(found)}, expected {describe(wanted)}; correct one of the two")


def of(expression: str, known: Mapping[str, Dimensions], place: str) -> Dimensions | None:
    """The dimensions of an expression; None where they hang on a name that is not known."""
    return _of(ast.parse(expression.strip(), mode="eval").body, known, place)


def is_condition(expression: str, flags: set[str]) -> bool:
    """Whether an expression is made of comparisons and boolean variables (`flags`)."""
    return _true_or_false(ast.parse(expression.strip(), mode="eval").body, flags)


def check_condition(expression: str, flags: set[str], known: Mapping[str, Dimensions], place: str) -> None:
    """Refuse anything but comparisons and boolean variables (`flags`), joined by and, or, not, with consistent units."""
    tree = ast.parse(expression.strip(), mode="eval").body
    if not _true_or_false(tree, flags):
        raise UnitError(f"{place}: {expression.strip()!r} is neither true nor false; write a comparison such as 'v > V_th'")
    _of(tree, known, place)


def check_statements(code: str, known: Mapping[str, Dimensions], place: str) -> None:
    """Refuse, by `UnitError`, statements whose two sides have different dimensions."""
    for piece in filter(None, (piece.strip() for line in code.splitlines() for piece in line.partition("#")[0].split(";"))):
        node = ast.parse(piece).body[0]
        if isinstance(node, ast.AugAssign):
            whole, target = ast.unparse(ast.BinOp(left=node.target, op=node.op, right=node.value)), node.target
        elif isinstance(node, ast.Assign):
            whole, target = ast.unparse(node.value), node.targets[0]  # type: ignore[assignment]
        else:
            continue
        wanted = known.get(ast.unparse(target))
        if wanted is None:
            _of(ast.parse(whole, mode="eval").body, known, place)
        else:
            check(whole, wanted, known, f"{place}, {piece!r}")


def _true_or_false(node: ast.expr, flags: set[str]) -> bool:
    if isinstance(node, ast.BoolOp):
        return all(_true_or_false(value, flags) for value in node.values)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return _true_or_false(node.operand, flags)
    if isinstance(node, ast.Name):
        return node.id in flags
    return isinstance(node, ast.Compare) or (isinstance(node, ast.Constant) and isinstance(node.value, bool))


def _of(node: ast.expr, known: Mapping[str, Dimensions], place: str) -> Dimensions | None:
    """Dimensions of an expression; None where they hang on a name that is not known here."""
    if isinstance(node, ast.Constant):
        return DIMENSIONLESS
    if isinstance(node, ast.Name):
        return power(SECOND, -0.5) if node.id == "xi" or node.id.startswith("xi_") else known.get(node.id)
    if isinstance(node, ast.UnaryOp):
        return _of(node.operand, known, place)
    if isinstance(node, ast.BoolOp):
        return _each(node.values, known, place)
    if isinstance(node, ast.Compare):
        _alike([node.left, *node.comparators], known, place)
        return DIMENSIONLESS
    if isinstance(node, ast.Call):
        return _of_call(node, known, place)
    if isinstance(node, ast.BinOp):
        return _of_operation(node, known, place)
    raise UnitError(f"{place}: {ast.unparse(node)!r} has no unit")


def _each(nodes: list[ast.expr], known: Mapping[str, Dimensions], place: str) -> Dimensions:
    for node in nodes:
        _of(node, known, place)
    return DIMENSIONLESS


def _alike(nodes: list[ast.expr], known: Mapping[str, Dimensions], place: str) -> Dimensions | None:
    found = [(node, dims) for node in nodes if (dims := _of(node, known, place)) is not None]
    for node, dims in found[1:]:
        if dims != found[0][1]:
            raise UnitError(
                f"{place}: {ast.unparse(found[0][0])!r} is in {describe(found[0][1])} but {ast.unparse(node)!r} in {describe(dims)}; "
                "what is added or compared must have one unit"
            )
    return found[0][1] if found else None


def _of_call(node: ast.Call, known: Mapping[str, Dimensions], place: str) -> Dimensions | None:
    name = ast.unparse(node.func)
    if name in _SAME:
        return _alike(node.args, known, place)
    inner = [_of(argument, known, place) for argument in node.args]
    if name == "sqrt":
        return None if inner[0] is None else power(inner[0], 0.5)
    wanted = SECOND if name == "timestep" else DIMENSIONLESS
    for argument, dims in zip(node.args, inner, strict=True):
        if name != "sign" and dims not in (None, wanted):
            raise UnitError(
                f"{place}: {name}() takes a value in {describe(wanted)}, but {ast.unparse(argument)!r} is in {describe(dims)}; "
                "divide it by a scale"
            )
    return DIMENSIONLESS


def _of_operation(node: ast.BinOp, known: Mapping[str, Dimensions], place: str) -> Dimensions | None:
    if isinstance(node.op, ast.Add | ast.Sub | ast.Mod):
        return _alike([node.left, node.right], known, place)
    left, right = _of(node.left, known, place), _of(node.right, known, place)
    if isinstance(node.op, ast.Pow):
        exponent = _number(node.right)
        if right not in (None, DIMENSIONLESS) or (exponent is None and left not in (None, DIMENSIONLESS)):
            raise UnitError(f"{place}: the exponent in {ast.unparse(node)!r} must be a plain number; write one, or divide by a scale first")
        return power(left, exponent) if left is not None and exponent is not None else left
    if left is None or right is None:
        return None
    if isinstance(node.op, ast.FloorDiv) and (left, right) != (DIMENSIONLESS, DIMENSIONLESS):
        raise UnitError(f"{place}: '//' in {ast.unparse(node)!r} takes values without unit; divide them by a scale first")
    return product(left, right, 1.0 if isinstance(node.op, ast.Mult) else -1.0)


def _number(node: ast.expr) -> float | None:
    """The value of an exponent written in numbers only."""
    if isinstance(node, ast.Constant):
        return float(node.value)  # type: ignore[arg-type]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        inner = _number(node.operand)
        return None if inner is None else (-inner if isinstance(node.op, ast.USub) else inner)
    if isinstance(node, ast.BinOp):
        left, right = _number(node.left), _number(node.right)
        if left is None or right is None:
            return None
        if isinstance(node.op, ast.Div) and right:
            return left / right
        plain = {ast.Add: left + right, ast.Sub: left - right, ast.Mult: left * right}
        return plain.get(type(node.op))
    return None
