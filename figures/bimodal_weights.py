"""Draws results/bimodal_weights/course.nc: a thousand weights under rules that meet their bounds in four ways, and what the neuron makes of them.

`--quick`, `--set` and `--seed` are to be given as for protocols/bimodal_weights.py; only the full study goes to figures/. `--data`
lays measured output rates against a time over panel e.
"""

import textwrap
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from bioneuro import Circuit, Population, Projection, Recording, plot, script
from bioneuro.catalogue import guetig2003, song2000
from bioneuro.script import Options, apply, is_full, options, recorded
from bioneuro.theory import bounds

STEM = Path(__file__).stem
INPUTS = 1000
RULES = {"additive": song2000.rule(), **{f"guetig_{name}": guetig2003.rule(name) for name in guetig2003.SETS}}
TITLES = ("additive", "Gütig: additive", "intermediate", "multiplicative")
COLOURS = (plot.BLUE, plot.SKY, plot.GREEN, plot.VERMILION)
BINS, FINE = np.linspace(0, 1, 31), np.linspace(0.42, 0.58, 33)
DARKEST = 4.0  # density
WIDTH = 10.0  # s, of a bin of the output rate
LINE = 152  # characters of the caption


def circuit(seed: int) -> Circuit:
    """That of protocols/bimodal_weights.py."""
    start = np.random.default_rng(seed).random(INPUTS)
    projections = [
        Projection(name=name, synapse=song2000.transmitting(rule), pre="input", post="cell", pairs=(np.arange(INPUTS), np.full(INPUTS, k)))
        for k, (name, rule) in enumerate(RULES.items())
    ]
    cells = Population(name="cell", neuron=song2000.neuron(), size=len(RULES))
    whole = Circuit(name="song2000", populations=(Population(name="input", size=INPUTS), cells), projections=tuple(projections))
    return whole.with_values({f"{name}.w": start for name in RULES})


def independent(whole: Circuit) -> tuple[float, float]:
    """Mean and standard deviation of a multiplicative weight between independent Poisson trains, for small steps."""
    lam, alpha, mu = (float(whole.values[f"guetig_multiplicative.{name}"].value) for name in ("lam", "alpha", "mu"))
    return bounds.guetig2003_rest(alpha=alpha, mu=mu), bounds.guetig2003_spread(lam=lam, alpha=alpha)


def density(ax: Axes, times: np.ndarray, w: np.ndarray) -> None:
    """How the weights move, time running down: darker where there are more."""
    counts = np.array([np.histogram(row, BINS, density=True)[0] for row in w[1:]])
    ax.pcolormesh(BINS, times, counts, cmap="Greys", vmin=0, vmax=DARKEST, rasterized=True)
    ax.set(ylim=(times[-1], 0), xlim=(0, 1))


def histogram(ax: Axes, w: np.ndarray, colour: str, bins: np.ndarray = BINS) -> None:
    """Weights at the beginning and at the end, as densities."""
    ax.stairs(np.histogram(w[0], bins)[0] / np.diff(bins) / w.shape[1], bins, color=plot.GREY, linewidth=0.7, label="at 0 s")
    end = np.histogram(w[-1], bins)[0] / np.diff(bins) / w.shape[1]
    ax.stairs(end, bins, color=colour, fill=True, alpha=0.35)
    ax.stairs(end, bins, color=colour, linewidth=1.0)


def closer(ax: Axes, whole: Circuit) -> None:
    """Where independent trains would leave multiplicative weights."""
    mean, spread = independent(whole)
    x = np.linspace(FINE[0], FINE[-1], 200)
    ax.plot(x, np.exp(-(((x - mean) / spread) ** 2) / 2) / (2 * np.pi) ** 0.5 / spread, color=plot.BLACK, linewidth=0.8)
    ax.annotate("independent\ntrains (theory)", (mean, 22), (0.03, 0.97), textcoords="axes fraction", va="top", fontsize=6.5)
    ax.set(xlim=(FINE[0], FINE[-1]), ylim=(0, 45), xlabel="weight $w$ (enlarged)")


def rate(spikes: np.ndarray, end: float) -> tuple[np.ndarray, np.ndarray]:
    """Middle of each bin (s) and the output rate in it (Hz)."""
    edges = np.arange(0, end + WIDTH / 2, WIDTH)
    return (edges[1:] + edges[:-1]) / 2, np.histogram(spikes, edges)[0] / WIDTH


def outer(w: np.ndarray) -> np.ndarray:
    """Share of the weights within a tenth of a bound."""
    return np.mean(np.abs(w - 0.5) > 0.4, axis=-1)


def courses(axes: np.ndarray, seen: Recording) -> None:
    """Output rate and share of outer weights of all rules."""
    times = seen.times[0]
    for k, (name, title, colour) in enumerate(zip(RULES, TITLES, COLOURS, strict=True)):
        axes[0].plot(*rate(seen.spikes["cell"].times(0, k), times[-1]), color=colour, label=title)
        axes[1].plot(times, outer(seen[f"{name}.w"][0]), color=colour)
    axes[1].axhline(0.2, color=plot.GREY, linestyle=":", linewidth=0.8)
    axes[1].text(times[-1], 0.21, "uniform", ha="right", va="bottom", fontsize=6.5, color=plot.GREY)
    axes[0].set(xlim=(0, times[-1]), ylim=(0, 60), ylabel="output rate (Hz)")
    axes[1].set(xlim=(0, times[-1]), ylim=(-0.02, None), xlabel="time (s)", ylabel="weights in outer tenths")
    axes[0].legend(loc="lower left", handlelength=1.2, labelspacing=0.1, borderpad=0, borderaxespad=0.2)


def caption(whole: Circuit, seen: Recording) -> str:
    """What the panels say, in numbers."""
    share = {name: outer(seen[f"{name}.w"][0]) for name in RULES}
    shares = ", ".join(f"{values[-1]:.2f}" for values in share.values())
    rising = [letter for letter, values in zip("abcd", share.values(), strict=True) if values[-1] > values[2 * values.size // 3] + 0.01]
    still = f"; still rising in {' and '.join(rising)}" if rising else ""
    w, (mean, spread) = seen["guetig_multiplicative.w"][0, -1], independent(whole)
    return textwrap.fill(
        f"1000 Poisson inputs of 15 Hz onto one LIF neuron; the four rules get the same spikes and initial weights. {seen.times[0, -1]:g} s, clock "
        f"0.1 ms; darker grey: more weights. Within a tenth of a bound at the end, a to d: {shares} of the weights (uniform: 0.20{still}). "
        f"Multiplicative weights gather at {w.mean():.3f} ± {w.std():.3f} (SD); independent Poisson trains would leave them at "
        f"{mean:.3f} ± {spread:.3f}, without the spikes that an input helps to cause, which lift it, and with a less regular output.",
        LINE,
    )


def says(whole: Circuit, name: str) -> str:
    value = {path.partition(".")[2]: float(p.value) for path, p in whole.values.items() if path.startswith(f"{name}.") and p.value.ndim == 0}
    return rf"$\lambda$ = {value['lam']:g}, $\mu$ = {value['mu']:g}" if "lam" in value else f"$A_+$ = {value['A_plus']:g}, hard bounds"


def draw(axes: np.ndarray, whole: Circuit, seen: Recording) -> None:
    for k, name in enumerate(RULES):
        w = seen[f"{name}.w"][0]
        density(axes[0, k], seen.times[0], w)
        histogram(axes[1, k], w, COLOURS[k], FINE if k == 3 else BINS)
        plot.title(axes[0, k], "abcd"[k], TITLES[k])
        axes[1, k].set_title(says(whole, name), fontsize=6.5, pad=3)
        axes[1, k].set(xlim=(0, 1), xlabel="weight $w$", ylim=(0, 7))
    for ax in (*axes[0, 1:4], *axes[1, 1:3]):
        ax.tick_params(labelleft=False)
    axes[0, 0].set_ylabel("time (s)")
    axes[1, 0].set_ylabel("density of weights")
    axes[1, 0].legend(loc="upper center", handlelength=1.2)
    closer(axes[1, 3], whole)
    courses(axes[:, 4], seen)
    plot.title(axes[0, 4], "e", "output")


def main(options: Options) -> Path:
    folder = options.out.with_suffix("")
    full = is_full(options, STEM)
    whole = apply(options, circuit(options.seed))
    seen = recorded(options, "course", whole)
    with plot.style():
        figure, axes = plot.grid(2, 5, height=104)
        draw(axes, whole, seen)
        plot.overlay(axes[0, 4], script.data(options, "second"), color=plot.BLACK)
        figure.supxlabel(caption(whole, seen), x=0.01, ha="left", fontsize=6.5, linespacing=1.4)
        if options.quick:
            figure.suptitle("quick version: a short run, for a look only")
        written = plot.save(figure, Path(__file__).with_suffix("") if full else folder, digest=plot.digest({"course": seen}))
    print(*written)
    return written[0]


if __name__ == "__main__":
    main(options(STEM))
