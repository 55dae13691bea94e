"""Patterns in which every afferent fires once: random ones, and copies with shifted spikes."""

from dataclasses import replace
from typing import Any

import numpy as np

from bioneuro import measure, units
from bioneuro.learn.linear import LearnError
from bioneuro.protocol import Coordinate
from bioneuro.recording import Recording, train


def latencies(samples: int, *, afferents: int, duration: Any = "500 ms", dt: Any = "1 ms", seed: int) -> Recording:
    """Random latency patterns: every afferent of "source" fires once, at any step alike; label 0 or 1, each as likely.

    What Gütig & Sompolinsky (2006) measured the tempotron's capacity with. Sample k hangs on (seed, k) and the number of afferents alone.

    Raises:
        LearnError: no sample, afferent, step or seed. UnitError: a wrong unit.
    """
    _check_seed(seed, "latencies")
    for name, count in (("samples", samples), ("afferents", afferents)):
        if isinstance(count, bool) or not isinstance(count, int | np.integer):
            raise LearnError(f"latencies: {name}: {count!r}; give a whole number, at least 1")
    end, step = (float(units.in_unit(value, "second", f"latencies: {name}")) for name, value in (("duration", duration), ("dt", dt)))
    steps = round(end / step) if step > 0 else 0
    if samples < 1 or afferents < 1 or not 1 <= steps < 2**53:
        raise LearnError(f"latencies: {samples} samples of {afferents} afferents and {steps} steps; give at least one of each")
    drawn = [np.random.default_rng([seed, k]) for k in range(samples)]
    labels = np.array([rng.integers(2) for rng in drawn], float)
    when = np.array([rng.integers(steps, size=afferents) for rng in drawn])
    source = train(when.ravel(), np.arange(when.size), n_trials=samples, size=afferents, dt=step)
    return measure.observed(spikes={"source": source}, stop=f"{end!r} s", conditions={"label": Coordinate(values=labels)})


def shifted(samples: Recording, spread: Any, *, seed: int) -> Recording:
    """Copies in which every spike comes earlier or later by a normal number of standard deviation `spread`, on the same steps.

    A spike that would leave the sample stays at its edge; spikes of one afferent may meet in a step and then count twice.

    Raises:
        LearnError: a negative spread, or no seed. UnitError: a wrong unit.
    """
    _check_seed(seed, "shifted")
    width = float(units.in_unit(spread, "second", "shifted: spread"))
    if width < 0:
        raise LearnError(f"shifted: spread {width} s is negative; give a standard deviation from 0 s on")
    moved = {}
    for number, (name, fired) in enumerate(samples.spikes.items()):
        shift = np.random.default_rng([seed, number]).normal(0.0, width / fired.dt, fired.steps.size)
        last = measure.spikes.n_steps(samples, name) - 1
        steps = np.clip(np.rint(fired.steps + shift), 0, last).astype(np.int64)
        row = np.repeat(np.arange(fired.offsets.size - 1), np.diff(fired.offsets))
        moved[name] = train(steps, row, n_trials=samples.n_trials, size=fired.size, dt=fired.dt)
    return replace(samples, spikes=moved)


def _check_seed(seed: Any, place: str) -> None:
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise LearnError(f"{place}: seed {seed!r}; give a whole number from 0 on")
