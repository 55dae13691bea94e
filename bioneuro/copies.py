"""A plan several times side by side: the same stimuli and noise, and parameters of its own in every copy."""

import dataclasses

import numpy as np

from bioneuro.plan import Flat, Plan, Wiring
from bioneuro.protocol import Protocol
from bioneuro.timing import EventTiming, population_size


def copied(plan: Plan, n: int) -> Plan:
    """`plan` with its trials `n` times over, copy after copy: trial = copy*trials + trial.

    What draws noise is told the trial within its copy, so that all copies draw alike.
    """
    circuit, trials = plan.circuit, plan.n_trials

    def end(which: np.ndarray, population: str, neuron: bool) -> np.ndarray:
        step = trials * population_size(circuit, population) if neuron else 0  # ports are shared: they have one unit per stimulus
        return (np.arange(n)[:, None] * step + which[None, :]).ravel()

    neurons = {p.name: p.neuron is not None for p in circuit.populations}
    timing = plan.timing
    if isinstance(timing, EventTiming):
        timing = dataclasses.replace(timing, stimulus=np.tile(timing.stimulus, n))
    else:
        timing = dataclasses.replace(timing, reads=np.tile(timing.reads, (n, 1)))
    return dataclasses.replace(
        plan,
        protocol=_protocol(plan.protocol, n),
        timing=timing,
        stimulus=np.tile(plan.stimulus, n),
        flat={
            owner: Flat(size=f.size, trial=np.tile(f.trial, n), unit=np.tile(f.unit, n), stimulus=np.tile(f.stimulus, n))
            for owner, f in plan.flat.items()
        },
        wiring={
            p.name: Wiring(pre=end(plan.wiring[p.name].pre, p.pre, neurons[p.pre]), post=end(plan.wiring[p.name].post, p.post, neurons[p.post]))
            for p in circuit.projections
        },
        values={path: np.tile(value, n) if value.ndim else value for path, value in plan.values.items()},
        currents={name: (np.tile(column, n), table) for name, (column, table) in plan.currents.items()},
        phases={path: (np.tile(column, n), table) for path, (column, table) in plan.phases.items()},
    )


def _protocol(protocol: Protocol, n: int) -> Protocol:
    return dataclasses.replace(
        protocol,
        trials={name: dataclasses.replace(c, values=np.tile(c.values, n)) for name, c in protocol.trials.items()},
        stimulus=np.tile(protocol.stimulus, n),
        settings={path: np.tile(value, n) for path, value in protocol.settings.items()},
        currents={name: dataclasses.replace(c, value=np.concatenate([c.value] * n, axis=1)) for name, c in protocol.currents.items()},
        phases={path: dataclasses.replace(c, value=np.concatenate([c.value] * n, axis=1)) for path, c in protocol.phases.items()},
    )
