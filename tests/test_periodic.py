"""Periodic code: what a processor does to a synapse at every multiple of a period, alike on every engine, on a clock and between events."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from bioneuro import protocol
from bioneuro.brian import simulate
from bioneuro.brian.script import script
from bioneuro.model import Circuit, Every, ModelError, Parameter, Pathway, Population, Projection, Synapse, parameter
from bioneuro.protocol import Protocol, ProtocolError, Spikes, Train, clock
from bioneuro.twin import Twin
from bioneuro.verify import verify

COUNT = """
n += 1
last = updates
seen += c
twice = n
twice = twice + n
c = c*int(updates % 5 > 0)
"""


def counting(period: str = "10 ms", code: str = COUNT, **more: Any) -> Circuit:
    """A trace that spikes feed, counted, summed and every fifth time emptied by a processor."""
    parts: dict[str, Any] = {
        "equations": "dc/dt = -c/tau : 1\nn : integer\nlast : integer\nseen : 1\ntwice : 1",
        "parameters": {
            "tau": parameter(50, "ms", low=1, high=1000, says="decay"),
            "T_n": parameter(period, "ms", low=1e-3, high=1e5, says="period"),
            "gain": parameter(1.0, low=0, high=10, says="count per spike"),
        },
        "pathways": (Pathway(event="pre", code="c += gain"),),
        **more,
    }
    synapse = Synapse(name="counted", every=Every(period="T_n", code=code), **parts)
    ends = Population(name="pre"), Population(name="post")
    return Circuit(name="counting", populations=ends, projections=(Projection(name="s", synapse=synapse, pre="pre", post="post"),))


def trains(reads: list[str], **more: Any) -> Protocol:
    return protocol.induction(Train("100 Hz", "1 s"), repetitions=3, start="0.1 s", duration="2 s", reads=reads, **more)


READS = ["0.05 s", "0.1 s", "0.5 s", "1.555 s"]


@pytest.mark.parametrize("stepping", ["events", "clock"])
def test_updates_are_counted_alike_on_every_engine(stepping: str) -> None:
    """0.15, 0.2, 0.6 and 1.655 s into the run: 14, 19, 59 and 165 updates; a reading at the time of an update comes before it."""
    todo = trains(READS)
    if stepping == "clock":
        todo = dataclasses.replace(todo, stepping=clock("0.2 ms"))
    found = {target: simulate(counting(), todo, seed=3, target=target) for target in ("cpp", "numpy")}
    for seen in found.values():
        assert seen["s.n"][:, :, 0].tolist() == [[14, 19, 59, 165]] * 3
        assert np.array_equal(seen["s.n"], seen["s.last"])
        assert np.array_equal(seen["s.twice"], 2 * seen["s.n"])
    assert np.abs(found["cpp"]["s.seen"] - found["numpy"]["s.seen"]).max() < 1e-11


@pytest.mark.slow
def test_cython_counts_them_too() -> None:
    seen, other = (simulate(counting(), trains(READS), seed=3, target=target) for target in ("cython", "numpy"))
    assert all(np.array_equal(seen[k], other[k]) for k in ("s.n", "s.last", "s.twice"))
    assert np.abs(seen["s.seen"] - other["s.seen"]).max() < 1e-11


def test_what_a_processor_sees_is_the_exact_trace() -> None:
    """The sum of what it reads equals the sum of exponentials of all spikes before, down to the last emptying."""
    times = np.array([0.0004, 0.003, 0.01, 0.0234, 0.0301, 0.049, 0.0501, 0.08])
    empty = np.empty(0, np.int64)
    none = Spikes(stimulus=empty, unit=empty, time=np.empty(0))
    given = Spikes(stimulus=np.zeros(times.size, np.int64), unit=np.zeros(times.size, np.int64), time=times)
    todo = dataclasses.replace(trains(READS), trials={}, stimulus=[0], reads=[[0.045, 0.095]], spikes={"pre": given, "post": none})
    c, total, wanted, before = 0.0, 0.0, [], 0.0
    marks = sorted([(k * 0.01, 0) for k in range(1, 10)] + [(t, 1) for t in times] + [(0.045, 2), (0.095, 2)])
    for t, kind in marks:  # a spike at the time of an update comes after it
        c, before = c * np.exp(-(t - before) / 0.05), t
        if kind == 0:
            total += c
            c *= float(round(t / 0.01) % 5 > 0)
        elif kind == 1:
            c += 1
        else:
            wanted.append(total)
    for target in ("cpp", "numpy"):
        assert simulate(counting(), todo, seed=0, target=target)["s.seen"].ravel().tolist() == pytest.approx(wanted, rel=1e-13)


def test_updates_meet_events_and_readings_alike_in_cpp_and_numpy() -> None:
    """Spikes and readings at updates, a rounding and a quantum beside them, silences and bursts, 40 stimuli: the same updates in the same order."""
    rng = np.random.default_rng(1)
    n, period = 40, 0.0007
    marks = np.arange(1, 3000) * period
    trains_of, reads = [], []
    for _ in range(n):
        at = rng.choice(marks, rng.integers(0, 40), replace=False)
        free = rng.uniform(0, 2, rng.integers(0, 60))
        times = np.unique(np.abs(np.concatenate([at + rng.choice([0, 1e-16, 1e-10, -1e-10, 3e-10], at.size), free])))
        trains_of.append(times[np.append(True, np.diff(times) > 3e-10)])
        reads.append(np.sort(np.append(rng.choice(marks, 3, replace=False) + rng.choice([0, 1e-10, -1e-10], 3), rng.uniform(0, 2, 2))))
    stimulus = np.repeat(np.arange(n), [t.size for t in trains_of])
    spikes = Spikes(stimulus=stimulus, unit=np.zeros(stimulus.size, np.int64), time=np.concatenate(trains_of))
    empty = np.empty(0, np.int64)
    none = Spikes(stimulus=empty, unit=empty, time=np.empty(0))
    todo = dataclasses.replace(trains(READS), trials={}, stimulus=np.arange(n), reads=np.array(reads), spikes={"pre": spikes, "post": none})
    a, b = (simulate(counting("0.7 ms"), todo, seed=0, target=target) for target in ("cpp", "numpy"))
    assert np.array_equal(a["s.n"], b["s.n"])
    assert np.array_equal(a["s.last"], b["s.last"])
    assert np.array_equal(a["s.n"], a["s.last"])
    assert np.abs(a["s.seen"] - b["s.seen"]).max() < 1e-9
    quanta = np.rint(np.array(reads) * 1e10)
    assert np.array_equal(a["s.n"][:, :, 0], (np.rint(marks[:, None, None] * 1e10) < quanta).sum(axis=0))


def test_phases_and_updates_share_a_run() -> None:
    """A parameter that changes between two updates has its new value at the second."""
    circuit = counting(code="n += 1\nlast = updates\nseen += gain")
    todo = protocol.during(trains(READS), "s.gain", 3.0, "0.305 s", "0.51 s")
    for target in ("cpp", "numpy"):
        seen = simulate(circuit, todo, seed=1, target=target)["s.seen"][0, :, 0]
        # Updates at 0.31 to 0.51 s; what is at the time of a breakpoint comes after it, so the one at 0.51 s sees the old value again.
        assert seen.tolist() == [14, 19, 59 + 2 * 20, 165 + 2 * 20]


BAD = {
    "period unknown": (lambda: counting(parameters={"T": parameter(1, "ms")}), "T_n"),
    "period zero": (lambda: counting(parameters={"T_n": parameter(0, "ms"), "tau": parameter(1, "ms"), "gain": parameter(1)}), "above 0"),
    "unknown name": (lambda: counting(code="n = nn + 1"), "'nn' is not known"),
    "parameter assigned": (lambda: counting(code="gain = 2"), "parameter"),
    "ends": (lambda: counting(code="n = v_post"), "'v_post' is not known"),
    "time as a local": (lambda: counting(code="t = 2"), "'t'"),
    "random": (lambda: counting(code="n = rand()"), "rand"),
    "elsewhere": (lambda: counting(pathways=(Pathway(event="pre", code="c += ppu_add(1, 2, 8)"),)), "ppu_add"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_periodic_code_is_refused_by_name(case: str) -> None:
    make, named = BAD[case]
    with pytest.raises((ModelError, ValueError), match=named):
        make()


def test_the_period_is_one_for_all_trials_and_synapses() -> None:
    with pytest.raises(ProtocolError, match=r"s\.T_n is the period of updates"):
        simulate(counting(), dataclasses.replace(trains(READS), settings={"s.T_n": ["1 ms", "2 ms", "3 ms"]}), seed=1, target="numpy")
    with pytest.raises(ProtocolError, match="period of updates"):
        simulate(counting(), protocol.during(trains(READS), "s.T_n", "5 ms", "1 s"), seed=1, target="numpy")
    first, second = counting().projections[0], counting("20 ms").projections[0]
    with pytest.raises(ModelError, match="several periods"):
        dataclasses.replace(counting(), projections=(first, dataclasses.replace(second, name="s_2")))


def test_the_twin_runs_the_same_updates() -> None:
    seen = simulate(counting(), trains(READS), seed=1, target="numpy")
    assert verify(seen, against=Twin(counting())(trains(READS), seed=1).detached(), tolerance=1e-14)


def test_the_plain_script_refuses_periodic_code_by_name() -> None:
    with pytest.raises(ModelError, match="'s' has periodic code"):
        script(counting(), trains(READS), seed=1)


def test_a_whole_number_is_whole() -> None:
    with pytest.raises(ModelError, match="no integer of 32 bits"):
        parameter(0.5, "integer", says="a count")
    with pytest.raises(ModelError, match="no integer of 32 bits"):
        parameter(2.0**31, "integer")
    assert str(parameter(-3, "integer")) == "-3"
    assert isinstance(parameter(7, "integer"), Parameter)
