"""Real numbers as integers: lanes of variables, mantissas of rates, readings of converters."""

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bioneuro.bss2.hardware import Hardware
from bioneuro.bss2.products import ConstrainError
from bioneuro.bss2.terms import Reading, Slow

Floats = NDArray[np.float64]

HEADROOM = 4.0
"""Standard deviations of noise that a lane has room for beyond the levels of its variable."""

_BINARY = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv, ast.Pow: operator.pow}
_CALLS: Mapping[str, Callable[..., Any]] = {
    "sqrt": np.sqrt, "exp": np.exp, "log": np.log, "abs": np.abs, "expm1": np.expm1, "log1p": np.log1p, "exprel": lambda x: np.expm1(x) / x,
}  # fmt: skip
_CONSTANTS = {"pi": np.pi, "e": np.e, "inf": np.inf}


def evaluate(expression: str, values: Mapping[str, Any]) -> Floats:
    """The value of an expression in parameters (SI), built node by node: nothing is executed."""

    def of(node: ast.expr) -> Any:
        if isinstance(node, ast.Constant):
            return float(node.value)  # type: ignore[arg-type]
        if isinstance(node, ast.Name):
            return values[node.id] if node.id in values else _CONSTANTS[node.id]
        if isinstance(node, ast.UnaryOp):
            return -of(node.operand) if isinstance(node.op, ast.USub) else of(node.operand)
        if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
            return _BINARY[type(node.op)](of(node.left), of(node.right))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in _CALLS:
            return _CALLS[ast.unparse(node.func)](*map(of, node.args))
        raise ConstrainError(f"{ast.unparse(node)!r} in {expression!r} cannot be worked out from parameters; write it with + - * / ** sqrt exp")

    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(of(ast.parse(expression.strip(), mode="eval").body), np.float64)


@dataclass(frozen=True, kw_only=True, eq=False)
class Lane:
    """A variable as a signed integer of `bits`: its value is the integer times `unit` (SI).

    Attributes:
        fraction: bits that its increments keep below the last one.
        mantissa: bits of the coefficients that act on it, sign included.
        low, high: what it is expected to span, SI.
        clip: bounds of the integer where the rule or a weight has them narrower than the lane, or ().
    """

    path: str
    bits: int
    fraction: int
    mantissa: int
    unit: float
    low: float
    high: float
    clip: tuple[int, ...] = ()

    @property
    def most(self) -> int:
        """The largest integer of the lane."""
        return 2 ** (self.bits - 1) - 1

    def integer(self, value: Floats, what: str) -> Floats:
        """A level as an integer; refused where the lane cannot hold it."""
        n = np.rint(value / self.unit)
        if np.any(np.abs(n) > self.most):
            worst = float(np.abs(value).max())
            raise ConstrainError(
                f"{self.path}: {what} is {worst:.6g} (SI), which a signed lane of {self.bits} bits in steps of {self.unit:.6g} cannot hold: it "
                f"ends at {self.most * self.unit:.6g}; give a wider range, hardware.ranges[{self.path!r}]"
            )
        return n


@dataclass(frozen=True, kw_only=True, eq=False)
class Reader:
    """A converter: count = base + value/unit, clipped to `span`; `low` is the value that reads as the lowest count, without offset."""

    path: str
    unit: float
    base: Floats
    low: float
    span: tuple[int, int]

    def exact(self, value: Floats) -> Floats:
        """A level in counts, unrounded. A fixed offset of the column is not known to who sets the level."""
        return self.span[0] + (value - self.low) / self.unit

    def count(self, value: Floats, what: str) -> Floats:
        """A level as a count; refused outside the span."""
        n = np.rint(self.exact(value))
        if np.any((n < self.span[0]) | (n > self.span[1])):
            raise ConstrainError(
                f"{self.path}: {what} is {float(np.max(value)):.6g} (SI) or {float(np.max(n)):.0f} counts, outside the converter's {self.span}; give "
                f"a wider range, hardware.ranges[{self.path!r}]"
            )
        return n


def lane_of(found: Slow, owner: str, values: Mapping[str, Floats], hardware: Hardware, given: tuple[float, float] | None) -> Lane:
    """The lane of a variable with an equation.

    Its range is that of the levels it is drawn to and of where it starts, and `HEADROOM` standard deviations of its noise beyond; a step is
    so wide that no difference from a level overflows.
    """
    path, bits = f"{owner}.{found.name}", hardware.width(f"{owner}.{found.name}")
    drawn = [level.level for term in found.terms for level in term.levels if level.variable == found.name]
    reached = [*(evaluate(text, values) for text in drawn), *_pushed(found, values), values[found.name]]
    spread = _spread(found, values)
    low, high = given or (min(float(np.min(x)) for x in reached) - spread, max(float(np.max(x)) for x in reached) + spread)
    levels = [float(x) for text in drawn for x in np.ravel(evaluate(text, values))]
    most = max(abs(low), abs(high), *([] if given else [end for x in levels for end in (high - spread - x, x - low - spread)]))
    if not most > 0:
        raise ConstrainError(f"{path}: nothing says how far it goes; give hardware.ranges[{path!r}] = (low, high)")
    return Lane(path=path, bits=bits, fraction=hardware.below(path), mantissa=bits, unit=most / (2 ** (bits - 1) - 1), low=low, high=high)


def _spread(found: Slow, values: Mapping[str, Floats]) -> float:
    """How far noise reaches against all that pulls while it acts."""
    pull = sum(float(np.max(np.abs(evaluate(t.coefficient, values)))) for t in found.terms)
    power = sum(max(float(np.max(evaluate(a, values))) for a in noise.amplitudes) ** 2 for noise in found.noises)
    return HEADROOM * float(np.sqrt(power / (2 * pull))) if power > 0 and pull > 0 else 0.0


def _pushed(found: Slow, values: Mapping[str, Floats]) -> list[Floats]:
    """Where a constant push would take a variable against what pulls it back to 0."""
    pull = [evaluate(t.coefficient, values) for t in found.terms if [(x.variable, x.level) for x in t.levels] == [(found.name, "0")] and not t.gates]
    push = [evaluate(t.coefficient, values) for t in found.terms if not t.levels]
    return [x / np.abs(sum(pull)) for x in push] if pull else []


def weight_lane(path: str, low: float, high: float, hardware: Hardware) -> Lane:
    """The lane of a synaptic weight: unsigned, from 0."""
    if low != 0 or not high > 0:
        raise ConstrainError(f"{path}: a weight of the chip goes from 0 up, not from {low:g} to {high:g}; shift the rule, or call it no weight")
    most = 2**hardware.weight_bits - 1
    bits = hardware.width(path)
    return Lane(
        path=path, bits=hardware.weight_bits + 1, fraction=hardware.below(path), mantissa=bits, unit=high / most, low=low, high=high, clip=(0, most)
    )


def bounded_lane(path: str, low: float, high: float, hardware: Hardware) -> Lane:
    """The lane of a variable between bounds of its own."""
    bits = hardware.width(path)
    unit = max(abs(low), abs(high)) / (2 ** (bits - 1) - 1)
    clip = (round(low / unit), round(high / unit))
    return Lane(path=path, bits=bits, fraction=hardware.below(path), mantissa=bits, unit=unit, low=low, high=high, clip=clip)


def reader_of(name: str, owner: str, reading: Reading, values: Mapping[str, Floats], hardware: Hardware, given: tuple[float, float] | None) -> Reader:
    """The converter of an analog variable: by default it spans twice the highest level that anything compares it with."""
    path = f"{owner}.{name}"
    gates = [g for s in reading.slow for g in (*(g for t in s.terms for g in t.gates), *(g for n in s.noises for g in n.gates))]
    texts = [t for g in gates if g.variable == name for t in (g.high, g.low) if t]
    texts += [x.level for s in reading.slow for t in s.terms for x in t.levels if x.variable == name and x.level != "0"]
    if given is None and not texts:
        raise ConstrainError(f"{path}: it is read as it is, and nothing says how far it goes; give hardware.ranges[{path!r}] = (low, high)")
    low, high = given or (0.0, 2 * max(float(np.max(evaluate(t, values))) for t in texts))
    if not low < high:
        raise ConstrainError(f"hardware.ranges[{path!r}]: ({low:g}, {high:g}) is empty; give low < high")
    first, last = hardware.converter
    unit = (high - low) / (last - first)
    return Reader(path=path, unit=unit, base=np.asarray(first - low / unit), low=low, span=(first, last))


def mantissa(value: Floats, bits: int) -> tuple[Floats, Floats]:
    """``value`` as m*2**-s with m a signed integer of `bits` bits, as large as can be; (0, 0) for 0.

    >>> [x.tolist() for x in mantissa(np.array([0.3, -0.5, 1.45e-6]), 8)]
    [[77.0, -64.0, 97.0], [8.0, 7.0, 26.0]]
    """
    value = np.asarray(value, np.float64)
    fraction, exponent = np.frexp(value)
    shift = bits - 1 - exponent
    m = np.rint(np.ldexp(fraction, bits - 1))
    over = np.abs(m) == 2 ** (bits - 1)
    return np.where(over, m / 2, m), np.where(value == 0, 0, shift - over).astype(np.float64)
