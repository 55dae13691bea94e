"""Whatever a NIR file says: it is refused by name, nothing outside it is read, and nothing crashes or hangs."""

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import nir as peer
import numpy as np
import pytest

from bioneuro.exchange import nir_file
from bioneuro.exchange.nir import NirError, read, write
from bioneuro.model import Circuit, Population

ONE = np.ones(3)


@pytest.fixture(autouse=True)
def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(nir_file, "MOST_NODES", 100)


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """Every readable kind of node, as the peer package writes it."""
    nodes = {
        "input": peer.Input([2]), "fc": peer.Affine(np.arange(6.0).reshape(3, 2), ONE), "scale": peer.Scale(2 * ONE),
        "lif": peer.LIF(tau=0.02 * ONE, r=ONE, v_leak=0 * ONE, v_threshold=ONE, v_reset=0 * ONE), "late": peer.Delay(0.001 * ONE),
        "rec": peer.Linear(np.eye(3)), "li": peer.LI(tau=0.01 * ONE, r=ONE, v_leak=0 * ONE), "output": peer.Output([3]),
    }  # fmt: skip
    edges = [("input", "fc"), ("fc", "scale"), ("scale", "lif"), ("lif", "late"), ("late", "rec"), ("rec", "lif"), ("lif", "li"), ("li", "output")]
    peer.write(tmp_path / "x.nir", peer.NIRGraph(nodes, edges, metadata={"who": "somebody"}))
    return tmp_path / "x.nir"


Change = Callable[[h5py.File], Any]
NODES, LIF = "node/nodes", "node/nodes/lif"


def put(path: str, value: Any, **options: Any) -> Change:
    """Something else in the place of an object."""

    def change(root: h5py.File) -> None:
        if path in root:
            del root[path]
        if isinstance(value, h5py.ExternalLink | h5py.SoftLink):
            root[path] = value
        elif isinstance(value, h5py.VirtualLayout):
            root.create_virtual_dataset(path, value)
        else:
            root.create_dataset(path, data=value, **options)

    return change


def kind(name: str, value: str, drop: tuple[str, ...] = (), **fields: Any) -> Change:
    """Another type of node with other fields."""

    def change(root: h5py.File) -> None:
        put(f"{NODES}/{name}/type", value)(root)
        for field in drop:
            del root[f"{NODES}/{name}/{field}"]
        for field, data in fields.items():
            put(f"{NODES}/{name}/{field}", data)(root)

    return change


def edges(*more: tuple[str, str], without: int = -1) -> Change:
    def change(root: h5py.File) -> None:
        known = [(a.decode(), b.decode()) for k, (a, b) in enumerate(root["node/edges"][()]) if k != without]
        put("node/edges", [*known, *more])(root)

    return change


def virtual() -> h5py.VirtualLayout:
    layout = h5py.VirtualLayout((3,), "<f8")
    layout[:] = h5py.VirtualSource("other.nir", "tau", (3,))
    return layout


def renamed(root: h5py.File) -> None:
    root.move("node", "graph")


def many(root: h5py.File) -> None:
    for k in range(101):
        root[NODES].create_group(f"n{k}")


def nested(root: h5py.File) -> None:
    group = root["node"]
    for _ in range(12):
        group = group.create_group("nodes/deep") if "nodes" not in group else group["nodes"].create_group("deep")
        group["type"], group["edges"] = "NIRGraph", np.zeros((0, 2))


BOMB = {"shape": (2**20, 2**20), "dtype": "f8", "chunks": (64, 64)}
HOSTILE: list[tuple[str, Change, str, str]] = [
    ("external link", put(f"{LIF}/tau", h5py.ExternalLink("other.nir", "/tau")), "link", "'tau'.*not followed"),
    ("external node", put(f"{NODES}/more", h5py.ExternalLink("other.nir", "/")), "link", "'more'"),
    ("soft link", put(f"{LIF}/tau", h5py.SoftLink("/node/nodes/lif/r")), "link", "'tau'"),
    ("soft cycle", put(f"{NODES}/more", h5py.SoftLink("/node")), "link", "'more'"),
    ("soft metadata", put("node/metadata/circuit", h5py.SoftLink("/version")), "link", "circuit"),
    ("hard cycle", lambda root: root[NODES].__setitem__("more", root["node"]), "link", "another name"),
    ("hard link", lambda root: root[LIF].__setitem__("v_reset_", root[f"{LIF}/tau"]), "link", "another name"),
    ("external storage", put(f"{LIF}/tau", ONE, external=[("other.bin", 0, h5py.h5f.UNLIMITED)]), "link", "'tau'.*not stored in this file"),
    ("virtual", put(f"{LIF}/tau", virtual()), "link", "'tau'.*not stored in this file"),
    ("objects", put(f"{LIF}/tau", None, shape=(3,), dtype=h5py.vlen_dtype(np.float64)), "value", "'tau'.*object"),
    ("references", put(f"{LIF}/tau", None, shape=(3,), dtype=h5py.ref_dtype), "value", "'tau'"),
    ("texts for numbers", put(f"{LIF}/tau", ["a", "b", "c"]), "value", "'tau'"),
    ("compound", put(f"{LIF}/tau", np.zeros(3, [("a", "f8")])), "value", "'tau'"),
    ("complex", put(f"{LIF}/tau", 1j * ONE), "value", "'tau'"),
    ("opaque", put(f"{LIF}/tau", np.void(b"abc")), "value", "'tau'"),
    ("null", put(f"{LIF}/tau", h5py.Empty("f8")), "link|value", "'tau'"),
    ("huge", put(f"{LIF}/tau", None, **BOMB), "size", "'tau'.*more than"),
    ("huge chunks", put(f"{LIF}/tau", None, shape=(3,), dtype="f8", chunks=(2**27,), maxshape=(None,)), "size", "'tau'"),
    ("a long text", put(f"{LIF}/type", "x" * 10**6), "field", "'type'.*too long"),
    ("a long fixed text", put(f"{LIF}/type", np.bytes_(b"x" * 10**6)), "field", "'type'"),
    ("no utf-8", put(f"{LIF}/type", np.bytes_(b"\xff\xfe")), "file", "UnicodeDecodeError"),
    ("many nodes", many, "size", "allowed: 100"),
    ("deep", nested, "size", "deeper than 8"),
    ("no version", lambda root: root.__delitem__("version"), "version", "'version'.*missing"),
    ("version of the future", put("version", "2.0.0"), "version", "2.0.0"),
    ("version is a number", put("version", 1.0), "field", "version"),
    ("no graph", renamed, "field", "'node'.*missing"),
    ("another file", lambda root: root.__setitem__("x", 1), "", ""),
    ("one node", put("node/type", "LIF"), "field", "unknown"),
    ("unknown type", kind("lif", "Izhikevich"), "type", "'Izhikevich' is unknown|type 'Izhikevich'.*unknown"),
    ("type that calls", kind("lif", "__import__('os').mkdir('marker')"), "type", "unknown"),
    ("convolution", kind("rec", "Conv2d"), "type", r"a convolution \(Conv2d\)"),
    ("pooling", kind("rec", "AvgPool2d"), "type", "pooling"),
    ("threshold", kind("lif", "Threshold"), "type", "without a reset"),
    ("no type", lambda root: root[LIF].__delitem__("type"), "type", "'lif'.*'type'.*missing"),
    ("missing field", lambda root: root[LIF].__delitem__("tau"), "field", "'tau' of LIF"),
    ("unknown field", put(f"{LIF}/refractory", ONE), "field", "'refractory' of LIF"),
    ("no number", put(f"{LIF}/tau", np.array([0.02, np.nan, 0.02])), "value", r"node 'lif' \(LIF\), 'tau'.*not finite"),
    ("infinite", put(f"{LIF}/v_threshold", np.inf * ONE), "value", "'v_threshold'.*not finite"),
    ("no time", put(f"{LIF}/tau", 0 * ONE), "value", r"'lif' \(LIF\), 'tau': 0.0: it must be positive"),
    ("negative time", put(f"{NODES}/li/tau", -ONE), "value", "'li'.*'tau'.*positive"),
    ("negative delay", put(f"{NODES}/late/delay", -ONE), "value", "'late'.*'delay'.*negative"),
    ("empty", put(f"{LIF}/tau", np.zeros(0)), "value", "'tau'.*empty"),
    ("other lengths", put(f"{LIF}/tau", np.ones(4)), "shape", "'lif'.*one shape"),
    ("no matrix", put(f"{NODES}/rec/weight", ONE), "shape", "1 dimensions"),
    ("bias", put(f"{NODES}/fc/bias", np.ones(2)), "shape", "bias"),
    ("large port", put(f"{NODES}/input/shape", np.array([2**40, 2**40])), "size", "'input'"),
    ("no port", put(f"{NODES}/input/shape", np.array([0])), "value", "'input'.*positive"),
    ("sizes", put(f"{NODES}/fc/weight", np.ones((3, 7))), "shape", "2 channels leave 'input' and 7 enter 'fc'"),
    ("edge from nowhere", edges(("nobody", "lif")), "edge", "no node 'nobody'"),
    ("edge to nowhere", edges(("lif", "nobody")), "edge", "no node 'nobody'"),
    ("edge twice", edges(("input", "fc")), "edge", r"\('input', 'fc'\): is given twice"),
    ("edges of numbers", put("node/edges", np.ones((3, 2))), "field", "'edges'"),
    ("edges of three", put("node/edges", np.array([[b"a", b"b", b"c"]])), "field", "edges of shape"),
    ("no edges", lambda root: root["node"].__delitem__("edges"), "field", "'edges' of NIRGraph"),
    ("a loop without a neuron", edges(("rec", "late")), "loop", "loop without a neuron"),
    ("into an input", edges(("lif", "input")), "edge|shape", "input"),
    ("a potential through weights", edges(("li", "rec")), "signal", "the potential of 'li'"),
    ("a readout", edges(("rec", "output")), "readout", "'rec' between 'lif' and the output"),
    ("a dead end", edges(without=5), "edge", "'rec'.*no edge leaves it"),
    ("a late bias", edges(("fc", "late")), "bias|delay", "fc"),
    ("start", put(f"{LIF}/metadata/start", np.array([np.nan])), "value", "initial value"),
    ("a unit that calls", put(f"{LIF}/metadata/unit", "__import__('os')"), "field", "make no circuit"),
]


@pytest.mark.parametrize(("change", "code", "says"), [case[1:] for case in HOSTILE], ids=[case[0] for case in HOSTILE])
def test_a_changed_file_is_refused(written: Path, change: Change, code: str, says: str) -> None:
    with h5py.File("other.nir", "w") as other:  # what links point to: it must not be read
        other["tau"] = 0.02 * ONE
    Path("other.bin").write_bytes(np.float64([0.02] * 3).tobytes())
    with h5py.File(written, "r+") as root:
        change(root)
    if not code:
        assert isinstance(read(written), Circuit)
        return
    began = time.perf_counter()
    with pytest.raises(NirError, match=says) as caught:
        read(written)
    assert caught.value.code in code.split("|")
    assert str(caught.value).startswith(f"{written}: ")
    assert caught.value.remedy
    assert time.perf_counter() - began < 5
    assert not Path("marker").exists()


def test_an_unchanged_file_is_read(written: Path) -> None:
    circuit = read(written)
    assert {p.name: p.size for p in circuit.populations} == {"input": 2, "li": 3, "lif": 3}
    assert circuit.values["lif.v_leak"].value == 2  # the bias, scaled
    assert circuit.values["rec.d"].value == 0.001


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo("pipe")
    Path("empty").write_bytes(b"")
    Path("text").write_text("hello")
    kinds = {"nothing": "No such file", ".": "directory", "pipe": "no regular file", "empty": "begins with b''", "text": "begins"}
    for name, says in kinds.items():
        with pytest.raises(NirError, match=says):
            read(name)


def test_ways_that_double_at_every_node(tmp_path: Path) -> None:
    """Two ways at each of thirty nodes are a billion ways."""
    nodes: dict[str, Any] = {"input": peer.Input([1]), "lif": peer.LIF(tau=ONE[:1], r=ONE[:1], v_leak=0 * ONE[:1], v_threshold=ONE[:1])}
    links = [("input", "a0"), ("input", "b0"), ("a29", "lif"), ("b29", "lif")]
    for k in range(30):
        nodes |= {f"{side}{k}": peer.Scale(ONE[:1]) for side in "ab"}
        links += [(f"{x}{k}", f"{y}{k + 1}") for x in "ab" for y in "ab" if k < 29]
    peer.write(tmp_path / "x.nir", peer.NIRGraph(nodes, links, type_check=False))
    with pytest.raises(NirError, match="on too many ways"):
        read(tmp_path / "x.nir")


def test_truncated_files(written: Path) -> None:
    content = written.read_bytes()
    for length in range(8, len(content), len(content) // 40):
        written.write_bytes(content[:length])
        with pytest.raises(NirError, match=r"cannot be read|not where"):
            read(written)


@pytest.mark.parametrize("whose", ["peer", "ours"])
def test_flipped_bits_never_crash_or_hang(written: Path, whose: str) -> None:
    """A circuit or a refusal comes out, in time: HDF5 alone hangs on a damaged text of variable length."""
    if whose == "ours":
        write(read(written), written)
    content, rng = written.read_bytes(), random.Random(1)
    for _ in range(80):
        changed = bytearray(content)
        for bit in rng.sample(range(8 * len(content)), rng.choice([1, 5, 40])):
            changed[bit // 8] ^= 1 << bit % 8
        written.write_bytes(changed)
        try:
            assert nir_file.load(written).nodes
        except NirError as error:
            assert str(error).startswith(f"{written}: ")  # noqa: PT017 (either outcome is right)


def test_a_failed_write_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ports = Circuit(name="ports", populations=(Population(name="input", size=2),))
    write(ports, "x.nir")
    before = Path("x.nir").read_bytes()
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(NirError, match=r"x.nir: .*not written .*No space left"):
        write(ports, "x.nir")
    assert Path("x.nir").read_bytes() == before
    assert os.listdir() == ["x.nir"]
    monkeypatch.undo()
    (tmp_path / "file").touch()
    with pytest.raises(NirError, match="not written"):
        write(ports, tmp_path / "file" / "x.nir")


@pytest.mark.slow
def test_refused_without_assertions_too(written: Path) -> None:
    """The peer package tells unknown types by `assert`, which ``python -O`` leaves out."""
    with h5py.File(written, "r+") as root:
        kind("lif", "Izhikevich")(root)
    code = f"from bioneuro.exchange.nir import read\nread({str(written)!r})"
    done = subprocess.run([sys.executable, "-O", "-c", code], capture_output=True, text=True, check=False)
    assert "NirError" in done.stderr
    assert "Izhikevich" in done.stderr
