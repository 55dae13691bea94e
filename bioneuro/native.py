"""Own C++ as a shared library: compiled when first asked for, kept in the user's cache, known by its source, compiler and flags."""

import ctypes
import functools
import hashlib
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

from filelock import FileLock

FLAGS = ("-O3", "-std=c++17", "-fPIC", "-shared", "-Wall")
"""No -march=native: it gains nothing where memory is waited for, and a library in a home folder may meet another processor."""


class CompileError(RuntimeError):
    """C++ could not be compiled."""


def folder() -> Path:
    """What is compiled is kept in ``$BIONEURO_CACHE_DIR``, or in a folder of the user's cache folder."""
    named = os.environ.get("BIONEURO_CACHE_DIR")
    if named:
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME") or (Path.home() / "Library/Caches" if sys.platform == "darwin" else Path.home() / ".cache")
    return Path(base) / "bioneuro"


def compiler() -> str:
    """The C++ compiler: ``$CXX`` or g++."""
    return os.environ.get("CXX") or "g++"


@functools.cache
def version(name: str) -> str:
    """What the compiler says of itself. Raises CompileError if it cannot be called."""
    try:
        return subprocess.run([*name.split(), "--version"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise CompileError(f"the C++ compiler {name!r} ($CXX, else g++) does not tell its version: {error}; set CXX to one that works") from error


@functools.cache
def library(source: Path) -> ctypes.CDLL:
    """The shared library of one C++ file, which may include headers beside it. Several processes may ask at once: one compiles, the others wait.

    Raises:
        CompileError: there is no compiler, or it refuses the file.
    """
    code = [file.read_text(encoding="utf-8") for file in (*sorted(source.parent.glob("*.h")), source)]
    key = hashlib.sha256("\0".join((*code, *FLAGS, version(compiler()), platform.machine())).encode()).hexdigest()
    home = folder() / "native"
    built = home / f"{source.stem}-{key[:32]}.so"
    if not built.exists():
        home.mkdir(parents=True, exist_ok=True)
        with FileLock(home / f"{built.name}.lock"):
            if not built.exists():
                _compile(source, built)
    return ctypes.CDLL(str(built))


def _compile(source: Path, built: Path) -> None:
    with tempfile.TemporaryDirectory(dir=built.parent, prefix=".") as scratch:
        made = Path(scratch) / built.name
        done = subprocess.run([*compiler().split(), *FLAGS, str(source), "-o", str(made)], capture_output=True, text=True, check=False)
        if done.returncode:
            raise CompileError(f"{source.name} did not compile with {compiler()!r}:\n{done.stderr[-2000:]}")
        os.replace(made, built)
