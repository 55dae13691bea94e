"""Draws results/tempotron_capacity/*.nc: what a tempotron learns against its load, in which time, what jitter leaves of it, and Brian2's answer.

`--quick`, `--set` and `--out` name the results as they did for protocols/tempotron_capacity.py; only the full study goes to figures/.
"""

import textwrap
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from bioneuro import Recording, load, plot
from bioneuro.classify import wilson
from bioneuro.script import Options, is_full, options
from bioneuro.theory.tempotron import CAPACITY

STEM = Path(__file__).stem
COLOURS = (plot.SKY, plot.BLUE)
LOADS = (plot.GREEN, plot.ORANGE, plot.VERMILION)
LINE = 152  # characters of the caption


def settings(seen: Recording) -> tuple[int, list[int], list[float]]:
    """Epochs allowed, numbers of afferents, and loads of the panel with jitter."""
    epochs, *others = seen.provenance.notes
    sizes = seen["capacity.learned"].shape[2]
    return int(epochs), [int(n) for n in others[:sizes]], [float(x) for x in others[sizes:]]


def spread(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Half the 95 % interval of the mean over seeds (normal, 1.96 standard errors)."""
    return np.asarray(1.96 * values.std(axis=0, ddof=1) / np.sqrt(values.shape[0]))


def crossing(x: NDArray[np.float64], share: NDArray[np.float64]) -> float:
    """The load at which the share of neurons that learn falls through a half, on straight lines between the loads; NaN if it does not."""
    below = np.flatnonzero((share[:-1] >= 0.5) & (share[1:] < 0.5))
    if not below.size:
        return float("nan")
    k = int(below[0])
    return float(x[k] + (share[k] - 0.5) / (share[k] - share[k + 1]) * (x[k + 1] - x[k]))


def between(x: NDArray[np.float64], right: NDArray[np.float64]) -> tuple[float, float]:
    """95 % interval of that load: percentiles of 2000 draws of the seeds with replacement. `right` has shape (seed, load)."""
    rows = np.random.default_rng(0).integers(len(right), size=(2000, len(right)))
    low, high = np.nanpercentile([crossing(x, right[row].mean(axis=0)) for row in rows], [2.5, 97.5])
    return float(low), float(high)


def learned(ax: Axes, seen: Recording, sizes: list[int]) -> None:
    x, share = seen.times[0], seen["capacity.learned"]
    for n, (size, colour) in enumerate(zip(sizes, COLOURS, strict=True)):
        mean = share[:, :, n].mean(axis=0)
        ends = np.array([wilson(round(right), share.shape[0]) for right in share[:, :, n].sum(axis=0)]).T
        error = np.maximum(np.abs(ends - mean), 0)
        ax.errorbar(x + 0.03 * (2 * n - 1), mean, error, fmt="o-", color=colour, label=f"{size} afferents", elinewidth=0.7)
    ax.set(xlabel="load (patterns per synapse)", ylabel="share that learns all", ylim=(-0.05, 1.05))


def wrong(ax: Axes, seen: Recording, sizes: list[int]) -> None:
    x, share = seen.times[0], seen["capacity.wrong"]
    plot.reference(ax, y=0.5)
    for n, colour in enumerate(COLOURS[: len(sizes)]):
        ax.errorbar(x, share[:, :, n].mean(axis=0), spread(share[:, :, n]), fmt="o-", color=colour, elinewidth=0.7)
    ax.text(x[0], 0.49, "chance", va="top", fontsize=6.5, color=plot.GREY)
    ax.set(xlabel="load (patterns per synapse)", ylabel="share of patterns wrong", ylim=(-0.02, 0.55))


def epochs(ax: Axes, seen: Recording, sizes: list[int], allowed: int) -> None:
    """Every seed, those that learned as dots, and their median where all did."""
    x, used, right = seen.times[0], seen["capacity.epochs"], seen["capacity.learned"] > 0
    plot.reference(ax, y=allowed)
    for n, colour in enumerate(COLOURS[: len(sizes)]):
        at = np.broadcast_to(x + 0.06 * (2 * n - 1), used.shape[:2])
        ax.plot(at[right[:, :, n]], used[:, :, n][right[:, :, n]], ".", color=colour, markersize=3, alpha=0.6)
        every = right[:, :, n].all(axis=0)
        ax.plot(x[every] + 0.06 * (2 * n - 1), np.median(used[:, every, n], axis=0), "-", color=colour)
    ax.text(x[0], 1.1 * allowed, "all that were allowed", va="bottom", fontsize=6.5, color=plot.GREY)
    ax.set(xlabel="load (patterns per synapse)", ylabel="epochs until all are right", yscale="log", ylim=(1, 3 * allowed), xlim=(0, x[-1] + 0.2))


def jitter(ax: Axes, seen: Recording, loads: list[float]) -> None:
    x, share = 1e3 * seen.times[0], seen["jitter.right"]
    plot.reference(ax, y=0.5)
    for n, (value, colour) in enumerate(zip(loads, LOADS, strict=True)):
        ax.errorbar(x, share[:, :, n].mean(axis=0), spread(share[:, :, n]), fmt="o-", color=colour, label=f"load {value:g}", elinewidth=0.7)
    ax.text(x[-1], 0.49, "chance", ha="right", va="top", fontsize=6.5, color=plot.GREY)
    ax.set(xlabel="jitter of every spike (SD, ms)", ylabel="share of patterns right", ylim=(0.4, 1.03))


def margins(ax: Axes, seen: Recording) -> int:
    """How far the highest potential of each learned pattern is from the threshold, by what Brian2's neuron did; returns how many disagree."""
    fired = seen.spikes["tempotron"].counts[:, 0] > 0
    margin = seen.conditions["margin"].values
    bins = np.linspace(margin.min(), margin.max(), 41)
    bins -= bins[np.abs(bins).argmin()]  # one edge on the threshold
    bins = np.append(bins, bins[-1] + np.diff(bins)[0])
    for mask, colour, label in ((~fired, plot.GREY, "stays silent"), (fired, plot.PURPLE, "fires once")):
        ax.hist(margin[mask], bins, color=colour, alpha=0.6, label=label)
    ax.axvline(0, color=plot.BLACK, linewidth=0.6)
    ax.set(xlabel="highest potential less threshold", ylabel="patterns")
    return int(np.sum(fired != (seen.conditions["decided"].values == 1)))


def caption(found: Recording, shaken: Recording, trained: Recording, otherwise: int) -> str:
    """What the panels say, in numbers."""
    allowed, sizes, loads = settings(found)
    share, x = found["capacity.learned"].mean(axis=0), found.times[0]
    ends_of = [between(x, found["capacity.learned"][:, :, n]) for n in range(len(sizes))]
    halves = [f"{crossing(x, share[:, n]):.2f} ({low:.2f} to {high:.2f}; {sizes[n]} afferents)" for n, (low, high) in enumerate(ends_of)]
    all_of, none_of = (x[(share == value).all(axis=1)] for value in (1, 0))
    ends = f"all learn up to load {all_of.max():g}, none from {none_of.min():g} on" if all_of.size and none_of.size else "see a"
    close = np.abs(trained.conditions["margin"].values).min()
    right = ", ".join(f"{shaken['jitter.right'][:, np.abs(shaken.times[0] - 5e-3).argmin(), n].mean():.2f}" for n in range(len(loads)))
    loads_of = ", ".join(f"{value:g}" for value in loads)
    return textwrap.fill(
        f"Random latency patterns of 500 ms, half to be answered by a spike; {found.n_trials} seeds, at most {allowed} epochs: {ends}; a half at "
        f"{' and '.join(halves)}. Dotted: the capacity of about {CAPACITY:g} that others cite from Gütig & Sompolinsky 2006. A neuron that has "
        f"not learned in time may still have a solution. d: {sizes[-1]} afferents, the learned patterns shown again with jitter; with "
        f"5 ms {right} stay right at load {loads_of}. e: {trained.n_trials} patterns after learning, run in Brian2: {otherwise} decided otherwise "
        f"than by the learning code, no margin below {close:.0e}. 95 %: bootstrap over seeds (the halves), Wilson (a), normal (b, d).",
        LINE,
    )


def main(options: Options) -> Path:
    folder, full = options.out.with_suffix(""), is_full(options, STEM)
    found, shaken, trained, before = (load(folder / f"{name}.nc") for name in ("capacity", "jitter", "trained", "patterns"))
    allowed, sizes, loads = settings(found)
    with plot.style():
        figure, axes = plot.grid(2, 3, height=112)
        drawn = (*axes[0], *axes[1, :2])
        learned(drawn[0], found, sizes)
        wrong(drawn[1], found, sizes)
        epochs(drawn[2], found, sizes, allowed)
        jitter(drawn[3], shaken, loads)
        otherwise = margins(drawn[4], trained)
        for ax in drawn[:3]:
            ax.axvline(CAPACITY, color=plot.GREY, linestyle=":", linewidth=0.8, zorder=0, label="known capacity" if ax is drawn[0] else None)
        titles = ("learning succeeds", "what remains wrong", "how long it takes", "jitter", "in Brian2")
        for ax, letter, text in zip(drawn, "abcde", titles, strict=True):
            plot.title(ax, letter, text)
        plot.key(axes[1, 2], drawn[0], drawn[3], drawn[4])
        quick = "quick version: small neurons, few seeds, for a look only.\n" * options.quick
        figure.supxlabel(quick + caption(found, shaken, trained, otherwise), x=0.01, ha="left", fontsize=6.5, linespacing=1.4)
        written = plot.save(figure, Path(__file__).with_suffix("") if full else folder, digest=plot.digest({"patterns": before}))
    print(*written)
    return written[0]


if __name__ == "__main__":
    main(options(STEM))
