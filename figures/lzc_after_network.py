"""Draws results/lzc_after_network/*.nc: how readers before and after a population tell sources apart, and what the population adds.

`--quick`, `--set` and `--out` name the results as they did for protocols/lzc_after_network.py; only the full study goes to figures/.
"""

import textwrap
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy import stats

from bioneuro import Circuit, Recording, plot
from bioneuro.catalogue import vogels2005
from bioneuro.learn.populations import feedforward
from bioneuro.script import Options, apply, is_full, options, recorded

STEM = Path(__file__).stem
RATES = ((20, 25), (20, 30), (20, 40), (10, 20))  # Hz
LEVELS = {"rhythm": (0.05, 0.1, 0.2, 0.4), "coincidence": (0.01, 0.03, 0.1, 0.3), "order": (0.1, 0.3, 0.6, 1.0), "templates": (10, 50, 100, 200)}
AXES = {
    "rhythm": "correlation of next steps", "coincidence": "correlation of channels", "order": "correlation of channels",
    "templates": "jitter (ms)",
}  # fmt: skip
READERS = {
    "count": ("counts", plot.ORANGE, "s", "--"), "lzc": ("LZC", plot.SKY, "o", "--"), "bins": ("bins of 16 ms", plot.GREEN, "^", "--"),
    "network_count": ("counts", plot.VERMILION, "s", "-"), "network_lzc": ("LZC", plot.BLUE, "o", "-"),
    "shuffled": ("LZC, shuffled labels", plot.GREY, "x", ":"),
}  # fmt: skip
RAW, CLAIM, SHORT = ("count", "lzc", "bins"), 99.5, 1  # %; the length, by number, at which rates are compared
TASKS = len(RATES) + sum(map(len, LEVELS.values()))
Floats = NDArray[np.float64]


def circuit(seed: int) -> Circuit:
    """That of protocols/lzc_after_network.py."""
    made = feedforward(vogels2005.neuron("euler"), vogels2005.synapse(), channels=8, weight="13.3 mV", seed=seed)
    return made.with_values({"population.E_L": "-60 mV"})


def shares(seen: Recording, reader: str) -> Floats:
    """Right answers in %, shape (task, length, seed)."""
    return 100 * np.asarray(seen[f"accuracy.{reader}"])


def interval(values: Floats, tasks: int = 1) -> Floats:
    """Half of the 95 % interval of the mean over seeds, the last axis, by Student's t; wide enough to hold for so many `tasks` at once."""
    n = values.shape[-1]
    return np.asarray(stats.t.ppf(1 - 0.025 / tasks, n - 1) * values.std(axis=-1, ddof=1) / np.sqrt(n))


def least_wrong(pair: tuple[int, int], length: float) -> float:
    """Wrong answers in % of the best reader there can be: it knows both rates, and counts the spikes of all 8 channels."""
    n = 8 * round(1000 * length)
    a, b = (stats.binom.pmf(np.arange(n + 1), n, rate / 1000) for rate in pair)
    return 50 * float(np.minimum(a, b).sum())


def wrong(ax: Axes, x: Floats, right: Floats, least: float, **look: object) -> None:
    """Wrong answers on a logarithmic axis; none at all is drawn at `least`, open."""
    mean, half = 100 - right.mean(axis=-1), interval(right)
    shown = np.maximum(mean, least)
    ends = np.array([shown - np.maximum(mean - half, least), np.maximum(mean + half, least) - shown])
    ax.errorbar(x, shown, np.maximum(ends, 0), elinewidth=0.7, **{"markersize": 3.5, **look})
    none = mean < least
    ax.plot(x[none], shown[none], look["marker"], color="white", markeredgecolor=look["color"], markersize=3.5, zorder=5)


def by_length(ax: Axes, least: float) -> None:
    plot.reference(ax, y=50)
    ax.axhline(100 - CLAIM, color=plot.BLACK, linewidth=0.7, linestyle=(0, (4, 2)), zorder=0)
    ax.set(xscale="log", yscale="log", ylim=(70, least / 1.4), xlabel="length (ms)", ylabel="wrong (%)")
    ax.set_xticks([128, 256, 512, 1024], ["128", "256", "512", "1024"])
    ax.set_yticks([50, 20, 10, 5, 2, 0.5, 0.1], ["50", "20", "10", "5", "2", "0.5", "0.1"])
    ax.minorticks_off()


def poisson(ax: Axes, seen: Recording, least: float) -> None:
    """Complexity after the population for each pair of rates; dotted: the best that can be done."""
    x, fine = 1000 * seen.times[0], np.geomspace(0.115, 1.2, 40)
    for k, (pair, marker) in enumerate(zip(RATES, "osD^", strict=True)):
        right = shares(seen, "network_lzc")[k]
        wrong(ax, x, right, least, color=plot.BLUE, marker=marker)
        ax.plot(1000 * fine, [max(least / 2, least_wrong(pair, t)) for t in fine], ":", color=plot.BLACK, linewidth=0.9)
        ax.text(112, 100 - right[0].mean(), f"{pair[0]} or {pair[1]}", ha="right", va="center", fontsize=6)
    by_length(ax, least)
    ax.set_xlim(38, 1300)


def readers(ax: Axes, seen: Recording, least: float, pair: int) -> None:
    """All readers by length, for a pair of rates."""
    for reader, (_, colour, marker, line) in READERS.items():
        wrong(ax, 1000 * seen.times[0], shares(seen, reader)[pair], least, color=colour, marker=marker, linestyle=line)
    by_length(ax, least)


def family(ax: Axes, seen: Recording, name: str) -> None:
    """All readers by level."""
    mine = rows(name)
    plot.reference(ax, y=50)
    for reader, (label, colour, marker, line) in READERS.items():
        right = shares(seen, reader)[mine, -1]
        where = "channels: " if reader in RAW else "population: "
        ax.errorbar(
            LEVELS[name], right.mean(axis=-1), interval(right), color=colour, marker=marker, linestyle=line, markersize=3.5, elinewidth=0.7,
            label=where + label,
        )  # fmt: skip
    ax.set(xscale="log", ylim=(42, 102), xlabel=AXES[name], ylabel="right (%)")
    ax.set_xticks(LEVELS[name], [f"{x:g}" for x in LEVELS[name]])
    ax.minorticks_off()


def rows(name: str) -> slice:
    """The tasks of a family among those of all."""
    first = 4 * list(LEVELS).index(name)
    return slice(first, first + 4)


def gains(rates: Recording, families: Recording, reader: str) -> dict[str, Floats]:
    """By family: points (task, seed) by which a reader behind the population is better than the best reader of the channels."""
    found = {}
    for name in ("rates", *LEVELS):
        part = {r: shares(rates, r)[:, SHORT] if name == "rates" else shares(families, r)[rows(name), -1] for r in (*RAW, reader)}
        raw = np.stack([part[r] for r in RAW])
        best = np.take_along_axis(raw, raw.mean(axis=-1).argmax(axis=0)[None, :, None], axis=0)[0]
        found[name] = part[reader] - best
    return found


def added(ax: Axes, found: dict[str, dict[str, Floats]]) -> None:
    plot.reference(ax, y=0)
    for reader, side in (("network_count", 0.11), ("network_lzc", -0.11)):
        _, colour, marker, _ = READERS[reader]
        for k, away in enumerate(found[reader].values()):
            x = k + side + np.linspace(-0.27, 0.27, len(away))
            ax.errorbar(x, away.mean(axis=-1), interval(away), fmt=marker, color=colour, markersize=3, elinewidth=0.7)
    ax.set_xticks(range(len(LEVELS) + 1), ["rates", "\nrhythm", "coincidence", "\norder", "templates"])
    ax.tick_params(axis="x", length=0)
    ax.set(ylabel="better by (points)", xlim=(-0.5, 4.5))


def above(away: Floats) -> bool:
    """Whether the interval is above 0 in a task, where all tasks are looked at."""
    return bool(np.any(away.mean(axis=-1) > interval(away, TASKS)))


def caption(rates: Recording, families: Recording, found: dict[str, dict[str, Floats]]) -> str:
    asked, seeds = int(families.conditions["asked"].values[0]), families["accuracy.lzc"].shape[-1]
    reached = [told(pair, rates.times[0], shares(rates, "network_lzc")[k]) for k, pair in enumerate(RATES)]
    ideal = ", ".join(f"{100 - least_wrong(pair, 1.024):.1f}" for pair in RATES)
    helped = [name for name, away in found["network_lzc"].items() if above(away)]
    order = {r: f"{shares(families, r)[rows('order'), -1].mean(axis=-1)[2]:.1f}" for r in READERS}
    none = np.concatenate([shares(x, "shuffled").reshape(-1, seeds) for x in (rates, families)])
    away = {name: (shares(families, "network_count") - shares(families, "network_lzc"))[rows(name), -1] for name in LEVELS}
    more, less = (", ".join(name for name, x in away.items() if above(sign * x)) or "none" for sign in (1, -1))
    rate = np.concatenate([np.asarray(x["population.rate"])[:, -1].ravel() for x in (rates, families)]).mean()
    for_lzc = " and ".join(helped) or "none", ", ".join(name for name in found["network_lzc"] if name not in helped) or "none"
    return (
        f"Means and 95 % intervals over {seeds} seeds (wiring, samples, split), {asked} test samples each; open: none wrong. a: LZC after the "
        f"population, by length; dotted: the best reader there can be, which counts. {CLAIM} % (dashes): {'; '.join(reached)}. At 1024 ms the best "
        f"there can be is {ideal} %. b to f: all readers. g: how much better than the best reader of the channels, levels as in c to f, rates as "
        f"in a at {1000 * rates.times[0, SHORT]:.0f} ms. LZC after the population is better than all readers of the channels in: {for_lzc[0]}; the "
        f"population adds nothing to it in: {for_lzc[1]}. Order at correlation {LEVELS['order'][2]:g}: channels {order['count']} (counts), "
        f"{order['lzc']} (LZC), {order['bins']} (bins), population {order['network_lzc']} (LZC), {order['network_count']} % (counts): its delays "
        f"turn order into rates. Behind it counts are better than LZC in: {more}; LZC is better than counts in: {less}. Shuffled labels: "
        f"{none.mean():.1f} % (tasks: {none.mean(axis=-1).min():.1f} to {none.mean(axis=-1).max():.1f}). Neurons fire at {rate:.1f} Hz. "
        f"Better: by a 95 % interval for all {TASKS} tasks together."
    )


def told(pair: tuple[int, int], lengths: Floats, right: Floats) -> str:
    """From which length on a pair of rates is told as often as claimed."""
    mean = right.mean(axis=-1)
    good = np.flatnonzero(mean >= CLAIM)
    how = f"from {1000 * lengths[good[0]]:.0f} ms on ({mean[good[0]]:.2f})" if good.size else f"not reached ({mean[-1]:.2f})"
    return f"{pair[0]} or {pair[1]} Hz {how}"


def main(options: Options) -> Path:
    folder, full = options.out.with_suffix(""), is_full(options, STEM)
    made = apply(options, circuit(options.seed))
    example, rates, families = (recorded(options, name, made) for name in ("example", "rates", "families"))
    least = 50 / float(families.conditions["asked"].values[0] * families["accuracy.lzc"].shape[-1])  # half a wrong answer of all
    found = {reader: gains(rates, families, reader) for reader in ("network_count", "network_lzc")}
    with plot.style():
        figure = Figure(figsize=(plot.PAGE / 25.4, 135 / 25.4), layout="constrained")
        above, below = figure.subfigures(2, 1)
        top, low = above.subplots(1, 4), below.subplots(1, 4, width_ratios=[1, 1, 1.45, 0.85])
        poisson(plot.title(top[0], "a", "LZC, two Poisson rates (Hz)"), rates, least)
        readers(plot.title(top[1], "b", "20 or 30 Hz"), rates, least, 1)
        for ax, letter, name in zip((*top[2:], *low[:2]), "cdef", LEVELS, strict=True):
            family(plot.title(ax, letter, name), families, name)
        added(plot.title(low[2], "g", "population less the best of the channels"), found)
        plot.key(low[3], top[2])
        figure.supxlabel(textwrap.fill(caption(rates, families, found), 146), x=0.01, ha="left", fontsize=6.5, linespacing=1.4)
        if options.quick:
            figure.suptitle("quick version: few samples, for a look only")
        written = plot.save(figure, Path(__file__).with_suffix("") if full else folder, digest=plot.digest({"example": example}))
    print(*written)
    return written[0]


if __name__ == "__main__":
    main(options(STEM))
