"""Entropy rates in bits per symbol, estimated from a word, each with its bias on short words.

    lz76            phrases counted; too high on short words, within some hundredths from 10^4 symbols on, on either side
    lz78            phrases counted; too high, by tenths still at 10^5 symbols
    match_length    log2(i) over the mean match length; too low, by a tenth still at 10^4 symbols
    context_tree    bits per symbol of a code that weighs all contexts up to a depth; too high, by little: what it learns costs
    plug_in         blocks counted; too low as soon as not all blocks are met
    miller_madow    the same with the first term of the bias of counted blocks

References:
    Amigo, Szczepanski, Wajnryb & Sanchez-Vives 2004, Neural Comput 16:717, doi 10.1162/089976604322860677: of spike trains by `lz76`
    Kontoyiannis, Algoet, Suhov & Wyner 1998, IEEE Trans Inf Theory 44:1319, doi 10.1109/18.669425: `match_length`
    Miller 1955, Note on the bias of information estimates (from memory): `miller_madow`
    Willems, Shtarkov & Tjalkens 1995, IEEE Trans Inf Theory 41:653, doi 10.1109/18.382012: `context_tree`
    Gao, Kontoyiannis & Bienenstock 2008, Entropy 10:71, doi 10.3390/entropy-e10020071: the methods compared on spike trains
    Cover & Thomas 2006, Elements of Information Theory, section 13.5 (from memory): `lz78`
"""

import ctypes
import functools
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bioneuro import native
from bioneuro.complexity import lempel_ziv
from bioneuro.complexity.words import Symbols, WordError, whole, words_of

ROOM = 2**28
"""Most contexts times kinds of symbols that a context tree may have, some gigabytes."""


def lz76(words: Any, *, unfinished: bool = True) -> Any:
    """c log2(n) / n, c of `bioneuro.complexity.lz76`; 0 for words of less than two symbols."""
    return lempel_ziv.normalised(words, alphabet=2, unfinished=unfinished)


def lz78(words: Any, *, unfinished: bool = True) -> Any:
    """c log2(c) / n, c of `bioneuro.complexity.lz78`; 0 for words of less than two symbols."""
    read = words_of(words, "lz78")
    c, n = np.atleast_1d(np.asarray(lempel_ziv.lz78(words, unfinished=unfinished))), read.lengths
    return read.given(c * np.log2(np.maximum(c, 1)) / np.maximum(n, 1))


def match_length(words: Any) -> Any:
    """1 / mean of (match length + 1) / log2(i + 1) over the symbols i = 1, 2, ... whose match ends within the word; the window grows.

    It is 0 where every piece goes on as it did before, as in a constant word, and NaN for a word of less than two symbols.
    """

    def rate(word: Symbols) -> float:
        if word.size < 2:
            return np.nan
        new, place = lempel_ziv.match_lengths(word) + 1, np.arange(word.size)
        inside = (place + new <= word.size) & (place > 0)
        return float(1 / np.mean(new[inside] / np.log2(place[inside] + 1))) if inside.any() else 0.0

    return words_of(words, "match_length").each(rate)


def context_tree(words: Any, *, depth: int = 8) -> Any:
    """Code length of context-tree weighting per symbol, of all symbols but the first `depth`, which it is given; NaN where none are left.

    Arguments:
        depth: the longest context, from 0 (symbols one by one) to 64.

    Raises:
        WordError: more contexts than there is memory for: many kinds of symbols ask for a smaller depth.
    """
    whole(depth, "context_tree: depth", 0, 64)

    def rate(word: Symbols) -> float:
        if word.size <= depth:
            return np.nan
        known, symbols = np.unique(word, return_inverse=True)
        nodes = min(word.size * depth + 1, known.size ** (depth + 1))
        if nodes * known.size > ROOM:
            raise WordError(f"context_tree: {word.size} symbols of {known.size} kinds may make {nodes} contexts; give fewer kinds or a smaller depth")
        plain = np.ascontiguousarray(symbols, np.int32)
        bits = _code().code_length(plain.ctypes.data, plain.size, max(2, known.size), depth)
        if bits < 0:
            raise MemoryError("context_tree: no memory for its nodes; give a smaller depth")
        return float(bits / (word.size - depth))

    return words_of(words, "context_tree").each(rate)


def plug_in(words: Any, *, block: int = 1) -> Any:
    """H(block) - H(block - 1), entropies of the frequencies of the blocks that occur, counted at every place; NaN where there is none.

    Arguments:
        block: symbols in a block, at least 1.
    """
    return _conditional(words, block, 0.0, "plug_in")


def miller_madow(words: Any, *, block: int = 1) -> Any:
    """`plug_in` plus (kinds - 1) / (2 n ln 2) for each of its entropies of n blocks of so many kinds."""
    return _conditional(words, block, 0.5 / np.log(2), "miller_madow")


def _conditional(words: Any, block: int, correction: float, place: str) -> Any:
    whole(block, f"{place}: block", 1, 10**6)

    def entropy(labels: NDArray[np.int64]) -> float:
        counts = np.unique(labels, return_counts=True)[1]
        shares = counts / counts.sum()
        return float(-(shares * np.log2(shares)).sum() + correction * (counts.size - 1) / counts.sum())

    def rate(word: Symbols) -> float:
        n = word.size - block + 1
        if n < 1:
            return np.nan
        symbols = np.unique(word, return_inverse=True)[1].astype(np.int64)
        longer, shorter = symbols[:n], np.zeros(n, np.int64)
        for k in range(1, block):
            shorter = longer
            longer = np.unique(longer * (symbols.max() + 1) + symbols[k : n + k], return_inverse=True)[1]
        return entropy(longer) - (entropy(shorter) if block > 1 else 0.0)

    return words_of(words, place).each(rate)


@functools.cache
def _code() -> ctypes.CDLL:
    """The compiled context tree."""
    code = native.library(Path(__file__).with_name("context_tree.cpp"))
    code.code_length.argtypes = [ctypes.c_void_p, ctypes.c_int64, ctypes.c_int32, ctypes.c_int32]
    code.code_length.restype = ctypes.c_double
    return code
