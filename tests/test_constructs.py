"""The twin and Brian2 agree on every construct, in one network; what the twin refuses, it refuses by its code; the page of the manual says so."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from constructs import CELLS, SYNAPSES, circuit, on_clock
from support import PAGE, REFUSED, page

from bioneuro import Twin, brian
from bioneuro.model import ModelError
from bioneuro.recording import Recording
from bioneuro.text import TextError
from bioneuro.twin import TwinError
from bioneuro.verify import verify

SEED = 4


@pytest.fixture(scope="module")
def twin() -> Recording:
    return Twin(circuit())(on_clock(), seed=SEED).detached()


@pytest.mark.parametrize("target", ["numpy", "cpp"])
def test_every_construct_runs_alike(target: str, twin: Recording, ledger: Callable[..., None]) -> None:
    seen = brian.simulate(circuit(), on_clock(), seed=SEED, target=target)
    found = verify(seen, against=twin, tolerance=1e-10)
    assert found, str(found)
    assert not found.ties
    quiet = {name for name in CELLS if not seen.spikes[name].steps.size}
    assert not quiet, "a construct whose neurons never spike shows nothing"
    worst = max(row.difference for row in found.rows if not row.quantity.endswith("spikes"))
    ledger("constructs", f"Brian2 on {target}", "largest relative difference of a trace; spikes equal", worst, 1e-10)


@pytest.mark.slow
def test_every_synapse_does_something(twin: Recording) -> None:
    """A projection whose weight is nothing changes the run: none of them is there for show."""
    whole = circuit()
    for name in SYNAPSES:
        others = tuple(p for p in whole.projections if p.name != name)
        without = Twin(dataclasses.replace(whole, projections=others))(on_clock(), seed=SEED).detached()
        assert any(not np.array_equal(twin[f"{p}.v"], without[f"{p}.v"]) for p in ("target", "relay", "momentary")), name


@pytest.mark.parametrize("segments", ["auto", pytest.param(5, marks=pytest.mark.slow)])
def test_segments_change_nothing(segments: Any) -> None:
    """Same traces, same spikes, same gradients, bit for bit, with delays across segments and noise."""
    free = ["target.tau", "delays.w", "noise_euler.sigma", "every.scale", "by_rk4.Delta"]
    found = []
    for kept in (None, segments):
        made = Twin(circuit(), free=free, segments=kept, detach_reset=True)
        seen = made(on_clock(0.01), seed=SEED)
        total = sum(x.sum() for x in seen.traces.values()) + sum(r.sum() for r in seen.raster.values())
        total.backward()
        found.append((seen, [p.grad for p in made.raw.values()]))
    (a, plain), (b, again) = found
    assert all(torch.equal(a[path], b[path]) for path in a.traces)
    assert all(torch.equal(a.raster[name], b.raster[name]) for name in a.raster)
    assert all(torch.equal(x, y) and torch.isfinite(x).all() for x, y in zip(plain, again, strict=True))


@pytest.mark.parametrize("code", REFUSED)
def test_what_is_refused_says_what_and_where(code: str) -> None:
    _, make, named = REFUSED[code]
    with pytest.raises((TwinError, ModelError, TextError), match=named) as caught:
        make()
    if isinstance(caught.value, TwinError):
        assert caught.value.code == code
        assert str(caught.value).startswith(code)


def test_the_page_is_that_of_these_tests() -> None:
    """`python tests/support.py` writes it anew."""
    assert Path(PAGE).read_text(encoding="utf-8") == page()
