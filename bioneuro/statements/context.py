"""Borrow Brian2 and give it back: device, preferences, working directory and log level as the user had them."""

import contextlib
import importlib
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from brian2 import prefs, synapses
from brian2.core.tracking import InstanceTrackerSet, Trackable

# The name `brian2.devices.device` is a proxy of the active device; the module behind it holds which one is active.
devices: Any = importlib.import_module("brian2.devices.device")

SYNAPSES = Path(synapses.__file__).parent
"""Where Brian2 keeps what its Cython code for synapses includes."""

STRICT = ["-w", "-O3", "-ffp-contract=off", "-fno-trapping-math", "-march=native", "-std=c++11"]
"""IEEE arithmetic in the order written: what makes engines agree to the last bit of every operation but exp and its kin. No program looks
at the flags that operations raise, so that comparisons may stand in vector units."""
FAST = ["-w", "-O3", "-DBIONEURO_FAST", "-ffast-math", "-fno-finite-math-only", "-march=native", "-std=c++11"]

CORES = ["-fopenmp"] if sys.platform == "linux" else []
"""For the standalone program (target "auto"): long loops over independent elements run on all cores."""


@contextlib.contextmanager
def borrowed(device: Any, *, target: str, strict: bool) -> Iterator[None]:
    """Make `device` active with our preferences; whatever happens, put back what was there."""
    wanted = {
        "codegen.target": target,
        "codegen.loop_invariant_optimisations": not strict,
        "codegen.cpp.extra_compile_args": None,
        # Brian2 adds its own folder to this very list whenever it compiles Cython, which would be another program for us.
        "codegen.cpp.include_dirs": [folder for folder in prefs["codegen.cpp.include_dirs"] if Path(folder) != SYNAPSES],
        "codegen.cpp.extra_compile_args_gcc": (STRICT if strict else FAST) + (CORES if target == "auto" else []),
        "codegen.cpp.extra_link_args": CORES if target == "auto" else prefs["codegen.cpp.extra_link_args"],
        "devices.cpp_standalone.openmp_threads": 0,
        "core.default_float_dtype": np.float64,
    }
    before = {name: prefs[name] for name in wanted}
    active = devices.active_device
    known = Trackable.__instancefollower__.instance_sets
    try:
        # Our objects neither see the user's (whose names would change ours) nor join a network that the user runs by magic.
        Trackable.__instancefollower__.instance_sets = defaultdict(InstanceTrackerSet)
        for name, value in wanted.items():
            prefs[name] = value
        devices.active_device = device
        if device.defaultclock is None:
            device.activate(build_on_run=False)
        yield
    finally:
        Trackable.__instancefollower__.instance_sets = known
        devices.active_device = active
        for name, value in before.items():
            prefs[name] = value
