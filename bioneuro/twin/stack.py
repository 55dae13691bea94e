"""A stack of layers as a circuit: linear maps become synapses, layers populations, and Brian2 runs what torch has trained.

In torch a layer sees in step t what the layer below fired in step t. Brian2 delivers a spike of step t behind the state updates of that step,
so that it acts in step t+1. In the circuit, therefore, layer l (from 1) goes l-1 steps late, and one more if spikes come in instead of
currents: that many steps are its `lead`. It fires what it fires in torch, each spike `lead` steps later. In its first `lead` steps
nothing reaches it, its bias included. A neuron that rests where it begins takes no notice of them; any other has moved on by the time the first frame
comes, and `recorded` gives the layers of the stack these steps too.

    torch                       circuit
    x through linear maps       a current into the first population, one course per trial and unit; or a port, if x are spikes
    spikes through linear maps  a projection: a spike adds its weight to the input of the neuron, which lasts one step (`Neuron.momentary`)
    bias of such a map          a synapse from a port that fires in every step from the first frame on
    Layer                       a population of `Layer.neuron`, the learned numbers in their units
"""

import dataclasses
import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from bioneuro import text, units
from bioneuro.equations import equations_of
from bioneuro.model import Circuit, Neuron, Parameter, Pathway, Population, Projection, Synapse
from bioneuro.plan import plan, recording
from bioneuro.protocol import Clock, Current, Protocol, Spikes
from bioneuro.recording import Recording
from bioneuro.records import frozen
from bioneuro.twin.layer import Layer, driven
from bioneuro.twin.layer_checks import SPIKES
from bioneuro.twin.run import CLOSE
from bioneuro.twin.stages import BIAS, PORT, Floats, Stage, frames_of, refuse, stages_of


def circuit_of(stack: nn.Module, *, shape: tuple[int, ...] | None = None, spikes: bool = False) -> Circuit:
    """The circuit of a stack of linear maps and layers, in the present values.

    Arguments:
        stack: an `nn.Sequential` of `Layer`, `nn.Linear`, `Frames`, and the others of `LINEAR`. A convolution becomes one synapse per pair
            of units that it joins.
        shape: of one frame of x; needed where the first module does not say it, as a convolution.
        spikes: x holds spikes, 0 or 1, and comes in by a port; otherwise it becomes a current.

    Errors:
        LayerError: naming the module that has no place in a circuit, and what to do.
    """
    stages = stages_of(stack, shape, spikes)
    ports = [Population(name=PORT, size=math.prod(stages[0].shape))] if spikes else []
    biased = _biased(stages)
    late = [Population(name=BIAS, size=len(biased))] if biased else []
    cells = [Population(name=s.name, neuron=_neuron(s), size=math.prod(s.layer.size)) for s in stages]
    projections = []
    for stage in stages:
        if stage.below:
            weights = stage.weights
            pairs = np.nonzero(weights)
            if pairs[0].size:
                projections.append(_projection(stage, f"to_{stage.name}", stage.below, pairs, weights[pairs], "what a spike adds to the input"))
        if stage in biased:
            (unit,) = np.nonzero(stage.bias)
            pairs = (np.full(unit.size, biased.index(stage)), unit)
            projections.append(_projection(stage, f"bias_of_{stage.name}", BIAS, pairs, stage.bias[unit], "bias, added in every step"))
    return Circuit(name="stack", populations=(*ports, *cells, *late), projections=tuple(projections))


def protocol_of(stack: nn.Module, x: Tensor, *, spikes: bool = False) -> Protocol:
    """What `x` is for the circuit of the stack: one trial for each element of the batch, as long as the last layer needs.

    Arguments:
        x: (time, batch, ...), or (batch, time, ...) if the layers have the batch first.

    A layer that reads out a state has it recorded behind every step; otherwise all states are read at the end.
    """
    frames, stages = frames_of(stack, x, spikes)
    last, dt, batch = stages[-1], stages[-1].layer.dt, frames.shape[1]
    n, step = frames.shape[0] + last.lead, Clock(dt=stages[-1].layer.dt, tolerance=0.1 * stages[-1].layer.dt)
    traced = last.layer.outputs != SPIKES
    imposed, currents = {}, {}
    if spikes:
        k, trial, unit = np.nonzero(_raster(frames))
        imposed[PORT] = Spikes(stimulus=trial, unit=unit, time=frozen(k * dt))
    else:
        course = _injected(stages[0], frames)
        course = np.concatenate([course, np.zeros((1, *course.shape[1:]))]) if n > len(course) else course
        unit_name = stages[0].layer.start.plain[stages[0].layer.input]
        currents[stages[0].name] = Current(start=frozen(np.arange(len(course)) * dt), value=frozen(course), unit=unit_name)
    if biased := _biased(stages):
        when = [(k, u) for u, stage in enumerate(biased) for k in range(stage.lead - 1, n - 1)]
        k, u = np.array(when).reshape(-1, 2).T
        imposed[BIAS] = Spikes(stimulus=np.repeat(np.arange(batch), k.size), unit=np.tile(u, batch), time=np.tile(k * dt, batch))
    return Protocol(
        name="stack",
        stepping=step,
        trials={},
        stimulus=np.arange(batch),
        reads=frozen(np.tile((np.arange(1, n + 1) if traced else np.array([n])) * dt, (batch, 1))),
        spikes=imposed,
        currents=currents,
        record=(f"{last.name}.{last.layer.outputs}",) if traced else (),
    )


def recorded(stack: nn.Module, x: Tensor, *, spikes: bool = False, seed: int = 0) -> Recording:
    """What the layers of the stack do with `x`, in float64 and at the times at which the circuit does it: to be compared with Brian2.

    Each layer takes its own steps, `lead` of them without input first. Weights of the spikes of a step are added in the order in which
    Brian2 adds them, so that sums round alike.
    """
    frames, stages = frames_of(stack, x, spikes)
    n, batch = frames.shape[0] + stages[-1].lead, frames.shape[1]
    todo = plan(circuit_of(stack, shape=tuple(frames.shape[2:]), spikes=spikes), protocol_of(stack, x, spikes=spikes), seed=seed)
    below = np.zeros((n, batch, math.prod(stages[0].shape)))
    below[: frames.shape[0]] = _raster(frames) if spikes else 0.0
    fired, close, traces = {}, {}, dict[str, Any]()
    for stage in stages:
        current = _arriving(stage, below) if stage.below else _padded(_injected(stage, frames), n)
        layer, margins = stage.layer, list[Tensor | None]()
        layer.seed = seed
        wanted = () if layer.outputs == SPIKES else (layer.outputs,)
        with torch.no_grad():
            out, _, seen = driven(layer, torch.as_tensor(current).reshape(n, batch, *layer.size), None, wanted, margins)
        below = out.reshape(n, batch, -1).numpy()
        traces |= {f"{stage.name}.{name}": values.reshape(n, -1).numpy() for name, values in seen.items()}
        if layer.start.threshold:
            step, index = np.nonzero(below.reshape(n, -1))
            fired[stage.name], close[stage.name] = (step, index), _close(margins)
    versions = {"torch": torch.__version__}
    return recording(todo, traces, fired, engine="layers", strict=True, versions=versions, close=close)


def _biased(stages: list[Stage]) -> list[Stage]:
    """Those whose bias comes by synapses; of a current it is a part."""
    return [s for s in stages if s.below and s.bias.any()]


def _neuron(stage: Stage) -> Neuron:
    """The neuron of a layer as it stands in the circuit."""
    neuron, variable = stage.layer.neuron, stage.layer.input
    if not stage.below:
        return dataclasses.replace(neuron, input=variable)
    computed = {e.name: text.names(e.right).read for e in equations_of(neuron.equations) if e.kind == "computed"}
    read = {*text.check_statements(neuron.reset, "reset").read, *text.check_statements(neuron.reset, "reset").assigned}
    for condition in filter(None, (neuron.threshold, neuron.refractory)):
        read |= text.names(condition).read
    for _ in computed:
        read |= {name for c in read & set(computed) for name in computed[c]}
    if variable in read:
        refuse(f"threshold, reset or refractory period of {neuron.name!r} read {variable!r}, which lasts for the update only; let them read a state")
    if neuron.momentary not in (None, variable):
        refuse(f"{neuron.name!r} has the momentary variable {neuron.momentary!r} besides {variable!r}; drive that one: Layer(input=...)")
    initial = {name: p for name, p in neuron.initial.items() if name != variable}
    return dataclasses.replace(neuron, momentary=variable, input="", initial=initial)


def _projection(stage: Stage, name: str, pre: str, pairs: Any, values: Floats, says: str) -> Projection:
    neuron, variable = stage.layer.start, stage.layer.input
    weight = next(w for w in ("weight", "weight_syn", "synaptic_weight") if w not in {*neuron.states, *neuron.parameters})
    parameters = {weight: Parameter(value=values, unit=_unit(stage.layer), says=says, source="learned")}
    synapse = Synapse(name="weights", equations="", pathways=(Pathway(event="pre", code=f"{variable}_post += {weight}"),), parameters=parameters)
    return Projection(name=name, synapse=synapse, pre=pre, post=stage.name, pairs=pairs)


def _unit(layer: Layer) -> str:
    """The unit to show weights in: that of the scale of x, if it has a name."""
    written = layer.start.plain[layer.input]
    dims = units.unit(written).dimensions
    named = [n for n, (scale, its) in units.NAMES.items() if its == dims and scale == layer.scale and n != "integer"]
    return min(named, key=len) if named else written


def _raster(frames: Tensor) -> Floats:
    found = frames.reshape(*frames.shape[:2], -1).numpy()
    if not np.all((found == 0) | (found == 1)):
        refuse("x holds other values than 0 and 1, so it is no raster of spikes; leave out spikes=True")
    return found


def _injected(stage: Stage, frames: Tensor) -> Floats:
    """The input of the first layer, SI, shape (time, batch, unit)."""
    with torch.no_grad():
        out = stage.maps(frames.flatten(0, 1))
    return np.asarray(out.reshape(*frames.shape[:2], -1).numpy() * stage.layer.scale)


def _padded(course: Floats, n: int) -> Floats:
    return np.concatenate([course, np.zeros((n - len(course), *course.shape[1:]))])


def _arriving(stage: Stage, below: Floats) -> Floats:
    """What the spikes below, shape (step, batch, unit), add to the input one step later, synapse by synapse in the order of units; then the bias."""
    weights = stage.weights
    total = np.zeros((*below.shape[:2], weights.shape[1]))
    for unit, row in enumerate(weights):
        total[1:] += below[:-1, :, unit, None] * row
    total[stage.lead :] += stage.bias
    return total


def _close(margins: list[Tensor | None]) -> tuple[Any, Any, Any]:
    """Steps, flat indices and relative distances of neurons that came close to their threshold."""
    none = np.empty(0, np.int64)
    found = [(k, m.ravel().numpy()) for k, m in enumerate(margins) if m is not None and bool((m < CLOSE).any())]
    index = [np.nonzero(m < CLOSE)[0] for _, m in found]
    steps = [np.full(i.size, k) for (k, _), i in zip(found, index, strict=True)]
    distance = [m[i] for (_, m), i in zip(found, index, strict=True)]
    return np.concatenate([none, *steps]), np.concatenate([none, *index]), np.concatenate([np.empty(0), *distance])
