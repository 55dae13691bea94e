"""Where the neurons of the catalogue begin to fire under a constant current, and how fast those fire that have a law.

References:
    leaky integrate-and-fire and adaptive thresholds: derived here from the equations of
    `bioneuro.catalogue.vogels2005`, `bellec2018` and `kobayashi2009`.
    Rheobase of the AdEx neuron: Touboul & Brette 2008, Biol Cybern 99:319,
    doi 10.1007/s00422-008-0267-4 (from memory), derived again here.
    Izhikevich 2003: where the fixed points meet or the lower one loses its stability.

Parameters are those of the models, by name and in SI. Rates are in the adapted state, in
Hz, and 0 where the neuron does not fire (or less than once in `LONGEST` s).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq

Array = NDArray[np.float64]

LONGEST = 5.0
"""Longest interval that counts as firing, s."""


def lif_rate(
    current: ArrayLike, *, E_L: float, V_th: float, V_r: float, tau_m: float, t_ref: float
) -> Array:
    """1/(t_ref + tau_m ln((E_L + I - V_r)/(E_L + I - V_th))), I in volt (...)."""
    rest = E_L + np.asarray(current, float)
    with np.errstate(divide="ignore", invalid="ignore"):
        interval = t_ref + tau_m * np.log((rest - V_r) / (rest - V_th))
    return np.asarray(np.where(rest > V_th, 1 / interval, 0.0))


def alif_rate(
    current: ArrayLike, *, tau_m: float, tau_a: float, b_0: float, beta: float, t_ref: float
) -> Array:
    """Bellec et al. 2018, I in volt (...): the interval after which v meets its threshold."""

    def surplus(level: float, T: float) -> float:  # v over the threshold, T after a spike
        return -level * math.expm1(-T / tau_m) - b_0 - beta / tau_a * _left(T, tau_a)

    return _each(current, surplus, t_ref)


def mat_rate(
    current: ArrayLike, *, E_L: float, R: float, omega: float, alpha_1: float, alpha_2: float,
    tau_1: float, tau_2: float, t_ref: float,
) -> Array:
    """Kobayashi et al. 2009, I in ampere (...): v is constant while its threshold falls."""

    def surplus(level: float, T: float) -> float:
        fallen = alpha_1 * _left(T, tau_1) + alpha_2 * _left(T, tau_2)
        return E_L + R * level - omega - fallen

    return _each(current, surplus, t_ref)


def mat_rheobase(*, E_L: float, R: float, omega: float) -> float:
    """The current, A, that holds v at the resting threshold."""
    return (omega - E_L) / R


def adex_rheobase(
    *, C: float, g_L: float, E_L: float, V_T: float, Delta_T: float, a: float, tau_w: float
) -> float:
    """The current, A, at which rest ends.

    For a/g_L > tau_m/tau_w rest loses its stability (Andronov-Hopf) before the fixed points
    meet (saddle-node).
    """
    tau_m, ratio, room = C / g_L, a / g_L, V_T - E_L - Delta_T
    if ratio <= tau_m / tau_w:
        return (g_L + a) * (room + Delta_T * math.log(1 + ratio))
    slope = tau_m / tau_w
    return (g_L + a) * (room + Delta_T * math.log(1 + slope)) + Delta_T * g_L * (ratio - slope)


def izhikevich_rheobase(
    *, k_0: float, k_1: float, k_2: float, a: float, b: float
) -> float:
    """The current, V/s, at which rest ends; dv/dt = k_2 v^2 + k_1 v + k_0 - u + I."""
    v = min((b - k_1) / (2 * k_2), (a - k_1) / (2 * k_2))
    return -(k_2 * v**2 + (k_1 - b) * v + k_0)


def _left(T: float, tau: float) -> float:
    """Sum of exp(-k T/tau) over k = 1, 2, ...: what is left of all earlier spikes T after the last."""
    return math.exp(-T / tau) / -math.expm1(-T / tau)


def _each(
    current: ArrayLike, surplus: Callable[[float, float], float], shortest: float
) -> Array:
    """Rates whose intervals make ``surplus(current, interval)`` vanish."""

    def one(level: float) -> float:
        if surplus(level, LONGEST) <= 0:
            return 0.0
        if surplus(level, shortest) > 0:
            return 1 / shortest
        return 1 / float(brentq(lambda T: surplus(level, T), shortest, LONGEST))

    levels = np.asarray(current, float)
    return np.array([one(x) for x in levels.ravel().tolist()]).reshape(levels.shape)
