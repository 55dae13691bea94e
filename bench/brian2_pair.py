"""Baseline: one lag of the pair-STDP window as a Brian2 user writes it, a standalone script of its own. Usage: brian2_pair.py LAG_MS FOLDER"""

import sys

import numpy as np
from brian2 import Network, SpikeGeneratorGroup, Synapses, ms, second, set_device

lag, folder = float(sys.argv[1]), sys.argv[2]
set_device("cpp_standalone", directory=folder)
pre_times = 0.2 + max(0.0, -lag * 1e-3) + np.arange(60)
pre = SpikeGeneratorGroup(1, np.zeros(60, int), pre_times * second)
post = SpikeGeneratorGroup(1, np.zeros(60, int), (pre_times + lag * 1e-3) * second)
synapse = Synapses(
    pre,
    post,
    """w : 1
    dapre/dt = -apre/tau : 1 (event-driven)
    dapost/dt = -apost/tau : 1 (event-driven)""",
    on_pre="w = clip(w - 0.0105*apost, 0, 10); apre += 1",
    on_post="w = clip(w + 0.01*apre, 0, 10); apost += 1",
    namespace={"tau": 20 * ms},
)
synapse.connect(i=0, j=0)
synapse.w = 5
network = Network(pre, post, synapse)
network.run(61.5 * second)
print(repr(float(synapse.w[0])))
