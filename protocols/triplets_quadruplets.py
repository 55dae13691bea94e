"""Spike triplets and quadruplets in hippocampal cultures: triplet rules, their pairs alone, and the calcium-based rule.

Wang, Gerkin, Nauen & Bi 2005, Nat Neurosci 8:187, doi 10.1038/nn1387: 60 repetitions at 1 Hz of pre-post-pre and post-pre-post triplets, and of
quadruplets, two pairs of opposite order with 5 ms within each and a time T from middle to middle (T < 0: pre-post comes first). Rules,
with the numbers that their authors fitted to such data: Pfister & Gerstner 2006, J Neurosci 26:9673, doi 10.1523/JNEUROSCI.1425-06.2006
(hippocampal sets); Graupner & Brunel 2012, PNAS 109:3991, doi 10.1073/pnas.1109359109 (set "hippocampal cultures").

"pairs only" is the minimal all-to-all set without its triplet term, which is pair STDP with the amplitudes of that set. Additive rules
start at a weight of 1 and have no bounds. The calcium-based rule is noisy and starts from both states, 1000 repetitions each. Besides the
measured conditions there are triplets of equal lags up to 30 ms and some T between, as many triplets as quadruplets: then one compiled
program serves all three protocols.

Writes one recording per rule and protocol: results/triplets_quadruplets/<rule>_<protocol>.nc.
"""

from pathlib import Path

import numpy as np
from brian2.units import second

from bioneuro import Circuit, Protocol, protocol, study
from bioneuro.catalogue import graupner2012, pfister2006
from bioneuro.evidence import wang2005
from bioneuro.script import Options, apply, options

EQUAL = np.linspace(1.5, 30, 20) * 1e-3  # s
BETWEEN = np.array([-90, -80, -70, -46, -21, -9, 7, 12, 30, 80]) * 1e-3  # s
REPETITIONS, QUICK = 1000, 10
MINIMAL = "hippocampus all-to-all minimal"
SETS = {"full": "hippocampus all-to-all full", "minimal": MINIMAL, "nearest": "hippocampus nearest full"}


def rules(options: Options) -> dict[str, Circuit]:
    """The circuits by the names of their recordings."""
    made = {name: apply(options, pfister2006.pair(of)) for name, of in SETS.items()}
    made["pairs"] = made["minimal"].with_values({"triplet.A3_plus": 0})
    made["calcium"] = apply(options, graupner2012.pair("hippocampal cultures"))
    return made


def plan(options: Options) -> dict[str, tuple[Circuit, Protocol]]:
    """What is run, by the name of its recording."""
    lags = np.stack([EQUAL, -EQUAL], axis=1)
    first, last = np.concatenate([wang2005.PRE_POST_PRE.timing, lags]), np.concatenate([wang2005.POST_PRE_POST.timing, -lags])
    between = np.concatenate([wang2005.QUADRUPLET_MEANS.x, BETWEEN])
    started = {"initial": {"calcium.rho": [0, 1]}, "repetitions": QUICK if options.quick else REPETITIONS, "record": ("calcium.rho",)}
    tasks = {}
    for name, circuit in rules(options).items():
        frame = started if name == "calcium" else {"record": ("triplet.w",)}
        tasks[f"{name}_pre-post-pre"] = circuit, protocol.pre_post_pre(first * second, **frame)
        tasks[f"{name}_post-pre-post"] = circuit, protocol.post_pre_post(last * second, **frame)
        tasks[f"{name}_quadruplets"] = circuit, protocol.quadruplets(between * second, **frame)
    return tasks


def main(options: Options) -> Path:
    return study.record(options, plan(options))


if __name__ == "__main__":
    main(options(Path(__file__).stem))
