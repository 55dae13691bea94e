"""Pair STDP without bounds: potentiation is additive, depression a fraction of the weight.

van Rossum MCW, Bi GQ, Turrigiano GG (2000) Stable Hebbian learning from spike timing-dependent plasticity. J Neurosci 20:8812,
doi 10.1523/JNEUROSCI.20-23-08812.2000.

    w            weight, a conductance              c_p   potentiation of one causal pair at lag 0
    apre, apost  traces of past spikes              c_d   share of the weight that one acausal pair at lag 0 removes
    tau_plus, tau_minus  their decay times

A causal pair adds c_p exp(-lag/tau_plus), an acausal one subtracts c_d w exp(lag/tau_minus); all pairs count. A presynaptic spike is
processed before a postsynaptic one at the same time: at lag 0 a pair is causal. Depression vanishes with the weight, so there is no
lower bound, and it grows with the weight, so there is no upper one: under uncorrelated spikes w drifts to c_p tau_plus/(c_d tau_minus).

Known difference: in the paper each pairing also adds a Gaussian random number times w (standard deviation 0.015, from memory). Noise per
spike cannot be written in these equations, whose noise is white in time: this rule is the mean of that one, in which the noise, of mean zero
and linear in w, has no part.
"""

from bioneuro.model import Circuit, Pathway, Population, Projection, Synapse, parameter

EQUATIONS = """
w : siemens
dapre/dt = -apre/tau_plus : 1 (event-driven)
dapost/dt = -apost/tau_minus : 1 (event-driven)
"""

_SOURCE = "van Rossum, Bi & Turrigiano 2000, as printed by a third party (vanRossumSTDP.h of the simulator Spike)"


def rule() -> Synapse:
    """The rule, without its noise."""
    return Synapse(
        name="stdp",
        equations=EQUATIONS,
        pathways=(Pathway(event="pre", code="w -= c_d*w*apost; apre += 1"), Pathway(event="post", code="w += c_p*apre; apost += 1")),
        parameters={
            "tau_plus": parameter(20, "ms", low=0.1, high=1000, says="decay time of the presynaptic trace", source=_SOURCE),
            "tau_minus": parameter(20, "ms", low=0.1, high=1000, says="decay time of the postsynaptic trace", source=_SOURCE),
            "c_p": parameter(7, "pS", low=0, high=1e6, says="potentiation of one pair at lag 0", source=_SOURCE),
            "c_d": parameter(0.003, low=0, high=1, says="depression of one pair at lag 0, as a share of the weight", source=_SOURCE),
        },
        initial={"w": parameter(1000, "pS", says="weight"), "apre": parameter(0.0), "apost": parameter(0.0)},
        reference="van Rossum, Bi & Turrigiano 2000, J Neurosci 20:8812; without the noise per pairing",
    )


def pair() -> Circuit:
    """One synapse between two ports whose spikes the protocol imposes; the rule is placed as ``stdp``."""
    return Circuit(
        name="vanrossum2000",
        populations=(Population(name="pre"), Population(name="post")),
        projections=(Projection(name="stdp", synapse=rule(), pre="pre", post="post"),),
    )


CIRCUITS = {"vanrossum2000": pair}
