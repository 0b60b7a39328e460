"""A user-defined game and a study of it, for runs that tests interrupt and damage."""

from pathlib import Path
from typing import Any

import numpy as np

from rivalry.core import files
from rivalry.core.results import Certificate, Record
from rivalry.lab.store import Run
from rivalry.lab.study import Study

GAME = '''
import os
import signal
import time
import warnings

import equinox as eqx
import jax.numpy as jnp
from jax import Array

from rivalry import Box
from rivalry.extend import BaseMethod


class Duel(eqx.Module):
    """Two spend effort on a prize, shared in proportion."""

    prize: Array
    space: Box

    def payoffs(self, x):
        return self.prize * x[:, 0] / (jnp.sum(x) + 1e-9) - x[:, 0]


def duel(*, prize: float = 1.0, trouble: str = "none", seconds: float = 0.0):
    time.sleep(seconds)
    if trouble == "raise" and prize > 1:
        raise RuntimeError("the duel was called off")
    if trouble == "warn" and prize < 1.5:
        warnings.warn(f"a prize of {prize}\\nis low")
    if trouble == "die" and prize > 1 and os.environ.get("DUEL_MAY_DIE"):
        os.kill(os.getpid(), signal.SIGKILL)
    return Duel(jnp.asarray(prize), Box.interval(0.01, 2.0, players=2))


class Climb(BaseMethod):
    """Random steps, kept when they pay: a method that draws."""

    size: float = 0.1

    def init(self, game, start, key):
        return State(start)

    def step(self, game, state, key):
        import jax

        new = game.space.project(state.profile + self.size * jax.random.normal(key, state.profile.shape))
        better = jnp.sum(game.payoffs(new)) > jnp.sum(game.payoffs(state.profile))
        return State(jnp.where(better, new, state.profile))

    def residual(self, game, state):
        return jnp.asarray(1.0)


class State(eqx.Module):
    profile: Array
'''

TOML = """
title = "A duel"
[game]
family = "duel.py:duel"
trouble = "{trouble}"
seconds = {seconds}
[[method]]
kind = "best_response"
max_steps = 50
[sweep]
"game.prize" = {{ from = 0.5, to = 1.5, count = {points} }}
[replications]
count = {replications}
seed = 7
"""


def write(
    folder: Path, *, points: int = 3, replications: int = 1, trouble: str = "none", seconds: float = 0.0
) -> Path:
    """The study's file, beside the game's."""
    folder.mkdir(exist_ok=True)
    (folder / "duel.py").write_text(GAME)
    study = folder / "duel.toml"
    study.write_text(
        TOML.format(points=points, replications=replications, trouble=trouble, seconds=seconds),
        encoding="utf-8",
    )
    return study


def study(folder: Path, **changes: Any) -> Study:
    """A study of the user's game with some tables replaced."""
    write(folder)
    tables: dict[str, Any] = {
        "name": "duel",
        "title": "A duel",
        "game": {"family": "duel.py:duel"},
        "method": [{"kind": "best_response", "max_steps": 50}],
        "sweep": {"game.prize": [0.5, 1.0, 1.5]},
        "replications": {"count": 2, "seed": 7},
        "folder": folder,
    }
    return Study(**(tables | changes))


def record(seed: int) -> Record:
    """What a cell might have found: other numbers for each seed."""
    numbers = np.random.default_rng(seed)
    proof = Certificate(numbers.random(2), numbers.random(2), "bounded", "drawn", 1e-6)
    rows = 2 + seed % 3
    return {
        "profile": (("player", "axis"), numbers.random((2, 1))),
        "payoff": (("player",), numbers.random(2)),
        "status": ((), np.asarray("converged" if seed % 2 else "iteration limit")),
        "steps": ((), np.asarray(rows)),
        "path": (("step", "player", "axis"), numbers.random((rows, 2, 1))),
        **proof.record(),
    }


def store(run: Run, id: str, result: Record, seconds: float = 0.0) -> None:
    """Store a cell's result and its wall time, as a worker and its executor do."""
    files.write(run.cell_path(id), files.pack(result, kind="cell", name=id))
    run.note(id, "done", seconds)
