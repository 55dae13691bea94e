"""Entropy rates in bits per symbol: their definitions, where they go on long words, and by how much short ones mislead them."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioneuro import complexity
from bioneuro.complexity import WordError, entropy

words = st.integers(1, 300).flatmap(lambda k: st.lists(st.integers(0, k - 1), max_size=80))


def binary(p: float) -> float:
    return float(-p * np.log2(p) - (1 - p) * np.log2(1 - p))


def markov(stay: tuple[float, float], n: int, seed: int) -> np.ndarray:
    """A two-state chain that stays with these probabilities."""
    draws, word = np.random.default_rng(seed).random(n), np.zeros(n, np.uint8)
    for k in range(1, n):
        word[k] = word[k - 1] ^ (draws[k] >= stay[word[k - 1]])
    return word


ESTIMATES = {  # on 200,000 symbols, how far off in bits
    "lz76": (entropy.lz76, (-0.02, 0.02)),
    "lz78": (entropy.lz78, (0.0, 0.16)),
    "match_length": (entropy.match_length, (-0.09, 0.09)),
    "context_tree": (entropy.context_tree, (-0.005, 0.005)),
    "plug_in": (lambda w: entropy.plug_in(w, block=6), (-0.005, 0.005)),
    "miller_madow": (lambda w: entropy.miller_madow(w, block=6), (-0.005, 0.005)),
}


@pytest.mark.parametrize("name", ESTIMATES)
def test_estimates_go_to_the_entropy_rate(name: str) -> None:
    estimate, (low, high) = ESTIMATES[name]
    coin = (np.random.default_rng(1).random(200_000) < 0.1).astype(np.uint8)
    assert low <= estimate(coin) - binary(0.1) <= high
    chain = markov((0.95, 0.7), 200_000, 2)
    share = 0.05 / (0.05 + 0.3)
    truth = (1 - share) * binary(0.05) + share * binary(0.3)
    assert low <= estimate(chain) - truth <= high
    assert abs(truth - binary(share)) > 0.1  # order counts: without it the entropy is larger


def test_the_correction_halves_the_bias_of_counted_blocks() -> None:
    coins = (np.random.default_rng(5).random((300, 100)) < 0.5).astype(np.uint8)
    plain, mended = entropy.plug_in(coins, block=3).mean() - 1, entropy.miller_madow(coins, block=3).mean() - 1
    assert plain < 0
    assert abs(mended) < abs(plain) / 2


@given(words.filter(lambda w: len(w) > 3), st.integers(1, 4))
def test_plug_in_follows_its_definition(word: list[int], block: int) -> None:
    def of(k: int, n: int) -> float:
        blocks = [tuple(word[i : i + k]) for i in range(n)]
        shares = [blocks.count(b) / n for b in set(blocks)]
        return float(-sum(s * np.log2(s) for s in shares))

    n = len(word) - block + 1
    assert entropy.plug_in(word, block=block) == pytest.approx(of(block, n) - of(block - 1, n), abs=1e-12)


@given(st.lists(st.integers(0, 2), max_size=14), st.integers(0, 3))
def test_the_context_tree_follows_its_definition(word: list[int], depth: int) -> None:
    """P = 1/2 P_own + 1/2 product of the children's, and P_own alone at the depth."""

    def own(counts: list[int]) -> float:
        made, so_far = 1.0, [0] * size
        for symbol, count in enumerate(counts):
            for _ in range(count):
                made *= (so_far[symbol] + 0.5) / (sum(so_far) + 0.5 * size)
                so_far[symbol] += 1
        return made

    def weighted(context: tuple[int, ...]) -> float:
        after = [word[t] for t in range(depth, len(word)) if tuple(word[t - 1 - d] for d in range(len(context))) == context]
        alone = own([after.count(known) for known in kinds])
        if len(context) == depth:
            return alone
        return 0.5 * alone + 0.5 * float(np.prod([weighted((*context, known)) for known in kinds]))

    kinds = sorted(set(word))
    size = max(2, len(kinds))
    if len(word) > depth:
        assert entropy.context_tree(word, depth=depth) == pytest.approx(-np.log2(weighted(())) / (len(word) - depth), rel=1e-12)
    else:
        assert np.isnan(entropy.context_tree(word, depth=depth))


def test_short_words_have_no_estimate_or_none() -> None:
    for word in ([], [1]):
        assert complexity.normalised(word) == entropy.lz76(word) == entropy.lz78(word) == 0
        assert np.isnan(entropy.match_length(word))
        assert np.isnan(entropy.plug_in(word, block=2))
    assert entropy.match_length([0] * 50) == 0
    assert entropy.plug_in([0] * 50) == 0


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        (lambda: entropy.plug_in([0, 1], block=0), "block: 0"),
        (lambda: entropy.context_tree([0, 1], depth=65), "depth: 65"),
        (lambda: entropy.context_tree([0, 1], depth=2.5), "depth: 2.5"),
        (lambda: entropy.context_tree(np.arange(8000)), "8000 kinds.*smaller depth"),
        (lambda: entropy.match_length("0101"), "integers"),
    ],
)
def test_what_cannot_be_estimated_is_said(ask: Any, says: str) -> None:
    with pytest.raises(WordError, match=says):
        ask()
