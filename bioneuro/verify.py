"""verify: do two recordings agree? It compares detached recordings and calls no engine."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bioneuro.recording import Recording, Train

TIE = 1e-12
"""A neuron closer to threshold than this (relative) may spike in one engine and not in the other: exp rounds differently there."""


class VerifyError(ValueError):
    """Two recordings cannot be compared."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One comparison: largest difference, what is allowed, and where the largest difference is."""

    quantity: str
    difference: float
    allowed: float
    where: str = ""

    @property
    def ok(self) -> bool:
        return bool(self.difference <= self.allowed)


@dataclass(frozen=True, kw_only=True)
class Divergence:
    """The first spike that only one recording has.

    Attributes:
        margin: relative distance from threshold there; infinite if it is more than the twin notes (1e-9), NaN without a twin's notes.
    """

    population: str
    trial: int
    unit: int
    step: int
    margin: float

    @property
    def tie(self) -> bool:
        return bool(self.margin <= TIE)

    def __str__(self) -> str:
        known = "over 1e-09 of its scale" if np.isinf(self.margin) else f"{self.margin:.1e} of its scale"
        margin = "unknown: run the twin to learn it" if np.isnan(self.margin) else known
        return f"{self.population} trial {self.trial} unit {self.unit} step {self.step}, threshold margin {margin}"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Whether two recordings agree; true in a condition if they do.

    Attributes:
        rows: one per compared quantity.
        first: the first divergent spike that is not a tie.
        ties: first divergences per trial with a threshold margin under 1e-12: the trial is compared up to there.
    """

    rows: tuple[Row, ...]
    first: Divergence | None = None
    ties: tuple[Divergence, ...] = ()

    @property
    def ok(self) -> bool:
        return self.first is None and all(row.ok for row in self.rows)

    def __bool__(self) -> bool:
        return self.ok

    def __str__(self) -> str:
        width = max(len(row.quantity) for row in self.rows)
        lines = ["agree" if self.ok else "DISAGREE"]
        for row in self.rows:
            mark = "ok " if row.ok else "NOT"
            lines.append(f"  {mark} {row.quantity:<{width}}  largest difference {row.difference:.3g}, allowed {row.allowed:.3g} {row.where}")
        if self.first:
            lines.append(f"  first divergence: {self.first}")
        return "\n".join(lines + [f"  tie: {tie}" for tie in self.ties])


def verify(recording: Recording, against: Recording, tolerance: float = 1e-9) -> Verdict:
    """Compare `recording` with `against`: the same spikes, and traces within `tolerance` of each trace's largest value.

    Raises:
        VerifyError: they have no common trace or population, different trials, or one still carries gradients.
    """
    _check(recording, against)
    cut, divergences = _first_divergences(recording, against)
    rows = [_spike_row(name, recording, against, cut) for name in sorted(set(recording.spikes) & set(against.spikes))]
    rows += [_trace_row(path, recording, against, cut, tolerance) for path in sorted(set(recording.traces) & set(against.traces))]
    real = [d for d in divergences if not d.tie]
    return Verdict(
        rows=tuple(rows), first=min(real, key=lambda d: d.step) if real else None, ties=tuple(d for d in divergences if d.tie)
    )


def _check(a: Recording, b: Recording) -> None:
    for r in (a, b):
        if any(hasattr(v, "detach") for v in r.traces.values()):
            raise VerifyError("verify compares NumPy recordings; call .detached() on the one from the twin")
    if a.n_trials != b.n_trials or a.times.shape != b.times.shape:
        raise VerifyError(f"verify: {a.times.shape} and {b.times.shape} trials x readings; compare recordings of one protocol")
    if not np.allclose(a.times, b.times, rtol=1e-9, atol=1e-9):
        raise VerifyError(f"verify: reading times differ by up to {np.abs(a.times - b.times).max():.3g} s; compare recordings of one protocol")
    for name in set(a.spikes) & set(b.spikes):
        one, two = a.spikes[name], b.spikes[name]
        if one.size != two.size or one.dt != two.dt:
            raise VerifyError(
                f"verify: {name!r} has {one.size} units and steps of {one.dt} s in one recording, {two.size} units and {two.dt} s in the "
                "other; compare recordings of one circuit and one clock"
            )
    if not (set(a.traces) & set(b.traces) or set(a.spikes) & set(b.spikes)):
        raise VerifyError(f"verify: nothing in common: {sorted(a.traces)} and {sorted(b.traces)}")


def _labels(train: Train) -> NDArray[np.int64]:
    """Spikes as rows (step, trial*size + unit), sorted."""
    element = np.repeat(np.arange(train.offsets.size - 1), np.diff(train.offsets))
    return np.stack([train.steps, element], axis=1)


def _differing(a: Train, b: Train) -> NDArray[np.int64]:
    one, two = _labels(a), _labels(b)
    n = max(one[:, 1].max(initial=0), two[:, 1].max(initial=0)) + 1
    only = np.setxor1d(one[:, 0] * n + one[:, 1], two[:, 0] * n + two[:, 1])
    return np.stack(np.divmod(only, n), axis=1)


def _first_divergences(a: Recording, b: Recording) -> tuple[NDArray[np.float64], list[Divergence]]:
    """Time until which each trial is compared (infinite without a tie), and the first divergence of each trial."""
    first: dict[int, Divergence] = {}
    cut = np.full(a.n_trials, np.inf)
    for name in sorted(set(a.spikes) & set(b.spikes)):
        size = a.spikes[name].size
        for step, element in _differing(a.spikes[name], b.spikes[name]):
            trial, unit = divmod(int(element), size)
            if trial in first and step > first[trial].step:
                continue
            margins = [_margin(r, name, int(step), int(element)) for r in (a, b) if name in r.close]
            new = Divergence(population=name, trial=trial, unit=unit, step=int(step), margin=min(margins, default=np.nan))
            # What diverges in the step of a tie does not follow from it.
            if trial not in first or step < first[trial].step or (first[trial].tie and not new.tie):
                first[trial] = new
                cut[trial] = step * a.spikes[name].dt if new.tie else np.inf
    return cut, list(first.values())


def _margin(recording: Recording, name: str, step: int, element: int) -> float:
    steps, elements, margins = recording.close[name]
    hit = (steps == step) & (elements == element)
    return float(margins[hit][0]) if hit.any() else np.inf


def _spike_row(name: str, a: Recording, b: Recording, cut: NDArray[np.float64]) -> Row:
    differing = _differing(a.spikes[name], b.spikes[name])
    size, dt = a.spikes[name].size, a.spikes[name].dt
    counted = differing[:, 0] * dt < cut[differing[:, 1] // size]
    total = a.spikes[name].steps.size
    return Row(quantity=f"{name} spikes", difference=float(counted.sum()), allowed=0.0, where=f"of {total}")


def _trace_row(path: str, a: Recording, b: Recording, cut: NDArray[np.float64], tolerance: float) -> Row:
    one, two = np.asarray(a[path], float), np.asarray(b[path], float)
    if one.shape != two.shape:
        raise VerifyError(f"verify: {path} has shapes {one.shape} and {two.shape}; compare recordings of one circuit")
    sound = np.isfinite(one) & np.isfinite(two)
    scale = float(np.abs(two).max(initial=0.0, where=sound)) or 1.0
    valid = (a.times < cut[:, None])[:, :, None]
    distance = np.abs(np.where(sound, one, np.inf) - np.where(sound, two, 0.0)) / scale
    difference = np.where(valid, distance, 0.0)
    trial, time, unit = (int(k) for k in np.unravel_index(int(difference.argmax()), difference.shape))
    return Row(
        quantity=path, difference=float(difference.max()), allowed=tolerance, where=f"(trial {trial}, reading {time}, unit {unit})"
    )
