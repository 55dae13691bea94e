"""Clopath et al. 2010: the published code step by step and its table, the printed equations against closed forms, voltage clamp."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from bioneuro import protocol
from bioneuro.brian import simulate
from bioneuro.catalogue import clopath2010, clopath2010_code
from bioneuro.model import Circuit
from bioneuro.protocol import Clock, Current, Protocol, Spikes
from bioneuro.theory import clopath2010 as theory
from bioneuro.twin import Twin
from bioneuro.verify import verify

PERIODS = (10000, 100, 50, 25, 20)
PUBLISHED = {10: (100.0, 102.9, 115.7, 146.3, 165.0), -10: (71.7, 59.6, 60.5, 117.8, 173.6)}
"""Percent of the initial weight by the published code, at .1, 10, 20, 40 and 50 Hz; lag in ms."""

RULE = {"visual cortex": (14e-5, 8e-5, 15.0, 10.0, 7.0), "somatosensory": (21e-5, 30e-5, 30.0, 6.0, 5.0)}


def group(period: int, lag: int) -> tuple[np.ndarray, np.ndarray]:
    """Samples (1 ms) of the presynaptic and postsynaptic spikes of five pairings as VoTri.m builds them, from 0, and their number first.

    For a negative lag there are six postsynaptic spikes.
    """
    length = 5 * period + abs(lag) + 1
    return np.arange(abs(lag), length - 1, period), np.arange(abs(lag) + lag, length, period)


def votri(period: int, lag: int, groups: int, every: int = 10000) -> tuple[np.ndarray, np.ndarray, int]:
    """Samples of both trains and the number of samples, from the fourth on, where the loop of VoTri.m begins: what is earlier is lost."""
    block = max(5 * period + abs(lag) + 1, every)
    pre, post = ((np.arange(groups)[:, None] * block + one).ravel() - 3 for one in group(period, lag))
    return pre[pre >= 0], post[post >= 0], groups * block - 3


def published(pre, current, samples: int, name: str = "visual cortex", homeostasis: bool = False) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """aEIF.m and VoTri.m, statement by statement, in mV, ms and pA: weight and potential after each sample, and the samples of spikes.

    With homeostasis, `theta` of RFdevelop.m multiplies A_m.
    """
    A_m, A_p, tau_r, tau_d, tau_p = RULE[name]
    u, w_ad, tail, V_T, counter, r, w, theta = -70.6, 0.0, 0.0, -50.4, 0, 0.0, 0.5, 0.0
    u_md, u_mp = [-70.6] * 4, [-70.6] * 4
    x = np.zeros(samples)
    x[pre] = 1
    weights, potentials, spikes = np.empty(samples), np.empty(samples), []
    for t in range(samples):
        theta += ((u + 70.6) ** 2 - theta) / 1200
        if counter == 2:
            u, w_ad, tail, counter, V_T = -70.6 + 15 + 6.0984, w_ad + 0.0805, 400.0, 0, 20 - 50.4
        slope = (-30 * (u + 70.6) + 30 * 2 * math.exp((u - V_T) / 2) - w_ad + tail + current[t]) / 281
        slope_w = (4 * (u + 70.6) - w_ad) / 144
        u, w_ad, tail, V_T = u + slope, w_ad + slope_w, tail - tail / 40, -50.4 / 50 + (1 - 1 / 50) * V_T
        if counter == 1:
            counter, u, w_ad = 2, 29.4 + 3.462, w_ad - slope_w
        if u > 20 and counter == 0:
            u, counter = 29.4, 1
            spikes.append(t)
        down = A_m * (theta / 60 if homeostasis else 1.0) * x[t] * max(u_md[-4] + 70.6, 0.0)
        w += A_p * max(u + 45.3, 0.0) * r * max(u_mp[-4] + 70.6, 0.0) - down
        u_md = [*u_md[1:], u / tau_d + (1 - 1 / tau_d) * u_md[-1]]
        u_mp = [*u_mp[1:], u / tau_p + (1 - 1 / tau_p) * u_mp[-1]]
        r = x[t] / tau_r + (1 - 1 / tau_r) * r
        weights[t], potentials[t] = w, u
    return weights, potentials, spikes


def pulses(post, samples: int) -> np.ndarray:
    current = np.zeros(samples)
    current[post] = 1e6
    return current


def imposed(trains, reads, dt: float, **more) -> Protocol:
    """A trial for each (pre, post), in samples of 1 ms, with current pulses into ``post``; `reads` in s, one list per trial."""
    def spikes(which: int) -> Spikes:
        stimulus = np.repeat(np.arange(len(trains)), [len(t[which]) for t in trains])
        return Spikes(stimulus=stimulus, unit=np.zeros_like(stimulus), time=np.concatenate([t[which] for t in trains]) * 1e-3)

    todo = Protocol(
        name="pairing", stepping=Clock(dt=dt, tolerance=1e-9), trials={}, stimulus=np.arange(len(trains)), reads=reads,
        spikes={"pre": spikes(0), "post": spikes(1)}, **more,
    )  # fmt: skip
    return protocol.by_current(todo, "post", "1 uA", width="1 ms")


def numbers(name: str) -> dict[str, float]:
    keys = ("A_LTD", "A_LTP", "theta_minus", "theta_plus", "tau_x", "tau_minus", "tau_plus")
    parameters = clopath2010.rule(name).parameters
    return {key: float(parameters[key].value) for key in keys}


def both_sets(times: int) -> dict[str, np.ndarray]:
    """Settings of trials with the parameter sets, `times` trials of each."""
    table = [numbers(name) for name in clopath2010.SETS]
    return {f"clopath.{key}": np.repeat([row[key] for row in table], times) for key in table[0]}


def test_code_step_by_step(ledger):
    """Two groups of pairs at 50 Hz, post before pre, both sets, without and with homeostasis: every weight and potential of 500 steps."""
    pre, post, samples = votri(20, -10, 2, every=250)
    reads = np.tile(np.arange(1, samples + 1) * 1e-3, (4, 1))
    settings = {**both_sets(2), "clopath.homeostasis": [0.0, 1.0, 0.0, 1.0]}
    seen = simulate(clopath2010_code.published_code(), imposed([(pre, post)] * 4, reads, 1e-3, settings=settings), seed=0, target="numpy")
    for trial, (name, homeostasis) in enumerate((name, on) for name in clopath2010.SETS for on in (False, True)):
        expected, potential, spikes = published(pre, pulses(post, samples), samples, name, homeostasis)
        assert seen.spikes["post"].times(trial, 0).tolist() == pytest.approx([t * 1e-3 for t in spikes])
        assert spikes == post.tolist()
        w, u = (seen[path][trial, :, 0] for path in ("clopath.w", "post.u"))
        check = f"{name}, homeostasis {'on' if homeostasis else 'off'}, 50 Hz: "
        ledger(MODEL, CODE, check + "weight after every step", np.abs(w[1:] - expected[:-1]).max(), 1e-9)
        ledger(MODEL, CODE, check + "potential after every step, mV", np.abs(1e3 * u - potential).max(), 1e-9)


MODEL, CODE = "Clopath 2010, published code", "ModelDB 144566 (VoTri.m, aEIF.m), transcribed in NumPy"


def test_code_fires_alike(ledger):
    """A current of 1 nA for 300 ms: the same steps spike."""
    samples = 300
    _, potential, spikes = published([], np.full(samples, 1000.0), samples)
    none = Spikes(stimulus=[], unit=[], time=[])
    todo = protocol.step_current({"post": "1 nA"}, "300 ms", stepping=protocol.clock("1 ms"))
    seen = simulate(clopath2010_code.published_code(), dataclasses.replace(todo, spikes={"pre": none}), seed=0, target="numpy")
    assert len(spikes) > 10
    assert seen.spikes["post"].steps.tolist() == spikes
    ledger(MODEL, CODE, "1 nA for 300 ms: potential after every step, mV", np.abs(1e3 * seen["post.u"][0, :, 0] - potential).max(), 1e-9)


def test_code_gives_the_published_table(ledger):
    """Fig. 2b as the authors' code computes it: ten trials of 150 to 500 s, whole."""
    trains = [votri(period, lag, 10 if period == 10000 else 15) for lag in PUBLISHED for period in PERIODS]
    ends = [[(samples + 1) * 1e-3] for *_, samples in trains]
    seen = simulate(clopath2010_code.published_code(), imposed(trains, ends, 1e-3, record=("clopath.w",)), seed=0)
    assert seen.spikes["post"].counts.ravel().tolist() == [len(post) for _, post, _ in trains]
    percent = 200 * seen["clopath.w"][:, 0, 0].reshape(2, 5)
    for (lag, table), row in zip(PUBLISHED.items(), percent, strict=True):
        print(lag, np.round(row, 2))
        check = f"Fig. 2b, {lag:+d} ms, .1 to 50 Hz: percent of the initial weight"
        ledger(MODEL, "Clopath 2010, table of the published code", check, np.abs(row - table).max(), 0.05, "the table has one decimal")


def kinds(period: int, lag: int) -> list[tuple[np.ndarray, np.ndarray, int]]:
    """What VoTri.m's trains consist of, far apart in time: spikes of pre and post, and how often they come.

    For a negative lag the first postsynaptic spike of all is lost. At .1 Hz groups follow on one another: the last postsynaptic spike of one
    comes 11 ms before the first of the next.
    """
    pre, post = group(period, lag)
    if period < 10000:
        return [(pre, post, 15)] if lag > 0 else [(pre, post, 14), (pre, post[1:], 1)]
    pair = (pre[:1], post[:1])
    return [(*pair, 50)] if lag > 0 else [(*pair, 40), (pre[:1] + 11, np.array([0, 11]), 9), (pre[:1], post[:0], 1)]


def frequency_dependence(name: str = "visual cortex") -> np.ndarray:
    """Percent of the initial weight by the continuous model, (own_spike 1 or 0, lag, rate): changes add, far from the bounds."""
    conditions = [(lag, period) for lag in PUBLISHED for period in PERIODS]
    made = [(pre, post, n, k) for k, (lag, period) in enumerate(conditions) for pre, post, n in kinds(period, lag)]
    trains = [(pre, post) for pre, post, *_ in made for _ in (1, 0)]
    ends = [[(np.concatenate(train).max() + 5) * 1e-3] for train in trains]
    todo = imposed(trains, ends, 1e-4, settings={"clopath.own_spike": np.tile([1.0, 0.0], len(made))}, record=("clopath.w",))
    seen = simulate(clopath2010.pair(name), todo, seed=0, target="numpy")
    assert seen.spikes["post"].counts.ravel().tolist() == [len(post) for _, post in trains]
    weight = np.full((2, len(conditions)), 0.5)
    for (*_, n, k), change in zip(made, seen["clopath.w"][:, 0, 0].reshape(-1, 2) - 0.5, strict=True):
        weight[:, k] += n * change
    return 200 * weight.reshape(2, len(PUBLISHED), len(PERIODS))


def test_continuous_model_and_the_published_code(ledger):
    """What the printed equations give at the published protocol. Both readings differ from the code, for reasons that are known."""
    table = np.array(list(PUBLISHED.values()))
    why = {
        "printed": "as printed, potentiation in a spike of 2 ms sees what the spike has done to u_plus; the code reads it 3 ms late",
        "before the spike": "the code reads both filtered voltages 3 ms late, when they have decayed less, and steps by 1 ms",
    }
    for (reading, reason), percent, allowed in zip(why.items(), frequency_dependence(), (77, 10), strict=True):
        values = "; ".join(f"{lag:+d} ms: " + " ".join(f"{v:.1f}" for v in row) for lag, row in zip(PUBLISHED, percent, strict=True))
        print(reading, values)
        difference = float(np.abs(percent - table).max())
        ledger(f"Clopath 2010, continuous, {reading}", "Clopath 2010, table of the published code", "Fig. 2b, percentage points",
               difference, allowed, f"at .1, 10, 20, 40, 50 Hz {values}: {reason}")  # fmt: skip


def test_single_pair_in_closed_form(ledger):
    """Pre 10 ms before post: above theta_plus for 2 ms only, so the exact integral over these is all; on any clock."""
    spike = float(clopath2010.neuron().parameters["V_spike"].value)
    start, levels = [0.0, 0.02, 0.022], [-0.0706, spike, -0.0706]
    for dt in (1e-3, 2e-4):
        todo = imposed([([10], [20])] * 4, [[0.03]] * 4, dt, settings={**both_sets(2), "clopath.own_spike": [1.0, 0.0] * 2})
        seen = simulate(clopath2010.pair(), todo, seed=0, target="numpy")
        assert (seen.spikes["post"].steps * dt).tolist() == pytest.approx([0.02] * 4)
        for name, (printed, before) in zip(clopath2010.SETS, seen["clopath.w"][:, 0, 0].reshape(2, 2) - 0.5, strict=True):
            exact = theory.stepped_clamp([0.01], start, levels, 0.03, before=-0.0706, **numbers(name))
            assert abs(before) < 1e-4 * printed  # what is left is u_plus - theta_minus at rest
            check = f"{name}, one pre-post pair, clock {dt * 1e3:g} ms: weight change, relative"
            ledger("Clopath 2010, continuous, printed", "closed form", check, abs(printed - exact) / exact, 1e-4,
                   "the neuron rests 74 nV above theta_minus")  # fmt: skip


def test_voltage_clamp_in_closed_form(ledger):
    """Eight spikes at 50 Hz: constant clamps, held since ever, and clamps that step, from rest."""
    dt, until = 1e-4, 0.2
    spikes = 0.02 + np.arange(8) / 50
    held = np.array([-90, -70, -60, -50, -45, -30, -10, 0]) * 1e-3
    start = np.array([0, 0.05, 0.0803, 0.12])
    steps = np.array([[-80, -30, -60, -20], [-70, -20, -90, -40], [-60, -71, 0, -80], [-40, -75, -44, -20]]) * 1e-3
    value = np.tile(np.concatenate([np.tile(held, (4, 1)), steps.T], axis=1), 2)
    before = np.tile(np.append(held, np.full(len(steps), -0.0706)), 2)
    todo = Protocol(
        name="clamp", stepping=Clock(dt=dt, tolerance=1e-9), trials={}, stimulus=np.zeros(before.size, int), reads=[[until]],
        spikes={"pre": Spikes(stimulus=np.zeros(8), unit=np.zeros(8), time=spikes)},
        currents={"post": Current(start=start, value=value, unit="volt")},
        settings={
            **both_sets(before.size // 2), "clopath.u_minus": before, "clopath.u_plus": before, "clopath.w_max": np.full(before.size, 100.0)
        },
        record=("clopath.w",),
    )  # fmt: skip
    seen = simulate(clopath2010.clamped(), todo, seed=0, target="numpy")["clopath.w"][:, 0, 0].reshape(2, -1) - 0.5
    acting = spikes + dt  # a spike acts at the end of the step that it falls into
    for name, row in zip(clopath2010.SETS, seen, strict=True):
        p = numbers(name)
        constant = theory.constant_clamp(acting, held, until, **{k: v for k, v in p.items() if k not in ("tau_minus", "tau_plus")})
        stepped = np.array([theory.stepped_clamp(acting, start, u, until, before=-0.0706, **p) for u in steps])
        assert row[0] == constant[0] == 0  # below theta_minus
        for what, found, exact in (("constant", row[1:8], constant[1:]), ("stepped", row[8:], stepped)):
            worst = float((np.abs(found - exact) / np.abs(exact)).max())
            ledger("Clopath 2010, voltage clamp", "closed form", f"{name}, {what} clamp: weight change, relative", worst, 1e-6)


def test_clamp_of_the_figure(ledger):
    """Fig. 1h: 25 spikes, visual cortex; 100 spikes, hippocampal, whose missing constants do not matter under clamp. 100 % is a weight of 1."""
    visual = {k: v for k, v in numbers("visual cortex").items() if not k.startswith("tau")}
    hippocampal = {"A_LTD": 0.38, "A_LTP": 20.0, "theta_minus": -0.041, "theta_plus": -0.038}
    grid = np.linspace(-0.08, 0, 8001)
    deepest = [100 * (1 + n * theory.per_spike(grid, **p).min()) for n, p in ((25, visual), (100, hippocampal))]
    ledger("Clopath 2010, voltage clamp", "Fig. 1h, minima as read by a third party (91.1 and 75.8 %)", "closed form, percentage points",
           float(np.abs(np.array(deepest) - [91.1, 75.8]).max()), 0.06, "the readings have one decimal")  # fmt: skip


CASES = {
    "published code": (clopath2010_code.published_code, 1e-3),
    "printed": (clopath2010.pair, 5e-4),
    "before the spike": (lambda: clopath2010.pair("somatosensory", own_spike=False), 5e-4),
}


@pytest.mark.parametrize("case", CASES)
def test_twin_agrees(case):
    """Pairs at 40 Hz, both orders: the same spikes, every trace within 1e-9, in NumPy and torch."""
    make, dt = CASES[case]
    todo = imposed([([3, 28], [13, 38]), ([13, 38], [3, 28])], np.tile(np.arange(1, 13) * 5e-3, (2, 1)), dt)
    circuit = make().with_values({"clopath.homeostasis": 0.5})
    with torch.no_grad():
        twin = Twin(circuit)(todo).detached()
    verdict = verify(simulate(circuit, todo, seed=0, target="numpy"), twin)
    assert verdict, str(verdict)
    assert twin.spikes["post"].counts.tolist() == [[2], [2]]


@pytest.mark.parametrize(("make", "dt"), [(clopath2010_code.published_code, 1e-3), (clopath2010.pair, 1e-3)])
def test_gradient_is_the_slope(make, dt, ledger):
    """Of the final weight, in every constant of the rule that matters here; theta_minus is moved off the resting potential, a kink."""
    circuit: Circuit = make().with_values({"clopath.homeostasis": 0.5, "clopath.theta_minus": "-70 mV"})
    free = [f"clopath.{name}" for name in ("A_LTD", "A_LTP", "theta_minus", "theta_plus", "tau_x", "tau_minus", "tau_plus", "u2_ref")]
    todo = imposed([([3, 28], [13, 38])], [[0.05]], dt)
    twin = Twin(circuit, free=free)
    twin(todo)["clopath.w"].sum().backward()
    for key, raw in twin.raw.items():
        ends = []
        for sign in (1e-5, -1e-5):
            with torch.no_grad():
                raw += sign
                ends.append(float(twin(todo)["clopath.w"].sum()))
                raw -= sign
        slope = (ends[0] - ends[1]) / 2e-5
        assert slope != 0, key
        ledger(circuit.name, "central differences", "gradient of the final weight, relative", abs(float(raw.grad) - slope) / abs(slope), 1e-4)


@pytest.mark.parametrize(("make", "dt"), [(clopath2010_code.published_code, 1e-3), (clopath2010.pair, 2e-4)])
def test_bounds_hold(make, dt):
    """Weights end at their bounds, not beyond; rk4 comes to the upper one within some steps."""
    trains = [([3, 28], [13, 38]), ([13, 38], [3, 28])]
    todo = imposed(trains, np.tile(np.arange(1, 46) * 1e-3, (2, 1)), dt, settings={"clopath.w_max": [0.503, 3.0], "clopath.w_min": [0.0, 0.499]})
    w = simulate(make(), todo, seed=0, target="numpy")["clopath.w"][:, :, 0]
    assert 0.503 - 1e-5 < w[0].max() <= 0.503
    assert w[1].min() == 0.499


def test_incomplete_sets_are_refused():
    for name, make in (("hippocampal", clopath2010.pair), ("hippocampal", clopath2010_code.published_code)):
        with pytest.raises(KeyError, match="tau_minus and tau_plus blank"):
            make(name)
    with pytest.raises(KeyError, match="no parameter set 'cortex'"):
        clopath2010.clamped("cortex")
    assert not set(clopath2010.INCOMPLETE) & set(clopath2010.SETS)


def test_theory_refuses_what_has_no_meaning():
    p = numbers("visual cortex")
    wrong = {"increasing": ([0.2, 0.1], [0.0], [0.0]), "first at 0 s": ([0.1], [0.1], [0.0]), "one start": ([0.1], [0.0], [0.0, 0.0])}
    for message, given in wrong.items():
        with pytest.raises(ValueError, match=message):
            theory.stepped_clamp(*given, 1.0, before=0.0, **p)
    with pytest.raises(ValueError, match="tau_x"):
        theory.stepped_clamp([0.1], [0.0], [0.0], 1.0, before=0.0, **{**p, "tau_x": 0.0})
