"""STDP in cultured hippocampal neurons: single cells, not means.

References:
    Bi & Poo 1998, J Neurosci 18:10464, doi 10.1523/JNEUROSCI.18-24-10464.1998, Fig. 7: change of the EPSC amplitude after 60 pairs at
    1 Hz. The 45 points are those of ShuangLiBCM/Plasticity_ker, data/kernel_training_data_auto.csv (ptl_idx 1), rounded to .01.

The paper prints no exponential; the usual 16.8 and 33.7 ms are quoted from the review Bi & Poo 2001, Annu Rev Neurosci 24:139.
`POTENTIATION` and `DEPRESSION` are least-squares fits to the points below. Lags are post minus pre.
"""

from dataclasses import dataclass

from bioneuro.evidence.points import of_change, tabled

PAPER = "Bi & Poo 1998, J Neurosci 18:10464, doi 10.1523/JNEUROSCI.18-24-10464.1998"

#                             lag in ms, change in %
FIG7 = tabled("Bi & Poo 1998", of_change([
    (-102.90, -1.32), (-75.58, 2.67), (-80.87, -12.70), (-67.56, 0.23), (-63.55, -0.99), (-64.78, -6.25), (-43.94, -12.36), (-24.24, -7.94),
    (-24.27, -14.01), (-15.39, -3.91), (-17.84, -12.00), (-20.29, -21.31), (-12.70, -29.01), (-8.25, -22.54), (-5.03, -20.12), (-4.20, -14.86),
    (-5.00, -12.84), (-5.89, -33.07), (-4.72, -39.96), (-4.13, 0.92), (-3.62, 23.19), (-2.57, 74.99), (1.50, 88.34), (3.64, 30.05), (6.80, 20.33),
    (4.80, 21.15), (6.72, 2.12), (4.77, 100.07), (6.34, 92.79), (6.70, 82.67), (7.04, 70.93), (4.96, 55.96), (6.16, 53.52), (6.54, 49.07),
    (5.26, 32.88), (7.26, 32.88), (16.15, 43.39), (15.70, 34.89), (25.65, 15.44), (26.40, 3.70), (34.90, 18.66), (57.24, -9.71), (76.61, 10.89),
    (86.58, -2.89), (95.45, 3.98),
]), unit="ms", along="lag", held={"rate": 1.0}, protocol="60 pairs at 1 Hz", source=f"{PAPER}, Fig. 7; digitised by Plasticity_ker",
    caveats=(
        "every point is one cell, so there is no standard error; the scatter is that between cells",
        "near lag 0 the sign is not settled: -2.6 and -3.6 ms are potentiated",
        "an earlier table of the same repository, kernel_training_data.csv, has 50 rows that are not all of the same points; it is not used",
    ))  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Exponential:
    """Least-squares fit of ``amplitude*exp(-abs(lag)/tau)`` to the change relative to before; tau in s; errors are of one sigma."""

    amplitude: float
    amplitude_error: float
    tau: float
    tau_error: float
    points: int
    says: str
    source: str = "fit to the points of FIG7; not printed in the paper"


POTENTIATION = Exponential(amplitude=0.73, amplitude_error=0.16, tau=17.2e-3, tau_error=9.2e-3, points=23, says="lags above 0")
DEPRESSION = Exponential(amplitude=-0.31, amplitude_error=0.055, tau=28.6e-3, tau_error=10.8e-3, points=18, says="lags below -4.5 ms")
