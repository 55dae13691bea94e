"""Frequency dependence of plasticity between layer-5 pyramidal neurons.

References:
    Sjostrom, Turrigiano & Nelson 2001, Neuron 32:1149,
    doi 10.1016/S0896-6273(01)00542-6; rat visual cortex, 2.5 mM calcium. Numbers as
    digitised in the public code of M. Graupner (mgraupe); digitisations of the same
    figure by others differ by .01 to .06.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class FrequencyDependence:
    """Measured weight ratio against the rate of pairs, at one lag.

    lag: post minus pre, s. rate: Hz, (rates,). ratio: weight after over before,
    (rates,). sem: its standard error, (rates,). protocol and source: in words.
    """

    lag: float
    rate: Array
    ratio: Array
    sem: Array
    protocol: str
    source: str

    def __post_init__(self) -> None:
        if not self.rate.shape == self.ratio.shape == self.sem.shape:
            raise ValueError(
                f"FrequencyDependence: rate {self.rate.shape}, ratio {self.ratio.shape}, "
                f"sem {self.sem.shape} differ in length. Give one of each per point."
            )
        for values in (self.rate, self.ratio, self.sem):
            values.setflags(write=False)


def _series(lag: float, ratio: list[float], sem: list[float]) -> FrequencyDependence:
    return FrequencyDependence(
        lag=lag,
        rate=np.array([0.1, 10.0, 20.0, 40.0, 50.0]),
        ratio=np.array(ratio),
        sem=np.array(sem),
        protocol="50 single pairs at 0.1 Hz; otherwise 15 bursts of 5 pairs, one per 10 s",
        source="Sjostrom, Turrigiano & Nelson 2001, Neuron 32:1149, "
        "doi 10.1016/S0896-6273(01)00542-6; digitised by mgraupe",
    )


PRE_POST = _series(0.010, [0.96, 1.14, 1.29, 1.53, 1.56], [0.05, 0.10, 0.14, 0.11, 0.26])
POST_PRE = _series(-0.010, [0.71, 0.59, 0.66, 1.56, 1.75], [0.08, 0.11, 0.10, 0.32, 0.19])
