"""Adaptive exponential integrate-and-fire neuron (AdEx).

Brette R, Gerstner W (2005) Adaptive exponential integrate-and-fire model as an effective description of neuronal activity.
J Neurophysiol 94:3637, doi 10.1152/jn.00686.2005.

    v        membrane potential     C, g_L, E_L   capacitance, leak         V_T, Delta_T   threshold and sharpness of spike initiation
    w        adaptation current     tau_w, a, b   its time, coupling, jump  V_cut, V_r     where a spike is detected, reset
    I_syn    synaptic current decaying with tau_syn (added here, so that spikes can drive the neuron)
    I        injected current
"""

from bioneuro.model import Circuit, Neuron, Pathway, Population, Projection, Synapse, parameter

_SOURCE = "Brette & Gerstner 2005, p. 3638 (regular spiking pyramidal cell)"
_OURS = "chosen here, so that Poisson spikes drive the neuron"


def neuron(method: str = "euler") -> Neuron:
    """The AdEx neuron; `method` is any of Brian2's integrators for non-linear equations (euler, rk2, rk4, heun)."""
    return Neuron(
        name="adex",
        equations="""
        dv/dt = (g_L*(E_L - v) + g_L*Delta_T*exp((v - V_T)/Delta_T) - w + I_syn + I)/C : volt (unless refractory)
        dw/dt = (a*(v - E_L) - w)/tau_w : amp
        dI_syn/dt = -I_syn/tau_syn : amp
        I : amp
        """,
        threshold="v > V_cut",
        reset="v = V_r; w += b",
        refractory="t_ref",
        method=method,
        input="I",
        parameters={
            "C": parameter(281, "pF", low=1, high=10000, says="membrane capacitance", source=_SOURCE),
            "g_L": parameter(30, "nS", low=0.1, high=1000, says="leak conductance", source=_SOURCE),
            "E_L": parameter(-70.6, "mV", low=-120, high=0, says="leak reversal potential", source=_SOURCE),
            "V_T": parameter(-50.4, "mV", low=-120, high=0, says="threshold of spike initiation", source=_SOURCE),
            "Delta_T": parameter(2, "mV", low=0.01, high=20, says="slope factor", source=_SOURCE),
            "tau_w": parameter(144, "ms", low=0.1, high=10000, says="time constant of adaptation", source=_SOURCE),
            "a": parameter(4, "nS", low=-1000, high=1000, says="subthreshold adaptation", source=_SOURCE),
            "b": parameter(0.0805, "nA", low=0, high=100, says="spike-triggered adaptation", source=_SOURCE),
            "V_r": parameter(-70.6, "mV", low=-120, high=0, says="reset potential", source=_SOURCE),
            "V_cut": parameter(-40.4, "mV", low=-120, high=100, says="spike detection, V_T + 5 Delta_T", source="usual cut, e.g. Brian2 example"),
            "t_ref": parameter(2, "ms", low=0, high=100, says="refractory period", source=_OURS),
            "tau_syn": parameter(5, "ms", low=0.1, high=1000, says="decay time of the synaptic current", source=_OURS),
        },
        initial={"v": parameter(-70.6, "mV"), "w": parameter(0, "pA"), "I_syn": parameter(0, "pA"), "I": parameter(0, "pA")},
        reference="Brette & Gerstner 2005, J Neurophysiol 94:3637, eqs. 1 and 2",
    )


def current_synapse(weight: float = 500.0) -> Synapse:
    """A synapse whose spikes add `weight` pA to the exponentially decaying current ``I_syn`` of its target."""
    return Synapse(
        name="drive",
        equations="",
        pathways=(Pathway(event="pre", code="I_syn_post += weight"),),
        parameters={"weight": parameter(weight, "pA", low=-1e5, high=1e5, says="current of one spike", source=_OURS)},
        reference="exponential current synapse",
    )


def driven(size: int = 1, inputs: int = 1, method: str = "euler") -> Circuit:
    """`size` AdEx neurons driven by `inputs` ports, all to all."""
    return Circuit(
        name="brette2005",
        populations=(Population(name="input", size=inputs), Population(name="adex", neuron=neuron(method), size=size)),
        projections=(Projection(name="drive", synapse=current_synapse(), pre="input", post="adex"),),
    )


CIRCUITS = {"brette2005 AdEx": driven}
