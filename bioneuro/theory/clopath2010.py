"""Voltage-based STDP under voltage clamp, in closed form.

References:
    Clopath, Buesing, Vasilaki & Gerstner 2010, Nat Neurosci 13:344, doi 10.1038/nn.2479
    (the rule: eq. 3; voltage clamp: Fig. 1h and Methods).

    dw/dt = -A_LTD X (u_minus - theta_minus)+ + A_LTP x (u - theta_plus)+ (u_plus - theta_minus)+

X is the presynaptic train; x jumps by 1/tau_x at its spikes and decays with tau_x, so that
a spike's integral of x is 1; u_minus and u_plus follow u with tau_minus and tau_plus. When
u is piecewise constant, u_minus, u_plus and x are exponentials between events, and the
potentiation is an integral of products of two of them. No bounds, no homeostasis.

SI throughout: s, V, A_LTD in 1/V, A_LTP in 1/V**2. "(...)" is the shape of `u`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def per_spike(
    u: ArrayLike, *, A_LTD: float, A_LTP: float, theta_minus: float, theta_plus: float
) -> Array:
    """Weight change (...) of one spike under a constant clamp `u` (V, (...)), its whole tail included.

    Example:
        >>> made = per_spike([-0.0453], A_LTD=0.14, A_LTP=80.0, theta_minus=-0.0706, theta_plus=-0.0453)
        >>> round(100 * (1 + 25 * float(made[0])), 2)      # 25 spikes onto a weight of 1, in percent
        91.14
    """
    over = _positive(np.asarray(u, float) - theta_minus)
    return np.asarray(-A_LTD * over + A_LTP * _positive(np.asarray(u, float) - theta_plus) * over)


def constant_clamp(
    spikes: ArrayLike, u: ArrayLike, until: float, *, A_LTD: float, A_LTP: float,
    theta_minus: float, theta_plus: float, tau_x: float,
) -> Array:
    """Weight change (...) until `until` (s) by spikes (s) at a clamp `u` (V, (...)) that has held for ever.

    Spikes after `until` do not count; of the others what is left of x at `until` is missing.

    Raises ValueError for spikes out of order or a tau_x that is not positive.
    """
    times = _train(spikes)
    _check_times(tau_x=tau_x)
    times = times[times <= until]
    done = float(np.sum(-np.expm1(-(until - times) / tau_x)))
    down = per_spike(u, A_LTD=A_LTD, A_LTP=0.0, theta_minus=theta_minus, theta_plus=theta_plus)
    up = per_spike(u, A_LTD=0.0, A_LTP=A_LTP, theta_minus=theta_minus, theta_plus=theta_plus)
    return np.asarray(times.size * down + done * up)


def stepped_clamp(
    spikes: ArrayLike, start: Sequence[float], u: Sequence[float], until: float, *, before: float,
    A_LTD: float, A_LTP: float, theta_minus: float, theta_plus: float, tau_x: float,
    tau_minus: float, tau_plus: float,
) -> float:
    """Weight change until `until` (s) by spikes (s) while the voltage is u[k] (V) from start[k] (s) on.

    Arguments:
        start: the first is 0, increasing.
        before: the voltage until 0, which u_minus and u_plus have reached.

    Raises ValueError for times out of order and for time constants that are not positive.

    Example:
        >>> rule = dict(A_LTD=0.14, A_LTP=80.0, theta_minus=-0.0706, theta_plus=-0.0453, tau_x=0.015)
        >>> held = stepped_clamp([0.1], [0.0], [-0.02], 2.0, before=-0.02, tau_minus=0.01, tau_plus=0.007, **rule)
        >>> bool(np.isclose(held, constant_clamp([0.1], -0.02, 2.0, **rule), rtol=1e-12))
        True
    """
    times, breaks = _train(spikes), _train(start)
    _check_times(tau_x=tau_x, tau_minus=tau_minus, tau_plus=tau_plus)
    if breaks.size == 0 or breaks[0] != 0 or breaks.size != len(u):
        raise ValueError(f"clopath2010.start: {breaks} s for {len(u)} voltages. Give one start per voltage, the first at 0 s.")
    events = np.unique(np.concatenate([times, breaks, [until]]))
    events = events[events <= until]
    total, x, low_minus, low_plus = 0.0, 0.0, before, before
    for now, then in zip(events, np.append(events[1:], until), strict=True):
        if np.any(times == now):
            total -= A_LTD * max(low_minus - theta_minus, 0.0)
            x += 1 / tau_x
        held = u[int(np.searchsorted(breaks, now, side="right")) - 1]
        above, length = max(held - theta_plus, 0.0), then - now
        total += A_LTP * above * x * _overlap(held - theta_minus, low_plus - held, length, tau_x, tau_plus)
        x *= np.exp(-length / tau_x)
        low_minus = held + (low_minus - held) * np.exp(-length / tau_minus)
        low_plus = held + (low_plus - held) * np.exp(-length / tau_plus)
    return float(total)


def _overlap(end: float, extra: float, length: float, tau_x: float, tau_plus: float) -> float:
    """Integral over [0, length] of exp(-s/tau_x) (end + extra exp(-s/tau_plus))+."""
    first, last = 0.0, length
    if end * extra < 0:  # the bracket passes 0 once
        zero = tau_plus * float(np.log(-extra / end))
        first, last = (zero, length) if end > 0 else (0.0, zero)
    elif end + extra <= 0:
        return 0.0
    first, last = max(first, 0.0), min(last, length)
    if first >= last:
        return 0.0
    both = 1 / (1 / tau_x + 1 / tau_plus)
    return end * _decay(first, last, tau_x) + extra * _decay(first, last, both)


def _decay(first: float, last: float, tau: float) -> float:
    """Integral of exp(-s/tau) from first to last."""
    return float(-tau * np.exp(-first / tau) * np.expm1(-(last - first) / tau))


def _positive(y: Array) -> Array:
    return np.maximum(y, 0.0)


def _train(times: ArrayLike) -> Array:
    """Times as an array; refuses what has no order."""
    train = np.asarray(times, float)
    if train.ndim != 1 or not np.all(np.isfinite(train)) or np.any(np.diff(train) <= 0) or np.any(train < 0):
        raise ValueError(f"clopath2010: times must be one strictly increasing list from 0 s on; got {train!r}. Sort them.")
    return train


def _check_times(**constants: float) -> None:
    for name, value in constants.items():
        if not value > 0:
            raise ValueError(f"clopath2010.{name}: {value!r} is not positive. Give {name} > 0, in s.")
