"""The command `bioneuro`, and the front door of the package."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import bioneuro
from bioneuro import catalogue, cli, files, sheet
from bioneuro.catalogue import graupner2012
from bioneuro.protocol import Coordinate
from bioneuro.recording import Provenance, Recording, train

ROOT = Path(__file__).resolve().parent.parent
MODELS = list(catalogue.circuits())

SCRIPT = '''"""A small study.

More words."""
from bioneuro import catalogue, script
from bioneuro.catalogue import graupner2012

def main(options):
    circuit = script.apply(options, graupner2012.pair())
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(f"{circuit.values['calcium.tau_Ca']} {options.quick} {options.seed} {options.engine}")
    return options.out
'''


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "protocols").mkdir()
    (tmp_path / "protocols" / "small.py").write_text(SCRIPT)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def subprocess_of(code: str, folder: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))}
    return subprocess.Popen(
        [sys.executable, "-c", code], cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def said(code: str) -> str:
    with subprocess_of(code, ROOT) as process:
        out, err = process.communicate()
    assert process.returncode == 0, err
    return out


# --- list and show ----------------------------------------------------------------------------------------------------------


def test_list(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "protocols" / "broken.py").write_text("def (")
    assert cli.main(["list"]) == 0
    out = capsys.readouterr().out
    assert all(f"    {name}\n" in out for name in MODELS)
    assert "protocols/small.py   A small study\n" in out
    assert "protocols/broken.py  (cannot be read as Python)\n" in out


def test_light_commands_load_no_engine() -> None:
    code = "import sys; from bioneuro.cli import main; main(['list']); main(['show', 'vogels2005'])\n"
    heavy = "print(*sorted({'brian2', 'torch', 'matplotlib', 'xarray', 'scipy'} & set(sys.modules)), 'loaded')"
    assert said(code + heavy).splitlines()[-1] == " loaded".strip()


@pytest.mark.parametrize("name", MODELS)
def test_show_names_everything(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Law: every equation, event and parameter with value, meaning and source of every model; only equations may be wide."""
    assert cli.main(["show", *name.split(" ")]) == 0
    out = capsys.readouterr().out
    words = " ".join(out.split())
    circuit = catalogue.circuits()[name]()
    for model in circuit.models.values():
        for equation in filter(None, (line.strip() for line in model.equations.splitlines())):
            assert f"  {equation}\n" in out
        for key, parameter in model.parameters.items():
            assert any(line.split()[:2] == [key, str(parameter).split(" ")[0]] for line in out.splitlines()), key
            assert " ".join(parameter.source.split()) in words
    wide = [line for line in out.splitlines() if len(line) > sheet.WIDTH]
    assert all("=" in line for line in wide)
    assert not [line for line in out.splitlines() if line != line.rstrip()]


def test_show_delays_and_resets(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["show", "graupner2012 DP"])
    assert "on pre, D = 13.7 ms later: c += Cpre\n" in capsys.readouterr().out
    cli.main(["show", "vogels2005"])
    assert "spike when v > V_th: v = V_r, then refractory for t_ref = 5 ms\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("graupner2012 DP", "graupner2012 DP"),
        ("GRAUPNER2012 dp", "graupner2012 DP"),
        ("graupner2012 hippocampal s", "graupner2012 hippocampal slices"),
        ("vogels2005", "vogels2005 LIF"),
    ],
)
def test_names(asked: str, found: str) -> None:
    assert cli.circuit(asked)[0] == found


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ("graupner2012", "may be any of: graupner2012 DP, "),
        ("grapner2012", "Did you mean 'graupner2012'?"),
        ("graupner2012 hipocampal slices", "Did you mean 'graupner2012 hippocampal slices'?"),
    ],
)
def test_unknown_names(asked: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["show", asked]) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: ")
    assert says in err


# --- run --------------------------------------------------------------------------------------------------------------------


def test_run(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--quick", "--seed", "3", "--engine", "numpy", "--set", "calcium.tau_Ca=25 ms"]
    assert cli.main(["run", "protocols/small.py", *options]) == 0
    assert capsys.readouterr().out == "results/quick/small.nc\n"
    assert Path("results/quick/small.nc").read_text() == "25 ms True 3 numpy"
    assert cli.main(["run", "--out", "elsewhere.txt", "protocols/small.py"]) == 0
    assert Path("elsewhere.txt").read_text() == "20 ms False 0 cpp"


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["protocols/smal.py"], "Did you mean 'protocols/small.py'?"),
        (["protocols"], "is not an existing .py file"),
        (["small.txt"], "is not an existing .py file"),
        (["no_main.py"], "has no function main(options: Options) -> Path"),
        (["protocols/small.py", "--set", "calcium.tau_Ca=25 mV"], "calcium.tau_Ca: expected a value in 'ms'"),
        (["protocols/small.py", "--set", "calcium.tau_ca=25 ms"], "Did you mean 'calcium.tau_Ca'?"),
        (["protocols/small.py", "--set", "stdp.w=1"], "no circuit of protocols/small.py took stdp.w"),
        (["protocols/small.py", "--set", "tau_Ca"], "is not NAME=VALUE"),
        (["protocols/small.py", "--data", "mine.csv"], "--data: mine.csv is not a file"),
        (["protocols/small.py", "--data", "small.txt"], "no script took notice of small.txt"),
    ],
)
def test_run_refuses(argv: list[str], says: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("small.txt").write_text(SCRIPT)
    Path("no_main.py").write_text("")
    assert cli.main(["run", *argv]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    assert says in captured.err


def test_run_takes_several(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("protocols/twin.py").write_text(Path("protocols/small.py").read_text())
    assert cli.main(["run", "protocols/small.py", "protocols/twin.py", "--quick"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said == ["== protocols/small.py", "results/quick/small.nc", "== protocols/twin.py", "results/quick/twin.nc"]
    assert cli.main(["run", "protocols/small.py", "protocols/twin.py", "--out", "x.nc"]) == 2
    assert "run one at a time with --out" in capsys.readouterr().err
    assert cli.main(["run", "protocols/small.py", "protocols/missing.py"]) == 2  # all are looked for before one is run
    assert "==" not in capsys.readouterr().out


def test_run_finds_neighbours_and_leaves_nothing_behind(folder: Path) -> None:
    Path("protocols/neighbour.py").write_text("word = 'found'\n")
    Path("protocols/other.py").write_text("import neighbour\nimport sys\ndef main(options): raise LookupError(neighbour.word)\n")
    before = list(sys.path), {name for name in sys.modules if name.startswith("bioneuro_script")}
    with pytest.raises(LookupError, match="found"):  # an error that is not ours keeps its traceback
        cli.main(["run", "protocols/other.py"])
    assert before == (list(sys.path), {name for name in sys.modules if name.startswith("bioneuro_script")})
    sys.modules.pop("neighbour")


def test_an_error_of_ours_is_found_behind_brian2s(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Brian2 wraps what is raised while it prepares a run."""
    lines = ["from bioneuro.flow import FlowError", "def main(options):", "    try: raise FlowError('no exact solution')"]
    Path("wrapped.py").write_text("\n".join([*lines, "    except FlowError as error: raise RuntimeError('an object') from error\n"]))
    assert cli.main(["run", "wrapped.py"]) == 2
    assert capsys.readouterr().err == "error: no exact solution\n"


def test_control_c(folder: Path) -> None:
    Path("long.py").write_text("import time\ndef main(options):\n    print('begun', flush=True)\n    time.sleep(60)\n")
    with subprocess_of("import sys; from bioneuro.cli import main; sys.exit(main(['run', 'long.py']))", folder) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert err == "interrupted\n"


# --- info, cache, script, version -------------------------------------------------------------------------------------------


def test_info(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    steps = train([3, 5, 9], [0, 0, 1], n_trials=2, size=1, dt=1e-4)
    seen = Recording(
        traces={"lif.v": np.array([[[-0.06]], [[-0.05]]])},
        times=np.array([[0.1], [0.1]]),
        units={"lif.v": "volt"},
        spikes={"lif": steps},
        conditions={"lag": Coordinate(values=np.array([-0.01, 0.01]), unit="ms")},
        provenance=Provenance(
            circuit="c" * 64,
            protocol="d" * 64,
            seed=4,
            engine="numpy",
            versions={"brian2": "2.9.0"},
            shifts={"delays": 2e-6},
            notes=("a note",),
        ),
    )
    path = tmp_path / "some.nc"
    files.save(seen, path)
    assert cli.main(["info", str(path)]) == 0
    words = " ".join(capsys.readouterr().out.split())
    for part in [
        "engine numpy, strict arithmetic", "seed 4", "circuit " + "c" * 64, "protocol " + "d" * 64, "versions brian2 2.9.0",
        "delays by up to 2e-06 s", "note a note", "2 trials", "lag ms 2 -10 .. 10", "1 readings per trial, at 0.1 s",
        "lif.v volt 2 x 1 x 1 -0.06 .. -0.05", "lif 1 3 1.5 on average, grid 0.1 ms",
    ]:  # fmt: skip
        assert part in words, part


def test_info_of_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["info", str(tmp_path / "none.nc")]) == 2
    assert capsys.readouterr().err.startswith("error: ")


def test_what_a_file_says_cannot_steer_the_terminal() -> None:
    assert sheet.line("a\x1b[2J\nb\x07") == "a[2J b"


def test_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("BIONEURO_CACHE_DIR", str(tmp_path / "programs"))
    assert cli.main(["cache"]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'programs'}: 0 programs, 0.0 MB\n"
    home = tmp_path / "programs" / "key"
    home.mkdir(parents=True)
    (home / "main").write_bytes(b"x" * 250_000)
    (home / "about.json").write_text(json.dumps({"title": "song2000, events"}))
    assert cli.main(["cache"]) == 0
    out = capsys.readouterr().out
    assert "1 programs, 0.2 MB" in out
    assert "250 kB  song2000, events\n" in out
    assert cli.main(["cache", "--clear"]) == 0
    assert capsys.readouterr().out == f"removed 1 programs from {tmp_path / 'programs'}\n"
    assert not home.exists()


def test_script(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["script", "graupner2012", "dp"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("# graupner2012 under the protocol pairing (events)")
    assert "calcium.tau_Ca = 20*ms  # decay time of calcium\n" in out


def test_version_and_no_command(capsys: pytest.CaptureFixture[str]) -> None:
    for argv, code in [(["--version"], 0), ([], 2), (["--help"], 0)]:
        with pytest.raises(SystemExit) as ended:
            cli.main(argv)
        assert ended.value.code == code
    assert f"bioneuro {bioneuro.__version__}\n" in capsys.readouterr().out


# --- import bioneuro --------------------------------------------------------------------------------------------------------


def test_front_door() -> None:
    assert bioneuro.protocol.pairing(lag="10 ms").n_trials == 1
    assert bioneuro.Circuit is type(graupner2012.pair())
    assert {"Twin", "fit", "__version__", "brian"} <= set(dir(bioneuro))
    with pytest.raises(AttributeError, match="module 'bioneuro' has no attribute 'nothing'"):
        bioneuro.nothing  # type: ignore[attr-defined]  # noqa: B018


FIRST = ["import bioneuro.{0}", "from bioneuro.{0} import {0}", "from bioneuro import {0}", "import bioneuro"]


@pytest.mark.parametrize(("name", "first"), [*(("verify", first) for first in FIRST), ("fit", FIRST[0])])
def test_functions_are_not_hidden_by_their_submodules(name: str, first: str) -> None:
    """Whichever is imported first, the package's attribute is the function and the submodule stays in reach."""
    both = f"{first.format(name)}; import sys, bioneuro.{name}, bioneuro; from bioneuro import {name} as one"
    same = f"from bioneuro.{name} import {name} as two; print(bioneuro.{name} is one is two is sys.modules['bioneuro.{name}'].{name})"
    assert said(f"{both}; {same}") == "True\n"


def test_list_says_what_is_incomplete(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["list"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "(clopath2010 hippocampal is incomplete: Table 1b leaves tau_minus and tau_plus blank" in said
