"""Circuits are values: frozen, changed by copies, equal exactly where their digests are."""

import dataclasses
import json
import os
import pickle
import pkgutil
import re
import subprocess
import sys
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioneuro import catalogue, protocol
from bioneuro.catalogue import graupner2012, vogels2005
from bioneuro.model import Circuit, ModelError, Neuron, Parameter, Pathway, Population, Projection, Synapse, digest, parameter, side_by_side

MODULES = {found.name: import_module(f"bioneuro.catalogue.{found.name}") for found in pkgutil.iter_modules(catalogue.__path__)}
CIRCUITS = {name: make for m in MODULES.values() for name, make in m.CIRCUITS.items()}
PAIR = graupner2012.pair("DP")

FINGERPRINTS = """
import json, pkgutil
from importlib import import_module
from bioneuro import catalogue, protocol
modules = [import_module(f"bioneuro.catalogue.{found.name}") for found in pkgutil.iter_modules(catalogue.__path__)]
made = {name: make().digest for m in modules for name, make in m.CIRCUITS.items()}
made["window"] = protocol.pairing(lag=["-10 ms", "10 ms"], initial={"calcium.rho": [0, 1], "calcium.c": [0, 0]}).digest
made["poisson"] = protocol.poisson({"pre": "10 Hz", "post": "5 Hz"}, "1 s", stepping=protocol.clock()).digest
print(json.dumps(made))
"""


@pytest.mark.parametrize("name", CIRCUITS)
def test_catalogue_is_complete(name: str) -> None:
    """Every number has a unit, a meaning, a source and bounds that hold it; every state but a zero one starts somewhere."""
    circuit = CIRCUITS[name]()
    for owner, model in circuit.models.items():
        assert model.reference, owner
        for key, p in model.parameters.items():
            assert p.says, f"{owner}.{key}"
            assert p.source, f"{owner}.{key}"
            assert np.isfinite([p.low, p.high]).all(), f"{owner}.{key}"
        assert set(model.initial) == set(model.states), owner


@pytest.mark.parametrize("name", MODULES)
def test_modules_say_where_they_come_from(name: str) -> None:
    """A paper that can be found, unique names, a circuit for every set, and a reason for every set without one."""
    module = MODULES[name]
    assert re.search(r"doi 10\.\d{4,}/\S+|arXiv \d{4}\.\d{4,}", module.__doc__ or ""), "give the reference with its doi"
    assert module.CIRCUITS
    for other in MODULES.values():
        assert other is module or not set(other.CIRCUITS) & set(module.CIRCUITS)
    for found in getattr(module, "SETS", ()):
        assert any(found in circuit for circuit in module.CIRCUITS), f"the set {found!r} has no circuit"
    for found, reason in getattr(module, "INCOMPLETE", {}).items():
        assert reason.strip(), f"say what the incomplete set {found!r} lacks"
        assert found not in getattr(module, "SETS", ())
    for constant in ("CLOCK", "DRIVE"):
        assert set(getattr(module, constant, {})) <= set(module.CIRCUITS), f"{constant} names circuits that are not there"


def test_digests_are_equal_across_processes() -> None:
    here: dict[str, str] = {name: make().digest for name, make in CIRCUITS.items()}
    for seed in ("0", "12345"):
        done = subprocess.run(
            [sys.executable, "-c", FINGERPRINTS], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        )
        there = json.loads(done.stdout)
        assert {name: there[name] for name in here} == here
        assert there["poisson"] == protocol.poisson({"pre": "10 Hz", "post": "5 Hz"}, "1 s", stepping=protocol.clock()).digest
    assert len(set(there.values())) == len(there)


def test_digest_survives_pickling_and_replacing() -> None:
    assert dataclasses.replace(PAIR).digest == PAIR.digest
    assert pickle.loads(pickle.dumps(PAIR)).digest == PAIR.digest
    window = protocol.pairing(lag=["-10 ms", "10 ms"], initial={"calcium.rho": [0, 1]})
    assert pickle.loads(pickle.dumps(window)).digest == window.digest


@given(st.sampled_from(sorted(PAIR.values)), st.floats(0, 1))
def test_with_values_changes_a_copy(path: str, share: float) -> None:
    before, old = PAIR.digest, PAIR.values[path]
    value = old.low + share * (old.high - old.low)
    changed = PAIR.with_values({path: Parameter(value=value, unit=old.unit)})
    assert PAIR.digest == before
    assert PAIR.values[path] is old
    assert (changed.digest == before) == (value == old.value)
    assert changed.values[path].value == value
    assert {p: v.value.item() for p, v in changed.values.items() if p != path} == {
        p: v.value.item() for p, v in PAIR.values.items() if p != path
    }
    assert changed.with_values({path: old}).digest == before


def test_with_values_speaks_units() -> None:
    for value in ("25 ms", "0.025 second", parameter(25, "ms")):
        changed = PAIR.with_values({"calcium.tau_Ca": value})
        assert str(changed.values["calcium.tau_Ca"]) == "25 ms"
        assert changed.digest == PAIR.with_values({"calcium.tau_Ca": "25 ms"}).digest
    assert PAIR.with_values({}).digest == PAIR.digest


def test_with_values_sets_initial_states() -> None:
    changed = PAIR.with_values({"calcium.rho": 1, "calcium.gamma_p": 3})
    synapse = changed.projections[0].synapse
    assert synapse.initial["rho"].value == 1
    assert synapse.parameters["gamma_p"].value == 3
    assert changed.digest != PAIR.digest


CHANGES: list[Any] = [
    {"name": "other"},
    {"populations": (*PAIR.populations, Population(name="more"))},
    {"populations": (Population(name="pre", size=2), Population(name="post"))},
    {"projections": ()},
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda c: next(iter(c)))
def test_every_field_counts(change: dict[str, Any]) -> None:
    assert dataclasses.replace(PAIR, projections=(dataclasses.replace(PAIR.projections[0], pairs=None),), **{}).digest == PAIR.digest
    fresh = {"projections": (dataclasses.replace(PAIR.projections[0], pairs=None),), **change}
    assert dataclasses.replace(PAIR, **fresh).digest != PAIR.digest


def test_nothing_can_be_changed_in_place() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        PAIR.name = "other"  # type: ignore[misc]
    p = PAIR.values["calcium.tau_Ca"]
    with pytest.raises(ValueError, match="read-only"):
        p.value[...] = 1
    with pytest.raises(TypeError):
        PAIR.values["calcium.tau_Ca"] = p  # type: ignore[index]
    with pytest.raises(TypeError):
        PAIR.projections[0].synapse.parameters["tau"] = p  # type: ignore[index]
    given = {"tau": parameter(1, "ms")}
    neuron = Neuron(name="n", equations="dv/dt = -v/tau : 1", threshold="v > 1", reset="v = 0", parameters=given)
    given["tau"] = parameter(2, "ms")
    assert neuron.parameters["tau"].value == 0.001


def test_comments_and_layout_do_not_count() -> None:
    plain = dataclasses.replace(PAIR.projections[0].synapse, equations="dc/dt = -c/tau_Ca : 1\ndrho/dt = -rho/tau : 1")
    spaced = dataclasses.replace(plain, equations="\n  dc/dt = -c/tau_Ca : 1  # calcium\n\n drho/dt = -rho/tau : 1 # efficacy\n")
    assert digest(plain) == digest(spaced)
    assert "#" not in spaced.equations


def test_parameter() -> None:
    p = parameter(20, "ms", low=1, high=200, says="membrane time constant")
    assert p.value == 0.02
    assert (p.low, p.high) == (0.001, 0.2)
    assert (str(p), p.shown) == ("20 ms", 20)
    assert str(parameter([1, 2], "mV")) == "[2 values] mV"
    assert str(parameter(0.5)) == "0.5"


@pytest.mark.parametrize("value", ["20 ms", "0.02 second", 20])
def test_parameter_takes_numbers_in_its_unit_or_with_their_own(value: object) -> None:
    assert parameter(value, "ms", low="1 ms", high="0.2 second").value == 0.02


def test_quantities_are_brian2s() -> None:
    brian2_units = pytest.importorskip("brian2.units")
    p = parameter(20 * brian2_units.ms, "ms")  # the unit is not applied twice
    assert p.value == 0.02
    assert p.quantity == 20 * brian2_units.ms
    assert p.quantity.dim is brian2_units.second.dim
    assert PAIR.with_values({"calcium.tau_Ca": 25 * brian2_units.ms}).values["calcium.tau_Ca"].value == 0.025


def wired(pairs: Any, weights: list[float]) -> Circuit:
    synapse = Synapse(
        name="s",
        equations="w : 1",
        pathways=(Pathway(event="pre", code="w += weight"),),
        parameters={"weight": parameter(weights)},
        initial={"w": parameter([10 * x for x in weights])},
    )
    ends = (Population(name="a", size=3), Population(name="b", size=3))
    return Circuit(name="c", populations=ends, projections=(Projection(name="ab", synapse=synapse, pre="a", post="b", pairs=pairs),))


@given(st.permutations(range(4)))
def test_values_of_pairs_follow_their_pairs(order: list[int]) -> None:
    pre, post, weights = np.array([0, 1, 2, 2]), np.array([1, 0, 0, 2]), np.array([0.1, 0.2, 0.3, 0.4])
    made = wired((pre[order], post[order]), weights[order].tolist())
    assert made.digest == wired((pre, post), weights.tolist()).digest
    assert made.values["ab.weight"].value.tolist() == weights.tolist()
    assert dataclasses.replace(made).digest == made.digest


def test_all_to_all_is_the_default() -> None:
    pre, post = vogels2005.driven(size=2, inputs=3).projections[0].pairs or ((), ())
    assert list(zip(pre, post, strict=True)) == [(i, j) for i in range(3) for j in range(2)]


def test_sizes_are_plain_integers() -> None:
    assert digest(Population(name="a", size=np.int64(3))) == digest(Population(name="a", size=3))  # type: ignore[arg-type]
    for size in (0, -1, 1.5, "2", True, None):
        with pytest.raises(ModelError, match="not a positive integer"):
            Population(name="a", size=size)  # type: ignore[arg-type]


def test_neurons_side_by_side_differ_in_numbers_alone() -> None:
    one = vogels2005.neuron()
    other = dataclasses.replace(one, parameters={**one.parameters, "tau_m": parameter(35, "ms", low=0.1, high=1000, says="slow")})
    both = side_by_side([one, other])
    assert both.size == 2
    assert both.neuron is not None
    np.testing.assert_allclose(both.neuron.parameters["tau_m"].value, [0.02, 0.035])
    np.testing.assert_allclose(both.neuron.initial["v"].value, [-0.06, -0.06])
    with pytest.raises(ModelError, match="differ in more than numbers"):
        side_by_side([one, dataclasses.replace(one, reset="v = V_r; g_e = 0*g_e")])
