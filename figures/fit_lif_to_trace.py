"""Draws results/fit_lif_to_trace/*.nc: a leaky integrate-and-fire neuron found again from its potential below threshold, and its spikes above.

`--quick` and `--set` are to be given as for protocols/fit_lif_to_trace.py; only the full study goes to figures/. `--data` lays a measured
potential (condition: time in ms, mean in mV) over panel a.
"""

import textwrap
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from bioneuro import Recording, load, plot, script
from bioneuro.script import Options, is_full, options

STEM = Path(__file__).stem
RECORDINGS = ("below", "above", "below_start", "above_start", "below_fitted", "above_fitted", "steps", "told")
PARAMETERS = {"lif.C": ("$C$", plot.VERMILION), "lif.g_L": ("$g_L$", plot.BLUE), "lif.E_L": ("$E_L$", plot.GREEN)}
LOW, HIGH, FOUND, PLANTED = range(4)  # trials of `told`


def traces(ax: Axes, seen: dict[str, Recording], which: str) -> None:
    """Potential in mV of the planted, the first and the fitted neuron, one trial above the other; spikes to the top."""
    drawn = (("", plot.BLUE, "planted", 2.2), ("_start", plot.ORANGE, "first start", 0.8), ("_fitted", plot.VERMILION, "fitted", 0.8))
    for end, colour, label, width in drawn:
        recording = seen[which + end]
        for k in range(recording.n_trials):
            v = 1e3 * recording["lif.v"][k, :, 0]
            for time in 1e3 * recording.spikes["lif"].times(k, 0):
                v[int(np.searchsorted(1e3 * recording.times[k], time + 1e-6))] = -40
            ax.plot(1e3 * recording.times[k], v, "--" if end == "_start" else "-", color=colour, linewidth=width, label=label if k == 0 else None)
    ax.set(xlabel="time (ms)")


def losses(ax: Axes, steps: Recording) -> None:
    start, loss = steps.conditions["start"].values, steps["fit.loss"][:, 0, 0]
    best = start[loss.argmin()]
    for k in np.unique(start):
        ax.semilogy(loss[start == k], color=plot.VERMILION if k == best else plot.GREY, linewidth=1.2 if k == best else 0.6)
    ax.set(xlabel="step", ylabel="loss (squares of 0.1 mV)")


def values(ax: Axes, steps: Recording, told: Recording) -> None:
    """Every start's values along its way, in units of the planted ones."""
    start = steps.conditions["start"].values
    for path, (symbol, colour) in PARAMETERS.items():
        ratio = steps.conditions[path].values / told.conditions[path].values[PLANTED]
        for k in np.unique(start):
            ax.plot(ratio[start == k], color=colour, linewidth=0.5, label=symbol if k == 0 else None)
    plot.reference(ax, y=1)
    ax.set(xlabel="step", ylabel="value / planted value", yscale="log", yticks=(0.5, 1, 2), yticklabels=("0.5", "1", "2"))
    ax.minorticks_off()
    ax.legend(handlelength=1)


def intervals(ax: Axes, steps: Recording, told: Recording) -> None:
    """Where each start ended, and the interval of the best, in per cent off the planted value."""
    start, loss = steps.conditions["start"].values, steps["fit.loss"][:, 0, 0]
    for x, (path, (_, colour)) in enumerate(PARAMETERS.items()):
        numbers = told.conditions[path].values
        off = 100 * (numbers / numbers[PLANTED] - 1)
        ax.fill_between((x - 0.3, x + 0.3), *sorted((off[LOW], off[HIGH])), color=colour, alpha=0.2, linewidth=0)
        ends = [steps.conditions[path].values[start == k][loss[start == k].argmin()] for k in np.unique(start)]
        spread = np.linspace(-0.25, 0.25, len(ends))
        ax.plot(x + spread, 100 * (np.array(ends) / numbers[PLANTED] - 1), "o", color=colour)
    plot.reference(ax, y=0)
    ax.set(xticks=range(len(PARAMETERS)), xticklabels=[symbol for symbol, _ in PARAMETERS.values()], ylabel="off the planted value (%)")


def caption(seen: dict[str, Recording]) -> str:
    steps, told = seen["steps"], seen["told"]
    start, loss = steps.conditions["start"].values, steps["fit.loss"][:, 0, 0]
    worst = max(
        float(np.abs(steps.conditions[path].values[start == k][loss[start == k].argmin()] / told.conditions[path].values[PLANTED] - 1))
        for path in PARAMETERS
        for k in np.unique(start)
    )
    replays = ", ".join(note.partition("\n")[0].removeprefix("replay on ") for note in steps.provenance.notes)
    return textwrap.fill(
        f"Fitted to the potential under three currents that make no spike (a); threshold and reset are held. {np.unique(start).size} starts go down "
        f"in one batch of Adam, the best then by L-BFGS (red). All starts end within {100 * worst:.2g} % of the planted values. e: dots are where "
        "each start ended; bands are where the loss of the best would rise by what readings known to 0.1 mV allow. b: a current that the fit has not "
        f"seen; spikes are drawn to the top. Replay in Brian2: {replays}.",
        152,
    )


def main(options: Options) -> Path:
    folder = options.out.with_suffix("")
    full = is_full(options, STEM)
    seen = {name: load(folder / f"{name}.nc") for name in RECORDINGS}
    with plot.style():
        figure, axes = plot.grid(1, 5, height=62)
        traces(axes[0, 0], seen, "below")
        axes[0, 0].set_ylabel("potential (mV)")
        plot.overlay(axes[0, 0], script.data(options, "ms"), color=plot.BLACK, zorder=5)
        traces(axes[0, 1], seen, "above")
        axes[0, 0].legend(loc="lower left", handlelength=1.5, borderaxespad=0.1)
        losses(axes[0, 2], seen["steps"])
        values(axes[0, 3], seen["steps"], seen["told"])
        intervals(axes[0, 4], seen["steps"], seen["told"])
        says = ("fitted to", "not seen by the fit", "loss", "ways of ten starts", "ends and errors")
        for ax, letter, text in zip(axes.flat, "abcde", says, strict=True):
            plot.title(ax, letter, text)
        figure.supxlabel(caption(seen), x=0.01, ha="left", fontsize=6.5, linespacing=1.4)
        if options.quick:
            figure.suptitle("quick version: few steps, for a look only")
        used = {name: seen[name] for name in ("below", "above")}  # the others depend on the last bits of the machine
        written = plot.save(figure, Path(__file__).with_suffix("") if full else folder, digest=plot.digest(used))
    print(*written)
    return written[0]


if __name__ == "__main__":
    main(options(STEM))
