"""Izhikevich's simple model: a quadratic membrane equation with a recovery variable, in seven cell types.

Izhikevich EM (2003) Simple model of spiking neurons. IEEE Trans Neural Netw 14:1569, doi 10.1109/TNN.2003.820440, eqs. 1 to 3, Fig. 2.

    v  membrane potential        k_2, k_1, k_0  coefficients of the quadratic, 0.04 v^2 + 5 v + 140 in mV and ms
    u  recovery, a change of potential per time; a its rate, b its coupling to v
    v_peak  where a spike is detected           c, d  value of v after a spike, and what a spike adds to u
    I  injected current, as change of potential per time

Units: the paper counts in mV and ms, so that I and u are in mV/ms, which is V/s: I = 10 in the paper is 10 volt/second here.
A presynaptic spike moves v at once by its weight, as in the paper.

Known difference: the paper's program steps v twice by 0.5 ms with u held, then u by 1 ms with the new v. `neuron` is the differential
equation, which Euler solves to the first order (at 0.1 ms and I = 10 spikes come 1 to 9 % late); `published_step` is the program's step,
to be run with a clock of 1 ms. That step is so coarse that it amplifies rounding: from 0.2 s on two correct programs may part.
"""

import dataclasses

from bioneuro.model import Circuit, Neuron, Pathway, Population, Projection, Synapse, parameter

_SOURCE = "Izhikevich 2003, eqs. 1 to 3"
_FIGURE = "Izhikevich 2003, Fig. 2"
_THIRD = "Izhikevich 2003, Fig. 2, as printed alike by several third parties"
_REST = "resting state of this set: the lower root of k_2 v^2 + (k_1 - b) v + k_0"
_OURS = "chosen here, so that Poisson spikes drive the neuron"

#    set    a 1/ms  b 1/ms  c mV  d mV/ms  rest mV             source
_ROWS = {
    "RS": (0.02, 0.2, -65.0, 8.0, -70.0, _FIGURE),
    "IB": (0.02, 0.2, -55.0, 4.0, -70.0, _FIGURE),
    "CH": (0.02, 0.2, -50.0, 2.0, -70.0, _FIGURE),
    "FS": (0.1, 0.2, -65.0, 2.0, -70.0, _FIGURE),
    "LTS": (0.02, 0.25, -65.0, 2.0, -64.41391109268659, _FIGURE),
    "TC": (0.02, 0.25, -65.0, 0.05, -64.41391109268659, _THIRD),
    "RZ": (0.1, 0.26, -65.0, 2.0, -62.5, _THIRD),
}

SETS = tuple(_ROWS)
"""Names of the cell types: regular spiking, intrinsically bursting, chattering, fast spiking, low-threshold spiking, thalamo-cortical,
resonator."""


def neuron(name: str = "RS", method: str = "euler") -> Neuron:
    """The neuron of cell type `name`, one of `SETS`, at rest; `method` is euler, rk2 or rk4."""
    if name not in _ROWS:
        raise KeyError(f"izhikevich2003 has no parameter set {name!r}; allowed: {', '.join(SETS)}")
    a, b, c, d, rest, source = _ROWS[name]
    return Neuron(
        name="izhikevich",
        equations="""
        dv/dt = k_2*v**2 + k_1*v + k_0 - u + I : volt
        du/dt = a*(b*v - u) : volt/second
        I : volt/second
        """,
        threshold="v >= v_peak",
        reset="v = c; u += d",
        method=method,
        input="I",
        parameters={
            "k_2": parameter(0.04, "1/mV/ms", low=1e-4, high=1, says="quadratic coefficient", source=_SOURCE),
            "k_1": parameter(5, "1/ms", low=-100, high=100, says="linear coefficient", source=_SOURCE),
            "k_0": parameter(140, "mV/ms", low=-10000, high=10000, says="constant coefficient", source=_SOURCE),
            "v_peak": parameter(30, "mV", low=-100, high=200, says="spike detection", source=_SOURCE),
            "a": parameter(a, "1/ms", low=1e-5, high=10, says="rate of the recovery", source=source),
            "b": parameter(b, "1/ms", low=-10, high=10, says="coupling of the recovery to the potential", source=source),
            "c": parameter(c, "mV", low=-150, high=50, says="potential after a spike", source=source),
            "d": parameter(d, "mV/ms", low=-100, high=100, says="recovery added by a spike", source=source),
        },
        initial={
            "v": parameter(rest, "mV", says="resting potential", source=_REST),
            "u": parameter(b * rest, "mV/ms", says="recovery at rest", source=_REST),
            "I": parameter(0, "mV/ms"),
        },
        reference="Izhikevich 2003, IEEE Trans Neural Netw 14:1569",
    )


def published_step(name: str = "RS") -> Neuron:
    """The neuron as the paper's program steps it: with a clock of 1 ms, Euler on these equations is that program.

    ``v_1`` is v after the first half step and ``v_2`` after the second, which u sees.
    """
    return dataclasses.replace(
        neuron(name, "euler"),
        equations="""
        dv/dt = (v_2 - v)/dt : volt
        du/dt = a*(b*v_2 - u) : volt/second
        v_1 = v + dt/2*(k_2*v**2 + k_1*v + k_0 - u + I) : volt
        v_2 = v_1 + dt/2*(k_2*v_1**2 + k_1*v_1 + k_0 - u + I) : volt
        I : volt/second
        """,
    )


def synapse(weight: float = 10.0) -> Synapse:
    """A synapse whose spikes move ``v`` of its target by `weight` mV at once."""
    return Synapse(
        name="drive",
        equations="",
        pathways=(Pathway(event="pre", code="v_post += weight"),),
        parameters={"weight": parameter(weight, "mV", low=-1000, high=1000, says="jump of the potential", source=_OURS)},
        reference="Izhikevich 2003, IEEE Trans Neural Netw 14:1569, network of pulse-coupled neurons",
    )


def driven(size: int = 1, inputs: int = 1, name: str = "RS", method: str = "euler") -> Circuit:
    """`size` neurons of cell type `name` driven by `inputs` ports, all to all."""
    return Circuit(
        name="izhikevich2003",
        populations=(Population(name="input", size=inputs), Population(name="izhikevich", neuron=neuron(name, method), size=size)),
        projections=(Projection(name="drive", synapse=synapse(), pre="input", post="izhikevich"),),
    )


CIRCUITS = {f"izhikevich2003 {name}": (lambda size=1, inputs=1, name=name: driven(size, inputs, name)) for name in SETS}
