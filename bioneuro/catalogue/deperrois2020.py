"""The calcium-based plasticity rule behind a presynaptic terminal that depresses, fitted to visual and somatosensory cortex.

Deperrois N, Graupner M (2020) Short-term depression and long-term plasticity together tune sensitive range of synaptic plasticity.
PLoS Comput Biol 16:e1008265, doi 10.1371/journal.pcbi.1008265.

    c, rho, tau_Ca, Cpre, Cpost, theta_d/p, gamma_d/p, tau, D     as in `bioneuro.catalogue.graupner2012`, flat potential, no noise
    x         share of resources that is available    U          share of x that a presynaptic spike uses
    tau_rec   time in which resources recover

A presynaptic spike adds rho U x Cpre to calcium, with the x just before it: calcium follows the efficacy. rho starts at w0 = 0.5, and the
read-out is its final value over w0. Protocols of the fits: 15 trains of 5 pairs every 10 s (visual), 10 trains of 5 every 4 s
(somatosensory). Known difference: what is here is the authors' public code and its fits, which the paper's tables may round. The sets
without depression and with calcium that adds up more than linearly are not here; those that the figures name are not in that code.
"""

import dataclasses

from bioneuro.catalogue import graupner2012
from bioneuro.model import Circuit, Pathway, Population, Projection, Synapse, parameter

W0 = 0.5
"""Where rho starts; the read-out is its final value over this."""

_REFERENCE = "Deperrois & Graupner 2020, PLoS Comput Biol 16:e1008265"
_CODE = "the authors' public code (mgraupe/CalciumBasedPlasticityModel"
_SOURCE = f"{_REFERENCE}; fit as printed in {_CODE}, parameter_fit_solutions.py"
_FIXED = f"{_REFERENCE}; fixed in {_CODE}, params.py)"

#     set                     tau_Ca      Cpre        Cpost       th_p        gamma_d      gamma_p      tau         D           U         tau_rec
_ROWS = {
    "visual cortex":
        (38.3492083, 3.99132241, 1.12940834, 1.63069609, 111.320539, 564.392975, 299.877800, 9.23545841, 0.383753, 148.9192, "sJFullSim0"),
    "somatosensory cortex":
        (48.9774484, 2.41618557, 1.38836494, 1.38843434, 176.541097, 579.578738, 143.096290, 10.0700540, 0.46, 525.0, "sHFullSim1"),
}  # fmt: skip

SETS = tuple(_ROWS)
"""Names of the parameter sets."""

RESOURCES = "dx/dt = (1 - x)/tau_rec : 1\n"


def rule(name: str = "visual cortex") -> Synapse:
    """The rule with parameter set `name`, one of `SETS`."""
    if name not in _ROWS:
        raise KeyError(f"deperrois2020 has no parameter set {name!r}; allowed: {', '.join(SETS)}")
    *fitted, U, tau_rec, called = _ROWS[name]
    names = ("tau_Ca", "Cpre", "Cpost", "theta_p", "gamma_d", "gamma_p", "tau", "D")
    base = graupner2012.rule("cortical slices")
    numbers = {
        key: dataclasses.replace(base.parameters[key].with_value(parameter(value, base.parameters[key].unit), key), source=f"{_SOURCE}, {called})")
        for key, value in zip(names, fitted, strict=True)
    }
    numbers["theta_d"] = dataclasses.replace(base.parameters["theta_d"], source=_FIXED)
    numbers["U"] = parameter(U, low=0, high=1, says="share of resources that a spike uses", source=_FIXED)
    numbers["tau_rec"] = parameter(tau_rec, "ms", low=1, high=10000, says="recovery time of resources", source=_FIXED)
    return dataclasses.replace(
        base,
        equations=RESOURCES + graupner2012.equations(noise="").lstrip(),
        pathways=(Pathway(event="pre", code="c += rho*U*x*Cpre; x -= U*x", delay="D"), base.pathways[1]),
        parameters=numbers,
        initial={"x": parameter(1.0, says="available resources"), **base.initial, "rho": parameter(W0, says="efficacy")},
        reference=f"{_REFERENCE}; rule of Graupner & Brunel 2012 with flat potential",
    )


def pair(name: str = "visual cortex") -> Circuit:
    """One synapse between two ports whose spikes the protocol imposes; the rule is placed as ``calcium``."""
    return Circuit(
        name="deperrois2020",
        populations=(Population(name="pre"), Population(name="post")),
        projections=(Projection(name="calcium", synapse=rule(name), pre="pre", post="post"),),
    )


CIRCUITS = {f"deperrois2020 {name}": (lambda name=name: pair(name)) for name in SETS}
