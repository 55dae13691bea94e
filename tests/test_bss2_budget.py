"""What a program costs is counted as it is written down, and grows with what is asked for."""

import dataclasses
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rules import ACCEPTED, MODULES, rule

from bioneuro import bss2
from bioneuro.bss2.budget import CONVERTED, CYCLES_PER_US, INSTRUCTIONS, LOAD, STORE, SYNRAM
from bioneuro.bss2.constrain import written
from bioneuro.catalogue import luboeinski2021, song2000
from bioneuro.model import Circuit, Population, Projection

STC = luboeinski2021.CIRCUITS["luboeinski2021 single synapse"]()
SONG = song2000.CIRCUITS["song2000 all to all"]()


def leak() -> Circuit:
    ends = (Population(name="p"), Population(name="q"))
    synapse = rule("dc/dt = -c/tau : 1\ndx/dt = (a - x)/tau : 1")
    return Circuit(name="leak", populations=ends, projections=(Projection(name="syn", synapse=synapse, pre="p", post="q"),))


def test_by_hand() -> None:
    """dx/dt = (a - x)/tau with 16 bits and 16 below."""
    hardware = bss2.Hardware(fraction=16, rounding="nearest")
    (_, sheet) = written(leak(), hardware)["syn"]
    assert sheet.lines == [
        "x_n = ppu_quantise(x/x_lsb, x_bits)",
        "x_1 = ppu_scale(ppu_subtract(x_level_1, x_n, x_bits), x_1_m, x_1_s)",
        "x_n = ppu_add(x_n, ppu_round(x_1, x_below, x_half, 0), x_bits)",
        "x = x_n*x_lsb",
    ]
    row, wide = 4, 8  # vectors of a row with 16 and with 32 bits
    program = bss2.budget(leak(), hardware).programs["syn"]
    assert program.instructions["arithmetic"] == row + (row + 2 * wide) + 3 * wide + row
    assert program.instructions["load"] == program.instructions["store"] == row
    assert program.cycles["load"] == row * LOAD
    assert program.cycles["store"] == row * STORE
    assert program.memory == 2
    assert not program.instructions["random"] + program.instructions["conversion"]


def test_what_is_read() -> None:
    program = bss2.budget(STC, bss2.Hardware(draws=16)).programs["stc"]
    reads = 4 + 3 * 2  # noise is four bytes, and each of h, z, p draws from two registers
    assert program.instructions["random"] == reads * 8 * 2
    assert program.cycles["random"] == reads * 16 * SYNRAM
    assert program.cycles["conversion"] == CONVERTED
    assert program.memory == 6
    nearest = bss2.budget(STC, bss2.Hardware(rounding="nearest", draws=16)).programs["stc"]
    assert nearest.instructions["random"] == 4 * 8 * 2
    weights = bss2.budget(SONG, bss2.Hardware(bits=8, draws=8), weight="stdp.w")
    found = weights.programs["stdp"].instructions
    assert not found["load"]
    assert found["synapse"] == 4 + 2 * 2
    assert found["conversion"] == 4
    assert weights.in_memory is None
    mismatched = bss2.budget(STC, bss2.Hardware(offsets=1.0, draws=16)).programs["stc"]
    assert mismatched.cycles == program.cycles  # fixed offsets are of the converter, not of the program


CHOICES = st.fixed_dictionaries(
    {
        "bits": st.sampled_from([8, 12, 16, 24, 32]),
        "rounding": st.sampled_from(bss2.ROUNDINGS),
        "draws": st.sampled_from([8, 16, 24]),
        "reads": st.integers(1, 8),
        "period": st.sampled_from(["5 ms", "10 ms", "40 ms"]),
    }
)


@settings(max_examples=20, deadline=None)
@given(CHOICES, st.integers(1, 131072))
def test_laws(choice: dict[str, object], synapses: int) -> None:
    made = bss2.budget(STC, bss2.Hardware(**choice))  # type: ignore[arg-type]
    assert made.period == round(made.hardware.seconds * 1e6 / 1000 * CYCLES_PER_US)
    assert made.rows * made.cycles <= made.period
    assert (made.rows == 256 or (made.rows + 1) * made.cycles > made.period)
    assert made.synapses == 512 * made.rows
    needed = dataclasses.replace(made.hardware, period=f"{made.shortest(synapses) * 1e3 * (1 + 1e-9)} ms")
    if needed.seconds < 0.04:  # numbers of 32 bits hold the rates
        assert bss2.budget(STC, needed).synapses >= synapses
    slower = bss2.budget(STC, dataclasses.replace(made.hardware, speedup=500.0))
    assert slower.cycles == made.cycles
    assert abs(slower.period - 2 * made.period) <= 1
    assert bss2.budget(STC, dataclasses.replace(made.hardware, reads=made.hardware.reads + 1)).cycles >= made.cycles
    wider = bss2.budget(STC, dataclasses.replace(made.hardware, bits={"": int(made.hardware.width("")), "stc.h": 32}))
    assert wider.cycles >= made.cycles
    assert (wider.in_memory or 0) <= (made.in_memory or 0)


def test_every_function_of_every_program_has_a_price() -> None:
    free = {"ppu_lfsr", "ppu_uniform", "ppu_noise", "ppu_normal"}  # counted as reads of registers
    for module in MODULES:
        for name, make in module.CIRCUITS.items():
            if name.startswith(ACCEPTED) and not name.startswith("vogels2011"):
                circuit = make()
                for hardware in (bss2.Hardware(draws=16, rarely=3, fraction=8), bss2.Hardware(fraction=8, converter_noise=1.0)):
                    for _, sheet in written(circuit, hardware).values():
                        assert set(re.findall(r"ppu_\w+(?=\()", "\n".join(sheet.lines))) <= {*INSTRUCTIONS, *free}
                    assert bss2.budget(circuit, hardware).cycles > 0


def test_refusals_and_text() -> None:
    with pytest.raises(bss2.ConstrainError, match=r"hardware.bits: None.*give a width, such as 16"):
        bss2.budget(STC, bss2.Hardware(bits=None))
    made = bss2.budget(STC, bss2.Hardware(draws=16))
    for wrong in (0, 131073, 2.5, True):
        with pytest.raises(bss2.ConstrainError, match=r"budget.synapses: .*a whole number from 1 to 131072"):
            made.shortest(wrong)  # type: ignore[arg-type]
    text = str(made)
    assert max(map(len, text.splitlines())) <= 100
    assert "assumed: one cycle" in text
    assert "measured by libnux" in text
    assert f"{made.cycles} cycles" in text
    assert str(bss2.budget(SONG, bss2.Hardware(bits=8), weight="stdp.w")).count("memory:") == 0
