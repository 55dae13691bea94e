"""Tagging and capture in the living rat.

References:
    Shires, Da Silva, Hawthorne, Morris & Martin 2012, Nat Commun 3:1246, doi 10.1038/ncomms2250.

Checked against the abstract, which gives no delays.
"""

import math

from bioneuro.evidence.pathways import ABSTRACT, Capture

PAPER = "Shires, Da Silva, Hawthorne, Morris & Martin 2012, Nat Commun 3:1246, doi 10.1038/ncomms2250"
_RAT = "rat in vivo, area CA1"

STRONG_THEN_BLOCKED = Capture(
    strong="strong tetanus", weak="strong tetanus", delay=math.nan, change="LTP", captured=True, blocked="during the tetanisation of S2",
    preparation=_RAT, basis=ABSTRACT, source=PAPER, says="S1 first, without inhibitor",
)  # fmt: skip

WEAK_THEN_STRONG = Capture(
    strong="strong tetanus", weak="weak tetanus", delay=math.nan, change="early LTP", captured=True, preparation=_RAT, basis=ABSTRACT,
    source=PAPER, says="S2 first",
)  # fmt: skip

EXPERIMENTS = (STRONG_THEN_BLOCKED, WEAK_THEN_STRONG)
