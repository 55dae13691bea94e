"""The tempotron: a neuron that says yes to a pattern of spikes by firing once, and no by staying silent.

Gütig R, Sompolinsky H (2006) The tempotron: a neuron that learns spike timing-based decisions. Nat Neurosci 9:420, doi 10.1038/nn1643.

    v        membrane potential, in units of the distance from rest to threshold
    I        synaptic current; every spike adds the weight of its synapse
    gate     1 before the first output spike, 0 behind it: input that comes later is shunted, and v falls back to rest
    tau      membrane time constant           tau_s    decay time of the synaptic current
    V_rest   resting potential                V_thr    threshold
    w        weight of a synapse: the peak of the potential that one of its spikes makes

The paper writes v as V_rest plus the sum of w K(t - t_i) over all spikes, K(t) = V0 (exp(-t/tau) - exp(-t/tau_s)), with V0 such that K peaks at 1.
That is what v does here below threshold: the factor of I is (tau/tau_s)^(tau/(tau - tau_s)) = V0 (tau - tau_s)/tau_s.

`bioneuro.learn.tempotron` trains the weights.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bioneuro.model import Circuit, Neuron, Pathway, Population, Projection, Synapse, parameter

_SOURCE = "Gütig & Sompolinsky 2006, Methods; read in public replications (Tempotrons.jl, BinaryTempotron.jl)"
_OURS = "chosen here, so that a few spikes reach the threshold"

MOMENTUM = 0.99
"""Share of the last change of the weights in the next (Gütig & Sompolinsky 2006, Methods, as a public replication has it)."""

SPREAD = 1e-3
"""Standard deviation of the weights before learning (Gütig & Sompolinsky 2006, Supplementary Methods, as a public replication has it)."""


def neuron(method: str = "exact") -> Neuron:
    """The neuron; `method` is any of Brian2's integrators."""
    return Neuron(
        name="tempotron",
        equations="""
        dv/dt = (V_rest - v + (tau/tau_s)**(tau/(tau - tau_s))*I)/tau : 1
        dI/dt = -I/tau_s : 1
        gate : 1
        """,
        threshold="v > V_thr",
        reset="gate = 0",
        refractory="gate < 0.5",
        method=method,
        parameters={
            "tau": parameter(15, "ms", low=5, high=1000, says="membrane time constant", source=_SOURCE),
            "tau_s": parameter(3.75, "ms", low=0.01, high=4.9, says="decay time of the synaptic current, below tau", source=_SOURCE),
            "V_rest": parameter(0, "1", low=-10, high=10, says="resting potential", source=_SOURCE),
            "V_thr": parameter(1, "1", low=-10, high=1e6, says="threshold", source=_SOURCE),
        },
        initial={"v": parameter(0, "1"), "I": parameter(0, "1"), "gate": parameter(1, "1")},
        reference="Gütig & Sompolinsky 2006, Nat Neurosci 9:420",
    )


def synapse(weights: Any = 0.5) -> Synapse:
    """A synapse whose spike makes a potential with a peak of its weight; one weight for all pairs, or one per pair."""
    return Synapse(
        name="afferents",
        equations="",
        pathways=(Pathway(event="pre", code="I_post += w*gate_post"),),
        parameters={"w": parameter(weights, "1", low=-1e3, high=1e3, says="weight", source=_OURS)},
        reference="Gütig & Sompolinsky 2006, Nat Neurosci 9:420",
    )


def neuron_with(afferents: int, weights: Sequence[float] | NDArray[np.float64] | float, *, method: str = "exact") -> Circuit:
    """One neuron behind `afferents` ports "source", with one weight each (or one for all).

    Raises:
        ModelError: another number of weights than afferents.
    """
    return Circuit(
        name="guetig2006",
        populations=(Population(name="source", size=afferents), Population(name="tempotron", neuron=neuron(method))),
        projections=(Projection(name="afferents", synapse=synapse(np.asarray(weights, float)), pre="source", post="tempotron"),),
    )


def driven(method: str = "exact") -> Circuit:
    """A neuron with three excitatory afferents and an inhibitory one, which fires once under a few spikes."""
    return neuron_with(4, [0.6, 0.5, 0.4, -0.3], method=method)


CIRCUITS = {"guetig2006 tempotron": driven}
