"""What holds for every test: no window opens, searches repeat in CI, the global random state stays."""

import os
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from bioneuro.ledger import row

os.environ["MPLBACKEND"] = "Agg"

settings.register_profile("dev", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, max_examples=50, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "dev")

# Brian2's runtime target races when two processes compile into one empty Cython cache: one folder per worker.
WORKER = os.environ.get("PYTEST_XDIST_WORKER")
if WORKER:
    CACHES = Path(os.environ.get("CYTHON_CACHE_DIR") or Path.home() / ".cython")
    os.environ["CYTHON_CACHE_DIR"] = str(CACHES / f"pytest-{WORKER}")
    os.environ["OMP_NUM_THREADS"] = "1"  # the workers share the cores already


def _state() -> tuple[bytes, int, int, float]:
    """NumPy's global random state, in a form that compares."""
    _, keys, position, has_gauss, cached = np.random.get_state()  # noqa: NPY002 (the global state is the subject)
    return np.asarray(keys).tobytes(), int(position), int(has_gauss), float(cached)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """A test fails if it, or what it calls, draws from or seeds NumPy's global generator."""
    before = _state()
    result = yield
    if _state() != before:
        reason = "changes NumPy's global random state; randomness is an argument (a seed or a Generator)"
        pytest.fail(f"{item.nodeid}: {reason}", pytrace=False)
    return result


@pytest.fixture
def ledger() -> Callable[..., None]:
    """A check whose outcome is a row of the fidelity ledger: ledger(model, reference, check, observed, allowed, differences)."""

    def compare(model: str, reference: str, check: str, observed: float, allowed: float, differences: str = "") -> None:
        row(model, reference, check, observed, allowed, differences)
        assert observed <= allowed, f"{model}, {check} against {reference}: error {observed:.3g}, allowed {allowed:.3g}"

    return compare


@pytest.fixture
def numpy_target() -> Iterator[None]:
    """What a user's script would say to run without a compiler."""
    from brian2 import prefs  # takes seconds to import

    before = prefs["codegen.target"]
    prefs["codegen.target"] = "numpy"
    yield
    prefs["codegen.target"] = before


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whoever asks for the ledger is run by `make ledger`, with or without the mark."""
    for item in items:
        if "ledger" in getattr(item, "fixturenames", ()):
            item.add_marker("ledger")
