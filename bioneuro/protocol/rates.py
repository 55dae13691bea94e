"""Experiments that set rates: pulses and tetani on the presynaptic side, Poisson firing on both."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypedDict, Unpack, cast

import numpy as np

from bioneuro.imposed import Clock, Events, Floats, Poisson, ProtocolError, Spikes
from bioneuro.protocol.pairs import one_unit
from bioneuro.protocol.record import Protocol
from bioneuro.protocol.table import check_count, hertz, second, seconds, table


@dataclass(frozen=True)
class Silent:
    """The postsynaptic neuron does not fire."""


@dataclass(frozen=True)
class Following:
    """A postsynaptic spike `lag` after every `every`-th presynaptic pulse, from the first on."""

    lag: Any
    every: int = 1


@dataclass(frozen=True)
class Firing:
    """Poisson spikes of a rate, independent of the pulses, from the first pulse to the last reading."""

    rate: Any
    grid: Any = "0.1 ms"


def tetanus(
    rate: Any,
    pulses: int = 100,
    *,
    trains: int = 1,
    every: Any = "10 s",
    post: Silent | Following | Firing = Silent(),
    initial: Mapping[str, Any] | None = None,
    repetitions: int = 1,
    onset: Any = "0.2 s",
    rest: Any = "1 s",
    stepping: Clock | Events | None = None,
    ports: tuple[str, str] = ("pre", "post"),
    record: tuple[str, ...] = (),
) -> Protocol:
    """Trains of `pulses` presynaptic pulses at `rate`, one train `every` so often, with stated postsynaptic firing.

    High-frequency stimulation is ``tetanus("100 Hz", 100, trains=3, every="600 s")``, low-frequency stimulation ``tetanus("1 Hz", 900)``.

    Arguments:
        rate: of the pulses, one or many, each a trial.
        every: from the start of one train to the start of the next.
        post: what the postsynaptic neuron does meanwhile: `Silent()`, `Following(lag)`, or `Firing(rate)`.
        Others as for `pairing`.

    Returns:
        a protocol with the coordinate ``rate``.

    Errors:
        ProtocolError: a train is longer than the time to the next.
    """
    check_count(pulses, "tetanus: pulses")
    check_count(trains, "tetanus: trains")
    made = table([{"rate": (hertz(rate, "tetanus: rate"), "Hz")}], initial, repetitions)
    before, after, period = (second(x, f"tetanus: {n}") for x, n in ((onset, "onset"), (rest, "rest"), (every, "every")))
    within = np.arange(pulses) / made.each["rate"][:, None]
    if trains > 1 and np.any(within[:, -1] >= period):
        raise ProtocolError(f"tetanus: a train lasts {within[:, -1].max():g} s, the next starts after {period:g} s; repeat less often")
    pre = before + (period * np.arange(trains)[:, None] + within[:, None, :]).reshape(within.shape[0], -1)
    follower, end = np.empty((pre.shape[0], 0)), pre.max(axis=1)
    if isinstance(post, Following):
        check_count(post.every, "tetanus: post: every")
        follower = pre[:, :: post.every] + second(post.lag, "tetanus: post: lag")
        end = np.maximum(end, follower.max(axis=1))
    stop = end + after
    firing: Spikes | Poisson = one_unit(follower)
    stimulus = made.combination
    if isinstance(post, Firing):  # every trial draws its own
        pre, stop, stimulus = pre[stimulus], stop[stimulus], np.arange(stimulus.size)
        rates = np.full(stimulus.size, float(hertz(post.rate, "tetanus: post: rate", silence=True)[0]))
        firing = Poisson(rate=rates, start=before, stop=float(stop.max()), grid=second(post.grid, "tetanus: post: grid"))
    return Protocol(
        name="tetanus",
        stepping=stepping or Events(),
        trials=made.trials,
        stimulus=stimulus,
        reads=stop[:, None],
        **made.given,
        spikes={ports[0]: one_unit(pre), ports[1]: firing},
        record=record,
    )


class Reading(TypedDict, total=False):
    """What `pulses` and `paired_pulse` take besides their own arguments.

    `read` is the time from a pulse to the reading after it, shorter than the time to the next pulse; the others are as for `pairing`.
    """

    initial: Mapping[str, Any] | None
    repetitions: int
    onset: Any
    read: Any
    stepping: Clock | Events | None
    ports: tuple[str, str]
    record: tuple[str, ...]


def pulses(rate: Any, count: int, **reading: Unpack[Reading]) -> Protocol:
    """A train of `count` presynaptic pulses at `rate`, read once after every pulse; the postsynaptic neuron stays silent.

    Arguments:
        rate: of the pulses, one or many, each a trial. Others: see `Reading`; a pulse is read after 0.5 ms.

    Returns:
        a protocol with the coordinate ``rate`` and `count` readings per trial.
    """
    check_count(count, "pulses: count")
    return _read_after("pulses", {"rate": (hertz(rate, "pulses: rate"), "Hz")}, lambda each: np.arange(count) / each[:, None], reading)


def paired_pulse(interval: Any, **reading: Unpack[Reading]) -> Protocol:
    """Two presynaptic pulses, `interval` apart, each read once after it; the postsynaptic neuron stays silent.

    The ratio of the second reading to the first is the paired-pulse ratio (`bioneuro.measure.paired_pulse_ratio`).

    Arguments:
        interval: times, one or many, each a trial. Others as for `pulses`.

    Returns:
        a protocol with the coordinate ``interval`` and two readings per trial.

    Errors:
        ProtocolError: an interval is not longer than the time to the reading.
    """
    axis = {"interval": (seconds(interval, "paired_pulse: interval"), "ms")}
    return _read_after("paired_pulse", axis, lambda each: np.arange(2) * each[:, None], reading)


def _read_after(
    name: str, axis: Mapping[str, tuple[Floats, str]], pulses_at: Callable[[Floats], Floats], given: Reading
) -> Protocol:
    """Pulses at times (stimulus, pulses) that follow from the one coordinate of `axis`."""
    usual: Reading = {"initial": None, "repetitions": 1, "onset": "0.2 s", "read": "0.5 ms", "stepping": None, "ports": ("pre", "post"), "record": ()}
    if unknown := sorted(set(given) - set(usual)):
        raise TypeError(f"{name}() got unexpected arguments {unknown}; allowed besides its own: {', '.join(usual)}")
    reading = cast(Reading, {**usual, **given})
    made = table([axis], reading["initial"], reading["repetitions"])
    times = second(reading["onset"], f"{name}: onset") + pulses_at(next(iter(made.each.values())))
    read, gap = second(reading["read"], f"{name}: read"), float(np.diff(times, axis=1).min(initial=np.inf))
    if not 0 < read < gap:
        raise ProtocolError(f"{name}: read {read:g} s after a pulse, but the next comes after {gap:g} s; read sooner, and after the pulse")
    return Protocol(
        name=name,
        stepping=reading["stepping"] or Events(),
        trials=made.trials,
        stimulus=made.combination,
        reads=times + read,
        **made.given,
        spikes={port: one_unit(t) for port, t in zip(reading["ports"], (times, times[:, :0]), strict=True)},
        record=reading["record"],
    )


def poisson(
    rate: Mapping[str, Any],
    duration: Any,
    *,
    repetitions: int = 1,
    initial: Mapping[str, Any] | None = None,
    grid: Any = "0.1 ms",
    reads: Any = None,
    stepping: Clock | Events | None = None,
    record: tuple[str, ...] = (),
) -> Protocol:
    """Poisson spikes of a rate per population, for `duration`.

    Arguments:
        rate: population -> rate or rates; every combination is a trial.
        grid: bin width of the trains.
        reads: reading times common to all trials; by default the end.

    Errors:
        UnitError, ProtocolError as for `pairing`.
    """
    axes = [{f"rate_{p}": (hertz(r, f"poisson: rate of {p}", silence=True), "Hz")} for p, r in rate.items()]
    made = table(axes, initial, repetitions)
    stop, width = (second(x, f"poisson: {n}") for x, n in ((duration, "duration"), (grid, "grid")))
    rates = {p: Poisson(rate=made.trials[f"rate_{p}"].values, start=0.0, stop=_after(0, stop, width), grid=width) for p in rate}
    n = made.combination.size
    times = np.array([stop]) if reads is None else seconds(reads, "poisson: reads")
    return Protocol(
        name="poisson",
        stepping=stepping or Events(),
        trials=made.trials,
        stimulus=np.arange(n),  # every trial draws its own spikes
        reads=np.tile(times, (n, 1)),
        **made.given,
        spikes=rates,
        record=record,
    )


def _after(start: float, stop: float, grid: float) -> float:
    if not start < stop or grid <= 0:
        raise ProtocolError(f"poisson: duration {stop} s and grid {grid} s must be positive")
    return stop


def poisson_pairs(
    rate_pre: Any,
    rate_post: Any,
    duration: Any,
    *,
    correlation: Any = 0.0,
    lag: Any = "0 ms",
    initial: Mapping[str, Any] | None = None,
    repetitions: int = 1,
    grid: Any = "0.1 ms",
    reads: Any = None,
    stepping: Clock | Events | None = None,
    ports: tuple[str, str] = ("pre", "post"),
    record: tuple[str, ...] = (),
) -> Protocol:
    """Poisson firing of a pre- and a postsynaptic neuron that share some of their spikes.

    Shared spikes have the rate correlation*sqrt(rate_pre*rate_post), which makes `correlation` the correlation coefficient of the two
    counts; the postsynaptic ones come `lag` after their presynaptic partners. All other spikes are independent.

    Arguments:
        rate_pre, rate_post, correlation: one or many; every combination is a trial. Others as for `poisson`.

    Returns:
        a protocol with coordinates ``rate_pre``, ``rate_post`` and ``correlation``.

    Errors:
        ProtocolError: a correlation outside 0 to 1, or one that would need more shared spikes than the slower neuron fires.
    """
    share = np.atleast_1d(np.asarray(correlation, float))
    if not np.all(np.isfinite(share)) or np.any((share < 0) | (share > 1)):
        raise ProtocolError(f"poisson_pairs: correlation {correlation!r:.60} is not between 0 and 1; give a coefficient of correlation")
    each = {n: hertz(r, f"poisson_pairs: {n}", silence=True) for n, r in (("rate_pre", rate_pre), ("rate_post", rate_post))}
    made = table([*({n: (r, "Hz")} for n, r in each.items()), {"correlation": (share, "1")}], initial, repetitions)
    stop, width, behind = (second(x, f"poisson_pairs: {n}") for x, n in ((duration, "duration"), (grid, "grid"), (lag, "lag")))
    one, other, c = (made.trials[n].values for n in ("rate_pre", "rate_post", "correlation"))
    common = c * np.sqrt(one * other)
    trains = {
        port: Poisson(rate=r, start=0.0, stop=_after(0, stop, width), grid=width, common=common, source="+".join(ports), shift=late)
        for port, r, late in zip(ports, (one, other), (max(0.0, -behind), max(0.0, behind)), strict=True)
    }
    n = made.combination.size
    times = np.array([stop]) if reads is None else seconds(reads, "poisson_pairs: reads")
    return Protocol(
        name="poisson_pairs",
        stepping=stepping or Events(),
        trials=made.trials,
        stimulus=np.arange(n),
        reads=np.tile(times, (n, 1)),
        **made.given,
        spikes=trains,
        record=record,
    )
