"""The recordings of an experiment: made by Brian2, or kept from an earlier run of the very same thing.

An experiment is a table of tasks, name -> (circuit, protocol). Each is written as soon as it is done, so an experiment that was stopped
goes on where it was. A recording is kept if circuit, protocol, seed, engine and versions are the same, and so is the source of this package.
"""

import dataclasses
import functools
import hashlib
import importlib
from collections.abc import Callable, Mapping
from pathlib import Path

from bioneuro import brian
from bioneuro.files import FileError, load, save
from bioneuro.model import Circuit
from bioneuro.protocol import Protocol
from bioneuro.recording import Recording
from bioneuro.script import Options, unused

Tasks = Mapping[str, tuple[Circuit, Protocol]]
Summary = Callable[[str, Circuit, Recording], str]


def record(options: Options, tasks: Tasks, says: Summary | None = None) -> Path:
    """Run every task and save it as ``<folder>/<name>.nc``; return the folder, which is `options.out` without its suffix.

    Arguments:
        says: (name, circuit, recording) -> a line to print; by default the name and the number of trials.

    Raises:
        ModelError: a value of ``--set`` fits none of the circuits.
    """
    folder = options.out.with_suffix("")
    unused(options, [circuit for circuit, _ in tasks.values()])
    for n, (name, (circuit, protocol)) in enumerate(tasks.items(), 1):
        path = folder / f"{name}.nc"
        seen = kept(path, circuit, protocol, options)
        old = seen is not None
        if seen is None:
            seen = brian.simulate(circuit, protocol, seed=options.seed, target=options.engine, progress=options.progress)
            seen = dataclasses.replace(seen, provenance=dataclasses.replace(seen.provenance, notes=(*seen.provenance.notes, _note())))
            save(seen, path)
        line = says(name, circuit, seen) if says else f"{name}: {seen.n_trials} trials"
        print(f"[{n}/{len(tasks)}] {line}{'  (kept)' if old else ''}", flush=True)
    return folder


def kept(path: Path, circuit: Circuit, protocol: Protocol, options: Options) -> Recording | None:
    """The recording at `path`, if it is what this task would give again."""
    try:
        seen = load(path)
    except (FileError, OSError):
        return None
    found = seen.provenance
    same = (found.circuit, found.protocol, found.seed, found.engine) == (circuit.digest, protocol.digest, options.seed, options.engine)
    versions = {name: importlib.import_module(name).__version__ for name in found.versions}
    return seen if same and _note() in found.notes and dict(found.versions) == versions else None


@functools.cache
def _note() -> str:
    """The source of this package in a few letters: a version number does not change with every line of it."""
    root = Path(__file__).parent
    whole = hashlib.sha256()
    for path in sorted(p for p in root.rglob("*") if p.suffix in (".py", ".h", ".cpp") or p.name == "makefile"):
        whole.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return f"bioneuro source {whole.hexdigest()[:16]}"
