"""Programs that JAX compiles for one result: those of the package, and none of a single operation."""

import logging
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import jax
import pytest

import rivalry as rv

pytestmark = pytest.mark.slow

LOGGERS = ("jax._src.interpreters.pxla", "jax._src.dispatch")
NAMED = "Compiling jit("
OF_PACKAGE = {"run", "_follow"}  # what `compiled` and the loops of flows are called


class _Programs(logging.Handler):
    """The names of the programs that are compiled, and the place in the package that asks for each."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if not message.startswith(NAMED):
            return
        frames = [frame for frame in traceback.extract_stack() if "/src/rivalry/" in frame.filename]
        place = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""
        self.found.append((message.removeprefix(NAMED).partition(")")[0], place))


@contextmanager
def compilations() -> Iterator[list[tuple[str, str]]]:
    """Programs compiled within, as if none had been compiled in this process before."""
    handler = _Programs()
    loggers = [logging.getLogger(name) for name in LOGGERS]
    levels = [(logger.level, logger.propagate) for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)
        logger.propagate = False
    jax.clear_caches()
    jax.config.update("jax_log_compiles", True)
    try:
        yield handler.found
    finally:
        jax.config.update("jax_log_compiles", False)
        for logger, (level, propagate) in zip(loggers, levels, strict=True):
            logger.removeHandler(handler)
            logger.setLevel(level)
            logger.propagate = propagate


def views(solution: rv.Solution, *names: str) -> None:
    for name in names:
        rv.view(solution.game, name, solution.profile)


def on_a_line() -> None:
    game = rv.games.influencer(reach=[0.2, 0.25], resource="bimodal")
    found = rv.solve(game, rv.methods.GradientAscent(), start="paper_default")
    views(found, "influence", "shares", "landscape")


def race() -> None:
    views(rv.solve(rv.games.race(), rv.methods.BestResponse()), "payoff_landscape", "reaction")


def leader() -> None:
    rv.solve(rv.games.market(stages=[[0], [1]]), rv.methods.BestResponse())


def karma() -> None:
    game = rv.games.karma(max_karma=4, mean_karma=2.0)
    rv.solve(game, rv.methods.PopulationNewton(), start="uniform")


CASES: dict[str, tuple[Callable[[], Any], int]] = {
    "line": (on_a_line, 2),
    "race": (race, 3),
    "market": (lambda: rv.solve(rv.games.market(), rv.methods.BestResponse()), 3),
    "leader": (leader, 3),
    "karma": (karma, 4),
    "table": (lambda: rv.solve(rv.games.matrix("chicken"), rv.methods.MixedEquilibria()), 0),
}


@pytest.mark.parametrize("name", CASES)
def test_a_first_result_compiles_few_programs_and_no_single_operation(name: str) -> None:
    """An operation of `jax.numpy` on concrete numbers compiles a program, as dear as a large one."""
    compute, most = CASES[name]
    with compilations() as programs:
        compute()
    assert [program for program in programs if program[0] not in OF_PACKAGE] == []
    assert len(programs) <= most, programs
