"""The experiments that introduced the synaptic tag.

References:
    Frey & Morris 1997, Nature 385:533, doi 10.1038/385533a0.

Checked against the abstract, which gives no delays.
"""

import math

from bioneuro.evidence.pathways import ABSTRACT, Capture

PAPER = "Frey & Morris 1997, Nature 385:533, doi 10.1038/385533a0"

STRONG_THEN_WEAK = Capture(
    strong="repeated tetanisation", weak="weak tetanus", delay=math.nan, change="early LTP", captured=True, basis=ABSTRACT, source=PAPER,
    says="S1 first; the late LTP of S2 depends on protein synthesis",
)  # fmt: skip

STRONG_THEN_BLOCKED = Capture(
    strong="repeated tetanisation", weak="repeated tetanisation", delay=math.nan, change="early LTP", captured=True,
    blocked="during the tetanisation of S2", basis=ABSTRACT, source=PAPER,
    says="S1 first, without inhibitor; what is strong is weak here because protein synthesis is blocked",
)  # fmt: skip

EXPERIMENTS = (STRONG_THEN_WEAK, STRONG_THEN_BLOCKED)

TAG_LASTS_LESS_THAN = 3 * 3600.0
"""Seconds within which the tag has decayed (abstract)."""

EARLY_LTP_LASTS_LESS_THAN = 3 * 3600.0
"""Seconds within which the phase of LTP that needs no protein synthesis has ended (abstract)."""
