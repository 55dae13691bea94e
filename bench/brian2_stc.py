"""Baseline: synapses with tagging and capture on Brian2's own 0.2 ms clock, C++ standalone, its own spikes and random numbers.

Usage: brian2_stc.py SYNAPSES SECONDS FOLDER; prints the seconds that the compiled program ran (build not counted).
"""

import sys
import time

from brian2 import Hz, PoissonGroup, Synapses, defaultclock, device, ms, mV, run, second, seed, set_device

n, duration, folder = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
set_device("cpp_standalone", directory=folder, build_on_run=False)
seed(1)
defaultclock.dt = 0.2 * ms
pre = PoissonGroup(n, "100*Hz*int(t < 1*second)", namespace={"Hz": Hz, "second": second})
stc = Synapses(
    pre,
    pre,
    """dCa/dt = -Ca/tau_Ca : 1 (clock-driven)
    dh/dt = (0.1*(h0 - h) + gamma_p*(10*mV - h)*int(Ca >= theta_p) - gamma_d*h*int(Ca >= theta_d))/tau_h
        + sigma*sqrt((int(Ca >= theta_p) + int(Ca >= theta_d))/tau_h)*xi : volt (clock-driven)
    dp/dt = (int(abs(h - h0) >= 0.5*h0) - p)/tau : 1 (clock-driven)
    dz/dt = p*((1 - z)*int(h - h0 >= 0.2*h0) - (z + 0.5)*int(h0 - h >= 0.2*h0))/tau : 1 (clock-driven)""",
    on_pre="Ca += 1",
    delay=18.8 * ms,
    method="heun",
    namespace={
        "tau_Ca": 48.8 * ms, "h0": 4.20075 * mV, "gamma_p": 1645.6, "gamma_d": 313.1, "theta_p": 3.0, "theta_d": 1.2, "tau_h": 688.4 * second,
        "sigma": 2.90436 * mV, "tau": 3600 * second, "mV": mV,
    },
)  # fmt: skip
stc.connect(j="i")
stc.h = 4.20075 * mV
run(duration * second)
device.build(directory=folder, run=False)
begin = time.perf_counter()
device.run()
print(time.perf_counter() - begin)
