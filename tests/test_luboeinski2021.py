"""The rule of Luboeinski & Tetzlaff 2021: its three forms agree, and with closed forms; the clock tends to the events; what its neurons do."""

import dataclasses
import functools
from typing import Any

import numpy as np
import pytest
from brian2.units import mV, second
from numpy.typing import NDArray

from bioneuro import protocol
from bioneuro.brian import simulate
from bioneuro.catalogue import luboeinski2021
from bioneuro.flow import FlowError
from bioneuro.imposed import Clock, Poisson
from bioneuro.model import Circuit
from bioneuro.protocol import STET, WTET, Events, Protocol, Spikes, Train, during, induction
from bioneuro.recording import Recording
from bioneuro.theory import luboeinski2021 as theory
from bioneuro.trains import drawn_spikes
from bioneuro.twin import Twin

Floats = NDArray[np.float64]

PAPER = "Luboeinski & Tetzlaff 2021"
H0 = 4.20075e-3
LEAK = 0.1 / 688.4
QUIET = {"stc.sigma_pl": "0 mV"}


def course(**how: Any) -> dict[str, Any]:
    """The length and the readings of a run, s, as `induction` takes them."""
    return {name: [f"{t!r} s" for t in times] if isinstance(times, list) else f"{times!r} s" for name, times in how.items()}


def early(circuit: Circuit, *, sigma: bool = True) -> dict[str, float]:
    """The parameters of the early phase as theory names them."""
    own = ("tau_Ca", "Cpre", "Cpost", "theta_p", "theta_d", "gamma_p", "gamma_d", "tau_h", "h0", "h_max")
    found = {name: float(circuit.values[f"stc.{name}"].value) for name in own}
    leak = float(circuit.values["stc.leak"].value) / found["tau_h"]
    noise = float(circuit.values["stc.sigma_pl"].value) if sigma else 0.0
    return found | {"delay": float(circuit.values["stc.D"].value), "leak": leak, "sigma": noise}


def padded(made: Protocol, port: str, seed: int, trials: int) -> Floats:
    """The spikes of a port, s (trial, spikes), padded with inf."""
    drawn = drawn_spikes(made.spikes[port], port, 1, seed)
    count = np.bincount(drawn.stimulus, minlength=trials)
    table = np.full((trials, max(1, count.max())), np.inf)
    order = np.lexsort((drawn.time, drawn.stimulus))
    table[drawn.stimulus[order], np.arange(order.size) - (np.cumsum(count) - count)[drawn.stimulus[order]]] = drawn.time[order]
    return table


# ---- three forms of one rule -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["numpy", "cpp", "twin"])
def test_one_pathway_is_a_synapse_by_itself(engine: str) -> None:
    """Strong and weak tetanus, 7 h, noise included: calcium and h to the bit, p and z but for the rounding of a fall, which one takes from its
    own relaxation and the other from a sum over synapses in a neuron."""
    found = []
    for circuit, silent in ((luboeinski2021.single(), ("post",)), (luboeinski2021.pathways(1), ())):
        todo = induction([STET, WTET], silent=silent, repetitions=2, **course(reads=[0, 60, 600, 1201, 1800, 7200, 25200]))
        found.append(Twin(circuit)(todo, seed=3).detached() if engine == "twin" else simulate(circuit, todo, seed=3, target=engine))
    alone, shared = found
    assert (alone["stc.z"][:2, -1] > 0.6).all()
    for name in ("Ca", "h"):
        assert np.array_equal(alone[f"stc.{name}"], shared[f"stc.{name}"]), name
    np.testing.assert_allclose(shared["stc.z"], alone["stc.z"], rtol=1e-14)
    np.testing.assert_allclose(shared["neuron.p"], alone["stc.p"], rtol=1e-14)


def test_pathways_that_relax_at_different_rates_need_a_clock() -> None:
    both = luboeinski2021.pathways(2).with_values({"stc.tau_h": np.array([688.4, 70.0]) * second})
    todo = induction(Train("100 Hz", "0.1 s"), silent=(), **course(start=0.1, duration=0.5))
    with pytest.raises(FlowError, match=r"stc: synapses of one neuron differ in 'tau_h', so that their sum does not fade at one rate"):
        simulate(both, todo, seed=1, target="numpy")
    assert simulate(both, dataclasses.replace(todo, stepping=protocol.clock("0.2 ms")), seed=1, target="numpy")["stc.h"].min() > 0


# ---- closed forms ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["single", "pathways"])
def test_late_phase_as_printed(form: str, ledger: Any) -> None:
    """Two synapses held at 200 % and at 0 of h0: p and z reach the printed numbers, the depressed one its own end."""
    printed = {"z 1 h": 0.3078, "z 4 h": 0.9511, "p 4 h": 0.9817}
    circuit = luboeinski2021.single() if form == "single" else luboeinski2021.pathways(1)
    circuit = circuit.with_values({**QUIET, "stc.leak": 1e-12})
    todo = induction(WTET, silent=("post",) if form == "single" else (), **course(start=0, duration=14400, reads=[3600, 14400]))
    none, starts = dict.fromkeys(todo.spikes, Spikes(stimulus=[], unit=[], time=[])), np.array([2 * H0, 0.0])
    held = dataclasses.replace(todo, spikes=none, stimulus=[0, 0], settings={"stc.h": 1e3 * starts * mV}, trials={})
    seen = simulate(circuit, held, seed=1, target="numpy")
    z, p = seen["stc.z"][:, :, 0], seen["stc.p" if form == "single" else "neuron.p"][:, :, 0]
    error = np.abs(np.array([*z[0], p[0, 1]]) - [printed["z 1 h"], printed["z 4 h"], printed["p 4 h"]]).max()
    ledger(f"luboeinski2021 {form}", f"{PAPER}, closed form", "z after 1 and 4 h, p after 4 h, as printed", float(error), 0.5001e-4)
    np.testing.assert_allclose(z[1], -0.5 * z[0], rtol=1e-9)


@pytest.mark.parametrize("name", luboeinski2021.SETS)
def test_early_phase_without_noise(name: str, ledger: Any) -> None:
    """Both sets, Poisson pulses on both sides: h is that of the exact sum over crossings of calcium."""
    circuit, trials = luboeinski2021.single(name).with_values(QUIET), 6
    todo = protocol.poisson({"pre": "100 Hz", "post": "60 Hz"}, "2 s", reads=np.linspace(0.1, 2.5, 25) * second, repetitions=trials)
    h = simulate(circuit, todo, seed=8, target="numpy")["stc.h"][:, :, 0]
    pre, post = (padded(todo, port, 8, trials) for port in ("pre", "post"))
    expected, _ = theory.early_moments(todo.reads[0], pre, post, **early(circuit, sigma=False))
    assert np.ptp(expected) > 0.3 * H0
    ledger(f"luboeinski2021 {name}", f"{PAPER}, closed form", "early phase without noise, in h0", float(np.abs(h - expected).max() / H0), 1e-9)


def test_law_of_the_noise(ledger: Any) -> None:
    """One train, 4000 trials: mean and variance of h are those of the closed form at every reading."""
    circuit, n = luboeinski2021.single(), 4000
    todo = induction(Train("100 Hz", "0.6 s"), **course(start=0, duration=60, reads=[0.1, 0.2, 0.4, 0.6, 0.9, 60]))
    todo = dataclasses.replace(todo, stimulus=np.zeros(n, int), trials={})
    h = simulate(circuit, todo, seed=4, target="numpy")["stc.h"][:, :, 0]
    mean, variance = theory.early_moments(todo.reads[0], padded(todo, "pre", 4, 1)[0], np.full(1, np.inf), **early(circuit))
    assert np.all(variance > 5e-5 * H0**2)
    off = np.abs(h.mean(axis=0) - mean) / np.sqrt(variance / n)
    spread = np.abs(h.var(axis=0, ddof=1) / variance - 1) / np.sqrt(2 / (n - 1))
    ledger("luboeinski2021", f"{PAPER}, closed form", "mean of h over 4000 draws of the noise, in standard errors", float(off.max()), 4.0)
    ledger("luboeinski2021", f"{PAPER}, closed form", "variance of h over 4000 draws of the noise, in standard errors", float(spread.max()), 4.0)


# ---- a neuromodulator ------------------------------------------------------------------------------------------------------------------


def test_a_neuromodulator_makes_a_weak_tetanus_last(ledger: Any) -> None:
    """Protein is made only with it, and while the change exceeds the threshold that it sets; z follows from these windows, trial by trial."""
    nm, n, begin, end = 4.0, 40, 600.0, 4000.0
    circuit = luboeinski2021.single().with_values({"stc.theta_pro": luboeinski2021.theta_pro(0)})
    todo = induction(WTET, repetitions=n, **course(start=0, duration=28800, reads=[60, 3000, 28800]))
    without = simulate(circuit, todo, seed=9, target="numpy")
    assert (without["stc.z"] == 0).all()
    assert (without["stc.p"] == 0).all()
    level = luboeinski2021.theta_pro(nm)
    given = simulate(circuit, during(todo, "stc.theta_pro", level, f"{begin} s", f"{end} s"), seed=9, target="numpy")
    late = simulate(circuit, during(todo, "stc.theta_pro", level, "15000 s", "20000 s"), seed=9, target="numpy")
    assert (late["stc.z"] == 0).all()  # no tag is left by then
    h, z = given["stc.h"][:, :, 0], given["stc.z"][:, :, 0]
    np.testing.assert_allclose(h, without["stc.h"][:, :, 0], rtol=1e-12)
    expected, threshold = [], 1e-3 * float(level.removesuffix(" mV"))
    assert threshold == pytest.approx(H0 / (nm + 0.001), rel=1e-5)
    for away in (h[:, 0] - H0).tolist():
        steps = ((0.0, abs(away) * np.exp(LEAK * 60)),)
        tags = theory.above((steps,), 0.2 * H0, leak=LEAK)
        made = [(max(a, begin), min(b, end)) for a, b in theory.above((steps,), threshold, leak=LEAK) if b > begin]
        expected.append(float(theory.captured(np.inf, tags, made, tau_p=3600, tau_z=3600, end=1.0 if away > 0 else -0.5)))
    assert 5 < np.count_nonzero(expected) < n
    assert np.array_equal(z[:, -1] != 0, np.array(expected) != 0)
    error = float(np.abs(z[:, -1] - expected).max())
    ledger("luboeinski2021", f"{PAPER}, closed form", "late phase of a weak tetanus under a neuromodulator, 40 trials", error, 1e-9)


# ---- the clock tends to the events -----------------------------------------------------------------------------------------------------

@functools.lru_cache(maxsize=8)
def first_minute(stepping: Clock | Events) -> Recording:
    """Of the strong tetanus, noise off, four trains."""
    reads = [0.1, 0.2, 0.5, 0.9, 1.0, 1.2, 2.0, 10.0, 60.0]
    todo = induction(STET, repetitions=4, stepping=stepping, **course(start=0, duration=1300, reads=reads))
    return simulate(luboeinski2021.single().with_values(QUIET), todo, seed=5)


def apart(a: Recording, b: Recording, name: str) -> float:
    """Largest difference of a trace in units of its largest value (of h: of h0)."""
    path = f"stc.{name}"
    return float(np.abs(a[path] - b[path]).max() / (H0 if name == "h" else np.abs(b[path]).max()))


def test_the_clock_tends_to_the_events(ledger: Any) -> None:
    """h: the error of the clock falls with its step. Tag and synthesis are held over the active part of a step between events, so p and z have
    the same limit as the grid becomes finer, and are off by little without one."""
    exact, fine = first_minute(Events()), first_minute(Events(grid=2e-5))
    coarse, finer = (first_minute(protocol.clock(f"{dt} ms")) for dt in (0.2, 0.02))
    where = f"{PAPER}, first minute of the strong tetanus"
    for name, off in (("h", exact), ("p", fine), ("z", fine)):
        errors = [apart(clock, off, name) for clock in (coarse, finer)]
        stepping = "events" if name == "h" else "events on a grid of 0.02 ms"
        told = f"{errors[0]:.1e} at 0.2 ms, {errors[1]:.1e} at 0.02 ms"
        ledger("luboeinski2021", where, f"{name}: error of the clock against {stepping}, 0.02 ms over 0.2 ms", errors[1] / errors[0], 0.2, told)
        assert errors[0] < 1e-3
    for name, allowed in (("h", 1e-9), ("p", 2e-3), ("z", 4e-3)):
        ledger("luboeinski2021", where, f"{name}: events without a grid against a grid of 0.02 ms", apart(exact, fine, name), allowed)


def test_a_grid_makes_protein_and_late_phase_exact(ledger: Any) -> None:
    """Their error is of first order in the grid."""
    grids = np.array([1e-2, 5e-3, 2e-3, 1e-3])
    fine, where = first_minute(Events(grid=2e-5)), f"{PAPER}, first minute of the strong tetanus"
    for name in "pz":
        errors = [apart(first_minute(Events(grid=float(grid))), fine, name) for grid in grids]
        order = np.polyfit(np.log(grids), np.log(errors), 1)[0]
        told = f"{errors[0]:.1e} at 10 ms, {errors[-1]:.1e} at 1 ms"
        ledger("luboeinski2021", where, f"{name}: order in the grid of events short of 1", max(0.0, 1 - order), 0.2, told)


# ---- neurons on a clock ----------------------------------------------------------------------------------------------------------------


def tetanus(dt: float, trials: int, **how: Any) -> Protocol:
    """A second at 100 Hz into the neuron that relays it, on a clock of `dt` ms."""
    times = course(start=0.1, duration=1.5, reads=[0.2, 0.5, 0.9, 1.0, 1.4])
    return induction(Train("100 Hz", "1 s"), port="input", silent=(), repetitions=trials, stepping=protocol.clock(f"{dt} ms"), **times, **how)


def fired(seen: Recording, name: str, trials: int) -> Spikes:
    """What a neuron fired, as spikes to impose."""
    times = [seen.spikes[name].times(k, 0) for k in range(trials)]
    stimulus = np.repeat(np.arange(trials), [t.size for t in times])
    return Spikes(stimulus=stimulus, unit=np.zeros_like(stimulus), time=np.concatenate(times))


@pytest.mark.parametrize("dt", [0.2, 0.02])
def test_the_relay_fires_as_a_dead_time_predicts(dt: float) -> None:
    """Its potential is held while it is refractory, so that it misses the pulse of the very last bin too: 2 ms are 2.2 ms on a grid of 0.2 ms."""
    todo = tetanus(dt, 3)
    train = todo.spikes["input"]
    assert isinstance(train, Poisson)
    seen = simulate(luboeinski2021.neurons(), todo, seed=6, target="numpy" if dt > 0.1 else "cpp")
    kept = drawn_spikes(dataclasses.replace(train, dead=2.2e-3), "input", 1, 6)
    for trial in range(3):
        at = np.rint(seen.spikes["relay"].times(trial, 0) / (1e-3 * dt)).astype(int) - 1  # a step after the pulse
        assert np.array_equal(at, np.rint(kept.time[kept.stimulus == trial] / (1e-3 * dt)).astype(int))
        assert at.size < np.count_nonzero(drawn_spikes(train, "input", 1, 6).stimulus == trial)


def test_the_postsynaptic_neuron_does_not_fire(ledger: Any) -> None:
    """Under a strong tetanus, at the initial weight and at 185 % of it, as when the third train comes."""
    todo = tetanus(0.2, 20, initial={"stc.h": np.array([H0, 1.85 * H0]) * 1e3 * mV})
    seen = simulate(luboeinski2021.neurons(), todo, seed=6, target="numpy")
    assert seen.spikes["relay"].counts.mean() == pytest.approx(1 / (0.0022 - 0.0002 + 0.01), rel=0.1)
    assert seen["neuron.V"].max() > -65e-3
    spikes = int(seen.spikes["neuron"].counts.sum())
    ledger("luboeinski2021 neurons", PAPER, "spikes of the postsynaptic neuron in 40 strong tetani of 1 s", spikes, 0)


def test_its_synapse_is_the_one_between_ports() -> None:
    """Calcium and early phase of a synapse that the spikes of both neurons are imposed on, noise included: to the bit; in C++ as in NumPy.

    The threshold is lowered, so that the postsynaptic neuron fires too.
    """
    todo, circuit = tetanus(0.2, 3), luboeinski2021.neurons().with_values({"neuron.V_th": "-62 mV"})
    seen, again = (simulate(circuit, todo, seed=6, target=target) for target in ("numpy", "cpp"))
    assert seen.spikes["neuron"].counts.min() > 3
    for name in ("relay", "neuron"):
        assert np.array_equal(seen.spikes[name].steps, again.spikes[name].steps)
    imposed = {"pre": fired(seen, "relay", 3), "post": fired(seen, "neuron", 3)}
    alone = simulate(luboeinski2021.single(), dataclasses.replace(todo, spikes=imposed), seed=6, target="numpy")
    for name in ("Ca", "h"):
        assert np.array_equal(seen[f"stc.{name}"], alone[f"stc.{name}"]), name
        np.testing.assert_allclose(again[f"stc.{name}"], seen[f"stc.{name}"], rtol=1e-13)
    # The neuron is stepped before its synapse, which so sees the protein of the end of the step.
    np.testing.assert_allclose(seen["neuron.p"], alone["stc.p"], rtol=1e-12)
    np.testing.assert_allclose(seen["stc.z"], alone["stc.z"], rtol=0.01)


def test_its_synapse_tends_to_events(ledger: Any) -> None:
    """Driven by the relay's spikes, noise off: the error of the clock falls with its step."""
    errors = []
    for dt in (0.2, 0.02):
        todo = tetanus(dt, 3)
        seen = simulate(luboeinski2021.neurons().with_values(QUIET), todo, seed=6)
        imposed = {"pre": fired(seen, "relay", 3), "post": Spikes(stimulus=[], unit=[], time=[])}
        by_events = dataclasses.replace(todo, spikes=imposed, stepping=Events())
        exact = simulate(luboeinski2021.single().with_values(QUIET), by_events, seed=6, target="numpy")
        errors.append(apart(seen, exact, "h"))
    told = f"{errors[0]:.1e} at 0.2 ms, {errors[1]:.1e} at 0.02 ms, of h0"
    where, check = f"{PAPER}, strong tetanus of 1 s", "h: error of the clock against events, 0.02 ms over 0.2 ms"
    ledger("luboeinski2021 neurons", where, check, errors[1] / errors[0], 0.25, told)
    assert errors[0] < 2e-3
