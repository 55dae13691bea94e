"""Measured data with their error bars: published ones, one file per paper, and the user's own tables."""
