"""Inhibitory plasticity that holds a postsynaptic neuron near a target rate.

Vogels TP, Sprekeler H, Zenke F, Clopath C, Gerstner W (2011) Inhibitory plasticity balances excitation and inhibition in sensory pathways
and memory networks. Science 334:1569, doi 10.1126/science.1211095.

    w            inhibitory weight, not negative            eta     learning rate, in the unit of w
    xpre, xpost  traces of past spikes, decaying with tau   rho_0   target rate of the postsynaptic neuron

Pairs potentiate in either order, and every presynaptic spike depresses by eta alpha with alpha = 2 rho_0 tau: under uncorrelated spikes
the weight rests where the postsynaptic rate is rho_0. There is no upper bound (the public code stops at 30).

A presynaptic spike is processed before a postsynaptic one at the same time; as the window is symmetric, a pair at lag 0 changes the weight
by eta (1 - alpha) in either order (unless the weight reaches 0).
"""

from bioneuro.model import Circuit, Pathway, Population, Projection, Synapse, parameter

EQUATIONS = """
w : 1
dxpre/dt = -xpre/tau : 1 (event-driven)
dxpost/dt = -xpost/tau : 1 (event-driven)
"""

ON_PRE = "w = clip(w + eta*(xpost - 2*rho_0*tau), 0, inf); xpre += 1"
ON_POST = "w = clip(w + eta*xpre, 0, inf); xpost += 1"

_CODE = "public code of an author (Auryn, examples/sim_isp_orig.cpp)"


def rule() -> Synapse:
    """The rule; w is in the unit of the public code, in which recurrent inhibitory weights are 3."""
    return Synapse(
        name="inhibitory",
        equations=EQUATIONS,
        pathways=(Pathway(event="pre", code=ON_PRE), Pathway(event="post", code=ON_POST)),
        parameters={
            "tau": parameter(20, "ms", low=0.1, high=1000, says="decay time of both traces", source=_CODE),
            "rho_0": parameter(3, "Hz", low=0, high=1000, says="target rate of the postsynaptic neuron", source=_CODE),
            "eta": parameter(1e-3, low=0, high=10, says="learning rate", source=f"{_CODE}: gamma*eta = 10 x 1e-4"),
        },
        initial={"w": parameter(3.0, says="weight"), "xpre": parameter(0.0), "xpost": parameter(0.0)},
        reference="Vogels, Sprekeler, Zenke, Clopath & Gerstner 2011, Science 334:1569",
    )


def pair() -> Circuit:
    """One synapse between two ports whose spikes the protocol imposes; the rule is placed as ``inhibitory``."""
    return Circuit(
        name="vogels2011",
        populations=(Population(name="pre"), Population(name="post")),
        projections=(Projection(name="inhibitory", synapse=rule(), pre="pre", post="post"),),
    )


CIRCUITS = {"vogels2011 inhibitory": pair}
