"""Counter-based standard normal draws: the same bits in C++, NumPy and torch.

A draw is a function of its address ``(seed, stream, trial, unit, step)`` and of nothing else, so any engine,
any number of workers and any resumed run see the same number. Philox4x32-10 enciphers the address, two words
of its output form ``u = (2k + 1) 2^-53`` with 52-bit ``k``, and the draw is the normal quantile of ``u``.

Only ``+ - * /`` and integer operations occur, each rounded once by IEEE 754, so equal bits need no luck,
only a compiler that neither reassociates nor contracts (``-ffp-contract=off``, no ``-ffast-math``). Logarithm
and square root are ours for the same reason: a library's last bit differs (torch's CPU ``sqrt`` is not always
correctly rounded, and it computes ``number / tensor`` as ``reciprocal(tensor) * number``).

References:
    Salmon et al. 2011, Parallel random numbers: as easy as 1, 2, 3. doi:10.1145/2063384.2063405 (Philox)
    Wichura 1988, The percentage points of the normal distribution. doi:10.2307/2347330 (AS241)
    Sun Microsystems 1993, fdlibm ``e_log.c`` (argument reduction and polynomial of the logarithm)
"""

import sys
import zlib
from typing import Any

import numpy

# Philox4x32: two multipliers and the Weyl increments of the key (Salmon et al. 2011, table 2).
_MULTIPLY = (0xD2511F53, 0xCD9E8D57)
_BUMP = (0x9E3779B9, 0xBB67AE85)
_ROUNDS = 10
_WORD = 0xFFFFFFFF

# AS241: numerator and denominator, lowest power first, of the centre, the tail and the far tail.
_CENTRE = (
    (3.3871328727963665, 133.14166789178438, 1971.5909503065513, 13731.69376550946,
     45921.95393154987, 67265.7709270087, 33430.57558358813, 2509.0809287301227),
    (1.0, 42.31333070160091, 687.1870074920579, 5394.196021424751,
     21213.794301586597, 39307.89580009271, 28729.085735721943, 5226.495278852854),
)  # fmt: skip
_TAIL = (
    (1.4234371107496835, 4.630337846156546, 5.769497221460691, 3.6478483247632045,
     1.2704582524523684, 0.2417807251774506, 0.022723844989269184, 0.0007745450142783414),
    (1.0, 2.053191626637759, 1.6763848301838038, 0.6897673349851,
     0.14810397642748008, 0.015198666563616457, 0.0005475938084995345, 1.0507500716444169e-09),
)  # fmt: skip
_FAR = (
    (6.657904643501103, 5.463784911164114, 1.7848265399172913, 0.29656057182850487,
     0.026532189526576124, 0.0012426609473880784, 2.7115555687434876e-05, 2.0103343992922881e-07),
    (1.0, 0.599832206555888, 0.1369298809227358, 0.014875361290850615,
     0.0007868691311456133, 1.8463183175100548e-05, 1.421511758316446e-07, 2.0442631033899397e-15),
)  # fmt: skip
_SPLIT = 0.425  # |u - 1/2| up to here is the centre
_CENTRE_SHIFT = 0.180625  # _SPLIT squared
_FAR_SPLIT = 5.0  # sqrt(-log p) up to here is the tail
_TAIL_SHIFT = 1.6
_ROOT_GUESS = (1.4, 0.144)  # sqrt(x) within 11 % for x = -log p of both tails, [2.59, 36.8]
_ROOT_STEPS = 4  # Heron's steps from there to full precision, the relative error squared and halved in each

# fdlibm: log(1 + f) = f - (f^2/2 - s (f^2/2 + R)), s = f/(2 + f), R = s^2 times a polynomial in s^2.
_LOG = (6.666666666666735130e-1, 3.999999999940941908e-1, 2.857142874366239149e-1, 2.222219843214978396e-1,
        1.818357216161805012e-1, 1.531383769920937332e-1, 1.479819860511658591e-1)  # fmt: skip
_LN2_HIGH = 6.93147180369123816490e-1  # low bits zero: exponent * _LN2_HIGH is exact
_LN2_LOW = 1.90821492927058770002e-10
_ONE_BITS = 0x3FF << 52
_ROOT_BITS = 0x3FE6A09E << 32  # the bits of _ROOT
_ROOT = 0x16A09E * 2.0**-21  # just below sqrt(1/2): mantissas are taken from [_ROOT, 2 _ROOT)
_MANTISSA = (1 << 52) - 1


def stream(name: str) -> int:
    """The 32-bit number of a placed noise name such as ``"calcium.xi"``.

    It depends on the name alone, so adding an object leaves the draws of the others as they were. Two names
    may collide (1 in 2^32 a pair): whoever places names checks that their numbers differ.

    >>> stream("calcium.xi")
    2575761013
    """
    return zlib.crc32(name.encode("utf-8"))


def split_seed(seed: int) -> tuple[int, int]:
    """The two 32-bit key words ``(low, high)`` of a seed in [0, 2^63).

    >>> split_seed((5 << 32) + 7)
    (7, 5)

    Raises: TypeError if the seed is no integer, ValueError if it lies outside.
    """
    if isinstance(seed, bool) or not isinstance(seed, (int, numpy.integer)):
        raise TypeError(f"noise.seed: got {seed!r}; allowed is one integer in [0, 2**63); pass e.g. seed=1")
    if not 0 <= seed < 2**63:
        raise ValueError(f"noise.seed: got {seed}; allowed is [0, 2**63); take it modulo 2**63")
    return int(seed) & _WORD, int(seed) >> 32


def philox(counter: tuple[Any, ...], key: tuple[Any, ...]) -> tuple[Any, ...]:
    """Philox4x32-10: four 32-bit words from four counter words and two key words.

    Words are Python ints in [0, 2^32) or int64 arrays of such values (one axis at least); they broadcast. An
    int64 product wraps, but its bits are right: masking after the arithmetic shift gives the high word.

    >>> [f"{word:08x}" for word in philox((0, 0, 0, 0), (0, 0))]
    ['6627e8d5', 'e169c58d', 'bc57ac4c', '9b00dbd8']
    """
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(_ROUNDS):
        p0 = c0 * _MULTIPLY[0]
        p1 = c2 * _MULTIPLY[1]
        high0, high1 = (p0 >> 32) & _WORD, (p1 >> 32) & _WORD
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, p1 & _WORD, high0 ^ c3 ^ k1, p0 & _WORD
        k0 = (k0 + _BUMP[0]) & _WORD
        k1 = (k1 + _BUMP[1]) & _WORD
    return c0, c1, c2, c3


def uniform(word0: Any, word1: Any, xp: Any) -> Any:
    """``u = (2k + 1) 2^-53``, exact float64 in (0, 1), with ``k`` the upper 52 bits of ``word0 word1``."""
    k = (word0 << 20) | (word1 >> 12)
    return xp.asarray(2 * k + 1, dtype=xp.float64) * 2.0**-53


def quantile(u: Any, xp: Any) -> Any:
    """The standard normal quantile of float64 ``u``, an odd multiple of 2^-53 in (0, 1), to 1e-15 relative.

    Every branch is computed and then chosen: a fixed shape suits NumPy, torch and their compilers alike.

    >>> quantile(numpy.array([0.975]), numpy).tolist()
    [1.9599639845400536]
    """
    q = u - 0.5
    distance = xp.abs(q)
    centre = q * _ratio(_CENTRE, _CENTRE_SHIFT - q * q)
    r = _root(_minus_log(0.5 - distance, xp))
    tail = xp.where(r <= _FAR_SPLIT, _ratio(_TAIL, r - _TAIL_SHIFT), _ratio(_FAR, r - _FAR_SPLIT))
    return xp.where(distance <= _SPLIT, centre, xp.where(q < 0.0, -tail, tail))


def normal_words(low: Any, high: Any, stream: Any, trial: Any, unit: Any, step: Any, xp: Any) -> Any:
    """Standard normal draws, float64, of the broadcast shape: the body that the array engines share.

    Arguments:
        low, high: the key words of the seed, see :func:`split_seed`.
        stream, trial, unit, step: the address; each counts modulo 2^32.
        xp: the array namespace, ``numpy`` or ``torch``.

    Each is a Python int or an int64 array of ``xp``; at least one of the address is an array with an axis
    (NumPy warns when a scalar product wraps). Nothing is checked here: see :func:`normal`.
    """
    counter = (step & _WORD, unit & _WORD, trial & _WORD, stream & _WORD)
    word0, word1, _, _ = philox(counter, (low & _WORD, high & _WORD))
    return quantile(uniform(word0, word1, xp), xp)


def normal(seed: int, stream: Any, trial: Any, unit: Any, step: Any) -> Any:
    """Standard normal draws at the addresses ``(stream, trial, unit, step)``: float64, broadcast.

    Arguments:
        seed: int in [0, 2^63), the same for all.
        stream, trial, unit, step: ints or integer arrays, counted modulo 2^32. One torch tensor among them
            makes the result a torch tensor, on that tensor's device.

    Raises: TypeError for a seed or address that is no integer, ValueError for a seed outside its range.

    >>> normal(1, stream("calcium.xi"), trial=0, unit=numpy.arange(3), step=0).round(3).tolist()
    [1.617, 0.456, -0.548]
    """
    low, high = split_seed(seed)
    given = {"stream": stream, "trial": trial, "unit": unit, "step": step}
    xp = _namespace(given)
    words = {name: _integers(name, value, xp) for name, value in given.items()}
    scalar = all(isinstance(value, int) for value in words.values())
    if scalar:
        words["step"] = xp.asarray([words["step"] & _WORD], dtype=xp.int64)
    draws = normal_words(low, high, words["stream"], words["trial"], words["unit"], words["step"], xp)
    return draws[0] if scalar else draws


def _namespace(given: dict[str, Any]) -> Any:
    """``torch`` if a tensor is given (then it is loaded, and need not be imported here), else ``numpy``."""
    tensor = any(type(value).__module__.partition(".")[0] == "torch" for value in given.values())
    return sys.modules["torch"] if tensor else numpy


def _integers(name: str, value: Any, xp: Any) -> Any:
    """A Python int for a NumPy scalar (so that no scalar product warns), else an int64 array of ``xp``."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    array = value if hasattr(value, "dtype") else numpy.asarray(value)
    if "int" not in str(array.dtype):
        raise TypeError(f"noise.{name}: got values of type {array.dtype}; allowed are integers; convert them to int64")
    if array.ndim == 0 and isinstance(array, (numpy.integer, numpy.ndarray)):
        return int(array)
    return xp.asarray(array, dtype=xp.int64)


def _polynomial(coefficients: tuple[float, ...], x: Any) -> Any:
    """Horner's rule, lowest power first in ``coefficients``."""
    total = coefficients[-1]
    for coefficient in coefficients[-2::-1]:
        total = total * x + coefficient
    return total


def _ratio(table: tuple[tuple[float, ...], tuple[float, ...]], x: Any) -> Any:
    return _polynomial(table[0], x) / _polynomial(table[1], x)


def _minus_log(p: Any, xp: Any) -> Any:
    """``-log(p)`` of a positive normal float64 ``p``, to 1 ulp; the exponent is split off by its bits."""
    bits = p.view(xp.int64) + (_ONE_BITS - _ROOT_BITS)
    exponent = xp.asarray((bits >> 52) - 1023, dtype=xp.float64)
    f = ((bits & _MANTISSA) + _ROOT_BITS).view(xp.float64) - 1.0
    half = 0.5 * f * f
    s = f / (2.0 + f)
    z = s * s
    rest = s * (half + z * _polynomial(_LOG, z))
    return (half - (rest + exponent * _LN2_LOW) - f) - exponent * _LN2_HIGH


def _root(x: Any) -> Any:
    """The square root for ``x`` in [2.59, 36.8] to about 1 ulp, by a fixed number of Heron's steps."""
    r = _polynomial(_ROOT_GUESS, x)
    for _ in range(_ROOT_STEPS):
        r = 0.5 * (r + x / r)
    return r


def _cpp_polynomial(coefficients: tuple[float, ...], x: str) -> str:
    """Horner's rule as C++ text; ``repr`` of a float reads back as the same float."""
    text = repr(coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        text = f"({text} * {x} + {coefficient!r})"
    return text


def _cpp_ratio(table: tuple[tuple[float, ...], tuple[float, ...]], x: str) -> str:
    return f"{_cpp_polynomial(table[0], x)}\n        / {_cpp_polynomial(table[1], x)}"


# The same definition for C++11, guarded so that it may be pasted several times; the numbers are those above.
CPP: str = f"""
#ifndef BIONEURO_NOISE
#define BIONEURO_NOISE
#if !defined(BIONEURO_FAST) && (defined(__FAST_MATH__) || defined(__ASSOCIATIVE_MATH__) || defined(__RECIPROCAL_MATH__))
#error "bioneuro noise: compile with -ffp-contract=off and without -ffast-math, else engines differ (-DBIONEURO_FAST accepts that)"
#endif
#include <cmath>
#include <cstdint>
static inline void bioneuro_philox(uint32_t c[4], uint32_t k0, uint32_t k1) {{
    for (int i = 0; i < {_ROUNDS}; ++i) {{
        const uint64_t p0 = (uint64_t)c[0] * {_MULTIPLY[0]}u;
        const uint64_t p1 = (uint64_t)c[2] * {_MULTIPLY[1]}u;
        c[0] = (uint32_t)(p1 >> 32) ^ c[1] ^ k0;
        c[1] = (uint32_t)p1;
        c[2] = (uint32_t)(p0 >> 32) ^ c[3] ^ k1;
        c[3] = (uint32_t)p0;
        k0 += {_BUMP[0]}u, k1 += {_BUMP[1]}u;
    }}
}}
static inline double bioneuro_minus_log(double p) {{
    int power;
    double f = std::frexp(p, &power);
    if (f < {_ROOT!r}) f *= 2.0, power -= 1;
    f -= 1.0;
    const double exponent = (double)power, half = 0.5 * f * f, s = f / (2.0 + f), z = s * s;
    const double rest = s * (half + z * {_cpp_polynomial(_LOG, "z")});
    return (half - (rest + exponent * {_LN2_LOW!r}) - f) - exponent * {_LN2_HIGH!r};
}}
static inline double bioneuro_root(double x) {{
    double r = {_cpp_polynomial(_ROOT_GUESS, "x")};
    for (int i = 0; i < {_ROOT_STEPS}; ++i) r = 0.5 * (r + x / r);
    return r;
}}
static inline double bioneuro_quantile(double u) {{
    const double q = u - 0.5;
    const double distance = std::fabs(q);
    if (distance <= {_SPLIT!r}) {{
        const double x = {_CENTRE_SHIFT!r} - q * q;
        return q * ({_cpp_ratio(_CENTRE, "x")});
    }}
    const double r = bioneuro_root(bioneuro_minus_log(0.5 - distance));
    const double x = r <= {_FAR_SPLIT!r} ? r - {_TAIL_SHIFT!r} : r - {_FAR_SPLIT!r};
    const double tail = r <= {_FAR_SPLIT!r} ? {_cpp_ratio(_TAIL, "x")}
        : {_cpp_ratio(_FAR, "x")};
    return q < 0.0 ? -tail : tail;
}}
static inline double bioneuro_normal(int64_t seed_low, int64_t seed_high, int64_t stream, int64_t trial,
                                     int64_t unit, int64_t step) {{
    uint32_t c[4] = {{(uint32_t)step, (uint32_t)unit, (uint32_t)trial, (uint32_t)stream}};
    bioneuro_philox(c, (uint32_t)seed_low, (uint32_t)seed_high);
    const int64_t k = (int64_t)(((uint64_t)c[0] << 20) | (c[1] >> 12));
    return bioneuro_quantile((double)(2 * k + 1) * {2.0**-53!r});
}}
#endif
"""
