"""Surrogate gradients beside the slope of the loss itself: one neuron, one weight.

Zenke & Ganguli 2018, Neural Comput 30:1514, doi 10.1162/neco_a_01086; others in `bioneuro.twin.surrogate`. The LIF neuron of Vogels & Abbott 2005,
its rest below threshold, under a Poisson train per trial. The loss is the squared distance of van Rossum (2001, Neural Comput 13:751) to the
spikes that Brian2 records at the planted weight under the same trains, with two kernels. It jumps in one trial and has a slope over many.

Writes results/surrogates/*.nc: `target`; with a trial per surrogate `shapes`, `sweep` (spikes, losses and gradients by weight, the reset detached
but for `through_reset`), `fits` (weight and loss at every step). Their notes name the surrogates.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from brian2 import ms, mV

from bioneuro import Circuit, Protocol, Recording, Twin, fit, load, protocol, save, study
from bioneuro.catalogue import vogels2005
from bioneuro.fit import adam
from bioneuro.script import Options, apply, options
from bioneuro.twin.surrogate import Surrogate, arctan, gaussian, multi_gaussian, rectangle, sigmoid, superspike, triangle

KINDS = (superspike(), arctan(), sigmoid(), rectangle(), triangle(), gaussian(), multi_gaussian())
PLANTED, START, WEIGHTS, TRIALS, QUICK, STEPS, RATE = 7.0, 5.2, np.linspace(5.0, 9.0, 17), 400, 20, 60, 3e-4  # mV; of Adam: RATE moves 0.15 mV
AWAY, KERNELS, DT, DURATION, PATH = np.linspace(-2.5, 2.5, 201), (50.0, 10.0), 0.5, 100.0, "excitation.weight"  # mV from threshold, ms


def plan(options: Options) -> dict[str, tuple[Circuit, Protocol]]:
    """What is planted and recorded."""
    planted = apply(options, vogels2005.driven(method="euler").with_values({"lif.E_L": "-60 mV", PATH: f"{PLANTED} mV"}))
    how = {"repetitions": QUICK if options.quick else TRIALS, "grid": DT * ms, "stepping": protocol.clock(DT * ms), "record": ("lif.v",)}
    return {"target": (planted, protocol.poisson({"input": "400 Hz"}, DURATION * ms, **how))}


def raster(seen: Recording) -> torch.Tensor:
    """The spikes that Brian2 recorded, (trial, step, unit), as the twin has them."""
    train, spikes = seen.spikes["lif"], torch.zeros(seen.n_trials, round(DURATION / DT), 1, dtype=torch.float64)
    spikes[np.repeat(np.arange(seen.n_trials), np.diff(train.offsets)), train.steps, 0] = 1.0
    return spikes


def distance(seen: torch.Tensor, target: torch.Tensor, kernel: float = KERNELS[0]) -> torch.Tensor:
    """Squared van Rossum distance per unit, mean over trials; the exponential kernel is a matrix in time."""
    steps = torch.arange(seen.shape[1], dtype=seen.dtype)
    blur = torch.exp((steps - steps[:, None]) * DT / kernel).tril()
    return torch.einsum("ts,nsu->ntu", blur, seen - target).square().sum(dim=1).mean(dim=0) * DT / kernel


def by_weight(kind: Surrogate, planted: Circuit, todo: Protocol, target: torch.Tensor, seed: int, *, detach: bool) -> dict[str, np.ndarray]:
    """Spike count and the two losses, each with its gradient per mV, for every weight."""
    many = vogels2005.driven(size=WEIGHTS.size, method="euler").with_values({**planted.values, PATH: WEIGHTS * mV})
    twin = Twin(many, free=[PATH], surrogate=kind, detach_reset=detach)
    weight, spikes = next(twin.parameters()), twin(todo, seed=seed).raster["lif"]
    found = {"count": spikes.sum(dim=1).mean(dim=0), "loss": distance(spikes, target), "sharp": distance(spikes, target, KERNELS[1])}
    rate, *slopes = (torch.autograd.grad(x.sum(), weight, retain_graph=True)[0] for x in (twin.value(PATH), *found.values()))
    found |= {f"{name}_slope": 1e-3 * slope / rate for name, slope in zip(found, slopes, strict=True)}
    return {name: x.detach().numpy() for name, x in found.items()}


def main(options: Options) -> Path:
    ((planted, todo),), folder = plan(options).values(), study.record(options, plan(options))
    seen, down = load(folder / "target.nc"), adam(RATE, steps=6 if options.quick else STEPS, patience=STEPS)
    target = raster(seen)
    free, closed = ([by_weight(k, planted, todo, target, options.seed, detach=d) for k in KINDS] for d in (False, True))
    twins = [Twin(planted.with_values({PATH: START * mV}), free=[PATH], surrogate=k, detach_reset=True) for k in KINDS]
    fits = [fit(t, todo, loss=lambda s: distance(s.raster["lif"], target).sum(), optimiser=down, seed=options.seed) for t in twins]
    sweep = {name: [row[name] for row in closed] for name in closed[0]} | {"through_reset": [row["loss_slope"] for row in free]}
    shapes = {what: [getattr(k, what)(torch.as_tensor(AWAY)).numpy() for k in KINDS] for what in ("soft", "slope")}
    course = {"loss": [f.losses for f in fits], "weight": [1e3 * f.values[PATH] for f in fits]}
    about = {"spikes": {}, "conditions": {}, "provenance": replace(seen.provenance, notes=tuple(kind.name for kind in KINDS))}
    for name, x, rows in (("shapes", AWAY - AWAY[0], shapes), ("sweep", WEIGHTS, sweep), ("fits", 1.0 * np.arange(fits[0].losses.size), course)):
        traces = {f"surrogate.{what}": np.stack(values)[:, :, None] for what, values in rows.items()}
        save(replace(seen, traces=traces, units=dict.fromkeys(traces, "1"), times=np.tile(x, (len(KINDS), 1)), **about), folder / f"{name}.nc")
    print(*(f"{kind.name}: loss {f.losses[0]:.3g} -> {f.losses.min():.3g}" for kind, f in zip(KINDS, fits, strict=True)), sep="\n")
    return folder


if __name__ == "__main__":
    main(options(Path(__file__).stem))
