"""A neuron learns from sound and spikes to fire as an auditory receptor did, with and without a gradient, and is tried on a held-out stretch.

Rokem et al. 2006, J Neurophysiol 95:2541, doi 10.1152/jn.00891.2005: ten seconds of each of two recordings, read where nitime is installed. Five
seconds are learned from, the last three are held out. Three ways to learn, from the same starts:

    gradient     minus the log-likelihood of the recorded spikes, which the neuron is told, falls along its exact gradient: L-BFGS
    likelihood   the same error, by CMA-ES (Hansen & Ostermeier 2001, Evol Comput 9:159, doi 10.1162/106365601750190398)
    distance     van Rossum's distance (3 ms) of the neuron's own spikes, by CMA-ES

A gradient counts for three runs; CMA-ES is looked at when it has cost as much, and after ten times that. The likelihood leaves the threshold open by
a shift, which is tried afterwards. Writes the lowest errors so far against simulated seconds, and `heldout_*`, a trial for each of WAYS and start.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import cma
import numpy as np

from bioneuro import Circuit, Protocol, Recording, Twin, brian, measure, save
from bioneuro.catalogue import rokem2006 as model
from bioneuro.evidence import rokem2006 as data
from bioneuro.fit import lbfgs, search
from bioneuro.measure.likelihood import surprise
from bioneuro.script import Options, apply, options, unused

WAYS = ("start", "gradient", "likelihood", "likelihood x10", "distance", "distance x10")
WARM, HOW = 0.1, {"dt": 5e-4, "latency": 6.5e-3}  # s; the latency, from the sound to the level that acts, is that of the best fits of both
LEARNED, HELD = ((2.0, 20, 0.25), (2.0, 4, 0.25)), (7.0, 1, 3.0)  # s from the onset, number of stretches, s of each
STARTS, STEPS, SHIFTS, STRIDE = (6, 2), (8, 2), np.arange(0, -2.5, -0.1), 0.15  # second of pairs: --quick; STRIDE: best of 0.07 to 1, about


def plan(options: Options) -> dict[str, tuple[Circuit, Protocol]]:
    """What is learned from, by cut-off (Hz): the neuron is told the recorded spikes."""
    asked, how = {c: data.load(c) for c in ((200,) if options.quick else data.CUTOFFS)}, {"warm": WARM, "told": "recorded", **HOW}
    return {str(c): (apply(options, model.told()), data.stretches(x, *LEARNED[options.quick], **how)[0]) for c, x in asked.items()}


def study(options: Options, silent: Circuit, told: Protocol, cutoff: int) -> dict[str, Recording]:
    own, fired = data.stretches(data.load(cutoff), *LEARNED[options.quick], warm=WARM, **HOW)
    held, _ = data.stretches(data.load(cutoff), *HELD, warm=0.0, **HOW)
    spikes, alone = fired[:, round(WARM / HOW["dt"]) :], apply(options, model.free())
    listener, receptor = Twin(silent, free=model.BETWEEN, raster=False), Twin(alone, free=model.BETWEEN, raster=False)
    far = measure.van_rossum(measure.observed(spikes={"receptor": data.trains(spikes, HOW["dt"])}, stop="0.25 s"), "receptor", "3 ms")

    def likelihood(seen: Recording) -> Any:
        return surprise(seen, fired, above="receptor.v", below=model.THRESHOLD, noted="told.margin", warm=WARM).sum() / spikes.sum()

    def distance(seen: Recording) -> Any:
        return far(data.settled(seen, WARM)) * len(spikes) / spikes.sum()

    def blind(*question: Any) -> search.Found:
        random = [np.random.default_rng((options.seed, k)).standard_normal for k in range(len(starts))]
        how = [{"verbose": -9, "seed": np.nan, "randn": lambda *n, r=r: r(n)} for r in random]
        return search.search(*question, [cma.CMAEvolutionStrategy(x, STRIDE, h) for x, h in zip(starts, how, strict=True)], (cost, 10 * cost))

    starts = search.between(listener, model.BETWEEN, STARTS[options.quick], seed=options.seed)
    down = search.descend(listener, told, likelihood, starts, lbfgs(steps=STEPS[options.quick]))
    cost = down.errors.shape[1] + len(SHIFTS)
    guided, direct = blind(listener, told, likelihood), blind(receptor, own, distance)
    soft = [search.scan(receptor, own, distance, x, "receptor.omega", SHIFTS) for x in (starts, *down.points.values(), *guided.points.values())]
    tried = search.as_trials(held, receptor, [*soft, *direct.points.values()], "way", "start")
    seen, whence = (brian.simulate(*run, seed=options.seed, target=options.engine) for run in ((alone, tried), (silent, told)))
    ways = {"gradient": down, "likelihood": guided, "distance": direct}
    rows, origin = search.courses(ways, own.n_trials * own.reads[0, -1]), replace(whence.provenance, notes=search.costs(ways))
    return {f"heldout_{cutoff}": seen, f"{cutoff}": replace(seen, **rows, spikes={}, conditions={}, provenance=origin)}


def main(options: Options) -> Path:
    folder, tasks = options.out.with_suffix(""), plan(options)
    unused(options, [circuit for circuit, _ in tasks.values()])
    for cutoff, task in tasks.items():
        for name, recording in study(options, *task, int(cutoff)).items():
            save(recording, folder / f"{name}.nc")
    return folder


if __name__ == "__main__":
    main(options(Path(__file__).stem))
