"""Parameters of the calcium-based rule, found again from an STDP window.

Graupner & Brunel 2012, PNAS 109:3991, doi 10.1073/pnas.1109359109. Brian2 records the window of set DP (Fig. 2) by Monte Carlo. The
twin starts from other rates, another potentiation threshold and calcium time constant, drawn from the seed, and learns them from the points
through the mean and variance of rho. Where that ends in a local minimum, the next start is tried. Brian2 replays the fit, draw for draw.

Writes results/fit_stdp_curve/*.nc: `target` (Monte Carlo); mean and variance of rho for the `planted`, `start` and `fitted` circuit;
`steps`: a trial per step of the fits, its coordinates the values tried, its trace the loss, its notes how the replay ended.
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
from bioneuro.script import Options, apply, options, unused

LAGS, REPETITIONS, QUICK = np.linspace(-100, 100, 41) * ms, 1000, 100
TARGETS, QUICK_TARGETS = ("cpp", "cython", "numpy"), ("cpp", "numpy")  # of the replay
SPREAD = {"calcium.gamma_p": 0.5, "calcium.gamma_d": 0.5, "calcium.tau_Ca": 0.4}  # a start is exp(+-spread) times the planted value
THETA_P, FREE = (1.1, 1.8), (*SPREAD, "calcium.theta_p")  # theta_p starts between these
STARTS, ENOUGH = 6, 2.0  # the loss is in squared standard errors of the target: about 1 at the planted values


def plan(options: Options) -> dict[str, tuple[Circuit, Protocol]]:
    """What is planted and recorded, by the name of its recording."""
    count = QUICK if options.quick else REPETITIONS
    window = protocol.pairing(LAGS, 1 * Hz, 60, repetitions=count, initial={"calcium.rho": [0, 1]}, record=("calcium.rho",))
    planted = apply(options, graupner2012.pair("DP"))
    return {"target": (planted, window), "planted": (planted, once(window))}


def starts(planted: Circuit, seed: int) -> Iterator[Circuit]:
    """Where the fit may start, one after the other."""
    random = np.random.default_rng(seed)
    for _ in range(STARTS):
        factors = {path: np.exp(random.uniform(-spread, spread)) for path, spread in SPREAD.items()}
        values = {path: f"{planted.values[path].shown * x:.4g} {planted.values[path].unit}" for path, x in factors.items()}
        yield planted.with_values({**values, "calcium.theta_p": f"{random.uniform(*THETA_P):.4g}"})


def steps(fits: list[Fit], seen: Recording, notes: list[str]) -> Recording:
    """The course of the fits as a recording."""
    losses = np.concatenate([f.losses for f in fits])
    attempt = np.repeat(np.arange(len(fits)) * 1.0, [len(f.losses) for f in fits])
    tried = {path: np.concatenate([f.values[path] for f in fits]) for path in FREE}
    coordinates = {path: Coordinate(values=v, unit=fits[0].circuit.values[path].unit) for path, v in tried.items()}
    course = {"traces": {"fit.loss": losses[:, None, None]}, "units": {"fit.loss": "1"}, "times": np.zeros((losses.size, 1))}
    coordinates["attempt"], course["provenance"] = Coordinate(values=attempt), replace(seen.provenance, notes=tuple(notes))
    return replace(seen, conditions=coordinates, **course)


def main(options: Options) -> Path:
    (planted, window), (_, single) = plan(options).values()
    unused(options, [planted])
    target, fits = brian.simulate(planted, window, seed=options.seed, target=options.engine, progress=options.progress), list[Fit]()
    for start in starts(planted, options.seed):
        fits.append(fit(Twin(start, free=FREE), window, loss=curve_error(target), optimiser=lbfgs(), progress=options.progress))
        print(f"start {len(fits)}: {fits[-1]}", flush=True)
        if fits[-1].losses.min() < ENOUGH:
            break
    best = min(fits, key=lambda f: f.losses.min())
    print("planted:", *(f"{path} {planted.values[path]}" for path in FREE))
    verdicts = replay(best, single, seed=options.seed + 1, targets=QUICK_TARGETS if options.quick else TARGETS)
    print(*(notes := [f"replay on {engine}: {verdict}" for engine, verdict in verdicts.items()]), sep="\n")
    compared = {"planted": planted, "start": best.twin.start, "fitted": best.circuit}
    seen = {name: Twin(circuit).moments(single).detached() for name, circuit in compared.items()}
    for name, recording in {"target": target, **seen, "steps": steps(fits, seen["fitted"], notes)}.items():
        save(recording, options.out.with_suffix("") / f"{name}.nc")
    return options.out.with_suffix("")


if __name__ == "__main__":
    main(options(Path(__file__).stem))
