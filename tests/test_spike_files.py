"""Spikes from arrays and files: what is read, and what is refused without running anything."""

import contextlib
import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from brian2.units import ms, second
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bioneuro import learn, save
from bioneuro.classify import ClassifyError, ReadError, labels_of, read, samples_of, spikes_of, words_of
from bioneuro.files import FileError
from bioneuro.recording import Recording
from bioneuro.units import UnitError

TABLE = "# two trials\ntime (ms),neuron,trial,label\n12.5,0,0,left\n13.1,1,0,left\n2,0,2,right\n,,1,right\n"


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def written(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return written


def npz(**arrays: Any) -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    return stream.getvalue()


def npy(array: Any, *, allow: bool = False) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.asarray(array), allow_pickle=allow)
    return stream.getvalue()


def times(recording: Recording) -> list[list[list[float]]]:
    """Rounded ms, by trial and unit."""
    spikes = recording.spikes["source"]
    return [[np.round(1e3 * spikes.times(t, u), 6).tolist() for u in range(spikes.size)] for t in range(recording.n_trials)]


# What is read --------------------------------------------------------------------------------------------------------


def test_a_table(write: Any) -> None:
    found = samples_of(write("a.csv", TABLE), stop="20 ms")
    assert times(found.recording) == [[[12.5], [13.1]], [[], []], [[2.0], []]]
    assert labels_of(found.recording).tolist() == [0, 1, 1]
    assert (found.neurons, found.classes) == (("0", "1"), ("left", "right"))
    assert found.recording.times.tolist() == [[0.02]] * 3
    assert found.recording.provenance.engine == "data"
    assert "label: 0 is left, 1 is right" in found.recording.provenance.notes


@pytest.mark.parametrize(
    ("name", "content", "unit"),
    [
        ("a.tsv", "TIME (s)\tneuron\n0.003\tb\n0.001\ta\n0.0015\tb\n", ""),
        ("a.csv", "\ufeffneuron,time\r\n b , 3\r\nb,1.5\r\n# between\r\na,1\r\n", "ms"),
        ("a.txt", "# one train per line\n1\n1.5 3\n", "ms"),
        ("a.txt", "0.001\n3e-3,1.5e-3\n\n", "s"),  # the last line is a silent neuron
        ("a.npz", npz(time=[3, 1, 1.5], neuron=[1, 0, 1]), "ms"),
    ],
)
def test_forms_that_mean_the_same(name: str, content: Any, unit: str, write: Any) -> None:
    found = times(spikes_of(write(name, content), unit=unit, stop="4 ms"))
    assert found[0][:2] == [[1.0], [1.5, 3.0]]
    assert found[0][2:] in ([], [[]])


def test_numbers_sort_as_numbers_and_columns_become_conditions(write: Any) -> None:
    table = "time (ms),trial,neuron,depth,side,class\n1,10,30,0.5,b,2\n2,9,4,1.5,a,-1\n"
    found = samples_of(write("a.csv", table), label="class", stop="3 ms")
    assert found.neurons == ("4", "30")
    assert times(found.recording) == [[[2.0], []], [[], [1.0]]]  # trial 9 before trial 10
    assert found.recording.conditions["depth"].values.tolist() == [1.5, 0.5]
    assert found.recording.conditions["side"].values.tolist() == [0, 1]
    assert labels_of(found.recording).tolist() == [0, 1]
    assert found.classes == ("-1", "2")


def test_numpy_files(write: Any) -> None:
    words = np.zeros((3, 2, 5), np.uint8)
    words[0, 1, 4] = words[2, 0, 0] = 1
    for source in (write("a.npz", npz(words=words, label=["x", "y", "x"])), write("a.npy", npy(words)), words):
        found = spikes_of(source, dt="2 ms", labels=None if str(source).endswith("z") else ["x", "y", "x"])
        np.testing.assert_array_equal(words_of(found, "source", bin="2 ms"), words)
        assert labels_of(found).tolist() == [0, 1, 0]
    flat = write("b.npz", npz(time=[0.001, 0.002], neuron=[0, 2], trial=[0, 1], label=[7, 9, 7], stop=0.004))
    assert times(spikes_of(flat, unit="s")) == [[[1.0], [], []], [[], [], [2.0]], [[], [], []]]
    assert spikes_of(write("c.npy", npy(np.array([0.3, 0.1]))), unit="s").times.tolist() == [[pytest.approx(0.3)]]


def test_plain_arrays() -> None:
    nested: Any = [[[1.0, 4.0], []], [[2.0], [3.0]]]
    plain = spikes_of(nested, unit="ms", stop="5 ms", labels=["a", "b"])
    assert times(plain) == nested
    assert labels_of(plain).tolist() == [0, 1]
    assert times(spikes_of([[[1, 4] * ms, []], [["2 ms"], [3e-3] * second]], stop="5 ms")) == nested
    assert times(spikes_of([np.array([1.0, 4.0]), [2.0]], unit="ms")) == [[[1.0, 4.0]], [[2.0]]]
    assert times(spikes_of([0.001, 0.004] * second)) == [[[1.0, 4.0]]]
    assert spikes_of(plain) is plain


def test_a_recording_on_disk(tmp_path: Path) -> None:
    samples = learn.rates(channels=2, duration="100 ms").samples(6, seed=0)
    save(samples, tmp_path / "a.nc")
    np.testing.assert_array_equal(words_of(spikes_of(tmp_path / "a.nc"), "source", bin="1 ms"), words_of(samples, "source", bin="1 ms"))
    (tmp_path / "a.nc").write_bytes((tmp_path / "a.nc").read_bytes()[:-100])
    with pytest.raises(FileError, match=r"a\.nc"):
        spikes_of(tmp_path / "a.nc")


def test_without_an_end_the_last_spike_ends_it() -> None:
    found = spikes_of([[[1, 4], [2]]], unit="ms")
    assert found.times.tolist() == [[0.004]]
    assert any("ends with the last spike, at 0.004 s" in note for note in found.provenance.notes)


@given(st.lists(st.lists(st.integers(0, 99), unique=True, max_size=8), min_size=1, max_size=4), st.sampled_from(["csv", "npz", "plain"]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_way_gives_the_same_spikes(write: Any, rows: list[list[int]], way: str) -> None:
    """Trials of one neuron, in any order of rows."""
    expected = [[sorted(map(float, row))] for row in rows]
    pairs = [(t, k) for k, row in enumerate(rows) for t in row]
    if way == "csv":
        lines = [f"{t},{k}" for t, k in reversed(pairs)] + [f",{k}" for k in range(len(rows))]
        source: Any = write("a.csv", "time (ms),trial\n" + "\n".join(lines))
    elif way == "npz":
        time, trial = np.array(pairs, float).reshape(-1, 2).T
        source = write("a.npz", npz(time=time, trial=trial.astype(int), label=np.arange(len(rows))))
    else:
        source = [[float(t) for t in row] for row in rows]
    assert times(spikes_of(source, unit="ms", stop="100 ms")) == expected


# What is refused -----------------------------------------------------------------------------------------------------

HEAD = "time (ms),neuron,trial,label\n"
BAD_TEXT: list[tuple[str | bytes, str]] = [
    ("", "is empty"),
    ("# only a note\n", "is empty"),
    (HEAD, "names no neuron"),
    (HEAD + "1,0,0\n", "line 2: has 3 cells, but there are 4 columns: time, neuron, trial, label"),
    (HEAD + "nan,0,0,a\n", "line 2: time 'nan' is not a number from 0"),
    (HEAD + "-1,0,0,a\n", "line 2: time '-1' is not a number from 0"),
    (HEAD + "1e999,0,0,a\n", "line 2: time '1e999' is not a number"),
    (HEAD + "1_0,0,0,a\n", "time '1_0'"),
    (HEAD + "'__import__(\"os\")',0,0,a\n", "is no line of a table|time"),
    (HEAD + "1,0,0,a\n2,0,0,b\n", "line 3: 'label' is 'b', but trial '0' had 'a'"),
    (HEAD + "1,,0,a\n", "line 2: names no neuron"),
    (HEAD + "1,0,,a\n", "line 2: names no trial"),
    (HEAD + "1,0,0,\n", "column 'label' is empty in trial '0'"),
    (HEAD + "1,0,0,a\n1.00001,0,0,a\n", "trial 0, neuron 0: two spikes within one step of 0.0001 s"),
    (HEAD + "1e300,0,0,a\n", "in steps of 0.0001 s are too many"),
    (HEAD + f"1,0,0,{'x' * 300}\n", "more than 200 characters"),
    (HEAD + '"1,0,0,a\n2,0,0,a\n', "line 2: .* is no line of a table"),
    ("time (ms),neuron,neuron\n1,0,0\n", "column 'neuron' is no name, or comes twice"),
    ("time (ms),,x\n1,0,0\n", "column '' is no name"),
    ("time (mV),neuron\n1,0\n", "times are in 'mV'"),
    ("time (x),neuron\n1,0\n", "'x' is not a unit name"),
    ("time,neuron\n1,0\n", "times have no unit"),
    ("neuron,trial\n1,0\n", "has no column 'time'"),
    ("time;neuron\n1;0\n", "is no name"),
    ("1 2 x\n", "no column 'time'|is no name"),
    ("1 2\n3 nan\n", "times have no unit"),
    (b"time (ms)\n\xff\n", "line 2: byte 0xff is not UTF-8"),
    (b"time (ms)\n1\n\x1b[2J\n", "line 3: holds the control character"),
    (b"time (ms)\n1\x00\n", "control character"),
]


@pytest.mark.parametrize(("content", "says"), BAD_TEXT)
def test_bad_text(content: Any, says: str, write: Any) -> None:
    with pytest.raises((ReadError, UnitError), match=says):
        spikes_of(write("a.csv", content))


class Bomb:
    """What would run if a file were unpickled."""

    def __reduce__(self) -> Any:
        return (pytest.fail, ("unpickled",))


def cut(content: bytes, n: int = 40) -> bytes:
    return content[:-n]


def zipped(**members: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "."), content)
    return stream.getvalue()


SPIKES = {"time": [0.1, 0.2], "neuron": [0, 1]}
HUGE = b"\x93NUMPY\x01\x00\x76\x00" + b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000000,), }".ljust(117) + b"\n"
BAD_NUMPY: list[tuple[str, bytes, str]] = [
    ("a.npy", npy(np.array([Bomb()], object), allow=True), "holds object, allowed: numbers and texts; objects are never unpickled"),
    ("a.npz", npz(time=np.array([Bomb()], object)), "time: holds object"),
    ("a.npy", pickle.dumps(Bomb()), "no array in NumPy's format"),
    ("a.npz", pickle.dumps(Bomb()), "is no whole .npz"),
    ("a.npy", cut(npy(np.arange(99.0))), "bytes follow; it was cut"),
    ("a.npy", HUGE, r"says shape \(1000000000000000,\) of float64, but 0 bytes follow"),
    ("a.npy", HUGE.replace(b"(1000000000000000,)", b"(-1,               )"), "no array in NumPy's format|says shape"),
    ("a.npy", HUGE.replace(b"'<f8'", b"[].x "), "no array in NumPy's format"),
    ("a.npz", cut(npz(**SPIKES)), "is no whole .npz"),
    ("a.npz", zipped(**{"time__npy": bytes(300_000_000)}), "holds 1 arrays of 300000000 bytes; allowed"),
    ("a.npz", zipped(**{f"x{k}__npy": b"" for k in range(65)}), "holds 65 arrays"),
    ("a.npz", zipped(**{"../time__npy": b""}), "holds '../time.npy', which is no array with a name"),
    ("a.npz", zipped(time__txt=b""), "holds 'time.txt'"),
    ("a.npz", npz(time=[1.0], neuron=[0.5]), "'neuron' holds float64; allowed: whole numbers"),
    ("a.npz", npz(time=[1.0], neuron=[-1]), "'neuron' holds int64"),
    ("a.npz", npz(time=[1.0], neuron=[10**9]), "goes up to 1000000000"),
    ("a.npz", npz(time=[1.0], trial=[2**31 - 1]), "2147483648 trials of 1 neurons"),
    ("a.npz", npz(time=[1.0], neuron=[0, 1]), "equally long"),
    ("a.npz", npz(time=[np.nan], neuron=[0]), "a spike at nan s"),
    ("a.npz", npz(time=[-1.0], neuron=[0]), "a spike at -1 s"),
    ("a.npz", npz(neuron=[0]), "give either 'time'"),
    ("a.npz", npz(time=[1.0], words=np.zeros((1, 1, 1), int)), "give either 'time'"),
    ("a.npz", npz(time=[1.0], label=np.zeros((2, 2))), "'label' has shape"),
    ("a.npz", npz(time=[1.0], stop=np.nan), "'stop' has shape"),
    ("a.npz", npz(time=[1.0], stop=0.5), "the last spike is at 1 s, the end of the observation at 0.5 s"),
    ("a.npy", npy(np.ones((1, 2, 3, 4), int)), "words of type int64 and shape"),
    ("a.npy", npy(np.full((2, 3), 7)), "give 0 and 1"),
    ("a.npy", npy(np.ones((2, 3))), "words of type float64"),
    ("a.npy", npy(np.zeros(3, [("x", int)])), "allowed: numbers and texts"),
]


@pytest.mark.parametrize(("name", "content", "says"), BAD_NUMPY)
def test_bad_numpy_files(name: str, content: bytes, says: str, write: Any) -> None:
    with pytest.raises(ReadError, match=says):
        spikes_of(write(name, content), unit="s")


@given(st.binary(max_size=300), st.sampled_from(["a.csv", "a.txt", "a.npy", "a.npz"]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_read_or_refused(write: Any, content: bytes, name: str) -> None:
    with contextlib.suppress(ReadError, UnitError):
        spikes_of(write(name, content), unit="s", stop="1e4 s")


@given(st.integers(0, 10_000), st.integers(0, 255), st.sampled_from(["a.npy", "a.npz", "a.csv"]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damaged_files_are_read_or_refused(write: Any, place: int, byte: int, name: str) -> None:
    whole = {"a.npy": npy(np.eye(4, dtype=int)), "a.npz": npz(**SPIKES, label=["a"]), "a.csv": TABLE.encode()}[name]
    at = place % len(whole)
    with contextlib.suppress(ReadError, UnitError):
        spikes_of(write(name, whole[:at] + bytes([byte]) + whole[at + 1 :]), unit="s", stop="1e4 s")


def test_files_refused(write: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path, says in (
        (write("a.pkl", pickle.dumps(Bomb())), r"the suffix '\.pkl' is not known; allowed: \.csv"),
        (write("a.pickle", pickle.dumps(Bomb())), "is not known"),
        (tmp_path / "missing.csv", "is not a file"),
        (tmp_path, "the suffix '' is not known"),
    ):
        with pytest.raises(ReadError, match=says):
            spikes_of(path)
    monkeypatch.setattr(read, "LARGEST", 10)
    with pytest.raises(ReadError, match=r"has \d+ bytes; allowed: 10"):
        spikes_of(write("a.csv", TABLE))


@pytest.mark.parametrize(
    ("source", "more", "says"),
    [
        ([1.0, 2.0], {}, r"are no times with a unit; give for example unit='ms'"),
        ([[1.0, 2.0]], {"unit": "mV"}, "'mV' is no unit of time"),
        ([["1 mV"]], {}, "are no times with a unit"),
        ([[[1.0], [2.0]], [[1.0]]], {"unit": "s"}, r"trials have \[1, 2\] units"),
        ([[[[1.0]]]], {"unit": "s"}, "lists within lists within lists"),
        ([[1.0, np.inf]], {"unit": "s"}, "a spike at inf s"),
        ([[1.0, 1.0]], {"unit": "s"}, "two spikes within one step"),
        ([[1.0]], {"unit": "s", "stop": "0.5 s"}, "the last spike is at 1 s"),
        ([[1.0]], {"unit": "s", "labels": [1, 2]}, r"labels of shape \(2,\) for 1 trials"),
        ([[1.0]], {"unit": "s", "label": "side"}, "nothing called 'side' says the class"),
        ([[1.0]], {"unit": "s", "dt": "0 ms"}, "dt 0 s is not positive"),
        ([[]], {"unit": "s"}, "the end of the observation at 0 s"),
        (np.full((2, 2), 3), {}, "give 0 and 1"),
        ([["a"]], {"unit": "s"}, "is not a number"),
        ([[1.0], [2.0]], {"unit": "s", "labels": [0, np.nan]}, "'label' of trial 1 is nan; give a value for each trial"),
        ([[1.0], [2.0]], {"unit": "s", "labels": [None, "a"]}, "'label' of trial 0 is None"),
        ([1.0], {"unit": "s", "dt": ["1 ms", "2 ms"]}, "dt: 2 times; give one"),
        (None, {"unit": "s"}, "is not a number"),
    ],
)
def test_arrays_refused(source: Any, more: dict[str, Any], says: str) -> None:
    with pytest.raises((ClassifyError, UnitError), match=says):
        spikes_of(source, **more)


def test_one_column_says_the_class(tmp_path: Path) -> None:
    """A column `label` does not take the place of the one that was asked for."""
    (tmp_path / "a.csv").write_text("time (ms),trial,group,label\n1,0,y,a\n2,1,x,a\n3,2,z,b\n")
    seen = spikes_of(tmp_path / "a.csv", label="group")
    assert seen.conditions["label"].values.tolist() == [1, 0, 2]
    assert "label: left out, since group says the class" in seen.provenance.notes
    with pytest.raises(ClassifyError, match="labels= has no effect"):
        spikes_of(seen, labels=[0, 1, 2])


def test_times_of_torch() -> None:
    torch = pytest.importorskip("torch")
    assert spikes_of(torch.tensor([[1.0, 4.0], [2.0, 3.0]]), unit="ms").spikes["source"].steps.tolist() == [10, 40, 20, 30]
