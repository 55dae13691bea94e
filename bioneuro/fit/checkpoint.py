"""A fit on disk: one file, written whole or not at all, from which a stopped fit goes on bit for bit.

The file is in the format safetensors, which other programs read: tensors by name. One of them, `tree`, is a JSON text in bytes: the recipe of
the fit (what is fitted, by what, with which versions), and the state of the fit, in which ``{"tensor": name}`` stands for a tensor. `sum` is the
SHA-256 of all the others. Nothing in a file is evaluated or unpickled; the sum finds damage, not malice.
"""

import hashlib
import importlib.metadata
import json
import math
import os
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
import torch
from torch import Tensor

from bioneuro import units
from bioneuro.disk import replaced
from bioneuro.fit.fingerprint import describe, fingerprint
from bioneuro.fit.optimisers import Optimiser
from bioneuro.fit.record import Stopped
from bioneuro.fit.starts import Spread, Starts
from bioneuro.fit.walk import Question, Task, Trail, begin, put
from bioneuro.measure import FitError
from bioneuro.twin import Twin

FORMAT = 1
_NUMBERS = ("losses", "held_out", "gradients", "lows")


@dataclass
class File:
    """Where a fit is kept, what it is of, and when it was last written."""

    path: Path
    recipe: Mapping[str, Any]
    seconds: float = math.inf
    steps: float = math.inf
    last: float = 0.0
    since: int = 0


def file(path: str | os.PathLike[str], every: Any, recipe: Mapping[str, Any]) -> File:
    """A file to write `every` so often.

    Errors:
        FitError: `path` is a folder, or `every` is neither a positive time nor a positive number of steps. UnitError: a wrong unit.
    """
    place = Path(os.fsdecode(path))
    if place.is_dir() or not place.name:
        raise FitError(f"fit: checkpoint={str(place)!r} is a folder; name a file such as fit.safetensors")
    count = isinstance(every, int) and not isinstance(every, bool)
    often = float(every) if count else float(units.in_unit(every, "second", "fit: every"))
    if not often > 0:
        raise FitError(f"fit: every={every!r:.60}; give a positive time with its unit, such as '30 s', or a number of steps")
    return File(place, recipe, seconds=math.inf if count else often, steps=often if count else math.inf, last=time.monotonic())


def recipe(twin: Twin, question: Question, stages: Sequence[Optimiser], starts: Starts, spread: Spread) -> dict[str, Any]:
    """What makes a fit the one that it is, as texts: of two fits with equal recipes, each can go on from the other's file."""
    circuit = twin.circuit
    blank = torch.zeros(1, requires_grad=True)
    return {
        "circuit": {"digest": circuit.digest, **{path: str(parameter) for path, parameter in circuit.values.items()}},
        "free": list(twin.free),
        "twin": {
            "surrogate": f"{twin.surrogate.name} {fingerprint(twin.surrogate)}", "soft": twin.soft, "detach_reset": twin.detach_reset,
            "dtype": str(twin.dtype), "device": str(twin.device), "segments": str(twin.segments), "raster": twin.raster,
        },
        "tasks": [_task(task) for task in question.tasks],
        "held out": [_task(task) for task in question.held_out],
        "good_enough": repr(question.good_enough),
        "seed": question.seed,
        "starts": starts if isinstance(starts, int) else [{path: str(value) for path, value in sorted(one.items())} for one in starts],
        "spread": repr({str(k): [str(x) for x in v] for k, v in spread.items()} if isinstance(spread, Mapping) else spread),
        "optimisers": [
            {
                "kind": type(made := stage.make([blank])).__name__, **{k: repr(v) for k, v in sorted(made.defaults.items())},
                "steps": stage.steps, "patience": stage.patience, "gain": repr(stage.gain), "rate": repr(stage.rate),
                "rates": {path: str(rate) for path, rate in sorted(stage.rates.items())},
            }
            for stage in stages
        ],
        "versions": {"python": platform.python_version(), "format": FORMAT}
        | {name: importlib.metadata.version(name) for name in ("torch", "numpy", "brian2")},
    }  # fmt: skip


def _task(task: Task) -> dict[str, Any]:
    return {"protocol": f"{task.protocol.name} {task.protocol.digest[:16]}", "loss": describe(task.loss), "moments": task.moments}


def capture(run: Any) -> dict[str, Any]:
    """Everything that changes in a run, as it is between two steps; later steps leave it alone."""
    walk = run.walk
    return {
        "number": run.number, "begun": run.begun, "chosen": run.chosen, "steps": run.steps, "done": walk.done,
        "raw": {key: value.detach().clone() for key, value in walk.student.raw.items()},
        "strides": dict(walk.strides),
        "leaves": {key: walk.leaves[key].detach().clone() for key in walk.strides},
        "optimiser": _copy(walk.optimiser.state_dict()) if walk.optimiser else None,
        "trails": [_captured(trail) for trail in run.trails],
        "random": torch.get_rng_state(),
    }  # fmt: skip


def _captured(trail: Trail) -> dict[str, Any]:
    return {
        "point": dict(trail.point),
        **{name: torch.tensor(getattr(trail, name), dtype=torch.float64) for name in _NUMBERS},
        "values": {path: torch.as_tensor(np.array([v[path] for v in trail.values])) for path in (trail.values[0] if trail.values else {})},
        "low": trail.low, "stopped": trail.stopped.name if trail.stopped else None, "closed": trail.closed,
    }  # fmt: skip


def _copy(tree: Any) -> Any:
    if isinstance(tree, Tensor):
        return tree.detach().clone()
    if isinstance(tree, dict):
        return {key: _copy(value) for key, value in tree.items()}
    return type(tree)(_copy(item) for item in tree) if isinstance(tree, list | tuple) else tree


def chosen(saved: Mapping[str, Any]) -> int:
    """The start that goes on alone in a captured run, -1 if none does."""
    return int(saved["chosen"])


def put_back(run: Any, stages: Sequence[Optimiser], saved: Mapping[str, Any]) -> None:
    """Make a run what it was when it was captured; it must be of the same recipe, and have the twin of the captured one."""
    try:
        run.number, run.begun, run.steps = (saved[name] for name in ("number", "begun", "steps"))
        for trail, was in zip(run.trails, saved["trails"], strict=True):
            _restored(trail, was)
        walk = run.walk
        if run.begun:
            begin(walk, stages[run.number])
            for trail, was in zip(run.trails, saved["trails"], strict=True):
                _restored(trail, was)
            walk.strides = dict(saved["strides"])
            with torch.no_grad():
                for key, leaf in saved["leaves"].items():
                    walk.leaves[key].copy_(leaf)
            _reload(walk.optimiser, saved["optimiser"])
            walk.done = saved["done"]
        put(walk.student, saved["raw"])
        torch.set_rng_state(saved["random"])
    except (KeyError, ValueError, TypeError, IndexError, RuntimeError, AttributeError) as error:
        raise FitError(f"fit: the checkpoint does not hold a fit that can go on ({error!r:.200}); delete it to begin anew") from error


def _reload(optimiser: torch.optim.Optimizer, state: Mapping[str, Any]) -> None:
    """Give an optimiser the state of another of its kind, in the types that it had: torch casts all of it to that of the parameters."""
    optimiser.load_state_dict(dict(state))
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    for number, parameter in enumerate(parameters):
        if number in state["state"]:
            optimiser.state[parameter] = _copy(state["state"][number])


def _restored(trail: Trail, was: Mapping[str, Any]) -> None:
    trail.point = dict(was["point"])
    for name in _NUMBERS:
        setattr(trail, name, was[name].tolist())
    values = {path: value.numpy() for path, value in was["values"].items()}
    trail.values = [{path: value[k] for path, value in values.items()} for k in range(len(trail.losses))]
    trail.low, trail.closed = was["low"], was["closed"]
    trail.stopped = Stopped[was["stopped"]] if was["stopped"] else None


def write_if_due(file: File, state: Mapping[str, Any]) -> None:
    """Write `state` if that is due."""
    file.since += 1
    if file.since >= file.steps or time.monotonic() - file.last >= file.seconds:
        write(file, state)


def write(file: File, state: Mapping[str, Any]) -> None:
    """Write the recipe and `state`: whoever reads, and whatever is killed, there is the old file or the new one.

    Errors:
        FitError: the optimiser's state holds what no file can, or writing failed.
    """
    tensors: dict[str, Tensor] = {}
    tree = json.dumps({"recipe": file.recipe, "state": _encoded(state, tensors)}).encode()
    tensors["tree"] = torch.frombuffer(bytearray(tree), dtype=torch.uint8)
    tensors["sum"] = torch.frombuffer(bytearray(_sum(tensors)), dtype=torch.uint8)
    try:
        replaced({file.path: safetensors.torch.save(tensors)})
    except OSError as error:
        raise FitError(f"{file.path}: checkpoint not written: {error.strerror or error}; free space or choose another folder") from error
    file.last, file.since = time.monotonic(), 0


def read(file: File) -> Mapping[str, Any] | None:
    """The state in a file, or None if there is no file.

    Errors:
        FitError: it is damaged, or of another recipe; the message lists what has changed.
    """
    if not os.path.lexists(file.path):
        return None
    try:
        tensors = safetensors.torch.load(file.path.read_bytes())
        said = tensors.pop("sum").numpy().tobytes()
        if said != _sum(tensors):
            raise ValueError("its sum is another")
        tree = json.loads(tensors["tree"].numpy().tobytes())
        before, state = tree["recipe"], _decoded(tree["state"], tensors)
    except (OSError, KeyError, ValueError, TypeError, RecursionError, safetensors.SafetensorError) as error:
        raise FitError(f"{file.path}: not a checkpoint that can be trusted ({error!r:.200}); delete it to begin anew") from error
    changed = _changed(before, json.loads(json.dumps(file.recipe)))
    if changed:
        raise FitError(
            f"{file.path} is the checkpoint of another fit; it differs in\n  " + "\n  ".join(changed) + "\ngive another file, or delete this one"
        )
    return dict(state)


def _changed(before: Any, now: Any, place: str = "") -> list[str]:
    """What differs in two trees of texts and numbers, one line each."""
    if isinstance(before, dict) and isinstance(now, dict):
        names = sorted({*before, *now})
        found = [line for name in names for line in _changed(before.get(name), now.get(name), f"{place}.{name}" if place else name)]
        told = [line for line in found if not line.startswith("circuit.digest")]
        return told if any(line.startswith("circuit.") for line in told) else found
    if isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        return [line for k, (a, b) in enumerate(zip(before, now, strict=True)) for line in _changed(a, b, f"{place}[{k}]")]
    return [] if before == now else [f"{place}: {before} in the checkpoint, {now} asked for"]


def _encoded(tree: Any, tensors: dict[str, Tensor]) -> Any:
    """JSON of a tree, in which tensors are named and put aside, and other things than lists and JSON's own say what they are."""
    if isinstance(tree, Tensor):
        name = f"tensor {len(tensors)}"
        tensors[name] = tree.detach().cpu().contiguous().clone()
        return {"tensor": name}
    if isinstance(tree, dict):
        return {"pairs": [[key, _encoded(value, tensors)] for key, value in tree.items()]}
    if isinstance(tree, tuple):
        return {"tuple": [_encoded(item, tensors) for item in tree]}
    if isinstance(tree, list):
        return [_encoded(item, tensors) for item in tree]
    if tree is None or isinstance(tree, bool | int | float | str):
        return tree
    raise FitError(f"fit: the optimiser keeps a {type(tree).__name__}, which no checkpoint holds; use another optimiser, or no checkpoint")


def _decoded(tree: Any, tensors: Mapping[str, Tensor]) -> Any:
    if isinstance(tree, list):
        return [_decoded(item, tensors) for item in tree]
    if not isinstance(tree, dict):
        return tree
    ((kind, what),) = tree.items()
    if kind == "tensor":
        return tensors[what]
    if kind == "tuple":
        return tuple(_decoded(item, tensors) for item in what)
    return {key: _decoded(value, tensors) for key, value in what}


def _sum(tensors: Mapping[str, Tensor]) -> bytes:
    whole = hashlib.sha256()
    for name in sorted(tensors):
        value = tensors[name]
        whole.update(f"{name} {value.dtype} {tuple(value.shape)};".encode() + value.numpy().tobytes())
    return whole.digest()
