"""Brian2 scripts with live objects, as functions: (objects, names around them, what is watched)."""

from collections.abc import Callable
from typing import Any

import brian2 as b2
import numpy as np
from brian2 import NeuronGroup, SpikeGeneratorGroup, Synapses, TimedArray
from brian2.units import cm, mA, mS, ms, mV, nA, nS, pF, uF

Script = tuple[list[Any], dict[str, Any], list[tuple[Any, str]]]
DT = 1e-4


def generator(n: int, number: int, last: float, seed: int = 3, **more: Any) -> SpikeGeneratorGroup:
    rng = np.random.default_rng(seed)
    bins = np.sort(rng.choice(int(last / DT), number, replace=False))
    return SpikeGeneratorGroup(n, rng.integers(0, n, number), bins * DT * b2.second, **more)


def pairs(rng: np.random.Generator, n: int, m: int, p: float) -> dict[str, Any]:
    """Connections in an order of their own, not that of a circuit."""
    i, j = np.nonzero(rng.random((n, m)) < p)
    order = rng.permutation(i.size)
    return {"i": i[order], "j": j[order]}


def cuba() -> Script:
    """Recurrent LIF of two kinds as subgroups, delays (the CUBA example of Brian2's tutorials)."""
    taum, taue, taui, El, Vr, we, wi = 20 * ms, 5 * ms, 10 * ms, -49 * mV, -60 * mV, 4 * mV, -9 * mV
    group = NeuronGroup(
        50,
        """dv/dt = (ge + gi - (v - El))/taum : volt (unless refractory)
           dge/dt = -ge/taue : volt
           dgi/dt = -gi/taui : volt""",
        threshold="v > -50*mV",
        reset="v = Vr",
        refractory=5 * ms,
        method="euler",
        name="cells",
    )
    rng = np.random.default_rng(1)
    group.v = (-60 + 10 * rng.random(50)) * mV
    excite = Synapses(group[:40], group, on_pre="ge += we", delay=1.5 * ms)
    inhibit = Synapses(group[40:], group[5:], on_pre="gi += wi")
    excite.connect(**pairs(rng, 40, 50, 0.2))
    inhibit.connect(**pairs(rng, 10, 45, 0.3))
    return [group, excite, inhibit], locals(), [(group, "v"), (group, "ge"), (group, "gi")]


def coba() -> Script:
    """Conductances, exponential Euler, a generator that repeats itself, a weight per synapse."""
    C, gL, EL, Ee = 200 * pF, 10 * nS, -70 * mV, 0 * mV
    group = NeuronGroup(
        6, "dv/dt = (gL*(EL - v) + g*(Ee - v))/C : volt\ndg/dt = -g/(5*ms) : siemens", threshold="v > -50*mV", reset="v = EL",
        method="exponential_euler", name="cells",
    )  # fmt: skip
    group.v = EL
    source = generator(8, 60, 0.02, period=20 * ms, name="source")
    synapses = Synapses(source, group, "w : siemens", on_pre="g_post += w", name="input")
    rng = np.random.default_rng(2)
    synapses.connect(**pairs(rng, 8, 6, 0.6))
    synapses.w = rng.uniform(4, 12, len(synapses)) * nS
    return [group, source, synapses], locals(), [(group, "v"), (group, "g")]


def adex(timed: TimedArray, call: str) -> Script:
    I_ext = timed
    C, g_L, E_L, V_T, Delta, tau_w, a = 281 * pF, 30 * nS, -70.6 * mV, -50.4 * mV, 2 * mV, 144 * ms, 4 * nS
    group = NeuronGroup(
        3,
        f"""dv/dt = (g_L*(E_L - v) + g_L*Delta*exp((v - V_T)/Delta) - w + {call})/C : volt
            dw/dt = (a*(v - E_L) - w)/tau_w : amp
            b : amp (constant)""",
        threshold="v > V_T + 5*Delta",
        reset="v = -70.6*mV; w += b",
        method="euler",
        name="adex",
    )
    group.v, group.b = E_L, np.array([0.08, 0.1, 0.0805]) * nA
    return [group], locals(), [(group, "v"), (group, "w")]


def adex_1d() -> Script:
    """AdEx under one current for all, a step of which lasts 10 ms."""
    return adex(TimedArray(np.array([0.0, 1.0, 1.5, 0.8, 1.2]) * nA, dt=10 * ms), "I_ext(t)")


def adex_2d() -> Script:
    """AdEx under a current for each unit; the array ends before the run."""
    values = np.random.default_rng(5).uniform(0.5, 1.5, (60, 3))
    return adex(TimedArray(values * nA, dt=0.7 * ms), "I_ext(t, i)")


def subexpression() -> Script:
    """A subexpression that is the array becomes the input under its own name."""
    stim = TimedArray(np.linspace(0, 30, 100) * mV, dt=0.5 * ms)
    eqs = "dv/dt = (I - v)/tau : volt\nI = stim(t) : volt\ntau : second (constant)"
    group = NeuronGroup(4, eqs, threshold="v > 10*mV", reset="v = 0*mV", method="exact", name="cells")
    group.tau = np.array([5.0, 10.0, 15.0, 20.0]) * ms
    return [group], locals(), [(group, "v")]


def stdp() -> Script:
    """Song, Miller, Abbott's rule as in Brian2's example: event-driven traces, constants of the module, delays of both pathways."""
    taupre, tau_post = 20 * ms, 15 * ms
    gmax, dApre = 0.01, 0.01
    group = NeuronGroup(3, "dv/dt = (-60*mV - v + g*50*mV)/(10*ms) : volt\ndg/dt = -g/(5*ms) : 1", threshold="v > -54*mV", reset="v = -60*mV",
                        method="euler", name="post")  # fmt: skip
    group.v = -60 * mV
    source = generator(10, 250, 0.05, name="source")
    synapses = Synapses(
        source,
        group,
        """w : 1
           gain : 1
           dApre/dt = -Apre/taupre : 1 (event-driven)
           dApost/dt = -Apost/tau_post : 1 (event-driven)""",
        on_pre="g += gain*w; Apre += dApre*gmax; w = clip(w + Apost, 0, gmax)",
        on_post="Apost += -dApre*gmax*1.05; w = clip(w + Apre, 0, gmax)",
        delay={"pre": 1 * ms, "post": 0.25 * ms},
        name="plastic",
    )
    rng = np.random.default_rng(4)
    synapses.connect(**pairs(rng, 10, 3, 0.8))
    synapses.w, synapses.gain = rng.uniform(0, gmax, len(synapses)), 30
    return [group, source, synapses], locals(), [(group, "v"), (synapses, "w")]


def summed() -> Script:
    """Gap junctions as a sum, and a graded synapse stepped by the clock that reads both ends."""
    group = NeuronGroup(5, "dv/dt = (I0 + gap + fed - v)/(10*ms) : 1\nI0 : 1\ngap : 1\nfed : 1", threshold="v > 1", reset="v = 0", method="euler",
                        name="cells")  # fmt: skip
    group.I0, group.v = [1.2, 0.5, 0.9, 1.5, 0.2], [0.0, 0.1, 0.2, 0.3, 0.4]
    gaps = Synapses(group, group, "w : 1\ngap_post = w*(v_pre - v_post) : 1 (summed)", name="gaps")
    gaps.connect(condition="i != j")
    gaps.w = np.random.default_rng(6).uniform(0, 0.2, len(gaps))
    graded = Synapses(group, group, "ds/dt = (v_pre - s)/(3*ms) : 1 (clock-driven)\nfed_post = 0.3*s : 1 (summed)", method="euler", name="graded")
    graded.connect(i=[0, 3, 1], j=[1, 2, 4])
    return [group, gaps, graded], locals(), [(group, "v"), (group, "gap"), (graded, "s")]


def refractory(condition: str) -> Script:
    group = NeuronGroup(
        4, "dv/dt = (2 - v)/(10*ms) : 1 (unless refractory)\ndu/dt = -u/(8*ms) : 1\nrest : second", threshold="v > 1", reset="v = 0; u += 1",
        refractory=condition, method="rk4", name="cells",
    )  # fmt: skip
    group.v, group.rest = [0.1, 0.4, 0.5, 0.9], [1, 2, 3, 4] * ms
    return [group], locals(), [(group, "v"), (group, "u")]


def refractory_variable() -> Script:
    """A refractory period of its own for each neuron."""
    return refractory("rest")


def refractory_expression() -> Script:
    """A time that is worked out."""
    return refractory("rest*(1 + u)")


def refractory_condition() -> Script:
    """A condition that keeps the neuron refractory."""
    return refractory("u > 0.6")


def delays() -> Script:
    """A delay for each synapse, off the grid, some half-way between two steps."""
    source = generator(6, 80, 0.05, name="source")
    group = NeuronGroup(5, "dv/dt = -v/(10*ms) : volt", threshold="v > 12*mV", reset="v = 0*mV", method="exact", name="cells")
    synapses = Synapses(source, group, "w : volt", on_pre="v += w", name="input")
    rng = np.random.default_rng(7)
    synapses.connect(**pairs(rng, 6, 5, 0.7))
    synapses.w = rng.uniform(2, 6, len(synapses)) * mV
    late = rng.uniform(0, 5, len(synapses))
    late[::3] = np.round(late[::3], 1) + 0.05
    synapses.delay = late * ms
    return [group, source, synapses], locals(), [(group, "v")]


def reversal() -> Script:
    """Spikes move a neuron towards a reversal potential: each sees what those before it have done."""
    source = generator(8, 120, 0.05, name="source")
    group = NeuronGroup(4, "dv/dt = -v/(10*ms) : volt", threshold="v > 12*mV", reset="v = 0*mV", method="exact", name="cells")
    synapses = Synapses(source, group, on_pre="v_post = v_post + 0.3*(20*mV - v_post)", name="input")
    synapses.connect(**pairs(np.random.default_rng(3), 8, 4, 0.8))
    return [group, source, synapses], locals(), [(group, "v")]


def hodgkin_huxley() -> Script:
    """Hodgkin and Huxley's neuron by RK4, quantities written into the text."""
    Cm = 2 * uF / cm**2  # twice the published one, so that a step of 0.1 ms is stable
    group = NeuronGroup(
        2,
        """dv/dt = (I0 - gNa*m**3*h*(v - 50*mV) - 36*mS/cm**2*n**4*(v + 77*mV) - 0.3*mS/cm**2*(v + 54.4*mV))/Cm : volt
           dm/dt = am*(1 - m) - bm*m : 1
           dh/dt = (0.07*exp(-(v + 65*mV)/(20*mV))*(1 - h) - h/(1 + exp(-(v + 35*mV)/(10*mV))))/ms : 1
           dn/dt = (0.1/exprel(-(v + 55*mV)/(10*mV))*(1 - n) - 0.125*exp(-(v + 65*mV)/(80*mV))*n)/ms : 1
           am = 1/exprel(-(v + 40*mV)/(10*mV))/ms : Hz
           bm = 4*exp(-(v + 65*mV)/(18*mV))/ms : Hz
           I0 : amp/metre**2""",
        threshold="v > 0*mV",
        refractory="v > 0*mV",
        method="rk4",
        namespace={"gNa": 120 * mS / cm**2},
        name="squid",
    )
    group.v, group.m, group.h, group.n, group.I0 = -65 * mV, 0.05, 0.6, 0.32, [10, 20] * mA / b2.metre**2 * 10
    return [group], locals(), [(group, "v"), (group, "n")]


SCRIPTS: list[Callable[[], Script]] = [
    cuba, coba, adex_1d, adex_2d, subexpression, stdp, summed, refractory_variable, refractory_expression, refractory_condition, delays,
    reversal, hodgkin_huxley,
]  # fmt: skip
