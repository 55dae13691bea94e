"""What NIR cannot say is refused by name, and no file is written."""

import dataclasses
import re
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import pytest
from nir_circuits import cells, kick, lif

from bioneuro import catalogue
from bioneuro.catalogue import bellec2018, brette2005, kobayashi2009
from bioneuro.exchange.nir import NirError, write
from bioneuro.model import Circuit, Every, Pathway, parameter

CIRCUITS = {
    name: make
    for found in iter_modules(catalogue.__path__)
    for name, make in getattr(import_module(f"bioneuro.catalogue.{found.name}"), "CIRCUITS", {}).items()
}
"""As they are, no circuit of the catalogue is a NIR graph: each has at least this."""
SAYS = {
    "bellec2018 ": "threshold", "brette2005 ": "nonlinear", "guetig2006 ": "variable", "hodgkin1952 ": "nonlinear", "izhikevich2003 ": "nonlinear",
    "kobayashi2009 ": "threshold", "rokem2006 ": "threshold", "vogels2005 ": "refractory",
}  # fmt: skip


@pytest.mark.parametrize("name", CIRCUITS)
def test_the_catalogue_is_refused_by_name(name: str, tmp_path: Path) -> None:
    expected = next((code for start, code in SAYS.items() if name.startswith(start)), "plasticity")
    with pytest.raises(NirError) as caught:
        write(CIRCUITS[name](), tmp_path / "x.nir")
    assert caught.value.code == expected
    assert re.split("[.,]", caught.value.place)[0] in CIRCUITS[name]().models
    assert not (tmp_path / "x.nir").exists()


def synaptic(equations: str = "", code: str = "v_post += weight", **more: Any) -> Circuit:
    return cells(lif(), dataclasses.replace(kick(), equations=equations, pathways=(Pathway(event="pre", code=code),), **more))


T = parameter(1, "ms", low=0.1, high=10, says="period")
REFUSED: list[tuple[str, Circuit, str]] = [
    ("refractory", cells(lif(refractory="t_ref")), r"cell.refractory: 't_ref' = 3 ms: .* set cell.t_ref to 0"),
    ("threshold", cells(bellec2018.neuron()), "it compares b, v"),
    ("adaptation", cells(lif("dv/dt = (E_L - v - w)/tau_m : volt\ndw/dt = (v - w)/tau_m : volt")), "dw/dt: it follows v"),
    ("adaptation", cells(lif("dv/dt = (E_L - v - w)/tau_m : volt\ndw/dt = -w/tau_m : volt", reset="v = V_r; w += V_r")), r"'w \+= V_r'"),
    ("nonlinear", cells(brette2005.neuron()), r"the term .*exp"),
    ("nonlinear", cells(lif("dv/dt = (1 + g)*(E_L - v)/tau_m : volt\ndg/dt = -g/tau_m : 1", initial={"g": parameter(1)})), r"the term -?g\*v/tau_m"),
    ("threshold", cells(kobayashi2009.neuron()), "theta_1, theta_2, v"),
    ("threshold", cells(lif(threshold="v > V_th and v < E_L")), "and"),
    ("threshold", cells(lif(threshold="v < V_th")), "above a number"),
    ("threshold", cells(lif(threshold="v*v > V_th*V_th")), "above a number"),
    ("reset", cells(lif(reset="v -= V_th")), "'v -= V_th'"),
    ("reset", cells(lif(reset="")), "once"),
    ("noise", cells(lif("dv/dt = (E_L - v)/tau_m + V_th*xi*tau_m**-0.5 : volt", method="euler")), "'xi'"),
    ("time", cells(lif("dv/dt = (E_L - v)/tau_m*(1 + t/tau_m) : volt")), "'t'"),
    ("drift", cells(lif("dv/dt = E_L/tau_m : volt")), "constant E_L/tau_m"),
    ("value", cells(lif("dv/dt = (v - E_L)/tau_m : volt")), "-0.02 s"),
    ("current", cells(lif("dv/dt = (I - v)/tau_m : volt\nI : volt", input="I", initial={"I": parameter(1, "mV")})), "initial value"),
    ("variable", cells(lif("dv/dt = (E_L - v)/tau_m : volt\ndp/dt = (E_L - p)/tau_m : volt")), "p does not reach v"),
    ("plasticity", synaptic("dx/dt = -x/weight : 1", parameters={"weight": T}, code="x += 1"), "dx/dt"),
    ("plasticity", synaptic("w : volt", code="v_post += w; w += weight"), r"'w \+= weight'"),
    ("periodic", synaptic("w : 1", every=Every(period="T", code="w += 1"), parameters={**kick().parameters, "T": T}), r"'w \+= 1'"),
    ("statement", synaptic(code="v_post = weight"), "'v_post = weight'"),
    ("variable", synaptic(code="v_post += weight*t_ref_post/tau_m_post"), "it is no constant"),
]


@pytest.mark.parametrize(("code", "circuit", "says"), REFUSED, ids=[f"{n} {c[0]}" for n, c in enumerate(REFUSED)])
def test_what_nir_cannot_say(code: str, circuit: Circuit, says: str, tmp_path: Path) -> None:
    with pytest.raises(NirError, match=says) as caught:
        write(circuit, tmp_path / "x.nir")
    assert caught.value.code == code
    assert str(caught.value).endswith(f"{caught.value.why}; {caught.value.remedy} [{code}]")
    assert not list(tmp_path.iterdir())
