"""The calcium-based plasticity rule fitted to visual cortex, with calcium that adds up linearly or more than linearly.

Graupner M, Wallisch P, Ostojic S (2016) Natural firing patterns imply low sensitivity of synaptic plasticity to spike timing compared with
firing rate. J Neurosci 36:11238, doi 10.1523/JNEUROSCI.0104-16.2016.

    c, rho, tau_Ca, Cpre, Cpost, theta_d/p, gamma_d/p, tau, D     as in `bioneuro.catalogue.graupner2012`, flat potential
    a    presynaptic calcium in units of Cpre: what a postsynaptic spike meets (nonlinear set only)
    n    how much higher than the sum of both the calcium of coincident spikes is

The read-out is the mean of rho at the end over w0 = 0.5, from which it starts; the mean does not depend on noise, and the fit has no number
for it, so there is none here: ``1 + measure.change(seen, path="calcium.rho", before=W0).y/W0``.

In the nonlinear set a postsynaptic spike adds Cpost and, for each unit of presynaptic calcium that is still there, (n - 1)(Cpre + Cpost):
two spikes at once reach n (Cpre + Cpost), and n = 1 is the linear set. The authors' code calls n a factor of non-linearity.
"""

import dataclasses

from bioneuro.catalogue import graupner2012
from bioneuro.model import Circuit, Pathway, Population, Projection, Synapse, parameter

W0 = 0.5
"""Where rho starts; the read-out is its final mean over this."""

_REFERENCE = "Graupner, Wallisch & Ostojic 2016, J Neurosci 36:11238"
_SOURCE = f"{_REFERENCE}, fit as printed in the authors' public code (mgraupe/CalciumBasedPlasticityModel, parameter_fit_solutions.py)"
_FIXED = f"{_REFERENCE}; fixed in the authors' public code"

#     set        tau_Ca      Cpre         Cpost       th_p        gamma_d       gamma_p       tau           D
_ROWS = {
    "linear": (22.2721171, 0.844990637, 1.62137900, 2.00928899, 137.758631, 597.089216, 520.761286, 9.53708736),
    "nonlinear": (18.9304409, 0.864671725, 2.30814844, 4.99779542, 111.825154, 894.236947, 707.022578, 10.0),
}

SETS = tuple(_ROWS)
"""Names of the parameter sets."""

TRACE = "da/dt = -a/tau_Ca : 1\n"

_NONLINEAR = (
    Pathway(event="pre", code="c += Cpre; a += 1", delay="D"),
    Pathway(event="post", code="c += Cpost + (n - 1)*(Cpre + Cpost)*a"),
)


def rule(name: str = "linear") -> Synapse:
    """The rule with parameter set `name`, one of `SETS`."""
    if name not in _ROWS:
        raise KeyError(f"graupner2016 has no parameter set {name!r}; allowed: {', '.join(SETS)}")
    names = ("tau_Ca", "Cpre", "Cpost", "theta_p", "gamma_d", "gamma_p", "tau", "D")
    base = graupner2012.rule("cortical slices")
    numbers = {
        key: dataclasses.replace(base.parameters[key].with_value(parameter(value, base.parameters[key].unit), key), source=_SOURCE)
        for key, value in zip(names, _ROWS[name], strict=True)
    }
    numbers["theta_d"] = dataclasses.replace(base.parameters["theta_d"], source=_FIXED)
    equations, pathways, initial = graupner2012.equations(noise=""), base.pathways, {**base.initial, "rho": parameter(W0, says="efficacy")}
    if name == "nonlinear":
        numbers["n"] = parameter(2.0, low=1, high=10, says="coincident calcium over the sum of both", source=_FIXED)
        equations, pathways, initial = TRACE + equations.lstrip(), _NONLINEAR, {**initial, "a": parameter(0.0, says="presynaptic calcium")}
    return dataclasses.replace(
        base, equations=equations, pathways=pathways, parameters=numbers, initial=initial, reference=f"{_REFERENCE}, {name} calcium"
    )


def pair(name: str = "linear") -> Circuit:
    """One synapse between two ports whose spikes the protocol imposes; the rule is placed as ``calcium``."""
    return Circuit(
        name="graupner2016",
        populations=(Population(name="pre"), Population(name="post")),
        projections=(Projection(name="calcium", synapse=rule(name), pre="pre", post="post"),),
    )


CIRCUITS = {f"graupner2016 {name}": (lambda name=name: pair(name)) for name in SETS}
