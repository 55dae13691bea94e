"""A preference file in the working directory is code, and Brian2 would run it."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
HOSTILE = "core.default_float_dtype = __import__('pathlib').Path('marker').touch() or __import__('numpy').float64\n"


def run(command: list[str], folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])), **more}
    return subprocess.run([sys.executable, *command], cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    (tmp_path / "brian_preferences").write_text(HOSTILE)
    return tmp_path


WAYS = {
    "the engine": "import bioneuro; bioneuro.brian",
    "a module of the engine": "import bioneuro.brian.programs",
    "the reader": "from bioneuro.statements import read",
    "the reader's module": "import bioneuro.statements.assemble",
    "the twin": "from bioneuro import Twin",
    "a quantity": "from bioneuro import parameter; parameter(1, 'ms').quantity",
    "the cache command": "import sys; from bioneuro.cli import main; sys.exit(main(['cache']))",
}


@pytest.mark.parametrize("code", WAYS.values(), ids=WAYS)
def test_no_way_to_brian2_runs_the_file(code: str, hostile: Path) -> None:
    done = run(["-c", code], hostile)
    assert done.returncode != 0
    assert f"{hostile / 'brian_preferences'}: Brian2 would run" in done.stderr
    assert "move the file away" in done.stderr
    assert not (hostile / "marker").exists()


def test_a_script_that_imports_brian2_itself_is_not_started(hostile: Path) -> None:
    (hostile / "mine.py").write_text("import brian2\ndef main(options): pass\n")
    done = run(["-c", "import sys; from bioneuro.cli import main; sys.exit(main(['run', 'mine.py']))"], hostile)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr
    assert not (hostile / "marker").exists()


def test_the_danger_is_real_and_can_be_allowed(hostile: Path) -> None:
    """If this fails, Brian2 no longer evaluates the file, and the guard can go."""
    done = run(["-c", "import bioneuro.statements"], hostile, BIONEURO_ALLOW_PREFERENCES="1")
    assert done.returncode == 0, done.stderr
    assert (hostile / "marker").exists()


def test_harmless_folders_pass(tmp_path: Path) -> None:
    """Nothing there, or what Brian2 does not open as a file; commands that need no Brian2 work even beside the file."""
    ask = "from bioneuro.guard import brian2_may_load; brian2_may_load(); print('passed')"
    assert run(["-c", ask], tmp_path).stdout == "passed\n"
    (tmp_path / "brian_preferences").mkdir()
    assert run(["-c", ask], tmp_path).stdout == "passed\n"
    (tmp_path / "brian_preferences").rmdir()
    (tmp_path / "brian_preferences").write_text(HOSTILE)
    done = run(["-c", "import sys; from bioneuro.cli import main; sys.exit(main(['list']))"], tmp_path)
    assert done.returncode == 0, done.stderr


GUARDED_ROOMS = ("brian", "statements")  # their __init__ calls the guard before anything else


def test_every_import_of_brian2_is_guarded() -> None:
    """Outside the guarded rooms, a function that imports Brian2 calls the guard first, and no module imports it at the top."""
    for path in (ROOT / "bioneuro").rglob("*.py"):
        if path.relative_to(ROOT / "bioneuro").parts[0] in GUARDED_ROOMS:
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        loads = [n for n in ast.walk(tree) if _loads_brian2(n)]
        functions = [f for f in ast.walk(tree) if isinstance(f, ast.FunctionDef) and any(n in ast.walk(f) for n in loads)]
        assert len(functions) == len(loads), f"{path}: imports Brian2 at the top"
        for function in functions:
            called = [n.func.id for n in ast.walk(function) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)]
            assert "brian2_may_load" in called, f"{path}: {function.name}"


def _loads_brian2(node: ast.AST) -> bool:
    names = [str(node.module)] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names] if isinstance(node, ast.Import) else []
    return any(name.partition(".")[0] == "brian2" for name in names)


@pytest.mark.parametrize("room", GUARDED_ROOMS)
def test_guarded_rooms_call_the_guard_first(room: str) -> None:
    body = ast.parse((ROOT / "bioneuro" / room / "__init__.py").read_text(encoding="utf-8")).body
    assert [ast.unparse(node) for node in body[1:3]] == ["from bioneuro.guard import brian2_may_load", "brian2_may_load()"]
