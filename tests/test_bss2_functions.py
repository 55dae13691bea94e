"""What periodic code may call: NumPy against unbounded integers and the checked functions, C++ against NumPy."""

import subprocess
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bioneuro import noise
from bioneuro.bss2 import arithmetic, functions, randoms
from bioneuro.statements.context import STRICT
from bioneuro.statements.periodic import ADDRESSED, DRAWS
from bioneuro.text import FUNCTIONS, HARDWARE

SEED = (7 << 32) + 5
MODEL = "BrainScaleS-2 arithmetic"
TYPES = {**{n: t for n, t in HARDWARE.items() if n in functions.PLAIN}, **{n: t[:-1] for n, t in DRAWS.items()}}
Engine = Callable[[str, list[Any]], Any]


def ours(name: str, *arguments: Any) -> Any:
    if name in functions.SEEDED:
        return functions.SEEDED[name](*noise.split_seed(SEED), *arguments)
    return functions.PLAIN[name](*arguments)


# --- the reference: fractions and unbounded integers ------------------------------------------------------------------


def within(x: int, low: int, high: int) -> int:
    return max(low, min(high, x))


def lane(x: int, bits: int) -> int:
    return within(x, -(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def scaled(a: int, b: int, n: int) -> int:
    return int((Fraction(a * b, 2**n) + (Fraction(1, 2) if n else 0)) // 1)


def rounded(wide: int, n: int, offset: int, draw: int) -> int:
    """The draw as a number in [0, 1), cut to n bits."""
    return int(Fraction(wide + offset + Fraction(draw, 2**32) * 2**n // 1) / 2**n // 1)


LITERAL: dict[str, Callable[..., int]] = {
    "ppu_quantise": lambda value, bits: lane(round(Fraction(value)), bits),
    "ppu_count": lambda value, low, high: within(round(Fraction(value)), low, high),
    "ppu_add": lambda a, b, bits: lane(a + b, bits),
    "ppu_subtract": lambda a, b, bits: lane(a - b, bits),
    "ppu_multiply": lambda a, b, bits: lane(a * b // 2 ** (bits - 1), bits),
    "ppu_scale": scaled,
    "ppu_round": rounded,
    "ppu_saturate": lane,
    "ppu_weight": lambda x, bits: within(x, 0, 2**bits - 1),
    "ppu_byte": lambda state: state % 256,
    "ppu_clip": within,
}

WIDE = st.integers(-(2**62) + 1, 2**62 - 1)
BITS = st.integers(4, 32)
FACTOR = st.integers(-(2**31), 2**31)
REAL = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**34), 2**34).map(lambda k: k / 2)
COUNTS = st.tuples(st.integers(0, 255), st.integers(0, 255)).map(sorted)
LANES = BITS.flatmap(lambda bits: st.tuples(*[st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)] * 2, st.just(bits)))
ARGUMENTS: dict[str, Any] = {
    "ppu_quantise": st.tuples(REAL, BITS),
    "ppu_count": st.tuples(REAL, COUNTS).map(lambda both: (both[0], *both[1])),
    "ppu_add": LANES | st.tuples(WIDE, FACTOR, BITS),
    "ppu_subtract": LANES | st.tuples(WIDE, FACTOR, BITS),
    "ppu_multiply": LANES,
    "ppu_scale": st.tuples(FACTOR, FACTOR, st.integers(0, 62)),
    "ppu_round": st.tuples(WIDE, st.integers(0, 32), st.integers(0, 2**31 - 1), st.integers(0, 2**32 - 1)),
    "ppu_saturate": st.tuples(st.integers(-(2**63), 2**63 - 1), BITS),
    "ppu_weight": st.tuples(st.integers(-(2**63), 2**63 - 1), st.integers(1, 32)),
    "ppu_byte": st.tuples(st.integers(0, 65535)),
    "ppu_clip": st.tuples(st.integers(-(2**62), 2**62), st.integers(-100, 0), st.integers(0, 100)),
}


@given(st.sampled_from(sorted(LITERAL)).flatmap(lambda name: st.tuples(st.just(name), ARGUMENTS[name])))
def test_numpy_is_unbounded_arithmetic(case: tuple[str, tuple[Any, ...]]) -> None:
    """As Python's numbers, as arrays of one, and with the first an array and the rest numbers, as constants of a program are."""
    name, arguments = case
    expected = LITERAL[name](*arguments)
    for given_so in (arguments, [np.array([x]) for x in arguments], [np.array([arguments[0]]), *arguments[1:]]):
        result = ours(name, *given_so)
        assert result.dtype == np.int64
        assert np.ravel(result).tolist() == [expected]


@given(LANES, st.integers(0, 31), st.integers(0, 255))
def test_numpy_is_the_checked_functions(case: tuple[int, int, int], n: int, draw: int) -> None:
    a, b, bits = case
    for name in ("add", "subtract", "multiply"):
        assert ours(f"ppu_{name}", a, b, bits) == getattr(arithmetic, name)(a, b, bits=bits)
    assert ours("ppu_saturate", a * 2**20 + b, bits) == arithmetic.saturate(a * 2**20 + b, bits=bits)
    assert ours("ppu_weight", a, 6) == arithmetic.to_weight(a)
    assert ours("ppu_count", float(a), 30, 210) == arithmetic.to_count(a, low=30, high=210)
    n %= bits
    if a + draw * 2**n // 256 < 2 ** (bits - 1):  # the chip's lane has room for the sum; a wide number always has
        assert ours("ppu_round", a, n, 0, draw << 24) * 2**n == randoms.round_stochastic(a, n, draw, bits=bits, draw_bits=8)


def test_integers_may_come_as_any_type() -> None:
    """A variable of a synapse is int32, a number float64; neither a sum nor a product of them is cut to 32 bits."""
    big = np.array([2**31 - 1, -(2**31)], dtype=np.int32)
    assert ours("ppu_scale", big, big, 0).tolist() == [(2**31 - 1) ** 2, 2**62]
    assert ours("ppu_add", big, big, 33).tolist() == [2**32 - 2, -(2**32)]
    assert ours("ppu_multiply", big, big, np.int32(32)).tolist() == [2**31 - 2, 2**31 - 1]
    assert ours("ppu_round", big.astype(np.float64), 1, np.float64(1), 0).tolist() == [2**30, -(2**30)]
    assert ours("ppu_scale", np.array([3, 3, 3]), 5, np.array([0, 1, 2])).tolist() == [15, 8, 4]
    assert ours("ppu_uniform_at", 1, 2, 3, 4, np.arange(4)).shape == (4,)
    assert ours("ppu_quantise", np.array([0.5, 1.5, -0.5, 2.5, np.inf, -np.inf, np.nan]), 8).tolist() == [0, 2, 0, 2, 127, -128, 127]


# --- random numbers ---------------------------------------------------------------------------------------------------


def test_registers_are_those_of_their_column_and_seeded_apart() -> None:
    trial, unit = (part.ravel() for part in np.indices((40, 300)))
    taps = np.array(randoms.TAPS)[(trial * 31 + unit) % 256]
    state = np.random.default_rng(1).integers(1, 65536, trial.size)
    for reads in (0, 1, 7, 8, 9, 16, 29):
        expected = randoms.lfsr_read(state, taps, reads=reads)[1] if reads else state
        assert np.array_equal(ours("ppu_lfsr_at", state, reads, trial, unit), expected)
    every = ours("ppu_lfsr_at", state, state % 20, trial, unit)
    for reads in range(1, 20):
        at = state % 20 == reads
        assert np.array_equal(every[at], randoms.lfsr_read(state[at], taps[at], reads=reads)[1])
    first = ours("ppu_seed_at", 0, trial, unit)
    assert first.min() >= 1
    assert first.max() <= 65535
    assert np.unique(first).size > 0.9 * 65535 * -np.expm1(-first.size / 65535)  # as many as independent draws would give
    assert np.array_equal(ours("ppu_seed_at", state, trial, unit), state)
    assert int(ours("ppu_seed_at", 0, 3, 5)) == first[3 * 300 + 5]


def test_words_are_philox() -> None:
    words = noise.philox((11, 3, 2, 1), noise.split_seed(SEED))
    assert [int(ours("ppu_uniform_at", 1, 2, 3, 11, k)) for k in range(4)] == list(words)
    unit = np.arange(5)
    both = np.stack(randoms.ideal_words(SEED, 1, 2, unit, 9))
    assert np.array_equal(ours("ppu_uniform_at", 1, 2, unit, 9, np.array([[0], [1]])), both)


# --- C++ --------------------------------------------------------------------------------------------------------------

MAIN = """
#include <cstdio>
#include <cstring>
// argv[1]: the name; stdin: rows of seven int64 (a real number by its bits); stdout: one int64 a row.
int main(int, char **argv) {
    int64_t r[7], y = 0;
    double v;
    while (std::fread(r, sizeof r, 1, stdin) == 1) {
        std::memcpy(&v, r, sizeof v);
        CALLS
        std::fwrite(&y, sizeof y, 1, stdout);
    }
    return 0;
}
"""


@pytest.fixture(scope="module")
def cpp(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """The C++ bodies, compiled as a program of Brian2 is."""
    calls = []
    for name, types in TYPES.items():
        seeded = [str(word) for word in noise.split_seed(SEED)] if name in functions.SEEDED else []
        given_so = ", ".join([*seeded, *("v" if one == "float" else f"r[{k}]" for k, one in enumerate(types))])
        call = f"{functions.CPP_NAMES[name]}({given_so})"
        real = name in DRAWS and DRAWS[name][-1] == "float"
        kept = f"{{ const double w = {call}; std::memcpy(&y, &w, sizeof y); }}" if real else f"y = {call};"
        calls.append(f'if (!std::strcmp(argv[1], "{name}")) {kept}')
    folder = tmp_path_factory.mktemp("functions")
    source, program = folder / "functions.cpp", folder / "functions"
    source.write_text(functions.CPP * 2 + MAIN.replace("CALLS", "\n        ".join(calls)), encoding="ascii")  # twice: it may be pasted again
    checks = ["-pedantic", "-Wall", "-Wextra", "-Werror"]
    subprocess.run(["g++", *STRICT[1:], *checks, str(source), "-o", str(program)], check=True)

    def run(name: str, columns: list[Any]) -> Any:
        rows = np.zeros((len(columns[0]), 7), dtype=np.int64)
        for k, column in enumerate(columns):
            rows[:, k] = column.view(np.int64) if column.dtype == np.float64 else column
        done = subprocess.run([str(program), name], input=rows.tobytes(), capture_output=True, check=True)
        return np.frombuffer(done.stdout, dtype=np.int64)

    return run


ROWS = 30_000


def random_rows(name: str, count: int) -> list[Any]:
    """Arguments drawn over their whole ranges and close to every power of two."""
    rng = np.random.default_rng(sorted(TYPES).index(name))

    def spread(limit: int) -> Any:
        size = rng.integers(0, limit.bit_length(), count)
        return rng.choice([-1, 1], count) * np.minimum((1 << size) + rng.integers(-1, 2, count), limit)

    bits = rng.integers(4, 33, count)
    value = np.rint(rng.normal(size=count) * 2.0 ** rng.integers(-3, 40, count) * 2) / 2
    low = rng.integers(0, 128, count)
    word = rng.integers(0, 2**32, count)
    in_lane = [np.clip(spread(2**31), -(1 << (bits - 1)), (1 << (bits - 1)) - 1) for _ in range(2)]
    return {
        "ppu_quantise": lambda: [value, bits],
        "ppu_count": lambda: [value, low, low + rng.integers(0, 128, count)],
        "ppu_add": lambda: [spread(2**62 - 1), spread(2**31), bits],
        "ppu_subtract": lambda: [spread(2**31), spread(2**62 - 1), bits],
        "ppu_multiply": lambda: [*in_lane, bits],
        "ppu_scale": lambda: [spread(2**31), spread(2**31), rng.integers(0, 63, count)],
        "ppu_round": lambda: [spread(2**62 - 1), rng.integers(0, 33, count), rng.integers(0, 2**31, count), word],
        "ppu_saturate": lambda: [rng.integers(-(2**63), 2**63 - 1, count), bits],
        "ppu_weight": lambda: [spread(2**62), rng.integers(1, 33, count)],
        "ppu_byte": lambda: [rng.integers(0, 65536, count)],
        "ppu_clip": lambda: [spread(2**62), low, low + rng.integers(0, 128, count)],
        "ppu_noise_at": lambda: [value, word, low, word % 10_000, rng.integers(0, 2**31, count)],
        "ppu_lfsr_at": lambda: [rng.integers(0, 65536, count), rng.integers(0, 40, count), low, word % 10_000],
        "ppu_seed_at": lambda: [rng.integers(0, 65536, count) * (word % 8 > 0), low, word % 10_000],
        "ppu_uniform_at": lambda: [word, low, word % 10_000, rng.integers(0, 2**31, count), word % 4],
    }[name]()


def edge_rows(name: str) -> list[Any]:
    """Every combination of the ends, of what lies beside them and beside 0."""
    around = [0, 1, -1, 2**31 - 1, -(2**31), 2**31, 2**62 - 1, -(2**62) + 1]
    bits, factors = [4, 8, 16, 31, 32], around[:6]
    reals = [0.0, -0.0, 0.5, -0.5, 1.5, 127.4, 127.5, -128.5, -129.0, 254.5, 255.5, 2.0**31 - 0.5, -(2.0**31) - 0.5, 1e300, np.inf, -np.inf, np.nan]
    axes: list[list[Any]] = {
        "ppu_quantise": [reals, bits],
        "ppu_count": [reals, [0, 30], [30, 210, 255]],
        "ppu_add": [around, factors, bits],
        "ppu_subtract": [around, factors, bits],
        "ppu_multiply": [[0, 1, -1, -128, 127, -(2**15), 2**15 - 1, -(2**31), 2**31 - 1]] * 2 + [bits],
        "ppu_scale": [factors, factors, [0, 1, 31, 32, 61, 62]],
        "ppu_round": [around, [0, 1, 7, 8, 9, 31, 32], [0, 1, 128, 2**31 - 1], [0, 1, 2**31, 2**32 - 1]],
        "ppu_saturate": [[*around, 2**63 - 1, -(2**63)], bits],
        "ppu_weight": [[*around, 63, 64, 2**63 - 1, -(2**63)], [1, 6, 32]],
        "ppu_byte": [[0, 1, 255, 256, 65535]],
        "ppu_clip": [[*around, 63, 64], [-5, 0], [0, 63]],
        "ppu_noise_at": [[0.0, 1.0, -1e10, 0.3], [0, 2**32 - 1], [0, 99], [0, 3], [0, 1, 2**31 - 1]],
        "ppu_lfsr_at": [[0, 1, 255, 256, 65535], [0, 1, 7, 8, 9, 234], [0, 1, 8, 255, 2**31 - 1], [0, 1, 255, 256, 2**31 - 1]],
        "ppu_seed_at": [[0, 1, 65535], [0, 1, 2**31 - 1], [0, 1, 255, 2**31 - 1]],
        "ppu_uniform_at": [[0, 2**31, 2**32 - 1]] * 4 + [[0, 1, 2, 3]],
    }[name]
    return [part.ravel() for part in np.meshgrid(*axes, indexing="ij")]


def test_cpp_and_numpy_give_the_same_bits(cpp: Engine, ledger: Callable[..., None]) -> None:
    """30 000 random rows of each function, and all edges."""
    differing, total = 0, 0
    for name in TYPES:
        for columns in (random_rows(name, ROWS), edge_rows(name)):
            found, expected = cpp(name, columns), ours(name, *columns)
            differing += int((found != np.ascontiguousarray(expected).view(np.int64)).sum())  # real results by their bits
            total += expected.size
    assert total > 3e5
    ledger(MODEL, "NumPy body", "rows in which the C++ bodies of 14 functions differ, of 4e5", differing, 0)


# --- laws -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bits", [8, 16])
def test_a_million_operations_at_both_ends_saturate_and_never_wrap(bits: int, ledger: Callable[..., None]) -> None:
    """1000 lanes, 1000 steps of random size upwards, the same downwards: the exact walk, clipped, and no jump against the push."""
    rng = np.random.default_rng(bits)
    low, high = arithmetic.limits(bits=bits)
    wrong = 0
    for name, sign in (("ppu_add", 1), ("ppu_subtract", -1)):
        x = rng.integers(low, high, 1000, endpoint=True)
        for _ in range(500):
            push = rng.integers(0, high, 1000, endpoint=True)
            after = ours(name, x, push, bits)
            wrong += int((sign * (after - x) < 0).sum() + (after != np.clip(x + sign * push, low, high)).sum())
            x = after
        assert np.all(x == (high if sign > 0 else low))
    ledger(MODEL, "exact sums", "wrapped or wrong sums of 1e6 at both ends of the lane", wrong, 0)


@pytest.mark.parametrize(("draw_bits", "n"), [(8, 4), (8, 8), (32, 8), (32, 20), (32, 32)])
def test_rounding_is_unbiased_over_a_million_draws(draw_bits: int, n: int, ledger: Callable[..., None]) -> None:
    """P(up) is the fraction rounded off. Bound: what the exact binomial law leaves out once in a million on each side."""
    unit, update = np.arange(1000), np.arange(1000)[:, None]
    if draw_bits == 8:
        state = ours("ppu_seed_at", np.zeros(1000, np.int64), 0, unit)
        draws = []
        for _ in range(1000):
            state = ours("ppu_lfsr_at", state, 8, 0, unit)
            draws.append(ours("ppu_byte", state))
        draw = np.stack(draws)
    else:
        draw = ours("ppu_uniform_at", noise.stream("rounding"), 0, unit, update, 0)
    worst = 0.0
    for fraction in sorted({1, 2**n // 3, 2 ** (n - 1), 2**n - 1}):
        for base in (-(2**40), 2**40):
            ups = int((ours("ppu_round", base + fraction, n, 0, draw << (32 - draw_bits)) > base >> n).sum())
            low, high = stats.binom.ppf([5e-7, 1 - 5e-7], draw.size, fraction / 2**n)
            mean = draw.size * fraction / 2**n
            bound = max(high - mean, mean - low)
            worst = max(worst, abs(ups - mean) / max(bound, 1.0))
    which = "registers, 8 bits, every eighth read" if draw_bits == 8 else "counter-based, 32 bits"
    ledger(MODEL, f"probability of the fraction; draws: {which}", "ups in 1e6 stochastic roundings, in exact binomial bounds (1e-6)", worst, 1.0)


def test_a_centred_draw_takes_the_bias_of_few_bits_away() -> None:
    """12 bits rounded off by every draw of 8: half a step of the draw too low on average, unless it is added."""
    wide, draw = np.arange(2**12)[:, None], np.arange(256)
    exact = wide.mean() / 2**12
    assert ours("ppu_round", wide, 12, 0, draw << 24).mean() - exact == pytest.approx(-(2**-9) + 2**-13, abs=1e-12)
    assert ours("ppu_round", wide, 12, 8, draw << 24).mean() - exact == pytest.approx(2**-13, abs=1e-12)


def test_every_name_has_a_type_and_an_arity_and_a_body() -> None:
    assert set(HARDWARE) == {*functions.PLAIN, *ADDRESSED} - {"ppu_lfsr_at"}
    assert all(FUNCTIONS[name] == len(types) for name, types in HARDWARE.items())
    assert {types for types in HARDWARE.values() for types in types} == {"integer", "float"}
    for name, body in {**functions.PLAIN, **functions.SEEDED}.items():
        assert body.__code__.co_argcount == len(TYPES[name]) + 2 * (name in functions.SEEDED)
    assert set(functions.CPP_NAMES) == set(TYPES)
    assert Path(functions.__file__).with_name("arithmetic.h").read_text(encoding="ascii") in functions.CPP
