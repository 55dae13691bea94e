"""Published data: complete, read-only, and with their source."""

from __future__ import annotations

import numpy as np
import pytest

from bioneuro.evidence import graupner2012, sjostrom2001

WINDOWS = (graupner2012.DP, graupner2012.D)
SERIES = (sjostrom2001.PRE_POST, sjostrom2001.POST_PRE)


@pytest.mark.parametrize("data", WINDOWS)
def test_windows_are_whole(data: graupner2012.Window) -> None:
    assert data.lags.shape == data.ratio.shape == (41,)
    assert "10.1073/pnas.1109359109" in data.source
    assert np.array_equal(data.lags, -data.lags[::-1])
    assert (data.pairs, data.rate, data.runs) == (60, 1.0, 1000)


@pytest.mark.parametrize("data", SERIES)
def test_series_are_whole(data: sjostrom2001.FrequencyDependence) -> None:
    assert data.rate.shape == data.ratio.shape == data.sem.shape == (5,)
    assert "10.1016/S0896-6273(01)00542-6" in data.source
    assert abs(data.lag) == 0.010


def test_nobody_can_change_them() -> None:
    arrays = [a for w in WINDOWS for a in (w.lags, w.ratio)]
    arrays += [a for s in SERIES for a in (s.rate, s.ratio, s.sem)]
    for values in arrays:
        with pytest.raises(ValueError, match="read-only"):
            values[0] = 2.0
