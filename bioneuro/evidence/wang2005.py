"""Spike triplets and quadruplets in hippocampal cultures.

References:
    Wang, Gerkin, Nauen & Bi 2005, Nat Neurosci 8:187, doi 10.1038/nn1387; 60 repetitions at 1 Hz, change of the EPSC amplitude.
    Digitised in ShuangLiBCM/Plasticity_ker, data/kernel_training_data_auto.csv, rounded to .01: single cells of Fig. 7 (triplets with
    equal lags, quadruplets), means of Fig. 6C (triplets with unequal lags, n not given).

A lag is that of a post from a pre spike, post minus pre. Signs of the table were settled by the code that reads it
(PlasticityKer/modelval/ArbDataGen.py): for triplets it holds pre minus post, so its (-5, 15) is (5, -15) here; its older table
kernel_training_data.csv writes the unequal triplets in the convention used here, with the same numbers within 1 %.

    pre-post-pre    (first, second): lags of the post spike from the first (positive) and the second pre spike (negative)
    post-pre-post   (first, second): lags of the first (negative) and the second post spike (positive) from the pre spike
    quadruplets     T below 0: pre-post, then post-pre; T above 0: post-pre, then pre-post; 5 ms within each pair
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bioneuro.evidence.points import Points, Row, of_change, tabled
from bioneuro.records import frozen

PAPER = "Wang, Gerkin, Nauen & Bi 2005, Nat Neurosci 8:187, doi 10.1038/nn1387"
_SOURCE = f"{PAPER}, %s; digitised by Plasticity_ker"

Timing = tuple[float, float]


@dataclass(frozen=True, kw_only=True, eq=False)
class Triplets:
    """Triplets of one order: row k of `timing` (two lags in s, shape (conditions, 2)) is the condition `points.x[k]` = k.

    cells: change in percent of each cell, where the figure shows single cells, by condition (lags in ms).
    """

    timing: NDArray[np.float64]
    points: Points
    cells: Mapping[Timing, tuple[float, ...]]


def _summary(cells: Sequence[float]) -> tuple[float, float, int]:
    """Mean, standard error of the mean (NaN for one cell) and number of cells."""
    return float(np.mean(cells)), float(np.std(cells, ddof=1) / np.sqrt(len(cells))) if len(cells) > 1 else np.nan, len(cells)


def _triplets(order: str, cells: Mapping[Timing, tuple[float, ...]], means: Mapping[Timing, tuple[float, float]]) -> Triplets:
    found = {**{timing: _summary(values) for timing, values in cells.items()}, **means}
    points = tabled(
        f"Wang 2005, {order}", of_change([(k, *row) for k, row in enumerate(found.values())]), unit="1", held={"rate": 1.0},
        protocol="60 triplets at 1 Hz", source=_SOURCE % "Figs. 6C and 7",
        caveats=("x numbers the conditions; their lags are in `timing`", "n of the triplets with unequal lags is not in the table"),
    )  # fmt: skip
    return Triplets(timing=frozen(np.array(list(found)) / 1000), points=points, cells=cells)


PRE_POST_PRE = _triplets("pre-post-pre", {
    (5, -5): (-0.23, 11.13, 7.94, -7.44, 5.17, -17.55),
    (10, -10): (27.15, 15.28, 14.31, -10.07, -11.60, 11.13, 8.08, 2.12, 0.73, -5.16, -5.99, -14.37),
}, {(15, -5): (0.25, 3.35), (5, -15): (23.15, 4.89)})  # fmt: skip
POST_PRE_POST = _triplets("post-pre-post", {
    (-5, 5): (38.01, 29.12, 32.94, 28.81, 28.28, 43.70, 14.74, 2.96),
    (-10, 10): (42.24, 18.90, 28.68, 40.55, 30.99, 36.33, 7.26, -1.81),
}, {(-15, 5): (28.12, 4.75), (-5, 15): (20.72, 7.55)})  # fmt: skip

#              T in ms, change in %, one cell each
_CELLS: list[Row] = [
    (-115.61, 8.24), (-115.51, -8.42), (-104.51, 1.00), (-93.89, -6.45), (-82.92, 7.88), (-71.79, -4.08), (-61.23, -1.71), (-50.63, -4.84),
    (-50.20, 3.59), (-50.20, 2.61), (-50.14, -7.00), (-39.61, 1.44), (-28.86, 10.18), (-28.84, 6.45), (-28.81, 1.70), (-28.81, 0.77),
    (-28.73, -12.55), (-22.81, 5.37), (-18.12, 20.79), (-18.03, 6.20), (-17.89, 18.41), (-17.37, -19.72), (-12.96, 46.95), (-12.53, -9.99),
    (-12.42, 7.22), (-12.42, 6.88), (-11.81, 14.60), (9.15, 15.38), (9.16, 14.11), (9.18, 43.05), (9.19, 40.89), (9.44, 2.66), (14.57, 13.35),
    (14.67, 30.65), (19.92, 23.28), (20.03, 4.54), (20.23, 44.43), (25.50, 28.11), (25.61, 10.48), (25.72, 25.99), (25.75, 20.65), (25.86, 3.52),
    (25.87, 1.83), (36.09, 30.67), (36.13, 23.46), (36.21, 10.99), (36.80, 16.84), (47.40, 16.26), (47.46, 6.76), (57.81, 14.57), (58.26, 8.81),
    (58.35, 27.80), (69.01, 19.50), (69.07, 9.15), (79.89, 7.64), (79.96, -4.83), (90.68, 10.53), (90.98, -4.23), (101.51, 8.50), (112.35, 2.66),
]  # fmt: skip
_EDGES = (-120, -80, -45, -35, -22, 0, 12, 17, 22, 30, 40, 50, 60, 75, 120)
"""Bounds in ms of the groups of `QUADRUPLET_MEANS`."""


def _grouped(cells: Sequence[Row]) -> list[Row]:
    rows: list[Row] = []
    for low, high in itertools.pairwise(_EDGES):
        mine = [row for row in cells if low <= row[0] < high]
        rows.append((float(np.mean([row[0] for row in mine])), *_summary([row[1] for row in mine])))
    return rows


def _quadruplets(name: str, rows: Sequence[Row], *caveats: str) -> Points:
    return tabled(
        name, of_change(rows), unit="ms", along="interval", held={"rate": 1.0}, protocol="60 quadruplets at 1 Hz, 5 ms within each pair",
        source=_SOURCE % "Fig. 7",
        caveats=(
            *caveats,
            "T is taken from middle to middle of the pairs (Pfister & Gerstner 2006, from memory); the code of Plasticity_ker places it "
            "between the two inner spikes, so that the middles are 5 ms further apart",
            "conditions lie 10.8 ms apart here but 10.0 ms in the older table of Plasticity_ker, so T may be 8 % too large",
        ),
    )  # fmt: skip


QUADRUPLETS = _quadruplets("Wang 2005, quadruplets", _CELLS, "every point is one cell; the scatter is that between cells")
QUADRUPLET_MEANS = _quadruplets("Wang 2005, quadruplets", _grouped(_CELLS), "means over groups of neighbouring T, chosen here")
