"""The short Brian2 script spikes as `simulate` does, to the last step, and reads like what a person would write."""

import ast
import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioneuro import brian, protocol
from bioneuro.catalogue import brette2005, circuits, graupner2012, hodgkin1952, luboeinski2021, song2000, vogels2005
from bioneuro.exchange.amounts import amount
from bioneuro.exchange.parameters import export, save
from bioneuro.exchange.short import short
from bioneuro.model import Circuit, Every, ModelError, Neuron, Parameter, Pathway, Population, Projection, Synapse, parameter
from bioneuro.protocol import Clock, Current, Protocol, ProtocolError, Spikes

CLOCK = protocol.clock("0.1 ms")
Case = tuple[Circuit, Protocol]


def imposed(reads: float, spikes: dict[str, Spikes], **more: Any) -> Protocol:
    whole = dict(name="imposed", stepping=CLOCK, trials={}, stimulus=[0], reads=[[reads]], spikes=spikes)
    return Protocol(**{**whole, **more})


def random_spikes(size: int, until: float, seed: int = 1, n: int = 60) -> Spikes:
    rng = np.random.default_rng(seed)
    cells = rng.choice(round(until * 1e4) * size, n, replace=False)
    return Spikes(stimulus=[0] * n, unit=cells % size, time=cells // size * 1e-4)


def lif_with_refractory_period() -> Case:
    fitted = {"lif.tau_m": 0.0123456789012345, "lif.t_ref": 0.0033}
    values = {k: f"{v!r} second" for k, v in fitted.items()}
    return vogels2005.driven(size=2, inputs=3).with_values(values), imposed(0.08, {"input": random_spikes(3, 0.08, n=40)})


def adex_with_current_steps() -> Case:
    current = Current(start=[0, 0.01, 0.06, 0.08], value=np.array([[0], [0.8], [-0.1], [1.1]]) * 1e-9, unit="amp")
    return brette2005.driven(), imposed(0.12, {"input": random_spikes(1, 0.12, n=5)}, currents={"adex": current})


def plastic_synapses() -> Case:
    """Twenty inputs train the neuron that they drive; a state and a parameter are set by the protocol."""
    circuit = song2000.onto_one_neuron(20).with_values({"stdp.g_max": 0.2, "stdp.w": np.linspace(0.2, 0.9, 20)})
    return circuit, imposed(0.1, {"input": random_spikes(20, 0.1, n=90)}, settings={"cell.v": [-0.0571], "cell.tau_m": [0.0113]})


def a_delay() -> Case:
    made = protocol.pairing(lag="7 ms", rate="20 Hz", pairs=3, rest="30 ms", onset="5 ms", stepping=CLOCK)
    return graupner2012.pair("DP").with_values({"calcium.sigma": 0, "calcium.D": "3.7 ms"}), made


def sums_and_a_course() -> Case:
    """Sums over synapses, a synapse stepped on the clock, and a parameter that changes."""
    made = protocol.poisson({"input": "200 Hz"}, "0.1 s", stepping=protocol.clock("0.2 ms"), grid="0.2 ms")
    return luboeinski2021.neurons().with_values({"stc.sigma_pl": "0 mV"}), protocol.during(made, "neuron.alpha", 0.5, "0.05 s")


def units_of_their_own() -> Case:
    """A parameter, a current and a delay that differ between units or pairs, and two projections with parameters of one name."""
    base = vogels2005.driven(size=3, inputs=2, method="euler")
    late = parameter([0.2, 1.3, 0.7, 2, 0, 5.4], "ms", low=0, high=100)
    syn = vogels2005.synapse()
    path = Pathway(event="pre", code="g_e_post += weight", delay="d")
    syn = dataclasses.replace(syn, pathways=(path,), parameters={**syn.parameters, "d": late})
    loop = Projection(name="loop", synapse=vogels2005.synapse("g_i", -9.0), pre="lif", post="lif", pairs=([0, 1, 2], [1, 2, 0]))
    circuit = dataclasses.replace(base, projections=(dataclasses.replace(base.projections[0], synapse=syn), loop))
    waves = np.array([[[0.0, 1, 2]], [[3, 2, 1.5]]]) * 1e-3
    made = imposed(0.06, {"input": random_spikes(2, 0.06, n=30)}, currents={"lif": Current(start=[0, 0.03], value=waves, unit="volt")})
    return circuit.with_values({"lif.tau_m": f"{0.02!r} second", "lif.V_r": np.array([-0.06, -0.058, -0.0611]) * brian_volt()}), made


def brian_volt() -> Any:
    from brian2.units import volt

    return volt


def compound_units() -> Case:
    current = Current(start=[0, 0.002], value=np.array([[0], [1e-5]]), unit="amp")
    return hodgkin1952.driven(), imposed(0.02, {"input": random_spikes(1, 0.02, n=2)}, stepping=protocol.clock("0.05 ms"), currents={"axon": current})


def a_momentary_input() -> Case:
    neuron = Neuron(
        name="cell",
        equations="dv/dt = (k*x - v)/tau : 1\nx : 1",
        threshold="v > 1",
        reset="v = 0",
        refractory="2*tau_ref",
        momentary="x",
        parameters={"k": parameter(30.0), "tau": parameter(10, "ms"), "tau_ref": parameter(0.5, "ms")},
    )
    synapse = Synapse(name="s", equations="w : 1", pathways=(Pathway(event="pre", code="x_post += w"),), parameters={}, initial={"w": parameter(2.0)})
    circuit = Circuit(
        name="momentary",
        populations=(Population(name="input", size=2), Population(name="cell", neuron=neuron)),
        projections=(Projection(name="s", synapse=synapse, pre="input", post="cell"),),
    )
    return circuit, imposed(0.05, {"input": random_spikes(2, 0.05, n=60)})


CASES = [lif_with_refractory_period, adex_with_current_steps, plastic_synapses, a_delay, units_of_their_own, a_momentary_input]
LONGER = [sums_and_a_course, compound_units]
Printed = dict[str, dict[str, list[Any]]]

FIRST = {name.partition(" ")[0]: name for name in reversed(circuits())}
MODELS = [name if name in FIRST.values() else pytest.param(name, marks=pytest.mark.slow) for name in circuits()]
"""By default one of each paper."""

DRIVER = """
import runpy, sys
from brian2 import start_scope
for path in sys.argv[1:]:
    start_scope()
    print("==", path)
    runpy.run_path(path, run_name="__main__")
"""


def run(cases: list[Callable[[], Case]], folder: Path) -> Printed:
    """Case -> name -> the JSON values that the script of the case prints; all scripts in one process, without ours."""
    for case in cases:
        (folder / f"{case.__name__}.py").write_text(short(*case()), encoding="utf-8")
    alone = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    command = [sys.executable, "-c", DRIVER, *(f"{case.__name__}.py" for case in cases)]
    done = subprocess.run(command, cwd=folder, env=alone, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr, done.stderr
    found: Printed = {}
    for line in done.stdout.splitlines():
        name, _, values = line.partition(" ")
        if name == "==":
            current = found[values.removesuffix(".py")] = {}
        else:
            current[name] = json.loads(f"[{values.replace('] [', '], [')}]")
    return found


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> Printed:
    return run(CASES, tmp_path_factory.mktemp("short"))


@pytest.fixture(scope="module")
def printed_longer(tmp_path_factory: pytest.TempPathFactory) -> Printed:
    return run(LONGER, tmp_path_factory.mktemp("longer"))


def differing(case: Callable[[], Case], found: dict[str, list[Any]]) -> int:
    """Spikes that only one of the two has; what synapses hold at the end must be the same numbers."""
    circuit, todo = case()
    seen = brian.simulate(circuit, todo, seed=0, target="numpy")
    differ = heard = 0
    for population, train in seen.spikes.items():
        times, index = (np.array(values) for values in found[population])
        steps = np.rint(times * 1e-3 / train.dt).astype(int).tolist()
        mine = set(zip(steps, index.astype(int).tolist(), strict=True))
        units = np.repeat(np.arange(train.size), train.counts.ravel())
        differ += len(mine ^ set(zip(train.steps.tolist(), units.tolist(), strict=True)))
        assert len(mine) == len(steps)
        heard += len(steps)
    assert heard or not seen.spikes, "a silent case shows nothing"
    for path in set(found) - set(seen.spikes):
        np.testing.assert_array_equal(np.array(found[path][0]), seen.traces[path][0, -1])
    return differ


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_the_script_spikes_as_simulate_does(case: Callable[[], Case], printed: Printed, ledger: Callable[..., None]) -> None:
    differ = differing(case, printed[case.__name__])
    ledger(case.__name__.replace("_", " "), "brian.simulate", "spikes of the short Brian2 script that differ", differ, 0)


@pytest.mark.slow
@pytest.mark.parametrize("case", LONGER, ids=lambda case: case.__name__)
def test_longer_scripts_spike_as_simulate_does(case: Callable[[], Case], printed_longer: Printed) -> None:
    assert differing(case, printed_longer[case.__name__]) == 0


def test_a_lif_is_short_and_speaks_in_its_own_units() -> None:
    circuit, todo = lif_with_refractory_period()
    text = short(circuit.with_values({"lif.tau_m": "12.3 ms"}), todo)
    assert len(text.splitlines()) < 60
    for line in ("tau_m = 12.3*ms  # membrane time constant", "V_th = -50*mV  # threshold", "weight = 1.62*mV  # jump of the synaptic input"):
        assert line in text.splitlines()
    assert 'refractory="t_ref"' in text
    assert "run(80*ms)" in text
    assert "input_ = SpikeGeneratorGroup(3, " in text


@pytest.mark.parametrize("name", MODELS)
def test_every_model_has_a_short_script(name: str) -> None:
    """Law: it parses, imports brian2 and numpy only, hides no name of theirs and sets every parameter."""
    circuit = circuits()[name]()
    tree = ast.parse(short(circuit, duration="5 ms"))
    packages = {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    packages |= {str(n.module).partition(".")[0] for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    assert packages == {"brian2", "numpy"}
    written = {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store)}
    made = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    assert written | made >= {path.partition(".")[2] for path in circuit.values}
    assert not made & set(dir(sys.modules["brian2"]))


def test_without_a_protocol_nothing_is_done_and_noise_is_brian2s() -> None:
    text = short(graupner2012.pair("DP"), seed=7, duration="2 s")
    assert "pre = SpikeGeneratorGroup(1, [], []*ms)  # no spikes: units and times" in text
    assert "seed(7)" in text
    assert "run(2000*ms)" in text
    assert "seed(" not in short(vogels2005.driven())


def test_a_fitted_delay_need_not_lie_on_the_grid() -> None:
    text = short(graupner2012.pair("DP").with_values({"calcium.D": "3.7123456 ms"}))
    assert 'delay=D,' in text
    assert "D = 3.7123456*ms" in text


def test_names_that_mean_two_things_are_declared_in_their_objects() -> None:
    """Two objects with a parameter of one name, a parameter called like a function of Brian2, one that a synapse reads."""
    circuit, todo = units_of_their_own()
    text = short(circuit, todo)
    assert text.count("weight : volt (shared, constant)") == 2
    assert "loop.weight = -9*mV" in text
    plain = vogels2005.neuron()
    neuron = dataclasses.replace(plain, equations=plain.equations + "\ng = gamma : 1", parameters={**plain.parameters, "gamma": parameter(2.0)})
    text = short(Circuit(name="alone", populations=(Population(name="lif", neuron=neuron),)))
    assert "gamma : 1 (shared, constant)" in text
    assert "lif.gamma = 2.0" in text


def test_free_text_stays_remarks() -> None:
    hostile = 'x\nimport os\r\x0b\x0c\x1e\x85\u2028import os\x00 """\\'
    circuit = song2000.pair()
    bad = dataclasses.replace(circuit.projections[0].synapse, reference=hostile)
    bad = dataclasses.replace(bad, parameters={**bad.parameters, "w_max": parameter(1, says=hostile, source=hostile)})
    whole = dataclasses.replace(circuit, projections=(dataclasses.replace(circuit.projections[0], synapse=bad),))
    assert ast.dump(ast.parse(short(circuit))) == ast.dump(ast.parse(short(whole)))


UNITS = ["mV", "ms", "nS", "1", "pA", "mV/ms", "mS/cm**2", "1/mV**2", "mV**2", "volt*ms", "nS/pF", "h"]


@settings(max_examples=40)
@given(st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=False, min_value=-1e6, max_value=1e6), st.sampled_from(UNITS))
def test_numbers_read_back_bit_for_bit(value: float, unit: str) -> None:
    p = Parameter(value=np.asarray(value), unit=unit)
    again = eval(amount(p.value, unit), vars(sys.modules["brian2"]))
    assert float(again) == value
    assert unit == "1" or again.dim == p.quantity.dim
    many = eval(amount(np.array([value, 0.0, 1.0]), unit), {**vars(sys.modules["brian2"]), "np": np})
    np.testing.assert_array_equal(np.asarray(many), [value, 0.0, 1.0])


def test_a_number_without_unit_is_no_integer() -> None:
    """Brian2 would take a whole number for an integer, whose arithmetic is another."""
    assert amount(np.asarray(2.0), "1") == "2.0"
    assert amount(np.asarray(2.0), "integer") == "2"


def refused() -> list[tuple[str, Callable[[], Any], type[Exception], str]]:
    circuit, todo = lif_with_refractory_period()
    events = protocol.pairing(lag="5 ms", pairs=2)
    two = dataclasses.replace(todo, stimulus=[0, 0])
    return [
        ("events", lambda: short(graupner2012.pair(), events), ProtocolError, r"steps by events.*bioneuro\.brian\.script"),
        ("trials", lambda: short(circuit, two), ProtocolError, r"has 2 trials, allowed: 1; .*bioneuro\.brian\.script"),
        ("duration", lambda: short(circuit, todo, duration="1 s"), ProtocolError, "leave the duration out"),
        ("periodic", lambda: short(periodic()), ModelError, r"'s' has periodic code \(every\).*brian\.simulate"),
        ("grid", lambda: short(circuit, imposed(0.01, todo.spikes, stepping=Clock(dt=3e-4, tolerance=0))), ProtocolError, "off the grid"),
    ]


def periodic() -> Circuit:
    every = Every(period="T", code="w += 1")
    synapse = Synapse(name="s", equations="w : 1", pathways=(), parameters={"T": parameter(1, "ms")}, every=every)
    ports = (Population(name="a"), Population(name="b"))
    return Circuit(name="c", populations=ports, projections=(Projection(name="s", synapse=synapse, pre="a", post="b"),))


@pytest.mark.parametrize(("call", "error", "says"), [case[1:] for case in refused()], ids=[case[0] for case in refused()])
def test_what_cannot_be_said_is_refused_by_name(call: Callable[[], Any], error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        call()


def test_export_writes_the_script_of_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    circuit, todo = lif_with_refractory_period()
    path = tmp_path / "lif.safetensors"
    save(circuit, path)
    assert export(path, "brian2", tmp_path / "lif.py", todo, circuit=vogels2005.driven(size=2, inputs=3)) == tmp_path / "lif.py"
    assert (tmp_path / "lif.py").read_text() == short(circuit, todo)
    save(vogels2005.driven(), path, model="vogels2005 LIF")
    assert export(path) is None
    assert capsys.readouterr().out == short(vogels2005.driven())
    with pytest.raises(ValueError, match="cannot export to 'neuroml'; allowed: 'brian2'"):
        export(path, "neuroml")


def test_export_keeps_the_clock_of_a_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = "clopath2010 published code, visual cortex"
    save(circuits()[name](), tmp_path / "x.safetensors", model=name)
    export(tmp_path / "x.safetensors")
    assert "defaultclock.dt = 1*ms" in capsys.readouterr().out
