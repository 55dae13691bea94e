"""Strong and weak, fast and slow stimulation of one synapse, eight hours long: early- and late-phase potentiation and depression.

Luboeinski & Tetzlaff 2021, Commun Biol 4:275, doi 10.1038/s42003-021-01778-y: strong tetanus (STET), weak tetanus (WTET), strong and weak
low-frequency stimulation (SLFS, WLFS) by Poisson trains that begin an hour into the run, every trial with a train and noise of its own. The
postsynaptic neuron does not fire.

Two public variants: in the stand-alone program the train reaches calcium as it is; in Arbor it passes a presynaptic neuron that cannot fire
again for 2 ms, which makes 84.7 Hz of 100 Hz.

Writes results/stc_protocols/direct.nc and refractory.nc: h, p and z at the published times, and densely enough to follow the trains.
"""

from pathlib import Path

import numpy as np

from bioneuro import Circuit, Protocol, Recording, measure, protocol, study
from bioneuro.catalogue import luboeinski2021
from bioneuro.evidence.luboeinski2021 import TIMES
from bioneuro.protocol import SLFS, STET, WLFS, WTET
from bioneuro.script import Options, apply, options

TRAINS = {"STET": STET, "WTET": WTET, "SLFS": SLFS, "WLFS": WLFS}
VARIANTS = {"direct": "0 ms", "refractory": "2 ms"}
REPETITIONS, QUICK = 100, 20
# From the first stimulus on, s: 10 ms apart within the weak tetanus, at every tenth burst while any train lasts, then every 5 min.
FINE, DURING, AFTER = np.arange(0, 0.4, 0.01), 11.5 * np.arange(1, 113), np.arange(1500, 25201, 300)
TENTHS = np.concatenate([np.arange(start, start + 1.6, 0.1) for start in (0, 600, 1200)])  # within the strong tetani
READS = np.unique(np.concatenate([FINE, TENTHS, DURING, AFTER, TIMES]).round(2)).tolist()


def plan(options: Options) -> dict[str, tuple[Circuit, Protocol]]:
    """What is run, by the name of its recording: a trial per train and repetition."""
    circuit = apply(options, luboeinski2021.single())
    return {
        variant: (
            circuit,
            protocol.induction(
                list(TRAINS.values()),
                reads=[f"{t!r} s" for t in READS],
                dead=dead,
                repetitions=QUICK if options.quick else REPETITIONS,
                record=("stc.h", "stc.p", "stc.z"),
            ),
        )
        for variant, dead in VARIANTS.items()
    }


def summary(name: str, circuit: Circuit, seen: Recording) -> str:
    """The weight in the end, in units of h0, for each of the trains."""
    h0 = float(circuit.values["stc.h0"].value)
    h, z = (measure.average(seen, along="train", path=path) for path in ("stc.h", "stc.z"))
    return f"{name:10} weight after 7 h: " + ", ".join(f"{train} {w:.3f} h0" for train, w in zip(TRAINS, h.y / h0 + z.y, strict=True))


def main(options: Options) -> Path:
    return study.record(options, plan(options), summary)


if __name__ == "__main__":
    main(options(Path(__file__).stem))
