"""What is read off words: a complexity per neuron and of all together, counts and rates. Features are values; a tuple of them says which."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bioneuro import complexity
from bioneuro.classify.words import ClassifyError, width_of, words_of
from bioneuro.measure.spikes import train_of
from bioneuro.recording import Recording

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Feature:
    """Something that is computed from words.

    Attributes:
        name: what it is called, with its unit if it has one.
        of: (words (sample, unit, bin) of whole numbers, seconds per bin) -> numbers (sample, unit) if it is one per neuron, else (sample,).
        by_neuron: whether it is one per neuron; the number of a neuron then hangs on its own train alone.
    """

    name: str
    of: Callable[[NDArray[Any], float], Floats]
    by_neuron: bool = True


@dataclass(frozen=True, kw_only=True, eq=False)
class Features:
    """A table of features.

    Attributes:
        values: shape (sample, feature). names: of the features. neurons: the unit of each feature, -1 where it is of all together.
    """

    values: Floats
    names: tuple[str, ...]
    neurons: NDArray[np.int64]


def _lzc(words: NDArray[Any], width: float) -> Floats:
    samples, units, n = words.shape
    return np.asarray(complexity.normalised(words.reshape(samples * units, n))).reshape(samples, units)


def _pooled_lzc(words: NDArray[Any], width: float) -> Floats:
    return np.asarray(complexity.normalised(complexity.joint(words)))


def _chained_lzc(words: NDArray[Any], width: float) -> Floats:
    return np.asarray(complexity.normalised(complexity.concatenated(words)))


def _counts(words: NDArray[Any], width: float) -> Floats:
    return np.asarray(words.sum(axis=2, dtype=np.float64))


def _rates(words: NDArray[Any], width: float) -> Floats:
    return _counts(words, width) / (words.shape[2] * width)


per_neuron_lzc = Feature("LZC", _lzc)
"""LZ76 complexity of each train, c log2(n)/n with the last phrase counted, in bits per bin."""

pooled_lzc = Feature("LZC of all", _pooled_lzc, by_neuron=False)
"""LZ76 complexity of the sequence of patterns over the units, a symbol per bin, c log2(n)/n in bits per bin: structure between units shows."""

chained_lzc = Feature("LZC of the chain", _chained_lzc, by_neuron=False)
"""LZ76 complexity of all trains one after the other as one word, c log2(n)/n in bits per bin of a unit: what repeats from unit to unit shows."""

counts = Feature("count", _counts)
"""Sum of the symbols of each train: the number of spikes, or, of clipped words, of bins with a spike."""

rates = Feature("rate (Hz)", _rates)
"""`counts` per second; per bin where words come without the width of their bins."""

STANDARD = (per_neuron_lzc, pooled_lzc)
"""What is read if nothing else is asked for: complexity alone."""


def checked(what: Sequence[Feature], place: str) -> tuple[Feature, ...]:
    """Features as a tuple. Raises ClassifyError for anything else, or for none."""
    found = tuple(what) if isinstance(what, list | tuple) else ()
    if not found or not all(isinstance(one, Feature) for one in found):
        known = "per_neuron_lzc, pooled_lzc, chained_lzc, counts, rates"
        raise ClassifyError(f"{place}: {what!r:.80} is no tuple of features; give some of bioneuro.classify: {known}")
    return found


def table(words: NDArray[Any], what: Sequence[Feature], width: float = 1.0) -> Floats:
    """Values (sample, feature) of words (sample, unit, bin), feature after feature, each for all units.

    Raises ClassifyError for a feature of another shape than it says.
    """
    columns = [one.of(words, width) for one in what]
    for one, column in zip(what, columns, strict=True):
        if np.shape(column) != (wanted := words.shape[: 2 if one.by_neuron else 1]):
            raise ClassifyError(f"feature {one.name!r}: numbers of shape {np.shape(column)}, expected {wanted}; by_neuron={one.by_neuron} says which")
    return np.concatenate([c if one.by_neuron else c[:, None] for one, c in zip(what, columns, strict=True)], axis=1)


def neurons(what: Sequence[Feature], units: int) -> NDArray[np.int64]:
    """The unit of each column of `table`, -1 where it is of all together."""
    return np.concatenate([np.arange(units) if one.by_neuron else [-1] for one in what]).astype(np.int64)


def names(what: Sequence[Feature], units: int) -> tuple[str, ...]:
    """The name of each column of `table`."""
    return tuple(f"{one.name} {k}" if one.by_neuron else one.name for one in what for k in range(units if one.by_neuron else 1))


def features(
    recording: Recording, population: str, *, bin: Any, what: Sequence[Feature] = STANDARD, start: Any = "0 s", stop: Any = None, clip: bool = True
) -> Features:
    """Features of every trial of a recording, read off its words (`words_of`, with the same arguments).

    Raises:
        ClassifyError: no words can be made, or `what` is no tuple of features. MeasureError, UnitError: as `words_of`.

    >>> from bioneuro.measure import observed
    >>> seen = observed(spikes={"cell": [["1 ms", "3 ms", "7 ms"], []]}, dt="1 ms", stop="8 ms")
    >>> found = features(seen, "cell", bin="1 ms", what=(per_neuron_lzc, counts))
    >>> found.names, found.values.tolist()
    (('LZC 0', 'count 0'), [[1.5, 3.0], [0.75, 0.0]])
    """
    asked = checked(what, "features: what")
    words = words_of(recording, population, bin=bin, start=start, stop=stop, clip=clip)
    width = width_of(bin, train_of(recording, population).dt)
    size = words.shape[1]
    return Features(values=table(words, asked, width), names=names(asked, size), neurons=neurons(asked, size))
