"""Reading spikes by their complexity: words, features, classifiers, and which neurons carried a decision.

A data set of samples is a recording whose trials are the samples and whose condition ``label`` is their class. `words_of` and `labels_of`
make arrays of it, as scikit-learn takes them; `spikes_of` makes one of plain arrays, files and Neo's objects.
"""

from bioneuro.classify.accuracy import Accuracy, cross_validated, wilson
from bioneuro.classify.carried import Carried, Importance, carried, importance
from bioneuro.classify.estimator import LZCClassifier, LZCTransformer, standard_head
from bioneuro.classify.features import Feature, Features, chained_lzc, counts, features, per_neuron_lzc, pooled_lzc, rates
from bioneuro.classify.linear import Linear
from bioneuro.classify.read import samples_of, spikes_of
from bioneuro.classify.rows import ReadError, Samples
from bioneuro.classify.through import through
from bioneuro.classify.words import ClassifyError, labels_of, words_of

__all__ = [
    "Accuracy", "Carried", "ClassifyError", "Feature", "Features", "Importance", "LZCClassifier", "LZCTransformer", "Linear", "ReadError",
    "Samples", "carried", "chained_lzc", "counts", "cross_validated", "features", "importance", "labels_of", "per_neuron_lzc", "pooled_lzc",
    "rates", "samples_of", "spikes_of", "standard_head", "through", "wilson", "words_of",
]  # fmt: skip
