"""Courses of play of agents that hold karma: arrays around those of the kernels."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy import ndarray
from numpy.random import SeedSequence

from rivalry.core.game import BrokenInvariant
from rivalry.envs.actions import Illegal, Numbers
from rivalry.envs.course import ALL, StepResult
from rivalry.schema.validate import whole_number

PERIODS = 1000

Learned = Callable[[ndarray, ndarray], ndarray]
"""A policy: from observations ``[state feature]`` and masks ``[state entry]``, probabilities of entries."""


class Views(NamedTuple):
    """Bounds of the agents' observations, optionally normalized to [-1, 1]."""

    low: ndarray  # [feature]
    high: ndarray  # [feature], above ``low``
    entries: int  # largest number of entries of any agent
    normalized: bool

    def of(self, features: ndarray, counts: ndarray) -> tuple[ndarray, ndarray]:
        """Return observations ``[agent feature]`` and masks ``[agent entry]``, 1 for the first ``counts``."""
        masks = _masks(self.entries).take(counts, axis=0)
        if not self.normalized:
            return features, masks
        shares = (features - self.low) / (self.high - self.low)
        return (2 * shares - 1).astype(np.float32), masks


class AgentsCourse:
    """The course of play of agents ``agent_0``, ``agent_1``, .. that each choose one of several entries.

    A subclass reads the game and returns its agents' views (`_prepare`), starts an episode (`_begin`),
    applies the entries of all agents and returns their rewards (`_go`), and returns the features, the number
    of legal entries per agent, and whether it acts (`_look`). It converts the policies of others, a table or
    a name (`table`), and draws the entries of all agents from them (`draw`); and it makes the table that
    simulations take of a learned policy per agent (`policy_of`).
    """

    types: ndarray  # [agent]
    discounts: ndarray  # [type]
    stake: float  # the largest loss in a step, in which rewards are measured
    _prepare: Callable[..., Views]
    _begin: Callable[..., None]
    _go: Callable[..., ndarray]
    _look: Callable[[], tuple[ndarray, ndarray, ndarray]]
    table: Callable[..., Any]
    draw: Callable[..., ndarray]
    state: Any  # the kernels' agents, changed in place; the first entry of status is 0 until an error

    def __init__(self, game: Any, periods: int | None, normalized: bool = False, illegal: Illegal = "warn"):
        self.game, self.periods = game, PERIODS if periods is None else periods
        self.views = self._prepare(normalized)
        count = len(self.types)
        self.names = [f"agent_{k}" for k in range(count)]
        self.actions = Numbers([self.views.entries] * count, illegal)
        self.kind: Any = np.float32 if normalized else np.float64
        ends = (-1.0, 1.0) if normalized else self.views[:2]
        shape = count, len(self.views.low)
        self.bounds = tuple(np.broadcast_to(end, shape).astype(self.kind) for end in ends)
        self._sequence, self._over = SeedSequence(0), np.zeros(count, bool)
        self._rivals: tuple[int, Any] | None = None
        self.begin(0)

    def hold(self, policies: object, but: int) -> None:
        """Let all agents except ``but`` follow a table or a named policy. Raises `ValueError`."""
        self._rivals = but, self.table(policies)

    def begin(self, seeds: Any, where: ndarray | np.bool_ = ALL) -> None:
        """Start a new episode with initial karma; a seed restarts the random stream."""
        if seeds is not None:
            self._sequence = SeedSequence(whole_number("seed", seeds))
        # one stream per episode, so that an episode does not depend on how long earlier ones lasted
        episode = self._sequence.spawn(1)[0]
        self._draws = np.random.default_rng(episode.spawn(1)[0])
        self._begin(episode)
        self._read(np.zeros(len(self.names)))

    def advance(self, actions: ndarray, where: ndarray | np.bool_ = ALL) -> StepResult:
        """Apply the entries ``[agent 1]`` for one step; those of agents that do not act are ignored.

        Raises `BrokenInvariant` if karma is not conserved.
        """
        entries = actions[:, 0].astype(np.int64)
        if self._rivals is not None:
            player, table = self._rivals
            entry, entries = entries[player], self.draw(table, self._draws)
            entries[player] = entry
        # a copy, since the kernels change their arrays in place
        paid = self._go(entries).copy()
        if self.state.status[0]:
            raise BrokenInvariant(f"karma is not conserved at step {int(self.state.status[1])}")
        self._read(paid)
        return self.now

    def _read(self, paid: ndarray) -> None:
        features, self.counts, acting = self._look()
        observations, masks = self.views.of(features, self.counts)
        cut = int(self.state.clock[0]) >= self.periods
        self.now = StepResult(observations, acting, paid, masks, self._over, cut)


@cache
def _masks(entries: int) -> ndarray:
    """Return the mask ``[entry]`` of every number of legal entries, from 0."""
    return np.tri(entries + 1, entries, -1, dtype=np.int8)


def draw(rows: ndarray, counts: ndarray, rng: np.random.Generator) -> ndarray:
    """Draw an entry per agent from cumulative probabilities ``[agent entry]``, below ``counts``."""
    uniform = rng.random(len(rows))[:, None]
    # rounding may leave the last cumulative sum below 1, and the draw above it
    return np.minimum((rows <= uniform).sum(axis=1), counts - 1)
