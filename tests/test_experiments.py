"""The classic experiments as protocols: where their spikes fall, what their trials are, and what they refuse."""

from typing import Any

import numpy as np
import pytest
from brian2.units import ms
from hypothesis import given
from hypothesis import strategies as st

from bioneuro import delayed, protocol
from bioneuro.brian import simulate
from bioneuro.catalogue import brette2005, graupner2012, song2000
from bioneuro.model import Circuit, ModelError, Population, Projection
from bioneuro.plan import plan
from bioneuro.protocol import Poisson, Protocol, ProtocolError, Spikes
from bioneuro.trains import drawn_spikes

rates = st.sampled_from([0.1, 1.0, 5.0, 20.0])


def times(made: Protocol, port: str, trial: int = 0) -> Any:
    spikes = made.spikes[port]
    assert isinstance(spikes, Spikes)
    return np.sort(spikes.time[spikes.stimulus == made.stimulus[trial]])


@given(st.integers(-30, 30), st.sampled_from([10.0, 20.0, 50.0]), st.integers(1, 5), st.integers(1, 4))
def test_bursts(lag: int, rate: float, spikes: int, repeats: int) -> None:
    made = protocol.bursts(f"{lag} ms", f"{rate} Hz", spikes, repeats, every="2 s")
    pre, post = times(made, "pre"), times(made, "post")
    np.testing.assert_allclose(post - pre, lag * 1e-3, atol=1e-12)
    train = pre.reshape(repeats, spikes)
    np.testing.assert_allclose(np.diff(train, axis=1), 1 / rate, atol=1e-12)
    np.testing.assert_allclose(np.diff(train[:, 0]), 2.0, atol=1e-12)


def test_a_burst_of_one_is_a_pair() -> None:
    one, pair = protocol.bursts("10 ms", "20 Hz", 1, 50, every="10 s"), protocol.pairing("10 ms", "0.1 Hz", 50)
    for port in ("pre", "post"):
        np.testing.assert_allclose(times(one, port), times(pair, port), rtol=1e-15)


@given(st.integers(-60, 60), rates, st.integers(1, 3))
def test_doublets_count_from_the_last(lag: int, rate: float, repeats: int) -> None:
    made = protocol.doublets(f"{lag} ms", f"{rate} Hz", repeats)
    pre, post = times(made, "pre"), times(made, "post")
    assert post.size == 2 * pre.size
    last = np.sort(np.append(pre + lag * 1e-3, pre + lag * 1e-3 - 11.5e-3))
    np.testing.assert_allclose(post, last, atol=1e-12)


@given(st.integers(1, 40), st.integers(1, 40), st.booleans())
def test_triplets(first: int, second: int, two_pre: bool) -> None:
    signs = (1, -1) if two_pre else (-1, 1)
    make, two, one = (protocol.pre_post_pre, "pre", "post") if two_pre else (protocol.post_pre_post, "post", "pre")
    made = make([(signs[0] * first, signs[1] * second) * ms], repeats=3)
    pair, single = times(made, two).reshape(3, 2), times(made, one)
    np.testing.assert_allclose(single - pair[:, 0], first * 1e-3, atol=1e-12)
    np.testing.assert_allclose(pair[:, 1] - single, second * 1e-3, atol=1e-12)
    assert (made.trials["first"].shown[0], made.trials["second"].shown[0]) == pytest.approx((signs[0] * first, signs[1] * second))


@given(st.integers(6, 100), st.booleans())
def test_quadruplets(gap: int, positive: bool) -> None:
    made = protocol.quadruplets(f"{gap if positive else -gap} ms", repeats=2)
    pre, post = times(made, "pre").reshape(2, 2), times(made, "post").reshape(2, 2)
    np.testing.assert_allclose(post - pre, 5e-3 * np.array([-1, 1] if positive else [1, -1]) * np.ones((2, 1)), atol=1e-12)
    middle = 0.5 * (pre + post)
    np.testing.assert_allclose(middle[:, 1] - middle[:, 0], gap * 1e-3, atol=1e-12)


def test_pulses_are_read_after_each() -> None:
    made = protocol.pulses(["10 Hz", "50 Hz"], 4, read="1 ms")
    for trial, rate in enumerate((10, 50)):
        assert np.allclose(np.diff(times(made, "pre", trial)), 1 / rate)
        assert np.allclose(made.reads[trial] - times(made, "pre", trial), 1e-3)
    pair = protocol.paired_pulse(["20 ms", "1 s"])
    assert np.allclose(np.diff(pair.reads).ravel(), [0.02, 1.0])
    assert times(pair, "post").size == 0


def test_tetanus_says_what_the_postsynaptic_neuron_does() -> None:
    silent = protocol.tetanus("100 Hz", 100, trains=3, every="600 s")
    assert times(silent, "pre").size == 300
    assert times(silent, "post").size == 0
    assert times(silent, "pre")[100] == pytest.approx(600.2)
    behind = protocol.tetanus(["20 Hz", "100 Hz"], 9, post=protocol.Following("5 ms", every=3))
    np.testing.assert_allclose(times(behind, "post", 1), times(behind, "pre", 1)[::3] + 5e-3)
    free = protocol.tetanus(["20 Hz", "100 Hz"], 9, post=protocol.Firing("7 Hz"), repetitions=2)
    assert isinstance(free.spikes["post"], Poisson)
    assert free.spikes["post"].rate.tolist() == [7.0] * 4
    assert free.n_stimuli == free.n_trials == 4
    assert times(free, "pre", 3).size == 9


@given(st.integers(0, 2**40))
def test_correlated_trains_share_their_spikes(seed: int) -> None:
    """Counts have the rates asked for, and shared spikes lie at the lag: means over 400 s at 5 standard errors."""
    made = protocol.poisson_pairs("10 Hz", "20 Hz", "400 s", correlation=[0, 0.5], lag="5 ms")
    trains = [drawn_spikes(made.spikes[port], port, 1, seed) for port in ("pre", "post")]
    for trial, share in enumerate((0, 0.5)):
        bins = [np.rint(t.time[t.stimulus == trial] * 1e4).astype(int) for t in trains]
        assert all(np.all(np.diff(b) > 0) for b in bins)
        for found, rate in zip(bins, (10, 20), strict=True):
            assert abs(found.size - 400 * rate) < 5 * np.sqrt(400 * rate)
        together = np.isin(bins[0] + 50, bins[1]).sum()
        expected = 400 * (share * np.sqrt(200) + 10 * 20 * 1e-4)
        assert abs(together - expected) < 5 * np.sqrt(expected) + 1


def test_correlated_trains_run_on_clock_and_events_alike() -> None:
    made = [protocol.poisson_pairs("10 Hz", "10 Hz", "2 s", correlation=0.3, stepping=s) for s in (None, protocol.clock("0.1 ms"))]
    both = [simulate(song2000.pair(), p, seed=3, target="numpy")["stdp.w"] for p in made]
    np.testing.assert_allclose(*both, rtol=1e-12)


REFUSED = [
    (lambda: protocol.bursts("10 ms", "1 Hz", 5, every="2 s"), "one repeat lasts .* the next starts after 2 s"),
    (lambda: protocol.bursts("10 ms", "10 Hz", 0), "bursts: spikes: 0"),
    (lambda: protocol.doublets("0 ms", between="0 ms"), "between 0.0 s is not positive"),
    (lambda: protocol.pre_post_pre([(5, 5)] * ms), r"not a list of \(positive, negative\) times"),
    (lambda: protocol.post_pre_post([5, -5, 3] * ms), r"not a list of \(negative, positive\) times"),
    (lambda: protocol.quadruplets("4 ms"), "pairs must not overlap"),
    (lambda: protocol.pulses("100 Hz", 3, read="10 ms"), "read sooner"),
    (lambda: protocol.paired_pulse("0 ms"), "read sooner"),
    (lambda: protocol.tetanus("1 Hz", 20, trains=2), "a train lasts 19 s"),
    (lambda: protocol.poisson_pairs("1 Hz", "100 Hz", "1 s", correlation=0.5), "lower the correlation"),
    (lambda: protocol.poisson_pairs("1 Hz", "1 Hz", "1 s", correlation=1.5), "not between 0 and 1"),
    (lambda: protocol.poisson_pairs("1 Hz", "1 Hz", "0 s"), "must be positive"),
    (lambda: protocol.by_current(protocol.pairing("5 ms"), "cell", "1 nA"), "no explicit spikes for 'cell'"),
    (lambda: protocol.by_current(protocol.pairing("5 ms", onset="0 s"), "pre", "1 nA", lead="1 ms"), "set `onset`"),
]


@pytest.mark.parametrize(("make", "says"), REFUSED)
def test_what_cannot_be_done_is_refused(make: Any, says: str) -> None:
    with pytest.raises(ProtocolError, match=says):
        make()


def test_an_unknown_argument_names_those_there_are() -> None:
    with pytest.raises(TypeError, match=r"pairing\(\) got unexpected arguments \['repeat'\]; allowed .*repetitions"):
        protocol.pairing("5 ms", repeat=3)  # type: ignore[call-arg]


def test_current_pulses_make_the_spikes_asked_for() -> None:
    """Two conditions with other spike times in one run: AdEx fires once for each pulse, before it ends."""
    asked = protocol.bursts(["10 ms", "-10 ms"], ["10 Hz", "50 Hz"], 3, 2, every="1 s", ports=("input", "adex"))
    todo = protocol.by_current(asked, "adex", "5 nA", width="2 ms", stepping=protocol.clock("0.1 ms"))
    circuit = brette2005.driven().with_values({"drive.weight": "0 pA"})
    seen = simulate(circuit, todo, seed=0, target="numpy")
    assert seen.spikes["adex"].counts.tolist() == [[6]] * 4
    for trial in range(4):
        late = seen.spikes["adex"].times(trial, 0) - times(asked, "adex", trial)
        assert np.all((late > 0) & (late < 2.05e-3))


def test_delays_move_the_window() -> None:
    """An axonal delay of 3 ms makes a lag of 10 ms one of 7 ms at the synapse; a dendritic one makes it 13 ms."""
    rule, seen = song2000.rule(), {}
    variants = {
        "axonal": (delayed(rule, axonal="3 ms"), 10), "dendritic": (delayed(rule, dendritic="3 ms"), 10), "7": (rule, 7), "13": (rule, 13),
    }  # fmt: skip
    for name, (synapse, lag) in variants.items():
        circuit = Circuit(
            name="late",
            populations=(Population(name="pre"), Population(name="post")),
            projections=(Projection(name="stdp", synapse=synapse, pre="pre", post="post"),),
        )
        for stepping in (None, protocol.clock("0.1 ms")):
            todo = protocol.pairing(f"{lag} ms", pairs=3, stepping=stepping)
            seen[name, stepping is None] = float(simulate(circuit, todo, seed=0, target="numpy")["stdp.w"][0, -1, 0])
    for events in (True, False):
        assert seen["axonal", events] == pytest.approx(seen["7", events], rel=1e-12)
        assert seen["dendritic", events] == pytest.approx(seen["13", events], rel=1e-12)
    with pytest.raises(ModelError, match="arrive after 'D' already"):
        delayed(graupner2012.rule(), axonal="1 ms")


def test_every_experiment_fits_a_pair_of_ports() -> None:
    made = [
        protocol.bursts("5 ms", "20 Hz"), protocol.doublets("5 ms"), protocol.pre_post_pre([(5, -5)] * ms), protocol.paired_pulse("20 ms"),
        protocol.post_pre_post([(-5, 5)] * ms), protocol.quadruplets("20 ms"), protocol.pulses("20 Hz", 5), protocol.tetanus("20 Hz", 5),
        protocol.poisson_pairs("5 Hz", "5 Hz", "1 s"),
    ]  # fmt: skip
    assert all(plan(song2000.pair(), p, seed=0).n_trials == 1 for p in made)


def test_protocols_together_are_each_as_before() -> None:
    parts = [protocol.pairing([10, -10] * ms, ["1 Hz", "5 Hz"], 4), protocol.bursts("5 ms", ["10 Hz", "20 Hz"], 3, 2, every="1 s")]
    whole = protocol.together((0, parts[0]), (7, parts[1]))
    assert whole.trials["kind"].values.tolist() == [0] * 4 + [7] * 2
    seen = simulate(song2000.pair(), whole, seed=0, target="numpy")["stdp.w"][:, -1, 0]
    apart = [simulate(song2000.pair(), p, seed=0, target="numpy")["stdp.w"][:, -1, 0] for p in parts]
    np.testing.assert_allclose(seen, np.concatenate(apart), rtol=1e-14)
    with pytest.raises(ProtocolError, match="together: coordinates differ"):
        protocol.together((0, parts[0]), (1, protocol.quadruplets("20 ms")))
    with pytest.raises(ProtocolError, match="Poisson trains cannot be joined"):
        protocol.together((0, protocol.poisson_pairs("1 Hz", "1 Hz", "1 s")))
