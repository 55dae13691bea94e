"""What the commands `lzc` and `classify` do: complexity of the trains in a file, and whether it tells their labels."""

import argparse
import csv
import io

import numpy as np
from numpy.typing import NDArray

from bioneuro import complexity, sheet
from bioneuro.classify import (
    Accuracy,
    LZCClassifier,
    Samples,
    counts,
    cross_validated,
    labels_of,
    per_neuron_lzc,
    pooled_lzc,
    samples_of,
    words_of,
)
from bioneuro.commands import CommandError
from bioneuro.complexity import entropy
from bioneuro.disk import replaced

HEAD = ("neuron", "spikes", "c", "c log2(n)/n", "c/shuffled", "H(bin)", "H(bin|before)", "context tree")
"""Columns of `lzc`: phrases, and entropies in bits per bin: by phrases, of single bins (plug-in),
of a bin after another (Miller-Madow), by a context tree (nan for short words, and where patterns are too many for it)."""

LONGEST = 20_000_000
"""Bins of the longest word that a command reads; some gigabytes of memory."""

LARGEST = 1_000_000_000
"""Bins of all surrogates of a word."""

TREE = 30_000_000
"""Symbols times kinds of symbols for which the context tree is grown, in some ten seconds; words of few kinds are never too large."""


def lzc(given: argparse.Namespace) -> int:
    """`bioneuro lzc FILE [--bin "1 ms"]`: the complexity of every neuron's train, a mean over trials, and of all together."""
    if given.surrogates < 1 or not 0 <= given.seed < 2**64:
        raise CommandError(f"--surrogates {given.surrogates}, --seed {given.seed}; give at least 1 surrogate, and a seed from 0 to {2**64 - 1}")
    found, words = _read(given, "label")
    trials, size, n = words.shape
    if given.surrogates * n > LARGEST:
        raise CommandError(f"--surrogates {given.surrogates} of {n} bins; allowed: {LARGEST} bins in all; give at most {LARGEST // n}")
    print(f"{sheet.line(str(given.path))}: {trials} trials of {size} neurons, {n} bins of {given.bin} each")
    for note in found.recording.provenance.notes:
        print(sheet.line(note))
    rows = [list(HEAD)]
    for k in range(size):
        rows.append([sheet.line(found.neurons[k]), f"{words[:, k].sum() / trials:.4g}", *_numbers(words[:, k], given)])
    if size > 1:
        rows.append(["all", f"{words.sum() / trials:.4g}", *_numbers(complexity.joint(words), given)])
    print("\n".join(sheet.table(rows)))
    print("means over trials" * (trials > 1) or "one trial", "c: phrases of Lempel & Ziv 1976", "entropies in bits per bin", sep="; ")
    return 0


def _numbers(words: NDArray[np.integer], given: argparse.Namespace) -> list[str]:
    """Means over words (trial, bin), as texts."""
    values = (
        complexity.lz76(words),
        complexity.normalised(words),
        complexity.against_shuffled(words, surrogates=given.surrogates, seed=given.seed),
        entropy.plug_in(words),
        entropy.miller_madow(words, block=2) if words.shape[1] > 1 else np.full(len(words), np.nan),
        entropy.context_tree(words) if (kinds := _kinds(words)) <= 16 or words.size * kinds <= TREE else np.full(len(words), np.nan),
    )
    return [f"{np.mean(value):.4g}" for value in values]


def _kinds(words: NDArray[np.integer]) -> int:
    """The most kinds of symbols in a word."""
    return max(np.unique(word).size for word in words)


def classify(given: argparse.Namespace) -> int:
    """`bioneuro classify FILE --label COLUMN [--bin "1 ms"] [--folds 5] [--seed 0] [--out FILE.csv]`: cross-validated accuracies."""
    if not 0 <= given.seed < 2**32:
        raise CommandError(f"--seed: {given.seed}; give a number from 0 to {2**32 - 1}")
    found, words = _read(given, given.label)
    label = given.label if given.path.suffix.lower() == ".nc" else "label"  # where a file says classes by names, they are numbered there
    labels = labels_of(found.recording, label)
    kinds, numbers = np.unique(labels, return_counts=True)
    names = found.classes if label == "label" else tuple(map(str, kinds.tolist()))
    said = ", ".join(f"{n} of {sheet.line(name)}" for n, name in zip(numbers.tolist(), names, strict=True))
    print(f"{sheet.line(str(given.path))}: {words.shape[0]} trials of {words.shape[1]} neurons, {words.shape[2]} bins of {given.bin}; {said}")
    readers = {"LZC": (per_neuron_lzc, pooled_lzc), "count": (counts,), "LZC and count": (per_neuron_lzc, pooled_lzc, counts)}
    rows: dict[str, Accuracy] = {}
    for name, features in readers.items():
        rows[name], _ = cross_validated(LZCClassifier(features), words, labels, folds=given.folds, seed=given.seed)
    mixed = np.random.default_rng([given.seed, 1]).permutation(labels)
    rows["LZC, labels shuffled"], _ = cross_validated(LZCClassifier(), words, mixed, folds=given.folds, seed=given.seed)
    rows["chance: the most frequent class"] = Accuracy(right=int(numbers.max()), samples=labels.size)
    print("\n".join(sheet.table([["reader", "right (95 % interval of Wilson)"], *([name, str(row)] for name, row in rows.items())], indent=2)))
    print(f"{given.folds} folds, each decided by a logistic regression that was fitted to the others; intervals take trials as independent")
    if given.out is not None:
        _write(rows, given)
    return 0


def _write(rows: dict[str, Accuracy], given: argparse.Namespace) -> None:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["reader", "right", "samples", "accuracy", "low", "high"])
    table.writerows([name, a.right, a.samples, f"{a.mean:.6f}", f"{a.low:.6f}", f"{a.high:.6f}"] for name, a in rows.items())
    if not given.out.name:
        raise CommandError(f"--out: {str(given.out)!r} names no file; give one, such as accuracies.csv")
    try:
        replaced({given.out: text.getvalue().encode()})
    except OSError as error:
        raise CommandError(f"--out: {given.out}: {error.strerror or error}; choose a file that can be written") from None
    print(given.out)


def _read(given: argparse.Namespace, label: str) -> tuple[Samples, NDArray[np.uint8]]:
    """The samples in a file, and their words."""
    found = samples_of(given.path, unit=given.unit or "", dt=given.dt, stop=given.stop, label=label, population=given.population or "source")
    words = words_of(found.recording, found.population, bin=given.bin)
    if words.shape[2] > LONGEST:
        raise CommandError(f"{given.path}: {words.shape[2]} bins of {given.bin} in a train; allowed: {LONGEST}; give a wider --bin")
    return found, words
