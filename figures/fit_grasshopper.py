"""Draws results/fit_grasshopper/*.nc: what a receptor heard and fired on the held-out stretch, what was learned at which cost, and how well it tells.

`--quick`, `--set` and `--out` name the results as they did for protocols/fit_grasshopper.py; only the full study goes to figures/. The recordings of
the receptor are read where nitime is installed.
"""

import textwrap
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from bioneuro import Recording, load, measure, plot
from bioneuro.catalogue import rokem2006 as model
from bioneuro.evidence import rokem2006 as data
from bioneuro.recording import Train
from bioneuro.script import Options, apply, is_full, options, recorded

STEM = Path(__file__).stem
WAYS = ("start", "gradient", "likelihood, as much", "likelihood, ten times", "distance, as much", "distance, ten times")
COLOURS = (plot.GREY, plot.VERMILION, plot.SKY, plot.BLUE, plot.ORANGE, plot.GREEN)
HELD, HOW, SHOWN = (7.0, 1, 3.0), {"dt": 5e-4, "latency": 6.5e-3}, (1.0, 1.3)  # SHOWN: s of the held-out stretch
ROWS = {"recorded": plot.BLACK, "start": COLOURS[0], "gradient": COLOURS[1], "CMA-ES": COLOURS[2]}
WINDOWS = ("1 ms", "2 ms", "4 ms")


def target(cutoff: int) -> Recording:
    """What the cell fired on the held-out stretch."""
    _, fired = data.stretches(data.load(cutoff), *HELD, warm=0.0, **HOW)
    return measure.observed(spikes={"receptor": data.trains(fired, HOW["dt"])}, stop=f"{HELD[2]} s")


def factors(seen: Recording, wanted: Recording, window: str) -> np.ndarray:
    """Coincidence factors, shape (way, start); NaN where it fires so often that the window covers the run."""
    starts = np.unique(seen.conditions["start"].values).size
    found = np.full((len(WAYS), starts), np.nan)
    for way, start in np.ndindex(*found.shape):
        one = measure.at(seen, way=way, start=start)
        try:
            found[way, start] = measure.coincidence(one, wanted, "receptor", window)[0, 0]
        except measure.MeasureError:
            continue
    return found


def best(course: Recording) -> int:
    """The start from which the gradient came lowest, on what was learned from."""
    return int(course["gradient"][:, -1, 0].argmin())


def cost(course: Recording) -> int:
    """How many runs CMA-ES had when it had cost as much as the gradient."""
    return course.times.shape[1] // 10


def raster(ax: Axes, heard: data.Heard, seen: Recording, wanted: Recording, start: int) -> None:
    begin = HELD[0] + SHOWN[0]
    first, last = (round((t - HOW["latency"]) / data.SAMPLE) for t in (begin, HELD[0] + SHOWN[1]))
    level = heard.level[first:last] + heard.peak
    x = np.arange(level.size) * data.SAMPLE * 1e3
    scaled = (level - level.min()) / np.ptp(level)
    ax.plot(x, 4.6 + 2.2 * scaled, color=plot.BLACK, linewidth=0.7)
    ax.text(0, 6.9, f"sound, {level.min():.0f} to {level.max():.0f} dB SPL", fontsize=6)
    trains: list[Train] = [wanted.spikes["receptor"]]
    trains += [measure.at(seen, way=way, start=start).spikes["receptor"] for way in (0, 1, 2)]
    for row, (train, colour) in enumerate(zip(trains, ROWS.values(), strict=True)):
        times = train.times(0, 0)
        times = times[(times >= SHOWN[0]) & (times < SHOWN[1])] - SHOWN[0]
        ax.vlines(times * 1e3, 3 - row, 3.8 - row, color=colour, linewidth=0.9)
    ax.set(yticks=[3.4 - row for row in range(4)], yticklabels=list(ROWS), ylim=(-0.2, 7.6), xlim=(0, x[-1]), xlabel="time (ms)")
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)


def courses(ax: Axes, course: Recording) -> None:
    seconds = course.times[0]
    for name, colour, label in (("likelihood", COLOURS[3], "CMA-ES"), ("gradient", COLOURS[1], "gradient")):
        errors = course[name][:, :, 0]
        ax.plot(seconds, errors.T, color=colour, linewidth=0.4, alpha=0.5)
        ax.plot(seconds, np.median(errors, axis=0), color=colour, linewidth=1.4, label=label)
    ax.axvline(seconds[cost(course) - 1], color=plot.GREY, linestyle=":", linewidth=0.7)
    low = min(course[name].min() for name in ("gradient", "likelihood"))
    ax.set(xscale="log", ylim=(low - 0.1, low + 3), xlabel="simulated seconds", ylabel="minus log-likelihood per spike")
    ax.legend(loc="upper right")


def bars(ax: Axes, found: np.ndarray) -> None:
    for way, (values, colour) in enumerate(zip(found, COLOURS, strict=True)):
        ax.bar(way, np.nanmedian(values), color=colour, alpha=0.35, width=0.7)
        ax.plot(way + np.linspace(-0.2, 0.2, values.size), values, "o", color=colour, markersize=3)
    plot.reference(ax, y=0)
    ax.set(xticks=range(len(WAYS)), ylabel="coincidence factor, held out", ylim=(min(0, np.nanmin(found)) - 0.02, 0.85), xlim=(-0.6, len(WAYS) - 0.4))
    ax.set_xticklabels([name.replace(", ", ",\n") for name in WAYS], rotation=40, ha="right", fontsize=5.5, rotation_mode="anchor")


def interval(values: np.ndarray) -> str:
    return f"{np.nanmedian(values):.2f} [{np.nanmin(values):.2f}, {np.nanmax(values):.2f}]".replace("-", "\u2212")


def ratios(course: Recording, within: float = 1.01) -> np.ndarray:
    """What CMA-ES costs over what the gradient costs until within 1 % of the gradient's last error, shape (start,); inf: more than was tried."""
    level = within * course["gradient"][:, -1:, 0]
    there = {name: course[name][:, :, 0] <= level for name in ("gradient", "likelihood")}
    runs = {name: np.where(hit.any(axis=1), hit.argmax(axis=1) + 1.0, np.inf) for name, hit in there.items()}
    return np.asarray(runs["likelihood"] / runs["gradient"])


def caption(course: dict[str, Recording], found: dict[str, dict[str, np.ndarray]]) -> str:
    parts = []
    for cutoff, one in course.items():
        at, guided, times = found[cutoff], one["likelihood"][:, :, 0], ratios(one)
        told = ", ".join(f"{interval(at[window][1])} (\u00b1{window})" for window in WINDOWS)
        parts.append(
            f"{cutoff} Hz: the error is {np.median(one['gradient'][:, -1, 0]):.2f} by the gradient; by CMA-ES "
            f"{np.median(guided[:, cost(one) - 1]):.2f} at equal cost, {np.median(guided[:, -1]):.2f} at ten times the cost; it comes within 1 % of "
            f"the gradient's for {np.median(times):.1f} [{times.min():.1f}, {times.max():.1f}] times what the gradient costs. Coincidence factor "
            f"of the gradient {told}; of CMA-ES on the distance {interval(at['2 ms'][4])}, ten times {interval(at['2 ms'][5])} (\u00b12 ms)."
        )
    text = (
        "Medians over starts, [lowest, highest]. Learned from seconds 2 to 7, held out 7 to 10. A gradient counts for three runs; dotted: as much "
        "as the gradient cost in all. a, d: from the start with the best gradient; CMA-ES on the likelihood at equal cost. c, f: the last four are "
        f"CMA-ES, on the likelihood and on van Rossum's distance. {' '.join(parts)} There is one trial of each sound, so how well the cell "
        "repeats itself, the ceiling of any model, is not known. What a run costs on the clock on the wall is in the notes of the recordings."
    )
    return textwrap.fill(text, 150)


def main(options: Options) -> Path:
    folder = options.out.with_suffix("")
    full = is_full(options, STEM)
    cutoffs = ("200",) if options.quick else ("200", "800")
    silent = apply(options, model.told())
    course = {cutoff: recorded(options, cutoff, silent) for cutoff in cutoffs}
    found: dict[str, dict[str, np.ndarray]] = {}
    with plot.style():
        figure, axes = plot.grid(len(cutoffs), 3, height=62 * len(cutoffs) + 25)
        for row, cutoff in zip(axes, cutoffs, strict=True):
            seen, wanted, heard = load(folder / f"heldout_{cutoff}.nc"), target(int(cutoff)), data.load(int(cutoff))
            found[cutoff] = {window: factors(seen, wanted, window) for window in WINDOWS}
            raster(row[0], heard, seen, wanted, best(course[cutoff]))
            courses(row[1], course[cutoff])
            bars(row[2], found[cutoff]["2 ms"])
        says = [f"{text}, {cutoff} Hz" for cutoff in cutoffs for text in ("held out", "learning", "windows of \u00b12 ms")]
        for letter, ax, text in zip("abcdef", axes.ravel(), says, strict=False):
            plot.title(ax, letter, text)
        if options.quick:
            figure.suptitle("quick version: a second to learn from and two starts, for a look only")
        figure.supxlabel(caption(course, found), x=0.01, ha="left", fontsize=6.5, linespacing=1.4)
        written = plot.save(figure, Path(__file__).with_suffix("") if full else folder, digest=plot.digest(course))
    print(*written)
    return written[0]


if __name__ == "__main__":
    main(options(STEM))
