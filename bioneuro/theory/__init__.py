"""Closed forms of the papers, one file per paper or rule: numbers in, numbers out."""
