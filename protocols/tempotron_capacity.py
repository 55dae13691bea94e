"""How many random patterns a neuron learns: the tempotron against its load, the number of patterns per synapse.

Gütig & Sompolinsky 2006, Nat Neurosci 9:420, doi 10.1038/nn1643. Latency patterns, as there: every afferent fires once, anywhere in 500 ms;
the neuron is to fire in half of them. Weights begin near 0, patterns come one by one in random order, step 3e-3 T/(tau N V0), momentum 0.99. The
clock has 1 ms, an eighth of sqrt(tau tau_s). "Learned" is all right within the epochs of FULL: if not, a solution may still exist.

Writes results/tempotron_capacity/*.nc: `patterns`, the neuron ahead of learning the patterns of load REPLAYED; `trained`, behind it, in Brian2,
with what the learning code says of each pattern (`decided`, `margin`) as conditions; `capacity` (trial: seed, time: load, unit: number of
afferents): epochs used, share of patterns wrong with the last weights, whether all were learned; `jitter` (trial: seed, time: standard
deviation of the shift of every spike, unit: load): share of patterns still right.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from bioneuro import Circuit, Protocol, Recording, brian, measure, save, script, study
from bioneuro.catalogue import guetig2006
from bioneuro.learn import presented, tempotron
from bioneuro.learn.latency import latencies, shifted
from bioneuro.protocol import Coordinate
from bioneuro.script import Options, apply
from bioneuro.theory.tempotron import rate

T, REPLAYED, LEARNED = 0.5, 2.0, (0.5, 1.0, 2.0)  # s, load, loads
FULL = ((0.5, 1.0, 1.5, 2.0, 2.25, 2.5, 2.75, 3.0, 4.0, 5.0), (50, 100), 10, 2000)  # loads, afferents, seeds, epochs
QUICK = ((1.0, 2.0, 5.0), (20, 30), 3, 200)
SHIFTS, DRAWS = np.array([0, 1, 2, 3, 5, 7, 10, 15, 20]) * 1e-3, 5  # s, shifted copies of each pattern


def task(options: Options, n: int, load: float, seed: int) -> tuple[Circuit, Recording]:
    """A neuron with weights near 0, and its patterns."""
    weights = np.random.default_rng([options.seed, seed, n]).normal(0.0, guetig2006.SPREAD, n)
    samples = latencies(round(load * n), afferents=n, duration=f"{T} s", dt="1 ms", seed=1000 * options.seed + seed)
    return apply(options, guetig2006.neuron_with(n, weights)), samples


def plan(options: Options) -> dict[str, tuple[Circuit, Protocol]]:
    """The neuron ahead of learning, and its patterns as imposed spikes."""
    circuit, samples = task(options, (QUICK if options.quick else FULL)[1][-1], REPLAYED, 0)
    return {"patterns": (circuit, presented(samples, record=("tempotron.v",)))}


def learn(options: Options, n: int, load: float, seed: int, epochs: int) -> tuple[tempotron.Trained, Recording]:
    circuit, samples = task(options, n, load, seed)
    step = rate(n, T, **{name: float(circuit.values[f"tempotron.{name}"].value) for name in ("tau", "tau_s")})
    return tempotron.train(circuit, samples, rate=step, momentum=guetig2006.MOMENTUM, epochs=epochs, seed=seed, progress=False), samples


def main(options: Options) -> Path:
    loads, sizes, seeds, epochs = QUICK if options.quick else FULL
    folder, ((circuit, todo),) = study.record(options, plan(options)), plan(options).values()
    found, robust = np.zeros((3, seeds, len(loads), len(sizes))), np.zeros((seeds, len(SHIFTS), len(LEARNED)))
    cells = list(np.ndindex(seeds, len(loads), len(sizes)))
    for k, a, n in tqdm(cells, desc="capacity", unit=" neurons", leave=False, disable=True if options.progress is False else None):
        taught, samples = learn(options, sizes[n], loads[a], k, epochs)
        found[:, k, a, n] = taught.epochs, 1 - tempotron.accuracy(taught.circuit, samples), taught.learned
    for k, a in np.ndindex(seeds, len(LEARNED)):
        taught, samples = learn(options, sizes[-1], LEARNED[a], k, epochs)
        copies = [[shifted(samples, f"{s} s", seed=100 * k + d) for d in range(DRAWS)] for s in SHIFTS]
        robust[k, :, a] = [np.mean([tempotron.accuracy(taught.circuit, x) for x in several]) for several in copies]
    taught, samples = learn(options, sizes[-1], REPLAYED, 0, epochs)
    seen, said = brian.simulate(taught.circuit, todo, seed=options.seed, target=options.engine), tempotron.potential(taught.circuit, samples)
    notes = {"decided": Coordinate(values=1.0 * said.fires), "margin": Coordinate(values=said.margin)}
    save(replace(seen, conditions={**seen.conditions, **notes}), folder / "trained.nc")
    about = replace(seen.provenance, circuit=circuit.digest, notes=tuple(f"{x:g}" for x in (epochs, *sizes, *LEARNED)))
    tables = {"capacity": (loads, zip(("epochs", "wrong", "learned"), found, strict=True)), "jitter": (SHIFTS, [("right", robust)])}
    for name, (x, columns) in tables.items():
        made = measure.observed(traces={f"{name}.{what}": measure.series(x, table, "1") for what, table in columns})
        save(replace(made, provenance=about), folder / f"{name}.nc")
    for n, size in enumerate(sizes):
        print(f"{size} afferents, share of seeds that learned:", *(f"{x:g}: {found[2, :, a, n].mean():.1f}" for a, x in enumerate(loads)))
    print("Patterns on which Brian2 and the learning code disagree:", np.sum((seen.spikes["tempotron"].counts[:, 0] > 0) != said.fires))
    return folder


if __name__ == "__main__":
    main(script.options(Path(__file__).stem))
