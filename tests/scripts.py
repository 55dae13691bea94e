"""The scripts of protocols/ and figures/ as modules, for tests of what is in them."""

import importlib.util
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parent.parent


def loaded(folder: str, stem: str) -> ModuleType:
    """A fresh module of ``folder/stem.py``: two scripts of one stem are two modules."""
    spec = importlib.util.spec_from_file_location(f"script_{folder}_{stem}", ROOT / folder / f"{stem}.py")
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made
