"""Plasticity of layer-4 spiny stellate and of layer-2/3 pairs in barrel cortex.

References:
    Egger, Feldmeyer & Sakmann 1999, Nat Neurosci 2:1098, doi 10.1038/16026; rat, P12-14. Numbers from BlueBrain/plastyfire,
    biodata/paired_recordings.csv (third party); the paper itself was not read for this file.
"""

from bioneuro.evidence.points import tabled

PAPER = "Egger, Feldmeyer & Sakmann 1999, Nat Neurosci 2:1098, doi 10.1038/16026"
_SOURCE = f"{PAPER}; printed by BlueBrain/plastyfire (third party)"
_PROTOCOL = "10 trains of 5 + 5 spikes, one per 10 s"
_PATHWAY = "ABL-Lab/plastyfire notes that the abstract speaks of spiny stellate pairs only: the labelling of the pathways is not settled"

#                                            rate, ratio, sem, n
STELLATE = tabled("Egger 1999, layer 4, +10 ms", [
    (1, 0.816, 0.060, 4), (10, 0.595, 0.060, 5), (20, 0.672, 0.059, 21), (50, 0.966, 0.066, 4),
], unit="Hz", along="rate", held={"lag": 0.010}, protocol=_PROTOCOL, source=_SOURCE, caveats=(_PATHWAY,))  # fmt: skip
PYRAMIDAL = tabled("Egger 1999, layer 2/3, +10 ms", [
    (20, 1.299, 0.082, 12),
], unit="Hz", along="rate", held={"lag": 0.010}, protocol=_PROTOCOL, source=_SOURCE, caveats=(_PATHWAY,))  # fmt: skip
