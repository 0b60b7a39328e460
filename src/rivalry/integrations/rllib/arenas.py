"""Arenas of deep learners: an environment, who shares a network, and how results are evaluated."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.core.game import scale
from rivalry.core.results import Record
from rivalry.integrations.rllib.networks import PolicyNetwork

Networks = Mapping[str, PolicyNetwork]  # by agent


@dataclass(frozen=True)
class Arena(ABC):
    """A game as an environment for RLlib, and the evaluation of learned policies."""

    given: Any
    names: tuple[str, ...]  # all agents
    groups: tuple[str, ...]  # the policy that each follows, by name
    periods: int  # of an episode
    discount: float  # per period

    @property
    def players(self) -> tuple[int, ...]:
        """The player of the game, or the type, that each agent is. Default: one agent per player."""
        return tuple(range(len(self.names)))

    @property
    def scale(self) -> float:
        """The number that rewards are divided by. Default: the game's payoff scale."""
        return scale(self.given)

    @property
    def who(self) -> str:
        """The dimension of players: ``player``, or ``seat`` where the game's players are only the leaders."""
        return "player"

    @abstractmethod
    def env(self) -> Any:
        """Return a new parallel environment."""

    def periods_in(self, steps: float) -> float:
        """Return the periods of an episode of so many steps of the environment. Default: all of them."""
        return float(self.periods)

    def look(self, name: str, observation: object) -> ndarray:
        """Observation of an agent, as a row of numbers. Default: all of it."""
        return np.asarray(observation, np.float32)

    @abstractmethod
    def read(self, networks: Networks, words: ndarray, options: Reading) -> Record:
        """Return the record of learned policies; ``words`` seed all samples."""


class Reading(NamedTuple):
    """Rules for the evaluation of policies."""

    evaluation: int  # periods
    rounds: int  # without exploration, before the profile is read
    best_response: Callable[[int, Networks], Any] | None = None  # trains one agent against the others


def policy_names(names: tuple[str, ...], kinds: Any, shared: bool) -> tuple[str, ...]:
    """Return the name of every agent's policy: its own, or with ``shared`` one per kind.

    >>> policy_names(("player_0", "player_1", "player_2"), [0, 1, 0], shared=True)
    ('kind_0', 'kind_1', 'kind_0')
    """
    return tuple(f"kind_{kind}" for kind in kinds) if shared else names


def choose_actions(
    networks: Networks, observations: Mapping[str, ndarray], draw: np.random.Generator | None
) -> dict[str, Any]:
    """Return the actions of agents at their observations; with ``draw`` with exploration.

    Agents who share a network are evaluated together.
    """
    members_by_network: dict[int, list[str]] = {}
    for name in observations:
        members_by_network.setdefault(id(networks[name].module), []).append(name)
    actions_by_name: dict[str, Any] = {}
    for members in members_by_network.values():
        network, rows = networks[members[0]], np.stack([observations[name] for name in members])
        actions = network.best(rows) if draw is None else network.sample(rows, draw)
        actions_by_name |= dict(zip(members, actions, strict=True))
    return {name: actions_by_name[name] for name in observations}
