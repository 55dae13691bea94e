"""Draws results/surrogates/*.nc: smooth steps and slopes of the surrogates, gradients by them beside that of the loss itself, and small fits.

`--quick`, `--set` and `--out` name the results as they did for protocols/surrogates.py; only the full study goes to figures/.
"""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from bioneuro import Circuit, Recording, load, plot
from bioneuro.catalogue import vogels2005
from bioneuro.script import Options, apply, is_full, options, recorded

STEM = Path(__file__).stem
PLANTED, AWAY = 7.0, -2.5  # mV; where the shapes begin
COLOURS = (plot.BLUE, plot.VERMILION, plot.GREEN, plot.PURPLE, plot.ORANGE, plot.SKY, plot.GREY)


def circuit() -> Circuit:
    """That of protocols/surrogates.py."""
    return vogels2005.driven(method="euler").with_values({"lif.E_L": "-60 mV", "excitation.weight": f"{PLANTED} mV"})


def lines(ax: Axes, seen: Recording, what: str, *, start: float = 0.0, scaled: bool = False) -> None:
    """One line per surrogate; `scaled`: divided by its largest absolute value."""
    for values, name, colour in zip(seen[f"surrogate.{what}"][:, :, 0], seen.provenance.notes, COLOURS, strict=True):
        shown = values / np.abs(values).max() if scaled else values
        ax.plot(seen.times[0] + start, shown, color=colour, label=name.partition("(")[0].replace("_", "-"))


def smoothed(weight: NDArray[np.float64], values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Slope between points two apart: central differences of the mean over trials, 0.5 mV wide."""
    return weight[1:-1], (values[2:] - values[:-2]) / (weight[2:] - weight[:-2])


def gradient(ax: Axes, seen: Recording, what: str) -> float:
    """Gradients by weight, each in units of its largest; returns how much steeper the surrogates are, by the median."""
    weight, values = seen.times[0], seen[f"surrogate.{what}"][0, :, 0]
    plot.reference(ax, x=PLANTED if what != "count" else None, y=0)
    lines(ax, seen, f"{what}_slope", scaled=True)
    x, slope = smoothed(weight, values)
    ax.plot(x, slope / np.abs(slope).max(), "o", color=plot.BLACK, label="slope of the mean", zorder=4)
    ax.set(xlabel="weight (mV)", ylim=(-1.15, 1.15) if what != "count" else (0, 1.15))
    return float(np.median(np.abs(seen[f"surrogate.{what}_slope"][:, 1:-1, 0])) / np.median(np.abs(slope)))


def fits(axes: tuple[Axes, Axes], seen: Recording) -> None:
    plot.reference(axes[0], y=PLANTED)
    lines(axes[0], seen, "weight")
    lines(axes[1], seen, "loss")
    axes[0].set(xlabel="step of Adam", ylabel="weight (mV)")
    axes[1].set(xlabel="step of Adam", ylabel="loss, kernel 50 ms", yscale="log")


def main(options: Options) -> Path:
    folder, full = options.out.with_suffix(""), is_full(options, STEM)
    target = recorded(options, "target", apply(options, circuit()))
    seen = {name: load(folder / f"{name}.nc") for name in ("shapes", "sweep", "fits")}
    with plot.style():
        figure, axes = plot.grid(2, 4, height=100)
        for ax, what, label in zip(axes[0], ("soft", "slope"), ("smooth step", "slope (1/mV)"), strict=False):
            lines(ax, seen["shapes"], what, start=AWAY)
            ax.set(xlabel="distance from threshold (mV)", ylabel=label)
        axes[0, 1].set_ylim(-0.1, 2.6)
        panels = {"count": axes[0, 2], "loss": axes[1, 0], "sharp": axes[1, 1]}
        steeper = [f"{gradient(ax, seen['sweep'], what):.0f}" for what, ax in panels.items()]
        for ax in (axes[0, 2], axes[1, 0]):
            ax.set_ylabel("gradient / its largest")
        fits((axes[1, 2], axes[1, 3]), seen["fits"])
        plot.key(axes[0, 3], axes[0, 2])
        titles = ("smooth steps", "their slopes", "spike count", "loss, kernel 50 ms", "loss, kernel 10 ms", "fits of d: weight", "fits of d: loss")
        drawn = (*axes[0, :3], *axes[1])
        for ax, letter, text in zip(drawn, "abcdefg", titles, strict=True):
            plot.title(ax, letter, text)
        through = np.abs(seen["sweep"]["surrogate.through_reset"]).max()
        quick = "quick version: few trials, for a look only.  " * options.quick
        peak = seen["shapes"]["surrogate.slope"].max()
        figure.suptitle(
            f"{quick}Mean over {target.n_trials} trials; b: superspike reaches {peak:.1f}/mV. Surrogates count every step near threshold:\n"
            f"their gradients are {steeper[0]} (c), {steeper[1]} (d) and {steeper[2]} (e) times as steep as the mean. With a short kernel (e) they\n"
            f"point the wrong way at weights below the planted one. The reset is detached; through it the gradient of d grows to {through:.0e}/mV."
        )
        written = plot.save(figure, Path(__file__).with_suffix("") if full else folder, digest=plot.digest({"target": target}))
    print(*written)
    return written[0]


if __name__ == "__main__":
    main(options(STEM))
