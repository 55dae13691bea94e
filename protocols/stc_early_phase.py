"""The early phase of tagging and capture without noise: seven presynaptic spikes, from event to event and on clocks.

Luboeinski & Tetzlaff 2021, Commun Biol 4:275, doi 10.1038/s42003-021-01778-y; the check of their public programs: spikes at 10, 20, 30, 40,
50, 60 and 100 ms, noise off. Calcium rises through the thresholds at arrivals, and falls through them at times of its own, which a step from
event to event meets exactly and a clock rounds to its grid.

Writes results/stc_early_phase/events.nc and clock_<step>_ms.nc: Ca and h, read every 0.2 ms; from event to event also at the crossings.
"""

from pathlib import Path

import numpy as np

from bioneuro import Circuit, Protocol, Recording, study
from bioneuro.catalogue import luboeinski2021
from bioneuro.protocol import Clock, Events, Spikes, clock
from bioneuro.script import Options, apply, options

PRE = np.array([10, 20, 30, 40, 50, 60, 100]) / 1000  # s
EVERY, CROSSINGS = np.arange(1001) / 5000, np.array([59.112, 75.759, 90.576, 158.055]) / 1000  # s
STEPS, QUICK = (0.2, 0.1, 0.05, 0.02), (0.2, 0.1)  # ms


def imposed(stepping: Clock | Events, reads: np.ndarray) -> Protocol:
    """The seven spikes and no postsynaptic one."""
    once = np.zeros(PRE.size, np.int64)
    pre, post = (Spikes(stimulus=once[:n], unit=once[:n], time=PRE[:n]) for n in (PRE.size, 0))
    return Protocol(
        name="seven_spikes", stepping=stepping, trials={}, stimulus=once[:1], reads=reads[None], spikes={"pre": pre, "post": post},
        record=("stc.Ca", "stc.h"),
    )  # fmt: skip


def plan(options: Options) -> dict[str, tuple[Circuit, Protocol]]:
    """What is run, by the name of its recording."""
    circuit = apply(options, luboeinski2021.single().with_values({"stc.sigma_pl": "0 mV"}))
    events = imposed(Events(), np.sort(np.concatenate([EVERY, CROSSINGS])))
    clocks = {f"clock_{dt}_ms": imposed(clock(f"{dt} ms"), EVERY) for dt in (QUICK if options.quick else STEPS)}
    return {name: (circuit, made) for name, made in ({"events": events} | clocks).items()}


def summary(name: str, circuit: Circuit, seen: Recording) -> str:
    """Calcium and early phase in the end."""
    Ca, h = (float(seen[path][0, -1, 0]) for path in ("stc.Ca", "stc.h"))
    return f"{name:14} after 200 ms: Ca {Ca:.5f}, h {100 * h / float(circuit.values['stc.h0'].value):.3f} % of h0"


def main(options: Options) -> Path:
    return study.record(options, plan(options), summary)


if __name__ == "__main__":
    main(options(Path(__file__).stem))
