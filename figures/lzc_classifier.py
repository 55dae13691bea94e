"""Draws results/lzc_classifier/*.nc: which tasks complexity tells from how long a sample, and which neurons carried its decisions.

`--quick` and `--out` name the results as they did for protocols/lzc_classifier.py; only the full study goes to figures/.
"""

import textwrap
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray
from scipy import stats

from bioneuro import Recording, load, plot
from bioneuro.classify import Carried, Importance
from bioneuro.script import Options, is_full, options

STEM = Path(__file__).stem
FAMILIES = {
    "bernoulli": "one train, p = .05 or .10", "rates": "10 or 20 Hz", "rhythm": "Poisson or bursts",
    "coincidence": "shared spikes or none", "order": "who leads, by 5 ms", "templates": "jitter 20 ms",
}  # fmt: skip
READERS = {
    "bins": ("bins of 16 ms", plot.GREEN, "^", "--"),
    "count": ("counts", plot.ORANGE, "s", "--"),
    "one": ("LZC of one train", plot.SKY, "D", "-"),
    "lzc": ("LZC, of trains and of all", plot.BLUE, "o", "-"),
    "both": ("LZC and counts", plot.PURPLE, "v", "-"),
    "shuffled": ("LZC, labels shuffled", plot.GREY, "x", ":"),
}
Floats = NDArray[np.float64]


def shares(seen: Recording, reader: str) -> Floats:
    """Right answers in %, shape (seed, length)."""
    return 100 * np.asarray(seen[f"accuracy.{reader}"])[:, :, 0]


def interval(right: Floats) -> Floats:
    """Half of the 95 % interval of the mean over seeds, by Student's t."""
    n = right.shape[0]
    return np.asarray(stats.t.ppf(0.975, n - 1) * right.std(axis=0, ddof=1) / np.sqrt(n))


def better(seen: Recording, one: str, other: str) -> bool:
    """Whether a reader is right more often than another at the largest length: paired by seed, beyond the 95 % interval."""
    away = (shares(seen, one) - shares(seen, other))[:, -1:]
    return bool(away.mean() > interval(away)[0])


def verdict(seen: Recording) -> str:
    """What complexity is good for on a family, at the largest length."""
    readers = [reader for reader in READERS if reader != "shuffled"]
    if not any(better(seen, reader, "shuffled") and shares(seen, reader)[:, -1].mean() > 55 for reader in readers):
        return "no reader tells"
    if not better(seen, "lzc", "count") and not better(seen, "both", "count"):
        return "plain bins alone do" if better(seen, "bins", "count") else "counts do alone"
    if not better(seen, "lzc", "bins") and not better(seen, "both", "bins"):
        return "complexity does what counts do not, and plain bins do too"
    return "complexity does what neither counts nor bins do"


def by_length(ax: Axes, seen: Recording) -> None:
    lengths = 1000 * seen.times[0]
    plot.reference(ax, y=50)
    for k, (reader, (label, colour, marker, line)) in enumerate(READERS.items()):
        right = shares(seen, reader)
        x = lengths * 1.03 ** (k - 2.5)  # side by side where they meet
        look = {"color": colour, "marker": marker, "linestyle": line, "markersize": 3, "elinewidth": 0.6, "label": label}
        ax.errorbar(x, right.mean(axis=0), interval(right), **look)
    ax.set(xscale="log", ylim=(42, 103))
    ax.set_xticks(lengths, [f"{x:.0f}" for x in lengths])
    ax.minorticks_off()


def why(seen: Recording) -> Carried:
    """What the protocol stored of the decisions on held-out samples."""
    one = {name: seen[f"decision.{name}"][:, 0, 0] for name in ("together", "odds", "odds_at_mean", "decided", "instead")}
    names = np.array(["10 Hz", "20 Hz"])
    decided, instead = (names[one.pop(key).astype(int)] for key in ("decided", "instead"))
    return Carried(neurons=seen["neuron.share"][:, 0], decided=decided, instead=instead, **one)


def worth(seen: Recording) -> Importance:
    mean, spread = (seen[f"neuron.{what}"][0, 0] for what in ("mean", "spread"))
    return Importance(mean=mean, spread=spread, accuracy=np.nan, repeats=20)


def caption(used: dict[str, Recording]) -> str:
    """What is shown, and what complexity adds to counts on each family, in words and numbers."""
    first = used["rates"]
    seeds, asked, n = first.n_trials, int(first.provenance.notes[0].split()[0]), int(np.rint(1000 * first.times[0, -1]))
    said: dict[str, list[str]] = {}
    for name in FAMILIES:
        numbers = ", ".join(f"{shares(used[name], r)[:, -1].mean():.1f}" for r in ("count", "bins", "lzc", "both"))
        said.setdefault(verdict(used[name]), []).append(f"{name} ({numbers})")
    known = used["carried"]
    share = np.abs(known["neuron.share"][:, 0]).mean(axis=0)
    return (
        f"Means over {seeds} seeds with 95 % intervals (Student's t), {asked} held-out samples each; grey line: chance. At {n} bins "
        "(right in %: counts, bins, LZC, LZC and counts) "
        + "; ".join(f"{what}: {', '.join(names)}" for what, names in said.items())
        + f". Bottom: 8 trains of 512 ms, of which 0 and 1 know (10 or 20 Hz) and the others do not; {known.n_trials} held-out "
        f"samples; bars: SD of 20 exchanges; mean size of a share {share[:2].mean():.2f} nats of those that know, {share[2:].mean():.2f} of "
        f"the others, {np.abs(known['decision.together']).mean():.2f} of the word over trains."
    )


def main(options: Options) -> Path:
    folder = options.out.with_suffix("")
    used = {name: load(folder / f"{name}.nc") for name in (*FAMILIES, "carried", "importance")}
    with plot.style():
        figure, axes = plot.grid(3, 3, height=150)
        for ax, letter, (name, says) in zip(axes[:2].flat, "abcdef", FAMILIES.items(), strict=True):
            by_length(ax, used[name])
            plot.title(ax, letter, f"{name}: {says}")
            ax.set_xlabel("length (bins of 1 ms)" if letter in "def" else "")
            ax.set_ylabel("right (%)" if letter in "ad" else "")
        g, h, words = axes[2]
        plot.carried(g, why(used["carried"]), label="nats")
        plot.title(g, "g", "shares of the log-odds")
        plot.importance(h, worth(used["importance"]))
        plot.title(h, "h", "lost without a train")
        plot.key(words, axes[0, 0])
        quick = "Quick version: few seeds and samples, for a look only. " * options.quick
        figure.supxlabel(textwrap.fill(quick + caption(used), 150), x=0.01, ha="left", fontsize=6.5, linespacing=1.4)
        written = plot.save(figure, Path(__file__).with_suffix("") if is_full(options, STEM) else folder, digest=plot.digest(used))
    print(*written)
    return written[0]


if __name__ == "__main__":
    main(options(STEM))
