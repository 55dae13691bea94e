"""`bioneuro fit`, `verify` and `export`: from a table of samples to a parameter file, a proof and a script that spikes alike."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bioneuro import brian, cli, files
from bioneuro.catalogue import vogels2005
from bioneuro.commands import CommandError, question, read_cell
from bioneuro.exchange.parameters import load, save

STEPS = 400
PLANTED = {"lif.tau_m": "14 ms", "lif.E_L": "-52 mV"}


def table(path: Path, columns: dict[str, np.ndarray]) -> Path:
    rows = [",".join(columns), *(",".join(f"{value:.12g}" for value in row) for row in zip(*columns.values(), strict=True))]
    path.write_text("# a cell\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def cell(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A planted neuron under current steps: what it did, as a table of 40 ms."""
    folder = tmp_path_factory.mktemp("cell")
    time = np.arange(STEPS + 1) * 0.1
    current = np.where(time % 20 < 12, 9.0, -3.0)
    bare = table(folder / "bare.csv", {"time (ms)": time, "I (mV)": current, "v (mV)": np.sin(time)})
    circuit = vogels2005.driven().with_values(PLANTED)
    protocol, _, _ = question(circuit, read_cell(bare), "bare.csv")
    seen = brian.simulate(circuit, protocol, seed=0, target="numpy")
    spikes = np.zeros(time.size)
    spikes[seen.spikes["lif"].steps] = 1
    files.save(seen, folder / "seen.nc")
    return table(folder / "cell.csv", {"time (ms)": time, "I (mV)": current, "v (mV)": 1e3 * seen["lif.v"][0, :, 0], "spikes": spikes})


@pytest.fixture(scope="module")
def fitted(cell: Path) -> Path:
    out = cell.with_name("fitted.safetensors")
    asked = ["fit", "vogels2005", "LIF", "--data", str(cell), "--free", "lif.tau_m,lif.E_L", "--set", "lif.tau_m=16 ms", "--out", str(out)]
    assert cli.main([*asked, "--steps", "25", "--rate", "0.02"]) == 0
    return out


def test_a_fit_is_saved_with_what_it_is(fitted: Path) -> None:
    saved = load(fitted)
    assert saved.model == "vogels2005 LIF"
    assert saved.fitted == ("lif.tau_m", "lif.E_L")
    assert saved.circuit.values["lif.tau_m"].value != 16e-3
    assert json.loads(fitted.with_suffix(".json").read_text())["notes"][0].startswith("fitted to cell.csv, population lif, loss")


def test_the_exported_script_spikes_like_the_fitted_circuit(fitted: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    capsys.readouterr()
    assert cli.main(["export", str(fitted)]) == 0
    script = tmp_path / "lif.py"
    script.write_text(capsys.readouterr().out)
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True, cwd=tmp_path)
    circuit = load(fitted).circuit
    seen = brian.simulate(circuit, cli.classic(circuit), seed=0, target="numpy")
    assert "bioneuro" not in script.read_text().replace("written by bioneuro", "")
    assert done.stdout.startswith("lif [")
    assert seen.n_trials == 1


@pytest.mark.slow  # one build
def test_a_parameter_file_is_verified_in_brian2(fitted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["verify", str(fitted)]) == 0
    assert capsys.readouterr().out.count("the twin agree") == 2


def test_two_recordings_are_compared(cell: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seen = cell.with_name("seen.nc")
    assert cli.main(["verify", str(seen), str(seen)]) == 0
    assert capsys.readouterr().out.startswith("agree")
    protocol, _, _ = question(vogels2005.driven(), read_cell(cell), "cell.csv")
    other = cell.with_name("other.nc")
    files.save(brian.simulate(vogels2005.driven(), protocol, seed=0, target="numpy"), other)
    assert cli.main(["verify", str(seen), str(other)]) == 1
    assert capsys.readouterr().out.startswith("DISAGREE")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "its first line is ''"),
        ("time (ms),I (mV)\n0,1\n", "at least two rows"),
        ("time (ms),I (mV)\n0,1\n1,nan\n2,1\n", "finite"),
        ("time (ms),I (mV)\n0,1\n1,2\n3,1\n", "unequal steps"),
        ("time (ms),I (mV)\n1,1\n2,2\n", "unequal steps from 0|from 0.001 s"),
        ("time (mV),I (mV)\n0,1\n1,2\n", "'time' is in 'mV'"),
        ("time (ms),I (mV)\n0,x\n", "could not convert"),
        ("time (ms),I (mV)\n0,1,2\n", "inhomogeneous|name each column once"),
        ("time (ms),I (mV),I (mV)\n0,1,1\n1,1,1\n", "name each column once"),
        ("time (ms),I (mV),spikes\n0,1,2\n1,1,0\n", "'spikes' holds 2"),
        ("time (ms),I (mV),u (mV)\n0,1,2\n1,1,0\n", "'u' is no state"),
        ("time (ms),current (mV),v (mV)\n0,1,2\n1,1,0\n", "no column, or more than one"),
        ("time (ms),I (mV)\n0,1\n1,1\n", "nothing to fit to"),
        ("time (ms),I (mV),v (parsec)\n0,1,1\n1,1,1\n", "parsec"),
    ],
)
def test_a_table_that_is_none_is_refused(text: str, named: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=named):
        question(vogels2005.driven(), read_cell(path), "bad.csv")


def test_wrong_use_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CommandError, match=r"not a file"):
        read_cell(tmp_path)
    assert cli.main(["verify", str(tmp_path / "a.nc")]) == 2
    assert "give two recordings" in capsys.readouterr().err
    save(vogels2005.driven(), tmp_path / "x.safetensors", model="vogels2005 LIF")
    assert cli.main(["export", str(tmp_path / "x.safetensors"), "--to", "nir"]) == 2
    assert "refractory" in capsys.readouterr().err
