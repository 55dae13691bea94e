"""A constrained circuit: the same numbers on every engine at every width and rounding, and the rule itself where nothing is rounded."""

import dataclasses
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioneuro import bss2, protocol, units
from bioneuro.brian import simulate
from bioneuro.bss2.scales import mantissa
from bioneuro.catalogue import graupner2012, luboeinski2021, song2000
from bioneuro.model import Circuit, Projection, delayed
from bioneuro.protocol import Protocol, Train
from bioneuro.recording import Recording

MODEL = "BrainScaleS-2 integers"
WIDTHS = (8, 12, 16, 24, 32)
KINDS: Mapping[str, list[dict[str, Any]]] = {
    "fixed": [dict(bits=b, rounding=r) for b in WIDTHS for r in ("nearest", "truncate")],
    "ideal": [dict(bits=b, fraction=f) for b in WIDTHS for f in (None, 8)],
    "byte": [dict(bits=b, draws=8, centred=c) for b in WIDTHS for c in (False, True)],
    "halfword": [dict(bits=b, draws=16, fraction=f) for b in WIDTHS for f in (None, 12)],
    "three": [dict(bits=b, draws=24, fraction=f) for b in WIDTHS for f in (None, 14)],
    "rarely": [dict(bits=b, draws=8, rarely=k) for b in WIDTHS for k in (3, 50)],
}
"""Programs by their text, and the hardware that runs each: everything else is a number, so they are trials of one run."""


def placed(name: str, circuit: Circuit, hardware: Mapping[str, Any], **weight: str) -> Projection:
    """The constrained synapse of a circuit, under another name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a period longer than calcium lasts, which is chosen on purpose
        (made,) = bss2.constrain(circuit, bss2.Hardware(**hardware), **weight).projections
    return dataclasses.replace(made, name=name)


def all_kinds(todo: Protocol, period: str = "10 ms") -> tuple[Circuit, Protocol]:
    """Every program in one circuit, every hardware a trial of it."""
    stc = luboeinski2021.single()
    found = {f"stc_{kind}": [placed(f"stc_{kind}", stc, {**h, "period": period}) for h in row] for kind, row in KINDS.items()}
    bistable = graupner2012.pair("DP", graupner2012.DOUBLE_WELL).with_values({"calcium.D": "18.8 ms"})
    found["rho"] = [placed("rho", bistable, dict(bits=h["bits"], draws=16, converter_noise=0.7, period=period)) for h in KINDS["byte"]]
    # All hear one port after one delay: both spikes of a pair are the same, and each meets the trace of the others.
    stdp = song2000.pair()
    late = delayed(stdp.projections[0].synapse, axonal="18.8 ms", dendritic="18.8 ms")
    stdp = dataclasses.replace(stdp, projections=(dataclasses.replace(stdp.projections[0], synapse=late, post="pre"),))
    found["w"] = [placed("w", stdp, dict(bits=h["bits"], draws=8, amplitude=2.0, period=period), weight="stdp.w") for h in KINDS["byte"]]
    settings, known = {}, {}
    for name, row in found.items():
        assert len({p.synapse.every.code for p in row if p.synapse.every}) == 1
        for key, p in row[0].synapse.parameters.items():
            values = np.array([float(one.synapse.parameters[key].value) for one in row])
            if np.ptp(values):
                settings[f"{name}.{key}"], known[f"{name}.{key}"] = values, units.unit(p.unit).dimensions
    circuit = dataclasses.replace(stc, name="all_kinds", projections=tuple(row[0] for row in found.values()))
    return circuit, dataclasses.replace(todo, settings=settings, dimensions=known)


def trains(*, count: int, every: str, duration: str, repetitions: int = 10, record: tuple[str, ...] = ()) -> Protocol:
    """Tetani like those of the strong protocol, one hardware per repetition."""
    reads = [f"{t} s" for t in np.linspace(0.5, float(duration.split()[0]) - 2.0, 7).round(3)]
    train = Train("100 Hz", "1 s", count=count, every=every)
    return protocol.induction(train, start="1 s", duration=duration, reads=reads, repetitions=repetitions, record=record)


def differing(a: Recording, b: Recording) -> int:
    """Readings of integers that differ; what is analog goes through exp and is not counted."""
    integers = ("h", "z", "p", "rho", "w", "register_1", "register_2", "register_3")
    return sum(int((a.traces[k] != b.traces[k]).sum()) for k in a.traces if k.partition(".")[2] in integers)


@pytest.mark.slow
def test_every_width_and_rounding_gives_the_same_integers_in_cpp_and_numpy(ledger: Callable[..., None]) -> None:
    circuit, todo = all_kinds(trains(count=2, every="6 s", duration="14 s"))
    by_cpp, by_numpy = (simulate(circuit, todo, seed=5, target=target) for target in ("cpp", "numpy"))
    assert len(np.unique(by_cpp["stc_halfword.h"])) > 40
    ledger(MODEL, "NumPy", "integers that differ between C++ and NumPy, 8 programs x 10 widths, 1400 updates", differing(by_cpp, by_numpy), 0)


@pytest.mark.slow
def test_a_whole_protocol_gives_the_same_integers_in_cpp_and_numpy(ledger: Callable[..., None]) -> None:
    """Strong tetanus, seven hours on, every program and width, in 10 080 updates of 2.5 s: NumPy takes milliseconds for each of them."""
    circuit, todo = all_kinds(trains(count=3, every="600 s", duration="25200 s"), period="2.5 s")
    by_cpp, by_numpy = (simulate(circuit, todo, seed=5, target=target) for target in ("cpp", "numpy"))
    ledger(MODEL, "NumPy", "integers that differ between C++ and NumPy, strong tetanus and 7 h, 10 080 updates", differing(by_cpp, by_numpy), 0)


def test_integers_become_the_rule_as_they_grow_wide(ledger: Callable[..., None]) -> None:
    """32 bits with nearest rounding and a fine converter are the same steps in real numbers."""
    todo = trains(count=2, every="6 s", duration="14 s")
    circuit = luboeinski2021.single().with_values({"stc.sigma_pl": "0 mV"})
    kinds = bss2.Hardware(bits=None), bss2.Hardware(bits=32, rounding="nearest")
    real, wide = (simulate(bss2.constrain(circuit, h), todo, seed=5, target="numpy") for h in kinds)
    scale = {"stc.h": 4.2e-3, "stc.z": 1e-3, "stc.p": 1e-2}
    # A count is 1/30 of calcium: a threshold is crossed an update sooner or later at most, in some of the crossings.
    worst = max(float(np.abs(real[k] - wide[k]).max()) / s for k, s in scale.items())
    ledger(MODEL, "the same steps in real numbers", "32 bits, nearest: largest difference of h/h0, z and p after two tetani", worst, 0.03)


def test_the_period_alone_converges_to_the_rule(ledger: Callable[..., None]) -> None:
    """Without noise, Euler's steps of 10, 5 and 2.5 ms against the exact event run: the error falls in proportion."""
    circuit = luboeinski2021.single().with_values({"stc.sigma_pl": "0 mV"})
    todo = trains(count=1, every="6 s", duration="4.5 s", repetitions=200, record=("stc.h",))
    exact = simulate(circuit, todo, seed=5, target="numpy")["stc.h"]
    made = bss2.constrain(circuit, bss2.Hardware(bits=None))
    errors = []
    for period in ("10 ms", "5 ms", "2.5 ms"):
        seen = simulate(made.with_values({"stc.ppu_period": period}), todo, seed=5, target="numpy")["stc.h"]
        errors.append(float(np.sqrt(np.mean((seen - exact) ** 2))) / 4.20075e-3)
    order = float(np.log(errors[0] / errors[2]) / np.log(4))
    assert errors[2] < errors[1] < errors[0]
    ledger(MODEL, "exact event run", "1 - order in the period of h after a tetanus (10 to 2.5 ms)", 1 - order, 0.2)


@pytest.mark.slow
def test_the_calcium_rule_of_graupner_and_brunel_in_16_bits(ledger: Callable[..., None]) -> None:
    """60 pairs at three lags from both states, an update every ms, 300 draws each: real numbers and integers see the same noise."""
    circuit = graupner2012.pair("DP").with_values({"calcium.Cpre": 1.07})  # one presynaptic spike at DP reaches theta_d exactly
    todo = protocol.pairing(["-20 ms", "5 ms", "20 ms"], "1 Hz", pairs=60, repetitions=300, initial={"calcium.rho": [0, 1]}, record=("calcium.rho",))
    exact = simulate(circuit, todo, seed=2)["calcium.rho"][:, -1, 0].reshape(6, 300)
    kinds = bss2.Hardware(bits=None, period="1 ms"), bss2.Hardware(period="1 ms")
    real, made = (simulate(bss2.constrain(circuit, h), todo, seed=2)["calcium.rho"][:, -1, 0].reshape(6, 300) for h in kinds)
    ledger(MODEL, "the same steps in real numbers, the same noise", "16 bits: mean efficacy of Graupner & Brunel's DP after 60 pairs",
           float(np.abs((made - real).mean(axis=1)).max()), 0.02)  # fmt: skip
    error = np.sqrt((exact.var(axis=1) + made.var(axis=1)) / 300)
    ledger(MODEL, "exact event run", "16 bits, 1 ms: the same against other draws, beyond 4 standard errors",
           float(np.maximum(np.abs(made.mean(axis=1) - exact.mean(axis=1)) - 4 * error, 0).max()), 0.02,
           "a threshold passed for milliseconds is seen in whole updates")  # fmt: skip


def test_a_converter_reads_calcium_as_it_is(ledger: Callable[..., None]) -> None:
    """A plain integer variable that keeps the count: (calcium + base)/step, rounded and clipped, at every update."""
    made = bss2.constrain(luboeinski2021.single(), bss2.Hardware())
    synapse = made.projections[0].synapse
    assert synapse.every is not None
    every = dataclasses.replace(synapse.every, code=synapse.every.code + "\nkept = Ca_n\nseen = Ca")
    synapse = dataclasses.replace(synapse, equations=synapse.equations + "\nkept : integer\nseen : 1", every=every)
    circuit = dataclasses.replace(made, projections=(dataclasses.replace(made.projections[0], synapse=synapse),))
    reads = [f"{0.011 * k:.3f} s" for k in range(1, 109)]
    todo = protocol.induction(Train("100 Hz", "1 s"), start="0 s", duration="1.2 s", reads=reads, repetitions=3, record=("stc.kept", "stc.seen"))
    seen = simulate(circuit, todo, seed=2, target="numpy")
    wanted = np.clip(np.rint(30 + seen["stc.seen"] * 30), 30, 210)
    assert seen["stc.kept"].max() == 210  # it saturates at twice the highest threshold
    ledger(MODEL, "calcium at the update", "counts off by more than rounding", float(np.abs(seen["stc.kept"] - wanted).max()), 0)


@given(st.floats(-1e6, 1e6, allow_subnormal=False).filter(lambda x: abs(x) > 1e-12), st.integers(6, 32))
def test_a_mantissa_fits_its_lane_and_is_as_near_as_it_allows(value: float, bits: int) -> None:
    m, s = (float(x) for x in mantissa(np.array(value), bits))
    assert 2 ** (bits - 2) <= abs(m) < 2 ** (bits - 1)
    assert m == round(m)
    assert abs(m * 2.0**-s / value - 1) <= 2.0 ** -(bits - 1)


def test_names_units_and_protocols_stay() -> None:
    """A constrained circuit records and is set like the circuit it was made from."""
    plain = graupner2012.pair("DP")
    made = bss2.constrain(plain, bss2.Hardware(bits=8))
    assert {k: u for k, u in made.projections[0].synapse.states.items() if k in ("c", "rho")} == dict(plain.projections[0].synapse.states)
    todo = protocol.pairing(lag=["-20 ms", "10 ms"], pairs=3, initial={"calcium.rho": [0, 1]})
    seen = simulate(made, todo, seed=1, target="numpy")
    lsb = float(made.values["calcium.rho_lsb"].value)
    assert set(np.unique(np.abs(seen["calcium.rho"] / lsb - np.rint(seen["calcium.rho"] / lsb)) < 1e-9)) == {True}
    assert seen["calcium.rho"].shape == simulate(plain, todo, seed=1, target="numpy")["calcium.rho"].shape


def test_what_steps_cannot_tell_apart_and_what_overshoots_is_said() -> None:
    """A threshold on both sides of a level within a step would count twice; a rate above 1 per update runs past its goal."""
    stc = luboeinski2021.single()
    with pytest.raises(bss2.ConstrainError, match=r"stc\.h: h0 \+ theta_pro and h0 - theta_pro fall on one integer"):
        bss2.constrain(stc.with_values({"stc.theta_pro": "0.01 mV"}), bss2.Hardware(bits=8))
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        bss2.constrain(stc, bss2.Hardware(rarely=1_000_000))
    assert any("stc.h: (leak/tau_h)" in str(w.message) and "1.45 times the distance" in str(w.message) for w in said)
    for weight, hardware in ((3, bss2.Hardware()), ("", None)):
        with pytest.raises(bss2.ConstrainError, match="such as"):
            bss2.constrain(stc, hardware, weight=weight)  # type: ignore[arg-type]


def test_a_chip_is_its_seed() -> None:
    """Mismatch and offsets are fixed patterns: equal for equal seeds, lognormal with the stated deviation, and other synapses differ."""
    n = 4000
    base = song2000.pair()
    many = dataclasses.replace(
        base,
        populations=tuple(dataclasses.replace(p, size=n) for p in base.populations),
        projections=(dataclasses.replace(base.projections[0], pairs=(np.arange(n), np.arange(n))),),
    )
    hardware = bss2.Hardware(mismatch={"stdp.tau_plus": 0.2}, seed=3)
    one, again, other = (bss2.constrain(many, h, weight="stdp.w") for h in (hardware, hardware, dataclasses.replace(hardware, seed=4)))
    assert one.digest == again.digest != other.digest
    spread = np.log(one.values["stdp.tau_plus"].value / many.values["stdp.tau_plus"].value)
    assert abs(spread.std() - 0.2) < 4 * 0.2 / np.sqrt(2 * n)
    assert abs(spread.mean()) < 4 * 0.2 / np.sqrt(n)
    assert one.values["stdp.tau_minus"].value.ndim == 0


def test_the_digest_of_a_synapse_without_periodic_code_is_as_before() -> None:
    """A field that says nothing is no part of it: recordings and figures made before stay valid."""
    assert song2000.pair().digest == "711e843663aa77ec0f092b772ac16f46aebf96d4a8b8912025587d7cc07b1351"
