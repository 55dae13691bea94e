"""A linear head as weights: the scores of a sample by one product, and what each feature adds to them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Linear:
    """Scores (sample, class) = features @ weights + bias; the largest decides.

    Of two classes each has half of the score that scikit-learn gives the second, one with the opposite sign: the difference of two scores is
    the log-odds of the two classes, if the head is a logistic regression.

    Attributes:
        weights: shape (feature, class). bias: shape (class,). mean: of the features over the training samples.
    """

    weights: Floats
    bias: Floats
    mean: Floats

    def scores(self, features: Floats) -> Floats:
        """Shape (sample, class)."""
        return np.asarray(features @ self.weights + self.bias)


def folded(head: Any, features: Floats) -> Linear | None:
    """A head that was fitted to these features as weights, if it is linear or a standardisation before a linear one; else None.

    That the weights give the scores of the head itself is checked on the features: the decision function of a machine that votes between
    pairs of classes has as many weights, and is not linear.
    """
    steps = [step for _, step in head.steps] if isinstance(head, Pipeline) else [head]
    *before, last = steps
    if len(before) > 1 or any(type(step) is not StandardScaler for step in before) or not hasattr(head, "decision_function"):
        return None
    coef, intercept = getattr(last, "coef_", None), getattr(last, "intercept_", None)
    if not isinstance(coef, np.ndarray) or intercept is None:
        return None
    weights = np.atleast_2d(coef).astype(np.float64)
    bias = np.broadcast_to(np.asarray(intercept, np.float64), weights.shape[:1])
    for step in before:
        weights = weights / step.scale_ if step.with_std else weights
        bias = bias - weights @ step.mean_ if step.with_mean else bias
    if weights.shape[1] != features.shape[1]:
        return None
    wanted = np.asarray(head.decision_function(features))
    found = features @ weights.T + bias
    found = found[:, 0] if wanted.ndim == 1 else found
    if found.shape != wanted.shape or not np.allclose(found, wanted, rtol=1e-9, atol=1e-9 * max(1.0, float(np.abs(wanted).max()))):
        return None
    if wanted.ndim == 1:
        weights, bias = np.concatenate([-weights, weights]) / 2, np.concatenate([-bias, bias]) / 2
    return Linear(weights=np.ascontiguousarray(weights.T), bias=bias, mean=features.mean(axis=0))
