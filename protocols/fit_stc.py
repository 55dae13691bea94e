"""Rates of plasticity and the threshold of the tag, found again from two time courses: a gradient through eight hours.

Luboeinski & Tetzlaff 2021, Commun Biol 4:275, doi 10.1038/s42003-021-01778-y. Brian2 records h and z after a strong and a weak tetanus. A twin
starts 35 to 50 % away from gamma_p, gamma_d and theta_tag and learns them from means over trials at ten times.

The fit knows the Poisson trains, as an experimenter knows the pulses that were given (ten other weak trains alter the mean change by a tenth). It
does not know the noise: the target has many repetitions of every train, the fit none. Given the trains, h without noise is exactly the mean of h.

Writes results/fit_stc/*.nc: `target`; without noise the `planted`, `start` and `fitted` circuit; `steps`: a trial per step, its trace the loss, its
notes how the replay ended; `slopes` of each reading by the logarithm of each parameter: curves by the twin, then by central differences in Brian2.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from bioneuro import Circuit, Protocol, Recording, Twin, brian, fit, measure, protocol, replay, save
from bioneuro.catalogue import luboeinski2021
from bioneuro.fit import curve_error, lbfgs
from bioneuro.script import Options, apply, options, unused

READS = [f"{t} s" for t in (60, 600, 1050, 1201, 1800, 3600, 7200, 10800, 14400, 25200)]
CURVES = (0, "stc.h"), (0, "stc.z"), (1, "stc.h")  # which train, and what is read of it
TRAINS, REPETITIONS, QUICK, QUICK_REPETITIONS, SHIFT = 10, 50, 4, 20, 1e-4  # shift: of central differences, relative
START = {"stc.gamma_p": 1.4, "stc.gamma_d": 0.65, "stc.theta_tag": 1.5}  # times the planted value


def plan(options: Options) -> dict[str, tuple[Circuit, Protocol]]:
    """What is planted and recorded, by the name of its recording."""
    trains, count = (QUICK, QUICK_REPETITIONS) if options.quick else (TRAINS, REPETITIONS)
    once = protocol.induction([protocol.STET, protocol.WTET], reads=READS, repetitions=trains, record=("stc.h", "stc.z"))
    trials = {name: replace(c, values=np.tile(c.values, count)) for name, c in once.trials.items()}
    planted = apply(options, luboeinski2021.single())
    quiet = planted.with_values({"stc.sigma_pl": "0 mV"})
    return {"target": (planted, replace(once, trials=trials, stimulus=np.tile(once.stimulus, count))), "planted": (quiet, once)}


def courses(seen: Recording) -> list[measure.Curve]:
    return [measure.course(measure.at(seen, train=train), path=path) for train, path in CURVES]


def slopes(twin: Twin, once: Protocol, seed: int) -> Recording:
    seen, raw, made = twin(once, seed=seed), list(twin.raw.values()), {}
    rows = [[torch.autograd.grad(y, raw, retain_graph=True, materialize_grads=True) for y in c.y] for c in courses(seen)]
    for k, path in enumerate(twin.free):
        value, per = twin.circuit.values[path].quantity, twin.value(path).item() / torch.autograd.grad(twin.value(path), raw[k])[0].item()
        ends = [courses(brian.simulate(twin.circuit.with_values({path: value * (1 + x)}), once, seed=seed)) for x in (SHIFT, -SHIFT)]
        central = [(up.y - down.y) / (2 * SHIFT) for up, down in zip(*ends, strict=True)]
        made[path] = np.array([[per * float(y[k]) for y in row] for row in rows] + central)[:, :, None]
    return replace(seen.detached(), traces=made, units=dict.fromkeys(made, "1"), times=seen.times[:6], conditions={})


def main(options: Options) -> Path:
    ((planted, window), (quiet, once)), seed, shown = plan(options).values(), options.seed, options.progress
    how = {"seed": seed, "progress": shown}
    unused(options, [planted])
    target = brian.simulate(planted, window, seed=seed, target=options.engine, progress=shown)
    errors = [curve_error(curve, of=lambda seen, k=k: courses(seen)[k]) for k, curve in enumerate(courses(target))]
    start = Twin(quiet.with_values({path: quiet.values[path].quantity * x for path, x in START.items()}), free=START)
    found = fit(start, once, loss=lambda seen: sum(e(seen) for e in errors), optimiser=lbfgs(steps=12, patience=2), moments=False, **how)
    noisy = planted.with_values({path: found.circuit.values[path] for path in START})
    verdicts = replay(replace(found, circuit=noisy, twin=Twin(noisy)), once, seed=seed + 1)  # the fitted values, with the noise
    notes = [f"replay on {engine}: {verdict}" for engine, verdict in verdicts.items()]
    print(found, "planted:", *(f"  {path} {planted.values[path]}" for path in START), *notes, sep="\n", flush=True)
    compared = {"planted": quiet, "start": start.circuit, "fitted": found.circuit}
    seen = {name: Twin(circuit)(once, seed=seed).detached() for name, circuit in compared.items()}
    course = {"traces": {"fit.loss": found.losses[:, None, None]}, "units": {"fit.loss": "1"}, "times": np.zeros((found.losses.size, 1))}
    tried = {path: protocol.Coordinate(values=found.values[path], unit=planted.values[path].unit) for path in START}
    seen["steps"] = replace(seen["fitted"], conditions=tried, provenance=replace(target.provenance, notes=tuple(notes)), **course)
    for name, recording in {"target": target, **seen, "slopes": slopes(found.twin, once, seed)}.items():
        save(recording, options.out.with_suffix("") / f"{name}.nc")
    return options.out.with_suffix("")


if __name__ == "__main__":
    main(options(Path(__file__).stem))
