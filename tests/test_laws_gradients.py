"""A law that every circuit of the catalogue obeys: the twin's gradient in every parameter is the slope that central differences find."""

import contextlib
import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch
import zoo
from numpy.typing import NDArray
from zoo import Entry
from zoo_protocol import imposed, neurons, refused

from bioneuro import text
from bioneuro.model import Circuit, Neuron, Synapse
from bioneuro.protocol import Protocol
from bioneuro.recording import Recording
from bioneuro.twin import Twin, TwinError, detached
from bioneuro.twin.operations import Operations

DRAW = Operations.normal

SHIFTS = 2e-6 * np.array([1, -1, 2, -2])
"""Relative shifts of a parameter for central differences."""


def slope(ends: NDArray[np.float64]) -> NDArray[np.float64]:
    """Central differences of two widths, the error of second order removed; `ends` has the shifts on its first axis."""
    near, far = (ends[0] - ends[1]) / (2 * SHIFTS[0]), (ends[2] - ends[3]) / (2 * SHIFTS[2])
    return (4 * near - far) / 3


@dataclass(frozen=True, kw_only=True, eq=False)
class Case:
    """Entries of one text, stacked and moved off their kinks, and how their gradients are looked at.

    Attributes:
        moments: mean and variance instead of draws. seed: of the imposed spikes.
    """

    entries: Sequence[Entry]
    circuit: Circuit
    paths: Sequence[str]
    step: float | None
    moments: bool
    seed: int = 1

    @property
    def number(self) -> int:
        return len(self.entries)

    def protocol(self, circuit: Circuit) -> Protocol:
        """A short run: some spikes into every port, the same for every copy of a unit."""
        last, count = (0.2, 5) if self.step is None else (0.03, 3)
        return imposed(
            circuit, trials=2, count=count, last=0.9 * last, grid=1e-3, step=self.step, reads=np.array([0.6, 1.0]) * last,
            drives=dict.fromkeys(neurons(circuit), self.entries[0].drive), copies=self.copies(circuit), seed=self.seed
        )  # fmt: skip

    def copies(self, circuit: Circuit) -> int:
        return circuit.populations[0].size // self.circuit.populations[0].size

    def seen(self, twin: Twin) -> Recording:
        """The run of a twin of this circuit or of copies of it, which draw the same noise."""
        todo, copies = self.protocol(twin.start), self.copies(twin.start)

        def normal(op: Operations, seed: int, stream: int, trial: torch.Tensor, unit: torch.Tensor, k: int) -> torch.Tensor:
            return DRAW(op, seed, stream, trial, unit % ((int(unit.max()) + 1) // copies), k)

        with mock.patch.object(Operations, "normal", normal):
            return twin.moments(todo) if self.moments else twin(todo, seed=5)


def case(entries: Sequence[Entry]) -> Case:
    rng = np.random.default_rng(17)
    circuit = zoo.stacked([zoo.nudged(e.circuit, rng) for e in entries])
    events = not zoo.why_no_events(entries[0].key)
    moments = events and zoo.noisy(circuit) and not refused(circuit, moments=True)
    step = None if events else entries[0].step if entries[0].fixed else 2e-4
    return Case(entries=entries, circuit=circuit, paths=learnable(circuit), step=step, moments=moments)


def learnable(circuit: Circuit) -> list[str]:
    """Parameters with room within their bounds that the twin takes as free; it is asked, and refuses delays and refractory periods."""
    able = []
    for path, p in circuit.values.items():
        if np.isfinite([p.low, p.high]).all() and p.low < p.high:
            with contextlib.suppress(TwinError):
                Twin(circuit, free=[path])
                able.append(path)
    return able


def times_of_events(circuit: Circuit) -> set[str]:
    """Delays, refractory periods and periods of updates: they count steps or move events, so no gradient is theirs."""
    found = set()
    for owner, m in circuit.models.items():
        names = set(m.parameters) & text.names(m.refractory).read if isinstance(m, Neuron) and m.refractory else set()
        if isinstance(m, Synapse):
            names = {p.delay for p in m.pathways if p.delay} | ({m.every.period} if m.every else set())
        found |= {f"{owner}.{name}" for name in names}
    return found


@pytest.mark.parametrize("entries", zoo.GROUPS, ids=lambda group: group[0].name.replace(" ", "_"))
def test_every_parameter_has_a_gradient_but_times_of_events(entries):
    """So that `test_gradients_are_slopes` asks of all of them."""
    circuit = entries[0].circuit
    assert set(circuit.values) - set(learnable(circuit)) == times_of_events(circuit)


def split(values: Any, number: int) -> Any:
    """(trial, time, unit) as (member, trial, time, unit of the member)."""
    xp = torch if isinstance(values, torch.Tensor) else np
    return xp.moveaxis(values.reshape(*values.shape[:2], number, -1), 2, 0)


@dataclass(frozen=True, eq=False)
class Scalar:
    """A smooth number per member: the states at every reading, in units of their largest value in that member, x + x^2/2 weighted."""

    number: int
    scale: Mapping[str, torch.Tensor]
    weight: Mapping[str, torch.Tensor]

    def __call__(self, seen: Recording, copies: int = 1) -> torch.Tensor:
        """Shape (copy, member)."""
        total = torch.zeros(copies, self.number, dtype=torch.float64)
        for path, scale in self.scale.items():
            x = split(seen[path], copies * self.number).unflatten(0, (copies, self.number)) / scale[:, None, None, None]
            total = total + ((x + 0.5 * x.square()) * self.weight[path][:, :, None]).sum(dim=(2, 3, 4))
        return total


def scalar_of(base: Recording, number: int) -> Scalar:
    rng, scale, weight = np.random.default_rng(3), {}, {}
    for path, values in sorted(base.traces.items()):
        if values.dtype.kind == "f":
            largest = np.abs(split(values, number)).max(axis=(1, 2, 3))
            scale[path] = torch.as_tensor(np.where(largest > 0, largest, 1.0))
            weight[path] = torch.as_tensor(rng.uniform(0.5, 1.5, values.shape[:2]))
    return Scalar(number, scale, weight)


def elements(circuit: Circuit, owner: str) -> int:
    sizes = {p.name: p.size for p in circuit.populations} | {p.name: len(p.pairs[0]) for p in circuit.projections if p.pairs}
    return sizes[owner]


def shifted(circuit: Circuit, paths: Sequence[str]) -> Circuit:
    """Copies of a circuit beside each other, for each parameter one per shift."""
    n = SHIFTS.size * len(paths)
    values = {}
    for k, path in enumerate(paths):
        p = circuit.values[path]
        table = np.tile(np.broadcast_to(p.value, elements(circuit, path.partition(".")[0])), (n, 1))
        table[SHIFTS.size * k : SHIFTS.size * (k + 1)] *= 1 + SHIFTS[:, None]
        values[path] = dataclasses.replace(p, value=table.ravel())
    return zoo.stacked([circuit] * n).with_values(values)


def differences(it: Case, scalar: Scalar, base: Recording) -> NDArray[np.float64] | None:
    """Slopes in relative shifts of every parameter by central differences, shape (path, member); None if a shift moved a spike."""
    circuit = shifted(it.circuit, it.paths)
    with torch.no_grad():
        seen = it.seen(Twin(circuit, surrogate=detached()))
    for name, train in seen.spikes.items():
        for k, times in enumerate(np.split(train.steps, train.offsets[1:-1])):
            trial, unit = divmod(k, train.size)
            if not np.array_equal(times * train.dt, base.spikes[name].times(trial, unit % base.spikes[name].size)):
                return None
    ends = scalar(seen, SHIFTS.size * len(it.paths)).numpy()
    return slope(np.moveaxis(ends.reshape(len(it.paths), SHIFTS.size, -1), 1, 0))


def relative_slope(twin: Twin, path: str, number: int) -> NDArray[np.float64]:
    """d(sum of scalars)/d(log value) per member, of one element if the members share the number; 0 for a parameter that nothing reads."""
    raw, value = twin.raw[path.replace(".", "__")], twin.value(path)
    (rate,) = torch.autograd.grad(value.sum(), raw)
    grad = torch.zeros_like(raw) if raw.grad is None else raw.grad
    found = (grad / rate * value).detach().numpy()
    return found.reshape(number, -1).sum(axis=1) if found.ndim else found.reshape(1)


@pytest.mark.parametrize("entries", zoo.GROUPS, ids=lambda group: group[0].name.replace(" ", "_"))
def test_gradients_are_slopes(entries, ledger):
    """Every free parameter: finite, and equal to central differences at fixed spikes; moments where a rule is noisy and has them."""
    first = case(entries)
    for it in (dataclasses.replace(first, seed=seed) for seed in (1, 2, 3)):
        twin = Twin(it.circuit, free=it.paths, surrogate=detached())
        seen = it.seen(twin)
        base = seen.detached()
        scalar = scalar_of(base, it.number)
        expected = differences(it, scalar, base)
        if expected is not None:
            break
    assert expected is not None, f"a shift of {SHIFTS.max()} moves a spike under every stimulus"
    scalar(seen).sum().backward()
    largest = np.abs(expected).max(axis=0)
    assert (largest > 0).all()
    worst = [(0.0, "")] * it.number
    for path, slopes in zip(it.paths, expected, strict=True):
        found = relative_slope(twin, path, it.number)
        assert np.isfinite(found).all(), path
        one = found.size == 1  # then it is the sum over the members
        wanted, floor = (slopes.sum(), largest.sum()) if one else (slopes, largest)
        errors = np.broadcast_to(np.abs(found - wanted) / np.maximum(np.abs(wanted), 1e-3 * floor), it.number)
        worst = [max(old, (float(error), path)) for old, error in zip(worst, errors, strict=True)]
    stepping = "by events" + ", mean and variance" * it.moments if it.step is None else f"clock {it.step * 1e3:g} ms, spikes fixed"
    for entry, (error, path) in zip(it.entries, worst, strict=True):
        print(f"{entry.name}: largest error {error:.1e} in {path}")
        ledger(entry.name, entry.reference, f"gradient and central differences, {stepping}", error, 1e-6)


@pytest.mark.parametrize("entries", [g for g in zoo.GROUPS if neurons(g[0].circuit)], ids=lambda group: group[0].name.replace(" ", "_"))
def test_gradients_through_spikes_are_finite(entries):
    """With the usual surrogate."""
    it = case(entries)
    twin = Twin(it.circuit, free=it.paths)
    seen = it.seen(twin)
    scalar_of(seen.detached(), it.number)(seen).sum().backward()
    for path in it.paths:
        assert np.isfinite(relative_slope(twin, path, it.number)).all(), path
