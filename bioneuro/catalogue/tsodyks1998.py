"""Short-term plasticity: a synapse that depresses and one that facilitates (Tsodyks-Markram).

Tsodyks M, Pawelzik K, Markram H (1998) Neural networks with dynamic synapses. Neural Comput 10:821, doi 10.1162/089976698300017502.
The model without its time course: Tsodyks M, Markram H (1997) PNAS 94:719, doi 10.1073/pnas.94.2.719 (depression); Markram H, Wang Y,
Tsodyks M (1998) PNAS 95:5323, doi 10.1073/pnas.95.9.5323 (with facilitation).

    x     share of resources that is available         tau_rec    time in which they recover
    u     utilisation: share of x that a spike uses    tau_facil  time in which facilitation decays
    r     amplitude released by the last spike, u x    U          utilisation of a rested synapse, and step of facilitation

On a presynaptic spike, in this order: u is raised by U (1 - u), r = u x is released with the u just after that jump and the x just before
its own, x falls by r. Between spikes x recovers to 1 and u decays to 0: this is the convention of the papers above, in which the first spike
of a rested synapse releases U. (Another convention lets u decay to U, releases, and raises u afterwards; there the second spike differs.)
A depressing synapse has no facilitation, tau_facil = 0: there u is U at every spike.

Postsynaptic spikes do nothing. On a clock x and u are brought up to date by presynaptic spikes only: in between a recording shows them as
they were just after the last one; from event to event it shows them as they are. r is the same on both.

Known difference: in the paper of 1998 released resources stay active for tau_inact (3 and 1.5 ms) and recover from there; here they
recover at once, as in the recursions of the PNAS papers. r times A_SE (250 and 1540 pA) is the peak of the paper's current.
"""

from bioneuro.model import Circuit, Pathway, Population, Projection, Synapse, parameter

DEPRESSING = """
dx/dt = (1 - x)/tau_rec : 1 (event-driven)
u : 1
r : 1
"""

FACILITATING = """
dx/dt = (1 - x)/tau_rec : 1 (event-driven)
du/dt = -u/tau_facil : 1 (event-driven)
r : 1
"""

_SOURCE = "Tsodyks, Pawelzik & Markram 1998, Fig. 1, as read in public code (NEST and Brian2 examples)"
_U_D = f"{_SOURCE}; Brian2's example finds that 0.6 matches the figure"

#   set             equations     on a presynaptic spike                     U             tau_rec  tau_facil
_ROWS = {
    "depressing": (DEPRESSING, "u = U; r = u*x; x -= r", 0.5, _U_D, 800.0, None),
    "facilitating": (FACILITATING, "u += U*(1 - u); r = u*x; x -= r", 0.03, _SOURCE, 130.0, 530.0),
}

SETS = tuple(_ROWS)
"""Names of the parameter sets."""


def synapse(name: str = "depressing") -> Synapse:
    """The synapse with parameter set `name`, one of `SETS`."""
    if name not in _ROWS:
        raise KeyError(f"tsodyks1998 has no parameter set {name!r}; allowed: {', '.join(SETS)}")
    equations, on_pre, U, source, tau_rec, tau_facil = _ROWS[name]
    parameters = {
        "U": parameter(U, low=0, high=1, says="utilisation of a rested synapse", source=source),
        "tau_rec": parameter(tau_rec, "ms", low=0.1, high=10000, says="recovery time of resources", source=_SOURCE),
    }
    if tau_facil is not None:
        parameters["tau_facil"] = parameter(tau_facil, "ms", low=0.1, high=10000, says="decay time of facilitation", source=_SOURCE)
    return Synapse(
        name="release",
        equations=equations,
        pathways=(Pathway(event="pre", code=on_pre),),
        parameters=parameters,
        initial={"x": parameter(1.0, says="available resources"), "u": parameter(0.0), "r": parameter(0.0)},
        reference="Tsodyks, Pawelzik & Markram 1998, Neural Comput 10:821; Markram, Wang & Tsodyks 1998, PNAS 95:5323",
    )


def pair(name: str = "depressing") -> Circuit:
    """One synapse between two ports whose spikes the protocol imposes (those of ``post`` do nothing); it is placed as ``release``."""
    return Circuit(
        name="tsodyks1998",
        populations=(Population(name="pre"), Population(name="post")),
        projections=(Projection(name="release", synapse=synapse(name), pre="pre", post="post"),),
    )


CIRCUITS = {f"tsodyks1998 {name}": (lambda name=name: pair(name)) for name in SETS}
