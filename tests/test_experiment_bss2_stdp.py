"""Pair STDP on the chip: sensors and processor are what plain integers say, the rule is kept where nothing is rounded, and a seed is a chip."""

import numpy as np
import pytest
from scripts import loaded

from bioneuro import bss2, protocol
from bioneuro.brian import simulate
from bioneuro.imposed import Coordinate
from bioneuro.protocol import Events, Protocol, Spikes
from bioneuro.script import Options
from bioneuro.theory import pair

script, figure = loaded("protocols", "bss2_stdp"), loaded("figures", "bss2_stdp")
RATES = {"A_plus": 0.011, "A_minus": 0.0075, "tau_plus": 0.0172, "tau_minus": 0.0286}
RULE = {"stdp.A_plus": 0.011, "stdp.tau_plus": "17.2 ms", "stdp.A_minus": 0.0075, "stdp.tau_minus": "28.6 ms", "stdp.w": 30 / 63}
MODEL, N, END = "song2000 on BrainScaleS-2", 6, 5.0  # synapses, s


def trains(rate: float) -> dict[str, list[np.ndarray]]:
    """Poisson trains in s, each synapse its own."""
    rng = np.random.default_rng(7)
    return {port: [np.sort(rng.uniform(0, END, rng.poisson(rate * END))) for _ in range(N)] for port in ("pre", "post")}


def imposed(given: dict[str, list[np.ndarray]]) -> Protocol:
    def spikes(each: list[np.ndarray]) -> Spikes:
        unit = np.repeat(np.arange(N), [t.size for t in each])
        return Spikes(stimulus=np.zeros_like(unit), unit=unit, time=np.concatenate(each))

    return Protocol(
        name="trains", stepping=Events(), trials={"trial": Coordinate(values=np.zeros(1), unit="1")}, stimulus=np.zeros(1, int),
        reads=np.array([[END + 1.5]]), spikes={port: spikes(each) for port, each in given.items()}, record=("stdp.w",),
    )  # fmt: skip


def counts(pre: np.ndarray, post: np.ndarray, scheme: str, amplitude: float, period: float) -> np.ndarray:
    """Acausal and causal counts of every reading, shape (reading, 2): each spike with the last one of the other kind, before it."""
    readings = np.zeros((round((END + 1.5) / period) + 1, 2))
    for side, (mine, others, tau) in enumerate(((pre, post, 0.0286), (post, pre, 0.0172))):
        for t in mine:
            last = others[others < t][-1:]
            if scheme == "reduced" and last.size and np.any((mine > last[0]) & (mine < t)):
                continue  # a spike of the same kind has taken it
            readings[int(np.ceil(t / period)), side] += np.exp(-(t - last[0]) / tau) if last.size else 0.0
    return np.clip(np.rint(amplitude * readings), 0, 180).astype(int)


def in_integers(n: np.ndarray, start: int, amplitude: float) -> int:
    """The weight in steps after all readings: a rate per count of 8 bits with sign, sums with 28 bits below the last, rounded half up."""
    m = []
    for rate in (-RATES["A_minus"] * 63 / amplitude, RATES["A_plus"] * 63 / amplitude):
        shift = 6 - int(np.floor(np.log2(abs(rate))))
        m.append(round(rate * 2**shift) * 2 ** (28 - shift))
    w = start
    for acausal, causal in n.tolist():
        w = min(max(w + ((m[0] * acausal + m[1] * causal + 2**27) >> 28), 0), 63)
    return w


@pytest.mark.parametrize(("scheme", "amplitude", "period"), [("reduced", 2.0, 0.1), ("symmetric", 2.0, 0.1), ("reduced", 0.5, 1.0)])
def test_sensors_and_processor_are_plain_integers(scheme, amplitude, period):
    """No mismatch, no draws: every synapse ends on the very step."""
    given = trains(30.0)
    hardware = bss2.Hardware(bits=8, rounding="nearest", period=f"{period} s", amplitude=amplitude)
    circuit = bss2.constrain(script.synapses(N, scheme).with_values(RULE), hardware, weight="stdp.w")
    found = 63 * simulate(circuit, imposed(given), seed=0, target="numpy")["stdp.w"][0, 0]
    wanted = [in_integers(counts(a, b, scheme, amplitude, period), 30, amplitude) for a, b in zip(given["pre"], given["post"], strict=True)]
    assert np.abs(found - wanted).max() < 1e-12
    assert len(set(wanted)) > 3


@pytest.mark.parametrize("scheme", script.SCHEMES)
def test_a_processor_in_real_numbers_keeps_the_rule(scheme, ledger):
    """`bits=None`: whatever the period, sums are sums."""
    given, (_, law, _) = trains(12.0), figure.SCHEMES[scheme]
    circuit = bss2.constrain(script.synapses(N, scheme).with_values(RULE), bss2.Hardware(bits=None, period="10 ms"), weight="stdp.w")
    found = simulate(circuit, imposed(given), seed=0, target="numpy")["stdp.w"][0, 0]
    wanted = [30 / 63 + pair.weight_change(a, b, scheme=law, **RATES) for a, b in zip(given["pre"], given["post"], strict=True)]
    assert min(wanted) > 0
    assert max(wanted) < 1
    ledger(MODEL, "exact pair rule", f"{scheme}, Poisson trains, real numbers, read every 10 ms", float(np.abs(found - wanted).max()), 1e-12)


def test_weights_have_six_bits():
    """Also at both ends, where trains of opposite order drive them."""
    lags = protocol.pairing(["5 ms", "-5 ms"], "20 Hz", 600, rest="1 s", record=("stdp.w",))
    circuit = script.chip(script.synapses(8), "0.5 s", amplitude=2.0)
    found = 63 * simulate(circuit, script.everywhere(lags, 8), seed=1, target="numpy")["stdp.w"]
    assert np.abs(found - np.rint(found)).max() < 1e-12
    assert found.min() >= 0
    assert found.max() <= 63
    assert (found[0] == 63).all()
    assert (found[1] == 0).all()


def test_mismatch_is_as_stated_and_a_seed_is_a_chip():
    n = 2000
    one, again = (script.chip(script.synapses(n)) for _ in range(2))
    assert one.digest == again.digest
    other = bss2.constrain(script.synapses(n), bss2.Hardware(bits=8, mismatch={"stdp.tau_plus": 0.2}, seed=3), weight="stdp.w")
    assert not np.array_equal(other.values["stdp.tau_plus"].value, one.values["stdp.tau_plus"].value)
    nominal = {"stdp.tau_plus": script.UP.tau, "stdp.tau_minus": script.DOWN.tau, "stdp.sensor_gain": 0.5}
    logs = np.array([np.log(one.values[path].value / value) for path, value in nominal.items()])
    assert np.abs(logs.std(axis=1) / script.SPREAD - 1).max() < 4 / np.sqrt(2 * n)
    assert np.abs(logs.mean(axis=1)).max() < 4 * script.SPREAD / np.sqrt(n)
    assert np.abs(np.corrcoef(logs) - np.eye(3)).max() < 4 / np.sqrt(n)


def test_the_stepped_line_is_the_mean_of_equal_synapses(ledger):
    """`counted` of the figure, which knows no processor: rounding by chance has no bias; rates have 8 bits with sign, increments 8 below the last."""
    n, readings, numbers = 256, 6, figure.Numbers(Options(out="unused.nc"))
    lags = ["-30 ms", "-10 ms", "-3 ms", "3 ms", "10 ms", "25 ms", "45 ms"]
    todo = script.everywhere(protocol.pairing(lags, "1 Hz", 60, rest="10 s", record=("stdp.w",)), n)
    seen = simulate(script.chip(script.synapses(n), spread=0.0), todo, seed=2, target="numpy")
    x, ratio = figure.along(seen, "lag", numbers.w)
    wanted = 24 * (numbers.counted(x) - 1)
    up = np.mod(wanted / readings, 1)
    error = 4 * np.sqrt(readings * up * (1 - up) / n) + 2.0**-7 * np.abs(wanted) + readings * 2.0**-9
    away = np.abs(24 * (ratio.mean(axis=1) - 1) - wanted) / error
    ledger(MODEL, "pairs rounded to counts", "window, 256 equal synapses, mean weight in allowed errors", float(away.max()), 1)
    assert (ratio[-1] == 1).all()  # 45 ms: 10 pairs are worth less than half a count


@pytest.mark.parametrize(("amplitude", "moves"), [(0.5, False), (2.0, True)])
def test_a_pair_below_half_a_count_is_lost(amplitude, moves):
    """Read every 10 ms, a pair stands alone."""
    todo = script.everywhere(protocol.pairing("10 ms", "5 Hz", 60, record=("stdp.w",)), 4)
    seen = simulate(script.chip(script.synapses(4), "10 ms", spread=0.0, amplitude=amplitude), todo, seed=0, target="numpy")
    assert (seen["stdp.w"] > 24.5 / 63).all() == moves
