"""Published data: complete, read-only, with their source; where two tables of the same numbers exist, they agree."""

import dataclasses
import itertools
import pkgutil
from collections.abc import Iterator
from importlib import import_module

import numpy as np
import pytest
from scipy.optimize import curve_fit

from bioneuro import evidence, units
from bioneuro.evidence import (
    bi1998,
    dudek1992,
    egger1999,
    frey1997,
    frey1998,
    graupner2012,
    luboeinski2021,
    markram1997,
    nevian2006,
    pathways,
    points,
    sajikumar2004,
    sajikumar2005,
    shires2012,
    sjostrom2001,
    wang2005,
)
from bioneuro.evidence.points import Points, PointsError, as_change, of_change, of_percent, tabled

WINDOWS = (graupner2012.DP, graupner2012.D)


def published() -> Iterator[tuple[str, Points]]:
    """Every `Points` of every paper, by the name of its module and its own."""
    for found in pkgutil.iter_modules(evidence.__path__, "bioneuro.evidence."):
        for name, value in vars(import_module(found.name)).items():
            held = getattr(value, "points", value)
            if isinstance(held, Points):
                yield f"{found.name.rpartition('.')[2]}.{name}", held


PUBLISHED = dict(published())


@pytest.mark.parametrize("data", WINDOWS)
def test_windows_are_whole(data: graupner2012.Window) -> None:
    assert data.lags.shape == data.ratio.shape == (41,)
    assert "10.1073/pnas.1109359109" in data.source
    assert np.array_equal(data.lags, -data.lags[::-1])
    assert (data.pairs, data.rate, data.runs) == (60, 1.0, 1000)


def test_every_paper_is_there() -> None:
    assert {name.partition(".")[0] for name in PUBLISHED} == {"bi1998", "egger1999", "markram1997", "nevian2006", "sjostrom2001", "wang2005"}


@pytest.mark.parametrize("data", PUBLISHED.values(), ids=PUBLISHED)
def test_points_are_whole(data: Points) -> None:
    """A paper with its doi, a protocol, a ratio of plausible size, conditions in a unit, no measurement twice."""
    assert "doi 10." in data.source
    assert data.protocol
    assert data.measures == points.RATIO
    assert np.all((data.mean > 0.3) & (data.mean < 3))
    kind = {"lag": "second", "interval": "second", "rate": "hertz", "": data.unit}[data.along]
    assert units.unit(data.unit).dimensions == units.unit(kind).dimensions
    rows = list(zip(data.x, data.mean, data.sem, data.n, strict=True))
    assert len({tuple(map(float, row)) for row in np.nan_to_num(rows)}) == len(rows)


@pytest.mark.parametrize("data", PUBLISHED.values(), ids=PUBLISHED)
def test_nobody_can_change_them(data: Points) -> None:
    for values in (data.x, data.mean, data.sem, data.n, graupner2012.DP.lags, graupner2012.DP.ratio):
        with pytest.raises(ValueError, match="read-only"):
            values[0] = 2.0
    with pytest.raises(dataclasses.FrozenInstanceError):
        data.name = "other"  # type: ignore[misc]


# Sjöström 2001 -------------------------------------------------------------------------------------------------------

RATES = [0.1, 10, 20, 40, 50]
#                                 who, lag: ratios, standard errors, typed a second time and rounded
SECOND_TABLE = {
    ("mgraupe", 0.010): ([0.96, 1.14, 1.29, 1.53, 1.56], [0.05, 0.10, 0.14, 0.11, 0.26]),
    ("mgraupe", -0.010): ([0.71, 0.59, 0.66, 1.56, 1.75], [0.08, 0.11, 0.10, 0.32, 0.19]),
    ("plastyfire", 0.010): ([0.9639, 1.1523, 1.3054, 1.5395, 1.5589], [0.0510, 0.1021, 0.1391, 0.1127, 0.2694]),
    ("plastyfire", -0.010): ([0.6817, 0.5636, 0.6388, 1.5003, 1.6917], [0.0771, 0.1078, 0.0902, 0.3048, 0.1859]),
    ("Plasticity_ker", 0.010): ([0.9697, 1.157, 1.313, 1.542, 1.564], [0.0414, 0.092, 0.129, 0.101, 0.257]),
    ("Plasticity_ker", -0.010): ([0.717, 0.612, 0.688, 1.540, 1.713], [0.074, 0.102, 0.083, 0.286, 0.189]),
}


def test_frequency_dependence_as_in_a_second_table() -> None:
    for (who, lag), (ratio, sem) in SECOND_TABLE.items():
        data = sjostrom2001.DIGITISATIONS[who][lag < 0]
        assert data.held == {"lag": lag}
        assert data.x == pytest.approx(RATES)
        assert data.mean == pytest.approx(ratio, abs=6e-4)  # the second table is rounded
        assert data.sem == pytest.approx(sem, abs=6e-4)
    assert sjostrom2001.PRE_POST_PLASTYFIRE.n.tolist() == [7, 6, 3, 6, 6]
    assert sjostrom2001.POST_PRE_PLASTYFIRE.n.tolist() == [7, 3, 4, 5, 10]
    assert np.isnan(sjostrom2001.PRE_POST.n).all()


def test_digitisations_differ_by_what_the_docstring_says() -> None:
    largest = 0.0
    for first, second in itertools.combinations(sjostrom2001.DIGITISATIONS.values(), 2):
        for a, b in zip(first, second, strict=True):
            largest = max(largest, float(np.abs(a.mean - b.mean).max()))
    assert 0.055 < largest < 0.065
    a, b = sjostrom2001.SYNCHRONOUS, sjostrom2001.SYNCHRONOUS_PLASTICITY_KER
    assert np.array_equal(a.x, b.x)
    assert np.abs(a.mean - b.mean).max() < 0.01
    a, b = sjostrom2001.WINDOW_20_HZ, sjostrom2001.WINDOW_20_HZ_PLASTICITY_KER
    assert np.array_equal(a.x, b.x)
    assert np.abs(a.mean - b.mean).max() < 0.03


def test_a_measurement_is_not_counted_twice() -> None:
    """The 50 Hz point at lag 0 of one digitisation is the one at 40 Hz; the disputed standard error is named."""
    assert 50.0 not in sjostrom2001.SYNCHRONOUS.x
    assert any(".9228" in caveat for caveat in sjostrom2001.SYNCHRONOUS.caveats)
    assert all(any("n 11" in c for c in pair[0].caveats) for pair in sjostrom2001.DIGITISATIONS.values())
    assert sjostrom2001.JITTERED.mean == pytest.approx([0.75, 0.85, 1.00, 1.35])


# The other papers ----------------------------------------------------------------------------------------------------


def exponential(lag: object, amplitude: float, tau: float) -> object:
    return amplitude * np.exp(-np.abs(lag) / tau)


@pytest.mark.parametrize(("kept", "found"), [((0, 1), bi1998.POTENTIATION), ((-1, -4.5e-3), bi1998.DEPRESSION)])
def test_bi_poo_fit_comes_out_again(kept: tuple[float, float], found: bi1998.Exponential) -> None:
    data = as_change(bi1998.FIG7)
    assert data.x.size == 45
    assert np.isnan(data.sem).all()
    mine = (data.x > kept[0]) & (data.x < kept[1])
    assert mine.sum() == found.points
    (amplitude, tau), covariance = curve_fit(exponential, data.x[mine], data.mean[mine], p0=(np.sign(found.amplitude) / 2, 0.02))
    error = np.sqrt(np.diag(covariance))
    assert amplitude == pytest.approx(found.amplitude, abs=0.01)
    assert tau == pytest.approx(found.tau, abs=1e-4)
    assert error[0] == pytest.approx(found.amplitude_error, abs=0.004)
    assert error[1] == pytest.approx(found.tau_error, abs=1e-4)


TRIPLETS = [
    (wang2005.PRE_POST_PRE, {(5, -5): (-0.16, 4.39, 6), (10, -10): (2.63, 3.68, 12), (15, -5): (0.25, 3.35), (5, -15): (23.15, 4.89)}),
    (wang2005.POST_PRE_POST, {(-5, 5): (27.3, 4.6, 8), (-10, 10): (25.4, 5.7, 8), (-15, 5): (28.12, 4.75), (-5, 15): (20.72, 7.55)}),
]
OLDER = {(15, -5): 0.0, (5, -15): 23.6, (-5, 15): 21.1, (-15, 5): 28.8}  # written post minus pre by the table itself


@pytest.mark.parametrize(("data", "expected"), TRIPLETS)
def test_triplets_as_in_a_second_table(data: wang2005.Triplets, expected: dict[tuple[int, int], tuple[float, ...]]) -> None:
    signs = np.sign(data.timing)
    assert np.array_equal(signs, np.tile([1, -1] if data is wang2005.PRE_POST_PRE else [-1, 1], (4, 1)))
    percent = {tuple(map(float, row)): 100 * (mean - 1) for row, mean in zip((1000 * data.timing).round(6), data.points.mean, strict=True)}
    for k, (timing, (mean, sem, *n)) in enumerate(expected.items()):
        assert percent[timing] == pytest.approx(mean, abs=0.06)
        assert 100 * data.points.sem[k] == pytest.approx(sem, abs=0.06)
        assert n == [] or data.points.n[k] == n[0]
        assert timing not in OLDER or percent[timing] == pytest.approx(OLDER[timing], abs=1)


QUADRUPLETS = {
    -102: (0.45, 3.5), -56: (-1.9, 1.7), -28: (2.0, 3.2), -15: (10.2, 6.3), 9: (23.2, 8.0), 15: (22.0, 8.7), 20: (24.1, 11.5), 26: (15.1, 4.7),
    36: (20.5, 4.2), 47: (11.5, 4.8), 58: (17.1, 5.6), 69: (14.3, 5.2), 93: (3.4, 2.7),
}  # fmt: skip


def test_quadruplets_as_in_a_second_table() -> None:
    means = wang2005.QUADRUPLET_MEANS
    assert means.n.sum() == wang2005.QUADRUPLETS.x.size == 60
    for interval, (change, sem) in QUADRUPLETS.items():
        k = int(np.abs(1000 * means.x - interval).argmin())
        assert 1000 * means.x[k] == pytest.approx(interval, abs=0.6)
        assert 100 * (means.mean[k] - 1) == pytest.approx(change, abs=0.06)
        assert 100 * means.sem[k] == pytest.approx(sem, abs=0.06)


def test_markram_digitisations() -> None:
    (rates, lags), (rates_g, lags_g) = markram1997.DIGITISATIONS.values()
    assert rates.mean == pytest.approx([0.9886, 1.0161, 1.2038, 1.3687, 1.4239, 1.5008])
    assert rates.n.tolist() == [2, 5, 9, 11, 3, 4]
    assert rates_g.mean == pytest.approx([0.99, 1.02, 1.26, 1.36, 1.42, 1.50])
    assert rates_g.sem == pytest.approx([0.04, 0.06, 0.08, 0.08, 0.08, 0.12])
    assert np.array_equal(rates.x, rates_g.x)
    assert np.abs(rates.mean - rates_g.mean).max() < 0.06
    assert lags_g.mean == pytest.approx([0.79, 1.26])
    assert lags.mean[lags.x == rates.held["lag"]] == rates.mean[rates.x == lags.held["rate"]]  # one measurement, in both series


def test_nevian_and_sakmann() -> None:
    timing, legend = nevian2006.TIMING, nevian2006.TIMING_LEGEND
    assert timing.mean == pytest.approx([1.00, 0.68, 0.98, 1.42, 2.01, 0.92])
    assert timing.sem == pytest.approx([0.09, 0.05, 0.12, 0.19, 0.22, 0.11])
    for k, lag in enumerate(legend.x):
        (same,) = np.flatnonzero(timing.x == lag)
        assert abs(timing.mean[same] - legend.mean[k]) < legend.sem[k]
    three = (nevian2006.SPIKES_PRE_POST.mean[2], nevian2006.RATES_PRE_POST.mean[1], timing.mean[4])
    assert len(set(three)) == 1


def test_what_has_no_number_says_so() -> None:
    assert all("from memory" in s.source and s.sign in (-1, 0, 1) and s.low <= s.high for s in dudek1992.SIGNS)
    assert "third party" in egger1999.STELLATE.source


# Tagging and capture -------------------------------------------------------------------------------------------------

COURSES = (*luboeinski2021.STET.values(), *luboeinski2021.WTET.values(), *luboeinski2021.REFRACTORY_STET.values())


@pytest.mark.parametrize("course", COURSES, ids=lambda course: f"{course.protocol}-{course.quantity}-{course.n}")
def test_simulated_courses_are_whole(course: luboeinski2021.Course) -> None:
    assert course.protocol in luboeinski2021.PROTOCOLS
    assert course.quantity in ("h", "z", "w")
    assert (course.n, course.variant) in ((30, luboeinski2021.DIRECT), (100, luboeinski2021.REFRACTORY))
    assert np.isfinite(course.mean).all()
    assert np.isfinite(course.t).all() or course.says
    assert np.all((course.sd > 0) | np.isnan(course.sd))
    assert "doi 10.1038/s42003-021-01778-y" in course.source
    with pytest.raises(ValueError, match="read-only"):
        course.mean[0] = 2.0


def test_simulated_weight_is_the_sum_of_its_phases() -> None:
    h, z, w = (luboeinski2021.STET[quantity] for quantity in "hzw")
    assert h.mean + z.mean == pytest.approx(w.mean, abs=0.0016)  # three roundings
    assert np.isnan(z.sd).tolist() == [True] * 6 + [False] * 6
    assert all(sum(counts.values()) == 30 for counts in luboeinski2021.CLASSES.values())
    assert [luboeinski2021.REFRACTORY_STET[q].mean.item() for q in "hzw"] == [1.79, 0.72, 1.749]
    with pytest.raises(ValueError, match="one of each per time"):
        dataclasses.replace(h, sd=h.sd[:3])


CAPTURES = (*frey1997.EXPERIMENTS, *frey1998.EXPERIMENTS, *sajikumar2004.EXPERIMENTS, *shires2012.EXPERIMENTS)


@pytest.mark.parametrize("experiment", CAPTURES)
def test_captures_say_what_they_rest_on(experiment: pathways.Capture) -> None:
    assert "doi 10." in experiment.source or "PMID" in experiment.source
    assert experiment.basis in (pathways.ABSTRACT, pathways.LEGEND)
    assert experiment.captured is not None or experiment.says
    assert abs(experiment.delay) <= 9 * 3600 or np.isnan(experiment.delay)
    with pytest.raises(ValueError, match=r"basis: 'hearsay' is not allowed\. Give one of 'abstract'"):
        dataclasses.replace(experiment, basis="hearsay")


def test_capture_depends_on_order_and_delay_as_published() -> None:
    """Both orders capture at half an hour; weak first fails between 1 and 3 h, strong first still works after 9 h."""
    known = [e for e in frey1998.EXPERIMENTS if np.isfinite(e.delay)]
    minutes = {verdict: {e.delay / 60 for e in known if e.captured is verdict} for verdict in (True, False, None)}
    assert minutes == {True: {-60, -30, -5, 30, 180, 360, 540}, False: {-180}, None: {-240, -120}}
    assert all(not e.captured for e in frey1998.EXPERIMENTS if e.blocked == "during the tetanisation of S1")
    assert all(e.captured for e in CAPTURES if e.blocked == "during the tetanisation of S2")
    assert sum(e.slices for e in frey1998.REPEATED) == 43


def test_percentages_from_memory_say_so() -> None:
    assert [(p.protocol, p.lasts) for p in sajikumar2005.ALONE] == [("STET", True), ("WTET", False), ("SLFS", True), ("WLFS", False)]
    for one in sajikumar2005.ALONE:
        assert one.basis == pathways.MEMORY
        assert "(from memory)" in one.source
    for one in sajikumar2005.CONFIRMED:
        assert np.isnan([one.low, one.high]).all()
        assert {p.protocol: p.lasts for p in sajikumar2005.ALONE}[one.protocol] == one.lasts


# The record ----------------------------------------------------------------------------------------------------------

GOOD = {"name": "mine", "unit": "ms", "source": "here"}


@pytest.mark.parametrize(
    ("rows", "more", "says"),
    [
        ([], {}, "give at least one point"),
        ([(np.nan, 1)], {}, r"x\[0\] is nan; allowed: a finite number"),
        ([(1, np.inf)], {}, r"mean\[0\] is inf"),
        ([(1, 1), (2, 1, 0.0)], {}, r"sem\[1\] is 0.0; allowed: a positive number, or NaN"),
        ([(1, 1, np.inf)], {}, r"sem\[0\] is inf"),
        ([(1, 1, 0.1, 2.5)], {}, r"n\[0\] is 2.5; allowed: a whole number from 1"),
        ([(1, 1, 0.1, 0)], {}, r"n\[0\] is 0.0"),
        ([(1, 1)], {"name": ""}, "both are needed"),
        ([(1, 1)], {"source": ""}, "both are needed"),
    ],
)
def test_points_are_checked(rows: list[tuple[float, ...]], more: dict[str, str], says: str) -> None:
    with pytest.raises(PointsError, match=says):
        tabled(**{"rows": rows, **GOOD, **more})  # type: ignore[arg-type]


def test_columns_are_of_one_length() -> None:
    with pytest.raises(PointsError, match="one value of each kind per point"):
        dataclasses.replace(tabled("mine", [(1, 1), (2, 1)], unit="ms", source="here"), sem=np.array([0.1]))
    with pytest.raises(units.UnitError, match="'mz' is not a unit name"):
        tabled("mine", [(1, 1)], unit="mz", source="here")


def test_percent_becomes_a_ratio_and_a_change() -> None:
    assert of_percent([(1, 150, 20, 3)]) == [(1, 1.5, 0.2, 3)]
    assert of_change([(1, 50)]) == [(1, 1.5)]
    changed = as_change(tabled("mine", of_change([(1, -20, 5)]), unit="ms", source="here"))
    assert (changed.x[0], changed.mean[0], changed.sem[0]) == pytest.approx((1e-3, -0.2, 0.05))
    with pytest.raises(PointsError, match="a change is taken of 'weight after / before' only"):
        as_change(changed)
