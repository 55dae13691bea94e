"""What a word's complexity is beside that of words like it but for their order, or but for everything except their rate."""

from collections.abc import Callable
from typing import Any

import numpy as np

from bioneuro.complexity.lempel_ziv import lz76
from bioneuro.complexity.words import Symbols, Words, whole, words_of

Surrogate = Callable[[Symbols, int, np.random.Generator], Symbols]
"""(word, number, generator) -> words in rows."""


def shuffled(word: Symbols, number: int, random: np.random.Generator) -> Symbols:
    """The same symbols as often, in an order without structure; shape (number, symbol)."""
    return random.permuted(np.tile(word, (number, 1)), axis=1)


def rate_matched(word: Symbols, number: int, random: np.random.Generator) -> Symbols:
    """Symbols drawn one by one with the word's frequencies; shape (number, symbol)."""
    return random.choice(word, (number, word.size)) if word.size else np.empty((number, 0), np.int32)


def against_shuffled(words: Any, *, seed: int, surrogates: int = 20, unfinished: bool = True) -> Any:
    """c / mean c of `shuffled` words, c of `lz76`: 1 for words without structure, whatever their rate. NaN for an empty word.

    Arguments:
        seed: word k draws from (seed, k), so its number does not hang on the other words.
        surrogates: how many, at least 1.

    Raises:
        WordError: not words of integers, or no surrogates.
    """
    return _against(shuffled, words, seed, surrogates, unfinished, "against_shuffled")


def against_rate(words: Any, *, seed: int, surrogates: int = 20, unfinished: bool = True) -> Any:
    """c / mean c of `rate_matched` words; otherwise as `against_shuffled`. The rate of the surrogates varies as that of Bernoulli trials does."""
    return _against(rate_matched, words, seed, surrogates, unfinished, "against_rate")


def _against(how: Surrogate, words: Any, seed: int, surrogates: int, unfinished: bool, place: str) -> Any:
    whole(surrogates, f"{place}: surrogates", 1, 10**6)
    whole(seed, f"{place}: seed", 0, 2**64 - 1)
    read = words_of(words, place)
    means = np.array([_mean(how, read, k, seed, surrogates, unfinished) for k in range(read.lengths.size)])
    rows = [read.symbols[a:b] for a, b in zip(read.starts[:-1].tolist(), read.starts[1:].tolist(), strict=True)]
    found = np.asarray(lz76(rows, unfinished=unfinished), np.float64) if rows else np.empty(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return read.given(found / means)


def _mean(how: Surrogate, read: Words, k: int, seed: int, surrogates: int, unfinished: bool) -> float:
    random = np.random.Generator(np.random.Philox(key=np.array([seed, k], np.uint64)))
    return float(np.mean(lz76(how(read.symbols[read.starts[k] : read.starts[k + 1]], surrogates, random), unfinished=unfinished)))
