"""Frequency dependence of plasticity between layer-5 pyramidal neurons.

References:
    Sjostrom, Turrigiano & Nelson 2001, Neuron 32:1149, doi 10.1016/S0896-6273(01)00542-6; rat visual cortex, 2.5 mM calcium.

Three public digitisations of Figs. 1D (+10 ms) and 7B (-10 ms), which differ by .01 to .06, so that no model can be judged finer:

    mgraupe          M. Graupner's code, experimental_data/sjoestroem_regular_all.dat
    plastyfire       BlueBrain/plastyfire, biodata/paired_recordings.csv, with the number of pairs
    Plasticity_ker   ShuangLiBCM/Plasticity_ker, data/kernel_training_data_auto.csv, there in percent

Lags are post minus pre. Ratios are of the EPSP amplitude, from 10 min after induction to the end, at least 40 min.
"""

from collections.abc import Mapping, Sequence

from bioneuro.evidence.points import Points, Row, of_percent, tabled

PAPER = "Sjostrom, Turrigiano & Nelson 2001, Neuron 32:1149, doi 10.1016/S0896-6273(01)00542-6"
PROTOCOL = "50 single pairs at 0.1 Hz; otherwise 15 bursts of 5 pairs, one per 10 s"

_MGRAUPE, _PLASTYFIRE, _KER = "mgraupe", "plastyfire", "Plasticity_ker"
_SEM_40_HZ = (
    "40 Hz, +10 ms: Fig. 1D has a standard error of .113 (n 6); the .14 (n 11) of the legend of Fig. 6B is of +10 and -10 ms pooled, "
    "according to ABL-Lab/plastyfire (third party)"
)
_N_SYNCHRONOUS = "n is 3 to 5 (legend of Fig. 7D); the 5 of the table is the upper bound, according to ABL-Lab/plastyfire (third party)"
_DUPLICATE = (
    "the 50 Hz point of plastyfire at lag 0, .9228 +- .0355, is left out: it is the 40 Hz measurement digitised again from Fig. 7C, "
    "according to ABL-Lab/plastyfire (third party)"
)


def _at(lag: float, name: str, rows: Sequence[Row], who: str, *caveats: str) -> Points:
    return tabled(
        name, rows, unit="Hz", along="rate", held={"lag": lag}, protocol=PROTOCOL, source=f"{PAPER}; digitised by {who}", caveats=caveats
    )  # fmt: skip


#                                                    rate, ratio, sem, n
PRE_POST = _at(0.010, "Sjöström 2001, +10 ms", [
    (0.1, 0.96, 0.05), (10, 1.14, 0.10), (20, 1.29, 0.14), (40, 1.53, 0.11), (50, 1.56, 0.26),
], _MGRAUPE, _SEM_40_HZ)  # fmt: skip
POST_PRE = _at(-0.010, "Sjöström 2001, -10 ms", [
    (0.1, 0.71, 0.08), (10, 0.59, 0.11), (20, 0.66, 0.10), (40, 1.56, 0.32), (50, 1.75, 0.19),
], _MGRAUPE)  # fmt: skip

PRE_POST_PLASTYFIRE = _at(0.010, "Sjöström 2001, +10 ms", [
    (0.1, 0.9639, 0.0510, 7), (10, 1.1523, 0.1021, 6), (20, 1.3054, 0.1391, 3), (40, 1.5395, 0.1127, 6), (50, 1.5589, 0.2694, 6),
], _PLASTYFIRE, _SEM_40_HZ)  # fmt: skip
POST_PRE_PLASTYFIRE = _at(-0.010, "Sjöström 2001, -10 ms", [
    (0.1, 0.68166, 0.07714, 7), (10, 0.56357, 0.10781, 3), (20, 0.63879, 0.09016, 4), (40, 1.50027, 0.30483, 5), (50, 1.69167, 0.185887, 10),
], _PLASTYFIRE)  # fmt: skip

PRE_POST_PLASTICITY_KER = _at(0.010, "Sjöström 2001, +10 ms", of_percent([
    (0.1, 96.965, 4.138), (10, 115.725, 9.195), (20, 131.266, 12.874), (40, 154.161, 10.115), (50, 156.369, 25.747),
]), _KER, _SEM_40_HZ)  # fmt: skip
POST_PRE_PLASTICITY_KER = _at(-0.010, "Sjöström 2001, -10 ms", of_percent([
    (0.1, 71.684, 7.390), (10, 61.247, 10.162), (20, 68.822, 8.312), (40, 153.994, 28.637), (50, 171.270, 18.936),
]), _KER)  # fmt: skip

DIGITISATIONS: Mapping[str, tuple[Points, Points]] = {
    _MGRAUPE: (PRE_POST, POST_PRE),
    _PLASTYFIRE: (PRE_POST_PLASTYFIRE, POST_PRE_PLASTYFIRE),
    _KER: (PRE_POST_PLASTICITY_KER, POST_PRE_PLASTICITY_KER),
}
"""Who digitised -> the points at +10 ms and at -10 ms."""

SYNCHRONOUS = _at(0.0, "Sjöström 2001, lag 0", [
    (0.1, 0.910125, 0.139103, 5), (20, 0.760771, 0.099366, 5), (40, 0.928899, 0.0384392, 5), (100, 1.24456, 0.063635, 5),
], "plastyfire from the authors' own table of Fig. 7D", _N_SYNCHRONOUS, _DUPLICATE)  # fmt: skip
SYNCHRONOUS_PLASTICITY_KER = _at(0.0, "Sjöström 2001, lag 0", of_percent([
    (0.1, 90.481, 14.470), (20, 75.609, 10.622), (40, 92.605, 4.579), (100, 124.545, 6.776),
]), f"{_KER} from Fig. 7D", "the table gives the last rate as 80 Hz; the figure's is 100 Hz")  # fmt: skip

_N_WINDOW = "the n of the points at 0 and +-25 ms is a guess of the table between 3 and 7 (legend of Fig. 7C)"


def _window(name: str, rows: Sequence[Row], who: str, *caveats: str) -> Points:
    return tabled(
        name, rows, unit="ms", along="lag", held={"rate": 20.0}, protocol="15 bursts of 5 pairs at 20 Hz, one per 10 s",
        source=f"{PAPER}; Fig. 7C, digitised by {who}", caveats=caveats,
    )  # fmt: skip


WINDOW_20_HZ = _window("Sjöström 2001, 20 Hz", [
    (-25, 0.70462, 0.06994, 5), (-10, 0.63879, 0.09016, 4), (0, 0.760771, 0.099366, 5), (10, 1.3054, 0.1391, 3), (25, 0.6519, 0.18373, 5),
], _PLASTYFIRE, _N_WINDOW, "+-10 ms are the points of Figs. 1D and 7B, 0 that of Fig. 7D: shared with the series over rates")  # fmt: skip
WINDOW_20_HZ_PLASTICITY_KER = _window("Sjöström 2001, 20 Hz", of_percent([
    (-25, 70.122, 7.317), (-10, 64.024, 10.061), (0, 74.390, 10.976), (10, 128.659, 14.939), (25, 62.500, 20.427),
]), _KER, "its window at 0.1 Hz is not used: the rows repeat those of Fig. 7D, lag for rate")  # fmt: skip

JITTERED = tabled("Sjöström 2001, jittered", [
    (1, 0.75, 0.10), (20, 0.85, 0.05), (35, 1.00, 0.10), (50, 1.35, 0.15),
], unit="Hz", along="rate", protocol="as at a fixed lag, but post spikes jittered around the pre spikes (Fig. 8C: normal, 7 ms, mean lag 0)",
    source=f"{PAPER}; Fig. 8C, digitised by {_MGRAUPE} (experimental_data/sjoestroem_stochastic.dat)",
    caveats=("the first rate is 0.1 Hz in the figure, according to ABL-Lab/plastyfire (third party), which reads .77, .86, 1.02, 1.36 and "
             "n 3, 3, 4, 7 off it",))  # fmt: skip
