"""Complexity as scikit-learn knows it: a transformer from trains to features, and a classifier with any head on them.

X is an array of trains: (sample, bin), one train per sample, or (sample, unit, bin), as `words_of` gives it. So a recording is classified by

    cross_val_score(LZCClassifier(), words_of(samples, "source", bin="1 ms"), labels_of(samples))

and everything else of scikit-learn that indexes samples works the same way.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin, clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from bioneuro.classify.features import STANDARD, Feature, Floats, checked, names, neurons, table
from bioneuro.classify.linear import folded
from bioneuro.classify.words import ClassifyError


def standard_head() -> Any:
    """Standardisation and a logistic regression: probabilities, and weights that say what a decision hangs on."""
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))


def symbols(X: NDArray[Any], threshold: float | None) -> NDArray[Any]:
    """Symbols of values (sample, bin) or (sample, unit, bin), shape (sample, unit, bin): 1 above the threshold, else 0.

    Raises:
        ClassifyError: without a threshold, values that are not whole numbers from 0 on; a threshold that is no number; no unit or no bin.
    """
    if X.ndim not in (2, 3) or not all(X.shape[1:]):
        raise ClassifyError(f"X has shape {X.shape}; expected (sample, bin) or (sample, unit, bin), with a unit and a bin at least")
    if threshold is None:
        found = X if X.dtype.kind in "bui" else np.rint(X).astype(np.int64)
        if not np.array_equal(found, X) or found.min(initial=0) < 0:
            raise ClassifyError("X holds values that are not whole numbers from 0 on, and threshold is None; give a threshold, or symbols")
        found = found.view(np.uint8) if found.dtype.kind == "b" else found
    elif isinstance(threshold, bool) or not isinstance(threshold, int | float | np.number) or not np.isfinite(threshold):
        raise ClassifyError(f"threshold: {threshold!r:.60} is no number; give one, or None where X holds symbols already")
    else:
        found = np.asarray(threshold < X).view(np.uint8)
    return found[:, None, :] if found.ndim == 2 else found


class _Reader(BaseEstimator):
    """What transformer and classifier share: how X becomes features."""

    features: Sequence[Feature]
    threshold: float | None

    def _noted(self, X: NDArray[Any]) -> Floats:
        """Features of the training samples; notes their shape."""
        what = checked(self.features, f"{type(self).__name__}: features")
        words = symbols(X, self.threshold)
        self.shape_in_ = X.shape[1:]
        self.names_ = names(what, words.shape[1])
        self.neurons_ = neurons(what, words.shape[1])
        return table(words, what)

    def read(self, X: Any) -> Floats:
        """Features of samples of the shape of those it was fitted to, (sample, feature)."""
        check_is_fitted(self)
        found = validate_data(self, X, dtype="numeric", allow_nd=True, reset=False)
        self._check_shape(found.shape[1:])
        return table(symbols(found, self.threshold), checked(self.features, f"{type(self).__name__}: features"))

    def _check_shape(self, shape: tuple[int, ...]) -> None:
        if shape != self.shape_in_:
            raise ClassifyError(
                f"{type(self).__name__}: samples have shape {shape}, but those it was fitted to had {self.shape_in_}; complexity depends on the "
                "number of bins, so give trains of as many units and bins"
            )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags


class LZCTransformer(TransformerMixin, _Reader):
    """From trains to features.

    Arguments:
        features: a tuple of `Feature`; by default complexity alone, of each neuron and of all together.
        threshold: a value above it is a spike. None: values are symbols already, whole numbers from 0 on.

    Attributes:
        names_: of the features. neurons_: the unit of each, -1 where it is of all together. shape_in_: (bin,) or (unit, bin).

    >>> import numpy as np
    >>> trains = np.array([[0, 1, 0, 1, 0, 1, 0, 1], [0, 0, 0, 1, 1, 0, 1, 1]])
    >>> LZCTransformer().fit_transform(trains).tolist()
    [[1.125, 1.125], [1.5, 1.5]]
    """

    def __init__(self, features: Sequence[Feature] = STANDARD, threshold: float | None = 0.0) -> None:
        self.features = features
        self.threshold = threshold

    def fit(self, X: Any, y: Any = None) -> "LZCTransformer":
        """Note the shape of the samples; nothing else is learned."""
        self._noted(validate_data(self, X, dtype="numeric", allow_nd=True)[:1])
        return self

    def transform(self, X: Any) -> Floats:
        """Features, shape (sample, feature)."""
        return self.read(X)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """The names of the features; those of the input play no part in them."""
        check_is_fitted(self)
        if input_features is not None:
            known = getattr(self, "feature_names_in_", None)
            if known is not None and not np.array_equal(known, input_features):
                raise ValueError("input_features is not equal to feature_names_in_")
            if len(input_features) != self.n_features_in_:
                raise ValueError(f"input_features should have length equal to number of features ({self.n_features_in_}), got {len(input_features)}")
        return np.asarray(self.names_, dtype=object)


def _head_has(method: str) -> Any:
    def has(self: "LZCClassifier") -> bool:
        unfitted = standard_head() if self.head is None else self.head
        return hasattr(getattr(self, "head_", unfitted), method)

    return has


class LZCClassifier(ClassifierMixin, _Reader):
    """Trains are classified by their complexity: the features of `LZCTransformer`, and a head that learns from them.

    Arguments:
        features, threshold: as of `LZCTransformer`.
        head: any classifier of scikit-learn; None is `standard_head`: standardisation and logistic regression.

    Attributes:
        classes_: the classes, in order. head_: the fitted head. linear_: its weights, or None if it is not linear.
        names_, neurons_, shape_in_: as of `LZCTransformer`.

    >>> import numpy as np
    >>> random = np.random.default_rng(0)
    >>> X, y = random.random((200, 3, 500)) < np.repeat([0.05, 0.2], 100)[:, None, None], np.repeat(["slow", "fast"], 100)
    >>> model = LZCClassifier().fit(X[::2], y[::2])
    >>> model.score(X[1::2], y[1::2])
    1.0
    >>> str(model.decide(X[1]))
    'slow'
    """

    def __init__(self, features: Sequence[Feature] = STANDARD, threshold: float | None = 0.0, head: Any = None) -> None:
        self.features = features
        self.threshold = threshold
        self.head = head

    def fit(self, X: Any, y: Any) -> "LZCClassifier":
        """Learn the head from samples and their classes. Raises ValueError if there is one class only."""
        X, y = validate_data(self, X, y, dtype="numeric", allow_nd=True)
        check_classification_targets(y)
        seen = self._noted(X)
        if np.unique(y).size < 2:
            only = np.asarray(y)[:1].tolist()[0]
            raise ValueError(f"This solver needs samples of at least 2 classes in the data, but the data contains only one class: {only!r}")
        if isinstance(self.head, type) or not (self.head is None or hasattr(self.head, "fit")):
            raise ClassifyError(f"LZCClassifier: head: {self.head!r:.80}; give a classifier of scikit-learn such as LogisticRegression(), or None")
        self.head_ = (standard_head() if self.head is None else clone(self.head)).fit(seen, y)
        if not hasattr(self.head_, "classes_"):
            raise ClassifyError(f"LZCClassifier: head: {self.head!r:.80} knows no classes; give a classifier, not a regression")
        self.classes_ = self.head_.classes_
        self.linear_ = folded(self.head_, seen)
        return self

    def predict(self, X: Any) -> NDArray[Any]:
        """The class of every sample."""
        seen = self.read(X)
        return np.asarray(self.head_.predict(seen))

    @available_if(_head_has("predict_proba"))
    def predict_proba(self, X: Any) -> Floats:
        """Probabilities, shape (sample, class)."""
        seen = self.read(X)
        return np.asarray(self.head_.predict_proba(seen))

    @available_if(_head_has("decision_function"))
    def decision_function(self, X: Any) -> Floats:
        """Scores, as scikit-learn gives them: (sample,) of the second of two classes, else (sample, class)."""
        seen = self.read(X)
        return np.asarray(self.head_.decision_function(seen))

    def scores(self, words: NDArray[Any]) -> Floats:
        """Scores of each class for one sample, (bin,) or (unit, bin), of a linear head; see `Linear`.

        Raises:
            ClassifyError: the sample has another shape, or the head is not linear.
        """
        check_is_fitted(self)
        if self.linear_ is None:
            raise ClassifyError(f"LZCClassifier: scores: the head {self.head_!r:.80} is not linear; use predict or predict_proba")
        words = np.asarray(words)
        self._check_shape(words.shape)
        return np.asarray(self.linear_.scores(table(symbols(words[None], self.threshold), self.features))[0])

    def decide(self, words: NDArray[Any]) -> Any:
        """The class of one sample, (bin,) or (unit, bin): what `predict` says, without its checks of arrays where the head is linear."""
        check_is_fitted(self)
        if self.linear_ is None:
            return self.predict(np.asarray(words)[None])[0]
        return self.classes_[self.scores(words).argmax()]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True  # of points in a plane, which are no spike trains
        return tags
