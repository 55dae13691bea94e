"""How many random bits stochastic rounding takes: the chance of a step, what 8 bits lose, and what saves tagging and capture."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scripts import loaded

from bioneuro import brian, bss2, measure, protocol
from bioneuro.bss2 import functions
from bioneuro.catalogue import luboeinski2021
from bioneuro.script import Options

MODEL = "bss2: luboeinski2021"
FLOAT = "the same period in floating point"
script, figure = loaded("protocols", "bss2_random_bits"), loaded("figures", "bss2_random_bits")
TASKS = script.plan(Options(out=Path("unused.nc")))
RULE = luboeinski2021.single()


# ---- laws -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("bits", "centred"), [(8, False), (8, True), (16, False)])
@pytest.mark.parametrize("sign", [1, -1])
def test_chance_of_a_step(bits, centred, sign):
    """Over all draws of so many bits, each of them once, increments of 20 bits below the last one."""
    below, draws = 20, np.arange(2**bits) << (32 - bits)
    half = 2 ** (below - bits - 1) if centred else 0
    for size in (0, 1, 700, 2047, 2048, 2049, 4095, 4096, 4097, 6144, 2**15 + 1, 2**19, 2**20 - 1):
        moved = functions.PLAIN["ppu_round"](np.full(draws.shape, sign * size), below, half, draws)
        assert set(np.unique(moved).tolist()) <= {0, sign}
        # at a multiple and a half, the nearest is the upper one
        wanted = figure.chance(size / 2**below, bits, centred, sign)
        if centred and sign < 0 and size / 2**below * 2**bits % 1 == 0.5:
            wanted -= 2.0**-bits
        assert np.abs(moved).mean() == pytest.approx(wanted, abs=1e-12), size


def test_increments_that_the_rule_asks_for():
    """The leak of 1/6884 s at 20 % of h0, and 1/3600 s of p and z, in steps of lanes from 10 ms to 10 ms."""
    circuits = figure.circuits(Options(out=Path("unused.nc")))
    for bits in (8, 16):
        made = circuits[f"{bits}_ideal"]
        found, step = figure.increments(made, circuits["float"]), float(made.values["stc.h_lsb"].value)
        assert found["h"] == pytest.approx(0.01 / 6884 * 0.2 * 4.20075e-3 / step)
        assert found["p"] == pytest.approx(0.01 / 3600 * (2 ** (bits - 1) - 1))
        assert found["z"] == pytest.approx(found["p"] / 1.5)  # a lane from -0.5 to 1 also holds the difference of the two
    assert figure.increments(circuits["16_ideal"], circuits["float"])["h"] > 1 / 512  # centred: the tag ends, the residue stays
    assert max(figure.increments(circuits["8_ideal"], circuits["float"]).values()) < 1 / 512


def test_the_figure_reads_what_the_protocol_writes():
    circuits = figure.circuits(Options(out=Path("unused.nc")))
    assert {f"STET_{name}": made.digest for name, made in circuits.items()} == {k: c.digest for k, (c, _) in TASKS.items() if k.startswith("STET")}
    assert {name for name in TASKS if name.startswith("others")} == {f"others_{name}" for name in ("float", *figure.SAVED)}


# ---- reduced: two hours, a period of 40 ms, 30 trials ---------------------------------------------------------------


@pytest.mark.slow
def test_8_bits_lose_and_rarer_rates_save():
    """An 8-bit lane: with the chip's own draws nothing slow moves; with wide increments that act once a minute it does."""
    times = {"start": "10 s", "duration": "7210 s", "reads": ["0 s", "1800 s", "7200 s"]}
    made = protocol.induction(protocol.STET, dead="2 ms", repetitions=30, record=("stc.h", "stc.p", "stc.z"), **times)
    saving = {"fraction": 16, "rarely": 1500}
    lost, saved = (brian.simulate(bss2.constrain(RULE, bss2.Hardware(period="40 ms", bits=8, draws=8, **x)), made, seed=0) for x in ({}, saving))
    exact = 100 * brian.simulate(RULE, made, seed=0, target="numpy")["stc.z"][:, -1, 0]
    assert not lost["stc.z"].any()
    assert np.array_equal(lost["stc.h"][:, 1], lost["stc.h"][:, 2])
    z = 100 * saved["stc.z"][:, -1, 0]
    assert abs(z.mean() - exact.mean()) < 3.5 * np.sqrt((z.var(ddof=1) + exact.var(ddof=1)) / z.size)


# ---- the whole: eight hours, 10 ms, 100 trials ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def seen() -> dict[str, Any]:
    """Recordings by the name of their task."""
    names = ["STET_16_draws8", *(f"{train}_{name}" for train in ("STET", "others") for name in ("float", "16_draws16", "16_draws8_rarely"))]
    return {name: brian.simulate(*TASKS[name], seed=0) for name in names}


@pytest.mark.slow
def test_8_random_bits_lose_late_phase(seen, ledger):
    lost, free = (float(figure.ends(seen[f"STET_{name}"])["z"].mean()) for name in ("16_draws8", "float"))
    check = "16 bit, draws of 8 bits, STET, 100 trials: 5 points over the loss of z after 7 h"
    ledger(MODEL, FLOAT, check, 5 / (free - lost) if free > lost else np.inf, 1, "a limit of the hardware: it loses 5 points or more")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["16_draws16", "16_draws8_rarely"])
def test_schemes_that_save_it(seen, name, ledger):
    """Means of 100 trials of each protocol."""
    away = [float(figure.ends(seen[f"STET_{x}"])["z"].mean()) for x in (name, "float")]
    worst = abs(away[0] - away[1])
    for train in range(len(figure.OTHERS)):
        mine, free = (figure.ends(measure.at(seen[f"others_{x}"], train=train))["z"].mean() for x in (name, "float"))
        worst = max(worst, abs(float(mine - free)))
    words = {"16_draws16": "two registers per draw", "16_draws8_rarely": "draws of 8 bits, slow rates once a second"}[name]
    ledger(MODEL, FLOAT, f"16 bit, {words}, 4 protocols, 100 trials: mean z after 7 h, points", worst, 2)
