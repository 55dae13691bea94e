"""An experiment is a table of tasks: each is saved when done, kept if nothing changed, and made again if anything did."""

import dataclasses
from pathlib import Path

import pytest
from brian2.units import ms

from bioneuro import load, protocol, study
from bioneuro.catalogue import song2000
from bioneuro.model import ModelError
from bioneuro.script import Options, options


def tasks(lag: int = 10) -> study.Tasks:
    window = protocol.pairing([lag, -lag] * ms, pairs=2)
    return {name: (song2000.pair(scheme), window) for name, scheme in (("all", "all to all"), ("nearest", "nearest reduced"))}


def asked(folder: Path, *argv: str) -> Options:
    return options("small", ["--engine", "numpy", "--out", str(folder / "small.nc"), "--no-progress", *argv])


def test_what_is_done_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = study.record(asked(tmp_path), tasks())
    assert capsys.readouterr().out == "[1/2] all: 2 trials\n[2/2] nearest: 2 trials\n"
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert {path.name for path in before} >= {"all.nc", "nearest.nc"}
    study.record(asked(tmp_path), tasks(), says=lambda name, circuit, seen: f"{name} of {circuit.name} until {seen.times.max():.2f} s")
    assert capsys.readouterr().out.splitlines()[0] == "[1/2] all of song2000 until 2.22 s  (kept)"
    assert before == {path: path.stat().st_mtime_ns for path in folder.iterdir()}


@pytest.mark.parametrize("change", ["seed", "value", "protocol", "source", "damage", "missing"])
def test_what_changed_is_made_again(change: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    folder = study.record(asked(tmp_path), tasks())
    capsys.readouterr()
    given, todo = asked(tmp_path), tasks()
    if change == "seed":
        given = asked(tmp_path, "--seed", "5")
    elif change == "value":
        todo = {name: (circuit.with_values({"stdp.A_plus": 0.02}), p) for name, (circuit, p) in todo.items()}
    elif change == "protocol":
        todo = tasks(lag=20)
    elif change == "source":
        monkeypatch.setattr(study, "_note", lambda: "bioneuro source of another day")
    elif change == "damage":
        for path in folder.glob("*.nc"):
            path.write_bytes(path.read_bytes()[:-1])
    else:
        for path in folder.glob("*.nc"):
            path.unlink()
    study.record(given, todo)
    assert "kept" not in capsys.readouterr().out
    assert load(folder / "all.nc").provenance.circuit == todo["all"][0].digest


def test_an_interrupted_experiment_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def stop(name: str, *_: object) -> str:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        study.record(asked(tmp_path), tasks(), says=stop)
    study.record(asked(tmp_path), tasks())
    first, second = capsys.readouterr().out.splitlines()
    assert first.endswith("(kept)")
    assert not second.endswith("(kept)")


def test_a_value_that_fits_nothing_is_refused_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="fits no circuit"):
        study.record(dataclasses.replace(asked(tmp_path), set={"stdp.A_plux": "1"}), tasks())
    assert not (tmp_path / "small").exists()
