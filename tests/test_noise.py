"""The noise is one function of its address: known answers, equal bits, accuracy, distribution."""

import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import special, stats

from bioneuro import noise

MAIN = r"""
#include <cstdio>
// stdin: rows of six int64 addresses ("n"), or of one double ("q"); stdout: one double a row.
int main(int, char **argv) {
    if (argv[1][0] == 'n') {
        int64_t a[6];
        while (std::fread(a, sizeof a, 1, stdin) == 1) {
            const double z = bioneuro_normal(a[0], a[1], a[2], a[3], a[4], a[5]);
            std::fwrite(&z, sizeof z, 1, stdout);
        }
    } else {
        double u;
        while (std::fread(&u, sizeof u, 1, stdin) == 1) {
            const double z = bioneuro_quantile(u);
            std::fwrite(&z, sizeof z, 1, stdout);
        }
    }
    return 0;
}
"""
Engine = Callable[[str, Any], Any]


@pytest.fixture(scope="module")
def cpp(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    folder = tmp_path_factory.mktemp("noise")
    source, program = folder / "noise.cpp", folder / "noise"
    # The text twice: the guard must let it be pasted more than once.
    source.write_text(noise.CPP + noise.CPP + MAIN, encoding="ascii")
    flags = ["-std=c++11", "-O2", "-ffp-contract=off", "-Wall", "-Wextra", "-Werror"]
    subprocess.run(["g++", *flags, str(source), "-o", str(program)], check=True)

    def call(mode: str, rows: Any) -> Any:
        done = subprocess.run([str(program), mode], input=rows.tobytes(), capture_output=True, check=True)
        return np.frombuffer(done.stdout, dtype=np.float64)

    return call


def addresses(count: int, seed: int) -> Any:
    """Rows (seed_low, seed_high, stream, trial, unit, step), half small as in use, half all over 64 bits."""
    rng = np.random.default_rng(seed)
    rows = rng.integers(-(2**63), 2**63 - 1, size=(count, 6), dtype=np.int64)
    rows[: count // 2] = rng.integers(0, 2000, size=(count // 2, 6))
    return rows


def extreme_odds() -> Any:
    """Odd integers m, u = m 2^-53, dense near 0, 1/2, 1 and at the two splits of the quantile."""
    rng = np.random.default_rng(5)
    near = np.unique((2.0 ** rng.uniform(0, 51, 20_000)).astype(np.int64))
    splits = [round(2**52 * p) + np.arange(-500, 501) for p in (0.075, 0.925, np.exp(-25.0), 1 - np.exp(-25.0))]
    ends = np.arange(2000)
    half = 2**51 + np.arange(-1000, 1000)
    k = np.concatenate([ends, 2**52 - 1 - ends, near, 2**52 - 1 - near, 2**51 + near // 2, half, *splits])
    return 2 * k[(k >= 0) & (k < 2**52)] + 1


def same_bits(first: Any, second: Any) -> bool:
    return bool(np.array_equal(np.asarray(first).view(np.int64), np.asarray(second).view(np.int64)))


def by_numpy(rows: Any) -> Any:
    low, high, stream, trial, unit, step = rows.T
    return noise.normal_words(low, high, stream, trial, unit, step, np)


def by_torch(rows: Any) -> Any:
    low, high, stream, trial, unit, step = torch.from_numpy(rows).T
    return noise.normal_words(low, high, stream, trial, unit, step, torch).numpy()


@pytest.mark.parametrize(
    ("counter", "key", "answer"),
    [
        ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
    ],
)
def test_philox_known_answers(counter: str, key: str, answer: str) -> None:
    """The vectors Random123 publishes for philox4x32-10, in Python ints, NumPy and torch."""
    words, keys = (tuple(int(word, 16) for word in text.split()) for text in (counter, key))
    expected = [int(word, 16) for word in answer.split()]
    assert list(noise.philox(words, keys)) == expected
    makers: list[Callable[[Any], Any]] = [np.asarray, torch.tensor]
    for make in makers:
        out = noise.philox(tuple(make([word]) for word in words), tuple(make([word]) for word in keys))
        assert [int(word[0]) for word in out] == expected


def test_address_words_and_uniform() -> None:
    """Counter = (step, unit, trial, stream), key = (low, high); u is odd, of the top 52 bits."""
    seed, address = (7 << 32) + 5, {"stream": 4, "trial": 3, "unit": 2, "step": 1}
    w0, w1, _, _ = noise.philox((1, 2, 3, 4), (5, 7))
    u = (2 * ((w0 << 20) | (w1 >> 12)) + 1) / 2**53
    assert noise.normal(seed, **address) == noise.quantile(np.array([u]), np)[0]
    ends = noise.uniform(np.array([0, 2**32 - 1]), np.array([0, 2**32 - 1]), np)
    assert ends.tolist() == [2.0**-53, 1 - 2.0**-53]


def test_engines_agree_bit_for_bit(cpp: Engine) -> None:
    rows = addresses(200_000, seed=1)
    reference = by_numpy(rows)
    assert np.abs(reference).max() > 4.0
    assert same_bits(cpp("n", rows), reference)
    assert same_bits(by_torch(rows), reference)


def test_quantiles_agree_bit_for_bit_everywhere(cpp: Engine) -> None:
    u = extreme_odds() * 2.0**-53
    reference = noise.quantile(u, np)
    assert same_bits(cpp("q", u), reference)
    assert same_bits(noise.quantile(torch.from_numpy(u), torch).numpy(), reference)


WORD = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.builds(lambda a, b: a + b, st.sampled_from([0, 2**31, 2**32, -(2**31), -(2**32), 2**62]), st.integers(-3, 3)),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(*[WORD] * 6), min_size=1, max_size=50))
@example([(2**32 - 1,) * 6, (2**31,) * 6, (2**32,) * 6, (-1,) * 6, (2**63 - 1,) * 6, (-(2**63),) * 6])
def test_engines_agree_law(cpp: Engine, rows: list[tuple[int, ...]]) -> None:
    array = np.array(rows, dtype=np.int64)
    reference = by_numpy(array)
    assert same_bits(cpp("n", array), reference)
    assert same_bits(by_torch(array), reference)
    assert same_bits(by_numpy(array % 2**32), reference)


def test_quantile_is_accurate_and_odd() -> None:
    m = extreme_odds()
    z = noise.quantile(m * 2.0**-53, np)
    # SciPy's own error is 6e-16, ours is as large.
    assert np.abs(z / special.ndtri(m * 2.0**-53) - 1).max() < 1.5e-15
    assert same_bits(noise.quantile((2**53 - m) * 2.0**-53, np), -z)
    assert np.all(np.diff(noise.quantile(np.sort(m) * 2.0**-53, np)) >= -1e-15)
    assert noise.quantile(np.array([2.0**-53]), np)[0] == pytest.approx(-8.2095361516013874, rel=1e-15)


def test_distribution_is_standard_normal() -> None:
    z = noise.normal(20, noise.stream("xi"), np.arange(10)[:, None, None], np.arange(100), np.arange(1000)[:, None])
    assert z.shape == (10, 1000, 100)
    flat = z.ravel()
    assert stats.kstest(flat, "norm").pvalue > 0.01
    # Standard errors of the first four moments of 1e6 draws; 4 of them is 1 in 16,000.
    for power, mean, error in ((1, 0.0, 1.0), (2, 1.0, 2.0**0.5), (3, 0.0, 15.0**0.5), (4, 3.0, 96.0**0.5)):
        assert abs((flat**power).mean() - mean) < 4 * error / 1e3
    for axis in range(3):
        ahead, behind = np.moveaxis(z, axis, 0)[1:], np.moveaxis(z, axis, 0)[:-1]
        assert abs((ahead * behind).mean()) < 4 / ahead.size**0.5


def test_every_part_of_the_address_matters() -> None:
    base = {"seed": 1, "stream": 2, "trial": 3, "unit": 4, "step": 5}
    draws = [noise.normal(**base)]
    for name in base:
        draws += [noise.normal(**{**base, name: base[name] + change}) for change in (1, 2**16, 2**31)]
    draws.append(noise.normal(**{**base, "seed": 1 + 2**32}))
    assert len(set(map(float, draws))) == len(draws)
    first = [float(noise.normal(seed, 0, 0, 0, 0)) for seed in range(1000)]
    assert len(set(first)) == 1000


def test_shapes_kinds_and_counts_modulo_two_to_32() -> None:
    scalar = noise.normal(1, 2, np.int64(3), np.array(4), 5)
    assert isinstance(scalar, np.float64)
    table = noise.normal(1, 2, np.arange(6)[:, None], np.arange(9, dtype=np.uint8), 5)
    assert table.shape == (6, 9)
    assert table[3, 4] == scalar == noise.normal(1, 2 + 2**32, 3 - 2**32, 4, 5 + 2**40)
    tensor = noise.normal(1, 2, torch.arange(6)[:, None], torch.arange(9, dtype=torch.int32), 5)
    assert tensor.dtype == torch.float64
    assert same_bits(tensor.numpy(), table)
    assert float(noise.normal(1, 2, torch.tensor(3), 4, 5)) == scalar
    assert noise.normal(1, 2, 3, np.arange(0), 5).shape == (0,)


@pytest.mark.parametrize("seed", [-1, 2**63, 1.5, "1", None, True])
def test_a_bad_seed_is_refused(seed: Any) -> None:
    with pytest.raises((TypeError, ValueError), match=r"noise\.seed: got .*allowed"):
        noise.normal(seed, 0, 0, 0, 0)


@pytest.mark.parametrize("unit", [0.5, np.arange(3.0), torch.arange(3.0), "3", None, True])
def test_a_bad_address_is_refused(unit: Any) -> None:
    with pytest.raises(TypeError, match=r"noise\.unit: got .*int64"):
        noise.normal(1, 0, 0, unit, 0)


def test_stream_is_stable() -> None:
    assert noise.stream("calcium.xi") == zlib.crc32(b"calcium.xi") == 2575761013
    assert noise.stream("") == 0
    assert noise.stream("a") != noise.stream("b")


def test_fast_math_is_refused(tmp_path: Path) -> None:
    """Brian2's default flags include -ffast-math, which would change bits silently."""
    source = tmp_path / "fast.cpp"
    source.write_text(noise.CPP, encoding="ascii")
    for flags in (["-ffast-math"], ["-ffast-math", "-fno-finite-math-only"], ["-Ofast"]):
        done = subprocess.run(["g++", *flags, "-fsyntax-only", str(source)], capture_output=True, text=True, check=False)
        assert done.returncode != 0
        assert "-ffp-contract=off" in done.stderr
