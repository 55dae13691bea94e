"""Simulated time courses of tagging and capture at one synapse, by the authors' own programs.

References:
    Luboeinski & Tetzlaff 2021, Commun Biol 4:275, doi 10.1038/s42003-021-01778-y; authors' public simulators
    (jlubo/memory-consolidation-stc, jlubo/arbor_2N1S), run with their parameters.

These are simulated, not measured. The two programs stimulate in different ways:

- DIRECT, the stand-alone simulator: the Poisson train of a protocol reaches calcium as it is.
- REFRACTORY, Arbor: the train drives a presynaptic neuron with a refractory period of 2 ms, whose spikes reach
  calcium, so that 100 Hz become about 83 Hz.

Time counts from the first stimulus, which comes 3600 s into the run. Both step by 0.2 ms, and threshold crossings
rounded to that make some 0.1 % of h0 of difference between programs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

PAPER = "Luboeinski & Tetzlaff 2021, Commun Biol 4:275, doi 10.1038/s42003-021-01778-y"

DIRECT = "train straight into calcium"
REFRACTORY = "train through a presynaptic neuron with 2 ms refractory period"

PROTOCOLS = MappingProxyType({
    "STET": "strong tetanus: 3 trains of 1 s at 100 Hz, starts 600 s apart",
    "WTET": "weak tetanus: 0.2 s at 100 Hz",
    "SLFS": "strong low-frequency stimulation: 900 bursts of 0.15 s at 20 Hz, one each 1.15 s",
    "WLFS": "weak low-frequency stimulation: 900 s at 1 Hz",
})
"""Poisson trains of the presynaptic neuron."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Course:
    """A quantity over time, over trials.

    quantity: "h" (early phase) or "w" (h + h0 z) in units of h0, or "z" (late phase). t: s from the first stimulus,
    (points,), NaN where only words say when (`says`). mean, sd: over trials, (points,); sd NaN where not given.
    n: trials. variant: DIRECT or REFRACTORY.
    """

    protocol: str
    quantity: str
    t: Array
    mean: Array
    sd: Array
    n: int
    variant: str
    says: str = ""
    source: str = PAPER

    def __post_init__(self) -> None:
        if not self.t.shape == self.mean.shape == self.sd.shape:
            raise ValueError(f"Course.mean, sd: shapes {self.mean.shape}, {self.sd.shape} for t {self.t.shape}. Give one of each per time.")
        for values in (self.t, self.mean, self.sd):
            values.setflags(write=False)


def _course(
    protocol: str, quantity: str, t: Sequence[float], mean: Sequence[float], sd: Sequence[float] = (), *, n: int, variant: str, says: str = ""
) -> Course:
    """A `Course`; standard deviations that are missing are those of the first times."""
    missing = [np.nan] * (len(t) - len(sd))
    return Course(
        protocol=protocol, quantity=quantity, t=np.array(t, float), mean=np.array(mean, float),
        sd=np.array([*missing, *sd], float), n=n, variant=variant, says=says,
    )  # fmt: skip


TIMES = (60, 600, 1050, 1201, 1800, 3600, 7200, 10800, 14400, 18000, 21600, 25200)

STET = MappingProxyType({
    "h": _course(
        "STET", "h", TIMES,
        (1.842, 1.778, 1.857, 1.948, 1.837, 1.644, 1.382, 1.226, 1.134, 1.080, 1.047, 1.028),
        (0.046, 0.043, 0.030, 0.031, 0.030, 0.023, 0.014, 0.008, 0.005, 0.003, 0.002, 0.001),
        n=30, variant=DIRECT, says="1050 s: between the second train and the third; 1201 s: as the third ends",
    ),
    "z": _course(
        "STET", "z", TIMES,
        (0, 0.013, 0.038, 0.049, 0.102, 0.309, 0.640, 0.730, 0.740, 0.740, 0.740, 0.740),
        (0.011, 0.016, 0.018, 0.018, 0.018, 0.018),
        n=30, variant=DIRECT,
    ),
    "w": _course(
        "STET", "w", TIMES,
        (1.842, 1.791, 1.895, 1.997, 1.939, 1.954, 2.022, 1.957, 1.874, 1.819, 1.787, 1.768),
        (0.046, 0.043, 0.030, 0.031, 0.030, 0.023, 0.025, 0.024, 0.023, 0.021, 0.020, 0.019),
        n=30, variant=DIRECT,
    ),
})  # fmt: skip
"""Strong tetanus: late LTP in every trial."""

WTET = MappingProxyType({
    "h": _course(
        "WTET", "h", TIMES,
        (1.274, 1.253, 1.237, 1.232, 1.213, 1.164, 1.097, 1.058, 1.034, 1.020, 1.012, 1.007),
        (0.115, 0.107, 0.100, 0.098, 0.090, 0.069, 0.041, 0.024, 0.014, 0.009, 0.005, 0.003),
        n=30, variant=DIRECT, says="z and p stay 0",
    ),
})  # fmt: skip
"""Weak tetanus: early LTP."""

CLASSES = MappingProxyType({
    "STET": MappingProxyType({"late LTP": 30}),
    "WTET": MappingProxyType({"tagged early LTP": 25, "early LTP": 4, "early LTD": 1}),
})
"""Outcome of 30 trials each (DIRECT): late if z is not 0 in the end, tagged if h was beyond the threshold of the tag."""

REFRACTORY_STET = MappingProxyType({
    "h": _course("STET", "h", (np.nan,), (1.79,), n=100, variant=REFRACTORY, says="after the first of the three trains"),
    "z": _course("STET", "z", (25200,), (0.72,), n=100, variant=REFRACTORY),
    "w": _course("STET", "w", (25200,), (1.749,), n=100, variant=REFRACTORY),
})
"""What is known of the other variant. SLFS differs between the variants by several percent of h0."""
