"""The house rules that a syntax tree shows: who imports what, calls that run what a file says, sizes."""

import ast
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
HOUSE = ROOT / "bioneuro"

# Rooms, by the first part of a path below bioneuro/ without its suffix.
BRIAN2_ROOMS = {"brian", "statements", "flow"}  # the others may use brian2.units and nothing else of Brian2
TORCH_ROOMS = {"twin", "fit", "learn"}
MATPLOTLIB_ROOMS = {"plot"}

# Late imports are for start-up time only: commands, the lazy front door, and units (Brian2 takes seconds).
LATE_IMPORT_FILES = {"bioneuro/cli.py", "bioneuro/commands.py", "bioneuro/script.py"}
LATE_IMPORT_FUNCTIONS = {"__getattr__"}
LATE_IMPORT_MODULES = ("brian2.units",)

# Compiles source that it wrote itself, from text that passed the whitelist.
MAY_EXEC = {"bioneuro/twin/translate.py"}

LONGEST_FILE = 350

FORBIDDEN_CALLS = {
    **dict.fromkeys(["eval", "exec", "builtins.eval", "builtins.exec"], "runs text as code"),
    **dict.fromkeys(
        [f"{m}.{f}" for m in ("pickle", "dill", "cloudpickle", "marshal") for f in ("load", "loads")]
        + ["pickle.Unpickler", "dill.Unpickler", "shelve.open", "joblib.load"],
        "runs what a file says",
    ),
    **dict.fromkeys(
        [f"yaml.{f}" for f in ("load", "load_all", "full_load", "unsafe_load")],
        "runs what a file says; yaml.safe_load does not",
    ),
    **dict.fromkeys(
        ["os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput"], "starts a shell"
    ),
}
FORBIDDEN_KEYWORDS = {
    ("shell", True): "starts a shell",
    ("weights_only", False): "runs what a file says",
    ("allow_pickle", True): "runs what a file says",
}

Rule = Callable[[Path, ast.Module], Iterator[tuple[int, str]]]


def files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def room(path: Path) -> str:
    """'brian' for bioneuro/brian/cache.py, 'plan' for bioneuro/plan.py, '' outside the package."""
    return Path(path.relative_to(HOUSE).parts[0]).stem if path.is_relative_to(HOUSE) else ""


def imported(node: ast.AST) -> list[str]:
    """Dotted names that an import statement, or a call that imports by a literal name, brings in."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        absolute = node.module and not node.level
        return [f"{node.module}.{alias.name}" for alias in node.names] if absolute else []
    if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if called in {"import_module", "__import__"}:
            return [str(node.args[0].value)]
    return []


def under(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(package + ".") for package in packages)


def imports(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        for name in imported(node):
            yield node.lineno, name  # type: ignore[attr-defined]


def brian2_only_in_its_rooms(path: Path, tree: ast.Module) -> Iterator[tuple[int, str]]:
    if room(path) in BRIAN2_ROOMS:
        return
    for line, name in imports(tree):
        if under(name, "brian2") and not under(name, "brian2.units"):
            yield line, f"imports {name}; outside {sorted(BRIAN2_ROOMS)} only brian2.units"
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.startswith("brian2.") and alias.asname is None:
                    yield node.lineno, f"binds all of brian2; use 'from {alias.name} import ...'"


def torch_only_in_its_rooms(path: Path, tree: ast.Module) -> Iterator[tuple[int, str]]:
    for line, name in imports(tree):
        if under(name, "torch") and room(path) not in TORCH_ROOMS:
            yield line, f"imports {name}; torch only in {sorted(TORCH_ROOMS)}"


def matplotlib_only_in_plot(path: Path, tree: ast.Module) -> Iterator[tuple[int, str]]:
    for line, name in imports(tree):
        if under(name, "matplotlib", "pylab") and room(path) not in MATPLOTLIB_ROOMS:
            yield line, f"imports {name}; matplotlib only in bioneuro/plot.py and figures/"


def late_imports(node: ast.AST, inside: str = "") -> Iterator[tuple[int, str, str]]:
    """Every import within a function, as line, function, name."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from late_imports(child, child.name)
        elif isinstance(child, ast.Import | ast.ImportFrom):
            # A relative import names our own package, so it stands as it is.
            for name in imported(child) or ["." * getattr(child, "level", 0)]:
                if inside:
                    yield child.lineno, inside, name
        else:
            yield from late_imports(child, inside)


def no_late_import(path: Path, tree: ast.Module) -> Iterator[tuple[int, str]]:
    if name_of(path) in LATE_IMPORT_FILES:
        return
    for line, function, name in late_imports(tree):
        if function not in LATE_IMPORT_FUNCTIONS and not under(name, *LATE_IMPORT_MODULES):
            yield line, f"{function}() imports {name}; imports stand on top of the file"


def origins(tree: ast.Module) -> dict[str, str]:
    """What a name in this file stands for: `from pickle import load as get` gives {'get': 'pickle.load'}."""
    known: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            known.update({alias.asname: alias.name for alias in node.names if alias.asname})
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            known.update({alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names})
    return known


def dotted(node: ast.expr, known: dict[str, str]) -> str:
    """The full name of what is called, or '' where it is the result of an expression."""
    if isinstance(node, ast.Name):
        return known.get(node.id, node.id)
    if isinstance(node, ast.Attribute):
        owner = dotted(node.value, known)
        return f"{owner}.{node.attr}" if owner else ""
    return ""


def no_call_that_runs_a_file(path: Path, tree: ast.Module) -> Iterator[tuple[int, str]]:
    known = origins(tree)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = dotted(node.func, known)
        if called in FORBIDDEN_CALLS and not (called.endswith("exec") and name_of(path) in MAY_EXEC):
            yield node.lineno, f"{called}(...) {FORBIDDEN_CALLS[called]}"
        if isinstance(node.func, ast.Attribute) and node.func.attr == "restore":
            yield node.lineno, "restore(...): Brian2's Network.restore unpickles its file"
        for keyword in node.keywords:
            value = keyword.value.value if isinstance(keyword.value, ast.Constant) else None
            if (reason := FORBIDDEN_KEYWORDS.get((keyword.arg or "", value))) and isinstance(value, bool):  # type: ignore[arg-type]
                yield node.lineno, f"{keyword.arg}={value} {reason}"


def no_bare_assert(path: Path, tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Assert):
            yield node.lineno, "assert disappears under python -O; raise an error that names the remedy"


def only_public_names(path: Path, tree: ast.Module) -> Iterator[tuple[int, str]]:
    for line, name in imports(tree):
        if under(name, "bioneuro") and any(part.startswith("_") for part in name.split(".")):
            yield line, f"imports {name}; scripts use public names"


def violations(paths: list[Path], rule: Rule) -> list[str]:
    return [
        f"{name_of(path)}:{line}: {what}"
        for path in paths
        for line, what in rule(path, ast.parse(path.read_text(encoding="utf-8"), filename=str(path)))
    ]


RULES: list[tuple[Rule, list[Path]]] = [
    (brian2_only_in_its_rooms, files("bioneuro")),
    (torch_only_in_its_rooms, files("bioneuro")),
    (matplotlib_only_in_plot, files("bioneuro", "protocols")),
    (no_late_import, files("bioneuro")),
    (no_call_that_runs_a_file, files("bioneuro", "protocols", "figures")),
    (no_bare_assert, files("bioneuro")),
    (only_public_names, files("protocols", "figures")),
]


@pytest.mark.parametrize(("rule", "paths"), RULES, ids=[rule.__name__ for rule, _ in RULES])
def test_rule(rule: Rule, paths: list[Path]) -> None:
    found = violations(paths, rule)
    assert not found, "\n" + "\n".join(found)


BROKEN: list[tuple[Rule, str]] = [
    (brian2_only_in_its_rooms, "import brian2"),
    (brian2_only_in_its_rooms, "from brian2 import ms"),
    (brian2_only_in_its_rooms, "import brian2.units"),
    (brian2_only_in_its_rooms, "import importlib\nimportlib.import_module('brian2.devices')"),
    (torch_only_in_its_rooms, "def f():\n    from torch import nn"),
    (matplotlib_only_in_plot, "import matplotlib.pyplot as plt"),
    (no_late_import, "def f():\n    if True:\n        import json"),
    (no_late_import, "def f():\n    from . import plan"),
    (no_call_that_runs_a_file, "eval('1')"),
    (no_call_that_runs_a_file, "import pickle as p\np.loads(b'')"),
    (no_call_that_runs_a_file, "from pickle import load as get\nget(None)"),
    (no_call_that_runs_a_file, "import torch\ntorch.load('x', weights_only=False)"),
    (no_call_that_runs_a_file, "import subprocess\nsubprocess.run('ls', shell=True)"),
    (no_call_that_runs_a_file, "net.restore('name', 'file')"),
    (no_bare_assert, "assert 1"),
    (only_public_names, "from bioneuro.plan import _hidden"),
]


@pytest.mark.parametrize(("rule", "source"), BROKEN)
def test_rule_sees_a_violation(rule: Rule, source: str) -> None:
    assert len(list(rule(HOUSE / "plan.py", ast.parse(source)))) == 1


ALLOWED: list[tuple[Rule, str, str]] = [
    (brian2_only_in_its_rooms, "bioneuro/plan.py", "from brian2.units import ms"),
    (brian2_only_in_its_rooms, "bioneuro/statements/read.py", "from brian2 import Network"),
    (no_late_import, "bioneuro/__init__.py", "def __getattr__(name):\n    from bioneuro import plan"),
    (no_late_import, "bioneuro/model.py", "def f():\n    from brian2.units.fundamentalunits import Quantity"),
    (no_call_that_runs_a_file, "bioneuro/twin/module.py", "model.eval()"),
    (no_call_that_runs_a_file, "bioneuro/twin/translate.py", "exec(compile(source, name, 'exec'), scope)"),
]


@pytest.mark.parametrize(("rule", "path", "source"), ALLOWED)
def test_rule_allows(rule: Rule, path: str, source: str) -> None:
    assert not list(rule(ROOT / path, ast.parse(source)))


def test_no_file_is_too_long() -> None:
    lengths = {
        name_of(path): len(path.read_text(encoding="utf-8").splitlines())
        for path in files("bioneuro", "tests", "protocols", "figures", "bench", "tools")
    }
    found = [f"{name}:{n}: over {LONGEST_FILE} lines" for name, n in lengths.items() if n > LONGEST_FILE]
    assert not found, "\n" + "\n".join(found)


def test_import_is_light() -> None:
    """`import bioneuro` loads neither an engine nor a plotting library: names load on first use."""
    ask = "import sys, bioneuro; print(*sorted({'brian2', 'torch', 'matplotlib'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []


def test_arrows_between_rooms() -> None:
    """The import contracts of setup.cfg hold."""
    ask = "import sys; from importlinter.cli import lint_imports_command as run; run(['--no-cache'])"
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, "\n" + done.stdout + done.stderr
