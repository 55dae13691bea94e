"""Names and text of live Brian2 objects, rewritten in the words of a circuit: units and constants become parameters with names.

Text of an object passes the whitelist of `bioneuro.text` before anything parses it; nothing in it is evaluated.
"""

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np
from brian2.core.namespace import DEFAULT_UNITS
from brian2.input.timedarray import TimedArray
from brian2.units.fundamentalunits import DIMENSIONLESS, Quantity, Unit

from bioneuro import dimensions, text, units
from bioneuro.equations import FLAT, check_variable
from bioneuro.records import ModelError, Parameter, did_you_mean

SOURCE = "imported from Brian2"

_RANDOM = frozenset({"rand", "randn", "poisson"})
_CALLED = re.compile(r"([A-Za-z_]\w*)\s*\(", re.ASCII)
_TIMED = re.compile(r"([A-Za-z_]\w*)\s*\(\s*t\s*(,\s*i\s*)?\)", re.ASCII)
_OPERATORS = {ast.Add: "+=", ast.Sub: "-=", ast.Mult: "*=", ast.Div: "/=", ast.FloorDiv: "//=", ast.Mod: "%=", ast.Pow: "**="}
_UNITS = """1 second hertz volt amp siemens farad ohm metre coulomb mole metre**2 volt/second amp/second siemens/second siemens/metre**2
    farad/metre**2 amp/metre**2 volt**2 siemens/volt hertz/volt amp/volt""".split()


class FromBrianError(ModelError):
    """An object of Brian2, or a construct in it, has no counterpart here.

    Attributes:
        code: a short fixed word for the construct, such as "function" or "clock".
        place: the object, and where in it.
    """

    def __init__(self, code: str, place: str, message: str) -> None:
        super().__init__(f"from_brian [{code}] {place}: {message}")
        self.code, self.place = code, place


def refuse(code: str, place: str, message: str) -> NoReturn:
    raise FromBrianError(code, place, message)


@dataclass(frozen=True, kw_only=True)
class Words:
    """What the names in the text of one object mean; `found` and `driven` are filled as the text is read.

    Attributes:
        place: the name of the object.
        own: name in Brian2 -> name here, for variables of the object and of the neurons at its ends.
        spaces: where other names are looked up, first come first served.
        avoid: names that a parameter made here may not take.
        suffix: what is added to a name that is taken.
        drives: whether a TimedArray may stand in the text.
        found: name -> the parameters made of constants and quantities in the text.
        renamed: constant or quantity in the text -> its name in `found`.
        driven: TimedArray by its name in the text -> (the variable that stands for it, the array).
    """

    place: str
    own: Mapping[str, str]
    spaces: Sequence[Mapping[str, Any]]
    avoid: frozenset[str] = frozenset()
    suffix: str = "0"
    drives: bool = False
    found: dict[str, Parameter] = field(default_factory=dict)
    renamed: dict[str, str] = field(default_factory=dict)
    driven: dict[str, tuple[str, Any]] = field(default_factory=dict)


def expression(words: Words, code: str, where: str) -> str:
    """An expression in the words of a circuit."""
    place = f"{words.place}, {where}"
    source = _with_drive(words, " ".join(str(code).split()), place)
    _check_called(source, place)
    try:
        text.check_expression(source, place)
    except text.TextError as error:
        raise FromBrianError("text", words.place, str(error)) from error
    return ast.unparse(_rewritten(words, ast.parse(source, mode="eval").body, place))


def statements(words: Words, code: str, where: str) -> str:
    """Statements in the words of a circuit, one on a line."""
    place, lines = f"{words.place}, {where}", []
    for target, operator, value in assignments(words, code, where):
        if target not in words.own:
            hint = did_you_mean(target, sorted(words.own))
            refuse("local", place, f"{target!r} is assigned but is no variable of the object; write out what it stands for.{hint}")
        lines.append(f"{words.own[target]} {operator} {ast.unparse(_rewritten(words, value, place))}")
    return "\n".join(lines)


def assignments(words: Words, code: str, where: str) -> Iterator[tuple[str, str, ast.expr]]:
    """Each statement as (variable, operator, right side), from text that passes the whitelist."""
    place = f"{words.place}, {where}"
    source = _with_drive(words, str(code), place)
    _check_called(source, place)
    try:
        text.check_statements(source, place)
        plain = text.without_comments(source, place)
    except text.TextError as error:
        raise FromBrianError("text", words.place, str(error)) from error
    for piece in filter(None, (piece.strip() for line in plain.splitlines() for piece in line.split(";"))):
        node = ast.parse(piece).body[0]
        if isinstance(node, ast.AugAssign):
            yield ast.unparse(node.target), _OPERATORS[type(node.op)], node.value
        elif isinstance(node, ast.Assign):
            yield ast.unparse(node.targets[0]), "=", node.value


def timed(words: Words, code: str) -> Any:
    """The TimedArray of which `code` is nothing but a call, or None."""
    match = _TIMED.fullmatch(str(code).strip())
    array = looked_up(words, match[1]) if match else None
    return array if isinstance(array, TimedArray) else None


def looked_up(words: Words, name: str) -> Any:
    """What a name means outside the object: a number, quantity or TimedArray; None if it means nothing that could stand in an equation."""
    for space in words.spaces:
        value = space.get(name)
        if isinstance(value, int | float | np.number | np.ndarray | TimedArray) or callable(getattr(value, "pyfunc", None)):
            return value
    return None


def fitting(name: str, taken: frozenset[str] | set[str], suffix: str = "0", *, placed: bool = False) -> str:
    """`name`, or one much like it that a circuit allows for a variable (or, with `placed`, for an object) and that is not taken."""
    plain = re.sub(r"_(pre|post)$", r"\1", name)
    for candidate in (name, plain, f"{plain}_{suffix}", *(f"{plain}_{suffix}{k}" for k in range(2, 100))):
        try:
            text.check_name(candidate, name)
            if not placed:
                check_variable(candidate, name)
        except (ModelError, text.TextError):
            continue
        if candidate not in taken:
            return candidate
    refuse("name", name, "no name like it is allowed in a circuit; rename it: plain ASCII letters, digits and single '_', a letter first")


def unit_of(dim: Any, place: str) -> str:
    """A unit of these dimensions as equations spell it."""
    wanted = tuple(float(d) for d in dim._dims)
    nice = next((name for name in _UNITS if units.unit(name).dimensions == wanted), None)
    if nice is None and any(d != round(d) for d in wanted):
        refuse("unit", place, f"its unit {dim} has a root in it, which equations here cannot say; multiply by a scale such as sqrt(second) first")
    return nice or units.base(wanted)  # type: ignore[arg-type]


def number(value: Any, dim: Any, says: str, *, low: float = -np.inf, whole: bool = False) -> Parameter:
    """SI values of dimensions `dim` as a parameter, shown in the unit that Brian2 would choose; one number if all are alike."""
    array = np.asarray(value, np.float64)
    array = array.ravel()[0] if array.size and np.all(array == array.ravel()[0]) else array
    wanted = tuple(float(d) for d in dim._dims)
    shown = "integer" if whole else "1" if not any(wanted) else str(Quantity(array, dim=dim).get_best_unit())
    known = shown in units.NAMES and units.NAMES[shown][1] == wanted
    return Parameter(value=array, unit=shown if known else units.base(wanted), low=low, says=says, source=SOURCE)  # type: ignore[arg-type]


def _check_called(source: str, place: str) -> None:
    for name in _CALLED.findall(source):
        if name in _RANDOM:
            refuse("random", place, f"{name}() draws numbers that no seed of ours reaches; use noise 'xi' in an equation, or a PoissonGroup")
        if name not in text.FUNCTIONS and name not in ("and", "or", "not"):
            refuse("function", place, f"{name}() is a function of its own; allowed: {', '.join(sorted(set(text.FUNCTIONS) - set(text.HARDWARE)))}")


def _with_drive(words: Words, source: str, place: str) -> str:
    """The text with the variable that stands for a TimedArray in place of its calls."""
    for name in dict.fromkeys(_CALLED.findall(source)):
        array = looked_up(words, name) if name not in text.FUNCTIONS else None
        if not isinstance(array, TimedArray):
            continue
        if not words.drives:
            refuse("timed array", place, f"{name}(...) stands in a synapse; put it into a variable of the neuron, and read that one here")
        if words.driven and name not in words.driven:
            refuse("timed array", place, f"{name} and {next(iter(words.driven))}: a group has one input; add the two arrays, or give each a group")
        variable = words.driven.get(name, (fitting(f"{name}_driven", {*words.own.values(), *words.found}), array))[0]
        wanted = 2 if array.values.ndim == 2 else 1

        def call(match: re.Match[str], name: str = name, variable: str = variable, wanted: int = wanted) -> str:
            return variable if match[1] == name and bool(match[2]) == (wanted == 2) else match[0]

        source = _TIMED.sub(call, source)
        if name in _CALLED.findall(source):
            refuse("timed array", place, f"{name} is called in another way than {name}({'t, i' if wanted == 2 else 't'}); write the call so")
        words.driven[name] = (variable, array)
    return source


def _rewritten(words: Words, node: Any, place: str) -> Any:
    if isinstance(node, ast.Name):
        return ast.Name(id=_name(words, node.id, place))
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult) and isinstance(node.right, ast.Name):
        value = _literal(node.left)
        if value is not None and node.right.id not in words.own and _unit(words, node.right.id) is not None:
            return ast.Name(id=_quantity(words, value, node.right.id))
    if isinstance(node, ast.Call):
        node.args = [_rewritten(words, argument, place) for argument in node.args]
        return node
    for name, part in ast.iter_fields(node):
        if isinstance(part, ast.expr):
            setattr(node, name, _rewritten(words, part, place))
        elif isinstance(part, list):
            setattr(node, name, [_rewritten(words, p, place) if isinstance(p, ast.expr) else p for p in part])
    return node


def _literal(node: ast.expr) -> float | None:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = _literal(node.operand)
        return None if inner is None else -inner
    return float(node.value) if isinstance(node, ast.Constant) and isinstance(node.value, int | float) else None


def _name(words: Words, name: str, place: str) -> str:
    drives = {variable for variable, _ in words.driven.values()}
    if name in words.own or name in drives:
        return words.own.get(name, name)
    if name in dimensions.PROVIDED or name == "xi" or name.startswith("xi_"):
        return name
    if name in FLAT:
        refuse("index", place, f"{name!r} is an index or a count, another one in each trial; use a variable with a value per unit")
    if _unit(words, name) is not None:
        return _quantity(words, None, name)
    return _constant(words, name, place)


def _unit(words: Words, name: str) -> Any:
    """The unit of that name, Brian2's own or one that the script imported; None for anything else."""
    value = DEFAULT_UNITS[name] if name in DEFAULT_UNITS else looked_up(words, name)
    return value if isinstance(value, Unit) else None


def _quantity(words: Words, value: float | None, name: str) -> str:
    """The parameter for a number with its unit in the text, ``-50*mV``, or for a unit that stands alone."""
    known = "unit " + name if value is None else f"{value!r}*{name}"
    if known not in words.renamed:
        unit = _unit(words, name)
        spelt = re.sub(r"\W", "_", f"{value:g}".replace("-", "m").replace("+", "").replace(".", "p")) if value is not None else ""
        ours = fitting(f"unit_{name}" if value is None else f"q_{spelt}_{name}", {*words.avoid, *words.own.values(), *words.found}, words.suffix)
        amount = float(unit) if value is None else value * float(unit)
        says = f"the unit {name} as {words.place} writes it" if value is None else f"written {value:g}*{name} in {words.place}"
        made = number(amount, unit.dim, says)
        fixed = {"low": amount, "high": amount} if value is None else {}
        words.found[ours] = Parameter(value=made.value, unit=made.unit, says=says, source=SOURCE, **fixed)
        words.renamed[known] = ours
    return words.renamed[known]


def _constant(words: Words, name: str, place: str) -> str:
    if name not in words.renamed:
        value = looked_up(words, name)
        if value is None:
            known = [*words.own, *(k for space in words.spaces for k in space)]
            hint = did_you_mean(name, [k for k in known if isinstance(k, str)])
            refuse("name", place, f"{name!r} is no variable of the object, and no number in a namespace; pass namespace={{{name!r}: ...}}.{hint}")
        if isinstance(value, TimedArray) or callable(getattr(value, "pyfunc", None)):
            refuse("function", place, f"{name!r} is a function that is not called; call it, or rename the variable")
        array, _ = units.si(float(value) if isinstance(value, bool | np.bool_) else value, f"{place}, {name!r}")
        if array.ndim:
            refuse("array", place, f"{name!r} has shape {array.shape}; a constant is one number: declare a variable '{name} : unit (constant)'")
        ours = fitting(name, {*words.avoid, *words.own.values(), *words.found}, words.suffix)
        dim = getattr(value, "dim", None)
        words.found[ours] = number(array, DIMENSIONLESS if dim is None else dim, f"{name}, from the namespace of {words.place}")
        words.renamed[name] = ours
    return words.renamed[name]
