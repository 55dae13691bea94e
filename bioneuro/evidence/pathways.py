"""Verdicts of experiments with two pathways onto one population of neurons: the one form of data on tagging and capture.

Pathway S1 is stimulated strongly, so that its change lasts; pathway S2 such that its change, alone, fades within hours.
The question is whether the change of S2 then lasts too. The review is Redondo & Morris 2011, Nat Rev Neurosci 12:17,
doi 10.1038/nrn2963: it may, whether the strong event comes before or after the weak one.
"""

from dataclasses import dataclass

ABSTRACT = "abstract"
LEGEND = "figure legend"
MEMORY = "(from memory)"
COPY = "third-party copy"

BASES = (ABSTRACT, LEGEND, MEMORY, COPY)
"""What a statement was checked against; MEMORY: nothing."""


@dataclass(frozen=True, kw_only=True)
class Capture:
    """One experiment and its verdict.

    strong, weak: what pathways S1 and S2 received. delay: S2 minus S1, s, negative for weak before strong, NaN where
    the place that was checked does not say. change: what S2 shows at first. captured: whether that lasted; None where
    the paper says that it was weaker or absent, without telling which. blocked: when an inhibitor of protein synthesis
    was present, "" if never. slices: their number, 0 where not known. basis: one of BASES.
    """

    strong: str
    weak: str
    delay: float
    change: str
    captured: bool | None
    blocked: str = ""
    slices: int = 0
    says: str = ""
    preparation: str = "rat hippocampal slices, area CA1"
    basis: str
    source: str

    def __post_init__(self) -> None:
        if self.basis not in BASES:
            raise ValueError(f"Capture.basis: {self.basis!r} is not allowed. Give one of {', '.join(map(repr, BASES))}.")


@dataclass(frozen=True, kw_only=True)
class Persistence:
    """What one pathway alone shows.

    protocol, change: what was done, and the early change. low, high: percent of baseline between which it lies `at`
    seconds after; NaN where not known. lasts: whether the change is still there then.
    """

    protocol: str
    change: str
    at: float
    low: float
    high: float
    lasts: bool
    basis: str
    source: str
