"""What a neuron answers to spikes below its threshold, read off its own equations."""

import functools
import re
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from bioneuro import brian
from bioneuro.model import Circuit, Neuron, Population, Projection
from bioneuro.protocol import Clock, Protocol, Spikes

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

LINEAR = 1e-9
"""Largest departure from a sum of answers to single spikes, relative to the largest of them, that counts as rounding."""


class LearnError(ValueError):
    """A circuit or samples that cannot be learned from."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Below:
    """What a neuron does below its threshold, step by step of a clock.

    Attributes:
        kernel: potential that a spike of weight 1 at step 0 adds behind the update of step k, shape (step,).
        rest: potential without any spike, shape (step,).
        threshold: above it the neuron fires.
        weights: placed name of the weights. port: population of the afferents.
        afferents: unit of the port for each pair.
    """

    kernel: Floats
    rest: Floats
    threshold: float
    weights: str
    port: str
    afferents: Integers


def below(circuit: Circuit, *, dt: float, steps: int) -> Below:
    """What the neuron of `circuit` answers to spikes below its threshold, on a clock of `dt` seconds, read off a run in Brian2.

    Raises:
        LearnError: the circuit is not one port, one neuron and one projection between them; its threshold is not ``variable > parameter``; a
            number other than the weights differs from pair to pair; or the answer to several spikes is not the sum of those to each.
    """
    port, cell, projection, weight = _parts(circuit)
    found = re.fullmatch(r"\s*(\w+)\s*>\s*(\w+)\s*", cell.threshold)
    if not found or found[1] not in cell.states or found[2] not in cell.parameters:
        raise LearnError(f"{circuit.name}: the threshold {cell.threshold!r} is not a variable above a parameter; write it as in 'v > V_thr'")
    other = [name for name, p in projection.synapse.parameters.items() if p.value.ndim and name != weight]
    if other:
        raise LearnError(f"{circuit.name}: {other} of {projection.name!r} differ from pair to pair; only {weight!r} may, give one value")
    one = replace(projection.synapse.parameters[weight], value=np.ones(()))
    always = re.sub(r"\(\s*unless refractory\s*\)", "", cell.equations)
    silent = replace(cell, equations=always, threshold="", reset="", refractory="")
    single = Circuit(
        name=circuit.name,
        populations=(Population(name=port.name), Population(name=projection.post, neuron=silent)),
        projections=(
            replace(projection, pairs=None, synapse=replace(projection.synapse, parameters={**projection.synapse.parameters, weight: one})),
        ),
    )
    asked = _Asked(single.digest, dt, steps, single, f"{projection.name}.{weight}", f"{projection.post}.{found[1]}")
    kernel, rest = _answer(asked)
    pre, _ = projection.pairs or (np.zeros(0, np.int64),) * 2
    threshold = float(cell.parameters[found[2]].value)
    return Below(kernel=kernel, rest=rest, threshold=threshold, weights=asked.weight, port=port.name, afferents=pre)


@dataclass(frozen=True)
class _Asked:
    """A question to a circuit with one afferent; equal questions have equal answers."""

    digest: str
    dt: float
    steps: int
    circuit: Circuit = field(compare=False)
    weight: str = field(compare=False)
    variable: str = field(compare=False)


def _parts(circuit: Circuit) -> tuple[Population, Neuron, Projection, str]:
    """Port, neuron, projection, and the name of its weight: what its pathway adds."""
    ports = [p for p in circuit.populations if p.neuron is None]
    cells = [p for p in circuit.populations if p.neuron is not None and p.size == 1]
    lines = circuit.projections
    if not len(ports) == len(cells) == len(lines) == 1 or len(circuit.populations) != 2 or lines[0].pre != ports[0].name:
        raise LearnError(f"{circuit.name}: a tempotron is one port, one neuron and one projection to it, as in catalogue.guetig2006.neuron_with")
    able = [name for name, p in lines[0].synapse.parameters.items() if p.value.ndim]
    able = able or [name for name in lines[0].synapse.parameters if name in ("w", "weight")]
    if len(able) != 1 or cells[0].neuron is None:
        raise LearnError(f"{circuit.name}: no parameter of {lines[0].name!r} is its weight; call it 'w', or give it one value per pair")
    return ports[0], cells[0].neuron, lines[0], able[0]


@functools.lru_cache(maxsize=8)
def _answer(asked: _Asked) -> tuple[Floats, Floats]:
    """Kernel and rest, from trials without weight, with weight 1, with half of it, and with two spikes."""
    later = max(asked.steps // 3, 1)
    todo = Protocol(
        name="single_spikes",
        stepping=Clock(dt=asked.dt, tolerance=0.1 * asked.dt),
        trials={},
        stimulus=np.array([0, 0, 0, 1]),
        reads=np.tile(np.arange(1, asked.steps + 1) * asked.dt, (2, 1)),
        settings={asked.weight: np.array([0.0, 1.0, 0.5, 1.0])},
        spikes={
            asked.circuit.populations[0].name: Spikes(stimulus=np.array([0, 1, 1]), unit=np.zeros(3, int), time=asked.dt * np.array([0, 0, later]))
        },
        record=(asked.variable,),
    )
    rest, whole, half, two = brian.simulate(asked.circuit, todo, seed=0, target="numpy", progress=False)[asked.variable][:, :, 0]
    kernel = whole - rest
    delayed = np.concatenate([np.zeros(later), kernel])[: asked.steps]
    error = max(np.abs(half - rest - kernel / 2).max(), np.abs(two - rest - kernel - delayed).max())
    if error > LINEAR * np.abs(kernel).max() or not kernel.any():
        raise LearnError(
            f"{asked.variable} is off the sum of its answers to single spikes by {error:.3g} (largest answer {np.abs(kernel).max():.3g}); the rule "
            "needs a neuron that is linear below its threshold, such as catalogue.guetig2006"
        )
    return np.ascontiguousarray(kernel), np.ascontiguousarray(rest)
