"""Programs that JAX compiles for one result: those of the package, and none of a single operation."""

import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import pytest

import rivalry as rv

pytestmark = pytest.mark.slow

NAMED = "Compiling jit("
PACKAGE = str(Path(rv.__file__).parent)
ASKED_BY = str(Path(PACKAGE, "runtime", "jax.py"))  # the decorator `compiled`


class _Programs(logging.Handler):
    """The names of the programs that are compiled, and the file of the package that asks for each."""

    found: list[tuple[str, str]]

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if message.startswith(NAMED):
            places = [frame for frame in traceback.extract_stack() if frame.filename.startswith(PACKAGE)]
            name = message.removeprefix(NAMED).partition(")")[0]
            self.found.append((name, places[-1].filename if places else ""))


@contextmanager
def compilations() -> Iterator[list[tuple[str, str]]]:
    """Programs compiled within, as if none had been compiled in this process before."""
    handler, logger = _Programs(), logging.getLogger("jax")
    handler.found = []
    jax.clear_caches()
    logger.addHandler(handler)
    try:
        with jax.log_compiles():
            yield handler.found
    finally:
        logger.removeHandler(handler)


VIEWS = ["influence", "shares", "landscape"]
LINE = {"reach": [0.2, 0.25], "resource": "bimodal"}
CASES: dict[str, tuple[int, str, dict[str, Any], Any, Any, list[str]]] = {
    "line": (2, "influencer", LINE, rv.methods.GradientAscent(), "paper_default", VIEWS),
    "race": (3, "race", {}, rv.methods.BestResponse(), None, ["payoff_landscape", "reaction"]),
    "market": (3, "market", {}, rv.methods.BestResponse(), None, []),
    "leader": (3, "market", {"stages": [[0], [1]]}, rv.methods.BestResponse(), None, []),
    "karma": (4, "karma", {"max_karma": 4, "mean_karma": 2.0}, rv.methods.PopulationNewton(), "uniform", []),
    "table": (0, "matrix", {"name": "chicken"}, rv.methods.MixedEquilibria(), None, []),
}


@pytest.mark.parametrize("name", CASES)
def test_a_first_result_compiles_few_programs_and_no_single_operation(name: str) -> None:
    """An operation of `jax.numpy` on concrete numbers compiles a program, as dear as a large one."""
    most, family, options, method, start, views = CASES[name]
    with compilations() as programs:
        game = getattr(rv.games, family)(**options)
        solution = rv.solve(game, method, start=start)
        for view in views:
            rv.view(game, view, solution.profile)
    assert [program for program in programs if program[1] != ASKED_BY] == []
    assert len(programs) <= most, programs
