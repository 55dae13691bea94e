"""The twin of a circuit: a torch module whose free parameters are the circuit's, bounded, in SI."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from bioneuro import text
from bioneuro.copies import copied
from bioneuro.equations import equations_of
from bioneuro.model import Circuit, Neuron, Synapse
from bioneuro.plan import Plan, plan
from bioneuro.protocol import Protocol
from bioneuro.recording import Recording
from bioneuro.statements import Program, read
from bioneuro.twin.bounds import Bounds, bounds_of
from bioneuro.twin.refused import refuse
from bioneuro.twin.run import Compiled, run
from bioneuro.twin.surrogate import Surrogate, superspike
from bioneuro.twin.translate import assigned_states, compiled, one_by_one, translate


class Twin(nn.Module):
    """Runs a protocol on a circuit in torch, with gradients in the free parameters.

    Arguments:
        circuit: the circuit.
        free: placed names of parameters to learn ("calcium.gamma_p"); they start at the circuit's values and stay within bounds.
        surrogate: the derivative of a spike.
        soft: use the surrogate's smooth step in the forward pass too (to check gradients; the twin then no longer equals Brian2).
        detach_reset: no gradient through the reset of a neuron that spikes. With it, gradients of neurons that fire often grow without bound;
            by default it is left in where it is exact, in a soft twin, and out elsewhere.
        dtype, device: of all tensors; float64 is what the equality with Brian2 is proven in.
        copies: every free parameter has that many values, on a leading axis, and a run has the trials of the protocol once for each: a batch
            of starting points. Stimuli and noise are the same in every copy; trial = copy*trials + trial. 0: none.
        segments: keep the state at the beginning of so many stretches of a run and step through each again on the way back, instead of keeping
            every step: memory falls from n steps to segments + n/segments of them, for one forward run more. "auto": the root of n.
        raster: keep the spikes of every step with their gradient; without it a loss can look at traces only.

    Example:
        >>> from bioneuro import protocol
        >>> from bioneuro.catalogue import graupner2012
        >>> twin = Twin(graupner2012.pair("DP"), free=["calcium.gamma_p"])
        >>> seen = twin(protocol.pairing(lag="10 ms", pairs=2))
        >>> tuple(seen["calcium.rho"].shape)
        (1, 1, 1)

    Errors:
        ModelError: a free name is not in the circuit.
        TwinError: it is a state, a delay, a refractory period, a whole number, or the period of a processor's updates.
    """

    def __init__(
        self,
        circuit: Circuit,
        *,
        free: Iterable[str] = (),
        surrogate: Surrogate | None = None,
        soft: bool = False,
        detach_reset: bool | None = None,
        dtype: torch.dtype = torch.float64,
        device: str = "cpu",
        copies: int = 0,
        segments: int | Literal["auto"] | None = None,
        raster: bool = True,
    ) -> None:
        super().__init__()
        self.start = circuit
        self.free = tuple(free)
        self.surrogate, self.soft = surrogate or superspike(), soft
        self.detach_reset = not soft if detach_reset is None else detach_reset
        self.dtype, self.device = dtype, torch.device(device)
        self.copies, self.segments, self.raster = copies, segments, raster
        if copies < 0 or not (segments in (None, "auto") or (isinstance(segments, int) and segments > 0)):
            refuse("T06", f"twin of circuit {circuit.name!r}, {copies} copies in {segments!r} segments")
        self.source = ""
        self.bounds: dict[str, Bounds] = {}
        self.raw = nn.ParameterDict()
        for path in self.free:
            self._add(path)
        self._compiled: dict[Any, Compiled] = {}
        self._plans: dict[tuple[str, int], Plan] = {}

    def _add(self, path: str) -> None:
        owner, _, name = self.start.resolve(path).partition(".")
        model = self.start.models[owner]
        if name not in model.parameters:
            refuse("T01", f"{path!r} of {', '.join(sorted(self.start.values))}")
        if any(name == p.delay for p in getattr(model, "pathways", ())):
            refuse("T02", repr(path))
        if isinstance(model, Neuron) and model.refractory and name in _only_refractory(model):
            refuse("T03", repr(path))
        if isinstance(model, Synapse) and model.every and name == model.every.period:
            refuse("T10", repr(path))
        parameter = model.parameters[name]
        if parameter.unit == "integer":
            refuse("T09", repr(path))
        self.bounds[path] = bounds_of(parameter)
        value = torch.tensor(np.array(parameter.value), dtype=self.dtype, device=self.device)
        if self.copies:
            value = value.expand(self.copies, *value.shape)
        self.raw[_key(path)] = nn.Parameter(self.bounds[path].inverse(value))

    def value(self, path: str) -> Tensor:
        """The present value of a free parameter, SI, with gradient."""
        return self.bounds[path].forward(self.raw[_key(path)])

    @property
    def values(self) -> Mapping[str, Tensor]:
        """Free parameters by placed name, SI, with gradient."""
        return {path: self.value(path) for path in self.free}

    @property
    def circuit(self) -> Circuit:
        """The circuit with the present values of the free parameters: what to give to Brian2.

        Raises `TwinError` for a twin with copies: ask `copy(k)` for one of them.
        """
        if self.copies:
            refuse("T06", f"twin.circuit of {self.copies} copies, of which twin.copy(k).circuit gives one")
        new = {}
        for path, value in self.values.items():
            parameter = self.start.values[path]
            new[path] = type(parameter)(value=value.detach().cpu().numpy().astype(np.float64), unit=parameter.unit)
        return self.start.with_values(new)

    def forward(self, protocol: Protocol, *, seed: int = 0) -> Recording:
        """Run `protocol`; the recording's traces carry the gradient, and `raster` the spikes of each population.

        Raises as `bioneuro.brian.simulate` does.
        """
        return self._run(protocol, seed, moments=False)

    def moments(self, protocol: Protocol) -> Recording:
        """Mean and variance of noisy variables instead of a draw: trace x is its mean, ``x_variance`` its variance.

        For event runs of rules whose noise is additive, such as the calcium rule with flat potential.
        """
        if self.plan(protocol, 0).dt is not None:
            refuse("T05", f"protocol {protocol.name!r}, {protocol.stepping}")
        return self._run(protocol, 0, moments=True)

    def plan(self, protocol: Protocol, seed: int) -> Plan:
        """The plan of a run, kept for the next run of the same protocol and seed."""
        key = (protocol.digest, seed)
        if key not in self._plans:
            for path in self.free:
                if path in protocol.settings or path in protocol.phases:
                    refuse("T04", f"{path!r}, set by protocol {protocol.name!r}")
            while len(self._plans) >= 8:
                del self._plans[next(iter(self._plans))]
            made = plan(self.start, protocol, seed=seed)
            self._plans[key] = copied(made, self.copies) if self.copies else made
        return self._plans[key]

    def _run(self, protocol: Protocol, seed: int, *, moments: bool) -> Recording:
        todo = self.plan(protocol, seed)
        program = self._program(todo, moments)
        self.source = program.source
        return run(self, todo, program, moments=moments)

    def _program(self, todo: Plan, moments: bool) -> Compiled:
        key = (todo.dt is None, tuple(todo.currents), tuple(todo.phases), moments)
        if key not in self._compiled:
            program: Program = read(todo, moments=moments)
            source = translate(program, self.start, events=todo.dt is None)
            self._compiled[key] = Compiled(
                program=program,
                source=source,
                functions=compiled(source),
                extra=assigned_states(program, self.start),
                one_by_one=one_by_one(program, self.start),
            )
        return self._compiled[key]

    def copy(self, k: int) -> "Twin":
        """A twin without copies that has the present values of copy `k`, bit for bit.

        Raises `TwinError` if there is no such copy.
        """
        if not 0 <= k < self.copies:
            refuse("T06", f"copy {k} of {self.copies}, counted from 0")
        one = self.clone(self.start)
        with torch.no_grad():
            for path in self.free:
                one.raw[_key(path)].copy_(self.raw[_key(path)][k])
        return one

    def clone(self, circuit: Circuit | None = None, *, copies: int = 0) -> "Twin":
        """A twin with the same settings of `circuit` (by default of the present values): training it leaves this one alone."""
        return Twin(
            circuit or self.circuit,
            free=self.free,
            surrogate=self.surrogate,
            soft=self.soft,
            detach_reset=self.detach_reset,
            dtype=self.dtype,
            device=str(self.device),
            copies=copies,
            segments=self.segments,
            raster=self.raster,
        )


def _only_refractory(neuron: Neuron) -> frozenset[str]:
    """What tells how long a neuron is refractory and is read nowhere else."""
    used = [text.names(e.right) for e in equations_of(neuron.equations) if e.right]
    used += [text.names(neuron.threshold), text.check_statements(neuron.reset, "reset")]
    return text.names(neuron.refractory).read - frozenset().union(*(names.read for names in used))


def _key(path: str) -> str:
    return path.replace(".", "__")
