"""Draws results/bss2_random_bits/*.nc: the late phase that is left with few random bits per rounding, and what programs can do about it.

`--quick`, `--set` and `--out` name the results as they did for protocols/bss2_random_bits.py; only the full study goes to figures/.
"""

import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bioneuro import Circuit, Recording, bss2, measure, plot
from bioneuro.catalogue import luboeinski2021
from bioneuro.script import Options, apply, is_full, options, recorded

STEM = Path(__file__).stem
PERIOD, WITHIN, REPEATS = 0.01, 2.0, 65535  # s between updates; points of z that count as saved; period of a register
LEAST, MOST = 4e-6, 30.0  # increments shown
OPEN = {"color": plot.BLACK, "linestyle": "none", "fillstyle": "none", "markersize": 4, "markeredgewidth": 0.8}
SCHEMES: dict[str, tuple[str, dict[str, Any]]] = {
    "float": ("floating point", {"bits": None}),
    "16_ideal": ("ideal draws", {}),
    "16_draws8": ("8 bits", {"draws": 8}),
    "16_draws8_centred": ("8 bits, centred", {"draws": 8, "centred": True}),
    "16_draws8_rarely": ("8 bits, slow rates once a second", {"draws": 8, "rarely": 100}),
    "16_draws16": ("16 bits", {"draws": 16}),
    "8_ideal": ("ideal draws", {"bits": 8}),
    "8_draws8": ("8 bits", {"bits": 8, "draws": 8}),
    "8_draws16": ("16 bits", {"bits": 8, "draws": 16}),
    "8_draws16_wide": ("16 bits, wide", {"bits": 8, "draws": 16, "fraction": 16}),
    "8_draws24_wide": ("24 bits, wider", {"bits": 8, "draws": 24, "fraction": 24}),
    "8_draws16_wide_rarely": ("16 bits, wide, centred, once a second", {"bits": 8, "draws": 16, "fraction": 16, "rarely": 100, "centred": True}),
    "8_draws8_wide_rarely": ("8 bits, wide, once a minute", {"bits": 8, "draws": 8, "fraction": 16, "rarely": 6000}),
}
SAVED = {"16_draws16": (plot.BLUE, "o"), "16_draws8_rarely": (plot.GREEN, "^"), "8_draws8_wide_rarely": (plot.VERMILION, "s")}
STATES = {"z": "late phase", "h": "early phase"}
OTHERS = ("WTET", "SLFS", "WLFS")
DRAWS = {
    # bits of a draw, whether it is centred, and the sign of the increment: label, colour, line
    (32, False, 1): ("ideal", plot.GREY, {"linewidth": 2.4, "alpha": 0.5}),
    (16, False, 1): ("16 bits, up", plot.BLUE, {"linewidth": 1.0}),
    (16, False, -1): ("16 bits, down", plot.BLUE, {"linewidth": 1.0, "linestyle": ":"}),
    (8, False, 1): ("8 bits, up", plot.VERMILION, {"linewidth": 1.0}),
    (8, False, -1): ("8 bits, down", plot.VERMILION, {"linewidth": 1.0, "linestyle": ":"}),
    (8, True, 1): ("8 bits, centred", plot.ORANGE, {"linewidth": 1.0, "linestyle": (0, (3, 1.5))}),
}
RATES = {"16-bit lane": ("16_ideal", 1), "once a second": ("16_ideal", 100), "8-bit lane": ("8_ideal", 1), "once a minute": ("8_ideal", 6000)}
MARKS = {"h": ("o", "leak of h at the tag's level"), "p": ("s", "begin of protein"), "z": ("^", "begin of late phase")}


def chance(size: Any, bits: int, centred: bool = False, sign: int = 1) -> Any:
    """The probability of a step for an increment of some size, 0 to 1 step, up or down, with so many random bits.

    The sum of a value and a draw is rounded down, and the draw is never quite 1: so up too seldom, the increment rounded down to multiples
    of a draw's step, and down too often, rounded up. Half a step of the draw more, and both are the nearest multiple.
    """
    n = 2.0**bits
    return (np.floor(np.asarray(size) * n + 0.5) if centred else sign * np.floor(sign * np.asarray(size) * n)) / n


def circuits(options: Options) -> dict[str, Circuit]:
    """The circuit of each scheme."""
    rule = apply(options, luboeinski2021.single())
    return {name: bss2.constrain(rule, bss2.Hardware(**given)) for name, (_, given) in SCHEMES.items()}


def increments(made: Circuit, free: Circuit) -> dict[str, float]:
    """Changes per update that the slow rates ask for, in steps of a circuit's lanes."""
    v = {path.partition(".")[2]: float(p.value) for path, p in free.values.items()}
    step = {state: float(made.values[f"stc.{state}_lsb"].value) for state in "hpz"}
    asked = {"h": v["leak"] / v["tau_h"] * v["theta_tag"], "p": v["alpha"] / v["tau_p"], "z": 1 / v["tau_z"]}
    return {state: PERIOD * asked[state] / step[state] for state in step}


def ends(seen: Recording) -> dict[str, np.ndarray]:
    """h, in % of its start, and z, in %, of the trials at the end."""
    h, z = (seen[f"stc.{state}"][:, :, 0] for state in "hz")
    return {"h": 100 * h[:, -1] / h[0, 0], "z": 100 * z[:, -1]}


def chances(ax: Axes) -> None:
    """Chance of a step against the increment, from just above 0."""
    edges = [np.arange(n) / 2**bits + half / 2**bits for bits in (8, 16) for n, half in ((40, 0), (40, 0.5))]
    both = [edge * (1 + side) for edge in edges for side in (-1e-9, 1e-9)]
    x = np.unique(np.concatenate([np.geomspace(LEAST, 1, 3000), *both]))
    x = x[x >= LEAST]
    for (bits, centred, sign), (label, colour, look) in DRAWS.items():
        ax.plot(x, np.maximum(chance(x, bits, centred, sign), LEAST / 10), color=colour, label=label, **look)
    ax.set(xscale="log", yscale="log", xlim=(LEAST, MOST), ylim=(LEAST, 100), yticks=10.0 ** np.arange(-5, 1), ylabel="chance of a step")
    ax.add_artist(ax.legend(loc="upper left", ncols=2, columnspacing=1.2, handlelength=2.2))
    handles = [ax.plot([], [], marker, label=label, **OPEN)[0] for marker, label in MARKS.values()]
    ax.legend(handles=handles, loc="lower right", title="asked for, below", title_fontsize=6.5, alignment="left", handletextpad=0.1)
    ax.tick_params(labelbottom=False)


def asked(ax: Axes, made: Mapping[str, Circuit]) -> None:
    """The increments that the rule asks for, in lanes of both widths, each update and more rarely."""
    for row, (name, times) in enumerate(RATES.values()):
        for state, x in increments(made[name], made["float"]).items():
            ax.plot(times * x, -row, MARKS[state][0], clip_on=False, **OPEN)
    for bits, colour in ((8, plot.VERMILION), (16, plot.BLUE)):
        ax.axvline(2.0**-bits, color=colour, linewidth=1.0, zorder=0)
    ax.set(xscale="log", xlim=(LEAST, MOST), ylim=(-3.5, 0.5), xlabel="increment (steps of the lane)")
    ax.set_yticks([0, -1, -2, -3], list(RATES))
    ax.tick_params(axis="y", length=0)


def places() -> dict[str, float]:
    """The height of each scheme, with a gap between lanes of different widths."""
    groups = [name.partition("_")[0] for name in SCHEMES]
    return {name: -k - 0.9 * len(set(groups[: k + 1])) for k, name in enumerate(SCHEMES)}


def schemes(ax: Axes, seen: Mapping[str, Mapping[str, np.ndarray]], state: str) -> None:
    """Mean with the spread of trials (thin) and the standard error (thick)."""
    floating = float(seen["float"][state].mean())
    ax.axvspan(floating - WITHIN, floating + WITHIN, color=plot.GREY, alpha=0.25, linewidth=0, zorder=0)
    for name, y in places().items():
        values, colour = seen[name][state], plot.BLACK if name == "float" else plot.GREY
        if name in SAVED:
            colour = SAVED[name][0]
        spread = float(values.std(ddof=1))
        ax.errorbar(values.mean(), y, xerr=spread, fmt="none", ecolor=colour, elinewidth=0.8, zorder=2)
        ax.errorbar(values.mean(), y, xerr=spread / np.sqrt(values.size), fmt="o", color=colour, elinewidth=2.4, markersize=3, zorder=3)
        ax.text(1.01, y, f"{values.mean():.1f}", transform=ax.get_yaxis_transform(), va="center", fontsize=6.5)
    ax.set_yticks(list(places().values()), [label for label, _ in SCHEMES.values()] if state == "z" else [])
    if state == "z":
        for bits in ("16", "8"):
            top = max(y for name, y in places().items() if name.startswith(f"{bits}_"))
            ax.text(-0.04, top + 0.85, f"lanes of {bits} bits, random bits per draw:", transform=ax.get_yaxis_transform(), ha="right", va="center",
                    fontsize=6.5, fontweight="bold")  # fmt: skip
    ax.tick_params(axis="y", length=0)
    ax.set(ylim=(min(places().values()) - 0.7, -0.2), xlabel={"z": "z (%)", "h": "h (% of $h_0$)"}[state])


def differences(ax: Axes, seen: Mapping[str, Recording], first: Mapping[str, Mapping[str, np.ndarray]]) -> dict[str, float]:
    """Means of h (open) and z (filled) less those in floating point, with the standard error of both samples; the largest difference of z."""
    largest = {}
    for k, (name, (colour, marker)) in enumerate(SAVED.items()):
        largest[name] = 0.0
        for column, train in enumerate(("STET", *OTHERS)):
            mine, free = first[name], first["float"]
            if train != "STET":
                mine, free = (ends(measure.at(seen[f"others_{x}"], train=OTHERS.index(train))) for x in (name, "float"))
            for side, state in enumerate("zh"):
                a, b = mine[state], free[state]
                away, error = float(a.mean() - b.mean()), float(np.sqrt((a.var(ddof=1) + b.var(ddof=1)) / a.size))
                x, fill = column + 0.13 * (2 * k + side) - 0.325, "white" if side else colour
                ax.errorbar(x, away, error, fmt=marker, color=colour, markerfacecolor=fill, markersize=3.2, markeredgewidth=0.7, elinewidth=0.8)
                largest[name] = max(largest[name], abs(away) if state == "z" else 0.0)
    ax.axhspan(-WITHIN, WITHIN, color=plot.GREY, alpha=0.25, linewidth=0, zorder=0)
    plot.reference(ax, y=0)
    for name, (colour, marker) in SAVED.items():
        ax.plot([], [], marker, color=colour, markersize=3.2, label=f"{name.partition('_')[0]}-bit lane: {SCHEMES[name][0]}")
    ax.legend(loc="upper right", handletextpad=0.1)
    ax.set_xticks(range(4), ["STET", *OTHERS])
    ax.set(ylabel="mean less float (points): z filled, h open", ylim=(-3.4, 5.5))
    return largest


def caption(
    seen: Mapping[str, Mapping[str, np.ndarray]], made: Mapping[str, Circuit], largest: Mapping[str, float], changed: Mapping[str, str]
) -> str:
    set_ = "".join(f", {path} = {value}" for path, value in changed.items())
    z, h = ({name: float(x[state].mean()) for name, x in seen.items()} for state in "zh")
    sd = {name: f"{x['z'].std(ddof=1):.1f}" for name, x in seen.items()}
    sixteen, eight = (increments(made[f"{bits}_ideal"], made["float"])["h"] for bits in (16, 8))
    one, minute, two = (largest[name] for name in ("16_draws8_rarely", "8_draws8_wide_rarely", "16_draws16"))
    return textwrap.fill(
        f"a: with 8 random bits a variable goes up too seldom and down too often, by up to 1/256 of a step; centred, what is below 1/512 is dropped. "
        f"Below: what the slow rates ask for every {1000 * PERIOD:g} ms, at once or saved up for a second or a minute. c, d: STET, "
        f"{seen['float']['z'].size} trials each with the same trains{set_}; thin bars: SD of trials, thick: standard error; grey: float \u00b1 "
        f"{WITHIN:g} points. 16-bit lanes: by 8 bits h falls too fast, so the tag is over too early and z {z['16_draws8']:.1f} % instead of "
        f"{z['float']:.1f}; centred, h halts {h['16_draws8_centred'] - 100:.1f} % above h0 (by its law {20 / 512 / sixteen:.1f}). Two registers per "
        f"draw, or slow rates that act once a second and 100 times as strong with one, keep z within {two:.1f} and {one:.1f} points for all "
        f"protocols (b). 8-bit lanes: increments with 8 bits below the last one cannot hold a slow rate, whatever the draw: frozen. Wider ones need "
        f"16 or 24 bits, and what a variable draws repeats after {REPEATS} updates, {REPEATS * PERIOD / 60:.0f} min; the leak asks for "
        f"{REPEATS * eight:.1f} steps in that time at the tag's level, so every synapse has rates of its own: SD of z "
        f"{sd['8_draws16_wide']} (ideal {sd['8_ideal']}). Once a second with 16 centred bits it is {sd['8_draws16_wide_rarely']}, once a minute with "
        f"8 bits {sd['8_draws8_wide_rarely']} (z within {minute:.1f} points of float).",
        152,
    )


def main(options: Options) -> Path:
    folder, full = options.out.with_suffix(""), is_full(options, STEM)
    made = circuits(options)
    used = {f"STET_{name}": recorded(options, f"STET_{name}", circuit) for name, circuit in made.items()}
    used |= {f"others_{name}": recorded(options, f"others_{name}", made[name]) for name in ("float", *SAVED)}
    seen = {name: ends(used[f"STET_{name}"]) for name in SCHEMES}
    with plot.style():
        figure = Figure(figsize=(plot.PAGE / 25.4, 165 / 25.4), layout="constrained")
        above, below = figure.subfigures(2, 1, height_ratios=[1, 1.15])
        axes = above.subplot_mosaic([["a", "d"], ["asked", "d"]], height_ratios=[1, 0.42]) | below.subplot_mosaic([["z", "h"]], width_ratios=[1.5, 1])
        chances(plot.title(axes["a"], "a", "what few bits drop"))
        asked(axes["asked"], made)
        largest = differences(plot.title(axes["d"], "b", "what saves it, 7 h after each train"), used, seen)
        for letter, state in zip("cd", "zh", strict=True):
            schemes(plot.title(axes[state], letter, f"{STATES[state]}, 7 h after STET"), seen, state)
        figure.supxlabel(caption(seen, made, largest, options.set), x=0.01, ha="left", fontsize=6.5, linespacing=1.4)
        if options.quick:
            figure.suptitle("quick version: few trials, for a look only")
        written = plot.save(figure, Path(__file__).with_suffix("") if full else folder, digest=plot.digest(used))
    print(*written)
    return written[0]


if __name__ == "__main__":
    main(options(STEM))
