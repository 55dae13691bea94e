"""Figures: functions that take and return matplotlib Axes, and a way to write a figure that comes out the same byte for byte.

Nothing here opens a window or needs a screen. A figure carries the digest of the circuits and protocols whose recordings it shows,
so that a test can tell a figure that is out of date.
"""

import contextlib
import itertools
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib.style
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from bioneuro import model, units
from bioneuro.evidence.points import Points
from bioneuro.measure import Curve
from bioneuro.recording import Recording

if TYPE_CHECKING:  # what it needs takes a second to import, and few figures show it
    from bioneuro.classify import Carried, Importance

COLUMN, PAGE = 85.0, 180.0
"""Widths of one and of two columns, mm."""

BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, VERMILION, PURPLE = COLOURS = (
    "#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7",
)  # fmt: skip
"""Okabe & Ito's palette, which colour-blind readers tell apart."""
GREY = "#808080"

STYLE: Mapping[str, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so it is the same everywhere
    "font.size": 7,
    "axes.titlesize": 7,
    "figure.titlesize": 7,
    "axes.labelsize": 7,
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "legend.fontsize": 6.5,
    "legend.frameon": False,
    "axes.prop_cycle": cycler(color=[BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK]),
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "lines.linewidth": 1.0,
    "lines.markersize": 2.5,
    "figure.dpi": 100,
    "savefig.dpi": 200,
    "svg.hashsalt": "bioneuro",  # the identifiers within an SVG are otherwise random
}
"""Settings of matplotlib for figures of column width; everything else is at matplotlib's default, whatever the user's own file says."""

_MARK = "bioneuro-digest:"


def style() -> contextlib.AbstractContextManager[None]:
    """A context in which figures are made and saved with `STYLE`."""
    return matplotlib.style.context(dict(STYLE), after_reset=True)


def grid(rows: int, columns: int, *, width: float = PAGE, height: float, **shared: Any) -> tuple[Figure, NDArray[Any]]:
    """A figure of `width` x `height` mm and its Axes, an array (rows, columns); `sharex` and `sharey` as in matplotlib.

    >>> with style():
    ...     figure, axes = grid(1, 2, height=50)
    >>> axes.shape
    (1, 2)
    """
    figure = Figure(figsize=(width / 25.4, height / 25.4), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **shared)


def shown(x: ArrayLike, unit: str) -> NDArray[np.float64]:
    """SI values in `unit`."""
    return np.asarray(x, dtype=np.float64) / units.unit(unit).scale


def curve(ax: Axes, curve: Curve, *, label: str = "", colour: str = BLUE, marker: str = "o", **more: Any) -> Axes:
    """A measured curve as points, with bars of one standard error where it has been sampled; x in the unit of its coordinate."""
    error = np.asarray(curve.error, dtype=np.float64)
    bars = error if error.any() else None
    line = {"linestyle": "none", "markeredgewidth": 0, "elinewidth": 0.6, "zorder": 3, **more}
    ax.errorbar(shown(curve.x, curve.unit), np.asarray(curve.y), yerr=bars, fmt=marker, color=colour, label=label or None, **line)
    return ax


def theory(ax: Axes, x: ArrayLike, y: ArrayLike, *, unit: str = "ms", label: str = "", colour: str = BLACK, **more: Any) -> Axes:
    """A line through SI values `x`, shown in `unit`."""
    ax.plot(shown(x, unit), np.asarray(y), color=colour, label=label or None, **{"linewidth": 0.8, "zorder": 2, **more})
    return ax


def evidence(
    ax: Axes, x: ArrayLike | Points, y: ArrayLike | None = None, error: ArrayLike | None = None, *, unit: str = "", label: str = "", **more: Any
) -> Axes:
    """Measured data as open markers: `Points`, or values `x` in SI with `y` and its `error`; shown in `unit`.

    Points are shown in their own unit and under their own name unless told otherwise, with a bar where a standard error is known.
    """
    if isinstance(x, Points):
        known = x.sem if np.isfinite(x.sem).any() else None
        label = label or x.name.replace("$", r"\$")  # the name is no formula
        return evidence(ax, x.x, x.mean, known, unit=unit or x.unit, label=label, **more)
    if y is None:
        raise TypeError("plot.evidence: y is missing; give points, or x and y")
    kind = {"fmt": "s", "color": VERMILION, "markerfacecolor": "none", "markeredgewidth": 0.6, "elinewidth": 0.6, "zorder": 4, **more}
    ax.errorbar(shown(x, unit or "ms"), np.asarray(y), yerr=None if error is None else np.asarray(error), label=label or None, **kind)
    return ax


def overlay(ax: Axes, tables: Iterable[Points], *, unit: str = "", **more: Any) -> Axes:
    """Several sets of measured points, each with a marker of its own."""
    for points, marker in zip(tables, itertools.cycle("so^Dv<>"), strict=False):
        evidence(ax, points, unit=unit, **{"fmt": marker, **more})
    return ax


def reference(ax: Axes, *, x: float | None = None, y: float | None = None) -> Axes:
    """Thin grey lines at x and y, below everything else."""
    for value, draw in ((x, ax.axvline), (y, ax.axhline)):
        if value is not None:
            draw(value, color=GREY, linewidth=0.4, zorder=0)
    return ax


def carried(ax: Axes, why: "Carried", *, neurons: Sequence[str] = (), label: str = "share of the log-odds, nats") -> Axes:
    """Which neurons carried each decision: a column per sample, sorted by decision, then by how sure it was; a row per neuron.

    Colours to one side speak for the decision, to the other against it; lines stand between classes, and the colour bar beside says how much.

    Arguments:
        why: what `bioneuro.classify.carried` found. neurons: their names, by default their numbers.
    """
    kinds, place = np.unique(why.decided, return_inverse=True)
    order = np.lexsort((-why.odds, place))
    far = float(np.abs(why.neurons).max(initial=0)) or 1.0
    image = ax.imshow(why.neurons[order].T, cmap="PuOr_r", vmin=-far, vmax=far, aspect="auto", interpolation="none")
    ends = np.cumsum(np.bincount(place))
    for end in ends[:-1].tolist():
        ax.axvline(end - 0.5, color=BLACK, linewidth=0.8)
    ax.set_xticks((ends - np.bincount(place) / 2 - 0.5).tolist(), [str(kind) for kind in kinds.tolist()])
    if neurons:
        ax.set_yticks(range(len(neurons)), list(neurons))
    ax.tick_params(length=0)
    ax.set_xlabel("samples, by the class decided")
    ax.set_ylabel("neuron")
    bar = ax.figure.colorbar(image, ax=ax, pad=0.02)
    bar.set_label(label)
    bar.outline.set_linewidth(0.6)
    return ax


def importance(ax: Axes, found: "Importance", *, colour: str = BLUE) -> Axes:
    """What each neuron is worth on held-out samples: accuracy lost without it, in points, with the spread over exchanges."""
    unit = np.arange(found.mean.size)
    ax.barh(unit, 100 * found.mean, xerr=100 * found.spread, color=colour, height=0.7, error_kw={"elinewidth": 0.6})
    ax.set_ylim(unit.size - 0.5, -0.5)
    ax.set_xlabel("accuracy lost, points")
    return reference(ax, x=0.0)


def title(ax: Axes, letter: str, text: str = "") -> Axes:
    """The letter of a panel in bold, then its title, above the left end."""
    ax.set_title(f"$\\mathbf{{{letter}}}$  {text}".rstrip(), loc="left", pad=3)
    return ax


def key(ax: Axes, *drawn: Axes) -> Axes:
    """An empty panel with the legend of other panels."""
    found = {label: handle for other in drawn for handle, label in zip(*other.get_legend_handles_labels(), strict=True)}
    ax.set_axis_off()
    ax.legend(list(found.values()), list(found), loc="center left", bbox_to_anchor=(-0.1, 0.5))
    return ax


def digest(recordings: Mapping[str, Recording]) -> str:
    """One digest for named recordings: of the circuits and protocols that they come from."""
    return digest_of({name: (r.provenance.circuit, r.provenance.protocol) for name, r in recordings.items()})


def digest_of(sources: Mapping[str, tuple[str, str]]) -> str:
    """One digest from name -> (digest of the circuit, digest of the protocol)."""
    return model.digest(sources)


def save(figure: Figure, stem: str | os.PathLike[str], *, digest: str) -> tuple[Path, Path]:
    """Write ``<stem>.svg`` and ``<stem>.png`` with `digest` in them, and return the two paths. Missing folders are made.

    The same figure gives the same bytes, with one version of matplotlib. Each file is replaced as a whole.
    """
    base = Path(stem)
    base.parent.mkdir(parents=True, exist_ok=True)
    said = f"{_MARK}{digest}"
    about: dict[str, dict[str, Any]] = {
        "svg": {"Date": None, "Creator": None, "Identifier": said},
        "png": {"Software": None, "Source": said},
    }
    paths = []
    with style():
        for suffix, metadata in about.items():
            path = base.with_name(f"{base.name}.{suffix}")
            temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
            try:
                figure.savefig(temporary, format=suffix, metadata=metadata)
                os.replace(temporary, path)
            finally:
                temporary.unlink(missing_ok=True)
            paths.append(path)
    return paths[0], paths[1]


def digest_in(path: str | os.PathLike[str]) -> str:
    """The digest in a figure that `save` wrote, or "" if it has none."""
    found = re.search(_MARK.encode() + rb"([0-9a-f]{64})", Path(path).read_bytes())
    return found[1].decode() if found else ""
