"""Depression by slow and potentiation by fast presynaptic trains, area CA1: the sign alone.

References:
    Dudek & Bear 1992, PNAS 89:4363, doi 10.1073/pnas.89.10.4363; 900 pulses at 0.5 to 50 Hz to the Schaffer collaterals.

No public digitisation was found, so nothing here carries an error bar: the statements are from memory.
"""

from dataclasses import dataclass

PAPER = "Dudek & Bear 1992, PNAS 89:4363, doi 10.1073/pnas.89.10.4363"
PROTOCOL = "900 presynaptic pulses at one rate"


@dataclass(frozen=True, kw_only=True)
class Sign:
    """The direction of change between two rates (Hz): -1 depression, 0 none, 1 potentiation."""

    low: float
    high: float
    sign: int
    says: str
    source: str = f"{PAPER} (from memory)"


SIGNS = (
    Sign(low=1, high=3, sign=-1, says="depression, at its largest, near -20 %"),
    Sign(low=10, high=10, sign=0, says="no lasting change"),
    Sign(low=50, high=50, sign=1, says="potentiation"),
)
