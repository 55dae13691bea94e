"""Protocols: the trial table, the spikes of pairing, what `once` keeps, and what an empty or senseless protocol is told."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioneuro import protocol
from bioneuro.protocol import Clock, Coordinate, Current, Events, Poisson, Protocol, ProtocolError, Spikes
from bioneuro.units import UnitError

LAGS = ["-10 ms", "0 ms", "5 ms"]


def window(**options: Any) -> Protocol:
    return protocol.pairing(**{"lag": LAGS, "rate": ["1 Hz", "10 Hz"], "pairs": 4, **options})


def times_of(made: Protocol, port: str, trial: int) -> Any:
    spikes = made.spikes[port]
    assert isinstance(spikes, Spikes)
    return np.sort(spikes.time[spikes.stimulus == made.stimulus[trial]])


def test_every_combination_is_a_trial() -> None:
    made = window(repetitions=2, initial={"calcium.rho": [0, 1]})
    assert made.n_trials == 3 * 2 * 2 * 2
    assert made.n_stimuli == 3 * 2  # initial states and repetitions share their spikes
    table = np.stack([made.trials[name].values for name in ("lag", "rate", "start", "repetition")], axis=1)
    assert len(np.unique(table, axis=0)) == made.n_trials
    assert np.array_equal(made.settings["calcium.rho"], made.trials["start"].values)
    assert made.trials["lag"].shown.min() == -10


@given(
    st.lists(st.integers(-1000, 1000), min_size=1, max_size=4, unique=True),
    st.integers(1, 20),
    st.sampled_from([0.5, 1.0, 20.0]),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_pairs_are_a_lag_and_a_period_apart(lags: list[int], pairs: int, rate: float, onset: float, rest: float) -> None:
    made = protocol.pairing(
        lag=[f"{lag / 10} ms" for lag in lags], rate=f"{rate} Hz", pairs=pairs, onset=f"{onset!r} s", rest=f"{rest!r} s"
    )
    for trial, lag in enumerate(lags):
        pre, post = times_of(made, "pre", trial), times_of(made, "post", trial)
        assert pre.size == post.size == pairs
        np.testing.assert_allclose(post - pre, lag * 1e-4, atol=1e-12)
        np.testing.assert_allclose(np.diff(pre), 1 / rate, rtol=1e-12)
        assert min(pre.min(), post.min()) >= onset - 1e-12
        assert made.reads[made.stimulus[trial], -1] == pytest.approx(max(pre.max(), post.max()) + rest)


@given(st.integers(1, 3), st.integers(1, 3))
def test_once_keeps_stimuli_and_settings(repetitions: int, starts: int) -> None:
    states = list(range(starts))
    whole = window(repetitions=repetitions, initial={"calcium.rho": states})
    kept = protocol.once(whole)
    single = window(repetitions=1, initial={"calcium.rho": states})
    assert kept.digest == single.digest
    assert protocol.once(kept).digest == kept.digest
    first = np.flatnonzero(whole.trials["repetition"].values == 0)
    for here, there in enumerate(first):
        for port in ("pre", "post"):
            assert np.array_equal(times_of(kept, port, here), times_of(whole, port, there))
        assert np.array_equal(kept.reads[kept.stimulus[here]], whole.reads[whole.stimulus[there]])


def test_once_keeps_currents_and_rates() -> None:
    trains = protocol.once(protocol.poisson({"pre": ["1 Hz", "2 Hz"]}, "1 s", repetitions=3))
    rates = trains.spikes["pre"]
    assert isinstance(rates, Poisson)
    assert rates.rate.tolist() == [1, 2]
    steps = protocol.step_current({"adex": ["1 nA", "2 nA"]}, "1 s", every="0.1 s")
    assert protocol.once(steps) is steps
    repeated = dataclasses.replace(steps, trials={**steps.trials, "repetition": Coordinate(values=np.array([0.0, 1.0]))})
    assert protocol.once(repeated).currents["adex"].value.tolist() == [[1e-9]]


def test_step_current_is_on_from_start_to_stop() -> None:
    made = protocol.step_current({"adex": ["1 nA", "2 nA"]}, "1 s", start="0.2 s", stop="0.6 s", every="0.25 s")
    current = made.currents["adex"]
    assert current.start.tolist() == [0, 0.2, 0.6]
    assert current.value.tolist() == [[0, 0], [1e-9, 2e-9], [0, 0]]
    assert made.reads.tolist() == [[0.25, 0.5, 0.75, 1.0]]


def test_digest_sees_every_change() -> None:
    base = window()
    others = [
        window(rest="2 s"), window(onset="0.3 s"), window(pairs=5), window(lag=LAGS[:2]), window(stepping=protocol.clock()),
        window(stepping=Events(grid=0.1)), window(initial={"calcium.rho": 0}), window(initial={"calcium.rho": 1}),
        window(record=("calcium.rho",)), window(ports=("post", "pre")), window(rate=["1 Hz", "11 Hz"]),
    ]  # fmt: skip
    assert len({p.digest for p in (base, *others)}) == len(others) + 1
    assert window().digest == base.digest


def test_stepping_says_what_it_is() -> None:
    assert str(protocol.clock("0.1 ms")) == "clock, dt 0.1 ms"
    assert str(Events()) == "events"
    assert str(Events(grid="10 ms")) == "events, grid 0.01 s"  # type: ignore[arg-type]
    assert protocol.clock("0.1 ms", tolerance="0 ms").tolerance == 0


UNITS: list[tuple[Any, str]] = [
    (lambda: window(lag="10 mV"), "pairing: lag"),
    (lambda: window(lag=10), "pairing: lag"),
    (lambda: window(rate="10 ms"), "pairing: rate"),
    (lambda: window(onset=1), "pairing: onset"),
    (lambda: window(rest="1 mV"), "pairing: rest"),
    (lambda: window(lag=np.nan), "pairing: lag"),
    (lambda: protocol.poisson({"pre": 10}, "1 s"), "poisson: rate of pre"),
    (lambda: protocol.poisson({"pre": "10 Hz"}, 1), "poisson: duration"),
    (lambda: protocol.poisson({"pre": "10 Hz"}, "1 s", grid="1 mV"), "poisson: grid"),
    (lambda: protocol.poisson({"pre": "10 Hz"}, "1 s", reads=1), "poisson: reads"),
    (lambda: protocol.clock("1 mV"), "clock: dt"),
    (lambda: protocol.clock(0.1), "clock: dt"),
    (lambda: protocol.clock("1 ms", tolerance="1 mV"), "clock: tolerance"),
    (lambda: protocol.step_current({"adex": "1 ms"}, "1 mV"), "step_current"),
    (lambda: protocol.step_current({"adex": "1 metre"}, "1 s"), "a current in metre"),
    (lambda: Current(start=[0], value=[[1]], unit="volts"), "unit 'volts'"),
]


@pytest.mark.parametrize(("make", "place"), UNITS, ids=[f"{n}-{place}" for n, (_, place) in enumerate(UNITS)])
def test_units_at_the_border(make: Any, place: str) -> None:
    with pytest.raises(UnitError, match=f"^{place}"):
        make()


def bare(**options: Any) -> Protocol:
    return Protocol(**{"name": "bare", "stepping": Events(), "trials": {}, "stimulus": [0], "reads": [[1.0]], **options})


NAN, INF = np.nan, np.inf
EMPTY: list[tuple[Any, str]] = [
    (lambda: window(lag=[] * 1), "expected a value in|0 lags"),
    (lambda: window(lag=np.array([]) * 1), "expected a value in|0 lags"),
    (lambda: window(pairs=0), "pairs: 0 is not a positive integer"),
    (lambda: window(pairs=1.5), "pairs: 1.5 is not a positive integer"),
    (lambda: window(repetitions=0), "repetitions: 0 is not a positive integer"),
    (lambda: window(repetitions=2.5), "repetitions: 2.5 is not a positive integer"),
    (lambda: window(repetitions="2"), "repetitions: '2' is not a positive integer"),
    (lambda: window(rate="0 Hz"), "rate 0 Hz is not positive"),
    (lambda: window(rate=["1 Hz", "-1 Hz"]), "rate -1 Hz is not positive"),
    (lambda: window(onset="-1 s"), "onset -1.0 s and rest 1.0 s cannot be negative"),
    (lambda: window(rest="-1 s"), "cannot be negative"),
    (lambda: window(initial={"a.x": [0, 1], "a.y": [0, 1, 2]}), r"lengths \[2, 3\]"),
    (lambda: protocol.clock("0 ms"), "dt 0.0 s .* must be positive"),
    (lambda: protocol.clock("-0.1 ms"), "must be positive"),
    (lambda: protocol.clock("0.1 ms", tolerance="-1 ms"), "must be positive"),
    (lambda: Clock(dt=NAN, tolerance=0.0), "clock: dt: nan is not finite"),
    (lambda: Events(grid=-0.1), "grid -0.1 s is negative"),
    (lambda: Events(grid=INF), "grid: inf is not finite"),
    (lambda: protocol.poisson({"pre": "10 Hz"}, "0 s"), "must be positive"),
    (lambda: protocol.poisson({"pre": "10 Hz"}, "1 s", grid="0 s"), "must be positive"),
    (lambda: protocol.poisson({"pre": "10 Hz"}, "1 ms", grid="1 s"), "no bin of 1.0 s"),
    (lambda: protocol.poisson({"pre": "6000 Hz"}, "1 s"), "between 0 and 5000 Hz .*; lower the rate or make the grid finer"),
    (lambda: protocol.poisson({"pre": "-1 Hz"}, "1 s"), "is negative; give a number per second"),
    (lambda: Poisson(rate=[NAN], start=0, stop=1, grid=1e-4), "between 0 and 5000 Hz"),
    (lambda: Poisson(rate=[1.0], start=2, stop=1, grid=1e-4), "give 0 <= start < stop"),
    (lambda: protocol.step_current({}, "1 s"), "one value per trial"),
    (lambda: protocol.step_current({"a": ["1 nA", "2 nA"], "b": "1 nA"}, "1 s"), "one value per trial"),
    (lambda: protocol.step_current({"a": "1 nA"}, "1 s", start="2 s"), "start < stop <= duration"),
    (lambda: protocol.step_current({"a": "1 nA"}, "1 s", every="0 s"), "every 0.0 s must be positive"),
    (lambda: protocol.step_current({"a": "1 nA"}, "1 s", every="2 s"), "at most the duration"),
    (lambda: protocol.step_current({"a": "1 nA"}, "1 s", stepping=Events()), "is no clock"),  # type: ignore[arg-type]
    (lambda: bare(reads=np.zeros((1, 0))), "is empty: .* give at least one of each"),
    (lambda: bare(stimulus=[]), "is empty"),
    (lambda: bare(stimulus=[0, 2], reads=[[1.0], [1.0]]), "from 0 to 1, all used"),
    (lambda: bare(stimulus=[0.5]), r"stimulus: \[0.5\] are not whole numbers"),
    (lambda: bare(reads=[[NAN]]), "reading times are finite"),
    (lambda: bare(reads=[[-1.0]]), "not negative"),
    (lambda: bare(reads=[[2.0, 1.0]]), "increasing order"),
    (lambda: bare(stepping="clock"), "stepping 'clock' is unknown; allowed"),
    (lambda: bare(record="calcium.rho"), r"give a tuple of placed names, \('calcium.rho',\)"),
    (lambda: bare(settings={"a.x": [1.0, 2.0]}), r"'a.x' has shape \(2,\), expected \(1,\): one per trial"),
    (lambda: bare(settings={"a.x": [NAN]}), "'a.x' holds a value that is not finite"),
    (lambda: bare(trials={"lag": Coordinate(values=np.array([INF]))}), "'lag' holds a value that is not finite"),
    (lambda: bare(spikes={"pre": Spikes(stimulus=[1], unit=[0], time=[0.1])}), r"name a stimulus outside 0\.\.0"),
    (lambda: bare(spikes={"pre": Poisson(rate=[1, 2], start=0, stop=1, grid=1e-4)}), "one rate per stimulus"),
    (lambda: bare(currents={"a": Current(start=[0], value=[[1, 2]], unit="amp")}), "has 2 columns, expected 1"),
    (lambda: Spikes(stimulus=[0], unit=[0], time=[-0.001]), "time -0.001 s; spike times are finite and not negative"),
    (lambda: Spikes(stimulus=[0], unit=[0], time=[NAN]), "time nan s"),
    (lambda: Spikes(stimulus=[0], unit=[0.5], time=[0.1]), r"unit: \[0.5\] are not whole numbers; give indices from 0"),
    (lambda: Spikes(stimulus=[0], unit=["a"], time=[0.1]), "are not whole numbers"),
    (lambda: Spikes(stimulus=[0, 0], unit=[0], time=[0.1]), "three arrays of one length"),
    (lambda: Current(start=[], value=np.zeros((0, 1)), unit="amp"), "breakpoints start at 0 s"),
    (lambda: Current(start=[0.1], value=[[1]], unit="amp"), "breakpoints start at 0 s"),
    (lambda: Current(start=[0, 2, 1], value=[[1]] * 3, unit="amp"), "increasing"),
    (lambda: Current(start=[0, NAN], value=[[1]] * 2, unit="amp"), "not finite"),
    (lambda: Current(start=[0], value=[[INF]], unit="amp"), "a value is not finite"),
]


@pytest.mark.parametrize(("make", "message"), EMPTY, ids=[f"{n}-{message[:20]}" for n, (_, message) in enumerate(EMPTY)])
def test_senseless_protocols_are_refused(make: Any, message: str) -> None:
    with pytest.raises((ProtocolError, UnitError), match=message):
        make()
