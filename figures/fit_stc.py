"""Draws results/fit_stc/*.nc: two time courses of eight hours, the rule fitted to them, the way there, and what each reading tells.

`--quick`, `--set` and `--out` name the results as they did for protocols/fit_stc.py; only the full study goes to figures/. `--data` lays measured
early phases (weight after / before against the time in s) over panel a.
"""

import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from bioneuro import Circuit, Recording, load, measure, plot, script
from bioneuro.catalogue import luboeinski2021
from bioneuro.script import Options, apply, is_full, options, recorded

STEM = Path(__file__).stem
RECORDINGS = ("target", "planted", "start", "fitted", "steps", "slopes")
CURVES = {(0, "stc.h"): "h of STET", (0, "stc.z"): "z of STET", (1, "stc.h"): "h of WTET"}
PARAMETERS = {
    "stc.gamma_p": (r"$\gamma_p$", plot.VERMILION, "o"),
    "stc.gamma_d": (r"$\gamma_d$", plot.BLUE, "s"),
    "stc.theta_tag": (r"$\theta_{tag}$", plot.GREEN, "^"),
}
NAMES = {"stc.gamma_p": "\u03b3p", "stc.gamma_d": "\u03b3d", "stc.theta_tag": "\u03b8tag"}
TICKS = {60: "1 min", 600: "10 min", 3600: "1 h", 25200: "7 h"}
GIVEN = {"WTET\nalone": (2,), "STET\nalone": (0, 1), "both": (0, 1, 2)}


def curves(seen: Recording, h0: float) -> list[measure.Curve]:
    """Means over trials with their standard errors, h in units of h0."""
    found = [measure.course(measure.at(seen, train=train), path=path) for train, path in CURVES]
    units = [h0 if path == "stc.h" else 1.0 for _, path in CURVES]
    return [
        measure.Curve(name=c.name, x=c.x - 3600, unit=c.unit, y=np.asarray(c.y) / u, error=np.asarray(c.error) / u)
        for c, u in zip(found, units, strict=True)
    ]


def hours(ax: Axes) -> None:
    ax.set(xscale="log", xlabel="time from first pulse", xticks=list(TICKS), xticklabels=list(TICKS.values()))
    ax.minorticks_off()


def courses(axes: Sequence[Axes], seen: dict[str, Recording], h0: float) -> None:
    found = {name: curves(seen[name], h0) for name in ("target", "start", "fitted")}
    for k, ax in enumerate(axes):
        start, fitted, target = (found[name][k] for name in ("start", "fitted", "target"))
        plot.curve(ax, target, colour=plot.BLUE, label="target", markerfacecolor="none", markeredgewidth=0.7, markersize=3.5)
        plot.theory(ax, start.x, start.y, unit="second", colour=plot.ORANGE, linestyle="--", label="twin, start")
        plot.theory(ax, fitted.x, fitted.y, unit="second", colour=plot.VERMILION, label="twin, fitted")
        hours(ax)
    for name, y in (("STET", 1.7), ("WTET", 1.13)):
        axes[0].text(60, y, name, fontsize=6.5)


def values(ax: Axes, steps: Recording, planted: Circuit) -> None:
    plot.reference(ax, y=100)
    for path, (symbol, colour, marker) in PARAMETERS.items():
        percent = 100 * steps.conditions[path].values / planted.values[path].value
        ax.plot(percent, marker=marker, color=colour, label=f"{symbol}: {percent[-1]:.1f} %")
    ax.set(xlabel="step of L-BFGS", ylabel="value (% of planted)")
    ax.locator_params(axis="x", integer=True)
    ax.legend(title="at the end", handlelength=1.5)


def losses(ax: Axes, seen: dict[str, Recording], h0: float) -> None:
    loss = seen["steps"]["fit.loss"][:, 0, 0]
    ax.semilogy(loss, "o-", color=plot.BLACK)
    pairs = zip(curves(seen["target"], h0), curves(seen["planted"], h0), strict=True)
    noise = sum(float(np.mean((target.y - planted.y) ** 2) / np.mean(target.error**2)) for target, planted in pairs)
    ax.axhline(noise, color=plot.BLUE, linestyle=":", linewidth=0.8)
    ax.text(0.99, noise * 1.3, "planted values", color=plot.BLUE, fontsize=6.5, ha="right", transform=ax.get_yaxis_transform())
    ax.set(xlabel="step of L-BFGS", ylabel="loss (squared standard errors)")
    ax.locator_params(axis="x", integer=True)


def slopes(seen: Recording, h0: float) -> np.ndarray:
    """(engine, curve, reading, parameter), h in units of h0; engine 0 is the twin, 1 is Brian2."""
    whole = np.stack([seen[path][:, :, 0] for path in PARAMETERS], axis=-1)
    units = np.array([h0 if path == "stc.h" else 1.0 for _, path in CURVES])
    return whole.reshape(2, len(CURVES), *whole.shape[1:]) / units[:, None, None]


def sensitivity(ax: Axes, x: np.ndarray, both: np.ndarray) -> None:
    """Slopes (engine, reading, parameter) of one curve, in units of 1 % of the parameter."""
    plot.reference(ax, y=0)
    for k, (symbol, colour, marker) in enumerate(PARAMETERS.values()):
        ax.plot(x, both[1, :, k], "-", color=colour, linewidth=0.8)
        ax.plot(x, both[0, :, k], marker, color=colour, label=symbol)
    hours(ax)


def errors(target: Recording, slope: np.ndarray, h0: float) -> dict[str, np.ndarray]:
    """What the noise of the target makes of the fit: relative standard errors of the parameters, by which curves are used; inf: undetermined.

    To first order: the fit is a linear map of the readings, and their covariance is that over repetitions of the same trains.
    """
    weights = [1 / np.sqrt(np.mean(curve.error**2)) for curve in curves(target, h0)]
    each = []
    for train, path in CURVES:
        seen = measure.at(target, train=train)
        count = np.unique(seen.conditions["repetition"].values).size
        each.append(seen[path][:, :, 0].reshape(-1, count, seen.times.shape[1]).mean(axis=1) / (h0 if path == "stc.h" else 1.0))
    found = {}
    for name, used in GIVEN.items():
        J = np.concatenate([weights[k] * slope[k] for k in used])
        known = np.flatnonzero(np.abs(J).max(axis=0) > 0)
        u, s, v = np.linalg.svd(J[:, known], full_matrices=False)
        samples = np.concatenate([weights[k] * each[k] for k in used], axis=1)
        inverse = (v.T / s) @ u.T
        variance = inverse @ np.cov(samples, rowvar=False) @ inverse.T / samples.shape[0]
        found[name] = np.full(len(PARAMETERS), np.inf)
        if s[-1] > 1e-6 * s[0]:
            found[name][known] = np.sqrt(np.diag(variance))
    return found


def determined(ax: Axes, found: dict[str, np.ndarray]) -> None:
    top = 20.0
    for k, (symbol, colour, marker) in enumerate(PARAMETERS.values()):
        percent = np.array([100 * error[k] for error in found.values()])
        x = np.arange(len(found)) + 0.2 * (k - 1)
        sure = np.isfinite(percent)
        ax.plot(x[sure], percent[sure], marker, color=colour, markersize=4, label=symbol)
        for at in x[~sure]:
            ax.annotate("", (at, top), (at, 0.4 * top), arrowprops={"arrowstyle": "->", "color": colour, "linewidth": 1})
    ax.axhline(5, color=plot.GREY, linestyle="--", linewidth=0.6, zorder=0)
    ax.set(yscale="log", ylim=(0.05, top), xlim=(-0.5, len(found) - 0.5), xticks=range(len(found)), xticklabels=list(GIVEN))
    ax.set(ylabel="error of parameter (%)", yticks=(0.1, 1, 5), yticklabels=("0.1", "1", "5"))
    ax.minorticks_off()


def caption(seen: dict[str, Recording], planted: Circuit, slope: np.ndarray) -> str:
    steps, target = seen["steps"], seen["target"]
    off = ", ".join(
        f"{NAMES[path]} {100 * (steps.conditions[path].values[-1] / planted.values[path].value - 1):+.2f} %".replace("-", "\u2212")
        for path in PARAMETERS
    )
    apart = float(np.max(np.abs(slope[0] - slope[1]).max(axis=(1, 2)) / np.abs(slope[1]).max(axis=(1, 2))))
    notes = [note.partition("\n")[0].removeprefix("replay on ") for note in steps.provenance.notes]
    trains = np.unique(target.conditions["repetition"].values).size
    text = (
        f"Target: Brian2, {trains} Poisson trains each, repeated {target.n_trials // 2 // trains} times with noise; the fit knows the trains, not "
        f"the noise. Fitted minus planted: {off}. Fitted circuit replayed in Brian2 with other trains and noise, draw for draw against the "
        f"twin: {', '.join(notes)}. e, f, g: markers are the twin's gradient, lines central differences in Brian2, at most {apart:.0e} of the "
        "largest slope apart. After WTET every reading tells the same one number, so it cannot part the two rates; STET comes close to its "
        f"fixed point and sees mostly their ratio; {NAMES['stc.theta_tag']} shows only once the tag has ended. h: standard errors to expect "
        "from the noise of the target, by the courses that are fitted (each weighs the same, so more need not be better for all); arrows: "
        "undetermined."
    )
    return textwrap.fill(text, 150)


def main(options: Options) -> Path:
    folder = options.out.with_suffix("")
    full = is_full(options, STEM)
    planted = apply(options, luboeinski2021.single())
    h0 = float(planted.values["stc.h0"].value)
    seen = {name: load(folder / f"{name}.nc") for name in RECORDINGS} | {"target": recorded(options, "target", planted)}
    slope = slopes(seen["slopes"], h0)
    with plot.style():
        figure, axes = plot.grid(2, 4, height=118)
        courses((axes[0, 0], axes[0, 1], axes[0, 0]), seen, h0)
        axes[0, 0].set(ylabel="early phase h / h0")
        axes[0, 1].set(ylabel="late phase z")
        values(axes[0, 2], seen["steps"], planted)
        losses(axes[0, 3], seen, h0)
        x = seen["slopes"].times[0] - 3600
        for k in range(3):
            sensitivity(axes[1, k], x, slope[:, k])
        axes[1, 0].set_ylabel("slope by ln of parameter")
        axes[1, 2].legend(loc="upper right")
        determined(axes[1, 3], errors(seen["target"], slope[1], h0))
        plot.overlay(axes[0, 0], script.data(options, "second"), color=plot.BLACK, zorder=5)
        axes[0, 1].legend(loc="upper left", handlelength=1.5)
        says = ("early phase", "late phase, STET", "parameters", "loss", *(f"what {text} tells" for text in CURVES.values()), "errors to expect")
        for ax, letter, text in zip(axes.flat, "abcdefgh", says, strict=True):
            plot.title(ax, letter, text)
        figure.supxlabel(caption(seen, planted, slope), x=0.01, ha="left", fontsize=6.5, linespacing=1.4)
        if options.quick:
            figure.suptitle("quick version: few trains and repetitions, for a look only")
        used = {name: seen[name] for name in ("target", "planted")}  # the others depend on the last bits of the machine
        written = plot.save(figure, Path(__file__).with_suffix("") if full else folder, digest=plot.digest(used))
    print(*written)
    return written[0]


if __name__ == "__main__":
    main(options(STEM))
