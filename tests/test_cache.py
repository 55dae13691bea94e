"""The build cache compiles a circuit once, whatever its values; and what Brian2 of the user's is borrowed, is given back."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import brian2
import numpy as np
import pytest

from bioneuro import brian, protocol
from bioneuro.brian import programs
from bioneuro.catalogue import brette2005, graupner2012, song2000, vogels2005
from bioneuro.model import Circuit, parameter
from bioneuro.protocol import Protocol, clock

PAIR = song2000.pair()


def trains(rate: str = "20 Hz", duration: str = "2 s", n: int = 3, ports: tuple[str, ...] = ("pre", "post"), **options: Any) -> Protocol:
    return protocol.poisson(dict.fromkeys(ports, rate), duration, repetitions=n, **options)


class Stop(Exception):
    """Raised where a program would be looked up or compiled."""


@contextlib.contextmanager
def no_builds(keys: list[str]) -> Iterator[None]:
    def program(self: Any, source: Path, title: str, progress: Any) -> Path:
        keys.append(programs.fingerprint(source))
        raise Stop

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(programs.Cache, "program", program)
        yield


def key(circuit: Circuit, made: Protocol, seed: int = 1, strict: bool = True) -> str:
    """What the program of a run is stored under; nothing is compiled."""
    keys: list[str] = []
    with no_builds(keys), pytest.raises(Stop):
        brian.simulate(circuit, made, seed=seed, strict=strict)
    return keys[0]


CALCIUM = graupner2012.pair("DP")
LIF = vogels2005.driven(size=2, inputs=3)
EVENTS = [
    (CALCIUM.with_values({"calcium.gamma_p": 100, "calcium.D": "0 ms", "calcium.rho": 1}), trains(), 1),
    (graupner2012.pair("cortical slices"), trains(), 1),
    (CALCIUM, trains(), 2),
    (CALCIUM, trains(), 2**62 + 1),
    (CALCIUM, trains(rate="0.1 Hz"), 1),
    (CALCIUM, trains(rate="80 Hz"), 1),
    (CALCIUM, trains(duration="100 s"), 1),
    (CALCIUM, trains(reads=["0.5 second", "1.5 second"]), 1),
]
CLOCKED = [
    (LIF.with_values({"excitation.weight": "2 mV", "lif.tau_m": "15 ms", "lif.v": "-55 mV"}), {}, 1),
    (LIF, {}, 2),
    (LIF, {"rate": "3 Hz"}, 1),
    (LIF, {"duration": "0.7 s"}, 1),
    (LIF, {"reads": ["0.1 second", "0.3 second"]}, 1),
]


def test_values_seeds_and_spikes_are_not_in_the_source() -> None:
    first = key(CALCIUM, trains())
    assert [key(*run) for run in EVENTS] == [first] * len(EVENTS)


def test_values_seeds_and_spikes_are_not_in_the_source_on_the_clock() -> None:
    ports = {"ports": ("input",), "stepping": clock()}
    first = key(LIF, trains(**ports))
    assert [key(c, trains(**{**ports, **options}), seed) for c, options, seed in CLOCKED] == [first] * len(CLOCKED)


def test_what_changes_the_program_changes_the_key() -> None:
    spread = CALCIUM.with_values({"calcium.gamma_p": parameter([100.0])})
    assert key(CALCIUM, trains(stepping=clock())) == key(CALCIUM.with_values({"calcium.D": "5 ms"}), trains(stepping=clock()))
    others = [
        key(CALCIUM, trains()), key(CALCIUM, trains(n=4)), key(CALCIUM, trains(), strict=False), key(spread, trains()),
        key(PAIR, trains()), key(CALCIUM, trains(stepping=clock())), key(CALCIUM, trains(record=("calcium.rho",))),
    ]  # fmt: skip
    assert len(set(others)) == len(others)


def test_what_cython_left_in_the_preferences_changes_nothing() -> None:
    """Brian2 adds a folder to the list of the preference itself when it compiles Cython."""
    first, folders = key(PAIR, trains()), brian2.prefs["codegen.cpp.include_dirs"]
    before = list(folders)
    try:
        folders.append(str(Path(brian2.synapses.__file__).parent))
        assert key(PAIR, trains()) == first
    finally:
        folders[:] = before


KEYS = """
import json, os, sys
sys.path.insert(0, os.path.join(os.getcwd(), "tests"))
from test_cache import *
print(json.dumps(every_key()))
"""


def every_key() -> list[str]:
    ports: dict[str, Any] = {"ports": ("input",), "stepping": clock()}
    adex = brette2005.driven(size=2)
    made = [(CALCIUM, trains()), (PAIR, trains()), (CALCIUM, trains(stepping=clock())), (LIF, trains(**ports)), (adex, trains(**ports))]
    return [key(circuit, run) for circuit, run in made]


def test_keys_are_the_same_in_every_process() -> None:
    here = every_key()
    root = Path(__file__).parent.parent
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run([sys.executable, "-c", KEYS], env=environment, cwd=root, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout) == here


PROCESS = """
import json, sys
from bioneuro import brian, protocol
from bioneuro.brian import programs
from bioneuro.catalogue import song2000
compiler = programs.compile_sources
def counted(folder, progress):
    open(sys.argv[1], "a").write("started\\n")
    compiler(folder, progress)
    open(sys.argv[1], "a").write("done\\n")
programs.compile_sources = counted
made = protocol.poisson({"pre": "20 Hz", "post": "20 Hz"}, "2 s", repetitions=3)
print(json.dumps(brian.simulate(song2000.pair(), made, seed=int(sys.argv[2]))["stdp.w"].ravel().tolist()))
"""


def start(folder: Path, seed: int) -> subprocess.Popen[str]:
    # An outer `make -n` must not turn the build into a dry run.
    environment = {**os.environ, "BIONEURO_CACHE_DIR": str(folder), "MAKEFLAGS": "n", "MFLAGS": "-n"}
    command = [sys.executable, "-c", PROCESS, str(folder.parent / "log"), str(seed)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[int, list[float]]]:
    """A cache that saw a build killed half way, then two processes asking at once; and what these got."""
    folder = tmp_path_factory.mktemp("builds") / "cache"
    log = folder.parent / "log"
    log.touch()
    victim = start(folder, 1)
    deadline = time.monotonic() + 120
    while "started" not in log.read_text() and time.monotonic() < deadline and victim.poll() is None:
        time.sleep(0.05)
    time.sleep(0.5)
    os.killpg(victim.pid, signal.SIGKILL)
    victim.communicate()
    assert log.read_text() == "started\n", "the build was to be killed half way"
    assert programs.Cache(folder).keys() == []
    assert not [path for path in folder.iterdir() if path.is_dir()]
    log.write_text("")
    both = {seed: start(folder, seed) for seed in (1, 2)}
    results = {}
    for seed, process in both.items():
        out, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
        results[seed] = json.loads(out)
    assert log.read_text() == "started\ndone\n", "one of two processes compiles, the other waits"
    return folder, results


def refuse(folder: Path, progress: Any) -> None:
    raise AssertionError("something is compiled")


@pytest.mark.parametrize("seed", [1, 2])
def test_killed_builds_and_processes_at_once(built: Any, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both processes got what NumPy gives, and a third process with other values and spikes compiles nothing."""
    folder, results = built
    assert results[seed] == brian.simulate(PAIR, trains(), seed=seed, target="numpy")["stdp.w"].ravel().tolist()
    monkeypatch.setenv("BIONEURO_CACHE_DIR", str(folder))
    monkeypatch.setattr(programs, "compile_sources", refuse)
    other, made = PAIR.with_values({"stdp.A_plus": 0.02, "stdp.w": 0.3}), trains(rate="37 Hz", duration="3 s")
    fast, plain = (brian.simulate(other, made, seed=seed + 10, target=target)["stdp.w"] for target in ("cpp", "numpy"))
    np.testing.assert_array_equal(fast, plain)
    assert len(programs.cache().keys()) == 1


def test_describe_and_clear(built: Any, tmp_path: Path) -> None:
    folder, _ = built
    (row,) = programs.Cache(folder).describe()
    assert row["title"] == "song2000, events, 3 trials"
    assert row["key"] == key(PAIR, trains())
    assert int(str(row["bytes"])) > 10_000
    assert abs(time.time() - float(str(row["used"]))) < 3600
    copy = programs.Cache(tmp_path / "cache")
    for name in ("a" * 64, "b" * 64):
        (copy.folder / name).mkdir(parents=True)
        (copy.folder / name / "main").touch()
    os.utime(copy.folder / ("b" * 64) / "main", (0, 0))
    assert copy.keys() == ["a" * 64, "b" * 64]  # the most recently used first
    assert (copy.clear(), copy.keys(), copy.describe(), copy.clear()) == (2, [], [], 0)
    assert programs.Cache(tmp_path / "none").describe() == []


def test_an_interrupted_build_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(folder: Path, progress: Any) -> None:
        (folder / "main").write_text("half")
        raise KeyboardInterrupt

    monkeypatch.setenv("BIONEURO_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(programs, "compile_sources", interrupted)
    with pytest.raises(KeyboardInterrupt):
        brian.simulate(PAIR, trains(), seed=1)
    assert programs.cache().keys() == []
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]


def test_an_entry_half_moved_in_is_none(tmp_path: Path) -> None:
    torn = tmp_path / f".{'a' * 8}-x"
    torn.mkdir()
    (torn / "main").touch()
    assert programs.Cache(tmp_path).keys() == []


def test_old_programs_make_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def compiled(folder: Path, progress: Any) -> None:
        (folder / "main").touch()

    monkeypatch.setattr(programs, "LIMIT", 3)
    monkeypatch.setattr(programs, "compile_sources", compiled)
    kept = programs.Cache(tmp_path / "cache")
    for n in range(5):
        source = tmp_path / f"source{n}"
        source.mkdir()
        (source / "main.cpp").write_text(str(n))
        os.utime(kept.program(source, f"program {n}", lambda done, total: None), (n, n))
    assert [row["title"] for row in kept.describe()] == ["program 4", "program 3", "program 2"]


def test_a_compiler_that_fails_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "cxx"
    broken.write_text('#!/bin/sh\n[ "$1" = --version ] && exit 0\necho "no such luck" >&2; exit 1\n')
    broken.chmod(0o755)
    monkeypatch.setenv("CXX", str(broken))
    monkeypatch.setenv("BIONEURO_CACHE_DIR", str(tmp_path / "cache"))
    with pytest.raises(programs.CompileError, match=r"did not compile(.|\n)*no such luck"):
        brian.simulate(PAIR, trains(), seed=1)
    assert programs.cache().keys() == []
