"""Draws results/triplets_quadruplets/*.nc: five rules against the triplets and quadruplets of Wang et al. 2005.

Lines are exact: sums over spikes for the additive rules, and for the calcium-based rule the law of the finite train (its efficacy is
Gaussian), of which the simulation is a sample. A rule is judged by the distance of its law from the measured means, in standard errors of
the latter; means over two cells have poor ones, single cells none. How T is counted is uncertain by 5 ms or 8 % (see
`bioneuro.evidence.wang2005`); if the middles of the pairs are 5 ms further apart, the minimal set does not miss T = 9 ms and the nearest
set not T = -15 ms, all else stays as the caption says. The calcium-based rule potentiates at lags (10, -10) ms because presynaptic calcium
comes 10 ms late there, just with the postsynaptic spike.

`--quick`, `--set` and `--out` name the results as they did for protocols/triplets_quadruplets.py; only the full study goes to figures/.
`--data` shows measured ratios against T in panel e.
"""

import itertools
import textwrap
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from bioneuro import Circuit, Recording, measure, plot, script
from bioneuro.catalogue import graupner2012, pfister2006
from bioneuro.evidence import wang2005
from bioneuro.evidence.points import Points
from bioneuro.measure import Curve
from bioneuro.script import Options, apply, is_full, options, recorded
from bioneuro.theory import graupner2012 as averaged
from bioneuro.theory import triplet

STEM = Path(__file__).stem
Array = NDArray[np.float64]
Law = Callable[[list[triplet.Trains]], Array]
REPEATS, RATE = 60, 1.0  # Hz
FAILS = 3.0  # standard errors
EXPERIMENTS = {"pre-post-pre": "o", "post-pre-post": "s", "quadruplets": "^"}
TRIPLETS = {"pre-post-pre": (wang2005.PRE_POST_PRE, triplet.pre_post_pre), "post-pre-post": (wang2005.POST_PRE_POST, triplet.post_pre_post)}


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A rule on the page: how it is called and drawn, its exact law, its recordings, its distances from the data, by experiment.

    gaps: simulation minus law, in standard errors where the simulation is a sample.
    """

    says: str
    colour: str
    law: Law
    seen: Mapping[str, Recording]
    numbers: Mapping[str, float]
    away: dict[str, dict[str, float]] = field(default_factory=dict)
    gaps: list[float] = field(default_factory=list)


LOOKS = {
    "full": ("triplets, all-to-all full", plot.BLUE), "minimal": ("triplets, all-to-all minimal", plot.SKY),
    "nearest": ("triplets, nearest full", plot.GREEN), "pairs": ("pairs only, of minimal", plot.PURPLE),
    "calcium": ("calcium-based", plot.ORANGE),
}  # fmt: skip


def circuits(options: Options) -> dict[str, Circuit]:
    made = {name: apply(options, pfister2006.pair(f"hippocampus {LOOKS[name][0].partition(', ')[2]}")) for name in ("full", "minimal", "nearest")}
    made["pairs"] = made["minimal"].with_values({"triplet.A3_plus": 0})
    made["calcium"] = apply(options, graupner2012.pair("hippocampal cultures"))
    return made


def additive(numbers: Mapping[str, Any], nearest: bool) -> Law:
    def law(motifs: list[triplet.Trains]) -> Array:
        trains = (triplet.repeated(*motif, rate=RATE, count=REPEATS) for motif in motifs)
        return np.array([1 + triplet.weight_change(*train, nearest=nearest, **numbers) for train in trains])

    return law


def calcium(numbers: Mapping[str, Any]) -> Law:
    return lambda motifs: averaged.ratio_of_trains([triplet.repeated(*motif, rate=RATE, count=REPEATS) for motif in motifs], **numbers)


def found(rule: Rule, seen: Recording, along: str) -> Curve:
    """Weight after over before along a coordinate."""
    if "calcium.rho" in seen.traces:
        return measure.weight_ratio(seen, along=along, beta=rule.numbers["beta"], b=rule.numbers["b"])
    return measure.ratio(seen, along=along, path="triplet.w", before=1)


def of_triplets(rule: Rule, seen: Recording, timing: Array) -> tuple[Array, Array]:
    """Ratios and their errors at pairs of lags, s."""
    each = [found(rule, measure.at(seen, first=f"{a} s", second=f"{b} s"), "rate") for a, b in timing.tolist()]
    return np.array([curve.y[0] for curve in each]), np.array([curve.error[0] for curve in each])


def equal_lags(ax: Axes, experiment: str, rules: list[Rule]) -> None:
    """Triplets whose two lags have one size: lines, points, and the two measured conditions."""
    data, motif = TRIPLETS[experiment]
    sign = np.sign(data.timing[0])
    lags = np.linspace(1, 31, 61) * 1e-3
    for rule in rules:
        plot.theory(ax, lags, rule.law([motif(*(lag * sign)) for lag in lags]), colour=rule.colour)
        seen = rule.seen[experiment]
        timing = np.stack([seen.conditions[name].values for name in ("first", "second")], axis=1)
        timing = np.unique(timing[np.isclose(timing.sum(axis=1), 0)], axis=0)[:: int(sign[0])]
        y, error = of_triplets(rule, seen, timing)
        plot.curve(ax, Curve(name="", x=np.abs(timing[:, 0]), unit="ms", y=y, error=error), colour=rule.colour, markersize=1.8)
    plot.evidence(ax, np.abs(data.timing[:2, 0]), data.points.mean[:2], data.points.sem[:2], color=plot.BLACK, label="measured")


def unequal_lags(ax: Axes, experiment: str, rules: list[Rule]) -> None:
    """The two measured triplets of unequal lags, the rules side by side."""
    data, _ = TRIPLETS[experiment]
    for k, rule in enumerate(rules):
        y, error = of_triplets(rule, rule.seen[experiment], data.timing[2:])
        place = np.arange(2) + 0.13 * (k - 2) + 0.06
        plot.curve(ax, Curve(name="", x=place, unit="1", y=y, error=error), colour=rule.colour, markersize=3)
    plot.evidence(ax, np.arange(2) - 0.36, data.points.mean[2:], data.points.sem[2:], unit="1", color=plot.BLACK)
    ax.set_xlim(-0.6, 1.5)
    ax.set_xticks([0, 1], [f"({a:.0f}, {b:.0f})".replace("-", "\u2212") for a, b in 1e3 * data.timing[2:]])


def quadruplets(ax: Axes, rules: list[Rule]) -> None:
    cells, means = wang2005.QUADRUPLETS, wang2005.QUADRUPLET_MEANS
    ax.plot(plot.shown(cells.x, "ms"), cells.mean, ".", color="#a8a8a8", markersize=3, markeredgewidth=0, zorder=1, label="one cell")
    for rule in rules:
        for side in (-1, 1):
            gaps = side * np.linspace(6, 120, 115) * 1e-3
            plot.theory(ax, gaps, rule.law([triplet.quadruplet(gap) for gap in gaps]), colour=rule.colour)
        plot.curve(ax, found(rule, rule.seen["quadruplets"], "interval"), colour=rule.colour, markersize=1.8)
    plot.evidence(ax, means, color=plot.BLACK, label="mean \u00b1 s.e.m.")


def judge(rule: Rule) -> None:
    """Fills in the distances of the law from the data, and those of the simulation from the law."""
    means = wang2005.QUADRUPLET_MEANS
    conditions = {experiment: data.timing for experiment, (data, _) in TRIPLETS.items()} | {"quadruplets": means.x[:, None]}
    for experiment, x in conditions.items():
        data, motif = (TRIPLETS[experiment][0].points, TRIPLETS[experiment][1]) if experiment in TRIPLETS else (means, triplet.quadruplet)
        law = rule.law([motif(*row) for row in x.tolist()])
        shown = [", ".join(f"{1e3 * lag:.0f}" for lag in row).replace("-", "\u2212") for row in x.tolist()]
        rule.away[experiment] = distances([f"({text})" if x.shape[1] == 2 else f"T {text}" for text in shown], law, data)
        seen = rule.seen[experiment]
        if experiment in TRIPLETS:
            y, error = of_triplets(rule, seen, x)
        else:
            curve = measure.nearest(found(rule, seen, "interval"), means)
            y, error = np.asarray(curve.y), np.asarray(curve.error)
        rule.gaps.extend(((y - law) / np.where(error > 0, error, 1)).tolist())


def distances(names: list[str], y: Array, data: Points) -> dict[str, float]:
    """Condition -> distance from the measured mean in its standard errors, where there is one."""
    return {name: float(z) for name, z in zip(names, (y - data.mean) / data.sem, strict=True) if np.isfinite(z)}


def rms(values: Iterable[float]) -> float:
    return float(np.sqrt(np.mean(np.square(list(values)))))


def verdict(ax: Axes, rules: list[Rule]) -> None:
    """Root mean square distance of every rule from every experiment."""
    plot.reference(ax, x=1)
    for j, (experiment, marker) in enumerate(EXPERIMENTS.items()):
        for k, rule in enumerate(rules):
            ax.plot([rms(rule.away[experiment].values())], [-k + 0.22 * (1 - j)], marker, color=rule.colour, markersize=4, markeredgewidth=0)
        ax.plot([], [], marker, color=plot.GREY, markersize=4, markeredgewidth=0, label=experiment)
    for k in range(1, len(rules)):
        ax.axhline(0.5 - k, color=plot.GREY, linewidth=0.3)
    ax.set_yticks(-np.arange(len(rules)), [rule.says.replace(", ", ",\n") for rule in rules])
    for label, rule in zip(ax.get_yticklabels(), rules, strict=True):
        label.set(color=rule.colour, fontweight="bold")
    ax.set_xlim(0, 5.5)
    ax.set_ylim(0.5 - len(rules), 0.5)
    ax.set_xlabel("r.m.s. distance (s.e.m.)")


def counts() -> str:
    """How many cells are behind the measured means."""
    panels = {"a": TRIPLETS["pre-post-pre"][0].points, "c": TRIPLETS["post-pre-post"][0].points}
    equal = [f"n = {data.n[0]:.0f} and {data.n[1]:.0f} ({panel})" for panel, data in panels.items()]
    cells = wang2005.QUADRUPLET_MEANS.n
    return f"{', '.join(equal)}, {cells.min():.0f} to {cells.max():.0f} (e), not known in b and d"


def caption(rules: list[Rule]) -> str:
    """Where each rule fails, in words."""
    exact = max(abs(gap) for rule in rules for gap in rule.gaps if "calcium" not in rule.says)
    sampled = rms(gap for rule in rules for gap in rule.gaps if "calcium" in rule.says)
    lines = [
        f"{REPEATS} repetitions at {RATE:g} Hz; published parameter sets. Lines: exact laws; points: simulation, at most {exact:.0e} away "
        f"(calcium-based: {sampled:.2f} s.e.m. of the sample, r.m.s.). Black: measured mean \u00b1 s.e.m., {counts()}.",
        f"Conditions that a rule misses by more than {FAILS:g} s.e.m. of the data (lags or T in ms; by how many s.e.m.):",
    ]
    for rule in rules:
        far = [f"{name}: {z:+.1f}" for experiment in EXPERIMENTS for name, z in rule.away[experiment].items() if abs(z) > FAILS]
        lines.append(f"   {rule.says} \u2013 {'; '.join(far).replace('-', chr(0x2212)) or 'none'}")
    return "\n".join(line for long in lines for line in textwrap.wrap(long, 146, drop_whitespace=False))


def collected(options: Options, used: dict[str, Recording]) -> dict[str, Rule]:
    rules = {}
    for name, circuit in circuits(options).items():
        numbers = {path.partition(".")[2]: float(p.value) for path, p in circuit.values.items()}
        seen = {experiment: recorded(options, f"{name}_{experiment}", circuit) for experiment in EXPERIMENTS}
        used |= {f"{name}_{experiment}": recording for experiment, recording in seen.items()}
        law = calcium(numbers) if name == "calcium" else additive(numbers, name == "nearest")
        rules[name] = Rule(says=LOOKS[name][0], colour=LOOKS[name][1], law=law, seen=seen, numbers=numbers)
    return rules


def page(figure: Figure, rules: list[Rule], tables: tuple[Points, ...]) -> None:
    layout = figure.add_gridspec(2, 1, height_ratios=[1, 1.25])
    top, bottom = (row.subgridspec(1, n, width_ratios=w) for row, n, w in zip(layout, (4, 2), ([3, 2, 3, 2], [2.3, 1]), strict=True))
    axes = [figure.add_subplot(cell) for cell in itertools.chain(top, bottom)]
    for ax in axes[:5]:
        plot.reference(ax, y=1)
        ax.set_ylim(0.75, 1.55)
    for k, experiment in enumerate(TRIPLETS):
        equal_lags(axes[2 * k], experiment, rules)
        unequal_lags(axes[2 * k + 1], experiment, rules)
        signs = "(t, \u2212t)" if k == 0 else "(\u2212t, t)"
        plot.title(axes[2 * k], "ac"[k], f"{experiment}, lags {signs}")
        plot.title(axes[2 * k + 1], "bd"[k], "unequal lags")
        axes[2 * k].set_xlabel("t (ms)")
        axes[2 * k + 1].set_xlabel("lags (ms)")
    quadruplets(axes[4], rules)
    plot.overlay(axes[4], tables)
    plot.title(axes[4], "e", "quadruplets, 5 ms within each pair")
    axes[4].set_xlabel("T (ms);  below 0: pre-post, then post-pre;  above 0: post-pre, then pre-post")
    for ax in (axes[0], axes[4]):
        ax.set_ylabel("weight after / before")
    axes[4].legend(loc="upper left")
    verdict(axes[5], rules)
    plot.title(axes[5], "f", "how far from the data")
    axes[5].legend(loc="upper right", handletextpad=0.1, borderaxespad=0.1)


def main(options: Options) -> Path:
    full = is_full(options, STEM)
    used: dict[str, Recording] = {}
    rules = collected(options, used)
    for rule in rules.values():
        judge(rule)
    with plot.style():
        figure = Figure(figsize=(plot.PAGE / 25.4, 152 / 25.4), layout="constrained")
        page(figure, list(rules.values()), script.data(options, "ms"))
        figure.supxlabel(caption(list(rules.values())), x=0.01, ha="left", fontsize=6.5)
        if options.quick:
            figure.suptitle("quick version: few repetitions, for a look only")
        stem = Path(__file__).with_suffix("") if full else options.out.with_suffix("")
        written = plot.save(figure, stem, digest=plot.digest(used))
    print(*written)
    return written[0]


if __name__ == "__main__":
    main(options(STEM))
