"""Plasticity against pairing frequency in visual cortex: three rules, under the experiment and under the pairs that often stand for it.

Sjöström, Turrigiano & Nelson 2001, Neuron 32:1149, doi 10.1016/S0896-6273(01)00542-6, lag +10 and -10 ms: 50 single pairs at 0.1 Hz, and 15
bursts of 5 + 5 spikes at 10 to 50 Hz, one per 10 s. Models are mostly shown under continuous pairs at the same frequency:

- triplet rule, Pfister & Gerstner 2006, doi 10.1523/JNEUROSCI.1425-06.2006, both all-to-all sets for visual cortex: 60 pairs;
- calcium-based rule, Graupner & Brunel 2012, doi 10.1073/pnas.1109359109, set "cortical slices": 75 pairs. With flat potential, for which
  the set was fitted, and with the double well of eq. 1; 500 repetitions from each initial state;
- voltage-based rule, Clopath et al. 2010, doi 10.1038/nn.2479, set "visual cortex": 60 pairs. The published code on its clock of 1 ms, and
  the continuous model with voltages as before the spike and with eq. 3 as printed, which does not give the published figure.

In the voltage-based rule 1 ms of 1 uA makes a postsynaptic spike, and 0.1 Hz and one burst per 10 s are 1 Hz and one burst per second: after
such a pause all that the synapse carries has gone. Writes one recording per rule: results/frequency_dependence/<name>.nc.
"""

from pathlib import Path

from brian2.units import Hz, ms, second

from bioneuro import Circuit, Protocol, protocol, study
from bioneuro.catalogue import clopath2010, clopath2010_code, graupner2012, pfister2006
from bioneuro.protocol import Clock
from bioneuro.script import Options, apply, options

LAGS, RATES = [10, -10] * ms, [10, 20, 25, 30, 40, 50] * Hz
REPETITIONS, QUICK = 500, 20
TRIPLETS, CORTEX = ("visual cortex all-to-all full", "visual cortex all-to-all minimal"), "cortical slices"


def pairings(pairs: int, every: object = 10 * second, **more: object) -> Protocol:
    """The experiment, kind 0, and continuous pairs, kind 1."""
    single, continuous = (protocol.pairing(LAGS, 1 / every, n, **more) for n in (50, pairs))
    bursts = protocol.bursts(LAGS, RATES, spikes=5, repeats=15, every=every, **more)
    return protocol.together((0, single), (0, bursts), (1, continuous), (1, protocol.pairing(LAGS, RATES, pairs, **more)))


def plan(options: Options) -> dict[str, tuple[Circuit, Protocol]]:
    """What is run, by the name of its recording."""
    count = QUICK if options.quick else REPETITIONS
    calcium = pairings(75, initial={"calcium.rho": [0, 1]}, repetitions=count, record=("calcium.rho",))

    def voltage(dt: float) -> Protocol:  # 30 Hz is not on the grid: spikes are moved by up to half a step
        todo = pairings(60, 1 * second, record=("clopath.w",), stepping=Clock(dt=dt, tolerance=dt / 2))
        return protocol.by_current(todo, "post", "1 uA", width="1 ms")

    tasks = {f"triplet_{name.rpartition(' ')[2]}": (pfister2006.pair(name), pairings(60, record=("triplet.w",))) for name in TRIPLETS}
    tasks["voltage_code"] = clopath2010_code.published_code(), voltage(1e-3)
    tasks |= {f"voltage_{name}": (clopath2010.pair(own_spike=own), voltage(2e-4)) for name, own in (("before", False), ("printed", True))}
    tasks["calcium_flat"] = graupner2012.pair(CORTEX), calcium
    tasks["calcium_bistable"] = graupner2012.pair(CORTEX, graupner2012.DOUBLE_WELL), calcium
    return {name: (apply(options, circuit), todo) for name, (circuit, todo) in tasks.items()}


def main(options: Options) -> Path:
    return study.record(options, plan(options))


if __name__ == "__main__":
    main(options(Path(__file__).stem))
