"""Draws results/stc_early_phase/*.nc: calcium and early phase of seven spikes without noise, by events, by clocks and exactly.

`--quick`, `--set` and `--out` name the results as they did for protocols/stc_early_phase.py; only the full study goes to figures/. Tables of
`--data` (h/h0 against the time in ms) are drawn in panel b.
"""

import dataclasses
import textwrap
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from bioneuro import Circuit, Recording, plot, script
from bioneuro.catalogue import luboeinski2021
from bioneuro.script import Options, apply, is_full, options, recorded
from bioneuro.theory import luboeinski2021 as theory

STEM = Path(__file__).stem
PRE = np.array([10, 20, 30, 40, 50, 60, 100]) / 1000  # s
STEPS, QUICK = {0.2: plot.VERMILION, 0.1: plot.ORANGE, 0.05: plot.GREEN, 0.02: plot.BLUE}, (0.2, 0.1)  # ms
REFERENCE = {
    "theta_p": np.array([59.112, 75.759, 90.576]) / 1000,  # s, calcium falls through it
    "theta_d": np.array([158.055]) / 1000,
    "Ca": (0.2, 0.50804),  # s
    "h": (np.array([58.8, 75.759, 90.576, 118.8, 200]) / 1000, np.array([99.094, 100.733, 103.870, 102.545, 100.730])),  # s, % of h0
}
LABELS = ((-5, -3, "right"), (-5, 2, "right"), (5, 0, "left"), (4, 2, "left"), (3, 4, "right"))  # where the reference h is written, points


def numbers(circuit: Circuit) -> dict[str, float]:
    """What the closed forms of calcium and early phase take, by their names."""
    v = {path.partition(".")[2]: float(p.value) for path, p in circuit.values.items()}
    early = {k: v[k] for k in ("tau_Ca", "Cpre", "Cpost", "theta_p", "theta_d", "gamma_p", "gamma_d", "tau_h", "h0", "h_max")}
    return early | {"delay": v["D"], "leak": v["leak"] / v["tau_h"]}


def percent(p: dict[str, float], seen: Recording) -> tuple[np.ndarray, np.ndarray]:
    """The early phase in % of h0, (time,): recorded and exact."""
    return 100 * seen["stc.h"][0, :, 0] / p["h0"], 100 * theory.early_phase(seen.times[0], PRE, [], **p) / p["h0"]


def calcium(ax: Axes, p: dict[str, float], seen: Recording) -> float:
    """Calcium with its thresholds; returns the largest difference between exact and reference times of falling through them, ms."""
    rule, t, worst = {k: p[k] for k in ("tau_Ca", "Cpre", "Cpost", "delay")}, seen.times[0], 0.0
    fine = np.sort(np.concatenate([np.linspace(0, 0.2, 2001), PRE + p["delay"], PRE + p["delay"] - 1e-9]))
    plot.theory(ax, fine, theory.calcium(fine, PRE, [], **rule), zorder=4)
    plot.theory(ax, t[::10], seen["stc.Ca"][0, ::10, 0], colour=plot.SKY, linestyle="none", marker="o", markersize=2.5)
    for name, symbol in (("theta_p", r"\theta_p"), ("theta_d", r"\theta_d")):
        falls = theory.crossings(PRE, [], p[name], **rule)[1]
        ax.axhline(p[name], color=plot.GREY, linewidth=0.6, linestyle="--", zorder=1)
        plot.evidence(ax, REFERENCE[name], p[name] + 0 * REFERENCE[name])
        said = f"${symbol}$: " + ", ".join(f"{1000 * fall:.3f}" for fall in falls) + " ms"
        ax.text(208, p[name] + 0.06, said, ha="right", va="bottom", fontsize=6.5)
        if falls.shape == REFERENCE[name].shape:
            worst = max(worst, float(1000 * np.abs(falls - REFERENCE[name]).max()))
    time, level = REFERENCE["Ca"]
    plot.evidence(ax, [time], [level])
    ax.text(1000 * time, level - 0.12, f"{float(theory.calcium(time, PRE, [], **rule)):.5f}", ha="right", va="top", fontsize=6.5)
    ax.eventplot(1000 * PRE, lineoffsets=4.45, linelengths=0.22, color=plot.BLACK, linewidth=0.8)
    ax.text(105, 4.45, "presynaptic spikes", va="center", fontsize=6.5)
    ax.set(ylabel="calcium Ca", ylim=(0, 4.6))
    return worst


def early(ax: Axes, p: dict[str, float], events: Recording, clocks: dict[float, Recording]) -> float:
    """The early phase; returns the largest distance of the exact one from the reference, % of h0."""
    t = np.linspace(0, 0.2, 2001)
    plot.reference(ax, y=100)
    plot.theory(ax, t, 100 * theory.early_phase(t, PRE, [], **p) / p["h0"], zorder=4, label="closed form")
    seen = percent(p, events)[0][::10]
    plot.theory(ax, events.times[0, ::10], seen, colour=plot.SKY, linestyle="none", marker="o", markersize=2.5, label="events")
    for dt in (max(clocks), min(clocks)):
        wide = {"linewidth": 2, "alpha": 0.7, "zorder": 1}
        plot.theory(ax, clocks[dt].times[0], percent(p, clocks[dt])[0], colour=STEPS[dt], label=f"clock, {dt:g} ms", **wide)
    time, found = REFERENCE["h"]
    plot.evidence(ax, time, found, label="reference, exact")
    for x, y, (dx, dy, side) in zip(1000 * time, found, LABELS, strict=True):
        ax.annotate(f"{y:.3f}", (x, y), (dx, dy), textcoords="offset points", ha=side, fontsize=6.5)
    ax.set(ylabel="early phase h (% of h$_0$)", ylim=(min(98.4, seen.min() - 0.3), max(104.3, seen.max() + 0.3)))
    return float(np.abs(100 * theory.early_phase(time, PRE, [], **p) / p["h0"] - found).max())


def differences(ax: Axes, p: dict[str, float], clocks: dict[float, Recording]) -> dict[float, float]:
    """How each clock departs from the exact law; returns the largest distance by step, % of h0."""
    largest = {}
    plot.reference(ax, y=0)
    for dt, seen in clocks.items():
        found, exact = percent(p, seen)
        plot.theory(ax, seen.times[0], found - exact, colour=STEPS[dt], label=f"clock, {dt:g} ms")
        largest[dt] = float(np.abs(found - exact).max())
    ax.set(ylabel="h $-$ closed form (% of h$_0$)")
    return largest


def order(ax: Axes, largest: dict[float, float]) -> float:
    """The largest distance against the step; returns the exponent of the power law through it."""
    steps, found = np.array(list(largest)), np.array(list(largest.values()))
    for dt, value in largest.items():
        ax.plot(dt, value, "o", color=STEPS[dt], markersize=4, zorder=3)
        ax.annotate(f"{value:.2g}", (dt, value), (5, -6), textcoords="offset points", fontsize=6.5)
    proportional = steps * np.exp(np.mean(np.log(found / steps)))
    ax.plot(steps, proportional, color=plot.BLACK, linewidth=0.8, zorder=2, label="proportional to the step")
    ax.set(xscale="log", yscale="log", xlabel="step of the clock (ms)", ylabel="largest |h $-$ closed form| (% of h$_0$)")
    ax.set(xticks=steps, xticklabels=[f"{dt:g}" for dt in steps], xlim=(steps.min() / 1.4, steps.max() * 1.6))
    decades = [value for value in (0.001, 0.003, 0.01, 0.03, 0.1, 0.3) if found.min() / 4 < value < 4 * found.max()]
    ax.set(yticks=decades, yticklabels=[f"{value:g}" for value in decades], ylim=(found.min() / 1.6, found.max() * 1.6))
    ax.minorticks_off()
    ax.legend(loc="upper left")
    return float(np.polyfit(np.log(steps), np.log(found), 1)[0])


def caption(crossing: float, early: float, exact: float, largest: dict[float, float], slope: float, changed: Mapping[str, str]) -> str:
    coarse, fine = max(largest), min(largest)
    set_ = "".join(f", {path} = {value}" for path, value in changed.items())
    return textwrap.fill(
        f"Seven presynaptic spikes, noise off, single-synapse set of Luboeinski & Tetzlaff 2021{set_}. Squares: exact reference values; the "
        f"closed forms are within {crossing:.4f} ms and {early:.4f} % of h0 of them. From event to event h is the closed form "
        f"(largest distance {exact:.0e} % of h0). A clock moves jumps and crossings of calcium to its grid: "
        f"it is up to {largest[coarse]:.2g} % of h0 off at {coarse:g} ms and "
        f"{largest[fine]:.2g} % at {fine:g} ms, as the step to the power of {slope:.2f}.",
        152,
    )


def main(options: Options) -> Path:
    folder = options.out.with_suffix("")
    full = is_full(options, STEM)
    circuit = apply(options, luboeinski2021.single().with_values({"stc.sigma_pl": "0 mV"}))
    p = numbers(circuit)
    events = recorded(options, "events", circuit)
    clocks = {dt: recorded(options, f"clock_{dt}_ms", circuit) for dt in STEPS if dt in QUICK or not options.quick}
    with plot.style():
        figure, axes = plot.grid(2, 2, height=125)
        a, b, c, d = axes.flat
        crossing, distance, largest = calcium(a, p, events), early(b, p, events, clocks), differences(c, p, clocks)
        exact = float(np.abs(np.subtract(*percent(p, events))).max())
        slope = order(d, largest)
        for ax, letter, title in (
            (a, "a", "calcium, and when it falls through a threshold"),
            (b, "b", "early phase"),
            (c, "c", "clocks: distance from the closed form"),
            (d, "d", "and how it shrinks with the step"),
        ):
            plot.title(ax, letter, title)
            if ax is not d:
                ax.set(xlabel="time (ms)", xlim=(0, 210))
        tables = [dataclasses.replace(t, mean=100 * t.mean, sem=100 * t.sem) for t in script.data(options, "ms")]
        plot.overlay(b, tables, unit="ms", color=plot.PURPLE)
        b.legend(loc="upper left")
        c.legend(loc="lower right")
        figure.supxlabel(caption(crossing, distance, exact, largest, slope, options.set), x=0.01, ha="left", fontsize=6.5, linespacing=1.4)
        if options.quick:
            figure.suptitle("quick version: two clocks, for a look only")
        used = {"events": events} | {f"clock_{dt}_ms": seen for dt, seen in clocks.items()}
        written = plot.save(figure, Path(__file__).with_suffix("") if full else folder, digest=plot.digest(used))
    print(*written)
    return written[0]


if __name__ == "__main__":
    main(options(STEM))
