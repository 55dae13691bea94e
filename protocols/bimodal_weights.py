"""A thousand synapses onto one neuron: additive weights part into two groups, multiplicative ones stay in one.

Song, Miller & Abbott 2000, Nat Neurosci 3:919, doi 10.1038/78829: uncorrelated Poisson spikes of 15 Hz in 1000 inputs drive a leaky
integrate-and-fire neuron, whose own spikes train the synapses. Numbers are those of Brian2's example STDP.py (`catalogue.song2000`).

Guetig, Aharonov, Rotter & Sompolinsky 2003, J Neurosci 23:3697, doi 10.1523/JNEUROSCI.23-09-03697.2003: changes scale with w^mu and (1-w)^mu.
mu = 0 is additive again, mu = 1 multiplicative. Its steps are half as large as those of the example (lambda = 0.005, A_plus = 0.01), its
asymmetry (1.05) and time constants (20 ms) the same.

One run: four neurons, one per rule, get the very same spikes through synapses with the same initial weights, drawn uniformly from the seed.
A clock of 0.1 ms, as in the example; a pre- and a postsynaptic spike within one step count as lag 0, which potentiates.

Writes results/bimodal_weights/course.nc: every weight every 10 s from 0 s on, and the spikes of the four neurons.
"""

from pathlib import Path

import numpy as np
from brian2.units import Hz, second

from bioneuro import Circuit, Population, Projection, Protocol, Recording, protocol, study
from bioneuro.catalogue import guetig2003, song2000
from bioneuro.script import Options, apply, options

INPUTS, RATE = 1000, 15 * Hz
DURATION, QUICK, EVERY = 300, 20, 10  # s
RULES = {"additive": song2000.rule(), **{f"guetig_{name}": guetig2003.rule(name) for name in guetig2003.SETS}}


def circuit(seed: int) -> Circuit:
    """The same inputs onto one neuron per rule, in the order of `RULES`."""
    start = np.random.default_rng(seed).random(INPUTS)
    projections = [
        Projection(name=name, synapse=song2000.transmitting(rule), pre="input", post="cell", pairs=(np.arange(INPUTS), np.full(INPUTS, k)))
        for k, (name, rule) in enumerate(RULES.items())
    ]
    whole = Circuit(
        name="song2000",
        populations=(Population(name="input", size=INPUTS), Population(name="cell", neuron=song2000.neuron(), size=len(RULES))),
        projections=tuple(projections),
    )
    return whole.with_values({f"{name}.w": start for name in RULES})


def plan(options: Options) -> dict[str, tuple[Circuit, Protocol]]:
    """What is run, by the name of its recording."""
    end = QUICK if options.quick else DURATION
    drive = protocol.poisson(
        {"input": RATE},
        end * second,
        reads=np.arange(0, end + EVERY, EVERY) * second,
        stepping=protocol.clock("0.1 ms"),
        record=tuple(f"{name}.w" for name in RULES),
    )
    return {"course": (apply(options, circuit(options.seed)), drive)}


def summary(name: str, circuit: Circuit, seen: Recording) -> str:
    """Share of weights in the outer tenths, at the end, and the output rate in the last quarter."""
    lines = [f"{name}: {seen.times[0, -1]:g} s"]
    for k, rule in enumerate(RULES):
        w, spikes = seen[f"{rule}.w"][0, -1], seen.spikes["cell"].times(0, k)
        late = np.mean(spikes > 0.75 * seen.times[0, -1]) * spikes.size / (0.25 * seen.times[0, -1])
        lines.append(f"{rule:21} mean weight {w.mean():.3f}, in the outer tenths {np.mean(np.abs(w - 0.5) > 0.4):.2f}, output {late:.1f} Hz")
    return "\n  ".join(lines)


def main(options: Options) -> Path:
    return study.record(options, plan(options), summary)


if __name__ == "__main__":
    main(options(Path(__file__).stem))
