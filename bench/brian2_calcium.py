"""Baseline: noisy Graupner-Brunel synapses on Brian2's own 0.1 ms clock, C++ standalone, its own spikes and random numbers.

Usage: brian2_calcium.py SYNAPSES SECONDS RATE_HZ FOLDER; prints the seconds that the compiled program ran (build not counted).
"""

import sys
import time

from brian2 import Hz, PoissonGroup, Synapses, device, ms, run, second, seed, set_device

n, duration, rate, folder = int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]), sys.argv[4]
set_device("cpp_standalone", directory=folder, build_on_run=False)
seed(1)
pre, post = PoissonGroup(n, rate * Hz), PoissonGroup(n, rate * Hz)
calcium = Synapses(
    pre,
    post,
    """dc/dt = -c/tau_Ca : 1 (clock-driven)
    drho/dt = (gamma_p*(1 - rho)*int(c >= theta_p) - gamma_d*rho*int(c >= theta_d))/tau + sigma*sqrt((int(c >= theta_p)
        + int(c >= theta_d))/tau)*xi : 1 (clock-driven)""",
    on_pre="c += Cpre",
    on_post="c += Cpost",
    delay={"pre": 13.7 * ms},
    method="heun",
    namespace={
        "tau_Ca": 20 * ms, "Cpre": 1.0, "Cpost": 2.0, "theta_d": 1.0, "theta_p": 1.3, "gamma_d": 200.0, "gamma_p": 321.808,
        "sigma": 2.8284, "tau": 150 * second,
    },
)  # fmt: skip
calcium.connect(j="i")
run(duration * second)
device.build(directory=folder, run=False)
begin = time.perf_counter()
device.run()
print(time.perf_counter() - begin)
