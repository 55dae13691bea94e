"""Monte Carlo windows published with the calcium-based plasticity model.

References:
    Graupner & Brunel 2012, PNAS 109:3991, doi 10.1073/pnas.1109359109, Fig. 2; data
    files of the authors' public code (mgraupe/CalciumBasedPlasticityModel).

These are simulated by the authors, not measured on synapses. The files agree with the
noise of the correction (PNAS 109:21551), not with the one first printed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Window:
    """A simulated STDP window: spike pairs at one rate, one ratio per lag.

    lags: post minus pre, s, (lags,). ratio: weight after over before, (lags,).
    pairs: their number. rate: Hz. runs: simulated runs from each of the two initial
    states (rho 0 and 1). protocol and source: in words.
    """

    name: str
    lags: Array
    ratio: Array
    pairs: int
    rate: float
    runs: int
    protocol: str
    source: str

    def __post_init__(self) -> None:
        if self.lags.shape != self.ratio.shape:
            raise ValueError(
                f"Window.ratio: {self.ratio.shape} values for {self.lags.shape} lags. "
                "Give one ratio per lag."
            )
        self.lags.setflags(write=False)
        self.ratio.setflags(write=False)


def _window(name: str, ratio: list[float]) -> Window:
    return Window(
        name=name,
        # Whole milliseconds divided once: the nearest floats to the printed lags.
        lags=np.arange(-100, 101, 5) / 1000,
        ratio=np.array(ratio, float),
        pairs=60,
        rate=1.0,
        runs=1000,
        protocol=f"60 spike pairs at 1 Hz, parameter set {name}, weight ratio after/before "
        "with beta = 0.5 and b = 5; authors' Monte Carlo, 1000 runs per initial state",
        source="Graupner & Brunel 2012, PNAS 109:3991, doi 10.1073/pnas.1109359109",
    )


DP = _window("DP", [
    0.981, 0.983, 0.995, 0.984, 0.963, 0.971, 0.953, 0.942, 0.935, 0.917,
    0.891, 0.904, 0.827, 0.819, 0.767, 0.719, 0.760, 0.800, 0.885, 0.941,
    0.994, 1.237, 1.227, 1.178, 1.188, 1.153, 1.127, 1.122, 1.083, 1.074,
    1.040, 1.041, 1.025, 1.048, 1.043, 1.027, 1.003, 1.014, 1.003, 1.011,
    0.993,
])

D = _window("D", [1.0] * 19 + [0.997, 0.659, 0.991] + [1.0] * 19)
