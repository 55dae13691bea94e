"""The twin of a circuit: a torch module whose free parameters are the circuit's, bounded, in SI."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from bioneuro.model import Circuit
from bioneuro.plan import Plan, plan
from bioneuro.protocol import Protocol
from bioneuro.recording import Recording
from bioneuro.statements import Program, read
from bioneuro.twin.bounds import Bounds
from bioneuro.twin.run import Compiled, run
from bioneuro.twin.surrogate import Surrogate, superspike
from bioneuro.twin.translate import assigned_states, compiled, translate


class TwinError(ValueError):
    """A twin cannot be made or run as asked."""


class Twin(nn.Module):
    """Runs a protocol on a circuit in torch, with gradients in the free parameters.

    Arguments:
        circuit: the circuit.
        free: placed names of parameters to learn ("calcium.gamma_p"); they start at the circuit's values and stay within bounds.
        surrogate: the derivative of a spike.
        soft: use the surrogate's smooth step in the forward pass too (to check gradients; the twin then no longer equals Brian2).
        detach_reset: no gradient through the reset of a neuron that spikes.
        dtype, device: of all tensors; float64 is what the equality with Brian2 is proven in.

    Example:
        >>> from bioneuro import protocol
        >>> from bioneuro.catalogue import graupner2012
        >>> twin = Twin(graupner2012.pair("DP"), free=["calcium.gamma_p"])
        >>> seen = twin(protocol.pairing(lag="10 ms", pairs=2))
        >>> tuple(seen["calcium.rho"].shape)
        (1, 1, 1)

    Errors:
        ModelError: a free name is not in the circuit.
        TwinError: it is a delay or a state; or a synapse is updated periodically, as under the constraints of hardware.
    """

    def __init__(
        self,
        circuit: Circuit,
        *,
        free: Iterable[str] = (),
        surrogate: Surrogate | None = None,
        soft: bool = False,
        detach_reset: bool = False,
        dtype: torch.dtype = torch.float64,
        device: str = "cpu",
    ) -> None:
        super().__init__()
        _refuse_periodic(circuit)
        self.start = circuit
        self.free = tuple(free)
        self.surrogate, self.soft, self.detach_reset = surrogate or superspike(), soft, detach_reset
        self.dtype, self.device = dtype, torch.device(device)
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
            raise TwinError(f"free: {path!r} is a state; only parameters can be learned: {', '.join(sorted(self.start.values))}")
        if any(name == p.delay for p in getattr(model, "pathways", ())):
            raise TwinError(f"free: {path!r} is a delay: it moves events, which has no gradient; scan it instead")
        if name == getattr(model, "refractory", ""):
            raise TwinError(f"free: {path!r} is a refractory period: it counts steps, which has no gradient; scan it instead")
        parameter = model.parameters[name]
        scale = float(np.abs(parameter.value).max()) or 1.0
        self.bounds[path] = Bounds(low=parameter.low, high=parameter.high, scale=scale)
        value = torch.tensor(np.array(parameter.value), dtype=self.dtype, device=self.device)
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
        """The circuit with the present values of the free parameters: what to give to Brian2."""
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
            raise TwinError("moments: mean and variance are carried from event to event; give the protocol stepping=Events()")
        return self._run(protocol, 0, moments=True)

    def plan(self, protocol: Protocol, seed: int) -> Plan:
        """The plan of a run, kept for the next run of the same protocol and seed."""
        key = (protocol.digest, seed)
        if key not in self._plans:
            for path in self.free:
                if path in protocol.settings or path in protocol.phases:
                    raise TwinError(f"{path!r} is free and set by protocol {protocol.name!r}; drop it from one of the two")
            while len(self._plans) >= 8:
                del self._plans[next(iter(self._plans))]
            self._plans[key] = plan(self.start, protocol, seed=seed)
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
                program=program, source=source, functions=compiled(source), extra=assigned_states(program, self.start)
            )
        return self._compiled[key]

    def clone(self, circuit: Circuit | None = None) -> "Twin":
        """A twin with the same settings of `circuit` (by default of the present values): training it leaves this one alone."""
        return Twin(
            circuit or self.circuit,
            free=self.free,
            surrogate=self.surrogate,
            soft=self.soft,
            detach_reset=self.detach_reset,
            dtype=self.dtype,
            device=str(self.device),
        )


def _refuse_periodic(circuit: Circuit) -> None:
    for projection in circuit.projections:
        if projection.synapse.every is not None:
            raise TwinError(
                f"twin: synapse {projection.name!r} of circuit {circuit.name!r} is updated every "
                f"{projection.synapse.parameters[projection.synapse.every.period]} by a processor, in steps without gradient; make a twin of the "
                "circuit that was constrained, and constrain the fitted circuit"
            )


def _key(path: str) -> str:
    return path.replace(".", "__")
