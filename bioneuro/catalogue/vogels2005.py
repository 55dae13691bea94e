"""Leaky integrate-and-fire neuron with exponential synaptic currents and a refractory period (the CUBA benchmark neuron).

Vogels TP, Abbott LF (2005) Signal propagation and logic gating in networks of integrate-and-fire neurons. J Neurosci 25:10786,
doi 10.1523/JNEUROSCI.3508-05.2005; numbers as in benchmark 2 of Brette R et al. (2007) Simulation of networks of spiking neurons.
J Comput Neurosci 23:349, doi 10.1007/s10827-007-0038-6 (currents expressed in volt).

    v        membrane potential                     tau_m, E_L     membrane time constant, resting value
    g_e, g_i synaptic input, excitatory, inhibitory tau_e, tau_i   their decay times
    V_th, V_r, t_ref  threshold, reset, refractory period           I  injected current, times membrane resistance
"""

from bioneuro.model import Circuit, Neuron, Pathway, Population, Projection, Synapse, parameter

_SOURCE = "Vogels & Abbott 2005; Brette et al. 2007, benchmark 2 (CUBA)"


def neuron(method: str = "exact") -> Neuron:
    """The neuron; `method` is any of Brian2's integrators (exact, exponential_euler, euler, rk2, rk4)."""
    return Neuron(
        name="lif",
        equations="""
        dv/dt = (E_L - v + g_e + g_i + I)/tau_m : volt (unless refractory)
        dg_e/dt = -g_e/tau_e : volt
        dg_i/dt = -g_i/tau_i : volt
        I : volt
        """,
        threshold="v > V_th",
        reset="v = V_r",
        refractory="t_ref",
        method=method,
        input="I",
        parameters={
            "tau_m": parameter(20, "ms", low=0.1, high=1000, says="membrane time constant", source=_SOURCE),
            "E_L": parameter(-49, "mV", low=-150, high=50, says="resting value, above threshold: the background drive", source=_SOURCE),
            "V_th": parameter(-50, "mV", low=-150, high=50, says="threshold", source=_SOURCE),
            "V_r": parameter(-60, "mV", low=-150, high=50, says="reset potential", source=_SOURCE),
            "t_ref": parameter(5, "ms", low=0, high=100, says="refractory period", source=_SOURCE),
            "tau_e": parameter(5, "ms", low=0.1, high=1000, says="decay time of excitation", source=_SOURCE),
            "tau_i": parameter(10, "ms", low=0.1, high=1000, says="decay time of inhibition", source=_SOURCE),
        },
        initial={"v": parameter(-60, "mV"), "g_e": parameter(0, "mV"), "g_i": parameter(0, "mV"), "I": parameter(0, "mV")},
        reference="Vogels & Abbott 2005, J Neurosci 25:10786; Brette et al. 2007, J Comput Neurosci 23:349",
    )


def synapse(target: str = "g_e", weight: float = 1.62) -> Synapse:
    """A synapse whose spikes add `weight` mV to `target`, "g_e" (1.62 mV) or "g_i" (-9 mV)."""
    if target not in ("g_e", "g_i"):
        raise KeyError(f"vogels2005.synapse: target {target!r} is unknown; allowed: 'g_e', 'g_i'")
    return Synapse(
        name="excitation" if target == "g_e" else "inhibition",
        equations="",
        pathways=(Pathway(event="pre", code=f"{target}_post += weight"),),
        parameters={"weight": parameter(weight, "mV", low=-1000, high=1000, says="jump of the synaptic input", source=_SOURCE)},
        reference="Brette et al. 2007, benchmark 2",
    )


def driven(size: int = 1, inputs: int = 1, method: str = "exact") -> Circuit:
    """`size` neurons excited by `inputs` ports, all to all."""
    return Circuit(
        name="vogels2005",
        populations=(Population(name="input", size=inputs), Population(name="lif", neuron=neuron(method), size=size)),
        projections=(Projection(name="excitation", synapse=synapse(), pre="input", post="lif"),),
    )


CIRCUITS = {"vogels2005 LIF": driven}
