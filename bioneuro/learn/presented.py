"""Samples as what is done to a circuit: the same trials, their spikes imposed on a port."""

from typing import Any

import numpy as np

from bioneuro import protocol
from bioneuro.learn.drawing import POPULATION
from bioneuro.learn.sources import SourceError
from bioneuro.protocol import Protocol, Spikes
from bioneuro.protocol.table import second
from bioneuro.recording import Recording


def presented(
    samples: Recording,
    dt: Any = None,
    *,
    port: str = "source",
    population: str = POPULATION,
    rest: Any = "0 s",
    record: tuple[str, ...] = (),
    name: str = "presented",
) -> Protocol:
    """A protocol whose trials are the `samples`: their spikes on a `port`, their conditions (``label``) as its trial table.

    There is one reading, at the end, which is that of the samples and `rest`. A port's own spikes are no part of a recording: they are the
    samples'.

    Arguments:
        dt: step of the clock, by default that of the samples; a fraction of it keeps their spikes on the grid.
        population: the one of the samples that fires; it has as many units as the port.
        rest: silence after the samples, for what is still under way in the circuit.
        record: placed state names to read.

    Raises:
        SourceError: no such population. ProtocolError, when the protocol meets its circuit: spikes off the grid, or units that the port lacks.
    """
    if population not in samples.spikes:
        raise SourceError(f"presented: no spikes of {population!r}; the samples have {', '.join(sorted(samples.spikes)) or 'none'}")
    after = second(rest, "presented: rest")
    if after < 0:
        raise SourceError(f"presented: rest {after:g} s is negative, and would cut the samples; give a time from 0 s")
    train = samples.spikes[population]
    trial, unit = np.divmod(np.repeat(np.arange(train.offsets.size - 1), np.diff(train.offsets)), train.size)
    return Protocol(
        name=name,
        stepping=protocol.clock(f"{train.dt!r} s" if dt is None else dt),
        trials=samples.conditions,
        stimulus=np.arange(samples.n_trials),
        reads=samples.times[:, -1:] + after,
        spikes={port: Spikes(stimulus=trial, unit=unit, time=np.asarray(train.steps * train.dt))},
        record=record,
    )
