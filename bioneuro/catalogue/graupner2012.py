"""The calcium-based plasticity rule, with flat or double-well potential, and its published parameter sets.

Graupner M, Brunel N (2012) Calcium-based plasticity model explains sensitivity of synaptic changes to spike pattern, rate, and dendritic
location. PNAS 109:3991, doi 10.1073/pnas.1109359109; correction (noise) PNAS 109:21551, doi 10.1073/pnas.1220044110.

    c            calcium, in units of the depression threshold
    rho          synaptic efficacy, 0 (DOWN) to 1 (UP)
    tau_Ca       decay time of calcium               Cpre, Cpost   calcium of a spike; a presynaptic one acts after D
    theta_d/p    thresholds of depression/potentiation; a variable at its threshold is above it, H(0) = 1
    gamma_d/p    rates of depression/potentiation    tau             time constant of rho
    sigma        noise, with the corrected amplitude sigma sqrt(tau) sqrt(H(c - theta_d) + H(c - theta_p))
    rho_star     basin boundary                      beta, b         share of DOWN synapses at first; weight ratio UP/DOWN

With `DOUBLE_WELL` rho is drawn to 0 or 1 while nothing else acts. That term has no closed form: from event to event it is stepped by RK4
(see `bioneuro.flow`), and gaps longer than about tau/2 want ``Events(grid=...)``. The parameter sets were fitted with `FLAT`.
"""

from bioneuro.model import Circuit, Pathway, Population, Projection, Synapse, parameter

FLAT = ""
"""The potential that the paper fits to data: below both thresholds rho stays where it is."""

DOUBLE_WELL = " - rho*(1 - rho)*(rho_star - rho)"
"""The cubic term of eq. 1, as it stands among the drifts: wells at 0 and 1, their border at rho_star."""

WHITE = " + sigma*sqrt((int(c >= theta_p) + int(c >= theta_d))/tau)*xi"
"""The noise as corrected; "" leaves it out."""


def equations(potential: str = FLAT, noise: str = WHITE) -> str:
    """Eqs. 1 and 2 with a `potential` (`FLAT` or `DOUBLE_WELL`) and a `noise` (`WHITE` or "")."""
    drift = f"gamma_p*(1 - rho)*int(c >= theta_p) - gamma_d*rho*int(c >= theta_d){potential}"
    return f"""
dc/dt = -c/tau_Ca : 1
drho/dt = ({drift})/tau{noise} : 1
"""


_TABLES = "Graupner & Brunel 2012, SI Tables S1 and S2"
_TABLE_S3 = "Graupner & Brunel 2012, SI Table S3 (Fig. S1), as printed by a third party"

#     set                     tau_Ca    Cpre     Cpost   th_d th_p gamma_d   gamma_p   sigma   tau       D          beta  b
_ROWS = {
    "DP": (20.0, 1.0, 2.0, 1.0, 1.3, 200.0, 321.808, 2.8284, 150.0, 13.7, 0.5, 5.0, _TABLES),
    "DPD": (20.0, 0.9, 0.9, 1.0, 1.3, 250.0, 550.0, 2.8284, 150.0, 4.6, 0.5, 5.0, _TABLES),
    "DPD'": (20.0, 1.0, 2.0, 1.0, 2.5, 50.0, 600.0, 2.8284, 150.0, 2.2, 0.5, 5.0, _TABLES),
    "P": (20.0, 2.0, 2.0, 1.0, 1.3, 160.0, 257.447, 2.8284, 150.0, 0.0, 0.5, 5.0, _TABLES),
    "D": (20.0, 0.6, 0.6, 1.0, 1.3, 500.0, 550.0, 5.6568, 150.0, 0.0, 0.5, 5.0, _TABLES),
    "D'": (20.0, 1.0, 2.0, 1.0, 3.5, 60.0, 600.0, 2.8284, 150.0, 0.0, 0.5, 5.0, _TABLES),
    "hippocampal slices": (48.8373, 1.0, 0.275865, 1.0, 1.3, 313.0965, 1645.59, 9.1844, 688.355, 18.8008, 0.7, 5.28145, _TABLES),
    "hippocampal cultures": (11.9536, 0.58156, 1.76444, 1.0, 1.3, 61.141, 113.6545, 2.5654, 33.7596, 10.0, 0.5, 36.0263, _TABLES),
    "cortical slices": (22.6936, 0.5617539, 1.23964, 1.0, 1.3, 331.909, 725.085, 3.3501, 346.3615, 4.6098, 0.5, 5.40988, _TABLES),
    "S3 DPD'": (20.0, 1.0, 1.3, 1.0, 1.3, 150.0, 310.0, 2.8284, 150.0, 4.3, 0.5, 5.0, _TABLE_S3),
    "S3 DP": (20.0, 1.0, 2.0, 1.0, 1.3, 150.0, 241.356, 2.8284, 150.0, 13.8, 0.5, 5.0, _TABLE_S3),
}

SETS = tuple(_ROWS)
"""Names of the parameter sets."""


def rule(name: str = "DP", potential: str = FLAT) -> Synapse:
    """The rule with parameter set `name`, one of `SETS`, and a `potential`, `FLAT` or `DOUBLE_WELL`."""
    if name not in _ROWS:
        raise KeyError(f"graupner2012 has no parameter set {name!r}; allowed: {', '.join(SETS)}")
    tau_Ca, Cpre, Cpost, theta_d, theta_p, gamma_d, gamma_p, sigma, tau, D, beta, b, source = _ROWS[name]
    return Synapse(
        name="calcium",
        equations=equations(potential),
        pathways=(Pathway(event="pre", code="c += Cpre", delay="D"), Pathway(event="post", code="c += Cpost")),
        method="heun",
        parameters={
            "tau_Ca": parameter(tau_Ca, "ms", low=1, high=500, says="decay time of calcium", source=source),
            "Cpre": parameter(Cpre, low=0, high=20, says="calcium of a presynaptic spike", source=source),
            "Cpost": parameter(Cpost, low=0, high=20, says="calcium of a postsynaptic spike", source=source),
            "theta_d": parameter(theta_d, low=0.05, high=20, says="depression threshold", source=source),
            "theta_p": parameter(theta_p, low=0.05, high=20, says="potentiation threshold", source=source),
            "gamma_d": parameter(gamma_d, low=0, high=1e5, says="rate of depression", source=source),
            "gamma_p": parameter(gamma_p, low=0, high=1e5, says="rate of potentiation", source=source),
            "sigma": parameter(sigma, low=0, high=1000, says="amplitude of the noise", source=source),
            "tau": parameter(tau, "second", low=0.1, high=1e5, says="time constant of the efficacy", source=source),
            "D": parameter(D, "ms", low=0, high=200, says="delay of the presynaptic calcium", source=source),
            "rho_star": parameter(0.5, low=0, high=1, says="basin boundary", source=source),
            "beta": parameter(beta, low=0, high=1, says="share of synapses DOWN before", source=source),
            "b": parameter(b, low=1, high=1000, says="weight UP / weight DOWN", source=source),
        },
        initial={"c": parameter(0.0, says="calcium"), "rho": parameter(0.0, says="efficacy")},
        reference="Graupner & Brunel 2012, PNAS 109:3991, eqs. 1 and 2 with "
        + ("double-well" if potential else "flat")
        + " potential; noise as corrected, PNAS 109:21551",
    )


def pair(name: str = "DP", potential: str = FLAT) -> Circuit:
    """One synapse between two ports whose spikes the protocol imposes; the rule is placed as ``calcium``."""
    return Circuit(
        name="graupner2012",
        populations=(Population(name="pre"), Population(name="post")),
        projections=(Projection(name="calcium", synapse=rule(name, potential), pre="pre", post="post"),),
    )


CIRCUITS = {f"graupner2012 {name}": (lambda name=name: pair(name)) for name in SETS} | {
    f"graupner2012 {name} bistable": (lambda name=name: pair(name, DOUBLE_WELL)) for name in ("DP", "cortical slices")
}
