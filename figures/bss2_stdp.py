"""Draws results/bss2_stdp/*.nc: what is left of pair STDP on a chip with correlation sensors that differ and 6-bit weights.

`--quick`, `--set` and `--out` name the results as they did for protocols/bss2_stdp.py; only the full study goes to figures/. Tables of `--data`
(weight after / before) go to the window if their conditions are lags in ms, to the frequencies if they are rates in Hz.
"""

import textwrap
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from scipy.optimize import curve_fit

from bioneuro import Recording, load, measure, plot, script
from bioneuro.catalogue import song2000
from bioneuro.evidence import bi1998
from bioneuro.script import Options, apply, is_full, options, recorded
from bioneuro.theory import pair

STEM = Path(__file__).stem
PAIRS, START, STEPS = 60, 24 / 63, 63
UP, DOWN = bi1998.POTENTIATION, bi1998.DEPRESSION
FITTED = {
    "stdp.A_plus": START * UP.amplitude / PAIRS, "stdp.tau_plus": f"{UP.tau} s", "stdp.w": START,
    "stdp.A_minus": -START * DOWN.amplitude / PAIRS, "stdp.tau_minus": f"{DOWN.tau} s",
}  # fmt: skip
SCHEMES = {
    "reduced": ("nearest reduced", pair.nearest_reduced, plot.BLUE), "symmetric": ("nearest symmetric", pair.nearest_symmetric, plot.VERMILION),
}  # fmt: skip
SIGNS = {0.010: ("+10 ms, pre first", plot.BLUE), -0.010: ("\u221210 ms, post first", plot.VERMILION)}
PERIODS = {"10_ms": 0.01, "100_ms": 0.1, "1_s": 1.0, "10_s": 10.0, "60_s": 60.0}
SENSORS = {
    "weak": ("0.5 counts a pair", "o", -0.09), "strong": ("2 counts a pair", "s", -0.03), "noisy": ("0.5 counts, noise 0.5", "^", 0.03),
    "signed": ("same, readings signed", "v", 0.09),
}  # fmt: skip
READ, AMPLITUDE, SPREAD, FAINT = 10.0, 0.5, 0.2, 16  # s; counts; of time constants and gains; synapses drawn one by one
FINE = np.arange(-200, 200) / 4000 + 0.1e-3  # s; meets no lag at which spikes of two kinds coincide
MINUS = str.maketrans("-", "\u2212")


class Numbers:
    """The numbers of the rule by their own names, SI, its initial weight `w`, and its closed form in weight after / before."""

    def __init__(self, options: Options) -> None:
        self.circuits = {name: apply(options, song2000.pair(scheme).with_values(FITTED)) for name, (scheme, *_) in SCHEMES.items()}
        v = {path.partition(".")[2]: float(p.value) for path, p in self.circuits["reduced"].values.items()}
        self.rule = {name: v[name] for name in ("A_plus", "A_minus", "tau_plus", "tau_minus")}
        self.w = float(self.circuits["reduced"].models["stdp"].initial["w"].value)
        self.bounds = v["w_min"] / self.w, v["w_max"] / self.w

    def ratio(self, changes: object) -> np.ndarray:
        return np.clip(1 + np.asarray(changes) / self.w, *self.bounds)

    def window(self, lags: np.ndarray) -> np.ndarray:
        return self.ratio(pair.window(lags, 1.0, PAIRS, scheme=pair.nearest_reduced, **self.rule))

    def frequencies(self, lag: float, rates: np.ndarray) -> np.ndarray:
        return self.ratio([pair.window(lag, rate, 75, scheme=pair.nearest_reduced, **self.rule) for rate in rates.tolist()])

    def doublets(self, lags: np.ndarray, scheme: pair.Scheme) -> np.ndarray:
        pre = np.arange(30) / 5
        trains = [np.sort(np.concatenate([pre + lag - 0.0115, pre + lag])) for lag in lags.tolist()]
        return self.ratio([pair.weight_change(pre, post, scheme=scheme, **self.rule) for post in trains])

    def counted(self, lags: np.ndarray) -> np.ndarray:
        """The window of a sensor like all others: what the pairs between two readings are worth is rounded to counts."""
        tau = np.where(lags > 0, self.rule["tau_plus"], self.rule["tau_minus"])
        rate = np.where(lags > 0, self.rule["A_plus"], -self.rule["A_minus"]) / AMPLITUDE
        return self.ratio(PAIRS / READ * np.rint(READ * AMPLITUDE * np.exp(-np.abs(lags) / tau)) * rate)


def along(seen: Recording, coordinate: str, before: float) -> tuple[np.ndarray, np.ndarray]:
    """A coordinate in SI and the weight of every synapse after / before, shape (condition, synapse), in order."""
    x, ratio = seen.conditions[coordinate].values, seen["stdp.w"][:, -1, :] / before
    order = np.argsort(x)
    return x[order], ratio[order]


def spread(ax: Axes, x: np.ndarray, ratio: np.ndarray, colour: str, **more: object) -> None:
    """Medians with bars from the 10th to the 90th percentile over synapses."""
    low, middle, high = np.percentile(ratio, [10, 50, 90], axis=1)
    bars = {"fmt": "o", "markersize": 2.4, "elinewidth": 0.7, "markeredgewidth": 0.6, "zorder": 3, **more}
    ax.errorbar(x, middle, yerr=[middle - low, high - middle], color=colour, **bars)


def window(ax: Axes, seen: Recording, p: Numbers, own: tuple[object, ...]) -> tuple[np.ndarray, np.ndarray]:
    lags, ratio = along(measure.at(seen, kind=0), "lag", p.w)
    plot.reference(ax, x=0, y=1)
    sides = (lags < 0, lags > 0)
    for k, side in enumerate(sides):
        x, y, first = 1e3 * lags[side], ratio[side], k == 0
        ax.fill_between(x, *np.percentile(y, [10, 90], axis=1), color=plot.SKY, alpha=0.5, linewidth=0, label="10\u201390 %" * first)
        ax.plot(x, y[:, :FAINT], color=plot.BLUE, linewidth=0.25, alpha=0.5, label=["synapses" * first, *[""] * (FAINT - 1)][: y.shape[1]])
        ax.plot(x, np.median(y, axis=1), "o", color=plot.BLUE, markersize=2.2, markeredgewidth=0, zorder=4, label="median" * first)
        fine = FINE[(FINE < 0) == (k == 0)]
        plot.theory(ax, fine, p.window(fine), label="rule" * first, zorder=5)
        plot.theory(ax, fine, p.counted(fine), colour=plot.ORANGE, label="in counts" * first, zorder=4)
    near = bi1998.FIG7
    shown = np.abs(near.x) < 0.051
    plot.evidence(ax, near.x[shown], near.mean[shown], unit="ms", markersize=2.2, color=plot.GREY, zorder=1, label="cells")
    plot.overlay(ax, own, color=plot.GREEN, markersize=3, zorder=6)
    ax.set(ylim=(0.4, 2.2), xlabel="lag, post \u2212 pre (ms)", ylabel="weight after / before")
    return lags, ratio


def doublets(ax: Axes, seen: dict[str, Recording], p: Numbers) -> None:
    plot.reference(ax, x=0, y=1)
    for k, (name, (scheme, law, colour)) in enumerate(SCHEMES.items()):
        lags, ratio = along(measure.at(seen[f"chip_{name}"], kind=2), "lag", p.w)
        chosen = np.arange(k, lags.size, 2)  # every other one, or the bars would overlap
        spread(ax, 1e3 * lags[chosen], ratio[chosen], colour, label=scheme)
        for part in (FINE < 0, (FINE > 0) & (FINE < 0.0115), FINE > 0.0115):  # a spike passes the presynaptic one
            plot.theory(ax, FINE[part], p.doublets(FINE[part], law), colour=colour)
    ax.set(xlabel="lag to the last of two post spikes (ms)", ylim=(0.75, 1.85))
    ax.legend(loc="upper left", handletextpad=0.2, borderpad=0, borderaxespad=0.1)


def frequencies(ax: Axes, seen: dict[str, Recording], p: Numbers, own: tuple[object, ...]) -> dict[float, float]:
    """Returns the share of synapses that did not move at the lowest rate, by lag, with the weak sensors."""
    rates = np.geomspace(0.09, 55, 120)
    frozen = {}
    plot.reference(ax, y=1)
    for lag, (label, colour) in SIGNS.items():
        plot.theory(ax, rates, p.frequencies(lag, rates), unit="Hz", colour=colour)
        for name, shift, more in (("chip_reduced", 0.93, {}), ("chip_strong", 1.07, {"fmt": "s", "markerfacecolor": "white"})):
            x, ratio = along(measure.at(seen[name], kind=1, lag=f"{lag!r} s"), "rate", p.w)
            spread(ax, x * shift, ratio, colour, label=label if name == "chip_reduced" else None, **more)
            frozen.setdefault(lag, float(np.mean(np.isclose(ratio[0], 1))))
    plot.overlay(ax, own, color=plot.GREEN, markersize=3, zorder=6)
    ax.set_xscale("log")
    ax.set_xticks([0.1, 1, 10, 50], ["0.1", "1", "10", "50"])
    ax.set(xlabel="frequency of pairs (Hz)", ylim=(0.4, 2.4))
    for label, face in (("0.5 counts a pair", plot.BLACK), ("2 counts a pair", "white")):
        marker = "o" if face == plot.BLACK else "s"
        ax.plot([], [], marker, color=plot.BLACK, markerfacecolor=face, markersize=2.4, markeredgewidth=0.6, label=label)
    ax.legend(loc="upper right", handletextpad=0.2, borderpad=0, borderaxespad=0.1, labelspacing=0.3)
    return frozen


def readings(ax: Axes, seen: dict[str, Recording], p: Numbers) -> None:
    plot.reference(ax, y=1)
    for lag, (_, colour) in SIGNS.items():
        ax.axhline(float(p.window(np.array([lag]))[0]), color=plot.BLACK, linewidth=0.8, zorder=2)
        for name, (_, marker, shift) in SENSORS.items():
            ratio = np.stack([along(measure.at(seen[f"{name}_{at}"], lag=f"{lag!r} s"), "lag", p.w)[1][0] for at in PERIODS])
            where = np.array(list(PERIODS.values())) * 10.0 ** (1.6 * shift)
            spread(ax, where, ratio, colour, fmt=marker, markerfacecolor=colour if name == "weak" else "white", markersize=2.8)
    for label, marker, _ in SENSORS.values():
        ax.plot([], [], marker, color=plot.BLACK, markerfacecolor=plot.BLACK if marker == "o" else "white", markersize=2.8, label=label)
    ax.set_xscale("log")
    ax.set_xticks(list(PERIODS.values()), ["10 ms", "0.1 s", "1 s", "10 s", "60 s"])
    ax.minorticks_off()
    for y, side, shift in ((p.bounds[0], "lower", 0.06), (p.bounds[1], "upper", -0.32)):
        ax.axhline(y, color=plot.GREY, linewidth=0.6, linestyle=":", zorder=0)
        ax.text(100, y + shift, f"{side} bound", fontsize=6.5, ha="right", va="bottom")
    ax.set(xlabel="time between readings", ylabel="weight after / before", ylim=(-0.1, 4.0))
    ax.legend(loc="upper right", handletextpad=0.2, borderpad=0, borderaxespad=0.1, labelspacing=0.25)


def fitted(lags: np.ndarray, ratio: np.ndarray, guess: float) -> np.ndarray:
    """The time constant in s of each synapse's half of the window, by least squares with an amplitude of its own."""
    def law(x: np.ndarray, amplitude: float, tau: float) -> np.ndarray:
        return amplitude * np.exp(-x / tau)

    x, bounds = np.abs(lags), ([-5, 1e-3], [5, 0.2])
    return np.array([curve_fit(law, x, y, p0=[y[np.argmin(x)], guess], bounds=bounds)[0][1] for y in (ratio - 1).T])


def constants(ax: Axes, lags: np.ndarray, ratio: np.ndarray, p: Numbers) -> dict[str, tuple[float, float, float]]:
    """Returns the time constant wanted and the median of those fitted, in ms, and the spread of their logarithms, of both halves."""
    said = {}
    edges = np.geomspace(6, 80, 27)
    for side, name, label, colour in ((lags > 0, "tau_plus", "causal", plot.BLUE), (lags < 0, "tau_minus", "acausal", plot.VERMILION)):
        wanted, found = 1e3 * p.rule[name], 1e3 * fitted(lags[side], ratio[side], p.rule[name])
        ax.hist(np.clip(found, edges[0], edges[-1]), edges, color=colour, alpha=0.45, label=f"{label}, fitted")
        width, x = float(np.log(edges[1] / edges[0])), np.geomspace(edges[0], edges[-1], 200)
        density = np.exp(-((np.log(x / wanted) / SPREAD) ** 2) / 2) / (SPREAD * np.sqrt(2 * np.pi))
        ax.plot(x, found.size * width * density, color=colour, linewidth=1, label=f"{label}, of the sensors")
        ends = np.percentile(np.log(found), [15.87, 84.13])
        said[label] = wanted, float(np.median(found)), float(np.diff(ends)[0] / 2)
    ax.set_xscale("log")
    ax.set_xticks([10, 20, 40, 80], ["10", "20", "40", "80"])
    ax.minorticks_off()
    ax.set(xlabel="time constant of a synapse\u2019s window (ms)", ylabel="synapses", ylim=(0, 1.5 * ax.get_ylim()[1]))
    ax.legend(loc="upper right", handletextpad=0.4, handlelength=1, borderpad=0, borderaxespad=0)
    return said


def weights(ax: Axes, seen: Recording, p: Numbers) -> None:
    for lag, (label, colour) in SIGNS.items():
        steps = np.rint(measure.at(seen, kind=0, lag=f"{lag!r} s")["stdp.w"][:, -1, :].ravel() * STEPS).astype(int)
        ax.bar(*np.unique(steps, return_counts=True), width=0.8, color=colour, alpha=0.6, label=label)
        ax.axvline(float(p.window(np.array([lag]))[0]) * p.w * STEPS, color=colour, linewidth=0.9)
    ax.axvline(p.w * STEPS, color=plot.GREY, linewidth=0.6, linestyle=":")
    ax.set(xlabel="weight after 60 pairs (of 63 steps)", ylabel="synapses", xlim=(5, 68))
    ax.set_ylim(0, 1.35 * ax.get_ylim()[1])
    ax.legend(loc="upper right", handletextpad=0.4, handlelength=1, borderpad=0, borderaxespad=0)


def exactness(seen: dict[str, Recording], p: Numbers) -> float:
    """The largest difference of the simulated rule in real numbers from the lines, in weight after / before."""
    worst = 0.0
    for name, (_, law, _) in SCHEMES.items():
        run = seen[f"exact_{name}"]
        lags, ratio = along(measure.at(run, kind=0), "lag", p.w)
        twice = along(measure.at(run, kind=2), "lag", p.w)
        pairs = [(ratio, p.window(lags)), (twice[1], p.doublets(twice[0], law))]
        for lag in SIGNS:
            x, found = along(measure.at(run, kind=1, lag=f"{lag!r} s"), "rate", p.w)
            pairs.append((found, p.frequencies(lag, x)))
        worst = max(worst, *(float(np.abs(found[:, 0] - wanted).max()) for found, wanted in pairs))
    return worst


def caption(seen: dict[str, Recording], p: Numbers, lags: np.ndarray, ratio: np.ndarray, frozen: dict, taus: dict) -> str:
    """What is shown and what is lost, from the numbers."""
    off = STEPS * p.w * (np.median(ratio, axis=1) - p.window(lags))
    late = lags > 0.045
    still = 100 * float(np.mean(np.isclose(ratio[late], 1)))
    lost, drifted = ({name: along(seen[f"{name}_{at}"], "lag", p.w)[1] for name in SENSORS} for at in ("10_ms", "1_s"))
    stuck = 100 * float(np.mean(np.isclose(lost["weak"], 1)))
    full_up = 100 * float(np.mean(lost["noisy"] * p.w * STEPS > STEPS - 6))
    scatter = STEPS * p.w * float(lost["signed"].std(axis=1).max())
    wanted = float(p.window(np.array([-0.010]))[0])
    bias, unbiased = (f"{STEPS * p.w * (float(np.median(drifted[name][0])) - wanted):+.1f}".translate(MINUS) for name in ("noisy", "signed"))
    fits = "; ".join(f"{name} {wanted:.1f} ms: {found:.1f}, spread {wide:.2f}" for name, (wanted, found, wide) in taus.items())
    says = (
        f"{ratio.shape[1]} synapses of a simulated chip, each with sensors of its own; time constants and gains vary by {SPREAD:g} (lognormal, "
        "assumed; one gain for both sensors of a synapse). Points and bars: median, 10th to 90th percentile. Lines: the pair rule in real "
        f"numbers, fitted to the cells of Bi & Poo 1998 in a (simulated, it agrees within {exactness(seen, p):.0e}). a\u2013c, e, f: read every "
        f"{READ:g} s, {AMPLITUDE:g} counts for a pair at lag 0. a: the median is at most {np.abs(off).max():.1f} of 63 steps off; beyond 45 ms "
        f"{still:.0f} % of synapses stay still: 10 pairs are worth less than half a count. b: at 0.1 Hz, a pair per reading, "
        f"{100 * frozen[0.010]:.0f} % (+10 ms) and {100 * frozen[-0.010]:.0f} % (\u221210 ms) stay still, unless a pair makes 2 counts. c: pairing "
        "schemes differ only where spikes of one kind follow each other (every other lag each). d: read every 10 ms at 0.5 counts, "
        f"{stuck:.0f} % stay still. Noise of 0.5 counts is a dither only if readings may lie below that of an empty sensor (signed) and are few: "
        f"read every 10 ms it drives {full_up:.0f} % next to the upper bound or, signed, scatters weights by {scatter:.0f} steps (SD); every "
        f"1 s it moves the median by {bias} or {unbiased} steps (\u221210 ms). e: fits to single windows; wanted, median, spread of the logarithm: "
        f"{fits}. f: lines are the rule, dotted is where all began."
    )
    return textwrap.fill(says.replace(" %", "\u00a0%"), 146)


def main(options: Options) -> Path:
    full, p = is_full(options, STEM), Numbers(options)
    names = [f"{kind}_{scheme}" for kind in ("exact", "chip") for scheme in SCHEMES]
    names += ["chip_strong", *(f"{sensors}_{period}" for sensors in SENSORS for period in PERIODS)]
    exact = {f"exact_{name}": circuit for name, circuit in p.circuits.items()}
    seen = {name: recorded(options, name, exact[name]) if name in exact else load(options.out.with_suffix("") / f"{name}.nc") for name in names}
    by_unit = {unit: script.data(options, unit, ("ms", "Hz")) for unit in ("ms", "Hz")} if options.data else {"ms": (), "Hz": ()}
    with plot.style():
        figure, axes = plot.grid(2, 3, height=128)
        lags, ratio = window(axes[0, 0], seen["chip_reduced"], p, by_unit["ms"])
        axes[0, 0].legend(loc="upper left", handlelength=1, handletextpad=0.4, borderpad=0, borderaxespad=0.1, labelspacing=0.25)
        frozen = frequencies(axes[0, 1], seen, p, by_unit["Hz"])
        doublets(axes[0, 2], seen, p)
        readings(axes[1, 0], seen, p)
        taus = constants(axes[1, 1], lags, ratio, p)
        weights(axes[1, 2], seen["chip_reduced"], p)
        titles = ("60 pairs at 1 Hz", "75 pairs", "30 doublets at 5 Hz, 11.5 ms apart")
        titles += ("60 pairs at 1 Hz, \u00b110 ms", "windows of a", "weights of a, \u00b110 ms")
        for ax, letter, text in zip(axes.flat, "abcdef", titles, strict=True):
            plot.title(ax, letter, text)
        figure.supxlabel(caption(seen, p, lags, ratio, frozen, taus), x=0.01, ha="left", fontsize=6.5)
        if options.quick:
            figure.suptitle("quick version: few synapses, for a look only")
        written = plot.save(figure, Path(__file__).with_suffix("") if full else options.out.with_suffix(""), digest=plot.digest(seen))
    print(*written)
    return written[0]


if __name__ == "__main__":
    main(options(STEM))
