"""Numbers read off a recording, one code for NumPy and torch: measures are a figure's axes, losses are what a fit lowers.

`curves` along a coordinate, `spikes` of a population; `losses`, `traces` and `trains` for what to compare with a target; `data` makes a
target of what was measured in an experiment. `operations` counts the work that a run was, `energy` prices it, `latency` times single calls.
"""

from bioneuro.measure.curves import (
    OUTCOMES,
    Curve,
    Measure,
    MeasureError,
    above,
    at,
    average,
    change,
    course,
    final,
    grouped,
    nearest,
    outcomes,
    paired_pulse_ratio,
    ratio,
    weight_ratio,
)
from bioneuro.measure.data import DataError, Series, observed, series, spike_times
from bioneuro.measure.energy import CMOS_45, LOIHI, TECHNOLOGIES, TRUENORTH, Energy, Technology, energy
from bioneuro.measure.latency import Latency, latency
from bioneuro.measure.losses import FitError, Loss, curve_error, fi_error, first_spike_error, isi_error, weighted
from bioneuro.measure.operations import Operations, dense_operations, linear_operations, operations, parsing_operations
from bioneuro.measure.spikes import fi_curve, first_spike, intervals, latencies, rate, spike_count, variation
from bioneuro.measure.traces import off_spikes, trace_error
from bioneuro.measure.trains import coincidence, van_rossum

__all__ = [
    "CMOS_45", "LOIHI", "OUTCOMES", "TECHNOLOGIES", "TRUENORTH", "Curve", "DataError", "Energy", "FitError", "Latency", "Loss", "Measure",
    "MeasureError", "Operations", "Series", "Technology", "above", "at", "average", "change", "coincidence", "course", "curve_error",
    "dense_operations", "energy", "fi_curve", "fi_error", "final", "first_spike", "first_spike_error", "grouped", "intervals", "isi_error",
    "latencies", "latency", "linear_operations", "nearest", "observed", "off_spikes", "operations", "outcomes", "paired_pulse_ratio",
    "parsing_operations", "rate", "ratio", "series", "spike_count", "spike_times", "trace_error", "van_rossum", "variation", "weight_ratio",
    "weighted",
]  # fmt: skip
