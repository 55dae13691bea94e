"""Two-phase plasticity with synaptic tagging and capture: calcium makes an early change that, tagged, proteins turn into a late one.

Luboeinski J, Tetzlaff C (2021) Memory consolidation and improvement by synaptic tagging and capture in recurrent neural networks.
Commun Biol 4:275, doi 10.1038/s42003-021-01778-y. Values as in the authors' public programs (jlubo/memory-consolidation-stc,
jlubo/arbor_2N1S); theta_p and theta_d after Li, Kulvicius & Tetzlaff 2016, the rest of the calcium rule after Graupner & Brunel 2012.

    Ca             calcium, jumps by Cpre at a presynaptic spike (D later) and by Cpost at a postsynaptic one, decays with tau_Ca
    h              early-phase weight, rises above theta_p and falls above theta_d (rates gamma_p, gamma_d), leaks to h0 with leak/tau_h
    h0, h_max      initial weight and upper bound of h                   sigma_pl     noise of h while calcium is above a threshold
    p              protein of the postsynaptic neuron, made at the rate alpha/tau_p while the sum of |h - h0| over its synapses is above
                   theta_pro, lost with tau_p
    z              late-phase weight, grows to 1 (shrinks to -0.5) with tau_z/p while a synapse is tagged: h - h0 above (below -) theta_tag
    h + h0*z       the weight: how much a presynaptic spike, d_axonal later, moves the postsynaptic potential, decaying with tau_syn
    V, V_rev, V_reset, V_th, tau_mem, t_ref    membrane potential, its rest, reset, threshold, time constant (R*C) and refractory period

Three forms of one rule. In `single` each synapse has a neuron of its own and p stands beside h and z; two ports, so every protocol of
pairs and trains fits. In `pathways` several synapses share the protein of one neuron. Both are stepped from event to event; the neuron
does not fire by itself. In `neurons` the two neurons are leaky integrators on a clock: a pulse makes the first one fire, unless it is
refractory. With these parameters the second one fires practically never.

A neuromodulator sets the threshold of protein synthesis (`theta_pro`): ``protocol.during(made, "stc.theta_pro", theta_pro(0.18), "1 h", "2 h")``.
An inhibitor of protein synthesis is ``during(made, "neuron.alpha", 0, ...)``.
"""

from bioneuro.model import Circuit, Neuron, Parameter, Pathway, Population, Projection, Synapse, parameter

_PAPER = "Luboeinski & Tetzlaff 2021, Commun Biol 4:275; authors' public programs"
_REFERENCE = "Luboeinski & Tetzlaff 2021, Commun Biol 4:275, doi 10.1038/s42003-021-01778-y"
_CALCIUM = "Graupner & Brunel 2012 (slices), as in Luboeinski & Tetzlaff 2021"
_LEVELS = "Li, Kulvicius & Tetzlaff 2016, as in Luboeinski & Tetzlaff 2021"

#   set           Cpre  Cpost
_ROWS = {
    "single synapse": (1.0, 0.2758),
    "network": (0.6, 0.16548),
}

SETS = tuple(_ROWS)
"""Names of the parameter sets: they differ in how much calcium a spike brings."""

EARLY = """
dCa/dt = -Ca/tau_Ca : 1
dh/dt = (leak*(h0 - h) + gamma_p*(h_max - h)*int(Ca >= theta_p) - gamma_d*h*int(Ca >= theta_d))/tau_h
        + sigma_pl*sqrt((int(Ca >= theta_p) + int(Ca >= theta_d))/tau_h)*xi : volt
"""
"""Calcium and the early phase."""

PROTEIN = "dp/dt = (alpha*int({change} >= theta_pro) - p)/tau_p : 1\n"
LATE = "dz/dt = {p}*((1 - z)*int(h - h0 >= theta_tag) - (z + 0.5)*int(h0 - h >= theta_tag))/tau_z : 1\n"
"""Protein, given the change that it hangs on, and the late phase, given the name of the protein there."""

H0 = 5 * 1645.6 / (1645.6 + 313.1)
"""Initial weight, mV: half of what h rises to while both thresholds are exceeded, so that potentiation reaches 200 %."""


def theta_pro(nm: float) -> str:
    """The threshold of protein synthesis under an amount `nm` of a neuromodulator: h0/(nm + 0.001), so 1000 h0 without any.

    As in the authors' programs (after Clopath et al. 2008), where 0.06, 0.12 and 0.18 are low, moderate and high, and 2 stands for the
    threshold of a rule without neuromodulator, h0/2 (Lehr, Luboeinski & Tetzlaff 2022, Sci Rep 12:17772, doi 10.1038/s41598-022-22430-7).

    >>> theta_pro(2.0)
    '2.09933 mV'

    Raises:
        ValueError: a negative amount.
    """
    if not nm >= 0:
        raise ValueError(f"theta_pro: an amount of {nm}; give 0 or more, such as 0.18")
    return f"{round(H0, 5) / (nm + 0.001):.6g} mV"


def _calcium(name: str) -> dict[str, Parameter]:
    if name not in _ROWS:
        raise KeyError(f"luboeinski2021 has no parameter set {name!r}; allowed: {', '.join(SETS)}")
    Cpre, Cpost = _ROWS[name]
    return {
        "tau_Ca": parameter(48.8, "ms", low=1, high=500, says="decay time of calcium", source=_CALCIUM),
        "Cpre": parameter(Cpre, low=0, high=20, says="calcium of a presynaptic spike", source=_CALCIUM),
        "Cpost": parameter(Cpost, low=0, high=20, says="calcium of a postsynaptic spike", source=_CALCIUM),
        "D": parameter(18.8, "ms", low=0, high=200, says="delay of the presynaptic calcium", source=_CALCIUM),
        "theta_p": parameter(3.0, low=0.05, high=20, says="potentiation threshold", source=_LEVELS),
        "theta_d": parameter(1.2, low=0.05, high=20, says="depression threshold", source=_LEVELS),
        "gamma_p": parameter(1645.6, low=0, high=1e5, says="rate of potentiation", source=_CALCIUM),
        "gamma_d": parameter(313.1, low=0, high=1e5, says="rate of depression", source=_CALCIUM),
        "tau_h": parameter(688.4, "second", low=1, high=1e5, says="time constant of the early phase", source=_CALCIUM),
        "leak": parameter(0.1, low=0, high=10, says="rate at which the early phase leaks to h0", source=_PAPER),
        "h0": parameter(round(H0, 5), "mV", low=0.01, high=100, says="initial weight", source=_PAPER),
        "h_max": parameter(10, "mV", low=0.01, high=1000, says="upper bound of the early phase", source=_PAPER),
        "sigma_pl": parameter(2.90436, "mV", low=0, high=100, says="noise of the early phase", source=_PAPER),
        "theta_tag": parameter(0.2 * round(H0, 5), "mV", low=1e-3, high=100, says="change of h at which a tag is set", source=_PAPER),
        "tau_z": parameter(3600, "second", low=1, high=1e6, says="time constant of the late phase", source=_PAPER),
    }


def _protein() -> dict[str, Parameter]:
    return {
        "theta_pro": parameter(0.5 * round(H0, 5), "mV", low=1e-3, high=1e4, says="change of h at which protein is made", source=_PAPER),
        "tau_p": parameter(3600, "second", low=1, high=1e6, says="time constant of the protein", source=_PAPER),
        "alpha": parameter(1.0, low=0, high=100, says="protein while it is made", source=_PAPER),
    }


def rule(name: str = "single synapse", *, shared: bool = False, transmission: bool = False) -> Synapse:
    """The rule with parameter set `name`, one of `SETS`.

    Arguments:
        shared: the protein is that of the postsynaptic neuron, whose `total` sums over its synapses; else the synapse has its own.
        transmission: a presynaptic spike also moves the postsynaptic potential (`psp`).
    """
    late = LATE.format(p="p_post" if shared else "p")
    protein = "total_post = abs(h - h0) : volt (summed)\n" if shared else PROTEIN.format(change="abs(h - h0)")
    pathways = [Pathway(event="pre", code="Ca += Cpre", delay="D"), Pathway(event="post", code="Ca += Cpost")]
    parameters = _calcium(name) if shared else {**_calcium(name), **_protein()}
    if transmission:
        pathways.insert(0, Pathway(event="pre", code="psp_post += h + h0*z", delay="d_axonal"))
        parameters["d_axonal"] = parameter(3, "ms", low=0, high=100, says="axonal delay", source=_PAPER)
    start = {
        "Ca": parameter(0.0, says="calcium"),
        "h": parameter(parameters["h0"].shown, "mV", says="early-phase weight"),
        "z": parameter(0.0, says="late-phase weight"),
    }
    return Synapse(
        name="stc",
        equations=EARLY + late + protein,
        pathways=tuple(pathways),
        method="heun",
        parameters=parameters,
        initial=start if shared else {**start, "p": parameter(0.0, says="protein")},
        reference=_REFERENCE,
    )


def neuron(fires: bool = False) -> Neuron:
    """The postsynaptic neuron: its protein alone, or a leaky integrator with it that `fires`."""
    protein = PROTEIN.format(change="total") + "total : volt\n"
    start = {"p": parameter(0.0, says="protein"), "total": parameter(0.0, "mV", says="sum of changes over synapses")}
    if not fires:
        return Neuron(name="neuron", equations=protein, parameters=_protein(), initial=start, reference=_REFERENCE)
    return Neuron(
        name="neuron",
        equations="dV/dt = (V_rev - V + psp)/tau_mem : volt (unless refractory)\ndpsp/dt = -psp/tau_syn : volt\n" + protein,
        threshold="V >= V_th",
        reset="V = V_reset",
        refractory="t_ref",
        method="euler",
        parameters={**_protein(), **_membrane()},
        initial={
            **start,
            "V": parameter(-65, "mV", says="membrane potential"),
            "psp": parameter(0, "mV", says="what arriving spikes drive the potential by"),
        },
        reference=_REFERENCE,
    )


def relay() -> Neuron:
    """The presynaptic neuron: every pulse makes it fire, unless it fired less than t_ref ago."""
    return Neuron(
        name="relay",
        equations="dV/dt = (V_rev - V)/tau_mem : volt (unless refractory)",
        threshold="V >= V_th",
        reset="V = V_reset",
        refractory="t_ref",
        method="euler",
        parameters={k: p for k, p in _membrane().items() if k != "tau_syn"},
        initial={"V": parameter(-65, "mV", says="membrane potential")},
        reference=_REFERENCE,
    )


def _membrane() -> dict[str, Parameter]:
    return {
        "V_rev": parameter(-65, "mV", low=-150, high=50, says="resting potential", source=_PAPER),
        "V_reset": parameter(-70, "mV", low=-150, high=50, says="reset potential", source=_PAPER),
        "V_th": parameter(-55, "mV", low=-150, high=50, says="threshold potential", source=_PAPER),
        "tau_mem": parameter(10, "ms", low=0.1, high=1000, says="membrane time constant, 10 Mohm x 1 nF", source=_PAPER),
        "tau_syn": parameter(5, "ms", low=0.1, high=1000, says="decay time of the postsynaptic potential", source=_PAPER),
        "t_ref": parameter(2, "ms", low=0, high=100, says="refractory period", source=_PAPER),
    }


def single(name: str = "single synapse") -> Circuit:
    """One synapse between two ports, alone on its neuron; the rule is placed as ``stc``, its protein is ``stc.p``."""
    return Circuit(
        name="luboeinski2021",
        populations=(Population(name="pre"), Population(name="post")),
        projections=(Projection(name="stc", synapse=rule(name), pre="pre", post="post"),),
    )


def pathways(n: int = 2, name: str = "single synapse") -> Circuit:
    """`n` synapses, one from each unit of port ``pre``, onto one neuron that holds the protein, ``neuron.p``; the rule is ``stc``."""
    return Circuit(
        name="luboeinski2021_pathways",
        populations=(Population(name="pre", size=n), Population(name="neuron", neuron=neuron())),
        projections=(Projection(name="stc", synapse=rule(name, shared=True), pre="pre", post="neuron"),),
    )


def neurons(name: str = "single synapse") -> Circuit:
    """Pulses on port ``input`` make ``relay`` fire; synapse ``stc`` moves the potential of ``neuron`` and learns. For a clock."""
    pulse = Synapse(name="pulse", equations="", pathways=(Pathway(event="pre", code="V_post += strength"),), parameters={
        "strength": parameter(100, "mV", low=0, high=1000, says="a pulse that always reaches threshold", source="chosen here"),
    }, reference="chosen here: the stimulating electrode")  # fmt: skip
    return Circuit(
        name="luboeinski2021_neurons",
        populations=(Population(name="input"), Population(name="relay", neuron=relay()), Population(name="neuron", neuron=neuron(fires=True))),
        projections=(
            Projection(name="pulse", synapse=pulse, pre="input", post="relay"),
            Projection(name="stc", synapse=rule(name, shared=True, transmission=True), pre="relay", post="neuron"),
        ),
    )


CIRCUITS = {f"luboeinski2021 {name}": (lambda name=name: single(name)) for name in SETS} | {
    "luboeinski2021 pathways": pathways,
    "luboeinski2021 neurons": neurons,
}
