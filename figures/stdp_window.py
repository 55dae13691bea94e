"""Draws results/stdp_window/*.nc: windows of every rule that reads spikes, each with its closed form, and the cells of Bi & Poo 1998.

`--quick`, `--set` and `--out` name the results as they did for protocols/stdp_window.py; only the full study goes to figures/. `--data` lays
a table of your own (condition (ms),mean,sem,n: weight after / before) over the first row.
"""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from bioneuro import Circuit, Recording, load, measure, plot, script
from bioneuro.catalogue import graupner2012, guetig2003, pfister2006, song2000, vanrossum2000, vogels2011
from bioneuro.evidence import bi1998
from bioneuro.evidence import graupner2012 as published
from bioneuro.script import Options, apply, is_full, options, recorded
from bioneuro.theory import bounds, pair, triplet
from bioneuro.theory import graupner2012 as averaged
from bioneuro.theory import vogels2011 as symmetric

STEM = Path(__file__).stem
FINE = np.arange(-200, 201) / 2000  # s
BETWEEN = FINE + 0.25e-3  # s; meets no lag at which spikes of several pairs coincide, where pair STDP jumps
PAIRS = 60
SCHEMES = dict(zip(song2000.SCHEMES, (pair.all_to_all, pair.nearest_symmetric, pair.nearest_pre_centred, pair.nearest_reduced), strict=True))
RATES = {1: plot.GREEN, 20: plot.PURPLE}  # Hz
PUBLISHED = {"DP": published.DP, "D": published.D}
TRIPLETS = {"hippocampus all-to-all full": ("all-to-all", plot.BLUE), "hippocampus nearest full": ("nearest", plot.GREEN)}
POWERS = dict(zip(guetig2003.SETS, (plot.BLUE, plot.GREEN, plot.PURPLE), strict=True))
DELAYS = {"axonal": (0.01, plot.BLUE), "dendritic": (-0.01, plot.ORANGE)}
CELLS = bi1998.FIG7


class Study:
    """The recordings of the study and the circuits that they must be of."""

    def __init__(self, options: Options) -> None:
        self.options, self.folder, self.used = options, options.out.with_suffix(""), dict[str, Recording]()

    def __call__(self, name: str, circuit: Circuit | None = None) -> Recording:
        """The recording `name`; refuses one of another circuit than `circuit`, of which the lines drawn here would not be the theory."""
        stem = name.replace("'", " prime").replace(" ", "_")
        seen = self.used[stem] = load(self.folder / f"{stem}.nc") if circuit is None else recorded(self.options, stem, circuit)
        return seen

    def numbers(self, circuit: Circuit) -> tuple[Circuit, dict[str, float]]:
        """The circuit with the values of ``--set``, and the parameters of its rule by their own names, SI."""
        made = apply(self.options, circuit)
        return made, {path.partition(".")[2]: float(p.value) for path, p in made.values.items()}


def misses(ax: Axes, law: object, label: str, colour: str, x: float, y: float) -> None:
    """How far the 45 cells lie from a rule, in words."""
    rms = float(np.sqrt(np.mean((law - CELLS.mean) ** 2)))
    ax.text(x, y, f"{label}rms distance {rms:.2f}", transform=ax.transAxes, color=colour, fontsize=6.5, ha="right", in_layout=False)


def against_cells(axes: list[Axes], study: Study) -> None:
    """The pair, the triplet and the calcium rule against single cells."""
    for ax in axes:
        plot.reference(ax, x=0, y=1)
        plot.evidence(ax, CELLS, markersize=2.5, label="Bi & Poo 1998, cells", zorder=1)
        plot.overlay(ax, script.data(study.options, "ms"), zorder=5)
    up, down = bi1998.POTENTIATION, bi1998.DEPRESSION
    law = {"A_plus": up.amplitude / PAIRS, "A_minus": -down.amplitude / PAIRS, "tau_plus": up.tau, "tau_minus": down.tau}
    plot.theory(axes[0], BETWEEN, 1 + pair.window(BETWEEN, 1, PAIRS, **law), label="closed form")
    plot.curve(axes[0], measure.change(study("pair rule"), before=-1), label="simulated")
    misses(axes[0], 1 + pair.window(CELLS.x, 1, PAIRS, **law), "", plot.BLACK, 1, 0.02)
    for k, (name, (label, colour)) in enumerate(TRIPLETS.items()):
        circuit, numbers = study.numbers(pfister2006.pair(name))
        wanted = {**numbers, "nearest": "nearest" in name}

        def change(lags: np.ndarray, wanted: dict[str, float] = wanted) -> np.ndarray:
            return np.array([triplet.weight_change(*triplet.repeated([0.0], [x], rate=1, count=PAIRS), **wanted) for x in lags])

        plot.theory(axes[1], BETWEEN, 1 + change(BETWEEN), colour=colour)
        plot.curve(axes[1], measure.change(study(name, circuit), path="triplet.w", before=0), colour=colour, label=f"triplets, {label}")
        misses(axes[1], 1 + change(CELLS.x), f"{label}: ", colour, 1, 0.1 - 0.08 * k)
    calcium(axes[2], "hippocampal cultures", study)
    _, numbers = study.numbers(graupner2012.pair("hippocampal cultures"))
    misses(axes[2], averaged.window(CELLS.x, 1.0, PAIRS, **numbers), "", plot.BLACK, 1, 0.02)


def calcium(ax: Axes, name: str, study: Study) -> None:
    circuit, numbers = study.numbers(graupner2012.pair(name))
    seen = study(name, circuit)
    window = measure.weight_ratio(seen, beta=numbers["beta"], b=numbers["b"])
    plot.reference(ax, x=0, y=1)
    plot.theory(ax, FINE, averaged.window(FINE, 1.0, PAIRS, **numbers), label="averaged theory")
    plot.curve(ax, window, label=f"Monte Carlo, {round(seen.n_trials / window.x.size / 2)} per state")
    if name in PUBLISHED:
        plot.evidence(ax, PUBLISHED[name].lags, PUBLISHED[name].ratio, markersize=3.5, label="authors' Monte Carlo")


def schemes(ax: Axes, scheme: str, study: Study) -> None:
    _, numbers = study.numbers(song2000.pair(scheme))
    numbers = {k: v for k, v in numbers.items() if k not in ("w_min", "w_max")}
    plot.reference(ax, x=0, y=0)
    if scheme != "all to all":
        every = pair.window(BETWEEN, 20, PAIRS, **numbers)
        plot.theory(ax, BETWEEN, every, colour=plot.GREY, linestyle=":", label="pair rule, all to all, 20 Hz")
    for rate, colour in RATES.items():
        plot.theory(ax, BETWEEN, pair.window(BETWEEN, rate, PAIRS, scheme=SCHEMES[scheme], **numbers), colour=colour)
        plot.curve(ax, measure.change(study(f"{scheme} {rate} Hz"), before=0), colour=colour, label=f"pair rule, {rate} Hz")


def others(axes: list[Axes], study: Study) -> None:
    """Rules whose changes depend on the weight, inhibitory STDP, and delays."""
    for ax, y in zip(axes, (1, 1, 0, 0), strict=True):
        plot.reference(ax, x=0, y=y)
    for name, colour in POWERS.items():
        circuit, numbers = study.numbers(guetig2003.pair(name))
        plot.theory(axes[0], FINE, bounds.guetig2003(0.5, FINE, PAIRS, **numbers) / 0.5, colour=colour)
        seen = study(f"guetig {name}", circuit)
        plot.curve(axes[0], measure.ratio(seen, before=0.5), colour=colour, label=f"$\\mu$ = {numbers['mu']:g}")
    circuit, numbers = study.numbers(vanrossum2000.pair())
    w = float(circuit.models["stdp"].initial["w"].value)
    plot.theory(axes[1], FINE, bounds.vanrossum2000(w, FINE, PAIRS, **numbers) / w)
    plot.curve(axes[1], measure.ratio(study("vanrossum", circuit), before=w))
    circuit, numbers = study.numbers(vogels2011.pair())
    w = float(circuit.models["inhibitory"].initial["w"].value)
    plot.theory(axes[2], FINE, PAIRS * symmetric.window(FINE, **numbers))
    plot.curve(axes[2], measure.change(study("vogels", circuit), path="inhibitory.w", before=w))
    _, numbers = study.numbers(song2000.pair())
    numbers = {k: v for k, v in numbers.items() if k not in ("w_min", "w_max")}
    for name, (shift, colour) in DELAYS.items():
        plot.theory(axes[3], BETWEEN, pair.window(BETWEEN - shift, 1, PAIRS, **numbers), colour=colour)
        plot.curve(axes[3], measure.change(study(name), before=0), colour=colour, label=f"{name},\n10 ms")


def main(options: Options) -> Path:
    full = is_full(options, STEM)
    study = Study(options)
    titles = ["pairs, fitted to these cells", "triplets, hippocampus", "calcium, cultures"]
    titles += ["calcium rule, set DP", *(name.replace("S3", "Table S3,") for name in graupner2012.SETS[1:])]
    titles += ["pair rule, all to all", *song2000.SCHEMES[1:]]
    titles += ["Gütig 2003, w = 0.5", "van Rossum 2000, w = 1 nS", "inhibitory: change of w", "pair rule, delays: change"]
    with plot.style():
        figure, axes = plot.grid(6, 4, height=225, sharex=True)
        for ax in axes.flat:
            ax.locator_params(axis="y", nbins=4)
        against_cells(list(axes[0, :3]), study)
        for ax, name in zip(axes[1:4].flat, graupner2012.SETS, strict=False):
            calcium(ax, name, study)
        for ax, scheme in zip(axes[4], SCHEMES, strict=True):
            schemes(ax, scheme, study)
        others(list(axes[5]), study)
        drawn = [*axes[0, :3], *axes[1:4].flat[:11], *axes[4], *axes[5]]
        for ax, letter, text in zip(drawn, "abcdefghijklmnopqrstuvwxyz", titles, strict=False):
            plot.title(ax, letter, text)
        limits = [(0.35, 2.1), *[(0.55, 1.4)] * 3, (-0.65, 0.65)]
        for row, limit in zip(axes, limits, strict=False):
            for ax in row:
                ax.set_ylim(limit)
        for row, label in zip(axes, ["weight after / before"] * 4 + ["change of weight", "weight after / before"], strict=True):
            row[0].set_ylabel(label)
        for ax in axes[5]:
            ax.set_xlabel("lag, post \u2212 pre (ms)")
        for ax, place in ((axes[5, 0], "lower right"), (axes[5, 3], "lower left")):
            ax.legend(loc=place, handlelength=0.5, borderpad=0, borderaxespad=0, handletextpad=0.3)
        plot.key(axes[0, 3], axes[0, 0], axes[0, 1])
        plot.key(axes[3, 3], axes[1, 0], axes[4, 1])
        quick = "quick version: few repetitions, for a look only.  " * options.quick
        figure.suptitle(
            f"{quick}60 pairs at 1 Hz. Single cells scatter more than any rule allows (a to c); the published hippocampal rules give at most "
            "half of the\npotentiation at short lags, and the calcium rule no depression beyond \u221210 ms."
        )
        written = plot.save(figure, Path(__file__).with_suffix("") if full else study.folder, digest=plot.digest(study.used))
    print(*written)
    return written[0]


if __name__ == "__main__":
    main(options(STEM))
