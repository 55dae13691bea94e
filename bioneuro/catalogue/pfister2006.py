"""The triplet rule of spike-timing-dependent plasticity, all-to-all and nearest-spike, full and minimal.

Pfister JP, Gerstner W (2006) Triplets of spikes in a model of spike timing-dependent plasticity. J Neurosci 26:9673,
doi 10.1523/JNEUROSCI.1425-06.2006.

    w          weight, in units of its value before: the published amplitudes are fractions of it. The rule has no bounds, nor has w
    r1, r2     presynaptic traces, decaying with tau_plus and tau_x
    o1, o2     postsynaptic traces, decaying with tau_minus and tau_y
    A2_plus, A2_minus    change by a pair                  A3_plus, A3_minus    change by a triplet

A spike adds 1 to its traces (all-to-all) or sets them to 1 (nearest-spike). It changes the weight first, so that r2 and o2 are those just
before the spike: a spike makes no triplet with itself. A presynaptic spike is processed before a postsynaptic one at the same time: at lag
0 a pair is causal, potentiates by A2_plus + A3_plus*o2, and does not depress.

The tables of the minimal models give no tau_x, and A3_minus = 0 there: the equations of these sets have no r2. Where A2_plus is 0 it is kept,
as a number that can be changed.
"""

from bioneuro.model import Circuit, Pathway, Population, Projection, Synapse, parameter

FULL = """
w : 1
dr1/dt = -r1/tau_plus : 1 (event-driven)
dr2/dt = -r2/tau_x : 1 (event-driven)
do1/dt = -o1/tau_minus : 1 (event-driven)
do2/dt = -o2/tau_y : 1 (event-driven)
"""

MINIMAL = """
w : 1
dr1/dt = -r1/tau_plus : 1 (event-driven)
do1/dt = -o1/tau_minus : 1 (event-driven)
do2/dt = -o2/tau_y : 1 (event-driven)
"""

_POTENTIATE = "w += r1*(A2_plus + A3_plus*o2)"

#   model and interaction    equations  on a presynaptic spike                                on a postsynaptic spike
_TEXT = {
    ("full", "all-to-all"): (FULL, "w -= o1*(A2_minus + A3_minus*r2); r1 += 1; r2 += 1", f"{_POTENTIATE}; o1 += 1; o2 += 1"),
    ("full", "nearest"): (FULL, "w -= o1*(A2_minus + A3_minus*r2); r1 = 1; r2 = 1", f"{_POTENTIATE}; o1 = 1; o2 = 1"),
    ("minimal", "all-to-all"): (MINIMAL, "w -= o1*A2_minus; r1 += 1", f"{_POTENTIATE}; o1 += 1; o2 += 1"),
    ("minimal", "nearest"): (MINIMAL, "w -= o1*A2_minus; r1 = 1", f"{_POTENTIATE}; o1 = 1; o2 = 1"),
}

_CORTEX = "Pfister & Gerstner 2006, Table 3 (visual cortex: Sjostrom et al. 2001)"
_CULTURE = "Pfister & Gerstner 2006, Table 4 (hippocampal cultures: Wang et al. 2005)"

#     set                                 A2_plus  A3_plus  A2_minus A3_minus tau_x  tau_y
_ROWS = {
    "visual cortex all-to-all full": (5e-10, 6.2e-3, 7e-3, 2.3e-4, 101.0, 125.0, _CORTEX),
    "visual cortex all-to-all minimal": (0.0, 6.5e-3, 7.1e-3, None, None, 114.0, _CORTEX),
    "visual cortex nearest full": (8.8e-11, 5.3e-2, 6.6e-3, 3.1e-3, 714.0, 40.0, _CORTEX),
    "visual cortex nearest minimal": (0.0, 5.0e-2, 8.0e-3, None, None, 40.0, _CORTEX),
    "hippocampus all-to-all full": (6.1e-3, 6.7e-3, 1.6e-3, 1.4e-3, 946.0, 27.0, _CULTURE),
    "hippocampus all-to-all minimal": (5.3e-3, 8.0e-3, 3.5e-3, None, None, 40.0, _CULTURE),
    "hippocampus nearest full": (4.6e-3, 9.1e-3, 3.0e-3, 7.5e-9, 575.0, 47.0, _CULTURE),
    "hippocampus nearest minimal": (4.6e-3, 9.1e-3, 3.0e-3, None, None, 48.0, _CULTURE),
}

SETS = tuple(_ROWS)
"""Names of the parameter sets: data, interaction of spikes, model."""


def rule(name: str = "visual cortex all-to-all minimal") -> Synapse:
    """The rule with parameter set `name`, one of `SETS`."""
    if name not in _ROWS:
        raise KeyError(f"pfister2006 has no parameter set {name!r}; allowed: {', '.join(SETS)}")
    A2_plus, A3_plus, A2_minus, A3_minus, tau_x, tau_y, source = _ROWS[name]
    interaction, model = name.split()[-2:]
    equations, on_pre, on_post = _TEXT[model, interaction]
    fixed = f"{source.partition(' (')[0]}, from Bi & Poo 2001, Annu Rev Neurosci 24:139"
    parameters = {
        "tau_plus": parameter(16.8, "ms", low=0.1, high=1000, says="decay time of r1", source=fixed),
        "tau_minus": parameter(33.7, "ms", low=0.1, high=1000, says="decay time of o1", source=fixed),
        "tau_y": parameter(tau_y, "ms", low=0.1, high=10000, says="decay time of o2", source=source),
        "A2_plus": parameter(A2_plus, low=0, high=1, says="potentiation of a pair at lag 0", source=source),
        "A3_plus": parameter(A3_plus, low=0, high=1, says="potentiation of a post-pre-post triplet", source=source),
        "A2_minus": parameter(A2_minus, low=0, high=1, says="depression of a pair at lag 0", source=source),
    }
    initial = {"w": parameter(1.0, says="weight"), **{trace: parameter(0.0) for trace in ("r1", "o1", "o2")}}
    if tau_x is not None:
        parameters["tau_x"] = parameter(tau_x, "ms", low=0.1, high=10000, says="decay time of r2", source=source)
        parameters["A3_minus"] = parameter(A3_minus, low=0, high=1, says="depression of a pre-post-pre triplet", source=source)
        initial["r2"] = parameter(0.0)
    return Synapse(
        name="triplet",
        equations=equations,
        pathways=(Pathway(event="pre", code=on_pre), Pathway(event="post", code=on_post)),
        parameters=parameters,
        initial=initial,
        reference="Pfister & Gerstner 2006, J Neurosci 26:9673",
    )


def pair(name: str = "visual cortex all-to-all minimal") -> Circuit:
    """One synapse between two ports whose spikes the protocol imposes; the rule is placed as ``triplet``."""
    return Circuit(
        name="pfister2006",
        populations=(Population(name="pre"), Population(name="post")),
        projections=(Projection(name="triplet", synapse=rule(name), pre="pre", post="post"),),
    )


CIRCUITS = {f"pfister2006 {name}": (lambda name=name: pair(name)) for name in SETS}
