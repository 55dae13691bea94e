"""Neurons of the catalogue: engines agree on them, and they do what is published, by closed form or by another integration."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from brian2.units import ms, mV
from scipy.integrate import solve_ivp
from scipy.optimize import brentq
from scipy.special import exprel

from bioneuro import protocol
from bioneuro.brian import simulate
from bioneuro.catalogue import bellec2018, hodgkin1952, izhikevich2003, kobayashi2009
from bioneuro.model import Circuit, Neuron, Population, Projection
from bioneuro.protocol import Current, Poisson, Protocol
from bioneuro.twin import Twin, detached
from bioneuro.verify import verify

MS = 1e-3
AXON_MODEL = "Hodgkin-Huxley 1952"


def alone(neuron: Neuron, size: int = 1) -> Circuit:
    return Circuit(name="alone", populations=(Population(name=neuron.name, neuron=neuron, size=size),))


def side_by_side(neurons: list[Neuron]) -> Circuit:
    """One population of neurons that differ in their numbers only."""

    def joined(which: str):
        first = getattr(neurons[0], which)
        return {k: dataclasses.replace(p, value=np.array([float(getattr(n, which)[k].value) for n in neurons])) for k, p in first.items()}

    whole = dataclasses.replace(neurons[0], parameters=joined("parameters"), initial=joined("initial"))
    return alone(whole, len(neurons))


def step(circuit: Circuit, levels, duration: float, dt: float, every: float | None = None) -> Protocol:
    """A constant current (SI, one trial per level) into the only population."""
    (population,) = circuit.populations
    unit = population.neuron.plain[population.neuron.input]
    value = {population.name: [f"{level!r} {unit}" for level in map(float, levels)]}
    return protocol.step_current(value, f"{duration} s", every=f"{every or duration} s", stepping=protocol.clock(f"{dt} s"))


def spikes(circuit: Circuit, levels, duration: float, dt: float) -> list[list[np.ndarray]]:
    """Spike times in seconds by level and unit, on NumPy."""
    seen = simulate(circuit, step(circuit, levels, duration, dt), seed=0, target="numpy")
    (train,) = seen.spikes.values()
    return [[train.times(k, unit) for unit in range(train.size)] for k in range(len(levels))]


KINDS = {
    "alif": ([bellec2018.neuron(name) for name in bellec2018.SETS], bellec2018.synapse(), (0.0, 0.015, 0.03)),
    "mat": ([kobayashi2009.neuron(name) for name in kobayashi2009.SETS], kobayashi2009.synapse(), (0.0, 0.6e-9, 0.9e-9)),
    "izhikevich": ([izhikevich2003.neuron(name) for name in izhikevich2003.SETS], izhikevich2003.synapse(), (0.0, 4.0, 10.0)),
    "published": ([izhikevich2003.published_step(name) for name in izhikevich2003.SETS], izhikevich2003.synapse(), (0.0, 4.0, 10.0)),
    "axon": ([hodgkin1952.neuron()], hodgkin1952.current_synapse(), (0.0, 6.3e-6, 2e-5)),
}
MODELS = dict(zip(KINDS, ("ALIF, bellec2018", "MAT, kobayashi2009", "Izhikevich 2003", "Izhikevich 2003, published step", AXON_MODEL), strict=True))


def menagerie() -> Circuit:
    """Every neuron with every parameter set under two ports."""
    populations, projections = [Population(name="input", size=2)], []
    for name, (neurons, synapse, _) in KINDS.items():
        (population,) = side_by_side(neurons).populations
        populations.append(dataclasses.replace(population, name=name))
        projections.append(Projection(name=f"to_{name}", synapse=synapse, pre="input", post=name))
    return Circuit(name="menagerie", populations=tuple(populations), projections=tuple(projections))


def drive() -> Protocol:
    """200 ms of Poisson spikes and, in the later two of three trials, a current from 20 ms on."""
    units = {name: neurons[0].plain[neurons[0].input] for name, (neurons, _, _) in KINDS.items()}
    return Protocol(
        name="drive",
        stepping=protocol.clock("0.1 ms"),
        trials={},
        stimulus=np.arange(3),
        reads=np.tile(np.arange(1, 6) * 0.04, (3, 1)),
        spikes={"input": Poisson(rate=np.full(3, 100.0), start=0.0, stop=0.2, grid=1e-4)},
        currents={name: Current(start=[0.0, 0.02], value=[[0.0] * 3, kind[2]], unit=units[name]) for name, kind in KINDS.items()},
    )


def test_engines_agree(ledger):
    """NumPy and the twin against C++: the same spikes, traces within 1e-9, under Poisson spikes and currents at once."""
    circuit, todo = menagerie(), drive()
    compiled = simulate(circuit, todo, seed=2)
    for name, train in compiled.spikes.items():
        assert (train.counts.sum(0) > 0).all(), f"{name} is silent"
    with torch.no_grad():
        others = {"twin": Twin(circuit)(todo, seed=2).detached()}
    others["NumPy"] = simulate(circuit, todo, seed=2, target="numpy")
    for engine, seen in others.items():
        verdict = verify(seen, compiled)
        assert verdict, str(verdict)
        assert not verdict.ties
        for name in KINDS:
            worst = max(r.difference for r in verdict.rows if r.quantity.startswith(f"{name}."))
            ledger(MODELS[name], "C++ engine", f"{engine}, Poisson spikes and a current: traces, relative (spikes identical)", worst, 1e-9)


AXON = "A_m V_m K_m B_m L_m A_h V_h A_n K_n g_Na E_L C phi".split()


def test_gradient_of_the_axon_is_the_slope(ledger):
    """Through exprel, from a start where alpha_m is 0/0: nothing is reset, so the whole trace is smooth in every parameter."""
    circuit = alone(hodgkin1952.neuron()).with_values({"axon.v": "-40 mV"})
    twin = Twin(circuit, free=[f"axon.{key}" for key in AXON], surrogate=detached())
    todo = step(circuit, [1e-5], 0.01, 1e-4, every=1e-3)

    def loss() -> torch.Tensor:
        return ((twin(todo)["axon.v"] + 0.05) * 1e2).square().sum()

    loss().backward()
    for key, raw in twin.raw.items():
        ends = []
        for sign in (1, -1):
            with torch.no_grad():
                raw += sign * 1e-6
                ends.append(float(loss()))
                raw -= sign * 1e-6
        slope = (ends[0] - ends[1]) / 2e-6
        ledger(AXON_MODEL, "central differences", f"gradient, d/d {key[6:]}", abs(float(raw.grad) - slope) / abs(slope), 1e-6)


def rates(x):
    """alpha and beta of m, h, n in 1/ms at depolarization x in mV, as printed in the paper but for the sign of x."""
    pairs = (1 / exprel((25 - x) / 10), 4 * np.exp(-x / 18), 0.07 * np.exp(-x / 20), 1 / (np.exp((30 - x) / 10) + 1),
             0.1 / exprel((10 - x) / 10), 0.125 * np.exp(-x / 80))  # fmt: skip
    return np.array(pairs).reshape(3, 2)


def ionic(x, m, h, n):
    """Ionic current in uA/cm2."""
    return 120 * m**3 * h * (x - 115) + 36 * n**4 * (x + 12) + 0.3 * (x - 10.613)


def steady(x):
    alpha, beta = rates(x).T
    return alpha / (alpha + beta)


def exact_axon(current: float, duration: float):
    """The paper's equations in mV, ms and uA/cm2 by an adaptive method of order 8; x as a function of time, and where it passes 65 mV."""

    def slope(_, y):
        alpha, beta = rates(y[0]).T
        return np.append(current - ionic(*y), alpha * (1 - y[1:]) - beta * y[1:])

    def passes(_, y):
        return y[0] - 65

    passes.direction = 1
    rest = brentq(lambda x: ionic(x, *steady(x)), -1, 1, xtol=1e-14)
    done = solve_ivp(slope, (0, duration), [rest, *steady(rest)], "DOP853", rtol=1e-10, atol=1e-12, events=passes, dense_output=True)
    return done.sol, done.t_events[0]


def test_axon_starts_at_rest(ledger):
    """The initial values are the closed-form steady state, and stay."""
    initial = {k: float(p.value) for k, p in hodgkin1952.neuron().initial.items()}
    rest = brentq(lambda x: ionic(x, *steady(x)), -1, 1, xtol=1e-14)
    off = np.array([initial["v"] / MS + 65 - rest, *(np.array([initial[k] for k in "mhn"]) - steady(rest))])
    ledger(AXON_MODEL, "closed-form steady state", "initial v (mV), m, h, n", np.abs(off).max(), 1e-9)
    circuit = alone(hodgkin1952.neuron("rk4"))
    seen = simulate(circuit, step(circuit, [0.0], 0.02, 5e-5), seed=0, target="numpy")
    ledger(AXON_MODEL, "closed-form steady state", "drift of v in 20 ms at rest, mV", abs(seen["axon.v"][0, -1, 0] - initial["v"]) / MS, 1e-9)


@pytest.mark.parametrize(("method", "order", "allowed"), [("rk4", 4, 1e-4), ("exponential_euler", 1, 0.5)])
def test_axon_converges(method, order, allowed, ledger):
    """The potential after an action potential against an adaptive method: the error falls with the order of the method."""
    exact, _ = exact_axon(10.0, 12.0)
    circuit = alone(hodgkin1952.neuron(method))
    errors = []
    for dt in (4e-5, 2e-5):
        seen = simulate(circuit, step(circuit, [1e-5], 0.012, dt, every=6e-3), seed=0, target="numpy")
        errors.append(np.abs(seen["axon.v"][0, :, 0] / MS + 65 - exact(seen.times[0] / MS)[0]).max())
    found = math.log2(errors[0] / errors[1])
    ledger(AXON_MODEL, "DOP853 at rtol 1e-10", f"{method}, 0.02 ms: v at 6 and 12 ms at 10 uA/cm2, mV", errors[1], allowed, f"order {found:.2f}")
    assert abs(found - order) < 0.3, errors


def test_axon_fires_when_it_should(ledger):
    """A spike is noted in the step in which the potential passes V_th."""
    dt, levels, duration = 5e-5, (6.5, 10.0, 20.0, 50.0), 0.06
    seen = spikes(alone(hodgkin1952.neuron("rk4")), np.array(levels) * 1e-6, duration, dt)
    for level, (train,) in zip(levels, seen, strict=True):
        _, exact = exact_axon(level, duration / MS)
        assert train.size == exact.size
        late = np.abs(exact * MS - (train + dt / 2)).max()
        ledger(AXON_MODEL, "DOP853 at rtol 1e-10", f"spike times at {level:g} uA/cm2 from the middle of their step, us", late * 1e6, dt / 2 * 1e6)


def test_axon_threshold_of_sustained_firing(ledger):
    """Stable firing begins where the stable and the unstable cycle meet; below, a few spikes."""
    levels = np.arange(6.2, 6.301, 0.01)
    last = np.array([train[-1] for (train,) in spikes(alone(hodgkin1952.neuron("rk4")), levels * 1e-6, 0.2, 5e-5)])
    assert (np.diff(last > 0.18) >= 0).all()
    onset = levels[last > 0.18].min() - 0.005
    reference = "Balti, Lanza & Aziz-Alaoui 2018, Math Biosci Eng 15:807, Fig. 6: 6.2649 uA/cm2"
    ledger(AXON_MODEL, reference, "onset of sustained firing, in steps of 0.01, uA/cm2", abs(onset - 6.2649), 0.02)


def test_axon_membrane_action_potentials(ledger):
    """Fig. 12 of the paper (from memory): depolarized by 90, 15 and 7 mV at once it fires, by 6 mV it does not."""
    circuit = alone(hodgkin1952.neuron("rk4"))
    whole = step(circuit, [0.0] * 4, 0.02, 5e-5)
    seen = simulate(circuit, dataclasses.replace(whole, settings={"axon.v": (np.array([90, 15, 7, 6]) - 65) * mV}), seed=0, target="numpy")
    fired = seen.spikes["axon"].counts.ravel()
    # 90 mV is beyond V_th from the start and counts in the first step
    ledger(AXON_MODEL, "Hodgkin & Huxley 1952, Fig. 12 (from memory)", "which of 90, 15, 7, 6 mV fire", np.abs(fired - [1, 1, 1, 0]).sum(), 0)


def numbers(name: str) -> list[float]:
    """a, b, c, d and the resting potential in mV and ms."""
    neuron = izhikevich2003.neuron(name)
    return [neuron.parameters[k].shown for k in "abcd"] + [neuron.initial["v"].shown]


def program(name: str, current: float, n: int, nudge: float = 0.0) -> list[int]:
    """The loop of the paper's program for one neuron, in mV and ms: the steps (from 0) after which v is at its peak."""
    a, b, c, d, v = numbers(name)
    u, v, fired = b * v, v + nudge, []
    for t in range(n + 1):
        if v >= 30:
            fired.append(t - 1)
            v, u = c, u + d
        v += 0.5 * (0.04 * v**2 + 5 * v + 140 - u + current)
        v += 0.5 * (0.04 * v**2 + 5 * v + 140 - u + current)
        u += a * (b * v - u)
    return fired


def test_izhikevich_published_step(ledger):
    """Euler on the equations of `published_step` with 1 ms is the paper's program, spike for spike, as long as rounding does not matter:
    so coarse a step amplifies it until the program parts from itself, started 1e-12 mV off."""
    levels, circuit = (0.5, 4.0, 10.0), side_by_side([izhikevich2003.published_step(name) for name in izhikevich2003.SETS])
    seen = spikes(circuit, levels, 0.15, 1e-3)
    for unit, name in enumerate(izhikevich2003.SETS):
        differing = sum(len(set(np.rint(seen[k][unit] / MS).astype(int)) ^ set(program(name, level, 150))) for k, level in enumerate(levels))
        ledger("Izhikevich 2003", "transcription of the paper's program, 1 ms", f"{name}: differing spikes in 3 x 150 ms", differing, 0)
    assert program("RZ", 10.0, 1000, nudge=1e-12) != program("RZ", 10.0, 1000)


def exact_izhikevich(name: str, current: float, duration: float) -> np.ndarray:
    """Spike times in ms of the differential equations."""
    a, b, c, d, v = numbers(name)
    y, t, fired = [v, b * v], 0.0, []

    def peak(_, y):
        return y[0] - 30

    peak.terminal, peak.direction = True, 1
    while True:
        slope = lambda _, y: [0.04 * y[0] ** 2 + 5 * y[0] + 140 - y[1] + current, a * (b * y[0] - y[1])]  # noqa: E731
        done = solve_ivp(slope, (t, duration), y, "DOP853", rtol=1e-10, atol=1e-10, events=peak)
        if not done.t_events[0].size:
            return np.array(fired)
        t = done.t_events[0][0]
        fired.append(t)
        y = [c, done.y_events[0][0, 1] + d]


def test_izhikevich_converges(ledger):
    """Spike times against an adaptive method: the error halves with the step (Euler, and detection at the end of a step)."""
    circuit = side_by_side([izhikevich2003.neuron(name) for name in izhikevich2003.SETS])
    exact = [exact_izhikevich(name, 10.0, 60.0) for name in izhikevich2003.SETS]
    errors = []
    for dt in (2e-5, 1e-5):
        (seen,) = spikes(circuit, [10.0], 0.064, dt)
        errors.append([np.abs(t[: e.size] / MS - e).max() for t, e in zip(seen, exact, strict=True)])
    for name, coarse, fine in zip(izhikevich2003.SETS, *errors, strict=True):
        assert fine < 0.7 * coarse, name
        ledger("Izhikevich 2003", "DOP853 at rtol 1e-10", f"{name}: Euler, 0.01 ms, spike times in 60 ms at I = 10, ms", fine, 0.6)


def test_izhikevich_starts_at_rest(ledger):
    for name in izhikevich2003.SETS:
        _, b, _, _, rest = numbers(name)
        root = (b - 5 - math.sqrt((5 - b) ** 2 - 4 * 0.04 * 140)) / 0.08
        ledger("Izhikevich 2003", "root of the quadratic", "resting potentials, mV", abs(rest - root), 1e-9)


def test_alif_interval_and_adapted_rate(ledger):
    """Without adaptation tau_m ln(I/(I - b_0)); with it, the interval at which the threshold falls to where v has risen."""
    plain = alone(bellec2018.neuron()).with_values({"alif.beta": "0 volt*ms"})
    for level, (train,) in zip((0.015, 0.03), spikes(plain, [0.015, 0.03], 0.5, 1e-4), strict=True):
        off = abs(np.diff(train).mean() - 0.02 * math.log(level / (level - 0.01))) / MS
        ledger("ALIF, bellec2018", "closed form", f"interval without adaptation at {level * 1e3:g} mV, clock 0.1 ms, ms", off, 0.1)
    neurons = [bellec2018.neuron(name) for name in bellec2018.SETS]
    for level, seen in zip((0.02, 0.03), spikes(side_by_side(neurons), [0.02, 0.03], 4.0, 5e-4), strict=True):
        for neuron, name, train in zip(neurons, bellec2018.SETS, seen, strict=True):
            p = {k: float(v.value) for k, v in neuron.parameters.items()}

            def surplus(T, p=p, level=level):  # of v over its threshold, T after a spike in the adapted state
                return -level * math.expm1(-T / p["tau_m"]) - p["b_0"] - p["beta"] / p["tau_a"] / math.expm1(T / p["tau_a"])

            off = abs(np.diff(train)[-4:].mean() - brentq(surplus, 1e-3, 10.0)) / MS
            ledger("ALIF, bellec2018", "fixed point", f"{name}: adapted interval at {level * 1e3:g} mV, clock 0.5 ms, ms", off, 0.5)


def mat_program(name: str, current: float, n: int) -> list[int]:
    """The loop of the first author's program, in mV, ms and nA, for a current that is always on: steps with a spike, from 0."""
    omega, a_1, a_2 = (kobayashi2009.neuron(name).parameters[k].shown for k in ("omega", "alpha_1", "alpha_2"))
    v, u_1, u_2, last, fired = -65.0, 0.0, 0.0, -1000, []
    for t in range(n + 1):
        if v >= omega + u_1 + u_2 and t - last > 20:
            u_1, u_2, last = u_1 + a_1, u_2 + a_2, t
            fired.append(t - 1)
        v += (50 * current - (v + 65)) / 5 * 0.1
        u_1 -= u_1 / 10 * 0.1
        u_2 -= u_2 / 200 * 0.1
    return fired


def test_mat_against_its_program(ledger):
    """With Euler, 0.1 ms and the program's count of refractory steps: the same spikes."""
    neurons = [kobayashi2009.neuron(name, "euler") for name in kobayashi2009.SETS]
    levels, circuit = (0.6, 0.9), side_by_side(neurons).with_values({"mat.t_ref": 2.1 * np.ones(4) * ms})
    seen = spikes(circuit, np.array(levels) * 1e-9, 0.5, 1e-4)
    for unit, name in enumerate(kobayashi2009.SETS):
        found = [np.rint(seen[k][unit] / 1e-4).astype(int).tolist() for k in range(2)]
        expected = [mat_program(name, level, 5000) for level in levels]
        assert all(len(train) > 15 for train in expected)
        differing = sum(len(set(a) ^ set(b)) for a, b in zip(found, expected, strict=True))
        ledger("MAT, kobayashi2009", "transcription of R. Kobayashi's program", f"{name}: differing spikes in 2 x 500 ms", differing, 0)


def test_mat_adapted_interval(ledger):
    """v is constant in the end: the interval after which the two thresholds have fallen to it."""
    names = ("RS", "IB", "FS")
    neurons = [kobayashi2009.neuron(name) for name in names]
    (seen,) = spikes(side_by_side(neurons), [0.6e-9], 1.2, 1e-4)
    for neuron, name, train in zip(neurons, names, seen, strict=True):
        p = {k: float(v.value) for k, v in neuron.parameters.items()}

        def surplus(T, p=p):
            raised = p["alpha_1"] / math.expm1(T / p["tau_1"]) + p["alpha_2"] / math.expm1(T / p["tau_2"])
            return p["E_L"] + p["R"] * 0.6e-9 - p["omega"] - raised

        off = abs(np.diff(train)[-4:].mean() - brentq(surplus, 1e-3, 1.0)) / MS
        ledger("MAT, kobayashi2009", "fixed point", f"{name}: adapted interval at 0.6 nA, clock 0.1 ms, ms", off, 0.1)
