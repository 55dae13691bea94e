"""Traps that were found while the twin was tried, those that no other test is about (`docs/architecture.md` lists them all)."""

import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from bioneuro.brian import simulate
from bioneuro.imposed import Clock, Events, Spikes
from bioneuro.model import Circuit, Neuron, Pathway, Population, Projection, Synapse, parameter
from bioneuro.protocol import Protocol
from bioneuro.statements.context import STRICT
from bioneuro.twin import Twin, superspike
from bioneuro.twin.operations import Operations
from bioneuro.verify import verify

LIKE = torch.zeros((), dtype=torch.float64)
MS = 1e-3


def operations() -> Operations:
    return Operations(superspike(), soft=False, detach_reset=False, like=LIKE)


def number(value: float, unit: str = "1"):
    return parameter(value, unit, low=1e-3, high=1e3, says="here", source="here")


def run_of(spikes: dict[str, list[float]], steps: int, dt: float | None = 1 * MS, every: int = 1) -> Protocol:
    """One trial with given spikes (s), read every so many milliseconds."""
    none = {port: np.zeros(len(times), np.int64) for port, times in spikes.items()}
    trains = {port: Spikes(stimulus=none[port], unit=none[port], time=np.array(times, float)) for port, times in spikes.items()}
    return Protocol(
        name="here",
        stepping=Clock(dt=dt, tolerance=0.1 * dt) if dt else Events(),
        trials={},
        stimulus=np.zeros(1, np.int64),
        reads=np.arange(every, steps + 1, every)[None, :] * MS,
        spikes=trains,
    )


def guarded() -> Circuit:
    """Three variables that every writer adds to: by equation, by a synapse, by the reset. v and u are ``(unless refractory)``, w is not."""
    neuron = Neuron(
        name="n",
        equations="dv/dt = 1/tau : 1 (unless refractory)\ndu/dt = 1/tau : 1 (unless refractory)\ndw/dt = 1/tau : 1",
        threshold="v > 3.5",
        reset="v = 0; u += 100; w += 100",
        refractory="t_ref",
        parameters={"tau": number(1, "ms"), "t_ref": number(4, "ms")},
    )
    synapse = Synapse(
        name="s", equations="", parameters={"one": number(10)}, pathways=(Pathway(event="pre", code="v_post += one; u_post += one; w_post += one"),)
    )
    ports = (Population(name="port"), Population(name="n", neuron=neuron))
    return Circuit(name="guarded", populations=ports, projections=(Projection(name="s", synapse=synapse, pre="port", post="n"),))


def test_a_refractory_variable_is_closed_to_equation_and_synapse_but_not_to_the_reset():
    """Spike at step 3; the input at step 5 falls into the refractory period, that at step 9 does not. Counted by hand, in both engines."""
    circuit, todo = guarded(), run_of({"port": [5 * MS, 9 * MS]}, 9)
    seen = simulate(circuit, todo, seed=0, target="numpy")
    with torch.no_grad():
        twin = Twin(circuit)(todo).detached()
    verdict = verify(seen, twin, 0.0)
    assert verdict, str(verdict)
    expected = {
        "n.v": [1, 2, 3, 0, 0, 0, 0, 1, 2],  # the step of the spike adds 1 before the reset; then none until 4 ms are over
        "n.u": [1, 2, 3, 104, 104, 104, 104, 105, 106],
        "n.w": [1, 2, 3, 104, 105, 116, 117, 118, 119],  # open: the input of step 5 is seen from 6 ms on
    }
    for path, values in expected.items():
        assert seen[path][0, :, 0] == pytest.approx(values, abs=1e-9), path
    with torch.no_grad():
        longer = Twin(circuit)(run_of({"port": [5 * MS, 9 * MS]}, 11))
    # After the period the synapse gets through, and one step later the neuron fires.
    assert longer["n.u"][0, -2:, 0].tolist() == pytest.approx([106 + 1 + 10, 106 + 1 + 10 + 1 + 100])


def test_nothing_is_written_in_place():
    """Brian2's ``+=`` is no ``+=`` of torch: parameters, initial values and an earlier recording stay as they were."""
    circuit, todo = guarded(), run_of({"port": [5 * MS]}, 8)
    twin = Twin(circuit, free=["n.tau", "s.one"])
    before = {path: value.detach().clone() for path, value in twin.values.items()}
    first = twin(todo)
    kept = {path: values.detach().clone() for path, values in first.traces.items()}
    versions = {key: raw._version for key, raw in twin.raw.items()}
    again = twin(todo)
    again["n.w"].sum().backward()
    for path, values in kept.items():
        assert torch.equal(values, first[path]), path
        assert torch.equal(values, again[path]), path
    assert {key: raw._version for key, raw in twin.raw.items()} == versions
    assert all(torch.equal(before[path], value) for path, value in twin.values.items())


class Touched(TorchDispatchMode):
    """Counts the elements of all that torch makes."""

    elements = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        self.elements += sum(t.numel() for t in (out if isinstance(out, tuple | list) else (out,)) if isinstance(t, Tensor))
        return out


def cost(backward: Callable[[], None]) -> int:
    with Touched() as counted:
        backward()
    return counted.elements


def test_the_cost_of_the_backward_pass_is_linear_in_time():
    """x[t] in a loop makes a gradient as long as x at every t: four times the work for twice the time, here shown and not found in the twin."""
    sizes = (20, 40, 80)

    def looped(steps: int) -> Callable[[], None]:
        x = torch.ones(steps, requires_grad=True)
        total = sum(x[t] * 2.0 for t in range(steps))
        return lambda: total.backward()

    twin = Twin(guarded(), free=["n.tau", "s.one"])

    def run(steps: int) -> Callable[[], None]:
        seen = twin(run_of({"port": [2 * MS, 7 * MS]}, steps))
        loss = seen["n.w"].sum() + seen.raster["n"].sum()
        return lambda: loss.backward()

    quadratic, linear = ([cost(make(n)) for n in sizes] for make in (looped, run))
    growth = [np.diff(found)[1] / np.diff(found)[0] for found in (quadratic, linear)]
    assert growth[0] > 3.5
    assert growth[1] == pytest.approx(2.0, abs=0.1)


def test_sign_has_the_slope_of_a_comparison():
    """torch's own is 0 everywhere, so nothing would be learned through it."""
    x = torch.tensor([-0.3, -1e-3, 2e-3, 0.4], dtype=torch.float64, requires_grad=True)
    value = operations().sign(x)
    assert value.tolist() == [-1, -1, 1, 1]
    (slope,) = torch.autograd.grad(value.sum(), x)
    assert torch.allclose(slope, 2 * superspike().slope(x.detach()))
    (own,) = torch.autograd.grad(torch.sign(x).sum(), x)
    assert not own.any()


def test_the_root_has_slope_zero_at_zero():
    """Of a sum of steps it would be infinite there, and infinity times zero spoils every gradient."""
    x = torch.tensor([0.0, 1e-300, 0.25, 4.0], dtype=torch.float64, requires_grad=True)
    value = operations().sqrt(x)
    assert value.tolist() == [0.0, 1e-150, 0.5, 2.0]
    (slope,) = torch.autograd.grad((value * torch.tensor([0.0, 0.0, 1.0, 1.0])).sum(), x)
    assert slope.tolist() == [0.0, 0.0, 1.0, 0.25]


def chain(tau: float) -> Circuit:
    """A trace that decays with 20 ms and feeds a second variable that relaxes with `tau` ms."""
    synapse = Synapse(
        name="s",
        equations="da/dt = -a/tau_a : 1 (clock-driven)\ndc/dt = (a - c)/tau_c : 1 (clock-driven)",
        pathways=(Pathway(event="pre", code="a += 1"),),
        parameters={"tau_a": number(20, "ms"), "tau_c": number(tau, "ms")},
    )
    ports = (Population(name="pre"), Population(name="post"))
    return Circuit(name="chain", populations=ports, projections=(Projection(name="s", synapse=synapse, pre="pre", post="post"),))


def test_equal_time_constants_have_a_value_and_a_slope():
    """The textbook solution divides by their difference; from event to event the limit t/tau exp(-t/tau) comes out, with finite gradients."""
    twin = Twin(chain(20.0), free=["s.tau_a", "s.tau_c"])
    seen = twin(run_of({"pre": [10 * MS], "post": []}, 50, dt=None, every=50))["s.c"][0, 0, 0]
    t, tau = 40 * MS, 20 * MS
    assert float(seen.detach()) == pytest.approx(t / tau * math.exp(-t / tau), rel=1e-12)
    slopes = torch.autograd.grad(seen, [twin.raw["s__tau_a"], twin.raw["s__tau_c"]])
    rates = [torch.autograd.grad(twin.value(p), twin.raw[p.replace(".", "__")])[0] for p in ("s.tau_a", "s.tau_c")]
    # c = (exp(-t/a) - exp(-t/b)) a/(a - b), differentiated and taken to a = b
    expected = [(t**2 / (2 * tau**3)) * math.exp(-t / tau), (t**2 / (2 * tau**3) - t / tau**2) * math.exp(-t / tau)]
    assert [float(s / r) for s, r in zip(slopes, rates, strict=True)] == pytest.approx(expected, rel=1e-6)


SMALLEST = "import numpy as np; print(float(np.float64(5e-324) * np.float64(1.0)) > 0)"
RUN = """
import warnings; warnings.simplefilter('ignore')
from bioneuro import protocol
from bioneuro.brian import simulate
from bioneuro.catalogue import song2000
for target in {targets!r}:
    simulate(song2000.pair(), protocol.pairing(lag='10 ms', pairs=2, stepping=protocol.clock('1 ms')), seed=0, target=target, strict={strict})
import torch, bioneuro.twin
"""


def keeps_small_numbers(targets: tuple[str, ...], *, strict: bool) -> None:
    script = RUN.format(targets=targets, strict=strict) + SMALLEST
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=Path(__file__).parent)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] == "True"


def test_strict_flags_have_no_fast_math():
    """Linked with it, a library makes the processor take small numbers for 0, for the whole process that loads it."""
    assert not {"-ffast-math", "-Ofast", "-funsafe-math-optimizations"} & set(STRICT)
    assert np.float64(5e-324) * np.float64(1.0) > 0
    assert float(torch.tensor(5e-324, dtype=torch.float64) * 1.0) > 0


@pytest.mark.slow
@pytest.mark.parametrize("strict", [True, False])
def test_no_engine_takes_small_numbers_for_zero(strict):
    """Fast-math included: the standalone program is a process of its own."""
    keeps_small_numbers(("numpy", "cpp"), strict=strict)


@pytest.mark.slow
@pytest.mark.parametrize("strict", [True, False])
def test_cython_leaves_small_numbers_alone(strict):
    """What it compiles is loaded into this very process."""
    keeps_small_numbers(("cython",), strict=strict)
