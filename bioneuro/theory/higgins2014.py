"""Memory under Poisson firing: time that calcium spends above its thresholds, and how fast the mean efficacy forgets.

References:
    Higgins, Graupner & Brunel 2014, PLoS Comput Biol 10:e1003834,
    doi 10.1371/journal.pcbi.1003834; the law of shot noise: Gilbert & Pollak 1960,
    Bell Syst Tech J 39:333 (from memory).

Legend:
    c            calcium: jumps by Cpre and Cpost at Poisson spikes, decays with tau_Ca (s);
                 a delay of one of them changes nothing, since the spikes are independent
    theta_d/p    thresholds; gamma_d/p strengths; tau time constant of rho (s)
    alpha_d/p    fraction of time that c is above theta_d/p
    rho          efficacy; its potential is flat

Between two spikes calcium only decays, so the share of time below x, F(x), obeys
x F'(x) = sum_i nu_i (F(x) - F(x - C_i)) with nu_i = tau_Ca rate_i. Below the smallest jump
F = K x^nu; from there on F = x^nu G, G' = -x^(-nu - 1) sum_i nu_i F(x - C_i), a sum of
integrals over what is known already. Between the sums of jumps, where F has kinks, G is a
Chebyshev series. `time_above` is accurate to about 1e-12.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.polynomial import chebyshev
from scipy.special import gammaln

from bioneuro.theory.calcium import Array, Real, positive

__all__ = ["Memory", "memory", "poisson_fractions", "time_above"]

_NODES = 48
_SHARPNESS = 8
"""x = kink + length s^8: what begins at a kink like (x - kink)^(1 + nu) is smooth in s."""
_MOST_KINKS = 2000


@dataclass(frozen=True, kw_only=True, eq=False)
class Memory:
    """How the mean of rho moves: to ``asymptote``, exponentially with ``time`` (s).

    ``time`` is infinite, and ``asymptote`` NaN, where calcium never reaches a threshold.
    """

    time: Array
    asymptote: Array

    def mean(self, t: Real, rho_0: Real) -> Array:
        """Mean of rho (...) after t seconds from rho_0."""
        left = np.exp(-np.asarray(t) / self.time)
        return np.asarray(np.nan_to_num(self.asymptote) * (1 - left) + rho_0 * left)


def time_above(theta: float, rates: Array, jumps: Array, *, tau_Ca: float) -> float:
    """Fraction of time that shot noise is above theta; ``rates`` (Hz) and ``jumps`` are (kinds,).

    Raises ValueError where theta, tau_Ca or a jump is not positive, or jumps so small
    that thousands of them fit below theta.
    """
    sizes, often = (np.asarray(x, float)[np.asarray(rates) > 0] for x in (jumps, rates))
    positive(theta=theta, tau_Ca=tau_Ca, jumps=sizes)
    if sizes.size == 0:
        return 0.0
    return 1.0 - float(_below(theta, sizes, tau_Ca * often)(np.array([theta]))[0])


def _kinks(theta: float, sizes: Array) -> Array:
    """Sums of jumps from the smallest jump up to theta, and theta."""
    if np.prod(theta / sizes + 1) > _MOST_KINKS:
        raise ValueError(
            f"theory.jumps: {sizes} are so small that over {_MOST_KINKS} sums of them lie "
            f"below {theta}. Give larger jumps, or simulate."
        )
    counts = itertools.product(*(range(int(theta / size) + 1) for size in sizes))
    sums = np.unique([float(np.dot(count, sizes)) for count in counts])
    inside = sums[(sums > 0) & (sums < theta * (1 - 1e-12))]
    keep = np.append(True, np.diff(inside) > 1e-12 * theta)[: inside.size]
    return np.append(inside[keep], theta)


def _below(theta: float, sizes: Array, nu: Array) -> Callable[[Array], Array]:
    """The distribution function F of calcium on [0, theta]."""
    total, euler = float(np.sum(nu)), np.euler_gamma
    first = np.exp(-euler * total - np.sum(nu * np.log(sizes)) - gammaln(1 + total))
    kinks = _kinks(theta, sizes)
    pieces: list[Array] = []  # Chebyshev coefficients of G between kinks

    def below(x: Array) -> Array:
        G = np.full(x.shape, first)
        piece = np.searchsorted(kinks, x, side="right") - 1
        for k in np.unique(piece[piece >= 0]):
            here, at = piece == k, min(int(k), len(pieces) - 1)
            if at >= 0:
                share = (x[here] - kinks[at]) / (kinks[at + 1] - kinks[at])
                s = np.clip(share, 0, 1) ** (1 / _SHARPNESS)
                G[here] = chebyshev.chebval(2 * s - 1, pieces[at])
        return np.where(x > 0, np.maximum(x, 0) ** total * G, 0.0)

    s = 0.5 + 0.5 * np.cos(np.pi * (np.arange(_NODES) + 0.5) / _NODES)
    for begin, end in itertools.pairwise(kinks):
        x = begin + (end - begin) * s**_SHARPNESS
        inflow = sum(n * below(x - size) for n, size in zip(nu, sizes, strict=True))
        stretch = _SHARPNESS * (end - begin) * s ** (_SHARPNESS - 1)
        slope = -(x ** (-total - 1)) * inflow * stretch
        series = chebyshev.chebint(chebyshev.chebfit(2 * s - 1, slope, _NODES - 1), scl=0.5, lbnd=-1)
        start = chebyshev.chebval(1.0, pieces[-1]) if pieces else first
        series[0] += start
        pieces.append(np.asarray(series, float))
    return below


def poisson_fractions(
    rate_pre: Real, rate_post: Real, *, tau_Ca: Real, Cpre: Real, Cpost: Real,
    theta_d: Real, theta_p: Real,
) -> tuple[Array, Array]:
    """alpha_d, alpha_p (...) while both neurons fire as independent Poisson processes (Hz)."""
    def one(pre: float, post: float, tau: float, a: float, b: float, theta: float) -> float:
        return time_above(theta, np.array([pre, post]), np.array([a, b]), tau_Ca=tau)

    every = np.vectorize(one, otypes=[float])
    common = (rate_pre, rate_post, tau_Ca, Cpre, Cpost)
    return every(*common, theta_d), every(*common, theta_p)


def memory(
    alpha_d: Real, alpha_p: Real, *, gamma_d: Real, gamma_p: Real, tau: Real
) -> Memory:
    """Time constant tau/(G_p + G_d) and asymptote G_p/(G_p + G_d), G_x = gamma_x alpha_x.

    This averages calcium over the time in which rho moves. Where rho moves by a share q
    during one stay above a threshold, the time is about q/2 too short.
    """
    positive(tau=tau)
    down, up = np.asarray(gamma_d * alpha_d, float), np.asarray(gamma_p * alpha_p, float)
    with np.errstate(divide="ignore", invalid="ignore"):
        return Memory(time=np.asarray(tau / (down + up)), asymptote=np.asarray(up / (down + up)))
