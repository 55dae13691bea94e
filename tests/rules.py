"""Learning rules: those of the catalogue, a small one of any equations, and the values of expressions by a little interpreter."""

import ast
import math
import operator
import pkgutil
from collections.abc import Mapping
from importlib import import_module

from bioneuro import catalogue, text
from bioneuro.model import Pathway, Synapse, parameter

MODULES = [import_module(f"bioneuro.catalogue.{found.name}") for found in pkgutil.iter_modules(catalogue.__path__)]
SYNAPSES = {
    f"{name}: {projection.name}": projection.synapse
    for module in MODULES
    for name, make in module.CIRCUITS.items()
    for projection in make().projections
}

# What the processor can take over, by the beginning of the circuit's name.
ACCEPTED = (
    "graupner2012 ", "graupner2016 linear", "graupner2016 nonlinear", "higgins2014 ", "luboeinski2021 single synapse", "luboeinski2021 network",
    "song2000 all to all", "song2000 nearest", "vogels2011 ",
)  # fmt: skip

_BINARY = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv, ast.Pow: operator.pow}
_TEST = {ast.GtE: operator.ge, ast.Gt: operator.gt, ast.LtE: operator.le, ast.Lt: operator.lt}
_CALL = {"clip": lambda x, low, high: min(max(x, low), high), "abs": abs, "int": float, "sqrt": math.sqrt, "exp": math.exp}


def value(node: ast.AST | str, known: Mapping[str, float], *, size: bool = False) -> float:
    """The value of an expression; its `size` is an upper bound, with every sum taken of absolute values and every condition true."""
    if isinstance(node, str):
        text.check_expression(node, "here")
        return value(ast.parse(node, mode="eval").body, known, size=size)
    match node:
        case ast.Constant(value=number):
            return float(number)
        case ast.Name(id=name):
            found = known[name] if name in known else {"inf": math.inf, "pi": math.pi, "e": math.e}[name]
            return abs(found) if size else found
        case ast.UnaryOp(op=op, operand=inner):
            found = value(inner, known, size=size)
            return -found if isinstance(op, ast.USub) and not size else found
        case ast.BinOp(left=a, op=op, right=b):
            kind = ast.Add if size and isinstance(op, ast.Sub) else type(op)
            return float(_BINARY[kind](value(a, known, size=size), value(b, known, size=size)))
        case ast.Compare(left=a, ops=[op], comparators=[b]):
            return 1.0 if size else float(_TEST[type(op)](value(a, known), value(b, known)))
        case ast.Call(func=ast.Name(id=name), args=args):
            return float(_CALL[name](*(value(a, known, size=size) for a in args)))
    raise AssertionError(ast.unparse(node))


def rule(equations: str, pre: str = "", post: str = "c += 1", low: float = 0.125) -> Synapse:
    """A synapse with parameters a, b that are at least `low` and k that may be 0."""
    numbers = {name: parameter(1, low=0 if name == "k" else low, high=100, says="here", source="here") for name in "abk"}
    numbers["tau"] = parameter(2, "second", low=0.125, high=100, says="here", source="here")
    lines = "\n".join(line.strip() for line in equations.splitlines())
    return Synapse(name="rule", equations=lines, pathways=(Pathway(event="pre", code=pre), Pathway(event="post", code=post)), parameters=numbers)
