"""Draws results/paired_pulse/*.nc: paired pulses, trains and steady states of short-term plasticity, each on its closed form.

Amplitudes are relative to the first of a rested synapse, but for panel e, which shows the share of all resources that a regular train
releases per second. It follows U times the rate at low rates and saturates at 1/tau_rec; the two meet at 1/(U tau_rec), the limiting
frequency of a depressing synapse (Tsodyks & Markram 1997, from memory), above which the steady amplitude falls like 1/rate.

`--quick`, `--set` and `--out` name the results as they did for protocols/paired_pulse.py; only the full study goes to figures/. `--data`
shows measured paired-pulse ratios against an interval in panel a, and relative amplitudes against a rate in panel d.
"""

import textwrap
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from bioneuro import Circuit, Recording, measure, plot, script
from bioneuro.catalogue import tsodyks1998
from bioneuro.measure import Curve
from bioneuro.script import Options, apply, is_full, options, recorded
from bioneuro.theory import tsodyks1998 as theory

STEM = Path(__file__).stem
INTERVALS = np.geomspace(4e-3, 6, 200)  # s
RATES = np.geomspace(0.17, 120, 400)  # Hz
SHOWN = {5: (plot.SKY, "o"), 20: (plot.GREEN, "s"), 50: (plot.PURPLE, "^")}  # Hz, of the trains
PULSES = 16  # of a train, as far as it is shown
SYNAPSES = {"depressing": (plot.BLUE, "o"), "facilitating": (plot.VERMILION, "^")}


def values(circuit: Circuit) -> dict[str, float]:
    """The parameters of a synapse by their own names, SI."""
    return {path.partition(".")[2]: float(p.value) for path, p in circuit.values.items()}


def paired(ax: Axes, name: str, numbers: dict[str, float], seen: Recording) -> float:
    colour, marker = SYNAPSES[name]
    plot.theory(ax, INTERVALS, theory.paired_pulse_ratio(INTERVALS, **numbers), colour=colour)
    found = measure.paired_pulse_ratio(seen, path="release.r")
    plot.curve(ax, found, colour=colour, marker=marker, markersize=3.2, label=name)
    return float(np.abs(found.y - theory.paired_pulse_ratio(found.x, **numbers)).max())


def trains(ax: Axes, numbers: dict[str, float], seen: Recording) -> float:
    """Amplitudes pulse by pulse; returns the largest distance from the recursion over all rates and pulses."""
    error = 0.0
    U, readings = numbers["U"], seen["release.r"].shape[1]
    for rate in np.unique(seen.conditions["rate"].values).tolist():
        exact = theory.released(np.arange(readings) / rate, **numbers) / U
        amplitudes = measure.at(seen, rate=f"{rate} Hz")["release.r"][0, :, 0] / U
        error = max(error, float(np.abs(amplitudes - exact).max()))
        if rate in SHOWN:
            colour, marker = SHOWN[rate]
            number = np.arange(1, min(PULSES, readings) + 1)
            plot.theory(ax, number, exact[: number.size], unit="1", colour=colour)
            first = Curve(name="amplitude", x=number, unit="1", y=amplitudes[: number.size], error=0 * number)
            plot.curve(ax, first, colour=colour, marker=marker, markersize=3.2, label=f"{rate:.0f} Hz")
    return error


def steady(ax: Axes, per_second: Axes, name: str, numbers: dict[str, float], seen: Recording) -> float:
    """The last pulse of every train, relative to the first, and as what is released per second."""
    colour, marker = SYNAPSES[name]
    law = theory.steady_state(RATES, **numbers)
    plot.theory(ax, RATES, law / numbers["U"], unit="Hz", colour=colour)
    plot.theory(per_second, RATES, RATES * law, unit="Hz", colour=colour)
    found = measure.average(seen, along="rate", path="release.r")
    style = {"colour": colour, "marker": marker, "markersize": 3.2}
    plot.curve(ax, Curve(name="relative", x=found.x, unit="Hz", y=found.y / numbers["U"], error=0 * found.x), **style)
    plot.curve(per_second, Curve(name="released", x=found.x, unit="Hz", y=found.x * found.y, error=0 * found.x), **style)
    return float(np.abs(found.y - theory.steady_state(found.x, **numbers)).max() / numbers["U"])


def limits(per_second: Axes, numbers: dict[str, float]) -> None:
    """The two asymptotes of a depressing synapse, and the rate at which they meet."""
    meet, most = 1 / (numbers["U"] * numbers["tau_rec"]), 1 / numbers["tau_rec"]
    dotted = {"unit": "Hz", "colour": plot.GREY, "linestyle": ":"}
    plot.theory(per_second, [RATES[0], 1.6 * meet], numbers["U"] * np.array([RATES[0], 1.6 * meet]), **dotted)
    plot.theory(per_second, [meet / 1.6, RATES[-1]], [most, most], **dotted)
    per_second.plot([meet], [most], marker="D", markersize=4, markerfacecolor="white", color=plot.BLUE, linestyle="none", zorder=5)
    note = f"$1/(U\\,\\tau_{{rec}})$\n= {meet:.3g} Hz"
    per_second.annotate(note, (meet, most), (-2, 5), textcoords="offset points", color=plot.BLUE, fontsize=6.5, ha="right")
    per_second.annotate(r"$1/\tau_{rec}$", (RATES[-1], most), (0, 3), textcoords="offset points", color=plot.GREY, fontsize=6.5, ha="right")


def best(ax: Axes, numbers: dict[str, float]) -> float:
    """The rate, Hz, at which a facilitating synapse has its largest steady amplitude; marked."""
    law = theory.steady_state(RATES, **numbers) / numbers["U"]
    peak, height = float(RATES[law.argmax()]), float(law.max())
    ax.plot([peak], [height], marker="D", markersize=4, markerfacecolor="white", color=plot.VERMILION, linestyle="none", zorder=5)
    ax.annotate(f"{peak:.0f} Hz", (peak, height), (0, 5), textcoords="offset points", color=plot.VERMILION, fontsize=6.5, ha="center")
    return peak


def main(options: Options) -> Path:
    folder = options.out.with_suffix("")
    full = is_full(options, STEM)
    used: dict[str, Recording] = {}
    with plot.style():
        figure, axes = plot.grid(2, 3, height=108)
        a, b, c, d, e, words = axes.flat
        for ax in (a, b, c, d):
            plot.reference(ax, y=1)
        exact, last = 0.0, 0.0
        for name, ax in zip(SYNAPSES, (b, c), strict=True):
            circuit = apply(options, tsodyks1998.pair(name))
            numbers = values(circuit)
            used |= {f"{name}_{kind}": recorded(options, f"{name}_{kind}", circuit) for kind in ("pairs", "trains")}
            pairs, series = used[f"{name}_pairs"], used[f"{name}_trains"]
            exact = max(exact, paired(a, name, numbers, pairs), trains(ax, numbers, series))
            last = max(last, steady(d, e, name, numbers, series))
            if name == "depressing":
                limits(e, numbers)
            else:
                peak = best(d, numbers)
            plot.title(ax, "bc"[ax is c], f"{name}, pulse by pulse")
            ax.set_xlabel("number of the pulse")
            ax.set_ylim(0)
            ax.set_xticks([1, 5, 10, 15])
        plot.overlay(a, script.data(options, "ms", among=("Hz",)), color=plot.BLACK)
        plot.overlay(d, script.data(options, "Hz", among=("ms",)), color=plot.BLACK)
        for ax in (a, d, e):
            ax.set_xscale("log")
            ax.xaxis.set_major_formatter("{x:g}")
        for ax in (d, e):
            ax.set_yscale("log")
            ax.yaxis.set_major_formatter("{x:g}")
        d.set_ylim(top=12)
        for ax, letter, title, x, y in (
            (a, "a", "two pulses", "interval (ms)", "second / first amplitude"),
            (d, "d", "steady state", "rate of a regular train (Hz)", "amplitude / first"),
            (e, "e", "steady release", "rate of a regular train (Hz)", "released (share of resources / s)"),
        ):
            plot.title(ax, letter, title)
            ax.set_xlabel(x)
            ax.set_ylabel(y)
        b.set_ylabel("amplitude / first")
        a.legend(loc="upper right")
        b.legend(loc="upper right", title="regular train", title_fontsize=6.5)
        words.set_axis_off()
        n = series["release.r"].shape[1]
        says = (
            f"Two synapses of Tsodyks, Pawelzik & Markram 1998. Points: simulation; lines: closed forms (a, d, e) and the recursion from pulse to "
            f"pulse (b, c), equal within {exact:.0e}. In d and e pulse {n}, within {last:.0e} of the steady state.",
            "Dotted: release of the depressing synapse if it never tired, and the most that recovery allows. Above the rate where the two meet it "
            "signals changes of rate, not the rate.",
            f"The facilitating synapse answers most at {peak:.0f} Hz. The postsynaptic neuron is silent."
            + ("" if options.data else " No measured points are shown."),
        )
        text = "\n\n".join(textwrap.fill(paragraph, 44) for paragraph in says)
        words.text(0, 1, text, va="top", fontsize=6.5, transform=words.transAxes)
        if options.quick:
            figure.suptitle("quick version: shorter trains, for a look only")
        written = plot.save(figure, Path(__file__).with_suffix("") if full else folder, digest=plot.digest(used))
    print(*written)
    return written[0]


if __name__ == "__main__":
    main(options(STEM))
