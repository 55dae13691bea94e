"""Synaptic tagging and capture: eight hours from event to event, against a clock, and how the cost grows.

``python bench/stc.py TRIALS SEED`` is ours in a process of its own: the four trains, so many trials of 8 h each. It prints the seconds that the
run took within that process. `rows` is what `bench/run.py` asks for.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from bioneuro import brian, protocol
from bioneuro.catalogue import luboeinski2021
from bioneuro.protocol import SLFS, STET, WLFS, WTET, Train

Row = tuple[str, float, float]

HERE = Path(__file__).parent
FOUR = (STET, WTET, SLFS, WLFS)
READS = [f"{t} s" for t in (60, 600, 1050, 1201, 1800, 3600, 7200, 10800, 14400, 18000, 21600, 25200)]
"""Those of the published means, from the first stimulus on."""
HOURS, DT = 8, 0.2e-3


def seconds(do: Callable[[], Any]) -> tuple[float, float, Any]:
    """Wall time of a simulation, the part of it in which the compiled program ran, and the result."""
    module = sys.modules["bioneuro.brian.simulate"]
    run, own = module._run, [0.0]

    def timed(*arguments: Any) -> None:
        begin = time.perf_counter()
        run(*arguments)
        own[0] += time.perf_counter() - begin

    with mock.patch.object(module, "_run", timed):
        begin = time.perf_counter()
        result = do()
        return time.perf_counter() - begin, own[0], result


def ours(trains: Sequence[Train], trials: int, seed: int, **how: Any) -> tuple[float, float, Any]:
    """Protocol and plan included."""

    def do() -> Any:
        todo = protocol.induction(trains, repetitions=trials, **{"reads": READS, **how})
        return brian.simulate(luboeinski2021.single(), todo, seed=seed)

    return seconds(do)


def median(trains: Sequence[Train], trials: int) -> tuple[float, float]:
    """Of three runs once the program is built: all of it, and the compiled program alone."""
    ours(trains, trials, 0)
    found = np.array([ours(trains, trials, seed)[:2] for seed in (1, 2, 3)])
    return float(np.median(found[:, 0])), float(np.median(found[:, 1]))


def process(*arguments: str) -> tuple[float, dict[str, float]]:
    """Wall time of `main` in a process of its own, imports included, and what it printed."""
    begin = time.perf_counter()
    done = subprocess.run([sys.executable, __file__, *arguments], capture_output=True, text=True, check=True)
    return time.perf_counter() - begin, json.loads(done.stdout.splitlines()[-1])


def brian2(synapses: int, stretch: float, folder: Path) -> float:
    """Seconds of Brian2's own standalone program."""
    command = [sys.executable, str(HERE / "brian2_stc.py"), str(synapses), str(stretch), str(folder)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1])


def clock(stretch: float) -> float:
    """Seconds of our own compiled program on the same clock, 100 trials of each train."""
    short = [Train("100 Hz", "1 s"), Train("100 Hz", "0.2 s"), Train("20 Hz", "0.15 s", 3, "1.15 s"), Train("1 Hz", "4 s")]
    how = {"start": "0 s", "duration": f"{stretch} s", "reads": [f"{stretch} s"], "stepping": protocol.clock(f"{DT} second")}
    ours(short, 100, 0, **how)
    return ours(short, 100, 1, **how)[1]


def exponent(numbers: Sequence[float], times: Sequence[float]) -> float:
    """Of the power law through these points."""
    return float(np.polyfit(np.log(numbers), np.log(times), 1)[0])


def rows(folder: Path) -> list[Row]:
    """Against two clocks, the faster of which counts; then, as lines of text, how the cost grows."""
    stretch = 20.0
    process("100", "0")  # compiles
    fresh, once = min((process("100", str(seed)) for seed in (1, 2, 3)), key=lambda pair: pair[0])
    whole, alone = median(FOUR, 100)
    factor = 3600 * HOURS / stretch
    plain, own = (min(f() for _ in range(2)) * factor for f in (lambda: brian2(400, stretch, folder / "stc"), lambda: clock(stretch)))
    reached = f"z of the strong tetanus {once['z']:.3f}"
    against = (
        f"400 synapses on a {DT * 1e3:g} ms clock in compiled Brian2, {plain:.0f} s (bioneuro on that clock: {own:.0f} s; both extrapolated from "
        f"{stretch:g} s of {HOURS} h)"
    )
    baseline = min(plain, own)
    what = f"tagging and capture, 4 trains x 100 trials x {HOURS} h"
    growth()
    return [
        (f"{what}: compiled program alone, {alone:.3f} s, against {against}", baseline / alone, 5000),
        (f"the same with protocol, plan and all preparation: {whole:.2f} s in a running session ({reached})", baseline / whole, 500),
        (f"the same as a new process, no compiler: {fresh:.2f} s, of which {fresh - once['run']:.2f} s are imports", baseline / fresh, 500),
        (f"the same in a running session ({whole:.2f} s), against 2 s", 2 / whole, 1),
    ]


def growth() -> None:
    """How the cost grows with trials and with events, and 10,000 synapses."""
    numbers = [100, 200, 400, 800, 1600]
    whole, alone = zip(*(median(FOUR, n) for n in numbers), strict=True)
    print(f"           trials {numbers}: program {_list(alone)} s, exponent {exponent(numbers, alone):.2f}; all {_list(whole)} s", flush=True)
    lasts = [4, 8, 16, 32, 64]
    trains = [[Train("100 Hz", f"{k} s", 3, "600 s")] for k in lasts]
    whole, alone = zip(*(median(train, 400) for train in trains), strict=True)
    events = [3 * 100 * k for k in lasts]
    print(f"           events {events}: program {_list(alone)} s, exponent {exponent(events, alone):.2f}; all {_list(whole)} s", flush=True)
    ours([STET], 10_000, 0)
    total, program, seen = ours([STET], 10_000, 1)
    late = seen["stc.z"][:, -1, 0]
    told = f"z {late.mean():.4f} +- {late.std(ddof=1):.4f}"
    print(f"           10,000 synapses x {HOURS} h of the strong tetanus: {total:.2f} s, program {program:.2f} s; {told}", flush=True)


def _list(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.2f}" for value in values)


def main() -> None:
    trials, seed = (int(a) for a in sys.argv[1:3])
    run, program, seen = ours(FOUR, trials, seed)
    print(json.dumps({"run": run, "program": program, "z": float(seen["stc.z"][:trials, -1].mean())}))


if __name__ == "__main__":
    main()
