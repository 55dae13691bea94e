"""Spikes in NumPy's files, without running anything that a file says: arrays of plain numbers and texts, and nothing else.

An ``.npz`` holds ``time`` (s, or in the unit asked for), ``neuron`` and ``trial`` (numbers from 0, one for each spike), or ``words`` (0 or 1, shape
(trial, unit, bin)) in place of the three; and, if known, arrays with a value per trial, such as ``label``, and the single number ``stop``.
An ``.npy`` holds words, or the times of one train.
"""

import io
import math
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from bioneuro.classify.rows import ReadError, Rows

MEMBERS = 64
"""Arrays in the largest ``.npz``."""


def read_npy(file: Path, content: bytes, scale: float | None, step: float) -> Rows:
    """The spikes in an ``.npy``."""
    found = _array(str(file), content)
    known = {"time" if found.dtype.kind == "f" and found.ndim == 1 else "words": found}
    return _rows(str(file), known, scale, step)


def read_npz(file: Path, content: bytes, scale: float | None, step: float, largest: int) -> Rows:
    """The spikes in an ``.npz``.

    Arguments:
        scale: of times, seconds per unit; None if no unit is known. step: seconds per bin of words. largest: bytes when unpacked.

    Raises:
        ReadError: no well-formed archive, an array of objects, other lengths, numbers that are none.
    """
    found = {}
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            if len(entries) > MEMBERS or sum(entry.file_size for entry in entries) > largest:
                _refuse(file, f"holds {len(entries)} arrays of {sum(e.file_size for e in entries)} bytes; allowed: {MEMBERS} of {largest} in all")
            for entry in entries:
                name = entry.filename.removesuffix(".npy")
                if name == entry.filename or not name.isidentifier() or name in found:
                    _refuse(file, f"holds {entry.filename!r:.60}, which is no array with a name of its own; write it with numpy.savez")
                found[name] = _array(f"{file}: {name}", archive.read(entry))
    except ReadError:
        raise
    except Exception as error:  # a damaged archive fails in many ways
        raise ReadError(f"{file}: is no whole .npz ({error!r:.100}); write it again with numpy.savez") from None
    return _rows(str(file), found, scale, step)


def words_as_rows(place: str, words: NDArray[Any], step: float, conditions: Mapping[str, Any]) -> Rows:
    """Spikes of words (unit, bin) or (trial, unit, bin): a spike in bin k is at k steps."""
    if words.dtype.kind not in "bui" or words.ndim not in (2, 3) or not np.isin(words, (0, 1)).all():
        raise ReadError(f"{place}: words of type {words.dtype} and shape {words.shape}; give 0 and 1, shape (unit, bin) or (trial, unit, bin)")
    whole = words[None] if words.ndim == 2 else words
    trial, unit, at = np.nonzero(whole)
    names, time, stop = tuple(map(str, range(whole.shape[1]))), np.asarray(at * step, np.float64), whole.shape[2] * step
    return Rows(place=place, time=time, trial=trial, unit=unit, trials=whole.shape[0], neurons=names, conditions=conditions, stop=stop)


def _refuse(place: Any, what: str) -> NoReturn:
    raise ReadError(f"{place}: {what}")


def _array(place: str, content: bytes) -> NDArray[Any]:
    """The array in an ``.npy``, whose data are as long as its head says."""
    stream = io.BytesIO(content)
    try:
        version = np.lib.format.read_magic(stream)
        read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}.get(version)
        if read is None:
            raise ValueError(f"version {version}")
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # such as of a head that Python 2 wrote
            shape, by_columns, dtype = read(stream)
    except Exception as error:  # a head is text that NumPy parses, and fails at in many ways
        raise ReadError(f"{place}: no array in NumPy's format 1 or 2 ({error!r:.100}); write it with numpy.save") from None
    if dtype.hasobject or dtype.kind not in "biufU":
        _refuse(place, f"holds {dtype}, allowed: numbers and texts; objects are never unpickled, give an array of times and one of neurons")
    if any(n < 0 for n in shape) or math.prod(shape) * dtype.itemsize != len(content) - stream.tell():
        _refuse(place, f"says shape {shape} of {dtype}, but {len(content) - stream.tell()} bytes follow; it was cut, copy it anew")
    return np.frombuffer(content, dtype, offset=stream.tell()).reshape(shape, order="F" if by_columns else "C")


def _rows(place: str, found: dict[str, NDArray[Any]], scale: float | None, step: float) -> Rows:
    spikes: dict[str, NDArray[Any]] = {name: found.pop(name) for name in ("time", "neuron", "trial") if name in found}
    words, stop = found.pop("words", None), found.pop("stop", None)
    conditions = {name: values.tolist() for name, values in found.items()}
    lengths = {name: values.shape for name, values in found.items()}
    if (words is None) == ("time" not in spikes):
        held = sorted([*spikes, *found, *["words"] * (words is not None)])
        _refuse(place, f"holds {held}; give either 'time' with 'neuron' and 'trial', or 'words'")
    if words is not None:
        made = words_as_rows(place, words, step, conditions)
    else:
        if scale is None:
            _refuse(place, "times have no unit; give unit=, such as unit='ms'")
        made = _spikes(place, spikes, scale, lengths, conditions)
    if wrong := [name for name, shape in lengths.items() if shape != (made.trials,)]:
        _refuse(place, f"{wrong[0]!r} has shape {lengths[wrong[0]]}, but there are {made.trials} trials; give one value per trial")
    if stop is None:
        return made
    if stop.shape not in ((), (1,)) or stop.dtype.kind not in "iuf" or not np.isfinite(stop).all() or words is not None:
        _refuse(place, f"'stop' has shape {stop.shape} and type {stop.dtype}; give one finite number, and none beside words")
    return Rows(**{**vars(made), "stop": float(stop.reshape(())) * (scale or 1.0)})


def _spikes(place: str, spikes: dict[str, NDArray[Any]], scale: float, lengths: dict[str, Any], conditions: Mapping[str, Any]) -> Rows:
    time = spikes["time"]
    if time.ndim != 1 or time.dtype.kind not in "iuf" or any(other.shape != time.shape for other in spikes.values()):
        shapes = {name: values.shape for name, values in spikes.items()}
        _refuse(place, f"shapes {shapes}, times of type {time.dtype}; give one row of numbers for each, equally long")
    numbers = {name: spikes.get(name, np.zeros(time.shape, np.int64)) for name in ("neuron", "trial")}
    for name, values in numbers.items():
        if values.dtype.kind not in "iu" or (values.size and not 0 <= int(values.min()) <= int(values.max()) < 2**31):
            _refuse(place, f"{name!r} holds {values.dtype}; allowed: whole numbers from 0")
    neuron, trial = (numbers[name].astype(np.int64) for name in ("neuron", "trial"))
    trials = max([int(trial.max(initial=0)) + 1, *(shape[0] for shape in lengths.values() if len(shape) == 1)])
    size = int(neuron.max(initial=0)) + 1
    if size > 1_000_000:
        _refuse(place, f"'neuron' goes up to {size - 1}; allowed: 999999; number the neurons from 0")
    names = tuple(map(str, range(size)))
    return Rows(place=place, time=time.astype(np.float64) * scale, trial=trial, unit=neuron, trials=trials, neurons=names, conditions=conditions)
