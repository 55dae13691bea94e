"""The fidelity ledger: rows from tests, a table that comes out the same."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from bioneuro import ledger as book

ROOT = Path(__file__).resolve().parent.parent
TESTS = """
import pytest

@pytest.mark.parametrize("error", [2e-9, 1.2345e-5, 0])
def test_window(error, ledger):
    ledger("calcium", "a paper, Fig. 2", "STDP window | largest difference", error, 1e-3, "noise\\ncorrected")

def test_model(ledger):
    ledger("adex", "a paper", "spike times", 0, 0)

def test_other():
    raise RuntimeError("not a test of the ledger")
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "tests").mkdir()
    shutil.copy(ROOT / "tests" / "conftest.py", tmp_path / "tests")
    (tmp_path / "tests" / "test_some.py").write_text(TESTS)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])))
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_outside_the_command_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(book.FOLDER, raising=False)
    monkeypatch.chdir(tmp_path)
    book.row("m", "r", "c", 1, 2)
    assert not list(tmp_path.iterdir())


def test_command_writes_the_same_table_each_time(project: Path) -> None:
    out = project / "docs" / "fidelity.md"
    texts = []
    for _ in range(2):
        assert book.main([]) == 0
        texts.append(out.read_text())
    assert texts[0] == texts[1]
    assert texts[0].splitlines()[-2:] == [
        "| adex | a paper | spike times | 0 | 0 | none known |",
        "| calcium | a paper, Fig. 2 | STDP window \\| largest difference | 1.2e-05 | 0.001 | noise corrected |",
    ]
    assert "make ledger" in texts[0]
    assert [p.name for p in out.parent.iterdir()] == ["fidelity.md"]


def test_a_failing_test_leaves_the_table_as_it_was(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "old.md").write_text("old")
    (project / "tests" / "test_some.py").write_text(TESTS.replace("2e-9", "2.0"))
    assert book.main(["--out", "old.md"]) == 1
    assert (project / "old.md").read_text() == "old"
    assert "left as it was" in capsys.readouterr().err


def test_command_needs_the_tests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    assert book.main([]) == 2
    assert "root folder" in capsys.readouterr().err


def test_of_many_cases_the_one_nearest_its_limit_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(book.FOLDER, str(tmp_path))
    for observed, allowed in [(1e-3, 1.0), (1e-6, 1e-5), (5e-7, 1e-5)]:
        book.row("m", "r", "c", observed, allowed)
    assert [(r.observed, r.allowed) for r in book.collected(tmp_path)] == [(1e-6, 1e-5)]


def test_fixture_refuses_what_is_too_far(ledger: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(book.FOLDER, raising=False)
    for error in (2.0, float("nan")):
        with pytest.raises(AssertionError, match=r"m, c against r: error (2|nan), allowed 1"):
            ledger("m", "r", "c", error, 1)
