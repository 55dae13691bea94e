"""The fidelity ledger: what was compared with what, how far apart the two are, and how far apart they may be.

Tests write rows through the fixture `ledger`. ``python -m bioneuro.ledger`` runs those tests and writes ``docs/fidelity.md`` from them.
"""

import argparse
import importlib.util
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bioneuro.disk import replaced

FOLDER = "BIONEURO_LEDGER"
"""Environment variable: the folder that rows are appended to; without it none are written."""

_HEAD = """# Fidelity ledger

How closely each model, as it is run here, agrees with its reference. Every line is a test: it fails when the observed error exceeds the
allowed one. Written by `make ledger` from the tests marked `ledger`; do not edit by hand.

| Model | Reference | Check | Observed error | Allowed | Known differences |
| --- | --- | --- | ---: | ---: | --- |
"""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One comparison.

    Attributes:
        model: name in the catalogue, or of the part compared.
        reference: what it is compared with: a paper and place in it, another engine, a closed form.
        check: the quantity, in words.
        observed, allowed: the error found and the largest that passes, in the same measure.
        differences: what is known to differ and why, or nothing.
    """

    model: str
    reference: str
    check: str
    observed: float
    allowed: float
    differences: str = ""


def row(model: str, reference: str, check: str, observed: float, allowed: float, differences: str = "") -> None:
    """Append a row to the ledger in the making; does nothing outside ``python -m bioneuro.ledger``."""
    folder = os.environ.get(FOLDER)
    if not folder:
        return
    made = Row(
        model=model, reference=reference, check=check, observed=float(observed), allowed=float(allowed), differences=differences
    )
    # A file per process: tests run side by side.
    with open(Path(folder) / f"{os.getpid()}.jsonl", "a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(made)) + "\n")


def collected(folder: Path) -> list[Row]:
    """The rows in `folder`, sorted; of several for one check (a test with many cases) the one that comes closest to its limit."""
    worst: dict[tuple[str, str, str], Row] = {}
    for file in sorted(folder.glob("*.jsonl")):
        for text in file.read_text(encoding="utf-8").splitlines():
            new = Row(**json.loads(text))
            key = (new.model, new.check, new.reference)
            if key not in worst or _rank(new) > _rank(worst[key]):
                worst[key] = new
    return [worst[key] for key in sorted(worst)]


def _rank(one: Row) -> tuple[float, float, str]:
    return one.observed / one.allowed if one.allowed else math.inf * (one.observed > 0), one.observed, one.differences


def markdown(rows: Iterable[Row]) -> str:
    """The ledger as Markdown, errors with two significant digits."""
    lines = []
    for one in rows:
        cells = [one.model, one.reference, one.check, _number(one.observed), _number(one.allowed), one.differences or "none known"]
        lines.append("| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in cells) + " |\n")
    return _HEAD + "".join(lines)


def _number(value: float) -> str:
    return "0" if value == 0 else f"{value:.2g}"


def write(path: Path, text: str) -> None:
    """Replace the file at once: a reader finds the old one or the new one."""
    replaced({path: text.encode()})


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tests marked `ledger` and write the ledger; returns the exit code."""
    asked = argparse.ArgumentParser(prog="python -m bioneuro.ledger", description=main.__doc__, allow_abbrev=False)
    asked.add_argument("--out", type=Path, default=Path("docs/fidelity.md"), metavar="PATH", help="file to write (default: %(default)s)")
    asked.add_argument("tests", nargs="*", default=["tests"], help="files or folders with tests (default: tests)")
    given = asked.parse_args(argv)
    missing = [name for name in given.tests if not Path(name).exists()]
    if missing:
        print(f"error: {', '.join(missing)} is not here; start this in the root folder of the project", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="bioneuro-ledger-") as folder:
        workers = ["-n", "2", "--dist", "loadfile"] if importlib.util.find_spec("xdist") else []
        command = [sys.executable, "-m", "pytest", "-q", *workers, "-m", "ledger", *given.tests]
        done = subprocess.run(command, env={**os.environ, FOLDER: folder}, check=False)
        rows = collected(Path(folder))
    if done.returncode or not rows:
        print(f"error: {given.out} is left as it was: pytest ended with {done.returncode}, {len(rows)} rows", file=sys.stderr)
        return 1
    write(given.out, markdown(rows))
    print(f"{given.out}: {len(rows)} rows")
    return 0


if __name__ == "__main__":
    sys.exit(main())
