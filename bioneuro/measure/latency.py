"""How long single calls take: percentiles of the time of each, one call after the other."""

import gc
import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bioneuro.measure.curves import MeasureError

PERCENTILES = (50, 90, 99)


@dataclass(frozen=True, kw_only=True)
class Latency:
    """Time of single calls in seconds.

    Attributes:
        p50, p90, p99: what so many percent of the calls did not exceed; each is the time of one of the calls.
        largest: of all calls.
        n: number of calls.
        empty: median of a call that does nothing, which is part of the times above.
        machine: processor, number of cores that the process may use, and the number of threads asked for by OMP_NUM_THREADS.
    """

    p50: float
    p90: float
    p99: float
    largest: float
    n: int
    empty: float
    machine: str

    def __str__(self) -> str:
        shown = ", ".join(f"{name} {1e6 * getattr(self, name):.4g} us" for name in ("p50", "p90", "p99", "largest"))
        return f"{shown} of {self.n} calls ({self.machine})"


def latency(
    function: Callable[[Any], Any],
    samples: Sequence[Any],
    *,
    warm: int = 100,
    repeats: int = 10,
    seed: int = 0,
    clock: Callable[[], int] = time.perf_counter_ns,
) -> Latency:
    """Percentiles of the time that ``function(sample)`` takes, call by call, with the garbage collector paused.

    Every sample is taken `repeats` times, in an order drawn from `seed`, after `warm` calls that are not timed. What a call returns is
    dropped within its time.

    Arguments:
        clock: nanoseconds; by default those that pass. ``time.thread_time_ns`` counts those in which this thread had the processor, which is what
            the call would take on a machine that has nothing else to do.

    >>> latency(sorted, [[3, 1, 2], [2, 1]], warm=1, repeats=50).n
    100

    Raises `MeasureError` for fewer than 100 calls, of which there is no 99th percentile, and for what is no number of calls or seed.
    """
    for name, value in (("warm", warm), ("repeats", repeats), ("seed", seed)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 0:
            raise MeasureError(f"latency: {name}: {value!r}; give a whole number from 0 on")
    if not len(samples) or repeats < 1 or len(samples) * repeats < 100:
        raise MeasureError(
            f"latency: {len(samples)} samples x {repeats} repeats, {warm} warm calls; give at least 100 calls in all, such as "
            f"repeats={-(-100 // max(len(samples), 1))}"
        )
    rng = np.random.default_rng(seed)
    order = np.concatenate([rng.permutation(len(samples)) for _ in range(repeats)]).tolist()
    enabled = gc.isenabled()
    gc.disable()
    try:
        for k in range(warm):
            function(samples[order[k % len(order)]])
        empty = _times(_nothing, samples, order[:1000], clock)
        taken = _times(function, samples, order, clock)
    finally:
        if enabled:
            gc.enable()
    p50, p90, p99 = (float(np.percentile(taken, q, method="inverted_cdf")) * 1e-9 for q in PERCENTILES)
    return Latency(
        p50=p50, p90=p90, p99=p99, largest=float(taken.max()) * 1e-9, n=int(taken.size), empty=float(np.median(empty)) * 1e-9, machine=machine()
    )


def _nothing(sample: Any) -> None:
    pass


def _times(function: Callable[[Any], Any], samples: Sequence[Any], order: Sequence[int], clock: Callable[[], int]) -> NDArray[np.int64]:
    taken = np.empty(len(order), np.int64)
    for n, k in enumerate(order):
        sample = samples[k]
        begin = clock()
        function(sample)
        taken[n] = clock() - begin
    return taken


def machine() -> str:
    """The processor, and how much of it this process may use."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{_processor()}, {allowed} of {os.cpu_count()} cores, OMP_NUM_THREADS {os.environ.get('OMP_NUM_THREADS', 'not set')}"


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()
