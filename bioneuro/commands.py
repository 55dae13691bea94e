"""What the commands `fit`, `verify` and `export` do: from a measured cell to a parameter file, a proof and a script."""

import argparse
import csv
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bioneuro import units
from bioneuro.imposed import Clock, Current, Spikes
from bioneuro.measure import Series, observed, off_spikes, trace_error, van_rossum, weighted
from bioneuro.measure.losses import Loss
from bioneuro.model import Circuit, Neuron, did_you_mean
from bioneuro.protocol import Protocol
from bioneuro.recording import Recording, train
from bioneuro.script import assignments

LARGEST = 200_000_000
"""Bytes of the largest table that is read."""

_COLUMN = re.compile(r"([A-Za-z]\w*)(?:\s*\(([^()]{1,40})\))?")


class CommandError(ValueError):
    """What a command was given does not fit together."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Cell:
    """A measured cell: seconds of its samples, and its columns in SI, by name.

    Attributes:
        unit: of each column. spikes: seconds of its spikes, or None where they were not counted.
    """

    time: NDArray[np.float64]
    columns: dict[str, NDArray[np.float64]]
    unit: dict[str, str]
    spikes: NDArray[np.float64] | None


def read_cell(path: str | os.PathLike[str]) -> Cell:
    """A table of samples: ``time (ms), I (nA), v (mV), spikes``; the last two columns may be missing, other names are other variables.

    Times rise in equal steps from 0; `spikes` is 0 or 1. Nothing in the file is evaluated.

    Raises:
        CommandError: the file is not of this form; it names the line or column and what is allowed. UnitError: a unit that is none.
    """
    file = Path(path)
    if not file.is_file() or file.stat().st_size > LARGEST:
        raise CommandError(f"{file}: not a file of at most {LARGEST} bytes; give a table of samples, as in 'time (ms), I (nA), v (mV), spikes'")
    try:
        rows = [row for row in csv.reader(file.read_text(encoding="utf-8").splitlines()) if row and not row[0].lstrip().startswith("#")]
        numbers = np.array([[float(cell) for cell in row] for row in rows[1:]])
    except (ValueError, csv.Error) as error:
        raise CommandError(f"{file}: {error}; below the line that names the columns there are numbers only, as many as columns") from None
    heads = [_COLUMN.fullmatch(cell.strip()) for cell in rows[0]] if rows else []
    names = [head[1] for head in heads if head]
    if len(names) != len(heads) or "time" not in names or numbers.ndim != 2 or numbers.shape[1] != len(names) or len(set(names)) < len(names):
        first = repr(rows[0] if rows else "")[:99]
        raise CommandError(f"{file}: its first line is {first}; name each column once, as in 'time (ms), I (nA), v (mV), spikes'")
    named = {head[1]: head[2] or "1" for head in heads if head}
    found = {name: numbers[:, k] * units.unit(named[name]).scale for k, name in enumerate(names)}
    time = found.pop("time")
    _check_samples(file, time, numbers, named["time"])
    spikes = found.pop("spikes", None)
    if spikes is not None and not np.isin(spikes, (0, 1)).all():
        raise CommandError(f"{file}: column 'spikes' holds {spikes[~np.isin(spikes, (0, 1))][0]:g}; allowed: 0 and 1, one for each spike")
    return Cell(time=time, columns=found, unit=named, spikes=None if spikes is None else time[spikes > 0])


def _check_samples(file: Path, time: NDArray[np.float64], numbers: NDArray[np.float64], unit: str) -> None:
    if units.unit(unit).dimensions != units.unit("second").dimensions:
        raise CommandError(f"{file}: column 'time' is in {unit!r}; write its unit, as in 'time (ms)'")
    if time.size < 2 or not np.isfinite(numbers).all():
        raise CommandError(f"{file}: {time.size} samples, of which some may not be finite; give at least two rows of finite numbers")
    step = (time[-1] - time[0]) / (time.size - 1)
    if time[0] != 0 or step <= 0 or np.abs(np.diff(time) - step).max() > 1e-3 * step:
        raise CommandError(f"{file}: times go from {time[0]:g} s to {time[-1]:g} s in unequal steps; give equal steps from 0, or resample")


def question(circuit: Circuit, cell: Cell, place: str) -> tuple[Protocol, Loss, str]:
    """The protocol that injects a cell's current, the loss against what it did, and the population that stands for it."""
    driven = {p.name: p.neuron for p in circuit.populations if p.neuron is not None and p.neuron.input in cell.columns and p.neuron.input}
    if len(driven) != 1:
        able = {p.name: p.neuron.input for p in circuit.populations if p.neuron is not None and p.neuron.input}
        raise CommandError(f"{place}: no column, or more than one, is the input of a population of {circuit.name!r}: {able}; its columns: "
                           f"{sorted(cell.columns)}")  # fmt: skip
    ((name, neuron),) = driven.items()
    amount, step = cell.columns[neuron.input], float(cell.time[-1] / (cell.time.size - 1))
    traces = {f"{name}.{column}": Series(times=cell.time, values=values, unit=cell.unit[column])
              for column, values in cell.columns.items() if column != neuron.input and _is_state(circuit, neuron, column, place)}  # fmt: skip
    if not traces and cell.spikes is None:
        raise CommandError(f"{place}: neither a column of a state ({sorted(neuron.states)}) nor 'spikes'; there is nothing to fit to")
    ports = {p.name: Spikes(stimulus=np.empty(0, int), unit=np.empty(0, int), time=np.empty(0)) for p in circuit.populations if p.neuron is None}
    protocol = Protocol(
        name="measured",
        stepping=Clock(dt=step, tolerance=step / 10),
        trials={},
        stimulus=np.zeros(1, np.int64),
        reads=cell.time[None, :] if traces else cell.time[None, -1:],
        spikes=ports,
        currents={name: Current(start=cell.time, value=amount[:, None], unit=cell.unit[neuron.input])},
        record=tuple(traces) or (f"{name}.{next(iter(neuron.states))}",),
    )
    return protocol, _loss(cell, traces, name, step), name


def _is_state(circuit: Circuit, neuron: Neuron, column: str, place: str) -> bool:
    if column not in neuron.states:
        hint = did_you_mean(column, neuron.states)
        raise CommandError(f"{place}: column {column!r} is no state of {circuit.name!r}: {sorted(neuron.states)}.{hint}")
    return True


def _loss(cell: Cell, traces: dict[str, Series], name: str, step: float) -> Loss:
    spikes = {}
    if cell.spikes is not None:
        steps = np.rint(cell.spikes / step).astype(np.int64)
        spikes[name] = train(steps, np.zeros_like(steps), n_trials=1, size=1, dt=step)
    seen: Recording = observed(spikes=spikes, traces=traces, dt=f"{step!r} second", stop=f"{float(cell.time[-1])!r} second")
    parts: list[tuple[float, Loss]] = []
    if cell.spikes is not None:
        parts.append((1.0, van_rossum(seen, name, "10 ms")))
    around = off_spikes(seen, name) if cell.spikes is not None and traces else None
    parts += [(1.0, trace_error(seen, path, weights=around)) for path in traces]
    return weighted(*parts)


def fit(given: argparse.Namespace, found: tuple[str, Circuit]) -> int:
    """`bioneuro fit MODEL --data FILE.csv --free a.b,c.d --out FILE.safetensors`."""
    from bioneuro import fit as descend
    from bioneuro.exchange.pair import checked
    from bioneuro.exchange.parameters import save
    from bioneuro.fit import adam, replay
    from bioneuro.twin import Twin

    name, circuit = found
    checked(given.out)  # before the long work
    cell = read_cell(given.data)
    protocol, loss, population = question(circuit, cell, str(given.data))
    free = [path.strip() for path in given.free.split(",")]
    twin = Twin(circuit.with_values(assignments(given.set)), free=free, segments="auto" if cell.time.size > 20_000 else None)
    way = adam(given.rate, steps=given.steps)
    done = descend(twin, protocol, loss=loss, optimiser=way, starts=given.starts, seed=given.seed, checkpoint=given.keep)
    print(done)
    save(done.circuit, given.out, model=name, free=free, notes=[f"fitted to {given.data.name}, population {population}, loss {min(done.losses):.6g}"])
    print(given.out)
    return _said(replay(done, protocol, seed=given.seed, targets=("numpy",)))


def verify(given: argparse.Namespace, classic: Callable[[Circuit], Protocol]) -> int:
    """`bioneuro verify A.nc B.nc`, or `bioneuro verify FILE.safetensors`: 0 if they agree, 1 if not."""
    from bioneuro.verify import verify as compare

    if len(given.path) == 2:
        from bioneuro.files import load

        return _said({"": compare(load(given.path[0]), load(given.path[1]), given.tolerance)})
    if len(given.path) > 2 or given.path[0].suffix != ".safetensors":
        raise CommandError(f"verify: {' '.join(map(str, given.path))}; give two recordings (.nc), or one parameter file (.safetensors)")
    from bioneuro import brian
    from bioneuro.exchange.parameters import load as numbers
    from bioneuro.twin import Twin

    circuit = numbers(given.path[0]).circuit
    protocol = classic(circuit)
    seen = Twin(circuit)(protocol, seed=0).detached()
    return _said({t: compare(brian.simulate(circuit, protocol, seed=0, target=t), seen, given.tolerance) for t in ("numpy", "cpp")})


def _said(verdicts: Any) -> int:
    for target, verdict in verdicts.items():
        print(f"Brian2 on {target} and the twin {verdict}" if target else str(verdict))
    return 0 if all(verdicts.values()) else 1


def export(given: argparse.Namespace) -> int:
    """`bioneuro export FILE.safetensors --to brian2|nir [--out FILE]`."""
    from bioneuro.exchange.parameters import export as write

    written = write(given.path, given.to, given.out)
    if written is not None:
        print(written)
    return 0
