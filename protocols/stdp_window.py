"""STDP windows: every rule of the catalogue that reads spikes, side by side, with the data and the closed forms there are.

Graupner & Brunel 2012, PNAS 109:3991, doi 10.1073/pnas.1109359109, Fig. 2 (sets DP to D'): weight after over before against the lag,
60 spike pairs at 1 Hz, 1000 repetitions from each initial state, noise as corrected (PNAS 109:21551). The sets fitted to slices and
cultures get the same protocol here, not that of their own experiments. The same 60 pairs at 1 Hz go to

- the pair rule with the exponentials fitted to Bi & Poo 1998 (J Neurosci 18:10464, doi 10.1523/JNEUROSCI.18-24-10464.1998) and the triplet
  rule for hippocampus (Pfister & Gerstner 2006, doi 10.1523/JNEUROSCI.1425-06.2006), to be held against the cells of Bi & Poo;
- rules whose changes depend on the weight (Gütig et al. 2003, van Rossum et al. 2000), inhibitory STDP (Vogels et al. 2011), and the pair
  rule with an axonal or a dendritic delay;
- pair STDP in the pairing schemes of Morrison, Diesmann & Gerstner 2008, Biol Cybern 98:459, doi 10.1007/s00422-008-0233-1, also at 20 Hz.

Weights of additive rules start between bounds so wide that nothing clips. Writes one recording per curve: results/stdp_window/<name>.nc.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
from brian2.units import Hz, ms

from bioneuro import Circuit, Protocol, Recording, delayed, measure, protocol, study
from bioneuro.catalogue import graupner2012, guetig2003, pfister2006, song2000, vanrossum2000, vogels2011
from bioneuro.evidence import bi1998
from bioneuro.script import Options, apply, options

LAGS = np.linspace(-100, 100, 41) * ms
PAIRS = 60
REPETITIONS, QUICK = 1000, 20
RATES = (1, 20)  # Hz, of pair STDP
UNBOUNDED = {"stdp.w": 0, "stdp.w_min": -100, "stdp.w_max": 100}  # 60 pairs change w by less than 2
TRIPLETS = ("hippocampus all-to-all full", "hippocampus nearest full")
LATE = {"axonal": {"axonal": 10 * ms}, "dendritic": {"dendritic": 10 * ms}}
UP, DOWN = bi1998.POTENTIATION, bi1998.DEPRESSION
FITTED = {
    "stdp.A_plus": UP.amplitude / PAIRS, "stdp.tau_plus": f"{UP.tau} s", "stdp.A_minus": -DOWN.amplitude / PAIRS, "stdp.tau_minus": f"{DOWN.tau} s",
}  # fmt: skip


def late(circuit: Circuit, delays: dict[str, object]) -> Circuit:
    """The circuit with delays between somata and synapse."""
    (projection,) = circuit.projections
    return replace(circuit, projections=(replace(projection, synapse=delayed(projection.synapse, **delays)),))


def plan(options: Options) -> dict[str, tuple[Circuit, Protocol]]:
    """What is run, by the name of its recording."""
    states, count = {"calcium.rho": [0, 1]}, QUICK if options.quick else REPETITIONS
    calcium = protocol.pairing(LAGS, 1 * Hz, PAIRS, repetitions=count, initial=states, record=("calcium.rho",))
    windows = {rate: protocol.pairing(LAGS, rate * Hz, PAIRS) for rate in RATES}
    wide = {scheme: song2000.pair(scheme).with_values(UNBOUNDED) for scheme in song2000.SCHEMES}
    tasks = {name: (graupner2012.pair(name), calcium) for name in graupner2012.SETS}
    tasks |= {f"{scheme} {rate} Hz": (circuit, windows[rate]) for rate in RATES for scheme, circuit in wide.items()}
    tasks |= {"pair rule": (wide["all to all"].with_values(FITTED), windows[1])}
    tasks |= {name: (pfister2006.pair(name), windows[1]) for name in TRIPLETS}
    tasks |= {f"guetig {name}": (guetig2003.pair(name), windows[1]) for name in guetig2003.SETS}
    tasks |= {"vanrossum": (vanrossum2000.pair(), windows[1]), "vogels": (vogels2011.pair(), windows[1])}
    tasks |= {name: (late(wide["all to all"], delays), windows[1]) for name, delays in LATE.items()}
    return {name.replace("'", " prime").replace(" ", "_"): (apply(options, c), p) for name, (c, p) in tasks.items()}


def summary(name: str, circuit: Circuit, seen: Recording) -> str:
    """The lowest and the highest point of a window."""
    if "calcium.rho" in seen.traces:
        window = measure.weight_ratio(seen, beta=float(circuit.values["calcium.beta"].value), b=float(circuit.values["calcium.b"].value))
    else:
        (path,) = (path for path in seen.traces if path.endswith(".w"))
        window = measure.change(seen, path=path, before=float(circuit.models[path[:-2]].initial["w"].value))
    low, high = (f"{window.y[k]:6.3g} at {1e3 * window.x[k]:4.0f} ms" for k in (window.y.argmin(), window.y.argmax()))
    return f"{name:33} {window.name:16} {low} to {high}"


def main(options: Options) -> Path:
    return study.record(options, plan(options), summary)


if __name__ == "__main__":
    main(options(Path(__file__).stem))
