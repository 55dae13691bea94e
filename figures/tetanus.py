"""Draws results/tetanus/*.nc: weight against the rate of presynaptic pulses, for three rules and four kinds of postsynaptic firing.

`--quick`, `--set` and `--out` are to be given as for protocols/tetanus.py; only the full study goes to figures/. Tables of `--data` (weight after
/ before against the rate of 900 pulses) are drawn in all panels.
"""

import textwrap
from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from bioneuro import Circuit, Recording, measure, plot
from bioneuro.catalogue import graupner2012, pfister2006
from bioneuro.evidence import dudek1992
from bioneuro.measure import Curve
from bioneuro.script import Options, apply, data, is_full, options, recorded
from bioneuro.theory import graupner2012 as exact
from bioneuro.theory import triplet

STEM = Path(__file__).stem
FINE = np.geomspace(0.5, 50, 60)  # Hz
LAG, EVERY, POISSON = 0.005, {"following": 1, "fifth": 5}, 5.0  # s; every so many pulses; Hz
TETANUS, REST = 100, 1.0  # pulses and Hz; s of firing after the last pulse
COUNTED = 0.1  # a smaller change is taken for none
WANTED = [*((s.low, s.high, s.sign) for s in dudek1992.SIGNS), (TETANUS, TETANUS, 1)]  # Hz, Hz, sign
RULES = {
    "hippocampal": (graupner2012.pair("hippocampal slices"), "calcium rule, hippocampal slices"),
    "cortical": (graupner2012.pair("cortical slices"), "calcium rule, cortical slices"),
    "triplet": (pfister2006.pair("hippocampus all-to-all full"), "triplet rule, hippocampus"),
}
FIRING = {
    "silent": (plot.BLACK, "o", "silent"),
    "following": (plot.BLUE, "s", "each pulse"),
    "fifth": (plot.GREEN, "^", "every fifth"),
    "poisson": (plot.PURPLE, "D", "Poisson"),
}


def numbers(circuit: Circuit) -> dict[str, float]:
    return {path.partition(".")[2]: float(v.value) for path, v in circuit.values.items() if path.partition(".")[2] not in ("c", "rho", "w")}


def post(firing: str, pre: np.ndarray) -> np.ndarray:
    """Postsynaptic spikes for pulses `pre`, (rates, spikes), where they are certain."""
    return pre[:, :: EVERY[firing]] + LAG if firing in EVERY else pre[:, :0]


def calcium(p: dict[str, float], firing: str, rates: np.ndarray, pulses: int) -> np.ndarray:
    """Exact weight after over before, (rates,)."""
    pre = np.arange(pulses) / rates[:, None]
    return exact.ratio_of_trains(list(zip(pre, post(firing, pre), strict=True)), **p)


def triplets(p: dict[str, float], firing: str, rates: np.ndarray, pulses: int) -> np.ndarray:
    """Exact weight after over before, (rates,); its mean over all Poisson trains where the postsynaptic firing is random."""
    spikes = {k: p[k] for k in ("tau_plus", "tau_minus", "tau_x", "tau_y", "A2_plus", "A3_plus", "A2_minus", "A3_minus")}
    if firing == "poisson":
        return 1 + triplet.pulses_poisson(rates, pulses, POISSON, REST, **spikes)
    pre = np.arange(pulses) / rates[:, None]
    return np.array([1 + triplet.weight_change(x, y, **spikes) for x, y in zip(pre, post(firing, pre), strict=True)])


def law_of(p: dict[str, float]) -> Callable[[dict[str, float], str, np.ndarray, int], np.ndarray]:
    return calcium if "rho_star" in p else triplets


def seen_curve(p: dict[str, float], seen: Recording) -> Curve:
    if "triplet.w" in seen.traces:
        return measure.ratio(seen, along="rate", path="triplet.w", before=1)
    return measure.weight_ratio(seen, along="rate", beta=p["beta"], b=p["b"])


def expected(ax: Axes, low: float, high: float) -> None:
    """Where experiments lie, by sign: below, at or above the weight before."""
    for slow, fast, sign in WANTED:
        bottom, top = {-1: (low, 1 - COUNTED), 0: (1 - COUNTED, 1 + COUNTED), 1: (1 + COUNTED, high)}[sign]
        ax.fill_between([slow / 1.15, fast * 1.15], bottom, top, color=plot.YELLOW, alpha=0.45, linewidth=0, zorder=0)


def panel(ax: Axes, p: dict[str, float], recordings: dict[tuple[str, int], Recording]) -> dict[str, list[tuple[float, float]]]:
    """Draws all kinds of firing; returns, for each, the weight with its error where a sign is known: by the law, or else simulated."""
    found, law = {}, law_of(p)
    for firing, (colour, marker, _) in FIRING.items():
        curve, once = (seen_curve(p, recordings[firing, pulses]) for pulses in (900, TETANUS))
        x, y, error = (np.append(getattr(curve, part), getattr(once, part)) for part in ("x", "y", "error"))
        if firing == "poisson" and law is calcium:
            ax.plot(curve.x, curve.y, color=colour, linestyle=":", linewidth=0.8)
        else:
            plot.theory(ax, FINE, law(p, firing, FINE, 900), unit="Hz", colour=colour)
            y, error = np.append(law(p, firing, curve.x, 900), law(p, firing, once.x, TETANUS)), 0 * error
        plot.curve(ax, curve, colour=colour, marker=marker)
        plot.curve(ax, once, colour=colour, marker=marker)
        inside = [(x >= slow) & (x <= fast) for slow, fast, _ in WANTED]
        found[firing] = [(float(y[k].mean()), float(np.sqrt(np.sum(error[k] ** 2)) / k.sum())) for k in inside]
    plot.reference(ax, y=1)
    ax.axvline(70, color=plot.GREY, linewidth=0.6, linestyle="--")
    ticks = (0.5, 1, 3, 10, 30, 100)
    ax.set(xscale="log", xlim=(0.4, 140), xlabel="rate of pulses (Hz)", xticks=ticks, xticklabels=[f"{tick:g}" for tick in ticks])
    ax.minorticks_off()
    return found


def agrees(weight: float, error: float, sign: int) -> bool:
    """Whether a weight may have the sign that was found, within two standard errors."""
    change = weight - 1
    return abs(change) <= COUNTED + 2 * error if sign == 0 else sign * change + 2 * error > COUNTED


def table(ax: Axes, found: dict[str, list[tuple[float, float]]]) -> int:
    """The weights as numbers, with a mark where the sign is wrong; returns how many signs are right."""
    ax.set_axis_off()
    columns, right = (0.44, 0.65, 0.84, 1.04), 0
    ax.text(-0.1, 1.1, "post fires", va="top", fontsize=6.5)
    for x, head in zip(columns, ("1\u20133 Hz", "10 Hz", "50 Hz", "100 Hz"), strict=True):
        ax.text(x, 1.1, head, ha="right", va="top", fontsize=6.5)
    for row, (firing, (colour, _, label)) in enumerate(FIRING.items()):
        y = 0.84 - 0.26 * row
        ax.text(-0.1, y, label, color=colour, va="top", fontsize=6.5)
        good = [agrees(*value, sign) for value, (_, _, sign) in zip(found[firing], WANTED, strict=True)]
        for x, (weight, _), fine in zip(columns, found[firing], good, strict=True):
            shown = f"{weight:.{2 if abs(weight) < 2 else 1 if abs(weight) < 10 else 0}f}"
            text = shown.replace("-", "\u2212") + ("" if fine else " ✗")
            ax.text(x, y, text, color=plot.BLACK if fine else plot.VERMILION, ha="right", va="top", fontsize=6.5)
        right += sum(good)
    return right


def crossing(p: dict[str, float], firing: str) -> float:
    """Rate (Hz) above which 900 pulses potentiate."""
    weight = law_of(p)(p, firing, FINE, 900)
    k = int(np.flatnonzero(weight < 1 - 1e-6).max())
    return float(np.exp(np.interp(1, weight[k : k + 2], np.log(FINE[k : k + 2]))))


def caption(right: dict[str, int], p: dict[str, float]) -> str:
    rates = ", ".join(f"{crossing(p, firing):.0f}" for firing in ("silent", "following", "fifth"))
    return textwrap.fill(
        "900 pulses, and right of the dashed line 100 pulses at 100 Hz. Postsynaptic firing is assumed: silent, 5 ms after each or every fifth "
        "pulse, or Poisson of 5 Hz. Lines: exact laws; dotted: Monte Carlo only. Yellow: signs that were found (Dudek & Bear 1992; 100 Hz: Bliss & "
        f"Lømo 1973; from memory); a change of {100 * COUNTED:.0f} % or less is none. Table: weights, ✗ wrong sign. Signs right: "
        f"{right['hippocampal']}, {right['cortical']} and {right['triplet']} of {len(FIRING) * len(WANTED)}. With the set for hippocampal slices "
        f"potentiation begins at {rates} Hz (silent, each, fifth). The triplet rule has no bounds.",
        152,
    )


def main(options: Options) -> Path:
    folder = options.out.with_suffix("")
    full = is_full(options, STEM)
    used: dict[str, Recording] = {}
    right, known = {}, {}
    with plot.style():
        figure, axes = plot.grid(2, 3, height=118, gridspec_kw={"height_ratios": (1, 0.3)})
        for k, (rule, (published, name)) in enumerate(RULES.items()):
            circuit = apply(options, published)
            mine = {(f, n): recorded(options, f"{rule}_{f}_{n}", circuit) for f in FIRING for n in (900, TETANUS)}
            used |= {f"{rule}_{f}_{n}": seen for (f, n), seen in mine.items()}
            known[rule] = numbers(circuit)
            right[rule] = table(axes[1, k], panel(axes[0, k], known[rule], mine))
            expected(axes[0, k], 0, 12)
            plot.title(axes[0, k], "abc"[k], name)
            plot.overlay(axes[0, k], data(options, "Hz"))
            axes[0, k].set_ylim(0.4, 2.4)
        axes[0, 0].set_ylabel("weight after / before")
        axes[0, 2].set_yscale("symlog", linthresh=2, linscale=1.5)
        axes[0, 2].minorticks_off()
        axes[0, 2].set(ylim=(-110, 12), yticks=(-100, -10, -2, 0, 1, 2, 10), yticklabels=("\u2212100", "\u221210", "\u22122", "0", "1", "2", "10"))
        axes[0, 2].axhspan(-110, 0, color=plot.GREY, alpha=0.2, linewidth=0, zorder=0)
        axes[0, 2].text(0.45, -60, "below 0", fontsize=6.5, va="center")
        figure.supxlabel(caption(right, known["hippocampal"]), x=0.01, ha="left", fontsize=6.5, linespacing=1.4)
        if options.quick:
            figure.suptitle("quick version: few repetitions, for a look only")
        written = plot.save(figure, Path(__file__).with_suffix("") if full else folder, digest=plot.digest(used))
    print(*written)
    return written[0]


if __name__ == "__main__":
    main(options(STEM))
