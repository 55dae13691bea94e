"""Short-term plasticity: paired pulses, trains and steady states of a depressing and a facilitating synapse (Tsodyks-Markram).

Tsodyks, Pawelzik & Markram 1998, Neural Comput 10:821, doi 10.1162/089976698300017502, the two synapses of Fig. 1; Tsodyks & Markram 1997,
PNAS 94:719, doi 10.1073/pnas.94.2.719, the steady state of depression against the rate; Markram, Wang & Tsodyks 1998, PNAS 95:5323,
doi 10.1073/pnas.95.9.5323, that of facilitation.

Two pulses to a rested synapse, 5 ms to 5 s apart, and regular trains of 300 pulses at 0.2 to 100 Hz, read just after every pulse. The
postsynaptic neuron is silent; it has no part in this model.

Writes one recording per synapse and protocol: results/paired_pulse/<name>.nc.
"""

from pathlib import Path

import numpy as np
from brian2.units import Hz, second

from bioneuro import Circuit, Protocol, Recording, protocol, study
from bioneuro.catalogue import tsodyks1998
from bioneuro.script import Options, apply, options

# As many intervals as rates: one compiled program serves both protocols.
INTERVALS = np.geomspace(5e-3, 5, 24) * second
RATES = np.array([0.2, 0.5, 1, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 10, 12.5, 15, 20, 25, 30, 40, 50, 60, 70, 80, 100]) * Hz
PULSES, QUICK = 300, 20


def plan(options: Options) -> dict[str, tuple[Circuit, Protocol]]:
    """What is run, by the name of its recording."""
    pairs = protocol.paired_pulse(INTERVALS, record=("release.r",))
    trains = protocol.pulses(RATES, QUICK if options.quick else PULSES, record=("release.r",))
    tasks = {}
    for name in tsodyks1998.SETS:
        circuit = apply(options, tsodyks1998.pair(name))
        tasks |= {f"{name}_pairs": (circuit, pairs), f"{name}_trains": (circuit, trains)}
    return tasks


def summary(name: str, circuit: Circuit, seen: Recording) -> str:
    """The range of the last amplitude over the first."""
    last = seen["release.r"][:, -1, 0] / seen["release.r"][:, 0, 0]
    return f"{name:20} last / first amplitude {last.min():.3f} to {last.max():.3f}"


def main(options: Options) -> Path:
    return study.record(options, plan(options), summary)


if __name__ == "__main__":
    main(options(Path(__file__).stem))
