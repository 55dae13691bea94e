"""Own C++: compiled once whoever asks, named when it cannot be, and never half there."""

import multiprocessing
import subprocess
import sys
from pathlib import Path

import pytest

from bioneuro import native

SOURCE = 'extern "C" int answer() { return 42; }\n'


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BIONEURO_CACHE_DIR", str(tmp_path / "cache"))
    file = tmp_path / "small.cpp"
    file.write_text(SOURCE)
    return file


def built(folder: Path) -> list[str]:
    return sorted(p.name for p in (folder / "native").glob("*.so"))


def test_a_source_is_compiled_once(source: Path) -> None:
    assert native.library(source).answer() == 42
    first = built(native.folder())
    native.library.cache_clear()
    assert native.library(source).answer() == 42
    assert built(native.folder()) == first
    assert len(first) == 1
    source.write_text(SOURCE.replace("42", "43"))
    native.library.cache_clear()
    assert native.library(source).answer() == 43
    assert len(built(native.folder())) == 2


def _answer(source: Path) -> int:
    return int(native.library(source).answer())


def test_many_processes_ask_at_once(source: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        assert pool.map(_answer, [source] * 6) == [42] * 6
    assert len(built(native.folder())) == 1
    assert not [p for p in (native.folder() / "native").iterdir() if p.is_dir()]


def test_what_does_not_compile_leaves_nothing(source: Path) -> None:
    source.write_text("this is no C++\n")
    with pytest.raises(native.CompileError, match=r"small\.cpp did not compile"):
        native.library(source)
    assert built(native.folder()) == []


def test_a_missing_compiler_is_named(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(native.CompileError, match=r"'no-such-compiler'.*set CXX"):
        native.library(source)


def test_the_parser_compiles_without_a_warning() -> None:
    """And nothing is compiled, and no engine loaded, before a word is parsed."""
    folder = Path(native.__file__).parent
    for source in sorted(folder.rglob("*.cpp")):
        if "templates" not in source.parts:
            done = subprocess.run(
                [native.compiler(), *native.FLAGS, "-Wextra", "-Werror", "-fsyntax-only", str(source)], capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stderr
    heavy = "{'torch', 'brian2', 'matplotlib', 'sklearn'}"
    code = f"import sys; from bioneuro import complexity, native; print(sorted({heavy} & set(sys.modules)), native.library.cache_info().currsize)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split("\n")[0] == "[] 0"
