"""Which tasks does complexity tell, from how long a sample, and which does the number of spikes tell as well?

Complexity: Lempel & Ziv 1976, doi 10.1109/TIT.1976.1055501; classifiers by it: Rudnicka, Szczepanski & Pregowska, doi 10.48550/arXiv.2508.11674.
No network here: sources of spikes, samples of 64 to 1024 bins of 1 ms, and the same standardised logistic regression behind every reader:

    one    complexity of one raw train, so a threshold    lzc  complexity of each train and of the word over trains    both  lzc and count
    count  spikes of each train    bins  the same in bins of 16 ms, C = .01    shuffled  lzc, with shuffled labels

    bernoulli  1 train, p = .05 or .10   rates  8 trains, 10 or 20 Hz      rhythm  8 of 20 Hz, Poisson or bursts of a Markov chain
    coincidence  8 of 20 Hz, independent or correlated       order  4 lead or follow 4 by 5 ms   templates  one of two, jitter 20 ms

A seed has its samples, TRAIN to learn from and TEST others to be told, and its templates. Writes results/lzc_classifier/<family>.nc (trials are
seeds, times the lengths of samples), carried.nc (trials are samples of 8 trains, of which the first two tell 10 from 20 Hz) and importance.nc.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from bioneuro import Recording, learn, measure, save
from bioneuro.classify import LZCClassifier, carried, counts, features, importance, labels_of, per_neuron_lzc, pooled_lzc, standard_head, words_of
from bioneuro.learn import Task
from bioneuro.script import Options, options, unused

SEEDS, TRAIN, TEST, LENGTHS = (20, 2), (900, 60), (100, 40), ((64, 128, 256, 512, 1024), (64, 256))  # full, quick; LENGTHS: ms
READERS, WHY = ("one", "lzc", "count", "both", "bins", "shuffled"), ("together", "odds", "odds_at_mean", "decided", "instead")
KNOW, OTHERS = learn.rates("10 Hz", "20 Hz", channels=2, duration="512 ms"), learn.rates("15 Hz", "15 Hz", channels=6, duration="512 ms")


def tasks(duration: str, seed: int) -> dict[str, Task]:
    flips = learn.task("bernoulli", [learn.bernoulli(0.05), learn.bernoulli(0.10)], channels=1, duration=duration)
    made = {name: make(duration=duration) for name, make in learn.FAMILIES.items() if name != "templates"}
    return {"bernoulli": flips, **made, "templates": learn.templates(jitter="20 ms", seed=seed, duration=duration)}


def plan(options: Options) -> dict[str, tuple[Task, Task]]:
    """What is drawn, by the name of its recording; it stands for circuit and protocol."""
    drawn = tasks(f"{LENGTHS[options.quick][-1]} ms", options.seed)
    return {name: (task, task) for name, task in drawn.items()} | dict.fromkeys(("carried", "importance"), (KNOW, OTHERS))


def accuracies(samples: Recording, train: int, seed: int) -> list[float]:
    """The share of right answers of each of `READERS` on the samples after the first `train`."""
    y, bins = labels_of(samples), words_of(samples, "source", bin="16 ms", clip=False).reshape(samples.n_trials, -1)
    both = features(samples, "source", bin="1 ms", what=(per_neuron_lzc, pooled_lzc, counts)).values
    lzc, count = np.split(both, [both.shape[1] // 2 + 1], axis=1)
    shuffle = np.random.default_rng([seed, int(count.sum())]).permutation  # other in each family and length, balanced in both parts
    jobs = [(x, y, 1.0) for x in (lzc[:, :1], lzc, count, both)] + [(bins, y, 0.01), (lzc, np.hstack([shuffle(y[:train]), shuffle(y[train:])]), 1.0)]
    heads = [standard_head().set_params(logisticregression__C=C).fit(x[:train], z[:train]) for x, z, C in jobs]
    return [head.score(x[train:], z[train:]) for head, (x, z, _) in zip(heads, jobs, strict=True)]


def explained(train: int, test: int, seed: int) -> dict[str, dict[str, np.ndarray]]:
    """Shares and importance of 8 trains, of which the first two know."""
    drawn = [task.samples(train + test, seed + k) for k, task in enumerate((KNOW, OTHERS))]
    X, y = np.hstack([words_of(one, "source", bin="1 ms") for one in drawn]), labels_of(drawn[0])
    model = LZCClassifier().fit(X[:train], y[:train])
    why, lost = carried(model, X[train:]), importance(model, X[train:], y[train:], seed=seed)
    shares = {"neuron.share": why.neurons[:, None], **{f"decision.{name}": getattr(why, name)[:, None] for name in WHY}}
    return {"carried": shares, "importance": {f"neuron.{name}": getattr(lost, name)[None, None] for name in ("mean", "spread")}}


def main(options: Options) -> Path:
    unused(options, ())
    n_seeds, train, test, lengths = (x[options.quick] for x in (SEEDS, TRAIN, TEST, LENGTHS))
    seeds, told = range(options.seed, options.seed + n_seeds), explained(train, test, options.seed)
    for name, (one, two) in plan(options).items():
        if name not in told:
            found = [[accuracies(tasks(f"{n} ms", seed)[name].samples(train + test, seed), train, seed) for n in lengths] for seed in seeds]
            told[name] = {f"accuracy.{reader}": x for reader, x in zip(READERS, np.moveaxis(found, 2, 0), strict=True)}
            print(f"{name}, {lengths[-1]} bins:", *(f"{r} {x:.3f}" for r, x in zip(READERS, np.mean(found, 0)[-1], strict=True)), flush=True)
        seen = measure.observed(traces={k: measure.series(lengths if one is two else [512], x, "1", time_unit="ms") for k, x in told[name].items()})
        about = replace(seen.provenance, circuit=one.digest, protocol=two.digest, seed=options.seed, notes=(f"{test} samples told",))
        save(replace(seen, provenance=about), options.out.with_suffix("") / f"{name}.nc")
    return options.out.with_suffix("")


if __name__ == "__main__":
    main(options(Path(__file__).stem))
