"""Draws results/fit_stdp_curve/*.nc: an STDP window, the curve fitted to it, and the way there.

`--quick`, `--set` and `--out` name the results as they did for protocols/fit_stdp_curve.py; only the full study goes to figures/. `--data`
lays measured ratios of weights against a lag over panel a.
"""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from bioneuro import Circuit, Recording, load, measure, plot, script
from bioneuro.catalogue import graupner2012
from bioneuro.script import Options, apply, is_full, options, recorded

STEM = Path(__file__).stem
RECORDINGS = ("target", "planted", "start", "fitted", "steps")
SYMBOLS = {
    "calcium.gamma_p": r"$\gamma_p$",
    "calcium.gamma_d": r"$\gamma_d$",
    "calcium.tau_Ca": r"$\tau_{Ca}$",
    "calcium.theta_p": r"$\theta_p$",
}


def curves(ax: Axes, seen: dict[str, Recording]) -> None:
    plot.reference(ax, x=0, y=1)
    window = measure.weight_ratio(seen["target"])
    plot.curve(ax, window, label="target (Brian2)", colour=plot.BLUE)
    for name, look in (("start", {"colour": plot.ORANGE, "linestyle": "--"}), ("fitted", {"colour": plot.VERMILION})):
        line = measure.weight_ratio(seen[name])
        plot.theory(ax, line.x, line.y, label=f"twin, {name}", zorder=4, **look)
    ax.set(xlabel="lag, post \u2212 pre (ms)", ylabel="weight after / before")
    low, high = ax.get_ylim()
    ax.set_ylim(low - 0.4 * (high - low), high)  # room for the legend
    ax.legend(loc="lower left", handlelength=1.5)


def losses(ax: Axes, seen: dict[str, Recording], best: int) -> None:
    loss, attempt = seen["steps"]["fit.loss"][:, 0, 0], seen["steps"].conditions["attempt"].values
    for n in np.unique(attempt):
        mine = loss[attempt == n]
        colour, label = (plot.BLACK, f"start {n + 1:.0f}") if n == best else (plot.GREY, f"start {n + 1:.0f}, given up")
        ax.semilogy(np.arange(mine.size), mine, "o-", color=colour, label=label)
    target, planted = (measure.weight_ratio(seen[name]) for name in ("target", "planted"))
    noise = np.mean((target.y - planted.y) ** 2) / np.mean(target.error**2)
    ax.axhline(noise, color=plot.BLUE, linestyle=":", linewidth=0.8, label="planted values")
    ax.set(xlabel="step of L-BFGS", ylabel="loss (squared standard errors)")
    ax.locator_params(axis="x", integer=True)
    ax.legend(loc="upper right", handlelength=1.5)


def values(ax: Axes, seen: dict[str, Recording], planted: Circuit, best: int) -> None:
    steps = seen["steps"]
    mine = steps.conditions["attempt"].values == best
    plot.reference(ax, y=1)
    for (path, symbol), colour in zip(SYMBOLS.items(), (plot.VERMILION, plot.BLUE, plot.GREEN, plot.PURPLE), strict=True):
        ratio = steps.conditions[path].values[mine] / planted.values[path].value
        ax.plot(np.arange(ratio.size), ratio, "o-", color=colour, label=f"{symbol}: {ratio[-1]:.3f}")
    ax.set(xlabel="step of L-BFGS", ylabel="value / planted value")
    ax.locator_params(axis="x", integer=True)
    ax.legend(title="at the end", handlelength=1.5)


def main(options: Options) -> Path:
    folder = options.out.with_suffix("")
    full = is_full(options, STEM)
    planted = apply(options, graupner2012.pair("DP"))
    seen = {name: load(folder / f"{name}.nc") for name in RECORDINGS} | {"target": recorded(options, "target", planted)}
    loss = seen["steps"]["fit.loss"][:, 0, 0]
    best = int(seen["steps"].conditions["attempt"].values[loss.argmin()])
    with plot.style():
        figure, axes = plot.grid(1, 3, height=62)
        curves(axes[0, 0], seen)
        losses(axes[0, 1], seen, best)
        values(axes[0, 2], seen, planted, best)
        plot.overlay(axes[0, 0], script.data(options, "ms"), color=plot.BLACK, zorder=5)
        for ax, letter, text in zip(axes[0], "abc", ("STDP window, set DP", "loss", "parameters"), strict=True):
            plot.title(ax, letter, text)
        notes = [note.partition("\n")[0].removeprefix("replay on ") for note in seen["steps"].provenance.notes]
        quick = "quick version, for a look only.  " * options.quick
        figure.suptitle(f"{quick}Fitted circuit replayed in Brian2, draw for draw against the twin: {', '.join(notes)}")
        used = {name: seen[name] for name in ("target", "planted")}  # the others depend on the last bits of the machine
        written = plot.save(figure, Path(__file__).with_suffix("") if full else folder, digest=plot.digest(used))
    print(*written)
    return written[0]


if __name__ == "__main__":
    main(options(STEM))
