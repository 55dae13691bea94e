"""Random numbers of BrainScaleS-2's plasticity processor, and stochastic rounding with them.

Each synapse column owns a shift register with linear feedback: 16 bits of state, a polynomial of its own, 8 bits
read at a time. A read gives *one* new bit, so neighbouring reads share seven of eight; who wants independent
numbers reads eight times and keeps the last (``reads=8``). A lane of 16 bits reads two registers at once.

State is an argument and a result, never kept here: int64 arrays of any shape, which broadcast with the taps.

What the sources say, and what is chosen here because they do not say it:

- said: 16-bit state, 8-bit value, one register and one polynomial per column; one new bit per read; a seed
  replaces the low 8 bits and clears the high ones; a seed of 0 stays 0 for ever, hence feedback by exclusive or.
- chosen: bits move up, the parity of the tapped bits enters at bit 0 (Fibonacci form); a read moves first and
  gives the low 8 bits after it; the polynomials are every eighth of the 2048 primitive ones of degree 16.

References:
    libnux, ``include/libnux/vx/parallel_rng.h``, ``src/random.cpp``, ``vector_round_stochastic.tcc``.
    brainscales2-demos, ``ts_07-pong.rst`` (one new random bit per draw).
    Marsaglia 2003, Xorshift RNGs, J. Stat. Softw. 8(14). doi:10.18637/jss.v008.i14 (shifts 13, 17, 5)
"""

from typing import Any

import numpy
from numpy.typing import NDArray

from bioneuro import noise
from bioneuro.bss2.arithmetic import Integers, add, integers, lane

Floats = NDArray[numpy.float64]

# Column c's polynomial is x^16 plus x^(15-b) for every bit b set in TAPS[c]. Sorted by value, the primitive ones
# with number 0, 8, 16 ... are taken: chosen, since the chip's are not published.
TAPS: tuple[int, ...] = (
    0x8016, 0x80A7, 0x810C, 0x8172, 0x81D1, 0x8248, 0x82EE, 0x83B6, 0x846F, 0x84D7, 0x8562, 0x85F2, 0x864A, 0x86F2, 0x87B4, 0x8821,
    0x88B7, 0x8940, 0x899E, 0x8A49, 0x8AD0, 0x8B28, 0x8BCC, 0x8C5D, 0x8CD9, 0x8D72, 0x8DE1, 0x8E65, 0x8EAC, 0x8F1F, 0x8F73, 0x8FDC,
    0x9063, 0x911A, 0x91A2, 0x924C, 0x92BC, 0x933F, 0x93D2, 0x9462, 0x94CE, 0x951D, 0x95A9, 0x9627, 0x967B, 0x9707, 0x979E, 0x983B,
    0x9886, 0x991B, 0x996C, 0x99E2, 0x9A8E, 0x9B1A, 0x9B85, 0x9C1B, 0x9C90, 0x9CDE, 0x9D3B, 0x9DE5, 0x9E49, 0x9EB3, 0x9F21, 0x9F7D,
    0xA084, 0xA0DD, 0xA125, 0xA1A1, 0xA23B, 0xA285, 0xA2DA, 0xA348, 0xA3BE, 0xA41F, 0xA48A, 0xA517, 0xA57D, 0xA5EE, 0xA65C, 0xA6B4,
    0xA737, 0xA792, 0xA7D0, 0xA85D, 0xA8B6, 0xA930, 0xAA2D, 0xAAA5, 0xAB4F, 0xAC1E, 0xACA6, 0xACFF, 0xADA2, 0xAE51, 0xAEC8, 0xAF1B,
    0xAFDE, 0xB08C, 0xB118, 0xB199, 0xB203, 0xB27B, 0xB2D2, 0xB383, 0xB3FB, 0xB46A, 0xB53B, 0xB5C7, 0xB637, 0xB6C4, 0xB72E, 0xB77E,
    0xB82B, 0xB888, 0xB902, 0xB957, 0xB9CD, 0xBA43, 0xBA91, 0xBB1D, 0xBB8E, 0xBC1F, 0xBC86, 0xBD0F, 0xBDD8, 0xBE5F, 0xBED4, 0xBF45,
    0xBF97, 0xC00A, 0xC10D, 0xC179, 0xC1C2, 0xC226, 0xC289, 0xC2E3, 0xC355, 0xC399, 0xC431, 0xC4D3, 0xC53A, 0xC5E8, 0xC677, 0xC710,
    0xC7F2, 0xC852, 0xC918, 0xC982, 0xC9ED, 0xCA53, 0xCAC5, 0xCB3B, 0xCBB0, 0xCC11, 0xCCC6, 0xCD98, 0xCDF7, 0xCE8C, 0xCF30, 0xCF82,
    0xCFD2, 0xD061, 0xD0A2, 0xD15F, 0xD1B2, 0xD260, 0xD295, 0xD2EE, 0xD35B, 0xD41D, 0xD4A6, 0xD55E, 0xD5BA, 0xD62F, 0xD6AD, 0xD73A,
    0xD7D7, 0xD841, 0xD8C5, 0xD926, 0xD991, 0xD9F8, 0xDAB5, 0xDB1E, 0xDBB7, 0xDC15, 0xDC73, 0xDD0A, 0xDD7E, 0xDDDE, 0xDE7B, 0xDF2F,
    0xDF9B, 0xE01A, 0xE08A, 0xE0EC, 0xE1A0, 0xE209, 0xE2A0, 0xE304, 0xE3A1, 0xE41B, 0xE4B1, 0xE549, 0xE58F, 0xE625, 0xE686, 0xE724,
    0xE78D, 0xE881, 0xE908, 0xE980, 0xEA58, 0xEAA4, 0xEAF1, 0xEB59, 0xEBBE, 0xEC3E, 0xECA1, 0xED0A, 0xEDA3, 0xEE06, 0xEE69, 0xEF32,
    0xEFA2, 0xF022, 0xF08B, 0xF146, 0xF1F2, 0xF29B, 0xF321, 0xF3C5, 0xF43B, 0xF49D, 0xF530, 0xF590, 0xF5E7, 0xF636, 0xF6DD, 0xF791,
    0xF7F1, 0xF857, 0xF8E9, 0xF96F, 0xF9D7, 0xFA78, 0xFB07, 0xFB4F, 0xFB92, 0xFC00, 0xFCDD, 0xFD80, 0xFDE6, 0xFE64, 0xFECD, 0xFF82,
)  # fmt: skip


def lfsr_seed(seed: Any) -> Integers:
    """Register states after seeding with bytes 1 to 255: the byte below, zeros above.

    >>> int(lfsr_seed(7))
    7

    Raises: ValueError for 0, of which a register never gets away.
    """
    return integers(seed, 1, 255, "lfsr_seed", "seed", "a register at 0 stays there; seed with 1 to 255")


def lfsr_read(state: Any, taps: Any, *, reads: int = 1) -> tuple[Integers, Integers]:
    """Reads registers ``reads`` times: the last 8-bit draw, and the states to go on from.

    Arguments:
        state: states, 1 to 65535. taps: masks such as :data:`TAPS`, of a shape that broadcasts with the states.
        reads: how often to read; 1 is one access of the chip. Draws 8 reads apart share no bit.

    >>> draws, state = lfsr_read(lfsr_seed([1, 1, 1]), TAPS[:3], reads=20)
    >>> draws.tolist(), state.tolist()
    ([107, 45, 26], [41323, 56365, 22042])

    Raises: TypeError, ValueError for a state of 0, taps that do not move the register, or no read at all.
    """
    state = integers(state, 1, 0xFFFF, "lfsr_read", "state", "start from lfsr_seed, and keep the state that a read gives back")
    taps = integers(taps, 0x8000, 0xFFFF, "lfsr_read", "taps", "use masks of TAPS (16 bits, the highest of them set)")
    for _ in range(_one(reads, 1, 1 << 20, "lfsr_read", "reads", "read at least once")):
        parity = numpy.bitwise_count(state & taps) & 1
        state = ((state << 1) & 0xFFFF) | parity
    return numpy.asarray(state & 0xFF), numpy.asarray(state)


def halfwords(draws: Any) -> Integers:
    """16-bit draws from the 8-bit draws of one access: elements 2j and 2j + 1 are the high and the low byte of lane j.

    An access reaches every other column: its element k belongs to column 2k (or 2k + 1, for the odd ones).

    >>> halfwords([1, 2, 255, 0]).tolist()
    [258, 65280]

    Raises: ValueError for an odd number of bytes or values outside 0 to 255.
    """
    draws = integers(draws, 0, 0xFF, "halfwords", "draws", "pass the draws of lfsr_read")
    if draws.ndim == 0 or draws.shape[-1] % 2:
        raise ValueError(f"bss2.halfwords: draws has shape {draws.shape}; allowed is an even last axis; pass both bytes of every lane")
    return numpy.asarray((draws[..., 0::2] << 8) | draws[..., 1::2])


def xorshift32(state: Any) -> Integers:
    """The next state, and draw, of the generator that the scalar processor runs in software: 32 bits, never 0.

    >>> int(xorshift32(2463534242))
    723471715

    Raises: ValueError for a state of 0, of which the generator never gets away.
    """
    state = integers(state, 1, 0xFFFFFFFF, "xorshift32", "state", "start from any other 32-bit number and keep what is given back")
    state = state ^ ((state << 13) & 0xFFFFFFFF)
    state = state ^ (state >> 17)
    return numpy.asarray(state ^ ((state << 5) & 0xFFFFFFFF))


def round_stochastic(x: Any, n: int, draw: Any, *, bits: int, draw_bits: int) -> Integers:
    """Rounds off the ``n`` lowest bits of signed lanes, up with the probability of the fraction they are.

    The chip's sequence: the top ``n`` bits of the draw are added with saturation, then the ``n`` lowest bits are
    cleared. So P(up) = (x mod 2**n) / 2**n exactly, if draws are uniform; but a value above the largest multiple
    of 2**n goes down always. On the chip a lane of 8 bits has ``draw_bits=8``, a lane of 16 bits ``draw_bits=16``
    (:func:`halfwords`). With fewer bits in a draw than are rounded off, the missing low ones are 0, P(up) is
    floor(fraction * 2**draw_bits) / 2**draw_bits, and fractions below ``2**-draw_bits`` never go up.

    Arguments:
        x: values of lanes of ``bits`` bits. n: 0 to ``bits - 1``; 0 leaves x as it is (the chip then draws nothing).
        draw: integers in [0, 2**draw_bits). draw_bits: 1 to 32.

    >>> round_stochastic([5, 5, -5, 127], 2, [0, 255, 64, 255], bits=8, draw_bits=8).tolist()
    [4, 8, -4, 124]

    Raises: TypeError, ValueError for anything outside the ranges above.
    """
    bits = lane(bits, "round_stochastic")
    n = _one(n, 0, bits - 1, "round_stochastic", "n", f"a lane of {bits} bits keeps at least its sign")
    draw_bits = _one(draw_bits, 1, 32, "round_stochastic", "draw_bits", "pass the width of the draws: 8, or 16 for halfwords")
    draw = integers(draw, 0, (1 << draw_bits) - 1, "round_stochastic", "draw", "draw_bits must be the width of the draws")
    top = draw >> (draw_bits - n) if n <= draw_bits else draw << (n - draw_bits)
    return numpy.asarray(add(x, top, bits=bits) & -(1 << n))


def _one(value: Any, low: int, high: int, place: str, name: str, remedy: str) -> int:
    """One integer, the same for all lanes: on the chip it is part of the program."""
    checked = integers(value, low, high, place, name, remedy)
    if checked.ndim:
        raise ValueError(f"bss2.{place}: {name} has shape {checked.shape}; allowed is one integer for all lanes; call once per {name}")
    return int(checked)


def ideal_words(seed: int, stream: Any, trial: Any, unit: Any, step: Any) -> tuple[Integers, Integers]:
    """Two independent uniform 32-bit draws per address ``(stream, trial, unit, step)``, as in :mod:`bioneuro.noise`.

    Either serves :func:`round_stochastic` with ``draw_bits=32``; both together :func:`ideal_uniform`.
    ``stream`` must be one of its own: a stream that is used for normal draws would share their words.

    >>> ideal_words(1, 0, 0, [0, 1], 0)[0].tolist()
    [3823634032, 2202007772]

    Raises: TypeError, ValueError as :func:`bioneuro.noise.split_seed`; TypeError for addresses that are no integers.
    """
    low, high = noise.split_seed(seed)
    span = -(2**63), 2**63 - 1
    named = {"step": step, "unit": unit, "trial": trial, "stream": stream}
    address = [integers(value, *span, "ideal_words", name, "addresses count modulo 2**32") & 0xFFFFFFFF for name, value in named.items()]
    shape = numpy.broadcast_shapes(*(part.shape for part in address))
    counter = tuple(numpy.atleast_1d(part) for part in address)  # no scalars: their products would warn of wrapping
    first, second, _, _ = noise.philox(counter, (low, high))
    return first.reshape(shape), second.reshape(shape)


def ideal_uniform(seed: int, stream: Any, trial: Any, unit: Any, step: Any) -> Floats:
    """Uniform float64 draws, odd multiples of 2**-53 in (0, 1), at the addresses of :func:`ideal_words`.

    >>> ideal_uniform(1, 0, 0, [0, 1], 0).round(6).tolist()
    [0.890259, 0.512695]
    """
    return numpy.asarray(noise.uniform(*ideal_words(seed, stream, trial, unit, step), numpy))


def round_ideal(value: Any, uniform: Any) -> Integers:
    """Real numbers rounded to integers, up with the probability of their fraction: the reference for the chip's rounding.

    Arguments:
        value: float64 of magnitude below 2**52. uniform: draws in (0, 1), see :func:`ideal_uniform`.

    >>> round_ideal([2.25, 2.25, -0.5], [0.2, 0.3, 0.4]).tolist()
    [3, 2, 0]

    Raises: ValueError for values that are not finite or too large, or draws outside (0, 1).
    """
    value, uniform = numpy.asarray(value, dtype=numpy.float64), numpy.asarray(uniform, dtype=numpy.float64)
    if not (numpy.abs(value) < 2.0**52).all():
        raise ValueError("bss2.round_ideal: value holds a number that is not finite or not below 2**52; scale it to units of a lane first")
    if not ((uniform > 0.0) & (uniform < 1.0)).all():
        raise ValueError("bss2.round_ideal: uniform holds a number outside (0, 1); pass the draws of ideal_uniform")
    floor = numpy.floor(value)
    return numpy.asarray(floor.astype(numpy.int64) + (uniform < value - floor))
