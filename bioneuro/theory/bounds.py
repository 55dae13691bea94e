"""How a weight meets its bounds: what n identical, isolated pairs of spikes do to it.

Isolated: pairs so far apart that they do not see each other, so every pair scales its
change by K = exp(-|lag|/tau). lag = post - pre, s; a lag of 0 is causal.

References:
    Song, Miller & Abbott 2000, Nat Neurosci 3:919 (additive, hard bounds).
    van Rossum, Bi & Turrigiano 2000, J Neurosci 20:8812 (additive potentiation,
    multiplicative depression).
    Guetig, Aharonov, Rotter & Sompolinsky 2003, J Neurosci 23:3697 (both changes scale
    with a power mu of the distance to the bound).

"(...)" is the broadcast shape of weight, lag and pairs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def song2000(
    w: ArrayLike, lag: ArrayLike, pairs: ArrayLike, *, A_plus: float, A_minus: float,
    tau_plus: float, tau_minus: float, w_min: float = 0.0, w_max: float = 1.0,
) -> Array:
    """Weight (...) after ``pairs`` pairs at ``lag``, from ``w``: a line that stops at a bound."""
    up, down = _kernels(lag, tau_plus, tau_minus)
    n = _count(pairs)
    return np.clip(np.asarray(w, float) + n * (A_plus * up - A_minus * down), w_min, w_max)


def vanrossum2000(
    w: ArrayLike, lag: ArrayLike, pairs: ArrayLike, *, c_p: float, c_d: float,
    tau_plus: float, tau_minus: float,
) -> Array:
    """Weight (...) after ``pairs`` pairs: w + n c_p K if causal, w (1 - c_d K)^n if not."""
    up, down = _kernels(lag, tau_plus, tau_minus)
    n = _count(pairs)
    return np.asarray(np.asarray(w, float) * (1 - c_d * down) ** n + n * c_p * up)


def vanrossum2000_rest(
    *, c_p: float, c_d: float, tau_plus: float, tau_minus: float
) -> float:
    """The weight at which uncorrelated trains of any rates have no drift."""
    return c_p * tau_plus / (c_d * tau_minus)


def guetig2003(
    w: ArrayLike, lag: ArrayLike, pairs: int, *, lam: float, alpha: float, mu: float, tau: float
) -> Array:
    """Weight (...) after ``pairs`` pairs, from ``w`` in [0, 1]: exact, pair after pair.

    For mu = 0 it is the line of `song2000`, for mu = 1 the distance to the bound falls
    by the same factor with every pair: `guetig2003_multiplicative`. Between the two
    there is no closed form but for small steps: `guetig2003_slow`.
    """
    up, down = _kernels(lag, tau, tau)
    weight = np.asarray(w, float)
    for _ in range(int(_count(pairs))):
        step = lam * (up * (1 - weight) ** mu - alpha * down * weight**mu)
        weight = np.clip(weight + step, 0.0, 1.0)
    return np.asarray(weight)


def guetig2003_multiplicative(
    w: ArrayLike, lag: ArrayLike, pairs: ArrayLike, *, lam: float, alpha: float, tau: float
) -> Array:
    """mu = 1: 1 - (1-w)(1 - lam K)^n if causal, w (1 - lam alpha K)^n if not (...)."""
    up, down = _kernels(lag, tau, tau)
    n = _count(pairs)
    left = (1 - np.asarray(w, float)) * (1 - lam * up) ** n
    return np.asarray((1 - left) * (1 - lam * alpha * down) ** n)


def guetig2003_slow(
    w: ArrayLike, lag: ArrayLike, pairs: ArrayLike, *, lam: float, alpha: float, mu: float,
    tau: float,
) -> Array:
    """The limit of small steps, lam -> 0 at fixed n lam, for 0 <= mu < 1 (...).

    The distance d to the bound follows dd/dn = -a d^mu, a = lam K (causal) or
    lam alpha K: d^(1-mu) falls linearly and the bound is reached in a finite time.
    """
    if not 0 <= mu < 1:
        raise ValueError(f"bounds.guetig2003_slow: mu is {mu!r}. Give 0 <= mu < 1.")
    up, down = _kernels(lag, tau, tau)
    weight, causal = np.asarray(w, float), np.asarray(lag, float) >= 0
    distance = np.where(causal, 1 - weight, weight)
    fall = (1 - mu) * _count(pairs) * lam * (up + alpha * down)
    left = np.maximum(distance ** (1 - mu) - fall, 0.0) ** (1 / (1 - mu))
    return np.where(causal, 1 - left, left)


def guetig2003_rest(*, alpha: float, mu: float) -> float:
    """The weight without drift under uncorrelated trains, 1/(1 + alpha^(1/mu)), mu > 0."""
    if not mu > 0:
        raise ValueError(
            f"bounds.guetig2003_rest: mu is {mu!r}; an additive rule rests at a bound. "
            "Give mu > 0."
        )
    return float(1 / (1 + alpha ** (1 / mu)))


def guetig2003_spread(*, lam: float, alpha: float) -> float:
    """Standard deviation of a multiplicative weight (mu = 1) at rest, for small steps.

    Between independent Poisson trains of any rates x, y: near rest every pair adds
    lam g sgn(lag) exp(-|lag|/tau), g = alpha/(1 + alpha), a random walk of variance
    lam^2 g^2 tau x y per time, drawn back at the rate lam x y tau (1 + alpha).
    """
    return float(alpha / (1 + alpha) * (lam / (2 * (1 + alpha))) ** 0.5)


def _kernels(lag: ArrayLike, tau_plus: float, tau_minus: float) -> tuple[Array, Array]:
    """exp(-|lag|/tau) of causal and of acausal pairs, 0 where a pair is of the other kind."""
    if not (tau_plus > 0 and tau_minus > 0):
        raise ValueError(
            f"bounds: tau_plus {tau_plus!r}, tau_minus {tau_minus!r} s must be positive."
        )
    x = np.asarray(lag, float)
    up = np.where(x >= 0, np.exp(-np.abs(x) / tau_plus), 0.0)
    down = np.where(x < 0, np.exp(-np.abs(x) / tau_minus), 0.0)
    return up, down


def _count(pairs: ArrayLike) -> Array:
    n = np.asarray(pairs, float)
    if np.any(n < 0) or np.any(n != np.rint(n)):
        raise ValueError(f"bounds: {pairs!r} is not a number of pairs. Give whole numbers >= 0.")
    return n
