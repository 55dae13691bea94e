"""stimulus_of: what live generators, Poisson groups and arrays of Brian2 impose -> a protocol of one trial."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from brian2.core.namespace import get_local_namespace
from brian2.input.spikegeneratorgroup import SpikeGeneratorGroup
from numpy.typing import NDArray

from bioneuro import units
from bioneuro.brian.imported import NeuronText, neuron_text
from bioneuro.brian.imported_objects import check_order, collected, read_values, written_variables
from bioneuro.brian.imported_text import refuse, unit_of
from bioneuro.protocol import Afferents, Clock, Current, Poisson, Protocol, Spikes

ON_GRID = 1e-4
"""Share of a step by which a time may lie off the grid, as for Brian2's clock."""


def stimulus_of(
    *objects: Any,
    duration: Any,
    reads: Any = None,
    record: Iterable[str] = (),
    namespace: Mapping[str, Any] | None = None,
    name: str = "imported",
    level: int = 0,
) -> Protocol:
    """What live Brian2 objects impose in a run of `duration` that begins at 0 s, on their clock: one trial.

    Spikes of a SpikeGeneratorGroup fall into the bins that Brian2 puts them in, its period written out. A PoissonGroup of constant rates becomes
    a `Poisson` source (of its own for each unit where rates differ), whose draws follow our seed. A TimedArray in the equations of a group becomes
    a current into it.

    Arguments:
        objects: as for `from_brian`; the circuit that it makes of them takes this protocol.
        duration: a time, as for Brian2's run.
        reads: reading times besides the end of the run.
        record: placed names of states to read; empty for all.
        namespace, level: as for `from_brian`.

    Errors:
        FromBrianError: rates that are text, an array whose steps are no multiple of the clock's; as `from_brian` otherwise.
        ProtocolError: a rate is too high for the clock.
    """
    around = get_local_namespace(level + 1) if namespace is None else namespace
    given = collected(objects)
    check_order(given)
    written = written_variables(given, around)
    n = _steps(float(units.in_unit(duration, "second", "stimulus_of: duration")), given.dt)
    read = np.empty(0) if reads is None else np.atleast_1d(units.in_unit(reads, "second", "stimulus_of: reads"))
    if read.size and read.max() > (n + ON_GRID) * given.dt:
        refuse("duration", "stimulus_of", f"the reading at {read.max():g} s lies behind the end of the run at {n * given.dt:g} s; run longer")
    read = np.append(read[read < (n - ON_GRID) * given.dt], n * given.dt)
    texts = [(g, neuron_text(g, given.names[g.name], around, written)) for g in given.neurons]
    return Protocol(
        name=name,
        stepping=Clock(dt=given.dt, tolerance=0.1 * given.dt),
        trials={},
        stimulus=np.zeros(1, np.int64),
        reads=read[None, :],
        spikes={given.names[g.name]: _spikes(g, n, given.dt) for g in given.ports},
        currents={t.words.place: _current(len(g), t, n, given.dt) for g, t in texts if t.input is not None},
        record=tuple(record),
    )


def _steps(seconds: float, dt: float) -> int:
    """Steps of a run that lasts so long: a part of a step counts as one."""
    nearest = round(seconds / dt)
    n = nearest if abs(nearest * dt - seconds) <= ON_GRID * dt else int(np.ceil(seconds / dt))
    if n < 1:
        refuse("duration", "stimulus_of", f"a run of {seconds:g} s has no step of {dt:g} s; give a longer duration")
    return n


def _spikes(group: Any, n: int, dt: float) -> Spikes | Poisson | Afferents:
    return _generated(group, n, dt) if isinstance(group, SpikeGeneratorGroup) else _poisson(group, n, dt)


def _generated(group: Any, n: int, dt: float) -> Spikes:
    """Spikes of a generator in the bins of the clock, as Brian2 cuts them: a thousandth of a step late is in time."""
    bins = ((np.asarray(group._spike_time, np.float64) + 1e-3 * dt) / dt).astype(np.int64)
    unit = np.asarray(group._neuron_index, np.int64)
    period = float(group.variables["period"].get_value().item())
    every = round(period / dt) if np.isfinite(period) else 0
    if every and abs(every * dt - period) > period * np.finfo(float).eps:
        refuse("period", group.name, f"its period of {period:g} s is no multiple of dt {dt:g} s, which Brian2 refuses too; change one of them")
    rounds = np.arange(-(-n // every) if every else 1)
    step = (bins[None, :] + rounds[:, None] * every).ravel()
    inside = step < n
    return Spikes(stimulus=np.zeros(int(inside.sum()), np.int64), unit=np.tile(unit, rounds.size)[inside], time=step[inside] * dt)


def _poisson(group: Any, n: int, dt: float) -> Poisson | Afferents:
    if isinstance(group._rates, str):
        refuse("rates", group.name, f"its rates are the text {group._rates!r}; give numbers, or make the spikes with a SpikeGeneratorGroup")
    rates = np.atleast_1d(read_values(group, "rates", "rates").value)
    sources = tuple(Poisson(rate=np.array([rate]), start=0.0, stop=n * dt, grid=dt) for rate in rates)
    return sources[0] if rates.size == 1 else Afferents(sources)


def _current(size: int, described: NeuronText, n: int, dt: float) -> Current:
    """The course of a TimedArray over the run, from breakpoint to breakpoint."""
    array, place = described.input, described.words.place
    every = round(array.dt / dt)
    if every < 1 or abs(every * dt - array.dt) > ON_GRID * dt:
        refuse("timed array", place, f"it holds a value for {array.dt:g} s, which is no multiple of dt {dt:g} s; sample it anew with a multiple")
    rows: NDArray[np.float64] = np.asarray(array.values[: -(-n // every)], np.float64)
    if rows.ndim == 2:
        if rows.shape[1] < size:
            refuse("timed array", place, f"it has {rows.shape[1]} columns for {size} units; give one for each")
        rows = rows[:, :size]
        rows = rows[:, :1] if np.all(rows == rows[:, :1]) else rows[:, None, :]
    else:
        rows = rows[:, None]
    return Current(start=np.arange(rows.shape[0]) * every * dt, value=rows, unit=unit_of(array.dim, place))
