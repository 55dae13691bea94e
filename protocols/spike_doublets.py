"""One postsynaptic spike or two, thirty repetitions or a hundred: the same synapse shows three STDP curves.

Wittenberg & Wang 2006, J Neurosci 26:6610, doi 10.1523/JNEUROSCI.5388-05.2006, in slices of hippocampus (CA3 to CA1) at 5 Hz, as modelled by
Graupner & Brunel 2012, PNAS 109:3991, doi 10.1073/pnas.1109359109, Fig. 3: 200 single pairs, and 100 or 30 repetitions of one presynaptic
spike with two postsynaptic ones 11.5 ms apart. The lag is to the last postsynaptic spike.

What was found, from memory, is a shape and no number: single pairs depress at every lag; many doublets potentiate at short positive lags
and depress around them; few doublets only potentiate. The authors publish their points for R and Matlab
(github.com/gayle-wittenberg/WittenbergWang2006, strength, standard error and delay to the second action potential); written as CSV files
named single, doublets_100 and doublets_30 they are drawn with `--data`.

Three published rules get these protocols: the calcium-based rule fitted to these slices; the same rule, and the triplet rule (Pfister & Gerstner
2006, J Neurosci 26:9673, doi 10.1523/JNEUROSCI.1425-06.2006), fitted to hippocampal cultures at 1 Hz, where single pairs potentiate. The triplet
rule has no bounds: 200 pairs can take more than the whole weight.

Writes results/spike_doublets/<rule>_<protocol>.nc.
"""

from pathlib import Path

import numpy as np
from brian2.units import Hz, ms

from bioneuro import Circuit, Protocol, Recording, measure, protocol, study
from bioneuro.catalogue import graupner2012, pfister2006
from bioneuro.script import Options, apply, options

LAGS, RATE = np.linspace(-100, 100, 41) * ms, 5 * Hz
REPETITIONS, QUICK = 500, 50
RULES = {
    "slices": graupner2012.pair("hippocampal slices"),
    "cultures": graupner2012.pair("hippocampal cultures"),
    "triplet": pfister2006.pair("hippocampus all-to-all full"),
}


def plan(options: Options) -> dict[str, tuple[Circuit, Protocol]]:
    """What is run, by the name of its recording."""
    tasks = {}
    for rule, circuit in RULES.items():
        noisy = rule != "triplet"
        states = {"calcium.rho": [0, 1]} if noisy else None
        count = 1 if not noisy else QUICK if options.quick else REPETITIONS
        record = ("calcium.rho",) if noisy else ("triplet.w",)
        changed = apply(options, circuit)
        tasks[f"{rule}_single"] = changed, protocol.pairing(LAGS, RATE, 200, repetitions=count, initial=states, record=record)
        for repeats in (100, 30):
            doublets = protocol.doublets(LAGS, RATE, repeats, between="11.5 ms", repetitions=count, initial=states, record=record)
            tasks[f"{rule}_doublets_{repeats}"] = changed, doublets
    return tasks


def summary(name: str, circuit: Circuit, seen: Recording) -> str:
    """The lowest and the highest point of a curve."""
    if "calcium.rho" in seen.traces:
        window = measure.weight_ratio(seen, beta=float(circuit.values["calcium.beta"].value), b=float(circuit.values["calcium.b"].value))
    else:
        window = measure.ratio(seen, path="triplet.w", before=1)
    low, high = (f"{window.y[k]:6.3f} at {1e3 * window.x[k]:4.0f} ms" for k in (window.y.argmin(), window.y.argmax()))
    return f"{name:21} {low} to {high}"


def main(options: Options) -> Path:
    return study.record(options, plan(options), summary)


if __name__ == "__main__":
    main(options(Path(__file__).stem))
