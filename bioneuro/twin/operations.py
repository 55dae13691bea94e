"""The operations that translated statements call: exact forward, finite backward."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from bioneuro import noise
from bioneuro.twin.surrogate import Surrogate


class _Step(torch.autograd.Function):
    """1 where a > b (or a >= b), with a surrogate for its derivative."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor, equal: bool, scale: float, surrogate: Surrogate) -> Tensor:
        ctx.save_for_backward(a, b)
        ctx.scale, ctx.surrogate = scale, surrogate
        return (a >= b if equal else a > b).to(torch.promote_types(a.dtype, b.dtype))

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        a, b = ctx.saved_tensors
        slope = grad * ctx.surrogate.slope((a - b) / ctx.scale) / ctx.scale
        return _sum_to(slope, a.shape), _sum_to(-slope, b.shape), None, None, None


class _Select(torch.autograd.Function):
    """`new` where the 0/1 value `spike` is 1, else `old`; its slope in `spike` is new - old."""

    @staticmethod
    def forward(ctx: Any, spike: Tensor, new: Tensor, old: Tensor) -> Tensor:
        ctx.save_for_backward(spike, new, old)
        return torch.where(spike > 0.5, new, old)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        spike, new, old = ctx.saved_tensors
        on = spike > 0.5
        zero = torch.zeros((), dtype=grad.dtype)
        jump = torch.nan_to_num(new - old, nan=0.0, posinf=0.0, neginf=0.0)
        return (
            _sum_to(grad * jump, spike.shape),
            _sum_to(torch.where(on, grad, zero), new.shape),
            _sum_to(torch.where(on, zero, grad), old.shape),
        )


class _Exprel(torch.autograd.Function):
    """(exp(x) - 1)/x, 1 at 0, with a derivative that does not cancel near 0."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        near = x.abs() < 1e-16
        safe = torch.where(near, torch.ones_like(x), x)
        value = torch.where(near, torch.ones_like(x), torch.expm1(safe) / safe)
        ctx.save_for_backward(x, value)
        return value

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        x, value = ctx.saved_tensors
        near = x.abs() < 1e-2
        safe = torch.where(near, torch.ones_like(x), x)
        series = 1 / 2 + x * (1 / 3 + x * (1 / 8 + x * (1 / 30 + x * (1 / 144 + x / 840))))
        return grad * torch.where(near, series, (torch.exp(safe) - value) / safe)


def _sum_to(grad: Tensor, shape: torch.Size) -> Tensor:
    return grad.sum_to_size(shape) if grad.shape != shape else grad


def tensor(x: Any, like: Tensor) -> Tensor:
    """`x` as a tensor of the type of `like`."""
    return x if isinstance(x, Tensor) else torch.as_tensor(x, dtype=like.dtype, device=like.device)


class _Straight(torch.autograd.Function):
    """`exact`, with the slope of `smooth`."""

    @staticmethod
    def forward(ctx: Any, smooth: Tensor, exact: Tensor) -> Tensor:
        return exact.expand(torch.broadcast_shapes(smooth.shape, exact.shape)).clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        return grad, None


def _between(x: Tensor, bits: Any) -> Tensor:
    return torch.clamp(x, -(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1)


SMOOTH: Mapping[str, Callable[..., Any]] = {
    "ppu_quantise": _between,
    "ppu_count": lambda x, low, high: torch.minimum(torch.maximum(x, low), high),
    "ppu_add": lambda a, b, bits: _between(a + b, bits),
    "ppu_subtract": lambda a, b, bits: _between(a - b, bits),
    "ppu_multiply": lambda a, b, bits: _between(a * b / 2 ** (bits - 1), bits),
    "ppu_scale": lambda a, b, n: a * b / 2**n,
    "ppu_round": lambda wide, n, offset, draw: wide / 2**n,
    "ppu_saturate": _between,
    "ppu_weight": lambda x, bits: torch.minimum(torch.clamp(x, min=0), 2**bits - 1),
    "ppu_clip": lambda x, low, high: torch.minimum(torch.maximum(x, low), high),
}
"""What a function of the processor would be without rounding: its slope (the straight-through estimator, Bengio et al. 2013, arXiv 1308.3432)."""


class Operations:
    """The names that generated source may use, for one surrogate, type and device."""

    def __init__(self, surrogate: Surrogate, *, soft: bool, detach_reset: bool, like: Tensor) -> None:
        self.surrogate, self.soft, self.detach_reset, self.like = surrogate, soft, detach_reset, like
        self.margins: list[tuple[Any, Any]] = []

    def step(self, a: Any, b: Any, equal: bool, scale: float) -> Tensor:
        """A comparison of states, differentiable by the surrogate."""
        a, b = tensor(a, self.like), tensor(b, self.like)
        if self.soft:
            return self.surrogate.soft((a - b) / scale)
        if not torch.is_grad_enabled():
            return (a >= b if equal else a > b).to(self.like.dtype)
        return _Step.apply(a, b, equal, scale, self.surrogate)

    def threshold(self, a: Any, b: Any, equal: bool, scale: float) -> Tensor:
        """The comparison that makes a spike: as `step`, and its margin is kept."""
        self.margins.append((a, b))
        return self.step(a, b, equal, scale)

    def close_calls(self) -> Tensor | None:
        """Relative distance from threshold of the last thresholds asked, 1 where there was none; forgets them."""
        margins, self.margins = self.margins, []
        found = None
        for a, b in margins:
            a, b = tensor(a, self.like).detach(), tensor(b, self.like).detach()
            distance = (a - b).abs() / torch.maximum(a.abs(), b.abs()).clamp(min=1e-300)
            found = distance if found is None else torch.minimum(found, distance)
        return found

    def flag(self, condition: Any) -> Tensor:
        """A comparison without derivative."""
        return tensor(condition, self.like).to(self.like.dtype)

    def select(self, spike: Any, new: Any, old: Any) -> Tensor:
        """`new` where `spike`, else `old`."""
        spike, new, old = (tensor(x, self.like) for x in (spike, new, old))
        if self.soft:
            return old + spike * (new - old)
        if not torch.is_grad_enabled() or not spike.requires_grad:
            return torch.where(spike > 0.5, new, old)
        return _Select.apply(spike, new, old)

    def guard(self, allowed: Tensor, new: Any, old: Tensor) -> Tensor:
        """A write that a flag permits: no derivative in the flag."""
        return torch.where(allowed > 0.5, tensor(new, self.like), old)

    def exprel(self, x: Any) -> Tensor:
        return _Exprel.apply(tensor(x, self.like))

    def sqrt(self, x: Any) -> Tensor:
        """The root, with slope 0 at 0 instead of infinity."""
        x = tensor(x, self.like)
        return torch.where(x > 0, torch.sqrt(torch.where(x > 0, x, torch.ones_like(x))), torch.where(x == 0, 0.0, torch.nan))

    def clip(self, x: Any, low: Any, high: Any) -> Tensor:
        """Brian2's clip: the bound itself beyond it, with the bound's derivative."""
        x, low, high = (tensor(v, self.like) for v in (x, low, high))
        return torch.where(x < low, low, torch.where(x > high, high, x))

    def sign(self, x: Any) -> Tensor:
        x = tensor(x, self.like)
        return 2 * self.step(x, torch.zeros_like(x), True, 1.0) - 1

    def timestep(self, t: Any, dt: float) -> Tensor:
        """Brian2's integer step of a time, as it computes it."""
        return torch.floor((tensor(t, self.like).detach() + 1e-3 * dt) / dt)

    def truncate(self, x: Any) -> Tensor:
        return torch.trunc(tensor(x, self.like).detach())

    def normal(self, seed: int, stream: int, trial: Tensor, unit: Tensor, k: int) -> Tensor:
        return noise.normal(seed, stream, trial, unit, k).to(self.like.dtype)

    def straight(self, name: str, exact: Tensor, arguments: Sequence[Any]) -> Tensor:
        """The exact integers of a function of the processor, with the slope of `SMOOTH`; a draw, or what has no slope, has none."""
        if not torch.is_grad_enabled() or not any(isinstance(a, Tensor) and a.requires_grad for a in arguments):
            return exact
        if name == "ppu_noise_at":  # a real number times a draw
            value = tensor(arguments[0], self.like)
            draw = torch.where(value == 0, 0.0, exact / torch.where(value == 0, 1.0, value)).detach()
            return _Straight.apply(value * draw, exact)
        if name not in SMOOTH:
            return exact
        return _Straight.apply(SMOOTH[name](*(tensor(a, self.like) for a in arguments)), exact)

    def number(self, x: Any) -> Tensor:
        """A number as a tensor."""
        return tensor(x, self.like)

    def call(self, name: str, *arguments: Any) -> Tensor:
        """Functions that torch has under Brian2's meaning."""
        function = {"abs": torch.abs, "arcsin": torch.asin, "arccos": torch.acos, "arctan": torch.atan}.get(name) or getattr(torch, name)
        return function(*(tensor(a, self.like) for a in arguments))
