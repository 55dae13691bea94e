"""The user's own measurements: what is read, what is refused and how it is said, drawn over a figure, and fitted."""

import functools
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from brian2.units import ms, second
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from bioneuro import brian, measure, plot, protocol, script
from bioneuro.catalogue import song2000
from bioneuro.evidence import sjostrom2001, table
from bioneuro.evidence.points import Points, PointsError, tabled
from bioneuro.evidence.table import TableError, read_csv, unit_in
from bioneuro.fit import FitError, curve_error, fit
from bioneuro.measure import Curve, MeasureError
from bioneuro.script import OptionError
from bioneuro.twin import Twin

TABLE = "# pairs of layer-5 cells\ncondition (ms),mean,sem,n\n-10,0.81,0.06,9\n10,1.32,.11,8\n25,1.1,,\n"


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def written(content: str | bytes, name: str = "mine.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return written


# Reading -------------------------------------------------------------------------------------------------------------


def test_a_table_is_read(write: Any) -> None:
    found = read_csv(write(TABLE))
    assert (found.name, found.unit, found.caveats) == ("mine", "ms", ("pairs of layer-5 cells",))
    assert found.x == pytest.approx([-0.010, 0.010, 0.025])
    assert found.mean.tolist() == [0.81, 1.32, 1.1]
    assert np.array_equal(found.sem, [0.06, 0.11, np.nan], equal_nan=True)
    assert np.array_equal(found.n, [9, 8, np.nan], equal_nan=True)
    assert found.source.startswith("mine.csv, SHA-256 ")
    assert len(found.source.rpartition(" ")[2]) == 64


@pytest.mark.parametrize(
    "content",
    [
        "condition,mean\n10,1.5",  # no unit, no sem, no n, no last line end
        "mean,condition (ms)\n1.5,10\n",  # any order
        "\ufeffCondition (ms) , MEAN\r\n 10 , 1.5 \r\n\r\n",  # as a spreadsheet writes it
        '"condition (second)","mean"\n"1e-2","+1.50"\n',
        "# note\n\n  # note\ncondition(ms),mean,n\r10,1.5,\r# end",
    ],
)
def test_forms_that_mean_the_same(content: str, write: Any) -> None:
    found = read_csv(write(content), unit="ms")
    assert (found.x, found.mean) == (pytest.approx([0.01]), [1.5])
    assert np.isnan(found.sem).all()
    assert np.isnan(found.n).all()


def test_one_condition_measured_twice_is_two_points(write: Any) -> None:
    assert read_csv(write("condition (Hz),mean\n10,1.2\n10,1.3\n")).mean.tolist() == [1.2, 1.3]


HEAD = "condition (ms),mean,sem,n\n"
REFUSED: list[tuple[str | bytes, str]] = [
    ("", r"is empty; begin with the names of the columns, as in 'condition \(ms\),mean,sem,n'"),
    ("# only a note\n", "is empty"),
    (HEAD, "has no row of numbers"),
    ("condition,mean\n10,1\n", r"column 'condition' has no unit; write it in parentheses, such as 'condition \(ms\)'"),
    ("condition (ms);mean\n10;1\n", r"line 1: column 'condition \(ms\);mean' is unknown.* Cells are separated by commas"),
    ("condition (ms)\tmean\n10\t1\n", "Cells are separated by commas"),
    ("condition (ms),maen\n", "line 1: column 'maen' is unknown; allowed: condition, mean, sem, n.* Did you mean 'mean'"),
    ("lag (ms),mean\n", r"column 'lag \(ms\)' is unknown"),
    ("10,1.5\n20,1.6\n", "line 1: column '10' is unknown"),
    ("condition (ms),sem\n10,1\n", "line 1: has no column 'mean'"),
    ("mean,sem\n10,1\n", "has no column 'condition'"),
    ("condition (ms),mean,mean\n", "line 1: column 'mean' comes twice"),
    ("condition (ms),condition (Hz),mean\n", "column 'condition' comes twice"),
    ("condition (msec),mean\n", r"line 1: column 'condition': unit 'msec': 'msec' is not a unit name .*Did you mean"),
    ("condition (),mean\n", "line 1: column 'condition': unit ''"),
    ("condition (9**9**9),mean\n", "line 1: column 'condition': unit"),
    ("condition (__import__('os').system('touch pwned')),mean\n", "line 1: column .* is unknown"),
    (HEAD + "10,1.5\n", "line 2: has 2 cells, but there are 4 columns: condition, mean, sem, n"),
    ("condition (ms),mean\n10,1,5\n", "line 2: has 3 cells, but there are 2 columns: condition, mean; decimals are written with a point"),
    (HEAD + "10,1,5,0,1,3\n", "decimals are written with a point"),
    (HEAD + "10,,0.1,3\n", "line 2: column 'mean': '' is not a number"),
    (HEAD + ",1,0.1,3\n", "line 2: column 'condition': '' is not a number"),
    (HEAD + "10,1,0.1,3\n20,high,0.1,3\n", "line 3: column 'mean': 'high' is not a number; allowed: decimals with a point"),
    *[(f"{HEAD}10,{bad},,\n", "line 2: column 'mean': .* is not a number") for bad in (
        "nan", "inf", "-Infinity", "1_000", "0x10", "1e", "1 2", "50%", "=1+1", "@SUM(A1)", "１.5", "__import__('os')", "1j", "True",
    )],
    (HEAD + "10,1e999,,\n", "column 'mean': '1e999' is too large for a number; check the exponent"),
    (HEAD + "10,1,0,3\n", "line 2: column 'sem': '0' is not positive; leave the cell empty where no standard error is known"),
    (HEAD + "10,1,-0.1,3\n", "column 'sem': '-0.1' is not positive"),
    (HEAD + "10,1,1e-999,3\n", "column 'sem': '1e-999' is not positive"),
    *[(f"{HEAD}10,1,0.1,{bad}\n", "line 2: column 'n': .* is not a whole number from 1") for bad in ("0", "-3", "2.5", "3e1", "many", "9" * 16)],
    (HEAD + "10,1,0.1,3\n# between\n10,1.0,.1,3\n", "line 4: condition 10: repeats line 2 in every column; remove the copy"),
    (HEAD + '10,"1,0.1,3\n20,1,0.1,3\n', "line 2: .* is no line of CSV"),
    (HEAD + '10,"1"5,0.1,3\n', "line 2: .* is no line of CSV"),
    (HEAD.encode() + b"10,1\xe4,,\n", "line 2: byte 0xe4 is not UTF-8; save the table as 'CSV UTF-8'"),
    (HEAD.encode("utf-16"), "is not UTF-8"),
    (HEAD + "10,1\x00,,\n", r"line 2: holds the control character '\\x00'"),
    ("# \x1b]0;title\x07\n" + HEAD + "10,1,,\n", r"line 1: holds the control character '\\x1b'"),
    (b"PK\x03\x04" + bytes(60), "control character|UTF-8"),
]  # fmt: skip


@pytest.mark.parametrize(("content", "says"), REFUSED, ids=[str(k) for k in range(len(REFUSED))])
def test_bad_tables_are_refused(content: str | bytes, says: str, write: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(content)
    monkeypatch.chdir(path.parent)
    with pytest.raises(TableError, match=says) as refused:
        read_csv(path)
    assert str(refused.value).startswith(str(path))
    assert len(str(refused.value)) < 500 + len(str(path))
    assert not (path.parent / "pwned").exists()


def test_files_that_cannot_be_read(tmp_path: Path, write: Any) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    for path in (tmp_path / "none.csv", tmp_path, tmp_path / "pipe.csv", Path("/dev/zero")):
        with pytest.raises(TableError, match="is not a file; give the path of a CSV file"):
            read_csv(path)
    large = write(HEAD + "10,1,,\n" * (table.LARGEST // 7))
    with pytest.raises(TableError, match="is larger than 1000000 bytes"):
        read_csv(large)


def test_a_unit_of_another_kind_is_refused(write: Any) -> None:
    with pytest.raises(TableError, match="the conditions are in 'ms', which is no 'Hz'; give a table in 'Hz'"):
        read_csv(write(TABLE), unit="Hz")
    assert read_csv(write(TABLE), unit="second").unit == "ms"
    assert (unit_in(write(TABLE)), unit_in(write("condition,mean\n1,2"))) == ("ms", "")


@hypothesis_settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.one_of(st.binary(max_size=200), st.text('conditmeas,(ms)\n\r"#0.1-e+ \t', max_size=80).map(lambda text: (HEAD + text).encode())))
def test_anything_is_points_or_a_clear_error(content: bytes, write: Any) -> None:
    said = ""
    try:
        found: Any = read_csv(write(content), unit="ms")
    except TableError as error:
        found, said = None, str(error)
    assert isinstance(found, Points) or "mine.csv" in said


numbers = st.floats(-1e6, 1e6)
rows = st.lists(st.tuples(numbers, numbers, st.floats(1e-6, 1e6) | st.none(), st.integers(1, 10**6) | st.none()), min_size=1, unique=True)


@hypothesis_settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=rows)
def test_every_number_arrives_as_written(rows: list[tuple[Any, ...]], write: Any) -> None:
    rows = list({tuple(0.0 if v == 0 else v for v in row): None for row in rows})  # -0.0 is 0.0
    found = read_csv(write("condition (1),mean,sem,n\n" + "\n".join(",".join("" if v is None else repr(v) for v in row) for row in rows)))
    expected = np.array([[np.nan if v is None else v for v in row] for row in rows], dtype=float)
    assert np.array_equal(np.stack([found.x, found.mean, found.sem, found.n], axis=1), expected, equal_nan=True)


# The option of scripts -----------------------------------------------------------------------------------------------


def asked(*argv: object) -> script.Options:
    return script.options("study", [str(word) for word in argv])


def test_option(write: Any) -> None:
    lags, rates, bare = write(TABLE, "lags.csv"), write("condition (Hz),mean\n10,1.2\n", "rates.csv"), write("condition,mean\n5,1.2\n", "bare.csv")
    given = asked("--data", lags, "--data", bare)
    assert given.data == (lags, bare)
    assert script.unread(given) == given.data
    assert [p.name for p in script.data(given, "ms")] == ["lags", "bare"]
    assert script.data(given, "ms")[1].x == pytest.approx([0.005])
    assert script.unread(given) == ()
    assert asked().data == ()
    assert script.data(asked(), "ms") == ()

    both = asked("--data", lags, "--data", rates)
    assert [p.name for p in script.data(both, "ms", among=("ms", "Hz"))] == ["lags"]
    assert script.unread(both) == (rates,)
    assert [p.name for p in script.data(both, "Hz", among=("ms", "Hz"))] == ["rates"]
    with pytest.raises(OptionError, match=r"rates.csv has conditions in 'Hz', but the axes are in ms; give data along these"):
        script.data(both, "ms")
    with pytest.raises(OptionError, match=r"without a unit, but the axes are in ms and Hz; write it as in 'condition \(ms\)'"):
        script.data(asked("--data", bare), "ms", among=("ms", "Hz"))


def test_option_refused(write: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(TABLE)
    for argv, says in (([tmp_path / "none.csv"], "is not a file"), ([path, "--data", path], "is given twice")):
        with pytest.raises(SystemExit) as ended:
            asked("--data", *argv)
        assert ended.value.code == 2
        assert says in capsys.readouterr().err


SCRIPT = """
from pathlib import Path
from bioneuro import plot, script


def main(options):
    with plot.style():
        figure, axes = plot.grid(1, 1, height=40)
        plot.overlay(axes[0, 0], script.data(options, "ms"))
        return plot.save(figure, options.out.with_suffix(""), digest="0" * 64)[0]
"""


def test_run_draws_the_data(write: Any, tmp_path: Path) -> None:
    """`bioneuro run` takes --data, and a figure overlays it in one line; a bad table ends it with a message instead of a traceback."""
    figure, good, bad = write(SCRIPT, "figure.py"), write(TABLE), write(HEAD + "10,1,0,3\n", "bad.csv")
    command = [sys.executable, "-m", "bioneuro", "run", str(figure), "--out", str(tmp_path / "drawn.nc"), "--data"]
    done = subprocess.run([*command, str(good)], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "drawn.svg").exists()
    done = subprocess.run([*command, str(bad)], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {bad}, line 2: column 'sem'")


# Drawing -------------------------------------------------------------------------------------------------------------


def test_points_are_drawn_with_bars_where_known(write: Any, tmp_path: Path) -> None:
    with plot.style():
        figure, axes = plot.grid(1, 1, height=40)
        ax = axes[0, 0]
        plot.evidence(ax, read_csv(write(TABLE, "a $b$.csv")))
        marks, _, (bars,) = ax.containers[0]
        assert marks.get_xdata() == pytest.approx([-10, 10, 25])
        ends = [s[:, 1] for s in bars.get_segments() if len(s) and np.isfinite(s).all()]
        assert np.array(ends) == pytest.approx(np.array([[0.75, 0.87], [1.21, 1.43]]))
        assert ax.get_legend_handles_labels()[1] == [r"a \$b\$"]
        plot.overlay(ax, [sjostrom2001.WINDOW_20_HZ, tabled("bare", [(1, 2)], unit="ms", source="here")], unit="second")
        assert ax.containers[1][0].get_xdata() == pytest.approx([-0.025, -0.01, 0, 0.01, 0.025])
        assert ax.containers[2][0].get_marker() != ax.containers[1][0].get_marker()
        ax.legend()
        plot.save(figure, tmp_path / "drawn", digest="0" * 64)
    with pytest.raises(TypeError, match="y is missing"):
        plot.evidence(ax, [1.0])


# Fitting -------------------------------------------------------------------------------------------------------------


def curve(x: list[float], y: list[float], unit: str = "ms") -> Curve:
    return Curve(name="w", x=np.array(x), unit=unit, y=torch.tensor(y, dtype=torch.float64, requires_grad=True), error=torch.zeros(len(y)))


SEEN: Any = None  # a recording that no measure here looks at


def test_each_point_counts_by_its_own_error() -> None:
    data = tabled("mine", [(20, 2.0, 0.5), (10, 1.0, 0.1), (10, 1.3)], unit="ms", source="here")
    found = curve([0.010, 0.020, 0.030], [1.2, 1.0, 9.0])
    loss = curve_error(data, of=lambda seen: found)(SEEN)
    usual = np.sqrt((0.5**2 + 0.1**2) / 2)
    assert loss.item() == pytest.approx(((1 / 0.5) ** 2 + (0.2 / 0.1) ** 2 + (0.1 / usual) ** 2) / 3)
    loss.backward()
    assert found.y.grad.numpy() == pytest.approx([2 / 3 * (0.2 / 0.1**2 - 0.1 / usual**2), -2 / 3 * 1 / 0.5**2, 0.0])
    bare = tabled("mine", [(10, 1.0)], unit="ms", source="here")
    assert curve_error(bare, of=lambda seen: found)(SEEN).item() == pytest.approx(0.04)


def test_points_are_compared_where_they_were_measured() -> None:
    data = tabled("mine", [(12, 1.0)], unit="ms", source="here")
    found = curve([0.0, 0.010, 0.020], [1.0, 2.0, 3.0])
    with pytest.raises(MeasureError, match=r"a point at 12 ms, but the nearest condition of the curve 'w' is 10 ms; .* allow within='2.02 ms'"):
        measure.nearest(found, data)
    assert measure.nearest(found, data, within="2.02 ms").y.tolist() == [2.0]
    assert curve_error(data, of=lambda seen: found, within=3 * ms)(SEEN).item() == 1.0
    assert curve_error(data, of=lambda seen: curve([12e-3 * (1 + 1e-12)], [1.0]))(SEEN).item() == 0.0
    with pytest.raises(MeasureError, match="'mine' is along 'ms', the curve 'w' along 'Hz'; measure along the same"):
        measure.nearest(curve([12.0], [1.0], "Hz"), data)
    with pytest.raises(FitError, match="within='1 ms' is for measured points; a Curve needs the same trials"):
        curve_error(found, within="1 ms")
    with pytest.raises(PointsError):
        tabled("mine", [(12, 1.0, 0.0)], unit="ms", source="here")


UNBOUNDED = song2000.pair().with_values({"stdp.w": 1, "stdp.w_min": -100, "stdp.w_max": 100})
FREE = ("stdp.A_plus", "stdp.A_minus")


def test_amplitudes_come_out_of_a_small_table(write: Any, ledger: Any) -> None:
    """Ten ratios made with Brian2 from planted amplitudes, with noise of 2 or 6 %: a fit ends at the weighted least squares.

    The ratio is linear in each amplitude, so these have a closed form, and so has their error.
    """
    lags, planted = np.array([-60.0, -40, -25, -15, -5, 5, 15, 25, 40, 60]), UNBOUNDED.with_values({"stdp.A_plus": 0.012, "stdp.A_minus": 0.007})
    ratio = functools.partial(measure.ratio, before=1)
    exact = ratio(brian.simulate(planted, protocol.pairing(lag=lags * ms, rate="1 Hz", pairs=60), seed=0, target="numpy")).y
    sem = np.tile([0.02, 0.06], 5)
    mean = exact + sem * np.random.default_rng(5).standard_normal(lags.size)
    lines = [f"{lag:g},{m:.4f},{s:g},{7 + k}" for k, (lag, m, s) in enumerate(zip(lags, mean, sem, strict=True))]
    data = read_csv(write("\n".join(["# 60 pairs at 1 Hz", "condition (ms),mean,sem,n", *lines])))

    same = protocol.pairing(lag=data.x * second, rate="1 Hz", pairs=60)
    found = fit(Twin(UNBOUNDED, free=FREE), same, loss=curve_error(data, of=ratio))
    for path, side in zip(FREE, (data.x > 0, data.x < 0), strict=True):
        slope = (exact[side] - 1) / planted.values[path].value / sem[side]
        best, error = slope @ ((data.mean[side] - 1) / sem[side]) / (slope @ slope), 1 / np.sqrt(slope @ slope)
        value = float(found.circuit.values[path].value)
        for reference, target, allowed in (("weighted least squares", best, 0.001), ("planted value", planted.values[path].value, 2.0)):
            check = f"{path} from 10 ratios in a CSV file, standard errors"
            ledger("fit, pair STDP", reference, check, abs(value - float(target)) / error, allowed)
    again = ratio(brian.simulate(found.circuit, same, seed=0, target="numpy"))
    assert np.mean(((again.y - data.mean) / data.sem) ** 2) == pytest.approx(found.losses.min(), rel=1e-6)
