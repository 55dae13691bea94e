"""Draws results/bss2_stc/*.nc: tagging and capture computed in integers of 8 to 32 bits, rounded to the nearest value or by chance.

`--quick`, `--set` and `--out` name the results as they did for protocols/bss2_stc.py; only the full study goes to figures/.
"""

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bioneuro import Circuit, Recording, bss2, measure, plot
from bioneuro.catalogue import luboeinski2021
from bioneuro.script import Options, apply, is_full, options, recorded

STEM = Path(__file__).stem
HOUR, ONSET, PERIOD = 3600.0, 3600.0, 0.01  # s; the first stimulus in the run, and the time between two updates
TRAINS = {
    "STET": ("strong tetanus", plot.BLUE, "o"),
    "WTET": ("weak tetanus", plot.ORANGE, "^"),
    "SLFS": ("strong low frequency", plot.VERMILION, "s"),
    "WLFS": ("weak low frequency", plot.PURPLE, "D"),
}
WIDTHS = (32, 24, 16, 8)
ROWS = ("events", "float", *(f"{bits}_{rounding}" for bits in WIDTHS for rounding in ("stochastic", "nearest")))
LOOKS = {
    # main variants: label, colour, line
    "events": ("event to event", plot.BLACK, {"linewidth": 2.2, "alpha": 0.3}),
    "float": ("float, every 10 ms", plot.BLACK, {"linewidth": 0.8, "linestyle": (0, (4, 2))}),
    "16_stochastic": ("16 bit, stochastic", plot.BLUE, {"marker": "o", "linestyle": "none", "elinewidth": 0.6}),
    "8_stochastic": ("8 bit, stochastic", plot.GREEN, {"marker": "^", "linestyle": "none", "elinewidth": 0.6}),
    "24_nearest": ("24 bit, nearest", plot.PURPLE, {"linestyle": ":", "linewidth": 1.6}),
    "16_nearest": ("16 bit, nearest", plot.VERMILION, {"linewidth": 1.0}),
    "8_nearest": ("8 bit, nearest", plot.ORANGE, {"linestyle": "-.", "linewidth": 1.2}),
}
STATES = {"h": "early phase h (% of $h_0$)", "z": "late phase z (%)"}


@dataclass(frozen=True)
class Trials:
    """What was seen of one train: t (readings,) in s from the first stimulus; h, in % of its start, z and p, in %: (trial, readings)."""

    t: np.ndarray
    h: np.ndarray
    z: np.ndarray
    p: np.ndarray


def circuits(options: Options) -> dict[str, Circuit]:
    """The circuit of each recording, by its name."""
    rule = apply(options, luboeinski2021.single())
    made = {"events": rule, "float": bss2.constrain(rule, bss2.Hardware(bits=None))}
    for name in ROWS[2:]:
        bits, rounding = name.split("_")
        made[name] = bss2.constrain(rule, bss2.Hardware(bits=int(bits), rounding=rounding))
    return made


def trials(seen: Recording) -> dict[str, Trials]:
    found = {}
    for k in np.unique(seen.conditions["train"].values).astype(int).tolist():
        mine = measure.at(seen, train=k)
        h, z, p = (100 * mine[f"stc.{state}"][:, :, 0] for state in ("h", "z", "p"))
        found[list(TRAINS)[k]] = Trials(mine.times[0] - ONSET, 100 * h / h[0, 0], z, p)
    return found


def halts(rule: Circuit, made: Circuit) -> dict[str, float]:
    """With rounding to the nearest, what no longer moves: the distance of h from h0 (%) below which it does not decay, and the largest changes
    per update of p, z and of h by depression (`down`, at h0), in steps of their lanes; below a half there is none."""
    v = {path.partition(".")[2]: float(p.value) for path, p in rule.values.items()}
    steps = {state: float(made.values[f"stc.{state}_lsb"].value) for state in ("h", "p", "z")}
    stuck = steps["h"] / 2 / (PERIOD * v["leak"] / v["tau_h"])
    down = v["gamma_d"] / v["tau_h"] * v["h0"] / steps["h"]
    rates = {"p": v["alpha"] / v["tau_p"] / steps["p"], "z": v["alpha"] / v["tau_z"] / steps["z"], "down": down}
    return {"h": 100 * stuck / v["h0"]} | {what: PERIOD * rate for what, rate in rates.items()}


def left(found: Trials, halt: float) -> float:
    """Where rounding to the nearest leaves h on average, if it follows the exact course `found` until it does not move any more."""
    after = found.h[:, np.searchsorted(found.t, 1800)] - 100
    last = found.h[:, -1] - 100
    return float(np.mean(100 + np.sign(after) * np.maximum(np.abs(last), np.minimum(np.abs(after), halt))))


def courses(axes: Mapping[str, Axes], seen: Mapping[str, Mapping[str, Trials]], train: str) -> None:
    """Means over the trials with the standard deviation of single trials."""
    for state, ax in axes.items():
        for k, (name, (label, colour, look)) in enumerate(LOOKS.items()):
            found = seen[name][train]
            values, t = getattr(found, state), found.t / HOUR
            mean, spread = values.mean(axis=0), values.std(axis=0, ddof=1)
            if "marker" in look:
                which = np.flatnonzero(np.isclose(t % 1, 0.0 if name.startswith("16") else 0.5) & (t > 0))
                ax.errorbar(t[which], mean[which], spread[which], color=colour, label=label, markeredgewidth=0, markersize=3.2, zorder=4, **look)
            else:
                ax.plot(t, mean, color=colour, label=label, zorder=2 + 0.1 * k, **look)
                if name == "events":
                    ax.fill_between(t, mean - spread, mean + spread, color=plot.GREY, alpha=0.3, linewidth=0)
        plot.reference(ax, y=100 if state == "h" else 0)
        ax.set(xlim=(-0.2, 7.2), xticks=range(0, 8))
    if not any(seen[name][train].z.any() for name in LOOKS):
        axes["z"].text(3.5, 12, "no protein, so none", ha="center", fontsize=6.5, color=plot.GREY)


def ends(ax: Axes, seen: Mapping[str, Mapping[str, Trials]], state: str, halt: Mapping[str, float]) -> None:
    """Mean at the end by width and rounding: thin bars the spread of trials, thick ones the standard error."""
    for row, name in enumerate(ROWS):
        if row % 2 == 0:
            ax.axhspan(-row - 0.5, -row + 0.5, color=plot.GREY, alpha=0.1, linewidth=0, zorder=0)
        for k, (train, (_, colour, marker)) in enumerate(TRAINS.items()):
            if train in seen[name]:
                values, y = getattr(seen[name][train], state)[:, -1], -row + 0.3 - 0.2 * k
                spread = float(values.std(ddof=1))
                ax.errorbar(values.mean(), y, xerr=spread, fmt="none", ecolor=colour, elinewidth=0.6, zorder=2)
                ax.errorbar(values.mean(), y, xerr=spread / np.sqrt(values.size), fmt=marker, color=colour, elinewidth=2, markersize=2.6, zorder=3)
                if state == "h" and halt.get(name, np.inf) < 100:
                    ax.plot(left(seen["events"][train], halt[name]), y, "|", color=plot.BLACK, markersize=7, markeredgewidth=0.8, zorder=4)
    for train in TRAINS:
        mean = float(getattr(seen["events"][train], state)[:, -1].mean())
        ax.axvline(mean, color=plot.GREY, linewidth=0.4, zorder=0)
    said = {"events": "event to event", "float": "float, every 10 ms"}
    ax.set(yticks=range(0, -len(ROWS), -1), ylim=(0.55 - len(ROWS), 0.55), xlabel=STATES[state] + ", 7 h after the first stimulus")
    ax.set_yticklabels([said.get(name, name.replace("_", " bit, ")) for name in ROWS] if state == "h" else [])
    ax.tick_params(axis="y", length=0)


def against(seen: Mapping[str, Mapping[str, Trials]], name: str, state: str) -> tuple[float, float]:
    """The largest difference of a mean at the end from float, over the trains, and in units of its error (of two samples)."""
    found = []
    for train, trial in seen[name].items():
        a, b = (getattr(x, state)[:, -1] for x in (trial, seen["float"][train]))
        error = np.sqrt((a.var(ddof=1) + b.var(ddof=1)) / a.size)
        away = abs(float(a.mean() - b.mean()))
        found.append((away, away / error if error else 0.0))
    return max(x for x, _ in found), max(x for _, x in found)


def caption(seen: Mapping[str, Mapping[str, Trials]], halt: Mapping[str, Mapping[str, float]], changed: Mapping[str, str]) -> str:
    set_ = "".join(f", {path} = {value}" for path, value in changed.items())

    def end(name: str, state: str = "z") -> tuple[float, float]:
        values = getattr(seen[name]["STET"], state)[:, -1]
        return float(values.mean()), float(values.std(ddof=1))

    said = {name: "{:.1f} (SD {:.1f})".format(*end(name)) for name in ROWS}
    n, low, stuck = len(seen["events"]["STET"].h), halt["16_nearest"], {bits: halt[f"{bits}_nearest"] for bits in WIDTHS}
    ratio = end("8_stochastic")[1] / end("float")[1]
    moved = {state: against(seen, "16_stochastic", state)[0] for state in STATES}
    return textwrap.fill(
        f"{n} synapses per protocol and row, all rows with the same trains; single-synapse set of Luboeinski & Tetzlaff 2021{set_}; updates every "
        f"10 ms (chosen), ideal draws. Bars: SD of trials (a, b; thin in c), standard error (thick in c). Black ticks: where h "
        f"halts by the law of its leak if what is below half a step is dropped. 24 and 32 bit stochastic: STET only. z after STET: event to event "
        f"{said['events']}, float {said['float']}; stochastic 16 bit {said['16_stochastic']}, 8 bit {said['8_stochastic']}: the mean "
        f"stays, with {ratio:.1f} times the spread. Nearest: 32 bit "
        f"{said['32_nearest']}, 24 bit {said['24_nearest']}, 16 bit {end('16_nearest')[0]:g}, 8 bit {end('8_nearest')[0]:g}. What freezes at 16 bit: "
        f"p and z, whose largest changes are {low['p']:.2f} and {low['z']:.2f} of a step of their lanes (below a half they are dropped), and the "
        f"decay of h, which takes a distance of {stuck[16]['h']:.0f} % from h0 (24 bit: {stuck[24]['h']:.1f} %, so h ends at "
        f"{end('24_nearest', 'h')[0]:.1f} %; 32 bit: {stuck[32]['h']:.2f} %); h stays where the train leaves it, {end('16_nearest', 'h')[0]:.0f} %. "
        f"At 8 bits depression freezes too ({stuck[8]['down']:.2f} of a step; only its noise still moves h). "
        f"16 bit stochastic differs from float by at most {moved['h']:.2f} in h and {moved['z']:.2f} in z (points, means at the end, all protocols).",
        152,
    )


def legends(figure: Figure, axes: Mapping[str, Axes]) -> None:
    handles, labels = axes["h_STET"].get_legend_handles_labels()
    ordered = [labels.index(label) for label, _, _ in LOOKS.values()]
    handles, labels = [handles[k] for k in ordered], [labels[k] for k in ordered]
    figure.legend(handles, labels, loc="outside upper center", ncols=7, columnspacing=0.9, handlelength=1.5, handletextpad=0.4)


def main(options: Options) -> Path:
    folder, full = options.out.with_suffix(""), is_full(options, STEM)
    made = circuits(options)
    used = {name: recorded(options, name, circuit) for name, circuit in made.items()}
    seen = {name: trials(recording) for name, recording in used.items()}
    halt = {name: halts(made["events"], made[name]) for name in ROWS if name.endswith("nearest")}
    with plot.style():
        figure = Figure(figsize=(plot.PAGE / 25.4, 175 / 25.4), layout="constrained")
        mosaic = [[f"{state}_{train}" for train in TRAINS] for state in STATES] + [["ends_h", "ends_h", "ends_z", "ends_z"]]
        axes = figure.subplot_mosaic(mosaic, height_ratios=[1, 0.8, 1.55])
        for letter, (state, label) in zip("ab", STATES.items(), strict=True):
            for train, (words, _, _) in TRAINS.items():
                ax = axes[f"{state}_{train}"]
                ax.set_ylim((0, 205) if state == "h" else (-55, 105))
                if train == "STET":
                    ax.set_ylabel(label)
                else:
                    ax.set_yticklabels([])
                if state == "h":
                    plot.title(ax, letter if train == "STET" else "", f"{train}, {words}").tick_params(labelbottom=False)
                else:
                    ax.set_xlabel("time from the first stimulus (h)" if train == "STET" else "time (h)")
        plot.title(axes["z_STET"], "b")
        for train in TRAINS:
            courses({state: axes[f"{state}_{train}"] for state in STATES}, seen, train)
        for state in STATES:
            ends(axes[f"ends_{state}"], seen, state, {name: x["h"] for name, x in halt.items()})
        plot.title(axes["ends_h"], "c", "at the end, by width and rounding")
        for train, (_, colour, marker) in TRAINS.items():
            axes["ends_z"].plot([], [], marker, color=colour, label=train)
        axes["ends_z"].plot([], [], "|", color=plot.BLACK, markersize=7, label="law of the halt")
        axes["ends_z"].legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=5, columnspacing=1, handletextpad=0.2)
        legends(figure, axes)
        figure.supxlabel(caption(seen, halt, options.set), x=0.01, ha="left", fontsize=6.5, linespacing=1.4)
        if options.quick:
            figure.suptitle("quick version: few trials, for a look only")
        written = plot.save(figure, Path(__file__).with_suffix("") if full else folder, digest=plot.digest(used))
    print(*written)
    return written[0]


if __name__ == "__main__":
    main(options(STEM))
