"""Spikes from wherever they are, as samples: recordings, arrays of times, text, NumPy's files, Neo's objects and files."""

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bioneuro import units
from bioneuro.classify.arrays import read_npy, read_npz, words_as_rows
from bioneuro.classify.neo_objects import FORMATS, is_neo, of_neo, read_neo
from bioneuro.classify.rows import ReadError, Rows, Samples, samples_from
from bioneuro.classify.table import read_text
from bioneuro.classify.words import one_time
from bioneuro.files import load
from bioneuro.recording import Recording

LARGEST = 200_000_000
"""Bytes of the largest file that is read, also when unpacked."""

TEXTS = (".csv", ".tsv", ".txt")


def spikes_of(
    source: Any, *, unit: str = "", dt: Any = "0.1 ms", stop: Any = None, label: str = "label", labels: Any = None, population: str = "source"
) -> Recording:
    """Spikes as a recording whose trials are samples and whose condition ``label`` numbers their classes from 0.

    Arguments:
        source: one of

            * spike times: one row, a list of rows (a trial each), or a list of lists of rows (trials, units), with their unit
              (``[0.1, 0.2]*second``, ``["3 ms"]``) or as plain numbers in `unit`; ``[]`` is silence;
            * words, an array of 0 and 1, (unit, bin) or (trial, unit, bin), whose bins are `dt` wide;
            * a file: ``.csv``, ``.tsv``, ``.txt`` (see `bioneuro.classify.table`), ``.npz``, ``.npy`` (see `bioneuro.classify.arrays`), ``.nc`` (a
              recording), or one that Neo reads (`bioneuro.classify.neo_objects.FORMATS`);
            * Neo's objects: a Block or Segments (a trial each), a Segment, or a list of SpikeTrains;
            * a recording, which is given back.
        unit: of times that come without one.
        dt: step to which times are rounded; smaller than any interval between two spikes of a unit.
        stop: end of the observation; by default what the source says, else its last spike, and the notes of the recording say so.
        label: column, array or annotation that holds the class of each trial.
        labels: the class of each trial, where the source does not say it.
        population: what the units are called.

    Raises:
        ReadError: the source is not of these forms; it names the place, the value, what is allowed and the remedy. UnitError: a wrong unit.

    >>> spikes_of([[[1, 4], [2]], [[], [3]]], unit="ms", stop="5 ms", labels=["a", "b"]).spikes["source"].counts.tolist()
    [[2, 1], [0, 1]]
    """
    return samples_of(source, unit=unit, dt=dt, stop=stop, label=label, labels=labels, population=population).recording


def samples_of(
    source: Any, *, unit: str = "", dt: Any = "0.1 ms", stop: Any = None, label: str = "label", labels: Any = None, population: str = "source"
) -> Samples:
    """As `spikes_of`, with the names that the source gives to neurons and classes."""
    if isinstance(source, str | os.PathLike):
        file = Path(source)
        if file.suffix.lower() == ".nc":
            return _of_recording(load(file), population)
        rows = _of_file(file, unit, dt, label)
    elif isinstance(source, Recording):
        if labels is not None:
            raise ReadError("recording: it is given back as it is, so labels= has no effect; put them into its conditions, with dataclasses.replace")
        return _of_recording(source, population)
    elif is_neo(source):
        rows = of_neo(source, label)
    else:
        rows = _of_arrays(source.detach().cpu().numpy() if hasattr(source, "detach") else source, unit, dt)
    if labels is not None:
        given = np.asarray(labels)
        if given.shape != (rows.trials,):
            raise ReadError(f"{rows.place}: labels of shape {given.shape} for {rows.trials} trials; give one per trial")
        rows = dataclasses.replace(rows, conditions={**rows.conditions, label: given.tolist()})
    return samples_from(rows, dt=dt, stop=stop, label=label, population=population)


def _of_recording(seen: Recording, population: str) -> Samples:
    name = population if population in seen.spikes or len(seen.spikes) != 1 else next(iter(seen.spikes))
    if name not in seen.spikes:
        raise ReadError(f"recording: no spikes of {name!r}; there are those of {', '.join(sorted(seen.spikes)) or 'nothing'}; give population=")
    kinds = np.unique(seen.conditions["label"].values).tolist() if "label" in seen.conditions else []
    neurons = tuple(map(str, range(seen.spikes[name].size)))
    return Samples(recording=seen, population=name, neurons=neurons, classes=tuple(f"{kind:g}" for kind in kinds))


def _of_file(file: Path, unit: str, dt: Any, label: str) -> Rows:
    suffix = file.suffix.lower()
    known = [*TEXTS, ".npz", ".npy", ".nc", *FORMATS]
    if suffix not in known:
        raise ReadError(f"{file}: the suffix {suffix!r} is not known; allowed: {', '.join(known)}")
    if not file.is_file():
        raise ReadError(f"{file}: is not a file; give the path of one")
    try:
        size = file.stat().st_size
        if size > LARGEST:
            raise ReadError(f"{file}: has {size} bytes; allowed: {LARGEST}; cut it into several")
        if suffix in FORMATS:
            return read_neo(file, label)
        with file.open("rb") as stream:
            content = stream.read(LARGEST + 1)
    except OSError as error:
        raise ReadError(f"{file}: cannot be read: {error.strerror}; give a file that you may read") from None
    if len(content) > LARGEST:
        raise ReadError(f"{file}: has more than {LARGEST} bytes; cut it into several")
    if suffix in TEXTS:
        return read_text(file, content, unit)
    step = one_time(dt, f"{file}: dt")
    scale = _scale(unit, str(file)) if unit else None
    return read_npy(file, content, scale, step) if suffix == ".npy" else read_npz(file, content, scale, step, LARGEST)


def _scale(unit: str, place: str) -> float:
    known = units.unit(unit)
    if known.dimensions != units.unit("second").dimensions:
        raise ReadError(f"{place}: {unit!r} is no unit of time; give for example 'ms'")
    return known.scale


def _of_arrays(source: Any, unit: str, dt: Any) -> Rows:
    if isinstance(source, np.ndarray) and source.ndim in (2, 3) and source.dtype.kind in "bui":
        return words_as_rows("words", source, one_time(dt, "words: dt"), {})
    scale = _scale(unit, "spike times") if unit else None
    depth = _depth(source)
    if depth > 2:
        raise ReadError("spike times: lists within lists within lists; give a row of times, a list of rows, or a list of lists of rows")
    trials: list[Sequence[Any]] = [[source]] if depth == 0 else [[row] for row in source] if depth == 1 else [_units(rows) for rows in source]
    sizes = sorted({len(rows) for rows in trials})
    if len(sizes) != 1 or not sizes[0]:
        raise ReadError(f"spike times: trials have {sizes} units; give a row of times for each unit of each trial, [] for a silent one")
    found = [_row(row, scale, f"spike times: trial {k}, unit {j}") for k, rows in enumerate(trials) for j, row in enumerate(rows)]
    index = np.repeat(np.arange(len(found)), [row.size for row in found])
    names = tuple(map(str, range(sizes[0])))
    time = np.concatenate(found)
    return Rows(place="spike times", time=time, trial=index // sizes[0], unit=index % sizes[0], trials=len(trials), neurons=names)


def _depth(source: Any) -> int:
    """0 for a row of times, 1 for a list of rows, 2 for a list of lists of rows."""
    if isinstance(source, np.ndarray) and source.dtype != object and not hasattr(source, "dim"):
        return int(source.ndim) - 1 if source.ndim else 0
    if not isinstance(source, list | tuple) or not any(isinstance(x, list | tuple) or np.ndim(x) for x in source):
        return 0
    return 1 + max(_depth(x) for x in source)


def _units(rows: Any) -> list[Any]:
    """The rows of one trial; a lone row is that of its one unit."""
    return list(rows) if _depth(rows) or not len(rows) else [rows]


def _row(row: Any, scale: float | None, place: str) -> NDArray[np.float64]:
    if not hasattr(row, "dim") and not isinstance(row, str) and np.size(row) == 0:
        return np.empty(0)
    found, dims = units.si(row, place)
    found = np.atleast_1d(found)
    if found.ndim != 1:
        raise ReadError(f"{place}: times have shape {found.shape}; give one row")
    if dims == units.unit("second").dimensions:
        return found
    if dims != units.DIMENSIONLESS or scale is None:
        raise ReadError(f"{place}: {row!r:.60} are no times with a unit; give for example unit='ms'")
    return found * scale
