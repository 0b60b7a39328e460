"""What greedy play would pay while sessions still learn: noted at periods that no chunk of work moves."""

from __future__ import annotations

import numpy as np

from rivalry.core.results import Record
from rivalry.core.statistics import half_width
from rivalry.methods.q_learning.roles import RANDOM, Role
from rivalry.methods.q_learning.session_record import standing
from rivalry.methods.q_learning.sessions import Session, policies
from rivalry.tables.history import by_chance, limit_cycles, whole_states
from rivalry.tables.repeated import RepeatedWorld

FIRST = 1000  # periods before the first note
MOST = 20_000_000  # sessions times whole states at which it is noted


def marks(world: RepeatedWorld, roles: list[Role], sessions: int, expected: int, count: int) -> np.ndarray:
    """The ``count`` periods at which notes are made, evenly in logarithms; none where play has no cycle."""
    empty = np.zeros(0, dtype=np.int64)
    if (
        count == 0
        or expected <= FIRST
        or any(role.kind == RANDOM for role in roles)
        or by_chance(world.tables)
    ):
        return empty
    try:
        whole = whole_states(world.tables)
    except ValueError:  # more is remembered than can be gone through
        return empty
    if sessions * whole.size > MOST:
        return empty
    return np.unique(np.geomspace(FIRST, expected, count).astype(np.int64))


def note(world: RepeatedWorld, session: Session, curve: np.ndarray) -> None:
    """What greedy play would now pay everybody on its cycle, into ``curve [session player]``."""
    tables = world.tables
    start = standing(tables, whole_states(tables), session)
    curve[:] = limit_cycles(tables, policies(tables, session), start).payoff


def curves(periods: np.ndarray, curve: np.ndarray) -> Record:
    """Means over sessions of what was noted, ``curve [mark session player]``, with a 95 % band."""
    if not len(curve):
        return {}
    return {
        "learning_step": (("sample",), periods[: len(curve)]),
        "learning_reward": (("sample", "player"), curve.mean(axis=1)),
        "learning_reward_band": (("sample", "player"), np.stack([half_width(row) for row in curve])),
    }
