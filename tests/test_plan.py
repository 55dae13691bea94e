"""The plan: integers and SI arrays that every engine starts from. Ticks keep time, grids keep spikes, seeds keep trains."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioneuro import protocol
from bioneuro.catalogue import graupner2012, song2000, vogels2005
from bioneuro.model import parameter
from bioneuro.plan import Plan, plan
from bioneuro.protocol import Current, Events, Protocol, ProtocolError, Spikes
from bioneuro.ticks import ticks

PAIR = song2000.pair()
DELAYED = graupner2012.pair("DP")  # presynaptic calcium comes 13.7 ms late

QUANTUM = 1e-4
events = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 40)), max_size=25)
readings = st.lists(st.lists(st.integers(0, 50), min_size=2, max_size=2).map(sorted), min_size=3, max_size=3)


def source(drawn: list[tuple[int, int]]) -> tuple[Any, Any]:
    """(stimulus, time) in order of stimulus; times of one quantum differ by less than what counts as simultaneous."""
    rows = sorted(set(drawn))
    jitter = 2e-13 * (np.arange(len(rows)) % 3 - 1)
    return np.array([w for w, _ in rows], np.int64), np.maximum(np.array([k for _, k in rows], float) * QUANTUM + jitter, 0.0)


@given(events, events, readings)
def test_ticks_keep_time(one: list[tuple[int, int]], two: list[tuple[int, int]], reads: list[list[int]]) -> None:
    sources, read_at = [source(one), source(two)], np.array(reads, float) * QUANTUM
    found, lengths, read_ticks = ticks(sources, read_at)
    at = np.cumsum(lengths, axis=1)
    assert (lengths >= 0).all()
    assert lengths.shape == (3, read_ticks[-1])
    assert (np.diff(read_ticks) > 0).all()
    # The lengths up to a reading add up to its time, for every stimulus on the same tick.
    np.testing.assert_allclose(at[:, read_ticks - 1], read_at, atol=1e-11)
    for (which, time), tick in zip(sources, found, strict=True):
        late = time >= read_at[which, -1] - 1e-12
        assert np.array_equal(tick < 0, late)
        np.testing.assert_allclose(at[which, tick][~late], time[~late], atol=1e-11)
    # Equal times share a tick, other times do not, and an event at a reading comes after it.
    which, tick = (np.concatenate(x) for x in ([w for w, _ in sources], found))
    quantum = np.rint(np.concatenate([t for _, t in sources]) / QUANTUM)
    stretch = (quantum[:, None] >= np.array(reads)[which]).sum(axis=1) if which.size else quantum
    used = tick >= 0
    instants = {(w, q) for w, q in zip(which[used], quantum[used], strict=True)}
    assert len(instants) == len({(w, k) for w, k in zip(which[used], tick[used], strict=True)})
    assert np.array_equal(np.searchsorted(read_ticks, tick[used], side="right"), stretch[used])
    # What is neither an event nor a reading has no length.
    busy = np.zeros(lengths.shape, bool)
    busy[:, read_ticks - 1] = True
    busy[which[used], tick[used]] = True
    assert (lengths[~busy] == 0).all()


def event_plan(made: Protocol, seed: int = 1) -> Plan:
    return plan(PAIR, made, seed=seed)


@given(st.integers(0, 1000), st.integers(1, 30))
def test_a_shift_in_time_changes_the_first_step_only(later: int, pairs: int) -> None:
    first, second = (
        event_plan(protocol.pairing(lag=["-10 ms", "5 ms"], pairs=pairs, onset=f"{onset} ms")) for onset in (50, 50 + later)
    )
    assert first.lengths is not None
    assert second.lengths is not None
    np.testing.assert_allclose(second.lengths[1:], first.lengths[1:], atol=1e-11)
    np.testing.assert_allclose(second.lengths[0] - first.lengths[0], later * 1e-3, atol=1e-11)
    assert all(np.array_equal(first.spikes[port].step, second.spikes[port].step) for port in ("pre", "post"))


def imposed(order: Any, stepping: Any) -> Protocol:
    times = np.array([0.01, 0.02, 0.03, 0.01, 0.015, 0.04])[order]
    stimulus, unit = np.array([0, 0, 0, 1, 1, 1])[order], np.zeros(6, int)
    post = Spikes(stimulus=[0, 1], unit=[0, 0], time=[0.02, 0.012])
    spikes = {"pre": Spikes(stimulus=stimulus, unit=unit, time=times), "post": post}
    return Protocol(name="imposed", stepping=stepping, trials={}, stimulus=[0, 1], reads=[[0.05], [0.06]], spikes=spikes)


@pytest.mark.parametrize("stepping", [Events(), protocol.clock("0.1 ms")], ids=str)
@given(st.permutations(range(6)))
def test_the_order_in_which_spikes_are_given_does_not_count(stepping: Any, order: list[int]) -> None:
    one, two = (event_plan(imposed(np.array(o), stepping)) for o in (range(6), order))
    for port in ("pre", "post"):
        assert one.spikes[port].step.tolist() == two.spikes[port].step.tolist()
        assert one.spikes[port].index.tolist() == two.spikes[port].index.tolist()
    assert np.array_equal(one.reads, two.reads)
    if one.lengths is not None:
        assert np.array_equal(one.lengths, two.lengths)  # type: ignore[arg-type]


def test_delays_are_in_the_events() -> None:
    made = plan(DELAYED, protocol.pairing(lag="5 ms", pairs=1, onset="0.1 s", rest="1 s"), seed=1)
    assert made.lengths is not None
    np.testing.assert_allclose(made.lengths[:, 0], [0.105, 0.0087, 0.9913], atol=1e-12)
    assert (made.spikes["post"].step.item(), made.spikes["pre"].step.item()) == (0, 1)
    clocked = plan(DELAYED, protocol.pairing(lag="5 ms", pairs=1, stepping=protocol.clock("0.1 ms")), seed=1)
    assert clocked.delays == {"calcium": (137, 0)}
    assert clocked.shifts == {}


def test_a_lag_equal_to_the_delay_is_simultaneous() -> None:
    made = plan(DELAYED, protocol.pairing(lag="13.7 ms", pairs=50), seed=1)
    assert made.n_steps == 51
    assert made.spikes["pre"].step.tolist() == made.spikes["post"].step.tolist() == list(range(50))


def test_repetitions_share_their_spikes() -> None:
    made = plan(PAIR, protocol.pairing(lag=["5 ms", "10 ms"], pairs=3, repetitions=100), seed=1)
    assert made.n_trials == 200
    assert made.spikes["pre"].step.size == 6
    assert made.wiring["stdp"].pre.tolist() == [0] * 100 + [1] * 100


def test_settings_lie_flat() -> None:
    circuit = vogels2005.driven(size=3, inputs=2)
    circuit = circuit.with_values({"lif.v": parameter([-60, -59, -58], "mV"), "excitation.weight": parameter(range(6), "mV")})
    made = protocol.poisson({"input": ["1 Hz", "2 Hz"]}, "10 ms", stepping=protocol.clock(), initial={"lif.g_e": "1 mV"})
    flat = plan(circuit, made, seed=1)
    assert flat.values["lif.v"].tolist() == pytest.approx([-0.06, -0.059, -0.058] * 2)
    assert flat.values["lif.g_e"].tolist() == [0.001] * 6
    assert flat.values["lif.tau_m"].ndim == 0
    assert flat.flat["lif"].trial.tolist() == [0, 0, 0, 1, 1, 1]
    assert flat.flat["lif"].unit.tolist() == [0, 1, 2] * 2
    np.testing.assert_allclose(flat.values["excitation.weight"], np.tile(np.arange(6) * 1e-3, 2))
    assert flat.wiring["excitation"].pre.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert flat.wiring["excitation"].post.tolist() == [0, 1, 2] * 2 + [3, 4, 5] * 2


def trains(seed: int, rate: str = "20 Hz", n: int = 40, seconds: int = 100, size: int = 1) -> Any:
    made = protocol.poisson({"input": rate}, f"{seconds} s", repetitions=n, stepping=protocol.clock("0.1 ms"))
    flat = plan(vogels2005.driven(inputs=size), made, seed=seed)
    assert flat.shifts == {}
    return flat.spikes["input"]


@settings(max_examples=5)
@given(st.integers(0, 2**63 - 1))
def test_poisson_trains(seed: int) -> None:
    n, seconds, rate, dt = 40, 100, 20.0, 1e-4
    spikes = trains(seed)
    again, other = trains(seed), trains((seed + 1) % 2**63)
    assert np.array_equal(spikes.step, again.step)
    assert np.array_equal(spikes.index, again.index)
    assert not np.array_equal(spikes.step[:100], other.step[:100])
    bins = round(seconds / dt)
    cells = spikes.index * bins + spikes.step
    assert np.unique(cells).size == cells.size  # no unit twice in a bin
    assert 0 <= spikes.step.min() <= spikes.step.max() < bins
    counts = np.bincount(spikes.index, minlength=n)
    mean, spread = rate * seconds, np.sqrt(rate * seconds * (1 - rate * dt))
    assert abs(counts.mean() - mean) < 5 * spread / np.sqrt(n)
    assert abs(counts - mean).max() < 6 * spread
    assert 0.3 * spread**2 < counts.var(ddof=1) < 2.5 * spread**2
    # Trains are independent: coarse histograms of any two are uncorrelated, and so are neighbouring bins.
    table = np.histogram2d(spikes.index, spikes.step, bins=(n, 1000), range=((0, n), (0, bins)))[0]
    correlation = np.corrcoef(table)[np.triu_indices(n, 1)]
    assert abs(correlation).max() < 6 / np.sqrt(1000)
    assert abs(correlation.mean()) < 5 / np.sqrt(1000 * correlation.size)
    first = spikes.step[spikes.index == 0]
    np.testing.assert_allclose(np.histogram(first, bins=10, range=(0, bins))[0], mean / 10, atol=6 * spread / np.sqrt(10))


def test_poisson_ports_and_units_are_independent() -> None:
    made = plan(PAIR, protocol.poisson({"pre": "20 Hz", "post": "20 Hz"}, "100 s", stepping=protocol.clock()), seed=1)
    assert not np.array_equal(made.spikes["pre"].step[:50], made.spikes["post"].step[:50])
    many = trains(3, n=2, size=3)
    assert sorted(set(many.index.tolist())) == list(range(6))
    assert len({tuple(many.step[many.index == k][:20]) for k in range(6)}) == 6


@pytest.mark.parametrize("rate", ["0 Hz", "4999 Hz"])
def test_poisson_at_the_ends_of_its_range(rate: str) -> None:
    spikes = trains(1, rate=rate, n=2, seconds=1)
    expected = float(rate.split()[0]) * 1e-4 * 20_000
    assert abs(spikes.step.size - expected) <= 5 * np.sqrt(expected * 0.5)


@pytest.mark.parametrize("dt", ["0.1 ms", "0.01 ms", "0.025 ms", "1 ms", "0.3 ms", "1 us"])
def test_multiples_of_dt_are_on_the_grid(dt: str) -> None:
    clock = protocol.clock(dt)
    steps = np.unique(np.concatenate([np.arange(1000), np.random.default_rng(1).integers(0, 10**7, 2000), [10**7 - 1, 10**7]]))
    spelled = [steps * clock.dt, steps / (1 / clock.dt), np.array([float(f"{k * clock.dt:.15g}") for k in steps])]
    for times in spelled:
        spikes = Spikes(stimulus=np.zeros(steps.size, int), unit=np.zeros(steps.size, int), time=times)
        reads = [[(10**7 + 1) * clock.dt]]
        made = Protocol(name="grid", stepping=clock, trials={}, stimulus=[0], reads=reads, spikes={"pre": spikes, "post": spikes})
        found = plan(PAIR, made, seed=1)
        assert np.array_equal(found.spikes["pre"].step, steps)
        assert found.shifts == {}
        assert found.n_steps == 10**7 + 1


def off_grid(shift: float, tolerance: str = "0.01 ms") -> Protocol:
    spikes = Spikes(stimulus=[0, 0], unit=[0, 0], time=[0.01, 0.02 + shift])
    clock = protocol.clock("0.1 ms", tolerance=tolerance)
    return Protocol(name="off", stepping=clock, trials={}, stimulus=[0], reads=[[0.1]], spikes={"pre": spikes, "post": spikes})


@given(st.floats(1e-9, 9.9e-6), st.sampled_from([-1, 1]))
def test_small_shifts_are_reported(size: float, sign: int) -> None:
    found = event_plan(off_grid(sign * size))
    assert found.shifts == {"spikes of pre": pytest.approx(size, rel=1e-6), "spikes of post": pytest.approx(size, rel=1e-6)}
    assert found.spikes["pre"].step.tolist() == [100, 200]


def test_large_shifts_are_refused() -> None:
    with pytest.raises(ProtocolError, match=r"spikes of pre: 0.02003 s is 30 us off the grid of 0.1 ms.*of 10 us; choose a finer"):
        event_plan(off_grid(3e-5))
    assert event_plan(off_grid(3e-5, tolerance="0.04 ms")).shifts["spikes of pre"] == pytest.approx(3e-5)
    with pytest.raises(ProtocolError, match="off the grid"):
        event_plan(off_grid(1e-9, tolerance="0 ms"))


@pytest.mark.parametrize("start", [0.02003, 0.020001])
def test_currents_keep_to_the_grid(start: float) -> None:
    current = Current(start=[0, start], value=[[0.0], [0.001]], unit="volt")
    made = Protocol(
        name="step", stepping=protocol.clock(), trials={}, stimulus=[0], reads=[[0.1]], currents={"lif": current},
        spikes={"input": Spikes(stimulus=[], unit=[], time=[])},
    )  # fmt: skip
    if start == 0.02003:
        with pytest.raises(ProtocolError, match=r"current into lif: 0.02003 s is 30 us off the grid"):
            plan(vogels2005.driven(), made, seed=1)
        return
    found = plan(vogels2005.driven(), made, seed=1)
    assert found.shifts["current into lif"] == pytest.approx(1e-6)
    assert np.flatnonzero(found.currents["lif"][1][:, 0])[0] == 200


def test_a_run_longer_than_the_step_counter_is_refused() -> None:
    made = protocol.pairing(lag="5 ms", pairs=2, rate="0.00001 Hz", rest="200000 s", stepping=protocol.clock())
    with pytest.raises(ProtocolError, match=r"over 2147483646 steps of 0.1 ms; choose a longer dt"):
        plan(PAIR, made, seed=1)
    with pytest.raises(ProtocolError, match=r"a spike or reading at .* s lies after 900000000 s; choose a shorter protocol"):
        event_plan(protocol.pairing(lag="5 ms", pairs=2, rate="1e-9 Hz"))
