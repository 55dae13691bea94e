"""Published models, one file per paper. A model is a literal: text and numbers with their source.

Every module lists its circuits in ``CIRCUITS`` (name -> function that makes one); that is all the law tests and `bioneuro list` need.
"""

import pkgutil
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from types import ModuleType

from bioneuro.model import Circuit


def papers() -> Iterator[ModuleType]:
    """The modules, one per paper."""
    for found in pkgutil.iter_modules(__path__, f"{__name__}."):
        yield import_module(found.name)


def circuits() -> Mapping[str, Callable[[], Circuit]]:
    """Name, as `bioneuro list` shows it -> function that makes the circuit."""
    return {name: make for paper in papers() for name, make in getattr(paper, "CIRCUITS", {}).items()}
