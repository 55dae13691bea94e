"""Words as compiled code takes them: symbols end to end, and where each word begins."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Symbols = NDArray[np.int32] | NDArray[np.uint8]

LONGEST = 2**30 - 2
"""Symbols of a word: its states are numbered in 32 bits."""

LARGEST = 2**31 - 1


class WordError(ValueError):
    """What was given is not a word of integers, or not one that can be read so."""


def whole(value: Any, place: str, least: int, most: int) -> int:
    """A whole number from `least` to `most`. Raises WordError for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or not least <= value <= most:
        raise WordError(f"{place}: {value!r:.60}; give a whole number from {least} to {most}")
    return int(value)


@dataclass(frozen=True)
class Words:
    """Words end to end: that of k is ``symbols[starts[k]:starts[k + 1]]``.

    Attributes:
        symbols: bytes where they are 0 and 1, else of 32 bits.
        alphabet: symbols are 0 .. alphabet-1, as far as this is of use; a large one says nothing.
        shape: () where one word was given, else (words,).
    """

    symbols: Symbols
    starts: Ints
    alphabet: int
    shape: tuple[int, ...]

    @property
    def lengths(self) -> Ints:
        return np.diff(self.starts)

    def given(self, values: NDArray[Any]) -> Any:
        """One number for each word, as a plain number where one word was given."""
        return values if self.shape else values[0].item()

    def each(self, number: Callable[[Symbols], float]) -> Any:
        """A number of every word, one after the other."""
        rows = (self.symbols[a:b] for a, b in zip(self.starts[:-1].tolist(), self.starts[1:].tolist(), strict=True))
        return self.given(np.array([number(row) for row in rows], np.float64))


def words_of(given: Any, place: str) -> Words:
    """One word, many in rows, or a list of words of any lengths.

    Raises:
        WordError: not integers, more than two dimensions, or a word of more than 2^30 - 2 symbols.
    """
    if isinstance(given, list | tuple) and any(np.ndim(row) for row in given):
        rows = [_integers(row, f"{place}: word {k}") for k, row in enumerate(given)]
        if any(row.ndim != 1 for row in rows):
            raise WordError(f"{place}: a list of words holds one of more dimensions; give rows of integers")
        flat, lengths, shape = np.concatenate(rows), np.array([row.size for row in rows]), (len(rows),)
    else:
        array = _integers(given, place)
        if array.ndim not in (1, 2):
            raise WordError(f"{place}: an array of shape {array.shape}; give one word (symbol,) or words in rows (word, symbol)")
        flat, lengths, shape = array.ravel(), np.full(array.shape[0] if array.ndim == 2 else 1, array.shape[-1]), array.shape[:-1]
    if lengths.max(initial=0) > LONGEST:
        raise WordError(f"{place}: a word of {lengths.max()} symbols; at most {LONGEST} can be read, cut it")
    symbols, alphabet = _symbols(flat)
    return Words(symbols=symbols, starts=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64), alphabet=alphabet, shape=shape)


def _integers(given: Any, place: str) -> NDArray[Any]:
    try:
        array = np.asarray(given)
    except ValueError as error:
        raise WordError(f"{place}: {error}; give one word, words in rows, or a list of words") from None
    if np.ma.is_masked(given):
        raise WordError(f"{place}: a masked array; a word has a symbol in every place, so leave out what is masked or give it a symbol")
    if array.size == 0 and array.dtype == np.float64:
        return array.astype(np.int64)
    if array.dtype.kind not in "biu":
        raise WordError(
            f"{place}: symbols of type {array.dtype}; give integers: times are binned first, values are split by `binarised`, "
            "and a text is a word as [ord(c) for c in text]"
        )
    return array


def _symbols(flat: NDArray[Any]) -> tuple[Symbols, int]:
    """The symbols, and a bound of those that are not negative."""
    if not flat.size:
        return flat.astype(np.uint8), 2
    low, high = int(flat.min()), int(flat.max())
    if 0 <= low <= high <= 1:
        return np.ascontiguousarray(flat, np.uint8), 2
    if low < -LARGEST or high >= LARGEST:
        known, flat = np.unique(flat, return_inverse=True)
        low, high = 0, known.size - 1
    return np.ascontiguousarray(flat, np.int32), max(high + 1, 2) if low >= 0 else LARGEST
