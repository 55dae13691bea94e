"""Spikes from Neo's objects and, where Neo is installed, from files that it reads. Neo is not imported before a file asks for it."""

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bioneuro.classify.rows import ReadError, Rows

FORMATS = {
    ".mat": "NeoMatlabIO",
    ".nev": "BlackrockIO",
    ".nex": "NeuroExplorerIO",
    ".nix": "NixIO",
    ".plx": "PlexonIO",
    ".smr": "Spike2IO",
}
"""Suffix -> the class of neo.io that reads it. Formats whose readers unpickle or evaluate what a file says are left out."""


def is_neo(source: Any) -> bool:
    """Whether it is one of Neo's objects, or a list of them."""
    if isinstance(source, list | tuple):
        return bool(source) and is_neo(source[0])
    return any(cls.__module__.partition(".")[0] == "neo" for cls in type(source).__mro__)


def of_neo(source: Any, label: str, place: str = "neo") -> Rows:
    """The spikes of a Block or a list of Segments (each a trial), a Segment, or a list of SpikeTrains (of one trial).

    Times are counted from the start of each train; the label of a trial is an annotation of its segment. Unit k is the k-th train.

    Raises:
        ReadError: trials of other numbers of trains or other lengths, some of them without a label, or an object without spike trains.
    """
    trials = _trials(source, place)
    sizes = sorted({len(trains) for trains, _ in trials})
    if len(sizes) != 1 or not sizes[0]:
        raise ReadError(f"{place}: trials have {sizes} spike trains; give as many in each, at least one, also of silent neurons")
    times, trial, unit, lengths = [], [], [], []
    for k, (trains, _) in enumerate(trials):
        for j, train in enumerate(trains):
            start, stop = (float(getattr(train, name).rescale("s").magnitude) for name in ("t_start", "t_stop"))
            found = np.atleast_1d(np.asarray(train.rescale("s").magnitude, np.float64)) - start
            times.append(found)
            trial.append(np.full(found.size, k))
            unit.append(np.full(found.size, j))
            lengths.append(stop - start)
    if max(lengths) - min(lengths) > 1e-9 * max(lengths):
        raise ReadError(f"{place}: spike trains last from {min(lengths):g} s to {max(lengths):g} s; cut them to one length with time_slice")
    return Rows(
        place=place,
        time=np.concatenate(times),
        trial=np.concatenate(trial).astype(np.int64),
        unit=np.concatenate(unit).astype(np.int64),
        trials=len(trials),
        neurons=tuple(str(getattr(train, "name", None) or k) for k, train in enumerate(trials[0][0])),
        conditions=_labels([about for _, about in trials], label, place),
        stop=lengths[0],
    )


def read_neo(file: Path, label: str) -> Rows:
    """The spikes in a file that Neo reads; all of its blocks are one data set.

    Raises:
        ReadError: Neo is not installed, knows no such format, or cannot read the file.
    """
    name = FORMATS[file.suffix.lower()]
    try:
        reader = getattr(importlib.import_module("neo.io"), name)
    except ImportError:
        raise ReadError(f"{file}: files of this format are read by Neo, which is not installed; pip install neo") from None
    try:
        blocks = reader(str(file)).read()
    except Exception as error:  # readers of many formats fail in many ways
        raise ReadError(f"{file}: neo.io.{name} cannot read it ({error!r:.200}); is it whole, and is what Neo needs for it installed?") from error
    return of_neo([segment for block in blocks for segment in block.segments], label, str(file))


def _trials(source: Any, place: str) -> list[tuple[Sequence[Any], dict[str, Any]]]:
    """(spike trains, annotations) of every trial."""
    if hasattr(source, "segments"):
        return _trials(list(source.segments), place)
    if hasattr(source, "spiketrains"):
        return [(list(source.spiketrains), dict(source.annotations))]
    items = list(source) if isinstance(source, list | tuple) or type(source).__name__ in ("ObjectList", "SpikeTrainList") else [source]
    if items and all(type(one).__name__ == "SpikeTrain" for one in items):
        return [(items, {})]
    found = [trial for one in items if hasattr(one, "spiketrains") or hasattr(one, "segments") for trial in _trials(one, place)]
    if not found or not all(hasattr(one, "spiketrains") or hasattr(one, "segments") for one in items):
        kinds = sorted({type(one).__name__ for one in items})
        raise ReadError(f"{place}: {', '.join(kinds) or 'nothing'}; give a Block, Segments or SpikeTrains, all of one kind, at least one")
    return found


def _labels(annotations: list[dict[str, Any]], label: str, place: str) -> dict[str, list[str]]:
    """The annotation `label` of every trial, if there is one."""
    said = [about.get(label) for about in annotations]
    if all(one is None for one in said):
        return {}
    if any(one is None or np.ndim(one) for one in said):
        k = next(k for k, one in enumerate(said) if one is None or np.ndim(one))
        raise ReadError(f"{place}: segment {k} has {label!r} = {said[k]!r:.40}; annotate every segment with one value, segment.annotate({label}=...)")
    return {label: [str(one) for one in said]}
