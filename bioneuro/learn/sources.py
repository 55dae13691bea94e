"""Sources of spike trains: what fires, as numbers. `bioneuro.learn.drawing.drawn` draws samples of them.

Time goes in steps of a grid, and a channel has at most one spike per step. A source of rate r fires in a step of dt with probability
r dt, and every source is stationary from the first step on, unless it says that its rate changes. All channels of a sample follow the
source; they are independent, except where it says that they share spikes or have templates of their own.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bioneuro import units
from bioneuro.protocol.table import hertz, second


class SourceError(ValueError):
    """A source is not well formed, or does not fit the grid, the channels or the length of its samples."""


@dataclass(frozen=True, kw_only=True)
class Poisson:
    """Rate in Hz, and absolute refractory period in seconds: the least interval between two spikes."""

    rate: float
    refractory: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Stretches:
    """Poisson with `rate[k]` Hz from `start[k]` seconds until the next start, the last until the end."""

    start: tuple[float, ...]
    rate: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Sinusoid:
    """Poisson with rate mean (1 + depth sin(2 pi frequency t + phase)); Hz, and radians."""

    mean: float
    depth: float
    frequency: float
    phase: float


@dataclass(frozen=True, kw_only=True)
class Bernoulli:
    """A spike in each bin of `bin` seconds with probability `p`."""

    p: float
    bin: float


@dataclass(frozen=True, kw_only=True)
class Markov:
    """Two states per bin of `bin` seconds, spike and silence: the share `p` of spikes, and the correlation of neighbouring bins."""

    p: float
    correlation: float
    bin: float


@dataclass(frozen=True, kw_only=True)
class Jittered:
    """Templates, one per channel: seconds of each spike, how far it is moved, how often it is missing, and how much noise is added.

    Attributes:
        times: for each channel the seconds of its template.
        jitter: standard deviation in seconds.
        deletion: probability of a spike to be left out.
        noise: Hz of Poisson spikes added to each channel.
    """

    times: tuple[tuple[float, ...], ...]
    jitter: float
    deletion: float
    noise: float


@dataclass(frozen=True, kw_only=True)
class Correlated:
    """Poisson channels of `rate` Hz that share a train, which reaches channel k `lags[k]` seconds late.

    Attributes:
        correlation: coefficient of correlation between the steps of two channels, at the difference of their lags.
        lags: seconds, one per channel; none where all are 0.
    """

    rate: float
    correlation: float
    lags: tuple[float, ...] = ()


Source = Poisson | Stretches | Sinusoid | Bernoulli | Markov | Jittered | Correlated


def poisson(rate: Any, *, refractory: Any = "0 s") -> Poisson:
    """Poisson spikes; with a `refractory` period the rate is still that of what is fired, and the CV of intervals about 1 - rate*refractory.

    >>> poisson("20 Hz", refractory="5 ms")
    Poisson(rate=20.0, refractory=0.005)

    Raises:
        UnitError: a wrong unit. SourceError: a negative number, or more spikes than the refractory period leaves room for.
    """
    made = Poisson(rate=one_rate(rate, "poisson: rate"), refractory=_time(refractory, "poisson: refractory"))
    if made.rate * made.refractory > 1:
        raise SourceError(f"poisson: {made.rate:g} Hz with a refractory period of {made.refractory:g} s; at most {1 / made.refractory:g} Hz fit")
    return made


def inhomogeneous(start: Sequence[Any], rate: Sequence[Any]) -> Stretches:
    """Poisson spikes whose rate is ``rate[k]`` from ``start[k]`` on: ``inhomogeneous(["0 s", "0.5 s"], ["5 Hz", "40 Hz"])``.

    Raises:
        SourceError: starts that are not increasing from 0, or another number of rates.
    """
    begin = tuple(_time(t, f"inhomogeneous: start[{k}]") for k, t in enumerate(start))
    rates = tuple(one_rate(r, f"inhomogeneous: rate[{k}]") for k, r in enumerate(rate))
    if not begin or len(begin) != len(rates) or begin[0] != 0 or any(np.diff(begin) <= 0):
        raise SourceError(f"inhomogeneous: starts {begin} s for {len(rates)} rates; give increasing starts from 0 s, one per rate")
    return Stretches(start=begin, rate=rates)


def sinusoid(mean: Any, *, depth: float, frequency: Any, phase: float = 0.0) -> Sinusoid:
    """Poisson spikes of rate mean (1 + depth sin(2 pi frequency t + phase)), with `depth` from 0 to 1 and `phase` in radians."""
    share, angle = _probability(depth, "sinusoid: depth"), float(units.in_unit(phase, "1", "sinusoid: phase"))
    return Sinusoid(mean=one_rate(mean, "sinusoid: mean"), depth=share, frequency=one_rate(frequency, "sinusoid: frequency"), phase=angle)


def bernoulli(p: float, bin: Any = "1 ms") -> Bernoulli:
    """A spike in each bin with probability `p`, on the first step of the bin."""
    return Bernoulli(p=_probability(p, "bernoulli: p"), bin=_width(bin, "bernoulli: bin"))


def markov(p: float, correlation: float, bin: Any = "1 ms") -> Markov:
    r"""A chain of two states per bin: share `p` of bins with a spike, `correlation` c of neighbouring bins (k bins apart: c^k).

    A spike follows a spike with p + c (1 - p), and silence with p (1 - c). So c = 0 is `bernoulli`, c > 0 makes bursts of consecutive
    bins, c < 0 keeps spikes apart; -1 < c < 1, and not below -p/(1 - p) or -(1 - p)/p, where these would be no probabilities.

    Raises:
        SourceError: a correlation that is not possible at this `p`.
    """
    share, width = _probability(p, "markov: p"), _width(bin, "markov: bin")
    c = float(units.in_unit(correlation, "1", "markov: correlation"))
    least = -min(share, 1 - share) / max(share, 1 - share)
    if not least - 1e-12 <= c < 1:
        raise SourceError(f"markov: correlation {c:g} with p = {share:g}; it lies from {least:g} to below 1")
    return Markov(p=share, correlation=max(c, least), bin=width)


def jittered(times: Sequence[Any], *, jitter: Any, deletion: float = 0.0, noise: Any = "0 Hz") -> Jittered:
    """One template per channel, its spikes moved by normal deviates, left out with probability `deletion`, and `noise` added.

    A spike that would leave the sample is mirrored at its edge, so the number stays; two of one channel on one step are one spike.

    Arguments:
        times: for each channel a row of times, in seconds where they are plain numbers. `template` makes a random one.
    """
    rows = tuple(tuple(float(t) for t in _times(row, f"jittered: times[{k}]")) for k, row in enumerate(times))
    if not rows:
        raise SourceError("jittered: no template; give a row of times for each channel, [] for a silent one")
    width, lost = _time(jitter, "jittered: jitter"), _probability(deletion, "jittered: deletion")
    return Jittered(times=rows, jitter=width, deletion=lost, noise=one_rate(noise, "jittered: noise"))


def correlated(rate: Any, correlation: float, *, lags: Sequence[Any] = ()) -> Correlated:
    """Poisson channels that share spikes such that every two of them have this `correlation` from step to step.

    With `lags` the shared spikes come to channel k so much later: the correlation of two channels is found at the difference of their
    lags, and channels of shorter lag lead. Each channel alone is `poisson(rate)` whatever the correlation and the lags.

    Raises:
        SourceError: a correlation outside 0 to 1, or a negative lag.
    """
    late = tuple(_time(lag, f"correlated: lags[{k}]") for k, lag in enumerate(lags))
    return Correlated(rate=one_rate(rate, "correlated: rate"), correlation=_probability(correlation, "correlated: correlation"), lags=late)


def entropy(p: float) -> float:
    """Entropy of a coin in bits, -p log2 p - (1 - p) log2 (1 - p).

    >>> entropy(0.5), entropy(1.0)
    (1.0, 0.0)
    """
    share = _probability(p, "entropy: p")
    return -sum(x * math.log2(x) for x in (share, 1 - share) if x > 0) or 0.0


def transitions(source: Markov) -> tuple[float, float]:
    """Probability of a spike after silence, and after a spike."""
    p, c = source.p, source.correlation
    return min(1.0, p * (1 - c)), max(0.0, p + c * (1 - p))


def entropy_rate(source: Source, dt: Any = "1 ms") -> float:
    """Entropy rate of one channel in bits per bin: exact, in closed form.

    Bernoulli: H(p). Markov: (1 - p) H(b) + p H(a), with a spike after silence b and after a spike a (`transitions`). Poisson: H(rate dt)
    per step; with D steps of refractory period a step is free with probability f = 1 - p (D - 1), p = rate dt, and the rest of the time
    is determined, so it is f H(p / f).

    Arguments:
        dt: the step, for Poisson sources; the others have a bin of their own.

    >>> round(entropy_rate(markov(0.2, 0.5)), 3)
    0.569

    Raises:
        SourceError: a source without a closed form here.
    """
    match source:
        case Bernoulli():
            return entropy(source.p)
        case Markov():
            rise, stay = transitions(source)
            return (1 - source.p) * entropy(rise) + source.p * entropy(stay)
        case Poisson():
            p, dead = per_step(source, _width(dt, "entropy_rate: dt"))
            free = 1 - p * (dead - 1)
            return free * entropy(min(1.0, p / free)) if free > 0 else 0.0
        case _:
            raise SourceError(f"entropy_rate: a {type(source).__name__} source has no closed form here; give poisson, bernoulli or markov")


def per_step(source: Poisson, dt: float) -> tuple[float, int]:
    """Probability of a spike per step, and the least interval in steps, at least 1.

    Raises:
        SourceError: more than a spike per step or refractory period, or a period off the grid.
    """
    p, dead = source.rate * dt, max(1, steps(source.refractory, dt, "refractory period"))
    if p * dead > 1 + 1e-9:
        raise SourceError(f"poisson: {source.rate:g} Hz on steps of {dt:g} s, {dead} from spike to spike; lower the rate, or make dt smaller")
    return min(p, 1 / dead), dead


def steps(time: float, dt: float, what: str) -> int:
    """A time as a number of steps. Raises SourceError off the grid."""
    n = round(time / dt)
    if abs(time / dt - n) > 1e-6 * max(1, n):
        raise SourceError(f"{what}: {time:g} s is no multiple of the step of {dt:g} s; give one, or another dt")
    return n


def one_rate(value: Any, place: str) -> float:
    """One rate in Hz, not negative."""
    rate = hertz(value, place, silence=True)
    if rate.size != 1:
        raise SourceError(f"{place}: {rate.size} values; give one rate")
    return float(rate[0])


def _time(value: Any, place: str) -> float:
    time = second(value, place)
    if time < 0:
        raise SourceError(f"{place}: {time:g} s is negative; give a time from 0 s on")
    return time


def _width(value: Any, place: str) -> float:
    width = _time(value, place)
    if width == 0:
        raise SourceError(f"{place}: 0 s; give a positive width such as '1 ms'")
    return width


def _times(row: Any, place: str) -> list[float]:
    values, dims = units.si(row, place) if np.size(row) else (np.empty(0), units.DIMENSIONLESS)
    values = values if dims == units.DIMENSIONLESS else units.in_unit(row, "second", place)
    if values.ndim != 1 or not np.all(np.isfinite(values)) or np.any(values < 0):
        raise SourceError(f"{place}: {row!r:.60} is no row of finite times from 0 s on")
    return sorted(values.tolist())


def _probability(value: Any, place: str) -> float:
    share = np.asarray(units.in_unit(value, "1", place))
    if share.size != 1:
        raise SourceError(f"{place}: {share.size} values; give one share")
    p = float(share.item())
    if not 0 <= p <= 1:
        raise SourceError(f"{place}: {p:g} is not between 0 and 1; give a share")
    return p
