"""Pair STDP on a neuromorphic chip: 128 synapses with 6-bit weights, correlation sensors that differ, and a processor that reads them.

The numbers are the exponentials fitted to Bi & Poo 1998, J Neurosci 18:10464, doi 10.1523/JNEUROSCI.18-24-10464.1998: of a weight of 24 out of 63
a pair at lag 0 adds 0.29 and takes 0.12 steps. On BrainScaleS-2 sensors gather what causal and acausal pairs are worth, in every synapse, until
the processor reads them as counts, sets them to zero and moves the weight (Friedmann et al., arXiv 1604.05080). calix, which calibrates that chip,
aims at 0.5 counts for a pair at lag 0 (0.2 to 2 can be had). The spreads of 0.2 and the noise of a reading are assumptions, not measurements.

Which spikes pair: on Spikey, an earlier chip of that group, immediate neighbours alone, "nearest reduced" (Pfeil et al. 2012, doi
10.3389/fnins.2012.00090, and its guidebook). For BrainScaleS-2 no statement was found; calix meets a state that remembers the last pulse, which
fits. Doublets tell it from "nearest symmetric", in which a spike may serve two pairs; single pairs do not. The chip has no lag 0.
Writes results/bss2_stdp/<name>.nc: windows, frequencies and doublets of the rule itself and on the chip, and sensors read more or less often.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
from brian2.units import Hz, ms

from bioneuro import Circuit, Protocol, bss2, protocol, study
from bioneuro.catalogue import song2000
from bioneuro.evidence import bi1998
from bioneuro.model import Population, Projection
from bioneuro.protocol import Spikes
from bioneuro.script import Options, apply, options

SYNAPSES, QUICK, PAIRS, START = 128, 16, 60, 24 / 63
LAGS, RATES = np.delete(np.linspace(-50, 50, 41), 20) * ms, [0.1, 1, 5, 10, 20, 30, 40, 50] * Hz
UP, DOWN = bi1998.POTENTIATION, bi1998.DEPRESSION
FITTED = {"stdp.A_plus": START * UP.amplitude / PAIRS, "stdp.tau_plus": f"{UP.tau} s", "stdp.w": START}
FITTED |= {"stdp.A_minus": -START * DOWN.amplitude / PAIRS, "stdp.tau_minus": f"{DOWN.tau} s"}
SPREAD, SEED, NOISE = 0.2, 2022, 0.5  # of time constants and gains, lognormal; of the chip; of a reading, in counts
PERIODS = ("10 ms", "100 ms", "1 s", "10 s", "60 s")
SENSORS = {"weak": {"amplitude": 0.5}, "strong": {"amplitude": 2.0}, "noisy": {"amplitude": 0.5, "converter_noise": NOISE}}
SENSORS["signed"] = {**SENSORS["noisy"], "lowest": -30}  # readings below that of an empty sensor are kept
SCHEMES = {"reduced": "nearest reduced", "symmetric": "nearest symmetric"}


def synapses(n: int, scheme: str = "reduced") -> Circuit:
    """As many synapses, each between ports of its own."""
    ports, each = (Population(name="pre", size=n), Population(name="post", size=n)), np.arange(n)
    joined = Projection(name="stdp", synapse=song2000.rule(SCHEMES[scheme]), pre="pre", post="post", pairs=(each, each))
    return Circuit(name="song2000", populations=ports, projections=(joined,)).with_values(FITTED)


def chip(circuit: Circuit, period: str = "10 s", spread: float = SPREAD, lowest: int = 0, **more: object) -> Circuit:
    """The circuit on a chip: lanes of 8 bits, 6-bit weights; time constants differ, and gains, one for both sensors of a synapse."""
    apart = {"stdp.tau_plus": spread, "stdp.tau_minus": spread}
    made = bss2.constrain(circuit, bss2.Hardware(bits=8, draws=8, period=period, mismatch=apart, seed=SEED, **more), weight="stdp.w")
    gains = np.exp(spread * np.random.default_rng(SEED).standard_normal(circuit.populations[0].size))
    return made.with_values({"stdp.sensor_gain": gains * made.values["stdp.sensor_gain"].value, "stdp.sensor_low": lowest})


def everywhere(made: Protocol, n: int) -> Protocol:
    """The same spikes for all `n` units of the ports."""
    one = {port: (np.repeat(s.stimulus, n), np.tile(np.arange(n), s.time.size), np.repeat(s.time, n)) for port, s in made.spikes.items()}
    return replace(made, spikes={port: Spikes(stimulus=k, unit=unit, time=t) for port, (k, unit, t) in one.items()})


def plan(options: Options) -> dict[str, tuple[Circuit, Protocol]]:
    """What is run, by the name of its recording; kinds of trials: 0 windows, 1 frequencies, 2 doublets."""
    n, frame = QUICK if options.quick else SYNAPSES, {"rest": "10 s", "record": ("stdp.w",)}
    exact, many = ({name: apply(options, synapses(size, name)) for name in SCHEMES} for size in (1, n))
    frequencies, doublets = protocol.pairing([10, -10] * ms, RATES, 75, **frame), protocol.doublets(LAGS, 5 * Hz, 30, between="11.5 ms", **frame)
    kinds = protocol.together((0, protocol.pairing(LAGS, 1 * Hz, PAIRS, **frame)), (1, frequencies), (2, doublets))
    few = everywhere(protocol.pairing([10, -10] * ms, 1 * Hz, PAIRS, rest="60 s", record=("stdp.w",)), n)
    tasks = {f"exact_{scheme}": (circuit, kinds) for scheme, circuit in exact.items()}
    tasks |= {f"chip_{scheme}": (chip(circuit, **SENSORS["weak"]), everywhere(kinds, n)) for scheme, circuit in many.items()}
    tasks["chip_strong"] = chip(many["reduced"], **SENSORS["strong"]), everywhere(kinds, n)
    each = {f"{name}_{period.replace(' ', '_')}": chip(many["reduced"], period, **more) for name, more in SENSORS.items() for period in PERIODS}
    return tasks | {name: (circuit, few) for name, circuit in each.items()}


def main(options: Options) -> Path:
    return study.record(options, plan(options))


if __name__ == "__main__":
    main(options(Path(__file__).stem))
