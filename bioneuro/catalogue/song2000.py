"""Pair-based STDP with exponential windows, in the four pairing schemes of Morrison et al.

Song S, Miller KD, Abbott LF (2000) Competitive Hebbian learning through spike-timing-dependent synaptic plasticity. Nat Neurosci 3:919,
doi 10.1038/78829, with the numbers of Brian2's example STDP.py (adapted from that paper). Schemes: Morrison A, Diesmann M, Gerstner W
(2008) Phenomenological models of synaptic plasticity based on spike timing. Biol Cybern 98:459, doi 10.1007/s00422-008-0233-1.

    w              weight in units of its maximum     A_plus, A_minus     change of one causal/acausal pair at lag 0
    apre, apost  traces of past spikes              tau_plus, tau_minus their decay times

A presynaptic spike is processed before a postsynaptic one at the same time: at lag 0 a pair is causal and potentiates by A_plus.
"""

from bioneuro.model import Circuit, Pathway, Population, Projection, Synapse, parameter

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


CIRCUITS = {f"song2000 {scheme}": (lambda scheme=scheme: pair(scheme)) for scheme in SCHEMES}
