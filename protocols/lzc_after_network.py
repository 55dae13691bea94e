"""What a population of integrate-and-fire neurons adds between a source of spikes and a reader of Lempel-Ziv complexity.

Networks read that way: Rudnicka, Szczepanski & Pregowska, arXiv 2508.11674. Neurons: Vogels & Abbott 2005, doi 10.1523/JNEUROSCI.3508-05.2005,
resting at -60 mV. 64 of them hear 8 channels through random weights and delays of 1 to 20 ms. WEIGHT, their mean, is set without labels: over all
tasks and wirings a neuron fires at 20 Hz, as channels do. Nothing learns but a standardised logistic regression, the same for all readers:

    count  spikes per channel (network_count: per neuron)       lzc  complexity per channel and of the word over channels, bins of 1 and 4 ms
    bins   spikes per channel in bins of 16 ms                  network_lzc  complexity per neuron in these bins (shuffled: of shuffled labels)

A seed has its wiring, samples and split. Writes results/lzc_after_network/: `example` (spikes of the first); `rates`, `families` (task, time, seed).
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
from sklearn.model_selection import train_test_split
from threadpoolctl import threadpool_limits

from bioneuro import Circuit, Protocol, Recording, brian, learn, load, measure, protocol, save, study
from bioneuro.catalogue.vogels2005 import neuron, synapse
from bioneuro.classify import counts, features, labels_of, per_neuron_lzc, pooled_lzc, standard_head, words_of
from bioneuro.learn.populations import feedforward
from bioneuro.script import Options, apply, options

SEEDS, TRAIN, TEST, EXAMPLES = (10, 2), (300, 60), (200, 40), (4, 2)  # full, quick
WEIGHT, BINS, LENGTHS, RATES = "13.3 mV", ("1 ms", "4 ms"), (0.128, 0.256, 0.512, 1.024), ((20, 25), (20, 30), (20, 40), (10, 20))  # s, Hz
LEVELS = {"rhythm": (0.05, 0.1, 0.2, 0.4), "coincidence": (0.01, 0.03, 0.1, 0.3), "order": (0.1, 0.3, 0.6, 1.0), "templates": (10, 50, 100, 200)}
READERS = ("count", "lzc", "bins", "network_count", "network_lzc", "shuffled")


def circuit(seed: int) -> Circuit:
    return feedforward(neuron("euler"), synapse(), channels=8, weight=WEIGHT, seed=seed).with_values({"population.E_L": "-60 mV"})


def drawn(n: int, seed: int) -> tuple[list[Recording], Protocol]:
    """Samples of each task, pairs of rates and then levels (correlation, ms of jitter) of families; all as one run, in which `kind` is the task."""
    tasks = [learn.rates(f"{low} Hz", f"{high} Hz", duration="1.024 s") for low, high in RATES]
    tasks += [learn.FAMILIES[f](correlation=x, duration="1.024 s") for f in ("rhythm", "coincidence", "order") for x in LEVELS[f]]
    tasks += [learn.templates(jitter=f"{x} ms", rate="20 Hz", seed=seed, duration="1.024 s") for x in LEVELS["templates"]]
    samples = [task.samples(n, seed) for task in tasks]
    return samples, protocol.together(*((k, learn.presented(one)) for k, one in enumerate(samples)))


def plan(options: Options) -> dict[str, tuple[Circuit, Protocol]]:
    return {"example": (apply(options, circuit(options.seed)), drawn(EXAMPLES[options.quick], options.seed)[1])}


def accuracies(seen: Recording, length: float, train: int, seed: int) -> list[float]:
    """The share of right answers of each of `READERS` on samples that it did not learn from; then the neurons' mean rate in Hz."""
    y, stop, kinds = labels_of(seen), f"{length} s", {"source": (per_neuron_lzc, pooled_lzc), "population": (per_neuron_lzc,)}
    raw, network = (np.hstack([features(seen, where, bin=b, what=what, stop=stop).values for b in BINS]) for where, what in kinds.items())
    plain, after = (features(seen, where, bin="1 ms", what=(counts,), stop=stop).values for where in kinds)
    binned = words_of(seen, "source", bin="16 ms", clip=False, stop=stop).reshape(y.size, -1)
    tables = [(x, y) for x in (plain, raw, binned, after, network)] + [(network, np.random.default_rng(seed).permutation(y))]
    parts = (train_test_split(x, z, train_size=train, stratify=z, random_state=seed) for x, z in tables)
    return [standard_head().fit(known, own).score(asked, others) for known, asked, own, others in parts] + [float(after.mean()) / length]


@threadpool_limits.wrap(limits=1)  # the last bits of a regression go by the number of threads, and so does a sample at its border
def main(options: Options) -> Path:
    folder, quick, rows = study.record(replace(options, engine="numpy"), plan(options)), options.quick, []
    for seed in range(options.seed, options.seed + SEEDS[quick]):
        samples, todo = drawn(TRAIN[quick] + TEST[quick], seed)
        seen = brian.simulate(apply(options, circuit(seed)), todo, seed=seed, target=options.engine, progress=options.progress)
        both = [replace(one, spikes={**measure.at(seen, kind=k).spikes, **one.spikes}) for k, one in enumerate(samples)]
        jobs = (("rates", both[: len(RATES)], LENGTHS), ("families", both[len(RATES) :], LENGTHS[-1:]))
        rows.append({name: [[accuracies(one, t, TRAIN[quick], seed) for t in times] for one in part] for name, part, times in jobs})
        print(f"seed {seed}:", *(f"{name} {x:.3f}" for name, x in zip(READERS, np.mean(rows[-1]["families"], (0, 1)), strict=False)), flush=True)
    for name, _, times in jobs:
        *shares, rate = np.array([row[name] for row in rows]).transpose(3, 1, 2, 0)
        traces = {f"accuracy.{reader}": measure.series(times, x, "1") for reader, x in zip(READERS, shares, strict=True)}
        about = {key: protocol.Coordinate(values=np.full(len(rate), x[quick], float)) for key, x in (("learned", TRAIN), ("asked", TEST))}
        seen = measure.observed(traces=traces | {"population.rate": measure.series(times, rate, "Hz")}, conditions=about)
        save(replace(seen, provenance=load(folder / "example.nc").provenance), folder / f"{name}.nc")
    return folder


if __name__ == "__main__":
    main(options(Path(__file__).stem))
