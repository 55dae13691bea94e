"""Populations between a source of spikes and a reader: neurons of the catalogue behind random weights and delays.

Nothing is learned here. A neuron adds up channels of its own choice, each with a delay of its own, and fires when enough of them meet: so a
population turns intervals between spikes of different channels into rates of its neurons (Maass W, Natschläger T, Markram H (2002) Real-time
computing without stable states. Neural Comput 14:2531, doi 10.1162/089976602760407955, for recurrent circuits under a linear reader).

    weight  mean of the weights that are drawn, exponentially distributed: of the sign of `weight` all of them
    delay   drawn per pair, each step of the grid from the shortest to the longest equally likely
"""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bioneuro import units
from bioneuro.model import Circuit, ModelError, Neuron, Parameter, Population, Projection, Synapse, delayed

PORT, NEURONS = "source", "population"
"""Names of the two populations: the port that spikes come in by, and the neurons."""


def feedforward(
    neuron: Neuron,
    synapse: Synapse,
    *,
    channels: int,
    size: int = 64,
    weight: Any,
    delays: tuple[Any, Any] = ("1 ms", "20 ms"),
    grid: Any = "1 ms",
    chance: float = 1.0,
    inhibition: Synapse | None = None,
    seed: int,
) -> Circuit:
    """`size` neurons, each joined to the `channels` of a port by synapses of random weight and delay, the same for the same `seed`.

    Arguments:
        synapse: has a parameter ``weight`` and no delay, such as ``vogels2005.synapse()``; weights are exponential with mean `weight`.
        delays: shortest and longest delay; all multiples of `grid` between them are drawn alike.
        chance: the probability that a channel and a neuron are joined at all; a channel that would reach no neuron reaches one.
        inhibition: a synapse from every neuron to every other one, or None.

    Weights, delays and pairs come from three generators, so none of them hangs on how the others are drawn.

    Raises:
        ModelError: a synapse without ``weight``; delays that are no multiples of the grid; numbers out of range. UnitError: a wrong unit.
    """
    _check(synapse, channels, size, delays, chance, seed)
    strengths, lags, joined = (np.random.Generator(np.random.Philox(key=[seed, k])) for k in range(3))
    kept = joined.random((channels, size)) < chance
    kept[np.arange(channels), joined.integers(size, size=channels)] |= ~kept.any(axis=1)
    mean = units.in_unit(weight, synapse.parameters["weight"].unit, "feedforward: weight")
    if mean.ndim:
        raise ModelError(f"feedforward: {mean.size} weights; give their mean, such as '2 mV'")
    drawn = {"weight": float(mean) * strengths.exponential(size=kept.shape), "d_axonal": _delays(delays, grid, lags, kept.shape)}
    late = delayed(synapse, axonal=delays[0])
    values = {name: _each(late.parameters[name], numbers[kept], f"feedforward: {name}") for name, numbers in drawn.items()}
    pre, post = np.nonzero(kept)
    forward = dataclasses.replace(late, parameters={**late.parameters, **values})
    projections = [Projection(name="forward", synapse=forward, pre=PORT, post=NEURONS, pairs=(pre, post))]
    if inhibition is not None and size > 1:
        one, other = np.nonzero(~np.eye(size, dtype=bool))
        projections.append(Projection(name="inhibition", synapse=inhibition, pre=NEURONS, post=NEURONS, pairs=(one, other)))
    populations = (Population(name=PORT, size=channels), Population(name=NEURONS, neuron=neuron, size=size))
    return Circuit(name="feedforward", populations=populations, projections=tuple(projections))


def operating_point(rate_of: Callable[[float], float], rate: float, *, low: float, high: float, steps: int = 12) -> float:
    """The weight between `low` and `high` at which ``rate_of(weight)`` is `rate`, by halving the interval of its logarithm `steps` times.

    `rate_of` runs a circuit of that weight on samples without labels and grows with the weight; both ends have the same sign.

    Raises:
        ModelError: the rate at `low` is above `rate`, or that at `high` below.
    """
    if not 0 < low < high:
        raise ModelError(f"operating_point: from {low} to {high}; give 0 < low < high")
    ends = rate_of(low), rate_of(high)
    if not ends[0] <= rate <= ends[1]:
        raise ModelError(f"operating_point: rates {ends[0]:.3g} at {low:g} and {ends[1]:.3g} at {high:g} do not enclose {rate:g}; widen low and high")
    for _ in range(steps):
        middle = math.sqrt(low * high)
        low, high = (low, middle) if rate_of(middle) > rate else (middle, high)
    return math.sqrt(low * high)


def _check(synapse: Synapse, channels: Any, size: Any, delays: Any, chance: Any, seed: Any) -> None:
    for name, count, least in (("channels", channels, 1), ("size", size, 1), ("seed", seed, 0)):
        if isinstance(count, bool) or not isinstance(count, int | np.integer) or not least <= count < 2**63:
            raise ModelError(f"feedforward: {name} {count!r}; give an integer from {least} to 2**63 - 1")
    if not isinstance(delays, list | tuple) or len(delays) != 2:
        raise ModelError(f"feedforward: delays {delays!r:.60}; give the shortest and the longest, such as ('1 ms', '20 ms')")
    if isinstance(chance, bool) or not isinstance(chance, int | float | np.number) or not 0 < chance <= 1:
        raise ModelError(f"feedforward: a chance of {chance!r}; give a probability above 0, and 1 for all pairs")
    if "weight" not in synapse.parameters:
        raise ModelError(f"feedforward: synapse {synapse.name!r} has no parameter 'weight', but {sorted(synapse.parameters)}; give one that has")


def _delays(delays: tuple[Any, Any], grid: Any, random: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Seconds, on the grid."""
    step, *ends = (float(units.in_unit(t, "second", "feedforward: delays and grid")) for t in (grid, *delays))
    counts = [round(end / step) if step > 0 else -1 for end in ends]
    off = any(abs(count * step - end) > 1e-9 * max(step, abs(end)) for count, end in zip(counts, ends, strict=True))
    if step <= 0 or off or not 0 <= counts[0] <= counts[1]:
        raise ModelError(
            f"feedforward: delays from {ends[0]:g} s to {ends[1]:g} s on a grid of {step:g} s; give 0 <= shortest <= longest, multiples of the grid"
        )
    return np.asarray(step * random.integers(counts[0], counts[1] + 1, size=shape))


def _each(known: Parameter, values: NDArray[np.float64], place: str) -> Parameter:
    """The same parameter with one SI value per pair."""
    known.check_bounds(values, place)
    return dataclasses.replace(known, value=values, source="drawn at random")
