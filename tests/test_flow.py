"""The exact step between events against numerical integration of the same text, against itself, and against closed forms."""

import functools
import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.special import exprel

from bioneuro import protocol
from bioneuro.catalogue import graupner2012
from bioneuro.equations import equations_of
from bioneuro.flow import FlowError, flow
from bioneuro.plan import plan
from bioneuro.theory.graupner2012 import pulsed_moments

FUNCTIONS = {
    "exp": np.exp, "log": np.log, "sqrt": np.sqrt, "abs": np.abs, "exprel": exprel, "clip": np.clip, "inf": np.inf,
    "int": lambda x: np.asarray(x).astype(float) * 1.0,
}  # fmt: skip


def run(text: str, values: Mapping[str, Any], h: Any) -> dict[str, Any]:
    """The step's statements as plain Python."""
    scope = {**FUNCTIONS, **values, "H": h}
    with np.errstate(over="ignore"):
        exec(compile(text, "<flow>", "exec"), scope)
    return scope


@functools.lru_cache
def _text(differential: tuple[tuple[str, str], ...], moments: bool) -> str:
    return flow("test", dict(differential), {"xi_x": "draw"}, length="H", moments=moments)


@dataclass(frozen=True)
class System:
    """Decaying c and d with thresholds; x driven by both, forced by both, and noisy; y without thresholds."""

    text: Mapping[str, str]
    numbers: Mapping[str, float]
    levels: tuple[tuple[str, str], ...]  # (variable, name of level)
    start: Mapping[str, float]

    def step(self, h: float, values: Mapping[str, Any], *, moments: bool = True) -> dict[str, Any]:
        found = run(_text(tuple(self.text.items()), moments), {**self.numbers, "draw": 1.0, **values}, h)
        return {name: float(found[name]) for name in values}

    def crossings(self, values: Mapping[str, float], h: float) -> list[float]:
        logs = [(v, np.log(values[v]) - np.log(self.numbers[level])) for v, level in self.levels if values[v] > 0]  # a ratio may underflow
        times = [ratio * self.numbers[f"tau_{v}"] for v, ratio in logs]
        return [0.0, *sorted({float(t) for t in times if 0 < t < h}), h]

    def integrated(self, h: float, values: Mapping[str, float], method: str) -> dict[str, float]:
        """Mean and variance after h, by solve_ivp from one crossing to the next; each flag is what it is half way."""
        state = np.array([values[n] for n in ("c", "d", "x", "y", "x_variance")])
        edges = self.crossings(values, h)
        for begin, end in itertools.pairwise(edges):
            half = {v: values[v] * np.exp(-0.5 * (begin + end) / self.numbers[f"tau_{v}"]) for v in "cd"}

            def flag(match: re.Match[str], half: Mapping[str, float] = half) -> str:
                return str(int(half[match[1]] >= self.numbers[match[2]]))

            right = {n: compile(re.sub(r"int\((\w) >= (\w+)\)", flag, t), n, "eval") for n, t in self.text.items()}

            def rate(_: float, now: Any, right: Any = right) -> list[float]:
                scope = {**FUNCTIONS, **self.numbers, **dict(zip("cdxy", now, strict=False)), "xi_x": 0.0}
                means = [eval(right[n], scope) for n in "cdxy"]
                with_noise = eval(right["x"], {**scope, "xi_x": 1.0})
                growth = eval(right["x"], {**scope, "x": now[2] + 1.0}) - means[2]
                return [*means, 2 * growth * now[4] + (with_noise - means[2]) ** 2]

            state = solve_ivp(rate, (begin, end), state, method=method, rtol=1e-11, atol=1e-14).y[:, -1]
        return dict(zip(("c", "d", "x", "y", "x_variance"), state.tolist(), strict=True))


value, rate, level = st.floats(-2, 2), st.floats(0, 3), st.floats(0.05, 3)


@st.composite
def systems(draw: st.DrawFn) -> System:
    count = draw(st.integers(1, 3))
    on = [draw(st.sampled_from("cd")) for _ in range(count)]
    levels = tuple((v, f"th_{k}") for k, v in enumerate(on))
    flags = [f"int({v} >= {name})" for v, name in levels]
    numbers = {name: draw(level) for _, name in levels}
    numbers |= {"tau_c": draw(st.sampled_from([0.02, 0.5])), "tau_d": draw(st.sampled_from([0.02, 0.1, 30.0]))}
    parts = {"a": value, "b": rate, "s": value, "n": rate}
    for part, allowed in parts.items():
        numbers |= {f"{part}_{k}": draw(allowed) if draw(st.booleans()) else 0.0 for k in range(count + 1)}
    sums = {p: " + ".join([f"{p}_0", *(f"{p}_{k + 1}*{flag}" for k, flag in enumerate(flags))]) for p in parts}
    text = {
        "c": "-c/tau_c",
        "d": "-d/tau_d",
        "x": f"({sums['a']}) - ({sums['b']})*x + ({sums['s']})*c + s_0*d + ({sums['n']})*xi_x",
        "y": "a_0 - b_0*y + s_0*d",
    }
    start = {"c": draw(st.sampled_from([0.0, 1.0, 4.0])), "d": draw(st.floats(0, 4)), "x": draw(value), "y": draw(value), "x_variance": draw(rate)}
    return System(text, numbers, levels, start)


def assert_close(found: Mapping[str, float], expected: Mapping[str, float], rtol: float) -> None:
    scale = 1 + max(abs(v) for v in expected.values())
    for name, wanted in expected.items():
        assert abs(found[name] - wanted) <= rtol * scale, (name, found[name], wanted)


@settings(max_examples=40)
@given(systems(), st.floats(0, 3))
def test_agrees_with_integration(system: System, h: float) -> None:
    assert_close(system.step(h, system.start), system.integrated(h, system.start, "DOP853"), 1e-9)


@settings(max_examples=10)
@given(systems(), st.floats(100, 1e5))
def test_agrees_with_integration_over_long_gaps(system: System, h: float) -> None:
    """Rates up to 50 per second over a day: nothing overflows and nothing is divided by zero."""
    found = system.step(h, system.start)
    assert all(np.isfinite(v) for v in found.values())
    expected = system.integrated(h, system.start, "Radau")
    scale = 1 + max(abs(v) for v in expected.values())
    for name in expected:
        assert abs(found[name] - expected[name]) <= 1e-6 * scale, name


@settings(max_examples=40)
@given(systems(), st.floats(0, 1), st.sampled_from([1e-9, 1e-3, 0.1, 3.0, 100.0, 1e5]))
def test_two_steps_are_one(system: System, share: float, h: float) -> None:
    """Mean and variance after h do not depend on where the step is cut, a threshold crossing included."""
    whole = system.step(h, system.start)
    cuts = [share * h, *(t for t in system.crossings(system.start, h)[1:-1])]
    for cut in cuts:
        halves = system.step(h - cut, system.step(cut, system.start))
        assert_close(halves, whole, 1e-9)


@settings(max_examples=30)
@given(systems(), st.floats(0, 3))
def test_a_draw_has_the_variance_of_the_moments(system: System, h: float) -> None:
    start = {**system.start, "x_variance": 0.0}
    mean = system.step(h, start)
    drawn = system.step(h, {n: start[n] for n in "cdxy"}, moments=False)
    assert drawn["x"] == pytest.approx(mean["x"] + np.sqrt(mean["x_variance"]), rel=1e-12, abs=1e-12)
    assert (drawn["c"], drawn["d"], drawn["y"]) == (mean["c"], mean["d"], mean["y"])


def test_no_time_changes_nothing() -> None:
    text = {"c": "-c/tau", "x": "(int(c >= a)*(1 - x) - int(c >= b)*x)*r + int(c >= b)*xi"}
    for start in ({"c": 1.0, "x": 0.3}, {"c": 0.0, "x": 0.3}, {"c": 2.0, "x": 0.3}, {"c": -1.0, "x": 0.3}):
        found = run(flow("test", text, {"xi": "3.0"}, length="H"), {"tau": 0.1, "a": 1.0, "b": 2.0, "r": 0.0, **start}, 0.0)
        assert {name: float(found[name]) for name in start} == start


CANCELLING = [
    ({"c": "-c/tau", "x": "(int(c >= a) - int(c >= b))*c"}, 1.0),  # nothing happens above both thresholds
    ({"c": "-c/tau", "x": "int(c >= a)*(1 - int(c >= a)) + 0*c"}, 0.0),  # nothing ever happens
    ({"c": "-c/tau", "x": "int(c >= a)*int(c >= b)*c"}, 1.0),
]


@pytest.mark.parametrize(("text", "scale"), CANCELLING, ids=lambda x: x["x"] if isinstance(x, dict) else "")
def test_flags_that_cancel(text: dict[str, str], scale: float) -> None:
    numbers = {"tau": 0.5, "a": 0.5, "b": 1.5}
    found = run(flow("test", text, {}, length="H"), {**numbers, "c": 3.0, "x": 0.2}, 2.0)
    at = {name: numbers["tau"] * (3.0 - numbers[name]) for name in "ab"}  # the area under c down to a threshold
    areas = {CANCELLING[0][0]["x"]: at["a"] - at["b"], CANCELLING[1][0]["x"]: 0.0, CANCELLING[2][0]["x"]: at["b"]}
    assert float(found["x"]) == pytest.approx(0.2 + scale * areas[text["x"]], rel=1e-12)


def test_the_text_does_not_hang_on_the_order_of_equations() -> None:
    """Brian2 keeps the names of equations in a set: the text, and with it the compiled program, must not follow its order."""
    text = {"c": "-c/tau", "d": "-d/tau", "x": "int(c >= a)*c + int(d >= a)*d - x", "y": "c + d"}
    made = {flow("test", dict(order), {}, length="H") for order in (text.items(), reversed(text.items()))}
    assert len(made) == 1


def test_numbers_keep_all_their_digits() -> None:
    made = flow("test", {"x": "0.1234567890123456789 - x*exp(1)/3"}, {}, length="H")
    found = run(made, {"x": 0.0}, 1e-9)
    assert "0.12345678901234568" in made
    assert float(found["x"]) == pytest.approx(0.1234567890123456789e-9, rel=1e-8)


@given(st.floats(0.001, 10), st.floats(0.001, 10), st.floats(0, 100))
@example(0.02, 0.02, 1.0)
def test_two_decays_one_forcing_the_other(fast: float, slow: float, h: float) -> None:
    """The double exponential, its limit for equal time constants included."""
    found = run(flow("test", {"g": "-g/fast", "x": "g - x/slow"}, {}, length="H"), {"g": 1.0, "x": 0.0, "fast": fast, "slow": slow}, h)
    if fast == slow:
        expected = h * np.exp(-h / slow)
    else:
        expected = (np.exp(-h / slow) - np.exp(-h / fast)) * fast * slow / (slow - fast)
    loss = 1e-15 * fast * slow / max(abs(slow - fast), 1e-300)  # of the expected value itself, by cancellation
    assert float(found["x"]) == pytest.approx(expected, rel=1e-9, abs=max(1e-15, min(loss, 1.0)) if fast != slow else 1e-15)


@pytest.mark.parametrize("name", graupner2012.SETS)
def test_calcium_rule_has_the_published_moments(name: str) -> None:
    """The rule's own equations, stepped over the plan's events, against the exact mean and variance of the pulsed protocol."""
    lags, pairs, rho_0 = np.linspace(-0.1, 0.1, 17), 20, 0.7
    circuit = graupner2012.pair(name)
    made = plan(circuit, protocol.pairing(lag=[f"{lag!r} s" for lag in lags.tolist()], rate="1 Hz", pairs=pairs), seed=1)
    rule = circuit.projections[0].synapse
    numbers = {key: float(p.value) for key, p in rule.parameters.items()}
    step = flow("calcium", {e.name: e.right for e in equations_of(rule.equations)}, {"xi": "0"}, length="H", moments=True)
    now: dict[str, Any] = {"c": np.zeros(lags.size), "rho": np.full(lags.size, rho_0), "rho_variance": np.zeros(lags.size)}
    assert made.lengths is not None
    for tick, lengths in enumerate(made.lengths):
        now = {key: run(step, {**numbers, **now}, lengths)[key] for key in now}
        for port, jump in (("pre", "Cpre"), ("post", "Cpost")):
            now["c"][made.spikes[port].index[made.spikes[port].step == tick]] += numbers[jump]
    rest = {key: numbers[key] for key in ("tau_Ca", "Cpre", "Cpost", "theta_d", "theta_p", "gamma_d", "gamma_p", "sigma", "tau", "D")}
    mean, variance = pulsed_moments(lags, 1.0, pairs, rho_0=rho_0, **rest)
    np.testing.assert_allclose(now["rho"], mean, rtol=1e-11)
    np.testing.assert_allclose(now["rho_variance"], variance, rtol=1e-11)


def test_what_flow_refuses_it_refuses_by_name() -> None:
    with pytest.raises(FlowError, match=r"^place: dx/dt cannot be stepped from event to event: the term x\*\*2"):
        flow("place", {"x": "x**2"}, {}, length="H")
    with pytest.raises(FlowError, match="the noise xi enters non-linearly"):
        flow("place", {"x": "xi**2"}, {"xi": "0"}, length="H")
