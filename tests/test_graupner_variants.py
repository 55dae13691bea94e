"""The calcium rule beyond its windows: frequency dependence, doublets, the double well, and the sets of later papers."""

import hashlib

import numpy as np
import pytest
import torch
from brian2.units import Hz, ms
from test_windows import CALCIUM, EFFICACY, agreement, numbers

from bioneuro import measure, protocol
from bioneuro.brian import simulate
from bioneuro.catalogue import deperrois2020, graupner2012, graupner2016, higgins2014
from bioneuro.catalogue.graupner2012 import DOUBLE_WELL, FLAT
from bioneuro.imposed import Coordinate, Events, Spikes
from bioneuro.plan import plan
from bioneuro.protocol import Protocol
from bioneuro.statements import read
from bioneuro.theory import graupner2012 as theory
from bioneuro.twin import Twin
from bioneuro.verify import verify

RATES = np.array([0.1, 1, 5, 10, 15, 20, 25, 30, 35, 40, 50])
LAGS = np.array([-25.0, -10, 10, 25])
RUNS = 250
SLICES, MODEL = "cortical slices", "Graupner-Brunel 2012"
START = {"calcium.rho": [0, 1]}


def imposed(pre, post, reads, **more) -> Protocol:
    """Spikes at given seconds: a list of trains per port, one per stimulus, and one reading each; starts of rho are trials of their own."""
    n, starts = len(reads), more.pop("starts", None)
    stimulus = np.arange(n) if starts is None else np.repeat(np.arange(n), len(starts))
    given = {} if starts is None else {"calcium.rho": np.tile(np.array(starts, float), n)}
    return Protocol(
        name="imposed",
        stepping=more.pop("stepping", Events()),
        trials={name: Coordinate(values=values) for name, values in more.items()},
        stimulus=stimulus,
        reads=np.array(reads)[:, None],
        settings=given,
        spikes={port: train(times) for port, times in (("pre", pre), ("post", post))},
        record=("calcium.rho",),
    )


def train(times) -> Spikes:
    which = np.repeat(np.arange(len(times)), [len(t) for t in times])
    return Spikes(stimulus=which, unit=np.zeros_like(which), time=np.concatenate([np.asarray(t, float) for t in times]))


def frequencies(repetitions: int = 1, lags=LAGS, rates=RATES) -> Protocol:
    """75 pairs per lag and rate; 44 stimuli like `window`, so that one compiled program serves both."""
    return protocol.pairing(lags * ms, rates * Hz, pairs=75, repetitions=repetitions, initial=START, record=("calcium.rho",))


def window(repetitions: int = 1, stepping=None) -> Protocol:
    lags = np.arange(-107.5, 108, 5)
    return protocol.pairing(lags * ms, pairs=60, repetitions=repetitions, initial=START, record=("calcium.rho",), stepping=stepping)


def exact(lags, rates, pairs: int, name: str = SLICES, **more) -> theory.Transitions:
    """The exact law of finite trains, axes (lag, rate)."""
    found = [
        theory.pulsed(theory.pulsed_stays(lags, float(r), pairs, **numbers(name, *CALCIUM), **more), **numbers(name, *EFFICACY)) for r in rates
    ]
    fields = ("U", "D", "mean_0", "mean_1", "variance")
    return theory.Transitions(**{f: np.stack([getattr(end, f) for end in found], axis=-1) for f in fields})


def moments(circuit, todo: Protocol, shape):
    """Mean (from 0, from 1) and variance carried by the twin, each of `shape`."""
    with torch.no_grad():
        seen = Twin(circuit).moments(todo).detached()
    mean, variance = (seen[f"calcium.rho{x}"][:, 0, 0].reshape(*shape, 2) for x in ("", "_variance"))
    return mean[..., 0], mean[..., 1], variance[..., 0]


def transitions(seen, *by: str):
    """Shares U and D per combination of the coordinates `by`, in increasing order."""
    up, (*_, start) = measure.grouped(seen, measure.above(seen, "calcium.rho", 0.5)[:, 0], *by, "start")
    share = up.mean(axis=1)
    return share[start == 0], 1 - share[start == 1]


# ---- models ---------------------------------------------------------------------------------------------------------------------------

DIGESTS = {
    "DP": "a30a200a710199302ec33a59715eedeaabb44aa9aaa86726ae2816d4c7dd3769",
    SLICES: "c20196264882c452125a5ad9b029b4fff7653bdda408c6e19ad8fbf2f12dcc23",
}
STEP = "df7bcc46ad6838e0b5e5ddaab6d2e2fc"


@pytest.mark.parametrize("name", DIGESTS)
def test_the_flat_rule_is_what_it_was(name):
    """Digest and event step of the flat rule, to which results and compiled programs of earlier versions refer."""
    circuit = graupner2012.pair(name)
    assert circuit.digest == DIGESTS[name]
    assert graupner2012.pair(name, FLAT).digest == DIGESTS[name] != graupner2012.pair(name, DOUBLE_WELL).digest
    update = read(plan(circuit, window(), seed=0)).phases[0].code
    assert hashlib.sha256(update.encode()).hexdigest()[:32] == STEP


def test_variants_are_the_rule_with_other_numbers():
    for name, ratio in (("in vitro", 1.0), ("in vivo", 0.6)):
        there, here = higgins2014.rule(name).parameters, graupner2012.rule(SLICES).parameters
        for key in ("Cpre", "Cpost"):  # 1.5 mM of calcium outside instead of 2.5 mM
            assert float(there[key].value) == pytest.approx(ratio * float(here[key].value), abs=1e-5)
        assert all(there[k].value == here[k].value for k in there if k not in ("Cpre", "Cpost"))
        assert higgins2014.rule(name).equations == graupner2012.rule(SLICES).equations
    for module, name in ((graupner2012, "DPP"), (higgins2014, "x"), (graupner2016, "x"), (deperrois2020, "x")):
        with pytest.raises(KeyError, match=r"has no parameter set .*; allowed: "):
            module.pair(name)


# ---- the exact law --------------------------------------------------------------------------------------------------------------------


def test_frequency_dependence_has_its_exact_law(ledger):
    """75 pairs at 0.1 to 50 Hz, eleven lags up to half a second: mean and variance, then the averaged theory that the paper plots."""
    lags = np.array([-500.0, -50, -25, -10, -5, 0, 5, 10, 25, 50, 500])
    found = moments(graupner2012.pair(SLICES), frequencies(lags=lags), (lags.size, RATES.size))
    truth = exact(lags / 1000, RATES, 75)
    errors = [np.abs(a - b).max() for a, b in zip(found, (truth.mean_0, truth.mean_1, truth.variance), strict=True)]
    ledger(f"{MODEL}, {SLICES}", "exact law of the 75-pair train", "frequency dependence 0.1-50 Hz, 11 lags: mean and variance", max(errors), 1e-9)
    values = numbers(SLICES)
    averaged = np.stack([theory.window(LAGS / 1000, float(r), 75, **values) for r in RATES], axis=-1)
    end = exact(LAGS / 1000, RATES, 75)
    error = np.abs(averaged - theory.weight_ratio(end.U, end.D, values["beta"], values["b"])).max()
    why = "the averaging of the theory: it starts from calcium in its steady state, and spreads it over the period"
    ledger(f"{MODEL}, {SLICES}", "averaged theory, as the paper plots it", "weight ratio, 75 pairs at 0.1-50 Hz, four lags", error, 0.02, why)


@pytest.mark.parametrize("pairs", [200, 100, 30])
def test_doublets_have_their_exact_law(pairs, ledger):
    """Hippocampal slices, 5 Hz, one pre and two post spikes 11.5 ms apart, lag to the last of them (Fig. 3)."""
    name, lags, offsets = "hippocampal slices", np.arange(-95, 100, 10) / 1000, (-0.0115, 0.0)
    pre = 0.3 + np.arange(pairs) / 5
    post = [np.sort(np.concatenate([pre + lag + offset for offset in offsets])) for lag in lags]
    todo = imposed([pre] * lags.size, post, [t[-1] + 1.0 for t in post], starts=(0, 1))
    found = moments(graupner2012.pair(name), todo, (lags.size,))
    truth = exact(lags, [5.0], pairs, name, post_offsets=offsets)
    wanted = (x[:, 0] for x in (truth.mean_0, truth.mean_1, truth.variance))
    error = max(np.abs(a - b).max() for a, b in zip(found, wanted, strict=True))
    ledger(f"{MODEL}, {name}", "exact law of the train", f"{pairs} doublets at 5 Hz, 20 lags: mean and variance", error, 1e-9)
    values = numbers(name)
    averaged = theory.window(lags, 5.0, pairs, post_offsets=offsets, **values)
    error = np.abs(averaged - theory.weight_ratio(truth.U[:, 0], truth.D[:, 0], values["beta"], values["b"])).max()
    what = f"weight ratio, {pairs} doublets at 5 Hz, 20 lags"
    ledger(f"{MODEL}, {name}", "averaged theory, as the paper plots it", what, error, 0.04, "the averaging of the theory")


PRINTED = {0.1: (1.0613302015, 0.6907557602), 1: (1.0613302015, 0.6907557602), 5: (1.0615915685, 0.6898755450),
           10: (1.0830035006, 0.6213758770), 20: (1.2530174443, 0.6348511753)}  # fmt: skip


def test_theory_has_the_printed_digits(ledger):
    found = {rate: theory.window(np.array([0.01, -0.01]), rate, 75, **numbers(SLICES)) for rate in PRINTED}
    error = max(np.abs(found[rate] - ratio).max() for rate, ratio in PRINTED.items())
    what = "weight ratio, 75 pairs at 0.1-20 Hz, +10 and -10 ms"
    ledger(f"{MODEL}, {SLICES}", "averaged theory, independently computed (10 digits)", what, error, 0.51e-10)
    printed = [0.9304, 0.8830, 0.8232, 0.7910, 0.7591, 0.7286, 0.7027, 0.8634, 0.9976, 0.9955]
    lags = np.array([-60, -40, -20, -10, 0, 10, 20, 30, 40, 60]) / 1000
    error = np.abs(theory.window(lags, 5.0, 200, **numbers("hippocampal slices")) - printed).max()
    what = "weight ratio, 200 single pairs at 5 Hz, 10 lags"
    why = "these are single pairs; doublets potentiate at +10 and +20 ms"
    ledger(f"{MODEL}, hippocampal slices", "averaged theory, independently computed (4 digits)", what, error, 0.51e-4, why)


# ---- simulated, flat and bistable -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def curves():
    """U and D by (set, potential, protocol), C++, 250 runs from each state; flat and bistable see the same noise."""
    found = {}
    for name, what, todo in (("DP", "window", window(RUNS)), (SLICES, "window", window(RUNS)), (SLICES, "rates", frequencies(RUNS))):
        for potential in (FLAT, DOUBLE_WELL):
            seen = simulate(graupner2012.pair(name, potential), todo, seed=2012)
            found[name, potential, what] = transitions(seen, *(("lag",) if what == "window" else ("lag", "rate")))
    return found


def test_simulated_frequency_dependence_agrees(curves, ledger):
    truth = exact(LAGS / 1000, RATES, 75)
    for label, seen, p in zip("UD", curves[SLICES, FLAT, "rates"], (truth.U.ravel(), truth.D.ravel()), strict=True):
        chance, z = agreement(seen, p, RUNS)
        what = f"{label}, 75 pairs at 0.1-50 Hz, four lags x {RUNS}"
        ledger(f"{MODEL}, {SLICES}", "exact law of the 75-pair train", f"{what}: 1 - chi-square p", 1 - chance, 0.999)
        ledger(f"{MODEL}, {SLICES}", "exact law of the 75-pair train", f"{what}: largest |z|", z, 4.5)


def test_what_the_double_well_does(curves, ledger):
    """The same noise with and without the cubic term: how far the fitted curves, which have none, are from those with it."""
    why = "not an error: the effect of the cubic term, which the published fits leave out"
    for (name, what), allowed in {("DP", "window"): 0.03, (SLICES, "window"): 0.03, (SLICES, "rates"): 0.2}.items():
        values = numbers(name)
        flat, well = (theory.weight_ratio(*curves[name, p, what], values["beta"], values["b"]) for p in (FLAT, DOUBLE_WELL))
        change = np.abs(well - flat)
        shown = "window, 60 pairs at 1 Hz" if what == "window" else "75 pairs at 0.1-50 Hz, four lags"
        ledger(f"{MODEL}, {name} bistable", "the same set with flat potential", f"weight ratio, {shown}", change.max(), allowed, why)
        if what == "rates":
            change = change.reshape(LAGS.size, RATES.size)
            fast = change[:, RATES >= 10]
            assert change[:, 0].max() == change.max() > 0.05  # 750 s, twice tau: the well empties what it does not keep
            ledger(f"{MODEL}, {name} bistable", "the same set with flat potential", "weight ratio, 75 pairs at 10-50 Hz", fast.max(), 0.01, why)


def test_engines_agree_on_the_double_well(ledger):
    """The program of the curves again, against NumPy and the twin."""
    circuit, todo = graupner2012.pair(SLICES, DOUBLE_WELL), frequencies(RUNS)
    compiled = simulate(circuit, todo, seed=3)
    few = frequencies()
    for label, seen, other in (
        ("NumPy", compiled, simulate(circuit, todo, seed=3, target="numpy")),
        ("twin", simulate(circuit, few, seed=3, target="numpy"), Twin(circuit)(few, seed=3).detached()),
    ):
        verdict = verify(seen, against=other, tolerance=1e-9)
        assert verdict, str(verdict)
        error = float(np.abs(seen["calcium.rho"] - other["calcium.rho"]).max())
        ledger(f"{MODEL}, {SLICES} bistable", "C++" if label == "NumPy" else "NumPy", f"{label}, noisy, by events", error, 1e-9)


# ---- the splitting --------------------------------------------------------------------------------------------------------------------


def quiet(name: str, **values):
    """The bistable rule without noise."""
    return graupner2012.pair(name, DOUBLE_WELL).with_values({"calcium.sigma": 0, **{f"calcium.{k}": v for k, v in values.items()}})


def rho(circuit, todo: Protocol):
    return simulate(circuit, todo, seed=0, target="numpy")["calcium.rho"][:, 0, 0]


def test_pairs_at_1_hz_need_no_grid(ledger):
    """Steps of up to a second against steps of 5 ms. Per pair the splitting errs by about slope rate**2 stay**3/12, here 3e-8."""
    for name in ("DP", SLICES):
        options = dict(lag=np.arange(-100, 101, 20) * ms, pairs=10, initial=START, record=("calcium.rho",))
        one, other = (rho(quiet(name), protocol.pairing(**options, stepping=Events(grid=grid))) for grid in (0.0, 0.005))
        what = "efficacy without noise and without a grid, 10 pairs at 1 Hz, 11 lags"
        ledger(f"{MODEL}, {name} bistable", "the same on a grid of 5 ms", what, float(np.abs(one - other).max()), 3e-7)


def test_the_error_falls_with_the_square_of_the_grid(ledger):
    """With rates a thousand times faster the well matters within a pair."""
    circuit = quiet("DP", tau="0.15 second", gamma_d=2, gamma_p=3, tau_Ca="100 ms")
    steps = np.array([0.04, 0.02, 0.01, 0.005])

    def end(grid: float):
        return rho(circuit, protocol.pairing(np.array([-10.0, 10]) * ms, 2 * Hz, pairs=2, initial=START, stepping=Events(grid=grid)))

    truth = end(0.001)
    errors = [float(np.abs(end(step) - truth).max()) for step in steps]
    order = float(np.polyfit(np.log(steps), np.log(errors), 1)[0])
    ledger(f"{MODEL}, bistable, tau 0.15 s", "a grid of 1 ms", "order of the error in the grid, distance from 2", abs(order - 2), 0.35)
    ledger(f"{MODEL}, bistable, tau 0.15 s", "a grid of 1 ms", "efficacy on a grid of 5 ms", errors[-1], 1e-4)


def test_a_fine_clock_agrees_with_the_splitting(ledger):
    circuit = quiet("DP", tau="15 second", gamma_d=20, gamma_p=32, D="12.8 ms")
    errors = []
    for dt in ("0.2 ms", "0.1 ms"):
        options = dict(lag=np.array([-10, 10]) * ms, pairs=2, rate="5 Hz", initial=START, rest="0.1 s", record=("calcium.rho",))
        by_clock = rho(circuit, protocol.pairing(**options, stepping=protocol.clock(dt)))
        errors.append(float(np.abs(by_clock - rho(circuit, protocol.pairing(**options))).max()))
    assert errors[1] < 0.7 * errors[0]
    ledger(f"{MODEL}, bistable, tau 15 s", "event stepping", "efficacy without noise, Heun, dt 0.1 ms", errors[1], 2e-3)


def test_ratio_of_trains_is_that_of_the_pulsed_protocol() -> None:
    """Any trains, of different lengths side by side, against the law of repeated pairs; nothing after no spikes."""
    values = {key: float(p.value) for key, p in graupner2012.rule("cortical slices").parameters.items()}
    some = {key: values[key] for key in ("tau_Ca", "Cpre", "Cpost", "theta_d", "theta_p", "D")}
    rest = {key: values[key] for key in ("gamma_d", "gamma_p", "sigma", "tau", "rho_star")}
    trains = [(np.arange(n) / 20, np.arange(n) / 20 + lag) for n, lag in ((75, 0.01), (30, -0.01), (1, 0.005))]
    found = theory.ratio_of_trains([*trains, (np.zeros(0), np.zeros(0))], **values)
    for ratio, (pre, post) in zip(found, trains, strict=False):
        end = theory.pulsed(theory.pulsed_stays(post[0] - pre[0], 20.0, pre.size, **some), **rest)
        assert ratio == pytest.approx(float(theory.weight_ratio(end.U, end.D, values["beta"], values["b"])), rel=1e-12)
    assert found[-1] == 1.0
