"""The whitelist lets the house's equations through and nothing that could run, hang or hide."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bioneuro import text
from bioneuro.text import TextError

Check = Callable[[str, str], Any]
PLACE = "adex.equations"


def refuses(check: Check, piece: str) -> str:
    """Assert a refusal in less than a second that names place, allowed set and remedy; return its message."""
    start = time.perf_counter()
    with pytest.raises(TextError) as caught:
        check(piece, PLACE)
    assert time.perf_counter() - start < 1.0
    message = str(caught.value)
    assert message.startswith(PLACE)
    assert "; allowed: " in message, message
    assert 2 <= message.count("; ") <= len(message) < 1500
    return message


# Every place a piece of text may stand in.
FIELDS: dict[str, Check] = {
    "expression": text.check_expression,
    "names": text.names,
    "statement": lambda piece, place: text.check_statements(f"x = {piece}", place),
    "augmented": lambda piece, place: text.check_statements(f"a = 1; x += {piece}", place),
    "differential": lambda piece, place: text.check_equations(f"dx/dt = {piece} : volt", place),
    "subexpression": lambda piece, place: text.check_equations(f"x = {piece} : 1 (constant over dt)", place),
    "unit": lambda piece, place: text.check_equations(f"x : {piece}", place),
    "flag": lambda piece, place: text.check_equations(f"x : volt ({piece})", place),
    "name": text.check_name,
    "defined": lambda piece, place: text.check_equations(f"{piece} = 1 : 1", place),
    "derived": lambda piece, place: text.check_equations(f"d{piece}/dt = 1/second : 1", place),
    "assigned": lambda piece, place: text.check_statements(f"{piece} = 1", place),
}
HOSTILE = [
    "x.real", "1 .real", "1..real", "().__class__", "x.__class__.__mro__", "x[0]", "x[()]", "lambda: 0",
    "(lambda: 0)()", "f'{x}'", "f\"{exp(x)}\"", "'text'", '"text"', "exp('x')", 'exp("x")', "b'x'",
    "exp(r'x')", "[y for y in x]", "(y for y in x)", "{x}", "{}", "[]", "()", "(x, y)", "x, y", "x,",
    "(x := 3)", "x if y else z", "*x", "exp(*x)", "exp(**x)", "exp(x=1)", "clip(x, 0, max=1)", "x @ y",
    "x & y", "x | y", "x ^ y", "~x", "x << 2", "x >> 2", "x is y", "x in y", "x not in y", "not", "x y",
    "x +", "(x", "x)", "x ! y", "x = y", "1 < x < 2", "x == y == z", "1j", "2.5J", "0x10", "0b1", "0o7",
    "1_000", "007", "1e999", "1e", "9" * 20, "9" * 400, "None", "...", "__import__", "__import__(x)",
    "_x", "x__y", "__x__", "eval(x)", "open(x)", "exec(x)", "getattr(x, y)", "print(x)", "import os",
    "await x", "yield x", "exp", "exp + 1", "exp()", "exp(x, y)", "exp(x)(y)", "(exp)(x)(y)", "x(y)",
    "clip(x)", "rand(3)", "timestep(x)", "max(x, y)", "1(2)", "é", "x + µ", "ｘ", "x²", "x\u2212y",
    "x\u00a0+y", "x\u200b", "𝑥", "x\\", "x\\\n+1", "x $ y", "x ? y", "`x`", "x: int", "x\r", "x\x0cy",
    "x\x00", "x\u2028y", "x; y", "x\ny", "a" * 65, "", "(" * 61 + "x" + ")" * 61,
    "(" * 300 + "x" + ")" * 300, "(" * 900, ")" * 900, "exp(" * 300 + "x" + ")" * 300, "-" * 300 + "x",
    "not " * 300 + "x", "+".join(["x"] * 300), "x" * 10_000, "x+" * 5_000 + "x", "((x,(" * 200,
    "not (" * 60 + "x,", "x or " * 399 + "x < 1 or y", "x" * 30_000, "'" * 10_000, "9" * 1_999,
    "x<" * 500 + "x",
]  # fmt: skip
POWERS = [
    "9**9**9", "9**9**9**9", "9**(9**9)", "x**y**z", "x**(y**z)", "x**(1 + y**z)", "2**(1*9**9)", "9**65",
    "9**99999999", "9**1e9", "9**-99", "9**(-99)", "9**(64*64)", "9**(64 + 1)", "9**(64/0.001)",
    "9**(1/(1/65))", "((9**64)**64)**64", "(x**64)**64", "9**(x + 99999999)*9**(-x)",
    "x**((y + y)*64*64)", "2**-(1 - 9**9)", "2**(+(9**9))", "2**abs(0 - 99)", "9**floor(64*64)",
    "sqrt(9**9**9)", "exp(9**9**9)", "9**sqrt(9**9)", "floor(exp(999999999))", "ceil(sinh(x))",
    "exp(999999999) % 2", "exp(999999999)//2", "floor(exp(x) - exp(x))", "exp(99999999*log(9))",
    "exp(9**9*log(9))", "exp(log(9)/(9**-9))", "exp(log(9)/0.0000001)", "9**(x % 9999)",
    "**".join(["x"] * 300), "((" * 20 + "9" + ")**2)**2" * 20 + "",
]  # fmt: skip


@pytest.mark.parametrize("field", sorted(FIELDS))
def test_hostile_text_is_refused(field: str) -> None:
    for piece in HOSTILE + POWERS:
        refuses(FIELDS[field], piece)


PAYLOADS = [
    'exp(\'__import__("os").system("touch {marker}")\')',
    "exp(\"__import__('os').system('touch {marker}')\")",
    "__import__('os').system('touch {marker}')",
    "().__class__.__base__.__subclasses__()[0]('touch {marker}')",
    'exp(f\'{{__import__("os").system("touch {marker}")}}\')',
    "x # \r__import__('os').system('touch {marker}')",
    "x # \u2028__import__('os').system('touch {marker}')",
    "x\n__import__('os').system('touch {marker}')",
    '1 : volt\nexp(\'open("{marker}", "w")\') : 1',
]


@pytest.mark.parametrize("field", sorted(FIELDS))
def test_payloads_never_run(field: str, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    for payload in PAYLOADS:
        refuses(FIELDS[field], payload.replace("{{", "{").replace("}}", "}").replace("{marker}", str(marker)))
    assert not marker.exists()


@pytest.mark.parametrize(
    ("check", "piece"),
    [
        (text.check_statements, "x"),
        (text.check_statements, "v + 1"),
        (text.check_statements, "x == 1"),
        (text.check_statements, "x = y = 1"),
        (text.check_statements, "x, y = 1"),
        (text.check_statements, "x.y = 1"),
        (text.check_statements, "x[0] = 1"),
        (text.check_statements, "x &= 1"),
        (text.check_statements, "x : float = 1"),
        (text.check_statements, "exp = 1"),
        (text.check_statements, "x *= 1) + (2"),
        (text.check_statements, "x **= 99"),
        (text.check_statements, "x **= y**z"),
        (text.check_statements, "x = 1 # a \\"),
        (text.check_statements, "x = 1 # a ??/ "),
        (text.check_statements, "if x: y = 1"),
        (text.check_statements, "import os"),
        (text.check_statements, "x = (1 +\n2)"),
        (text.check_equations, "dv/dt = x"),
        (text.check_equations, "dv/dt : volt"),
        (text.check_equations, "dv/dt = : volt"),
        (text.check_equations, "dv/ds = 1 : volt"),
        (text.check_equations, "v = 1 : volt : volt"),
        (text.check_equations, "v : volt\nv : volt"),
        (text.check_equations, "v : volt\ndv/dt = 1 : volt"),
        (text.check_equations, "v :"),
        (text.check_equations, ": volt"),
        (text.check_equations, "v : mV"),
        (text.check_equations, "v : mvolt"),
        (text.check_equations, "v : 2*volt"),
        (text.check_equations, "v : volt**0.5"),
        (text.check_equations, "v : volt**10"),
        (text.check_equations, "v : volt*(second)"),
        (text.check_equations, "v : boolean*volt"),
        (text.check_equations, "v : bool"),
        (text.check_equations, "v : __builtins__"),
        (text.check_equations, "v : volt ()"),
        (text.check_equations, "v : volt (constant, )"),
        (text.check_equations, "v : volt (constant) (shared)"),
        (text.check_equations, "v : volt (constnat)"),
        (text.check_equations, "v : volt constant"),
        (text.check_equations, "exp : 1"),
        (text.check_equations, "a = b : 1\nb = a : 1"),
        (text.check_equations, "a = 9**64 : 1\nb = a**64 : 1"),
        (text.check_equations, "n = 99 : 1\nb = 2**n : 1"),
        (text.check_equations, "n = 9**9 : 1\ndb/dt = 9**n/second : 1"),
        (text.check_equations, "a = exp(999999999) : 1\nb = floor(a) : 1"),
        (text.check_equations, "a = 99999999*log(9) : 1\nb = exp(a) : 1"),
        (
            text.check_equations,
            "a0 = x*y : 1\n" + "\n".join(f"a{k + 1} = a{k}*(a{k} + 1) : 1" for k in range(40)),
        ),
        (text.check_equations, "v : volt\n" * 3_000),
        (text.check_equations, ":" * 20_000),
        (text.check_equations, "x : " + "volt*" * 3_000 + "volt"),
        (text.check_equations, "x : volt" + " " * 15_000 + "!"),
        (text.check_equations, "x" + " " * 15_000 + "= 1 : 1 (" * 2),
        (text.check_statements, "x" + " " * 19_000 + "!"),
        (text.check_statements, "x = 1;" * 4_000),
    ],
)
def test_malformed_texts_are_refused(check: Check, piece: str) -> None:
    refuses(check, piece)


@pytest.mark.parametrize("value", [None, 3, b"x", ["x"], 1.5])
def test_only_strings_are_text(value: Any) -> None:
    for check in (text.check_name, text.check_expression, text.check_statements, text.check_equations):
        refuses(check, value)


def test_the_longest_allowed_texts_are_quick() -> None:
    many = "\n".join(f"a{k} : 1" for k in range(1_500))
    chain = "\n".join(f"a{k + 1} = a{k} + 1 : 1" for k in range(900))
    start = time.perf_counter()
    for equations in (many, chain):
        text.check_equations(equations, PLACE)
    assert time.perf_counter() - start < 2.0


@pytest.mark.parametrize(
    ("piece", "read", "called"),
    [
        ("v > V_cut and not_refractory", {"v", "V_cut", "not_refractory"}, set()),
        ("not (v <= 3*mV) or x != 1e-3", {"v", "mV", "x"}, set()),
        ("True", set(), set()),
        ("clip(w + a_post, 0, w_max)", {"w", "a_post", "w_max"}, {"clip"}),
        (
            "timestep(t - lastspike, dt) <= timestep(refractory, dt)",
            {"t", "lastspike", "dt", "refractory"},
            {"timestep"},
        ),
        ("rand() < p*exp(-x**2/(2*s**2))", {"p", "x", "s"}, {"rand", "exp"}),
        ("Q10**((T - 297.15*kelvin)/(10*kelvin))", {"Q10", "T", "kelvin"}, set()),
        ("exp(-log(2)*t/tau)", {"t", "tau"}, {"exp", "log"}),
        ("exp(-(log(x) - mu)**2/(2*s**2))/x", {"x", "mu", "s"}, {"exp", "log"}),
        ("m**3*h*(E - v)*(1 + c/K)**-0.5", {"m", "h", "E", "v", "c", "K"}, set()),
        ("c**n/(c**n + K**n)", {"c", "n", "K"}, set()),
        ("x // 2 % 3", {"x"}, set()),
        ("+-x", {"x"}, set()),
        ("  .5e-3*x + 2.*y ", {"x", "y"}, set()),
    ],
)
def test_expressions_pass(piece: str, read: set[str], called: set[str]) -> None:
    assert text.check_expression(piece, PLACE) == text.names(piece) == text.Names(frozenset(read), frozenset(), frozenset(called))


@pytest.mark.parametrize(
    ("piece", "assigned", "read"),
    [
        ("", set(), set()),
        ("  # nothing happens \N{GREEK SMALL LETTER TAU}\n\n", set(), set()),
        ("v = V_reset; w += b", {"v", "w"}, {"V_reset", "w", "b"}),
        ("w = clip(w + a_post, 0, w_max)", {"w"}, {"w", "a_post", "w_max"}),
        ("c += C_pre", {"c"}, {"c", "C_pre"}),
        (
            "a_pre *= exp(-dt/tau)  # decay; 'quoted' f'{x}' \\tau here\na_pre += A;",
            {"a_pre"},
            {"a_pre", "dt", "tau", "A"},
        ),
        (
            "x **= 2\ny //= 2\nz %= 3\nu -= 1\nv_post /= 2",
            {"x", "y", "z", "u", "v_post"},
            {"x", "y", "z", "u", "v_post"},
        ),
    ],
)
def test_statements_pass(piece: str, assigned: set[str], read: set[str]) -> None:
    found = text.check_statements(piece, PLACE)
    assert set(found.assigned) == assigned
    assert set(found.read) == read


EQUATIONS = [
    "dv/dt = (E_L - v + R*I)/tau : volt (unless refractory)",
    """
    dv/dt = (g_L*(E_L - v) + g_L*Delta_T*exp((v - V_T)/Delta_T) - w + I)/C : volt (unless refractory)
    dw/dt = (a*(v - E_L) - w)/tau_w : amp   # adaptation, in µA: 'see' [1]
    I : amp
    """,
    """dc/dt = -c/tau_Ca : 1 (clock-driven)
    drho/dt = (gamma_p*(1 - rho)*int(c >= theta_p) - gamma_d*rho*int(c >= theta_d))/tau
        + sigma*sqrt((int(c >= theta_p) + int(c >= theta_d))/tau)*xi : 1   # the noise
    potentiating = c >= theta_p : boolean""",
    """w : 1
    da_pre/dt = -a_pre/tau_pre : 1 (event-driven)
    da_post/dt = -a_post/tau_post : 1 (event-driven)
    g_post = w*s : siemens (summed)
    k : integer (constant)
    tau : second (constant, shared)
    r : 1/second
    D : metre**2/second**3*volt ** -1
    x = rand() : 1 (constant over dt)
    y : volt (linked)""",
    "",
]


@pytest.mark.parametrize("equations", EQUATIONS)
def test_equations_pass_here_and_mean_the_same_to_brian2(equations: str) -> None:
    """Brian2 finds the definitions found here, in the text with its comments and in the text without."""
    brian2 = pytest.importorskip("brian2")
    found = text.check_equations(equations, PLACE)
    for version in (equations, text.without_comments(equations, PLACE)):
        theirs = brian2.Equations(version)
        assert set(theirs.names) == found.assigned
        # Brian2 counts functions among the identifiers, and leaves out what the equations define.
        assert set(theirs.identifiers) == (found.read | found.called) - found.assigned


def test_all_units_are_brian2s() -> None:
    from_string = pytest.importorskip("brian2.equations.equations").dimensions_and_type_from_string
    for unit in text.UNITS:
        from_string(unit)


def test_without_comments_keeps_the_lines() -> None:
    assert text.without_comments("a = 1 # x\n# y\n\tb = 2  ", PLACE) == "a = 1\n\n\tb = 2"
    refuses(text.without_comments, "a = 1 # \x0b b")


def test_messages_say_where_what_and_how() -> None:
    message = refuses(text.check_equations, "v : volt\n\nw : 1 (fixed)")
    assert message == (
        "adex.equations, line 3: got the flag 'fixed'; allowed: clock-driven, constant, constant over dt, "
        "event-driven, linked, shared, summed, unless refractory; correct or remove it"
    )
    assert "line 2" in refuses(text.check_statements, "x = 1\ny = os.x")
    assert "'.x'" in refuses(text.check_expression, "os.x")
    assert "line 2" in refuses(text.check_equations, "v : 1\nw = 1 +\n\n x.y : 1")


FRAGMENTS = [
    "x", "y1", "exp", "clip", "int", "rand", "lambda", "not", "and", "or", "if", "else", "for", "in", "True",
    "None", "__class__", "d", "dt", "volt", "1", "9", "64", "1e308", ".5", "1j", "(", ")", "[", "]", "{", "}", ",",
    ".", ":", ";", "=", "==", "<", ">=", "+", "-", "*", "**", "/", "//", "%", "@", "~", "'", '"', "f'", "\\", "#",
    "\n", "\r", "\t", " ", "\x00", "é", "\u2028", "constant", "unless refractory", "dx/dt", ":=", "!", "_",
]  # fmt: skip
SOUP = st.one_of(
    st.lists(st.sampled_from(FRAGMENTS), max_size=40).map("".join),
    st.lists(st.sampled_from(FRAGMENTS), max_size=40).map(" ".join),
    st.text(max_size=200),
    st.builds(lambda piece, count: piece * count, st.sampled_from(FRAGMENTS), st.integers(1, 3_000)),
)


@pytest.mark.parametrize("field", sorted(FIELDS))
def test_fuzz_ends_in_a_clean_pass_or_a_refusal(field: str) -> None:
    @settings(max_examples=150, deadline=1000)
    @given(SOUP)
    @example(("(" + "-") * 2_000)
    def run(piece: str) -> None:
        try:
            FIELDS[field](piece, PLACE)
        except TextError:
            return
        code = "".join(line.partition("#")[0] for line in piece.split("\n"))
        assert not set(code) & set("'\"[]{}@~\\`$?")
        assert code.isascii()
        assert "__" not in code

    run()


ATOM = st.sampled_from(["x", "tau_m", "1", "2.5", "1e-3", "rand()", "True"])


def _larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from("+ - * / < >= == and or".split()), inner),
        st.builds("{}({})".format, st.sampled_from(["exp", "sqrt", "abs", "tanh", "int"]), inner),
        st.builds("clip({}, 0, {})".format, inner, inner),
        st.builds("(-{})".format, inner),
        st.builds("({})**2".format, inner),
    )


@settings(max_examples=200, deadline=None)
@given(st.recursive(ATOM, _larger, max_leaves=8))
def test_grammar_passes(piece: str) -> None:
    """What the grammar makes is accepted in every field, with the same names."""
    found = text.names(piece)
    assert text.check_equations(f"y = {piece} : 1", PLACE).read == found.read
    assert text.check_statements(f"y = {piece}", PLACE).read == found.read
