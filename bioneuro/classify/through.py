"""Samples through a circuit: its spikes take the place of theirs."""

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np

from bioneuro.classify.words import ClassifyError
from bioneuro.model import Circuit
from bioneuro.protocol import Coordinate, Protocol
from bioneuro.recording import Recording

Run = Callable[[Circuit, Protocol, int], Recording]
"""(circuit, protocol, seed) -> recording: an engine."""


def through(circuit: Circuit, samples: Recording, *, run: Run, protocol: Callable[[Recording], Protocol], seed: int = 0) -> Recording:
    """What a circuit makes of samples: a recording with a trial per sample, and the samples' conditions, so their labels.

    It is classified like the samples themselves: ``LZCClassifier().fit(words_of(through(...), "neurons", bin="1 ms"), labels_of(samples))``.

    Arguments:
        run: the engine, such as ``lambda c, p, seed: brian.simulate(c, p, seed=seed)`` or
            ``lambda c, p, seed: Twin(c)(p, seed=seed).detached()``.
        protocol: makes a protocol of the samples, with a trial for each, such as `bioneuro.learn.presented`.

    Raises:
        ClassifyError: the run has another number of trials than there are samples, or other conditions of the same name.
    """
    seen = run(circuit, protocol(samples), seed)
    if seen.n_trials != samples.n_trials:
        raise ClassifyError(f"through: {seen.n_trials} trials for {samples.n_trials} samples; give a protocol with a trial for each sample, in order")
    _check(seen.conditions, samples.conditions)
    return dataclasses.replace(seen, conditions={**seen.conditions, **samples.conditions})


def _check(found: Mapping[str, Coordinate], wanted: Mapping[str, Coordinate]) -> None:
    for name in sorted(set(found) & set(wanted)):
        if not np.array_equal(found[name].values, wanted[name].values):
            raise ClassifyError(f"through: condition {name!r} of the run differs from that of the samples; are its trials in their order?")
