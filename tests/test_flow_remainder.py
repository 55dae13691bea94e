"""Remainders: what the exact step leaves to Strang's splitting and Runge and Kutta, against numerical integration and their order."""

import functools
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.special import gamma
from test_flow import level, rate, run

from bioneuro import protocol
from bioneuro.catalogue import graupner2012
from bioneuro.flow import FlowError, flow, longest_gap, longest_step, refuse_long_steps
from bioneuro.plan import plan

COEFFICIENTS = st.lists(st.integers(-100, 100).map(lambda k: k / 100), min_size=4, max_size=4)


@dataclass(frozen=True)
class Cubic:
    """x with a cubic of its own, driven above two thresholds of a decaying c and forced by it if f is not 0."""

    numbers: Mapping[str, float]

    affine = "(int(c >= a)*(1 - x)*g - int(c >= b)*x*k) + f*c"
    cubic = "p_0 + p_1*x + p_2*x**2 + p_3*x**3"

    @property
    def text(self) -> str:
        return _cubic_text(self.affine if self.numbers["f"] else self.affine.removesuffix(" + f*c"))

    def step(self, h: float, values: Mapping[str, float], pieces: int = 1) -> dict[str, float]:
        now = dict(values)
        for _ in range(pieces):
            found = run(self.text, {**self.numbers, **now}, h / pieces)
            now = {name: float(found[name]) for name in now}
        return now

    def integrated(self, h: float, values: Mapping[str, float]) -> float:
        n, x, c = self.numbers, values["x"], values["c"]
        cuts = sorted({0.0, h, *(t for t in (n["tau"] * np.log(c / n[level]) for level in "ab" if c > 0) if 0 < t < h)})
        for begin, end in itertools.pairwise(cuts):
            half = c * np.exp(-0.5 * (begin + end) / n["tau"])
            up, down = n["g"] * (half >= n["a"]), n["k"] * (half >= n["b"])

            def rate(t: float, y: Any, up: float = up, down: float = down) -> Any:
                return up * (1 - y) - down * y + n["f"] * c * np.exp(-t / n["tau"]) + sum(n[f"p_{k}"] * y**k for k in range(4))

            x = float(solve_ivp(rate, (begin, end), [x], method="DOP853", rtol=1e-12, atol=1e-14).y[0, -1])
        return x

    @property
    def pace(self) -> float:
        """A rate that no part of the equation exceeds for x in [-1, 2]."""
        n = self.numbers
        return 1 + n["g"] + n["k"] + abs(n["f"]) * 3 + 1 / n["tau"] + sum(abs(n[f"p_{k}"]) * max(1, k) * 2 ** max(k - 1, 0) for k in range(4))


@functools.lru_cache
def _cubic_text(affine: str) -> str:
    return flow("test", {"c": "-c/tau", "x": f"{affine} + {Cubic.cubic}"}, {}, length="H")


@st.composite
def cubics(draw: st.DrawFn) -> Cubic:
    numbers = {"tau": draw(st.sampled_from([0.3, 2.0])), "a": draw(level), "b": draw(level), "g": draw(rate), "k": draw(rate)}
    return Cubic({**numbers, "f": draw(st.sampled_from([0.0, 0.5])), **{f"p_{k}": p for k, p in enumerate(draw(COEFFICIENTS))}})


@settings(max_examples=60)
@given(cubics(), st.sampled_from([0.0, 0.5, 3.0]), st.floats(0, 1), st.sampled_from([0.02, 0.1, 0.3]))
def test_a_remainder_is_stepped_to_third_order(system: Cubic, c: float, x: float, share: float) -> None:
    """One step errs by the third power of its length, in units of the fastest rate there is."""
    start, h = {"c": c, "x": x}, share / system.pace
    assert abs(system.step(h, start)["x"] - system.integrated(h, start)) <= 0.3 * share**3 + 1e-12


@settings(max_examples=60)
@given(COEFFICIENTS, st.floats(0, 1), st.sampled_from([0.05, 0.2, 0.5]))
def test_quiet_steps_are_those_of_runge_and_kutta(p: list[float], x: float, share: float) -> None:
    """Where nothing else acts the error is of fifth order per step."""
    system = Cubic({"tau": 1.0, "a": 1.0, "b": 2.0, "g": 0.0, "k": 0.0, "f": 0.0, **{f"p_{k}": q for k, q in enumerate(p)}})
    h = share / system.pace
    assert abs(system.step(h, {"c": 0.0, "x": x})["x"] - system.integrated(h, {"c": 0.0, "x": x})) <= 0.05 * share**5 + 1e-13


@settings(max_examples=40)
@given(cubics(), st.floats(0, 3), st.floats(0, 1), st.sampled_from([0.02, 0.1, 0.3]))
def test_two_steps_of_a_remainder_approach_one(system: Cubic, c: float, x: float, share: float) -> None:
    start, h = {"c": c, "x": x}, share / system.pace
    assert abs(system.step(h, start, 2)["x"] - system.step(h, start)["x"]) <= 0.3 * share**3 + 1e-13


@given(cubics(), st.floats(0, 3), st.floats(0, 1), st.floats(0, 100))
def test_a_remainder_that_vanishes_leaves_the_exact_step(system: Cubic, c: float, x: float, h: float) -> None:
    still = Cubic({**system.numbers, **{f"p_{k}": 0.0 for k in range(4)}})
    exact = flow("test", {"c": "-c/tau", "x": still.affine}, {}, length="H")
    assert still.step(h, {"c": c, "x": x})["x"] == pytest.approx(float(run(exact, {**still.numbers, "c": c, "x": x}, h)["x"]), rel=1e-14, abs=1e-14)


@given(cubics(), st.floats(0, 3), st.floats(0, 1))
def test_no_time_changes_nothing_with_a_remainder(system: Cubic, c: float, x: float) -> None:
    assert system.step(0.0, {"c": c, "x": x}) == {"c": c, "x": x}


def test_the_error_falls_with_the_square_of_the_grid_and_in_the_quiet_with_its_fourth_power() -> None:
    numbers = {"tau": 4.0, "a": 1.0, "b": 0.4, "g": 1.5, "k": 1.0, "p_0": 0.0, "p_1": -1.2, "p_2": 4.2, "p_3": -3.0}
    steps = 2 ** np.arange(4, 9)
    for f, c, order in ((0.0, 50.0, 2), (0.3, 0.3, 2), (0.0, 0.0, 4)):  # above both thresholds all the time; forced below them; quiet
        system, start = Cubic({**numbers, "f": f}), {"c": c, "x": 0.7}
        truth = system.integrated(2.0, start)
        errors = [abs(system.step(2.0, start, int(n))["x"] - truth) for n in steps]
        slope = float(np.polyfit(np.log(steps), np.log(errors), 1)[0])
        assert slope == pytest.approx(-order, abs=0.1), (f, c, errors)


def test_fixed_points_of_a_remainder_stay() -> None:
    text = flow("test", {"c": "-c/tau", "x": "(int(c >= a) - x*(1 - x)*(s - x))/tau"}, {}, length="H")
    for x in (0.0, 1.0, 0.25):
        assert float(run(text, {"tau": 1.0, "a": 1.0, "s": 0.25, "c": 0.5, "x": x}, 0.3)["x"]) == x


FORMS = ("(g*int(c >= a)*(1 - x) - x*(1 - x)*(s - x))/tau", "g*int(c >= a)/tau*(1 - x) - s*x/tau + (1 + s)*x**2/tau - x**3/tau")


def test_the_form_of_a_remainder_does_not_count() -> None:
    """What belongs to the remainder is decided by its terms, not by how they are bracketed."""
    made = {flow("test", {"c": "-c/tau", "x": right}, {}, length="H") for right in FORMS}
    assert len(made) == 1


def test_noise_comes_before_what_only_the_remainder_does() -> None:
    """Above the threshold x is noisy; afterwards a cubic acts on the noisy value for a long time."""
    text = flow("test", {"c": "-c/tau", "x": "int(c >= a)*s*xi - q*x**3"}, {"xi": "draw"}, length="H")
    numbers = {"tau": 0.01, "a": 1.0, "s": 2.0, "q": 0.5, "c": 3.0, "x": 0.2}
    spread = 2.0 * np.sqrt(0.01 * np.log(3.0))
    for draw in (-2.0, 0.0, 1.5):
        noisy = 0.2 + draw * spread
        after = noisy / np.sqrt(1 + 2 * 0.5 * noisy**2 * 0.5)
        assert float(run(text, {**numbers, "draw": draw}, 0.5)["x"]) == pytest.approx(after, abs=3e-3)


def test_noise_with_a_remainder_has_its_stationary_law() -> None:
    """dx = -x**3 dt + s dW: density exp(-x**4/(2 s**2)), here by 4000 paths of 400 steps."""
    text, s, rng = flow("test", {"x": "-x**3 + s*xi"}, {"xi": "draw"}, length="H"), 0.8, np.random.default_rng(3)
    x, kept = np.zeros(4000), []
    for k in range(400):
        x = run(text, {"x": x, "s": s, "draw": rng.standard_normal(x.size)}, 0.1)["x"]
        if k >= 60 and k % 20 == 0:
            kept.append(np.mean(x**2))
    expected = np.sqrt(2) * s * gamma(0.75) / gamma(0.25)
    assert abs(np.mean(kept) / expected - 1) < 4.5 * np.std(kept) / expected / np.sqrt(len(kept)) + 1e-3


REFUSED = [
    ({"c": "-c/t_c", "x": "c*x**2 - x**3"}, "the term c.x..2 is neither constant nor proportional"),
    ({"c": "-c/t_c", "x": "int(c >= a)*x**2 + x"}, "the term _above_1.x..2 is neither"),
    ({"x": "a - x**3"}, "the term -x..3 is neither"),
    ({"x": "1 - x**3 + s*xi", "y": "x - y"}, "dy/dt depends on 'x', which does not decay"),
]


@pytest.mark.parametrize(("text", "message"), REFUSED, ids=[m[9:22] for _, m in REFUSED])
def test_remainders_that_are_refused(text: dict[str, str], message: str) -> None:
    with pytest.raises(FlowError, match=f"^place: .*{message}.*; use stepping=clock"):
        flow("place", text, {"xi": "0"}, length="H")


def test_moments_stop_at_a_noisy_remainder() -> None:
    text = {"c": "-c/tau", "x": "int(c >= a)*xi - x**3", "y": "int(c >= a) - y**3"}
    with pytest.raises(FlowError, match=r"^place: 'x' is noisy and has the remainder -x\*\*3.*draw the noise"):
        flow("place", text, {"xi": "0"}, length="H", moments=True)
    del text["x"]
    assert "y_variance" not in flow("place", text, {}, length="H", moments=True)


# ---- how long a step may be ----------------------------------------------------------------------------------------------------

WELL = "dc/dt = -c/tau : 1\nforce = x*(1 - x)*(s - x) : 1\ndx/dt = (int(c >= a) - force)/T + xi*T**-0.5 : 1"


def values(**given: Any) -> dict[str, Any]:
    return {"tau": np.array(0.02), "a": np.array(1.0), "s": np.array(0.5), "T": np.array(100.0), "c": np.array(0.0), "x": np.array(0.0), **given}


def test_the_longest_step_is_a_share_of_the_fastest_time_constant() -> None:
    assert longest_step(WELL, values()) == pytest.approx(0.25 * 2 * 100)  # slope 1/(2 T) in both wells
    assert longest_step(WELL, values(T=np.array([100.0, 10.0, 1000.0]))) == pytest.approx(0.25 * 2 * 10)
    assert longest_step(WELL, values(x=np.array([0.0, 2.0]))) < 0.25 * 100 / 6  # it may start outside the wells
    assert longest_step(WELL.replace("x*(1 - x)*(s - x)", "s*x - 1"), values()) == np.inf
    assert longest_step(WELL.replace("x*(1 - x)*(s - x)", "sin(x)"), values()) == np.inf
    assert longest_step("dc/dt = -c**3/tau : 1", values()) == np.inf  # refused elsewhere, by name


def test_steps_that_are_too_long_are_refused_by_name() -> None:
    refuse_long_steps("ab", WELL, values(), lambda: 49.9)
    with pytest.raises(FlowError, match=r"^ab: .*RK4 for 50 s at most.*lasts 3600 s; give it stepping=Events\(grid='50 s'\)"):
        refuse_long_steps("ab", WELL, values(), lambda: 3600.0)
    refuse_long_steps("ab", "dc/dt = -c/tau : 1", values(), lambda: pytest.fail("not to be asked for"))


def test_the_longest_gap_is_the_longest_step_of_the_plan() -> None:
    rng = np.random.default_rng(0)
    time = np.sort(rng.uniform(0, 30, (2, 9)), axis=1)
    spikes = protocol.Spikes(stimulus=np.repeat([0, 1], 9), unit=np.zeros(18, int), time=time.ravel())
    for grid in (0.0, 1.3):
        todo = protocol.Protocol(
            name="p", stepping=protocol.Events(grid=grid), trials={}, stimulus=np.arange(2), reads=np.array([[1.0, 20.0], [5.0, 25.0]]),
            spikes={"pre": spikes, "post": spikes},
        )  # fmt: skip
        made = plan(graupner2012.pair("DP"), todo, seed=0)
        found = longest_gap([(a.stimulus, a.time) for a in made.timing.arrivals.values()], made.timing.readings)
        assert made.lengths is not None
        assert found == pytest.approx(made.lengths.max(), abs=1e-9)


def test_a_gap_is_within_one_stimulus() -> None:
    """Stimuli laid one behind the other must not run into each other: 13 times 742.21 divided by 742.21 rounds to less than 13."""
    n, length = 28, 741.21
    busy = np.arange(1, 75) * 10.0
    stimulus = np.append(np.zeros(busy.size, np.int64), np.repeat(np.arange(1, n), 1))
    reads = np.append(length, np.full(n - 1, 2.0))[:, None]
    assert longest_gap([(stimulus, np.append(busy, np.ones(n - 1)))], reads) == pytest.approx(10.0)
    for count, end in ((40, 742.21), (200, 0.3), (1000, 28000.1)):
        every = np.repeat(np.arange(count), 3), np.tile(end * np.array([0.25, 0.5, 0.75]), count)
        assert longest_gap([every], np.full((count, 1), end)) == pytest.approx(end / 4)
