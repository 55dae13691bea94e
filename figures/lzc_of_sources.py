"""Draws results/lzc_of_sources/*.nc: Lempel-Ziv complexity against rate, length and structure of spike trains, beside exact entropy rates.

`--quick` and `--out` name the results as they did for protocols/lzc_of_sources.py; only the full study goes to figures/.
"""

import textwrap
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from bioneuro import Recording, load, plot
from bioneuro.script import Options, is_full, options

STEM = Path(__file__).stem
KNOWN_AT = (0.02, 0.05, 0.1, 0.2, 0.5)
KNOWN = {
    # n: mean and SD of 400 Bernoulli words at those probabilities, by another program
    256: ((0.203, 0.345, 0.531, 0.802, 1.114), (0.059, 0.071, 0.080, 0.068, 0.042)),
    1024: ((0.151, 0.296, 0.482, 0.751, 1.060), (0.027, 0.033, 0.035, 0.032, 0.018)),
}
SIZES = {256: (plot.SKY, "^"), 1024: (plot.BLUE, "o"), 16384: (plot.PURPLE, "D")}
ESTIMATORS = {
    "lz78": ("LZ78", plot.PURPLE, "D"),
    "lz76": ("LZ76", plot.BLUE, "o"),
    "context_tree": ("context tree", plot.GREEN, "^"),
    "match_length": ("match length", plot.ORANGE, "v"),
    "miller_madow": ("blocks of 6, Miller-Madow", plot.VERMILION, "s"),
    "plug_in": ("blocks of 6, plug-in", plot.BLACK, "x"),
}
STRUCTURE = {
    "persistence": ("correlation", "correlation of neighbouring bins", "d", "bursts (Markov, p = 0.1)"),
    "refractory": ("refractory", "refractory period (ms)", "e", "refractory period (40 Hz)"),
    "jitter": ("jitter", "jitter (ms)", "f", "one template, 16 times"),
}


def values(seen: Recording, reader: str) -> NDArray[np.float64]:
    """What a reader found, shape (source, word)."""
    return np.asarray(seen[f"word.{reader}"][:, 0])


def by_rate(ax: Axes, seen: Mapping[int, Recording]) -> float:
    """Means of each length (bars: SD) beside H(p); the largest difference from the known means, in their standard errors."""
    p = np.geomspace(0.004, 0.5, 400)
    plot.theory(ax, p, -p * np.log2(p) - (1 - p) * np.log2(1 - p), unit="1", label="entropy $H(p)$")
    away = 0.0
    for n, (colour, marker) in SIZES.items():
        at, found = seen[n].conditions["p"].values, values(seen[n], "lz76")
        ax.errorbar(at, found.mean(axis=1), found.std(axis=1), fmt=marker, color=colour, label=f"{n} bins", elinewidth=0.5, markersize=2.6, zorder=3)
        if n in KNOWN:
            mean, sd = map(np.array, KNOWN[n])
            plot.evidence(ax, np.array(KNOWN_AT) * 1.09, mean, sd, unit="1", markersize=2.6)
            k = [int(np.argmin(np.abs(at - x))) for x in KNOWN_AT]
            error = np.hypot(sd / np.sqrt(400), found[k].std(axis=1) / np.sqrt(found.shape[1]))
            away = max(away, float((np.abs(found[k].mean(axis=1) - mean) / error).max()))
    plot.evidence(ax, [], [], [], unit="1", markersize=2.6, label="known: 256, 1024 bins")
    ax.set(xscale="log", xlabel="spike probability per bin", ylabel="$c \\, \\log_2(n)/n$", ylim=(0, 1.25))
    ax.set_xticks([0.01, 0.1, 0.5], ["0.01", "0.1", "0.5"])
    ax.legend(loc="upper left", handletextpad=0.3)
    return away


def by_length(ax: Axes, seen: Mapping[int, Recording], source: int) -> dict[str, NDArray[np.float64]]:
    """Mean error of each estimator (bars: SD) by length; returns the means."""
    found = {}
    lengths = np.array(sorted(seen))
    for k, (name, (label, colour, marker)) in enumerate(ESTIMATORS.items()):
        error = np.array([values(seen[n], name)[source] - seen[n].conditions["exact"].values[source] for n in lengths])
        found[name] = error.mean(axis=1)
        line = {"color": colour, "marker": marker, "markersize": 2.8, "linewidth": 0.8, "elinewidth": 0.5, "label": label}
        ax.errorbar(lengths * 1.05 ** (k - 2.5), found[name], error.std(axis=1), **line)
    handles, labels = ax.get_legend_handles_labels()
    shown = slice(0, 3) if source == 0 else slice(3, None)
    ax.legend(handles[shown], labels[shown], loc="upper right", handletextpad=0.5)
    plot.reference(ax, y=0)
    ax.set(xscale="log", xlabel="length $n$ (bins)", ylabel="estimate $-$ entropy rate (bits)", ylim=(-0.35, 0.68))
    return found


def by_structure(ax: Axes, seen: Recording, name: str) -> NDArray[np.float64]:
    """Complexity of the words and of their surrogates (bars: SD), and the exact rate; returns the mean ratio of the two."""
    coordinate, label, *_ = STRUCTURE[name]
    x = seen.conditions[coordinate].shown
    found, mixed = values(seen, "lz76"), values(seen, "shuffled")
    if "exact" in seen.conditions:
        ax.plot(x, seen.conditions["exact"].values, color=plot.BLACK, linewidth=0.8, label="entropy rate", zorder=2)
    ax.errorbar(x, mixed.mean(axis=1), mixed.std(axis=1), fmt="s", color=plot.ORANGE, markerfacecolor="white", label="shuffled", elinewidth=0.5)
    ax.errorbar(x, found.mean(axis=1), found.std(axis=1), fmt="o", color=plot.BLUE, label="LZ76", elinewidth=0.5)
    if name == "jitter":
        ax.set_xscale("symlog", linthresh=0.1, linscale=0.5)
        ax.set_xticks([0, 0.1, 1, 10], ["0", "0.1", "1", "10"])
    ax.set(xlabel=label, ylabel="$c \\, \\log_2(n)/n$", ylim=(0, None))
    ax.legend(loc="lower right" if name == "jitter" else "lower left")
    return np.asarray(found.mean(axis=1) / mixed.mean(axis=1))


def both(bias: list[dict[str, NDArray[np.float64]]], name: str, k: int) -> str:
    """The mean error for each of the two sources."""
    return " and ".join(f"{round(float(of[name][k]), 3) + 0.0:+.3f}".replace("-", "\u2212") for of in bias)


def caption(
    away: float, seen: Mapping[str, Recording], bias: list[dict[str, NDArray[np.float64]]], ratios: Mapping[str, NDArray[np.float64]]
) -> str:
    lengths = sorted(int(name.partition("_")[2]) for name in seen if name.startswith("length_"))
    middle, words = lengths.index(1024), {name: values(x, "lz76").shape[1] for name, x in seen.items()}
    names = {"lz76": "LZ76", "lz78": "LZ78", "match_length": "match length", "context_tree": "context tree"}
    short, long = (", ".join(f"{text} {both(bias, name, k)}" for name, text in names.items()) for k in (middle, -1))
    exact = {name: seen[name].conditions["exact"].values for name in ("persistence", "refractory")}
    burst, dead = (exact[name][-1] / exact[name].max() for name in exact)
    jitter = seen["jitter"].conditions["jitter"].shown
    hidden = jitter[np.flatnonzero(ratios["jitter"] < 0.97)[-1] + 1]
    ends = [f"{100 * ratios[name][-1]:.0f} %" for name in ("persistence", "refractory")]
    return textwrap.fill(
        f"a: mean \u00b1 SD of {words['rate_256']} words; squares: known values (of 400 words), from which the means differ by {away:.1f} "
        f"standard errors at most. b, c (correlation c): mean error \u00b1 SD of {words['length_1024']} words, bits per bin. In the mean at 1024 "
        f"bins: {short} (b and c). At {lengths[-1]}: {long}. LZ76 comes from above and may end below the rate: it is no bound. Blocks of 6 are "
        f"long enough for these two sources; a longer memory would escape them. d\u2013f: {words['jitter']} words of 4000 bins, and ten shuffled "
        "surrogates of each, which keep the number of spikes. Bursts (d) and refractory periods (e) lower the complexity at one rate, at the "
        f"right end to {ends[0]} and {ends[1]} of the shuffled; the entropy rate is {100 * burst:.0f} and {100 * dead:.0f} % of that without "
        "structure, so order over tens of bins is seen in part only. f: a template that comes back shows (without jitter "
        f"{100 * ratios['jitter'][0]:.0f} % of the shuffled), but with a jitter of {hidden:g} ms or more, in bins of 1 ms, the complexity is "
        "within 3 % of the shuffled.",
        150,
    )


def main(options: Options) -> Path:
    folder, full = options.out.with_suffix(""), is_full(options, STEM)
    seen = {path.stem: load(path) for path in sorted(folder.glob("*.nc"))}
    rate, length = ({int(k.partition("_")[2]): x for k, x in seen.items() if k.startswith(kind)} for kind in ("rate_", "length_"))
    with plot.style():
        figure, axes = plot.grid(2, 3, height=145)
        away = by_rate(plot.title(axes[0, 0], "a", "rate (Bernoulli words)"), rate)
        titles = ("Bernoulli, p = 0.1", "Markov, p = 0.2, c = 0.6")
        bias = [by_length(plot.title(axes[0, 1 + k], "bc"[k], f"length ({titles[k]})"), length, k) for k in (0, 1)]
        ratios = {name: by_structure(plot.title(ax, *STRUCTURE[name][2:]), seen[name], name) for name, ax in zip(STRUCTURE, axes[1], strict=True)}
        figure.supxlabel(caption(away, seen, bias, ratios), x=0.01, ha="left", fontsize=6.5, linespacing=1.4)
        if options.quick:
            figure.suptitle("quick version: few words, for a look only")
        written = plot.save(figure, Path(__file__).with_suffix("") if full else folder, digest=plot.digest(seen))
    print(*written)
    return written[0]


if __name__ == "__main__":
    main(options(STEM))
