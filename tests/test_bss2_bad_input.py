"""Hardware, rules and periodic code that make no sense are refused by name, with what is allowed and what to do."""

import dataclasses
import warnings
from collections.abc import Callable
from typing import Any

import pytest

from bioneuro import brian, bss2, protocol, units
from bioneuro.bss2 import ConstrainError, Hardware, constrain
from bioneuro.catalogue import clopath2010, luboeinski2021, song2000, vanrossum2000, vogels2011
from bioneuro.model import Circuit, Every, ModelError, Pathway, Population, Projection, Synapse, parameter
from bioneuro.plan import plan
from bioneuro.protocol import Events, Protocol, ProtocolError, Spikes, clock
from bioneuro.sizes import TextError
from bioneuro.twin import Twin
from bioneuro.units import UnitError

STC = luboeinski2021.CIRCUITS["luboeinski2021 single synapse"]()
MADE = constrain(STC, Hardware())
NONE = Spikes(stimulus=[], unit=[], time=[])
REST = Protocol(
    name="rest", stepping=Events(), trials={}, stimulus=[0], reads=[[0.5]], spikes={"pre": NONE, "post": NONE}, record=("stc.h",)
)

HARDWARE: list[tuple[dict[str, Any], str]] = [
    (dict(bits=5), "hardware.bits: 5 is not allowed; give a whole number from 6 to 32"),
    (dict(bits=True), "hardware.bits: True is not allowed"),
    (dict(bits=12.0), "hardware.bits: 12.0 is not allowed; give a whole number"),
    (dict(bits={"stc.h": 8}), "hardware.bits: .* has no width for other variables; add one, such as '': 16"),
    (dict(bits={"": 8, "stc.h": 99}), r"hardware.bits\['stc.h'\]: 99 is not allowed; give a whole number from 6 to 32"),
    (dict(fraction=29), "hardware.fraction: 29 is not allowed; give a whole number from 0 to 28"),
    (dict(rounding="stochastc"), "hardware.rounding: 'stochastc' is unknown; allowed: 'nearest', .* Did you mean 'stochastic'"),
    (dict(rounding="down"), "hardware.rounding: 'down' is unknown; allowed: 'nearest'"),
    (dict(draws=12), "hardware.draws: 12 is unknown; allowed: 'ideal', 8, 16, 24"),
    (dict(draws="ideall"), "hardware.draws: .* Did you mean 'ideal'"),
    (dict(draws=True), "hardware.draws: True is unknown"),
    (dict(reads=0), "hardware.reads: 0 is not allowed; give a whole number from 1 to 64"),
    (dict(rarely=1.5), "hardware.rarely: 1.5 is not allowed; give a whole number"),
    (dict(weight_bits=17), "hardware.weight_bits: 17 .* from 1 to 16"),
    (dict(converter=(210, 30)), r"hardware.converter: \(210, 30\) is no range of counts; allowed: 0 <= low < high <= 255"),
    (dict(converter=(0, 256)), "hardware.converter: .*<= 255"),
    (dict(period="0 ms"), "hardware.period: '0 ms' is not above 0 s; give a time such as '10 ms'"),
    (dict(period="10 mV"), r"hardware.period: expected a value in 'second' .* but got '10 mV' \(volt\)"),
    (dict(period=10), "hardware.period: .* but got 10"),
    (dict(amplitude=0), "hardware.amplitude: 0 is not allowed; give a number from 0.01 to 100"),
    (dict(amplitude=float("nan")), "hardware.amplitude: nan is not allowed"),
    (dict(speedup=-1), "hardware.speedup: -1 is not allowed"),
    (dict(converter_noise=-1), "hardware.converter_noise: -1 is not allowed; give a number from 0"),
    (dict(mismatch={"stc.tau_Ca": 2}), r"hardware.mismatch\['stc.tau_Ca'\]: 2 is not allowed; give a number from 0 to 1"),
    (dict(seed=-1), "hardware.seed: -1 is not allowed"),
]


@pytest.mark.parametrize(("numbers", "message"), HARDWARE)
def test_numbers_that_no_hardware_has(numbers: dict[str, Any], message: str) -> None:
    with pytest.raises((ConstrainError, UnitError), match=message):
        Hardware(**numbers)


NAMES = r"\['stc.h', 'stc.p', 'stc.z'\], which circuit 'luboeinski2021' has"
MISFITS: list[tuple[dict[str, Any], str]] = [
    (dict(bits={"": 16, "stc.k": 8}), f"hardware.bits: 'stc.k' is not among {NAMES}. Did you mean"),
    (dict(bits={"": 16, "stc.Ca": 8}), f"hardware.bits: 'stc.Ca' is not among {NAMES}"),
    (dict(ranges={"stc.hh": (0, 1)}), "hardware.ranges: 'stc.hh' is not among .*'stc.Ca', 'stc.h'.* Did you mean 'stc.h'"),
    (dict(ranges={"stc.h": ("0 mV", "1 ms")}), r"hardware.ranges\['stc.h'\]: expected a value in 'volt' .* but got '1 ms'"),
    (dict(ranges={"stc.h": ("10 mV", "0 mV")}), r"hardware.ranges\['stc.h'\]: \(0.01, 0\) is empty; give low < high"),
    (dict(ranges={"stc.h": 5}), r"hardware.ranges\['stc.h'\]: 5 is no range; give \(low, high\) with units"),
    (dict(ranges={"stc.h": ("0 mV", "5 mV")}), r"stc.h: h >= h0 \+ theta_tag is 0.0050409 .* 16 bits .* ends at 0.005; give a wider range"),
    (dict(ranges={"stc.Ca": (0, 2)}), r"stc.Ca: Ca >= theta_p is 3 .* outside the converter's \(30, 210\); give a wider range, hardware.ranges"),
    (dict(mismatch={"stc.tau_h": 0.1}), r"hardware.mismatch: 'stc.tau_h' is not among \['stc.Cpost', 'stc.Cpre', 'stc.tau_Ca'\]"),
    (dict(mismatch={"stc.tau_Cb": 0.1}), "hardware.mismatch: 'stc.tau_Cb' .* Did you mean 'stc.tau_Ca'"),
    (dict(period="100 s", fraction=28), "stc.h: .* is 239 steps per update .* 32-bit number with 28 bits .* choose a period below .* or a smaller"),
]


@pytest.mark.filterwarnings("ignore:hardware.period")
@pytest.mark.parametrize("use", [constrain, bss2.report, bss2.budget])
@pytest.mark.parametrize(("numbers", "message"), MISFITS)
def test_numbers_that_do_not_fit_the_circuit(numbers: dict[str, Any], message: str, use: Callable[..., Any]) -> None:
    with pytest.raises((ConstrainError, UnitError), match=message):
        use(STC, Hardware(**numbers))


def test_weights_and_shares() -> None:
    with pytest.raises(ConstrainError, match=f"weight: 'stc.hh' is not among {NAMES}. Did you mean 'stc.h'"):
        constrain(STC, Hardware(), weight="stc.hh")
    with pytest.raises(ConstrainError, match=r"stc.h: the rule gives it no bounds; give hardware.ranges\['stc.h'\] = \(low, high\)"):
        constrain(STC, Hardware(), weight="stc.h")
    with pytest.raises(ConstrainError, match=r"stc.z: a weight of the chip goes from 0 up, not from -0.5 to 1; shift the rule"):
        constrain(STC, Hardware(ranges={"stc.z": (-0.5, 1)}), weight="stc.z")
    for share in (0, 1, "1 %", True, float("nan")):
        with pytest.raises(ConstrainError, match=r"report.share: .* is not allowed; give a number between 0 and 1, such as 0.01"):
            bss2.report(STC, Hardware(), share=share)  # type: ignore[arg-type]


def test_an_increment_keeps_no_more_bits_than_48_with_the_width() -> None:
    assert [Hardware(bits=b, fraction=f).below("stc.h") for b, f in ((32, 28), (16, 28), (8, None), (32, None))] == [16, 28, 28, 16]
    assert [Hardware(bits=b, draws=8).below("stc.h") for b in (8, 16, 32)] == [8, 16, 16]


RULES = [
    ("ends", clopath2010.CIRCUITS["clopath2010 visual cortex"], "clopath: it uses V_spike_post.* of the neurons at its ends; allowed: .* keep"),
    ("sums", luboeinski2021.CIRCUITS["luboeinski2021 pathways"], r"stc: it sums over synapses \(total_post\); allowed: .* one synapse per neuron"),
    ("multiplicative", vanrossum2000.CIRCUITS["vanrossum2000"], "stdp.w: what a spike adds, .* depends on the digital w; allowed: .*; use a rule"),
    ("no bounds", vogels2011.CIRCUITS["vogels2011 inhibitory"], r"inhibitory.w: the rule gives it no bounds; give hardware.ranges"),
    ("constrained", lambda: MADE, "stc: it has periodic code; allowed: equations and pathways only; give the rule as it was before"),
]


@pytest.mark.parametrize(("make", "message"), [(r[1], r[2]) for r in RULES], ids=[r[0] for r in RULES])
def test_rules_that_do_not_fit(make: Callable[[], Circuit], message: str) -> None:
    for use in (constrain, bss2.report, bss2.budget):
        with pytest.raises(ConstrainError, match=message):
            use(make(), Hardware(bits=8))


def test_nothing_to_constrain() -> None:
    still = Synapse(name="still", equations="", pathways=(), parameters={})
    ends = (Population(name="a"), Population(name="b"))
    circuit = Circuit(name="net", populations=ends, projections=(Projection(name="ab", synapse=still, pre="a", post="b"),))
    with pytest.raises(ConstrainError, match="circuit 'net' has no synapse that learns, so there is nothing to constrain"):
        constrain(circuit, Hardware())


def test_a_long_period_is_warned_of() -> None:
    with pytest.warns(UserWarning, match=r"hardware.period: 60 ms is longer than stc.Ca takes to decay \(48.8 ms\).* choose a period below 24.4 ms"):
        constrain(STC, Hardware(period="60 ms"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        constrain(STC, Hardware(period="40 ms"))
        constrain(song2000.CIRCUITS["song2000 all to all"](), Hardware(period="1 s", bits=8, draws=8), weight="stdp.w")  # sensors gather


def test_what_takes_no_constrained_circuit() -> None:
    with pytest.raises(ValueError, match=r"T10, .*'stc.ppu_period'.*scan it instead"):
        Twin(MADE, free=["stc.ppu_period"])
    for stepping in (Events(), clock("1 ms")):
        with pytest.raises(ModelError, match=r"script: synapse 'stc' has periodic code .*; use brian.simulate"):
            brian.script(MADE, dataclasses.replace(REST, stepping=stepping))
    with pytest.raises(ProtocolError, match=r"'stc.ppu_period' is .* the period of updates, which cannot change during a run"):
        plan(MADE, protocol.during(REST, "stc.ppu_period", "20 ms", "0.1 s", "0.2 s"), seed=0)
    changed = dataclasses.replace(REST, settings={"stc.ppu_period": [0.02]}, dimensions={"stc.ppu_period": units.unit("second").dimensions})
    with pytest.raises((ProtocolError, ModelError), match=r"ppu_period"):
        plan(MADE, changed, seed=0)
    slower = constrain(STC, Hardware(period="20 ms")).projections[0]
    with pytest.raises(ModelError, match="its synapses are updated with several periods; a processor has one: give all of them that"):
        dataclasses.replace(MADE, projections=(*MADE.projections, dataclasses.replace(slower, name="other")))


NUMBERS = {"T": parameter(1, "ms", low=0.1, high=10), "V": parameter(1, "mV"), "n": parameter(3, "integer")}


def updated(code: str, period: str = "T", **changed: Any) -> Synapse:
    states = "w : integer\nv : 1\nb : boolean\nu : volt"
    return Synapse(name="s", equations=states, pathways=(), parameters={**NUMBERS, **changed}, every=Every(period=period, code=code))


KNOWN = r"is not known here. Known: \['T', 'V', 'b', 'n', 'u', 'updates', 'v', 'w'\]"
CODE: list[tuple[str, str]] = [
    ("w = q_post", f"s.every, 'w = q_post': 'q_post' {KNOWN}"),
    ("w = 1; w_post = 2", f"s.every, 'w_post = 2': 'w_post' {KNOWN}"),
    ("w = N_pre", f"'N_pre' {KNOWN}"),
    ("w = i", f"s.every, 'w = i': 'i' {KNOWN}"),
    ("w = x + 1", f"'x' {KNOWN}"),
    ("w = xi", f"'xi' {KNOWN}"),
    ("b = True", "s.every, 'b = True': 'b' is boolean; declare it as integer and use 0 and 1"),
    ("T = 2*T", "s.every: 'T' is a parameter, which stays as it is during a run; states that can be changed"),
    ("updates = 3", "s.every: 'updates' is not a state; states that can be changed"),
    ("mV = 1", "s.every, 'mV = 1': 'mV' is the name of a unit; rename the variable"),
    ("w = u", "s.every, 'w = u': 'u' is in volt, expected no unit; correct"),
    ("w = rand()", "rand.* draws numbers that no seed reaches"),
    ("w = ppu_ad(w, 1, 8)", r"every, line 1: got the call 'ppu_ad\(w, 1, 8\)'; allowed: the functions .*ppu_add"),
    ("w = ppu_add(w, 1)", r"every, line 1: got the call 'ppu_add\(w, 1\)'; allowed: 3 plain arguments of ppu_add; rewrite it"),
    ("import os", "every, line 1: got 'import os'; allowed: 'name = expression'"),
    ("w = w.real", "every, line 1: got '.real'"),
]


@pytest.mark.parametrize(("code", "message"), CODE)
def test_periodic_code(code: str, message: str) -> None:
    with pytest.raises((ModelError, TextError, UnitError), match=message):
        updated(code)


def test_periods_and_functions_elsewhere() -> None:
    with pytest.raises(ModelError, match=r"s.every.period: it is empty; name a parameter that is a time"):
        updated("w = 1", "")
    with pytest.raises(ModelError, match=r"s.every.period: 'S' is not a parameter; allowed: one of \['T'\]"):
        updated("w = 1", "S")
    with pytest.raises(ModelError, match=r"s.every.period: 'V' is no time"):
        updated("w = 1", "V")
    for period in (parameter([1, 2], "ms"), parameter(0, "ms")):
        with pytest.raises(ModelError, match=r"s.every.period: 'T' is .*; give one time above 0 for all synapses"):
            updated("w = 1", T=period)
    message = r"ppu_add\(\) is a function of a processor; it has a meaning in periodic code only \(Synapse.every\)"
    for equations, code in (("w : 1", "w = ppu_add(1, 1, 8)"), ("dw/dt = ppu_add(1, 1, 8)/T : 1", "")):
        with pytest.raises(ModelError, match=message):
            Synapse(name="s", equations=equations, pathways=(Pathway(event="pre", code=code),), parameters=NUMBERS)


@pytest.mark.parametrize("value", [1.5, 2**31, -(2**31), [1, 2.5], float("nan")])
def test_integers(value: Any) -> None:
    with pytest.raises(ModelError, match=r"parameter \(n\): .* is (no integer of 32 bits; give whole numbers|not finite)"):
        parameter(value, "integer", says="n")
