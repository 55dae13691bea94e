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
import keyword
import math
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from bioneuro.sizes import MAX_NAME, TextError, check_sizes, operands, quote, refuse, size_of

__all__ = [
    "FLAGS", "FUNCTIONS", "HARDWARE", "UNITS", "Names", "TextError", "check_equations", "check_expression", "check_name", "check_statements",
    "equation_lines", "names", "without_comments",
]  # fmt: skip

_OF_ONE = """exp log log10 sqrt sin cos tan sinh cosh tanh arcsin arccos arctan abs sign floor ceil int
    exprel expm1 log1p"""
_PPU = {
    "quantise": "value bits", "count": "value low high", "add": "a b bits", "subtract": "a b bits", "multiply": "a b bits", "scale": "a b n",
    "round": "wide n offset draw", "saturate": "x bits", "weight": "x bits", "byte": "state",
    "clip": "x low high", "lfsr": "state reads k", "uniform": "k", "normal": "k", "noise": "value k",
}  # fmt: skip
HARDWARE: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {f"ppu_{name}": tuple("float" if a == "value" else "integer" for a in arguments.split()) for name, arguments in _PPU.items()}
)
"""What a processor's periodic code may call besides, and Brian2's types of the arguments: the integer arithmetic and the random numbers of
`bioneuro.bss2`. All return integers but ``ppu_normal``, a standard normal draw, and ``ppu_noise``, one times a value."""

_OTHERS = {"clip": 3, "timestep": 2, "rand": 0, "randn": 0, **{name: len(types) for name, types in HARDWARE.items()}}
FUNCTIONS: Mapping[str, int] = MappingProxyType(dict.fromkeys(_OF_ONE.split(), 1) | _OTHERS)
"""The functions that may be called, and their number of arguments."""

_SI = """metre meter kilogram kgram second amp ampere kelvin mole mol candle radian steradian hertz Hz newton
    pascal joule watt coulomb volt farad ohm siemens weber tesla henry lumen lux becquerel gray sievert katal
    mmolar mM"""
UNITS = frozenset(_SI.split())
"""Units of equations besides 1, boolean, integer: without a scale, ``volt`` and never ``mV``."""

_FLAGS = "unless refractory,event-driven,clock-driven,constant,shared,constant over dt,linked,summed"
FLAGS = frozenset(_FLAGS.split(","))

MAX_TEXT, MAX_EXPRESSION, MAX_DEPTH, MAX_OPERATORS = 20_000, 2_000, 60, 400

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


@dataclass(frozen=True)
class Names:
    """The names a text reads, the names it assigns or defines, and the functions it calls."""

    read: frozenset[str] = frozenset()
    assigned: frozenset[str] = frozenset()
    called: frozenset[str] = frozenset()


def check_name(name: str, place: str) -> None:
    """Refuse, by :class:`TextError`, anything but a plain ASCII name that is no keyword and no function.

    >>> check_name("tau_m", "lif.parameters")
    """
    plain = isinstance(name, str) and re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name) is not None
    if not plain or len(name) > MAX_NAME or "__" in name or keyword.iskeyword(name) or name in FUNCTIONS:
        allowed = f"up to {MAX_NAME} ASCII letters, digits and single '_', a letter first, no keyword or function"
        refuse(place, f"the name {quote(name)}", allowed, "rename it")


def check_expression(text: str, place: str) -> Names:
    """Refuse, by :class:`TextError`, all but one expression on one line, without a comment.

    >>> sorted(check_expression("v > V_cut and not_refractory", "adex.threshold").read)
    ['V_cut', 'not_refractory', 'v']
    """
    tree = _parse(text, place)
    size_of(tree, {}, place)
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
                refuse(where, quote(piece), "'name = expression' or 'name += expression'", "rewrite it so")
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
            refuse(where, f"a second definition of {quote(name)}", "one for each name", "rename or remove one")
        _check_tail(tail, where)
        defined.add(name)
        if equals:
            trees[name] = _parse(expression, where), where
            found.append(_names(trees[name][0]))
            derivatives |= {name} if derivative else set()
    check_sizes(trees, derivatives, place)
    return _join([*found, Names(assigned=frozenset(defined))])


def equation_lines(text: str, place: str) -> list[str]:
    """The equations of a text, each on one line and without comments.

    >>> equation_lines("dx/dt = -x/tau : 1  # a leak", "leak.equations")
    ['dx/dt = -x/tau : 1']
    """
    return [equation for _, equation in _equations(text, place)]


def without_comments(text: str, place: str) -> str:
    """The text without comments and trailing blanks, line by line: what is to be handed to Brian2.

    >>> without_comments("w += a  # potentiate", "stdp.on_pre")
    'w += a'
    """
    return "\n".join(line.rstrip() for _, line in _lines(text, place))


def _join(texts: list[Names]) -> Names:
    fields = ((one.read, one.assigned, one.called) for one in texts)
    return Names(*(frozenset().union(*column) for column in zip(*fields, strict=True)))


def _lines(text: str, place: str) -> Iterator[tuple[int, str]]:
    """The numbered lines of a text, without comments.

    A hidden line break would end a comment for Python; a backslash at its end would swallow a line in C++.
    """
    if not isinstance(text, str) or len(text) > MAX_TEXT:
        refuse(place, quote(text), f"a string of at most {MAX_TEXT} characters", "shorten or split it")
    for number, line in enumerate(text.split("\n"), start=1):
        code, _, comment = line.partition("#")
        hidden = [c for c in line if c != "\t" and unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp")]
        if hidden:
            refuse(f"{place}, line {number}", quote(hidden[0]), "no control character but tab", "remove it")
        if comment.rstrip().endswith(("\\", "??/")):
            refuse(f"{place}, line {number}", "a comment ending in a backslash", "any other end", "remove it")
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
        refuse(f"{place}, line {first}", quote(" ".join(pieces)), allowed, "add ':' and the unit")


def _check_tail(tail: str, place: str) -> None:
    """Refuse all but ``unit`` or ``unit (flag, flag)``."""
    match = _TAIL.fullmatch(tail)
    unit = match.group(1).strip() if match else tail.strip()
    short = len(unit) <= 4 * MAX_NAME
    plain = short and _UNIT.fullmatch(unit) and UNITS.issuperset(re.findall(r"[A-Za-z]+", unit))
    if match is None or not (plain or unit in ("boolean", "integer")):
        allowed = "1, boolean, integer, or names joined by * / with integer powers like metre**-2, no brackets: "
        allowed += ", ".join(sorted(UNITS))
        refuse(place, f"the unit {quote(unit)}", allowed, "put a scale such as milli into the value")
    for flag in [] if match.group(2) is None else match.group(2).split(","):
        if flag.strip() not in FLAGS:
            refuse(place, f"the flag {quote(flag.strip())}", ", ".join(sorted(FLAGS)), "correct or remove it")


def _parse(text: str, place: str) -> ast.expr:
    """The tree of one expression, all of whose tokens and nodes are allowed."""
    if not isinstance(text, str) or len(text) > MAX_EXPRESSION or not text.strip():
        refuse(place, quote(text), f"an expression of 1 to {MAX_EXPRESSION} characters", "add or split it")
    _check_tokens(text, place)
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        refuse(place, f"{quote(text)} ({error})", "one expression", "check its brackets and operators")
    level, nodes = [tree], list[ast.expr]()
    for _ in range(MAX_DEPTH):
        nodes += level
        level = [part for node in level for part in operands(node)]
    if level:
        refuse(place, f"{quote(text)}, nested deeper", f"{MAX_DEPTH} levels", "split it into subexpressions")
    for node in nodes:
        _check_node(node, place)
    return tree


def _check_tokens(text: str, place: str) -> None:
    """Refuse unknown characters, bad names and too many brackets or operators, before parsing."""
    position, depth, deepest, operators = 0, 0, 0, 0
    while position < len(text):
        token = _TOKEN.match(text, position)
        if token is None:
            allowed = "numbers, names, + - * / // % **, comparisons, 'and or not' and calls such as exp(x)"
            remedy = "remove it (quotes, dots, square brackets and letters beyond ASCII have no place here)"
            refuse(place, f"{quote(text[position:])} at character {position + 1}", allowed, remedy)
        piece, position = token.group(), token.end()
        if token.lastgroup == "name" and piece not in _WORDS and piece not in FUNCTIONS:
            check_name(piece, place)
        depth += (piece == "(") - (piece == ")")
        deepest = max(deepest, depth)
        operators += token.lastgroup == "operator" or piece in _WORDS
    if deepest > MAX_DEPTH or operators > MAX_OPERATORS:
        allowed = f"{MAX_DEPTH} nested brackets and {MAX_OPERATORS} operators"
        refuse(place, f"{deepest} and {operators}", allowed, "split it into subexpressions")


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
        refuse(place, f"the {got} {quote(ast.unparse(node))}", allowed, "rewrite it")


def _names(tree: ast.expr) -> Names:
    every = frozenset(node.id for node in ast.walk(tree) if isinstance(node, ast.Name))
    return Names(read=every.difference(FUNCTIONS), called=every.intersection(FUNCTIONS))
