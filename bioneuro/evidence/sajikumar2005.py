"""How long the change by each of the four classical protocols lasts, pathway by pathway.

References:
    Sajikumar, Navakkode & Frey 2005, J Neurosci 25:5750, doi 10.1523/JNEUROSCI.1104-05.2005; strong and weak tetanus,
    strong and weak low-frequency stimulation in rat hippocampal slices.

No public digitisation was found: percentages and times are from memory. What could be checked elsewhere, without
percentages, is in CONFIRMED.
"""

import math

from bioneuro.evidence.pathways import COPY, LEGEND, MEMORY, Persistence

PAPER = "Sajikumar, Navakkode & Frey 2005, J Neurosci 25:5750, doi 10.1523/JNEUROSCI.1104-05.2005 (from memory)"

_HOUR = 3600.0


def _alone(protocol: str, change: str, hours: float, low: float, high: float, lasts: bool) -> Persistence:
    return Persistence(protocol=protocol, change=change, at=hours * _HOUR, low=low, high=high, lasts=lasts, basis=MEMORY, source=PAPER)


STET = _alone("STET", "LTP", 8, 150, 170, True)
WTET = _alone("WTET", "LTP", 4, math.nan, math.nan, False)
SLFS = _alone("SLFS", "LTD", 8, 65, 75, True)
WLFS = _alone("WLFS", "LTD", 4, math.nan, math.nan, False)

ALONE = (STET, WTET, SLFS, WLFS)
"""The weak ones are back at baseline after 3 to 4 h."""

CONFIRMED = (
    Persistence(
        protocol="SLFS", change="LTD", at=8 * _HOUR, low=math.nan, high=math.nan, lasts=True, basis=COPY,
        source="Sajikumar & Frey 2004, as cited in the methods of a later paper of the same group: stable for at least 8 h after 2700 stimuli",
    ),
    Persistence(
        protocol="WLFS", change="LTD", at=math.nan, low=math.nan, high=math.nan, lasts=False, basis=COPY,
        source="the same methods: 900 pulses at 1 Hz give a transient LTD",
    ),
    Persistence(
        protocol="WTET", change="LTP", at=math.nan, low=math.nan, high=math.nan, lasts=False, basis=LEGEND,
        source="Commun Biol 2025, doi 10.1038/s42003-025-07998-w, Fig. 1b: 21 pulses at 100 Hz, decays gradually to baseline",
    ),
)  # fmt: skip
