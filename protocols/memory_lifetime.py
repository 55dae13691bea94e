"""How long a synapse remembers: decay of the efficacy while both neurons fire at random, in vitro and in vivo, with flat and double-well potential.

Higgins, Graupner & Brunel 2014, PLoS Comput Biol 10:e1003834, doi 10.1371/journal.pcbi.1003834. Synapses start UP (rho = 1) or DOWN (0);
pre- and postsynaptic neuron fire as independent Poisson processes of one rate. In vivo calcium is 0.6 times that in vitro (1.5 instead of
2.5 mM outside), so that more spikes must coincide to cross a threshold.

Writes results/memory_lifetime/<set>_<rate>_Hz[_bistable].nc: rho at 40 times, over four time constants of the averaged theory with flat potential.
"""

from pathlib import Path

import numpy as np

from bioneuro import Circuit, Protocol, Recording, measure, protocol, study
from bioneuro.catalogue import higgins2014
from bioneuro.script import Options, apply, options
from bioneuro.theory import higgins2014 as theory

RATES = {"in vitro": (0.2, 0.5, 1.0, 2.0, 5.0, 10.0), "in vivo": (1.0, 2.0, 5.0, 10.0, 20.0)}  # Hz, of both neurons
SYNAPSES, QUICK = 150, 20  # from each initial state
READS, SPAN = 40, 4.0


def decay(circuit: Circuit, rate: float) -> theory.Memory:
    """The averaged theory's time constant and asymptote."""
    v = {path.partition(".")[2]: float(p.value) for path, p in circuit.values.items()}
    above = theory.poisson_fractions(rate, rate, **{k: v[k] for k in ("tau_Ca", "Cpre", "Cpost", "theta_d", "theta_p")})
    return theory.memory(*above, gamma_d=v["gamma_d"], gamma_p=v["gamma_p"], tau=v["tau"])


def plan(options: Options) -> dict[str, tuple[Circuit, Protocol]]:
    """What is run, by the name of its recording."""
    tasks = {}
    for name, rates in RATES.items():
        for suffix, potential in higgins2014.POTENTIALS.items():
            circuit = apply(options, higgins2014.pair(name, potential))
            for rate in rates:
                # Times of two digits: the protocol must not change with the last bits of the theory.
                end = float(f"{SPAN * float(decay(higgins2014.pair(name), rate).time):.2g}")
                firing = protocol.poisson(
                    {"pre": f"{rate} Hz", "post": f"{rate} Hz"},
                    f"{end!r} s",
                    repetitions=QUICK if options.quick else SYNAPSES,
                    initial={"calcium.rho": [0, 1]},
                    reads=[f"{t!r} s" for t in (end * np.arange(1, READS + 1) / READS).tolist()],
                    record=("calcium.rho",),
                )
                tasks[f"{name} {rate:g} Hz{suffix}".replace(" ", "_")] = (circuit, firing)
    return tasks


def summary(name: str, circuit: Circuit, seen: Recording) -> str:
    """Mean efficacy at the end, from each initial state."""
    down, up = (measure.course(measure.at(seen, start=start), path="calcium.rho").y[-1] for start in (0, 1))
    return f"{name:26} after {seen.times.max():8.3g} s: rho {up:.3f} from 1, {down:.3f} from 0"


def main(options: Options) -> Path:
    return study.record(options, plan(options), summary)


if __name__ == "__main__":
    main(options(Path(__file__).stem))
