"""Phrases of Lempel and Ziv: two oracles, published numbers, laws, streams, and what is no word."""

import copy
import gc
import pickle
from typing import Any

import lzcomplexity
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bioneuro import complexity
from bioneuro.complexity import WordError

ALPHABETS = (1, 2, 3, 4, 5, 16, 17, 100, 2**31 - 1)
words = st.sampled_from(ALPHABETS).flatmap(lambda k: st.lists(st.integers(0, min(k, 300) - 1), max_size=80))
RULES = {"lz76": complexity.lz76, "lz78": complexity.lz78}


def history(word: list[int]) -> list[int]:
    """Ends of the phrases: the definition, word for word."""
    ends, begin, n = [], 0, len(word)
    while begin < n:
        end = begin + 1
        while end < n and any(word[k : k + end - begin] == word[begin:end] for k in range(begin)):
            end += 1
        ends, begin = [*ends, end], end
    return ends


def unfinished(word: list[int]) -> bool:
    """Whether the last phrase, cut off by the end, occurred before."""
    begin = ([0, *history(word)])[-2] if word else 0
    return any(word[k : k + len(word) - begin] == word[begin:] for k in range(begin))


def tree(word: list[int]) -> tuple[int, bool]:
    """Complete phrases of the incremental parsing, and whether one is open."""
    known: set[tuple[int, ...]] = set()
    phrase: tuple[int, ...] = ()
    for symbol in word:
        phrase = (*phrase, symbol)
        if phrase not in known:
            known.add(phrase)
            phrase = ()
    return len(known), phrase != ()


# Oracles -------------------------------------------------------------------------------------------------------------


def ten_thousand() -> list[np.ndarray]:
    random = np.random.default_rng(7)
    return [random.integers(0, k, random.integers(0, 60)) for k in (1, 2, 3, 4, 7, 16, 40, 1000) for _ in range(1300)]


def test_ten_thousand_words_are_parsed_as_the_definition_and_an_oracle_parse_them(ledger: Any) -> None:
    rows = ten_thousand()
    naive = [len(history(row.tolist())) for row in rows]
    assert len(rows) > 10_000
    error = float(np.abs(complexity.lz76(rows) - naive).max())
    ledger("LZ76", "its definition", "phrases of 10,400 words, alphabets of 1 to 1000", error, 0.0)
    rows = [row.astype(np.uint8) for row in rows if row.size and row.max() < 256]
    other = [lzcomplexity.factorization(row.tobytes())[0] for row in rows]
    error = float(np.abs(complexity.lz76(rows, unfinished=False) - other).max())
    ledger("LZ76", "lzcomplexity 2.0, factorization", f"complete phrases of {len(rows)} words, alphabets of 1 to 40", error, 0.0)


@pytest.mark.slow
def test_ten_thousand_words_are_parsed_as_another_oracle_parses_them(ledger: Any) -> None:
    import antropy  # it takes seconds to import

    rows = ten_thousand()
    other = [antropy.lziv_complexity(row) if row.size else 0 for row in rows]
    error = float(np.abs(complexity.lz76(rows) - other).max())
    ledger("LZ76", "antropy 0.2, lziv_complexity", "phrases of 10,400 words, alphabets of 1 to 1000", error, 0.0)


@given(words)
@example([])
@example([0])
@example([0, 0])
@example([0, 1])
@example([0, 1] * 32)
def test_every_count_follows_its_definition(word: list[int]) -> None:
    ends = history(word)
    assert complexity.lz76(word) == len(ends)
    assert complexity.lz76(word, unfinished=False) == len(ends) - unfinished(word)
    assert complexity.phrases(word).tolist() == ends
    complete, opened = tree(word)
    assert complexity.lz78(word) == complete + opened
    assert complexity.lz78(word, unfinished=False) == complete


@given(words)
def test_lengths_follow_their_definition(word: list[int]) -> None:
    n = len(word)
    before = [max(m for m in range(t + 2) if any(word[k : k + m] == word[t + 1 - m : t + 1] for k in range(t + 1 - m)) or m == 0) for t in range(n)]
    after = [max(m for m in range(n - t + 1) if any(word[k : k + m] == word[t : t + m] for k in range(t)) or m == 0) for t in range(n)]
    assert complexity.longest_before(word).tolist() == before
    assert complexity.match_lengths(word).tolist() == after


# Published numbers ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "phrases"),
    [
        ("0001101001000101", [1, 4, 6, 9, 13, 16]),  # Kaspar & Schuster 1987
        ("1001111011000010", [1, 2, 4, 8, 12, 16]),
        ("0" * 64, [1, 64]),
        ("01" * 32, [1, 2, 64]),
    ],
)
def test_worked_examples(word: str, phrases: list[int]) -> None:
    symbols = [int(c) for c in word]
    assert complexity.phrases(symbols).tolist() == phrases
    assert complexity.lz76(symbols) == len(phrases)


def test_the_other_count_and_the_other_parsing_of_the_worked_examples() -> None:
    constant, periodic = [0] * 64, [0, 1] * 32
    assert [complexity.lz76(w, unfinished=False) for w in (constant, periodic)] == [1, 2]
    assert complexity.lz78([int(c) for c in "1001111011000010"]) == 8


TABLE = {  # mean and SD over 400 words
    256: {0.02: (0.203, 0.059), 0.05: (0.345, 0.071), 0.10: (0.531, 0.080), 0.20: (0.802, 0.068), 0.50: (1.114, 0.042)},
    1024: {0.02: (0.151, 0.027), 0.05: (0.296, 0.033), 0.10: (0.482, 0.035), 0.20: (0.751, 0.032), 0.50: (1.060, 0.018)},
}


@pytest.mark.parametrize("n", TABLE)
def test_bernoulli_words(n: int, ledger: Any) -> None:
    """Means of 4000 words within three standard errors of a mean of 400; spreads within three of theirs."""
    random = np.random.default_rng(n)
    for p, (mean, spread) in TABLE[n].items():
        found = complexity.normalised((random.random((4000, n)) < p).astype(np.uint8))
        error = spread / np.sqrt(400)
        rounding = 5e-4
        what = f"c log2(n)/n of Bernoulli({p}), n = {n}: "
        ledger("LZ76", "400 words, Kaspar-Schuster count", what + "mean", abs(found.mean() - mean), 3 * error * np.sqrt(1.1) + rounding)
        ledger("LZ76", "400 words, Kaspar-Schuster count", what + "SD", abs(found.std() - spread), 3 * error * np.sqrt(0.55) + rounding)


# Laws ----------------------------------------------------------------------------------------------------------------


@given(words, st.integers(0, 50))
def test_symbols_have_no_meaning_and_a_prefix_has_no_more_phrases(word: list[int], cut: int) -> None:
    renamed = [10**12 - 7 * x for x in word]
    for rule in RULES.values():
        assert rule(renamed) == rule(word)
        assert rule([x - 40 for x in word]) == rule(word)
        assert rule(word[:cut]) <= rule(word)


@given(st.lists(words, max_size=6), st.integers(1, 5))
def test_many_words_are_one_word_after_the_other(rows: list[list[int]], workers: int) -> None:
    for rule in RULES.values():
        expected = [rule(row) for row in rows]
        if any(rows):
            assert rule([np.array(row, np.int64) for row in rows], workers=workers).tolist() == expected


@given(st.integers(0, 3000), st.floats(0, 1), st.integers(1, 200), st.integers(0, 10**6))
@example(0, 0.5, 1, 0)
@example(500, 0.0, 1, 0)
@example(500, 1.0, 1, 0)
def test_gaps_and_the_automaton_say_the_same(n: int, rate: float, period: int, seed: int) -> None:
    """Words of 0 and 1 with few of one of them are read by their gaps, all others by the automaton."""
    random = np.random.default_rng(seed)
    free = (random.random(n) < rate).astype(np.uint8)
    repeated = np.resize(free[:period], n) if n else free
    repeated[random.random(n) < 0.01] ^= 1
    for word in (free, repeated, 1 - free):
        for unfinished in (True, False):
            assert complexity.lz76(word, unfinished=unfinished) == complexity.lz76(word + 5, unfinished=unfinished)


def test_threads_do_not_change_counts() -> None:
    rows = [np.random.default_rng(k).integers(0, 2, 40 * (k % 300)) for k in range(1, 1200)]
    one = complexity.lz76(rows, workers=1)
    assert np.array_equal(one, complexity.lz76(rows, workers=4))
    assert np.array_equal(one[:50], [complexity.lz76(row) for row in rows[:50]])


@given(words, st.lists(st.integers(1, 30), max_size=8), st.booleans())
def test_a_stream_says_what_the_whole_word_says(word: list[int], cuts: list[int], known: bool) -> None:
    stream = complexity.Stream(alphabet=300 if known else None)
    seen, rest = [], list(word)
    for cut in [*cuts, len(word)]:
        seen += stream.feed(rest[:cut]).tolist()
        rest = rest[cut:]
        read = word[: len(word) - len(rest)]
        assert (stream.n, stream.lz76(), stream.lz76(unfinished=False)) == (
            len(read), complexity.lz76(read), complexity.lz76(read, unfinished=False))  # fmt: skip
    assert seen == complexity.longest_before(word).tolist()


@pytest.mark.parametrize("alphabet", [2, 4, 16, 1000])
def test_a_stream_grows_without_end(alphabet: int) -> None:
    """Memory is moved several times on the way."""
    word = np.random.default_rng(3).integers(0, alphabet, 5000)
    stream = complexity.Stream(alphabet=alphabet)
    for part in np.array_split(word, 700):
        stream.feed(part)
    assert stream.lz76() == complexity.lz76(word)
    del stream
    gc.collect()


def test_words_that_are_hard_for_others_are_not_for_us() -> None:
    """A million symbols each; what goes with the square of the length, or with the size of the alphabet, would take hours."""
    n = 10**6
    fibonacci = [np.array([0]), np.array([0, 1])]
    while fibonacci[-1].size < n:
        fibonacci.append(np.concatenate(fibonacci[:-3:-1]))
    sparse = np.zeros(n, np.uint8)
    sparse[:: 20] = 1
    nearly = sparse.copy()
    nearly[np.cumsum(np.random.default_rng(1).integers(19, 22, n // 25))] = 1  # gaps that all look alike: their chains are long
    assert complexity.lz76(sparse) == 4
    assert complexity.lz76(nearly) == complexity.lz76(nearly + 5)
    assert complexity.lz76(np.zeros(n, int)) == 2
    assert complexity.lz76(np.arange(n) % 1000) == 1001
    assert complexity.lz76(np.arange(n)) == n
    assert complexity.lz76(fibonacci[-1][:n]) < 35  # grows as log n
    assert complexity.lz78(np.zeros(n, int)) == 1414  # the largest c with c (c + 1) / 2 <= n, and what is left


def test_normalisation() -> None:
    word = np.random.default_rng(0).integers(0, 4, 500)
    assert complexity.normalised(word, alphabet=4) == pytest.approx(complexity.lz76(word) * np.log(500) / np.log(4) / 500)
    assert complexity.normalised(np.zeros((2, 0), int)).tolist() == [0, 0]


# Surrogates and channels ---------------------------------------------------------------------------------------------


def test_against_surrogates() -> None:
    coins = (np.random.default_rng(5).random((40, 1000)) < 0.2).astype(np.uint8)
    runs = np.repeat(coins[:, :100], 10, axis=1)
    for against in (complexity.against_shuffled, complexity.against_rate):
        assert abs(against(coins, seed=3).mean() - 1) < 0.02
        assert against(runs, seed=3).mean() < 0.5
        assert np.array_equal(against(coins, seed=3)[:7], against(coins[:7], seed=3))
        assert against(coins[0], seed=3) == against(coins, seed=3)[0]
        assert np.isnan(against([], seed=0))


def test_a_word_over_channels() -> None:
    random = np.random.default_rng(2)
    channels = (random.random((5, 3, 40)) < 0.3).astype(np.uint8)
    symbols = complexity.joint(channels)
    patterns = [tuple(channels[i, :, t]) for i in range(5) for t in range(40)]
    assert len(set(zip(symbols.ravel().tolist(), patterns, strict=True))) == len(set(patterns)) == len(set(symbols.ravel().tolist()))
    many = (random.random((300, 60)) < 0.5).astype(np.uint8)  # 2^300 patterns
    assert np.unique(complexity.joint(many)).size == 60
    assert complexity.joint(many[:, [0, 1, 0, 1]]).tolist()[:2] * 2 == complexity.joint(many[:, [0, 1, 0, 1]]).tolist()
    assert complexity.concatenated(channels).shape == (5, 120)
    assert complexity.concatenated(channels)[1].tolist() == channels[1].ravel().tolist()


def test_values_are_split_at_what_is_said() -> None:
    assert complexity.binarised([[0.1, 0.5, 0.9]], 0.5).tolist() == [[0, 0, 1]]
    assert complexity.binarised([[1, 2], [3, 4]], [[1], [3]]).tolist() == [[0, 1], [0, 1]]


# What is no word -----------------------------------------------------------------------------------------------------

BAD = {
    "text": (lambda: complexity.lz76("0101"), "ord"),
    "texts": (lambda: complexity.lz76(["01", "11"]), "integers"),
    "fractions": (lambda: complexity.lz76([0.5, 1.0]), "binarised"),
    "nan": (lambda: complexity.lz76([np.nan]), "integers"),
    "objects": (lambda: complexity.lz76(np.array([object()])), "integers"),
    "deep": (lambda: complexity.lz76(np.zeros((2, 2, 2), int)), r"\(2, 2, 2\)"),
    "ragged and deep": (lambda: complexity.lz76([[1, 2], [[1], [2]]]), "rows"),
    "one symbol": (lambda: complexity.normalised([0, 1], alphabet=1), "alphabet: 1"),
    "half a symbol": (lambda: complexity.normalised([0, 1], alphabet=2.5), "alphabet.*2.5"),
    "no workers": (lambda: complexity.lz76([0, 1], workers=0), "workers: 0"),
    "no number of workers": (lambda: complexity.lz76([0, 1], workers="a"), "workers: 'a'"),
    "no surrogates": (lambda: complexity.against_shuffled([0, 1], seed=1, surrogates=0), "surrogates: 0"),
    "half a seed": (lambda: complexity.against_shuffled([0, 1], seed=1.5), "seed: 1.5"),
    "negative seed": (lambda: complexity.against_rate([0, 1], seed=-1), "seed: -1"),
    "neither yes nor no": (lambda: complexity.lz76([0, 1], unfinished=2), "unfinished: 2"),
    "masked": (lambda: complexity.lz76(np.ma.array([0, 1, 1], mask=[0, 1, 0])), "masked"),
    "two words for a stream": (lambda: complexity.Stream([[0, 1], [1, 0]]), "2 words"),
    "no alphabet": (lambda: complexity.Stream(alphabet=-3), "alphabet: -3"),
    "large symbols for a stream": (lambda: complexity.Stream().feed([2**40]), "32 bits"),
    "ragged channels": (lambda: complexity.joint([[0, 1], [0]]), "equal length"),
    "ragged values": (lambda: complexity.binarised([[0.0, 1], [0.0]], 0.5), "equal length"),
    "thresholds of no row": (lambda: complexity.binarised([[0, 1], [1, 0]], [0.5, 0.5, 0.5]), "for each row"),
    "two words": (lambda: complexity.phrases([[0, 1], [1, 0]]), "2 words"),
    "flat channels": (lambda: complexity.joint([0, 1]), "channel, bin"),
    "missing values": (lambda: complexity.binarised([1.0, np.nan], 0.5), "values"),
    "missing threshold": (lambda: complexity.binarised([1.0], np.nan), "threshold"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_word_is_said(name: str) -> None:
    ask, says = BAD[name]
    with pytest.raises(WordError, match=says):
        ask()


def test_a_stream_is_not_copied() -> None:
    """Two of one would free the same memory."""
    stream = complexity.Stream([0, 1] * 4)
    for copied in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="cannot be copied"):
            copied(stream)
    assert stream.feed([0, 1]).tolist() == [7, 8]


def test_symbols_below_zero_are_symbols() -> None:
    word = [-1, 7, -1, 7, 7]
    assert complexity.phrases(word).tolist() == complexity.phrases([0, 1, 0, 1, 1]).tolist()
    assert complexity.match_lengths(word).tolist() == [0, 0, 2, 1, 1]
    assert complexity.Stream(word).lz76() == complexity.lz76(word)


def test_a_stream_refuses_what_is_not_of_its_alphabet_and_reads_on() -> None:
    stream = complexity.Stream(alphabet=2)
    stream.feed([0, 1, 1])
    with pytest.raises(WordError, match=r"symbols 0 \.\. 2 of an alphabet 0 \.\. 1"):
        stream.feed([0, 2])
    stream.feed([1, 0])
    assert (stream.n, stream.lz76()) == (5, complexity.lz76([0, 1, 1, 1, 0]))
