"""The interval between weak and strong tetanisation, in either order.

References:
    Frey & Morris 1998, Neuropharmacology 37:545, PMID 9704995, doi 10.1016/S0028-3908(98)00040-9 (doi from memory):
    weak before strong. In the same year their review: Trends Neurosci 21:181, doi 10.1016/s0166-2236(97)01189-2.
    "Beyond boundaries: extended temporal flexibility in synaptic tagging and capture", Commun Biol 2025, doi
    10.1038/s42003-025-07998-w, Figs. 1 and 2: both orders, up to 9 h. There the strong tetanus is 3 trains of 100
    pulses at 100 Hz, 10 min apart, the weak one 21 pulses at 100 Hz; how its interval is counted is not in the legends.
"""

import math

from bioneuro.evidence.pathways import ABSTRACT, LEGEND, Capture

PAPER = "Frey & Morris 1998, Neuropharmacology 37:545, PMID 9704995"
LATER = "Beyond boundaries: extended temporal flexibility in synaptic tagging and capture, Commun Biol 2025, doi 10.1038/s42003-025-07998-w"

_MINUTE, _HOUR = 60.0, 3600.0


def _first(delay: float, captured: bool | None, *, blocked: str = "", says: str = "") -> Capture:
    return Capture(
        strong="strong tetanus", weak="weak tetanus", delay=delay, change="early LTP", captured=captured, blocked=blocked, says=says,
        basis=ABSTRACT, source=PAPER,
    )  # fmt: skip


def _later(delay: float, captured: bool, slices: int, figure: str) -> Capture:
    return Capture(
        strong="strong tetanus", weak="weak tetanus", delay=delay, change="early LTP", captured=captured, slices=slices, basis=LEGEND,
        source=f"{LATER}, {figure}",
    )  # fmt: skip


WEAK_BEFORE_STRONG = (
    _first(-5 * _MINUTE, True),
    _first(-1 * _HOUR, True),
    _first(-2 * _HOUR, None, says="stabilisation weaker or absent"),
    _first(-4 * _HOUR, None, says="stabilisation weaker or absent"),
    _first(math.nan, False, blocked="during the tetanisation of S1", says="weak before strong; the delay is not in the abstract"),
)

REPEATED = (
    _later(0.5 * _HOUR, True, 8, "Fig. 1c"),
    _later(3 * _HOUR, True, 7, "Fig. 1d"),
    _later(6 * _HOUR, True, 7, "Fig. 1e"),
    _later(9 * _HOUR, True, 7, "Fig. 1f"),
    _later(-0.5 * _HOUR, True, 7, "Fig. 2a"),
    _later(-3 * _HOUR, False, 7, "Fig. 2b"),
)

EXPERIMENTS = (*WEAK_BEFORE_STRONG, *REPEATED)
