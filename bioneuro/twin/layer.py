"""A layer: many neurons of one kind as a torch module, for networks that are trained.

It takes the steps that a twin takes, with the statements that Brian2 executes, on tensors of shape (batch, *size): an element of the batch is
a trial. What comes in is the present value of one variable of the neuron, such as a current; what comes out are spikes, 0 or 1.

A layer passes its spikes on within the step: in a stack, layer l+1 sees at step t what layer l fired at step t. `bioneuro.twin.stack` says
what Brian2 does instead, and writes a stack as a circuit.
"""

import dataclasses
import functools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from bioneuro import text, units
from bioneuro.model import Circuit, Neuron, Parameter, Population, did_you_mean
from bioneuro.plan import Plan, plan
from bioneuro.protocol import Clock, Protocol
from bioneuro.statements import located, read
from bioneuro.twin.bounds import Bounds, bounds_of
from bioneuro.twin.layer_checks import SPIKES, LayerError, check, input_of, scale_of, shape_of
from bioneuro.twin.now import Now, time_type
from bioneuro.twin.operations import Operations
from bioneuro.twin.run import LONG_AGO, Compiled, Machine
from bioneuro.twin.surrogate import Surrogate, superspike
from bioneuro.twin.translate import assigned_states, compiled, translate


@dataclass(frozen=True, kw_only=True, eq=False)
class State:
    """Where the neurons of a layer are between two steps.

    Attributes:
        step: the number of the step that comes next; noise and refractory periods count it.
        values: name of a state -> tensor (batch, *size), SI.
    """

    step: int
    values: Mapping[str, Tensor]

    def detached(self) -> "State":
        """The same without gradient: to go on with a long sequence, piece by piece."""
        return State(step=self.step, values={name: value.detach() for name, value in self.values.items()})


@dataclass(frozen=True)
class _Text:
    """What the statements of a layer depend on. Layers that share it share one program."""

    place: str
    parts: tuple[tuple[str, str | None], ...]
    parameters: tuple[tuple[str, str], ...]
    dt: float


@functools.lru_cache(maxsize=128)
def _program(of: _Text) -> tuple[Plan, Compiled]:
    """The statements of one neuron on a clock, translated; the plan says the clock. Numbers do not matter here."""
    numbers = {name: Parameter(value=np.ones(()), unit=unit) for name, unit in of.parameters}
    neuron = Neuron(name=of.place, parameters=numbers, **dict(of.parts))  # type: ignore[arg-type]
    circuit = Circuit(name="layer", populations=(Population(name=of.place, neuron=neuron),))
    one = Protocol(name="layer", stepping=Clock(dt=of.dt, tolerance=0.0), trials={}, stimulus=np.zeros(1, np.int64), reads=np.array([[of.dt]]))
    todo = plan(circuit, one, seed=0)
    program = read(todo)
    source = translate(program, circuit, events=False)
    return todo, Compiled(program=program, source=source, functions=compiled(source), extra=assigned_states(program, circuit))


class Layer(nn.Module):
    """`size` neurons of one kind, driven from outside: (time, batch, *size) in, spikes of the same shape out.

    Free parameters lie on the bounded line, as those of a `Twin`: ``layer.raw["tau_m"]`` is what an optimiser moves, ``layer.values["tau_m"]``
    the number in SI, and ``layer.neuron`` a `Neuron` with the present numbers, for Brian2. All other numbers are read off the neuron in
    whatever type and on whatever device the module has, so that ``layer.double()`` loses nothing. A layer keeps no state between calls.

    Arguments:
        neuron: the neuron. An array among its numbers has one value per unit of the layer.
        size: number of units, or a shape such as (channels, height, width).
        dt: length of a step, with its unit.
        scale: what x = 1 stands for, in the unit of the input; it may be left out for an input without unit.
        input: the variable that x drives, declared in the equations without an equation of its own; by default the neuron's `input`.
        free: names of parameters to learn. per_neuron: those of them that have a value for each unit.
        outputs: what `forward` returns: "spikes", or the name of a state, such as "v" of a neuron that only reads out.
        name: the name that the layer has in a circuit, from which the noise of its neurons is drawn; by default the neuron's.
        surrogate, soft, detach_reset: as of a `Twin`.
        batch_first: x, spikes and traces are (batch, time, *size).
        seed: of noise in the equations; an attribute, to be changed from batch to batch. A draw belongs to the number in the batch, the unit
            and the step.
        dtype, device: of all tensors; dtype is torch's default if none is given.

    Example:
        >>> from bioneuro.catalogue import bellec2018
        >>> layer = Layer(bellec2018.neuron(), 3, dt="1 ms", scale="10 mV", free=["tau_m"])
        >>> layer(torch.ones(100, 2, 3)).shape
        torch.Size([100, 2, 3])

    Errors:
        LayerError: naming the argument, what it is and what it may be.
        UnitError: `dt` or `scale` has another unit than what it stands for.
    """

    def __init__(
        self,
        neuron: Neuron,
        size: int | Sequence[int],
        *,
        dt: Any,
        scale: Any = None,
        input: str = "",
        free: Iterable[str] = (),
        per_neuron: Iterable[str] = (),
        outputs: str = SPIKES,
        name: str = "",
        surrogate: Surrogate | None = None,
        soft: bool = False,
        detach_reset: bool = False,
        batch_first: bool = False,
        seed: int = 0,
        dtype: torch.dtype | None = None,
        device: str | torch.device = "cpu",
    ) -> None:
        super().__init__()
        self.start, self.name = neuron, name or neuron.name
        text.check_name(self.name, "layer: name")
        self.size = shape_of(self.name, size)
        self.input = input_of(self.name, neuron, input or neuron.input)
        self.scale = scale_of(self.name, neuron.plain[self.input], scale)
        self.dt = float(units.in_unit(dt, "second", f"layer {self.name!r}: dt"))
        self.outputs, self.batch_first, self.seed = outputs, batch_first, seed
        self.surrogate, self.soft, self.detach_reset = surrogate or superspike(), soft, detach_reset
        self.free, own = tuple(free), tuple(per_neuron)
        check(self, own)
        self.register_buffer("like", torch.zeros((), dtype=dtype or torch.get_default_dtype(), device=device), persistent=False)
        self.like: Tensor
        self.bounds: dict[str, Bounds] = {}
        self.raw = nn.ParameterDict()
        for key in self.free:
            parameter = neuron.parameters[key]
            self.bounds[key] = bounds_of(parameter)
            value = self._number(parameter.value)
            value = value.expand(self.size) if key in own else value
            self.raw[key] = nn.Parameter(self.bounds[key].inverse(value).clone())

    @property
    def values(self) -> Mapping[str, Tensor]:
        """Free parameters by name, SI, with gradient: one number, or shape `size`."""
        return {name: self.bounds[name].forward(self.raw[name]) for name in self.free}

    @property
    def neuron(self) -> Neuron:
        """The neuron with the present values of the free parameters, in float64 whatever the layer is in."""
        found = dict(self.start.parameters)
        for name in self.free:
            value = self.bounds[name].forward(self.raw[name].detach().cpu().double()).numpy()
            new = Parameter(value=value.ravel() if value.ndim else value, unit=found[name].unit)
            found[name] = found[name].with_value(new, f"{self.name}.{name}")
        return dataclasses.replace(self.start, parameters=found)

    @property
    def program(self) -> tuple[Plan, Compiled]:
        """The clock, and the statements of a step as torch functions; ``layer.program[1].source`` is their text."""
        parts = {key: getattr(self.start, key) for key in ("equations", "threshold", "reset", "refractory", "method", "momentary")}
        named = tuple((name, p.unit) for name, p in self.start.parameters.items())
        return _program(_Text(place=self.name, parts=(*parts.items(), ("input", self.input)), parameters=named, dt=self.dt))

    def initial(self, batch: int) -> State:
        """The initial values of the neuron, for `batch` trials."""
        shape, extra = (batch, *self.size), self.program[1].extra.get(self.name, ())
        values = {}
        for name in self.start.states:
            known = self.start.initial.get(name)
            values[name] = (self._number(known.value) if known else torch.zeros_like(self.like)).expand(shape)
        for name in (*extra, *(("lastspike", "not_refractory") if self.start.refractory else ())):
            kind = time_type(self.like) if name == "lastspike" else self.like.dtype
            values[name] = torch.full_like(self.like, {"lastspike": LONG_AGO, "not_refractory": 1.0}.get(name, 0.0), dtype=kind).expand(shape)
        return State(step=0, values={name: value for name, value in values.items() if name != self.input})

    def forward(self, x: Tensor, state: State | None = None) -> Tensor:
        """Spikes, or the trace named by `outputs`, for `x`: one tensor in and one out, as `nn.Sequential` asks for.

        Arguments:
            x: (time, batch, *size), or (batch, time, *size) if `batch_first`; the input is x*scale.
            state: where to begin; the neuron's initial values if none is given.
        """
        wanted = () if self.outputs == SPIKES else (self.outputs,)
        spikes, _, traces = self.run(x, state, wanted)
        return traces[self.outputs] if wanted else spikes

    def run(self, x: Tensor, state: State | None = None, record: Sequence[str] = ()) -> tuple[Tensor, State, Mapping[str, Tensor]]:
        """Spikes, the state behind the last step, and traces of the states named in `record`: their values behind each step, SI.

        Errors:
            LayerError: `x` or `state` has another shape, `record` names no state, or a state became NaN or infinite.
        """
        given = self._checked(x, "(batch, time" if self.batch_first else "(time, batch", 2)
        given = given.transpose(0, 1) if self.batch_first else given
        spikes, after, traces = driven(self, given * self.scale, state, record)
        if self.batch_first:
            return spikes.transpose(0, 1), after, {name: values.transpose(0, 1) for name, values in traces.items()}
        return spikes, after, traces

    def step(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """One step, for loops: `x` and the output (see `outputs`) are (batch, *size)."""
        wanted = () if self.outputs == SPIKES else (self.outputs,)
        spikes, after, traces = driven(self, self._checked(x, "(batch", 1)[None] * self.scale, state, wanted)
        return (traces[self.outputs] if wanted else spikes)[0], after

    def extra_repr(self) -> str:
        shown = f"{self.name}, size={self.size}, dt={1e3 * self.dt:g} ms, {self.input} = {self.scale:g} {self.start.plain[self.input]} * x"
        return shown + (f", free={list(self.free)}" if self.free else "")

    def fixed(self, batch: int) -> dict[str, Tensor]:
        """What stays during a run: parameters, and where each element lies."""
        values = self.values
        found = {name: values[name] if name in values else self._number(p.value) for name, p in self.start.parameters.items()}
        trial = torch.arange(batch, device=self.like.device).reshape(-1, *(1 for _ in self.size))
        unit = torch.arange(math.prod(self.size), device=self.like.device).reshape(self.size)
        return found | dict(zip(located(self.program[0], self.name), (trial, unit, trial), strict=True))

    def _number(self, value: Any) -> Tensor:
        found = torch.as_tensor(np.array(value), dtype=self.like.dtype, device=self.like.device)
        return found.reshape(self.size) if found.ndim else found

    def _checked(self, x: Tensor, axes: str, n: int) -> Tensor:
        if not isinstance(x, Tensor) or x.ndim != n + len(self.size) or tuple(x.shape[n:]) != self.size or 0 in x.shape:
            found = tuple(x.shape) if isinstance(x, Tensor) else type(x).__name__
            whole = ", ".join([axes, *map(str, self.size)]) + ")"
            raise LayerError(f"layer {self.name!r}: x is {found}, expected a tensor {whole}, none of them 0; give a layer in front that size")
        return x.to(self.like.dtype)


def driven(
    layer: Layer, current: Tensor, state: State | None = None, record: Sequence[str] = (), margins: list[Tensor | None] | None = None
) -> tuple[Tensor, State, dict[str, Tensor]]:
    """What `Layer.run` does, for the input itself: `current` is (time, batch, *size) in SI.

    `margins` is filled with the relative distance of all neurons from threshold, step by step.
    """
    name, shape = layer.name, tuple(current.shape[1:])
    todo, code = layer.program
    start = _checked_state(layer, state, shape[0])
    for wanted in record:
        if wanted not in start.values:
            raise LayerError(f"layer {name!r}: {wanted!r} is no state; states: {sorted(start.values)}." + did_you_mean(wanted, start.values))
    op = Operations(layer.surrogate, soft=layer.soft, detach_reset=layer.detach_reset, like=layer.like)
    now = Now(todo, layer.like, op, code.program.guarded)
    now.seed, now.states[name], now.fixed[name] = layer.seed, dict(start.values), layer.fixed(shape[0])
    spikes: list[Tensor] = []
    traces: dict[str, list[Tensor]] = {wanted: [] for wanted in record}

    def note(_: str, fired: Tensor) -> None:
        spikes.append(fired.expand(shape))
        if margins is not None:
            margins.append(op.close_calls())

    machine = Machine(todo, code, now)
    for k, given in enumerate(current.unbind(), start.step):
        now.states[name][layer.input] = given
        machine.step(k, note)
        for wanted, kept in traces.items():
            kept.append(now.states[name][wanted])
    values = {key: value for key, value in now.states[name].items() if key != layer.input}
    after = State(step=start.step + len(current), values=values)
    _refuse_nonfinite(layer, after)
    fired = torch.stack(spikes) if spikes else torch.zeros_like(current)
    return fired, after, {wanted: torch.stack(kept) for wanted, kept in traces.items()}


def _checked_state(layer: Layer, state: State | None, batch: int) -> State:
    fresh = layer.initial(batch)
    if state is None:
        return fresh
    given = {name: tuple(value.shape) for name, value in state.values.items()}
    wanted = {name: tuple(value.shape) for name, value in fresh.values.items()}
    if given != wanted:
        raise LayerError(f"layer {layer.name!r}: a state of shapes {given}, expected {wanted}; give one that this layer made for a batch of {batch}")
    return state


def _refuse_nonfinite(layer: Layer, state: State) -> None:
    for name, value in state.values.items():
        if not bool(torch.isfinite(value).all()):
            where = tuple(torch.nonzero(~torch.isfinite(value))[0].tolist())
            raise LayerError(
                f"layer {layer.name!r}: {name!r} became {float(value[where])} by step {state.step} (batch {where[0]}, unit {where[1:]}); choose a "
                "smaller dt or scale, another method of the neuron, or check the input and the parameters"
            )
