"""Calcium that jumps at given times and decays exponentially: time above thresholds.

Linear calcium of Graupner & Brunel 2012 (PNAS 109:3991, doi 10.1073/pnas.1109359109):
dc/dt = -c/tau_Ca between jumps. A level c0 stays above theta for tau_Ca ln(c0/theta),
so everything here is closed form. "(...)" is the broadcast shape of the arguments.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Real = float | Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Stays:
    """Seconds spent above the thresholds after each jump of a train, in time order.

    After jump k calcium falls: first ``both[..., k]``, then ``only_d`` or ``only_p``
    (the lower threshold; the other is 0), then below both until jump k + 1.
    Each field has shape (..., jumps).
    """

    both: Array
    only_d: Array
    only_p: Array


def positive(**values: Real) -> None:
    """Refuse what has no meaning at or below zero."""
    for name, value in values.items():
        if not np.all(np.asarray(value) > 0):
            raise ValueError(
                f"theory.{name}: {value!r} is not positive. Give {name} > 0, in SI."
            )


def _in_order(times: Array, amplitudes: Array) -> tuple[Array, Array]:
    """Sort jumps by time along the last axis, amplitudes alongside."""
    times, amplitudes = np.broadcast_arrays(times, amplitudes)
    if times.shape[-1] == 0:  # silence is a jump of nothing
        times = amplitudes = np.zeros((*times.shape[:-1], 1))
    order = np.argsort(times, axis=-1, kind="stable")
    return (
        np.take_along_axis(times, order, axis=-1),
        np.take_along_axis(amplitudes, order, axis=-1),
    )


def _levels(initial: Array, times: Array, amplitudes: Array, tau_Ca: Array) -> Array:
    """Calcium just after each jump, from the level ``initial`` at time[..., 0]."""
    levels = [initial + amplitudes[..., 0]]
    for k in range(1, times.shape[-1]):
        decay = np.exp(-(times[..., k] - times[..., k - 1]) / tau_Ca)
        levels.append(levels[-1] * decay + amplitudes[..., k])
    return np.stack(np.broadcast_arrays(*levels), axis=-1)


def _stay(levels: Array, gaps: Array, theta: Real, tau_Ca: Array) -> Array:
    """Seconds above theta in each gap; a gap without crossing gives 0 or all of it."""
    ratio = levels / np.asarray(theta)[..., None]
    return np.asarray(
        np.minimum(tau_Ca[..., None] * np.log(np.maximum(ratio, 1.0)), gaps)
    )


def fractions(
    times: Array, amplitudes: Array, *, period: Real, thetas: Sequence[Real], tau_Ca: Real
) -> tuple[Array, ...]:
    """Fraction of time above each threshold of a periodic calcium train, exact.

    Arguments:
        times: calcium jumps, s, (..., jumps); any real number, folded modulo period.
        amplitudes: their sizes, (..., jumps).
        period: s, (...).
        thetas: thresholds, each (...).
        tau_Ca: s, (...).

    Returns one (...) array per threshold, each in [0, 1]: the steady state, i.e. the
    limit of infinitely many periods.

    Raises ValueError where period, tau_Ca or a threshold is not positive.

    Example:
        >>> alpha, = fractions(np.array([0.0]), np.array([2.0]), period=1.0,
        ...                    thetas=[1.0], tau_Ca=0.02)
        >>> round(float(alpha), 6)      # 0.02 ln 2
        0.013863
    """
    positive(period=period, tau_Ca=tau_Ca)
    length, tau = np.asarray(period, float), np.asarray(tau_Ca, float)
    # Folding jump by jump, not the lag, is what makes every lag land on its own side.
    folded = np.mod(times, length[..., None])
    t, a = _in_order(folded, np.asarray(amplitudes, float))
    to_end = np.exp(-(length[..., None] - t) / tau[..., None])
    end = np.sum(a * to_end, axis=-1) / -np.expm1(-length / tau)
    levels = _levels(end * np.exp(-t[..., 0] / tau), t, a, tau)
    gaps = np.concatenate(
        [np.diff(t, axis=-1), (length - t[..., -1] + t[..., 0])[..., None]], axis=-1
    )
    above = []
    for theta in thetas:
        positive(theta=theta)
        total = np.sum(_stay(levels, gaps, theta, tau), axis=-1)
        above.append(np.minimum(total / length, 1.0))
    return tuple(above)


def train_stays(
    times: Array, amplitudes: Array, *, theta_d: Real, theta_p: Real, tau_Ca: Real
) -> Stays:
    """Stays above the thresholds of a finite train from zero calcium, exact.

    ``times`` (s) and ``amplitudes`` are (..., jumps), in any order; the tail after the
    last jump is included. Pad shorter trains with jumps of size 0.

    Raises ValueError for a tau_Ca or a threshold that is not positive.
    """
    positive(tau_Ca=tau_Ca, theta_d=theta_d, theta_p=theta_p)
    tau = np.asarray(tau_Ca, float)
    t, a = _in_order(np.asarray(times, float), np.asarray(amplitudes, float))
    levels = _levels(np.zeros(()), t, a, tau)
    gaps = np.concatenate([np.diff(t, axis=-1), np.full_like(t[..., :1], np.inf)], axis=-1)
    above_d = _stay(levels, gaps, theta_d, tau)
    above_p = _stay(levels, gaps, theta_p, tau)
    both = np.minimum(above_d, above_p)
    return Stays(both=both, only_d=above_d - both, only_p=above_p - both)
