"""Bursts of spikes in somatosensory cortex: three published rules against two experiments.

- Markram, Lübke, Frotscher & Sakmann 1997, Science 275:213, doi 10.1126/science.275.5297.213: 5 + 5 spikes, 10 times, every 4 s.
- Nevian & Sakmann 2006, J Neurosci 26:11001, doi 10.1523/JNEUROSCI.1749-06.2006: one EPSP with one to three postsynaptic spikes, 60 times
  at 0.1 Hz. The lag is that of the first spike where a burst moves past the EPSP, else that of the spike closest to it.

The triplet rule (Pfister & Gerstner 2006, doi 10.1523/JNEUROSCI.1425-06.2006, "visual cortex all-to-all full") and the calcium-based rule
(Graupner & Brunel 2012, doi 10.1073/pnas.1109359109, "cortical slices", 500 repetitions from each initial state) were fitted to visual
cortex. The voltage-based rule has its set "somatosensory", which Clopath et al. 2010, doi 10.1038/nn.2479, compare with the second
experiment; here as their published code computes it. Its changes do not depend on the weight, so a ratio does depend on the initial one, which
the paper does not print: 0.5, that of the authors' code for visual cortex, and 1, twice as much.

In the voltage-based rule 1 ms of 1 uA makes a postsynaptic spike, and 0.1 Hz is 1 Hz: after a second all that the synapse carries has gone.
Writes one recording per rule: results/burst_pairing/<name>.nc.
"""

from pathlib import Path

import numpy as np
from brian2.units import Hz, ms, second

from bioneuro import Circuit, Protocol, protocol, study
from bioneuro.catalogue import clopath2010_code, graupner2012, pfister2006
from bioneuro.protocol import Clock
from bioneuro.script import Options, apply, options

RATES, FIRST = [2, 5, 10, 20, 30, 40] * Hz, np.array([-90, -70, -50, -30, -20, -10, 0, 10, 20, 30, 50, 70]) * ms
BURSTS = [(1, 20 * ms), (2, 20 * ms), (3, 50 * ms), (3, 10 * ms)]  # number of postsynaptic spikes, from one to the next
REPETITIONS, QUICK = 500, 20


def bursts(rate: object = 0.1 * Hz, **more: object) -> Protocol:
    """Kinds 0, 1: Markram, rates at +5 ms, lags at 10 Hz; 2: Nevian, three spikes at 50 Hz; 3 to 6: `BURSTS` 10 ms after and before."""
    markram = [protocol.bursts(lag, f, spikes=5, repeats=10, every="4 s", **more) for lag, f in ((5 * ms, RATES), ([-10, 10] * ms, 10 * Hz))]
    nevian = [protocol.doublets(FIRST + 40 * ms, rate, 60, between=20 * ms, spikes=3, **more)]  # their lag is that of the last spike
    for n, gap in BURSTS:
        last = np.array([10 * ms + (n - 1) * gap, -10 * ms]) * second
        nevian.append(protocol.doublets(last, rate, 60, between=gap, spikes=n, **more))
    return protocol.together(*enumerate(markram + nevian))


def plan(options: Options) -> dict[str, tuple[Circuit, Protocol]]:
    """What is run, by the name of its recording."""
    count = QUICK if options.quick else REPETITIONS
    calcium = bursts(initial={"calcium.rho": [0, 1]}, repetitions=count, record=("calcium.rho",))
    on_clock = bursts(1 * Hz, record=("clopath.w",), stepping=Clock(dt="1 ms", tolerance="0.5 ms"))  # 30 Hz is not on its grid
    voltage = protocol.by_current(on_clock, "post", "1 uA", width="1 ms")
    tasks = {"triplet": (pfister2006.pair("visual cortex all-to-all full"), bursts(record=("triplet.w",)))}
    tasks["calcium"] = graupner2012.pair("cortical slices"), calcium
    for w in ("1", "0.5"):  # as in the authors' code for pairings, there is no upper bound within reach
        tasks[f"voltage_{w}"] = clopath2010_code.published_code("somatosensory").with_values({"clopath.w": w, "clopath.w_max": 10}), voltage
    return {name: (apply(options, circuit), todo) for name, (circuit, todo) in tasks.items()}


def main(options: Options) -> Path:
    return study.record(options, plan(options))


if __name__ == "__main__":
    main(options(Path(__file__).stem))
