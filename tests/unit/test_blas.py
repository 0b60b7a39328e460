"""One linear-algebra thread while a method or a learner runs, and as many as before afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from threading import Barrier, Thread
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

import rivalry as rv
from rivalry.core.method import BaseLearner
from rivalry.methods.q_learning.threads import threads
from rivalry.runtime.blas import one_blas_thread
from tests import typed


def blas_threads() -> set[int]:
    """The numbers of threads of the BLAS libraries that are loaded."""
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


@pytest.fixture(autouse=True)
def _two_threads() -> Iterator[None]:
    with threadpool_limits(2, user_api="blas"):
        if blas_threads() != {2}:
            pytest.skip("needs BLAS with threads")
        yield


class Counting(BaseLearner):
    """A learner that notes the threads it may use, plays the second action, and may fail."""

    fails: bool = False

    def begin(self, world: Any, stream: np.random.SeedSequence) -> dict[str, np.ndarray]:
        return {"threads": np.zeros(2, dtype=int)}

    def advance(self, world: Any, session: dict[str, np.ndarray], steps: int) -> int:
        if self.fails:
            raise OSError("no answer")
        session["threads"][:] = max(blas_threads()), threads()
        return steps

    def read(self, world: Any, session: dict[str, np.ndarray]) -> dict[str, Any]:
        profile = (("player", "axis"), np.array([[0.0, 1.0], [0.0, 1.0]]))
        return {"profile": profile, "threads": (("kind",), session["threads"])}


GAME = rv.games.matrix("prisoners_dilemma")


def test_a_learner_has_one_linear_algebra_thread_and_its_own_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert rv.solve(GAME, Counting(), max_steps=1).record["threads"][1].tolist() == [1, 3]
    assert blas_threads() == {2}
    assert os.environ["OMP_NUM_THREADS"] == "3"


def test_a_sweep_uses_one_linear_algebra_thread() -> None:
    assert rv.sweep(GAME, {"method.fails": [False]}, Counting(), max_steps=1).threads.values[0, 0] == 1
    assert blas_threads() == {2}


LOADED_MEANWHILE = """
import numpy
from threadpoolctl import threadpool_info, threadpool_limits
from rivalry.runtime.blas import one_blas_thread

def threads():
    return sorted(library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas")

with one_blas_thread:
    import scipy.linalg
    inside = threads()
scipy.linalg.eigh(numpy.eye(3))
assert set(inside) == {1} and set(threads()) == {2}, (inside, threads())
"""


@pytest.mark.slow
def test_a_library_that_is_loaded_meanwhile_uses_one_thread_too() -> None:
    """JAX loads SciPy's library with the first program of linear algebra, in the middle of a solve."""
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "2", "OMP_NUM_THREADS": "2", "MKL_NUM_THREADS": "2"}
    subprocess.run([sys.executable, "-c", LOADED_MEANWHILE], check=True, env=environment)


def test_threads_are_restored_after_an_error() -> None:
    with pytest.raises(OSError, match="no answer"):
        rv.solve(GAME, Counting(fails=True), max_steps=1)
    assert blas_threads() == {2}


def test_the_last_to_leave_restores_the_number() -> None:
    """Two solves at once: the one that ends first must not give threads to the other."""
    both, first_left = Barrier(2), Barrier(2)
    seen: list[set[int]] = []

    def first() -> None:
        with one_blas_thread:
            both.wait()
        first_left.wait()

    thread = Thread(target=first)
    with one_blas_thread:
        thread.start()
        both.wait()
        first_left.wait()
        seen.append(blas_threads())
        with one_blas_thread:
            pass
        seen.append(blas_threads())
    thread.join()
    assert seen == [{1}, {1}]
    assert blas_threads() == {2}


@pytest.mark.skipif(typed.AT_WORK, reason="needs calls without checks of types (no RIVALRY_TYPED)")
def test_warnings_name_the_line_that_called_solve() -> None:
    """Decorators of `solve` are no place where a user could repair anything."""

    class Restless(Counting):
        def read(self, world: Any, session: dict[str, np.ndarray]) -> dict[str, Any]:
            return super().read(world, session) | {"remedy": ((), np.asarray("give it more steps"))}

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        rv.solve(GAME, Restless(), max_steps=1)
    assert [(one.filename, str(one.message)) for one in caught] == [
        (__file__, "not converged: give it more steps")
    ]
