"""What a layer refuses to be."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from bioneuro import units
from bioneuro.model import Neuron, did_you_mean
from bioneuro.twin.module import _only_refractory as only_refractory

SPIKES = "spikes"
"""What a layer gives on if nothing else is asked for."""


class LayerError(ValueError):
    """A layer cannot be made or run as asked."""


def shape_of(name: str, size: Any) -> tuple[int, ...]:
    """The shape of a layer of `size` units."""
    shape = tuple(size) if isinstance(size, Sequence) and not isinstance(size, str) else (size,)
    if not shape or any(isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1 for n in shape):
        raise LayerError(f"layer {name!r}: size {size!r:.60} is no number of units; give a positive integer, or several such as (8, 5, 5)")
    return tuple(int(n) for n in shape)


def input_of(name: str, neuron: Neuron, variable: str) -> str:
    """`variable`, if something from outside can drive it."""
    able = sorted(key for key, unit in neuron.plain.items() if unit not in ("boolean", "integer"))
    if variable not in able:
        raise LayerError(
            f"layer {name!r}: input {variable!r} is no plain variable of neuron {neuron.name!r}; allowed: {able}; declare one such as 'I : amp' "
            "in the equations." + did_you_mean(variable, able)
        )
    return variable


def scale_of(name: str, unit: str, scale: Any) -> float:
    """What x = 1 stands for, in SI, of an input in `unit`."""
    if scale is None and units.unit(unit).dimensions != units.DIMENSIONLESS:
        raise LayerError(f"layer {name!r}: the input is in {unit!r}; say what x = 1 stands for, such as scale='1 {unit}'")
    value = units.in_unit(1.0 if scale is None else scale, unit, f"layer {name!r}: scale")
    if value.ndim or value <= 0:
        raise LayerError(f"layer {name!r}: scale {scale!r:.60} must be one positive number with its unit")
    return float(value)


def check(layer: Any, own: tuple[str, ...]) -> None:
    """Refuse names that cannot be learned or read out, and arrays that are not one value per unit, of a layer about to be made."""
    neuron, place, n = layer.start, f"layer {layer.name!r}", math.prod(layer.size)
    for name in (*layer.free, *own):
        if name not in neuron.parameters:
            hint = did_you_mean(name, neuron.parameters)
            raise LayerError(f"{place}: free {name!r} is no parameter of the neuron; allowed: {sorted(neuron.parameters)}.{hint}")
    for name in sorted({*layer.free} & (only_refractory(neuron) if neuron.refractory else set())):
        raise LayerError(f"{place}: free {name!r} is a refractory period: it counts steps, which has no gradient; scan it instead")
    for name in layer.free:
        if neuron.parameters[name].unit == "integer":
            raise LayerError(f"{place}: free {name!r} is an integer, which has no neighbours to descend to; scan it instead")
    if lost := sorted({*own} - {*layer.free}):
        raise LayerError(f"{place}: per_neuron names {lost}, which are not free; allowed: {sorted(layer.free)}")
    for name, p in {**neuron.parameters, **neuron.initial}.items():
        if p.value.ndim and p.value.shape != (n,):
            raise LayerError(f"{place}: {name!r} has {p.value.size} values for {n} units; give one, or {n}")
    if layer.outputs == SPIKES and not neuron.threshold:
        raise LayerError(f"{place}: neuron {neuron.name!r} never fires; give it a threshold, or read a state: outputs={next(iter(neuron.states))!r}")
    if layer.outputs != SPIKES and layer.outputs not in {*neuron.states} - {layer.input}:
        able = [SPIKES, *sorted({*neuron.states} - {layer.input})]
        raise LayerError(f"{place}: outputs {layer.outputs!r} is no state; allowed: {able}." + did_you_mean(layer.outputs, able))
    if not layer.dt > 0:
        raise LayerError(f"{place}: dt {layer.dt} s is not positive; give a length of time such as '1 ms'")
