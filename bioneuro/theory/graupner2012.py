"""Closed forms of the calcium-based plasticity rule, flat potential.

References:
    Graupner & Brunel 2012, PNAS 109:3991, doi 10.1073/pnas.1109359109, with the
    correction PNAS 109:21551, doi 10.1073/pnas.1220044110 (the noise is
    sigma sqrt(tau) sqrt(H(c - theta_d) + H(c - theta_p)), used throughout here).

Legend:
    c           calcium, dimensionless; jumps by Cpre at pre + D and by Cpost at post,
                decays with tau_Ca (s)
    theta_d/p   thresholds of depression and potentiation, positive
    gamma_d/p   their strengths, dimensionless
    rho         efficacy, 0 (down) to 1 (up); boundary rho_star
    sigma, tau  noise amplitude; time constant of rho (s)
    alpha_d/p   fraction of time that c is above theta_d/p
    U, D        probability that a synapse goes up from rho = 0, down from rho = 1
                (D is also the paper's name of the calcium delay, in s)
    beta, b     share of synapses that start down; weight of up relative to down
    lag         last post spike minus pre spike, s; rate of pairs, Hz

Every function broadcasts over its arguments; "(...)" is the broadcast shape.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import erfc, exprel

from bioneuro.theory.calcium import Array, Real, Stays, fractions, positive, train_stays

__all__ = [
    "Stays", "Transitions", "averaged", "fractions", "pair_fractions", "pulsed",
    "pulsed_moments", "pulsed_stays", "ratio_of_trains", "stays_moments", "train_stays", "transitions",
    "weight_ratio", "weight_ratio_error", "window",
]


@dataclass(frozen=True, kw_only=True, eq=False)
class Transitions:
    """End of a protocol: U, D, mean of rho from 0 and from 1, and its variance."""

    U: Array
    D: Array
    mean_0: Array
    mean_1: Array
    variance: Array


def _count(pairs: int) -> int:
    if int(pairs) != pairs or pairs < 1:
        raise ValueError(
            f"theory.pairs: {pairs!r} is not a count. Give a whole number >= 1."
        )
    return int(pairs)


def _jumps(
    pre: Array, lag: Real, *, D: Real, Cpre: Real, Cpost: Real,
    post_offsets: Sequence[float],
) -> tuple[Array, Array]:
    """Calcium jumps (..., jumps) of pre spikes (pairs,), each with its post spikes."""
    post = np.asarray(lag)[..., None] + pre
    times = [np.asarray(D)[..., None] + pre, *(post + offset for offset in post_offsets)]
    sizes = [Cpre, *(Cpost for _ in post_offsets)]
    shape = np.broadcast_shapes(*(x.shape[:-1] for x in times), *map(np.shape, sizes))
    full = (*shape, pre.size)
    return (
        np.concatenate([np.broadcast_to(x, full) for x in times], axis=-1),
        np.concatenate(
            [np.broadcast_to(np.asarray(c)[..., None], full) for c in sizes], axis=-1
        ),
    )


def pair_fractions(
    lag: Real, rate: Real, *, tau_Ca: Real, Cpre: Real, Cpost: Real, theta_d: Real,
    theta_p: Real, D: Real, post_offsets: Sequence[float] = (0.0,),
) -> tuple[Array, Array]:
    """alpha_d, alpha_p of spike pairs repeated for ever at ``rate``, exact.

    ``post_offsets`` (s, relative to the last post spike) describes a burst: a doublet
    11.5 ms apart is ``(-0.0115, 0.0)``. Lags are folded modulo 1/rate.

    Raises ValueError where rate, tau_Ca or a threshold is not positive.
    """
    positive(rate=rate)
    times, sizes = _jumps(
        np.zeros(1), lag, D=D, Cpre=Cpre, Cpost=Cpost, post_offsets=post_offsets
    )
    alpha_d, alpha_p = fractions(
        times, sizes, period=1.0 / rate, thetas=(theta_d, theta_p), tau_Ca=tau_Ca
    )
    return alpha_d, alpha_p


def pulsed_stays(
    lag: Real, rate: float, pairs: int, *, tau_Ca: Real, Cpre: Real, Cpost: Real,
    theta_d: Real, theta_p: Real, D: Real, post_offsets: Sequence[float] = (0.0,),
) -> Stays:
    """Stays of ``pairs`` pairs at ``rate`` from zero calcium; see `train_stays`.

    Pre spikes fall at k/rate, the post spikes of each at ``lag + post_offsets`` from
    it; nothing is folded, so a long lag leaves unpaired spikes at both ends.
    """
    positive(rate=rate)
    times, sizes = _jumps(
        np.arange(_count(pairs)) / rate, lag, D=D, Cpre=Cpre, Cpost=Cpost,
        post_offsets=post_offsets,
    )
    return train_stays(times, sizes, theta_d=theta_d, theta_p=theta_p, tau_Ca=tau_Ca)


def _affine(
    mean: Array, variance: Array, h: Array, up: Real, down: Real, noise: Real
) -> tuple[Array, Array]:
    """Moments after h seconds of drho = (up (1 - rho) - down rho) dt + sqrt(noise) dW.

    exprel keeps the expression exact where up + down vanishes.
    """
    g = (up + down) * h
    return (
        mean * np.exp(-g) + up * h * exprel(-g),
        variance * np.exp(-2 * g) + noise * h * exprel(-2 * g),
    )


def stays_moments(
    stays: Stays, *, rho_0: Real, gamma_d: Real, gamma_p: Real, sigma: Real, tau: Real
) -> tuple[Array, Array]:
    """Exact mean and variance of rho (...) after ``stays``, from rho = rho_0.

    tau drho/dt = gamma_p (1 - rho) H_p - gamma_d rho H_d + sigma sqrt(tau (H_d + H_p))
    eta (eqs. 1 and 2 of the paper, flat potential, corrected noise): between crossings
    an affine Gaussian process, propagated piece by piece.
    """
    positive(tau=tau)
    shape = np.broadcast_shapes(
        stays.both.shape[:-1], *map(np.shape, (rho_0, gamma_d, gamma_p, sigma, tau))
    )
    mean = np.broadcast_to(np.asarray(rho_0, float), shape)
    variance = np.zeros(shape)
    d, p, noise = gamma_d / tau, gamma_p / tau, np.square(sigma) / tau
    for k in range(stays.both.shape[-1]):
        mean, variance = _affine(mean, variance, stays.both[..., k], p, d, 2 * noise)
        mean, variance = _affine(mean, variance, stays.only_d[..., k], 0.0, d, noise)
        mean, variance = _affine(mean, variance, stays.only_p[..., k], p, 0.0, noise)
    return mean, variance


def pulsed_moments(
    lag: Real, rate: float, pairs: int, *, rho_0: Real, tau_Ca: Real, Cpre: Real,
    Cpost: Real, theta_d: Real, theta_p: Real, gamma_d: Real, gamma_p: Real,
    sigma: Real, tau: Real, D: Real, post_offsets: Sequence[float] = (0.0,),
) -> tuple[Array, Array]:
    """Exact mean and variance of rho (...) after a finite train from zero calcium.

    See `pulsed_stays` for the train and `stays_moments` for the process; rho is
    Gaussian, so this is its whole distribution: what a simulation must agree with.
    """
    stays = pulsed_stays(
        lag, rate, pairs, tau_Ca=tau_Ca, Cpre=Cpre, Cpost=Cpost, theta_d=theta_d,
        theta_p=theta_p, D=D, post_offsets=post_offsets,
    )
    return stays_moments(
        stays, rho_0=rho_0, gamma_d=gamma_d, gamma_p=gamma_p, sigma=sigma, tau=tau
    )


def _beyond(distance: Array, variance: Array) -> Array:
    """P(x > 0) for x Gaussian with this mean; without variance 0, 1/2 or 1."""
    side = np.where(distance == 0, 0.0, np.copysign(np.inf, distance))
    z = np.divide(distance, np.sqrt(2 * variance), out=side, where=variance > 0)
    return np.asarray(0.5 * erfc(-z))


def transitions(mean_0: Real, mean_1: Real, variance: Real, *, rho_star: Real) -> Transitions:
    """U and D of a Gaussian rho with these end moments (paper's error functions)."""
    m0, m1, v, star = np.broadcast_arrays(mean_0, mean_1, variance, rho_star)
    return Transitions(
        U=_beyond(m0 - star, v), D=_beyond(star - m1, v), mean_0=m0, mean_1=m1, variance=v
    )


def averaged(
    alpha_d: Real, alpha_p: Real, duration: Real, *, gamma_d: Real, gamma_p: Real,
    sigma: Real, tau: Real, rho_star: Real,
) -> Transitions:
    """U and D after ``duration`` s by the paper's averaged theory (SI eqs. 8 to 10).

    With G_x = gamma_x alpha_x, rbar = G_p/(G_p + G_d), tau_eff = tau/(G_p + G_d) and
    s2 = sigma^2 (alpha_p + alpha_d)/(G_p + G_d), which is twice the stationary variance,
    U = (1 + erf((mean_0 - rho_star)/sqrt(s2 (1 - exp(-2 duration/tau_eff)))))/2. Written
    without the division by G_p + G_d: never above a threshold means U = D = 0 exactly.
    """
    positive(tau=tau)
    none = np.zeros(())
    noise = np.square(sigma) * (alpha_p + alpha_d) / tau
    up, down = gamma_p * alpha_p / tau, gamma_d * alpha_d / tau
    h = np.asarray(duration, float)
    mean_0, variance = _affine(none, none, h, up, down, noise)
    mean_1, _ = _affine(none + 1.0, none, h, up, down, noise)
    return transitions(mean_0, mean_1, variance, rho_star=rho_star)


def pulsed(
    stays: Stays, *, gamma_d: Real, gamma_p: Real, sigma: Real, tau: Real, rho_star: Real
) -> Transitions:
    """U and D of a finite train, exact: what `averaged` approximates.

    ``stays`` come from `pulsed_stays`, or from `train_stays` for any other protocol.
    """
    ends = [
        stays_moments(
            stays, rho_0=start, gamma_d=gamma_d, gamma_p=gamma_p, sigma=sigma, tau=tau
        )
        for start in (0.0, 1.0)
    ]
    (mean_0, variance), (mean_1, _) = ends
    return transitions(mean_0, mean_1, variance, rho_star=rho_star)


def ratio_of_trains(
    trains: Sequence[tuple[Array, Array]], *, tau_Ca: float, Cpre: float, Cpost: float,
    theta_d: float, theta_p: float, gamma_d: float, gamma_p: float, sigma: float,
    tau: float, D: float, rho_star: float, beta: float, b: float,
) -> Array:
    """`weight_ratio` after each of several pairs (pre, post) of spike trains, s, exact."""
    most = max(pre.size + post.size for pre, post in trains)
    times, sizes = np.zeros((2, len(trains), most))
    for k, (pre, post) in enumerate(trains):
        own = np.concatenate([pre + D, post])
        # Shorter trains end in jumps of nothing.
        times[k] = np.pad(own, (0, most - own.size), constant_values=own.max(initial=0.0))
        sizes[k, : own.size] = np.repeat([Cpre, Cpost], [pre.size, post.size])
    stays = train_stays(times, sizes, theta_d=theta_d, theta_p=theta_p, tau_Ca=tau_Ca)
    end = pulsed(stays, gamma_d=gamma_d, gamma_p=gamma_p, sigma=sigma, tau=tau, rho_star=rho_star)
    return weight_ratio(end.U, end.D, beta, b)


def weight_ratio(U: Real, D: Real, beta: Real, b: Real) -> Array:
    """Mean weight after over before; exactly 1 for U = D = 0.

    Both terms are divided (SI 3.6 prints only the first one so, which would give 4/3
    for no change at beta 1/2 and b 5).
    """
    after = (1 - U) * beta + D * (1 - beta) + b * (U * beta + (1 - D) * (1 - beta))
    return np.asarray(after / (beta + (1 - beta) * b))


def weight_ratio_error(U: Real, D: Real, n: Real, beta: Real, b: Real) -> Array:
    """Standard error of `weight_ratio` when U and D are shares of n runs each."""
    positive(n=n)
    spread = np.sqrt(beta**2 * U * (1 - U) + (1 - beta) ** 2 * D * (1 - D))
    return np.asarray(np.abs(b - 1) / (beta + (1 - beta) * b) * spread / np.sqrt(n))


def window(
    lags: Real, rate: Real, pairs: int, *, tau_Ca: Real, Cpre: Real, Cpost: Real,
    theta_d: Real, theta_p: Real, gamma_d: Real, gamma_p: Real, sigma: Real, tau: Real,
    D: Real, rho_star: Real, beta: Real, b: Real, post_offsets: Sequence[float] = (0.0,),
) -> Array:
    """Weight ratio against lag by the averaged theory: the paper's curves (Figs. 2 to 4).

    Arguments:
        lags: last post minus pre, s, (...).
        rate: pairs per second, (...).
        pairs: their number; the protocol lasts pairs/rate.
        post_offsets: post spikes of one pair, s, relative to the last.

    Known values: set DP, 60 pairs at 1 Hz: .7290 at -25 ms, 1.2405 at +5 ms.
    The averaging itself is about .006 off in U; `pulsed` is exact.
    """
    alpha_d, alpha_p = pair_fractions(
        lags, rate, tau_Ca=tau_Ca, Cpre=Cpre, Cpost=Cpost, theta_d=theta_d,
        theta_p=theta_p, D=D, post_offsets=post_offsets,
    )
    end = averaged(
        alpha_d, alpha_p, _count(pairs) / np.asarray(rate), gamma_d=gamma_d,
        gamma_p=gamma_p, sigma=sigma, tau=tau, rho_star=rho_star,
    )
    return weight_ratio(end.U, end.D, beta, b)
