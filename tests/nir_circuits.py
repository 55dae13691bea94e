"""A small circuit of any leaky integrate-and-fire neuron, for tests of NIR."""

from typing import Any

from bioneuro.model import Circuit, Neuron, Pathway, Population, Projection, Synapse, parameter


def kick(weight: Any = 4.0, onto: str = "v") -> Synapse:
    jump = parameter(weight, "mV", says="jump of the potential")
    return Synapse(name="kick", equations="", pathways=(Pathway(event="pre", code=f"{onto}_post += weight"),), parameters={"weight": jump})


def lif(equations: str = "dv/dt = (E_L - v)/tau_m : volt", threshold: str = "v > V_th", reset: str = "v = V_r", **more: Any) -> Neuron:
    return Neuron(
        name="lif",
        equations=equations,
        threshold=threshold,
        reset=reset,
        method=more.pop("method", "euler"),
        parameters={
            "tau_m": parameter(20, "ms", low=1, high=200, says="membrane time constant"),
            "E_L": parameter(-60.1, "mV", says="resting potential"),
            "V_th": parameter(-50.3, "mV", says="threshold"),
            "V_r": parameter(-65.7, "mV", says="reset potential"),
            "k": parameter(0.7, says="a factor"),
            "C": parameter(281, "pF", low=1, high=1000, says="capacitance"),
            "g_L": parameter(30, "nS", low=1, high=100, says="leak"),
            "t_ref": parameter(3, "ms", low=0, high=50, says="refractory period"),
        },
        **more,
    )


def cells(neuron: Neuron, synapse: Synapse | None = None, size: int = 3, **more: Any) -> Circuit:
    ends = (Population(name="input", size=4), Population(name="cell", neuron=neuron, size=size))
    into = Projection(name="kick", synapse=synapse or kick(), pre="input", post="cell", **more)
    return Circuit(name="cells", populations=ends, projections=(into,))
