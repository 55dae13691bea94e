"""Short-term plasticity: amplitudes released by arbitrary and by regular trains.

References:
    Tsodyks & Markram 1997, PNAS 94:719, doi 10.1073/pnas.94.2.719.
    Markram, Wang & Tsodyks 1998, PNAS 95:5323, doi 10.1073/pnas.95.9.5323.
    Tsodyks, Pawelzik & Markram 1998, Neural Comput 10:821,
    doi 10.1162/089976698300017502.

From one spike to the next, h later, with u just after a spike and x just before it:

    u' = U + u (1 - U) exp(-h/tau_facil)            the first spike of a rested synapse: U
    x' = 1 - (1 - x (1 - u)) exp(-h/tau_rec)        the first spike: 1

and each spike releases u x. ``tau_facil`` = None is a synapse without facilitation:
u = U. Amplitudes are shares of the largest possible one; times in s, rates in Hz;
"(...)" is the shape of what is varied.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def released(
    times: ArrayLike, *, U: float, tau_rec: float, tau_facil: float | None = None
) -> Array:
    """Amplitude of every spike of a train (spikes,), strictly increasing times, s.

    Example:
        >>> released([0.0, 0.1], U=0.5, tau_rec=0.8).round(4).tolist()
        [0.5, 0.2794]
    """
    _check(U, tau_rec, tau_facil)
    train = np.asarray(times, float)
    if train.ndim != 1 or not np.all(np.isfinite(train)) or np.any(np.diff(train) <= 0):
        raise ValueError(
            f"tsodyks1998.times: {train!r} is not one strictly increasing, finite list. "
            "Sort the spike times."
        )
    u, x, amplitudes = U, 1.0, list[float]()
    for k, t in enumerate(train.tolist()):
        if k:
            gap = t - train[k - 1]
            x = 1 - (1 - x * (1 - u)) * float(np.exp(-gap / tau_rec))
            u = float(_raised(u, U, gap, tau_facil))
        amplitudes.append(u * x)
    return np.array(amplitudes)


def paired_pulse_ratio(
    interval: ArrayLike, *, U: float, tau_rec: float, tau_facil: float | None = None
) -> Array:
    """Second over first amplitude of a rested synapse, for each interval, s (...).

    (1 + (1-U) exp(-h/tau_facil)) (1 - U exp(-h/tau_rec)); the first factor is 1 without
    facilitation. Above 1 facilitation prevails, below it depression.
    """
    _check(U, tau_rec, tau_facil)
    h = np.asarray(interval, float)
    return np.asarray(_raised(U, U, h, tau_facil) / U * (1 - U * np.exp(-h / tau_rec)))


def steady_state(
    rate: ArrayLike, *, U: float, tau_rec: float, tau_facil: float | None = None
) -> Array:
    """Amplitude per spike in the steady state of a regular train, for each rate, Hz (...).

    u = U/(1 - (1-U) exp(-1/(rate tau_facil))),
    x = (1 - exp(-1/(rate tau_rec)))/(1 - (1-u) exp(-1/(rate tau_rec))), released u x.
    """
    _check(U, tau_rec, tau_facil)
    f = np.asarray(rate, float)
    if np.any(f <= 0):
        raise ValueError(f"tsodyks1998.rate: {rate!r} Hz is not positive. Give rates > 0.")
    u = np.asarray(U, float)
    if tau_facil is not None:
        u = U / (1 - (1 - U) * np.exp(-1 / (f * tau_facil)))
    left = np.exp(-1 / (f * tau_rec))
    return np.asarray(u * (1 - left) / (1 - (1 - u) * left))


def poisson_mean(rate: ArrayLike, *, U: float, tau_rec: float) -> Array:
    """Mean amplitude per spike of a Poisson train without facilitation, U/(1 + U rate tau_rec).

    Exact: x just before a spike does not know that it comes. With facilitation u and x
    are correlated and there is no such closed form.
    """
    _check(U, tau_rec, None)
    return np.asarray(U / (1 + U * np.asarray(rate, float) * tau_rec))


def _raised(u: float, U: float, gap: ArrayLike, tau_facil: float | None) -> Array:
    """The utilisation of the next spike, ``gap`` seconds after one that used u."""
    if tau_facil is None:
        return np.full_like(np.asarray(gap, float), U)
    return np.asarray(U + u * (1 - U) * np.exp(-np.asarray(gap, float) / tau_facil))


def _check(U: float, tau_rec: float, tau_facil: float | None) -> None:
    if not 0 < U <= 1:
        raise ValueError(f"tsodyks1998.U: {U!r} is not a share. Give 0 < U <= 1.")
    for name, value in (("tau_rec", tau_rec), ("tau_facil", tau_facil)):
        if value is not None and not value > 0:
            raise ValueError(
                f"tsodyks1998.{name}: {value!r} is not positive. Give {name} > 0, in s"
                + (", or None for no facilitation." if name == "tau_facil" else ".")
            )
