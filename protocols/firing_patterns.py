"""The neurons of the catalogue under a step of current: how they fire, and how fast.

Leaky integrate-and-fire (numbers of Vogels & Abbott 2005, doi 10.1523/JNEUROSCI.3508-05.2005, with its drive above threshold), with an adaptive
threshold (Bellec et al. 2018, arXiv 1803.09574), adaptive exponential (Brette & Gerstner 2005, doi 10.1152/jn.00686.2005), the axon of Hodgkin
& Huxley 1952 (doi 10.1113/jphysiol.1952.sp004764), multi-timescale adaptive threshold in four sets (Kobayashi et al. 2009,
doi 10.3389/neuro.10.009.2009, whose Fig. 5B has 0.6 nA), and Izhikevich's model in five (2003, doi 10.1109/TNN.2003.820440, Fig. 2).

One run: all neurons side by side without synapses, twelve currents each as trials, on from 0.1 s to 1.1 s. A clock of 0.02 ms; the axon by RK4,
the others as in the catalogue. Neurons do not know each other, so trial n means another current for each kind. The quick version has a coarser clock.

Writes results/firing_patterns/step.nc: potentials and thresholds every 0.2 ms until 0.65 s and at the end, and all spikes.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
from brian2.units import ms, mV, nA, uA

from bioneuro import Circuit, Population, Protocol, Recording, protocol, side_by_side, study
from bioneuro.catalogue import bellec2018, brette2005, hodgkin1952, izhikevich2003, kobayashi2009, vogels2005
from bioneuro.script import Options, apply, options

MAT, IZHIKEVICH = ("RS", "IB", "FS", "CH"), ("RS", "IB", "CH", "FS", "LTS")
STEPS = np.arange(12)
CURRENTS = {
    "lif": (2 * STEPS - 2) * mV,
    "alif": 3 * STEPS * mV,
    "adex": 0.1 * STEPS * nA,
    "axon": 2 * STEPS * uA,
    "mat": 0.1 * STEPS * nA,
    "izhikevich": 2 * STEPS * mV / ms,
}
START, STOP, END, SHOWN, EVERY, DT, QUICK_DT = 0.1, 1.1, 1.15, 0.65, 2e-4, "0.02 ms", "0.05 ms"  # s
RECORD = ("lif.v", "alif.v", "alif.b", "adex.v", "axon.v", "mat.v", "mat.theta_1", "mat.theta_2", "izhikevich.v")


def circuit() -> Circuit:
    single = (vogels2005.neuron(), bellec2018.neuron(), brette2005.neuron(), hodgkin1952.neuron("rk4"))
    alone = [Population(name=neuron.name, neuron=neuron) for neuron in single]
    mat, izhikevich = (side_by_side([of(name) for name in names]) for of, names in ((kobayashi2009.neuron, MAT), (izhikevich2003.neuron, IZHIKEVICH)))
    return Circuit(name="neurons", populations=(*alone, mat, izhikevich))


def plan(options: Options) -> dict[str, tuple[Circuit, Protocol]]:
    """What is run, by the name of its recording."""
    clock = protocol.clock(QUICK_DT if options.quick else DT)
    step = protocol.step_current(CURRENTS, f"{END} s", start=f"{START} s", stop=f"{STOP} s", stepping=clock, record=RECORD)
    return {"step": (apply(options, circuit()), replace(step, reads=np.append(np.arange(0, SHOWN, EVERY), END)[None, :]))}


def summary(name: str, circuit: Circuit, seen: Recording) -> str:
    """Spikes per neuron at the largest current."""
    return f"{name}: spikes at the largest current: " + ", ".join(f"{k} {'/'.join(map(str, t.counts[-1]))}" for k, t in seen.spikes.items())


def main(options: Options) -> Path:
    return study.record(options, plan(options), summary)


if __name__ == "__main__":
    main(options(Path(__file__).stem))
