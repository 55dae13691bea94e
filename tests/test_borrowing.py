"""Brian2 is borrowed: the user's device, preferences, clock, folder and objects are as they were, and do not disturb."""

import gc
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import brian2
import numpy as np
import pytest
from brian2.core.base import BrianObject
from brian2.devices.device import get_device

from bioneuro import brian, protocol
from bioneuro.brian import programs
from bioneuro.brian.simulate import SimulationError
from bioneuro.catalogue import graupner2012, song2000
from bioneuro.flow import FlowError
from bioneuro.model import Circuit, Pathway, Population, Projection, Synapse, parameter
from bioneuro.plan import plan
from bioneuro.protocol import Protocol
from bioneuro.statements import read

PAIR = song2000.pair()
TRAINS = protocol.poisson({"pre": "20 Hz", "post": "20 Hz"}, "2 s", repetitions=3)


def rule(equations: str) -> Circuit:
    synapse = Synapse(
        name="rule",
        equations=equations,
        pathways=(Pathway(event="pre", code="c += 1"),),
        parameters={"tau": parameter(10, "ms")},
    )
    ends = (Population(name="pre"), Population(name="post"))
    return Circuit(name="pair", populations=ends, projections=(Projection(name="stdp", synapse=synapse, pre="pre", post="post"),))


def on_clock() -> Protocol:
    return protocol.poisson({"pre": "20 Hz", "post": "20 Hz"}, "0.2 s", stepping=protocol.clock("1 ms"), grid="1 ms")


def compiled_until_the_build() -> None:
    class Stop(Exception):
        pass

    def stop(*_: Any) -> Path:
        raise Stop

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(programs.Cache, "program", stop)
        with pytest.raises(Stop):
            brian.simulate(PAIR, TRAINS, seed=1)


def refused() -> None:
    with pytest.raises(FlowError):
        brian.simulate(rule("dc/dt = -c**3/tau : 1"), TRAINS, seed=1, target="numpy")


def exploding() -> None:
    with pytest.raises(SimulationError):
        brian.simulate(rule("dc/dt = c**3/tau : 1"), on_clock(), seed=1, target="numpy")


RUNS: dict[str, Callable[[], Any]] = {
    "numpy": lambda: brian.simulate(PAIR, TRAINS, seed=1, target="numpy"),
    "numpy, clock": lambda: brian.simulate(PAIR, on_clock(), seed=1, target="numpy"),
    "cpp, stopped before the build": compiled_until_the_build,
    "statements": lambda: read(plan(graupner2012.pair(), TRAINS, seed=1)),
    "refused": refused,
    "exploding": exploding,
}


def observed() -> dict[str, Any]:
    gc.collect()
    return {
        "device": get_device(),
        "preferences": dict(brian2.prefs.items()),
        "folder": os.getcwd(),
        "files": sorted(os.listdir()),
        "dt": float(brian2.defaultclock.dt),
        "objects": sorted(ref().name for ref in BrianObject.__instances__() if ref() is not None),
        "magic": sorted(o.name for o in brian2.collect()),
    }


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A user in the middle of work: own clock, own preferences, and objects called like ours."""
    monkeypatch.chdir(tmp_path)
    before, dt = dict(brian2.prefs.items()), brian2.defaultclock.dt
    brian2.prefs["codegen.target"] = "numpy"
    brian2.prefs["codegen.loop_invariant_optimisations"] = False
    brian2.prefs["codegen.cpp.extra_compile_args_gcc"] = ["-O1"]
    brian2.defaultclock.dt = 0.5 * brian2.ms
    pre = brian2.NeuronGroup(2, "dv/dt = (A_plus - v)/tau : 1", threshold="v > 1e6", reset="v = 0", method="euler", name="pre")
    stdp = brian2.Synapses(pre, pre, "w : 1", on_pre="w += step_length", name="stdp")
    stdp.connect()
    mine = [pre, stdp, brian2.SpikeMonitor(pre, name="bioneuro_readings"), brian2.Clock(dt=1 * brian2.ms, name="bioneuro_clock")]
    yield mine
    brian2.defaultclock.dt = dt
    for name, value in before.items():
        brian2.prefs[name] = value


@pytest.mark.filterwarnings("ignore:overflow encountered", "ignore:invalid value encountered")
@pytest.mark.parametrize("run", RUNS)
def test_all_is_as_it_was(world: Any, run: str) -> None:
    before = observed()
    RUNS[run]()
    assert observed() == before


def test_the_users_objects_do_not_disturb(world: Any) -> None:
    disturbed = brian.simulate(PAIR, TRAINS, seed=1, target="numpy")
    pre, stdp = world[:2]
    tau, A_plus, step_length = 20 * brian2.ms, 1e9, 7  # noqa: F841 (read by the user's equations); names that our equations read too
    brian2.run(2 * brian2.ms)  # magic: the user's objects and no others
    assert float(brian2.magic_network.t) == pytest.approx(0.002)
    assert set(stdp.w[:]) == {4.0 * step_length}  # driven so hard, they spike in each of four steps
    del world[:], pre, stdp
    np.testing.assert_array_equal(disturbed["stdp.w"], brian.simulate(PAIR, TRAINS, seed=1, target="numpy")["stdp.w"])


@pytest.mark.parametrize("run", ["numpy", "cpp, stopped before the build", "refused"])
def test_a_standalone_device_of_the_users_stays(run: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    brian2.set_device("cpp_standalone", build_on_run=False, directory=str(tmp_path / "mine"))
    try:
        group = brian2.NeuronGroup(1, "v : 1", name="pre")
        before, queue = observed(), list(get_device().main_queue)
        RUNS[run]()
        assert observed() == before
        assert get_device().main_queue == queue
        assert not (tmp_path / "mine").exists()
        assert group.name == "pre"
    finally:
        brian2.device.reinit()
        brian2.set_device("runtime")
