"""Pair STDP between additive and multiplicative: changes scale with powers of the distance to the bounds.

Guetig R, Aharonov R, Rotter S, Sompolinsky H (2003) Learning input correlations through nonlinear temporally asymmetric Hebbian plasticity.
J Neurosci 23:3697, doi 10.1523/JNEUROSCI.23-09-03697.2003.

    w            weight, from 0 to 1               lam    learning rate (the paper's lambda, which Python keeps for itself)
    apre, apost  traces of past spikes             alpha  depression over potentiation
    tau          their decay time                  mu     weight dependence: 0 additive with hard bounds, 1 multiplicative

A causal pair adds lam (1-w)^mu exp(-lag/tau), an acausal one subtracts lam alpha w^mu exp(lag/tau); all pairs count. A presynaptic spike is
processed before a postsynaptic one at the same time, so a pair at lag 0 potentiates; the paper counts it as depression (from memory).

A step can be larger than what is left to a bound (always possible for mu < 1), so the weight is clipped. The base of the power is at least
1e-30: at a bound itself the step that it belongs to is clipped away, whatever its size, so that the weight is as without this floor,
while the slope of the power stays finite for 0 < mu < 1, where that of w^mu at 0 is infinite; for mu = 0 the power is 1, also at a bound.
"""

from bioneuro.model import Circuit, Pathway, Population, Projection, Synapse, parameter

EQUATIONS = """
w : 1
dapre/dt = -apre/tau : 1 (event-driven)
dapost/dt = -apost/tau : 1 (event-driven)
"""

ON_PRE = "w = clip(w - lam*alpha*clip(w, 1e-30, 1)**mu*apost, 0, 1); apre += 1"
ON_POST = "w = clip(w + lam*clip(1 - w, 1e-30, 1)**mu*apre, 0, 1); apost += 1"

_SOURCE = "Guetig et al. 2003 (from memory)"

_ROWS = {
    "additive": (0.0, "mu = 0 of the family"),
    "intermediate": (0.02, _SOURCE),
    "multiplicative": (1.0, "mu = 1 of the family"),
}

SETS = tuple(_ROWS)
"""Members of the family, which differ in mu alone."""


def rule(name: str = "intermediate") -> Synapse:
    """The rule with the weight dependence `name`, one of `SETS`."""
    if name not in _ROWS:
        raise KeyError(f"guetig2003 has no parameter set {name!r}; allowed: {', '.join(SETS)}")
    mu, source = _ROWS[name]
    return Synapse(
        name="stdp",
        equations=EQUATIONS,
        pathways=(Pathway(event="pre", code=ON_PRE), Pathway(event="post", code=ON_POST)),
        parameters={
            "tau": parameter(20, "ms", low=0.1, high=1000, says="decay time of both traces", source=_SOURCE),
            "lam": parameter(0.005, low=0, high=1, says="learning rate: potentiation of one pair at lag 0 and w = 0", source=_SOURCE),
            "alpha": parameter(1.05, low=0, high=10, says="depression over potentiation", source=_SOURCE),
            "mu": parameter(mu, low=0, high=1, says="exponent of the weight dependence", source=source),
        },
        initial={"w": parameter(0.5, says="weight"), "apre": parameter(0.0), "apost": parameter(0.0)},
        reference="Guetig, Aharonov, Rotter & Sompolinsky 2003, J Neurosci 23:3697",
    )


def pair(name: str = "intermediate") -> Circuit:
    """One synapse between two ports whose spikes the protocol imposes; the rule is placed as ``stdp``."""
    return Circuit(
        name="guetig2003",
        populations=(Population(name="pre"), Population(name="post")),
        projections=(Projection(name="stdp", synapse=rule(name), pre="pre", post="post"),),
    )


CIRCUITS = {f"guetig2003 {name}": (lambda name=name: pair(name)) for name in SETS}
