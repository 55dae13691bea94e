"""The integer arithmetic of BrainScaleS-2's plasticity processor, bit for bit, on int64 arrays.

The processor's vector unit computes in lanes of 8 or 16 bits, in two ways. *Fractional saturating* lanes are
signed: sums stop at the ends of the range, products are divided by ``2**(bits - 1)``, rounded towards minus
infinity. *Modulo* lanes are unsigned and wrap. ``bits`` names the width of a lane: 8 and 16 exist
(:data:`LANES`); every other width from 4 to 32 answers what a chip with such lanes would do.

Values are integers or integer arrays and broadcast; results are int64 arrays. Nothing is rounded or clipped in
silence: a value that no lane of that width can hold is an error. ``arithmetic.h`` holds the same functions for
C++11, without the checks.

References:
    Nux guide, ``doc/guide/src/fxv.tex`` (the vector instructions), and the behavioural model of its test bench,
    class ``Vector_predictor`` and package ``arithmetic`` (Electronic Visions group, Heidelberg University).
    libnux, ``include/libnux/vx/vector_frac_sat_*.tcc``, ``vector_mod_*.tcc``, ``vector_convert.h`` and
    ``vector_row_math.h``: how shifts, conversions and weights are put together from these instructions.
"""

from typing import Any

import numpy
from numpy.typing import NDArray

Integers = NDArray[numpy.int64]

LANES = (8, 16)  # the widths that the chip has
WEIGHT = 63  # largest synaptic weight: 6 bits, the sign belongs to the row
COUNT = 255  # largest reading of the analog-to-digital converters of the columns: 8 bits
_NARROWEST, _WIDEST = 4, 32


def limits(*, bits: int) -> tuple[int, int]:
    """Smallest and largest value of a signed lane.

    >>> limits(bits=8)
    (-128, 127)

    Raises: TypeError if ``bits`` is no integer, ValueError if it lies outside 4 to 32.
    """
    half = 1 << (lane(bits, "limits") - 1)
    return -half, half - 1


def lane(bits: Any, place: str) -> int:
    """``bits`` as a checked int, for the function called ``place``."""
    if isinstance(bits, bool) or not isinstance(bits, (int, numpy.integer)):
        raise TypeError(f"bss2.{place}: bits is {bits!r}; allowed is one integer, 8 or 16 as on the chip; pass e.g. bits=16")
    if not _NARROWEST <= bits <= _WIDEST:
        raise ValueError(f"bss2.{place}: bits is {bits}; allowed are {_NARROWEST} to {_WIDEST} (the chip has 8 and 16)")
    return int(bits)


def integers(values: Any, low: int, high: int, place: str, name: str, remedy: str) -> Integers:
    """``values`` as int64, all within [``low``, ``high``]; ``place``, ``name`` and ``remedy`` speak in the error."""
    array = numpy.asarray(values)
    if array.dtype.kind not in "iu":
        raise TypeError(f"bss2.{place}: {name} is of type {array.dtype}; allowed are integers of up to 64 bits; round and convert it first")
    if array.size and (array.min() < low or array.max() > high):
        first = array[(array < low) | (array > high)].flat[0]
        raise ValueError(f"bss2.{place}: {name} holds {first}; allowed is [{low}, {high}]; {remedy}")
    return array.astype(numpy.int64)


def _signed(values: Any, bits: int, place: str, name: str) -> Integers:
    low, high = limits(bits=lane(bits, place))
    return integers(values, low, high, place, name, f"bring it into a lane of {bits} bits by saturate or cast_signed")


def _unsigned(values: Any, bits: int, place: str, name: str) -> Integers:
    high = (1 << lane(bits, place)) - 1
    return integers(values, 0, high, place, name, f"bring it into a lane of {bits} bits by cast_unsigned")


def _shift(n: Any, place: str) -> Integers:
    return integers(n, 0, 63, place, "n", "shift the other way by the other function")


def _any(values: Any, place: str, name: str) -> Integers:
    return integers(values, -(2**63), 2**63 - 1, place, name, "only 64-bit integers are held")


# --- signed lanes: fractional and saturating --------------------------------------------------------------------------


def saturate(x: Any, *, bits: int) -> Integers:
    """The value of a signed lane nearest to ``x``, any 64-bit integers.

    >>> saturate([-300, 5, 300], bits=8).tolist()
    [-128, 5, 127]
    """
    low, high = limits(bits=lane(bits, "saturate"))
    return numpy.asarray(numpy.clip(_any(x, "saturate", "x"), low, high))


def add(a: Any, b: Any, *, bits: int) -> Integers:
    """``a + b``, stopped at the ends of the lane (instructions fxvaddbfs, fxvaddhfs).

    >>> add([-12, 68], 80, bits=8).tolist()
    [68, 127]
    """
    return saturate(_signed(a, bits, "add", "a") + _signed(b, bits, "add", "b"), bits=bits)


def subtract(a: Any, b: Any, *, bits: int) -> Integers:
    """``a - b``, stopped at the ends of the lane (fxvsubbfs, fxvsubhfs); 0 minus the smallest is the largest value.

    >>> subtract([-12, -72, 0], [60, 60, -128], bits=8).tolist()
    [-72, -128, 127]
    """
    return saturate(_signed(a, bits, "subtract", "a") - _signed(b, bits, "subtract", "b"), bits=bits)


def multiply(a: Any, b: Any, *, bits: int) -> Integers:
    """``floor(a * b / 2**(bits - 1))``, and the largest value for smallest times smallest (fxvmulbfs, fxvmulhfs).

    >>> multiply([-12, -4, 100, -128], [42, 42, 112, -128], bits=8).tolist()
    [-4, -2, 87, 127]
    """
    product = _signed(a, bits, "multiply", "a") * _signed(b, bits, "multiply", "b")  # at most 2**62: fits
    return saturate(product >> (bits - 1), bits=bits)


def shift_left(x: Any, n: Any, *, bits: int) -> Integers:
    """``x << n`` of a signed lane as libnux composes it: the sign bit stays, the others are shifted out, no saturation.

    libnux takes the sign bit off, shifts by n + 1 and back by 1, and adds the sign bit; from ``n = bits`` on it writes 0.

    >>> shift_left([5, -5, -80, 100, 3], [2, 2, 2, 1, 8], bits=8).tolist()
    [20, -20, -64, 72, 0]
    """
    x, n = _signed(x, bits, "shift_left", "x"), _shift(n, "shift_left")
    magnitude = 1 << (bits - 1)
    moved = ((x << numpy.minimum(n, bits - 1)) & (magnitude - 1)) - magnitude * (x < 0)
    return numpy.where(n < bits, moved, 0)


def shift_right(x: Any, n: Any, *, bits: int) -> Integers:
    """``floor(x / 2**n)`` of a signed lane; from ``n = bits`` on 0, also for negative ``x``, as libnux has it.

    >>> shift_right([80, -80, -1, -1], [2, 2, 7, 8], bits=8).tolist()
    [20, -20, -1, 0]
    """
    x, n = _signed(x, bits, "shift_right", "x"), _shift(n, "shift_right")
    return numpy.where(n < bits, x >> numpy.minimum(n, bits - 1), 0)


# --- unsigned lanes: modulo -------------------------------------------------------------------------------------------


def modulo_add(a: Any, b: Any, *, bits: int) -> Integers:
    """``a + b`` modulo ``2**bits`` of unsigned lanes (fxvaddbm, fxvaddhm).

    >>> int(modulo_add(150, 140, bits=8))
    34
    """
    return cast_unsigned(_unsigned(a, bits, "modulo_add", "a") + _unsigned(b, bits, "modulo_add", "b"), bits=bits)


def modulo_subtract(a: Any, b: Any, *, bits: int) -> Integers:
    """``a - b`` modulo ``2**bits`` of unsigned lanes (fxvsubbm, fxvsubhm).

    >>> int(modulo_subtract(10, 130, bits=8))
    136
    """
    return cast_unsigned(_unsigned(a, bits, "modulo_subtract", "a") - _unsigned(b, bits, "modulo_subtract", "b"), bits=bits)


def modulo_multiply(a: Any, b: Any, *, bits: int) -> Integers:
    """``a * b`` modulo ``2**bits`` of unsigned lanes (fxvmulbm, fxvmulhm).

    >>> int(modulo_multiply(120, 12, bits=8))
    160
    """
    a, b = _unsigned(a, bits, "modulo_multiply", "a"), _unsigned(b, bits, "modulo_multiply", "b")
    upper = (a * (b >> 16)) & 0xFFFF  # two halves of b, so that no product reaches 2**63
    return cast_unsigned(a * (b & 0xFFFF) + (upper << 16), bits=bits)


def modulo_shift_left(x: Any, n: Any, *, bits: int) -> Integers:
    """``x << n`` of an unsigned lane, bits beyond it lost (fxvshb, fxvshh); from ``n = bits`` on 0.

    >>> modulo_shift_left([10, 160], 2, bits=8).tolist()
    [40, 128]
    """
    x, n = _unsigned(x, bits, "modulo_shift_left", "x"), _shift(n, "modulo_shift_left")
    return cast_unsigned(numpy.where(n < bits, x << numpy.minimum(n, bits - 1), 0), bits=bits)


def modulo_shift_right(x: Any, n: Any, *, bits: int) -> Integers:
    """``x >> n`` of an unsigned lane, zeros from the left (fxvshb, fxvshh with a negative count); from ``n = bits`` on 0.

    >>> modulo_shift_right([160, 255], [2, 8], bits=8).tolist()
    [40, 0]
    """
    x, n = _unsigned(x, bits, "modulo_shift_right", "x"), _shift(n, "modulo_shift_right")
    return numpy.where(n < bits, x >> numpy.minimum(n, bits - 1), 0)


# --- between them -----------------------------------------------------------------------------------------------------


def contiguous_unsigned(x: Any, *, bits: int) -> Integers:
    """A signed lane moved up by half its range: -128 becomes 0, 127 becomes 255 (libnux ``convert_contiguous``).

    >>> contiguous_unsigned([-128, -12, 127], bits=8).tolist()
    [0, 116, 255]
    """
    return numpy.asarray(_signed(x, bits, "contiguous_unsigned", "x") + (1 << (bits - 1)))


def contiguous_signed(x: Any, *, bits: int) -> Integers:
    """An unsigned lane moved down by half its range: 0 becomes -128, 255 becomes 127.

    >>> contiguous_signed([0, 12, 255], bits=8).tolist()
    [-128, -116, 127]
    """
    return numpy.asarray(_unsigned(x, bits, "contiguous_signed", "x") - (1 << (bits - 1)))


def cast_unsigned(x: Any, *, bits: int) -> Integers:
    """The lowest ``bits`` bits of any 64-bit ``x``, read as unsigned: what a cast between the two types of lanes does.

    >>> cast_unsigned([-12, 300], bits=8).tolist()
    [244, 44]
    """
    mask = (1 << lane(bits, "cast_unsigned")) - 1
    return numpy.asarray(_any(x, "cast_unsigned", "x") & mask)


def cast_signed(x: Any, *, bits: int) -> Integers:
    """The lowest ``bits`` bits of any 64-bit ``x``, read as signed.

    >>> cast_signed([244, 44, -129], bits=8).tolist()
    [-12, 44, 127]
    """
    sign = 1 << (lane(bits, "cast_signed") - 1)
    return numpy.asarray(((_any(x, "cast_signed", "x") & (2 * sign - 1)) ^ sign) - sign)


def to_weight(x: Any) -> Integers:
    """The synaptic weight, 0 to 63, nearest to ``x`` (libnux ``saturate_weight``).

    >>> to_weight([-10, 10, 70]).tolist()
    [0, 10, 63]
    """
    return numpy.asarray(numpy.clip(_any(x, "to_weight", "x"), 0, WEIGHT))


def to_count(x: Any, *, low: int = 0, high: int = COUNT) -> Integers:
    """The reading of the column converters nearest to ``x``: 8 bits, or the part of them that an experiment trusts.

    >>> to_count([-3, 100, 300]).tolist(), to_count([-3, 100, 300], low=30, high=210).tolist()
    ([0, 100, 255], [30, 100, 210])

    Raises: ValueError unless ``0 <= low <= high <= 255``.
    """
    if not 0 <= low <= high <= COUNT:
        raise ValueError(f"bss2.to_count: low is {low}, high is {high}; allowed is 0 <= low <= high <= {COUNT}; leave them out for all 8 bits")
    return numpy.asarray(numpy.clip(_any(x, "to_count", "x"), low, high))
