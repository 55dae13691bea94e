"""Two pathways onto one neuron: does a strong tetanus of one make last what a weak tetanus of the other has tagged, and at which delay?

The rule: Luboeinski & Tetzlaff 2021, Commun Biol 4:275, doi 10.1038/s42003-021-01778-y. The experiments: Frey & Morris 1997, Nature 385:533,
doi 10.1038/385533a0; Frey & Morris 1998, Neuropharmacology 37:545; Sajikumar & Frey 2004, doi 10.1016/j.nlm.2004.03.003.

Pathway S1 gets a strong tetanus (STET), S2 a weak one (WTET); the delay counts from the beginning of STET to the beginning of WTET and is
negative for weak before strong. The sweep is run in both public variants: Poisson trains straight into calcium, and through a presynaptic
neuron with a refractory period of 2 ms. The controls, straight into calcium, are run at two delays, one for each order.

Captured: at the end, 9 h or more after the last tetanus, S2 is 10 % above where it began, |z| >= 0.1 (for depression: below). The early
phase is over by then. Experimenters ask the same of the mean of some slices.

Writes results/stc_two_pathway/<name>.nc: unit 0 is S1, unit 1 is S2, times count from the beginning of STET plus `START`.
"""

from pathlib import Path

import numpy as np
from brian2.units import second

from bioneuro import Circuit, Protocol, Recording, protocol, study
from bioneuro.catalogue import luboeinski2021
from bioneuro.protocol import SLFS, STET, WLFS, WTET, Train, two_pathways
from bioneuro.script import Options, apply, options

MINUTE, HOUR = 60.0, 3600.0
START, LATER, CAPTURED = 4.5 * HOUR, 9 * HOUR, 0.1  # beginning of STET; how long after the last tetanus is read; least |z|
DELAYS = np.array([*np.arange(-240, 241, 15), -5, *np.arange(300, 541, 60)]) * MINUTE
QUICK_DELAYS = np.array([-240, -180, -120, -60, -30, -5, 0, 30, 60, 180, 360, 540]) * MINUTE
BEFORE, AFTER = -30 * MINUTE, 60 * MINUTE  # delays of the controls
TRIALS, QUICK = 100, 20
VARIANTS = {"direct": "0 ms", "refractory": "2 ms"}  # dead time
READS = np.array([BEFORE, BEFORE + 0.5, 1.5, 601.5, 1201.5, AFTER, AFTER + 0.5, *np.arange(-30, 601, 10) * MINUTE])  # of the controls

EARLY, LATE = -30 * MINUTE, 180 * MINUTE  # an inhibitor that covers all of the synthesis
BRIEF, ONLY_LATE = 50 * MINUTE, 150 * MINUTE  # one that is washed out 30 min after the last train of STET; one that comes 90 min after WTET
SECOND = (AFTER - 30 * MINUTE, AFTER + 180 * MINUTE)  # one that covers what a second strong tetanus would make
CONTROLS: dict[str, tuple[Train | None, Train | None, tuple[float, ...], tuple[float, float] | None]] = {
    # name: train of S1, train of S2, delays, no synthesis from and until
    "both": (STET, WTET, (BEFORE, AFTER), None),
    "weak_alone": (None, WTET, (BEFORE, AFTER), None),
    "blocked": (STET, WTET, (BEFORE, AFTER), (EARLY, LATE)),
    "blocked_briefly": (STET, WTET, (BEFORE, AFTER), (EARLY, BRIEF)),
    "blocked_late": (STET, WTET, (BEFORE, AFTER), (ONLY_LATE, AFTER + LATER)),
    "second_blocked": (STET, STET, (AFTER,), SECOND),
    "second_blocked_alone": (None, STET, (AFTER,), SECOND),
    "depression": (STET, WLFS, (BEFORE, AFTER), None),
    "depression_alone": (None, WLFS, (BEFORE, AFTER), None),
    "by_depression": (SLFS, WTET, (BEFORE, AFTER), None),
}


def plan(options: Options) -> dict[str, tuple[Circuit, Protocol]]:
    """What is run, by the name of its recording."""
    count, delays = (QUICK, QUICK_DELAYS) if options.quick else (TRIALS, DELAYS)
    circuit, end, tasks = apply(options, luboeinski2021.pathways()), delays.max() + LATER, {}
    both = {"start": START * second, "duration": (START + end) * second, "record": ("stc.h", "stc.z")}
    for name, dead in VARIANTS.items():
        sweep = two_pathways(STET, WTET, delays * second, reads=end * second, repetitions=count, dead=dead, **both)
        tasks[f"sweep_{name}"] = circuit, sweep
    for name, (first, other, at, block) in CONTROLS.items():
        each = 2 * count // len(at)  # the same number of trials, and so one program, for all
        made = two_pathways(first, other, np.array(at) * second, reads=np.unique(READS) * second, repetitions=each, **both)
        tasks[name] = circuit, protocol.during(made, "neuron.alpha", 0, *(START + np.array(block)) * second) if block else made
    return tasks


def summary(name: str, circuit: Circuit, seen: Recording) -> str:
    """Share of captured trials and mean z of S2, by delay."""
    z, delay = seen["stc.z"][:, -1, 1], seen.conditions["delay"].values
    found = [(x / MINUTE, z[delay == x]) for x in np.unique(delay)]
    return f"{name:20} " + ", ".join(f"{x:g} min: {np.mean(np.abs(y) >= CAPTURED):.2f} ({y.mean():.2f})" for x, y in found if abs(x) <= 60)


def main(options: Options) -> Path:
    return study.record(options, plan(options), summary)


if __name__ == "__main__":
    main(options(Path(__file__).stem))
