"""Draws results/stc_two_pathway/*.nc: how often and how much a weakly tetanised pathway is captured by a strong one, against the delay.

`--quick`, `--set` and `--out` name the results as they did for protocols/stc_two_pathway.py; only the full study goes to figures/. `--data`
lays measured weights of S2 at the end (weight after / before) against the delay in s over panel b.
"""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from scipy.stats import binomtest

from bioneuro import Circuit, Recording, plot, script
from bioneuro.catalogue import luboeinski2021
from bioneuro.evidence import frey1997, frey1998, sajikumar2004, sajikumar2005
from bioneuro.evidence.pathways import Capture
from bioneuro.script import Options, apply, is_full, options, recorded
from bioneuro.theory import luboeinski2021 as theory

STEM = Path(__file__).stem
MINUTE, HOUR = 60.0, 3600.0
START, CAPTURED = 4.5 * HOUR, 0.1  # beginning of STET; least |z|
BEFORE, AFTER = -30 * MINUTE, 60 * MINUTE  # delays of the controls
TRAINS = (1.5, 601.5, 1201.5)  # half a second after each train of STET
VARIANTS = {"direct": (plot.BLUE, "o", "train straight to calcium"), "refractory": (plot.ORANGE, "^", "refractory period 2 ms")}
FINE = np.unique(np.concatenate([np.arange(-4, -1.2, 0.4), np.arange(-1.2, 4.6, 0.075), np.arange(4.6, 9.1, 0.4)])) * HOUR
ALONE = {e.protocol: e.lasts for e in sajikumar2005.CONFIRMED}
CONTROLS: dict[str, tuple[str, bool | None]] = {
    # name: label, verdict of an experiment
    "both": ("STET S1, WTET S2", None),
    "weak_alone": ("WTET S2 alone", ALONE["WTET"]),
    "blocked": ("synthesis blocked \u22120.5 to 3 h", frey1998.WEAK_BEFORE_STRONG[-1].captured),
    "blocked_briefly": ("blocked \u221230 to 50 min only", None),
    "blocked_late": ("blocked from 2.5 h on", None),
    "second_blocked": ("STET S1, STET S2 blocked", frey1997.STRONG_THEN_BLOCKED.captured),
    "second_blocked_alone": ("STET S2 blocked, alone", None),
    "depression": ("STET S1, WLFS S2", sajikumar2004.CROSS_TAGGING.captured),
    "depression_alone": ("WLFS S2 alone", ALONE["WLFS"]),
    "by_depression": ("SLFS S1, WTET S2", None),
}
COLUMNS = {BEFORE: 1.32, AFTER: 1.66}  # of numbers, in units of the axis
ORDERS = {BEFORE: (plot.PURPLE, "D", 0.14), AFTER: (plot.BLUE, "o", -0.14)}


@dataclass(frozen=True, kw_only=True)
class Found:
    """S2 at the end, by delay (s): share of trials captured with Wilson's 95 % interval, mean z with 95 % interval."""

    delay: np.ndarray
    share: np.ndarray
    low: np.ndarray
    high: np.ndarray
    z: np.ndarray
    error: np.ndarray

    def at(self, delay: float) -> float:
        return float(self.share[np.argmin(np.abs(self.delay - delay))])


def found(seen: Recording, least: float = CAPTURED) -> Found:
    end, delay = seen["stc.z"][:, -1, 1], seen.conditions["delay"].values
    groups = [end[delay == x] for x in np.unique(delay)]
    counts = [(int(np.sum(np.abs(z) >= least)), z.size) for z in groups]
    ranges = [binomtest(k, n).proportion_ci(method="wilson") for k, n in counts]
    return Found(
        delay=np.unique(delay),
        share=np.array([k / n for k, n in counts]),
        low=np.array([r.low for r in ranges]),
        high=np.array([r.high for r in ranges]),
        z=np.array([z.mean() for z in groups]),
        error=np.array([1.96 * z.std(ddof=1) / np.sqrt(z.size) for z in groups]),
    )


@dataclass(frozen=True, kw_only=True)
class Predicted:
    """Closed form: share and mean z at the delays FINE; how long a weak tetanus tags S2 on average, and when S1 alone ends synthesis, s."""

    share: np.ndarray
    z: np.ndarray
    tag: float
    synthesis: float


def predicted(seen: Recording, circuit: Circuit) -> Predicted:
    """From what S1 and S2 show of h right after their trains in the controls."""
    p = {name: float(circuit.values[f"{owner}.{name}"].value) for owner, names in
         (("stc", ("h0", "theta_tag", "tau_z", "leak", "tau_h")), ("neuron", ("theta_pro", "tau_p", "alpha"))) for name in names}  # fmt: skip
    off, delay, t = (seen["stc.h"] - p["h0"]) / p["h0"], seen.conditions["delay"].values, seen.times[0] - START
    at = {x: int(np.argmin(np.abs(t - x))) for x in (*TRAINS, BEFORE + 0.5, AFTER + 0.5)}
    strong = [(x - 0.5, float(np.abs(off[:, at[x], 0]).mean())) for x in TRAINS]
    weak = np.concatenate([off[delay == x, at[x + 0.5], 1] for x in (BEFORE, AFTER)])
    spread = np.quantile(np.maximum(weak, 0), (np.arange(80) + 0.5) / 80)
    levels = {"theta_tag": p["theta_tag"] / p["h0"], "theta_pro": p["theta_pro"] / p["h0"], "leak": p["leak"] / p["tau_h"]}
    z = theory.two_pathways(FINE[:, None], strong, spread, **levels, tau_p=p["tau_p"], tau_z=p["tau_z"], alpha=p["alpha"])
    tag = theory.tag_duration(1 + weak, h0=1, theta_tag=levels["theta_tag"], leak=levels["leak"]).mean()
    synthesis = theory.above([strong], levels["theta_pro"], leak=levels["leak"])[-1][1]
    return Predicted(share=np.mean(z >= CAPTURED, axis=1), z=z.mean(axis=1), tag=float(tag), synthesis=synthesis)


def agrees(captured: bool | None, share: float) -> bool:
    """Whether the model says what an experiment says; None: weaker or absent."""
    return share > 0.5 if captured else share < 0.5


def verdict(ax: Axes, x: float, y: float, captured: bool | None, right: bool) -> None:
    colour = plot.BLACK if right else plot.VERMILION
    fill = {True: "full", None: "left", False: "none"}[captured]
    ax.plot(x, y, "s", color=colour, fillstyle=fill, markerfacecoloralt="white", markersize=4, markeredgewidth=0.8, clip_on=False, zorder=5)


def shares(ax: Axes, seen: dict[str, Found], line: np.ndarray, published: dict[str, Sequence[Capture]]) -> list[Capture]:
    """Draws capture against delay with the verdicts of experiments above it; returns those experiments that the model does not agree with."""
    plot.theory(ax, FINE / HOUR, line, unit="1", colour=plot.BLUE)
    for name, (colour, marker, _) in VARIANTS.items():
        f = seen[name]
        bars = [f.share - f.low, f.high - f.share]
        ax.errorbar(f.delay / HOUR, f.share, yerr=bars, fmt=marker, color=colour, elinewidth=0.5, markeredgewidth=0, zorder=3)
    missed = []
    for y, experiments in zip((1.24, 1.12), published.values(), strict=True):
        for e in experiments:
            right = agrees(e.captured, seen["direct"].at(e.delay))
            verdict(ax, e.delay / HOUR, y, e.captured, right)
            missed += [] if right else [e]
    plot.reference(ax, x=0)
    ax.axhspan(1.06, 1.3, color=plot.GREY, alpha=0.12, linewidth=0, zorder=0)
    ticks = (0, 0.25, 0.5, 0.75, 1)
    ax.set(ylim=(-0.03, 1.3), yticks=(*ticks, 1.12, 1.24), yticklabels=(*(f"{100 * x:g} %" for x in ticks), *reversed(published)))
    ax.set(ylabel="trials in which S2 is captured")
    for fill, label in (("full", "experiment: captured"), ("left", "weaker or absent"), ("none", "not captured")):
        ax.plot([], [], "s", color=plot.BLACK, fillstyle=fill, markerfacecoloralt="white", markersize=4, markeredgewidth=0.8, label=label)
    ax.plot([], [], "s", color=plot.VERMILION, markersize=4, label="the model differs")
    ax.legend(loc="center right", bbox_to_anchor=(1.02, 0.5), handlelength=1.2)
    return missed


def means(ax: Axes, seen: dict[str, Found], line: np.ndarray) -> None:
    plot.theory(ax, FINE / HOUR, line, unit="1", colour=plot.BLUE, label="closed form")
    for name, (colour, marker, label) in VARIANTS.items():
        f = seen[name]
        ax.errorbar(f.delay / HOUR, f.z, yerr=f.error, fmt=marker, color=colour, label=label, elinewidth=0.5, markeredgewidth=0, zorder=3)
    ax.axhline(CAPTURED, color=plot.GREY, linestyle="--", linewidth=0.6, zorder=0)
    ax.text(8.9, CAPTURED + 0.005, "a trial counts as captured", color=plot.GREY, ha="right", va="bottom", fontsize=6.5)
    plot.reference(ax, x=0, y=0)
    ax.set(ylabel="late phase z of S2 (weight / before \u2212 1)")


def courses(ax: Axes, seen: dict[str, Recording], delay: float, h0: float) -> None:
    """Mean weight with standard deviation of both pathways, and of S2 in two controls."""
    looks = {
        ("both", 0): (plot.BLACK, "-", "S1, STET"),
        ("both", 1): (plot.VERMILION, "-", "S2, WTET"),
        ("weak_alone", 1): (plot.GREY, "--", "S2 alone"),
        ("blocked", 1): (plot.GREEN, ":", "S2, blocked"),
    }
    for (name, unit), (colour, style, label) in looks.items():
        mine = seen[name].conditions["delay"].values == delay
        w = seen[name]["stc.h"][mine, :, unit] / h0 + seen[name]["stc.z"][mine, :, unit]
        t, mean, spread = (seen[name].times[0] - START) / HOUR, w.mean(axis=0), w.std(axis=0, ddof=1)
        if name == "both":
            ax.fill_between(t, mean - spread, mean + spread, color=colour, alpha=0.15, linewidth=0)
        ax.plot(t, mean, style, color=colour, label=label, linewidth=1.2 if name == "blocked" else 1.0)
    plot.reference(ax, y=1)
    ax.set(xlabel="time after STET (h)", xlim=(-0.8, 10), ylim=(0.9, 2.15), xticks=(0, 2, 4, 6, 8, 10))


def controls(ax: Axes, seen: dict[str, Found]) -> None:
    for row, (name, (label, captured)) in enumerate(CONTROLS.items()):
        f, y = seen[name], -row
        ax.text(-0.04, y, label, ha="right", va="center", fontsize=6.5)
        for k, x in enumerate(f.delay):
            colour, marker, shift = ORDERS[float(x)]
            line = {"fmt": marker, "color": colour, "elinewidth": 0.6, "markeredgewidth": 0, "markersize": 3, "zorder": 3}
            ax.errorbar(f.share[k], y + shift, xerr=[[f.share[k] - f.low[k]], [f.high[k] - f.share[k]]], **line)
            ax.text(COLUMNS[float(x)], y, f"{f.z[k]:.2f}".replace("-", "\u2212"), color=colour, ha="right", va="center", fontsize=6.5)
        if captured is not None:
            verdict(ax, 1.86, y, captured, any(agrees(captured, share) for share in f.share))
    ax.text(1.36, 1.35, "mean z, S2 at", ha="center", fontsize=6.5)
    for x, head, colour in ((COLUMNS[BEFORE], "\u221230", plot.PURPLE), (COLUMNS[AFTER], "60 min", plot.BLUE), (1.95, "exp.", plot.BLACK)):
        ax.text(x, 0.65, head, ha="right", color=colour, fontsize=6.5)
    ax.set(xlim=(-0.03, 1.03), ylim=(-len(CONTROLS) + 0.5, 0.5), yticks=[], xticks=(0, 0.5, 1), xticklabels=("0", "50 %", "100 %"))
    ax.set_xlabel("trials in which S2 is captured")
    ax.grid(axis="x", color=plot.GREY, linewidth=0.3, alpha=0.5)
    ax.spines["left"].set_visible(False)


def between(seen: Recording, least: float) -> str:
    """The range of delays of the sweep at which more than half of the trials are captured."""
    f = found(seen, least)
    minutes = f.delay[f.share > 0.5] / MINUTE
    return f"{minutes.min():.0f} to {minutes.max():.0f} min".replace("-", "\u2212") if minutes.size else "no delay"


def caption(seen: dict[str, Recording], found: dict[str, Found], missed: list[Capture], law: Predicted) -> str:
    n = int(np.sum(seen["sweep_direct"].conditions["delay"].values == 0))
    direct, refractory = seen["sweep_direct"], seen["sweep_refractory"]
    wrong = ", ".join(
        f"{e.delay / HOUR:.2g} h ({100 * found['sweep_direct'].at(e.delay):.0f} % of trials)".replace("-", "\u2212")
        for e in sorted(missed, key=lambda e: e.delay)
    )
    late = float(np.abs(seen["blocked_late"]["stc.z"][:, -1, 1] - seen["both"]["stc.z"][:, -1, 1]).max())
    brief = found["blocked_briefly"].share
    return textwrap.fill(
        f"Captured: 9 h or more after the last tetanus S2 is 10 % from baseline, |z| \u2265 {CAPTURED:g}. Bars: 95 % intervals, {n} trials or "
        "more. Lines: closed form from h right after each train. More than half of the trials are captured from "
        f"{between(direct, CAPTURED)} (refractory: {between(refractory, CAPTURED)}; counting from z = 0.05: {between(direct, 0.05)}, from 0.2: "
        f"{between(direct, 0.2)}). Experiments found capture where the model does not, at {wrong or 'no delay'}: a weak tetanus leaves a tag for "
        f"{law.tag / MINUTE:.0f} min on average, and synthesis ends {law.synthesis / MINUTE:.0f} min after the beginning of a strong one. After a "
        f"brief block synthesis resumes ({100 * brief[0]:.0f} % and {100 * brief[1]:.0f} % captured); a late one moves no z by more than "
        f"{late:.2g}. c, d, e: train straight to calcium; bands: SD. Experiments: Frey & Morris 1997, 1998; Sajikumar & Frey 2004; Commun Biol "
        "2025, doi 10.1038/s42003-025-07998-w (how it counts delays is not known).",
        150,
    )


def main(options: Options) -> Path:
    folder = options.out.with_suffix("")
    full = is_full(options, STEM)
    circuit = apply(options, luboeinski2021.pathways())
    seen = {name: recorded(options, name, circuit) for name in (*(f"sweep_{v}" for v in VARIANTS), *CONTROLS)}
    measured = {name: found(recording) for name, recording in seen.items()}
    sweeps = {name: measured[f"sweep_{name}"] for name in VARIANTS}
    law = predicted(seen["both"], circuit)
    published = {"exp. 1998": [e for e in frey1998.WEAK_BEFORE_STRONG if np.isfinite(e.delay)], "exp. 2025": list(frey1998.REPEATED)}
    with plot.style():
        figure, spare = plot.grid(1, 1, height=138)
        spare[0, 0].remove()
        layout = figure.add_gridspec(2, 1, height_ratios=[1.1, 1])
        top, bottom = layout[0].subgridspec(1, 2), layout[1].subgridspec(1, 4, width_ratios=[1, 1, 0.6, 1.12])
        a, b = (figure.add_subplot(top[k]) for k in range(2))
        c, d, e = (figure.add_subplot(bottom[k]) for k in (0, 1, 3))
        missed = shares(a, sweeps, law.share, published)
        means(b, sweeps, law.z)
        for ax in (a, b):
            ax.set(xlim=(-4.3, 9.3), xticks=range(-4, 10), xlabel="WTET of S2 after STET of S1 (h)")
        h0 = float(circuit.values["stc.h0"].value)
        for ax, delay in ((c, BEFORE), (d, AFTER)):
            courses(ax, seen, delay, h0)
        c.set_ylabel("weight / before")
        c.legend(loc="center right", bbox_to_anchor=(1.03, 0.57), handlelength=1.5)
        controls(e, {name: measured[name] for name in CONTROLS})
        for points in script.data(options, "second"):
            plot.evidence(b, points.x / HOUR, points.mean - 1, points.sem, unit="1", label=points.name, color=plot.BLACK)
        b.legend(loc="upper right", handlelength=1.2)
        titles = ("how often S2 is captured", "how much", "WTET 30 min before", "WTET 60 min after", "controls")
        for ax, letter, text in zip((a, b, c, d, e), "abcde", titles, strict=True):
            plot.title(ax, letter, text)
        figure.supxlabel(caption(seen, measured, missed, law), x=0.01, ha="left", fontsize=6.5, linespacing=1.4)
        if options.quick:
            figure.suptitle("quick version: few trials and delays, for a look only")
        written = plot.save(figure, Path(__file__).with_suffix("") if full else folder, digest=plot.digest(seen))
    print(*written)
    return written[0]


if __name__ == "__main__":
    main(options(STEM))
