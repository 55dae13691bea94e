"""Leaky integrate-and-fire neuron with an adaptive threshold (ALIF), the adapting unit of an LSNN.

Bellec G, Salaj D, Subramoney A, Legenstein R, Maass W (2018) Long short-term memory and learning-to-learn in networks of spiking
neurons. Advances in Neural Information Processing Systems 31, arXiv 1803.09574; numbers as in the authors' programs (LSNN-official).

    v          membrane potential above rest            tau_m   membrane time constant
    b          spike train filtered with tau_a, a rate  tau_a   time constant of the adaptation
    b_0, beta  the threshold is b_0 + beta b: its value without spikes, and volt per rate
    t_ref      time after a spike in which there is no other; v goes on meanwhile
    I          injected current times membrane resistance

Units: the paper writes potentials as plain numbers, the programs call them volt and count time in ms. A threshold of 0.01 is 10 mV here,
and beta = 1.8, which multiplies spikes per ms, is 1.8 V ms: a spike raises the threshold by beta/tau_a (2.57 mV). A spike takes the
threshold off v instead of setting v to a fixed value. A presynaptic spike is a pulse of current: it moves v at once.

Known difference: the paper steps b in steps of 1 ms, in which a spike adds 1 - exp(-1 ms/tau_a) instead of 1 ms/tau_a (0.07 % less).
"""

from bioneuro.model import Circuit, Neuron, Pathway, Population, Projection, Synapse, parameter

_OURS = "chosen here, so that Poisson spikes drive the neuron"

#     set                 b_0 mV  beta V ms  tau_a ms  t_ref ms  source
_ROWS = {
    "sequential MNIST": (10.0, 1.8, 700.0, 5.0, "LSNN-official, tutorial_sequential_mnist_with_LSNN.py (Bellec et al. 2018)"),
    "store and recall": (10.0, 1.7, 1200.0, 3.0, "LSNN-official, tutorial_storerecall_with_LSNN.py (Bellec et al. 2018)"),
}

SETS = tuple(_ROWS)
"""Names of the parameter sets: the tasks they were made for."""


def neuron(name: str = "sequential MNIST", method: str = "exact") -> Neuron:
    """The neuron with parameter set `name`, one of `SETS`; `method` is any of Brian2's integrators (exact, euler, rk4 ...)."""
    if name not in _ROWS:
        raise KeyError(f"bellec2018 has no parameter set {name!r}; allowed: {', '.join(SETS)}")
    b_0, beta, tau_a, t_ref, source = _ROWS[name]
    return Neuron(
        name="alif",
        equations="""
        dv/dt = (I - v)/tau_m : volt
        db/dt = -b/tau_a : hertz
        I : volt
        """,
        threshold="v > b_0 + beta*b",
        reset="v -= b_0 + beta*b; b += 1/tau_a",
        refractory="t_ref",
        method=method,
        input="I",
        parameters={
            "tau_m": parameter(20, "ms", low=0.1, high=1000, says="membrane time constant", source=source),
            "tau_a": parameter(tau_a, "ms", low=1, high=1e5, says="time constant of the adaptation", source=source),
            "b_0": parameter(b_0, "mV", low=0.01, high=1000, says="threshold without spikes", source=source),
            "beta": parameter(beta, "volt*ms", low=0, high=1000, says="threshold per filtered rate of spikes", source=source),
            "t_ref": parameter(t_ref, "ms", low=0, high=100, says="refractory period", source=source),
        },
        initial={"v": parameter(0, "mV"), "b": parameter(0, "Hz"), "I": parameter(0, "mV")},
        reference="Bellec et al. 2018, NeurIPS 31, arXiv 1803.09574, neuron model of LSNNs",
    )


def synapse(weight: float = 3.0) -> Synapse:
    """A synapse whose spikes move ``v`` of its target by `weight` mV at once."""
    return Synapse(
        name="drive",
        equations="",
        pathways=(Pathway(event="pre", code="v_post += weight"),),
        parameters={"weight": parameter(weight, "mV", low=-1000, high=1000, says="jump of the potential", source=_OURS)},
        reference="Bellec et al. 2018, NeurIPS 31: presynaptic spikes as pulses of current",
    )


def driven(size: int = 1, inputs: int = 1, name: str = "sequential MNIST", method: str = "exact") -> Circuit:
    """`size` neurons of parameter set `name` driven by `inputs` ports, all to all."""
    return Circuit(
        name="bellec2018",
        populations=(Population(name="input", size=inputs), Population(name="alif", neuron=neuron(name, method), size=size)),
        projections=(Projection(name="drive", synapse=synapse(), pre="input", post="alif"),),
    )


CIRCUITS = {f"bellec2018 ALIF {name}": (lambda size=1, inputs=1, name=name: driven(size, inputs, name)) for name in SETS}
