"""Tasks: which source fired? Families from easy to hard, each with its difficulty as arguments.

What distinguishes the classes, and what does not, stands in each docstring; `Task.says` has it in a line.
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from bioneuro import records
from bioneuro.learn.drawing import LABELS, field_of, fired, recorded, stream, template
from bioneuro.learn.sources import Source, SourceError, correlated, jittered, markov, one_rate, poisson
from bioneuro.protocol.table import check_count, hertz, second
from bioneuro.recording import Recording


@dataclass(frozen=True, kw_only=True)
class Task:
    """To tell from a sample which source it came from.

    Attributes:
        classes: sources; their numbers are the labels.
        duration, dt: of a sample and of its grid, seconds.
        says: what distinguishes the classes.
    """

    name: str
    classes: tuple[Source, ...]
    channels: int
    duration: float
    dt: float
    says: str

    def samples(self, n: int, seed: int) -> Recording:
        """`n` samples, drawn from the seed: population ``source``, condition ``label``.

        Every stretch of as many samples as there are classes holds each class once, in random order. So the labels are balanced, and the
        first k samples are the same however many follow.

        Raises:
            SourceError: a source does not fit the channels, the grid or the duration.
        """
        return _samples(self, n, seed)

    @property
    def digest(self) -> str:
        return records.digest(self)


def _samples(task: Task, n: int, seed: int) -> Recording:
    field = field_of(n, task.channels, task.duration, task.dt, seed)
    kinds = len(task.classes)
    labels = np.argsort(stream(seed, LABELS).random((-(-n // kinds), kinds)), axis=1).ravel()[:n]
    index, step = [], []
    for label, source in enumerate(task.classes):
        mine = np.flatnonzero(labels == label)
        if mine.size:
            each, at = fired(source, dataclasses.replace(field, samples=mine.size, group=label))
            sample, channel = np.divmod(each, task.channels)
            index.append(mine[sample] * task.channels + channel)
            step.append(at)
    return recorded(field, np.concatenate(index), np.concatenate(step), about=task, labels=labels)


def task(name: str, classes: Sequence[Source], *, channels: int, duration: Any = "1 s", dt: Any = "1 ms", says: str = "") -> Task:
    """A task of one's own: sources of which each is a class.

    Raises:
        SourceError: fewer than two classes, a class that is no source, or no whole number of steps in a sample. UnitError: a wrong unit.
    """
    end, step = second(duration, f"{name}: duration"), second(dt, f"{name}: dt")
    made = tuple(classes) if isinstance(classes, Iterable) else ()
    if odd := [one for one in made if not isinstance(one, Source)]:
        raise SourceError(f"{name}: {odd[0]!r:.60} is no source; make one with poisson, bernoulli, markov, ...")
    if len(made) < 2:
        raise SourceError(f"{name}: {len(made)} classes; give at least two")
    field_of(1, channels, end, step, 0)
    return Task(name=name, classes=made, channels=int(channels), duration=end, dt=step, says=says)


def rates(
    low: Any = "10 Hz", high: Any = "20 Hz", *, classes: int = 2, refractory: Any = "0 s", channels: int = 8, duration: Any = "1 s", dt: Any = "1 ms"
) -> Task:
    """Easy: Poisson channels, all of one rate, which differs by class: from `low` to `high` in equal steps.

    The number of spikes says everything there is to know (without a refractory period it is a sufficient statistic).
    """
    check_count(classes, "rates: classes")
    ends = [one_rate(rate, f"rates: {name}") for name, rate in (("low", low), ("high", high))]
    made = [poisson(f"{rate!r} Hz", refractory=refractory) for rate in np.linspace(ends[0], ends[1], classes).tolist()]
    return task("rates", made, channels=channels, duration=duration, dt=dt, says=f"{ends[0]:g} to {ends[1]:g} Hz")


def rhythm(
    rate: Any = "20 Hz",
    *,
    correlation: float | Sequence[float] = 0.5,
    refractory: Any = None,
    bin: Any = "1 ms",
    channels: int = 8,
    duration: Any = "1 s",
    dt: Any = "1 ms",
) -> Task:
    """Equal rate, other rhythm: class 0 is Poisson, then come Markov bursts of each `correlation`, and last, if given, a refractory train.

    The mean number of spikes is the same in all classes, and channels are independent. The spread of the number is not: its Fano factor
    is about (1 + c)/(1 - c) for Markov bursts and (1 - rate*refractory)^2 for refractory trains. So a threshold on the count says
    little and a pair of thresholds something. Intervals tell.

    Arguments:
        correlation: of neighbouring bins, one or many, each a class: 0 is no different from Poisson. Small is hard.
        refractory: the nearer to 1/rate, the more regular. Short is hard.
        bin: of the Markov chains.
    """
    hz, width = (float(hertz(rate, "rhythm: rate")[0]), second(bin, "rhythm: bin"))
    bursts = [markov(hz * width, c, bin) for c in np.atleast_1d(correlation).tolist()]
    regular = [] if refractory is None else [poisson(rate, refractory=refractory)]
    says = f"{hz:g} Hz: Poisson" + ", bursts" * bool(bursts) + ", regular" * bool(regular)
    return task("rhythm", [poisson(rate), *bursts, *regular], channels=channels, duration=duration, dt=dt, says=says)


def coincidence(rate: Any = "20 Hz", correlation: float = 0.3, *, channels: int = 8, duration: Any = "1 s", dt: Any = "1 ms") -> Task:
    """Every channel is Poisson of one rate in both classes; in class 1 they share spikes, in class 0 they are independent.

    Single channels are the same in law, so nothing that is read from each of them alone tells the classes, nor does the mean of the
    summed count. Its variance does, as do coincidences and the word over channels. Few shared spikes (small `correlation`) are hard.

    Raises:
        SourceError: one channel, which shares spikes with none.
    """
    check_count(channels, "coincidence: channels")
    if channels < 2:
        raise SourceError("coincidence: 1 channel has nobody to share spikes with; give at least two")
    made = [correlated(rate, 0.0), correlated(rate, correlation)]
    return task("coincidence", made, channels=channels, duration=duration, dt=dt, says=f"independent or correlated by {correlation:g}")


def order(
    rate: Any = "20 Hz", lag: Any = "5 ms", *, correlation: float = 0.5, channels: int = 8, duration: Any = "1 s", dt: Any = "1 ms"
) -> Task:
    """Two halves of the channels share spikes; the first half leads the second by `lag` in class 0, and follows it in class 1.

    Single channels are the same in law. The classes are one another's with the halves renamed. So whatever does not care which channel is
    which has the same law in both: all counts, coincidences, sums over channels, and the complexity of the word over channels, which counts
    phrases and not their names. What cares sees them: a delay on one half brings the shared spikes together in one of the classes only.

    Raises:
        SourceError: an odd number of channels.
    """
    check_count(channels, "order: channels")
    if channels % 2:
        raise SourceError(f"order: {channels} channels; give an even number, for two halves")
    late, half = second(lag, "order: lag"), channels // 2
    lags = ["0 s"] * half + [f"{late!r} s"] * half
    made = [correlated(rate, correlation, lags=each) for each in (lags, lags[::-1])]
    says = f"the first half leads or follows by {1000 * late:g} ms"
    return task("order", made, channels=channels, duration=duration, dt=dt, says=says)


def templates(
    classes: int = 2,
    jitter: Any = "5 ms",
    *,
    rate: Any = "10 Hz",
    deletion: float = 0.0,
    noise: Any = "0 Hz",
    seed: int = 0,
    channels: int = 8,
    duration: Any = "1 s",
    dt: Any = "1 ms",
) -> Task:
    """A random template per class and channel, jittered in each sample.

    Templates of all classes have the same number of spikes in each channel, so counts say nothing (but for spikes that fall on one step of
    one channel and are one there). The times tell, up to a jitter of about the interval between spikes.

    Arguments:
        seed: of the templates; another one is another task.
        jitter, deletion, noise: see `bioneuro.learn.jittered`. Large is hard.
    """
    check_count(classes, "templates: classes")
    made = [
        jittered(template(rate, channels=channels, duration=duration, seed=seed, number=k), jitter=jitter, deletion=deletion, noise=noise)
        for k in range(classes)
    ]
    says = f"{classes} templates, jitter {1000 * made[0].jitter:g} ms"
    return task("templates", made, channels=channels, duration=duration, dt=dt, says=says)


FAMILIES: Mapping[str, Callable[..., Task]] = MappingProxyType(
    {"rates": rates, "rhythm": rhythm, "coincidence": coincidence, "order": order, "templates": templates}
)
"""Name -> function that makes a task of the family; all have defaults."""
