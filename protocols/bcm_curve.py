"""BCM curves: weight change against the postsynaptic rate while both neurons fire as Poisson processes, for four learning rules.

Pfister & Gerstner 2006, J Neurosci 26:9673, doi 10.1523/JNEUROSCI.1425-06.2006: under independent Poisson trains the triplet rule has the
drift of the BCM rule (Bienenstock, Cooper & Munro 1982, J Neurosci 2:32, doi 10.1523/JNEUROSCI.02-01-00032.1982), depression below a
postsynaptic rate and potentiation above; pairs of spikes alone have no such threshold (`catalogue.song2000`, Song, Miller & Abbott 2000).
The calcium-based rule is that of Graupner & Brunel 2012, PNAS 109:3991, doi 10.1073/pnas.1109359109, set "cortical slices".

The presynaptic neuron fires at 10 Hz, the postsynaptic one at up to 30 Hz, for 30 s, either independently or with shared spikes that make
the correlation coefficient of the two counts 0.2; the postsynaptic neuron fires those 5 ms late. Triplet and pair rules, which are
additive, are read after 1 s, when their traces have settled, and at the end; the calcium rule, which saturates, starts from both states
and is read at the end. Bounds of the pair rule are so wide that nothing clips.

Writes one recording per rule: results/bcm_curve/<name>.nc.
"""

from pathlib import Path

import numpy as np
from brian2.units import Hz, ms, second

from bioneuro import Circuit, Protocol, protocol, study
from bioneuro.catalogue import graupner2012, pfister2006, song2000
from bioneuro.script import Options, apply, options

PRE = 10 * Hz
POST = np.array([1, 2, 3, 5, 7.5, 10, 12.5, 15, 17.5, 20, 22.5, 25, 27.5, 30]) * Hz
CORRELATIONS, LAG = (0, 0.2), 5 * ms
SETTLED, DURATION = 1 * second, 30 * second
REPETITIONS, STARTED, QUICK = 60, 100, 4  # of additive rules; of the calcium rule, from each state; of both
SETS = ("visual cortex all-to-all minimal", "visual cortex all-to-all full")
UNBOUNDED = {"stdp.w": 0, "stdp.w_min": -100, "stdp.w_max": 100}  # 30 s change w by less than 2


def plan(options: Options) -> dict[str, tuple[Circuit, Protocol]]:
    """What is run, by the name of its recording."""
    firing = {"rate_post": POST[::3] if options.quick else POST, "correlation": CORRELATIONS, "lag": LAG}
    repetitions = {"repetitions": QUICK} if options.quick else {"repetitions": REPETITIONS}

    def poisson(record: str, **more: object) -> Protocol:
        return protocol.poisson_pairs(PRE, duration=DURATION, record=(record,), **{**firing, **repetitions, **more})

    twice = [SETTLED / second, DURATION / second] * second
    tasks = {name: (apply(options, pfister2006.pair(name)), poisson("triplet.w", reads=twice)) for name in SETS}
    pairs = apply(options, song2000.pair().with_values(UNBOUNDED))
    tasks["pair"] = pairs, poisson("stdp.w", reads=twice)
    more = {} if options.quick else {"repetitions": STARTED}
    calcium = poisson("calcium.rho", initial={"calcium.rho": [0, 1]}, **more)
    tasks["calcium"] = apply(options, graupner2012.pair("cortical slices")), calcium
    return {name.replace(" ", "_"): task for name, task in tasks.items()}


def main(options: Options) -> Path:
    return study.record(options, plan(options))


if __name__ == "__main__":
    main(options(Path(__file__).stem))
