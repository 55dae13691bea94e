"""The documents: their Python runs and prints what they say, and what they name exists."""

import configparser
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = ("architecture", "brainscales2", "complexity", "cost", "fitting", "twin_support")
DOCUMENTS = ("README.md", *(f"docs/{page}.md" for page in PAGES), "CHANGELOG.md")
SLOW = {"Two figures": 2, "In the integers of a chip": 1}  # sections whose examples take a minute, and how many blocks they have


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def examples() -> dict[str, list[str]]:
    """The Python blocks of the README by section."""
    sections = re.split(r"^## ", text("README.md"), flags=re.MULTILINE)
    found = {part.partition("\n")[0]: re.findall(r"^```python\n(.*?)^```", part, re.MULTILINE | re.DOTALL) for part in sections}
    return {section: blocks for section, blocks in found.items() if blocks}


def check(blocks: list[str], folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the blocks of a section as one script; every line behind ``# ->`` must be printed, in this order."""
    monkeypatch.chdir(folder)
    code = "\n".join(blocks)
    expected = re.findall(r"# -> (.*)", code)
    assert expected
    exec(compile(code, "README.md", "exec"), {"__name__": "readme"})
    printed = capsys.readouterr().out.splitlines()
    assert [line for line in printed if line in expected] == expected, printed


@pytest.mark.parametrize("section", [name for name in examples() if name not in SLOW])
def test_short_examples(section: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    check(examples()[section], tmp_path, capsys, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("section", SLOW)
def test_long_examples(section: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(examples()[section]) == SLOW[section]
    check(examples()[section], tmp_path, capsys, monkeypatch)


def named() -> set[str]:
    """Paths, and `path::name`, in the documents."""
    folders = "bioneuro|tests|docs|figures|protocols|tools|bench"
    pattern = rf"(?<![\w/.])((?:{folders})/[\w./-]*(?:::\w+)?|[A-Z]+\.md|Makefile|LICENSE|setup\.cfg|constraints\.txt)"
    found = {match for name in DOCUMENTS for match in re.findall(pattern, text(name))}
    return {match.rstrip(".") for match in found}


@pytest.mark.parametrize("name", sorted(named()))
def test_what_is_named_exists(name: str) -> None:
    path, _, inside = name.partition("::")
    assert (ROOT / path).exists()
    if inside:
        assert re.search(rf"^(?:async )?(?:def|class) {inside}\b|^{inside}\b.*=", text(path), re.MULTILINE), f"{path} has no {inside}"


def test_every_room_is_in_the_picture() -> None:
    """The floors of the architecture are those of the import contracts, and these are all rooms there are."""
    contracts = configparser.ConfigParser()
    contracts.read(ROOT / "setup.cfg", encoding="utf-8")
    floors = contracts["importlinter:contract:floors"]["layers"].strip().splitlines()
    picture = text("docs/architecture.md").partition("## The rooms")[2].partition("```\n")[2].partition("```")[0].splitlines()
    assert [re.split(r"\s{3,}", line)[0] for line in picture] == floors
    rooms = {path.stem for path in (ROOT / "bioneuro").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert set(re.findall(r"\w+", " ".join(floors))) == rooms - {"__init__"}


def test_commands_and_targets_exist() -> None:
    targets = set(re.findall(r"^(\w+):", text("Makefile"), re.MULTILINE))
    commands = set(re.findall(r'add\("(\w+)"', text("bioneuro/cli.py")))
    said = "\n".join(text(name) for name in DOCUMENTS)
    assert set(re.findall(r"(?:`|^)make ([a-z]+)", said, re.MULTILINE)) <= targets
    shown = "".join(re.findall(r"^```sh\n(.*?)^```", said, re.MULTILINE | re.DOTALL))
    assert set(re.findall(r"^bioneuro ([a-z]+)", shown, re.MULTILINE)) == commands


def test_images_are_there() -> None:
    images = re.findall(r"!\[[^]]+\]\(([^)]+)\)", text("README.md"))
    assert images[:2] == ["figures/stdp_window.png", "figures/fit_stdp_curve.png"]
    linked = re.findall(r"\]\((figures/[^)]+)\)", text("README.md"))
    assert {Path(path).stem for path in linked} == {path.stem for path in (ROOT / "figures").glob("*.py")}, "the README shows every figure"
    assert all((ROOT / image).is_file() for image in linked)
