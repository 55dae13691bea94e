"""Ours: the 41-lag pair-STDP window in one process. Usage: window.py SEED TAU_MS; prints the weights and the programs in the cache."""

import json
import sys

import numpy as np
from brian2.units import ms

from bioneuro import brian, protocol
from bioneuro.catalogue import song2000

circuit = song2000.pair().with_values({"stdp.w": 5, "stdp.w_max": 10, "stdp.tau_plus": f"{sys.argv[2]} ms", "stdp.tau_minus": f"{sys.argv[2]} ms"})
window = protocol.pairing(np.linspace(-100, 100, 41) * ms, pairs=60, record=("stdp.w",))
seen = brian.simulate(circuit, window, seed=int(sys.argv[1]))
print(json.dumps({"weights": seen["stdp.w"][:, 0, 0].tolist(), "programs": len(brian.cache().keys())}))
