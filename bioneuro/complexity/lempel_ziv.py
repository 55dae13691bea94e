"""Parsing words into phrases: the exhaustive history of Lempel & Ziv 1976, and the incremental parsing of Ziv & Lempel 1978.

References:
    Lempel & Ziv 1976, IEEE Trans Inf Theory 22:75, doi 10.1109/TIT.1976.1055501
    Ziv & Lempel 1978, IEEE Trans Inf Theory 24:530, doi 10.1109/TIT.1978.1055934
    Kaspar & Schuster 1987, Phys Rev A 36:842, doi 10.1103/PhysRevA.36.842: the usual count
"""

import ctypes
import functools
import os
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from bioneuro import native
from bioneuro.complexity.words import LARGEST, Ints, Symbols, WordError, Words, whole, words_of

EXHAUSTIVE, INCREMENTAL = 0, 1

ALONE = 200_000
"""Symbols below which other threads would cost more than they save."""


def lz76(words: Any, *, unfinished: bool = True, workers: int | None = None) -> Any:
    """Phrases of the exhaustive history: read from left to right, a phrase ends with the first symbol that makes it differ from all
    that stood before, where what stood before may overlap it: it may begin anywhere to the left and ends before the phrase does.

    >>> lz76([0, 0, 0, 1, 1, 0, 1, 0, 0, 1, 0, 0, 0, 1, 0, 1])  # 0 001 10 100 1000 101
    6

    Arguments:
        unfinished: whether a last phrase counts that the end of the word cuts off, as it does in Kaspar & Schuster's count.
        workers: threads; by default as many as there are processors. The counts do not depend on it.

    Raises:
        WordError: not words of integers. CompileError: there is no C++ compiler.
    """
    return _counted(EXHAUSTIVE, words, unfinished, workers, "lz76")


def lz78(words: Any, *, unfinished: bool = True, workers: int | None = None) -> Any:
    """Phrases of the incremental parsing: a phrase ends when it is none of the phrases before. Another quantity than `lz76`.

    >>> lz78([1, 0, 0, 1, 1, 1, 1, 0, 1, 1, 0, 0, 0, 0, 1, 0])  # 1 0 01 11 10 110 00 010
    8

    Arguments and errors: as for `lz76`.
    """
    return _counted(INCREMENTAL, words, unfinished, workers, "lz78")


def normalised(words: Any, *, alphabet: int = 2, unfinished: bool = True, workers: int | None = None) -> Any:
    """c log_k(n) / n, c of `lz76`, k the alphabet: for a stationary source it goes to the entropy rate in units of log2(k) bits.

    It is too high on short words (1.06 on average for 1024 coin flips), may fall below on long ones, and is 0 for words of less than two
    symbols: see `bioneuro.complexity.entropy`.

    Arguments:
        alphabet: how many symbols there could be, at least 2, whether they occur or not.
        Others, and errors: as for `lz76`.
    """
    whole(alphabet, "normalised: alphabet", 2, LARGEST)
    read = words_of(words, "normalised")
    n = read.lengths
    scale = np.log(np.maximum(n, 1)) / np.log(alphabet) / np.maximum(n, 1)
    return read.given(_count(EXHAUSTIVE, read, unfinished, workers) * scale)


def longest_before(word: Any) -> Ints:
    """For each symbol of a word, the length of the longest suffix up to it that occurs before, overlaps allowed; shape (symbol,).

    >>> longest_before([0, 1, 0, 1, 1]).tolist()
    [0, 0, 1, 2, 1]
    """
    return Stream(_one(word, "longest_before")).begun


def match_lengths(word: Any) -> Ints:
    """For each symbol of a word, the length of the longest piece from it on that also begins further left; shape (symbol,).

    >>> match_lengths([0, 1, 0, 1, 1]).tolist()
    [0, 0, 2, 1, 1]
    """
    n = (before := longest_before(word)).size
    return np.minimum(_first_new(before), n) - np.arange(n)


def phrases(word: Any) -> Ints:
    """Ends (exclusive) of the phrases of `lz76`; the last is the length of the word, whether or not its phrase is complete.

    >>> phrases([0, 0, 0, 1, 1, 0, 1, 0, 0, 1, 0, 0, 0, 1, 0, 1]).tolist()
    [1, 4, 6, 9, 13, 16]
    """
    ends, n = [0], (after := _first_new(longest_before(word)) + 1).size
    while ends[-1] < n:
        ends.append(min(int(after[ends[-1]]), n))
    return np.array(ends[1:], np.int64)


def _first_new(before: Ints) -> Ints:
    """For each place, the first symbol with which what begins there has not occurred before; the length where there is none."""
    begins = np.arange(before.size) - before + 1  # where the longest known suffix begins; it never moves to the left
    return np.searchsorted(begins, np.arange(before.size), side="right").astype(np.int64)


class Stream:
    """A word that is read as it comes: `feed` it; what it says of the whole is what `lz76` says.

    Its memory grows with the word, by some 32 bytes a symbol (more with more than two symbols).

    Arguments:
        word: the beginning, if there is one.
        alphabet: symbols are 0 .. alphabet-1, by default those of the beginning; without one any integers of 32 bits, which takes three
            times as long.

    Attributes:
        n: symbols so far.
        begun: for each symbol of the beginning, as `longest_before`.
    """

    def __init__(self, word: Any = (), *, alphabet: int | None = None) -> None:
        first = _one(word, "Stream")
        if alphabet is None and first.size and first.min() >= 0:
            alphabet = max(2, int(first.max()) + 1)
        self.alphabet = None if alphabet is None else whole(alphabet, "Stream: alphabet", 1, LARGEST)
        self.n = 0
        self._phrases = (ctypes.c_int64(0), ctypes.c_int64(0))
        code = _code()
        self._parser = _given(code.parser(EXHAUSTIVE, self.alphabet or LARGEST, first.size))
        self._closing = weakref.finalize(self, code.finish, self._parser)
        self.begun = self.feed(first)

    def __reduce__(self) -> Any:
        raise TypeError("Stream: what it has read is in the memory of compiled code and cannot be copied; feed its word to another one")

    def feed(self, symbols: Any) -> Ints:
        """Read on. Returns for each symbol the length of the longest suffix up to it that occurred before; shape (symbol,).

        Raises:
            WordError: not integers of 32 bits, or not of the alphabet; then nothing was read.
        """
        given = np.asarray(symbols)
        if given.dtype.kind in "iu" and given.size and not -LARGEST <= int(given.min()) <= int(given.max()) < LARGEST:
            raise WordError(f"Stream.feed: symbols {given.min()} .. {given.max()}; give integers of 32 bits, as numbers of your symbols")
        more = _one(np.atleast_1d(given), "Stream.feed").astype(np.int32)
        if self.alphabet is not None and more.size and not 0 <= int(more.min()) <= int(more.max()) < self.alphabet:
            raise WordError(f"Stream.feed: symbols {more.min()} .. {more.max()} of an alphabet 0 .. {self.alphabet - 1}; say the alphabet at first")
        seen = np.empty(more.size, np.int32)
        _given(_code().feed(self._parser, more.ctypes.data, more.size, seen.ctypes.data, *map(ctypes.byref, self._phrases)))
        self.n += more.size
        return seen.astype(np.int64)

    def lz76(self, *, unfinished: bool = True) -> int:
        """Phrases so far, as of `bioneuro.complexity.lz76`."""
        complete, open_ = (count.value for count in self._phrases)
        return complete + (_said(unfinished) and open_ > 0)


def _one(word: Any, place: str) -> Symbols:
    read = words_of(word, place)
    if read.shape:
        raise WordError(f"{place}: {read.shape[0]} words; give one, a row of integers")
    return read.symbols


def _counted(rule: int, words: Any, unfinished: bool, workers: int | None, place: str) -> Any:
    read = words_of(words, place)
    return read.given(_count(rule, read, unfinished, workers))


def _said(unfinished: Any) -> bool:
    if not isinstance(unfinished, bool | np.bool_):
        raise WordError(f"unfinished: {unfinished!r:.60}; give True, to count a last phrase that is cut off, or False")
    return bool(unfinished)


def _count(rule: int, read: Words, unfinished: bool, workers: int | None) -> Ints:
    _said(unfinished)
    if workers is not None:
        whole(workers, "workers", 1, 1024)
    complete, opened = np.zeros(read.lengths.size, np.int64), np.zeros(read.lengths.size, np.int64)
    code, starts = _code(), read.starts
    binary = rule == EXHAUSTIVE and read.symbols.dtype == np.uint8
    symbols = read.symbols if binary else np.asarray(read.symbols, np.int32)
    threads = 1 if read.symbols.size < ALONE else min(workers or os.cpu_count() or 1, complete.size)

    def part(first: int, last: int) -> None:
        cut = np.ascontiguousarray(starts[first : last + 1])
        where = (symbols.ctypes.data, cut.ctypes.data, last - first, complete[first:].ctypes.data, opened[first:].ctypes.data)
        _given(code.count_binary(*where) if binary else code.count(rule, read.alphabet, *where))

    if threads <= 1:
        part(0, complete.size)
        return complete + (opened > 0) * unfinished
    # Several parts for each thread, of equal numbers of symbols: words differ in length and in cost.
    cuts = np.unique(np.searchsorted(starts, np.linspace(0, starts[-1], 8 * threads + 1)))
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(part, cuts[:-1].tolist(), cuts[1:].tolist()))
    return complete + (opened > 0) * unfinished


def _given(answer: Any) -> Any:
    if not answer:
        raise MemoryError("the parser got no memory; it takes some 32 bytes a symbol, more with more than two symbols")
    return answer


@functools.cache
def _code() -> ctypes.CDLL:
    """The compiled parser."""
    code = native.library(Path(__file__).with_name("parse.cpp"))
    pointer, small, large = ctypes.c_void_p, ctypes.c_int32, ctypes.c_int64
    code.parser.argtypes, code.parser.restype = [small, small, large], pointer
    code.feed.argtypes, code.feed.restype = [pointer, pointer, large, pointer, pointer, pointer], small
    code.finish.argtypes, code.finish.restype = [pointer], None
    code.count.argtypes, code.count.restype = [small, small, pointer, pointer, large, pointer, pointer], small
    code.count_binary.argtypes, code.count_binary.restype = [pointer, pointer, large, pointer, pointer], small
    return code
