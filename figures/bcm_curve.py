"""Draws results/bcm_curve/*.nc: weight change under Poisson firing against the postsynaptic rate, for four learning rules.

Lines are closed forms of the package. For the calcium-based rule the line is the averaged theory with the exact share of time that the
calcium of independent Poisson trains spends above each threshold; there is none for shared spikes.
Error bars are one standard error over repetitions.

`--quick`, `--set` and `--out` name the results as they did for protocols/bcm_curve.py; only the full study goes to figures/. `--data` shows
measured ratios of weights against a rate in panel d.
"""

import dataclasses
import textwrap
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray
from scipy.optimize import brentq

from bioneuro import Circuit, Recording, measure, plot, script
from bioneuro.catalogue import graupner2012, pfister2006, song2000
from bioneuro.measure import Curve
from bioneuro.script import Options, apply, is_full, options, recorded
from bioneuro.theory import graupner2012 as averaged
from bioneuro.theory import higgins2014, triplet

STEM = Path(__file__).stem
PRE, LAG, DURATION = 10.0, 5e-3, 30.0  # Hz, s, s
FINE = np.linspace(0.05, 31, 300)  # Hz
CORRELATIONS = {0.0: (plot.BLUE, "o", "independent"), 0.2: (plot.VERMILION, "^", "correlation 0.2")}
TRIPLETS = ("visual cortex all-to-all minimal", "visual cortex all-to-all full")
UNBOUNDED = {"stdp.w": 0, "stdp.w_min": -100, "stdp.w_max": 100}
Array = NDArray[np.float64]


def values(circuit: Circuit, owner: str) -> dict[str, float]:
    """The parameters of a rule by their own names, SI."""
    return {path.partition(".")[2]: float(p.value) for path, p in circuit.values.items() if path.startswith(f"{owner}.")}


def exact(rate_post: Array, correlation: float, numbers: dict[str, float]) -> Array:
    """The closed form, %/s."""
    return np.asarray(100 * triplet.drift_shared(PRE, rate_post, correlation * np.sqrt(PRE * rate_post), LAG, **numbers))


def speed(seen: Recording, path: str, correlation: float) -> Curve:
    """Mean dw/dt between the two readings, %/s."""
    mine = measure.at(seen, correlation=correlation)
    moved = 100 * (mine[path][:, 1:] - mine[path][:, :1]) / np.diff(mine.times, axis=1)[:, :, None]
    return measure.average(dataclasses.replace(mine, traces={path: moved}, times=mine.times[:, 1:]), along="rate_post", path=path)


def crossing(law: Array) -> float | None:
    """The rate, Hz, at which a law along `FINE` turns from depression to potentiation."""
    if not (np.any(law < 0) and law[-1] > 0):
        return None
    return float(brentq(lambda rate: np.interp(rate, FINE, law), FINE[law.argmin()], FINE[-1]))


def threshold(ax: Axes, rate: float | None, level: float, colour: str) -> None:
    """Marks where potentiation begins."""
    if rate is not None:
        ax.plot([rate], [level], marker="D", markersize=4, markerfacecolor="white", color=colour, linestyle="none", zorder=5)
        place = {"xytext": (5, -9)} if colour == plot.BLUE else {"xytext": (-4, 5), "ha": "right"}
        ax.annotate(f"{rate:.1f} Hz", (rate, level), textcoords="offset points", color=colour, fontsize=6.5, **place)


def additive(ax: Axes, seen: Recording, path: str, numbers: dict[str, float]) -> tuple[list[float], bool]:
    """Points and their exact mean; returns how many standard errors lie between them, and whether there is any threshold."""
    plot.reference(ax, y=0)
    away: list[float] = []
    borders = []
    for correlation, (colour, marker, label) in CORRELATIONS.items():
        law = exact(FINE, correlation, numbers)
        plot.theory(ax, FINE, law, unit="Hz", colour=colour)
        found = speed(seen, path, correlation)
        plot.curve(ax, found, colour=colour, marker=marker, markersize=3.2, label=label)
        borders.append(crossing(law))
        threshold(ax, borders[-1], 0, colour)
        away += list((found.y - exact(found.x, correlation, numbers)) / found.error)
    return away, any(rate is not None for rate in borders)


def calcium(ax: Axes, seen: Recording, numbers: dict[str, float]) -> tuple[list[float], float]:
    """Points and, for independent trains, the averaged theory.

    Returns how many of the theory's standard errors lie between them, and the lowest point of correlated trains.
    """
    plot.reference(ax, y=1)
    beta, b = numbers["beta"], numbers["b"]

    def theory(rate: Array) -> averaged.Transitions:
        names = ("tau_Ca", "Cpre", "Cpost", "theta_d", "theta_p")
        share = higgins2014.poisson_fractions(PRE, rate, **{key: numbers[key] for key in names})
        return averaged.averaged(*share, DURATION, **{key: numbers[key] for key in ("gamma_d", "gamma_p", "sigma", "tau", "rho_star")})

    end = theory(FINE)
    law = averaged.weight_ratio(end.U, end.D, beta, b)
    plot.theory(ax, FINE, law, unit="Hz", colour=plot.BLUE)
    threshold(ax, crossing(law - 1), 1, plot.BLUE)
    found = {}
    for correlation, (colour, marker, _) in CORRELATIONS.items():
        found[correlation] = measure.weight_ratio(measure.at(seen, correlation=correlation), along="rate_post", beta=beta, b=b)
        plot.curve(ax, found[correlation], colour=colour, marker=marker, markersize=3.2)
    end = theory(found[0].x)
    expected = averaged.weight_ratio_error(end.U, end.D, started(seen), beta, b)
    return list((found[0].y - averaged.weight_ratio(end.U, end.D, beta, b)) / expected), float(found[0.2].y.min())


def started(seen: Recording) -> int:
    """Repetitions of each condition from each initial state."""
    return int(seen.conditions["repetition"].values.max()) + 1


def rms(away: list[float]) -> float:
    return float(np.sqrt(np.mean(np.square(away))))


def main(options: Options) -> Path:
    folder = options.out.with_suffix("")
    full = is_full(options, STEM)
    used: dict[str, Recording] = {}
    with plot.style():
        figure, axes = plot.grid(2, 2, height=122, sharex=True)
        away: list[float] = []
        for ax, letter, name in zip(axes[0], "ab", TRIPLETS, strict=True):
            circuit = apply(options, pfister2006.pair(name))
            seen = used[name.replace(" ", "_")] = recorded(options, name.replace(" ", "_"), circuit)
            away += additive(ax, seen, "triplet.w", values(circuit, "triplet"))[0]
            plot.title(ax, letter, f"triplet rule, {name}")
            ax.set_ylim(-1.7, 6)
        circuit = apply(options, song2000.pair().with_values(UNBOUNDED))
        numbers = {key: value for key, value in values(circuit, "stdp").items() if not key.startswith("w_")}
        pairs = {"A2_plus": numbers.pop("A_plus"), "A2_minus": numbers.pop("A_minus"), "A3_plus": 0.0, "tau_y": 1.0, **numbers}
        used["pair"] = recorded(options, "pair", circuit)
        more, turns = additive(axes[1, 0], used["pair"], "stdp.w", pairs)
        plot.title(axes[1, 0], "c", "pair STDP, Song 2000" + ("" if turns else ": no threshold"))
        circuit = apply(options, graupner2012.pair("cortical slices"))
        used["calcium"] = seen = recorded(options, "calcium", circuit)
        apart, lowest = calcium(axes[1, 1], seen, values(circuit, "calcium"))
        plot.overlay(axes[1, 1], script.data(options, "Hz"), color=plot.BLACK)
        plot.title(axes[1, 1], "d", f"calcium-based rule, cortical slices, after {DURATION:.0f} s")
        for ax in axes[1]:
            ax.set_xlabel(f"postsynaptic rate (Hz); presynaptic {PRE:.0f} Hz")
        units = ["% of initial weight / s", "% of initial weight / s", "% of maximal weight / s"]
        for ax, label in zip(axes.flat, [*(f"dw/dt ({unit})" for unit in units), "weight after / before"], strict=True):
            ax.set_ylabel(label)
        axes[0, 0].legend(loc="upper left", title="Poisson trains", alignment="left", title_fontsize=6.5)
        if options.data:
            axes[1, 1].legend(loc="lower right")
        caption = (
            f"Points: mean \u00b1 s.e.m. of {started(used['pair'])} repetitions (in d {started(seen)} from each state); Poisson firing for "
            f"{DURATION:.0f} s, shared spikes {1e3 * LAG:.0f} ms later in the postsynaptic neuron. Lines: exact drift in a\u2013c, "
            f"{rms([*away, *more]):.2f} s.e.m. from the points (r.m.s.); in d averaged theory for independent trains, {rms(apart):.2f} s.e.m. "
            f"Diamonds: potentiation begins. {'' if turns else 'Pair STDP keeps one sign at all rates. '}With shared spikes the lowest ratio "
            f"of the calcium-based rule is {lowest:.2f}."
        )
        if options.quick:
            figure.suptitle("quick version: few repetitions, for a look only")
        figure.supxlabel(textwrap.fill(caption, 145), x=0.01, ha="left", fontsize=6.5)
        written = plot.save(figure, Path(__file__).with_suffix("") if full else folder, digest=plot.digest(used))
    print(*written)
    return written[0]


if __name__ == "__main__":
    main(options(STEM))
