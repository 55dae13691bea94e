"""How often must a processor update a synapse that tags and captures, and how wide must its lanes be?

The strong tetanus (three seconds at 100 Hz, ten minutes apart) of Luboeinski & Tetzlaff 2021, Commun Biol 4:275,
doi 10.1038/s42003-021-01778-y, through a presynaptic neuron that cannot fire again for 2 ms, on the BrainScaleS-2 of `bioneuro.bss2`: periods of 1
to 100 ms, lanes of 8 to 24 bits and none (floating point), rounded to nearest or stochastically with ideal draws.

The published run begins an hour before the stimulus; here it begins 10 s before, and is read 1 h and 4 h after the first train begins. Updates
every 1 or 2 ms are followed for 1 h only, and by nearest rounding in the lanes of 16 and 24 bits only. Trial k has the same spikes in
every run, so differences are taken trial by trial. The processor hardly sees calcium, which decays in 48.8 ms, where it comes every 50 ms or
less often: `constrain` warns, and that is what these runs are about.

Writes results/bss2_timestep/events.nc (from event to event, exact), float_<period>_ms.nc and <rounding>_<bits>_<period>_ms.nc.
"""

import warnings
from pathlib import Path

from bioneuro import Circuit, Protocol, Recording, protocol, study
from bioneuro.bss2 import Hardware, constrain
from bioneuro.catalogue import luboeinski2021
from bioneuro.protocol import STET
from bioneuro.script import Options, apply, options

PERIODS, QUICK_PERIODS = (1, 2, 5, 10, 20, 50, 100), (20, 100)  # ms
WIDTHS, QUICK_WIDTHS = (8, 12, 16, 24), (8, 16)
ROUNDINGS = ("stochastic", "nearest")
SHORT, FEW = 2, 5  # ms: periods up to which a run is short, and up to which it has few trials
READS = (3600.0, 14400.0)  # s from the first train on
LEAD, REPETITIONS, FEW_REPETITIONS, QUICK = 10.0, 50, 20, 5  # s before the first train; trials


def stimulus(repetitions: int, reads: tuple[float, ...] = READS) -> Protocol:
    """The strong tetanus, read at `reads`."""
    return protocol.induction(
        STET, start=f"{LEAD} s", duration=f"{LEAD + reads[-1]} s", reads=[f"{t} s" for t in reads], dead="2 ms", repetitions=repetitions,
        record=("stc.h", "stc.p", "stc.z"),
    )  # fmt: skip


def constrained(circuit: Circuit, period: int, bits: int | None = None, rounding: str = "nearest") -> Circuit:
    """The circuit on hardware; that it samples calcium too rarely is asked for."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="hardware.period")
        return constrain(circuit, Hardware(period=f"{period} ms", bits=bits, rounding=rounding))


def plan(options: Options) -> dict[str, tuple[Circuit, Protocol]]:
    """What is run, by the name of its recording."""
    circuit = apply(options, luboeinski2021.single())
    tasks = {"events": (circuit, stimulus(QUICK if options.quick else REPETITIONS))}
    for period in QUICK_PERIODS if options.quick else PERIODS:
        few = FEW_REPETITIONS if period <= FEW else REPETITIONS
        made = stimulus(QUICK if options.quick else few, READS[:1] if period <= SHORT else READS)
        tasks[f"float_{period}_ms"] = constrained(circuit, period), made
        for rounding in ROUNDINGS:
            for bits in QUICK_WIDTHS if options.quick else WIDTHS:
                if period > SHORT or rounding == "stochastic" or bits >= 16:
                    tasks[f"{rounding}_{bits}_{period}_ms"] = constrained(circuit, period, bits, rounding), made
    return tasks


def summary(name: str, circuit: Circuit, seen: Recording) -> str:
    """Early and late phase at the last reading."""
    h, z = (100 * seen[path][:, -1, 0] for path in ("stc.h", "stc.z"))
    return f"{name:22} {len(z)} trials, after {seen.times[0, -1] - LEAD:.0f} s: h {10 * h.mean():.3f} mV, z {z.mean():.2f} % +- {z.std():.2f}"


def main(options: Options) -> Path:
    return study.record(options, plan(options), summary)


if __name__ == "__main__":
    main(options(Path(__file__).stem))
