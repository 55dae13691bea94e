"""What the report says is so, and what it advises helps."""

import dataclasses
import re
import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bioneuro import bss2
from bioneuro.brian import simulate
from bioneuro.bss2.functions import PLAIN
from bioneuro.bss2.report import KINDS
from bioneuro.catalogue import graupner2012, luboeinski2021, song2000
from bioneuro.model import Circuit, Pathway, Population, Projection, Synapse, parameter
from bioneuro.protocol import Events, Protocol, Spikes

STC = luboeinski2021.CIRCUITS["luboeinski2021 single synapse"]()
SONG = song2000.CIRCUITS["song2000 all to all"]()
LEAK, TAGGED = "(leak/tau_h)*-(h - h0)", "(1/tau_z)*(p - 0)*-(z - 1)"

RULE = """dc/dt = -c/tau_c : 1
dx/dt = up*(1 - x)*int(c >= theta) - x/tau_x : 1
"""


def circuit(tau_x: float = 100.0, up: float = 5.0, theta: float = 1.0, other: str = "") -> Circuit:
    """A calcium trace, and a variable that it lifts at the rate `up` (Hz) and that leaks with `tau_x` (s)."""
    numbers = {
        "tau_c": parameter(20, "ms", low=1, high=1e3, says="decay of c", source="here"),
        "tau_x": parameter(tau_x, "second", low=1e-3, high=1e9, says="decay of x", source="here"),
        "up": parameter(up, "Hz", low=0, high=1e6, says="rate", source="here"),
        "theta": parameter(theta, low=0, high=100, says="threshold", source="here"),
        "over": parameter(1.001, low=0, high=100, says="another threshold", source="here"),
    }
    names = set(re.findall(r"\w+", RULE + other))
    synapse = Synapse(
        name="rule",
        equations=RULE + other,
        pathways=(Pathway(event="pre", code="c += 1.5"),),
        parameters={k: v for k, v in numbers.items() if k in names},
        initial={"x": parameter(0.75, low=0, high=1, says="start", source="here")},
    )
    ends = (Population(name="a"), Population(name="b"))
    return Circuit(name="small", populations=ends, projections=(Projection(name="syn", synapse=synapse, pre="a", post="b"),))


def kinds(report: bss2.Report) -> set[tuple[str, str, str]]:
    return {(f.kind, f.path, f.what) for f in report.findings if f.kind != "converter"}


def test_what_is_known_of_tagging_and_capture() -> None:
    """As eight hours of it show: 16 bits to the nearest freeze, 24 stop short, by chance 16 bits lose nothing unless a draw has 8."""
    fine = bss2.report(STC, bss2.Hardware(draws=16))
    assert fine
    assert not kinds(fine)
    frozen = bss2.report(STC, bss2.Hardware(rounding="nearest"))
    assert not frozen
    assert {k for k, _, _ in kinds(frozen)} == {"frozen"}
    assert {("frozen", "stc.h", LEAK), ("frozen", "stc.z", TAGGED), ("frozen", "stc.p", "(alpha/tau_p)")} < kinds(frozen)
    assert {k for k, _, _ in kinds(bss2.report(STC, bss2.Hardware(bits=24, rounding="nearest")))} == {"stalls"}
    assert not kinds(bss2.report(STC, bss2.Hardware(bits=32, rounding="nearest")))
    few = bss2.report(STC, bss2.Hardware(draws=8))
    assert {k for k, _, _ in kinds(few)} == {"chance"}
    (leak,) = (f for f in few.findings if f.what == LEAK)
    assert {"draws": 16} in leak.changes
    assert any("rarely" in c for c in leak.changes)
    assert not kinds(bss2.report(STC, bss2.Hardware(draws=8, rarely=100)))
    assert {k for k, _, _ in kinds(bss2.report(STC, bss2.Hardware(bits=8, draws=8)))} == {"lost"}
    assert ("drift", "stc.h", LEAK) in kinds(bss2.report(STC, bss2.Hardware(rounding="truncate")))


HARDWARE = st.builds(
    bss2.Hardware,
    bits=st.integers(6, 26),
    fraction=st.none() | st.integers(0, 22),
    rounding=st.sampled_from(bss2.ROUNDINGS),
    draws=st.sampled_from(bss2.DRAWS),
    centred=st.booleans(),
    rarely=st.sampled_from([1, 3, 100]),
    period=st.sampled_from(["1 ms", "10 ms", "50 ms"]),
    converter=st.sampled_from([(30, 210), (0, 255), (100, 110)]),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(HARDWARE, st.sampled_from([1.0, 100.0, 1e4]), st.sampled_from([0.05, 5.0]), st.sampled_from([0.97, 1.0]))
def test_every_remedy_removes_its_finding(hardware: bss2.Hardware, tau_x: float, up: float, theta: float) -> None:
    made = circuit(tau_x, up, theta)
    report = bss2.report(made, hardware)
    assert bool(report) == (not kinds(report))
    for found in report.findings:
        assert found.kind in KINDS
        assert found.observed
        assert found.remedy
        for changes in found.changes:
            now = kinds(bss2.report(made, dataclasses.replace(hardware, **changes)))
            assert (found.kind, found.path, found.what) not in now, (found, changes)
        assert found.changes or found.kind in ("converter", "imprecise"), found


def test_the_remedy_is_the_smallest_that_does() -> None:
    for hardware, kind, field in (
        (bss2.Hardware(rounding="nearest", bits=18), "stalls", "bits"),
        (bss2.Hardware(bits=8, draws=8, fraction=4), "lost", "bits"),
        (bss2.Hardware(bits=10, fraction=2), "lost", "fraction"),
    ):
        found = next(f for f in bss2.report(circuit(), hardware).findings if f.kind == kind)
        (changes,) = (c for c in found.changes if set(c) == {field})
        less = {field: changes[field] - 1} if field == "fraction" else {field: {**changes[field], found.path: changes[field][found.path] - 1}}
        again = bss2.report(circuit(), dataclasses.replace(hardware, **less))
        assert any((f.path, f.what) == (found.path, found.what) for f in again.findings), (kind, changes)


def course(hardware: bss2.Hardware) -> Any:
    """x over 20 s without a spike."""
    none = Spikes(stimulus=[], unit=[], time=[])
    reads = [np.arange(0.5, 20, 0.5).tolist()]
    todo = Protocol(name="rest", stepping=Events(), trials={}, stimulus=[0], reads=reads, spikes={"a": none, "b": none}, record=("syn.x",))
    return simulate(bss2.constrain(circuit(), hardware), todo, seed=1, target="numpy").traces["syn.x"].ravel()


def test_what_is_frozen_never_moves_and_thaws_by_each_remedy() -> None:
    hardware = bss2.Hardware(bits=12, rounding="nearest", period="100 ms", ranges={"syn.c": (0, 2)})
    with pytest.warns(UserWarning, match="takes to decay"):
        still = course(hardware)
    found = next(f for f in bss2.report(circuit(), dataclasses.replace(hardware, bits=10)).findings if f.what == "(-1/tau_x)*(x - 0)")
    assert found.kind == "stalls"
    assert np.ptp(still) > 0
    hardware = dataclasses.replace(hardware, bits=8)
    found = next(f for f in bss2.report(circuit(), hardware).findings if f.what == "(-1/tau_x)*(x - 0)")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert found.kind == "frozen"
        assert np.ptp(course(hardware)) == 0
        assert len(found.changes) >= 2
        for changes in found.changes:
            assert course(dataclasses.replace(hardware, **changes))[-1] < 0.75, changes


@pytest.mark.parametrize("centred", [False, True])
def test_a_chance_is_off_by_no_more_than_reported(centred: bool) -> None:
    """The mean over all draws of 8 bits, of the leak at half of its range."""
    hardware = bss2.Hardware(draws=8, centred=centred)
    for found in (f for f in bss2.report(circuit(tau_x=300.0), hardware, share=1e-4).findings if f.kind == "chance"):
        change = float(re.findall(r"^(\S+) steps", found.observed)[0])
        bound = float(re.findall(r"off by up to (\S+)%", found.observed)[0]) / 100
        wide = round(change * 2**16)
        half = 2 ** (16 - 8 - 1) if centred else 0
        for sign in (1, -1):
            mean = PLAIN["ppu_round"](sign * wide, 16, half, np.arange(256) << 24).mean()
            assert abs(mean - sign * wide / 2**16) <= bound * change + 2**-17


def test_thresholds_converters_and_sensors() -> None:
    two = circuit(other="dy/dt = up*int(c >= over) - y/tau_x : 1\n")
    merged = [f for f in bss2.report(two, bss2.Hardware()).findings if f.kind == "merged"]
    assert [(f.path, f.what) for f in merged] == [("syn.c", "c >= theta and c >= over")]
    assert not [f for f in bss2.report(circuit(), bss2.Hardware()).findings if f.kind == "merged"]
    (span,) = (f for f in bss2.report(circuit(), bss2.Hardware(ranges={"syn.c": (0, 3)})).findings if f.kind == "converter")
    assert "counts 30 to 210 are 0 to 3, 0.01667 each" in span.observed
    assert span.path == "syn.c"
    song = bss2.report(SONG, bss2.Hardware(draws=8, bits=8), weight="stdp.w")
    assert {k for k, _, _ in kinds(song)} == {"sensor"}
    assert song.findings[0].changes == ({"amplitude": 1.0},)
    assert "2 events at full strength" in song.findings[0].observed
    assert bss2.report(SONG, bss2.Hardware(draws=8, bits=8, amplitude=1.0), weight="stdp.w")
    outside = bss2.report(circuit(), bss2.Hardware(ranges={"syn.x": (-1, 1)}))
    assert [(f.what, f.changes) for f in outside.findings if f.kind == "overflow"] == [("x - 1", ({"ranges": {}},))]
    fast = [f for f in bss2.report(circuit(up=500.0), bss2.Hardware()).findings if f.kind == "overflow"]
    assert [f.what for f in fast] == ["(up)*-(x - 1)"]
    assert fast[0].changes[0]["period"] == "2 ms"


def test_the_period_and_no_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (late,) = (f for f in bss2.report(circuit(), bss2.Hardware(period="30 ms")).findings if f.kind == "period")
    assert late.path == "syn.c"
    assert "20 ms" in late.observed
    assert late.changes == ({"period": "15 ms"},)
    real = bss2.report(circuit(), bss2.Hardware(bits=None, period="10 ms"))
    assert real
    assert not real.findings


def test_as_text() -> None:
    for made, hardware in ((STC, bss2.Hardware(bits=8, draws=8)), (graupner2012.CIRCUITS["graupner2012 DP bistable"](), bss2.Hardware(bits=8))):
        report = bss2.report(made, hardware)
        lines = str(report).splitlines()
        assert max(map(len, lines)) <= 100
        assert "loss" in lines[0] + lines[1]
        assert all(f.path in lines for f in report.findings)
        assert all(re.search(rf"^{f.kind}: ", str(report), re.M) for f in report.findings if f.kind != "converter")
        assert all(re.search(r"\d", f.remedy) or f.kind == "converter" for f in report.findings)
