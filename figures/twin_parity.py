"""Draws results/twin_parity/*.nc: how far the twin is from Brian2, everything in the catalogue by every integrator.

`--quick`, `--set` and `--out` name the results as they did for protocols/twin_parity.py; only the full study goes to figures/.
"""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from bioneuro import Recording, load, plot
from bioneuro.script import Options, is_full, options

STEM = Path(__file__).stem
FLOOR, CEILING = -17.0, -11.0  # powers of ten; what is bit-identical is drawn apart
EQUAL, REFUSED, BREAKS = "#f0f0f0", "#ffffff", "#d0d0d0"


def cells(name: str, seen: Recording) -> list[tuple[str, str, bool, str, tuple[float, ...]]]:
    """(object, method, whether it is its own, outcome, (difference, differing spikes, spikes, ties)) of every trial."""
    values = np.stack([seen[f"parity.{what}"][:, 0, 0] for what in ("traces", "differing", "spikes", "ties")], axis=1)
    found = []
    for note, row in zip(seen.provenance.notes, values, strict=True):
        owner, method, own, outcome = note.split("|", 3)
        found.append((f"{name}: {owner}", method, method == own, outcome.partition(":")[0], tuple(map(float, row))))
    return found


def matrix(ax: Axes, table: list[tuple[str, str, bool, str, tuple[float, ...]]]) -> object:
    """A square per object and integrator; returns what the colour bar is of."""
    objects, methods = (list(dict.fromkeys(cell[k] for cell in table)) for k in (0, 1))
    shade = np.full((len(objects), len(methods)), np.nan)
    for owner, method, own, outcome, (difference, differing, spikes, ties) in table:
        row, column = objects.index(owner), methods.index(method)
        face = REFUSED if outcome == "refused" else BREAKS if outcome == "breaks" else EQUAL
        ax.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor=face, edgecolor=plot.GREY, linewidth=0.3, zorder=1))
        if outcome == "compared" and difference > 0:
            shade[row, column] = np.log10(difference)
        mark = f"{differing:.0f}{'*' * int(ties)}" if outcome == "compared" else {"refused": "\u2013", "breaks": "0/0"}[outcome]
        dark = outcome == "compared" and difference > 10 ** (0.5 * (FLOOR + CEILING))
        colour = "white" if dark else plot.BLACK if outcome == "compared" else plot.GREY
        ax.text(column, row, mark, ha="center", va="center", fontsize=6, color=colour, fontweight="bold" if own else "normal")
        if own and spikes:
            ax.text(len(methods) - 0.42, row, f"{spikes:.0f}", va="center", fontsize=6, color=plot.GREY)
    ax.text(len(methods) - 0.42, -0.62, "spikes", fontsize=6, color=plot.GREY, va="bottom")
    image = ax.imshow(np.ma.masked_invalid(shade), cmap="cividis_r", vmin=FLOOR, vmax=CEILING, aspect="auto", zorder=2)
    ax.set_xticks(range(len(methods)), [m.replace("_", "\n") for m in methods])
    ax.set_yticks(range(len(objects)), objects)
    ax.tick_params(length=0)
    ax.xaxis.tick_top()
    for spine in ax.spines.values():
        spine.set_visible(False)
    return image


def main(options: Options) -> Path:
    folder = options.out.with_suffix("")
    seen = {path.stem: load(path) for path in sorted(folder.glob("*.nc"))}
    table = [cell for name, recording in seen.items() for cell in cells(name, recording)]
    compared = [values for *_, outcome, values in table if outcome == "compared"]
    with plot.style():
        rows = len({cell[0] for cell in table})
        figure = Figure(figsize=(plot.PAGE / 25.4, (34 + 4.6 * rows) / 25.4), layout="constrained")
        ax = figure.subplots()
        image = matrix(ax, table)
        bar = figure.colorbar(image, ax=ax, shrink=0.5, aspect=30, pad=0.05)  # type: ignore[arg-type]
        bar.set_label("largest relative difference of a trace, power of ten; tests allow \u221211")
        bar.outline.set_linewidth(0.6)
        quick = "quick version: a few circuits, for a look only.  " * options.quick
        worst, differing, spikes, ties = (np.array(column) for column in zip(*compared, strict=True))
        figure.suptitle(
            f"{quick}Twin and Brian2 side by side: {len(compared)} pairs of model and integrator, {spikes.sum():.0f} spikes, of which "
            f"{differing.sum():.0f} differ;\n{np.count_nonzero(worst == 0)} are equal to the last bit (light grey), the others to {worst.max():.0e}. "
            f"Number: differing spikes (bold: the model's own integrator); stars: ties, {ties.sum():.0f}.\n"
            "Dash: Brian2 refuses (noise, or terms that the method cannot take). 0/0: it accepts, and divides by a rate that vanishes. Right: spikes."
        )
        full = is_full(options, STEM)
        written = plot.save(figure, Path(__file__).with_suffix("") if full else folder, digest=plot.digest(seen))
    print(*written)
    return written[0]


if __name__ == "__main__":
    main(options(STEM))
