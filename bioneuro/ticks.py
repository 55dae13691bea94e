"""Event time: from spike arrivals and reading times of every stimulus to ticks and their lengths.

Twelve million events pass through here before a large noisy run starts. So stimuli are taken in blocks that fit the processor's cache,
and the order within a block is found by one sort of integers that are a few sorted runs already.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

QUANTUM = 1e-10
"""Seconds by which events are told apart. A lag equal to a delay differs from it by a rounding, which after eight hours is 4e-12 s."""
BLOCK = 60_000
"""Events per block."""


@dataclass(frozen=True, eq=False)
class _Block:
    """Some stimuli: where their events stand in each source, and the distinct instants in order of stimulus and time."""

    first: int
    slices: list[slice]
    order: Ints
    instant: Ints  # of each ordered event
    cell: Ints  # stimulus*(reads + 1) + stretch, of each instant
    time: Floats  # of each instant
    counts: Ints  # instants per stimulus and stretch


def ticks(sources: Sequence[tuple[Ints, Floats]], reads: Floats, *, alone: bool = False) -> tuple[list[Ints], Floats, Ints]:
    """Ticks of events, such that a reading falls on the same tick for all stimuli.

    A stretch between readings has as many ticks as the stimulus with most events in it, and one more for the reading; the others
    are padded with ticks of zero length. An event at a reading time comes after the reading.

    Arguments:
        sources: (stimulus, time in seconds) of the events of each source, in order of stimulus.
        reads: shape (stimulus, reads), increasing.
        alone: whether the events of the first source have ticks of their own: what is at their time comes in a tick after.

    Returns:
        tick of each event of each source (-1: after the last reading), seconds of each tick, shape (stimulus, tick), and the number
        of completed ticks at each reading.
    """
    n, n_reads = reads.shape
    blocks = list(_blocks(sources, reads, alone))
    counts = np.concatenate([b.counts for b in blocks])
    width = counts[:, :n_reads].max(axis=0)
    start = np.concatenate([[0], np.cumsum(width + 1)])
    found = [np.empty(which.size, np.int64) for which, _ in sources]
    lengths = np.zeros((n, int(start[-1])))
    for block in blocks:
        tick = _place(block, reads, start, lengths)[block.instant]
        unsorted = np.empty(tick.size, np.int64)
        unsorted[block.order] = tick
        at = 0
        for part, here in zip(found, block.slices, strict=True):
            part[here] = unsorted[at : at + here.stop - here.start]
            at += here.stop - here.start
    return found, lengths, start[1:].astype(np.int64)


def _blocks(sources: Sequence[tuple[Ints, Floats]], reads: Floats, alone: bool) -> Iterator[_Block]:
    n = reads.shape[0]
    total = sum(which.size for which, _ in sources)
    size = max(1, n * BLOCK // max(total, 1))
    edges = [*range(0, n, size), n]
    bounds = [np.searchsorted(which, edges) for which, _ in sources]
    for k, (first, last) in enumerate(itertools.pairwise(edges)):
        slices = [slice(int(b[k]), int(b[k + 1])) for b in bounds]
        which = np.concatenate([np.empty(0, np.int64), *(s[0][here] for s, here in zip(sources, slices, strict=True))]) - first
        time = np.concatenate([np.empty(0), *(s[1][here] for s, here in zip(sources, slices, strict=True))])
        yield _block(first, slices, which, time, reads[first:last], slices[0].stop - slices[0].start if alone else 0)


def _block(first: int, slices: list[slice], which: Ints, time: Floats, reads: Floats, alone: int) -> _Block:
    n, n_reads = reads.shape
    quanta = quanta_of(time)
    order = _order(which, quanta)
    w, t, quanta = which[order], time[order], quanta[order]
    cell = w * (n_reads + 1)
    for limit in quanta_of(reads).T:
        cell += quanta >= limit[w]
    new = np.ones(w.size, bool)
    new[1:] = (cell[1:] != cell[:-1]) | (np.diff(quanta) > 1)
    if alone:
        single = order < alone
        new |= single
        new[1:] |= single[:-1]
    instant = np.arange(w.size) if new.all() else np.cumsum(new) - 1
    cell, t = cell[new], t[new]
    counts = np.bincount(cell, minlength=n * (n_reads + 1)).reshape(n, n_reads + 1)
    return _Block(first, slices, order, instant, cell, t, counts)


def quanta_of(time: Floats) -> Ints:
    """Times as integers, by which events are ordered, told apart and held against readings: the same decisions in every engine."""
    return np.rint(time * 1e10).astype(np.int64)


def _order(which: Ints, quanta: Ints) -> Ints:
    """Indices in the order of stimulus and quantum; events of one quantum stay in the order given."""
    if not which.size:
        return np.empty(0, np.int64)
    span = int(quanta.max()) + 1
    if span * (int(which.max()) + 1) < 2**63:
        return np.argsort(which * span + quanta, kind="stable")
    return np.lexsort((quanta, which))


def _place(block: _Block, reads: Floats, start: Ints, lengths: Floats) -> Ints:
    """Tick of each instant of a block; its step lengths are written into `lengths`."""
    n, n_reads = block.counts.shape[0], reads.shape[1]
    mine = reads[block.first : block.first + n]
    before = np.concatenate([np.zeros((n, 1)), mine], axis=1).ravel()  # when each stretch begins
    counts = block.counts.ravel()
    begin = np.cumsum(counts) - counts
    some = np.flatnonzero(counts)
    seconds = np.diff(block.time, prepend=0.0)
    seconds[begin[some]] = block.time[begin[some]] - before[some]
    base = np.tile(np.append(start[:-1], 0), n) - begin
    tick = np.arange(block.cell.size) + base[block.cell]
    late = block.cell % (n_reads + 1) == n_reads
    tick[late] = -1
    flat = lengths.ravel()[block.first * lengths.shape[1] : (block.first + n) * lengths.shape[1]]
    row = (block.cell // (n_reads + 1)) * lengths.shape[1]
    flat[(row + tick)[~late]] = np.maximum(seconds[~late], 0.0)
    last = before.copy()  # when the last event of each stretch is
    last[some] = block.time[begin[some] + counts[some] - 1]
    lengths[block.first : block.first + n, start[1:] - 1] = np.maximum(mine - last.reshape(n, n_reads + 1)[:, :n_reads], 0.0)
    return tick


def by_tick(tick: Ints, index: Ints) -> tuple[Ints, Ints]:
    """(tick, index) of the events at ticks >= 0 in the order (tick, index), for indices that increase with the stimulus."""
    kept = np.flatnonzero(tick >= 0)
    tick, index = tick[kept], index[kept]
    if tick.size and tick.max() < 2**16:
        order = np.argsort(tick.astype(np.uint16), kind="stable")  # a radix sort
    else:
        order = np.argsort(tick, kind="stable")
    tick, index = tick[order], index[order]
    if np.any((np.diff(tick) == 0) & (np.diff(index) < 0)):
        order = np.lexsort((index, tick))
        tick, index = tick[order], index[order]
    return tick, index
