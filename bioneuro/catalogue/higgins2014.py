"""The calcium-based plasticity rule at the calcium of a slice and of a living brain, with flat or double-well potential.

Higgins D, Graupner M, Brunel N (2014) Memory maintenance in synapses with calcium-based plasticity in the presence of background activity.
PLoS Comput Biol 10:e1003834, doi 10.1371/journal.pcbi.1003834.

    equations and symbols as in `bioneuro.catalogue.graupner2012`, set "cortical slices"
    Cpre, Cpost     calcium of a spike: at 2.5 mM outside (in vitro), and 0.6 times that at 1.5 mM (in vivo)

What is measured is how long rho remembers where it started while both neurons fire as independent Poisson processes; the theory of the
mean is in `bioneuro.theory.higgins2014`. Known difference: the paper is quoted here from its abstract, its figure captions and public
code, not from its table; the numbers that it shares with Graupner & Brunel 2012 are taken with their digits there.
"""

import dataclasses

from bioneuro.catalogue import graupner2012
from bioneuro.catalogue.graupner2012 import DOUBLE_WELL, FLAT
from bioneuro.model import Circuit, Population, Projection, Synapse, parameter

_REFERENCE = "Higgins, Graupner & Brunel 2014, PLoS Comput Biol 10:e1003834"
_SHARED = f"{_REFERENCE}: the cortical-slice set of Graupner & Brunel 2012, SI Table S2"
_AMPLITUDES = f"{_REFERENCE}, as printed by a third party (MOOSE's example of its Fig. 2A)"

#     set         Cpre     Cpost
_ROWS = {"in vitro": (0.56175, 1.23964), "in vivo": (0.33705, 0.74378)}

SETS = tuple(_ROWS)
"""Names of the parameter sets."""

POTENTIALS = {"": FLAT, " bistable": DOUBLE_WELL}


def rule(name: str = "in vivo", potential: str = FLAT) -> Synapse:
    """The rule with parameter set `name`, one of `SETS`, and a `potential`, `FLAT` or `DOUBLE_WELL`."""
    if name not in _ROWS:
        raise KeyError(f"higgins2014 has no parameter set {name!r}; allowed: {', '.join(SETS)}")
    Cpre, Cpost = _ROWS[name]
    slices = graupner2012.rule("cortical slices", potential)
    shared = {k: dataclasses.replace(p, source=_SHARED) for k, p in slices.parameters.items() if k not in ("beta", "b")}
    amplitudes = {
        "Cpre": parameter(Cpre, low=0, high=20, says="calcium of a presynaptic spike", source=_AMPLITUDES),
        "Cpost": parameter(Cpost, low=0, high=20, says="calcium of a postsynaptic spike", source=_AMPLITUDES),
    }
    return dataclasses.replace(slices, parameters={**shared, **amplitudes}, reference=f"{_REFERENCE}; rule of {slices.reference}")


def pair(name: str = "in vivo", potential: str = FLAT) -> Circuit:
    """One synapse between two ports whose spikes the protocol imposes; the rule is placed as ``calcium``."""
    return Circuit(
        name="higgins2014",
        populations=(Population(name="pre"), Population(name="post")),
        projections=(Projection(name="calcium", synapse=rule(name, potential), pre="pre", post="post"),),
    )


CIRCUITS = {
    f"higgins2014 {name}{suffix}": (lambda name=name, potential=potential: pair(name, potential))
    for name in SETS
    for suffix, potential in POTENTIALS.items()
}
