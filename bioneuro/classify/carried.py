"""Which neurons carried a decision: shares of the log-odds of a linear head, and what is lost when a neuron says nothing of its sample."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bioneuro.classify.estimator import LZCClassifier, symbols
from bioneuro.classify.features import Floats, table
from bioneuro.classify.words import ClassifyError


@dataclass(frozen=True, kw_only=True, eq=False)
class Carried:
    """Why each sample was given its class.

    The score of the class decided, less that of the runner-up, is a sum over features; each is counted from what it is on the mean over the
    training samples. So ``neurons.sum(1) + together == odds - odds_at_mean``. With logistic regression scores differ by the log-odds, in nats.

    Attributes:
        neurons: share of each neuron, shape (sample, unit): positive where it spoke for the decision. together: of features of all
            neurons together, shape (sample,).
        odds: log-odds of the decision against the runner-up, shape (sample,), not negative. odds_at_mean: the same of the mean features.
        decided, instead: the class decided and the runner-up.
    """

    neurons: Floats
    together: Floats
    odds: Floats
    odds_at_mean: Floats
    decided: NDArray[Any]
    instead: NDArray[Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class Importance:
    """Accuracy lost where the trains of one neuron are exchanged between samples, a share of samples.

    Attributes:
        mean: over repeats, shape (unit,). spread: their standard deviation. accuracy: with all trains in place. repeats: how many.
    """

    mean: Floats
    spread: Floats
    accuracy: float
    repeats: int


def carried(classifier: LZCClassifier, X: Any) -> Carried:
    """Shares of the neurons in the decision on every sample, exact for a linear head (see `Carried`).

    Arguments:
        classifier: fitted. X: samples as `LZCClassifier` takes them.

    Raises:
        ClassifyError: the head is not linear; `importance` takes any.
    """
    seen = classifier.read(X)
    head = classifier.linear_
    if head is None:
        raise ClassifyError(f"carried: the head {classifier.head_!r:.80} is not linear; use importance(classifier, X, y, seed=...)")
    scores = head.scores(seen)
    rows = np.arange(scores.shape[0])
    order = np.argsort(-scores, axis=1, kind="stable")
    first, second = order[:, 0], order[:, 1]
    shares = (seen - head.mean) * (head.weights[:, first] - head.weights[:, second]).T
    owners = classifier.neurons_
    by_unit = np.zeros((scores.shape[0], int(owners.max(initial=0)) + 1))
    for column, owner in enumerate(owners.tolist()):
        if owner >= 0:
            by_unit[:, owner] += shares[:, column]
    mean = head.scores(head.mean[None])[0]
    return Carried(
        neurons=by_unit,
        together=shares[:, owners < 0].sum(axis=1),
        odds=scores[rows, first] - scores[rows, second],
        odds_at_mean=mean[first] - mean[second],
        decided=classifier.classes_[first],
        instead=classifier.classes_[second],
    )


def importance(classifier: LZCClassifier, X: Any, y: Any, *, seed: int, repeats: int = 20) -> Importance:
    """What each neuron is worth on held-out samples: its trains go to other samples at random, everything else stays.

    Neurons that say the same stand in for each other: each of them may then seem worth nothing.

    Arguments:
        classifier: fitted, with any head. X, y: samples that it was not fitted to, and their classes. seed: of the exchanges; neuron k
            and repeat r draw from (seed, k, r).

    Raises:
        ClassifyError: no repeats, no seed, other numbers of samples and classes, or none of the classes that it was fitted to.
    """
    labels = np.asarray(y)
    for name, value, least in (("seed", seed, 0), ("repeats", repeats, 1)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
            raise ClassifyError(f"importance: {name}: {value!r}; give a whole number, at least {least}")
    seen = classifier.read(X)
    if labels.shape != seen.shape[:1]:
        raise ClassifyError(f"importance: classes of shape {labels.shape} for {seen.shape[0]} samples; give a class per sample")
    if not {*labels.tolist()} & {*(known := classifier.classes_.tolist())}:
        raise ClassifyError(f"importance: classes {[*{*labels.tolist()}]!r:.60}, but it was fitted to {known!r:.60}; give the classes of the samples")
    words = symbols(np.asarray(X), classifier.threshold)
    accuracy = _right(classifier, seen, labels)
    units = words.shape[1]
    lost = np.empty((units, repeats))
    mixed = bool((classifier.neurons_ < 0).any())
    for unit in range(units):
        for repeat in range(repeats):
            order = np.random.default_rng([seed, unit, repeat]).permutation(labels.size)
            changed = seen.copy()
            if mixed:  # what hangs on all neurons is read anew
                exchanged = words.copy()
                exchanged[:, unit] = words[order, unit]
                together = [one for one in classifier.features if not one.by_neuron]
                changed[:, classifier.neurons_ < 0] = table(exchanged, together)
            mine = classifier.neurons_ == unit
            changed[:, mine] = seen[order][:, mine]
            lost[unit, repeat] = accuracy - _right(classifier, changed, labels)
    return Importance(mean=lost.mean(axis=1), spread=lost.std(axis=1), accuracy=accuracy, repeats=repeats)


def _right(classifier: LZCClassifier, features: Floats, labels: NDArray[Any]) -> float:
    return float(np.mean(classifier.head_.predict(features) == labels))
