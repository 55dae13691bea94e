"""What a gradient costs in memory: every step of a run, or with segments the root of their number."""

import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest

MEASURE = """
import resource, sys, torch
from bioneuro import Twin, protocol
from bioneuro.catalogue import vogels2005

steps, segments = int(sys.argv[1]), sys.argv[2]
torch.set_num_threads(1)
made = Twin(vogels2005.driven(size=20_000), free=["lif.tau_m"], segments=None if segments == "none" else segments, raster=False)
run = protocol.poisson({"input": "50 Hz"}, f"{steps * 1e-4} s", stepping=protocol.clock("0.1 ms"))
made(protocol.poisson({"input": "50 Hz"}, "1 ms", stepping=protocol.clock("0.1 ms")), seed=1)["lif.v"].sum().backward()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
made(run, seed=1)["lif.v"].sum().backward()
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
"""


def cost(steps: int, segments: str) -> float:
    done = subprocess.run([sys.executable, "-c", MEASURE, str(steps), segments], capture_output=True, text=True, check=True)
    return float(done.stdout)


@pytest.mark.slow
def test_memory_grows_with_the_root_of_time(ledger: Callable[..., None]) -> None:
    """Its slope in logarithms is near 1 without segments; with them it lies near 1/2, and a long run takes a small part of the memory."""
    plain, root = [cost(steps, "none") for steps in (200, 800)], [cost(steps, "auto") for steps in (200, 800, 3200)]
    assert np.log(plain[1] / plain[0]) / np.log(4) > 0.85, (plain, root)
    assert root[1] < plain[1] / 8, (plain, root)
    slope = np.log(root[2] / root[0]) / np.log(16)
    ledger("twin", "every step kept", "memory of a gradient with segments: exponent of its growth in time", slope, 0.75,
           "1/2 is that of states and steps kept; the rest is what the allocator holds back")  # fmt: skip
