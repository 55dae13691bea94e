"""What rounding makes of small changes: a counter that is pushed or decays, in the integers of a plasticity processor.

Stochastic rounding came to the integers of BrainScaleS-2 with the tagging and capture of Atoui et al. 2024,
doi 10.48550/arXiv.2412.02515; on that chip random numbers come from shift registers, eight bits at a time. Here are the roundings alone: one
variable, dx/dt = speed - x/tau, in steps of its own lane, 10 ms from one update to the next. Of its units, side by side, some are pushed by 0 to
1 step per update, or by -4/256 to 4/256; some decay by 0.1 down to 1e-7 steps per update; one decays by 3 steps at first, as far as it will go.

Writes results/bss2_rounding/exact_<bits>.nc (real numbers, from event to event) and <mode>_<bits>.nc: x after some updates.
"""

from pathlib import Path

import numpy as np

from bioneuro import Circuit, Protocol, study
from bioneuro.bss2 import Hardware, constrain
from bioneuro.model import Population, Projection, Synapse, parameter
from bioneuro.protocol import Coordinate, Events, Spikes
from bioneuro.script import Options, apply, options

PERIOD, TRIALS, QUICK = 0.01, 200, 20  # s; repetitions of everything
FRACTIONS, NEAR = np.linspace(0, 1, 11), np.arange(-16, 17) / 1024  # steps per update
SLOW, FAST = 10.0 ** -np.arange(1, 7.25, 0.5), 3.0  # steps per update from the start
STARTS = {8: (100, 100), 16: (25600, 2560)}  # steps: of the slow decays, of the fast one
COUNTS, QUICK_COUNTS = (100, 1000, 5000), (100, 1000)  # updates: a few where a step is likely, many where it is not
COURSE = {8: 8, 16: 200}  # updates between readings of the fast decay, of which there are 25
MODES = {
    "nearest": {"rounding": "nearest"}, "truncate": {"rounding": "truncate"}, "ideal": {"draws": "ideal"}, "byte": {"draws": 8, "fraction": 16},
    "centred": {"draws": 8, "fraction": 16, "centred": True}, "halfword": {"draws": 16, "fraction": 16},
}  # fmt: skip
NEVER = 1e12  # s, the time constant of what is only pushed


def counters(bits: int) -> Circuit:
    """A unit for each push and each decay; a step of the lane is 1."""
    pushes, (slow, fast) = np.concatenate([FRACTIONS, NEAR]), STARTS[bits]
    speed = np.append(pushes, np.zeros(SLOW.size + 1)) / PERIOD
    start = np.concatenate([0 * pushes, 0 * SLOW + slow, [fast]])
    tau = np.concatenate([0 * pushes + NEVER, PERIOD * slow / SLOW, [PERIOD * fast / FAST]])
    rule = Synapse(
        name="counter", equations="dx/dt = speed - x/tau : 1", pathways=(), reference="chosen here",
        parameters={
            "speed": parameter(speed, "Hz", says="steps that it is pushed by in a second", source="chosen here"),
            "tau": parameter(tau, "second", low=1e-3, high=NEVER, says="time constant of its decay", source="chosen here"),
        },
        initial={"x": parameter(start, says="where it starts, in steps")},
    )  # fmt: skip
    ports, each = [Population(name=name, size=start.size) for name in ("pre", "post")], np.arange(start.size)
    joined = Projection(name="count", synapse=rule, pre="pre", post="post", pairs=(each, each))
    return Circuit(name="counters", populations=tuple(ports), projections=(joined,))


def updates(counts: list[int], repetitions: int, after: float = 0.5) -> Protocol:
    """Nothing but updates: x when `counts` of them are over, so many periods `after` the last."""
    none = Spikes(stimulus=[], unit=[], time=[])
    return Protocol(
        name="updates", stepping=Events(), trials={"repetition": Coordinate(values=np.arange(float(repetitions)))}, stimulus=np.arange(repetitions),
        reads=np.tile(PERIOD * (np.array(counts) + after), (repetitions, 1)), spikes={"pre": none, "post": none}, record=("count.x",),
    )  # fmt: skip


def plan(options: Options) -> dict[str, tuple[Circuit, Protocol]]:
    """What is run."""
    tasks, trials = {}, QUICK if options.quick else TRIALS
    for bits, every in COURSE.items():
        counts = sorted({*(QUICK_COUNTS if options.quick else COUNTS), *range(0, 25 * every, every)})
        circuit, made = apply(options, counters(bits)), updates(counts, trials)
        tasks[f"exact_{bits}"] = circuit, updates(counts, 1, after=0.0)
        span = {"count.x": (1 - 2 ** (bits - 1), 2 ** (bits - 1) - 1)}
        for mode, how in MODES.items():
            tasks[f"{mode}_{bits}"] = constrain(circuit, Hardware(period=f"{PERIOD} s", bits=bits, ranges=span, **how)), made
    return tasks


def main(options: Options) -> Path:
    return study.record(options, plan(options))


if __name__ == "__main__":
    main(options(Path(__file__).stem))
