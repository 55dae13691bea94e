"""What leaves and comes back: parameter files, short Brian2 scripts, NIR graphs.

`bioneuro.exchange.parameters` saves and loads the numbers of a circuit, `bioneuro.exchange.short` writes a circuit as a short Brian2
script, `bioneuro.exchange.nir` speaks NIR. Nothing is imported here: two of the three load what takes seconds to load.
"""
