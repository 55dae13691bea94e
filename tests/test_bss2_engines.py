"""The functions of periodic code in Brian2's engines: nested calls keep 64 bits, and all give the same bits."""

from fractions import Fraction
from typing import Any

import brian2 as b2
import numpy as np
import pytest
from brian2.core.functions import Function
from brian2.devices.device import runtime_device
from test_bss2_functions import SEED, TYPES, lane, ours, rounded, within

from bioneuro.brian import processor, simulate
from bioneuro.model import Circuit, Every, Pathway, Population, Projection, Synapse, parameter
from bioneuro.protocol import Protocol, Spikes, clock
from bioneuro.statements.context import borrowed

CODE = """
wide = ppu_scale(x, y, 0)
exact = 1.0*wide
nested = 1.0*ppu_scale(ppu_round(ppu_scale(x, y, 0), 16, 32768, 0), 16, 0)
back = ppu_saturate(ppu_round(ppu_scale(x, y, 0), 30, 0, 16777216*ppu_byte(ppu_lfsr_at(reg, 8, trial, unit))), 16)
reg = ppu_lfsr_at(reg, 8, trial, unit)
other = ppu_seed_at(other, trial, unit)
sum = ppu_subtract(ppu_add(x, y, 16), ppu_multiply(ppu_saturate(x, 16), ppu_saturate(y, 16), 16), 16)
lane = ppu_quantise(real, 8) + ppu_count(real, 30, 210) + ppu_weight(x, 6)
word = 1.0*ppu_uniform_at(123456, trial, unit, 3, 2)
"""


def group_of(target: str, n: int) -> dict[str, Any]:
    """Three steps of a group whose statements call every function."""
    known = {}
    for name, types in TYPES.items():
        result = "float" if name == "ppu_noise_at" else "integer"
        known[name] = Function(np.add, arg_units=[1] * len(types), arg_types=list(types), return_type=result, return_unit=1)
        processor.implement(known[name], name, seed=SEED, words="words")
    rng = np.random.default_rng(0)
    with borrowed(runtime_device, target=target, strict=True):
        plain = "x y reg other trial unit back sum lane"
        text = "".join(f"{name} : integer\n" for name in plain.split()) + "".join(f"{name} : 1\n" for name in "real exact nested word".split())
        group = b2.NeuronGroup(n, text, namespace=known, name=f"ppu_{target}")
        group.x, group.y = rng.integers(-(2**26), 2**26, (2, n))
        group.x[0], group.y[0], group.x[1], group.y[1] = 2**31 - 1, 2**21, -(2**31), 2**21
        group.reg = ours("ppu_seed_at", np.zeros(n, np.int64), np.arange(n) // 7, np.arange(n) % 7)
        group.trial, group.unit = np.arange(n) // 7, np.arange(n) % 7
        group.real = rng.normal(size=n) * 200
        group.run_regularly(CODE, dt=0.1 * b2.ms)
        b2.Network(group).run(0.3 * b2.ms, namespace={})
        return {name: np.array(group.variables[name].get_value()) for name in (*plain.split(), "real", "exact", "nested", "word")}


@pytest.mark.parametrize("target", ["numpy", pytest.param("cython", marks=pytest.mark.slow)])
def test_nested_calls_keep_64_bits_in_brian2(target: str) -> None:
    n = 200
    got = group_of(target, n)
    x, y, trial, unit = (got[name].astype(object) for name in ("x", "y", "trial", "unit"))
    assert np.array_equal(got["exact"], (x * y).astype(float))
    assert (np.abs(got["exact"]) > 2**40).sum() > n / 2
    assert got["nested"].tolist() == [16.0 * rounded(a * b, 16, 32768, 0) for a, b in zip(x, y, strict=True)]
    state = ours("ppu_seed_at", np.zeros(n, np.int64), trial, unit)
    assert np.array_equal(got["other"], state)
    for _ in range(3):
        state = ours("ppu_lfsr_at", state, 8, trial, unit)
    assert np.array_equal(got["reg"], state)
    assert got["back"].tolist() == [lane(rounded(a * b, 30, 0, s % 256 << 24), 16) for a, b, s in zip(x, y, state.tolist(), strict=True)]
    product = [lane(lane(a, 16) * lane(b, 16) >> 15, 16) for a, b in zip(x, y, strict=True)]
    assert got["sum"].tolist() == [lane(lane(a + b, 16) - p, 16) for a, b, p in zip(x, y, product, strict=True)]
    real = [round(Fraction(v)) for v in got["real"]]
    assert got["lane"].tolist() == [lane(v, 8) + within(v, 30, 210) + within(a, 0, 63) for v, a in zip(real, x, strict=True)]
    assert np.array_equal(got["word"], ours("ppu_uniform_at", 123456, trial, unit, 3, 2).astype(float))


PERIODIC = """
f = 1.0*ppu_scale(w, 123456789, 0)
wide = ppu_scale(ppu_quantise(v, 16), 123456789, 0)
r = ppu_lfsr(r, 8, 1)
w = ppu_add(w, ppu_round(wide, 24, 0, 16777216*ppu_byte(r)), 16)
w = ppu_subtract(w, ppu_multiply(w, 300, 16), 16)
h = ppu_weight(ppu_count(v, 0, 255), 6) + ppu_saturate(w, 4)
u = ppu_round(ppu_uniform(0) + ppu_uniform(3), 2, 0, 0)
v = ppu_normal(0) + ppu_noise(1000.0, 1) + ppu_clip(w, 3, 5)
"""


@pytest.mark.slow  # test_bss2_constrain.py compares whole programs
def test_the_compiled_program_and_numpy_give_the_same_bits() -> None:
    """All of them in periodic code: three trials of five synapses, ten updates."""
    synapse = Synapse(
        name="ppu",
        equations="v : 1\nf : 1\nw : integer\nh : integer\nr : integer\nu : integer",
        pathways=(Pathway(event="pre", code="v += 3000"),),
        parameters={"T_ppu": parameter(1, "ms", low=0.1, high=10, says="period of the updates", source="chosen")},
        every=Every(period="T_ppu", code=PERIODIC),
    )
    ends = (Population(name="a", size=5), Population(name="b", size=5))
    circuit = Circuit(name="updated", populations=ends, projections=(Projection(name="p", synapse=synapse, pre="a", post="b"),))
    rng = np.random.default_rng(0)
    fired = Spikes(stimulus=np.arange(45) % 3, unit=np.arange(45) // 3 % 5, time=rng.permutation(np.arange(1, 91))[:45] * 1e-4)
    todo = Protocol(
        name="spikes",
        stepping=clock("0.1 ms"),
        trials={},
        stimulus=[0, 1, 2],
        reads=[[0.0045, 0.0105]] * 3,
        spikes={"a": fired, "b": Spikes(stimulus=[], unit=[], time=[])},
        record=tuple(f"p.{name}" for name in synapse.states),
    )
    by_numpy, by_cpp = (simulate(circuit, todo, seed=SEED, target=target) for target in ("numpy", "cpp"))
    for path in todo.record:
        assert np.array_equal(by_numpy.traces[path], by_cpp.traces[path]), path
    assert np.abs(by_numpy.traces["p.f"]).max() > 2**31  # beyond what a variable that is an integer can hold
    assert len(np.unique(by_numpy.traces["p.u"])) == by_numpy.traces["p.u"].size
