"""Samples of a source, from a seed: a recording whose trials are the samples.

Every channel draws from streams of its own, and its samples follow one another in them. So sample k, channel j depends on the seed, the
source and the length of a sample, and not on how many samples or channels are drawn.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bioneuro import measure
from bioneuro.learn.sources import (
    Bernoulli,
    Correlated,
    Jittered,
    Markov,
    Poisson,
    Sinusoid,
    Source,
    SourceError,
    Stretches,
    one_rate,
    per_step,
    steps,
    transitions,
)  # fmt: skip
from bioneuro.protocol import Coordinate
from bioneuro.protocol.table import check_count, second
from bioneuro.recording import Recording, train
from bioneuro.records import digest
from bioneuro.trains import outlive, poisson_bins

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

POPULATION = "source"
"""The population that fires what a source says."""
OWN, SHARED, START, KEPT, MOVED, TEMPLATE, LABELS = range(1, 8)
"""What a stream is for."""


LARGEST = 1_000_000_000
"""Spikes of one channel, of all samples together, that are drawn at most."""


@dataclass(frozen=True, kw_only=True)
class Field:
    """The samples to draw: how many, of so many channels and steps of `dt` seconds; `group` tells sources with the same seed apart."""

    samples: int
    channels: int
    bins: int
    dt: float
    seed: int
    group: int = 0

    def stream(self, purpose: int, channel: int = 0) -> np.random.Generator:
        return stream(self.seed, purpose, self.group, channel)


def stream(seed: int, purpose: int, group: int = 0, channel: int = 0) -> np.random.Generator:
    """Random numbers of a purpose, group and channel. Raises SourceError for what is no seed."""
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not 0 <= seed < 2**64:
        raise SourceError(f"seed {seed!r}; give an integer from 0 to 2**64 - 1")
    # as an array: NumPy would make a list with large numbers one of floats
    key = np.array([int(seed), (purpose << 56) + (group << 32) + channel], np.uint64)
    return np.random.Generator(np.random.Philox(key=key))


def drawn(source: Source, samples: int, *, channels: int = 1, duration: Any = "1 s", dt: Any = "1 ms", seed: int) -> Recording:
    """`samples` of a source as the trials of a recording, whose population ``source`` has one unit per channel.

    >>> from bioneuro.learn import poisson
    >>> drawn(poisson("20 Hz"), 3, channels=2, duration="10 s", seed=1).spikes["source"].counts.shape
    (3, 2)

    Raises:
        SourceError: the source does not fit the grid, the channels or the duration. UnitError: a wrong unit.
    """
    field = field_of(samples, channels, second(duration, "drawn: duration"), second(dt, "drawn: dt"), seed)
    pairs = fired(source, field)
    return recorded(field, *pairs, about=source)


def field_of(samples: int, channels: int, duration: float, dt: float, seed: int) -> Field:
    """The field of samples that last `duration` seconds."""
    check_count(samples, "samples")
    check_count(channels, "channels")
    if not 0 < dt <= duration:
        raise SourceError(f"samples of {duration:g} s in steps of {dt:g} s; give 0 < dt <= duration")
    return Field(samples=int(samples), channels=int(channels), bins=steps(duration, dt, "duration"), dt=dt, seed=seed)


def recorded(field: Field, index: Ints, step: Ints, *, about: Any, labels: Ints | None = None) -> Recording:
    """Spikes (sample*channels + channel, step) as a recording, with the class of each sample as ``label``."""
    made = train(step, index, n_trials=field.samples, size=field.channels, dt=field.dt)
    label = {} if labels is None else {"label": Coordinate(values=labels.astype(np.float64))}
    end = f"{field.bins * field.dt!r} second"
    seen = measure.observed(spikes={POPULATION: made}, stop=end, conditions=label)
    return dataclasses.replace(seen, provenance=dataclasses.replace(seen.provenance, protocol=digest(about), seed=int(field.seed)))


def fired(source: Source, field: Field) -> tuple[Ints, Ints]:
    """(sample*channels + channel, step) of every spike."""
    each = list(_channels(source, field))
    sample, step = np.divmod(np.concatenate(each), field.bins)
    channel = np.repeat(np.arange(field.channels), [at.size for at in each])
    return sample * field.channels + channel, step


def _channels(source: Source, field: Field) -> Sequence[Ints]:
    """For each channel sample*bins + step of its spikes, in order."""
    number = range(field.channels)
    match source:
        case Poisson():
            return [_steady(source, field, j) for j in number]
        case Stretches() | Sinusoid():
            chance = _course(source, field)
            return [_thinned(chance, field, j) for j in number]
        case Bernoulli() | Markov():
            return [_by_bins(source, field, j) for j in number]
        case Jittered():
            return _templates(source, field)
        case Correlated():
            return _population(source, field)
        case _:
            raise SourceError(f"{source!r:.60} is no source; make one with poisson, bernoulli, markov, ...")


def _coins(rng: np.random.Generator, p: float, n: int) -> Ints:
    """Which of `n` coins show a spike. They are drawn one after the other, so that fewer are the first of more."""
    if p * n > LARGEST or n >= 2**62:
        raise SourceError(f"{p * n:.3g} spikes of a channel in {n:.3g} steps are too many; allowed: {LARGEST}; give fewer or shorter samples")
    return poisson_bins(rng, np.array([p]), np.zeros((1, 1), np.int64), np.full((1, 1), n))[1]


def _steady(source: Poisson, field: Field, channel: int) -> Ints:
    """Poisson steps; with a dead time those of a higher rate that are left, from a start in equilibrium.

    At a random moment each of the last dead - 1 steps holds a spike with probability p, which then still blocks the rest of its dead time.
    """
    p, dead = per_step(source, field.dt)
    free = 1 - p * (dead - 1)
    at = _coins(field.stream(OWN, channel), min(1.0, p / free), field.samples * field.bins)
    if dead == 1 or not at.size:
        return at
    sample, step = np.divmod(at, field.bins)
    u = field.stream(START, channel).random(field.samples)
    blocked = np.where(u < p * (dead - 1), u / p + 1, 0).astype(np.int64)
    left = step >= blocked[sample]
    spaced = (sample * (field.bins + dead) + step)[left]
    return np.asarray(at[left][outlive(spaced, dead)])


def _course(source: Stretches | Sinusoid, field: Field) -> Floats:
    """The probability of a spike in each step: the integral of the rate over it."""
    edges = np.arange(field.bins + 1) * field.dt
    if isinstance(source, Stretches):
        start, rate = np.array(source.start), np.array(source.rate)
        reached = np.concatenate([[0.0], np.cumsum(np.diff(start) * rate[:-1])])
        k = np.searchsorted(start, edges, side="right") - 1
        total = reached[k] + rate[k] * (edges - start[k])
    else:
        w = 2 * np.pi * source.frequency
        wave = -np.cos(w * edges + source.phase) / w if w else np.sin(source.phase) * edges
        total = source.mean * (edges + source.depth * wave)
    chance = np.maximum(np.diff(total), 0.0)
    if chance.max() > 1:
        raise SourceError(f"{chance.max():g} spikes in a step of {field.dt:g} s; at most one is possible: lower the rate, or make dt smaller")
    return np.asarray(chance)


def _thinned(chance: Floats, field: Field, channel: int) -> Ints:
    """Steps at the highest probability, each kept with its own over the highest."""
    most = float(chance.max())
    at = _coins(field.stream(OWN, channel), most, field.samples * field.bins)
    return np.asarray(at[field.stream(KEPT, channel).random(at.size) * most < chance[at % field.bins]])


def _by_bins(source: Bernoulli | Markov, field: Field, channel: int) -> Ints:
    """Bins of a source's own width, each with its spike on the first step."""
    width = steps(source.bin, field.dt, "bin")
    if width < 1:
        raise SourceError(f"bin {source.bin:g} s is shorter than the step of {field.dt:g} s; make dt smaller")
    n = -(-field.bins // width)
    coins = isinstance(source, Bernoulli)
    at = _coins(field.stream(OWN, channel), source.p, field.samples * n) if coins else _chain(source, field, channel, n)  # type: ignore[arg-type]
    return np.asarray(at // n * field.bins + at % n * width)


def _chain(source: Markov, field: Field, channel: int, n: int) -> Ints:
    """Bins with a spike: those of a first draw, and what follows from them; the first bin of each sample is drawn by itself.

    Where spikes follow spikes (c >= 0), each bin makes a spike with the probability b that one has after silence, whatever was before,
    or else keeps the state of the bin before with probability c. So a spike that is made is followed by a geometric number of others, up
    to the next that is made.
    """
    rise, _ = transitions(source)
    if source.correlation < 0:
        return _apart(source, field, channel, n)
    at = _coins(field.stream(OWN, channel), rise, field.samples * n)
    keeps = source.correlation / (1 - rise) if source.correlation else 0.0
    with np.errstate(divide="ignore"):
        mean = 1 / np.abs(np.log(keeps))
    more, more_first = (mean * field.stream(purpose, channel).standard_exponential(k) for purpose, k in ((KEPT, at.size), (MOVED, field.samples)))
    first = field.stream(START, channel).random(field.samples) < source.p
    inner = at % n != 0
    at = np.append(at[inner], np.flatnonzero(first) * n)
    length = 1 + np.floor(np.minimum(np.append(more[inner], more_first[first]), n)).astype(np.int64)
    order = np.argsort(at, kind="stable")
    at, length = at[order], length[order]
    length = np.minimum(length, np.minimum(n - at % n, np.diff(at, append=field.samples * n)))
    begin = np.cumsum(length) - length
    return np.arange(length.sum()) + np.repeat(at - begin, length)


def _apart(source: Markov, field: Field, channel: int, n: int) -> Ints:
    """The same where spikes avoid spikes: of bins drawn with the probability after silence, one behind a spike has one only if it is marked."""
    rise, stay = transitions(source)
    at = _coins(field.stream(OWN, channel), rise, field.samples * n)
    mark = field.stream(KEPT, channel).random(at.size) * rise < stay
    inner = at % n != 0
    first = np.flatnonzero(field.stream(START, channel).random(field.samples) < source.p) * n
    at, mark = np.append(at[inner], first), np.append(mark[inner], np.ones(first.size, bool))
    order = np.argsort(at, kind="stable")
    at, mark = at[order], mark[order]
    sure = mark | (np.diff(at, prepend=-2) != 1) | (at % n == 0)
    last = np.maximum.accumulate(np.where(sure, np.arange(at.size), 0))
    return at[(np.arange(at.size) - last) % 2 == 0]


def _templates(source: Jittered, field: Field) -> list[Ints]:
    end = field.bins * field.dt
    if len(source.times) != field.channels:
        raise SourceError(f"jittered: {len(source.times)} templates for {field.channels} channels; give one for each")
    if max((t for row in source.times for t in row), default=0.0) >= end:
        raise SourceError(f"jittered: a template has spikes after the end of the samples at {end:g} s; give longer samples")
    return [_moved(source, field, j) for j in range(field.channels)]


def _moved(source: Jittered, field: Field, channel: int) -> Ints:
    """The spikes of a template, moved, some left out; and noise."""
    end, row = field.bins * field.dt, np.array(source.times[channel])
    shape = (field.samples, row.size)
    time = row + source.jitter * field.stream(MOVED, channel).standard_normal(shape)
    time = np.abs((time + end) % (2 * end) - end)
    kept = field.stream(KEPT, channel).random(shape) >= source.deletion
    step = np.minimum((time / field.dt * (1 + 1e-12)).astype(np.int64), field.bins - 1)
    at = (step + field.bins * np.arange(field.samples)[:, None])[kept]
    p = per_step(Poisson(rate=source.noise), field.dt)[0]
    return np.unique(np.append(at, _coins(field.stream(OWN, channel), p, field.samples * field.bins)))


def _population(source: Correlated, field: Field) -> list[Ints]:
    """Own spikes with q per step and shared ones with s, together p = 1 - (1 - q)(1 - s): a correlation of s (1 - p) / (p (1 - s))."""
    lags = [steps(lag, field.dt, "lag") for lag in source.lags] or [0] * field.channels
    if len(lags) != field.channels:
        raise SourceError(f"correlated: {len(lags)} lags for {field.channels} channels; give one for each, or none")
    p = per_step(Poisson(rate=source.rate), field.dt)[0]
    s = source.correlation * p / (1 - p + source.correlation * p) if p < 1 else 1.0
    q = 1 - (1 - p) / (1 - s) if s < 1 else 0.0
    # The shared train begins as far ahead of the sample as the longest lag, so that every channel has it all the time.
    ahead = max(lags)
    long = field.bins + ahead
    sample, step = np.divmod(_coins(field.stream(SHARED), s, field.samples * long), long)
    found = []
    for j, lag in enumerate(lags):
        late = step + lag - ahead
        inside = (late >= 0) & (late < field.bins)
        own = _coins(field.stream(OWN, j), max(0.0, q), field.samples * field.bins)
        found.append(np.unique(np.append(own, (sample * field.bins + late)[inside])))
    return found


def template(rate: Any, *, channels: int, duration: Any = "1 s", seed: int, number: int = 0) -> tuple[tuple[float, ...], ...]:
    """Random times for `jittered`: in each channel rate*duration spikes (rounded), anywhere within the duration.

    Arguments:
        seed: of the templates, which has nothing to do with that of the samples. number: which of the templates of this seed.
    """
    end = second(duration, "template: duration")
    if end < 0:
        raise SourceError(f"template: duration: {end:g} s is negative; give a time from 0 s on")
    if isinstance(number, bool) or not isinstance(number, int | np.integer) or not 0 <= number < 2**24:
        raise SourceError(f"template: number {number!r}; give an integer from 0 to 2**24 - 1")
    count = round(one_rate(rate, "template: rate") * end)
    check_count(channels, "template: channels")
    return tuple(tuple(np.sort(stream(seed, TEMPLATE, number, j).random(count) * end).tolist()) for j in range(channels))
