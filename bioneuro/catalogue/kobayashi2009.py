"""Multi-timescale adaptive threshold (MAT): a leaky integrator without reset, whose threshold jumps at spikes and decays in two times.

Kobayashi R, Tsubo Y, Shinomoto S (2009) Made-to-order spiking neuron model equipped with a multi-timescale adaptive threshold.
Front Comput Neurosci 3:9, doi 10.3389/neuro.10.009.2009; parameter sets of regular spiking (RS), intrinsically bursting (IB), fast
spiking (FS) and chattering (CH) neurons as in the first author's program for Fig. 5B, which ModelDB 226422 repeats.

    v                 membrane potential, never reset       tau_m, R, E_L     membrane time constant, resistance, resting potential
    theta_1, theta_2  fast and slow part of the threshold   tau_1, tau_2      their decay times
    alpha_1, alpha_2  what a spike adds to them             omega             threshold without spikes (absolute, as in the program)
    t_ref             time after a spike in which there is no other           I   injected current

The neuron spikes when v reaches omega + theta_1 + theta_2. Fig. 5B: 0.6 nA for 500 ms. A presynaptic spike moves v at once.

Known difference: the program allows a spike when more than 2 ms have gone by since the last, here 2 ms suffice: one step sooner, which
only the CH neuron with its fast bursts meets. A t_ref of 2 ms and one step gives the program's spikes.
"""

from bioneuro.model import Circuit, Neuron, Pathway, Population, Projection, Synapse, parameter

_SOURCE = "R. Kobayashi's Matlab program for Kobayashi, Tsubo & Shinomoto 2009, Fig. 5B"
_OURS = "chosen here, so that Poisson spikes drive the neuron"

#   set  omega  alpha_1  alpha_2   mV
_ROWS = {
    "RS": (-45.0, 30.0, 2.0),
    "IB": (-46.0, 7.5, 1.5),
    "FS": (-55.0, 10.0, 0.2),
    "CH": (-39.0, -0.5, 0.4),
}

SETS = tuple(_ROWS)
"""Names of the parameter sets."""


def neuron(name: str = "RS", method: str = "exact") -> Neuron:
    """The neuron with parameter set `name`, one of `SETS`; `method` is any of Brian2's integrators (exact, euler, rk4 ...)."""
    if name not in _ROWS:
        raise KeyError(f"kobayashi2009 has no parameter set {name!r}; allowed: {', '.join(SETS)}")
    omega, alpha_1, alpha_2 = _ROWS[name]
    return Neuron(
        name="mat",
        equations="""
        dv/dt = (E_L - v + R*I)/tau_m : volt
        dtheta_1/dt = -theta_1/tau_1 : volt
        dtheta_2/dt = -theta_2/tau_2 : volt
        I : amp
        """,
        threshold="v >= omega + theta_1 + theta_2",
        reset="theta_1 += alpha_1; theta_2 += alpha_2",
        refractory="t_ref",
        method=method,
        input="I",
        parameters={
            "tau_m": parameter(5, "ms", low=0.1, high=1000, says="membrane time constant", source=_SOURCE),
            "R": parameter(50, "Mohm", low=0.1, high=10000, says="membrane resistance", source=_SOURCE),
            "E_L": parameter(-65, "mV", low=-150, high=50, says="resting potential", source=_SOURCE),
            "tau_1": parameter(10, "ms", low=0.1, high=1000, says="decay time of the fast threshold", source=_SOURCE),
            "tau_2": parameter(200, "ms", low=0.1, high=10000, says="decay time of the slow threshold", source=_SOURCE),
            "alpha_1": parameter(alpha_1, "mV", low=-100, high=1000, says="jump of the fast threshold", source=_SOURCE),
            "alpha_2": parameter(alpha_2, "mV", low=-100, high=1000, says="jump of the slow threshold", source=_SOURCE),
            "omega": parameter(omega, "mV", low=-150, high=100, says="threshold without spikes", source=_SOURCE),
            "t_ref": parameter(2, "ms", low=0, high=100, says="refractory period", source=_SOURCE),
        },
        initial={"v": parameter(-65, "mV"), "theta_1": parameter(0, "mV"), "theta_2": parameter(0, "mV"), "I": parameter(0, "nA")},
        reference="Kobayashi, Tsubo & Shinomoto 2009, Front Comput Neurosci 3:9, MAT* model",
    )


def synapse(weight: float = 8.0) -> Synapse:
    """A synapse whose spikes move ``v`` of its target by `weight` mV at once."""
    return Synapse(
        name="drive",
        equations="",
        pathways=(Pathway(event="pre", code="v_post += weight"),),
        parameters={"weight": parameter(weight, "mV", low=-1000, high=1000, says="jump of the potential", source=_OURS)},
        reference="delta synapse",
    )


def driven(size: int = 1, inputs: int = 1, name: str = "RS", method: str = "exact") -> Circuit:
    """`size` neurons of parameter set `name` driven by `inputs` ports, all to all."""
    return Circuit(
        name="kobayashi2009",
        populations=(Population(name="input", size=inputs), Population(name="mat", neuron=neuron(name, method), size=size)),
        projections=(Projection(name="drive", synapse=synapse(), pre="input", post="mat"),),
    )


CIRCUITS = {f"kobayashi2009 MAT {name}": (lambda size=1, inputs=1, name=name: driven(size, inputs, name)) for name in SETS}
