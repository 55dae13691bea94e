"""Files of recordings that someone changed on purpose and signed anew: refused by name, and nothing in them runs or is fetched."""

import hashlib
import json
import os
import pickle
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import xarray

from bioneuro.files import FileError, load, save
from bioneuro.protocol import Coordinate
from bioneuro.recording import Provenance, Recording, train


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    recording = Recording(
        traces={"post.v": np.zeros((2, 3, 2)), "calcium.up": np.ones((2, 3, 1), bool)},
        times=np.ones((2, 3)),
        units={"post.v": "volt", "calcium.up": "1"},
        spikes={"post": train([5, 3, 9], [0, 0, 3], n_trials=2, size=2, dt=1e-4)},
        conditions={"lag": Coordinate(values=np.array([-0.01, 0.01]), unit="ms")},
        provenance=Provenance(circuit="", protocol="", seed=1, engine="numpy", notes=("import os; os.mkdir('marker')",)),
    )
    save(recording, tmp_path / "window.nc")
    return tmp_path / "window.nc"


def sign(path: Path) -> None:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    path.with_name(path.name + ".sha256").write_text(f"{digest}  {path.name}\n")


class Marker:
    """Makes a folder if it is ever unpickled."""

    def __reduce__(self) -> Any:
        return os.mkdir, ("marker",)


EVIL = pickle.dumps(Marker())
CALL = "__import__('os').mkdir('marker')"


def put(name: str, value: Any, **options: Any) -> Callable[[h5py.File], None]:
    """In place of a variable another one with its attributes, or a link."""

    def change(root: h5py.File) -> None:
        attrs = dict(root[name].attrs)
        del root[name]
        if isinstance(value, h5py.ExternalLink | h5py.SoftLink):
            root[name] = value
            return
        if isinstance(value, h5py.VirtualLayout):
            root.create_virtual_dataset(name, value)
        else:
            root.create_dataset(name, data=value, **options)
        for key in ("units", "shown_in", "size", "dt", "dtype"):
            if key in attrs:
                say(name, key, attrs[key])(root)

    return change


def say(name: str, key: str, value: Any) -> Callable[[h5py.File], None]:
    """Another attribute; a text in fixed length, as `save` writes it."""

    def change(root: h5py.File) -> None:
        text = value.encode() if isinstance(value, str) else value
        root[name].attrs[key] = np.array(text, h5py.string_dtype("utf-8", len(text) + 1)) if isinstance(text, bytes) else text

    return change


def provenance(**changes: Any) -> Callable[[h5py.File], None]:
    plain = dict(circuit="", protocol="", seed=1, engine="numpy", strict=True, versions={}, shifts={}, notes=[])
    return say("/", "provenance", json.dumps({**plain, **changes}))


def contents(traces: Any) -> Callable[[h5py.File], None]:
    return say("/", "contents", json.dumps({"conditions": ["lag"], "traces": traces, "spikes": ["post"]}))


def objects(root: h5py.File) -> None:
    put("post.v", None, shape=(1,), dtype=h5py.vlen_dtype(np.uint8))(root)
    root["post.v"][0] = np.frombuffer(EVIL, np.uint8)


def virtual() -> h5py.VirtualLayout:
    layout = h5py.VirtualLayout((2, 3, 2), "<f8")
    layout[:] = h5py.VirtualSource("other.nc", "post.v", (2, 3, 2))
    return layout


V = np.zeros((2, 3, 2))
HOSTILE: list[tuple[str, Callable[[h5py.File], Any], str]] = [
    ("external link", put("post.v", h5py.ExternalLink("other.nc", "/post.v")), "'post.v' is a link"),
    ("soft link", put("post.v", h5py.SoftLink("/post.v")), "'post.v' is a link"),
    ("extra external link", lambda root: root.__setitem__("x", h5py.ExternalLink("other.nc", "/")), "'x' is a link"),
    ("external storage", put("post.v", V, external=[("other.bin", 0, h5py.h5f.UNLIMITED)]), "not stored whole"),
    ("virtual", put("post.v", virtual()), "not stored whole"),
    ("group", lambda root: root.create_group("x"), "'x' is not a variable"),
    ("a group that holds its parent", lambda root: root.create_group("x").__setitem__("y", root["/"]), "'x' is not a variable"),
    ("named type", lambda root: root.__setitem__("x", np.dtype("f8")), "'x' is not a variable"),
    ("extra variable", lambda root: root.create_dataset("x", data=1.0), "unexpected objects"),
    ("missing variable", lambda root: root.__delitem__("spikes.post.steps"), "spikes.post.steps is missing"),
    ("missing trace", lambda root: root.__delitem__("post.v"), "post.v is missing"),
    ("opaque pickle", put("post.v", np.void(EVIL)), "'post.v' has type"),
    ("objects", objects, "'post.v' has type object"),
    ("texts", put("post.v", [CALL]), "'post.v' has type object"),
    ("compound", put("post.v", np.zeros(2, [("a", "f8")])), "'post.v' has type"),
    ("a bomb of nothing", put("post.v", None, shape=(2**20, 2**20, 2**10), dtype="f8", chunks=(64, 64, 64)), "not stored whole"),
    ("a compressed bomb", put("post.v", np.zeros((2, 3, 10**6)), compression=9), "not stored whole"),
    ("shape", put("post.v", V[0]), "shape"),
    ("other length", put("post.v", V[:, :2]), "dimension 'time'"),
    ("null", put("post.v", h5py.Empty("f8")), "Empty"),
    ("coordinate not finite", put("lag", np.array([0.0, np.inf])), "'lag' has a value that is not finite"),
    ("times not finite", put("times", np.full((2, 3), np.nan)), "not finite"),
    ("not boolean", put("calcium.up", np.full((2, 3, 1), 2, "i1")), "'calcium.up' says to be boolean"),
    ("offsets", put("spikes.post.offsets", np.array([0, 9, -9, 3, 3])), "offsets"),
    ("size", say("spikes.post.steps", "size", 2**62), "offsets"),
    ("dt", say("spikes.post.steps", "dt", np.nan), "dt is nan"),
    ("no dt", lambda root: root["spikes.post.steps"].attrs.__delitem__("dt"), "'dt' is missing"),
    ("ms said of s", say("lag", "units", "ms"), "'lag' is not in SI units, 'second'"),
    ("unit of another kind", say("lag", "shown_in", "mV"), "'lag' is not in SI units, 'volt'"),
    ("unit that calls", say("lag", "shown_in", CALL), "unit"),
    ("unit too long", say("lag", "shown_in", "(" * 5000), "unit"),
    ("newer format", say("/", "bioneuro_format", 2), "format is 2, this version reads 1"),
    ("no format", lambda root: root.attrs.__delitem__("bioneuro_format"), "no attribute bioneuro_format"),
    ("text of any length", lambda root: root.attrs.__setitem__("provenance", "{}"), "'provenance' is missing or not one str"),
    ("list of texts", lambda root: root.attrs.__setitem__("provenance", np.array([b"{}"] * 9)), "'provenance' is missing or not one"),
    ("provenance that calls", say("/", "provenance", CALL), "JSONDecodeError"),
    ("deep provenance", say("/", "provenance", "[" * 50_000), "RecursionError"),
    ("unknown field", provenance(python=CALL), "other fields"),
    ("seed is true", provenance(seed=True), "wrong type"),
    ("shift is NaN", provenance(shifts={"pre": float("nan")}), "wrong type"),
    ("notes is a text", provenance(notes=CALL), "wrong type"),
    ("contents is a number", say("/", "contents", "1"), "TypeError"),
    ("another trace", contents(["../other.v"]), "missing"),
    ("a path", contents(["/post.v"]), "missing"),
    ("a trace too few", contents(["post.v"]), "unexpected objects"),
]


@pytest.mark.parametrize(("change", "says"), [case[1:] for case in HOSTILE], ids=[case[0] for case in HOSTILE])
def test_a_changed_file_is_refused(written: Path, change: Callable[[h5py.File], Any], says: str) -> None:
    # What the links point to: it must not be read.
    with h5py.File("other.nc", "w") as other:
        other["post.v"] = V
    Path("other.bin").write_bytes(bytes(V.nbytes))
    with h5py.File(written, "r+") as root:
        change(root)
    sign(written)
    began = time.perf_counter()
    with pytest.raises(FileError) as caught:
        load(written)
    assert str(caught.value).startswith(f"{written}: ")
    assert says in str(caught.value)
    assert "; " in str(caught.value), "the remedy"
    assert time.perf_counter() - began < 5
    assert not Path("marker").exists()


def test_an_unchanged_file_is_data(written: Path) -> None:
    """The changes above are what is refused, and text that looks like code stays text."""
    with h5py.File(written, "r+") as root:
        put("post.v", V)(root)
        provenance(notes=[CALL])(root)
    sign(written)
    assert load(written).provenance.notes == (CALL,)
    assert not Path("marker").exists()


def test_flipped_and_signed_bits_never_crash(written: Path) -> None:
    """Without the sidecar HDF5's own checksums stand: a recording or a refusal comes out, in time."""
    content, rng = written.read_bytes(), random.Random(1)
    for _ in range(400):
        changed = bytearray(content)
        for bit in rng.sample(range(8 * len(content)), rng.choice([1, 1, 5])):
            changed[bit // 8] ^= 1 << bit % 8
        written.write_bytes(changed)
        sign(written)
        try:
            assert isinstance(load(written), Recording)
        except FileError as error:
            assert str(error).startswith(f"{written}: ")  # noqa: PT017 (either outcome is right)


def test_other_netcdf_is_refused(tmp_path: Path) -> None:
    xarray.Dataset({"v": ("t", [1.0])}).to_netcdf(tmp_path / "x.nc", engine="h5netcdf")
    sign(tmp_path / "x.nc")
    with pytest.raises(FileError, match="no attribute bioneuro_format"):
        load(tmp_path / "x.nc")
