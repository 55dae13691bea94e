"""The printed Brian2 script does what `simulate` does, with nothing of ours imported."""

import ast
import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bioneuro import brian, catalogue, cli, protocol
from bioneuro.brian.literals import array, number, quantity, remark
from bioneuro.catalogue import graupner2012, luboeinski2021, song2000, vogels2005
from bioneuro.model import Circuit, parameter
from bioneuro.protocol import Current, Protocol, Spikes
from bioneuro.recording import Recording

EXACT = {"rtol": 1e-12, "atol": 1e-12}


def lags(*ms: float) -> Any:
    from brian2.units import ms as millisecond

    return np.array(ms) * millisecond


def without_noise(name: str = "DP") -> Circuit:
    return graupner2012.pair(name).with_values({"calcium.sigma": 0})


def by_events() -> tuple[Circuit, Protocol]:
    return without_noise(), protocol.pairing(lag=lags(-10, 5, 20), pairs=4, initial={"calcium.rho": [0, 1]})


def with_a_delay() -> tuple[Circuit, Protocol]:
    stepping = protocol.clock("0.1 ms")
    return without_noise(), protocol.pairing(lag=lags(-10, 20), rate="10 Hz", pairs=3, rest="50 ms", stepping=stepping)


def stdp() -> tuple[Circuit, Protocol]:
    return song2000.pair(), protocol.pairing(lag=lags(-5, 10), rate="20 Hz", pairs=3, rest="20 ms", stepping=protocol.clock("0.1 ms"))


def driven() -> tuple[Circuit, Protocol]:
    """Two trials of two neurons and three inputs, with a membrane time constant per trial, read three times."""
    spikes = Spikes(stimulus=[0, 0, 0, 1, 1], unit=[0, 1, 2, 0, 2], time=[0.005, 0.0101, 0.02, 0.015, 0.0301])
    whole = Protocol(
        name="imposed",
        stepping=protocol.clock("0.1 ms"),
        trials={},
        stimulus=[0, 1],
        reads=[[0.01, 0.03, 0.08], [0.02, 0.04, 0.06]],
        settings={"lif.tau_m": [0.02, 0.012]},
        spikes={"input": spikes},
        record=("lif.v", "lif.g_e"),
    )
    return vogels2005.driven(size=2, inputs=3), whole


def with_a_current() -> tuple[Circuit, Protocol]:
    circuit, whole = driven()
    current = Current(start=[0, 0.02], value=[[0, 0.001], [0.004, 0.002]], unit="volt")
    return circuit, dataclasses.replace(whole, currents={"lif": current})


QUIET = {"stc.sigma_pl": "0 mV"}


def with_sums_between_events() -> tuple[Circuit, Protocol]:
    """Two synapses that share a neuron's protein, whose synthesis is blocked for a while."""
    made = protocol.two_pathways(protocol.WTET, protocol.WTET, ["1800 s", "-600 s"], reads=["600 s", "3600 s", "25200 s"])
    return luboeinski2021.pathways().with_values(QUIET), protocol.during(made, "neuron.alpha", 0, "4000 s", "5000 s")


def with_slow_variables() -> tuple[Circuit, Protocol]:
    made = protocol.induction([protocol.STET, protocol.WTET], reads=["600 s", "3600 s", "25200 s"])
    return luboeinski2021.single().with_values(QUIET), protocol.during(made, "stc.theta_tag", "0.5 mV", "4000 s")


def with_sums_on_a_clock() -> tuple[Circuit, Protocol]:
    grid = {"grid": "0.2 ms", "stepping": protocol.clock("0.2 ms")}
    made = protocol.poisson({"input": "100 Hz"}, "0.3 s", reads=["0.1 s", "0.3 s"], **grid)
    return luboeinski2021.neurons().with_values(QUIET), protocol.during(made, "neuron.alpha", 0.5, "0.1 s")


CASES = [by_events, with_a_delay, stdp, driven, with_a_current, with_sums_between_events, with_slow_variables, with_sums_on_a_clock]


def run(text: str, folder: Path) -> dict[str, list[Any]]:
    """Name -> the JSON values that the last lines of a script print for it."""
    path = folder / "plain.py"
    path.write_text(text, encoding="utf-8")
    alone = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run([sys.executable, path.name], cwd=folder, env=alone, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = {}
    for line in done.stdout.splitlines():
        name, _, values = line.partition(" ")
        found[name] = json.loads(f"[{values.replace('] [', '], [')}]") if name[0].isalpha() else []
    return found


def compare(found: dict[str, list[Any]], seen: Recording) -> None:
    for path, values in seen.traces.items():
        np.testing.assert_allclose(np.array(found[path][0]), values[:, -1], **EXACT, err_msg=path)
    for population, train in seen.spikes.items():
        steps, index = (np.array(values, int) for values in found[population])
        order = np.lexsort((steps, index))
        np.testing.assert_array_equal(steps[order], train.steps)
        np.testing.assert_array_equal(np.bincount(index, minlength=train.counts.size), train.counts.ravel())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_script_does_what_simulate_does(case: Any, tmp_path: Path) -> None:
    circuit, todo = case()
    compare(run(brian.script(circuit, todo), tmp_path), brian.simulate(circuit, todo, seed=0, target="numpy"))


def test_driven_case_is_not_silent() -> None:
    circuit, todo = driven()
    assert brian.simulate(circuit, todo, seed=0, target="numpy").spikes["lif"].counts.min() >= 1


@pytest.mark.parametrize("name", catalogue.circuits())
def test_every_model_has_a_script(name: str) -> None:
    """Law: the script of every model parses, imports brian2 and numpy only, and sets every parameter."""
    circuit = catalogue.circuits()[name]()
    text = brian.script(circuit, cli.classic(circuit))
    tree = ast.parse(text)
    packages = {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    packages |= {str(n.module).partition(".")[0] for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    assert packages == {"brian2", "numpy"}
    written = {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store)}
    assert written >= {path.partition(".")[2] for path in circuit.values}


def test_meanings_and_references_stay_remarks() -> None:
    """Free text of a model never becomes code."""
    hostile = 'x\nimport os\r\x0b\x0c\x1e\x85\u2028import os\x00 """\\'
    circuit = song2000.pair()
    bad = dataclasses.replace(circuit.projections[0].synapse, reference=hostile)
    bad = dataclasses.replace(bad, parameters={**bad.parameters, "w_max": parameter(1, says=hostile, source=hostile)})
    whole = dataclasses.replace(circuit, projections=(dataclasses.replace(circuit.projections[0], synapse=bad),))
    plain, spoiled = (brian.script(c, protocol.pairing(lag="5 ms", pairs=2)) for c in (circuit, whole))
    assert ast.dump(ast.parse(plain)) == ast.dump(ast.parse(spoiled))
    assert "import os" in spoiled
    assert remark("a\tb\x1b[31m") == "a b[31m"


def test_noise_is_drawn_by_brian2_and_said_so() -> None:
    text = brian.script(graupner2012.pair(), protocol.pairing(lag="5 ms", pairs=2), seed=7)
    assert "randn()" in text
    assert "counter_normal" not in text
    assert "seed(7)" in text


def test_names_of_brian2_are_left_alone() -> None:
    """A port called like a name of Brian2 gets another variable, not another name."""
    text = brian.script(vogels2005.driven(), cli.classic(vogels2005.driven()))
    assert "input_ = SpikeGeneratorGroup(" in text
    assert 'name="input"' in text


def test_much_is_written_in_full() -> None:
    spikes = 0.1 + np.cumsum(np.random.default_rng(1).integers(1, 40, 3000)) * 1e-4
    circuit = vogels2005.driven()
    todo = Protocol(
        name="long",
        stepping=protocol.clock("0.1 ms"),
        trials={},
        stimulus=[0],
        reads=[[9]],
        spikes={"input": Spikes(stimulus=[0] * 3000, unit=[0] * 3000, time=spikes)},
    )
    text = brian.script(circuit, todo)
    assert "# 3000 numbers" in text
    assert str(round(spikes[-1] / 1e-4)) in text
    assert max(len(line) for line in text.splitlines()) < 200


def evaluated(text: str) -> Any:
    return eval(text, {"np": np})


def block(values: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    """Lists with the patterns that `array` looks for, and lists without."""
    plain = st.lists(values, max_size=12)
    times = st.integers(1, 6)
    tiled = st.builds(lambda a, n: a * n, plain, times)
    return st.one_of(plain, tiled, st.builds(lambda a, n: [x for x in a for _ in range(n)], plain, times))


@given(block(st.integers(-(2**40), 2**40)), st.integers(-3, 3))
def test_integers_read_back(values: list[int], slope: int) -> None:
    whole = np.array(values, np.int64) + slope * np.arange(len(values))
    again = evaluated(array(whole))
    assert again.dtype == np.int64
    np.testing.assert_array_equal(again, whole)


@given(block(st.floats(allow_nan=False, allow_infinity=False)))
@example([1.7e308, -1.7e308])  # whose difference overflows
def test_floats_read_back(values: list[float]) -> None:
    whole = np.array(values, np.float64)
    np.testing.assert_array_equal(evaluated(array(whole)), whole)


@given(block(st.lists(st.sampled_from([0.0, 0.25, 1.0]), min_size=2, max_size=2)))
def test_tables_read_back(rows: list[list[float]]) -> None:
    whole = np.array(rows or [[0.0, 1.0]])
    np.testing.assert_array_equal(evaluated(array(whole)), whole)


@pytest.mark.parametrize("unit", ["mV", "ms", "nS", "1", "nS/pF", "uV", "metre**2/second"])
def test_quantities_read_back(unit: str) -> None:
    space: dict[str, Any] = {}
    exec("from brian2 import *\nimport numpy as np", space)
    for value in (parameter(v, unit) for v in (20, 1 / 3, -70.6, 0, 1e-9)):
        again = eval(quantity(value.value, unit), space)
        assert float(again) == value.value
        if unit != "1":
            assert again.dim == value.quantity.dim


def test_numbers_are_short() -> None:
    assert [number(v) for v in (20.0, 0.5, 1e22, 3, True)] == ["20", "0.5", "1e+22", "3", "True"]
