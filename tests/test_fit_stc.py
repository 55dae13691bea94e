"""Gradients through eight hours of tagging and capture, and planted values found again by protocols/fit_stc.py."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scripts import loaded

from bioneuro import fit, load, protocol, replay
from bioneuro.brian import simulate
from bioneuro.catalogue import luboeinski2021
from bioneuro.fit import Fit, curve_error, lbfgs
from bioneuro.model import Circuit
from bioneuro.protocol import Protocol
from bioneuro.recording import Recording
from bioneuro.script import Options
from bioneuro.twin import Twin

ROOT = Path(__file__).resolve().parent.parent
MODEL = "luboeinski2021"
STEP = 1e-5  # along the free line; a smaller one would show the rounding of the loss where a slope is small
FEW = [f"{t} s" for t in (600, 1800, 3600, 7200, 14400, 25200)]




script, figure = loaded("protocols", "fit_stc"), loaded("figures", "fit_stc")


def compare(circuit: Circuit, todo: Protocol, paths: list[str], loss, ledger, check: str) -> None:
    """The twin's gradient of the loss in the free line of every parameter against its central difference, relative to this."""
    twin = Twin(circuit, free=paths)
    loss(twin(todo, seed=1)).backward()
    for (key, raw), path in zip(twin.raw.items(), paths, strict=True):
        ends = []
        with torch.no_grad():
            for shift in (STEP, -2 * STEP):
                raw += shift
                ends.append(float(loss(twin(todo, seed=1))))
            raw += STEP
        slope = (ends[0] - ends[1]) / (2 * STEP)
        assert slope != 0, key
        ledger(MODEL, "central differences", f"gradient of an eight-hour loss, {check}: d/d {path}", abs(float(raw.grad) / slope - 1), 1e-6)


def distance(seen: Recording, protein: str) -> torch.Tensor:
    """Of h, z and p from values that nothing reaches, so that every reading counts."""
    h, z, p = seen["stc.h"] / 4.20075e-3, seen["stc.z"], seen[protein]
    return ((h - 1.2) ** 2).mean() + ((z - 0.3) ** 2).mean() + ((p - 0.2) ** 2).mean()


FIRST = ("gamma_p", "gamma_d", "theta_tag", "theta_pro", "tau_h", "tau_p")
OTHERS = ("leak", "h0", "h_max", "sigma_pl", "theta_p", "theta_d", "tau_Ca", "Cpre", "tau_z", "alpha")


@pytest.mark.parametrize("names", [FIRST, pytest.param(OTHERS, marks=pytest.mark.slow)], ids=["learned", "others"])
def test_gradient_through_eight_hours(names, ledger):
    """Noise drawn, crossings of calcium, falls of tag and synthesis included; three trials of a strong and of a weak tetanus."""
    todo = protocol.induction([protocol.STET, protocol.WTET], reads=FEW, repetitions=3)
    compare(luboeinski2021.single(), todo, [f"stc.{n}" for n in names], lambda seen: distance(seen, "stc.p"), ledger, "one pathway")


def test_gradient_through_a_shared_protein(ledger):
    """Capture on S2 depends on the sum over both pathways."""
    todo = protocol.two_pathways(protocol.STET, protocol.WTET, "1800 s", reads=FEW, duration="28800 s")
    paths = ["stc.gamma_p", "stc.theta_tag", "neuron.theta_pro", "neuron.alpha"]
    compare(luboeinski2021.pathways(), todo, paths, lambda seen: distance(seen, "neuron.p"), ledger, "two pathways")


def parts(quick: bool = True) -> tuple[tuple[Circuit, Protocol], tuple[Circuit, Protocol]]:
    made = script.plan(Options(quick=quick, out=Path("unused.nc")))
    return made["target"], made["planted"]


def found_from(factors: dict[str, float], steps: int) -> tuple[Fit, Circuit, Protocol]:
    """The fit of the script from another start: what was found, the planted circuit, and the protocol of the replay."""
    (planted, window), (quiet, once) = parts()
    target = simulate(planted, window, seed=0)
    errors = [curve_error(curve, of=lambda seen, k=k: script.courses(seen)[k]) for k, curve in enumerate(script.courses(target))]
    twin = Twin(quiet.with_values({path: quiet.values[path].quantity * x for path, x in factors.items()}), free=factors)
    found = fit(twin, once, loss=lambda seen: sum(error(seen) for error in errors), optimiser=lbfgs(steps=steps, patience=2), moments=False)
    return found, planted, once


def near(found: Circuit, planted: Circuit, ledger, check: str) -> None:
    for path in script.START:
        off = abs(float(found.values[path].value / planted.values[path].value) - 1)
        ledger(f"fit, {MODEL}", "planted value", f"{check}: {path}, relative", off, 0.05)


def test_planted_values_are_found_and_the_replay_agrees(ledger):
    """As `--quick` does it, with the noise back in the replay."""
    found, planted, once = found_from(script.START, steps=3)
    near(found.circuit, planted, ledger, "quick, start of the script")
    assert found.losses.min() < 1e-3 * found.losses[0]
    noisy = planted.with_values({path: found.circuit.values[path] for path in script.START})
    verdicts = replay(replace(found, circuit=noisy, twin=Twin(noisy)), once, seed=1, targets=("numpy",))
    for engine, verdict in verdicts.items():
        assert verdict, f"{engine}: {verdict}"
        worst = max(row.difference for row in verdict.rows)
        ledger(f"fit, {MODEL}", f"fitted circuit in Brian2, {engine}", "h and z over eight hours, relative", worst, 1e-9)


def test_without_noise_the_rule_gives_the_means(ledger):
    """What the fit rests on: given the trains, the mean of h is exactly h without noise, and that of z within its standard error."""
    (planted, window), (quiet, once) = parts(quick=False)
    target, still = script.courses(simulate(planted, window, seed=0)), script.courses(simulate(quiet, once, seed=0, target="numpy"))
    per_train = np.sqrt(script.TRAINS * script.REPETITIONS)
    for noisy, mean, (train, path), spread in zip(target, still, script.CURVES, (0.015, 0.009, 0.013), strict=True):
        scale = 4.20075e-3 if path == "stc.h" else 1.0
        far = float(np.abs(noisy.y - mean.y).max()) / scale / (spread / per_train)
        check = f"mean of {path} given the trains, {('STET', 'WTET')[train]}, in standard errors of the noise"
        ledger(MODEL, "the rule without noise", check, far, 4.0)


@pytest.mark.slow
@pytest.mark.parametrize("factors", [(0.6, 1.45, 0.55), (1.5, 1.5, 0.6), (0.65, 0.6, 1.4)])
def test_planted_values_are_found_from_other_starts(factors, ledger):
    found, planted, _ = found_from(dict(zip(script.START, factors, strict=True)), steps=12)
    near(found.circuit, planted, ledger, f"quick, start {factors}")


@pytest.mark.slow
def test_the_script_in_full(tmp_path, ledger):
    """Its fit, its verdicts, and its slopes: those of the twin are those of Brian2; the weak tetanus alone tells one number."""
    folder = script.main(Options(out=tmp_path / "fit_stc.nc"))
    seen = {name: load(folder / f"{name}.nc") for name in ("target", "steps", "slopes")}
    planted = luboeinski2021.single()
    for path in script.START:
        off = abs(seen["steps"].conditions[path].values[-1] / float(planted.values[path].value) - 1)
        ledger(f"fit, {MODEL}", "planted value", f"500 trials: {path}, relative", off, 0.05)
    assert [note.partition("\n")[0] for note in seen["steps"].provenance.notes] == [f"replay on {e}: agree" for e in ("cpp", "cython", "numpy")]
    h0 = float(planted.values["stc.h0"].value)
    slope = figure.slopes(seen["slopes"], h0)
    apart = float(np.max(np.abs(slope[0] - slope[1]).max(axis=(1, 2)) / np.abs(slope[1]).max(axis=(1, 2))))
    ledger(f"fit, {MODEL}", "central differences in Brian2", "slope of every reading, relative to the largest of its curve", apart, 1e-6)
    errors = figure.errors(seen["target"], slope[1], h0)
    assert np.all(np.isinf(errors["WTET\nalone"]))
    assert errors["both"].max() < 0.01
    assert errors["both"][0] < errors["STET\nalone"][0]
