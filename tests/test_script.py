"""Options of protocol scripts."""

from pathlib import Path

import pytest

from bioneuro import protocol, script, study
from bioneuro.catalogue import graupner2012, song2000
from bioneuro.model import ModelError
from bioneuro.script import OptionError, Options
from bioneuro.units import UnitError


def test_defaults() -> None:
    assert script.options("stdp", []) == Options(out=Path("results/stdp.nc"))
    assert script.options("stdp", ["--quick"]).out == Path("results/quick/stdp.nc")


def test_everything_given() -> None:
    given = ["--quick", "--seed", "7", "--engine", "numpy", "--set", "calcium.tau_Ca=25 ms", "--set", "calcium.rho = 1"]
    found = script.options("stdp", [*given, "--out", "x/y.nc", "--no-progress"])
    assert found.set == {"calcium.tau_Ca": "25 ms", "calcium.rho": "1"}
    assert found == Options(quick=True, seed=7, engine="numpy", set=found.set, out=Path("x/y.nc"), progress=False)


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["--set", "tau=3"], "is not NAME=VALUE"),
        (["--set", "calcium.tau"], "is not NAME=VALUE"),
        (["--set", "calcium.=3"], "is not NAME=VALUE"),
        (["--set", "a.b=1", "--set", "a.b=2"], "given twice"),
        (["--seed", "-1"], "outside 0 to 2**63 - 1"),
        (["--engine", "gpu"], "invalid choice"),
        (["--qui"], "unrecognized arguments"),
    ],
)
def test_refused(argv: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        script.options("stdp", argv)
    assert ended.value.code == 2
    assert says in capsys.readouterr().err


def test_wrong_engine_in_python() -> None:
    with pytest.raises(OptionError, match="allowed: cpp, cython, numpy"):
        Options(out=Path("x"), engine="gpu")


def having(**values: str) -> Options:
    return Options(out=Path("x.nc"), set={name.replace("__", "."): value for name, value in values.items()})


def test_apply_changes_parameters_and_initial_values() -> None:
    options = having(calcium__tau_Ca="25 ms", calcium__rho="1")
    found = script.apply(options, graupner2012.pair())
    assert found.values["calcium.tau_Ca"].value == 0.025
    assert found.models["calcium"].initial["rho"].value == 1
    assert not script.left_over(options)
    script.unused(options, [found])


def test_apply_leaves_other_circuits_alone() -> None:
    options = having(calcium__tau_Ca="25 ms", stdp__w_max="2")
    stdp, calcium = song2000.pair(), graupner2012.pair()
    assert script.apply(options, stdp).values["stdp.w_max"].value == 2
    assert script.left_over(options) == ("calcium.tau_Ca",)
    with pytest.raises(ModelError, match=r"'calcium.tau_Ca' fits no circuit of this script; its objects: stdp"):
        script.unused(options, [stdp])
    script.apply(options, calcium)
    script.unused(options, [stdp, calcium])
    assert not script.left_over(options)


def test_a_typing_error_names_what_was_meant() -> None:
    with pytest.raises(ModelError, match=r"Did you mean 'calcium.gamma_p'\?"):
        script.apply(having(calcium__gama_p="3"), graupner2012.pair())
    with pytest.raises(ModelError, match=r"Did you mean 'calcium.gamma_p'\?"):
        script.unused(having(calcum__gamma_p="3"), [graupner2012.pair()])


def test_units_and_bounds_are_checked() -> None:
    with pytest.raises(UnitError, match=r"calcium.tau_Ca: expected a value in 'ms'"):
        script.apply(having(calcium__tau_Ca="25"), graupner2012.pair())
    with pytest.raises(ModelError, match="outside its bounds"):
        script.apply(having(calcium__tau_Ca="25 second"), graupner2012.pair())


def test_a_recording_of_another_circuit_is_refused(tmp_path: Path) -> None:
    circuit = song2000.pair()
    asked = script.options("small", ["--out", str(tmp_path / "small.nc"), "--engine", "numpy"])
    study.record(asked, {"one": (circuit, protocol.pairing("5 ms", pairs=1))})
    assert script.recorded(asked, "one", circuit).provenance.circuit == circuit.digest
    with pytest.raises(OptionError, match=r"one\.nc is of other values; run the protocol script again"):
        script.recorded(asked, "one", circuit.with_values({"stdp.A_plus": 0.5}))


def test_only_the_study_as_published_is_full(tmp_path: Path) -> None:
    table = tmp_path / "mine.csv"
    table.write_text("condition (ms),mean\n1,1\n")
    assert script.is_full(script.options("small", []), "small")
    for argv in (["--quick"], ["--set", "a.b=1"], ["--out", "x.nc"], ["--data", str(table)]):
        assert not script.is_full(script.options("small", argv), "small")
