"""Inhibitory plasticity towards a target rate, by explicit sums over spikes.

References:
    Vogels, Sprekeler, Zenke, Clopath & Gerstner 2011, Science 334:1569,
    doi 10.1126/science.1211095.

Every pair of a pre and a post spike adds eta exp(-|lag|/tau), every pre spike subtracts
eta alpha with alpha = 2 rho_0 tau. The lower bound of the weight, 0, is left out: these
sums hold for weights that do not reach it. Times in s, rates in Hz.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def window(lag: ArrayLike, *, eta: float, tau: float, rho_0: float) -> Array:
    """Weight change of one isolated pair, for each lag = post - pre (...): symmetric."""
    _check(tau)
    age = np.abs(np.asarray(lag, float))
    return np.asarray(eta * (np.exp(-age / tau) - 2 * rho_0 * tau))


def zero_crossing(*, tau: float, rho_0: float) -> float:
    """The |lag|, s, beyond which an isolated pair depresses: -tau ln(2 rho_0 tau).

    nan where every pair depresses (2 rho_0 tau > 1).
    """
    _check(tau)
    alpha = 2 * rho_0 * tau
    return float(-tau * np.log(alpha)) if 0 < alpha <= 1 else float("inf" if alpha == 0 else "nan")


def weight_change(
    pre: ArrayLike, post: ArrayLike, *, eta: float, tau: float, rho_0: float
) -> float:
    """Exact weight change of arbitrary trains (spikes,), s, away from the bound."""
    _check(tau)
    x, y = np.asarray(pre, float), np.asarray(post, float)
    pairs = np.exp(-np.abs(x[:, None] - y[None, :]) / tau)
    return float(eta * (np.sum(pairs) - 2 * rho_0 * tau * x.size))


def drift(
    rho_x: ArrayLike, rho_y: ArrayLike, *, eta: float, tau: float, rho_0: float
) -> Array:
    """Mean dw/dt, 1/s, of independent Poisson trains (...): 2 eta tau rho_x (rho_y - rho_0)."""
    _check(tau)
    x, y = np.asarray(rho_x, float), np.asarray(rho_y, float)
    return np.asarray(2 * eta * tau * x * (y - rho_0))


def _check(tau: float) -> None:
    if not tau > 0:
        raise ValueError(f"vogels2011.tau: {tau!r} is not positive. Give tau > 0, in s.")
