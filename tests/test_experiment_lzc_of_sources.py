"""Complexity of sources: what the figure says of rate, length and structure holds on few words too."""

from pathlib import Path

import numpy as np
import pytest
from scripts import loaded

from bioneuro import learn
from bioneuro.complexity import entropy
from bioneuro.script import Options

script, figure = loaded("protocols", "lzc_of_sources"), loaded("figures", "lzc_of_sources")
OPTIONS = Options(out=Path("unused.nc"), quick=True)
TASKS = {name: task for name, (task, _) in script.plan(OPTIONS).items()}


def test_every_study_is_read_along_its_axis():
    assert {name.partition("_")[0] for name in TASKS} == {"rate", "length", *figure.STRUCTURE}
    assert {name: coordinate for name, (coordinate, *_) in figure.STRUCTURE.items()} == {
        name: next(iter(axis)) for name, axis in script.AXES.items() if name != "rate"
    }
    assert set(figure.ESTIMATORS) == set(script.USED["length"])
    assert set(figure.KNOWN_AT) <= set(script.RATES)
    assert set(figure.SIZES) == set(script.SIZES)
    full = {name: task for name, (task, _) in script.plan(Options(out=Path("unused.nc"))).items()}
    assert all(full[name].digest != task.digest for name, task in TASKS.items())


@pytest.mark.parametrize(("name", "shape"), [("rate_256", (10, 256)), ("jitter", (10, 4000))])
def test_words_are_those_of_each_source(name, shape):
    words = script.words_of(TASKS[name], seed=3)
    assert [w.shape for w in words] == [shape] * len(TASKS[name].classes)
    if name == "jitter":
        assert np.array_equal(words[0], np.tile(words[0][:1, :250], (10, 16)))
    else:
        assert np.diff([w.mean() for w in words]).min() > -0.02


@pytest.mark.parametrize("name", ["persistence", "refractory", "jitter"])
def test_structure_lowers_the_complexity_at_one_rate(name):
    """From the surrogates' value without structure, to well below it with most of it."""
    words = script.words_of(TASKS[name], seed=1)
    found, mixed = (np.array([script.READERS[key](w).mean() for w in words]) for key in ("lz76", "shuffled"))
    ratio = found / mixed
    free, bound = (-1, 0) if name == "jitter" else (int(np.argmax(ratio)), -1)
    assert ratio[free] == pytest.approx(1, abs=0.03)
    assert ratio[bound] < 0.6
    if name != "jitter":
        exact = np.array([learn.entropy_rate(source) for source in TASKS[name].classes])
        assert ratio[bound] > exact[bound] / exact.max() - 0.02  # it sees no more than there is


def test_estimators_near_the_rate_of_two_states():
    """At 4096 bins: the context tree and blocks within 0.02 bits, LZ76 within 0.04, match lengths below, LZ78 far above."""
    words, source = script.words_of(TASKS["length_4096"], seed=1)[1], TASKS["length_4096"].classes[1]
    error = {key: float(np.mean(script.READERS[key](words))) - learn.entropy_rate(source) for key in script.USED["length"]}
    assert max(abs(error[key]) for key in ("context_tree", "plug_in", "miller_madow")) < 0.02
    assert abs(error["lz76"]) < 0.04
    assert -0.15 < error["match_length"] < -0.03
    assert 0.15 < error["lz78"] < 0.3


def test_means_of_bernoulli_words_are_the_known_ones():
    """400 words at each probability, within 4 standard errors of the difference."""
    for n, (mean, sd) in figure.KNOWN.items():
        for k, p in enumerate(figure.KNOWN_AT):
            samples = learn.drawn(learn.bernoulli(p), 400, duration=f"{n} ms", seed=7)
            found = entropy.lz76(script.classify.words_of(samples, "source", bin="1 ms")[:, 0])
            assert abs(found.mean() - mean[k]) < 4 * np.hypot(sd[k], found.std()) / 20
            assert found.std() == pytest.approx(sd[k], rel=0.2)
