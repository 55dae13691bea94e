"""Lempel-Ziv complexity and entropy rates of words of integers. It has never heard of neurons.

A word is a row of integers; its symbols are told apart and nothing else. Every function takes one word (1-D, gives a number), many of one
length (2-D, a word per row) or a list of words of any lengths (an array of numbers).
"""

from bioneuro.complexity import entropy
from bioneuro.complexity.channels import binarised, concatenated, joint
from bioneuro.complexity.lempel_ziv import Stream, longest_before, lz76, lz78, match_lengths, normalised, phrases
from bioneuro.complexity.surrogates import against_rate, against_shuffled, rate_matched, shuffled
from bioneuro.complexity.words import WordError

__all__ = [
    "Stream", "WordError", "against_rate", "against_shuffled", "binarised", "concatenated", "entropy", "joint", "longest_before", "lz76", "lz78",
    "match_lengths", "normalised", "phrases", "rate_matched", "shuffled",
]  # fmt: skip
