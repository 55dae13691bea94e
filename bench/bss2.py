"""A processor's integers: eight hours of updates every 10 ms, against the same steps in real numbers and the exact event run."""

from pathlib import Path

import numpy as np
from stc import FOUR, HOURS, READS, seconds

from bioneuro import brian, bss2, protocol
from bioneuro.catalogue import luboeinski2021

Row = tuple[str, float, float]

KINDS = {
    "steps in real numbers": bss2.Hardware(bits=None),
    "16 bits, nearest": bss2.Hardware(rounding="nearest"),
    "16 bits, ideal draws": bss2.Hardware(),
    "16 bits, draws of 16 register bits": bss2.Hardware(draws=16),
    "16 bits, draws of 8 register bits, slow rates once a second": bss2.Hardware(draws=8, rarely=100),
}


def per_protocol(hardware: bss2.Hardware | None) -> tuple[float, float]:
    """Seconds per train for 100 trials of 8 h, the four trains in one run: all of it, and the compiled program alone; the better of two."""
    circuit = luboeinski2021.single()
    made = circuit if hardware is None else bss2.constrain(circuit, hardware)

    def run(seed: int) -> tuple[float, float]:
        def do() -> object:
            todo = protocol.induction(FOUR, repetitions=100, reads=READS, record=("stc.h", "stc.p", "stc.z"))
            return brian.simulate(made, todo, seed=seed)

        return seconds(do)[:2]

    brian.simulate(made, protocol.induction(FOUR, start="0 s", duration="1210 s", reads=["1205 s"], repetitions=100), seed=0)  # compiles
    return min(run(seed) for seed in (1, 2)) if hardware is None else tuple(np.array(run(1)) / len(FOUR))  # type: ignore[return-value]


def rows(folder: Path) -> list[Row]:
    """How long each takes per protocol, and the ratio to steps in real numbers."""
    updates = HOURS * 360_000
    exact = per_protocol(None)[0] / len(FOUR)
    found = {name: per_protocol(hardware) for name, hardware in KINDS.items()}
    real = found["steps in real numbers"][0]
    print(f"           per protocol of 100 trials x {HOURS} h ({updates} updates each), event run {exact:.2f} s; " + "; ".join(
        f"{name} {whole:.1f} s (program {alone:.1f} s, {1e9 * alone / updates / 100:.0f} ns per update)" for name, (whole, alone) in found.items()
    ), flush=True)  # fmt: skip
    name, (whole, _) = max(found.items(), key=lambda item: item[1][0])
    return [
        (f"{kind}, {seconds_:.1f} s per protocol, against the same steps in real numbers, {real:.1f} s", real / seconds_, 0.4)
        for kind, (seconds_, _) in found.items()
        if kind != "steps in real numbers"
    ] + [(f"the slowest of them ({name}, {whole:.1f} s), against a minute per protocol", 60 / whole, 1)]


if __name__ == "__main__":
    for row in rows(Path()):
        print(f"{row[1]:8.2f} x  (goal {row[2]:g})  {row[0]}", flush=True)
