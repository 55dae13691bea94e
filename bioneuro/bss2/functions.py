"""The functions of the processor as periodic code calls them: a body in NumPy here, one in C++ in ``arithmetic.h`` for the compiled engines.

Both bodies check nothing and give the same bits. Values are integers of 64 bits, so what is wider than a lane may stand within a call; a value
that is kept in a variable of a synapse must fit 32 bits. What :mod:`bioneuro.bss2.arithmetic` and :mod:`bioneuro.bss2.randoms`
check, they trust:

==========================  =========================================================================================================
``ppu_quantise(value, b)``  the lane value nearest to a real number (of two, the even one), saturated to ``b`` bits with sign
``ppu_count(value, l, h)``  the same within [l, h], a reading of the converters; what is not a number becomes the largest in both
``ppu_add(x, y, b)``        the sum, saturated; |x| + |y| < 2**63, and so ``ppu_subtract``
``ppu_multiply(x, y, b)``   the chip's: floor(x y / 2**(b - 1)), the largest value for smallest times smallest; |x y| < 2**63
``ppu_scale(x, y, n)``      floor((x y + 2**(n - 1)) / 2**n), x y for n = 0; |x y| <= 2**62, 0 <= n <= 62
``ppu_round(w, n, o, d)``   floor((w + o + d/2**(32 - n)) / 2**n): the ``n`` lowest bits of a wide number rounded off, the rest in units of
                            2**n; |w| < 2**62, 0 <= n <= 32. Nearest, half up: offset 2**(n - 1) and no draw. Down: neither. By chance: a draw
                            of 32 bits; one of fewer bits stands at the top, and an offset of half its step takes its bias away
``ppu_saturate(x, b)``      the nearest value of a lane with sign
``ppu_weight(x, b)``        the nearest of 0 to 2**b - 1
``ppu_clip(x, l, h)``       the nearest of l to h
``ppu_byte(state)``         the draw of a register: its low 8 bits
==========================  =========================================================================================================

An engine tells draws of which element they are (trial, unit), and for ideal ones at which update ``n``:

- ``ppu_lfsr_at(state, reads, trial, unit)``: the state after ``reads`` further reads of the register of column (31 trial + unit) modulo
  256. So trials, being repetitions, lie on other columns.
- ``ppu_seed_at(state, trial, unit)``: the state itself, or where that is 0, which means not seeded yet, one of the 65535 others, drawn for
  the seed of the run and the element.
- ``ppu_noise_at(value, stream, trial, unit, n)``: a real number times a standard normal draw; 0, without a draw, where it is 0.
- ``ppu_uniform_at(stream, trial, unit, n, k)``: word ``k`` (0 to 3) of the four of 32 bits at an address, as :mod:`bioneuro.noise` has them.
"""

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy

from bioneuro import noise
from bioneuro.bss2.randoms import TAPS

__all__ = ["CPP", "CPP_NAMES", "PLAIN", "SEEDED"]

Body = Callable[..., Any]

SEEDS = noise.stream("bss2.lfsr")  # of the draws that registers start from


def _integer(x: Any) -> Any:
    return numpy.asarray(x, dtype=numpy.int64)


def _clip(x: Any, low: Any, high: Any) -> Any:
    return numpy.minimum(numpy.maximum(x, low), high)


def _count(value: Any, low: Any, high: Any) -> Any:
    # fmin passes over what is not a number, so that it becomes `high`, as in C++
    return numpy.fmax(numpy.fmin(numpy.rint(value), high), low).astype(numpy.int64)


def _quantise(value: Any, bits: Any) -> Any:
    half = 1 << (_integer(bits) - 1)
    return _count(value, -half, half - 1)


def _saturate(x: Any, bits: Any) -> Any:
    half = 1 << (_integer(bits) - 1)
    return _clip(_integer(x), -half, half - 1)


def _add(a: Any, b: Any, bits: Any) -> Any:
    return _saturate(_integer(a) + _integer(b), bits)


def _subtract(a: Any, b: Any, bits: Any) -> Any:
    return _saturate(_integer(a) - _integer(b), bits)


def _multiply(a: Any, b: Any, bits: Any) -> Any:
    bits = _integer(bits)
    return _saturate((_integer(a) * _integer(b)) >> (bits - 1), bits)


def _scale(a: Any, b: Any, n: Any) -> Any:
    n = _integer(n)
    return (_integer(a) * _integer(b) + ((1 << n) >> 1)) >> n


def _round(wide: Any, n: Any, offset: Any, draw: Any) -> Any:
    n = _integer(n)
    return (_integer(wide) + _integer(offset) + (_integer(draw) >> (32 - n))) >> n


def _weight(x: Any, bits: Any) -> Any:
    return _clip(_integer(x), 0, (1 << _integer(bits)) - 1)


def _byte(state: Any) -> Any:
    return _integer(state) & 0xFF


@functools.cache
def _eight() -> tuple[Any, Any]:
    """The eight bits that eight reads bring in, by column and by the low and the high byte of the state: the sum of both."""
    tables = []
    for start in (numpy.arange(256), numpy.arange(256) << 8):
        state = numpy.broadcast_to(start, (256, 256))
        for _ in range(8):
            state = state << 1 | numpy.bitwise_count(state & numpy.array(TAPS)[:, None]) & 1
        tables.append(state & 0xFF)
    return tables[0], tables[1]


def _lfsr_at(state: Any, reads: Any, trial: Any, unit: Any) -> Any:
    state, reads, trial, unit = (_integer(x) for x in (state, reads, trial, unit))
    column = (trial * 31 + unit) & 255
    first, second = _eight()
    left = reads
    while (left >= 8).any():
        after = (state & 0xFF) << 8 | first[column, state & 0xFF] ^ second[column, state >> 8]
        state, left = numpy.where(left >= 8, after, state), numpy.where(left >= 8, left - 8, left)
    while (left > 0).any():
        after = (state << 1 | numpy.bitwise_count(state & _taps()[column]) & 1) & 0xFFFF
        state, left = numpy.where(left > 0, after, state), left - 1
    return state


def _seed_at(low: int, high: int, state: Any, trial: Any, unit: Any) -> Any:
    state = _integer(state)
    return state if state.all() else numpy.where(state == 0, 1 + _uniform_at(low, high, SEEDS, trial, unit, 0, 0) % 65535, state)


@functools.cache
def _taps() -> Any:
    return numpy.array(TAPS)


def _uniform_at(low: int, high: int, stream: Any, trial: Any, unit: Any, n: Any, k: Any) -> Any:
    address = [_integer(x) & 0xFFFFFFFF for x in (n, unit, trial, stream)]
    words = noise.philox(tuple(numpy.atleast_1d(x) for x in address), (low, high))  # no scalars: their products would warn of wrapping
    shape = numpy.broadcast_shapes(*(x.shape for x in address))
    k = _integer(k)
    return numpy.choose(k, [word.reshape(shape) for word in words]) if k.ndim else words[int(k)].reshape(shape)


def _noise_at(low: int, high: int, value: Any, stream: Any, trial: Any, unit: Any, n: Any) -> Any:
    a, b, c, d = (numpy.atleast_1d(_integer(x)) for x in (stream, trial, unit, n))
    shape = numpy.broadcast_shapes(*(numpy.shape(x) for x in (value, stream, trial, unit, n)))
    return (numpy.asarray(value, dtype=numpy.float64) * noise.normal_words(low, high, a, b, c, d, numpy)).reshape(shape) + 0.0


PLAIN: Mapping[str, Body] = MappingProxyType(
    {
        "ppu_quantise": _quantise, "ppu_count": _count, "ppu_add": _add, "ppu_subtract": _subtract, "ppu_multiply": _multiply,
        "ppu_scale": _scale, "ppu_round": _round, "ppu_saturate": _saturate, "ppu_weight": _weight, "ppu_byte": _byte,
        "ppu_clip": lambda x, low, high: _clip(_integer(x), low, high), "ppu_lfsr_at": _lfsr_at,
    }
)  # fmt: skip
"""Name -> NumPy body: int64 arrays of the broadcast shape, from whatever NumPy can make int64 (``value``: float64)."""

SEEDED: Mapping[str, Body] = MappingProxyType({"ppu_seed_at": _seed_at, "ppu_uniform_at": _uniform_at, "ppu_noise_at": _noise_at})
"""Name -> NumPy body whose first two arguments are the words of the seed (`noise.split_seed`)."""

CPP_NAMES: Mapping[str, str] = MappingProxyType(
    {name: f"bioneuro_bss2_{name.removeprefix('ppu_')}" for name in (*PLAIN, *SEEDED)}
    | {"ppu_byte": "bioneuro_bss2_draw", "ppu_uniform_at": "bioneuro_bss2_ideal_word"}
)
"""Name -> the C++ function that is its body; those of `SEEDED` take the words of the seed first."""

CPP: str = f"""{noise.CPP}
#ifndef BIONEURO_BSS2_TAPS
#define BIONEURO_BSS2_TAPS {", ".join(map(str, TAPS))}
#define BIONEURO_BSS2_SEEDS {SEEDS}
#endif
{Path(__file__).with_name("arithmetic.h").read_text(encoding="ascii")}"""
"""Text for C++11 with every function of `CPP_NAMES`, guarded so that it may be pasted several times."""
