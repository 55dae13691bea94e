"""The commands `lzc` and `classify`: tables of a file of spikes."""

import argparse
import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bioneuro import complexity, learn, save
from bioneuro.classify import ClassifyError, ReadError, words_of
from bioneuro.commands import CommandError
from bioneuro.commands_lzc import classify, lzc


def asked(path: Path, **more: Any) -> argparse.Namespace:
    given = {
        "path": path, "bin": "1 ms", "unit": None, "dt": "0.1 ms", "stop": None, "population": None, "seed": 0, "surrogates": 5,
        "label": "label", "folds": 5, "out": None,
    }  # fmt: skip
    return argparse.Namespace(**{**given, **more})


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Spikes of 40 samples of two classes, as a table."""
    samples = learn.rates("20 Hz", "80 Hz", channels=2, duration="300 ms").samples(40, seed=3)
    spikes, labels = samples.spikes["source"], samples.conditions["label"].values
    lines = [f"{1e3 * t:.6g},{u},{k},{'slow' if labels[k] == 0 else 'fast'}" for k in range(40) for u in range(2) for t in spikes.times(k, u)]
    path = tmp_path / "spikes.csv"
    path.write_text("time (ms),neuron,trial,side\n" + "\n".join(lines))
    return path


def test_lzc(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    samples = learn.rates(channels=2, duration="200 ms").samples(6, seed=0)
    save(samples, tmp_path / "a.nc")
    assert lzc(asked(tmp_path / "a.nc")) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].endswith("a.nc: 6 trials of 2 neurons, 200 bins of 1 ms each")
    rows = [line.split() for line in said if line.split()[0] in ("0", "1", "all")]
    words = words_of(samples, "source", bin="1 ms")
    for k, row in enumerate(rows[:2]):
        assert float(row[1]) == pytest.approx(words[:, k].sum() / 6, rel=1e-3)
        assert float(row[2]) == pytest.approx(complexity.lz76(words[:, k]).mean(), rel=1e-3)
        assert float(row[3]) == pytest.approx(complexity.normalised(words[:, k]).mean(), rel=1e-3)
    assert float(rows[2][2]) == pytest.approx(complexity.lz76(complexity.joint(words)).mean(), rel=1e-3)


def test_lzc_of_a_plain_train(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.txt").write_text("1 5 9\n")
    assert lzc(asked(tmp_path / "a.txt", unit="ms", bin="20 ms", stop="20 ms")) == 0  # one bin
    assert lzc(asked(tmp_path / "a.txt", unit="ms")) == 0
    assert "ends with the last spike, at 0.009 s" in capsys.readouterr().out


def test_classify(table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = asked(table, label="side", stop="300 ms", out=tmp_path / "out" / "table.csv")
    assert classify(given) == 0
    said = capsys.readouterr().out
    assert "40 trials of 2 neurons, 300 bins of 1 ms; 20 of fast, 20 of slow" in said
    with given.out.open() as stream:
        rows = {row["reader"]: row for row in csv.DictReader(stream)}
    assert float(rows["LZC"]["accuracy"]) > 0.9
    assert float(rows["count"]["accuracy"]) > 0.9
    assert float(rows["LZC, labels shuffled"]["low"]) < 0.5 < float(rows["LZC, labels shuffled"]["high"])
    assert rows["chance: the most frequent class"]["accuracy"] == "0.500000"
    again = asked(table, label="side", stop="300 ms", out=tmp_path / "again.csv")
    classify(again)
    assert again.out.read_bytes() == given.out.read_bytes()


def test_names_in_a_file_steer_no_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    neuron, labels = "a\u202eb", ("y", "x\u2066")
    rows = "\n".join(f"{k % 9},{neuron},{k},{labels[k % 2]}" for k in range(20))
    (tmp_path / "a.csv").write_text(f"time (ms),neuron,trial,label\n{rows}", encoding="utf-8")
    lzc(asked(tmp_path / "a.csv", stop="10 ms"))
    classify(asked(tmp_path / "a.csv", stop="10 ms"))
    assert all(c.isprintable() or c == "\n" for c in capsys.readouterr().out)


def test_refused(table: Path, tmp_path: Path) -> None:
    (long := tmp_path / "long.txt").write_text("30000")
    for run, given, error, says in (
        (classify, asked(table, stop="300 ms"), ClassifyError, "no condition 'label'; there are: side"),
        (classify, asked(table, stop="300 ms", label="kind"), ReadError, "nothing called 'kind' says the class of each trial; there are: side"),
        (classify, asked(table, stop="300 ms", label="side", folds=21), ClassifyError, "20 of class 0, 20 of class 1"),
        (classify, asked(table, stop="300 ms", label="side", folds=1), ClassifyError, "at least two folds"),
        (classify, asked(table, stop="300 ms", label="side", seed=-1), CommandError, "--seed: -1"),
        (classify, asked(table, stop="300 ms", label="side", out=tmp_path), CommandError, "choose a file that can be written"),
        (classify, asked(table, stop="300 ms", label="side", out=Path("")), CommandError, "names no file"),
        (lzc, asked(table, surrogates=0), CommandError, "--surrogates 0"),
        (lzc, asked(table, stop="300 ms", surrogates=10**8), CommandError, "give at most 3333333"),
        (lzc, asked(table, seed=2**64), CommandError, "--seed 18446744073709551616"),
        (lzc, asked(tmp_path), ReadError, "the suffix '' is not known"),
        (lzc, asked(table, stop="30000 s"), ClassifyError, "more than 1000000000 symbols"),
        (lzc, asked(long, unit="s"), CommandError, "30000000 bins of 1 ms in a train; allowed: 20000000"),
    ):
        with pytest.raises(error, match=says):
            run(given)


def test_unequal_numbers_of_classes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Chance is the most frequent class."""
    rng = np.random.default_rng(0)
    rows = [f"{t},{k},{int(k < 10)}" for k in range(40) for t in sorted(rng.choice(99, 10, replace=False))]
    (tmp_path / "a.csv").write_text("time (ms),trial,label\n" + "\n".join(rows))
    classify(asked(tmp_path / "a.csv", stop="100 ms"))
    assert "chance: the most frequent class  75.0 %" in capsys.readouterr().out


def test_another_column_than_label(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = "\n".join(f"{k % 9},{k},{'xyz'[k % 3]},{'ab'[k % 2]}" for k in range(30))
    (tmp_path / "a.csv").write_text(f"time (ms),trial,group,label\n{rows}")
    classify(asked(tmp_path / "a.csv", stop="10 ms", label="group"))
    assert "; 10 of x, 10 of y, 10 of z" in capsys.readouterr().out


def test_no_context_tree_of_too_many_patterns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "a.npy", (np.random.default_rng(0).random((40, 7000)) < 0.5).astype(np.uint8))
    lzc(asked(tmp_path / "a.npy", dt="1 ms", surrogates=1))
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("all"))
    assert line.endswith("nan")
