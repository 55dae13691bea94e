"""Parameter files that someone made or changed on purpose and signed anew: refused by name, in time, and nothing in them runs."""

import hashlib
import json
import os
import pickle
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bioneuro.catalogue import vogels2005
from bioneuro.exchange import pair
from bioneuro.exchange.parameters import Saved, load, save
from bioneuro.files import FileError

LIF = vogels2005.driven(size=3, inputs=1)
CALL = "__import__('os').mkdir('marker')"
FORM = {"format": "bioneuro parameters 1"}


class Marker:
    """Makes a folder if it is ever unpickled."""

    def __reduce__(self) -> Any:
        return os.mkdir, ("marker",)


EVIL = pickle.dumps(Marker())


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    save(LIF, tmp_path / "lif.safetensors", notes=[CALL])
    return tmp_path / "lif.safetensors"


def said(path: Path) -> dict[str, Any]:
    return {k: v for k, v in json.loads(path.with_suffix(".json").read_bytes()).items() if k != "sha256"}


def sign(path: Path, content: bytes | None = None, whole: dict[str, Any] | None = None) -> None:
    """Write both files anew, as someone can who changes them on purpose."""
    whole = said(path) if whole is None else whole
    if content is not None:
        path.write_bytes(content)
    content = path.read_bytes()
    whole = {**whole, "numbers": {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}}
    path.with_suffix(".json").write_bytes(pair.signed(whole))


def refused(path: Path, says: str) -> None:
    began = time.perf_counter()
    with pytest.raises(FileError) as caught:
        load(path, LIF)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert says in message
    assert "; " in message, "the remedy"
    assert len(message) < 1500
    assert time.perf_counter() - began < 30
    assert not Path("marker").exists()


def arrays(path: Path) -> dict[str, Any]:
    return {name: np.array(a) for name, a in safetensors.numpy.load(path.read_bytes()).items()}


def framed(header: bytes, data: bytes = b"", length: int | None = None) -> bytes:
    return struct.pack("<Q", len(header) if length is None else length) + header + data


def table(**entries: Any) -> bytes:
    return json.dumps({"__metadata__": FORM, **entries}).encode()


def f64(start: int, stop: int, shape: list[int] | None = None, dtype: str = "F64") -> dict[str, Any]:
    return {"dtype": dtype, "shape": [] if shape is None else shape, "data_offsets": [start, stop]}


CONTENT: dict[str, tuple[bytes, str]] = {
    "a pickle": (EVIL, "safetensors"),
    "nothing": (b"", "0 bytes"),
    "seven bytes": (b"1234567", "7 bytes"),
    "a header of 2**63": (framed(b"{}", length=2**63), "says to have 9223372036854775808 bytes, allowed: 2"),
    "a header longer than the file": (framed(b"{}", length=3), "says to have 3 bytes, allowed: 2"),
    "a header that is too long": (framed(b" " * (pair.MOST_HEADER + 1)), "allowed: 4194304"),
    "a header that is a list": (framed(b"[]"), "cannot be read as safetensors"),
    "a deep header": (framed(b"[" * 100_000), "cannot be read as safetensors"),
    "a header that calls": (framed(CALL.encode()), "cannot be read as safetensors"),
    "offsets that overlap": (framed(table(a=f64(0, 8), b=f64(0, 8)), bytes(8)), "cannot be read as safetensors"),
    "offsets with a hole": (framed(table(a=f64(0, 8), b=f64(16, 24)), bytes(24)), "cannot be read as safetensors"),
    "offsets behind the end": (framed(table(a=f64(0, 2**60, [2**57])), bytes(8)), "cannot be read as safetensors"),
    "negative offsets": (framed(table(a=f64(-8, 0)), bytes(8)), "cannot be read as safetensors"),
    "a shape that overflows": (framed(table(a=f64(0, 8, [2**62, 2**62])), bytes(8)), "cannot be read as safetensors"),
    "data behind the numbers": (framed(table(a=f64(0, 8)), bytes(800)), "cannot be read as safetensors"),
    "a type that NumPy lacks": (framed(table(a=f64(0, 2, [1], "BF16")), bytes(2)), "cannot be read as safetensors"),
    "an unknown type": (framed(table(a=f64(0, 2, [1], "O")), bytes(2)), "cannot be read as safetensors"),
    "no format": (framed(json.dumps({"a": f64(0, 8)}).encode(), bytes(8)), "'format' is None, allowed: 'bioneuro parameters 1'"),
    "another format": (safetensors.numpy.save({"a": np.zeros(1)}, metadata={"format": "pt"}), "'format' is 'pt', allowed"),
}


@pytest.mark.parametrize(("content", "says"), CONTENT.values(), ids=CONTENT)
def test_numbers_of_another_form(path: Path, content: bytes, says: str) -> None:
    sign(path, content)
    refused(path, says)


def put(name: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda known: known.__setitem__(name, np.asarray(value))


NUMBERS: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "float32": (put("lif.tau_m", np.float32(0.02)), "'lif.tau_m' is float32 of shape (), allowed: float64"),
    "int64": (put("lif.tau_m", np.int64(1)), "'lif.tau_m' is int64"),
    "a matrix": (put("lif.tau_m", np.zeros((3, 1))), "'lif.tau_m' is float64 of shape (3, 1), allowed: float64, one number or one per unit"),
    "NaN": (put("lif.tau_m", np.nan), "'lif.tau_m': parameter (membrane time constant): the value nan is not finite"),
    "infinite": (put("lif.tau_m", [0.02, np.inf, 0.02]), "is not finite"),
    "a time constant of 0": (put("lif.tau_m", 0.0), "0 ms is outside its bounds [0.1, 1000] ms"),
    "a shape not said": (put("lif.tau_m", [0.02, 0.02, 0.02]), "'lif.tau_m': the field 'value' is '20 ms', the numbers say '[3 values] ms'"),
    "another value than said": (put("lif.tau_m", 0.03), "the field 'value' is '20 ms', the numbers say '30 ms'"),
    "one too few": (lambda known: known.pop("lif.tau_m"), "'lif.tau_m' is in lif.json and not among the numbers"),
    "one too many": (put("../../lif.tau_m", 0.0), "'../../lif.tau_m' is in the numbers and not in lif.json"),
}


@pytest.mark.parametrize(("change", "says"), NUMBERS.values(), ids=NUMBERS)
def test_other_numbers(path: Path, change: Callable[[dict[str, Any]], Any], says: str) -> None:
    known = arrays(path)
    change(known)
    sign(path, safetensors.numpy.save(known, metadata=FORM))
    refused(path, says)


Change = Callable[[dict[str, Any]], Any]


def field(key: str, value: Any) -> Change:
    return lambda whole: whole.__setitem__(key, value)


def entry(key: str, value: Any, name: str = "lif.tau_m") -> Change:
    return lambda whole: whole["parameters"][name].__setitem__(key, value)


def renamed(new: str) -> Change:
    return lambda whole: whole["parameters"].__setitem__(new, whole["parameters"].pop("lif.tau_m"))


TEXT: dict[str, tuple[Change, str]] = {
    "newer": (field("version", 2), "'version' is 2, allowed: 1; read it with the version of bioneuro that wrote it"),
    "a version of text": (field("version", "1"), "'version' is '1', allowed: 1"),
    "a version that is true": (field("version", True), "'version' is True, allowed: 1"),
    "no version": (lambda w: w.pop("version"), "'version' is None, allowed: 1"),
    "another format": (field("format", "pt"), "'format' is not 'bioneuro parameters'"),
    "an unknown field": (field("python", CALL), "the field 'python' is unknown; allowed: format, version"),
    "equations": (field("equations", "dv/dt = -v/tau : 1"), "the field 'equations' is unknown"),
    "no digest": (lambda w: w.pop("digest"), "the field 'digest' is missing"),
    "notes of numbers": (field("notes", [1]), "'notes' holds more than texts"),
    "parameters in a list": (field("parameters", []), "the field 'parameters' is [], allowed: dict"),
    "an entry that is a text": (lambda w: w["parameters"].__setitem__("lif.tau_m", CALL), "'lif.tau_m' is not a table of fields"),
    "an unknown field of an entry": (entry("code", CALL), "'lif.tau_m': the field 'code' is unknown; allowed: kind, fitted"),
    "fitted is a number": (entry("fitted", 1), "the field 'fitted' is 1, allowed: bool"),
    "a bound that is true": (entry("low", True), "the field 'low' is True, allowed: int or float or NoneType"),
    "a bound beyond floats": (entry("high", 10**400), "'lif.tau_m': int too large"),
    "bounds the wrong way round": (entry("low", 10.0), "hold no number"),
    "bounds that shut it out": (entry("low", 0.5), "20 ms is outside its bounds [500, 1000] ms"),
    "bounds other than the text says": (entry("high", 0.5), "the field 'range' is '0.1 to 1000', the numbers say '0.1 to 500'"),
    "a unit of another kind": (entry("unit", "mV"), "the field 'value' is '20 ms', the numbers say '20 mV'"),
    "a unit that calls": (entry("unit", CALL), "'lif.tau_m': unit"),
    "a long unit": (entry("unit", "(" * 5000), "'lif.tau_m': a unit is a text"),
    "another kind": (lambda w: w["parameters"]["lif.tau_m"].update(kind="initial"), "'lif.tau_m': 'kind' is 'initial', allowed: 'parameter'"),
    "other equations": (field("skeleton", "0" * 64), "has other equations or wiring"),
}


@pytest.mark.parametrize(("change", "says"), TEXT.values(), ids=TEXT)
def test_other_text(path: Path, change: Change, says: str) -> None:
    whole = said(path)
    change(whole)
    sign(path, whole=whole)
    refused(path, says)


@pytest.mark.parametrize(("new", "says"), [("lif.tau", "'lif.tau' is not in circuit 'vogels2005'"), ("lif.V_m" * 999, "is not in circuit")])
def test_names_that_the_circuit_lacks(path: Path, new: str, says: str) -> None:
    known, whole = arrays(path), said(path)
    known[new] = known.pop("lif.tau_m")
    renamed(new)(whole)
    sign(path, safetensors.numpy.save(known, metadata=FORM), whole)
    refused(path, says)


def test_a_unit_of_other_dimensions_that_agrees_with_itself(path: Path) -> None:
    whole = said(path)
    whole["parameters"]["lif.tau_m"].update(unit="mV", value="20 mV")
    sign(path, whole=whole)
    refused(path, "lif.tau_m: expected a value in 'ms' but got one in 'mV'")


def test_per_unit_values_for_another_number_of_units(path: Path) -> None:
    known, whole = arrays(path), said(path)
    known["lif.tau_m"] = np.full(4, 0.02)
    whole["parameters"]["lif.tau_m"].update(shape=[4], value="[4 values] ms")
    sign(path, safetensors.numpy.save(known, metadata=FORM), whole)
    refused(path, "(4,) values for 3 units; give one value or 3")


def test_a_number_of_the_circuit_is_missing(path: Path) -> None:
    known, whole = arrays(path), said(path)
    del known["lif.tau_m"], whole["parameters"]["lif.tau_m"]
    sign(path, safetensors.numpy.save(known, metadata=FORM), whole)
    refused(path, "it has no value of lif.tau_m, which circuit 'vogels2005' has")


MANY = b'{"format":"bioneuro parameters","version":1' + b"".join(b',"%d":0' % n for n in range(200_000)) + b"}"
JSON: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "cannot be read as JSON"),
    "a pickle": (EVIL, "cannot be read as JSON"),
    "code": (CALL.encode(), "cannot be read as JSON"),
    "deep": (b"[" * 4_000_000, "cannot be read as JSON"),
    "deep inside a field": (b'{"format": ' + b'{"a":' * 100_000, "cannot be read as JSON"),
    "NaN": (b'{"format": "bioneuro parameters", "version": NaN}', "NaN is no number"),
    "infinite": (b'{"format": "bioneuro parameters", "version": -Infinity}', "-Infinity is no number"),
    "beyond floats": (b'{"format": "bioneuro parameters", "version": 1e999}', "'version' is inf, allowed: 1"),
    "a name twice": (b'{"format": "bioneuro parameters", "version": 2, "version": 1}', "a name comes twice"),
    "many digits": (b'{"version": ' + b"9" * 10_000 + b"}", "cannot be read as JSON"),
    "half a character": (b'{"format": "bioneuro parameters", "version": 1, "circuit": "\\ud800"}', "is missing; allowed"),
    "no UTF-8": (b'{"format": "\xff"}', "cannot be read as JSON"),
    "a list": (b"[]", "'format' is not"),
    "many keys": (MANY, "is unknown; allowed"),
    "too large": (b" " * (pair.MOST_TEXT + 1), "has 8388609 bytes, allowed: 8388608"),
}


@pytest.mark.parametrize(("content", "says"), JSON.values(), ids=JSON)
def test_text_that_is_no_description(path: Path, content: bytes, says: str) -> None:
    path.with_suffix(".json").write_bytes(content)
    refused(path, says)


def test_another_layout_of_the_same_text(path: Path) -> None:
    """There is one way to write it, so no bit of the file is free."""
    whole = json.loads(path.with_suffix(".json").read_bytes())
    path.with_suffix(".json").write_text(json.dumps(whole))
    refused(path, "lif.json: 'sha256' is not that of its content")


def test_a_file_that_says_to_be_huge_is_not_read(path: Path) -> None:
    with open(path, "wb") as file:
        file.truncate(2**40)
    refused(path, "lif.safetensors has 1099511627776 bytes, allowed: 67108864")


@pytest.mark.parametrize("end", [".safetensors", ".json"])
def test_what_is_no_file(path: Path, end: str) -> None:
    file, kept = path.with_suffix(end), path.with_suffix(end).read_bytes()
    for make, says in (
        (lambda: os.mkfifo(file), "is no regular file"),
        (lambda: os.symlink("/dev/zero", file), "is no regular file"),
        (lambda: os.symlink("nowhere", file), "No such file"),
        (lambda: os.symlink(file.name, file), "symbolic link"),
        (lambda: file.mkdir(), "folder" if end == ".safetensors" else "directory"),
    ):
        file.unlink()
        make()
        refused(path, says)
        if file.is_dir():
            file.rmdir()
            file.touch()
    file.unlink()
    file.with_name("elsewhere").write_bytes(kept)
    os.symlink("elsewhere", file)
    assert load(path, LIF).circuit.digest == LIF.digest


def test_saving_over_a_link_leaves_what_it_leads_to(path: Path) -> None:
    target = path.with_name("elsewhere")
    target.write_bytes(b"kept")
    path.unlink()
    os.symlink(target.name, path)
    save(LIF, path)
    assert target.read_bytes() == b"kept"
    assert not path.is_symlink()


@pytest.mark.parametrize("value", ["\\ud800", "1e999"], ids=["half a character", "beyond floats"])
def test_text_that_cannot_have_been_written(path: Path, value: str) -> None:
    whole = said(path)
    whole["parameters"]["lif.tau_m"].update(says="HERE", high=12345.0)
    text = json.dumps({**whole, "sha256": ""}).replace(*(("HERE", value) if "d8" in value else ("12345.0", value)))
    path.with_suffix(".json").write_text(text)
    refused(path, "'sha256' is not that of its content")


def test_files_of_torch(path: Path) -> None:
    """A state dict is refused, signed or not, and so is what torch.save writes."""
    from safetensors.torch import save as of_torch

    sign(path, of_torch(torch.nn.Linear(2, 2).state_dict(), metadata={"format": "pt"}))
    refused(path, "'format' is 'pt'")
    torch.save(torch.nn.Linear(2, 2).state_dict(), path)
    refused(path, "is not the file that lif.json speaks of")
    sign(path)
    refused(path, "its header says to have")
    path.with_suffix(".json").unlink()
    refused(path, "there is no lif.json, though lif.safetensors is there")


def test_unchanged_files_are_data(path: Path) -> None:
    """The changes above are what is refused, and text that looks like code stays text."""
    sign(path, safetensors.numpy.save(arrays(path), metadata=FORM))
    assert load(path, LIF).notes == (CALL,)
    assert not Path("marker").exists()


@settings(max_examples=25)
@given(places=st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=4))
def test_random_headers_never_crash(places: list[float], tmp_path_factory: pytest.TempPathFactory) -> None:
    """Signed and damaged numbers: what comes out is a circuit within its bounds or a refusal."""
    path = tmp_path_factory.getbasetemp() / "random.safetensors"
    save(LIF, path)
    content = bytearray(path.read_bytes())
    for bit in (int(place * 8 * len(content)) for place in places):
        content[bit // 8] ^= 1 << bit % 8
    sign(path, bytes(content))
    try:
        assert isinstance(load(path, LIF), Saved)
    except FileError as error:
        assert str(error).startswith(f"{path}: ")  # noqa: PT017 (either outcome is right)
