"""Protocol scripts and their figures: short, of one stem, drawn without simulating, and up to date with what they show."""

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from scripts import loaded

from bioneuro import plot
from bioneuro.measure import Curve
from bioneuro.script import Options

ROOT = Path(__file__).resolve().parent.parent
PROTOCOLS = sorted((ROOT / "protocols").glob("*.py"))
FIGURES = sorted((ROOT / "figures").glob("*.py"))
LONGEST_PROTOCOL = 80


def stem(path: Path) -> str:
    return path.stem


def module(path: Path) -> ModuleType:
    """A script as a module, without running its main."""
    return loaded(path.parent.name, path.stem)


def run(script: Path, *arguments: str, folder: Path) -> None:
    done = subprocess.run([sys.executable, str(script), *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_figure_has_its_protocol() -> None:
    assert FIGURES
    assert {p.stem for p in FIGURES} <= {p.stem for p in PROTOCOLS}


@pytest.mark.parametrize("path", PROTOCOLS, ids=stem)
def test_a_protocol_is_short_and_names_its_paper(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= LONGEST_PROTOCOL
    assert "doi 10." in text


@pytest.mark.parametrize("path", FIGURES, ids=stem)
def test_a_figure_only_reads(path: Path) -> None:
    """Importing a figure script loads no engine, so that it cannot simulate."""
    ask = (
        f"import runpy, sys; runpy.run_path({str(path)!r}, run_name='figure'); "
        "print(*sorted({'bioneuro.brian', 'bioneuro.twin', 'bioneuro.fit', 'brian2.devices', 'torch', 'matplotlib.pyplot'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", ask], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []


@pytest.mark.parametrize("path", FIGURES, ids=stem)
def test_a_committed_figure_is_of_the_present_circuits_and_protocols(path: Path) -> None:
    plan = module(ROOT / "protocols" / path.name).plan(Options(out=Path("unused.nc")))
    now = plot.digest_of({name: (circuit.digest, protocol.digest) for name, (circuit, protocol) in plan.items()})
    for suffix in (".svg", ".png"):
        drawn = path.with_suffix(suffix)
        assert drawn.exists(), f"{drawn.name} is missing: `make figures`"
        assert plot.digest_in(drawn) == now, f"{drawn.name} is out of date: `make figures`, look at it, and commit it"


def draw(stem: Path, digest: str) -> tuple[bytes, bytes]:
    with plot.style():
        figure, axes = plot.grid(1, 2, width=plot.COLUMN, height=40)
        x = np.linspace(-0.1, 0.1, 5)
        plot.curve(axes[0, 0], Curve(name="y", x=x, unit="ms", y=x**2, error=0.1 * np.abs(x)), label="sampled")
        plot.evidence(axes[0, 0], x, x**2, 0.01 + 0 * x, label="published")
        plot.theory(plot.reference(axes[0, 0], x=0, y=0), x, x**2, label="closed form")
        plot.key(plot.title(axes[0, 1], "b", "legend"), axes[0, 0])
        svg, png = plot.save(figure, stem, digest=digest)
    return svg.read_bytes(), png.read_bytes()


def test_a_figure_is_the_same_byte_for_byte(tmp_path: Path) -> None:
    digest = plot.digest_of({"x": ("a", "b")})
    once, again = draw(tmp_path / "new" / "one", digest), draw(tmp_path / "two", digest)
    assert once == again
    assert plot.digest_in(tmp_path / "two.svg") == plot.digest_in(tmp_path / "two.png") == digest
    assert sorted(p.name for p in tmp_path.iterdir()) == ["new", "two.png", "two.svg"]


def test_an_unsigned_figure_has_no_digest(tmp_path: Path) -> None:
    (tmp_path / "plain.svg").write_text("<svg/>")
    assert plot.digest_in(tmp_path / "plain.svg") == ""


def test_points_are_shown_in_the_unit_of_their_coordinate() -> None:
    _, axes = plot.grid(1, 1, height=40)
    plot.curve(axes[0, 0], Curve(name="y", x=np.array([0.005]), unit="ms", y=np.array([1.0]), error=np.array([0.0])))
    assert axes[0, 0].lines[0].get_xdata() == pytest.approx([5.0])


@pytest.mark.slow
@pytest.mark.parametrize("path", FIGURES, ids=stem)
def test_a_quick_figure_says_so_and_goes_elsewhere(path: Path, tmp_path: Path) -> None:
    run(ROOT / "protocols" / path.name, "--quick", folder=tmp_path)
    before = [p.read_bytes() for p in sorted((ROOT / "figures").glob(f"{path.stem}.*"))]
    run(path, "--quick", folder=tmp_path)
    assert plot.digest_in(tmp_path / "results" / "quick" / f"{path.stem}.svg") not in ("", plot.digest_in(path.with_suffix(".svg")))
    assert b"quick version" in (tmp_path / "results" / "quick" / f"{path.stem}.svg").read_bytes()
    assert [p.read_bytes() for p in sorted((ROOT / "figures").glob(f"{path.stem}.*"))] == before
