"""The whitelist that every name, expression, statement and equation passes before Brian2 sees it.

Brian2 hands text to parsers that evaluate it: a quoted string inside a call can run a shell command, and a
tower of powers can run for ever. So the text is cut into known tokens first, which leaves no way to write a
string, an attribute or an index. Then it is parsed, never evaluated, and its tree compared with a list of
allowed nodes. Last, its size is bounded as it will be when Brian2 has put subexpressions into one another.

That nothing runs is certain, since no token for it exists. That sympy never tarries is not: the bounds cover the
ways known here, and nested exponentials of numbers compared with a number, ``sin(exp(exp(99))) > 0``, still do it.

Hand Brian2 the text without its comments (:func:`without_comments`): it copies a comment behind a statement
into the generated source.
"""

import ast
import graphlib
import keyword
import math
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import NoReturn

_OF_ONE = """exp log log10 sqrt sin cos tan sinh cosh tanh arcsin arccos arctan abs sign floor ceil int
    exprel expm1 log1p"""
FUNCTIONS: Mapping[str, int] = MappingProxyType(dict.fromkeys(_OF_ONE.split(), 1) | {"clip": 3, "timestep": 2, "rand": 0, "randn": 0})
"""The functions that may be called, and their number of arguments."""

_SI = """metre meter kilogram kgram second amp ampere kelvin mole mol candle radian steradian hertz Hz newton
    pascal joule watt coulomb volt farad ohm siemens weber tesla henry lumen lux becquerel gray sievert katal
    mmolar mM"""
UNITS = frozenset(_SI.split())
"""Units of equations besides 1, boolean, integer: without a scale, ``volt`` and never ``mV``."""

_FLAGS = "unless refractory,event-driven,clock-driven,constant,shared,constant over dt,linked,summed"
FLAGS = frozenset(_FLAGS.split(","))

MAX_TEXT, MAX_EXPRESSION, MAX_NAME, MAX_DEPTH, MAX_OPERATORS = 20_000, 2_000, 64, 60, 400  # text as written
MAX_EXPONENT = 64  # of an exponent without names
MAX_DEGREE = 1024  # of any exponent, and of nested ones multiplied, each name counted as 1
MAX_NODES = 5_000  # of an expression with all subexpressions put into it

_WORDS = frozenset({"and", "or", "not", "True", "False"})
_TOKEN = re.compile(
    r"(?P<space>[ \t]+)|(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))|(?P<name>[A-Za-z_]\w*)"
    r"|(?P<operator>\*\*|//|<=|>=|==|!=|[-+*/%<>])|(?P<bracket>[(),])",
    re.ASCII,
)
_NODES = (ast.Constant, ast.Name, ast.Call, ast.Compare, ast.BoolOp, ast.UnaryOp, ast.BinOp)
_BITWISE = (ast.LShift, ast.RShift, ast.BitOr, ast.BitXor, ast.BitAnd, ast.MatMult, ast.Invert)
_STATEMENT = re.compile(r"([A-Za-z_]\w*)\s*(\*\*|//|[-+*/%])?=(.*)", re.ASCII)
_DERIVATIVE = re.compile(r"d(\w+)\s*/\s*dt", re.ASCII)
_TAIL = re.compile(r"([^()]*)(?:\(([^()]*)\)\s*)?")
_FACTOR = r"(?:1|[A-Za-z]+(?:\s*\*\*\s*-?\s*[1-9])?)"
_UNIT = re.compile(rf"{_FACTOR}(?:\s*[*/]\s*{_FACTOR})*")
_STEEP = frozenset({"exp", "expm1", "exprel", "sinh", "cosh"})
_LOGARITHMS = frozenset({"log", "log10", "log1p"})


class TextError(ValueError):
    """Text that is refused; the message names the place, the piece, what is allowed and the remedy."""


@dataclass(frozen=True)
class Names:
    """The names a text reads, the names it assigns or defines, and the functions it calls."""

    read: frozenset[str] = frozenset()
    assigned: frozenset[str] = frozenset()
    called: frozenset[str] = frozenset()


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


def check_name(name: str, place: str) -> None:
    """Refuse, by :class:`TextError`, anything but a plain ASCII name that is no keyword and no function.

    >>> check_name("tau_m", "lif.parameters")
    """
    plain = isinstance(name, str) and re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name) is not None
    if not plain or len(name) > MAX_NAME or "__" in name or keyword.iskeyword(name) or name in FUNCTIONS:
        allowed = f"up to {MAX_NAME} ASCII letters, digits and single '_', a letter first, no keyword or function"
        _refuse(place, f"the name {_quote(name)}", allowed, "rename it")


def check_expression(text: str, place: str) -> Names:
    """Refuse, by :class:`TextError`, all but one expression on one line, without a comment.

    >>> sorted(check_expression("v > V_cut and not_refractory", "adex.threshold").read)
    ['V_cut', 'not_refractory', 'v']
    """
    tree = _parse(text, place)
    _size(tree, {}, place)
    return _names(tree)


def names(expression: str, place: str = "expression") -> Names:
    """What :func:`check_expression` returns, where the place has no name of its own.

    >>> names("exp(v/Delta_T)").called
    frozenset({'exp'})
    """
    return check_expression(expression, place)


def check_statements(text: str, place: str) -> Names:
    """Refuse, by :class:`TextError`, all but statements ``name = expression`` and ``name op= expression``.

    One stands on a line, or several separated by ``;``; comments are allowed, and so is no statement at all.

    >>> sorted(check_statements("c += C_pre  # calcium", "calcium.on_pre").assigned)
    ['c']
    """
    found = []
    for number, line in _lines(text, place):
        where = f"{place}, line {number}"
        for piece in filter(None, (piece.strip() for piece in line.split(";"))):
            match = _STATEMENT.fullmatch(piece)
            if match is None:
                _refuse(where, _quote(piece), "'name = expression' or 'name += expression'", "rewrite it so")
            name, operator, expression = match.groups()
            check_name(name, where)
            found.append(check_expression(expression, where))
            if operator is not None:
                found.append(check_expression(f"{name} {operator} ({expression})", where))
            found.append(Names(assigned=frozenset({name})))
    return _join(found)


def check_equations(text: str, place: str) -> Names:
    """Refuse, by :class:`TextError`, all but Brian2 equations with plain names, units, flags and expressions.

    Forms: ``dx/dt = expression : unit (flags)``, ``x = expression : unit (flags)``, ``x : unit (flags)``. An
    expression may go on over several lines until its ``:``; comments are allowed.

    >>> sorted(check_equations("dv/dt = (E_L - v)/tau : volt (unless refractory)", "lif.equations").read)
    ['E_L', 'tau', 'v']
    """
    found: list[Names] = []
    defined: set[str] = set()
    trees: dict[str, tuple[ast.expr, str]] = {}
    derivatives: set[str] = set()
    for where, equation in _equations(text, place):
        head, _, tail = equation.partition(":")
        left, equals, expression = (part.strip() for part in head.partition("="))
        derivative = _DERIVATIVE.fullmatch(left) if equals else None
        name = derivative.group(1) if derivative else left
        check_name(name, where)
        if name in defined:
            _refuse(where, f"a second definition of {_quote(name)}", "one for each name", "rename or remove one")
        _check_tail(tail, where)
        defined.add(name)
        if equals:
            trees[name] = _parse(expression, where), where
            found.append(_names(trees[name][0]))
            derivatives |= {name} if derivative else set()
    _check_sizes(trees, derivatives, place)
    return _join([*found, Names(assigned=frozenset(defined))])


def without_comments(text: str, place: str) -> str:
    """The text without comments and trailing blanks, line by line: what is to be handed to Brian2.

    >>> without_comments("w += a  # potentiate", "stdp.on_pre")
    'w += a'
    """
    return "\n".join(line.rstrip() for _, line in _lines(text, place))


def _refuse(place: str, got: str, allowed: str, remedy: str) -> NoReturn:
    raise TextError(f"{place}: got {got}; allowed: {allowed}; {remedy}")


def _quote(piece: object) -> str:
    shown = piece if isinstance(piece, str) else repr(piece)
    return ascii(shown) if len(shown) <= MAX_NAME else f"{shown[:MAX_NAME]!a}..."


def _join(parts: list[Names]) -> Names:
    fields = ((part.read, part.assigned, part.called) for part in parts)
    return Names(*(frozenset().union(*column) for column in zip(*fields, strict=True)))


def _lines(text: str, place: str) -> Iterator[tuple[int, str]]:
    """The numbered lines of a text, without comments.

    A hidden line break would end a comment for Python; a backslash at its end would swallow a line in C++.
    """
    if not isinstance(text, str) or len(text) > MAX_TEXT:
        _refuse(place, _quote(text), f"a string of at most {MAX_TEXT} characters", "shorten or split it")
    for number, line in enumerate(text.split("\n"), start=1):
        code, _, comment = line.partition("#")
        hidden = [c for c in line if c != "\t" and unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp")]
        if hidden:
            _refuse(f"{place}, line {number}", _quote(hidden[0]), "no control character but tab", "remove it")
        if comment.rstrip().endswith(("\\", "??/")):
            _refuse(f"{place}, line {number}", "a comment ending in a backslash", "any other end", "remove it")
        yield number, code


def _equations(text: str, place: str) -> Iterator[tuple[str, str]]:
    """Each equation with its place; lines are joined until the ':' of the unit has come."""
    first, pieces = 0, list[str]()
    for number, line in _lines(text, place):
        if line.strip():
            first = first if pieces else number
            pieces.append(line.strip())
        if ":" in line:
            yield f"{place}, line {first}", " ".join(pieces)
            pieces.clear()
    if pieces:
        allowed = "'dx/dt = expression : unit (flags)', 'x = expression : unit (flags)', 'x : unit (flags)'"
        _refuse(f"{place}, line {first}", _quote(" ".join(pieces)), allowed, "add ':' and the unit")


def _check_tail(tail: str, place: str) -> None:
    """Refuse all but ``unit`` or ``unit (flag, flag)``."""
    match = _TAIL.fullmatch(tail)
    unit = match.group(1).strip() if match else tail.strip()
    short = len(unit) <= 4 * MAX_NAME
    plain = short and _UNIT.fullmatch(unit) and UNITS.issuperset(re.findall(r"[A-Za-z]+", unit))
    if match is None or not (plain or unit in ("boolean", "integer")):
        allowed = "1, boolean, integer, or names joined by * / with integer powers like metre**-2, no brackets: "
        allowed += ", ".join(sorted(UNITS))
        _refuse(place, f"the unit {_quote(unit)}", allowed, "put a scale such as milli into the value")
    for flag in [] if match.group(2) is None else match.group(2).split(","):
        if flag.strip() not in FLAGS:
            _refuse(place, f"the flag {_quote(flag.strip())}", ", ".join(sorted(FLAGS)), "correct or remove it")


def _parse(text: str, place: str) -> ast.expr:
    """The tree of one expression, all of whose tokens and nodes are allowed."""
    if not isinstance(text, str) or len(text) > MAX_EXPRESSION or not text.strip():
        _refuse(place, _quote(text), f"an expression of 1 to {MAX_EXPRESSION} characters", "add or split it")
    _check_tokens(text, place)
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        _refuse(place, f"{_quote(text)} ({error})", "one expression", "check its brackets and operators")
    level, nodes = [tree], list[ast.expr]()
    for _ in range(MAX_DEPTH):
        nodes += level
        level = [part for node in level for part in _parts(node)]
    if level:
        _refuse(place, f"{_quote(text)}, nested deeper", f"{MAX_DEPTH} levels", "split it into subexpressions")
    for node in nodes:
        _check_node(node, place)
    return tree


def _parts(node: ast.expr) -> list[ast.expr]:
    inner = node.args if isinstance(node, ast.Call) else ast.iter_child_nodes(node)
    return [part for part in inner if isinstance(part, ast.expr)]


def _check_tokens(text: str, place: str) -> None:
    """Refuse unknown characters, bad names and too many brackets or operators, before parsing."""
    position, depth, deepest, operators = 0, 0, 0, 0
    while position < len(text):
        token = _TOKEN.match(text, position)
        if token is None:
            allowed = "numbers, names, + - * / // % **, comparisons, 'and or not' and calls such as exp(x)"
            remedy = "remove it (quotes, dots, square brackets and letters beyond ASCII have no place here)"
            _refuse(place, f"{_quote(text[position:])} at character {position + 1}", allowed, remedy)
        piece, position = token.group(), token.end()
        if token.lastgroup == "name" and piece not in _WORDS and piece not in FUNCTIONS:
            check_name(piece, place)
        depth += (piece == "(") - (piece == ")")
        deepest = max(deepest, depth)
        operators += token.lastgroup == "operator" or piece in _WORDS
    if deepest > MAX_DEPTH or operators > MAX_OPERATORS:
        allowed = f"{MAX_DEPTH} nested brackets and {MAX_OPERATORS} operators"
        _refuse(place, f"{deepest} and {operators}", allowed, "split it into subexpressions")


def _check_node(node: ast.expr, place: str) -> None:
    """Refuse a node outside the list, a number beyond float and int64, and a call of the wrong kind."""
    got = allowed = ""
    if not isinstance(node, _NODES):
        got, allowed = type(node).__name__, "arithmetic, comparisons and calls"
    elif isinstance(node, ast.BinOp | ast.UnaryOp) and isinstance(node.op, _BITWISE):
        got, allowed = type(node.op).__name__, "the operators + - * / // % **"  # two '<' make one '<<'
    elif isinstance(node, ast.Constant):
        value = node.value
        limit = 2**63 if isinstance(value, int) else math.inf
        if not isinstance(value, (int, float)) or value >= limit:
            got, allowed = "number", "a finite number, an integer below 2**63"
    elif isinstance(node, ast.Name) and node.id in FUNCTIONS:
        got, allowed = "function without a call", "a function with its arguments"
    elif isinstance(node, ast.Compare) and len(node.ops) > 1:
        got, allowed = "chained comparison", "one comparison at a time, joined by 'and'"
    elif isinstance(node, ast.Call):
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name not in FUNCTIONS:
            got, allowed = "call", f"the functions {', '.join(sorted(FUNCTIONS))}"
        elif node.keywords or len(node.args) != FUNCTIONS[name]:
            got, allowed = "call", f"{FUNCTIONS[name]} plain arguments of {name}"
    if got:
        _refuse(place, f"the {got} {_quote(ast.unparse(node))}", allowed, "rewrite it")


def _names(tree: ast.expr) -> Names:
    every = frozenset(node.id for node in ast.walk(tree) if isinstance(node, ast.Name))
    return Names(read=every.difference(FUNCTIONS), called=every.intersection(FUNCTIONS))


def _check_sizes(trees: Mapping[str, tuple[ast.expr, str]], derivatives: set[str], place: str) -> None:
    """Bound every equation with the subexpressions put into it, as Brian2 does."""
    graph = {name: _names(tree).read & (trees.keys() - derivatives) for name, (tree, _) in trees.items()}
    known: dict[str, _Size] = {}
    try:
        for name in graphlib.TopologicalSorter(graph).static_order():
            size = _size(trees[name][0], known, trees[name][1])
            known |= {} if name in derivatives else {name: size}
    except graphlib.CycleError as error:
        _refuse(place, f"a circle of definitions, {' of '.join(error.args[1])}", "none", "break it")


def _size(node: ast.expr, known: Mapping[str, _Size], place: str) -> _Size:
    """Bound what sympy could make of an expression; refuse what would keep it busy for ever."""
    if isinstance(node, ast.Constant):
        value = abs(float(node.value))  # type: ignore[arg-type]
        return _Size(top=max(value, 1.0), bottom=max(1.0 / value, 1.0) if value else 1.0, constant=True)
    if isinstance(node, ast.Name):
        return known.get(node.id, _Size())
    parts = [_size(part, known, place) for part in _parts(node)]
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
        _refuse(place, _quote(ast.unparse(node)), allowed, "make some subexpressions state variables")
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
            _refuse(place, f"the power {_quote(ast.unparse(node))}", allowed, "lower it or make it a parameter")
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
        _refuse(place, _quote(ast.unparse(node)), allowed, "write it as a power")
    steep, logs = whole.steep or name in _STEEP, whole.logs or logarithm
    return replace(whole, degree=degree, top=bound, bottom=bound, steep=steep, logs=logs)


def _refuse_steep(node: ast.expr, place: str) -> NoReturn:
    allowed = f"floor, ceil, // and % of terms without {', '.join(sorted(_STEEP))}"
    _refuse(place, _quote(ast.unparse(node)), allowed, "make the exponential a state variable")
