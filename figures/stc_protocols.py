"""Draws results/stc_protocols/*.nc: early phase, late phase, weight and protein of one synapse over seven hours, after four kinds of stimulation.

`--quick`, `--set` and `--out` name the results as they did for protocols/stc_protocols.py; only the full study goes to figures/. Tables of
`--data` (weight after / before against the time in s from the first stimulus) are drawn in the panel that the name of the file says, such as
stet.csv, or else in all four.
"""

import dataclasses
import textwrap
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from bioneuro import Circuit, Recording, measure, plot, script
from bioneuro.catalogue import luboeinski2021
from bioneuro.evidence import luboeinski2021 as published
from bioneuro.evidence.luboeinski2021 import Course
from bioneuro.protocol import SLFS, STET, WLFS, WTET
from bioneuro.script import Options, apply, is_full, options, recorded
from bioneuro.theory import luboeinski2021 as theory

STEM = Path(__file__).stem
HOUR, ONSET, QUIET = 3600.0, 3600.0, 1800.0  # s; the first stimulus in the run; closed forms are drawn from so long after it
TRAINS = {
    "STET": (STET, "strong tetanus, 3 x 1 s at 100 Hz"),
    "WTET": (WTET, "weak tetanus, 0.2 s at 100 Hz"),
    "SLFS": (SLFS, "strong low frequency, 900 x 0.15 s at 20 Hz"),
    "WLFS": (WLFS, "weak low frequency, 900 s at 1 Hz"),
}
VARIANTS = ("direct", "refractory")
QUANTITIES = {
    "w": (plot.VERMILION, "o", r"weight $w = h + h_0 z$", (2.3, 1.66)),
    "h": (plot.BLUE, "s", r"early phase $h$", (3.2, 1.27)),
    "z": (plot.GREEN, "^", r"late phase $h_0 z$", (3.2, 0.5)),
}
PUBLISHED = {"STET": published.STET, "WTET": published.WTET}
AFTER_FIRST = 60.0  # s: where "after the first tetanus" is read
TICKS = {"0": 0.0, " ": 1 / 60, "10 min": 1 / 6, "  ": 1 / 3, "1 h": 1.0, "2": 2.0, "3": 3.0, "4": 4.0, "5": 5.0, "6": 6.0, "7": 7.0}  # h
DASHED, DOTTED = {"linestyle": (0, (4, 2)), "linewidth": 0.8}, {"linestyle": ":", "linewidth": 0.9, "zorder": 3}


@dataclasses.dataclass(frozen=True)
class Trials:
    """What was seen of one train: t (readings,) in s from the first stimulus; h and w in units of h0, z, p (trial, readings); outcomes (trial,)."""

    t: np.ndarray
    h: np.ndarray
    z: np.ndarray
    w: np.ndarray
    p: np.ndarray
    outcomes: np.ndarray


def numbers(circuit: Circuit) -> dict[str, float]:
    """What the closed forms of the quiet synapse take, by their names, the early phase in units of h0."""
    v = {path.partition(".")[2]: float(p.value) for path, p in circuit.values.items()}
    relative = {"theta_tag": v["theta_tag"] / v["h0"], "theta_pro": v["theta_pro"] / v["h0"], "leak": v["leak"] / v["tau_h"]}
    return relative | {name: v[name] for name in ("tau_p", "tau_z", "alpha", "h0")}


def trials(seen: Recording, p: dict[str, float]) -> dict[str, Trials]:
    found = {}
    for k, train in enumerate(TRAINS):
        mine = measure.at(seen, train=k)
        h, z, made = (mine[f"stc.{state}"][:, :, 0] for state in ("h", "z", "p"))
        outcomes = measure.outcomes(mine, rest=f"{p['h0']!r} volt", tag=f"{p['theta_tag'] * p['h0']!r} volt")[:, 0]
        found[train] = Trials(mine.times[0] - ONSET, h / p["h0"], z, h / p["h0"] + z, made, outcomes)
    return found


def quiet(seen: Trials, p: dict[str, float]) -> Trials:
    """Every trial from `QUIET` on, by closed form from its readings there: all trains are over."""
    k = int(np.searchsorted(seen.t, QUIET - 1e-6))
    h, z, made = (x[:, k : k + 1] for x in (seen.h, seen.z, seen.p))
    t, rest = seen.t[k:] - seen.t[k], {name: p[name] for name in ("tau_p", "alpha")}
    tag = theory.tag_duration(h, h0=1.0, theta_tag=p["theta_tag"], leak=p["leak"])
    on = theory.synthesis_duration(np.abs(h - 1), theta_pro=p["theta_pro"], leak=p["leak"])
    later = theory.late_after_capture(0.0, np.minimum(t, tag), on, tau_z=p["tau_z"], p0=made, z0=z, end=np.where(h > 1, 1.0, -0.5), **rest)
    early = 1 + (h - 1) * np.exp(-p["leak"] * t)
    return Trials(seen.t[k:], early, later, early + later, theory.protein_course(t, on, p0=made, **rest), seen.outcomes)


def distances(course: Course, seen: Trials) -> np.ndarray:
    """|mean - published mean| in units of what is allowed: 3 standard errors of both, .001 between programs and the rounding of two digits more.

    A spread that is not published is taken to be the one seen. "After the first train" is read after a minute.
    """
    t = np.where(np.isnan(course.t), AFTER_FIRST, course.t)
    values = getattr(seen, course.quantity)[:, np.abs(seen.t[:, None] - t).argmin(axis=0)]
    own = values.std(axis=0, ddof=1)
    theirs = np.where(np.isnan(course.sd), own, course.sd)
    error = np.hypot(own / np.sqrt(len(values)), theirs / np.sqrt(course.n))
    last_digit = 10.0 ** -max(len(f"{mean:g}".partition(".")[2]) for mean in course.mean)
    return np.abs(values.mean(axis=0) - course.mean) / (3 * error + 0.001 + last_digit / 2)


def farthest(courses: Mapping[str, Course], seen: Trials) -> tuple[float, str]:
    """The largest of `distances`, and where it is."""
    found = {quantity: distances(course, seen) for quantity, course in courses.items()}
    quantity = max(found, key=lambda q: float(found[q].max()))
    course, k = courses[quantity], int(found[quantity].argmax())
    return float(found[quantity][k]), f"{quantity} of {course.protocol} after {course.t[k] / HOUR:.2g} h"


def shares(outcomes: np.ndarray) -> str:
    """The shares of outcomes in words, the largest first."""
    names, counts = np.unique(outcomes, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return ", ".join(f"{names[k]} {100 * counts[k] / outcomes.size:.0f} %" for k in order)


def drawn(ax: Axes, seen: dict[str, Trials], p: dict[str, float], quantity: str, colour: str) -> None:
    """Mean and spread of a quantity, the mean of the other variant, and the closed form of the quiet synapse."""
    values, t = getattr(seen["direct"], quantity), seen["direct"].t / HOUR
    mean, spread = values.mean(axis=0), values.std(axis=0, ddof=1)
    ax.fill_between(t, mean - spread, mean + spread, color=colour, alpha=0.25, linewidth=0)
    plot.theory(ax, t, mean, unit="1", colour=colour, linewidth=1.2)
    other = seen["refractory"]
    plot.theory(ax, other.t / HOUR, getattr(other, quantity).mean(axis=0), unit="1", colour=colour, **DASHED)
    after = quiet(seen["direct"], p)
    plot.theory(ax, after.t / HOUR, getattr(after, quantity).mean(axis=0), unit="1", **DOTTED)


def weights(ax: Axes, train: str, seen: dict[str, Trials], p: dict[str, float]) -> None:
    """Early phase, late phase and weight with what is published, and the shares of outcomes."""
    for quantity, (colour, marker, label, place) in QUANTITIES.items():
        if quantity != "w" or seen["direct"].z.any():  # else it is h
            drawn(ax, seen, p, quantity, colour)
            if train == "STET":
                ax.text(*place, label, color=colour)
        if quantity in PUBLISHED.get(train, {}):
            course = PUBLISHED[train][quantity]
            points = {"fmt": marker, "color": plot.BLACK, "markersize": 2.6}
            plot.evidence(ax, course.t / HOUR, course.mean, np.nan_to_num(course.sd), unit="1", **points)
    said = [f"{variant}: {shares(seen[variant].outcomes)}" for variant in VARIANTS]
    if train in published.CLASSES:
        counts = published.CLASSES[train]
        said.append(f"published, of {sum(counts.values())}: " + ", ".join(f"{name} {count}" for name, count in counts.items()))
    ax.text(0.99, 0.97, "\n".join(said), transform=ax.transAxes, ha="right", va="top", fontsize=6.5, linespacing=1.3)
    given = TRAINS[train][0]
    begins, above = (given.every or 0.0) / HOUR, {"color": plot.BLACK, "transform": ax.get_xaxis_transform()}
    if given.lasts * given.count < 10:
        ax.plot(np.arange(given.count) * begins, np.full(given.count, 0.94), linestyle="none", marker=7, markersize=4, clip_on=False, **above)
    else:
        ax.plot([0, (given.count - 1) * begins + given.lasts / HOUR], [0.97, 0.97], linewidth=3, solid_capstyle="butt", **above)


def protein(ax: Axes, seen: dict[str, Trials], p: dict[str, float]) -> None:
    drawn(ax, seen, p, "p", plot.PURPLE)
    if not any(found.p.any() for found in seen.values()):
        ax.text(2, 0.35, "none is made", ha="center", va="center", fontsize=6.5)
    ax.set(ylim=(-0.05, 1.02), ylabel="protein p", yticks=(0, 0.5, 1))


def scaled(ax: Axes) -> None:
    """Time by its square root: both the trains and the hours after them are seen."""
    ax.set_xscale("function", functions=(lambda t: np.sqrt(np.maximum(t, 0)), np.square))
    ax.set_xlim(0, 7.1)
    ax.set_xticks(list(TICKS.values()), list(TICKS))


def legend(ax: Axes) -> None:
    """What the lines are, whatever their colour."""
    ax.plot([], [], color=plot.GREY, linewidth=1.2, label="direct, mean")
    ax.fill_between([], [], [], color=plot.GREY, alpha=0.35, linewidth=0, label="direct, SD over trials")
    ax.plot([], [], color=plot.GREY, label="refractory, mean", **DASHED)
    ax.plot([], [], color=plot.BLACK, label="closed form, from 0.5 h on", **DOTTED)
    ax.errorbar([], [], yerr=[], fmt="s", color=plot.BLACK, markerfacecolor="none", markersize=2.6, elinewidth=0.6, label="published (direct)")
    ax.legend(loc="center", bbox_to_anchor=(0.5, 0.2), ncols=2, columnspacing=1.2, handlelength=1.8)


def exactness(seen: dict[str, dict[str, Trials]], p: dict[str, float]) -> float:
    """The largest difference of any trial from its closed form."""
    worst = 0.0
    for by_train in seen.values():
        for found in by_train.values():
            law = quiet(found, p)
            worst = max(worst, *(float(np.abs(getattr(found, q)[:, -law.t.size :] - getattr(law, q)).max()) for q in ("h", "z", "p")))
    return worst


def caption(seen: dict[str, dict[str, Trials]], exact: float, changed: Mapping[str, str]) -> str:
    set_ = "".join(f", {path} = {value}" for path, value in changed.items())
    direct, where = max(farthest(courses, seen["direct"][train]) for train, courses in PUBLISHED.items())
    refractory, _ = farthest(published.REFRACTORY_STET, seen["refractory"]["STET"])
    low = {v: by_train["SLFS"] for v, by_train in seen.items()}
    moved = float(np.abs(low["refractory"].h.mean(axis=0) - low["direct"].h.mean(axis=0)).max())
    before, after = (float(low[v].w[:, -1].mean()) for v in VARIANTS)
    return textwrap.fill(
        f"{len(low['direct'].h)} synapses per panel and variant, each with a Poisson train (black above) and noise of its own; single-synapse set of "
        f"Luboeinski & Tetzlaff 2021{set_}. Direct: the train reaches calcium as it is; refractory: through a neuron that cannot fire again for "
        f"2 ms. Closed forms: the quiet synapse, equal within {exact:.0e} in every trial. Published: 30 runs of the authors' program (direct), mean "
        f"and SD; the means differ by at most {direct:.2f} of what is allowed (3 standard errors of both, .001, rounding; {where}). "
        f"Refractory STET: h {at(seen, 'h', AFTER_FIRST):.2f} after the first train (published: 1.79), in the end z {at(seen, 'z'):.3f} (.72) "
        f"and w {at(seen, 'w'):.3f} (1.749), at most {refractory:.2f} of what is allowed. Nothing is published for SLFS and WLFS; in SLFS the "
        f"refractory period moves h by up to {moved:.2f} and the last w from {before:.2f} to {after:.2f}.",
        150,
    )


def at(seen: dict[str, dict[str, Trials]], quantity: str, t: float = np.inf) -> float:
    """Mean of a quantity after a refractory strong tetanus, at t s or in the end."""
    found = seen["refractory"]["STET"]
    k = -1 if np.isinf(t) else int(np.abs(found.t - t).argmin())
    return float(getattr(found, quantity)[:, k].mean())


def overlay(axes: dict[str, Axes], options: Options) -> None:
    for table in script.data(options, "second"):
        named = [train for train in TRAINS if train.casefold() in table.name.casefold()]
        hours = dataclasses.replace(table, x=table.x / HOUR, unit="1")
        for train in named or TRAINS:
            plot.overlay(axes[train], [hours], color=plot.PURPLE)
            if train != "WTET":  # that one has a legend
                axes[train].legend(loc="lower right", bbox_to_anchor=(1, 0.04))


def main(options: Options) -> Path:
    folder = options.out.with_suffix("")
    full = is_full(options, STEM)
    circuit = apply(options, luboeinski2021.single())
    p = numbers(circuit)
    used = {variant: recorded(options, variant, circuit) for variant in VARIANTS}
    seen = {variant: trials(recording, p) for variant, recording in used.items()}
    with plot.style():
        figure, axes = plot.grid(4, 2, height=165, sharex=True, gridspec_kw={"height_ratios": (1, 0.32, 1, 0.32)})
        main_axes = {}
        for k, (train, (_, title)) in enumerate(TRAINS.items()):
            row, column = 2 * (k // 2), k % 2
            ax, below = axes[row, column], axes[row + 1, column]
            main_axes[train] = ax
            mine = {variant: seen[variant][train] for variant in VARIANTS}
            plot.reference(ax, y=1)
            weights(ax, train, mine, p)
            protein(below, mine, p)
            plot.title(ax, "abcd"[k], f"{train}: {title}")
            ax.set(ylabel="units of h$_0$", ylim=(-0.08, 2.75) if k < 2 else (-0.52, 1.45))
            scaled(ax)
            below.tick_params(labelbottom=True)
            below.set_xlabel("time from the first stimulus (scale of its square root)")
        overlay(main_axes, options)
        legend(main_axes["WTET"])
        figure.supxlabel(caption(seen, exactness(seen, p), options.set), x=0.01, ha="left", fontsize=6.5, linespacing=1.4)
        if options.quick:
            figure.suptitle("quick version: few trials, for a look only")
        written = plot.save(figure, Path(__file__).with_suffix("") if full else folder, digest=plot.digest(used))
    print(*written)
    return written[0]


if __name__ == "__main__":
    main(options(STEM))
