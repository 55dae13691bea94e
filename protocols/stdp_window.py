"""STDP windows: the calcium-based rule with its eleven published parameter sets, and pair STDP in four pairing schemes.

Graupner & Brunel 2012, PNAS 109:3991, doi 10.1073/pnas.1109359109, Fig. 2 (sets DP to D'): weight after over before against the lag,
60 spike pairs at 1 Hz, 1000 repetitions from each initial state, noise as corrected (PNAS 109:21551). The sets fitted to slices and
cultures get the same protocol here, not that of their own experiments.

Morrison, Diesmann & Gerstner 2008, Biol Cybern 98:459, doi 10.1007/s00422-008-0233-1, Fig. 7: which spikes pair. With the numbers of
`catalogue.song2000`, 60 pairs at 1 Hz, where all schemes agree, and at 20 Hz, where pairing all spikes differs from the three schemes of
nearest spikes (these agree for regular pairs). The weight starts at 0 between bounds so wide that nothing clips: its final value is its
change.

Writes one recording per set, and per scheme and rate: results/stdp_window/<name>.nc.
"""

from pathlib import Path

import numpy as np
from brian2.units import Hz, ms

from bioneuro import Circuit, Protocol, Recording, brian, measure, protocol, save
from bioneuro.catalogue import graupner2012, song2000
from bioneuro.script import Options, apply, options, unused

LAGS = np.linspace(-100, 100, 41) * ms
PAIRS = 60
REPETITIONS, QUICK = 1000, 20
RATES = (1, 20)  # Hz, of pair STDP
UNBOUNDED = {"stdp.w": 0, "stdp.w_min": -100, "stdp.w_max": 100}  # 60 pairs change w by less than 2


def plan(options: Options) -> dict[str, tuple[Circuit, Protocol]]:
    """What is run, by the name of its recording."""
    calcium = protocol.pairing(
        lag=LAGS,
        rate=1 * Hz,
        pairs=PAIRS,
        repetitions=QUICK if options.quick else REPETITIONS,
        initial={"calcium.rho": [0, 1]},
        record=("calcium.rho",),
    )
    tasks = {name: (apply(options, graupner2012.pair(name)), calcium) for name in graupner2012.SETS}
    for rate in RATES:
        pairs = protocol.pairing(lag=LAGS, rate=rate * Hz, pairs=PAIRS, record=("stdp.w",))
        for scheme in song2000.SCHEMES:
            tasks[f"{scheme} {rate} Hz"] = apply(options, song2000.pair(scheme).with_values(UNBOUNDED)), pairs
    return {name.replace("'", " prime").replace(" ", "_"): task for name, task in tasks.items()}


def summary(name: str, circuit: Circuit, seen: Recording) -> str:
    """The lowest and the highest point of a window."""
    if "calcium.rho" in seen.traces:
        beta, b = (float(circuit.values[f"calcium.{x}"].value) for x in ("beta", "b"))
        window = measure.weight_ratio(seen, beta=beta, b=b)
    else:
        window = measure.change(seen, before=0)
    low, high = (f"{window.y[k]:6.3f} at {1e3 * window.x[k]:4.0f} ms" for k in (window.y.argmin(), window.y.argmax()))
    return f"{name:33} {window.name:16} {low} to {high}"


def main(options: Options) -> Path:
    folder, tasks = options.out.with_suffix(""), plan(options)
    unused(options, [circuit for circuit, _ in tasks.values()])
    for name, (circuit, window) in tasks.items():
        seen = brian.simulate(circuit, window, seed=options.seed, target=options.engine, progress=options.progress)
        save(seen, folder / f"{name}.nc")
        print(summary(name, circuit, seen), flush=True)
    return folder


if __name__ == "__main__":
    main(options(Path(__file__).stem))
