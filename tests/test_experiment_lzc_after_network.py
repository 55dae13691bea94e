"""What a population adds before a reader of complexity: order can be read, rates lose a little, and labels alone teach nothing."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from scripts import loaded

from bioneuro import Twin, brian, learn, measure
from bioneuro.learn.populations import operating_point
from bioneuro.recording import Recording
from bioneuro.script import Options

script, figure = loaded("protocols", "lzc_after_network"), loaded("figures", "lzc_after_network")
MODEL, CHANCE, CHOSEN = "LIF population before LZC", "chance, 50 %", float(script.WEIGHT.removesuffix(" mV"))
ORDER, RATES = learn.order(correlation=1.0, duration="1.024 s"), learn.rates("20 Hz", "40 Hz", duration="1.024 s")


def asked(tasks: list[learn.Task], n: int, train: int, seed: int, target: str) -> list[dict[str, float]]:
    """Accuracies by reader of each task, as the script has them."""
    samples = [task.samples(n, seed) for task in tasks]
    todo = script.protocol.together(*((k, learn.presented(one)) for k, one in enumerate(samples)))
    seen = brian.simulate(script.circuit(seed), todo, seed=seed, target=target)
    both = [dataclasses.replace(one, spikes={**measure.at(seen, kind=k).spikes, **one.spikes}) for k, one in enumerate(samples)]
    return [dict(zip(script.READERS, script.accuracies(one, 1.024, train, seed), strict=False)) for one in both]


def test_script_and_figure_agree():
    assert script.circuit(3).digest == figure.circuit(3).digest
    assert (script.RATES, script.LEVELS, list(script.READERS)) == (figure.RATES, figure.LEVELS, list(figure.READERS))
    assert script.LENGTHS[figure.SHORT] == 0.256


def test_the_best_reader_of_rates():
    """Against the normal law of the square root of a Poisson count."""
    for low, high in ((20, 25), (20, 30)):
        away = np.sqrt(8 * high) - np.sqrt(8 * low)
        assert figure.least_wrong((low, high), 1.0) == pytest.approx(100 * stats.norm.sf(away), rel=0.15)


def test_only_the_population_tells_order():
    """One seed, 100 samples to learn from, 100 asked; NumPy."""
    order, rates = asked([ORDER, RATES], 200, 100, 1, "numpy")
    far = 0.5 + 4 * 0.5 / np.sqrt(100)  # of chance
    assert order["network_lzc"] > 0.9
    assert max(order["count"], order["lzc"], order["bins"], order["shuffled"]) < far
    assert min(rates["network_lzc"], rates["count"], rates["lzc"]) > 0.95
    assert rates["shuffled"] < far


def test_an_example_by_the_twin(ledger):
    """The same samples and wiring as in the figure, two of each task: every spike."""
    circuit, todo = script.plan(Options(out=Path("unused.nc"), quick=True))["example"]
    a, b = (x.spikes["population"] for x in (brian.simulate(circuit, todo, seed=0, target="numpy"), Twin(circuit)(todo, seed=0).detached()))
    equal = np.array_equal(a.steps, b.steps) and np.array_equal(a.offsets, b.offsets)
    ledger(MODEL, "Brian2, NumPy", f"twin, 40 samples of 20 tasks, {a.steps.size} spikes of 64 neurons: that differ", 0 if equal else np.inf, 0)


# ---- the whole: 10 seeds, C++ ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def seen() -> dict[str, dict[str, np.ndarray]]:
    """Task -> reader -> accuracies of ten seeds."""
    rows = [asked([ORDER, RATES], 500, 300, seed, "cpp") for seed in range(10)]
    return {name: {r: np.array([row[k][r] for row in rows]) for r in script.READERS} for k, name in enumerate(("order", "rates"))}


@pytest.mark.slow
def test_poisson_rates_after_the_population(seen, ledger):
    """2000 samples that were not learned from."""
    right = float(seen["rates"]["network_lzc"].mean())
    ledger(MODEL, "Rudnicka et al., arXiv 2508.11674", "LZC, 20 or 40 Hz, 1.024 s, 10 seeds: wrong; they have 99.5 % right", 1 - right, 0.005)


@pytest.mark.slow
@pytest.mark.parametrize("reader", ["count", "lzc", "bins", "shuffled"])
def test_order_is_hidden_from_readers_of_channels(seen, reader, ledger):
    """The largest distance that 2000 answers by chance leave, four standard errors."""
    away = abs(float(seen["order"][reader].mean()) - 0.5)
    ledger(MODEL, CHANCE, f"order, 10 seeds, {reader}: away from chance", away, 4 * 0.5 / np.sqrt(2000))


@pytest.mark.slow
def test_order_after_the_population(seen, ledger):
    """Better than count and complexity of the channels in every seed."""
    better = seen["order"]["network_lzc"] - np.maximum(seen["order"]["count"], seen["order"]["lzc"])
    half = stats.t.ppf(0.975, 9) * better.std(ddof=1) / np.sqrt(10)
    check = "order, 10 seeds: 30 points over the lower end of the 95 % interval by which LZC after the population is better"
    ledger(MODEL, "count and LZC of the channels", check, 0.3 / max(float(better.mean() - half), 1e-9), 1, "the channels are at chance")


@pytest.mark.slow
def test_weight_follows_its_rule(ledger):
    """20 Hz over all tasks and ten wirings, on samples of other seeds than those of the study."""
    _, todo = script.drawn(40, 1000)

    def rate(weight: float) -> float:
        ratio = weight / CHOSEN
        return float(np.mean([_rate(script.circuit(seed), ratio, todo) for seed in range(10)]))

    found = operating_point(rate, 20.0, low=10.0, high=17.0, steps=5)
    ledger(MODEL, "20 Hz, ten wirings", f"operating point {found:.1f} mV, chosen {script.WEIGHT}: relative", abs(found / CHOSEN - 1), 0.02)


def _rate(circuit: script.Circuit, ratio: float, todo: script.Protocol) -> float:
    weight = circuit.values["forward.weight"]
    scaled = circuit.with_values({"forward.weight": dataclasses.replace(weight, value=weight.value * ratio)})
    seen: Recording = brian.simulate(scaled, todo, seed=0, target="cpp")
    return float(seen.spikes["population"].counts.mean()) / 1.024
