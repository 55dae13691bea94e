"""Speed as ratios, measured side by side in this run: ``python bench/run.py [--scripts N] [PART ...]``, such as ``lzc``; all by default.

Everything runs in processes of its own on this machine, the baseline in turn with ours. What a baseline is, is said in its line.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from brian2.units import Hz, ms
from brian2.units import second as s
from bss2 import rows as integers
from lzc import rows as complexity
from stc import rows as tagging

from bioneuro import brian, protocol
from bioneuro.catalogue import graupner2012

HERE = Path(__file__).parent
LAGS = np.linspace(-100, 100, 41)


def seconds(script: str, *arguments: str, **environment: str) -> tuple[float, str]:
    """Wall time of a Python process, imports included, and the last line that it printed."""
    begin = time.perf_counter()
    done = subprocess.run(
        [sys.executable, str(HERE / script), *arguments], capture_output=True, text=True, check=True, env={**os.environ, **environment}
    )
    return time.perf_counter() - begin, done.stdout.strip().splitlines()[-1]


def window(scripts: int, folder: Path) -> list[tuple[str, float, float]]:
    """The pair-STDP window: one process against one standalone Brian2 script per lag."""
    home = {"BIONEURO_CACHE_DIR": str(folder / "programs")}
    chosen = np.unique(np.linspace(0, 40, scripts).round().astype(int))
    single, weights = [], []
    for k in chosen:
        wall, printed = seconds("brian2_pair.py", str(LAGS[k]), str(folder / f"script{k}"))
        single.append(wall)
        weights.append(float(printed))
    baseline = float(np.mean(single)) * 41
    cold, printed = seconds("window.py", "1", "20", **home)
    ours = json.loads(printed)
    warm, after = min((seconds("window.py", str(k), str(15 + k), **home) for k in (2, 3, 4)), key=lambda pair: pair[0])
    assert json.loads(after)["programs"] == ours["programs"] == 1, "a warm run started the compiler"
    error = float(np.abs(np.array(ours["weights"])[chosen] - weights).max())
    how = f"41 standalone Brian2 scripts, {baseline:.0f} s ({len(chosen)} measured{'' if len(chosen) == 41 else ', extrapolated'})"
    print(f"weights differ by at most {error:.1e}", flush=True)
    return [
        (f"41-lag pair-STDP window, cold ({cold:.2f} s, build and imports included), against {how}", baseline / cold, 25),
        (f"the same, warm ({warm:.2f} s: second process, other values and seed, no compiler), against {how}", baseline / warm, 80),
    ]


def calcium(folder: Path) -> tuple[str, float, float]:
    """10,000 noisy calcium synapses at 10 Hz, in synapse-seconds per second."""
    circuit = graupner2012.pair("DP")
    brian.simulate(circuit, protocol.poisson({"pre": 10 * Hz, "post": 10 * Hz}, 0.1 * s, repetitions=10_000), seed=0)  # compile
    rates: dict[str, list[float]] = {"ours": [], "theirs": []}
    subject = protocol.poisson({"pre": 10 * Hz, "post": 10 * Hz}, 60 * s, repetitions=10_000, record=("calcium.rho",))
    brian.simulate(circuit, subject, seed=0)
    for k in range(3):
        _, run_time = seconds("brian2_calcium.py", "10000", "2", "10", str(folder / f"calcium{k}"))
        rates["theirs"].append(10_000 * 2 / float(run_time))
        begin = time.perf_counter()
        fresh = protocol.poisson({"pre": 10 * Hz, "post": 10 * Hz}, 60 * s, repetitions=10_000, record=("calcium.rho",))
        brian.simulate(circuit, fresh, seed=k + 1)
        rates["ours"].append(10_000 * 60 / (time.perf_counter() - begin))
    ours, theirs = (float(np.median(rates[k])) for k in ("ours", "theirs"))
    what = f"10,000 noisy calcium synapses at 10 Hz, preparation included: {ours:.3g} synapse-seconds per second"
    return f"{what}, against Brian2's own standalone run (0.1 ms, build not counted): {theirs:.3g}", ours / theirs, 50


def monte_carlo(folder: Path) -> tuple[str, float, float]:
    """The Monte Carlo window: 41 lags x 1000 repetitions x 2 initial states = 82,000 noisy synapses over 61 s."""
    circuit = graupner2012.pair("DP")

    def run(seed: int) -> float:
        begin = time.perf_counter()
        todo = protocol.pairing(LAGS * ms, pairs=60, repetitions=1000, initial={"calcium.rho": [0, 1]}, record=("calcium.rho",))
        brian.simulate(circuit, todo, seed=seed)
        return time.perf_counter() - begin

    run(0)
    stretch = 0.2
    _, run_time = seconds("brian2_calcium.py", "82000", str(stretch), "1", str(folder / "monte_carlo"))
    ours = float(np.median([run(seed) for seed in (1, 2, 3)]))
    clock = float(run_time) * 61.3 / stretch
    what = f"82,000-synapse Monte Carlo window: {ours:.2f} s, preparation included"
    return f"{what}, against a 0.1 ms clock in compiled Brian2: {clock:.0f} s (from {stretch} s of it, extrapolated)", clock / ours, 500


PARTS: dict[str, Callable[[Path, int], list[tuple[str, float, float]]]] = {
    "window": lambda folder, scripts: window(scripts, folder),
    "calcium": lambda folder, scripts: [calcium(folder)],
    "monte_carlo": lambda folder, scripts: [monte_carlo(folder)],
    "stc": lambda folder, scripts: tagging(folder),
    "bss2": lambda folder, scripts: integers(folder),
    "lzc": lambda folder, scripts: complexity(folder),
}


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--scripts", type=int, default=5, help="how many of the 41 separate scripts to run (41: all)")
    options.add_argument("parts", nargs="*", metavar="PART", help=f"what to measure, of {', '.join(PARTS)}; by default all")
    given = options.parse_args()
    if unknown := sorted(set(given.parts) - set(PARTS)):
        options.error(f"unknown parts {unknown}; allowed: {', '.join(PARTS)}")
    with tempfile.TemporaryDirectory(prefix="bioneuro-bench-") as name:
        os.environ["BIONEURO_CACHE_DIR"] = str(Path(name) / "shared")
        rows = []
        for part in given.parts or PARTS:
            for row in PARTS[part](Path(name), given.scripts):
                print(f"{row[1]:8.1f} x  (goal {row[2]:g})  {row[0]}", flush=True)
                rows.append(row)
    missed = [row for row in rows if row[1] < row[2]]
    print(f"{len(rows) - len(missed)} of {len(rows)} ratios reach their goal")
    return bool(missed)


if __name__ == "__main__":
    sys.exit(main())
