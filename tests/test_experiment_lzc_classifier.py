"""What complexity tells without a network: the known accuracies of one train, the families, shuffled labels, and the figure's words."""

from pathlib import Path

import numpy as np
import pytest
from scripts import loaded

from bioneuro import load, measure, plot
from bioneuro.classify import LZCClassifier, labels_of, per_neuron_lzc, words_of
from bioneuro.script import Options

script, figure = loaded("protocols", "lzc_classifier"), loaded("figures", "lzc_classifier")
MODEL, CHANCE = "LZC classifier, no network", "chance, 50 %"


def told(family: str, n: int, seed: int, train: int, test: int) -> dict[str, float]:
    """Accuracies by reader, as the script has them."""
    samples = script.tasks(f"{n} ms", seed)[family].samples(train + test, seed)
    return dict(zip(script.READERS, script.accuracies(samples, train, seed), strict=True))


def test_script_and_figure_agree() -> None:
    assert set(script.READERS) == set(figure.READERS)
    assert [*figure.FAMILIES, "carried", "importance"] == list(script.plan(Options(out=Path("unused.nc"))))


@pytest.mark.parametrize(("n", "share", "allowed"), [(1024, 0.997, 0.002), (256, 0.89, 0.01)])
def test_one_train_by_a_threshold(n: int, share: float, allowed: float, ledger) -> None:
    """Half of 20,000 trains are held out; allowed is half of the last digit of the reference, and two standard errors."""
    samples = script.tasks(f"{n} ms", 0)["bernoulli"].samples(20_000, seed=7)
    X, y = words_of(samples, "source", bin="1 ms"), labels_of(samples)
    right = LZCClassifier((per_neuron_lzc,)).fit(X[:10_000], y[:10_000]).score(X[10_000:], y[10_000:])
    check = f"LZC of one Bernoulli train of {n} bins, p = .05 or .10: right"
    ledger(MODEL, f"about {100 * share:g} %, 400 trains of each", check, abs(right - share), allowed, f"{100 * right:.1f} % of 10,000 trains")


def test_families_small() -> None:
    """One seed, 300 samples to learn from, 100 asked: rates are told by all, coincidence by complexity alone, order by nobody."""
    far = 0.5 + 4 * 0.5 / np.sqrt(100)
    rates, together, order = (told(family, 512, 0, 300, 100) for family in ("rates", "coincidence", "order"))
    assert min(rates["lzc"], rates["count"], rates["both"], rates["bins"]) > 0.95
    assert together["lzc"] > 0.85
    assert max(together["count"], together["bins"], *order.values()) < far
    assert max(one["shuffled"] for one in (rates, together, order)) < far


def test_quick_study_and_its_figure(tmp_path: Path) -> None:
    options = Options(quick=True, out=tmp_path / "lzc_classifier.nc")
    folder = script.main(options)
    used = {name: load(folder / f"{name}.nc") for name in (*figure.FAMILIES, "carried", "importance")}
    assert plot.digest(used) == plot.digest_of({name: (a.digest, b.digest) for name, (a, b) in script.plan(options).items()})
    why = figure.why(used["carried"])
    np.testing.assert_allclose(why.neurons.sum(axis=1) + why.together, why.odds - why.odds_at_mean, rtol=0, atol=1e-9)
    assert np.abs(why.neurons[:, :2]).mean() > 3 * np.abs(why.neurons[:, 2:]).mean()
    assert figure.worth(used["importance"]).mean[:2].min() > 0
    drawn = figure.main(options)
    assert drawn.parent == tmp_path
    assert plot.digest_in(drawn) == plot.digest(used)
    assert "Means over 2 seeds" in figure.caption(used)


@pytest.mark.parametrize(
    ("lzc", "count", "bins", "says"),
    [
        (0.99, 0.99, 0.99, "counts do alone"), (0.5, 0.5, 0.5, "no reader tells"), (0.9, 0.5, 0.99, "plain bins do too"),
        (0.9, 0.5, 0.6, "neither counts nor bins"), (0.5, 0.5, 0.9, "plain bins alone"),
    ],
)  # fmt: skip
def test_verdicts(lzc: float, count: float, bins: float, says: str) -> None:
    noise = 0.01 * np.random.default_rng(0).standard_normal((20, 2, 1))
    values = {"one": 0.5, "lzc": lzc, "both": lzc, "count": count, "bins": bins, "shuffled": 0.5}
    traces = {f"accuracy.{r}": measure.series([64, 128], x + noise * (k + 1), "1", time_unit="ms") for k, (r, x) in enumerate(values.items())}
    assert says in figure.verdict(measure.observed(traces=traces))


# ---- the whole: 10 seeds ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def seen() -> dict[str, dict[str, np.ndarray]]:
    """Family -> reader -> accuracies of ten seeds at 1024 bins."""
    rows = {family: [told(family, 1024, seed, 900, 100) for seed in range(10)] for family in figure.FAMILIES}
    return {family: {r: np.array([row[r] for row in each]) for r in script.READERS} for family, each in rows.items()}


@pytest.mark.slow
def test_rates_are_told_and_counted(seen, ledger) -> None:
    right = {r: float(seen["rates"][r].mean()) for r in ("lzc", "count")}
    said = f"counts: {100 * right['count']:.2f} %"
    ledger(MODEL, "Rudnicka et al., arXiv 2508.11674", "10 or 20 Hz, 1.024 s, 10 seeds: wrong; they have 99.5 % right", 1 - right["lzc"], 0.005, said)


@pytest.mark.slow
@pytest.mark.parametrize("family", ["rhythm", "coincidence"])
def test_complexity_tells_what_counts_do_not(seen, family: str) -> None:
    """Paired by seed, beyond the 95 % interval; the count itself is at chance."""
    gain = 100 * (seen[family]["lzc"] - seen[family]["count"])[:, None]
    assert gain.mean() - figure.interval(gain)[0] > 30
    assert abs(seen[family]["count"].mean() - 0.5) < 4 * 0.5 / np.sqrt(1000)


@pytest.mark.slow
@pytest.mark.parametrize("family", figure.FAMILIES)
def test_shuffled_labels_teach_nothing(seen, family: str, ledger) -> None:
    away = abs(float(seen[family]["shuffled"].mean()) - 0.5)
    spread = max(float(seen[family]["shuffled"].std(ddof=1)), 0.05) / np.sqrt(10)
    ledger(MODEL, CHANCE, f"{family}: labels shuffled, 1000 samples told: away from chance", away, 4 * spread, "allowed: 4 standard errors")


@pytest.mark.slow
@pytest.mark.parametrize("reader", ["one", "lzc", "count", "both", "bins"])
def test_order_is_hidden(seen, reader: str, ledger) -> None:
    away = abs(float(seen["order"][reader].mean()) - 0.5)
    ledger(MODEL, CHANCE, f"order: {reader}, 1000 samples told: away from chance", away, 4 * 0.5 / np.sqrt(1000), "allowed: 4 standard errors")
