"""What every test runs under: 64-bit numbers, one cache of compiled programs and, on request, checked types.

`RIVALRY_TYPED=1` checks every call into the package against its annotations; `tests/typed.py` must be at work
before the first module of the package is imported.
"""

import gc
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis.database import DirectoryBasedExampleDatabase

from tests import typed
from tests.rotation import Rotation

# Compiled programs are kept between test runs: outside the user's own cache, apart for every checkout.
_CACHE = Path(tempfile.gettempdir()) / f"rivalry-tests-{os.getuid() if hasattr(os, 'getuid') else 0}"
os.environ.setdefault("RIVALRY_CACHE", str(_CACHE / "jax"))
os.environ.setdefault("NUMBA_CACHE_DIR", str(_CACHE / "numba"))
os.environ.setdefault("MPLBACKEND", "agg")
os.environ["XDG_DATA_HOME"] = str(_CACHE / "data")  # the key of the user who runs the tests stays as it is
if typed.AT_WORK:
    typed.install()

# The first example compiles, so nothing has a deadline. Examples are the same every time; with fresh seeds a
# failing example is kept in the folder that the variable names, and tried first the next time.
settings.register_profile("rivalry", deadline=None, derandomize=True, max_examples=40)
_FRESH = os.environ.get("RIVALRY_FRESH_SEEDS")
if _FRESH:
    kept = DirectoryBasedExampleDatabase(_FRESH)
    settings.register_profile("fresh", deadline=None, database=kept, print_blob=True, max_examples=40)
settings.load_profile("fresh" if _FRESH else "rivalry")


def pytest_configure(config: pytest.Config) -> None:
    """Select and count tests (`tests/rotation.py`)."""
    config.pluginmanager.register(Rotation())


def pytest_collection_finish(session: pytest.Session) -> None:
    """Load every class of methods: then all check their options, whichever test comes first."""
    from rivalry.methods import METHODS
    from rivalry.schema.registry import load

    for entry in METHODS.values():
        for target in entry.targets:
            if not target.startswith("rivalry.integrations"):  # these need libraries of extras
                load(target)
    gc.freeze()  # modules and tests stay: collections need not look at them


@pytest.fixture(autouse=True, scope="module")
def _programs() -> Iterator[None]:
    """One process runs all tests: it may not keep every program that any of them compiled."""
    yield
    if "jax" in sys.modules:
        from rivalry.runtime.jax import forget_programs

        forget_programs(6_000)  # some 2 GB


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    """No figure of a test is open in the next one."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


@pytest.fixture
def one_process() -> Iterator[None]:
    """One test at a time in all processes, for what two of them cannot do at once."""
    fcntl = pytest.importorskip("fcntl")
    with Path(tempfile.gettempdir(), "rivalry-tests.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
