"""Slow variables of the exact step: exact in the quiet, off by no more than the step is long where something acts, and what is refused."""

import functools
import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import CodeType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from test_flow import FUNCTIONS, assert_close

from bioneuro.flow import FlowError, flow

FAST = {"Ca": "-Ca/tau_c", "h": "k*(h0 - h) + gp*(hm - h)*int(Ca >= tp) - gd*h*int(Ca >= td)"}
"""Calcium and an early phase that relaxes to h0 once calcium is below both thresholds."""

PROTEIN = {"p": "(alpha*int(abs(h - h0) >= l1) - p)/tau_p"}
LATE = {"z": "p*((1 - z)*int(h - h0 >= l2) - (z + 0.5)*int(h0 - h >= l2))/tau_z"}
STC = FAST | PROTEIN | LATE

NUMBERS = {
    "tau_c": 0.05, "k": 1e-3, "h0": 1.0, "hm": 2.4, "gp": 3.0, "gd": 0.5, "tp": 3.0, "td": 1.2, "alpha": 1.0, "l1": 0.5, "l2": 0.2,
    "tau_p": 3600.0, "tau_z": 3600.0,
}  # fmt: skip


@functools.lru_cache
def code_of(differential: tuple[tuple[str, str], ...]) -> CodeType:
    return compile(flow("test", dict(differential), {}, length="H"), "<flow>", "exec")


def step(text: Mapping[str, str], numbers: Mapping[str, float], values: Mapping[str, float], h: float, count: int = 1) -> dict[str, float]:
    """The values after `count` steps of h/count seconds."""
    scope: dict[str, Any] = {**FUNCTIONS, **{name: np.float64(value) for name, value in (*numbers.items(), *values.items())}}
    for _ in range(count):
        exec(code_of(tuple(text.items())), scope | {"H": h / count}, scope)
    now = {name: scope[name] for name in values}
    return {name: float(value) for name, value in now.items()}


THRESHOLDS = (
    ("abs(h - h0) >= l1",),
    ("h - h0 >= l1", "h0 - h >= l2"),
    ("l1 <= abs(h0 - h)", "abs(g - g0) >= l3"),
    ("2*abs(h - h0) - l1 >= l1", "h - h0 >= l2", "g0 - g >= l3"),
)
"""What may be asked of h and g, which relax: up to three things at once, so that four pieces lie between the falls."""


@dataclass(frozen=True)
class System:
    """Decaying Ca and c; h and g that relax; p and q on thresholds of these; z and y by the doses of p and c."""

    text: Mapping[str, str]
    numbers: Mapping[str, float]
    start: Mapping[str, float]

    def falls(self, h: float) -> list[float]:
        """Where the quiet step has a kink, its ends included."""
        n, found = self.numbers, []
        for x in "hg":
            size = abs(self.start[x] - n[f"{x}0"])
            found += [np.log(size / n[level]) / n[f"k{x}"] for level in ("l1", "l2", "l3") if size > n[level]]
        return [0.0, *sorted({float(t) for t in found if 0 < t < h}), h]

    def integrated(self, h: float) -> dict[str, float]:
        """By solve_ivp from fall to fall; each threshold is what it is half way."""
        names, n = list(self.start), self.numbers
        state = np.array([self.start[x] for x in names])
        for begin, end in itertools.pairwise(self.falls(h)):
            half = {x: n[f"{x}0"] + (self.start[x] - n[f"{x}0"]) * np.exp(-n[f"k{x}"] * 0.5 * (begin + end)) for x in "hg"} | {"Ca": 0.0}

            def flag(match: re.Match[str], half: Mapping[str, float] = half) -> str:
                return str(int(eval(match[1], {**FUNCTIONS, **n, **half})))

            right = compile("[" + ",".join(re.sub(r"int\(((?:[^()]|\([^()]*\))+)\)", flag, self.text[x]) for x in names) + "]", "", "eval")

            def rate(_: float, now: Any, right: Any = right) -> Any:
                return eval(right, {**n, **dict(zip(names, now.tolist(), strict=True))})

            state = solve_ivp(rate, (begin, end), state, method="DOP853", rtol=1e-12, atol=1e-13).y[:, -1]
        return dict(zip(names, state.tolist(), strict=True))


@st.composite
def systems(draw: st.DrawFn) -> tuple[System, float]:
    """A system and the seconds of a quiet step, in which it may go some way or nearly all."""
    h, pace = draw(st.sampled_from([1e-3, 1.0, 600.0, 1e5])), st.sampled_from([0.01, 1.0, 8.0, 60.0])
    share, goal = st.sampled_from([0.0, 1e-9, 0.3, 1.0, 2.0]), st.floats(-2, 2)
    numbers = {level: draw(st.floats(0.05, 1.5)) for level in ("l1", "l2", "l3")} | {"tau_c": 0.05 * h}
    numbers |= {name: draw(pace) / h for name in ("kh", "kg", "kc")} | {x: draw(st.floats(0.1, 3)) for x in ("h0", "g0")}
    flags = [f"int({seen})" for seen in draw(st.sampled_from(THRESHOLDS))]

    def hung(part: str, values: st.SearchStrategy[float]) -> str:
        """A rate with a term without threshold, one for each, and one for two at once."""
        terms = ["1", *flags, "*".join(flags[:2])]
        numbers.update({f"{part}{k}": draw(values) / h for k in range(len(terms))})
        return " + ".join(f"{part}{k}*{term}" for k, term in enumerate(terms))

    text = {
        "Ca": "-Ca/tau_c",
        "c": "-kc*c",
        "h": "kh*(h0 - h) + (3 - h)*int(Ca >= 2.5) - h*int(Ca >= 1.5)",
        "g": "kg*(g0 - g)",
        "p": f"{hung('a', share)} - ({hung('b', share)})*p",
        "q": "a0 - b0*q",
        "z": f"p*({hung('A', goal)} - ({hung('B', share)})*z)",
        "y": f"c*({hung('F', goal)} - ({hung('G', share)})*y)",
        "w": "q*(A0 - B0*w)",
    }
    start = {x: draw(st.floats(-3, 3)) for x in ("h", "g", "z", "y", "w")} | {x: draw(st.floats(0, 2)) for x in ("c", "p", "q")}
    start["Ca"] = draw(st.sampled_from([0.0, 0.4, 1.499]))
    return System(text, numbers, start), h


@settings(max_examples=60)
@given(systems())
def test_the_quiet_is_exact(drawn: tuple[System, float]) -> None:
    """Over steps from a millisecond to a day, however far each variable gets in them."""
    system, h = drawn
    assert_close(step(system.text, system.numbers, system.start, h), system.integrated(h), 1e-9)


@settings(max_examples=60)
@given(systems(), st.floats(0, 1))
def test_two_quiet_steps_are_one(drawn: tuple[System, float], share: float) -> None:
    """Wherever they are cut, a fall included."""
    system, h = drawn
    whole = step(system.text, system.numbers, system.start, h)
    for cut in (share * h, *system.falls(h)[1:-1]):
        first = step(system.text, system.numbers, system.start, cut)
        assert_close(step(system.text, system.numbers, first, h - cut), whole, 1e-9)


@settings(max_examples=60)
@given(systems(), st.sampled_from([0.0, 2.0, 9.0]))
def test_no_time_changes_nothing(drawn: tuple[System, float], Ca: float) -> None:
    system, _ = drawn
    start = {**system.start, "Ca": Ca}
    assert step(system.text, system.numbers, start, 0.0) == start


def test_long_quiet_over_falls_of_all_kinds() -> None:
    """Protein and late phase are closed forms: up to eight lifetimes of h, in steps of any number."""
    for sign, end in ((1, 1.0), (-1, -0.5)):
        start = {"Ca": 0.0, "h": 1 + 0.9 * sign, "p": 0.3, "z": 0.1}
        tag, synthesis = (np.log(0.9 / NUMBERS[level]) / NUMBERS["k"] for level in ("l2", "l1"))
        assert tag > synthesis
        for T in (100.0, 8000.0):
            made = min(T, synthesis)
            peak = 1 + (0.3 - 1) * np.exp(-made / 3600)
            dose = made - 0.7 * 3600 * (1 - np.exp(-made / 3600)) + peak * 3600 * (1 - np.exp(-(min(T, tag) - made) / 3600))
            z, p, h = end + (0.1 - end) * np.exp(-dose / 3600), peak * np.exp(-(T - made) / 3600), 1 + 0.9 * sign * np.exp(-T / 1000)
            for count in (1, 7):
                assert_close(step(STC, NUMBERS, start, T, count), {"Ca": 0.0, "h": h, "p": p, "z": z}, 1e-11)


@pytest.mark.parametrize("lifetimes", [20, 35, 100, 1000])
def test_a_gap_of_many_lifetimes_keeps_tag_and_protein(lifetimes: float) -> None:
    """At the end of such a gap nothing can be seen of h - h0 any more; what it did early in the gap remains."""
    start, T = {"Ca": 0.0, "h": 1.9, "p": 0.3, "z": 0.1}, lifetimes / NUMBERS["k"]
    early = step(STC, NUMBERS, start, 8000.0)
    found = step(STC, NUMBERS, start, T)
    assert found["z"] == pytest.approx(early["z"], rel=1e-9)
    assert found["p"] == pytest.approx(early["p"] * np.exp(-(T - 8000) / 3600), rel=1e-9, abs=1e-16)


VANISHING = [
    (FAST | {"p": "a*int(abs(h - h0) >= l1) - b*p", "z": "p*(1 - z)/tau_z"}, 0.0),
    (FAST | {"p": "a*int(abs(h - h0) >= l1) - b*p", "z": "p*(1 - z)/tau_z"}, 1e-30),
    (FAST | {"p": "a*int(abs(h - h0) >= l1) - b*p", "z": "p*(1 - z)/tau_z"}, 1e-14),
    (FAST | {"p": "a*int(abs(h - h0) >= l1) - b*int(abs(h - h0) >= 1.5*l1)*p", "z": "p*(1 - z)/tau_z"}, 1e-30),
]


@pytest.mark.parametrize(("text", "loss"), VANISHING)
def test_the_dose_of_what_is_hardly_lost(text: Mapping[str, str], loss: float) -> None:
    """Protein grows in proportion to time, then stays; nothing is divided by a rate that vanishes."""
    found = step(text, {**NUMBERS, "a": 1e-3, "b": loss}, {"Ca": 0.0, "h": 1.9, "p": 0.0, "z": 0.0}, 3000.0)
    made = np.log(0.9 / NUMBERS["l1"]) / NUMBERS["k"]
    dose = 1e-3 * (made**2 / 2 + made * (3000 - made))
    assert found["p"] == pytest.approx(1e-3 * made, rel=1e-9)
    assert found["z"] == pytest.approx(1 - np.exp(-dose / 3600), rel=1e-9)


# ---- where calcium acts ----------------------------------------------------------------------------------------------------------------


def truth(numbers: Mapping[str, float], start: Mapping[str, float], h: float) -> tuple[dict[str, float], int]:
    """`STC` with calcium above its thresholds at first, exactly, and how often h crosses a level: h is affine between crossings of calcium."""
    n, now, total, crossed = numbers, dict(start), 0.0, 0
    ends = [*sorted(float(np.clip(n["tau_c"] * np.log(start["Ca"] / n[level]), 0, h)) for level in ("tp", "td")), h]
    for piece in ends:
        half = start["Ca"] * np.exp(-0.5 * (total + piece) / n["tau_c"])
        up, down = n["gp"] * (half >= n["tp"]), n["gd"] * (half >= n["td"])
        fast = n["k"] + up + down
        to = (n["k"] * n["h0"] + up * n["hm"]) / fast
        levels = [n["h0"] + sign * n[level] for sign in (1, -1) for level in ("l1", "l2")]
        ratios = [(now["h"] - to) / (level - to) for level in levels if level != to]
        inside = sorted(float(np.log(r) / fast) for r in ratios if r > 1 and np.log(r) / fast < piece - total)
        crossed += len(inside) if up or down else 0
        for begin, end in itertools.pairwise([0.0, *inside, piece - total]):
            h_now, h_half = (to + (now["h"] - to) * np.exp(-fast * t) for t in (end, 0.5 * (begin + end)))
            goal = n["alpha"] * (abs(h_half - n["h0"]) >= n["l1"])
            share = np.exp(-(end - begin) / n["tau_p"])
            dose = goal * (end - begin) + (now["p"] - goal) * n["tau_p"] * (1 - share)
            aim = {True: 1.0, False: -0.5}[h_half > n["h0"]]
            gone = np.exp(-dose / n["tau_z"]) if abs(h_half - n["h0"]) >= n["l2"] else 1.0
            now |= {"p": goal + (now["p"] - goal) * share, "z": aim + (now["z"] - aim) * gone}
        now["h"], total = h_now, piece
    return {**now, "Ca": start["Ca"] * np.exp(-h / n["tau_c"])}, crossed


@settings(max_examples=30)
@given(st.floats(0.1, 2.2), st.floats(3, 30), st.floats(0.05, 0.5), st.floats(0.5, 8), st.integers(1, 40), st.floats(0, 1), st.floats(-0.5, 1))
def test_where_calcium_acts_it_is_off_by_a_step_at_most(
    h: float, Ca: float, level: float, strength: float, count: int, p: float, z: float
) -> None:
    """Each time h crosses a level under calcium, a threshold is seen wrongly for one step at most; calcium and h are exact."""
    numbers = {**NUMBERS, "l1": level + 0.3, "l2": level, "gp": strength, "tau_p": 2.0, "tau_z": 0.5}
    start = {"Ca": Ca, "h": h, "p": p, "z": z}
    found, (expected, crossed) = step(STC, numbers, start, 0.4, count), truth(numbers, start, 0.4)
    cap, far = 0.4 / count, 1e-9
    assert_close({x: found[x] for x in ("Ca", "h")}, {x: expected[x] for x in ("Ca", "h")}, 1e-9)
    off = crossed * cap * numbers["alpha"] / numbers["tau_p"]
    assert abs(found["p"] - expected["p"]) <= off + far
    assert abs(found["z"] - expected["z"]) <= 1.5 / numbers["tau_z"] * (crossed * cap + 0.4 * off) + far


def test_the_error_is_of_first_order_in_the_step(ledger) -> None:
    """Averaged over 40 levels, which lie anywhere between two ends of steps."""
    start, counts = {"Ca": 20.0, "h": 1.0, "p": 0.3, "z": 0.1}, 2 ** np.arange(4, 9)
    errors = {x: np.zeros(counts.size) for x in "pz"}
    for level in np.linspace(0.2, 0.5, 40):
        numbers = {**NUMBERS, "l1": level, "l2": 0.8 * level, "gp": 8.0, "tau_p": 2.0, "tau_z": 0.5}
        expected, crossed = truth(numbers, start, 0.4)
        assert crossed >= 2
        found = [step(STC, numbers, start, 0.4, int(count)) for count in counts]
        for x in "pz":
            errors[x] += np.abs([f[x] - expected[x] for f in found]) / 40
    for x, name in (("p", "protein"), ("z", "late phase")):
        order = np.polyfit(np.log(0.4 / counts), np.log(errors[x]), 1)[0]
        told = f"error at {400 / counts[-1]:.3g} ms: {errors[x][-1]:.1e}"
        ledger("flow", "exact solution", f"{name} where calcium acts: order in the step, away from 1", abs(order - 1), 0.15, told)
        assert errors[x][-1] < 1e-3


# ---- what is refused -------------------------------------------------------------------------------------------------------------------


def with_(**changed: str) -> dict[str, str]:
    return STC | changed


REFUSED: list[tuple[str, dict[str, str], str]] = [
    ("always noisy", with_(h=FAST["h"] + " + s*xi"), "the threshold on 'h' needs dh/dt = -h/tau, or a 'h' that relaxes"),
    ("always driven", with_(h="k*(h0 - h) + c", c="-c/tau_d"), "the threshold on 'h' needs"),
    ("at rest only under calcium", with_(h="k*(h0 - h)*int(Ca >= tp)"), "the threshold on 'h' needs"),
    ("runs away", with_(h="k*(h - h0)"), "'h' relaxes at the rate -k, which must be positive"),
    ("may run away", with_(h="(k - m)*(h0 - h)"), "must be positive for positive parameters"),
    ("a level below zero", with_(p=PROTEIN["p"].replace("l1", "-l1")), "must compare what fades in the quiet with a level that is positive"),
    ("a difference of levels", with_(p=PROTEIN["p"].replace("l1", "(l1 - l2)")), "with a level that is positive"),
    ("not the distance from rest", with_(p="(int(h >= l1) - p)/tau_p"), r"such as int\(abs\(h - rest\) >= level\); rewrite it so"),
    ("the distance from elsewhere", with_(p="(int(abs(h - 2*h0) >= l1) - p)/tau_p"), "must compare what fades"),
    ("a square", with_(p="(int((h - h0)**2 >= l1) - p)/tau_p"), "must compare what fades"),
    ("below a level", with_(p="(int(abs(h - h0) <= l1) - p)/tau_p"), "must compare what fades"),
    ("a level that moves", with_(p="(int(abs(h - h0) >= Ca) - p)/tau_p"), "the level in .* changes during the step"),
    ("noise", with_(p=PROTEIN["p"] + " + s*xi"), "dp/dt has noise, another variable or a term beyond affine"),
    ("a square of itself", with_(p=PROTEIN["p"] + " - p**2"), "dp/dt has noise, another variable or a term beyond affine"),
    ("forced", with_(p=PROTEIN["p"] + " + c", c="-c/tau_d"), "dp/dt has noise, another variable"),
    ("calcium too", with_(p="(int(abs(h - h0) >= l1)*int(Ca >= tp) - p)/tau_p"), "'p' also has to do with a threshold of a decaying variable"),
    ("the dose of calcium", with_(z="Ca*(1 - z)"), "'Ca' also has to do with a threshold"),
    ("two doses", with_(q="(int(h - h0 >= l1) - q)/tau_p", z="p*q*(1 - z)"), r"dz/dt cannot be stepped .* the term -p\*q\*z"),
    ("a dose of a dose", with_(y="z*(1 - y)"), "dy/dt goes by the dose of 'z', which is not affine itself"),
    ("a dose and more", with_(z="p*(1 - z) - z/tau_z"), "dz/dt cannot be stepped from event to event: the term"),
    ("a noisy dose", with_(z="p*(1 - z) + s*xi"), "dz/dt cannot be stepped"),
    ("a square by a dose", with_(z="p*(1 - z**2)"), "dz/dt cannot be stepped"),
    ("forced by what is slow", with_(y="z - y/tau_z"), "dy/dt depends on 'z', which does not decay exponentially"),
]


@pytest.mark.parametrize(("text", "message"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_what_is_refused_by_name(text: dict[str, str], message: str) -> None:
    with pytest.raises(FlowError, match=f"^place: .*{message}"):
        flow("place", text, {"xi": "0"}, length="H")


def test_a_threshold_on_a_slow_variable_is_refused() -> None:
    with pytest.raises(FlowError, match=r"^place: .*'p'"):
        flow("place", with_(q="(int(p >= l1) - q)/tau_z"), {}, length="H")


def test_mean_and_variance_do_not_tell_when_a_level_is_passed() -> None:
    noisy = with_(h=FAST["h"] + " + s*sqrt(int(Ca >= tp))*xi")
    assert flow("place", noisy, {"xi": "0"}, length="H")
    with pytest.raises(FlowError, match=r"^place: 'p' hangs on thresholds of a variable whose mean and variance .*; draw the noise instead"):
        flow("place", noisy, {"xi": "0"}, length="H", moments=True)


def test_the_text_does_not_hang_on_the_order_of_equations() -> None:
    text = with_(q="(int(h0 - h >= l1) - q)/tau_p", y="p*(1 - y)*int(h - h0 >= l2)")
    assert len({flow("test", dict(order), {}, length="H") for order in (text.items(), reversed(text.items()))}) == 1
