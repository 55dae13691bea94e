"""Pair rule of spike-timing-dependent plasticity, by explicit pairs of spikes.

References:
    Morrison, Diesmann & Gerstner 2008, Biol Cybern 98:459,
    doi 10.1007/s00422-008-0233-1 (the rule, and its pairing schemes: Fig. 7).
    Pfister & Gerstner 2006, J Neurosci 26:9673, doi 10.1523/JNEUROSCI.1425-06.2006.

A causal pair (post at or after pre) adds A_plus exp(-lag/tau_plus), an acausal pair
(post before pre) subtracts A_minus exp(lag/tau_minus), with lag = post - pre in s and
both amplitudes positive. No bounds. At equal times the pre spike comes first: the pair
is causal with lag 0 and adds A_plus.

A scheme is a function that says which spikes pair: it takes sorted ``pre`` and ``post``
(s) and returns the lags of the causal pairs (>= 0) and of the acausal pairs (< 0). The
schemes follow their definitions, without traces, so that trace-based simulations can be
judged by them.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Scheme = Callable[[Array, Array], tuple[Array, Array]]


def _lags(causal: list[float], acausal: list[float]) -> tuple[Array, Array]:
    return np.array(causal, float), np.array(acausal, float)


def _last_pre(pre: Array, post: Array) -> list[float]:
    """Lag of each post spike to the last pre at or before it, where there is one."""
    return [t - max(pre[pre <= t]) for t in post if np.any(pre <= t)]


def _last_post(pre: Array, post: Array) -> list[float]:
    """Lag of each pre spike to the last post before it, where there is one."""
    return [max(post[post < t]) - t for t in pre if np.any(post < t)]


def all_to_all(pre: Array, post: Array) -> tuple[Array, Array]:
    """Every pre spike pairs with every post spike."""
    lags = (post[None, :] - pre[:, None]).ravel()
    return lags[lags >= 0], lags[lags < 0]


def nearest_symmetric(pre: Array, post: Array) -> tuple[Array, Array]:
    """Each pre pairs with the last post before it, each post with the last pre (Fig. 7A).

    A pre spike may serve several post spikes, and the other way round.
    """
    return _lags(_last_pre(pre, post), _last_post(pre, post))


def nearest_pre_centred(pre: Array, post: Array) -> tuple[Array, Array]:
    """Each pre pairs with the last post before it and the next post after it (Fig. 7B).

    Every pre spike has at most one causal and one acausal pair; several pre spikes may
    share the next post spike.
    """
    causal = [min(post[post >= t]) - t for t in pre if np.any(post >= t)]
    return _lags(causal, _last_post(pre, post))


def nearest_reduced(pre: Array, post: Array) -> tuple[Array, Array]:
    """Only immediate pairs: no other pre or post spike lies in between (Fig. 7C)."""
    # 0 and 1 put a pre before a post of equal time.
    spikes = sorted([(float(t), 0) for t in pre] + [(float(t), 1) for t in post])
    steps = [
        (second[0] - first[0], first[1])
        for first, second in pairwise(spikes)
        if first[1] != second[1]
    ]
    return _lags(
        [gap for gap, begins in steps if begins == 0],
        [-gap for gap, begins in steps if begins == 1],
    )


def _train(name: str, times: ArrayLike) -> Array:
    """Spike times as an array; refuses what has no order."""
    train = np.asarray(times, float)
    if train.ndim != 1 or not np.all(np.isfinite(train)) or np.any(np.diff(train) <= 0):
        raise ValueError(
            f"pair.{name}: spike times must be one strictly increasing, finite list, "
            f"in s; got {train!r}. Sort them and give one neuron at a time."
        )
    return train


def weight_change(
    pre: ArrayLike, post: ArrayLike, *, A_plus: float, A_minus: float, tau_plus: float,
    tau_minus: float, scheme: Scheme = all_to_all,
) -> float:
    """Exact weight change of arbitrary spike trains under a pairing scheme.

    Arguments:
        pre, post: spike times, s, (spikes,), strictly increasing; may be empty.
        A_plus, A_minus: amplitudes, in the unit of the weight; A_minus is subtracted.
        tau_plus, tau_minus: s.
        scheme: `all_to_all`, `nearest_symmetric`, `nearest_pre_centred`,
            `nearest_reduced`, or a function like them.

    Raises ValueError for times out of order and for time constants not positive.

    Example:
        >>> weight_change([0.0], [0.0], A_plus=0.01, A_minus=0.02, tau_plus=0.02,
        ...               tau_minus=0.02)
        0.01
    """
    _check_constants(tau_plus, tau_minus)
    causal, acausal = scheme(_train("pre", pre), _train("post", post))
    up = A_plus * np.exp(-causal / tau_plus)
    down = A_minus * np.exp(acausal / tau_minus)
    return float(np.sum(up) - np.sum(down))


def pairing(lag: float, rate: float, pairs: int) -> tuple[Array, Array]:
    """Spike times (pairs,) of pre at k/rate and of post ``lag`` s later.

    Raises ValueError for a rate not positive or pairs not a count.
    """
    if not rate > 0 or int(pairs) != pairs or pairs < 0:
        raise ValueError(
            f"pair.pairing: rate {rate!r} Hz, pairs {pairs!r}. Give rate > 0 and a whole "
            "number of pairs >= 0."
        )
    pre = np.arange(int(pairs)) / rate
    return pre, pre + lag


def window(
    lags: ArrayLike, rate: float, pairs: int, *, A_plus: float, A_minus: float,
    tau_plus: float, tau_minus: float, scheme: Scheme = all_to_all,
) -> Array:
    """Weight change of ``pairs`` periodic pairs at ``rate`` Hz, for each lag (...), exact.

    Post spikes of other pairs count as the scheme says; at a low rate the result tends
    to `infinite_spacing`.
    """
    each = np.asarray(lags, float)
    changes = [
        weight_change(
            *pairing(lag, rate, pairs), A_plus=A_plus, A_minus=A_minus,
            tau_plus=tau_plus, tau_minus=tau_minus, scheme=scheme,
        )
        for lag in each.ravel().tolist()
    ]
    return np.array(changes, float).reshape(each.shape)


def infinite_spacing(
    lag: ArrayLike, pairs: int, *, A_plus: float, A_minus: float, tau_plus: float,
    tau_minus: float,
) -> Array:
    """Weight change of ``pairs`` pairs that do not see each other, for each lag (...).

    pairs A exp(-|lag|/tau), positive (A_plus, tau_plus) at lag >= 0 and negative
    (A_minus, tau_minus) below.
    """
    _check_constants(tau_plus, tau_minus)
    x = np.asarray(lag, float)
    up = A_plus * np.exp(-np.abs(x) / tau_plus)
    down = -A_minus * np.exp(-np.abs(x) / tau_minus)
    return np.asarray(pairs * np.where(x >= 0, up, down))


def _check_constants(tau_plus: float, tau_minus: float) -> None:
    for name, value in (("tau_plus", tau_plus), ("tau_minus", tau_minus)):
        if not value > 0:
            raise ValueError(f"pair.{name}: {value!r} is not positive. Give {name} > 0, in s.")
