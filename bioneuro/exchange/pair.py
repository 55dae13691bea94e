"""The two files of parameters as bytes: whole, signed and of the right form, or refused. What the numbers mean is decided in `parameters`."""

import contextlib
import hashlib
import json
import os
import stat
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray
from safetensors import SafetensorError

from bioneuro.files import FileError

FORMAT, VERSION = "bioneuro parameters", 1
MOST_BYTES, MOST_TEXT, MOST_HEADER, MOST_NUMBERS = 64 * 2**20, 8 * 2**20, 4 * 2**20, 10_000
"""Largest numbers, text about them and header of the numbers, in bytes; most parameters and initial values."""

MARK = f'{{\n "format": "{FORMAT}"'.encode()
"""How the text about the numbers begins."""

_FIELDS: dict[str, tuple[type, ...]] = {
    "format": (str,), "version": (int,), "written_by": (str,), "model": (str,), "circuit": (str,), "skeleton": (str,), "digest": (str,),
    "notes": (list,), "numbers": (dict,), "parameters": (dict,), "sha256": (str,),
}  # fmt: skip
ENTRY: dict[str, tuple[type, ...]] = {
    "kind": (str,), "fitted": (bool,), "value": (str,), "range": (str,), "unit": (str,), "low": (int, float, type(None)),
    "high": (int, float, type(None)), "says": (str,), "source": (str,), "shape": (list,),
}  # fmt: skip
_NUMBERS: dict[str, tuple[type, ...]] = {"bytes": (int,), "sha256": (str,)}
AGAIN = "save it again, or copy both files anew"


class Flaw(Exception):
    """What is wrong and the remedy, where the file is not known."""


def _text(said: Mapping[str, Any]) -> bytes:
    """The one way in which the text is written."""
    return (json.dumps(said, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def signed(said: Mapping[str, Any]) -> bytes:
    """The text with its own SHA-256 as the last field."""
    return _text({**said, "sha256": hashlib.sha256(_text(said)).hexdigest()})


def described(content: bytes, name: str) -> dict[str, Any]:
    """The text about the numbers: its integrity, then its fields, before anything in it is used."""

    def refuse(token: str) -> None:
        raise ValueError(f"{token} is no number")

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(found := dict(pairs)) < len(pairs):
            raise ValueError("a name comes twice")
        return found

    try:
        said = json.loads(content, parse_constant=refuse, object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise Flaw(f"{name} cannot be read as JSON ({error!s:.99}); {AGAIN}") from None
    marked = isinstance(said, dict) and said.get("format") == FORMAT
    require(marked, f"{name}: 'format' is not {FORMAT!r}; give a file that save() wrote")
    version = said.get("version")
    require(type(version) is int, f"{name}: 'version' is {version!r:.60}, allowed: {VERSION}; {AGAIN}")
    require(version == VERSION, f"{name}: 'version' is {version!r:.60}, allowed: {VERSION}; read it with the version of bioneuro that wrote it")
    check_fields(said, _FIELDS, name)
    try:
        whole = signed({key: value for key, value in said.items() if key != "sha256"})
    except ValueError:  # something that cannot have been written
        whole = b""
    require(whole == content, f"{name}: 'sha256' is not that of its content: it was damaged or edited; {AGAIN}")
    check_fields(said["numbers"], _NUMBERS, f"{name}: 'numbers'")
    require(all(type(note) is str for note in said["notes"]), f"{name}: 'notes' holds more than texts; {AGAIN}")
    require(len(said["parameters"]) <= MOST_NUMBERS, f"{name}: 'parameters' holds {len(said['parameters'])}, allowed: {MOST_NUMBERS}; save fewer")
    return dict(said)


def check_fields(said: Any, kinds: Mapping[str, tuple[type, ...]], place: str) -> None:
    require(type(said) is dict, f"{place} is not a table of fields; {AGAIN}")
    if strange := sorted(set(said) ^ set(kinds)):
        what = "unknown" if strange[0] in said else "missing"
        raise Flaw(f"{place}: the field {strange[0]!r:.60} is {what}; allowed: {', '.join(kinds)}; {AGAIN}")
    for key, allowed in kinds.items():
        names = " or ".join(kind.__name__ for kind in allowed)
        require(type(said[key]) in allowed, f"{place}: the field {key!r} is {said[key]!r:.60}, allowed: {names}; {AGAIN}")


def arrays_of(content: bytes, said: Mapping[str, Any], name: str, beside: str) -> dict[str, NDArray[np.float64]]:
    """Placed name -> array, after a look at the size, the SHA-256 and the header."""
    same = said["bytes"] == len(content) and said["sha256"] == hashlib.sha256(content).hexdigest()
    other = f"{said['bytes']!s:.20} bytes and SHA-256 {said['sha256']:.12}..."
    require(same, f"{name} is not the file that {beside} speaks of, with {other}: one of the two is damaged or from another time; {AGAIN}")
    require(len(content) >= 8, f"{name} has {len(content)} bytes, which is no safetensors file; {AGAIN}")
    (length,) = struct.unpack("<Q", content[:8])
    most = min(MOST_HEADER, len(content) - 8)
    require(length <= most, f"{name}: its header says to have {length} bytes, allowed: {most}; {AGAIN}")
    try:
        header = json.loads(content[8 : 8 + length])
        numbers = safetensors.numpy.load(content)  # refuses overlaps, holes and wrong sizes
    except (ValueError, RecursionError, KeyError, SafetensorError) as error:
        raise Flaw(f"{name} cannot be read as safetensors ({error!s:.99}); {AGAIN}") from None
    form = (header.get("__metadata__") or {}).get("format")
    require(form == f"{FORMAT} {VERSION}", f"{name}: 'format' is {form!r:.60}, allowed: '{FORMAT} {VERSION}'; give a file that save() wrote")
    for key, array in numbers.items():
        allowed = f"allowed: float64, one number or one per unit; {AGAIN}"
        require(array.dtype == np.float64 and array.ndim <= 1, f"{name}: {key!r:.99} is {array.dtype} of shape {array.shape}, {allowed}")
    return numbers


def checked(path: str | os.PathLike[str]) -> tuple[Path, Path]:
    """The file of the numbers and the one beside it."""
    file = Path(os.fsdecode(path))
    if not file.name.isprintable() or "\0" in str(file):
        raise FileError(f"{str(file)!r}: not a name of printable characters; rename it")
    if file.suffix != ".safetensors" or file.is_dir():
        what = "is a folder" if file.is_dir() else "does not end in .safetensors"
        raise FileError(f"{file}: {what}; name a file such as fitted.safetensors")
    return file, file.with_suffix(".json")


def content_of(file: Path, most: int) -> bytes:
    """The bytes of a regular file, or of one that a link leads to; a pipe or device is not read."""
    with open(file, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as opened:
        state = os.fstat(opened.fileno())
        require(stat.S_ISREG(state.st_mode), f"{file.name} is no regular file; give one")
        require(state.st_size <= most, f"{file.name} has {state.st_size} bytes, allowed: {most}; give a file that save() wrote")
        return opened.read(most)


@contextlib.contextmanager
def named(file: Path, what: str, remedy: str) -> Iterator[None]:
    """What goes wrong inside, as an error that names the file."""
    try:
        yield
    except Flaw as flaw:
        raise FileError(f"{file}: {what}: {flaw}") from None
    except UnicodeEncodeError as error:
        raise FileError(f"{file}: {what}: {error.object[error.start : error.end]!r} cannot be written as UTF-8; change that text") from None
    except OSError as error:
        where = f"{error.filename}: " if error.filename and os.fsdecode(error.filename) != str(file) else ""
        raise FileError(f"{file}: {what}: {where}{error.strerror or error}; {remedy}") from error


def require(holds: bool, what: str) -> None:
    if not holds:
        raise Flaw(what)
