"""The tempotron rule: a neuron learns to fire once to some samples of spikes and to stay silent to the others.

Gütig R, Sompolinsky H (2006) The tempotron: a neuron that learns spike timing-based decisions. Nat Neurosci 9:420, doi 10.1038/nn1643.

The potential without a threshold is the sum of w_i K(t - t_i) over all spikes, and t_max is where it is highest. A sample of label 1 needs a
highest potential above the threshold, one of label 0 none. On an error each weight changes by +-rate*sum of K(t_max - t_i) over the spikes of
its afferent before t_max, which is the gradient of the highest potential, plus `momentum` times the change at the error before.

K is no formula here: it is what the circuit's own equations answer to one spike on the samples' clock (`linear.below`), so any neuron that is linear
below its threshold learns. On that clock the potentials are those of the simulated neuron but for rounding.
"""

import ctypes
import enum
import functools
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.ctypeslib import ndpointer
from numpy.typing import NDArray
from tqdm import tqdm

from bioneuro import measure, native
from bioneuro.learn.linear import Below, Floats, Integers, LearnError, below
from bioneuro.model import Circuit
from bioneuro.recording import Recording

TIE = 1e-9
"""A highest potential as close to the threshold as that, in units of K's peak, is a tie: another order of sums might decide otherwise."""

BLOCK = 16  # spare places that tempotron.cpp asks for
SLICE = 0.1  # s between two looks at the keyboard


@dataclass(frozen=True, kw_only=True, eq=False)
class Potential:
    """The potential without a threshold where it is highest.

    Attributes:
        highest: shape (sample,). step: where it is, the first step if several are equal; shape (sample,).
        threshold: above it the neuron fires. tie: how close to it is a tie.
    """

    highest: Floats
    step: Integers
    threshold: float
    tie: float

    @property
    def margin(self) -> Floats:
        """Distance from the threshold, positive where the neuron fires."""
        return self.highest - self.threshold

    @property
    def fires(self) -> NDArray[np.bool_]:
        return self.highest > self.threshold

    @property
    def ties(self) -> Integers:
        """Samples that rounding could decide."""
        return np.flatnonzero(np.abs(self.margin) <= self.tie)


class Ended(enum.Enum):
    """How learning ended, and what to do about it."""

    LEARNED = "every sample is right"
    EPOCHS = "all epochs were used and some samples are wrong: give more epochs or more afferents, or fewer samples"
    INTERRUPTED = "interrupted by the user; call train again with Trained.circuit to go on"


@dataclass(frozen=True, kw_only=True, eq=False)
class Trained:
    """What was learned.

    Attributes:
        circuit: the circuit with the last weights.
        errors: errors made in each epoch, while the weights changed; shape (epoch,).
        ended: how it ended.
    """

    circuit: Circuit
    errors: Integers
    ended: Ended

    @property
    def learned(self) -> bool:
        return self.ended is Ended.LEARNED

    @property
    def epochs(self) -> int:
        """Epochs made; the last one of a success is without an error."""
        return int(self.errors.size)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Task:
    """A neuron and samples as arrays; `common` is what every compiled function begins with."""

    below: Below
    offsets: Integers
    spikes: Integers
    pairs: Integers
    weights: Floats

    @property
    def samples(self) -> int:
        return self.offsets.size - 1

    @property
    def common(self) -> tuple[Any, ...]:
        steps = self.below.kernel.size
        kernel = np.concatenate([np.zeros(steps + BLOCK), self.below.kernel, np.zeros(BLOCK)])
        return kernel, np.pad(self.below.rest, (0, BLOCK)), steps, self.offsets, self.spikes, self.pairs, self.samples


def _task(circuit: Circuit, samples: Recording) -> _Task:
    """The spikes of each sample in order of time, then of pairs."""
    port = next((p.name for p in circuit.populations if p.neuron is None), "")
    source = measure.spikes.train_of(samples, port)
    found = below(circuit, dt=source.dt, steps=measure.spikes.n_steps(samples, port))
    n = found.afferents.size
    if found.afferents.max() >= source.size:
        raise LearnError(f"{circuit.name}: samples have {source.size} units of {port!r}, the circuit has afferents up to {found.afferents.max()}")
    rows = (np.arange(samples.n_trials)[:, None] * source.size + found.afferents).ravel()
    counts = np.diff(source.offsets)[rows]
    first = np.cumsum(counts) - counts
    steps = source.steps[np.arange(counts.sum()) + np.repeat(source.offsets[rows] - first, counts)]
    sample, pair = np.divmod(np.repeat(np.arange(rows.size), counts), n)
    acts = steps < found.kernel.size  # a spike at the very end acts on nothing
    order = np.flatnonzero(acts)[np.lexsort((pair[acts], steps[acts], sample[acts]))]
    offsets = np.concatenate([[0], np.cumsum(np.bincount(sample[order], minlength=samples.n_trials))])
    weights = np.array(np.broadcast_to(circuit.values[found.weights].value, (n,)))
    return _Task(below=found, offsets=offsets, spikes=steps[order], pairs=pair[order], weights=weights)


@functools.cache
def _compiled() -> ctypes.CDLL:
    """The functions of tempotron.cpp."""
    made = native.library(Path(__file__).with_suffix(".cpp"))
    reals, whole, bytes_ = (ndpointer(kind, flags="C_CONTIGUOUS") for kind in (np.float64, np.int64, np.int8))
    n, x = ctypes.c_int64, ctypes.c_double
    common: list[Any] = [reals, reals, n, whole, whole, whole, n]
    made.potentials.argtypes = [*common, reals, reals, whole]
    made.responses.argtypes = [*common, n, whole, reals]
    made.epochs_of.argtypes = [*common, bytes_, x, whole, n, x, x, n, reals, reals, whole]
    made.potentials.restype = made.responses.restype = None
    made.epochs_of.restype = n
    return made


def potential(circuit: Circuit, samples: Recording) -> Potential:
    """Where the potential of the neuron is highest in each sample, and how far from the threshold: without the spike that it makes there.

    Raises:
        LearnError, MeasureError: as `train`.
    """
    return _potential(_task(circuit, samples))


def _potential(task: _Task) -> Potential:
    top, at = np.empty(task.samples), np.empty(task.samples, np.int64)
    _compiled().potentials(*task.common, task.weights, top, at)
    tie = TIE * float(np.abs(task.below.kernel).max())
    return Potential(highest=top, step=at, threshold=task.below.threshold, tie=tie)


def accuracy(circuit: Circuit, samples: Recording) -> float:
    """Share of the samples that the neuron tells right. Raises LearnError, MeasureError: as `train`."""
    return float(np.mean(_potential(_task(circuit, samples)).fires == (_labels(samples) > 0)))


def responses(circuit: Circuit, samples: Recording, steps: Integers) -> Floats:
    """The gradient of each sample's potential at a step of its own in the weights, shape (sample, pair)."""
    task = _task(circuit, samples)
    if np.shape(steps) != (task.samples,) or np.asarray(steps).dtype.kind not in "iu" or np.min(steps) < 0 or np.max(steps) >= task.below.kernel.size:
        last, given = task.below.kernel.size - 1, f"shape {np.shape(steps)} and type {np.asarray(steps).dtype}"
        raise LearnError(f"responses: steps of {given}; give a whole one from 0 to {last} for each of {task.samples} samples")
    x = np.zeros((task.samples, task.weights.size))
    _compiled().responses(*task.common, task.weights.size, np.ascontiguousarray(steps, np.int64), x)
    return x


def train(
    circuit: Circuit,
    samples: Recording,
    *,
    rate: float,
    momentum: float = 0.0,
    epochs: int = 1000,
    seed: int,
    progress: bool | None = None,
) -> Trained:
    """Learn the weights of the projection from samples with labels 0 (silent) and 1 (one spike), from the circuit's own weights on.

    Every epoch shows all samples in a random order and changes the weights after each error. Learning ends with the first epoch without an
    error. Ctrl-C ends it and keeps what was learned.

    Arguments:
        circuit: one port, one neuron, one projection, such as `catalogue.guetig2006.neuron_with`.
        samples: spikes of the port in every trial, on steps of the clock that the neuron is to run on; their end is the last reading;
            ``conditions["label"]`` holds 0 and 1.
        rate: size of a change. `theory.tempotron.rate` has the paper's. momentum: share of the last change in the next (the paper's: 0.99).
        epochs: how many at most. seed: of the orders.
        progress: show a progress bar; by default on a terminal.

    Raises:
        LearnError: labels other than 0 and 1; a rate, momentum, number of epochs or seed out of range; or as `below` raises.
        MeasureError: the samples have no spikes of the port. CompileError: there is no C++ compiler.
    """
    for name, value, least, most in (("epochs", epochs, 1, 10**9), ("seed", seed, 0, 2**63 - 1)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or not least <= value <= most:
            raise LearnError(f"train: {name}: {value!r}; give a whole number from {least} to {most}")
    numbers = all(isinstance(value, int | float | np.number) for value in (rate, momentum))
    if not numbers or not (np.isfinite(rate) and rate > 0 and 0 <= momentum < 1):
        raise LearnError(f"train: rate {rate}, momentum {momentum}; give numbers, rate > 0 and 0 <= momentum < 1")
    task, labels = _task(circuit, samples), _labels(samples)
    if not task.weights.any():
        raise LearnError(f"train: all weights {task.below.weights!r} are 0, so no time has the highest potential; begin with small random ones")
    errors = np.full(epochs, -1, np.int64)
    change, common = np.zeros(task.weights.size), task.common
    random, done, several, ended = np.random.default_rng(seed), 0, 1, Ended.EPOCHS
    shown = tqdm(total=epochs, desc="tempotron", unit=" epochs", leave=False, file=sys.stderr,
                 disable=not (sys.stderr.isatty() if progress is None else progress))  # fmt: skip
    with shown:
        try:
            while done < epochs and errors[max(done - 1, 0)]:
                several = min(several, epochs - done)
                order = np.stack([random.permutation(task.samples) for _ in range(several)])
                begun = time.perf_counter()
                _compiled().epochs_of(*common, labels, task.below.threshold, order, several, rate, momentum, change.size, task.weights, change,
                                      errors[done : done + several])  # fmt: skip
                done = int(np.count_nonzero(errors >= 0))
                shown.update(done - shown.n)
                spent = time.perf_counter() - begun
                several = 2 * several if spent < SLICE / 2 else max(1, int(several * SLICE / max(spent, SLICE)))
        except KeyboardInterrupt:
            ended = Ended.INTERRUPTED
    errors = errors[errors >= 0]
    ended = Ended.LEARNED if errors.size and not errors[-1] else ended
    path = task.below.weights
    learned = replace(circuit.values[path], value=task.weights)
    return Trained(circuit=circuit.with_values({path: learned}), errors=errors, ended=ended)


def _labels(samples: Recording) -> NDArray[np.int8]:
    if "label" not in samples.conditions:
        raise LearnError("train: the samples have no label; give conditions={'label': Coordinate(values=...)} with 0 and 1")
    values = samples.conditions["label"].values
    if not np.isin(values, (0, 1)).all():
        raise LearnError(f"train: labels {np.unique(values)[:6]}; a tempotron tells two classes, 0 and 1: train one for each class")
    return np.where(values == 1, 1, -1).astype(np.int8)
