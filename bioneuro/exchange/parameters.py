"""The numbers of a circuit on disk: written completely or not at all, verified before they are used, and never code.

A parameter file is two files. ``x.safetensors`` holds the numbers: parameters and initial values, float64, SI, by placed name, such as
``calcium.gamma_p``. ``x.json``, written last, says what they are: the model of the catalogue, and for every number its unit, bounds, meaning,
source and whether it was fitted; besides, the SHA-256 of the numbers and of itself. Two files that do not belong together are refused:
while a pair is replaced, and after a crash between the two renames, a reader sees the old pair, a refusal or the new pair.

Equations are not in it. They come from the catalogue or from the caller's circuit, whose `skeleton`, the digest of all but numbers, must be
that of the circuit that was saved. The SHA-256 find damage, not malice, so everything is checked as if they were not there.
"""

import hashlib
import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

import bioneuro
from bioneuro import catalogue, units
from bioneuro.disk import replaced
from bioneuro.exchange import pair
from bioneuro.exchange.pair import AGAIN, named, require
from bioneuro.files import FileError
from bioneuro.model import Circuit, ModelError, Parameter, did_you_mean, digest
from bioneuro.protocol import Protocol
from bioneuro.records import canonical


@dataclass(frozen=True, kw_only=True, eq=False)
class Saved:
    """What a parameter file holds.

    Attributes:
        circuit: with the numbers of the file.
        model: its name in the catalogue, or "".
        fitted: placed names of what was fitted.
        notes: as given to `save`.
        written_by: the version that wrote it.
        differs: what the circuit says otherwise than the one that was saved, though numbers and equations are equal: bounds, units of
            display, meanings, sources, references.
    """

    circuit: Circuit
    model: str
    fitted: tuple[str, ...]
    notes: tuple[str, ...]
    written_by: str
    differs: tuple[str, ...]


def skeleton(circuit: Circuit) -> str:
    """SHA-256 of all of a circuit but numbers and references: equations, thresholds, pathways, wiring, names, dimensions of parameters."""
    return digest(_bare(canonical(circuit)))


def _bare(value: Any) -> Any:
    if isinstance(value, list):
        return [_bare(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("") == "Parameter":
        return "integer" if value["unit"] == "integer" else units.base(units.unit(value["unit"]).dimensions)
    prose = ("initial", "reference") if "" in value else ()
    return {key: _bare(item) for key, item in value.items() if key not in prose}


def save(circuit: Circuit, path: str | os.PathLike[str], *, model: str = "", free: Iterable[str] = (), notes: Iterable[str] = ()) -> None:
    """Write all parameters and initial values of a circuit to ``path`` (ending in ``.safetensors``) and to the ``.json`` beside it.

    What was there is replaced at the end, and stays as it was if anything fails; missing folders are made.

    Arguments:
        model: the name of the circuit in the catalogue, as `bioneuro list` shows it, or "" for a circuit of one's own, which `load` then asks for.
        free: placed names of what was fitted. notes: free texts.

    Errors:
        FileError: the name does not end in ``.safetensors``, `model` has other equations or wiring, `free` names nothing in the circuit, or
            writing failed.

    >>> import tempfile
    >>> from bioneuro.catalogue import vogels2005
    >>> fitted = vogels2005.driven().with_values({"lif.tau_m": "12.3 ms"})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(fitted, f"{folder}/lif.safetensors", model="vogels2005 LIF", free=["lif.tau_m"])
    ...     found = load(f"{folder}/lif.safetensors")
    >>> str(found.circuit.values["lif.tau_m"]), found.fitted, found.circuit.digest == fitted.digest
    ('12.3 ms', ('lif.tau_m',), True)
    """
    file, beside = pair.checked(path)
    with named(file, "not written", "choose another folder, free space or get permission"):
        known = _numbers(circuit)
        fitted = _texts(free, "free")
        for name in fitted:
            hint = did_you_mean(name, known)
            require(name in known, f"free: {name!r} is not among the numbers of {circuit.name!r}: {_some(known)};{hint} correct it")
        foreign = os.path.lexists(beside) and not pair.content_of(beside, pair.MOST_TEXT).startswith(pair.MARK)
        require(not foreign, f"{beside} is there and is not of parameters; move it away or choose another name")
        if model:
            same = skeleton(_circuit(model)) == skeleton(circuit)
            require(same, f"model {model!r} of the catalogue has other equations or wiring than {circuit.name!r}; leave `model` out")
        arrays = {name: np.array(p.value, "<f8") for name, (_, p) in known.items()}
        content = safetensors.numpy.save(arrays, metadata={"format": f"{pair.FORMAT} {pair.VERSION}"})
        few = len(content) <= pair.MOST_BYTES and len(known) <= pair.MOST_NUMBERS
        most = f"allowed: {pair.MOST_NUMBERS} arrays, {pair.MOST_BYTES} bytes"
        require(few, f"{len(known)} arrays of {len(content)} bytes, {most}; save a smaller circuit")
        said = {
            "format": pair.FORMAT,
            "version": pair.VERSION,
            "written_by": f"bioneuro {bioneuro.__version__}",
            "model": model,
            "circuit": circuit.name,
            "skeleton": skeleton(circuit),
            "digest": circuit.digest,
            "notes": list(_texts(notes, "notes")),
            "numbers": {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()},
            "parameters": {name: _entry(p, kind, name in fitted) for name, (kind, p) in known.items()},
        }
        text = pair.signed(said)
        require(len(text) <= pair.MOST_TEXT, f"the text beside has {len(text)} bytes, allowed: {pair.MOST_TEXT}; shorten notes and meanings")
        replaced({file: content, beside: text})


def load(path: str | os.PathLike[str], circuit: Circuit | None = None) -> Saved:
    """What `save` wrote to ``path``, every number bit for bit.

    Arguments:
        circuit: one with the equations and wiring of the saved one, whatever its numbers; by default the model of the catalogue that the
            file names.

    Errors:
        FileError: a file is missing, damaged or not a parameter file, the two do not belong together, or the numbers do not fit the circuit.
    """
    file, beside = pair.checked(path)
    with named(file, "not parameters that can be trusted", AGAIN):
        for here, other in ((file, beside), (beside, file)):
            remedy = f"though {other.name} is there; {AGAIN}" if os.path.lexists(other) else f"and no {other.name}; correct the path"
            require(os.path.lexists(here), f"there is no {here.name}, {remedy}")
        said = pair.described(pair.content_of(beside, pair.MOST_TEXT), beside.name)
        arrays = pair.arrays_of(pair.content_of(file, pair.MOST_BYTES), said["numbers"], file.name, beside.name)
        known = _parameters(said["parameters"], arrays, beside.name)
        whole = circuit
        if whole is None:
            require(bool(said["model"]), "it is of a circuit that is not in the catalogue; give that circuit as load(path, circuit=...)")
            whole = _circuit(said["model"])
        what = f"circuit {whole.name!r} has other equations or wiring than the saved {said['circuit']!r:.99}"
        require(skeleton(whole) == said["skeleton"], f"{what}; give the circuit that was saved as load(path, circuit=...)")
        found = _with(whole, known)
        return Saved(
            circuit=found,
            model=said["model"],
            fitted=tuple(name for name, entry in said["parameters"].items() if entry["fitted"]),
            notes=tuple(said["notes"]),
            written_by=said["written_by"],
            differs=_differences(found, known, said["digest"]),
        )


def export(
    path: str | os.PathLike[str],
    to: str = "brian2",
    out: str | os.PathLike[str] | None = None,
    protocol: Protocol | None = None,
    *,
    circuit: Circuit | None = None,
) -> Path | None:
    """Write the circuit of a parameter file as a short Brian2 script or as a NIR graph.

    Arguments:
        to: "brian2" or "nir".
        out: the file to write; by default standard output for "brian2", and ``x.nir`` beside ``x.safetensors`` for "nir".
        protocol: of one trial, for "brian2": what the script does to the circuit.
        circuit: as for `load`.

    Returns:
        the file that was written, None for standard output.
    """
    if to not in ("brian2", "nir") or (to == "nir" and protocol is not None):
        what = f"{to!r} with a protocol" if protocol is not None else repr(to)
        raise FileError(f"{os.fsdecode(path)}: cannot export to {what}; allowed: 'brian2', and 'nir' without a protocol")
    saved = load(path, circuit)
    # Each format brings libraries that take seconds to load.
    written = import_module("bioneuro.exchange.short" if to == "brian2" else "bioneuro.exchange.nir")
    if to == "nir":
        target = Path(os.fsdecode(path)).with_suffix(".nir") if out is None else Path(os.fsdecode(out))
        written.write(saved.circuit, target)
        return target
    text = written.short(saved.circuit, protocol, dt=_clock(saved.model))
    if out is None:
        print(text, end="")
        return None
    target = Path(os.fsdecode(out))
    with named(target, "not written", "choose another folder, free space or get permission"):
        replaced({target: text.encode()})
    return target


def _clock(model: str) -> str:
    """The step of a model that lives on one clock, else the usual one."""
    return str(next((paper.CLOCK[model] for paper in catalogue.papers() if model in getattr(paper, "CLOCK", {})), "0.1 ms"))


def _circuit(model: str) -> Circuit:
    known = catalogue.circuits()
    if model not in known:
        raise pair.Flaw(f"model {model!r:.99} is not in the catalogue; `bioneuro list` shows what is.{did_you_mean(model[:99], known)}")
    return known[model]()


def _numbers(circuit: Circuit) -> dict[str, tuple[str, Parameter]]:
    """Placed name -> (kind, itself) of all parameters and initial values."""
    found = {f"{owner}.{key}": ("parameter", p) for owner, model in circuit.models.items() for key, p in model.parameters.items()}
    return found | {f"{owner}.{key}": ("initial", p) for owner, model in circuit.models.items() for key, p in model.initial.items()}


def _entry(p: Parameter, kind: str, fitted: bool) -> dict[str, Any]:
    """What is said of a number; `low` and `high` in SI, None for no bound."""
    low, high = (bound if math.isfinite(bound) else None for bound in (p.low, p.high))
    least, most = ("any" if bound is None else f"{bound / units.unit(p.unit).scale:.10g}" for bound in (low, high))
    return {
        "kind": kind, "fitted": fitted, "value": str(p), "range": f"{least} to {most}", "unit": p.unit, "low": low, "high": high,
        "says": p.says, "source": p.source, "shape": list(p.value.shape),
    }  # fmt: skip


def _parameters(said: Mapping[str, Any], arrays: Mapping[str, NDArray[np.float64]], beside: str) -> dict[str, tuple[str, Parameter]]:
    """Placed name -> (kind, number within its own bounds)."""
    if strange := sorted(set(said) ^ set(arrays)):
        where = f"{beside} and not among the numbers" if strange[0] in said else f"the numbers and not in {beside}"
        raise pair.Flaw(f"{strange[0]!r:.99} is in {where}; {AGAIN}")
    found = {}
    for name, entry in said.items():
        place = f"{beside}: {name!r:.99}"
        pair.check_fields(entry, pair.ENTRY, place)
        try:
            low, high = (empty if entry[k] is None else float(entry[k]) for k, empty in (("low", -np.inf), ("high", np.inf)))
            p = Parameter(value=arrays[name], unit=entry["unit"], low=low, high=high, says=entry["says"], source=entry["source"])
        except (ModelError, units.UnitError, OverflowError) as error:
            raise pair.Flaw(f"{place}: {error!s:.400}; {AGAIN}") from None
        for field, value in _entry(p, entry["kind"], entry["fitted"]).items():
            require(entry[field] == value, f"{place}: the field {field!r} is {entry[field]!r:.60}, the numbers say {value!r:.60}; {AGAIN}")
        found[name] = (entry["kind"], p)
    return found


def _with(circuit: Circuit, known: Mapping[str, tuple[str, Parameter]]) -> Circuit:
    """The circuit with all numbers replaced."""
    mine = _numbers(circuit)
    states = {f"{owner}.{key}" for owner, model in circuit.models.items() for key in model.states}
    for name, (kind, _) in known.items():
        right = "parameter" if name in circuit.values else "initial"
        able = mine.keys() | states
        require(name in able, f"{name!r:.99} is not in circuit {circuit.name!r}: {_some(able)}; give the circuit that was saved")
        require(kind == right, f"{name!r}: 'kind' is {kind!r:.60}, allowed: {right!r}; {AGAIN}")
    missing = sorted(mine.keys() - known.keys())
    require(not missing, f"it has no value of {_some(missing)}, which circuit {circuit.name!r} has; give the circuit that was saved")
    try:
        return circuit.with_values({name: p for name, (_, p) in known.items()})
    except (ModelError, units.UnitError) as error:
        raise pair.Flaw(f"it does not fit circuit {circuit.name!r}: {error!s:.400}") from None


def _differences(circuit: Circuit, known: Mapping[str, tuple[str, Parameter]], saved: str) -> tuple[str, ...]:
    found, mine = [], _numbers(circuit)
    for name, (kind, p) in known.items():
        here, there = (_entry(x, kind, False) for x in (mine[name][1], p))
        found += [f"{name}: {field}" for field in ("unit", "low", "high", "says", "source") if here[field] != there[field]]
    return tuple(found) if found or circuit.digest == saved else ("a reference",)


def _texts(values: Iterable[str], what: str) -> tuple[str, ...]:
    listed = tuple(values)
    require(not isinstance(values, str) and all(type(v) is str for v in listed), f"{what} is {values!r:.60}; give a list of texts")
    return listed


def _some(names: Iterable[str]) -> str:
    listed = sorted(names)
    return ", ".join(listed[:12]) + (f" and {len(listed) - 12} more" if len(listed) > 12 else "")
