"""What is done to the circuits of the zoo: random spikes into every port, a pulse of current into every input."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from bioneuro import units
from bioneuro.flow import FlowError
from bioneuro.imposed import Clock, Current, Events, ProtocolError, Spikes
from bioneuro.model import Circuit, Neuron
from bioneuro.plan import plan
from bioneuro.protocol import Protocol
from bioneuro.statements import read

DRIVES = {
    "amp": 1e-9,
    "volt": 20e-3,
    "volt/second": 10.0,
    "1": 10.0,
    "amp/metre**2": 0.1,  # 10 uA/cm^2
}
"""Unit of a neuron's input -> a value (SI) at which most models of that kind spike within 100 ms."""


def ports(circuit: Circuit) -> dict[str, int]:
    return {p.name: p.size for p in circuit.populations if p.neuron is None}


def neurons(circuit: Circuit) -> dict[str, Neuron]:
    return {p.name: p.neuron for p in circuit.populations if p.neuron is not None}


DISTINCT = 5
"""Different trains per port and trial; units share them in turn, and so do the circuits, so that events of many circuits fall together."""


def trains(which: int, size: int, trials: int, count: int, last: float, grid: float, seed: int, copies: int) -> Spikes:
    """`count` spikes per unit and trial at random points of `grid` (s), up to `last` (s), for the port number `which` of a circuit."""
    rng = np.random.default_rng([seed, which])
    points = round(last / grid)
    drawn = np.array([[1 + np.sort(rng.choice(points - 1, count, replace=False)) for _ in range(DISTINCT)] for _ in range(trials)])
    stimulus, unit = (index.ravel() for index in np.indices((trials, size)))
    times = drawn[stimulus, unit % (size // copies) % DISTINCT] * grid
    return Spikes(stimulus=np.repeat(stimulus, count), unit=np.repeat(unit, count), time=times.ravel())


def imposed(
    circuit: Circuit, *, trials: int, count: int, last: float, grid: float, step: float | None, reads: Any,
    drives: Mapping[str, Any] | None = None, order: Mapping[str, int] | None = None, copies: int = 1, strength: float = 1.0,
    seed: int = 1
) -> Protocol:  # fmt: skip
    """Random spikes into every port and a pulse of current into every input.

    Arguments:
        count: spikes per unit and trial, until `last` (s), on multiples of `grid` (s).
        step: of the clock (s); None steps from event to event.
        drives: population -> SI amplitude of its pulse; the others take theirs from `DRIVES`. Trial k has the amplitude times 1 + k/4.
        order: port -> its number within its circuit, where several circuits are side by side.
        strength: factor of all amplitudes.
        copies: how often the units of every port repeat: copies see the same spikes.
    """
    order = order or {name: k for k, name in enumerate(ports(circuit))}
    spikes = {name: trains(order[name], size, trials, count, last, grid, seed, copies) for name, size in ports(circuit).items()}
    currents = {}
    for name, neuron in neurons(circuit).items():
        if neuron.input:
            amplitude = strength * ((drives or {}).get(name) or drive_of(neuron))
            pulse = np.outer([0.0, 1.0, 0.0], amplitude * (1 + np.arange(trials) / 4))
            currents[name] = Current(start=[0.0, 5e-3, 0.9 * last], value=pulse, unit=neuron.states[neuron.input])
    return Protocol(
        name="imposed",
        stepping=Events() if step is None else Clock(dt=step, tolerance=0.51 * step),
        trials={},
        stimulus=np.arange(trials),
        reads=np.tile(np.asarray(reads, float), (trials, 1)),
        spikes=spikes,
        currents=currents,
    )


def drive_of(neuron: Neuron) -> float:
    """The size of a pulse into a neuron's input, by its unit.

    Raises:
        KeyError: no size is known for that unit.
    """
    written = neuron.states[neuron.input]
    for name, size in DRIVES.items():
        if units.unit(name).dimensions == units.unit(written).dimensions:
            return size
    raise KeyError(
        f"{neuron.name}: its input {neuron.input!r} is in {written!r}, and zoo_protocol.DRIVES has {sorted(DRIVES)} only; add that unit to "
        "DRIVES, or DRIVE = {name of the circuit: '... unit'} to the module"
    )


def refused(circuit: Circuit, *, moments: bool = False) -> str:
    """Why a circuit cannot be stepped from event to event (or, with `moments`, not by mean and variance), or nothing."""
    todo = imposed(circuit, trials=1, count=2, last=0.02, grid=1e-3, step=None, reads=[0.05])
    try:
        read(plan(circuit, todo, seed=0), moments=moments)
    except (FlowError, ProtocolError) as error:
        return str(error)
    return ""
