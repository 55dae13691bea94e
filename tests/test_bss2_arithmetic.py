"""The processor's arithmetic: published vectors, the instructions taken literally, unbounded integers, equal bits in C++."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioneuro.bss2 import arithmetic

HEADER = Path(arithmetic.__file__).with_name("arithmetic.h")
WIDTHS = (4, 5, 8, 12, 16, 24, 31, 32)
SIGNED_PAIRS = ("add", "subtract", "multiply")
SIGNED_SHIFTS = ("shift_left", "shift_right")
MODULO_PAIRS = ("modulo_add", "modulo_subtract", "modulo_multiply")
MODULO_SHIFTS = ("modulo_shift_left", "modulo_shift_right")
SINGLE = {"saturate": None, "cast_unsigned": None, "cast_signed": None, "contiguous_unsigned": True, "contiguous_signed": False}
NAMES = (*SIGNED_PAIRS, *SIGNED_SHIFTS, *MODULO_PAIRS, *MODULO_SHIFTS, *SINGLE)
Engine = Callable[[str, Any], Any]


def call(name: str, a: Any, b: Any, bits: int) -> Any:
    """The NumPy function of that name; one operand where it has one."""
    function = getattr(arithmetic, name)
    return function(a, bits=bits) if name in SINGLE else function(a, b, bits=bits)


# --- the reference: registers as unbounded Python integers, instructions as the Nux guide and libnux give them --------


def signed(register: int, bits: int) -> int:
    return register - (1 << bits) if register >= 1 << (bits - 1) else register


def fxvsh(register: int, count: int, bits: int) -> int:
    """The shift instruction: zeros come in on both sides. Its count has five bits on the chip, so 16 means -16."""
    if bits in arithmetic.LANES:
        count = (count + 16) % 32 - 16
    return (register << count) % (1 << bits) if count >= 0 else register >> -count


def mult_sat_fract(a: int, b: int, bits: int) -> int:
    """A product of double width with one sign bit too many shifted out; its upper half is the result."""
    low = -(1 << (bits - 1))
    double = (1 << (2 * bits - 1)) - 1 if a == low and b == low else a * b * 2
    return double >> bits


def add_sat(a: int, b: int, bits: int) -> int:
    half = 1 << (bits - 1)
    return max(-half, min(half - 1, a + b))


def literal_shift_left(x: int, n: int, bits: int) -> int:
    """libnux: the sign alone, then the rest by n + 1 and back by 1, then their sum; 0 from n = bits on."""
    if n == 0 or n >= bits:
        return 0 if n else x
    register = x % 2**bits
    sign = fxvsh(fxvsh(register, -(bits - 1), bits), bits - 1, bits)
    rest = fxvsh(fxvsh(register, n + 1, bits), -1, bits)
    return signed((sign + rest) % 2**bits, bits)


def literal_shift_right(x: int, n: int, bits: int) -> int:
    """libnux: a fractional product with a power of two."""
    if n == 0 or n >= bits:
        return 0 if n else x
    return mult_sat_fract(x, 2 ** (bits - 1 - n), bits)


def literal_modulo_shift(x: int, n: int, bits: int) -> int:
    return 0 if abs(n) >= bits else fxvsh(x, n, bits)


LITERAL: dict[str, Callable[[int, int, int], int]] = {
    "add": add_sat,
    "subtract": lambda a, b, bits: add_sat(a, -b, bits),
    "multiply": mult_sat_fract,
    "shift_left": literal_shift_left,
    "shift_right": literal_shift_right,
    "modulo_add": lambda a, b, bits: (a + b) % 2**bits,
    "modulo_subtract": lambda a, b, bits: (a - b) % 2**bits,
    "modulo_multiply": lambda a, b, bits: a * b % 2**bits,
    "modulo_shift_left": literal_modulo_shift,
    "modulo_shift_right": lambda x, n, bits: literal_modulo_shift(x, -n, bits),
    "saturate": lambda x, _, bits: add_sat(x, 0, bits),
    "cast_unsigned": lambda x, _, bits: x % 2**bits,
    "cast_signed": lambda x, _, bits: signed(x % 2**bits, bits),
    "contiguous_unsigned": lambda x, _, bits: (x + 2 ** (bits - 1)) % 2**bits,
    "contiguous_signed": lambda x, _, bits: signed((x - 2 ** (bits - 1)) % 2**bits, bits),
}


# --- operands ---------------------------------------------------------------------------------------------------------


def span(name: str, bits: int) -> tuple[int, int]:
    """The smallest and largest first operand."""
    if name in ("saturate", "cast_unsigned", "cast_signed"):
        return -(2**63), 2**63 - 1
    is_signed = name in SIGNED_PAIRS + SIGNED_SHIFTS or SINGLE.get(name) is True
    return arithmetic.limits(bits=bits) if is_signed else (0, 2**bits - 1)


def edges(name: str, bits: int) -> Any:
    """All values around the ends, zero and every power of two, as pairs with each other (or with every shift)."""
    low, high = span(name, bits)
    near = {low, low + 1, high - 1, high, -1, 0, 1} | {s * 2**k + d for k in range(bits) for s in (1, -1) for d in (-1, 0, 1)}
    first = np.array(sorted(x for x in near if low <= x <= high), dtype=np.int64)
    second = np.arange(64) if name in SIGNED_SHIFTS + MODULO_SHIFTS else first
    return np.stack(np.broadcast_arrays(first[:, None], second[None, :]), axis=-1).reshape(-1, 2)


def random_operands(name: str, bits: int, count: int, seed: int) -> Any:
    rng = np.random.default_rng(seed)
    low, high = span(name, bits)
    first = rng.integers(low, high, size=(count, 2), endpoint=True, dtype=np.int64)
    if name in SIGNED_SHIFTS + MODULO_SHIFTS:
        first[:, 1] = rng.integers(0, 64, size=count)
    return first


MAIN = """
#include <cstdio>
#include <cstring>
// argv[1]: the name; stdin: rows of (a, b, bits), int64; stdout: one int64 a row.
#define PAIR(name) if (!std::strcmp(argv[1], #name)) y = bioneuro_bss2_##name(r[0], r[1], r[2]);
#define ONE(name) if (!std::strcmp(argv[1], #name)) y = bioneuro_bss2_##name(r[0], r[2]);
int main(int, char **argv) {
    int64_t r[3], y = 0;
    while (std::fread(r, sizeof r, 1, stdin) == 1) {
        PAIR(add) PAIR(subtract) PAIR(multiply) PAIR(shift_left) PAIR(shift_right)
        PAIR(modulo_add) PAIR(modulo_subtract) PAIR(modulo_multiply) PAIR(modulo_shift_left) PAIR(modulo_shift_right)
        ONE(saturate) ONE(cast_unsigned) ONE(cast_signed) ONE(contiguous_unsigned) ONE(contiguous_signed)
        if (!std::strcmp(argv[1], "to_weight")) y = bioneuro_bss2_to_weight(r[0]);
        if (!std::strcmp(argv[1], "to_count")) y = bioneuro_bss2_to_count(r[0], r[1], r[2]);
        std::fwrite(&y, sizeof y, 1, stdout);
    }
    return 0;
}
"""


@pytest.fixture(scope="module")
def cpp(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    folder = tmp_path_factory.mktemp("arithmetic")
    source, program = folder / "arithmetic.cpp", folder / "arithmetic"
    text = HEADER.read_text(encoding="ascii")
    source.write_text(text + text + MAIN, encoding="ascii")  # twice: it may be pasted more than once
    flags = ["-std=c++11", "-O2", "-ffp-contract=off", "-pedantic", "-Wall", "-Wextra", "-Werror"]
    subprocess.run(["g++", *flags, str(source), "-o", str(program)], check=True)

    def run(name: str, rows: Any) -> Any:
        data = np.ascontiguousarray(rows, dtype=np.int64).tobytes()
        done = subprocess.run([str(program), name], input=data, capture_output=True, check=True)
        return np.frombuffer(done.stdout, dtype=np.int64)

    return run


@pytest.mark.parametrize(
    ("name", "bits", "rows"),
    [
        ("add", 8, [(-12, 80, 68), (68, 80, 127), (127, 1, 127)]),
        ("subtract", 8, [(-12, 60, -72), (-72, 60, -128), (0, -12, 12), (-127, 2, -128), (1, -127, 127), (100, 112, -12)]),
        ("multiply", 8, [(-12, 42, -4), (-4, 42, -2), (100, 112, 87), (-128, -128, 127)]),
        ("shift_left", 8, [(5, 2, 20), (20, 2, 80), (-5, 2, -20), (-20, 2, -80)]),
        ("shift_right", 8, [(-80, 2, -20), (-20, 2, -5), (80, 2, 20), (20, 2, 5)]),
        ("add", 16, [(17000, 20000, 32767), (-3000, 20000, 17000), (300, 350, 650)]),
        ("subtract", 16, [(-3000, 20000, -23000), (-23000, 20000, -32768), (300, 350, -50)]),
        ("multiply", 16, [(-3000, 20000, -1832), (-1832, 20000, -1119), (300, 350, 3), (-32768, -32768, 32767)]),
        ("shift_left", 16, [(5, 2, 20), (-20, 2, -80)]),
        ("shift_right", 16, [(-80, 2, -20), (20, 2, 5)]),
        ("modulo_add", 8, [(10, 140, 150), (150, 140, 34)]),
        ("modulo_subtract", 8, [(140, 130, 10), (10, 130, 136), (0, 244, 12)]),
        ("modulo_multiply", 8, [(10, 12, 120), (120, 12, 160)]),
        ("modulo_shift_left", 8, [(10, 2, 40), (40, 2, 160)]),
        ("modulo_shift_right", 8, [(160, 2, 40), (40, 2, 10)]),
        ("modulo_add", 16, [(1000, 50000, 51000), (51000, 50000, 35464)]),
        ("modulo_subtract", 16, [(40000, 21000, 19000), (19000, 21000, 63536)]),
        ("modulo_multiply", 16, [(30, 1000, 30000), (30000, 1000, 50048)]),
        ("contiguous_unsigned", 8, [(-12, 0, 116), (-128, 0, 0), (127, 0, 255)]),
        ("contiguous_unsigned", 16, [(-12, 0, 32756)]),
        ("contiguous_signed", 8, [(12, 0, -116), (0, 0, -128), (255, 0, 127)]),
        ("contiguous_signed", 16, [(1000, 0, -31768)]),
        ("cast_unsigned", 8, [(-12, 0, 244)]),
        ("cast_signed", 8, [(244, 0, -12)]),
    ],
)
def test_published_vectors(name: str, bits: int, rows: list[tuple[int, int, int]], ledger: Callable[..., None]) -> None:
    """libnux's hardware tests (tests/hw/libnux/vx/test_vector_*.cpp, test_frac.cpp, test_fxvadd.cpp) and the ends its headers name."""
    a, b, expected = np.array(rows).T
    worst = int(np.abs(call(name, a, b, bits) - expected).max())
    ledger("BrainScaleS-2 arithmetic", "libnux, hardware tests of its vector types", "62 results, 8 and 16 bits, largest deviation", worst, 0)


@pytest.mark.parametrize("name", NAMES)
def test_every_8_bit_operand(name: str) -> None:
    """All 65536 pairs, or all values with all shifts, against the instructions taken literally."""
    low, high = span(name, 8)
    first = np.arange(max(low, -1000), min(high, 1000) + 1)
    second = np.arange(64) if name in SIGNED_SHIFTS + MODULO_SHIFTS else first if name not in SINGLE else np.zeros(1, dtype=np.int64)
    a, b = (part.ravel() for part in np.broadcast_arrays(first[:, None], second[None, :]))
    expected = [LITERAL[name](x, y, 8) for x, y in zip(a.tolist(), b.tolist(), strict=True)]
    assert call(name, a, b, 8).tolist() == expected


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("bits", WIDTHS)
def test_edges_are_those_of_unbounded_integers_and_of_cpp(name: str, bits: int, cpp: Engine) -> None:
    rows = edges(name, bits)
    ours = call(name, rows[:, 0], rows[:, 1], bits)
    assert ours.dtype == np.int64
    assert ours.tolist() == [LITERAL[name](a, b, bits) for a, b in rows.tolist()]
    assert np.array_equal(ours, cpp(name, np.column_stack([rows, np.full(len(rows), bits)])))


@pytest.mark.parametrize("name", NAMES)
def test_a_million_random_operations_agree_bit_for_bit_with_cpp(name: str, cpp: Engine) -> None:
    """70 000 each of 15 operations, of widths 4 to 32."""
    for bits in range(4, 33):
        rows = random_operands(name, bits, 70_000 // 29 + 1, seed=bits)
        ours = call(name, rows[:, 0], rows[:, 1], bits)
        assert np.array_equal(ours, cpp(name, np.column_stack([rows, np.full(len(rows), bits)]))), bits


@st.composite
def operations(draw: st.DrawFn) -> tuple[str, int, int, int]:
    name, bits = draw(st.sampled_from(NAMES)), draw(st.integers(4, 32))
    values = st.integers(*span(name, bits))
    second = st.integers(0, 63) if name in SIGNED_SHIFTS + MODULO_SHIFTS else values
    return name, draw(values), draw(second), bits


@given(operations())
def test_numpy_is_unbounded_arithmetic(operation: tuple[str, int, int, int]) -> None:
    name, a, b, bits = operation
    result = call(name, a, b, bits)
    assert isinstance(result, np.ndarray)
    assert result.shape == ()
    assert int(result) == LITERAL[name](a, b, bits)


@given(st.integers(4, 32).flatmap(lambda bits: st.tuples(st.just(bits), *[st.integers(*arithmetic.limits(bits=bits))] * 2)))
def test_laws_of_signed_lanes(case: tuple[int, int, int]) -> None:
    """Casts and contiguous conversions undo each other; sums and products commute; a right shift undoes a left shift that loses nothing."""
    bits, a, b = case
    assert arithmetic.cast_signed(arithmetic.cast_unsigned(a, bits=bits), bits=bits) == a
    assert arithmetic.contiguous_signed(arithmetic.contiguous_unsigned(a, bits=bits), bits=bits) == a
    for name in ("add", "multiply"):
        assert call(name, a, b, bits) == call(name, b, a, bits)
    for n in range(bits):
        if -(2 ** (bits - 1 - n)) <= a < 2 ** (bits - 1 - n):
            assert arithmetic.shift_right(arithmetic.shift_left(a, n, bits=bits), n, bits=bits) == a


def test_weights_and_counts(cpp: Engine) -> None:
    x = np.array([-(2**63), -10, -1, 0, 10, 63, 64, 70, 127, 210, 255, 256, 2**63 - 1])
    rows = np.column_stack([x, np.full(len(x), 30), np.full(len(x), 210)])
    assert arithmetic.to_weight(x).tolist() == [0, 0, 0, 0, 10, 63, 63, 63, 63, 63, 63, 63, 63]
    assert arithmetic.to_count(x).tolist() == [0, 0, 0, 0, 10, 63, 64, 70, 127, 210, 255, 255, 255]
    assert np.array_equal(arithmetic.to_weight(x), cpp("to_weight", rows))
    assert np.array_equal(arithmetic.to_count(x, low=30, high=210), cpp("to_count", rows))


def test_operands_broadcast_and_are_left_alone() -> None:
    column, row = np.array([[100], [-100]], dtype=np.int8), np.array([100, -100, 0], dtype=np.int16)
    assert arithmetic.add(column, row, bits=8).tolist() == [[127, 0, 100], [0, -128, -100]]
    assert column.tolist() == [[100], [-100]]
    assert arithmetic.shift_left(row, [0, 1, 2], bits=8).tolist() == [100, -72, 0]
    assert arithmetic.add(np.zeros(0, dtype=np.int64), 1, bits=8).shape == (0,)


@pytest.mark.parametrize("bits", [0, 3, 33, 64, -8])
@pytest.mark.parametrize("name", NAMES)
def test_widths_outside_are_named(name: str, bits: int) -> None:
    with pytest.raises(ValueError, match=rf"bss2\.\w+: bits is {bits}; allowed are 4 to 32"):
        call(name, 1, 1, bits)


@pytest.mark.parametrize(
    ("work", "error", "message"),
    [
        (lambda: arithmetic.add(128, 0, bits=8), ValueError, r"bss2.add: a holds 128; allowed is \[-128, 127\]; .*saturate"),
        (lambda: arithmetic.add(0, [1, -129], bits=8), ValueError, r"bss2.add: b holds -129"),
        (lambda: arithmetic.multiply(0, 2**15, bits=16), ValueError, r"bss2.multiply: b holds 32768"),
        (lambda: arithmetic.modulo_add(-1, 0, bits=8), ValueError, r"bss2.modulo_add: a holds -1; allowed is \[0, 255\]; .*cast_unsigned"),
        (lambda: arithmetic.contiguous_signed(256, bits=8), ValueError, r"bss2.contiguous_signed: x holds 256"),
        (lambda: arithmetic.shift_left(1, -1, bits=8), ValueError, r"bss2.shift_left: n holds -1; allowed is \[0, 63\]"),
        (lambda: arithmetic.saturate(np.uint64(2**63), bits=8), ValueError, r"bss2.saturate: x holds 9223372036854775808"),
        (lambda: arithmetic.saturate(2**64, bits=8), TypeError, r"bss2.saturate: x is of type object"),
        (lambda: arithmetic.add(1.0, 1, bits=8), TypeError, r"bss2.add: a is of type float64; allowed are integers"),
        (lambda: arithmetic.to_weight([True]), TypeError, r"bss2.to_weight: x is of type bool"),
        (lambda: arithmetic.add(1, 1, bits=True), TypeError, r"bss2.add: bits is True"),
        (lambda: arithmetic.limits(bits=8.0), TypeError, r"bss2.limits: bits is 8.0"),  # type: ignore[arg-type]
        (lambda: arithmetic.to_count(1, low=5, high=256), ValueError, r"bss2.to_count: low is 5, high is 256"),
    ],
)
def test_errors_name_place_value_range_and_remedy(work: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        work()
