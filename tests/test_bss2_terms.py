"""Reading a learning rule as sums of terms: the sums are the right-hand sides, the changes are the statements."""

import re
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from rules import ACCEPTED, SYNAPSES, rule, value

from bioneuro import text
from bioneuro.bss2.terms import Change, ConstrainError, Gate, Level, Noise, Reading, Sensed, Slow, Term, read
from bioneuro.catalogue import graupner2012, luboeinski2021, song2000
from bioneuro.equations import equations_of
from bioneuro.model import Synapse

FITTING = [name for name in SYNAPSES if name.startswith(ACCEPTED)]


def is_open(gate: Gate, known: Mapping[str, float]) -> bool:
    x = known[gate.variable]
    above = bool(gate.high) and (x > value(gate.high, known) if gate.strict else x >= value(gate.high, known))
    below = bool(gate.low) and (x < value(gate.low, known) if gate.strict else x <= value(gate.low, known))
    return above or below


def value_of(slow: Slow, known: Mapping[str, float]) -> float:
    """The sum over terms and noises."""
    total = 0.0
    for term in slow.terms:
        product = value(term.coefficient, known)
        for level in term.levels:
            product *= level.sign * (known[level.variable] - value(level.level, known))
        total += product * all(is_open(gate, known) for gate in term.gates)
    for noise in slow.noises:
        state = sum(is_open(gate, known) << k for k, gate in enumerate(noise.gates))
        every = [value(amplitude, known) for amplitude in noise.amplitudes]
        assert len(every) == 2 ** len(noise.gates)
        assert np.isfinite(every).all()
        total += every[state] * known[noise.symbol]
    return total


def assert_equal(slow: Slow, right: str, known: Mapping[str, float]) -> None:
    """The sum is the right-hand side, but for the rounding of its summands."""
    assert value_of(slow, known) == pytest.approx(value(right, known), rel=1e-12, abs=1e-12 * value(right, known, size=True))


def one(right: str) -> Slow:
    """dx/dt = (right)/tau, read beside a slow y and an analog c."""
    reading = read(rule(f"dx/dt = {right} : 1\ndy/dt = -y/tau : 1\ndc/dt = -c/tau : 1"))
    assert reading.analog == ("c",)
    return reading.slow[0]


def random_values(model: Synapse, rng: np.random.Generator) -> dict[str, float]:
    """Numbers of the size that they have in the model, and at thresholds as often below as above."""
    known = {name: float(np.max(np.abs(p.value))) * rng.uniform(0.3, 3) for name, p in model.parameters.items()}
    scale = max([abs(float(np.max(np.abs(p.value)))) for name, p in model.initial.items()] + [1e-3])
    for name, unit in model.states.items():
        known[name] = rng.uniform(-2, 4) * (scale if unit != "1" else 1.0)
    return {**known, "xi": rng.normal()}


@pytest.mark.parametrize("name", FITTING)
def test_terms_are_the_right_hand_side(name: str) -> None:
    model, rng = SYNAPSES[name], np.random.default_rng(1)
    right = {e.name: e.right for e in equations_of(model.equations) if e.kind == "differential"}
    for _ in range(40):
        known = random_values(model, rng)
        for slow in read(model).slow:
            assert_equal(slow, right[slow.name], known)


@pytest.mark.parametrize("name", [name for name in FITTING if name.startswith(("song2000", "vogels2011"))])
def test_changes_are_the_statements(name: str) -> None:
    model, rng = SYNAPSES[name], np.random.default_rng(2)
    (sensed,) = read(model).sensed
    for k, pathway in enumerate(model.pathways):
        (right,) = re.findall(r"\bw = ([^;\n]*)", pathway.code)
        for _ in range(20):
            known = random_values(model, rng)
            added = sum(value(c.coefficient, known) * (1 if c.what == "1" else known[c.what]) for c in sensed.changes if c.pathway == k)
            clipped = min(max(known["w"] + added, value(sensed.low, known)), value(sensed.high, known))
            assert clipped == pytest.approx(value(right, known), rel=1e-12, abs=1e-12)


# Expressions over eighths: thresholds compare without rounding, ties included. k may be 0.
_NUMBERS = ("2", "0.5", "1", "3", "0.25")
_BRACKETS = ("(a - x)", "(x + k)", "(1 - 2*x)", "(k*x - a)", "(b*y - a*k)", "sqrt(a)", "clip(a, k, b)")
_CONDITIONS = ("int(a >= b)", "int(k < 1)", "int(b <= abs(x - a))", "int(x/2 - 1 >= k - 3)", "int(2*(y - a) < b)")
_ATOMS = st.one_of(
    st.sampled_from([*_NUMBERS, *"abkxycx", *_BRACKETS, *_CONDITIONS]),
    st.builds(
        "int({}{}{} {} {}*{})".format, st.sampled_from(["", "-", "2*", "-0.5*"]), st.sampled_from("xyc"), st.sampled_from(["", " - k", " + 0.5"]),
        st.sampled_from([">=", ">", "<=", "<"]), st.sampled_from("abk"), st.sampled_from(_NUMBERS),
    ),
    st.builds("int(abs({} - {}) {} {})".format, st.sampled_from("xyc"), st.sampled_from("abk"), st.sampled_from([">=", ">"]), st.sampled_from("abk")),
)  # fmt: skip


def _grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from("+-"), inner),
        st.builds("{}*{}".format, inner, inner),
        st.builds("({})/{}".format, inner, st.sampled_from(["a", "b", "2", "(a + b)", "(-b)"])),
        st.builds("({})**{}".format, inner, st.sampled_from("123")),
        st.builds("(-{})".format, inner),
    )


_EIGHTHS = st.integers(-32, 32).map(lambda n: n / 8)
_POSITIVE = st.integers(1, 32).map(lambda n: n / 8)
_VALUES = st.fixed_dictionaries({"x": _EIGHTHS, "y": _EIGHTHS, "c": _EIGHTHS, "a": _POSITIVE, "b": _POSITIVE, "k": _POSITIVE | st.just(0.0)})


@given(right=st.recursive(_ATOMS, _grown, max_leaves=8), values=_VALUES)
@example(right="(x - int(x >= a*1))*(2*(a - x)/b)", values={"x": 1.0, "y": 0.0, "c": 0.0, "a": 1.0, "b": 2.0, "k": 0.0})
@example(right="(k*x - a)*(b - 2*x)", values={"x": 1.5, "y": 0.0, "c": 0.0, "a": 1.0, "b": 2.0, "k": 0.0})
@example(right="(-(a - x) - -x*b)", values={"x": 1.5, "y": 0.0, "c": 0.0, "a": 1.0, "b": 2.0, "k": 0.0})
def test_any_sum_of_products_is_kept(right: str, values: dict[str, float]) -> None:
    """The sum over terms is the right-hand side, whatever its brackets."""
    try:
        slow = one(f"({right})/tau")
    except (ConstrainError, text.TextError) as error:
        if "64 terms" not in str(error) and not isinstance(error, text.TextError):
            raise
        assume(False)
    known = {**values, "tau": 2.0}
    assert all(abs(level.sign) == 1 for term in slow.terms for level in term.levels)
    assert_equal(slow, f"({right})/tau", known)


@pytest.mark.parametrize(
    ("condition", "high", "low", "strict"),
    [
        ("x >= a", "a", "", False), ("x > a", "a", "", True), ("a <= x", "a", "", False), ("x <= a", "", "a", False), ("a > x", "", "a", True),
        ("x - a >= b", "a + b", "", False), ("a - x >= b", "", "a - b", False), ("a - x < b", "a - b", "", True),
        ("abs(x - a) >= b", "a + b", "a - b", False), ("b < abs(a - x)", "a + b", "a - b", True),
        ("abs(2*x - a) >= b", "a/2 + b/2", "a/2 - b/2", False),
        ("2*x >= a", "a/2", "", False), ("-2*x >= a", "", "-a/2", False), ("x >= 0", "0", "", False), ("x + 0.5 > 0", "-0.5", "", True),
        ("2*(x - a) >= b", "(2*a + b)/2", "", False), ("x/4 >= a", "a/0.25", "", False), ("c - a*b >= k", "a*b + k", "", False),
    ],
)  # fmt: skip
def test_gates(condition: str, high: str, low: str, strict: bool) -> None:
    """A condition as bounds of its variable, true where the condition is; numbers are eighths, so also at the bounds."""
    (term,) = one(f"int({condition})/tau").terms
    (gate,) = term.gates
    assert gate == Gate(variable="c" if "c" in condition else "x", high=high, low=low, strict=strict)
    rng = np.random.default_rng(3)
    for _ in range(300):
        known = {name: float(rng.integers(-16, 16)) / 8 for name in "xcabk"}
        assert is_open(gate, known) == bool(value(condition, known)), known


@pytest.mark.parametrize(
    ("amplitude", "amplitudes"),
    [
        ("a", ("a",)),
        ("a*int(c >= b)", ("0", "a")),
        ("a*sqrt(1 + int(c >= b))", ("a", "a*sqrt(2)")),
        ("a/(1 + int(x >= b))", ("a", "a/2")),
        ("a*sqrt(int(c >= a) + int(x <= b) + int(abs(y - a) > k))",
         ("0", "a", "a", "a*sqrt(2)", "a", "a*sqrt(2)", "a*sqrt(2)", "a*sqrt(3)")),
        ("(a - b*int(c >= k)*int(k >= 1))", ("a", "a - b*int(k >= 1)")),
        ("int(c >= b)**2*exp(-k*(1 - int(c >= b)))", ("0", "exp(0)")),
    ],
)  # fmt: skip
def test_noise(amplitude: str, amplitudes: tuple[str, ...]) -> None:
    """The amplitude for every state of its gates is the amplitude."""
    right = f"({amplitude})*xi/sqrt(tau) - x/tau"
    (noise,) = one(right).noises
    assert noise.symbol == "xi"
    rng = np.random.default_rng(4)
    got = one(right)
    for k, expected in enumerate(amplitudes):
        known = {name: rng.uniform(0.2, 2) for name in ("a", "b", "k", "tau")}
        assert value(noise.amplitudes[k], known) == pytest.approx(value(f"({expected})/sqrt(tau)", known), rel=1e-12)
    for _ in range(50):
        known = {name: rng.uniform(0.2, 2) for name in ("a", "b", "k", "tau", "x", "y", "c", "xi")}
        assert value_of(got, known) == pytest.approx(value(right, known), rel=1e-12, abs=1e-12)


def test_noises_of_several_symbols_and_summands() -> None:
    right = "((a*int(c >= a) + b)*xi_x + k*xi_y - b*int(c >= b)*xi_x)/sqrt(tau)"
    slow = one(right)
    assert [(n.symbol, len(n.gates)) for n in slow.noises] == [("xi_x", 2), ("xi_y", 0)]
    assert slow.terms == ()
    known = {"a": 1.0, "b": 2.0, "k": 0.5, "tau": 2.0, "xi_x": 0.3, "xi_y": -0.7}
    for c in (0.0, 1.0, 1.5, 2.0):
        assert value_of(slow, {**known, "c": c}) == pytest.approx(value(right, {**known, "c": c}), rel=1e-12)


@pytest.mark.parametrize(
    ("right", "terms"),
    [
        ("2*(a - x)/b/tau", [("2/b/tau", [("x", -1, "a")])]),
        ("x/tau", [("1/tau", [("x", 1, "0")])]),
        ("-k*c*(1 - x)/tau", [("-k/tau", [("c", 1, "0"), ("x", -1, "1")])]),
        ("k*(c - a)*x/tau", [("k/tau", [("c", 1, "a"), ("x", 1, "0")])]),
        ("(a - b*x)/tau", [("b/tau", [("x", -1, "a/b")])]),
        ("(a - k*x)/tau", [("a/tau", []), ("-k/tau", [("x", 1, "0")])]),  # k may be 0, and a/k has no value there
        ("(k*(a - x) + b*(1 - x))/tau", [("k/tau", [("x", -1, "a")]), ("b/tau", [("x", -1, "1")])]),
        ("(y - x)/tau", [("1/tau", [("y", 1, "0")]), ("-1/tau", [("x", 1, "0")])]),
        ("(1 - x)**2/tau", [("1/tau", [("x", -1, "1"), ("x", -1, "1")])]),
        ("0*x/tau", []),
        ("0/tau", []),
    ],
)
def test_brackets_are_levels(right: str, terms: list[tuple[str, list[tuple[str, int, str]]]]) -> None:
    expected = [
        Term(coefficient=c, levels=tuple(Level(variable=v, sign=s, level=at) for v, s, at in levels), gates=()) for c, levels in terms
    ]
    assert list(one(right).terms) == expected


def test_computed_lines_are_put_in() -> None:
    reading = read(rule("""dx/dt = rate*(goal - x) : 1
        rate = above/tau : hertz
        above = int(c >= a) : 1
        goal = a + b : 1
        dc/dt = -pace*c : 1
        pace = 1/tau : hertz"""))  # fmt: skip
    level, gate = Level(variable="x", sign=-1, level="a + b"), Gate(variable="c", high="a", low="", strict=False)
    assert reading.analog == ("c",)
    assert reading.slow[0].terms == (Term(coefficient="1/tau", levels=(level,), gates=(gate,)),)


def test_statements_of_digital_variables() -> None:
    """Without bounds, with the variable at any place in the sum, with a constant."""
    reading = read(rule("w : 1\ndc/dt = -c/tau : 1", pre="w -= a*c - 2*b*(c - k)", post="w = a + w; c += 1"))
    changes = [(0, "-a", "c"), (0, "2*b", "c"), (0, "-2*b*k", "1"), (1, "a", "1")]
    expected = tuple(Change(pathway=k, coefficient=c, what=what) for k, c, what in changes)
    assert reading.sensed == (Sensed(name="w", unit="1", low="", high="", changes=expected),)


def _gate(variable: str, high: str = "", low: str = "") -> Gate:
    return Gate(variable=variable, high=high, low=low, strict=False)


def _level(variable: str, sign: int = 1, level: str = "0") -> Level:
    return Level(variable=variable, sign=sign, level=level)


def _term(coefficient: str, *parts: Level | Gate) -> Term:
    levels, gates = [p for p in parts if isinstance(p, Level)], [p for p in parts if isinstance(p, Gate)]
    return Term(coefficient=coefficient, levels=tuple(levels), gates=tuple(gates))


def _two_thresholds(variable: str, sigma: str, tau: str) -> Noise:
    one_, two = f"{sigma}*sqrt(1/{tau})", f"{sigma}*sqrt(2/{tau})"
    return Noise(symbol="xi", gates=(_gate(variable, "theta_p"), _gate(variable, "theta_d")), amplitudes=("0", one_, one_, two))


@pytest.mark.parametrize("name", luboeinski2021.SETS)
def test_reading_of_luboeinski2021(name: str) -> None:
    h = Slow(name="h", unit="volt", noises=(_two_thresholds("Ca", "sigma_pl", "tau_h"),), terms=(
        _term("leak/tau_h", _level("h", -1, "h0")),
        _term("gamma_p/tau_h", _level("h", -1, "h_max"), _gate("Ca", "theta_p")),
        _term("-gamma_d/tau_h", _level("h"), _gate("Ca", "theta_d")),
    ))  # fmt: skip
    z = Slow(name="z", unit="1", noises=(), terms=(
        _term("1/tau_z", _level("p"), _level("z", -1, "1"), _gate("h", "h0 + theta_tag")),
        _term("-1/tau_z", _level("p"), _level("z", 1, "-0.5"), _gate("h", "", "h0 - theta_tag")),
    ))  # fmt: skip
    p = Slow(name="p", unit="1", noises=(), terms=(
        _term("alpha/tau_p", _gate("h", "h0 + theta_pro", "h0 - theta_pro")), _term("-1/tau_p", _level("p")),
    ))  # fmt: skip
    assert read(luboeinski2021.rule(name)) == Reading(analog=("Ca",), slow=(h, z, p), sensed=())


@pytest.mark.parametrize("potential", [graupner2012.FLAT, graupner2012.DOUBLE_WELL])
def test_reading_of_graupner2012(potential: str) -> None:
    terms = [_term("gamma_p/tau", _level("rho", -1, "1"), _gate("c", "theta_p")), _term("-gamma_d/tau", _level("rho"), _gate("c", "theta_d"))]
    if potential:
        terms.append(_term("-1/tau", _level("rho"), _level("rho", -1, "1"), _level("rho", -1, "rho_star")))
    rho = Slow(name="rho", unit="1", terms=tuple(terms), noises=(_two_thresholds("c", "sigma", "tau"),))
    assert read(graupner2012.rule("DP", potential)) == Reading(analog=("c",), slow=(rho,), sensed=())


@pytest.mark.parametrize("scheme", song2000.SCHEMES)
def test_reading_of_song2000(scheme: str) -> None:
    changes = (Change(pathway=0, coefficient="-A_minus", what="apost"), Change(pathway=1, coefficient="A_plus", what="apre"))
    w = Sensed(name="w", unit="1", low="w_min", high="w_max", changes=changes)
    assert read(song2000.rule(scheme)) == Reading(analog=("apre", "apost"), slow=(), sensed=(w,))
