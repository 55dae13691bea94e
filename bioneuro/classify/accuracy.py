"""How often a classifier is right on samples that it has not seen, with an interval."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest
from sklearn.base import clone
from sklearn.model_selection import StratifiedKFold

from bioneuro.classify.words import ClassifyError


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """So many right of so many. `low` and `high` are Wilson's 95 % interval, which takes the samples as independent."""

    right: int
    samples: int

    def __post_init__(self) -> None:
        if not 0 <= self.right <= self.samples or not self.samples:
            raise ClassifyError(f"Accuracy: {self.right} right of {self.samples} samples; give at least one sample, and no more right than there are")

    @property
    def mean(self) -> float:
        return self.right / self.samples

    @property
    def low(self) -> float:
        return wilson(self.right, self.samples)[0]

    @property
    def high(self) -> float:
        return wilson(self.right, self.samples)[1]

    def __str__(self) -> str:
        return f"{100 * self.mean:.1f} % ({100 * self.low:.1f} to {100 * self.high:.1f} %)"


def wilson(right: int, samples: int) -> tuple[float, float]:
    """Wilson's 95 % interval for a share (Wilson 1927, J Am Stat Assoc 22:209).

    >>> [round(x, 4) for x in wilson(0, 100)]
    [0.0, 0.037]
    """
    if not 0 <= right <= samples or not samples:
        raise ClassifyError(f"wilson: {right} right of {samples} samples; give at least one sample, and no more right than there are")
    found = binomtest(right, samples).proportion_ci(method="wilson")
    return float(found.low), float(found.high)


def cross_validated(classifier: Any, X: Any, y: Any, *, folds: int = 5, seed: int = 0) -> tuple[Accuracy, NDArray[Any]]:
    """Every sample is decided by a classifier that was fitted to the other folds; the classes are as frequent in each fold.

    Returns:
        how often it was right, and the class given to every sample.

    Arguments:
        classifier: of scikit-learn; it is cloned for each fold. seed: of which sample goes to which fold.

    Raises:
        ClassifyError: fewer than two classes or folds, a class with fewer samples than folds, another number of classes than samples, or a
            seed that is none.
    """
    if not _whole(folds) or not _whole(seed) or not 0 <= seed < 2**32:
        raise ClassifyError(f"cross_validated: {folds!r} folds, seed {seed!r}; give whole numbers, the seed from 0 to {2**32 - 1}")
    labels, X = np.asarray(y), X if hasattr(X, "shape") else np.asarray(X)
    if labels.ndim != 1 or labels.size != X.shape[0]:
        raise ClassifyError(f"cross_validated: classes of shape {labels.shape} for {X.shape[0]} samples; give one for each sample")
    known, numbers = np.unique(labels, return_counts=True)
    if known.size < 2 or folds < 2 or numbers.min() < folds:
        found = ", ".join(f"{n} of class {c}" for c, n in zip(known.tolist(), numbers.tolist(), strict=True))
        raise ClassifyError(f"cross_validated: {folds} folds of {found}; give at least two folds, two classes, and as many samples of each as folds")
    given = np.empty_like(labels)
    for train, test in StratifiedKFold(folds, shuffle=True, random_state=seed).split(np.zeros(labels.size), labels):
        given[test] = clone(classifier).fit(X[train], labels[train]).predict(X[test])
    return Accuracy(right=int((given == labels).sum()), samples=labels.size), given


def _whole(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)
