"""Draws results/spike_doublets/*.nc: three rules under single pairs and doublets, each with its exact law, against the shapes that were found.

`--quick`, `--set` and `--out` are to be given as for protocols/spike_doublets.py; only the full study goes to figures/. Tables of `--data`
named single, doublets_100 or doublets_30 are drawn in their column, others in all.
"""

import textwrap
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from bioneuro import Circuit, Recording, measure, plot
from bioneuro.catalogue import graupner2012, pfister2006
from bioneuro.measure import Curve
from bioneuro.script import Options, apply, data, is_full, options, recorded
from bioneuro.theory import graupner2012 as exact
from bioneuro.theory import triplet

STEM = Path(__file__).stem
FINE = np.arange(-200, 201) / 2000 + 0.1e-3  # s; meets no lag at which two spikes coincide, where the triplet rule jumps
RATE, BETWEEN = 5.0, 0.0115  # Hz, s
COUNTED = 0.1  # a smaller change is taken for none
SHORT = 0.06  # s; beyond it no potentiation was found
RULES = {
    "slices": (graupner2012.pair("hippocampal slices"), plot.BLUE, "calcium rule,\nhippocampal slices"),
    "cultures": (graupner2012.pair("hippocampal cultures"), plot.GREEN, "calcium rule,\nhippocampal cultures"),
    "triplet": (pfister2006.pair("hippocampus all-to-all full"), plot.PURPLE, "triplet rule,\nhippocampal cultures"),
}
LIMITS = {"slices": (0.45, 1.9), "cultures": (0.5, 1.65), "triplet": (-0.6, 3.2)}
#            protocol        repeats  post spikes   up, down as found, title, found
PROTOCOLS = {
    "single": (200, (0.0,), (False, True), "200 single pairs", "depression only"),
    "doublets_100": (100, (-BETWEEN, 0.0), (True, True), "100 × (1 pre, 2 post)", "potentiation and depression"),
    "doublets_30": (30, (-BETWEEN, 0.0), (True, False), "30 × (1 pre, 2 post)", "potentiation only"),
}


def law(circuit: Circuit, repeats: int, offsets: tuple[float, ...]) -> np.ndarray:
    """Weight after over before at the lags of `FINE`: the exact mean of the calcium rule, the explicit sum of the triplet rule."""
    p = {path.partition(".")[2]: float(v.value) for path, v in circuit.values.items()}
    if "calcium.rho_star" in circuit.values:
        stays = exact.pulsed_stays(
            FINE, RATE, repeats, post_offsets=offsets, **{k: p[k] for k in ("tau_Ca", "Cpre", "Cpost", "theta_d", "theta_p", "D")}
        )
        end = exact.pulsed(stays, **{k: p[k] for k in ("gamma_d", "gamma_p", "sigma", "tau", "rho_star")})
        return exact.weight_ratio(end.U, end.D, p["beta"], p["b"])
    values = {k: v for k, v in p.items() if k in ("tau_plus", "tau_minus", "tau_x", "tau_y", "A2_plus", "A3_plus", "A2_minus", "A3_minus")}
    trains = [triplet.repeated([0.0], lag + np.array(offsets), rate=RATE, count=repeats) for lag in FINE]
    return 1 + np.array([triplet.weight_change(*train, **values) for train in trains])


def window(circuit: Circuit, seen: Recording) -> Curve:
    if "triplet.w" in seen.traces:
        return measure.ratio(seen, path="triplet.w", before=1)
    beta, b = (float(circuit.values[f"calcium.{x}"].value) for x in ("beta", "b"))
    return measure.weight_ratio(seen, beta=beta, b=b)


def verdict(ax: Axes, line: np.ndarray, found: tuple[bool, bool]) -> bool:
    """Writes the largest changes into the panel, and how they differ from what was found; returns whether they do not."""
    up, down = max(line.max() - 1, 0.0), max(1 - line.min(), 0.0)
    wrong = [
        f"{'no ' if want else ''}{name}" for name, want, size in zip(("potentiation", "depression"), found, (up, down), strict=True)
        if want != (size > COUNTED)
    ]  # fmt: skip
    if line[np.abs(FINE) > SHORT].max() > 1 + COUNTED:
        wrong.append("potentiation at long lags")
    if line.min() < 0:
        wrong.append("weight below 0")
    says, colour = ("\n".join(f"\u2717 {what}" for what in wrong), plot.VERMILION) if wrong else ("\u2713 as found", plot.BLACK)
    text = f"+{100 * up:.0f} %, \u2212{100 * down:.0f} %\n{says}"
    ax.text(0.02, 0.99, text, color=colour, transform=ax.transAxes, va="top", fontsize=6.5, linespacing=1.3)
    return not wrong


def panel(ax: Axes, circuit: Circuit, seen: Recording, protocol: str, colour: str) -> bool:
    repeats, offsets, found, _, _ = PROTOCOLS[protocol]
    line, points = law(circuit, repeats, offsets), window(circuit, seen)
    plot.reference(ax, x=0, y=1)
    label = f"Monte Carlo,\n{round(seen.n_trials / points.x.size / 2)} per state" if points.error.any() else "simulated"
    plot.theory(ax, FINE, line, label="exact law")
    plot.curve(ax, points, colour=colour, label=label)
    return verdict(ax, line, found)


def caption(right: dict[str, int]) -> str:
    return textwrap.fill(
        "What was found at 5 Hz in slices of hippocampus is from memory (Wittenberg & Wang 2006): shapes, no numbers; a change of "
        f"{100 * COUNTED:.0f} % or less is taken for none. The rule fitted to these slices has {right['slices']} of the 3 shapes. Of the "
        f"rules fitted to cultures at 1 Hz, where single pairs potentiate, the calcium rule has {right['cultures']} and the triplet rule, "
        f"which has no bounds, {right['triplet']}.",
        150,
    )


def main(options: Options) -> Path:
    folder = options.out.with_suffix("")
    full = is_full(options, STEM)
    used: dict[str, Recording] = {}
    right = dict.fromkeys(RULES, 0)
    with plot.style():
        figure, axes = plot.grid(3, 3, height=125, sharex=True, sharey="row")
        for row, (rule, (published, colour, name)) in zip(axes, RULES.items(), strict=True):
            circuit = apply(options, published)
            for ax, protocol in zip(row, PROTOCOLS, strict=True):
                used[f"{rule}_{protocol}"] = seen = recorded(options, f"{rule}_{protocol}", circuit)
                right[rule] += panel(ax, circuit, seen, protocol, colour)
                plot.overlay(ax, [t for t in data(options, "ms") if t.name == protocol or t.name not in PROTOCOLS])
            row[0].set_ylim(LIMITS[rule])
            row[0].set_ylabel(f"{name}\nweight after / before")
            row[2].legend(loc="lower left", handlelength=1.2, borderaxespad=0.1)
        for ax, letter, (_, _, _, title, found) in zip(axes[0], "abc", PROTOCOLS.values(), strict=True):
            plot.title(ax, letter, f"{title}\n     found: {found}")
        for ax in axes[-1]:
            ax.set(xlabel="lag, last post \u2212 pre (ms)", xlim=(-100, 100))
        figure.supxlabel(caption(right), x=0.01, ha="left", fontsize=6.5, linespacing=1.4)
        if options.quick:
            figure.suptitle("quick version: few repetitions, for a look only")
        written = plot.save(figure, Path(__file__).with_suffix("") if full else folder, digest=plot.digest(used))
    print(*written)
    return written[0]


if __name__ == "__main__":
    main(options(STEM))
