"""Spike trains of a protocol: given ones in order, Poisson ones drawn from a seed, on the grid of their protocol."""

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bioneuro.protocol import Afferents, Poisson, ProtocolError, Spikes

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

BLOCK = 60_000
"""Spikes drawn at once: they fit the processor's cache."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Drawn:
    """Spikes in order of stimulus, time and unit; `distinct` if it is known that no unit fires twice at once."""

    stimulus: Ints
    unit: Ints
    time: Floats
    distinct: bool


def drawn_spikes(source: Spikes | Poisson | Afferents, port: str, size: int, seed: int) -> Drawn:
    """Explicit spikes, sorted by stimulus, time and unit; Poisson trains are drawn here from the seed."""
    if isinstance(source, Afferents):
        return _of_each(source, port, size, seed)
    if isinstance(source, Spikes):
        if source.unit.size and not 0 <= source.unit.min() <= source.unit.max() < size:
            raise ProtocolError(f"spikes of {port!r} name a unit outside 0..{size - 1}")
        order = np.lexsort((source.unit, source.time, source.stimulus))
        return Drawn(stimulus=source.stimulus[order], unit=source.unit[order], time=source.time[order], distinct=False)
    element, bins = _poisson(source, port, size, seed)
    if size > 1:
        order = np.lexsort((element % size, bins, element // size))
        element, bins = element[order], bins[order]
    stimulus, unit = (element, np.zeros_like(element)) if size == 1 else np.divmod(element, size)
    return Drawn(stimulus=stimulus, unit=unit, time=np.asarray(bins * source.grid, np.float64), distinct=True)


def _poisson(source: Poisson, port: str, size: int, seed: int) -> tuple[Ints, Ints]:
    """(element, bin) of a port's trains, ordered so: its own spikes, and those that it shares with others."""
    first, last = (np.repeat(np.rint(np.asarray(t) / source.grid).astype(np.int64), size, axis=0) for t in (source.start, source.stop))
    common = np.repeat(source.common, size)

    def drawn(name: str, rate: Floats) -> tuple[Ints, Ints]:
        rng = np.random.Generator(np.random.Philox(key=[seed, zlib.crc32(name.encode())]))
        return poisson_bins(rng, rate * source.grid, first, last)

    element, bins = drawn(port, np.repeat(source.rate, size) - common)
    shift, dead = round(source.shift / source.grid), round(source.dead / source.grid)
    span = int(last.max()) + shift + dead
    if common.any():
        # One number per spike sorts much faster than rows of two; the sort merges two sorted runs.
        shared, late = drawn(f"shared {source.source}", common)
        late = shared * span + late + shift
        both = np.sort(np.append(element * span + bins, late[within(late, first, last, span)]), kind="stable")
        element, bins = np.divmod(both[np.append(True, np.diff(both) > 0)[: both.size]], span)
    if dead > 1:
        at = element * span
        at += bins
        kept = outlive(at, dead)
        element, bins = element[kept], bins[kept]
    return element, bins


def _of_each(source: Afferents, port: str, size: int, seed: int) -> Drawn:
    """The trains of units that have a source each; each draws under a name of its own."""
    if len(source.sources) != size:
        raise ProtocolError(f"spikes of {port!r}: {len(source.sources)} sources for {size} units; give one for each")
    drawn = [drawn_spikes(one, f"{port}.{k}", 1, seed) for k, one in enumerate(source.sources)]
    unit = np.repeat(np.arange(size), [d.time.size for d in drawn])
    stimulus, time = np.concatenate([d.stimulus for d in drawn]), np.concatenate([d.time for d in drawn])
    order = np.lexsort((unit, time, stimulus))
    return Drawn(stimulus=stimulus[order], unit=unit[order], time=time[order], distinct=all(d.distinct for d in drawn))


def poisson_bins(rng: np.random.Generator, probability: Floats, first: Ints, last: Ints) -> tuple[Ints, Ints]:
    """(element, bin) of Bernoulli trains: element k holds a spike in each bin of its stretches with `probability[k]`.

    Drawn by geometric gaps over the bins of an element, its stretches laid end to end, so that its spikes are distinct and in order.

    Arguments:
        first, last: stretches [first, last) in bins, shape (element, stretch), in order; empty ones anywhere.
    """
    number = (last - first).sum(axis=1)
    expected = float((probability * number).max(initial=0.0))
    columns = int(expected + 6 * np.sqrt(expected) + 8)
    rows = max(1, BLOCK // columns)
    found = [_gaps(rng, probability[k : k + rows], number[k : k + rows], columns) for k in range(0, probability.size, rows)]
    counts = np.concatenate([np.empty(0, np.int64), *(count for count, _ in found)])
    bins = np.concatenate([np.empty(0, np.int64), *(bins for _, bins in found)])
    return np.repeat(np.arange(probability.size), counts), _laid_out(bins, counts, first, last)


def _gaps(rng: np.random.Generator, probability: Floats, number: Ints, columns: int) -> tuple[Ints, Ints]:
    """Number of spikes of each element of a block, and in which of its `number` bins they are."""
    never, end = 2.0 * (number[:, None] + 1), number[:, None]
    with np.errstate(divide="ignore"):
        scale = np.where(probability > 0, -1 / np.log1p(-probability), np.inf)[:, None]
    reached = np.full((probability.size, 1), -1, dtype=np.int64)
    parts: list[Ints] = []
    while not parts or not (reached >= end).all():
        gaps = rng.standard_exponential((probability.size, columns))
        gaps *= scale
        np.minimum(gaps, never, out=gaps)
        parts.append(reached + np.cumsum(gaps.astype(np.int64) + 1, axis=1))
        reached = parts[-1][:, -1:]
    bins = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
    inside = bins < end
    return inside.sum(axis=1), bins[inside]


def _laid_out(bins: Ints, counts: Ints, first: Ints, last: Ints) -> Ints:
    """The bins of time (in place) of `bins` counted over the stretches of an element end to end, `counts` of each element."""
    if first.shape[1] == 1 and np.all(first == first[:1]):
        bins += first[:1, 0]
        return bins
    lengths = (last - first).ravel()
    begin = np.cumsum(lengths) - lengths  # of every stretch, those of all elements end to end
    bins += np.repeat(begin.reshape(first.shape)[:, 0], counts)
    found = np.diff(np.searchsorted(bins, begin), append=bins.size)
    bins += np.repeat(first.ravel() - begin, found)
    return bins


def within(at: Ints, first: Ints, last: Ints, span: int) -> NDArray[np.bool_]:
    """Which of element*span + bin lie in a stretch [first, last) of their element."""
    element, stretch = np.nonzero(last > first)
    k = np.searchsorted(element * span + first[element, stretch], at, side="right") - 1
    return np.asarray(at < (element * span + last[element, stretch])[k])


def outlive(time: Ints, dead: int) -> NDArray[np.bool_]:
    """Which of increasing times are at least `dead` after the last one kept, the first being kept.

    Those that nothing precedes closely are kept. The crowd behind each is gone through, all crowds at once: by single steps, and by
    leaps to the next that is kept when few crowds are left, since one may go on for the whole train.
    """
    kept = np.ones(time.size + 1, bool)  # the last stands for the end
    np.greater_equal(np.diff(time), dead, out=kept[1:-1])
    at = np.flatnonzero(kept[:-1] & ~kept[1:])
    last = time[at]
    while at.size:
        at = at + 1 if at.size > 1000 else np.searchsorted(time, last + dead)
        crowded = ~kept[at]
        at, last = at[crowded], last[crowded]
        left = time[at] - last >= dead
        kept[at[left]] = True
        last[left] = time[at[left]]
    return kept[:-1]
