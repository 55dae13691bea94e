"""The pair rule by explicit pairs: small cases by hand, and laws."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import ArrayLike

from bioneuro.theory import pair

RULE = {"A_plus": 0.010, "A_minus": 0.012, "tau_plus": 0.017, "tau_minus": 0.034}
SCHEMES = (
    pair.all_to_all, pair.nearest_symmetric, pair.nearest_pre_centred, pair.nearest_reduced,
)
NEAREST = SCHEMES[1:]

# Whole milliseconds, so that equal times are drawn often.
spike_times = st.lists(st.integers(0, 60), unique=True, max_size=12).map(
    lambda ms: np.array(sorted(ms)) / 1000
)


def change(pre: ArrayLike, post: ArrayLike, scheme: pair.Scheme) -> float:
    return pair.weight_change(pre, post, scheme=scheme, **RULE)


def in_ms(lags: pair.Array) -> list[int]:
    return sorted(round(1000 * x) for x in lags)


@pytest.mark.parametrize(
    ("scheme", "causal", "acausal"),
    [
        # pre 0 10 40, post 20 30 50 ms
        (pair.all_to_all, [10, 10, 20, 20, 30, 40, 50], [-20, -10]),
        (pair.nearest_symmetric, [10, 10, 20], [-10]),
        (pair.nearest_pre_centred, [10, 10, 20], [-10]),
        (pair.nearest_reduced, [10, 10], [-10]),
    ],
)
def test_pairs_by_hand(
    scheme: pair.Scheme, causal: list[int], acausal: list[int]
) -> None:
    found = scheme(np.array([0.0, 0.010, 0.040]), np.array([0.020, 0.030, 0.050]))
    assert in_ms(found[0]) == causal
    assert in_ms(found[1]) == acausal


@pytest.mark.parametrize(
    ("scheme", "causal", "acausal"),
    [
        # post 0 7, pre 10 22, post 25 ms: all four differ
        (pair.all_to_all, [3, 15], [-22, -15, -10, -3]),
        (pair.nearest_symmetric, [3], [-15, -3]),
        (pair.nearest_pre_centred, [3, 15], [-15, -3]),
        (pair.nearest_reduced, [3], [-3]),
    ],
)
def test_schemes_differ_by_hand(
    scheme: pair.Scheme, causal: list[int], acausal: list[int]
) -> None:
    found = scheme(np.array([0.010, 0.022]), np.array([0.0, 0.007, 0.025]))
    assert in_ms(found[0]) == causal
    assert in_ms(found[1]) == acausal


@pytest.mark.parametrize("scheme", SCHEMES)
def test_equal_times_are_causal_only(scheme: pair.Scheme) -> None:
    assert change([0.1], [0.1], scheme) == RULE["A_plus"]
    # The earlier post is the last one before the pre, not the simultaneous one.
    expected = RULE["A_plus"] - RULE["A_minus"] * math.exp(-0.020 / RULE["tau_minus"])
    assert change([0.1], [0.080, 0.1], scheme) == pytest.approx(expected, abs=1e-15)


@given(pre=spike_times, post=spike_times)
def test_all_to_all_is_the_double_sum(pre: pair.Array, post: pair.Array) -> None:
    lag = post[None, :] - pre[:, None]
    kernel = np.where(
        lag >= 0,
        RULE["A_plus"] * np.exp(-np.abs(lag) / RULE["tau_plus"]),
        -RULE["A_minus"] * np.exp(-np.abs(lag) / RULE["tau_minus"]),
    )
    assert change(pre, post, pair.all_to_all) == pytest.approx(np.sum(kernel), abs=1e-14)


def traces(pre: pair.Array, post: pair.Array, nearest: bool) -> float:
    """The same rule by two traces, pre before post at equal times."""
    w, last_pre, last_post, x, y = 0.0, -math.inf, -math.inf, 0.0, 0.0
    for t, kind in sorted([(t, 0) for t in pre] + [(t, 1) for t in post]):
        if kind == 0:
            w -= RULE["A_minus"] * y * math.exp((last_post - t) / RULE["tau_minus"])
            x = 1 + (0 if nearest else x * math.exp((last_pre - t) / RULE["tau_plus"]))
            last_pre = t
        else:
            w += RULE["A_plus"] * x * math.exp((last_pre - t) / RULE["tau_plus"])
            y = 1 + (0 if nearest else y * math.exp((last_post - t) / RULE["tau_minus"]))
            last_post = t
    return w


@given(pre=spike_times, post=spike_times)
def test_traces_agree_with_pairs(pre: pair.Array, post: pair.Array) -> None:
    for scheme, nearest in ((pair.all_to_all, False), (pair.nearest_symmetric, True)):
        assert change(pre, post, scheme) == pytest.approx(traces(pre, post, nearest), abs=1e-14)


@given(pre=spike_times, post=spike_times)
def test_each_nearest_scheme_uses_pairs_of_the_wider_one(
    pre: pair.Array, post: pair.Array
) -> None:
    def pairs(scheme: pair.Scheme) -> list[list[float]]:
        return [np.round(lags, 9).tolist() for lags in scheme(pre, post)]

    widest, reduced = pairs(pair.all_to_all), pairs(pair.nearest_reduced)
    for scheme in (pair.nearest_symmetric, pair.nearest_pre_centred):
        for wide, middle, narrow in zip(widest, pairs(scheme), reduced, strict=True):
            assert all(wide.count(x) >= middle.count(x) for x in middle)
            assert all(middle.count(x) >= narrow.count(x) for x in narrow)


@given(ms=st.integers(-100, 100), pairs=st.integers(1, 8))
def test_isolated_pairs_agree_in_all_schemes(ms: int, pairs: int) -> None:
    # Not any float: a lag below the spacing of floats at 10 s would round to lag 0.
    lag = ms / 1000
    expected = pair.infinite_spacing(lag, pairs, **RULE)
    for scheme in SCHEMES:
        # 0.1 Hz: the nearest other spike is 10 s away, exp(-10/0.034) is nothing.
        found = pair.window(lag, 0.1, pairs, scheme=scheme, **RULE)
        assert found == pytest.approx(expected, rel=1e-9, abs=1e-15)


def test_windows_by_hand() -> None:
    lags = np.array([[0.010, -0.010]])
    up, down = 0.010 * math.exp(-0.010 / 0.017), 0.012 * math.exp(-0.010 / 0.034)
    np.testing.assert_allclose(
        pair.infinite_spacing(lags, 60, **RULE), [[60 * up, -60 * down]], rtol=1e-14
    )
    # Two pairs 50 ms apart: pre 0 50, post 10 60.
    cross = 0.010 * math.exp(-0.060 / 0.017) - 0.012 * math.exp(-0.040 / 0.034)
    every = pair.window(0.010, 20.0, 2, scheme=pair.all_to_all, **RULE)
    assert every == pytest.approx(2 * up + cross, rel=1e-12)
    near = 2 * up - 0.012 * math.exp(-0.040 / 0.034)
    for scheme in NEAREST:
        assert pair.window(0.010, 20.0, 2, scheme=scheme, **RULE) == pytest.approx(near)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_silence_changes_nothing(scheme: pair.Scheme) -> None:
    assert change([], [], scheme) == change([0.1], [], scheme) == change([], [0.1], scheme) == 0


def test_refusals() -> None:
    with pytest.raises(ValueError, match=r"pair\.pre: .* strictly increasing"):
        change([0.2, 0.1], [0.1], pair.all_to_all)
    with pytest.raises(ValueError, match=r"pair\.post: .* strictly increasing"):
        change([0.1], [0.1, 0.1], pair.all_to_all)
    with pytest.raises(ValueError, match=r"pair\.tau_plus"):
        pair.infinite_spacing(0.0, 1, **(RULE | {"tau_plus": 0.0}))
    with pytest.raises(ValueError, match=r"rate"):
        pair.pairing(0.0, 0.0, 1)
