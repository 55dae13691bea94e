"""Presynaptic trains at 0.5 to 50 Hz, and a tetanus at 100 Hz: which rule depresses when slow and potentiates when fast?

Dudek & Bear 1992, PNAS 89:4363, doi 10.1073/pnas.89.10.4363: 900 pulses to the Schaffer collaterals of hippocampal slices, and in addition
100 pulses at 100 Hz, which potentiate (Bliss & Lomo 1973, J Physiol 232:331, doi 10.1113/jphysiol.1973.sp010273, for other pulses and
another area). What was found is here from memory: signs, no numbers (`evidence.dudek1992`).

In such an experiment nobody sees the postsynaptic spikes, and the rules need them. So each rule is run with four stated assumptions: the
postsynaptic neuron is silent; fires 5 ms after every pulse; after every fifth; or fires Poisson spikes of 5 Hz of its own.

The rules: the calcium-based rule (Graupner & Brunel 2012, PNAS 109:3991, doi 10.1073/pnas.1109359109) with its sets for hippocampal and
cortical slices, and the triplet rule (Pfister & Gerstner 2006, J Neurosci 26:9673, doi 10.1523/JNEUROSCI.1425-06.2006) for hippocampus, which
has no bounds and was fitted to 60 repetitions at 1 Hz, not to 900 pulses.

Writes results/tetanus/<rule>_<firing>_<pulses>.nc.
"""

from pathlib import Path

import numpy as np
from brian2.units import Hz, ms

from bioneuro import Circuit, Protocol, Recording, measure, protocol, study
from bioneuro.catalogue import graupner2012, pfister2006
from bioneuro.script import Options, apply, options

RATES, FEW = np.array([0.5, 1, 2, 3, 5, 7, 10, 14, 20, 30, 50]), np.array([1, 3, 10, 20, 50])  # Hz; few for random firing
REPETITIONS, RANDOM, QUICK = 200, 100, 20
PULSES, TETANUS, TETANUS_RATE = 900, 100, 100.0
FIRING = {
    "silent": protocol.Silent(),
    "following": protocol.Following(5 * ms),
    "fifth": protocol.Following(5 * ms, every=5),
    "poisson": protocol.Firing(5 * Hz),
}
RULES = {
    "hippocampal": graupner2012.pair("hippocampal slices"),
    "cortical": graupner2012.pair("cortical slices"),
    "triplet": pfister2006.pair("hippocampus all-to-all full"),
}


def plan(options: Options) -> dict[str, tuple[Circuit, Protocol]]:
    """What is run, by the name of its recording."""
    tasks = {}
    for rule, circuit in RULES.items():
        noisy, changed = rule != "triplet", apply(options, circuit)
        states, record = ({"calcium.rho": [0, 1]}, ("calcium.rho",)) if noisy else (None, ("triplet.w",))
        for firing, post in FIRING.items():
            drawn = firing == "poisson"
            count = 1 if not (noisy or drawn) else QUICK if options.quick else RANDOM if drawn else REPETITIONS
            rates = FEW if drawn else RATES
            # The tetanus as often as there are rates: more repetitions, and the same program for both.
            for pulses, each in ((PULSES, rates), (TETANUS, np.full(rates.size, TETANUS_RATE))):
                how = {"post": post, "repetitions": count, "initial": states, "record": record}
                tasks[f"{rule}_{firing}_{pulses}"] = changed, protocol.tetanus(each * Hz, pulses, **how)
    return tasks


def summary(name: str, circuit: Circuit, seen: Recording) -> str:
    """Weight after over before at the lowest rate, at 10 Hz and at the highest rate."""
    if "calcium.rho" in seen.traces:
        beta, b = (float(circuit.values[f"calcium.{x}"].value) for x in ("beta", "b"))
        found = measure.weight_ratio(seen, along="rate", beta=beta, b=b)
    else:
        found = measure.ratio(seen, along="rate", path="triplet.w", before=1)
    return f"{name:27} " + ", ".join(f"{y:.2f} at {x:g} Hz" for x, y in zip(found.x, found.y, strict=True) if x in (1, 10, 50, TETANUS_RATE))


def main(options: Options) -> Path:
    return study.record(options, plan(options), summary)


if __name__ == "__main__":
    main(options(Path(__file__).stem))
