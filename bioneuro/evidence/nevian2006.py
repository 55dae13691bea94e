"""Pairing an EPSP with a short burst of postsynaptic spikes, layer 2/3 pyramidal neurons of somatosensory cortex.

References:
    Nevian & Sakmann 2006, J Neurosci 26:11001, doi 10.1523/JNEUROSCI.1749-06.2006; rat, P13-15, 2 mM calcium, 32-36 C, bicuculline,
    extracellular stimulation of a compound EPSP; 60 pairings at 0.1 Hz, read 20 to 40 min later.

All numbers are printed in the text of the Results. For three of the six burst timings the legend of Fig. 2 prints others
(`TIMING_LEGEND`); BlueBrain/BluePyOpt (examples/graupnerbrunelstdp) uses those of the text.

Two lags are in use: dt' is that of the *first* spike of the burst from the onset of the EPSP (`TIMING`), dt that of the spike
*closest* to the EPSP (all others); both positive if the spike comes after the EPSP.
"""

from collections.abc import Sequence

from bioneuro.evidence.points import Points, Row, tabled

PAPER = "Nevian & Sakmann 2006, J Neurosci 26:11001, doi 10.1523/JNEUROSCI.1749-06.2006"
PREPARATION = "a compound EPSP of many fibres, not a pair of cells; GABA-A receptors blocked"

_BURST = "60 pairings at 0.1 Hz of one EPSP with 3 postsynaptic spikes at 50 Hz"


def _points(name: str, rows: Sequence[Row], unit: str, protocol: str, place: str, held: dict[str, float], *caveats: str, along: str = "") -> Points:
    return tabled(
        f"Nevian & Sakmann 2006, {name}", rows, unit=unit, along=along, held=held, protocol=protocol, source=f"{PAPER}, {place}",
        caveats=(PREPARATION, *caveats),
    )  # fmt: skip


#                              dt' of the first spike, ratio, sem, n
TIMING = _points("3 spikes at 50 Hz", [
    (-90, 1.00, 0.09, 6), (-50, 0.68, 0.05, 10), (-30, 0.98, 0.12, 8), (-10, 1.42, 0.19, 12), (10, 2.01, 0.22, 11), (50, 0.92, 0.11, 4),
], "ms", _BURST, "text to Fig. 2", {}, "the lag is that of the first of the three spikes")  # fmt: skip
TIMING_LEGEND = _points("3 spikes at 50 Hz", [
    (-50, 0.67, 0.06, 9), (-10, 1.5, 0.3, 6), (10, 2.08, 0.25, 11),
], "ms", _BURST, "legend of Fig. 2", {}, "the lag is that of the first of the three spikes")  # fmt: skip

#                                 number of spikes, ratio, sem, n; the last row is that of TIMING
SPIKES_PRE_POST = _points("50 Hz, dt +10 ms", [
    (1, 1.04, 0.08, 10), (2, 1.95, 0.31, 9), (3, 2.01, 0.22, 11),
], "1", "60 pairings at 0.1 Hz of one EPSP with 1 to 3 spikes at 50 Hz", "text to Fig. 3", {"lag": 0.010})  # fmt: skip
SPIKES_POST_PRE = _points("50 Hz, dt -10 ms", [
    (1, 0.80, 0.07, 5), (2, 0.72, 0.12, 5), (3, 0.68, 0.05, 10),
], "1", "60 pairings at 0.1 Hz of 1 to 3 spikes at 50 Hz with one EPSP", "text to Fig. 3", {"lag": -0.010})  # fmt: skip

#                              rate within the burst, ratio, sem, n; the row at 50 Hz is that of TIMING
RATES_PRE_POST = _points("3 spikes, dt +10 ms", [
    (20, 1.09, 0.27, 5), (50, 2.01, 0.22, 11), (100, 2.29, 0.48, 7),
], "Hz", "60 pairings at 0.1 Hz of one EPSP with 3 spikes", "text to Fig. 3", {"lag": 0.010})  # fmt: skip
RATES_POST_PRE = _points("3 spikes, dt -10 ms", [
    (20, 0.72, 0.14, 7), (50, 0.68, 0.05, 10), (100, 0.52, 0.12, 4),
], "Hz", "60 pairings at 0.1 Hz of 3 spikes with one EPSP", "text to Fig. 3", {"lag": -0.010})  # fmt: skip

#                           0: EPSPs without spikes, 1: three spikes without EPSP
CONTROLS = _points("unpaired", [(0, 0.97, 0.08, 5), (1, 1.05, 0.20, 6)], "1", "60 times at 0.1 Hz, without the other", "text to Fig. 3", {})
