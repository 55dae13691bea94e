"""Lempel-Ziv complexity of spike trains against their rate, their length and their structure, beside entropy rates in closed form.

Lempel & Ziv 1976, doi 10.1109/TIT.1976.1055501, counted as by Kaspar & Schuster 1987, doi 10.1103/PhysRevA.36.842, and normalised, c log2(n) / n, as
an estimator of the entropy rate (of spike trains: Amigo et al. 2004, doi 10.1162/089976604322860677). The others are in `complexity.entropy`.

    rate_<n>      Bernoulli words of n bins, by the probability p of a spike
    length_<n>    all estimators on Bernoulli words, p = 0.1, and on Markov words, p = 0.2 and correlation 0.6
    persistence   Markov words, p = 0.1, by the correlation of neighbouring bins
    refractory    Poisson at 40 Hz, by the dead time
    jitter        16 samples of 0.25 s end to end, of one template of 10 spikes, by the jitter

Writes results/lzc_of_sources/<name>.nc: a trial per source, a unit per word, bins of 1 ms; `shuffled` are surrogates of the same words, the condition
`exact` is the entropy rate where it is known.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bioneuro import classify, complexity, learn, measure, save
from bioneuro.complexity import entropy
from bioneuro.learn import Task
from bioneuro.protocol import Coordinate
from bioneuro.script import Options, options, unused

WORDS, QUICK = {"rate": 400, "length": 40, "persistence": 100, "refractory": 100, "jitter": 100}, 10  # of each source
RATES, SIZES, LENGTHS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5), (256, 1024, 16384), tuple(4**k for k in range(3, 9))
CORRELATIONS, DEAD, JITTER = tuple(k / 10 for k in range(-1, 10)), tuple(range(0, 25, 2)), (0, 0.1, 0.2, 0.5, 1, 2, 4, 8, 16, 32)  # ms
LONG, PIECES, SURROGATES, BLOCK = 4000, 16, 10, 6  # bins of a word; samples in one of `jitter`; per word; symbols
AXES = {"rate": {"p": "1"}, "persistence": {"correlation": "1"}, "refractory": {"refractory": "ms"}, "jitter": {"jitter": "ms"}}
READERS: dict[str, Callable[[Any], Any]] = {
    "lz76": entropy.lz76, "lz78": entropy.lz78, "match_length": entropy.match_length, "context_tree": entropy.context_tree,
    "plug_in": lambda words: entropy.plug_in(words, block=BLOCK), "miller_madow": lambda words: entropy.miller_madow(words, block=BLOCK),
    "shuffled": lambda words: entropy.lz76(words) / complexity.against_shuffled(words, surrogates=SURROGATES, seed=0),
}  # fmt: skip
USED = {"rate": ("lz76",), "length": tuple(READERS)[:-1]}


def plan(options: Options) -> dict[str, tuple[Task, Task]]:
    """The sources, as classes of a task, which says the length and number of words too; it stands for circuit and protocol."""
    row = learn.template("40 Hz", channels=1, duration="250 ms", seed=0)
    sources = {f"rate_{n}": (n, [learn.bernoulli(p) for p in RATES]) for n in SIZES}
    sources |= {f"length_{n}": (n, [learn.bernoulli(0.1), learn.markov(0.2, 0.6)]) for n in LENGTHS[: 4 if options.quick else None]}
    sources["persistence"] = LONG, [learn.markov(0.1, c) for c in CORRELATIONS]
    sources["refractory"] = LONG, [learn.poisson("40 Hz", refractory=f"{ms} ms") for ms in DEAD]
    sources["jitter"] = LONG // PIECES, [learn.jittered(row, jitter=f"{ms} ms") for ms in JITTER]
    words = {name: QUICK if options.quick else WORDS[name.partition("_")[0]] for name in sources}
    about = {name: {"channels": 1, "duration": f"{n} ms", "says": f"{words[name]} words of each"} for name, (n, _) in sources.items()}
    return {name: (learn.task(name, classes, **about[name]),) * 2 for name, (_, classes) in sources.items()}


def words_of(task: Task, seed: int) -> list[Any]:
    """The words of each source, shape (word, bin)."""
    count, pieces = int(task.says.split()[0]), PIECES if task.name == "jitter" else 1
    samples = task.samples(count * pieces * len(task.classes), seed)
    words, labels = classify.words_of(samples, "source", bin="1 ms")[:, 0], classify.labels_of(samples)
    return [words[labels == k].reshape(count, -1) for k in range(len(task.classes))]


def main(options: Options) -> Path:
    unused(options, [])
    for name, (task, _) in plan(options).items():
        kind, words = name.partition("_")[0], words_of(task, options.seed)
        found = {key: np.array([READERS[key](w) for w in words])[:, None] for key in USED.get(kind, ("lz76", "shuffled"))}
        at = {} if kind == "jitter" else {"exact": ([learn.entropy_rate(source) for source in task.classes], "1")}
        at |= {x: ([getattr(source, x) for source in task.classes], unit) for x, unit in AXES.get(kind, {}).items()}
        known = {x: Coordinate(values=np.array(values), unit=unit) for x, (values, unit) in at.items()}
        seen = measure.observed(traces={f"word.{key}": measure.series(["1 s"], v, "1") for key, v in found.items()}, conditions=known)
        about = replace(seen.provenance, circuit=task.digest, protocol=task.digest, seed=options.seed)
        save(replace(seen, provenance=about), options.out.with_suffix("") / f"{name}.nc")
        print(f"{name}: lz76 {seen['word.lz76'].mean(axis=(1, 2)).round(3).tolist()}", flush=True)
    return options.out.with_suffix("")


if __name__ == "__main__":
    main(options(Path(__file__).stem))
