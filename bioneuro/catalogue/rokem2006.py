"""A neuron that hears a sound level and fires as an auditory receptor does: a filter, a leaky membrane, and a threshold that jumps at spikes.

The recordings are those of Rokem A, Watzl S, Gollisch T, Stemmler M, Herz AVM, Samengo I (2006) Spike-timing precision underlies the coding
efficiency of auditory receptor neurons. J Neurophysiol 95:2541-2552, doi 10.1152/jn.00891.2005. The model is not theirs but chosen here: a
membrane with the two-part threshold of Kobayashi, Tsubo & Shinomoto 2009 (Front Comput Neurosci 3:9, doi 10.3389/neuro.10.009.2009), reset at
spikes, behind a filter that is learned. All its numbers are fitted or chosen here.

    x              level of the sound, in standard deviations from its mean (6 dB); the injected current
    y_1, y_2       the level, low-passed once and twice            tau_f             time constant of each low-pass
    b, k_0..k_2    logarithm of the drive at mean level, and weights of x, y_1, y_2 in it
    v              membrane potential from the threshold at rest   tau_m             its time constant
    omega          how far below that threshold v is without sound, and after a spike
    theta_1,2      fast and slow part of the threshold             tau_1,2, a_1,2    their decay times, and what a spike adds to them

The unit of v, theta and omega is the softness of the threshold. It has no meaning for the neuron, which fires when v reaches theta_1 + theta_2;
it has one for `told`, the same neuron without spikes of its own, which is told those of a recording and notes its margin, v - theta_1 - theta_2,
just before each. With escape noise a spike in a step of dt has the probability 1 - exp(-dt log(1 + exp(margin))/ms): Gerstner & Kistler 2002,
Spiking Neuron Models, section 5.3 (from memory; the smooth ramp in place of their exponential is chosen here).
"""

import dataclasses

from bioneuro.model import Circuit, Neuron, Pathway, Population, Projection, Synapse, parameter

_OURS = "chosen here; protocols/fit_grasshopper.py fits it"

BETWEEN = {
    "receptor.b": (0.7, 2.5), "receptor.k_0": (-0.2, 0.4), "receptor.k_1": (-0.2, 0.4), "receptor.k_2": (-0.2, 0.4),
    "receptor.tau_f": ("0.3 ms", "1 ms"), "receptor.tau_m": ("0.5 ms", "5 ms"), "receptor.omega": (2, 12),
    "receptor.tau_1": ("1 ms", "5 ms"), "receptor.tau_2": ("50 ms", "500 ms"), "receptor.a_1": (3, 60), "receptor.a_2": (0.1, 3),
}  # fmt: skip
"""What a fit learns, and between which values it may start."""

THRESHOLD = ("receptor.theta_1", "receptor.theta_2")
"""Placed names of what makes the threshold of `told`."""


def neuron() -> Neuron:
    """The receptor with plain numbers, of the size of those that protocols/fit_grasshopper.py finds."""
    return Neuron(
        name="receptor",
        equations="""
        dv/dt = (exp(b + k_0*x + k_1*y_1 + k_2*y_2) - omega - v)/tau_m : 1
        dy_1/dt = (x - y_1)/tau_f : 1
        dy_2/dt = (y_1 - y_2)/tau_f : 1
        dtheta_1/dt = -theta_1/tau_1 : 1
        dtheta_2/dt = -theta_2/tau_2 : 1
        x : 1
        """,
        threshold="v >= theta_1 + theta_2",
        reset="v = -omega; theta_1 += a_1; theta_2 += a_2",
        method="exponential_euler",
        input="x",
        parameters={
            "b": parameter(2, low=-5, high=6, says="logarithm of the drive at mean level", source=_OURS),
            "k_0": parameter(0.3, low=-10, high=10, says="weight of the level", source=_OURS),
            "k_1": parameter(0, low=-10, high=10, says="weight of the level, low-passed once", source=_OURS),
            "k_2": parameter(0, low=-10, high=10, says="weight of the level, low-passed twice", source=_OURS),
            "tau_f": parameter(0.5, "ms", low=0.1, high=5, says="time constant of each low-pass", source=_OURS),
            "tau_m": parameter(1, "ms", low=0.1, high=50, says="membrane time constant", source=_OURS),
            "omega": parameter(8, low=0.3, high=100, says="threshold above rest", source=_OURS),
            "tau_1": parameter(2, "ms", low=0.3, high=50, says="decay time of the fast threshold", source=_OURS),
            "tau_2": parameter(100, "ms", low=30, high=3000, says="decay time of the slow threshold", source=_OURS),
            "a_1": parameter(30, low=0.1, high=300, says="jump of the fast threshold", source=_OURS),
            "a_2": parameter(0.3, low=0.003, high=30, says="jump of the slow threshold", source=_OURS),
        },
        initial={name: parameter(value, "1") for name, value in (("v", -8), ("y_1", 0), ("y_2", 0), ("theta_1", 0), ("theta_2", 0), ("x", 0))},
        reference="chosen here, for the recordings of Rokem et al. 2006, J Neurophysiol 95:2541",
    )


def free() -> Circuit:
    """The receptor alone."""
    return Circuit(name="rokem2006", populations=(Population(name="receptor", neuron=neuron()),))


def told() -> Circuit:
    """The receptor without spikes of its own: those of the port ``recorded`` reset it.

    ``told.margin`` is how far v was above the threshold just before the last of them.
    """
    silent = dataclasses.replace(neuron(), threshold="", reset="")
    ear = Synapse(
        name="told",
        equations="margin : 1",
        pathways=(
            Pathway(event="pre", code="margin = v_post - theta_1_post - theta_2_post"),
            Pathway(event="pre", code="v_post = -omega_post; theta_1_post += a_1_post; theta_2_post += a_2_post"),
        ),
        parameters={},
        initial={"margin": parameter(0, "1")},
        reference="the reset of the receptor",
    )
    return Circuit(
        name="rokem2006_told",
        populations=(Population(name="recorded"), Population(name="receptor", neuron=silent)),
        projections=(Projection(name="told", synapse=ear, pre="recorded", post="receptor"),),
    )


CIRCUITS = {"rokem2006 receptor": free}
DRIVE = {"rokem2006 receptor": "1"}
