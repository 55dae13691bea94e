"""Draws results/bss2_timestep/*.nc: how far early and late phase on hardware are from the exact ones, over period and width.

`--quick`, `--set` and `--out` name the results as they did for protocols/bss2_timestep.py; only the full study goes to figures/.
"""

import textwrap
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Patch, Rectangle

from bioneuro import Circuit, Recording, plot
from bioneuro.bss2 import Hardware, constrain
from bioneuro.catalogue import luboeinski2021
from bioneuro.script import Options, apply, is_full, options, recorded

STEM = Path(__file__).stem
PERIODS, QUICK_PERIODS = (1, 2, 5, 10, 20, 50, 100), (20, 100)  # ms
WIDTHS, QUICK_WIDTHS = (8, 12, 16, 24), (8, 16)
SHORT = 2  # ms: periods up to which a run is read for an hour only
READS = {0: "1 h", 1: "4 h"}
H_LIMIT, Z_LIMIT = 2.0, 2.0  # faithful: within 2 % of h0, and within 2 points of z
DECAY = 48.8  # ms, of calcium
FAINT, CERTAIN, FAR, WRONG = "#D6ECFA", "#8CCBF0", "#FBE3C0", "#EFA878"
CLASSES = {
    "within": (CERTAIN, "faithful"),
    "open": (FAINT, "faithful in the mean, but not with 2 SE"),
    "far": (FAR, "off"),
    "wrong": (WRONG, "off by more than 5 times what is allowed"),
}


@dataclass(frozen=True)
class Cell:
    """Differences from the exact run, means over trials with standard errors: h in % of h0, z in points; how many trials."""

    h: float
    h_error: float
    z: float
    z_error: float
    n: int

    @property
    def kind(self) -> str:
        """One of `CLASSES`."""
        size = max(abs(self.h) / H_LIMIT, abs(self.z) / Z_LIMIT)
        sure = max((abs(self.h) + 2 * self.h_error) / H_LIMIT, (abs(self.z) + 2 * self.z_error) / Z_LIMIT)
        return "within" if sure <= 1 else "open" if size <= 1 else "far" if size <= 5 else "wrong"


def cell(seen: Recording, exact: Recording, reading: int, h0: float) -> Cell | None:
    """A run against the exact one, trial by trial: trial k of both has the same spikes."""
    if reading >= seen.times.shape[1]:
        return None
    n = seen.n_trials
    found = {}
    for name, scale in (("h", 100 / h0), ("z", 100.0)):
        apart = scale * (seen[f"stc.{name}"][:, reading, 0] - exact[f"stc.{name}"][:n, reading, 0])
        found[name], found[f"{name}_error"] = float(apart.mean()), float(apart.std(ddof=1) / np.sqrt(n))
    return Cell(n=n, **found)


def rows(rounding: str, widths: tuple[int, ...]) -> dict[str, str]:
    """What a row is called -> how the names of its recordings begin; the widest above."""
    return {"float": "float"} | {f"{bits} bit": f"{rounding}_{bits}" for bits in reversed(widths)}


def map_of(ax: Axes, cells: Mapping[tuple[int, int], Cell | None], names: list[str], periods: tuple[int, ...]) -> None:
    """Cells by (row, column): colour by class, numbers within."""
    for (row, column), found in cells.items():
        box = {"xy": (column - 0.48, row - 0.46), "width": 0.96, "height": 0.92}
        if found is None:
            ax.add_patch(Rectangle(**box, facecolor="none", edgecolor=plot.GREY, linewidth=0.3, hatch="////", alpha=0.35))
            continue
        sure = found.kind == "within"
        ax.add_patch(Rectangle(**box, facecolor=CLASSES[found.kind][0], edgecolor=plot.BLACK if sure else "none", linewidth=1.0))
        for value, error, up in ((found.h, found.h_error, -0.2), (found.z, found.z_error, 0.2)):
            ax.text(column, row + up, written(value, error), ha="center", va="center", fontsize=6.0)
    ax.set(xlim=(-0.5, len(periods) - 0.5), ylim=(len(names) - 0.5, -0.5))
    ax.set_xticks(range(len(periods)), [f"{period}" for period in periods])
    ax.set_yticks(range(len(names)), names)
    ax.tick_params(length=0)
    for side in ax.spines.values():
        side.set_visible(False)
    longer = sum(period < DECAY for period in periods)
    ax.axvline(longer - 0.5, color=plot.GREY, linewidth=0.6, linestyle=":")


def written(value: float, error: float) -> str:
    """A difference and its standard error."""
    if abs(value) >= 9.95:
        return f"{value:+.0f}".replace("-", "\u2212")
    shown = "0.0" if abs(value) < 0.05 else f"{value:+.1f}".replace("-", "\u2212")
    return f"{shown}\u00b1{error:.1f}"


def gather(options: Options, circuit: Circuit) -> dict[str, Recording]:
    """All recordings that there are, by name."""
    found = {"events": recorded(options, "events", circuit)}
    for period in QUICK_PERIODS if options.quick else PERIODS:
        found[f"float_{period}_ms"] = recorded(options, f"float_{period}_ms", on(circuit, period, None, "nearest"))
        for rounding in ("stochastic", "nearest"):
            for bits in QUICK_WIDTHS if options.quick else WIDTHS:
                if period > SHORT or rounding == "stochastic" or bits >= 16:
                    name = f"{rounding}_{bits}_{period}_ms"
                    found[name] = recorded(options, name, on(circuit, period, bits, rounding))
    return found


def on(circuit: Circuit, period: int, bits: int | None, rounding: str) -> Circuit:
    """The circuit on hardware, without a warning where calcium is sampled too rarely."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="hardware.period")
        return constrain(circuit, Hardware(period=f"{period} ms", bits=bits, rounding=rounding))


def span(found: Mapping[tuple[str, int, int], Cell], row: str) -> str:
    """The periods at which a row is within in the end, certainly or as far as its error tells."""
    good = [period for (name, period, k), c in found.items() if name == row and k == 1 and c.kind in ("within", "open")]
    return f"at {min(good)} to {max(good)} ms" if good else "nowhere"


def caption(found: Mapping[tuple[str, int, int], Cell], runs: Mapping[str, Recording], h0: float, changed: Mapping[str, str]) -> str:
    set_ = "".join(f", {path} = {value}" for path, value in changed.items())
    exact = runs["events"]
    values = [(100 * exact["stc.h"][:, k, 0].mean() / h0, 100 * exact["stc.z"][:, k, 0].mean()) for k in READS]
    trials = sorted({c.n for c in found.values()})
    narrow = [c for (name, _, k), c in found.items() if name == "stochastic_8" and k == 1]
    wide = [(period, c) for (name, period, k), c in found.items() if name == "nearest_24" and k == 0]
    return textwrap.fill(
        "Upper number of a cell: h minus that of the exact run, % of h0; lower: z minus exact, points; with standard errors over "
        f"{' to '.join(map(str, trials))} trials with the same spikes. Exact (from event to event): "
        f"h {values[0][0]:.1f} %, z {values[0][1]:.1f} % after 1 h, {values[1][0]:.1f} % and {values[1][1]:.1f} % after 4 h. "
        f"Faithful: within {H_LIMIT:g} % of h0 and {Z_LIMIT:g} points. STET begins 10 s (not 1 h) into the run, refractory period 2 ms, "
        f"single-synapse set of Luboeinski & Tetzlaff 2021{set_}; ideal draws. "
        "Hatched: not run (updates every 1 or 2 ms only for an hour, and in b not in lanes that freeze at 5 ms already). Right of "
        f"the dotted line a period is longer than calcium takes to decay ({DECAY} ms). Faithful in the mean after 4 h, stochastic: 16 bit "
        f"{span(found, 'stochastic_16')}, 8 bit {span(found, 'stochastic_8')} (z off by up to "
        f"{max(abs(c.z) for c in narrow):.1f} points); to nearest: 16 bit {span(found, 'nearest_16')}, 24 bit {span(found, 'nearest_24')}. To "
        "nearest a shorter period is no better, since it rounds smaller changes: after 1 h at 24 bit h is off by "
        + ", ".join(f"{c.h:+.1f} % at {period} ms" for period, c in wide[:4])
        + ". Where the leak falls below half a step h stays for good, at 24 bit possibly later than 4 h.",
        150,
    )


def main(options: Options) -> Path:
    folder = options.out.with_suffix("")
    circuit = apply(options, luboeinski2021.single())
    h0 = float(circuit.values["stc.h0"].value)
    runs = gather(options, circuit)
    periods, widths = (QUICK_PERIODS, QUICK_WIDTHS) if options.quick else (PERIODS, WIDTHS)
    found: dict[tuple[str, int, int], Cell] = {}
    with plot.style():
        figure, axes = plot.grid(2, 2, height=145)
        for k, after in READS.items():
            for j, (rounding, said) in enumerate((("stochastic", "stochastic rounding"), ("nearest", "rounding to nearest"))):
                named, cells = rows(rounding, widths), {}
                for r, stem in enumerate(named.values()):
                    for i, period in enumerate(periods):
                        seen = runs.get(f"{stem}_{period}_ms")
                        cells[r, i] = made = None if seen is None else cell(seen, runs["events"], k, h0)
                        if made is not None:
                            found[stem, period, k] = made
                map_of(axes[k, j], cells, list(named), periods)
                plot.title(axes[k, j], "abcd"[2 * k + j], f"{said}, {after} after the stimulus")
                axes[k, j].set_xlabel("period of the updates (ms)")
        edges = {"within": plot.BLACK}
        handles = [Patch(facecolor=c, edgecolor=edges.get(kind, "none"), label=label) for kind, (c, label) in CLASSES.items()]
        figure.legend(handles=handles, loc="outside upper center", ncols=4)
        said = "quick version: few trials, periods and widths, for a look only\n" if options.quick else ""
        figure.supxlabel(said + caption(found, runs, h0, options.set), x=0.01, ha="left", fontsize=6.5, linespacing=1.4)
        written = plot.save(figure, Path(__file__).with_suffix("") if is_full(options, STEM) else folder, digest=plot.digest(runs))
    print(*written)
    return written[0]


if __name__ == "__main__":
    main(options(STEM))
