"""What a stack holds: its layers, each with the linear maps in front of it."""

import copy
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bioneuro import text
from bioneuro.equations import equations_of
from bioneuro.twin.layer import Layer
from bioneuro.twin.layer_checks import SPIKES, LayerError

Floats = NDArray[np.float64]

PORT, BIAS = "input", "bias"
"""Names of the ports of a stack: spikes that come in, and what fires in every step."""

LINEAR = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d, nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d,
          nn.Flatten, nn.Unflatten, nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)  # fmt: skip
"""What may stand between layers: maps that are linear but for a bias. Dropout is one while it does nothing."""


class Frames(nn.Sequential):
    """Modules that know no time, such as convolutions and poolings: each frame of (time, batch, ...) goes through them by itself.

    >>> Frames(nn.Conv2d(1, 4, 3), nn.Flatten())(torch.zeros(10, 2, 1, 5, 5)).shape
    torch.Size([10, 2, 36])
    """

    def forward(self, x: Tensor) -> Tensor:
        return torch.unflatten(super().forward(x.flatten(0, 1)), 0, x.shape[:2])


@dataclass(frozen=True, kw_only=True, eq=False)
class Stage:
    """A layer in float64 with the maps in front of it.

    Attributes:
        name, layer: of the population. below: population or port whose spikes it hears, or "" for a current.
        maps, shape: the linear maps, and the shape of what goes into them.
        bias: what the maps make of nothing, SI, one per unit.
        lead: steps that it is late.
    """

    name: str
    layer: Layer
    below: str
    maps: nn.Sequential
    shape: tuple[int, ...]
    bias: Floats
    lead: int

    @property
    def weights(self) -> Floats:
        """What each unit below adds to the input of each unit, SI, shape (below, unit)."""
        plain = copy.deepcopy(self.maps)
        for module in plain.modules():
            if getattr(module, "bias", None) is not None:
                module.register_parameter("bias", None)
        n = math.prod(self.shape)
        with torch.no_grad():
            found = plain(torch.eye(n, dtype=torch.float64).reshape(n, *self.shape)).reshape(n, -1)
        return np.asarray(found.numpy() * self.layer.scale)


def stages_of(stack: nn.Module, shape: tuple[int, ...] | None, spikes: bool) -> list[Stage]:
    """The layers of a stack, in order."""
    modules = list(_modules(copy.deepcopy(stack).cpu().double()))
    layers = [m for m in modules if isinstance(m, Layer)]
    if not layers:
        refuse("it holds no Layer; give an nn.Sequential of linear maps and layers")
    if len({layer.dt for layer in layers}) > 1:
        refuse(f"its layers step by {sorted({layer.dt for layer in layers})} s; a circuit has one clock: give all of them one dt")
    names, frame, maps, found = _names(layers), _first(modules, shape), list[nn.Module](), list[Stage]()
    for position, module in enumerate(modules):
        if not isinstance(module, Layer):
            maps.append(_linear(module, position))
            continue
        below = found[-1].name if found else PORT if spikes else ""
        chain, lead = nn.Sequential(*maps), found[-1].lead + 1 if found else int(spikes)
        with torch.no_grad():
            out = chain(torch.zeros(1, *frame, dtype=torch.float64))
        if tuple(out.shape[1:]) != module.size:
            refuse(f"{tuple(out.shape[1:])} comes to layer {module.name!r} of size {module.size}; correct one of the two")
        bias = np.asarray(out.numpy().ravel() * module.scale)
        found.append(Stage(name=names[len(found)], layer=module, below=below, maps=chain, shape=frame, bias=bias, lead=lead))
        frame, maps = module.size, []
    if maps:
        refuse(f"{type(maps[-1]).__name__} comes behind the last layer, where no neuron is; export stack[:-1], or add a Layer that reads out")
    for stage in found[:-1]:
        if stage.layer.outputs != SPIKES:
            refuse(f"layer {stage.layer.name!r} gives on {stage.layer.outputs!r}, but synapses carry spikes; only the last may read out a state")
    return found


def _modules(module: nn.Module) -> Iterator[nn.Module]:
    """The modules of a stack in the order in which they act."""
    if isinstance(module, nn.Sequential):
        for part in module:
            yield from _modules(part)
    else:
        yield module


def _first(modules: list[nn.Module], shape: tuple[int, ...] | None) -> tuple[int, ...]:
    """The shape of a frame of x."""
    if shape is not None:
        return tuple(shape)
    module = next(m for m in modules if not isinstance(m, nn.Dropout | nn.Identity))
    if isinstance(module, Layer):
        return module.size
    if isinstance(module, nn.Linear):
        return (module.in_features,)
    refuse(f"{type(module).__name__} does not say the shape of a frame of x; give it, such as shape=(1, 28, 28)")


def _linear(module: nn.Module, position: int) -> nn.Module:
    if not isinstance(module, LINEAR):
        allowed = ", ".join(["Layer", *(kind.__name__ for kind in LINEAR)])
        refuse(f"module {position}, {type(module).__name__}, has no place in a circuit; allowed: {allowed}; leave it out")
    if module.training and getattr(module, "p", 0.0) > 0:
        refuse(f"module {position}, {type(module).__name__}, leaves out inputs at random; call stack.eval() first")
    return module


def refuse(said: str) -> NoReturn:
    """Raise `LayerError` about a stack."""
    raise LayerError(f"stack: {said}")


def _names(layers: list[Layer]) -> list[str]:
    """The names of the layers, numbered where they are alike."""
    given = [layer.name for layer in layers]
    found = []
    for number, layer in enumerate(layers, start=1):
        alike = given.count(layer.name) > 1 or layer.name in (PORT, BIAS)
        if alike and any(r.startswith("xi") for e in equations_of(layer.start.equations) if e.right for r in text.names(e.right).read):
            refuse(f"{given} share names, and so the noise of their neurons; give each a name of its own: Layer(..., name='hidden')")
        found.append(f"{layer.name}_{number}" if alike else layer.name)
    return found


def frames_of(stack: nn.Module, x: Tensor, spikes: bool) -> tuple[Tensor, list[Stage]]:
    """x as (time, batch, ...) in float64, and the stages."""
    first = {m.batch_first for m in _modules(stack) if isinstance(m, Layer)}
    if len(first) > 1:
        refuse("some of its layers have the batch first, others the time; give all of them one batch_first")
    frames = x.detach().cpu().double()
    frames = frames.transpose(0, 1) if first == {True} else frames
    if frames.ndim < 3 or 0 in frames.shape:
        refuse(f"x has shape {tuple(x.shape)}; give (time, batch, ...), or (batch, time, ...) if the layers have the batch first")
    return frames, stages_of(stack, tuple(frames.shape[2:]), spikes)
