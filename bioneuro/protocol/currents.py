"""Experiments that inject current: steps, and pulses that make a neuron fire when a protocol says so."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from bioneuro import units
from bioneuro.imposed import Clock, Coordinate, Current, ProtocolError, Spikes, clock
from bioneuro.protocol.record import Protocol
from bioneuro.protocol.table import second
from bioneuro.records import frozen

_DRIVES = ("1", "volt", "amp", "siemens", "hertz", "second", "volt/second", "amp/metre**2")


def step_current(
    value: Mapping[str, Any],
    duration: Any,
    *,
    start: Any = "0 s",
    stop: Any = None,
    every: Any = None,
    stepping: Clock | None = None,
    record: tuple[str, ...] = (),
) -> Protocol:
    """A constant current into a population from `start` to `stop`, one trial per value, read every `every` (default: each step).

    Arguments:
        value: population -> current or currents, in the unit of the neuron's input; several populations share the trial axis.
    """
    step = _a_clock("step_current", stepping)
    end, begin = (second(x, "step_current") for x in (duration, start))
    off = end if stop is None else second(stop, "step_current: stop")
    levels = {p: units.si(v, f"step_current: {p}") for p, v in value.items()}
    sizes = {np.atleast_1d(v).size for v, _ in levels.values()}
    if len(sizes) != 1 or end <= 0 or not 0 <= begin < off <= end:
        raise ProtocolError("step_current: give one value per trial for each population, and 0 <= start < stop <= duration")
    n = sizes.pop()
    breaks = np.array(sorted({0.0, begin, off} - ({end} if off == end else set())))
    on = (breaks >= begin) & (breaks < off)
    names = {p: _unit_name(dims) for p, (_, dims) in levels.items()}
    spacing = step.dt if every is None else second(every, "step_current: every")
    if not 0 < spacing <= end:
        raise ProtocolError(f"step_current: every {spacing} s must be positive and at most the duration of {end} s")
    return Protocol(
        name="step_current",
        stepping=step,
        trials={p: Coordinate(values=frozen(np.atleast_1d(v)), unit=names[p]) for p, (v, _) in levels.items()},
        stimulus=np.zeros(n, np.int64),
        reads=frozen(spacing * np.arange(1, round(end / spacing) + 1)[None, :]),
        currents={p: Current(start=breaks, value=frozen(np.outer(on, np.atleast_1d(v))), unit=names[p]) for p, (v, _) in levels.items()},
        record=record,
    )


def by_current(
    protocol: Protocol, population: str, amplitude: Any, *, width: Any = "2 ms", lead: Any = "0 ms", stepping: Clock | None = None
) -> Protocol:
    """`protocol` with the spikes of `population` made by current pulses, for rules that read the voltage of a neuron.

    Each imposed spike becomes a pulse of `amplitude` and `width` that begins `lead` before it; pulses that overlap are one. Whether a
    pulse makes exactly one spike, and when, depends on the neuron: look at the recording's spikes.

    Arguments:
        population: a population of the protocol's imposed spikes; in the circuit it is now a neuron with an `input`.
        amplitude: in the unit of that input.
        stepping: a clock; by default the protocol's own.

    Errors:
        ProtocolError: the protocol imposes no explicit spikes on `population`, or a pulse would begin before 0 s; no clock is given.
    """
    spikes = protocol.spikes.get(population)
    if not isinstance(spikes, Spikes):
        able = sorted(name for name, s in protocol.spikes.items() if isinstance(s, Spikes))
        raise ProtocolError(f"by_current: protocol {protocol.name!r} has no explicit spikes for {population!r}; it has some for {able}")
    step = _a_clock("by_current", stepping or (protocol.stepping if isinstance(protocol.stepping, Clock) else None))
    level, dims = units.si(amplitude, "by_current: amplitude")
    length, early = second(width, "by_current: width"), second(lead, "by_current: lead")
    begin = np.rint((spikes.time - early) / step.dt).astype(np.int64)
    steps = round(length / step.dt)
    if steps < 1 or begin.min(initial=0) < 0:
        raise ProtocolError(f"by_current: pulses of {length:g} s from {early:g} s before a spike; the first must begin after 0 s: set `onset`")
    breaks = np.unique(np.concatenate([[0], begin, begin + steps]))
    change = np.zeros((breaks.size + 1, protocol.n_stimuli), np.int64)
    np.add.at(change, (np.searchsorted(breaks, begin), spikes.stimulus), 1)
    np.add.at(change, (np.searchsorted(breaks, begin + steps), spikes.stimulus), -1)
    on = np.cumsum(change, axis=0)[:-1] > 0
    pulses = Current(start=breaks * step.dt, value=frozen(on[:, protocol.stimulus] * float(level)), unit=_unit_name(dims))
    return dataclasses.replace(
        protocol,
        stepping=step,
        spikes={name: s for name, s in protocol.spikes.items() if name != population},
        currents={**protocol.currents, population: pulses},
    )


def _a_clock(name: str, stepping: Any) -> Clock:
    step = clock() if stepping is None else stepping
    if not isinstance(step, Clock):
        raise ProtocolError(f"{name}: stepping {step} is no clock; a current needs one, such as clock('0.1 ms')")
    return step


def _unit_name(dimensions: units.Dimensions) -> str:
    for name in _DRIVES:
        if units.unit(name).dimensions == dimensions:
            return name
    raise units.UnitError(f"a current in {units.describe(dimensions)} drives nothing known; allowed: {', '.join(_DRIVES)}")
