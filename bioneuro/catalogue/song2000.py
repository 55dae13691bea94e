"""Pair-based STDP with exponential windows, in the four pairing schemes of Morrison et al.

Song S, Miller KD, Abbott LF (2000) Competitive Hebbian learning through spike-timing-dependent synaptic plasticity. Nat Neurosci 3:919,
doi 10.1038/78829, with the numbers of Brian2's example STDP.py (adapted from that paper). Schemes: Morrison A, Diesmann M, Gerstner W
(2008) Phenomenological models of synaptic plasticity based on spike timing. Biol Cybern 98:459, doi 10.1007/s00422-008-0233-1.

    w              weight in units of its maximum     A_plus, A_minus     change of one causal/acausal pair at lag 0
    apre, apost  traces of past spikes              tau_plus, tau_minus their decay times

A presynaptic spike is processed before a postsynaptic one at the same time: at lag 0 a pair is causal and potentiates by A_plus.

`onto_one_neuron` is the network of that example: many inputs onto one neuron, whose spikes train them.

    v      membrane potential                  tau_m, E_L, V_th, V_r   membrane time constant, rest, threshold, reset
    g_e    excitatory over leak conductance    tau_e, E_e              its decay time and reversal potential
    g_max  conductance of a spike through a synapse of weight 1
"""

import dataclasses
from collections.abc import Callable
from functools import partial

from bioneuro.model import Circuit, Neuron, Pathway, Population, Projection, Synapse, parameter

EQUATIONS = """
w : 1
dapre/dt = -apre/tau_plus : 1 (event-driven)
dapost/dt = -apost/tau_minus : 1 (event-driven)
"""

_DEPRESS = "w = clip(w - A_minus*apost, w_min, w_max)"
_POTENTIATE = "w = clip(w + A_plus*apre, w_min, w_max)"

#   scheme                  on a presynaptic spike                          on a postsynaptic spike
_CODE = {
    "all to all": (f"{_DEPRESS}; apre += 1", f"{_POTENTIATE}; apost += 1"),
    "nearest symmetric": (f"{_DEPRESS}; apre = 1", f"{_POTENTIATE}; apost = 1"),
    "nearest presynaptic-centred": (f"{_DEPRESS}; apre += 1", f"{_POTENTIATE}; apre = 0; apost = 1"),
    "nearest reduced": (f"{_DEPRESS}; apost = 0; apre = 1", f"{_POTENTIATE}; apre = 0; apost = 1"),
}

SCHEMES = tuple(_CODE)
"""Which spikes pair: all; each with the last of the other kind; each pre with the last post before and the next after it; neighbours only."""

_SOURCE = "Brian2 example STDP.py, adapted from Song, Miller & Abbott 2000"


def rule(scheme: str = "all to all") -> Synapse:
    """The rule in pairing scheme `scheme`, one of `SCHEMES`."""
    if scheme not in _CODE:
        raise KeyError(f"song2000 has no pairing scheme {scheme!r}; allowed: {', '.join(SCHEMES)}")
    on_pre, on_post = _CODE[scheme]
    return Synapse(
        name="stdp",
        equations=EQUATIONS,
        pathways=(Pathway(event="pre", code=on_pre), Pathway(event="post", code=on_post)),
        parameters={
            "tau_plus": parameter(20, "ms", low=0.1, high=1000, says="decay time of the presynaptic trace", source=_SOURCE),
            "tau_minus": parameter(20, "ms", low=0.1, high=1000, says="decay time of the postsynaptic trace", source=_SOURCE),
            "A_plus": parameter(0.01, low=0, high=10, says="potentiation of one pair at lag 0", source=_SOURCE),
            "A_minus": parameter(0.0105, low=0, high=10, says="depression of one pair at lag 0", source=_SOURCE),
            "w_min": parameter(0.0, low=-1000, high=1000, says="lower bound of the weight", source=_SOURCE),
            "w_max": parameter(1.0, low=-1000, high=1000, says="upper bound of the weight", source=_SOURCE),
        },
        initial={"w": parameter(0.5, says="weight"), "apre": parameter(0.0), "apost": parameter(0.0)},
        reference="Song, Miller & Abbott 2000, Nat Neurosci 3:919; schemes of Morrison, Diesmann & Gerstner 2008, Biol Cybern 98:459",
    )


def pair(scheme: str = "all to all") -> Circuit:
    """One synapse between two ports whose spikes the protocol imposes; the rule is placed as ``stdp``."""
    return Circuit(
        name="song2000",
        populations=(Population(name="pre"), Population(name="post")),
        projections=(Projection(name="stdp", synapse=rule(scheme), pre="pre", post="post"),),
    )


def neuron() -> Neuron:
    """The leaky integrate-and-fire neuron of the example, excited through a conductance."""
    return Neuron(
        name="lif",
        equations="""
        dv/dt = (E_L - v + g_e*(E_e - v))/tau_m : volt
        dg_e/dt = -g_e/tau_e : 1
        """,
        threshold="v > V_th",
        reset="v = V_r",
        method="euler",
        parameters={
            "tau_m": parameter(10, "ms", low=0.1, high=1000, says="membrane time constant", source=_SOURCE),
            "E_L": parameter(-74, "mV", low=-150, high=50, says="resting potential", source=_SOURCE),
            "E_e": parameter(0, "mV", low=-150, high=150, says="reversal potential of excitation", source=_SOURCE),
            "V_th": parameter(-54, "mV", low=-150, high=50, says="threshold", source=_SOURCE),
            "V_r": parameter(-60, "mV", low=-150, high=50, says="reset potential", source=_SOURCE),
            "tau_e": parameter(5, "ms", low=0.1, high=1000, says="decay time of excitation", source=_SOURCE),
        },
        initial={"v": parameter(-60, "mV"), "g_e": parameter(0.0)},
        reference="Brian2 example STDP.py, adapted from Song, Miller & Abbott 2000",
    )


def transmitting(rule: Synapse) -> Synapse:
    """`rule`, whose weight ``w`` is a share of the largest, with transmission: a presynaptic spike adds g_max*w to ``g_e``, then learns."""
    g_max = parameter(0.01, low=0, high=10, says="conductance of a spike at w = 1, over the leak", source=_SOURCE)
    pathways = (Pathway(event="pre", code="g_e_post += g_max*w"), *rule.pathways)
    return dataclasses.replace(rule, pathways=pathways, parameters={**rule.parameters, "g_max": g_max})


def onto_one_neuron(inputs: int = 1000, learning: Synapse | None = None) -> Circuit:
    """`inputs` ports excite one neuron through synapses that learn by `learning` (default: `rule`); placed as ``stdp`` and ``cell``."""
    synapse = transmitting(learning or rule())
    return Circuit(
        name="song2000",
        populations=(Population(name="input", size=inputs), Population(name="cell", neuron=neuron())),
        projections=(Projection(name="stdp", synapse=synapse, pre="input", post="cell"),),
    )


CIRCUITS: dict[str, Callable[[], Circuit]] = {f"song2000 {scheme}": partial(pair, scheme) for scheme in SCHEMES}
CIRCUITS["song2000 onto one neuron"] = onto_one_neuron
