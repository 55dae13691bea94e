"""Random circuits for hypothesis: neurons and synapses of a small grammar, under random spikes, currents and clocks.

Hypothesis draws what the text says; numbers come from a generator that it seeds. All states of a neuron have one unit, of which the
parameter ``U`` is one, so that a non-linear function may take them. Every variable leaks, and what feeds it is bounded or small: nothing
runs away within the steps of a test.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from bioneuro.model import Circuit, Neuron, Parameter, Pathway, Population, Projection, Synapse, parameter
from bioneuro.protocol import Clock, Current, Protocol, Spikes

STATES = ("x", "y", "z", "q")
SIZE, TRIALS, STEPS = 6, 2, 60
METHODS = {
    "linear": ("exact", "linear", "euler", "exponential_euler", "rk2", "rk4", "heun", "milstein"),
    "conditionally linear": ("exponential_euler", "euler", "rk2", "rk4", "heun"),
    "any": ("euler", "rk2", "rk4", "heun", "milstein"),
    "noisy": ("euler", "heun", "milstein"),
}
"""Kind of equations -> Brian2's integrators for it."""

FED = {
    "linear": ("{a}*{o}",),
    "conditionally linear": (
        "{a}*{o}", "{a}*tanh({o}/U)*{s}", "{b}*exp(clip({o}/U, -20, 1))", "{b}*int({o} > {c})", "clip({o}, {c}, U)",
        "{b}/(1 + exp(-clip({o}/U, -5, 5)))", "{a}*abs({o})",
    ),
    "any": (
        "{a}*{o}", "{a}*{s}*{o}/U", "{a}*tanh({s}/U)*{o}", "{b}*exp(clip(({s} - {c})/U, -20, 1))", "{b}*int({s} > {c})", "{b}*sin({o}/U)",
        "{b}*int({o} >= {c} and {s} < {b})", "clip({s}, {c}, U)", "{b}/(1 + exp(-clip({s}/U, -5, 5)))", "{a}*sqrt(abs({o})*U)",
        "{b}*exprel(clip({s}/U, -3, 1))", "{a}*clip({s}/U, -1, 1)**3*U", "{b}*(1 - int({s} > {c} or not ({o} > {b})))", "-{a}*U*sign({o} - {c})",
    ),
}  # fmt: skip
"""Kind -> terms. {s} is the variable itself, {o} another one, {a} a small number, {b} and {c} levels in the unit of the states."""
FED["noisy"] = FED["any"]

THRESHOLDS = ("{x} > v_th", "{x} >= v_th", "{x} > v_th + 0.1*{o}", "{x} > v_th and {o} > -3*U", "not ({x} <= v_th)", "{x}*{x} > v_th*abs({x})")
RESETS = ("{x} = v_r", "{x} -= v_th", "{x} = v_r; {o} += 0.1*U", "{o} *= 0.9; {x} = v_r + 0.1*({o} - v_r)", "{x} = clip({x} - v_th, v_r, v_th)")
PATHWAYS = (
    ("", "{x}_post += s_w", ""),
    ("s_u : 1", "s_u = clip(s_u + 0.3, 0, 1); {x}_post += s_w*s_u", ""),
    ("ds_a/dt = -s_a/s_tau : 1 (event-driven)", "s_a += 1; {x}_post += s_w*s_a", "s_a *= 0.5"),
    ("ds_g/dt = (0.1 - s_g)/s_tau : 1 (clock-driven)", "s_g += 0.5; {x}_post += s_w*s_g", "s_g -= 0.1"),
    ("ds_g/dt = -s_g*int({x}_post > -10*U_post)/s_tau : 1 (clock-driven)", "s_g += 1", "{x}_post += s_w*s_g"),
)  # fmt: skip
"""Equations of a synapse, what a presynaptic spike does, what a postsynaptic one does."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Drawn:
    """A circuit and what is done to it, with the integrator of every population."""

    circuit: Circuit
    protocol: Protocol
    methods: tuple[str, ...]

    def __repr__(self) -> str:
        """What a failing example shows."""
        lines = []
        for name, m in self.circuit.models.items():
            rest = [m.threshold, m.reset, m.refractory] if isinstance(m, Neuron) else [str(p) for p in m.pathways]
            lines += [f"{name} by {m.method}: {rest}", m.equations, str({k: p.value.tolist() for k, p in m.parameters.items()})]
        return "\n".join(["", *lines, str(self.protocol.stepping)])


Random = np.random.Generator


def number(value: Any, unit: str = "1") -> Parameter:
    return parameter(value, unit, low=-1e6, high=1e6, says="random", source="random")


def spread(draw: Callable[..., Any], values: NDArray[np.float64], unit: str) -> Parameter:
    """One value for all, or one per unit."""
    return number(values if draw(st.booleans()) else values[0], unit)


def equation(draw: Callable[..., Any], kind: str, which: int, names: tuple[str, ...], flag: str, unit: str, driven: bool) -> str:
    """``dx/dt`` of one variable: a leak to a level, up to two terms, noise, input."""
    me, others = names[which], names[:which] if kind == "linear" else [n for n in names if n != names[which]]
    terms = [f"b_{me} - {me}"]
    for n in range(draw(st.integers(0, 2)) if others else 0):
        term = draw(st.sampled_from(FED[kind]))
        terms.append(term.format(s=me, o=draw(st.sampled_from(others)), a=f"a_{me}{n}", b=f"b_{me}{n}", c=f"c_{me}{n}"))
    terms += ["I"] * (driven and which == 0)
    noise = f" + s_{me}*xi_{me}/sqrt(tau_{me})" if kind == "noisy" and which == 0 else ""
    return f"d{me}/dt = ({' + '.join(terms)})/tau_{me}{noise} : {unit}{flag}"


def numbers(draw: Callable[..., Any], text: str, names: tuple[str, ...], rng: Random, unit: str) -> dict[str, Parameter]:
    """Values of all parameters that a text names, time constants of different variables apart."""
    found = {"U": number(1.0, unit), "v_th": spread(draw, rng.uniform(0.7, 1.0, SIZE), unit), "v_r": spread(draw, rng.uniform(-0.3, 0.2, SIZE), unit)}
    for k, me in enumerate(names):
        found[f"tau_{me}"] = spread(draw, rng.uniform(1.0, 1.8, SIZE) * 3.0**k, "ms")
        found[f"b_{me}"] = spread(draw, rng.uniform(0.5, 2.0 if k == 0 else 0.8, SIZE), unit)
        if f"s_{me}*" in text:
            found[f"s_{me}"] = spread(draw, rng.uniform(0.05, 0.3, SIZE), unit)
        for n in range(2):
            for letter, low, high, its in (("a", -0.4, 0.4, "1"), ("b", -0.5, 0.5, unit), ("c", -0.9, 0.9, unit)):
                if f"{letter}_{me}{n}" in text:
                    found[f"{letter}_{me}{n}"] = spread(draw, rng.uniform(low, high, SIZE), its)
    return found


def refractory(draw: Callable[..., Any], rng: Random, names: tuple[str, ...], found: dict[str, Parameter]) -> str:
    """None, a period, a condition, or a period that is computed."""
    chosen: str = draw(st.sampled_from(("", "t_ref", f"{names[0]} > -0.2*U", f"t_ref*(1 + int({names[-1]} > 0*U))")))
    if "t_ref" in chosen:
        found["t_ref"] = number(rng.uniform(0.5, 4.0), "ms")
    return chosen


@st.composite
def neurons(draw: Callable[..., Any], name: str) -> Neuron:
    kind = draw(st.sampled_from(sorted(METHODS)))
    names = STATES[: draw(st.integers(1, 2 if kind == "linear" else 4))]  # more than two linear ones keep sympy busy for seconds
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    unit, driven = draw(st.sampled_from(("1", "volt"))), draw(st.booleans())
    method = draw(st.sampled_from(METHODS[kind]))
    other = draw(st.sampled_from(names))
    found: dict[str, Parameter] = {}
    waits = refractory(draw, rng, names, found)
    flag = " (unless refractory)" if waits and draw(st.booleans()) else ""
    lines = [equation(draw, kind, k, names, flag if k == 0 else "", unit, driven) for k in range(len(names))]
    text = "\n".join([*lines, *[f"I : {unit}"] * driven])
    scale = "mV" if unit == "volt" else "1"
    return Neuron(
        name=name,
        equations=text,
        threshold=draw(st.sampled_from(THRESHOLDS)).format(x=names[0], o=other),
        reset=draw(st.sampled_from(RESETS)).format(x=names[0], o=other),
        refractory=waits,
        method=method,
        input="I" if driven else "",
        parameters={**found, **numbers(draw, text, names, rng, scale)},
        initial={n: number(rng.uniform(-1.0, 1.0, SIZE), scale) for n in names},
    )


@st.composite
def projections(draw: Callable[..., Any], name: str, pre: Population, post: Population) -> Projection:
    neuron: Any = post.neuron
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    pairs = np.nonzero(rng.random((pre.size, SIZE)) < 0.5)
    pairs = pairs if pairs[0].size else (np.zeros(1, np.int64), np.zeros(1, np.int64))
    target = draw(st.sampled_from([n for n in STATES if n in neuron.states]))
    equations, on_pre, on_post = (text.format(x=target) for text in draw(st.sampled_from(PATHWAYS)))
    many = draw(st.booleans())
    values = {
        "s_w": number(rng.uniform(-0.2, 0.4, pairs[0].size), "mV" if neuron.states["x"] == "volt" else "1"),
        "s_tau": number(rng.uniform(1.0, 9.0), "ms"),
        "s_d": number(rng.uniform(0.0, 3.0, pairs[0].size) if many else rng.uniform(0.0, 3.0), "ms"),
    }
    delay = draw(st.sampled_from(("", "s_d")))
    pathways = [Pathway(event="pre", code=on_pre, delay=delay), *([Pathway(event="post", code=on_post)] if on_post else [])]
    text = equations + on_pre + on_post
    used = {k: p for k, p in values.items() if k in text or (k == "s_d" and delay)}
    synapse = Synapse(name=name, equations=equations, pathways=tuple(pathways), method="euler", parameters=used)
    return Projection(name=name, synapse=synapse, pre=pre.name, post=post.name, pairs=pairs)


@st.composite
def circuits(draw: Callable[..., Any], most: int = 3) -> Drawn:
    """Up to `most` populations of random neurons, each under 0 to 2 projections from a port, or the second from the population before."""
    populations, wires = [Population(name="port", size=4)], []
    for k in range(draw(st.integers(1, most))):
        populations.append(Population(name=f"n{k}", neuron=draw(neurons(f"n{k}")), size=SIZE))
        for n in range(draw(st.integers(0, 2))):
            source = populations[-2] if n else populations[0]
            wires.append(draw(projections(f"w{k}_{n}", source, populations[-1])))
    circuit = Circuit(name="random", populations=tuple(populations), projections=tuple(wires))
    dt = draw(st.integers(2, 40)) * 1e-5
    return Drawn(circuit=circuit, protocol=stimulus(circuit, dt, draw(st.integers(0, 2**32 - 1))), methods=tuple(
        p.neuron.method for p in populations if p.neuron))  # fmt: skip


def stimulus(circuit: Circuit, dt: float, seed: int) -> Protocol:
    """Spikes into the port at random steps, a pulse into every input; read after the first step, in between and at the end."""
    rng = np.random.default_rng(seed)
    count = 5
    which, unit = (index.ravel() for index in np.indices((TRIALS, 4)))
    steps = np.array([1 + np.sort(rng.choice(STEPS - 2, count, replace=False)) for _ in which])
    train = Spikes(stimulus=np.repeat(which, count), unit=np.repeat(unit, count), time=steps.ravel() * dt)
    driven = {p.name: p.neuron for p in circuit.populations if p.neuron is not None and p.neuron.input}
    currents = {}
    for name, neuron in driven.items():
        scale = 1e-3 if neuron.plain["I"] == "volt" else 1.0
        value = np.outer([0.1, 1.0, 0.0], scale * rng.uniform(0.2, 1.0, TRIALS))
        currents[name] = Current(start=[0.0, 10 * dt, 40 * dt], value=value, unit=neuron.plain["I"])
    reads = np.array([1, STEPS // 2, STEPS]) * dt
    return Protocol(
        name="random",
        stepping=Clock(dt=dt, tolerance=0.51 * dt),
        trials={},
        stimulus=np.arange(TRIALS),
        reads=np.tile(reads, (TRIALS, 1)),
        spikes={"port": train},
        currents=currents,
    )
