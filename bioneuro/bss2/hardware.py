"""What the plasticity processor of a chip can do: one frozen record of widths, period, rounding, converters and mismatch."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from bioneuro import units
from bioneuro.bss2.products import ConstrainError
from bioneuro.records import did_you_mean

ROUNDINGS = ("nearest", "truncate", "stochastic")
"""What becomes of the bits below the last one: the nearest value, half up; dropped, which is the next lower value; up by chance."""

DRAWS = ("ideal", 8, 16, 24)
"""Random bits of a stochastic rounding: 32 ideal ones, or 8 from each of one, two or three shift registers of the chip."""

WIDTHS = range(6, 33)
"""Bits of a signed lane. The vector unit has 8 and 16; others stand for lanes put together, or for the scalar unit."""

_MOST_FRACTION = 28
_WIDEST = 48  # bits of an increment, so that no mantissa and no product of two lanes outgrows 64


@dataclass(frozen=True, kw_only=True, eq=False)
class Hardware:
    """A plasticity processor, by default one of BrainScaleS-2 with lanes of 16 bits.

    Attributes:
        period: time between two updates of a synapse, biological (10 ms are 10 us on the chip).
        bits: width of the variables that the processor keeps, signed; one number, or one per placed name (``{"stc.h": 24}``) beside ``""``
            for all others. None: no integers at all, but the period; what is left then is the error of the period.
        fraction: bits below the last one that an increment keeps until it is rounded. None: as many as the width, as in the chip's
            accumulators of double width; 28 with ideal draws; never more than 48 minus the width.
        rounding: one of `ROUNDINGS`.
        draws: one of `DRAWS`, for stochastic rounding and for noise. Noise from registers is the sum of four bytes.
        centred: half a step of the draw is added, so that the chance of going up is the nearest multiple of the step, not the next lower.
        reads: reads of a register per draw; 8 make draws independent, 1 shares seven bits with the draw before.
        rarely: rates that no analog variable gates act in every `rarely`-th update only, `rarely` times as strong.
        ranges: placed name -> (low, high) with units, where the range found from the equations does not suit. Of an analog variable it
            is what its converter spans; of a weight what its bits span.
        weight_bits: width of a synaptic weight, unsigned.
        converter: lowest and highest count that the column converter is trusted with.
        converter_noise: standard deviation of a reading, counts.
        offsets: standard deviation of the fixed offset of a column's readings, counts.
        mismatch: parameter of an analog variable -> relative standard deviation from synapse to synapse (``{"stc.tau_Ca": 0.1}``), lognormal.
        seed: of offsets and mismatch: the same seed is the same chip.
        amplitude: counts that a correlation sensor gains by one event at full strength (0.2 to 2).
        speedup: biological time over the chip's.
    """

    period: str = "10 ms"
    bits: int | Mapping[str, int] | None = 16
    fraction: int | None = None
    rounding: str = "stochastic"
    draws: str | int = "ideal"
    centred: bool = False
    reads: int = 8
    rarely: int = 1
    ranges: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    weight_bits: int = 6
    converter: tuple[int, int] = (30, 210)
    converter_noise: float = 0.0
    offsets: float = 0.0
    mismatch: Mapping[str, float] = field(default_factory=dict)
    seed: int = 0
    amplitude: float = 0.5
    speedup: float = 1000.0

    def __post_init__(self) -> None:
        for name in ("ranges", "mismatch", "bits"):
            if isinstance(getattr(self, name), Mapping):
                object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))
            elif name != "bits":
                raise ConstrainError(f"hardware.{name}: {getattr(self, name)!r:.60} is no mapping; give one such as {{'stc.h': ...}}")
        if not isinstance(self.centred, bool):
            raise ConstrainError(f"hardware.centred: {self.centred!r:.60} is neither True nor False; give one of them")
        whole = isinstance(self.converter, tuple | list) and all(isinstance(n, int) and not isinstance(n, bool) for n in self.converter)
        if not whole or len(self.converter) != 2:
            raise ConstrainError(f"hardware.converter: {self.converter!r:.60} is no pair of counts; give two whole numbers, such as (30, 210)")
        object.__setattr__(self, "converter", tuple(self.converter))
        self._check_widths()
        _one_of("rounding", self.rounding, ROUNDINGS)
        _one_of("draws", self.draws, DRAWS)
        for name, low, high in (("reads", 1, 64), ("rarely", 1, 1_000_000), ("weight_bits", 1, 16), ("seed", 0, 2**63 - 1)):
            _within(name, getattr(self, name), low, high, whole=True)
        for name, lowest, highest in (("converter_noise", 0, 100), ("offsets", 0, 100), ("amplitude", 0.01, 100), ("speedup", 1e-3, 1e6)):
            _within(name, getattr(self, name), lowest, highest)
        for path, deviation in self.mismatch.items():
            _within(f"mismatch[{path!r}]", deviation, 0, 1)
        low, high = self.converter
        if not 0 <= low < high <= 255:
            raise ConstrainError(f"hardware.converter: ({low}, {high}) is no range of counts; allowed: 0 <= low < high <= 255")
        if not self.seconds > 0:
            raise ConstrainError(f"hardware.period: {self.period!r} is not above 0 s; give a time such as '10 ms'")

    def _check_widths(self) -> None:
        widths = self.bits if isinstance(self.bits, Mapping) else {"": self.bits}
        if isinstance(self.bits, Mapping) and "" not in self.bits:
            raise ConstrainError(f"hardware.bits: {dict(self.bits)} has no width for other variables; add one, such as '': 16")
        for path, bits in widths.items():
            if bits is not None:
                _within(f"bits[{path!r}]" if path else "bits", bits, WIDTHS.start, WIDTHS.stop - 1, whole=True)
        if self.fraction is not None:
            _within("fraction", self.fraction, 0, _MOST_FRACTION, whole=True)

    @property
    def seconds(self) -> float:
        """The period, in seconds."""
        return float(units.in_unit(self.period, "second", "hardware.period"))

    def width(self, path: str) -> int:
        """Bits of a placed variable; meaningless where `bits` is None."""
        if isinstance(self.bits, Mapping):
            return self.bits.get(path, self.bits[""])
        return self.bits or 0

    def below(self, path: str) -> int:
        """Bits that an increment of a placed variable keeps below its last one."""
        ideal = self.rounding != "stochastic" or self.draws == "ideal"
        wanted = self.fraction if self.fraction is not None else _MOST_FRACTION if ideal else self.width(path)
        return min(wanted, _WIDEST - self.width(path))

    @property
    def draw_bits(self) -> int:
        """Random bits per rounding."""
        return 32 if isinstance(self.draws, str) else self.draws


def _one_of(name: str, value: Any, allowed: tuple[Any, ...]) -> None:
    if isinstance(value, bool) or value not in allowed:
        hint = did_you_mean(value, [a for a in allowed if isinstance(a, str)]) if isinstance(value, str) else ""
        raise ConstrainError(f"hardware.{name}: {value!r} is unknown; allowed: {', '.join(map(repr, allowed))}.{hint}")


def _within(name: str, value: Any, low: float, high: float, *, whole: bool = False) -> None:
    number = isinstance(value, int) if whole else isinstance(value, int | float)
    if isinstance(value, bool) or not number or not low <= value <= high:
        raise ConstrainError(f"hardware.{name}: {value!r} is not allowed; give {'a whole number' if whole else 'a number'} from {low:g} to {high:g}")
