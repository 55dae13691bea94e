"""A membrane without spikes, quick to fit, for the tests of fitting."""

from collections.abc import Callable

import numpy as np
import torch

from bioneuro import Circuit, Neuron, Population, Recording, parameter, protocol
from bioneuro.brian import simulate

_TEXT = {"says": "of a test", "source": "chosen here"}
PARAMETERS = {
    "C": parameter(200, "pF", low=20, high=2000, **_TEXT),
    "g_L": parameter(10, "nS", low=1, high=100, **_TEXT),
    "E_L": parameter(-70, "mV", low=-100, high=-40, **_TEXT),
}


def membrane(equation: str = "dv/dt = (g_L*(E_L - v) + I)/C : volt", **changed) -> Circuit:
    """One unit; `changed` are parameters other than `PARAMETERS`."""
    neuron = Neuron(
        name="membrane",
        equations=f"{equation}\nI : amp",
        input="I",
        method="exact",
        parameters={**PARAMETERS, **changed},
        initial={"v": parameter(-60, "mV"), "I": parameter(0, "pA")},
        reference="leaky integration",
    )
    return Circuit(name="membrane", populations=(Population(name="cell", neuron=neuron),))


def steps(*currents: float, duration: str = "40 ms", every: str = "4 ms") -> protocol.Protocol:
    """A step of every current (pA) from 10 ms on, read ten times."""
    return protocol.step_current(
        {"cell": [f"{x} pA" for x in currents]}, duration, start="10 ms", every=every, stepping=protocol.clock("2 ms"), record=("cell.v",)
    )


def trace(circuit: Circuit, todo: protocol.Protocol) -> np.ndarray:
    """The potential in mV, shape (trial, time, unit)."""
    return 1e3 * simulate(circuit, todo, seed=0, target="numpy")["cell.v"]


def distance(target: np.ndarray, error: float = 1.0) -> Callable[[Recording], torch.Tensor]:
    """Mean of squared differences from `target` in units of `error` mV."""
    wanted = torch.as_tensor(target)

    def loss(seen: Recording) -> torch.Tensor:
        return ((1e3 * seen["cell.v"] - wanted) / error).square().mean()

    loss.points = target.size
    return loss
