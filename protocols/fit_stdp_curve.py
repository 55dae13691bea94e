"""Parameters of the calcium-based rule, found again from an STDP window.

Graupner & Brunel 2012, PNAS 109:3991, doi 10.1073/pnas.1109359109. Brian2 records the window of set DP (Fig. 2) by Monte Carlo. The
twin starts from other rates, another potentiation threshold and another calcium time constant, drawn from the seed, and learns them from
the recorded points through the mean and variance of rho. Some starts end in a local minimum, calcium too short-lived to see the lag; then
the next start is tried. Brian2 replays the fitted circuit, draw for draw.

Writes results/fit_stdp_curve/*.nc: `target` (Monte Carlo), mean and variance of rho for the `planted`, `start` and `fitted` circuit, and
`steps`: a trial per step of the fits, its coordinates the values tried, its trace the loss, its notes how fit and replay ended.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from brian2.units import Hz, ms

from bioneuro import Circuit, Protocol, Recording, Twin, brian, fit, protocol, replay, save
from bioneuro.catalogue import graupner2012
from bioneuro.fit import Fit, curve_error, lbfgs
from bioneuro.protocol import Coordinate, once
from bioneuro.script import Options, apply, options

LAGS = np.linspace(-100, 100, 41) * ms
REPETITIONS, QUICK = 1000, 100
TARGETS, QUICK_TARGETS = ("cpp", "cython", "numpy"), ("cpp", "numpy")
SPREAD = {"calcium.gamma_p": 0.5, "calcium.gamma_d": 0.5, "calcium.tau_Ca": 0.4}  # a start is exp(+-spread) times the planted value
THETA_P = (1.1, 1.8)  # where theta_p starts
FREE = (*SPREAD, "calcium.theta_p")
STARTS, ENOUGH = 6, 2.0  # the loss is in squared standard errors of the target: about 1 at the planted values


def plan(options: Options) -> dict[str, tuple[Circuit, Protocol]]:
    """What is planted and recorded, by the name of its recording."""
    count = QUICK if options.quick else REPETITIONS
    window = protocol.pairing(LAGS, 1 * Hz, 60, repetitions=count, initial={"calcium.rho": [0, 1]}, record=("calcium.rho",))
    planted = apply(options, graupner2012.pair("DP"))
    return {"target": (planted, window), "planted": (planted, once(window))}


def starts(planted: Circuit, seed: int) -> Iterator[Circuit]:
    random = np.random.default_rng(seed)
    for _ in range(STARTS):
        factors = {path: np.exp(random.uniform(-spread, spread)) for path, spread in SPREAD.items()}
        values = {path: f"{planted.values[path].shown * x:.4g} {planted.values[path].unit}" for path, x in factors.items()}
        yield planted.with_values({**values, "calcium.theta_p": f"{random.uniform(*THETA_P):.4g}"})


def steps(fits: list[Fit], seen: Recording, notes: list[str]) -> Recording:
    """The course of the fits as a recording."""
    losses, counts = np.concatenate([f.losses for f in fits]), [len(f.losses) for f in fits]
    tried = {path: (np.concatenate([f.values[path] for f in fits]), fits[0].circuit.values[path].unit) for path in FREE}
    tried |= {"attempt": (np.repeat(np.arange(len(fits)), counts) * 1.0, "1")}
    coordinates = {path: Coordinate(values=v, unit=unit) for path, (v, unit) in tried.items()}
    said, times = replace(seen.provenance, notes=tuple(notes)), np.zeros((losses.size, 1))
    return replace(
        seen, traces={"fit.loss": losses[:, None, None]}, units={"fit.loss": "1"}, times=times, conditions=coordinates, provenance=said
    )


def main(options: Options) -> Path:
    (planted, window), (_, single) = plan(options).values()
    target = brian.simulate(planted, window, seed=options.seed, target=options.engine, progress=options.progress)
    fits: list[Fit] = []
    for start in starts(planted, options.seed):
        fits.append(fit(Twin(start, free=FREE), window, loss=curve_error(target), optimiser=lbfgs(), progress=options.progress))
        print(f"start {len(fits)}: {fits[-1]}", flush=True)
        if fits[-1].losses.min() < ENOUGH:
            break
    best = min(fits, key=lambda f: f.losses.min())
    print("planted:", ", ".join(f"{path} {planted.values[path]}" for path in FREE))
    verdicts = replay(best, single, seed=options.seed + 1, targets=QUICK_TARGETS if options.quick else TARGETS)
    notes = [best.stopped.value, *(f"replay on {engine}: {verdict}" for engine, verdict in verdicts.items())]
    print(*notes[1:], sep="\n")
    circuits = {"planted": planted, "start": best.twin.start, "fitted": best.circuit}
    seen = {"target": target, **{name: Twin(circuit).moments(single).detached() for name, circuit in circuits.items()}}
    for name, recording in {**seen, "steps": steps(fits, seen["fitted"], notes)}.items():
        save(recording, options.out.with_suffix("") / f"{name}.nc")
    return options.out.with_suffix("")


if __name__ == "__main__":
    main(options(Path(__file__).stem))
