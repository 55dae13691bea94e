"""What the nouns are made of: numbers with units and bounds, read-only arrays, and the digest by which records compare."""

import copyreg
import dataclasses
import difflib
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bioneuro import units
from bioneuro.guard import brian2_may_load


def read_only(values: dict[str, Any]) -> MappingProxyType[str, Any]:
    """A view that cannot be changed."""
    return MappingProxyType(values)


copyreg.pickle(MappingProxyType, lambda view: (read_only, (dict(view),)))  # so that records travel between processes


class ModelError(ValueError):
    """A neuron, synapse, population, projection or circuit is not well formed."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A hint such as " Did you mean 'tau_w'?", or nothing."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" Did you mean {close[0]!r}?" if close else ""


LATER = "later"
"""Metadata of a field that is no part of the digest while it is None."""


def canonical(value: Any) -> Any:
    """A record as plain JSON, of which there is one for each record: what its digest is of."""
    if isinstance(value, np.ndarray):
        plain = np.ascontiguousarray(value)
        if plain.size <= 64:
            return [str(plain.dtype), list(plain.shape), [canonical(x) for x in plain.ravel().tolist()]]
        return [str(plain.dtype), list(plain.shape), hashlib.sha256(plain.tobytes()).hexdigest()]
    if dataclasses.is_dataclass(value):
        # A field that came later is left out while it says nothing: records made before it keep their digest.
        fields = [f for f in dataclasses.fields(value) if f.repr and not (f.metadata.get(LATER) and getattr(value, f.name) is None)]
        shown = {f.name: canonical(getattr(value, f.name)) for f in fields}
        return {"": type(value).__name__, **shown}
    if isinstance(value, Mapping):
        return {str(k): canonical(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [canonical(v) for v in value]
    if isinstance(value, float):
        return value.hex()
    if value is None or isinstance(value, str | int | bool):
        return value
    raise TypeError(f"a {type(value).__name__} has no canonical form")


def digest(record: Any) -> str:
    """SHA-256 of the canonical JSON of a record: equal records have equal digests, in every process."""
    return hashlib.sha256(json.dumps(canonical(record), sort_keys=True).encode()).hexdigest()


def frozen(values: Any, dtype: Any = np.float64) -> NDArray[Any]:
    """A read-only copy."""
    array = np.array(values, dtype=dtype)
    array.setflags(write=False)
    return array


@dataclass(frozen=True, kw_only=True, eq=False)
class Parameter:
    """A number with a unit, bounds, a meaning and the place in the literature it comes from.

    Attributes:
        value: SI value, a read-only scalar or one value per unit of a population, float64.
        unit: the unit it is written and shown in, such as ``"ms"``; ``"integer"`` for a whole number of 32 bits.
        low, high: bounds in SI, inclusive.
        says: what it means.
        source: paper and place in it.
    """

    value: NDArray[np.float64]
    unit: str
    low: float = -np.inf
    high: float = np.inf
    says: str = ""
    source: str = ""

    def __post_init__(self) -> None:
        units.unit(self.unit)
        object.__setattr__(self, "value", frozen(self.value))
        place = f"parameter ({self.says or self.unit})"
        if self.value.ndim > 1:
            raise ModelError(f"{place}: an array of shape {self.value.shape}; give one number, or one per unit")
        if not np.all(np.isfinite(self.value)):
            raise ModelError(f"{place}: the value {self.value} is not finite; give finite numbers")
        if not self.low <= self.high:
            raise ModelError(f"{place}: the bounds [{self.low}, {self.high}] hold no number; give low <= high")
        if self.unit == "integer" and not np.all((self.value == np.rint(self.value)) & (np.abs(self.value) < 2**31)):
            raise ModelError(f"{place}: {self.value} is no integer of 32 bits; give whole numbers below 2**31, or the unit '1'")
        self.check_bounds(self.value, place)

    @property
    def quantity(self) -> Any:
        """The value as a Brian2 quantity."""
        brian2_may_load()
        from brian2.units.fundamentalunits import Quantity, get_or_create_dimension  # Brian2 takes seconds to import

        value = np.array(self.value)
        return Quantity(value, dim=get_or_create_dimension(units.unit(self.unit).dimensions))

    @property
    def shown(self) -> Any:
        """The value in `unit`, as a float or array."""
        shown = self.value / units.unit(self.unit).scale
        return float(shown) if shown.ndim == 0 else shown

    def __str__(self) -> str:
        number = f"{self.shown:.10g}" if self.value.ndim == 0 else f"[{self.value.size} values]"
        return number if self.unit in ("1", "integer") else f"{number} {self.unit}"

    def with_value(self, value: Any, place: str) -> "Parameter":
        """The same parameter with another value; raises if its unit or bounds are violated."""
        array = value.value if isinstance(value, Parameter) else units.in_unit(value, self.unit, place)
        if isinstance(value, Parameter) and units.unit(value.unit).dimensions != units.unit(self.unit).dimensions:
            raise units.UnitError(f"{place}: expected a value in {self.unit!r} but got one in {value.unit!r}; give one in {self.unit!r}")
        self.check_bounds(array, place)
        return dataclasses.replace(self, value=array)

    def check_bounds(self, array: NDArray[np.float64], place: str) -> None:
        """Refuse, by `ModelError`, SI values outside the bounds."""
        slack = 1e-12 * np.abs(array)  # a bound written in ms and a value in s may differ by a rounding
        if np.any(array < self.low - slack) or np.any(array > self.high + slack):
            scale = units.unit(self.unit).scale
            worst = array.ravel()[np.argmax(np.maximum(self.low - array, array - self.high).ravel())]
            raise ModelError(
                f"{place}: {worst / scale:g} {self.unit} is outside its bounds "
                f"[{self.low / scale:g}, {self.high / scale:g}] {self.unit}; choose a value within them, or widen the bounds of the "
                "parameter where it is defined"
            )


def parameter(
    value: Any, unit: str = "1", *, low: Any = -np.inf, high: Any = np.inf, says: str = "", source: str = ""
) -> Parameter:
    """A `Parameter` from numbers in `unit`, or from a text or quantity with a unit of its own, and likewise its bounds.

    >>> str(parameter(20, "ms", low=1, high=200, says="membrane time constant"))
    '20 ms'
    """
    place = f"parameter ({says or unit})"
    least, most = (float(_in_si(bound, unit, f"{place}: bound", infinite=True)) for bound in (low, high))
    return Parameter(value=_in_si(value, unit, place), unit=unit, low=least, high=most, says=says, source=source)


def _in_si(value: Any, unit: str, place: str, *, infinite: bool = False) -> NDArray[np.float64]:
    """Plain numbers are in `unit`; a text or quantity brings its own unit, which must fit."""
    plain = np.asarray(value) if isinstance(value, int | float | list | tuple | range | np.ndarray | np.number) else None
    if plain is not None and plain.dtype.kind in "iuf" and not _with_units(value):
        if not infinite and not np.all(np.isfinite(plain)):
            raise ModelError(f"{place}: {value!r:.60} is not finite; give finite numbers")
        return np.asarray(plain * units.unit(unit).scale, np.float64)
    return units.in_unit(value, unit, place)


def _with_units(value: Any) -> bool:
    return hasattr(value, "dim") or (isinstance(value, list | tuple) and any(_with_units(item) for item in value))
