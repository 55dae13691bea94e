"""Compiled programs by what they are compiled from: a run whose source is known starts no compiler."""

import contextlib
import functools
import hashlib
import json
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import brian2
from filelock import FileLock

from bioneuro import native
from bioneuro.native import CompileError

LIMIT = 256
"""Programs kept; the longest unused go first. One takes some 300 kB."""


@dataclass(frozen=True)
class Cache:
    """A folder of compiled programs, one sub-folder per key."""

    folder: Path

    def keys(self) -> list[str]:
        """Keys of the finished programs, the most recently used first."""
        # A hidden folder is what a process left that was killed while it moved a program in.
        done = [p.parent for p in self.folder.glob("[!.]*/main")] if self.folder.exists() else []
        return [p.name for p in sorted(done, key=lambda p: -(p / "main").stat().st_mtime)]

    def describe(self) -> list[dict[str, object]]:
        """What is in it: key, title, size in bytes, last use."""
        rows = []
        for key in self.keys():
            main, about = self.folder / key / "main", self.folder / key / "about.json"
            title = json.loads(about.read_text()).get("title", "") if about.exists() else ""
            rows.append({"key": key, "title": title, "bytes": main.stat().st_size, "used": main.stat().st_mtime})
        return rows

    def clear(self) -> int:
        """Remove every program; returns how many there were."""
        keys = self.keys()
        for key in keys:
            shutil.rmtree(self.folder / key, ignore_errors=True)
        return len(keys)

    def program(self, source: Path, title: str, progress: Callable[[int, int], None]) -> Path:
        """The compiled program of the sources in `source`, compiled now if it is not known.

        Several processes may ask at once: one compiles, the others wait.
        """
        key = fingerprint(source)
        home = self.folder / key
        if not (home / "main").exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            with FileLock(self.folder / f"{key}.lock"):
                if not (home / "main").exists():
                    self._add(home, source, title, progress)
            with contextlib.suppress(OSError):
                (self.folder / f"{key}.lock").unlink()
        os.utime(home / "main")
        return home / "main"

    def _add(self, home: Path, source: Path, title: str, progress: Callable[[int, int], None]) -> None:
        compile_sources(source, progress)
        new = Path(tempfile.mkdtemp(prefix=f".{home.name[:8]}-", dir=self.folder))
        try:
            shutil.copy2(source / "main", new / "main")
            (new / "about.json").write_text(json.dumps({"title": title, "brian2": brian2.__version__}))
            if home.exists():  # a half-removed entry
                shutil.rmtree(home)
            os.replace(new, home)
        finally:
            shutil.rmtree(new, ignore_errors=True)
        for key in self.keys()[LIMIT:]:
            shutil.rmtree(self.folder / key, ignore_errors=True)


def cache() -> Cache:
    """The user's cache."""
    return Cache(native.folder())


def sources(folder: Path) -> Iterator[Path]:
    """Files that decide what is compiled: everything but data and results."""
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder).parts[0]
        if path.is_file() and inside not in ("static_arrays", "results"):
            yield path


def fingerprint(folder: Path) -> str:
    """SHA-256 of sources, compiler, processor and Brian2's version."""
    total = hashlib.sha256()
    for path in sources(folder):
        total.update(f"{path.relative_to(folder)}\0{path.stat().st_size}\0".encode())
        total.update(path.read_bytes())
    for part in (native.version(native.compiler()), _processor(), brian2.__version__, platform.machine()):
        total.update(part.encode() + b"\0")
    return total.hexdigest()


def available() -> str:
    """Empty if the compiler and make can be found, else what is missing."""
    return ", ".join(tool for tool in (native.compiler().split()[0], "make") if shutil.which(tool) is None)


@functools.cache
def _processor() -> str:
    """The instruction sets that ``-march=native`` sees."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith(("flags", "Features")):
                return line
    return platform.processor()


def compile_sources(folder: Path, progress: Callable[[int, int], None]) -> None:
    """Run make in `folder`, reporting files compiled out of all."""
    total = sum(1 for p in sources(folder) if p.suffix == ".cpp")
    # An outer make hands its flags down, and with them job limits and dry runs that are none of this build's business.
    environment = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES")}
    command = ["make", f"-j{os.cpu_count() or 1}", f"CXX={native.compiler()}"]
    said: list[str] = []
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True
    ) as make:
        try:
            for line in make.stdout or ():
                said.append(line)
                progress(min(total, sum(1 for s in said if " -c " in s)), total)
        except BaseException:
            make.kill()
            raise
    if make.returncode:
        raise CompileError(f"the generated C++ did not compile ({' '.join(command)} in {folder}):\n" + "".join(said[-25:]))
