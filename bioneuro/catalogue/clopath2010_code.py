"""Voltage-based STDP with its AdEx neuron, as the authors' published code computes it: to its digits, on its clock of 1 ms.

Clopath C, Buesing L, Vasilaki E, Gerstner W (2010) Connectivity reflects coding: a model of voltage-based STDP with homeostasis.
Nat Neurosci 13:344, doi 10.1038/nn.2479; code: ModelDB 144566, folder VoTriCode: aEIF.m (neuron), VoTri.m (rule and pairing protocol),
FrequencyDependence.m (Fig. 2b), RFdevelop.m (homeostasis, bounds). In continuous time: `clopath2010`, with the legend of all symbols;
here in addition

    early, late       1 in the first, second millisecond of a spike      V_early, V_late   potentials that the code holds in them
    u_start ...       states at the begin of a step, where a spike that has lasted two milliseconds has ended
    u_last            potential one step ago
    X                 1 after a presynaptic spike, for one step: X/dt is the spike train of eq. 3
    u_minus_1 ... 3   u_minus one to three steps ago; u_plus_1 ... 3 likewise

What the code does and the paper does not say, all of it here:

- Forward Euler with 1 ms. dx/dt = (y - x)/dt is then a memory of one step, since the integrator makes x the last y. Use no other clock.
- A spike (u > 20 mV) is held at 29.4 and then 32.862 mV, and ends at -49.5016 mV, from which the same step goes on. Adaptation stands still
  in the second millisecond. V_T and z are set when the spike ends, and so is w_ad: by b = 0.0805, named nA there but added to pA.
- Potentiation and depression read u_minus and u_plus three steps late: without that a pair at 0.1 Hz would potentiate.
- A presynaptic spike enters x one step later, without a step of decay.
- Pairing (VoTri.m) has neither homeostasis nor bounds, which are RFdevelop.m's; with homeostasis = 0 and away from the bounds it is VoTri.m.

The weight is that of the code one step later: after n + 1 steps w is what the code has after n, since a synapse is stepped before the spikes
of a step are known. In VoTri.m a current of 1e6 pA for one step makes a spike in that step; so does by_current(..., "1 uA", width="1 ms").
"""

from bioneuro.catalogue.clopath2010 import CODE, REFERENCE, SETS, membrane, plasticity
from bioneuro.model import Circuit, Neuron, Pathway, Population, Projection, Synapse, parameter

NEURON = """
du/dt = (early*V_late + (1 - early)*(u_start + dt*slope) - u)/dt : volt
dw_ad/dt = (w_start - w_ad)/dt + (1 - early)*(a*(u_start - E_L) - w_start)/tau_w : amp
dz/dt = (z_start - z)/dt - z_start/tau_z : amp
dV_T/dt = (V_T_start - V_T)/dt + (V_T_rest - V_T_start)/tau_V_T : volt
dearly/dt = -clip(early, 0, 1)/dt : 1
dlate/dt = (early - late)/dt : 1
du_last/dt = (u - u_last)/dt : volt
u_start = late*V_reset + (1 - late)*u : volt
w_start = w_ad + late*b : amp
z_start = late*I_sp + (1 - late)*z : amp
V_T_start = late*V_T_max + (1 - late)*V_T : volt
rise = clip((1 - early)*(u_start - V_T_start)/Delta_T, -100, 100) : 1
slope = (g_L*(E_L - u_start) + g_L*Delta_T*exp(rise) - w_start + z_start + I)/C : volt/second
I : amp
"""
# `rise` reaches no bound in any step that counts: below V_peak it is 36 at most. In a spike's first millisecond slope is not used.
# early is cleared by subtracting itself; the clip, idle at 0 and 1, keeps the integrator from reducing that to a constant.

EQUATIONS = """
dw/dt = (clip(w + dt*(LTP - LTD), w_min, w_max) - w)/dt : 1
dx/dt = (X/dt - x)/tau_x : hertz
dX/dt = -clip(X, 0, 1)/dt : 1
du_minus/dt = (u_last_post - u_minus)/tau_minus : volt
du_minus_1/dt = (u_minus - u_minus_1)/dt : volt
du_minus_2/dt = (u_minus_1 - u_minus_2)/dt : volt
du_minus_3/dt = (u_minus_2 - u_minus_3)/dt : volt
du_plus/dt = (u_last_post - u_plus)/tau_plus : volt
du_plus_1/dt = (u_plus - u_plus_1)/dt : volt
du_plus_2/dt = (u_plus_1 - u_plus_2)/dt : volt
du_plus_3/dt = (u_plus_2 - u_plus_3)/dt : volt
du2/dt = ((u_last_post - u_rest)**2 - u2)/tau_2 : volt**2
read_minus = u_minus_3 - theta_minus : volt
read_plus = u_plus_3 - theta_minus : volt
above = u_last_post - theta_plus : volt
LTD = A_LTD*(1 - homeostasis + homeostasis*u2/u2_ref)*X/dt*(read_minus + abs(read_minus))/2 : hertz
LTP = A_LTP*x*(above + abs(above))*(read_plus + abs(read_plus))/4 : hertz
"""

_LATE = [f"u_{which}{late}" for which in ("minus", "plus") for late in ("", "_1", "_2", "_3")]


def neuron() -> Neuron:
    """The neuron of aEIF.m."""
    source = f"{CODE}/aEIF.m"
    return Neuron(
        name="adex",
        equations=NEURON,
        threshold="u > V_peak and late < 0.5",
        reset="u = V_early; early = 1",
        method="euler",
        input="I",
        parameters={
            **membrane(),
            "V_early": parameter(29.4, "mV", low=-40, high=200, says="potential in the first millisecond of a spike", source=source),
            "V_late": parameter(32.862, "mV", low=-40, high=200, says="29.4 + 3.462 mV, potential in the second millisecond", source=source),
            "b": parameter(0.0805, "pA", low=0, high=1e4, says="spike-triggered adaptation", source=f"{source}, commented as nA but added to pA"),
        },
        initial={
            "u": parameter(-70.6, "mV"), "u_last": parameter(-70.6, "mV"), "w_ad": parameter(0, "pA"), "z": parameter(0, "pA"),
            "V_T": parameter(-50.4, "mV"), "early": parameter(0), "late": parameter(0), "I": parameter(0, "pA"),
        },
        reference=f"{REFERENCE}; {source}",
    )  # fmt: skip


def rule(name: str = "visual cortex") -> Synapse:
    """The rule of VoTri.m with parameter set `name`, one of `SETS`."""
    return Synapse(
        name="clopath",
        equations=EQUATIONS,
        pathways=(Pathway(event="pre", code="X = 1"),),
        method="euler",
        parameters=plasticity(name),
        initial={
            "w": parameter(0.5, says="weight", source=f"{CODE}/VoTri.m"),
            "x": parameter(0, "Hz"),
            "X": parameter(0),
            **{state: parameter(-70.6, "mV") for state in _LATE},
            "u2": parameter(0, "mV**2"),
        },
        reference=f"{REFERENCE}; {CODE}/VoTri.m and RFdevelop.m",
    )


def published_code(name: str = "visual cortex") -> Circuit:
    """One synapse, placed as ``clopath``, from a port ``pre`` to the neuron ``post``: run it on protocol.clock("1 ms").

    The published figures have `name` "visual cortex"; the code itself takes the other set's numbers too.
    """
    return Circuit(
        name="clopath2010_code",
        populations=(Population(name="pre"), Population(name="post", neuron=neuron())),
        projections=(Projection(name="clopath", synapse=rule(name), pre="pre", post="post"),),
    )


CIRCUITS = {f"clopath2010 published code, {name}": (lambda name=name: published_code(name)) for name in SETS}

CLOCK = dict.fromkeys(CIRCUITS, "1 ms")
"""The step that the code is written for."""
