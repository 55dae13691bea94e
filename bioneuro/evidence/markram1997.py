"""Frequency dependence of potentiation between layer-5 pyramidal neurons of somatosensory cortex.

References:
    Markram, Lubke, Frotscher & Sakmann 1997, Science 275:213, doi 10.1126/science.275.5297.213; 10 trains of 5 + 5 spikes, one per 4 s.

Two public digitisations: plastyfire (BlueBrain/plastyfire, biodata/paired_recordings.csv) with the number of pairs, and mgraupe
(mgraupe/CalciumBasedPlasticityModel, experimental_data/henry_regular.dat). Lags are post minus pre.
"""

from collections.abc import Mapping, Sequence

from bioneuro.evidence.points import Points, Row, of_change, tabled

PAPER = "Markram, Lubke, Frotscher & Sakmann 1997, Science 275:213, doi 10.1126/science.275.5297.213"
PROTOCOL = "10 trains of 5 + 5 spikes, one per 4 s"
CAVEATS = (
    "the number read is the largest deviation from baseline within 10 to 50 min, not a mean over time, according to ABL-Lab/plastyfire (third party)",
    "an early table of Plasticity_ker has +26, +52, +30, +62 % at 10 to 40 Hz, which agrees with neither digitisation and is not used",
)
_N = "n 6 at +-10 ms rests on 'six bidirectionally coupled neurons' and may be 3 pairs, according to ABL-Lab/plastyfire (third party)"


def _rates(rows: Sequence[Row], who: str) -> Points:
    return tabled(
        "Markram 1997, +5 ms", rows, unit="Hz", along="rate", held={"lag": 0.005}, protocol=PROTOCOL,
        source=f"{PAPER}; digitised by {who}", caveats=CAVEATS,
    )  # fmt: skip


def _lags(rows: Sequence[Row], who: str) -> Points:
    return tabled(
        "Markram 1997, 10 Hz", rows, unit="ms", along="lag", held={"rate": 10.0}, protocol=PROTOCOL,
        source=f"{PAPER}; digitised by {who}", caveats=(*CAVEATS, _N),
    )  # fmt: skip


#                  rate, ratio, sem, n
RATES = _rates([
    (2, 0.9886, 0.0400, 2), (5, 1.0161, 0.0727, 5), (10, 1.2038, 0.0644, 9), (20, 1.3687, 0.0909, 11), (30, 1.4239, 0.0745, 3),
    (40, 1.5008, 0.1200, 4),
], "plastyfire")  # fmt: skip
RATES_MGRAUPE = _rates(of_change([(2, -1, 4), (5, 2, 6), (10, 26, 8), (20, 36, 8), (30, 42, 8), (40, 50, 12)]), "mgraupe")

#                lag, ratio, sem, n
LAGS = _lags([(-10, 0.7922, 0.0259, 6), (5, 1.2038, 0.0644, 9), (10, 1.2013, 0.0626, 6)], "plastyfire")
LAGS_MGRAUPE = _lags(of_change([(-10, -21, 3), (5, 26, 8)]), "mgraupe")

DIGITISATIONS: Mapping[str, tuple[Points, Points]] = {"plastyfire": (RATES, LAGS), "mgraupe": (RATES_MGRAUPE, LAGS_MGRAUPE)}
"""Who digitised -> the points along the rate and along the lag."""
