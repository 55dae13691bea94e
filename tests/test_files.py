"""Files of recordings: what is written comes back bit for bit, is complete or refused, and is only data."""

import dataclasses
import errno
import hashlib
import itertools
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import xarray
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bioneuro.files import DTYPES, FileError, load, save, to_xarray
from bioneuro.protocol import Coordinate
from bioneuro.recording import Provenance, Recording, Train, train

TYPES = [np.dtype(np.bool_), *(np.dtype(d) for d in sorted(DTYPES))]


def provenance(**changes: Any) -> Provenance:
    return Provenance(**{**dict(circuit="c" * 64, protocol="p" * 64, seed=1, engine="numpy"), **changes})


def made(**changes: Any) -> Recording:
    """Two trials, three readings, a population of two and one synapse."""
    whole = dict(
        traces={"post.v": -0.07 + 1e-3 * np.arange(12.0).reshape(2, 3, 2), "calcium.rho": np.full((2, 3, 1), 0.5)},
        times=np.tile([0.1, 0.2, 0.3], (2, 1)),
        units={"post.v": "volt", "calcium.rho": "1"},
        spikes={
            "post": train([5, 3, 9], [0, 0, 3], n_trials=2, size=2, dt=1e-4),
            "pre": train([], [], n_trials=2, size=1, dt=0.0),
        },
        conditions={"lag": Coordinate(values=np.array([-0.01, 0.01]), unit="ms"), "trial": Coordinate(values=np.array([3.0, 4.0]))},
        provenance=provenance(seed=2**70, versions={"numpy": "2.3.5"}, shifts={"pre": 1e-5}, notes=("post first", "dρ/dt\0")),
    )
    return Recording(**{**whole, **changes})


def bits(recording: Recording) -> Any:
    """All of a recording in a form that compares: NaN, -0.0 and the order of names count."""

    def plain(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            return value.dtype.newbyteorder("=").str, value.shape, value.astype(value.dtype.newbyteorder("=")).tobytes()
        if dataclasses.is_dataclass(value):
            return [(f.name, plain(getattr(value, f.name))) for f in dataclasses.fields(value)]
        if hasattr(value, "items"):
            return [(k, plain(v)) for k, v in value.items()]
        return type(value), value

    return plain(recording)


OTHER = made(units={"post.v": "mV", "calcium.rho": "1"})


def sign(path: Path) -> None:
    """Write the sidecar anew, as someone can who changes a file on purpose."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    path.with_name(path.name + ".sha256").write_text(f"{digest}  {path.name}\n")


def refused(path: Path) -> str:
    with pytest.raises(FileError) as caught:
        load(path)
    message = str(caught.value)
    assert str(path) in message
    assert ";" in message, "the remedy"
    return message


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "window.nc"
    save(made(), path)
    return path


@st.composite
def trains(draw: st.DrawFn, n: int) -> Train:
    size = draw(st.integers(1, 3))
    pairs = draw(st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1), st.integers(0, n * size - 1)), max_size=6))
    return train([s for s, _ in pairs], [i for _, i in pairs], n_trials=n, size=size, dt=draw(st.floats(0, 1)))


@st.composite
def recordings(draw: st.DrawFn) -> Recording:
    n, reads = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    spikes = draw(st.dictionaries(st.sampled_from(["pre", "post", "Δ"]), trains(n), max_size=2))
    traces = {}
    for owner in draw(st.sets(st.sampled_from(["pre", "w", "x.y"]))):
        size = spikes[owner].size if owner in spikes else draw(st.integers(1, 3))
        for state in draw(st.sets(st.sampled_from(["v", "g_e", "c"]))):
            traces[f"{owner}.{state}"] = draw(hnp.arrays(draw(st.sampled_from(TYPES)), (n, reads, size)))
    finite = hnp.arrays(np.float64, (n,), elements=st.floats(allow_nan=False, allow_infinity=False))
    unit = st.sampled_from(["1", "mV", "nS/pF", "ms", "volt", "Hz**0.5", "second", "mole/kelvin"])
    text = st.text(max_size=9)
    shifts = st.dictionaries(text, st.floats(allow_nan=False, allow_infinity=False))
    return Recording(
        traces=traces,
        times=draw(hnp.arrays(np.float64, (n, reads), elements=st.floats(allow_nan=False, allow_infinity=False))),
        units={name: draw(unit) for name in traces},
        spikes=spikes,
        conditions=draw(st.dictionaries(st.sampled_from(["lag", "trial", "τ"]), st.builds(Coordinate, values=finite, unit=unit))),
        provenance=draw(st.builds(provenance, circuit=text, seed=st.integers(), notes=st.lists(text).map(tuple), shifts=shifts)),
    )


EDGES = np.array([-0.0, 5e-324, -2.2e-308, np.inf, np.nan, np.frombuffer(b"\1\0\0\0\0\0\xf4\xff")[0]]).reshape(2, 3, 1)


@given(recordings())
@example(made())
@example(made(traces={"w.c": EDGES}, units={"w.c": "1"}))
@example(made(traces={"w.c": np.arange(6, dtype=">f8").reshape(2, 3, 1)[:, ::-1]}, units={"w.c": "1"}))
def test_round_trip_is_identity(recording: Recording) -> None:
    with tempfile.TemporaryDirectory() as folder:
        save(recording, f"{folder}/new/x.nc")
        assert bits(load(Path(folder, "new", "x.nc"))) == bits(recording)
        first = Path(folder, "new", "x.nc").read_bytes()
        save(load(f"{folder}/new/x.nc"), f"{folder}/new/x.nc")
        assert Path(folder, "new", "x.nc").read_bytes() == first
        with xarray.open_dataset(f"{folder}/new/x.nc", engine="h5netcdf") as data:
            xarray.testing.assert_identical(data.load(), to_xarray(recording))
        assert sorted(os.listdir(f"{folder}/new")) == ["x.nc", "x.nc.sha256"]


def test_other_programs_read_it(written: Path) -> None:
    with xarray.open_dataset(written, engine="h5netcdf") as data:
        assert data["post.v"].dims == ("trial", "time", "post_unit")
        assert data["post.v"].attrs == {"units": "volt", "shown_in": "volt", "long_name": "v of post"}
        # Values are SI, so the unit is second although the coordinate is shown in ms.
        assert data["lag"].values.tolist() == [-0.01, 0.01]
        assert (data["lag"].attrs["units"], data["lag"].attrs["shown_in"]) == ("second", "ms")
        assert data["times"].dtype == np.float64, "not decoded as a date"
        assert (data["spikes.post.steps"].attrs["size"], data["spikes.post.steps"].attrs["dt"]) == (2, 1e-4)
        assert set(data.coords) == {"times", "lag", "trial"}
        assert data.attrs["bioneuro_format"] == 1
    subprocess.run(["sha256sum", "--check", "--strict", "window.nc.sha256"], cwd=written.parent, check=True, capture_output=True)


def test_torch_is_refused_and_detached_is_not(tmp_path: Path) -> None:
    twin = made(traces={"calcium.rho": torch.ones((2, 3, 1), dtype=torch.float64, requires_grad=True)}, units={"calcium.rho": "1"})
    for recording in (twin, made(raster={"post": torch.zeros(1)})):
        with pytest.raises(FileError, match=r"x\.nc: .*detached\(\)"):
            save(recording, tmp_path / "x.nc")
        with pytest.raises(FileError, match=r"detached\(\)"):
            to_xarray(recording)
    save(twin.detached(), tmp_path / "x.nc")
    assert load(tmp_path / "x.nc")["calcium.rho"].tolist() == np.ones((2, 3, 1)).tolist()


def trace(values: Any, unit: str = "1") -> Recording:
    return made(traces={"w.c": values}, units={"w.c": unit})


def spikes(steps: Any, offsets: list[int], dt: float = 1e-3) -> Recording:
    return made(spikes={"w": Train(steps=np.asarray(steps), offsets=np.array(offsets), size=1, dt=dt)})


def varied(name: str, values: Any, unit: str = "1") -> Recording:
    return made(conditions={name: Coordinate(values=values, unit=unit)})


ONES = np.ones((2, 3, 1))
BROKEN: list[tuple[Recording, str]] = [
    (trace(np.ma.masked_equal(ONES, 1)), "MaskedArray"),
    (trace(ONES.tolist()), "list"),
    (trace(ONES.astype(object)), "type object"),
    (trace(ONES.astype(np.float16)), "float16"),
    (trace(ONES.astype(complex)), "complex"),
    (trace(ONES[0]), "shape"),
    (trace(ONES[:1]), "dimension 'trial'"),
    (trace(ONES[:, :, :0]), "holds nothing"),
    (trace(ONES, "mv"), "mv"),
    (trace(ONES, "__import__('os').abort()"), "unit"),
    (made(units={}), "units"),
    (made(times=np.ones((0, 3))), "times are empty"),
    (made(times=np.full((2, 3), np.nan)), "not finite"),
    (varied("lag", np.array([1, np.inf])), "not finite"),
    (varied("lag", np.ones(3)), "dimension 'trial'"),
    (varied("a/b", np.ones(2)), "rename"),
    (varied("a b", np.ones(2)), "rename"),
    (varied("time", np.ones(2)), "rename"),
    (varied("post_unit", np.ones(2)), "rename"),
    (varied("times", np.ones(2)), "one name"),
    (varied("post.v", np.ones(2)), "one name"),
    (spikes([1], [0, 1]), "offsets"),
    (spikes([1], [0, 2, 1]), "offsets"),
    (spikes([1], [0, 0, 0]), "offsets"),
    (spikes([2, 1], [0, 2, 2]), "order of time"),
    (spikes([1], [0, 1, 1], dt=-1.0), "dt"),
    (spikes(np.array([1.0]), [0, 1, 1]), "type float64"),
    (made(spikes={"post": train([], [], n_trials=2, size=3, dt=0.0)}), "3 units"),
    (made(provenance=provenance(shifts={"x": np.nan})), "provenance"),
    (made(provenance=provenance(notes=(b"x",))), "provenance"),
    (made(provenance=provenance(notes=("x" * 60_000,))), "shorten the notes"),
]


@pytest.mark.parametrize(("recording", "says"), BROKEN, ids=[f"{k}-{says}" for k, (_, says) in enumerate(BROKEN)])
def test_save_refuses_and_leaves_the_old_file(written: Path, recording: Recording, says: str) -> None:
    with pytest.raises(FileError, match=rf"window\.nc: not written: .*{says}"):
        save(recording, written)
    assert bits(load(written)) == bits(made())


@pytest.mark.parametrize("name", ["x", "x.h5", ".nc", "x.NC", "a\nb.nc", "a\\b.nc", "a\0.nc", "folder.nc", "file.nc/x.nc"])
def test_paths(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.nc").mkdir()
    (tmp_path / "file.nc").write_bytes(b"")
    for call in (lambda path: save(made(), path), load):
        with pytest.raises(FileError):
            call(str(tmp_path / name))
    assert sorted(os.listdir(tmp_path)) == ["file.nc", "folder.nc"]


# Crash safety.


def folder_of(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in path.parent.iterdir()}


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), OSError(errno.EROFS, "Read-only"), KeyboardInterrupt()])
@pytest.mark.parametrize(("name", "nth"), [("fsync", 1), ("fsync", 2), ("fsync", 3), ("fsync", 4), ("replace", 1), ("replace", 2)])
@pytest.mark.parametrize("before", [True, False])
def test_a_failure_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, name: str, nth: int, before: bool
) -> None:
    path = tmp_path / "window.nc"
    if before:
        save(made(), path)
    old = folder_of(path)
    real, calls = getattr(os, name), iter(range(1, 100))

    def fails(*args: Any) -> Any:
        if next(calls) == nth:
            raise error
        return real(*args)

    monkeypatch.setattr(os, name, fails)
    with pytest.raises(FileError if isinstance(error, OSError) else KeyboardInterrupt) as caught:
        save(OTHER, path)
    assert folder_of(path) == old
    assert not isinstance(error, OSError) or f"{path}: not written: {error.strerror}; " in str(caught.value)


def called(function: Callable[[str], None], path: Path) -> subprocess.CompletedProcess[str]:
    """Call a function of this file in a process of its own."""
    script = f"import sys; sys.path[:0] = ['tests', '.']; import test_files; test_files.{function.__name__}(sys.argv[1])"
    command, root = [sys.executable, "-c", script, str(path)], Path(__file__).parent.parent
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, timeout=300)


def save_on_a_full_disk(path: str) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
    save(OTHER, path)


def test_a_full_disk_changes_nothing(written: Path) -> None:
    old = folder_of(written)
    done = called(save_on_a_full_disk, written)
    assert f"FileError: {written}: not written: File too large; free space" in done.stderr
    assert folder_of(written) == old


def save_and_die(path: str) -> None:
    """Print what a reader sees if the process dies before or after the n-th fsync or rename."""
    for name, nth, after in [(n, k, a) for n, last in (("fsync", 4), ("replace", 2)) for k in range(last) for a in (False, True)]:
        save(made(), path)
        child = os.fork()
        if not child:
            real, calls = getattr(os, name), itertools.count()

            def dies(*args: Any) -> None:
                last = next(calls) == nth  # noqa: B023 (the child runs this loop once)
                if not last or after:  # noqa: B023
                    real(*args)  # noqa: B023
                if last:
                    os._exit(7)

            setattr(os, name, dies)
            save(OTHER, path)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), end=" ")
        try:
            print({repr(bits(made())): "old", repr(bits(OTHER)): "new"}[repr(bits(load(path)))])
        except FileError:
            print("refused")


def test_a_killed_process_leaves_the_old_the_new_or_a_refusal(written: Path) -> None:
    done = called(save_and_die, written)
    assert done.returncode == 0, done.stderr
    seen = ["old"] * 4 + ["refused"] * 2 + ["new"] * 2 + ["old"] + ["refused"] * 2 + ["new"]
    assert done.stdout.splitlines() == [f"7 {state}" for state in seen]


def test_truncation_and_flipped_bits_are_seen(written: Path) -> None:
    for path in (written, written.with_name("window.nc.sha256")):
        content = path.read_bytes()
        for end in range(0, len(content), 1 + len(content) // 97):
            path.write_bytes(content[:end])
            refused(written)
        for bit in range(0, 8 * len(content), 1 + len(content) // 60):
            changed = bytearray(content)
            changed[bit // 8] ^= 1 << bit % 8
            path.write_bytes(changed)
            refused(written)
        path.write_bytes(content)
    assert bits(load(written)) == bits(made())


@pytest.mark.parametrize("content", [b"", b"lag,weight\n0.01,1\n" * 99, b"\x89HDF\r\n\x1a\n" + bytes(999), b"CDF\1" + bytes(99)])
def test_a_file_of_another_kind(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.nc").write_bytes(content)
    assert "x.nc.sha256" in refused(tmp_path / "x.nc")
    sign(tmp_path / "x.nc")
    assert "cannot be read as NetCDF4" in refused(tmp_path / "x.nc")


def test_no_sidecar_and_a_sidecar_of_another(written: Path) -> None:
    sidecar = written.with_name("window.nc.sha256")
    sidecar.rename(written.with_name("x.nc.sha256"))
    assert "has no window.nc.sha256" in refused(written)
    written.rename(written.with_name("x.nc"))
    assert "was it renamed" in refused(written.with_name("x.nc"))
    assert "no such file" in refused(written)
