"""NIR graphs in HDF5 files: what a file may hold is checked before anything in it is read.

The layout is that of the Python package ``nir`` 1.0: ``version``, and a group ``node`` with ``type``, ``edges`` (pairs of names) and
``nodes``, a group of fields per node. A file is data: no link, external storage, virtual dataset or filter from outside HDF5 is followed,
nothing is larger than `MOST_BYTES`, and every number has the shape and the range that its node asks for.

Texts of variable length, as ``nir`` writes them, are looked up in the bytes of the file: HDF5 itself can search for ever for a damaged one.
"""

import contextlib
import io
import math
import os
import re
import stat
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import h5py
import numpy as np
from numpy.typing import NDArray

from bioneuro.disk import replaced

Floats = NDArray[np.float64]
Edges = tuple[tuple[str, str], ...]

VERSION = "1.0.8"
"""The version of ``nir`` whose layout is written."""

MOST_BYTES, MOST_NODES, MOST_EDGES, MOST_DEPTH, MOST_TEXT = 2**27, 2_000, 20_000, 8, 200
"""Largest file and largest sum of its numbers in bytes; most nodes and edges; deepest subgraph; longest name."""

NEEDS: Mapping[str, tuple[str, ...]] = {
    "Input": ("shape",), "Output": ("shape",), "Flatten": (),
    "Linear": ("weight",), "Affine": ("weight", "bias"), "Scale": ("scale",), "Delay": ("delay",),
    "I": ("r",), "IF": ("r", "v_threshold"), "LI": ("tau", "r", "v_leak"), "LIF": ("tau", "r", "v_leak", "v_threshold"),
    "CubaLI": ("tau_syn", "tau_mem", "r", "v_leak"), "CubaLIF": ("tau_syn", "tau_mem", "r", "v_leak", "v_threshold"),
}  # fmt: skip
"""Type of node -> fields that it must have. In ``nir`` an absent ``v_reset`` is 0 and an absent ``w_in`` is 1."""

_DEFAULTS = {"IF": {"v_reset": 0.0}, "LIF": {"v_reset": 0.0}, "CubaLI": {"w_in": 1.0}, "CubaLIF": {"v_reset": 0.0, "w_in": 1.0}}
_UNREAD = {"start_dim", "end_dim", "input_type", "output_type"}  # they say nothing that the order of the numbers does not
_UNSAID = {
    **dict.fromkeys(("Conv1d", "Conv2d"), ("a convolution", "write it as a Linear node with the weights of every pair")),
    **dict.fromkeys(("SumPool2d", "AvgPool2d"), ("pooling", "write it as a Linear node with the weights of every pair")),
    "Threshold": ("a threshold without a reset", "use an IF or LIF node"),
}
NOTES = ("circuit", "signal", "state", "unit", "start", "method", "state_syn", "unit_syn", "start_syn")
"""What is read of a node's metadata."""

_FILTERS = {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32, h5py.h5z.FILTER_LZF}
_AGAIN = "export it again, or get another copy"


class NirError(ValueError):
    """Something that NIR cannot say, or a file that is no NIR graph that can be read.

    Attributes:
        code: one word for the kind of trouble, such as "refractory", "plasticity", "link" or "value".
        place: the object, with the file if there is one. construct: what was found there. why: why it cannot be. remedy: what to do.
    """

    def __init__(self, code: str, place: str, construct: str, why: str, remedy: str) -> None:
        super().__init__(f"{place}: {construct}: {why}; {remedy} [{code}]")
        self.code, self.place, self.construct, self.why, self.remedy = code, place, construct, why, remedy


def refuse(code: str, place: str, construct: str, why: str, remedy: str = _AGAIN) -> NoReturn:
    raise NirError(code, place, construct, why, remedy)


@dataclass(frozen=True, kw_only=True, eq=False)
class Node:
    """One node: its type, its numbers by field (defaults filled in), and what is known of its metadata."""

    kind: str
    values: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    notes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, eq=False)
class Graph:
    """Nodes by name and edges in the order of the file."""

    nodes: Mapping[str, "Node | Graph"]
    edges: Edges
    notes: Mapping[str, Any] = field(default_factory=dict)


def load(path: str | os.PathLike[str]) -> Graph:
    """The graph in the file `path`.

    Errors:
        NirError: there is no such file, or it is not a well-formed NIR graph; names the file, the node and the field.
    """
    file = Path(os.fsdecode(path))
    try:
        content = _content(file)
        with h5py.File(io.BytesIO(content), "r") as root:
            return _Reader(content).whole(root)
    except NirError as error:
        raise NirError(error.code, f"{file}: {error.place}", error.construct, error.why, error.remedy) from None
    except OSError as error:
        remedy = "give the path of a NIR file that can be read" if error.strerror else _AGAIN
        raise NirError("file", str(file), "the file", f"cannot be read ({error.strerror or error!s:.200})", remedy) from error
    except Exception as error:  # h5py reports a malformed file by many types
        raise NirError("file", str(file), "the file", f"cannot be read as HDF5 ({error!r:.200})", _AGAIN) from error


def _content(file: Path) -> bytes:
    """The bytes of a regular file; a pipe or device is not read."""
    with open(file, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as opened:
        state = os.fstat(opened.fileno())
        if not stat.S_ISREG(state.st_mode) or state.st_size > MOST_BYTES:
            what = f"has {state.st_size} bytes, allowed: {MOST_BYTES}" if stat.S_ISREG(state.st_mode) else "is no regular file"
            refuse("size" if stat.S_ISREG(state.st_mode) else "file", "the file", "it", what, "give a NIR file")
        content = opened.read(MOST_BYTES + 1)
    if not content.startswith(b"\x89HDF\r\n\x1a\n"):
        refuse("file", "the file", f"it begins with {content[:8]!r}", "HDF5 files begin with another signature", "give a file that nir.write made")
    return content


class _Reader:
    """One file while it is read: its bytes, the objects met so far and the numbers still allowed."""

    def __init__(self, content: bytes) -> None:
        self.content, self.met, self.nodes, self.left = content, set[int](), 0, MOST_BYTES
        self.heaps, self.steps = dict[int, dict[int, tuple[int, int]]](), 0

    def whole(self, root: Any) -> Graph:
        self.met.add(h5py.h5o.get_info(root.id).addr)
        members = self.members(root, "the file")
        for name, kind in (("version", h5py.Dataset), ("node", h5py.Group)):
            if not isinstance(members.get(name), kind):
                code = "version" if name == "version" else "field"
                refuse(code, "the file", f"{name!r}", "is missing, so this is no NIR file", "give one that nir.write made")
        version = self.text(members["version"], "'version'")
        if not re.fullmatch(r"[01]\.\d{1,4}([.\-+]?[\w.\-+]*)?", version):
            refuse("version", "the file", f"version {version!r:.60}", "versions 0 and 1 of NIR are known", "export it with nir 1")
        graph = self.node(members["node"], "the graph", 0)
        if not isinstance(graph, Graph):
            refuse("type", "the graph", f"the type {graph.kind!r}", "a file holds a NIRGraph", "put the node between an Input and an Output")
        return graph

    def members(self, group: Any, place: str) -> dict[str, Any]:
        """The objects in a group, after a look at the links that lead to them."""
        if len(group) > MOST_NODES:
            refuse("size", place, f"{len(group)} objects", f"allowed: {MOST_NODES}", "split the graph")
        found = {}
        for name in group:
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                refuse("link", place, f"{name!r:.99}", "is a soft or external link, which is not followed", "copy what it leads to into the file")
            if group.get(name, getclass=True) not in (h5py.Group, h5py.Dataset):
                refuse("type", place, f"{name!r:.99}", "is neither a group nor a dataset")
            found[name] = group[name]
            address = h5py.h5o.get_info(found[name].id).addr
            if address in self.met:
                refuse("link", place, f"{name!r:.99}", "is an object that has another name already", "write a copy of it")
            self.met.add(address)
        return found

    def node(self, group: Any, place: str, depth: int) -> Node | Graph:
        members = self.members(group, place)
        if not isinstance(members.get("type"), h5py.Dataset):
            refuse("type", place, "the field 'type'", "is missing")
        kind = self.text(members.pop("type"), f"{place}, 'type'")
        notes = self.notes(members.pop("metadata", None), place)
        if kind == "NIRGraph":
            return self.graph(members, notes, place, depth)
        if kind in _UNSAID:
            what, remedy = _UNSAID[kind]
            refuse("type", place, f"{what} ({kind})", "has no counterpart here", remedy)
        if kind not in NEEDS:
            refuse("type", place, f"the type {kind!r:.60}", f"is unknown; allowed: NIRGraph, {', '.join(sorted(NEEDS))}", "use one of them")
        known = (*NEEDS[kind], *_DEFAULTS.get(kind, {}))
        for name in members:
            if name not in known and name not in _UNREAD:
                refuse("field", place, f"the field {name!r:.60} of {kind}", f"is unknown; allowed: {', '.join(known) or 'none'}", "remove it")
        if missing := [name for name in NEEDS[kind] if name not in members]:
            refuse("field", place, f"the field {missing[0]!r} of {kind}", "is missing", "give it")
        return checked(kind, {n: self.numbers(members[n], f"{place}, {n!r}") for n in known if n in members}, notes, place)

    def graph(self, members: Mapping[str, Any], notes: Mapping[str, Any], place: str, depth: int) -> Graph:
        if depth > MOST_DEPTH:
            refuse("size", place, "a graph in a graph", f"lies deeper than {MOST_DEPTH}", "flatten it")
        for name, kind in (("nodes", h5py.Group), ("edges", h5py.Dataset)):
            if not isinstance(members.get(name), kind):
                refuse("field", place, f"the field {name!r} of NIRGraph", "is missing", "give it")
        parts = self.members(members["nodes"], f"{place}, 'nodes'")
        self.nodes += len(parts)
        if self.nodes > MOST_NODES:
            refuse("size", place, f"{self.nodes} nodes", f"allowed: {MOST_NODES}", "split the graph")
        nodes = {}
        for name, part in parts.items():
            if not isinstance(part, h5py.Group) or len(name) > MOST_TEXT:
                refuse("field", place, f"the node {name!r:.60}", f"is no group, or its name is longer than {MOST_TEXT}")
            nodes[name] = self.node(part, f"node {name!r}" if not depth else f"{place}, node {name!r}", depth + 1)
        return Graph(nodes=nodes, edges=self.edges(members["edges"], nodes, place), notes=notes)

    def edges(self, data: Any, nodes: Mapping[str, Any], place: str) -> Edges:
        shape = data.shape
        if shape is None or (math.prod(shape) and (len(shape) != 2 or shape[1] != 2)) or math.prod(shape) > 2 * MOST_EDGES:
            refuse("field", place, f"edges of shape {shape}", f"they are pairs of names, {MOST_EDGES} at most")
        names = self.texts(data, f"{place}, 'edges'") if math.prod(shape) else []
        edges = tuple(zip(names[::2], names[1::2], strict=True))
        met = set[tuple[str, str]]()
        for edge in edges:
            if strange := [name for name in edge if name not in nodes]:
                known = ", ".join(sorted(nodes))[:200]
                refuse("edge", place, f"the edge {edge!s:.200}", f"there is no node {strange[0]!r:.60}; nodes: {known}", "correct it")
            if edge in met:
                refuse("edge", place, f"the edge {edge}", "is given twice", "give it once, through a Scale node if it is to count double")
            met.add(edge)
        return edges

    def numbers(self, data: Any, place: str) -> NDArray[Any]:
        """A dataset of numbers, as float64 (or int64 for shapes)."""
        if not isinstance(data, h5py.Dataset) or data.dtype.kind not in "fiu" or data.dtype.itemsize > 8:
            refuse("value", place, f"{getattr(data, 'dtype', 'a group')}", "is no array of integers or floats of at most 64 bits")
        if not self.inside(data) or data.shape is None:
            refuse("link", place, "the dataset", "is not stored in this file in a form that is read", "store it plainly or with gzip")
        size = data.size * max(data.dtype.itemsize, 8)
        if size > self.left or (data.chunks and math.prod(data.chunks) * data.dtype.itemsize > MOST_BYTES):
            refuse("size", place, f"an array of shape {data.shape}", f"with it the file holds more than {MOST_BYTES} bytes", "split the graph")
        self.left -= size
        return np.asarray(data[()], np.int64 if data.dtype.kind in "iu" and place.endswith("'shape'") else np.float64)

    def inside(self, data: Any) -> bool:
        """Whether the bytes of a dataset lie in this file, behind no filter but HDF5's own."""
        plist = data.id.get_create_plist()
        filters = {plist.get_filter(k)[0] for k in range(plist.get_nfilters())}
        return not data.is_virtual and not plist.get_external_count() and filters <= _FILTERS

    def text(self, data: Any, place: str) -> str:
        return self.texts(data, place)[0] if data.shape in ((), (1,)) else refuse("field", place, f"shape {data.shape}", "is not one text")

    def texts(self, data: Any, place: str) -> list[str]:
        about = h5py.check_string_dtype(data.dtype)
        if about is None or not self.inside(data) or (about.length or 0) > 10 * MOST_TEXT or data.size > 2 * MOST_EDGES:
            refuse("field", place, f"data of type {data.dtype!s:.60}", "is not stored as short texts in this file", "write it with nir.write")
        if about.length is not None:
            found = [bytes(value) for value in np.asarray(data[()]).ravel()]
        else:
            start = data.id.get_offset()
            if start is None or data.id.get_storage_size() != 16 * data.size:
                refuse("field", place, "a text", "is not stored plainly", "write it with nir.write")
            found = [self.heap(start + 16 * k, place) for k in range(data.size)]
        return [value.rstrip(b"\0").decode() for value in found]

    def heap(self, at: int, place: str) -> bytes:
        """The text that the reference at a place in the file leads to, in a global heap of HDF5."""
        with contextlib.suppress(struct.error):
            length, collection, wanted = struct.unpack_from("<IQI", self.content, at)
            start, held = self.heaps.setdefault(collection, self.collection(collection)).get(wanted, (0, -1))
            if length <= min(held, 10 * MOST_TEXT) and start + length <= len(self.content):
                return self.content[start : start + length]
        refuse("field", place, "a text", "is not where the file says, or too long")

    def collection(self, at: int) -> dict[int, tuple[int, int]]:
        """Number -> (place, length) of what a global heap holds."""
        if at in self.heaps:
            return self.heaps[at]
        magic, size = struct.unpack_from("<4s4xQ", self.content, at)
        found, here = dict[int, tuple[int, int]](), at + 16
        while magic == b"GCOL" and here + 16 <= min(at + size, len(self.content)) and self.steps < 2 * MOST_EDGES + MOST_NODES:
            number, held = struct.unpack_from("<H6xQ", self.content, here)
            if number == 0:
                break
            found.setdefault(number, (here + 16, held))
            here += 16 + (held + 7) // 8 * 8
            self.steps += 1
        return found

    def notes(self, group: Any, place: str) -> dict[str, Any]:
        """What is known of the metadata; the rest is not opened."""
        if not isinstance(group, h5py.Group):
            return {}
        found: dict[str, Any] = {}
        for name in sorted(set(NOTES) & set(group)):
            where = f"{place}, metadata {name!r}"
            if not isinstance(group.get(name, getlink=True), h5py.HardLink) or group.get(name, getclass=True) is not h5py.Dataset:
                refuse("link", where, "it", "is a link or a group, not a dataset", "store a number or a text")
            data = group[name]
            found[name] = self.numbers(data, where) if data.dtype.kind in "fiu" else self.text(data, where)
        return found


def checked(kind: str, values: dict[str, NDArray[Any]], notes: Mapping[str, Any], place: str) -> Node:
    """A node whose numbers are finite, in range and of shapes that fit each other."""
    for name, array in values.items():
        where = f"{place} ({kind}), {name!r}"
        if array.size == 0 or not np.isfinite(array).all():
            refuse("value", where, f"{array!r:.60}", "is empty or not finite", "give finite numbers")
        positive = name.startswith("tau") or name == "shape"
        if (positive and np.min(array) <= 0) or (name == "delay" and np.min(array) < 0):
            refuse("value", where, f"{np.min(array)}", "it must be positive" if positive else "it must not be negative", "correct it")
    filled = {**{n: np.asarray(v) for n, v in _DEFAULTS.get(kind, {}).items() if n not in values}, **values}
    shapes = {v.shape for n, v in filled.items() if n not in ("weight", "bias", "shape") and v.ndim}
    where, most = f"{place} ({kind})", MOST_BYTES // 8
    if "weight" in values and values["weight"].ndim != 2:
        dims = f"weights of {values['weight'].ndim} dimensions"
        refuse("shape", where, dims, "weights are one matrix (outputs, inputs)", "flatten the rest")
    if "bias" in values and values["bias"].shape != values["weight"].shape[:1]:
        refuse("shape", where, f"a bias of shape {values['bias'].shape}", f"the weights have shape {values['weight'].shape}", "give one per output")
    if "shape" in values and (values["shape"].ndim > 1 or math.prod(values["shape"].ravel().tolist()) > most):
        refuse("size", where, f"the shape {values['shape']!r:.60}", f"a signal has at most {most} channels", "make it smaller")
    if len(shapes) > 1:
        refuse("shape", where, f"fields of shapes {sorted(shapes)}", "all fields of a node have one shape", "give one value per unit in each")
    return Node(kind=kind, values=filled, notes=notes)


def store(graph: Graph, path: str | os.PathLike[str]) -> None:
    """Write a graph; a file that is there is replaced at the end, and stays as it was if anything fails."""
    file = Path(os.fsdecode(path))
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as root:
        root["version"] = _fixed(VERSION)
        _put(root.create_group("node"), graph)
    try:
        replaced({file: buffer.getvalue()})
    except OSError as error:
        remedy = "free space, get permission or choose another path"
        raise NirError("file", str(file), "the file", f"not written ({error.strerror or error})", remedy) from error


def _fixed(value: str) -> NDArray[np.bytes_]:
    return np.array(value.encode())


def _put(group: Any, part: Node | Graph) -> None:
    group["type"] = _fixed(part.kind if isinstance(part, Node) else "NIRGraph")
    for name, note in part.notes.items():
        group.create_dataset(f"metadata/{name}", data=_fixed(note) if isinstance(note, str) else note)
    if isinstance(part, Node):
        for name, array in part.values.items():
            group.create_dataset(name, data=array, **({"compression": "gzip"} if array.ndim else {}))
        return
    group["edges"] = np.array([[a.encode(), b.encode()] for a, b in part.edges] or np.zeros((0, 2), "S1"))
    for name, node in part.nodes.items():
        _put(group.create_group(f"nodes/{name}"), node)
