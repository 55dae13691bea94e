"""Parameters that change during a run: on all engines, in both steppings, for synapse and neuron alike, and against closed forms."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from brian2.units import mV
from numpy.typing import NDArray

from bioneuro import protocol
from bioneuro.brian import simulate
from bioneuro.catalogue import luboeinski2021
from bioneuro.imposed import Clock, Coordinate, Phases
from bioneuro.model import Circuit, Neuron, Population, parameter
from bioneuro.protocol import Events, Protocol, ProtocolError, Spikes, during, once
from bioneuro.recording import Recording
from bioneuro.theory import luboeinski2021 as theory
from bioneuro.twin import Twin, TwinError
from bioneuro.units import UnitError

SYNAPSE, NEURON = "stc.alpha", "neuron.alpha"
H0 = 4.20075
HELD = {"stc.h": f"{2 * H0} mV", "stc.leak": 1e-12, "stc.sigma_pl": "0 mV"}
"""The early phase stays at 200 %: a tag, and protein made all the time, if there is alpha."""


def held(path: str) -> Circuit:
    return (luboeinski2021.single() if path == SYNAPSE else luboeinski2021.pathways(2)).with_values(HELD)


def calm(path: str, reads: Sequence[float], stepping: Clock | Events | None = None, trials: int = 1, spikes: Sequence[float] = ()) -> Protocol:
    """Readings at `reads` seconds of trials that share their stimulus: spikes of port ``post`` of a single synapse, or none."""
    at = Spikes(stimulus=[0] * len(spikes), unit=[0] * len(spikes), time=spikes)
    return Protocol(
        name="calm",
        stepping=stepping or Events(),
        trials={"repetition": Coordinate(values=np.arange(trials, dtype=float))},
        stimulus=np.zeros(trials, int),
        reads=np.array([reads]),
        spikes={"pre": dataclasses.replace(at, stimulus=[], unit=[], time=[]), "post": at} if path == SYNAPSE else {"pre": at},
    )


def seen(circuit: Circuit, todo: Protocol, *targets: str) -> Recording:
    """The recording of NumPy, once the other targets and the twin have seen the same."""
    first, *others = (simulate(circuit, todo, seed=1, target=target) for target in ("numpy", *targets))
    for other in (*others, Twin(circuit)(todo, seed=1).detached()):
        for path, values in first.traces.items():
            np.testing.assert_allclose(other[path], values, rtol=1e-14, atol=0, err_msg=f"{path}, {other.provenance.engine}")
        for name, train in first.spikes.items():
            assert np.array_equal(other.spikes[name].steps, train.steps)
    return first


def protein(reads: Sequence[float], course: Sequence[tuple[float, float]]) -> NDArray[np.float64]:
    """p at readings, where (time, alpha) holds from that time on."""
    found, ends = [], [t for t, _ in course[1:]] + [np.inf]
    for read in reads:
        p = 0.0
        for (begin, alpha), end in zip(course, ends, strict=True):
            if begin < read:
                p = float(theory.protein(min(read, end) - begin, tau_p=3600, alpha=alpha, p0=p))
        found.append(p)
    return np.array(found)


HOURS = np.array([0.5, 1, 1.4, 2, 2.5, 3, 4])
READS = (3600 * HOURS).tolist()


@pytest.mark.parametrize("path", [SYNAPSE, NEURON])
def test_protein_synthesis_off_and_on(path: str, ledger: Any) -> None:
    """Blocked from one reading to another, and lowered from between two readings on: p is closed form, and z follows its dose."""
    course = [(0.0, 1.0), (3600.0, 0.0), (7200.0, 1.0), (9100.0, 0.25)]
    todo = during(during(calm(path, READS), path, 0, "3600 s", "7200 s"), path, 0.25, "9100 s")
    found = seen(held(path), todo, "cpp", *(["cython"] if path == NEURON else []))
    p, z = found["stc.p" if path == SYNAPSE else "neuron.p"][0, :, 0], found["stc.z"][0]
    expected = protein(READS, course)
    windows = [(0.0, 3600.0), (7200.0, np.inf)]
    dosed = theory.captured(np.array(READS[:4]), [(0.0, np.inf)], windows, tau_p=3600, tau_z=3600)
    np.testing.assert_allclose(z[:4], np.broadcast_to(dosed[:, None], z[:4].shape), rtol=1e-9)
    where = {SYNAPSE: "synapse", NEURON: "neuron"}[path]
    error = float(np.abs(p / expected - 1).max())
    ledger("luboeinski2021", "closed form of the protein", f"synthesis blocked and lowered from t1 to t2, in the {where}", error, 1e-9)


@pytest.mark.parametrize("path", [SYNAPSE, NEURON])
def test_the_clock_sees_the_same(path: str) -> None:
    """Protein by Euler's rule, which both methods are for a drift, step for step."""
    todo = during(calm(path, READS, protocol.clock("20 s")), path, 0, "3600 s", "7200 s")
    found = seen(held(path), todo, "cpp")["stc.p" if path == SYNAPSE else "neuron.p"][0, :, 0]
    p = [0.0]
    for k in range(round(READS[-1] / 20)):
        p.append(p[-1] + 20 / 3600 * (float(not 3600 <= 20 * k < 7200) - p[-1]))
    np.testing.assert_allclose(found, np.array(p)[np.rint(np.array(READS) / 20).astype(int)], rtol=1e-12)


def test_the_last_call_holds_where_calls_overlap() -> None:
    """Each trial has its own value, or the circuit's own where it is NaN, or that of a setting."""
    todo = calm(SYNAPSE, READS, trials=3)
    todo = dataclasses.replace(todo, settings={SYNAPSE: np.array([1.0, 1.0, 0.7])})
    todo = during(todo, SYNAPSE, [0.5, 0.2, np.nan], "1000 s", "8000 s")
    todo = during(todo, SYNAPSE, [0.0, 0.3, 0.1], "7200 s", "10800 s")
    todo = during(todo, SYNAPSE, 0.9, "10000 s", "10440 s")
    found = seen(held(SYNAPSE), todo)["stc.p"][:, :, 0]
    for trial, (own, early, late) in enumerate([(1.0, 0.5, 0.0), (1.0, 0.2, 0.3), (0.7, 0.7, 0.1)]):
        course = [(0.0, own), (1000.0, early), (7200.0, late), (10000.0, 0.9), (10440.0, late), (10800.0, own)]
        np.testing.assert_allclose(found[trial], protein(READS, course), rtol=1e-9)


def test_units_of_a_population_share_a_phase_and_keep_their_own_values() -> None:
    levels = np.array([1.0, 5.0]) * mV
    circuit = luboeinski2021.pathways(2).with_values({**HELD, "stc.theta_tag": levels})
    todo = during(calm(NEURON, READS), "stc.theta_tag", "6 mV", "3600 s", "7200 s")
    z = seen(circuit, todo)["stc.z"][0]
    dose = theory.captured(np.array(READS), [(0.0, 3600.0), (7200.0, np.inf)], [(0.0, np.inf)], tau_p=3600, tau_z=3600)
    np.testing.assert_allclose(z[:, 0], dose, rtol=1e-9)
    assert (z[:, 1] == 0).all()  # a change of 4.2 mV is below its own threshold as below that of the phase


@pytest.mark.parametrize("begin", [0.1, 0.15, 0.17], ids=["at an event", "at a reading", "between"])
@pytest.mark.parametrize("stepping", [Events(), protocol.clock("0.2 ms")], ids=["events", "clock"])
def test_a_phase_begins_where_it_begins(begin: float, stepping: Clock | Events) -> None:
    """Calcium decays with one time constant before and with another after; on the clock by Euler's rule, from the step after a spike on."""
    reads = [0.1, 0.15, 0.2, 0.3]
    todo = during(calm(SYNAPSE, reads, stepping, spikes=[0.04, 0.1]), "stc.tau_Ca", "20 ms", f"{begin} s", "0.25 s")
    found = seen(luboeinski2021.single().with_values({"stc.sigma_pl": "0 mV"}), todo, "cpp")["stc.Ca"][0, :, 0]
    step = 0.0 if isinstance(stepping, Events) else stepping.dt

    def left(since: float, read: float) -> float:
        """Of a spike, at a reading, which sees what was before it."""
        if read <= since:
            return 0.0
        fast = max(min(read, 0.25) - max(begin, since + step), 0.0)
        slow = read - since - step - fast
        if not step:
            return float(np.exp(-fast / 0.02 - slow / 0.0488))
        return float((1 - step / 0.02) ** round(fast / step) * (1 - step / 0.0488) ** round(slow / step))

    expected = [0.2758 * (left(0.04, read) + left(0.1, read)) for read in reads]
    np.testing.assert_allclose(found, expected, rtol=1e-11)


@pytest.mark.parametrize(
    "stepping",
    [
        Events(),
        protocol.clock("0.2 ms"),
    ],
    ids=["events", "clock"],
)
def test_a_spike_at_the_beginning_of_a_phase_is_in_it_and_one_at_its_end_is_not(stepping: Clock | Events) -> None:
    reads = [0.09, 0.11, 0.19, 0.21]
    todo = during(calm(SYNAPSE, reads, stepping, spikes=[0.1, 0.2]), "stc.Cpost", 1.0, "0.1 s", "0.2 s")
    jumps = np.diff(seen(luboeinski2021.single(), todo)["stc.Ca"][0, :, 0].reshape(2, 2), axis=1).ravel()
    assert jumps[0] > 0.7
    assert jumps[1] < 0.3


@pytest.mark.parametrize("grid", [0.0, 0.03])
def test_spikes_readings_and_breakpoints_at_one_time(grid: float) -> None:
    """All on one raster, so that most coincide: first the breakpoint, then the reading, then the spikes; in NumPy, C++ and by hand."""
    rng, trials, raster = np.random.default_rng(1), 12, 0.01
    times = {port: [np.sort(rng.choice(40, 12, replace=False)) for _ in range(trials)] for port in ("pre", "post")}
    reads = np.sort([rng.choice(np.arange(1, 45), 9, replace=False) for _ in range(trials)])
    stimulus = np.repeat(np.arange(trials), 12)
    spikes = {port: Spikes(stimulus=stimulus, unit=0 * stimulus, time=raster * np.concatenate(at)) for port, at in times.items()}
    todo = calm(SYNAPSE, READS, Events(grid=grid))
    todo = dataclasses.replace(todo, trials={}, stimulus=np.arange(trials), reads=reads * raster, spikes=spikes, record=("stc.Ca",))
    breaks, jumps, decays = [5, 6, 7, 20, 31], rng.uniform(0.1, 1, 6).tolist(), rng.uniform(0.02, 0.1, 6).tolist()
    for k, begin in enumerate(breaks, 1):
        todo = during(todo, "stc.Cpost", jumps[k], f"{begin * raster!r} s")
        todo = during(todo, "stc.tau_Ca", f"{decays[k]!r} second", f"{begin * raster!r} s")
    circuit = luboeinski2021.single().with_values({"stc.D": "20 ms", "stc.Cpost": jumps[0], "stc.tau_Ca": f"{decays[0]!r} second"})
    found = seen(circuit, todo, "cpp")["stc.Ca"][:, :, 0]
    for trial in range(trials):
        calcium, expected = 0.0, []
        for now in range(45):
            row = int(np.searchsorted(breaks, now, side="right"))
            expected.append(calcium)
            calcium += (now - 2 in times["pre"][trial]) + jumps[row] * (now in times["post"][trial])
            calcium *= np.exp(-raster / decays[row])
        np.testing.assert_allclose(found[trial], np.array(expected)[reads[trial]], rtol=1e-12, atol=1e-15)


LIF = Neuron(
    name="lif",
    equations="dv/dt = (E - v)/tau : volt",
    threshold="v > top",
    reset="v = bottom",
    method="exact",
    parameters={
        "tau": parameter(20, "ms", low=1, high=200),
        "E": parameter(-60, "mV", low=-100, high=0),
        "top": parameter(-50, "mV", low=-100, high=0),
        "bottom": parameter(-65, "mV", low=-100, high=0),
    },
    initial={"v": parameter(-60, "mV")},
)
CELLS = Circuit(name="cells", populations=(Population(name="cell", neuron=LIF, size=2),), projections=())


def course(end: float = 0.15, **phases: tuple[float, float, float]) -> tuple[NDArray[np.float64], list[int]]:
    """The potential of the neuron after every step of 0.1 ms, and the steps in which it fires; a phase is (value, start, stop)."""
    own = {"tau": 0.02, "E": -0.06, "top": -0.05, "bottom": -0.065}
    v, found, fired = -0.06, [], []
    for k in range(round(end / 1e-4)):
        now = {name: value for name, (value, start, stop) in phases.items() if round(start / 1e-4) <= k < round(stop / 1e-4)}
        it = own | now
        v = it["E"] + (v - it["E"]) * np.exp(-1e-4 / it["tau"])
        if v > it["top"]:
            v = it["bottom"]
            fired.append(k)
        found.append(v)
    return np.array(found), fired


@pytest.mark.parametrize("name", ["tau", "top", "bottom"])
def test_a_neuron_on_the_clock(name: str) -> None:
    """Driven over its threshold for a while, in part of which another parameter has another value too: the same spikes, and the right ones."""
    phases = {"E": (-0.045, 0.02, 0.1), name: ({"tau": 5e-3, "top": -0.058, "bottom": -0.055}[name], 0.05, 0.08)}
    todo = Protocol(
        name="cells", stepping=protocol.clock("0.1 ms"), trials={}, stimulus=[0], reads=np.arange(1, 1501)[None] * 1e-4,
    )  # fmt: skip
    for path, (value, start, stop) in phases.items():
        todo = during(todo, f"cell.{path}", f"{value} {'second' if path == 'tau' else 'volt'}", f"{start} s", f"{stop} s")
    found = seen(CELLS, todo, *(["cpp"] if name == "tau" else []))
    v, fired = course(**phases)
    assert len(fired) > 2
    assert np.array_equal(found.spikes["cell"].times(0, 1), np.array(fired) * 1e-4)
    np.testing.assert_allclose(found["cell.v"][0, :, 0], v, rtol=1e-12)


def test_names_that_read_alike_are_told_apart() -> None:
    """Parameter a_b of population n, and b of n_a."""

    def neuron(name: str, level: str) -> Neuron:
        parameters = {level: parameter(1.0, low=0, high=9), "tau": parameter(1, "second", low=0.1, high=9)}
        return Neuron(name=name, equations=f"dv/dt = ({level} - v)/tau : 1", parameters=parameters)

    cells = tuple(Population(name=name, neuron=neuron(name, level)) for name, level in (("n", "a_b"), ("n_a", "b")))
    todo = Protocol(name="x", stepping=protocol.clock("10 ms"), trials={}, stimulus=[0], reads=[[30.0]])
    found = seen(Circuit(name="x", populations=cells, projections=()), during(during(todo, "n.a_b", 2.0, "0 s"), "n_a.b", 5.0, "0 s"))
    assert [found[f"{name}.v"].item() for name in ("n", "n_a")] == pytest.approx([2, 5])


def test_gradients_pass_through_phases() -> None:
    """Of all readings of p in its time constant, with synthesis off for an hour."""
    todo = during(calm(SYNAPSE, READS), SYNAPSE, 0, "3600 s", "7200 s")
    twin = Twin(held(SYNAPSE), free=["stc.tau_p"])
    twin(todo)["stc.p"].sum().backward()
    raw, ends = twin.raw["stc__tau_p"], []
    assert raw.grad is not None
    with torch.no_grad():
        for shift in (1e-5, -1e-5):
            raw += shift
            ends.append(twin(todo)["stc.p"].sum().item())
            raw -= shift
    assert raw.grad.item() == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-8)


def test_what_differs_only_in_noise_is_done_once_with_its_phases() -> None:
    todo = calm(SYNAPSE, READS, trials=3)
    with_phase = during(todo, SYNAPSE, [0.0, 0.1, 0.2], "3600 s", "7200 s")
    kept = once(with_phase)
    assert kept.n_trials == 1
    assert kept.phases[SYNAPSE].value.tolist()[1] == [0.0]
    assert kept.digest == during(once(todo), SYNAPSE, [0.0], "3600 s", "7200 s").digest
    others = [during(todo, SYNAPSE, value, "3600 s", stop) for value in (0, 0.1) for stop in ("7200 s", "10800 s", None)]
    others += [during(todo, SYNAPSE, 0, "0 s", "7200 s"), during(todo, "stc.tau_p", "3600 s", "3600 s", "7200 s"), todo, with_phase]
    assert len({p.digest for p in others}) == len(others)
    with pytest.raises(ProtocolError, match=r"phases .* cannot be joined"):
        protocol.together((0, others[0]), (1, others[0]))


READY = calm(SYNAPSE, READS, trials=2)
WRONG: list[tuple[Any, type[Exception], str]] = [
    (lambda: during(READY, SYNAPSE, 0, "7200 s", "3600 s"), ProtocolError, "stc.alpha from 7200 s to 3600 s; give 0 <= start < stop"),
    (lambda: during(READY, SYNAPSE, 0, "3600 s", "3600 s"), ProtocolError, "give 0 <= start < stop"),
    (lambda: during(READY, SYNAPSE, 0, "-3600 s", "3600 s"), ProtocolError, "give 0 <= start < stop"),
    (lambda: during(READY, SYNAPSE, 0, 5), UnitError, "during: start: expected a value in 'second'"),
    (lambda: during(READY, SYNAPSE, [0, 1, 0], "3600 s"), ProtocolError, "3 values of 'stc.alpha' for 2 trials; give one, or one per trial"),
    (lambda: during(READY, SYNAPSE, np.inf, "3600 s"), ProtocolError, "a value is infinite; give finite numbers, or NaN"),
    (lambda: run(during(READY, "stc.beta", 0, "3600 s")), Exception, "stc.beta|'beta'"),
    (lambda: run(during(READY, "stc.h", "1 mV", "3600 s")), ProtocolError, "'stc.h' is a state, which the equations change; parameters: "),
    (lambda: run(during(READY, "stc.D", "1 ms", "3600 s")), ProtocolError, "'stc.D' is a delay, a refractory period or the period of updates"),
    (lambda: run(during(READY, "stc.theta_tag", 1, "3600 s")), UnitError, "'stc.theta_tag' is in 'mV', but its values are in no unit"),
    (lambda: run(during(READY, SYNAPSE, -1, "3600 s")), ValueError, "phases stc.alpha"),
    (lambda: run(during(calm(SYNAPSE, READS, protocol.clock("5 s")), SYNAPSE, 0, "1 s")), ProtocolError, "phases: 1 s is .* off the grid of 5000 ms"),
    (lambda: Twin(held(SYNAPSE), free=[SYNAPSE])(during(READY, SYNAPSE, 0, "3600 s")), TwinError, "T04, a free parameter that the protocol sets"),
    (lambda: Phases(start=[1.0], value=[[1.0]], unit="1"), ProtocolError, "breakpoints start at 0 s, with one row of values"),
    (lambda: Phases(start=[0.0, 2.0, 1.0], value=np.ones((3, 1)), unit="1"), ProtocolError, "not finite and increasing in time; sort them"),
    (lambda: dataclasses.replace(READY, phases={SYNAPSE: Phases(start=[0.0], value=[[1.0]], unit="1")}), ProtocolError, "1 columns, expected 2"),
]


def run(todo: Protocol) -> Recording:
    return simulate(held(SYNAPSE), todo, seed=1, target="numpy")


@pytest.mark.parametrize(("make", "error", "message"), WRONG, ids=[message[:30] for *_, message in WRONG])
def test_what_is_refused(make: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()


def test_a_refractory_period_does_not_change() -> None:
    todo = protocol.poisson({"input": "10 Hz"}, "0.1 s", stepping=protocol.clock("0.2 ms"))
    with pytest.raises(ProtocolError, match=r"'relay.t_ref' is a delay, a refractory period"):
        simulate(luboeinski2021.neurons(), during(todo, "relay.t_ref", "4 ms", "0 s"), seed=1, target="numpy")
