"""Recordings on disk: NetCDF4 that other programs read, written completely or not at all, verified before it is read.

A recording is two files: ``x.nc`` and, written last, ``x.nc.sha256`` (``sha256sum -c`` checks it too). No sidecar, or one that does not
match, means not done, and `load` refuses. While a file is replaced, and after a crash between the two renames, the old sidecar stands
beside new data that it does not match: a reader sees the old recording, a refusal or the new recording, never a mixture.

What a file says is data: nothing in it is evaluated or unpickled, no link is followed. The sidecar finds damage, not malice: who can
write the file can write the sidecar.

Values are in SI (``units``); ``shown_in`` is the unit that the recording or coordinate names. Variables: a trace
``<object>.<state> (trial, time, <object>_unit)``, its ``times (trial, time)``, each coordinate ``(trial)``; of spikes, the time steps
``spikes.<name>.steps (<name>_spike)`` and where those of each (trial, unit) start, ``spikes.<name>.offsets (<name>_offset)``.
"""

import hashlib
import io
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import h5netcdf
import h5py
import numpy as np
import xarray
from numpy.typing import NDArray

from bioneuro import units
from bioneuro.disk import replaced
from bioneuro.protocol import Coordinate
from bioneuro.recording import Provenance, Recording, Train

FORMAT = 1  # of the layout, in the attribute bioneuro_format
# NetCDF has no booleans: they are |i1 with the attribute dtype = "bool", as xarray writes them.
DTYPES = frozenset({"<f8", "<f4", "<i8", "<i4", "<i2", "|i1", "<u8", "<u4", "<u2", "|u1"})
_NAME = re.compile(r"[^\W_][\w.+-]{0,99}")  # NetCDF has no "/"; the names of coordinates are listed with spaces between them
_AGAIN = "run again what wrote it, or copy it anew together with its sidecar"


class FileError(ValueError):
    """A file cannot be written, or cannot be trusted; the message names the file, what is wrong and the remedy."""


class _Flaw(Exception):
    """What is wrong and the remedy, where the file is not known."""


def save(recording: Recording, path: str | os.PathLike[str]) -> None:
    """Write a recording to ``path`` (ending in ``.nc``) and its SHA-256 to ``path`` + ``.sha256``; missing folders are made.

    What was there is replaced at the end, and stays as it was if anything fails. A killed process may leave files
    ``.bioneuro-*.tmp`` in the folder; they can be deleted.

    Arguments:
        recording: of NumPy arrays; one from the twin is saved as ``recording.detached()``.

    Errors:
        FileError: the recording is not of plain NumPy arrays or contradicts itself, the name does not end in ``.nc``, or writing failed.

    >>> import tempfile
    >>> window = Recording(
    ...     traces={"calcium.rho": np.full((2, 1, 1), 0.5)}, times=np.ones((2, 1)), units={"calcium.rho": "1"}, spikes={},
    ...     conditions={"lag": Coordinate(values=np.array([-0.01, 0.01]), unit="ms")},
    ...     provenance=Provenance(circuit="", protocol="", seed=1, engine="numpy"))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(window, f"{folder}/window.nc")
    ...     load(f"{folder}/window.nc").conditions["lag"].shown
    array([-10., 10.])
    """
    file = _checked(path)
    try:
        content = _netcdf(_dataset(recording))
        replaced(dict([(file, content), _sidecar(file, content)]))
    except _Flaw as flaw:
        raise FileError(f"{file}: not written: {flaw}") from None
    except OSError as error:
        raise FileError(f"{file}: not written: {error.strerror or error}; free space, get permission or choose another folder") from error


def load(path: str | os.PathLike[str]) -> Recording:
    """The recording that `save` wrote to ``path``, bit for bit.

    Errors:
        FileError: there is no such file or no sidecar, the two do not match, or the file is not a well-formed recording.
    """
    file = _checked(path)
    content = _verified(file)  # the bytes that were verified are the bytes that are parsed
    try:
        with h5py.File(io.BytesIO(content), "r") as root:
            return _read(root, len(content))
    except _Flaw as flaw:
        raise FileError(f"{file}: not a recording that can be trusted: {flaw}; {_AGAIN}") from None
    except Exception as error:  # h5py reports a malformed file by many types
        raise FileError(f"{file}: cannot be read as NetCDF4 ({error!r:.200}); {_AGAIN}") from error


def to_xarray(recording: Recording) -> xarray.Dataset:
    """What ``xarray.open_dataset(path, engine="h5netcdf")`` gives after `save`; the arrays are shared with the recording.

    Errors:
        FileError: the recording is not of plain NumPy arrays or contradicts itself.
    """
    try:
        return _dataset(recording)
    except _Flaw as flaw:
        raise FileError(f"recording: no dataset can be made: {flaw}") from None


def _dataset(recording: Recording) -> xarray.Dataset:
    """What the file holds; the only judge of what is well formed, before writing and after reading."""
    detached = not recording.raster and not any(hasattr(trace, "detach") for trace in recording.traces.values())
    _require(detached, "it holds torch arrays with their gradient; save recording.detached()")
    _require(set(recording.units) == set(recording.traces), "units and traces do not have the same names; give every trace its unit")
    entries = list(_entries(recording))
    dims = {dim for _, its, _, _ in entries for dim in its}
    for name, its, _, _ in entries:
        _require(_NAME.fullmatch(name) is not None, f"the name {name!r:.99} is not of letters, digits and '_.+-'; rename it")
        _require(name not in dims or its == (name,), f"{name!r} is the name of a dimension too; rename it")
    _require(len({name for name, *_ in entries}) == len(entries), "two variables have one name; rename a coordinate")
    names = {"conditions": list(recording.conditions), "traces": list(recording.traces), "spikes": list(recording.spikes)}
    attrs = {"bioneuro_format": FORMAT, "contents": json.dumps(names), "provenance": _provenance_text(recording.provenance)}
    _require(max(map(len, map(str, attrs.values()))) < 60_000, "names or provenance fill 60 kB, more than HDF5 takes; shorten the notes")
    try:
        data = xarray.Dataset({name: (its, values, about) for name, its, values, about in entries}, attrs=attrs)
    except ValueError as error:  # xarray compares the lengths of dimensions
        raise _Flaw(f"{error}; make the shapes agree") from None
    for name, train in recording.spikes.items():
        size = data.sizes.get(f"{name}_unit", train.size)
        _require(size == train.size, f"{name!r} has spikes of {train.size} units and traces of {size}; make them agree")
    return data.set_coords(["times", *recording.conditions])


def _entries(recording: Recording) -> Iterator[tuple[str, tuple[str, ...], NDArray[Any], dict[str, Any]]]:
    """Name, dimensions, values and attributes of every variable."""
    _plain("times", recording.times, ("trial", "time"), np.float64)
    _require(recording.times.size > 0 and bool(np.isfinite(recording.times).all()), "times are empty or not finite; give finite times")
    yield "times", ("trial", "time"), recording.times, {"units": "second", "long_name": "reading time"}
    for name, c in recording.conditions.items():
        _plain(name, c.values, ("trial",))
        _require(bool(np.isfinite(c.values).all()), f"coordinate {name!r} has a value that is not finite; give finite numbers")
        yield name, ("trial",), c.values, _unit_attrs(c.unit, f"{name}, one value per trial")
    for name, values in recording.traces.items():
        owner, _, state = name.partition(".")
        _plain(name, values, ("trial", "time", f"{owner}_unit"))
        _require(values.size > 0, f"{name!r} has shape {values.shape}, which holds nothing; leave it out")
        yield name, ("trial", "time", f"{owner}_unit"), values, _unit_attrs(recording.units[name], f"{state} of {owner}")
    for name, train in recording.spikes.items():
        _check_train(name, train, recording.n_trials)
        about = {"units": "1", "long_name": f"time step of the spikes of {name}", "size": int(train.size), "dt": float(train.dt)}
        yield f"spikes.{name}.steps", (f"{name}_spike",), train.steps, about
        about = {"units": "1", "long_name": f"first spike of (trial, unit) of {name}, at trial*size + unit"}
        yield f"spikes.{name}.offsets", (f"{name}_offset",), train.offsets, about


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise _Flaw(what)


def _plain(name: str, values: Any, dims: tuple[str, ...], dtype: Any = None) -> None:
    """Only arrays of NumPy's own class: a mask or a unit would be lost without a word."""
    _require(type(values) is np.ndarray, f"{name!r} is {type(values).__name__}, not a plain NumPy array; convert it with numpy.asarray")
    _require(values.ndim == len(dims), f"{name!r} has shape {values.shape}, expected ({', '.join(dims)}); reshape it")
    expected = {np.dtype(d).newbyteorder("<") for d in ([dtype] if dtype else ["|b1", *DTYPES])}
    allowed = ", ".join(sorted(map(str, expected)))
    _require(values.dtype.newbyteorder("<") in expected, f"{name!r} has type {values.dtype}, expected {allowed}; convert it")


def _check_train(name: str, train: Train, n_trials: int) -> None:
    steps, offsets, rows = train.steps, train.offsets, n_trials * train.size + 1
    _plain(f"spikes.{name}.steps", steps, ("spike",), np.int64)
    _plain(f"spikes.{name}.offsets", offsets, ("row",), np.int64)
    fits = train.size > 0 and offsets.size == rows
    _require(fits, f"spikes of {name!r}: {offsets.size} offsets, expected trials*size + 1 = {rows}; use recording.train")
    rising = offsets[0] == 0 and offsets[-1] == steps.size and bool((offsets[1:] >= offsets[:-1]).all())
    _require(rising, f"spikes of {name!r}: offsets do not rise from 0 to {steps.size}, the number of spikes; use recording.train")
    falls = np.flatnonzero(steps[1:] < steps[:-1]) + 1
    _require(bool(np.isin(falls, offsets).all()), f"spikes of {name!r} are not in order of time; use recording.train")
    _require(bool(np.isfinite(train.dt)) and train.dt >= 0, f"spikes of {name!r}: dt is {train.dt}; give seconds per step")


def _unit_attrs(name: str, says: str) -> dict[str, str]:
    """Values are SI, so `units` is the SI unit even where they are shown in, say, ms."""
    try:
        unit = units.unit(name)
    except units.UnitError as error:
        raise _Flaw(str(error)) from None
    si = name if unit.scale == 1 else units.describe(unit.dimensions).replace("^", "**").replace(" ", "*")
    return {"units": "1" if si == "no*unit" else si, "shown_in": name, "long_name": says}


def _provenance_text(provenance: Provenance) -> str:
    plain = ((f.name, getattr(provenance, f.name)) for f in fields(Provenance))
    try:
        text = json.dumps({name: dict(value) if isinstance(value, Mapping) else value for name, value in plain})
        _require(_provenance(text) == provenance, "it would not come back as it is")
        return text
    except (TypeError, ValueError, RecursionError, _Flaw) as error:
        raise _Flaw(f"provenance: {error}; give it plain texts and finite numbers") from None


def _provenance(text: str) -> Provenance:
    said = json.loads(text)
    kinds = {"circuit": str, "protocol": str, "seed": int, "engine": str, "strict": bool, "versions": dict, "shifts": dict, "notes": list}
    _require(type(said) is dict and set(said) == set(kinds), f"its provenance has other fields than {', '.join(kinds)}")
    good = all(type(said[name]) is kind for name, kind in kinds.items())
    good = good and all(type(value) is str for value in (*said["versions"].values(), *said["notes"]))
    good = good and all(type(value) in (int, float) and np.isfinite(value) for value in said["shifts"].values())
    _require(good, "its provenance has a value of the wrong type")
    return Provenance(**{**said, "notes": tuple(said["notes"])})


def _netcdf(data: xarray.Dataset) -> bytes:
    """The file in memory, so that HDF5 never meets a full disk."""
    buffer = io.BytesIO()
    with h5netcdf.File(buffer, "w") as root:
        root.dimensions = dict(data.sizes)
        _attach(root, {**data.attrs, "coordinates": " ".join(map(str, data.coords))})
        for name, variable in data.variables.items():
            boolean = variable.dtype == np.bool_
            stored = np.dtype("|i1") if boolean else variable.dtype.newbyteorder("<")
            made = root.create_variable(name, variable.dims, stored, data=variable.values.astype(stored))
            _attach(made, {**variable.attrs, "dtype": "bool"} if boolean else variable.attrs)
    return buffer.getvalue()


def _attach(thing: Any, attrs: Mapping[str, Any]) -> None:
    """Texts have a fixed length, one more than needed: HDF5 can hang on a broken text of variable length, xarray takes one byte for bytes."""
    for name, value in attrs.items():
        text = isinstance(value, str)
        thing.attrs[name] = np.array(value.encode(), h5py.string_dtype("utf-8", len(value.encode()) + 1)) if text else value


def _checked(path: str | os.PathLike[str]) -> Path:
    file = Path(os.fsdecode(path))
    if not file.name.isprintable() or "\\" in file.name or "\0" in str(file):  # sha256sum would write such names in another way
        raise FileError(f"{str(file)!r}: not a name of printable characters without backslash; rename it")
    if file.suffix != ".nc" or os.path.isdir(file):
        raise FileError(f"{file}: {'does not end in .nc' if file.suffix != '.nc' else 'is a folder'}; name a file such as window.nc")
    return file


def _sidecar(file: Path, content: bytes) -> tuple[Path, bytes]:
    return file.with_name(file.name + ".sha256"), f"{hashlib.sha256(content).hexdigest()}  {file.name}\n".encode()


def _verified(file: Path) -> bytes:
    try:
        if not file.is_file():
            raise FileError(f"{file}: no such file; run the protocol that writes it, or correct the path")
        content = file.read_bytes()
        sidecar, expected = _sidecar(file, content)
        if not sidecar.is_file():
            raise FileError(f"{file}: has no {sidecar.name}, so it was not written completely; {_AGAIN}")
        found = sidecar.read_bytes()
    except OSError as error:
        raise FileError(f"{file}: cannot be read: {error.strerror or error}; get permission or correct the path") from error
    if found != expected:
        what = "speaks of another name: was it renamed?" if found[:64] == expected[:64] else "says another SHA-256: one is damaged or old"
        raise FileError(f"{file}: {sidecar.name} {what}; {_AGAIN}")
    return content


def _read(root: Any, limit: int) -> Recording:
    _require("bioneuro_format" in root.attrs, "it has no attribute bioneuro_format, so it is no recording")
    version = _attribute(root, "bioneuro_format", int)
    _require(version == FORMAT, f"its format is {version}, this version reads {FORMAT}; read it with the version that wrote it")
    said = json.loads(_attribute(root, "contents", str))
    conditions, traces, spikes = ([str(name) for name in said[part]] for part in ("conditions", "traces", "spikes"))
    steps, offsets = ({name: f"spikes.{name}.{part}" for name in spikes} for part in ("steps", "offsets"))
    arrays = _arrays(root, {"times", *conditions, *traces, *steps.values(), *offsets.values()}, limit)
    size, dt = ({p: _attribute(root[at], name, kind) for p, at in steps.items()} for name, kind in (("size", int), ("dt", float)))
    shown = {name: _attribute(root[name], "shown_in", str) for name in (*conditions, *traces)}
    recording = Recording(
        traces={name: arrays[name] for name in traces},
        times=arrays["times"],
        units={name: shown[name] for name in traces},
        spikes={p: Train(steps=arrays[steps[p]], offsets=arrays[offsets[p]], size=size[p], dt=dt[p]) for p in spikes},
        conditions={name: Coordinate(values=arrays[name], unit=shown[name]) for name in conditions},
        provenance=_provenance(_attribute(root, "provenance", str)),
    )
    data = _dataset(recording)
    _require(set(root) <= {*data.variables, *data.dims}, f"it has unexpected objects besides {', '.join(map(str, data.variables))}")
    for name, variable in data.variables.items():
        si = variable.attrs["units"]
        _require(_attribute(root[name], "units", str) == si, f"{name!r} is not in SI units, {si!r}")
    return recording


def _arrays(root: Any, names: set[str], limit: int) -> dict[str, NDArray[Any]]:
    """The variables called `names`, after a look at every object: no links, nothing but plain numbers, no more than the file holds."""
    _require(names <= set(root), f"{', '.join(sorted(names - set(root)))} is missing")
    for name in root:
        _require(isinstance(root.get(name, getlink=True), h5py.HardLink), f"{name!r} is a link, which is not followed")
        _require(root.get(name, getclass=True) is h5py.Dataset, f"{name!r} is not a variable")
    variables = {name: root[name] for name in names}
    for name, data in variables.items():
        _require(data.dtype.str in DTYPES, f"{name!r} has type {data.dtype}, allowed: {', '.join(sorted(DTYPES))}")
        inside = not data.external and not data.is_virtual and data.id.get_create_plist().get_nfilters() == 0
        _require(inside and data.id.get_storage_size() == data.nbytes, f"{name!r} is not stored whole and plain in the file")
    _require(sum(data.nbytes for data in variables.values()) <= limit, f"it says to hold more than its {limit} bytes")
    arrays = {name: np.asarray(data[()], data.dtype.newbyteorder("=")) for name, data in variables.items()}
    for name in (n for n in names if "dtype" in variables[n].attrs):
        values, arrays[name] = arrays[name], arrays[name].astype(np.bool_)
        boolean = _attribute(variables[name], "dtype", str) == "bool" and np.array_equal(values, arrays[name])
        _require(boolean, f"{name!r} says to be boolean and is not")
    return arrays


def _attribute(thing: Any, name: str, kind: type) -> Any:
    said = thing.attrs.get_id(name) if name in thing.attrs else None
    plain = said is not None and said.shape in ((), (1,)) and said.dtype.kind in "Sif"  # others are not even read
    value = np.asarray(thing.attrs[name]).item() if plain else None
    value = value.decode() if isinstance(value, bytes) else value
    _require(type(value) is kind, f"{thing.name}: the attribute {name!r} is missing or not one {kind.__name__}")
    return value
