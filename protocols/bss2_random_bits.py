"""How many random bits tagging and capture takes when a plasticity processor rounds stochastically, and what to do with few.

The rule and its protocols: Luboeinski & Tetzlaff 2021, Commun Biol 4:275, doi 10.1038/s42003-021-01778-y. On BrainScaleS-2 with stochastic
rounding: Atoui et al. 2024, arXiv 2412.02515, who do not say with which random bits. The chip has a shift register of 16 bits per synapse
column, of which 8 bits can be read and which gives the same draws again after 65535 of them.

Lanes of 16 and of 8 bits, updated every 10 ms, against the same period in floating point. Ideal draws have 32 bits; a draw from registers
has 8 bits from each of one, two or three. What a program can do with them: `centred` adds half a step of the draw; `wide` increments
keep more bits below the last one of a lane than it has itself; `rarely` lets the rates that calcium does not gate (leak, protein, late phase)
act once a second or once a minute, so much stronger. The refractory period is 2 ms, as in bss2_stc.

Writes results/bss2_random_bits/STET_<name>.nc for all of them, and others_<name>.nc (the other three protocols) for those that save it.
"""

from pathlib import Path
from typing import Any

from bioneuro import Circuit, Protocol, Recording, bss2, measure, protocol, study
from bioneuro.catalogue import luboeinski2021
from bioneuro.protocol import SLFS, STET, WLFS, WTET
from bioneuro.script import Options, apply, options

HARDWARE: dict[str, dict[str, Any]] = {
    "float": {"bits": None},
    "16_ideal": {},
    "16_draws8": {"draws": 8},
    "16_draws8_centred": {"draws": 8, "centred": True},
    "16_draws8_rarely": {"draws": 8, "rarely": 100},
    "16_draws16": {"draws": 16},
    "8_ideal": {"bits": 8},
    "8_draws8": {"bits": 8, "draws": 8},
    "8_draws16": {"bits": 8, "draws": 16},
    "8_draws16_wide": {"bits": 8, "draws": 16, "fraction": 16},
    "8_draws24_wide": {"bits": 8, "draws": 24, "fraction": 24},
    "8_draws16_wide_rarely": {"bits": 8, "draws": 16, "fraction": 16, "rarely": 100, "centred": True},
    "8_draws8_wide_rarely": {"bits": 8, "draws": 8, "fraction": 16, "rarely": 6000},
}
SAVED = ("float", "16_draws8_rarely", "16_draws16", "8_draws8_wide_rarely")
TRAINS = {"STET": [STET], "others": [WTET, SLFS, WLFS]}
REPETITIONS, QUICK = 100, 5


def plan(options: Options) -> dict[str, tuple[Circuit, Protocol]]:
    """What is run, by the name of its recording: a trial per train and repetition."""
    rule, count = apply(options, luboeinski2021.single()), QUICK if options.quick else REPETITIONS
    made = {
        name: protocol.induction(
            trains, reads=["0 s", "3600 s", "25200 s"], dead="2 ms", repetitions=count, record=("stc.h", "stc.p", "stc.z")
        )
        for name, trains in TRAINS.items()
    }
    circuits = {name: bss2.constrain(rule, bss2.Hardware(**given)) for name, given in HARDWARE.items()}
    tasks = {f"STET_{name}": (circuit, made["STET"]) for name, circuit in circuits.items()}
    return tasks | {f"others_{name}": (circuits[name], made["others"]) for name in SAVED}


def summary(name: str, circuit: Circuit, seen: Recording) -> str:
    """Early and late phase at the end, h in units of its start, for each of the trains."""
    h, z = (measure.average(seen, along="train", path=path) for path in ("stc.h", "stc.z"))
    start = measure.average(seen, along="train", path="stc.h", reading=0).y
    spread = float(seen["stc.z"][:, -1].std())
    return f"{name:27} after 7 h: h {(h.y / start).round(3)} z {z.y.round(3)}" + (f" (SD {spread:.3f})" if len(z.y) == 1 else "")


def main(options: Options) -> Path:
    return study.record(options, plan(options), summary)


if __name__ == "__main__":
    main(options(Path(__file__).stem))
