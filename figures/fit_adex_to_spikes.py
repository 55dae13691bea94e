"""Draws results/fit_adex_to_spikes/*.nc: an AdEx neuron found again from its spikes, and what of its parameters spikes tell.

`--quick` and `--set` are to be given as for protocols/fit_adex_to_spikes.py; only the full study goes to figures/.
"""

import textwrap
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from bioneuro import Circuit, Population, Recording, load, plot
from bioneuro.catalogue import brette2005
from bioneuro.script import Options, apply, is_full, options, recorded
from bioneuro.theory import firing

STEM = Path(__file__).stem
SHOWN = {2: "0.8", 6: "1", 13: "2.5", 14: "0.8, noise", 17: "1.2, noise", 19: "2, 0, 0.8", 23: "1.5, 0, 1.2"}  # trial: its currents, nA
NAMES = (r"$C/g_L$", "rheobase", r"$(V_T-V_r)/(V_T-E_L)$", r"$b\,\tau_w$")
COLOURS = (plot.BLUE, plot.VERMILION, plot.GREEN, plot.PURPLE)
ALLOWED = 5  # per cent


def circuit() -> Circuit:
    """That of protocols/fit_adex_to_spikes.py."""
    return Circuit(name="adex", populations=(Population(name="adex", neuron=brette2005.neuron()),))


def invariants(p: dict[str, float]) -> np.ndarray:
    """What spikes tell of parameters by name, SI: membrane time, rheobase, reset, adaptation by a spike."""
    rheobase = firing.adex_rheobase(**{name: p[name] for name in ("C", "g_L", "E_L", "V_T", "Delta_T", "a", "tau_w")})
    return np.array([p["C"] / p["g_L"], rheobase, (p["V_T"] - p["V_r"]) / (p["V_T"] - p["E_L"]), p["b"] * p["tau_w"]])


def shares(steps: Recording, planted: Circuit) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Start and loss of every step, and the four numbers there in per cent off the planted ones, shape (step, number)."""
    fixed = {path.partition(".")[2]: float(p.value) for path, p in planted.values.items()}
    free = {path.partition(".")[2]: c.values for path, c in steps.conditions.items() if path.startswith("adex.")}
    found = np.array([invariants(fixed | {name: float(v[k]) for name, v in free.items()}) for k in range(steps.n_trials)])
    return steps.conditions["start"].values.astype(int), steps["fit.loss"][:, 0, 0], 100 * (found / invariants(fixed) - 1)


def ends(steps: Recording, planted: Circuit) -> np.ndarray:
    """Where the best point of every start is, in per cent off the planted numbers, shape (start, number)."""
    start, loss, off = shares(steps, planted)
    return np.array([off[start == k][loss[start == k].argmin()] for k in np.unique(start)])


def raster(ax: Axes, seen: dict[str, Recording]) -> None:
    """A few trials, three rows each: first start, planted, fitted."""
    for name, colour, shift in (("start", plot.ORANGE, 0.26), ("target", plot.BLUE, 0.0), ("fitted", plot.VERMILION, -0.26)):
        for row, trial in enumerate(SHOWN):
            times = 1e3 * seen[name].spikes["adex"].times(trial, 0)
            label = {"start": "first start", "target": "planted", "fitted": "fitted"}[name] if row == 0 else None
            y = len(SHOWN) - 1 - row + shift
            ax.vlines(times, y - 0.12, y + 0.12, color=colour, linewidth=0.9, label=label)
    ax.set(yticks=range(len(SHOWN)), yticklabels=list(SHOWN.values())[::-1], xlabel="time (ms)", ylim=(-1.3, len(SHOWN) - 0.4))
    ax.legend(loc="lower center", ncols=3, handlelength=0.6, columnspacing=0.8, borderaxespad=0.1)


def losses(ax: Axes, steps: Recording) -> None:
    start, loss, stage = steps.conditions["start"].values, steps["fit.loss"][:, 0, 0], steps.conditions["fit"].values
    best = start[loss.argmin()]
    for k in np.unique(start):
        ax.semilogy(loss[start == k], color=plot.VERMILION if k == best else plot.GREY, linewidth=1.2 if k == best else 0.6, zorder=2 + (k == best))
    for change in np.flatnonzero(np.diff(stage[start == 0])):
        plot.reference(ax, x=float(change))
    ax.set(xlabel="step", ylabel="loss")


def ways(ax: Axes, start: np.ndarray, off: np.ndarray, colour: str) -> None:
    ax.axhspan(-ALLOWED, ALLOWED, color=plot.GREY, alpha=0.2, linewidth=0)
    for k in np.unique(start):
        ax.plot(off[start == k], color=colour, linewidth=0.6)
    ax.set(xlabel="step", ylim=(-45, 75))


def last(ax: Axes, off: np.ndarray) -> None:
    ax.axhspan(-ALLOWED, ALLOWED, color=plot.GREY, alpha=0.2, linewidth=0)
    spread = np.linspace(-0.25, 0.25, off.shape[0])
    for x, colour in enumerate(COLOURS):
        ax.plot(x + spread, off[:, x], "o", color=colour)
    plot.reference(ax, y=0)
    ax.set(xticks=range(len(NAMES)), xticklabels="cdef", ylabel="off (%)")


def caption(seen: dict[str, Recording], off: np.ndarray) -> str:
    within = int((np.abs(off) < ALLOWED).all(axis=1).sum())
    replays = ", ".join(note.partition("\n")[0].removeprefix("replay on ") for note in seen["steps"].provenance.notes)
    missed = sum(
        a.size != b.size or bool(np.any(a != b))
        for trial in range(seen["target"].n_trials)
        for a, b in [[seen[name].spikes["adex"].times(trial, 0) for name in ("target", "fitted")]]
    )
    return textwrap.fill(
        f"Fitted to the spikes of {seen['target'].n_trials} trials of 200 ms, seven of which are in a (currents one after the other, nA); E_L, V_T, "
        f"Delta_T, V_cut and a are held. {off.shape[0]} starts go down in one batch of Adam, with learning rates that fall (lines in b); red: the "
        "best. c to f: the numbers that do not hang on the scale of the potential, in per cent off the planted ones, of every start; grey: "
        f"{ALLOWED} %. g: the same where each start was best: {within} of {off.shape[0]} have all four within {ALLOWED} %. The best neuron has "
        f"other spike times than the planted one, if only by a step of the clock, in {missed} of them. Replay in Brian2: {replays}.",
        152,
    )


def main(options: Options) -> Path:
    folder = options.out.with_suffix("")
    full = is_full(options, STEM)
    planted = apply(options, circuit())
    seen = {name: load(folder / f"{name}.nc") for name in ("start", "fitted", "steps")} | {"target": recorded(options, "target", planted)}
    start, _, off = shares(seen["steps"], planted)
    with plot.style():
        figure, axes = plot.grid(2, 4, height=92)
        grid = axes[0, 0].get_gridspec()
        for ax in (axes[0, 0], axes[1, 0]):
            ax.remove()
        raster(tall := figure.add_subplot(grid[:, 0]), seen)
        losses(axes[0, 1], seen["steps"])
        for ax, k in ((axes[0, 2], 0), (axes[0, 3], 1), (axes[1, 1], 2), (axes[1, 2], 3)):
            ways(ax, start, off[:, k], COLOURS[k])
        last(axes[1, 3], ends(seen["steps"], planted))
        for ax in (axes[0, 2], axes[1, 1]):
            ax.set_ylabel("off (%)")
        panels = (tall, axes[0, 1], axes[0, 2], axes[0, 3], axes[1, 1], axes[1, 2], axes[1, 3])
        for ax, letter, text in zip(panels, "abcdefg", ("spikes", "loss", *NAMES, "best of each start"), strict=True):
            plot.title(ax, letter, text)
        figure.supxlabel(caption(seen, ends(seen["steps"], planted)), x=0.01, ha="left", fontsize=6.5, linespacing=1.4)
        if options.quick:
            figure.suptitle("quick version: few starts and steps on a coarse clock, for a look only")
        written = plot.save(figure, Path(__file__).with_suffix("") if full else folder, digest=plot.digest({"target": seen["target"]}))
    print(*written)
    return written[0]


if __name__ == "__main__":
    main(options(STEM))
