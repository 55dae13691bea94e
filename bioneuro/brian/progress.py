"""Progress bars for building and running: rate and remaining time, on a terminal only unless asked for."""

import contextlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tqdm import tqdm


@dataclass
class Progress:
    """Opens one bar per stage, each when it first has something to show."""

    enabled: bool
    bars: list[Any] = field(default_factory=list)

    def stage(self, title: str, unit: str) -> Callable[[int, int], None]:
        """A function (done, total) that moves the bar of a stage."""
        shown: list[Any] = []

        def tell(done: int, total: int) -> None:
            if not self.enabled:
                return
            if not shown:
                shown.append(tqdm(total=total, desc=title, unit=f" {unit}", leave=False, file=sys.stderr))
                self.bars.extend(shown)
            shown[0].update(done - shown[0].n)

        return tell


@contextlib.contextmanager
def bar(show: bool | None) -> Iterator[Progress]:
    """Progress on standard error; None means only if it is a terminal."""
    progress = Progress(enabled=sys.stderr.isatty() if show is None else show)
    try:
        yield progress
    finally:
        for shown in progress.bars:
            shown.close()
