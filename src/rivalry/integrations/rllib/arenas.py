"""What deep learners play in: an environment, who shares a network, and how what was learned is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from rivalry.core.results import Record
from rivalry.integrations.rllib.networks import PolicyNetwork

Networks = Mapping[str, PolicyNetwork]  # by agent


@runtime_checkable
class TrainingSetup(Protocol):
    """Where agents learn."""

    @property
    def names(self) -> tuple[str, ...]:
        """All agents."""
        ...

    @property
    def groups(self) -> tuple[str, ...]:
        """The policy that each follows, by name."""
        ...

    @property
    def scale(self) -> float:
        """What rewards are divided by."""
        ...

    @property
    def discount(self) -> float:
        """What a unit of the next period is worth."""
        ...

    def env(self) -> Any:
        """A new parallel environment."""
        ...

    def lasted(self, steps: float) -> float:
        """Periods of an episode of so many steps of the environment."""
        ...

    def look(self, name: str, seen: Any) -> np.ndarray:
        """What an agent is shown of what it could see, as a row of numbers."""
        ...


@runtime_checkable
class Arena(TrainingSetup, Protocol):
    """A game made ready for RLlib, and how what was learned in it is read."""

    @property
    def players(self) -> tuple[int, ...]:
        """The player of the game, or the type, that each agent is."""
        ...

    @property
    def who(self) -> str:
        """What these are called: ``player``, or ``seat`` where the game's players are only the leaders."""
        ...

    def read(self, networks: Networks, words: np.ndarray, options: Reading) -> Record:
        """What was learned; ``words`` seed all that is drawn."""
        ...


class Reading(NamedTuple):
    """How long policies are watched."""

    evaluation: int  # periods
    rounds: int  # without exploration, before places are read
    reply: Callable[[int, Networks], Any] | None = None  # trains one agent against the rest; its network


def grouped(names: tuple[str, ...], kinds: Any, shared: bool) -> tuple[str, ...]:
    """The policy of every agent: one of its own, or with ``shared`` one for all of a kind.

    >>> grouped(("player_0", "player_1", "player_2"), [0, 1, 0], shared=True)
    ('kind_0', 'kind_1', 'kind_0')
    """
    return tuple(f"kind_{kind}" for kind in kinds) if shared else names


def acted(
    networks: Networks, seen: Mapping[str, np.ndarray], draw: np.random.Generator | None
) -> dict[str, Any]:
    """What agents do at what they see, without exploration or, with ``draw``, with it.

    Agents of one network are asked together.
    """
    asked: dict[int, list[str]] = {}
    for name in seen:
        asked.setdefault(id(networks[name].module), []).append(name)
    found: dict[str, Any] = {}
    for members in asked.values():
        network, rows = networks[members[0]], np.stack([seen[name] for name in members])
        actions = network.best(rows) if draw is None else network.drawn(rows, draw)
        found |= dict(zip(members, actions, strict=True))
    return {name: found[name] for name in seen}
