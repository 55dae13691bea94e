"""Draws results/stdp_window/*.nc: windows of the calcium-based rule and of pair STDP, each with its closed form.

`--quick`, `--set` and `--out` name the results as they did for protocols/stdp_window.py; only the full study goes to figures/.
"""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from bioneuro import Circuit, Recording, load, measure, plot
from bioneuro.catalogue import graupner2012, song2000
from bioneuro.evidence import graupner2012 as published
from bioneuro.script import Options, apply, options
from bioneuro.theory import graupner2012 as averaged
from bioneuro.theory import pair

STEM = Path(__file__).stem
FINE = np.arange(-200, 201) / 2000  # s
BETWEEN = FINE + 0.25e-3  # s; meets no lag at which spikes of several pairs coincide, where pair STDP jumps
PAIRS = 60
SCHEMES = dict(zip(song2000.SCHEMES, (pair.all_to_all, pair.nearest_symmetric, pair.nearest_pre_centred, pair.nearest_reduced), strict=True))
RATES = {1: plot.GREEN, 20: plot.PURPLE}  # Hz
UNBOUNDED = {"stdp.w": 0, "stdp.w_min": -100, "stdp.w_max": 100}
PUBLISHED = {"DP": published.DP, "D": published.D}


def values(circuit: Circuit, owner: str) -> dict[str, float]:
    """The parameters of a rule by their own names, SI."""
    return {path.partition(".")[2]: float(p.value) for path, p in circuit.values.items() if path.startswith(f"{owner}.")}


def calcium(ax: Axes, name: str, circuit: Circuit, seen: Recording) -> None:
    numbers = values(circuit, "calcium")
    window = measure.weight_ratio(seen, beta=numbers["beta"], b=numbers["b"])
    plot.reference(ax, x=0, y=1)
    plot.theory(ax, FINE, averaged.window(FINE, 1.0, PAIRS, **numbers), label="averaged theory")
    plot.curve(ax, window, label=f"Monte Carlo, {round(seen.n_trials / window.x.size / 2)} per state")
    if name in PUBLISHED:
        plot.evidence(ax, PUBLISHED[name].lags, PUBLISHED[name].ratio, markersize=3.5, label="authors' Monte Carlo")


def pairs(ax: Axes, scheme: str, circuit: Circuit, seen: dict[int, Recording]) -> None:
    numbers = {k: v for k, v in values(circuit, "stdp").items() if k not in ("w_min", "w_max")}
    plot.reference(ax, x=0, y=0)
    if scheme != "all to all":
        every = pair.window(BETWEEN, 20, PAIRS, **numbers)
        plot.theory(ax, BETWEEN, every, colour=plot.GREY, linestyle=":", label="all to all, 20 Hz")
    for rate, colour in RATES.items():
        plot.theory(ax, BETWEEN, pair.window(BETWEEN, rate, PAIRS, scheme=SCHEMES[scheme], **numbers), colour=colour)
        plot.curve(ax, measure.change(seen[rate], before=0), colour=colour, label=f"pair STDP, {rate} Hz")


def read(used: dict[str, Recording], folder: Path, name: str, circuit: Circuit) -> Recording:
    """A recording of `circuit`; refuses one of another circuit, of which the lines drawn here would not be the theory."""
    stem = name.replace("'", " prime").replace(" ", "_")
    used[stem] = load(folder / f"{stem}.nc")
    if used[stem].provenance.circuit != circuit.digest:
        raise SystemExit(f"{folder}/{stem}.nc is of other values; run protocols/{STEM}.py again, or give its --set and --out here too")
    return used[stem]


def main(options: Options) -> Path:
    folder = options.out.with_suffix("")
    full = not options.set and not options.data and options.out == Path("results", f"{STEM}.nc")
    used: dict[str, Recording] = {}
    with plot.style():
        figure, axes = plot.grid(4, 4, height=165, sharex=True, sharey="row")
        letters = iter("abcdefghijklmnopqrstuvwxyz")
        for ax, name in zip(axes.flat, graupner2012.SETS, strict=False):
            circuit = apply(options, graupner2012.pair(name))
            calcium(ax, name, circuit, read(used, folder, name, circuit))
            plot.title(ax, next(letters), name.replace("S3", "Table S3,"))
            ax.set_ylim(0.55, 1.4)
        for ax, scheme in zip(axes[3], SCHEMES, strict=True):
            circuit = apply(options, song2000.pair(scheme).with_values(UNBOUNDED))
            pairs(ax, scheme, circuit, {rate: read(used, folder, f"{scheme} {rate} Hz", circuit) for rate in RATES})
            plot.title(ax, next(letters), scheme)
        for ax in axes[3]:
            ax.set_xlabel("lag, post \u2212 pre (ms)")
        for row, label in zip(axes, ["weight after / before"] * 3 + ["change of weight"], strict=True):
            row[0].set_ylabel(label)
        plot.key(axes[2, 3], axes[0, 0], axes[3, 1])
        if options.quick:
            figure.suptitle("quick version: few repetitions, for a look only")
        written = plot.save(figure, Path(__file__).with_suffix("") if full else folder, digest=plot.digest(used))
    print(*written)
    return written[0]


if __name__ == "__main__":
    main(options(STEM))
