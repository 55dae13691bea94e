"""Random numbers of the plasticity processor: period, uniformity and correlations exactly, rounding without bias, equal bits in C++."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bioneuro import noise
from bioneuro.bss2 import arithmetic, randoms

HEADER = Path(randoms.__file__).with_name("arithmetic.h")
TAPS = np.array(randoms.TAPS)
PERIOD = 65535
MODEL, CHOSEN = "BrainScaleS-2 random numbers", "polynomials of the chip are not public; these 256 are chosen"
Engine = Callable[[str, Any], Any]

MAIN = """
#include <cstdio>
#include <cstring>
// argv[1]: what; stdin: rows of seven int64, or of two doubles ("i"); stdout: eight bytes a row.
int main(int, char **argv) {
    const char what = argv[1][0];
    int64_t r[7], y = 0;
    double v[2];
    while (what == 'i' && std::fread(v, sizeof v, 1, stdin) == 1) {
        y = bioneuro_bss2_round_ideal(v[0], v[1]);
        std::fwrite(&y, sizeof y, 1, stdout);
    }
    while (what != 'i' && std::fread(r, sizeof r, 1, stdin) == 1) {
        if (what == 'l') y = bioneuro_bss2_lfsr(r[0], r[1], r[2]);
        if (what == 'd') y = bioneuro_bss2_draw(bioneuro_bss2_lfsr(r[0], r[1], r[2]));
        if (what == 'h') y = bioneuro_bss2_halfword(r[0], r[1]);
        if (what == 'x') y = bioneuro_bss2_xorshift32(r[0]);
        if (what == 'r') y = bioneuro_bss2_round_stochastic(r[0], r[1], r[2], r[3], r[4]);
        if (what == 'w') y = bioneuro_bss2_ideal_word(r[0], r[1], r[2], r[3], r[4], r[5], r[6]);
        if (what == 'u') v[0] = bioneuro_bss2_uniform(r[0], r[1]), std::memcpy(&y, v, sizeof y);
        std::fwrite(&y, sizeof y, 1, stdout);
    }
    return 0;
}
"""


@pytest.fixture(scope="module")
def cpp(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    folder = tmp_path_factory.mktemp("randoms")
    source, program = folder / "randoms.cpp", folder / "randoms"
    source.write_text(noise.CPP + HEADER.read_text(encoding="ascii") + MAIN, encoding="ascii")
    flags = ["-std=c++11", "-O2", "-ffp-contract=off", "-pedantic", "-Wall", "-Wextra", "-Werror"]
    subprocess.run(["g++", *flags, str(source), "-o", str(program)], check=True)

    def run(what: str, rows: Any) -> Any:
        done = subprocess.run([str(program), what], input=rows.tobytes(), capture_output=True, check=True)
        return np.frombuffer(done.stdout, dtype=np.int64)

    return run


def rows_of(*columns: Any) -> Any:
    """Columns, broadcast, as rows of seven int64, zeros to the right."""
    parts = np.broadcast_arrays(*(np.asarray(column, dtype=np.int64).ravel() for column in columns))
    return np.ascontiguousarray(np.stack([*parts, *[np.zeros_like(parts[0])] * (7 - len(parts))], axis=-1))


@pytest.fixture(scope="module")
def orbit() -> Any:
    """The states of all columns, one read after the other over a full period, all seeded with 1: (read, column)."""
    states = np.empty((PERIOD, len(TAPS)), dtype=np.uint16)
    state = randoms.lfsr_seed(np.ones(len(TAPS), dtype=np.int64))
    for step in range(PERIOD):
        draws, state = randoms.lfsr_read(state, TAPS)
        states[step] = state
        assert step % 4096 or np.array_equal(draws, state & 255)
    return states


def order_is_full(mask: int) -> bool:
    """Whether x has order 65535 modulo x^16 plus the tapped powers: its sixteenfold products tell, no register is run."""
    polynomial = 2**16 + sum(2 ** (15 - b) for b in range(16) if mask >> b & 1)

    def product(a: int, b: int) -> int:
        total = 0
        while b:
            total ^= a * (b & 1)
            a, b = a << 1, b >> 1
            a ^= polynomial * (a >> 16)
        return total

    def power(exponent: int) -> int:
        result, base = 1, 2
        while exponent:
            result = product(result, base) if exponent & 1 else result
            base, exponent = product(base, base), exponent >> 1
        return result

    return power(PERIOD) == 1 and all(power(PERIOD // prime) != 1 for prime in (3, 5, 17, 257))


# --- registers --------------------------------------------------------------------------------------------------------


def test_taps_are_every_eighth_primitive_polynomial() -> None:
    odd = [mask for mask in range(0x8000, 0x10000) if mask.bit_count() % 2 == 0]  # else x = 1 is a root
    primitive = [mask for mask in odd if order_is_full(mask)]
    assert len(primitive) == 2048  # Euler's phi(65535) / 16
    assert list(randoms.TAPS) == primitive[::8]


def test_period_is_full_and_bytes_are_uniform(orbit: Any, ledger: Callable[..., None]) -> None:
    """Each register meets every state but 0 once: each byte comes 256 times in 65535 reads, 0 comes 255 times."""
    met = np.sort(orbit, axis=0)
    period = int((met[1:] != met[:-1]).sum(axis=0).min()) + 1
    ledger(MODEL, "2^16 - 1", "shortest period of the 256 registers, states missing", PERIOD - period, 0, CHOSEN)
    assert (met[0] == 1).all()
    assert (orbit[-1] == 1).all()  # back at the seed
    assert all(np.bincount(orbit[:, column] & 255).tolist() == [255] + [256] * 255 for column in (0, 100, 255))


def test_a_read_gives_one_new_bit(orbit: Any) -> None:
    draws = orbit & 255
    assert np.array_equal(draws[1:] >> 1, draws[:-1] & 127)


def test_serial_correlation_is_that_of_shared_bits_and_gone_after_eight_reads(orbit: Any, ledger: Callable[..., None]) -> None:
    """k reads apart, 8 - k bits are shared: r = 2^k (4^(8-k) - 1) / (4^8 - 1), which is 0.5 for k = 1."""
    draws = (orbit[:, ::8] & 255).astype(np.float64)
    z = (draws - draws.mean(axis=0)) / draws.std(axis=0)
    worst = 0.0
    for k in range(1, 20):
        r = (z * np.roll(z, -k, axis=0)).mean(axis=0)
        shared = 2**k * (4 ** (8 - k) - 1) / (4**8 - 1) if k < 8 else 0.0
        worst = max(worst, float(np.abs(r - shared).max()))
    ledger(MODEL, "law of shared bits: 0.5, 0.25, ... 0 from 8 reads on", "correlation of draws up to 19 reads apart, deviation", worst, 5e-5, CHOSEN)


def test_columns_are_nearly_uncorrelated(orbit: Any, ledger: Callable[..., None]) -> None:
    """Over a full period: root mean square 0.0051, largest 0.03; 0.0039 if they were independent."""
    draws = (orbit & 255).astype(np.float64)
    z = (draws - draws.mean(axis=0)) / draws.std(axis=0)
    r = (z.T @ z / PERIOD)[np.triu_indices(len(TAPS), 1)]
    ledger(MODEL, "independent columns", "correlation of draws, root mean square of 32640 pairs", float(np.sqrt((r**2).mean())), 0.006, CHOSEN)
    assert np.abs(r).max() < 0.03


def test_reads_compose_and_broadcast(orbit: Any) -> None:
    draws, state = randoms.lfsr_read(orbit[99], TAPS, reads=901)
    assert np.array_equal(state, orbit[1000])
    assert np.array_equal(draws, orbit[1000] & 255)
    _, table = randoms.lfsr_read(np.array([[1], [2]]), TAPS)
    assert table.shape == (2, 256)
    assert np.array_equal(table[0], orbit[0])


@given(st.integers(1, PERIOD), st.sampled_from(randoms.TAPS), st.integers(1, 40))
def test_a_register_is_its_linear_recurrence(state: int, taps: int, reads: int) -> None:
    """Bits as a list, oldest first: the next one is the sum of the tapped ones modulo 2."""
    bits = [state >> (15 - i) & 1 for i in range(16)]
    for _ in range(reads):
        bits.append(sum(bits[-1 - b] for b in range(16) if taps >> b & 1) % 2)
    expected = sum(bit << i for i, bit in enumerate(reversed(bits[-16:])))
    assert tuple(map(int, randoms.lfsr_read(state, taps, reads=reads))) == (expected % 256, expected)


def test_registers_and_xorshift_agree_with_cpp(cpp: Engine) -> None:
    rng = np.random.default_rng(2)
    state, taps = rng.integers(1, PERIOD, 100_000, endpoint=True), rng.choice(TAPS, 100_000)
    for reads in (1, 8, 13):
        draws, after = randoms.lfsr_read(state, taps, reads=reads)
        assert np.array_equal(after, cpp("l", rows_of(state, taps, reads)))
        assert np.array_equal(draws, cpp("d", rows_of(state, taps, reads)))
    words = rng.integers(1, 2**32, 100_000)
    assert np.array_equal(randoms.xorshift32(words), cpp("x", rows_of(words)))
    assert np.array_equal(randoms.halfwords(np.arange(256)), cpp("h", rows_of(np.arange(0, 256, 2), np.arange(1, 256, 2))))
    assert randoms.halfwords(np.arange(8).reshape(2, 4)).tolist() == [[1, 515], [1029, 1543]]  # the high byte first


@given(st.integers(1, 2**32 - 1))
def test_xorshift_is_three_shifts_of_32_bits(word: int) -> None:
    y = word
    y ^= y * 2**13 % 2**32
    y ^= y // 2**17
    y ^= y * 2**5 % 2**32
    assert int(randoms.xorshift32(word)) == y
    assert y != 0


# --- rounding ---------------------------------------------------------------------------------------------------------


def literal(x: Any, n: int, draw: Any, bits: int) -> Any:
    """libnux's sequence on registers: shift the draw down, add with saturation, shift the sum down and up with zeros."""
    total = np.clip(x + draw // 2 ** (bits - n), -(2 ** (bits - 1)), 2 ** (bits - 1) - 1) % 2**bits
    cleared = total // 2**n * 2**n % 2**bits
    return np.where(cleared >= 2 ** (bits - 1), cleared - 2**bits, cleared)


def test_rounding_of_every_8_bit_value_by_every_draw_is_the_hardware_sequence() -> None:
    x, draw = np.arange(-128, 128)[:, None], np.arange(256)[None, :]
    for n in range(1, 8):
        ours = randoms.round_stochastic(x, n, draw, bits=8, draw_bits=8)
        assert np.array_equal(ours, literal(x, n, draw, 8))
        fraction = x % 2**n
        safe = (x - fraction + 2**n <= 127)[:, 0]
        assert np.array_equal((ours > x - fraction).sum(axis=1)[safe], (fraction * 2 ** (8 - n))[safe, 0])  # P(up), exactly
        assert (ours[~safe] == (x - fraction)[~safe]).all()  # no room above: down
    assert np.array_equal(randoms.round_stochastic(x, 0, draw, bits=8, draw_bits=8), np.broadcast_to(x, (256, 256)))


@given(st.integers(-(2**15), 2**15 - 1), st.integers(1, 15), st.integers(0, 2**16 - 1))
def test_rounding_of_16_bits_is_the_hardware_sequence(x: int, n: int, draw: int) -> None:
    assert randoms.round_stochastic(x, n, draw, bits=16, draw_bits=16) == literal(np.int64(x), n, np.int64(draw), 16)


@given(st.integers(4, 32).flatmap(lambda bits: st.tuples(st.just(bits), st.integers(0, bits - 1))), st.integers(1, 32), st.data())
def test_rounding_goes_to_a_neighbour_at_any_width(width: tuple[int, int], draw_bits: int, data: st.DataObject) -> None:
    """The result is a multiple of 2^n next to x; it is above x just when fraction + draw, as numbers below 1, reach 1."""
    bits, n = width
    low, high = arithmetic.limits(bits=bits)
    x, draw = data.draw(st.integers(low, high)), data.draw(st.integers(0, 2**draw_bits - 1))
    down = x // 2**n * 2**n
    whole = draw * 2**n // 2**draw_bits  # the top n bits of the draw, zeros below if it has fewer
    up = x - down + whole >= 2**n and down + 2**n <= high
    assert int(randoms.round_stochastic(x, n, draw, bits=bits, draw_bits=draw_bits)) == down + up * 2**n


def test_rounding_over_a_full_period_is_exact(orbit: Any) -> None:
    """Of 65535 reads, f 2^(16-n) round up a fraction f / 2^n: no bias but that of the one missing state."""
    draws = orbit[:, ::51] & 255
    for n, fraction in ((1, 1), (3, 5), (8, 1), (8, 200), (8, 255)):
        up = randoms.round_stochastic(fraction, n, draws, bits=16, draw_bits=8) > 0
        assert (up.sum(axis=0) == fraction * 2 ** (16 - n)).all()


def within_binomial(ups: int, draws: int, p: float) -> None:
    """Fails once in a million if each draw is independent and goes up with probability p."""
    low, high = stats.binom.ppf([5e-7, 1 - 5e-7], draws, p)
    assert low <= ups <= high, f"{ups} of {draws} up; [{low:.0f}, {high:.0f}] for p = {p}"


@pytest.fixture(scope="module")
def independent() -> Any:
    """2^21 draws of 8 bits: (read, column), each the eighth read after the one before, columns seeded apart."""
    seeds = np.random.default_rng(11).integers(1, 256, 256)
    _, state = randoms.lfsr_read(randoms.lfsr_seed(seeds), TAPS, reads=234)
    draws = np.empty((8192, 256), dtype=np.int64)
    for step in range(8192):
        draws[step], state = randoms.lfsr_read(state, TAPS, reads=8)
    return draws


@pytest.mark.parametrize("n", range(1, 9))
def test_a_million_draws_round_8_bits_without_bias(n: int, independent: Any) -> None:
    for fraction in sorted({1, 2**n // 3, 2 ** (n - 1), 2**n - 1} - {0}):
        for base in (-(2**14), 0):  # a negative and a positive multiple of every 2^n
            up = randoms.round_stochastic(base + fraction, n, independent, bits=16, draw_bits=8) > base
            within_binomial(int(up.sum()), up.size, fraction / 2**n)


@pytest.mark.parametrize("n", range(9, 16))
def test_two_combined_draws_round_up_to_15_bits_without_bias(n: int, independent: Any) -> None:
    """2^20 halfwords, as lanes of 16 bits get them from an access to the even columns and one to the odd ones."""
    lanes = np.stack([randoms.halfwords(independent[:, part::2]) for part in (0, 1)])
    for fraction in (1, 77, 2 ** (n - 1), 2**n - 1):
        up = randoms.round_stochastic(fraction, n, lanes, bits=32, draw_bits=16) > 0
        within_binomial(int(up.sum()), up.size, fraction / 2**n)


@pytest.mark.parametrize("n", [9, 12])
def test_eight_bits_cannot_round_more_than_eight(n: int) -> None:
    """P(up) comes in steps of 1/256, rounded down: a smaller fraction never goes up, however long one waits."""
    fraction = np.arange(2**n)[:, None]
    ups = (randoms.round_stochastic(fraction, n, np.arange(256), bits=24, draw_bits=8) > 0).sum(axis=1)
    assert np.array_equal(ups, fraction[:, 0] * 256 // 2**n)


def test_ideal_draws_round_without_bias() -> None:
    for n, fraction in ((8, 1), (16, 3), (24, 2**20 + 1), (30, 2**24)):
        for words in randoms.ideal_words(3, noise.stream("h.rounding"), np.arange(1000)[:, None], 0, np.arange(1000)):
            up = randoms.round_stochastic(fraction, n, words, bits=32, draw_bits=32) > 0
            within_binomial(int(up.sum()), up.size, fraction / 2**n)
    uniform = randoms.ideal_uniform(3, noise.stream("h.rounding"), np.arange(1000)[:, None], 0, np.arange(1000))
    for value in (0.25, -1e-3, 1e-4, 1e5 + 0.5, -7.0):
        up = randoms.round_ideal(value, uniform) > np.floor(value)
        within_binomial(int(up.sum()), up.size, value - np.floor(value))


def test_ideal_words_are_philox_and_their_uniform_is_that_of_noise() -> None:
    first, second = randoms.ideal_words((7 << 32) + 5, 4, 3, 2, [1, 2**32 + 1])
    word0, word1, _, _ = noise.philox((1, 2, 3, 4), (5, 7))
    assert first.tolist() == [word0, word0]
    assert second.tolist() == [word1, word1]
    u = randoms.ideal_uniform((7 << 32) + 5, 4, 3, 2, 1)
    assert noise.quantile(np.atleast_1d(u), np)[0] == noise.normal((7 << 32) + 5, stream=4, trial=3, unit=2, step=1)


def test_a_million_roundings_agree_bit_for_bit_with_cpp(cpp: Engine) -> None:
    """2000 of each width 4 to 32 and each number of bits rounded off, by draws of 1 to 32 bits."""
    rng = np.random.default_rng(4)
    ours, rows = [], []
    for bits, n in [(width, n) for width in range(4, 33) for n in range(width)]:
        draw_bits = int(rng.integers(1, 33))
        x = rng.integers(*arithmetic.limits(bits=bits), size=2000, endpoint=True)
        x[:8] = [*arithmetic.limits(bits=bits)] * 4
        draw = rng.integers(0, 2**draw_bits, size=2000)
        ours.append(randoms.round_stochastic(x, n, draw, bits=bits, draw_bits=draw_bits))
        rows.append(rows_of(x, n, draw, bits, draw_bits))
    assert np.array_equal(np.concatenate(ours), cpp("r", np.concatenate(rows)))


def test_ideal_draws_and_roundings_agree_bit_for_bit_with_cpp(cpp: Engine) -> None:
    rng = np.random.default_rng(6)
    stream, trial, unit, step = rng.integers(0, 2**32, size=(4, 100_000))
    first, second = randoms.ideal_words((7 << 32) + 5, stream, trial, unit, step)
    for which, words in enumerate((first, second)):
        assert np.array_equal(words, cpp("w", rows_of(5, 7, stream, trial, unit, step, which)))
    uniform = randoms.ideal_uniform((7 << 32) + 5, stream, trial, unit, step)
    assert np.array_equal(uniform.view(np.int64), cpp("u", rows_of(first, second)))
    value = rng.normal(size=100_000) * 10.0 ** rng.integers(-20, 15, size=100_000)
    ours = randoms.round_ideal(value, uniform)
    assert np.array_equal(ours, cpp("i", np.stack([value, uniform], axis=-1)))


@pytest.mark.parametrize(
    ("work", "error", "message"),
    [
        (lambda: randoms.lfsr_seed(0), ValueError, r"bss2.lfsr_seed: seed holds 0; allowed is \[1, 255\]; a register at 0 stays there"),
        (lambda: randoms.lfsr_read(0, TAPS), ValueError, r"bss2.lfsr_read: state holds 0; allowed is \[1, 65535\]"),
        (lambda: randoms.lfsr_read(1, 0x16), ValueError, r"bss2.lfsr_read: taps holds 22; .*TAPS"),
        (lambda: randoms.lfsr_read(1, TAPS, reads=0), ValueError, r"bss2.lfsr_read: reads holds 0"),
        (lambda: randoms.lfsr_read(1, TAPS, reads=[1, 2]), ValueError, r"bss2.lfsr_read: reads has shape \(2,\)"),  # type: ignore[arg-type]
        (lambda: randoms.halfwords([1, 2, 3]), ValueError, r"bss2.halfwords: draws has shape \(3,\)"),
        (lambda: randoms.xorshift32(0), ValueError, r"bss2.xorshift32: state holds 0"),
        (lambda: randoms.round_stochastic(1, 8, 1, bits=8, draw_bits=8), ValueError, r"bss2.round_stochastic: n holds 8; allowed is \[0, 7\]"),
        (lambda: randoms.round_stochastic(1, 1, 256, bits=8, draw_bits=8), ValueError, r"bss2.round_stochastic: draw holds 256"),
        (lambda: randoms.round_stochastic(200, 1, 1, bits=8, draw_bits=8), ValueError, r"bss2.add: a holds 200"),
        (lambda: randoms.round_stochastic(1, 1, 0.5, bits=8, draw_bits=8), TypeError, r"bss2.round_stochastic: draw is of type float64"),
        (lambda: randoms.round_ideal(np.nan, 0.5), ValueError, r"bss2.round_ideal: value"),
        (lambda: randoms.round_ideal(1.0, 0.0), ValueError, r"bss2.round_ideal: uniform"),
        (lambda: randoms.ideal_words(1, 0, 0, 0, 0.5), TypeError, r"bss2.ideal_words: step is of type float64"),
    ],
)
def test_errors_name_place_value_range_and_remedy(work: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        work()
