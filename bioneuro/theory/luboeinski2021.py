"""Closed forms of calcium-based plasticity with synaptic tagging and capture.

References:
    Luboeinski & Tetzlaff 2021, Commun Biol 4:275, doi 10.1038/s42003-021-01778-y, Methods. The calcium part is that
    of Graupner & Brunel 2012, PNAS 109:3991, doi 10.1073/pnas.1109359109.

    Ca' = -Ca/tau_Ca + Cpre at pre + delay + Cpost at post
    h'  = leak (h0 - h) + [gamma_p (h_max - h) H(Ca - theta_p) - gamma_d h H(Ca - theta_d)]/tau_h + noise
    p'  = [alpha H(sum of |h - h0| - theta_pro) - p]/tau_p
    z'  = p [(1 - z) H(h - h0 - theta_tag) - (z + 0.5) H(h0 - h - theta_tag)]/tau_z

Legend:
    Ca          calcium, dimensionless; tau_Ca, delay in s; Cpre, Cpost jumps; theta_p, theta_d thresholds
    h, h0       early phase and its rest, in any one unit, such as V or h0 itself; h_max the ceiling of potentiation
    leak        rate of h back to h0, 1/s: the 0.1/tau_h of the paper
    gamma_p/d   strengths of potentiation and depression, dimensionless; tau_h their time, s
    sigma       the paper's sigma_pl; noise = sigma sqrt([H(Ca - theta_p) + H(Ca - theta_d)]/tau_h) xi
    theta_tag   |h - h0| above which a synapse carries a tag; theta_pro the sum of them above which protein is made
    p, alpha    protein of the neuron and where it goes while it is made; tau_p in s
    z, end      late phase, and where it goes while tagged: 1 for potentiation, -0.5 for depression; tau_z in s
    dose        integral of p over time, s. While a tag lasts, end - z shrinks by exp(-dose/tau_z), whatever the
                course of p: every closed form of z below is this sentence.

Times in s. Functions broadcast over their arguments unless they say otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import exprel

from bioneuro.theory.calcium import Array, Real, positive, train_stays

__all__ = [
    "Steps", "Window", "above", "calcium", "captured", "crossings", "early_moments", "early_phase", "late_after_capture",
    "late_phase", "protein", "protein_course", "protein_dose", "synthesis_duration", "tag_duration", "two_pathways",
]

Window = tuple[float, float]
"""From when until when something lasts, s."""

Steps = Sequence[tuple[float, float]]
"""A pathway: (time of a train in s, its |h - h0| right after that train, once calcium is below both thresholds).

Calcium outlasts a train by some 0.1 s, in which h still falls: after the strong tetanus by some 4 % of h0.
"""

# Late phase ----------------------------------------------------------------------------------------------------------


def protein(t: ArrayLike, *, tau_p: Real, alpha: Real = 1.0, p0: Real = 0.0) -> Array:
    """Protein p after t seconds of synthesis, from p0: alpha + (p0 - alpha) exp(-t/tau_p)."""
    return protein_course(t, np.inf, tau_p=tau_p, alpha=alpha, p0=p0)


def late_phase(
    t: ArrayLike, *, tau_p: Real, tau_z: Real, alpha: Real = 1.0, p0: Real = 0.0, z0: Real = 0.0, end: Real = 1.0
) -> Array:
    """Late phase z after t seconds under a tag and under synthesis, from p0 and z0.

    With tau_p = tau_z = tau and p0 = z0 = 0 it is 1 - exp(-(t/tau - 1 + exp(-t/tau))).

    Example:
        >>> round(float(late_phase(3600, tau_p=3600, tau_z=3600)), 4)
        0.3078
    """
    return late_after_capture(0.0, t, np.inf, tau_p=tau_p, tau_z=tau_z, alpha=alpha, p0=p0, z0=z0, end=end)


def protein_course(t: ArrayLike, on_until: ArrayLike, *, tau_p: Real, alpha: Real = 1.0, p0: Real = 0.0) -> Array:
    """Protein p at t: made from time 0, when it is p0, until `on_until` (inf: for ever), then lost. Before 0: p0."""
    positive(tau_p=tau_p)
    made, lost = _made_and_lost(t, on_until)
    return np.asarray((alpha + (p0 - alpha) * np.exp(-made / tau_p)) * np.exp(-lost / tau_p))


def protein_dose(t: ArrayLike, on_until: ArrayLike, *, tau_p: Real, alpha: Real = 1.0, p0: Real = 0.0) -> Array:
    """Integral of `protein_course` from 0 to t, s; 0 before 0. From p0 = 0 it tends to alpha on_until."""
    positive(tau_p=tau_p)
    made, lost = _made_and_lost(t, on_until)
    reached = alpha + (p0 - alpha) * np.exp(-made / tau_p)
    return np.asarray(alpha * made - (p0 - alpha) * tau_p * np.expm1(-made / tau_p) - reached * tau_p * np.expm1(-lost / tau_p))


def _made_and_lost(t: ArrayLike, on_until: ArrayLike) -> tuple[Array, Array]:
    """How long until t protein has been made, and how long since it has not been."""
    now, stop = np.broadcast_arrays(np.maximum(np.asarray(t, float), 0), np.maximum(np.asarray(on_until, float), 0))
    return np.minimum(now, stop), np.subtract(now, stop, out=np.zeros(now.shape), where=now > stop)


def late_after_capture(
    tagged_from: ArrayLike, tagged_until: ArrayLike, on_until: ArrayLike, *, tau_p: Real, tau_z: Real, alpha: Real = 1.0,
    p0: Real = 0.0, z0: Real = 0.0, end: Real = 1.0,
) -> Array:  # fmt: skip
    """Late phase z after a tag of one synapse, while protein follows `protein_course`; a tag of no length leaves z0."""
    positive(tau_z=tau_z)
    begin, until = np.asarray(tagged_from, float), np.asarray(tagged_until, float)
    dose = protein_dose(np.maximum(begin, until), on_until, tau_p=tau_p, alpha=alpha, p0=p0)
    dose = dose - protein_dose(begin, on_until, tau_p=tau_p, alpha=alpha, p0=p0)
    return np.asarray(end + (z0 - end) * np.exp(-dose / tau_z))


def captured(
    t: ArrayLike, tagged: Sequence[Window], on: Sequence[Window], *, tau_p: float, tau_z: float, alpha: float = 1.0,
    z0: float = 0.0, end: float = 1.0,
) -> Array:  # fmt: skip
    """Late phase z at t (...), for any windows of tag and of synthesis, with no protein at first; t = inf: when all is over.

    p is linear in its synthesis, so windows of synthesis add up. Every tag must pull towards the same `end`.
    """
    positive(tau_z=tau_z)
    now = np.asarray(t, float)

    def dose(until: Array) -> Array:
        parts = [protein_dose(until - begin, stop - begin, tau_p=tau_p, alpha=alpha) for begin, stop in on]
        return np.sum(parts, axis=0) if parts else np.zeros(until.shape)

    total = np.zeros(now.shape)
    for begin, stop in tagged:
        total = total + dose(np.clip(now, begin, stop)) - dose(np.full(now.shape, begin))
    return np.asarray(end + (z0 - end) * np.exp(-total / tau_z))


# Quiet relaxation ----------------------------------------------------------------------------------------------------


def tag_duration(h: ArrayLike, *, h0: Real, theta_tag: Real, leak: Real) -> Array:
    """How long a tag lasts without further input, s: ln(|h - h0|/theta_tag)/leak, or 0 where there is none."""
    return synthesis_duration(np.abs(np.asarray(h, float) - h0), theta_pro=theta_tag, leak=leak)


def synthesis_duration(total: ArrayLike, *, theta_pro: Real, leak: Real) -> Array:
    """How long protein is made without further input, s, from the sum of |h - h0| over synapses: it decays like each of them."""
    positive(theta_pro=theta_pro, leak=leak)
    return np.asarray(np.log(np.maximum(np.asarray(total, float) / theta_pro, 1.0)) / leak)


def above(pathways: Sequence[Steps], level: float, *, leak: float) -> tuple[Window, ...]:
    """When the sum of |h - h0| over pathways exceeds `level`: of one, its tags; of all of a neuron, its synthesis.

    A pathway is at rest before its first train; a train takes it at once to the value given, and from there it
    relaxes with `leak`. So the sum decays exponentially between trains, and the windows are closed form.
    """
    if any(distance < 0 for steps in pathways for _, distance in steps):
        raise ValueError(f"theory.pathways: {pathways!r} holds a negative distance. Give |h - h0|, at least 0.")
    times = sorted({time for steps in pathways for time, _ in steps})
    found: list[Window] = []
    for begin, following in zip(times, [*times[1:], np.inf], strict=True):
        total = sum(_distance(steps, begin, leak) for steps in pathways)
        stop = min(begin + float(synthesis_duration(total, theta_pro=level, leak=leak)), following)
        if stop > begin:
            joined = bool(found) and found[-1][1] == begin
            found[-1 if joined else len(found) :] = [(found[-1][0] if joined else begin, stop)]
    return tuple(found)


def _distance(steps: Steps, t: float, leak: float) -> float:
    """|h - h0| of a pathway at t, right after a train if there is one at t."""
    past = sorted((step for step in steps if step[0] <= t), key=lambda step: step[0])
    return past[-1][1] * float(np.exp(-leak * (t - past[-1][0]))) if past else 0.0


def two_pathways(
    delay: ArrayLike, strong: Steps, weak: ArrayLike, *, theta_tag: float, theta_pro: float, leak: float, tau_p: float,
    tau_z: float, alpha: float = 1.0, end: float = 1.0,
) -> Array:  # fmt: skip
    """Late phase z, in the end, of a weakly tetanised pathway that shares its neuron with a strongly tetanised one.

    Arguments:
        delay: start of the weak tetanus minus start of the strong one, s (...): negative is weak before strong.
        strong: its trains (see `Steps`), times from the start of the first. Distances and thresholds share one unit.
        weak: |h - h0| right after the weak tetanus (...).
        the others: see the legend of this module.

    What is simplified: a train takes no time; its effect does not depend on what came before, so |h - h0| right
    after each train is given (for trains 600 s apart three values, not the last one alone, since the first already
    starts the synthesis); without noise, so a mean goes in and the result is not the mean over trials. Exact from
    there on: tag of the weak pathway, synthesis from the sum of both pathways, p, dose, z.
    """

    def one(delay: float, weak: float) -> float:
        steps = ((float(delay), float(weak)),)
        on = above((strong, steps), theta_pro, leak=leak)
        return float(captured(np.inf, above((steps,), theta_tag, leak=leak), on, tau_p=tau_p, tau_z=tau_z, alpha=alpha, end=end))

    return np.asarray(np.vectorize(one, otypes=[float])(delay, weak))


# Calcium and early phase ---------------------------------------------------------------------------------------------


def calcium(t: ArrayLike, pre: ArrayLike, post: ArrayLike, *, tau_Ca: float, Cpre: float, Cpost: float, delay: float) -> Array:
    """Calcium at t (...), just after a jump that falls on t, from none; pre and post are spike times (spikes,)."""
    positive(tau_Ca=tau_Ca)
    times, sizes = _jumps(pre, post, Cpre, Cpost, delay)
    age = np.asarray(t, float)[..., None] - times
    return np.asarray(np.sum(np.where(age >= 0, sizes * np.exp(-np.maximum(age, 0) / tau_Ca), 0.0), axis=-1))


def crossings(
    pre: ArrayLike, post: ArrayLike, level: float, *, tau_Ca: float, Cpre: float, Cpost: float, delay: float
) -> tuple[Array, Array]:
    """Times at which calcium crosses `level`, upwards and downwards, in order; one train (spikes,), jumps at least 0.

    Up it goes at jumps only; down it goes at tau_Ca ln(Ca/level) after the last jump.
    """
    jumps, sizes = _jumps(pre, post, Cpre, Cpost, delay)
    if np.any(sizes < 0):
        raise ValueError(f"theory.Cpre, Cpost: {Cpre!r}, {Cpost!r}; calcium that jumps down is not covered. Give jumps >= 0.")
    real = np.isfinite(jumps)
    times, which = np.unique(jumps[real], return_inverse=True)  # jumps at one time are one
    sizes = np.bincount(which, sizes[real]).astype(float)
    if not times.size:
        return times, times
    stay = train_stays(times, sizes, theta_d=level, theta_p=level, tau_Ca=tau_Ca).both
    falls = stay < np.append(np.diff(times), np.inf)
    was_above = np.append(False, ~falls[:-1])
    return times[(stay > 0) & ~was_above], (times + stay)[falls & ((stay > 0) | was_above)]


def _jumps(pre: ArrayLike, post: ArrayLike, Cpre: Real, Cpost: Real, delay: Real) -> tuple[Array, Array]:
    """Times and sizes of calcium jumps (..., jumps), pre spikes first. Spikes at inf are padding: they get size 0."""
    before, after = np.asarray(pre, float), np.asarray(post, float)
    times = (before + np.asarray(delay, float)[..., None], after)
    sizes = (np.asarray(Cpre, float)[..., None], np.asarray(Cpost, float)[..., None])
    shape = np.broadcast_shapes(*(part.shape[:-1] for part in (*times, *sizes)))
    whole = [np.broadcast_to(part, (*shape, part.shape[-1])) for part in times]
    jumps = [np.where(np.isfinite(part), size, 0.0) for part, size in zip(whole, sizes, strict=True)]
    return np.concatenate(whole, axis=-1), np.concatenate(jumps, axis=-1)


def early_phase(reads: ArrayLike, pre: ArrayLike, post: ArrayLike, **parameters: Real) -> Array:
    """The early phase h (..., reads) without noise, exact; arguments as in `early_moments`, without sigma.

    h is affine in itself between crossings, so this is also its mean with noise, given the spikes.
    """
    return early_moments(reads, pre, post, sigma=0.0, **parameters)[0]


def early_moments(
    reads: ArrayLike, pre: ArrayLike, post: ArrayLike, *, tau_Ca: Real, Cpre: Real, Cpost: Real, delay: Real, theta_p: Real,
    theta_d: Real, gamma_p: Real, gamma_d: Real, tau_h: Real, leak: Real, h0: Real, h_max: Real, sigma: Real,
    start: Real | None = None,
) -> tuple[Array, Array]:  # fmt: skip
    """Mean and variance over the noise of the early phase h at reading times, each (..., reads), exact.

    Arguments:
        reads: s (reads,), from time 0 on, where h is `start` (by default h0) and calcium 0.
        pre, post: spike times, s (..., spikes), from 0 on; pad shorter trains with inf.
        parameters: see the legend of this module, each (...).

    Between crossings h relaxes at one rate to one value; the crossings are closed form (`train_stays`).

    Raises ValueError for spikes or readings before 0, and where a time constant or threshold is not positive.
    """
    positive(tau_h=tau_h)
    times, sizes, back = _timeline(np.asarray(reads, float), *_jumps(pre, post, Cpre, Cpost, delay))
    stays = train_stays(times, sizes, theta_d=theta_d, theta_p=theta_p, tau_Ca=tau_Ca)
    up, down, spread = (np.asarray(rate, float) / tau_h for rate in (gamma_p, gamma_d, np.square(sigma)))
    mean, variance = np.asarray(h0 if start is None else start, float), np.zeros(())
    moments = [(mean, variance)]
    for k in range(times.shape[-1] - 1):
        left = times[..., k + 1] - times[..., k]
        for stay, P, D in ((stays.both, 1, 1), (stays.only_d, 0, 1), (stays.only_p, 1, 0), (None, 0, 0)):
            length = left if stay is None else np.minimum(stay[..., k], left)
            left = left - length
            passed = (leak + P * up + D * down) * length
            mean = mean * np.exp(-passed) + (leak * h0 + P * up * h_max) * length * exprel(-passed)
            variance = variance * np.exp(-2 * passed) + (P + D) * spread * length * exprel(-2 * passed)
        moments.append((mean, variance))
    means, variances = (_stacked(part) for part in zip(*moments, strict=True))
    return _picked(means, back, np.size(reads)), _picked(variances, back, np.size(reads))


def _stacked(values: Sequence[Array]) -> Array:
    return np.stack(np.broadcast_arrays(*values), axis=-1)


def _picked(values: Array, back: NDArray[np.intp], reads: int) -> Array:
    """Of values (..., events) those at the readings, in the order in which these were given."""
    where = np.broadcast_to(back, (*values.shape[:-1], back.shape[-1]))[..., back.shape[-1] - reads :]
    return np.take_along_axis(values, where, axis=-1)


def _timeline(reads: Array, times: Array, sizes: Array) -> tuple[Array, Array, NDArray[np.intp]]:
    """Start, jumps and readings in time order, as times and sizes (..., events), and where each went: readings last.

    A reading is a jump of size 0, so all trains share one loop over events.
    """
    finite = times[np.isfinite(times)]
    if reads.ndim != 1 or not np.all(np.isfinite(reads)) or np.any(reads < 0) or np.any(finite < 0):
        raise ValueError("theory.reads, pre, post: times must not be before 0, and readings one finite list. Count time from the start.")
    last = max(float(np.max(part, initial=0.0)) for part in (finite, reads))
    shape = times.shape[:-1]
    whole = np.concatenate(
        [np.zeros((*shape, 1)), np.where(np.isfinite(times), times, last), np.broadcast_to(reads, (*shape, reads.size))], axis=-1
    )
    jumps = np.concatenate([np.zeros((*shape, 1)), sizes, np.zeros((*shape, reads.size))], axis=-1)
    order = np.argsort(whole, axis=-1, kind="stable")
    return np.take_along_axis(whole, order, -1), np.take_along_axis(jumps, order, -1), np.argsort(order, axis=-1)
