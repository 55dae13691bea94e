"""Draws results/firing_patterns/step.nc: potentials of the catalogue's neurons under a step of current, and their rates against the current.

`--quick` and `--set` are to be given as for protocols/firing_patterns.py; only the full study goes to figures/. `--data` lays
measured rates against a current in mV, nA or mV/ms over panels n, o and p.
"""

import inspect
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bioneuro import Circuit, Population, Recording, plot, script, side_by_side
from bioneuro.catalogue import bellec2018, brette2005, hodgkin1952, izhikevich2003, kobayashi2009, vogels2005
from bioneuro.script import Options, apply, is_full, options, recorded
from bioneuro.theory import firing

STEM = Path(__file__).stem
START, STOP, SHOWN, EVERY = 0.1, 1.1, 0.65, 2e-4  # s
ADAPTED = 0.6  # s; rates are those of the second half of the step
ONSET = 6.2649e-6  # A into 1 cm2, onset of sustained firing: Balti, Lanza & Aziz-Alaoui 2018, Math Biosci Eng 15:807, Fig. 6
MAT, IZHIKEVICH = ("RS", "IB", "FS", "CH"), ("RS", "IB", "CH", "FS", "LTS")
COLOURS = (plot.BLUE, plot.VERMILION, plot.GREEN, plot.PURPLE, plot.ORANGE)


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One neuron: population, its unit there, title, current shown (SI) and in words, the range of the axis (V), and how long to show (s)."""

    population: str
    title: str
    current: float
    says: str
    low: float
    high: float
    unit: int = 0
    until: float = SHOWN


_MAT = {"population": "mat", "current": 0.6e-9, "says": "0.6 nA", "low": -70e-3, "high": 0.0}
_IZHIKEVICH = {"population": "izhikevich", "current": 10.0, "says": "10 mV/ms", "low": -85e-3, "high": 30e-3}
ROWS = (
    (
        Panel(population="lif", title="LIF", current=10e-3, says="10 mV", low=-62e-3, high=-35e-3),
        Panel(population="alif", title="LIF, adaptive threshold", current=21e-3, says="21 mV", low=-1e-3, high=32e-3),
        Panel(population="adex", title="AdEx", current=1e-9, says="1 nA", low=-75e-3, high=-10e-3),
        Panel(population="axon", title="Hodgkin & Huxley", current=10e-6, says="10 µA/cm²", low=-80e-3, high=50e-3, until=0.3),
    ),
    tuple(Panel(title=f"MAT, {name}", unit=k, until=0.3 if name == "FS" else SHOWN, **_MAT) for k, name in enumerate(MAT)),
    tuple(Panel(title=f"Izhikevich, {name}", unit=k, until=0.3 if name == "FS" else SHOWN, **_IZHIKEVICH) for k, name in enumerate(IZHIKEVICH)),
)


def circuit() -> Circuit:
    """That of protocols/firing_patterns.py."""
    single = (vogels2005.neuron(), bellec2018.neuron(), brette2005.neuron(), hodgkin1952.neuron("rk4"))
    alone = [Population(name=neuron.name, neuron=neuron) for neuron in single]
    mat, izhikevich = (side_by_side([of(name) for name in names]) for of, names in ((kobayashi2009.neuron, MAT), (izhikevich2003.neuron, IZHIKEVICH)))
    return Circuit(name="neurons", populations=(*alone, mat, izhikevich))


def numbers(whole: Circuit, population: str, unit: int = 0) -> dict[str, float]:
    """Parameters of one neuron, SI."""
    parameters = whole.models[population].parameters
    return {name: float(np.broadcast_to(p.value, (unit + 1,) if p.value.ndim == 0 else p.value.shape)[unit]) for name, p in parameters.items()}


def trial(seen: Recording, panel: Panel) -> int:
    return int(np.abs(seen.conditions[panel.population].values - panel.current).argmin())


def threshold(seen: Recording, whole: Circuit, panel: Panel, n: int) -> np.ndarray | None:
    """The threshold as it moves, V, where it does."""
    p = numbers(whole, panel.population, panel.unit)
    if panel.population == "alif":
        return p["b_0"] + p["beta"] * seen["alif.b"][n, :-1, 0]
    if panel.population == "mat":
        return p["omega"] + seen["mat.theta_1"][n, :-1, panel.unit] + seen["mat.theta_2"][n, :-1, panel.unit]
    return None


def trace(ax: Axes, seen: Recording, whole: Circuit, panel: Panel) -> None:
    """Potential in mV, spikes up to the top, the moving threshold, and a bar while the current is on."""
    n = trial(seen, panel)
    time, v = 1e3 * seen.times[0, :-1], 1e3 * seen[f"{panel.population}.v"][n, :-1, panel.unit]
    spikes = 1e3 * seen.spikes[panel.population].times(n, panel.unit)
    spikes = spikes[spikes < time[-1]]
    ax.plot(time, v, color=plot.BLACK, linewidth=0.6)
    if panel.population != "axon":
        ax.vlines(spikes, np.interp(spikes, time, v), 1e3 * panel.high, color=plot.BLACK, linewidth=0.6)
    moving = threshold(seen, whole, panel, n)
    if moving is not None:
        ax.plot(time, 1e3 * moving, color=plot.VERMILION, linewidth=0.6)
    low, high = 1e3 * panel.low, 1e3 * panel.high
    end, below = 1e3 * panel.until, low - 0.22 * (high - low)
    ax.set(xlim=(0, end), ylim=(below, high))
    ax.locator_params(axis="y", nbins=4)
    ax.locator_params(axis="x", nbins=4)
    ax.plot((1e3 * START, end), (below + 0.05 * (high - low),) * 2, color=plot.GREY, linewidth=1.5, solid_capstyle="butt")
    ax.text(end, below + 0.08 * (high - low), panel.says, fontsize=6.5, color=plot.GREY, ha="right", va="bottom")


def rate(times: np.ndarray) -> float:
    """Spikes per second in the second half of the step, from first to last."""
    late = times[(times > ADAPTED) & (times < STOP)]
    return 0.0 if late.size < 2 else (late.size - 1) / (late[-1] - late[0])


RATES = {"lif": firing.lif_rate, "alif": firing.alif_rate, "mat": firing.mat_rate}
RHEOBASES = {"adex": firing.adex_rheobase, "mat": firing.mat_rheobase, "izhikevich": firing.izhikevich_rheobase, "axon": lambda: ONSET}


def law(of: Callable[..., Any], p: dict[str, float], *current: np.ndarray) -> Any:
    """A law of `bioneuro.theory.firing` with those of the parameters `p` that it takes."""
    return of(*current, **{name: p[name] for name in inspect.signature(of).parameters if name in p})


CURVES = {  # population -> unit of the current, its size in SI, label, names of its sets
    "lif": ("mV", 1e-3, ("LIF",)),
    "alif": ("mV", 1e-3, ("adaptive threshold",)),
    "adex": ("nA", 1e-9, ("AdEx",)),
    "mat": ("nA", 1e-9, tuple(f"MAT {name}" for name in MAT)),
    "izhikevich": ("mV/ms", 1.0, IZHIKEVICH),
    "axon": ("µA/cm²", 1e-6, ("Hodgkin & Huxley",)),
}
MEASURED = ("mV", "nA", "mV/ms")  # currents of a user's own rates, for the panels of `TOGETHER`
TOGETHER = {  # populations -> title, place of the legend
    ("lif", "alif"): ("rates of a, b", "center right"),
    ("adex", "mat"): ("rates of c, e to h", "upper left"),
    ("izhikevich",): ("rates of i to m", "upper left"),
    ("axon",): ("rate of d", "center right"),
}


def curves(ax: Axes, seen: Recording, whole: Circuit, populations: tuple[str, ...], place: str) -> list[float]:
    """Rate against current; returns how far simulated rates are from their law, relative."""
    colours, off = iter((*COLOURS, plot.SKY)), []
    for population in populations:
        unit, scale, labels = CURVES[population]
        current = seen.conditions[population].values
        for k, label in enumerate(labels):
            colour, p = next(colours), numbers(whole, population, k)
            found = np.array([rate(seen.spikes[population].times(n, k)) for n in range(current.size)])
            ax.plot(current / scale, found, "o", color=colour, label=label, clip_on=False)
            if population in ("lif", "alif") or (population == "mat" and label != "MAT CH"):
                fine = np.linspace(current[0], current[-1], 200)
                ax.plot(fine / scale, law(RATES[population], p, fine), color=colour, linewidth=0.8)
                exact = law(RATES[population], p, current)
                off.extend(found[(found > 0) & (exact > 0)] / exact[(found > 0) & (exact > 0)] - 1)
            else:
                ax.plot(law(RHEOBASES[population], p) / scale, 0, "|", color=colour, markersize=9, markeredgewidth=1.2, clip_on=False)
                ax.plot(current / scale, found, color=colour, linewidth=0.5, linestyle=":")
    ax.set(xlabel=f"current ({unit})", ylim=(0, None))
    ax.legend(loc=place, handlelength=0.6, labelspacing=0.1, borderpad=0, borderaxespad=0.1, handletextpad=0.4)
    return off


def caption(off: list[float], lif: dict[str, float]) -> str:
    restless = "This LIF neuron has its rest above threshold and fires without current. " if lif["E_L"] > lif["V_th"] else ""
    return textwrap.fill(
        "Grey bar: a step of current from 100 ms on, for 1 s. Spikes of neurons other than the axon are drawn to the top; red: the moving threshold. "
        f"{restless}Bottom: rates in the second half of the step. Lines: the adapted interval "
        f"by closed form or root finding (simulated rates are within {100 * np.abs(off).max():.1f} %). Ticks on the axis: where rest ends, in closed "
        "form; for the axon a published value of where firing goes on. Dotted: no law drawn.",
        152,
    )


def main(options: Options) -> Path:
    folder = options.out.with_suffix("")
    full = is_full(options, STEM)
    whole = apply(options, circuit())
    seen = recorded(options, "step", whole)
    with plot.style():
        figure = Figure(figsize=(plot.PAGE / 25.4, 170 / 25.4), layout="constrained")
        letters, off = iter("abcdefghijklmnopqrst"), []
        parts = figure.subfigures(4, 1, height_ratios=(1, 1, 1.05, 1.35))
        for part, row in zip(parts, ROWS, strict=False):
            axes = part.subplots(1, len(row), sharey=len({panel.low for panel in row}) == 1)
            for ax, panel in zip(axes, row, strict=True):
                trace(ax, seen, whole, panel)
                plot.title(ax, next(letters), panel.title)
            axes[0].set_ylabel("potential (mV)")
            if row is ROWS[-1]:
                part.supxlabel("time (ms)", fontsize=7)
        axes = parts[3].subplots(1, len(TOGETHER))
        for ax, (populations, (title, place)) in zip(axes, TOGETHER.items(), strict=True):
            off += curves(ax, seen, whole, populations, place)
            plot.title(ax, next(letters), title)
        for ax, unit in zip(axes, MEASURED, strict=False):
            plot.overlay(ax, script.data(options, unit, among=MEASURED), unit=unit, color=plot.BLACK)
        axes[0].set_ylabel("rate (Hz)")
        figure.supxlabel(caption(off, numbers(whole, "lif")), x=0.01, ha="left", fontsize=6.5, linespacing=1.4)
        if options.quick:
            figure.suptitle("quick version: a coarse clock, for a look only")
        written = plot.save(figure, Path(__file__).with_suffix("") if full else folder, digest=plot.digest({"step": seen}))
    print(*written)
    return written[0]


if __name__ == "__main__":
    main(options(STEM))
