"""Words, features, and scikit-learn's estimators on them: laws, ends of the observation, single samples, shares of a decision."""

import copy
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.utils.estimator_checks import check_estimator

from bioneuro import complexity, learn, plot
from bioneuro.classify import (
    ClassifyError,
    Feature,
    LZCClassifier,
    LZCTransformer,
    carried,
    chained_lzc,
    counts,
    cross_validated,
    features,
    importance,
    labels_of,
    per_neuron_lzc,
    pooled_lzc,
    rates,
    standard_head,
    wilson,
    words_of,
)
from bioneuro.measure import MeasureError, observed, spike_count
from bioneuro.protocol import Coordinate
from bioneuro.recording import Recording, train

EVERYTHING = (per_neuron_lzc, pooled_lzc, chained_lzc, counts, rates)


def seen(steps: Any, index: Any, *, trials: int, size: int, dt: float = 1e-3, stop: str = "10 ms", labels: Any = None) -> Recording:
    conditions = {} if labels is None else {"label": Coordinate(values=np.asarray(labels, float))}
    made = train(np.asarray(steps, np.int64), np.asarray(index, np.int64), n_trials=trials, size=size, dt=dt)
    return observed(spikes={"source": made}, stop=stop, conditions=conditions)


def trains(rate: Any, n: int, seed: int, shape: tuple[int, ...] = (3, 400)) -> Any:
    return (np.random.default_rng(seed).random((n, *shape)) < np.reshape(rate, (-1, *[1] * len(shape)))).astype(np.uint8)


def two_rates(n: int = 120, seed: int = 0, shape: tuple[int, ...] = (3, 400)) -> tuple[Any, Any]:
    y = np.arange(n) % 2
    return trains(np.where(y == 0, 0.05, 0.12), n, seed, shape), y


# Words ---------------------------------------------------------------------------------------------------------------


@st.composite
def recordings(draw: st.DrawFn) -> tuple[Recording, int]:
    trials, size, n = draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(st.integers(1, 40))
    cells = draw(st.lists(st.integers(0, trials * size * n - 1), unique=True, max_size=60))
    index, step = np.divmod(np.array(cells, np.int64), n)
    return seen(step, index, trials=trials, size=size, stop=f"{n} ms"), n


@given(recordings(), st.integers(1, 10))
def test_words_are_the_counts(made: tuple[Recording, int], width: int) -> None:
    """Against a histogram of every train; sums are the numbers of spikes, or of bins with one."""
    recording, n = made
    if width > n:
        with pytest.raises(ClassifyError, match="fits between"):
            words_of(recording, "source", bin=f"{width} ms")
        return
    found, raw = words_of(recording, "source", bin=f"{width} ms"), words_of(recording, "source", bin=f"{width} ms", clip=False)
    spikes = recording.spikes["source"]
    assert found.dtype == raw.dtype == np.uint8
    assert found.shape == (recording.n_trials, spikes.size, n // width)
    for t in range(found.shape[0]):
        for u in range(spikes.size):
            mine = spikes.steps[spikes.offsets[t * spikes.size + u] : spikes.offsets[t * spikes.size + u + 1]]
            expected = np.bincount(mine[mine < n // width * width] // width, minlength=n // width)
            np.testing.assert_array_equal(raw[t, u], expected)
            np.testing.assert_array_equal(found[t, u], expected > 0)
    if n % width == 0:
        np.testing.assert_array_equal(raw.sum(axis=2), spike_count(recording, "source"))
    np.testing.assert_array_equal(words_of(recording, "source", bin="1 ms").sum(axis=2), spike_count(recording, "source"))


def test_ends_of_the_observation() -> None:
    recording = seen([0, 3, 9, 10], [0, 0, 0, 0], trials=1, size=1)
    for asked, expected in (
        ({"bin": "5 ms"}, [2, 2]),  # the spike at 10 ms is of the last bin
        ({"bin": "3 ms"}, [1, 1, 0]),  # the stretch from 9 ms on is no whole bin
        ({"bin": "3 ms", "start": "1 ms"}, [1, 0, 2]),  # bins end at 10 ms, and one spike is before the start
        ({"bin": "2 ms", "stop": "4 ms"}, [1, 1]),
        ({"bin": "3 ms", "stop": "9 ms"}, [1, 1, 0]),  # a stop of its own is open
        ({"bin": "10 ms"}, [4]),
    ):
        assert words_of(recording, "source", clip=False, **asked)[0, 0].tolist() == expected, asked


@pytest.mark.parametrize(
    ("asked", "error", "says"),
    [
        ({"bin": "1.5 ms"}, ClassifyError, r"0\.0015 s is 1\.5 steps of 0\.001 s"),
        ({"bin": "0 ms"}, ClassifyError, "give a bin of at least a step"),
        ({"bin": "-1 ms"}, ClassifyError, "at least a step"),
        ({"bin": "1 ms", "start": "0.5 ms"}, ClassifyError, "words_of: start"),
        ({"bin": "1 ms", "stop": "11 ms"}, ClassifyError, "a stop up to the end"),
        ({"bin": "4 ms", "start": "7 ms"}, ClassifyError, "no bin of 0.004 s fits"),
        ({"bin": "1 mV"}, ValueError, "expected a value in 'second'"),
        ({"population": "cell", "bin": "1 ms"}, MeasureError, "no spikes of 'cell'"),
    ],
)
def test_words_refused(asked: dict[str, Any], error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        words_of(seen([1], [0], trials=1, size=1), **{"population": "source", **asked})


def test_too_much_is_refused_before_memory_is_taken() -> None:
    with pytest.raises(ClassifyError, match="more than 1000000000 symbols"):
        words_of(seen([1], [0], trials=1, size=1, stop="1e9 s"), "source", bin="1 ms")
    with pytest.raises(ClassifyError, match="300 spikes in a bin"):
        words_of(seen(np.arange(300), np.zeros(300), trials=1, size=1, stop="1 s"), "source", bin="1 s", clip=False)


def test_labels() -> None:
    assert labels_of(seen([], [], trials=2, size=1, labels=[1, 0])).tolist() == [1, 0]
    with pytest.raises(ClassifyError, match="no condition 'label'; there are: none"):
        labels_of(seen([], [], trials=2, size=1))
    with pytest.raises(ClassifyError, match=r"holds 0\.5; classes are whole numbers"):
        labels_of(seen([], [], trials=2, size=1, labels=[1, 0.5]))


# Features ------------------------------------------------------------------------------------------------------------


def test_features_are_what_they_say() -> None:
    samples = learn.rates(channels=3, duration="300 ms").samples(6, seed=1)
    found, words = features(samples, "source", bin="1 ms", what=EVERYTHING), words_of(samples, "source", bin="1 ms")
    assert found.names[:5] == ("LZC 0", "LZC 1", "LZC 2", "LZC of all", "LZC of the chain")
    assert found.neurons.tolist() == [0, 1, 2, -1, -1, 0, 1, 2, 0, 1, 2]
    scale = np.log2(300) / 300
    np.testing.assert_allclose(found.values[:, :3], [[complexity.lz76(w) * scale for w in sample] for sample in words], rtol=1e-14)
    np.testing.assert_allclose(found.values[:, 3], [complexity.lz76(complexity.joint(sample)) * scale for sample in words], rtol=1e-14)
    np.testing.assert_allclose(found.values[:, 4], [complexity.lz76(s.ravel()) * np.log2(900) / 900 for s in words], rtol=1e-14)
    np.testing.assert_array_equal(found.values[:, 5:8], spike_count(samples, "source"))
    np.testing.assert_allclose(found.values[:, 8:], spike_count(samples, "source") / 0.3, rtol=1e-14)


@pytest.mark.parametrize("units", [2, 31, 33, 64, 65])
def test_patterns_over_units(units: int) -> None:
    """As bits of an integer or not: the complexity is that of `complexity.joint`."""
    words = trains(0.1, 4, units, (units, 100))
    found = LZCTransformer((pooled_lzc,)).fit_transform(words)[:, 0]
    np.testing.assert_array_equal(found, complexity.normalised(complexity.joint(words)))
    words[0, 0, 0] = 2  # symbols, not spikes
    found = LZCTransformer((pooled_lzc,), threshold=None).fit_transform(words)[:, 0]
    np.testing.assert_array_equal(found, complexity.normalised(complexity.joint(words)))


@pytest.mark.parametrize("what", [(), "LZC", ("LZC",), (per_neuron_lzc, None)])
def test_features_refused(what: Any) -> None:
    with pytest.raises(ClassifyError, match="is no tuple of features; give some of"):
        features(seen([], [], trials=1, size=1), "source", bin="1 ms", what=what)
    with pytest.raises(ClassifyError, match="LZCClassifier: features"):
        LZCClassifier(what).fit([[0, 1], [1, 0]], [0, 1])


# Estimators ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("estimator", [LZCTransformer(), LZCClassifier(), LZCClassifier((counts,), head=RandomForestClassifier(9, random_state=0))])
def test_scikit_learn_takes_it(estimator: Any) -> None:
    before = np.random.get_state()  # noqa: NPY002 (the checks seed the global generator)
    try:
        check_estimator(estimator, on_skip=None)
    finally:
        np.random.set_state(before)  # noqa: NPY002


def test_classes_of_any_kind_and_number() -> None:
    X, y = two_rates()
    names = np.array(["slow", "fast"])[y]
    assert set(LZCClassifier().fit(X, names).predict(X)) == {"slow", "fast"}
    assert LZCClassifier().fit(X, y == 1).classes_.tolist() == [False, True]
    three = np.arange(150) % 3
    X = trains(np.array([0.02, 0.08, 0.3])[three], 150, 1)
    model = LZCClassifier().fit(X[:75], three[:75])
    assert model.score(X[75:], three[75:]) == 1
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1, rtol=1e-12)
    assert model.decision_function(X).shape == (150, 3)
    one = LZCClassifier().fit(X[:, 0], three)  # one train per row
    assert one.shape_in_ == (400,)
    assert one.score(X[:, 0], three) > 0.9


def test_heads() -> None:
    X, y = two_rates()
    for head in (RandomForestClassifier(9, random_state=0), SVC(random_state=0), RidgeClassifier(), LogisticRegression()):
        model = LZCClassifier(head=head).fit(X[:60], y[:60])
        assert model.score(X[60:], y[60:]) > 0.9
        assert model.decide(X[60]) == model.predict(X[60:61])[0]
        assert hasattr(model, "predict_proba") == hasattr(head, "predict_proba")
        assert hasattr(head, "classes_") is False  # it is cloned
    with pytest.raises(ClassifyError, match="is not linear; use predict"):
        LZCClassifier(head=SVC(random_state=0)).fit(X, y).scores(X[0])
    silent = LZCClassifier((counts,)).fit(np.zeros((4, 2, 9)), [0, 1, 0, 1])  # constant features
    np.testing.assert_allclose(silent.predict_proba(np.zeros((1, 2, 9))), 0.5, atol=1e-9)


def test_probabilities_are_calibrated() -> None:
    """Hard pair of rates: samples given p are right with frequency p, within 4 standard errors of the number expected."""
    y = np.arange(1200) % 2
    X = trains(np.where(y == 0, 0.05, 0.06), 1200, 3, (2, 300))
    p = LZCClassifier().fit(X[:600], y[:600]).predict_proba(X[600:])[:, 1]
    assert 0 < p.min() < 0.2 < 0.8 < p.max() < 1
    assert abs(y[600:].sum() - p.sum()) < 4 * np.sqrt((p * (1 - p)).sum())


def test_with_the_rest_of_scikit_learn() -> None:
    X, y = two_rates()
    assert cross_val_score(LZCClassifier(), X, y, cv=4).mean() > 0.9
    search = GridSearchCV(LZCClassifier(), {"features": [(per_neuron_lzc,), (counts,)], "threshold": [0.0, None]}, cv=2).fit(X, y)
    assert search.best_score_ > 0.9
    pipe = make_pipeline(LZCTransformer((per_neuron_lzc, counts)), StandardScaler(), LogisticRegression()).fit(X, y)
    assert pipe[:-1].get_feature_names_out().tolist() == [f"{what} {k}" for what in ("LZC", "count") for k in range(3)]
    model = LZCClassifier((counts, pooled_lzc), threshold=0.5, head=standard_head())
    for again in (clone(model), pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        assert again.get_params()["features"] == (counts, pooled_lzc)
        assert again.set_params(threshold=None).threshold is None
    fitted = model.fit(X, y)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fitted)).predict_proba(X), fitted.predict_proba(X))


def test_recordings_are_classified() -> None:
    samples = learn.rates("20 Hz", "60 Hz", channels=4, duration="500 ms").samples(60, seed=2)
    found = cross_val_score(LZCClassifier(), words_of(samples, "source", bin="1 ms"), labels_of(samples), cv=3)
    assert found.mean() > 0.95


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda X, y: LZCClassifier().fit(X, np.zeros(len(X))), "contains only one class: 0.0"),
        (lambda X, y: LZCClassifier().fit(X[None], y[:1]), r"X has shape \(1, 120, 3, 400\); expected"),
        (lambda X, y: LZCClassifier(threshold="half").fit(X, y), "threshold: 'half' is no number"),
        (lambda X, y: LZCClassifier(threshold=np.nan).fit(X, y), "threshold: nan is no number"),
        (lambda X, y: LZCClassifier(threshold=None).fit(X - 1.5, y), "not whole numbers from 0 on, and threshold is None"),
        (lambda X, y: LZCClassifier().fit(X, y).predict(X[:, :, :300]), r"samples have shape \(3, 300\), but those .* had \(3, 400\)"),
        (lambda X, y: LZCClassifier().fit(X, y).predict(X[:, 0]), r"X has 400 features|samples have shape"),
        (lambda X, y: LZCClassifier().fit(X, y).decide(X[0, 0]), r"samples have shape \(400,\)"),
        (lambda X, y: cross_validated(LZCClassifier(), X[:6], y[:6], folds=4), "3 of class 0, 3 of class 1"),
        (lambda X, y: cross_validated(LZCClassifier(), X, y * 0), "two classes"),
        (lambda X, y: carried(LZCClassifier(head=SVC(random_state=0)).fit(X, y), X), "is not linear; use importance"),
        (lambda X, y: importance(LZCClassifier().fit(X, y), X, y[:3], seed=0), "a class per sample"),
        (lambda X, y: importance(LZCClassifier().fit(X, y), X, y + 7, seed=0), "give the classes of the samples"),
        (lambda X, y: cross_validated(LZCClassifier(), X, y[:100]), r"classes of shape \(100,\) for 120 samples"),
        (lambda X, y: cross_validated(LZCClassifier(), X, y, seed=-1), "seed -1; give whole numbers"),
        (lambda X, y: LZCClassifier(head=SVC).fit(X, y), "give a classifier of scikit-learn"),
        (lambda X, y: LZCClassifier((Feature("odd", lambda w, width: w.sum(axis=2)[:, :1]),)).fit(X, y), r"shape \(120, 1\), expected \(120, 3\)"),
        (lambda X, y: LZCClassifier().fit(X[:, :0], y), "with a unit and a bin at least"),
        (lambda X, y: labels_of(seen([1], [0], trials=1, size=1, labels=[np.inf])), "holds inf; classes are whole numbers"),
        (lambda X, y: words_of(seen([1], [0], trials=1, size=1), "source", bin=["1 ms", "2 ms"]), "bin: 2 times; give one"),
        (lambda X, y: wilson(0, 0), "at least one sample"),
    ],
)
def test_refused(make: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        make(*two_rates())


# One sample, and why -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("head", [None, LogisticRegression(max_iter=1000), RidgeClassifier()], ids=["standard", "logistic", "ridge"])
def test_one_sample_is_decided_as_many_are(classes: int, head: Any) -> None:
    """The folded weights give scikit-learn's scores to 1e-10 and its classes exactly, near the border too."""
    y = np.arange(300) % classes
    X = trains(np.array([0.05, 0.06, 0.08])[y], 300, 4)
    model = LZCClassifier(EVERYTHING, head=head).fit(X[:150], y[:150])
    assert model.linear_ is not None
    assert [model.decide(x) for x in X] == model.predict(X).tolist()
    scores, wanted = np.array([model.scores(x) for x in X]), model.decision_function(X)
    found = scores[:, 1] - scores[:, 0] if classes == 2 else scores
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-10 * np.abs(wanted).max())


@pytest.mark.parametrize("classes", [2, 3])
def test_shares_sum_to_the_log_odds(classes: int) -> None:
    y = np.arange(200) % classes
    X = trains(np.array([0.05, 0.08, 0.12])[y], 200, 5)
    model = LZCClassifier(EVERYTHING).fit(X, y)
    why, p = carried(model, X), np.sort(model.predict_proba(X), axis=1)
    assert why.neurons.shape == (200, 3)
    np.testing.assert_array_equal(why.decided, model.predict(X))
    np.testing.assert_allclose(why.odds, np.log(p[:, -1] / p[:, -2]), rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(why.neurons.sum(axis=1) + why.together, why.odds - why.odds_at_mean, rtol=0, atol=1e-9)
    assert np.all(why.decided != why.instead)


def test_the_neuron_that_knows_carries() -> None:
    """Of five neurons one changes its rate with the class: it carries the decisions, and is the one that is missed."""
    y = np.arange(300) % 2
    X = trains(0.1, 300, 6, (5, 500))
    X[:, 3] = trains(np.where(y == 0, 0.05, 0.15), 300, 7, (500,))
    model = LZCClassifier((per_neuron_lzc,)).fit(X[:150], y[:150])
    share = np.abs(carried(model, X[150:]).neurons).mean(axis=0)
    assert share[3] > 10 * np.delete(share, 3).max()
    for mixed in (model, LZCClassifier(head=RandomForestClassifier(20, random_state=0)).fit(X[:150], y[:150])):
        lost = importance(mixed, X[150:], y[150:], seed=1, repeats=5)
        assert lost.accuracy > 0.95
        assert lost.mean[3] > 0.3
        assert np.delete(lost.mean, 3).max() < 0.05
    again = importance(mixed, X[150:], y[150:], seed=1, repeats=5)
    np.testing.assert_array_equal(again.mean, lost.mean)
    with plot.style():
        figure, axes = plot.grid(1, 2, height=50)
        plot.carried(axes[0, 0], carried(model, X[150:]))
        plot.importance(axes[0, 1], lost)
        figure.canvas.draw()
    assert axes[0, 0].get_ylabel() == "neuron"


def test_intervals_and_folds() -> None:
    assert wilson(50, 100) == pytest.approx((0.40383, 0.59617), abs=1e-5)
    X, y = two_rates(shape=(1, 200))
    found, decided = cross_validated(LZCClassifier(), X, y, folds=4, seed=3)
    assert found.right == (decided == y).sum()
    assert found.low < found.mean < found.high
    assert str(found).startswith(f"{100 * found.mean:.1f} % (")
    same, _ = cross_validated(LZCClassifier(), X, y, folds=4, seed=3)
    assert same == found
    chance, _ = cross_validated(DummyClassifier(), X.reshape(120, -1), y)
    assert chance.mean == 0.5
