"""Triplet rule of spike-timing-dependent plasticity, by explicit sums over spikes.

References:
    Pfister & Gerstner 2006, J Neurosci 26:9673, doi 10.1523/JNEUROSCI.1425-06.2006 (the
    rule, its two interactions of spikes, and the drift of the all-to-all one: its
    relation to the BCM rule).
    Protocols: Sjostrom, Turrigiano & Nelson 2001, Neuron 32:1149 (bursts); Wang, Gerkin,
    Nauen & Bi 2005, Nat Neurosci 8:187 (from memory; triplets and quadruplets).

A presynaptic spike at t changes the weight by -o1 (A2_minus + A3_minus r2), a
postsynaptic one by +r1 (A2_plus + A3_plus o2). Here no trace is integrated:

    r1 = sum over pre spikes at or before t of exp(-(t - spike)/tau_plus)
    o1 = sum over post spikes before t of exp(-(t - spike)/tau_minus)
    r2, o2 = sums over the EARLIER spikes of the same train, with tau_x and tau_y

In the nearest-spike rule each sum has one term, that of the last such spike. Spikes of
pre and post within a picosecond count as simultaneous, the pre spike first. No bounds.

Amplitudes are in the unit of the weight and positive (A2_minus and A3_minus are
subtracted), times in s, rates in Hz. A minimal model leaves out tau_x and A3_minus.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Trains = tuple[Array, Array]

SIMULTANEOUS = 1e-12
"""Spikes of pre and post closer than this (s) are at one time."""


def weight_change(
    pre: ArrayLike, post: ArrayLike, *, A2_plus: float, A3_plus: float, A2_minus: float,
    tau_plus: float, tau_minus: float, tau_y: float, A3_minus: float = 0.0,
    tau_x: float | None = None, nearest: bool = False,
) -> float:
    """Exact weight change of arbitrary spike trains.

    Arguments:
        pre, post: spike times, s, (spikes,), strictly increasing; may be empty.
        nearest: only the last spike counts in each sum.

    Raises ValueError for times out of order, for time constants not positive, and for
    an A3_minus without tau_x.

    Example:
        >>> change = weight_change([0.0], [0.01], A2_plus=5.3e-3, A3_plus=8e-3,
        ...     A2_minus=3.5e-3, tau_plus=16.8e-3, tau_minus=33.7e-3, tau_y=40e-3)
        >>> round(change, 9)      # 5.3e-3 exp(-10/16.8)
        0.002922586
    """
    slow = _slow(A3_minus, tau_x)
    _check(tau_plus=tau_plus, tau_minus=tau_minus, tau_y=tau_y, tau_x=slow)
    x, y = _train("pre", pre), _train("post", post)
    r1 = _sum(x, y, tau_plus, nearest, -SIMULTANEOUS)
    o1 = _sum(y, x, tau_minus, nearest, SIMULTANEOUS)
    r2 = _sum(x, x, slow, nearest, SIMULTANEOUS)
    o2 = _sum(y, y, tau_y, nearest, SIMULTANEOUS)
    up = r1 * (A2_plus + A3_plus * o2)
    down = o1 * (A2_minus + A3_minus * r2)
    return float(np.sum(up) - np.sum(down))


def drift(
    rho_x: ArrayLike, rho_y: ArrayLike, *, A2_plus: float, A3_plus: float,
    A2_minus: float, tau_plus: float, tau_minus: float, tau_y: float,
    A3_minus: float = 0.0, tau_x: float | None = None, nearest: bool = False,
) -> Array:
    """Mean dw/dt, 1/s, of independent Poisson trains of rates rho_x and rho_y (...).

    rho_y r1 (A2_plus + A3_plus o2) - rho_x o1 (A2_minus + A3_minus r2) with the mean
    traces: rho tau if all spikes count (the equation of the paper), rho tau/(1 + rho tau)
    if only the last does (derived here: the mean of exp(-age/tau) over exponential ages).

    All-to-all and minimal this is proportional to rho_x rho_y (rho_y - theta), the form
    of the BCM rule, with the threshold of `bcm_threshold`.
    """
    slow = _slow(A3_minus, tau_x)
    _check(tau_plus=tau_plus, tau_minus=tau_minus, tau_y=tau_y, tau_x=slow)
    x, y = np.asarray(rho_x, float), np.asarray(rho_y, float)
    if np.any(x < 0) or np.any(y < 0):
        raise ValueError("triplet.drift: a rate is negative. Give rates >= 0, in Hz.")

    def mean(rate: Array, tau: float) -> Array:
        return rate * tau / (1 + rate * tau) if nearest else rate * tau

    up = y * mean(x, tau_plus) * (A2_plus + A3_plus * mean(y, tau_y))
    down = x * mean(y, tau_minus) * (A2_minus + A3_minus * mean(x, slow))
    return np.asarray(up - down)


def drift_shared(
    rho_x: ArrayLike, rho_y: ArrayLike, common: ArrayLike, lag: float, *, A2_plus: float,
    A3_plus: float, A2_minus: float, tau_plus: float, tau_minus: float, tau_y: float,
    A3_minus: float = 0.0, tau_x: float | None = None,
) -> Array:
    """All-to-all `drift`, 1/s, of Poisson trains that share spikes at the rate ``common`` (...).

    Post fires its copy of a shared spike ``lag`` > 0 s after pre; all other spikes are
    independent (derived here). Every shared pair adds A2_plus exp(-lag/tau_plus), and its
    members' slower traces meet again: at a post spike a shared pair of the past adds
    exp(-lag/tau_plus) tau_plus tau_y/(tau_plus + tau_y) common to the mean of r1 o2, and at
    a pre spike likewise to that of o1 r2. Without shared spikes it is `drift`.
    """
    slow = _slow(A3_minus, tau_x)
    _check(tau_plus=tau_plus, tau_minus=tau_minus, tau_y=tau_y, tau_x=slow, lag=lag)
    x, y, c = (np.asarray(rate, float) for rate in (rho_x, rho_y, common))
    met = x * y * tau_plus + c * np.exp(-lag / tau_plus)  # rate of post spikes, r1 at them
    both = c * np.exp(-lag / tau_plus) * tau_plus * tau_y / (tau_plus + tau_y)
    late = c * np.exp(-lag / slow) * tau_minus * slow / (tau_minus + slow)
    up = met * A2_plus + A3_plus * y * (met * tau_y + both)
    down = x * (y * tau_minus * A2_minus + A3_minus * (y * tau_minus * x * slow + late))
    return np.asarray(up - down)


def pulses_poisson(
    rate: ArrayLike, pulses: int, rho_y: float, rest: float, *, A2_plus: float,
    A3_plus: float, A2_minus: float, A3_minus: float, tau_plus: float, tau_minus: float,
    tau_x: float, tau_y: float,
) -> Array:
    """Mean all-to-all weight change, for each rate (...), of ``pulses`` regular pre spikes.

    Post fires as a Poisson process of the rate ``rho_y`` from the first pulse to ``rest`` s
    after the last (derived here). Its mean traces rise from zero; r2 just before pulse k
    is a geometric sum.
    """
    rates = np.asarray(rate, float)
    pre = np.arange(pulses) / rates[..., None]
    o1 = rho_y * tau_minus * -np.expm1(-pre / tau_minus)
    r2 = np.expm1(-pre / tau_x) / -np.expm1(1 / rates[..., None] / tau_x)
    left, both = pre[..., -1:] + rest - pre, 1 / (1 / tau_plus + 1 / tau_y)
    r1 = tau_plus * -np.expm1(-left / tau_plus)  # its integral from pulse k on
    late = np.exp(-pre / tau_y) * both * -np.expm1(-left / both)  # while o2 still rises
    up = rho_y * (r1 * A2_plus + A3_plus * rho_y * tau_y * (r1 - late))
    return np.asarray(np.sum(up - o1 * (A2_minus + A3_minus * r2), axis=-1))


def bcm_threshold(
    rho_x: ArrayLike = 0.0, *, A2_plus: float, A3_plus: float, A2_minus: float,
    tau_plus: float, tau_minus: float, tau_y: float, A3_minus: float = 0.0,
    tau_x: float | None = None,
) -> Array:
    """Postsynaptic rate, Hz, at which the all-to-all `drift` changes its sign (...).

    ((A2_minus + A3_minus tau_x rho_x) tau_minus - A2_plus tau_plus)
    / (A3_plus tau_plus tau_y); it depends on the presynaptic rate only in full models.
    A negative value: there is potentiation at every rate. A3_plus must be positive.
    """
    slow = _slow(A3_minus, tau_x)
    _check(tau_plus=tau_plus, tau_minus=tau_minus, tau_y=tau_y, tau_x=slow, A3_plus=A3_plus)
    down = (A2_minus + A3_minus * slow * np.asarray(rho_x, float)) * tau_minus
    return np.asarray((down - A2_plus * tau_plus) / (A3_plus * tau_plus * tau_y))


def repeated(pre: ArrayLike, post: ArrayLike, *, rate: float, count: int) -> Trains:
    """The pattern of spikes (pre, post), repeated ``count`` times at ``rate`` Hz.

    Times are those of the pattern plus k/rate, so they begin below 0 if it does.
    """
    if not rate > 0 or int(count) != count or count < 1:
        raise ValueError(
            f"triplet.repeated: rate {rate!r} Hz, count {count!r}. Give rate > 0 and a "
            "whole number of repetitions > 0."
        )
    begin = np.arange(int(count))[:, None] / rate
    one, other = np.asarray(pre, float), np.asarray(post, float)
    return (begin + one).ravel(), (begin + other).ravel()


def bursts(
    lag: float, rate: float, *, pairs: int = 5, count: int = 15, every: float = 10.0
) -> Trains:
    """``count`` bursts, one per ``every`` s, of ``pairs`` pairs at ``rate`` Hz.

    As in Sjostrom et al. 2001 by default; lag = post - pre, s.
    """
    each = np.arange(pairs) / rate
    return repeated(each, each + lag, rate=1 / every, count=count)


def pre_post_pre(first: float, second: float) -> Trains:
    """A triplet with two pre spikes: lags post - pre of both, s, such as 0.005, -0.005."""
    return np.sort(np.array([-first, -second])), np.zeros(1)


def post_pre_post(first: float, second: float) -> Trains:
    """A triplet with two post spikes: lags post - pre of both, s, such as -0.005, 0.005."""
    return np.zeros(1), np.sort(np.array([first, second]))


def quadruplet(gap: float, lag: float = 0.005) -> Trains:
    """A post-pre pair around 0 and a pre-post pair around ``gap``, each ``lag`` apart (s).

    gap > 0: post-pre comes first; gap < 0: pre-post does, as in Wang et al. 2005.
    """
    pre, post = [lag / 2, gap - lag / 2], [-lag / 2, gap + lag / 2]
    return np.sort(np.array(pre)), np.sort(np.array(post))


def _sum(spikes: Array, at: Array, tau: float, nearest: bool, least: float) -> Array:
    """Sum of exp(-age/tau) over spikes of an age above ``least``, for each time in ``at``.

    Nearest: the term of the last spike alone, which is the largest.
    """
    age = at[:, None] - spikes[None, :]
    term = np.where(age > least, np.exp(-np.maximum(age, 0.0) / tau), 0.0)
    return np.asarray(term.max(axis=1, initial=0.0) if nearest else term.sum(axis=1))


def _train(name: str, times: ArrayLike) -> Array:
    """Spike times as an array; refuses what has no order."""
    train = np.asarray(times, float)
    if train.ndim != 1 or not np.all(np.isfinite(train)) or np.any(np.diff(train) <= 0):
        raise ValueError(
            f"triplet.{name}: spike times must be one strictly increasing, finite list, "
            f"in s; got {train!r}. Sort them and give one neuron at a time."
        )
    return train


def _slow(A3_minus: float, tau_x: float | None) -> float:
    if tau_x is None and A3_minus != 0:
        raise ValueError(f"triplet.tau_x: A3_minus is {A3_minus!r}. Give tau_x too, in s.")
    return 1.0 if tau_x is None else tau_x  # multiplied by A3_minus = 0


def _check(**values: float) -> None:
    for name, value in values.items():
        if not value > 0:
            raise ValueError(f"triplet.{name}: {value!r} is not positive. Give {name} > 0.")
