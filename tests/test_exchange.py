"""Parameter files: what is saved comes back bit for bit, into the circuit it was saved from and no other, completely or not at all."""

import contextlib
import dataclasses
import errno
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bioneuro
from bioneuro.catalogue import brette2005, circuits, graupner2012, song2000, vogels2005
from bioneuro.exchange.parameters import Saved, load, save, skeleton
from bioneuro.files import FileError
from bioneuro.model import Circuit, Parameter, parameter

LIF = vogels2005.driven(size=3, inputs=2)
FITTED = LIF.with_values({"lif.tau_m": "12.3 ms", "lif.v": "-55.5 mV"})


FIRST = {name.partition(" ")[0]: name for name in reversed(circuits())}
MODELS = [name if name in FIRST.values() else pytest.param(name, marks=pytest.mark.slow) for name in circuits()]
"""By default one of each paper."""


def bits(circuit: Circuit) -> dict[str, tuple[tuple[int, ...], bytes]]:
    """Every number of a circuit; -0.0 is not 0.0."""
    numbers = {f"{o}.{k}": p for o, m in circuit.models.items() for k, p in {**m.parameters, **m.initial}.items()}
    return {name: (p.value.shape, p.value.tobytes()) for name, p in numbers.items()}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    save(FITTED, tmp_path / "lif.safetensors", free=["lif.tau_m"], notes=["µ: two\nlines"])
    return tmp_path / "lif.safetensors"


def refused(path: Path, circuit: Circuit | None = LIF) -> str:
    with pytest.raises(FileError) as caught:
        load(path, circuit)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "; " in message, "the remedy"
    return message


def with_numbers(circuit: Circuit, numbers: dict[str, Any]) -> Circuit:
    """SI values, given as parameters without bounds."""
    known = {f"{o}.{k}": p for o, m in circuit.models.items() for k, p in {**m.parameters, **m.initial}.items()}
    return circuit.with_values({name: Parameter(value=np.asarray(v), unit=known[name].unit) for name, v in numbers.items()})


@st.composite
def numbers(draw: st.DrawFn) -> dict[str, Any]:
    """For some of the numbers of `LIF` other ones within their bounds, for all units or for each."""
    found = {}
    known = {f"{o}.{k}": p for o, m in LIF.models.items() for k, p in {**m.parameters, **m.initial}.items()}
    for name in draw(st.sets(st.sampled_from(sorted(known)))):
        low, high = (max(known[name].low, -1e300), min(known[name].high, 1e300))
        one = st.floats(low, high, allow_nan=False)
        size = 6 if name.startswith("excitation") else 3
        found[name] = draw(st.one_of(one, st.lists(one, min_size=size, max_size=size)))
    return found


@settings(max_examples=20)
@given(changed=numbers())
def test_a_round_trip_is_the_identity(changed: dict[str, Any]) -> None:
    """Law: every bit of every number, and so the digest."""
    circuit = with_numbers(LIF, changed)
    with tempfile.TemporaryDirectory() as folder:
        save(circuit, f"{folder}/x.safetensors", free=changed)
        again = load(f"{folder}/x.safetensors", LIF)
    assert bits(again.circuit) == bits(circuit)
    assert again.circuit.digest == circuit.digest
    assert set(again.fitted) == set(changed)
    assert again.differs == ()


@pytest.mark.parametrize("name", MODELS)
def test_every_model_comes_back_by_its_name(name: str, tmp_path: Path) -> None:
    circuit = circuits()[name]()
    path = max(circuit.values, key=lambda p: circuit.values[p].high)
    half = Parameter(value=np.asarray(circuit.values[path].value * 0.999), unit=circuit.values[path].unit)
    changed = circuit if circuit.values[path].unit == "integer" else circuit.with_values({path: half})
    save(changed, tmp_path / "x.safetensors", model=name)
    again = load(tmp_path / "x.safetensors")
    assert again.model == name
    assert again.circuit.digest == changed.digest


def test_what_is_said_besides(path: Path) -> None:
    saved = load(path, LIF)
    assert isinstance(saved, Saved)
    assert (saved.model, saved.fitted, saved.notes, saved.differs) == ("", ("lif.tau_m",), ("µ: two\nlines",), ())
    assert saved.written_by == f"bioneuro {bioneuro.__version__}"


def test_the_text_is_for_people_and_holds_no_equations(path: Path) -> None:
    text = path.with_suffix(".json").read_text(encoding="utf-8")
    said = json.loads(text)["parameters"]["lif.tau_m"]
    assert said == {
        "kind": "parameter", "fitted": True, "value": "12.3 ms", "range": "0.1 to 1000", "unit": "ms", "low": 1e-4, "high": 1.0,
        "says": "membrane time constant", "source": LIF.values["lif.tau_m"].source, "shape": [],
    }  # fmt: skip
    assert "dv/dt" not in text
    assert b"dv/dt" not in path.read_bytes()
    assert json.loads(text)["parameters"]["lif.v"]["range"] == "any to any"


def test_other_programs_read_the_numbers(path: Path) -> None:
    from safetensors.numpy import load_file

    found = load_file(path)
    assert found["lif.tau_m"] == 0.0123
    assert set(found) == set(bits(FITTED))


def test_initial_values_that_the_catalogue_leaves_at_zero(tmp_path: Path) -> None:
    circuit = graupner2012.pair("DP")
    free = [f"{o}.{k}" for o, m in circuit.models.items() for k in m.states if k not in m.initial]
    changed = circuit.with_values(dict.fromkeys(free, 0.25)) if free else circuit
    save(changed, tmp_path / "x.safetensors", model="graupner2012 DP")
    assert load(tmp_path / "x.safetensors").circuit.digest == changed.digest


def test_renamed_together_they_are_the_same(path: Path) -> None:
    for end in (".safetensors", ".json"):
        path.with_suffix(end).rename(path.with_name(f"best{end}"))
    assert load(path.with_name("best.safetensors"), LIF).circuit.digest == FITTED.digest


# What the skeleton holds, and what it does not.


def neuron(**changes: Any) -> Circuit:
    first, second = LIF.populations
    return dataclasses.replace(LIF, populations=(first, dataclasses.replace(second, neuron=dataclasses.replace(second.neuron, **changes))))


def rewired() -> Circuit:
    return dataclasses.replace(LIF, projections=(dataclasses.replace(LIF.projections[0], pairs=([0, 1], [0, 1])),))


def with_parameter(name: str, made: Parameter) -> Circuit:
    known = LIF.populations[1].neuron.parameters  # type: ignore[union-attr]
    return neuron(parameters={**known, name: made})


OTHER = {
    "equations": lambda: neuron(equations=LIF.populations[1].neuron.equations.replace("+ g_i", "- g_i")),  # type: ignore[union-attr]
    "threshold": lambda: neuron(threshold="v >= V_th"),
    "reset": lambda: neuron(reset="v = V_r; g_e = 0*g_e"),
    "method": lambda: neuron(method="euler"),
    "no refractory period": lambda: neuron(refractory=""),
    "size": lambda: vogels2005.driven(size=2, inputs=2),
    "wiring": rewired,
    "another parameter": lambda: with_parameter("unused", parameter(1.0)),
    "an integer": lambda: with_parameter("unused", parameter(1, "integer")),
}


@pytest.mark.parametrize("change", OTHER.values(), ids=OTHER)
def test_another_circuit_is_refused(change: Callable[[], Circuit], path: Path) -> None:
    assert skeleton(change()) != skeleton(LIF)
    assert "other equations or wiring than the saved 'vogels2005'; give the circuit that was saved" in refused(path, change())


def test_one_circuit_with_other_prose_is_told(path: Path) -> None:
    """Meanings, sources, units of display and bounds are no equations: the numbers are taken, the difference is said."""
    known = LIF.values["lif.tau_m"]
    told = load(path, with_parameter("tau_m", parameter(0.02, "second", low=1e-4, high=1, says="tau", source=known.source)))
    assert told.differs == ("lif.tau_m: unit", "lif.tau_m: says")
    assert float(told.circuit.values["lif.tau_m"].value) == 0.0123
    assert load(path, neuron(reference="elsewhere")).differs == ("a reference",)


def test_numbers_outside_the_bounds_of_the_circuit(path: Path) -> None:
    narrow = with_parameter("tau_m", parameter(20, "ms", low=15, high=30))
    assert "lif.tau_m: 12.3 ms is outside its bounds [15, 30] ms" in refused(path, narrow)


def test_models_are_asked_for_and_named(path: Path, tmp_path: Path) -> None:
    assert "not in the catalogue; give that circuit as load(path, circuit=...)" in refused(path, None)
    with pytest.raises(FileError, match=r"model 'vogels2005 LIF' of the catalogue has other equations or wiring .*; leave `model` out"):
        save(FITTED, tmp_path / "y.safetensors", model="vogels2005 LIF")
    with pytest.raises(FileError, match=r"'vogels2005 lif' is not in the catalogue; .*Did you mean 'vogels2005 LIF'"):
        save(FITTED, tmp_path / "y.safetensors", model="vogels2005 lif")
    with pytest.raises(FileError, match=r"free: 'lif.tau' is not among the numbers.*Did you mean 'lif.tau_e'|'lif.tau_m'"):
        save(FITTED, tmp_path / "y.safetensors", free=["lif.tau"])
    with pytest.raises(FileError, match=r"free is 'lif.tau_m'; give a list of texts"):
        save(FITTED, tmp_path / "y.safetensors", free="lif.tau_m")
    with pytest.raises(FileError, match=r"'\\ud800' cannot be written as UTF-8; change that text"):
        save(FITTED, tmp_path / "y.safetensors", notes=["\ud800"])
    assert sorted(os.listdir(tmp_path)) == ["lif.json", "lif.safetensors"]


PATHS = ["x", "x.json", ".safetensors", "a\nb.safetensors", "a\0.safetensors", "folder.safetensors", "file.json/x.safetensors"]


@pytest.mark.parametrize("name", PATHS)
def test_paths(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.safetensors").mkdir()
    (tmp_path / "file.json").write_bytes(b"")
    for call in (lambda path: save(LIF, path), lambda path: load(path, LIF)):
        with pytest.raises(FileError):
            call(str(tmp_path / name))
    assert sorted(os.listdir(tmp_path)) == ["file.json", "folder.safetensors"]


def test_a_json_of_someone_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"results": [1, 2]}')
    with pytest.raises(FileError, match=r"x\.json is there and is not of parameters; move it away"):
        save(LIF, tmp_path / "x.safetensors")
    assert (tmp_path / "x.json").read_text() == '{"results": [1, 2]}'
    assert not (tmp_path / "x.safetensors").exists()


# Crashes: what is seen afterwards is the old pair, the new pair or a refusal that names both.


class Killed(BaseException):
    """The process ends here; nothing of ours runs after it."""


def killed_at(monkeypatch: pytest.MonkeyPatch, n: int) -> None:
    """The n-th call that changes the folder, and every later one, does not happen."""
    calls = iter(range(10**6))

    def dying(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **more: Any) -> Any:
            if next(calls) >= n:
                raise Killed
            return original(*given, **more)

        return call

    for owner, name in ((os, "replace"), (os, "fsync"), (os, "unlink"), (Path, "write_bytes"), (Path, "unlink")):
        monkeypatch.setattr(owner, name, dying(getattr(owner, name)))


@pytest.mark.parametrize("there", [True, False], ids=["replacing", "first"])
def test_a_killed_process_leaves_the_old_the_new_or_a_refusal(there: bool, tmp_path: Path) -> None:
    seen = []
    for n in range(12):
        path = tmp_path / f"{n}.safetensors"
        if there:
            save(LIF, path)
        with pytest.MonkeyPatch.context() as patch:
            killed_at(patch, n)
            with contextlib.suppress(Killed):
                save(FITTED, path)
        try:
            seen.append({LIF.digest: "old", FITTED.digest: "new"}[load(path, LIF).circuit.digest])
        except FileError as error:
            assert f"{n}.safetensors" in str(error)  # noqa: PT017 (either outcome is right)
            assert f"{n}.json" in str(error) or not os.path.lexists(path)  # noqa: PT017
            seen.append("refused")
    assert seen[0] == ("old" if there else "refused")
    assert seen[-1] == "new"
    order = ["old", "refused", "new"] if there else ["refused", "new"]
    assert [s for k, s in enumerate(seen) if k == 0 or s != seen[k - 1]] == order


@pytest.mark.parametrize("which", [0, 1])
def test_a_failed_rename_puts_the_old_pair_back(which: int, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original, calls = os.replace, iter(range(10**6))

    def failing(*given: Any) -> None:
        if next(calls) == which:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        original(*given)

    monkeypatch.setattr(os, "replace", failing)
    with pytest.raises(FileError, match="not written: No space left on device; "):
        save(LIF, path)
    assert load(path, LIF).circuit.digest == FITTED.digest
    assert sorted(os.listdir(path.parent)) == ["lif.json", "lif.safetensors"]


def test_a_missing_partner_is_named(path: Path) -> None:
    beside = path.with_suffix(".json")
    kept = beside.read_bytes()
    beside.unlink()
    assert "there is no lif.json, though lif.safetensors is there" in refused(path)
    path.unlink()
    assert "there is no lif.safetensors, and no lif.json; correct the path" in refused(path)
    beside.write_bytes(kept)
    assert "there is no lif.safetensors, though lif.json is there" in refused(path)


def test_the_partner_of_another_pair_is_named(path: Path) -> None:
    save(LIF, path.with_name("other.safetensors"))
    os.replace(path.with_name("other.json"), path.with_suffix(".json"))
    assert "lif.safetensors is not the file that lif.json speaks of" in refused(path)


@pytest.mark.parametrize("end", [".safetensors", ".json"])
def test_cut_files_and_flipped_bits_are_refused(end: str, path: Path) -> None:
    """Every bit counts: no damage goes unseen, and none ends in anything but a message that names the file."""
    file = path.with_suffix(end)
    content = file.read_bytes()
    for length in {*range(0, len(content), 293), len(content) - 1}:
        file.write_bytes(content[:length])
        refused(path)
    rng = np.random.default_rng(1)
    for bit in {*rng.integers(0, 8 * len(content), 120).tolist(), *range(8 * (len(content) - 8), 8 * len(content))}:
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        file.write_bytes(damaged)
        refused(path)
    file.write_bytes(content + b" ")
    refused(path)
    file.write_bytes(content)
    assert load(path, LIF).circuit.digest == FITTED.digest


def test_neurons_and_rules_alike(tmp_path: Path) -> None:
    """A state of many synapses, and a circuit of one's own."""
    learned = song2000.onto_one_neuron(50).with_values({"stdp.w": np.linspace(0, 1, 50)})
    save(learned, tmp_path / "w.safetensors", free=["stdp.w"])
    np.testing.assert_array_equal(load(tmp_path / "w.safetensors", song2000.onto_one_neuron(50)).circuit.models["stdp"].initial["w"].value,
                                  np.linspace(0, 1, 50))  # fmt: skip
    save(brette2005.driven(), tmp_path / "new/folder/a.safetensors")
    assert load(tmp_path / "new/folder/a.safetensors", brette2005.driven()).circuit.digest == brette2005.driven().digest
