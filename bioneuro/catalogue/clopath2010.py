"""Voltage-based STDP with its AdEx neuron, as the equations are printed: in continuous time, for any clock.

Clopath C, Buesing L, Vasilaki E, Gerstner W (2010) Connectivity reflects coding: a model of voltage-based STDP with homeostasis.
Nat Neurosci 13:344, doi 10.1038/nn.2479; code: ModelDB 144566. What that code does step by step is `clopath2010_code`.

rule      w                 weight                          x                   presynaptic trace, 1/tau_x at a spike, integral 1
          u_minus, u_plus   filtered voltage of depression, potentiation; time constants tau_minus, tau_plus
          theta_minus/plus  thresholds of the filtered voltages / of the voltage      A_LTD, A_LTP   amplitudes      w_min, w_max   bounds
          u2, tau_2, u_rest mean square of u - u_rest, over tau_2                     u2_ref         its reference value
          homeostasis       1: A_LTD is multiplied by u2/u2_ref, as in the networks of the paper; 0: it is not, as in its pairings
          own_spike         1: filtered voltages read during a spike contain it; 0: they are u_minus_0, u_plus_0, those before it
neuron    u                 membrane potential              C, g_L, E_L         capacitance, leak
          V_T, Delta_T      threshold of initiation, slope  V_T_rest/max        its value at rest, after a spike; time constant tau_V_T
          w_ad, tau_w, a, b adaptation current              z, I_sp, tau_z      current after a spike
          V_peak            a spike is detected above it    V_spike, t_spike    height and duration of the spike, during which held = 1
          V_reset           potential after the spike       I                   injected current

The paper prints no V_peak, V_spike, t_spike and V_reset; they are the code's. A spike must have a duration, or it would hardly potentiate.
The step in which u passes V_peak is not seen by the rule (`seen`): u has no meaning there.

Read as printed (own_spike = 1), potentiation during a spike sees what that spike has done to u_plus: a single pair of pre before post
potentiates, the more the longer t_spike is, where the published figure has no change at 0.1 Hz. The code reads both filtered voltages 3 ms
late, "before this spike" in its words; own_spike = 0 means that in continuous time. It is the version to use with spikes; under voltage
clamp the two are one.

A pulse of 1 uA that lasts 1 ms makes one spike, in the first step of the pulse (clocks of 0.05 to 1 ms): the time of the spike is the
pulse's begin. ``protocol.by_current(..., "post", "1 uA", width="1 ms")`` does so.
"""

from bioneuro.model import Circuit, Neuron, Parameter, Pathway, Population, Projection, Synapse, parameter

REFERENCE = "Clopath, Buesing, Vasilaki & Gerstner 2010, Nat Neurosci 13:344"
CODE = "ModelDB 144566, VoTriCode"
_A, _B = "Clopath et al. 2010, Table 1a", "Clopath et al. 2010, Table 1b"
_BOUNDS = f"{CODE}/RFdevelop.m"
_REFERENCES = "Clopath et al. 2010, Methods: 60 in Fig. 5, 80 in Fig. 6, 50 in Fig. 7"
_UNPRINTED = f"{CODE}/aEIF.m; not in the paper"

#   set                 theta_minus/plus A_LTD    A_LTP  tau_x  tau_minus/plus
_ROWS = {
    "visual cortex": (-70.6, -45.3, 14e-5, 8e-5, 15.0, 10.0, 7.0),
    "somatosensory": (-70.6, -45.3, 21e-5, 30e-5, 30.0, 6.0, 5.0),
}

SETS = tuple(_ROWS)
"""Names of the complete parameter sets."""

INCOMPLETE = {
    "hippocampal": "Table 1b leaves tau_minus and tau_plus blank; it gives theta_minus -41 mV, theta_plus -38 mV, A_LTD 38e-5/mV, "
    "A_LTP 2e-5/mV**2, tau_x 16 ms: all that a constant voltage clamp needs (bioneuro.theory.clopath2010)"
}
"""Parameter sets of the paper that lack a value -> what is missing. They have no circuit."""

NEURON = """
du/dt = (1 - held)*(g_L*(E_L - u) + g_L*Delta_T*exp(rise) - w_ad + z + I)/C : volt
dw_ad/dt = (1 - held)*(a*(clip(u, 10*E_L, V_peak) - E_L) - w_ad)/tau_w : amp
dz/dt = -(1 - held)*z/tau_z : amp
dV_T/dt = (1 - held)*(V_T_rest - V_T)/tau_V_T : volt
rise = clip((u - V_T)/Delta_T, -100, 100) : 1
held : 1
I : amp
"""
# The clips act in the step of a spike only: exp stays finite, and adaptation does not see how far the step overshot.

EQUATIONS = """
dw/dt = seen*clip(LTP, 0*LTP, (w_max - w)/dt) : 1
dx/dt = -x/tau_x : hertz
du_minus/dt = seen*(u_post - u_minus)/tau_minus : volt
du_plus/dt = seen*(u_post - u_plus)/tau_plus : volt
du2/dt = seen*((u_post - u_rest)**2 - u2)/tau_2 : volt**2
u_minus_0 : volt
u_plus_0 : volt
seen = int(abs(V_spike_post - u_post) == V_spike_post - u_post) : 1
read_minus = u_minus + (1 - own_spike)*held_post*(u_minus_0 - u_minus) - theta_minus : volt
read_plus = u_plus + (1 - own_spike)*held_post*(u_plus_0 - u_plus) - theta_minus : volt
above = u_post - theta_plus : volt
LTP = A_LTP*x*(above + abs(above))*(read_plus + abs(read_plus))/4 : hertz
"""
# (y + |y|)/2 is the rectified y. The limit (w_max - w)/dt acts where a step would pass w_max; seen is u_post <= V_spike.

ON_PRE = "w = clip(w - A_LTD*(1 - homeostasis + homeostasis*u2/u2_ref)*(read_minus + abs(read_minus))/2, w_min, w_max); x += 1/tau_x"
ON_POST = "u_minus_0 = u_minus; u_plus_0 = u_plus"


def check_set(name: str) -> None:
    """Refuse, by `KeyError`, all but the names in `SETS`."""
    if name in INCOMPLETE:
        raise KeyError(f"clopath2010: the set {name!r} is incomplete: {INCOMPLETE[name]}; allowed: {', '.join(SETS)}")
    if name not in SETS:
        raise KeyError(f"clopath2010 has no parameter set {name!r}; allowed: {', '.join(SETS)}")


def membrane() -> dict[str, Parameter]:
    """Parameters of the neuron that the paper and its code have in common."""
    return {
        "C": parameter(281, "pF", low=1, high=10000, says="membrane capacitance", source=_A),
        "g_L": parameter(30, "nS", low=0.1, high=1000, says="leak conductance", source=_A),
        "E_L": parameter(-70.6, "mV", low=-120, high=-20, says="resting potential", source=_A),
        "Delta_T": parameter(2, "mV", low=0.1, high=20, says="slope factor", source=_A),
        "V_T_rest": parameter(-50.4, "mV", low=-120, high=0, says="threshold of spike initiation at rest", source=_A),
        "tau_w": parameter(144, "ms", low=0.1, high=10000, says="time constant of adaptation", source=_A),
        "a": parameter(4, "nS", low=-1000, high=1000, says="subthreshold adaptation", source=_A),
        "I_sp": parameter(400, "pA", low=-1e5, high=1e5, says="current after a spike", source=_A),
        "tau_z": parameter(40, "ms", low=0.1, high=10000, says="decay time of the current after a spike", source=_A),
        "tau_V_T": parameter(50, "ms", low=0.1, high=10000, says="decay time of the raised threshold", source=_A),
        "V_T_max": parameter(
            -30.4, "mV", low=-120, high=100, says="threshold after a spike", source=f"{CODE}/aEIF.m (20 mV over rest); Table 1a prints 30.4 mV"
        ),
        "V_peak": parameter(20, "mV", low=-40, high=100, says="spike detection", source=_UNPRINTED),
        "V_reset": parameter(
            -49.5016, "mV", low=-120, high=0, says="potential after the spike, E_L + 15 + 6.0984 mV", source=_UNPRINTED
        ),
    }  # fmt: skip


def plasticity(name: str) -> dict[str, Parameter]:
    """Parameters of the rule, set `name`, that the paper and its code have in common."""
    check_set(name)
    theta_minus, theta_plus, A_LTD, A_LTP, tau_x, tau_minus, tau_plus = _ROWS[name]
    says = "1: A_LTD is multiplied by u2/u2_ref; 0: it is constant"
    return {
        "theta_minus": parameter(theta_minus, "mV", low=-120, high=0, says="threshold of the filtered voltages", source=_B),
        "theta_plus": parameter(theta_plus, "mV", low=-120, high=50, says="threshold of the voltage for potentiation", source=_B),
        "A_LTD": parameter(A_LTD, "1/mV", low=0, high=1, says="depression by a spike, per mV", source=_B),
        "A_LTP": parameter(A_LTP, "1/mV**2", low=0, high=1, says="potentiation, per mV**2", source=f"{_B} (headed A_LTD a second time)"),
        "tau_x": parameter(tau_x, "ms", low=1, high=1000, says="decay time of the presynaptic trace", source=_B),
        "tau_minus": parameter(tau_minus, "ms", low=1, high=1000, says="filter time of the voltage for depression", source=_B),
        "tau_plus": parameter(tau_plus, "ms", low=1, high=1000, says="filter time of the voltage for potentiation", source=_B),
        "w_min": parameter(0, low=-1000, high=1000, says="lower bound of the weight", source=_BOUNDS),
        "w_max": parameter(3, low=-1000, high=1000, says="upper bound of the weight", source=_BOUNDS),
        "homeostasis": parameter(0, low=0, high=1, says=says, source=f"{CODE}: VoTri.m (pairings) has none, RFdevelop.m has"),
        "u2_ref": parameter(60, "mV**2", low=1, high=10000, says="reference of u2", source=_REFERENCES),
        "tau_2": parameter(
            1.2, "second", low=0.01, high=1e4, says="averaging time of u2", source=f"{CODE}/RFdevelop.m; the paper squares a mean over 1 s"
        ),
        "u_rest": parameter(-70.6, "mV", low=-120, high=0, says="potential from which u2 counts", source=f"{CODE}/RFdevelop.m"),
    }  # fmt: skip


def neuron(method: str = "rk4") -> Neuron:
    """The neuron; `method` is an integrator for non-linear equations (rk4, rk2, euler). Its spikes end by `repolarisation`."""
    height = "height of the spike, mean of the two values of the code, 29.4 and 32.862 mV"
    step = f"{_A}; the code adds 0.0805 pA, Brette & Gerstner 2005 have 80.5 pA"
    return Neuron(
        name="adex",
        equations=NEURON,
        threshold="u > V_peak and held < 0.5",
        reset="u = V_spike; w_ad += b; z = I_sp; V_T = V_T_max; held = 1",
        method=method,
        input="I",
        parameters={
            **membrane(),
            "V_spike": parameter(31.131, "mV", low=-40, high=200, says=height, source=_UNPRINTED),
            "b": parameter(0.805, "pA", low=0, high=1e4, says="spike-triggered adaptation", source=step),
        },
        initial={
            "u": parameter(-70.6, "mV"), "w_ad": parameter(0, "pA"), "z": parameter(0, "pA"), "V_T": parameter(-50.4, "mV"),
            "held": parameter(0), "I": parameter(0, "pA"),
        },
        reference=f"{REFERENCE}, Methods and Table 1a",
    )  # fmt: skip


def repolarisation() -> Synapse:
    """From a neuron to itself: ends its spike, t_spike after the detection."""
    return Synapse(
        name="repolarisation",
        equations="",
        pathways=(Pathway(event="pre", code="held_post -= 1; u_post += V_reset_post - V_spike_post", delay="t_spike"),),
        parameters={"t_spike": parameter(2, "ms", low=0.01, high=10, says="duration of the spike, two steps of the code", source=_UNPRINTED)},
        reference=f"{REFERENCE}; {CODE}/aEIF.m",
    )


def rule(name: str = "visual cortex", own_spike: bool = True, method: str = "rk4") -> Synapse:
    """The rule with parameter set `name`, one of `SETS`; `method` is one of Brian2's integrators (rk4, rk2, euler)."""
    says = "1: filtered voltages read during a spike contain it, as printed; 0: they are those before it, as the code wants them"
    return Synapse(
        name="clopath",
        equations=EQUATIONS,
        pathways=(Pathway(event="pre", code=ON_PRE), Pathway(event="post", code=ON_POST)),
        method=method,
        parameters={
            **plasticity(name),
            "own_spike": parameter(float(own_spike), low=0, high=1, says=says, source=f"eq. 3 as printed (1); comment in {CODE}/aEIF.m (0)"),
        },
        initial={
            "w": parameter(0.5, says="weight", source=f"{CODE}/VoTri.m"),
            "x": parameter(0, "Hz"),
            **{state: parameter(-70.6, "mV") for state in ("u_minus", "u_plus", "u_minus_0", "u_plus_0")},
            "u2": parameter(0, "mV**2"),
        },
        reference=f"{REFERENCE}, eq. 3 and Table 1b",
    )


def pair(name: str = "visual cortex", own_spike: bool = True, method: str = "rk4") -> Circuit:
    """One synapse, placed as ``clopath``, from a port ``pre`` to a neuron ``post`` that current makes fire.

    Arguments:
        name: one of `SETS`.
        own_spike: whether filtered voltages read during a spike contain it: as the equations are printed, or as the paper's text means them.
        method: integrator of both, rk4, rk2 or euler.
    """
    return Circuit(
        name="clopath2010",
        populations=(Population(name="pre"), Population(name="post", neuron=neuron(method))),
        projections=(
            Projection(name="clopath", synapse=rule(name, own_spike, method), pre="pre", post="post"),
            Projection(name="repolarisation", synapse=repolarisation(), pre="post", post="post"),
        ),
    )


def clamp() -> Neuron:
    """A "neuron" whose potential is the protocol's: ``u`` is the input ``u_clamp`` (volt). It fires no spikes."""
    return Neuron(
        name="clamp",
        equations="du/dt = (u_clamp - u)/dt : volt\nheld : 1\nu_clamp : volt",
        threshold="held > 0.5",
        reset="held = 0",
        method="euler",
        input="u_clamp",
        parameters={"V_spike": parameter(1, "volt", low=0.2, high=10, says="the rule sees no potential above it", source="chosen here")},
        initial={"u": parameter(-70.6, "mV"), "held": parameter(0), "u_clamp": parameter(-70.6, "mV")},
        reference="voltage clamp",
    )


def clamped(name: str = "visual cortex", method: str = "rk4") -> Circuit:
    """The synapse of `pair` onto a cell under voltage clamp (`clamp`), for protocols such as that of the paper's Fig. 1h.

    With method rk4 and a clamp that changes on the grid, the weight follows `bioneuro.theory.clopath2010` to the clock's fourth order.
    """
    return Circuit(
        name="clopath2010_clamped",
        populations=(Population(name="pre"), Population(name="post", neuron=clamp())),
        projections=(Projection(name="clopath", synapse=rule(name, method=method), pre="pre", post="post"),),
    )


CIRCUITS = {
    **{f"clopath2010 {name}": (lambda name=name: pair(name)) for name in SETS},
    **{f"clopath2010 {name}, voltages before the spike": (lambda name=name: pair(name, own_spike=False)) for name in SETS},
}
