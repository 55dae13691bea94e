"""Sums over synapses in the exact step: what hangs on a sum is exact in the quiet, and sums that do not fade are refused."""

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_flow import FUNCTIONS, run
from test_flow_slow import FAST, LATE, NUMBERS, STC

from bioneuro.flow import FlowError, Part, parts, parts_of_sums

SHARED = FAST | {"z": LATE["z"].replace("p*", "p_post*", 1)}
PROTEIN_OF = {"p": "(alpha*int(total >= theta) - p)/tau_p"}
FOREIGN = {"p_post": "(alpha*int(total_post >= theta) - p_post)/tau_p"}


@functools.lru_cache
def shared() -> tuple[str, str, Part, str]:
    """Steps of a synapse, fast and slow, its part of the sum, and the step of the neuron."""
    named = {"total_post": "abs(h - h0)"}
    fast, slow = parts("synapse", {**SHARED, **FOREIGN}, {}, length="H", foreign=frozenset(FOREIGN), sums=named)
    (part,) = parts_of_sums("synapse", {**SHARED, **FOREIGN}, set(), named).values()
    return fast, slow, part, parts("neuron", PROTEIN_OF, {}, length="H", sums={"total": ""})[1]


def stepped(synapses: Mapping[str, Any], p: float, theta: float, h: float) -> tuple[dict[str, Any], float]:
    """One step of synapses and of the neuron that they share, in the order in which the engines do it."""
    (fast, slow, part, neuron), known = shared(), {**NUMBERS, "theta": theta}
    found = run(fast, {**known, **synapses, "p_post": p}, h)
    now = {x: found[x] for x in (*synapses, "h_away")}
    scope = {**FUNCTIONS, **known, **now}
    sums = {"total_begin": np.sum(eval(part.begin, scope)), "total_pace": np.sum(eval(part.pace, scope))}
    late = run(slow, {**known, **now, "p_post": p, **{f"{name}_post": value for name, value in sums.items()}}, h)
    return {x: late[x] for x in synapses}, float(run(neuron, {**known, **sums, "p": p}, h)["p"])


@settings(max_examples=40)
@given(st.lists(st.floats(-0.9, 0.9), max_size=4), st.floats(0.1, 2), st.floats(0, 1), st.sampled_from([1.0, 700.0, 6000.0]))
def test_a_sum_over_synapses_is_exact_in_the_quiet(distances: list[float], theta: float, p: float, h: float) -> None:
    """None, one or several synapses that relax at one rate; also in two steps instead of one."""
    away = np.array(distances)
    start = {"Ca": np.zeros(away.size), "h": 1 + away, "z": np.full(away.size, 0.2)}
    total = np.abs(away).sum()
    made = float(np.clip(np.log(total / theta) / NUMBERS["k"], 0, h)) if total > 0 else 0.0

    def dose(until: float) -> float:
        on, peak = min(until, made), 1 + (p - 1) * np.exp(-made / 3600)
        return float(on + (p - 1) * 3600 * (1 - np.exp(-on / 3600)) + peak * 3600 * (1 - np.exp(-max(until - made, 0) / 3600)))

    ends = np.where(away > 0, 1.0, -0.5)
    tags = [float(np.clip(np.log(abs(d) / NUMBERS["l2"]) / NUMBERS["k"], 0, h)) if d else 0.0 for d in distances]
    z = ends + (0.2 - ends) * np.exp(-np.array([dose(t) for t in tags]) / 3600)
    whole, halves = stepped(start, p, theta, h), stepped(*stepped(start, p, theta, 0.37 * h), theta, 0.63 * h)
    for found, protein in (whole, halves):
        assert protein == pytest.approx((1 + (p - 1) * np.exp(-made / 3600)) * np.exp(-(h - made) / 3600), rel=1e-9, abs=1e-12)
        np.testing.assert_allclose(found["z"], z, rtol=0, atol=1e-9)


SUMS = [
    ("h", "so it must be proportional to what fades in the quiet, such as abs(x - rest)"),
    ("abs(h)", "the sum total = abs(h) has a threshold"),
    ("abs(h - h0) + 1", "proportional to what fades"),
    ("(h - h0)**2", "proportional to what fades"),
    ("abs(h - h0) + Ca", "proportional to what fades"),
    ("p", "the sum total = p has a threshold, so it must be proportional to what fades"),
]


@pytest.mark.parametrize(("summed", "message"), SUMS)
def test_sums_that_do_not_fade_are_refused(summed: str, message: str) -> None:
    with pytest.raises(FlowError, match=message.replace("(", r"\(").replace(")", r"\)")):
        parts_of_sums("place", STC, set(), {"total": summed})


def test_a_neuron_may_sum_and_no_more() -> None:
    with pytest.raises(FlowError, match="the threshold on 'v_post' is on a variable of a neuron; only its sums over synapses may have one"):
        parts("place", {**STC, "v_post": "-v_post/tau_p", "z": "p*(1 - z)*int(abs(v_post) >= l1)"}, {}, length="H", foreign=frozenset(["v_post"]))
