"""history: the course of fits as a recording, which files keep and figures read."""

from collections.abc import Sequence

import numpy as np
import torch

from bioneuro.fit.record import Fit, Floats
from bioneuro.protocol import Coordinate
from bioneuro.recording import Provenance, Recording


def history(*fits: Fit, notes: Sequence[str] = ()) -> Recording:
    """A trial per step of every start, fits of the same starts one after the other.

    Coordinates: ``start`` and ``fit`` count from 0; every free parameter by its placed name (``path.k`` for unit k of several) has its value at
    the step. The trace ``fit.loss`` is the loss there, ``fit.held_out`` that on what was held out, if anything was.

    Arguments:
        notes: what a reader must know besides, such as how a replay ended.
    """
    parts = [(k, n, one.starts[k]) for k in range(len(fits[0].starts)) for n, one in enumerate(fits)]
    sizes = [part.losses.size for _, _, part in parts]
    values: dict[str, Coordinate] = {}
    for path in fits[0].twin.free:
        whole = np.concatenate([part.values[path] for _, _, part in parts])
        unit = fits[0].circuit.values[path].unit
        columns: dict[str, Floats] = {path: whole} if whole.ndim == 1 else {f"{path}.{k}": column for k, column in enumerate(whole.T)}
        values |= {name: Coordinate(values=column, unit=unit) for name, column in columns.items()}
    for name, numbers in (("start", [k for k, _, _ in parts]), ("fit", [n for _, n, _ in parts])):
        values[name] = Coordinate(values=np.repeat(np.array(numbers, np.float64), sizes))
    traces = {"fit.loss": np.concatenate([part.losses for _, _, part in parts])}
    if all(one.held_out.size for one in fits):
        traces["fit.held_out"] = np.concatenate([part.held_out for _, _, part in parts])
    return Recording(
        traces={name: trace[:, None, None] for name, trace in traces.items()},
        times=np.zeros((sum(sizes), 1)),
        units=dict.fromkeys(traces, "1"),
        spikes={},
        conditions=values,
        provenance=Provenance(
            circuit=fits[-1].circuit.digest, protocol="", seed=0, engine="twin", versions={"torch": torch.__version__}, notes=tuple(notes)
        ),
    )
