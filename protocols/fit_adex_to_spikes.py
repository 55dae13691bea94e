"""An AdEx neuron found again from the times of its spikes alone, from ten starts at once.

Neuron: Brette & Gerstner 2005, J Neurophysiol 94:3637, doi 10.1152/jn.00686.2005; the task as in Rossant et al. 2011, Front Neurosci 5:9, doi
10.3389/fnins.2011.00009. Spikes tell neither the zero nor the scale of the potential, and hardly the shape of their onset or what w does between
them: E_L, V_T, Delta_T, V_cut and a are held. Of C, g_L, V_r, b and tau_w, which are free, what counts are C/g_L, the rheobase, the reset
(V_T - V_r)/(V_T - E_L) and the adaptation by a spike, b tau_w. Spike k is compared with spike k; its time has the gradient of a surrogate that is
some mV wide, to reach the steps ahead of the spike. Learning rates fall in three stages, each from where every start was best.
Writes results/fit_adex_to_spikes/*.nc: `target`, `start` (the first) and `fitted` (the best); `steps`: a trial per step of every start, its
coordinates the free parameters, its trace the loss, its notes how the replay ended.
"""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from bioneuro import Circuit, Population, Protocol, Recording, Twin, brian, fit, measure, protocol, replay, save
from bioneuro.catalogue import brette2005
from bioneuro.fit import adam, history
from bioneuro.protocol import Current
from bioneuro.script import Options, apply, options, unused
from bioneuro.twin import sigmoid

STEPS = (0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1, 1.1, 1.2, 1.35, 1.5, 1.75, 2, 2.5)  # nA, from 10 ms on
NOISY = (0.8, 0.9, 1, 1.2)  # nA, with frozen noise of 30 %, correlated over 5 ms
PAIRS = ((2, 10, 0.8), (2, 30, 0.8), (2, 60, 0.8), (1.2, 0, 0.8), (1.5, 0, 1), (1.5, 20, 1.2))  # nA until 90 ms, a pause (ms), nA
END, CLOCK, STARTS, SURROGATE, TAUS = 200, {False: 0.2, True: 0.5}, {False: 10, True: 3}, sigmoid(0.4), (10, 3, 1)  # ms; keys: quick or not
STAGES = {False: ((0.02, 150), (0.008, 120), (0.003, 80)), True: ((0.02, 60), (0.008, 30))}  # learning rate, share of the planted value; steps
SPREAD = (("C", 200, 400, "pF"), ("g_L", 21, 43, "nS"), ("V_r", -80, -60, "mV"), ("b", 0.057, 0.114, "nA"), ("tau_w", 102, 203, "ms"))
FREE = {f"adex.{name}": (f"{low} {unit}", f"{high} {unit}") for name, low, high, unit in SPREAD}  # where starts are drawn


def injected(dt: float, seed: int) -> Protocol:
    time, keep, random = np.arange(0, END, dt), np.exp(-dt / 5), np.random.default_rng(seed)
    on, noise = time >= 10, np.zeros((time.size, len(NOISY)))
    for k in range(1, time.size):
        noise[k] = keep * noise[k - 1] + (1 - keep**2) ** 0.5 * random.normal(size=len(NOISY))
    rows = [x * on for x in STEPS] + [x * on * (1 + 0.3 * part) for x, part in zip(NOISY, noise.T, strict=True)]
    rows += [strong * (on & (time < 90)) + weak * (time >= 90 + pause) for strong, pause, weak in PAIRS]
    none = protocol.step_current({"adex": ["0 nA"] * len(rows)}, f"{END} ms", every=f"{END} ms", stepping=protocol.clock(f"{dt} ms"))
    return replace(none, currents={"adex": Current(start=1e-3 * time, value=1e-9 * np.array(rows).T, unit="amp")})


def plan(options: Options) -> dict[str, tuple[Circuit, Protocol]]:
    """What is planted and recorded, by the name of its recording."""
    planted = apply(options, Circuit(name="adex", populations=(Population(name="adex", neuron=brette2005.neuron()),)))
    return {"target": (planted, injected(CLOCK[options.quick], options.seed))}


def lateness(target: Recording, seen: Recording) -> torch.Tensor:
    """Mean over spikes of log(1 + (lateness/tau)^2), summed over `TAUS`; a spike that only one of both has is missing until the end."""
    counts = np.maximum(target.spikes["adex"].counts, seen.spikes["adex"].counts)[:, None, :]
    wanted = torch.as_tensor(measure.latencies(target, "adex", counts.max()))
    late, there = 1e3 * (measure.latencies(seen, "adex", counts.max()) - wanted), np.arange(counts.max())[None, :, None] < counts
    return sum(torch.log1p((late / tau).square())[there].mean() for tau in TAUS)


def main(options: Options) -> Path:
    ((planted, todo),) = plan(options).values()
    unused(options, [planted])
    target = brian.simulate(planted, todo, seed=options.seed, target=options.engine)
    twin = Twin(planted.with_values({path: high for path, (_, high) in FREE.items()}), free=FREE, surrogate=SURROGATE)
    fits, how = [], {"starts": STARTS[options.quick], "spread": FREE, "seed": options.seed, "progress": options.progress}
    for share, n in STAGES[options.quick]:
        rates = {path: f"{share * abs(planted.values[path].shown)} {planted.values[path].unit}" for path in FREE}
        fits.append(fit(twin, todo, loss=partial(lateness, target), optimiser=adam(rates=rates, steps=n, patience=n), **how))
        how |= {"starts": [start.best for start in fits[-1].starts], "spread": None}
    notes = [f"replay on {k}: {verdict}" for k, verdict in replay(fits[-1], todo, seed=options.seed, targets=("cpp", "numpy")).items()]
    print(*fits, *notes, sep="\n", flush=True)
    ends = {"start": twin.start, "fitted": fits[-1].circuit}
    seen = {name: brian.simulate(circuit, todo, seed=options.seed, target="numpy") for name, circuit in ends.items()}
    for name, recording in {"target": target, "steps": history(*fits, notes=notes), **seen}.items():
        save(recording, options.out.with_suffix("") / f"{name}.nc")
    return options.out.with_suffix("")


if __name__ == "__main__":
    main(options(Path(__file__).stem))
