"""from_brian and stimulus_of refuse by name what a circuit has no room for, and import nothing by halves."""

from collections.abc import Callable
from typing import Any

import brian2 as b2
import numpy as np
import pytest
from brian2 import Hz, NeuronGroup, PoissonGroup, SpikeGeneratorGroup, Synapses, TimedArray
from brian2.devices.device import reset_device
from brian2.units import ms, second

from bioneuro.brian.imported import FromBrianError, from_brian
from bioneuro.brian.imported_inputs import stimulus_of
from bioneuro.model import ModelError

pytestmark = pytest.mark.usefixtures("numpy_target")

LEAK = "dv/dt = -v/tau : 1"
TIMED = TimedArray(np.zeros((5, 2)), dt=1 * ms, name="timed")
OTHER = TimedArray(np.zeros(5), dt=1 * ms, name="other")
ODD = TimedArray(np.zeros(5), dt=0.25 * ms, name="odd")


@b2.check_units(x=1, result=1)
def doubled(x: Any) -> Any:
    return 2 * x


AROUND = {"tau": 10 * ms, "I_ext": TIMED, "other": OTHER, "odd": ODD, "doubled": doubled, "many": np.ones(3), "word": "text"}


def cells(model: str = LEAK, threshold: str = "v > 1", reset: str = "v = 0", **more: Any) -> NeuronGroup:
    return NeuronGroup(2, model, **{"threshold": threshold, "reset": reset, "method": "euler", "name": "cells", **more})


def net(group: NeuronGroup | None = None, model: str = "", on_pre: Any = "v_post += 1", **more: Any) -> list[Any]:
    group = group or cells()
    synapses = Synapses(group, group, model, on_pre=on_pre, **{"name": "net", "method": "euler", **more})
    synapses.connect(i=[0], j=[1])
    return [group, synapses]


def changed(objects: list[Any], **attributes: Any) -> list[Any]:
    """Objects with an attribute of the last one, or of a part of it, set by its path."""
    for path, value in attributes.items():
        owner = objects[-1]
        *parts, last = path.split("__")
        for part in parts:
            owner = getattr(owner, part)
        setattr(owner, last, value)
    return objects


def regular() -> list[Any]:
    group = cells()
    group.run_regularly("v = 0", dt=1 * ms)
    return [group]


def linked() -> list[Any]:
    one, two = cells(), NeuronGroup(2, "v : 1 (linked)", name="two")
    two.v = b2.linked_var(one, "v")
    return [one, two]


def summed_in_part() -> list[Any]:
    group = cells("dv/dt = -v/tau : 1\nfed : 1")
    group.fed = 1
    synapses = Synapses(group, group[1:], "fed_post = v_pre : 1 (summed)", name="ahead")
    synapses.connect(i=[0], j=[0])
    return [group, synapses]


def nested() -> list[Any]:
    group, first = net(model="w : 1")
    second_ = Synapses(group, first, on_pre="w_post += 1", name="onto")
    second_.connect(i=[0], j=[0])
    return [group, first, second_]


def empty() -> list[Any]:
    group = cells()
    return [group, Synapses(group, group, on_pre="v += 1", name="net")]


def operation() -> list[Any]:
    return [cells(), b2.NetworkOperation(lambda: None)]


CASES: dict[str, tuple[str, Callable[[], list[Any]], str]] = {
    "custom event": ("event", lambda: [cells(events={"rest": "v < 0"})], "cells.*rest"),
    "regular code": ("run_regularly", regular, "cells runs code"),
    "network operation": ("object", operation, "NetworkOperation"),
    "poisson input": ("object", lambda: [(g := cells()), b2.PoissonInput(g, "v", 10, 5 * Hz, weight=0.1)], "PoissonInput"),
    "spatial neuron": ("object", lambda: [b2.SpatialNeuron(b2.Soma(20 * b2.um), "Im = 0*amp/meter**2 : amp/meter**2", name="tree")], "SpatialNeuron"),
    "nothing": ("object", list, "no NeuronGroup"),
    "source not given": ("object", lambda: [*net()[1:], NeuronGroup(1, LEAK, name="else_")], "'cells' is not among the objects"),
    "synapses on synapses": ("synapses on synapses", nested, "onto.*net"),
    "linked variable": ("linked", linked, "two.*v"),
    "two clocks": ("clock", lambda: [cells(), cells(name="two", dt=1 * ms)], "cells 0.1 ms.*two 1 ms"),
    "index": ("index", lambda: [cells(LEAK.replace("-v", "i - v"))], "'i'"),
    "count": ("index", lambda: net(on_pre="v_post += 1.0/N_incoming"), "'N_incoming'"),
    "random": ("random", lambda: [cells(threshold="rand() < 0.1")], r"rand\(\)"),
    "own function": ("function", lambda: [cells(LEAK.replace("-v", "doubled(-v)"))], "doubled"),
    "function as a number": ("function", lambda: [cells(LEAK.replace("-v", "I_ext - v"))], "I_ext"),
    "unknown name": ("name", lambda: [cells(threshold="v > taw")], "'taw'.*Did you mean 'tau'"),
    "text in the namespace": ("name", lambda: [cells(threshold="v > word")], "'word'"),
    "array in the namespace": ("array", lambda: [cells(threshold="v > many")], r"\(3,\)"),
    "local variable": ("local", lambda: net(on_pre="dv = 2\nv_post += dv"), "'dv'"),
    "neuron changed in two ways": ("assignment", lambda: net(on_pre="v_post *= 0.5; v += 1"), r"'v_post'.*\*= and \+="),
    "numbered synapses": ("multisynaptic", lambda: net(multisynaptic_index="k"), "'k'"),
    "no synapse": ("empty", empty, "net"),
    "sum in a subgroup": ("summed", summed_in_part, "fed_post"),
    "GSL": ("method", lambda: [cells(method="gsl_rkf45")], "gsl_rkf45"),
    "own integrator": ("method", lambda: [cells(method=lambda *_: "")], "lambda"),
    "two arrays": ("timed array", lambda: [cells(LEAK.replace("-v", "I_ext(t, i) + other(t) - v"))], "one input"),
    "array called otherwise": ("timed array", lambda: [cells(LEAK.replace("-v", "other(t - tau) - v"))], "other"),
    "array of the wrong kind": ("timed array", lambda: [cells(LEAK.replace("-v", "other(t, i) - v"))], "other"),
    "array in a synapse": ("timed array", lambda: net(on_pre="v_post += other(t)"), "other"),
    "single precision": ("dtype", lambda: [cells(dtype=np.float32)], "float32"),
    "switched off": ("active", lambda: changed([cells()], active=False), "cells"),
    "slot": ("schedule", lambda: changed(net(), pre__when="resets"), "net_pre.*'resets'"),
    "order of synapses": ("order", lambda: changed(net(on_post="v_pre += 1"), pre__order=5), "net_p"),
    "stepped before its neuron": (
        "order", lambda: net(model="ds/dt = (v_post - s)/tau : 1 (clock-driven)", name="ahead"), "order=1",
    ),
    "summed late": ("order", lambda: changed(summed_in_whole(), _late__order=9), "sums after"),
    "constant over dt": ("constant over dt", lambda: net(model="s = v_post : 1 (constant over dt)"), "net"),
    "not finite": ("value", lambda: changed([cells()], v_=[np.nan, 0.0]), "'v'"),
    "schedule": ("schedule", lambda: changed([b2.Network(cells())], schedule=["groups", "start", "thresholds", "synapses", "resets", "end"]), "step"),
    "unit with a root": ("unit", lambda: [cells(f"{LEAK}\nds/dt = -s/tau : second**0.5")], "root"),
}  # fmt: skip


def summed_in_whole() -> list[Any]:
    group, synapses = net(cells("dv/dt = (fed - v)/tau : 1\nfed : 1"), "fed_post = v_pre : 1 (summed)", on_pre=None)
    synapses.add_attribute("_late")
    synapses._late = synapses.summed_updaters["fed_post"]
    return [group, synapses]


@pytest.mark.parametrize("case", CASES)
def test_refused_by_name(case):
    code, make, match = CASES[case]
    objects = make()
    with pytest.raises(FromBrianError, match=match) as caught:
        from_brian(*objects, namespace=AROUND)
    assert caught.value.code == code, str(caught.value)
    assert isinstance(caught.value, ModelError)


HOSTILE = (
    "__import__('os').system('true') > 0", "v.__class__ > 1", "v > 1 or [x for x in y]", "v > (lambda: 1)()", "v > 9**9**9", "v > '1'", "v > 1\x00",
)  # fmt: skip


@pytest.mark.parametrize("threshold", HOSTILE)
def test_text_of_a_live_object_passes_the_whitelist(threshold):
    with pytest.raises(FromBrianError) as caught:
        from_brian(cells(threshold=threshold), namespace=AROUND)
    assert caught.value.code in ("text", "function")


@pytest.mark.parametrize("code", ["v = 0; import os", "v = open('x')", "v.x = 1", "v = 1 if v else 2", "v := 1"])
def test_statements_pass_the_whitelist_too(code):
    with pytest.raises(FromBrianError) as caught:
        from_brian(cells(reset=code), namespace=AROUND)
    assert caught.value.code in ("text", "function")
    with pytest.raises(FromBrianError):
        from_brian(*net(on_pre=code), namespace=AROUND)


def test_what_a_model_refuses_comes_with_a_code():
    with pytest.raises(FromBrianError, match="volt") as caught:
        from_brian(NeuronGroup(1, LEAK, threshold="v > 1*mV", reset="", method="euler", name="cells"), namespace=AROUND)
    assert caught.value.code == "unit"


def stimulus(*objects: Any) -> Any:
    return stimulus_of(*objects, duration=1 * ms, namespace=AROUND)


@pytest.mark.parametrize(
    ("code", "make", "match"),
    [
        ("rates", lambda: PoissonGroup(2, "10*Hz*exp(-t/tau)", name="source"), "source"),
        ("timed array", lambda: cells(LEAK.replace("-v", "odd(t) - v")), "0.00025 s"),
        ("timed array", lambda: NeuronGroup(3, LEAK.replace("-v", "I_ext(t, i) - v"), method="euler"), "2 columns for 3 units"),
        ("object", lambda: b2.NetworkOperation(lambda: None), "NetworkOperation"),
    ],
)
def test_stimuli_are_refused_by_name(code, make, match):
    with pytest.raises(FromBrianError, match=match) as caught:
        stimulus(make())
    assert caught.value.code == code


def test_a_period_off_the_grid_is_refused():
    group = SpikeGeneratorGroup(1, [0], [0] * ms, period=1.03 * ms, name="source")
    with pytest.raises(FromBrianError, match=r"period of 0\.00103 s"):
        stimulus(group)


def test_times_make_sense():
    with pytest.raises(FromBrianError, match="no step"):
        stimulus_of(cells(), duration=0 * second, namespace=AROUND)
    with pytest.raises(FromBrianError, match="behind the end"):
        stimulus_of(cells(), duration=1 * ms, reads=2 * ms, namespace=AROUND)


def test_values_that_a_standalone_program_will_make_are_not_known():
    b2.set_device("cpp_standalone", build_on_run=False)
    try:
        group = cells()
        group.v = "0.5*t/ms"
        with pytest.raises(FromBrianError, match="standalone") as caught:
            from_brian(group, namespace=AROUND)
    finally:
        b2.device.reinit()
        reset_device()
    assert caught.value.code == "device"
