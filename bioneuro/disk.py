"""Files put in place at once: a reader finds what was there or what is new, and nothing in between."""

import contextlib
import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path


def replaced(contents: Mapping[Path, bytes]) -> None:
    """Put all files in place, in order, or leave all as they were. What needs space on disk is done before the first rename."""
    staged, kept = ({file: file.with_name(f".bioneuro-{secrets.token_hex(8)}.tmp") for file in contents} for _ in range(2))
    with contextlib.ExitStack() as cleaning, contextlib.ExitStack() as undo:
        for temporary in (*staged.values(), *kept.values()):
            cleaning.callback(temporary.unlink, missing_ok=True)
        for file, content in contents.items():
            file.parent.mkdir(parents=True, exist_ok=True)
            staged[file].write_bytes(content)
            _sync(staged[file])
            if os.path.lexists(file):
                shutil.copy2(file, kept[file], follow_symlinks=False)
        for file in contents:
            os.replace(staged[file], file)
            undo.callback(*((os.replace, kept[file], file) if os.path.lexists(kept[file]) else (os.unlink, file)))
            _sync(file.parent)
        undo.pop_all()


def _sync(path: Path) -> None:
    """Make the content of a file, or the renames in a folder, survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
