"""Capacitance, leak and rest of an integrate-and-fire neuron, found again from traces of its potential, from ten starts at once.

The neuron goes back to Lapicque 1907 (Brunel & van Rossum 2007, Biol Cybern 97:337, doi 10.1007/s00422-007-0190-0). The fit sees currents that
make no spike, where the potential hangs on the three smoothly; the test are the spikes under a stronger one. What a trace shows is held: V_th, V_r.

Writes results/fit_lif_to_trace/*.nc: `below` and `above` of the planted neuron, `below_start` ... `above_fitted` of the others; `steps`: a trial
per step of every start, its trace the loss, its notes how the replay ended; `told`: the ends of the intervals that readings known to 0.1 mV allow,
what was found, and what was planted.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from bioneuro import Circuit, Neuron, Population, Protocol, Twin, brian, fit, measure, parameter, protocol, replay, save
from bioneuro.fit import adam, history, identify, lbfgs
from bioneuro.protocol import Coordinate, Current
from bioneuro.script import Options, apply, options, unused

CURRENTS, NOISE = {"below": (-100, 40, 80), "above": (250,)}, 0.5  # pA from 10 ms on; noise: share of the current, correlated over 3 ms
DT, END, STARTS, STEPS, QUICK, ERROR = 0.5, 100, 10, 200, 60, "0.1 mV"  # ms; error: of a reading, for the intervals
SPREAD = {"lif.C": ("70 pF", "600 pF"), "lif.g_L": ("3.5 nS", "30 nS"), "lif.E_L": ("-80 mV", "-60 mV")}
NUMBERS = (("C", 200, "pF", 20, 2000), ("g_L", 10, "nS", 1, 100), ("E_L", -70, "mV", -90, -50))
NUMBERS += (("V_th", -50, "mV", -80, 0), ("V_r", -60, "mV", -100, -40), ("t_ref", 2, "ms", 0, 10))
NEURON = Neuron(
    name="lif",
    equations="dv/dt = (g_L*(E_L - v) + I)/C : volt (unless refractory)\nI : amp",
    threshold="v > V_th", reset="v = V_r", refractory="t_ref", method="exact", input="I",
    parameters={name: parameter(x, unit, low=low, high=high, says="planted", source="chosen here") for name, x, unit, low, high in NUMBERS},
    initial={"v": parameter(-60, "mV"), "I": parameter(0, "pA")},
    reference="Brunel & van Rossum 2007, Biol Cybern 97:337",
)  # fmt: skip


def injected(levels: tuple[int, ...], seed: int) -> Protocol:
    """Currents around `levels` pA, with frozen noise that is the same but for its size."""
    todo = protocol.step_current({"lif": [f"{x} pA" for x in levels]}, f"{END} ms", stepping=protocol.clock(f"{DT} ms"), record=("lif.v",))
    time, keep, noise = np.arange(0, END, DT), np.exp(-DT / 3), [0.0]
    for drawn in np.random.default_rng(seed).normal(size=time.size - 1):
        noise.append(keep * noise[-1] + (1 - keep**2) ** 0.5 * drawn)
    shape = (time >= 10)[:, None] * np.sign(levels) + NOISE * np.array(noise)[:, None]
    return replace(todo, currents={"lif": Current(start=1e-3 * time, value=1e-12 * shape * np.abs(levels), unit="amp")})


def plan(options: Options) -> dict[str, tuple[Circuit, Protocol]]:
    """What is planted and recorded, by the name of its recording."""
    planted = apply(options, Circuit(name="lif", populations=(Population(name="lif", neuron=NEURON),)))
    return {name: (planted, injected(levels, options.seed)) for name, levels in CURRENTS.items()}


def main(options: Options) -> Path:
    todo, (planted, _) = {name: run for name, (_, run) in plan(options).items()}, plan(options)["below"]
    unused(options, [planted])
    seen = {name: brian.simulate(planted, run, seed=options.seed, target=options.engine) for name, run in todo.items()}
    loss, n = measure.trace_error(seen["below"], "lif.v", scale=ERROR), QUICK if options.quick else STEPS
    how = {"starts": STARTS, "spread": SPREAD, "seed": options.seed, "progress": options.progress}
    twin = Twin(planted.with_values({path: high for path, (_, high) in SPREAD.items()}), free=SPREAD)
    found = fit(twin, todo["below"], loss=loss, optimiser=(adam(0.1, steps=n, patience=n), lbfgs()), **how)
    told = identify(found, todo["below"], loss, rise=1 / seen["below"]["lif.v"].size)
    notes = [f"replay on {k}: {verdict}" for k, verdict in replay(found, todo["above"], seed=options.seed, targets=("cpp", "numpy")).items()]
    print(found, told, *notes, sep="\n", flush=True)
    for name, circuit in {"start": twin.circuit, "fitted": found.circuit}.items():
        seen |= {f"{k}_{name}": brian.simulate(circuit, run, seed=options.seed, target="numpy") for k, run in todo.items()}
    ends = {path: [float(x.value) for x in (*told.intervals[path], found.circuit.values[path], planted.values[path])] for path in SPREAD}
    intervals = {path: Coordinate(values=np.array(values), unit=planted.values[path].unit) for path, values in ends.items()}
    seen["told"] = replace(history(found), conditions=intervals, traces={}, units={}, times=np.zeros((4, 1)))
    for name, recording in (seen | {"steps": history(found, notes=notes)}).items():
        save(recording, options.out.with_suffix("") / f"{name}.nc")
    return options.out.with_suffix("")


if __name__ == "__main__":
    main(options(Path(__file__).stem))
