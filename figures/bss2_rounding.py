"""Draws results/bss2_rounding/*.nc: what each way of rounding makes of small changes, beside its exact law.

`--quick`, `--set` and `--out` name the results as they did for protocols/bss2_rounding.py; only the full study goes to figures/.
"""

import textwrap
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from bioneuro import Recording, plot
from bioneuro.files import load
from bioneuro.script import OptionError, Options, is_full, options

STEM = Path(__file__).stem
PERIOD, WIDTHS = 0.01, (8, 16)  # s, bits
FRACTIONS, NEAR = np.linspace(0, 1, 11), np.arange(-16, 17) / 1024  # pushes, steps per update
SLOW, FAST = 10.0 ** -np.arange(1, 7.25, 0.5), 3.0  # decays at the start, steps per update
UNITS = {"fractions": slice(0, 11), "near": slice(11, 44), "slow": slice(44, 57), "fast": 57}
LARGE, NOTHING = 100, 4e-8  # updates over which large pushes are counted; where no drift at all stands on a logarithmic axis
MODES = {
    "nearest": (plot.VERMILION, "s", "nearest"),
    "truncate": (plot.PURPLE, "v", "truncated"),
    "byte": (plot.ORANGE, "^", "stochastic, 8 bits of a register"),
    "centred": (plot.SKY, "D", "the same, centred"),
    "halfword": (plot.GREEN, "P", "stochastic, 16 bits of two registers"),
    "ideal": (plot.BLUE, "o", "stochastic, ideal"),
}
BELOW = {"nearest": 28, "truncate": 28, "ideal": 28, "byte": 16, "centred": 16, "halfword": 16}
"""Bits below the last one to which an increment is kept, to nearest, before it is rounded."""


def law(mode: str, change: np.ndarray) -> np.ndarray:
    """The mean of a rounding of `change`, in steps: the sum of it and of a uniform draw of so many bits, without what is below a step."""
    kept = np.floor(change * 2.0 ** BELOW[mode] + 0.5) / 2.0 ** BELOW[mode]
    coarse = {"nearest": (1, 0.5), "truncate": (1, 0.0), "byte": (256, 0.0), "centred": (256, 0.5)}
    if mode not in coarse:  # the draw has all bits that an increment keeps
        return kept
    steps, offset = coarse[mode]
    return np.floor(kept * steps + offset) / steps


def spread(mode: str, change: np.ndarray, n: int) -> np.ndarray:
    """Standard deviation of the sum of `n` independent roundings: each goes up or not."""
    up = law(mode, change) % 1
    return np.sqrt(n * up * (1 - up))


def counts(seen: Recording, exact: bool = False) -> np.ndarray:
    """How many updates are over at each reading; `exact` runs are read at an update, others half a period later."""
    return np.rint(seen.times[0] / PERIOD - 0.5 * (not exact)).astype(int)


def moved(seen: Recording, units: slice, n: int) -> np.ndarray:
    """How far x has gone from its start in `n` updates, (trial, unit)."""
    x, k = seen["count.x"], counts(seen)
    return x[:, int(np.flatnonzero(k == n)[0]), units] - x[:, 0, units]


def pushed(ax: Axes, runs: Mapping[str, Recording]) -> None:
    """Mean of a rounding against what is rounded."""
    fine = np.linspace(0, 1, 1001)
    for mode, (colour, marker, _) in MODES.items():
        plot.theory(ax, fine, law(mode, fine), unit="1", colour=colour, linewidth=0.8)
        change = moved(runs[f"{mode}_16"], UNITS["fractions"], LARGE) / LARGE
        ax.plot(FRACTIONS, change.mean(axis=0), marker, color=colour, markersize=3, linestyle="none", zorder=3)
    ax.set(xlabel="increment (steps)", ylabel="mean of a rounding (steps)")


def spreads(ax: Axes, runs: Mapping[str, Recording]) -> None:
    """Standard deviation of a sum of roundings, over repetitions, with its standard error."""
    fine = np.linspace(0, 1, 201)
    plot.theory(ax, fine, spread("ideal", fine, LARGE), unit="1")
    for mode, (colour, marker, _) in MODES.items():
        change = moved(runs[f"{mode}_16"], UNITS["fractions"], LARGE)
        found = change.std(axis=0, ddof=1)
        shift = 0.006 * (list(MODES).index(mode) - 4)
        ax.errorbar(FRACTIONS + shift, found, yerr=found / np.sqrt(2 * len(change) - 2), fmt=marker, color=colour, markersize=2.5, elinewidth=0.6)
    ax.text(0.5, 2.2, r"$\sqrt{100 f (1-f)}$", ha="center")
    ax.set(xlabel="increment f (steps)", ylabel=f"SD of the sum of {LARGE} (steps)", ylim=(-0.3, 6.6))


def near_zero(ax: Axes, runs: Mapping[str, Recording], n: int) -> None:
    """Mean change per update around 0, in steps of the draw of one register."""
    fine = np.linspace(NEAR[0], NEAR[-1], 4001)
    for mode, (colour, marker, _) in MODES.items():
        plot.theory(ax, 256 * fine, 256 * law(mode, fine), unit="1", colour=colour, linewidth=0.7)
        change = moved(runs[f"{mode}_16"], UNITS["near"], n) / n
        error = change.std(axis=0, ddof=1) / np.sqrt(len(change))
        seen = {"markersize": 2.2, "elinewidth": 0.5, "linestyle": "none", "zorder": 3}
        ax.errorbar(256 * NEAR, 256 * change.mean(axis=0), yerr=256 * error, fmt=marker, color=colour, **seen)
    ax.set(xlabel="increment (1/256 step)", ylabel="mean change (1/256 step)", xlim=(-4.3, 4.3), ylim=(-4.6, 4.6))
    ax.text(-4.1, 4.4, "truncated: $-$256 left of 0", color=MODES["truncate"][0], va="top", fontsize=6.5)


def drifts(ax: Axes, runs: Mapping[str, Recording]) -> dict[str, float]:
    """Drift of a decay against the drift wanted, for both widths; returns by how much bytes overdo it at most."""
    fine = 10 ** np.linspace(-7.15, -0.9, 2000)
    overdone = {}
    for mode, (colour, marker, _) in MODES.items():
        expected = -law(mode, -fine)
        plot.theory(ax, fine, np.where(expected > 0, expected, NOTHING), unit="1", colour=colour, linewidth=0.8)
        for bits, face in ((16, colour), (8, "none")):
            wanted, found, error = drift(mode, bits, runs)
            ax.errorbar(
                wanted, np.where(found > 0, found, NOTHING), yerr=np.where(found > 0, error, 0.0), fmt=marker, color=colour, markerfacecolor=face,
                markersize=3, markeredgewidth=0.6, elinewidth=0.6, zorder=3,
            )  # fmt: skip
            if bits == 16:
                overdone[mode] = float((found / wanted).max())
    ax.set(xscale="log", yscale="log", xlabel="decay wanted (steps per update)", ylabel="decay (steps per update)", ylim=(2.2e-8, 3))
    ax.set_yticks([NOTHING, 1e-6, 1e-4, 1e-2, 1], ["0", "$10^{-6}$", "$10^{-4}$", "$10^{-2}$", "1"])
    ax.minorticks_off()
    return overdone


def drift(mode: str, bits: int, runs: Mapping[str, Recording]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Decay per update that real numbers give and that a mode gives, with its standard error; over as many updates as leave x much the same."""
    seen, exact = runs[f"{mode}_{bits}"], runs[f"exact_{bits}"]
    start, found = float(seen["count.x"][0, 0, UNITS["slow"]][0]), []
    for k, rate in enumerate(SLOW):
        size = 1.0 if mode == "truncate" else rate
        n = max(c for c in counts(seen) if c * size <= 0.1 * start)
        change = -moved(seen, UNITS["slow"], n)[:, k] / n
        which = int(np.flatnonzero(counts(exact, exact=True) == n)[0])
        found.append((float(start - exact["count.x"][0, which, UNITS["slow"]][k]) / n, change.mean(), change.std(ddof=1) / np.sqrt(len(change))))
    return tuple(np.array(found).T)  # type: ignore[return-value]


def course(ax: Axes, bits: int, runs: Mapping[str, Recording]) -> dict[str, float]:
    """A decay, mean over repetitions, with where nearest rounding sticks; returns what is left in the end, % of the start."""
    exact = runs[f"exact_{bits}"]
    n, x = counts(exact, exact=True), exact["count.x"][0, :, UNITS["fast"]]
    start, last = float(x[0]), 24 * {8: 8, 16: 200}[bits]
    shown = n <= last
    plot.theory(ax, n[shown], x[shown], unit="1", label="real numbers")
    plot.reference(ax, y=start / (2 * FAST))
    ax.text(last, start / (2 * FAST) * 1.06, "half a step per update", ha="right", va="bottom", fontsize=6.5)
    left = {}
    for mode, (colour, marker, _) in MODES.items():
        seen = runs[f"{mode}_{bits}"]
        mean = seen["count.x"][:, :, UNITS["fast"]].mean(axis=0)
        k = counts(seen)
        every = k <= last
        ax.plot(k[every], np.maximum(mean[every], start * 2e-3), color=colour, marker=marker, markersize=2, linewidth=0.6, zorder=3)
        left[mode] = 100 * float(mean[k == last][0]) / start
    ax.set(yscale="log", ylim=(start * 1.8e-3, start * 1.3), xlabel="updates", ylabel="x (steps)")
    return left


def caption(runs: Mapping[str, Recording], overdone: Mapping[str, float], left: Mapping[str, float], n: int) -> str:
    trials = runs["ideal_16"].n_trials
    z = worst(runs, n)
    return textwrap.fill(
        f"Lines: exact laws; points: {trials} units per increment in the arithmetic of the processor. Over {n} updates the means in panel c are "
        f"within {z:.1f} standard errors of the laws (each of {NEAR.size} increments, modes with draws). A register gives 8 bits, so chances come "
        "in 1/256: what pushes up by less is lost, what pulls down by less is rounded up to 1/256; nearest rounding loses both below half a step. "
        f"With 8 bits a decay is up to {overdone['byte']:.0f} times too fast (panel d; 16 bits filled, 8 bits open; 16 bits are kept "
        f"below the last one, so less than 1/131072 step is lost). At 16 bits nearest rounding leaves {left['nearest']:.1f} % where real "
        f"numbers leave {left['exact']:.2f} %, ideal draws {left['ideal']:.2f} %, truncation {left['truncate']:.0f} % (e, f: cut at 0.2 %).",
        150,
    )


def worst(runs: Mapping[str, Recording], n: int) -> float:
    """The largest distance of a mean near 0 from its law, in standard errors by the law."""
    found = 0.0
    for mode in ("ideal", "byte", "centred", "halfword"):
        change = moved(runs[f"{mode}_16"], UNITS["near"], n)
        error = spread(mode, NEAR, n) / np.sqrt(len(change))
        distance = np.abs(change.mean(axis=0) - n * law(mode, NEAR))
        found = max(found, float(np.max(distance[error > 0] / error[error > 0])))
    return found


def main(options: Options) -> Path:
    if options.set:
        raise OptionError(f"--set: {', '.join(options.set)}: the laws of this figure are those of the increments in the script; draw it without")
    folder = options.out.with_suffix("")
    runs = {name: load(folder / f"{name}.nc") for bits in WIDTHS for name in (f"exact_{bits}", *(f"{mode}_{bits}" for mode in MODES))}
    n = 1000 if options.quick else 5000
    with plot.style():
        figure, axes = plot.grid(2, 3, height=125)
        a, b, c, d, e, f = axes.flat
        pushed(a, runs)
        spreads(b, runs)
        near_zero(c, runs, n)
        overdone = drifts(d, runs)
        course(e, 8, runs)
        left = course(f, 16, runs)
        exact = runs["exact_16"]["count.x"][0, :, UNITS["fast"]]
        left["exact"] = 100 * float(exact[counts(runs["exact_16"], exact=True) == 4800][0] / exact[0])
        for ax, letter, title in zip(axes.flat, "abcdef", TITLES, strict=True):
            plot.title(ax, letter, title)
        handles = [a.plot([], [], marker, color=colour, label=label)[0] for colour, marker, label in MODES.values()]
        figure.legend(handles=handles, loc="outside upper center", ncols=6, columnspacing=1.0, handletextpad=0.2)
        said = "quick version: few repetitions, for a look only\n" if options.quick else ""
        figure.supxlabel(said + caption(runs, overdone, left, n), x=0.01, ha="left", fontsize=6.5, linespacing=1.4)
        written = plot.save(figure, Path(__file__).with_suffix("") if is_full(options, STEM) else folder, digest=plot.digest(runs))
    print(*written)
    return written[0]


TITLES = (
    "mean of a rounding, 16-bit lane",
    "and its spread",
    "small increments, 16-bit lane",
    "slow decay, both widths",
    "a decay in an 8-bit lane",
    "a decay in a 16-bit lane",
)

if __name__ == "__main__":
    main(options(STEM))
