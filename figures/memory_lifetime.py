"""Draws results/memory_lifetime/*.nc: how the efficacy forgets where it started, and how fast at which firing rate.

`--quick`, `--set` and `--out` name the results as they did for protocols/memory_lifetime.py; only the full study goes to figures/. `--data`
shows measured times to forget, in s, against a rate in panel c.
"""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from bioneuro import Circuit, Recording, measure, plot, script
from bioneuro.catalogue import higgins2014
from bioneuro.script import Options, apply, is_full, options, recorded
from bioneuro.theory import higgins2014 as theory

STEM = Path(__file__).stem
RATES = {"in vitro": (0.2, 0.5, 1.0, 2.0, 5.0, 10.0), "in vivo": (1.0, 2.0, 5.0, 10.0, 20.0)}  # Hz
SHOWN = 1.0  # Hz, of the courses
FINE = np.geomspace(0.15, 25, 60)
COLOURS = {"in vitro": plot.BLUE, "in vivo": plot.VERMILION}
UNITS = {"in vitro": ("min", 60.0), "in vivo": ("h", 3600.0)}
HOUR, DAY = 3600.0, 86400.0


def memory(circuit: Circuit, rate: np.ndarray) -> theory.Memory:
    """The averaged theory, flat potential."""
    v = {path.partition(".")[2]: float(p.value) for path, p in circuit.values.items()}
    above = theory.poisson_fractions(rate, rate, **{k: v[k] for k in ("tau_Ca", "Cpre", "Cpost", "theta_d", "theta_p")})
    return theory.memory(*above, gamma_d=v["gamma_d"], gamma_p=v["gamma_p"], tau=v["tau"])


def difference(seen: Recording) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What is left of the initial difference: times from 0, mean rho from 1 minus from 0, and its standard error."""
    up, down = (measure.course(measure.at(seen, start=start), path="calcium.rho") for start in (1, 0))
    left, error = up.y - down.y, np.hypot(up.error, down.error)
    return np.append(0.0, up.x), np.append(1.0, left), np.append(0.0, error)


def lifetime(seen: Recording) -> tuple[float, float]:
    """When the difference has fallen to 1/e, with its standard error; infinite if that is not seen."""
    time, left, error = difference(seen)
    below = np.flatnonzero(left < np.exp(-1))
    if below.size == 0:
        return np.inf, np.nan
    k = int(below[0])
    at = float(np.interp(-np.exp(-1), -left[k - 1 : k + 1], time[k - 1 : k + 1]))
    return at, float(error[k] * at * np.e)  # as of an exponential: d(time) = d(left)*time/left


def courses(ax: Axes, name: str, seen: dict[str, Recording], law: theory.Memory) -> None:
    label, unit = UNITS[name]
    for suffix, marker, colour, said in (("", "o", COLOURS[name], "flat"), (" bistable", "^", plot.BLACK, "double well")):
        for start in (1, 0):
            course = measure.course(measure.at(seen[f"{name} {SHOWN:g} Hz{suffix}"], start=start), path="calcium.rho")
            line = {"fmt": marker, "color": colour, "elinewidth": 0.5, "markeredgewidth": 0.6, "zorder": 3}
            hollow = {} if start else {"markerfacecolor": "white"}
            ax.errorbar(course.x / unit, course.y, yerr=course.error, label=f"{said}, from {start}", **line, **hollow)
    time = np.linspace(0, course.x[-1], 200)
    for start in (1, 0):
        mean = law.asymptote + (start - law.asymptote) * np.exp(-time / law.time)
        plot.theory(ax, time / unit, mean, unit="1", colour=COLOURS[name], zorder=5, label="averaged theory, flat" if start else "")
    ax.set(xlabel=f"time ({label})", ylabel=r"mean efficacy $\rho$", ylim=(-0.03, 1.03))


def lifetimes(ax: Axes, name: str, seen: dict[str, Recording], circuit: Circuit) -> str:
    plot.theory(ax, FINE, memory(circuit, FINE).time, unit="Hz", colour=COLOURS[name])
    where = np.array(4.0 if name == "in vivo" else 0.2)
    ax.text(float(where), float(memory(circuit, where).time) * 1.5, name, color=COLOURS[name], fontsize=7)
    beyond = []
    for suffix, marker, fill in (("", "o", COLOURS[name]), (" bistable", "^", "white")):
        for rate in RATES[name]:
            recording = seen[f"{name} {rate:g} Hz{suffix}"]
            time, error = lifetime(recording)
            if np.isinf(time):
                end = float(recording.times.max())
                ax.annotate("", (rate, 6 * end), (rate, end), arrowprops={"arrowstyle": "->", "color": COLOURS[name], "linewidth": 0.8})
                time, error = end, np.nan
                beyond.append(f"{name} at {rate:g} Hz")
            line = {"fmt": marker, "color": COLOURS[name], "markerfacecolor": fill, "markersize": 3.5, "markeredgewidth": 0.6, "zorder": 4}
            ax.errorbar(rate, time, yerr=error, elinewidth=0.6, **line)
    return ", ".join(beyond)


def main(options: Options) -> Path:
    folder = options.out.with_suffix("")
    full = is_full(options, STEM)
    seen: dict[str, Recording] = {}
    with plot.style():
        figure, axes = plot.grid(1, 3, height=80)
        beyond = []
        for k, (name, rates) in enumerate(RATES.items()):
            for suffix, potential in higgins2014.POTENTIALS.items():
                circuit = apply(options, higgins2014.pair(name, potential))
                for rate in rates:
                    key = f"{name} {rate:g} Hz{suffix}"
                    seen[key] = recorded(options, key.replace(" ", "_"), circuit)
            flat = apply(options, higgins2014.pair(name))
            courses(axes[0, k], name, seen, memory(flat, np.array(SHOWN)))
            plot.title(axes[0, k], "ab"[k], f"{name}, both neurons at {SHOWN:g} Hz")
            beyond.append(lifetimes(axes[0, 2], name, seen, flat))
        axes[0, 0].legend(loc="upper right", handlelength=1.2)
        ax = axes[0, 2]
        plot.title(ax, "c", "time to forget, to 1/e")
        ax.set(xscale="log", yscale="log", xlabel="rate of both neurons (Hz)", ylabel="time (s)")
        for value, label in ((60, "1 min"), (HOUR, "1 h"), (DAY, "1 day")):
            ax.axhline(value, color=plot.GREY, linewidth=0.4, zorder=0)
            ax.text(28, value * 1.15, label, ha="right", color=plot.GREY, fontsize=6.5)
        ax.set_xlim(0.13, 30)
        plot.overlay(ax, script.data(options, "Hz"), color=plot.BLACK)
        ax.plot([], [], color=plot.BLACK, linewidth=0.8, label="averaged theory, flat")
        ax.plot([], [], "o", color=plot.BLACK, markersize=3.5, label="flat")
        ax.plot([], [], "^", color=plot.BLACK, markerfacecolor="white", markersize=3.5, label="double well")
        ax.legend(loc="lower left", handlelength=1.2)
        n = seen["in vitro 1 Hz"].n_trials // 2
        at_1 = {name: float(memory(apply(options, higgins2014.pair(name)), np.array(1.0)).time) for name in RATES}
        quick = "quick version, for a look only.  " * options.quick
        figure.suptitle(
            f"{quick}{n} synapses from each state, independent Poisson firing. At 1 Hz and a flat potential memories fade in "
            f"{at_1['in vitro'] / 60:.1f} min in vitro and {at_1['in vivo'] / HOUR:.1f} h in vivo.\n"
            f"The double well matters only where spikes rarely push: {' '.join(b for b in beyond if b)} it had not forgotten by the end (arrow)."
        )
        used = {key.replace(" ", "_"): recording for key, recording in seen.items()}
        written = plot.save(figure, Path(__file__).with_suffix("") if full else folder, digest=plot.digest(used))
    print(*written)
    return written[0]


if __name__ == "__main__":
    main(options(STEM))
