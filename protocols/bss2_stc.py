"""Tagging and capture computed by a plasticity processor: how many bits it takes, and what becomes of the bits below the last one.

The rule and its four protocols (strong and weak tetanus, strong and weak low-frequency stimulation; a refractory period of 2 ms): Luboeinski &
Tetzlaff 2021, Commun Biol 4:275, doi 10.1038/s42003-021-01778-y. That BrainScaleS-2 can compute such a rule in integers, every period and with
stochastic rounding, is shown by Atoui et al. 2024, arXiv 2412.02515, who state neither widths nor period: those here are chosen.

The same trains, eight hours from event to event (the rule itself), with a period of 10 ms in floating point, and with lanes of 8, 16, 24 and
32 bits, rounded to the nearest value or stochastically by ideal draws. Noise is that of the rule; converters add none.

Writes results/bss2_stc/<name>.nc: h, p and z every half an hour, and after each tetanus.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from bioneuro import Circuit, Protocol, Recording, bss2, measure, protocol, study
from bioneuro.catalogue import luboeinski2021
from bioneuro.protocol import SLFS, STET, WLFS, WTET
from bioneuro.script import Options, apply, options

TRAINS = {"STET": STET, "WTET": WTET, "SLFS": SLFS, "WLFS": WLFS}
WIDTHS = {"8": TRAINS, "16": TRAINS, "24": {"STET": STET}, "32": {"STET": STET}}  # what is run with stochastic rounding; nearest: everything
REPETITIONS, QUICK = 100, 5
READS = np.unique([2, 602, 1202, *np.arange(0, 25201, 1800)]).tolist()  # s from the first stimulus on


def plan(options: Options) -> dict[str, tuple[Circuit, Protocol]]:
    """What is run, by the name of its recording: a trial per train and repetition."""
    rule = apply(options, luboeinski2021.single())

    def task(circuit: Circuit, trains: Iterable[str] = TRAINS) -> tuple[Circuit, Protocol]:
        return circuit, protocol.induction(
            [TRAINS[name] for name in trains],
            reads=[f"{t} s" for t in READS],
            dead="2 ms",
            repetitions=QUICK if options.quick else REPETITIONS,
            record=("stc.h", "stc.p", "stc.z"),
        )

    tasks = {"events": task(rule), "float": task(bss2.constrain(rule, bss2.Hardware(bits=None)))}
    for bits, trains in WIDTHS.items():
        nearest, stochastic = (bss2.constrain(rule, bss2.Hardware(bits=int(bits), rounding=r)) for r in ("nearest", "stochastic"))
        tasks |= {f"{bits}_nearest": task(nearest), f"{bits}_stochastic": task(stochastic, trains)}
    return tasks


def summary(name: str, circuit: Circuit, seen: Recording) -> str:
    """Early and late phase at the end, h in units of its start, for each of the trains."""
    h, z = (measure.average(seen, along="train", path=path) for path in ("stc.h", "stc.z"))
    start = measure.average(seen, along="train", path="stc.h", reading=0).y
    found = zip(TRAINS, h.y / start, z.y, strict=False)
    return f"{name:14} after 7 h: " + ", ".join(f"{train} h {a:.3f} z {b:.3f}" for train, a, b in found)


def main(options: Options) -> Path:
    return study.record(options, plan(options), summary)


if __name__ == "__main__":
    main(options(Path(__file__).stem))
